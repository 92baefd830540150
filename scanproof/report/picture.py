"""The geometry of the picture of a site: subnets with their copiers, and whether their mail gets out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.report.verdicts import worst

if TYPE_CHECKING:
    from collections.abc import Mapping

# All lengths are in units of the picture's viewBox.
WIDTH = 1000
BOX_X, BOX_WIDTH = 8, 484
EDGE_X = 650  # where a site ends: its gateway
FOOT = 22  # room for the edge's name
PILLAR, PILLAR_GAP = 64, 26  # a service's width, and the space between two
HEADER = 30  # a service's line of text above the picture
LINE = 34  # from one route's line to the next
GAP = 14  # between two subnets
HEAD = 50  # a subnet's two lines of text
LARGE, SMALL = 24, 13  # a copier's mark, and the one for crowded subnets
CROWDED = 100  # copiers


@dataclass(frozen=True)
class Mark:
    """One copier."""

    x: float
    y: float
    verdict: str
    title: str


@dataclass(frozen=True)
class Line:
    """One subnet's way to one service."""

    y: float
    end: float
    state: str
    label: str
    title: str


@dataclass(frozen=True)
class Box:
    """One subnet."""

    y: float
    height: float
    title: str
    detail: str
    mark: float  # side of a copier's mark
    marks: list[Mark]
    lines: list[Line]


@dataclass(frozen=True)
class Pillar:
    """One door of the mail service."""

    x: float
    name: str
    header: float


@dataclass(frozen=True)
class Picture:
    """All of it, with the same told in words."""

    height: float
    top: float
    boxes: list[Box]
    pillars: list[Pillar]
    words: list[str]
    width: float = WIDTH
    box_x: float = BOX_X
    box_width: float = BOX_WIDTH
    edge: float = EDGE_X
    foot: float = FOOT
    pillar: float = PILLAR


def of(run: dict[str, Any], verdicts: Mapping[str, str | None]) -> Picture:
    """Lay a site out.

    Args:
        run: the content of ``run.json``.
        verdicts: each copier's verdict by its key; None where no case judged it.
    """
    doors = _doors(run)
    pillars = [
        Pillar(
            x=WIDTH - BOX_X - (len(doors) - place) * (PILLAR + PILLAR_GAP) + PILLAR_GAP,
            name=f"{host}:{port} · {' and '.join(routes)}",
            header=HEADER * (len(doors) - place) - 12,
        )
        for place, ((host, port), routes) in enumerate(doors.items())
    ]
    top = y = HEADER * len(doors) + 12
    boxes, words = [], []
    egress = _egress(run)
    for subnet in run["layout"]["subnets"]:
        copiers = subnet["copiers"]
        side = SMALL if len(copiers) > CROWDED else LARGE
        across = (BOX_WIDTH - 24) // side
        used = {subnet.get("route"), *(copier.get("route") for copier in copiers)}
        ways = [
            (pillar, door, state, bool(used.intersection(routes)))
            for pillar, (door, routes) in zip(pillars, doors.items(), strict=True)
            if (state := egress.get((subnet["prefix"], door[0]))) or used.intersection(routes)
        ]
        height = max(HEAD + -(-len(copiers) // across) * side + 12, LINE * len(ways) + 16)
        first = y + height / 2 - LINE * (len(ways) - 1) / 2 + 6
        told = [
            (f"{door[0]}:{door[1]} {state or 'not judged'}{'' if in_use else ' (not used here)'}")
            for _, door, state, in_use in ways
        ]
        boxes.append(
            Box(
                y=y,
                height=height,
                title=_cut(subnet["label"], 62),
                detail=_cut(f"{_tally(copiers, verdicts)} · route {subnet.get('route') or 'not stated'}", 82),
                mark=side - 4 if side == LARGE else side - 2,
                marks=[
                    Mark(
                        x=BOX_X + 14 + place % across * side,
                        y=y + HEAD + place // across * side,
                        verdict=verdicts.get(copier["key"]) or "none",
                        title=f"{copier['label']}: {verdicts.get(copier['key']) or 'not judged'}",
                    )
                    for place, copier in enumerate(copiers)
                ],
                lines=[
                    Line(
                        y=first + place * LINE,
                        end=pillar.x,
                        state=state or "none",
                        label=f"{door[1]} {state or 'not judged'}{'' if in_use else ' (unused)'}",
                        title=f"{subnet['label']} to {said}",
                    )
                    for place, ((pillar, door, state, in_use), said) in enumerate(zip(ways, told, strict=True))
                ],
            ),
        )
        words.append(
            f"{subnet['label']}: {_tally(copiers, verdicts)}; {', '.join(told) or 'no way out was judged'}.",
        )
        y += height + GAP
    return Picture(height=y + FOOT, top=top, boxes=boxes, pillars=pillars, words=words)


def _doors(run: dict[str, Any]) -> dict[tuple[str, int], list[str]]:
    """Return the doors of the mail service; direct send and relay share one."""
    doors: dict[tuple[str, int], list[str]] = {}
    for service in run["layout"]["services"]:
        doors.setdefault((service["host"], service["port"]), []).append(service["route"])
    return doors


def _egress(run: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return how each (prefix, host) is reached: by EGR-1 and EGR-2, and by EGR-3 where that found something."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in run["cases"]:
        prefix, pair, service = str(case["subject"]["name"]).partition("++")
        found_something = case["requirement"] == "EGR-3" and case["verdict"] in {"failed", "advice", "waived"}
        if pair and (case["requirement"] in {"EGR-1", "EGR-2"} or found_something):
            found.setdefault((prefix, service.partition(":")[0]), []).append(case["verdict"])
    return {key: word for key, words in found.items() if (word := worst(words))}


def _tally(copiers: list[dict[str, Any]], verdicts: Mapping[str, str | None]) -> str:
    words = [verdicts.get(copier["key"]) or "not judged" for copier in copiers]
    parts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words)))
    return f"{len(copiers)} copier{'' if len(copiers) == 1 else 's'}" + (f": {parts}" if parts else "")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
