"""Limits that our own work can't use up, and a gate that follows what the loop keeps up with."""

from __future__ import annotations

import asyncio
import time

import pytest

from scanproof import gather
from scanproof.network import Deadlines
from scanproof.patience import Gate, clock, within
from scanproof.probes.web import http_page, https_page
from selftests import certs
from selftests.harness import bench, demo, hang, sends

pytestmark = pytest.mark.filterwarnings("error")

PAGE = b"HTTP/1.1 200 OK\r\n\r\n<title>T</title>"


async def test_a_limit_passes() -> None:
    limit, began = within(0.1), time.monotonic()
    with pytest.raises(TimeoutError):
        async with limit:
            await asyncio.sleep(60)
    assert limit.passed
    assert time.monotonic() - began >= 0.1


async def test_no_limit() -> None:
    async with within(None):
        await asyncio.sleep(0.01)


async def busy(seconds: float, times: int) -> None:
    """Keep the loop from its turns, as much work does."""
    for _ in range(times):
        time.sleep(seconds)  # noqa: ASYNC251
        await asyncio.sleep(0)


async def test_our_own_work_does_not_use_up_a_limit() -> None:
    """More of the wall clock than the limit, of which the loop looked for answers hardly any."""
    began = time.monotonic()
    async with within(0.6):
        await busy(0.4, 2)
    assert time.monotonic() - began > 0.6


async def test_what_arrived_in_the_turn_in_which_the_limit_passed_is_in_time() -> None:
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    async with within(0.05):
        loop.call_later(0.05, answer.set_result, "here")
        time.sleep(0.08)  # noqa: ASYNC251 - both are due when the loop looks again
        assert await answer == "here"


async def test_a_loop_with_much_to_do_still_comes_to_a_limit() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with within(0.3):
            await busy(0.02, 10_000)
    assert time.monotonic() - began >= 0.3


async def test_a_cancellation_from_outside_is_no_time_out() -> None:
    async def waits() -> None:
        async with within(60):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_two_limits_the_inner_one_passes_alone() -> None:
    async with within(60):
        with pytest.raises(TimeoutError):
            async with within(0.02):
                await asyncio.sleep(60)


async def test_the_clock_stands_still_when_nobody_goes_by_it() -> None:
    async with within(1):
        pass
    await asyncio.sleep(0.12)
    assert clock()._beating is None


async def test_a_gate_opens_while_the_loop_is_in_time_and_many_wait() -> None:
    gate, inside, most = Gate(), 0, 0

    async def waits() -> None:
        nonlocal inside, most
        await gate.acquire()
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.2)
        inside -= 1
        gate.release()

    await asyncio.gather(*(waits() for _ in range(200)))
    assert most > 2 * Gate.LEAST
    assert gate.inside == 0


def test_a_gate_closes_when_the_loop_is_late() -> None:
    gate = Gate()
    gate.limit = 200
    gate._adapt(Gate.LATE * 2)
    assert gate.limit == 150
    for _ in range(20):
        gate._adapt(Gate.LATE * 2)
    assert gate.limit == Gate.LEAST


def test_a_gate_that_nobody_waits_at_opens_no_further() -> None:
    gate = Gate()
    gate._adapt(0.0)
    assert gate.limit == Gate.LEAST


async def test_who_gives_up_waiting_takes_no_place() -> None:
    gate = Gate()
    gate.limit = 1
    await gate.acquire()
    waiting = [asyncio.ensure_future(gate.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.release()  # lets in the second
    waiting[1].cancel()  # which has been let in and does not know it yet
    await asyncio.wait_for(waiting[2], 5)
    assert gate.inside == 1
    gate.release()
    assert gate.inside == 0


async def test_devices_that_stall_in_the_handshake_hold_up_no_other() -> None:
    """More than the gate begins with accept and say nothing; the last one answers."""
    copiers = demo().copiers
    async with bench(deadlines=Deadlines(connect=20, tls=20, response=20)) as wire:
        for copier in copiers[:-1]:
            await wire.serve(f"{copier.address}:443", hang)
        await wire.serve(f"{copiers[-1].address}:443", sends(PAGE), tls=certs.context("RNP"))
        gatherer = wire.gatherer()
        assert len(copiers) - 1 > gatherer._handshakes.limit
        gathering = asyncio.ensure_future(gatherer.collect([(https_page, it) for it in copiers], deadline=60))
        await asyncio.sleep(0)
        found = await gatherer.evidence(https_page, copiers[-1])
        stalled = sum(not task.done() for task in gatherer._tasks.values())
        gathering.cancel()
        await asyncio.wait([gathering])
    assert found.facts
    assert found.facts.status == 200
    assert stalled == len(copiers) - 1


async def test_a_page_that_came_while_the_loop_was_busy_is_seen() -> None:
    copier = demo().copiers[0]
    async with bench() as wire:  # its deadlines are 0.9 s
        await wire.serve(f"{copier.address}:80", sends(PAGE))
        work = asyncio.ensure_future(busy(0.4, 4))
        page = await wire.observe(http_page, copier)
        await work
    assert (page.status, page.trouble) == (200, "")


def test_a_run_may_have_as_many_sockets_as_the_system_allows() -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
        found = gather.sockets()
        assert found + 128 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert found + 128 >= min(10_240, before[1] if before[1] > 0 else 10_240)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
