"""Mail that arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies
from scanproof.routes import agree

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import Arrival
    from scanproof.subjects import Delivery

pytestmark = pytest.mark.delivery


@pytest.mark.requirement("DLV-1", "a test mail from {it.label} arrives", level="blocker")
def test_mail_arrives(delivery: Delivery, arrival: Arrival, expect: Expect) -> None:
    """Found in the Inbox within the deadline (Junk and quarantine fail), its route shown by two agreeing headers."""
    expect(
        arrival.folder == "Inbox",
        expected=f"the test mail in the Inbox of {delivery.recipient.address}",
        observed=arrival.seen,
        remedy=remedies.arrival(arrival),
    )
    expect(
        agree(arrival.signs, delivery.route),
        expected=f"two headers that agree on {delivery.route}",
        observed=arrival.seen,
        remedy=remedies.another_way(arrival, delivery.route),
    )
