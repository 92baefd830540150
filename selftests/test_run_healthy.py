"""A run of the healthy demo site: what it prints, what it leaves, and that its evidence can be judged again."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from selftests import suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEMO = suite.ROOT / "inventory/demo"
VERDICTS = ("passed", "failed", "blocked", "unproven", "waived", "advice", "error")


@cache
def healthy() -> suite.Result:
    """One healthy run, shared by every selftest of this process that only looks at it."""
    base = Path(tempfile.mkdtemp(prefix="healthy-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return suite.pytest(base / "run", "-v")


def at_start(folder: Path, code: str) -> dict[str, str]:
    """Return the environment in which every Python process of a run, the lab's too, executes code as it starts."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def plugin(folder: Path, name: str, code: str) -> dict[str, str]:
    """Return the environment in which ``-p name`` loads a plugin of this code."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def run_in(environment: Mapping[str, str], folder: Path, *arguments: str) -> suite.Result:
    """Run ``pytest`` in an environment of ``at_start`` or ``plugin``."""
    return suite.pytest(folder, *arguments, deadline=suite.DEADLINE, gives_way=False, **environment)


def site_copy(folder: Path, *, more: str = "", change: Callable[[str], str] = str) -> Path:
    """Return a copy of the demo's site folder, its site file changed and added to."""
    shutil.copytree(DEMO, folder)
    path = folder / "site.toml"
    path.write_text(change(path.read_text(encoding="utf-8")) + more, encoding="utf-8")
    return folder


def said(result: suite.Result) -> dict[tuple[str, str], tuple[object, ...]]:
    """Return all that a run says of each case, apart from where its evidence came from."""
    names = ("verdict", "level", "sentence", "expected", "observed", "remedy", "grade", "vantage", "blocked_by")
    return {pair: tuple(case[name] for name in names) for pair, case in result.cases.items()}


def no_traceback(result: suite.Result) -> None:
    for sign in ("Traceback", "INTERNALERROR"):
        assert sign not in result.output, result.output[-4000:]


def test_exit_status_and_files() -> None:
    run = healthy()
    assert run.status == 0, run.output[-3000:]
    no_traceback(run)
    left = {path.name for path in run.folder.iterdir()}
    assert {"report.html", "cases.html", "run.json", "junit.xml", "evidence.jsonl", "fleet.xlsx", "inputs"} <= left
    assert not [name for name in left if name.startswith(".")]
    assert {path.name for path in (run.folder / "inputs").iterdir()} == {"site.toml", "fleet.json", "run.json"}


def test_verdict_words_are_in_the_verbose_output() -> None:
    run = healthy()
    run.shows("test_row_is_usable[3089R210142] PASSED", "test_answers_ping[3089R210142] UNPROVEN")
    run.shows("NOT READY", "EGR-4", f"report: {run.folder / 'report.html'}")
    counts = run.run["counts"]
    run.shows(*(f"{counts[verdict]} {verdict}" for verdict in ("passed", "unproven", "advice")))


def test_run_json_has_the_schema() -> None:
    run = healthy().run
    assert run["schema"] == 1
    assert run["site"]["name"] == "demo"
    for name in ("started", "finished"):
        assert run[name].endswith("Z")
        assert datetime.fromisoformat(run[name])
    assert isinstance(run["suite"]["version"], str)
    assert len(run["inventory_sha256"]) == 64
    assert run["vantages"]
    assert run["vantages"][0]["name"]
    assert isinstance(run["signoff"]["ready"], bool)
    assert run["signoff"]["ready"] == (not run["signoff"]["reasons"])
    assert isinstance(run["causes"], list)
    assert set(run["counts"]) == set(VERDICTS)
    texts = ("id", "requirement", "sentence", "expected", "observed", "grade", "vantage", "remedy")
    for case in run["cases"]:
        assert all(isinstance(case[name], str) for name in texts), case
        assert case["level"] in {"blocker", "advice"}
        assert case["verdict"] in VERDICTS
        assert {"kind", "name", "label"} <= set(case["subject"])
        assert isinstance(case["evidence"], list)
        assert isinstance(case["blocked_by"], list)
        assert case["cause"] is None or isinstance(case["cause"], str)
        assert case["observed"]


def test_counts_and_coverage_add_up() -> None:
    run = healthy().run
    found = Counter(case["verdict"] for case in run["cases"])
    assert run["counts"] == {verdict: found[verdict] for verdict in VERDICTS}
    covered = run["coverage"]
    apart = covered["not_applicable"]
    assert covered["judged"] == len(run["cases"])
    assert covered["missing"] == []
    assert covered["deselected"] == 0
    assert covered["expected"] == covered["judged"] + len(apart)
    assert apart
    assert all(set(row) == {"requirement", "subject", "reason"} and all(row.values()) for row in apart)
    assert "3108RB00417" in {row["subject"] for row in apart}


