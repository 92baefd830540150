"""The suite's SMTP probes against Postfix and Dovecot: other words than Exchange's, and none of them taken for its."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof.inspection import signs
from scanproof.probes import smtp
from scanproof.probes.smtp import door, sign_in, submission
from scanproof.replies import meaning
from scanproof.secrets import SENDER_PASSWORD
from scanproof.site import Service
from scanproof.subjects import DoorSubject
from selftests.harness import PASSWORD
from selftests.peers import DOVECOT, ENGINEER, POSTFIX
from selftests.peers_mail import ENDPOINT, arrived, delivery, sender, service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.evidence import Door, SignIn, Submission
    from scanproof.subjects import Delivery
    from selftests.harness import Bench
    from selftests.peers import Ground

pytestmark = pytest.mark.namespaces
DOORS = {"postfix": POSTFIX, "dovecot": DOVECOT}
DIRECT = Service(ENDPOINT, 25)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "RETRY_AFTER", 0.05)
    monkeypatch.setattr(smtp, "RETRY_FOR", 0.5)


def looking(at: Service) -> Callable[[Bench], Awaitable[Door]]:
    return lambda wire: wire.observe(door, DoorSubject(at), within=60)


def signing_in(password: str) -> Callable[[Bench], Awaitable[tuple[SignIn, str]]]:
    async def work(wire: Bench) -> tuple[SignIn, str]:
        wire.given[SENDER_PASSWORD] = password
        found = await wire.ask(sign_in, sender(), within=60)
        assert found.facts is not None, found.reason
        return found.facts, "\n".join(f"{line.way} {line.text}" for line in found.transcript)

    return work


def sending(mail: Delivery) -> Callable[[Bench], Awaitable[Submission]]:
    return lambda wire: wire.observe(submission, mail, within=60)


@pytest.mark.parametrize("peer", DOORS)
def test_the_door(mail_peers: Ground, peer: str) -> None:
    seen = mail_peers.probed(looking(service()), hosts={service().key: DOORS[peer]})
    assert (seen.reached, seen.stage, seen.trouble) == (True, "quit", "")
    assert (seen.local.rpartition(":")[0], seen.peer) == (ENGINEER, f"{DOORS[peer]}:587")
    assert seen.banner is not None
    assert seen.banner.code == 220
    assert peer in seen.banner.text.casefold()
    assert seen.offers_starttls
    assert "STARTTLS" not in seen.tls_extensions
    assert seen.auth == ("PLAIN", "LOGIN")
    assert seen.seen_as == ""  # neither tells a client its address: none may be made up
    assert seen.tls is not None
    assert (seen.tls.version, seen.tls.problem) == ("TLSv1.3", "")
    assert seen.tls.certificate is not None
    assert seen.tls.certificate.issuer == "Authority of the tests"
    # Everything is as it should be but for whose server it is.
    assert signs(seen) == ["the banner is not the service's own"]


def test_the_endpoint_offers_no_sign_in(mail_peers: Ground) -> None:
    seen = mail_peers.probed(looking(DIRECT), hosts={DIRECT.key: POSTFIX})
    assert (seen.stage, seen.auth, seen.tls and seen.tls.problem) == ("quit", (), "")


@pytest.mark.parametrize("peer", DOORS)
def test_a_good_password(mail_peers: Ground, peer: str) -> None:
    seen, transcript = mail_peers.probed(signing_in(PASSWORD), hosts={service().key: DOORS[peer]})
    assert (seen.signed_in, seen.mechanism, seen.tls, seen.attempts) == (True, "LOGIN", "TLSv1.3", ())
    assert PASSWORD not in transcript


@pytest.mark.parametrize("peer", DOORS)
def test_a_wrong_password_is_tried_once_and_is_not_read_as_exchange_s(mail_peers: Ground, peer: str) -> None:
    seen, transcript = mail_peers.probed(signing_in("not-the-password"), hosts={service().key: DOORS[peer]})
    assert seen.reply is not None
    assert (seen.signed_in, seen.waits, seen.stage, seen.reply.code) == (False, False, "auth", 535)
    assert seen.reply.text.startswith("5.7.8 ")
    assert transcript.count("-> AUTH") == 1
    why = meaning(seen.reply)
    assert why.name == "unknown"
    assert why.remedy == f"look up: {seen.reply.seen}"


@pytest.mark.parametrize("peer", DOORS)
def test_a_mail_lies_in_the_mailbox(mail_peers: Ground, peer: str) -> None:
    mail = delivery()
    seen = mail_peers.probed(sending(mail), hosts={service().key: DOORS[peer]})
    assert (seen.accepted, seen.tls) == (True, "TLSv1.3"), seen.seen
    message = arrived(mail_peers, seen.message_id)
    assert message["Subject"] == f"Scanproof test {seen.token}"
    assert "by smtp-auth through smtp.office365.com:587" in message.get_content()


def test_a_mail_by_direct_send_lies_in_the_mailbox(mail_peers: Ground) -> None:
    seen = mail_peers.probed(sending(delivery(route="direct-send")), hosts={DIRECT.key: POSTFIX})
    assert (seen.accepted, seen.tls) == (True, "TLSv1.3"), seen.seen
    assert f"from [{ENGINEER}] (unknown [{ENGINEER}])" in arrived(mail_peers, seen.message_id)["Received"]


REFUSED = {
    "unknown recipient": ("nobody@northfield.example", 550, "5.1.1 ", "unknown-recipient"),
    "not for outside": ("someone@outside.example", 554, "5.7.1 ", "unknown"),
    "denied": ("denied@northfield.example", 554, "5.7.1 ", "unknown"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_recipient_that_is_refused(mail_peers: Ground, why: str) -> None:
    recipient, code, text, name = REFUSED[why]
    seen = mail_peers.probed(sending(delivery(recipient, "direct-send")), hosts={DIRECT.key: POSTFIX})
    assert seen.reply is not None
    assert (seen.accepted, seen.waits, seen.stage, seen.reply.code) == (False, False, "rcpt", code)
    assert seen.reply.text.startswith(text)
    assert meaning(seen.reply).name == name


def test_a_refusal_through_another_server_is_seen_whole(mail_peers: Ground) -> None:
    """Dovecot hands over what Postfix said."""
    seen = mail_peers.probed(sending(delivery("nobody@northfield.example")), hosts={service().key: DOVECOT})
    assert seen.reply is not None
    assert (seen.stage, seen.reply.code, meaning(seen.reply).name) == ("rcpt", 550, "unknown-recipient")


def test_a_recipient_that_is_deferred_is_tried_again_and_waits(mail_peers: Ground) -> None:
    seen = mail_peers.probed(sending(delivery("busy@northfield.example", "direct-send")), hosts={DIRECT.key: POSTFIX})
    assert seen.reply is not None
    assert (seen.waits, seen.stage, seen.reply.code // 100) == (True, "rcpt", 4)
    assert seen.attempts
