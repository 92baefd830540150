"""What is wrong with a site folder or an option: exit 4 and clear lines; what is wrong with a row: a failed case."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from msoffcrypto.format.ooxml import OOXMLFile
from openpyxl import Workbook, load_workbook

from selftests import suite
from selftests.test_run_healthy import no_traceback, site_copy

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Gr&uuml;n<9\"'%+/ü-canary"


def misuse(tmp_path: Path, *arguments: str) -> suite.Result:
    refused = suite.pytest(tmp_path / "run", "-q", *arguments)
    assert refused.status == 4, refused.output
    no_traceback(refused)
    assert not refused.folder.exists()
    assert refused.output.strip().startswith("ERROR: ")
    return refused


def test_missing_site_folder(tmp_path: Path) -> None:
    refused = misuse(tmp_path, f"--site={tmp_path / 'nosuch'}")
    refused.shows(f"{tmp_path / 'nosuch' / 'site.toml'}: no such file", "scanproof init WORKBOOK")
    assert len(refused.output.strip().splitlines()) == 1


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    def change(text: str) -> str:
        for old, new in (
            ('ticket = "REQ-104217"', 'tickett = "REQ-104217"'),
            ("cutover = 2026-11-16T06:00:00+01:00", "cutover = 2026-11-16T06:00:00"),
            ("arrival_deadline = 20", 'arrival_deadline = "soon"'),
            ('public_address = "203.0.113.93"', 'public_address = "203.0.113.930"'),
        ):
            assert old in text
            text = text.replace(old, new)
        return text

    folder = site_copy(tmp_path / "site", change=change)
    refused = misuse(tmp_path, f"--site={folder}")
    name = folder / "site.toml"
    lines = refused.output.strip().removeprefix("ERROR: ").splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{name}: ") for line in lines)
    refused.shows("site.tickett: not a key", "site.cutover: has no zone", "mail.arrival_deadline: 'soon'")
    refused.shows("egress[4].public_address: '203.0.113.930' is not an IPv4 or IPv6 address")


def test_not_toml(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site", change=lambda _: "[site\n")
    misuse(tmp_path, f"--site={folder}").shows(f"{folder / 'site.toml'}: not valid TOML", "line 1")


def test_a_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    def change(text: str) -> str:
        return text.replace('auth = "basic"', f"auth = \"basic\"\npassword = '''{SECRET}'''", 1)

    folder = site_copy(tmp_path / "site", change=change, more=f"client_secret = '''{SECRET}'''\n")
    refused = misuse(tmp_path, f"--site={folder}")
    refused.shows("sender[1].password: secrets don't belong in this file", "report.client_secret: secrets don't")
    assert "canary" not in refused.output


def test_a_copier_that_the_list_lacks(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site", more='\n[[copier]]\nserial = "X100"\nsender = "nobody@northfield.example"\n')
    refused = misuse(tmp_path, f"--site={folder}")
    refused.shows(": X100 is not in fleet.xlsx", "].sender: nobody@northfield.example is no")


def test_workbook_missing(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    (folder / "fleet.xlsx").unlink()
    misuse(tmp_path, f"--site={folder}").shows(f"{folder / 'fleet.xlsx'}: no such file", "[fleet] workbook")


def test_workbook_without_addresses(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    book = Workbook()
    assert book.active
    book.active.append(["Make", "Model", "Serial number"])
    book.active.append(["Ricoh", "IM C3000", "3089R210142"])
    book.save(folder / "fleet.xlsx")
    misuse(tmp_path, f"--site={folder}").shows(str(folder / "fleet.xlsx"), "no address column", "'Serial number'")


def test_workbook_encrypted(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    locked = io.BytesIO()
    with (folder / "fleet.xlsx").open("rb") as file:
        OOXMLFile(file).encrypt("a password", locked)
    (folder / "fleet.xlsx").write_bytes(locked.getvalue())
    misuse(tmp_path, f"--site={folder}").shows(str(folder / "fleet.xlsx"), "password")


@pytest.mark.parametrize("content", [b"PK\x03\x04 not a workbook", b"%PDF-1.7\n\x00\xff\xfe", b""])
def test_not_a_workbook(tmp_path: Path, content: bytes) -> None:
    folder = site_copy(tmp_path / "site")
    (folder / "fleet.xlsx").write_bytes(content)
    misuse(tmp_path, f"--site={folder}").shows(str(folder / "fleet.xlsx"))


def test_unknown_names_of_the_lab(tmp_path: Path) -> None:
    misuse(tmp_path, "--lab-fault=mail-lat").shows("no fault is called 'mail-lat'; did you mean mail-late?")
    misuse(tmp_path, "--lab-scenario=as-fond").shows("no such scenario; there are healthy, as-found")


def test_a_real_site_is_not_broken(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site", change=lambda text: text.replace("lab = true", "lab = false"))
    misuse(tmp_path, f"--site={folder}", "--lab-fault=mail-late").shows("--lab-fault is for a simulated site")


def test_a_wrong_row_fails_and_the_others_go_on(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    book = load_workbook(folder / "fleet.xlsx")
    book["Copiers"]["D8"].value = "10.20.90.300"
    book.save(folder / "fleet.xlsx")
    run = suite.pytest(tmp_path / "run", "-q", f"--site={folder}", "-k", "usable or administered")
    assert run.status == 1
    run.shows("INV-1 row 8", "fleet.xlsx, sheet Copiers, D8: '10.20.90.300' is not an IPv4 or IPv6 address")
    assert [pair for pair, verdict in run.verdicts.items() if verdict == "failed"] == [("INV-1", "3089R210158")]
    assert run.run["counts"]["passed"] == len(run.run["cases"]) - 1
    assert ("NET-4", "3089R210158") not in run.verdicts
    apart = {(row["requirement"], row["subject"]): row["reason"] for row in run.run["coverage"]["not_applicable"]}
    assert apart["NET-4", "3089R210158"] == "row 8 is not usable (INV-1)"
    assert run.run["coverage"]["missing"] == []
