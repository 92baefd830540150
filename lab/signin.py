"""login.microsoftonline.com: tokens for an app that signs in by its secret."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from lab.httpserver import Response

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request

Audience = Literal["graph", "outlook"]
LIFETIME = 3599  # seconds
_SCOPES: dict[str, Audience] = {
    "https://graph.microsoft.com/.default": "graph",
    "https://outlook.office365.com/.default": "outlook",
    "https://outlook.office.com/.default": "outlook",
}


@dataclass
class SignIn:
    """The tokens that were issued, and who may have more."""

    estate: Estate
    issued: dict[str, tuple[Audience, float]] = field(default_factory=dict)

    def grants(self, token: str, audience: Audience, permission: str) -> bool:
        """Tell whether a token is valid for an API, and its app holds a permission there."""
        return self.valid(token, audience) and permission in self.estate.app.permissions

    def valid(self, token: str, audience: Audience) -> bool:
        """Tell whether a token was issued for an API and has not run out."""
        found, until = self.issued.get(token, (None, 0.0))
        return found == audience and time.monotonic() < until

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        first, _, rest = request.path.lstrip("/").partition("/")
        if request.path.endswith("/discovery/instance"):
            return Response.json(self._discovery())
        if rest == "v2.0/.well-known/openid-configuration":
            return Response.json(self._configuration(first)) if self._knows(first) else self._no_tenant(first)
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            return self._token(first, request.form) if self._knows(first) else self._no_tenant(first)
        return Response(404)

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() in {self.estate.tenant.id.lower(), *self.estate.tenant.accepted_domains}

    def _token(self, tenant: str, form: dict[str, str]) -> Response:
        app = self.estate.app
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form.get("client_id", "").lower() != app.client_id.lower():
            text = (
                f"Application with identifier '{form.get('client_id', '')}' was not found in the directory '{tenant}'."
            )
            return _refusal(400, "unauthorized_client", 700016, text)
        if not secrets.compare_digest(form.get("client_secret", "").encode(), app.secret.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{app.client_id}'."
            )
            return _refusal(401, "invalid_client", 7000215, text)
        audience = _SCOPES.get(form.get("scope", ""))
        if audience is None:
            text = f"The provided value for scope {form.get('scope', '')} is not valid."
            return _refusal(400, "invalid_scope", 1002012, text)
        token = secrets.token_urlsafe(48)
        self.issued[token] = (audience, time.monotonic() + LIFETIME)
        body = {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token}
        return Response.json(body, headers={"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})

    def _no_tenant(self, tenant: str) -> Response:
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return _refusal(400, "invalid_request", 90002, text)

    def _configuration(self, tenant: str) -> dict[str, object]:
        base = f"https://{self.estate.plan.login_host}"
        return {
            "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/{tenant}/discovery/v2.0/keys",
            "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
            "issuer": f"{base}/{self.estate.tenant.id}/v2.0",
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": self.estate.plan.graph_host,
        }

    def _discovery(self) -> dict[str, object]:
        host = self.estate.plan.login_host
        return {
            "tenant_discovery_endpoint": f"https://{host}/{self.estate.tenant.id}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }


def _refusal(status: int, error: str, code: int, text: str) -> Response:
    trace, correlation, now = str(uuid.uuid4()), str(uuid.uuid4()), datetime.now(UTC)
    stamp = f"{now:%Y-%m-%d %H:%M:%SZ}"
    description = f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    return Response.json(
        {
            "error": error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        },
        status,
    )
