"""Access tokens from the Microsoft identity platform (RFC 6749 §4.4, RFC 7523, RFC 8628).

The app signs in by a certificate or a client secret; where a site has no app yet, an engineer signs in by a
device code in a browser of their own.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from scanproof import redact
from scanproof.http import client
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.secrets import CLIENT_CERTIFICATE, CLIENT_SECRET, missing
from scanproof.tenant import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from scanproof.gather import Run
    from scanproof.network import Network
    from scanproof.secrets import Secrets
    from scanproof.sitefile import TenantTable

# Microsoft's own public clients, which exist in every tenant: what Connect-MgGraph -UseDeviceCode and
# Connect-ExchangeOnline -Device sign in with.
_GRAPH_TOOLS = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
_EXCHANGE_TOOLS = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SPARE = 60.0  # seconds before its end at which a token is exchanged for another
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class TokenRefused(Exception):  # noqa: N818 - the endpoint's answer
    """The login endpoint refused; the message is its own."""


class TokenUnreachable(Exception):  # noqa: N818
    """The login endpoint could not be asked."""


@dataclass(frozen=True)
class Token:
    """An access token, and what it says of itself.

    Attributes:
        ends: when it runs out, by ``time.monotonic``.
        claims: its payload (RFC 7519); empty where it isn't a JWT. Nothing is decided by them about access: they
            are shown as what the tenant granted.
    """

    text: str = field(repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ends: float = math.inf

    def listed(self, claim: str) -> tuple[str, ...]:
        """Return a claim that is a list, or blank-separated text, as words."""
        value = self.claims.get(claim) or ()
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
        return tuple(plain(word, 200) for word in words[:200] if isinstance(word, str))


@dataclass(frozen=True)
class Secret:
    """An app's client secret."""

    value: str = field(repr=False)

    def form(self, tenant: TenantTable, url: str) -> dict[str, str]:  # noqa: ARG002 - as a certificate's
        """Return the fields that prove who asks."""
        return {"client_secret": self.value}


@dataclass(frozen=True)
class Certificate:
    """An app's certificate with its private key, in PEM."""

    pem: str = field(repr=False)

    def form(self, tenant: TenantTable, url: str) -> dict[str, str]:
        """Return the fields that prove who asks: an assertion for this endpoint, good for ten minutes."""
        import jwt  # noqa: PLC0415 - a run by a client secret has no use for it
        from cryptography import x509  # noqa: PLC0415
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

        try:
            certificate = x509.load_pem_x509_certificate(self.pem.encode())
            key: Any = load_pem_private_key(self.pem.encode(), password=None)
            thumb = base64.urlsafe_b64encode(certificate.fingerprint(SHA256())).decode().rstrip("=")
            now = int(time.time())
            claims = {"aud": url, "iss": tenant.client_id, "sub": tenant.client_id, "jti": str(uuid.uuid4())}
            claims |= {"nbf": now, "exp": now + 600}  # type: ignore[dict-item]
            assertion = jwt.encode(claims, key, algorithm="PS256", headers={"x5t#S256": thumb})
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
            raise TokenRefused(
                f"{CLIENT_CERTIFICATE} is no PEM text or file with a certificate and its RSA key, without a passphrase"
            ) from None
        redact.register(assertion)
        return {"client_assertion_type": _ASSERTION, "client_assertion": assertion}


Credential = Secret | Certificate


async def client_token(network: Network, tenant: TenantTable, credential: Credential, scope: str) -> Token:
    """Return an access token for an app of the tenant (client credentials).

    Args:
        network: the wire.
        tenant: names the tenant, the app and the login endpoint.
        credential: the app's client secret or certificate.
        scope: what the token is for, such as ``https://graph.microsoft.com/.default``.

    Raises:
        TokenRefused: wrong or expired secret, unknown app or tenant.
        TokenUnreachable: no usable answer.
    """
    url = f"{tenant.endpoints.login}/{tenant.id}/oauth2/v2.0/token"
    form = {"client_id": tenant.client_id, "scope": scope, "grant_type": "client_credentials"}
    body = await _asked(network, tenant, url, {**form, **credential.form(tenant, url)})
    return _token(tenant, body)


