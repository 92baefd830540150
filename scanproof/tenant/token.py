"""Access tokens by client credentials (RFC 6749 §4.4; Microsoft identity platform)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from scanproof import redact
from scanproof.http import client
from scanproof.redact import plain

if TYPE_CHECKING:
    from scanproof.network import Network
    from scanproof.sitefile import TenantTable


class TokenRefused(Exception):  # noqa: N818 - the endpoint's answer
    """The login endpoint refused; the message is its own."""


class TokenUnreachable(Exception):  # noqa: N818
    """The login endpoint could not be asked."""


async def client_token(network: Network, tenant: TenantTable, secret: str, scope: str) -> str:
    """Return an access token for an app of the tenant.

    Args:
        network: the wire.
        tenant: names the tenant, the app and the login endpoint.
        secret: the app's client secret.
        scope: what the token is for, such as ``https://graph.microsoft.com/.default``.

    Raises:
        TokenRefused: wrong secret, unknown app or tenant.
        TokenUnreachable: no usable answer.
    """
    endpoint = tenant.endpoints.login
    url = f"{endpoint}/{tenant.id}/oauth2/v2.0/token"
    form = {"client_id": tenant.client_id, "client_secret": secret, "scope": scope, "grant_type": "client_credentials"}
    deadline = network.deadlines.connect + network.deadlines.tls + network.deadlines.response
    try:
        async with asyncio.timeout(deadline), client(network) as http:
            found = await http.post(url, data=form)
    except TimeoutError:
        raise TokenUnreachable(f"no token from {endpoint}: it did not answer within {deadline:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TokenUnreachable(f"no token from {endpoint}: {plain(str(error), 200)}") from None
    body = _fields(found)
    if body is None:
        what = found.headers.get("content-type", "no content type")
        raise TokenUnreachable(
            f"no token from {endpoint}: HTTP {found.status_code}, {plain(what, 100)}, is not its JSON"
        )
    token = body.get("access_token")
    if isinstance(token, str) and token:
        redact.register(token)
        return token
    lines = str(body.get("error_description") or body.get("error") or f"HTTP {found.status_code}").splitlines()
    raise TokenRefused(f"{endpoint} refused a token: {plain(lines[0], 300)}")


def _fields(found: httpx.Response) -> dict[str, Any] | None:
    try:
        body = found.json()
    except (ValueError, RecursionError):  # a proxy's page, or worse
        return None
    return body if isinstance(body, dict) else None
