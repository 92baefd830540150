"""Files of a customer's list (.xlsx, .xlsm, .xls, .csv) as plain grids of text.

Every file is hostile: it is judged by its content and not by its name, everything is bounded before
a parser sees it, and whatever a parser trips over becomes one line.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import openpyxl
import xlrd
from openpyxl.utils import get_column_letter, range_boundaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_BYTES = 50_000_000
MAX_UNPACKED = 100_000_000  # bytes of all parts of an .xlsx together
MAX_CELLS = 2_000_000  # cells of one sheet, and cells under all its merges and links
MAX_ROWS = 100_000
MAX_COLUMNS = 200  # what lies further right is formatting, or nothing of a fleet list
MAX_TEXT = 1000  # characters of one cell that are kept

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CREDENTIALS = re.compile(r"[^\s/:@]+:[^\s@]+@")  # http://admin:password@10.20.90.12/
_RANGES = re.compile(rb"<(?:\w+:)?(?:mergeCell|hyperlink)\b[^>]*?\bref\s*=\s*[\"']([^\"']{1,40})[\"']")
_LINK_FORMULA = re.compile(r'^=\s*HYPERLINK\(\s*"([^"]{1,500})"', re.IGNORECASE)


class WorkbookError(Exception):
    """A list that can't be used at all: one whole line for the user."""


@dataclass(frozen=True)
class RawCell:
    """A cell as the file holds it: its text, and what hangs on it."""

    ref: str
    value: str
    link: str = ""  # target of a hyperlink, or of a HYPERLINK() formula
    fault: str = ""  # why there is no value although there should be one
    inherited: bool = False  # the text stands in the first cell of the merge that covers this one


@dataclass(frozen=True)
class Sheet:
    """A sheet: cells by row and column, both counted from 1 as Excel shows them."""

    name: str  # empty for a text file
    rows: Mapping[int, Mapping[int, RawCell]] = field(hash=False)
    hidden_rows: frozenset[int] = frozenset()
    visible: bool = True


def clean(value: object) -> str:
    """Return a cell's value as one line of text.

    White space of any kind becomes single blanks; control, zero-width and bidirectional-override
    characters go, as do a login and password inside a link. 12.0 becomes ``12``.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    elif isinstance(value, datetime):
        value = value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="seconds")
    elif isinstance(value, date):
        value = value.isoformat()
    text = str(value)[: MAX_TEXT * 4]
    if not (text.isascii() and text.isprintable()):
        text = "".join(_kept(character) for character in text)
    return _CREDENTIALS.sub("", " ".join(text.split()))[:MAX_TEXT]


def _kept(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character)[0] == "C" else character


def ref(row: int, column: int) -> str:
    """Return a cell's name: row 14 and column 3 are ``C14``."""
    return f"{get_column_letter(column)}{row}"


def load(path: Path) -> tuple[bytes, list[Sheet]]:
    """Read a list.

    Returns:
        The file's bytes, and its sheets in their order. A text file gives one sheet without a name
        for each delimiter that could be meant; the caller takes the one whose headings it knows.

    Raises:
        WorkbookError: it is missing, locked, encrypted, too large, or no workbook.
    """
    data = file_bytes(path)
    if data.startswith(b"PK"):
        return data, _guarded(path, _xlsx, data)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise _encrypted(path)
        return data, _guarded(path, _xls, data)
    return data, _text(path, data)


def _encrypted(path: Path) -> WorkbookError:
    return WorkbookError(
        f"{path}: encrypted with a password; in Excel: File > Info > Protect Workbook > Encrypt with Password, "
        "clear the password, and save a copy"
    )


