"""What a device's admin page holds: form fields, label rows, links; read from hostile HTML of any age."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from scanproof.redact import plain

_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "frame", "area", "base", "col"})
MOST = 5_000  # fields, rows and links that one page may have
CHARACTERS = 1_000_000  # of a page that are read: real ones have a tenth
_COLONS = frozenset({":", "\uff1a"})


@dataclass
class Form:
    """One form of a page.

    Attributes:
        fields: of text, hidden and selected inputs by name; of a radio group or a box, the checked one's value.
        unset: names of radio groups and boxes of which none is checked.
    """

    name: str = ""
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)


@dataclass
class Page:
    """A parsed page.

    Attributes:
        rows: of each table row of label, colon and value, both texts.
        links: of each anchor, its text and address as it stands.
        frames: addresses of its frames.
    """

    url: str = ""
    title: str = ""
    forms: list[Form] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    def form(self, name: str) -> Form | None:
        """Return a form by its name."""
        return next((form for form in self.forms if form.name == name), None)

    def hidden(self, name: str) -> str:
        """Return a field's value from whichever form has it; empty where none has."""
        return next((form.fields[name] for form in self.forms if name in form.fields), "")

    def path(self, address: str) -> str:
        """Return the path that one of its links leads to, on the same device."""
        try:
            return urlsplit(urljoin(f"http://device{self.url}", address)).path
        except ValueError:  # a bracket that is no IPv6 address
            return ""


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self._form = Form()
        self._cells: list[str] | None = None
        self._text: list[str] | None = None  # of the cell or title being read
        self._outer: list[tuple[list[str] | None, list[str] | None]] = []  # of the tables around this one
        self._typed: list[str] | None = None  # in the textarea being read
        self._link = ""
        self._anchor: list[str] | None = None
        self._select, self._options = "", 0
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and len(self.page.forms) < MOST:
            self._form = Form(found.get("name", ""), found.get("action", ""))
            self.page.forms.append(self._form)
        elif tag == "input":
            self._input(found, checked=any(name == "checked" for name, _ in attrs))
        elif tag == "select":
            self._select = found.get("name", "")
        elif tag == "option" and self._select:
            if any(name == "selected" for name, _ in attrs) or self._select not in self._fields():
                self._set(self._select, found.get("value", ""))
        elif tag == "textarea":
            self._area, self._typed = found.get("name", ""), []
        elif tag == "table":
            self._outer.append((self._cells, self._text))
            self._cells = self._text = None
        elif tag == "tr":  # HTML lets the ends of rows and cells be left out
            self._end_row()
            self._cells = []
        elif tag in {"td", "th"}:
            self._end_cell()
            self._text = []
        elif tag == "title":
            self._text = []
        elif tag == "a":
            self._link, self._anchor = found.get("href", ""), []
        elif tag in {"frame", "iframe"} and len(self.page.frames) < MOST:
            self.page.frames.append(found.get("src", ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in {"script", "style"}:
            return
        if self._typed is not None:
            self._typed.append(data)
        elif self._text is not None:
            self._text.append(data)
        if self._anchor is not None:
            self._anchor.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._end_cell()
        elif tag == "title" and self._text is not None:
            self.page.title, self._text = _joined(self._text), None
        elif tag == "textarea" and self._typed is not None:
            self._set(self._area, "".join(self._typed))
            self._area, self._typed = "", None
        elif tag == "tr":
            self._end_row()
        elif tag == "table":
            self._end_row()
            if self._outer:
                self._cells, self._text = self._outer.pop()
        elif tag == "a" and self._anchor is not None:
            if len(self.page.links) < MOST:
                self.page.links.append((_joined(self._anchor), self._link))
            self._anchor = None
        elif tag == "select":
            self._select = ""
        elif tag == "form":
            self._form = Form()  # what stands outside every form belongs to none

    def _end_cell(self) -> None:
        if self._text is not None and self._cells is not None:
            self._cells.append(_joined(self._text))
        self._text = None

    def _end_row(self) -> None:
        self._end_cell()
        cells = [cell for cell in self._cells or () if cell]
        if len(cells) in {2, 3} and cells[1] in _COLONS and len(self.page.rows) < MOST:
            self.page.rows.append((cells[0], cells[2] if len(cells) == 3 else ""))
        self._cells = None

    def _input(self, found: dict[str, str], *, checked: bool) -> None:
        name, kind = found.get("name", ""), found.get("type", "text").lower()
        if not name or kind in {"button", "submit", "image", "reset", "password", "file"}:
            return
        if kind in {"radio", "checkbox"}:
            if checked:
                self._set(name, found.get("value", "on"))
                self._form.unset.discard(name)
            elif name not in self._fields():
                self._form.unset.add(name)
            return
        self._set(name, found.get("value", ""))

    def _fields(self) -> dict[str, str]:
        return self._form.fields

    def _set(self, name: str, value: str) -> None:
        if name and len(self._form.fields) < MOST:
            self._form.fields[name] = plain(value, 1000)


def _joined(parts: list[str]) -> str:
    return plain(" ".join("".join(parts).split()), 500)


def parse(text: str, url: str = "") -> Page:
    """Read a page; what is no HTML gives an empty one.

    Args:
        text: as the device sent it.
        url: its path, by which relative links are told.
    """
    page = Page(url)
    reader = _Reader(page)
    with suppress(AssertionError, ValueError, RecursionError):  # html.parser on declarations that are none
        # Without close(): of what is left open at its end, html.parser makes text in time that grows with its square.
        reader.feed(text[:CHARACTERS])
    return page
