"""Graph as the tenant's reader: pages, refusals, storms; Conditional Access evaluated, and decided without that."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import time
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import remedies
from scanproof.subjects import Domain
from scanproof.tenant import graph
from scanproof.tenant.access import EXCHANGE as EXCHANGE_APP
from scanproof.tenant.access import conditional_access
from scanproof.tenant.directory import (
    account,
    granted,
    held_mailbox,
    mail_hosts,
    mfa_state,
    password_expiry,
    security_defaults,
    sign_in_log,
)
from selftests.cloud import (
    CAS,
    EGRESS,
    GRAPH,
    OWN,
    SCAN,
    SCAN_PATH,
    SITE,
    TOKENS,
    USER,
    Answer,
    Asked,
    Cloud,
    Reply,
    always,
    as_json,
    cloud,
    exchange_of,
    graph_of,
    jwt,
    reply,
    site_with,
    soon,
)
from selftests.harness import hang, repeats, resident, sends

if TYPE_CHECKING:
    from scanproof.kinds import Evidence

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.skipif(importlib.util.find_spec("msgraph") is None, reason="msgraph-sdk is not installed"),
]

EVALUATE = "/v1.0/identity/conditionalAccess/evaluate"
POLICIES = "/v1.0/identity/conditionalAccess/policies"
MEMBER_OF = f"{SCAN_PATH}/transitiveMemberOf"
SIGN_INS = "/v1.0/auditLogs/signIns"
DEFAULTS = "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module", autouse=True)
async def loaded() -> None:
    """Load msgraph-sdk once, which takes seconds."""
    await asyncio.to_thread(graph._load)


def refused(status: int, code: str = "ErrorOfTheTests", headers: dict[str, str] | None = None) -> bytes:
    return as_json({"error": {"code": code, "message": "said \x1b[2J"}}, status, headers)


async def asked(
    answer: Answer, probe: Any = security_defaults, subject: Any = SCAN, **options: Any
) -> tuple[Evidence[Any], Cloud]:
    async with cloud(graph=answer, **options) as tenant:
        return await tenant.wire.ask(probe, subject, within=5), tenant


async def test_one_object() -> None:
    found, tenant = await asked(graph_of({DEFAULTS: {"isEnabled": True}}))
    assert found.facts, found.reason
    assert found.facts.enabled is True
    (it,) = tenant.of("graph")
    assert (it.method, it.target, it.body) == ("GET", DEFAULTS, b"")
    assert it.headers["authorization"] == f"Bearer {TOKENS['graph']}"


PERMISSION = "grant the app Policy.Read.All"
UNPROVEN: list[tuple[str, Reply, str, str]] = [
    ("401", refused(401), "answered 401 ErrorOfTheTests", PERMISSION),
    ("403", refused(403, "Authorization_RequestDenied"), "answered 403 Authorization_RequestDenied", PERMISSION),
    ("404", refused(404), "answered 404", "check that"),
    ("400", refused(400), "answered 400", "see the answer"),
    ("429 for ever", refused(429, headers={"Retry-After": "1"}), "", "run again later"),
    ("429 for hours", refused(429, headers={"Retry-After": "7200"}), "", "run again later"),
    ("429 until a day", refused(429, headers={"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}), "429", "run again"),
    ("429 for no number", refused(429, headers={"Retry-After": "\xb2"}), "", "run again"),
    ("500", refused(500), "answered 500", "run again later"),
    ("503 for ever", refused(503, headers={"Retry-After": "60"}), "", "run again later"),
    ("no JSON", reply(b"{"), "could not be asked", "run again"),
    ("HTML", reply(b"<html>", headers={"Content-Type": "text/html"}), "could not be asked", "run again"),
    ("a list", as_json([1]), "no usable answer", "a proxy answers"),
    ("nothing", reply(b""), "no usable answer", "a proxy answers"),
    ("deep JSON", reply(b'{"isEnabled":' + b"[" * 200_000), "could not be asked", "run again"),
    ("null", as_json({"isEnabled": None}), "null", "see the answer"),
    ("missing", as_json({}), "holds no isEnabled", "run again"),
    ("text", as_json({"isEnabled": "false"}), "'false', expected true", "report it"),
    (
        "redirect to a write",
        reply(b"", 307, {"Location": f"{GRAPH}/v1.0/users/x/sendMail"}),
        "no usable answer",
        "a proxy",
    ),
    ("redirect to another host", reply(b"", 302, {"Location": "http://evil.example/"}), "no usable answer", ""),
    ("redirect to itself", reply(b"", 302, {"Location": f"{GRAPH}{DEFAULTS}"}), "no usable answer", ""),
    ("redirect to nothing", reply(b"", 302, {"Location": "http://[::bad"}), "could not be asked", ""),
    ("redirect without a place", reply(b"", 302), "answered 302", ""),
    ("garbage", sends(b"220 ftp\r\n\r\n"), "could not be asked", "let this machine reach"),
    ("closes", sends(), "could not be asked", "let this machine reach"),
    ("hang", hang, "", ""),
    ("huge", repeats(OK + b"\r\n", b"x" * 65_536, ask=False), "could not be asked", ""),
    ("body drips", repeats(OK + b"\r\n", b" ", every=0.02, ask=False), "gave no answer", "run again later"),
    ("headers drip", repeats(OK, b"X-A: b\r\n", every=0.02, ask=False), "gave no answer", "run again later"),
]


@pytest.mark.parametrize(("found", "words", "remedy"), [row[1:] for row in UNPROVEN], ids=[row[0] for row in UNPROVEN])
async def test_a_graph_that_does_not_tell_is_unproven(found: Reply, words: str, remedy: str) -> None:
    before, began = resident(), time.monotonic()
    evidence, tenant = await asked(always(found))
    assert evidence.outcome == "unproven", f"{evidence.outcome} {evidence.facts} {evidence.reason}"
    assert words in evidence.reason
    assert remedy in evidence.remedy
    assert evidence.remedy
    assert "\x1b" not in evidence.reason
    assert len(evidence.reason) < 600
    assert {(it.method, it.path) for it in tenant.of("graph")} == {("GET", DEFAULTS)}
    assert time.monotonic() - began < 4
    assert resident() - before < 100_000_000


async def test_unreachable() -> None:
    async with cloud() as tenant:
        found = await tenant.wire.ask(security_defaults, SCAN)
    assert (found.outcome, "could not be asked" in found.reason) == ("unproven", True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", ["1", "dated"])
async def test_busy_at_first(status: int, after: str) -> None:
    left = [refused(status, headers={"Retry-After": soon() if after == "dated" else after})]
    good = graph_of({DEFAULTS: {"isEnabled": False}})
    found, tenant = await asked(lambda it: left.pop() if left else good(it), throttled=4)
    assert found.facts, found.reason
    assert len(tenant.of("graph")) == 2


def entry(code: Any = 0, **changes: Any) -> dict[str, Any]:
    return {
        "createdDateTime": "2026-11-20T09:15:41Z",
        "userPrincipalName": "scan@northfield.example",
        "ipAddress": "203.0.113.10",
        "status": {"errorCode": code, "failureReason": "Said \x1b"},
        **changes,
    }


async def test_a_log_that_takes_a_licence_is_not_had_by_a_permission() -> None:
    answer = refused(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    found, _ = await asked(graph_of({SIGN_INS: answer}), sign_in_log)
    assert (found.outcome, "Entra ID P1" in found.remedy, found.lacks) == ("unproven", True, "")


async def test_an_empty_log_shows_nothing() -> None:
    found, _ = await asked(graph_of({SIGN_INS: {"value": []}}), sign_in_log)
    assert found.facts
    assert (found.facts.total, "none failed" in found.facts.seen) == (0, False)


LATE = site_with(site={"last_change": SITE.now})


async def test_every_page_of_the_sign_in_log() -> None:
    since = "2999-01-01T00:00:00Z"
    pages = {
        "first": {"value": [entry(50126, createdDateTime=since)] * 3, "@odata.nextLink": f"{GRAPH}{SIGN_INS}?$skip=1"},
        "last": {"value": [entry(createdDateTime=since), entry(7, userPrincipalName="x@northfield.example")]},
    }
    found, tenant = await asked(lambda it: as_json(pages["last" if "skip" in it.target else "first"]), sign_in_log)
    assert found.facts, found.reason
    assert (found.facts.total, found.facts.addresses) == (4, ("203.0.113.10",))
    (failure,) = found.facts.failures
    assert (failure.code, failure.count, failure.reason) == (50126, 3, "Said \ufffd")
    assert "userPrincipalName%20eq%20%27scan%40northfield.example%27" in tenant.of("graph")[0].target


async def test_what_failed_before_the_time_in_question_is_not_counted() -> None:
    old = [entry(50126, createdDateTime="2020-01-01T00:00:00Z"), entry(50126, createdDateTime="2999-01-01T00:00:00Z")]
    found, _ = await asked(graph_of({SIGN_INS: {"value": old}}), sign_in_log)
    assert found.facts, found.reason
    assert [failure.count for failure in found.facts.failures] == [1]


@pytest.mark.parametrize(
    "link",
    [
        f"http://evil.example{SIGN_INS}",
        f"http://graph.example.evil.example{SIGN_INS}",
        f"http://graph.example@evil.example{SIGN_INS}",
        f"http://user:word@graph.example{SIGN_INS}",
        f"https://graph.example{SIGN_INS}",
        f"http://graph.example:81{SIGN_INS}",
        f"{GRAPH}/beta/auditLogs/signIns",
        f"{GRAPH}/v1.0/users/x/sendMail",
        "http://[::bad",
        "/v1.0/auditLogs/signIns",
        "\x00",
    ],
)
async def test_a_page_elsewhere_is_not_asked_for(link: str) -> None:
    async with cloud(graph=always(as_json({"value": [], "@odata.nextLink": link}))) as tenant:
        for host in ("evil.example", "graph.example.evil.example"):
            await tenant.serve(host, always(as_json({"value": []})))
        found = await tenant.wire.ask(sign_in_log, SCAN)
        assert found.outcome == "unproven", found
        assert len([it for it in tenant.asked if it.host != "login.example"]) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"value": {}}, {"value": None}, {"value": ["x"]}, {"value": [], "@odata.nextLink": 7},
     {"value": [entry(createdDateTime="2999-01-01T00:00:00Z", status=None)]},
     {"value": [entry("50126", createdDateTime="2999-01-01T00:00:00Z")]},
     {"value": [{}]}, {"value": [entry(userPrincipalName=["x"])]}],
)  # fmt: skip
async def test_lists_that_do_not_tell(body: Any) -> None:
    found, _ = await asked(graph_of({SIGN_INS: body}), sign_in_log)
    assert (found.outcome, bool(found.remedy)) == ("unproven", True)


async def test_pages_without_end() -> None:
    body = as_json({"value": [], "@odata.nextLink": f"{GRAPH}{SIGN_INS}?$skip=1"})
    found, tenant = await asked(always(body), sign_in_log)
    assert (found.outcome, "more than 50 pages" in found.reason) == ("unproven", True)
    assert len(tenant.of("graph")) == 50


# --- Conditional Access ---


def applied(name: str = "P", **changes: Any) -> dict[str, Any]:
    """Return a policy as the evaluation gives it: one that blocks."""
    return {
        "displayName": name,
        "state": "enabled",
        "policyApplies": True,
        "analysisReasons": "notSet",
        "grantControls": {"operator": "OR", "builtInControls": ["block"]},
        **changes,
    }


def platforms(include: str, *, but: str = "", also: str = "") -> dict[str, Any]:
    """Return a policy by platforms, as the evaluation gives it that was told of none."""
    named = {"includePlatforms": include.split(","), "excludePlatforms": but.split(",") if but else []}
    reasons = f"devicePlatform{also}"
    return applied(policyApplies=False, analysisReasons=reasons, conditions={"platforms": named})


def evaluated(*policies: Any, **more: Any) -> Answer:
    return graph_of({SCAN_PATH: USER, EVALUATE: {"value": list(policies)}, **more})


async def test_the_body_of_an_evaluation() -> None:
    found, tenant = await asked(evaluated(), conditional_access, EGRESS)
    assert found.facts, found.reason
    (it,) = [it for it in tenant.of("graph") if it.method == "POST"]
    assert it.target == EVALUATE
    assert it.headers["content-type"] == "application/json"
    assert it.json == {
        "signInIdentity": {"@odata.type": "#microsoft.graph.userSignIn", "userId": USER["id"]},
        "signInContext": {
            "@odata.type": "#microsoft.graph.applicationContext",
            "includeApplications": ["00000002-0000-0ff1-ce00-000000000000"],
        },
        "signInConditions": {"clientAppType": "other", "ipAddress": "203.0.113.10", "country": "DE"},
        "appliedPoliciesOnly": False,  # those that it can't decide are wanted too
    }
    assert (found.facts.policies, found.facts.grade) == ((), "")


@pytest.mark.parametrize("on", [True, False])
async def test_what_security_defaults_leave_open(on: bool) -> None:  # noqa: FBT001
    """A tenant has them or policies in force: that none applies is told of today alone."""
    defaults = {DEFAULTS: {"isEnabled": on}}
    found, _ = await asked(evaluated(**defaults), conditional_access, EGRESS)
    assert found.facts, found.reason
    assert ("as long as security defaults are on" in found.facts.seen) == on


EVALUATIONS: list[tuple[str, dict[str, Any], tuple[int, int], str]] = [  # stopping, undecided
    ("blocks", applied(), (1, 0), "block"),
    ("MFA", applied(grantControls={"builtInControls": ["mfa"]}), (1, 0), "mfa"),
    ("terms", applied(grantControls={"builtInControls": [], "termsOfUse": ["t"]}), (1, 0), "t"),
    (
        "strength",
        applied(grantControls={"builtInControls": [], "authenticationStrength": {"displayName": "Strong"}}),
        (1, 0),
        "authentication strength Strong",
    ),
    ("report-only", applied(state="enabledForReportingButNotEnforced"), (0, 0), "enabledForReporting"),
    ("disabled", applied(state="disabled"), (0, 0), "disabled"),
    ("session only", applied(grantControls=None), (0, 0), "no grant control"),
    ("no strength", applied(grantControls={"builtInControls": [], "authenticationStrength": {}}), (0, 0), "no grant"),
    ("does not apply", applied(policyApplies=False, analysisReasons="users"), (0, 0), "no policy applies"),
    ("for two reasons", applied(policyApplies=False, analysisReasons="users, clientApps"), (0, 0), "no policy applies"),
    ("elsewhere", applied(policyApplies=False, analysisReasons="location"), (0, 0), "no policy applies"),
    ("at a risk", applied(policyApplies=False, analysisReasons="signInRisk"), (0, 0), "no policy applies"),
    ("not, for no reason", applied(policyApplies=False), (0, 1), "analysisReasons notSet"),
    ("not, by null", applied(policyApplies=False, analysisReasons=None), (0, 1), "analysisReasons empty"),
    ("not, for a later reason", applied(policyApplies=False, analysisReasons="users,moonPhase"), (0, 1), "moonPhase"),
    ("not at this time", applied(policyApplies=False, analysisReasons="time"), (0, 1), "time"),
    ("asked wrongly", applied(policyApplies=False, analysisReasons="invalidCondition"), (0, 1), "invalidCondition"),
    ("all platforms but some", platforms("all", but="android,windows"), (0, 1), "a copier names none"),
    ("one platform", platforms("android"), (0, 0), "no policy applies"),
    ("all platforms but some, of others", platforms("all", also=",users"), (0, 0), "no policy applies"),
    ("a state that is not known", applied(state="enforced"), (0, 1), "(enforced)"),
    ("no state", applied(state=None), (0, 1), "()"),
    ("a state in other letters", applied(state="Enabled"), (1, 0), "(Enabled)"),
    ("not told enough", applied(policyApplies=False, analysisReasons="notEnoughInformation"), (0, 1), "block"),
    ("not told of one", applied(policyApplies=False, analysisReasons="users,notEnoughInformation"), (0, 1), "block"),
    ("neither yes nor no", applied(policyApplies=None), (0, 1), "block"),
    ("hostile name", applied("\x1b[2J\ud800"), (1, 0), "block"),
]


@pytest.mark.parametrize(
    ("policy", "counts", "words"), [row[1:] for row in EVALUATIONS], ids=[row[0] for row in EVALUATIONS]
)
async def test_an_evaluation(policy: dict[str, Any], counts: tuple[int, int], words: str) -> None:
    found, _ = await asked(evaluated(policy), conditional_access, EGRESS)
    assert found.facts, found.reason
    assert (len(found.facts.stopping), len(found.facts.undecided)) == counts
    assert words in found.facts.seen
    assert "\x1b" not in found.facts.seen


NONSENSE = [
    applied(policyApplies="yes"),
    applied(grantControls="System.Object"),
    applied(grantControls={"builtInControls": 7}),
    applied(grantControls={"builtInControls": [{}]}),
    applied(grantControls={"builtInControls": [], "authenticationStrength": "x"}),
    {key: value for key, value in applied().items() if key != "grantControls"},
    {key: value for key, value in applied().items() if key != "policyApplies"},
]


@pytest.mark.parametrize("policy", [*NONSENSE[:3], *NONSENSE[3:]])
async def test_an_evaluation_that_is_nonsense_is_no_pass(policy: dict[str, Any]) -> None:
    found, _ = await asked(evaluated(policy), conditional_access, EGRESS)
    if found.facts is None:
        assert found.outcome == "unproven", found.reason
    else:
        assert found.facts.stopping


PLACE = applied(policyApplies=False, analysisReasons="location")
BOTH = {**platforms("all", but="iOS"), "analysisReasons": "location,devicePlatform"}


@pytest.mark.parametrize(
    ("policy", "open_without"), [(PLACE, 1), (BOTH, 1), ({**PLACE, "analysisReasons": "users"}, 0)]
)
async def test_a_place_is_decided_by_address_and_country(policy: dict[str, Any], open_without: int) -> None:
    """Without a country a place by country can't be told, and Entra itself knows every address's."""
    for country, count in (("DE", 0), ("", open_without)):
        subject = dataclasses.replace(EGRESS, country=country)
        found, _ = await asked(evaluated(policy), conditional_access, subject)
        assert found.facts, found.reason
        assert (len(found.facts.undecided), found.facts.stopping) == (count, ())
        if count:
            assert "country" in remedies.undecided(found.facts)


async def test_what_is_open_is_named_with_what_to_do() -> None:
    found, _ = await asked(evaluated(platforms("all", but="iOS")), conditional_access, EGRESS)
    assert found.facts
    assert "“P”" in remedies.undecided(found.facts)
    inferred, _ = await asked(
        listed(policy(conditions={"platforms": {"includePlatforms": ["all"]}})), conditional_access, EGRESS
    )
    assert inferred.facts
    assert "Policy.Read.All" in remedies.undecided(inferred.facts)


ME, GROUP, ROLE = USER["id"], "22222222-0000-4000-8000-000000000002", "33333333-0000-4000-8000-000000000003"


def policy(users: Any = None, apps: Any = None, clients: Any = ("all",), **changes: Any) -> dict[str, Any]:
    """Return a policy as it is listed: one that blocks everybody everywhere."""
    conditions = {
        "users": users or {"includeUsers": ["All"]},
        "applications": apps or {"includeApplications": ["All"]},
        "clientAppTypes": clients if clients is None else list(clients),
        **changes.pop("conditions", {}),
    }
    return {
        "displayName": "P",
        "state": "enabled",
        "conditions": conditions,
        "grantControls": {"builtInControls": ["block"]},
        **changes,
    }


ALL_BUT = {"includeUsers": ["All"]}
NO, STOP, OPEN = (0, 0), (1, 0), (0, 1)
DECIDED: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("everybody", policy(), STOP),
    ("this user", policy({"includeUsers": [ME.upper()]}), STOP),
    ("another user", policy({"includeUsers": ["44444444-0000-4000-8000-000000000004"]}), NO),
    ("none", policy({"includeUsers": ["None"]}), NO),
    ("guests", policy({"includeUsers": ["GuestsOrExternalUsers"]}), NO),
    ("a group of its", policy({"includeGroups": [GROUP]}), STOP),
    ("another group", policy({"includeGroups": ["5"]}), NO),
    ("a role of its", policy({"includeRoles": [ROLE]}), STOP),
    ("another role", policy({"includeRoles": ["6"]}), NO),
    ("but this user", policy({**ALL_BUT, "excludeUsers": [ME]}), NO),
    ("but a group of its", policy({**ALL_BUT, "excludeGroups": [GROUP]}), NO),
    ("but a role of its", policy({**ALL_BUT, "excludeRoles": [ROLE]}), NO),
    ("named, and but its group", policy({"includeUsers": [ME], "excludeGroups": [GROUP]}), NO),
    ("but others", policy({**ALL_BUT, "excludeUsers": ["7"], "excludeGroups": None}), STOP),
    ("Office 365", policy(apps={"includeApplications": ["Office365"]}), STOP),
    ("Exchange", policy(apps={"includeApplications": [EXCHANGE_APP.upper()]}), STOP),
    ("another app", policy(apps={"includeApplications": ["8"]}), NO),
    ("all but Exchange", policy(apps={"includeApplications": ["All"], "excludeApplications": [EXCHANGE_APP]}), NO),
    ("all but Office", policy(apps={"includeApplications": ["All"], "excludeApplications": ["Office365"]}), NO),
    ("all but another", policy(apps={"includeApplications": ["All"], "excludeApplications": ["8"]}), STOP),
    ("user actions", policy(apps={"includeUserActions": ["urn:user:registerdevice"]}), NO),
    ("other clients", policy(clients=("exchangeActiveSync", "other")), STOP),
    ("ActiveSync", policy(clients=("exchangeActiveSync",)), NO),
    ("browsers", policy(clients=("browser", "mobileAppsAndDesktopClients")), NO),
    ("no condition on clients", policy(clients=()), STOP),
    ("null for clients", policy(clients=None), STOP),
    ("report-only", policy(state="enabledForReportingButNotEnforced"), NO),
    ("disabled", policy(state="disabled"), NO),
    ("MFA", policy(grantControls={"builtInControls": ["mfa"]}), STOP),
    ("strength", policy(grantControls={"authenticationStrength": {"displayName": "S"}}), STOP),
    ("session only", policy(grantControls=None), NO),
    ("by place", policy(conditions={"locations": {"includeLocations": ["All"], "excludeLocations": ["9"]}}), OPEN),
    ("by platform", policy(conditions={"platforms": {"includePlatforms": ["android"]}}), OPEN),
    ("by all platforms", policy(conditions={"platforms": {"includePlatforms": ["all"]}}), OPEN),
    ("by a filter of apps", policy(apps={"includeApplications": ["All"], "applicationFilter": {"rule": "r"}}), OPEN),
    ("by a filter of apps alone", policy(apps={"includeApplications": [], "applicationFilter": {"rule": "r"}}), OPEN),
    ("by no filter", policy(apps={"includeApplications": ["All"], "applicationFilter": None}), STOP),
    ("a state that is not known", policy(state="enforced"), OPEN),
    ("by risk", policy(conditions={"signInRiskLevels": ["high"]}), OPEN),
    ("by no risk", policy(conditions={"signInRiskLevels": [], "userRiskLevels": [], "locations": None}), STOP),
    (
        "by place, of others",
        policy({"includeUsers": ["7"]}, conditions={"locations": {"includeLocations": ["All"]}}),
        NO,
    ),
    ("device code", policy(conditions={"authenticationFlows": {"transferMethods": "deviceCodeFlow"}}), NO),
    ("no flow", policy(conditions={"authenticationFlows": {"transferMethods": "none"}}), STOP),
]

MEMBERS = {"value": [{"id": GROUP}, {"id": "99999999-0000-4000-8000-000000000009", "roleTemplateId": ROLE}]}


def listed(*policies: Any, **more: Any) -> Answer:
    paths = {
        SCAN_PATH: USER,
        EVALUATE: refused(403),
        POLICIES: {"value": list(policies)},
        MEMBER_OF: MEMBERS,
        **more,
    }
    return graph_of(paths)


@pytest.mark.parametrize(("found", "counts"), [row[1:] for row in DECIDED], ids=[row[0] for row in DECIDED])
async def test_a_policy_decided_without_an_evaluation(found: dict[str, Any], counts: tuple[int, int]) -> None:
    evidence, _ = await asked(listed(found), conditional_access, EGRESS)
    assert evidence.facts, evidence.reason
    assert (len(evidence.facts.stopping), len(evidence.facts.undecided)) == counts
    assert (evidence.facts.grade, "without Entra's own evaluation" in evidence.facts.source) == ("inferred", True)


LISTED_NONSENSE = [
    policy(conditions={"users": "System.Collections.Hashtable"}),
    policy(conditions={"applications": ["x"]}),
    {**policy(), "conditions": "@{users=}"},
    {key: value for key, value in policy().items() if key != "conditions"},
    policy(grantControls="System.Object"),
    policy({"includeUsers": {"a": 1}}),
    policy({"includeUsers": 7}),
]


@pytest.mark.parametrize("found", LISTED_NONSENSE)
async def test_a_policy_that_is_nonsense_is_no_pass(found: dict[str, Any]) -> None:
    evidence, _ = await asked(listed(found), conditional_access, EGRESS)
    assert evidence.outcome == "unproven" or found["conditions"]["users"] == {"includeUsers": 7}, evidence


@pytest.mark.parametrize(("path", "words"), [(POLICIES, "Policy.Read.All"), (MEMBER_OF, "User.Read.All")])
async def test_neither_evaluated_nor_listed(path: str, words: str) -> None:
    found, _ = await asked(listed(policy(), **{path: refused(403)}), conditional_access, EGRESS)
    assert (found.outcome, words in found.remedy) == ("unproven", True)


# --- accounts ---


@pytest.mark.parametrize(
    "changes",
    [{"userPrincipalName": "other@northfield.example"}, {"assignedPlans": 7}, {"assignedPlans": ["x"]},
     {"accountEnabled": "yes"}, {"passwordPolicies": {}}, {"userPrincipalName": None}],
)  # fmt: skip
async def test_an_account_that_does_not_tell(changes: dict[str, Any]) -> None:
    found, _ = await asked(graph_of({SCAN_PATH: {**USER, **changes}}), account)
    assert (found.outcome, bool(found.remedy)) == ("unproven", True)


async def test_an_account() -> None:
    found, tenant = await asked(graph_of({SCAN_PATH: USER}), account)
    assert found.facts, found.reason
    assert (found.facts.enabled, found.facts.policies) == (True, ("DisablePasswordExpiration",))
    assert found.facts.mailbox_plans == ("EXCHANGE_S_ENTERPRISE",)
    assert "%24select=" in tenant.of("graph")[0].target or "$select=" in tenant.of("graph")[0].target


DOMAIN = {"id": "northfield.example", "authenticationType": "Managed", "passwordValidityPeriodInDays": 90}
EXPIRY: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("flag", {}, None, (True, None, "")),
    (
        "flag among others",
        {"passwordPolicies": "DisableStrongPassword, DisablePasswordExpiration"},
        None,
        (True, None, ""),
    ),
    ("domain", {"passwordPolicies": None}, DOMAIN, (False, 90, "")),
    (
        "never",
        {"passwordPolicies": "None"},
        {**DOMAIN, "passwordValidityPeriodInDays": 2147483647},
        (False, 2147483647, ""),
    ),
    ("null", {"passwordPolicies": ""}, {**DOMAIN, "passwordValidityPeriodInDays": None}, (False, None, "")),
    ("true", {"passwordPolicies": ""}, {**DOMAIN, "passwordValidityPeriodInDays": True}, (False, None, "")),
    (
        "federated",
        {"passwordPolicies": None},
        {**DOMAIN, "authenticationType": "Federated"},
        (False, None, "is federated"),
    ),
    ("synchronised", {"onPremisesSyncEnabled": True}, None, (False, None, "is synchronised")),
    ("another domain", {"passwordPolicies": None}, {**DOMAIN, "id": "other.example"}, "gave 0 domains"),
    (
        "no validity",
        {"passwordPolicies": None},
        {"id": "northfield.example", "authenticationType": "Managed"},
        "holds no",
    ),
]


@pytest.mark.parametrize(("user", "domain", "wanted"), [row[1:] for row in EXPIRY], ids=[row[0] for row in EXPIRY])
async def test_expiry(user: dict[str, Any], domain: Any, wanted: Any) -> None:
    paths = {SCAN_PATH: {**USER, **user}, "/v1.0/domains/northfield.example": domain}
    found, tenant = await asked(graph_of(paths), password_expiry)
    if isinstance(wanted, str):
        assert (found.outcome, wanted in found.reason) == ("unproven", True)
        return
    assert found.facts, found.reason
    never, validity, elsewhere = wanted
    assert (found.facts.never, found.facts.validity) == (never, validity)
    assert elsewhere in found.facts.elsewhere
    assert len(tenant.of("graph")) == (1 if domain is None else 2)


FOUNDATION = {**USER["assignedPlans"][0], "servicePlanId": "113feb6c-3fe4-4440-bddc-54d774bf0318"}
UNKNOWN = {**USER["assignedPlans"][0], "servicePlanId": "55555555-0000-4000-8000-000000000005"}
HELD: list[tuple[str, list[Any], Any, bool | None]] = [
    ("a plan", USER["assignedPlans"], None, True),
    ("foundation, and a mailbox", [FOUNDATION], [CAS], True),
    ("foundation, and none", [FOUNDATION], [], False),
    ("foundation, not asked", [FOUNDATION], None, None),  # a shared mailbox needs no plan
    ("unknown, not asked", [UNKNOWN], None, None),
    ("unknown, and a mailbox", [UNKNOWN], [CAS], True),
    ("suspended, and none", [{**USER["assignedPlans"][0], "capabilityStatus": "Suspended"}], [], False),
]


@pytest.mark.parametrize(("plans", "mailboxes", "has"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
async def test_a_mailbox(plans: list[Any], mailboxes: Any, has: bool | None) -> None:  # noqa: FBT001
    exchange = exchange_of({"Get-CASMailbox": reply(b"", 403) if mailboxes is None else mailboxes})
    found, _ = await asked(graph_of({SCAN_PATH: {**USER, "assignedPlans": plans}}), held_mailbox, exchange=exchange)
    assert found.facts, found.reason
    assert found.facts.has_mailbox is has


async def test_mfa_is_read_from_beta() -> None:
    path = "/beta/users/scan%40northfield.example/authentication/requirements"
    found, _ = await asked(graph_of({path: {"perUserMfaState": "enforced"}}), mfa_state)
    assert found.facts, found.reason
    assert found.facts.state == "enforced"


RECORDS = [
    {"recordType": "Mx", "mailExchange": "Northfield-example.mail.protection.outlook.com."},
    {"recordType": "Txt", "text": "v=spf1 include: spf.protection.outlook.com ~all"},
    {"recordType": "Txt", "text": "MS=ms1"},
    {"recordType": "CName"},
]


async def test_mail_hosts() -> None:
    path = "/v1.0/domains/northfield.example/serviceConfigurationRecords"
    found, _ = await asked(graph_of({path: {"value": RECORDS}}), mail_hosts, Domain("northfield.example"))
    assert found.facts, found.reason
    assert found.facts.hosts == ("northfield-example.mail.protection.outlook.com",)
    assert found.facts.includes == ("include:spf.protection.outlook.com",)
    stated, _ = await asked(always(refused(403)), mail_hosts, Domain("northfield.example"))
    assert stated.facts, stated.reason
    assert (stated.facts.source, "403" in stated.facts.trouble) == ("the site file", True)


TOKEN_CLAIMS: list[tuple[str, str, tuple[str, ...] | None]] = [
    ("roles", jwt(roles=["A.Read.All", "B.ReadWrite.All"]), ("A.Read.All", "B.ReadWrite.All")),
    ("scp", jwt(scp="openid A.Read"), ("openid", "A.Read")),
    ("opaque", "opaque-token-of-the-tests", None),
    ("no base64", "eyJ0.%%%%.c2ln", None),
    ("no JSON", "eyJ0.e30x.c2ln", None),
    ("a list", "eyJ0.WzFd.c2ln", None),
    ("other types", jwt(roles={"a": 1}, scp=7), ()),
    ("nests", jwt(roles=[["x"], {"y": 1}, None, "A.Read"]), ("A.Read",)),
    ("hostile", jwt(roles=["\x1b[2J\ud800"]), ("\ufffd[2J\ufffd",)),
]


@pytest.mark.parametrize(("text", "wanted"), [row[1:] for row in TOKEN_CLAIMS], ids=[row[0] for row in TOKEN_CLAIMS])
async def test_what_tokens_say_of_themselves(text: str, wanted: tuple[str, ...] | None) -> None:
    async with cloud(login=always(as_json({"access_token": text}))) as tenant:
        found = await tenant.wire.ask(granted, OWN)
        assert text not in repr(found)
    if wanted is None:
        assert (found.outcome, "do not say" in found.reason) == ("unproven", True)
    else:
        assert found.facts, found.reason
        assert found.facts.graph == found.facts.exchange == wanted


def test_a_quote_in_an_address_stays_within_its_text() -> None:
    assert graph.quoted("o'neil@x.example") == "o''neil@x.example"
    assert graph.name("a/b'c@x.example") == "a%2Fb%27c%40x.example"
    assert Asked("h", "GET", "/a?b", {}, b"").path == "/a"
