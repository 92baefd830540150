"""``fleet.xlsx``: the customer's own list given back with what the run found, and a sheet for each subnet.

The customer's file is only read. What is carried over of it and what never is stands in ``ownsheet`` and
``withheld``; how a text is kept from being a formula, in ``cells``. A list that can't be copied with its formats (text
files, .xls, a recorded run, which keeps no workbook) is written anew from its rows as they were read.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openpyxl.styles import Alignment, Border, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink

from scanproof import redact, sheets
from scanproof.report import bysubnet, cells, excepted, ownsheet, text
from scanproof.report.copiers import REPORT, Column, Standings
from scanproof.report.ownsheet import OwnSheet
from scanproof.report.verdicts import VERDICTS
from scanproof.sheets import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

    from scanproof.workbook import Table

_NEVER = (
    "Formulas (their stored results are given back), comments, other sheets, pictures, charts, pivot tables, macros, "
    "defined names, lists of allowed values, conditional formats with a formula or text, sheet protection, headers and "
    "footers of pages, file properties, links that aren't to web pages, and user names, passwords and queries in links."
)


@dataclass(frozen=True)
class GivenBack:
    """The workbook's bytes, and what is to be said about it in the run; empty where nothing is."""

    data: bytes
    note: str = ""


def give_back(run: dict[str, Any], table: Table, path: Path | None) -> GivenBack:
    """Return the list with what the run found, as the bytes of an .xlsx file.

    Args:
        run: the content of ``run.json``, which holds no secret.
        table: the list as the run read it.
        path: the customer's file; None where there is none, as of a recorded run.

    Raises:
        OSError: the disk is full.
    """
    try:
        data = _unchanged(table, path) if path else None
    except WorkbookError as error:
        return _without_formats(run, table, str(error).replace(str(path), table.file))
    if data is None:
        return GivenBack(_made(run, table, None, "a recorded run keeps the list's rows, not its workbook"))
    if not data.startswith(b"PK"):
        kind = "the old .xls format can be read, but not written" if table.sheet else "a text file has none"
        return GivenBack(_made(run, table, None, kind))
    try:
        return GivenBack(_made(run, table, data, ""))
    except OSError:  # the disk is full, where openpyxl keeps its parts
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises anything at all on what a file may hold
        return _without_formats(run, table, f"{table.file} can't be copied: {sheets.clean(error)[:200]}")


def _without_formats(run: dict[str, Any], table: Table, why: str) -> GivenBack:
    note = f"fleet.xlsx holds the list as it was read, without the customer's formats: {why}"
    return GivenBack(_made(run, table, None, why), redact.scrub(note))


def _unchanged(table: Table, path: Path) -> bytes:
    """Return the file's bytes.

    Raises:
        WorkbookError: it is not there any more, can't be read, or is another one than the run read.
    """
    data = sheets.file_bytes(path)
    if hashlib.sha256(data).hexdigest() != table.sha256:
        raise WorkbookError(f"{path.name} was changed while the run went on")
    return data


def _made(run: dict[str, Any], table: Table, data: bytes | None, why: str) -> bytes:
    """Build the workbook.

    Args:
        run: the content of ``run.json``.
        table: the list as the run read it.
        data: the customer's file, to be copied with its formats; None to write the rows as read.
        why: why its formats are not given back.
    """
    book, standings = cells.Book(), Standings(run)
    sheet = book.sheet(redact.scrub(table.sheet) or "Copiers")
    added = standings.columns()
    if data is not None:
        own = OwnSheet(data, table, sheet, book)
        own.copy()
        last = _Added(book, sheet, table, own.last + 1).write(run, standings, added)
        own.finish(last)
        left_out = own.left_out
    else:
        free = _as_read(book, sheet, table)
        last = _Added(book, sheet, table, free).write(run, standings, added)
        top = ownsheet.heading_row(table)
        cells.printed(sheet, top or 1)
        if top:
            sheet.freeze_panes = f"A{top + 1}"
            sheet.auto_filter.ref = f"A{top}:{get_column_letter(last)}{table.rows[-1].number}"
        left_out = ["columns that are not recognised"] if table.ignored else []
    bysubnet.add(book, run, standings, added)
    _about(book, run, table, why, left_out)
    site = run.get("site") or {}
    properties = book.made.properties
    properties.creator = "Scanproof"
    properties.title = cells.clean(" ".join(str(site.get(name) or "") for name in ("customer", "ticket")).strip())
    out = io.BytesIO()
    book.made.save(out)
    return out.getvalue()


def _as_read(book: cells.Book, sheet: Worksheet, table: Table) -> int:
    """Write the rows as they were read, each cell where the list has it; return the first free column."""
    top, columns = ownsheet.heading_row(table), ownsheet.read_columns(table)
    last = max(columns.values())
    for column in range(1, last + 1):
        sheet.column_dimensions[get_column_letter(column)].width = 18 if column in columns.values() else 10
        if top:
            cell = cells.at(sheet, top, column)
            book.style(cell, "heading", cells.heading)
            cells.put(cell, "(not read)")
    for name, column in columns.items():
        if top:
            cells.put(cells.at(sheet, top, column), redact.scrub(table.headings[name].value))
    for row in table.rows:
        for name, read in row.cells.items():
            cell = cells.at(sheet, row.number, columns[name])
            book.style(cell, ("ink", ""), cells.inked(""))
            cells.put(cell, redact.scrub(read.value))
        if row.hidden:
            sheet.row_dimensions[row.number].hidden = True
    return last + 1


