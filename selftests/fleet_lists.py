"""Lists as customers send them, made for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openpyxl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scanproof.workbook import Table

HEADINGS = ("IP Address", "Serial No.", "Make", "Model", "Hostname", "Location")


def xlsx(
    folder: Path, *rows: Sequence[Any], change: Callable[[Any], None] | None = None, name: str = "list.xlsx"
) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Copiers"
    for row in rows:
        sheet.append(list(row))
    if change:
        change(sheet)
    path = folder / name
    book.save(path)
    return path


def text_file(folder: Path, text: str, encoding: str = "utf-8", name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def device(address: object = "10.20.90.12", serial: object = "", **fields: object) -> list[object]:
    values = {"make": "Ricoh", "model": "IM C3000", "host": "", "location": "Ward 3"} | fields
    return [address, serial, *values.values()]


def problems(table: Table) -> dict[str, str]:
    return {problem.ref: problem.text for row in table.rows for problem in row.problems}
