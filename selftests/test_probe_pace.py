"""The rate of a mailbox is kept by the suite itself."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

from scanproof.gather import Run
from scanproof.network import Vantage
from scanproof.subjects import Domain


def test_no_more_than_the_rate_within_any_window() -> None:
    places: dict[str, asyncio.Semaphore] = {}
    gatherer = SimpleNamespace(
        paces={},
        place=lambda name: places.setdefault(name, asyncio.Semaphore(1)),
        network=SimpleNamespace(vantage=Vantage("here")),
    )
    run = Run(cast("Any", gatherer), "submission", Domain("northfield.example"))

    async def send() -> list[float]:
        times: list[float] = []

        async def one() -> None:
            await run.pace("mailbox scan@northfield.example", 3, 0.2)
            times.append(time.monotonic())

        await asyncio.gather(*(one() for _ in range(9)))
        return sorted(times)

    times = asyncio.run(send())
    assert len(times) == 9
    # Any four in a row are at least a window apart, but for a clock's tick.
    assert all(later - earlier >= 0.19 for earlier, later in zip(times, times[3:], strict=False))
    assert times[-1] - times[0] < 1.5
