"""Rows of a fleet list: what each says, and every problem that it has, cell by cell."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from scanproof import cellvalues
from scanproof.sheets import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scanproof.headings import Header
    from scanproof.sheets import RawCell, Sheet
    from scanproof.sitefile import Route

_T = TypeVar("_T")
_PLACE = ("site", "building", "department", "location", "floor", "room")
_DEVICE = ("address", "serial", "host_name", "make", "model", "route")  # a row without any of these is no device
_OWN = ("address", "serial", "host_name")  # a merge over two rows doesn't give both the same one
_TOTAL = re.compile(
    r"((grand |sub )?totals?|subtotal|sum|count|summe|gesamt(summe|zahl)?|anzahl|insgesamt|sous total|somme|suma|"
    r"end of list|ende der liste)( number)?( of)?[ \d]*( devices| copiers| machines| printers| mfps| geräte)?[ \d]*"
)


@dataclass(frozen=True)
class Cell:
    """A cell: where it stands (``C14``), and its cleaned text."""

    ref: str
    value: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with a cell, in words that quote it."""

    ref: str
    text: str


@dataclass(frozen=True)
class Row:
    """A row that describes a device."""

    number: int  # as Excel shows it
    cells: Mapping[str, Cell] = field(hash=False)  # by field; recognised columns only
    hidden: bool
    problems: tuple[Problem, ...]
    key: str  # serial, else address, else the row; doubled ones are told apart by the row
    address: str | None  # in its normal form; None if it can't be used
    serial: str
    make: str | None
    model: str
    host_name: str
    location: str
    route: Route | None
    prefix: str | None  # the subnet, where the row states it


@dataclass(frozen=True)
class _Raw:
    number: int
    cells: Mapping[str, RawCell] = field(hash=False)


def rows(sheet: Sheet, header: Header) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Read a sheet's rows under its headings.

    Returns:
        The rows, and a sentence for each line that was left out because it is no device (totals,
        headings repeated, titles between).
    """
    found: list[Row] = []
    skipped: list[str] = []
    seen: dict[tuple[str, str], list[Cell]] = {}
    for number in sheet.rows:
        if number <= header.row:
            continue
        raw = _Raw(number, _picked(sheet.rows[number], header))
        if why := _no_device(raw, sheet.rows[number], header):
            if not all(cell.inherited for cell in sheet.rows[number].values()):
                skipped.append(f"row {number}: {why}")
            continue
        found.append(_row(raw, header, number in sheet.hidden_rows, seen))
    several = {cells[0].ref: cells for cells in seen.values() if len(cells) > 1}
    found = [_first_of_several(row, several) for row in found]
    counted: Counter[str] = Counter()
    for index, row in enumerate(found):
        counted[row.key] += 1
        if counted[row.key] > 1:
            found[index] = replace(row, key=f"{row.key}+row{row.number}")
    return tuple(found), tuple(skipped)


def _picked(row: Mapping[int, RawCell], header: Header) -> dict[str, RawCell]:
    cells = {name: row[column] for name, column in header.columns.items() if column in row}
    return {name: cell for name, cell in cells.items() if not (cell.inherited and name in _OWN)}


def _no_device(raw: _Raw, row: Mapping[int, RawCell], header: Header) -> str:
    """Say why a line of the sheet is no device; empty if it is one."""
    values = {name: cell.value.casefold() for name, cell in raw.cells.items() if not cell.inherited}
    repeated = [name for name, value in values.items() if value == header.cells[name].value.casefold() != ""]
    if len(repeated) >= 2:
        return "headings again"
    if not values.get("serial") and not cellvalues.looks_like_address(values.get("address", "")):
        for cell in row.values():
            words = " ".join(cell.value.casefold().replace("-", " ").replace(":", " ").split())
            if not cell.inherited and _TOTAL.fullmatch(words):
                return "a total"
    own = [cell for name, cell in raw.cells.items() if name in _DEVICE and not cell.inherited]
    if not any(cell.value or cell.fault or cell.link for cell in own):
        return "names no device"
    return ""


def _row(raw: _Raw, header: Header, hidden: bool, seen: dict[tuple[str, str], list[Cell]]) -> Row:  # noqa: FBT001
    problems: dict[str, str] = {}  # one per cell: the first that is found is the one that matters
    cells = {name: Cell(cell.ref, cell.value) for name, cell in raw.cells.items() if cell.value}

    def at(name: str) -> str:
        """Return where the field's cell stands, written or not."""
        return raw.cells[name].ref if name in raw.cells else ref(raw.number, header.columns[name])

    def text(name: str) -> str:
        return cellvalues.stated(cells[name].value) if name in cells else ""

    def told(name: str, read: Callable[[], _T | None]) -> _T | None:
        try:
            return read()
        except ValueError as error:
            problems.setdefault(at(name), str(error))
            return None

    address, length = told("address", lambda: _address(raw.cells.get("address"), cells)) or (None, None)
    if address:
        cells.setdefault("address", Cell(at("address"), address))  # only the link told it
    for name, cell in raw.cells.items():
        if cell.fault and not (name == "address" and address):
            problems[at(name)] = cell.fault
    prefix = _prefix(text, address, length, at, problems) if address else None
    if address and (edge := cellvalues.edge_of(address, prefix or _usual(address))):
        hint = "" if prefix else "; if the subnet is larger than that, state it in a column Prefix"
        problems.setdefault(at("address"), f"{cellvalues.quoted(cells['address'].value)} is {edge}{hint}")
        address = None
    if address and _doubled(seen, "address", address, Cell(at("address"), address), problems):
        address = None
    for name in ("serial", "host_name"):
        if value := text(name):
            _doubled(seen, name, "".join(value.casefold().split()).rstrip("."), cells[name], problems)
    where = next((name for name in ("make", "model", "address") if name in header.columns), "address")
    before = len(problems)
    make = told(where, lambda: cellvalues.make(text("make"), text("model")))
    if make is None and len(problems) == before:
        problems.setdefault(at(where), _make_unknown(where, text("model")))
    route: Route | None = told("route", lambda: cellvalues.route(text("route"))) if "route" in cells else None
    return Row(
        number=raw.number,
        cells=cells,
        hidden=hidden,
        problems=tuple(Problem(*problem) for problem in problems.items()),
        key=text("serial") or address or f"row{raw.number}",
        address=address,
        serial=text("serial"),
        make=make,
        model=cellvalues.model(text("model"), make),
        host_name=text("host_name"),
        location=", ".join(_location(text, header)),
        route=route,
        prefix=prefix,
    )


