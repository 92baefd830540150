"""How old the evidence is that a run's verdicts rest on: by the runs that it was gathered in."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from scanproof.judged import Case
    from scanproof.kinds import Evidence


def gathered(evidence: Iterable[Evidence[Any]]) -> datetime | None:
    """Return when the oldest of some evidence was gathered; None of none."""
    return min((piece.started for piece in evidence if piece.vantage), default=None)


def parts(cases: Iterable[Case], began: Iterable[datetime]) -> list[dict[str, Any]]:
    """Return of how many cases the evidence is from which run, oldest first, as it stands in ``run.json``.

    Args:
        cases: each counts for the run that its oldest evidence was gathered in; those without evidence for none.
        began: when those runs began.
    """
    starts = sorted(set(began))
    counted: Counter[int] = Counter()
    for case in cases:
        if case.gathered is not None and starts:
            counted[max(bisect_right(starts, case.gathered) - 1, 0)] += 1
    return [{"started": zulu(starts[place]), "cases": counted[place]} for place in sorted(counted)]


def told(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a ``run.json`` that its readers have to be told of: none where all evidence is its own.

    Args:
        content: of ``run.json``; one without parts is taken as a run of its own.
    """
    found: list[dict[str, Any]] = content.get("parts") or []
    return found if any(part.get("started") != content.get("started") for part in found) else []


def zulu(moment: datetime) -> str:
    """Return a moment of UTC as documents of a run write it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """Show a span of time in the unit that a person would take, given in seconds: “42 s”, “3 hours”, “365 days”."""
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
