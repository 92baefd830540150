"""Passwords that a customer's list holds are not given back: in columns, beside labels, in texts, in the lot."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from scanproof import redact, workbook
from scanproof.report import withheld
from scanproof.report.ordinary import is_ordinary
from scanproof.report.workbook import give_back
from selftests.fleet_lists import xlsx
from selftests.test_workbook_back import HEADS, parts, read_back, rows_of, run_with_chains

if TYPE_CHECKING:
    from pathlib import Path

GONE = withheld.IN_PLACE


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "Password",
            "password (web)",
            "Admin-Password",
            "PWD",
            "pw",
            "Passwort",
            "Kennwort Admin",
            "KENNWÖRTER",
            "PIN",
        ),
        *("Pass", "User code", "Benutzercode", "Usercode", "Code", "Access code", "Türcode", "Secret", "Credentials"),
        *("SNMP community", "Community", "Zugangsdaten", "Login", "Web login", "Anmeldung", "Mot de passe", "mdp"),
        *(
            "Contraseña",
            "Clave",
            "Código",
            "Schlüssel",
            "WPA key",
            "Key",
            "Token",
            "PUK",
            "Passphrase",
            "Auth",
            "Admin",
        ),
    ],
)
def test_headings_that_name_a_secret(heading: str) -> None:
    assert withheld.names_a_secret(heading)


COMPOUND = (
    *("AdminPwd", "AdminPW", "Zugangs-Daten", "Adminpass", "Kenn-wort", "Passw.", "Codewort", "WebPW", "Adminpin"),
    *("P/W", "P.W.", "Kennung?", "ClaveAdmin", "wifikey", "SNMPv3", "RO-String", "Model key", "User-Pin", "webcodes"),
)


@pytest.mark.parametrize("heading", COMPOUND)
def test_compound_and_abbreviated_headings(heading: str) -> None:
    assert withheld.names_a_secret(heading)


@pytest.mark.parametrize(
    "heading",
    [
        *("IP Address", "Old IP", "MAC-Adresse", "VLAN", "S/N", "P/N", "Asset no.", "Asset #", "Inventarnummer", "Nr."),
        *("Notes", "Remarks 2", "Bemerkung(en)", "Remarques", "Observaciones", "Contact (name / phone)", "E-Mail"),
        *("Lease end", "Vertragsende", "Contract No.", "Counter (black)", "Zählerstand 31.12.", "Kostenstelle", "PLZ"),
        *(
            "Firmware-Version",
            "Barcode",
            "Cost code",
            "Key operator",
            "Pages per month",
            "Switch port",
            "Location (old)",
        ),
    ],
)
def test_ordinary_headings(heading: str) -> None:
    assert not withheld.names_a_secret(heading)
    assert is_ordinary(heading)


@pytest.mark.parametrize(
    "heading",
    [
        *("Kürzel", "Web", "Panel", "Access", "Default", "Ricoh", "Data", "User", "User ID", "User no.", "Kennung Web"),
        *("Пароль", "密码", "4711", "?", "-", "Geräte-Zugriff", "Location (Zugriff)", "Note / Zugriff", "Notes_xyz"),
    ],
)
def test_headings_that_may_head_a_secret(heading: str) -> None:
    """Nothing says that they do; and nothing that they don't."""
    assert not is_ordinary(heading)


@pytest.mark.parametrize(
    "heading",
    [
        *("Notes", "IP Address", "Barcode", "Postal code", "ZIP Code", "Cost code", "QR-Code", "Raumcode", "Contact"),
        *("Key operator", "Key user", "Location", "Toner", "Asset", "Pincher", "Secretary", "Sekretariat", "Spinner"),
        *("Keyboard", "Passage", "Compass", "Opinion", "Lease end", "Kostenstelle", "Users", "Bemerkung"),
    ],
)
def test_headings_that_name_none(heading: str) -> None:
    assert not withheld.names_a_secret(heading)


@pytest.mark.parametrize(
    "text",
    [
        *("admin / password: Rc2024", "pw=hunter2", "Kennwort steht im Tresor", "PIN 4711", "PIN4711", "code: 12345"),
        *("Login rico / 1234", "kw: Ricoh2020", "admin/rico99", "Adminpass rico", "P/W rico", "Kenn-wort rico"),
        *("user scan / 1234", "RO-String public", "Adminkennung rico"),
        *(
            "login: admin/ricoh",
            "default Passwort",
            "mot de passe ricoh",
            "SNMP community string public",
            "Community: x",
        ),
    ],
)
def test_texts_that_speak_of_a_secret(text: str) -> None:
    assert withheld.speaks_of_a_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        *("new lease 2025", "single-pass feeder", "Community nurses", "near the login desk", "Secretary's office"),
        *(
            "keypad broken",
            "spins loudly",
            "opinion of the dealer",
            "users of wards A/B",
            "Passage to Pinewood ward, by the compass",
            "on/off by the clock, Mo-Fr",
            "Model IM C3000 / A3",
            "Schlüssel beim Hausmeister",
            "barcode on the back",
        ),
    ],
)
def test_texts_that_speak_of_none(text: str) -> None:
    assert not withheld.speaks_of_a_secret(text)


