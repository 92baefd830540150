"""A judged run of an invented hospital, with every verdict, for the selftests of what is written about runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

Record = dict[str, Any]
MICROSOFT, ENDPOINT = "smtp.office365.com", "northfield-example.mail.protection.outlook.com"
SUBNETS = [
    ("10.20.90.0/24", "Main building", "smtp-auth"),
    ("10.20.91.0/24", "Surgery", "smtp-auth"),
    ("10.20.92.0/24", "Outpatients", "smtp-auth"),
    ("10.20.93.0/24", "Laboratory", "direct-send"),
]
ROOMS = ["Reception", "Ward 3 nurses' station", "Records office", "Pharmacy", "Theatre 2 corridor", "Blood bank"]
REQUIREMENTS = [
    ("INV-1", "blocker", "inventory", "{} of the fleet list is usable", "row"),
    ("NET-1", "advice", "reach", "copier {} answers ping", "copier"),
    ("NET-3", "advice", "reach", "copier {}'s web page answers on HTTPS", "copier"),
    ("NET-4", "blocker", "reach", "copier {} can be reached for administration", "copier"),
    ("EGR-1", "blocker", "egress", "subnet {} reaches smtp.office365.com:587", "submission_path"),
    ("EGR-2", "blocker", "egress", "subnet {} reaches the tenant endpoint on port 25", "tenant_path"),
    ("EGR-4", "blocker", "egress", "subnet {} resolves the mail hosts", "subnet"),
    ("DNS-2", "blocker", "dns", "SPF lets mail of {} pass", "domain_egress"),
    ("DNS-4", "advice", "dns", "DMARC will not reject scans as {}", "domain"),
    ("TEN-1", "blocker", "tenant", "SMTP AUTH is enabled for {}", "sender"),
    ("TEN-6", "blocker", "tenant", "the password of {} never expires", "sender"),
    ("TEN-8", "blocker", "tenant", "direct send is not rejected by {}", "tenant"),
    ("TEN-9", "advice", "tenant", "the way in which {} signs in has a future", "sender"),
    ("SMTP-1", "blocker", "smtp", "sender {} can log in", "sender"),
    ("SMTP-2", "blocker", "smtp", "the service accepts a mail from {}", "sending"),
    ("DEV-1", "blocker", "device", "the admin login of copier {} works", "copier"),
    ("DEV-2", "blocker", "device", "copier {}'s SMTP host is updated", "copier"),
    ("DEV-3", "blocker", "device", "port and encryption of copier {} fit the route", "copier"),
    ("DEV-4", "blocker", "device", "SMTP authentication of copier {} is the sender's", "copier"),
    ("DEV-5", "blocker", "device", "the from-address of copier {} may be used", "copier"),
    ("DEV-8", "advice", "device", "the firmware of copier {} is at least the site's minimum", "copier"),
    ("DEV-10", "advice", "device", "the clock of copier {} is right", "copier"),
    ("DLV-2", "blocker", "delivery", "a scan from copier {} arrives", "copier"),
    ("LOG-2", "advice", "log", "no scan of copier {} has failed to send since the last change", "copier"),
    ("COV-2", "blocker", "coverage", "copier {}'s route is proven for its kind", "copier"),
]
AUTH_DIALOGUE = [
    ("**", "connected to 52.98.0.1:587 from 10.20.90.10"),
    (
        "<-",
        "220 FR4P281CA0123.outlook.office365.com Microsoft ESMTP MAIL Service ready at Mon, 23 Nov 2026 14:03:11 +0000",
    ),
    ("->", "EHLO scanproof.northfield.example"),
    (
        "<-",
        "250-FR4P281CA0123.outlook.office365.com Hello [203.0.113.10]\n250-SIZE 157286400\n250-STARTTLS\n250 SMTPUTF8",
    ),
    ("->", "STARTTLS"),
    ("<-", "220 2.0.0 SMTP server ready"),
    ("**", "TLSv1.3, TLS_AES_256_GCM_SHA384, certificate CN=outlook.com valid until 2027-05-02"),
    ("->", "AUTH LOGIN"),
    ("<-", "334 VXNlcm5hbWU6"),
    ("->", "(user name, not shown)"),
    ("<-", "334 UGFzc3dvcmQ6"),
    ("->", "(password, not shown)"),
]
CHEAPEST = "Cheapest proof: scan one page at a copier there. Else run scanproof from a machine in it."
REFUSED = "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy."


class Builder:
    """Collects cases and evidence as a run would."""

    def __init__(self) -> None:
        self.cases: list[Record] = []
        self.evidence: dict[str, Record] = {}
        self.known = {requirement[0]: requirement for requirement in REQUIREMENTS}

    def piece(self, kind: str, name: str, label: str, facts: Record, **more: Any) -> str:
        key = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:10]
        dialogue = more.pop("dialogue", [])
        self.evidence[key] = {
            "id": key,
            "kind": kind,
            "subject": {"name": name, "label": label},
            "vantage": "engineer's machine",
            "started": "2026-11-23T14:03:11.420Z",
            "elapsed_ms": 214.6,
            "outcome": "observed",
            "reason": "",
            "blocked_by": [],
            "remedy": "",
            "facts": facts,
            "transcript": [{"at_ms": 31 * at, "way": way, "text": said} for at, (way, said) in enumerate(dialogue)],
            **more,
        }
        return key

    def case(self, requirement: str, kind: str, name: str, label: str, verdict: str, **more: Any) -> Record:
        _, level, _, sentence, _ = self.known[requirement]
        case: Record = {
            "id": f"tests/test_sample.py::test_{requirement.lower().replace('-', '_')}[{name}]",
            "requirement": requirement,
            "level": level,
            "sentence": sentence.format(label),
            "subject": {"kind": kind, "name": name, "label": label},
            "verdict": verdict,
            "expected": "",
            "observed": "",
            "grade": "",
            "vantage": "engineer's machine",
            "evidence": [],
            "blocked_by": [],
            "waiver": "",
            "cause": None,
            "remedy": "",
            **more,
        }
        self.cases.append(case)
        return case


def sample_run(copiers: int = 26) -> tuple[Record, dict[str, Record]]:
    """Return run.json's content and the evidence by id; the copiers are dealt out to four subnets."""
    made = Builder()
    layout: list[Record] = [
        {"prefix": prefix, "label": f"{name} ({prefix})", "route": route, "copiers": []}
        for prefix, name, route in SUBNETS
    ]
    for number in range(copiers):
        subnet = layout[number % 4]
        place = len(subnet["copiers"])
        address = f"10.20.{90 + number % 4 + 4 * (place // 200)}.{11 + place % 200}"
        room = f"{ROOMS[number % len(ROOMS)]} {number // 4 + 1}"
        model = ("RICOH IM C3000", "RICOH MP C4504", "RICOH IM C4500")[number % 3]
        subnet["copiers"].append(
            {
                "key": f"3108RB{number:05d}",
                "label": f"{room} · {model} · {address}",
                "address": address,
                "model": model,
                "location": room,
                "route": subnet["route"],
                "sender": "scan@northfield.example",
            },
        )
    for subnet in layout:
        for place, copier in enumerate(subnet["copiers"]):
            _copier(made, subnet, copier, place)
    _site(made, layout)
    order = [requirement[0] for requirement in REQUIREMENTS]
    made.cases.sort(key=lambda case: order.index(case["requirement"]))
    return _run(made, layout), made.evidence


