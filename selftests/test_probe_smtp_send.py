"""Signing in and handing a mail over, at services that refuse, delay, cut and shout."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.probes import smtp
from scanproof.probes.smtp import sign_in, submission
from scanproof.replies import meaning
from scanproof.secrets import CLIENT_SECRET, SENDER_PASSWORD
from scanproof.site import Service
from scanproof.subjects import Delivery, SenderSubject
from selftests import certs
from selftests.harness import PASSWORD, Conn, bench, demo, hang
from selftests.mailserver import Step, close, data_then, mail, start_tls, then_close

if TYPE_CHECKING:
    from scanproof.kinds import Evidence

pytestmark = pytest.mark.filterwarnings("error")

SUBMISSION = Service("smtp.office365.com", 587)
ENDPOINT = Service("northfield-example.mail.protection.outlook.com", 25)
SCAN, REPORTS = (SenderSubject(sender, SUBMISSION) for sender in demo().file.sender)
SIGNED = Delivery(SCAN.sender, "smtp-auth", SUBMISSION, demo().recipients[0])
DIRECT = Delivery(SCAN.sender, "direct-send", ENDPOINT, demo().recipients[0])
WRONG = (
    b"535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [HOST 2026-07-01T01:57:31.695Z 0A]"
)
BUSY = b"432 4.3.2 Concurrent connections limit exceeded.\r\n"
CLOSED = "the other side closed the connection"

Steps = dict[str, Step | list[Step]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry sooner, and not as long."""
    monkeypatch.setattr(smtp, "RETRY_AFTER", 0.05)
    monkeypatch.setattr(smtp, "RETRY_FOR", 1.0)


@dataclass(frozen=True)
class Row:
    """A change of the good script, and what the evidence must say."""

    name: str
    changes: Steps
    code: int | None
    stage: str
    trouble: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    tries: int = 1  # how often the server was asked
    name_of: str = ""  # the meaning that scanproof/replies.py gives it


def quiet(found: Evidence[Any]) -> None:
    """Fail where the transcript holds what belongs to a sign-in."""
    text = "\n".join(line.text for line in found.transcript)
    for secret in (PASSWORD, "scan@northfield.example-token"):
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in text
    assert base64.b64encode(SCAN.sender.address.encode()).decode().rstrip("=") not in text
    assert "UGFzc3dvcmQ6" not in text, "a challenge may repeat the user's name"


