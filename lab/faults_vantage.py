"""Faults of the hosts over which other subnets are seen, and of what those subnets reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import fault, seen_from, subnet
from lab.faults_network import closed

if TYPE_CHECKING:
    from lab.estate import Estate


@fault(
    "vantage-down",
    layer="network",
    cause="no-vantage",
    network="namespaces",
    unproves=seen_from(1, by_mail="submission"),
)
def _(estate: Estate) -> None:
    """The host over which a subnet is seen has no SSH server."""
    estate.far[0].up = False


@fault(
    "vantage-key-changed",
    layer="network",
    cause="no-vantage",
    network="namespaces",
    unproves=seen_from(1, by_mail="submission"),
)
def _(estate: Estate) -> None:
    """The host over which a subnet is seen shows another host key than the known one."""
    estate.far[0].set_up_anew = True


@fault(
    "vantage-forwards-nothing",
    layer="network",
    cause="no-vantage",
    network="namespaces",
    unproves=seen_from(2, by_mail="endpoint"),
)
def _(estate: Estate) -> None:
    """The host over which a subnet is seen forwards no connections."""
    estate.far[1].forwards = False


@fault(
    "port-587-dropped-far",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-1", to="submission", number=1),
)
def _(estate: Estate) -> None:
    """The firewall drops port 587 from a subnet that is seen over SSH."""
    closed(estate, 587, "drop", 1)


@fault(
    "port-25-reset-far",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint", number=2),
)
def _(estate: Estate) -> None:
    """The firewall resets connections to port 25 from a subnet that is seen over SSH."""
    closed(estate, 25, "reset", 2)


@fault(
    "port-25-dropped-far",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=subnet("EGR-2", to="endpoint", number=1),
)
def _(estate: Estate) -> None:
    """The firewall drops port 25 from a subnet that is seen over SSH, in which 587 gets out."""
    closed(estate, 25, "drop", 1)


@fault(
    "public-address-other-far",
    layer="network",
    cause="public-address",
    network="namespaces",
    breaks=subnet("EGR-5", number=1),
)
def _(estate: Estate) -> None:
    """A subnet that is seen over SSH leaves by another public address than the site states."""
    estate.translated[estate.plan.subnets[1].prefix] = "203.0.113.177"
