"""The lab's two SMTP doors, spoken to by smtplib: the service's own reply texts, decided by the tenant's state."""

from __future__ import annotations

import base64
import smtplib
import ssl
import warnings
from email.message import EmailMessage

import pytest

from lab import replies
from selftests.labtools import LabFor, Wire, healthy_lab_fixture, lab_for_fixture

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

SCAN, REPORTS = "scan@northfield.example", "reports@northfield.example"
FIRST, SECOND = "scan-proof@northfield.example", "it-helpdesk@northfield.example"


def mail(sender: str = SCAN, to: str = FIRST, subject: str = "Scanproof test") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content("a test")
    return message


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def login(wire: Wire, sender: str = SCAN) -> tuple[int, str]:
    """Sign in by password and return the reply, whatever it is."""
    with wire.submission() as client:
        try:
            code, text = client.login(sender, wire.secrets["SCANPROOF_SENDER_PASSWORD"])
        except smtplib.SMTPAuthenticationError as refused:
            code, text = refused.smtp_code, _bytes(refused.smtp_error)
        return code, text.decode()


def oauth(wire: Wire, sender: str = REPORTS) -> tuple[int, str]:
    with wire.submission() as client:
        token = wire.token("https://outlook.office365.com/.default")
        blob = base64.b64encode(f"user={sender}\x01auth=Bearer {token}\x01\x01".encode()).decode()
        code, text = client.docmd("AUTH", f"XOAUTH2 {blob}")
        return code, text.decode()


def test_the_dialogue_is_the_services(lab_for: LabFor) -> None:
    wire = lab_for()
    client = smtplib.SMTP()
    code, banner = client.connect(*wire.at("smtp.office365.com:587"))
    assert code == 220
    assert b"outlook.office365.com Microsoft ESMTP MAIL Service ready at " in banner
    client.ehlo("pc.northfield.example")
    lines = (client.ehlo_resp or b"").decode().splitlines()
    assert "Hello [203.0.113.10]" in lines[0]
    assert lines[1:] == [
        "SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS",
        "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8",
    ]  # fmt: skip
    assert client.docmd("MAIL", f"FROM:<{SCAN}>")[1].startswith(b"5.7.3 STARTTLS is required to send mail")
    client._host = "smtp.office365.com"  # type: ignore[attr-defined] # smtplib checks the certificate against it
    client.starttls(context=wire.trusting())
    client.ehlo("pc.northfield.example")
    assert "AUTH LOGIN XOAUTH2" in (client.ehlo_resp or b"").decode().splitlines()
    assert client.docmd("MAIL", f"FROM:<{SCAN}>")[1].startswith(b"5.7.57 Client not authenticated to send mail.")
    assert client.docmd("AUTH", "CRAM-MD5") == (504, b"5.7.4 Unrecognized authentication type")
    client.close()


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (None, "235 2.7.0 Authentication successful"),
        ("smtp-auth-on-mailbox-only", "235 2.7.0 Authentication successful"),
        ("smtp-auth-off-tenant", replies.AUTH_OFF_TENANT),
        ("smtp-auth-off-mailbox", replies.AUTH_OFF_MAILBOX),
        ("sender-password-wrong", replies.WRONG_CREDENTIALS),
        ("sender-locked", replies.LOCKED),
        ("sender-mfa", replies.AUTH_FAILED),
        ("security-defaults", replies.SECURITY_DEFAULTS),
        ("conditional-access", replies.CONDITIONAL_ACCESS),
        ("authentication-policy", replies.BASIC_DISABLED),
        ("basic-retired", replies.BASIC_RETIRED),
    ],
)
def test_signing_in_by_password(lab_for: LabFor, fault: str | None, reply: str) -> None:
    code, text = login(lab_for(*([fault] if fault else [])))
    assert f"{code} {text}".startswith(reply)
    if code != 235:
        assert text.endswith("]")  # the trailer: server, moment, id


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (None, "235 2.7.0 Authentication successful"),
        ("security-defaults", "235 2.7.0"),
        ("smtp-auth-off-tenant", replies.AUTH_OFF_TENANT),
        ("app-may-not-send", replies.AUTH_FAILED),
    ],
)
def test_signing_in_by_token(lab_for: LabFor, fault: str | None, reply: str) -> None:
    code, text = oauth(lab_for(*([fault] if fault else [])))
    assert f"{code} {text}".startswith(reply)


def test_a_token_for_graph_signs_nobody_in(lab_for: LabFor) -> None:
    wire = lab_for()
    with wire.submission() as client:
        token = wire.token("https://graph.microsoft.com/.default")
        blob = base64.b64encode(f"user={REPORTS}\x01auth=Bearer {token}\x01\x01".encode()).decode()
        assert client.docmd("AUTH", f"XOAUTH2 {blob}")[0] == 535


def test_login_not_offered(lab_for: LabFor) -> None:
    wire = lab_for("auth-login-not-offered")
    with wire.submission() as client:
        assert client.esmtp_features["auth"].split() == ["XOAUTH2"]
        assert client.docmd("AUTH", "LOGIN")[0] == 504


def send(wire: Wire, message: EmailMessage) -> str:
    with wire.submission() as client:
        client.login(SCAN, wire.secrets["SCANPROOF_SENDER_PASSWORD"])
        return handed_over(client, message)


