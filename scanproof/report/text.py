"""Text for a page that strangers' devices, mails and workbooks contributed to."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

LONGEST = 6_000  # characters of one value; the rest stays in run.json and evidence.jsonl

_GONE = [
    *(code for code in range(0x20) if chr(code) not in "\n\t"),  # C0, ESC among them
    *range(0x7F, 0xA0),  # DEL and C1
    0x061C,
    *range(0x200B, 0x2010),  # zero width, and left-to-right and right-to-left marks
    *range(0x2028, 0x202F),  # line separators and bidirectional overrides (Unicode TR 9)
    *range(0x2060, 0x2070),  # word joiner, isolates, deprecated formatting
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
]
# A lone surrogate can't be written as UTF-8 at all.
_TABLE: dict[int, str | None] = dict.fromkeys(_GONE) | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def clean(text: str, longest: int = LONGEST) -> str:
    """Strip control characters and bidirectional overrides, and cut what is longer than a page can use.

    Escaping is left to the template. Line feeds and tabs stay.
    """
    if not (text.isascii() and text.isprintable()):
        text = text.replace("\r\n", "\n").translate(_TABLE)
    if len(text) > longest:
        return f"{text[:longest]} … [{len(text) - longest:,} more characters]"
    return text


def cleaned(value: Any) -> Any:
    """Return JSON data with every text in it cleaned, keys included."""
    if isinstance(value, str):
        harmless = len(value) <= LONGEST and value.isascii() and value.isprintable()  # nearly all of them
        return value if harmless else clean(value)
    if isinstance(value, dict):
        return {cleaned(str(key)): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def anchor(kind: str, name: str) -> str:
    """Return a fragment identifier that is stable, and safe whatever the name holds."""
    return f"{kind}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}"


def moment(text: str | None) -> str:
    """Show an ISO 8601 moment in UTC, and as written where it was written in another zone."""
    if not text:
        return ""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    if read.tzinfo is None:
        return f"{read:%Y-%m-%d %H:%M:%S} (zone not stated)"
    utc = f"{read.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{utc} (written as {read.isoformat(sep=' ', timespec='minutes')})" if read.utcoffset() else utc


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from one ISO 8601 moment to another; None where either is missing or can't be read."""
    try:
        return (datetime.fromisoformat(end or "") - datetime.fromisoformat(start or "")).total_seconds()
    except (ValueError, TypeError):
        return None


def duration(milliseconds: float | None) -> str:
    """Show a duration, given in milliseconds."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1_000:.1f} s"
    return f"{milliseconds / 60_000:.1f} min"


def shown(value: Any) -> str:
    """Show one value of JSON data as a person would write it; a list has a line for each of its items."""
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case list():
            return "\n".join(_in_line(item) for item in value)
        case dict():
            return _in_line(value)
        case _:
            return str(value)


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{words(key)}: {_in_line(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_in_line(item) for item in value) + "]"
    return shown(value)


def words(name: str) -> str:
    """Show an identifier such as ``smtp_host`` or ``WebPage`` in words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " "))
    return spaced[:1] + spaced[1:].lower() if spaced != name and not name.isupper() else spaced
