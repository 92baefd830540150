"""The evidence report as text: what it says, in which order, and what it never lets through."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from scanproof.report import picture, tables, text, trouble
from scanproof.report.html import render
from scanproof.report.verdicts import VERDICTS, worst
from selftests.sample_run import sample_run
from selftests.sample_tickets import stopped

Record = dict[str, Any]
VOID = {"meta", "link", "br", "hr", "img", "input", "line", "use", "path", "rect", "circle"}
HOSTILE = '<script>alert(1)</script>"\'>=HYPERLINK("http://x.example")\x1b[31m\u202egnp.exe\u2066' + "W" * 7_000


class Page(HTMLParser):
    """A parsed report: its text, its ids and its attributes; it objects to tags that don't match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data)


@pytest.fixture(scope="module")
def sample() -> tuple[Record, dict[str, Record]]:
    return sample_run()


@pytest.fixture(scope="module")
def page(sample: tuple[Record, dict[str, Record]]) -> Page:
    return Page(render(*sample))


def test_sample_has_every_verdict(sample: tuple[Record, dict[str, Record]]) -> None:
    assert set(sample[0]["counts"]) == set(VERDICTS)


def test_says_first_what_a_supervisor_needs(page: Page, sample: tuple[Record, dict[str, Record]]) -> None:
    run = sample[0]
    top = page.text[: page.text.index("What the words mean")]
    for part in (
        "NOT READY",
        *run["signoff"]["reasons"],
        "Northfield General Hospital",
        "REQ-104217",
        "A. Engineer",
        "2026-11-23 14:03:08 UTC",
        "2026-11-16 05:00:00 UTC (written as 2026-11-16 06:00+01:00)",
        "10.20.91.10",
        "Scanproof 0.1.0",
        run["inventory_sha256"],
        "--no-send",
        "2 deselected",
    ):
        assert part in top
    for word, number in run["counts"].items():
        assert f"{number} {word}" in top


def test_sections_come_in_order(page: Page) -> None:
    sections = [one for one in page.ids if one in {"work", "picture", "grid", "cases", "outside", "words"}]
    assert sections == ["work", "picture", "grid", "cases", "outside", "words"]


def test_every_case_and_every_transcript_is_there(page: Page, sample: tuple[Record, dict[str, Record]]) -> None:
    run, evidence = sample
    for case in run["cases"]:
        assert text.anchor("c", case["id"]) in page.ids
        assert case["id"] in page.text
    for record in evidence.values():
        for entry in record["transcript"]:
            for line in entry["text"].splitlines():
                assert f"{entry['way']} {line}" in page.text


def test_links_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    targets = [value for tag, name, value in page.attributes if name == "href"]
    assert targets
    assert all(target.startswith("#") and target[1:] in page.ids for target in targets)


def test_page_loads_nothing_and_admits_only_its_own_style_and_script(sample: tuple[Record, dict[str, Record]]) -> None:
    html = render(*sample)
    page = Page(html)
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(own.encode()).digest()).decode() in policy
        assert "url(" not in own
        assert "@import" not in own
    assert not {name for _, name, _ in page.attributes} & {"src", "srcset", "style", "action", "onload", "onclick"}
    assert page.tags.count("script") == 1


def test_hostile_text_is_only_text() -> None:
    run, evidence = sample_run(8)
    for case in run["cases"]:
        for key in ("id", "sentence", "expected", "observed", "remedy", "vantage", "grade"):
            case[key] += HOSTILE
        case["subject"]["label"] += HOSTILE
    for part in (run["site"], run["suite"]):
        for key, value in part.items():
            part[key] = value + HOSTILE if isinstance(value, str) else value
    for subnet in run["layout"]["subnets"]:
        subnet["label"] += HOSTILE
        for copier in subnet["copiers"]:
            copier["label"] += HOSTILE
            copier["location"] += HOSTILE
    run["cases"][0]["verdict"] = HOSTILE
    run["requirements"][0]["id"] += HOSTILE
    run["causes"][0] |= dict.fromkeys(("title", "layer", "owner", "remedy"), HOSTILE)
    for record in evidence.values():
        record["facts"] |= {HOSTILE: [HOSTILE, {HOSTILE: "\ud800"}]}
        record["kind"] = record["reason"] = record["vantage"] = HOSTILE
        record["transcript"].append({"at_ms": 1, "way": HOSTILE, "text": HOSTILE})
    html = render(run, evidence)
    html.encode("utf-8")
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "<script>alert" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", one) for one in page.ids)
    assert "W" * 6_001 not in html


