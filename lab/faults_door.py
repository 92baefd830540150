"""Faults of the submission service itself: what it offers, and how busy it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import replies
from lab.catalogue import both, deliveries, fault, logins, of_senders, submission, subnet, transactions

if TYPE_CHECKING:
    from lab.estate import Estate


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


@fault("unready-twice", layer="mail", cause=None)
def _(estate: Estate) -> None:
    """The submission service greets the first two connections by 421, and is ready then."""
    estate.tenant.door.unready = [replies.NOT_AVAILABLE] * 2


@fault(
    "unready-forever",
    layer="mail",
    cause="service-busy",
    network="namespaces",
    unproves=both(
        logins(),
        transactions("smtp-auth"),
        deliveries("smtp-auth"),
        of_senders("TEN-14"),
        lambda site: [("SMTP-3", submission(site))],
        *(both(subnet("EGR-3", to="submission", number=it), subnet("EGR-5", number=it)) for it in range(3)),
        subnet("EGR-1", to="submission", number=2),  # the others' copiers were delivered by it
    ),
)
def _(estate: Estate) -> None:
    """The submission service greets every connection by 421."""
    estate.tenant.door.unready, estate.tenant.door.never_ready = [replies.NOT_AVAILABLE], True


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
