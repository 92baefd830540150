"""The fleet list itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof.discovery import rules

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.discovery.facts import Unlisted
    from scanproof.site import Site
    from scanproof.subjects import FleetRow, NetSubject

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


@pytest.mark.requirement("INV-3", "subnet {it.label} holds no unlisted copier", level="advice")
def test_holds_no_unlisted_copier(swept_subnet: NetSubject, unlisted: Unlisted, site: Site, expect: Expect) -> None:
    """A sweep (`--discover`), or a scanner's or print server's list, shows no copier that the fleet list lacks."""
    missing, doubtful = rules.missing(unlisted, site), rules.doubtful(unlisted, site)
    expect(
        not missing,
        expected=f"every copier in {swept_subnet.key} on the fleet list",
        observed="; ".join([*missing, unlisted.seen]),
        remedy="add it to the list, or take it out of use; one that is no copier: [fleet] no_copiers in site.toml",
        grade="" if unlisted.sweep else "attested",
    )
    expect.proven(
        not doubtful,
        "; ".join([*doubtful, unlisted.seen]),
        "look what takes print jobs there: add it to the list, or state it as [fleet] no_copiers in site.toml",
    )
    why = rules.untold(unlisted, site)
    expect.proven(not why, f"{why}; {unlisted.seen}", "sweep from this subnet (--discover), or import a fresh list")
