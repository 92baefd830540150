"""Faults of the scans that copiers have sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.catalogue import both, fault, of_kind, representative, scanned, subnet
from lab.copierstate import settings_for

if TYPE_CHECKING:
    from lab.estate import Copier, Estate


def standing(estate: Estate, number: int) -> Copier:
    """Return the copier that stands for a subnet: the stated one, else the first in the list."""
    subnets = estate.plan.subnets
    there = [part for part in estate.copiers.values() if part.subnet == subnets[number % len(subnets)].prefix]
    return next((part for part in there if part.representative), there[0])


@fault(
    "scan-before-last-change",
    layer="mail",
    cause="scan-too-old",
    unproves=both(representative(0, "DLV-2", "DLV-3", "LOG-1", "COV-2"), of_kind(0)),
)
def scan_before_last_change(estate: Estate) -> None:
    """A copier's only scan is from before the last change."""
    change = datetime.fromisoformat(estate.plan.last_change) if estate.plan.last_change else datetime.now(UTC)
    standing(estate, 0).state.scanned = datetime.now(UTC) - change + timedelta(hours=1)


@fault(
    "log-says-sent-no-mail",
    layer="mail",
    cause="mail-lost",
    breaks=representative(0, "DLV-2", "COV-2"),
    unproves=both(representative(0, "DLV-3"), of_kind(0)),
)
def _(estate: Estate) -> None:
    """A copier's scan is taken by the service, and a rule of the tenant deletes it."""
    estate.tenant.subject_rules[standing(estate, 0).state.host_name] = "Deleted"


@fault(
    "scan-to-junk",
    layer="mail",
    cause="mail-to-junk",
    breaks=representative(1, "DLV-2", "COV-2"),
    unproves=of_kind(1),
)
def _(estate: Estate) -> None:
    """A copier's scan ends up in Junk Email."""
    estate.tenant.subject_rules[standing(estate, 1).state.host_name] = "Junk"


@fault(
    "scans-of-a-subnet-to-junk",
    layer="mail",
    cause="mail-to-junk",
    breaks=both(representative(3, "DLV-2"), subnet("COV-1", number=3), scanned(3, did=True)),
    unproves=scanned(3, did=False),
)
def _(estate: Estate) -> None:
    """Every scan of one subnet ends up in Junk Email."""
    prefix = estate.plan.subnets[3].prefix
    for part in estate.copiers.values():
        if part.subnet == prefix:
            estate.tenant.subject_rules[part.state.host_name] = "Junk"


@fault(
    "scan-empty-attachment",
    layer="mail",
    cause="scan-empty",
    breaks=representative(1, "DLV-2", "COV-2"),
    unproves=of_kind(1),
)
def _(estate: Estate) -> None:
    """A copier's scan arrives with an attachment that is empty."""
    standing(estate, 1).state.pages = 0


@fault(
    "scan-by-other-route",
    layer="mail",
    cause="scan-route",
    breaks=representative(0, "DLV-2", "COV-2"),
    unproves=of_kind(0),
)
def _(estate: Estate) -> None:
    """A copier's scan came by another route than the one that it is set to by now."""
    state = standing(estate, 0).state
    state.sent_by = settings_for(estate.plan, "direct-send", state.email.admin_address, "")


@fault(
    "scan-through-retired-server",
    layer="mail",
    cause="scan-route",
    breaks=representative(0, "DLV-2", "COV-2"),
    unproves=of_kind(0),
)
def _(estate: Estate) -> None:
    """A copier's scan was taken by the server that is to be retired, which signed in and handed it on."""
    standing(estate, 0).state.through = estate.plan.retired_host


@fault("scan-late", layer="mail", cause="scan-slow", breaks=both(representative(1, "DLV-3")))
def _(estate: Estate) -> None:
    """A copier's scan arrives ten minutes after it was made."""
    standing(estate, 1).state.slow = timedelta(minutes=10)
