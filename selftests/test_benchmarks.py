"""The benchmarks run and print their figures. What the figures are is no test's business."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import chains
from lab import probe
from selftests import suite

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = r" +(x|s|ms|1/s) +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(
            ["benchmarks.demo", "--rounds", "1"],
            ["gather phase / longest chain in it", "gather phase / that chain gathered alone", "whole command / "],
            id="demo",
        ),
        pytest.param(
            ["benchmarks.gather", "--rounds", "1", "--sizes", "1", "--lines", "1"],
            ["gatherer / plain tasks, 1 pieces", "store / json.dumps and write, 1 lines"],
            id="gather",
        ),
        pytest.param(
            ["benchmarks.documents", "--rounds", "1", "--times", "2"],
            ["all documents, a case", "a case there / a case of the demo"],
            id="documents",
        ),
        pytest.param(
            ["benchmarks.tenant", "--rounds", "1", "--latency", "0.02"],
            ["the tenant's part / its slowest chain of calls by bare httpx", "the tenant's part / all the same calls"],
            id="tenant",
        ),
        pytest.param(
            ["benchmarks.joblog", "--rounds", "1", "--size", "0.2", "--large", "0.5"],
            ["joblog / csv.reader, 0.2 MB", "the same with every fact / csv.reader", "joblog and making, 0.5 MB"],
            id="joblog",
        ),
    ],
)
def test_prints_its_figures(arguments: list[str], names: list[str], tmp_path: Path) -> None:
    result = suite.command_line([sys.executable, "-m", *arguments], tmp_path)
    assert result.status == 0, result.output
    for name in names:
        assert re.search(f"^{re.escape(name)}.*?{FIGURES}", result.output, re.MULTILINE), result.output
    assert re.search(r"^\d+ cores, \w+, Python 3\.", result.output, re.MULTILINE), result.output


def test_the_sweep_prints_its_figures(tmp_path: Path) -> None:
    network, why = probe.verdict(probe.probe())
    if network != "namespaces":
        pytest.skip(why)
    arguments = ["benchmarks.sweep", "--rounds", "1", "--sizes", "20", "--command", "10"]
    result = suite.command_line([sys.executable, "-m", *arguments], tmp_path)
    assert result.status == 0, result.output
    names = ["sweep / floor, 20", "memory of the sweep, 20", "pytest / (its gather + plain pytest), 10"]
    for name in names:
        assert re.search(rf"^{re.escape(name)} +(x|MB) +\d+\.\d\d", result.output, re.MULTILINE), result.output
    assert re.search(r"^wrong answers in all rounds: scanproof 0, .*: met\)$", result.output, re.MULTILINE), (
        result.output
    )
    counted = suite.command_line([sys.executable, "-m", *arguments, "--runs", "2"], tmp_path)
    counted.shows("0 wrong answers in 2 sweeps of 20 copiers: met")


@pytest.mark.parametrize(
    "module", [f"benchmarks.{name}" for name in ("demo", "gather", "documents", "tenant", "joblog", "sweep")]
)
def test_no_round_is_misuse(module: str, tmp_path: Path) -> None:
    result = suite.command_line([sys.executable, "-m", module, "--rounds", "0"], tmp_path)
    assert result.status == 2
    result.shows("at least 1 is needed")


def piece(name: str, started_ms: int, elapsed_ms: int, *needs: str) -> dict[str, object]:
    at = f"2026-11-16T06:00:{started_ms // 1000:02}.{started_ms % 1000:03}Z"
    return {"id": name, "started": at, "elapsed_ms": elapsed_ms, "needs": list(needs)}


def test_a_chain_is_the_sum_of_own_times() -> None:
    found = chains.longest(
        [
            piece("alone", 0, 700),
            piece("door", 0, 300),
            piece("slow", 0, 350),
            piece("sign-in", 0, 800, "door"),  # waited 300 ms for the door: 500 of its own
            piece("mail", 900, 100, "sign-in", "slow"),  # begun after both had ended
        ]
    )
    assert found.pieces == ("door", "sign-in", "mail")
    assert found.seconds == pytest.approx(0.3 + 0.5 + 0.1)


def test_intents_are_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    path.write_text('{"intent": "send", "kind": "mail"}\n{"id": "a"}\n', encoding="utf-8")
    assert [record["id"] for record in chains.read(path)] == ["a"]
