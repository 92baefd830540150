"""The evidence report in a real browser: widths, schemes, paper, without scripts, and against hostile text."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.report.html import render
from scanproof.report.verdicts import VERDICTS
from selftests.sample_run import sample_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason="needs chromium on the path")]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# The contrast of each element's own text with what is painted behind it (WCAG 2.2, relative luminance).
CONTRAST = """(selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility())
  .map((element) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  let behind = element, paint;
  do {
    paint = numbers(getComputedStyle(behind).backgroundColor);
    behind = behind.parentElement;
  } while (behind && paint[3] === 0);
  const pair = [light(numbers(getComputedStyle(element).color)), light(paint)].sort((a, b) => b - a);
  return (pair[0] + .05) / (pair[1] + .05);
})"""
HOSTILE = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>\x1b[2J\u202e" + "W" * 3_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(*sample_run()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, evidence = sample_run(8)
    for case in run["cases"]:
        for key in ("sentence", "expected", "observed", "remedy", "vantage", "id"):
            case[key] += HOSTILE
    for subnet in run["layout"]["subnets"]:
        subnet["label"] += HOSTILE
        for copier in subnet["copiers"]:
            copier["location"] += HOSTILE
    run["site"] = {key: HOSTILE if isinstance(value, str) else value for key, value in run["site"].items()}
    run["signoff"]["reasons"].append(HOSTILE)
    run["causes"][0] |= {"title": HOSTILE, "subjects": [HOSTILE] * 30}
    for record in evidence.values():
        record["facts"][HOSTILE] = HOSTILE
        record["transcript"].append({"at_ms": 1, "way": "<-", "text": HOSTILE})
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_text(render(run, evidence), encoding="utf-8")
    return path


def opened(browser: Any, path: Path, **context: Any) -> Any:
    """Open a report and record what its page asks for and complains of, as ``page.asked`` and ``page.said``."""
    page = browser.new_context(**context).new_page()
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_page_never_scrolls_sideways(browser: Any, request: pytest.FixtureRequest, width: int, which: str) -> None:
    page = opened(browser, request.getfixturevalue(which), viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        """(width) => [...document.querySelectorAll('body *')]
      .filter((e) => !e.closest('.scroll') && !e.closest('.skip') && e.getBoundingClientRect().right > width + 1)
      .map((e) => e.outerHTML.slice(0, 80))""",
        width,
    )
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_legible(browser: Any, report: Path, scheme: str) -> None:
    page = opened(browser, report, color_scheme=scheme, viewport={"width": 1280, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for word in VERDICTS:
        for kind in ("badge", "mark"):
            ratios = page.evaluate(CONTRAST, f".{kind}.v-{word}")
            assert ratios, f"no {kind} {word}"
            assert min(ratios) >= 4.5, f"{kind} {word}"
    for selector in (
        ".muted",
        ".meta",
        ".headline",
        "dt",
        "dd",
        "a",
        "p",
        "li",
        ".transcript div",
        ".transcript i",
        "th",
    ):
        assert min(page.evaluate(CONTRAST, selector)) >= 4.5, selector


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_page_asks_for_nothing_and_runs_only_its_own(browser: Any, request: pytest.FixtureRequest, which: str) -> None:
    path = request.getfixturevalue(which)
    page = opened(browser, path)
    page.wait_for_timeout(200)
    assert page.asked == [path.as_uri()]
    assert page.said == []
    assert page.evaluate("window.owned === undefined")
    assert page.locator("#tools input[type=search]").is_visible()  # its own script did run


def test_policy_stops_a_script_that_gets_in(browser: Any, report: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    inserted = "<script>window.owned = 1</script><img src='http://127.0.0.1:9/x' onerror='window.owned = 1'></body>"
    broken.write_text(report.read_text(encoding="utf-8").replace("</body>", inserted), encoding="utf-8")
    page = opened(browser, broken)
    page.wait_for_timeout(200)
    assert page.evaluate("window.owned === undefined")
    assert any("Content Security Policy" in line for line in page.said)


def test_reads_without_scripts(browser: Any, report: Path) -> None:
    page = opened(browser, report, java_script_enabled=False)
    run, _ = sample_run()
    assert page.locator(".headline").is_visible()
    assert not page.locator("#tools").is_visible()
    failed = next(case for case in run["cases"] if case["requirement"] == "SMTP-1" and case["verdict"] == "failed")
    page.locator("#work").get_by_role("link", name=failed["sentence"]).first.click()
    case = page.locator("#r-SMTP-1 details.case").first
    case.locator("summary").click()
    assert case.get_by_text("535 5.7.139").last.is_visible()


def test_links_open_their_case(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    page.locator("#grid .mark.v-passed[href]").first.click()
    target = page.evaluate("location.hash.slice(1)")
    sync_api.expect(page.locator(f"#{target} > .body")).to_be_visible()


def test_filter(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    page.fill("#tools input[type=search]", "5.7.139")
    sync_api.expect(page.locator("#tools output")).to_contain_text(re.compile("^1 of"))
    assert page.locator("details.case:visible").count() == 1
    page.fill("#tools input[type=search]", "")
    for word in VERDICTS:
        if word != "error":
            page.locator("#tools label", has_text=word).locator("input").uncheck()
    sync_api.expect(page.locator("#tools output")).to_contain_text(re.compile("^1 of"))


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs pdftotext (poppler-utils)")
@pytest.mark.parametrize("scripts", [True, False])
def test_paper_holds_every_case_and_transcript(browser: Any, report: Path, tmp_path: Path, scripts: bool) -> None:  # noqa: FBT001
    page = opened(browser, report, java_script_enabled=scripts, color_scheme="dark")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    subprocess.run(["pdftotext", "-raw", tmp_path / "report.pdf", tmp_path / "report.txt"], check=True)
    printed = "".join((tmp_path / "report.txt").read_text(encoding="utf-8").split())
    run, evidence = sample_run()
    for case in run["cases"]:
        assert "".join(case["id"].split()) in printed
    for record in evidence.values():
        for entry in record["transcript"]:
            for line in entry["text"].splitlines():
                assert "".join(f"{entry['way']}{line}".split()) in printed


def test_picture_has_a_text_alternative(browser: Any, report: Path) -> None:
    page = opened(browser, report)
    picture = page.get_by_role("img", name="The site's subnets, their copiers")
    assert picture.is_visible()
    assert "Laboratory (10.20.93.0/24): 6 copiers" in page.locator("#pic-desc").text_content()
