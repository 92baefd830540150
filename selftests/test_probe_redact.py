"""Secrets never leave: in whatever form a library, a device or a protocol puts them."""

from __future__ import annotations

import base64
import html
import json
import logging
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from scanproof import redact
from scanproof.redact import MASK, guard_logging, plain, register, scrub, scrub_all
from scanproof.secrets import SENDER_PASSWORD, Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("error")

SECRETS = ["S3cret! pass&word", "geheim<ä>\"'", "back\\slash/plus+=", "plainword", "\N{KEY} sësame"]


@pytest.fixture(autouse=True)
def registered() -> None:
    for secret in SECRETS:
        register(secret)


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz", "\0scan@a.example\0", "user=a\x01auth=Bearer "])
@pytest.mark.parametrize("after", ["", "y", "yz", "\x01\x01"])
def test_base64_at_every_alignment(secret: str, before: str, after: str) -> None:
    """SASL PLAIN, LOGIN, XOAUTH2 and a cookie are all of this form."""
    text = b64(f"{before}{secret}{after}".encode())
    found = scrub(f"AUTH {text} end")
    assert MASK in found
    left = len(found) - len("AUTH  end") - len(MASK)
    # Only its first and last characters can't be told from what surrounds them.
    assert len(text) - left >= len(secret.encode()) * 8 // 6 - 3


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda text: urllib.parse.quote(text, safe=""),
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.urlencode({"password": text}),
        html.escape,
        lambda text: html.escape(text, quote=False),
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: repr({"password": text}),
        lambda text: repr(text.encode()),
        lambda text: b64(text.encode("utf-16-le")),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: urllib.parse.quote(b64(text.encode()), safe=""),
    ],
    ids=[
        "plain",
        "quote all",
        "quote",
        "quote plus",
        "form",
        "html",
        "html text",
        "json",
        "json utf-8",
        "repr",
        "bytes",
        "utf-16",
        "url-safe",
        "quoted base64",
    ],
)
def test_forms(secret: str, form: object) -> None:
    assert callable(form)
    text = form(secret)
    found = scrub(f"<{text}>")
    assert MASK in found, text
    assert secret not in found
    assert text.strip("'\"=") not in found


def test_short_secrets_are_not_registered() -> None:
    register("abc")
    register("")
    assert scrub("abc of the abcdef") == "abc of the abcdef"


def test_other_text_stays() -> None:
    text = "220 mail.example ready; EHLO [10.20.90.5]; 535 5.7.139"
    assert scrub(text) == text


def test_nested() -> None:
    found = scrub_all({"plainword": ["a plainword", ("plainword", 7, None)], "n": 1.5})
    assert found == {MASK: [f"a {MASK}", [MASK, 7, None]], "n": 1.5}


def test_a_secret_within_another_is_masked_with_it() -> None:
    register("plainword-and-more")
    assert scrub("plainword-and-more") == MASK


def test_what_the_environment_and_the_lab_hold_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{SENDER_PASSWORD}__scan_a_example", "of-the-environment-1")
    Secrets(given={"X": "of-the-lab-2"})
    assert scrub("of-the-environment-1 of-the-lab-2") == f"{MASK} {MASK}"


class Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter("%(message)s").format(record))


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, Handler]]:
    before = logging.getLogRecordFactory()
    guard_logging()
    guard_logging()
    logger, handler = logging.getLogger("of.some.library"), Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger, handler
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)


def test_log_records(log: tuple[logging.Logger, Handler]) -> None:
    logger, handler = log
    logger.debug("AUTH %s", b64(b"\0user\0plainword"))
    logger.debug("%(password)s", {"password": "plainword"})
    logger.debug("plainword")
    logger.debug("%d", "plainword")  # a library's own broken format string
    assert len(handler.texts) == 4
    assert not any("plainword" in text or "wbGFpbndvcmQ" in text for text in handler.texts)


def test_log_tracebacks(log: tuple[logging.Logger, Handler]) -> None:
    logger, handler = log
    try:
        raise ValueError("sent plainword to the device")  # noqa: TRY301 - a traceback is wanted
    except ValueError:
        logger.exception("failed with plainword")
    (text,) = handler.texts
    assert "plainword" not in text
    assert f"ValueError: sent {MASK} to the device" in text
    assert "Traceback" in text


PLAIN = [
    ("a\x00b\x1b[31m\x7f\x9bc", "a\ufffdb\ufffd[31m\ufffd\ufffdc"),
    ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ("carriage\rreturn", "carriage\ufffdreturn"),
    ("\u202eltr\u2066 \u200f \u061c \ufeff", "\ufffdltr\ufffd \ufffd \ufffd \ufffd"),
    ("lone \udcff surrogate \ud83d", "lone \ufffd surrogate \ufffd"),
    ("Büro \N{PRINTER}", "Büro \N{PRINTER}"),
]


@pytest.mark.parametrize(("text", "wanted"), PLAIN)
def test_plain(text: str, wanted: str) -> None:
    assert plain(text) == wanted
    plain(text).encode("utf-8")


def test_plain_cuts() -> None:
    assert plain("x" * 5000, 10) == "xxxxxxxxxx… (5000 characters)"
    assert plain("x" * 10, 10) == "x" * 10


def test_scrubbing_is_quick() -> None:
    for number in range(50):
        register(f"one-of-many-passwords-{number}")
    text = "x" * 1_000_000
    assert redact.scrub(text) == text


def test_what_overlaps_is_masked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_plain", "_forms"):
        monkeypatch.setattr(redact, name, set())
    monkeypatch.setattr(redact, "_index", None)
    for secret in ("Scan", "canon-Admin-2024!", "pass word/1", "pass+word%2F1"):
        redact.register(secret)
    assert redact.scrub("a Scanon-Admin-2024! b") == f"a {redact.MASK} b"
    plain = base64.b64encode(b"pass+word%2F1").decode()
    assert plain not in redact.scrub(plain)
