"""Web Image Monitor in the lab, held against what is published of the real one: by httpx, not by the suite's client."""

from __future__ import annotations

import csv
import io
import json
import re
import ssl
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lab import copierstate, tlsfiles, wimlabels
from lab.client import start
from lab.copierstate import EmailSettings
from lab.estate import build
from lab.httpserver import Request
from lab.journal import Journal
from lab.plan import plan_of
from lab.wim import WebImageMonitor
from scanproof import site as sites
from selftests.labtools import DEMO, LabFor, Wire, healthy_lab_fixture, lab_for_fixture

if TYPE_CHECKING:
    from pathlib import Path

    from lab.copierstate import CopierState
    from lab.httpserver import Response
    from scanproof.site import Copier

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

COPIERS = sites.load(DEMO).copiers
COOKIE = "cookieOnOffChecker"


def coded(text: str) -> str:
    return b64encode(text.encode()).decode()


def field(page: str, name: str) -> str:
    """Return a field's value: of an input, or of the radio button that is on."""
    found = re.search(rf'name="{name}" value="([^"]*)"(?: maxlength="\d+")?>', page)
    on = re.search(rf'name="{name}" value="([^"]*)" checked>', page)
    assert on or found, f"no field {name}"
    return (on or found)[1]  # type: ignore[index]


class Browser:
    """A client of one device's pages, over the wire."""

    def __init__(self, wire: Wire, copier: Copier, *, language: str = "en", scheme: str = "https") -> None:
        address, port = wire.at(f"{copier.address}:{443 if scheme == 'https' else 80}")
        self.language = language
        self.web = httpx.Client(base_url=f"{scheme}://{address}:{port}", verify=False, cookies={COOKIE: "on"})

    def get(self, path: str, *, area: str = "entry", **options: Any) -> httpx.Response:
        return self.web.get(f"/web/{area}/{self.language}/{path}", **options)

    def post(self, path: str, data: dict[str, str], *, area: str = "entry") -> httpx.Response:
        return self.web.post(f"/web/{area}/{self.language}/{path}", data=data)

    def log_in(self, password: str, user: str = "admin", *, token: str = "") -> httpx.Response:
        form = self.get("websys/webArch/authForm.cgi", area="guest").text
        data = {
            "wimToken": token or field(form, "wimToken"),
            "userid_work": "",
            "userid": coded(user),
            "password_work": "",
            "password": coded(password),
            "open": "",
        }
        return self.post("websys/webArch/login.cgi", data, area="guest")

    def log_out(self) -> None:
        self.get("websys/webArch/logout.cgi")


class Device:
    """A device without a wire, whose state a test can change."""

    def __init__(self, number: int = 0, **changes: Any) -> None:
        estate = build(plan_of(sites.load(DEMO)), "loopback")
        self.state: CopierState = list(estate.copiers.values())[number].state
        for name, value in changes.items():
            setattr(self.state, name, value)
        self.password = estate.secrets["SCANPROOF_COPIER_PASSWORD"]
        self.journal = Journal()
        self.monitor = WebImageMonitor(self.state, self.journal, "10.20.90.10")
        self.cookies = {COOKIE: "on"}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None, *, area: str = "entry") -> Response:
        whole = path if path.startswith("/") else f"/web/{area}/{self.state.language}/{path}"
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = str(httpx.QueryParams(form or {})).encode()
        request = Request(method, whole, {}, {"cookie": cookie}, body, "127.0.0.1")
        coroutine = self.monitor.answer(request)
        try:
            coroutine.send(None)
        except StopIteration as done:
            response: Response = done.value
        else:
            raise AssertionError("the device waits for something")
        for cookie in response.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def text(self, method: str, path: str, form: dict[str, str] | None = None, *, area: str = "entry") -> str:
        return self.ask(method, path, form, area=area).body.decode()

    def log_in(self, password: str | None = None, user: str = "admin") -> Response:
        page = self.text("GET", "websys/webArch/authForm.cgi", area="guest")
        word = self.password if password is None else password
        form = {"wimToken": field(page, "wimToken"), "userid": coded(user), "password": coded(word)}
        return self.ask("POST", "websys/webArch/login.cgi", form, area="guest")

    def mail_page(self) -> str:
        page = self.text("GET", "websys/webArch/configList.cgi")
        label = wimlabels.label(self.state.language, "email")
        found = re.search(rf'href="([^"]+)"><span>{label}</span>', page)
        assert found
        return self.text("GET", found[1])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_login_and_logout(lab_for: LabFor, scheme: str) -> None:
    wire = lab_for()
    browser = Browser(wire, COPIERS[0], scheme=scheme)
    answer = browser.log_in(wire.secrets["SCANPROOF_COPIER_PASSWORD"])
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/web/entry/en/websys/webArch/mainFrame.cgi")
    assert re.fullmatch(r"\d+", answer.cookies["wimsesid"])
    listed = browser.get("address/adrsList.cgi")
    assert listed.status_code == 200
    assert "wimToken" in listed.text
    assert "authForm.cgi" not in listed.text
    assert "login.cgi" not in listed.text
    browser.log_out()
    assert "authForm.cgi" in browser.get("address/adrsList.cgi").text


