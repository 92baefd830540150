"""Access tokens as Entra issues them, and an app's assertion that it has its certificate's key."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from lab.directory import App

Audience = Literal["graph", "outlook"]
LIFETIME = 3599  # seconds
# guess: the template that stands in the tokens of published samples of apps, whether or not they have a role
_ANY_APP = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"
_ASSERTION_AGE = 24 * 3600  # seconds that an assertion may run at most


@dataclass(frozen=True)
class Grant:
    """What an issued token allows.

    Attributes:
        roles: by template: the directory roles of the app, or of the user where one signed in.
        user: the address of who signed in; None where the app did by itself.
    """

    audience: Audience
    permissions: frozenset[str]
    roles: frozenset[str]
    until: float
    user: str | None = None


def segment(data: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsegment(text: str) -> bytes:
    """Return the bytes of base64url without padding.

    Raises:
        ValueError: it is none.
    """
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))


def access_token(tenant: str, client_id: str, audience: str, grant: Grant) -> str:
    """Return a token as its readers see it: three parts, the second of which says what it allows.

    Its signature is none: whoever takes it in the lab knows each token that was issued.
    """
    now = int(time.time())
    claims: dict[str, Any] = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now - 300,
        "nbf": now - 300,
        "exp": now + LIFETIME,
        "appid": client_id,
        "appidacr": "0" if grant.user else "1",
        "idtyp": "user" if grant.user else "app",
        "tid": tenant,
        "ver": "1.0",
        "wids": sorted({*grant.roles, _ANY_APP}),
    }
    if grant.user:
        claims |= {"scp": " ".join(sorted(grant.permissions)), "upn": grant.user, "unique_name": grant.user}
    else:
        claims["roles"] = sorted(grant.permissions)
    header = {"typ": "JWT", "alg": "RS256", "x5t": segment(secrets.token_bytes(20)), "kid": "lab"}
    parts = [segment(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, segment(secrets.token_bytes(256))])


def assertion_problem(text: str, app: App, audiences: tuple[str, ...]) -> str | None:
    """Say what is wrong with a client's assertion (RFC 7523); None where it proves the certificate's key."""
    try:
        head, body, signature = text.split(".")
        header, claims = json.loads(unsegment(head)), json.loads(unsegment(body))
        sealed = unsegment(signature)
    except ValueError:
        return "The client assertion is not a valid JSON Web Token."
    if app.certificate is None:
        return "The certificate with identifier used to sign the client assertion is not registered on application."
    if header.get("alg") not in {"RS256", "PS256"} or not _names(header, app.certificate):
        return "The certificate with identifier used to sign the client assertion is not registered on application."
    if not _sealed(app.certificate, f"{head}.{body}".encode(), sealed, header["alg"]):
        return "Client assertion failed signature validation."
    now = time.time()
    if not now - 300 < claims.get("exp", 0) < now + _ASSERTION_AGE + 300:
        return "Client assertion is not within its valid time range."
    if claims.get("aud") not in audiences:
        return "Client assertion audience claim does not match Realm issuer."
    if {claims.get("iss"), claims.get("sub")} != {app.client_id}:
        return "Client assertion contains an issuer or a subject that is not the application."
    return None


def _names(header: dict[str, Any], certificate: Certificate) -> bool:
    """Tell whether an assertion's header names a certificate by its thumbprint."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only a lab with a certificate needs it

    thumbprints = {
        "x5t": segment(certificate.fingerprint(hashes.SHA1())),  # noqa: S303 - it names, and proves nothing
        "x5t#S256": segment(certificate.fingerprint(hashes.SHA256())),
    }
    # Microsoft's own library pads its thumbprints, which RFC 7515 does not.
    return any(str(header.get(name)).rstrip("=") == value for name, value in thumbprints.items())


def _sealed(certificate: Certificate, signed: bytes, signature: bytes, algorithm: str) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    sha = hashes.SHA256()
    way = padding.PSS(padding.MGF1(sha), sha.digest_size) if algorithm == "PS256" else padding.PKCS1v15()
    try:
        key.verify(signature, signed, way, sha)
    except InvalidSignature:
        return False
    return True


def app_certificate() -> tuple[str, Certificate]:
    """Make a key pair for the app; return key and certificate as one PEM text, and the certificate."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - as above

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Scanproof")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode(), certificate
