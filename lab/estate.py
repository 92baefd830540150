"""The one state that every server of the lab answers from, and that a fault changes.

Nothing here opens a socket. What is only a guess about the real services is marked ``# guess:`` where it
is decided, here and in the servers.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from lab import copierstate
from lab.access import AccessPolicy, ConditionalAccess
from lab.directory import GLOBAL_ADMINISTRATOR, GLOBAL_READER, NO_EXPIRY, Account, App, Domain, LoggedSignIn, Role
from lab.mailflow import (
    AuthenticationPolicy,
    Door,
    Exchange,
    Graph,
    InboundConnector,
    Mailbox,
    OutboundConnector,
)
from lab.zones import Zones, healthy_zones

if TYPE_CHECKING:
    from lab.copierstate import CopierState
    from lab.plan import Plan

# RFC 5737 documentation addresses stand for Microsoft's servers.
SUBMISSION = "198.51.100.25"
ENDPOINT = "198.51.100.26"
LOGIN = "198.51.100.44"
GRAPH = "198.51.100.45"
EXCHANGE = "198.51.100.46"
EXCHANGE_FAR = "198.51.100.47"  # where a tenant lives whose requests are redirected

Action = Literal["drop", "reject", "reset"]
WebState = Literal[
    "page", "refused", "silent", "endless-head", "endless-body", "huge", "error", "redirect", "stall", "tls1.0",
    "tls1.2-rsa", "proxy", "other-make"
]  # fmt: skip


@dataclass
class Copier:
    """A simulated device: what its two web ports do, whether it is there at all, and what it holds.

    Serial, model and host name are the list's; what the device itself says of them is in its state.
    """

    key: str
    address: str
    serial: str
    model: str
    host_name: str
    subnet: str
    state: CopierState
    representative: bool = False
    http: WebState = "page"
    https: WebState = "page"
    pings: bool = True
    alive: bool = True


@dataclass
class DeviceCodes:
    """How sign-in by device code goes.

    Attributes:
        pending: so many times the app is told to wait, until the engineer has signed in.
        interval: seconds that the app is to wait between asking. guess: the real service says 5; a demo hurries.
        lifetime: seconds until a code runs out.
        engineer: who signs in.
    """

    pending: int = 1
    interval: int = 1
    lifetime: float = 900.0
    engineer: str = ""


@dataclass
class Tenant:
    """The tenant's settings that decide over a copier's mail.

    Attributes:
        default_authentication_policy: the name of the organization's, for users without one of their own.
        mx_host: the endpoint that the tenant's mail is to come to, by Graph's own account.
        log_delay: seconds until the log shows a sign-in.
        premium: it has the licence (Entra ID P1) that the log and Conditional Access need.
    """

    id: str
    mx_host: str
    domains: dict[str, Domain]
    smtp_auth_disabled: bool = False
    allows_legacy_tls: bool = False
    security_defaults: bool = False
    access: ConditionalAccess = field(default_factory=ConditionalAccess)
    authentication_policies: list[AuthenticationPolicy] = field(default_factory=list)
    default_authentication_policy: str | None = None
    basic_retired: bool = False
    reject_direct_send: bool | None = False
    banned: set[str] = field(default_factory=set)
    inbound: list[InboundConnector] = field(default_factory=list)
    outbound: list[OutboundConnector] = field(default_factory=list)
    anonymous_to: Literal["Inbox", "Junk", "Quarantine"] = "Inbox"  # a mail flow rule for mail from outside
    subject_rules: dict[str, Literal["Junk", "Deleted"]] = field(default_factory=dict)  # by what a subject contains
    delivery_delay: float = 0.3  # seconds
    accounts: dict[str, Account] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    sign_ins: list[LoggedSignIn] = field(default_factory=list)
    log_delay: float = 180.0
    premium: bool = True
    door: Door = field(default_factory=Door)
    graph: Graph = field(default_factory=Graph)
    exchange: Exchange = field(default_factory=Exchange)
    device_codes: DeviceCodes = field(default_factory=DeviceCodes)

    @property
    def accepted_domains(self) -> set[str]:
        """The domains that it takes mail for."""
        return set(self.domains)

    def relaying(self, client: str) -> InboundConnector | None:
        """Return the connector that takes a client for a server of the organization's own.

        Only the type OnPremises gives that right (Microsoft's reference of New-InboundConnector).
        """
        return next((part for part in self.inbound if part.kind == "OnPremises" and part.holds(client)), None)

    def locked_to_partner(self, client: str, domain: str) -> bool:
        """Tell whether partners' connectors restrict a sender domain to addresses that a client isn't among."""
        restricting = [part for part in self.inbound if part.restricts(domain)]
        held = any(part.holds(client) for part in restricting) or self.relaying(client) is not None
        return bool(restricting) and not held

    def allows_basic(self, account: Account | None) -> bool:
        """Tell whether authentication policies let a user sign in to SMTP by password; their own wins."""
        name = (account.authentication_policy if account else None) or self.default_authentication_policy
        found = next((policy for policy in self.authentication_policies if policy.name == name), None)
        return found is None or found.allows_smtp


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
    """A mail-inspecting hop in the gateway: what it does to SMTP from one of the subnets to a port.

    Attributes:
        mute: it takes the connection and says nothing; nothing goes further.
        refuses: it takes the connection and refuses at once; nothing goes further.
        intercepts_tls: it ends TLS itself, by a certificate of its own authority, and encrypts anew onward.
    """

    source: str
    port: int
    strips_starttls: bool = False
    rewrites_banner: bool = False
    mute: bool = False
    refuses: bool = False
    intercepts_tls: bool = False


@dataclass
class FarHost:
    """A host with an SSH server: whether it has python3, is up, lets connections through, and is the one remembered."""

    name: str
    address: str
    port: int
    subnet: str
    python: bool = True
    up: bool = True
    forwards: bool = True
    set_up_anew: bool = False


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
    latency: float = 0.0  # seconds that each of the tenant's APIs takes to answer
    firewall: list[Rule] = field(default_factory=list)
    own_firewall: list[int] = field(default_factory=list)  # ports closed on the engineer's own machine
    translated: dict[str, str] = field(default_factory=dict)  # by prefix: a public address other than the stated one
    middleboxes: list[Middlebox] = field(default_factory=list)
    far: list[FarHost] = field(default_factory=list)
    origins: dict[int, str] = field(default_factory=dict)  # loopback: a device's subnet by its own port

    def client_address(self, peer: str, port: int) -> str:
        """Return the public address that a service sees for a client.

        In namespaces the gateway has translated it already; in loopback a client is one of the devices, or
        else the engineer's machine, and is translated here as its subnet's are.
        """
        if ip_address(peer).is_loopback:
            prefix = self.origins.get(port)
            return self.public_address(prefix) if prefix else self.plan.subnets[0].public_address
        return peer

    def country_of(self, client: str) -> str:
        """Return the country of a client's public address, as the site states it."""
        return next((s.country for s in self.plan.subnets if s.public_address == client and s.country), "DE")

    def public_address(self, prefix: str) -> str:
        """Return the public address that a subnet leaves by."""
        stated = next(subnet.public_address for subnet in self.plan.subnets if subnet.prefix == prefix)
        return self.translated.get(prefix, stated)

    def mailbox(self, address: str) -> Mailbox | None:
        """Return the mailbox that an address belongs to, in any case of letters."""
        return self.tenant.mailboxes.get(address.casefold())

    def account(self, name: str) -> Account | None:
        """Return an account by its sign-in name, in any case of letters, or by its id."""
        found = self.tenant.accounts.get(name.casefold())
        return found or next((part for part in self.tenant.accounts.values() if part.id == name.lower()), None)

    def domain_of(self, address: str) -> Domain | None:
        """Return the tenant's domain that an address is in."""
        return self.tenant.domains.get(address.rpartition("@")[2].casefold())

    def subnet_prefix(self, address: str) -> str | None:
        """Return the site's prefix that holds an address."""
        return next((s.prefix for s in self.plan.subnets if ip_address(address) in ip_network(s.prefix)), None)


def build(plan: Plan, network: Literal["loopback", "namespaces"]) -> Estate:
    """Return a site on which everything works, with fresh random secrets."""
    password, client_secret, copiers_password = _secret(), _secret(), _secret()
    resolvers = {address: Resolver(address, "inside") for subnet in plan.subnets for address in subnet.resolvers}
    resolvers[plan.public_resolver] = Resolver(plan.public_resolver, "outside")
    return Estate(
        plan=plan,
        network=network,
        copiers={
            part.key: Copier(
                part.key,
                part.address,
                part.serial,
                part.model,
                part.host_name,
                part.subnet,
                copierstate.healthy(plan, number, part, copiers_password, password),
                part.representative,
            )
            for number, part in enumerate(plan.copiers)
        },
        tenant=_tenant(plan, password),
        app=App(
            plan.client_id,
            client_secret,
            permissions={
                "Policy.Read.All",
                "User.Read.All",
                "Domain.Read.All",
                "AuditLog.Read.All",
                "ExchangeMessageTrace.Read.All",
                "Mail.Read",
            },
            exchange_permissions={"Exchange.ManageAsApp", "SMTP.SendAsApp"},
            roles={GLOBAL_READER},
            delegated={
                "Policy.Read.All",
                "User.Read.All",
                "Domain.Read.All",
                "AuditLog.Read.All",
                "Mail.Read.Shared",
                "ExchangeMessageTrace.Read.All",
            },
        ),
        zones=healthy_zones(
            plan,
            {
                plan.submission_host: SUBMISSION,
                plan.tenant_endpoint: ENDPOINT,
                plan.login_host: LOGIN,
                plan.graph_host: GRAPH,
                plan.exchange_host: EXCHANGE,
            },
        ),
        resolvers=resolvers,
        # The second of the site's own has no python3, as a Windows machine or an appliance has none.
        far=[
            FarHost(part.name, part.address, part.port, part.subnet, python=number != 1)
            for number, part in enumerate(plan.vantages)
        ],
        secrets={
            "SCANPROOF_SENDER_PASSWORD": password,
            "SCANPROOF_CLIENT_SECRET": client_secret,
            "SCANPROOF_COPIER_PASSWORD": copiers_password,
        },
    )


def _tenant(plan: Plan, password: str) -> Tenant:
    initial = f"{plan.domain.partition('.')[0]}.onmicrosoft.example"
    accounts = {
        address.casefold(): Account(address, password, password_policies=NO_EXPIRY) for address, _ in plan.senders
    }
    for address in plan.recipients:
        accounts.setdefault(address.casefold(), Account(address, _secret()))
    boxes = {name: Mailbox(account.address, primary=account.address) for name, account in accounts.items()}
    engineer = f"site-engineer@{plan.domain}"
    accounts.setdefault(engineer, Account(engineer, _secret(), plans=(), roles=(Role("Global Reader", GLOBAL_READER),)))
    tenant = Tenant(
        plan.tenant_id,
        plan.tenant_endpoint,
        domains={plan.domain: Domain(plan.domain, default=True), initial: Domain(initial, initial=True)},
        accounts=accounts,
        mailboxes=boxes,
        device_codes=DeviceCodes(engineer=engineer),
    )
    relaying: dict[str, list[str]] = {}
    for subnet in plan.subnets:
        if subnet.route == "relay":
            relaying.setdefault(subnet.public_address, []).append(subnet.name or subnet.prefix)
    # Neither is assigned to anybody that sends: whoever takes the first row for the sender's is wrong.
    tenant.authentication_policies = [AuthenticationPolicy("Block Basic Authentication")]
    tenant.access.policies = [
        AccessPolicy("Require MFA for administrators", include_roles=(GLOBAL_ADMINISTRATOR,), controls=("mfa",))
    ]
    tenant.inbound = [InboundConnector(f"Copiers {names[0]}", (address,)) for address, names in relaying.items()]
    now = datetime.now(UTC)
    for account in (accounts[address.casefold()] for address, auth in plan.senders if auth == "basic"):
        for hours in (3, 20, 45):
            when = now - timedelta(hours=hours)
            address, country = plan.subnets[0].public_address, plan.subnets[0].country or "DE"
            tenant.sign_ins.append(LoggedSignIn(account, address, country, 0, when, when))
    return tenant


def _secret() -> str:
    return secrets.token_urlsafe(18)
