"""Every fault of the catalogue, shown to the whole suite: it must see just what is broken, and all of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from lab import faults, probe
from scanproof import catalogue, site
from selftests import suite
from selftests.matrix import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selftests.matrix import Runs

DEMO = site.load(suite.ROOT / "inventory/demo")
CATALOGUE = {entry["name"]: entry for entry in faults.as_json(DEMO)}
NETWORK, WHY = probe.verdict(probe.probe())
HOLDS_NOT = {"blocker": "failed", "advice": "advice"}  # by a case's level


def shown_in(entry: dict[str, Any]) -> str:
    return "namespaces" if entry["network"] == "namespaces" else "loopback"


@pytest.fixture
def runs(matrix: Runs) -> Runs:
    matrix.hurry()
    return matrix


def wanted(items: list[pytest.Item]) -> Iterator[tuple[str, str]]:
    """Yield network and fault of every run that the collected tests will ask for."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        faults = params.get("pair") or ((params["fault"],) if "fault" in params else ())
        if item.path.name in MODULES and faults:
            needs = {shown_in(CATALOGUE[fault]) for fault in faults}
            network = params.get("network") or ("namespaces" if "namespaces" in needs else "loopback")
            if network == "loopback" or NETWORK == "namespaces":
                yield network, ""
                yield network, "+".join(faults)


def need(network: str) -> None:
    if network == "namespaces" and NETWORK != "namespaces":
        if os.environ.get("CI"):
            pytest.fail(f"the namespace lab is required on CI: {WHY}")
        pytest.skip(WHY)


def judged(runs: Runs, network: str, entry: dict[str, Any]) -> suite.Result:
    """Compare a run with the healthy one; where it differs from what its fault states, make it once more."""
    healthy, broken = runs.begin(network).result(), runs.begin(network, entry["name"]).result()
    try:
        judge(healthy, broken, entry)
    except (AssertionError, OSError):
        broken = runs.once_more(network, entry["name"])
        judge(healthy, broken, entry)
    return broken


def judge(healthy: suite.Result, broken: suite.Result, entry: dict[str, Any]) -> None:
    """Compare a broken site's verdicts with the healthy site's: exactly what the catalogue says may differ."""
    breaks = {tuple(pair) for pair in entry["breaks"]}
    unproves = {tuple(pair) for pair in entry["unproves"]}
    roots = {requirement for requirement, _ in breaks | unproves}
    plan = Plan(healthy, broken, {subject for _, subject in breaks} if entry["layer"] == "inventory" else set())
    wrong = []
    for pair in sorted({*healthy.cases, *broken.cases, *breaks, *unproves}):
        now, before = broken.verdicts.get(pair), healthy.verdicts.get(pair)
        if pair in breaks:
            fine = now is not None and now == HOLDS_NOT[broken.cases[pair]["level"]]
        elif pair in unproves:
            fine = now == "unproven"
        elif now == "blocked":
            by = set(broken.cases[pair]["blocked_by"])
            # What it is blocked by is no case that passed of the same subject, nor the case itself.
            same = {broken.verdicts.get((requirement, pair[1])) for requirement in by}
            fine = by <= roots | blocked_roots(broken) and "passed" not in same and pair[0] not in by
        elif now is None:
            fine = plan.may_go(pair)
        elif before is None:
            fine = plan.may_come(pair)
        else:
            fine = now == before
        if now and before and entry["layer"] != "inventory":  # no change to the estate makes a case matter more or less
            fine = fine and broken.cases[pair]["level"] == healthy.cases[pair]["level"]
        if not fine:
            case = broken.cases.get(pair, {})
            wrong.append(
                f"{pair}: was {before}, is {now} {case.get('blocked_by', '')}: {case.get('observed', '')[:200]}"
            )
    assert not wrong, "\n".join(wrong)


