"""From what a case did to its verdict; pytest's own outcomes stay standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Skipped

from fixtures.evidence import EVIDENCE, evidence_of
from fixtures.expect import EXPECT, Expect, NotHeld, NotProven
from fixtures.given import fill
from plugins import run as runs
from plugins.cases import CASE
from scanproof import ages, waivers
from scanproof.judged import Case, sufficient
from scanproof.redact import scrub

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugins.run import Run
    from scanproof.kinds import Evidence

# A verdict's category, letter and word in the terminal; markup by pytest's own colours.
WORDS: dict[str, tuple[str, str, tuple[str, dict[str, bool]]]] = {
    "passed": ("passed", ".", ("PASSED", {"green": True})),
    "failed": ("failed", "F", ("FAILED", {"red": True})),
    "blocked": ("blocked", "B", ("BLOCKED", {"yellow": True})),
    "unproven": ("unproven", "U", ("UNPROVEN", {"yellow": True})),
    "waived": ("waived", "W", ("WAIVED", {"cyan": True})),
    "advice": ("advice", "A", ("ADVICE", {"yellow": True})),
    "error": ("error", "E", ("ERROR", {"red": True})),
}


class CaseBlocked(Skipped):
    """The evidence that the case judges could not be tried, since evidence it needs failed."""


class Broken(Exception):  # noqa: N818
    """The suite itself failed to gather the evidence."""


def _evidence(item: pytest.Function) -> list[Evidence[Any]]:
    return [evidence_of(item, name) for name in item.fixturenames if name in EVIDENCE]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give a case its arguments; stop one whose evidence broke: an error of the suite, not a finding."""
    if runs.of(item.config) is None or CASE not in item.stash or not isinstance(item, pytest.Function):
        return
    for evidence in _evidence(item):
        if evidence.outcome == "broken":
            raise Broken(f"{evidence.id}: {evidence.reason}")
    item.stash[EXPECT] = Expect()
    fill(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Judge nothing that was not observed: such a case is blocked or unproven."""
    run = runs.of(pyfuncitem.config)
    if run is None or CASE not in pyfuncitem.stash:
        return
    case = pyfuncitem.stash[CASE]
    found = _evidence(pyfuncitem)
    case.evidence = [evidence.id for evidence in found if evidence.vantage]
    case.gathered = ages.gathered(found)
    case.vantage = ", ".join(dict.fromkeys(evidence.vantage for evidence in found if evidence.vantage))
    for evidence in found:
        if evidence.outcome == "blocked":
            case.blocked_by = list(evidence.blocked_by)
            case.observed, case.remedy = (
                evidence.reason,
                evidence.remedy or f"settle {', '.join(case.blocked_by)} first",
            )
            raise CaseBlocked(f"blocked by {', '.join(case.blocked_by)}: {evidence.reason}")
    for evidence in found:
        if evidence.outcome != "observed":
            case.observed, case.remedy = evidence.reason, evidence.remedy
            raise NotProven(evidence.reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the case its verdict, and its report the words for it."""
    report = yield
    run = runs.of(item.config)
    if run is None or CASE not in item.stash:
        return report
    case = item.stash[CASE]
    report.location = (*item.location[:2], case.sentence)
    if call.when == "call":
        _judge(item, call, case, run)
        _express(report, item, case)
    elif report.failed:
        report.longrepr = scrub(report.longreprtext)  # a library may quote a secret in its complaint
        case.verdict = "error"
        case.observed = scrub(f"{call.when}: {call.excinfo.value if call.excinfo else 'failed'}")
        case.remedy = "this is a defect of Scanproof: report it with the run folder"
        _properties(report, item, case)
    return report


def _judge(item: pytest.Item, call: pytest.CallInfo[None], case: Case, run: Run) -> None:
    judge = item.stash.get(EXPECT, None)
    error = call.excinfo.value if call.excinfo else None
    if judge and judge.observed:
        _take(judge, case)
    if isinstance(error, CaseBlocked):
        case.verdict = "blocked"
    elif isinstance(error, NotProven):
        case.verdict = "unproven"
    elif isinstance(error, NotHeld):
        case.verdict = "failed" if case.level == "blocker" else "advice"
        waiver = waivers.covering(case, run.site.file.waiver, run.site.now)
        if waiver:
            case.verdict = "waived"
            case.waiver = f"{waiver.reason} ({waiver.approved_by}, until {waiver.until:%Y-%m-%d})"
    elif error is not None:
        case.verdict, case.observed = "error", f"{type(error).__name__}: {error}"
        case.remedy = "this is a defect of Scanproof: report it with the run folder"
    elif not (judge and judge.expected):
        case.verdict, case.observed = "error", "the case judged nothing"
    elif case.grade and not sufficient(case.grade, run.site.file.devices.minimum_grade, case.level):
        case.verdict = "unproven"
        case.observed += f" (a proof of grade {case.grade}, which the site does not take for enough)"
        case.remedy = f"get a stronger proof: {run.site.file.devices.minimum_grade} or better (docs/run.md, grades)"
    else:
        case.verdict = "passed"
        case.exceptions = [scrub(words) for words in judge.exceptions]
    for name in ("expected", "observed", "remedy"):
        setattr(case, name, scrub(getattr(case, name)))


def _take(judge: Expect, case: Case) -> None:
    case.expected = "; ".join(judge.expected)
    case.observed = "; ".join(judge.observed)
    case.remedy, case.grade = judge.remedy, judge.grade


def _express(report: pytest.TestReport, item: pytest.Item, case: Case) -> None:
    where = (str(item.path), item.location[1] or 0)
    words = f"{case.requirement}: {case.sentence}: {case.observed}"
    if case.expected and case.verdict != "passed":
        words = f"{case.requirement}: {case.sentence}: expected {case.expected}; observed {case.observed}"
    if case.remedy:
        words += f". {case.remedy[0].upper()}{case.remedy[1:]}"
    if case.verdict == "passed":
        report.outcome, report.longrepr = "passed", None
    elif case.verdict in {"failed", "error"}:
        report.outcome, report.longrepr = "failed", words
    else:
        report.outcome, report.longrepr = "skipped", (*where, f"{case.verdict}: {words}")
        if case.verdict == "waived":
            report.wasxfail = case.waiver
    _properties(report, item, case)


def _properties(report: pytest.TestReport, item: pytest.Item, case: Case) -> None:
    pairs = [
        ("requirement", case.requirement),
        ("level", case.level),
        ("sentence", case.sentence),
        ("subject", case.key),
        ("verdict", case.verdict),
        ("expected", case.expected),
        ("observed", case.observed),
        ("grade", case.grade),
        ("vantage", case.vantage),
        ("evidence", " ".join(case.evidence)),
        ("blocked_by", " ".join(case.blocked_by)),
        ("remedy", case.remedy),
    ]
    # Both: junit.xml takes them from the item, every other reader from the report.
    item.user_properties[:] = pairs
    report.user_properties[:] = pairs


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: object) -> tuple[str, str, Any] | None:
    """Show the verdict by its own letter and word."""
    if not isinstance(report, pytest.TestReport):
        return None
    verdict = dict(report.user_properties).get("verdict")
    if report.when == "call" and isinstance(verdict, str):
        return WORDS[verdict]
    return None
