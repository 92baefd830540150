"""Causes at the mail service and in the mailboxes: what becomes of a mail that was handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices.facts import Scan
from scanproof.devices.proof import RouteProof
from scanproof.diagnosis.model import DEVICE, MICROSOFT, TENANT, cause
from scanproof.diagnosis.tenant import NOT_ALL_READ
from scanproof.evidence import Arrival, FoundMail, Offer, SignIn, Submission
from scanproof.replies import meaning
from scanproof.routes import agree

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen, Told


@cause("auth-login-missing", "mail", MICROSOFT, of="SMTP-3 SMTP-1")
def auth_login_missing(it: Seen) -> Told:
    """AUTH LOGIN is not among what the service offers."""
    doors = [
        one for service in it.site.services.values() for one in it.others("SMTP-3", service.key) if one.judged(Offer)
    ]
    lacking = any("LOGIN" not in one.facts(Offer).auth for one in doors)
    if it.failed and lacking and (it.case.requirement == "SMTP-3" or _by_login(it)):
        return "The submission service offers no sign-in by password (AUTH LOGIN)"
    return None


def _by_login(it: Seen) -> bool:
    return it.judged(SignIn) and it.facts(SignIn).mechanism == "LOGIN"


@cause("tls-too-new", "mail", MICROSOFT, of="SMTP-3")
def tls_too_new(it: Seen) -> Told:
    """What old copiers speak isn't taken any more."""
    return "The submission service takes no TLS 1.2 any more, which older copiers need" if it.failed else None


@cause("service-busy", "mail", MICROSOFT, of="SMTP-1 SMTP-2 DLV-1")
def service_busy(it: Seen) -> Told:
    """Temporary refusals, to the last."""
    asked: list[SignIn | Submission] = [*it.every(SignIn), *it.every(Submission)]
    return BUSY if any(one.waits for one in asked) else None


BUSY = "The mail service is busy, and says to come again later"


@cause("recipient-refuses", "tenant", TENANT, of="DLV-1")
def recipient_refuses(it: Seen) -> Told:
    """The recipient takes mail from signed-in senders alone."""
    if _refused(it) == "recipient-needs-authenticated":
        return "A test recipient takes no mail from senders that did not sign in"
    return None


@cause("recipient-unknown", "tenant", TENANT, of="DLV-1")
def recipient_unknown(it: Seen) -> Told:
    """No such mailbox."""
    return "A test recipient has no mailbox" if _refused(it) == "unknown-recipient" else None


def _refused(it: Seen) -> str:
    refused = it.facts(Arrival).refused if it.failed else None
    return meaning(refused).name if refused else ""


@cause("route-is-relay", "tenant", TENANT, of="DLV-1")
def route_is_relay(it: Seen) -> Told:
    """What was to go by direct send was taken by a connector, so that it is relay in truth."""
    signs = {sign for sign, _ in it.facts(Arrival).signs} if it.failed else set()
    if "++direct-send++" in it.case.key and "by connector" in signs:
        return (
            "A connector takes what is sent as direct send",
            "state the route relay where this is meant; else take the site's address out of the connector",
        )
    return None


@cause("mail-late", "mail", TENANT, of="DLV-1")
def mail_late(it: Seen) -> Told:
    """Taken, and in no folder within the deadline."""
    if it.failed and not it.facts(Arrival).folder:
        return "Mail that the service took is not in its mailbox within the deadline"
    return None


@cause("quarantine", "mail", TENANT, of="DLV-1 DLV-2 APP-2")
def quarantine(it: Seen) -> Told:
    """A rule or a filter holds it."""
    return "Mail is held in quarantine" if _folder(it) == "Quarantine" else None


@cause("scan-route", "mail", DEVICE, of="DLV-2 COV-2")
def scan_route(it: Seen) -> Told:
    """It arrived, and not by the route that its copier is to use."""
    scan = _scan(it)
    if scan and scan.folder == "Inbox" and not agree(scan.signs, it.copier.route):
        return "A copier's scans come by another route than the one that is stated"
    return None


@cause("scan-empty", "mail", DEVICE, of="DLV-2 COV-2")
def scan_empty(it: Seen) -> Told:
    """It arrived with nothing to read."""
    scan = _scan(it)
    if scan and scan.folder == "Inbox" and not scan.pages:
        return "A copier's scans arrive without a readable page"
    return None


@cause("graph-permission", "tenant", TENANT, of="DLV-2")
def attachment_not_read(it: Seen) -> Told:
    """What was found can't be opened."""
    closed = not it.failed and it.judged(Scan) and it.facts(Scan).unread_lacks == "graph-permission"
    return NOT_ALL_READ if closed else None


@cause("mail-lost", "mail", TENANT, of="DLV-2 COV-2")
def mail_lost(it: Seen) -> Told:
    """The copier's own log says sent, and no mailbox holds it."""
    scan = _scan(it)
    if scan and scan.received is None:
        return "A copier's scan was taken by the service, and is in no mailbox"
    return None


@cause("mail-to-junk", "mail", TENANT, of="DLV-2 COV-1 COV-2 APP-2")
def mail_to_junk(it: Seen) -> Told:
    """A scan or report lies elsewhere than in the Inbox."""
    if not it.failed:
        return None
    if it.case.requirement in {"DLV-2", "APP-2"}:
        away = it.facts(FoundMail).folder not in {"", "Inbox"}
        return ELSEWHERE if away else None
    copiers = [copier.key for copier in it.run.copiers.values() if it.key in {copier.key, copier.subnet}]
    scans = [_scan(one) for key in copiers for one in it.others("COV-2", key)]
    return ELSEWHERE if any(scan and scan.folder not in {"", "Inbox"} for scan in scans) else None


ELSEWHERE = "Mail arrives in another folder than the Inbox"


@cause("scan-slow", "mail", TENANT, of="DLV-3")
def scan_slow(it: Seen) -> Told:
    """From its own Date to its arrival."""
    return "Scans take longer than the site's deadline" if it.failed else None


@cause("junk", "mail", TENANT, of="DLV-1")
def junk(it: Seen) -> Told:
    """Where nothing of SPF explains it."""
    away = it.failed and it.facts(Arrival).folder not in {"", "Inbox"}
    return "A rule or a filter puts mail into Junk Email" if away else None


def _scan(it: Seen) -> Scan | None:
    """Return the copier's own newest scan, where a case fails for it."""
    if it.failed and it.judged(Scan):
        return it.facts(Scan)
    return it.facts(RouteProof).own if it.failed and it.judged(RouteProof) else None


def _folder(it: Seen) -> str:
    found: list[Arrival | FoundMail] = [*it.every(Arrival), *it.every(FoundMail)]
    return found[0].folder if it.failed and found else ""
