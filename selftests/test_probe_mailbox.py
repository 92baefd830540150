"""A test mail looked for through Graph: where it is, and what a Graph that refuses or raves comes to."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lab.httpserver import Request, Response, serve
from scanproof.secrets import CLIENT_SECRET
from scanproof.site import Service
from scanproof.subjects import Delivery
from scanproof.tenant.mailbox import WELL_KNOWN, arrival
from selftests import certs
from selftests.harness import Bench, Conn, bench, demo, demo_with
from selftests.mailserver import mail

if TYPE_CHECKING:
    from scanproof.kinds import Evidence

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(importlib.util.find_spec("msgraph") is None, reason="msgraph-sdk is not installed"),
]

TOKEN = "eyJ0.mailbox-token-of-the-tests.c2ln"
SITE = demo_with(
    mail={"arrival_deadline": 1.0}, endpoints={"login": "http://login.example", "graph": "http://graph.example"}
)
ENDPOINT = Service("northfield-example.mail.protection.outlook.com", 25)
FIRST = Delivery(SITE.file.sender[0], "direct-send", ENDPOINT, SITE.recipients[0])
HEADERS = [
    {"name": "X-MS-Exchange-Organization-AuthAs", "value": "Anonymous"},
    {"name": "Received-SPF", "value": "Pass \x1b[2J" + "y" * 3000},
    {"name": "X-Secret-Of-The-Tenant", "value": "not asked for"},
]
MESSAGE = {
    "id": "m1",
    "parentFolderId": "f1",
    "receivedDateTime": "2026-11-23T08:00:00Z",
    "internetMessageHeaders": HEADERS,
}

Answer = Callable[["Graph", Request], Response]


@dataclass
class Graph:
    """A server that answers as one function says, and counts."""

    answer: Answer
    looks: int = 0

    async def handle(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        self.looks += "/messages" in request.path
        return self.answer(self, request)


def found_in(folder: str, *, at: int = 1) -> Answer:
    """Have the mail in a folder from the so-manieth look on."""

    def answer(graph: Graph, request: Request) -> Response:
        asked = request.path.rpartition("/mailFolders/")[2].lower()
        if "/mailFolders/" in request.path:
            name = WELL_KNOWN.get(asked)
            ours = name == folder or asked == "f1"
            # A folder's name is in its owner's language; only its well-known name tells which it is.
            return Response.json(
                {"id": "f1" if ours else f"id of {asked}", "displayName": f"{name} \u00fc" if name else folder}
            )
        if "messageTraces" in request.path:
            return Response.json({"value": []})
        return Response.json({"value": [MESSAGE] if graph.looks >= at else []})

    return answer


def traced(status: str) -> Answer:
    def answer(_graph: Graph, request: Request) -> Response:
        return Response.json({"value": [{"id": "t", "status": status}] if "messageTraces" in request.path else []})

    return answer


def always(status: int, code: str = "ErrorOfTheTests", headers: dict[str, str] | None = None) -> Answer:
    body = {"error": {"code": code, "message": f"said \x1b[2J of {code}"}}
    return lambda _graph, _request: Response.json(body, status, headers)


def raw(body: bytes, kind: str = "application/json", status: int = 200) -> Answer:
    return lambda _graph, _request: Response(status, body, {"Content-Type": kind})


def busy_at_first(graph: Graph, request: Request) -> Response:
    if graph.looks <= 2:
        return always(429, "TooManyRequests", {"Retry-After": "1"})(graph, request)
    return found_in("Inbox")(graph, request)


async def looked(
    answer: Answer, *, within: float = 8.0, prepare: Callable[[Bench], None] | None = None
) -> tuple[Evidence[Any], Graph]:
    graph = Graph(answer)

    async def token(_: Request) -> Response:
        return Response.json({"access_token": TOKEN})

    async def at_login(conn: Conn) -> None:
        await serve(token)(conn.reader, conn.writer)

    async def at_graph(conn: Conn) -> None:
        await serve(graph.handle)(conn.reader, conn.writer)

    async with bench(SITE, ca_pem=certs.ca_pem()) as wire:
        await wire.serve(ENDPOINT.key, mail())
        await wire.serve("login.example:80", at_login)
        await wire.serve("graph.example:80", at_graph)
        if prepare:
            prepare(wire)
        found = await wire.ask(arrival, FIRST, within=within)
        assert TOKEN not in f"{found.reason} {found.remedy} {found.transcript}"
        return found, graph


@pytest.fixture(scope="module", autouse=True)
async def loaded() -> None:
    """Load msgraph-sdk once, which takes seconds."""
    await looked(found_in("Inbox"), within=60)


@pytest.mark.parametrize(("folder", "at"), [("Inbox", 1), ("Inbox", 2), ("Junk Email", 1), ("Scans \x1b[2J", 1)])
async def test_found(folder: str, at: int) -> None:
    found, graph = await looked(found_in(folder, at=at))
    assert found.facts, found.reason
    assert found.facts.folder == folder.replace("\x1b", "\ufffd")
    assert graph.looks == at
    assert 0 <= found.facts.seconds < 2
    headers = dict(found.facts.headers)
    assert set(headers) == {"X-MS-Exchange-Organization-AuthAs", "Received-SPF"}
    assert "\x1b" not in headers["Received-SPF"]
    assert len(headers["Received-SPF"]) < 1100
    assert {sign for sign, _ in found.facts.signs} == {"not signed in"}


async def test_not_there_until_the_deadline() -> None:
    began = time.monotonic()
    found, graph = await looked(found_in("Inbox", at=99))
    assert found.facts, found.reason
    assert (found.facts.folder, found.facts.trouble) == ("", "")
    assert found.facts.seconds >= 1.0
    assert 2 <= graph.looks <= 5
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(("status", "folder"), [("quarantined", "Quarantine"), ("failed", "")])
async def test_the_trace_tells_what_the_mailbox_does_not(status: str, folder: str) -> None:
    found, _ = await looked(traced(status))
    assert found.facts, found.reason
    assert (found.facts.folder, found.facts.trouble) == (folder, f"message trace says {status}")


async def test_throttled_a_while() -> None:
    found, _ = await looked(busy_at_first)
    assert found.outcome in {"observed", "unproven"}
    if found.facts:
        assert found.facts.folder == "Inbox"
    else:
        assert "within the arrival deadline" in found.reason


UNPROVEN: list[tuple[str, Answer, str]] = [
    ("401", always(401, "InvalidAuthenticationToken"), "grant the app Mail.ReadBasic.All"),
    ("403", always(403, "ErrorAccessDenied"), "grant the app Mail.ReadBasic.All"),
    ("404", always(404, "ErrorInvalidUser"), "exists and has a mailbox"),
    ("400", always(400, "BadRequest"), ""),
    ("500", always(500, "Internal"), ""),
    ("503 for ever", always(503, "Busy", {"Retry-After": "60"}), "run again later"),
    ("429 for ever", always(429, "ApplicationThrottled", {"Retry-After": "60"}), "run again later"),
    ("429 for hours", always(429, "ApplicationThrottled", {"Retry-After": "7200"}), "run again later"),
    ("no JSON", raw(b"<html>"), ""),
    ("another JSON", raw(b"[1, 2]"), ""),
    ("deep JSON", raw(b'{"value":' + b"[" * 100_000), ""),
    ("HTML", raw(b"<html>proxy</html>", "text/html"), ""),
    ("HTML error", raw(b"<html>proxy</html>", "text/html", 502), ""),
    ("wrong types", raw(json.dumps({"value": [{"id": 7, "internetMessageHeaders": "x"}]}).encode()), ""),
    ("not UTF-8", raw(b'{"value": "\xff"}'), ""),
]


@pytest.mark.parametrize(("answer", "remedy"), [row[1:] for row in UNPROVEN], ids=[row[0] for row in UNPROVEN])
async def test_a_graph_that_does_not_tell_is_unproven(answer: Answer, remedy: str) -> None:
    found, _ = await looked(answer)
    assert found.outcome == "unproven", f"{found.outcome} {found.facts} {found.reason}"
    assert "graph" in found.reason.lower()
    assert SITE.recipients[0].address in found.reason
    assert remedy in found.remedy
    assert found.remedy
    assert len(found.reason) < 600
    assert "\x1b" not in found.reason


async def test_unreachable() -> None:
    def cut(wire: Bench) -> None:
        del wire.connect_to["graph.example:80"]

    found, _ = await looked(found_in("Inbox"), prepare=cut)
    assert found.outcome == "unproven"
    assert "could not be asked" in found.reason


async def test_no_secret() -> None:
    def forget(wire: Bench) -> None:
        del wire.given[CLIENT_SECRET]

    found, graph = await looked(found_in("Inbox"), prepare=forget)
    assert found.outcome == "unproven"
    assert CLIENT_SECRET in found.remedy
    assert graph.looks == 0


async def test_a_refused_mail_blocks_and_looks_nowhere() -> None:
    def no_mail(wire: Bench) -> None:
        del wire.connect_to[ENDPOINT.key]

    found, graph = await looked(found_in("Inbox"), prepare=no_mail)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-2",))
    assert graph.looks == 0


async def test_no_send_looks_nowhere() -> None:
    def quiet(wire: Bench) -> None:
        wire.sends_mail = False

    found, graph = await looked(found_in("Inbox"), prepare=quiet)
    assert (found.outcome, found.remedy) == ("unproven", "run without --no-send")
    assert graph.looks == 0


def test_the_demo_site_has_the_recipients_of_these_tests() -> None:
    assert demo().recipients == SITE.recipients
