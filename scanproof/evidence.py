"""The models of evidence, one a kind: what was observed, in plain facts.

None of them says whether that is good: a case does. Texts are as the other side sent them, cut and
stripped of control characters by the probe that read them.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from scanproof.kinds import Facts
from scanproof.troubles import Kind


class Ping(Facts):
    """ICMP echo requests to one address (RFC 792)."""

    address: str
    sent: int
    received: int
    rtt_ms: tuple[float, ...] = ()
    method: str
    trouble: str = ""  # what a router or this machine's own stack said instead of a reply

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        if self.received:
            return f"{self.received} of {self.sent} echo requests answered, {min(self.rtt_ms):.1f} ms ({self.method})"
        return f"no reply to {self.sent} echo requests{': ' + self.trouble if self.trouble else ''} ({self.method})"


class Certificate(Facts):
    """An X.509 certificate as it was shown."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_before: datetime
    not_after: datetime
    sha256: str
    key: str


class Tls(Facts):
    """A TLS connection as it was negotiated."""

    version: str
    cipher: str
    certificate: Certificate | None = None
    problem: str = ""  # why the certificate was not trusted; empty where it was, or wasn't asked

    @property
    def seen(self) -> str:
        """What was negotiated, in words."""
        name = f", certificate of {self.certificate.subject}" if self.certificate else ""
        return f"{self.version}, {self.cipher}{name}"


class WebPage(Facts):
    """The first page of a device's web server."""

    url: str
    connected: bool
    trouble: str = ""  # what ended it early
    trouble_kind: Kind = ""  # of what ended it; empty in evidence of before this field
    tls: Tls | None = None
    status: int | None = None  # of a whole status line and header section
    location: str = ""
    server: str = ""
    title: str = ""
    received: int = 0  # bytes read; reading stops at a limit

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        if self.status is None:
            return f"{self.url}: {self.trouble or 'closed without a response'}"
        parts = [f"{self.url}: HTTP {self.status}"]
        if self.location:
            parts.append(f"to {self.location}")
        if self.title:
            parts.append(f"“{self.title}”")
        if self.tls:
            parts.append(self.tls.seen)
        return ", ".join(parts)


_TRAILER = re.compile(r"\s*\[(?=[^\]]*[A-Za-z])[A-Za-z0-9.-]+(?: \d{4}-\d\d-\d\dT[0-9:.]+Z [0-9A-F]+)?\]\s*\Z")


class Reply(Facts):
    """An SMTP reply (RFC 5321 §4.2)."""

    code: int
    text: str

    @property
    def seen(self) -> str:
        """The reply on one line, without the server's name and time that Exchange appends."""
        return f"{self.code} {_TRAILER.sub('', ' / '.join(self.text.splitlines()))}"


class Door(Facts):
    """A dialogue with a mail service up to the EHLO after STARTTLS, without signing in (RFC 5321, RFC 3207)."""

    host: str
    port: int
    local: str = ""  # own address and port of the connection, as a network team's logs show them
    peer: str = ""
    reached: bool = False  # the TCP connection was made
    stage: Literal["connect", "banner", "ehlo", "starttls", "tls", "ehlo-tls", "quit"]  # the last one begun
    trouble: str = ""  # what ended it before its time
    trouble_kind: Kind = ""  # of what ended it; empty in evidence of before this field
    at: datetime | None = None  # when it was tried
    tried: str = ""  # the address and port that were tried in vain
    banner: Reply | None = None
    extensions: tuple[str, ...] = ()  # before TLS
    tls: Tls | None = None
    tls_extensions: tuple[str, ...] = ()
    seen_as: str = ""  # this side's public address, as the service's EHLO reply gives it

    @property
    def ready(self) -> bool:
        """Whether there was a connection, and a banner by which whoever took it is ready (220, RFC 5321 §3.1)."""
        return self.reached and self.banner is not None and self.banner.code == 220

    @property
    def auth(self) -> tuple[str, ...]:
        """The SASL mechanisms that the service offers over TLS."""
        for line in self.tls_extensions:
            word, _, rest = line.partition(" ")
            if word.upper() == "AUTH":
                return tuple(rest.upper().split())
        return ()

    @property
    def offers_starttls(self) -> bool:
        """Whether the EHLO reply before TLS held STARTTLS."""
        return any(line.upper() == "STARTTLS" for line in self.extensions)

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        if not self.reached:
            return f"{self.host}:{self.port}: {self.trouble}"
        way = f"{self.local} to {self.peer}" if self.local else f"to {self.peer}"
        if self.banner is None:
            return f"{way}: connected, no banner: {self.trouble}"
        tls = self.tls.seen if self.tls else f"no TLS ({self.trouble or 'STARTTLS not offered'})"
        return f"{way}: {self.banner.seen}; {tls}"


