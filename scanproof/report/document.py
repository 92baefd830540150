"""A small model of a document: what is said, apart from how Markdown or Word say it.

Its texts are plain: nothing in them is markup in either. What devices, mails and workbooks contributed is cleaned as it
comes in, and is one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scanproof.report import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

LONGEST = 1_200  # characters of one text
_NO_XML = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")  # no characters, by Unicode; no XML can hold the last two


def flat(words: str, longest: int = LONGEST) -> str:
    """Return text as one harmless line, cut after a whole word where it is longer than ``longest`` characters."""
    line = " ".join(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text.clean(words, 10 * LONGEST)).split())
    if len(line) <= longest:
        return line
    head = line[:longest].rpartition(" ")[0] or line[:longest]
    return f"{head.rstrip(' ,;:')} …"


@dataclass(frozen=True)
class Heading:
    """A heading; the title is of level 0."""

    level: int
    text: str


@dataclass(frozen=True)
class Item:
    """A paragraph, or a line of a list; its lead is set apart."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Items:
    """A list without an order."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Table:
    """A table with a header row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Verbatim:
    """Lines to be shown as they are, such as a transcript."""

    lines: tuple[str, ...]


Block = Heading | Item | Items | Table | Verbatim


@dataclass
class Document:
    """A document, written from top to bottom."""

    title: str
    made: datetime | None = None
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Clean the title like every other text."""
        self.title = flat(self.title, 200)

    def heading(self, level: int, words: str) -> None:
        """Add a heading of level 1 to 3."""
        self.blocks.append(Heading(level, flat(words, 200)))

    def say(self, words: str, lead: str = "") -> None:
        """Add a paragraph; nothing where it would be empty."""
        if words or lead:
            self.blocks.append(Item(flat(words), flat(lead)))

    def items(self, items: Iterable[str | tuple[str, str]]) -> None:
        """Add a list of texts, or of leads and texts; nothing where it would be empty."""
        made = [Item(flat(it)) if isinstance(it, str) else Item(flat(it[1]), flat(it[0])) for it in items]
        if made:
            self.blocks.append(Items(tuple(made)))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table; nothing where it would have no row."""
        made = tuple(tuple(flat(cell, 400) for cell in row) for row in rows)
        if made:
            self.blocks.append(Table(tuple(header), made))

    def verbatim(self, lines: Iterable[str]) -> None:
        """Add lines as they are; nothing where there are none."""
        if made := tuple(flat(line, 300) for line in lines):
            self.blocks.append(Verbatim(made))