def test_the_root_names_language_and_base(lab_for: LabFor) -> None:
    wire = lab_for()
    languages = []
    for copier in COPIERS:
        address, port = wire.at(f"{copier.address}:80")
        answer = httpx.get(f"http://{address}:{port}/")
        found = re.search(r'location\.href="/web/guest/(\w+)/websys/webArch/mainFrame\.cgi"', answer.text)
        assert found
        assert copier.model in re.findall(r"<title>(.*)</title>", answer.text)[0]
        assert answer.headers["Server"] == "Web-Server/3.0"
        languages.append(found[1])
    assert {name: languages.count(name) for name in ("de", "fr", "es", "ja")} == {"de": 1, "fr": 1, "es": 1, "ja": 1}
    assert languages.count("en") == len(COPIERS) - 4


def test_what_a_guest_may_see(lab_for: LabFor) -> None:
    wire = lab_for()
    for number, language, label in ((0, "en", "Machine ID"), (16, "es", "ID máquina")):
        browser = Browser(wire, COPIERS[number], language=language)
        page = browser.get("websys/status/configuration.cgi", area="guest").text
        assert f'<td nowrap align="">{label}</td><td nowrap>:</td><td nowrap>{COPIERS[number].serial}</td>' in page
        assert field(page, "methodName") == "configuration"
        interface = browser.get("websys/netw/getInterface.cgi", area="guest").text
        assert f"<td nowrap>{COPIERS[number].address}</td>" in interface
        assert "<td nowrap>10.20.10.53</td>" in interface
        assert "authForm.cgi" in browser.get("websys/webArch/configList.cgi").text


def test_another_language_leads_nowhere(lab_for: LabFor) -> None:
    browser = Browser(lab_for(), COPIERS[4])
    assert browser.get("websys/webArch/authForm.cgi", area="guest").status_code == 404


def test_the_cookie_check(lab_for: LabFor) -> None:
    wire = lab_for()
    address, port = wire.at(f"{COPIERS[0].address}:80")
    with httpx.Client(base_url=f"http://{address}:{port}") as web:
        path = "/web/guest/en/websys/webArch/authForm.cgi"
        first = web.get(path)
        assert (first.status_code, first.headers["Location"]) == (302, path)
        assert "userid_work" in web.get(path).text  # with the cookie that it was given


def test_a_wrong_password_is_a_page_like_any_other() -> None:
    for number, words in ((0, "Authentication has failed."), (4, "Die Authentifizierung ist fehlgeschlagen.")):
        device = Device(number)
        answer = device.log_in("wrong")
        assert answer.status == 200
        assert words in answer.body.decode()
        assert device.cookies.get("wimsesid") == "--" or "wimsesid" not in device.cookies
        assert device.state.failed_logins == 1


