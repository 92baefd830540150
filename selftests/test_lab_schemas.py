"""Graph's answers from the lab, held against Microsoft's own descriptions of them.

``schemas/graph.json`` is an extract of Microsoft's metadata (its ``_sources`` say which). It makes no field
required, so that it would not miss a misspelt one: the lists of fields that the suite reads are ours, below.
What the extract lacks is read by Microsoft's own client library, where that is installed: a property that it
does not know is the lab's mistake.
"""

from __future__ import annotations

import copy
import json
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from lab.access import AccessPolicy, NamedLocation
from selftests.test_lab_tenant import DOMAIN, PROOF, SCAN, Running, running_lab_fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.estate import Estate

__all__ = ["running_lab_fixture"]  # pytest finds fixtures by their being here

PUBLISHED = json.loads(Path(__file__).with_name("schemas").joinpath("graph.json").read_text(encoding="utf-8"))
CONDITIONS = ["applications", "clientAppTypes", "users", "locations"]
POLICY = ["id", "displayName", "state", "conditions", "grantControls", "createdDateTime"]
# The fields that the suite reads of each: ours, since Microsoft's description requires none.
READ = {
    "identitySecurityDefaultsEnforcementPolicy": ["id", "isEnabled"],
    "conditionalAccessPolicy": POLICY,
    "whatIfAnalysisResult": [*POLICY, "policyApplies", "analysisReasons"],
    "conditionalAccessConditionSet": CONDITIONS,
    "conditionalAccessApplications": ["includeApplications", "excludeApplications"],
    "conditionalAccessUsers": [
        "includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles",
    ],
    "conditionalAccessLocations": ["includeLocations", "excludeLocations"],
    "conditionalAccessGrantControls": ["operator", "builtInControls"],
    "user": [
        "id", "userPrincipalName", "accountEnabled", "passwordPolicies", "lastPasswordChangeDateTime",
        "assignedPlans", "onPremisesSyncEnabled",
    ],
    "assignedPlan": ["assignedDateTime", "capabilityStatus", "service", "servicePlanId"],
    "message": ["id", "subject", "internetMessageId", "receivedDateTime", "internetMessageHeaders"],
    "internetMessageHeader": ["name", "value"],
    "domainDnsMxRecord": ["@odata.type", "label", "recordType", "supportedService", "mailExchange", "preference"],
    "domainDnsTxtRecord": ["@odata.type", "label", "recordType", "supportedService", "text"],
    "domainDnsCnameRecord": ["@odata.type", "label", "recordType", "supportedService", "canonicalName"],
    "strongAuthenticationRequirements": ["perUserMfaState"],
}  # fmt: skip
RECORDS = ("domainDnsMxRecord", "domainDnsTxtRecord", "domainDnsCnameRecord")


def nullable(what: Any) -> Any:
    """Let null stand where the description says so beside a reference, which OpenAPI 3.0 takes for nothing."""
    if isinstance(what, list):
        return [nullable(part) for part in what]
    if not isinstance(what, dict):
        return what
    if what.get("nullable") is True and "allOf" in what:
        return {"anyOf": [*what["allOf"], {"type": "string", "nullable": True, "enum": [None]}]}
    return {name: nullable(part) for name, part in what.items()}


def judge(version: str) -> OpenAPI:
    """Return Microsoft's description with our lists of required fields."""
    spec = nullable(copy.deepcopy(PUBLISHED[version]))
    schemas = {name.rpartition(".")[2]: schema for name, schema in spec["components"]["schemas"].items()}
    for name, fields in READ.items():
        if name in schemas:
            assert set(fields) - {"@odata.type"} <= set(schemas[name]["properties"]), name
            schemas[name]["required"] = fields
    if version == "v1.0":
        # A set of flags is written with commas; the conversion knows single values only.
        reasons = schemas["whatIfAnalysisReasons"]
        one = "|".join(reasons.pop("enum"))
        reasons["pattern"] = f"^({one})(,({one}))*$"
        # Every record is of a kind that its type names, which the conversion leaves open.
        for name in RECORDS:
            schemas[name]["properties"]["@odata.type"] = {"type": "string", "enum": [f"#microsoft.graph.{name}"]}
        schemas["domainDnsRecord"]["anyOf"] = [{"$ref": f"#/components/schemas/microsoft.graph.{n}"} for n in RECORDS]
        schemas["conditionalAccessPolicy"].pop("anyOf")
    return OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))


JUDGES = {version: judge(version) for version in ("v1.0", "beta")}
BASE = {version: PUBLISHED[version]["servers"][0]["url"].rstrip("/") for version in JUDGES}


