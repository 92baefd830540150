"""Scans in the test mailboxes: each attributed to a copier, its route told by its headers, its attachment opened."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses, parsedate_to_datetime
from typing import TYPE_CHECKING

from scanproof import remedies
from scanproof.devices.attachment import MOST, look
from scanproof.devices.attribution import Traces, attribute, may_be, written
from scanproof.devices.clock import NOW_WITHIN, ahead, astray, local
from scanproof.devices.facts import Scan
from scanproof.devices.identity import identity
from scanproof.devices.readings import LOOKS_AT_LOG, device_log
from scanproof.devices.saved import host_name, same_host
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.redact import plain
from scanproof.tenant import graph, mails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.devices.joblog import Job
    from scanproof.gather import Run
    from scanproof.site import Copier
    from scanproof.tenant.mails import Listed


_SCAN = "make a scan from it to a test recipient; pytest --attended walks you there"
_TELL_APART = (
    "give each copier a host name of its own, at the device and in the list, and scan again; or scan by pytest "
    "--attended, whose code tells them apart"
)
_PREFIX = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|re|aw|sv|vs)\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A mail of a test mailbox that is a copier's, before its attachments were opened."""

    mail: Listed
    copier: Copier
    by: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return self.mail.folder

    @property
    def received(self) -> datetime:
        """When it came."""
        return self.mail.received

    @property
    def attached(self) -> bool:
        """Whether it brings anything."""
        return bool(self.mail.message.get("hasAttachments"))


@dataclass(frozen=True)
class Lying:
    """What lies in the test mailboxes: the copiers' mails, those of nobody, and why a mailbox was not read.

    Attributes:
        called: the names that devices call themselves by, by copier's key.
    """

    found: list[Found]
    others: list[tuple[Listed, Traces]]
    unread: dict[str, Unproven | Blocked]
    called: dict[str, str]

    def of(self, copier: Copier) -> list[Found]:
        """Return a copier's mails, the newest first."""
        own = [it for it in self.found if it.copier.key == copier.key]
        return sorted(own, key=lambda it: it.received, reverse=True)


@probe(Scan, deadline=600)
async def scan(copier: Copier, run: Run) -> Scan:
    """Look for the newest scan of a copier in the test mailboxes, in any folder."""
    lying = await run.once("scans", lambda: _attributed(run))
    if own := lying.of(copier):
        return await _since_then(await _newest(own, run), copier, run)
    # One that may be its own, and can't be told to be: its log alone must not show that it got lost then.
    doubt, lacks = _doubt(copier, lying, run)
    if not doubt and (lost := await _lost(copier, run, lying.unread)):
        return lost
    if lying.unread:
        raise next(iter(lying.unread.values()))
    seen = f"no mail of this copier since {mails.since(run):%Y-%m-%d %H:%M} UTC in {mails.named(run)}{doubt}"
    raise Unproven(seen, _TELL_APART if lacks == DOUBLED else _SCAN, lacks)


async def not_read(copier: Copier, run: Run) -> Unproven | Blocked | None:
    """Return why no scan of a copier was found, where a mailbox could not be read; None where all were, or one was.

    There it is not known whether it scanned, and another scan would show no more.
    """
    try:
        if not (await run.once("scans", lambda: _attributed(run))).unread:
            return None
        await run.gather(scan, copier)
    except (Unproven, Blocked) as error:
        return error
    return None


NO_SCAN = "scan-too-old"  # the kind of cause where there is no scan at all
DOUBLED = "host-name-doubled"  # and where a mail may be another copier's as well


def _doubt(copier: Copier, lying: Lying, run: Run) -> tuple[str, str]:
    """Say why a mail that bears a copier's host name isn't taken for its own, and which kind of cause that is."""
    called = lying.called.get(copier.key, "")
    told = run.site.send_as, run.site.file.mail.domain
    for mail, traces in lying.others:
        if may_be(traces, copier, (copier.host_name, called), *told):
            if alike := _alike(copier, lying.called, run):
                said = f"bears its host name, and may as well be another copier's: {alike}"
            elif not may_be(traces, copier, (copier.host_name,), *told):
                said = f"is from {called}, as it calls itself; the list calls it {copier.host_name or 'nothing'}"
            else:
                said = "bears its host name, and may as well be another copier's"
            return f"; “{mail.subject}” {said}", DOUBLED
        if written(traces, copier):
            by = mail.person("from")[0] or "nobody named"
            said = f"; “{mail.subject}” bears its host name and is from {by}, as which it is not stated to send"
            return said, "copier-from"
    return "", NO_SCAN


def _alike(copier: Copier, called: dict[str, str], run: Run) -> str:
    """Name the copiers that have, in the list or as they say themselves, a host name of this one."""
    own = {name.lower() for name in (copier.host_name, called.get(copier.key, "")) if name}
    others = [
        f"{it.label} {'calls itself so' if called.get(it.key, '').lower() in own else 'is listed so'}"
        for it in run.site.copiers
        if it.key != copier.key and own & {it.host_name.lower(), called.get(it.key, "").lower()}
    ]
    return ", ".join(others[:3])


