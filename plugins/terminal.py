"""What a person reads in the terminal at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugins import run as runs
from scanproof import __version__, ages, compare
from scanproof.redact import plain, scrub
from scanproof.report import prose

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugins.run import Run
    from scanproof.judged import Case

MOST = 40  # lines a section may have; the report holds all


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is judged, by which version."""
    run = runs.of(config)
    if run is None:
        return []
    site = run.site
    fleet = f"{len(site.copiers)} copiers in scope on {len(site.subnets)} subnets"
    lines = [f"scanproof {__version__}: site {site.name}, {site.table.file} with {len(site.table.rows)} rows, {fleet}"]
    if run.runs:
        lines.append(f"judging recorded evidence: {', '.join(folder.name for folder in run.runs)}")
    return [scrub(plain(line)) for line in lines]


def pytest_runtestloop(session: pytest.Session) -> None:
    """Leave out pytest's own list of failures: the sections below say the same, and the remedy."""
    option = session.config.option
    if runs.of(session.config) and option.tbstyle == "line" and not session.testsfailed:
        option.tbstyle = "no"
        reporter: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and option.reportchars == "fE":  # pytest's default: nobody asked for more
            reporter.reportchars = ""


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, object, object]:
    """Say what did not hold, then why, whether the site is ready, and where the report is: the last stays on screen."""
    result = yield
    run = runs.of(config)
    if run is not None and run.judged is not None:
        _sections(terminalreporter, run)
    return result


def _sections(terminalreporter: pytest.TerminalReporter, run: Run) -> None:
    assert run.judged is not None
    for verdict, title in (
        ("unproven", "not proven"),
        ("blocked", "could not be tried"),
        ("waived", "does not hold, and is waived"),
        ("advice", "does not hold, and blocks nothing"),
        ("failed", "does not hold"),
        ("error", "the suite itself failed"),
    ):
        cases = [case for case in run.judged.cases if case.verdict == verdict]
        if cases:
            terminalreporter.section(f"{title} ({len(cases)})", sep="-")
            # What is blocked tells nothing that its cause does not tell below.
            told = [case for case in cases if verdict == "blocked" and case.cause]
            if told:
                terminalreporter.write_line(f"{counted(len(told), 'case')} for the causes below; the report lists them")
            lines = _lines([case for case in cases if case not in told])
            for line in lines[:MOST]:
                terminalreporter.write_line(_one_line(line))
            if len(lines) > MOST:
                terminalreporter.write_line(f"… and {len(lines) - MOST} more lines: the report has them all")
    if run.compared is not None:
        terminalreporter.section(f"since {run.compared.before.name}", sep="-")
        for line in compare.lines(run.compared, MOST):
            terminalreporter.write_line(_one_line(line))
    _causes(terminalreporter, run)
    _end(terminalreporter, run)


def _causes(reporter: pytest.TerminalReporter, run: Run) -> None:
    """Say why: each cause with whom it concerns, who can put it right, and how."""
    found = run.diagnosis
    if found is None or not (found.causes or found.unexplained):
        return
    reporter.section(f"causes ({len(found.causes)})", sep="-")
    if found.unexplained:
        names = ", ".join(dict.fromkeys(case.requirement for case in found.unexplained))
        reporter.write_line(f"no cause is known for {len(found.unexplained)} cases: {names}; see above")
    for cause in found.causes[:MOST]:
        named = cause.named
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        effect = prose.effect(len(cause.stops), len(cause.threatens), [case.verdict for case in cause.explains])
        stops = f"{effect}; " if effect else ""
        concerned = f" ({', '.join(named[:3])}{more})" if named else ""
        reporter.write_line(
            _one_line(f"{cause.title}{concerned}: {stops}{counted(len(cause.explains), 'case')}; for {cause.owner}")
        )
        reporter.write_line(_one_line(f"    → {cause.remedy}"))
    if len(found.causes) > MOST:
        reporter.write_line(f"… and {len(found.causes) - MOST} more causes: the report has them all")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _lines(cases: list[Case]) -> list[str]:
    """One entry for all cases that were seen alike, and for all that are unproven for the same reason."""
    alike: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        of = () if case.verdict == "unproven" else (case.requirement, case.level)
        alike.setdefault((*of, _said(case, case.observed), _said(case, case.remedy)), []).append(case)
    lines: list[str] = []
    for same in alike.values():
        first = same[0]
        serial = first.facts.get("serial", "")
        named = f" [{serial}]" if serial and serial not in first.sentence else ""  # by which -k selects it
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        others = [name for name in dict.fromkeys(case.requirement for case in same) if name != first.requirement]
        likewise = f"; likewise {', '.join(others)}" if others else ""
        lines.append(f"{first.requirement} {first.sentence}{named}{more}{likewise}{_aside(same)}")
        expected = f"expected {first.expected}; " if first.expected else ""
        by = f"blocked by {', '.join(first.blocked_by)}: " if first.blocked_by else ""
        lines.append(f"    {by}{expected}observed {first.observed or 'nothing'}")
        if first.waiver:
            lines.append(f"    waived: {first.waiver}")
        if first.remedy:
            lines.append(f"    → {first.remedy}")
    return lines


def _aside(same: list[Case]) -> str:
    """Say how many of some cases no sign-off needs, where that does not stand in their section's title."""
    free = sum(case.level == "advice" and case.verdict != "advice" for case in same)
    if not free:
        return ""
    return " [blocks nothing here]" if free == len(same) else f" [{free} of {len(same)} block nothing here]"


def _said(case: Case, words: str) -> str:
    """Return words about a case as they would stand of any other: with its own names left out."""
    for name in sorted({case.label, *case.key.split("++"), case.facts.get("address", "")}, key=len, reverse=True):
        words = words.replace(name, "it") if len(name) > 3 else words
    return words


def _end(reporter: pytest.TerminalReporter, run: Run) -> None:
    judged = run.judged
    assert judged is not None
    coverage = judged.coverage
    reporter.section("sign-off", sep="-")
    for note in run.notes:
        reporter.write_line(_one_line(note))
    reporter.write_line(
        f"coverage: {coverage.expected} expected = {coverage.judged} judged + {len(coverage.not_applicable)} not "
        f"applicable + {coverage.deselected} deselected + {len(coverage.missing)} missing"
    )
    parts = ages.told({"started": ages.zulu(run.started), "parts": ages.parts(judged.cases, run.parts)})
    if parts:
        told = ", ".join(f"{part['cases']} cases of {part['started']}" for part in parts)
        reporter.write_line(f"evidence: {told}")
    if judged.reasons:
        reporter.write_line("NOT READY", red=True, bold=True)
        for reason in judged.reasons:
            reporter.write_line(f"  {_one_line(reason)}")
    else:
        reporter.write_line("READY: every blocker is proven", green=True, bold=True)
    report = run.folder / "report.html"
    if report.is_file():
        reporter.write_line(f"report: {plain(str(report))}")
    if run.seal:
        reporter.write_line(f"seal: {run.seal} (keep it on the ticket: scanproof verify compares with it)")


def _one_line(text: str) -> str:
    """Return a text so that nothing recorded or sent can pose as a line of ours."""
    return scrub(plain(text, 1000).replace("\n", " "))
