"""Microsoft Graph through msgraph-sdk, on our own wire.

The library signs the requests, and honours throttling (429 and Retry-After). Requests are written and answers
read as JSON: its builders and models would load 1,200 modules, two seconds of every run, for the few fields read
here. It is imported in a thread, off the event loop, and only by runs that read the tenant or look for mail.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from scanproof import http
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.tenant import allowed
from scanproof.tenant.token import reading_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.gather import Run

BODY = 4_000_000  # bytes of an answer; a page of one message with its headers is far below
PAGES = 50
KEEP = 8  # connections kept for the next request

PARTS = (  # of msgraph-sdk, that the suite uses
    "msgraph.generated.models.o_data_errors.o_data_error",
    "msgraph.graph_request_adapter",
    "msgraph_core",
)


@dataclass(frozen=True)
class Read:
    """What to ask of Graph.

    Attributes:
        path: below the version, already percent-encoded where it holds a name: ``/users/scan%40hospital.example``.
        about: the mailbox or object asked for, in messages.
        query: the OData options.
        body: of an action that changes nothing, such as evaluating a policy.
        version: ``v1.0``, or ``beta`` for what v1.0 lacks.
    """

    path: str
    about: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    version: str = "v1.0"

    @property
    def key(self) -> str:
        """What tells it from another read of the same path."""
        return json.dumps([self.query, self.body], default=str)


def name(text: str) -> str:
    """Return a name as one segment of a path."""
    return quote(text, safe="")


def quoted(text: str) -> str:
    """Return text as it stands within the quotes of an OData filter."""
    return text.replace("'", "''")


class Graph:
    """Asks Graph as the run's app or engineer."""

    def __init__(self, adapter: Any, endpoint: str, run: Run) -> None:
        """Take msgraph-sdk's request adapter, and the endpoint's address for messages to users."""
        self._adapter, self._endpoint, self._run = adapter, endpoint, run

    async def read(self, wanted: Read, permission: str) -> dict[str, Any]:
        """Return one answer.

        Args:
            wanted: what to ask.
            permission: the application permission that it needs.

        Raises:
            Unproven: Graph refuses or can't be asked; names the permission that is wanted.
        """
        options = "&".join(f"{quote(key, safe='$')}={quote(value, safe='')}" for key, value in wanted.query.items())
        url = f"{self._endpoint}/{wanted.version}{wanted.path}{f'?{options}' if options else ''}"
        return await self._patiently(url, wanted, permission)

    async def list(self, wanted: Read, permission: str) -> list[dict[str, Any]]:
        """Return every object of a collection, of all its pages; the arguments and errors are ``read``'s."""
        page = await self.read(wanted, permission)
        found, pages = rows(page), 1
        while link := page.get("@odata.nextLink"):
            if pages == PAGES or not isinstance(link, str):
                raise Unproven(f"{wanted.path} has more than {PAGES} pages", "this is more than a run reads")
            try:
                page = await self._patiently(link, wanted, permission)
            except (allowed.NotAllowed, httpx.InvalidURL) as error:  # the other side's choice, not a defect
                raise Unproven(f"the next page of {wanted.path} leads elsewhere: {error}", "see the answer") from None
            found += rows(page)
            pages += 1
        return found

    async def _patiently(self, url: str, wanted: Read, permission: str) -> dict[str, Any]:
        """Ask again for as long as Graph is busy and there is time; msgraph-sdk itself gives up after three times."""
        until = time.monotonic() + self._run.network.deadlines.throttled
        while True:
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 1)):
                    return await self._asked(url, wanted, permission)
            except _Busy as busy:
                if time.monotonic() + busy.seconds > until:
                    raise Unproven(busy.reason, "run again later", busy.lacks) from None
                await asyncio.sleep(busy.seconds)
            except TimeoutError:
                reason = f"{self._endpoint} gave no answer for {wanted.about}: it is slow, or throttles this app"
                raise Unproven(reason, "run again later", "graph-outage") from None

    async def _asked(self, url: str, wanted: Read, permission: str) -> dict[str, Any]:
        from kiota_abstractions.api_error import APIError  # noqa: PLC0415
        from kiota_abstractions.method import Method  # noqa: PLC0415
        from kiota_abstractions.request_information import RequestInformation  # noqa: PLC0415
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError  # noqa: PLC0415

        request = RequestInformation(Method.GET if wanted.body is None else Method.POST)
        request.url = url
        request.headers.try_add("Accept", "application/json")
        if wanted.body is not None:
            request.set_stream_content(json.dumps(wanted.body).encode(), "application/json")
        try:
            body = await self._adapter.send_primitive_async(request, "bytes", {"4XX": ODataError, "5XX": ODataError})
            found = json.loads(body) if body and len(body) <= BODY else None
        except APIError as error:
            raise self._refusal(error, wanted.about, permission) from None
        except (OSError, ValueError, RecursionError, httpx.HTTPError) as error:
            said = plain(str(error) or type(error).__name__, 200)
            reason = f"{self._endpoint} could not be asked for {wanted.about}: {said}"
            remedy = "let this machine reach Microsoft Graph, and run again"
            raise Unproven(reason, remedy, "service-unreachable") from None
        if not isinstance(found, dict):
            raise Unproven(
                f"{self._endpoint} gave no usable answer for {wanted.about}", "run again; see whether a proxy answers"
            )
        return found

    def _refusal(self, error: Any, about: str, permission: str) -> Exception:
        status = error.response_status_code
        said = plain(str(getattr(getattr(error, "error", None), "code", None) or ""), 100)
        reason = f"{self._endpoint} answered {status}{f' {said}' if said else ''} for {about}"
        if status == 404:
            lacks = "mailbox-not-readable" if permission.startswith("Mail.") else ""
            return Unproven(reason, f"check that {about} exists and has a mailbox", lacks)
        if status == 429 or status >= 500:
            headers = {str(key).lower(): value for key, value in (error.response_headers or {}).items()}
            asked_for = http.retry_after(str(headers.get("retry-after", "")))
            lacks = "graph-throttled" if status == 429 else "graph-outage"
            return _Busy(f"{reason}, to the end of the time for it", 2.0 if asked_for is None else asked_for, lacks)
        if status == 403 and "NonPremiumTenant" in said:
            return Unproven(reason, "it takes a licence of Entra ID P1; else look in the Entra admin center")
        if status in {401, 403}:
            remedy = f"grant the app {permission} (application permission, with admin consent)"
            if self._run.site.file.tenant.sign_in == "device":
                remedy = (
                    f"sign in as somebody who may read it, such as a Global Reader, with consent to {permission} "
                    "(delegated, by an administrator)"
                )
            return Unproven(reason, remedy, "graph-permission")
        return Unproven(reason, "see the answer")


