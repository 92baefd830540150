"""Faults of the mail domain's DNS: MX, SPF, DMARC, and name servers that disagree or are silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import both, deliveries, domain, fault, spf_of, transactions
from lab.zones import MICROSOFT_SPF, dmarc, spf

if TYPE_CHECKING:
    from lab.estate import Estate

# The policy of the healthy site is quarantine: mail whose SPF fails is not delivered, and DNS-4 says so.
_SPF_BROKEN = both(spf_of(), domain("DNS-4"), deliveries("direct-send"))


@fault("mx-retired", layer="dns", cause="mx-not-tenant", breaks=domain("DNS-1"))
def _(estate: Estate) -> None:
    """The domain's MX is still the retired server."""
    estate.zones.set(estate.plan.domain, "MX", [f"10 {estate.plan.retired_host}"])


@fault("mx-missing", layer="dns", cause="mx-not-tenant", breaks=domain("DNS-1"))
def _(estate: Estate) -> None:
    """The domain has no MX."""
    estate.zones.set(estate.plan.domain, "MX", [])


@fault("split-brain-mx", layer="dns", cause="split-dns", breaks=domain("DNS-3"))
def _(estate: Estate) -> None:
    """The site's resolver still gives the retired server as the MX; the public one gives the tenant."""
    estate.zones.set(estate.plan.domain, "MX", [f"10 {estate.plan.retired_host}"], views=("inside",))


@fault("spf-missing", layer="dns", cause="spf", breaks=_SPF_BROKEN)
def _(estate: Estate) -> None:
    """The domain has no SPF record."""
    estate.zones.set(estate.plan.domain, "TXT", ["a-verification-of-something=1"])


@fault("spf-twice", layer="dns", cause="spf", breaks=_SPF_BROKEN)
def _(estate: Estate) -> None:
    """The domain has two SPF records, the retired server's and the new one."""
    old = f"v=spf1 a:{estate.plan.retired_host} -all"
    estate.zones.set(estate.plan.domain, "TXT", [old, spf(estate.plan)])


@fault("spf-too-many-lookups", layer="dns", cause="spf", breaks=_SPF_BROKEN)
def _(estate: Estate) -> None:
    """The domain's SPF record needs more than ten look-ups."""
    others = [f"spf{number}.mailers.example" for number in range(1, 12)]
    for number, name in enumerate(others, 1):
        estate.zones.set(name, "TXT", [f"v=spf1 ip4:192.0.2.{number} -all"])
    own = " ".join(f"ip4:{address}" for address in estate.plan.public_addresses)
    includes = " ".join(f"include:{name}" for name in others)
    estate.zones.set(estate.plan.domain, "TXT", [f"v=spf1 {includes} {own} include:{MICROSOFT_SPF} ~all"])


@fault("spf-lacks-one-site", layer="dns", cause="spf", breaks=both(spf_of(last_only=True), domain("DNS-4")))
def _(estate: Estate) -> None:
    """The SPF record lacks one of the site's public addresses, that of another subnet than the engineer's."""
    record = spf(estate.plan, without=estate.plan.public_addresses[-1:])
    estate.zones.set(estate.plan.domain, "TXT", [record])


@fault(
    "dmarc-rejects",
    layer="dns",
    cause="dmarc",
    breaks=both(spf_of(), domain("DNS-4"), transactions("direct-send")),
)
def _(estate: Estate) -> None:
    """DMARC says reject while the SPF record is missing: scans by direct send are refused."""
    estate.zones.set(estate.plan.domain, "TXT", [])
    estate.zones.set(f"_dmarc.{estate.plan.domain}", "TXT", [dmarc("reject", estate.plan.domain)])


@fault("dmarc-rejects-one-site", layer="dns", cause="dmarc", breaks=both(spf_of(last_only=True), domain("DNS-4")))
def _(estate: Estate) -> None:
    """DMARC says reject while the SPF record lacks one of the site's public addresses."""
    record = spf(estate.plan, without=estate.plan.public_addresses[-1:])
    estate.zones.set(estate.plan.domain, "TXT", [record])
    estate.zones.set(f"_dmarc.{estate.plan.domain}", "TXT", [dmarc("reject", estate.plan.domain)])


@fault("dmarc-strict", layer="dns", cause=None)
def _(estate: Estate) -> None:
    """DMARC says reject and the SPF record is right: nothing is refused."""
    estate.zones.set(f"_dmarc.{estate.plan.domain}", "TXT", [dmarc("reject", estate.plan.domain)])


@fault(
    "public-resolver-silent",
    layer="dns",
    cause="resolver-silent",
    unproves=both(domain("DNS-1", "DNS-3", "DNS-4"), spf_of()),
)
def _(estate: Estate) -> None:
    """The public name server does not answer, which says nothing about what it would have answered."""
    for resolver in estate.resolvers.values():
        resolver.silent = resolver.view == "outside"
