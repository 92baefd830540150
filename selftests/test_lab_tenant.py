"""The simulated tenant: whatever its state is, the SMTP door and the APIs tell the same of it."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lab import faults, judgement, replies, server
from lab.access import EXCHANGE_ONLINE, AccessPolicy, NamedLocation
from lab.client import start
from lab.directory import NEVER, PLAN_ENTERPRISE, PLAN_FOUNDATION
from lab.estate import Estate, build
from lab.mailflow import InboundConnector
from lab.plan import plan_of
from lab.tokens import app_certificate, segment, unsegment
from scanproof import site as sites
from selftests.labtools import CLIENT, DEMO, TENANT, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from lab.client import Lab
    from lab.journal import Journal

SCAN, REPORTS, PROOF = "scan@northfield.example", "reports@northfield.example", "scan-proof@northfield.example"
DOMAIN = "northfield.example"
ADDRESSES = ("203.0.113.10", "203.0.113.92", "203.0.113.93")
USER = "id,userPrincipalName,accountEnabled,passwordPolicies,lastPasswordChangeDateTime,assignedPlans"


@dataclass
class Running(Wire):
    """A lab in this process: its state can be changed and looked at while it runs."""

    estate: Estate
    journal: Journal

    def __init__(self, running: server.Running) -> None:
        super().__init__(cast("Lab", SimpleNamespace(ready=running.ready)))
        self.estate, self.journal = running.estate, running.journal

    def read(self, path: str, *, version: str = "v1.0", **query: str) -> Any:
        """Return what Graph answers, which must be well."""
        url = path if path.startswith("https:") else f"https://graph.microsoft.com/{version}/{path}"
        answer = self.graph(url, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def what_if(self, address: str, *, user: str = SCAN, **changes: Any) -> httpx.Response:
        """Ask which policies a sign-in of an older client would meet."""
        account = self.estate.account(user)
        body: dict[str, Any] = {
            "signInIdentity": {
                "@odata.type": "#microsoft.graph.userSignIn",
                "userId": account.id if account else user,
            },
            "signInContext": {
                "@odata.type": "#microsoft.graph.applicationContext",
                "includeApplications": [EXCHANGE_ONLINE],
            },
            "signInConditions": {"clientAppType": "other", "ipAddress": address, "country": "DE"},
            "appliedPoliciesOnly": True,
            **changes,
        }
        token = self.token("https://graph.microsoft.com/.default")
        url = "https://graph.microsoft.com/v1.0/identity/conditionalAccess/evaluate"
        return self.request("POST", url, json=body, headers={"Authorization": f"Bearer {token}"})

    def invoke(self, cmdlet: str, identity: str | None = None, **headers: str) -> httpx.Response:
        """Run a cmdlet by Exchange's admin API."""
        parameters = {} if identity is None else {"Identity": identity}
        return self.exchange(
            "POST",
            f"adminapi/beta/{TENANT}/InvokeCommand",
            json={"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}},
            headers=headers,
        )

    def rows(self, cmdlet: str, identity: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of a cmdlet, which must be well."""
        answer = self.invoke(cmdlet, identity)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["value"]
        return rows

    def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask Exchange's admin API."""
        token = self.token("https://outlook.office365.com/.default")
        headers = {"Authorization": f"Bearer {token}", "X-ResponseFormat": "json", **options.pop("headers", {})}
        url = path if path.startswith("https:") else f"https://outlook.office365.com/{path}"
        return self.request(method, url, headers=headers, **options)

    def sign_in(self, sender: str = SCAN) -> str:
        """Sign in to SMTP by password; return the reply."""
        with self.submission() as client:
            try:
                code, text = client.login(sender, self.secrets["SCANPROOF_SENDER_PASSWORD"])
            except smtplib.SMTPAuthenticationError as refused:
                code, text = refused.smtp_code, cast("bytes", refused.smtp_error)
            return f"{code} {text.decode()}"


@pytest.fixture(name="running_lab")
def running_lab_fixture() -> Iterator[Callable[..., Running]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened: list[server.Running] = []

    def running_lab(*names: str, change: Callable[[Estate], None] | None = None) -> Running:
        estate = build(plan_of(sites.load(DEMO)), "loopback")
        faults.apply(estate, names)
        if change:
            change(estate)
        opened.append(asyncio.run_coroutine_threadsafe(server.start(estate, None), loop).result(10))
        return Running(opened[-1])

    async def close() -> None:
        for running in opened:
            for part in running.servers:
                part.close()

    yield running_lab
    asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# ---- the door's reply and the APIs' answer come from the same state

Reading = tuple["Callable[[Running], Any]", Any]


def flag(name: str, cmdlet: str, identity: str | None = None) -> Callable[[Running], Any]:
    return lambda lab: lab.rows(cmdlet, identity)[0][name]


def user(name: str) -> Callable[[Running], Any]:
    return lambda lab: lab.read(f"users/{SCAN}", select=name)[name]


def own_plans(lab: Running) -> list[str]:
    return [plan["servicePlanId"] for plan in user("assignedPlans")(lab)]


def of_domain(name: str) -> Callable[[Running], Any]:
    return lambda lab: lab.read(f"domains/{DOMAIN}")[name]


def second_factor(lab: Running) -> Any:
    return lab.read(f"users/{SCAN}/authentication/requirements", version="beta")["perUserMfaState"]


def security_defaults(lab: Running) -> Any:
    return lab.read("policies/identitySecurityDefaultsEnforcementPolicy")["isEnabled"]


def days_old(lab: Running) -> int:
    changed = datetime.fromisoformat(user("lastPasswordChangeDateTime")(lab))
    return (datetime.now(UTC) - changed).days


def policies_met(lab: Running) -> list[tuple[str, Any]]:
    met = lab.what_if(ADDRESSES[0]).json()["value"]
    return [(part["state"], (part["grantControls"] or {}).get("builtInControls")) for part in met]


IN = "235 2.7.0 Authentication successful"
STATES: list[tuple[str | None, str, list[Reading]]] = [
    (
        None,
        IN,
        [
            (flag("SmtpClientAuthenticationDisabled", "Get-TransportConfig"), False),
            (flag("SmtpClientAuthenticationDisabled", "Get-CASMailbox", SCAN), None),
            (flag("DefaultAuthenticationPolicy", "Get-OrganizationConfig"), None),
            (flag("AuthenticationPolicy", "Get-User", SCAN), None),
            (flag("RejectDirectSend", "Get-OrganizationConfig"), False),
            (security_defaults, False),
            (second_factor, "disabled"),
            (policies_met, []),
            (user("accountEnabled"), True),
            (user("passwordPolicies"), "DisablePasswordExpiration"),
            (own_plans, [PLAN_ENTERPRISE, PLAN_FOUNDATION]),
            (of_domain("passwordValidityPeriodInDays"), 90),
            (of_domain("authenticationType"), "Managed"),
        ],
    ),
    (
        "smtp-auth-off-tenant",
        replies.AUTH_OFF_TENANT,
        [(flag("SmtpClientAuthenticationDisabled", "Get-TransportConfig"), True)],
    ),
    (
        "smtp-auth-off-mailbox",
        replies.AUTH_OFF_MAILBOX,
        [(flag("SmtpClientAuthenticationDisabled", "Get-CASMailbox", SCAN), True)],
    ),
    (
        "smtp-auth-on-mailbox-only",
        IN,
        [
            (flag("SmtpClientAuthenticationDisabled", "Get-TransportConfig"), True),
            (flag("SmtpClientAuthenticationDisabled", "Get-CASMailbox", SCAN), False),
        ],
    ),
    (
        "settings-not-yet-effective",
        replies.AUTH_OFF_TENANT,
        [(flag("SmtpClientAuthenticationDisabled", "Get-TransportConfig"), False)],
    ),
    (
        "authentication-policy",
        replies.BASIC_DISABLED,
        [
            (flag("DefaultAuthenticationPolicy", "Get-OrganizationConfig"), "Block Basic Authentication"),
            (flag("AllowBasicAuthSmtp", "Get-AuthenticationPolicy", "Block Basic Authentication"), False),
        ],
    ),
    (
        "authentication-policy-of-user",
        replies.BASIC_DISABLED,
        [
            (flag("DefaultAuthenticationPolicy", "Get-OrganizationConfig"), None),
            (flag("AuthenticationPolicy", "Get-User", SCAN), "Block Basic Authentication"),
        ],
    ),
    (
        "authentication-policy-allows",
        IN,
        [
            (flag("DefaultAuthenticationPolicy", "Get-OrganizationConfig"), "Block Basic Authentication"),
            (flag("AuthenticationPolicy", "Get-User", SCAN), "Copiers may use Basic"),
            (flag("AllowBasicAuthSmtp", "Get-AuthenticationPolicy", "Copiers may use Basic"), True),
        ],
    ),
    ("security-defaults", replies.SECURITY_DEFAULTS, [(security_defaults, True)]),
    ("sender-mfa", replies.AUTH_FAILED, [(second_factor, "enforced")]),
    ("sender-disabled", replies.LOCKED, [(user("accountEnabled"), False)]),
    ("sender-locked", replies.LOCKED, [(user("accountEnabled"), True)]),
    ("sender-without-mailbox", replies.AUTH_FAILED, [(own_plans, [PLAN_FOUNDATION]), (user("mail"), None)]),
    ("password-expires", IN, [(user("passwordPolicies"), None), (days_old, 78)]),
    ("password-expired", replies.WRONG_CREDENTIALS, [(user("passwordPolicies"), None), (days_old, 100)]),
    (
        "password-never-by-domain",
        IN,
        [(user("passwordPolicies"), None), (of_domain("passwordValidityPeriodInDays"), NEVER)],
    ),
    ("password-validity-unset", IN, [(of_domain("passwordValidityPeriodInDays"), None)]),
    ("sender-federated", IN, [(of_domain("authenticationType"), "Federated")]),
    ("conditional-access", replies.CONDITIONAL_ACCESS, [(policies_met, [("enabled", ["block"])])]),
    ("conditional-access-mfa", replies.CONDITIONAL_ACCESS, [(policies_met, [("enabled", ["mfa"])])]),
    ("conditional-access-device", replies.CONDITIONAL_ACCESS, [(policies_met, [("enabled", ["compliantDevice"])])]),
    ("conditional-access-group", replies.CONDITIONAL_ACCESS, [(policies_met, [("enabled", ["block"])])]),
    ("conditional-access-role", replies.CONDITIONAL_ACCESS, [(policies_met, [("enabled", ["mfa"])])]),
    ("conditional-access-excluded", IN, [(policies_met, [])]),
    (
        "conditional-access-report-only",
        IN,
        [(policies_met, [("enabledForReportingButNotEnforced", ["block"])])],
    ),
    ("conditional-access-browser-only", IN, [(policies_met, [])]),
    ("conditional-access-location", IN, [(policies_met, [])]),
]


@pytest.mark.parametrize(("fault", "reply", "readings"), STATES, ids=[str(row[0]) for row in STATES])
def test_door_and_apis_agree(
    running_lab: Callable[..., Running], fault: str | None, reply: str, readings: list[Reading]
) -> None:
    lab = running_lab(*([fault] if fault else []))
    assert lab.sign_in().startswith(reply)
    assert [read(lab) for read, _ in readings] == [expected for _, expected in readings]


ACCESS = [
    name
    for name in faults.ALL
    if name.startswith("conditional-access") and not name.endswith(("no-what-if", "platforms"))
]


@pytest.mark.parametrize("fault", [*ACCESS, "healthy"])
def test_what_if_foretells_the_door(running_lab: Callable[..., Running], fault: str) -> None:
    lab = running_lab(*([] if fault == "healthy" else [fault]))
    password = lab.secrets["SCANPROOF_SENDER_PASSWORD"]
    pairs = set() if fault == "healthy" else set(faults.ALL[fault].breaks(sites.load(DEMO)))
    for address in ADDRESSES:
        met = lab.what_if(address).json()["value"]
        foretold = any(part["state"] == "enabled" and part["grantControls"] for part in met)
        refused = judgement.by_password(lab.estate, SCAN, password, address)
        assert (refused is not None and refused.reply == replies.CONDITIONAL_ACCESS) == foretold, address
        assert (("TEN-4", f"{SCAN}++{address}") in pairs) == foretold, address


def test_a_policy_for_a_country(running_lab: Callable[..., Running]) -> None:
    def change(estate: Estate) -> None:
        abroad = NamedLocation("Neighbours", countries=("FR", "PL"))
        estate.tenant.access.locations.append(abroad)
        estate.tenant.access.policies.append(
            AccessPolicy("Not from there", include_users=("All",), include_locations=(abroad.id,))
        )

    lab = running_lab(change=change)
    conditions = {"clientAppType": "other", "ipAddress": ADDRESSES[0]}

    def met(**more: str) -> list[str]:
        answer = lab.what_if("", signInConditions={**conditions, **more}).json()
        return [part["displayName"] for part in answer["value"]]

    assert (met(country="FR"), met(country="DE"), met()) == (["Not from there"], [], [])
    answer = lab.what_if("", signInConditions=conditions, appliedPoliciesOnly=False).json()["value"]
    assert {part["displayName"]: part["analysisReasons"] for part in answer} == {
        "Require MFA for administrators": "users",
        "Not from there": "notEnoughInformation",
    }
    assert not any(part["policyApplies"] for part in answer)


@pytest.mark.parametrize(
    ("policy", "reasons"),
    [
        ({}, "notSet"),
        ({"state": "disabled"}, "policyNotEnabled"),
        ({"state": "enabledForReportingButNotEnforced"}, "notSet"),
        ({"include_users": ()}, "users"),
        ({"include_applications": ("00000003-0000-0000-c000-000000000000",)}, "application"),
        ({"include_applications": ("Office365",)}, "notSet"),
        ({"exclude_applications": (EXCHANGE_ONLINE,)}, "application"),
        ({"client_app_types": ("exchangeActiveSync",)}, "clientApps"),
        ({"include_locations": ("AllTrusted",)}, "location"),
        ({"include_users": (), "client_app_types": ("browser",)}, "users,clientApps"),
        ({"include_platforms": ("all",), "exclude_platforms": ("android",)}, "devicePlatform"),
        ({"include_platforms": ("android",)}, "devicePlatform"),
    ],
)
def test_why_a_policy_does_not_apply(running_lab: Callable[..., Running], policy: dict[str, Any], reasons: str) -> None:
    def change(estate: Estate) -> None:
        estate.tenant.access.policies = [AccessPolicy("It", **{"include_users": ("All",), **policy})]

    lab = running_lab(change=change)
    found = lab.what_if(ADDRESSES[0], appliedPoliciesOnly=False).json()["value"][0]
    assert (found["policyApplies"], found["analysisReasons"]) == (reasons == "notSet", reasons)


@pytest.mark.parametrize(
    ("include", "exclude", "stops"),
    [(("all",), ("android",), True), (("all",), (), True), (("android",), (), False), ((), (), True)],
)
def test_an_older_client_names_no_platform(
    running_lab: Callable[..., Running], include: tuple[str, ...], exclude: tuple[str, ...], *, stops: bool
) -> None:
    def change(estate: Estate) -> None:
        policy = AccessPolicy("It", include_users=("All",), include_platforms=include, exclude_platforms=exclude)
        estate.tenant.access.policies = [policy]

    lab = running_lab(change=change)
    refused = judgement.by_password(lab.estate, SCAN, lab.secrets["SCANPROOF_SENDER_PASSWORD"], ADDRESSES[0])
    assert (refused is not None) == stops


IDENTITY = {"@odata.type": "#microsoft.graph.userSignIn"}
CONTEXT = {"@odata.type": "#microsoft.graph.applicationContext"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"signInIdentity": {**IDENTITY, "userId": SCAN}}, 400),
        ({"signInIdentity": {"userId": str(uuid.uuid4())}}, 400),
        ({"signInIdentity": {**IDENTITY, "userId": str(uuid.uuid4())}}, 404),
        ({"signInContext": {**CONTEXT, "includeApplications": []}}, 400),
        ({"signInContext": {"includeApplications": [EXCHANGE_ONLINE]}}, 400),
        ({"signInConditions": {"clientAppType": "smtp"}}, 400),
        ({"signInConditions": {"ipAddress": "203.0.113.300"}}, 400),
        ({"signInConditions": {"country": "Germany"}}, 400),
        ({"signInConditions": {"address": "203.0.113.1"}}, 400),
        ({"appliedPoliciesOnly": "yes"}, 400),
        ({"nosuch": 1}, 400),
    ],
)
def test_what_if_wants_a_body_as_documented(
    running_lab: Callable[..., Running], changes: dict[str, Any], status: int
) -> None:
    assert running_lab().what_if(ADDRESSES[0], **changes).status_code == status


