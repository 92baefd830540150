"""Causes in the list and in what people state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.applications.facts import Connections
from scanproof.diagnosis.model import APPLICATION, LIST, cause
from scanproof.discovery import rules as discovery
from scanproof.discovery.facts import Unlisted

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen, Told


@cause("bad-row", "inventory", LIST, of="INV-1")
def bad_row(it: Seen) -> Told:
    """A cell that can't be right."""
    return BAD_ROW if it.failed else None


BAD_ROW = "Rows of the fleet list can't be right"


@cause("bad-row", "inventory", LIST, of="INV-3")
def unlisted_by_a_bad_row(it: Seen) -> Told:
    """As many unlisted copiers as there are rows without a usable address: the row is theirs."""
    bad = sum(case.verdict == "failed" for case in it.run.by_requirement.get("INV-1", ()))
    missing = len(discovery.missing(it.facts(Unlisted), it.site)) if it.failed else 0
    return BAD_ROW if missing and missing <= bad else None


@cause("unlisted-device", "inventory", LIST, of="INV-3")
def unlisted_device(it: Seen) -> Told:
    """It answers, or another system knows it."""
    return "A copier stands in a subnet and is not on the list" if it.failed else None


@cause("application-host", "inventory", APPLICATION, of="APP-1")
def application_host(it: Seen) -> Told:
    """Its connections lead elsewhere than to its route's host."""
    return "An application still sends to another server than its route's" if it.failed else None


@cause("table-of-nobody", "inventory", APPLICATION, of="APP-1")
def table_of_nobody(it: Seen) -> Told:
    """A table that could be any machine's."""
    loose = not it.failed and it.judged(Connections)
    return "Nothing ties a connection table to its application's machine" if loose else None
