"""The copiers' own logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.devices.logs import OwnLog
    from scanproof.site import Copier, Site

pytestmark = pytest.mark.log


@pytest.mark.requirement("LOG-1", "the log of copier {it.label} shows the scan sent", level="advice")
def test_log_shows_the_scan(representative: Copier, own_log: OwnLog, expect: Expect) -> None:
    """A scan that went out by e-mail since the last change; the one of the arrived mail, where there is one."""
    expect.proven(own_log.usable, own_log.why_not, remedies.own_log(own_log))
    expect.proven(not own_log.untold_mail, own_log.untold_mail, "settle DLV-2 first")
    expect.proven(own_log.shows_scans, own_log.unclear or own_log.seen, "make a scan from it, and look at its job log")
    expect(
        bool(own_log.sent) and own_log.matches_mail is not False,
        expected="a scan by e-mail that was sent since the last change, matching the mail that arrived",
        observed=own_log.seen,
        grade=own_log.grade,
        remedy="make a scan to a test recipient, and look at the job log at the device",
    )


@pytest.mark.requirement("LOG-2", "no scan of copier {it.label} failed since the last change", level="advice")
def test_no_scan_failed(copier: Copier, own_log: OwnLog, site: Site, expect: Expect) -> None:
    """No e-mail in its log failed since the last change; a cancelled scan, or one to a folder, is no such failure."""
    expect.proven(own_log.usable, own_log.why_not, remedies.own_log(own_log))
    expect(
        not own_log.failed,
        expected="no scan that failed as an e-mail",
        observed="; ".join((*own_log.failed[:5], own_log.seen)),
        grade=own_log.grade,
        remedy=remedies.failed_scan(own_log.failed[-1] if own_log.failed else "", copier, site),
    )
    expect.proven(not own_log.unclear, own_log.unclear, "look at these jobs in the device's own job log")


@pytest.mark.requirement("LOG-3", "this run changed nothing at copier {it.label}", level="blocker")
def test_run_changed_nothing(logging_copier: Copier, own_log: OwnLog, expect: Expect) -> None:
    """Its access log shows no change by our account in our session; not applicable where a site states it has none."""
    expect.proven(
        own_log.usable and own_log.logs_access,
        own_log.why_not or own_log.no_access,
        remedies.access_log(own_log),
    )
    expect(
        not own_log.changes,
        expected=f"no change by {own_log.user} while this run was signed in",
        observed="; ".join(own_log.changes[:5]) or own_log.seen,
        grade=own_log.grade,
        remedy="this is a defect of Scanproof, or somebody used the same account at that moment: report it",
    )
