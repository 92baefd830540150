"""Cells of an .xlsx file that hold text of devices, mails and customers, and never a formula.

A text is written as a text whatever it begins with, and one that Excel or LibreOffice would take for a formula when
somebody edits the cell is marked as quoted too (ECMA-376 part 1, 18.8.45, ``quotePrefix``).
"""

from __future__ import annotations

import re
import textwrap
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.properties import PageSetupProperties

from scanproof.report import text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from openpyxl.worksheet.worksheet import Worksheet

LONGEST = 2_000  # characters of one cell that we write; the rest stays in run.json
_CELL = 32_767  # characters that a cell can hold
_QUOTED = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "_x")  # _x003D_ is how the format escapes a "="
_NO_XML = re.compile("[\ufffe\uffff]")  # what cleaning for a page leaves, and XML can't hold
_NO_TITLE = re.compile(r"[\\/*?:\[\]]")

INK = {  # the report's colours, for those who see them: each cell says its verdict in words
    "passed": ("0F5C2C", "DDF5E4"),
    "failed": ("98091F", "FDE5E3"),
    "blocked": ("744700", "FDEECB"),
    "unproven": ("454D57", "E8ECF0"),
    "advice": ("0B4783", "DEEEFE"),
    "waived": ("57359E", "EEE8FD"),
    "error": ("FFFFFF", "7D0A2F"),
}
INK |= {"works": INK["passed"], "broken": INK["failed"], "not proven": INK["unproven"], "at risk": INK["blocked"]}


def clean(value: object, longest: int = LONGEST) -> str:
    """Return a text that a cell can hold: without control characters, and cut where it is longer."""
    return _NO_XML.sub("", text.clean(str(value), min(longest, _CELL - 100)))


def put(cell: Cell, value: str | float | None, longest: int = LONGEST) -> None:
    """Write a number, or a text as text; the cell has its style by then, since a quoted text is marked in it."""
    if not isinstance(value, str):
        cell.value = value
        return
    shown = clean(value, longest)
    cell.value = shown or None  # an empty text would be a cell of a kind that has no content
    if shown:
        cell.data_type = "s"  # openpyxl takes what begins with "=" for a formula, and "#N/A" for an error
    if shown.startswith(_QUOTED):
        cell.quotePrefix = True


class Titles:
    """Gives each sheet a name that Excel takes: at most 31 characters, without its signs, each once."""

    def __init__(self) -> None:
        self._given: set[str] = {"history"}  # Excel's own

    def of(self, wanted: str) -> str:
        """Return a name that is nearest to the wanted one."""
        plain = " ".join(_NO_TITLE.sub("-", clean(wanted)).split()).strip("' ") or "Sheet"
        name, number = plain[:31].strip("' "), 1
        while name.casefold() in self._given:
            number += 1
            end = f" ({number})"
            name = plain[: 31 - len(end)].rstrip("' ") + end
        self._given.add(name.casefold())
        return name


class Book:
    """A workbook that is being made: sheets by names that Excel takes, and cell styles.

    Each style is made once: making one for every cell would take most of the time.
    """

    def __init__(self) -> None:
        self.made = Workbook()
        self.made.remove(self.made.worksheets[0])
        self._titles = Titles()
        self._made: dict[Hashable, Cell] = {}

    def sheet(self, wanted: str) -> Worksheet:
        """Add a sheet, under the name that is nearest to the wanted one."""
        return cast("Worksheet", self.made.create_sheet(self._titles.of(wanted)))

    def style(self, cell: Cell, name: Hashable, make: Callable[[Cell], None]) -> None:
        """Give a cell a style, which ``make`` sets on a cell where it isn't known yet."""
        if name not in self._made:
            self._made[name] = Cell(self.made.worksheets[0], 1, 1)
            make(self._made[name])
        copy_style(self._made[name], cell)


def style_key(cell: Any) -> tuple[int, ...]:
    """Return what tells a cell's style from others in its workbook; empty where it has none."""
    return tuple(cell._style) if cell.has_style else ()  # noqa: SLF001 - openpyxl has nothing public for a style as a whole


def copy_style(of: Any, to: Any) -> None:
    """Give a cell the style of another one in the same workbook."""
    to._style = copy(of._style)  # noqa: SLF001 - as above


