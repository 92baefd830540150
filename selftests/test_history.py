"""The runs of a site over time: which of them are told, whatever else lies beside them, and the picture of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from plugins.documents import _in_lines
from scanproof import ages, history
from scanproof.report import progress
from scanproof.report.html import render
from selftests.sample_run import sample_run
from selftests.test_report import HOSTILE, Page

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]


def run(day: int, proven: int = 2, copiers: int = 3, other: Record | None = None) -> Record:
    verdicts = ["works"] * proven + ["broken"] * (copiers - proven)
    made = {
        "schema": 1,
        "site": {"name": "hospital", "lab": False},
        "coverage": {"deselected": 0, "not_applicable": [{"requirement": "X", "subject": "y", "reason": "z"}]},
        "signoff": {"ready": proven == copiers, "reasons": []},
        "cases": [{"id": "a", "verdict": "passed"}, {"id": "b", "verdict": "failed", "observed": ' "copiers": ['}],
        "copiers": [{"name": f"S{number}", "verdict": verdict} for number, verdict in enumerate(verdicts)],
        "started": f"2026-11-{day:02}T08:00:00Z",
        "finished": f"2026-11-{day:02}T08:01:00Z",
    }
    return made | (other or {})


def write(base: Path, name: str, content: Record | str | bytes, *, lines: bool = True) -> Path:
    (base / name).mkdir()
    path = base / name / "run.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_text(_in_lines(content) if lines else json.dumps(content), encoding="utf-8")
    return path


def told(base: Path, content: Record) -> list[tuple[str, int, int]]:
    return [(it["run"], it["proven"], it["copiers"]) for it in history.of(base / "now", content)]


@pytest.mark.parametrize("lines", [True, False], ids=["as written", "on one line"])
def test_earlier_runs_and_this_one_oldest_first(tmp_path: Path, lines: bool) -> None:  # noqa: FBT001
    write(tmp_path, "b", run(3, proven=1), lines=lines)
    write(tmp_path, "a", run(2, proven=0), lines=lines)
    assert told(tmp_path, run(4, proven=3)) == [("a", 0, 3), ("b", 1, 3), ("now", 3, 3)]
    entry = history.of(tmp_path / "now", run(4, proven=3))[-1]
    assert entry == {
        "run": "now",
        "started": "2026-11-04T08:00:00Z",
        "ready": True,
        "copiers": 3,
        "proven": 3,
        "whole": True,
    }


def test_other_sites_parts_and_later_runs_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "other", run(1, other={"site": {"name": "school", "lab": False}}))
    write(tmp_path, "simulated", run(1, other={"site": {"name": "hospital", "lab": True}}))
    write(tmp_path, "cut", run(1, other={"finished": None}))
    write(tmp_path, "part", run(1, other={"coverage": {"deselected": 4}}))
    write(tmp_path, "later", run(9))
    without = run(1)
    del without["copiers"]
    write(tmp_path, "unknown", without)
    write(tmp_path, "now", run(1))  # of this run itself, written before
    assert told(tmp_path, run(4)) == [("now", 2, 3)]
    del (content := run(4))["copiers"]
    assert told(tmp_path, content) == []
    part = history.of(tmp_path / "now", run(4, other={"coverage": {"deselected": 4}}))
    assert [it["whole"] for it in part] == [False]


ODD: dict[str, str | bytes | Record] = {
    "empty": "",
    "bytes": b"\xff\x00" * 50,
    "deep": "[" * 100_000,
    "list": "[1, 2]",
    "cut": _in_lines(run(2))[:200],
    "lines": ' "site": {"name": "hospital"},\n "started": [\n  {"a": 1},\n  x\n ],\n',
    "schema": run(2, other={"schema": 7}),
    "sites": run(2, other={"site": "hospital"}),
    "nowhen": run(2, other={"started": "yesterday"}),
    "copiers": run(2, other={"copiers": {"a": "works"}}),
    "names": run(2, other={"copiers": ["works", 3]}),
    "signoff": run(2, other={"signoff": []}),
    "coverage": run(2, other={"coverage": [1]}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_runs_are_passed_over(tmp_path: Path, name: str) -> None:
    write(tmp_path, "good", run(1))
    write(tmp_path, "odd", ODD[name])
    assert told(tmp_path, run(4)) == [("good", 2, 3), ("now", 2, 3)]


def test_no_more_than_the_newest_and_nothing_huge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        path = write(tmp_path, f"r{number}", run(number + 1))
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    huge = write(tmp_path, "huge", run(7))
    os.utime(huge, (900_000, 900_000))
    (tmp_path / "folder/run.json").mkdir(parents=True)
    (tmp_path / "file").touch()
    monkeypatch.setattr(history, "NEWEST", 3)
    assert [name for name, _, _ in told(tmp_path, run(9))] == ["r3", "r4", "r5", "now"]
    monkeypatch.setattr(history, "LOOKED_AT", 2)
    assert [name for name, _, _ in told(tmp_path, run(9))] == ["r4", "r5", "now"]
    monkeypatch.setattr(history, "MOST", 10)
    assert told(tmp_path, run(9)) == [("now", 2, 3)]
    assert told(tmp_path / "nowhere", run(9)) == [("now", 2, 3)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/run.json")
    assert told(tmp_path, run(4)) == [("now", 2, 3)]


def shown(*rows: tuple[int, int]) -> list[Record]:
    return [
        {
            "run": f"hospital-{number}",
            "started": f"2026-11-{number + 1:02}T08:00:00Z",
            "ready": proven == copiers,
            "copiers": copiers,
            "proven": proven,
            "whole": True,
        }
        for number, (proven, copiers) in enumerate(rows)
    ]


def test_picture_of_progress() -> None:
    content, evidence = sample_run()
    page = Page(render(content | {"history": shown((0, 20), (7, 20), (26, 26))}, evidence))
    assert "progress" in page.ids
    assert {"prog-title", "prog-desc"} <= set(page.ids)
    for words in ("3 runs.", "the chain of 0 of 20 copiers worked", "26 of 26", "7 of 20 copiers works, not ready"):
        assert words in page.text
    drawn = progress.of({"history": shown((0, 20), (7, 20), (26, 26))})
    assert drawn
    assert [bar.number for bar in drawn.bars] == ["0", "7", "26"]
    assert [bar.full for bar in drawn.bars] == sorted((bar.full for bar in drawn.bars), reverse=True)
    assert all(drawn.top <= bar.top <= bar.full <= drawn.floor for bar in drawn.bars)
    assert all(drawn.left <= bar.x and bar.x + bar.width <= drawn.right for bar in drawn.bars)
    assert [bar.ready for bar in drawn.bars] == [False, False, True]


def test_runs_of_one_day_are_told_apart() -> None:
    rows = shown((0, 20), (7, 20))
    rows[1]["started"] = rows[0]["started"].replace("T08:00", "T16:45")
    drawn = progress.of({"history": rows})
    assert drawn
    assert [bar.date for bar in drawn.bars] == ["11-01 08:00", "11-01 16:45"]
    apart = progress.of({"history": shown((0, 20), (7, 20))})
    assert apart
    assert [bar.date for bar in apart.bars] == ["2026-11-01", "2026-11-02"]


def test_nothing_is_drawn_of_one_run() -> None:
    content, evidence = sample_run()
    for rows in ([], shown((7, 20)), None):
        assert "progress" not in Page(render(content | {"history": rows}, evidence)).ids


def test_many_runs_fit_and_the_last_is_labelled() -> None:
    drawn = progress.of({"history": shown(*((number, 51) for number in range(51)))})
    assert drawn
    labelled = [bar.number for bar in drawn.bars if bar.number]
    assert labelled[-1] == "50"
    assert len(labelled) <= progress.LABELS
    assert drawn.bars[-1].x + drawn.bars[-1].width <= drawn.right


def test_hostile_history_is_only_text() -> None:
    content, evidence = sample_run()
    rows = [{**it, "run": HOSTILE, "started": HOSTILE} for it in shown((1, 2), (2, 2))]
    html = render(content | {"history": rows}, evidence)
    assert "<script>alert" not in html
    Page(html)


def beside(base: Path, name: str, began: str, *, site: str = "hospital", lab: bool = False) -> Path:
    """Make a run's folder that holds its inputs and some evidence, and no result."""
    (base / name / "inputs").mkdir(parents=True)
    told = {"started": began, "site": site, "lab": lab}
    (base / name / "inputs/run.json").write_text(json.dumps(told), encoding="utf-8")
    (base / name / "evidence.jsonl").touch()
    return base / name


