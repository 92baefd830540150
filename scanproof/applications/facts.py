"""The models of evidence from applications."""

from __future__ import annotations

from datetime import datetime

from scanproof.evidence import FoundMail, Lookup
from scanproof.kinds import Facts


class MailConnection(Facts):
    """A connection to a mail port, as a table shows it."""

    address: str
    port: int
    states: tuple[str, ...]
    line: int  # the first that shows it

    @property
    def seen(self) -> str:
        """The connection, in words."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        states = ", ".join(self.states)
        return f"{host}:{self.port}{f' {states}' if states else ''} (line {self.line})"


class Connections(Facts):
    """The connections of an application's machine, and what the names concerned resolve to."""

    file: str
    saved: datetime
    command: str
    rows: int
    own: tuple[str, ...]  # the machine's own addresses in it
    mail: tuple[MailConnection, ...]
    service: tuple[Lookup, ...] = ()  # of the route's host
    retired: tuple[Lookup, ...] = ()  # of the retired hosts' names

    @property
    def seen(self) -> str:
        """What the table shows, in words."""
        found = ", ".join(it.seen for it in self.mail[:10]) or "none to a mail port"
        more = f" and {len(self.mail) - 10} more" if len(self.mail) > 10 else ""
        when = f"{self.saved:%Y-%m-%d %H:%M} UTC"
        return f"{self.file} ({self.command}, saved {when}): {self.rows} connections; {found}{more}"


class Report(FoundMail):
    """An application's report, as it lies in a test mailbox."""

    @property
    def seen(self) -> str:
        """What was found, in words."""
        return f"{self.place}; {self.told_by}"