def test_like_cases_are_one_line(sample: tuple[Record, dict[str, Record]]) -> None:
    run = sample[0]
    found = trouble.of(run)
    pings = [group for group in found.unproven if group.cases[0]["requirement"] == "NET-1"]
    assert [len(group.cases) for group in pings] == [26]
    coverage = [group for group in found.unproven if group.cases[0]["requirement"] == "COV-2"]
    assert [group.title for group in coverage] == ["no mail of it or of its model in its subnet has been seen"]
    assert found.blocked[0].title == "Blocked by DEV-1 (the admin login of copier {} works)"


def test_what_a_cause_explains_stands_with_it_alone(sample: tuple[Record, dict[str, Record]]) -> None:
    found = trouble.of(sample[0])
    told = [case["id"] for it in found.causes for group in (*it.groups, *it.follows) for case in group.cases]
    assert sorted(told) == sorted(case["id"] for it in found.causes for case in it.explains)
    apart = (*found.failed, *found.blocked, *found.advice, *found.unproven, *found.waived)
    assert not {case["id"] for group in apart for case in group.cases} & set(told)
    assert any(group.title == "Could not be tried for it" for it in found.causes for group in it.follows)


def test_a_failure_stands_once_with_its_cause_or_alone(sample: tuple[Record, dict[str, Record]]) -> None:
    found = trouble.of(sample[0])
    told = [case["id"] for cause in found.causes for group in cause.groups for case in group.cases]
    told += [case["id"] for group in found.failed for case in group.cases]
    wrong = [case["id"] for case in sample[0]["cases"] if case["verdict"] in {"failed", "error"}]
    assert sorted(told) == sorted(wrong)


def test_a_name_inside_another_address_is_left_alone() -> None:
    run, _ = sample_run(4)
    case = run["cases"][0]
    case["subject"] = {"kind": "copier", "name": "10.20.90.1", "label": "10.20.90.1"}
    case["observed"] = "10.20.90.1 answers, 10.20.90.11 and 110.20.90.1 don't"
    run["cases"] = [case, {**case, "id": "other", "subject": {**case["subject"], "name": "10.20.90.1"}}]
    run["causes"] = []
    case["verdict"] = run["cases"][1]["verdict"] = "failed"
    assert trouble.of(run).failed[0].observed == "it answers, 10.20.90.11 and 110.20.90.1 don't"


def test_a_simulated_site_says_so(sample: tuple[Record, dict[str, Record]]) -> None:
    run, evidence = copy.deepcopy(sample[0]), sample[1]
    assert "proves nothing about a real site" in Page(render(run, evidence)).text
    for vantage in run["vantages"]:
        vantage["lab"] = None
    assert "simulated" not in Page(render(run, evidence)).text


@pytest.mark.parametrize(
    ("ready", "finished", "headline"),
    [(True, "2026-11-23T14:03:21Z", "READY"), (True, None, "NOT READY"), (False, "2026-11-23T14:03:21Z", "NOT READY")],
)
def test_headline(sample: tuple[Record, dict[str, Record]], ready: bool, finished: str | None, headline: str) -> None:  # noqa: FBT001
    run = {**sample[0], "signoff": {"ready": ready, "reasons": []}, "finished": finished}
    html = render(run, sample[1])
    assert re.search(r"<title>(NOT READY|READY) ", html)[1] == headline  # type: ignore[index]
    assert ("interrupted before it had judged everything" in html) is (finished is None)


def test_counts_that_disagree_with_the_cases_are_said(sample: tuple[Record, dict[str, Record]]) -> None:
    run = {**sample[0], "counts": {**sample[0]["counts"], "failed": 0}}
    assert "run.json counts failed differently" in render(run, sample[1])


def test_waivers_are_said(page: Page) -> None:
    assert "the dealer's visit is booked (B. Facility, until 2027-01-31)" in page.text
    assert "expired: counts for nothing" in page.text  # on the page to sign; the run's own notes say it too


def test_what_got_lost_is_said(page: Page) -> None:
    assert "1 expected case was not judged: NET-1 of 3108RB99999" in page.text


def test_missing_evidence_is_said(sample: tuple[Record, dict[str, Record]]) -> None:
    assert "but is not in evidence.jsonl" in render(sample[0], {})


