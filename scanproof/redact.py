"""Secrets never leave: every text that is written or shown goes through ``scrub``.

Secrets are registered where they are read (``scanproof/secrets.py``). ``scrub`` takes out each of
them, and its forms on the wire: base64 at each of the three alignments (so also inside a longer
base64 text such as SASL PLAIN), URL-encoded, and as HTML, JSON and Python write it.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import urllib.parse
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "[secret]"
_OFTEN = 60  # characters: texts up to here come again and again (keys, words, names), and are remembered
_SHORTEST = 4  # a shorter "secret" would take ordinary words out of every text

_plain: set[str] = set()
_forms: set[str] = set()
_public: set[str] = set()


@dataclass(frozen=True)
class _Index:
    """All forms by how they begin.

    A pattern of whole forms takes a tenth of a second to compile, and tokens that are registered in mid-run would have
    it compiled again and again.
    """

    starts: re.Pattern[str]
    forms: dict[str, tuple[str, ...]]  # by start, the longest first: a shorter secret may be the beginning of a longer

    @classmethod
    def of(cls, forms: Iterable[str]) -> _Index:
        found: dict[str, tuple[str, ...]] = {}
        for form in sorted(forms, key=len, reverse=True):
            start = form[:_SHORTEST]
            found[start] = (*found.get(start, ()), form)
        return cls(re.compile("|".join(map(re.escape, found))), found)

    def mask(self, text: str) -> str:
        spans: list[list[int]] = []  # forms may overlap: what any of them covers is masked
        search = 0
        while start := self.starts.search(text, search):
            here = start.start()
            form = next((it for it in self.forms[start.group()] if text.startswith(it, here)), "")
            if form and spans and here < spans[-1][1]:
                spans[-1][1] = max(spans[-1][1], here + len(form))
            elif form:
                spans.append([here, here + len(form)])
            search = here + 1
        kept, at = [], 0
        for begin, end in spans:
            kept += [text[at:begin], MASK]
            at = end
        return "".join((*kept, text[at:])) if kept else text


_index: _Index | None = None


def exempt(words: Iterable[str]) -> None:
    """Take note of words that are no secret although one may be used as a password: the list's serial numbers.

    Removing them would take the subjects' names out of every text. That such a password is used is a finding (DEV-12).
    """
    _public.update(word for word in words if word)


def register(secret: str) -> None:
    """Take note of a secret that no output may hold.

    Args:
        secret: the plain value; shorter than four characters is not registered.
    """
    global _index  # noqa: PLW0603 - one process, one set of secrets
    if len(secret) < _SHORTEST or secret in _plain or secret in _public:
        return
    _plain.add(secret)
    _forms.update(_forms_of(secret))
    _index = None  # made when it is needed: a key's many lines are registered one after another


def _forms_of(secret: str) -> set[str]:
    secret = secret.encode("utf-8", "replace").decode()  # bytes of another encoding in the environment
    forms = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), urllib.parse.quote(secret)}
    forms |= {html.escape(secret), html.escape(secret, quote=False)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for shown in (repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1]):
        # Python escapes an apostrophe or not by what else stands in the same string.
        forms |= {shown, shown.replace("\\'", "'"), shown.replace("\\'", "'").replace("'", "\\'")}
    for encoding in ("utf-8", "utf-16-le"):
        raw = secret.encode(encoding)
        for shift in range(3):
            # The first and last characters of a base64 text depend on what surrounds the secret.
            text = base64.b64encode(b"\0" * shift + raw).decode("ascii").rstrip("=")
            whole = len(raw) + shift
            inner = text[(0, 2, 3)[shift] : len(text) - (1 if whole % 3 else 0)]
            if len(inner) >= 2 * _SHORTEST - 2:
                forms |= {inner, inner.replace("+", "-").replace("/", "_"), urllib.parse.quote(inner, safe="")}
    return forms


def scrub(text: str) -> str:
    """Return the text with every registered secret, in any of its forms, replaced by a mask."""
    global _index  # noqa: PLW0603 - one process, one set of secrets
    if not _forms:
        return text
    if _index is None:
        _index = _Index.of(_forms)
        _short.cache_clear()
    return _short(text) if len(text) <= _OFTEN else _index.mask(text)


@lru_cache(maxsize=8192)
def _short(text: str) -> str:
    assert _index is not None
    return _index.mask(text)


def scrub_all(value: Any) -> Any:
    """Scrub every string in nested dicts, lists and tuples, keys too."""
    return _scrub_all(value) if _forms else value


def _scrub_all(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {_scrub_all(key): _scrub_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrub_all(item) for item in value]
    return value


def guard_logging() -> None:
    """Scrub every log record of every library, at any level, before a handler sees it."""
    inner = logging.getLogRecordFactory()
    if getattr(inner, "scrubs", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = inner(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's own broken format string
            message = str(record.msg)
        record.msg, record.args = scrub(message), None
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
        return record

    factory.scrubs = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)


# Control characters, those that change the direction of what follows (Unicode UAX #9), and lone surrogates: what
# libraries make of bytes that aren't UTF-8, which no file can hold.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def plain(text: str, limit: int = 4000) -> str:
    """Return text from a device, mail or list as harmless printable text, cut at ``limit`` characters."""
    if len(text) > limit:
        text = scrub(text)  # before it is cut: what is left of a secret would no longer be known as one
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
