"""Microsoft Graph through msgraph-sdk, on our own wire.

The library builds the requests, signs them, and honours throttling (429 and Retry-After). Answers are
read as JSON: its models would load 1,200 modules, two seconds of every run, for the six fields read here.
It is imported in a thread, off the event loop, and only by runs that look for mail.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import warnings
from typing import TYPE_CHECKING, Any

import httpx

from scanproof import http
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.secrets import CLIENT_SECRET, missing
from scanproof.tenant.token import TokenRefused, TokenUnreachable, client_token

if TYPE_CHECKING:
    from scanproof.gather import Run

BODY = 4_000_000  # bytes of an answer; a page of one message with its headers is far below

PARTS = (  # of msgraph-sdk, that the suite uses
    "msgraph.generated.admin.exchange.tracing.message_traces.message_traces_request_builder",
    "msgraph.generated.models.o_data_errors.o_data_error",
    "msgraph.generated.users.item.mail_folders.item.mail_folder_item_request_builder",
    "msgraph.generated.users.item.messages.messages_request_builder",
    "msgraph.graph_request_adapter",
    "msgraph_core",
)


class Graph:
    """Asks Graph as the app that the site file names."""

    def __init__(self, adapter: Any, endpoint: str) -> None:
        """Take msgraph-sdk's request adapter, and the endpoint's address for messages to users."""
        self.adapter, self._endpoint = adapter, endpoint

    async def get(self, request: Any, about: str, permission: str) -> dict[str, Any]:
        """Send a request that a builder of msgraph-sdk made, and return the answer.

        Args:
            request: its request information.
            about: the mailbox or object asked for, for messages.
            permission: the application permission that the request needs.

        Raises:
            Unproven: Graph refuses or can't be asked; names the permission that is wanted.
        """
        from kiota_abstractions.api_error import APIError  # noqa: PLC0415
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError  # noqa: PLC0415

        errors = {"4XX": ODataError, "5XX": ODataError}
        try:
            body = await self.adapter.send_primitive_async(request, "bytes", errors)
            found = json.loads(body) if body and len(body) <= BODY else None
        except APIError as error:
            raise Unproven(*self._refusal(error, about, permission)) from None
        except (OSError, ValueError, RecursionError, httpx.HTTPError) as error:
            reason = (
                f"{self._endpoint} could not be asked for {about}: {plain(str(error) or type(error).__name__, 200)}"
            )
            raise Unproven(reason, "let this machine reach Microsoft Graph, and run again") from None
        if not isinstance(found, dict):
            raise Unproven(
                f"{self._endpoint} gave no usable answer for {about}", "run again; see whether a proxy answers"
            )
        return found

    def _refusal(self, error: Any, about: str, permission: str) -> tuple[str, str]:
        status = error.response_status_code
        said = plain(str(getattr(getattr(error, "error", None), "code", None) or ""), 100)
        reason = f"{self._endpoint} answered {status}{f' {said}' if said else ''} for {about}"
        if status == 404:
            return reason, f"check that {about} exists and has a mailbox"
        if status == 429:
            return f"{reason}: throttled to the end of this run", "run again later"
        return reason, f"grant the app {permission} (application permission, with admin consent)"


async def connect(run: Run) -> Graph:
    """Return the run's way to Graph.

    Raises:
        Unproven: the library, the tenant's names or the secret are missing, or no token is to be had.
    """
    if importlib.util.find_spec("msgraph") is None:
        raise Unproven(
            "msgraph-sdk is not installed, which reads the mailbox",
            'pip install -e ".[graph]" (on Windows with long paths enabled)',
        )
    tenant = run.site.file.tenant
    if not tenant.id or not tenant.client_id:
        raise Unproven("the site file names no tenant and app", "state [tenant] id and client_id in site.toml")
    secret = run.secrets.get(CLIENT_SECRET)
    if secret is None:
        raise Unproven("no client secret was supplied, which reads the mailbox", missing(CLIENT_SECRET))
    endpoint = tenant.endpoints.graph
    loading = asyncio.create_task(asyncio.to_thread(_load))
    try:
        token = await client_token(run.network, tenant, secret, f"{endpoint}/.default")
    except (TokenRefused, TokenUnreachable) as error:
        raise Unproven(str(error), "check [tenant] id, client_id and the client secret") from None
    finally:
        await loading
    return Graph(_adapter(http.client(run.network), token, endpoint), endpoint)


def _load() -> None:
    """Import msgraph-sdk's parts that the suite uses, which takes a good part of a second."""
    # It warns of its own deprecated parts while it is imported.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(kiota_|msgraph).*")
    for part in PARTS:
        importlib.import_module(part)


def _adapter(base: httpx.AsyncClient, token: str, endpoint: str) -> Any:
    from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator  # noqa: PLC0415
    from kiota_abstractions.authentication.base_bearer_token_authentication_provider import (  # noqa: PLC0415
        BaseBearerTokenAuthenticationProvider,
    )
    from msgraph.graph_request_adapter import GraphRequestAdapter  # noqa: PLC0415
    from msgraph_core import GraphClientFactory  # noqa: PLC0415

    class Given(AccessTokenProvider):
        async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:  # noqa: ARG002
            return token

        def get_allowed_hosts_validator(self) -> Any:
            return AllowedHostsValidator([httpx.URL(endpoint).host])

    wire = GraphClientFactory.create_with_default_middleware(client=base)
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Given()), client=wire)
    adapter.base_url = f"{endpoint}/v1.0"
    return adapter
