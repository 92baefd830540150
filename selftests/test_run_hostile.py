"""Names that mean harm: the list's cells are shown as text, and do nothing anywhere."""

from __future__ import annotations

import csv
import html
import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from selftests import suite
from selftests.test_run_healthy import site_copy

NAMES = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x.example")',
    "\x1b[31mred\x1b]0;title\x07",
    "\u202ereversed\u2066",
    "L" * 10_000,
    "%s {0} {it.key} {}",
    "</textarea><img src=x onerror=alert(2)>\"'&",
    "[bold]a[/] ]]> --> \\u003c",
)
SERIAL = "S%s<b>,@é {it.key}"  # a key: it stands in node ids


@cache
def hostile() -> suite.Result:
    base = TemporaryDirectory(prefix="hostile-")
    folder = site_copy(
        Path(base.name) / "site",
        change=lambda text: re.sub(
            r"\[\[copier\]\]\n(?:.+\n)+",
            "",
            text.replace('"fleet.xlsx"', '"fleet.csv"').replace("Main building", NAMES[0]),
        ),
    )
    with (folder / "fleet.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["Location", "IP Address", "Hostname", "Make", "Model Name", "Serial"])
        for number, name in enumerate(NAMES):
            serial = SERIAL if number == 0 else f"SERIAL{number}"
            write.writerow([name, f"10.20.90.{11 + number}", f"mfp-{number}", "Ricoh", "IM C3000", serial])
        write.writerow(["Leased", "10.20.91.200", "leased", "Ricoh", "IM C3000", "3108RB00417"])
    result = suite.pytest(Path(base.name) / "run", "-v", f"--site={folder}")
    object.__setattr__(result, "kept", base)  # as long as the result
    return result


def test_the_run_is_fine() -> None:
    run = hostile()
    assert run.status == 0, run.output[-3000:]
    assert set(run.verdicts.values()) == {"passed", "unproven", "advice"}
    assert run.run["coverage"]["missing"] == []
    labels = {case["subject"]["label"] for case in run.run["cases"] if case["requirement"] == "NET-2"}
    assert any(NAMES[5] in label for label in labels), labels  # nothing was put into the braces


def test_the_terminal_is_not_told_anything() -> None:
    output = hostile().output
    for character in "\x1b\x07\u202e\u2066":
        assert character not in output
    assert max(map(len, output.splitlines())) < 2500


def test_node_ids_hold_allowed_characters_only() -> None:
    for case in hostile().run["cases"]:
        assert re.fullmatch(r"[A-Za-z0-9.:/\-_+\[\]]+", case["id"]), case["id"]
        assert len(case["id"]) < 300


def test_pages_hold_no_tag_of_the_list() -> None:
    folder = hostile().folder
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert html.escape(NAMES[0]) in report
    cases = (folder / "cases.html").read_text(encoding="utf-8")
    blob = re.search(r'data-jsonblob="([^"]*)"', cases)
    assert blob
    rows = json.dumps(json.loads(html.unescape(blob[1])), ensure_ascii=False)
    assert "&lt;script&gt;alert(1)" in rows
    for page in (report, cases, rows):
        for tag in ("<script>alert", "<img src=x", "</textarea><img", "<b>,"):
            assert tag not in page
        assert "\x1b" not in page
        assert "\u202e" not in page


def test_junit_can_be_read() -> None:
    text = (hostile().folder / "junit.xml").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "<script>" not in text


def test_it_can_be_judged_again(tmp_path: Path) -> None:
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={hostile().folder}")
    assert again.verdicts == hostile().verdicts
