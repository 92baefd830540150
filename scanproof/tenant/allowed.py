"""All that the suite may ask of a tenant: everything else is refused before it is sent.

These lists are the product's promise to read only (docs/tenant.md prints them). A request is checked where it
would leave: below every library, redirect and retry.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx

from scanproof.http import NotAllowed as NotAllowed  # noqa: PLC0414 - it is this module's word too

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.sitefile import TenantTable

# One segment, as it is written: no server may read it as several, or as a step up.
_ID = r"(?!(?:\.|%2e){1,2}(?:/|$))(?:(?!%2f|%5c|%25|%00)[^/\\])+"
# Method and path below Microsoft Graph's endpoint. Evaluating Conditional Access is a POST that changes nothing.
GRAPH = (
    ("GET", "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"),
    ("GET", "/v1.0/identity/conditionalAccess/policies"),
    ("POST", "/v1.0/identity/conditionalAccess/evaluate"),
    ("GET", "/beta/users/{id}/authentication/requirements"),
    ("GET", "/v1.0/users/{id}"),
    ("GET", "/v1.0/users/{id}/transitiveMemberOf"),
    ("GET", "/v1.0/users/{id}/messages"),
    ("GET", "/v1.0/users/{id}/messages/{id}/attachments"),
    ("GET", "/v1.0/users/{id}/mailFolders/{id}"),
    ("GET", "/v1.0/domains/{id}"),
    ("GET", "/v1.0/domains/{id}/serviceConfigurationRecords"),
    ("GET", "/v1.0/auditLogs/signIns"),
    ("GET", "/v1.0/admin/exchange/tracing/messageTraces"),
)
# Method and path below Exchange Online's endpoint; InvokeCommand with one of these commands only.
EXCHANGE = (
    ("GET", "/AdminApi/v1.0/{tenant}/EXOModuleFile"),
    ("GET", "/adminapi/beta/{tenant}/InvokeCommand"),  # further pages of an answer
    ("POST", "/adminapi/beta/{tenant}/InvokeCommand"),
)
COMMANDS = (
    "Get-TransportConfig",
    "Get-CASMailbox",
    "Get-User",
    "Get-OrganizationConfig",
    "Get-AuthenticationPolicy",
    "Get-InboundConnector",
    "Get-OutboundConnector",
    "Get-AcceptedDomain",
)
LOGIN = (
    ("POST", "/{tenant}/oauth2/v2.0/token"),
    ("POST", "/{tenant}/oauth2/v2.0/devicecode"),
)


def graph(tenant: TenantTable) -> Callable[[httpx.Request], None]:
    """Return the check of requests to Microsoft Graph."""
    return _check(GRAPH, tenant, tenant.endpoints.graph)


def login(tenant: TenantTable) -> Callable[[httpx.Request], None]:
    """Return the check of requests to the login endpoint."""
    return _check(LOGIN, tenant, tenant.endpoints.login)


def exchange(tenant: TenantTable) -> Callable[[httpx.Request], None]:
    """Return the check of requests to Exchange's admin API: of the endpoint, and of hosts below it (routing)."""
    path = _check(EXCHANGE, tenant, tenant.endpoints.exchange, below=True)

    def check(request: httpx.Request) -> None:
        path(request)
        if request.method == "POST":
            try:
                command = json.loads(request.content)["CmdletInput"]["CmdletName"]
            except (ValueError, KeyError, TypeError, httpx.RequestNotRead):
                command = None
            if command not in COMMANDS:
                raise NotAllowed(f"the command {command!r} is not on the list of those that only read")

    return check


def _check(
    rules: tuple[tuple[str, str], ...], tenant: TenantTable, endpoint: str, *, below: bool = False
) -> Callable[[httpx.Request], None]:
    base = httpx.URL(endpoint)
    compiled = [(method, re.compile(_pattern(rule, tenant.id), re.IGNORECASE)) for method, rule in rules]

    def check(request: httpx.Request) -> None:
        url = request.url
        same = url.host == base.host or (below and url.host.endswith(f".{base.host}"))
        place = (url.scheme, url.port or 443) == (base.scheme, base.port or 443)
        # The path as it goes over the wire: what is percent-encoded can't pose as another segment.
        path = url.raw_path.split(b"?", 1)[0].decode("ascii", "replace")
        if not (
            same
            and place
            and not url.userinfo
            and any(request.method == m and rule.fullmatch(path) for m, rule in compiled)
        ):
            raise NotAllowed(f"{request.method} {url.scheme}://{url.host}{path} is not on the list of what only reads")

    return check


def _pattern(rule: str, tenant: str) -> str:
    return re.escape(rule).replace(r"\{id\}", _ID).replace(r"\{tenant\}", re.escape(tenant))
