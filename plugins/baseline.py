"""``--baseline RUN``: what changed since an earlier run; it leaves verdicts and exit status as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugins import run as runs
from scanproof import compare, ran
from scanproof.redact import scrub, scrub_all

if TYPE_CHECKING:
    from plugins.run import Run


def pytest_configure(config: pytest.Config) -> None:
    """Read the baseline before anything is probed: one that can't be compared with is a mistake of the command line."""
    run, given = runs.of(config), config.option.baseline
    if run is None or not given:
        return
    if config.option.gather_only:
        raise pytest.UsageError("--gather-only judges nothing, so there is nothing to compare with a --baseline")
    try:
        run.baseline = found = ran.read(config.invocation_params.dir / given)
    except ran.RanError as error:
        raise pytest.UsageError(scrub(f"--baseline: {error}")) from None
    if found.site != (run.site.name, run.site.file.site.lab):
        raise pytest.UsageError(
            scrub(f"--baseline={given}: is a run of {found.kind}, and this is one of {run.site.name!r}: name one of it")
        )


def compared(run: Run, content: dict[str, Any]) -> dict[str, Any] | None:
    """Compare a run with its baseline, as ``run.json`` tells it; None where it has none.

    Args:
        run: the run; keeps the comparison, for the terminal.
        content: what its ``run.json`` will hold.
    """
    if run.baseline is None:
        return None
    run.compared = compare.compare(run.baseline, ran.of_content(content, run.folder.name))
    told: dict[str, Any] = scrub_all(run.compared.as_json())
    return told
