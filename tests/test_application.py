"""Applications without a web page, which mail their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies
from scanproof.applications import rules
from scanproof.routes import agree

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.applications.facts import Connections, Report
    from scanproof.site import Application, Site

pytestmark = pytest.mark.application


@pytest.mark.requirement("APP-1", "the mail host of application {it.label} is updated", level="blocker")
def test_mail_host_is_updated(application: Application, connections: Connections, site: Site, expect: Expect) -> None:
    """A connection table saved on its machine since the last change: to the route's host, and to no retired one."""
    other = rules.of_another(connections, application)
    expect.proven(not other, f"{other}; {connections.seen}", remedies.table(application))
    wrong, host = rules.elsewhere(connections, site), site.services[application.route].host
    untold = rules.untold(connections, application, site)
    expect.proven(bool(wrong) or not untold, f"{untold}; {connections.seen}", remedies.connections(connections, host))
    expect(
        not wrong,
        expected=f"connections to {host} alone, for {application.route}",
        observed="; ".join([*wrong, connections.seen]),
        remedy=f"enter {host} as the application's mail server, restart it, and save the table again",
        grade="attested",
    )


@pytest.mark.requirement("APP-2", "the report of application {it.label} arrives", level="blocker")
def test_report_arrives(application: Application, report: Report, expect: Expect) -> None:
    """A mail since the last change that is this application's, in the Inbox, by its route as two headers show."""
    expect(
        report.folder == "Inbox", expected="the report in an Inbox", observed=report.seen, remedy=remedies.stray(report)
    )
    expect(
        agree(report.signs, application.route),
        expected=f"two headers that agree on {application.route}",
        observed=report.seen,
        remedy=remedies.OTHER_ROUTE,
    )
