"""``evidence.jsonl`` line by line: a chain of hashes over its lines, and where another file first leaves it.

Each link is SHA-256 over the link before it and the line, its line feed included; the first one's link before is empty.
Kept are the link at the end of each block of lines, and of every line a mark: the first three bytes of its own SHA-256.
The links prove; the marks, which don't depend on the lines before, only tell which line it is, and what happened there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING

from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BLOCK = 256  # lines between two kept links: with the marks, four and a quarter characters a line
CHUNK = 1 << 20  # bytes that are read at once
_MARK = 3  # bytes: base64 makes four characters of them, and no padding


@dataclass(frozen=True)
class Chained:
    """A file and the chain over its lines.

    Attributes:
        size: of the file, in bytes.
        sha256: of the file, in hexadecimal digits.
        lines: how many it has; what follows the last line feed counts as one.
        blocks: for each ``BLOCK`` lines, the link at their end in hexadecimal digits, and their marks in base64.
    """

    size: int
    sha256: str
    lines: int
    blocks: tuple[str, ...]


def read(file: IO[bytes]) -> Chained:
    """Return the chain over a file's lines.

    Raises:
        OSError: it can't be read.
    """
    sha256 = hashlib.sha256
    whole, size, lines, link = sha256(), 0, 0, b""
    marks, blocks = bytearray(), []
    while piece := file.readline(CHUNK):
        chain, alone = sha256(link + piece), sha256(piece)
        whole.update(piece)
        size += len(piece)
        while not piece.endswith(b"\n") and (piece := file.readline(CHUNK)):  # a line longer than a chunk
            for each in (chain, alone, whole):
                each.update(piece)
            size += len(piece)
        link = chain.digest()
        marks += alone.digest()[:_MARK]
        lines += 1
        if lines % BLOCK == 0:
            blocks.append(_block(link, marks))
            marks.clear()
    if marks:
        blocks.append(_block(link, marks))
    return Chained(size, whole.hexdigest(), lines, tuple(blocks))


def _block(link: bytes, marks: bytearray) -> str:
    return f"{link.hex()} {base64.b64encode(marks).decode('ascii')}"


def change(sealed: Sequence[str], now: Sequence[str], path: Path) -> str:
    """Say which line was changed, removed or added first.

    Args:
        sealed: the blocks that were sealed.
        now: those of the file as it is.
        path: the file, from which the line is named.

    Returns:
        One line for the user; empty where the chains are the same.
    """
    before, after = _marks(sealed), _marks(now)
    first = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
    if first is None:
        first = min(len(before), len(after))
        if first == len(before) == len(after):
            return _by_links(sealed, now)
    tail = 0
    while tail < min(len(before), len(after)) - first and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old, new = before[first : len(before) - tail], after[first : len(after) - tail]
    name = _name(path, first)
    here, more = f" ({name})" if name else "", f", and more up to line {first + len(new)}"
    follows = f"; {name} follows" if name else ""
    if not new:
        return f"{_span(first, len(old))} removed{follows or ', at its end'}"
    if not old:
        return f"{_span(first, len(new))} added{here}"
    if sorted(old) == sorted(new):
        return f"lines {first + 1} to {first + len(new)} stand in another order{here}"
    if len(old) == len(new):
        others = sum(one != other for one, other in zip(old, new, strict=True)) - 1
        return f"line {first + 1} was changed{here}{f', and {others} more' if others else ''}"
    if new[:2] == old[1:3]:
        return f"line {first + 1} was removed{follows}{more}"
    return f"line {first + 1} was {'added' if old[:2] == new[1:3] else 'changed'}{here}{more}"


def _marks(blocks: Sequence[str]) -> list[bytes]:
    """Return the lines' marks.

    Raises:
        ValueError: they are no base64.
    """
    joined = b"".join(base64.b64decode(block.partition(" ")[2], validate=True) for block in blocks)
    return [joined[at : at + _MARK] for at in range(0, len(joined), _MARK)]


def _by_links(sealed: Sequence[str], now: Sequence[str]) -> str:
    """Say where two chains part that have the same marks: somebody made a line to have the same one."""
    for number, (one, other) in enumerate(zip(sealed, now, strict=False)):
        if one != other:
            return f"a line from {number * BLOCK + 1} to {(number + 1) * BLOCK} was changed"
    return ""


def _span(first: int, count: int) -> str:
    return f"line {first + 1} was" if count == 1 else f"lines {first + 1} to {first + count} were"


def _name(path: Path, index: int) -> str:
    """Return the kind and subject of a line, as far as they can be read."""
    try:
        with path.open("rb") as file:
            line = next(islice(_starts(file), index, None), b"")
        record = json.loads(line)
        found = f"{record['kind']} of {record['subject']['name']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(plain(found, 200).split())


def _starts(file: IO[bytes]) -> Iterator[bytes]:
    """Yield each line, cut at a chunk."""
    while piece := file.readline(CHUNK):
        yield piece
        while not piece.endswith(b"\n") and (piece := file.readline(CHUNK)):
            pass