async def app_token(run: Run, scope: str) -> Token:
    """Return the run's token of the site's app for a scope; one serves every probe of a run, until it runs out.

    Raises:
        Unproven: the site file names no tenant and app, or neither secret nor certificate was supplied.
        TokenRefused: as ``client_token``.
        TokenUnreachable: as ``client_token``.
    """
    tenant = run.site.file.tenant
    if not tenant.id or not tenant.client_id:
        raise Unproven("the site file names no tenant and app", "state [tenant] id and client_id in site.toml")
    credential = credential_of(run.secrets)
    for number in itertools.count():
        name = f"token {scope} {number}"
        token = await run.once(name, lambda: client_token(run.network, tenant, credential, scope))
        if time.monotonic() < token.ends - _SPARE:
            break
    return token


def credential_of(secrets: Secrets) -> Credential:
    """Return what the app signs in by: its certificate where there is one, else its secret.

    Raises:
        Unproven: neither was supplied, or the certificate's file can't be read.
    """
    pem, secret = secrets.get(CLIENT_CERTIFICATE), secrets.get(CLIENT_SECRET)
    if not pem and not secret:
        raise Unproven("neither a client secret nor a certificate of the app was supplied", missing(CLIENT_SECRET))
    return Certificate(_pem(pem)) if pem else Secret(str(secret))


def _pem(given: str) -> str:
    """Return the PEM text that was given, or that the named file holds."""
    if "-----BEGIN" in given:
        text = given
    else:
        try:
            text = Path(given).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not PEM text"
            raise Unproven(f"the file that {CLIENT_CERTIFICATE} names can't be read: {why}", "correct it") from None
    inside = False
    for line in text.splitlines():
        if "-----" in line:
            inside = "PRIVATE KEY" in line and "BEGIN" in line
        elif inside and len(line) >= 20:
            redact.register(line)
    return text


async def reading_token(run: Run, api: Literal["graph", "exchange"]) -> Token:
    """Return the run's token to read the tenant by: the app's, or that of an engineer who signs in.

    Raises:
        Unproven: none is to be had; says why and what to do.
    """
    tenant = run.site.file.tenant
    base = tenant.endpoints.graph if api == "graph" else tenant.endpoints.exchange
    try:
        if tenant.sign_in == "app":
            return await app_token(run, f"{base}/.default")
        # One at a time: two codes on one screen would be taken for each other.
        before = run.begin("token graph by device", lambda: _device_token(run, "graph")) if api == "exchange" else None
        if before:
            await asyncio.wait([before])
        token = await run.once(f"token {api} by device", lambda: _device_token(run, api))
    except (TokenRefused, TokenUnreachable) as error:
        remedy = "check [tenant] id and client_id, and the app's secret or certificate"
        if "AADSTS7000222" in str(error):  # the secret has expired
            remedy = (
                "make a new client secret for the app (Entra admin center, App registrations), then: "
                f"scanproof secret set {CLIENT_SECRET}"
            )
        if tenant.sign_in == "device":
            remedy = "run again, and sign in by the code that is shown"
        if isinstance(error, TokenUnreachable):
            remedy = "let this machine reach the login endpoint, and run again"
            raise Unproven(str(error), remedy, "service-unreachable") from None
        raise Unproven(str(error), remedy, "client-secret" if tenant.sign_in == "app" else "") from None

    if time.monotonic() >= token.ends:  # nobody is asked to sign in again in the midst of a run
        remedy = "run again, and sign in anew; a run of more than an hour takes an app ([tenant] sign_in)"
        raise Unproven(f"the engineer's sign-in for {api} has run out", remedy)
    return token


