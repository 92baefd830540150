"""What a copier's log holds: its scan jobs and what became of them, and who changed what on it.

A job's "Succeeded" says that the mail server took the mail, not that it arrived.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from scanproof.devices import logwords
from scanproof.kinds import Facts

Outcome = Literal["sent", "failed", "running", "unclear"]


def _outcome(result: str, status: str) -> Outcome:
    said = {result.casefold(), status.casefold()} - {""}
    if not result:
        return "running"  # whatever the status says
    if said & logwords.BAD:
        return "failed"
    if said & logwords.UNDER_WAY:
        return "running"
    return "sent" if said <= logwords.GOOD else "unclear"


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
        if "failed" in each or any(result.casefold() in logwords.BAD for result in self.sources):
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
        return logwords.writes(self.kind)


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
