"""Graph's policies: security defaults, Conditional Access with its places, and what it would do."""

from __future__ import annotations

import json
import uuid
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from lab import odata
from lab.access import CLIENT_TYPES, AccessPolicy, Attempt, NamedLocation
from lab.graphbase import GraphError, entity, fields, need, no_such_object, no_such_segment, page

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request, Response
    from lab.tokens import Grant

_READ = ("Policy.Read.All", "Policy.ReadWrite.ConditionalAccess")
_CREATED = "2025-03-04T09:12:00Z"
_PAGE = 100
_BODY = {"signInIdentity", "signInContext", "signInConditions", "appliedPoliciesOnly"}
_IDENTITY = "#microsoft.graph.userSignIn"
_CONTEXT = "#microsoft.graph.applicationContext"
_CONDITIONS = {
    "devicePlatform", "clientAppType", "signInRiskLevel", "userRiskLevel", "country", "ipAddress",
    "insiderRiskLevel", "authenticationFlow", "deviceInfo", "servicePrincipalRiskLevel", "agentIdRiskLevel",
}  # fmt: skip


class GraphPolicies:
    """Answers from the tenant's policies."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def security_defaults(self, request: Request, grant: Grant) -> Response:
        """Answer a request for security defaults.

        Raises:
            GraphError: as Graph refuses it.
        """
        need(grant, *_READ)
        return entity(
            self.estate,
            request,
            "policies/identitySecurityDefaultsEnforcementPolicy/$entity",
            {
                "id": "00000000-0000-0000-0000-000000000005",
                "displayName": "Security Defaults",
                "description": "Security defaults is a set of basic identity security mechanisms recommended by "
                "Microsoft.",
                "isEnabled": self.estate.tenant.security_defaults,
            },
        )

    def conditional_access(self, request: Request, grant: Grant, rest: list[str]) -> Response:
        """Answer a request for policies or named locations, all or one of them.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        _need(grant, *_READ)
        access = self.estate.tenant.access
        if rest[:1] == ["policies"]:
            known = [_policy(policy) for policy in access.policies]
        elif rest[:1] == ["namedLocations"]:
            known = [_location(place) for place in access.locations]
        else:
            raise no_such_segment(rest[0] if rest else "conditionalAccess")
        kind = f"identity/conditionalAccess/{rest[0]}"
        if len(rest) == 1:
            return page(self.estate, request, kind, odata.select(known, request.query), default=_PAGE, most=999)
        one = next((resource for resource in known if resource["id"] == rest[1]), None)
        if one is None:
            raise no_such_object(rest[1])
        return entity(self.estate, request, f"{kind}/$entity", fields(one, request.query))

    def what_if(self, request: Request, grant: Grant) -> Response:
        """Answer which policies a sign-in would meet.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        if self.estate.tenant.graph.no_what_if:
            raise _denied("Policy.Read.ConditionalAccess")
        _need(grant, "Policy.Read.ConditionalAccess", *_READ)
        attempt, applied_only = self._attempt(request)
        access, found = self.estate.tenant.access, []
        for policy in access.policies:
            misses = access.misses(policy, attempt)
            if misses and applied_only:
                continue
            reasons = {"policyApplies": not misses, "analysisReasons": ",".join(misses) or "notSet"}
            found.append({**_policy(policy), **reasons})
        kind = "Collection(microsoft.graph.whatIfAnalysisResult)"
        return page(self.estate, request, kind, found, default=_PAGE, most=999)

    def _attempt(self, request: Request) -> tuple[Attempt, bool]:
        """Read the body of a what-if.

        Raises:
            GraphError: it is malformed.
        """
        try:
            body = json.loads(request.body)
        except ValueError:
            raise GraphError(400, "BadRequest", "Unable to read JSON request payload.") from None
        if not isinstance(body, dict) or set(body) - _BODY:
            raise _malformed("the body")
        identity, context = body.get("signInIdentity"), body.get("signInContext")
        conditions, applied_only = body.get("signInConditions", {}), body.get("appliedPoliciesOnly", False)
        if not isinstance(identity, dict) or identity.get("@odata.type") != _IDENTITY or not _guid(identity):
            raise _malformed("signInIdentity")
        if not isinstance(context, dict) or context.get("@odata.type") != _CONTEXT:
            raise _malformed("signInContext")
        applications = context.get("includeApplications")
        if not isinstance(applications, list) or len(applications) != 1 or not isinstance(applications[0], str):
            raise _malformed("includeApplications")
        if not isinstance(conditions, dict) or set(conditions) - _CONDITIONS or not isinstance(applied_only, bool):
            raise _malformed("signInConditions")
        client, address = conditions.get("clientAppType"), conditions.get("ipAddress")
        if client not in {None, *CLIENT_TYPES}:
            raise _malformed("clientAppType")
        if not isinstance(address, str | None) or (address is not None and not _is_address(address)):
            raise _malformed("ipAddress")
        country = conditions.get("country")
        if not isinstance(country, str | None) or (country is not None and len(country) != 2):
            raise _malformed("country")
        account = self.estate.account(identity["userId"])
        if account is None:
            raise no_such_object(identity["userId"])  # guess: no published answer shows an unknown user
        return Attempt(account, applications[0], client, address, country), applied_only


def _need(grant: Grant, *permissions: str) -> None:
    """Check a permission of Conditional Access, whose refusal has another code than the directory's."""
    if not grant.permissions & set(permissions):
        raise _denied(permissions[0])


