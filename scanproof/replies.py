"""What an SMTP reply of Exchange Online means, and what to do about it.

Classified by the sentence, never by the code alone: 5.7.139 has at least eight meanings. The texts and
their sources are in docs/replies.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.evidence import Reply


@dataclass(frozen=True)
class Meaning:
    """A reply's meaning.

    Attributes:
        name: a short name for it.
        means: what it says about the tenant, the sender or the way, in one clause.
        remedy: what to do.
    """

    name: str
    means: str
    remedy: str


def _m(pattern: str, name: str, means: str, remedy: str) -> tuple[re.Pattern[str], Meaning]:
    return re.compile(pattern, re.IGNORECASE), Meaning(name, means, remedy)


_TABLE = (
    _m(
        r"SmtpClientAuthentication is disabled for the Tenant",
        "smtp-auth-off-tenant",
        "SMTP AUTH is off for the whole tenant, and the mailbox has no setting of its own",
        "allow it for this mailbox alone: Set-CASMailbox -Identity <sender> -SmtpClientAuthenticationDisabled $false; "
        "where TEN-1 shows it allowed already, wait until it is in force (TEN-14)",
    ),
    _m(
        r"SmtpClientAuthentication is disabled for the Mailbox",
        "smtp-auth-off-mailbox",
        "SMTP AUTH is off for this mailbox",
        "Set-CASMailbox -Identity <sender> -SmtpClientAuthenticationDisabled $false",
    ),
    _m(
        r"user credentials were incorrect",
        "wrong-credentials",
        "the password is wrong or expired, or the account's sign-in name is not this address",
        "check the password that was supplied and the user principal name; it was tried once, so nothing is locked",
    ),
    _m(
        r"security defaults policy",
        "security-defaults",
        "the tenant's security defaults bar every sign-in of this kind, with no exception for one user",
        "prepare Conditional Access policies that leave this account out, in report-only mode; then turn security "
        "defaults off, and at once these policies on (TEN-3 has the command); or use another route",
    ),
    _m(
        r"did not meet the criteria to be authenticated",
        "conditional-access",
        "a Conditional Access policy stops this account, perhaps only from this place",
        "exclude the sender from the policy, or name this site's public address as a trusted location in it",
    ),
    _m(
        r"basic authentication is disabled",
        "authentication-policy",
        "an authentication policy bars Basic sign-in for SMTP",
        "give the sender a policy with AllowBasicAuthSmtp, or sign in by OAuth",
    ),
    _m(
        r"account (is )?locked",
        "account-locked",
        "the account is locked or disabled",
        "unlock it, and find what tried it",
    ),
    _m(
        r"federated STS",
        "federated",
        "the account's domain is federated, and its sign-in server can't be used",
        "use a cloud-only account for the copiers",
    ),
    _m(
        r"5\.7\.30\b|Basic authentication is not supported for Client Submission",
        "basic-retired",
        "Basic sign-in is no longer accepted for client submission",
        "sign in by OAuth where the device can, else use direct send or a relay connector",
    ),
    _m(
        r"TLS 1\.0 and 1\.1 are not supported",
        "old-tls",
        "the service takes TLS 1.2 and newer",
        "update the firmware, or use port 25 by direct send or relay",
    ),
    _m(
        r"STARTTLS is required|Must issue a STARTTLS",
        "starttls-required",
        "the service demands STARTTLS before it goes on",
        "turn STARTTLS on (not SSL on port 465)",
    ),
    _m(
        r"Client (was )?not authenticated to send|5\.7\.57\b",
        "not-signed-in",
        "the submission host was spoken to without a sign-in",
        "enter the sender's credentials and turn STARTTLS on, or use the tenant endpoint on port 25",
    ),
    _m(
        r"SendAsDenied|does not have permissions to send as",
        "send-as",
        "the sign-in worked, and the from-address is not this mailbox's to use",
        "send from the mailbox's own address, or grant it Send As",
    ),
    _m(
        r"Direct Send not allowed",
        "direct-send-rejected",
        "the tenant rejects direct send (RejectDirectSend), and no inbound connector matches this site",
        "add an inbound connector for the site's public address, or use authenticated submission",
    ),
    _m(
        r"RestrictDomainsTo(IPAddresses|Certificate)",
        "gateway-lockdown",
        "the tenant takes mail from its filtering gateway alone",
        "add the site's public address to that connector, or send through the gateway",
    ),
    _m(
        r"5\.7\.64\b|TenantAttribution; Relay Access Denied",
        "no-connector",
        "no inbound connector matches this site's address or certificate",
        "check the connector's addresses against the site's public address of today",
    ),
    _m(
        r"Unable to relay recipient in non-accepted domain|5\.7\.54\b",
        "old-server",
        "this is the wording of an Exchange server on the premises: the mail still goes to the retired server",
        "correct the host that is spoken to",
    ),
    _m(
        r"Recipient not found|5\.1\.10?\b|5\.4\.1\b",
        "unknown-recipient",
        "the recipient doesn't exist, or its domain isn't the tenant's",
        "correct the recipient's address",
    ),
    _m(
        r"5\.7\.(12|124|133|134)\b|not in allowed-senders list",
        "recipient-needs-authenticated",
        "the recipient, often a group, takes mail from authenticated senders only",
        "let the group take mail from outside senders, or send to it by authenticated submission",
    ),
    _m(
        r"ATTR35|wrong Office 365 region",
        "wrong-host",
        "the mail went to an old or wrong host of the service",
        "use the tenant endpoint that the admin center shows, by name and never by address",
    ),
    _m(
        r"5\.7\.750\b|unregistered domains",
        "unregistered-domain",
        "the envelope sender's domain is not one of the tenant's accepted domains",
        "send from an accepted domain, or add the domain to the tenant",
    ),
    _m(
        r"5\.7\.70[58]\b|exceeded threshold|traffic not accepted from this IP",
        "tenant-or-address-distrusted",
        "the service distrusts this tenant or this site's public address, as it does new and trial ones",
        "ask Microsoft's support, with the reply",
    ),
    _m(
        r"Concurrent connections limit|sender thread limit",
        "too-many-connections",
        "the mailbox has more than three connections at once",
        "let fewer devices share the mailbox; the devices try again by themselves",
    ),
    _m(
        r"submission rate for this client|Server busy|try again later",
        "throttled",
        "the service asks to come back later",
        "wait, and run again; it is not the copier's fault",
    ),
    _m(
        r"SubmissionQuotaExceeded",
        "daily-quota",
        "the mailbox has used up its recipients of the day",
        "wait a day, or share the load among mailboxes",
    ),
    _m(
        r"mailbox full|QuotaExceeded",
        "mailbox-full",
        "the mailbox is full, usually of its own Sent Items",
        "empty it, and set a retention policy on Sent Items",
    ),
    _m(
        r"banned sending IP|Access denied, banned sender|5\.7\.606",
        "address-banned",
        "Microsoft's block list holds this site's public address",
        "have it removed at the delisting portal",
    ),
    _m(
        r"5\.7\.23\b|Sender Policy Framework",
        "spf",
        "SPF does not let this site's address send for the domain",
        "add the site's public address to the domain's SPF record",
    ),
    _m(
        r"5\.7\.509\b|DMARC",
        "dmarc",
        "the mail fails DMARC, whose policy is to reject",
        "make SPF pass for the site's public address",
    ),
    _m(
        r"Unrecognized authentication type",
        "mechanism",
        "the service doesn't know this way of signing in",
        "choose LOGIN",
    ),
    _m(
        r"Authentication unsuccessful",
        "identity-refused",
        "the identity was refused without a reason",
        "check the mailbox's SMTP AUTH flag, multi-factor, security defaults and Conditional Access",
    ),
)


def meaning(reply: Reply | None, sender: str = "the sender") -> Meaning:
    """Return what a reply means; one that isn't known says so, with itself as the thing to look up.

    Args:
        reply: the reply; None where the dialogue ended without one.
        sender: who signed in or sent, for the remedy's commands.
    """
    if reply is None:
        return Meaning("no-reply", "the dialogue ended without a reply", "see the transcript for where it ended")
    for pattern, found in _TABLE:
        if pattern.search(reply.seen):
            return replace(found, remedy=found.remedy.replace("<sender>", sender))
    return Meaning("unknown", "a reply that Scanproof does not know", f"look up: {reply.seen[:200]}")
