"""Where things stand in customers' lists: headings, sheets, merges, hidden rows, lines that are no device."""

from __future__ import annotations

import re
import zipfile
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import headings, sheets, workbook
from scanproof.workbook import WorkbookError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

from selftests.fleet_lists import HEADINGS, device, problems, xlsx


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        *(
            (text, "address")
            for text in (
                "IP",
                "ip address",
                "IP-Adresse",
                "IP_ADDRESS",
                "IPv4 Address",
                "Device Address",
                "Device IP",
                "Adresse IP",
                "Dirección IP",
                "Copier IP Address",
                "TCP/IP Address",
                "IP Address (static)",
                "IPAddress",
                "IP Addr.",
                "IP-Nr.",
            )
        ),
        *(
            (text, "serial")
            for text in (
                "S/N",
                "Serial No.",
                "Serial Number",
                "SERIAL#",
                "Seriennummer",
                "Serien-Nr.",
                "N° de série",
                "Número de serie",
            )
        ),
        *((text, "make") for text in ("Make", "Manufacturer", "Vendor", "Brand", "Hersteller", "Marque", "Fabricante")),
        *((text, "model") for text in ("Model", "Model Name", "Modell", "Modèle", "Modelo", "Product Name")),
        *((text, "department") for text in ("Dept", "Dept.", "Department", "Abteilung", "Département")),
        *((text, "location") for text in ("Location", "Emplacement", "Ubicación")),
        *((text, "site") for text in ("Site", "Standort")),
        *((text, "building") for text in ("Building", "Gebäude", "Bâtiment", "Edificio")),
        *((text, "floor") for text in ("Floor", "Etage", "Étage", "Stockwerk", "Planta")),
        *((text, "room") for text in ("Room", "Raum", "Salle")),
        ("Route", "route"),
        ("Subnet", "prefix"),
        ("Subnet Mask", "mask"),
        ("Mask", "mask"),
        ("Prefix", "mask"),
        ("Host", "host?"),
        ("Hostname", "host?"),
        ("Host Name", "host?"),
        ("Address", "address?"),
        *(
            (text, None)
            for text in (
                "Password",
                "Old IP",
                "IP Gateway",
                "DNS IP",
                "Notes",
                "",
                "Zip",
                "Shipping date",
                "Ship-to",
                "VLAN",
                "%IP%x",
            )
        ),
    ],
)
def test_heading(heading: str, expected: str | None) -> None:
    assert headings.recognise(heading) == expected


