"""The geometry of the picture of progress: how many copiers were proven in each run of a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scanproof.report.text import moment

# All lengths are in units of the picture's viewBox.
WIDTH = 1000
LEFT, RIGHT, TOP, FLOOR = 60, 30, 34, 230  # the frame that bars stand in
FOOT = 58  # room for the runs' dates
WIDEST = 90  # of a run's place
LABELS = 14  # runs that are labelled one by one; of more, some


@dataclass(frozen=True)
class Bar:
    """One run: a column as high as its copiers, of which the lower part is proven."""

    x: float
    width: float
    top: float  # of all its copiers
    full: float  # of those that are proven
    number: str
    date: str
    ready: bool
    title: str


@dataclass(frozen=True)
class Progress:
    """All of it, with the same told in a table and in words."""

    bars: list[Bar]
    rows: list[dict[str, Any]]
    words: str
    most: int
    width: int = WIDTH
    height: int = FLOOR + FOOT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    floor: int = FLOOR


def of(run: dict[str, Any]) -> Progress | None:
    """Lay the runs of a site out; None where there is one alone, of which no progress can be told.

    Args:
        run: the content of ``run.json``; its ``history`` is oldest first.
    """
    rows = [it for it in run.get("history") or () if it.get("copiers")]
    if len(rows) < 2:
        return None
    most = max(it["copiers"] for it in rows)
    place = min((WIDTH - LEFT - RIGHT) / len(rows), WIDEST)
    step = -(-len(rows) // LABELS)
    days = [str(it["started"])[:10] for it in rows]
    bars = []
    for number, it in enumerate(rows):
        told = number % step == (len(rows) - 1) % step  # the last one is always labelled
        said = f"the chain of {it['proven']} of {it['copiers']} copiers works"
        state = "ready" if it["ready"] else "not ready"
        part = "" if it.get("whole", True) else ", a part of the cases only"
        bars.append(
            Bar(
                x=round(LEFT + number * place + place * 0.16, 1),
                width=round(place * 0.68, 1),
                top=round(_height(it["copiers"], most), 1),
                full=round(_height(min(it["proven"], it["copiers"]), most), 1),
                number=str(it["proven"]) if told else "",
                date=_date(str(it["started"]), days) if told else "",
                ready=bool(it["ready"]),
                title=f"{moment(it['started'])}: {said}, {state}{part}",
            )
        )
    first, last = (f"the chain of {it['proven']} of {it['copiers']} copiers worked" for it in (rows[0], rows[-1]))
    words = (
        f"{len(rows)} runs. In the first, of {moment(rows[0]['started'])}, {first}; "
        f"in the last, of {moment(rows[-1]['started'])}, {last}."
    )
    return Progress(bars, rows, words, most)


def _date(started: str, days: list[str]) -> str:
    """Show a run's day; with its time (UTC) instead of its year where several runs are of one day."""
    return started[:10] if len(set(days)) == len(days) else f"{started[5:10]} {started[11:16]}"


def _height(number: int, most: int) -> float:
    return FLOOR - (FLOOR - TOP) * number / most