def test_cases_name_evidence_that_is_there() -> None:
    run = healthy()
    lines = [json.loads(line) for line in (run.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()]
    keys = {"id", "kind", "subject", "vantage", "started", "elapsed_ms", "outcome", "facts", "transcript"}
    recorded = {line["id"]: line for line in lines if "intent" not in line}
    assert all(keys <= set(line) for line in recorded.values())
    assert {name for case in run.run["cases"] for name in case["evidence"]} <= set(recorded)
    assert any(case["evidence"] for case in run.run["cases"])
    # A mail can't be unsent: its intent stands before what came of it.
    sent = [number for number, line in enumerate(lines) if line.get("kind") == "submission" and "intent" in line]
    done = [number for number, line in enumerate(lines) if line.get("kind") == "submission" and "intent" not in line]
    assert sent
    assert min(sent) < min(done)


def test_junit_has_the_verdicts() -> None:
    run = healthy()
    root = ET.parse(run.folder / "junit.xml").getroot()
    found: dict[tuple[str, str], str] = {}
    for case in root.iter("testcase"):
        properties = {row.get("name", ""): row.get("value", "") for row in case.iter("property")}
        found[properties["requirement"], properties["subject"]] = properties["verdict"]
        assert (case.find("skipped") is not None) == (properties["verdict"] != "passed")
    assert found == run.verdicts


def test_node_ids_are_what_pytest_takes() -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/-_+[]")
    for case in healthy().run["cases"]:
        assert set(case["id"]) <= allowed, case["id"]


NO_NETWORK = """
    import os, sys

    def stop(event, arguments):
        if event == "subprocess.Popen" and arguments[0] == "uname":
            return
        if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen"}:
            with open(os.environ["TOUCHED"], "a") as file:
                file.write(f"{event} {arguments}\\n")
            raise PermissionError(event)

    if "pytest" in sys.orig_argv:
        sys.addaudithook(stop)
"""


@pytest.mark.skipif(os.name == "nt", reason="a socket pair is a connection there")
def test_replay_gives_the_same_and_touches_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    alone = at_start(tmp_path / "alone", NO_NETWORK) | {"TOUCHED": str(touched)}
    first = run_in(alone, tmp_path / "first", "-q", f"--evidence={healthy().folder}")
    assert first.status == 0, first.output[-3000:]
    assert said(first) == said(healthy())
    again = run_in(alone, tmp_path / "again", "-q", f"--evidence={first.folder}")
    assert again.status == 0
    assert said(again) == said(healthy())
    assert not touched.exists(), touched.read_text()
    first.shows("nothing was probed")
    assert first.run["coverage"] == healthy().run["coverage"]


def test_merged_runs_newest_wins_and_interrupted_never(tmp_path: Path) -> None:
    full = healthy()
    unsent = suite.pytest(tmp_path / "unsent", "-q", "--no-send")
    assert unsent.status == 0
    either = [f"--evidence={full.folder}", f"--evidence={unsent.folder}"]
    for number, order in enumerate((either, either[::-1])):
        merged = suite.pytest(tmp_path / f"merged{number}", "-q", *order)
        # The newest of a subject and vantage wins, in whatever order they are named.
        assert merged.verdicts == unsent.verdicts
    # A run that was cut while it looked for mail is newer, and takes nothing away.
    cut = tmp_path / "cut"
    shutil.copytree(full.folder / "inputs", cut / "inputs")
    record = next(
        json.loads(line)
        for line in (full.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
        if '"kind": "submission"' in line and "intent" in line
    )
    (cut / "evidence.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    merged = suite.pytest(tmp_path / "withcut", "-q", f"--evidence={full.folder}", f"--evidence={cut}")
    assert merged.verdicts == full.verdicts


def test_evidence_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    for name, what in (("nosuch", "is no folder"), ("bare", "holds no evidence.jsonl")):
        refused = suite.pytest(tmp_path / "run", "-q", f"--evidence={tmp_path / name}")
        assert refused.status == 4
        assert [line for line in refused.output.splitlines() if line.strip()] == [
            f"ERROR: --evidence={tmp_path / name}: {what}; name a run folder such as reports/demo-20261123T080000Z"
        ]
        assert not refused.folder.exists()


def test_empty_evidence_is_judged_and_not_green(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(healthy().folder / "inputs", empty / "inputs")
    (empty / "evidence.jsonl").touch()
    judged = suite.pytest(tmp_path / "run", "-q", f"--evidence={empty}")
    assert judged.status == 1
    judged.shows("nothing was tested", "empty holds no")
    # The list itself was read, and the site file says how its senders sign in.
    assert {pair[0] for pair, verdict in judged.verdicts.items() if verdict != "unproven"} == {"INV-1", "TEN-9"}
    assert judged.run["signoff"]["ready"] is False
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={judged.folder}")
    assert (again.status, again.verdicts) == (1, judged.verdicts)
