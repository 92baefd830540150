"""A document as Markdown that every ticket system can show.

Whatever a device or a workbook says is text in it: no line of it begins a block, nothing is emphasis, a link, an image
or HTML (CommonMark 0.31, and GitHub's tables, strikethrough and bare links).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanproof.report.document import Heading, Items, Table, Verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.report.document import Block, Document, Item

# An underscore within a word is no emphasis, and smtp_host reads better so. A formula (GitHub, GitLab) ends with a
# dollar sign behind a character; that of “$false” in a command begins one at most.
# A tilde before a word can begin what is struck through, and end nothing: that of “~all” in an SPF record. A table of
# site.toml, [[vantage]], is no link: nothing of ours defines one.
_SPECIAL = re.compile(
    r"\[\[[a-z]+\]\](?![(\[:])|[\\`*\[\]|]|(?<=\S)~|~(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\S)\$"
)
_ORDERED = re.compile(r"([0-9]{1,9})([.)])")
_SCHEME = re.compile(r"\b(https?|ftp|mailto|xmpp)(?=:)|\b(www)(?=\.)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?=#?[A-Za-z0-9]+;)")


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, within a line."""
    text = _SPECIAL.sub(_escaped, _ENTITY.sub("&amp;", text))
    return _SCHEME.sub(lambda found: f"{found[0]}\\", text.replace("<", "&lt;"))


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("[[") else f"\\{found[0]}"


def _begun(text: str) -> str:
    """Return escaped text that may stand at the beginning of a line."""
    if found := _ORDERED.match(text):
        return f"{found[1]}\\{text[found.end(1) :]}"
    return f"\\{text}" if text[:1] in {"#", ">", "+", "=", ":", "-"} else text


def render(document: Document) -> str:
    """Return a document's Markdown."""
    return f"# {escape(document.title)}\n" + "".join(f"\n{part}\n" for part in map(_block, document.blocks))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * (level + 1)} {escape(text)}"
        case Items(items):
            return "\n".join(f"- {_item(item)}" for item in items)
        case Table(header, rows):
            lines = [header, *rows]
            shown = [f"| {' | '.join(map(escape, line))} |" for line in lines]
            return "\n".join([shown[0], "|" + "---|" * len(header), *shown[1:]])
        case Verbatim(lines):
            return "\n".join(_fenced(lines))
    return _item(block)


def _item(item: Item) -> str:
    if not item.lead:
        return _begun(escape(item.text))
    return f"**{escape(item.lead)}** {escape(item.text)}".rstrip()


def _fenced(lines: tuple[str, ...]) -> Iterator[str]:
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from lines
    yield fence
