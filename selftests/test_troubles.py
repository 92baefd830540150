"""Why a connection came to nothing: its kind is what is compared, and its words are for a reader alone."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import get_args

import pytest

from scanproof.evidence import Door, WebPage
from scanproof.troubles import Kind, connecting, handshaking


def windows(code: int) -> OSError:
    """Return an error as Windows' loop raises it, which Python can make on Windows alone."""
    error = OSError(errno.EINVAL, "as Windows says it, in its own language")
    error.winerror = code  # type: ignore[attr-defined]
    return error


def by_openssl(error: ssl.SSLError, **said: str) -> ssl.SSLError:
    """Return an error with what OpenSSL adds to its own."""
    for name, text in said.items():
        setattr(error, name, text)
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), "timed-out", "nothing answered"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "timed-out", "nothing answered"),
        (socket.gaierror(socket.EAI_NONAME, "not known"), "unresolved", "does not resolve"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), "refused", "the host answers"),
        (OSError(errno.ECONNRESET, "Connection reset by peer"), "reset", "cut the connection"),
        (OSError(errno.ECONNABORTED, "aborted"), "reset", "cut the connection"),
        (OSError(errno.EPIPE, "Broken pipe"), "reset", "cut the connection"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable", "host unreachable"),
        (OSError(errno.ENETUNREACH, "no way out"), "unreachable", "network unreachable (no way out)"),
        (OSError(errno.EACCES, "Permission denied"), "prohibited", "(Permission denied)"),
        (OSError(errno.EPERM, "Operation not permitted"), "prohibited", "(Operation not permitted)"),
        (OSError(errno.EIO, "the far side's SSH server says: refused?"), "", "the far side's SSH server says"),
        (windows(121), "timed-out", "nothing answered"),
        (windows(1231), "unreachable", "host unreachable"),
        (windows(1232), "unreachable", "host unreachable"),
        (ValueError("of ours"), "", "ValueError: of ours"),
    ],
    ids=lambda value: str(getattr(value, "winerror", value)),
)
def test_what_ends_a_connection(error: Exception, kind: str, words: str) -> None:
    why = connecting(error)
    assert why.kind == kind
    assert words in why.words


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timed-out"),
        (by_openssl(ssl.SSLCertVerificationError(1, "not trusted"), verify_message="self-signed"), "untrusted"),
        (by_openssl(ssl.SSLError(1, "not TLS"), reason="WRONG_VERSION_NUMBER"), "tls"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "reset"),
        (OSError(errno.EIO, "?"), "tls"),
    ],
    ids=str,
)
def test_what_ends_a_handshake(error: Exception, kind: str) -> None:
    assert handshaking(error).kind == kind


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_kind_is_kept_with_its_evidence(kind: Kind) -> None:
    found = Door(host="mail.example", port=25, stage="connect", trouble="words", trouble_kind=kind)
    assert Door.model_validate_json(found.model_dump_json()) == found


def test_evidence_of_before_the_kind_was_kept_can_be_read() -> None:
    """A run that was recorded without it says what ended a connection by its words alone."""
    old = {"host": "mail.example", "port": 25, "stage": "connect", "trouble": "refused (the host answers)"}
    assert Door.model_validate(old).trouble_kind == ""
    page = {"url": "http://10.20.90.11/", "connected": False, "trouble": "refused (the host answers)"}
    assert WebPage.model_validate(page).trouble_kind == ""
