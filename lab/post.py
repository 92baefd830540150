"""Delivery inside the tenant: folder, delay and the headers that tell by which route a mail came.

Header names and values per route are those of published samples of delivered mail; host names and ids
are invented.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal

from lab import replies
from lab.spf import check_host, dmarc_policy

if TYPE_CHECKING:
    from email.message import EmailMessage

    from lab.estate import Estate
    from lab.mailflow import Mailbox

Folder = Literal["Inbox", "Junk", "Quarantine", "Deleted"]  # the last: by a rule, before any mailbox
_BACKEND = "FR2P281MB1234.DEUP281.PROD.OUTLOOK.COM"
_FRONTEND = "FR2PEPF00000A12.mail.protection.outlook.com"


@dataclass(frozen=True)
class Submission:
    """What a client handed over.

    Attributes:
        client: the address that the service saw.
        helo: the name that the client gave itself.
        login: the mailbox that signed in; None for mail that came in without.
        delay: seconds that the service holds it back beyond its usual time.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    client: str
    helo: str
    login: str | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class Mail:
    """A mail as it lies in a mailbox, or in quarantine."""

    id: str
    recipient: str
    sender: str
    folder: Folder
    received: datetime
    visible: datetime
    headers: tuple[tuple[str, str], ...]
    message: EmailMessage
    size: int
    from_ip: str
    internet_id: str


@dataclass
class PostOffice:
    """Every mail that the tenant took.

    Attributes:
        backdated: by Message-ID, how long ago a mail is to have come.
        settled: what was scanned before anybody looked has been delivered; a mailbox is listed only then.
    """

    estate: Estate
    mails: list[Mail] = field(default_factory=list)
    backdated: dict[str, timedelta] = field(default_factory=dict)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.settled.set()

    def anonymous_verdict(self, submission: Submission) -> tuple[list[tuple[str, str]], str, Folder]:
        """Judge mail from outside by SPF and DMARC.

        Returns:
            The headers that state it, the DMARC action (none, quarantine or reject), and the folder.
        """
        domain = submission.sender.rpartition("@")[2].lower()
        header_domain = _from_address(_parsed(submission.content)).rpartition("@")[2].lower() or domain
        result = check_host(self.estate.zones, submission.client, domain)
        policy = dmarc_policy(self.estate.zones, header_domain)
        aligned = result == "pass" and domain == header_domain  # nothing a copier sends is signed
        action = "none" if aligned else policy
        composite = "pass reason=100" if aligned else "fail reason=601" if policy == "none" else "fail reason=010"
        folder: Folder = self.estate.tenant.anonymous_to
        if action == "quarantine":
            folder = "Quarantine"  # the default anti-phishing policy honours p=quarantine
        judged = (
            f"spf={result} (sender IP is {submission.client}) smtp.mailfrom={domain}; dkim=none (message not "
            f"signed) header.d=none;dmarc={'pass' if aligned else 'fail'} action={_acted(action)} "
            f"header.from={header_domain};compauth={composite}"
        )
        headers = [
            ("Authentication-Results", judged),
            ("Received-SPF", _received_spf(result, domain, submission)),
        ]
        return headers, action, folder

    def deliver(self, submission: Submission) -> str:
        """Put a mail into the mailboxes of its recipients; return its queue id."""
        queue_id = secrets.token_hex(8)
        message = _parsed(submission.content)
        internet_id = str(message.get("Message-ID", "")).strip() or f"<{uuid.uuid4()}@{_BACKEND}>"
        now = datetime.now(UTC) - self.backdated.pop(internet_id, timedelta(0))
        if submission.login is None:
            judged, _, folder = self.anonymous_verdict(submission)
            own = [*_anonymous_trace(submission, now), *judged, *_anonymous_marks(self.estate, submission)]
        else:
            folder, own = "Inbox", _submitted_headers(submission, now)
        folder = self.ruled(message, folder)
        headers = (*own, *((name, " ".join(str(value).split())) for name, value in message.items()))
        delay = timedelta(seconds=self.estate.tenant.delivery_delay + submission.delay)
        for recipient in submission.recipients:
            box = self.estate.mailbox(recipient)
            self.mails.append(
                Mail(
                    id="AAMk" + secrets.token_urlsafe(24).replace("_", "A").replace("-", "B") + "=",
                    recipient=recipient.casefold(),
                    sender=_from_address(message) or submission.sender,
                    folder=_folder(box, folder),
                    received=(now + delay).replace(microsecond=0),
                    visible=now + delay,
                    headers=headers,
                    message=message,
                    size=len(submission.content),
                    from_ip=submission.client,
                    internet_id=internet_id,
                )
            )
        return queue_id

    def ruled(self, message: EmailMessage, folder: Folder) -> Folder:
        """Return where the tenant's rules for subjects put a mail."""
        subject = str(message.get("Subject", ""))
        return next((to for text, to in self.estate.tenant.subject_rules.items() if text in subject), folder)


def _folder(box: Mailbox | None, folder: Folder) -> Folder:
    return "Junk" if box is not None and box.junk_rule and folder == "Inbox" else folder


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _from_address(message: EmailMessage) -> str:
    header = message.get("From")
    addresses = getattr(header, "addresses", ())
    return str(addresses[0].addr_spec) if addresses else ""


