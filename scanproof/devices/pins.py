"""The site's known devices: which certificate each one showed when it was first seen.

Self-signed certificates are normal on copiers, so that nobody vouches for one but its own past. ``known-devices.json``
in the site's folder keeps the SHA-256 of each, on a line of its own, so that a person can take one line out: the last
line names no device, and what is left is JSON whichever line of a device is deleted.

Nothing is written for a simulated site, whose certificates are made anew at each start, unless its folder holds the
file already.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.store import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Copier, Site

FILE = "known-devices.json"
_ABOUT = (
    "Certificates as first seen. Where one was renewed on purpose, delete its line: the next run keeps the new one."
)
_FIRST, _LAST = "about", "format"
_FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 20_000_000  # bytes: far more than 50 000 devices need


@dataclass(frozen=True)
class Pin:
    """What is known of a device's certificate.

    Attributes:
        certificate: SHA-256 in lower-case hexadecimal; empty where the device was never seen before.
        since: when it was first seen, with zone.
        trouble: why what was seen now could not be kept; empty where it was, or had not to be.
    """

    certificate: str = ""
    since: datetime | None = None
    trouble: str = ""


def line(copier: Copier) -> str:
    """Return how a device's line of the file begins, as it stands there, with quotes."""
    return json.dumps(_name(copier), ensure_ascii=False)


def _name(copier: Copier) -> str:
    return f"copier {copier.key}"


def known(copier: Copier, site: Site) -> Pin:
    """Return what was known of a device's certificate before now.

    Raises:
        Unproven: the file, or the device's line, can't be used; names file and key.
    """
    folder = _folder(site)
    return _pin(_read(folder / FILE), _name(copier)) if folder else Pin()


def keep(copier: Copier, site: Site, certificate: str) -> Pin:
    """Return what was known of a device's certificate before now; of a device that wasn't, keep this one.

    What was kept once is never replaced, and a line that this version can't read stays as it is. There is no wait in
    here, so that the probes of one run, which share a loop, can't come between its reading and its writing.

    Args:
        copier: the device.
        site: whose folder holds the file.
        certificate: SHA-256 in lower-case hexadecimal; empty where the device showed none.

    Raises:
        Unproven: the file, or the device's line, can't be used; names file and key. It is left as it is.
    """
    folder = _folder(site)
    if folder is None:
        return Pin()
    content = _read(folder / FILE)
    found = _pin(content, _name(copier))
    if found.certificate or not certificate:
        return found
    content[_name(copier)] = {
        "certificate": certificate,
        "since": site.now.astimezone(UTC).isoformat(timespec="seconds"),
    }
    try:
        write_whole(folder / FILE, _text(content))
    except OSError as error:
        return Pin(
            trouble=f"{FILE} can't be written ({error.strerror}): this certificate is not kept, "
            "and the next run can't tell whether it changed"
        )
    return Pin()


def _folder(site: Site) -> Path | None:
    """Return the folder that holds the file; None where none is to be read or written: recorded or simulated sites."""
    if site.folder is None or (site.file.site.lab and not (site.folder / FILE).is_file()):
        return None
    return site.folder


def _read(path: Path) -> dict[str, Any]:
    """Return the file's content; empty where there is no file.

    Raises:
        Unproven: it can't be used; says where.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(f"can't be read: {error.strerror}") from None
    if len(raw) > _MOST:
        raise _unusable(f"has more than {_MOST // 1_000_000} MB, which is no list of certificates")
    try:
        content = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise _unusable(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise _unusable(f"not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise _unusable(plain(str(error), 200)) from None
    if not isinstance(content, dict):
        raise _unusable(f"holds a {type(content).__name__} where an object with a line for each device is expected")
    if content.get(_LAST, _FORMAT) != _FORMAT:
        raise _unusable(f'"{_LAST}" is {plain(repr(content[_LAST]), 60)}, and this version reads {_FORMAT}')
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # Python would take the last one without a word
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{json.dumps(plain(twice, 100), ensure_ascii=False)} stands there twice; keep one")
    return found


def _pin(content: dict[str, Any], name: str) -> Pin:
    if name not in content:
        return Pin()
    entry, shown = content[name], json.dumps(plain(name, 100), ensure_ascii=False)
    if not isinstance(entry, dict):
        raise _unusable(f"{shown}: {plain(repr(entry), 60)} is not an object with certificate and since")
    certificate, since = entry.get("certificate"), entry.get("since")
    if not isinstance(certificate, str) or not _SHA256.fullmatch(certificate.lower()):
        seen = plain(repr(certificate), 80)
        raise _unusable(f"{shown}: certificate is {seen}, where a SHA-256 of 64 hexadecimal digits is expected")
    try:
        moment = datetime.fromisoformat(since) if isinstance(since, str) else None
        moment = moment.astimezone(UTC) if moment and moment.tzinfo else moment
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        seen = plain(repr(since), 60)
        raise _unusable(
            f"{shown}: since is {seen}, where a time with zone is expected, such as 2026-11-23T08:00:00+00:00"
        )
    return Pin(certificate.lower(), moment)


def _unusable(why: str) -> Unproven:
    return Unproven(
        f"{FILE}: {why}; nobody signs in to a device whose certificate can't be compared",
        f"correct it, or delete the wrong line, in the site's folder; moving {FILE} away forgets every certificate",
    )


def _text(content: dict[str, Any]) -> str:
    devices = [(name, value) for name, value in content.items() if name not in {_FIRST, _LAST}]
    lines = [(_FIRST, content.get(_FIRST, _ABOUT)), *devices, (_LAST, _FORMAT)]
    written = (
        f" {json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}" for name, value in lines
    )
    return "{\n" + ",\n".join(written) + "\n}\n"
