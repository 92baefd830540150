"""What may be asked of a tenant: the lists pass, and nothing else leaves this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from typing import Any

import httpx
import pytest

from fixtures.evidence import EVIDENCE
from scanproof import http
from scanproof.subjects import Domain
from scanproof.tenant import allowed, graph
from scanproof.tenant.allowed import NotAllowed
from selftests.cloud import (
    CAS,
    EGRESS,
    EXCHANGE,
    GRAPH,
    LOGIN,
    OWN,
    SCAN,
    SITE,
    TENANT,
    TRANSPORT,
    USER,
    Asked,
    always,
    as_json,
    cloud,
    exchange_of,
    granted,
    reply,
)

pytestmark = pytest.mark.filterwarnings("error")

FILE = SITE.file.tenant
GRAPH_MAY, EXCHANGE_MAY, LOGIN_MAY = allowed.graph(FILE), allowed.exchange(FILE), allowed.login(FILE)
INVOKE = f"/adminapi/beta/{TENANT}/InvokeCommand"


def command(name: Any) -> bytes:
    return json.dumps({"CmdletInput": {"CmdletName": name, "Parameters": {}}}).encode()


def test_the_lists_pass() -> None:
    for method, path in allowed.GRAPH:
        GRAPH_MAY(httpx.Request(method, GRAPH + path.replace("{id}", "scan%40northfield.example")))
    for method, path in allowed.LOGIN:
        LOGIN_MAY(httpx.Request(method, LOGIN + path.replace("{tenant}", TENANT)))
    for name in allowed.COMMANDS:
        assert name.startswith("Get-")
        for base in (EXCHANGE, "http://eurprd01.exchange.example"):
            EXCHANGE_MAY(httpx.Request("POST", base + INVOKE, content=command(name)))
            EXCHANGE_MAY(httpx.Request("GET", f"{base}{INVOKE}?$skiptoken=x"))
            EXCHANGE_MAY(httpx.Request("GET", f"{base}/AdminApi/v1.0/{TENANT}/EXOModuleFile"))


def test_nothing_on_the_lists_writes() -> None:
    posts = [path for method, path in allowed.GRAPH if method != "GET"]
    assert posts == ["/v1.0/identity/conditionalAccess/evaluate"]
    assert {method for method, _ in (*allowed.GRAPH, *allowed.EXCHANGE, *allowed.LOGIN)} == {"GET", "POST"}


USER_PATH = "/v1.0/users/scan%40northfield.example"
REFUSED_BY_GRAPH = [
    *((method, GRAPH + USER_PATH) for method in ("POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")),
    ("GET", f"{GRAPH}/v1.0/identity/conditionalAccess/evaluate"),
    ("POST", f"{GRAPH}/v1.0/identity/conditionalAccess/policies"),
    ("POST", f"{GRAPH}/v1.0/identity/conditionalAccess/evaluate/"),
    ("GET", f"{GRAPH}/v1.0/users"),
    ("GET", f"{GRAPH}/v1.0/users/"),
    ("GET", f"{GRAPH}/v1.0/me"),
    ("GET", f"{GRAPH}/v1.0/$batch"),
    ("POST", f"{GRAPH}/v1.0/$batch"),
    ("GET", f"{GRAPH}{USER_PATH}/sendMail"),
    ("POST", f"{GRAPH}{USER_PATH}/sendMail"),
    ("GET", f"{GRAPH}{USER_PATH}/messages/AAMk"),
    ("GET", f"{GRAPH}{USER_PATH}/messages/AAMk/$value"),
    ("GET", f"{GRAPH}{USER_PATH}/mailFolders/inbox/messages"),
    ("GET", f"{GRAPH}/beta/users/scan%40northfield.example"),
    ("GET", f"{GRAPH}/beta/auditLogs/signIns"),
    ("GET", f"{GRAPH}/v1.0/users/x/authentication/requirements"),
    ("GET", f"{GRAPH}/v1.0/users/a%2Fmessages%2F.."),
    ("GET", f"{GRAPH}/v1.0/users/a%2fmessages"),
    ("GET", f"{GRAPH}/v1.0/users/a%5Cmessages"),
    ("GET", f"{GRAPH}/v1.0/users/a\\messages"),
    ("GET", f"{GRAPH}/v1.0/users/a%252Fmessages"),
    ("GET", f"{GRAPH}/v1.0/users/a%00"),
    ("GET", f"{GRAPH}/v1.0/users/.."),
    ("GET", f"{GRAPH}/v1.0/users/%2e%2e"),
    ("GET", f"{GRAPH}/v1.0/users/.%2E/messages"),
    ("GET", f"{GRAPH}/v1.0/users/%2e/messages"),
    ("GET", f"{GRAPH}/v1.0/users/x/../../admin"),
    ("GET", f"{GRAPH}/v1.0/users/x/mailFolders/%2e%2e"),
    ("GET", f"{GRAPH}//v1.0/users/x"),
    ("GET", f"{GRAPH}/x/v1.0/users/x"),
    ("GET", f"https://graph.example{USER_PATH}"),
    ("GET", f"http://graph.example:8080{USER_PATH}"),
    ("GET", f"http://evil.example{USER_PATH}"),
    ("GET", f"http://graph.example.evil.example{USER_PATH}"),
    ("GET", f"http://x.graph.example{USER_PATH}"),
    ("GET", f"http://graph.example@evil.example{USER_PATH}"),
    ("GET", f"http://user:word@graph.example{USER_PATH}"),
    ("GET", f"http://169.254.169.254{USER_PATH}"),
]
REFUSED_BY_EXCHANGE: list[tuple[str, str, bytes]] = [
    *(("POST", EXCHANGE + INVOKE, command(name)) for name in (
        "Set-CASMailbox", "New-InboundConnector", "Remove-Mailbox", "get-mailbox", "Get-CASMailbox ; Set-CASMailbox",
        "Get-CASMailbox\n", "", None, 7, ["Get-CASMailbox"], {"Get-CASMailbox": 1},
    )),
    *(("POST", EXCHANGE + INVOKE, body) for body in (b"", b"{", b"[]", b"7", b'{"CmdletInput": []}', b'"x"')),
    *((method, EXCHANGE + INVOKE, command("Get-CASMailbox")) for method in ("PUT", "PATCH", "DELETE")),
    ("POST", f"{EXCHANGE}/adminapi/v2.0/{TENANT}/Mailbox", command("Get-CASMailbox")),
    ("POST", f"{EXCHANGE}/adminapi/beta/{TENANT}/InvokeCommand/x", command("Get-CASMailbox")),
    ("POST", f"{EXCHANGE}/adminapi/beta/{TENANT}/%2e%2e/InvokeCommand", command("Get-CASMailbox")),
    ("POST", f"{EXCHANGE}/adminapi/beta/00000000-0000-4000-8000-000000000000/InvokeCommand", command("Get-CASMailbox")),
    ("POST", f"{EXCHANGE}/AdminApi/v1.0/{TENANT}/EXOModuleFile", command("Get-CASMailbox")),
    ("POST", f"http://evil.example{INVOKE}", command("Get-CASMailbox")),
    ("POST", f"http://evilexchange.example{INVOKE}", command("Get-CASMailbox")),
    ("POST", f"http://exchange.example.evil.example{INVOKE}", command("Get-CASMailbox")),
    ("POST", f"http://x.exchange.example:81{INVOKE}", command("Get-CASMailbox")),
    ("POST", f"https://exchange.example{INVOKE}", command("Get-CASMailbox")),
]  # fmt: skip
REFUSED_BY_LOGIN = [
    ("GET", f"{LOGIN}/{TENANT}/oauth2/v2.0/token"),
    ("POST", f"{LOGIN}/common/oauth2/v2.0/token"),
    ("POST", f"{LOGIN}/{TENANT}/oauth2/v2.0/authorize"),
    ("POST", f"{LOGIN}/{TENANT}/oauth2/token"),
    ("POST", f"http://x.login.example/{TENANT}/oauth2/v2.0/token"),
    ("POST", f"http://evil.example/{TENANT}/oauth2/v2.0/token"),
]
ROWS = [
    *((GRAPH_MAY, method, url, b"") for method, url in REFUSED_BY_GRAPH),
    *((EXCHANGE_MAY, method, url, body) for method, url, body in REFUSED_BY_EXCHANGE),
    *((LOGIN_MAY, method, url, b"") for method, url in REFUSED_BY_LOGIN),
]


async def test_nothing_else_is_sent() -> None:
    sent = []
    async with cloud(graph=always(as_json({})), exchange=always(as_json({}))) as tenant:
        hosts = {httpx.URL(row[2]).host for row in ROWS}
        for host in hosts:
            for port in (80, 81, 443, 8080):
                server = await tenant.wire.serve(f"{host}:{port}", _drop)
                sent.append(server)
        for may, method, url, body in ROWS:
            async with http.client(tenant.wire.network, allow=may) as client:
                with pytest.raises(NotAllowed):
                    await client.request(method, url, content=body)
        await asyncio.sleep(0.05)
        assert [server for server in sent if server.connections] == []


async def _drop(conn: Any) -> None:
    conn.drop()


needs_sdk = pytest.mark.skipif(importlib.util.find_spec("msgraph") is None, reason="msgraph-sdk is not installed")


@needs_sdk
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", [f"{GRAPH}{USER_PATH}/sendMail", f"http://evil.example{USER_PATH}"])
async def test_a_redirect_does_not_lead_to_a_write(status: int, where: str) -> None:
    await asyncio.to_thread(graph._load)
    async with cloud(graph=always(reply(b"", status, {"Location": where}))) as tenant:
        await tenant.serve("evil.example", always(as_json({})))
        for name in ("security_defaults", "conditional_access"):
            subject = EGRESS if name == "conditional_access" else SCAN
            found = await tenant.wire.ask(EVIDENCE[name].probe, subject)
            assert found.outcome == "unproven", found
        assert {it.host for it in tenant.asked} == {"login.example", "graph.example"}
        assert not [it for it in tenant.asked if "sendMail" in it.target]


def listed(it: Asked) -> bool:
    """Whether a request is on the published lists, by a reading of them that is these tests' own."""
    lists = {"graph.example": allowed.GRAPH, "exchange.example": allowed.EXCHANGE, "login.example": allowed.LOGIN}
    for method, path in lists[it.host]:
        parts = [re.escape(part) for part in path.split("/")]
        pattern = "/".join(parts).replace(r"\{id\}", "[^/]+").replace(r"\{tenant\}", re.escape(TENANT))
        if it.method == method and re.fullmatch(pattern, it.path):
            return it.host != "exchange.example" or not it.body or it.command in allowed.COMMANDS
    return False