# ---- mail flow


def recipient_reply(lab: Running, to: str) -> str:
    with lab.endpoint() as client:
        client.mail(SCAN)
        code, text = client.rcpt(to)
        return f"{code} {text.decode()}"


ANYWHERE, HERE = ("203.0.113.0/24",), ("203.0.113.10",)


@pytest.mark.parametrize(
    ("connectors", "rejects", "outside", "inside"),
    [
        ([], False, replies.RELAY_DENIED, "250"),
        ([InboundConnector("c", HERE)], False, "250", "250"),
        ([InboundConnector("c", ANYWHERE)], True, "250", "250"),
        ([InboundConnector("c", HERE, enabled=False)], True, replies.RELAY_DENIED, replies.DIRECT_SEND_REJECTED),
        ([InboundConnector("c", HERE, "Partner")], False, replies.RELAY_DENIED, "250"),
        ([InboundConnector("c", ("203.0.113.92",))], True, replies.RELAY_DENIED, replies.DIRECT_SEND_REJECTED),
        (
            [InboundConnector("c", ("192.0.2.1",), "Partner", restricts_addresses=True)],
            False,
            replies.RELAY_DENIED,
            replies.GATEWAY_ONLY,
        ),
        ([InboundConnector("c", HERE, "Partner", restricts_addresses=True)], False, replies.RELAY_DENIED, "250"),
        ([InboundConnector("c", ("192.0.2.1",), restricts_addresses=True)], False, replies.RELAY_DENIED, "250"),
        (
            [
                InboundConnector(
                    "c", ("192.0.2.1",), "Partner", restricts_addresses=True, sender_domains=("smtp:partner.example;1",)
                )
            ],
            False,
            replies.RELAY_DENIED,
            "250",
        ),
    ],
)
def test_connectors(
    running_lab: Callable[..., Running],
    connectors: list[InboundConnector],
    rejects: bool,  # noqa: FBT001 - a column of the table
    outside: str,
    inside: str,
) -> None:
    def change(estate: Estate) -> None:
        estate.tenant.inbound, estate.tenant.reject_direct_send = connectors, rejects

    lab = running_lab(change=change)
    assert recipient_reply(lab, "someone@elsewhere.example").startswith(outside)
    assert recipient_reply(lab, PROOF).startswith(inside)
    row = lab.rows("Get-InboundConnector")
    assert [part["SenderIPAddresses"] for part in row] == [list(part.addresses) for part in connectors]
    assert flag("RejectDirectSend", "Get-OrganizationConfig")(lab) == rejects


