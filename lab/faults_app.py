"""Faults of the suite's own app: its secret, its permissions, and its roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import (
    TENANT,
    access_of_basic,
    applications,
    both,
    deliveries,
    domain,
    fault,
    logins,
    of_senders,
    proofs,
    relay_connectors,
    representative,
    scans,
)
from lab.directory import EXCHANGE_ADMINISTRATOR, GLOBAL_READER
from lab.tokens import app_certificate

if TYPE_CHECKING:
    from lab.estate import Estate

_NO_TOKEN = both(deliveries(without="oauth"), applications("APP-2"), scans, of_senders("TEN-14", auth="basic"), TENANT)
NO_EXCHANGE = both(
    of_senders("TEN-1", "TEN-14"),
    of_senders("TEN-2", auth="basic"),
    domain("TEN-8", "TEN-11"),
    relay_connectors,
)


@fault("client-secret-wrong", layer="tenant", cause="client-secret", breaks=logins("oauth"), unproves=_NO_TOKEN)
def _(estate: Estate) -> None:
    """The app's client secret is not the one that the site has: no token for mail or for any API."""
    estate.app.secret += "-renewed"


@fault("client-secret-expired", layer="tenant", cause="client-secret", breaks=logins("oauth"), unproves=_NO_TOKEN)
def _(estate: Estate) -> None:
    """The app's client secret has run out: no token for mail or for any API."""
    estate.app.secret_expired = True


@fault("client-certificate", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """The app signs in with a certificate, and has no secret."""
    pem, estate.app.certificate = app_certificate()
    estate.secrets["SCANPROOF_CLIENT_CERTIFICATE"] = pem
    del estate.secrets["SCANPROOF_CLIENT_SECRET"]


@fault("app-may-not-send", layer="tenant", cause="app-permission", breaks=logins("oauth"))
def _(estate: Estate) -> None:
    """The app lacks the permission to send (SMTP.SendAsApp)."""
    estate.app.exchange_permissions.discard("SMTP.SendAsApp")


@fault("app-can-write", layer="tenant", cause="app-can-write", breaks=domain("TEN-13"))
def _(estate: Estate) -> None:
    """The app was granted more than reading: mailboxes and the directory."""
    estate.app.permissions |= {"Mail.ReadWrite", "Directory.ReadWrite.All"}


@fault("app-is-exchange-administrator", layer="tenant", cause="app-can-write", breaks=domain("TEN-13"))
def _(estate: Estate) -> None:
    """The app has the role of Exchange's administrators."""
    estate.app.roles.add(EXCHANGE_ADMINISTRATOR)


@fault(
    "no-permission-policy",
    layer="tenant",
    cause="graph-permission",
    unproves=both(of_senders("TEN-3", "TEN-5", "TEN-14", auth="basic"), access_of_basic()),
)
def _(estate: Estate) -> None:
    """The app may not read policies (Policy.Read.All)."""
    estate.app.permissions.discard("Policy.Read.All")


@fault(
    "no-permission-user",
    layer="tenant",
    cause="graph-permission",
    unproves=both(
        of_senders("TEN-6", "TEN-14", auth="basic"),
        of_senders("TEN-7"),
        access_of_basic(),
    ),
)
def _(estate: Estate) -> None:
    """The app may not read users (User.Read.All)."""
    estate.app.permissions.discard("User.Read.All")


@fault(
    "no-permission-at-all",
    layer="tenant",
    cause="graph-permission",
    breaks=logins("oauth"),
    unproves=both(
        deliveries(without="oauth"),
        applications("APP-2"),
        scans,
        of_senders("TEN-1", "TEN-7"),
        of_senders("TEN-2", "TEN-3", "TEN-5", "TEN-6", "TEN-12", "TEN-14", auth="basic"),
        access_of_basic(),
        domain("TEN-8", "TEN-11"),
        relay_connectors,
    ),
)
def _(estate: Estate) -> None:
    """The app has no permission at all."""
    estate.app.permissions.clear()
    estate.app.exchange_permissions.clear()


@fault("no-permission-domain", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """The app may not read domains (Domain.Read.All), and nothing here needs it."""
    estate.app.permissions.discard("Domain.Read.All")


@fault(
    "no-permission-domain-needed",
    layer="tenant",
    cause="graph-permission",
    unproves=of_senders("TEN-6", auth="basic", first=True),
)
def _(estate: Estate) -> None:
    """The app may not read domains (Domain.Read.All), which say how long one sender's password is valid."""
    estate.app.permissions.discard("Domain.Read.All")
    sender = next(address for address, by in estate.plan.senders if by == "basic")
    estate.tenant.accounts[sender.casefold()].password_policies = None


@fault(
    "no-permission-audit",
    layer="tenant",
    cause="graph-permission",
    unproves=of_senders("TEN-12", auth="basic"),
)
def _(estate: Estate) -> None:
    """The app may not read the sign-in log (AuditLog.Read.All)."""
    estate.app.permissions.discard("AuditLog.Read.All")


@fault("no-permission-trace", layer="tenant", cause=None)
def _(estate: Estate) -> None:
    """The app may not read the message trace (ExchangeMessageTrace.Read.All), and the mailboxes do."""
    estate.app.permissions.discard("ExchangeMessageTrace.Read.All")


@fault("no-permission-exchange", layer="tenant", cause="exchange-permission", unproves=NO_EXCHANGE)
def _(estate: Estate) -> None:
    """The app may not use Exchange's admin API (Exchange.ManageAsApp)."""
    estate.app.exchange_permissions.discard("Exchange.ManageAsApp")


@fault("no-exchange-role", layer="tenant", cause="exchange-permission", unproves=NO_EXCHANGE)
def _(estate: Estate) -> None:
    """The app may use Exchange's admin API, and has no role that reads anything there."""
    estate.app.roles.discard(GLOBAL_READER)


@fault(
    "graph-forbidden",
    layer="tenant",
    cause="graph-permission",
    unproves=both(deliveries(), applications("APP-2"), scans),
)
def _(estate: Estate) -> None:
    """The app may not read mailboxes (403)."""
    estate.app.permissions -= {"Mail.Read", "Mail.ReadBasic.All"}


@fault(
    "no-permission-attachments",
    layer="tenant",
    cause="graph-permission",
    unproves=both(*(representative(number, "DLV-2") for number in range(4)), proofs),
)
def _(estate: Estate) -> None:
    """The app may read what mail lies where, and no attachment (Mail.ReadBasic.All instead of Mail.Read)."""
    estate.app.permissions = estate.app.permissions - {"Mail.Read"} | {"Mail.ReadBasic.All"}
