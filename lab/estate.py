"""The one state that every server of the lab answers from, and that a fault changes.

Nothing here opens a socket. What is only a guess about the real services is marked ``# guess:`` where it
is decided, here and in the servers.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from lab.zones import Zones, healthy_zones

if TYPE_CHECKING:
    from lab.plan import Plan

# RFC 5737 documentation addresses stand for Microsoft's servers.
SUBMISSION = "198.51.100.25"
ENDPOINT = "198.51.100.26"
LOGIN = "198.51.100.44"
GRAPH = "198.51.100.45"

Action = Literal["drop", "reject", "reset"]
WebState = Literal[
    "page", "refused", "silent", "endless-head", "endless-body", "huge", "error", "redirect", "stall", "tls1.0"
]


@dataclass
class Copier:
    """A simulated device: what its two web ports do, and whether it is there at all."""

    key: str
    address: str
    serial: str
    model: str
    host_name: str
    subnet: str
    http: WebState = "page"
    https: WebState = "page"
    pings: bool = True
    alive: bool = True


@dataclass
class Mailbox:
    """A mailbox of the tenant, and the account that signs in to it.

    Attributes:
        smtp_auth_disabled: Get-CASMailbox's flag: True, False, or None which inherits the tenant's.
        primary: the address that it may send as; others need a right that nobody has here.
        rest_enabled: False: Graph knows the user, and no mailbox of theirs.
        internal_only: takes no mail from senders that did not sign in.
    """

    address: str
    password: str
    primary: str
    smtp_auth_disabled: bool | None = None
    locked: bool = False
    mfa: bool = False
    full: bool = False
    junk_rule: bool = False
    rest_enabled: bool = True
    internal_only: bool = False


@dataclass
class Connector:
    """An inbound connector that identifies a site by its public address."""

    name: str
    addresses: tuple[str, ...]


@dataclass
class Door:
    """The submission service, as far as it treats every client alike.

    Attributes:
        modern_only: it takes nothing older than TLS 1.3.
        mechanisms: what EHLO offers after STARTTLS.
        busy: replies to give at the end of DATA before it takes one, each as often as it stands there.
        throttled: the same at MAIL FROM, after which the connection is closed.
        always_busy: give the first of ``busy`` for ever.
    """

    modern_only: bool = False
    mechanisms: tuple[str, ...] = ("LOGIN", "XOAUTH2")
    busy: list[str] = field(default_factory=list)
    throttled: list[str] = field(default_factory=list)
    always_busy: bool = False


@dataclass
class App:
    """The app registration that the suite signs in with."""

    client_id: str
    secret: str
    permissions: set[str]


@dataclass
class Graph:
    """Microsoft Graph's own condition.

    Attributes:
        throttle: answer so many requests with 429; -1 is all of them.
        refuse_tokens: answer 401 to every token.
        retry_after: seconds that a 429 asks for.
    """

    throttle: int = 0
    refuse_tokens: bool = False
    retry_after: int = 1


@dataclass
class Tenant:
    """The tenant's settings that decide over a copier's mail."""

    id: str
    accepted_domains: set[str]
    smtp_auth_disabled: bool = False
    security_defaults: bool = False
    blocks_legacy: bool = False  # a Conditional Access policy for client type "other"
    blocks_basic: bool = False  # an authentication policy without AllowBasicAuthSmtp
    basic_retired: bool = False
    reject_direct_send: bool = False
    gateway_only: bool = False  # a partner connector with RestrictDomainsToIPAddresses
    banned: set[str] = field(default_factory=set)
    connectors: list[Connector] = field(default_factory=list)
    anonymous_to: Literal["Inbox", "Junk", "Quarantine"] = "Inbox"  # a mail flow rule for mail from outside
    delivery_delay: float = 0.3  # seconds
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    door: Door = field(default_factory=Door)
    graph: Graph = field(default_factory=Graph)


@dataclass
class Resolver:
    """A name server: which view of the zones it has, and whether it answers."""

    address: str
    view: Literal["inside", "outside"]
    silent: bool = False


@dataclass(frozen=True)
class Rule:
    """A firewall rule of the gateway: TCP from a subnet or host to a port."""

    source: str
    port: int
    action: Action


@dataclass(frozen=True)
class Middlebox:
    """A mail-inspecting hop in the gateway: what it does to SMTP from a subnet to a port."""

    source: str
    port: int
    strips_starttls: bool = False
    rewrites_banner: bool = False


@dataclass
class Estate:
    """A whole simulated site, and the secrets of this start of it."""

    plan: Plan
    network: Literal["loopback", "namespaces"]
    copiers: dict[str, Copier]
    tenant: Tenant
    app: App
    zones: Zones
    resolvers: dict[str, Resolver]
    secrets: dict[str, str]
    firewall: list[Rule] = field(default_factory=list)
    middleboxes: list[Middlebox] = field(default_factory=list)

    def client_address(self, peer: str) -> str:
        """Return the public address that a service sees for a client.

        In namespaces the gateway has translated it already; in loopback every client is the engineer's
        machine, which is translated here as its subnet's are.
        """
        if ip_address(peer).is_loopback:
            return self.plan.subnets[0].public_address
        return peer

    def mailbox(self, address: str) -> Mailbox | None:
        """Return the mailbox that an address belongs to, in any case of letters."""
        return self.tenant.mailboxes.get(address.casefold())

    def subnet_prefix(self, address: str) -> str | None:
        """Return the site's prefix that holds an address."""
        return next((s.prefix for s in self.plan.subnets if ip_address(address) in ip_network(s.prefix)), None)


def build(plan: Plan, network: Literal["loopback", "namespaces"]) -> Estate:
    """Return a site on which everything works, with fresh random secrets."""
    password, client_secret = _secret(), _secret()
    boxes = {address: Mailbox(address, password, primary=address) for address, _ in plan.senders}
    for address in plan.recipients:
        boxes.setdefault(address, Mailbox(address, _secret(), primary=address))
    resolvers = {address: Resolver(address, "inside") for subnet in plan.subnets for address in subnet.resolvers}
    resolvers[plan.public_resolver] = Resolver(plan.public_resolver, "outside")
    return Estate(
        plan=plan,
        network=network,
        copiers={
            part.key: Copier(part.key, part.address, part.serial, part.model, part.host_name, part.subnet)
            for part in plan.copiers
        },
        tenant=Tenant(plan.tenant_id, {plan.domain}, mailboxes=boxes),
        app=App(plan.client_id, client_secret, {"Mail.Read", "ExchangeMessageTrace.Read.All", "SMTP.SendAsApp"}),
        zones=healthy_zones(
            plan,
            {
                plan.submission_host: SUBMISSION,
                plan.tenant_endpoint: ENDPOINT,
                plan.login_host: LOGIN,
                plan.graph_host: GRAPH,
            },
        ),
        resolvers=resolvers,
        secrets={"SCANPROOF_SENDER_PASSWORD": password, "SCANPROOF_CLIENT_SECRET": client_secret},
    )


def _secret() -> str:
    return secrets.token_urlsafe(18)