@pytest.mark.parametrize("run", [{}, {"cases": [], "coverage": {}, "finished": None}])
def test_a_run_of_nothing_proves_nothing(run: Record) -> None:
    page = Page(render(run, {}))
    assert "NOT READY" in page.text
    assert "No case was judged, so nothing is proven" in page.text


def test_thousands_of_copiers() -> None:
    run, evidence = sample_run(500)
    assert len(run["cases"]) > 5_000
    page = Page(render(run, evidence))
    assert f"This run has {len(run['cases']):,} cases" in page.text
    held = [case for case in run["cases"] if case["verdict"] == "passed"]
    rest = [case for case in run["cases"] if case["verdict"] != "passed"]
    ids = set(page.ids)
    assert not any(text.anchor("c", case["id"]) in ids for case in held)
    assert all(text.anchor("c", case["id"]) in ids for case in rest)
    targets = {value[1:] for _, name, value in page.attributes if name == "href"}
    assert targets <= ids


def test_is_made_quickly(sample: tuple[Record, dict[str, Record]]) -> None:
    render(*sample)  # compiles the templates
    took = []
    for _ in range(5):
        start = time.process_time()  # what the machine does besides is not the report's doing
        render(*sample)
        took.append(time.process_time() - start)
    assert min(took) < 0.15


def test_picture_tells_each_way_out(sample: tuple[Record, dict[str, Record]]) -> None:
    grid, _ = tables.of(sample[0])
    drawn = picture.of(sample[0], {row.key: row.worst for row in grid.rows})
    states = {box.title[:4]: [line.state for line in box.lines] for box in drawn.boxes}
    assert states == {
        "Main": ["passed", "passed"],
        "Surg": ["passed", "failed"],
        "Outp": ["unproven", "unproven"],
        "Labo": ["failed", "passed"],
    }
    assert "smtp.office365.com:587 failed (not used here)" in drawn.words[3]
    assert len({(mark.x, mark.y) for box in drawn.boxes for mark in box.marks}) == 26
    lowest = max(box.y + box.height for box in drawn.boxes)
    assert all(
        box.y + 50 <= mark.y and mark.y + box.mark <= box.y + box.height for box in drawn.boxes for mark in box.marks
    )
    assert lowest < drawn.height


def test_grid_puts_every_case_in_one_cell(sample: tuple[Record, dict[str, Record]]) -> None:
    grid, others = tables.of(sample[0])
    cells = [
        case["id"] for table in (grid, *others) for row in table.rows for cell in row.cells.values() for case in cell
    ]
    assert sorted(cells) == sorted(case["id"] for case in sample[0]["cases"])
    assert [table.title for table in others] == ["Row", "Subnet", "Domain", "Sender", "Tenant"]


def test_worst() -> None:
    assert worst(["passed", "unproven", "failed", "error"]) == "failed"
    assert worst(["passed", "waived"]) == "waived"
    assert worst([]) is None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-11-23T14:03:08.120Z", "2026-11-23 14:03:08 UTC"),
        ("2026-11-16T06:00:00+01:00", "2026-11-16 05:00:00 UTC (written as 2026-11-16 06:00+01:00)"),
        ("2026-11-16T06:00:00", "2026-11-16 06:00:00 (zone not stated)"),
        ("yesterday", "yesterday"),
        (None, ""),
    ],
)
def test_moment(written: str | None, shown: str) -> None:
    assert text.moment(written) == shown


def test_clean_keeps_what_a_reader_needs() -> None:
    kept = "Ward 3 \u2013 Büro\t№ 4\n\u05e9\u05dc\u05d5\u05dd"  # a dash, and Hebrew, which needs no override
    assert text.clean(kept) == kept
    assert text.clean("a\r\nb\x00\x9b\u202e\u200b\ufeffc\u2028d") == "a\nbcd"


@pytest.mark.parametrize(
    ("by_log", "said"),
    [
        (True, ("likely stops one copier", "egress , likely", "egress: failed, by its own log")),
        (False, ("puts one copier at risk", "at risk , mail may go to Junk", "accepted: at risk", "1 at risk")),
    ],
)
def test_causes_and_chains_say_what_is_stopped_and_what_is_at_risk(*, by_log: bool, said: tuple[str, ...]) -> None:
    run = stopped(by_log=by_log)
    page, label = render(run, {}), run["copiers"][0]["label"]
    told = Page(page).text
    for words in said:
        assert words in told or f'title="{words}"' in page
    assert f"{'Stops' if by_log else 'At risk'} {label}" in told or label in told[: told.index("Each copier's chain")]
