"""The copiers' chains and the route advice, as the report shows them: like ones told once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from scanproof.report.verdicts import VERDICTS

LINKS = ("listed", "reachable", "settings", "egress", "tls", "sign-in", "accepted", "arrived", "logged")
TIMES = (("today", "today"), ("end_of_2026", "after December 2026"), ("basic_gone", "after Basic sign-in is gone"))
# A copier's verdict by its chain, in the words of cases: by which its mark in the picture is drawn.
_MARKS = {"works": "passed", "at risk": "advice", "not proven": "unproven", "waived": "waived"}


@dataclass
class Alike:
    """Copiers or subnets of which the same is advised."""

    advice: dict[str, Any]
    labels: list[str] = field(default_factory=list)


def marks(run: dict[str, Any]) -> dict[str, str]:
    """Return the word of each copier's chain, in the words of cases, by its key."""
    found = {}
    for copier in run["copiers"]:
        broken = next((it["verdict"] for it in copier["chain"] if it["link"] == copier["broken_at"]), "failed")
        found[copier["name"]] = _MARKS.get(copier["verdict"], broken if broken in VERDICTS else "error")
    return found


def by_subnet(run: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the copiers with their chains, by their subnet's label, in the picture's order."""
    labels = {subnet["prefix"]: subnet["label"] for subnet in run["layout"]["subnets"]}
    found: dict[str, list[dict[str, Any]]] = {label: [] for label in labels.values()}
    for copier in run["copiers"]:
        found.setdefault(labels.get(copier["subnet"], copier["subnet"]), []).append(copier)
    return [(label, copiers) for label, copiers in found.items() if copiers]


def advice(run: dict[str, Any]) -> list[Alike]:
    """Return the route advice, subnets first; those of which the same is said are one."""
    found: dict[str, Alike] = {}
    for one in run["routes"]:
        same = repr((one["kind"], one["uses"], one["advice"], one["why"], one["routes"]))
        found.setdefault(same, Alike(one)).labels.append(one["label"])
    return list(found.values())


def totals(run: dict[str, Any]) -> list[tuple[str, int]]:
    """Return how many copiers there are of each verdict of a chain."""
    found = Counter(copier["verdict"] for copier in run["copiers"])
    return [(word, found[word]) for word in ("works", "waived", "at risk", "not proven", "broken") if found[word]]
