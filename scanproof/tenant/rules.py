"""What settings of the tenant mean for a site: the decisions that take more than one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.tenant import permissions
from scanproof.tenant.facts import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.site import Site, Subnet
    from scanproof.tenant.facts import Granted, Inbound, Inward, Outbound, Outward

__all__ = [
    "NEVER",
    "behind",
    "by_certificate",
    "direct_send_open",
    "direct_send_stopped",
    "locking",
    "more_than_reading",
    "relaying",
    "still_pointing",
    "to_retired",
    "unheld",
    "unknown_senders",
    "unnamed",
]


def _direct_subnets(site: Site) -> list[Subnet]:
    """Return the subnets that send without a sign-in; all of them where no copier does so yet."""
    using = {copier.subnet for copier in site.copiers if copier.route == "direct-send"}
    return [subnet for subnet in site.subnets if subnet.prefix in using] or list(site.subnets)


def direct_senders(site: Site) -> list[str]:
    """Return the public addresses that send without a sign-in."""
    return list(dict.fromkeys(it.public_address for it in _direct_subnets(site) if it.public_address))


def unheld(inward: Inward, site: Site) -> list[str]:
    """Return the public addresses that send without a sign-in, and that no connector knows by address."""
    domain = site.file.mail.domain
    matched = [it for it in inward.connectors if it.enabled and it.matches_by_address(domain)]
    return [address for address in direct_senders(site) if not any(it.holds(address) for it in matched)]


def behind(address: str, site: Site) -> str:
    """Name who sends without a sign-in from a public address: “five copiers of Laboratory (10.20.93.0/24)”."""
    there = [subnet for subnet in _direct_subnets(site) if subnet.public_address == address]
    named = []
    for subnet in there:
        using = sum(it.subnet == subnet.prefix and it.route == "direct-send" for it in site.copiers)
        named.append(f"{using} copier{'' if using == 1 else 's'} of {subnet.label}" if using else subnet.label)
    return " and ".join(named)


def unknown_senders(inward: Inward, site: Site) -> list[str]:
    """Return the subnets that send so by an address that is not stated, where an address decides at all."""
    if inward.rejects_direct_send is False and not locking(inward, site.file.mail.domain):
        return []
    return [subnet.label for subnet in _direct_subnets(site) if not subnet.public_address]


def direct_send_stopped(inward: Inward, site: Site) -> list[str]:
    """Say what stops direct send from the site.

    RejectDirectSend refuses mail whose envelope sender is of an accepted domain and which no inbound connector
    matches by address (Set-OrganizationConfig's reference). A Partner connector that restricts its domains to its
    addresses refuses everybody else who sends as one of them (5.7.51).
    """
    domain = site.file.mail.domain
    addresses, loose = direct_senders(site), unheld(inward, site)
    found = []
    if inward.rejects_direct_send and (loose or not addresses):
        who = ", ".join(loose) or "any address of the site (none is stated)"
        found.append(f"RejectDirectSend is true, and no inbound connector holds {who}")
    for lock in locking(inward, domain):
        outside = [address for address in loose or addresses if not lock.holds(address)]
        if outside or not addresses:
            found.append(f"connector {lock.seen} takes mail from its own senders only")
    return found


def direct_send_open(inward: Inward, site: Site) -> bool:
    """Tell whether the answer leaves open if direct send is rejected: null, where no connector takes the mail."""
    return inward.rejects_direct_send is None and (bool(unheld(inward, site)) or not direct_senders(site))


def locking(inward: Inward, domain: str) -> list[Inbound]:
    """Return the connectors that let nobody but their own senders send as a domain."""
    return [it for it in inward.connectors if it.enabled and it.locks and it.concerns(domain)]


def relaying(inward: Inward, address: str) -> list[Inbound]:
    """Return the connectors that give a public address the right to relay: enabled, and of type OnPremises."""
    return [it for it in inward.connectors if it.enabled and it.type.lower() == "onpremises" and it.holds(address)]


def by_certificate(inward: Inward) -> list[Inbound]:
    """Return the connectors that know their senders by a certificate, which no setting here shows at the copier."""
    return [
        it
        for it in inward.connectors
        if it.enabled and it.type.lower() == "onpremises" and it.certificate and not it.addresses
    ]


def to_retired(outward: Outward, retired: Iterable[str]) -> list[Outbound]:
    """Return the enabled outbound connectors that lead to a retired server."""
    gone = {_host(host) for host in retired}
    return [it for it in outward.connectors if it.enabled and any(_host(host) in gone for host in it.hosts)]


def _host(text: str) -> str:
    return text.strip("[]. \t").lower()


def unnamed(outward: Outward, retired: Iterable[str]) -> list[str]:
    """Return the enabled connectors to a smart host, where the site names no retired server to tell them by."""
    if list(retired):
        return []
    return [f"“{it.name}” to {', '.join(it.hosts)}" for it in outward.connectors if it.enabled and it.hosts]


def still_pointing(outward: Outward, retired: Iterable[str]) -> list[str]:
    """Say what of the tenant's mail flow leads to a retired server, or lets mail leave for want of a mailbox."""
    leading = to_retired(outward, retired)
    found = [f"outbound connector “{it.name}” sends to {', '.join(it.hosts)}" for it in leading]
    if outward.domain_type.lower() != "authoritative":
        found.append(f"the domain is {outward.domain_type}: mail for unknown recipients is sent on")
    return found


def more_than_reading(granted: Granted, site: Site) -> list[str]:
    """Say which permissions and roles of this run permit more than reading."""
    sends = any(sender.auth == "oauth" for sender in site.file.sender)
    return list(permissions.writing(granted.graph, granted.exchange, granted.roles, sends=sends))
