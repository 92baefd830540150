"""Values, links, looks and theme of a customer's cells, as they are given back."""

from __future__ import annotations

import datetime as dt
import re
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from openpyxl.writer.theme import theme_xml

from scanproof import redact, sheets
from scanproof.report import cells, withheld

if TYPE_CHECKING:
    from collections.abc import Callable

    from openpyxl.cell.cell import Cell

_LONGEST = 32_000  # characters of a cell: nearly all that a cell can hold


def text_of(cell: Any) -> str:
    """Return a cell's value as it would be read."""
    value = cell.value
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and re.fullmatch("0+", cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    return sheets.clean(value)


def give(made: Cell, cell: Any) -> None:
    """Write a cell's value without what is secret in it, and its link where that is one to a web page."""
    value, shown = cell.value, text_of(cell)
    safe = _without_secrets(shown)
    if isinstance(value, (int, float, dt.date, dt.time, dt.timedelta)) and safe == shown:
        made.value = value
    elif value is not None:
        cells.put(made, safe, _LONGEST)
    if cell.hyperlink and (target := web_link(cell.hyperlink.target or "")):
        made.hyperlink = target
        if value is None:
            cells.put(made, target)


def _without_secrets(text: str) -> str:
    text = redact.scrub(text)
    return re.sub(r"\S+", lambda word: _without_user(word.group()), text) if "@" in text else text


def _without_user(word: str) -> str:
    """Take user and password out of a link, with or without its scheme; sheets.clean() does so for short texts."""
    before, at, host = word.rpartition("@")
    return f"{withheld.IN_PLACE}@{host}" if at and ":" in before else word


def web_link(target: str) -> str:
    """Return a link to a web page without user, password, query and fragment; empty where it is no such link."""
    try:
        parts = urlsplit(cells.clean(target).strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in {"http", "https"} or not re.fullmatch(r"[\w.:-]+", host):
        return ""
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    link = urlunsplit((parts.scheme.lower(), place, parts.path[:500], "", ""))
    return link if redact.scrub(link) == link and not withheld.speaks_of_a_secret(link) else ""


def style_of(cell: Any, *, general: bool) -> Callable[[Cell], None]:
    """Return what gives a cell the looks of one of the customer's file; ``general`` without its number format."""

    def make(made: Cell) -> None:
        made.font, made.fill, made.border = copy(cell.font), copy(cell.fill), copy(cell.border)
        made.alignment = copy(cell.alignment)
        form = str(cell.number_format)
        if not general and redact.scrub(form) == form and not withheld.speaks_of_a_secret(form):
            made.number_format = form

    return make


def theme(given: bytes) -> str:
    """Return openpyxl's own theme with the customer's colours and fonts, by which cells name theirs."""
    theirs, ours = given[:200_000].decode("utf-8", "replace"), str(theme_xml)
    for name in (*(f"accent{n}" for n in range(1, 7)), "dk1", "lt1", "dk2", "lt2", "hlink", "folHlink"):
        # Either a colour of its own, or one of the system's with the value that it had last.
        if found := re.search(rf'<a:{name}>\s*<a:\w+ [^>]*?(?:val|lastClr)="([0-9A-Fa-f]{{6}})"', theirs):
            ours = re.sub(
                rf"(<a:{name}>\s*)<a:\w+ [^>]*/>", rf'\g<1><a:srgbClr val="{found.group(1).upper()}"/>', ours, count=1
            )
    for name in ("majorFont", "minorFont"):
        if found := re.search(rf'<a:{name}>\s*<a:latin typeface="([\w .-]{{1,40}})"', theirs):
            ours = re.sub(rf'(<a:{name}>\s*<a:latin typeface=)"[^"]*"', rf'\g<1>"{found.group(1)}"', ours, count=1)
    return ours
