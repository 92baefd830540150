"""What changed between two judged runs of a site: new, fixed, still failing, no longer judged.

A case is the same in both by its requirement and its subject's key, never by its node id (docs/design.md). What
becomes of a case:

=================  ========================================================================================
before → now       class
=================  ========================================================================================
anything → fails   ``new``; ``still`` where it failed before
anything → waived  ``still``; ``new`` where it held before, or was no case
fails → holds      ``fixed``; so is what was blocked or waived before
unproven → holds   ``proven``: nobody had seen it fail, so nothing was repaired
judged → not       ``lost``: blocked, unproven, an error of the suite, or no case at all
=================  ========================================================================================

*Fails* is ``failed`` and ``advice``, *holds* is ``passed``. A waived case does not hold, and somebody has accepted
that: it is ``new`` where it held before or was no case, else ``still`` (who adds a waiver breaks nothing), and never
makes a run worse. One whose waiver has ended is ``new``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scanproof.ages import zulu
from scanproof.ran import RanError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scanproof.ran import Case, Ran

NO_CASE = "no case"  # stands for a verdict where a run has no such case
NONE_BEFORE = "not judged"
_FAILS = frozenset({"failed", "advice"})
_TOLD = frozenset({"passed", "waived", *_FAILS})  # an error of the suite says nothing about the site
_ROW = re.compile(r"\+row\d+(?=\+\+|\Z)")
_ONLY_A_ROW = re.compile(r"row\d+\Z")


@dataclass
class Comparison:
    """What changed from one run to another; every list holds entries as they stand in ``run.json``."""

    before: Ran
    now: Ran
    new: list[Case] = field(default_factory=list)
    fixed: list[Case] = field(default_factory=list)
    still: list[Case] = field(default_factory=list)
    lost: list[Case] = field(default_factory=list)
    proven: list[Case] = field(default_factory=list)
    open: int = 0  # judged neither then nor now
    notes: list[str] = field(default_factory=list)

    @property
    def worse(self) -> list[Case]:
        """What got worse: it fails and did not, or it was shown to hold and is no longer shown.

        A case that is gone for a stated reason (out of scope, not on the list, left out by the user) is ``lost`` and
        no worse; one that the later run itself counts as missing is.
        """
        gone = [it for it in self.lost if it["before"] == "passed" and it["now"] != NO_CASE]
        missing = [it for it in self.lost if it["now"] == NO_CASE and _pair(it) in self.now.missing]
        return [*(it for it in self.new if it["now"] != "waived"), *gone, *missing]

    @property
    def causes_gone(self) -> list[str]:
        """The titles of causes of the earlier run that the later one doesn't have, and whose cases all hold now.

        A cause that is gone since its cases are not judged any more is none of them: nothing shows that it is settled.
        """

        def pairs(*, hold: bool) -> set[tuple[str, str]]:
            some = (case for case in self.now.cases if _holds(case) == hold)
            return {(case["requirement"], _without_row(case["subject"])) for case in some}

        held, explained = pairs(hold=True) - pairs(hold=False), [it for it in self.before.cases if not _holds(it)]
        left = {it["cause"] for it in explained if (it["requirement"], _without_row(it["subject"])) not in held}
        gone = {it["cause"] for it in explained} - left - self.now.causes.keys()
        return [title for name, title in self.before.causes.items() if name in gone]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as it stands in ``run.json`` under ``baseline``."""
        return {
            "run": self.before.name,
            "started": zulu(self.before.started) if self.before.started else None,
            "finished": self.before.finished or None,
            "new": self.new,
            "fixed": self.fixed,
            "still": self.still,
            "lost": self.lost,
            "proven": self.proven,
            "open": self.open,
            "causes_gone": self.causes_gone,
            "worse": bool(self.worse),
            "notes": self.notes,
        }