async def _newest(own: list[Found], run: Run) -> Scan:
    """Return the newest of a copier's mails as a scan: it tells the present state, in whatever folder it lies.

    Raises:
        Unproven: it brings nothing, where an older one does.
    """
    newest = own[0]
    if not newest.attached and any(it.attached for it in own):
        raise Unproven(
            f"its newest mail, {newest.mail.subject!r} at {newest.received:%Y-%m-%d %H:%M} UTC, has no attachment: a "
            "note of the device's own, or a scan whose attachment was taken out",
            "make another scan to a test recipient",
        )
    return await opened(newest, run)


async def _since_then(arrived: Scan, copier: Copier, run: Run) -> Scan:
    """Return a scan that arrived with what its copier's own log says of later ones: the newest tells the present state.

    Where the log can't be read or its times can't be placed, nothing is said.
    """
    if not _may_ask(run):
        return arrived
    try:
        log = await run.gather(device_log, copier)
        clock = (await run.gather(identity, copier)).clock or 0
    except (Unproven, Blocked):
        return arrived
    if log.useless or arrived.received is None or astray(clock):
        return arrived
    offset = await ahead(copier, arrived.sent, run)
    at = local(arrived.received, offset)
    # Its own Date is by the clock that the log is written by.
    since = min(at, arrived.sent.replace(tzinfo=None)) if arrived.sent else at
    now = local(datetime.now(UTC), offset) + NOW_WITHIN
    if not (last := log.ends_in_trouble(since, now)) or last.at is None:
        return arrived
    said = f"{last.trouble} after that: {last.reason} ({last.at - offset:%Y-%m-%d %H:%M:%S} UTC)"
    return arrived.model_copy(update={"failed_since": said})


def _may_ask(run: Run) -> bool:
    """Tell whether a copier's log may be asked for: its password is not tried for another copier's sake."""
    return run.planned(*LOOKS_AT_LOG)


async def _by_its_own_name(copier: Copier, run: Run) -> None:
    """Give up where a device calls itself otherwise than the list does: its mail may have been taken for another's.

    Raises:
        Unproven: it does.
    """
    calls = host_name((await run.gather(identity, copier)).title)
    if calls and copier.host_name and not same_host(calls, copier.host_name):
        raise Unproven(
            f"no mail of it was told apart: it calls itself {calls}, and the list {copier.host_name}",
            "correct its host name in the list or at the device, and make a scan from it",
            DOUBLED,
        )


async def _lost(copier: Copier, run: Run, unread: dict[str, Unproven | Blocked]) -> Scan | None:
    """Return the scan that a device's own log shows as sent to a mailbox that was read, where no mail of it lies there.

    A mail of a moment ago may still be under way: it is given the site's arrival deadline, and looked for once more.
    """
    if not _may_ask(run):
        return None
    try:
        log = await run.gather(device_log, copier)
    except (Unproven, Blocked):
        return None
    boxes = {it.address for it in run.site.recipients if it.readable and it.address not in unread}
    offset = await ahead(copier, None, run)
    start, found = local(mails.since(run), offset), None
    for job in log.jobs if log.complete and not log.ambiguous_dates else ():
        to = {target.address.lower() for target in job.targets} & boxes
        if job.sent and to and job.at and job.at >= start:
            found = (job.at, min(to))
    if found is None:
        _tried(copier, [job for job in log.jobs if job.outcome == "failed" and job.at and job.at >= start], offset, run)
        return None
    at, address = found
    await _by_its_own_name(copier, run)
    ago = (local(datetime.now(UTC), offset) - at).total_seconds()
    if ago < -NOW_WITHIN.total_seconds():  # by its clock the scan is yet to come
        return None
    if (left := run.site.file.mail.arrival_deadline - max(ago, 0)) > 0:
        with run.idling():
            await asyncio.sleep(left)
        if again := (await _attributed(run, again=True)).of(copier):
            return await _newest(again, run)
    trouble = f"its own log shows a scan sent to {address} at {at}, and no mail of it lies in that mailbox"
    return Scan(
        folder="", recipient=address, subject="", received=None, sent=None, attributed_by=(), signs=(), trouble=trouble
    )


def _tried(copier: Copier, failed: list[Job], offset: timedelta, run: Run) -> None:
    """Say so where a device's own log shows that somebody did scan, and that it failed: another scan shows no more.

    Raises:
        Unproven: it does.
    """
    if not failed or not failed[-1].at:
        return
    at = failed[-1].at - offset
    raise Unproven(
        f"no mail of it arrived, and its own log shows a scan that failed at {at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{failed[-1].reason}",
        remedies.failed_scan(failed[-1].reason, copier, run.site),
    )


async def arrivals(run: Run) -> list[Found]:
    """Return the copiers' mails that lie in the readable test mailboxes at this moment.

    Raises:
        Unproven: no mailbox can be read.
    """
    lying = await _attributed(run, again=True)
    if len(lying.unread) == len(mails.boxes(run)):
        raise next(iter(lying.unread.values()))
    return lying.found


