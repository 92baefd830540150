"""Why a connection came to nothing: a kind to compare by, and the words to show."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Literal, NamedTuple

from scanproof.kinds import Unproven

Kind = Literal[
    "",  # there was none, or it is of none of the kinds below
    "timed-out",  # nothing answered, or no more, within the deadline
    "refused",  # a reset of the connection's first packet, or a port unreachable
    "reset",  # a connection that was there was cut
    "unreachable",  # a router, a rule or this machine's own stack says that there is no way
    "prohibited",  # a rule of this machine forbids it; over IPv6, a router may have said so as well (RFC 4443 §3.1)
    "unresolved",  # the name has no address, so no connection was tried
    "closed",  # the other side ended the connection in good order, before its time
    "garbled",  # what the other side says is not the protocol
    "untrusted",  # its certificate isn't trusted
    "tls",  # the TLS handshake failed otherwise
]

# Windows' own codes, where its loop completes a connection (Microsoft's System Error Codes): errno lacks them.
_WINDOWS: dict[int, Kind] = {121: "timed-out", 1231: "unreachable", 1232: "unreachable"}


class Trouble(NamedTuple):
    """What ended a connection."""

    kind: Kind
    words: str


def connecting(error: BaseException) -> Trouble:
    """Return why a connection failed or ended."""
    kind = _kind(error)
    if not isinstance(error, OSError):
        return Trouble(kind, f"{type(error).__name__}: {error}")
    if error.errno == errno.ENETUNREACH:
        return Trouble(kind, f"network unreachable ({error.strerror})")
    if kind == "prohibited":
        return Trouble(kind, f"prohibited by a rule of this machine, or of a router that says so ({error.strerror})")
    return Trouble(kind, _WORDS.get(kind) or error.strerror or type(error).__name__)


_WORDS: dict[Kind, str] = {
    "timed-out": "nothing answered (timed out)",
    "refused": "refused (the host answers, and nothing listens on that port or a rule rejects it)",
    "reset": "reset (something on the way or the service itself cut the connection)",
    "unreachable": "host unreachable (no such host in its subnet, or a router or rule says so)",
    "unresolved": "the name does not resolve",
}


def _kind(error: BaseException) -> Kind:
    if isinstance(error, TimeoutError):
        return "timed-out"
    if isinstance(error, socket.gaierror):
        return "unresolved"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, PermissionError):
        return "prohibited"
    if not isinstance(error, OSError):
        return ""
    if error.errno in {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH}:
        return "unreachable"
    return _WINDOWS.get(getattr(error, "winerror", None) or 0, "")


def handshaking(error: BaseException) -> Trouble:
    """Return why a TLS handshake failed; OpenSSL's own message may be empty or a code."""
    if isinstance(error, TimeoutError):
        return Trouble("timed-out", "the TLS handshake stalled (timed out)")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble("untrusted", f"the certificate is not trusted: {error.verify_message or error.reason}")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        return Trouble("tls", f"the TLS handshake failed: {reason or 'the other side ended it without a word'}")
    if isinstance(error, ConnectionError):
        return Trouble("reset", "the connection was cut during the TLS handshake")
    return Trouble("tls", f"the TLS handshake failed: {type(error).__name__}")


UNREACHED = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
# What this machine ran out of: descriptors, memory for its sockets, ports to connect from.
_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


def own_limit(error: BaseException | None) -> str:
    """Say which limit of this machine's own lies behind an error; empty where none does."""
    while error is not None:
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno in _LIMITS:
            return error.strerror or errno.errorcode[error.errno]
        error = error.__cause__ or error.__context__
    return ""


def no_route(address: str) -> str:
    """Say why this machine has no route to an IP address; empty where it has one. Nothing is sent.

    A datagram socket's connect looks a route up and does no more, while an error of a real connection may as well be a
    router's word (ICMP type 3, which Linux tells by the same numbers: RFC 1122 §4.2.3.9).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
    except OSError as error:
        return (error.strerror or "no route") if error.errno in UNREACHED else ""
    return ""


def away(address: str, words: str) -> Unproven:
    """Return what a probe ends with where this machine has no route: nothing was seen then of what it asked for."""
    return Unproven(
        f"not tried: this machine has no route to {address} ({words})",
        "connect this machine to a network that leads there (cable, Wi-Fi, VPN), see its routes, and run again",
        "no-route",
    )


def exhausted() -> str:
    """Say which limit keeps this machine from opening a socket at this moment; empty where none does.

    For errors that hide it: a look-up says then that there is no such name, and a handshake that the certificate's
    issuer is not known.
    """
    try:
        socket.socket().close()
    except OSError as error:
        return own_limit(error)
    return ""


def not_tried(limit: str) -> Unproven:
    """Return what a probe ends with at a limit of this machine's own: nothing was seen then of what it asked for."""
    return Unproven(
        f"not tried: this machine was at a limit of its own ({limit})",
        "close what else runs on it, or raise the limit (Linux, macOS: ulimit -n), and run again",
    )
