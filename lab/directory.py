"""Entra's objects: accounts, groups, roles, domains, the suite's own app, and the log of sign-ins."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

PLAN_ENTERPRISE = "efb87545-963c-4e0d-99df-69c6916d9eb0"  # EXCHANGE_S_ENTERPRISE: a mailbox
PLAN_FOUNDATION = "113feb6c-3fe4-4440-bddc-54d774bf0318"  # EXCHANGE_S_FOUNDATION: of Exchange, and no mailbox
PLAN_NAMES = {PLAN_ENTERPRISE: "EXCHANGE_S_ENTERPRISE", PLAN_FOUNDATION: "EXCHANGE_S_FOUNDATION"}
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"
NEVER = 2147483647  # days of a password's validity
NO_EXPIRY = "DisablePasswordExpiration"
Looked = tuple[str, str, tuple[str, ...], str]  # a Conditional Access policy's id, name, controls and result
MfaState = Literal["disabled", "enabled", "enforced"]


@dataclass(frozen=True)
class Group:
    """A group, and the groups that it is a member of itself."""

    name: str
    within: tuple[Group, ...] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name.casefold()}.group"))

    def all(self) -> list[Group]:
        """Return it and every group above it."""
        return [self, *(above for group in self.within for above in group.all())]


@dataclass(frozen=True)
class Role:
    """A directory role, by the template that policies and tokens name."""

    name: str
    template: str

    @property
    def id(self) -> str:
        """The id of the role as it is active in this tenant, which is not its template's."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.template}.role"))


@dataclass
class Account:
    """A user of the tenant. A mailbox of theirs, where they have one, is Exchange's.

    Attributes:
        locked: smart lockout after too many wrong passwords; not to be read anywhere.
        password_policies: None, or names joined by commas.
        authentication_policy: the name of Exchange's policy that is assigned to this user alone.
    """

    address: str
    password: str
    enabled: bool = True
    locked: bool = False
    password_policies: str | None = None
    password_changed: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=30))
    plans: tuple[str, ...] = (PLAN_ENTERPRISE, PLAN_FOUNDATION)
    synced: bool | None = None
    mfa: MfaState = "disabled"
    groups: tuple[Group, ...] = ()
    roles: tuple[Role, ...] = ()
    authentication_policy: str | None = None

    @property
    def id(self) -> str:
        """Their id, the same at every start."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.address.casefold()))

    @property
    def name(self) -> str:
        """What they are called."""
        return self.address.partition("@")[0].replace("-", " ").capitalize()

    def all_groups(self) -> list[Group]:
        """Return the groups that they are in, by way of others too."""
        return list(dict.fromkeys(above for group in self.groups for above in group.all()))

    def never_expires(self) -> bool:
        """Tell whether their password is exempt from the domain's validity."""
        return NO_EXPIRY in {part.strip() for part in (self.password_policies or "").split(",")}


@dataclass
class Domain:
    """A domain of the tenant, for Entra and for Exchange.

    Attributes:
        validity: days until a password runs out; None is not set.
        kind: what Exchange does with mail for recipients of it that it doesn't know.
    """

    name: str
    validity: int | None = 90
    notification: int | None = 14
    authentication: Literal["Managed", "Federated"] = "Managed"
    kind: Literal["Authoritative", "InternalRelay"] = "Authoritative"
    default: bool = False
    initial: bool = False
    verified: bool = True

    def expired(self, account: Account, now: datetime) -> bool:
        """Tell whether an account's password has run out.

        guess: a validity that is not set means never, as it does in tenants of today.
        """
        if self.authentication == "Federated" or self.validity in {None, NEVER} or account.never_expires():
            return False
        return account.password_changed + timedelta(days=self.validity or 0) < now


@dataclass
class LoggedSignIn:
    """One entry of the sign-in log.

    Attributes:
        error: 0, or the number of the AADSTS code.
        policies: the Conditional Access policies that applied.
        visible: when the log shows it.
    """

    account: Account
    address: str
    country: str
    error: int
    when: datetime
    visible: datetime
    policies: list[Looked] = field(default_factory=list)


@dataclass
class App:
    """The app registration that the suite signs in with.

    Attributes:
        permissions: its application permissions on Microsoft Graph.
        exchange_permissions: those on Office 365 Exchange Online.
        delegated: what an engineer who signs in with a device code lets it do in their name.
        roles: the directory roles (by template) that its service principal has.
        exchange_roles: Exchange's own roles, where a role group gives it some.
        certificate: what it may sign its assertions with, besides its secret.
    """

    client_id: str
    secret: str
    permissions: set[str]
    exchange_permissions: set[str]
    roles: set[str]
    exchange_roles: set[str] = field(default_factory=set)
    delegated: set[str] = field(default_factory=set)
    secret_expired: bool = False
    certificate: Certificate | None = None
