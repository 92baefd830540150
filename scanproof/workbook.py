"""A customer's fleet list: rows, with the cell named in every error.

``sheets`` opens the file, ``headings`` finds the columns, ``rowcheck`` reads the rows. What a run
keeps of the list is a :class:`Table`, which holds recognised columns only: a column of passwords
never gets into it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from scanproof import headings, sheets
from scanproof.rowcheck import Cell, Problem, Row, rows
from scanproof.sheets import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scanproof.headings import Header
    from scanproof.sheets import Sheet

__all__ = ["Cell", "Problem", "Row", "Table", "WorkbookError", "read"]


@dataclass(frozen=True)
class Table:
    """A fleet list as read."""

    file: str  # name without folder
    sheet: str  # empty for a text file
    rows: tuple[Row, ...]
    sha256: str  # of the file's bytes
    headings: Mapping[str, Cell] = field(hash=False)  # by field
    ignored: tuple[str, ...]  # headings that mean nothing here
    hidden: tuple[int, ...]  # numbers of the hidden rows, which count like any other
    skipped: tuple[str, ...] = ()  # lines of the sheet that are no device, and why

    def line(self, problem: Problem) -> str:
        """Say a problem in one line: ``fleet.xlsx, sheet Copiers, C14: '10.20.90.300' is not …``."""
        sheet = f", sheet {self.sheet}" if self.sheet else ""
        return f"{self.file}{sheet}, {problem.ref}: {problem.text}"

    def to_json(self) -> str:
        """Return the table as JSON text; :meth:`from_json` gives an equal table."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Table:
        """Read a table that a run has kept.

        Raises:
            WorkbookError: the text is not what :meth:`to_json` wrote.
        """
        try:
            kept: dict[str, Any] = json.loads(text)
            kept["rows"] = tuple(_row(row) for row in kept["rows"])
            kept["headings"] = {name: Cell(**cell) for name, cell in kept["headings"].items()}
            for name in ("ignored", "hidden", "skipped"):
                kept[name] = tuple(kept[name])
            return cls(**kept)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise WorkbookError(f"inputs/fleet.json: not a fleet list that a run has kept ({error})") from None


def _row(kept: dict[str, Any]) -> Row:
    cells = {name: Cell(**cell) for name, cell in kept["cells"].items()}
    return Row(**{**kept, "cells": cells, "problems": tuple(Problem(**problem) for problem in kept["problems"])})


def read(path: Path, *, sheet: str | None = None, columns: Mapping[str, str] | None = None) -> Table:
    """Read a customer's list of copiers.

    Args:
        path: an .xlsx, .xlsm, .xls or .csv file.
        sheet: the sheet's name; by default the one whose headings tell most, with an address column.
        columns: where headings aren't recognised: a heading's text or a column's letter for a field.

    Returns:
        Every row that describes a device, usable or not: wrong cells are in ``Row.problems``.

    Raises:
        WorkbookError: the list can't be used at all; one line that says why and what to do.
    """
    named = columns or {}
    headings.checked(named, path)
    data, found = sheets.load(path)
    chosen, header = _chosen(path, _asked_for(path, found, sheet), named)
    devices, skipped = rows(chosen, header)
    if not devices:
        raise WorkbookError(
            f"{_place(path, chosen)}: no device under the headings of row {header.row}; add the copiers"
        )
    return Table(
        file=sheets.clean(path.name),
        sheet=chosen.name,
        rows=devices,
        sha256=hashlib.sha256(data).hexdigest(),
        headings={name: Cell(cell.ref, cell.value) for name, cell in header.cells.items()},
        ignored=header.ignored,
        hidden=tuple(row.number for row in devices if row.hidden),
        skipped=skipped,
    )


def _place(path: Path, sheet: Sheet) -> str:
    return f"{path}, sheet {sheet.name}" if sheet.name else str(path)


def _asked_for(path: Path, found: list[Sheet], name: str | None) -> list[Sheet]:
    if name is None:
        return found
    names = [sheet.name for sheet in found if sheet.name]
    if not names:
        raise WorkbookError(f"{path}: a text file has no sheets; take 'sheet' out of [fleet]")
    wanted = [sheet for sheet in found if sheet.name.casefold() == sheets.clean(name).casefold()]
    if not wanted:
        listed = ", ".join(repr(known) for known in names[:20])
        raise WorkbookError(f"{path}: has no sheet {name!r}; its sheets: {listed}; correct [fleet] sheet")
    return wanted


def _chosen(path: Path, found: list[Sheet], named: Mapping[str, str]) -> tuple[Sheet, Header]:
    """Take the sheet that tells most; a hidden one only if no visible one has addresses."""
    filled = [sheet for sheet in found if sheet.rows]
    if not filled:
        raise WorkbookError(f"{path}: {'the sheet is' if len(found) == 1 else 'all sheets are'} empty")
    headed = [(sheet, header) for sheet in filled if (header := headings.find(sheet, named))]
    usable = [(sheet, header) for sheet, header in headed if "address" in header.columns]
    if not usable:
        widest = max(filled, key=lambda sheet: max(len(row) for row in sheet.rows.values()))
        seen = ", ".join(repr(text) for text in _headings_seen(widest, headed))
        raise WorkbookError(
            f"{_place(path, widest)}: no address column in the first {headings.HEADING_ROWS} rows; seen: {seen}; "
            'name it in site.toml under [fleet]: columns = { address = "heading, or column letter" }'
        )
    best = max(usable, key=lambda pair: (pair[0].visible, *pair[1].score))
    if best[1].unmatched:
        name = best[1].unmatched[0]
        seen = ", ".join(repr(text) for text in _headings_seen(*best[:1], [best]))
        raise WorkbookError(
            f"{_place(path, best[0])}: [fleet] columns: {name} = {named[name]!r} is no heading and no column letter; "
            f"headings seen: {seen}"
        )
    return best


def _headings_seen(sheet: Sheet, headed: list[tuple[Sheet, Header]]) -> list[str]:
    """Return the texts of a sheet's row of headings, or of the first row that looks like one."""
    for known, header in headed:
        if known is sheet and header.row:
            return [cell.value[:40] for cell in [*header.cells.values()] if cell.value] + [*header.ignored][:20]
    first = list(sheet.rows.values())[: headings.HEADING_ROWS]
    widest = max(first, key=len)
    return [cell.value[:40] for cell in widest.values() if cell.value][:20]
