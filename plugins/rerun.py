"""``--lf`` and ``--ff``: by the site's latest run, not by pytest's cache, which forgets what was skipped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from plugins import run as runs
from plugins.gathering import planned

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = frozenset({"failed", "blocked", "unproven", "error", "advice"})


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take pytest's own last-failed plugin out of an acceptance run."""
    if runs.of(config) and (getattr(config.option, "lf", False) or getattr(config.option, "failedfirst", False)):
        for name in ("lfplugin", "lfplugin-collskip", "lfplugin-collwrapper"):
            if config.pluginmanager.has_plugin(name):
                config.pluginmanager.unregister(name=name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what did not hold in the latest run, and every case that shares evidence with it."""
    run = runs.of(config)
    if run is None or not getattr(config.option, "lf", False):
        return
    latest = latest_run(run.folder.parent, run.site.name)
    if latest is None:
        run.notes.append("--lf: no earlier run of this site: everything is run.")
        return
    folder, cases = latest
    again = {case["id"] for case in cases if case["verdict"] in AGAIN}
    known = {case["id"] for case in cases}
    chosen = [item for item in items if item.nodeid in again or item.nodeid not in known]
    evidence = planned(chosen).keys()
    kept = [item for item in items if item in chosen or evidence & planned([item]).keys()]
    run.notes.append(f"--lf: {len(kept)} of {len(items)} cases, by what did not hold in {folder.name}.")
    if len(kept) < len(items):
        left = [item for item in items if item not in kept]
        items[:] = kept
        config.hook.pytest_deselected(items=left)


def latest_run(base: Path, site: str) -> tuple[Path, list[dict[str, Any]]] | None:
    """Return a site's latest judged run below a folder, and its cases."""
    found: list[tuple[str, Path, list[dict[str, Any]]]] = []
    for path in base.glob("*/run.json"):
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            if run["site"]["name"] == site:
                cases = [{"id": str(case["id"]), "verdict": str(case["verdict"])} for case in run["cases"]]
                found.append((str(run["started"]), path.parent, cases))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return max(found, key=lambda one: one[0])[1:] if found else None