def compare(before: Ran, now: Ran) -> Comparison:
    """Compare two runs of one site, in the order in which they are given.

    Raises:
        RanError: they are of different sites.
    """
    if before.site != now.site:
        raise RanError(
            f"{before.name} is of {before.kind}, and {now.name} of {now.kind}: only runs of one site can be compared"
        )
    made = Comparison(before, now)
    made.notes += _notes(before, now)
    for old, new in _pairs(before.cases, now.cases):
        _sort_in(made, old, new)
    for entries in (made.new, made.fixed, made.still, made.lost, made.proven):
        entries.sort(key=lambda it: it["level"] != "blocker")  # what blocks a sign-off comes first
    return made


def _notes(before: Ran, now: Ran) -> Iterator[str]:
    if before.started and now.started and now.started < before.started:
        yield (
            f"{now.name} was made before {before.name} ({now.at}, {before.at}): what is told here as the change "
            "from then to now goes backwards in time."
        )
    if before.version != now.version:
        yield (
            f"{before.name} was judged by Scanproof {before.version}, {now.name} by {now.version}: "
            "a case may be judged otherwise without any change at the site."
        )
    added = now.requirements - before.requirements if before.requirements else frozenset()
    if added:
        yield f"Requirements that {before.name} did not know: {', '.join(sorted(added))}."
    for ran in (before, now):
        if not ran.finished:
            yield f"{ran.name} was cut short: what it did not come to is unproven there."
        if ran.deselected:
            yield f"In {ran.name}, {ran.deselected:,} cases were left out (-k, -m or named files)."


def _sort_in(made: Comparison, old: Case | None, new: Case | None) -> None:
    """Put one case into its class, as the module's table says."""
    before = old["verdict"] if old else NONE_BEFORE
    now = new["verdict"] if new else NO_CASE
    if now in _FAILS:
        where = made.still if before in _FAILS else made.new
    elif now == "waived":
        where = made.new if before in {"passed", NONE_BEFORE} else made.still
    elif now == "passed":
        if before in {*_FAILS, "blocked", "waived"}:
            where = made.fixed
        elif before in {"unproven", "error"}:
            where = made.proven
        else:
            return
    elif before in _TOLD:
        where = made.lost
    else:
        made.open += new is not None
        return
    case = new or old
    assert case is not None
    where.append(
        {
            "requirement": case["requirement"],
            "subject": case["subject"],
            "label": case["label"],
            "level": case["level"],
            "sentence": case["sentence"],
            "before": before,
            "now": now,
            "observed": new["observed"] if new else _why_no_case(made.now, case),
            "remedy": new["remedy"] if new else "",
        }
    )


def _why_no_case(now: Ran, case: Case) -> str:
    pair = (case["requirement"], case["subject"])
    if pair in now.missing:
        return "the run counts it as missing: it should have been judged, and was not"
    if reason := now.apart.get(pair):
        return f"not applicable now: {reason}"
    if now.requirements and case["requirement"] not in now.requirements:
        return "this version has no such requirement"
    if now.deselected:
        return "left out of that run, or no longer on the list"
    return "no longer on the list or in the site file"


def _holds(case: Case) -> bool:
    return bool(case["verdict"] == "passed")


def _pair(entry: Case) -> tuple[str, str]:
    return entry["requirement"], entry["subject"]


def _pairs(before: list[Case], now: list[Case]) -> Iterator[tuple[Case | None, Case | None]]:
    """Pair the cases of two runs; one without a partner stands alone.

    A doubled key ends in the number of its row (``+rowN``), and a row without serial and address is named by its number
    alone: both change when rows move. Such cases are told apart by what else is known of them.
    """
    groups: dict[tuple[str, str], tuple[list[Case], list[Case]]] = {}
    for place, cases in enumerate((before, now)):
        for case in cases:
            groups.setdefault((case["requirement"], _without_row(case["subject"])), ([], []))[place].append(case)
    for (_, name), (olds, news) in groups.items():
        if name and len(olds) == len(news) == 1:
            yield olds[0], news[0]
        else:
            yield from _matched(olds, news, by_order=bool(name))


def _without_row(key: str) -> str:
    return "" if _ONLY_A_ROW.match(key) else _ROW.sub("", key)


