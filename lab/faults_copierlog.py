"""Faults of the copiers' job and access logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.catalogue import copier, fault, representative
from lab.faults_copier import WARD, _state
from lab.faults_scan import standing

if TYPE_CHECKING:
    from lab.estate import Estate


@fault("log-off", layer="device", cause="device-log", unproves=representative(1, "LOG-1", "LOG-2", "LOG-3"))
def _(estate: Estate) -> None:
    """A copier collects neither log."""
    log = standing(estate, 1).state.log
    log.jobs = log.events = False
    log.records.clear()


@fault("log-truncated", layer="device", cause="device-log", unproves=representative(2, "LOG-1", "LOG-2", "LOG-3"))
def _(estate: Estate) -> None:
    """The download of a copier's log breaks off."""
    standing(estate, 2).state.log.cut = True


@fault(
    "log-with-failures",
    layer="device",
    cause="scans-failed",
    breaks=copier(WARD, "LOG-2"),
    unproves=copier(WARD, "DEV-9"),
)
def _(estate: Estate) -> None:
    """A copier's log holds a scan that failed an hour ago."""
    # Its reason is the log's word for a sign-in that was refused.
    when = datetime.now(UTC) - timedelta(hours=1)
    to = estate.plan.recipients[0] if estate.plan.recipients else ""
    _state(estate, WARD).log.scanned(when, to, done=False, why="Other Failures")


@fault("log-shows-a-change", layer="device", cause="settings-changed", breaks=copier(WARD, "LOG-3"))
def _(estate: Estate) -> None:
    """A copier's log shows a change of settings right after our login."""
    _state(estate, WARD).meddled = True


@fault("mail-without-log-row", layer="device", cause="device-log", breaks=representative(1, "LOG-1"))
def _(estate: Estate) -> None:
    """A copier's scan arrives, and its log doesn't show it."""
    standing(estate, 1).state.keeps_scans = False
