"""The times of a copier's log: its own clock's, without a zone, in a form that only the whole file may tell."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime, timedelta

# How a copier writes times in this file is not publicly known: a guess is that it is as on its panel.
_CLOCK = r"[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AP])\.?M\.?)?"
_YEAR_FIRST = re.compile(r"([0-9]{4})([/-])([0-9]{1,2})\2([0-9]{1,2})" + _CLOCK, re.IGNORECASE)
_DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})" + _CLOCK, re.IGNORECASE)
_SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})" + _CLOCK, re.IGNORECASE)


def _number(log_id: str) -> int | None:
    # Seen as "0x00000000000022c5". Decimal ones keep their order when read as hexadecimal.
    try:
        return int(log_id[:64], 16)
    except ValueError:
        return None


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


class Order:
    """Finds out whether the day or the month is first in dates with slashes, once for a file."""

    def __init__(self, now: datetime) -> None:
        self.first_over_12 = self.second_over_12 = False
        self.differ = False  # a date means two days
        self._latest = (now.replace(tzinfo=None) + timedelta(days=1)).toordinal() if now.year < 9999 else sys.maxsize
        self._broken = [False, False]  # by each reading: later than now, or earlier though the Log ID is higher
        self._before: tuple[int | None, list[int | None]] = (None, [None, None])

    def parts(self, text: str) -> tuple[int, int, int] | None:
        """Take note of a date's parts; return them, or None where it has no slashes or can't be one."""
        match = _SLASHES.match(text.strip())
        if not match:
            return None
        one, two, year = int(match[1]), int(match[2]), int(match[3])
        if (one > 12 and two > 12) or not (one and two and year):
            return None
        self.first_over_12 |= one > 12
        self.second_over_12 |= two > 12
        self.differ |= one != two
        return one, two, year

    def note(self, text: str, log_id: str) -> None:
        """Take note of when an entry began."""
        parts = self.parts(text)
        if parts is None:
            return
        one, two, year = parts
        number, days = _number(log_id), [_ordinal(year, two, one), _ordinal(year, one, two)]
        ascends = number is not None and self._before[0] is not None and number > self._before[0]
        for reading, (day, before) in enumerate(zip(days, self._before[1], strict=True)):
            # Jobs overlap, and a clock is set: less than two days back is no sign.
            if day is not None and (day > self._latest or (ascends and before is not None and day < before - 1)):
                self._broken[reading] = True
        self._before = (number, days)

    @property
    def day_first(self) -> bool | None:
        """Whether the day is first; None where nothing tells."""
        if not self.differ:
            return True  # both readings are the same
        if self.first_over_12 != self.second_over_12:
            return self.first_over_12
        if self.first_over_12 or self._broken[0] == self._broken[1]:
            return None
        return not self._broken[0]


def when(text: str, *, day_first: bool | None) -> datetime | None:
    """Return a time as the copier's clock gave it; None where it can't be read."""
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, month, day, *clock = match.groups()
    elif match := _DOTTED.fullmatch(text):
        day, month, year, *clock = match.groups()
    elif day_first is not None and (match := _SLASHES.fullmatch(text)):
        one, two, year, *clock = match.groups()
        day, month = (one, two) if day_first else (two, one)
    else:
        return None
    hour, minute, second, half = clock
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "pP" else 0)
    try:
        return datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0))  # noqa: DTZ001 - no zone
    except ValueError:
        return None
