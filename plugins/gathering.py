"""Plan and gather: before the first case, everything that the collected cases name, at once."""

from __future__ import annotations

import asyncio
import gc
import secrets as entropy
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from fixtures.evidence import EVIDENCE, subject_of
from plugins import attended, options
from plugins import run as runs
from plugins.progress import Progress, teller
from scanproof import carry, inputs, network, store
from scanproof.gather import Gatherer, spare_the_collector
from scanproof.network import Network, Vantage
from scanproof.secrets import Secrets
from scanproof.vantage import standing as vantages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from plugins.run import Run
    from scanproof.kinds import Probe, Subject

DEADLINE = 1800.0  # seconds for everything that a run gathers


def pytest_sessionstart(session: pytest.Session) -> None:
    """Take SIGTERM and SIGHUP as Ctrl-C: a run that is ended so keeps its evidence and writes its report."""
    if runs.of(session.config) is not None:
        session.config.add_cleanup(_when_ended(_interrupt))


def _when_ended(handler: Callable[[int, FrameType | None], object]) -> Callable[[], None]:
    """Let a handler have the signals that end a run, and return what puts the former ones back.

    They are not raised anew as SIGINT: a shell without job control starts what stands before ``&`` with that ignored.
    """
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # no SIGHUP on Windows
    taken = [it for it in numbers if signal.getsignal(it) is not signal.SIG_IGN]  # as nohup has it
    before = {number: signal.signal(number, handler) for number in taken}

    def put_back() -> None:
        for number, former in before.items():
            signal.signal(number, former)

    return put_back


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    """Gather, then let pytest judge; with ``--gather-only`` there is nothing to judge."""
    # What was imported and collected lives as long as this process: looking through it at each collection of
    # garbage, on the loop and at pytest's end, costs two tenths of a second.
    spare_the_collector()
    run = runs.of(session.config)
    option = session.config.option
    if run is None or options.looks_only(session.config) or session.testsfailed:
        return None
    if not session.items:
        return None
    plan = planned(session.items)
    run.parts = run.parts or [run.started]
    if run.recorded is not None:
        _recall(run, plan)
        run.gathered_at = time.monotonic()
        told = [inputs.told(folder) for folder in run.runs]
        runs.write_inputs(run, told[0] if all(it == told[0] for it in told) else {})
        if all(inputs.gathered(folder) for folder in run.runs):
            inputs.mark_gathered(run.folder)
        return None
    try:
        _gather(session.config, run, {key: it for key, it in plan.items() if key not in run.carried})
    except KeyboardInterrupt:
        run.interrupted = True
        raise
    gc.freeze()  # nor is the evidence garbage before the end
    return True if option.gather_only else None


def planned(items: Iterable[pytest.Item]) -> dict[tuple[str, str], tuple[Probe[Any, Any], Subject]]:
    """Return the evidence that cases name by their fixtures: kind and subject, each once."""
    plan: dict[tuple[str, str], tuple[Probe[Any, Any], Subject]] = {}
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in EVIDENCE:
                probe = EVIDENCE[name].probe
                subject = subject_of(cast("pytest.Function", item), name)
                plan[probe.kind, subject.key] = (probe, subject)
    return plan


def _recall(run: Run, plan: dict[tuple[str, str], tuple[Probe[Any, Any], Subject]]) -> None:
    recorded = run.recorded or {}
    for key, (probe, subject) in plan.items():
        if key in recorded:
            run.evidence[key] = store.recall(probe, recorded[key][0], subject)


def _gather(config: pytest.Config, run: Run, plan: dict[tuple[str, str], tuple[Probe[Any, Any], Subject]]) -> None:
    wire, secrets = _start(config, run)
    run.vantages = [wire.vantage, *vantages.stated(run.site, wire.vantage)]
    runs.write_inputs(run, carry.fingerprint(run.site, config.option.since))
    writer = run.writer = store.Writer(run.folder / store.FILE)
    kept, damaged = attended.kept(run)
    if damaged:
        run.notes.append(f"The codes of earlier attended walks were not used: {damaged}.")
    token = f"{run.started:%y%m%d%H%M%S}{entropy.token_hex(3)}"
    gatherer = Gatherer(
        run.site,
        wire,
        secrets,
        writer,
        token=token,
        sends_mail=not config.option.no_send,
        teller=teller(config),
        since=config.option.since,
        codes={it.code: it.copier for it in kept},
    )
    began = time.monotonic()
    try:
        asyncio.run(_collect(config, run, gatherer, plan))
        with suppress(OSError, ValueError):  # a full disk: said where the evidence was to be written
            inputs.mark_gathered(run.folder)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        wire.close()
        run.gathered_at = time.monotonic()
        run.gather_seconds = run.gathered_at - began
        by_key = {(evidence.kind, evidence.subject): evidence for evidence in writer.kept.values()}
        run.evidence.update(by_key)
        _carry(run, writer)
        writer.close()


def _carry(run: Run, writer: store.Writer) -> None:
    """Take over what an earlier run gathered (--lf), where this one has not gathered the same on its way."""
    if run.stock is None:
        return
    kept = {key: piece for key, piece in run.carried.items() if key not in run.evidence}
    for piece in kept.values():
        writer.add(piece)
    for record in run.stock.beneath(kept):
        if record.get("id") not in writer.kept:
            writer.copy(record)
    run.evidence.update(kept)


async def _collect(
    config: pytest.Config,
    run: Run,
    gatherer: Gatherer,
    plan: dict[tuple[str, str], tuple[Probe[Any, Any], Subject]],
) -> None:
    loop, whole = asyncio.get_running_loop(), asyncio.current_task()
    assert whole
    # As asyncio itself has Ctrl-C do it: what is under way is cancelled, and closed in order.
    put_back = _when_ended(lambda _number, _frame: loop.call_soon_threadsafe(whole.cancel))
    try:
        if config.option.attended:
            await attended.walk(config, run, gatherer, plan.values())
        progress = Progress(config, gatherer)
        shown = asyncio.create_task(progress.show())
        if not config.option.gather_only:
            loop.run_in_executor(None, _prepare_documents)
        try:
            await gatherer.collect(plan.values(), deadline=DEADLINE)
        finally:
            shown.cancel()
            progress.end()
    finally:
        put_back()


def _prepare_documents() -> None:
    """Load what the documents are made by, in a thread, while the loop waits for the network."""
    from plugins import documents  # noqa: PLC0415 - this is the moment for it

    with suppress(Exception):  # what can't be loaded is said where it is needed
        documents.prepare()


def _start(config: pytest.Config, run: Run) -> tuple[Network, Secrets]:
    """Return the wire and the secrets of this run: the lab's own for a simulated site."""
    if run.site.file.site.lab:
        from plugins import simulated  # noqa: PLC0415 - a run at a real site has no use for the lab

        return simulated.start(config, run)
    one_each = {copier.subnet: copier.address for copier in run.site.copiers}
    return Network(Vantage(run.site.machine, network.own_addresses(one_each.values()))), Secrets()
