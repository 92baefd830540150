"""The longest chain of evidence in a recorded run.

A chain is a piece of evidence with what it needs, transitively. Its length is the sum of each piece's own
time: from the moment when the last piece that it needed had ended (or it was itself begun, where that was
later) to its own end. That is what ``evidence.jsonl`` can tell: work that a piece did before or between what
it needed is not counted, and waiting for a turn on the wire or for Microsoft Graph's library is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Chain:
    """A chain: its length, and its pieces from the first needed to the last."""

    seconds: float
    pieces: tuple[str, ...]


def read(path: Path) -> list[dict[str, Any]]:
    """Return the evidence of ``evidence.jsonl``, without the notes of intent."""
    records: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [record for record in records if "intent" not in record]


def longest(records: Iterable[dict[str, Any]]) -> Chain:
    """Return the longest chain; pieces that need each other can't be, since a run refuses them."""
    pieces = {record["id"]: record for record in records}
    begun = {name: datetime.fromisoformat(record["started"]).timestamp() for name, record in pieces.items()}
    ended = {name: begun[name] + record["elapsed_ms"] / 1000 for name, record in pieces.items()}
    known: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        if name not in known:
            needs = [need for need in pieces[name]["needs"] if need in pieces]
            own = ended[name] - max([begun[name], *(ended[need] for need in needs)])
            before = max((chain(need) for need in needs), key=lambda it: it.seconds, default=Chain(0.0, ()))
            known[name] = Chain(before.seconds + max(own, 0.0), (*before.pieces, name))
        return known[name]

    return max((chain(name) for name in pieces), key=lambda it: it.seconds)
