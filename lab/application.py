"""Applications of the simulated site: the report that each has sent, and the connections that its machine has.

The report is one of two hours ago, before whatever was broken since: it is handed to the mail service's delivery, and
not sent by a dialogue of its own. The table is what a person at the machine would have saved just now.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from lab.post import Submission

if TYPE_CHECKING:
    from pathlib import Path

    from lab.estate import Estate
    from lab.plan import PlannedApplication
    from lab.post import PostOffice
    from scanproof.site import Site

_AGE = timedelta(hours=2)


def send(estate: Estate, post: PostOffice) -> None:
    """Have each application's last report delivered to the first test recipient."""
    plan = estate.plan
    if not plan.recipients:
        return
    now = datetime.now(UTC)
    change = datetime.fromisoformat(plan.last_change) if plan.last_change else now - 2 * _AGE
    age = max(min(_AGE, (now - change) / 2), timedelta(0))
    for part in plan.applications:
        if not part.sender or estate.mailbox(part.sender) is None:
            continue
        mail = _report(part, plan.recipients[0], now - age)
        post.backdated[str(mail["Message-ID"])] = age
        post.deliver(
            Submission(
                sender=part.sender,
                recipients=(plan.recipients[0],),
                content=bytes(mail),
                client=plan.subnets[0].public_address,
                helo=part.name.split()[0].lower(),
                login=part.sender if part.route == "smtp-auth" else None,
            )
        )


def _report(part: PlannedApplication, recipient: str, when: datetime) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = part.sender, recipient
    mail["Subject"] = f"{part.subject or part.name} {when:%Y-%m-%d}"
    mail["Date"] = format_datetime(when)
    mail["Message-ID"] = f"<{secrets.token_hex(12)}@{part.sender.rpartition('@')[2]}>"
    mail.set_content("Samples: 214\nOut of range: 3\n")
    return mail


def tables(site: Site, folder: Path) -> list[tuple[Path, str]]:
    """Return the tables of connections that the site names and its folder lacks: where each belongs, and its text."""
    from lab.estate import ENDPOINT, SUBMISSION  # noqa: PLC0415 - only a site with such an application needs them

    return [
        (
            folder / part.connections,
            table(part.address, *((SUBMISSION, 587) if part.route == "smtp-auth" else (ENDPOINT, 25))),
        )
        for part in site.applications_in_scope
        if part.connections and part.address and not (folder / part.connections).exists()
    ]


def table(own: str, mail_server: str, port: int) -> str:
    """Return what ``ss -tn`` prints on a machine that has just mailed."""
    rows = (
        ("ESTAB", f"{own}:49721", f"{_beside(own)}:1433"),  # its database
        ("ESTAB", f"{own}:50514", f"{mail_server}:{port}"),
        ("TIME-WAIT", f"{own}:50508", f"{mail_server}:{port}"),
    )
    lines = [f"{state:<11} 0      0      {local:>22} {peer:>22}   " for state, local, peer in rows]
    return "\n".join(["State       Recv-Q Send-Q     Local Address:Port       Peer Address:Port  Process", *lines, ""])


def _beside(address: str) -> str:
    start, _, last = address.rpartition(".")
    return f"{start}.{31 if last != '31' else 32}"
