"""A session with a copier's pages, against servers that answer each page as a row says: one login, and out again."""

from __future__ import annotations

import base64
import dataclasses
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from scanproof import redact
from scanproof.devices import readings, ricoh
from scanproof.devices.identity import identity
from scanproof.probes.web import https_page
from scanproof.secrets import COPIER_PASSWORD
from selftests import certs
from selftests.harness import SHORT, Behaviour, Bench, Conn, bench, demo, hang, repeats, resident

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from scanproof.devices.facts import AdminLogin
    from scanproof.gather import Gatherer
    from scanproof.kinds import Evidence
    from scanproof.site import Site

pytestmark = pytest.mark.filterwarnings("error")

COPIER = demo().copiers[0]
WORD = "word+of/the copier?"
WIRE = base64.b64encode(WORD.encode()).decode()
GUEST, ENTRY = "/web/guest/en/", "/web/entry/en/"
START, FORM, LOGIN = "GET /", f"GET {GUEST}websys/webArch/authForm.cgi", f"POST {GUEST}websys/webArch/login.cgi"
INDEX, MAIL = f"GET {ENTRY}websys/webArch/configList.cgi", f"GET {ENTRY}websys/mail/mailConfGet.cgi"
SEND = f"GET {ENTRY}websys/scanner/scannerSendGet.cgi"
LOGOUT, SOAP = f"GET {ENTRY}websys/webArch/logout.cgi", "POST /DH/udirectory"
BOOK, LOAD = f"GET {ENTRY}address/adrsList.cgi", f"POST {ENTRY}address/adrsListLoadEntry.cgi"
LOG, DATA = f"GET {ENTRY}websys/config/getLogDownload.cgi", f"POST {ENTRY}websys/config/getLogDownloadData.cgi"


def reply(body: str | bytes = "", status: str = "200 OK", **headers: str) -> bytes:
    """Return an HTTP response; a header's name is written with _ for -."""
    content = body.encode() if isinstance(body, str) else body
    found = {
        "Server": "Web-Server/3.0",
        "Content-Type": "text/html",
        "Connection": "close",
        "Content-Length": str(len(content)),
    }
    found |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in found.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def page(body: str = "", *, value: str = "SUCCESS", method: str = "", token: str = "170107832") -> str:
    hidden = {"wimToken": token, "mode": "", "returnValue": value, "methodName": method}
    fields = "".join(f'<input type="hidden" name="{name}" value="{it}">' for name, it in hidden.items())
    head = "<html><head><title>RNP - Web Image Monitor</title></head>"
    return f'{head}<body>{body}<form name="basicForm">{fields}</form></body></html>'


def row(label: str, value: str) -> str:
    return f'<tr class="staticProp"><td nowrap>{label}</td><td nowrap>:</td><td nowrap>{value}</td></tr>'


def led(to: str, *cookies: str) -> bytes:
    text = reply("", "302 Found", Location=to)
    return text.replace(b"\r\n\r\n", "".join(f"\r\nSet-Cookie: {it}" for it in cookies).encode("latin-1") + b"\r\n\r\n")


SETTINGS = (
    '<form name="form1"><input name=smtpServerName value=smtp.office365.com><input name=smtpSendPort value=587>'
    "<input type=radio name=smtpOverSSL value=true checked><input type=radio name=smtpOverSSL value=false></form>"
)
ABOUT = row("Model Name", "IM C3000") + row("Machine ID", COPIER.serial) + row("System", "1.21")
MAIN = f"https://{COPIER.address}{GUEST}websys/webArch/mainFrame.cgi"
IN = led(MAIN, "wimsesid=424242; path=/")
JUMP = '<script>location.href="{}websys/webArch/mainFrame.cgi"</script>'
LINKS = '<a href="../mail/mailConfGet.cgi">E-mail</a><a href="../scanner/scannerSendGet.cgi">Send Settings</a>'