def _copier(made: Builder, subnet: Record, copier: Record, place: int) -> None:
    key, label = copier["key"], copier["label"]
    away, no_login, stale = (
        place == 4,
        place == 2 and "91" in subnet["prefix"],
        place in {1, 3} and "90" in subnet["prefix"],
    )

    def case(requirement: str, verdict: str, **more: Any) -> None:
        made.case(requirement, "copier", key, label, verdict, **more)

    page = made.piece(
        "WebPage",
        key,
        label,
        {}
        if away
        else {
            "url": f"https://{copier['address']}/",
            "status": 200,
            "server": "Web-Server/3.0",
            "title": "Web Image Monitor",
        },
        outcome="broken" if away else "observed",
        reason=f"no answer from {copier['address']}:443 and {copier['address']}:80 within 5 s" if away else "",
    )
    case(
        "INV-1",
        "passed",
        expected="a usable address, unique serial and host name",
        observed=copier["address"],
        grade="attested",
    )
    case(
        "NET-1",
        "unproven",
        expected="an ICMP echo reply",
        observed="this machine may not send ICMP: net.ipv4.ping_group_range leaves this user out",
        remedy="Allow ICMP for this user as docs/permissions.md says, or run as administrator.",
    )
    case(
        "NET-3",
        "advice" if away else "passed",
        expected="an HTTPS response",
        observed="no answer within 5 s" if away else "HTTP 200 over TLSv1.2",
        evidence=[page],
    )
    case(
        "NET-4",
        "failed" if away else "passed",
        expected="a response on TCP 80 or 443",
        observed=f"no answer from {copier['address']} within 5 s" if away else "answers on 443",
        evidence=[page],
        cause="copier-off" if away else None,
        remedy="See whether the copier is switched on and its network cable is in." if away else "",
    )
    login_problem = {
        "verdict": "failed",
        "observed": "the copier refused the login: HTTP 200, 'Authentication has failed.'",
    }
    if away:
        case("DEV-1", "blocked", blocked_by=["NET-4"], cause="copier-off", observed="its web page did not answer")
    else:
        case(
            "DEV-1",
            login_problem["verdict"] if no_login else "passed",
            expected="a login as admin",
            observed=login_problem["observed"] if no_login else "logged in as admin, and out again",
            evidence=[page],
            remedy="Correct the copier's admin password: scanproof secret set SCANPROOF_COPIER_PASSWORD"
            if no_login
            else "",
        )
    settings = made.piece(
        "EmailSettings",
        key,
        label,
        {
            "smtp_host": "mail.northfield.example" if stale else MICROSOFT,
            "smtp_port": 25 if stale else 587,
            "encryption": {"starttls": not stale, "minimum": "TLS 1.2"},
            "auth_user": "scan@northfield.example",
            "from_addresses": ["scan@northfield.example", "reception@northfield.example"],
            "pop_before_smtp": False,
            "firmware": "1.12",
            "clock_offset_s": None,
        },
    )
    for requirement in ("DEV-2", "DEV-3", "DEV-4", "DEV-5", "DEV-8", "DEV-10"):
        if away or no_login:
            case(
                requirement,
                "blocked",
                blocked_by=["NET-4" if away else "DEV-1"],
                cause="copier-off" if away else None,
                observed="not tried",
            )
        elif requirement == "DEV-2":
            case(
                requirement,
                "failed" if stale else "passed",
                expected=MICROSOFT,
                observed="mail.northfield.example, which is a retired server" if stale else MICROSOFT,
                grade="same-subnet",
                evidence=[page, settings],
                cause="stale-host" if stale else None,
                remedy="Set the SMTP server to smtp.office365.com: Web Image Monitor, E-mail, SMTP." if stale else "",
            )
        elif requirement == "DEV-8":
            old = place == 5
            case(
                requirement,
                "advice" if old else "passed",
                expected="firmware 1.20 or newer" if old else "firmware 1.10",
                observed="1.12",
                evidence=[settings],
                remedy="Ask the dealer for the current firmware." if old else "",
            )
        elif requirement == "DEV-10" and place == 0:
            case(
                requirement,
                "waived",
                expected="within 300 s",
                observed="1 h behind",
                waiver="the dealer's visit is booked (B. Facility, until 2027-01-31)",
                evidence=[settings],
            )
        else:
            case(
                requirement,
                "passed",
                expected="as the route needs it",
                observed="as expected",
                evidence=[settings],
                grade="same-subnet",
            )
    if place == 0:
        mail = made.piece(
            "ArrivedMail",
            key,
            label,
            {"received": "2026-11-23T13:58:20Z", "folder": "Inbox", "attachment": "scan.pdf, 1 page, 48 kB"},
        )
        arrived = "92" not in subnet["prefix"]
        case(
            "DLV-2",
            "passed" if arrived else "unproven",
            expected="a fresh mail in the Inbox",
            observed="arrived after 14 s" if arrived else "no scan of it has been seen since 2026-11-16",
            grade="from-copier" if arrived else "",
            evidence=[mail] if arrived else [],
            remedy=""
            if arrived
            else "Scan one page to it-helpdesk@northfield.example at this copier, then run: pytest --attended",
        )
    case(
        "LOG-2",
        "unproven",
        observed="the copier's job log can't be read by this admin account",
        remedy="Give the account the 'Job Log' right.",
    )
    case(
        "COV-2",
        "unproven",
        expected="a delivery by its own kind",
        observed=f"no mail of {label} or of its model in {subnet['prefix']} has been seen",
        remedy="Scan one page at one copier of each model.",
    )


