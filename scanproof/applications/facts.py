"""The models of evidence from applications."""

from __future__ import annotations

from datetime import datetime

from scanproof.evidence import Lookup
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


class Report(Facts):
    """An application's report, as it lies in a test mailbox."""

    folder: str
    recipient: str
    subject: str
    received: datetime
    attributed_by: tuple[str, ...]  # what shows that it is this application's, in words
    signs: tuple[tuple[str, str], ...]  # what its headers say of the route
    message_id: str = ""

    @property
    def seen(self) -> str:
        """What was found, in words."""
        where = f"in {self.folder} of {self.recipient} at {self.received:%Y-%m-%d %H:%M} UTC"
        return f"“{self.subject}” {where}; told by {', '.join(self.attributed_by)}; {self.route_seen}"

    @property
    def route_seen(self) -> str:
        """What its headers say of the route, in words."""
        return "; ".join(f"{sign} ({words})" for sign, words in self.signs) or "no header tells the route"