class Plan:
    """Which cases may come or go with a change to the site folder: those of the copiers and senders that it touches."""

    def __init__(self, healthy: suite.Result, broken: suite.Result, touched: set[str]) -> None:
        self._healthy, self._broken, self._touched = healthy, broken, touched
        self._apart = {(row["requirement"], row["subject"]) for row in broken.run["coverage"]["not_applicable"]}
        # A row that takes over another's key has a key of its own; all of its cases are found under that.
        anew = [subject for subject in touched if "+row" in subject]
        lost = {pair[1] for pair in set(healthy.cases) - set(broken.cases) - self._apart}
        self._renamed = dict(zip(anew, lost, strict=True)) if len(anew) == len(lost) == 1 else {}

    def may_go(self, pair: tuple[str, str]) -> bool:
        """Tell whether a case may be missing: stated as not applicable, or found under another key."""
        if pair in self._apart:
            return pair[1] in self._touched
        return any((pair[0], new) in self._broken.cases for new, old in self._renamed.items() if old == pair[1])

    def may_come(self, pair: tuple[str, str]) -> bool:
        """Tell whether a case may be new: it is as under its old key, or it holds."""
        now = self._broken.verdicts[pair]
        if pair[1] in self._renamed:
            return now == self._healthy.verdicts.get((pair[0], self._renamed[pair[1]]))
        return pair[1].partition("++")[0] in self._touched and now == "passed"


def blocked_roots(run: suite.Result) -> set[str]:
    return {requirement for (requirement, _), case in run.cases.items() if case["verdict"] == "blocked"}


@pytest.mark.parametrize("fault", sorted(CATALOGUE))
def test_fault_is_seen_and_nothing_else(runs: Runs, fault: str) -> None:
    entry = CATALOGUE[fault]
    network = shown_in(entry)
    need(network)
    broken = judged(runs, network, entry)
    failed = any(case["verdict"] == "failed" for case in broken.run["cases"])
    lost = any("no case of this run shows it" in reason for reason in broken.run["signoff"]["reasons"])
    assert broken.status == (1 if failed or lost else 0), broken.output[-2000:]


# A fault that both labs can show must look the same in both.
@pytest.mark.parametrize("network", ["namespaces"])
@pytest.mark.parametrize(
    "fault", ["web-silent", "smtp-auth-off-tenant", "spf-lacks-one-site", "junk-rule", "https-old-tls"]
)
def test_fault_looks_the_same_in_namespaces(runs: Runs, fault: str, network: str) -> None:
    need(network)
    judged(runs, network, CATALOGUE[fault])


@pytest.mark.parametrize("network", ["loopback", "namespaces"])
def test_healthy_site_has_no_failure(runs: Runs, network: str) -> None:
    need(network)
    healthy = runs.begin(network).result()
    assert healthy.status == 0, healthy.output[-3000:]
    assert set(healthy.verdicts.values()) == {"passed", "unproven", "advice"}
    # What one machine can't know: other subnets' egress, and a connector for another public address.
    unproven = {requirement for (requirement, _), verdict in healthy.verdicts.items() if verdict == "unproven"}
    elsewhere = {"EGR-1", "EGR-3", "EGR-4", "EGR-5", "SMTP-2", "DLV-1"}
    assert unproven == {*elsewhere, *(["NET-1", "EGR-2", "HOST-1"] if network == "loopback" else [])}
    relayed = [
        pair[1]
        for pair, verdict in healthy.verdicts.items()
        if verdict == "unproven" and pair[0] in {"SMTP-2", "DLV-1"}
    ]
    assert all("++relay" in name for name in relayed)
    # A sign-in by password works today, and its end is announced; two subnets send by port 25.
    assert {pair for pair, verdict in healthy.verdicts.items() if verdict == "advice"} == {
        *(("TEN-9", sender.address) for sender in DEMO.file.sender if sender.auth == "basic"),
        *(("COV-3", copier.subnet) for copier in DEMO.copiers if copier.route != "smtp-auth"),
    }
    assert healthy.run["coverage"]["missing"] == []
    assert f"report: {healthy.folder / 'report.html'}" in healthy.output


def test_every_requirement_can_fail() -> None:
    """A case that no fault can fail would prove nothing."""
    requirements = {requirement.id for requirement in catalogue.read(suite.ROOT / "tests")}
    assert requirements == {pair[0] for entry in CATALOGUE.values() for pair in entry["breaks"]}


def test_a_fault_that_loopback_cannot_show_is_refused(tmp_path: Path) -> None:
    refused = suite.pytest(tmp_path / "run", "-q", "--lab-fault=port-587-dropped")
    assert refused.status == 4
    refused.shows("needs the lab in namespaces")
    assert "Traceback" not in refused.output
