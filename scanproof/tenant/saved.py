"""Answers that somebody saved by hand, where the suite may not ask the tenant itself.

``Get-TransportConfig | ConvertTo-Json`` and the like, one file a command, in the folder that ``[tenant] saved``
names (docs/tenant.md lists the commands). Such an answer is attested and dated: by the moment that it states, else
by the file's own.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from scanproof.kinds import Unproven
from scanproof.redact import plain

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Site

MOST = 20_000_000  # bytes of one file
_AGE = timedelta(days=14)  # at most, where the site states no change
_AHEAD = timedelta(hours=1)  # that another machine's clock may be
# What PowerShell 5 writes begins with a mark of UTF-16, what PowerShell 7 writes with none.
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))


class NotSaved(Unproven):
    """The folder of saved answers lacks this one."""


@dataclass(frozen=True)
class Saved:
    """A saved answer.

    Attributes:
        rows: the objects that the command gave.
        name: the file's, for messages.
        at: when it was saved, in UTC.
    """

    rows: list[dict[str, Any]]
    name: str
    at: datetime


def read(site: Site, command: str) -> Saved | None:
    """Return a command's saved answer; None where the site keeps none at all.

    Args:
        site: the site.
        command: the file's name without its ending; with the sender's address where an answer is one sender's.

    Raises:
        NotSaved: it is not there.
        Unproven: it can't be used: unreadable, not JSON, not a list of objects, or older than the last change.
    """
    folder = site.file.tenant.saved
    if not folder or site.folder is None:
        return None
    path, name = site.folder / folder / f"{command}.json", f"{folder}/{command}.json"
    try:
        there = path.is_file()
    except OSError as error:
        raise Unproven(f"{name} can't be read: {error.strerror}", "make it readable") from None
    if not there:
        raise NotSaved(f"{name} is not there", "save it as docs/tenant.md shows")
    body, at = _content(path, name)
    changed = site.file.site.last_change or site.file.site.cutover or site.now - _AGE
    if at < changed:
        when = f"{changed.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        reason = f"{name} was saved on {at:%Y-%m-%d %H:%M} UTC, before what counts ({when})"
        raise Unproven(reason, "save it again, and run again")
    if at > site.now + _AHEAD:
        raise Unproven(f"{name} was saved on {at:%Y-%m-%d %H:%M} UTC, which is yet to come", "save it again")
    rows = body if isinstance(body, list) else [body]
    if not all(isinstance(row, dict) for row in rows):
        # A command that failed leaves null or its complaint behind: that is no empty answer.
        raise Unproven(
            f"{name} holds {_shown(rows)} where objects belong", "its command may have failed: save it again"
        )
    return Saved([_flat(row) for row in rows], name, at)


def _shown(rows: list[Any]) -> str:
    odd = next(row for row in rows if not isinstance(row, dict))
    return plain(json.dumps(odd), 60)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with what Graph's PowerShell keeps of a derived type aside, such as a role's template."""
    further = next((value for key, value in row.items() if key.lower() == "additionalproperties"), None)
    return {**further, **row} if isinstance(further, dict) else row


def _content(path: Path, name: str) -> tuple[Any, datetime]:
    try:
        if path.stat().st_size > MOST:
            raise Unproven(f"{name} is larger than {MOST} bytes", "save the rows of this site's senders alone")
        data = path.read_bytes()
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        encoding = next((found for mark, found in _MARKS if data.startswith(mark)), "utf-8")
        body = json.loads(data.decode(encoding))
    except OSError as error:
        raise Unproven(f"{name} can't be read: {error.strerror}", "make it readable") from None
    except (ValueError, RecursionError) as error:
        raise Unproven(f"{name} is not JSON: {error}", "save it again: … | ConvertTo-Json -Depth 8") from None
    if isinstance(body, dict) and {key.lower() for key in body} == {"saved", "value"}:
        fields = {key.lower(): value for key, value in body.items()}
        body, at = fields["value"], _moment(fields["saved"], name)
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        # An answer of Graph's as it came; and what PowerShell 5 makes of a list in a table: value and Count.
        body = body["value"]
    return body, at


def _moment(text: object, name: str) -> datetime:
    found = moment(text, zone=None)
    if found is None or found.tzinfo is None:
        raise Unproven(f"{name} states no moment with a zone as Saved, but {str(text)[:40]!r}", "save it again")
    return found.astimezone(UTC)


def moment(value: object, zone: tzinfo | None = UTC) -> datetime | None:
    """Return a moment as Graph or PowerShell writes it, in a zone where it states none; None where there is none."""
    if not isinstance(value, str):
        return None
    try:
        if found := re.fullmatch(r"/Date\((-?[0-9]{1,18})\)/", value):  # PowerShell 5
            return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
        at = datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=zone)
