"""What lies in the test mailboxes since the last change: listed once a run, for scans and for applications' reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scanproof.kinds import Blocked, Unproven
from scanproof.redact import plain
from scanproof.routes import SIGNS, route_signs
from scanproof.tenant import graph
from scanproof.tenant.directory import moment

if TYPE_CHECKING:
    from scanproof.gather import Run

READ = "Mail.Read"
MOST_MAILS = 1_000
OLDEST = timedelta(days=30)  # where the site states no cut-over


@dataclass(frozen=True)
class Listed:
    """A mail that is no test mail of a run's own."""

    recipient: str
    message: dict[str, Any]
    folder: str
    received: datetime

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Its headers, in order."""
        found = self.message.get("internetMessageHeaders") or ()
        return [
            (plain(str(it.get("name")), 100), plain(str(it.get("value")), 1000)) for it in found if isinstance(it, dict)
        ]

    @property
    def telling(self) -> list[tuple[str, str]]:
        """Those of its headers that tell its route."""
        return [(name, value) for name, value in self.headers if name.lower() in SIGNS]

    @property
    def subject(self) -> str:
        """Its subject."""
        return plain(str(self.message.get("subject") or ""), 200)

    @property
    def facts(self) -> dict[str, Any]:
        """What evidence keeps of it, whoever sent it."""
        return {
            "folder": self.folder,
            "recipient": self.recipient,
            "subject": self.subject,
            "received": self.received,
            "signs": tuple(route_signs(self.telling)),
            "message_id": plain(str(self.message.get("internetMessageId") or ""), 300),
        }

    def person(self, field: str) -> tuple[str, str]:
        """Return address and name of ``from`` or ``sender``."""
        person = self.message.get(field)
        about = person.get("emailAddress") if isinstance(person, dict) else None
        told = about if isinstance(about, dict) else {}
        return plain(str(told.get("address") or ""), 320).lower(), str(told.get("name") or "")


def since(run: Run) -> datetime:
    """Return the moment from which mail counts."""
    site = run.site.file.site
    stated = run.since or site.last_change or site.cutover
    return (stated or run.site.now - OLDEST).astimezone(UTC)


def boxes(run: Run) -> list[str]:
    """Return the test mailboxes that may be read.

    Raises:
        Unproven: there are none.
    """
    found = [it.address for it in run.site.recipients if it.readable]
    if not found:
        raise Unproven("no test recipient's mailbox can be read", "state one with readable = true")
    return found


def named(run: Run) -> str:
    """Name the test mailboxes that may be read."""
    return ", ".join(it.address for it in run.site.recipients if it.readable) or "any readable mailbox"


async def listed(run: Run, address: str, *, again: bool = False) -> list[Listed]:
    """Return the mails of one mailbox, in any of its folders.

    Args:
        run: the run.
        address: the mailbox.
        again: ask anew, rather than share what was listed before.
    """
    return await (_box(run, address) if again else run.once(f"mails {address}", lambda: _box(run, address)))


async def everywhere(run: Run, *, again: bool = False) -> tuple[list[Listed], dict[str, Unproven | Blocked]]:
    """Return the mails of all test mailboxes that may be read, and by mailbox why one was not.

    One that can't be read must not hide what lies in another.

    Args:
        run: the run.
        again: ask anew, rather than share what was listed before.

    Raises:
        Unproven: there is no mailbox to read.
    """
    addresses = boxes(run)
    answers = await asyncio.gather(*(listed(run, it, again=again) for it in addresses), return_exceptions=True)
    found: list[Listed] = []
    unread: dict[str, Unproven | Blocked] = {}
    for address, answer in zip(addresses, answers, strict=True):
        if isinstance(answer, (Unproven, Blocked)):
            unread[address] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += answer
    return found, unread


async def _box(run: Run, address: str) -> list[Listed]:
    api = await run.once("graph", lambda: graph.connect(run))
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
        messages = await api.list(wanted, READ)
        if len(messages) > MOST_MAILS:  # which of them were not looked at could not be told
            raise Unproven(
                f"{address} holds more than {MOST_MAILS:,} mails since {since(run):%Y-%m-%d %H:%M} UTC",
                "use a mailbox that takes tests alone, or look at less by --since",
            )
        folders = await _folders(api, address)
    found = []
    for message in messages:
        folder = folders.get(str(message.get("parentFolderId")), "another folder")
        received = moment(message.get("receivedDateTime"))
        if received is None:
            continue
        mail = Listed(address, message, folder, received)
        if not any(name.lower() == "x-scanproof-token" for name, _ in mail.headers):
            found.append(mail)
    return found


async def _folders(api: graph.Graph, address: str) -> dict[str, str]:
    names = {"inbox": "Inbox", "junkemail": "Junk Email"}
    answers = await asyncio.gather(
        *(api.read(graph.Read(f"/users/{graph.name(address)}/mailFolders/{it}", address), READ) for it in names)
    )
    return {str(answer.get("id")): title for answer, title in zip(answers, names.values(), strict=True)}