Answer = bytes | Behaviour
ANSWERS: dict[str, Answer] = {
    START: reply(JUMP.format(GUEST)),
    f"GET {GUEST}websys/status/configuration.cgi": reply(page(ABOUT)),
    f"GET {GUEST}websys/netw/getInterface.cgi": reply(page(row("DNS Server 1", "10.20.10.53"))),
    FORM: reply(page(), Set_Cookie="risessionid=7; path=/"),
    LOGIN: IN,
    INDEX: reply(page(LINKS)),
    MAIL: reply(page(SETTINGS, method="mailConfGet")),
    SEND: reply(
        page("<form><input type=checkbox name=maxMailSizeOn value=true checked><input name=maxMailSize value=20480>")
    ),
    BOOK: reply(page()),
    LOAD: reply("[[404,1,'00001','Scans','','','scan-proof@northfield.example','']]"),
}


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request, as it came over the wire."""

    what: str  # method and path
    head: str
    body: str

    @property
    def password(self) -> bool:
        return any(form in self.body for form in (WIRE, quote(WIRE, safe=""), WORD))


class Device:
    """A copier's web server."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = {**ANSWERS, **answers}
        self.asked: list[Ask] = []

    async def behave(self, conn: Conn) -> None:
        head = (await conn.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        size = next(
            (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
        )
        body = (await conn.reader.readexactly(size)).decode("latin-1")
        method, path, _ = head.split("\r\n", 1)[0].split(" ")
        self.asked.append(Ask(f"{method} {path}", head, body))
        answer = self.answers.get(f"{method} {path}", reply("gone", "404 Not Found"))
        if isinstance(answer, bytes):
            await conn.send(answer)
        else:
            await answer(conn)

    def whats(self) -> list[str]:
        return [ask.what for ask in self.asked]

    @property
    def logins(self) -> int:
        return sum(ask.password and ask.what != SOAP for ask in self.asked)

    @property
    def out(self) -> bool:
        """Whether the last that it was asked for, other than as a guest, was to sign out."""
        whats = [what for what in self.whats() if GUEST not in what or "login.cgi" in what]
        return (
            LOGOUT in whats[max((at for at, what in enumerate(whats) if what == LOGIN), default=0) :]
            and whats[-1] == LOGOUT
        )


@asynccontextmanager
async def device(
    answers: Mapping[str, Answer] | None = None, *, tls: ssl.SSLContext | None = None, site: Site | None = None
) -> AsyncIterator[tuple[Bench, Device]]:
    """Give a bench on which the first copier answers so; over HTTPS where it has a context."""
    made = Device(answers or {})
    async with bench(site, deadlines=SHORT) as wire:
        wire.given[COPIER_PASSWORD] = WORD
        secure, other = (443, 80) if tls else (80, 443)
        await wire.serve(f"{COPIER.address}:{secure}", made.behave, tls=tls)
        await wire.refuse(f"{COPIER.address}:{other}")
        yield wire, made


def said(wire: Bench) -> str:
    """Return all that a run would write of what it gathered."""
    return redact.scrub(repr(wire.kept.evidence) + repr(wire.kept.intents))


def no_password(wire: Bench) -> None:
    text = said(wire)
    for form in (WORD, WIRE, quote(WORD, safe=""), quote(WIRE, safe=""), WIRE.rstrip("=")):
        assert form not in text
        assert redact.plain(form) not in text


async def broken(conn: Conn) -> None:
    conn.drop()


async def page_of_100_mb(conn: Conn) -> None:
    await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100_000_000 // 65_536):
        await conn.send(b"x" * 65_536)
    await conn.send(b"x" * (100_000_000 % 65_536))


def slowly(first: bytes) -> Behaviour:
    return repeats(first, b"x", every=0.1, ask=False)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
ENDLESS: dict[str, Behaviour] = {
    "hang": hang,
    "reset": broken,
    "100 MB": page_of_100_mb,
    "slow and endless": slowly(OK),
    "fast and endless": repeats(OK, b"<p>" * 10_000, ask=False),
    "endless headers": repeats(b"HTTP/1.1 200 OK\r\n", b"X-Pad: y\r\n" * 400, ask=False),
    "slow headers": repeats(b"HTTP/1.1 200 OK\r\n", b"X-Pad: y\r\n", every=0.05, ask=False),
}


async def test_a_whole_session() -> None:
    async with device() as (wire, copier):
        gatherer = wire.gatherer()
        login = await gatherer.evidence(readings.admin_login, COPIER)
        settings = await gatherer.evidence(readings.email_settings, COPIER)
        sends = await gatherer.evidence(readings.send_settings, COPIER)
        book = await gatherer.evidence(readings.address_book, COPIER)
        assert copier.logins == 1
        assert copier.out
        assert LOG not in copier.whats(), "nobody asked for the log"
        no_password(wire)
    assert login.facts
    assert (login.facts.signed_in, login.facts.encrypted, login.facts.user) == (True, False, "admin")
    assert settings.facts
    assert (settings.facts.host, settings.facts.port, settings.facts.ssl) == ("smtp.office365.com", "587", True)
    assert settings.facts.auth is None
    assert sends.facts
    assert (sends.facts.limited, sends.facts.kilobytes) == (True, 20480)
    assert book.facts
    assert [entry.address for entry in book.facts.entries] == ["scan-proof@northfield.example"]


async def test_how_it_signs_in() -> None:
    async with device({FORM: reply(page(token="689773994"), Set_Cookie="risessionid=7; path=/")}) as (wire, copier):
        await wire.observe(readings.admin_login, COPIER)
        asked = {ask.what: ask for ask in copier.asked}
        assert all("cookieOnOffChecker=on" in ask.head for ask in copier.asked if "webArch" in ask.what)
        fields = dict(part.split("=", 1) for part in asked[LOGIN].body.split("&"))
        assert fields["wimToken"] == "689773994"
        assert fields["userid_work"] == fields["password_work"] == fields["open"] == ""
        assert fields["userid"] == quote(base64.b64encode(b"admin").decode(), safe="")
        assert "risessionid=7" in asked[LOGIN].head
        assert (
            f"Referer: http://{COPIER.address}{GUEST}websys/webArch/authForm.cgi".lower() in asked[LOGIN].head.lower()
        )
        assert "wimsesid=424242" in asked[INDEX].head
        assert wire.kept.intents == [("admin_login", COPIER.key, f"sign in to http://{COPIER.address} as admin")]


REFUSAL = reply(page("<div>Authentication has failed.</div>", value=""))
NO_SIGN_IN = "no sign-in was possible: "
NOT_ASKED = "its admin pages could not be asked: "
LOGINS: list[tuple[str, Answer, str]] = [
    ("refused", REFUSAL, ""),
    ("refused in Japanese", reply(page("<div>認証に失敗しました。</div>")), ""),
    ("refused with a cookie", reply(page("no"), Set_Cookie="wimsesid=7"), ""),
    ("refused by an empty page", reply(""), ""),
    ("refused in an unknown charset", reply(page("no"), Content_Type="text/html; charset=hex"), ""),
    ("refused in IDNA", reply(page("no"), Content_Type="text/html; charset=idna"), ""),
    ("refused, with the password in the page", reply(page(f"{WORD} {WIRE} is wrong")), ""),
    ("BUSY", reply(page(value="BUSY")), NO_SIGN_IN + "it takes no sign-in now"),
    ("TIMEOUT", reply(page(value="TIMEOUT")), NO_SIGN_IN + "it takes no sign-in now"),
    ("BADFLOW", reply(page(value="BADFLOW")), NO_SIGN_IN + "it takes no sign-in now"),
    ("in use", reply(page("The device is being used by other functions.")), NO_SIGN_IN + "it takes no sign-in now"),
    ("in use, in Spanish", reply(page("está siendo utilizado")), NO_SIGN_IN + "it takes no sign-in now"),
    ("full", reply(page("The maximum number of sessions is reached")), NO_SIGN_IN + "it takes no sign-in now"),
    (
        "led elsewhere",
        led(f"{GUEST}websys/webArch/getEasySecurity.cgi", "wimsesid=7"),
        NO_SIGN_IN + "its login answered 302 to ",
    ),
    ("led home without a cookie", led(MAIN), NO_SIGN_IN + "its login answered 302"),
    ("led home with no session", led(MAIN, "wimsesid=--"), NO_SIGN_IN + "its login answered 302"),
    ("led home with letters", led(MAIN, "wimsesid=abc"), NO_SIGN_IN + "its login answered 302"),
    ("led home with another cookie", led(MAIN, "risessionid=8"), NO_SIGN_IN + "its login answered 302"),
    (
        "led away",
        led("https://other.example/", "wimsesid=7"),
        NO_SIGN_IN + "its login answered 302 to https://other.example/",
    ),
    ("led nowhere", reply("", "302 Found", Set_Cookie="wimsesid=7"), NO_SIGN_IN + "its login answered 302"),
    ("303 home", IN.replace(b"302 Found", b"303 See Other"), NO_SIGN_IN + "its login answered 303"),
    ("307 home", IN.replace(b"302 Found", b"307 Again"), NO_SIGN_IN + "its login answered 307"),
    ("401", reply("", "401 No", WWW_Authenticate="Basic realm=x"), NO_SIGN_IN + "its login answered 401"),
    ("500", reply("", "500 Oops"), NO_SIGN_IN + "its login answered 500"),
    ("503", reply("", "503 Later", Retry_After="0"), NO_SIGN_IN + "its login answered 503"),
    ("compressed", reply(b"x", Content_Encoding="gzip"), NOT_ASKED),
    ("garbage", b"\x00\xff\x13\x37" * 100, NOT_ASKED),
    *((name, behaviour, NOT_ASKED) for name, behaviour in ENDLESS.items()),
]


@pytest.mark.parametrize(("answer", "why"), [it[1:] for it in LOGINS], ids=[it[0] for it in LOGINS])
async def test_login(answer: Answer, why: str) -> None:
    before = resident()
    async with device({LOGIN: answer}) as (wire, copier):
        away = await wire.serve("other.example:443", hang)
        await wire.serve("other.example:80", hang)
        gatherer = wire.gatherer()
        login = await gatherer.evidence(readings.admin_login, COPIER)
        settings = await gatherer.evidence(readings.email_settings, COPIER)
        password = await gatherer.evidence(readings.admin_password, COPIER)
        assert copier.logins == 1, "a password is sent once, whatever happens"
        assert copier.out, "whatever happened, there may be a session"
        assert INDEX not in copier.whats()
        assert SOAP not in copier.whats()
        assert away.connections == 0
        no_password(wire)
    assert login.elapsed_ms < 6000
    assert resident() - before < 80_000_000
    if why:
        assert (login.outcome, settings.outcome, password.outcome) == ("unproven",) * 3
        assert login.reason.startswith(why)
        assert login.remedy
        return
    assert login.outcome == "observed", login.reason
    assert login.facts
    assert not login.facts.signed_in
    assert login.facts.seen.startswith("refused admin over HTTP, unencrypted")
    for blocked in (settings, password):
        assert (blocked.outcome, blocked.blocked_by) == ("blocked", ("DEV-1",))


FORMS: list[tuple[str, Answer, str]] = [
    ("no token", reply("<html><title>Hello</title>"), "its login page has no wimToken (“Hello”)"),
    ("blank token", reply(page(token="")), "has no wimToken"),
    ("BUSY", reply(page(value="BUSY")), "in use by other functions"),
    ("TIMEOUT", reply(page(value="TIMEOUT")), "timed out"),
    ("404", reply("", "404 Not Found"), "authForm.cgi answered 404"),
    ("led away", led("https://other.example/"), "authForm.cgi answered 302 to https://other.example/"),
    *((name, behaviour, "") for name, behaviour in ENDLESS.items()),
]


@pytest.mark.parametrize(("answer", "why"), [it[1:] for it in FORMS], ids=[it[0] for it in FORMS])
async def test_no_login_page_no_password(answer: Answer, why: str) -> None:
    async with device({FORM: answer}) as (wire, copier):
        away = await wire.serve("other.example:443", hang)
        login = await wire.ask(readings.admin_login, COPIER, within=6.0)
        assert copier.logins == 0
        assert LOGIN not in copier.whats()
        assert away.connections == 0
        assert wire.kept.intents == [] or not why
    assert login.outcome == "unproven"
    assert why in login.reason


async def test_a_session_of_the_login_page_is_no_sign_in() -> None:
    form = reply(page(), Set_Cookie="wimsesid=777; path=/")
    async with device({FORM: form, LOGIN: led(MAIN)}) as (wire, copier):
        login = await wire.ask(readings.admin_login, COPIER)
        assert copier.logins == 1
    assert login.outcome == "unproven"


@pytest.mark.parametrize(
    "cookie",
    ['x="a\\012Evil: y"', 'x="\\351"', "x=\xe9", "x=" + "y" * 5000, "=", ";", "x", "\x01=2", 'wimsesid="42\\0734"'],
)
async def test_hostile_cookies(cookie: str) -> None:
    async with device(
        {
            FORM: led("/x", cookie).replace(b"302 Found", b"200 OK").replace(b"Content-Length: 0", b"X: y")
            + page().encode()
        }
    ) as (wire, copier):
        login = await wire.observe(readings.admin_login, COPIER)
        assert login.signed_in
        assert copier.out
        assert "evil" not in "".join(ask.head for ask in copier.asked).lower()


async def test_many_cookies_do_not_keep_the_session_out() -> None:
    form = led("/x", *(f"c{number}={number}" for number in range(40)), "wimsesid=--")
    async with device(
        {FORM: form.replace(b"302 Found", b"200 OK").replace(b"Content-Length: 0", b"X: y") + page().encode()}
    ) as (wire, copier):
        assert (await wire.observe(readings.admin_login, COPIER)).signed_in
        assert max(ask.head.count("=") for ask in copier.asked) < 60


@pytest.mark.parametrize("place", [INDEX, MAIL, SEND, SOAP, BOOK, LOAD])
@pytest.mark.parametrize("behaviour", ENDLESS.values(), ids=ENDLESS)
async def test_a_page_that_never_ends_keeps_nobody_in(place: str, behaviour: Behaviour) -> None:
    before = resident()
    async with device({place: behaviour}) as (wire, copier):
        login: AdminLogin = await wire.observe(readings.admin_login, COPIER, within=12.0)
        assert place in copier.whats()
        assert login.signed_in
        assert copier.logins == 1
        assert copier.out
    assert resident() - before < 80_000_000


@pytest.mark.parametrize(
    "answer", [reply("", "500 Oops"), reply(page(value="TIMEOUT")), reply(page(value="BUSY")), reply("x"), led("/")]
)
@pytest.mark.parametrize("place", [INDEX, MAIL, SEND, BOOK, LOAD])
async def test_a_page_that_is_not_given(place: str, answer: bytes) -> None:
    async with device({place: answer}) as (wire, copier):
        gatherer = wire.gatherer()
        for probe in (readings.email_settings, readings.send_settings, readings.address_book):
            found: Evidence[Any] = await gatherer.evidence(probe, COPIER)
            assert found.outcome in {"observed", "unproven"}, found.reason
            assert found.outcome == "observed" or found.remedy
        assert copier.logins == 1
        assert copier.out


async def test_a_broken_read_signs_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(ricoh, "email", breaks)
    async with device() as (wire, copier):
        found = await wire.ask(readings.admin_login, COPIER)
        assert copier.logins == 1
        assert copier.out
    assert found.outcome == "broken"


async def test_a_run_that_ends_early_signs_out_too() -> None:
    async with device({MAIL: hang}) as (wire, copier):
        await wire.gatherer().collect([(readings.admin_login, COPIER)], deadline=0.4)
        assert copier.logins == 1
        assert copier.out
    assert [found.outcome for found in wire.kept.evidence if found.kind == "admin_login"] == ["unproven"]


async def test_without_a_password_nothing_is_tried() -> None:
    async with device() as (wire, copier):
        del wire.given[COPIER_PASSWORD]
        found = await wire.ask(readings.admin_login, COPIER)
        assert FORM not in copier.whats()
        assert LOGIN not in copier.whats()
    assert found.outcome == "unproven"
    assert found.reason == f"no password for admin of {COPIER.serial} was supplied"
    assert COPIER_PASSWORD in found.remedy


async def test_over_https() -> None:
    async with device(tls=certs.context("RNP", trusted=False)) as (wire, copier):
        login = await wire.observe(readings.admin_login, COPIER)
        assert copier.logins == 1
        assert copier.out
    assert login.encrypted


async def _after(asked: str, wire: Bench, gatherer: Gatherer) -> None:
    probe: Any = https_page if asked == "NET-3" else identity
    assert (await gatherer.evidence(probe, COPIER)).outcome == "observed"
    assert wire


@pytest.mark.parametrize("asked", ["NET-3", "identity"])
async def test_another_certificate_gets_no_request(asked: str) -> None:
    async with device(tls=certs.context("RNP", trusted=False)) as (wire, copier):
        gatherer = wire.gatherer()
        await _after(asked, wire, gatherer)
        before = len(copier.asked)
        other = Device({})
        server = await wire.serve(
            f"{COPIER.address}:443", other.behave, tls=certs.context("RNP", trusted=False, days=7)
        )
        found = await gatherer.evidence(readings.admin_login, COPIER)
        assert server.connections > 0
        assert other.asked == []
        assert len(copier.asked) == before
    assert found.outcome == "unproven"
    assert asked == "NET-3" or "it shows another certificate than before" in found.reason


async def test_another_certificate_in_mid_session() -> None:
    async with device(tls=certs.context("RNP", trusted=False)) as (wire, copier):
        other, place = Device({}), f"{COPIER.address}:443"
        server = await wire.serve("spare:443", other.behave, tls=certs.context("RNP", trusted=False, days=7))

        async def switches(conn: Conn) -> None:
            wire.connect_to[place] = ("127.0.0.1", server.port)
            await conn.send(IN)

        copier.answers[LOGIN] = switches
        found = await wire.ask(readings.admin_login, COPIER)
        assert copier.logins == 1
        assert other.asked == []
        no_password(wire)
    assert found.outcome == "observed"


STARTS: list[tuple[str, bytes, str]] = [
    ("English", reply(JUMP.format("/web/guest/en/")), "/web/guest/en/"),
    ("Japanese", reply(JUMP.format("/web/guest/ja/")), "/web/guest/ja/"),
    ("older", reply(JUMP.format("/web/user/tw/")), "/web/user/tw/"),
    ("with a region", reply(JUMP.format("/web/guest/pt-br/")), "/web/guest/pt-br/"),
    ("single quotes", reply(JUMP.format("/web/guest/de/").replace('"', "'")), "/web/guest/de/"),
    ("led", led("/web/guest/fr/websys/webArch/mainFrame.cgi"), "/web/guest/fr/"),
    ("another page", reply("<html><title>Printer</title>"), ""),
    ("led away", led("https://other.example/web/guest/en/websys/webArch/mainFrame.cgi"), ""),
    ("a path upwards", reply(JUMP.format("/web/guest/../")), ""),
    ("a longer path", reply(JUMP.format("/web/guest/en/x/")), ""),
    ("no start at all", reply(""), ""),
]


@pytest.mark.parametrize(("answer", "base"), [it[1:] for it in STARTS], ids=[it[0] for it in STARTS])
async def test_start_page(answer: bytes, base: str) -> None:
    moved = {what.replace(GUEST, base): it for what, it in ANSWERS.items()} if base else {}
    async with device({**moved, START: answer}) as (wire, copier):
        await wire.serve("other.example:443", hang)
        found = await wire.observe(identity, COPIER)
        assert all(ask.what.startswith((START, f"GET {base}")) for ask in copier.asked)
        assert copier.logins == 0
    assert (found.base, found.driver) == (base, "ricoh" if base else "")
    assert found.serial == (COPIER.serial if base else "")


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ("Tue, 24 Nov 2026 06:58:03 -0000", True),
        ("Tue, 24 Nov 2026 06:58:03", True),
        ("Sat, 01 Jan 2000 00:00:00 GMT", True),
        ("Mon, 01 Jan 0001 00:00:00 GMT", True),
        ("Fri, 31 Dec 9999 23:59:59 GMT", True),
        ("Tue, 24 Nov 2026 06:58:03 +99999999999999", False),
        ("Tue, 24 Nov 99999 06:58:03 GMT", False),
        ("yesterday", False),
    ],
)
async def test_the_devices_clock(date: str, clock: bool) -> None:  # noqa: FBT001
    async with device({START: reply(JUMP.format(GUEST), Date=date)}) as (wire, _):
        found = await wire.observe(identity, COPIER)
    assert (found.clock is not None) == clock
    assert abs(found.clock or 0) <= 3.2e9


