"""A tenant on loopback for selftests: login, Graph and Exchange answer each request as a row says, and keep it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from scanproof.subjects import SenderEgress, SenderSubject, TenantSubject
from selftests.harness import PASSWORD, SHORT, Behaviour, Bench, Conn, bench, demo_with

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Site

LOGIN, GRAPH, EXCHANGE = "http://login.example", "http://graph.example", "http://exchange.example"
ENDPOINTS = {"login": LOGIN, "graph": GRAPH, "exchange": EXCHANGE}
TENANT = "6f1d2c1e-0000-4000-8000-00000000beef"
CLIENT = "0b5c7a52-0000-4000-8000-00000000cafe"


def site_with(
    *, tenant: Mapping[str, Any] | None = None, site: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Site:
    """Return the demo site with its endpoints here, and other values under ``[tenant]`` or ``[site]``."""
    made = demo_with(endpoints=ENDPOINTS)
    update = {
        "tenant": made.file.tenant.model_copy(update=dict(tenant or {})),
        "site": made.file.site.model_copy(update=dict(site or {})),
    }
    return dataclasses.replace(made, file=made.file.model_copy(update=update), folder=folder)


SITE = site_with()
SCAN = SenderSubject(SITE.file.sender[0], SITE.services["smtp-auth"])
OWN = TenantSubject(SITE.file.mail.domain)
EGRESS = SenderEgress(SCAN.sender, SCAN.service, "203.0.113.10", "DE", SITE.subnets[:1])


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request, as it came over the wire."""

    host: str
    method: str
    target: str  # as it was written: nothing is decoded
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    @property
    def command(self) -> str:
        """The Exchange command that it runs."""
        return str(self.json["CmdletInput"]["CmdletName"]) if self.body else ""


Reply = bytes | Behaviour  # bytes are sent; a behaviour does as it likes, and the connection ends
Answer = Callable[[Asked], Reply]


def reply(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole HTTP response."""
    head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1") + body


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    return reply(json.dumps(data).encode(), status, headers)


def soon() -> str:
    """Return the coming second as a ``Retry-After`` may name it: by its date (RFC 9110 §10.2.3)."""
    return formatdate(time.time() + 1, usegmt=True)


def always(found: Reply) -> Answer:
    return lambda _asked: found


def in_turn(*replies: Reply) -> Answer:
    """Give one reply after the other; the last one stays."""
    left = list(replies)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


def says(conn: Behaviour) -> Answer:
    return always(conn)


def jwt(**claims: Any) -> str:
    """Return a token that says of itself what it is for; nobody signed it."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


TOKENS = {
    "graph": jwt(aud="graph.example", roles=["Policy.Read.All", "User.Read.All"], wids=["0997a1d0"]),
    "exchange": jwt(aud="exchange.example", roles=["Exchange.ManageAsApp"]),
}


def granted(asked: Asked) -> Reply:
    """Give an app the token of the API that it names."""
    api = "exchange" if "exchange.example" in asked.form["scope"] else "graph"
    return as_json({"access_token": TOKENS[api], "expires_in": 3599})


async def read(conn: Conn, host: str) -> Asked | None:
    """Read one request; None where the client has gone."""
    try:
        head = (await conn.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    body = await conn.reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(host, method, target, headers, body)


class Cloud:
    """A tenant, and all that was asked of it."""

    def __init__(self, wire: Bench) -> None:
        self.wire = wire
        self.asked: list[Asked] = []
        self.told: list[str] = []  # lines that were shown to a person

    async def serve(self, host: str, answer: Answer) -> None:
        async def behave(conn: Conn) -> None:
            while (asked := await read(conn, host)) is not None:
                self.asked.append(asked)
                found = answer(asked)
                if not isinstance(found, bytes):
                    return await found(conn)
                await conn.send(found)
                if b"\r\nConnection: close\r\n" in found:
                    return None
            return None

        await self.wire.serve(f"{host}:80", behave)

    def of(self, api: str) -> list[Asked]:
        """Return what was asked of one of the three."""
        return [asked for asked in self.asked if asked.host == f"{api}.example"]

    def commands(self) -> list[str]:
        return [asked.command for asked in self.of("exchange") if asked.body]


@asynccontextmanager
async def cloud(
    *,
    login: Answer = granted,
    graph: Answer | None = None,
    exchange: Answer | None = None,
    site: Site = SITE,
    throttled: float = 1.0,
) -> AsyncIterator[Cloud]:
    """Give a tenant; what it kept must hold no token and no password at the end."""
    async with bench(site, deadlines=dataclasses.replace(SHORT, throttled=throttled)) as wire:
        made = Cloud(wire)
        for name, answer in (("login", login), ("graph", graph), ("exchange", exchange)):
            if answer:
                await made.serve(f"{name}.example", answer)
        yield made
        # What one API's failure left under way for the other ends here, not in the next test.
        left = [it for gatherer in wire._gatherers for it in gatherer.shared.values()]
        for shared in left:
            shared.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        shown = "\n".join(repr(evidence) for evidence in wire.kept.evidence)
        for secret in (*TOKENS.values(), *(it for it in wire.given.values() if it), PASSWORD):
            assert secret not in shown
        assert "outcome='broken'" not in shown, shown


def exchange_of(tables: Mapping[str, Any]) -> Answer:
    """Answer each command by its rows (or by a reply), and the module's file by nothing in particular."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return as_json({})
        found = tables[asked.command]
        return found if isinstance(found, bytes) or callable(found) else as_json({"value": found})

    return answer


def graph_of(paths: Mapping[str, Any]) -> Answer:
    """Answer each path by an object (or by a reply); 404 to every other."""

    def answer(asked: Asked) -> Reply:
        found = paths.get(asked.path, as_json({"error": {"code": "ErrorOfTheTests"}}, 404))
        return found if isinstance(found, bytes) or callable(found) else as_json(found)

    return answer


SCAN_PATH = "/v1.0/users/scan%40northfield.example"
USER: Mapping[str, Any] = {
    "id": "11111111-0000-4000-8000-000000000001",
    "userPrincipalName": "Scan@northfield.example",
    "accountEnabled": True,
    "passwordPolicies": "DisablePasswordExpiration",
    "lastPasswordChangeDateTime": "2026-10-01T08:00:00Z",
    "onPremisesSyncEnabled": None,
    "assignedPlans": [
        {
            "capabilityStatus": "Enabled",
            "service": "exchange",
            "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
        }
    ],
}
CAS: Mapping[str, Any] = {"PrimarySmtpAddress": "scan@northfield.example", "SmtpClientAuthenticationDisabled": None}
TRANSPORT: Mapping[str, Any] = {"Name": "Transport Settings", "SmtpClientAuthenticationDisabled": True}
