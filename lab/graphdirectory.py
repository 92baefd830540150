"""Graph's directory: users, their licences, groups, roles and second factor, and the domains."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lab import odata
from lab.directory import PLAN_NAMES, Account, Domain, Group, Role
from lab.graphbase import entity, fields, need, no_such_object, no_such_segment, page, stamp
from lab.zones import MICROSOFT_SPF

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request, Response
    from lab.tokens import Grant

# What comes of a user where nothing is selected (Graph's reference of the resource type).
_USUAL = frozenset(
    {
        "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
        "preferredLanguage", "surname", "userPrincipalName", "id",
    }
)  # fmt: skip
_READ_USERS = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_READ_DOMAINS = ("Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_PAGE = 100


class GraphDirectory:
    """Answers from the accounts and domains."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def user(self, request: Request, grant: Grant, name: str) -> Response:
        """Answer a request for a user, by sign-in name or id.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        need(grant, *_READ_USERS)
        account = self._account(name)
        shown = fields(_user(self.estate, account), request.query, unasked=_USUAL, always=())
        return entity(self.estate, request, "users/$entity", shown)

    def below_user(self, request: Request, grant: Grant, name: str, what: str) -> Response:
        """Answer a request for a user's licences, or for what they are a member of.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        if what == "licenseDetails":
            need(grant, "LicenseAssignment.Read.All", *_READ_USERS)
            found = _licences(self._account(name))
        elif what == "transitiveMemberOf":
            need(grant, "GroupMember.Read.All", *_READ_USERS)
            account = self._account(name)
            found = [*map(_group, account.all_groups()), *map(_role, account.roles)]
        else:
            raise no_such_segment(what)
        kind = "directoryObjects" if what == "transitiveMemberOf" else f"users('{name}')/licenseDetails"
        return page(self.estate, request, kind, odata.select(found, request.query), default=_PAGE, most=999)

    def second_factor(self, request: Request, grant: Grant, name: str) -> Response:
        """Answer a request for a user's per-user multi-factor state, which only beta has.

        Raises:
            GraphError: as Graph refuses it.
        """
        need(grant, "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod")
        account = self._account(name)
        kind = f"users('{account.id}')/authentication/requirements"
        return entity(self.estate, request, kind, {"perUserMfaState": account.mfa})

    def domains(self, request: Request, grant: Grant, rest: list[str]) -> Response:
        """Answer a request for the domains, one of them, or the DNS records that one should have.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        need(grant, *_READ_DOMAINS)
        known = self.estate.tenant.domains
        if not rest:
            found = odata.select([_domain(domain) for domain in known.values()], request.query)
            return page(self.estate, request, "domains", found, default=_PAGE, most=999)
        domain = known.get(rest[0].casefold())
        if domain is None:
            raise no_such_object(rest[0])
        if len(rest) == 1:
            return entity(self.estate, request, "domains/$entity", fields(_domain(domain), request.query))
        if rest[1:] == ["serviceConfigurationRecords"]:
            found = odata.select(_records(self.estate, domain), request.query)
            kind = f"domains('{domain.name}')/serviceConfigurationRecords"
            return page(self.estate, request, kind, found, default=_PAGE, most=999)
        raise no_such_segment(rest[1])

    def _account(self, name: str) -> Account:
        account = self.estate.account(name)
        if account is None:
            raise no_such_object(name)
        return account


def _user(estate: Estate, account: Account) -> dict[str, Any]:
    assigned = stamp(account.password_changed - timedelta(days=200))
    plans = [
        {"assignedDateTime": assigned, "capabilityStatus": "Enabled", "service": "exchange", "servicePlanId": plan}
        for plan in account.plans
    ]
    box = estate.mailbox(account.address)
    return {
        "businessPhones": [],
        "displayName": account.name,
        "givenName": None,
        "jobTitle": None,
        "mail": box.primary if box else None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": account.address,
        "id": account.id,
        "accountEnabled": account.enabled,
        "assignedPlans": plans,
        "createdDateTime": assigned,
        "lastPasswordChangeDateTime": stamp(account.password_changed),
        "onPremisesSyncEnabled": account.synced,
        "passwordPolicies": account.password_policies,
        "userType": "Member",
        "usageLocation": "DE",
    }


def _licences(account: Account) -> list[dict[str, Any]]:
    if not account.plans:
        return []
    plans = [
        {
            "servicePlanId": plan,
            "servicePlanName": PLAN_NAMES.get(plan, "OTHER"),
            "provisioningStatus": "Success",
            "appliesTo": "User",
        }
        for plan in account.plans
    ]
    sku = str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(account.plans)))
    return [{"id": f"{account.id}-{sku}", "skuId": sku, "skuPartNumber": "ENTERPRISEPACK", "servicePlans": plans}]


def _group(group: Group) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.group",
        "id": group.id,
        "displayName": group.name,
        "description": None,
        "groupTypes": [],
        "mailEnabled": False,
        "securityEnabled": True,
    }


def _role(role: Role) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": role.id,
        "displayName": role.name,
        "description": None,
        "roleTemplateId": role.template,
    }


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "id": domain.name,
        "authenticationType": domain.authentication,
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": domain.default,
        "isInitial": domain.initial,
        "isRoot": True,
        "isVerified": domain.verified,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"],
        "passwordNotificationWindowInDays": domain.notification,
        "passwordValidityPeriodInDays": domain.validity,
        "state": None,
    }


def _records(estate: Estate, domain: Domain) -> list[dict[str, Any]]:
    exchange = domain.name.replace(".", "-") + ".mail.protection.outlook.com"
    mx = exchange if domain.initial else estate.tenant.mx_host
    own: list[tuple[str, str, str, dict[str, Any]]] = [
        ("Mx", "MxRecord", domain.name, {"mailExchange": mx, "preference": 0}),
        ("Txt", "TxtRecord", domain.name, {"text": f"v=spf1 include:{MICROSOFT_SPF} -all"}),
        ("CName", "CnameRecord", f"autodiscover.{domain.name}", {"canonicalName": "autodiscover.outlook.com"}),
    ]
    return [
        {
            "@odata.type": f"#microsoft.graph.domainDns{kind}",
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{label}.{kind}")),
            "isOptional": False,
            "label": label,
            "recordType": short,
            "supportedService": "Email",
            "ttl": 3600,
            **more,
        }
        for short, kind, label, more in own
    ]