class _Busy(Exception):  # noqa: N818 - an answer, not an error
    """Graph asks to come back later."""

    def __init__(self, reason: str, seconds: float, lacks: str) -> None:
        super().__init__(reason)
        self.reason, self.seconds, self.lacks = reason, max(seconds, 0.1), lacks


def rows(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a page.

    Raises:
        Unproven: it is no list of objects.
    """
    value = page.get("value")
    if not isinstance(value, list):
        raise Unproven("Graph gave no list", "run again; see whether a proxy answers")
    if not all(isinstance(row, dict) for row in value):
        raise Unproven("Graph gave no list of objects", "run again; see whether a proxy answers")
    return value


async def connect(run: Run) -> Graph:
    """Return the run's way to Graph.

    Raises:
        Unproven: the library, the tenant's names or the secret are missing, or no token is to be had.
    """
    if importlib.util.find_spec("msgraph") is None:
        raise Unproven(
            "msgraph-sdk is not installed, which reads mailboxes and the tenant",
            'pip install -e ".[graph]" (on Windows with long paths enabled)',
        )
    endpoint = run.site.file.tenant.endpoints.graph
    loading = asyncio.create_task(asyncio.to_thread(_load))
    try:
        await reading_token(run, "graph")
    finally:
        await loading
    base = http.client(run.network, allow=allowed.graph(run.site.file.tenant), keep=KEEP)
    run.at_end(base._transport.aclose)  # noqa: SLF001 - msgraph-sdk's own transport around it would not close it
    return Graph(_adapter(base, run, endpoint), endpoint, run)


def _load() -> None:
    """Import msgraph-sdk's parts that the suite uses, which takes a good part of a second."""
    # It warns of its own deprecated parts while it is imported.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(kiota_|msgraph).*")
    for part in PARTS:
        importlib.import_module(part)


def _adapter(base: httpx.AsyncClient, run: Run, endpoint: str) -> Any:
    from kiota_abstractions.api_client_builder import register_default_deserializer  # noqa: PLC0415
    from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator  # noqa: PLC0415
    from kiota_abstractions.authentication.base_bearer_token_authentication_provider import (  # noqa: PLC0415
        BaseBearerTokenAuthenticationProvider,
    )
    from kiota_http.middleware.options import RedirectHandlerOption  # noqa: PLC0415
    from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory  # noqa: PLC0415
    from msgraph.graph_request_adapter import GraphRequestAdapter  # noqa: PLC0415
    from msgraph_core import GraphClientFactory  # noqa: PLC0415

    class Given(AccessTokenProvider):
        async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:  # noqa: ARG002
            return (await reading_token(run, "graph")).text  # for each request: a long run outlasts one

        def get_allowed_hosts_validator(self) -> Any:
            return AllowedHostsValidator([httpx.URL(endpoint).host])

    register_default_deserializer(JsonParseNodeFactory)  # else an error's own code is not read
    # Nothing that is read here is anywhere else; its own following raises what is no error of HTTP.
    stay = {RedirectHandlerOption.get_key(): RedirectHandlerOption(should_redirect=False)}
    wire = GraphClientFactory.create_with_default_middleware(options=stay, client=base)
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Given()), client=wire)
    adapter.base_url = f"{endpoint}/v1.0"
    return adapter
