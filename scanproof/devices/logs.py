"""What a device's own log says of scans, and of this run itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scanproof.devices import logwords, readings
from scanproof.devices.clock import NOW_WITHIN, ahead, astray, local
from scanproof.devices.identity import identity
from scanproof.devices.scans import DOUBLED, scan
from scanproof.kinds import Blocked, Evidence, Facts, Unproven, probe
from scanproof.tenant.mails import since

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.devices.facts import Scan
    from scanproof.devices.joblog import Job, JobLog
    from scanproof.gather import Run
    from scanproof.site import Copier, Site

_SKEW = timedelta(minutes=5)  # between a job's end and its mail's Date, and of clocks


class OwnLog(Facts):
    """A device's log, as far as it concerns scans since the last change and this run."""

    user: str
    why_not: str = ""  # why it proves nothing; empty where it does
    no_access: str = ""  # why its access log says nothing of this run; empty where it does
    grade: str = ""
    sent: tuple[str, ...] = ()  # scans that went out by e-mail since the last change, in words, newest first
    failed: tuple[str, ...] = ()  # by e-mail
    ends_in_failure: bool = False  # whether the last e-mail since the last change was one that failed
    ends_in_trouble: str = ""  # that e-mail, or a job that may be one, where it failed: in words
    perhaps_failed: int = 0  # failed jobs of which nothing tells whether they were e-mails
    cancelled: tuple[str, ...] = ()  # by a user
    elsewhere: tuple[str, ...] = ()  # scans that were no e-mail: to a folder, a program, the device itself
    unclear: str = ""  # what of its scan jobs could not be understood; empty where all was
    access: int = 0  # entries of its access log, of this run or not
    changes: tuple[str, ...] = ()  # by this run's account while it was signed in
    matches_mail: bool | None = None  # whether a sent job is that of the arrived mail; None: no mail was found
    untold_mail: str = ""  # why a mail that may be its own can't be told to be; empty where none lies there
    rows: int = 0

    @property
    def usable(self) -> bool:
        """Whether the log can prove anything."""
        return not self.why_not

    @property
    def shows_scans(self) -> bool:
        """Whether it tells of a scan by e-mail, or of none where a mail arrived: what isn't understood could be it."""
        if self.matches_mail is None:
            return bool(self.sent)
        return self.matches_mail or not self.unclear

    @property
    def logs_access(self) -> bool:
        """Whether it shows what was done in this run's session."""
        return not self.no_access

    @property
    def seen(self) -> str:
        """What it holds, in words."""
        newest = f", the newest {self.sent[0]}" if self.sent else ""
        mail = {True: "; it matches the mail that arrived", False: "; none matches the mail that arrived", None: ""}
        jobs = [f"{len(self.sent)} scans sent by e-mail{newest}", f"{len(self.failed)} failed"]
        jobs += [f"{len(self.cancelled)} cancelled ({_some(self.cancelled)})"] if self.cancelled else []
        jobs += [f"{len(self.elsewhere)} that were no e-mail ({_some(self.elsewhere)})"] if self.elsewhere else []
        return f"{self.rows} lines: {'; '.join(jobs)}{mail[self.matches_mail]}"


def refuted(site: Site, evidence: Iterable[Evidence[Any]]) -> list[str]:
    """Return a reason for each copier whose log holds what the site file states that it doesn't keep.

    The statement has left out LOG-3, so no case can show that it is wrong.
    """
    logs = {piece.subject: piece.facts for piece in evidence if isinstance(piece.facts, OwnLog)}
    return [
        f"copier {it.label} is stated to keep no access log ({it.no_access_log}), and its log holds "
        f"{log.access} lines of one, so LOG-3 can be judged: take no_access_log out of site.toml"
        for it in site.copiers
        if it.no_access_log and (log := logs.get(it.key)) and log.access
    ]


def _ends_in_failure(jobs: list[Job]) -> bool:
    known = [(job.at, not job.sent) for job in jobs if job.at and (job.sent or job.failed)]
    return max(known)[1] if known else False


@probe(OwnLog, deadline=300)
async def own_log(copier: Copier, run: Run) -> OwnLog:
    """Read from a device's log: scans since the last change, and what happened while this run was signed in."""
    log = await run.gather(readings.device_log, copier)
    session = await readings.session_of(copier, run)
    user = session.login.user if session and session.login else run.site.file.devices.admin_user
    if why := log.useless or await _astray(copier, run):
        return OwnLog(user=user, why_not=why, access=len(log.access), rows=log.rows)
    mail, untold = await _mail(copier, run)
    offset = await ahead(copier, mail.sent if mail else None, run)
    start = local(since(run), offset)
    jobs = [job for job in log.jobs if job.at and job.at >= start]
    window = (session.began, session.ended) if session and session.ended else None
    inside = (local(window[0], offset) - _SKEW, local(window[1], offset) + _SKEW) if window else None
    writes = log.writes(user, inside) if inside else ()
    sent = [job for job in jobs if job.sent]
    last = log.ends_in_trouble(start, local(datetime.now(UTC), offset) + NOW_WITHIN)
    return OwnLog(
        user=user,
        no_access=_no_access(log, user, inside),
        grade="attested" if log.exported else "",
        sent=tuple(_said(job) for job in reversed(sent)),
        failed=tuple(f"{_said(job)} ({job.at - offset:%H:%M:%S} UTC)" for job in jobs if job.failed and job.at),
        ends_in_failure=_ends_in_failure(jobs),
        ends_in_trouble=f"{last.trouble}: {_said(last)}" if last else "",
        perhaps_failed=sum(job.outcome == "unclear" and job.broken for job in jobs),
        cancelled=tuple(_said(job) for job in jobs if job.outcome == "cancelled"),
        elsewhere=tuple(_said(job) for job in jobs if job.outcome == "elsewhere"),
        unclear=_unclear(log, jobs, start),
        access=len(log.access),
        changes=tuple(f"{entry.kind} at {entry.at}" for entry in writes),
        matches_mail=_matches(sent, mail, offset),
        untold_mail=untold,
        rows=log.rows,
    )


