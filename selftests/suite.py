"""Runs the suite as a user would: a subprocess, its exit status, its output, and the folder that it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 240.0  # seconds for one run; a hang is a failure, not a wait


@dataclass(frozen=True)
class Result:
    """A finished run."""

    status: int
    output: str
    folder: Path

    @cached_property
    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def cases(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(case["requirement"], case["subject"]["name"]): case for case in self.run["cases"]}

    @property
    def verdicts(self) -> dict[tuple[str, str], str]:
        return {pair: case["verdict"] for pair, case in self.cases.items()}

    def shows(self, *texts: str) -> None:
        for text in texts:
            assert text in self.output, f"{text!r} is not in the output:\n{self.output[-4000:]}"


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what a CI, a terminal or a user could change a run by."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SCANPROOF_", "COLUMNS"))
    }
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **more}


def pytest(folder: Path, *arguments: str, deadline: float = DEADLINE, gives_way: bool = False, **more: str) -> Result:
    """Run ``pytest`` on the acceptance cases, with its run folder at ``folder``; by low priority where it gives way."""
    lowered = ["nice", "-n", "10"] if gives_way and shutil.which("nice") else []
    command = [*lowered, sys.executable, "-m", "pytest", f"--run-dir={folder}", "-p", "no:cacheprovider", *arguments]
    if "--lf" in arguments:
        command.remove("no:cacheprovider")
        command.remove("-p")
    return command_line(command, folder, deadline=deadline, cwd=ROOT, **more)


def command_line(
    command: list[str], folder: Path, *, deadline: float = DEADLINE, cwd: Path = ROOT, **more: str
) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=deadline,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode("utf-8", "replace"), folder)