def _acted(action: str) -> str:
    return "oreject" if action == "reject" else action


def _received_spf(result: str, domain: str, submission: Submission) -> str:
    words = {
        "pass": f"Pass (protection.outlook.com: domain of {domain} designates {submission.client} as permitted sender)",
        "fail": f"Fail (protection.outlook.com: domain of {domain} does not designate {submission.client} as permitted"
        " sender)",
        "softfail": f"SoftFail (protection.outlook.com: domain of transitioning {domain} discourages use of"
        f" {submission.client} as permitted sender)",
        "permerror": f"PermError (protection.outlook.com: domain of {domain} used an invalid SPF mechanism)",
    }
    said = words.get(result, f"None (protection.outlook.com: {domain} does not designate permitted sender hosts)")
    return f"{said} receiver=protection.outlook.com; client-ip={submission.client}; helo={submission.helo};"


def _submitted_headers(submission: Submission, now: datetime) -> list[tuple[str, str]]:
    """Return what a mail carries that was submitted with a login."""
    domain, stamp = submission.sender.rpartition("@")[2], format_datetime(now)
    return [
        ("Received", f"from {_BACKEND} (2603:10a6:d10:57::8) by {_BACKEND} with HTTPS; {stamp}"),
        (
            "Received",
            f"from {_BACKEND} ([fe80::6d8f]) by {_BACKEND} ([fe80::6d8f%5]) with mapi id 15.20.9023.012; {stamp}",
        ),
        (
            "Authentication-Results",
            f"dkim=none (message not signed) header.d=none;dmarc=none action=none header.from={domain};",
        ),
        (
            "X-ClientProxiedBy",
            f"{replies.SUBMISSION_BACKEND} (2603:10a6:d10:8::13) To {_BACKEND} (2603:10a6:d10:57::8)",
        ),
        ("X-MS-Exchange-Organization-MessageDirectionality", "Originating"),
        ("X-MS-Exchange-Organization-AuthSource", _BACKEND),
        ("X-MS-Exchange-Organization-AuthAs", "Internal"),
        ("X-MS-Exchange-Organization-AuthMechanism", "03"),  # guess: the codes are undocumented
        ("X-MS-Exchange-Organization-FromEntityHeader", "Hosted"),
        ("X-MS-Exchange-Organization-SCL", "-1"),
        ("X-MS-Exchange-CrossTenant-AuthAs", "Internal"),
        ("X-MS-Exchange-CrossTenant-AuthSource", _BACKEND),
        ("X-MS-Exchange-CrossTenant-FromEntityHeader", "Hosted"),
        ("X-MS-Exchange-CrossTenant-MailboxType", "HOSTED"),
        ("X-OriginatorOrg", domain),
        (
            "X-Forefront-Antispam-Report",
            f"CIP:255.255.255.255;CTRY:;LANG:en;SCL:-1;SRV:;IPV:NLI;SFV:SKI;H:{_BACKEND};PTR:;CAT:NONE;SFS:;DIR:INT;",
        ),
    ]


def _anonymous_trace(submission: Submission, now: datetime) -> list[tuple[str, str]]:
    stamp = format_datetime(now)
    arrival = (
        f"from {submission.helo} ({submission.client}) by {_FRONTEND} (10.167.249.8) with Microsoft SMTP Server"
        f" id 15.20.9023.12 via Frontend Transport; {stamp}"
    )
    onward = f"from {_FRONTEND} (2603:10a6:d10:57:cafe::2c) by {_BACKEND} with HTTPS; {stamp}"
    return [("Received", onward), ("Received", arrival)]


def _anonymous_marks(estate: Estate, submission: Submission) -> list[tuple[str, str]]:
    """Return what marks mail that came in without a login, as seen inside the tenant."""
    connector = estate.tenant.relaying(submission.client)
    inside = "Internal" if connector and (connector.internal or connector.cloud_services) else "Anonymous"
    # guess: no published sample of direct send shows its entity; "Internet" is that of other anonymous mail
    entity, direction = ("HybridOnPrem", "Originating") if connector else ("Internet", "Incoming")
    report = (
        f"CIP:{submission.client};CTRY:DE;LANG:en;SCL:1;SRV:;IPV:NLI;SFV:NSPM;H:{submission.helo};"
        "PTR:InfoDomainNonexistent;CAT:NONE;SFS:;DIR:INB;"
    )
    return [
        ("X-EOPAttributedMessage", "0"),
        ("X-EOPTenantAttributedMessage", f"{estate.tenant.id}:0"),
        ("X-MS-Exchange-Organization-MessageDirectionality", direction),
        ("X-MS-Exchange-Organization-AuthSource", _FRONTEND),
        ("X-MS-Exchange-Organization-AuthAs", inside),
        ("X-MS-Exchange-Organization-FromEntityHeader", entity),
        ("X-MS-Exchange-CrossTenant-AuthAs", inside),
        ("X-MS-Exchange-CrossTenant-FromEntityHeader", entity),
        ("X-Forefront-Antispam-Report", report),
    ]
