"""The words of a copier's log as its firmware writes them: columns, log types, results, the last line.

They are taken to be English whatever the panel's language is: a guess. What rests on memory or is guessed is marked so.
"""

from __future__ import annotations

import re
from typing import Final, Literal

GOOD = frozenset({"succeeded", "completed"})
BAD = frozenset({"failed", "error"})
UNDER_WAY = frozenset({"processing", "suspended"})
# "User Cancel" is "The user canceled operation" in the manual of the P 501, for entries in general; that a cancelled
# job bears it as its status or details is a guess, and so are the other two.
CANCELLED = frozenset({"user cancel", "cancelled by user", "canceled by user"})

# The log types of scan jobs: whether such a job sends something, of which its destination then tells whether it was an
# e-mail. "Stored File URL Link Sending" and "TWAIN Driver Scanning" are documented (Pro C751ex p. 134) by their names
# alone; the others are from memory, and what each of them does is a guess by its name.
_SCANS: Final[dict[str, bool]] = {
    "scanner: sending": True,
    "scanner: sending and storing": True,
    "scanner: url link sending": True,
    "scanner: url link sending and storing": True,
    "scanner: stored file sending": True,
    "scanner: stored file url link sending": True,
    "scanner: storing": False,
    "scanner: stored file downloading": False,
    "scanner: twain driver scanning": False,
}

# What a target is called, where it isn't just "Send". guess: no published log has the line of a scan's target.
_MAIL = frozenset({"e-mail", "email", "mail", "scan to e-mail", "scan to email"})
_FOLDER = frozenset({"folder", "smb", "ftp", "ncp", "scan to folder"})

# guess: that an e-mail's destination is its whole address, that a folder's begins as a path or URL does, and that
# several stand in one field with such a sign between them.
_ADDRESS = re.compile(r"[^\s@\\/:][^\s@\\:]*@[^\s@\\/:]+\.[^\s@\\/:.]+")
_PATH = re.compile(r"(?:\\|/|(?:smb|s?ftps?|ncp|file)://).*|[^@\\]*\\[^@]*", re.IGNORECASE | re.DOTALL)
_BETWEEN = re.compile(r"\s*[;,]\s*|\s+")

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

_SCANNER = re.compile(r"scanner\s*:")
SCAN, JOB, NOISE, ACCESS = range(4)

Destination = Literal["mail", "folder", ""]


def sends(kind: str) -> bool | None:
    """Tell whether a scan job of this log type sends something; None where the type isn't known here."""
    return _SCANS.get(kind.casefold())


def destination(target: str, where: str) -> Destination:
    """Tell a target's kind by what it is called and where it leads; empty where they don't, or contradict each other.

    Args:
        target: the field of that name, such as "Send".
        where: its address, or its name where it has none.
    """
    word = target.casefold()
    said: set[Destination] = {"mail"} if word in _MAIL else {"folder"} if word in _FOLDER else set()
    if where and all(map(_ADDRESS.fullmatch, _BETWEEN.split(where))):
        said.add("mail")
    elif _PATH.fullmatch(where):
        said.add("folder")
    return said.pop() if len(said) == 1 else ""


def addresses(where: str) -> list[str]:
    """Return the mail addresses that a destination's field holds, in small letters."""
    return [part.lower() for part in _BETWEEN.split(where) if _ADDRESS.fullmatch(part)]


def writes(kind: str) -> bool:
    """Tell whether an access entry's type tells of a change to the copier; a type not known here does."""
    return not READS.fullmatch(kind.casefold())


def sort(kind: str) -> int:
    """Return what an entry is by its log type: a scan job, another job, noise, or an entry of the access log."""
    kind = kind.strip().casefold()
    if _SCANNER.match(kind):
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

# What a job's status says of a scan that failed (ricoh.md's list of the manuals' words).
NO_CONNECTION = "Connection Failed"  # with Remote Machine: no connection came about
BROKE_OFF = "Communication Failure"  # one did, and ended before the mail was over

COMPLETED = re.compile(r"download completed\b", re.IGNORECASE)
LOST = re.compile(r"logs? before log id\s+(\S+)\s+does not exist", re.IGNORECASE)
