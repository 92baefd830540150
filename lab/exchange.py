"""outlook.office365.com: Exchange's admin API, by which its PowerShell module reads the tenant's settings.

No public description of it exists; paths, shapes and errors are those that published clients of it show.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lab.cmdlets import CMDLETS, NotFoundInExchangeError, Row
from lab.directory import EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR, GLOBAL_READER
from lab.httpserver import Response
from lab.journal import Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lab.estate import Estate
    from lab.httpserver import Request
    from lab.journal import Journal
    from lab.signin import SignIn
    from lab.tokens import Grant

_SECURITY_READER = "5d6b6bb7-de71-4623-b4af-96380a352509"
_READERS = frozenset({GLOBAL_READER, _SECURITY_READER, EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR})
_USES = frozenset({"Exchange.ManageAsApp", "Exchange.Manage", "AdminApi.AccessAsUser.All"})  # guess: of a user's two
_VIEW_ONLY = {"Get-CASMailbox": "View-Only Recipients", "Get-User": "View-Only Recipients"}
_CONFIGURATION = "View-Only Configuration"
_PAGE = 1000
_PARSER = "|System.Management.Automation.CommandNotFoundException|"
_FINDER = "|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|"


class ExchangeServer:
    """Answers cmdlets from the one state of the tenant; on two hosts where the tenant's requests are redirected."""

    def __init__(self, estate: Estate, sign_in: SignIn, journal: Journal) -> None:
        self.estate, self.sign_in, self.journal = estate, sign_in, journal
        self.left: dict[str, tuple[list[Row], int]] = {}

    @property
    def far_host(self) -> str:
        """The host on which the tenant lives where the first one redirects."""
        return far_host(self.estate.plan.exchange_host)

    def at(self, host: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of one of the two hosts."""

        async def answer(request: Request) -> Response:
            return self._answer(request, host)

        return answer

    def _answer(self, request: Request, host: str) -> Response:
        cmdlet, parameters = _asked(request)
        reads = request.method == "GET" or (request.method == "POST" and cmdlet.lower().startswith("get-"))
        self.journal.note(Asked("exchange", request.method, request.path, cmdlet, reads=reads))
        state = self.estate.tenant.exchange
        if state.sick():
            return _error(503, "ServiceUnavailable", "The service is unavailable.")
        grant = self.sign_in.grant(request.headers.get("authorization", "").removeprefix("Bearer "), "outlook")
        if state.refuse_tokens or grant is None:
            return Response(401, b"", {"WWW-Authenticate": 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000"'})
        if state.busy():
            headers = {"Retry-After": state.come_again, **_rate(0)}
            return _error(429, "TooManyRequests", "Too many requests.", headers=headers)
        path = re.fullmatch(r"/adminapi/(v1\.0|beta)/([^/]+)/(\w+)", request.path, re.IGNORECASE)
        if path is None:
            return Response(404)
        version, tenant, what = path[1].lower(), path[2].lower(), path[3].lower()
        if tenant not in {self.estate.tenant.id.lower(), *self.estate.tenant.accepted_domains}:
            return Response(401)  # guess: a token of another tenant
        if state.redirects and host != self.far_host:
            return Response(302, b"", {"Location": f"https://{self.far_host}{request.path}"})
        if not grant.permissions & _USES:
            # guess: whether it says 401 or 403
            return _error(403, "Forbidden", "The role assigned to application isn't supported in this scenario.")
        if (version, what, request.method) == ("v1.0", "exomodulefile", "GET"):
            return Response.json({"@odata.context": self._context(host, "EXOModuleFile"), "value": []})
        if (version, what) != ("beta", "invokecommand"):
            return Response(404)
        if request.method == "GET":
            return self._next(request, host)
        if request.method != "POST" or not cmdlet:
            return _error(400, "BadRequest", "Invalid Operation", "The request body has no CmdletInput.")
        return self._invoke(request, host, grant, cmdlet, parameters)

    def _invoke(
        self, request: Request, host: str, grant: Grant, cmdlet: str, parameters: Mapping[str, Any]
    ) -> Response:
        if not cmdlet.lower().startswith("get-"):
            return _error(403, "Forbidden", f"The cmdlet {cmdlet} is not available to this application.")
        name = next((known for known in CMDLETS if known.lower() == cmdlet.lower()), None)
        if name is None or not self._may(grant, name):
            said = (
                f"{_PARSER}The term '{cmdlet}' is not recognized as a name of a cmdlet, function, script file, or "
                "executable program."
            )
            return _error(400, "BadRequest", "Invalid Operation", said)
        identity = parameters.get("Identity")
        try:
            rows = CMDLETS[name](self.estate, str(identity) if identity else None)
        except NotFoundInExchangeError as missing:
            said = f"{_FINDER}The operation couldn't be performed because object '{missing}' couldn't be found."
            return _error(404, "NotFound", "Error executing request.", said)
        omitted = {part for of, part in self.estate.tenant.exchange.omits if of == name}
        rows = [{key: value for key, value in row.items() if key not in omitted} for row in rows]
        return self._page(host, rows, _page_size(request))

    def _may(self, grant: Grant, cmdlet: str) -> bool:
        """Tell whether the app has a role that knows a cmdlet: by a directory role, or by a role group."""
        return bool(grant.roles & _READERS) or _VIEW_ONLY.get(cmdlet, _CONFIGURATION) in self.estate.app.exchange_roles

    def _next(self, request: Request, host: str) -> Response:
        rows, size = self.left.pop(request.query.get("$skiptoken", ""), (None, 0))
        if rows is None:
            return _error(400, "BadRequest", "Invalid Operation", "The continuation token is not valid.")
        return self._page(host, rows, size)

    def _page(self, host: str, rows: list[Row], size: int) -> Response:
        size = min(size, self.estate.tenant.exchange.page or size)
        body: dict[str, Any] = {
            "@odata.context": self._context(host, "Collection(Exchange.GenericHashTable)"),
            "@adminapi.warnings": [],
            "value": rows[:size],
        }
        if rows[size:]:
            token = secrets.token_urlsafe(24)
            self.left[token] = (rows[size:], size)
            path = f"/adminapi/beta/{self.estate.tenant.id}/InvokeCommand"
            body["@odata.nextLink"] = f"https://{host}{path}?$skiptoken={token}"
        return Response.json(body, headers=_rate(200))

    def _context(self, host: str, kind: str) -> str:
        return f"https://{host}/adminapi/beta/{self.estate.tenant.id}/$metadata#{kind}"


def far_host(host: str) -> str:
    """Return the host that a tenant's requests are redirected to."""
    return f"eurprd03.{host}"


def _asked(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the cmdlet and its parameters that a body names; an empty name where it names none."""
    try:
        asked = json.loads(request.body)["CmdletInput"]
        name, parameters = asked["CmdletName"], asked.get("Parameters") or {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", {}
    return (name, parameters) if isinstance(name, str) and isinstance(parameters, dict) else ("", {})


def _page_size(request: Request) -> int:
    found = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("prefer", ""))
    return max(1, min(int(found[1]), _PAGE)) if found else _PAGE


def _rate(remaining: int) -> dict[str, str]:
    reset = datetime.now(UTC) + timedelta(minutes=5)
    return {
        "Rate-Limit-Limit": "200",
        "Rate-Limit-Remaining": str(remaining),
        "Rate-Limit-Reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
    }


def _error(
    status: int, code: str, message: str, said: str = "", *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error in the API's form; what the cmdlet said stands in its details."""
    problem: dict[str, Any] = {"code": code, "message": message}
    if said:
        problem["details"] = [{"code": "Client", "target": "", "message": said}]
        problem["innererror"] = {
            "message": message,
            "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
            "internalexception": {"message": said, "type": said.split("|")[1] if said.startswith("|") else ""},
        }
    return Response.json({"error": problem, "@adminapi.warnings": []}, status, headers)
