"""What the fault matrix lets pass: what a fault states, by level, and cases that go or come with what it touches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from selftests.test_faults import judge

Pair = tuple[str, str]
HEALTHY: dict[Pair, str] = {
    ("INV-1", "A"): "passed",
    ("DEV-2", "A"): "passed",
    ("NET-1", "A"): "unproven",
    ("INV-1", "B"): "passed",
    ("DEV-2", "B"): "passed",
    ("COV-3", "S"): "advice",
    ("EGR-1", "S++host"): "passed",
}
ADVICE = {"NET-1", "COV-3", "TEN-9"}


@dataclass
class Run:
    """A run, as far as the judge looks at one."""

    verdicts: dict[Pair, str]
    apart: tuple[Pair, ...] = ()
    levels: dict[Pair, str] = field(default_factory=dict)
    by: dict[Pair, list[str]] = field(default_factory=dict)

    @property
    def cases(self) -> dict[Pair, dict[str, Any]]:
        return {
            pair: {
                "verdict": verdict,
                "level": self.levels.get(pair, "advice" if pair[0] in ADVICE else "blocker"),
                "blocked_by": self.by.get(pair, []),
            }
            for pair, verdict in self.verdicts.items()
        }

    @property
    def run(self) -> dict[str, Any]:
        apart = [{"requirement": requirement, "subject": subject} for requirement, subject in self.apart]
        return {"coverage": {"not_applicable": apart}}


def holds(
    broken: dict[Pair, str | None],
    *,
    breaks: tuple[Pair, ...] = (),
    unproves: tuple[Pair, ...] = (),
    layer: str = "device",
    **more: Any,
) -> bool:
    """Judge a run that differs from the healthy one by these verdicts; None: the case is missing."""
    verdicts = {pair: verdict for pair, verdict in {**HEALTHY, **broken}.items() if verdict is not None}
    entry = {"breaks": breaks, "unproves": unproves, "layer": layer}
    try:
        judge(Run(HEALTHY), Run(verdicts, **more), entry)  # type: ignore[arg-type]
    except AssertionError:
        return False
    return True


DEV, NET = ("DEV-2", "A"), ("NET-1", "A")
OF_A = (DEV, NET)


@pytest.mark.parametrize(
    ("pair", "verdict", "fine"),
    [
        (DEV, "failed", True),
        (DEV, "advice", False),
        (DEV, "passed", False),
        (DEV, "unproven", False),
        (DEV, "blocked", False),
        (DEV, None, False),
        (NET, "advice", True),
        (NET, "failed", False),
        (NET, "unproven", False),
    ],
)
def test_what_a_fault_breaks_fails_by_its_level(pair: Pair, verdict: str | None, fine: bool) -> None:  # noqa: FBT001
    assert holds({pair: verdict}, breaks=(pair,)) == fine


@pytest.mark.parametrize(
    ("verdict", "fine"), [("unproven", True), ("passed", False), ("failed", False), ("advice", False), (None, False)]
)
def test_what_a_fault_unproves(verdict: str | None, fine: bool) -> None:  # noqa: FBT001
    assert holds({DEV: verdict}, unproves=(DEV,)) == fine


def test_nothing_else_changes() -> None:
    broken: dict[Pair, str | None] = {DEV: "failed"}
    assert holds(broken, breaks=(DEV,))
    for pair, before in HEALTHY.items():
        for now in {"passed", "failed", "advice", "unproven", None} - {before}:
            assert pair == DEV or not holds({**broken, pair: now}, breaks=(DEV,)), (pair, now)
    assert not holds({**broken, ("DEV-9", "A"): "passed"}, breaks=(DEV,))
    assert not holds(broken, breaks=(DEV,), levels={("EGR-1", "S++host"): "advice"})


@pytest.mark.parametrize(
    ("by", "fine"), [(["DEV-2"], True), (["NET-1"], False), (["INV-1"], False), (["COV-2"], False)]
)
def test_what_depends_on_it_is_blocked_by_it(by: list[str], fine: bool) -> None:  # noqa: FBT001
    found: dict[Pair, str | None] = {DEV: "failed", ("COV-2", "A"): "blocked"}
    healthy = {**HEALTHY, ("COV-2", "A"): "passed"}
    entry = {"breaks": [DEV], "unproves": [], "layer": "device"}
    broken = Run({**healthy, **found}, by={("COV-2", "A"): by})  # type: ignore[dict-item]
    if fine:
        judge(Run(healthy), broken, entry)  # type: ignore[arg-type]
    else:
        with pytest.raises(AssertionError, match="COV-2"):
            judge(Run(healthy), broken, entry)  # type: ignore[arg-type]


LOST: dict[Pair, str | None] = {("INV-1", "A"): "failed", DEV: None, NET: None}


@pytest.mark.parametrize(
    ("more", "apart", "layer", "fine"),
    [
        ({}, OF_A, "inventory", True),
        ({}, OF_A[:1], "inventory", False),  # a case that is missing and stated nowhere is lost
        ({}, OF_A, "device", False),
        ({("DEV-2", "B"): None}, (*OF_A, ("DEV-2", "B")), "inventory", False),  # another copier's
        ({("EGR-1", "S++host"): None}, (*OF_A, ("EGR-1", "S++host")), "inventory", False),
    ],
)
def test_a_lost_row_takes_the_cases_of_its_own_copier_alone(
    more: dict[Pair, str | None],
    apart: tuple[Pair, ...],
    layer: str,
    fine: bool,  # noqa: FBT001
) -> None:
    assert holds({**LOST, **more}, breaks=(("INV-1", "A"),), layer=layer, apart=apart) == fine


ANEW: dict[Pair, str | None] = {
    ("INV-1", "A"): None,
    DEV: None,
    NET: None,
    ("INV-1", "B+row3"): "failed",
    ("DEV-2", "B+row3"): "passed",
    ("NET-1", "B+row3"): "unproven",
}


@pytest.mark.parametrize(
    ("more", "fine"),
    [
        ({}, True),
        ({("DEV-2", "B+row3"): "unproven"}, False),
        ({("NET-1", "B+row3"): "passed"}, False),
        ({("DEV-2", "B+row3"): None}, False),
        ({("DEV-9", "B+row3"): "passed"}, False),
        ({("DEV-2", "B"): None}, False),
    ],
)
def test_a_row_of_a_doubled_key_is_judged_under_its_new_one(more: dict[Pair, str | None], fine: bool) -> None:  # noqa: FBT001
    assert holds({**ANEW, **more}, breaks=(("INV-1", "B+row3"),), layer="inventory") == fine


@pytest.mark.parametrize(
    ("subject", "verdict", "fine"),
    [("T", "passed", True), ("T++S", "passed", True), ("T", "unproven", False), ("U", "passed", False)],
)
def test_a_case_comes_with_what_is_touched_and_holds(subject: str, verdict: str, fine: bool) -> None:  # noqa: FBT001
    found: dict[Pair, str | None] = {("TEN-9", "T"): "advice", ("TEN-2", subject): verdict}
    assert holds(found, breaks=(("TEN-9", "T"),), layer="inventory") == fine
