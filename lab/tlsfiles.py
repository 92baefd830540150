"""The lab's certificates: one authority for the services, a self-signed one for the copiers.

They are made anew at each start and exist in memory only, but for the moment in which ``ssl`` reads them.
"""

from __future__ import annotations

import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from lab.copierstate import Generation

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
OLD_CIPHERS = "ALL:@SECLEVEL=0"  # OpenSSL 3 makes no TLS 1.0 handshake at its default level
RSA_CIPHERS = "kRSA:@SECLEVEL=0"  # the key exchange that devices without ECDHE are left with
# What Exchange Online takes since 2025: no key exchange by RSA. guess: whether that holds for TLS 1.0 and 1.1,
# whose clients get as far as a reply; here it does not.
MAIL_CIPHERS = "ALL:!kRSA:@SECLEVEL=0"


@dataclass(frozen=True)
class Tls:
    """The server sides' contexts, and the authority's certificate.

    Attributes:
        mail: as Exchange Online: old clients get as far as a reply that says they are too old.
        mail_modern: TLS 1.3 only.
        web: sign-in, Graph and Exchange's admin API; TLS 1.2 and newer.
        copier: a device of today.
        copier_old: a device that knows TLS 1.0 only.
    """

    ca_pem: str
    mail: ssl.SSLContext
    mail_modern: ssl.SSLContext
    web: ssl.SSLContext
    copier: ssl.SSLContext
    copier_old: ssl.SSLContext

    def copier_rsa(self) -> ssl.SSLContext:
        """Return a device of today's TLS 1.2 without ECDHE; made when one is there, since its key takes long."""
        with tempfile.TemporaryDirectory(prefix="lab-") as folder:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            path = _files(Path(folder, "device.pem"), ("RNP-web-image-monitor",), None, None, key)
            return _context(path, oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_2, ciphers=RSA_CIPHERS)


def device_client(generation: Generation) -> ssl.SSLContext:
    """Return what a device of a generation sends mail with; it checks no certificate (guess: its default)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if generation == "tls1.0":
            context.set_ciphers(OLD_CIPHERS)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        elif generation == "tls1.2-rsa":
            context.set_ciphers(RSA_CIPHERS)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def make(mail_names: tuple[str, ...], web_names: tuple[str, ...]) -> Tls:
    """Make an authority and every server's certificate.

    Args:
        mail_names: the host names of the mail services.
        web_names: those of sign-in and the APIs.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Simulated authority of the demo site")
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, ())
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        mail = _files(Path(folder, "mail.pem"), mail_names, ca_name, ca_key)
        web = _files(Path(folder, "web.pem"), web_names, ca_name, ca_key)
        device = _files(Path(folder, "device.pem"), ("RNP-web-image-monitor",), None, None)
        return Tls(
            ca_pem=ca.public_bytes(serialization.Encoding.PEM).decode(),
            mail=_context(mail, oldest=ssl.TLSVersion.TLSv1, ciphers=MAIL_CIPHERS),
            mail_modern=_context(mail, oldest=ssl.TLSVersion.TLSv1_3),
            web=_context(web, oldest=ssl.TLSVersion.TLSv1_2),
            copier=_context(device, oldest=ssl.TLSVersion.TLSv1_2),
            copier_old=_context(device, oldest=ssl.TLSVersion.TLSv1, newest=ssl.TLSVersion.TLSv1),
        )


def interceptor(names: tuple[str, ...]) -> ssl.SSLContext:
    """Return the context of a firewall that ends TLS in the services' names, by an authority that nobody here trusts.

    Args:
        names: the host names of the services.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        authority = _name("Firewall SSL inspection")
        path = _files(Path(folder, "inspected.pem"), names, authority, ec.generate_private_key(ec.SECP256R1()))
        return _context(path, oldest=ssl.TLSVersion.TLSv1_2)


def _context(
    path: Path,
    *,
    oldest: ssl.TLSVersion,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = OLD_CIPHERS,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # naming TLS 1.0 is what this lab is for
        if oldest < ssl.TLSVersion.TLSv1_2 or ciphers != OLD_CIPHERS:
            context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = oldest, newest
    return context


def _files(
    path: Path,
    names: tuple[str, ...],
    issuer: x509.Name | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
    key: Key | None = None,
) -> Path:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = _name(names[0])
    certificate = _certificate(name, issuer or name, key, issuer_key or key, names)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    issuer_key: Key,
    names: tuple[str, ...],
) -> x509.Certificate:
    now, authority = datetime.now(UTC), not names
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=isinstance(key, rsa.RSAPrivateKey),
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())
