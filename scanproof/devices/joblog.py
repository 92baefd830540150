"""The log that a Ricoh copier's web page gives at "Download Logs": its scan jobs, and who changed what on it.

Known from Ricoh's manuals (Pro C9110 p. 119, MP C305SP p. 211, IM 8000 "Collecting Logs"): a CSV file in UTF-8, one
header line, ascending by Log ID; a job takes several lines with one Log ID (common items, then each source, then
each target, every one with a result of its own); an empty Result is a job that isn't over; the last line says that
the download is whole. Known from a public collector of such files: a byte order mark, and that lines which continue
a job have an empty first column. A copier keeps at most 4,000 jobs and 12,000 access entries (IM 8000).

No public sample holds the line of a scan. What rests on memory or is guessed is marked so below.

A job's "Succeeded" says that the mail server took the mail, not that it arrived.
"""

from __future__ import annotations

import asyncio
import codecs
import csv
import re
import sys
from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from scanproof.kinds import Facts
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

MOST: Final = 16_000  # lines kept of jobs, and of access entries: what a copier holds (IM 8000), at four lines a job
PIECE: Final = 1 << 16  # bytes that are worked on at a time
LONGEST: Final = 1 << 16  # characters of a record, its line breaks included; the rest is cut off
WEIGHS: Final = 400  # characters of a record for which it counts as one more line
TEXT: Final = 300  # characters kept of a field
LINES: Final = 1_000  # lines kept of a job. From memory: a scan has up to 500 destinations
KINDS: Final = 200  # log types told apart
OTHER: Final = "(other)"  # counts the log types beyond those

Outcome = Literal["sent", "failed", "running", "unclear"]

_GOOD = frozenset({"succeeded", "completed"})
_BAD = frozenset({"failed", "error"})
_UNDER_WAY = frozenset({"processing", "suspended"})

# Log types are taken to be English whatever the panel's language is: a guess.
# From memory, but for "Printer", "Scanner" and "Report Printing". An entry with a source or a target is a job, too.
_JOBS = re.compile(
    r"(?:copier|printer|fax|document server)\s*:|(?:result )?report printing|control sdk application", re.ASCII
)
# Access entries that tell of no change. Whatever else there is counts as one, so that a type which isn't known here
# can't hide it. "Firmware: Structure" is the check at each power-on, "Firmware: Invalid" what a check found, "Capture
# Error" and "…Tracking Permission Result" errors (MP 3353 p. 564). "Download…" is a guess.
_READS = re.compile(
    r"login|logout|lockout|access violation|collect encrypted communication logs?|download.*"
    r"|firmware: (?:structure|invalid)|capture error|.*tracking permission result",
    re.ASCII,
)


def _outcome(result: str, status: str) -> Outcome:
    said = {result.casefold(), status.casefold()} - {""}
    if not result:
        return "running"  # whatever the status says
    if said & _BAD:
        return "failed"
    if said & _UNDER_WAY:
        return "running"
    return "sent" if said <= _GOOD else "unclear"


class Target(Facts):
    """One destination of a job, as the job's target line gives it."""

    address: str = ""
    name: str = ""
    result: str = ""  # empty while it is under way
    status: str = ""
    ended: datetime | None = None  # the copier's clock, without a zone


class Job(Facts):
    """A scan job. Its times are the copier's own clock, without a zone."""

    id: str
    kind: str  # the log type
    started: datetime | None = None
    ended: datetime | None = None
    result: str = ""  # empty while it is under way
    status: str = ""
    operation: str = ""  # "Control Panel", "Web", …
    user: str = ""
    host: str = ""
    details: str = ""  # why it was cancelled
    sources: tuple[str, ...] = ()  # the results of its source lines
    targets: tuple[Target, ...] = ()
    dropped: int = 0  # lines beyond those that are kept of a job

    @property
    def outcome(self) -> Outcome:
        """What the log says of the job and of every target; "unclear" where it uses words not known here."""
        own = _outcome(self.result, self.status)
        if own == "running":
            return own
        each = {own, *(_outcome(target.result, target.status) for target in self.targets)}
        if "failed" in each or any(result.casefold() in _BAD for result in self.sources):
            return "failed"
        if "running" in each:
            return "running"
        return "unclear" if "unclear" in each or self.dropped else "sent"

    @property
    def sent(self) -> bool:
        """Whether the job and every target of it succeeded."""
        return self.outcome == "sent"

    @property
    def failed(self) -> bool:
        """Whether the job is over, and it or a source or target of it failed."""
        return self.outcome == "failed"

    @property
    def running(self) -> bool:
        """Whether the job, or a target of it, isn't over."""
        return self.outcome == "running"

    @property
    def at(self) -> datetime | None:
        """When it ended, or began where that isn't told."""
        return self.ended or self.started


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