class Egress(Facts):
    """A mail service's door as seen from inside a subnet."""

    source: str  # the address in the subnet from which it was seen
    grade: Literal["same-subnet", "forwarded"]
    door: Door
    own_rules: tuple[str, ...] = ()  # of this machine's own firewall, which stop its connections to this door
    via: str = ""  # the host over SSH from which it was seen; empty for this machine

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        own = f"; this machine's own rule stops it: {'; '.join(self.own_rules)}" if self.own_rules else ""
        return f"{self.door.seen}{own}"

    @property
    def logged(self) -> str:
        """Where a network team finds the attempt in its logs: from where, to where, and when."""
        door = self.door
        far = " (its port is not told over SSH, and its own firewall was not looked at)" if self.via else ""
        to = door.peer or door.tried or f"{door.host}:{door.port}"
        return f"{door.local or self.source}{far} to {to}" + (f" at {door.at:%Y-%m-%d %H:%M:%S} UTC" if door.at else "")

    @property
    def reached(self) -> bool:
        """Whether whoever took the connection was ready: one that refuses at once is not the service."""
        return self.door.ready


class SeenAddress(Facts):
    """The public address that a mail service sees a subnet by."""

    address: str
    by: str  # the service
    source: str  # the address in the subnet from which it was asked
    grade: Literal["same-subnet", "forwarded"]

    @property
    def seen(self) -> str:
        """What the service said, in words."""
        return f"{self.by} greets {self.source} as [{self.address}]"


class Lookup(Facts):
    """One DNS question to one resolver and what came of it (RFC 1035)."""

    name: str
    type: str
    resolver: str
    status: Literal["answered", "no such name", "no such record", "timed out", "failed"]
    values: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def told(self) -> bool:
        """Whether the resolver gave an answer at all, be it that there is none: a time-out is no answer."""
        return self.status not in {"timed out", "failed"}

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        found = ", ".join(self.values) or self.trouble or self.status
        return f"{self.name} {self.type}: {found} (from {self.resolver})"


class MailRecords(Facts):
    """A domain's mail records as one resolver gives them: MX, SPF and DMARC."""

    mx: Lookup
    txt: Lookup
    dmarc: Lookup

    @property
    def mx_hosts(self) -> tuple[str, ...]:
        """The mail hosts, without preferences, in order of name."""
        return tuple(sorted({value.split()[-1].rstrip(".").lower() for value in self.mx.values}))


class Resolution(Facts):
    """How a subnet's resolvers resolve the mail hosts, asked from inside the subnet."""

    source: str
    grade: Literal["same-subnet", "forwarded"] = "same-subnet"
    lookups: tuple[Lookup, ...]


class Spf(Facts):
    """An SPF check of one address (RFC 7208)."""

    domain: str
    address: str
    result: Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]
    records: tuple[str, ...] = ()
    matched: str = ""  # the mechanism that decided
    lookups: int = 0  # terms that cost a DNS look-up until the decision, of the ten allowed (§4.6.4)
    includes: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def includes_microsoft(self) -> bool:
        """Whether the record names Microsoft's own, which differs by cloud (outlook.com, office365.us, …)."""
        return any("include:spf.protection." in record.lower() for record in self.records)

    def has_terms(self, terms: tuple[str, ...]) -> bool:
        """Whether the record has these terms; without any, Microsoft's own."""
        have = {term.lower() for record in self.records for term in record.split()}
        return set(terms) <= have if terms else self.includes_microsoft

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        why = self.matched or self.trouble
        why += "" if self.includes_microsoft or self.result != "pass" else ", and Microsoft's servers are not included"
        by = f" by {why}" if why else ""
        record = f"; the record: {'; '.join(self.records)}" if self.result != "pass" and self.records else ""
        return f"SPF {self.result} for {self.address}{by}, {self.lookups} of 10 look-ups{record}"


class Alignment(Facts):
    """What DMARC would make of scans, by each public address of the site (RFC 7489)."""

    policy: str  # p= of the published record; empty where there is none
    record: Lookup
    spf: tuple[Spf, ...]

    @property
    def told(self) -> bool:
        """Whether every resolver that this rests on gave an answer."""
        return self.record.told and not any(check.result == "temperror" for check in self.spf)

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        return "; ".join([self.record.seen, *(check.seen for check in self.spf)])


