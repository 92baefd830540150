"""What changed between two runs: each class, identity that outlives moved rows, the command, damaged files."""

from __future__ import annotations

import copy
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import compare, ran
from scanproof.judged import VERDICTS
from scanproof.report.html import render
from selftests.sample_run import sample_run
from selftests.test_report import HOSTILE, Page
from selftests.test_run_cli import scanproof
from selftests.test_run_healthy import no_traceback

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]
ABSENT = ""


def case(requirement: str, name: str, verdict: str, **more: Any) -> Record:
    subject = {"kind": "copier", "name": name, "label": more.pop("label", name), "address": more.pop("address", "")}
    return {
        "id": f"tests/test_x.py::test[{name}]",
        "requirement": requirement,
        "level": more.pop("level", "blocker"),
        "sentence": f"{requirement} holds for {name}",
        "subject": subject,
        "verdict": verdict,
        "observed": f"it was seen as {verdict}",
        "remedy": "",
        **more,
    }


def run(*cases: Record, **more: Any) -> Record:
    return {
        "schema": 1,
        "site": {"name": "hospital", "lab": False},
        "started": "2026-11-23T08:00:00Z",
        "finished": "2026-11-23T08:01:00Z",
        "suite": {"version": "0.1.0"},
        "coverage": {"deselected": 0, "missing": [], "not_applicable": []},
        "signoff": {"ready": False, "reasons": []},
        "requirements": [],
        "cases": list(cases),
        **more,
    }


def changed(before: Record, now: Record) -> compare.Comparison:
    return compare.compare(ran.of_content(before, "before"), ran.of_content(now, "now"))


def told(made: compare.Comparison) -> dict[str, list[tuple[str, str, str]]]:
    names = [name for name, _, _ in compare.CLASSES]
    found = {name: [(it["subject"], it["before"], it["now"]) for it in getattr(made, name)] for name in names}
    return {name: entries for name, entries in found.items() if entries}


def write(folder: Path, content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "run.json").write_text(text, encoding="utf-8")
    return folder


FAILS = ("failed", "advice")
OPEN = ("blocked", "unproven", "error")


def class_of(before: str, now: str) -> str | None:
    """The table of docs/run.md, in other words than the module's."""
    if now in FAILS:
        return "still" if before in FAILS else "new"
    if now == "waived":
        return "new" if before in ("passed", ABSENT) else "still"
    if now == "passed":
        known: dict[str, str | None] = {"passed": None, ABSENT: None, "unproven": "proven", "error": "proven"}
        return known.get(before, "fixed")
    return "lost" if before in ("passed", "waived", *FAILS) else None


@pytest.mark.parametrize(("before", "now"), list(product((*VERDICTS, ABSENT), repeat=2)))
def test_every_pair_of_verdicts_has_its_class(before: str, now: str) -> None:
    pair = [run(*([case("DEV-2", "S1", verdict)] if verdict else [])) for verdict in (before, now)]
    made = changed(*pair)
    assert list(told(made)) == [name for name in (class_of(before, now),) if name]
    worse = now in FAILS and before not in FAILS
    worse |= before == "passed" and now in OPEN
    assert bool(made.worse) == worse
    assert made.open == (before in (*OPEN, ABSENT) and now in OPEN)
    # Nothing that passed is passed over in silence when it no longer does.
    assert before != "passed" or now == "passed" or told(made)


def test_a_waiver_that_was_added_breaks_nothing() -> None:
    """What was blocked by the waived thing is waived with it, and is not told as new."""
    before = run(case("SMTP-1", "s", "failed"), case("SMTP-2", "s", "blocked"), case("DLV-1", "s", "unproven"))
    now = run(*(case(name, "s", "waived") for name in ("SMTP-1", "SMTP-2", "DLV-1")))
    made = changed(before, now)
    assert told(made) == {"still": [("s", word, "waived") for word in ("failed", "blocked", "unproven")]}
    assert "still failing (3): did not hold or was not shown to before, and does not hold now" in compare.lines(made)
    assert not made.worse


