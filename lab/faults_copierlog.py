"""Faults of the copiers' job and access logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.catalogue import both, copier, fault, of_kind, representative
from lab.faults_copier import CLINIC, WARD, _state
from lab.faults_scan import scan_before_last_change, standing

if TYPE_CHECKING:
    from lab.estate import Estate

FOLDER = "\\\\FILESERVER\\Scans"
LATELY = timedelta(minutes=2)


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
    unproves=copier(WARD, "DEV-9", "COV-2"),
)
def _(estate: Estate) -> None:
    """A copier's log holds a scan that failed an hour ago."""
    # Its reason is the log's word for a sign-in that was refused.
    _failed(estate, WARD, "Other Failures", ago=timedelta(hours=1))


@fault("log-shows-a-change", layer="device", cause="settings-changed", breaks=copier(WARD, "LOG-3"))
def _(estate: Estate) -> None:
    """A copier's log shows a change of settings right after our login."""
    _state(estate, WARD).meddled = True


@fault("mail-without-log-row", layer="device", cause="device-log", breaks=representative(1, "LOG-1"))
def _(estate: Estate) -> None:
    """A copier's scan arrives, and its log doesn't show it."""
    standing(estate, 1).state.keeps_scans = False


@fault("log-has-folder-scans-alone", layer="device", cause="device-log", breaks=representative(1, "LOG-1"))
def _(estate: Estate) -> None:
    """A copier's scan arrives, and its log shows only scans to a folder and a program at that moment."""
    state = standing(estate, 1).state
    state.keeps_scans = False
    state.log.scanned(datetime.now(UTC) - LATELY, FOLDER, done=True, name="RECORDS")
    state.log.scanned_to_program(datetime.now(UTC) - LATELY)


@fault(
    "scan-to-folder-alone",
    layer="mail",
    cause="scan-too-old",
    unproves=both(representative(0, "DLV-2", "DLV-3", "LOG-1", "COV-2"), of_kind(0)),
)
def _(estate: Estate) -> None:
    """Since the last change, a copier has scanned to a folder and a program, and to nobody's mail."""
    scan_before_last_change(estate)
    log = standing(estate, 0).state.log
    log.scanned(datetime.now(UTC) - LATELY, FOLDER, done=True, name="RECORDS")
    log.scanned_to_program(datetime.now(UTC) - LATELY)


@fault("log-has-odd-type", layer="device", cause="device-log", unproves=copier(WARD, "LOG-2"))
def _(estate: Estate) -> None:
    """A copier's log holds a scan of a type that nobody knows, by one blank."""
    log, to = _state(estate, WARD).log, f"ward@{estate.plan.domain}"
    log.scanned(datetime.now(UTC) - timedelta(hours=1), to, done=True, kind="Scanner : Sending")


@fault("log-hides-destinations", layer="device", cause="device-log", unproves=representative(1, "LOG-1", "LOG-2"))
def _(estate: Estate) -> None:
    """A copier's scan arrives, and its log gives names alone for where scans went."""
    state = standing(estate, 1).state
    state.keeps_scans = False
    state.log.scanned(datetime.now(UTC) - LATELY, "", done=True, name="SCAN-PROOF")


@fault(
    "log-hides-where-it-failed", layer="device", cause="device-log", unproves=copier(WARD, "LOG-2", "DEV-9", "COV-2")
)
def _(estate: Estate) -> None:
    """A copier's log gives a name alone for where a scan went that failed an hour ago."""
    _state(estate, WARD).log.scanned(datetime.now(UTC) - timedelta(hours=1), "", done=False, name="Ward")


@fault("log-with-folder-failure", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's scan to a folder failed an hour ago, which is no e-mail: nothing is wrong."""
    log, why = _state(estate, WARD).log, "Connection Failed with Remote Machine"
    log.scanned(datetime.now(UTC) - timedelta(hours=1), FOLDER, done=False, name="RECORDS", why=why)


@fault("log-with-cancelled-scan", layer="device", cause=None)
def _(estate: Estate) -> None:
    """Somebody cancelled a scan at a copier's panel an hour ago: nothing is wrong."""
    log, to = _state(estate, WARD).log, f"ward@{estate.plan.domain}"
    log.scanned(datetime.now(UTC) - timedelta(hours=1), to, done=False, why="User Cancel")


@fault(
    "relay-scan-failed",
    layer="device",
    cause="scans-failed",
    breaks=copier(CLINIC, "LOG-2"),
    unproves=copier(CLINIC, "COV-2"),
)
def _(estate: Estate) -> None:
    """The only scan of a relaying copier since the last change failed, and another of its kind has scanned."""
    _failed(estate, CLINIC, "Communication Failure")


@fault(
    "scans-failed-since-one-arrived",
    layer="device",
    cause="scans-failed",
    breaks=representative(0, "LOG-2"),
    unproves=both(representative(0, "DLV-2", "COV-2"), of_kind(0)),
)
def _(estate: Estate) -> None:
    """A copier's scan arrived ten minutes ago, and those that it made since were refused."""
    _failed_since(estate, "Other Failures")


@fault(
    "scans-unconnected-since-one-arrived",
    layer="network",
    cause="port-blocked",
    network="namespaces",
    breaks=representative(0, "LOG-2"),
    unproves=both(representative(0, "DLV-2", "COV-2"), of_kind(0)),
)
def _(estate: Estate) -> None:
    """A copier's scan arrived ten minutes ago, and those that it made since found no connection."""
    _failed_since(estate, "Connection Failed with Remote Machine")


@fault("scan-failed-before-one-arrived", layer="device", cause="scans-failed", breaks=representative(0, "LOG-2"))
def _(estate: Estate) -> None:
    """A copier's scan failed an hour ago, and one that it made since arrived."""
    place = list(estate.copiers).index(standing(estate, 0).key)
    _failed(estate, place, "Connection Failed with Remote Machine", ago=timedelta(hours=1))


def _failed_since(estate: Estate, why: str) -> None:
    stands = standing(estate, 0)
    stands.state.scanned = timedelta(minutes=10)
    for _ in range(3):
        _failed(estate, list(estate.copiers).index(stands.key), why)


def _failed(estate: Estate, place: int, why: str, *, ago: timedelta = LATELY) -> None:
    to = estate.plan.recipients[0] if estate.plan.recipients else ""
    _state(estate, place).log.scanned(datetime.now(UTC) - ago, to, done=False, why=why)