async def _attributed(run: Run, *, again: bool = False) -> Lying:
    listed, unread = await mails.everywhere(run, again=again)
    mails_there = [(mail, _traces(mail)) for mail in listed if not _passed_on(mail)]
    lying = Lying([], [], unread, await _called(run) if mails_there else {})
    told = run.site.copiers, run.codes, run.site.send_as, run.site.file.mail.domain
    for mail, traces in mails_there:
        if shown := attribute(traces, *told, called=lying.called):
            lying.found.append(Found(mail, *shown))
        else:
            lying.others.append((mail, traces))
    return lying


async def _called(run: Run) -> dict[str, str]:
    """Return the names that the devices of the list call themselves by, as far as they can be asked."""
    known = len(run.needs)
    asked = (run.gather(identity, it) for it in run.site.copiers)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    # No scan rests on all of these: they only keep a mail from being taken for another's.
    del run.needs[known:]
    found = {}
    for copier, answer in zip(run.site.copiers, answers, strict=True):
        if isinstance(answer, (Unproven, Blocked)):
            continue
        if isinstance(answer, BaseException):
            raise answer
        if name := host_name(answer.title):
            found[copier.key] = name.partition(".")[0]
    return found


def _traces(mail: Listed) -> Traces:
    address, name = mail.person("from")
    parts = (mail.message.get("subject"), name, mail.message.get("bodyPreview"))
    return Traces(
        text=" ".join(str(part or "") for part in parts),
        received=tuple(value for name, value in mail.headers if name.lower() == "received"),
        senders=frozenset({address, mail.person("sender")[0]} - {""}),
    )


def _passed_on(mail: Listed) -> bool:
    """Tell whether a person forwarded or answered a scan: such a mail went another way than the scan itself."""
    names = {name.lower() for name, _ in mail.headers}
    return bool(names & {"in-reply-to", "references"} or _PREFIX.match(mail.subject))


async def opened(found: Found, run: Run) -> Scan:
    """Read what a mail's headers tell of its route, and look into its attachments as far as they can be read."""
    mail = found.mail
    try:
        kind, pages, trouble = await _attachment(found, run)
        unread = lacks = ""
    except Unproven as error:
        kind, pages, trouble, unread, lacks = "", 0, "", error.reason, error.lacks
    return Scan(
        **{**mail.facts, "signs": (*mail.facts["signs"], *_detour(mail, run))},
        sent=_date(mail.headers),
        addressed=_addressed(mail.headers),
        attributed_by=found.by,
        attachment=f"{kind}, {pages} page{'s' if pages > 1 else ''}" if pages else "",
        pages=pages,
        trouble=trouble,
        unread=unread,
        unread_lacks=lacks,
    )


def _detour(mail: Listed, run: Run) -> Iterator[tuple[str, str]]:
    """Yield a sign of another route where a server that is to be retired took the mail on its way."""
    hops = " ".join(value for name, value in mail.headers if name.lower() == "received").lower()
    for retired in run.site.file.mail.retired_hosts:
        if re.search(rf"(?<![0-9a-z.-]){re.escape(retired.lower())}(?![0-9a-z-]|\.[0-9a-z])", hops):
            yield "through a retired server", f"Received names {retired}"


def _date(headers: list[tuple[str, str]]) -> datetime | None:
    value = next((value for name, value in headers if name.lower() == "date"), "")
    try:
        found = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _addressed(headers: list[tuple[str, str]]) -> tuple[str, ...]:
    there = (value for name, value in headers if name.lower() in {"to", "cc"})
    return tuple(sorted({address.lower() for _, address in getaddresses(list(there)) if address}))


async def _attachment(found: Found, run: Run) -> tuple[str, int, str]:
    """Return kind and pages of the first attachment that opens, or what is wrong with all of them."""
    api = await run.once("graph", lambda: graph.connect(run))
    box, mail = found.mail.recipient, graph.name(str(found.mail.message.get("id")))
    path = f"/users/{graph.name(box)}/messages/{mail}/attachments"
    async with run.wire(f"graph {box}", "graph"):
        rows = await api.list(graph.Read(path, f"attachments in {box}", {"$top": "10"}), mails.READ)
    said = []
    for row in rows[:10]:
        name = plain(str(row.get("name") or "unnamed"), 100)
        try:
            content = base64.b64decode(str(row.get("contentBytes") or "")[: MOST * 2], validate=True)
        except (ValueError, binascii.Error):
            said.append(f"{name} can't be decoded")
            continue
        kind, pages = await asyncio.to_thread(look, content)
        if pages:
            return kind, pages, ""
        said.append(
            f"{name} ({len(content)} bytes) is {f'a {kind} without a page' if kind else 'no PDF, TIFF or JPEG'}"
        )
    return "", 0, "; ".join(said) or "it has no attachment"
