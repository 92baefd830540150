"""Coverage: rows of the inventory × requirements, by set arithmetic.

What should be judged is computed here from the raw rows and the catalogue, not from what pytest
parametrized: a row that got lost on the way shows up as missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scanproof.scope import KINDS

if TYPE_CHECKING:
    from scanproof.catalogue import Requirement
    from scanproof.rowcheck import Row
    from scanproof.site import Site

Pair = tuple[str, str]


@dataclass(frozen=True)
class Coverage:
    """What became of every pair of requirement and subject."""

    expected: int
    judged: int
    deselected: int
    not_applicable: list[dict[str, str]] = field(default_factory=list)
    missing: list[Pair] = field(default_factory=list)


def expected(site: Site, requirements: list[Requirement]) -> tuple[set[Pair], list[dict[str, str]]]:
    """Return the pairs that should be judged, and those that are not applicable with the reason.

    A requirement about rows or copiers is expected once for each row of the raw list.
    """
    wanted: set[Pair] = set()
    apart: list[dict[str, str]] = []
    of_rows = {kind: {row.key: _reason(site, kind, row) for row in site.table.rows} for kind in ("row", "copier")}
    for requirement in requirements:
        if requirement.kind in of_rows:
            reasons = of_rows[requirement.kind]
        else:
            reasons = {choice.subject.key: choice.excluded for choice in KINDS[requirement.kind](site)}
            if not reasons:
                reasons = {site.name: "this site has none of these"}
        for subject, reason in reasons.items():
            if reason:
                apart.append({"requirement": requirement.id, "subject": subject, "reason": reason})
            else:
                wanted.add((requirement.id, subject))
    return wanted, apart


def _reason(site: Site, kind: str, row: Row) -> str:
    excluded = site.excluded(row)
    if excluded:
        return excluded
    return f"row {row.number} is not usable (INV-1)" if kind == "copier" and row.address is None else ""


def cover(site: Site, requirements: list[Requirement], judged: set[Pair], deselected: set[Pair]) -> Coverage:
    """Compare what should be judged with what was.

    Args:
        site: the site.
        requirements: the whole catalogue.
        judged: the pairs that have a verdict.
        deselected: the pairs that the user left out, by -k, -m or by naming files.
    """
    wanted, apart = expected(site, requirements)
    left_out = (wanted - judged) & deselected
    return Coverage(
        expected=len(wanted) + len(apart),
        judged=len(wanted & judged),
        deselected=len(left_out),
        not_applicable=apart,
        missing=sorted(wanted - judged - left_out),
    )
