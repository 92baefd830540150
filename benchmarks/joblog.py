"""``python -m benchmarks.joblog``: what reading a copier's log costs, against bare ``csv.reader``.

Of 4 MB, two months of a busy copier: the time until the facts of the last week are there, against ``csv.reader`` over
the same bytes, decoded as it needs them, with its rows thrown away; one after the other in each round, in turns as to
which comes first. Beside it the same with all facts kept. Of 400 MB, made while they are read and never written: the
peak of a process that does nothing else, interpreter and libraries included, with nothing left out for its age.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import io
import subprocess
import sys
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.figures import Machine, Row, show
from scanproof.devices import logreader
from selftests.suite import DEADLINE, ROOT, environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

SLOWDOWN = 2.0
MEMORY = 100.0  # MB
SPAN, LATELY = 60, 7  # days
NOW = datetime(2026, 11, 16, 8)  # noqa: DTZ001 - a copier's clock has no zone
HEADER = (
    "Start Date/Time,End Date/Time,Log Type,Result,Operation Method,Status ,Cancelled: Details,User Entry ID,"
    "User Code/User Name,Host IP Address,Source,Print File Name,Created Pages,Exit Pages,Exit Papers,Paper Size,"
    "Paper Type,Target,Destination Name,Destination Address,Login Method,Log ID\r\n"
)
# A scan with its source and target, a print with the same, and three times as many access entries, as copiers keep.
SESSION = (
    "{0},{0},Login,Succeeded,Control Panel,Succeeded,,0x{1:08x},user{1},192.0.2.{2},,,,,,,,,,,Control Panel,"
    "0x{3:016x}\r\n"
    '{0},{0},Scanner: Sending,Succeeded,Control Panel,Completed,,0x{1:08x},"Miller, user{1}",192.0.2.{2},,,,,,,,,,,,'
    "0x{4:016x}\r\n"
    ",,,Succeeded,,Completed,,,,,Scan,,3,,,A4,Plain,,,,,0x{4:016x}\r\n"
    ",{0},,Succeeded,,Completed,,,,,,,,,,,,Send,Invoices {1},invoices{1}@northfield.example,,0x{4:016x}\r\n"
    "{0},{0},Printer: Printing,Succeeded,Driver,Completed,,0x{1:08x},user{1},192.0.2.{2},,,,,,,,,,,,0x{5:016x}\r\n"
    ",,,Succeeded,,Completed,,,,,PDL,Quarterly report {1}.docx,12,,,A4,Plain,,,,,0x{5:016x}\r\n"
    ",{0},,Succeeded,,Completed,,,,,,,12,12,6,A4,Plain,Print,,,,0x{5:016x}\r\n"
    "{0},{0},Collect Encrypted Communication Logs,Succeeded,,Succeeded,,,,192.0.2.{2},,,,,,,,,,,,0x{6:016x}\r\n"
    "{0},{0},Collect Encrypted Communication Logs,Succeeded,,Succeeded,,,,192.0.2.{2},,,,,,,,,,,,0x{7:016x}\r\n"
    "{0},{0},Logout,Succeeded,Control Panel,Succeeded,,0x{1:08x},user{1},192.0.2.{2},,,,,,,,,,,,0x{8:016x}\r\n"
    "{0},{0},Login,Failed,Web,Password Mismatch,,,admin,192.0.2.{2},,,,,,,,,,,via Network,0x{9:016x}\r\n"
    "{0},{0},Machine Configuration,Succeeded,Web,Succeeded,,,admin,192.0.2.{2},,,,,,,,,,,,0x{10:016x}\r\n"
)


def log(megabytes: float) -> Iterator[bytes]:
    """Make a log of about this size, of a few hundred users, in chunks of a few hundred lines."""
    made, number, chunk = 0, 0, [HEADER]
    sessions = megabytes * 1e6 / len(SESSION.format(f"{NOW:%Y/%m/%d %H:%M:%S}", 100, 100, *range(8)))
    while made < megabytes * 1e6:
        at = NOW - timedelta(days=SPAN * (1 - number / sessions))
        ids = range(8 * number + 1, 8 * number + 9)
        chunk.append(SESSION.format(f"{at:%Y/%m/%d %H:%M:%S}", number % 400, number % 250, *ids))
        number += 1
        if len(chunk) >= 40:
            block = "".join(chunk).encode()
            made, chunk = made + len(block), []
            yield block
    yield ("".join(chunk) + "Download completed.\r\n").encode()


async def arriving(megabytes: float) -> AsyncIterator[bytes]:
    """Return the log as a download gives it."""
    for block in log(megabytes):
        yield block


def ours(data: bytes, since: datetime | None = NOW - timedelta(days=LATELY)) -> None:
    """Read the log."""
    reader = logreader.Reader(since=since, now=NOW)
    reader.feed(data)
    found = reader.finish()
    assert found.complete, found.ending
    assert not found.damaged
    assert found.jobs


def everything(data: bytes) -> None:
    """Read the log, and keep all of it that is ever kept."""
    ours(data, since=None)


def floor(data: bytes) -> None:
    """Read as many rows."""
    for _ in csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")):
        pass


def timed(work: Callable[[bytes], None], data: bytes) -> float:
    """Return the seconds that a piece of work takes; garbage of what ran before is not its business."""
    gc.collect()
    began = time.perf_counter()
    work(data)
    return time.perf_counter() - began


def peak(megabytes: float) -> None:
    """Read a log as it arrives; print this process's peak in MB, and the seconds."""
    began = time.perf_counter()
    found = asyncio.run(logreader.read(arriving(megabytes), since=None, now=NOW))
    assert found.complete, found.ending
    seconds = time.perf_counter() - began
    import resource

    # Kibibytes, but on macOS bytes (getrusage(2) of each).
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(most / 1e6, seconds, len(found.jobs) + len(found.access))


