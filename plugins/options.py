"""The command line options of an acceptance run (docs/options.md)."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


# pytest takes an existing path after a blank for one of its own, and looks for its settings there instead of here.
_WITH_EQUALS = "; write it with ="


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("scanproof", "Scanproof: an acceptance run")
    add = group.addoption
    add(
        "--site",
        metavar="DIR",
        help=f"the site folder: site.toml and its workbook (default: inventory/demo){_WITH_EQUALS}",
    )
    add("--signoff", action="store_true", help="blocked and unproven blocker cases fail the run")
    add("--no-send", action="store_true", help="send no test mail; the cases that need one are unproven")
    add("--attended", action="store_true", help="walk a person in a terminal to one copier a subnet, to scan there")
    add(
        "--since",
        metavar="DATE",
        type=_moment,
        help="count scans and log rows from this moment (default: the site's last change, else its cut-over)",
    )
    add(
        "--evidence",
        metavar="RUN",
        action="append",
        default=[],
        help=f"judge a run's recorded evidence instead of gathering; several are merged{_WITH_EQUALS}",
    )
    add(
        "--baseline",
        metavar="RUN",
        help=f"say what changed since an earlier run, in the terminal and the report{_WITH_EQUALS}",
    )
    add("--gather-only", action="store_true", help="gather and store evidence, judge nothing")
    add("--discover", action="store_true", help="sweep the site's subnets for copiers that the list lacks")
    add("--run-dir", metavar="DIR", help=f"where this run is written (default: reports/SITE-TIME){_WITH_EQUALS}")
    add(
        "--lab-fault", metavar="NAME", action="append", default=[], help="break the demo site this way; may be repeated"
    )
    add("--lab-scenario", metavar="NAME", help="a named set of faults: healthy, as-found, as-found-old-tls")
    add(
        "--lab-network",
        choices=("loopback", "namespaces", "auto"),
        default="loopback",
        help="the network that the demo site is simulated in",
    )


def _moment(text: str) -> datetime:
    """Return the moment that a date, or date and time, of ISO 8601 names; this machine's zone where it has none."""
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text} is no date; write 2026-11-23 or 2026-11-23T08:00:00+01:00") from None
    if moment > datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"{text} is in the future: nothing could count")
    return moment


def acceptance(config: pytest.Config) -> bool:
    """Tell whether this is an acceptance run: ``tests/`` is among what is collected.

    ``pytest selftests`` loads the same conftest; there, these plugins do nothing.
    """
    if config.option.help or config.option.version:
        return False
    return any(_inside(argument, config.rootpath / "tests", config) for argument in config.args)


def _inside(argument: str, tests: Path, config: pytest.Config) -> bool:
    path = (config.invocation_params.dir / argument.split("::", 1)[0]).resolve()
    tests = tests.resolve()
    return path == tests or tests in path.parents or path in tests.parents


def looks_only(config: pytest.Config) -> bool:
    """Tell whether pytest was asked only to show something: then nothing is gathered and nothing written."""
    names = ("collectonly", "setupplan", "setuponly", "showfixtures", "show_fixtures_per_test", "cacheshow", "markers")
    return any(getattr(config.option, name, False) for name in names)


def refuse(config: pytest.Config) -> None:
    """Refuse what would make a run wrong or unsafe.

    Raises:
        pytest.UsageError: one clear line.
    """
    option = config.option
    if getattr(option, "numprocesses", None) or getattr(option, "dist", "no") != "no" or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "-n (xdist) can't be used for an acceptance run: each worker would send every test mail and try every "
            "password again. A run is concurrent by itself; leave -n out"
        )
    if getattr(option, "looponfail", False):
        raise pytest.UsageError("--looponfail can't be used for an acceptance run: it would send mail at each change")
    if option.showlocals:
        raise pytest.UsageError(
            "--showlocals can't be used for an acceptance run: it would print secrets; leave it out"
        )
    gathering = ("gather_only", "attended", "since", "discover", "lab_fault", "lab_scenario", "lf")
    for name in gathering if option.evidence else ():
        if getattr(option, name, False):
            raise pytest.UsageError(
                f"--evidence judges what was recorded: it can't go with --{name.replace('_', '-')}, which gathers"
            )
