"""Faults between the engineer's subnet and the mail service: firewall, mail inspection, split DNS."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lab.catalogue import (
    TENANT,
    applications,
    both,
    deliveries,
    domain,
    fault,
    of_kind,
    of_senders,
    own_machine,
    representative,
    scans,
    seen_from,
    subnet,
)
from lab.estate import Action, Middlebox, Rule
from lab.faults_scan import standing
from lab.plan import engineers_address

if TYPE_CHECKING:
    from lab.estate import Estate


def closed(estate: Estate, port: int, action: Action, number: int = 0) -> None:
    """Close a port to a subnet. What its copiers sent is from before: the next scan would not get out."""
    prefix = estate.plan.subnets[number].prefix
    estate.firewall.append(Rule(prefix, port, action))
    sent_before(estate, prefix, port)


def sent_before(estate: Estate, prefix: str, port: int) -> None:
    """Have the scans by a port be of yesterday."""
    for copier in estate.copiers.values():
        if copier.subnet == prefix and copier.state.email.port == port:
            copier.state.scanned = timedelta(hours=20)


def _box(estate: Estate, port: int, **does: bool) -> None:
    estate.middleboxes.append(Middlebox(estate.plan.subnets[0].prefix, port, **does))


@fault(
    "public-address-other",
    layer="network",
    cause="public-address",
    network="namespaces",
    breaks=both(subnet("EGR-5"), deliveries("direct-send")),
    unproves=of_senders("TEN-14", auth="basic"),
)
def _(estate: Estate) -> None:
    """One subnet leaves by another public address than the site states: SPF knows nothing of it."""
    estate.translated[estate.plan.subnets[0].prefix] = "203.0.113.177"


@fault(
    "port-587-dropped",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """The firewall drops port 587 from one subnet."""
    closed(estate, 587, "drop")


@fault(
    "port-587-rejected",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """The firewall rejects port 587 from one subnet, and says so."""
    closed(estate, 587, "reject")


@fault(
    "port-587-reset",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """The firewall resets connections to port 587 from one subnet."""
    closed(estate, 587, "reset")


@fault(
    "port-25-dropped",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """The firewall drops port 25 from one subnet."""
    closed(estate, 25, "drop")


@fault(
    "host-firewall-587",
    layer="host",
    cause="host-firewall",
    network="namespaces",
    breaks=own_machine,
    unproves=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """The engineer's machine itself lets nothing out to port 587; the gateway would."""
    estate.own_firewall.append(587)


@fault(
    "host-firewall-25",
    layer="host",
    cause="host-firewall",
    network="namespaces",
    breaks=own_machine,
    unproves=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """The engineer's machine itself lets nothing out to port 25; the gateway would."""
    estate.own_firewall.append(25)


@fault(
    "port-25-rejected",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """The firewall rejects port 25 from one subnet, and says so."""
    closed(estate, 25, "reject")


@fault(
    "port-25-reset",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """The firewall resets connections to port 25 from one subnet."""
    closed(estate, 25, "reset")


@fault(
    "port-587-mute",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """Something on the way takes connections to port 587 and says nothing."""
    _box(estate, 587, mute=True)
    sent_before(estate, estate.plan.subnets[0].prefix, 587)


@fault(
    "port-25-mute",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """Something on the way takes connections to port 25 and says nothing."""
    _box(estate, 25, mute=True)
    sent_before(estate, estate.plan.subnets[0].prefix, 25)


@fault(
    "machine-alone-blocked",
    layer="network",
    cause="machine-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """The firewall drops port 587 from the engineer's machine alone; the copiers beside it send."""
    estate.firewall.append(Rule(engineers_address(estate.plan), 587, "drop"))


@fault(
    "port-587-refused-in-words",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission"),
)
def _(estate: Estate) -> None:
    """Something on the way takes connections to port 587, and refuses them by a greeting of its own."""
    _box(estate, 587, refuses=True)
    sent_before(estate, estate.plan.subnets[0].prefix, 587)


@fault(
    "port-25-refused-in-words",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint"),
)
def _(estate: Estate) -> None:
    """Something on the way takes connections to port 25, and refuses them by a greeting of its own."""
    _box(estate, 25, refuses=True)
    sent_before(estate, estate.plan.subnets[0].prefix, 25)


# The engineer's machine beside it gets through, so that no case of the subnet's way out sees it.
@fault(
    "copier-alone-blocked",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=representative(0, "LOG-2"),
    unproves=both(representative(0, "DLV-2", "DLV-3", "LOG-1", "DEV-9", "COV-2"), of_kind(0)),
)
def _(estate: Estate) -> None:
    """The firewall rejects port 587 from one copier's address alone, and its scan fails."""
    estate.firewall.append(Rule(standing(estate, 0).address, 587, "reject"))


@fault(
    "starttls-stripped",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="submission"),
)
def _(estate: Estate) -> None:
    """Mail inspection in the firewall takes STARTTLS out of port 587."""
    _box(estate, 587, strips_starttls=True)


@fault(
    "starttls-stripped-25",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="endpoint"),
)
def _(estate: Estate) -> None:
    """Mail inspection in the firewall takes STARTTLS out of port 25."""
    _box(estate, 25, strips_starttls=True)


@fault(
    "banner-rewritten",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="submission"),
)
def _(estate: Estate) -> None:
    """Mail inspection in the firewall replaces the greeting on port 587 by stars."""
    _box(estate, 587, rewrites_banner=True)


@fault(
    "banner-rewritten-25",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="endpoint"),
)
def _(estate: Estate) -> None:
    """Mail inspection in the firewall replaces the greeting on port 25 by stars."""
    _box(estate, 25, rewrites_banner=True)


@fault(
    "tls-intercepted",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="submission"),
)
def _(estate: Estate) -> None:
    """The firewall ends TLS on port 587 itself, by a certificate of its own authority."""
    _box(estate, 587, intercepts_tls=True)


@fault(
    "tls-intercepted-25",
    layer="network",
    cause="smtp-inspected",
    network="namespaces",
    breaks=subnet("EGR-3", to="endpoint"),
)
def _(estate: Estate) -> None:
    """The firewall ends TLS on port 25 itself, by a certificate of its own authority."""
    _box(estate, 25, intercepts_tls=True)


@fault(
    "submission-name-retired",
    layer="dns",
    cause="split-dns",
    network="namespaces",
    breaks=both(*(subnet("EGR-4", number=number) for number in range(3))),  # wherever it is seen from
)
def _(estate: Estate) -> None:
    """The site's resolver leads the submission service's name to the retired server."""
    estate.zones.set(estate.plan.submission_host, "A", [estate.plan.retired_address], views=("inside",))


@fault(
    "site-resolver-silent",
    layer="dns",
    cause="resolver-silent",
    network="namespaces",
    breaks=subnet("EGR-4"),
    # This machine finds no service either, the tenant's among them; over SSH, it may be that it answers by UDP alone.
    unproves=both(
        domain("DNS-3"),
        TENANT,
        applications("APP-2"),
        scans,
        *(seen_from(number, by_mail=None) for number in (1, 2)),
    ),
)
def _(estate: Estate) -> None:
    """The site's resolver does not answer."""
    for resolver in estate.resolvers.values():
        resolver.silent = resolver.view == "inside"
