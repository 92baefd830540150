"""Reads X.509 certificates, trusted or not (RFC 5280)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from scanproof.evidence import Certificate, Tls
from scanproof.redact import plain

if TYPE_CHECKING:
    import asyncio
    import ssl


def certificate(der: bytes) -> Certificate | None:
    """Return a certificate's facts; None where it isn't one.

    Args:
        der: the certificate in DER.
    """
    try:
        cert = x509.load_der_x509_certificate(der)
        try:
            names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            hosts = [plain(str(name.value), 255) for name in names][:50]
        except x509.ExtensionNotFound:
            hosts = []
        return Certificate(
            subject=_name(cert.subject),
            issuer=_name(cert.issuer),
            names=tuple(hosts),
            not_before=cert.not_valid_before_utc,
            not_after=cert.not_valid_after_utc,
            sha256=hashlib.sha256(der).hexdigest(),
            key=_key(cert),
        )
    except ValueError:  # devices' home-made certificates break rules that the parser keeps
        return None


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return plain(str(common[0].value) if common else name.rfc4514_string(), 255)


def _key(cert: x509.Certificate) -> str:
    key = cert.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__


def tls_facts(transport: asyncio.BaseTransport, problem: str = "") -> Tls | None:
    """Return what a transport's TLS layer negotiated; None where it has none."""
    return tls_seen(transport.get_extra_info("ssl_object"), problem)


def tls_seen(layer: ssl.SSLObject | None, problem: str = "") -> Tls | None:
    """Return what a TLS layer negotiated; None where there is none."""
    if layer is None:
        return None
    cipher, der = layer.cipher(), layer.getpeercert(binary_form=True)
    return Tls(
        version=layer.version() or "unknown",
        cipher=cipher[0] if cipher else "unknown",
        certificate=certificate(der) if der else None,
        problem=problem,
    )