def at(sheet: Worksheet, row: int, column: int) -> Cell:
    """Return a cell to write into."""
    return cast("Cell", sheet.cell(row, column))


_FONT, _SIZE, _LINE_HEIGHT = "Calibri", 11, 15.0  # height in points
_MOST_LINES = 27  # Excel has no row higher than 409 points
_LINE = Side("thin", color="D3D9E0")
BORDER = Border(_LINE, _LINE, _LINE, _LINE)


def heading(cell: Cell) -> None:
    """Style a heading."""
    cell.font, cell.border = Font(_FONT, _SIZE, bold=True), BORDER
    cell.fill = PatternFill("solid", start_color="DDE6F0")
    cell.alignment = Alignment(vertical="top", wrap_text=True)


def inked(word: str) -> Callable[[Cell], None]:
    """Return the style of a cell that says a verdict, or just text where the word is none."""
    ink = INK.get(word)

    def make(cell: Cell) -> None:
        cell.border, cell.alignment = BORDER, Alignment(horizontal="left", vertical="top", wrap_text=True)
        cell.font = Font(_FONT, _SIZE, color=ink[0] if ink else None)
        if ink:
            cell.fill = PatternFill("solid", start_color=ink[1])

    return make


@dataclass(frozen=True)
class Said:
    """A cell's text, and the verdict word that colours it; empty where none does."""

    text: str | int
    word: str = ""


def listing(
    book: Book,
    title: str,
    about: Sequence[str],
    columns: Sequence[tuple[str, int]],
    rows: Sequence[Sequence[Said]],
    *,
    unprinted: str = "",
) -> None:
    """Add a sheet with lines above, headings (each with its column's width in characters) and rows.

    What is printed is the whole sheet but for the last column, where that is the one of ``unprinted``: a page's width
    is shared by all columns.
    """
    sheet = book.sheet(title)
    for number, line in enumerate(about, 1):
        cell = at(sheet, number, 1)
        book.style(cell, ("about", number == 1), _about(first=number == 1))
        put(cell, line)
    top = len(about) + 2 if about else 1
    for column, (name, width) in enumerate(columns, 1):
        cell = at(sheet, top, column)
        book.style(cell, "heading", heading)
        put(cell, name)
        sheet.column_dimensions[get_column_letter(column)].width = width
    for number, row in enumerate([[Said(name) for name, _ in columns], *rows], top):
        lines = max(lines_of(str(said.text), width) for said, (_, width) in zip(row, columns, strict=True))
        sheet.row_dimensions[number].height = height(lines)
    for number, row in enumerate(rows, top + 1):
        for column, said in enumerate(row, 1):
            cell = at(sheet, number, column)
            book.style(cell, ("ink", said.word), inked(said.word))
            put(cell, said.text)
    sheet.freeze_panes = f"B{top + 1}"
    if rows and about:
        sheet.auto_filter.ref = f"A{top}:{get_column_letter(len(columns))}{top + len(rows)}"
    printed(sheet, top)
    if len(columns) > 1 and columns[-1][0] == unprinted:
        sheet.print_area = f"A1:{get_column_letter(len(columns) - 1)}{top + len(rows)}"


def height(lines: int) -> float:
    """Return the height of a row, in points."""
    return _LINE_HEIGHT * min(lines, _MOST_LINES)


def lines_of(shown: str, width: int) -> int:
    """Return how many lines a text takes in a column, whose width is in characters.

    A row that states no height is shown one line high by some programs.
    """
    if len(shown) < width and "\n" not in shown:
        return 1
    return sum(max(1, len(textwrap.wrap(line, width - 1))) for line in shown.split("\n"))


def _about(*, first: bool) -> Callable[[Cell], None]:
    def make(cell: Cell) -> None:
        cell.font = Font(_FONT, 14, bold=True) if first else Font(_FONT, _SIZE, color="56606B")

    return make


def printed(sheet: Worksheet, top: int) -> None:
    """Have a sheet printed landscape on A4, as wide as the page, with its headings on each."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.print_title_rows = f"{top}:{top}"
    margins = sheet.page_margins
    margins.left = margins.right = 0.4  # inches
    margins.top, margins.bottom, margins.footer = 0.6, 0.75, 0.3
    footer: Any = sheet.oddFooter
    footer.center.text = "Page &P of &N"
