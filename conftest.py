"""Wiring only: the plugins (pytest's hooks) and the fixture modules of the acceptance suite."""

import pytest

pytest.register_assert_rewrite("fixtures", "plugins")  # they import each other before pytest comes to them

pytest_plugins = [
    "fixtures.expect",
    "fixtures.evidence",
    "fixtures.subjects",
    "plugins.options",
    "plugins.run",
    "plugins.cases",
    "plugins.gathering",
    "plugins.verdicts",
    "plugins.rerun",
    "plugins.terminal",
    "plugins.records",
    "plugins.caseshtml",
]
