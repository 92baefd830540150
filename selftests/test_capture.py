"""A copier's pages kept as a folder: read-only, in one session, and without anybody's secret or name."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from lab.client import Lab, start
from scanproof import cli
from scanproof import site as sites
from scanproof.devices import book, capture, data, pages, pins, ricoh
from scanproof.devices.cleaning import Cleaner
from scanproof.network import Network, Vantage
from scanproof.secrets import COPIER_PASSWORD, Secrets
from selftests import suite
from selftests.labtools import DEMO
from selftests.test_run_cli import scanproof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SITE = sites.load(DEMO)
PEOPLE = ("ADMISSIONS", "O'NEIL", r"O\'NEIL", "oneil", "PHARMACY", "RECORDS", "FILESERVER")


class Captures:
    """A lab, and what it was asked."""

    def __init__(self, lab: Lab, journal: Path) -> None:
        self.lab, self.journal = lab, journal
        self.password: str = lab.ready["secrets"][COPIER_PASSWORD]

    @property
    def network(self) -> Network:
        ready = self.lab.ready
        return Network(Vantage("selftest"), connect_to=ready["connect_to"], udp=ready["udp"], ca_pem=ready["ca_pem"])

    def capture(self, number: int, folder: Path, *, password: str | None = "", **options: Any) -> list[str]:
        """Capture a copier; the password is the lab's own where it is empty, and none where it is None."""
        given = {} if password is None else {COPIER_PASSWORD: password or self.password}
        return capture.capture(
            SITE.copiers[number].address,
            folder,
            network=self.network,
            secrets=Secrets(given, sealed=True),
            **{"site": SITE, **options},
        )

    def asked(self, number: int) -> list[dict[str, Any]]:
        """Return what a copier was asked so far."""
        lines = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line.get("device") == SITE.copiers[number].serial]


@pytest.fixture(name="captures", scope="module")
def captures_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Captures]:
    journal = tmp_path_factory.mktemp("journal") / "asked.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_JOURNAL", str(journal))
        lab = start(DEMO, network="loopback")
    with lab:
        yield Captures(lab, journal)


def index(folder: Path) -> Any:
    return json.loads((folder / capture.INDEX).read_text(encoding="utf-8"))


def whole(folder: Path) -> str:
    return "\n".join(f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(folder.iterdir()))


def text_of(folder: Path, program: str) -> str:
    name: str = next(page["file"] for page in index(folder)["pages"] if page["path"].endswith(program) and page["file"])
    return (folder / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [0, 4, 9, 16, 22])  # English, German, French, Spanish, Japanese
def test_pages_are_kept_and_nobody_is_in_them(captures: Captures, tmp_path: Path, number: int) -> None:
    copier = SITE.copiers[number]
    said = captures.capture(number, tmp_path / "kept")
    asked = captures.asked(number)
    marks = [line["mark"] for line in asked if line["mark"]]
    assert marks == ["login", "logout"]
    assert all(line["reads"] for line in asked)

    found, text = index(tmp_path / "kept"), whole(tmp_path / "kept")
    assert found["login"] == "signed in as admin, and out again"
    assert not found["unread"]
    assert found["device"]["model"] == copier.model
    files = {page["file"] for page in found["pages"] if page["file"]} | {capture.INDEX}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == files
    for page in found["pages"]:
        assert set(page) == {"file", "method", "path", "form", "status", "headers", "purpose"}
    coded = b64encode(captures.password.encode()).decode()
    mail = {copier.sender or "", *(it.address for it in SITE.recipients)}
    for gone in (captures.password, coded, copier.serial, copier.address, *mail - {""}, *PEOPLE):
        assert gone not in text, gone
    cookies = [value for page in found["pages"] for name, value in page["headers"] if name.lower() == "set-cookie"]
    assert cookies
    assert "sesid" in "".join(cookies)
    assert any("values were removed" in line and line[0] != "0" for line in said)
    assert "Look every file through" in said[-1]