def hold(path: str, body: Any, *, version: str = "v1.0", method: str = "get", status: int = 200) -> None:
    """Hold an answer against the description of its path."""
    host, _, prefix = BASE[version].partition("://")[2].partition("/")
    request = MockRequest(f"https://{host}", method, f"/{prefix}/{path}")
    JUDGES[version].validate_response(request, MockResponse(json.dumps(body).encode(), status_code=status))


def everything(estate: Estate) -> None:
    """Put one of each kind of object into the tenant."""
    place = NamedLocation("Hospital", ranges=("203.0.113.0/24",), trusted=True)
    abroad = NamedLocation("Neighbours", countries=("FR", "PL"))
    access = estate.tenant.access
    access.locations += [place, abroad]
    access.policies += [
        AccessPolicy("Block", include_users=("All",), client_app_types=("exchangeActiveSync", "other")),
        AccessPolicy(
            "Report",
            state="enabledForReportingButNotEnforced",
            include_groups=("a",),
            exclude_roles=("b",),
            exclude_applications=("c",),
            include_locations=("All",),
            exclude_locations=(place.id,),
            controls=("mfa", "compliantDevice"),
            operator="AND",
        ),
        AccessPolicy("Off", state="disabled", include_users=("All",), controls=()),
    ]


USER = ",".join(READ["user"])
FAULTS: tuple[tuple[str, ...], ...] = (
    (),
    ("sender-disabled", "sender-mfa", "password-validity-unset", "conditional-access-group", "mx-microsoft"),
    ("sender-without-mailbox", "sender-federated", "conditional-access-role", "failed-sign-ins"),
    ("security-defaults", "password-expired", "direct-send-to-junk"),
)


@pytest.fixture(name="full_lab", params=FAULTS, ids=lambda names: names[0] if names else "healthy")
def full_lab_fixture(request: pytest.FixtureRequest, running_lab: Callable[..., Running]) -> Running:
    lab = running_lab(*request.param, change=everything)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SCAN, PROOF, "a scan"
    message.set_content("a scan")
    with lab.endpoint() as client:
        client.send_message(message)
    lab.estate.tenant.delivery_delay = 0.0
    with lab.endpoint() as client:
        client.send_message(message)
    return lab


def test_answers_are_as_microsoft_describes_them(full_lab: Running) -> None:
    lab = full_lab
    path = "policies/identitySecurityDefaultsEnforcementPolicy"
    hold(path, lab.read(path))
    path = "identity/conditionalAccess/policies"
    hold(path, lab.read(path))
    met = lab.what_if("203.0.113.10", appliedPoliciesOnly=False).json()
    assert met["value"]
    hold("identity/conditionalAccess/evaluate", met, method="post")
    for name in lab.estate.tenant.accounts:
        hold(f"users/{name}", lab.read(f"users/{name}", select=USER))
        path = f"users/{name}/authentication/requirements"
        hold(path, lab.read(path, version="beta"), version="beta")
    path = f"domains/{DOMAIN}/serviceConfigurationRecords"
    hold(path, lab.read(path))
    path = f"users/{PROOF}/messages"
    mails = lab.read(path, select="subject,internetMessageId,receivedDateTime,internetMessageHeaders")
    assert mails["value"]
    hold(path, mails)


@pytest.mark.parametrize("fault", ["graph-token-refused", "graph-throttled", "no-permission-user"])
def test_errors_are_as_microsoft_describes_them(running_lab: Callable[..., Running], fault: str) -> None:
    answer = running_lab(fault).graph(f"users/{SCAN}")
    assert answer.status_code in {401, 403, 429}
    hold(f"users/{SCAN}", answer.json(), status=answer.status_code)