LINKED: list[tuple[str, str, str]] = [  # the index, and why the e-mail page was not read
    ("none", "", "its index has no links at all"),
    ("others", "<a href=a.cgi>Network</a>", "its index has “Network”"),
    (
        "to a page that sets",
        '<a href="../mail/mailConfSet.cgi">E-mail</a>',
        "mailConfSet.cgi is not the path of a page that only reads",
    ),
    (
        "to one that deletes",
        '<a href="../mail/getMailDelete.cgi">E-mail</a>',
        "is not the path of a page that only reads",
    ),
    (
        "to a test",
        '<a href="/web/entry/en/websys/mail/mailTestGet.cgi">E-mail</a>',
        "is not the path of a page that only reads",
    ),
    ("to a script", '<a href="javascript:apply()">E-mail</a>', "is not the path of a page that only reads"),
    ("to nowhere", '<a href="http://[">E-mail</a>', "its index has “E-mail”"),
    ("encoded", '<a href="../mail/mailConf%47et.cgi">E-mail</a>', "is not the path of a page that only reads"),
    (
        "to another page",
        '<a href="../scanner/scannerSendGet.cgi">E-mail</a>',
        "is not the e-mail page: its methodName is 'missing'",
    ),
]


@pytest.mark.parametrize(("links", "why"), [it[1:] for it in LINKED], ids=[it[0] for it in LINKED])
async def test_index(links: str, why: str) -> None:
    async with device({INDEX: reply(page(links))}) as (wire, copier):
        found = await wire.ask(readings.email_settings, COPIER)
        assert not [what for what in copier.whats() if any(word in what for word in ("Set.cgi", "Delete", "Test", "%"))]
        assert copier.logins == 1
        assert copier.out
    assert found.outcome == "unproven"
    assert why in found.reason
    assert found.remedy


