"""A mail service's door, from servers that misbehave: facts, what ended the dialogue, and its transcript."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.evidence import Door
from scanproof.probes import smtp
from scanproof.probes.smtp import door, offer
from scanproof.site import Service
from scanproof.subjects import DoorSubject
from selftests import certs
from selftests.harness import Behaviour, Conn, bench, hang, repeats, resident
from selftests.mailserver import BANNER, EHLO, Step, close, mail, silent, start_tls, then_close

if TYPE_CHECKING:
    from scanproof.kinds import Evidence

pytestmark = pytest.mark.filterwarnings("error")

SERVICE = Service("smtp.office365.com", 587)
SUBJECT = DoorSubject(SERVICE)


@dataclass(frozen=True)
class Row:
    """A change of the good script, the stage reached, and what ended it."""

    name: str
    changes: dict[str, Step]
    stage: str
    trouble: str = ""
    lines: tuple[str, ...] = ()  # that the transcript must hold, in this order
    facts: dict[str, Any] = field(default_factory=dict)


async def injected(conn: Conn) -> None:
    """Answer STARTTLS, with a plaintext command's reply smuggled in after it (RFC 3207 §6)."""
    await conn.send(b"220 2.0.0 ready\r\n250-evil\r\n250 AUTH PLAIN\r\n")
    await conn.start_tls(certs.context())


async def reset(conn: Conn) -> None:
    conn.drop()


async def ready_then_silent(conn: Conn) -> None:
    await conn.send(b"220 2.0.0 ready\r\n")
    await silent(conn)


def endless(first: bytes, again: bytes, every: float = 0.0) -> Behaviour:
    return repeats(first, again, every=every, ask=False)


