"""Causes in the tenant: what keeps a sender from signing in, and mail without a sign-in from being taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.diagnosis.model import ENGINEER, LIST, MICROSOFT, TENANT, cause
from scanproof.evidence import SignIn, Submission
from scanproof.replies import meaning
from scanproof.tenant import facts, rules

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen, Told


def _refusal(it: Seen) -> str:
    """Return the name of what the service's reply means; empty where nobody asked or nothing was refused."""
    asked: list[SignIn | Submission] = [*it.every(SignIn), *it.every(Submission)]
    return meaning(asked[0].reply).name if it.failed and asked else ""


def _by_password(it: Seen) -> bool:
    return any(sender.address == it.key and sender.auth == "basic" for sender in it.site.file.sender)


@cause("settings-not-yet-effective", "tenant", MICROSOFT, of="SMTP-1 TEN-14")
def not_yet_effective(it: Seen) -> Told:
    """The service says SMTP AUTH is off, and the settings say on: what was switched a moment ago isn't in force."""
    off = any(_refusal(one).startswith("smtp-auth-off") for one in it.others("SMTP-1"))
    if off and it.failed and it.holds("TEN-1"):
        return (
            "SMTP AUTH is switched on, and the service does not act on it yet",
            "wait an hour and run again; if it stays so, ask Microsoft with both answers in hand",
        )
    return None


@cause("smtp-auth-off", "tenant", TENANT, of="TEN-1 SMTP-1")
def smtp_auth_off(it: Seen) -> Told:
    """The flag of the mailbox, or the organisation's that it inherits; the service's reply names the same."""
    if it.case.requirement == "TEN-1" and it.failed:
        of = it.facts(facts.SmtpAuth)
        off = "mailbox" if of.mailbox else "tenant"
    else:
        off = {"smtp-auth-off-mailbox": "mailbox", "smtp-auth-off-tenant": "tenant"}.get(_refusal(it), "")
    titles = {
        "mailbox": "SMTP AUTH is off for the sender's mailbox",
        "tenant": "SMTP AUTH is off for the tenant, and the mailbox inherits it",
    }
    return titles.get(off)


@cause("authentication-policy", "tenant", TENANT, of="TEN-2 SMTP-1")
def authentication_policy(it: Seen) -> Told:
    """The policy in force lacks AllowBasicAuthSmtp; the service's reply names the kind."""
    if (it.case.requirement == "TEN-2" and it.failed) or _refusal(it) == "authentication-policy":
        return "An authentication policy of Exchange bars sign-ins by password over SMTP"
    return None


@cause("security-defaults", "tenant", TENANT, of="TEN-3 SMTP-1")
def security_defaults(it: Seen) -> Told:
    """Security defaults know no exception."""
    if (it.case.requirement == "TEN-3" and it.failed) or _refusal(it) == "security-defaults":
        return "The tenant's security defaults bar every sign-in by password alone"
    return None


@cause("conditional-access", "tenant", TENANT, of="TEN-4 SMTP-1")
def conditional_access(it: Seen) -> Told:
    """A policy in force demands what a client of this kind can't give."""
    stopping = [one for one in it.others("TEN-4") if one.failed]
    if (it.case.requirement == "TEN-4" and it.failed) or (stopping and _refusal(it) == "conditional-access"):
        names = {policy.name for one in stopping for policy in one.facts(facts.ConditionalAccess).stopping}
        return f"Conditional Access stops the sender ({', '.join(sorted(names))})"
    known = [one.facts(facts.ConditionalAccess) for one in it.others("TEN-4") if one.judged(facts.ConditionalAccess)]
    in_question = ", ".join(sorted({policy.name for one in known for policy in one.undecided if not one.grade}))
    refused = any(_refusal(one) == "conditional-access" for one in it.others("SMTP-1"))
    if in_question and refused:
        return f"Conditional Access stops the sender, by a policy of which it was open ({in_question})"
    if in_question and it.case.requirement == "TEN-4":
        return f"It is open whether Conditional Access stops the sender ({in_question})"
    if _refusal(it) == "conditional-access":
        return "Conditional Access stops the sender, by a policy that was not read"
    return None


@cause("graph-permission", "tenant", TENANT, of="TEN-4")
def only_inferred(it: Seen) -> Told:
    """Entra's own evaluation wasn't to be had, and the policies' words alone are no proof."""
    inferred = (
        not it.failed and it.judged(facts.ConditionalAccess) and it.facts(facts.ConditionalAccess).grade == "inferred"
    )
    return NOT_ALL_READ if inferred else None


NOT_ALL_READ = "The suite's app may not read all that it needs of Microsoft Graph"


