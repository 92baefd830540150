"""Faults of the settings that decide over a sign-in to SMTP, but for Conditional Access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import both, fault, logins, of_senders
from lab.mailflow import AuthenticationPolicy

if TYPE_CHECKING:
    from lab.directory import Account
    from lab.estate import Estate
    from lab.mailflow import Mailbox

_BLOCKED = both(logins("basic"), of_senders("TEN-2", auth="basic"))


def _boxes(estate: Estate, auth: str | None = None) -> list[Mailbox]:
    """Return the senders' mailboxes, as far as another fault left them any."""
    found = [estate.mailbox(address) for address, by in estate.plan.senders if auth in {None, by}]
    return [box for box in found if box is not None]


def _accounts(estate: Estate) -> list[Account]:
    return [estate.tenant.accounts[address.casefold()] for address, by in estate.plan.senders if by == "basic"]


@fault("smtp-auth-off-tenant", layer="tenant", cause="smtp-auth-off", breaks=of_senders("SMTP-1", "TEN-1"))
def _(estate: Estate) -> None:
    """SMTP AUTH is off for the tenant, and the mailboxes inherit it."""
    estate.tenant.smtp_auth_disabled = True


@fault(
    "smtp-auth-off-mailbox",
    layer="tenant",
    cause="smtp-auth-off",
    breaks=of_senders("SMTP-1", "TEN-1", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """SMTP AUTH is off for one sender's mailbox."""
    for box in _boxes(estate, "basic")[:1]:
        box.smtp_auth_disabled = True


@fault("smtp-auth-on-mailbox-only", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """SMTP AUTH is off for the tenant and on for the senders' mailboxes, as Microsoft recommends."""
    estate.tenant.smtp_auth_disabled = True
    for box in _boxes(estate):
        box.smtp_auth_disabled = False


@fault(
    "settings-not-yet-effective",
    layer="tenant",
    cause="settings-not-yet-effective",
    breaks=of_senders("SMTP-1", "TEN-14"),
)
def _(estate: Estate) -> None:
    """SMTP AUTH was switched on a moment ago: the settings say on, and the service still says off."""
    estate.tenant.door.still_off = True


@fault("authentication-policy", layer="tenant", cause="authentication-policy", breaks=_BLOCKED)
def _(estate: Estate) -> None:
    """The organization's authentication policy blocks Basic for SMTP."""
    estate.tenant.default_authentication_policy = estate.tenant.authentication_policies[0].name


@fault(
    "authentication-policy-of-user",
    layer="tenant",
    cause="authentication-policy",
    breaks=of_senders("SMTP-1", "TEN-2", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender has an authentication policy of its own, which blocks Basic for SMTP."""
    _accounts(estate)[0].authentication_policy = estate.tenant.authentication_policies[0].name


@fault("authentication-policy-allows", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """The organization's authentication policy blocks Basic for SMTP, and the senders' own allows it."""
    tenant = estate.tenant
    tenant.authentication_policies.append(AuthenticationPolicy("Copiers may use Basic", allows_smtp=True))
    tenant.default_authentication_policy = tenant.authentication_policies[0].name
    for account in _accounts(estate):
        account.authentication_policy = "Copiers may use Basic"


@fault(
    "security-defaults",
    layer="tenant",
    cause="security-defaults",
    breaks=both(logins("basic"), of_senders("TEN-3", auth="basic")),
)
def _(estate: Estate) -> None:
    """Security defaults are on: no sign-in with a password alone."""
    estate.tenant.security_defaults = True
    estate.tenant.access.policies.clear()  # a tenant has the one or the other


@fault(
    "sender-mfa",
    layer="tenant",
    cause="sender-mfa",
    breaks=of_senders("SMTP-1", "TEN-5", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender has per-user multi-factor authentication."""
    _accounts(estate)[0].mfa = "enforced"


@fault("basic-retired", layer="tenant", cause="basic-retired", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """Microsoft takes Basic no more for client submission."""
    estate.tenant.basic_retired = True