class Access(Facts):
    """An entry of the access log. Its time is the copier's own clock, without a zone."""

    id: str
    kind: str  # the log type
    at: datetime | None = None
    status: str = ""
    user: str = ""
    host: str = ""
    method: str = ""

    def by(self, user: str) -> bool:
        """Whether it is of a user, by letters and digits: some copiers write brackets around names."""
        return _letters(self.user) == _letters(user)

    @property
    def writes(self) -> bool:
        """Whether its type tells of a change to the copier; a type not known here does."""
        return not _READS.fullmatch(self.kind.casefold())


class JobLog(Facts):
    """What a downloaded log holds."""

    complete: bool  # the last line says so; without it the download was cut, and proves nothing
    lost_before: str = ""  # the Log ID before which entries were overwritten meanwhile
    ending: str = ""  # the last line where it is no entry: on an error, what the copier says of it
    rows: int = 0  # lines of entries
    damaged: int = 0  # lines that were cut, or are neither an entry nor part of one
    jobs: tuple[Job, ...] = ()  # scan jobs, oldest first
    access: tuple[Access, ...] = ()  # oldest first; without "Collect Encrypted Communication Logs"
    counts: dict[str, int] = Field(default_factory=dict)  # entries of each log type, those that aren't kept too
    dropped: int = 0  # entries that were not kept for want of room, the oldest
    undated: int = 0  # kept entries whose time can't be read
    first: datetime | None = None  # of the first entry
    last: datetime | None = None  # of the last one
    ambiguous_dates: bool = False  # nothing tells whether the day or the month is first: no time is given
    exported: bool = False  # by a person, into a file
    off: bool = False  # whole, but without an entry: nothing is collected, or all was deleted

    def failures(self, since: datetime) -> tuple[Job, ...]:
        """Return the jobs that failed, and ended at this time of the copier's clock or later.

        Jobs without a time are not among them (``undated``).
        """
        since = since.replace(tzinfo=None)
        return tuple(job for job in self.jobs if job.failed and job.at is not None and job.at >= since)

    def writes(self, user: str, between: tuple[datetime, datetime]) -> tuple[Access, ...]:
        """Return the entries that tell of a change by this user, or by nobody named.

        Args:
            user: login name; the case of letters makes no difference.
            between: login and logout by the copier's clock, both included. Entries without a time are not among
                those returned (``undated``).
        """
        begin, end = (moment.replace(tzinfo=None) for moment in between)
        return tuple(
            entry
            for entry in self.access
            if entry.writes
            and (not _letters(entry.user) or entry.by(user))
            and entry.at is not None
            and begin <= entry.at <= end
        )


# --- Columns ---

# What a column may be called, the first that is filled counts. "Start Date/Time", "End Date/Time", "Log Type",
# "Result", "Status", "Operation Method", "Cancelled: Details", "User ID", "Host IP Address", "Source" and "Log ID" are
# in a public collector of such files, "Login Method" in the manual of the IM 350. All others are from memory, those of
# the target among them.
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
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

_Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a file has what: models have different columns."""

    width: int  # cells of a row up to the last that is needed
    start: int
    id: int
    kind: int
    title: str  # of the column of Log IDs
    commas: int  # of a line without quotes
    head: int  # commas up to behind both the start and the type
    tail: int  # commas from the Log ID to the end, and the one before it
    pick: Callable[[list[str]], _Cells]  # the needed cells of a row
    places: dict[str, tuple[int, ...]]  # among the picked ones

    @classmethod
    def of(cls, row: list[str]) -> _Layout | None:
        """Return the layout that a header line gives; None where the line is none."""
        found: dict[str, list[int]] = {}
        for index, title in enumerate(row[:1000]):
            places = found.setdefault(title.strip().casefold(), [])
            if len(places) < 8:  # a hostile header must not make every line cost much
                places.append(index)
        if "start date/time" not in found or "log id" not in found or "log type" not in found:
            return None
        # A name can stand in a header more than once: a guess is that source and target have times of their own.
        columns = {name: [at for title in titles for at in found.get(title, ())] for name, titles in _COLUMNS.items()}
        needed = sorted({at for places in columns.values() for at in places})
        order = {at: place for place, at in enumerate(needed)}
        return cls(
            width=needed[-1] + 1,
            start=columns["start"][0],
            id=columns["id"][0],
            kind=columns["kind"][0],
            title=row[columns["id"][0]],
            commas=len(row) - 1,
            head=max(columns["start"][0], columns["kind"][0]) + 1,
            tail=len(row) - columns["id"][0],
            pick=itemgetter(*needed),
            places={name: tuple(order[at] for at in places) for name, places in columns.items()},
        )

    def cells(self, record: str) -> _Cells:
        """Return the needed cells of a record."""
        row = _row(record) or []
        return self.pick(row + [""] * (self.width - len(row)) if len(row) < self.width else row)

    def raw(self, cells: _Cells, name: str) -> str:
        """Return the first cell of this name that is filled."""
        for place in self.places[name]:
            if cells[place]:
                return cells[place]
        return ""

    def has(self, cells: _Cells, *names: str) -> bool:
        """Tell whether any of these is filled."""
        return any(self.raw(cells, name).strip() for name in names)


# --- Times ---

# How a copier writes times in this file is not publicly known: a guess is that it is as on its panel.
_CLOCK = r"[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AP])\.?M\.?)?"
_YEAR_FIRST = re.compile(r"([0-9]{4})([/-])([0-9]{1,2})\2([0-9]{1,2})" + _CLOCK, re.IGNORECASE)
_DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})" + _CLOCK, re.IGNORECASE)
_SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})" + _CLOCK, re.IGNORECASE)


def _number(log_id: str) -> int | None:
    # Seen as "0x00000000000022c5". Decimal ones keep their order when read as hexadecimal.
    try:
        return int(log_id[:64], 16)
    except ValueError:
        return None


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


class _Order:
    """Finds out whether the day or the month is first in dates with slashes, once for a file."""

    def __init__(self, now: datetime) -> None:
        self.first_over_12 = self.second_over_12 = False
        self.differ = False  # a date means two days
        self._latest = (now.replace(tzinfo=None) + timedelta(days=1)).toordinal() if now.year < 9999 else sys.maxsize
        self._broken = [False, False]  # by each reading: later than now, or earlier though the Log ID is higher
        self._before: tuple[int | None, list[int | None]] = (None, [None, None])

    def parts(self, text: str) -> tuple[int, int, int] | None:
        """Take note of a date's parts; return them, or None where it has no slashes or can't be one."""
        match = _SLASHES.match(text.strip())
        if not match:
            return None
        one, two, year = int(match[1]), int(match[2]), int(match[3])
        if (one > 12 and two > 12) or not (one and two and year):
            return None
        self.first_over_12 |= one > 12
        self.second_over_12 |= two > 12
        self.differ |= one != two
        return one, two, year

    def note(self, text: str, log_id: str) -> None:
        """Take note of when an entry began."""
        parts = self.parts(text)
        if parts is None:
            return
        one, two, year = parts
        number, days = _number(log_id), [_ordinal(year, two, one), _ordinal(year, one, two)]
        ascends = number is not None and self._before[0] is not None and number > self._before[0]
        for reading, (day, before) in enumerate(zip(days, self._before[1], strict=True)):
            # Jobs overlap, and a clock is set: less than two days back is no sign.
            if day is not None and (day > self._latest or (ascends and before is not None and day < before - 1)):
                self._broken[reading] = True
        self._before = (number, days)

    @property
    def day_first(self) -> bool | None:
        """Whether the day is first; None where nothing tells."""
        if not self.differ:
            return True  # both readings are the same
        if self.first_over_12 != self.second_over_12:
            return self.first_over_12
        if self.first_over_12 or self._broken[0] == self._broken[1]:
            return None
        return not self._broken[0]


def _when(text: str, *, day_first: bool | None) -> datetime | None:
    """Return a time as the copier's clock gave it; None where it can't be read."""
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, month, day, *clock = match.groups()
    elif match := _DOTTED.fullmatch(text):
        day, month, year, *clock = match.groups()
    elif day_first is not None and (match := _SLASHES.fullmatch(text)):
        one, two, year, *clock = match.groups()
        day, month = (one, two) if day_first else (two, one)
    else:
        return None
    hour, minute, second, half = clock
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "pP" else 0)
    try:
        return datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0))  # noqa: DTZ001 - no zone
    except ValueError:
        return None


# --- Entries ---

_SCAN, _JOB, _NOISE, _ACCESS = range(4)


def _sort(kind: str) -> int:
    kind = kind.strip().casefold()
    # From memory: "Scanner: Sending" is scan to e-mail and to a folder; documented are "Scanner: Stored File URL Link
    # Sending" and "Scanner: TWAIN Driver Scanning".
    if kind.startswith("scanner:"):
        return _SCAN
    if _JOBS.match(kind):
        return _JOB
    return _NOISE if kind.startswith("collect encrypted communication log") else _ACCESS


@dataclass(slots=True)
class _Entry:
    """An entry that may be kept: its records as they stand in the file. Cells are looked at once it is kept."""

    layout: _Layout
    sort: int
    records: list[str]
    weight: int
    dropped: int = 0


def _weight(record: str) -> int:
    return 1 + len(record) // WEIGHS


class _Newest:
    """The newest entries, up to a weight in all: what is kept is bounded whatever a file holds."""

    def __init__(self, most: int) -> None:
        self.entries: deque[_Entry] = deque()
        self.dropped = 0
        self._most, self._weight = most, 0

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self._weight += entry.weight
        while self._weight > self._most and self.entries:
            self._weight -= self.entries.popleft().weight
            self.dropped += 1

    def emptied(self) -> Iterator[_Entry]:
        """Return the entries, oldest first, each of which is let go."""
        while self.entries:
            yield self.entries.popleft()


def _row(record: str) -> list[str] | None:
    """Return a record's cells; None where it is none."""
    if '"' not in record:
        return record.split(",")
    try:
        return next(csv.reader((record,)), [])
    except csv.Error:
        return None