def test_lockout() -> None:
    device = Device()
    for _ in range(copierstate.ATTEMPTS):
        device.log_in("wrong")
    assert device.log_in().status == 200  # the right password comes too late
    statuses = [record.lines[0]["Status "] for record in device.state.log.records if record.lines[0].get("User ID")]
    assert statuses[-6:] == ["Password Mismatch"] * 5 + ["User Locked Out"]


def test_a_right_password_forgives() -> None:
    device = Device()
    device.log_in("wrong")
    assert device.log_in().status == 302
    assert device.state.failed_logins == 0


def test_sessions_fill_up() -> None:
    device = Device()
    for _ in range(copierstate.SESSIONS):
        assert device.log_in().status == 302
    full = device.log_in()
    assert full.status == 200
    assert "BUSY" in full.body.decode()
    device.cookies["wimsesid"] = next(iter(device.monitor.sessions.open))
    device.ask("GET", "websys/webArch/logout.cgi")
    assert device.log_in().status == 302


def test_an_idle_session_ends() -> None:
    device = Device(9, idle=0.05)
    device.log_in()
    time.sleep(0.06)
    answer = device.ask("GET", "websys/webArch/configList.cgi")
    page = answer.body.decode()
    assert answer.status == 200
    assert field(page, "returnValue") == "TIMEOUT"
    assert "<title>Erreur</title>" in page


def test_a_stale_token() -> None:
    device = Device()
    device.log_in()
    old = field(device.text("GET", "address/adrsList.cgi"), "wimToken")
    device.text("GET", "websys/webArch/configList.cgi")
    page = device.text("POST", "address/adrsGetUser.cgi", {"wimToken": old, "entryIndexIn": "00001"})
    assert field(page, "returnValue") == "BADFLOW"
    form = {"wimToken": "1", "userid": coded("admin"), "password": coded(device.password)}
    assert "BADFLOW" in device.text("POST", "websys/webArch/login.cgi", form, area="guest")


def test_the_email_page_by_route() -> None:
    expected = {
        0: ("smtp.office365.com", "587", "true", "true", "scan@northfield.example", "scan@northfield.example"),
        15: ("northfield-example.mail.protection.outlook.com", "25", "false", "false", "", ""),
        21: ("northfield-example.mail.protection.outlook.com", "25", "false", "false", "", ""),
    }
    for number, values in expected.items():
        device = Device(number)
        device.log_in()
        page = device.mail_page()
        names = ("smtpServerName", "smtpSendPort", "smtpOverSSL", "smtpAuth", "smtpAuthMailAddress", "smtpUserName")
        assert tuple(field(page, name) for name in names) == values
        assert field(page, "adminMailAddress") == "scan@northfield.example"
        assert field(page, "methodName") == "mailConfGet"
        assert field(page, "returnValue") == "SUCCESS"
        assert device.state.email.password == "" or device.state.email.password not in page
        assert len(re.findall(r'name="wimToken" value="(\d+)"', page)) == 3
        assert len(set(re.findall(r'name="wimToken" value="(\d+)"', page))) == 1


def test_the_index_speaks_of_email_more_than_once() -> None:
    paths = set()
    for number in range(len(COPIERS)):
        device = Device(number)
        device.log_in()
        page = device.text("GET", "websys/webArch/configList.cgi")
        label = wimlabels.label(device.state.language, "email")
        found = re.findall(r'href="([^"]+)"><span>([^<]+)</span>', page)
        assert [name for _, name in found].count(label) == 1
        assert sum("mail" in path.lower() for path, _ in found) == 3
        paths |= {path for path, name in found if name == label}
    assert len({re.sub(r"/entry/\w+/", "/", path) for path in paths}) == 3  # by model


def test_privileges_decide_what_is_there() -> None:
    fields = {"network": {"smtpServerName", "smtpSendPort", "smtpOverSSL"},
              "machine": {"adminMailAddress", "smtpAuth", "smtpAuthMailAddress", "smtpUserName"}}  # fmt: skip
    for missing, names in fields.items():
        device = Device(privileges=copierstate.ALL_PRIVILEGES - {missing})
        device.log_in()
        page = device.mail_page()
        assert not [name for name in names if f'name="{name}"' in page]
        assert all(f'name="{name}"' in page for other in fields if other != missing for name in fields[other])
    log = device.text("GET", "websys/config/getLogDownload.cgi")
    assert "form1" not in log