async def _device_token(run: Run, api: Literal["graph", "exchange"]) -> Token:
    """Let an engineer sign in by a browser: a code is shown on the terminal, and the token awaited (RFC 8628)."""
    from scanproof.tenant.permissions import SCOPES  # noqa: PLC0415

    tenant = run.site.file.tenant
    if not tenant.id:
        raise Unproven("the site file names no tenant", "state [tenant] id in site.toml")
    base = tenant.endpoints.graph if api == "graph" else tenant.endpoints.exchange
    if tenant.client_id or api == "exchange":
        scope = f"{base}/.default"
    else:
        scope = " ".join(f"{base}/{name}" for name in SCOPES)
    application = tenant.client_id or (_GRAPH_TOOLS if api == "graph" else _EXCHANGE_TOOLS)
    start = f"{tenant.endpoints.login}/{tenant.id}/oauth2/v2.0"
    asked = await _asked(run.network, tenant, f"{start}/devicecode", {"client_id": application, "scope": scope})
    code, shown, where = (str(asked.get(name) or "") for name in ("device_code", "user_code", "verification_uri"))
    if not (code and shown and where):
        raise TokenRefused(_said(tenant, asked))
    redact.register(code)
    run.tell(f"To let this run read the tenant ({api}): open {plain(where, 200)} and enter {plain(shown, 40)}")
    until = time.monotonic() + min(_number(asked.get("expires_in"), 900), 900)
    wait = max(_number(asked.get("interval"), 5), 0.2)
    form = {"grant_type": _DEVICE, "client_id": application, "device_code": code}
    while time.monotonic() < until:
        await asyncio.sleep(min(wait, max(until - time.monotonic(), 0)))
        found = await _asked(run.network, tenant, f"{start}/token", form)
        if found.get("error") == "slow_down":
            wait += 5
        elif found.get("error") != "authorization_pending":
            return _token(tenant, found)
    raise TokenRefused("nobody entered the code in time")


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e6 else default  # nor what is no number


async def _asked(network: Network, tenant: TenantTable, url: str, form: dict[str, str]) -> dict[str, Any]:
    endpoint = tenant.endpoints.login
    deadline = network.deadlines.connect + network.deadlines.tls + network.deadlines.response
    try:
        async with asyncio.timeout(deadline), client(network, allow=allowed.login(tenant)) as http:
            found = await http.post(url, data=form)
    except TimeoutError:
        raise TokenUnreachable(f"no token from {endpoint}: it did not answer within {deadline:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, allowed.NotAllowed) as error:
        raise TokenUnreachable(f"no token from {endpoint}: {plain(str(error), 200)}") from None
    body = _fields(found)
    if body is None:
        what = found.headers.get("content-type", "no content type")
        raise TokenUnreachable(
            f"no token from {endpoint}: HTTP {found.status_code}, {plain(what, 100)}, is not its JSON"
        )
    return {"status": found.status_code, **body}


def _token(tenant: TenantTable, body: dict[str, Any]) -> Token:
    token = body.get("access_token")
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise TokenRefused(_said(tenant, body))
    redact.register(token)
    lasts = max(_number(body.get("expires_in"), 3600), 2 * _SPARE)  # whatever is said: none is asked for at every turn
    return Token(token, _claims(token), time.monotonic() + lasts)


def _said(tenant: TenantTable, body: dict[str, Any]) -> str:
    lines = str(body.get("error_description") or body.get("error") or f"HTTP {body.get('status')}").splitlines()
    return f"{tenant.endpoints.login} refused a token: {plain(lines[0], 300)}"


def _claims(token: str) -> dict[str, Any]:
    """Return the payload of a JWT (RFC 7519) as it stands: who issued it is not for us to verify."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _fields(found: httpx.Response) -> dict[str, Any] | None:
    try:
        body = found.json()
    except (ValueError, RecursionError):  # a proxy's page, or worse
        return None
    return body if isinstance(body, dict) else None