def test_a_long_text_is_looked_through_soon() -> None:
    """What a cell can hold, 32,767 signs, made to be slow: a quarter of a second for all of them, not a minute."""
    for piece in ("user/", "login ", "admin", "p.w-", "pass ", "a-", "passw"[:4], "user x/y"):
        text = piece * (32_767 // len(piece))
        began = time.process_time()
        withheld.speaks_of_a_secret(text)
        withheld.names_a_secret(text)
        assert time.process_time() - began < 5, piece


@pytest.mark.parametrize("text", ["Rc!2024x", "see Tr0ub4dor&3", "hunter2!", "P@ssw0rd1"])
def test_words_that_look_like_a_secret(text: str) -> None:
    assert withheld.looks_like_a_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "3108RB00417",
        "mfp-90-011",
        "scan2@northfield.example",
        "https://x.example/a?b=1",
        "IM C3000",
        "R&D",
        "10.20.90.12",
    ],
)
def test_words_that_do_not(text: str) -> None:
    assert not withheld.looks_like_a_secret(text)


def given(folder: Path, *heads: str, values: Any = (), title: Any = ("Northfield",), change: Any = None) -> Any:
    """Return the list's sheet as given back, with more columns of the given headings and values."""
    run = run_with_chains(4)
    rows = [[*row, *values] for row in rows_of(run)]
    path = xlsx(folder, title, (), (*HEADS, *heads), *rows, change=change)
    made = give_back(run, workbook.read(path), path)
    assert made.note == ""
    return made


def test_columns_of_secrets(tmp_path: Path) -> None:
    made = given(tmp_path, "Admin password", "PIN (4711)", "Contract", values=("canary-1", 4712, "C-17"))
    sheet = read_back(made)["Copiers"]
    assert [cell.value for cell in sheet[3]][5:9] == ["Notes", "Admin password", GONE, "Contract"]
    assert [cell.value for cell in sheet[4]][5:9] == ["as leased", GONE, GONE, "C-17"]
    text = "".join(parts(made).values())
    assert "canary" not in text
    assert "471" not in text.replace("3108RB", "")
    about = {row[1] for row in read_back(made)["About this file"].iter_rows(values_only=True)}
    assert "column G: its heading names a secret" in about
    assert "column H: its heading names a secret" in about


def test_columns_of_unknown_headings(tmp_path: Path) -> None:
    heads = (*COMPOUND, "Kürzel", "Geräte-Zugriff")
    values = tuple(f"canary-{number}" for number in range(len(heads)))
    made = given(tmp_path, *heads, "Asset no.", values=(*values, "A-17"))
    row = [cell.value for cell in read_back(made)["Copiers"][4]]
    assert row[5:-13][: len(heads) + 2] == ["as leased", *[GONE] * len(heads), "A-17"]
    assert "canary" not in "".join(parts(made).values())
    about = {row[1] for row in read_back(made)["About this file"].iter_rows(values_only=True)}
    assert f"column {get_column_letter(7 + len(COMPOUND))}: {withheld.UNKNOWN}" in about


def test_a_title_is_no_heading(tmp_path: Path) -> None:
    """It stands alone above them, at the left or over all; a group's name is its columns'."""
    run = run_with_chains(4)
    rows = [["A-17", *row, "canary"] for row in rows_of(run)]
    heads = ("Asset no.", *HEADS, "Floor plan")

    def first(folder: Path, above: Any, change: Any = None) -> list[object]:
        folder.mkdir()
        path = xlsx(folder, above, heads, *rows, change=change)
        return [read_back(give_back(run, workbook.read(path), path))["Copiers"].cell(3, at).value for at in (1, 7, 8)]

    given_back = ["A-17", "as leased", "canary"]
    assert first(tmp_path / "left", ("Kopierer 2026, Haus Nord",)) == given_back
    assert first(tmp_path / "over", ("Kopierliste",), lambda sheet: sheet.merge_cells("A1:H1")) == given_back
    assert first(tmp_path / "group", (*[None] * 7, "Zugriffe")) == ["A-17", "as leased", GONE]