def _matched(olds: list[Case], news: list[Case], *, by_order: bool) -> Iterator[tuple[Case | None, Case | None]]:
    """Pair cases whose keys differ by the row's number alone, by the surest sign first."""
    signs: tuple[Callable[[Case], str], ...] = (
        lambda it: it["address"] and f"{it['address']} {it['subject']}",
        lambda it: it["address"],
        lambda it: re.sub(r"^row \d+", "", it["label"]) if it["label"].startswith("row ") else "",
        lambda it: it["subject"],
    )
    for sign in signs:
        found = list(_alike(olds, news, sign))
        yield from found
        done = {id(case) for pair in found for case in pair}
        olds, news = ([case for case in cases if id(case) not in done] for cases in (olds, news))
    if by_order and len(olds) == len(news):
        yield from zip(sorted(olds, key=_row), sorted(news, key=_row), strict=True)
    else:
        yield from ((old, None) for old in olds)
        yield from ((None, new) for new in news)


def _alike(olds: list[Case], news: list[Case], sign: Callable[[Case], str]) -> Iterable[tuple[Case, Case]]:
    """Yield the pairs of which a sign tells that they are the same, where it tells one alone on each side."""
    left: dict[str, list[Case]] = {}
    right: dict[str, list[Case]] = {}
    for found, cases in ((left, olds), (right, news)):
        for case in cases:
            found.setdefault(sign(case), []).append(case)
    for told, some in left.items():
        if told and len(some) == len(right.get(told, ())) == 1:
            yield some[0], right[told][0]


def _row(case: Case) -> int:
    found = re.search(r"\+row(\d+)", case["subject"])
    return int(found.group(1)[:9]) if found else 0


CLASSES = (
    ("new", "new", "fails now, and did not before"),
    ("lost", "no longer judged", "was judged before, and is not now"),
    ("still", "still failing", "did not hold or was not shown to before, and does not hold now"),
    ("fixed", "fixed", "did not hold or could not be tried before, and holds now"),
    ("proven", "proven", "was not proven before, and is now"),
)
"""Each class: its name in ``run.json``, the words for it, and what they mean; in the order in which they are told."""


def lines(made: Comparison, most: int | None = None) -> Iterator[str]:
    """Yield a comparison in words, cases that changed alike as one line.

    Args:
        made: the comparison.
        most: lines that one class may take; by default all of them.
    """
    yield from made.notes
    for name, word, meaning in CLASSES:
        entries: list[Case] = getattr(made, name)
        if not entries:
            continue
        yield f"{word} ({len(entries)}): {meaning}"
        told = list(_told(entries, observed=name in {"new", "lost", "still"}))
        yield from (f"  {line}" for line in told[:most])
        if most is not None and len(told) > most:
            yield f"  … and {len(told) - most} more lines: scanproof compare has them all"
    yield summary(made)


def _told(entries: list[Case], *, observed: bool) -> Iterator[str]:
    alike: dict[tuple[str, ...], list[Case]] = {}
    for it in entries:
        seen = it["observed"] if observed else ""
        alike.setdefault((it["requirement"], it["before"], it["now"], it["level"], seen), []).append(it)
    for (requirement, before, now, level, seen), same in alike.items():
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        aside = " [blocks nothing]" if level == "advice" else ""
        yield f"{requirement} {same[0]['sentence'] or same[0]['label']}{more}: {before} → {now}{aside}"
        if seen:
            yield f"    {' '.join(seen.split())}"


def summary(made: Comparison) -> str:
    """Say in one line what a comparison comes to."""
    parts = [f"{len(getattr(made, name))} {word}" for name, word, _ in CLASSES]
    counted = f"{', '.join(parts)}; {made.open} judged neither then nor now"
    worse = made.worse
    if not worse:
        return f"Nothing got worse since {made.before.name}: {counted}."
    return f"WORSE than {made.before.name} in {len(worse)} case{'s' if len(worse) > 1 else ''}: {counted}."
