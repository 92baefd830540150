"""Wiring only: the plugins (pytest's hooks) and the fixture modules of the acceptance suite."""

import gc

import pytest

pytest.register_assert_rewrite("fixtures", "plugins")  # they import each other before pytest comes to them
gc.disable()  # until all is loaded and collected (plugins/gathering.py): neither leaves garbage to look for

pytest_plugins = [
    "fixtures.expect",
    "fixtures.subjects",
    "plugins.options",
    "plugins.run",
    "plugins.baseline",
    "plugins.cases",
    "plugins.records",
    "plugins.terminal",
    "plugins.caseshtml",
]
# These load the probes, and with them every client library: a demo's lab starts meanwhile.
PROBING = ("fixtures.evidence", "plugins.gathering", "plugins.verdicts", "plugins.rerun")


def pytest_configure(config: pytest.Config) -> None:
    """Load the rest, after the site was read and its lab was launched (plugins/run.py comes first)."""
    for name in PROBING:
        config.pluginmanager.import_plugin(name)
