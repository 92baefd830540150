"""Faults of the senders' accounts: password, lock-out, licence, and what the sign-in log says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.catalogue import fault, logins, of_senders, transactions
from lab.directory import NEVER, PLAN_FOUNDATION, LoggedSignIn

if TYPE_CHECKING:
    from lab.directory import Account, Domain, Looked
    from lab.estate import Estate

_ELSEWHERE = "192.0.2.200"  # an address that is none of the site's


def _basic(estate: Estate) -> list[Account]:
    return [estate.tenant.accounts[address.casefold()] for address, by in estate.plan.senders if by == "basic"]


def _domain(estate: Estate) -> Domain:
    return estate.tenant.domains[estate.plan.domain]


def _changed(estate: Estate, days: int) -> None:
    """Let one sender's password run out as the domain says, changed so many days ago."""
    account = _basic(estate)[0]
    account.password_policies = None
    account.password_changed = datetime.now(UTC) - timedelta(days=days)


@fault("sender-password-wrong", layer="tenant", cause="sender-password", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """The senders' password is not the one that the copiers have."""
    for account in _basic(estate):
        account.password += "-changed"


@fault("sender-locked", layer="tenant", cause="sender-locked", breaks=of_senders("SMTP-1", auth="basic", first=True))
def _(estate: Estate) -> None:
    """One sender's account is locked."""
    _basic(estate)[0].locked = True


@fault(
    "password-expires",
    layer="tenant",
    cause="password-expires",
    breaks=of_senders("TEN-6", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's password runs out in twelve days."""
    _changed(estate, 78)


@fault(
    "password-expired",
    layer="tenant",
    cause="password-expired",
    breaks=of_senders("SMTP-1", "TEN-6", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's password has run out."""
    _changed(estate, 100)


@fault("password-never-by-domain", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """One sender has no exemption, and passwords of the domain never run out."""
    _changed(estate, 100)
    _domain(estate).validity = NEVER


@fault(
    "password-validity-unset",
    layer="tenant",
    cause="password-validity",
    unproves=of_senders("TEN-6", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender has no exemption, and the domain does not say how long a password is valid."""
    _changed(estate, 78)
    _domain(estate).validity = None


@fault(
    "sender-federated",
    layer="tenant",
    cause="sender-federated",
    unproves=of_senders("TEN-6", auth="basic"),
)
def _(estate: Estate) -> None:
    """The domain is federated: how long passwords are valid is the organization's own directory's to say."""
    _domain(estate).authentication = "Federated"
    for account in _basic(estate):
        account.password_policies = None


@fault(
    "sender-disabled",
    layer="tenant",
    cause="sender-disabled",
    breaks=of_senders("SMTP-1", "TEN-7", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's account is disabled."""
    _basic(estate)[0].enabled = False


@fault(
    "sender-without-mailbox",
    layer="tenant",
    cause="sender-without-mailbox",
    breaks=of_senders("SMTP-1", "TEN-7", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender has a plan of Exchange that carries no mailbox."""
    account = _basic(estate)[0]
    account.plans = (PLAN_FOUNDATION,)
    estate.tenant.mailboxes.pop(account.address.casefold(), None)


@fault(
    "failed-sign-ins",
    layer="tenant",
    cause="failed-sign-ins",
    breaks=of_senders("TEN-12", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """The log shows failed sign-ins by one sender, from the site and from elsewhere."""
    account, now = _basic(estate)[0], datetime.now(UTC)
    here = estate.plan.subnets[0].public_address
    blocked: list[Looked] = [
        ("3d1c0f5e-0000-4000-8000-00000000b10c", "Block sign-ins from abroad", ("block",), "failure")
    ]
    for hours, address, country, error in (
        (1, here, estate.country_of(here), 50126),
        (2, here, estate.country_of(here), 50126),
        (26, _ELSEWHERE, "US", 53003),
    ):
        when, policies = now - timedelta(hours=hours), blocked if error == 53003 else []
        estate.tenant.sign_ins.append(LoggedSignIn(account, address, country, error, when, when, policies))


@fault("sign-in-log-empty", layer="tenant", cause=None, unproves=of_senders("TEN-12", auth="basic"))
def _(estate: Estate) -> None:
    """The sign-in log holds none of the senders' sign-ins, not even those that went well."""
    estate.tenant.sign_ins.clear()


@fault("sign-in-log-unlicensed", layer="tenant", cause=None, unproves=of_senders("TEN-12", auth="basic"))
def _(estate: Estate) -> None:
    """The tenant lacks the licence without which Graph gives no sign-in log (Entra ID P1)."""
    estate.tenant.premium = False


@fault(
    "sender-synchronised",
    layer="tenant",
    cause="sender-federated",
    unproves=of_senders("TEN-6", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's account is kept by the organization's own directory, and copied to Entra."""
    _basic(estate)[0].synced = True


@fault(
    "send-as-denied",
    layer="tenant",
    cause="send-as",
    breaks=transactions("smtp-auth", "basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's address is only an alias of its mailbox, which may not send as it."""
    if box := estate.mailbox(_basic(estate)[0].address):
        box.primary = f"primary-of-{box.address}"


@fault(
    "sender-mailbox-full",
    layer="tenant",
    cause="mailbox-full",
    breaks=transactions("smtp-auth", "basic", first=True),
)
def _(estate: Estate) -> None:
    """One sender's Sent Items have filled its mailbox."""
    if box := estate.mailbox(_basic(estate)[0].address):
        box.full = True
