"""Scans in the test mailboxes: each attributed to a copier, its route told by its headers, its attachment opened."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from scanproof.devices.attachment import MOST, look
from scanproof.devices.attribution import Traces, attribute
from scanproof.devices.clock import ahead, local, since
from scanproof.devices.facts import Scan
from scanproof.devices.readings import device_log
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.redact import plain
from scanproof.routes import SIGNS, route_signs
from scanproof.tenant import graph
from scanproof.tenant.directory import moment

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Copier

READ = "Mail.Read"
MOST_MAILS = 1_000


@dataclass(frozen=True)
class Found:
    """A mail of a test mailbox that is a copier's, before its attachments were opened."""

    recipient: str
    message: dict[str, Any]
    folder: str
    copier: Copier
    by: tuple[str, ...]
    received: datetime


@probe(Scan, deadline=600)
async def scan(copier: Copier, run: Run) -> Scan:
    """Look for the newest scan of a copier in the test mailboxes, in any folder."""
    found = await run.once("scans", lambda: arrivals(run))
    own = sorted((it for it in found if it.copier.key == copier.key), key=lambda it: it.received, reverse=True)
    if not own:
        if lost := await _lost(copier, run):
            return lost
        seen = f"no mail of this copier since {since(run):%Y-%m-%d %H:%M} UTC in {_boxes(run)}"
        raise Unproven(seen, "make a scan from it to a test recipient; pytest --attended walks you there")
    # A device sends notes of its own too: one that brings something comes first.
    newest = next((it for it in own if it.message.get("hasAttachments")), own[0])
    return await opened(newest, run)


async def _lost(copier: Copier, run: Run) -> Scan | None:
    """Return the scan that a device's own log shows as sent to a mailbox that was read, where no mail of it lies there.

    A mail of a moment ago may still be under way: it is given the site's arrival deadline, and looked for once more.
    """
    try:
        log = await run.gather(device_log, copier)
    except (Unproven, Blocked):
        return None
    boxes = {it.address for it in run.site.recipients if it.readable}
    offset = await ahead(copier, None, run)
    start, found = local(since(run), offset), None
    for job in log.jobs if log.complete and not log.ambiguous_dates else ():
        to = {target.address.lower() for target in job.targets} & boxes
        if job.sent and to and job.at and job.at >= start:
            found = (job.at, min(to))
    if found is None:
        return None
    at, address = found
    left = run.site.file.mail.arrival_deadline - (local(datetime.now(UTC), offset) - at).total_seconds()
    if left > 0:
        await asyncio.sleep(left)
        again = sorted((it for it in await arrivals(run) if it.copier.key == copier.key), key=lambda it: it.received)
        if again:
            return await opened(again[-1], run)
    trouble = f"its own log shows a scan sent to {address} at {at}, and no mail of it lies in that mailbox"
    return Scan(
        folder="", recipient=address, subject="", received=None, sent=None, attributed_by=(), signs=(), trouble=trouble
    )


def _boxes(run: Run) -> str:
    return ", ".join(it.address for it in run.site.recipients if it.readable) or "any readable mailbox"


async def arrivals(run: Run) -> list[Found]:
    """Return the copiers' mails that lie in the readable test mailboxes at this moment.

    Raises:
        Unproven: no mailbox can be read.
    """
    boxes = [it.address for it in run.site.recipients if it.readable]
    if not boxes:
        raise Unproven("no test recipient's mailbox can be read", "state one with readable = true")
    api = await run.once("graph", lambda: graph.connect(run))
    listed = await asyncio.gather(*(_box(api, address, run) for address in boxes))
    return [found for part in listed for found in part]


async def _box(api: graph.Graph, address: str, run: Run) -> list[Found]:
    """Return the copiers' mails of one mailbox, in any of its folders."""
    wanted = graph.Read(
        f"/users/{graph.name(address)}/messages",
        address,
        {
            "$select": "id,subject,from,sender,bodyPreview,receivedDateTime,parentFolderId,hasAttachments,"
            "internetMessageId,internetMessageHeaders",
            "$filter": f"receivedDateTime ge {since(run):%Y-%m-%dT%H:%M:%SZ}",
            "$top": "100",
        },
    )
    async with run.wire(f"graph {address}", "graph"):
        messages = (await api.list(wanted, READ))[:MOST_MAILS]
        folders = await _folders(api, address)
    found = []
    for message in messages:
        headers = [header for header in message.get("internetMessageHeaders") or () if isinstance(header, dict)]
        if any(str(header.get("name")).lower() == "x-scanproof-token" for header in headers):
            continue  # a test mail of a run's own
        parts = (message.get("subject"), _named(message), message.get("bodyPreview"))
        text = " ".join(str(part or "") for part in parts)
        hops = tuple(str(it.get("value")) for it in headers if str(it.get("name")).lower() == "received")
        shown = attribute(Traces(text, hops), run.site.copiers, run.codes)
        received = moment(message.get("receivedDateTime"))
        if shown and received:
            folder = folders.get(str(message.get("parentFolderId")), "another folder")
            found.append(Found(address, message, folder, shown[0], shown[1], received))
    return found


def _named(message: dict[str, Any]) -> str:
    """Return the sender's displayed name."""
    person = message.get("from")
    about = person.get("emailAddress") if isinstance(person, dict) else None
    return str(about.get("name") or "") if isinstance(about, dict) else ""


async def _folders(api: graph.Graph, address: str) -> dict[str, str]:
    names = {"inbox": "Inbox", "junkemail": "Junk Email"}
    answers = await asyncio.gather(
        *(api.read(graph.Read(f"/users/{graph.name(address)}/mailFolders/{it}", address), READ) for it in names)
    )
    return {str(answer.get("id")): title for answer, title in zip(answers, names.values(), strict=True)}


async def opened(found: Found, run: Run) -> Scan:
    """Read what a mail's headers tell of its route, and look into its attachments as far as they can be read."""
    message = found.message
    headers = [
        (plain(str(it.get("name")), 100), plain(str(it.get("value")), 1000))
        for it in message.get("internetMessageHeaders") or ()
        if isinstance(it, dict)
    ]
    telling = [(name, value) for name, value in headers if name.lower() in SIGNS]
    try:
        kind, pages, trouble = await _attachment(found, run)
        unread = ""
    except Unproven as error:
        kind, pages, trouble, unread = "", 0, "", error.reason
    return Scan(
        folder=found.folder,
        recipient=found.recipient,
        subject=plain(str(message.get("subject") or ""), 200),
        received=found.received,
        sent=_date(headers),
        attributed_by=found.by,
        signs=tuple(route_signs(telling)),
        attachment=f"{kind}, {pages} page{'s' if pages > 1 else ''}" if pages else "",
        pages=pages,
        trouble=trouble,
        unread=unread,
        message_id=plain(str(message.get("internetMessageId") or ""), 300),
    )


def _date(headers: list[tuple[str, str]]) -> datetime | None:
    value = next((value for name, value in headers if name.lower() == "date"), "")
    try:
        found = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


async def _attachment(found: Found, run: Run) -> tuple[str, int, str]:
    """Return kind and pages of the first attachment that opens, or what is wrong with all of them."""
    api = await run.once("graph", lambda: graph.connect(run))
    path = f"/users/{graph.name(found.recipient)}/messages/{graph.name(str(found.message.get('id')))}/attachments"
    async with run.wire(f"graph {found.recipient}", "graph"):
        rows = await api.list(graph.Read(path, f"attachments in {found.recipient}", {"$top": "10"}), READ)
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