@cause("sender-mfa", "tenant", TENANT, of="TEN-5 SMTP-1")
def sender_mfa(it: Seen) -> Told:
    """Per-user MFA: the service then refuses without saying why."""
    if it.failed and (it.case.requirement == "TEN-5" or (_refusal(it) and it.fails("TEN-5"))):
        return "Multi-factor authentication is on for the sender, which a copier can't give"
    return None


@cause("sender-disabled", "tenant", TENANT, of="TEN-7 SMTP-1")
def sender_disabled(it: Seen) -> Told:
    """The account is switched off: the service calls it locked."""
    known = [one.facts(facts.HeldMailbox) for one in it.others("TEN-7") if one.failed]
    if any(one.account.enabled is False for one in known) and (it.case.requirement == "TEN-7" or _refusal(it)):
        return "The sender's account is disabled"
    return None


@cause("sender-without-mailbox", "tenant", TENANT, of="TEN-7 SMTP-1")
def sender_without_mailbox(it: Seen) -> Told:
    """No active plan of it carries a mailbox."""
    if it.fails("TEN-7") and (it.case.requirement == "TEN-7" or _refusal(it)):
        return "The sender has no mailbox: its licence carries none"
    return None


@cause("password-expired", "tenant", TENANT, of="TEN-6 SMTP-1")
def password_expired(it: Seen) -> Told:
    """Its day has passed."""
    ends = [one.facts(facts.PasswordExpiry).expires for one in it.others("TEN-6") if one.failed]
    passed = any(end and end <= it.site.now for end in ends)
    if passed and (it.case.requirement == "TEN-6" or _refusal(it) == "wrong-credentials"):
        return "The sender's password has expired"
    return None


@cause("password-expires", "tenant", TENANT, of="TEN-6")
def password_expires(it: Seen) -> Told:
    """It works until that day."""
    if not it.failed:
        return None
    end = it.facts(facts.PasswordExpiry).expires
    return f"The sender's password expires{f' on {end:%Y-%m-%d}' if end else ''}: scanning stops that day"


@cause("sender-federated", "tenant", TENANT, of="TEN-6")
def sender_federated(it: Seen) -> Told:
    """How long it is valid is another directory's to say."""
    if it.judged(facts.PasswordExpiry) and it.facts(facts.PasswordExpiry).elsewhere:
        return "The sender's password is kept by another directory, whose rules this suite can't see"
    return None


@cause("password-validity", "tenant", TENANT, of="TEN-6")
def password_validity(it: Seen) -> Told:
    """Nothing states it, and Microsoft's own pages differ about what that means."""
    if it.judged(facts.PasswordExpiry) and not it.facts(facts.PasswordExpiry).told:
        return "Nothing states how long the sender's password is valid"
    return None


@cause("sender-locked", "tenant", TENANT, of="SMTP-1")
def sender_locked(it: Seen) -> Told:
    """The service says so."""
    return "The sender's account is locked" if _refusal(it) == "account-locked" else None


@cause("sender-password", "tenant", ENGINEER, of="SMTP-1")
def sender_password(it: Seen) -> Told:
    """Refused, and no setting of the tenant's explains it."""
    wrong = _refusal(it) == "wrong-credentials"
    return "The password that was supplied for the sender is not its password" if wrong else None


@cause("basic-retired", "tenant", TENANT, of="SMTP-1")
def basic_retired(it: Seen) -> Told:
    """Microsoft's end of Basic for client submission."""
    retired = _refusal(it) == "basic-retired"
    return "Microsoft no longer takes sign-ins by password for client submission" if retired else None


@cause("client-secret", "tenant", ENGINEER, of="SMTP-1")
def client_secret(it: Seen) -> Told:
    """The login endpoint gave the app no token."""
    refused = it.failed and it.judged(SignIn) and it.facts(SignIn).stage == "token"
    return APP_REFUSED if refused else None


APP_REFUSED = "The login endpoint gives this suite's app no token: its secret or certificate is wrong or has expired"


@cause("graph-permission", "tenant", TENANT, of="SMTP-1")
def nothing_granted(it: Seen) -> Told:
    """A token without any permission: mail can't be sent by it either."""
    nothing = _refusal(it) and not _by_password(it) and grants_nothing(it)
    return (NOTHING_GRANTED, GRANT) if nothing else None


NOTHING_GRANTED = "The app that this suite signs in as has been granted nothing"
GRANT = (
    "grant the app what 'scanproof requirements --permissions' prints, as application permissions with admin consent "
    "(Entra admin center, App registrations, API permissions)"
)


def grants_nothing(it: Seen) -> bool:
    """Whether the run's own tokens hold no permission at all."""
    known = [
        one.facts(facts.Granted) for one in it.others("TEN-13", it.site.file.mail.domain) if one.judged(facts.Granted)
    ]
    return any(not one.graph and not one.exchange for one in known)