def test_busy() -> None:
    device = Device(9, busy=True)
    assert device.log_in().status == 302
    page = device.mail_page()
    assert field(page, "returnValue") == "BUSY"
    assert "en cours d'utilisation par d'autres fonctions" in page


def test_send_settings() -> None:
    device = Device()
    device.log_in()
    page = device.text("GET", "websys/scanner/sendConfGet.cgi")
    assert [field(page, name) for name in ("maxMailSizeOn", "maxMailSize", "divideMail")] == ["true", "10240", "false"]


@pytest.mark.parametrize(("number", "shape"), [(0, 8), (5, 9), (2, 11)])
def test_the_address_list(number: int, shape: int) -> None:
    device = Device(number)
    device.log_in()
    token = field(device.text("GET", "address/adrsList.cgi"), "wimToken")
    query = {"listCountIn": "3", "getCountIn": "1"}
    text = device.text("POST", "address/adrsListLoadEntry.cgi", query)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    rows = [re.findall(r"'(?:[^'\\]|\\.)*'|\d+", row) for row in re.findall(r"\[([^\[\]]*)\]", text)]
    assert {len(row) for row in rows} == {shape}
    assert [row[2] for row in rows] == ["'00001'", "'00002'", "'00011'"]
    assert all(sum("@northfield.example" in part for part in row) == 1 for row in rows)
    form = {"wimToken": token, "mode": "MODUSER", "outputSpecifyModeIn": "PROGRAMMED", "inputSpecifyModeIn": "READ"}
    entry = device.text("POST", "address/adrsGetUser.cgi", {**form, "entryIndexIn": "00001"})
    assert field(entry, "mailAddressIn") == "scan-proof@northfield.example"
    assert field(entry, "smtpAuthAccountIn") == "AUTH_SYSTEM_O"
    assert field(entry, "mode") == "MODUSER"
    # One of a batch that this session has not loaded.
    again = {**form, "wimToken": field(entry, "wimToken"), "entryIndexIn": "00021"}
    assert field(device.text("POST", "address/adrsGetUser.cgi", again), "returnValue") != "SUCCESS"
    assert device.text("POST", "address/adrsListLoadEntry.cgi", {**query, "getCountIn": "9"}) == "[]"


def log_rows(device: Device) -> tuple[list[dict[str, str]], str]:
    page = device.text("GET", "websys/config/getLogDownload.cgi")
    found = re.search(r'<form name="form1" method="post" action="([^"]+)">', page)
    assert found
    answer = device.ask("POST", f"websys/config/{found[1]}", {"wimToken": field(page, "wimToken")})
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.body.startswith(b"\xef\xbb\xbf")
    lines = answer.body.decode("utf-8-sig").splitlines()
    return list(csv.DictReader(io.StringIO("\n".join(lines[:-1])))), lines[-1]


def test_the_log() -> None:
    device = Device()
    device.log_in()
    rows, last = log_rows(device)
    assert last == "Download completed."
    assert "Status " in rows[0]
    scan = [
        row for row in rows if row["Log ID"] == next(r["Log ID"] for r in rows if r["Log Type"] == "Scanner: Sending")
    ]
    assert len(scan) == 3
    assert [bool(row["Start Date/Time"]) for row in scan] == [True, False, False]
    assert scan[2]["Destination Address"].endswith("@northfield.example")
    login = rows[-1]
    assert (login["Log Type"], login["User ID"], login["Host IP Address"]) == ("Login", "admin", "10.20.90.10")
    assert rows == sorted(rows, key=lambda row: row["Log ID"])
    device.state.log.overwritten = True
    assert log_rows(device)[1].startswith("Download completed. A part of the logs before Log ID 0x00000000000022c5 ")
    device.state.log.cut = True
    assert not log_rows(device)[1].startswith("Download")