_COMPLETED = re.compile(r"download completed\b", re.IGNORECASE)
_LOST = re.compile(r"logs? before log id\s+(\S+)\s+does not exist", re.IGNORECASE)


class Reader:
    """Reads a log piece by piece; holds no more of it than one record, the open job, and what is kept."""

    def __init__(self, *, since: datetime | None, now: datetime, most: int = MOST) -> None:
        """Begin.

        Args:
            since: entries that ended before are left out; those without a time are not. None keeps all.
            now: what the copier's clock can be expected to show, within a day. A zone is dropped, here and in
                ``since``: the log has none.
            most: lines kept of scan jobs, and as many of access entries, the newest; long ones count as several.
        """
        self._since = since.replace(tzinfo=None) if since else None
        # What began days before isn't looked at; of the rest, each entry's own end decides, once that is read.
        self._early = self._since - min(timedelta(days=2), self._since - datetime.min) if self._since else None  # noqa: DTZ901
        self._bytes = bytearray()  # a line that has not ended, or a file too short to tell its encoding
        self._begun = self._skipping = False
        self._utf16: codecs.IncrementalDecoder | None = None
        self._quoted: list[str] = []  # lines of a record with an open quote
        self._quoted_length = 0
        self._layout: _Layout | None = None
        self._open: _Entry | None = None  # none while lines belong to an entry that isn't kept
        self._open_id = ""
        self._inside = False  # an entry has begun, kept or not
        self._jobs, self._access = _Newest(most), _Newest(most)
        self._counts: dict[str, list[int]] = {}  # log type: entries, and which sort it is
        self._order, self._day, self._old = _Order(now), "", False
        self._rows = self._damaged = self._entries = 0
        self._first = self._last = self._ending = ""

    # Bytes to lines.

    def feed(self, chunk: bytes) -> None:
        """Read more of the file; any bytes do."""
        for at in range(0, len(chunk), PIECE):
            self._feed(chunk[at : at + PIECE])

    def _feed(self, piece: bytes) -> None:
        if not self._begun:
            self._bytes += piece
            if len(self._bytes) < 3:
                return
            piece = self._unmarked()
        if self._utf16:
            piece = self._utf16.decode(piece).encode("utf-8", "replace")
        if self._skipping:
            # The rest of a line that was too long.
            ends = [at for at in (piece.find(b"\n"), piece.find(b"\r")) if at >= 0]
            if not ends:
                return
            piece, self._skipping = piece[min(ends) :], False
        held = len(self._bytes)
        self._bytes += piece
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        if end:
            body = bytes(self._bytes[: held + end])
            del self._bytes[: held + end]
            self._lines(body)
        if len(self._bytes) > LONGEST:
            cut = bytes(self._bytes[: LONGEST + 1])  # one too many: it is seen to be too long
            self._bytes.clear()
            self._skipping = True
            self._lines(cut + b"\n")

    def _unmarked(self) -> bytes:
        """Tell the encoding by the file's first bytes; return them without a byte order mark."""
        self._begun = True
        start = bytes(self._bytes)
        self._bytes.clear()
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._utf16 = codecs.getincrementaldecoder("utf-16")(errors="replace")
        return start.removeprefix(codecs.BOM_UTF8)

    def _lines(self, body: bytes) -> None:
        """Read whole lines."""
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            text = "\n".join(map(_decoded, body.split(b"\n")))
        lines = text.split("\n")
        lines.pop()  # what follows the last line break: nothing
        if max(map(len, lines)) > LONGEST:
            self._damaged += sum(len(line) > LONGEST for line in lines)
            lines = [line[:LONGEST] for line in lines]
        self._take(lines)

    # Lines to entries.

    def _take(self, lines: list[str]) -> None:
        """Read lines. Most have no quotes and as many cells as the header: of those only what tells them is cut out."""
        layout, rows = self._layout, 0
        for line in lines:
            if self._quoted or '"' in line:
                for record in self._records(line):
                    self._record(record)
                layout = self._layout
            elif layout is None or line.count(",") != layout.commas:
                self._record(line)
                layout = self._layout
            else:
                log_id = line.rsplit(",", layout.tail)[-layout.tail]
                if log_id and log_id == self._open_id:
                    rows += 1
                    if self._open is not None:
                        self._more(self._open, line)
                    continue
                head = line.split(",", layout.head)
                start = head[layout.start]
                if start and log_id and log_id != layout.title:
                    self._begin(layout, line, log_id, start, head[layout.kind])
                else:
                    self._record(line)
                    layout = self._layout
        self._rows += rows

    def _records(self, line: str) -> Iterator[str]:
        """Return the records that a line ends, of which a quoted field can join several lines."""
        odd = line.count('"') % 2 == 1
        if self._quoted:
            self._quoted.append(line)
            self._quoted_length += len(line) + 1
            if odd:
                yield "\n".join(self._quoted)
                self._quoted = []
            elif self._quoted_length > LONGEST:
                yield from self._unclosed()
        elif odd and len(list(csv.reader((line, "")))) == 1:  # the second line went into a field of the first
            self._quoted, self._quoted_length = [line], len(line)
        else:
            yield line

    def _unclosed(self) -> list[str]:
        """Return lines after a quote that was never closed: each is taken for itself."""
        lines, self._quoted = self._quoted, []
        self._damaged += 1
        return lines

    def _record(self, record: str) -> None:
        """Read any record, cell by cell."""
        row = _row(record)
        if row is None:
            self._damaged += 1
            self._close()
            return
        layout = self._layout
        if layout is None:
            self._layout = _Layout.of(row)  # what stands before is a title
            return
        if len(row) < layout.width:
            if not any(row):
                return
            row += [""] * (layout.width - len(row))
        log_id, start, kind = row[layout.id], row[layout.start].strip(), row[layout.kind]
        if self._inside and (log_id == self._open_id or not (start or log_id)):
            self._rows += 1
            if self._open is not None:
                self._more(self._open, record)
        elif "date/time" in record[:LONGEST].casefold() and (again := _Layout.of(row)):
            self._close()
            self._layout = again  # two files in one
        elif log_id and (start or kind.strip()):
            self._begin(layout, record, log_id, start, kind)
        elif log_id or not start:
            self._close()
            self._rows += 1
            self._damaged += 1  # a part of an entry whose beginning is missing
            self._not_the_end()
        else:
            # Neither an entry nor a part of one. On an error the file's last line says what it was.
            self._close()
            self._not_the_end()
            self._ending = " ".join(cell[:TEXT] for cell in row if cell)[: 2 * TEXT]

    def _not_the_end(self) -> None:
        """Take note that more follows what could have been the last line."""
        self._damaged += bool(self._ending) and not _COMPLETED.match(self._ending.strip())
        self._ending = ""

    def _begin(self, layout: _Layout, record: str, log_id: str, start: str, kind: str) -> None:
        """Take the first record of an entry."""
        if self._open is not None:
            self._close()
        self._rows += 1
        self._entries += 1
        if self._ending:
            self._not_the_end()
        self._last = start
        self._inside, self._open_id = True, log_id
        if start[:10] != self._day:
            self._date(start, log_id)
        counted = self._counts.get(kind)
        if counted is None:
            counted = self._counts.setdefault(kind[:TEXT] if len(self._counts) < KINDS else OTHER, [0, 0])
            counted[1] = _sort(kind)
        counted[0] += 1
        if not self._old and counted[1] in {_SCAN, _ACCESS}:
            self._open = _Entry(layout, counted[1], [record], _weight(record))

    def _date(self, start: str, log_id: str) -> None:
        """Take note of a new day."""
        self._day = start[:10]
        self._first = self._first or start
        self._order.note(start, log_id)
        if self._early is not None:
            days = [_when(start, day_first=first) for first in (True, False)]
            known = [day for day in days if day]
            self._old = bool(known) and max(known) < self._early

    def _more(self, entry: _Entry, record: str) -> None:
        """Take a record that continues an entry."""
        if len(entry.records) < LINES:
            entry.records.append(record)
            entry.weight += _weight(record)
        else:
            entry.dropped += 1

    def _close(self) -> None:
        """Keep the open entry, or let it go: what follows doesn't continue it."""
        entry, self._open, self._open_id, self._inside = self._open, None, "", False
        if entry is not None:
            (self._jobs if entry.sort == _SCAN else self._access).add(entry)

    # The end.

    def finish(self) -> JobLog:
        """Return what was read. The reader is used up by it."""
        if not self._begun:
            self._bytes = bytearray(self._unmarked())
        if self._utf16:
            self._bytes += self._utf16.decode(b"", final=True).encode("utf-8", "replace")
        if self._bytes:
            self._lines(bytes(self._bytes) + b"\n")
        if self._quoted:
            for line in self._unclosed():
                self._record(line)
        self._close()
        complete = bool(_COMPLETED.match(self._ending.strip()))
        if self._ending and not complete:
            self._damaged += 1
        lost = _LOST.search(self._ending) if complete else None
        for entry in self._jobs.entries if self._order.differ else ():
            for record in entry.records:
                self._order.parts(entry.layout.raw(entry.layout.cells(record), "ended"))
        made = _Made(day_first=self._order.day_first, since=self._since)
        jobs = tuple(job for entry in self._jobs.emptied() if (job := made.job(entry)))
        access = tuple(one for entry in self._access.emptied() if (one := made.access(entry)))
        counts: dict[str, int] = {}
        for kind, (count, _) in self._counts.items():
            counts[made.text(kind)] = counts.get(made.text(kind), 0) + count
        times = [job.at for job in jobs] + [entry.at for entry in access]
        return JobLog(
            complete=complete,
            lost_before=made.text(lost[1]) if lost else "",
            ending=made.text(self._ending),
            rows=self._rows,
            damaged=self._damaged,
            jobs=jobs,
            access=access,
            counts=counts,
            dropped=self._jobs.dropped + self._access.dropped,
            undated=times.count(None),
            first=made.when(self._first),
            last=made.when(self._last),
            ambiguous_dates=self._order.day_first is None,
            off=complete and not self._entries and not self._damaged,
        )


