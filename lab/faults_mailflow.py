"""Faults of the mail flow: direct send, connectors, domains, where mail comes in, and its recipients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import both, deliveries, domain, fault, relay_connectors, transactions
from lab.mailflow import InboundConnector, OutboundConnector

if TYPE_CHECKING:
    from lab.estate import Estate

_REJECTED = both(transactions("direct-send"), domain("TEN-8"))
_GATEWAY = ("mx1.mailfilter.example", "192.0.2.77")  # of a filtering service


def _relaying(estate: Estate) -> list[InboundConnector]:
    addresses = {subnet.public_address for subnet in estate.plan.subnets if subnet.route == "relay"}
    return [part for part in estate.tenant.inbound if addresses & set(part.addresses)]


@fault("direct-send-rejected", layer="tenant", cause="direct-send-rejected", breaks=_REJECTED)
def _(estate: Estate) -> None:
    """The tenant rejects direct send."""
    estate.tenant.reject_direct_send = True


# The mail arrives, and by the connector: that is another route than the site states.
@fault(
    "direct-send-rejected-with-connector",
    layer="tenant",
    cause="route-is-relay",
    breaks=deliveries("direct-send"),
)
def _(estate: Estate) -> None:
    """The tenant rejects direct send, and a connector takes it from the site's addresses."""
    estate.tenant.reject_direct_send = True
    estate.tenant.inbound.append(InboundConnector("Copiers of all buildings", estate.plan.public_addresses))


@fault("direct-send-not-told", layer="tenant", cause=None, unproves=domain("TEN-8"))
def _(estate: Estate) -> None:
    """Exchange does not say whether it rejects direct send (null), and takes it."""
    estate.tenant.reject_direct_send = None


@fault("gateway-only", layer="tenant", cause="partner-connector", breaks=_REJECTED)
def _(estate: Estate) -> None:
    """A partner connector takes mail from a filtering gateway only."""
    gateway = InboundConnector("Mail filter only", ("192.0.2.64/28",), "Partner", restricts_addresses=True)
    estate.tenant.inbound.append(gateway)


@fault("site-banned", layer="tenant", cause="address-banned", breaks=transactions("direct-send"))
def _(estate: Estate) -> None:
    """The engineer's public address is on Microsoft's block list."""
    estate.tenant.banned.add(estate.plan.subnets[0].public_address)


@fault("relay-connector-wrong-address", layer="tenant", cause="relay-connector", breaks=relay_connectors)
def _(estate: Estate) -> None:
    """The connector for the copiers names the address of the line before."""
    for part in _relaying(estate):
        part.addresses = ("192.0.2.92",)


@fault("relay-connector-off", layer="tenant", cause="relay-connector", breaks=relay_connectors)
def _(estate: Estate) -> None:
    """The connector for the copiers is switched off."""
    for part in _relaying(estate):
        part.enabled = False


@fault("relay-connector-partner", layer="tenant", cause="relay-connector", breaks=relay_connectors)
def _(estate: Estate) -> None:
    """The connector for the copiers is of the type for partners, which lets nobody relay."""
    for part in _relaying(estate):
        part.kind = "Partner"


@fault("accepted-domain-relays", layer="tenant", cause="accepted-domain", breaks=domain("TEN-11"))
def _(estate: Estate) -> None:
    """The domain still is one whose unknown recipients are on another server (InternalRelay)."""
    estate.tenant.domains[estate.plan.domain].kind = "InternalRelay"


@fault("outbound-connector-to-retired", layer="tenant", cause="outbound-connector", breaks=domain("TEN-11"))
def _(estate: Estate) -> None:
    """A connector still sends the domain's mail to the retired server."""
    plan = estate.plan
    estate.tenant.outbound.append(OutboundConnector("To on-premises", (plan.retired_host,), (plan.domain,)))


@fault("mx-microsoft", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """The tenant's endpoint has a name of the newer kind, and the older one goes on working."""
    estate.tenant.mx_host = f"{estate.plan.domain.replace('.', '-')}.a-v1.mx.microsoft"
    endpoint = estate.zones.get("outside", estate.plan.tenant_endpoint, "A") or []
    estate.zones.set(estate.tenant.mx_host, "A", endpoint)
    estate.zones.set(estate.plan.domain, "MX", [f"0 {estate.tenant.mx_host}"])


@fault("mx-behind-gateway", layer="dns", cause="mx-not-tenant", breaks=domain("DNS-1"))
def _(estate: Estate) -> None:
    """The domain's mail comes in by a filtering service that the site does not state."""
    name, address = _GATEWAY
    estate.zones.set(name, "A", [address])
    estate.zones.set(estate.plan.domain, "MX", [f"10 {name}"])


@fault("recipient-unknown", layer="tenant", cause="recipient-unknown", breaks=deliveries(recipient=1))
def _(estate: Estate) -> None:
    """The second test recipient has no mailbox."""
    del estate.tenant.mailboxes[estate.plan.recipients[1]], estate.tenant.accounts[estate.plan.recipients[1]]


@fault(
    "recipient-internal-only",
    layer="tenant",
    cause="recipient-refuses",
    breaks=deliveries("direct-send", recipient=1),
)
def _(estate: Estate) -> None:
    """The second test recipient takes no mail from senders that did not sign in."""
    if box := estate.mailbox(estate.plan.recipients[1]):
        box.internal_only = True
