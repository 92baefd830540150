"""What every benchmark prints: ratios with their spread, the machine, and whether it was quiet."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field

SPIN = 1_500_000  # steps of the fixed work by which the machine itself is timed: about a tenth of a second
NOISY = 1.3  # slowest over fastest of that work: a quiet machine stays below


@dataclass
class Row:
    """One figure, measured once a round.

    Attributes:
        name: what is divided by what.
        values: one a round.
        unit: ``x`` for a ratio, ``s`` for seconds (context only: seconds of two machines can't be compared).
        target: what its median should not exceed; None where there is no target.
    """

    name: str
    values: list[float] = field(default_factory=list)
    unit: str = "x"
    target: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def cells(self) -> tuple[str, ...]:
        spread = [f"{value:.2f}" for value in (min(self.values), self.median, max(self.values))]
        verdict = "" if self.target is None else "met" if self.median <= self.target else "MISSED"
        target = "" if self.target is None else f"≤ {self.target:.2f}"
        return (self.name, self.unit, *spread, target, verdict)


@dataclass
class Machine:
    """The machine as this run found it: the same work is timed each round, and should take the same time."""

    spins: list[float] = field(default_factory=list)

    def spin(self) -> None:
        """Time the fixed work once."""
        began = time.perf_counter()
        total = 0
        for number in range(SPIN):
            total += number
        self.spins.append(time.perf_counter() - began)

    def lines(self) -> list[str]:
        """Say what the machine is, and whether other work disturbed it."""
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        found = [f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}{load}"]
        if len(self.spins) > 1:
            drift = max(self.spins) / min(self.spins)
            said = "NOISY: other work ran meanwhile; run again when it is quiet" if drift > NOISY else "quiet"
            found.append(f"the same work took {drift:.2f} times as long in the slowest round as in the fastest: {said}")
        return found


def show(title: str, rows: list[Row], machine: Machine) -> None:
    """Print a table of figures, and the machine."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a Windows console may not know "≤"
    table = [("", "unit", "min", "median", "max", "target", ""), *(row.cells() for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    print(title)
    for cells in table:
        first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print("  ".join([first, *others]).rstrip())
    for line in machine.lines():
        print(line)