@cause("app-permission", "tenant", TENANT, of="SMTP-1")
def app_permission(it: Seen) -> Told:
    """Refused with a token: the app may not send as this mailbox."""
    if _refusal(it) == "identity-refused" and not _by_password(it):
        return (
            "The app may not send as the sender",
            f"grant the app SMTP.SendAsApp with admin consent, and FullAccess to {it.key} in Exchange (docs/tenant.md)",
        )
    return None


@cause("failed-sign-ins", "tenant", TENANT, of="TEN-12")
def failed_sign_ins(it: Seen) -> Told:
    """The sign-in log shows who tries in vain."""
    return "Something signs in as the sender, and is refused" if it.failed else None


@cause("basic-auth-ends", "inventory", LIST, of="TEN-13 TEN-9")
def listed_by_password(it: Seen) -> Told:
    """The app may send by OAuth, and no sender is listed as one that does."""
    if any(sender.auth == "oauth" for sender in it.site.file.sender) or not it.failed:
        return None
    for one in it.others("TEN-13", it.site.file.mail.domain):
        if one.failed and "SMTP.SendAsApp" in one.facts(facts.Granted).exchange:
            return (
                "The app may send by OAuth, and every sender is listed as one that signs in by password",
                'state auth = "oauth" of the sender that the app sends as; or take SMTP.SendAsApp from the app',
            )
    return None


@cause("app-can-write", "tenant", TENANT, of="TEN-13")
def app_can_write(it: Seen) -> Told:
    """More than reading was granted."""
    return "The app that this suite signs in as may change things" if it.failed else None


@cause("send-as", "tenant", TENANT, of="SMTP-2")
def send_as(it: Seen) -> Told:
    """The from-address isn't the mailbox's to use."""
    return "The sender may not use its from-address" if _refusal(it) == "send-as" else None


@cause("mailbox-full", "tenant", TENANT, of="SMTP-2")
def mailbox_full(it: Seen) -> Told:
    """Its own Sent Items, as a rule."""
    return "The sender's mailbox is full" if _refusal(it) == "mailbox-full" else None


@cause("partner-connector", "tenant", TENANT, of="TEN-8 SMTP-2")
def partner_connector(it: Seen) -> Told:
    """A connector takes mail for the domain from a filtering gateway only."""
    locked = it.judged(facts.Inward) and rules.locking(it.facts(facts.Inward), it.site.file.mail.domain)
    if (it.failed and locked) or _refusal(it) == "gateway-lockdown":
        return (
            "A partner connector lets nobody but the filtering gateway in",
            "add the site's public address to that connector, or send through the gateway",
        )
    return None


@cause("direct-send-rejected", "tenant", TENANT, of="TEN-8 SMTP-2")
def direct_send_rejected(it: Seen) -> Told:
    """RejectDirectSend, with no connector that matches."""
    if (it.case.requirement == "TEN-8" and it.failed) or _refusal(it) == "direct-send-rejected":
        return "The tenant rejects direct send"
    return None


@cause("relay-connector", "tenant", TENANT, of="TEN-10 SMTP-2")
def relay_connector(it: Seen) -> Told:
    """No enabled connector of the right type holds the site's address."""
    if (it.case.requirement == "TEN-10" and it.failed) or _refusal(it) == "no-connector":
        return "No relay connector matches the site's public address"
    return None


@cause("accepted-domain", "tenant", TENANT, of="TEN-11")
def accepted_domain(it: Seen) -> Told:
    """The domain's type still sends unknown recipients to another server."""
    if it.failed and it.facts(facts.Outward).domain_type.lower() != "authoritative":
        shared = "The domain still counts as shared with the retired server"
        leading = rules.to_retired(it.facts(facts.Outward), it.site.file.mail.retired_hosts)
        return f"{shared}, and a connector still sends mail to it" if leading else shared
    return None


@cause("outbound-connector", "tenant", TENANT, of="TEN-11")
def outbound_connector(it: Seen) -> Told:
    """An enabled connector to a retired host."""
    pointing = it.failed and rules.still_pointing(it.facts(facts.Outward), it.site.file.mail.retired_hosts)
    return "A connector of the tenant still sends mail to the retired server" if pointing else None


@cause("address-banned", "tenant", MICROSOFT, of="SMTP-2 SMTP-1")
def address_banned(it: Seen) -> Told:
    """Microsoft's block list."""
    banned = _refusal(it) in {"address-banned", "tenant-or-address-distrusted"}
    return "Microsoft takes no mail from the site's public address" if banned else None


@cause("flag-missing", "tenant", MICROSOFT, of="TEN-1 TEN-14")
def flag_missing(it: Seen) -> Told:
    """Named by what the evidence lacks; TEN-14 says the same of what it rests on."""
    missing = any(one.lacks == "flag-missing" for one in it.others("TEN-1"))
    return FLAG_MISSING if missing and not it.failed else None


FLAG_MISSING = "Exchange's answer lacks the setting that decides over SMTP AUTH"
