"""Applications' reports in the test mailboxes: each attributed to one application, its route told by its headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.applications.facts import Report
from scanproof.kinds import Unproven, probe
from scanproof.tenant import mails

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Application, Copier, Site
    from scanproof.tenant.mails import Listed


@probe(Report, deadline=600)
async def report(application: Application, run: Run) -> Report:
    """Look for the newest report of an application in the test mailboxes: it tells the present state."""
    if lacking := _lacking(application, run.site):
        raise Unproven(lacking, "state subject of its [[application]]: words that stand in its subject alone")
    listed, unread = await mails.everywhere(run)
    own = [mail for mail in listed if _whose(mail, run) == application]
    if not own:
        if unread:
            raise next(iter(unread.values()))
        seen = f"no mail of this application since {mails.since(run):%Y-%m-%d %H:%M} UTC in {mails.named(run)}"
        remedy = "have it send its report to a test recipient as well"
        raise Unproven(f"{seen} ({_by(application)})", remedy, "report-missing")
    newest = max(own, key=lambda mail: mail.received)
    return Report(attributed_by=tuple(_by(application).split(", ")), **newest.facts)


def _by(application: Application) -> str:
    told = [f"sender {application.sender}" if application.sender else ""]
    told += [f"“{application.subject}” in its subject" if application.subject else ""]
    return ", ".join(part for part in told if part)


def _lacking(application: Application, site: Site) -> str:
    """Say why no mail can be told to be an application's: what it states is true of others' mail too."""
    if application.subject:
        return ""
    if application.sender is None:
        return "neither its sender nor its subject is stated"
    others: list[Copier | Application] = [*site.copiers, *site.applications]
    if any(part.sender == application.sender for part in others if part.key != application.key):
        return f"{application.sender} sends for others too, and no subject is stated by which its mail is known"
    return ""


def _whose(mail: Listed, run: Run) -> Application | None:
    """Return the application that a mail is from: of several that fit, the one with the longest subject."""
    address, subject = mail.person("from")[0], mail.subject.lower()
    fitting = [
        part
        for part in run.site.applications
        if part.sender in {None, address} and part.subject.lower() in subject and not _lacking(part, run.site)
    ]
    longest = max((len(part.subject) for part in fitting), default=0)
    best = [part for part in fitting if len(part.subject) == longest]
    return best[0] if len(best) == 1 else None