def _address(cell: RawCell | None, cells: Mapping[str, Cell]) -> tuple[str, int | None]:
    """Read the address cell: its text, else the link that hangs on it."""
    value = cells["address"].value if "address" in cells else ""
    link = cell.link if cell and cellvalues.is_address(cell.link) else ""
    if link and not cellvalues.looks_like_address(value):
        return cellvalues.address(link)[0], None
    if not value:
        raise ValueError("no address; write the copier's IP address here")
    found = cellvalues.address(value)
    if link and cellvalues.address(link)[0] != found[0]:
        raise ValueError(f"{cellvalues.quoted(value)} links to {cellvalues.quoted(link)}; correct the text or the link")
    return found


def _make_unknown(where: str, model: str) -> str:
    seen = f"the model {cellvalues.quoted(model)} does not tell it" if model else "no model tells it either"
    todo = {"make": "write it here, such as Ricoh", "model": "write it in front of the model, such as Ricoh IM C3000"}
    return f"make unknown ({seen}); {todo.get(where, 'the list needs a column Make or Model')}"


def _usual(address: str) -> str:
    return f"{address}/{24 if ipaddress.ip_address(address).version == 4 else 64}"


def _prefix(
    text: Callable[[str], str], address: str, length: int | None, at: Callable[[str], str], problems: dict[str, str]
) -> str | None:
    name = "prefix" if text("prefix") else "mask"
    try:
        found = cellvalues.prefix(text("prefix"), text("mask"), address)
    except ValueError as error:
        problems.setdefault(at(name), str(error))
        return None
    if found is None and length is not None:
        found = cellvalues.prefix("", str(length), address)
    return found


def _doubled(
    seen: dict[tuple[str, str], list[Cell]], name: str, value: str, cell: Cell, problems: dict[str, str]
) -> bool:
    """Note a value that must be unique; report its second and later cells, and where the first stands."""
    cells = seen.setdefault((name, value), [])
    cells.append(cell)
    if len(cells) > 1:
        problems.setdefault(cell.ref, _twice(cell, cells[:1]))
    return len(cells) > 1


def _first_of_several(row: Row, several: Mapping[str, list[Cell]]) -> Row:
    """Report the first cell of a value that stands in later rows too: which of them is wrong, nobody knows."""
    known = {problem.ref for problem in row.problems}
    refs = [cell.ref for cell in row.cells.values() if cell.ref in several and cell.ref not in known]
    told = [Problem(ref, _twice(several[ref][0], several[ref][1:])) for ref in refs]
    return replace(row, problems=(*row.problems, *told)) if told else row


def _twice(cell: Cell, others: list[Cell]) -> str:
    where = ", ".join(it.ref for it in others[:3]) + (" and more" if len(others) > 3 else "")
    return f"{cellvalues.quoted(cell.value)} is used twice: also in {where}; correct the one that is wrong"


def _location(text: Callable[[str], str], header: Header) -> Iterator[str]:
    """Yield the parts of a location, the wide ones first; a bare number gets its heading (``Floor 2``)."""
    given: list[str] = []
    for name in _PLACE:
        value = text(name)
        if not value or any(_says(part.casefold(), value.casefold()) for part in given):
            continue
        heading = header.cells[name].value if name in header.cells else ""
        given.append(
            f"{heading} {value}"
            if name in ("floor", "room") and heading and value.lstrip("+-")[:1].isdigit()
            else value
        )
        yield given[-1]


def _says(part: str, value: str) -> bool:
    return part == value or (len(value) > 3 and value in part)
