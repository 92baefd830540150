"""Conditional Access: the policies as they are configured, and the one evaluator of them.

A copier's sign-in by SMTP and Graph's own "what if" are judged by the same function.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.directory import Account

EXCHANGE_ONLINE = "00000002-0000-0ff1-ce00-000000000000"
_OFFICE = "Office365"  # stands for a group of applications that holds Exchange Online
State = Literal["enabled", "disabled", "enabledForReportingButNotEnforced"]
CLIENT_TYPES = ("all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other")


def new_id(kind: str, name: str) -> str:
    """Return the id that an object of this kind and name has at every start."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name.casefold()}.{kind}"))


@dataclass
class NamedLocation:
    """A place, by ranges of addresses or by countries."""

    name: str
    ranges: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    trusted: bool = False

    @property
    def id(self) -> str:
        """Its id."""
        return new_id("location", self.name)

    def holds(self, address: str | None, country: str | None) -> bool | None:
        """Tell whether a client is there; None where what was said of it can't decide that."""
        if self.ranges:
            return None if address is None else any(ip_address(address) in ip_network(part) for part in self.ranges)
        return None if country is None else country.upper() in self.countries


@dataclass
class AccessPolicy:
    """A Conditional Access policy.

    Attributes:
        include_locations: no condition on places where this and ``exclude_locations`` are empty.
        include_platforms: no condition on platforms where this is empty.
        controls: what a sign-in must fulfil (``block``, ``mfa`` ...); empty is a policy for the session only.
    """

    name: str
    state: State = "enabled"
    include_users: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    include_groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    include_roles: tuple[str, ...] = ()
    exclude_roles: tuple[str, ...] = ()
    include_applications: tuple[str, ...] = ("All",)
    exclude_applications: tuple[str, ...] = ()
    client_app_types: tuple[str, ...] = ("all",)
    include_locations: tuple[str, ...] = ()
    exclude_locations: tuple[str, ...] = ()
    include_platforms: tuple[str, ...] = ()
    exclude_platforms: tuple[str, ...] = ()
    controls: tuple[str, ...] = ("block",)
    operator: Literal["AND", "OR"] = "OR"

    @property
    def id(self) -> str:
        """Its id."""
        return new_id("policy", self.name)


@dataclass(frozen=True)
class Attempt:
    """A sign-in, as far as it is known; None of a condition is "not said", and empty one that has no such thing."""

    account: Account
    application: str = EXCHANGE_ONLINE
    client_type: str | None = None
    address: str | None = None
    country: str | None = None
    platform: str | None = None


@dataclass
class ConditionalAccess:
    """The tenant's policies and named places."""

    policies: list[AccessPolicy] = field(default_factory=list)
    locations: list[NamedLocation] = field(default_factory=list)

    def blocks_older_client(self, attempt: Attempt) -> bool:
        """Tell whether a sign-in fails that can fulfil no grant control: an older client knows none."""
        return any(policy.controls for policy in self.enforced(attempt))

    def enforced(self, attempt: Attempt) -> list[AccessPolicy]:
        """Return the policies that apply to a sign-in and are more than a report."""
        return [policy for policy in self.policies if policy.state == "enabled" and not self.misses(policy, attempt)]

    def misses(self, policy: AccessPolicy, attempt: Attempt) -> tuple[str, ...]:
        """Return why a policy does not apply, in Graph's words; nothing where it applies.

        A policy that only reports applies as well: its state tells.
        """
        if policy.state == "disabled":
            return ("policyNotEnabled",)
        reasons = []
        if not _for_user(policy, attempt.account):
            reasons.append("users")
        if not _for_application(policy, attempt.application):
            reasons.append("application")
        if not {"all", attempt.client_type} & set(policy.client_app_types):
            # guess: a client type that is not said decides as one that does not match, and is said so
            reasons.append("clientApps" if attempt.client_type else "notEnoughInformation")
        placed = self._for_location(policy, attempt)
        if placed is not True:
            reasons.append("location" if placed is False else "notEnoughInformation")
        if not _for_platform(policy, attempt.platform):
            reasons.append("devicePlatform")
        return tuple(dict.fromkeys(reasons))

    def _for_location(self, policy: AccessPolicy, attempt: Attempt) -> bool | None:
        if not policy.include_locations and not policy.exclude_locations:
            return True
        if self._within(policy.exclude_locations, attempt) is not False:
            # guess: an exclusion that can't be decided is no hit, as all that "what if" can't evaluate
            return False if self._within(policy.exclude_locations, attempt) else None
        return self._within(policy.include_locations or ("All",), attempt)

    def _within(self, names: Sequence[str], attempt: Attempt) -> bool | None:
        """Tell whether a client is at one of these places; None where that can't be told of any."""
        if "All" in names:
            return True
        wanted = [place for place in self.locations if place.id in names or ("AllTrusted" in names and place.trusted)]
        found = [place.holds(attempt.address, attempt.country) for place in wanted]
        return True if True in found else None if None in found else False


def _for_user(policy: AccessPolicy, account: Account) -> bool:
    groups, roles = {group.id for group in account.all_groups()}, {role.template for role in account.roles}
    if account.id in policy.exclude_users or groups & {*policy.exclude_groups} or roles & {*policy.exclude_roles}:
        return False
    return bool(
        {"All", account.id} & {*policy.include_users}
        or groups & {*policy.include_groups}
        or roles & {*policy.include_roles}
    )


def _for_platform(policy: AccessPolicy, platform: str | None) -> bool:
    if not policy.include_platforms:
        return True
    if platform is None:
        return False  # guess: "what if" takes a platform that is not said for one that does not match
    return platform not in policy.exclude_platforms and bool({"all", platform} & {*policy.include_platforms})


def _for_application(policy: AccessPolicy, application: str) -> bool:
    names = {application, _OFFICE} if application == EXCHANGE_ONLINE else {application}
    return bool({"All", *names} & {*policy.include_applications}) and not names & {*policy.exclude_applications}
