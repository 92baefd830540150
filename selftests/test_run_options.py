"""The options of a run, and every way of choosing a part of it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from selftests import suite
from selftests.test_run_healthy import healthy, no_traceback, plugin, run_in, said
from selftests.test_run_interrupted import watch_labs


def test_gather_only_judges_nothing(tmp_path: Path) -> None:
    gathered = suite.pytest(tmp_path / "gathered", "-v", "--gather-only")
    assert gathered.status == 0
    assert {path.name for path in gathered.folder.iterdir()} == {"evidence.jsonl", "inputs", "manifest.json"}
    assert "PASSED" not in gathered.output
    gathered.shows(f"judge it with: pytest --evidence={gathered.folder}")
    judged = suite.pytest(tmp_path / "judged", "-q", f"--evidence={gathered.folder}")
    assert judged.status == 0
    assert judged.verdicts == healthy().verdicts


def test_no_send(tmp_path: Path) -> None:
    unsent = suite.pytest(tmp_path / "run", "-q", "--no-send")
    assert unsent.status == 0
    changed = {pair[0] for pair, verdict in unsent.verdicts.items() if verdict != healthy().verdicts[pair]}
    assert changed == {"DLV-1", "SMTP-2"}
    assert {unsent.verdicts[pair] for pair in unsent.verdicts if pair[0] in changed} == {"unproven"}
    assert all("--no-send" in case["observed"] for case in unsent.run["cases"] if case["requirement"] in changed)
    records = [json.loads(line) for line in (unsent.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line["text"] for record in records for line in record.get("transcript", [])]
    assert not [text for text in lines if "MAIL FROM" in text.upper()]
    assert not [record for record in records if record.get("intent") and record["kind"] == "submission"]
    assert unsent.run["options"] == ["--no-send"]


def test_signoff_wants_every_blocker_proven(tmp_path: Path) -> None:
    signed = suite.pytest(tmp_path / "run", "-q", "--signoff", f"--evidence={healthy().folder}")
    assert signed.status == 1
    assert said(signed) == said(healthy())
    assert signed.run["exit_status"] == 1
    reasons = signed.run["signoff"]["reasons"]
    assert reasons
    signed.shows("NOT READY", *reasons)


def test_run_dir_of_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}

    folder = healthy().folder
    before = content(folder)
    refused = suite.pytest(folder, "-q")
    assert refused.status == 4
    assert [line for line in refused.output.splitlines() if line.strip()] == [
        f"ERROR: --run-dir={folder}: holds a run already; name a new folder"
    ]
    assert suite.pytest(folder, "-q", "--collect-only").status == 0
    assert content(folder) == before
    (tmp_path / "file").touch()
    refused = suite.pytest(tmp_path / "file", "-q")
    assert refused.status == 4
    refused.shows("can't be made")
    no_traceback(refused)


SELECTIONS = [
    (["-m", "reach", "-k", "on_http or ping"], {"NET-1", "NET-2", "NET-3"}, 0),
    (["-k", "resolves_mail_hosts or answers_on_https"], {"EGR-4", "NET-3"}, 0),
    (["tests/test_inventory.py"], {"INV-1", "INV-3"}, 0),
    (["tests/test_inventory.py::test_row_is_usable[3089R210142]"], {"INV-1"}, 0),
    (["tests/test_egress.py"], {"EGR-1", "EGR-2", "EGR-3", "EGR-4", "EGR-5", "HOST-1"}, 1),
]


@pytest.mark.parametrize(("chosen", "requirements", "status"), SELECTIONS, ids=[" ".join(row[0]) for row in SELECTIONS])
def test_a_part_is_counted_and_never_ready(
    tmp_path: Path, chosen: list[str], requirements: set[str], status: int
) -> None:
    part = suite.pytest(tmp_path / "run", "-q", f"--evidence={healthy().folder}", *chosen)
    assert part.status == status
    assert {requirement for requirement, _ in part.verdicts} == requirements
    covered = part.run["coverage"]
    assert covered["deselected"]
    assert covered["missing"] == []
    assert covered["expected"] == covered["judged"] + covered["deselected"] + len(covered["not_applicable"])
    assert part.run["signoff"]["ready"] is False
    part.shows(f"{covered['deselected']} cases were deselected: only a whole run can be ready")
    if status:
        part.shows("no case was proven either way")


def test_nothing_selected(tmp_path: Path) -> None:
    nothing = suite.pytest(tmp_path / "run", "-q", "-k", "no_such_case")
    assert nothing.status == 5
    nothing.shows("NOT READY")


def test_a_block_whose_root_is_not_in_the_run(tmp_path: Path) -> None:
    part = suite.pytest(tmp_path / "run", "-q", "--lab-fault=sender-password-wrong", "-k", "service_accepts")
    assert part.status == 1
    assert "blocked" in part.verdicts.values()
    assert "failed" not in part.verdicts.values()
    part.shows("cases are blocked by SMTP-1, and no case of this run shows it")


def test_collect_only_leaves_nothing(tmp_path: Path) -> None:
    noting, labs = watch_labs(tmp_path)
    collected = run_in(noting, tmp_path / "run", "-q", "--collect-only")
    assert collected.status == 0
    collected.shows(f"{len(healthy().run['cases'])} tests collected")
    assert not collected.folder.exists()
    assert not labs()


def test_selftests_are_no_acceptance_run(tmp_path: Path) -> None:
    noting, labs = watch_labs(tmp_path)
    inert = run_in(noting, tmp_path / "run", "-q", "selftests/test_probe_replies.py")
    assert inert.status == 0, inert.output[-2000:]
    assert not inert.folder.exists()
    assert not labs()
    assert "sign-off" not in inert.output


@pytest.mark.parametrize("option", ["-n2", "--showlocals"])
def test_what_makes_a_run_unsafe_is_refused(tmp_path: Path, option: str) -> None:
    like_xdist = """
        def pytest_addoption(parser):
            parser.getgroup("xdist")._addoption("-n", "--numprocesses", dest="numprocesses", type=int)
    """
    stub = plugin(tmp_path / "stub", "like_xdist", like_xdist)
    refused = run_in(stub, tmp_path / "run", "-q", "-p", "like_xdist", option)
    assert refused.status == 4
    lines = [line for line in refused.output.splitlines() if line.strip()]
    assert len(lines) == 1, refused.output
    assert lines[0].startswith(f"ERROR: {option.rstrip('2')}")
    assert not refused.folder.exists()


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    refused = suite.pytest(tmp_path / "run", "-q", "tests/test_nosuch.py")
    assert refused.status == 4
    assert not refused.folder.exists()


def test_default_folder_is_named_by_site_and_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "usable"]
    done = suite.command_line([*command, f"--evidence={healthy().folder}"], tmp_path)
    assert done.status == 0
    folder = Path(next(line for line in done.output.splitlines() if line.startswith("report: "))[8:]).parent
    try:
        assert folder.parent == suite.ROOT / "reports"
        assert folder.name.startswith("demo-20")
        assert (folder / "run.json").exists()
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
