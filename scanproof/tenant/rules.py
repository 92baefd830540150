"""What settings of the tenant mean for a site: the decisions that take more than one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.tenant import permissions
from scanproof.tenant.facts import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.site import Site
    from scanproof.tenant.facts import Granted, Inbound, Inward, Outward

__all__ = ["NEVER", "by_certificate", "direct_send_stopped", "more_than_reading", "relaying", "still_pointing"]


def direct_senders(site: Site) -> list[str]:
    """Return the public addresses that send without a sign-in; of every subnet where no copier does so yet."""
    using = {copier.subnet for copier in site.copiers if copier.route == "direct-send"}
    subnets = [subnet for subnet in site.subnets if subnet.prefix in using] or list(site.subnets)
    return list(dict.fromkeys(subnet.public_address for subnet in subnets if subnet.public_address))


def direct_send_stopped(inward: Inward, site: Site) -> list[str]:
    """Say what stops direct send from the site.

    RejectDirectSend refuses mail whose envelope sender is of an accepted domain and which no inbound connector
    matches by address (Set-OrganizationConfig's reference). A Partner connector that restricts its domains to its
    addresses refuses everybody else who sends as one of them (5.7.51).
    """
    matched = [it for it in inward.connectors if it.enabled and it.addresses]
    addresses = direct_senders(site)
    loose = [address for address in addresses if not any(it.holds(address) for it in matched)]
    found = []
    if inward.rejects_direct_send is not False and (loose or not addresses):
        who = ", ".join(loose) or "any address of the site (none is stated)"
        said = "true" if inward.rejects_direct_send else "null"
        found.append(f"RejectDirectSend is {said}, and no inbound connector holds {who}")
    for lock in inward.connectors:
        if not lock.concerns(site.file.mail.domain):
            continue
        if lock.enabled and lock.type.lower() == "partner" and (lock.locks_addresses or lock.locks_certificate):
            outside = [address for address in loose or addresses if not lock.holds(address)]
            if outside or not addresses:
                found.append(f"connector {lock.seen} takes mail from its own senders only")
    return found


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


def still_pointing(outward: Outward, retired: Iterable[str]) -> list[str]:
    """Say what of the tenant's mail flow leads to a retired server, or lets mail leave for want of a mailbox."""
    gone = {host.lower().rstrip(".") for host in retired}
    found = [
        f"outbound connector “{it.name}” sends to {', '.join(it.hosts)}"
        for it in outward.connectors
        if it.enabled and any(host.lower().strip("[]. ") in gone for host in it.hosts)
    ]
    if outward.domain_type != "Authoritative":
        found.append(f"the domain is {outward.domain_type}: mail for unknown recipients is sent on")
    return found


def more_than_reading(granted: Granted, site: Site) -> list[str]:
    """Say which permissions and roles of this run permit more than reading."""
    sends = any(sender.auth == "oauth" for sender in site.file.sender)
    return list(permissions.writing(granted.graph, granted.exchange, granted.roles, sends=sends))