UNTRUSTED = "the certificate is not trusted: "
# What each trouble's words begin with, and its kind; a reply that ended the dialogue speaks for itself.
KINDS = {
    "no reply": "timed-out",
    "the TLS handshake stalled": "timed-out",
    "the TLS handshake failed": "tls",
    "the other side closed": "closed",
    "the connection was cut": "reset",
    "not SMTP": "garbled",
}
ROWS = [
    Row(
        "good",
        {},
        "quit",
        "",
        (
            "** connected",
            "<- 220 mail.example",
            "-> EHLO [127.0.0.1]",
            "<- 250-mail",
            "<- 250 STARTTLS",
            "-> STARTTLS",
            "<- 220 2.0.0",
            "** TLS: TLSv1.3",
            "-> EHLO [127.0.0.1]",
            "<- 250 AUTH LOGIN XOAUTH2",
            "-> QUIT",
            "<- 221",
        ),
        {"seen_as": "203.0.113.10", "auth": ("LOGIN", "XOAUTH2"), "offers_starttls": True},
    ),
    Row("no banner", {"CONNECT": hang}, "banner", "no reply within 0.9 s", ("** connected", "** no reply within")),
    Row("closes at once", {"CONNECT": close}, "banner", "the other side closed the connection"),
    Row("reset at once", {"CONNECT": reset}, "banner", "the other side closed the connection"),
    Row("garbage banner", {"CONNECT": b"SSH-2.0-OpenSSH_9.6\r\n"}, "banner", "not SMTP: ", ("** not SMTP: ",)),
    Row("binary banner", {"CONNECT": b"\x16\x03\x01\x00\xee\r\n"}, "banner", "not SMTP: "),
    Row("TLS at once", {"CONNECT": b"\x15\x03\x01\x00\x02\x02\x46"}, "banner", "no reply within"),
    Row("endless banner line", {"CONNECT": endless(b"220 ", b"x" * 65_536)}, "banner", "not SMTP: "),
    Row("endless banner lines", {"CONNECT": endless(b"", b"220-y\r\n" * 9999)}, "banner", "not SMTP: "),
    Row("slow endless banner", {"CONNECT": endless(b"", b"220-y\r\n", 0.05)}, "banner", "no reply within 0.9 s"),
    Row("half a banner", {"CONNECT": then_close(b"220 mai")}, "banner", "the other side closed the connection"),
    Row("half a banner, then silence", {"CONNECT": b"220 mai"}, "banner", "no reply within 0.9 s"),
    Row(
        "554 banner",
        {"CONNECT": then_close(b"554 5.7.1 no service for you\r\n")},
        "banner",
        "554 5.7.1 no service for you",
        ("<- 554 5.7.1 no service for you",),
    ),
    Row(
        "banner in Latin-1",
        {"CONNECT": b"220 Empf\xe4nger bereit\r\n"},
        "quit",
        "",
        ("<- 220 Empf\ufffdnger bereit",),
    ),
    Row(
        "banner with escapes",
        {"CONNECT": "220 \x1b[31mred\u202e\r\n".encode()},
        "quit",
        "",
        ("<- 220 \ufffd[31mred\ufffd",),
    ),
    Row("closes after EHLO", {"EHLO": close}, "ehlo", "the other side closed the connection", ("-> EHLO",)),
    Row("EHLO refused", {"EHLO": b"502 5.5.1 no EHLO here\r\n"}, "ehlo", "502 5.5.1 no EHLO here", ("<- 502 5.5.1",)),
    Row("EHLO never ends", {"EHLO": endless(b"", b"250-X\r\n", 0.05)}, "ehlo", "no reply within 0.9 s"),
    Row("EHLO far too long", {"EHLO": endless(b"", b"250-X\r\n" * 9999)}, "ehlo", "not SMTP: "),
    Row("EHLO dropped in a line", {"EHLO": then_close(b"250-mail.exa")}, "ehlo", "the other side closed"),
    Row("EHLO mixes codes", {"EHLO": b"250-a\r\n550 no\r\n"}, "ehlo", "550 "),
    Row("no STARTTLS", {"EHLO": b"250-mail.example\r\n250 SIZE 1000\r\n"}, "starttls", "", ("<- 250 SIZE", "-> QUIT")),
    Row(
        "STARTTLS blotted out by a firewall",
        {"EHLO": b"250-mail.example\r\n250 XXXXXXXA\r\n"},
        "starttls",
        "",
        ("<- 250 XXXXXXXA",),
        {"extensions": ("XXXXXXXA",), "offers_starttls": False},
    ),
    Row("STARTTLS refused", {"STARTTLS": b"454 4.7.0 not now\r\n"}, "tls", "454 4.7.0 not now", ("<- 454 4.7.0",)),
    Row("no reply to STARTTLS", {"STARTTLS": hang}, "tls", "no reply to STARTTLS within 0.9 s", ("-> STARTTLS",)),
    Row("closes at STARTTLS", {"STARTTLS": close}, "tls", "the other side closed the connection after STARTTLS"),
    Row("closes after 220", {"STARTTLS": then_close(b"220 ok\r\n")}, "tls", "the "),
    Row("TLS stall", {"STARTTLS": ready_then_silent}, "tls", "the TLS handshake stalled (timed out)"),
    Row("plain text where TLS should be", {"STARTTLS": b"220 ok\r\n250 what?\r\n"}, "tls", "the TLS handshake "),
    Row("injection after 220", {"STARTTLS": injected}, "quit", "", (), {"auth": ("LOGIN", "XOAUTH2")}),
    # asyncio's server cuts the connection where others send an alert first: either is a failed handshake.
    Row("old TLS", {"STARTTLS": start_tls(certs.context(only="TLSv1"))}, "tls", "the TLS handshake"),
    Row("silence over TLS", {"EHLO over TLS": hang}, "ehlo-tls", "no reply within 0.9 s"),
    Row(
        "421 over TLS",
        {"EHLO over TLS": b"421 4.7.66 TLS 1.0 and 1.1 are not supported.\r\n"},
        "ehlo-tls",
        "421 4.7.66 TLS 1.0 and 1.1 are not supported.",
    ),
    Row("greeting without an address", {"EHLO over TLS": b"250 mail.example\r\n"}, "quit", "", (), {"seen_as": ""}),
    Row("no answer to QUIT", {"QUIT": silent}, "quit"),
]


def dialogue(found: Evidence[Any]) -> list[str]:
    return [f"{line.way} {line.text}" for line in found.transcript]


def in_order(lines: tuple[str, ...], said: list[str]) -> str:
    """Return the first of the lines that is not found after those before it."""
    rest = iter(said)
    return next((line for line in lines if not any(other.startswith(line) for other in rest)), "")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_door(row: Row) -> None:
    before = resident()
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(SERVICE.key, mail(row.changes))
        found = await wire.ask(door, SUBJECT, within=4.0)
        assert server.sent < 16_000_000
    seen = found.facts
    assert found.outcome == "observed", found.reason
    assert isinstance(seen, Door)
    assert seen.stage == row.stage
    assert row.trouble in seen.trouble
    assert bool(row.trouble) == bool(seen.trouble)
    assert seen.trouble_kind == next((kind for words, kind in KINDS.items() if seen.trouble.startswith(words)), "")
    assert bool(seen.trouble_kind) == (bool(seen.trouble) and not seen.trouble[:3].isdigit())
    assert seen.reached
    assert seen.local.startswith("127.0.0.1:")
    assert seen.peer == f"127.0.0.1:{server.port}"
    assert {name: getattr(seen, name) for name in row.facts} == row.facts
    assert not in_order(row.lines, dialogue(found)), dialogue(found)
    assert not any("AUTH" in line for line in server.lines), "a door is not signed in at"
    assert sum(len(line.text) for line in found.transcript) < 100_000
    assert resident() - before < 50_000_000


