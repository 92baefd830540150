"""The words, symbols and meanings of verdicts and grades, as every document shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Verdict:
    """A verdict: its word, a symbol and a letter that tell it apart without colour, and what it means."""

    word: str
    symbol: str
    letter: str
    meaning: str


# In order of gravity: the first one is the worst that can be said of a subject.
_IN_ORDER = (
    Verdict("failed", "✕", "F", "Evidence contradicts the requirement."),
    Verdict(
        "error",
        "\u203c\ufe0e",  # the selector keeps a phone from drawing it as a picture
        "E",
        "The suite itself broke while judging this case. It says nothing about the site; report it.",
    ),
    Verdict(
        "blocked",
        "⊘",
        "B",
        "It could not be tried, because something that it needs failed first. The case names what that was; "
        "correct that, and this case can be judged.",
    ),
    Verdict(
        "unproven",
        "?",
        "U",
        "Nothing contradicts the requirement and nothing proves it: there was no place to look from, no scan yet, "
        "or no permission to read. It isn't a pass.",
    ),
    Verdict("advice", "!", "A", "An advice-level requirement does not hold. It is shown and stops no sign-off."),
    Verdict(
        "waived",
        "≈",
        "W",
        "The requirement does not hold, and a dated, reasoned and approved waiver in the site file covers that.",
    ),
    Verdict(
        "passed",
        "✓",
        "P",
        "The requirement is proven by evidence: this run's own, or an earlier run's where the case says so.",
    ),
)

VERDICTS: dict[str, Verdict] = {verdict.word: verdict for verdict in _IN_ORDER}
GRAVITY: dict[str, int] = {word: place for place, word in enumerate(VERDICTS)}
HOLDS = frozenset({"passed"})

GRADES: tuple[tuple[str, str], ...] = (
    ("from-copier", "The copier's own mail arrived. The strongest proof there is."),
    ("same-subnet", "A probe whose source address lies in the copier's subnet."),
    ("forwarded", "A probe through a host of the subnet that doesn't show its source address."),
    ("attested", "A person's dated, named statement, or a page that was saved."),
    ("inferred", "Concluded from something else. Never enough to pass a blocker."),
)


def verdict(word: str) -> Verdict:
    """Return a verdict by its word; a word that this version doesn't know counts as an error, in its own word."""
    return VERDICTS.get(word) or Verdict(word, VERDICTS["error"].symbol, "E", VERDICTS["error"].meaning)


def worst(words: Iterable[str]) -> str | None:
    """Return the gravest of some verdict words; None of none."""
    return min(words, key=lambda word: GRAVITY.get(word, GRAVITY["error"]), default=None)
