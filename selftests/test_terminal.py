"""What stays on the screen at the end of a run, and what is told once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from plugins import terminal
from scanproof.judged import Case, Verdict
from selftests.sample_tickets import as_found


def case(requirement: str, key: str, verdict: Verdict = "unproven", level: str = "blocker", **said: Any) -> Case:
    return Case(f"{requirement}[{key}]", requirement, level, f"{requirement} of {key}", "", key, key, verdict, **said)


def test_causes_and_sign_off_are_what_stays_on_screen() -> None:
    sections = re.findall(r"^-{3,} ([a-z ,-]+)(?: \(\d+\))? -{3,}$", as_found().output, re.MULTILINE)
    assert sections[-3:] == ["does not hold", "causes", "sign-off"]
    assert sections[0] == "not proven"
    assert len(as_found().output.partition(" causes (")[2].splitlines()) < 60


def test_what_is_unproven_for_one_reason_is_told_once() -> None:
    why: dict[str, Any] = {"observed": "10.1.1.0/24 has no vantage", "remedy": "name one"}
    other: dict[str, Any] = {"observed": "10.1.2.0/24 has no vantage", "remedy": "name one"}
    lines = terminal._lines(
        [
            case("EGR-1", "10.1.1.0/24", **why),
            case("EGR-1", "10.1.2.0/24", level="advice", **other),
            case("EGR-3", "10.1.1.0/24++host", **why),
            case("EGR-4", "10.1.1.0/24", observed="it is off", remedy="name one"),
        ]
    )
    assert lines == [
        "EGR-1 EGR-1 of 10.1.1.0/24 (and 2 more); likewise EGR-3 [1 of 3 block nothing here]",
        "    observed 10.1.1.0/24 has no vantage",
        "    → name one",
        "EGR-4 EGR-4 of 10.1.1.0/24",
        "    observed it is off",
        "    → name one",
    ]


@pytest.mark.parametrize("verdict", ["failed", "advice"])
def test_what_fails_is_told_by_requirement(verdict: Verdict) -> None:
    lines = terminal._lines([case("NET-2", "a", verdict, observed="no"), case("NET-3", "b", verdict, observed="no")])
    assert [line for line in lines if not line.startswith(" ")] == ["NET-2 NET-2 of a", "NET-3 NET-3 of b"]