def test_causes_that_are_gone_are_named_where_all_that_they_explained_holds() -> None:
    causes = [{"id": name, "title": f"It is {name}"} for name in ("settled", "lost", "half", "there")]
    before = run(
        case("A-1", "S1", "failed", cause="settled"),
        case("A-2", "S1", "blocked", cause="settled"),
        case("A-3", "S1", "failed", cause="lost"),
        case("A-4", "S1", "failed", cause="half"),
        case("A-5", "S1", "blocked", cause="half"),
        case("A-6", "S1", "failed", cause="there"),
        causes=causes,
    )
    now = run(
        *(case(name, "S1", "passed") for name in ("A-1", "A-2", "A-4", "A-6")),
        case("A-5", "S1", "unproven"),
        case("A-7", "S1", "failed", cause="there"),
        causes=causes[3:],
    )
    assert changed(before, now).as_json()["causes_gone"] == ["It is settled"]


def test_rows_that_moved_are_the_same_cases() -> None:
    before = run(
        case("DEV-2", "S1", "passed", address="10.0.0.1"),
        case("DEV-2", "S1+row7", "failed", address="10.0.0.2"),
        case("DEV-2", "S1+row9", "passed", address="10.0.0.3"),
        case("DEV-2", "S2", "passed", address="10.0.0.4"),
        case("INV-1", "row12", "failed", label="row 12 (Cellar)"),
    )
    now = run(
        case("INV-1", "row15", "failed", label="row 15 (Cellar)"),
        case("DEV-2", "S2", "passed", address="10.0.0.99"),
        case("DEV-2", "S1", "failed", address="10.0.0.2"),
        case("DEV-2", "S1+row8", "passed", address="10.0.0.1"),
        case("DEV-2", "S1+row10", "passed", address="10.0.0.3"),
    )
    made = changed(before, now)
    assert {name: sorted(entries) for name, entries in told(made).items()} == {
        "still": [("S1", "failed", "failed"), ("row15", "failed", "failed")]
    }
    assert not made.worse


def test_doubled_rows_without_an_address_go_by_their_order() -> None:
    before = run(case("INV-1", "S1", "passed"), case("INV-1", "S1+row4", "failed"))
    now = run(case("INV-1", "S1", "passed"), case("INV-1", "S1+row6", "failed"))
    assert told(changed(before, now)) == {"still": [("S1+row6", "failed", "failed")]}


def test_a_row_that_has_its_number_alone_is_not_taken_for_another() -> None:
    before = run(case("INV-1", "row4", "failed", label="row 4 (Cellar)"))
    now = run(case("INV-1", "row9", "failed", label="row 9 (Attic)"))
    made = changed(before, now)
    assert told(made) == {"new": [("row9", compare.NONE_BEFORE, "failed")], "lost": [("row4", "failed", "no case")]}
    assert made.worse


def test_addresses_that_end_like_a_doubled_key_are_left_alone() -> None:
    before = run(
        case("SMTP-1", "scan+row3@hospital.example", "passed"), case("SMTP-1", "scan@hospital.example", "failed")
    )
    now = run(case("SMTP-1", "scan@hospital.example", "failed"), case("SMTP-1", "scan+row3@hospital.example", "passed"))
    assert told(changed(before, now)) == {"still": [("scan@hospital.example", "failed", "failed")]}


def test_a_case_that_is_gone_is_named_with_its_reason() -> None:
    before = run(*(case("DEV-2", name, "passed") for name in ("S1", "S2", "S3")))
    coverage = {
        "deselected": 0,
        "missing": [["DEV-2", "S1"]],
        "not_applicable": [{"requirement": "DEV-2", "subject": "S2", "reason": "returned (B. Facility, 2026-11-12)"}],
    }
    made = changed(before, run(coverage=coverage))
    seen = {it["subject"]: it["observed"] for it in made.lost}
    assert "missing" in seen["S1"]
    assert "returned (B. Facility" in seen["S2"]
    assert "no longer on the list" in seen["S3"]
    assert [it["subject"] for it in made.worse] == ["S1"]


