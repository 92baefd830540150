"""``cases.html``: pytest-html's table for the engineer, with our own columns and every text escaped."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from plugins import options
from plugins import run as runs
from scanproof.judged import VERDICTS
from scanproof.redact import plain

if TYPE_CHECKING:
    import pytest

MOST = 5000  # rows that a browser opens in reasonable time; above, only what did not hold is listed
_COLUMNS = ("Verdict", "Requirement", "Case", "Observed", "Remedy", "Evidence")


def pytest_configure(config: pytest.Config) -> None:
    """Ask pytest-html for its page in the run's folder; before pytest-html reads its option."""
    run = runs.of(config)
    option = config.option
    if run is None or options.looks_only(config) or option.gather_only or not hasattr(option, "htmlpath"):
        return
    option.htmlpath = option.htmlpath or str(run.folder / "cases.html")
    option.self_contained_html = True
    config.pluginmanager.register(Columns(config), "scanproof-caseshtml")


class Columns:
    """pytest-html's hooks; registered only where pytest-html is there to call them."""

    def __init__(self, config: pytest.Config) -> None:
        """Remember the run."""
        self._config = config

    def pytest_html_report_title(self, report: Any) -> None:
        """Name the page."""
        run = runs.of(self._config)
        report.title = escape(plain(f"Scanproof cases: {run.site.name}" if run else "Scanproof cases"))

    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Count the cases by our verdicts: pytest-html's own number of tests leaves out what was skipped."""
        run = runs.of(self._config)
        if run:
            counted = Counter(case.verdict for case in run.cases.values())
            shares = ", ".join(f"{counted[verdict]:,} {verdict}" for verdict in VERDICTS if counted[verdict])
            prefix.append(
                f"<p><b>{len(run.cases):,} cases: {shares}.</b> What is blocked, unproven or advice stands below as "
                "skipped, which the number of tests leaves out.</p>"
            )

    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Put our columns in place of pytest-html's, whose result column its sorting needs."""
        cells[1:] = [f"<th>{name}</th>" for name in _COLUMNS]

    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Write a case's row; none for a passed case of a very large run."""
        if report.when != "call" and report.passed:
            del cells[:]  # setting up and taking down have no rows: pytest-html would make them, and leave them out
            return
        run = runs.of(self._config)
        found = {name: str(value) for name, value in getattr(report, "user_properties", ())}
        if run and len(run.cases) > MOST and found.get("verdict") == "passed":
            del cells[:]
            return
        values = (
            found.get("verdict", report.outcome),
            f"{found.get('requirement', '')} ({found.get('level', '')})",
            found.get("sentence", report.nodeid),
            found.get("observed", ""),
            found.get("remedy", ""),
            found.get("evidence", ""),
        )
        cells[1:] = [f'<td style="overflow-wrap:anywhere">{escape(plain(value, 1000))}</td>' for value in values]

    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Write a case's words below its row, in place of a skipped report's tuple."""
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        data[:] = [escape(plain(words, 4000))]
