"""A run that is ended from outside: what was gathered is kept, and the lab goes with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugins import gathering
from scanproof import seal
from selftests import suite
from selftests.test_run_healthy import at_start, no_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

RECORD_LABS = """
    import os, sys
    if "lab" in sys.orig_argv:
        open(os.path.join(os.environ["LABS"], str(os.getpid())), "w").close()
"""


def watch_labs(folder: Path) -> tuple[dict[str, str], Callable[[], list[int]]]:
    """Return the environment of a run that notes the lab's process, and how to ask for those it noted."""
    labs = folder / "labs"
    labs.mkdir(exist_ok=True)
    environment = at_start(folder / "noting", RECORD_LABS) | {"LABS": str(labs)}
    return environment, lambda: [int(path.name) for path in labs.iterdir()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # nobody may have waited for it yet
    return not (stat.exists() and ") Z " in stat.read_text())


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.05)
    return False


def waits_for_mail(text: str) -> bool:
    """Tell whether all is gathered but the arrival of the mails that were handed over."""
    return sum('"kind": "submission"' in line and '"outcome"' in line for line in text.splitlines()) >= 8


def interrupted(
    tmp_path: Path, number: signal.Signals, *, group: bool = False, before: Iterable[str] = ()
) -> suite.Result:
    """Start a run whose mail never arrives, by another command if need be, and end it once all else is gathered."""
    folder, output = tmp_path / "run", tmp_path / "output"
    noting, labs = watch_labs(tmp_path)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", f"--run-dir={folder}"]
    with output.open("wb") as file:
        run = subprocess.Popen(
            [*before, *command, "--lab-fault=mail-late"],
            cwd=suite.ROOT,
            env=suite.environment(**noting),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        evidence = folder / "evidence.jsonl"
        try:
            until = time.monotonic() + 60
            while not evidence.exists() or not waits_for_mail(evidence.read_text(encoding="utf-8")):
                assert run.poll() is None, output.read_text()
                assert time.monotonic() < until, output.read_text()
                time.sleep(0.05)
            began = time.monotonic()
            os.killpg(run.pid, number) if group else run.send_signal(number)
            status = run.wait(timeout=30)
        finally:
            run.kill()
            run.wait()
    assert time.monotonic() - began < 10
    assert len(labs()) == 1
    assert gone(labs())
    return suite.Result(status, output.read_text(encoding="utf-8", errors="replace"), folder)


# Ctrl-C at a terminal reaches the lab as well. A script's background job inherits that SIGINT is ignored.
@pytest.mark.parametrize("ended", ["SIGINT group", "SIGTERM", "SIGTERM of a background job"])
def test_ctrl_c_and_sigterm_leave_a_report(tmp_path: Path, ended: str) -> None:
    before = ["sh", "-c", """trap '' INT; exec "$@\"""", "sh"] if "background" in ended else []
    cut = interrupted(tmp_path, signal.Signals[ended.split(maxsplit=1)[0]], group="group" in ended, before=before)
    assert cut.status == 2, cut.output[-3000:]
    no_traceback(cut)
    for name in ("junit.xml", "cases.html", "run.json", "report.html", "evidence.jsonl"):
        assert (cut.folder / name).stat().st_size, name
    assert seal.verify(cut.folder).changes == []
    assert cut.run["finished"] is None
    assert cut.run["signoff"]["ready"] is False
    assert "the run was interrupted" in cut.run["signoff"]["reasons"]
    # What was never judged is not a defect of the suite.
    assert set(cut.verdicts.values()) == {"unproven"}
    cut.shows("the run was interrupted before this case was judged", f"pytest --evidence={cut.folder}")
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={cut.folder}")
    assert again.status == 0, again.output[-3000:]
    assert {again.verdicts[pair] for pair in again.verdicts if pair[0] == "NET-2"} == {"passed"}
    assert {again.verdicts[pair] for pair in again.verdicts if pair[0] == "DLV-1"} == {"unproven"}
    assert again.run["signoff"]["ready"] is False


def test_kill_9_is_judged_from_what_is_left(tmp_path: Path) -> None:
    killed = interrupted(tmp_path, signal.SIGKILL)
    assert killed.status == -signal.SIGKILL
    assert not (killed.folder / "run.json").exists()
    with pytest.raises(seal.SealError, match="the run was ended before it was sealed"):
        seal.verify(killed.folder)
    path = killed.folder / "evidence.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:40])  # what a write that was cut leaves
    judged = suite.pytest(tmp_path / "judged", "-q", f"--evidence={killed.folder}")
    assert judged.status == 0, judged.output[-3000:]
    no_traceback(judged)
    assert {verdict for (requirement, _), verdict in judged.verdicts.items() if requirement == "NET-2"} == {"passed"}
    late = [case for case in judged.run["cases"] if case["requirement"] == "DLV-1"]
    assert {case["verdict"] for case in late} == {"unproven"}
    assert all("run" in case["remedy"] for case in late)
    assert judged.run["signoff"]["ready"] is False
    judged.shows("NOT READY", "DLV-1")
    # An act that was begun, and of which nothing more is known.
    records = [json.loads(line) for line in whole.decode().splitlines()]
    kept = [record for record in records if "intent" in record or record["kind"] != "submission"]
    assert [record for record in kept if "intent" in record]
    path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
    begun = suite.pytest(tmp_path / "begun", "-q", f"--evidence={killed.folder}", "-m", "smtp")
    begun.shows("run ended while this was under way")
    assert {verdict for (requirement, _), verdict in begun.verdicts.items() if requirement == "SMTP-2"} == {"unproven"}


def test_a_signal_that_was_ignored_stays_so() -> None:
    """Nohup's does: whoever starts a run with it wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ends = signal.getsignal(signal.SIGTERM)
    try:
        put_back = gathering._when_ended(lambda _number, _frame: None)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not ends
        put_back()
        assert signal.getsignal(signal.SIGTERM) is ends
    finally:
        signal.signal(signal.SIGHUP, before)
