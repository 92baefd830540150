"""Takes secrets and people out of a device's pages, so that what is left can be shown to others.

What is removed is replaced by something invented of the same shape, the same for the same value, so that a page is
still one that its driver reads. In doubt more is removed than need be: what this can't take apart it leaves out.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Literal

from scanproof import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["secret", "name", "user", "mail", "address", "mac", "serial"]
MOST = 1_000_000  # characters of one page; what is beyond is cut
_NAMED = (
    r"pass|pwd|token|secret|sess?ion_?id|sesid|communit|credential|pin_?code|psk|"
    r"(?:enc|priv|auth|wep|wpa|crypt\w{0,8})_?key"
)
# Names of fields, and labels in the languages of devices.
_SECRET = re.compile(_NAMED, re.IGNORECASE)
_PERSON = re.compile(r"user|account|login|owner|contact|entryname|displayname", re.IGNORECASE)
_LABEL = re.compile(
    r"password|passphrase|passcode|pin code|community|secret|kennwort|passwort|mot de passe|communaut|contrase|"
    r"comunidad|senha|parola|wachtwoord|lösenord|パスワード|コミュニティ|暗証|密码|密碼",
    re.IGNORECASE,
)
# In scripts and addresses: a secret's name, and what it is given.
_QUOTED = re.compile(rf"""((?:{_NAMED})[\w.-]{{0,40}}["']?\s{{0,5}}[:=,]\s{{0,5}})(["'])([^"'\n]*)\2""", re.IGNORECASE)
_BARE = re.compile(rf"""((?:{_NAMED})[\w.-]{{0,40}}=)([^&"'<>\s;]+)""", re.IGNORECASE)
_MAIL = re.compile(r"[\w.%+'-]{1,64}(?:@|%40|&#64;|&#x40;)[\w.-]{1,200}\.[A-Za-z]{2,24}")
_ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_MAC = re.compile(r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b")
# One that does not end reaches to the end of the text: looking for its end again from each quote would take for ever.
_LITERAL = re.compile(r"""'((?:[^'\\]|\\.)*+)\\?(?:'|\Z)|"((?:[^"\\]|\\.)*+)\\?(?:"|\Z)""", re.DOTALL)
_WORD = re.compile(r"[^\W\d_][^\[\](){},:;<>]*")
_SCRIPT_WORDS = frozenset({"true", "false", "null", "undefined", "var", "new", "Array"})
_SAFE_COOKIES = frozenset({"", "--", "on"})
_SAFE_HEADERS = frozenset(
    {"server", "content-type", "location", "date", "expires", "pragma", "cache-control", "connection", "allow"}
)
_PLAIN_KINDS = frozenset({"radio", "checkbox", "button", "submit", "reset", "image", "file"})


@dataclass
class Cleaner:
    """What was removed from the pages of one device, and what stands in its place.

    Attributes:
        removed: how many values were replaced so far.
    """

    removed: int = 0
    _known: dict[tuple[Kind, str], str] = field(default_factory=dict, repr=False)
    _counts: dict[str, int] = field(default_factory=dict, repr=False)
    _everywhere: dict[str, str] = field(default_factory=dict, repr=False)

    def learn(self, value: str, kind: Kind, *, everywhere: bool = True) -> str:
        """Return what stands for a value, the same each time.

        Args:
            value: as it stands in the page, entities resolved.
            kind: what it is.
            everywhere: take it out wherever else it stands too, if it is long enough to be no ordinary word.
        """
        if (kind, value) not in self._known:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[kind, value] = _invented(kind, value, number)
        invented = self._known[kind, value]
        if everywhere and len(value) >= 4 and value.lower() not in {"true", "false", "auto", "none", "admin"}:
            self._everywhere.setdefault(value, invented)
        return invented

    def page(self, text: str, *, book: bool = False) -> str:
        """Return a page without what its fields, rows and scripts show to be secret or somebody's.

        Args:
            text: HTML, or an address list's script.
            book: it is of the address book: all names in it are people's.
        """
        text = text[:MOST]
        if book and "<html" not in text[:2000].lower():
            return self.rows(text)
        reader = _Reader(self, text, book=book)
        try:
            reader.feed(text)
        except (AssertionError, ValueError, RecursionError):  # html.parser on declarations that are none
            return ""
        # What is left is a tag or script without an end: it can't be looked at.
        return _edited(text[: len(text) - len(reader.rawdata)], reader.edits)

    def rows(self, text: str) -> str:
        """Return an address list's script without any name, address or code: only registration numbers stay."""
        parts, at, numbered = [], 0, False
        for found in _LITERAL.finditer(text):
            between = text[at : found.start()]
            numbered = numbered and "[" not in between
            parts.append(_WORD.sub(self._bare_word, between))
            value, quote, at = found[1] or found[2] or "", found[0][0], found.end()
            if text[at : at + 20].lstrip().startswith(":"):  # a key, not a value
                parts.append(found[0])
            elif re.fullmatch(r"\d{5}", value) and not numbered:
                numbered = True
                parts.append(found[0])
            elif re.fullmatch(r"\d{0,3}|\d+#[\w ,:]*", value):
                parts.append(found[0])
            else:
                self.removed += 1
                bare = re.sub(r"\\(.)", r"\1", value)
                parts.append(f"{quote}{self.learn(bare, _kind_of(bare))}{quote}")
        return "".join([*parts, _WORD.sub(self._bare_word, text[at:])])

    def _bare_word(self, found: re.Match[str]) -> str:
        if set(found[0].split()) <= _SCRIPT_WORDS:
            return found[0]
        self.removed += 1
        return self.learn(found[0].strip(), "name")

    def headers(self, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return an answer's headers: of a cookie the name alone, and of one that isn't known to be harmless too."""
        kept = []
        for name, value in given:
            low = name.lower()
            if low == "set-cookie":
                cookie, _, rest = value.partition(";")
                key, _, word = cookie.partition("=")
                if word.strip() not in _SAFE_COOKIES:
                    self.removed += 1
                    cookie = f"{key}={self.learn(word.strip(), 'secret')}"
                kept.append((name, f"{cookie};{rest}" if rest else cookie))
            elif low in _SAFE_HEADERS:
                kept.append((name, value))
            elif low not in {"content-length", "transfer-encoding"}:  # which no longer hold
                self.removed += 1
                kept.append((name, "removed"))
        return kept

    def everywhere(self, text: str) -> str:
        """Return a text without anything that was learned, and without any address; to be asked when all is learned."""
        if self._everywhere:
            longest = sorted({form for value in self._everywhere for form in _forms(value)}, key=len, reverse=True)
            pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest))})(?![A-Za-z0-9])")
            back = {form: invented for value, invented in self._everywhere.items() for form in _forms(value)}
            text = pattern.sub(lambda found: self._counted(back[found[0]], found[0]), text)
        text = _QUOTED.sub(lambda it: f"{it[1]}{it[2]}{self._secret(it[3])}{it[2]}", text)
        text = _BARE.sub(lambda it: f"{it[1]}{self._secret(it[2])}", text)
        text = _MAIL.sub(lambda it: self._counted(self._mail(it[0]), it[0]), text)
        text = _MAC.sub(lambda it: self._counted(self.learn(it[0], "mac"), it[0]), text)
        text = _ADDRESS.sub(lambda it: self._counted(self._address(it[0]), it[0]), text)
        clean = redact.scrub(text)  # the secrets of this run, in whatever form
        self.removed += clean.count(redact.MASK) - text.count(redact.MASK)
        return clean

    def _counted(self, invented: str, value: str) -> str:
        self.removed += invented != value
        return invented

    def _secret(self, value: str) -> str:
        if not value or value in self._known.values():
            return value
        self.removed += 1
        return self.learn(value, "secret", everywhere=False)

    def _mail(self, value: str) -> str:
        return value if value.endswith("@office.example") else self.learn(value, "mail")

    def _address(self, value: str) -> str:
        harmless = value.startswith(("0.", "127.", "255.", "192.0.2."))
        return value if harmless else self.learn(value, "address", everywhere=False)


def _invented(kind: Kind, value: str, number: int) -> str:
    if kind in {"secret", "user"} and value.isdecimal():
        return str(10 ** (len(value) - 1) + number)[-len(value) :] if len(value) > 1 else "0"
    if kind == "mac":
        return f"00:00:5E:00:53:{number % 256:02X}"  # RFC 7042, for documents
    shapes = {"secret": "removed-{}", "name": "NAME {}", "user": "user{}", "mail": "person{}@office.example"}
    shapes |= {"address": "192.0.2.{}", "serial": "X{:09d}"}
    return shapes[kind].format(number % 250 if kind == "address" else number)


def _kind_of(value: str) -> Kind:
    return "mail" if _MAIL.fullmatch(value) else "user" if value.isdecimal() else "name"


def _forms(value: str) -> set[str]:
    return {value, html.escape(value), html.escape(value, quote=False), value.replace("'", "\\'")}


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts, at = [], 0
    for start, end, new in sorted(edits):
        if start < at:
            continue
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


class _Reader(HTMLParser):
    """Finds what is to be replaced, and where it stands."""

    def __init__(self, cleaner: Cleaner, text: str, *, book: bool) -> None:
        super().__init__(convert_charrefs=False)
        self.edits: list[tuple[int, int, str]] = []
        self._cleaner, self._whole, self._book = cleaner, text, book
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._hot: Kind | Literal[""] = ""  # what the text of this area or list is
        self._cell = self._script = self._labelled = False
        self._label = ""

    def _at(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = f"{found.get('name', '')} {found.get('id', '')}"
        kind: Kind | Literal[""] = "secret" if _SECRET.search(name) else "name" if _PERSON.search(name) else ""
        if tag == "tr":
            self._label, self._labelled = "", False
        elif tag in {"td", "th"}:
            self._ended()  # old pages leave out the end of a cell
            self._cell = True
        elif tag == "script":
            self._script = True
        elif tag in {"select", "textarea"}:
            self._hot = kind or ("secret" if self._labelled else "name" if self._book and tag == "textarea" else "")
        elif tag == "option":
            if self._hot:
                self._replace(self._hot)
        elif tag == "meta":
            if kind == "secret":
                self._replace("secret", "content")
        elif tag == "input":
            what = found.get("type", "text").lower()
            if what == "password" or (self._labelled and what not in _PLAIN_KINDS):
                self._replace("secret")
            elif what not in _PLAIN_KINDS and (kind or (self._book and what == "text")):
                self._replace("user" if kind == "name" else kind or "name")
        elif kind == "secret":
            self._replace("secret")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._hot = ""
        elif tag in {"td", "th"}:
            self._ended()
        elif tag == "script":
            self._script = False

    def _ended(self) -> None:
        self._labelled = self._labelled or bool(_LABEL.search(self._label))
        self._cell = False

    def handle_data(self, data: str) -> None:
        if self._script:
            if self._book:
                self.edits.append((self._at(), self._at() + len(data), self._cleaner.rows(data)))
            return
        bare = data.strip()
        if not bare or bare in {":", "\uff1a"}:
            return
        if self._cell and not self._labelled:
            self._label += data[:200]
        kind = self._hot or ("secret" if self._cell and self._labelled else "name" if self._cell and self._book else "")
        if kind:
            start = self._at() + data.index(bare)
            self._edit(start, start + len(bare), bare, kind)

    def handle_entityref(self, name: str) -> None:
        self._entity(f"&{name}")

    def handle_charref(self, name: str) -> None:
        self._entity(f"&#{name}")

    def _entity(self, raw: str) -> None:
        if self._hot or (self._cell and (self._labelled or self._book)):
            end = self._at() + len(raw)
            self.edits.append((self._at(), end + (self._whole[end : end + 1] == ";"), ""))

    def handle_comment(self, data: str) -> None:
        self._blank(data)

    def handle_pi(self, data: str) -> None:
        self._blank(data)

    def unknown_decl(self, data: str) -> None:
        self._blank(data)

    def _blank(self, data: str) -> None:
        start = self._whole.find(data, self._at()) if data else -1
        if start >= 0:
            self.edits.append((start, start + len(data), ""))

    def _replace(self, kind: Kind, attribute: str = "value") -> None:
        """Replace an attribute of the tag that was just read, wherever the tag has it."""
        raw, at = self.get_starttag_text() or "", self._at()
        for found in re.finditer(rf"""(?i)[\s"']{attribute}\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""", raw):
            start, end = found.span(1)
            if found[1][0] in "\"'":
                start, end = start + 1, end - 1
            self._edit(at + start, at + end, html.unescape(raw[start:end]), kind)

    def _edit(self, start: int, end: int, value: str, kind: Kind) -> None:
        if value.strip() and not (kind in {"name", "user"} and _MAIL.fullmatch(value)):  # mail goes with all other mail
            self._cleaner.removed += 1
            self.edits.append((start, end, html.escape(self._cleaner.learn(value, kind))))