def test_the_driver_reads_what_was_kept(captures: Captures, tmp_path: Path) -> None:
    captures.capture(1, tmp_path / "kept")
    known = data.known(SITE)
    page = pages.parse(text_of(tmp_path / "kept", "mailConfGet.cgi"), "kept")
    settings = ricoh.email_settings(page, known, "kept")
    assert (settings.host, settings.port, settings.ssl, settings.auth) == ("smtp.office365.com", "587", True, True)
    assert settings.user == settings.admin_address == settings.auth_address
    assert settings.user
    assert settings.user.endswith("@office.example")
    assert page.hidden("wimToken").isdigit()
    listed = list(book.rows(text_of(tmp_path / "kept", "adrsListLoadEntry.cgi")))
    assert [entry.number for entry in listed][-1] == "00021"
    assert all(not entry.address or entry.address.endswith("@office.example") for entry in listed)
    assert sum(bool(entry.address) for entry in listed) > 2


def test_without_a_password_what_needs_none_is_kept(captures: Captures, tmp_path: Path) -> None:
    said = captures.capture(2, tmp_path / "kept", password=None)
    assert not [line for line in captures.asked(2) if line["mark"]]
    assert f"{COPIER_PASSWORD}__" in said[1]
    kept = [page["path"].rpartition("/")[2] for page in index(tmp_path / "kept")["pages"]]
    assert kept == ["", "configuration.cgi", "getInterface.cgi", "authForm.cgi"]


def test_a_wrong_password_is_tried_once(captures: Captures, tmp_path: Path) -> None:
    said = captures.capture(3, tmp_path / "kept", password="quite-another-word")
    assert [line["mark"] for line in captures.asked(3) if line["mark"]] == ["login-refused"]
    assert "refused admin" in said[1]
    assert "quite-another-word" not in whole(tmp_path / "kept")


def test_without_a_site(captures: Captures, tmp_path: Path) -> None:
    captures.capture(5, tmp_path / "kept", site=None, admin_user="admin")
    assert [line["mark"] for line in captures.asked(5) if line["mark"]] == ["login", "logout"]
    assert SITE.copiers[5].serial not in whole(tmp_path / "kept")


def test_a_changed_certificate_is_given_no_password(captures: Captures, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    for path in DEMO.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / pins.FILE).write_text("{}", encoding="utf-8")
    site = sites.load(folder)
    pins.keep(site.copiers[6], site, "0" * 64)
    said = captures.capture(6, tmp_path / "kept", site=site)
    assert "nobody signed in: it shows another certificate" in said[1]
    assert not [line for line in captures.asked(6) if line["mark"]]


