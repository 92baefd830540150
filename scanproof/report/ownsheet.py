"""The customer's own sheet, copied into a new workbook: what is listed here is carried over, and nothing else.

A workbook holds text in a hundred places (comments, names, other sheets, properties, lists of allowed values, print
headers, links to other files, macros), and any of it may be a password, or a formula that reaches out. So nothing is
taken out of the customer's file; a new one is made, and cells, formats, widths, heights, merges, tables, filters,
frozen panes, and page set-up are put into it. Formulas are given back as their stored results.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from copy import copy
from typing import TYPE_CHECKING, Any

import openpyxl
from openpyxl.cell.cell import MergedCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table as ExcelTable
from openpyxl.worksheet.table import TableStyleInfo

from scanproof import sheets
from scanproof.report import cells, ownvalues, withheld
from scanproof.sheets import MAX_COLUMNS, WorkbookError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openpyxl.worksheet.worksheet import Worksheet

    from scanproof.workbook import Table

MOST_BYTES = 10_000_000  # of all sheets, unpacked: some 150,000 cells, which take about five seconds
_MOST_MERGED = 20_000  # cells under one merge
_RULES = frozenset({"duplicateValues", "uniqueValues", "top10", "aboveAverage", "colorScale", "dataBar", "iconSet"})
_BUILT_IN = re.compile(r"TableStyle(?:Light|Medium|Dark)\d{1,2}")


def heading_row(table: Table) -> int:
    """Return the number of the row that holds a list's headings; 0 where it has none."""
    row = max(coordinate_from_string(cell.ref)[1] for cell in table.headings.values())
    return row if row < min(it.number for it in table.rows) else 0


def read_columns(table: Table) -> dict[str, int]:
    """Return the column of each field that the suite recognised."""
    letters = {name: coordinate_from_string(cell.ref)[0] for name, cell in table.headings.items()}
    return {name: column_index_from_string(letter) for name, letter in letters.items()}