class SignIn(Facts):
    """A sign-in at the submission door (RFC 4954)."""

    mechanism: str
    stage: Literal["connect", "tls", "auth", "token"]
    reply: Reply | None = None
    tls: str = ""
    trouble: str = ""
    attempts: tuple[str, ...] = ()  # replies that asked to come back later, in order

    @property
    def signed_in(self) -> bool:
        """Whether the service answered the sign-in by 235 (RFC 4954 §6): a fact of the protocol."""
        return self.reply is not None and self.reply.code == 235

    @property
    def waits(self) -> bool:
        """Whether the last reply, too, asked to come back later."""
        return self.reply is not None and 400 <= self.reply.code < 500

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        tried = f" (after {len(self.attempts)} temporary refusals)" if self.attempts else ""
        return f"{self.mechanism}: {self.reply.seen if self.reply else self.trouble}{tried}"


class Submission(Facts):
    """A test mail handed to the mail service (RFC 5321 §3.3)."""

    token: str
    message_id: str
    stage: Literal["connect", "tls", "auth", "mail", "rcpt", "data", "accepted"]
    reply: Reply | None = None
    tls: str = ""
    trouble: str = ""
    attempts: tuple[str, ...] = ()
    handed_over: datetime | None = None
    seconds: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the last reply, too, asked to come back later."""
        return self.reply is not None and 400 <= self.reply.code < 500

    @property
    def accepted(self) -> bool:
        """Whether the service took the mail over (250 after the data): a fact of the protocol."""
        return self.stage == "accepted"

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        tried = f" (after {len(self.attempts)} temporary refusals)" if self.attempts else ""
        return f"{self.stage}: {self.reply.seen if self.reply else self.trouble}{tried}"


class Offer(Facts):
    """What a mail service accepts from old devices."""

    tls: dict[str, str]  # version to what was agreed on, or to why not
    accepted: tuple[str, ...]  # the versions that led to a working dialogue
    auth: tuple[str, ...]

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        tls = "; ".join(f"{version.replace('_', '.')}: {seen}" for version, seen in self.tls.items())
        return f"{tls}; AUTH {' '.join(self.auth) or 'not offered'}"

    def accepts(self, version: str) -> bool:
        """Whether a version of TLS led to a working dialogue."""
        return version in self.accepted


class Arrival(Facts):
    """A test mail looked for in its recipient's mailbox."""

    folder: str  # "Inbox", "Junk Email", "Quarantine", another folder's name; empty where not found
    refused: Reply | None = None  # the submission's refusal of this recipient
    received: datetime | None = None
    seconds: float = 0.0  # from the handing-over until it was seen, or until it was given up
    headers: tuple[tuple[str, str], ...] = ()  # name and value of those that tell the route
    signs: tuple[tuple[str, str], ...] = ()  # what each says of the route, and in which words
    trouble: str = ""

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        if self.refused:
            return f"refused at the door: {self.refused.seen}"
        if not self.folder:
            why = f": {self.trouble}" if self.trouble else ""
            return f"not in the mailbox {self.seconds:.0f} s after the service had accepted it{why}"
        # In quarantine nobody can read them.
        unread = self.folder == "Quarantine" and not self.headers
        route = "its headers can't be read there" if unread else route_seen(self.signs)
        return f"in {self.folder}, {self.seconds:.1f} s after the service had accepted it; {route}"


class FoundMail(Facts):
    """A copier's or an application's mail, as it lies in a test mailbox."""

    folder: str
    recipient: str
    subject: str
    received: datetime | None  # None where it was looked for, and doesn't lie there
    attributed_by: tuple[str, ...]  # what shows whose it is, in words
    signs: tuple[tuple[str, str], ...]  # what its headers say of the route
    message_id: str = ""

    @property
    def place(self) -> str:
        """Which mail it is, and where it lies, in words."""
        when = f"{self.received:%Y-%m-%d %H:%M} UTC" if self.received else "an unknown time"
        return f"“{self.subject}” in {self.folder} of {self.recipient} at {when}"

    @property
    def told_by(self) -> str:
        """What shows whose it is, and by which route it came, in words."""
        return f"told by {', '.join(self.attributed_by)}; {route_seen(self.signs)}"


def route_seen(signs: tuple[tuple[str, str], ...]) -> str:
    """Return what a mail's headers say of its route, in words."""
    return "; ".join(f"{sign} ({words})" for sign, words in signs) or "no header of it tells its route"
