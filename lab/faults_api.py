"""Faults of the tenant's APIs: busy, out of order, elsewhere, or with something missing in their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import access_of_basic, applications, both, deliveries, fault, of_senders, scans
from lab.estate import EXCHANGE_FAR
from lab.exchange import far_host
from lab.faults_app import NO_EXCHANGE

if TYPE_CHECKING:
    from lab.estate import Estate

_NO_GRAPH = both(
    deliveries(),
    applications("APP-2"),
    scans,
    of_senders("TEN-3", "TEN-5", "TEN-6", "TEN-12", "TEN-14", auth="basic"),
    of_senders("TEN-7"),
    access_of_basic(),
)


@fault("graph-token-refused", layer="tenant", cause="graph-permission", unproves=_NO_GRAPH)
def _(estate: Estate) -> None:
    """Graph takes no token of the app (401)."""
    estate.tenant.graph.refuse_tokens = True


@fault("graph-throttled-a-while", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """Graph is too busy for the first three requests (429)."""
    estate.tenant.graph.throttle = 3


@fault("graph-throttled", layer="mail", cause="graph-throttled", unproves=_NO_GRAPH)
def _(estate: Estate) -> None:
    """Graph is too busy whenever it is asked (429)."""
    estate.tenant.graph.throttle = -1


@fault("graph-storm", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """Graph is too busy for the first forty requests (429), and says when to come again."""
    estate.tenant.graph.throttle = 40


@fault("throttled-until-a-time", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """Both APIs are too busy for the first two requests (429), and name the moment to come again."""
    for api in (estate.tenant.graph, estate.tenant.exchange):
        api.throttle, api.dated = 2, True


@fault("graph-outage", layer="mail", cause="graph-outage", unproves=_NO_GRAPH)
def _(estate: Estate) -> None:
    """Graph is out of order (503)."""
    estate.tenant.graph.outage = True


@fault("mailbox-not-readable", layer="tenant", cause="mailbox-not-readable", unproves=deliveries(recipient=1))
def _(estate: Estate) -> None:
    """The second test recipient's mailbox can't be read by Graph (404)."""
    if box := estate.mailbox(estate.plan.recipients[1]):
        box.rest_enabled = False


@fault("exchange-throttled-twice", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """Exchange's admin API is too busy for the first two requests (429)."""
    estate.tenant.exchange.throttle = 2


@fault("exchange-redirected", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """Exchange's admin API leads to another host for this tenant (302)."""
    estate.tenant.exchange.redirects = True
    estate.zones.set(far_host(estate.plan.exchange_host), "A", [EXCHANGE_FAR])


@fault("exchange-outage", layer="mail", cause="exchange-outage", unproves=NO_EXCHANGE)
def _(estate: Estate) -> None:
    """Exchange's admin API is out of order (503)."""
    estate.tenant.exchange.outage = True


@fault("cas-flag-missing", layer="tenant", cause="flag-missing", unproves=of_senders("TEN-1", "TEN-14"))
def _(estate: Estate) -> None:
    """Exchange's answer about a mailbox lacks the flag of SMTP AUTH, which is not the same as one that inherits."""
    estate.tenant.exchange.omits.add(("Get-CASMailbox", "SmtpClientAuthenticationDisabled"))
