"""login.microsoftonline.com: tokens for an app by its secret or certificate, and for an engineer by device code."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lab.httpserver import Response
from lab.tokens import LIFETIME, Audience, Grant, access_token, assertion_problem

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_OPENID = frozenset({"openid", "profile", "email", "offline_access"})
_DELEGATED_MAIL = frozenset({"SMTP.Send", "Exchange.Manage"})
# Microsoft's own public clients, which exist in every tenant, with what theirs is in Exchange.
_PUBLIC = {
    "14d82eec-204b-4c2f-b7e8-296a70dab67e": frozenset[str](),  # Connect-MgGraph
    "fb78d390-0c51-40cd-8e17-fdbfab77341b": frozenset({"AdminApi.AccessAsUser.All"}),  # Connect-ExchangeOnline
}


@dataclass
class DeviceCode:
    """A code that an engineer is to type in."""

    client: str
    scope: str
    until: float
    pending: int


@dataclass
class SignIn:
    """The tokens that were issued, and who may have more."""

    estate: Estate
    issued: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, DeviceCode] = field(default_factory=dict)

    def grant(self, token: str, audience: Audience) -> Grant | None:
        """Return what a token allows; None unless it was issued for this API and has not run out."""
        found = self.issued.get(token)
        return found if found and found.audience == audience and time.monotonic() < found.until else None

    def may_send(self, token: str) -> bool:
        """Tell whether a token signs in to SMTP by itself."""
        found = self.grant(token, "outlook")
        return found is not None and "SMTP.SendAsApp" in found.permissions

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        first, _, rest = request.path.lstrip("/").partition("/")
        if request.path.endswith("/discovery/instance"):
            return Response.json(self._discovery())
        if rest == "v2.0/.well-known/openid-configuration":
            return Response.json(self._configuration(first)) if self._knows(first) else self._no_tenant(first)
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            return self._token(first, request.form) if self._knows(first) else self._no_tenant(first)
        if rest == "oauth2/v2.0/devicecode" and request.method == "POST":
            return self._device_code(first, request.form) if self._knows(first) else self._no_tenant(first)
        return Response(404)

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() in {self.estate.tenant.id.lower(), *self.estate.tenant.accepted_domains}

    def _token(self, tenant: str, form: dict[str, str]) -> Response:
        if form.get("grant_type") == _DEVICE and form.get("client_id", "").lower() in _PUBLIC:
            return self._by_device_code(form)
        if unknown := self._unknown_app(tenant, form):
            return unknown
        if form.get("grant_type") == _DEVICE:
            return self._by_device_code(form)
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if refused := self._not_the_app(tenant, form):
            return refused
        audience = self._audiences().get(form.get("scope", ""))
        if audience is None:
            text = f"The provided value for scope {form.get('scope', '')} is not valid."
            return _refusal(400, "invalid_scope", 1002012, text)
        app = self.estate.app
        permissions = app.permissions if audience == "graph" else app.exchange_permissions
        until = time.monotonic() + LIFETIME
        return self._issue(Grant(audience, frozenset(permissions), frozenset(app.roles), until))

    def _unknown_app(self, tenant: str, form: dict[str, str]) -> Response | None:
        name = form.get("client_id", "")
        if name.lower() == self.estate.app.client_id.lower():
            return None
        text = f"Application with identifier '{name}' was not found in the directory '{tenant}'."
        return _refusal(400, "unauthorized_client", 700016, text)

    def _not_the_app(self, tenant: str, form: dict[str, str]) -> Response | None:
        """Return the refusal of what an app proves itself by; None where it is right."""
        app, base = self.estate.app, f"https://{self.estate.plan.login_host}"
        if "client_assertion" in form:
            if form.get("client_assertion_type") != _ASSERTION:
                return _refusal(400, "invalid_request", 900144, "The 'client_assertion_type' is not supported.")
            names = {tenant, self.estate.tenant.id, *self.estate.tenant.accepted_domains}
            ends = ("oauth2/v2.0/token", "v2.0", "oauth2/token")
            audiences = tuple(f"{base}/{name}/{end}" for name in names for end in ends)
            problem = assertion_problem(form["client_assertion"], app, audiences)
            return _refusal(401, "invalid_client", 700027, problem) if problem else None
        if "client_secret" not in form:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            return _refusal(401, "invalid_client", 7000218, text)
        if not secrets.compare_digest(form["client_secret"].encode(), app.secret.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{app.client_id}'."
            )
            return _refusal(401, "invalid_client", 7000215, text)
        if app.secret_expired:
            text = (
                f"The provided client secret keys for app '{app.client_id}' are expired. Visit the Azure portal to "
                "create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate "
                "credentials for added security: https://aka.ms/certCreds."
            )
            return _refusal(401, "invalid_client", 7000222, text)
        return None

    def _device_code(self, tenant: str, form: dict[str, str]) -> Response:
        client = form.get("client_id", "").lower()
        if client not in _PUBLIC and (unknown := self._unknown_app(tenant, form)):
            return unknown
        state, scope = self.estate.tenant.device_codes, form.get("scope", "")
        if self._delegated(scope, client) is None:
            return _refusal(400, "invalid_scope", 70011, f"The provided value for the scope '{scope}' is not valid.")
        code, shown = secrets.token_urlsafe(48), secrets.token_hex(5)[:9].upper()
        self.codes[code] = DeviceCode(client, scope, time.monotonic() + state.lifetime, state.pending)
        where = "https://microsoft.com/devicelogin"
        return Response.json(
            {
                "user_code": shown,
                "device_code": code,
                "verification_uri": where,
                "expires_in": int(state.lifetime),
                "interval": state.interval,
                "message": f"To sign in, use a web browser to open the page {where} and enter the code {shown} to "
                "authenticate.",
            }
        )

    def _by_device_code(self, form: dict[str, str]) -> Response:
        code = self.codes.get(form.get("device_code", ""))
        if code is None or code.client != form["client_id"].lower():
            return _refusal(400, "bad_verification_code", 70043, "The device code is not valid.")
        if time.monotonic() >= code.until:
            return _refusal(400, "expired_token", 70020, "The provided value for the device code has expired.")
        if code.pending > 0:
            code.pending -= 1
            text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
            return _refusal(400, "authorization_pending", 70016, text)
        del self.codes[form["device_code"]]
        granted = self._delegated(code.scope, code.client)
        engineer = self.estate.account(self.estate.tenant.device_codes.engineer)
        assert granted is not None
        assert engineer is not None
        audience, permissions = granted
        roles = frozenset(role.template for role in engineer.roles)
        until = time.monotonic() + LIFETIME
        return self._issue(Grant(audience, permissions, roles, until, user=engineer.address))

    def _delegated(self, scope: str, client: str) -> tuple[Audience, frozenset[str]] | None:
        """Return what a scope asks for in an engineer's name; None where it is not one that there is."""
        wanted = [part for part in scope.split() if part not in _OPENID]
        consented = frozenset(self.estate.app.delegated)
        bases = {name.removesuffix(".default"): audience for name, audience in self._audiences().items()}
        found: set[tuple[Audience, str]] = set()
        for part in wanted:
            base = next((base for base in bases if part.startswith(base)), "")
            found.add((bases.get(base, "graph"), part.removeprefix(base)))  # a bare name is Graph's
        if len({audience for audience, _ in found}) != 1:
            return None
        audience = next(iter(found))[0]
        known = consented if audience == "graph" else _PUBLIC.get(client, _DELEGATED_MAIL)
        names = {name for _, name in found}
        if not names <= {".default", *known}:
            return None
        return audience, known if ".default" in names else frozenset(names)

    def _audiences(self) -> dict[str, Audience]:
        """Return each scope that stands for the whole of an API."""
        plan = self.estate.plan
        return {
            f"https://{plan.graph_host}/.default": "graph",
            f"https://{plan.exchange_host}/.default": "outlook",
            "https://outlook.office365.com/.default": "outlook",
            "https://outlook.office.com/.default": "outlook",
        }

    def _issue(self, grant: Grant) -> Response:
        plan = self.estate.plan
        host = plan.graph_host if grant.audience == "graph" else plan.exchange_host
        token = access_token(self.estate.tenant.id, self.estate.app.client_id, f"https://{host}", grant)
        self.issued[token] = grant
        body = {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token}
        if grant.user:
            body["scope"] = " ".join(f"https://{host}/{name}" for name in sorted(grant.permissions))
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