@pytest.mark.parametrize(
    ("rows", "address", "host"),
    [
        ([("Host", "Make"), ("10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([("Hostname", "IP", "Make"), ("mfp-1", "10.20.90.12", "Ricoh")], "10.20.90.12", "mfp-1"),
        ([("Host", "Hostname", "Make"), ("10.20.90.12", "mfp-1", "Ricoh")], "10.20.90.12", "mfp-1"),
        ([("Address", "IP", "Make"), ("1 High Street", "10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([("Address", "Make"), ("10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([("IPv6", "IP", "Make"), ("", "10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([("Old IP", "New IP", "Make"), ("10.1.1.1", "10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([("IP", "Serial"), ("Address", "Number"), ("10.20.90.12", "RICOH 1")], "10.20.90.12", ""),
        ([("Network", "", "Device"), ("IP", "Mask", "Make"), ("10.20.90.12", "24", "Ricoh")], "10.20.90.12", ""),
        ([("Ricoh list",), (), (None, "IP", "Make"), (None, "10.20.90.12", "Ricoh")], "10.20.90.12", ""),
        ([*[(f"line {n}",) for n in range(25)], ("IP", "Make"), ("10.20.90.12", "Ricoh")], "10.20.90.12", ""),
    ],
)
def test_where_the_address_stands(tmp_path: Path, rows: list[Sequence[Any]], address: str, host: str) -> None:
    table = workbook.read(xlsx(tmp_path, *rows))
    assert [(row.address, row.host_name) for row in table.rows] == [(address, host)]


def test_best_sheet_and_named_sheet(tmp_path: Path) -> None:
    def add(sheet: Any) -> None:
        old = sheet.parent.create_sheet("Old list", 0)
        old.append(["IP"])
        old.append(["10.1.1.1"])
        hidden = sheet.parent.create_sheet("Hidden")
        hidden.append([*HEADINGS, "Floor"])
        hidden.append([*device("10.1.1.2"), 3])
        hidden.sheet_state = "hidden"

    path = xlsx(tmp_path, HEADINGS, device(), change=add)
    assert workbook.read(path).sheet == "Copiers"
    assert workbook.read(path, sheet="old LIST").rows[0].address == "10.1.1.1"
    assert workbook.read(path, sheet="Hidden").rows[0].address == "10.1.1.2"
    with pytest.raises(WorkbookError, match="no sheet 'New'; its sheets: 'Old list', 'Copiers', 'Hidden'"):
        workbook.read(path, sheet="New")


def test_columns_of_the_site_file_win(tmp_path: Path) -> None:
    rows = (("Gerätekennung", "IP", "Wo", "Make"), ("10.20.90.12", "10.1.1.1", "Ward 3", "Ricoh"))
    table = workbook.read(xlsx(tmp_path, *rows), columns={"address": "gerätekennung", "location": "c"})
    assert (table.rows[0].address, table.rows[0].location) == ("10.20.90.12", "Ward 3")
    assert table.headings["location"] == workbook.Cell("C1", "Wo")


def test_a_list_without_headings_is_read_by_letters(tmp_path: Path) -> None:
    path = xlsx(tmp_path, ("Ricoh", "10.20.90.12"), ("Ricoh", "10.20.90.13"))
    table = workbook.read(path, columns={"address": "B", "make": "A"})
    assert [row.address for row in table.rows] == ["10.20.90.12", "10.20.90.13"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"colour": "A"}, "'colour' is not one of address, serial"),
        (
            {"serial": "Inventory number"},
            "serial = 'Inventory number' is no heading and no column letter; headings seen: ",
        ),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    with pytest.raises(WorkbookError, match=re.escape(message)):
        workbook.read(xlsx(tmp_path, HEADINGS, device()), columns=columns)


def test_lines_that_are_no_device_are_left_out_and_named(tmp_path: Path) -> None:
    table = workbook.read(
        xlsx(
            tmp_path,
            HEADINGS,
            device("10.20.90.12"),
            (),
            (None, None, None, None, None, "Surgery"),
            HEADINGS,
            device("10.20.91.12"),
            ("Total", None, None, 2),
            (None, None, None, None, None, "Total: 2 devices"),
            (2, None, None, None, None, "Summe"),
        )
    )
    assert [row.number for row in table.rows] == [2, 6]
    assert [line.split(":")[0] for line in table.skipped] == ["row 4", "row 5", "row 7", "row 8", "row 9"]
    assert [line.split(": ")[1] for line in table.skipped] == ["names no device", "headings again", *["a total"] * 3]


def test_a_device_without_an_address_is_not_left_out(tmp_path: Path) -> None:
    table = workbook.read(xlsx(tmp_path, HEADINGS, device(""), device("10.20.90.12", location="Total care unit")))
    assert problems(table) == {"A2": "no address; write the copier's IP address here"}
    assert len(table.rows) == 2


def test_merged_location_applies_to_all_its_rows_but_not_an_address(tmp_path: Path) -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_cells("F2:F4")
        sheet.merge_cells("A3:A4")

    rows = [device("10.20.90.12", location="Surgery"), device("10.20.90.13", location=""), device("", location="")]
    table = workbook.read(xlsx(tmp_path, HEADINGS, *rows, change=merge))
    assert [row.location for row in table.rows] == ["Surgery"] * 3
    assert [row.address for row in table.rows] == ["10.20.90.12", "10.20.90.13", None]
    assert set(problems(table)) == {"A4"}


def test_hidden_rows_count_and_are_named(tmp_path: Path) -> None:
    def hide(sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True

    table = workbook.read(xlsx(tmp_path, HEADINGS, device("10.20.90.12"), device("10.20.90.13"), change=hide))
    assert (table.hidden, [row.hidden for row in table.rows]) == ((3,), [False, True])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.0, "12"),
        (3.5, "3.5"),
        (10**12, "1000000000000"),
        (True, "TRUE"),
        (date(2026, 11, 2), "2026-11-02"),
        ("  a \N{NO-BREAK SPACE} b\n\tc\N{ZERO WIDTH SPACE}", "a b c"),
        ("\x1b[31mred\x07", "[31mred"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 4000, "x" * sheets.MAX_TEXT),
        ("\ud800", ""),
        (float("inf"), "inf"),
    ],
)
def test_clean(value: object, expected: str) -> None:
    assert sheets.clean(value) == expected


def test_odd_cells(tmp_path: Path) -> None:
    def fill(sheet: Any) -> None:
        sheet["B2"].number_format = "00000000"
        sheet["B3"].value, sheet["B3"].data_type = "#N/A", "e"
        sheet["E2"].value, sheet["E2"].data_type = '=HYPERLINK("http://evil.example","x")', "s"

    path = xlsx(tmp_path, HEADINGS, device(serial=417), device("10.20.90.13"), device("=A2", "=1+1"), change=fill)
    table = workbook.read(path)
    assert table.rows[0].serial == "00000417"
    assert table.rows[0].host_name == '=HYPERLINK("http://evil.example","x")'
    found = problems(table)
    assert set(found) == {"B3", "A4", "B4"}
    assert "#N/A" in found["B3"]
    assert "formula without a stored result" in found["A4"]


def test_formula_with_a_stored_result(tmp_path: Path) -> None:
    path = xlsx(tmp_path, HEADINGS, device('="10.20.90."&12'))
    part, patched = "xl/worksheets/sheet1.xml", tmp_path / "patched.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(patched, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == part:
                formula = rb'<c r="A2"([^>]*)>(<f>.*?</f>)<v(?: ?/|></v)>'
                content = re.sub(formula, rb'<c r="A2"\1 t="str">\2<v>10.20.90.12</v>', content)
            target.writestr(name, content)
    assert workbook.read(patched).rows[0].address == "10.20.90.12"


def test_location_is_joined_from_wide_to_narrow(tmp_path: Path) -> None:
    heads = ("IP", "Make", "Room", "Floor", "Department", "Site", "Location")
    row = ("10.20.90.12", "Ricoh", "2.14", 2, "Cardiology", "North", "Cardiology")
    assert workbook.read(xlsx(tmp_path, heads, row)).rows[0].location == "North, Cardiology, Floor 2, Room 2.14"