def _site(made: Builder, layout: list[Record]) -> None:
    for subnet in layout:
        prefix, label = subnet["prefix"], subnet["label"]
        blocked_587 = "93" in prefix
        for requirement, host, port in (("EGR-1", MICROSOFT, 587), ("EGR-2", ENDPOINT, 25)):
            failed = (blocked_587 and port == 587) or ("91" in prefix and port == 25)
            unproven = "92" in prefix
            verdict = "failed" if failed else "unproven" if unproven else "passed"
            probe = made.piece(
                "SubmissionPath",
                f"{prefix}++{host}",
                f"{label} to {host}:{port}",
                {
                    "host": host,
                    "port": port,
                    "source": prefix.replace("0/24", "10"),
                    "error": "timed out after 10 s" if failed else None,
                },
                dialogue=[] if failed else AUTH_DIALOGUE[:7],
            )
            made.case(
                requirement,
                "subnet",
                f"{prefix}++{host}",
                label,
                verdict,
                expected=f"a connection to {host}:{port} from inside {prefix}",
                observed={
                    "failed": f"no connection to {host}:{port} within 10 s",
                    "unproven": "no place to look from in this subnet",
                    "passed": "the service's own banner and STARTTLS",
                }[verdict],
                grade="same-subnet" if verdict == "passed" else "",
                evidence=[] if unproven else [probe],
                cause="firewall" if failed else None,
                remedy={
                    "failed": f"Let {prefix} reach {host} on TCP {port} in the site's firewall.",
                    "unproven": CHEAPEST,
                    "passed": "",
                }[verdict],
            )
        made.case(
            "EGR-4",
            "subnet",
            prefix,
            label,
            "unproven" if "92" in prefix else "passed",
            observed="no place to look from in this subnet" if "92" in prefix else "both names resolve to the service",
            remedy=CHEAPEST if "92" in prefix else "",
        )
    made.case(
        "INV-1",
        "row",
        "row29",
        "row 29",
        "failed",
        expected="an IPv4 or IPv6 address in C29",
        observed="C29: '10.20.90.300' is not an IPv4 or IPv6 address",
        remedy="Correct cell C29 of fleet.xlsx.",
    )
    made.case(
        "DNS-2",
        "domain_egress",
        "northfield.example++203.0.113.10",
        "northfield.example",
        "passed",
        observed="v=spf1 ip4:203.0.113.10 include:spf.protection.outlook.com -all",
    )
    made.case(
        "DNS-4",
        "domain",
        "northfield.example",
        "northfield.example",
        "advice",
        expected="aligned mail on every route",
        observed="p=reject, and direct send from the laboratory is not aligned",
        remedy="Sign the laboratory's mail, or send it by the encrypted route.",
    )
    made.case("TEN-8", "tenant", "tenant", "the tenant", "passed", observed="RejectDirectSend is false")
    for sender, kind in (("scan@northfield.example", "basic"), ("reports@northfield.example", "oauth")):
        refused = kind == "basic"
        dialogue = made.piece(
            "SignIn",
            sender,
            sender,
            {"tls": "TLSv1.3", "mechanisms": ["LOGIN", "XOAUTH2"], "reply_code": 535 if refused else 235},
            dialogue=[
                *AUTH_DIALOGUE,
                ("<-", REFUSED if refused else "235 2.7.0 Authentication successful"),
                ("->", "QUIT"),
            ],
        )
        made.case(
            "TEN-1",
            "sender",
            sender,
            sender,
            "passed",
            observed="SmtpClientAuthenticationDisabled is false for the mailbox",
        )
        made.case(
            "TEN-6",
            "sender",
            sender,
            sender,
            "error",
            observed="KeyError: 'passwordPolicies'",
            remedy="Report this with the run folder.",
        ) if refused else made.case("TEN-6", "sender", sender, sender, "passed")
        made.case(
            "TEN-9",
            "sender",
            sender,
            sender,
            "advice" if refused else "passed",
            expected="a way that outlives December 2026",
            observed="Basic SMTP AUTH is off by default from the end of December 2026" if refused else "OAuth",
            remedy="Plan OAuth, or the direct-send route, for these copiers." if refused else "",
        )
        made.case(
            "SMTP-1",
            "sender",
            sender,
            sender,
            "failed" if refused else "passed",
            expected="235 after AUTH over TLS 1.2 or newer",
            observed=REFUSED if refused else "235 2.7.0 Authentication successful",
            evidence=[dialogue],
            cause="security-defaults" if refused else None,
            remedy="Turn security defaults off for the tenant, or exclude this sender by Conditional Access."
            if refused
            else "",
            grade="" if refused else "same-subnet",
        )
        made.case(
            "SMTP-2",
            "sending",
            f"{sender}++smtp-auth",
            sender,
            "blocked" if refused else "passed",
            blocked_by=["SMTP-1"] if refused else [],
            cause="security-defaults" if refused else None,
            observed="not tried" if refused else "250 2.0.0 OK",
        )