def handed_over(client: smtplib.SMTP, message: EmailMessage) -> str:
    """Return the reply that decided over a mail."""
    try:
        client.send_message(message)
    except smtplib.SMTPSenderRefused as refused:
        return f"{refused.smtp_code} {refused.smtp_error.decode()}"
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = next(iter(refused.recipients.values()))
        return f"{code} {text.decode()}"
    except smtplib.SMTPDataError as refused:
        return f"{refused.smtp_code} {_bytes(refused.smtp_error).decode()}"
    return "250"


@pytest.mark.parametrize(
    ("fault", "to", "expected"),
    [
        (None, [FIRST], ["250"]),
        (None, ["nobody@northfield.example"], [replies.RECIPIENT_NOT_FOUND]),
        ("recipient-unknown", [SECOND, FIRST], [replies.RECIPIENT_NOT_FOUND, "250"]),
        ("sender-mailbox-full", [FIRST], [replies.MAILBOX_FULL]),
        ("busy-twice", [FIRST] * 3, [replies.THREAD_LIMIT, replies.THREAD_LIMIT, "250"]),
        ("throttled-twice", [FIRST] * 3, [replies.RATE_EXCEEDED, replies.RATE_EXCEEDED, "250"]),
        ("busy-forever", [FIRST] * 3, [replies.THREAD_LIMIT] * 3),
        ("send-as-denied", [FIRST], [f"554 5.2.252 SendAsDenied; primary-of-{SCAN} not allowed to send as {SCAN}"]),
    ],
)
def test_handing_over_by_submission(lab_for: LabFor, fault: str | None, to: list[str], expected: list[str]) -> None:
    wire = lab_for(*([fault] if fault else []), fresh=True)  # some of these are used up
    for recipient, reply in zip(to, expected, strict=True):
        assert send(wire, mail(to=recipient)).startswith(reply)


def test_sending_as_someone_else_is_denied_after_the_data(lab_for: LabFor) -> None:
    wire = lab_for()
    assert send(wire, mail(sender=REPORTS)).startswith(
        f"554 5.2.252 SendAsDenied; {SCAN} not allowed to send as {REPORTS}"
    )


def test_a_fourth_connection_of_a_mailbox_is_refused(lab_for: LabFor) -> None:
    wire = lab_for(fresh=True)
    clients = [wire.submission() for _ in range(4)]
    for client in clients:
        client.login(SCAN, wire.secrets["SCANPROOF_SENDER_PASSWORD"])
    assert clients[3].mail(SCAN)[1].decode().startswith("4.3.2 Concurrent connections limit exceeded.")
    clients[0].quit()
    clients[3].rset()
    assert clients[3].mail(SCAN)[0] == 250
    for client in clients[1:]:
        client.close()


@pytest.mark.parametrize(
    ("fault", "sender", "to", "expected"),
    [
        (None, SCAN, FIRST, "250"),
        (None, "copier@elsewhere.example", FIRST, "250"),
        (None, SCAN, "nobody@northfield.example", replies.UNKNOWN_RECIPIENT),
        (None, SCAN, "someone@elsewhere.example", replies.RELAY_DENIED),
        ("direct-send-rejected", SCAN, FIRST, replies.DIRECT_SEND_REJECTED),
        ("direct-send-rejected", "copier@elsewhere.example", FIRST, "250"),  # only P1 in an accepted domain counts
        ("gateway-only", SCAN, FIRST, replies.GATEWAY_ONLY),
        ("site-banned", SCAN, FIRST, "550 5.7.606 Access denied, banned sending IP [203.0.113.10]"),
        ("recipient-internal-only", SCAN, SECOND, replies.INTERNAL_ONLY),
        ("dmarc-rejects", SCAN, FIRST, "550 5.7.509 Access denied, sending domain northfield.example does not pass"),
        ("dmarc-rejects-one-site", SCAN, FIRST, "250"),
        ("dmarc-strict", SCAN, FIRST, "250"),
    ],
)
def test_direct_send(lab_for: LabFor, fault: str | None, sender: str, to: str, expected: str) -> None:
    wire = lab_for(*([fault] if fault else []))
    for encrypted in (True, False):
        with wire.endpoint(encrypted=encrypted) as client:
            assert handed_over(client, mail(sender, to)).startswith(expected)


def _only(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


def _old_tls(wire: Wire) -> tuple[int, bytes]:
    client = smtplib.SMTP(*wire.at("smtp.office365.com:587"))
    client.starttls(context=_only(ssl.TLSVersion.TLSv1))
    assert isinstance(client.sock, ssl.SSLSocket)
    assert client.sock.version() == "TLSv1"
    reply = client.docmd("EHLO", "old-copier")
    client.close()
    return reply


def test_old_tls_gets_as_far_as_being_told(lab_for: LabFor) -> None:
    code, text = _old_tls(lab_for())
    assert (code, text[:50]) == (421, b"4.7.66 TLS 1.0 and 1.1 are not supported. Please u")


@pytest.mark.parametrize(("fault", "accepted"), [([], True), (["submission-needs-tls13"], False)])
def test_tls_12(lab_for: LabFor, fault: list[str], *, accepted: bool) -> None:
    client = smtplib.SMTP(*lab_for(*fault).at("smtp.office365.com:587"))

    context = _only(ssl.TLSVersion.TLSv1_2)
    if accepted:
        assert client.starttls(context=context)[0] == 220
    else:
        with pytest.raises(OSError, match=r"(?i)alert|protocol|EOF"):
            client.starttls(context=context)
    client.close()
