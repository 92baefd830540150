"""Whether a sender may sign in to SMTP, by everything in the tenant that has a say in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lab import replies
from lab.access import Attempt
from lab.directory import LoggedSignIn

if TYPE_CHECKING:
    from lab.directory import Account
    from lab.estate import Estate
    from lab.mailflow import Mailbox

# What Entra writes into its log for a refusal that is its own; Exchange's own refusals never get that far.
_LOGGED = {
    "password": 50126,
    "expired": 50055,
    "locked": 50053,
    "disabled": 50057,
    "security defaults": 53003,  # guess: no published entry shows it
    "conditional access": 53003,
    "mfa": 50076,
}


class Refusal(NamedTuple):
    """Why a sign-in is refused: the door's reply, and the kind of reason."""

    reply: str
    kind: str


def by_password(estate: Estate, name: str, password: str, client: str) -> Refusal | None:
    """Judge a user name and password; None where they are taken. Writes the sign-in log.

    Args:
        estate: the site.
        name: the user name that the client gave.
        password: its password.
        client: the public address that it came from.
    """
    account = estate.account(name)
    refused = _refusal(estate, account, name, password, client)
    kind = refused.kind if refused else None
    if account is not None and (kind is None or kind in _LOGGED):
        _log(estate, account, client, 0 if kind is None else _LOGGED[kind])
    return refused


def _refusal(estate: Estate, account: Account | None, name: str, password: str, client: str) -> Refusal | None:
    """Return the first reason to refuse.

    guess: the order in which the real service looks at its reasons is not documented.
    """
    tenant = estate.tenant
    if tenant.basic_retired:
        return Refusal(replies.BASIC_RETIRED, "retired")
    if not tenant.allows_basic(account):
        return Refusal(replies.BASIC_DISABLED, "authentication policy")
    if account is None or password != account.password:
        return Refusal(replies.WRONG_CREDENTIALS, "password")
    if account.locked:
        return Refusal(replies.LOCKED, "locked")
    if not account.enabled:
        return Refusal(replies.LOCKED, "disabled")  # guess: no published reply is told to be that of a disabled one
    domain = estate.domain_of(account.address)
    if domain is not None and domain.expired(account, datetime.now(UTC)):
        return Refusal(replies.WRONG_CREDENTIALS, "expired")
    box = estate.mailbox(name)
    if box is None:
        return Refusal(replies.AUTH_FAILED, "no mailbox")  # guess
    if off := switched_off(estate, box):
        return Refusal(off, "switch")
    if tenant.security_defaults:
        return Refusal(replies.SECURITY_DEFAULTS, "security defaults")
    if tenant.access.blocks_older_client(_attempt(estate, account, client)):
        return Refusal(replies.CONDITIONAL_ACCESS, "conditional access")
    if account.mfa != "disabled":
        return Refusal(replies.AUTH_FAILED, "mfa")
    return None


def switched_off(estate: Estate, box: Mailbox) -> str | None:
    """Return the refusal of SMTP AUTH's switch: the mailbox's wins, None there inherits the tenant's."""
    tenant = estate.tenant
    if tenant.door.still_off:
        return replies.AUTH_OFF_TENANT
    if box.smtp_auth_disabled is None:
        return replies.AUTH_OFF_TENANT if tenant.smtp_auth_disabled else None
    return replies.AUTH_OFF_MAILBOX if box.smtp_auth_disabled else None


def _attempt(estate: Estate, account: Account, client: str) -> Attempt:
    return Attempt(account, client_type="other", address=client, country=estate.country_of(client), platform="")


def _log(estate: Estate, account: Account, client: str, error: int) -> None:
    tenant, now = estate.tenant, datetime.now(UTC)
    looked_at = [
        (policy.id, policy.name, policy.controls, "failure" if policy.controls else "success")
        for policy in tenant.access.enforced(_attempt(estate, account, client))
    ]
    visible = now + timedelta(seconds=tenant.log_delay)
    tenant.sign_ins.append(
        LoggedSignIn(
            account, client, estate.country_of(client), error, now, visible, looked_at if error != 50126 else []
        )
    )
