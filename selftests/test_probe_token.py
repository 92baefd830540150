"""Tokens and the HTTP client under them: endpoints that refuse, answer nonsense, or never end."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scanproof import http
from scanproof.probes.smtp import sign_in
from scanproof.subjects import SenderSubject
from scanproof.tenant.token import Secret, TokenRefused, TokenUnreachable, client_token
from selftests import certs
from selftests.harness import CLIENT_WORD, Behaviour, Bench, Conn, bench, demo_with, hang, repeats, resident, sends
from selftests.mailserver import mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.kinds import Evidence
    from scanproof.site import Site

pytestmark = pytest.mark.filterwarnings("error")

LOGIN = "http://login.example"
TOKEN = "eyJ0eXAi.access-token-of-the-tests.c2ln"
SITE: Site = demo_with(endpoints={"login": LOGIN})
REPORTS = SenderSubject(SITE.file.sender[1], SITE.services["smtp-auth"])


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json", extra: bytes = b"") -> Behaviour:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
    return sends(head + extra + b"\r\n" + body)


def as_json(data: Any, status: str = "200 OK") -> Behaviour:
    return answer(json.dumps(data).encode(), status)


GRANTED = as_json({"access_token": TOKEN, "expires_in": 3599})
AADSTS = "AADSTS7000215: Invalid client secret provided. Ensure the secret is correct.\r\nTrace ID: 1\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

BAD: list[tuple[str, Behaviour, type[Exception], str]] = [
    (
        "wrong secret",
        as_json({"error": "invalid_client", "error_description": AADSTS}, "401 No"),
        TokenRefused,
        "AADSTS70",
    ),
    ("error alone", as_json({"error": "unauthorized_client"}, "400 No"), TokenRefused, "unauthorized_client"),
    ("no words", as_json({}, "500 No"), TokenRefused, "HTTP 500"),
    ("token is no text", as_json({"access_token": 7}), TokenRefused, "HTTP 200"),
    ("HTML", answer(b"<html>proxy</html>", "200 OK", "text/html"), TokenUnreachable, "HTTP 200, text/html, is not its"),
    ("a list", as_json([1]), TokenUnreachable, "is not its JSON"),
    ("deep", answer(b"[" * 500_000), TokenUnreachable, "is not its JSON"),
    ("not UTF-8", answer(b'{"access_token": "\xff"}'), TokenUnreachable, "is not its JSON"),
    ("nothing", answer(b""), TokenUnreachable, "is not its JSON"),
    (
        "redirect",
        answer(b"", "302 Found", extra=b"Location: http://elsewhere.example/\r\n"),
        TokenUnreachable,
        "HTTP 302",
    ),
    ("garbage", sends(b"220 ftp\r\n\r\n"), TokenUnreachable, "login.example: "),
    ("closes", sends(), TokenUnreachable, "login.example: "),
    ("half", sends(OK + b"Content-Length: 100\r\n\r\n{"), TokenUnreachable, ""),
    ("hang", hang, TokenUnreachable, "nothing answered in time"),
    ("headers never end", repeats(OK, b"X-A: b\r\n", every=0.02), TokenUnreachable, "did not answer within 2.7 s"),
    ("body never ends", repeats(OK + b"\r\n", b"x" * 65_536), TokenUnreachable, "larger than 8388608 bytes"),
    ("body drips", repeats(OK + b"\r\n", b" ", every=0.02), TokenUnreachable, "did not answer within 2.7 s"),
    (
        "bomb",
        answer(gzip.compress(b" " * 50_000_000), extra=b"Content-Encoding: gzip\r\n"),
        TokenUnreachable,
        "compressed",
    ),
]


@pytest.mark.parametrize(("behaviour", "kind", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_no_token(behaviour: Behaviour, kind: type[Exception], words: str) -> None:
    before = resident()
    async with bench(SITE) as wire:
        server = await wire.serve("login.example:80", behaviour)
        async with asyncio.timeout(4):
            with pytest.raises((TokenRefused, TokenUnreachable)) as caught:
                await client_token(wire.network, SITE.file.tenant, Secret(CLIENT_WORD), "scope")
        assert server.connections == 1
    assert caught.type is kind, caught.value
    assert words in str(caught.value)
    assert LOGIN in str(caught.value)
    assert len(str(caught.value)) < 500
    assert CLIENT_WORD not in str(caught.value)
    assert resident() - before < 100_000_000


async def refused(wire: Bench) -> None:
    await wire.refuse("login.example:80")


async def unmapped(wire: Bench) -> None:
    assert "login.example:80" not in wire.connect_to


@pytest.mark.parametrize(
    ("prepare", "words"), [(refused, "refused (the host"), (unmapped, "not part of the simulated")]
)
async def test_unreachable(prepare: Callable[[Bench], Any], words: str) -> None:
    async with bench(SITE) as wire:
        await prepare(wire)
        with pytest.raises(TokenUnreachable, match=r"no token from http://login\.example") as caught:
            await client_token(wire.network, SITE.file.tenant, Secret(CLIENT_WORD), "scope")
    assert words in str(caught.value)


@pytest.mark.parametrize("login", ["ftp://login.example", "login.example", "https://", "http://[::bad"])
async def test_an_endpoint_that_is_no_url(login: str) -> None:
    site = demo_with(endpoints={"login": login})
    async with bench(site) as wire:
        with pytest.raises(TokenUnreachable):
            await client_token(wire.network, site.file.tenant, Secret(CLIENT_WORD), "scope")


TLS_BAD = [
    ("untrusted", sends(), certs.context("login.example", trusted=False), "the certificate is not trusted: "),
    ("another name", sends(), certs.context("other.example"), "the certificate is not trusted: "),
    ("stall", hang, None, "nothing answered in time"),
    ("plain HTTP", sends(OK), None, "the TLS handshake failed: "),
]


@pytest.mark.parametrize(("behaviour", "tls", "words"), [row[1:] for row in TLS_BAD], ids=[row[0] for row in TLS_BAD])
async def test_tls_of_the_endpoint(behaviour: Behaviour, tls: Any, words: str) -> None:
    site = demo_with(endpoints={"login": "https://login.example"})
    async with bench(site, ca_pem=certs.ca_pem()) as wire:
        await wire.serve("login.example:443", behaviour, tls=tls)
        with pytest.raises(TokenUnreachable) as caught:
            await client_token(wire.network, site.file.tenant, Secret(CLIENT_WORD), "scope")
    assert words in str(caught.value)


async def test_a_good_endpoint_over_tls() -> None:
    site = demo_with(endpoints={"login": "https://login.example"})
    async with bench(site, ca_pem=certs.ca_pem()) as wire:
        await wire.serve("login.example:443", GRANTED, tls=certs.context("login.example"))
        assert (await client_token(wire.network, site.file.tenant, Secret(CLIENT_WORD), "scope")).text == TOKEN


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    async with bench(SITE) as wire:
        server = await wire.serve("login.example:80", GRANTED)
        async with http.client(wire.network, limit=1000) as client:
            found = await client.get(f"{LOGIN}/")
        assert (found.status_code, server.connections) == (200, 1)


async def test_cookies_and_redirects_lead_nowhere() -> None:
    async with bench(SITE) as wire:
        await wire.serve("login.example:80", answer(b"", "307 T", extra=b"Location: http://169.254.169.254/\r\n"))
        async with http.client(wire.network, limit=1000) as client:
            assert (await client.get(f"{LOGIN}/")).status_code == 307


async def signed(login: Behaviour, changes: Any = None) -> Evidence[Any]:
    async with bench(SITE, ca_pem=certs.ca_pem()) as wire:
        await wire.serve("login.example:80", login)
        await wire.serve("smtp.office365.com:587", mail(changes))
        return await wire.ask(sign_in, REPORTS)


async def challenge(conn: Conn) -> None:
    """Answer XOAUTH2 by a challenge that holds an error, and its empty answer by the refusal."""
    await conn.send(b"334 " + base64.b64encode(b'{"status":"400"}') + b"\r\n")
    assert await conn.line() == ""
    await conn.send(b"535 5.7.3 Authentication unsuccessful [HOST]\r\n")


async def test_sign_in_by_oauth() -> None:
    found = await signed(GRANTED, {"AUTH": b"235 2.7.0 Authentication successful\r\n"})
    assert found.facts
    assert (found.facts.mechanism, found.facts.signed_in) == ("XOAUTH2", True)
    text = "\n".join(line.text for line in found.transcript)
    assert "AUTH XOAUTH2 [not shown]" in text
    inner = base64.b64encode(f"user={REPORTS.sender.address}\x01auth=Bearer {TOKEN}\x01\x01".encode()).decode()
    assert TOKEN not in text
    assert inner[:40] not in text


async def test_a_refused_oauth_sign_in_is_asked_for_its_reply() -> None:
    found = await signed(GRANTED, {"AUTH": challenge})
    assert found.facts
    assert found.facts.reply
    assert (found.facts.reply.code, found.facts.stage) == (535, "auth")
    assert "334" not in [line.text[:3] for line in found.transcript]


async def test_a_refused_token_is_a_sign_in_that_failed() -> None:
    found = await signed(as_json({"error_description": AADSTS}, "401 No"))
    assert found.outcome == "observed"
    assert found.facts
    assert (found.facts.stage, found.facts.reply, found.facts.signed_in) == ("token", None, False)
    assert "AADSTS7000215" in found.facts.trouble
    assert "AADSTS7000215" in found.transcript[0].text


async def test_an_unreachable_endpoint_is_unproven() -> None:
    found = await signed(hang)
    assert (found.outcome, found.remedy) == ("unproven", "let this machine reach the login endpoint, and run again")


async def test_a_body_at_the_limit_is_read() -> None:
    async with bench(SITE) as wire:
        await wire.serve("login.example:80", answer(b"x" * 1000))
        async with http.client(wire.network, limit=1000) as client:
            assert len((await client.get(LOGIN)).content) == 1000
        await wire.serve("login.example:80", answer(b"x" * 1001))
        async with http.client(wire.network, limit=1000) as client:
            with pytest.raises(httpx.ReadError, match="larger than 1000 bytes"):
                await client.get(LOGIN)