def broken(what: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with one field changed, or left out where the value is None."""
    changed = copy.deepcopy(what)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


POLICIES, RECORDS_OF = "identity/conditionalAccess/policies", f"domains/{DOMAIN}/serviceConfigurationRecords"


@pytest.mark.parametrize(
    ("path", "where", "value"),
    [
        ("policies/identitySecurityDefaultsEnforcementPolicy", ("isEnabled",), "true"),
        ("policies/identitySecurityDefaultsEnforcementPolicy", ("isEnabled",), None),
        (POLICIES, ("value", 0, "state"), "on"),
        (POLICIES, ("value", 0, "state"), None),
        (POLICIES, ("value", 0, "conditions", "clientAppTypes"), "all"),
        (POLICIES, ("value", 0, "conditions", "users", "includeRoles"), None),
        (POLICIES, ("value", 0, "grantControls", "builtInControls"), ["mfaa"]),
        (POLICIES, ("value", 0, "conditions", "locations"), None),
        (f"users/{SCAN}", ("accountEnabled",), "yes"),
        (f"users/{SCAN}", ("assignedPlans",), None),
        (f"users/{SCAN}", ("assignedPlans", 0, "servicePlanId"), None),
        (f"users/{SCAN}", ("lastPasswordChangeDateTime",), "yesterday"),
        (RECORDS_OF, ("value", 0, "mailExchange"), None),
        (RECORDS_OF, ("value", 0, "@odata.type"), "#microsoft.graph.domainDnsTxtRecord"),
        (RECORDS_OF, ("value", 1, "text"), 1),
    ],
)
def test_a_broken_field_is_found(
    running_lab: Callable[..., Running], path: str, where: tuple[Any, ...], value: Any
) -> None:
    lab = running_lab()
    body = lab.read(path, **({"select": USER} if path.startswith("users/") else {}))
    hold(path, body)
    with pytest.raises(OpenAPIError):
        hold(path, broken(body, where, value))


def test_a_broken_what_if_is_found(running_lab: Callable[..., Running]) -> None:
    body = running_lab(change=everything).what_if("203.0.113.10", appliedPoliciesOnly=False).json()
    path = "identity/conditionalAccess/evaluate"
    for name, value in (("policyApplies", None), ("policyApplies", "no"), ("analysisReasons", "users, clientApps")):
        with pytest.raises(OpenAPIError):
            hold(path, broken(body, ("value", 0, name), value), method="post")


# ---- by Microsoft's client library, for what the extract lacks


def read_as(kind: str, body: Any) -> list[Any]:
    """Return the objects that Microsoft's library reads from a collection."""
    models = pytest.importorskip("msgraph.generated.models." + kind)
    factory = pytest.importorskip("kiota_serialization_json.json_parse_node_factory").JsonParseNodeFactory()
    node = factory.get_root_parse_node("application/json", json.dumps(body).encode())
    model = getattr(models, "".join(part.capitalize() for part in kind.split("_")))
    found: list[Any] = node.get_object_value(model).value
    return found


def unknown(thing: Any) -> set[str]:
    """Return the properties that the library does not know, of an object and all below it."""
    found: set[str] = set()
    if isinstance(thing, list):
        return found.union(*map(unknown, thing))
    if hasattr(thing, "additional_data"):
        found |= {name for name in thing.additional_data if not name.startswith("@odata.")}
        for name in vars(thing):
            if name not in {"additional_data", "backing_store"}:
                found |= unknown(getattr(thing, name))
        for value in getattr(getattr(thing, "backing_store", None), "_store", {}).values():
            found |= unknown(value[1] if isinstance(value, tuple) else value)
    return found


COLLECTIONS = [
    ("domain_collection_response", "domains", ("id", "authentication_type", "is_verified", "supported_services")),
    ("named_location_collection_response", "identity/conditionalAccess/namedLocations", ("id", "display_name")),
    (
        "sign_in_collection_response",
        "auditLogs/signIns",
        ("created_date_time", "user_principal_name", "client_app_used", "ip_address", "status", "location"),
    ),
    ("license_details_collection_response", f"users/{SCAN}/licenseDetails", ("sku_id", "service_plans")),
    (
        "exchange_message_trace_collection_response",
        "admin/exchange/tracing/messageTraces",
        ("sender_address", "recipient_address", "message_id", "received_date_time", "status", "from_i_p"),
    ),
]


@pytest.mark.parametrize(("kind", "path", "fields"), COLLECTIONS, ids=[row[0] for row in COLLECTIONS])
def test_the_library_reads_each(full_lab: Running, kind: str, path: str, fields: tuple[str, ...]) -> None:
    found = read_as(kind, full_lab.read(path))
    assert found
    for thing in found:
        assert unknown(thing) == set()
        assert not [name for name in fields if getattr(thing, name) is None]


def test_the_library_tells_the_kinds_apart(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("conditional-access-group", "conditional-access-role", change=everything)
    members = read_as("directory_object_collection_response", lab.read(f"users/{SCAN}/transitiveMemberOf"))
    assert [type(member).__name__ for member in members] == ["Group", "Group", "DirectoryRole"]
    assert all(unknown(member) == set() for member in members)
    places = read_as("named_location_collection_response", lab.read("identity/conditionalAccess/namedLocations"))
    assert [type(place).__name__ for place in places] == ["IpNamedLocation", "CountryNamedLocation"]
    assert places[0].ip_ranges[0].cidr_address == "203.0.113.0/24"
    assert places[1].countries_and_regions == ["FR", "PL"]


def test_a_misspelt_property_is_found(running_lab: Callable[..., Running]) -> None:
    body = running_lab().read("domains")
    body["value"][0]["passwordValidityInDays"] = body["value"][0].pop("passwordValidityPeriodInDays")
    assert unknown(read_as("domain_collection_response", body)[0]) == {"passwordValidityInDays"}
