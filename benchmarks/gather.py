"""``python -m benchmarks.gather``: what the gatherer and the store add to the work itself.

The gatherer is given pieces of evidence that cost nothing, and is measured against as many plain asyncio
tasks that make the same facts. The store is measured against ``json.dumps`` and ``write`` of the same lines.
The two of a pair run one after the other in each round, in turns as to which comes first.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Machine, Row, show
from scanproof import site
from scanproof.evidence import WebPage
from scanproof.gather import Gatherer, Run
from scanproof.kinds import Evidence, Facts, Line, probe
from scanproof.network import Network, Vantage
from scanproof.secrets import Secrets
from scanproof.store import Writer, as_json
from selftests.suite import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 1_000, 10_000)
LINES = 2_000  # of evidence that the store writes in a round


class Counted(Facts):
    """As little as facts can be."""

    number: int


@dataclass(frozen=True)
class Thing:
    """A subject."""

    key: str
    label: str
    number: int


class Nowhere:
    """Counts evidence and keeps none: what the store adds is measured by itself."""

    def __init__(self) -> None:
        self.added = 0

    def intent(self, kind: str, subject: str, vantage: str, what: str) -> None:
        """Take no note."""

    def add(self, evidence: Evidence[Any]) -> None:
        """Count it."""
        assert evidence.outcome == "observed", evidence.reason
        self.added += 1


@probe(Counted, deadline=10)
async def trivial(thing: Thing, run: Run) -> Counted:  # noqa: ARG001 - a probe is given its run
    return Counted(number=thing.number)


async def gathered(things: list[Thing], where: site.Site) -> None:
    """Gather one piece of evidence of each thing."""
    sink = Nowhere()
    gatherer = Gatherer(where, Network(Vantage("benchmark")), Secrets(given={}, sealed=True), sink, token="none")
    await gatherer.collect([(trivial, thing) for thing in things], deadline=600)
    assert sink.added == len(things)


async def tasks(things: list[Thing]) -> None:
    """Make the same facts by plain tasks."""

    async def make(thing: Thing) -> Counted:
        return Counted(number=thing.number)

    made = await asyncio.gather(*(asyncio.create_task(make(thing)) for thing in things))
    assert len(made) == len(things)


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that a piece of work takes; garbage of what ran before is not its business."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def turns(number: int, ours: Callable[[], None], floor: Callable[[], None]) -> tuple[float, float]:
    """Time both, the floor first in every second round."""
    if number % 2:
        least = timed(floor)
        return timed(ours), least
    mine = timed(ours)
    return mine, timed(floor)


def pages(count: int) -> list[Evidence[Any]]:
    """Return evidence as a sweep of web pages leaves it."""
    lines = tuple(Line(at, "->" if at % 2 else "<-", f"line {at} of a dialogue") for at in range(6))
    return [
        Evidence(
            kind="http_page",
            subject=f"K{number:06}",
            label=f"Copier {number}",
            vantage="benchmark",
            started=datetime(2026, 11, 16, tzinfo=UTC),
            elapsed_ms=number % 900,
            outcome="observed",
            facts=WebPage(url=f"http://192.0.2.{number % 250}/", connected=True, status=200, title="Web Image Monitor"),
            transcript=lines,
        )
        for number in range(count)
    ]


def stored(evidence: list[Evidence[Any]], path: Path) -> None:
    """Write evidence as a run does: redacted, and each line flushed."""
    writer = Writer(path)
    for piece in evidence:
        writer.add(piece)
    writer.close()
    if writer.trouble:
        raise SystemExit(writer.trouble)


def dumped(records: list[dict[str, Any]], path: Path) -> None:
    """Write the same lines with nothing but the standard library."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def measure_gatherer(size: int, rounds: int, where: site.Site) -> list[Row]:
    """Return the figures of one size of plan."""
    things = [Thing(str(number), str(number), number) for number in range(size)]
    ratio = Row(f"gatherer / plain tasks, {size:,} pieces")
    each = Row(f"gatherer, {size:,} pieces: a piece", unit="ms")
    for number in range(rounds):
        ours, floor = turns(number, lambda: asyncio.run(gathered(things, where)), lambda: asyncio.run(tasks(things)))
        ratio.values.append(ours / floor)
        each.values.append(ours / size * 1000)
    return [ratio, each]


def measure_store(count: int, rounds: int, into: Path) -> list[Row]:
    """Return the figures of the store, whose file must be the floor's byte for byte."""
    evidence = pages(count)
    records = [as_json(piece) for piece in evidence]
    ours, floor = into / "ours.jsonl", into / "floor.jsonl"
    ratio, rate = Row(f"store / json.dumps and write, {count:,} lines"), Row("store: lines", unit="1/s")
    for number in range(rounds):
        ours.unlink(missing_ok=True)  # the store appends
        mine, least = turns(number, lambda: stored(evidence, ours), lambda: dumped(records, floor))
        assert ours.read_bytes() == floor.read_bytes()
        ratio.values.append(mine / least)
        rate.values.append(count / mine)
    return [ratio, rate]


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gather", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pieces of evidence (1 1000 10000)")
    parser.add_argument("--lines", type=int, default=LINES, help=f"lines that the store writes (default {LINES})")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.lines, *options.sizes) < 1:
        parser.error("--rounds, --sizes and --lines: at least 1 is needed")
    where = site.load(ROOT / "inventory" / "demo")
    asyncio.run(gathered([Thing("first", "first", 0)], where))  # not counted: what is made on first use
    machine, rows = Machine(), []
    for size in options.sizes:
        machine.spin()
        rows += measure_gatherer(size, options.rounds, where)
    with tempfile.TemporaryDirectory(prefix="scanproof-benchmark-") as folder:
        machine.spin()
        rows += measure_store(options.lines, options.rounds, Path(folder))
    machine.spin()
    show(f"Gatherer and store, {options.rounds} rounds", rows, machine)


if __name__ == "__main__":
    main()
