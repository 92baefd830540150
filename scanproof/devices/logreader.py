"""Reads the log that a Ricoh copier's web page gives at "Download Logs".

Known from Ricoh's manuals (Pro C9110 p. 119, MP C305SP p. 211, IM 8000 "Collecting Logs"): a CSV file in UTF-8, one
header line, ascending by Log ID; a job takes several lines with one Log ID (common items, then each source, then
each target, every one with a result of its own); an empty Result is a job that isn't over; the last line says that
the download is whole. Known from a public collector of such files: a byte order mark, and that lines which continue
a job have an empty first column. A copier keeps at most 4,000 jobs and 12,000 access entries (IM 8000).

No public sample holds the line of a scan. What rests on memory or is guessed is marked so where it is decided.
"""

from __future__ import annotations

import asyncio
import codecs
import csv
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from scanproof.devices.joblog import Access, Job, JobLog, Target
from scanproof.devices.logrows import Cells, Entry, Layout, Newest, row_of, weight_of
from scanproof.devices.logtimes import Order, when
from scanproof.devices.logwords import ACCESS, COMPLETED, LOST, SCAN, sort
from scanproof.redact import plain, scrub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MOST: Final = 16_000  # lines kept of jobs, and of access entries: what a copier holds (IM 8000), at four lines a job
PIECE: Final = 1 << 16  # bytes that are worked on at a time
LONGEST: Final = 1 << 16  # characters of a record, its line breaks included; a longer one is left out
TEXT: Final = 300  # characters kept of a field
LINES: Final = 1_000  # lines kept of a job. From memory: a scan has up to 500 destinations
KINDS: Final = 200  # log types told apart
OTHER: Final = "(other)"  # counts the log types beyond those


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
        self._layout: Layout | None = None
        self._open: Entry | None = None  # none while lines belong to an entry that isn't kept
        self._open_id = ""
        self._inside = False  # an entry has begun, kept or not
        self._jobs, self._access = Newest(most), Newest(most)
        self._counts: dict[str, list[int]] = {}  # log type: entries, and which sort it is
        self._order, self._day, self._old = Order(now), "", False
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
        if max(map(len, lines)) <= LONGEST:
            self._take(lines)
            return
        for too_long, some in groupby(lines, key=lambda line: len(line) > LONGEST):
            if too_long:
                self._leave_out(len(list(some)))
            else:
                self._take(list(some))

    def _leave_out(self, lines: int) -> None:
        """Take note of lines that are too long, of which nothing is kept: a cut could go through a secret."""
        self._damaged += lines
        for line in self._unclosed() if self._quoted else ():
            self._record(line)
        if self._open is not None:
            self._open.dropped += 1
        self._close()
        self._not_the_end()

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
        row = row_of(record)
        if row is None:
            self._damaged += 1
            self._close()
            return
        layout = self._layout
        if layout is None:
            self._layout = Layout.of(row)  # what stands before is a title
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
        elif "date/time" in record[:LONGEST].casefold() and (again := Layout.of(row)):
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
            self._ending = " ".join(filter(None, row_of(scrub(record)) or row))[: 2 * TEXT]

    def _not_the_end(self) -> None:
        """Take note that more follows what could have been the last line."""
        self._damaged += bool(self._ending) and not COMPLETED.match(self._ending.strip())
        self._ending = ""

    def _begin(self, layout: Layout, record: str, log_id: str, start: str, kind: str) -> None:
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
            counted = self._counts.setdefault(scrub(kind)[:TEXT] if len(self._counts) < KINDS else OTHER, [0, 0])
            counted[1] = sort(kind)
        counted[0] += 1
        if not self._old and counted[1] in {SCAN, ACCESS}:
            self._open = Entry(layout, counted[1], [record], weight_of(record))

    def _date(self, start: str, log_id: str) -> None:
        """Take note of a new day."""
        self._day = start[:10]
        self._first = self._first or start
        self._order.note(start, log_id)
        if self._early is not None:
            days = [when(start, day_first=first) for first in (True, False)]
            known = [day for day in days if day]
            self._old = bool(known) and max(known) < self._early

    def _more(self, entry: Entry, record: str) -> None:
        """Take a record that continues an entry."""
        if len(entry.records) < LINES:
            entry.records.append(record)
            entry.weight += weight_of(record)
        else:
            entry.dropped += 1

    def _close(self) -> None:
        """Keep the open entry, or let it go: what follows doesn't continue it."""
        entry, self._open, self._open_id, self._inside = self._open, None, "", False
        if entry is not None:
            (self._jobs if entry.sort == SCAN else self._access).add(entry)

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
        complete = bool(COMPLETED.match(self._ending.strip()))
        if self._ending and not complete:
            self._damaged += 1
        lost = LOST.search(self._ending) if complete else None
        for entry in self._jobs.entries if self._order.differ else ():
            for record in entry.records:
                self._order.parts(entry.layout.raw(entry.layout.cells(record), "ended"))
        made = _Made(day_first=self._order.day_first, since=self._since)
        jobs = [job for entry in self._jobs.emptied() if (job := made.job(entry))]
        access: list[Access] = []
        for entry in self._access.emptied():
            one = made.access(entry)
            if isinstance(one, Job):
                jobs.append(one)
            elif one is not None:
                access.append(one)
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
            jobs=tuple(jobs),
            access=tuple(access),
            counts=counts,
            dropped=self._jobs.dropped + self._access.dropped,
            undated=times.count(None),
            first=made.when(self._first),
            last=made.when(self._last),
            ambiguous_dates=self._order.day_first is None,
            off=complete and not self._entries and not self._damaged,
        )


def _id(layout: Layout, cells: Cells) -> str:
    return plain(scrub(layout.raw(cells, "id")).strip(), TEXT)


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
            # Secrets first: of one that is cut, or whose blanks are joined, the rest would not be known as one.
            found = self._texts[raw] = plain(" ".join(scrub(raw).split()), TEXT)
        return found

    def when(self, raw: str) -> datetime | None:
        return when(raw, day_first=self._day_first) if raw else None

    def _old(self, at: datetime | None) -> bool:
        return self._since is not None and at is not None and at < self._since

    def job(self, entry: Entry) -> Job | None:
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

    def access(self, entry: Entry) -> Access | Job | None:
        """Return an entry of the access log, or the job that it turns out to be; None where it is too old."""
        layout = entry.layout
        cells, *more = map(layout.cells, entry.records)
        at = self.when(layout.raw(cells, "start"))
        if any(layout.has(line, "source", "target", "name", "address") for line in more):
            return self.job(entry)  # of a type that isn't known here
        if self._old(at):
            return None
        for line in more:
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

    def _target(self, layout: Layout, cells: Cells) -> Target:
        ends = [cells[place] for place in layout.places["ended"] if cells[place]]
        return Target(
            kind=self._cell(layout, cells, "target"),
            address=self._cell(layout, cells, "address"),
            name=self._cell(layout, cells, "name"),
            result=self._cell(layout, cells, "result"),
            status=self._cell(layout, cells, "status"),
            details=self._cell(layout, cells, "details"),
            ended=self.when(ends[-1]) if ends else None,  # the target's own columns stand behind the common ones
        )

    def _cell(self, layout: Layout, cells: Cells, name: str) -> str:
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