def file_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        WorkbookError: it is missing, locked, empty or too large.
    """
    if path.name.startswith("~$"):
        raise WorkbookError(f"{path}: Excel's own lock file, not a list; name the workbook without ~$")
    try:
        if path.is_dir():
            raise WorkbookError(f"{path}: a folder, not a workbook")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise WorkbookError(f"{path}: no such file; put the fleet list there or correct [fleet] workbook") from None
    except PermissionError:
        raise WorkbookError(f"{path}: locked or not readable for you; if it is open in Excel, close it there") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise WorkbookError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise WorkbookError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB; save the list alone in a new workbook")
    if not data.strip():
        raise WorkbookError(f"{path}: empty")
    return data


def _guarded(path: Path, parser: Any, data: bytes) -> list[Sheet]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of extensions that a list doesn't need
            sheets: list[Sheet] = parser(path, data)
    except WorkbookError:
        raise
    except Exception as error:  # noqa: BLE001 - the parsers raise anything at all on a damaged file
        if "encrypted" in str(error).lower():
            raise _encrypted(path) from None
        raise WorkbookError(
            f"{path}: not a workbook that can be read ({clean(error)[:120] or type(error).__name__}); "
            "open it in Excel and save it as .xlsx"
        ) from None
    if not sheets:
        raise WorkbookError(f"{path}: holds no sheet with cells")
    return sheets


# --- .xlsx and .xlsm -------------------------------------------------------------------------------


def _xlsx(path: Path, data: bytes) -> list[Sheet]:
    _check_parts(path, data)
    book = openpyxl.load_workbook(io.BytesIO(data), keep_links=False)
    results = None
    if any(cell.data_type == "f" for sheet in book.worksheets for cell in _cells(sheet)):
        results = openpyxl.load_workbook(io.BytesIO(data), keep_links=False, data_only=True)
    return [_worksheet(path, sheet, results[sheet.title] if results else None) for sheet in book.worksheets]


def _check_parts(path: Path, data: bytes) -> None:
    """Refuse what would exhaust memory or time before a parser expands it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        if "xl/workbook.bin" in names or "content.xml" in names:
            kind = "binary workbook (.xlsb)" if "xl/workbook.bin" in names else "OpenDocument sheet (.ods)"
            raise WorkbookError(f"{path}: an {kind}" if "Open" in kind else f"{path}: a {kind}; save it as .xlsx")
        if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED:
            raise WorkbookError(f"{path}: unpacks to more than {MAX_UNPACKED // 1_000_000} MB; save the list alone")
        for part in archive.infolist():
            if not part.filename.endswith((".xml", ".rels")):
                continue
            content = archive.read(part)
            if b"\0" in content[:200] or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
                raise WorkbookError(f"{path}: {clean(part.filename)} is not what Excel writes; save it anew as .xlsx")
            area = sum(_area(found.group(1).decode("latin-1")) for found in _RANGES.finditer(content))
            if area + content.count(b"<c ") + content.count(b":c ") > MAX_CELLS:
                raise WorkbookError(f"{path}: a sheet has more than {MAX_CELLS} cells; save the list alone as .xlsx")


def _area(text: str) -> int:
    try:
        left, top, right, bottom = (int(edge or 0) for edge in range_boundaries(text))
    except (ValueError, TypeError):
        return 0
    return max(right - left + 1, 0) * max(bottom - top + 1, 0) if right and bottom else MAX_CELLS + 1


def _cells(sheet: Any) -> Any:
    # Not iter_rows(): that makes a cell for every place up to the last one, and one stray XFD1048576 is enough.
    return sheet._cells.values()  # noqa: SLF001


def _worksheet(path: Path, sheet: Any, results: Any) -> Sheet:
    rows: dict[int, dict[int, RawCell]] = {}
    for cell in sorted(_cells(sheet), key=lambda cell: (cell.row, cell.column)):
        if cell.column > MAX_COLUMNS or (cell.value is None and getattr(cell, "hyperlink", None) is None):
            continue
        raw = _xlsx_cell(cell, results)
        if raw.value or raw.link or raw.fault:
            rows.setdefault(cell.row, {})[cell.column] = raw
    hidden = frozenset(
        number for number, row in sheet.row_dimensions.items() if number in rows and (row.hidden or row.height == 0)
    )
    _inherit(rows, ((area.min_row, area.max_row, area.min_col) for area in sheet.merged_cells.ranges))
    return Sheet(clean(sheet.title), _bounded(path, rows), hidden, sheet.sheet_state == "visible")


def _xlsx_cell(cell: Any, results: Any) -> RawCell:
    value, fault = cell.value, ""
    link = (cell.hyperlink.target or "") if cell.hyperlink else ""
    if cell.data_type == "f":
        formula = value if isinstance(value, str) else str(getattr(value, "text", "") or "=")
        if found := _LINK_FORMULA.match(formula):
            link = found.group(1)
        value = results[cell.coordinate].value
        if value is None:
            fault = "holds a formula without a stored result; open the list in Excel, let it calculate, and save it"
    elif cell.data_type == "n" and isinstance(value, int) and re.fullmatch("0+", cell.number_format or ""):
        value = str(value).zfill(len(cell.number_format))  # shown, and meant, with its leading zeros
    text = clean(value)
    if text in openpyxl.cell.cell.ERROR_CODES:
        text, fault = "", f"holds Excel's error {text}; correct the formula"
    return RawCell(cell.coordinate, text, clean(link), fault)


