"""Faults of the tenant's settings: who may sign in, and who may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import replies
from lab.catalogue import Pairs, both, deliveries, fault, logins, senders, submission, transactions

if TYPE_CHECKING:
    from lab.estate import Estate, Mailbox
    from scanproof.site import Site


def _senders(estate: Estate, auth: str | None = None) -> list[Mailbox]:
    return [estate.tenant.mailboxes[address] for address, by in estate.plan.senders if auth in {None, by}]


def _first_basic(site: Site) -> Pairs:
    return [("SMTP-1", address) for address in senders(site, "basic")[:1]]


def _first_basic_transaction(site: Site) -> Pairs:
    return [("SMTP-2", f"{address}++smtp-auth") for address in senders(site, "basic")[:1]]


@fault("smtp-auth-off-tenant", layer="tenant", cause="smtp-auth-off", breaks=logins())
def _(estate: Estate) -> None:
    """SMTP AUTH is off for the tenant, and the mailboxes inherit it."""
    estate.tenant.smtp_auth_disabled = True


@fault("smtp-auth-off-mailbox", layer="tenant", cause="smtp-auth-off", breaks=_first_basic)
def _(estate: Estate) -> None:
    """SMTP AUTH is off for one sender's mailbox."""
    _senders(estate, "basic")[0].smtp_auth_disabled = True


@fault("smtp-auth-on-mailbox-only", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """SMTP AUTH is off for the tenant and on for the senders' mailboxes, as Microsoft recommends."""
    estate.tenant.smtp_auth_disabled = True
    for box in _senders(estate):
        box.smtp_auth_disabled = False


@fault("sender-password-wrong", layer="tenant", cause="sender-password", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """The senders' password is not the one that the copiers have."""
    for box in _senders(estate, "basic"):
        box.password += "-changed"


@fault("sender-locked", layer="tenant", cause="sender-locked", breaks=_first_basic)
def _(estate: Estate) -> None:
    """One sender's account is locked."""
    _senders(estate, "basic")[0].locked = True


@fault("sender-mfa", layer="tenant", cause="sender-mfa", breaks=_first_basic)
def _(estate: Estate) -> None:
    """One sender has per-user multi-factor authentication."""
    _senders(estate, "basic")[0].mfa = True


@fault("security-defaults", layer="tenant", cause="security-defaults", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """Security defaults are on: no sign-in with a password alone."""
    estate.tenant.security_defaults = True


@fault("conditional-access", layer="tenant", cause="conditional-access", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """A Conditional Access policy blocks older clients."""
    estate.tenant.blocks_legacy = True


@fault("authentication-policy", layer="tenant", cause="authentication-policy", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """An authentication policy blocks Basic for SMTP."""
    estate.tenant.blocks_basic = True


@fault("basic-retired", layer="tenant", cause="basic-retired", breaks=logins("basic"))
def _(estate: Estate) -> None:
    """Microsoft takes Basic no more for client submission."""
    estate.tenant.basic_retired = True


@fault(
    "client-secret-wrong",
    layer="tenant",
    cause="client-secret",
    breaks=logins("oauth"),
    unproves=deliveries(without="oauth"),
)
def _(estate: Estate) -> None:
    """The app's client secret is not the one that the site has: no token for mail or for Graph."""
    estate.app.secret += "-renewed"


@fault("app-may-not-send", layer="tenant", cause="app-permission", breaks=logins("oauth"))
def _(estate: Estate) -> None:
    """The app lacks the permission to send (SMTP.SendAsApp)."""
    estate.app.permissions.discard("SMTP.SendAsApp")


@fault("send-as-denied", layer="tenant", cause="send-as", breaks=_first_basic_transaction)
def _(estate: Estate) -> None:
    """One sender's address is only an alias of its mailbox, which may not send as it."""
    box = _senders(estate, "basic")[0]
    box.primary = f"primary-of-{box.address}"


@fault("sender-mailbox-full", layer="tenant", cause="mailbox-full", breaks=_first_basic_transaction)
def _(estate: Estate) -> None:
    """One sender's Sent Items have filled its mailbox."""
    _senders(estate, "basic")[0].full = True


@fault("direct-send-rejected", layer="tenant", cause="direct-send-rejected", breaks=transactions("direct-send"))
def _(estate: Estate) -> None:
    """The tenant rejects direct send."""
    estate.tenant.reject_direct_send = True


@fault("gateway-only", layer="tenant", cause="partner-connector", breaks=transactions("direct-send"))
def _(estate: Estate) -> None:
    """A partner connector takes mail from a filtering gateway only."""
    estate.tenant.gateway_only = True


@fault("site-banned", layer="tenant", cause="address-banned", breaks=transactions("direct-send"))
def _(estate: Estate) -> None:
    """The engineer's public address is on Microsoft's block list."""
    estate.tenant.banned.add(estate.plan.subnets[0].public_address)


@fault(
    "submission-needs-tls13",
    layer="mail",
    cause="tls-too-new",
    breaks=lambda site: [("SMTP-3", submission(site))],
)
def _(estate: Estate) -> None:
    """The submission service takes TLS 1.3 only, which no older copier knows."""
    estate.tenant.door.modern_only = True


@fault(
    "auth-login-not-offered",
    layer="mail",
    cause="auth-login-missing",
    breaks=both(lambda site: [("SMTP-3", submission(site))], logins("basic")),
)
def _(estate: Estate) -> None:
    """The submission service offers OAuth only."""
    estate.tenant.door.mechanisms = ("XOAUTH2",)


@fault("busy-twice", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """The submission service is busy for the first two mails (432), then takes them."""
    estate.tenant.door.busy = [replies.THREAD_LIMIT] * 2


@fault("throttled-twice", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """The submission service hangs up on the first two mails (421), then takes them."""
    estate.tenant.door.throttled = [replies.RATE_EXCEEDED] * 2


@fault(
    "busy-forever",
    layer="mail",
    cause="service-busy",
    unproves=both(transactions("smtp-auth"), deliveries("smtp-auth")),
)
def _(estate: Estate) -> None:
    """The submission service is busy whenever it is tried (432)."""
    estate.tenant.door.busy, estate.tenant.door.always_busy = [replies.THREAD_LIMIT], True


@fault("recipient-unknown", layer="tenant", cause="recipient-unknown", breaks=deliveries(recipient=1))
def _(estate: Estate) -> None:
    """The second test recipient has no mailbox."""
    del estate.tenant.mailboxes[estate.plan.recipients[1]]


@fault(
    "recipient-internal-only",
    layer="tenant",
    cause="recipient-refuses",
    breaks=deliveries("direct-send", recipient=1),
)
def _(estate: Estate) -> None:
    """The second test recipient takes no mail from senders that did not sign in."""
    estate.tenant.mailboxes[estate.plan.recipients[1]].internal_only = True
