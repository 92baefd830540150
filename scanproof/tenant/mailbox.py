"""Test mails looked for in a mailbox through Microsoft Graph."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from scanproof.evidence import Arrival
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.probes.smtp import submission
from scanproof.redact import plain
from scanproof.routes import SIGNS, route_signs
from scanproof.subjects import Delivery
from scanproof.tenant import graph
from scanproof.tenant.saved import moment

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from scanproof.evidence import Submission
    from scanproof.gather import Run

T = TypeVar("T")
POLL = (0.25, 0.5, 1.0, 2.0, 5.0)  # seconds between looks, the last one repeated
WELL_KNOWN = {"inbox": "Inbox", "junkemail": "Junk Email"}  # folders' display names are in the mailbox's language
READ = "Mail.ReadBasic.All"
TRACE = "ExchangeMessageTrace.Read.All"
TRACES = 90  # in five minutes, of the hundred that Microsoft allows a tenant


class Mailbox:
    """One recipient's mailbox."""

    def __init__(self, reader: graph.Graph, address: str, run: Run) -> None:
        """Name the mailbox; nothing is asked yet."""
        self._graph, self._address, self._run = reader, address, run

    async def find(self, message_id: str) -> tuple[dict[str, Any], str] | None:
        """Return a message with its headers, and its folder's name; None where it isn't in the mailbox.

        Raises:
            Unproven: Graph refuses or can't be asked.
        """
        query = {
            "$select": "id,parentFolderId,receivedDateTime,internetMessageId,internetMessageHeaders",
            "$filter": f"internetMessageId eq '{message_id}'",
            "$top": "1",
        }
        page = await self._read("/messages", query)
        messages = graph.rows(page)
        if not messages:
            return None
        folder = messages[0].get("parentFolderId")
        if not isinstance(folder, str):
            reason = f"Graph gave a message of {self._address} without its folder"
            raise Unproven(reason, "run again; see whether a proxy answers")
        return messages[0], await self._folder(folder)

    async def _folder(self, identity: str) -> str:
        # Every mail of a run that is looked for here needs the same two: they are asked for once.
        folders = await self._run.once(f"folders of {self._address}", self._well_known)
        if identity not in folders:
            folders[identity] = plain(str((await self._about(identity)).get("displayName")), 200)
        return folders[identity]

    async def _well_known(self) -> dict[str, str]:
        """Return the names of the well-known folders by their identities in this mailbox."""
        known = await asyncio.gather(*(self._about(name) for name in WELL_KNOWN))
        return {str(it.get("id")): name for it, name in zip(known, WELL_KNOWN.values(), strict=True)}

    async def _about(self, folder: str) -> dict[str, Any]:
        return await self._read(f"/mailFolders/{graph.name(folder)}", {})

    async def traced(self, message_id: str) -> str | None:
        """Return message trace's status of a mail; empty where it has none, None where it may not be asked."""
        wanted = graph.Read(
            "/admin/exchange/tracing/messageTraces",
            self._address,
            {
                "$filter": f"messageId eq '{message_id}' and recipientAddress eq '{graph.quoted(self._address)}'",
                "$top": "5",
            },
        )
        try:
            await self._run.pace("message trace", TRACES, 300)
            found = graph.rows(await self._graph.read(wanted, TRACE))
        except Unproven:  # the trace is a help: the mailbox itself has been read
            return None
        return next((plain(str(row.get("status")), 50) for row in found), "")

    async def _read(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        wanted = graph.Read(f"/users/{graph.name(self._address)}{path}", self._address, query)
        return await self._graph.read(wanted, READ)


@probe(Arrival, deadline=2000)
async def arrival(subject: Delivery, run: Run) -> Arrival:
    """Wait for a test mail in its recipient's mailbox, up to the site's arrival deadline."""
    if subject.recipient.readable and run.sends_mail:
        # Loading takes longer than sending: let it go on meanwhile. Who needs it awaits it, and its errors.
        run.begin("graph", lambda: graph.connect(run))
    sent = await run.gather(submission, subject)
    since = time.monotonic()  # a step of the clock must not make a mail late
    if not sent.accepted:
        first = Delivery(subject.sender, subject.route, subject.service, run.site.recipients[0])
        shown = sent if subject == first else await run.gather(submission, first)
        if shown.waits:
            raise Unproven(shown.seen, "run again later", "service-busy")
        if not shown.accepted:
            raise Blocked("SMTP-2", shown.seen, f"settle SMTP-2 of {subject.sender.address} by {subject.route} first")
        return Arrival(folder="", refused=sent.reply, trouble=sent.trouble)
    if not subject.recipient.readable:
        return await _outcome(sent, since, run, subject.recipient.address)
    mailbox = Mailbox(await run.once("graph", lambda: graph.connect(run)), subject.recipient.address, run)
    return await _awaited(mailbox, sent.message_id, since, run, subject.recipient.address)


# What message trace says of a mail that did not come to the Inbox. Delivered is not among them: it may lie in Junk by
# a rule of the mailbox, which only its owner sees.
_ELSEWHERE = {"quarantined": "Quarantine", "filteredAsSpam": "Junk Email", "failed": ""}


async def _outcome(sent: Submission, since: float, run: Run, address: str) -> Arrival:
    """Say what message trace knows of a mail in a mailbox that can't be read: it can show a failure, and no success.

    Raises:
        Unproven: nothing shows that it failed.
    """
    deadline, looks, status = run.site.file.mail.arrival_deadline, 0, None
    try:
        mailbox = Mailbox(await run.once("graph", lambda: graph.connect(run)), address, run)
    except Unproven:
        deadline = 0.0
    while time.monotonic() - since < deadline:
        async with run.wire("graph", "tenant"):
            status = await mailbox.traced(sent.message_id)
        if status and status in _ELSEWHERE:
            waited = round(time.monotonic() - since, 2)
            return Arrival(folder=_ELSEWHERE[status], seconds=waited, trouble=f"message trace says {status}")
        if status not in {"", "pending", "gettingStatus"}:  # delivered; or the trace may not be asked
            break
        await asyncio.sleep(POLL[min(looks, len(POLL) - 1)])
        looks += 1
    said = f"; message trace says {status}, which is not the Inbox" if status else ""
    raise Unproven(
        f"the mailbox of {address} can't be read by this suite{said}",
        f"ask its owner whether “Scanproof test {sent.token}” is in the Inbox",
    )


async def _awaited(mailbox: Mailbox, message_id: str, since: float, run: Run, address: str) -> Arrival:
    deadline, looks = run.site.file.mail.arrival_deadline, 0
    while True:
        async with run.wire("graph", f"graph {address}"):
            found = await _in_time(mailbox.find(message_id), since, run, address)
        waited = round(time.monotonic() - since, 2)
        if found:
            message, folder = found
            headers = _headers(message)
            return Arrival(
                folder=folder,
                received=moment(message.get("receivedDateTime")),
                seconds=waited,
                headers=headers,
                signs=tuple(route_signs(headers)),
            )
        if waited > deadline:
            status = await mailbox.traced(message_id)
            folder = "Quarantine" if status == "quarantined" else ""
            return Arrival(folder=folder, seconds=waited, trouble=f"message trace says {status}" if status else "")
        await asyncio.sleep(min(POLL[min(looks, len(POLL) - 1)], max(deadline - waited, 0) + 0.1))
        looks += 1


async def _in_time(look: Awaitable[T], since: float, run: Run, address: str) -> T:
    """Bound a look into the mailbox: a throttled one is repeated by msgraph-sdk as late as it is told to.

    Raises:
        Unproven: no answer by the arrival deadline, and the time that one answer may take after it.
    """
    deadline = run.site.file.mail.arrival_deadline
    left = max(deadline - (time.monotonic() - since), 0)
    try:
        async with asyncio.timeout(left + run.network.deadlines.response):
            return await look
    except TimeoutError:
        endpoint = run.site.file.tenant.endpoints.graph
        reason = f"{endpoint} gave no answer for {address} within the arrival deadline of {deadline:g} s"
        raise Unproven(f"{reason}: it is slow, or throttles this app", "run again later", "graph-outage") from None


def _headers(message: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    given = message.get("internetMessageHeaders")
    listed = [header for header in given if isinstance(header, dict)] if isinstance(given, list) else []
    pairs = [(str(header.get("name") or ""), str(header.get("value") or "")) for header in listed]
    return tuple((plain(name, 100), plain(value, 1000)) for name, value in pairs if name.lower() in SIGNS)[:60]
