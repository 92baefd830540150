"""graph.microsoft.com: who may ask, and which of its parts answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from lab import odata
from lab.graphaudit import GraphAudit
from lab.graphbase import GraphError, error, no_such_segment
from lab.graphdirectory import GraphDirectory
from lab.graphmail import GraphMail
from lab.graphpolicies import GraphPolicies
from lab.journal import Asked

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request, Response
    from lab.journal import Journal
    from lab.post import PostOffice
    from lab.signin import SignIn
    from lab.tokens import Grant

_SETTLES = 5.0  # seconds that a listing waits at most for the scans of before
_WHAT_IF = ["v1.0", "identity", "conditionalAccess", "evaluate"]


class GraphServer:
    """Answers a token from the one state of the tenant."""

    def __init__(self, estate: Estate, post: PostOffice, sign_in: SignIn, journal: Journal) -> None:
        self.estate, self.post, self.sign_in, self.journal = estate, post, sign_in, journal
        self.mail, self.directory = GraphMail(estate, post), GraphDirectory(estate)
        self.policies, self.audit = GraphPolicies(estate), GraphAudit(estate)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        state, parts = self.estate.tenant.graph, request.path.strip("/").split("/")
        asks = (request.method, parts) == ("POST", _WHAT_IF)  # the one question that is too long for a URL
        self.journal.note(Asked("graph", request.method, request.path, reads=asks or request.method == "GET"))
        if state.sick():
            return error(503, "serviceUnavailable", "The service is temporarily unavailable. Please retry later.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self.sign_in.grant(token, "graph")
        if state.refuse_tokens or scheme != "Bearer" or grant is None:
            text = "Access token is empty." if not token else "Access token validation failure. Invalid audience."
            return error(401, "InvalidAuthenticationToken", text)
        if state.busy():
            text = "Application is over its MailboxConcurrency limit."
            return error(429, "ApplicationThrottled", text, {"Retry-After": state.come_again})
        if request.method != "GET" and not asks:
            return error(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        if parts[-1] == "messages" and "internetMessageId" not in request.query.get("$filter", ""):
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLES):
                    await self.post.settled.wait()
        try:
            return self.policies.what_if(request, grant) if asks else self._read(request, grant, parts)
        except odata.QueryError as refused:
            return error(400, refused.code, refused.message)
        except GraphError as refused:
            return error(refused.status, refused.code, refused.message)

    def _read(self, request: Request, grant: Grant, parts: list[str]) -> Response:
        match parts:
            case ["beta", "users", name, "authentication", "requirements"]:
                return self.directory.second_factor(request, grant, name)
            case ["v1.0", "users", name]:
                return self.directory.user(request, grant, name)
            case ["v1.0", "users", name, ("licenseDetails" | "transitiveMemberOf") as what]:
                return self.directory.below_user(request, grant, name, what)
            case ["v1.0", "users", name, ("messages" | "mailFolders"), *_]:
                return self.mail.answer(request, grant, name, parts[3:])
            case ["v1.0", "admin", "exchange", "tracing", "messageTraces"]:
                return self.mail.traces(request, grant)
            case ["v1.0", "domains", *rest]:
                return self.directory.domains(request, grant, rest)
            case ["v1.0", "policies", "identitySecurityDefaultsEnforcementPolicy"]:
                return self.policies.security_defaults(request, grant)
            case ["v1.0", "identity", "conditionalAccess", *rest]:
                return self.policies.conditional_access(request, grant, rest)
            case ["v1.0", "auditLogs", "signIns"]:
                return self.audit.sign_ins(request, grant)
        raise no_such_segment(parts[-1])