KINDS: dict[str, Any] = {
    "smtp_auth": SCAN, "authentication_policy": SCAN, "inward": OWN, "outward": OWN, "security_defaults": SCAN,
    "mfa_state": SCAN, "password_expiry": SCAN, "held_mailbox": SCAN, "sign_in_log": SCAN, "granted": OWN,
    "mail_hosts": Domain("northfield.example"), "conditional_access": EGRESS,
}  # fmt: skip
TABLES: dict[str, Any] = {
    "Get-CASMailbox": [CAS],
    "Get-TransportConfig": [TRANSPORT],
    "Get-User": [{"UserPrincipalName": "scan@northfield.example", "AuthenticationPolicy": None}],
    "Get-OrganizationConfig": [{"DefaultAuthenticationPolicy": None, "RejectDirectSend": False}],
    "Get-AuthenticationPolicy": [],
    "Get-InboundConnector": [],
    "Get-OutboundConnector": [],
    "Get-AcceptedDomain": [{"DomainName": "northfield.example", "DomainType": "Authoritative"}],
}
DOMAIN = {"id": "northfield.example", "authenticationType": "Managed", "passwordValidityPeriodInDays": 90}


def whole(it: Asked) -> bytes:
    """Answer every read of Graph, but no evaluation: so the policies are read as well."""
    if it.method == "POST":
        return as_json({}, 403)
    last = it.path.rpartition("/")[2]
    return as_json(
        {
            "scan%40northfield.example": {**USER, "passwordPolicies": None, "assignedPlans": []},
            "northfield.example": DOMAIN,
            "requirements": {"perUserMfaState": "disabled"},
            "identitySecurityDefaultsEnforcementPolicy": {"isEnabled": False},
        }.get(last, {"value": []})
    )


