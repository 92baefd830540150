"""The rows of a copier's log: where a file has which column, and the newest of its entries as they stand in it."""

from __future__ import annotations

import csv
from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from scanproof.devices.logwords import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEIGHS: Final = 400  # characters of a record for which it counts as one more line

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file has what: models have different columns."""

    width: int  # cells of a row up to the last that is needed
    start: int
    id: int
    kind: int
    title: str  # of the column of Log IDs
    commas: int  # of a line without quotes
    head: int  # commas up to behind both the start and the type
    tail: int  # commas from the Log ID to the end, and the one before it
    pick: Callable[[list[str]], Cells]  # the needed cells of a row
    places: dict[str, tuple[int, ...]]  # among the picked ones

    @classmethod
    def of(cls, row: list[str]) -> Layout | None:
        """Return the layout that a header line gives; None where the line is none."""
        found: dict[str, list[int]] = {}
        for index, title in enumerate(row[:1000]):
            places = found.setdefault(title.strip().casefold(), [])
            if len(places) < 8:  # a hostile header must not make every line cost much
                places.append(index)
        if "start date/time" not in found or "log id" not in found or "log type" not in found:
            return None
        # A name can stand in a header more than once: a guess is that source and target have times of their own.
        columns = {name: [at for title in titles for at in found.get(title, ())] for name, titles in COLUMNS.items()}
        needed = sorted({at for places in columns.values() for at in places})
        order = {at: place for place, at in enumerate(needed)}
        return cls(
            width=needed[-1] + 1,
            start=columns["start"][0],
            id=columns["id"][0],
            kind=columns["kind"][0],
            title=row[columns["id"][0]],
            commas=len(row) - 1,
            head=max(columns["start"][0], columns["kind"][0]) + 1,
            tail=len(row) - columns["id"][0],
            pick=itemgetter(*needed),
            places={name: tuple(order[at] for at in places) for name, places in columns.items()},
        )

    def cells(self, record: str) -> Cells:
        """Return the needed cells of a record."""
        row = row_of(record) or []
        return self.pick(row + [""] * (self.width - len(row)) if len(row) < self.width else row)

    def raw(self, cells: Cells, name: str) -> str:
        """Return the first cell of this name that is filled."""
        for place in self.places[name]:
            if cells[place]:
                return cells[place]
        return ""

    def has(self, cells: Cells, *names: str) -> bool:
        """Tell whether any of these is filled."""
        return any(self.raw(cells, name).strip() for name in names)


@dataclass(slots=True)
class Entry:
    """An entry that may be kept: its records as they stand in the file. Cells are looked at once it is kept."""

    layout: Layout
    sort: int
    records: list[str]
    weight: int
    dropped: int = 0


def weight_of(record: str) -> int:
    """Return for how many lines a record counts."""
    return 1 + len(record) // WEIGHS


class Newest:
    """The newest entries, up to a weight in all: what is kept is bounded whatever a file holds."""

    def __init__(self, most: int) -> None:
        self.entries: deque[Entry] = deque()
        self.dropped = 0
        self._most, self._weight = most, 0

    def add(self, entry: Entry) -> None:
        """Keep an entry; let the oldest go where there is no more room."""
        self.entries.append(entry)
        self._weight += entry.weight
        while self._weight > self._most and self.entries:
            self._weight -= self.entries.popleft().weight
            self.dropped += 1

    def emptied(self) -> Iterator[Entry]:
        """Return the entries, oldest first, each of which is let go."""
        while self.entries:
            yield self.entries.popleft()


def row_of(record: str) -> list[str] | None:
    """Return a record's cells; None where it is none."""
    if '"' not in record:
        return record.split(",")
    try:
        return next(csv.reader((record,)), [])
    except csv.Error:
        return None
