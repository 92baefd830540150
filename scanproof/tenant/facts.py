"""The models of evidence from the tenant: settings as they were read, each with where they are from."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Literal

from scanproof.kinds import Facts

NEVER = 2147483647  # passwordValidityPeriodInDays of a domain whose passwords never expire


class Read(Facts):
    """What all of them say of their origin."""

    source: str  # the command or request, or the saved file
    grade: Literal["", "attested", "inferred"] = ""  # of a proof by it: empty where the suite asked itself


def _said(value: bool | None) -> str:  # noqa: FBT001
    return "null" if value is None else str(value).lower()


class SmtpAuth(Read):
    """SmtpClientAuthenticationDisabled of a mailbox and of the organisation."""

    mailbox: bool | None
    organization: bool | None

    @property
    def disabled(self) -> bool | None:
        """What is in force: the mailbox's value wins, null there inherits (Set-CASMailbox's reference)."""
        return self.organization if self.mailbox is None else self.mailbox

    @property
    def seen(self) -> str:
        """Both values, in words."""
        return (
            f"SmtpClientAuthenticationDisabled: mailbox {_said(self.mailbox)}"
            f"{' (inherits)' if self.mailbox is None else ''}, organisation {_said(self.organization)} ({self.source})"
        )


class PolicyInForce(Read):
    """The authentication policy that applies to a user."""

    name: str  # empty where none applies
    of: str  # "user" or "organisation"
    allows: bool | None  # AllowBasicAuthSmtp

    @property
    def refuses(self) -> bool | None:
        """Whether it refuses Basic for SMTP; None where that was not told."""
        if not self.name:
            return False
        return None if self.allows is None else not self.allows

    @property
    def seen(self) -> str:
        """The policy, in words."""
        if not self.name:
            return f"no authentication policy applies ({self.source})"
        return f"policy “{self.name}” of the {self.of}: AllowBasicAuthSmtp {_said(self.allows)} ({self.source})"


class SecurityDefaults(Read):
    """Entra's security defaults."""

    enabled: bool

    @property
    def seen(self) -> str:
        """Whether they are on, in words."""
        return f"security defaults are {'on' if self.enabled else 'off'} ({self.source})"


class AppliedPolicy(Facts):
    """A Conditional Access policy, as far as it concerns a sign-in."""

    name: str
    state: str  # enabled, disabled, enabledForReportingButNotEnforced
    controls: tuple[str, ...]  # of its grant; empty where it only governs the session
    decided: bool = True  # False: it depends on what is not known here
    why: str = ""  # what it depends on

    @property
    def in_force(self) -> bool | None:
        """Whether it is enforced; None for a state that is not one of the three."""
        states = {"enabled": True, "disabled": False, "enabledforreportingbutnotenforced": False}
        return states.get(self.state.lower())

    @property
    def seen(self) -> str:
        """The policy, in words."""
        open_question = f", and whether it applies is open: {self.why}" if self.why else ""
        return f"“{self.name}” ({self.state}): {', '.join(self.controls) or 'no grant control'}{open_question}"


class ConditionalAccess(Read):
    """The Conditional Access policies that apply to a sign-in by SMTP from one public address."""

    address: str
    country: str
    policies: tuple[AppliedPolicy, ...]
    # Security defaults are on: no policy can be in force beside them, so that another may be as soon as they are off.
    defaults: bool = False

    @property
    def stopping(self) -> tuple[AppliedPolicy, ...]:
        """Those in force that demand what a client of this kind can't give: any grant control at all."""
        return tuple(it for it in self.policies if it.in_force and it.controls and it.decided)

    @property
    def refuses(self) -> bool | None:
        """Whether they refuse the sign-in; None where that is open."""
        return True if self.stopping else None if self.undecided else False

    @property
    def undecided(self) -> tuple[AppliedPolicy, ...]:
        """Those in force that may, by what is not known here; and those of which it is not known whether they are."""
        found = (it for it in self.policies if it.in_force is not False and it.controls)
        return tuple(it for it in found if it.in_force is None or not it.decided)

    @property
    def told(self) -> bool:
        """Whether it is known what they do: by Entra's own evaluation; or one stops the sender by its own words."""
        return bool(self.stopping) or (not self.undecided and self.grade != "inferred")

    @property
    def seen(self) -> str:
        """What applies, in words."""
        found = "; ".join(policy.seen for policy in self.policies) or "no policy applies"
        told = " as long as security defaults are on (TEN-3): what replaces them decides anew" if self.defaults else ""
        return f"client type “other” from {self.address}: {found}{told} ({self.source})"