def latest(base: Path) -> str | None:
    found = history.latest(base / "now", "hospital", lab=False)
    return found.name if found else None


def test_the_latest_run_is_the_one_that_began_last_in_whatever_state(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    write(tmp_path, "judged", run(1))
    assert latest(tmp_path) == "judged"
    beside(tmp_path, "killed", "2026-11-03T08:00:00+00:00")
    beside(tmp_path, "other", "2026-11-04T08:00:00+00:00", site="school")
    beside(tmp_path, "simulated", "2026-11-04T08:00:00+00:00", lab=True)
    beside(tmp_path, "now", "2026-11-04T08:00:00+00:00")
    write(tmp_path, "program", {"started": "2026-11-05T08:00:00Z"})
    os.utime(write(tmp_path, "earlier", run(2)), (4_000_000_000, 4_000_000_000))  # copied later, and began earlier
    assert latest(tmp_path) == "killed"
    (tmp_path / "killed/inputs/run.json").write_text("{", encoding="utf-8")  # tells nothing: by when it wrote
    os.utime(tmp_path / "killed/evidence.jsonl", (2_000_000_000, 2_000_000_000))
    assert latest(tmp_path) == "killed"
    os.utime(tmp_path / "killed/evidence.jsonl", (1_000_000_000, 1_000_000_000))
    os.utime(tmp_path / "killed/inputs/run.json", (1_000_000_000, 1_000_000_000))
    assert latest(tmp_path) == "earlier"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_in_the_place_of_a_run_s_inputs_holds_up_nobody(tmp_path: Path) -> None:
    folder = beside(tmp_path, "pipe", "2026-11-03T08:00:00+00:00")
    (folder / "inputs/run.json").unlink()
    os.mkfifo(folder / "inputs/run.json")
    os.mkfifo(folder / "run.json")
    assert latest(tmp_path) == "pipe"


def test_only_other_evidence_than_a_run_s_own_is_told() -> None:
    own, other = {"started": "2026-11-03T08:00:00Z", "cases": 3}, {"started": "2026-11-02T08:00:00Z", "cases": 4}
    for parts, told in (([], []), (None, []), ([own], []), ([other], [other]), ([other, own], [other, own])):
        assert ages.told({"started": own["started"], "parts": parts}) == told
