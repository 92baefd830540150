"""Two requirements of one office: certificates that have not expired, and a print port that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import WebPage
    from scanproof.probes.raw_print import RawPrint
    from scanproof.site import Copier, Site

pytestmark = pytest.mark.reach


@pytest.mark.requirement("OWN-1", "copier {it.label}'s certificate has not expired", level="advice")
def test_certificate_has_not_expired(copier: Copier, https_page: WebPage, site: Site, expect: Expect) -> None:
    """The certificate that the web page shows is valid at the moment of the run."""
    certificate = https_page.tls.certificate if https_page.tls else None
    expect.proven(certificate is not None, https_page.seen, "see NET-3: no certificate was shown")
    assert certificate
    expect(
        certificate.not_before <= site.now <= certificate.not_after,
        expected=f"a certificate of {copier.address} that is valid on {site.now:%Y-%m-%d}",
        observed=f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}",
        remedy="make a new certificate on the copier's web page",
    )


@pytest.mark.requirement("OWN-2", "copier {it.label} takes print jobs", level="advice")
def test_takes_print_jobs(copier: Copier, raw_print: RawPrint, expect: Expect) -> None:
    """A connection to TCP 9100, where print servers send jobs; nothing is printed."""
    expect(
        raw_print.connected,
        expected=f"a connection to {copier.address} on TCP 9100",
        observed=raw_print.seen,
        remedy="turn the raw print port on, or take this copier out of the print server's queues",
    )
