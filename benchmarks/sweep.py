"""``python -m benchmarks.sweep``: ICMP, HTTP and HTTPS of thousands of copiers, against peers and against a floor.

The copiers are simulated in namespaces that this process makes (``street.py``); no packet leaves them. Every round
runs each way to sweep once, in turns as to which comes first, and ratios are made within a round. The floor of a
round is one time-out, or the same TLS handshakes by blocking ``ssl`` on all cores where that is longer.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import sweepers
from benchmarks.demo import bare, plain
from benchmarks.figures import Machine, Row, show
from benchmarks.street import Street, copiers
from selftests.suite import ROOT, environment

SIZES = (250, 1_000, 4_000)
COMMAND = 1_000  # copiers of the whole pytest command
LONG = 4_000  # from this size on, the target is the second one
TARGETS = (1.2, 1.5)
COMMAND_TARGET, MEMORY_TARGET, PEER_TARGET = 1.3, 150.0, 1.0
DEADLINE = 600.0  # seconds for one sweep; a hang is a failure, not a wait
OURS, FLOOR, PEER = "scanproof", "handshakes", "blackbox_exporter"
CASES = ("test_answers_ping", "test_answers_on_http", "test_answers_on_https")


@dataclass
class Round:
    """What the ways to sweep took in one round, by name; and the servers' part in ours."""

    swept: dict[str, sweepers.Swept] = field(default_factory=dict)
    share: float = 0.0  # of all cores' time during our sweep, taken by the copiers' servers

    @property
    def floor(self) -> float:
        return max(sweepers.TIMEOUT, self.swept[FLOOR].seconds)


