"""A copier's web page, from servers that misbehave: what the evidence says, in bounded time and memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import remedies
from scanproof.network import Deadlines
from scanproof.probes.web import LIMIT, http_page, https_page
from selftests import certs
from selftests.harness import Behaviour, Conn, bench, demo, hang, repeats, resident, sends

if TYPE_CHECKING:
    from scanproof.evidence import WebPage

pytestmark = pytest.mark.filterwarnings("error")

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
HUGE = 100_000_000
DEVICE = "RNP002673A1B2C3"


async def closes(conn: Conn) -> None:
    """Accept and close."""


async def resets(conn: Conn) -> None:
    """Read the request and cut the connection."""
    await conn.reader.read(1024)
    conn.drop()


async def page_of_100_mb(conn: Conn) -> None:
    await conn.reader.read(1024)
    await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n<html>" % HUGE)
    for _ in range(HUGE // 65_536):
        await conn.send(b"x" * 65_536)


def titled(title: bytes) -> Behaviour:
    return sends(OK + b"<html><head><title>" + title + b"</title>")


@dataclass(frozen=True)
class Row:
    """A behaviour, and what the evidence must say of it."""

    name: str
    behaviour: Behaviour
    trouble: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


NO_STATUS: dict[str, Any] = {"connected": True, "status": None}
ROWS = [
    Row("silence", hang, "the response did not end within 0.9 s", {**NO_STATUS, "received": 0}),
    Row("closes after the request", sends(), "closed without a response", NO_STATUS),
    Row("reset", resets, "reset (something on the way", NO_STATUS),
    Row("garbage", sends(b"\x00\xff\x13\x37" * 100), "not an HTTP response", NO_STATUS),
    Row("another protocol", sends(b"220 ftp.example ready\r\n\r\n"), "not an HTTP response", NO_STATUS),
    Row("HTTP/0.9", sends(b"<html><title>old</title></html>"), "not an HTTP response", NO_STATUS),
    Row("status of four digits", sends(b"HTTP/1.1 2000 OK\r\n\r\n"), "not an HTTP response", NO_STATUS),
    Row("status line alone", sends(b"HTTP/1.1 200 OK\r\n"), "not an HTTP response", NO_STATUS),
    Row("header fast and endless", repeats(b"HTTP/1.1 200 OK\r\n", b"X-Pad: y\r\n" * 400), "headers did not end"),
    Row(
        "header slow and endless",
        repeats(b"HTTP/1.1 200 OK\r\n", b"X-Pad: y\r\n", every=0.05),
        "the response did not end within 0.9 s",
        NO_STATUS,
    ),
    Row("body slow and endless", repeats(OK, b"<p>", every=0.05), "did not end within 0.9 s", {"status": 200}),
    Row("body fast and endless", repeats(OK, b"<p>" * 1000), f"cut after {LIMIT} bytes", {"status": 200}),
    Row("100 MB", page_of_100_mb, f"cut after {LIMIT} bytes", {"status": 200, "received": LIMIT}),
    Row("status 500", sends(b"HTTP/1.1 500 Oops\r\n\r\n"), "", {"status": 500}),
    Row("status 401", sends(b"HTTP/1.0 401 No\r\nServer: Web-Server/3.0\r\n\r\n"), "", {"server": "Web-Server/3.0"}),
    Row("bare line feeds", sends(b"HTTP/1.0 200 OK\n\n<title>T</title>"), "", {"status": 200, "title": "T"}),
    Row(
        "redirect to HTTPS",
        sends(b"HTTP/1.1 302 Found\r\nLocation: https://10.20.90.21/\r\n\r\n"),
        "",
        {"status": 302, "location": "https://10.20.90.21/"},
    ),
    Row("script", titled(b"<script>alert(1)</script>"), "", {"title": "<script>alert(1)</script>"}),
    Row("entities", titled(b"&lt;b&gt; &#27;[31m"), "", {"title": "<b> [31m"}),
    Row("escape sequence", titled(b"\x1b[2Jgone\x07"), "", {"title": "\ufffd[2Jgone\ufffd"}),
    Row("right to left", titled("a\u202ecba".encode()), "", {"title": "a\ufffdcba"}),
    Row("not UTF-8", titled(b"B\xfcro"), "", {"title": "B\ufffdro"}),
    Row("lone surrogate", titled(b"&#xD800;x"), "", {"title": "\ufffdx"}),
    Row("NUL", titled(b"a\x00b"), "", {"title": "a\ufffdb"}),
    Row("long title", titled(b"t" * 1000), "", {"title": "t" * 200 + "… (1000 characters)"}),
    Row("title of 1 MB", titled(b"t" * 1_000_000), f"cut after {LIMIT} bytes", {"title": ""}),
    Row("title in capitals", sends(OK + b"<TITLE lang=en>\r\n Web \r\n Monitor</TITLE>"), "", {"title": "Web Monitor"}),
    Row(
        "injection in a header",
        sends(b"HTTP/1.1 302 Found\r\nLocation: /\x0b\x1b]0;pwned\x07\x85x\r\n\r\n"),
        "",
        {"location": "/\ufffd\ufffd]0;pwned\ufffd\ufffdx"},
    ),
    Row("long header", sends(b"HTTP/1.1 200 OK\r\nServer: " + b"s" * 9000 + b"\r\n\r\n"), "", {"status": 200}),
    Row("first of two headers", sends(b"HTTP/1.1 200 OK\r\nServer: a\r\nServer: b\r\n\r\n"), "", {"server": "a"}),
]


def shown(page: WebPage, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(page, name) for name in wanted}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_page(row: Row) -> None:
    copier, before = demo().copiers[0], resident()
    async with bench() as wire:
        server = await wire.serve(f"{copier.address}:80", row.behaviour)
        page = await wire.observe(http_page, copier, within=2.0)
        assert server.connections == 1
        assert server.sent < 16_000_000, "the rest of a page is not waited for"
    assert page.connected
    assert row.trouble in page.trouble
    assert bool(row.trouble) == bool(page.trouble)
    assert shown(page, row.facts) == row.facts
    assert page.received <= LIMIT
    assert len(page.title) < 300
    assert len(page.server) < 600
    assert page.seen.startswith(f"http://{copier.address}/: ")
    assert resident() - before < 50_000_000


async def test_closes_at_once() -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        await wire.serve(f"{copier.address}:80", closes)
        page = await wire.observe(http_page, copier)
    # Which of the two depends on whether the request was on its way already.
    assert page.trouble.startswith(("closed without a response", "reset (something on the way"))
    assert (page.connected, page.status) == (True, None)


async def test_refused() -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        await wire.refuse(f"{copier.address}:80")
        page = await wire.observe(http_page, copier)
    assert not page.connected
    assert page.trouble.startswith("refused (the host answers")
    assert page.trouble_kind == "refused"
    assert remedies.web(page).startswith("the host is there")


async def test_what_the_map_does_not_hold_is_unreachable() -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        page = await wire.observe(http_page, copier)
    assert (page.connected, page.status) == (False, None)
    assert f"{copier.address}:80 is not part of the simulated site" in page.trouble
    assert page.trouble_kind == "unreachable"
    assert remedies.web(page).startswith("find the copier")


TLS_TROUBLE = [
    ("stall", hang, "the TLS handshake stalled (timed out)"),
    ("plain HTTP", sends(OK), "the TLS handshake failed: "),
    ("garbage", sends(b"\x16\x03\x01\xff\xff" + b"z" * 300), "the TLS handshake failed: "),
    ("closes", closes, "the connection was cut during the TLS handshake"),
    ("reset", resets, "the connection was cut during the TLS handshake"),
    ("endless", repeats(b"", b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00" * 100), "the TLS handshake failed: "),
]


@pytest.mark.parametrize(
    ("behaviour", "trouble"), [row[1:] for row in TLS_TROUBLE], ids=[row[0] for row in TLS_TROUBLE]
)
async def test_tls_trouble(behaviour: Behaviour, trouble: str) -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        await wire.serve(f"{copier.address}:443", behaviour)
        page = await wire.observe(https_page, copier, within=2.0)
    assert page.connected
    assert page.tls is None
    assert page.trouble.startswith(trouble)
    assert page.seen == f"https://{copier.address}/: {page.trouble}"


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
async def test_tls_versions(version: str) -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        await wire.serve(f"{copier.address}:443", titled(b"Copier"), tls=certs.context(DEVICE, only=version))
        page = await wire.observe(https_page, copier)
    assert page.tls is not None
    assert page.tls.version == version.replace("_", ".")
    assert (page.status, page.title, page.trouble) == (200, "Copier", "")


@pytest.mark.parametrize("days", [30, -1], ids=["self-signed", "expired"])
async def test_certificate_facts(days: int) -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        tls = certs.context(DEVICE, trusted=False, days=days)
        await wire.serve(f"{copier.address}:443", titled(b"Copier"), tls=tls)
        page = await wire.observe(https_page, copier)
    assert page.status == 200, "a device's certificate is a fact, and keeps nobody out"
    assert page.tls
    shown = page.tls.certificate
    assert shown
    assert (shown.subject, shown.issuer, shown.names) == (DEVICE, DEVICE, (DEVICE,))
    assert shown.key == "EC secp256r1"
    assert (shown.not_after - shown.not_before).days == 60 + days
    assert len(shown.sha256) == 64


async def test_weak_certificate() -> None:
    copier, tls = demo().copiers[0], certs.weak(DEVICE)
    if tls is None:
        pytest.skip("no openssl command that makes a certificate of SHA-1 and 1024 bits")
    async with bench() as wire:
        await wire.serve(f"{copier.address}:443", titled(b"Copier"), tls=tls)
        page = await wire.observe(https_page, copier)
    assert page.status == 200
    assert page.tls
    assert page.tls.certificate
    assert (page.tls.certificate.subject, page.tls.certificate.key) == (DEVICE, "RSA 1024")


async def test_body_that_stalls_over_tls() -> None:
    copier = demo().copiers[0]
    async with bench() as wire:
        await wire.serve(f"{copier.address}:443", repeats(OK, b"<p>", every=0.05), tls=certs.context(DEVICE))
        page = await wire.observe(https_page, copier, within=2.0)
    assert (page.status, page.trouble) == (200, "the response did not end within 0.9 s")
    assert page.tls


async def test_many_slow_devices_at_once_take_no_longer_than_one() -> None:
    copiers = demo().copiers
    async with bench(deadlines=Deadlines(connect=1, tls=1, response=1)) as wire:
        for copier in copiers:
            await wire.serve(f"{copier.address}:80", hang)
            await wire.serve(f"{copier.address}:443", hang)
        plan = [(probe, copier) for copier in copiers for probe in (http_page, https_page)]
        await wire.gatherer().collect(plan, deadline=3)
    assert len(wire.kept.evidence) == 2 * len(copiers)
    assert {found.outcome for found in wire.kept.evidence} == {"observed"}