def test_a_log_that_is_off_has_no_rows() -> None:
    device = Device()
    device.state.log.jobs = device.state.log.events = False
    device.state.log.records.clear()
    device.log_in()
    rows, last = log_rows(device)
    assert (rows, last) == ([], "Download completed.")


def test_writes_are_noted_and_leave_a_trace() -> None:
    device = Device()
    device.log_in()
    before = device.state.email
    for path, kind in (
        ("websys/netw/mailConfSet.cgi", "Machine Configuration"),
        ("address/adrsSetUser.cgi", "Address Book Change"),
        ("websys/prefsImpExp/setPrefsImpExp.cgi", "Machine Configuration"),
        ("websys/config/deleteAllLogs.cgi", "Machine Configuration"),
    ):
        token = field(device.text("GET", "address/adrsList.cgi"), "wimToken")
        device.ask("POST", path, {"wimToken": token, "smtpServerName": "evil.example"})
        assert device.state.log.records[-1].lines[0]["Log Type"] == kind
    assert [entry.path.rpartition("/")[2] for entry in device.journal.writes] == [
        "mailConfSet.cgi",
        "adrsSetUser.cgi",
        "setPrefsImpExp.cgi",
        "deleteAllLogs.cgi",
    ]
    assert device.state.email == before


def test_a_test_of_a_stored_password_counts_as_a_write() -> None:
    device = Device()
    device.log_in()
    device.ask("GET", "websys/ldapServer/ldapServerSetConfirmTest.cgi")
    device.ask("POST", "websys/nosuch/thing.cgi")
    assert len(device.journal.writes) == 2


def test_the_journal_holds_names_and_no_values() -> None:
    device = Device()
    device.log_in()
    device.mail_page()
    device.ask("GET", "websys/webArch/logout.cgi")
    noted = [(vars(entry)["mark"], vars(entry)["form"]) for entry in device.journal.asked if vars(entry)["mark"]]
    assert noted == [("login", ("wimToken", "userid", "password")), ("logout", ())]
    assert {entry.server for entry in device.journal.asked} == {"copier"}
    assert device.journal.writes == []
    assert device.password not in repr(device.journal)
    assert coded(device.password) not in repr(device.journal)


def test_a_lab_of_its_own_process_notes_devices_in_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_JOURNAL", str(tmp_path / "journal"))
    with start(DEMO, network="loopback") as lab:
        Browser(Wire(lab), COPIERS[0]).get("websys/status/configuration.cgi", area="guest")
    entry = json.loads((tmp_path / "journal").read_text().splitlines()[-1])
    assert (entry["server"], entry["device"], entry["reads"]) == ("copier", COPIERS[0].serial, True)


def test_the_clock_is_the_devices_own() -> None:
    device = Device()
    assert device.ask("GET", "/").headers["Date"].endswith("GMT")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Shake hands in memory; return the cipher, or nothing where that fails."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="device.example"),
    )
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return ""
    cipher = ends[1].cipher()
    return cipher[0] if cipher else ""


def test_generations_of_tls() -> None:
    made = tlsfiles.make(("smtp.example",), ("web.example",))
    modern, rsa, old = (tlsfiles.device_client(name) for name in ("modern", "tls1.2-rsa", "tls1.0"))
    assert handshake(made.mail, modern).startswith("TLS_")
    assert handshake(made.mail, rsa) == ""
    assert handshake(made.mail, old)  # as far as the reply that it is too old
    assert handshake(made.copier_rsa(), rsa).startswith("AES")
    assert handshake(made.copier_old, old)
    assert handshake(made.copier, old) == ""


def test_settings_of_another_kind_show() -> None:
    state_of = EmailSettings("a@b.example", "mail.northfield.example", 465, ssl=True, auth=False, pop_before_smtp=True)
    device = Device(email=state_of)
    device.log_in()
    page = device.mail_page()
    assert (field(page, "smtpServerName"), field(page, "smtpSendPort")) == ("mail.northfield.example", "465")
    assert field(page, "popBeforeSmtp") == "true"