def run(name: str, count: int, into: Path) -> sweepers.Swept:
    """Sweep once, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=into) as folder:
        command = [sys.executable, "-m", "benchmarks.sweepers", name, str(count), folder]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, timeout=DEADLINE, check=False
        )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {done.returncode}")
    return sweepers.Swept(**json.loads(done.stdout))


def one_round(number: int, count: int, names: list[str], street: Street, into: Path) -> Round:
    """Sweep by each way once, another one first in each round."""
    found, turn = Round(), number % len(names)
    for name in (*names[turn:], *names[:turn]):
        before = street.seconds()
        found.swept[name] = swept = run(name, count, into)
        if name == OURS:
            found.share = (street.seconds() - before) / (swept.seconds * (os.cpu_count() or 1))
    return found


def figures(count: int, rounds: list[Round], names: list[str]) -> list[Row]:
    """Return the figures of one size."""

    def row(name: str, values: list[float], unit: str = "x", target: float | None = None) -> Row:
        return Row(f"{name}, {count:,}", values, unit, target)

    ours = [each.swept[OURS] for each in rounds]
    floors = [each.floor for each in rounds]
    over = [swept.seconds / floor for swept, floor in zip(ours, floors, strict=True)]
    rows = [row("sweep / floor", over, target=TARGETS[count >= LONG])]
    for name in names:
        if name not in {OURS, FLOOR}:
            ratios = [each.swept[OURS].seconds / each.swept[name].seconds for each in rounds]
            rows.append(row(f"sweep / {name}", ratios, target=PEER_TARGET if name == PEER else None))
    rows.append(row("memory of the sweep", [swept.memory for swept in ours], "MB", MEMORY_TARGET))
    rows.append(row("servers' share of the machine meanwhile", [each.share for each in rounds]))
    rows.append(row("beyond the time-out", [swept.seconds - sweepers.TIMEOUT for swept in ours], "s"))
    rows += [row(name, [each.swept[name].seconds for each in rounds], "s") for name in names]
    return rows


def whole_command(count: int, rounds: int, into: Path, machine: Machine) -> list[Row]:
    """Return what ``pytest`` takes for the reach cases of a site, beside its gather and plain pytest."""
    site = sweepers.site_folder(count, into / "site")
    ratio = Row(f"pytest / (its gather + plain pytest), {count:,}", target=COMMAND_TARGET)
    least = Row("the same with pytest-html, pytest-asyncio and JUnit's file, and nothing of ours")
    rows = [
        Row(f"{name}, {count:,}", unit="s") for name in ("pytest", "its gather", "plain pytest", "pytest with these")
    ]
    for _ in range(rounds):
        machine.spin()
        wall, gather, judged = command(site, into)
        expected = len(CASES) * sum(copier.alive for copier in copiers(count))
        if judged.count("passed") != expected or len(judged) != len(CASES) * count:
            raise SystemExit(f"{judged.count('passed')} of {len(judged)} cases passed, expected {expected}")
        trivial, loaded = plain(into, len(judged)), bare(into, len(judged))
        ratio.values.append(wall / (gather + trivial))
        least.values.append((gather + loaded) / (gather + trivial))
        for row, value in zip(rows, (wall, gather, trivial, loaded), strict=True):
            row.values.append(value)
    return [ratio, least, *rows]


def command(site: Path, into: Path) -> tuple[float, float, list[str]]:
    """Judge the reach cases of a site; return the wall and the gather in seconds, and the verdicts."""
    folder = into / "run"
    cases = [f"tests/test_reach.py::{name}" for name in CASES]
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "benchmarks.pinned", f"--site={site}", f"--run-dir={folder}"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *cases],
        cwd=ROOT,
        env={**environment(), "SCANPROOF_VANTAGE": "benchmark"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
    )
    wall = time.perf_counter() - began
    if not (folder / "run.json").exists():
        raise SystemExit(done.stdout.decode("utf-8", "replace")[-2000:])
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return wall, found["seconds"]["gather"], [case["verdict"] for case in found["cases"]]


def wrong_ones(count: int, runs: int, into: Path) -> int:
    """Sweep so many times, and return the number of wrong answers."""
    wrong = 0
    for number in range(runs):
        swept = run(OURS, count, into)
        wrong += swept.wrong
        print(f"{count:,} copiers, sweep {number + 1}: {swept.seconds:.2f} s, {swept.wrong} wrong answers", flush=True)
    return wrong


def measure(options: argparse.Namespace, into: Path) -> None:
    """Run the rounds of each size, and print the figures."""
    wanted = [name for name in sweepers.WAYS if name not in options.without]
    names = [name for name in wanted if not sweepers.missing(name)]
    absent = [name for name in wanted if name not in names]
    with Street(max(*options.sizes, options.command), into) as street:
        if options.runs:
            for count in options.sizes:
                wrong = wrong_ones(count, options.runs, into)
                print(f"{wrong} wrong answers in {options.runs} sweeps of {count:,} copiers: {_verdict(wrong)}")
            return
        machine, rows = Machine(), []
        wrong = dict.fromkeys(names, 0)
        for name in names:
            run(name, 1, into)  # not counted: it compiles what is not compiled yet
        for count in options.sizes:
            rounds = []
            for number in range(options.rounds):
                machine.spin()
                rounds.append(one_round(number, count, names, street, into))
                for name, swept in rounds[-1].swept.items():
                    wrong[name] += swept.wrong
            rows += figures(count, rounds, names)
        if options.command:
            rows += whole_command(options.command, options.rounds, into, machine)
        machine.spin()
    show(f"ICMP, HTTP and HTTPS of simulated copiers, {options.rounds} interleaved rounds", rows, machine)
    told = ", ".join(f"{name} {number}" for name, number in wrong.items() if name != FLOOR)
    print(f"wrong answers in all rounds: {told} (of {OURS}: {_verdict(wrong[OURS])})")
    for name in absent:
        print(f"not compared, since not installed: {name} ({', '.join(sweepers.missing(name))})")


def _verdict(wrong: int) -> str:
    return "MISSED" if wrong else "met"


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="copiers (default 250 1000 4000)")
    parser.add_argument(
        "--command",
        type=int,
        default=COMMAND,
        help=f"copiers of the whole command (default {COMMAND}; 0: leave it out)",
    )
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="ways to sweep that are left out")
    parser.add_argument("--runs", type=int, default=0, help="only count wrong answers in so many sweeps of each size")
    options = parser.parse_args(arguments)
    if min(options.rounds, *options.sizes) < 1:
        parser.error("--rounds and --sizes: at least 1 is needed")
    peers = [name for name in sweepers.WAYS if name not in {OURS, FLOOR}]
    if unknown := [name for name in options.without if name not in peers]:
        parser.error(f"--without {unknown[0]}: choose from {', '.join(peers)}")
    with tempfile.TemporaryDirectory(prefix="scanproof-benchmark-") as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
