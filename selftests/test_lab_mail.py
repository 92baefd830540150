"""What the lab's mailboxes hold and how Graph tells of it: headers by route, folders, paging, errors."""

from __future__ import annotations

import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from selftests.labtools import LabFor, Wire, healthy_lab_fixture, lab_for_fixture

if TYPE_CHECKING:
    import httpx

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

SCAN, FIRST, SECOND = "scan@northfield.example", "scan-proof@northfield.example", "it-helpdesk@northfield.example"
SELECT = "subject,internetMessageId,receivedDateTime,parentFolderId,internetMessageHeaders"


def mail(subject: str, to: str = FIRST) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SCAN, to, subject
    message["Message-ID"] = f"<{subject.replace(' ', '-')}@northfield.example>"
    message.set_content("a test")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="scan.pdf")
    return message


def submit(wire: Wire, *mails: EmailMessage) -> None:
    with wire.submission() as client:
        client.login(SCAN, wire.secrets["SCANPROOF_SENDER_PASSWORD"])
        for message in mails:
            client.send_message(message)


def direct(wire: Wire, *mails: EmailMessage) -> None:
    with wire.endpoint() as client:
        for message in mails:
            client.send_message(message)


def find(wire: Wire, subject: str, *, where: str = "messages", to: str = FIRST, seconds: float = 3) -> dict[str, Any]:
    """Return a mail once it is there; an empty one when it isn't after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = wire.graph(f"users/{to}/{where}", select=SELECT, filter=f"subject eq '{subject}'").json()["value"]
        if found:
            mail: dict[str, Any] = found[0]
            return mail
        time.sleep(0.1)
    return {}


def headers(mail: dict[str, Any]) -> dict[str, str]:
    return {header["name"]: header["value"] for header in reversed(mail["internetMessageHeaders"])}


def test_headers_of_submitted_mail(lab_for: LabFor) -> None:
    wire = lab_for()
    submit(wire, mail("by submission"))
    found = headers(find(wire, "by submission"))
    assert found["X-MS-Exchange-Organization-AuthAs"] == "Internal"
    assert found["X-MS-Exchange-Organization-FromEntityHeader"] == "Hosted"
    assert found["X-MS-Exchange-Organization-MessageDirectionality"] == "Originating"
    assert "CIP:255.255.255.255;" in found["X-Forefront-Antispam-Report"]
    assert found["X-ClientProxiedBy"].upper().count(".PROD.OUTLOOK.COM") == 2
    assert "spf=" not in found["Authentication-Results"]
    assert not {"Received-SPF", "X-EOPAttributedMessage"} & set(found)
    assert any(" with mapi id " in value["value"] for value in find(wire, "by submission")["internetMessageHeaders"])


def test_headers_of_direct_send(lab_for: LabFor) -> None:
    wire = lab_for()
    direct(wire, mail("by direct send"))
    found = headers(find(wire, "by direct send"))
    assert found["X-MS-Exchange-Organization-AuthAs"] == "Anonymous"
    assert found["X-MS-Exchange-Organization-FromEntityHeader"] == "Internet"
    assert found["X-MS-Exchange-Organization-MessageDirectionality"] == "Incoming"
    assert "CIP:203.0.113.10;" in found["X-Forefront-Antispam-Report"]
    assert found["Authentication-Results"].startswith("spf=pass (sender IP is 203.0.113.10)")
    assert "dmarc=pass" in found["Authentication-Results"]
    assert "client-ip=203.0.113.10" in found["Received-SPF"]
    assert not {"X-ClientProxiedBy", "X-MS-Exchange-CrossTenant-MailboxType"} & set(found)


def trace(wire: Wire, subject: str) -> str:
    found = wire.graph("admin/exchange/tracing/messageTraces", filter=f"subject eq '{subject}'").json()["value"]
    return str(found[0]["status"]) if found else ""


@pytest.mark.parametrize(
    ("fault", "by_direct_send", "by_submission"),
    [
        (None, "delivered", "delivered"),
        ("direct-send-to-junk", "filteredAsSpam", "delivered"),
        ("direct-send-quarantined", "quarantined", "delivered"),
        ("spf-missing", "quarantined", "delivered"),
        ("spf-twice", "quarantined", "delivered"),
        ("spf-too-many-lookups", "quarantined", "delivered"),
        ("spf-lacks-one-site", "delivered", "delivered"),
    ],
)
def test_where_mail_ends_up(lab_for: LabFor, fault: str | None, by_direct_send: str, by_submission: str) -> None:
    wire = lab_for(*([fault] if fault else []))
    direct(wire, mail("one"))
    submit(wire, mail("two"))
    assert find(wire, "two", where="mailFolders/inbox/messages")
    assert (trace(wire, "one"), trace(wire, "two")) == (by_direct_send, by_submission)
    assert bool(find(wire, "one", seconds=0.2)) == (by_direct_send != "quarantined")
    in_junk = find(wire, "one", where="mailFolders/junkemail/messages", seconds=0.2)
    assert bool(in_junk) == (by_direct_send == "filteredAsSpam")


def test_a_folder_is_named_by_its_id(lab_for: LabFor) -> None:
    wire = lab_for("junk-rule")
    submit(wire, mail("junk", SECOND))
    found = find(wire, "junk", to=SECOND)
    folder = wire.graph(f"users/{SECOND}/mailFolders/{found['parentFolderId']}").json()
    assert folder["displayName"] == "Junk Email"


def test_late_mail_is_not_there_yet(lab_for: LabFor) -> None:
    wire = lab_for("mail-late")
    submit(wire, mail("late"))
    assert not find(wire, "late", seconds=0.7)


def test_mail_beyond_the_minutes_rate_is_held_back(lab_for: LabFor) -> None:
    wire = lab_for(fresh=True)
    # Copiers that sign in as this sender have scanned, too: the first are within the rate, the last is not.
    submit(wire, *(mail(f"rate {number}") for number in range(31)))
    assert find(wire, "rate 15")
    assert not find(wire, "rate 30", seconds=0.6)


def test_paging(lab_for: LabFor) -> None:
    wire = lab_for(fresh=True)
    submit(wire, *(mail(f"page {number}") for number in range(12)))
    assert find(wire, "page 11")
    path = f"users/{FIRST}/mailFolders/inbox/messages"
    answer = wire.graph(path, top="5", select="subject", filter="contains(subject,'page ')").json()
    subjects = [found["subject"] for found in answer["value"]]
    pages = 1
    while "@odata.nextLink" in answer:
        answer = wire.graph(answer["@odata.nextLink"]).json()
        subjects += [found["subject"] for found in answer["value"]]
        pages += 1
    assert pages == 3
    assert sorted(subjects) == sorted(f"page {number}" for number in range(12))
    assert len(wire.graph(path).json()["value"]) == 10  # Graph's own page


def test_headers_come_only_when_selected(lab_for: LabFor) -> None:
    wire = lab_for()
    submit(wire, mail("plain"))
    message = find(wire, "plain")
    whole = wire.graph(f"users/{FIRST}/messages/{message['id']}").json()
    assert "internetMessageHeaders" not in whole
    assert whole["hasAttachments"] is True
    attachment = wire.graph(f"users/{FIRST}/messages/{message['id']}/attachments").json()["value"][0]
    assert (attachment["name"], attachment["contentBytes"]) == ("scan.pdf", "JVBERi0xLjc=")


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("fault", "user", "expected"),
    [
        (None, "nobody@northfield.example", (404, "ErrorInvalidUser")),
        ("graph-token-refused", FIRST, (401, "InvalidAuthenticationToken")),
        ("graph-forbidden", FIRST, (403, "ErrorAccessDenied")),
        ("mailbox-not-readable", SECOND, (404, "MailboxNotEnabledForRESTAPI")),
        ("graph-throttled", FIRST, (429, "ApplicationThrottled")),
    ],
)
def test_graphs_errors(lab_for: LabFor, fault: str | None, user: str, expected: tuple[int, str]) -> None:
    answer = lab_for(*([fault] if fault else [])).graph(f"users/{user}/messages")
    assert code(answer) == expected
    assert ("Retry-After" in answer.headers) == (expected[0] == 429)


def test_graph_is_throttled_for_a_while(lab_for: LabFor) -> None:
    wire = lab_for("graph-throttled-a-while")
    assert [wire.graph(f"users/{FIRST}/messages").status_code for _ in range(4)] == [429, 429, 429, 200]


def test_graph_wants_a_token_of_its_own(lab_for: LabFor) -> None:
    wire = lab_for()
    url = f"https://graph.microsoft.com/v1.0/users/{FIRST}/messages"
    assert code(wire.request("GET", url)) == (401, "InvalidAuthenticationToken")
    other = wire.token("https://outlook.office365.com/.default")
    assert code(wire.request("GET", url, headers={"Authorization": f"Bearer {other}"}))[0] == 401
    assert code(wire.graph(f"users/{FIRST}/messages", expand="attachments"))[0] == 400
    assert code(wire.graph(f"users/{FIRST}/messages", select="nosuch"))[0] == 400


@pytest.mark.parametrize(
    ("options", "status", "number"),
    [
        ({"secret": "wrong"}, 401, 7000215),
        ({"tenant": "00000000-0000-4000-8000-000000000000"}, 400, 90002),
        ({"scope": "https://vault.azure.net/.default"}, 400, 1002012),
    ],
)
def test_no_token(lab_for: LabFor, options: dict[str, str], status: int, number: int) -> None:
    scope = options.pop("scope", "https://graph.microsoft.com/.default")
    answer = lab_for().token_answer(scope, **options)
    assert answer.status_code == status
    assert answer.json()["error_codes"] == [number]
    assert answer.json()["error_description"].startswith(f"AADSTS{number}: ")


def test_a_renewed_secret_gives_no_token(lab_for: LabFor) -> None:
    answer = lab_for("client-secret-wrong").token_answer("https://graph.microsoft.com/.default")
    assert answer.json()["error_codes"] == [7000215]


def test_sign_ins_configuration(lab_for: LabFor) -> None:
    url = "https://login.microsoftonline.com/northfield.example/v2.0/.well-known/openid-configuration"
    answer = lab_for().request("GET", url).json()
    assert answer["token_endpoint"].startswith("https://login.microsoftonline.com/")
