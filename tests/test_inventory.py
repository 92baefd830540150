"""The fleet list itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.subjects import FleetRow

pytestmark = pytest.mark.inventory


@pytest.mark.requirement("INV-1", "{it.label} of the fleet list is usable", level="blocker")
def test_row_is_usable(row: FleetRow, expect: Expect) -> None:
    """Address valid and unique, serial and host name unique, make known; the other rows go on."""
    expect(
        not row.problems,
        expected="a valid address of its own, a known make, and no serial or host name twice",
        observed="; ".join(row.problems) or "all cells can be used",
        remedy="correct the cell in the customer's list, and run again",
    )
