"""Faults after the service took a mail: where it ends up, how late, and whether that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import deliveries, fault

if TYPE_CHECKING:
    from lab.estate import Estate


@fault("direct-send-to-junk", layer="mail", cause="junk", breaks=deliveries("direct-send"))
def _(estate: Estate) -> None:
    """A mail flow rule puts mail from outside into Junk."""
    estate.tenant.anonymous_to = "Junk"


@fault("direct-send-quarantined", layer="mail", cause="quarantine", breaks=deliveries("direct-send"))
def _(estate: Estate) -> None:
    """A mail flow rule puts mail from outside into quarantine."""
    estate.tenant.anonymous_to = "Quarantine"


@fault("junk-rule", layer="mail", cause="junk", breaks=deliveries(recipient=1))
def _(estate: Estate) -> None:
    """The second test recipient's mailbox puts scans into Junk."""
    estate.tenant.mailboxes[estate.plan.recipients[1]].junk_rule = True


@fault("mail-late", layer="mail", cause="mail-late", breaks=deliveries())
def _(estate: Estate) -> None:
    """Mail takes an hour to arrive."""
    estate.tenant.delivery_delay = 3600.0


@fault("graph-token-refused", layer="tenant", cause="graph-permission", unproves=deliveries())
def _(estate: Estate) -> None:
    """Graph takes no token of the app (401)."""
    estate.tenant.graph.refuse_tokens = True


@fault("graph-forbidden", layer="tenant", cause="graph-permission", unproves=deliveries())
def _(estate: Estate) -> None:
    """The app may not read mailboxes (403)."""
    estate.app.permissions -= {"Mail.Read", "Mail.ReadBasic.All"}


@fault("graph-throttled-a-while", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """Graph is too busy for the first three requests (429)."""
    estate.tenant.graph.throttle = 3


@fault("graph-throttled", layer="mail", cause="graph-throttled", unproves=deliveries())
def _(estate: Estate) -> None:
    """Graph is too busy whenever it is asked (429)."""
    estate.tenant.graph.throttle = -1


@fault("mailbox-not-readable", layer="tenant", cause="mailbox-not-readable", unproves=deliveries(recipient=1))
def _(estate: Estate) -> None:
    """The second test recipient's mailbox can't be read by Graph (404)."""
    estate.tenant.mailboxes[estate.plan.recipients[1]].rest_enabled = False
