"""Every fault yields its own cause, which explains all that it breaks; two at once yield both; a healthy site none."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from scanproof import diagnosis
from selftests.test_faults import CATALOGUE, need, shown_in

if TYPE_CHECKING:
    from selftests import suite
    from selftests.matrix import Runs

PAIRS = 50
HOLDS_NOT = {"failed", "advice"}
NOT_YET = ("make a scan from it", "let a copier scan")
CAUSED = sorted(name for name, entry in CATALOGUE.items() if entry["cause"])


def _pairs() -> list[tuple[str, str]]:
    """Return random pairs of faults that decide different cases: always the same ones, so that a failure stays one."""
    chance, found = random.Random(20261124), set[tuple[str, str]]()
    touched = {name: {tuple(pair) for pair in (*it["breaks"], *it["unproves"])} for name, it in CATALOGUE.items()}
    while len(found) < PAIRS:
        one, other = sorted(chance.sample(CAUSED, 2))
        if not touched[one] & touched[other] and not (hidden(one) & subjects(other) | hidden(other) & subjects(one)):
            found.add((one, other))
    return sorted(found)


def subjects(fault: str) -> set[str]:
    """Return what a fault shows itself by; where it fails nothing, what it leaves unproven."""
    return {subject for _, subject in CATALOGUE[fault]["breaks"] or CATALOGUE[fault]["unproves"]}


def hidden(fault: str) -> set[str]:
    """Return the copiers at whose address another device answers, or into which nobody can look: the rest is hidden."""
    return {subject for requirement, subject in CATALOGUE[fault]["breaks"] if requirement in {"INV-2", "DEV-1"}}


@pytest.fixture
def runs(matrix: Runs) -> Runs:
    matrix.hurry()
    return matrix


def network_of(*faults: str) -> str:
    found = "namespaces" if any(shown_in(CATALOGUE[fault]) == "namespaces" for fault in faults) else "loopback"
    need(found)
    return found


def seen(run: suite.Result, fault: str) -> list[dict[str, object]]:
    """Return the cases that a fault breaks, as far as they are seen in a run: another fault may hide them."""
    cases = [run.cases.get((requirement, key)) for requirement, key in CATALOGUE[fault]["breaks"]]
    return [case for case in cases if case and case["verdict"] in HOLDS_NOT]


@pytest.mark.parametrize("network", ["loopback", "namespaces"])
def test_healthy_site_has_no_cause(runs: Runs, network: str) -> None:
    need(network)
    healthy = runs.begin(network).result().run
    assert healthy["causes"] == healthy["unexplained"] == []


@pytest.mark.parametrize("fault", sorted(CATALOGUE))
def test_top_cause_is_the_faults_own(runs: Runs, fault: str) -> None:
    entry, network = CATALOGUE[fault], network_of(fault)
    healthy, run = runs.begin(network).result(), runs.begin(network, fault).result()
    assert run.run["unexplained"] == []
    if entry["cause"] is None:
        assert run.run["causes"] == []
        return
    top = run.run["causes"][0]
    assert top["kind"] == entry["cause"], [it["title"] for it in run.run["causes"]]
    assert entry["layer"] in {top["layer"], "inventory"}  # what the list states may show as another device's
    explained = set(top["explains"])
    broken = {case["id"] for case in seen(run, fault)}
    # What is unproven without any fault, in this lab, is not unproven for it.
    lacking = {(name, key) for name, key in entry["unproves"] if healthy.verdicts.get((name, key)) != "unproven"}
    # Of what only a scan would show, no more may be said than that nobody has made one yet.
    alone = {it for it in lacking if not run.cases[it]["cause"]}
    lacking -= {it for it in alone if any(words in run.cases[it]["remedy"] for words in NOT_YET)}
    blocked = {case["id"] for case in run.run["cases"] if case["verdict"] == "blocked"}
    assert broken | {run.cases[pair]["id"] for pair in lacking} | blocked <= explained
    assert all(top[name] for name in ("title", "owner", "remedy", "subjects"))
    # What is as it was without the fault has nothing to do with it; but that a sender's way ends, with the list's.
    listed = {tuple(pair) for pair in (*entry["breaks"], *entry["unproves"])}
    told = {pair for pair, case in run.cases.items() if case["cause"] and case["verdict"] != "blocked"} - listed
    assert not [it for it in told if it[0] != "TEN-9" and healthy.verdicts.get(it) == run.verdicts[it]]


@pytest.mark.parametrize("pair", _pairs(), ids="+".join)
def test_two_faults_give_both_causes(runs: Runs, pair: tuple[str, str]) -> None:
    run = runs.begin(network_of(*pair), "+".join(pair)).result()
    causes = {cause["id"]: cause["kind"] for cause in run.run["causes"]}
    assert run.run["unexplained"] == []
    for fault in pair:
        broken = seen(run, fault)
        assert {causes.get(str(case["cause"])) for case in broken} <= {CATALOGUE[fault]["cause"]}
        if broken or not CATALOGUE[fault]["breaks"]:
            assert CATALOGUE[fault]["cause"] in causes.values()
    assert set(causes.values()) <= {CATALOGUE[fault]["cause"] for fault in pair}


def test_every_kind_of_cause_has_its_fault() -> None:
    """A rule that no fault calls on would be untried; what is named besides has the fault of another kind beside it."""
    kinds = {rule.kind for rules in diagnosis.RULES.values() for rule in rules} | set(diagnosis.WANTS)
    # The lab's own machine is in its network: test_own_limits.py takes one out of it.
    assert {entry["cause"] for entry in CATALOGUE.values()} - {None} == kinds - {"service-unreachable", "no-route"}
