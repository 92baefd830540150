"""The command line options of an acceptance run (docs/options.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("scanproof", "Scanproof: an acceptance run")
    add = group.addoption
    add("--site", metavar="DIR", help="the site folder: site.toml and its workbook (default: inventory/demo)")
    add("--signoff", action="store_true", help="blocked and unproven blocker cases fail the run")
    add("--no-send", action="store_true", help="send no test mail; the cases that need one are unproven")
    add(
        "--evidence",
        metavar="RUN",
        action="append",
        default=[],
        help="judge a run's recorded evidence instead of gathering; several are merged",
    )
    add("--gather-only", action="store_true", help="gather and store evidence, judge nothing")
    add("--run-dir", metavar="DIR", help="where this run is written (default: reports/SITE-TIME)")
    add(
        "--lab-fault", metavar="NAME", action="append", default=[], help="break the demo site this way; may be repeated"
    )
    add("--lab-scenario", metavar="NAME", help="a named set of faults: healthy, as-found")
    add(
        "--lab-network",
        choices=("loopback", "namespaces", "auto"),
        default="loopback",
        help="the network that the demo site is simulated in",
    )


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
    if option.evidence and (option.gather_only or option.lab_fault or option.lab_scenario):
        raise pytest.UsageError(
            "--evidence judges what was recorded: it can't go with --gather-only, --lab-fault or --lab-scenario"
        )
