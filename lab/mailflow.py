"""Exchange's objects: mailboxes, authentication policies, connectors, and the doors' and APIs' condition."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import formatdate
from ipaddress import ip_address, ip_network
from typing import Literal


@dataclass
class Mailbox:
    """A mailbox of the tenant.

    Attributes:
        smtp_auth_disabled: Get-CASMailbox's flag: True, False, or None which inherits the tenant's.
        primary: the address that it may send as; others need a right that nobody has here.
        rest_enabled: False: Graph knows the user, and no mailbox of theirs.
        internal_only: takes no mail from senders that did not sign in.
    """

    address: str
    primary: str
    smtp_auth_disabled: bool | None = None
    full: bool = False
    junk_rule: bool = False
    rest_enabled: bool = True
    internal_only: bool = False


@dataclass
class AuthenticationPolicy:
    """What of basic authentication a user may still use; all else of it is off."""

    name: str
    allows_smtp: bool = False


@dataclass
class InboundConnector:
    """How mail is told from the rest that comes in, by the sender's public address here.

    Attributes:
        addresses: single ones, or ranges of /24 to /32.
        restricts_addresses: mail of its sender domains is refused from any other address (Partner only).
        restricts_certificate: the same by certificate; the lab's clients have none.
    """

    name: str
    addresses: tuple[str, ...] = ()
    kind: Literal["OnPremises", "Partner"] = "OnPremises"
    enabled: bool = True
    certificate_name: str | None = None
    sender_domains: tuple[str, ...] = ("smtp:*;1",)
    requires_tls: bool = True
    restricts_addresses: bool = False
    restricts_certificate: bool = False
    internal: bool = False
    cloud_services: bool = False

    def holds(self, client: str) -> bool:
        """Tell whether a client's address is one of its."""
        return self.enabled and any(ip_address(client) in ip_network(part) for part in self.addresses)

    def restricts(self, domain: str) -> bool:
        """Tell whether mail of a sender domain is refused from anywhere but its own addresses.

        That is so for the type Partner only (Microsoft's reference of New-InboundConnector).
        """
        wanted = {f"smtp:{domain.casefold()};1", "smtp:*;1"}
        covers = bool(wanted & {part.casefold() for part in self.sender_domains})
        return self.enabled and self.kind == "Partner" and covers and self._restricting

    @property
    def _restricting(self) -> bool:
        return self.restricts_addresses or self.restricts_certificate


@dataclass
class OutboundConnector:
    """Where mail for some domains goes to."""

    name: str
    smart_hosts: tuple[str, ...]
    recipient_domains: tuple[str, ...]
    kind: Literal["OnPremises", "Partner"] = "OnPremises"
    enabled: bool = True


@dataclass
class Door:
    """The submission service, as far as it treats every client alike.

    Attributes:
        modern_only: it takes nothing older than TLS 1.3.
        mechanisms: what EHLO offers after STARTTLS.
        unready: replies to greet by before it is ready, after which the connection is closed.
        never_ready: greet by the first of ``unready`` for ever.
        busy: replies to give at the end of DATA before it takes one, each as often as it stands there.
        throttled: the same at MAIL FROM, after which the connection is closed.
        always_busy: give the first of ``busy`` for ever.
        still_off: SMTP AUTH was switched on lately, and this door does not know it yet.
    """

    modern_only: bool = False
    mechanisms: tuple[str, ...] = ("LOGIN", "XOAUTH2")
    unready: list[str] = field(default_factory=list)
    never_ready: bool = False
    busy: list[str] = field(default_factory=list)
    throttled: list[str] = field(default_factory=list)
    always_busy: bool = False
    still_off: bool = False


@dataclass
class Api:
    """The condition of an API: Graph, or Exchange's own.

    Attributes:
        throttle: answer so many requests with 429; -1 is all of them.
        retry_after: seconds that a 429 asks for.
        dated: it names the moment instead of the seconds.
        outage: answer 503 to all.
        fails_after: answer 503 from this request on (the first is 1).
        refuse_tokens: answer 401 to every token.
        page: give no more rows than this at once, whatever is asked for.
    """

    throttle: int = 0
    retry_after: int = 1
    dated: bool = False
    outage: bool = False
    fails_after: int | None = None
    refuse_tokens: bool = False
    page: int | None = None
    asked: int = 0

    def sick(self) -> bool:
        """Count a request; tell whether it is answered with 503."""
        self.asked += 1
        return self.outage or (self.fails_after is not None and self.asked >= self.fails_after)

    @property
    def come_again(self) -> str:
        """What ``Retry-After`` says (RFC 9110 §10.2.3)."""
        return formatdate(time.time() + self.retry_after, usegmt=True) if self.dated else str(self.retry_after)

    def busy(self) -> bool:
        """Tell whether a request is answered with 429, and count those."""
        if self.throttle > 0:
            self.throttle -= 1
            return True
        return self.throttle < 0


@dataclass
class Graph(Api):
    """Microsoft Graph's own condition.

    Attributes:
        no_what_if: Conditional Access's evaluation is refused, though policies may be read.
    """

    no_what_if: bool = False


@dataclass
class Exchange(Api):
    """The condition of Exchange's admin API.

    Attributes:
        redirects: the tenant lives on a further host, and the first one only leads there.
        omits: properties (cmdlet, name) that its answers lack.
    """

    redirects: bool = False
    omits: set[tuple[str, str]] = field(default_factory=set)
