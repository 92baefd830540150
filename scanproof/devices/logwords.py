"""The words of a copier's log as its firmware writes them: columns, log types, results, the last line.

They are taken to be English whatever the panel's language is: a guess. What rests on memory or is guessed is marked so.
"""

from __future__ import annotations

import re
from typing import Final

GOOD = frozenset({"succeeded", "completed"})
BAD = frozenset({"failed", "error"})
UNDER_WAY = frozenset({"processing", "suspended"})

# From memory, but for "Printer", "Scanner" and "Report Printing". An entry with a source or a target is a job, too.
JOBS = re.compile(
    r"(?:copier|printer|fax|document server)\s*:|(?:result )?report printing|control sdk application", re.ASCII
)
# Access entries that tell of no change. Whatever else there is counts as one, so that a type which isn't known here
# can't hide it. "Firmware: Structure" is the check at each power-on, "Firmware: Invalid" what a check found, "Capture
# Error" and "…Tracking Permission Result" errors (MP 3353 p. 564). "Download…" is a guess.
READS = re.compile(
    r"login|logout|lockout|access violation|collect encrypted communication logs?|download.*"
    r"|firmware: (?:structure|invalid)|capture error|.*tracking permission result",
    re.ASCII,
)

SCAN, JOB, NOISE, ACCESS = range(4)


def writes(kind: str) -> bool:
    """Tell whether an access entry's type tells of a change to the copier; a type not known here does."""
    return not READS.fullmatch(kind.casefold())


def sort(kind: str) -> int:
    """Return what an entry is by its log type: a scan job, another job, noise, or an entry of the access log."""
    kind = kind.strip().casefold()
    # From memory: "Scanner: Sending" is scan to e-mail and to a folder; documented are "Scanner: Stored File URL Link
    # Sending" and "Scanner: TWAIN Driver Scanning".
    if kind.startswith("scanner:"):
        return SCAN
    if JOBS.match(kind):
        return JOB
    return NOISE if kind.startswith("collect encrypted communication log") else ACCESS


# What a column may be called, the first that is filled counts. "Start Date/Time", "End Date/Time", "Log Type",
# "Result", "Status", "Operation Method", "Cancelled: Details", "User ID", "Host IP Address", "Source" and "Log ID" are
# in a public collector of such files, "Login Method" in the manual of the IM 350. All others are from memory, those of
# the target among them.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "start": ("start date/time",),
    "id": ("log id",),
    "kind": ("log type",),
    "ended": ("end date/time",),
    "result": ("result",),
    "status": ("status",),
    "operation": ("operation method",),
    "method": ("login method",),
    "user": ("user code/user name", "user name", "login user name", "user id", "user entry id"),
    "host": ("host ip address", "ip address", "host name"),
    "details": ("cancelled: details", "details"),
    "source": ("source",),
    "target": ("target",),
    "name": ("destination name",),
    "address": ("destination address",),
}

COMPLETED = re.compile(r"download completed\b", re.IGNORECASE)
LOST = re.compile(r"logs? before log id\s+(\S+)\s+does not exist", re.IGNORECASE)
