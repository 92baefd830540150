"""``--lf``: what did not hold in the site's latest run is gathered anew, the rest is judged by what was recorded then.

pytest's own cache would not do: it forgets what was skipped, and what it leaves out is not judged at all. Here every
case is judged, so that the result is one whole run, in which each case shows how old its evidence is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from fixtures.evidence import EVIDENCE, subject_of
from plugins import run as runs
from plugins.cases import CASE
from plugins.gathering import planned
from scanproof import carry, history, inputs, ran, seal, store

if TYPE_CHECKING:
    from pathlib import Path

    from plugins.run import Run

HELD = frozenset({"passed", "waived"})


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take pytest's own last-failed plugin out of an acceptance run."""
    if runs.of(config) and (getattr(config.option, "lf", False) or getattr(config.option, "failedfirst", False)):
        for name in ("lfplugin", "lfplugin-collskip", "lfplugin-collwrapper"):
            if config.pluginmanager.has_plugin(name):
                config.pluginmanager.unregister(name=name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose what is carried over from the latest run: what held, and has nothing to do with what did not."""
    run = runs.of(config)
    if run is None or not getattr(config.option, "lf", False):
        return
    folder = history.latest(run.folder, run.site.name, lab=run.site.file.site.lab)
    if folder is None:
        run.notes.append("--lf: no earlier run of this site: everything is gathered.")
        return
    try:
        earlier = _judged(folder)
        _sealed(folder)
        run.stock = stock = carry.open_run(folder, run.site, carry.fingerprint(run.site, config.option.since))
    except store.StoreError as error:
        run.notes.append(f"--lf: nothing is carried over from {folder.name}: {error}; everything is gathered.")
        return
    held = {(case["requirement"], case["subject"]) for case in earlier.cases if case["verdict"] in HELD} - {
        (case["requirement"], case["subject"]) for case in earlier.cases if case["verdict"] not in HELD
    }
    plan, named = planned(items), {item.nodeid: _names(item) for item in items}
    again = [named[item.nodeid] for item in items if _identity(item) not in held]
    run.carried = stock.carried(plan, named.values(), again)
    if plan and run.carried.keys() >= plan.keys():
        run.carried, run.stock = {}, None
        run.notes.append(
            f"--lf: all that rests on evidence held in {folder.name}: everything is gathered, as pytest runs all tests "
            "where none failed."
        )
        return
    anew = sum(bool(keys) and not keys <= run.carried.keys() for keys in named.values())
    _note(run, folder, anew, sum(bool(keys) for keys in named.values()))


def _judged(folder: Path) -> ran.Ran:
    """Read the site's latest run. One before it is no substitute: what failed since is in this one alone.

    Raises:
        store.StoreError: it has no result that can be read.
    """
    if not (folder / ran.FILE).is_file():
        if inputs.gathered(folder) and (folder / seal.NAME).is_file():
            raise store.StoreError(f"it only gathered, and was not judged (judge it with: pytest --evidence={folder})")
        raise store.StoreError("it is the latest run of this site and did not end: it holds no run.json")
    try:
        return ran.read(folder)
    except ran.RanError as error:
        why = f"it is the latest run of this site, and its result can't be read ({error})"
        raise store.StoreError(why) from None


def _sealed(folder: Path) -> None:
    """Make sure that an earlier run is as it was sealed.

    Raises:
        store.StoreError: it was changed, or nothing shows that it was not. A run that is interrupted is sealed too, and
            one that is killed before leaves no run.json: where that stands alone, its manifest was taken away, or the
            disk was full.
    """
    try:
        changes = seal.verify(folder).changes
    except seal.SealError:
        raise store.StoreError(
            f"it has no seal ({seal.NAME} is not there, or can't be read), so nothing shows whether it is as it was "
            "gathered"
        ) from None
    if changes:
        raise store.StoreError(f"it was changed since it was sealed: {changes[0]}")


def _names(item: pytest.Item) -> frozenset[carry.Key]:
    """Return the evidence that a case names."""
    names = [name for name in getattr(item, "fixturenames", ()) if name in EVIDENCE]
    return frozenset((EVIDENCE[name].probe.kind, subject_of(cast("pytest.Function", item), name).key) for name in names)


def _identity(item: pytest.Item) -> tuple[str, str] | None:
    case = item.stash.get(CASE, None)
    return (case.requirement, case.key) if case else None


def _note(run: Run, folder: Path, anew: int, of: int) -> None:
    if not run.carried:
        run.notes.append(f"--lf: nothing is carried over from {folder.name}: all of it has to be gathered anew.")
        return
    run.parts = [*inputs.parts(folder), run.started]
    run.earlier_vantages = inputs.vantages([folder])
    run.notes.append(
        f"--lf: of {of} cases that rest on evidence, {anew} are gathered anew: what did not hold in {folder.name}, "
        "what rests on that, and what changed since. The others are judged by the evidence of then."
    )