@pytest.mark.parametrize("busy", [1, 2, 99])
async def test_a_busy_door_is_asked_again_and_is_never_out_of_reach(busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "RETRY_AFTER", 0.05)
    monkeypatch.setattr(smtp, "RETRY_FOR", 1.0)
    greetings: list[Step] = [then_close(b"421 4.3.2 later\r\n")] * busy
    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(SERVICE.key, mail({"CONNECT": [*greetings, BANNER]}))
        found = await wire.ask(door, SUBJECT, within=4.0)
    if busy < 99:
        assert found.facts
        assert found.facts.ready
        assert len([line for line in dialogue(found) if line.startswith("<- 421")]) == busy
    else:
        assert found.outcome == "unproven"
        assert found.lacks == "service-busy"
        assert "took the connection, and was busy each of" in found.reason
        assert found.reason.endswith("421 4.3.2 later")


UNTRUSTED_ROWS = [
    ("self-signed", certs.context(trusted=False), "smtp.office365.com"),
    ("another name", certs.context("inspection.gateway.example"), "inspection.gateway.example"),
    ("expired", certs.context(days=-1), "smtp.office365.com"),
]


@pytest.mark.parametrize(
    ("context", "name"), [row[1:] for row in UNTRUSTED_ROWS], ids=[row[0] for row in UNTRUSTED_ROWS]
)
async def test_untrusted_certificate_is_looked_at_again(context: Any, name: str) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(SERVICE.key, mail({"STARTTLS": start_tls(context)}))
        found = await wire.ask(door, SUBJECT)
    assert found.facts
    assert found.facts.tls
    assert found.facts.tls.problem.startswith(UNTRUSTED)
    assert found.facts.tls.certificate
    assert found.facts.tls.certificate.subject == name
    assert server.connections == 2
    assert "** once more without checking the certificate, to see whose it is" in dialogue(found)


async def test_refused() -> None:
    async with bench() as wire:
        await wire.refuse(SERVICE.key)
        found = await wire.ask(door, SUBJECT)
    assert found.facts
    assert not found.facts.reached
    assert (found.facts.stage, found.facts.peer) == ("connect", "")
    assert found.facts.local.startswith("127.0.0.1:")  # a network team finds the attempt by its port
    assert found.facts.trouble.startswith("refused (the host answers")
    assert found.facts.trouble_kind == "refused"
    assert dialogue(found) == [f"** {SERVICE.key}: {found.facts.trouble}"]
    assert found.facts.seen == f"{SERVICE.key}: {found.facts.trouble}"


@pytest.mark.parametrize("ehlo", [b"250-x\r\n250 STARTTLS\r\n", EHLO])
async def test_one_byte_at_a_time(ehlo: bytes) -> None:
    async def slowly(conn: Conn) -> None:
        for byte in ehlo:
            await conn.send(bytes([byte]))

    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(SERVICE.key, mail({"EHLO": slowly}))
        seen = await wire.observe(door, SUBJECT)
    assert (seen.stage, seen.offers_starttls) == ("quit", True)


async def test_the_offer_tells_each_version_of_tls() -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(SERVICE.key, mail({"STARTTLS": start_tls(certs.context(only="TLSv1_2"))}))
        seen = await wire.observe(offer, SUBJECT)
    assert seen.accepted == ("TLSv1_2",)
    assert all("TLS handshake" in seen.tls[version] for version in ("TLSv1", "TLSv1_1", "TLSv1_3"))
    assert seen.auth == ("LOGIN", "XOAUTH2")


async def test_the_offer_is_blocked_by_a_door_that_is_shut() -> None:
    async with bench() as wire:
        await wire.refuse(SERVICE.key)
        found = await wire.ask(offer, SUBJECT)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-1",))
    assert found.needs[0] == f"door/{SERVICE.key}@selftest"  # and this machine's own rules, if they can be read