def test_the_healthy_site_relays_from_one_subnet(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    assert lab.rows("Get-InboundConnector")[0] | {"Guid": ""} == {
        "Name": "Copiers Outpatients", "Identity": "Copiers Outpatients", "Enabled": True,
        "ConnectorType": "OnPremises", "ConnectorSource": "Default", "SenderIPAddresses": ["203.0.113.92"],
        "TlsSenderCertificateName": None, "SenderDomains": ["smtp:*;1"], "AssociatedAcceptedDomains": [],
        "RequireTls": True, "RestrictDomainsToIPAddresses": False, "RestrictDomainsToCertificate": False,
        "TreatMessagesAsInternal": False, "CloudServicesMailEnabled": False, "Guid": "",
    }  # fmt: skip
    assert [bool(lab.estate.tenant.relaying(address)) for address in ADDRESSES] == [False, True, False]
    assert recipient_reply(lab, "someone@elsewhere.example").startswith(replies.RELAY_DENIED)


@pytest.mark.parametrize(
    ("connectors", "signs"),
    [
        ([], ("Anonymous", "Internet", "Incoming")),
        ([InboundConnector("c", HERE)], ("Anonymous", "HybridOnPrem", "Originating")),
        ([InboundConnector("c", HERE, internal=True)], ("Internal", "HybridOnPrem", "Originating")),
        ([InboundConnector("c", HERE, "Partner")], ("Anonymous", "Internet", "Incoming")),
    ],
)
def test_a_mail_tells_of_its_connector(
    running_lab: Callable[..., Running], connectors: list[InboundConnector], signs: tuple[str, ...]
) -> None:
    def change(estate: Estate) -> None:
        estate.tenant.inbound, estate.tenant.delivery_delay = connectors, 0.0

    lab = running_lab(change=change)
    with lab.endpoint() as client:
        client.sendmail(SCAN, [PROOF], f"From: {SCAN}\r\nTo: {PROOF}\r\nSubject: a scan\r\n\r\n.\r\n")
    mail = lab.read(f"users/{PROOF}/messages", select="internetMessageHeaders")["value"][0]
    headers = {header["name"]: header["value"] for header in mail["internetMessageHeaders"]}
    prefix = "X-MS-Exchange-Organization-"
    names = ("AuthAs", "FromEntityHeader", "MessageDirectionality")
    assert tuple(headers[prefix + name] for name in names) == signs


def test_an_internal_relay_domain_takes_what_it_does_not_know(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("accepted-domain-relays")
    assert recipient_reply(lab, f"nobody@{DOMAIN}").startswith("250")
    assert flag("DomainType", "Get-AcceptedDomain", DOMAIN)(lab) == "InternalRelay"


def test_an_endpoint_of_the_newer_kind(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("mx-microsoft")
    records = lab.read(f"domains/{DOMAIN}/serviceConfigurationRecords")["value"]
    name = "northfield-example.a-v1.mx.microsoft"
    assert [record["mailExchange"] for record in records if record["recordType"] == "Mx"] == [name]
    assert lab.at(f"{name}:25") == lab.at("northfield-example.mail.protection.outlook.com:25")
    with lab._smtp(name, 25, encrypted=True) as client:  # its certificate is for that name as well
        assert client.mail(SCAN)[0] == 250


# ---- the sign-in log


def test_the_log_shows_a_sign_in_minutes_later(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    before = len(lab.read("auditLogs/signIns")["value"])
    assert lab.sign_in().startswith("235")
    assert len(lab.read("auditLogs/signIns")["value"]) == before
    lab.estate.tenant.sign_ins[-1].visible = datetime.now(UTC)
    assert len(lab.read("auditLogs/signIns")["value"]) == before + 1


@pytest.mark.parametrize(
    ("fault", "error", "access"),
    [
        (None, 0, "notApplied"),
        ("sender-password-wrong", 50126, "notApplied"),
        ("password-expired", 50055, "notApplied"),
        ("sender-locked", 50053, "notApplied"),
        ("sender-disabled", 50057, "notApplied"),
        ("sender-mfa", 50076, "notApplied"),
        ("conditional-access", 53003, "failure"),
    ],
)
def test_what_the_log_says(running_lab: Callable[..., Running], fault: str | None, error: int, access: str) -> None:
    lab = running_lab(*([fault] if fault else []))
    lab.estate.tenant.sign_ins, lab.estate.tenant.log_delay = [], 0.0
    lab.sign_in()
    entry = lab.read("auditLogs/signIns", filter=f"userPrincipalName eq '{SCAN}'")["value"][0]
    assert (entry["status"]["errorCode"], entry["conditionalAccessStatus"]) == (error, access)
    assert (entry["clientAppUsed"], entry["ipAddress"]) == ("Authenticated SMTP", "203.0.113.10")
    assert bool(entry["appliedConditionalAccessPolicies"]) == (access == "failure")


@pytest.mark.parametrize("fault", ["smtp-auth-off-tenant", "authentication-policy", "basic-retired"])
def test_what_never_got_to_entra_is_not_in_its_log(running_lab: Callable[..., Running], fault: str) -> None:
    lab = running_lab(fault)
    lab.estate.tenant.sign_ins, lab.estate.tenant.log_delay = [], 0.0
    lab.sign_in()
    assert lab.read("auditLogs/signIns")["value"] == []


def test_failed_sign_ins_by_filter_and_by_page(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("failed-sign-ins")
    since = f"{datetime.now(UTC) - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    wanted = f"clientAppUsed eq 'Authenticated SMTP' and userPrincipalName eq '{SCAN}'"
    lately = lab.read("auditLogs/signIns", filter=f"{wanted} and createdDateTime ge {since}")["value"]
    assert sorted(entry["status"]["errorCode"] for entry in lately) == [0, 50126, 50126]
    answer = lab.read("auditLogs/signIns", filter=wanted, top="2")
    found, pages = answer["value"], 1
    while "@odata.nextLink" in answer:
        assert len(answer["value"]) == 2
        answer = lab.read(answer["@odata.nextLink"])
        found, pages = found + answer["value"], pages + 1
    assert pages == 3
    assert len({entry["id"] for entry in found}) == 6
    assert [entry["createdDateTime"] for entry in found] == sorted(
        (entry["createdDateTime"] for entry in found), reverse=True
    )
    assert {entry["ipAddress"] for entry in found if entry["status"]["errorCode"]} == {"203.0.113.10", "192.0.2.200"}
    assert refusal(lab.graph("auditLogs/signIns", filter="signInEventTypes/any(t: t eq 'x')"))[0] == 400


def test_the_log_needs_a_licence(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    lab.estate.tenant.premium = False
    assert refusal(lab.graph("auditLogs/signIns")) == (
        403,
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
    )


# ---- Graph


def test_a_users_fields_come_when_selected(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    usual = lab.read(f"users/{SCAN.upper()}")
    assert not {"accountEnabled", "passwordPolicies", "assignedPlans"} & set(usual)
    selected = lab.read(f"users/{usual['id']}", select=USER)
    assert set(selected) == {"@odata.context", *USER.split(",")}
    assert lab.read(f"users/{SCAN}", select="userPrincipalName").keys() == {"@odata.context", "userPrincipalName"}
    assert refusal(lab.graph("users/nobody@northfield.example")) == (404, "Request_ResourceNotFound")
    assert refusal(lab.graph(f"users/{SCAN}", select="nosuch")) == (400, "BadRequest")


def test_licences_groups_and_roles(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("conditional-access-group", "conditional-access-role")
    plans = lab.read(f"users/{SCAN}/licenseDetails")["value"][0]["servicePlans"]
    assert [plan["servicePlanName"] for plan in plans] == ["EXCHANGE_S_ENTERPRISE", "EXCHANGE_S_FOUNDATION"]
    first = lab.read(f"users/{SCAN}/transitiveMemberOf", top="2")
    found = first["value"] + lab.read(first["@odata.nextLink"])["value"]
    assert [(part["@odata.type"].rpartition(".")[2], part["displayName"]) for part in found] == [
        ("group", "Copiers"),
        ("group", "Service accounts"),
        ("directoryRole", "Reports Reader"),
    ]
    assert found[2]["roleTemplateId"] != found[2]["id"]
    assert lab.read(f"users/{REPORTS}/transitiveMemberOf")["value"] == []


def test_what_only_beta_has(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    assert refusal(lab.graph(f"users/{SCAN}/authentication/requirements"))[0] == 400
    assert refusal(lab.graph(f"https://graph.microsoft.com/beta/users/{SCAN}/nosuch"))[0] == 400


NEEDS = [
    ("Policy.Read.All", "policies/identitySecurityDefaultsEnforcementPolicy", "Authorization_RequestDenied"),
    ("Policy.Read.All", "identity/conditionalAccess/policies", "AccessDenied"),
    ("Policy.Read.All", "identity/conditionalAccess/namedLocations", "AccessDenied"),
    (
        "Policy.Read.All",
        f"https://graph.microsoft.com/beta/users/{SCAN}/authentication/requirements",
        "Authorization_RequestDenied",
    ),
    ("User.Read.All", f"users/{SCAN}", "Authorization_RequestDenied"),
    ("User.Read.All", f"users/{SCAN}/licenseDetails", "Authorization_RequestDenied"),
    ("User.Read.All", f"users/{SCAN}/transitiveMemberOf", "Authorization_RequestDenied"),
    ("Domain.Read.All", "domains", "Authorization_RequestDenied"),
    ("Domain.Read.All", f"domains/{DOMAIN}/serviceConfigurationRecords", "Authorization_RequestDenied"),
    ("AuditLog.Read.All", "auditLogs/signIns", "Authentication_MSGraphPermissionMissing"),
    ("ExchangeMessageTrace.Read.All", "admin/exchange/tracing/messageTraces", "Forbidden"),
    ("Mail.Read", f"users/{PROOF}/messages", "ErrorAccessDenied"),
]


def test_each_call_needs_its_permission(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    every = set(lab.estate.app.permissions)
    for permission, path, code in NEEDS:
        assert lab.graph(path).status_code == 200, path
        lab.estate.app.permissions = every - {permission}
        lab._tokens.clear()
        assert refusal(lab.graph(path)) == (403, code), path
        lab.estate.app.permissions = set(every)
        lab._tokens.clear()


def test_what_if_needs_a_permission_of_its_own(running_lab: Callable[..., Running]) -> None:
    assert running_lab("no-permission-policy").what_if(ADDRESSES[0]).status_code == 403
    lab = running_lab("conditional-access-no-what-if")
    assert refusal(lab.what_if(ADDRESSES[0])) == (403, "AccessDenied")
    assert lab.graph("identity/conditionalAccess/policies").status_code == 200


def test_the_domains(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    found = lab.read("domains")["value"]
    assert [(part["id"], part["isDefault"], part["isInitial"]) for part in found] == [
        (DOMAIN, True, False),
        ("northfield.onmicrosoft.example", False, True),
    ]
    records = {part["recordType"]: part for part in lab.read(f"domains/{DOMAIN}/serviceConfigurationRecords")["value"]}
    assert records["Mx"]["mailExchange"] == "northfield-example.mail.protection.outlook.com"
    assert records["Txt"]["text"] == "v=spf1 include:spf.protection.outlook.com -all"
    assert refusal(lab.graph("domains/elsewhere.example")) == (404, "Request_ResourceNotFound")


def test_a_user_without_a_mailbox_has_no_messages(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("sender-without-mailbox")
    assert refusal(lab.graph(f"users/{SCAN}/messages")) == (404, "MailboxNotEnabledForRESTAPI")
    assert refusal(lab.graph(f"users/nobody@{DOMAIN}/messages")) == (404, "ErrorInvalidUser")


def test_graph_out_of_order(running_lab: Callable[..., Running]) -> None:
    assert refusal(running_lab("graph-outage").graph("domains")) == (503, "serviceUnavailable")
    lab = running_lab()
    lab.estate.tenant.graph.fails_after = 3
    assert [lab.graph("domains").status_code for _ in range(4)] == [200, 200, 503, 503]


def test_graph_in_a_storm(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("graph-storm")
    answers = [lab.graph("domains") for _ in range(41)]
    assert [answer.status_code for answer in answers] == [429] * 40 + [200]
    assert {answer.headers.get("Retry-After") for answer in answers} == {"1", None}


def test_graph_changes_nothing_and_notes_who_tries(running_lab: Callable[..., Running], tmp_path: Path) -> None:
    lab = running_lab()
    lab.journal.file = tmp_path / "journal"
    lab.read("domains")
    lab.what_if(ADDRESSES[0])
    assert lab.journal.writes == []
    token = lab.token("https://graph.microsoft.com/.default")
    answer = lab.request(
        "PATCH",
        "https://graph.microsoft.com/v1.0/policies/identitySecurityDefaultsEnforcementPolicy",
        headers={"Authorization": f"Bearer {token}"},
        json={"isEnabled": True},
    )
    assert answer.status_code == 405
    assert [(entry.method, entry.path) for entry in lab.journal.writes] == [
        ("PATCH", "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy")
    ]
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["reads"] for line in lines] == [True, True, False]


def test_a_lab_of_its_own_process_keeps_its_journal_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_JOURNAL", str(tmp_path / "journal"))
    with start(DEMO, network="loopback") as lab:
        assert Wire(lab).graph("domains").status_code == 200
    entry = {"server": "graph", "method": "GET", "path": "/v1.0/domains", "cmdlet": "", "reads": True}
    assert [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()] == [entry]


# ---- tokens


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unsegment(token.split(".")[1]))
    return found


def test_a_token_says_what_it_allows(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("app-can-write", "app-is-exchange-administrator")
    found = claims(lab.token("https://graph.microsoft.com/.default"))
    assert (found["aud"], found["appid"], found["tid"]) == ("https://graph.microsoft.com", CLIENT, TENANT)
    assert found["exp"] > time.time()
    assert {"Mail.Read", "Mail.ReadWrite", "Directory.ReadWrite.All", "Policy.Read.All"} <= set(found["roles"])
    assert "29232cdf-9323-42fd-ade2-1d097af3e4de" in found["wids"]
    assert "scp" not in found
    other = claims(lab.token("https://outlook.office365.com/.default"))
    assert other["roles"] == ["Exchange.ManageAsApp", "SMTP.SendAsApp"]
    assert other["aud"] == "https://outlook.office365.com"


def test_a_changed_token_is_none(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    head, body, seal = lab.token("https://graph.microsoft.com/.default").split(".")
    changed = segment(json.dumps({**json.loads(unsegment(body)), "roles": ["Everything"]}).encode())
    lab._tokens["https://graph.microsoft.com/.default"] = f"{head}.{changed}.{seal}"
    assert refusal(lab.graph("domains")) == (401, "InvalidAuthenticationToken")


def test_an_expired_secret(running_lab: Callable[..., Running]) -> None:
    answer = running_lab("client-secret-expired").token_answer("https://graph.microsoft.com/.default")
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000222])
    assert answer.json()["error_description"].startswith("AADSTS7000222: ")


TOKEN_URL = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"


def assertion(pem: str, *, algorithm: str = "PS256", audience: str = TOKEN_URL, age: int = 600) -> str:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    if algorithm == "PS256":
        thumb = {"x5t#S256": segment(certificate.fingerprint(hashes.SHA256())) + "="}  # as Microsoft's library pads it
        way: padding.AsymmetricPadding = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    else:
        thumb, way = {"x5t": segment(certificate.fingerprint(hashes.SHA1()))}, padding.PKCS1v15()
    head = segment(json.dumps({"alg": algorithm, "typ": "JWT", **thumb}).encode())
    said = {"aud": audience, "iss": CLIENT, "sub": CLIENT, "jti": str(uuid.uuid4()), "exp": int(time.time()) + age}
    body = segment(json.dumps(said).encode())
    return f"{head}.{body}.{segment(key.sign(f'{head}.{body}'.encode(), way, hashes.SHA256()))}"


def by_certificate(lab: Running, text: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": text,
        "scope": "https://graph.microsoft.com/.default",
    }
    return lab.request("POST", TOKEN_URL, data=form)


def test_signing_in_with_a_certificate(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("client-certificate")
    assert set(lab.secrets) == {
        "SCANPROOF_SENDER_PASSWORD",
        "SCANPROOF_COPIER_PASSWORD",
        "SCANPROOF_CLIENT_CERTIFICATE",
    }
    pem = lab.secrets["SCANPROOF_CLIENT_CERTIFICATE"]
    for algorithm in ("PS256", "RS256"):
        answer = by_certificate(lab, assertion(pem, algorithm=algorithm))
        assert answer.status_code == 200, answer.text
        assert "Mail.Read" in claims(answer.json()["access_token"])["roles"]
    head, body, seal = assertion(pem).split(".")
    bad = [
        f"{head}.{body}.{segment(bytes(256))}",
        f"{head}.{body}",
        assertion(app_certificate()[0]),
        assertion(pem, audience="https://elsewhere.example"),
        assertion(pem, age=-600),
    ]
    assert seal
    for text in bad:
        assert by_certificate(lab, text).json()["error_codes"] == [700027]


def device(lab: Running, scope: str) -> httpx.Response:
    url = TOKEN_URL.replace("/token", "/devicecode")
    return lab.request("POST", url, data={"client_id": CLIENT, "scope": scope})


def poll(lab: Running, code: str) -> httpx.Response:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": CLIENT,
        "device_code": code,
    }
    return lab.request("POST", TOKEN_URL, data=form)


def test_signing_in_with_a_device_code(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    lab.estate.tenant.device_codes.pending = 2
    shown = device(lab, "https://graph.microsoft.com/Policy.Read.All Domain.Read.All openid").json()
    assert shown["user_code"] in shown["message"]
    assert shown["interval"] >= 1
    answers = [poll(lab, shown["device_code"]) for _ in range(3)]
    assert [answer.json().get("error") for answer in answers] == ["authorization_pending"] * 2 + [None]
    token = answers[-1].json()["access_token"]
    found = claims(token)
    assert (found["scp"], found["upn"]) == ("Domain.Read.All Policy.Read.All", "site-engineer@northfield.example")
    assert "roles" not in found
    lab._tokens["https://graph.microsoft.com/.default"] = token
    assert lab.graph("domains").status_code == 200
    assert lab.graph(f"users/{SCAN}").status_code == 403
    assert poll(lab, shown["device_code"]).json()["error"] == "bad_verification_code"


def test_a_device_code_runs_out(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    lab.estate.tenant.device_codes.lifetime = 0.0
    code = device(lab, "https://graph.microsoft.com/.default").json()["device_code"]
    assert poll(lab, code).json()["error"] == "expired_token"
    assert device(lab, "Mail.Send").json()["error"] == "invalid_scope"


def test_a_long_token_signs_in_to_smtp(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    token = lab.token("https://outlook.office.com/.default")
    assert len(token) > 512
    with lab.submission() as client:
        assert client.docmd("AUTH", "XOAUTH2")[0] == 334
        blob = base64.b64encode(f"user={REPORTS}\x01auth=Bearer {token}\x01\x01".encode()).decode()
        assert client.docmd(blob)[0] == 235
