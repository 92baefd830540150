"""Faults after the service took a mail: where it ends up, and how late."""

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
    if box := estate.mailbox(estate.plan.recipients[1]):
        box.junk_rule = True


@fault("mail-late", layer="mail", cause="mail-late", breaks=deliveries())
def _(estate: Estate) -> None:
    """Mail takes an hour to arrive."""
    estate.tenant.delivery_delay = 3600.0
