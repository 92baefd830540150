"""The mail service's dialogue: signing in, and handing a mail over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies
from scanproof.replies import meaning

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import Offer, SignIn, Submission
    from scanproof.subjects import DoorSubject, SenderSubject, Sending

pytestmark = pytest.mark.smtp


@pytest.mark.requirement("SMTP-1", "sender {it.label} can log in", level="as used")
def test_sender_can_log_in(sender: SenderSubject, sign_in: SignIn, expect: Expect) -> None:
    """TLS 1.2 or newer, then AUTH answered by 235, from a named vantage."""
    why = meaning(sign_in.reply, sender.key)
    expect.proven(not sign_in.waits, f"{sign_in.seen} ({why.means})", why.remedy)
    expect(
        sign_in.signed_in,
        expected=f"235 for {sender.sender.address} by {sign_in.mechanism} over TLS",
        observed=sign_in.seen if sign_in.signed_in else f"{sign_in.seen} ({why.means})",
        remedy=remedies.sign_in(sign_in, why),
    )


@pytest.mark.requirement("SMTP-2", "the service accepts a mail from {it.label}", level="as used")
def test_service_accepts_mail(sending: Sending, first_submission: Submission, expect: Expect) -> None:
    """A whole transaction to 250 after the data; the reply classified by its sentence."""
    sent, why = first_submission, meaning(first_submission.reply, sending.sender.address)
    expect.proven(not sent.waits, f"{sent.seen} ({why.means})", why.remedy)
    expect(
        sent.accepted,
        expected=f"250 for a test mail to {sending.first.recipient.address} at {sending.service.key}",
        observed=sent.seen if sent.accepted else f"{sent.seen} ({why.means})",
        remedy=why.remedy,
    )


@pytest.mark.requirement("SMTP-3", "{it.label} offers what old copiers need", level="advice")
def test_offers_what_old_copiers_need(submission_door: DoorSubject, offer: Offer, expect: Expect) -> None:
    """TLS 1.2, and AUTH LOGIN, which is all that many copiers speak."""
    expect(
        offer.accepts("TLSv1_2") and "LOGIN" in offer.auth,
        expected=f"TLS 1.2 and AUTH LOGIN at {submission_door.key}",
        observed=offer.seen,
        remedy="copiers that speak nothing newer need another route: direct send or a relay connector on port 25",
    )
