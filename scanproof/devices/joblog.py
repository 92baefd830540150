"""What a copier's log holds: its scan jobs and what became of them, and who changed what on it.

A job's "Succeeded" says that the mail server took the mail, not that it arrived.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from scanproof.devices import logwords
from scanproof.kinds import Facts

Outcome = Literal["sent", "failed", "cancelled", "elsewhere", "running", "unclear"]


def _outcome(result: str, status: str, details: str = "") -> Outcome:
    """Return what one line says of itself; a line that only says that it failed gives no reason."""
    said = {result.casefold(), status.casefold()} - {""}
    if not result:
        return "running"  # whatever the status says
    if {*said, details.casefold()} & logwords.CANCELLED and said <= logwords.BAD | logwords.CANCELLED:
        return "cancelled"
    if said & logwords.BAD:
        return "failed"
    if said & logwords.UNDER_WAY:
        return "running"
    return "sent" if said <= logwords.GOOD else "unclear"


class Target(Facts):
    """One destination of a job, as the job's target line gives it."""

    kind: str = ""  # what the log calls it: "Send", …
    address: str = ""
    name: str = ""
    result: str = ""  # empty while it is under way
    status: str = ""
    details: str = ""  # why it was cancelled or failed
    ended: datetime | None = None  # the copier's clock, without a zone

    @property
    def destination(self) -> logwords.Destination:
        """Whether it is an e-mail or a folder; empty where that can't be told."""
        return logwords.destination(self.kind, self.address or self.name)

    @property
    def recipients(self) -> list[str]:
        """The mail addresses that it goes to, in small letters; none where the log gives none."""
        return logwords.addresses(self.address or self.name)

    @property
    def outcome(self) -> Outcome:
        """What its own line says."""
        return _outcome(self.result, self.status, self.details)

    @property
    def said(self) -> str:
        """Its own words for what became of it, beyond that it failed."""
        return self.details or ("" if self.status.casefold() in logwords.BAD else self.status)


class Job(Facts):
    """A scan job. Its times are the copier's own clock, without a zone."""

    id: str
    kind: str  # the log type, which may be none of a scan that is known here
    started: datetime | None = None
    ended: datetime | None = None
    result: str = ""  # empty while it is under way
    status: str = ""
    operation: str = ""  # "Control Panel", "Web", …
    user: str = ""
    host: str = ""
    details: str = ""  # why it was cancelled or failed
    sources: tuple[str, ...] = ()  # the results of its source lines
    targets: tuple[Target, ...] = ()
    dropped: int = 0  # lines beyond those that are kept of a job

    @property
    def outcome(self) -> Outcome:
        """What became of it as an e-mail.

        sent       it and every e-mail of it succeeded
        failed     it is over, and it, a source or an e-mail of it failed
        cancelled  a user cancelled it
        elsewhere  it was none: a scan to folders, into the device or a program
        running    it, or a target of it, isn't over
        unclear    the log uses words that aren't known here, or doesn't tell whether it was one
        """
        sends = logwords.sends(self.kind)
        if not sends:
            return "unclear" if sends is None else "elsewhere"
        own = _outcome(self.result, self.status, self.details)
        into: dict[logwords.Destination, set[Outcome]] = {"mail": set(), "folder": set(), "": set()}
        for target in self.targets:
            # guess: a target that failed and says no more failed since the whole job was cancelled.
            along = own == "cancelled" and target.outcome == "failed" and not target.said
            into[target.destination].add("cancelled" if along else target.outcome)
        mail, untold = into["mail"], into[""]
        if into["folder"] and not (mail or untold or self.dropped):
            return "elsewhere"
        if own == "running":
            return own
        if "failed" in mail | untold:
            return "failed" if "failed" in mail else "unclear"
        if "cancelled" in {own, *mail, *untold} and own in {"cancelled", "failed", "sent"}:
            return "unclear" if self.dropped else "cancelled"
        unread = any(result.casefold() in logwords.BAD for result in self.sources)
        if unread or (own == "failed" and not (mail and "failed" in into["folder"])):  # else it failed in a folder
            return "failed" if mail else "unclear"
        if "running" in mail | untold:
            return "running"
        return "unclear" if "unclear" in {own, *mail, *untold} or not mail or self.dropped else "sent"

    @property
    def sent(self) -> bool:
        """Whether it went out by e-mail, to everyone that it was for."""
        return self.outcome == "sent"

    @property
    def failed(self) -> bool:
        """Whether it was an e-mail, is over, and did not go out to everyone that it was for."""
        return self.outcome == "failed"

    @property
    def broken(self) -> bool:
        """Whether anything of it failed, an e-mail or not."""
        outcomes = {_outcome(self.result, self.status, self.details), *(target.outcome for target in self.targets)}
        return "failed" in outcomes

    @property
    def troubled(self) -> bool:
        """Whether it failed as an e-mail, or something of it failed that may have been one."""
        return self.failed or (self.outcome == "unclear" and self.broken)

    @property
    def trouble(self) -> str:
        """What such a job is, in words."""
        return "a scan that failed" if self.failed else "a job that failed and may have been an e-mail"

    @property
    def reason(self) -> str:
        """The log's own words for what became of it."""
        said = (self.details, *(target.said for target in self.targets if target.outcome != "sent"), self.status)
        return next((words for words in said if words), self.result)

    @property
    def strange(self) -> str:
        """The first of its words for a result that isn't known here; empty where all are."""
        lines = ((self.result, self.status), *((target.result, target.status) for target in self.targets))
        return next((result or status for result, status in lines if _outcome(result, status) == "unclear"), "")

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
    jobs: tuple[Job, ...] = ()  # scan jobs, oldest first; behind them, jobs of a type that isn't known here
    access: tuple[Access, ...] = ()  # oldest first; without "Collect Encrypted Communication Logs"
    counts: dict[str, int] = Field(default_factory=dict)  # entries of each log type, those that aren't kept too
    dropped: int = 0  # entries that were not kept for want of room, the oldest
    undated: int = 0  # kept entries whose time can't be read
    first: datetime | None = None  # of the first entry
    last: datetime | None = None  # of the last one
    ambiguous_dates: bool = False  # nothing tells whether the day or the month is first: no time is given
    exported: bool = False  # by a person, into a file
    off: bool = False  # whole, but without an entry: nothing is collected, or all was deleted

    @property
    def useless(self) -> str:
        """Say why it proves nothing; empty where it does."""
        if self.off:
            return "the device collects no log"
        if not self.complete:
            return f"the log was cut off{f': {self.ending}' if self.ending else ''}"
        if self.ambiguous_dates or (self.undated and self.undated == len(self.jobs) + len(self.access)):
            return "nothing tells how its dates are written"
        return ""

    def ends_in_trouble(self, since: datetime, until: datetime) -> Job | None:
        """Return the last job that is known to be an e-mail, or may be one, where it failed; None where it went out.

        One that was cancelled, is under way or was no e-mail is passed over, and so is what isn't understood unless
        something of it failed.

        Args:
            since: by the copier's clock, the minute of which is included: some logs may give no seconds.
            until: by the copier's clock: nothing tells when a job really was that is yet to come.
        """
        since = since.replace(second=0, microsecond=0)
        told = [(job.at, job) for job in self.jobs if job.at and (job.sent or job.troubled)]
        told = [it for it in told if since <= it[0] <= until]
        told.sort(key=lambda it: it[0])  # of the same moment, the log's own order counts
        return told[-1][1] if told and not told[-1][1].sent else None

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
