"""Graph's log of sign-ins."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lab import odata
from lab.access import EXCHANGE_ONLINE
from lab.graphbase import GraphError, page, stamp

if TYPE_CHECKING:
    from lab.directory import LoggedSignIn
    from lab.estate import Estate
    from lab.httpserver import Request, Response
    from lab.tokens import Grant

RETENTION = timedelta(days=30)
_PAGE = 1000
_REASONS = {
    0: "Other.",
    50053: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    50055: "The password is expired.",
    50057: "The user account is disabled.",
    50076: "Due to a configuration change made by your administrator, or because you moved to a new location, you "
    "must use multi-factor authentication to access the resource.",
    50126: "Error validating credentials due to invalid username or password.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
}


class GraphAudit:
    """Answers from the log, as far as it shows by now."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def sign_ins(self, request: Request, grant: Grant) -> Response:
        """Answer a request for sign-ins, the latest first.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        if "AuditLog.Read.All" not in grant.permissions:
            text = "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call "
            raise GraphError(403, "Authentication_MSGraphPermissionMissing", text + "this API.")
        if not self.estate.tenant.premium:
            text = "Neither tenant is B2C or tenant doesn't have premium license"
            raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", text)
        now = datetime.now(UTC)
        shown = [entry for entry in self.estate.tenant.sign_ins if entry.visible <= now < entry.when + RETENTION]
        resources = [_entry(entry) for entry in sorted(shown, key=lambda part: part.when, reverse=True)]
        found = odata.select(resources, request.query)
        return page(self.estate, request, "auditLogs/signIns", found, default=_PAGE, most=_PAGE)


def _entry(entry: LoggedSignIn) -> dict[str, Any]:
    account = entry.account
    key = f"{account.id} {entry.when.isoformat()} {entry.address} {entry.error}"
    if any(result == "failure" for *_, result in entry.policies):
        access = "failure"
    else:
        access = "success" if entry.policies else "notApplied"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, key)),
        "createdDateTime": stamp(entry.when),
        "userDisplayName": account.name,
        "userPrincipalName": account.address.lower(),
        "userId": account.id,
        "appId": EXCHANGE_ONLINE,
        "appDisplayName": "Office 365 Exchange Online",
        "ipAddress": entry.address,
        "clientAppUsed": "Authenticated SMTP",
        "correlationId": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        "conditionalAccessStatus": access,
        "isInteractive": True,
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes_v2": [],
        "resourceDisplayName": "Office 365 Exchange Online",
        "resourceId": EXCHANGE_ONLINE,
        "status": {
            "errorCode": entry.error,
            "failureReason": _REASONS.get(entry.error, "Other."),
            "additionalDetails": None,
        },
        "deviceDetail": {
            "deviceId": "", "displayName": "", "operatingSystem": "", "browser": "", "isCompliant": False,
            "isManaged": False, "trustType": "",
        },
        "location": {
            "city": "", "state": "", "countryOrRegion": entry.country,
            "geoCoordinates": {"altitude": None, "latitude": None, "longitude": None},
        },
        "appliedConditionalAccessPolicies": [
            {
                "id": name,
                "displayName": title,
                "enforcedGrantControls": [control.capitalize() for control in controls],
                "enforcedSessionControls": [],
                "result": result,
            }
            for name, title, controls, result in entry.policies
        ],
    }  # fmt: skip