def in_a_process(megabytes: float) -> list[float]:
    """Return what ``peak`` prints, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.joblog", "--peak", str(megabytes)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        timeout=DEADLINE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"reading {megabytes:g} MB ended with exit status {done.returncode}")
    return [float(figure) for figure in done.stdout.split()]


def measure(rounds: int, size: float, large: float) -> None:
    """Run the rounds, and print the figures."""
    machine = Machine()
    ratio = Row(f"joblog / csv.reader, {size:g} MB", target=SLOWDOWN)
    whole = Row(f"the same with every fact / csv.reader, {size:g} MB")
    mine, least = Row("joblog", unit="s"), Row("csv.reader", unit="s")
    memory = Row(f"peak memory, {large:g} MB", unit="MB", target=MEMORY)
    took = Row(f"joblog and making, {large:g} MB", unit="s")
    # First: a process's peak begins with that of the one which started it.
    most, seconds, kept = in_a_process(large)
    memory.values.append(most)
    took.values.append(seconds)
    data = b"".join(log(size))
    ours(data)  # not counted: the models are built at the first use
    for number in range(rounds):
        machine.spin()
        turn = [(ours, mine), (floor, least)]
        for work, row in reversed(turn) if number % 2 else turn:
            row.values.append(timed(work, data))
        ratio.values.append(mine.values[-1] / least.values[-1])
        whole.values.append(timed(everything, data) / least.values[-1])
    machine.spin()
    title = f"A copier's log, {rounds} rounds; of the large one {kept:,.0f} entries are kept"
    show(title, [ratio, whole, memory, mine, least, took], machine)


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.joblog", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--size", type=float, default=4, help="MB of the log that is timed (default 4)")
    parser.add_argument("--large", type=float, default=400, help="MB of the log whose memory is measured (default 400)")
    parser.add_argument("--peak", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peak:
        peak(options.peak)
        return
    if options.rounds < 1 or min(options.size, options.large) <= 0:
        parser.error("--rounds, --size and --large: at least 1 is needed")
    measure(options.rounds, options.size, options.large)


if __name__ == "__main__":
    main()
