"""Names: MX, SPF and DMARC, against the tenant's own records; what the site states where those can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import Alignment, MailRecords, Spf
    from scanproof.subjects import Domain, DomainEgress
    from scanproof.tenant.facts import MailHosts

pytestmark = pytest.mark.dns


@pytest.mark.requirement("DNS-1", "mail for {it.label} reaches the tenant", level="as used")
def test_mail_reaches_the_tenant(
    domain: Domain, public_records: MailRecords, mail_hosts: MailHosts, expect: Expect
) -> None:
    """The public MX is a host that the tenant takes the domain's mail on, or a gateway that the site declares."""
    expect.proven(public_records.mx.told, public_records.mx.seen, remedies.look_up(public_records.mx))
    expect(
        bool(public_records.mx_hosts) and set(public_records.mx_hosts) <= set(mail_hosts.hosts),
        expected=f"MX of {domain.key}: {mail_hosts.seen}",
        observed=public_records.mx.seen,
        remedy="point the domain's MX to the tenant endpoint; or declare the gateway in front as [mail] gateway",
        grade=mail_hosts.grade,
    )


@pytest.mark.requirement("DNS-2", "SPF lets mail of {it.label} pass", level="as used")
def test_spf_passes(domain_egress: DomainEgress, spf_check: Spf, mail_hosts: MailHosts, expect: Expect) -> None:
    """One SPF record, which passes the site's public address within ten look-ups and includes the tenant's servers."""
    expect.proven(spf_check.result != "temperror", spf_check.trouble, "run again, when the resolver answers")
    expect(
        spf_check.result == "pass" and spf_check.has_terms(mail_hosts.includes),
        expected=f"one SPF record that passes {spf_check.address} and includes Microsoft's servers",
        observed=spf_check.seen,
        remedy=remedies.spf(spf_check),
        grade=mail_hosts.grade if mail_hosts.includes else "",
    )


@pytest.mark.requirement("DNS-3", "inside and outside agree on the mail hosts of {it.label}", level="blocker")
def test_inside_and_outside_agree(
    domain: Domain, site_records: MailRecords, public_records: MailRecords, expect: Expect
) -> None:
    """The site's resolver and a public one give the same MX hosts."""
    for mx in (site_records.mx, public_records.mx):
        expect.proven(mx.told, mx.seen, remedies.look_up(mx))
    expect(
        site_records.mx_hosts == public_records.mx_hosts,
        expected="the same MX hosts inside and outside",
        observed=f"inside: {site_records.mx.seen}; outside: {public_records.mx.seen}",
        remedy=remedies.inside_zone(domain, site_records, public_records),
    )


@pytest.mark.requirement("DNS-4", "DMARC will not reject scans as {it.label}", level="advice")
def test_dmarc_will_not_reject(domain: Domain, alignment: Alignment, expect: Expect) -> None:
    """Under the published policy, each address that sends unsigned mail passes SPF, which aligns."""
    expect.proven(alignment.told, alignment.seen, remedies.look_up(alignment.record))
    expect(
        alignment.policy in {"", "none"} or all(check.result == "pass" for check in alignment.spf),
        expected="no policy that rejects or quarantines, or SPF passing for each address that sends unsigned mail",
        observed=alignment.seen,
        remedy="make SPF pass for these addresses (DNS-2): a copier signs nothing, so SPF is all there is",
    )
