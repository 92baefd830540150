"""Exchange Online's settings, by the admin API that Exchange's own PowerShell module uses.

Microsoft documents the API nowhere for others; its shape is known from public clients of it (docs/tenant.md).
Nothing in Microsoft Graph holds these settings.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from scanproof.http import client, retry_after
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.tenant import allowed
from scanproof.tenant.token import reading_token

if TYPE_CHECKING:
    from scanproof.gather import Run

PAGES = 50
KEEP = 8  # connections kept for the next command
_ANCHOR = "UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"
_AGAIN = frozenset({429, 500, 502, 503, 504})
_NO_ROLE = ("CommandNotFoundException", "is not recognized")
GRANT = (
    "grant the app Exchange.ManageAsApp (Office 365 Exchange Online, application permission, with admin consent) "
    "and Global Reader, or the roles View-Only Configuration and View-Only Recipients"
)


GRANT_ENGINEER = (
    "sign in as somebody with the role Global Reader, or with View-Only Configuration and View-Only Recipients; with a "
    "client_id of your own, have an administrator consent to its delegated Exchange.Manage (Office 365 Exchange Online)"
)


@dataclass
class Exchange:
    """The admin API of one tenant, as the run's app or engineer sees it."""

    run: Run
    http: httpx.AsyncClient
    base: str  # of the server that the tenant is routed to

    async def rows(self, command: str, identity: str = "") -> list[dict[str, Any]]:
        """Run a Get- command, and return all rows of its answer.

        Args:
            command: one of ``allowed.COMMANDS``.
            identity: whose; empty for a command without one.

        Raises:
            Unproven: the API refuses, or gives no usable answer.
        """
        parameters = {"Identity": identity} if identity else {}
        body = {"CmdletInput": {"CmdletName": command, "Parameters": parameters}}
        page = await self._asked(command, "POST", self._invoke, body)
        found, pages = _rows(page, command), 1
        while link := page.get("@odata.nextLink"):
            if pages == PAGES or not isinstance(link, str):
                raise Unproven(f"{command} gave more than {PAGES} pages", "this is more than a run reads")
            try:
                page = await self._asked(command, "GET", link, None)
            except (allowed.NotAllowed, httpx.InvalidURL) as error:  # the other side's choice, not a defect
                raise Unproven(f"the next page of {command} leads elsewhere: {error}", "see the answer") from None
            found += _rows(page, command)
            pages += 1
        return found

    @property
    def _invoke(self) -> str:
        return f"{self.base}/adminapi/beta/{self.run.site.file.tenant.id}/InvokeCommand"

    async def _asked(self, command: str, method: str, url: str, body: dict[str, Any] | None) -> dict[str, Any]:
        until, wait = time.monotonic() + self.run.network.deadlines.throttled, 1.0
        while True:
            answer = await self._sent(command, method, url, body)
            if answer.status_code not in _AGAIN:
                by_app = self.run.site.file.tenant.sign_in == "app"
                return _fields(answer, command, self.base, GRANT if by_app else GRANT_ENGINEER)
            asked_for = retry_after(answer.headers.get("retry-after", ""))
            wait = min(wait * 2, 30) if asked_for is None else asked_for
            if time.monotonic() + wait > until:
                reason = f"{self.base} answered {answer.status_code} to {command}, to the end of the time for it"
                raise Unproven(reason, "run again later", "exchange-outage")
            await asyncio.sleep(max(wait, 0.1))

    async def _sent(self, command: str, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response:
        token = await reading_token(self.run, "exchange")  # asked for each time: a long run outlasts one
        headers = {
            "Authorization": f"Bearer {token.text}",
            "X-ResponseFormat": "json",
            "Prefer": "odata.maxpagesize=1000",
            "client-request-id": str(uuid.uuid4()),
            "X-AnchorMailbox": f"{_ANCHOR}{self.run.site.file.mail.domain}",
            "X-CmdletName": command,
        }
        deadlines = self.run.network.deadlines
        deadline = deadlines.connect + deadlines.tls + deadlines.response
        async with self.run.wire(f"exchange {command}", "tenant"):
            try:
                async with asyncio.timeout(deadline):  # httpx bounds each part of an answer, not the whole
                    return await self.http.request(method, url, json=body, headers=headers)
            except TimeoutError:
                said = f"it did not answer within {deadline:g} s"
            except httpx.HTTPError as error:
                said = plain(str(error), 200)
        reason = f"{self.base} could not be asked for {command}: {said}"
        raise Unproven(reason, "let this machine reach Exchange Online, and run again", "service-unreachable")


async def connect(run: Run) -> Exchange:
    """Return the run's way to the admin API, at the server that the tenant is routed to.

    Raises:
        Unproven: no token is to be had, or the endpoint can't be asked.
    """
    tenant = run.site.file.tenant
    await reading_token(run, "exchange")
    http = client(run.network, allow=allowed.exchange(tenant), keep=KEEP)
    run.at_end(http.aclose)
    made = Exchange(run, http, tenant.endpoints.exchange)
    probe = f"{made.base}/AdminApi/v1.0/{tenant.id}/EXOModuleFile"
    found = await made._sent("EXOModuleFile", "GET", probe, None)  # noqa: SLF001 - this module's own class
    if found.has_redirect_location:
        # Followed by hand: a client that followed it would turn a POST into a GET, or drop the token.
        made.base = _routed(tenant.endpoints.exchange, found)
    return made


def _routed(endpoint: str, found: httpx.Response) -> str:
    base = httpx.URL(endpoint)
    try:
        host = httpx.URL(found.headers["location"]).host
        label = host.split(".", 1)[0]
        if host == base.host or not re.fullmatch(r"[a-z0-9-]+", label):
            return endpoint
        return str(base.copy_with(host=f"{label}.{base.host}"))
    except httpx.InvalidURL:
        return endpoint


def _fields(answer: httpx.Response, command: str, base: str, grant: str) -> dict[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if answer.status_code == 200 and isinstance(body, dict):
        return body
    said = _said(body)
    reason = f"{base} answered {answer.status_code}{f' ({said})' if said else ''} to {command}"
    if answer.status_code in {401, 403} or any(word in said for word in _NO_ROLE):
        raise Unproven(reason, grant, "exchange-permission")
    raise Unproven(reason, "run again; see whether a proxy answers" if answer.status_code == 200 else "see the answer")


def _said(body: Any) -> str:
    """Return what an error says: the details name the command's own complaint."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    words = first.get("message") or error.get("message") or error.get("code") or ""
    return plain(" ".join(str(words).strip("|").split()), 300)


def _rows(page: dict[str, Any], command: str) -> list[dict[str, Any]]:
    value = page.get("value")
    if not isinstance(value, list):
        raise Unproven(f"{command} gave no list", "run again; see whether a proxy answers")
    if not all(isinstance(row, dict) for row in value):
        raise Unproven(f"{command} gave no list of objects", "run again; see whether a proxy answers")
    return value
