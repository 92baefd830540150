"""The picture of deliveries: from a mail's hand-over to its mailbox, one lane a mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.report.text import seconds_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 40  # lanes; the rest stands in the cases
WIDTH, LEFT, RIGHT, LANE, TOP = 1000, 430, 90, 22, 30  # in units of the picture's viewBox
_CASES = {"DLV-1", "DLV-2", "APP-2"}


@dataclass(frozen=True)
class Lane:
    """One mail."""

    label: str
    seconds: float
    verdict: str
    y: float
    end: float
    said: str


@dataclass(frozen=True)
class Timeline:
    """All lanes, on one axis of seconds."""

    lanes: list[Lane]
    ticks: list[tuple[float, str]]  # x, and its label
    left_out: int
    height: float
    width: float = WIDTH
    left: float = LEFT
    top: float = TOP


def of(run: dict[str, Any], evidence: Mapping[str, dict[str, Any]]) -> Timeline:
    """Lay out what became of the test mails, scans and reports of a run.

    Args:
        run: the content of ``run.json``.
        evidence: the records of ``evidence.jsonl`` by their id.
    """
    mails = list(_mails(run, evidence))
    shown = mails[:MOST]
    longest = max([seconds for _, seconds, _ in shown] or [1.0])
    axis = next(step for step in (1, 2, 5, 10, 30, 60, 300, 600, 3_600, 86_400, 10**9) if step >= longest)
    wide = WIDTH - LEFT - RIGHT
    lanes = [
        Lane(
            label=label,
            seconds=seconds,
            verdict=verdict,
            y=TOP + LANE * place + 14,
            end=LEFT + wide * seconds / axis,
            said=f"{seconds:.1f} s" if verdict == "passed" else f"{seconds:.1f} s, {verdict}",
        )
        for place, (label, seconds, verdict) in enumerate(shown)
    ]
    ticks = [(LEFT + wide * part / 4, f"{axis * part / 4:g} s") for part in range(5)]
    return Timeline(lanes, ticks, len(mails) - len(shown), TOP + LANE * len(lanes) + 10)


def _mails(run: dict[str, Any], evidence: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, float, str]]:
    """Yield label, seconds from hand-over to mailbox, and verdict of each mail that was found or given up."""
    for case in run["cases"]:
        for name in (case.get("evidence") or ()) if case["requirement"] in _CASES else ():
            facts = evidence.get(name, {}).get("facts") or {}
            took = facts.get("seconds")
            if took is None:
                took = seconds_between(facts.get("sent"), facts.get("received"))
            if isinstance(took, (int, float)) and 0 <= took < 10**9:
                about = case["subject"].get("label") or case["subject"]["name"]
                yield f"{case['requirement']} {about}", took, case["verdict"]