SIGN_INS = [
    Row("good", {}, 235, "auth", facts={"signed_in": True, "waits": False, "tls": "TLSv1.3", "attempts": ()}),
    Row("wrong password", {"password": WRONG + b"\r\n"}, 535, "auth", name_of="wrong-credentials"),
    Row(
        "SMTP AUTH off",
        {"AUTH": b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n"},
        535,
        "auth",
        name_of="smtp-auth-off-tenant",
    ),
    Row("no reason given", {"password": b"535 5.7.3 Authentication unsuccessful\r\n"}, 535, "auth"),
    Row(
        "AUTH not offered",
        {"AUTH": b"504 5.7.4 Unrecognized authentication type\r\n"},
        504,
        "auth",
        name_of="mechanism",
    ),
    Row(
        "busy twice, then good",
        {"password": [BUSY, BUSY, b"235 2.7.0 ok\r\n"]},
        235,
        "auth",
        facts={"attempts": ("432 4.3.2 Concurrent connections limit exceeded.",) * 2},
        tries=3,
    ),
    Row(
        "421 and close, then good",
        {"AUTH": [then_close(b"421 4.4.2 later\r\n"), b"235 2.7.0 ok\r\n"]},
        235,
        "auth",
        facts={"attempts": ("421 4.4.2 later",)},
        tries=2,
    ),
    Row("busy for ever", {"password": BUSY}, 432, "auth", facts={"waits": True, "signed_in": False}, tries=0),
    Row("closes in AUTH", {"AUTH": close}, None, "auth", CLOSED),
    Row("closes after the password", {"password": close}, None, "auth", CLOSED),
    Row("silence after the password", {"password": hang}, None, "auth", "no reply within 0.9 s"),
    Row("garbage after the password", {"password": b"what?\r\n"}, None, "auth", "not SMTP: "),
    Row("long reply", {"password": b"535 " + b"x" * 7000 + b"\r\n"}, 535, "auth"),
    Row("escapes", {"password": b"535 \x1b[2J\xff" + b"\r\n"}, 535, "auth"),
    Row("235 to the name already", {"AUTH": b"235 2.7.0 ok\r\n"}, 235, "auth", facts={"signed_in": True}),
]


@pytest.mark.parametrize("row", SIGN_INS, ids=lambda row: row.name)
async def test_sign_in(row: Row) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(SUBMISSION.key, mail(row.changes))
        found = await wire.ask(sign_in, SCAN)
    seen = found.facts
    assert found.outcome == "observed", found.reason
    assert seen
    assert (seen.mechanism, seen.stage) == ("LOGIN", row.stage)
    assert (seen.reply.code if seen.reply else None) == row.code
    assert row.trouble in seen.trouble
    assert bool(row.trouble) == bool(seen.trouble)
    assert len(seen.reply.text if seen.reply else "") < 2100
    assert {name: getattr(seen, name) for name in row.facts} == row.facts
    assert server.said("AUTH") == (row.tries or len(seen.attempts) + 1)
    assert row.name_of in {"", meaning(seen.reply).name}
    assert [what for _, _, what in wire.kept.intents] == ["sign in as scan@northfield.example"]
    assert "-> AUTH LOGIN [not shown]" in [f"{line.way} {line.text}" for line in found.transcript]
    quiet(found)


@pytest.mark.parametrize(
    ("changes", "outcome", "by"),
    [
        ({"CONNECT": hang}, "blocked", "EGR-1"),
        ({"CONNECT": then_close(b"554 5.7.1 no service for you\r\n")}, "blocked", "EGR-1"),
        ({"CONNECT": b"421 4.3.2 later\r\n"}, "unproven", ""),
        ({"EHLO": b"250 mail.example\r\n"}, "blocked", "EGR-3"),
        ({"STARTTLS": start_tls(certs.context(trusted=False))}, "blocked", "EGR-3"),
        ({"EHLO over TLS": close}, "blocked", "EGR-3"),
    ],
    ids=["no banner", "554 banner", "421 banner", "no STARTTLS", "untrusted", "cut after TLS"],
)
async def test_no_password_goes_through_a_door_that_is_not_right(changes: Steps, outcome: str, by: str) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(SUBMISSION.key, mail(changes))
        found = await wire.ask(sign_in, SCAN)
    assert (found.outcome, found.blocked_by) == (outcome, (by,) if by else ())
    assert not server.said("AUTH")
    assert not wire.kept.intents


async def test_a_refused_door_blocks() -> None:
    async with bench() as wire:
        await wire.refuse(SUBMISSION.key)
        found = await wire.ask(sign_in, SCAN)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-1",))
    assert "refused (the host answers" in found.reason


async def test_a_door_that_offers_nothing_says_so() -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(SUBMISSION.key, mail({"EHLO over TLS": b"250 mail.example\r\n"}))
        found = await wire.ask(sign_in, SCAN)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-3",))
    assert found.reason == "smtp.office365.com:587 offers nothing after STARTTLS, not even to sign in"


@pytest.mark.parametrize(
    ("owner", "missing"), [(SCAN, SENDER_PASSWORD), (REPORTS, CLIENT_SECRET)], ids=["basic", "oauth"]
)
async def test_a_missing_secret_is_unproven_and_says_how_to_supply_it(owner: SenderSubject, missing: str) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        wire.given.clear()
        server = await wire.serve(SUBMISSION.key, mail())
        found = await wire.ask(sign_in, owner)
    assert found.outcome == "unproven"
    assert missing in found.remedy
    assert "environment variable" in found.remedy
    assert not server.said("AUTH")
    assert not wire.kept.intents


SENDS = [
    Row("good", {}, 250, "accepted", facts={"accepted": True, "waits": False}),
    Row(
        "recipient unknown",
        {"RCPT": b"550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [HOST]\r\n"},
        550,
        "rcpt",
        name_of="unknown-recipient",
    ),
    Row(
        "send as denied",
        {"DATA": data_then(b"554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example\r\n")},
        554,
        "data",
        name_of="send-as",
    ),
    Row(
        "no sign-in",
        {"MAIL": b"530 5.7.57 Client not authenticated to send mail.\r\n"},
        530,
        "mail",
        name_of="not-signed-in",
    ),
    Row("DATA refused", {"DATA": b"503 5.5.1 bad sequence\r\n"}, 503, "data"),
    Row(
        "rate, then good", {"MAIL": [b"421 4.4.2 Message submission rate\r\n", b"250 ok\r\n"]}, 250, "accepted", tries=2
    ),
    Row("rate for ever", {"RCPT": BUSY}, 432, "rcpt", facts={"waits": True}, tries=0),
    Row("closes in MAIL", {"MAIL": close}, None, "mail", CLOSED),
    Row("closes after the data", {"DATA": data_then(b"")}, None, "data", "no reply within 0.9 s"),
    Row("silence at DATA", {"DATA": hang}, None, "data", "no reply within 0.9 s"),
    Row("escapes of 10 kB", {"RCPT": b"550-" + b"\x1b[31m" * 1200 + b"\r\n550 \xff\r\n"}, 550, "rcpt"),
    Row("line too long", {"RCPT": b"550 " + b"y" * 10_000 + b"\r\n"}, None, "rcpt", "not SMTP: "),
    Row("251 forwards", {"RCPT": b"251 ok, elsewhere\r\n"}, 250, "accepted"),
]


@pytest.mark.parametrize("route", ["smtp-auth", "direct-send"])
@pytest.mark.parametrize("row", SENDS, ids=lambda row: row.name)
async def test_submission(row: Row, route: str) -> None:
    subject = SIGNED if route == "smtp-auth" else DIRECT
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(subject.service.key, mail(row.changes))
        found = await wire.ask(submission, subject)
    seen = found.facts
    assert found.outcome == "observed", found.reason
    assert seen
    assert seen.stage == row.stage
    assert (seen.reply.code if seen.reply else None) == row.code
    assert row.trouble in seen.trouble
    assert bool(row.trouble) == bool(seen.trouble)
    assert {name: getattr(seen, name) for name in row.facts} == row.facts
    assert server.said("MAIL FROM:<SCAN@NORTHFIELD.EXAMPLE>") == (row.tries or len(seen.attempts) + 1)
    assert row.name_of in {"", meaning(seen.reply).name}
    assert (seen.handed_over is not None) == seen.accepted
    assert seen.token.startswith("selftest-")
    assert seen.message_id == f"<scanproof-{seen.token}@northfield.example>"
    sent = [what for kind, _, what in wire.kept.intents if kind == "submission"]
    assert sent == [f"send {seen.message_id} to scan-proof@northfield.example by {route}"]
    assert not any("\x1b" in line.text for line in found.transcript)
    assert sum(len(line.text) for line in found.transcript) < 50_000
    quiet(found)


@pytest.mark.parametrize("subject", [SIGNED, DIRECT], ids=["smtp-auth", "direct-send"])
async def test_no_send_makes_no_connection(subject: Delivery) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        wire.sends_mail = False
        server = await wire.serve(subject.service.key, mail())
        found = await wire.ask(submission, subject)
    assert (found.outcome, found.remedy) == ("unproven", "run without --no-send")
    assert (server.connections, wire.kept.intents) == (0, [])


async def test_a_refused_sign_in_blocks_the_mail_and_is_not_tried_again() -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        server = await wire.serve(SUBMISSION.key, mail({"password": WRONG + b"\r\n"}))
        second = Delivery(SCAN.sender, "smtp-auth", SUBMISSION, demo().recipients[1])
        plan: list[tuple[Any, Any]] = [(submission, SIGNED), (submission, second), (sign_in, SCAN)]
        await wire.gatherer().collect(plan, deadline=5)
    found = {
        evidence.id.partition("@")[0]: evidence for evidence in wire.kept.evidence if evidence.kind == "submission"
    }
    assert {evidence.blocked_by for evidence in found.values()} == {("SMTP-1",)}
    assert server.said("AUTH") == 1, "a wrong password is tried once"
    assert not server.said("MAIL")


async def test_an_unreached_endpoint_blocks_direct_send() -> None:
    async with bench() as wire:
        await wire.refuse(ENDPOINT.key)
        found = await wire.ask(submission, DIRECT)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-2",))
    assert not wire.kept.intents


@pytest.mark.parametrize("at_first", [hang, then_close(b"554 5.7.1 no service for you\r\n")], ids=["mute", "554"])
async def test_an_endpoint_that_is_not_ready_blocks_direct_send(at_first: Step) -> None:
    async with bench() as wire:
        server = await wire.serve(ENDPOINT.key, mail({"CONNECT": at_first}))
        found = await wire.ask(submission, DIRECT)
    assert (found.outcome, found.blocked_by) == ("blocked", ("EGR-2",))
    assert server.connections == 1


async def test_a_message_with_dots_is_whole() -> None:
    taken: list[bytes] = []

    async def take(conn: Conn) -> None:
        await conn.send(b"354 go on\r\n")
        while (line := await conn.reader.readline()) not in {b".\r\n", b""}:
            taken.append(line)
        await conn.send(b"250 ok\r\n")

    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(ENDPOINT.key, mail({"DATA": take}))
        seen = await wire.observe(submission, DIRECT)
    headers = b"".join(taken).partition(b"\r\n\r\n")[0]
    assert f"Message-ID: {seen.message_id}".encode() in headers
    assert f"Subject: Scanproof test {seen.token}".encode() in headers
    assert b"Auto-Submitted: auto-generated" in headers
    assert all(line.endswith(b"\r\n") for line in taken)