class MfaState(Read):
    """Per-user multi-factor authentication."""

    state: str  # disabled, enabled, enforced

    @property
    def told(self) -> bool:
        """Whether the state is one that is known."""
        return self.state.lower() in {"disabled", "enabled", "enforced"}

    @property
    def refuses(self) -> bool | None:
        """Whether it refuses a sign-in by password; None where that is not told.

        One that is enabled refuses none yet: it does once the user has registered, which makes it enforced.
        """
        return self.state.lower() == "enforced" if self.told else None

    @property
    def seen(self) -> str:
        """The state, in words."""
        return f"per-user MFA is {self.state or 'not stated'} ({self.source})"


class Account(Read):
    """The directory's view of a sender."""

    id: str
    enabled: bool | None
    policies: tuple[str, ...]  # of its password
    changed: datetime | None  # when its password was last changed
    synchronised: bool
    mailbox_plans: tuple[str, ...]  # active service plans that carry a mailbox
    other_plans: tuple[str, ...]  # further plans of the service "exchange"

    @property
    def seen(self) -> str:
        """The account, in words."""
        plans = ", ".join(self.mailbox_plans or self.other_plans) or "none of Exchange"
        carries = "" if self.mailbox_plans else ", none that carries a mailbox"
        return f"accountEnabled {_said(self.enabled)}; active plans: {plans}{carries} ({self.source})"


class HeldMailbox(Read):
    """A sender's account, and whether Exchange knows a mailbox of it where its plans don't tell."""

    account: Account
    in_exchange: bool | None = None

    @property
    def has_mailbox(self) -> bool | None:
        """Whether it has a mailbox: Exchange's word, else that of its plans; None where neither tells."""
        return self.in_exchange if self.in_exchange is not None else bool(self.account.mailbox_plans) or None

    @property
    def seen(self) -> str:
        """Both, in words."""
        known = {None: "", True: "; Exchange has its mailbox", False: "; Exchange has no such mailbox"}
        return f"{self.account.seen}{known[self.in_exchange]}"


class PasswordExpiry(Read):
    """Whether and when a sender's password expires."""

    never: bool  # DisablePasswordExpiration on the user
    changed: datetime | None = None
    elsewhere: str = ""  # why another directory's rules apply
    domain: str = ""
    validity: int | None = None  # days, of the domain; None: not set

    @property
    def expires(self) -> datetime | None:
        """When it expires; None where it never does or that is not known."""
        if self.never or self.validity in {None, NEVER} or self.changed is None:
            return None
        try:
            return self.changed + timedelta(days=self.validity or 0)
        except OverflowError:  # in no calendar
            return None

    @property
    def told(self) -> bool:
        """Whether what was read decides it."""
        return self.never or (not self.elsewhere and self.validity is not None)

    @property
    def seen(self) -> str:
        """What decides it, in words."""
        if self.never:
            return f"DisablePasswordExpiration is set on the user ({self.source})"
        if self.elsewhere:
            return f"{self.elsewhere} ({self.source})"
        if self.validity is None:
            return f"no flag on the user, and {self.domain} states no validity, read as never or as 90 days by turns"
        if self.validity == NEVER:
            return f"passwords of {self.domain} never expire ({self.source})"
        when = f": this one on {self.expires:%Y-%m-%d}" if self.expires else ""
        return f"passwords of {self.domain} expire after {self.validity} days{when} ({self.source})"


class Inbound(Facts):
    """An inbound connector."""

    name: str
    enabled: bool
    type: str  # OnPremises or Partner
    addresses: tuple[str, ...]  # SenderIPAddresses: single ones or /24 to /32
    certificate: str
    locks_addresses: bool  # RestrictDomainsToIPAddresses
    locks_certificate: bool
    domains: tuple[str, ...] = ("*",)  # SenderDomains, which its locks are about

    def concerns(self, domain: str) -> bool:
        """Whether its SenderDomains hold a domain: written as ``smtp:*.partner.example;1``."""
        for listed in self.domains:
            named = listed.lower().strip().removeprefix("smtp:").split(";", 1)[0].strip()
            if named in {"*", domain} or (named.startswith("*.") and f".{domain}".endswith(named[1:])):
                return True
        return False

    @property
    def locks(self) -> bool:
        """Whether it keeps others from sending as its domains; only a partner's can."""
        return self.type.lower() == "partner" and (self.locks_addresses or self.locks_certificate)

    def matches_by_address(self, domain: str) -> bool:
        """Whether it knows its senders by address: a partner's does only where it locks them, for its own domains."""
        if not self.addresses:
            return False
        return self.type.lower() == "onpremises" or (self.locks_addresses and self.concerns(domain))

    def holds(self, address: str) -> bool:
        """Whether its SenderIPAddresses hold an address."""
        return any(_within(address, listed) for listed in self.addresses)

    @property
    def seen(self) -> str:
        """The connector, in words."""
        by = ", ".join(self.addresses) or (f"certificate {self.certificate}" if self.certificate else "nothing")
        return f"“{self.name}” ({self.type}{'' if self.enabled else ', disabled'}) for {by}"