def test_what_a_reader_must_know_of_the_two_runs_is_said() -> None:
    late = run(started="2026-11-24T08:00:00Z")
    older = run(suite={"version": "0.0.9"}, finished=None, requirements=[{"id": "DEV-1"}])
    older["coverage"]["deselected"] = 7
    newer = copy.deepcopy(late) | {"requirements": [{"id": "DEV-1"}, {"id": "DEV-9"}]}
    notes = " ".join(changed(older, newer).notes)
    for words in ("0.0.9", "0.1.0", "DEV-9", "cut short", "7 cases were left out"):
        assert words in notes
    assert "backwards" not in notes
    assert "goes backwards in time" in " ".join(changed(late, run()).notes)
    assert changed(run(), run()).notes == []


def test_two_sites_are_refused() -> None:
    other = run(site={"name": "school", "lab": False})
    simulated = run(site={"name": "hospital", "lab": True})
    for second, words in ((other, "'school'"), (simulated, "the simulated site 'hospital'")):
        with pytest.raises(ran.RanError, match="only runs of one site") as refused:
            changed(run(), second)
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


BAD = {
    "empty": ("", "is damaged: no JSON"),
    "cut": (json.dumps(run(case("DEV-2", "S1", "passed")))[:-40], "is damaged: no JSON"),
    "bytes": ("\ud800", "is damaged: no JSON"),
    "deep": ("[" * 200_000, "is damaged: no JSON"),
    "digits": ('{"schema": ' + "9" * 6_000 + "}", "is damaged: no JSON"),
    "list": ("[]", "is no run of Scanproof"),
    "foreign": ('{"name": "x", "version": 3}', "is no run of Scanproof"),
    "schema": (run(schema=2), "is of schema 2, and this version reads schema 1"),
    "site": (run(site=[]), "its site is no table"),
    "nameless": (run(site={"name": 3}), "its site has no name"),
    "cases": (run(cases={"a": 1}), "its cases are no list"),
    "case": (run(cases=["x"]), "case 1 has no requirement and subject"),
    "subject": (
        run(case("DEV-2", "S1", "passed"), {"requirement": "DEV-2", "subject": {}}),
        "case 2 has no requirement",
    ),
    "verdict": (run(case("DEV-2", "S1", "splendid")), "case 1 has no verdict that this version knows"),
    "coverage": (run(coverage=3), "its coverage is no table"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_or_foreign_file_is_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    if name == "bytes":
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad/run.json").write_bytes(b"\xff\xfe\x00\xd8{")
    else:
        write(tmp_path / "bad", content)
    with pytest.raises(ran.RanError) as refused:
        ran.read(tmp_path / "bad")
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'bad' / 'run.json'}: ")
    assert words in said
    assert len(said.splitlines()) == 1


def test_hostile_parts_that_are_not_compared_are_no_trouble() -> None:
    strange = run(
        case("DEV-2", "S1", "passed", label=None, gathered=[], address=7),
        coverage={"missing": [3, ["a"], [None, {}]], "not_applicable": [1, {"requirement": 3}], "deselected": "many"},
        requirements=[1, {"id": []}],
        started=12,
        finished=[],
        suite={"version": 1e400},
    )
    made = changed(run(case("DEV-2", "S1", "failed")), strange)
    assert told(made) == {"fixed": [("S1", "failed", "passed")]}
    json.dumps(made.as_json())


def test_hostile_words_are_only_words() -> None:
    bad = "DEV-2 \x1b[2J\u202e\nREADY: every blocker is proven"
    made = changed(run(), run(case("DEV-2", "S1", "failed", sentence=bad, observed=bad, label=bad)))
    for line in compare.lines(made):
        assert "\x1b" not in line
        assert "\u202e" not in line
        assert not line.startswith("READY")


def test_like_changes_are_one_line_and_long_classes_are_cut() -> None:
    before = run(*(case("NET-4", f"S{number}", "passed") for number in range(200)))
    now = run(*(case("NET-4", f"S{number}", "failed") for number in range(200)))
    made = changed(before, now)
    said = list(compare.lines(made))
    assert len(said) == 4
    assert "(and 199 more): passed → failed" in said[1]
    apart = run(*(case("NET-4", f"S{number}", "failed", observed=f"seen {number}") for number in range(200)))
    cut = list(compare.lines(changed(before, apart), 40))
    assert len(cut) == 43
    assert "more lines" in cut[-2]


def test_command_tells_and_its_status_decides(tmp_path: Path) -> None:
    a = write(tmp_path / "a", run(case("DEV-2", "S1", "failed"), case("DEV-3", "S1", "passed")))
    b = write(tmp_path / "b", run(case("DEV-2", "S1", "passed"), case("DEV-3", "S1", "passed")))
    c = write(tmp_path / "c", run(case("DEV-2", "S1", "passed"), case("DEV-3", "S1", "unproven")))
    better = scanproof(tmp_path, "compare", "a", "b")
    assert better.status == 0, better.output
    better.shows("fixed (1)", "DEV-2 DEV-2 holds for S1: failed → passed", "Nothing got worse since a")
    worse = scanproof(tmp_path, "compare", str(b), str(c / "run.json"))
    assert worse.status == 1
    worse.shows("no longer judged (1)", "passed → unproven", "WORSE than b in 1 case")
    assert scanproof(tmp_path, "compare", str(a), str(a)).status == 0
    data = scanproof(tmp_path, "compare", "--json", str(b), str(a))
    assert data.status == 1
    found = json.loads(data.output)
    assert found["worse"] is True
    entry = found["new"][0]
    names = {"requirement", "subject", "label", "sentence", "before", "now", "observed"}
    assert names <= set(entry)
    assert (found["run"], entry["before"], entry["now"]) == ("b", "passed", "failed")


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("nosuch", "nosuch: is not there"),
        ("empty", "holds no run.json"),
        ("damaged", "is damaged: no JSON"),
        ("school", "only runs of one site can be compared"),
    ],
)
def test_command_refuses_what_is_no_run_in_one_line(tmp_path: Path, second: str, words: str) -> None:
    write(tmp_path / "a", run())
    (tmp_path / "empty").mkdir()
    write(tmp_path / "damaged", '{"schema": 1, "cases": [')
    write(tmp_path / "school", run(site={"name": "school"}))
    refused = scanproof(tmp_path, "compare", "a", second)
    assert refused.status == 4
    assert len(refused.output.strip().splitlines()) == 1
    refused.shows(words)
    no_traceback(refused)