def test_headings_of_two_rows(tmp_path: Path) -> None:
    """Merged or only written over the first of its columns, the upper heading is each column's."""

    def over(sheet: Any) -> None:
        sheet["G2"], sheet["J2"] = "Passwords", "Contract"
        sheet.merge_cells("G2:H2")

    made = given(
        tmp_path, "Web", "Panel", "Fax", "No.", values=("canary-1", "canary-2", "canary-3", "C-17"), change=over
    )
    sheet = read_back(made)["Copiers"]
    assert [cell.value for cell in sheet[4]][6:10] == [GONE, GONE, GONE, "C-17"]
    assert "canary" not in "".join(parts(made).values())


def test_columns_that_nothing_names(tmp_path: Path) -> None:
    def hide(sheet: Any) -> None:
        sheet.column_dimensions["H"].hidden = True
        sheet.column_dimensions["B"].hidden = True  # the serial numbers, which the suite has read

    made = given(tmp_path, "", "Remarks", "Floor plan", values=("canary-1", "canary-2", "page 3"), change=hide)
    sheet = read_back(made)["Copiers"]
    assert [cell.value for cell in sheet[4]][6:9] == [GONE, GONE, "page 3"]
    assert sheet["B4"].value == "3108RB00000"
    about = {row[1] for row in read_back(made)["About this file"].iter_rows(values_only=True)}
    assert {"column G: without a heading", "column H: hidden"} <= about


def test_labels_above_and_below_the_list(tmp_path: Path) -> None:
    def labels(sheet: Any) -> None:
        sheet["C1"], sheet["D1"] = "Admin password:", "canary-1"
        sheet["B10"], sheet["C10"] = "Default PIN", 8088
        sheet["A11"], sheet["A12"], sheet["A13"] = "Kennwörter", "canary-2", "canary-3"
        sheet["A15"] = "Total: 4 devices"

    made = given(tmp_path, change=labels)
    sheet = read_back(made)["Copiers"]
    assert [sheet[name].value for name in ("C1", "D1", "C10", "A12", "A13")] == [GONE] * 5
    assert (sheet["A1"].value, sheet["A15"].value) == ("Northfield", "Total: 4 devices")
    assert "canary" not in "".join(parts(made).values())
    assert "8088" not in "".join(parts(made).values())


def test_notes_that_tell_a_secret(tmp_path: Path) -> None:
    def notes(sheet: Any) -> None:
        sheet["F4"], sheet["G4"] = "admin password:", "canary-1"
        sheet["F5"] = "log in with canary/Can4ry!x"
        sheet["F6"] = "ask for the PIN, it is canary"

    made = given(tmp_path, "Remarks", values=("fine",), change=notes)
    sheet = read_back(made)["Copiers"]
    assert [sheet[name].value for name in ("F4", "G4", "F5", "F6")] == [GONE] * 4
    assert (sheet["G5"].value, sheet["F7"].value, sheet["G6"].value) == ("fine", "as leased", "fine")
    assert "canary" not in "".join(parts(made).values())


def test_secrets_that_the_run_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_plain", set())
    monkeypatch.setattr(redact, "_forms", set())
    monkeypatch.setattr(redact, "_index", None)
    redact.register("canary")
    redact.register("00778899")

    def known(sheet: Any) -> None:
        sheet["F4"] = "Canteen, canary, upstairs"
        sheet["F5"], sheet["F5"].number_format = 778899, "00000000"
        sheet["E6"], sheet["A1"] = "Ward canary", "canary"
        sheet["F6"].hyperlink = "http://10.20.90.12/canary"
        sheet["F7"].number_format = '"canary"0'
        sheet.title = "canary"

    made = given(tmp_path, "canary", values=("x",), change=known)
    sheet = read_back(made).worksheets[0]
    assert (sheet.title, sheet["F4"].value, sheet["F5"].value) == (
        "-secret-",
        "Canteen, [secret], upstairs",
        "[secret]",
    )
    assert (sheet["E6"].value, sheet["G3"].value) == ("Ward [secret]", "[secret]")
    text = "".join(parts(made).values())
    assert "canary" not in text
    assert "778899" not in text


def test_nothing_is_in_the_parts_that_no_reader_shows(tmp_path: Path) -> None:
    made = given(tmp_path, "Password", values=("canary",))
    names = set(parts(made))
    assert not {name for name in names if "comment" in name.lower() or "external" in name or "custom" in name}
    assert not [name for name in names if name.startswith("xl/worksheets/") and name.endswith(".bin")]
    assert openpyxl.load_workbook(io.BytesIO(made.data)).properties.creator == "Scanproof"
