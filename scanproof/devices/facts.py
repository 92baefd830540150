"""The models of evidence from devices."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from scanproof.evidence import FoundMail
from scanproof.kinds import Facts


class Identity(Facts):
    """Who a device says it is, to a guest."""

    make: str
    model: str = ""
    serial: str = ""
    firmware: str = ""
    driver: str = ""  # the driver that knows its pages; empty where none does
    base: str = ""  # of its pages, with the language: /web/guest/en/
    server: str = ""
    title: str = ""
    name_servers: tuple[str, ...] = ()
    gateway: str = ""
    clock: float | None = None  # seconds that its own clock is ahead of this machine's
    up: float | None = None  # seconds since its SNMP agent was started; None: not told
    counters: dict[str, int] = Field(default_factory=dict)  # by SNMP, by its own names; empty: not told
    sources: tuple[str, ...] = ()
    certificate: str = ""  # SHA-256 of what its port 443 shows; empty where that shows none
    known_certificate: str = ""  # what it had shown before this run; empty where it was never seen
    known_since: datetime | None = None
    known_trouble: str = ""  # why this certificate could not be kept for later runs

    @property
    def seen(self) -> str:
        """What it says, in words."""
        parts = [self.make or "unknown make", self.model or "unknown model"]
        parts += [f"serial {self.serial}" if self.serial else "no serial told"]
        parts += [f"firmware {self.firmware}"] if self.firmware else []
        shown = f" (“{self.title}”)" if self.title and not self.model else ""
        trouble = f"; {self.known_trouble}" if self.known_trouble else ""
        return f"{', '.join(parts)}{shown} ({', '.join(self.sources) or 'nothing answered'}){trouble}"

    @property
    def names_seen(self) -> str:
        """Its name servers and its gateway, in words."""
        servers = ", ".join(self.name_servers) or "not shown"
        return f"name servers {servers}, gateway {self.gateway or 'not shown, so not looked at'} (its guest pages)"


class AdminLogin(Facts):
    """One sign-in to a device's admin pages."""

    user: str
    signed_in: bool
    encrypted: bool
    said: str = ""  # the device's own words, where it refused
    default_password: str = ""  # which factory password the configured one is; empty where it is none

    @property
    def seen(self) -> str:
        """How it went, in words."""
        way = "over HTTPS" if self.encrypted else "over HTTP, unencrypted, which is all that the device offers"
        if self.signed_in:
            return f"signed in as {self.user} {way}, and out again"
        return f"refused {self.user} {way}{f': {self.said}' if self.said else ''}"


class AdminPassword(Facts):
    """The configured password of a device's admin, which the device took."""

    factory: str  # which factory password it is; empty where it is none

    @property
    def seen(self) -> str:
        """What it is, in words; never the password."""
        return f"it is {self.factory}" if self.factory else "no factory password"


class EmailSettings(Facts):
    """A device's e-mail page (None: the page does not have that field, or the account may not see it)."""

    source: str
    grade: str = ""
    host: str | None = None
    port: str | None = None
    ssl: bool | None = None
    auth: bool | None = None
    user: str | None = None
    auth_address: str | None = None
    admin_address: str | None = None
    pop_before_smtp: bool | None = None

    def absent(self, *names: str) -> str:
        """Say which of these fields the page lacks; empty where it has them all."""
        missing = [name.replace("_", " ") for name in names if getattr(self, name) is None]
        return f"the e-mail page shows no {', '.join(missing)} to this account ({self.source})" if missing else ""

    @property
    def seen(self) -> str:
        """The settings, in words."""
        names = ("host", "port", "ssl", "auth", "user", "auth_address", "admin_address", "pop_before_smtp")
        words = {True: "on", False: "off", "": "blank"}
        shown = [
            f"{name.replace('_', ' ')} {words.get(value, value)}"
            for name in names
            if (value := getattr(self, name)) is not None
        ]
        return f"{', '.join(shown)} ({self.source})"


class SendSettings(Facts):
    """How large a mail a device sends."""

    source: str
    limited: bool | None = None
    kilobytes: int | None = None
    divides: bool | None = None

    @property
    def seen(self) -> str:
        """The settings, in words."""
        size = "no limit" if self.limited is False else f"at most {self.kilobytes} KB"
        divided = {True: ", divided where larger", False: ", not divided", None: ""}[self.divides]
        return f"{size}{divided} ({self.source})"


class BookEntry(Facts):
    """One entry of a device's address book."""

    number: str
    name: str
    address: str
    login: str | None = None  # the SMTP user that this entry signs in as; empty: the device's own; None: not told


class AddressBook(Facts):
    """A device's address book."""

    source: str
    entries: tuple[BookEntry, ...]
    complete: bool = True

    @property
    def logins_told(self) -> bool:
        """Whether the entries' own sign-ins can be seen in it."""
        return bool(self.entries) and all(entry.login is not None for entry in self.entries)

    def holds(self, address: str) -> bool:
        """Whether an entry has this address."""
        return any(entry.address.lower() == address.lower() for entry in self.entries)

    @property
    def seen(self) -> str:
        """How many entries it has, and by which way they were read."""
        cut = "" if self.complete else ", not all of which were read"
        return f"{len(self.entries)} entries{cut} ({self.source})"


class Scan(FoundMail):
    """A scan that a device sent, as it lies in a test mailbox."""

    sent: datetime | None
    addressed: tuple[str, ...] = ()  # the addresses in its To and Cc
    attachment: str = ""  # kind of the first readable one, with pages
    pages: int = 0
    trouble: str = ""  # with its attachments
    unread: str = ""  # why those could not be opened
    unread_lacks: str = ""  # the kind of cause for it (kinds.Unproven)
    failed_since: str = ""  # in what the device's own log ends after it, where that failed; in words

    @property
    def doubted(self) -> str:
        """Why it does not show the present state; empty where nothing says so."""
        return f"its own log ends in {self.failed_since}" if self.failed_since else ""

    @property
    def seconds(self) -> float | None:
        """From its own Date to its arrival; None where it has no Date."""
        return (self.received - self.sent).total_seconds() if self.sent and self.received else None

    @property
    def seen(self) -> str:
        """What was found, in words."""
        if self.received is None:
            return self.trouble
        unread = f"attachment not opened: {self.unread}" if self.unread else "no attachment"
        return f"{self.place}: {self.attachment or self.trouble or unread}; {self.told_by}"
