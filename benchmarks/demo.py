"""``python -m benchmarks.demo``: the demo run against its slowest chain, and against what it can't do without.

Every round runs the whole demo, the demo's longest chain alone, as many trivial cases under plain pytest, and
the start of the lab alone, one after another. Only ratios within a round are kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import chains
from benchmarks.figures import Machine, Row, show
from lab.plan import plan_of
from scanproof import site, store
from selftests.suite import DEADLINE, ROOT, environment

DEMO = ROOT / "inventory" / "demo"
GATHER_TARGET, COMMAND_TARGET = 1.15, 1.3
TRIVIAL = """import pytest


@pytest.mark.parametrize("number", range({count}))
def test_trivial(number):
    assert number >= 0
"""


@dataclass(frozen=True)
class Demo:
    """One run of the suite on the demo site."""

    wall: float
    gather: float
    chain: chains.Chain
    cases: list[dict[str, Any]]


def command(arguments: list[str], cwd: Path, **more: str) -> float:
    """Run a command as a user does; return its wall in seconds."""
    surroundings = {**environment(), **more}
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second run finds everything compiled
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
    )
    wall = time.perf_counter() - began
    if done.returncode:
        tail = done.stdout.decode("utf-8", "replace")[-2000:]
        raise SystemExit(f"{' '.join(arguments)} ended with exit status {done.returncode}, expected 0:\n{tail}")
    return wall


def demo(into: Path, *arguments: str) -> Demo:
    """Judge the demo site, or the cases of it that are named."""
    folder = into / "run"
    wall = command(["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--run-dir={folder}", *arguments], ROOT)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    chain = chains.longest(chains.read(folder / store.FILE))
    shutil.rmtree(folder)
    return Demo(wall, run["seconds"]["gather"], chain, run["cases"])


def plain(into: Path, count: int) -> float:
    """Run that many trivial cases under pytest with no plugin but its own; return the wall in seconds."""
    (into / "test_trivial.py").write_text(TRIVIAL.format(count=count), encoding="utf-8")
    (into / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_trivial.py"]
    return command(arguments, into, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def bare(into: Path, count: int) -> float:
    """Run as many trivial cases with what a run of the suite has to load and write; return the wall in seconds.

    pytest-html's page and JUnit's file are part of the contract, and pytest-asyncio of the brief: what these take
    no work on the suite can save.
    """
    (into / "test_trivial.py").write_text(TRIVIAL.format(count=count), encoding="utf-8")
    (into / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8")
    loaded = [
        part for name in ("pytest_metadata", "pytest_html", "pytest_asyncio") for part in ("-p", f"{name}.plugin")
    ]
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *loaded]
    written = ["--html=cases.html", "--self-contained-html", "--junitxml=junit.xml", "test_trivial.py"]
    return command([*arguments, *written], into, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def lab_start(plan: str) -> float:
    """Start the loopback lab; return the seconds from its process's start until it is ready."""
    began = time.perf_counter()
    # Leaving the block closes the lab's stdin, which ends it.
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "--plan", "--network", "loopback"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(plan.encode() + b"\n")
        process.stdin.flush()
        ready = process.stdout.readline()
        wall = time.perf_counter() - began
    if not ready:
        raise SystemExit("the lab ended before it was ready; python -m lab up --hold says why")
    return wall


def carrying(found: Demo) -> str:
    """Return the node id of a case that judges the end of a run's longest chain."""
    last = found.chain.pieces[-1]
    return next(str(case["id"]) for case in found.cases if last in case["evidence"])


def measure(rounds: int, into: Path) -> None:
    """Run the rounds, and print the figures."""
    plan = plan_of(site.load(DEMO)).to_json()
    first = demo(into)  # not counted: it compiles what is not compiled yet
    slowest = carrying(first)
    machine = Machine()
    gather = Row("gather phase / longest chain in it", target=GATHER_TARGET)
    alone = Row("gather phase / that chain gathered alone")
    whole = Row("whole command / (longest chain + plain pytest + lab's start)", target=COMMAND_TARGET)
    least = Row("the same with pytest-html, pytest-asyncio and JUnit's file, and nothing of ours")
    seconds = {
        name: Row(name, unit="s")
        for name in (
            "whole command",
            "gather phase",
            "longest chain",
            "plain pytest",
            "pytest with these",
            "lab's start",
        )
    }
    for _ in range(rounds):
        machine.spin()
        run = demo(into)
        single = demo(into, slowest)
        trivial = plain(into, len(run.cases))
        loaded = bare(into, len(run.cases))
        start = lab_start(plan)
        gather.values.append(run.gather / run.chain.seconds)
        alone.values.append(run.gather / single.gather)
        whole.values.append(run.wall / (run.chain.seconds + trivial + start))
        least.values.append((run.chain.seconds + loaded + start) / (run.chain.seconds + trivial + start))
        found = (run.wall, run.gather, run.chain.seconds, trivial, loaded, start)
        for row, value in zip(seconds.values(), found, strict=True):
            row.values.append(value)
    machine.spin()
    title = f"The demo in the loopback lab, {len(first.cases)} cases, {rounds} interleaved rounds"
    show(title, [gather, alone, whole, least, *seconds.values()], machine)
    print(f"longest chain: {' → '.join(piece.rpartition('@')[0] for piece in first.chain.pieces)}")


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1 is needed")
    with tempfile.TemporaryDirectory(prefix="scanproof-benchmark-") as folder:
        measure(options.rounds, Path(folder))


if __name__ == "__main__":
    main()
