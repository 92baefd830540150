"""This machine reaches the copiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import Ping, WebPage
    from scanproof.site import Copier

pytestmark = pytest.mark.reach


@pytest.mark.requirement("NET-1", "copier {it.label} answers ping", level="advice")
def test_answers_ping(copier: Copier, ping: Ping, expect: Expect) -> None:
    """An ICMP echo reply from the copier's own address."""
    expect(
        ping.received > 0,
        expected=f"an echo reply from {copier.address}",
        observed=ping.seen,
        remedy="check power, cable and address at the copier, or whether a rule drops ICMP on the way",
    )


@pytest.mark.requirement("NET-2", "copier {it.label} answers on HTTP", level="advice")
def test_answers_on_http(copier: Copier, http_page: WebPage, expect: Expect) -> None:
    """A connection to TCP 80 and a response; a redirect to HTTPS counts, and is shown."""
    expect(
        http_page.status is not None and http_page.status < 500,
        expected=f"a response from {copier.address} on TCP 80",
        observed=http_page.seen,
        remedy="check at the copier whether its web server and HTTP are on, and at the firewall whether TCP 80 is open",
    )


@pytest.mark.requirement("NET-3", "copier {it.label} answers on HTTPS", level="advice")
def test_answers_on_https(copier: Copier, https_page: WebPage, expect: Expect) -> None:
    """A connection to TCP 443, a handshake (any certificate, TLS 1.0 too) and a response."""
    expect(
        https_page.status is not None and https_page.status < 500,
        expected=f"a TLS handshake and a response from {copier.address} on TCP 443",
        observed=https_page.seen,
        remedy="check whether SSL/TLS is on at the copier and has a certificate, and whether a firewall drops TCP 443",
    )


@pytest.mark.requirement("NET-4", "copier {it.label} can be reached for administration", level="blocker")
def test_can_be_administered(copier: Copier, http_page: WebPage, https_page: WebPage, expect: Expect) -> None:
    """Its web page answers on HTTP or on HTTPS."""
    expect(
        any(page.status is not None and page.status < 500 for page in (http_page, https_page)),
        expected=f"the web page of {copier.address} by HTTP or HTTPS",
        observed=f"{http_page.seen}; {https_page.seen}",
        remedy=remedies.web(http_page, https_page),
    )
