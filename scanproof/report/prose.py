"""Counts, lists and moments, as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def number(amount: int) -> str:
    """Return a number in words where it is small, else in digits."""
    return _NUMBERS[amount] if amount < len(_NUMBERS) else f"{amount:,}"


def count(amount: int, noun: str, plural: str = "") -> str:
    """Return a number of things: “one copier”, “26 copiers”, “no copiers”."""
    return f"{number(amount)} {noun if amount == 1 else plural or noun + 's'}"


def capital(words: str, *, up: bool = True) -> str:
    """Return words that begin with a capital letter, or with a small one; a name or a command keeps its own form."""
    first = words.split(maxsplit=1)[0].rstrip(".,;:") if words.strip() else ""
    if first.replace("'", "").isalpha() and (first.islower() if up else first.istitle()):
        return (words[0].upper() if up else words[0].lower()) + words[1:]
    return words


def sentence(words: str) -> str:
    """Return words as a sentence: with a capital and a full stop; nothing of nothing."""
    words = capital(words.strip())
    return words + ("" if words.endswith((".", "!", "?", "…")) else ".") if words else ""


def was(amount: int) -> str:
    """Return “was” or “were”."""
    return "was" if amount == 1 else "were"


def effect(stops: int, threatens: int, verdicts: Iterable[str]) -> str:
    """Say how many copiers a cause stops or puts at risk; nothing where it does neither.

    Args:
        stops: how many it stops.
        threatens: how many it stops from nothing yet.
        verdicts: of the cases that it explains; where none failed, what it stops is inferred.
    """
    likely = "" if "failed" in verdicts else "likely "
    said = [f"{likely}stops {count(stops, 'copier')}"] if stops else []
    said += [f"puts {count(threatens, 'copier')} at risk"] if threatens else []
    return " and ".join(said)


def listed(things: Iterable[str], most: int = 8, where: str = "report.html") -> str:
    """Return a list in words, cut after ``most`` with a word on where the rest stands."""
    all_things = list(things)
    shown, left = all_things[:most], len(all_things) - most
    between = "; " if any("," in it or " and " in it for it in shown) else ", "
    if left > 0:
        return f"{between.join(shown)} and {number(left)} more (see {where})"
    if between == ", " and len(shown) > 1:
        return f"{', '.join(shown[:-1])} and {shown[-1]}"
    return between.join(shown)


def numbered(numbers: Iterable[int]) -> str:
    """Name findings by their numbers: “finding 7”, “findings 2, 5 to 8 and 11”."""
    runs: list[list[int]] = []
    for one in sorted(numbers):
        if runs and runs[-1][-1] == one - 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    said = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    noun = "finding" if sum(map(len, runs)) == 1 else "findings"
    return f"{noun} {listed(said, len(said))}"


def moment(written: str | None) -> datetime | None:
    """Read an ISO 8601 moment, in UTC; None where there is none that can be read."""
    try:
        read = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def day(written: str | None) -> str:
    """Show the day of an ISO 8601 moment or date: “24 November 2026”; as written where it can't be read."""
    read = moment(written)
    return f"{read.day} {_MONTHS[read.month - 1]} {read.year}" if read else written or ""


def stated(written: str | None) -> str:
    """Show a moment as somebody stated it, in his own zone: “20 November 2026, 00:00 +01:00”."""
    read = moment(written)
    if read is None or not written:
        return written or ""
    own = datetime.fromisoformat(written)
    if not own.utcoffset():
        return clock(written)
    return f"{own.day} {_MONTHS[own.month - 1]} {own.year}, {own:%H:%M} {own.isoformat()[-6:]}"


def clock(written: str | None) -> str:
    """Show an ISO 8601 moment: “24 November 2026, 12:13 UTC”; as written where it can't be read."""
    read = moment(written)
    return f"{day(written)}, {read:%H:%M} UTC" if read else written or ""