def _id(layout: _Layout, cells: _Cells) -> str:
    return plain(layout.raw(cells, "id")[:TEXT].strip())


def _decoded(line: bytes) -> str:
    """Decode a line of a file that isn't UTF-8 throughout."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


class _Made:
    """Makes facts of the entries that were kept, once it is known how dates are to be read."""

    def __init__(self, *, day_first: bool | None, since: datetime | None) -> None:
        self._day_first, self._since = day_first, since
        self._texts: dict[str, str] = {}  # most fields repeat

    def text(self, raw: str) -> str:
        found = self._texts.get(raw)
        if found is None:
            found = self._texts[raw] = plain(" ".join(raw[:TEXT].split()))
        return found

    def when(self, raw: str) -> datetime | None:
        return _when(raw, day_first=self._day_first) if raw else None

    def _old(self, at: datetime | None) -> bool:
        return self._since is not None and at is not None and at < self._since

    def job(self, entry: _Entry) -> Job | None:
        """Return a scan job; None where it ended too early."""
        layout = entry.layout
        cells, *more = map(layout.cells, entry.records)
        started, ended = self.when(layout.raw(cells, "start")), self.when(layout.raw(cells, "ended"))
        if self._old(ended or started):
            return None
        sources: list[str] = []
        targets: list[Target] = []
        for line in more:
            if layout.has(line, "target", "name", "address"):
                targets.append(self._target(layout, line))
            elif layout.has(line, "source") or not sources:
                sources.append(self._cell(layout, line, "result"))
            else:
                # A guess: where nothing else tells, lines come in the manual's order, sources before targets.
                targets.append(self._target(layout, line))
        if not more and layout.has(cells, "name", "address"):
            targets.append(self._target(layout, cells))  # a guess: a model with one line a job
        return Job(
            id=_id(layout, cells),
            kind=self._cell(layout, cells, "kind"),
            started=started,
            ended=ended,
            result=self._cell(layout, cells, "result"),
            status=self._cell(layout, cells, "status"),
            operation=self._cell(layout, cells, "operation"),
            user=self._cell(layout, cells, "user"),
            host=self._cell(layout, cells, "host"),
            details=self._cell(layout, cells, "details"),
            sources=tuple(sources),
            targets=tuple(targets),
            dropped=entry.dropped,
        )

    def access(self, entry: _Entry) -> Access | None:
        """Return an entry of the access log; None where it is too old, or turns out to be a job."""
        layout = entry.layout
        cells, *more = map(layout.cells, entry.records)
        at = self.when(layout.raw(cells, "start"))
        if self._old(at):
            return None
        for line in more:
            if layout.has(line, "source", "target", "name", "address"):
                return None  # a job of a type that isn't known here
            # The manual can be read so that an access entry, too, has its items on a line of their own.
            cells = tuple(one or two for one, two in zip(cells, line, strict=True))
        return Access(
            id=_id(layout, cells),
            kind=self._cell(layout, cells, "kind"),
            at=at,
            status=self._cell(layout, cells, "status") or self._cell(layout, cells, "result"),
            user=self._cell(layout, cells, "user"),
            host=self._cell(layout, cells, "host"),
            method=self._cell(layout, cells, "method") or self._cell(layout, cells, "operation"),
        )

    def _target(self, layout: _Layout, cells: _Cells) -> Target:
        ends = [cells[place] for place in layout.places["ended"] if cells[place]]
        return Target(
            address=self._cell(layout, cells, "address"),
            name=self._cell(layout, cells, "name"),
            result=self._cell(layout, cells, "result"),
            status=self._cell(layout, cells, "status"),
            ended=self.when(ends[-1]) if ends else None,  # the target's own columns stand behind the common ones
        )

    def _cell(self, layout: _Layout, cells: _Cells, name: str) -> str:
        return self.text(layout.raw(cells, name))


async def read(chunks: AsyncIterator[bytes], *, since: datetime | None, now: datetime, most: int = MOST) -> JobLog:
    """Read a log as it is downloaded.

    Args:
        chunks: the file's bytes.
        since: entries that ended before are left out; those without a time are not. None keeps all.
        now: what the copier's clock can be expected to show, within a day; a zone is dropped.
        most: lines kept of scan jobs, and as many of access entries, the newest.
    """
    reader = Reader(since=since, now=now, most=most)
    async for chunk in chunks:
        for at in range(0, len(chunk), PIECE):
            reader.feed(chunk[at : at + PIECE])
            await asyncio.sleep(0)  # other dialogues have deadlines
    return await asyncio.to_thread(reader.finish)


def read_file(path: Path, *, since: datetime | None, now: datetime, most: int = MOST) -> JobLog:
    """Read a log that was downloaded before; the arguments are those of ``read``."""
    reader = Reader(since=since, now=now, most=most)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            reader.feed(piece)
    return reader.finish()