def _within(address: str, listed: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(listed.strip(), strict=False)
    except ValueError:
        return False


class Inward(Read):
    """What decides over mail that comes to the tenant without a sign-in."""

    rejects_direct_send: bool | None
    accepted: tuple[str, ...]  # domains
    connectors: tuple[Inbound, ...]

    @property
    def seen(self) -> str:
        """The settings, in words."""
        listed = "; ".join(connector.seen for connector in self.connectors) or "none"
        return f"RejectDirectSend {_said(self.rejects_direct_send)}; inbound connectors: {listed} ({self.source})"


class Outbound(Facts):
    """An outbound connector."""

    name: str
    enabled: bool
    hosts: tuple[str, ...]


class Outward(Read):
    """Where the tenant sends mail on to."""

    domain_type: str  # of the site's domain: Authoritative, InternalRelay, ExternalRelay
    connectors: tuple[Outbound, ...]

    @property
    def seen(self) -> str:
        """Both, in words."""
        listed = "; ".join(
            f"“{it.name}”{'' if it.enabled else ' (disabled)'} to {', '.join(it.hosts) or 'MX'}"
            for it in self.connectors
        )
        return f"domain type {self.domain_type}; outbound connectors: {listed or 'none'} ({self.source})"


class Failure(Facts):
    """Failed sign-ins of one kind from one address."""

    address: str
    code: int
    reason: str
    count: int
    last: datetime


class SignIns(Read):
    """A sender's entries in the sign-in log."""

    since: datetime
    total: int
    failures: tuple[Failure, ...]
    addresses: tuple[str, ...] = ()  # from which it signed in

    @property
    def seen(self) -> str:
        """The failures, in words."""
        if not self.total:
            return (
                f"the log holds no sign-in of it since {self.since:%Y-%m-%d %H:%M} UTC, not even one that went well, "
                f"so it shows nothing of those that failed ({self.source})"
            )
        if not self.failures:
            where = f", from {', '.join(self.addresses)}" if self.addresses else ""
            return f"{self.total} sign-ins since {self.since:%Y-%m-%d %H:%M} UTC{where}, none failed ({self.source})"
        listed = "; ".join(
            f"{it.count} from {it.address}: {it.code} {it.reason}, last {it.last:%Y-%m-%d %H:%M} UTC"
            for it in self.failures
        )
        return f"{listed} ({self.source})"


class Granted(Read):
    """What the run's own tokens permit."""

    graph: tuple[str, ...]
    exchange: tuple[str, ...]
    roles: tuple[str, ...]  # directory roles, by template id

    @property
    def seen(self) -> str:
        """The permissions, in words."""
        roles = f"; directory roles: {', '.join(self.roles)}" if self.roles else ""
        return f"Graph: {', '.join(self.graph) or 'none'}; Exchange: {', '.join(self.exchange) or 'none'}{roles}"


class MailHosts(Read):
    """The hosts that a domain's mail is to reach, and what SPF is to include."""

    hosts: tuple[str, ...]
    includes: tuple[str, ...] = ()  # SPF terms of the service
    trouble: str = ""  # why the tenant's own records could not be read

    @property
    def seen(self) -> str:
        """The hosts, in words."""
        why = f", for the tenant's own records could not be read: {self.trouble}" if self.trouble else ""
        return f"{', '.join(self.hosts) or 'none stated'} ({self.source}{why})"


class ExpectedSignIn(Read):
    """What the settings say of a sender's sign-in by SMTP."""

    refused: tuple[str, ...]  # requirement and what was read, of each setting that refuses it
    unknown: tuple[str, ...]  # requirement and why, of each setting that could not be read

    @property
    def seen(self) -> str:
        """The prediction, in words."""
        if self.refused:
            return f"the settings refuse it ({'; '.join(self.refused)})"
        return "the settings allow it"