def test_report_tells_what_changed() -> None:
    content, evidence = sample_run()
    before = copy.deepcopy(content)
    for number, one in enumerate(before["cases"]):
        one["verdict"] = ("passed", "failed", "unproven")[number % 3]
    made = changed(before | {"site": {"name": "demo"}}, content | {"site": {**content["site"], "lab": False}})
    page = Page(render(content | {"baseline": made.as_json()}, evidence))
    assert "baseline" in page.ids
    assert "What changed since “before”" in page.text
    assert "Something got worse since" in page.text
    for name, word, _ in compare.CLASSES:
        assert f"{len(getattr(made, name))} {word}" in page.text
    links = {value for tag, name, value in page.attributes if tag == "a" and name == "href" and value.startswith("#")}
    assert {link[1:] for link in links} <= set(page.ids)
    assert "baseline" not in Page(render(content, evidence)).ids


def test_report_of_a_hostile_baseline_is_only_text() -> None:
    content, evidence = sample_run()
    made = changed(run(site={"name": "demo"}), content | {"site": {"name": "demo"}}).as_json()
    for entries in (made[name] for name, _, _ in compare.CLASSES):
        for it in entries:
            it |= {"label": HOSTILE, "sentence": HOSTILE, "observed": HOSTILE, "before": HOSTILE}
    made |= {"run": HOSTILE, "notes": [HOSTILE]}
    html = render(content | {"baseline": made}, evidence)
    assert "<script>alert" not in html
    assert "\x1b" not in html
    Page(html)