def test_a_folder_that_holds_something_is_left_alone(captures: Captures, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(capture.CaptureError, match=r"holds notes\.txt, and nothing is overwritten"):
        captures.capture(7, tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["notes.txt"]
    assert not captures.asked(7)


def test_a_device_that_is_not_there(captures: Captures, tmp_path: Path) -> None:
    with pytest.raises(capture.CaptureError, match=r"192\.0\.2\.9: nothing was kept: .*NET-4"):
        capture.capture("192.0.2.9", tmp_path / "kept", network=captures.network, secrets=Secrets({}, sealed=True))
    assert not (tmp_path / "kept").exists()


def test_command_line(
    captures: Captures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(capture, "Network", lambda _: captures.network)
    monkeypatch.setenv(COPIER_PASSWORD, captures.password)
    monkeypatch.chdir(tmp_path)
    address = SITE.copiers[8].address
    assert cli.main(["device", "capture", address]) == 0
    said = capsys.readouterr().out
    assert f"device-{address}: " in said
    assert captures.password not in said
    assert captures.password not in whole(tmp_path / f"device-{address}")
    assert cli.main(["device", "capture", address]) == 1
    assert "nothing is overwritten" in capsys.readouterr().err


def test_misuse_of_the_command_line(tmp_path: Path) -> None:
    here = {"PYTHONPATH": str(suite.ROOT)}
    unlisted = scanproof(tmp_path, "device", "capture", "192.0.2.31", "--site", str(DEMO), **here)
    assert unlisted.status == 1
    unlisted.shows("192.0.2.31 is no copier in the scope of site demo")
    named = scanproof(tmp_path, "device", "capture", "copier.office.example", **here)
    assert named.status == 1
    named.shows("'copier.office.example' is no IP address")
    assert not list(tmp_path.glob("device-*"))


# What pages may hold, and what must not be left of it. The word to look for is "hunter22" in all of them.
HOSTILE = [
    '<input type="password" name="x" value="hunter22">',
    "<INPUT TYPE=PASSWORD VALUE=hunter22>",
    "<input value='hunter22' type='password'>",
    '<input type="text" name="snmpCommunityName1" value="hunter22">',
    '<input type="hidden" name="smtpPasswd" value="hunter22"/>',
    '<input type="hidden" name="wimToken" value="hunter22">',
    '<textarea name="ldapPassword">hunter22</textarea>',
    '<select name="community"><option value="hunter22" selected>hunter22</option></select>',
    "<table><tr><td>SNMP Community</td><td>:</td><td>hunter22</td></tr></table>",
    "<table><tr><td>Kennwort<td>:<td>hunter22</table>",
    '<table><tr><td>パスワード</td><td>:</td><td><input name="p1" value="hunter22"></td></tr></table>',
    "<script>var password = 'hunter22';</script>",
    '<script>setup({"authToken": "hunter22"})</script>',
    '<a href="x.cgi?wimToken=hunter22&mode=1">next</a>',
    '<meta name="csrf-token" content="hunter22">',
    '<!-- <input name="a" value="hunter22"> -->',
    "<!-- password was hunter22 --><p>x</p>",
    '<input type="password" value="hunter22"><p>hunter22</p><i title="hunter22">x</i>',
    '<p>x</p><input type="password" value="hunter22',
    "<script>var a = 'hunter22'",
    '<input type="text" name="smtpUserName" value="hunter22">',
    "<p>hunter22@northfield.example</p>",
    "<p>mail=hunter22%40northfield.example</p>",
    "<![CDATA[hunter22]]><p>x</p>",
    "<?php hunter22 ?><p>x</p>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_secret_is_left(text: str) -> None:
    cleaner = Cleaner()
    left = cleaner.everywhere(cleaner.page(f"<html><body>{text}"))
    assert "hunter22" not in left
    assert "<html><body>" in left


@pytest.mark.parametrize(
    "text",
    [
        "[[400,'1','00001','HUNTER','7101','','hunter@northfield.example','']]",
        '[[400,"1","00001","HUNTER","7101","","hunter@northfield.example",""]]',
        '{"entries": [{"index": "00001", "name": "HUNTER", "mail": "hunter@northfield.example", "code": "7101"}]}',
        "[[1,HUNTER,00001,'7101']]",
        "[[1,'00001','HUNTER \\' hunter','7101','HUNTER",
        "<html><table><tr><td>HUNTER</td><td>7101</td></tr></table><script>a=['HUNTER','7101']</script>",
    ],
)
def test_nobody_is_left_of_an_address_list(text: str) -> None:
    cleaner = Cleaner()
    left = cleaner.everywhere(cleaner.page(text, book=True))
    assert not re.search(r"hunter|7101", left, re.IGNORECASE), left
    assert cleaner.removed


def test_what_is_no_secret_stays_byte_for_byte() -> None:
    text = (
        '<html>\r\n<TITLE>x</TITLE><form name="form1" method=post><input type="hidden" name="methodName" '
        'value="mailConfGet"><input type=radio name="smtpAuth" value="true" checked>\n<td>Firmware</td ><td>1.21</td>'
        '<input type="password" name="p" value=""><a href="mailConfGet.cgi">E-mail &amp; more</a></form></html>'
    )
    cleaner = Cleaner()
    assert cleaner.everywhere(cleaner.page(text)) == text
    assert cleaner.removed == 0


def test_a_page_of_any_length_takes_no_time() -> None:
    for text in (
        "<" * 300_000,
        "<input value='" * 30_000,
        "'" * 300_001,
        "password" * 60_000,
        "a" * 500_000,
        "[" * 200_000,
        "\\'" * 100_000,
        "<td>" * 50_000,
        "<!--" * 50_000,
    ):
        for listed in (False, True):
            cleaner = Cleaner()
            cleaner.everywhere(cleaner.page(text, book=listed))


def test_rehearsal_on_the_demo(tmp_path: Path) -> None:
    address = SITE.copiers[0].address
    done = scanproof(tmp_path, "device", "capture", address, "--site", str(DEMO), PYTHONPATH=str(suite.ROOT))
    assert done.status == 0, done.output
    done.shows("A simulated copier.", f"device-{address}: ", "signed in as admin, and out again")
    index = json.loads((tmp_path / f"device-{address}" / capture.INDEX).read_text(encoding="utf-8"))
    assert {page["purpose"] for page in index["pages"]} >= {"index of settings pages", "sign-out"}