def _denied(permission: str) -> GraphError:
    # guess: of the wording only
    text = f"You cannot perform the requested operation, required scopes are missing in the token. ({permission})"
    return GraphError(403, "AccessDenied", text)


def _malformed(what: str) -> GraphError:
    return GraphError(400, "BadRequest", f"Invalid value specified for {what}.")


def _guid(identity: dict[str, Any]) -> bool:
    try:
        uuid.UUID(identity.get("userId"))
    except (ValueError, AttributeError, TypeError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _policy(policy: AccessPolicy) -> dict[str, Any]:
    locations = None
    if policy.include_locations or policy.exclude_locations:
        locations = {
            "includeLocations": list(policy.include_locations),
            "excludeLocations": list(policy.exclude_locations),
        }
    platforms = None
    if policy.include_platforms:
        platforms = {
            "includePlatforms": list(policy.include_platforms),
            "excludePlatforms": list(policy.exclude_platforms),
        }
    controls = None
    if policy.controls:
        controls = {
            "operator": policy.operator,
            "builtInControls": list(policy.controls),
            "customAuthenticationFactors": [],
            "termsOfUse": [],
            "authenticationStrength": None,
        }
    return {
        "id": policy.id,
        "templateId": None,
        "displayName": policy.name,
        "createdDateTime": _CREATED,
        "modifiedDateTime": None,
        "state": policy.state,
        "sessionControls": None,
        "conditions": {
            "userRiskLevels": [],
            "signInRiskLevels": [],
            "clientAppTypes": list(policy.client_app_types),
            "platforms": platforms,
            "locations": locations,
            "devices": None,
            "clientApplications": None,
            "applications": {
                "includeApplications": list(policy.include_applications),
                "excludeApplications": list(policy.exclude_applications),
                "includeUserActions": [],
                "includeAuthenticationContextClassReferences": [],
            },
            "users": {
                "includeUsers": list(policy.include_users),
                "excludeUsers": list(policy.exclude_users),
                "includeGroups": list(policy.include_groups),
                "excludeGroups": list(policy.exclude_groups),
                "includeRoles": list(policy.include_roles),
                "excludeRoles": list(policy.exclude_roles),
            },
        },
        "grantControls": controls,
    }


def _location(place: NamedLocation) -> dict[str, Any]:
    common = {"id": place.id, "displayName": place.name, "createdDateTime": _CREATED, "modifiedDateTime": _CREATED}
    if not place.ranges:
        countries = {
            "countriesAndRegions": list(place.countries),
            "includeUnknownCountriesAndRegions": False,
            "countryLookupMethod": "clientIpAddress",
        }
        return {"@odata.type": "#microsoft.graph.countryNamedLocation", **common, **countries}
    ranges = [
        {"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": str(ip_network(part))} for part in place.ranges
    ]
    return {
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        **common,
        "isTrusted": place.trusted,
        "ipRanges": ranges,
    }