def test_every_kind_of_the_tenants_evidence_is_asked_for_below() -> None:
    of_tenant = {
        name for name, named in EVIDENCE.items() if named.probe.function.__module__.startswith("scanproof.tenant")
    }
    assert of_tenant - {"arrival", "expected_sign_in"} == set(KINDS)  # which are made of others, and of SMTP


@needs_sdk
async def test_all_that_is_asked_is_on_the_lists() -> None:
    await asyncio.to_thread(graph._load)
    async with cloud(login=granted, graph=whole, exchange=exchange_of(TABLES)) as tenant:
        plan = [(EVIDENCE[name].probe, subject) for name, subject in KINDS.items()]
        await tenant.wire.gatherer().collect(plan, deadline=10)
        for found in tenant.wire.kept.evidence:
            assert found.outcome == "observed", f"{found.kind}: {found.reason}"
        assert [f"{it.method} {it.host}{it.target}" for it in tenant.asked if not listed(it)] == []
        assert set(tenant.commands()) == set(allowed.COMMANDS)
        asked = {it.path.replace("scan%40northfield.example", "{id}") for it in tenant.of("graph")}
        never = {"/v1.0/users/{id}/messages", "/v1.0/users/{id}/messages/{id}/attachments",
                 "/v1.0/users/{id}/mailFolders/{id}",
                 "/v1.0/admin/exchange/tracing/messageTraces"}  # fmt: skip
        wanted = {path for _, path in allowed.GRAPH} - never
        assert {path.replace("northfield.example", "{id}") for path in asked} == wanted