@dataclass(frozen=True)
class _Added:
    """The run's columns, to the right of the list's own."""

    book: cells.Book
    sheet: Worksheet
    table: Table
    first: int  # column

    def write(self, run: dict[str, Any], standings: Standings, added: Sequence[Column]) -> int:
        """Write them; return the last one."""
        top = ownsheet.heading_row(self.table)
        places = dict(zip(range(self.first, self.first + len(added)), added, strict=True))
        for column, one in places.items():
            self.sheet.column_dimensions[get_column_letter(column)].width = one.width
        if top:
            self._headings(top, places)
        if top > 1:
            self._origin(run, top - 1)
        address = ownsheet.read_columns(self.table)["address"]
        for row in self.table.rows:
            standing = standings.of_row(row.key, row.number, redact.scrub(row.location), hidden=row.hidden)
            like = cells.at(self.sheet, row.number, address)
            base = cells.style_key(like)
            lines = 1
            for column, one in places.items():
                said = one.says(standing)
                cell = cells.at(self.sheet, row.number, column)
                self.book.style(cell, ("added", base, said.word), _beside(like, said.word))
                shown = f"{said.text}" if top else f"{one.name}: {said.text}"
                cells.put(cell, shown)
                lines = max(lines, cells.lines_of(shown, one.width))
                if one.name == "Evidence" and standing.case:
                    anchor = text.anchor("c", standing.case)
                    cell.hyperlink = Hyperlink(ref=cell.coordinate, target=REPORT, location=anchor)
            self._heighten(row.number, lines)
        return self.first + len(added) - 1

    def _heighten(self, number: int, lines: int) -> None:
        """Make a row as high as what was added needs; what the customer made higher stays so."""
        row = self.sheet.row_dimensions[number]
        if lines > 1 and cells.height(lines) > (row.height or 0):
            row.height = cells.height(lines)

    def _headings(self, top: int, places: dict[int, Column]) -> None:
        like = cells.at(self.sheet, top, ownsheet.read_columns(self.table)["address"])
        taken = {str(cells.at(self.sheet, top, column).value or "").casefold() for column in range(1, self.first)}
        for column, one in places.items():
            cell = cells.at(self.sheet, top, column)
            cells.copy_style(like, cell)
            cells.put(cell, one.name if one.name.casefold() not in taken else f"{one.name} (Scanproof)")

    def _origin(self, run: dict[str, Any], row: int) -> None:
        """Say above the added columns where they come from."""
        cell = cells.at(self.sheet, row, self.first)
        if cell.value is None:
            cell.font = Font(italic=True)
            said = ("Scanproof", (run.get("site") or {}).get("ticket"), text.moment(run.get("started")))
            cells.put(cell, " · ".join(str(part) for part in said if part))


def _beside(like: Cell, word: str) -> Callable[[Cell], None]:
    """Return the style of an added cell: the row's own font and lines, and the verdict's colours."""
    ink = cells.INK.get(word)

    def make(cell: Cell) -> None:
        line = like.border
        cell.font = Font(name=like.font.name, size=like.font.sz, color=ink[0] if ink else None)
        cell.border = Border(left=line.left, right=line.right, top=line.top, bottom=line.bottom)
        cell.alignment = Alignment(vertical=like.alignment.vertical, wrap_text=True)
        if ink:
            cell.fill = PatternFill("solid", start_color=ink[1])

    return make


def _about(book: cells.Book, run: dict[str, Any], table: Table, why: str, left_out: Sequence[str]) -> None:
    """Add what this file is, what of the customer's is not in it, and what the words mean."""
    site, ready = run.get("site") or {}, (run.get("signoff") or {}).get("ready")
    place = f"{table.file}, sheet {table.sheet}" if table.sheet else table.file
    given = f"given back as read, without formats: {why}" if why else "given back with its formats"
    said = [
        ("Site", " · ".join(str(site.get(name)) for name in ("customer", "ticket", "engineer") if site.get(name))),
        ("Run", f"{text.moment(run.get('started'))}; {'READY' if ready else 'NOT READY'} for sign-off"),
        ("Evidence", f"{REPORT}, run.json and evidence.jsonl in the same folder; run.json is what counts"),
        ("The list", redact.scrub(f"{place}: {given}. The columns from Judged on are the run's.")),
        ("Its SHA-256", table.sha256),
    ]
    if site.get("lab"):
        said.insert(0, ("Simulated", "A simulated site: nothing here is about a real copier or tenant."))
    said += [("Not given back", redact.scrub(one)) for one in left_out]
    said.append(("Never given back", _NEVER))
    said.append(("Passwords", "Delete them from the list itself: one that no heading or word gives away is not known."))
    rows = [[cells.Said(name), cells.Said(shown)] for name, shown in said]
    rows += [[cells.Said("Waiver", "waived"), cells.Said(redact.scrub(one))] for one in _waivers(run)]
    rows += [[cells.Said(it.word, it.word), cells.Said(it.meaning)] for it in VERDICTS.values()]
    cells.listing(book, "About this file", [], [("About", 18), ("", 120)], rows)


def _waivers(run: dict[str, Any]) -> Iterator[str]:
    """Yield each waiver that the site states, in words."""
    for it in excepted.of(run):
        of = "all" if it.subject == "*" else it.subject
        yield (
            f"{it.requirement}: {it.sentence}\nOf: {of}\nReason: {it.reason}\nApproved by: {it.approved_by}\n"
            f"Until: {it.until}\nState: {it.state}"
        )
