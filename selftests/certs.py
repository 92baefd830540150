"""Certificates for bad servers: trusted, of another name, self-signed, weak; and contexts that show them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SUBMISSION = "smtp.office365.com"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@cache
def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate("Authority of the tests", key, None)


def _certificate(
    name: str,
    key: Any,
    issuer: tuple[Any, x509.Certificate] | None,
    *,
    names: tuple[str, ...] = (),
    days: int = 30,
) -> x509.Certificate:
    now = datetime.now(UTC)
    issuer_key, issuer_name = (issuer[0], issuer[1].subject) if issuer else (key, _name(name))
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(host) for host in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def ca_pem() -> str:
    """Return the authority's certificate."""
    return _authority()[1].public_bytes(serialization.Encoding.PEM).decode()


def pem(*names: str, trusted: bool = True, days: int = 30) -> bytes:
    """Return a new key and its certificate for some names, as a server's program reads them."""
    key = ec.generate_private_key(ec.SECP256R1())
    shown = _certificate(names[0], key, _authority() if trusted else None, names=names, days=days)
    no_password = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    return private + shown.public_bytes(serialization.Encoding.PEM)


@cache
def context(name: str = SUBMISSION, *, trusted: bool = True, days: int = 30, only: str = "") -> ssl.SSLContext:
    """Return a server's context.

    Args:
        name: whose certificate it shows.
        trusted: of the authority; else self-signed.
        days: until it expires; negative for one that has.
        only: a version of TLS that it speaks alone, such as ``TLSv1``.
    """
    made = _loaded(pem(name, trusted=trusted, days=days))
    if only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = made.maximum_version = ssl.TLSVersion[only]
    return made


@cache
def weak(name: str) -> ssl.SSLContext | None:
    """Return a context with an RSA key of 1024 bits signed by SHA-1; None where no openssl command can make one."""
    command = shutil.which("openssl")
    if command is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        options = [
            "req",
            "-x509",
            "-newkey",
            "rsa:1024",
            "-sha1",
            "-nodes",
            "-days",
            "30",
            "-keyout",
            "server.pem",
            "-out",
            "shown.pem",
        ]
        done = subprocess.run([command, *options, "-subj", f"/CN={name}"], cwd=folder, capture_output=True, check=False)
        return _loaded(path.read_bytes() + Path(folder, "shown.pem").read_bytes()) if done.returncode == 0 else None


def _loaded(pem: bytes) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(pem)
        made.load_cert_chain(path)
    return made