def _inherit(rows: dict[int, dict[int, RawCell]], merges: Iterable[tuple[int, int, int]]) -> None:
    """Give the text of a merge's first cell to the cells below it."""
    budget = MAX_CELLS
    for first, last, column in merges:
        source = rows.get(first, {}).get(column)
        if source is None or (budget := budget - max(last - first, 0)) < 0:
            continue
        for number in range(first + 1, last + 1):
            if number in rows:
                rows[number].setdefault(column, replace(source, inherited=True))


def _bounded(path: Path, rows: dict[int, dict[int, RawCell]]) -> dict[int, dict[int, RawCell]]:
    if len(rows) > MAX_ROWS:
        raise WorkbookError(f"{path}: more than {MAX_ROWS} rows; save the list of copiers alone")
    return rows


# --- .xls ------------------------------------------------------------------------------------------


def _xls(path: Path, data: bytes) -> list[Sheet]:
    book = xlrd.open_workbook(
        file_contents=data, formatting_info=True, ragged_rows=True, on_demand=False, logfile=io.StringIO()
    )
    return [_xls_sheet(path, book, sheet) for sheet in book.sheets()]


def _xls_sheet(path: Path, book: Any, sheet: Any) -> Sheet:
    rows: dict[int, dict[int, RawCell]] = {}
    for row in range(sheet.nrows):
        for column in range(min(sheet.row_len(row), MAX_COLUMNS)):
            link = sheet.hyperlink_map.get((row, column))
            target = clean(link.url_or_path) if link and isinstance(link.url_or_path, str) else ""
            kind, value, fault = sheet.cell_type(row, column), sheet.cell_value(row, column), ""
            if kind == xlrd.XL_CELL_DATE:
                value = xlrd.xldate_as_datetime(value, book.datemode)
            elif kind == xlrd.XL_CELL_BOOLEAN:
                value = bool(value)
            elif kind == xlrd.XL_CELL_ERROR:
                shown = xlrd.error_text_from_code.get(value, "an error")
                value, fault = "", f"holds Excel's error {shown}; correct the formula"
            text = clean(value)
            if text or target or fault:
                raw = RawCell(ref(row + 1, column + 1), text, target, fault)
                rows.setdefault(row + 1, {})[column + 1] = raw
    hidden = frozenset(number + 1 for number, info in sheet.rowinfo_map.items() if info.hidden and number + 1 in rows)
    _inherit(rows, ((top + 1, bottom, left + 1) for top, bottom, left, _ in sheet.merged_cells))
    return Sheet(clean(sheet.name), _bounded(path, rows), hidden, sheet.visibility == 0)


# --- .csv ------------------------------------------------------------------------------------------


def _text(path: Path, data: bytes) -> list[Sheet]:
    text = _decoded(data)
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<table", "<?xml", "<meta")):
        raise WorkbookError(
            f"{path}: a web page or XML under the name of a list; open it in Excel and save it as .xlsx"
        )
    control = sum(
        1 for character in text[:4000] if unicodedata.category(character) == "Cc" and character not in "\r\n\t"
    )
    if start.startswith(("%pdf", "{\\rtf")) or control * 50 > min(len(text), 4000):
        raise WorkbookError(f"{path}: not a workbook (.xlsx, .xlsm, .xls) and not text (.csv); save it as .xlsx")
    delimiters = ",;\t"
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own hint; it shows no row for it
        delimiters, text = first.strip()[4], rest
    return [Sheet("", _bounded(path, _csv_rows(path, text, delimiter))) for delimiter in delimiters]


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if data[1:100:2].count(0) > len(data[1:100:2]) // 2:
        return data.decode("utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what Excel writes as "CSV" on a Western Windows


def _csv_rows(path: Path, text: str, delimiter: str) -> dict[int, dict[int, RawCell]]:
    rows: dict[int, dict[int, RawCell]] = {}
    try:
        for number, record in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1):
            if len(rows) > MAX_ROWS:
                break
            cells = {column: clean(value) for column, value in enumerate(record[:MAX_COLUMNS], 1)}
            if any(cells.values()):
                rows[number] = {column: RawCell(ref(number, column), value) for column, value in cells.items() if value}
    except csv.Error as error:
        raise WorkbookError(f"{path}: not readable as CSV ({clean(error)}); save it as .xlsx") from None
    return rows
