"""Mail that arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies
from scanproof.routes import agree

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.devices.facts import Scan
    from scanproof.evidence import Arrival
    from scanproof.site import Copier, Site
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


@pytest.mark.requirement("DLV-2", "a scan from copier {it.label} arrives", level="blocker")
def test_scan_arrives(representative: Copier, scan: Scan, expect: Expect) -> None:
    """A mail since the last change that is this copier's, in the Inbox, with a readable page, by its route."""
    expect(scan.folder == "Inbox", expected="the scan in an Inbox", observed=scan.seen, remedy=remedies.stray(scan))
    expect(
        agree(scan.signs, representative.route),
        expected=f"two headers that agree on {representative.route}",
        observed=scan.seen,
        remedy=remedies.OTHER_ROUTE,
        grade="from-copier",
    )
    expect.proven(not scan.unread, scan.seen, remedies.READ_MAIL)
    expect(
        scan.pages > 0,
        expected="a PDF, TIFF or JPEG with at least one page",
        observed=scan.seen,
        remedy=remedies.EMPTY,
    )
    expect.proven(not scan.doubted, scan.doubted, remedies.SCAN_AGAIN)


@pytest.mark.requirement("DLV-3", "scans from copier {it.label} arrive fast enough", level="advice")
def test_scans_arrive_fast(representative: Copier, scan: Scan, site: Site, expect: Expect) -> None:
    """From the mail's own Date to its arrival, within the site's arrival deadline."""
    took = scan.seconds
    expect.proven(took is not None and took > -60, scan.seen, "set the copier's clock (DEV-10)")
    expect(
        (took or 0) <= site.file.mail.arrival_deadline,
        expected=f"at most {site.file.mail.arrival_deadline:g} s",
        observed=f"{took:.0f} s; {scan.seen}",
        remedy="see whether the copier's clock is right (DEV-10); then the message trace for where it waited",
    )
