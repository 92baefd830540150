"""The gatherer: each piece once, blocking, circles, places, deadlines, broken probes and interruption."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from scanproof.gather import Caps, Run
from scanproof.kinds import Blocked, Evidence, Facts, Probe, Unproven
from selftests.harness import bench

pytestmark = pytest.mark.filterwarnings("error")


class Seen(Facts):
    """What a probe of these tests observes."""

    word: str


@dataclass(frozen=True)
class Thing:
    key: str

    @property
    def label(self) -> str:
        return f"thing {self.key}"


ONE = Thing("one")
Does = Callable[[Thing, Run], Awaitable[Seen]]


def kind(name: str, does: Does, deadline: float = 5.0) -> Probe[Thing, Seen]:
    return Probe(name, Seen, does, deadline)


def sees(word: str, *, after: float = 0.0) -> Does:
    async def does(thing: Thing, run: Run) -> Seen:
        run.say("**", f"looking at {thing.key}")
        await asyncio.sleep(after)
        return Seen(word=word)

    return does


def raises(error: Exception) -> Does:
    async def does(_thing: Thing, _run: Run) -> Seen:
        raise error

    return does


def needs(*others: Probe[Thing, Seen]) -> Does:
    async def does(thing: Thing, run: Run) -> Seen:
        found = [await run.gather(other, thing) for other in others]
        return Seen(word=" ".join(part.word for part in found))

    return does


async def gathered(*plan: Probe[Thing, Seen], deadline: float = 5.0, **options: Any) -> dict[str, Evidence[Any]]:
    async with bench() as wire:
        await wire.gatherer(**options).collect([(probe, ONE) for probe in plan], deadline=deadline)
        kinds = [evidence.kind for evidence in wire.kept.evidence]
        assert len(kinds) == len(set(kinds)), "each piece is gathered once"
        return {evidence.kind: evidence for evidence in wire.kept.evidence}


async def test_each_piece_is_gathered_once_however_many_ask() -> None:
    times: list[float] = []

    async def base(_thing: Thing, _run: Run) -> Seen:
        times.append(time.monotonic())
        await asyncio.sleep(0.05)
        return Seen(word="b")

    root = kind("root", base)
    found = await gathered(*(kind(f"k{n}", needs(root, root)) for n in range(30)), root)
    assert len(times) == 1
    assert found["k7"].facts == Seen(word="b b")
    assert found["k7"].needs == ("root/one@selftest",) * 2
    assert found["root"].elapsed_ms >= 50


OUTCOMES: list[tuple[str, Exception, str, str, tuple[str, ...]]] = [
    ("blocked", Blocked("NET-2", "no web page", "look at the cable"), "blocked", "no web page", ("NET-2",)),
    ("unproven", Unproven("no password", "set it"), "unproven", "no password", ()),
    ("broken", ZeroDivisionError("oops"), "broken", "RuntimeError: needs root/one@selftest, which broke: ZeroDiv", ()),
]


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "by"), [row[1:] for row in OUTCOMES], ids=[r[0] for r in OUTCOMES]
)
async def test_what_a_prerequisite_comes_to_is_passed_on(
    error: Exception, outcome: str, reason: str, by: tuple[str, ...]
) -> None:
    root = kind("root", raises(error))
    middle = kind("middle", needs(root))
    found = await gathered(kind("leaf", needs(middle)), kind("other", sees("fine")))
    assert [found[name].outcome for name in ("root", "middle", "leaf")] == [outcome] * 3
    assert reason in found["middle"].reason
    assert found["leaf"].blocked_by == by
    assert found["other"].outcome == "observed", "others go on"
    assert found["leaf"].facts is None


async def test_unproven_need_not_block() -> None:
    root = kind("root", raises(Unproven("no vantage")))

    async def tries_anyway(thing: Thing, run: Run) -> Seen:
        try:
            await run.gather(root, thing)
        except Unproven as unproven:
            return Seen(word=f"without: {unproven.reason}")
        raise AssertionError

    found = await gathered(kind("leaf", tries_anyway))
    assert found["leaf"].facts == Seen(word="without: no vantage")
    assert found["leaf"].needs == ("root/one@selftest",)


async def test_a_broken_probe_says_where() -> None:
    found = await gathered(kind("bad", raises(KeyError("x"))))
    assert found["bad"].reason.startswith("KeyError: 'x' (does, line ")
    assert found["bad"].remedy == "this is a defect of Scanproof: report it"


@pytest.mark.parametrize("length", [1, 2, 5])
async def test_a_circle_is_found_at_once(length: int) -> None:
    probes: list[Probe[Thing, Seen]] = []

    def link(number: int) -> Does:
        async def does(thing: Thing, run: Run) -> Seen:
            return await run.gather(probes[(number + 1) % length], thing)

        return does

    probes += [kind(f"k{number}", link(number)) for number in range(length)]
    began = time.monotonic()
    found = await gathered(*probes)
    assert time.monotonic() - began < 1
    assert {evidence.outcome for evidence in found.values()} == {"broken"}
    assert any("evidence needs itself" in evidence.reason for evidence in found.values())


async def test_a_diamond_is_no_circle() -> None:
    root = kind("root", sees("r", after=0.02))
    left, right = kind("left", needs(root)), kind("right", needs(root))
    found = await gathered(kind("top", needs(left, right)), left, right)
    assert found["top"].facts == Seen(word="r r")


async def test_places_of_one_and_a_depth_of_three_do_not_deadlock() -> None:
    def on_the_wire(*others: Probe[Thing, Seen]) -> Does:
        async def does(thing: Thing, run: Run) -> Seen:
            for other in others:
                await run.gather(other, thing)
            async with run.wire("host", "tls", "dns"):
                await asyncio.sleep(0.01)
            return Seen(word="w")

        return does

    low = kind("low", on_the_wire())
    middle = kind("middle", on_the_wire(low))
    caps = Caps(overall=1, target=1, services={"dns": 1})
    tops = [kind(f"top{number}", on_the_wire(middle, low)) for number in range(20)]
    found = await gathered(*tops, middle, caps=caps, deadline=3)
    assert {evidence.outcome for evidence in found.values()} == {"observed"}


@pytest.mark.parametrize(
    ("caps", "at_most"), [(Caps(overall=4), 4), (Caps(target=2), 2), (Caps(services={"dns": 3}), 3)]
)
async def test_no_more_at_once_than_the_caps(caps: Caps, at_most: int) -> None:
    now, most = 0, 0

    async def does(thing: Thing, run: Run) -> Seen:
        nonlocal now, most
        target = "host" if caps.target == 2 else f"host{thing.key}{id(run)}"
        async with run.wire(target, "dns"):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1
        return Seen(word="d")

    await gathered(*(kind(f"k{number}", does) for number in range(20)), caps=caps)
    assert most == at_most


async def test_what_is_late_is_unproven_and_says_so() -> None:
    slow = kind("slow", sees("never", after=60))
    began = time.monotonic()
    found = await gathered(slow, kind("fast", sees("f")), kind("after", needs(slow)), deadline=0.3)
    assert time.monotonic() - began < 2
    assert found["fast"].outcome == "observed"
    assert {found["slow"].outcome, found["after"].outcome} == {"unproven"}
    assert found["slow"].reason == "not finished within the 0.3 s that this run may take"
    assert found["slow"].transcript[0].text == "looking at one", "what was said so far is kept"


async def test_a_probe_has_its_own_deadline() -> None:
    found = await gathered(kind("slow", sees("never", after=60), 0.2), kind("fast", sees("f")))
    assert found["slow"].outcome == "unproven"
    assert found["slow"].reason == "the slow probe did not end within 0.2 s"


async def test_waiting_for_others_is_not_charged() -> None:
    root = kind("root", sees("r", after=0.8))
    found = await gathered(kind("leaf", needs(root), 0.2))
    assert found["leaf"].outcome == "observed"


async def test_waiting_for_a_place_is_not_charged() -> None:
    async def does(_thing: Thing, run: Run) -> Seen:
        async with run.wire("host"):
            await asyncio.sleep(0.15)
        return Seen(word="h")

    found = await gathered(*(kind(f"k{number}", does, 0.4) for number in range(6)), caps=Caps(target=1))
    assert {evidence.outcome for evidence in found.values()} == {"observed"}


async def test_a_shared_thing_is_made_once_and_its_failure_is_shared() -> None:
    made: list[int] = []

    async def make() -> str:
        made.append(1)
        await asyncio.sleep(0.01)
        raise Unproven("no key", "buy one")

    async def does(_thing: Thing, run: Run) -> Seen:
        return Seen(word=await run.once("thing", make))

    found = await gathered(*(kind(f"k{number}", does) for number in range(5)))
    assert len(made) == 1
    assert {(evidence.outcome, evidence.remedy) for evidence in found.values()} == {("unproven", "buy one")}


async def test_a_shared_thing_that_nobody_awaits_may_fail_in_silence() -> None:
    async def make() -> str:
        raise Unproven("no key")

    async def does(_thing: Thing, run: Run) -> Seen:
        run.begin("thing", make)
        await asyncio.sleep(0.01)
        return Seen(word="without")

    found = await gathered(kind("k", does))  # the bench fails where the loop complains
    assert found["k"].outcome == "observed"


async def test_interruption_leaves_what_was_done() -> None:
    async def acts(_thing: Thing, run: Run) -> Seen:
        run.intent("send a mail")
        await asyncio.sleep(60)
        raise AssertionError

    async with bench() as wire:
        plan = [(kind("fast", sees("f")), ONE), (kind("act", acts), ONE)]
        task = asyncio.ensure_future(wire.gatherer().collect(plan, deadline=60))
        await asyncio.sleep(0.1)
        pending = [other for other in asyncio.all_tasks() if other.get_name() == "act/one"]
        for other in (task, *pending):  # as asyncio.run does on Ctrl-C
            other.cancel()
        await asyncio.gather(task, *pending, return_exceptions=True)
    assert task.cancelled()
    assert [evidence.kind for evidence in wire.kept.evidence] == ["fast"]
    assert wire.kept.intents == [("act", "one", "send a mail")]


async def test_a_sink_that_breaks_is_not_passed_over() -> None:
    async with bench() as wire:
        add = wire.kept.add

        def fails(evidence: Evidence[Any]) -> None:
            if evidence.kind == "bad":
                raise ValueError("can't be kept")
            add(evidence)

        wire.kept.add = fails  # type: ignore[method-assign]
        with pytest.raises(ValueError, match="can't be kept"):
            await wire.gatherer().collect([(kind(name, sees("x")), ONE) for name in ("bad", "good")], deadline=5)
    assert [evidence.kind for evidence in wire.kept.evidence] == ["good"]


async def test_a_thousand_probes_share_one_piece() -> None:
    root = kind("root", sees("r"))
    found = await gathered(*(kind(f"k{number}", needs(root)) for number in range(1000)))
    assert len(found) == 1001
