"""Files of customers' lists: formats, what ends a run in one line, what a run keeps, the demo's list."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import xlrd
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile

from lab import make_fleet
from scanproof import cellvalues, headings, sheets, site, workbook
from scanproof.workbook import Table, WorkbookError

if TYPE_CHECKING:
    from collections.abc import Callable

from selftests.fleet_lists import HEADINGS, device, problems, text_file, xlsx

DEMO = Path(__file__).parent.parent / "inventory" / "demo"


CSV = "Übersicht\n\nIP-Adresse,Seriennummer,Hersteller,Standort\n10.20.90.12,S1,Ricoh,Küche\n10.20.90.300,S2,Ricoh,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, encoding: str, delimiter: str) -> None:
    table = workbook.read(text_file(tmp_path, CSV.replace(",", delimiter), encoding))
    assert [(row.number, row.address, row.location) for row in table.rows] == [
        (4, "10.20.90.12", "Küche"),
        (5, None, ""),
    ]
    assert table.line(table.rows[1].problems[0]) == "list.csv, A5: '10.20.90.300' is not an IPv4 or IPv6 address"
    with pytest.raises(WorkbookError, match="no sheets"):
        workbook.read(tmp_path / "list.csv", sheet="Copiers")


def test_csv_with_excels_hint_and_quoted_lines(tmp_path: Path) -> None:
    path = text_file(
        tmp_path, 'sep=|\r\nIP|Make|Location\r\n10.20.90.12|Ricoh|"Ward\r\n3"\r\n\x1b10.20.90.13|Ricoh|\r\n'
    )
    table = workbook.read(path)
    assert [(row.number, row.location) for row in table.rows] == [(2, "Ward 3"), (3, "")]


def test_xls(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Copiers")
    sheet.write(0, 0, "Northfield")
    for column, heading in enumerate(("IP", "S/N", "Make", "Location")):
        sheet.write(2, column, heading)
    sheet.write_merge(3, 4, 3, 3, "Surgery")
    for row, values in enumerate((("10.20.90.12", 417.0, "RICOH"), ("10.20.90.300", "S2", "RICOH")), 3):
        for column, value in enumerate(values):
            sheet.write(row, column, value)
    sheet.row(4).hidden = True
    book.save(str(tmp_path / "list.xls"))
    table = workbook.read(tmp_path / "list.xls")
    assert [(row.number, row.address, row.serial, row.make, row.location, row.hidden) for row in table.rows] == [
        (4, "10.20.90.12", "417", "Ricoh", "Surgery", False),
        (5, None, "S2", "Ricoh", "Surgery", True),
    ]
    assert set(problems(table)) == {"A5"}


def encrypted(folder: Path) -> Path:
    path, locked = xlsx(folder, HEADINGS, device()), folder / "locked.xlsx"
    with path.open("rb") as source, locked.open("wb") as target:
        OOXMLFile(source).encrypt("a password", target)
    return locked


def zipped(folder: Path, parts: dict[str, bytes]) -> Path:
    path = folder / "made.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def changed(folder: Path, old: bytes, new: bytes) -> Path:
    with zipfile.ZipFile(xlsx(folder, HEADINGS, device())) as source:
        return zipped(folder, {name: source.read(name).replace(old, new) for name in source.namelist()})


def merged(ref: bytes) -> bytes:
    return b'</sheetData><mergeCells><mergeCell ref="' + ref + b'"/></mergeCells>'


def written(folder: Path, content: bytes, name: str = "list.xlsx") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda f: f / "none.xlsx", "no such file", id="missing"),
        pytest.param(lambda f: f, "a folder, not a workbook", id="folder"),
        pytest.param(lambda f: f / "~$list.xlsx", "lock file", id="lock-file"),
        pytest.param(encrypted, "encrypted with a password", id="encrypted"),
        pytest.param(lambda f: written(f, b""), "empty", id="empty"),
        pytest.param(lambda f: written(f, b"PK\x03\x04 broken"), "not a workbook that can be read", id="broken-zip"),
        pytest.param(lambda f: written(f, b"%PDF-1.7\n"), "not a workbook", id="pdf"),
        pytest.param(lambda f: written(f, bytes(range(256)) * 20), "not a workbook", id="binary"),
        pytest.param(
            lambda f: written(f, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "list.xls"),
            "not a workbook that can be",
            id="ole",
        ),
        pytest.param(
            lambda f: written(f, b"<html><table><tr><td>IP</td></tr></table></html>", "list.xls"),
            "a web page",
            id="html",
        ),
        pytest.param(
            lambda f: written(f, b'IP,Make\n"' + b"x" * 200_000, "list.csv"), "not readable as CSV", id="open-quote"
        ),
        pytest.param(lambda f: zipped(f, {"hello.txt": b"hello"}), "not a workbook that can be read", id="zip"),
        pytest.param(lambda f: zipped(f, {"xl/workbook.bin": b""}), "a binary workbook (.xlsb)", id="xlsb"),
        pytest.param(lambda f: zipped(f, {"content.xml": b"<a/>"}), "an OpenDocument sheet (.ods)", id="ods"),
        pytest.param(
            lambda f: zipped(f, {"xl/a.xml": bytes(sheets.MAX_UNPACKED + 1)}), "unpacks to more than", id="bomb"
        ),
        pytest.param(
            lambda f: changed(f, b"<worksheet", b'<!DOCTYPE a [<!ENTITY b "b">]><worksheet'),
            "is not what Excel writes",
            id="entity",
        ),
        pytest.param(lambda f: changed(f, b"</sheetData>", merged(b"A1:XFD1048576")), "more than", id="huge-merge"),
        pytest.param(lambda f: changed(f, b"</sheetData>", merged(b"A:C")), "more than", id="column-merge"),
        pytest.param(
            lambda f: changed(f, b"<sheetData>", b"<sheetData><row>"), "not a workbook that can be read", id="bad-xml"
        ),
        pytest.param(xlsx, "the sheet is empty", id="empty-sheet"),
        pytest.param(lambda f: xlsx(f, HEADINGS), "no device under the headings of row 1", id="no-device"),
        pytest.param(
            lambda f: xlsx(f, ("Name", "Serial"), ("Copier", "S1")),
            "first 30 rows; seen: 'Serial', 'Name'",
            id="no-address",
        ),
        pytest.param(lambda f: xlsx(f, ("Host", "Serial"), ("mfp-1", "S1")), "no address column", id="host-names"),
        pytest.param(lambda f: xlsx(f, ("a", "b"), ("10.20.90.12", "S1")), "columns = { address =", id="no-headings"),
        pytest.param(lambda f: text_file(f, "hello\nworld\n"), "no address column", id="prose"),
    ],
)
def test_unusable_list_is_one_line(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(WorkbookError) as caught:
        workbook.read(make(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_encrypted_xls_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise xlrd.XLRDError("Workbook is encrypted")

    monkeypatch.setattr(xlrd, "open_workbook", refuse)
    with pytest.raises(WorkbookError, match="encrypted with a password"):
        workbook.read(written(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "list.xls"))


def test_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = xlsx(tmp_path, HEADINGS, device())
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WorkbookError, match="open in Excel, close it there"):
        workbook.read(path)


def test_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_BYTES", 1000)
    with pytest.raises(WorkbookError, match="larger than"):
        workbook.read(xlsx(tmp_path, HEADINGS, device()))


def test_row_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 3)
    rows = [device(f"10.20.90.{n}") for n in range(10, 15)]
    with pytest.raises(WorkbookError, match="more than 3 rows"):
        workbook.read(xlsx(tmp_path, HEADINGS, *rows))
    with pytest.raises(WorkbookError, match="more than 3 rows"):
        workbook.read(text_file(tmp_path, "IP\n" + "10.20.90.12\n" * 9))


def test_a_stray_cell_far_away_costs_nothing(tmp_path: Path) -> None:
    def stray(sheet: Any) -> None:
        sheet["XFD1048576"].value = "x"

    assert len(workbook.read(xlsx(tmp_path, HEADINGS, device(), change=stray)).rows) == 1


def test_kept_table_is_equal_and_holds_no_password(tmp_path: Path) -> None:
    heads = (*HEADINGS, "Password", "Admin PIN")
    rows = [[*device("10.20.90.12", "S1"), "hunter2", "778899"], [*device("10.20.90.300", "S1"), "hunter2", "778899"]]
    table = workbook.read(xlsx(tmp_path, heads, *rows))
    kept = table.to_json()
    assert Table.from_json(kept) == table
    assert hash(Table.from_json(kept)) == hash(table)
    assert "hunter2" not in kept
    assert "778899" not in kept
    assert table.ignored == ("Password", "Admin PIN")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"rows": 3}', '{"rows": [{}], "headings": {}}'])
def test_broken_kept_table(text: str) -> None:
    with pytest.raises(WorkbookError, match="not a fleet list that a run has kept"):
        Table.from_json(text)


def test_kept_table_with_a_foreign_key(tmp_path: Path) -> None:
    kept = json.loads(workbook.read(xlsx(tmp_path, HEADINGS, device())).to_json())
    with pytest.raises(WorkbookError, match="not a fleet list"):
        Table.from_json(json.dumps({**kept, "more": 1}))


def test_demo_list() -> None:
    loaded = site.load(DEMO)
    assert len(loaded.copiers) == 26
    assert [len([c for c in loaded.copiers if c.subnet == s.prefix]) for s in loaded.subnets] == [8, 7, 6, 5]
    assert len(loaded.table.rows) == 29
    assert not problems(loaded.table)
    assert len(loaded.table.hidden) == 1
    assert Table.from_json(loaded.table.to_json()) == loaded.table


def test_demo_list_is_what_the_lab_makes() -> None:
    def parts(data: bytes) -> dict[str, str]:
        # openpyxl writes the same by two libraries, which differ in blanks.
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: ET.canonicalize(archive.read(name)) for name in archive.namelist()}

    assert parts(make_fleet.workbook()) == parts((DEMO / "fleet.xlsx").read_bytes())


def test_every_field_has_headings() -> None:
    assert {headings.recognise(name.replace("_", " ")) for name in headings.FIELDS} >= {*headings.FIELDS} - {
        "address", "host_name", "prefix",
    }  # fmt: skip
    assert cellvalues.is_address("10.20.90.12")
