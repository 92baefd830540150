"""Exchange Online's reply texts, as Microsoft documents them and as administrators report them.

Sources: Microsoft's pages on printers and scanners with Exchange Online, on non-delivery reports and on
SMTP submission; for the 5.7.139 sentences the replies that administrators post. The rest of a reply, its
trailer, is the server's name, time and an id.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

SUBMISSION_HOST = "FR2P281CA0042.outlook.office365.com"
SUBMISSION_BACKEND = "FR2P281CA0042.DEUP281.PROD.OUTLOOK.COM"
ENDPOINT_HOST = "FR2DEU01FT012.mail.protection.outlook.com"
_REFUSED = "535 5.7.139 Authentication unsuccessful, "
_VISIT = " Visit https://aka.ms/smtp_auth_disabled for more information."

AUTH_OFF_TENANT = _REFUSED + "SmtpClientAuthentication is disabled for the Tenant." + _VISIT
AUTH_OFF_MAILBOX = _REFUSED + "SmtpClientAuthentication is disabled for the Mailbox." + _VISIT
WRONG_CREDENTIALS = _REFUSED + "the user credentials were incorrect."
SECURITY_DEFAULTS = (
    _REFUSED + "user is locked by your organization's security defaults policy. Contact your administrator."
)
CONDITIONAL_ACCESS = (
    _REFUSED + "the request did not meet the criteria to be authenticated successfully. Contact your administrator."
)
BASIC_DISABLED = _REFUSED + "basic authentication is disabled."
LOCKED = _REFUSED + "account locked."
AUTH_FAILED = "535 5.7.3 Authentication unsuccessful"
BASIC_RETIRED = "550 5.7.30 Basic authentication is not supported for Client Submission."
UNKNOWN_MECHANISM = "504 5.7.4 Unrecognized authentication type"
TLS_REQUIRED = "451 5.7.3 STARTTLS is required to send mail"
TLS_TOO_OLD = (
    "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. "
    "Visit https://aka.ms/smtp_auth_tls."
)
NOT_AUTHENTICATED = "530 5.7.57 Client not authenticated to send mail."
SEND_AS_DENIED = "554 5.2.252 SendAsDenied; {login} not allowed to send as {sender}"
MAILBOX_FULL = (
    "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded"
)
TOO_MANY_CONNECTIONS = "432 4.3.2 Concurrent connections limit exceeded."
THREAD_LIMIT = "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"
# guess: by which of its temporary replies the service greets while it is busy (RFC 5321 §3.1 allows 421 there)
NOT_AVAILABLE = "421 4.3.2 Service not available"
RATE_EXCEEDED = "421 4.4.2 Message submission rate for this client has exceeded the configured limit"
RECIPIENT_NOT_FOUND = "550 5.1.10 Recipient not found"
UNKNOWN_RECIPIENT = "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"
RELAY_DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied"
DIRECT_SEND_REJECTED = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
)
GATEWAY_ONLY = (
    "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's "
    "recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
)
BANNED = "550 5.7.606 Access denied, banned sending IP [{address}]"
INTERNAL_ONLY = "550 5.7.133 Sender was not authenticated for the group"
DMARC_REJECTED = (
    "550 5.7.509 Access denied, sending domain {domain} does not pass DMARC verification "
    "and has a DMARC policy of reject."
)


def trailed(reply: str, host: str = SUBMISSION_BACKEND) -> str:
    """Return a reply with the trailer that the service puts after it."""
    now = datetime.now(UTC)
    moment = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
    return f"{reply} [{host} {moment} {secrets.token_hex(8).upper()}]"
