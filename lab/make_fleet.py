"""Make ``inventory/demo/fleet.xlsx``: an invented hospital's list of copiers, as customers keep them.

Run as ``python -m lab.make_fleet``. The same bytes come out every time. The list has a title above
its headings, merged locations, an address that is only a link, a hidden row, a blank one and stray
blanks; all of its rows are usable.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

TARGET = Path(__file__).resolve().parent.parent / "inventory" / "demo" / "fleet.xlsx"
HEADINGS = ("Building", "Department", "Floor", "IP Address", "Hostname", "Make", "Model Name", "S/N", "Notes")
HEADING_ROW = 4
WIDTHS = (16, 26, 7, 26, 14, 10, 16, 14, 34)


class Device(NamedTuple):
    """A device of the list."""

    department: str
    floor: int
    host: int  # the last number of its address
    make: str
    model: str
    serial: str
    note: str = ""


RETURNED = "3108RB00417"  # site.toml takes it out of scope
SITE: dict[str, tuple[int, tuple[Device, ...]]] = {
    "Main building": (
        90,
        (
            Device("Reception", 0, 11, "Ricoh", "IM C3000", "3089R210142"),
            Device("Admissions", 0, 12, "Ricoh", "IM C4500", "3099R310277"),
            Device("Billing", 1, 13, "Ricoh", "MP C3504", "C738M540219"),
            Device("Human resources", 1, 14, "Ricoh", "IM C3000", "3089R210158", "new lease 2025"),
            Device("Directorate", 2, 15, "Ricoh", "IM C2010", "5224RC10034"),
            Device("Pharmacy", 0, 16, "Ricoh", "IM 430F", "3360P600871"),
            Device("Medical records", -1, 17, "Ricoh", "MP 5054", "G156R820633"),
            Device("Purchasing", 1, 18, "Ricoh", "IM C4500", "3099R310291"),
            Device("Post room", -1, 19, "HP", "LaserJet M528", "PHBQ7D4012", "own contract"),
        ),
    ),
    "Surgery": (
        91,
        (
            Device("Theatre office", 1, 21, "Ricoh", "IM C3000", "3089R210163"),
            Device("Anaesthetics", 1, 22, "Ricoh", "IM 430F", "3360P600884"),
            Device("Ward S1", 2, 23, "Ricoh", "MP C3504", "C738M540226"),
            Device("Ward S2", 3, 24, "Ricoh", "MP C3504", "C738M540231"),
            Device("Recovery", 1, 25, "Ricoh", "IM C2010", "5224RC10041"),
            Device("Intensive care", 2, 26, "Ricoh", "IM C4500", "3099R310305"),
            Device("Sterile supply", -1, 27, "Ricoh", "IM 430F", "3360P600902"),
        ),
    ),
    "Outpatients": (
        92,
        (
            Device("Registration", 0, 31, "Ricoh", "IM C3000", "3089R210177"),
            Device("Cardiology clinic", 1, 32, "Ricoh", "IM C2010", "5224RC10058"),
            Device("Eye clinic", 1, 33, "Ricoh", "IM 430F", "3360P600915"),
            Device("Physiotherapy", 0, 34, "Ricoh", "MP 5054", "G156R820640"),
            Device("Paediatrics", 2, 35, "Ricoh", "IM C3000", "3089R210182"),
            Device("Appointments", 0, 36, "Ricoh", "IM C4500", "3099R310318"),
            Device("Old registration", 0, 37, "Ricoh", "MP C2503", RETURNED, "goes back to the lessor"),
            Device("Social services", 2, 38, "Kyocera", "ECOSYS M3655idn", "R4P1Z08843", "own contract"),
        ),
    ),
    "Laboratory": (
        93,
        (
            Device("Sample reception", 0, 41, "Ricoh", "IM 430F", "3360P600928"),
            Device("Haematology", 1, 42, "Ricoh", "IM C2010", "5224RC10063"),
            Device("Microbiology", 1, 43, "Ricoh", "MP 5054", "G156R820657"),
            Device("Pathology", 2, 44, "Ricoh", "IM C3000", "3089R210196"),
            Device("Laboratory office", 2, 45, "Ricoh", "IM C4500", "3099R310324"),
        ),
    ),
}


def workbook() -> bytes:
    """Return the list as the bytes of an .xlsx file."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Copiers"
    sheet["A1"], sheet["A2"] = "Northfield General Hospital", "Copiers and printers, as of 2 November"
    sheet["A1"].font, sheet["A2"].font = Font(bold=True, size=14), Font(italic=True)
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(HEADINGS))
    for column, (heading, width) in enumerate(zip(HEADINGS, WIDTHS, strict=True), 1):
        cell = sheet.cell(HEADING_ROW, column, heading)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", start_color="DDE6F0")
        sheet.column_dimensions[cell.column_letter].width = width
    sheet.freeze_panes = f"A{HEADING_ROW + 1}"
    row = HEADING_ROW + 1
    for building, (subnet, devices) in SITE.items():
        _block(sheet, row, building, subnet, devices)
        row += len(devices) + (building == "Surgery")  # one blank row, as lists have them
    sheet.cell(row, 1, "Total: 29 devices")
    notes = book.create_sheet("Contacts")
    notes.append(["Building services", "extension 4410"])
    return _dated(book)


def _block(sheet: Worksheet, first: int, building: str, subnet: int, devices: tuple[Device, ...]) -> None:
    sheet.cell(first, 1, building).alignment = Alignment(vertical="top")
    sheet.merge_cells(start_row=first, end_row=first + len(devices) - 1, start_column=1, end_column=1)
    for row, device in enumerate(devices, first):
        address = f"10.20.{subnet}.{device.host}"
        name = f"mfp-{subnet}-{device.host:03d}"
        values: tuple[str | int, ...] = (
            device.department,
            device.floor,
            address,
            name,
            device.make,
            device.model,
            device.serial,
            device.note,
        )
        for column, value in enumerate(values, 2):
            if value != "":
                sheet.cell(row, column).value = value
        if device.department == "Admissions":  # a cell that shows a name and links to the address
            sheet.cell(row, 4, "Copier in Admissions").hyperlink = f"http://{address}/"
        elif device.department == "Billing":
            sheet.cell(row, 4, f"{address}\N{NO-BREAK SPACE}")
            sheet.cell(row, 8, f"{device.serial}   ")
        elif device.department == "Recovery":
            sheet.row_dimensions[row].hidden = True
        elif device.department == "Pathology":
            sheet.cell(row, 7, "RICOH IM C3000 ")


def _dated(book: Workbook) -> bytes:
    """Save with fixed times: neither the file's properties nor its parts tell when it was made."""
    saved, fixed = io.BytesIO(), io.BytesIO()
    book.properties.creator = "Northfield General Hospital"
    book.save(saved)
    stamp = b"2026-11-02T08:00:00Z"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            part = zipfile.ZipInfo(name, (2026, 11, 2, 8, 0, 0))
            part.compress_type, part.create_system = zipfile.ZIP_DEFLATED, 0
            target.writestr(part, content)
    return fixed.getvalue()


def main() -> None:
    TARGET.write_bytes(workbook())


if __name__ == "__main__":
    main()