async def test_a_link_is_found_by_its_methods_name_in_any_language() -> None:
    async with device({INDEX: reply(page('<a href="../mail/mailConfGet.cgi">电子邮件</a>'))}) as (wire, _):
        assert (await wire.observe(readings.email_settings, COPIER)).host == "smtp.office365.com"


async def test_a_link_to_another_host_is_asked_of_the_device_itself() -> None:
    link = '<a href="http://other.example/web/entry/en/websys/mail/mailConfGet.cgi">E-mail</a>'
    async with device({INDEX: reply(page(link))}) as (wire, copier):
        away = await wire.serve("other.example:80", hang)
        await wire.observe(readings.email_settings, COPIER)
        assert MAIL in copier.whats()
        assert away.connections == 0


@pytest.mark.parametrize("method", ["", "adrsGetUser", "mailConfGet2", "MAILCONFGET"])
async def test_another_pages_method(method: str) -> None:
    async with device({MAIL: reply(page(SETTINGS, method=method))}) as (wire, copier):
        found = await wire.ask(readings.email_settings, COPIER)
        assert copier.out
    assert found.outcome == "unproven"
    assert f"its methodName is {method or 'missing'!r}" in found.reason


TAIL = "Download completed."
TITLES = "Start Date/Time,End Date/Time,Log Type,Result,Operation Method,Status ,User ID,Log ID"
LOGS: list[tuple[str, Answer, str]] = [
    ("a file", reply(f"{TITLES}\r\n{TAIL}\r\n", Content_Type="text/csv"), ""),
    ("a page", reply(page(value="BUSY")), "in use by other functions"),
    ("another page", reply(page("hello")), "gave a page where a file was expected"),
    ("404", reply("", "404 Not Found", Content_Type="text/csv"), "answered 404"),
    ("a huge page", page_of_100_mb, ""),
    ("reset", broken, "the device broke off"),
    ("hang", hang, "the device broke off"),
    (
        "a huge error",
        repeats(b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n", b"x" * 65_536, ask=False),
        "the device broke off",
    ),
]


@pytest.mark.parametrize(("answer", "why"), [it[1:] for it in LOGS], ids=[it[0] for it in LOGS])
async def test_log(answer: Answer, why: str) -> None:
    form = (
        '<form name="form1"><input type=hidden name=logKind value=job><input type=hidden name=deleteAll value=1></form>'
    )
    before = resident()
    async with device({LOG: reply(page(form, token="99")), DATA: answer}) as (wire, copier):
        gatherer = wire.gatherer()
        await gatherer.collect([(readings.device_log, COPIER)], deadline=30)
        found = await gatherer.evidence(readings.device_log, COPIER)
        sent = next(ask for ask in copier.asked if ask.what == DATA)
        assert "wimToken=99" in sent.body
        assert "logKind=job" in sent.body
        assert "delete" not in sent.body
        assert copier.logins == 1
        assert copier.out
    assert resident() - before < 120_000_000
    assert found.outcome == ("unproven" if why else "observed"), found.reason
    assert why in found.reason