def _run(made: Builder, layout: list[Record]) -> Record:
    def explained(cause: str) -> list[str]:
        return [case["id"] for case in made.cases if case["cause"] == cause]

    def cause(key: str, layer: str, title: str, subjects: list[str], *, owner: str, remedy: str) -> Record:
        return {
            "id": key,
            "kind": key,
            "layer": layer,
            "title": title,
            "subjects": subjects,
            "explains": explained(key),
            "owner": owner,
            "remedy": remedy,
        }

    return {
        "schema": 1,
        "site": {
            "name": "demo",
            "customer": "Northfield General Hospital",
            "ticket": "REQ-104217",
            "engineer": "A. Engineer",
            "domain": "northfield.example",
            "scope": ["copiers"],
            "cutover": "2026-11-16T06:00:00+01:00",
            "last_change": "2026-11-20T17:30:00+01:00",
            "folder": "inventory/demo",
        },
        "started": "2026-11-23T14:03:08.120Z",
        "finished": "2026-11-23T14:03:21.514Z",
        "suite": {"version": "0.1.0", "python": "3.11.9", "platform": "Windows 11"},
        "inventory_sha256": hashlib.sha256(b"fleet").hexdigest(),
        "vantages": [
            {
                "name": "engineer's machine",
                "addresses": ["10.20.90.10"],
                "subnets": ["10.20.90.0/24"],
                "role": "site",
                "lab": "loopback",
            },
            {
                "name": "surgery-pc (ssh)",
                "addresses": ["10.20.91.10"],
                "subnets": ["10.20.91.0/24"],
                "role": "site",
                "lab": None,
            },
        ],
        "counts": dict(Counter(case["verdict"] for case in made.cases)),
        "coverage": {
            "expected": len(made.cases) + 2,
            "judged": len(made.cases),
            "not_applicable": [
                {"requirement": "DLV-2", "subject": copier["label"], "reason": "not a representative copier"}
                for subnet in layout
                for copier in subnet["copiers"][1:]
            ],
            "deselected": 2,
            "missing": [["NET-1", "3108RB99999"]],
        },
        "signoff": {
            "ready": False,
            "reasons": [
                "9 blocker cases failed",
                "1 case is an error of the suite",
                "blocker cases are blocked or unproven, so nothing rests on them",
                "2 cases were deselected",
            ],
        },
        "cases": made.cases,
        "causes": [
            cause(
                "security-defaults",
                "tenant",
                "Security defaults stop scan@northfield.example from signing in",
                ["scan@northfield.example"],
                owner="Microsoft 365 administrator",
                remedy="Turn security defaults off, or move to Conditional Access with an exclusion for this sender.",
            ),
            cause(
                "firewall",
                "network",
                "The site's firewall stops mail from two subnets",
                [
                    subnet["label"]
                    for subnet in layout
                    if subnet["prefix"][6] in "13" or "93" in subnet["prefix"] or "91" in subnet["prefix"]
                ],
                owner="Network team",
                remedy="Add an outbound rule from these subnets to the mail service's hosts and ports.",
            ),
            cause(
                "stale-host",
                "device",
                "Copiers still send to the retired mail server",
                [case["subject"]["label"] for case in made.cases if case["cause"] == "stale-host"],
                owner="Copier administrator",
                remedy="Set the SMTP server on each of them; one template in Web Image Monitor does them all.",
            ),
            cause(
                "copier-off",
                "device",
                "Copiers that don't answer at all",
                [
                    case["subject"]["label"]
                    for case in made.cases
                    if case["cause"] == "copier-off" and case["requirement"] == "NET-4"
                ],
                owner="On-site staff",
                remedy="See whether they are switched on.",
            ),
        ],
        "layout": {
            "subnets": layout,
            "services": [
                {"route": "smtp-auth", "host": MICROSOFT, "port": 587},
                {"route": "direct-send", "host": ENDPOINT, "port": 25},
            ],
            "outside": [
                {
                    "row": 12,
                    "label": "Basement store · 3108RB00417",
                    "reason": "Returned to the leasing company in December (B. Facility, 2026-11-12)",
                }
            ],
            "hidden_rows": [17],
        },
        "waivers": [
            {
                "requirement": "NET-1",
                "subject": "3108RB00002",
                "reason": "old firewall",
                "approved_by": "B. Facility",
                "until": "2026-11-01T00:00:00Z",
                "expired": True,
                "used": False,
            }
        ],
        "notes": ["Row 17 of the fleet list is hidden in Excel and was judged like the others."],
        "requirements": [
            {"id": key, "level": level, "area": area, "sentence": sentence, "kind": kind}
            for key, level, area, sentence, kind in REQUIREMENTS
        ],
        "seconds": {"gather": 12.1, "judge": 0.9},
        "options": ["--no-send"],
    }
