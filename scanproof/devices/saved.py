"""Files that an engineer saved by hand from a device, its e-mail page and its log; and which device they name."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from scanproof.devices.identity import row
from scanproof.devices.rules import alike, bare
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.tenant.mails import since

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.devices.data import Known
    from scanproof.devices.facts import Identity
    from scanproof.devices.pages import Page
    from scanproof.gather import Run
    from scanproof.site import Copier

_AHEAD = timedelta(hours=1)  # that another machine's clock may be
# A browser notes at a saved page's beginning where it is from, or makes its links whole.
_WHENCE = re.compile(r"https?://(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253})(?::\d{1,5})?/web/(?:guest|entry)/")
_TITLE = re.compile(r"(?:.+\s[-–]\s)?([0-9A-Za-z._-]+)\s[-–]\sWeb Image Monitor")  # one that is signed in to
_LOG = re.compile(r"(.+)_(?:job|access)?log", re.IGNORECASE)  # as the device calls the file


@dataclass(frozen=True)
class Named:
    """What a saved file itself says of the device that it is from: kind and word of each name."""

    names: tuple[tuple[str, str], ...]

    def others(self, copier: Copier, found: Identity | None) -> tuple[str, ...]:
        """Return the names that are none of a copier's, by the list and by what the device said; in words."""
        return tuple(f"{kind} {name}" for kind, name in self.names if self._is(kind, name, copier, found) is False)

    def tie(self, copier: Copier, found: Identity | None) -> str:
        """Say by which names the file is known to be a copier's."""
        own = [f"{kind} {name}" for kind, name in self.names if self._is(kind, name, copier, found)]
        return f"by its {', '.join(own)} this copier's" if own else "nothing in it tells whose it is"

    @staticmethod
    def _is(kind: str, name: str, copier: Copier, found: Identity | None) -> bool | None:
        """Tell whether a name is a copier's; None where there is nothing to compare it with."""
        same: Callable[[str, str], bool]
        if kind == "address":
            known, same = [copier.address], str.__eq__
        elif kind == "host name":
            known, same = [copier.host_name], same_host
        elif kind == "serial":
            known, same = [copier.serial, found.serial if found else ""], lambda one, other: bare(one) == bare(other)
        else:
            known, same = [copier.model, found.model if found else ""], alike
        told = [same(name, it) for it in known if it]
        return all(told) if told else None


def host_name(title: str) -> str:
    """Return the host name that a device calls itself by in a page's title; empty where there is none."""
    found = _TITLE.fullmatch(title.strip())
    return found[1] if found else ""


def named(page: Page, text: str, known: Known) -> Named:
    """Return the names that a saved page has of its device: in title, label rows, and where it was saved from."""
    names: dict[tuple[str, str], None] = {}
    if name := host_name(page.title):
        names["host name", name] = None
    for host in dict.fromkeys(_WHENCE.findall(text)):
        names[_kind(host)] = None
    for kind in ("serial", "model"):
        if value := row(page, known, kind):
            names[kind, plain(value, 60)] = None
    return Named(tuple(names))


def named_log(path: PurePath) -> Named:
    """Return the host name in a log's file name, as the device gives it; none in one that a person chose."""
    name = _LOG.fullmatch(path.stem)
    return Named((("host name", name[1]),) if name else ())


def _kind(host: str) -> tuple[str, str]:
    bare_host = host.strip("[]").lower()
    try:
        return "address", str(ipaddress.ip_address(bare_host))
    except ValueError:
        return "host name", bare_host


def same_host(one: str, other: str) -> bool:
    """Tell whether two names are one host's, with its domain or without."""
    return one.lower().partition(".")[0] == other.lower().partition(".")[0]


def saved_file(name: str, key: str, run: Run) -> tuple[Path, datetime]:
    """Return the path of a file beside the site file, and when it was saved.

    Args:
        name: as the site states it, below its folder.
        key: of ``[[copier]]`` that states it.
        run: the run.

    Raises:
        Unproven: there is no such file, or it is not of the time since the last change.
    """
    path = (run.site.folder or Path()) / name
    try:
        if not path.is_file():
            raise Unproven(f"{name} is no file of the site's folder", f"correct [[copier]] {key}")
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open("rb"):
            pass
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "its name or its time is impossible"
        raise Unproven(f"{name!r} can't be read: {reason}", f"correct [[copier]] {key}") from None
    if at < since(run):
        raise Unproven(f"{name} was saved on {at:%Y-%m-%d %H:%M} UTC, before the last change", "save it again")
    if at > run.site.now.astimezone(UTC) + _AHEAD:
        raise Unproven(f"{name} is of {at:%Y-%m-%d %H:%M} UTC, which is yet to come", "save it again")
    return path, at
