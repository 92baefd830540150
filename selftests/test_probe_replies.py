"""What a reply means, by its sentence; and by which route a mail came, by its headers."""

from __future__ import annotations

import pytest

from scanproof import replies
from scanproof.evidence import Reply
from scanproof.replies import meaning
from scanproof.routes import agree, route_signs

pytestmark = pytest.mark.filterwarnings("error")

A = "5.7.139 Authentication unsuccessful, "
TRAILERS = [
    "",
    " [BN9PR03CA0716.namprd03.prod.outlook.com 2026-07-01T01:57:31.695Z 08DED6A3FAA75B29]",
    " [BN9PR03CA0716.namprd03.prod.outlook.com]",
]
ROWS = [
    (421, "4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client.", "old-tls"),
    (451, "5.7.3 STARTTLS is required to send mail", "starttls-required"),
    (535, f"{A}SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/x", "smtp-auth-off-tenant"),
    (535, f"{A}SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/x", "smtp-auth-off-mailbox"),
    (535, f"{A}the user credentials were incorrect.", "wrong-credentials"),
    (535, f"{A}user is locked by your organization's security defaults policy. Contact your", "security-defaults"),
    (535, f"{A}the request did not meet the criteria to be authenticated successfully.", "conditional-access"),
    (535, f"{A}basic authentication is disabled.", "authentication-policy"),
    (535, f"{A}account locked.", "account-locked"),
    (535, f"{A}federated STS service was unreachable.", "federated"),
    (535, f"{A}the federated STS URL does not support HTTPS.", "federated"),
    (535, "5.7.3 Authentication unsuccessful", "identity-refused"),
    (535, f"{A}a sentence of next year.", "identity-refused"),
    (550, "5.7.30 Basic authentication is not supported for Client Submission.", "basic-retired"),
    (504, "5.7.4 Unrecognized authentication type", "mechanism"),
    (530, "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "not-signed-in"),
    (530, "5.7.57 Client not authenticated to send mail.", "not-signed-in"),
    (
        530,
        f"5.7.57 Client not authenticated to send mail. Error: 535 {A}the user credentials were incorrect.",
        "wrong-credentials",
    ),
    (550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "old-server"),
    (550, "5.7.64 TenantAttribution; Relay Access Denied", "no-connector"),
    (550, "5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization", "direct-send-rejected"),
    (
        550,
        "5.7.51 TenantInboundAttribution; the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set",
        "gateway-lockdown",
    ),
    (550, "5.4.1 Recipient address rejected: Access denied. AS(201806281)", "unknown-recipient"),
    (550, "5.1.10 Recipient not found", "unknown-recipient"),
    (550, "5.1.1 <a@b.example>: Recipient address rejected: User unknown", "unknown-recipient"),
    (554, "5.7.1 <a@b.example>: Recipient address rejected: Access denied", "unknown"),  # Postfix's access table
    (550, "5.7.606 Access denied, banned sending IP [203.0.113.10]", "address-banned"),
    (550, "5.7.649 Access denied, banned sending IP [203.0.113.10]", "address-banned"),
    (550, "5.7.511 Access denied, banned sender", "address-banned"),
    (451, "4.7.500 Server busy. Please try again later from [203.0.113.10]. (S77)", "throttled"),
    (550, "5.7.60 SMTP; Client does not have permissions to send as this sender", "send-as"),
    (554, "5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example", "send-as"),
    (432, "4.3.2 Concurrent connections limit exceeded.", "too-many-connections"),
    (432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "too-many-connections"),
    (421, "4.4.2 Message submission rate for this client has exceeded the configured limit", "throttled"),
    (554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "daily-quota"),
    (
        554,
        "5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
        "mailbox-full",
    ),
    (550, "5.7.509 Access denied, does not pass DMARC verification and has a DMARC policy of reject", "dmarc"),
    (550, "5.7.23 The message was rejected because of Sender Policy Framework violation", "spf"),
    (550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", "recipient-needs-authenticated"),
    (451, "4.4.62 Mail sent to the wrong Office 365 region. ATTR35.", "wrong-host"),
    (550, "5.7.750 Service unavailable. Client blocked from sending from unregistered domains.", "unregistered-domain"),
    (550, "5.7.708 Access denied, traffic not accepted from this IP.", "tenant-or-address-distrusted"),
    (550, "5.7.705 Access denied, tenant has exceeded threshold.", "tenant-or-address-distrusted"),
    (550, "9.9.9 A reply from the future", "unknown"),
    (250, "2.1.0 Sender OK", "unknown"),
]


@pytest.mark.parametrize("trailer", TRAILERS, ids=["bare", "trailed", "host only"])
@pytest.mark.parametrize(("code", "text", "name"), ROWS, ids=[f"{code} {text[:100]}" for code, text, _ in ROWS])
def test_meaning(code: int, text: str, name: str, trailer: str) -> None:
    reply = Reply(code=code, text=text + trailer)
    found = meaning(reply)
    assert found.name == name
    assert found.means
    assert found.remedy
    if not text.endswith("]"):
        assert reply.seen == f"{code} {text}"
    if name == "unknown":
        assert text[:50] in found.remedy
        assert found.means == "a reply that Scanproof does not know"


def test_every_meaning_has_a_reply_here() -> None:
    assert {found.name for _, found in replies._TABLE} == {name for _, _, name in ROWS} - {"unknown"}


def test_an_address_in_brackets_is_no_trailer() -> None:
    text = "5.7.606 Access denied, banned sending IP [203.0.113.10]"
    assert Reply(code=550, text=text).seen == f"550 {text}"


def test_a_reply_of_several_lines() -> None:
    reply = Reply(code=535, text=f"{A}the user\n5.7.139 credentials were\r\n incorrect.")
    assert "\n" not in reply.seen


def test_no_reply() -> None:
    assert meaning(None).name == "no-reply"


def test_a_hostile_reply_is_quick_and_cut() -> None:
    found = meaning(Reply(code=550, text="[" * 5000 + " 2026-01-01T" * 500))
    assert found.name == "unknown"
    assert len(found.remedy) < 300


SIGNED = [
    ("X-MS-Exchange-Organization-AuthAs", "Internal"),
    ("X-Forefront-Antispam-Report", "CIP:255.255.255.255;CTRY:;LANG:de;"),
    ("X-MS-Exchange-CrossTenant-FromEntityHeader", "Hosted"),
]
UNSIGNED = [
    ("X-MS-Exchange-Organization-AuthAs", "Anonymous"),
    ("X-Forefront-Antispam-Report", "CIP:203.0.113.93;CTRY:DE;"),
    ("Received-SPF", "Pass (protection.outlook.com: …)"),
    ("X-MS-Exchange-CrossTenant-FromEntityHeader", "Internet"),
]
RELAYED = [*UNSIGNED[:3], ("X-MS-Exchange-CrossTenant-FromEntityHeader", "HybridOnPrem")]
ROUTES = [
    ("signed in", SIGNED, "smtp-auth", True),
    ("signed in, taken for direct", SIGNED, "direct-send", False),
    ("direct", UNSIGNED, "direct-send", True),
    ("direct, taken for signed in", UNSIGNED, "smtp-auth", False),
    ("direct, taken for relay", UNSIGNED, "relay", False),
    ("by connector", RELAYED, "relay", True),
    ("by connector, taken for direct", RELAYED, "direct-send", False),
    ("one header alone", SIGNED[:1], "smtp-auth", False),
    ("no header", [], "smtp-auth", False),
    ("they disagree", [*SIGNED, UNSIGNED[2]], "smtp-auth", False),
    ("the same header twice says it once", [SIGNED[0], SIGNED[0]], "smtp-auth", False),
    ("unknown words", [("X-MS-Exchange-CrossTenant-FromEntityHeader", "Elsewhere")], "direct-send", False),
    ("no address", [("X-Forefront-Antispam-Report", "CIP:;"), SIGNED[0]], "smtp-auth", False),
]


@pytest.mark.parametrize(("headers", "route", "wanted"), [row[1:] for row in ROUTES], ids=[row[0] for row in ROUTES])
def test_route(headers: list[tuple[str, str]], route: str, wanted: bool) -> None:  # noqa: FBT001
    assert agree(route_signs(headers), route) is wanted  # type: ignore[arg-type]