async def _astray(copier: Copier, run: Run) -> str:
    """Say why a log's times can't be placed: nobody knows since when a clock is so wrong."""
    off = (await run.gather(identity, copier)).clock or 0
    return f"its clock is {abs(off) / 86400:.0f} days off, so its times can't be placed" if astray(off) else ""


def _unclear(log: JobLog, jobs: list[Job], start: datetime) -> str:
    """Say which scan jobs may have failed without being known to: other words, no time, damaged lines."""
    other = [job for job in jobs if job.outcome == "unclear"]
    undated = [job for job in log.jobs if job.at is None and job.outcome not in {"sent", "cancelled", "elsewhere"}]
    said = [f"{_said(job)}: {_puzzle(job)}" for job in other[:3]]
    said += [f"{len(other) - 3} more jobs are not understood"] if len(other) > 3 else []
    said += [f"{len(undated)} scan jobs have no time that can be read"] if undated else []
    said += [f"{log.damaged} lines are damaged"] if log.damaged else []
    if log.lost_before and log.first and log.first > start:
        said.append(f"entries of before {log.first} were overwritten")
    return "; ".join(said)


def _puzzle(job: Job) -> str:
    """Say what of a job is not understood, in the log's own words."""
    if logwords.sends(job.kind) is None:
        return f"the log type “{job.kind}” is not known here"
    if job.strange:
        return f"“{job.strange}” is not known here"
    if job.dropped:
        return f"{job.dropped} lines of it were left out"
    untold = next((target for target in job.targets if not target.destination), None)
    where = f"target “{untold.kind}”, destination “{untold.address or untold.name}”" if untold else "it has no target"
    return f"nothing tells whether it was an e-mail ({where})"


def _no_access(log: JobLog, user: str, window: tuple[datetime, datetime] | None) -> str:
    """Say why a log does not show what this run did; its own sign-in is the least that it must hold."""
    if log.exported:
        return "it was exported by hand, and does not show what this run did"
    if window is None:
        return "nobody signed in to it in this run"
    if not log.access:
        return "it keeps no access log"
    if log.damaged or log.dropped:
        return f"{log.damaged + log.dropped} lines of it can't be read, and one may be a change"
    if any(it.writes and it.at is None for it in log.access):
        return "a change in its access log has no time that can be read"
    if not any(it.at and window[0] <= it.at <= window[1] and it.by(user) for it in log.access):
        return "its access log holds nothing of this run's session, not even the sign-in"
    return ""


async def _mail(copier: Copier, run: Run) -> tuple[Scan | None, str]:
    """Return the mail of a copier, or why one that may be its own can't be told to be."""
    try:
        return await run.gather(scan, copier), ""
    except Unproven as error:
        return None, error.reason if error.lacks == DOUBLED else ""
    except Blocked:
        return None, ""


def _matches(sent: list[Job], mail: Scan | None, offset: timedelta) -> bool | None:
    """Tell whether a sent job is that of a mail: to whom that is addressed, or in whose mailbox it lies."""
    if mail is None or mail.received is None:
        return None
    to = {mail.recipient.lower(), *mail.addressed}
    # Its own Date is by the clock that the log is written by; without one, it may have been under way for a while.
    at = mail.sent.replace(tzinfo=None) if mail.sent else local(mail.received, offset)
    late = _SKEW if mail.sent else _SKEW + timedelta(minutes=10)
    return any(job.at and _began(job) - _SKEW <= at <= job.at + late for job in sent if _is_for(job, to))


def _began(job: Job) -> datetime:
    return min(it for it in (job.started, job.ended) if it)


def _is_for(job: Job, to: set[str]) -> bool:
    """Tell whether a job went to one of these addresses; as far as the log gives any."""
    known = {address for target in job.targets for address in target.recipients}
    return not known or bool(known & to)


def _said(job: Job) -> str:
    to = ", ".join(target.address or target.name for target in job.targets[:3] if target.address or target.name)
    why = f": {job.reason}" if job.outcome in {"failed", "cancelled"} else ": failed" if job.broken else ""
    return f"{job.kind} at {job.at}{f' to {to}' if to else ''}{why}"


def _some(said: tuple[str, ...]) -> str:
    return "; ".join((*said[:3], *(["…"] if len(said) > 3 else [])))
