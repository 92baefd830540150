"""Faults of Conditional Access: policies that stop an older client, and some that look as if they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.access import AccessPolicy, NamedLocation
from lab.catalogue import access_of_basic, both, fault, logins, of_senders
from lab.directory import REPORTS_READER, Group, Role

if TYPE_CHECKING:
    from lab.directory import Account
    from lab.estate import Estate

_BLOCKED = both(logins("basic"), access_of_basic())
_OLDER = ("exchangeActiveSync", "other")


def _basic(estate: Estate) -> list[Account]:
    return [estate.tenant.accounts[address.casefold()] for address, by in estate.plan.senders if by == "basic"]


def _add(estate: Estate, name: str, **changes: Any) -> None:
    policy: dict[str, Any] = {"include_users": ("All",), **changes}
    estate.tenant.access.policies.append(AccessPolicy(name, **policy))


@fault("conditional-access", layer="tenant", cause="conditional-access", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """A Conditional Access policy blocks older clients."""
    _add(estate, "Block legacy authentication", client_app_types=_OLDER)


@fault("conditional-access-mfa", layer="tenant", cause="conditional-access", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """A Conditional Access policy wants a second factor of every client, which an older one can't give."""
    _add(estate, "Require MFA for all users", controls=("mfa",))


@fault("conditional-access-device", layer="tenant", cause="conditional-access", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """A Conditional Access policy wants a device that complies, which a copier never is."""
    _add(estate, "Require compliant device", controls=("compliantDevice",), include_applications=("Office365",))


@fault("conditional-access-group", layer="tenant", cause="conditional-access", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """A Conditional Access policy stops a group that the senders are in by way of another group."""
    everyone = Group("Service accounts")
    for account in _basic(estate):
        account.groups = (Group("Copiers", within=(everyone,)),)
    _add(estate, "Block service accounts", include_users=(), include_groups=(everyone.id,))


@fault("conditional-access-role", layer="tenant", cause="conditional-access", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """A Conditional Access policy wants a second factor of a directory role that the senders have."""
    for account in _basic(estate):
        account.roles = (Role("Reports Reader", REPORTS_READER),)
    _add(estate, "Require MFA for readers", include_users=(), include_roles=(REPORTS_READER,), controls=("mfa",))


@fault("conditional-access-excluded", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """A Conditional Access policy blocks older clients, but for the senders."""
    senders = tuple(account.id for account in _basic(estate))
    _add(estate, "Block legacy authentication", client_app_types=_OLDER, exclude_users=senders)


@fault("conditional-access-report-only", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """A Conditional Access policy would block older clients, and only reports so far."""
    state = "enabledForReportingButNotEnforced"
    _add(estate, "Block legacy authentication", client_app_types=_OLDER, state=state)


@fault("conditional-access-browser-only", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """A Conditional Access policy wants a second factor in browsers only."""
    _add(estate, "Require MFA in browsers", client_app_types=("browser",), controls=("mfa",))


@fault(
    "conditional-access-location",
    layer="tenant",
    cause="conditional-access",
    breaks=access_of_basic(last_only=True),
)
def _(estate: Estate) -> None:
    """A Conditional Access policy blocks sign-ins from anywhere but the site, and lacks one of its addresses."""
    known = tuple(f"{address}/32" for address in estate.plan.public_addresses[:-1])
    site = NamedLocation("Hospital", ranges=known, trusted=True)
    estate.tenant.access.locations.append(site)
    _add(estate, "Block from outside", include_locations=("All",), exclude_locations=(site.id,))


@fault(
    "conditional-access-platforms",
    layer="tenant",
    cause="conditional-access",
    breaks=logins("basic"),
    unproves=both(access_of_basic(), of_senders("TEN-14", auth="basic")),
)
def _(estate: Estate) -> None:
    """A Conditional Access policy blocks every platform but the known ones, and a copier names none."""
    known = ("android", "iOS", "windows", "macOS", "linux")
    _add(estate, "Block unknown platforms", include_platforms=("all",), exclude_platforms=known)


@fault(
    "conditional-access-no-what-if",
    layer="tenant",
    cause="graph-permission",
    unproves=access_of_basic(),
)
def _(estate: Estate) -> None:
    """What Conditional Access would do can't be asked (403), though its policies can be read."""
    estate.tenant.graph.no_what_if = True
