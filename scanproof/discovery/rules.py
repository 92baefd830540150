"""Which of what was seen in a subnet is a copier that the list lacks: decided on facts alone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.discovery.facts import Answering, Unlisted
    from scanproof.site import Site

_AGE = timedelta(days=14)  # of a list, where the site states no change


def make_of(said: str, makes: Mapping[str, str]) -> str:
    """Return the make that a device's own words name; empty where they name none."""
    low = said.lower()
    return next((make for make, pattern in makes.items() if re.search(pattern, low)), "")


def _elsewhere(site: Site) -> set[str]:
    return {str(row.address) for row in site.table.rows} | set(site.file.fleet.no_copiers)


def is_copier(found: Answering) -> bool:
    """Tell whether something that answers is a copier or printer by what it says: its make, or the Printer MIB."""
    return bool(found.make or found.serial)


def missing(seen: Unlisted, site: Site) -> list[str]:
    """Return what the list lacks, a line each: copiers that answer, and devices of another system's list."""
    apart = _elsewhere(site)
    swept = [it for it in (seen.sweep.answering if seen.sweep else ()) if it.address not in apart and is_copier(it)]
    lines = [f"{it.seen}{_moved(it, site)}" for it in swept]
    shown = {it.address for it in swept}
    if seen.known:
        lines += [
            f"{it.address} ({it.name or 'no name'}; {seen.known.file} {it.where})"
            for it in seen.known.devices
            if it.address not in apart | shown
        ]
    return lines


def _moved(found: Answering, site: Site) -> str:
    row = next((row for row in site.table.rows if row.serial and row.serial == found.serial), None)
    return f", whose serial number row {row.number} of the list has at {row.address or 'no address'}" if row else ""


def doubtful(seen: Unlisted, site: Site) -> list[str]:
    """Return what takes print jobs and doesn't say what it is: a copier, or a print server."""
    apart = _elsewhere(site)
    answering = seen.sweep.answering if seen.sweep else ()
    return [it.seen for it in answering if it.address not in apart and it.prints and not is_copier(it)]


def untold(seen: Unlisted, site: Site) -> str:
    """Say why what was seen doesn't show that the subnet holds no unlisted copier; empty where it does."""
    sweep, known = seen.sweep, seen.known
    if sweep and not sweep.unasked and (sweep.listed_seen or sweep.answering):
        return ""
    if sweep:
        why = (
            f"{sweep.unasked} addresses were not asked" if sweep.unasked else "nothing in this subnet answers from here"
        )
    else:
        why = seen.trouble
    if known is None:
        return why
    changed = site.file.site.last_change or site.file.site.cutover or site.now - _AGE
    if known.saved < changed:
        return f"{known.file} is older than what counts ({changed:%Y-%m-%d %H:%M %Z})"
    if not known.devices:
        return f"{known.file} names no device of this subnet, not even those of the list"
    return ""