class OwnSheet:
    """A customer's sheet, on its way into a new workbook.

    Attributes:
        last: the last column that is used.
        heading_row: the row of its headings; 0 where it has none.
        left_out: sentences about what of this file is not given back.
    """

    def __init__(self, data: bytes, table: Table, into: Worksheet, book: cells.Book) -> None:
        """Open the file.

        Raises:
            WorkbookError: it is too large to be copied cell by cell, or lacks the sheet.
            Exception: whatever the parser raises.
        """
        self._into, self._book = into, book
        self.heading_row = heading_row(table)
        self._read = read_columns(table)
        self._devices = frozenset(row.number for row in table.rows if row.address)  # others may be anything
        self._bottom = max(row.number for row in table.rows)
        given = _opened(data)
        named = [sheet for sheet in given.worksheets if sheets.clean(sheet.title) == table.sheet]
        if not named:
            raise WorkbookError(f"it has no sheet {table.sheet!r} any more")
        self._sheet: Any = named[0]
        self._cells: dict[tuple[int, int], Any] = {
            place: cell
            for place, cell in sorted(self._sheet._cells.items())  # noqa: SLF001 - as scanproof.sheets says
            if place[1] <= MAX_COLUMNS
        }
        self.last = self._last()
        others = len(given.sheetnames) - 1
        self.left_out = [f"{others} other sheet{'s' if others > 1 else ''} of the file"] if others else []
        if any(cell.column > MAX_COLUMNS and cell.value is not None for cell in self._sheet._cells.values()):  # noqa: SLF001
            self.left_out.append(f"columns to the right of {get_column_letter(MAX_COLUMNS)}")
        if given.loaded_theme:
            book.made.loaded_theme = ownvalues.theme(given.loaded_theme)

    def _last(self) -> int:
        used = max((column for (_, column), cell in self._cells.items() if cell.value is not None), default=1)
        for merge in self._sheet.merged_cells.ranges:
            top_left = self._cells.get((merge.min_row, merge.min_col))
            within = (
                merge.max_row >= self.heading_row and merge.min_row <= self._bottom
            )  # a title's may end where it will
            if within and top_left is not None and top_left.value is not None:
                used = max(used, min(merge.max_col, MAX_COLUMNS))
        return used

    def copy(self) -> None:
        """Put the cells and their formats into the new sheet."""
        self._merge()
        self._measure()
        hidden = self._withheld()
        for (row, column), cell in self._cells.items():
            if column > self.last:
                continue
            made = cells.at(self._into, row, column)
            kept_back = (row, column) in hidden
            if cell.has_style:
                name = (cells.style_key(cell), kept_back)
                self._book.style(made, name, ownvalues.style_of(cell, general=kept_back))
            if MergedCell in {type(cell), type(made)}:
                continue
            if kept_back:
                cells.put(made, withheld.IN_PLACE)
            else:
                ownvalues.give(made, cell)
        self._conditional_formats()
        self._view()

    def _merge(self) -> None:
        for merge in self._sheet.merged_cells.ranges:
            right = min(merge.max_col, self.last)
            area = (merge.max_row - merge.min_row + 1) * (right - merge.min_col + 1)
            if 1 < area <= _MOST_MERGED and right >= merge.min_col:
                self._into.merge_cells(
                    start_row=merge.min_row, end_row=merge.max_row, start_column=merge.min_col, end_column=right
                )

    def _measure(self) -> None:
        """Carry over widths, heights and what is hidden."""
        made, given = self._into.sheet_format, self._sheet.sheet_format
        made.baseColWidth, made.defaultColWidth = given.baseColWidth, given.defaultColWidth
        made.defaultRowHeight = given.defaultRowHeight or made.defaultRowHeight
        made.customHeight = given.customHeight
        self._hidden_columns = set()
        for letter, width in self._sheet.column_dimensions.items():
            first = width.min or column_index_from_string(letter)
            for column in range(first, min(width.max or first, self.last) + 1):
                copied = self._into.column_dimensions[get_column_letter(column)]
                if width.width:
                    copied.width = width.width
                copied.hidden = bool(width.hidden)
                if width.hidden:
                    self._hidden_columns.add(column)
        for number, height in self._sheet.row_dimensions.items():
            if height.height is not None or height.hidden:
                copied_row = self._into.row_dimensions[number]
                copied_row.height, copied_row.hidden = height.height, bool(height.hidden)

    def _withheld(self) -> set[tuple[int, int]]:
        """Return the cells that are not given back, and say what they are."""
        texts = {place: ownvalues.text_of(cell) for place, cell in self._cells.items() if cell.value is not None}
        grid = withheld.Grid(
            texts=texts,
            headings=self._headings(texts),
            heading_row=self.heading_row,
            read=frozenset(self._read.values()),
            devices=self._devices,
            hidden=frozenset(self._hidden_columns),
        )
        columns = withheld.columns(grid, self.last)
        found = withheld.cells(grid, columns)
        filled = {column for row, column in found if row > self.heading_row}
        for column, why in columns.items():
            if column in filled:
                self.left_out.append(f"column {get_column_letter(column)}: {why}")
        single = sum(1 for row, column in found if column not in columns or row <= self.heading_row)
        if single:
            words = "cells that speak of a secret, stand beside one that does, or look like one"
            self.left_out.append(f"{single} {words}")
        return found

    def _headings(self, texts: dict[tuple[int, int], str]) -> dict[int, str]:
        """Return each column's heading with what stands above it, also where that spans several columns."""
        row = self.heading_row
        if not row:
            return {}
        title = self._title(texts, row - 1)
        spread = {}
        for merge in self._sheet.merged_cells.ranges:
            if merge.min_row <= row and merge.max_row >= row - 1 and (merge.min_row, merge.min_col) in texts:
                for column in range(merge.min_col, min(merge.max_col, self.last) + 1):
                    for number in {row - 1, row} & set(range(merge.min_row, merge.max_row + 1)):
                        spread[number, column] = texts[merge.min_row, merge.min_col]
        found, above = {}, ""
        for column in range(1, self.last + 1):
            own, upper = texts.get((row, column), ""), "" if title else texts.get((row - 1, column), "")
            over = "" if title else spread.get((row - 1, column)) or upper
            # A text that is only centred across its columns stands in the first of them.
            above = over or (above if withheld.names_a_secret(above) else "")
            own = own or spread.get((row, column), "") or upper
            found[column] = " ".join(dict.fromkeys((above, own))).strip() if own else ""
        return found

    @staticmethod
    def _title(texts: dict[tuple[int, int], str], row: int) -> bool:
        """Tell whether what stands above the headings is the list's title and no column's: alone, and at the left."""
        columns = [column for number, column in texts if number == row]
        first = min((column for _, column in texts), default=1)
        return columns == [first] and not withheld.names_a_secret(texts[row, first])

    def _conditional_formats(self) -> None:
        """Carry over what colours by value alone: other rules hold formulas or texts."""
        for formats in self._sheet.conditional_formatting:
            if any(area.max_col > self.last for area in formats.sqref.ranges):
                continue
            for rule in formats.rules:
                marks = [part for part in (rule.colorScale, rule.dataBar, rule.iconSet) if part is not None]
                if rule.type not in _RULES or rule.formula or any(it.type == "formula" for m in marks for it in m.cfvo):
                    continue
                look = rule.dxf
                self._into.conditional_formatting.add(
                    str(formats.sqref),
                    Rule(
                        type=rule.type,
                        dxf=DifferentialStyle(font=look.font, fill=look.fill, border=look.border) if look else None,
                        stopIfTrue=rule.stopIfTrue,
                        colorScale=rule.colorScale,
                        dataBar=rule.dataBar,
                        iconSet=rule.iconSet,
                        rank=rule.rank,
                        percent=rule.percent,
                        bottom=rule.bottom,
                        aboveAverage=rule.aboveAverage,
                        equalAverage=rule.equalAverage,
                        stdDev=rule.stdDev,
                    ),
                )

    def _view(self) -> None:
        given, made = self._sheet.sheet_view, self._into.sheet_view
        made.zoomScale, made.rightToLeft, made.showGridLines = given.zoomScale, given.rightToLeft, given.showGridLines
        pane = given.pane
        if pane is not None and pane.state in {
            "frozen",
            "frozenSplit",
        }:  # its topLeftCell is only where one scrolled to
            right, below = int(pane.xSplit or 0) + 1, int(pane.ySplit or 0) + 1
            if (right, below) != (1, 1) and right <= self.last + 1:
                self._into.freeze_panes = f"{get_column_letter(right)}{below}"
        if self._sheet.sheet_properties.tabColor is not None:
            self._into.sheet_properties.tabColor = copy(self._sheet.sheet_properties.tabColor)

    def finish(self, last: int) -> None:
        """Carry over tables, filter and page set-up, which the added columns belong to.

        Args:
            last: the last column, those that were added among them.
        """
        tables = list(self._tables(last))
        for number, (area, style) in enumerate(tables, 1):
            table = ExcelTable(displayName=f"List{number}", ref=area, tableStyleInfo=style)
            table.autoFilter = AutoFilter(ref=area)
            self._into.add_table(table)
        if self._sheet.auto_filter.ref and not tables:
            left, top, right, bottom = _bounds(self._sheet.auto_filter.ref)
            if 0 < right <= self.last:
                right = last if right == self.last and top == self.heading_row else right
                self._into.auto_filter.ref = f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"
        made, given = self._into.page_setup, self._sheet.page_setup
        for name in ("paperSize", "pageOrder"):
            setattr(made, name, getattr(given, name))
        # With the added columns no scale of the customer's fits: as wide as the page, however long.
        made.orientation, made.fitToWidth, made.fitToHeight = "landscape", 1, 0
        self._into.page_margins = copy(self._sheet.page_margins)
        self._into.print_options = copy(self._sheet.print_options)
        self._into.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        if re.fullmatch(r"\$?\d+:\$?\d+", self._sheet.print_title_rows or ""):
            self._into.print_title_rows = self._sheet.print_title_rows.replace("$", "")
        elif self.heading_row:
            self._into.print_title_rows = f"{self.heading_row}:{self.heading_row}"
        printed = str(self._sheet.print_area or "").rpartition("!")[2]
        left, top, right, bottom = _bounds(printed)
        if 0 < right <= self.last and top:
            self._into.print_area = f"{get_column_letter(left)}{top}:{get_column_letter(last)}{bottom}"

    def _tables(self, last: int) -> Iterator[tuple[str, TableStyleInfo | None]]:
        """Yield the place and look of each table; one whose headings Excel would not take is left as plain cells."""
        for table in self._sheet.tables.values():
            left, top, right, bottom = _bounds(table.ref)
            bottom -= table.totalsRowCount or 0
            if table.headerRowCount == 0 or not 0 < right <= self.last or bottom <= top:
                continue
            right = last if right == self.last and top == self.heading_row else right
            names = [self._into.cell(top, column).value for column in range(left, right + 1)]
            plain = all(isinstance(name, str) and name and not re.search(r"[\n\t]", name) for name in names)
            if not plain or len({str(name).casefold() for name in names}) < len(names):
                continue
            look = table.tableStyleInfo
            known = look is not None and _BUILT_IN.fullmatch(look.name or "")
            yield (
                f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}",
                TableStyleInfo(
                    name=look.name, showRowStripes=look.showRowStripes, showColumnStripes=look.showColumnStripes
                )
                if known
                else None,
            )


def _opened(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(part.file_size for part in archive.infolist() if part.filename.startswith("xl/worksheets/"))
    if size > MOST_BYTES:
        raise WorkbookError(f"its sheets are larger than {MOST_BYTES // 1_000_000} MB unpacked")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of extensions, which are not carried over
        return openpyxl.load_workbook(io.BytesIO(data), keep_links=False, data_only=True)


def _bounds(area: str) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of an area such as ``A1:C9``; zeros where it is none."""
    try:
        left, top, right, bottom = (int(edge or 0) for edge in range_boundaries(area))
    except (ValueError, TypeError):
        return 0, 0, 0, 0
    return (left, top, right, bottom) if left and top and right and bottom else (0, 0, 0, 0)
