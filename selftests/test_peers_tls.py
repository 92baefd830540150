"""The suite's TLS against Postfix: versions that it takes, and a certificate that nobody vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof.inspection import signs
from scanproof.probes.smtp import door, offer, sign_in
from scanproof.subjects import DoorSubject, SenderSubject
from selftests.peers import DOVECOT, POSTFIX
from selftests.peers_mail import OLD, ONLY_12, ONLY_13, SENDER, UNTRUSTED, service

if TYPE_CHECKING:
    from scanproof.evidence import Door, Offer, SignIn
    from scanproof.kinds import Evidence
    from selftests.harness import Bench
    from selftests.peers import Ground

pytestmark = pytest.mark.namespaces

VERSIONS = ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")
ACCEPTED = {
    "postfix": (POSTFIX, 587, VERSIONS[2:]),
    "dovecot": (DOVECOT, 587, VERSIONS[2:]),
    "all": (POSTFIX, OLD, VERSIONS),
    "1.2 only": (POSTFIX, ONLY_12, VERSIONS[2:3]),
    "1.3 only": (POSTFIX, ONLY_13, VERSIONS[3:]),
}


@pytest.mark.parametrize("which", ACCEPTED)
def test_versions(mail_peers: Ground, which: str) -> None:
    address, port, versions = ACCEPTED[which]

    async def work(wire: Bench) -> Offer:
        return await wire.observe(offer, DoorSubject(service(port)), within=60)

    seen = mail_peers.probed(work, hosts={service(port).key: address})
    assert seen.accepted == versions
    assert seen.auth == ("PLAIN", "LOGIN")
    for version in set(VERSIONS) - set(versions):
        assert "TLS handshake" in seen.tls[version]


def test_a_certificate_that_nobody_vouches_for(mail_peers: Ground) -> None:
    at = service(UNTRUSTED)

    async def work(wire: Bench) -> tuple[Door, Evidence[SignIn]]:
        seen = await wire.observe(door, DoorSubject(at), within=60)
        return seen, await wire.ask(sign_in, SenderSubject(SENDER, at), within=60)

    seen, signed = mail_peers.probed(work, hosts={at.key: POSTFIX})
    assert seen.tls is not None
    assert seen.tls.problem.startswith("the certificate is not trusted: self-signed")
    assert seen.tls.certificate is not None
    assert seen.tls.certificate.subject == "smtp.office365.com"
    assert f"{seen.tls.problem} (issued by “smtp.office365.com”)" in signs(seen)
    # No password goes there.
    assert (signed.outcome, signed.blocked_by) == ("blocked", ("EGR-3",))
    assert not any("AUTH" in line.text for line in signed.transcript)
