"""What of a run is excepted, in words: the waivers, why, by whom and until when; and what security baselines forbid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scanproof.report.prose import stated
from scanproof.subjects import is_of

Case = dict[str, Any]
THROUGH = "through"  # begins what is said of a case that is waived since a waived one stands in its way


@dataclass(frozen=True)
class Waiver:
    """One waiver that the site states.

    Attributes:
        requirement: its id.
        sentence: what the requirement asks for.
        subject: the key of what it is about; ``*`` of all.
        until: in the zone in which it was stated.
        state: whether it counts, in words.
        counts: whether it is in use.
        covered: how many checks it waives itself.
        behind: how many could not be tried for these, and are waived with them.
    """

    requirement: str
    sentence: str
    subject: str
    reason: str
    approved_by: str
    until: str
    state: str
    counts: bool
    covered: int
    behind: int


def baselines(cases: list[Case]) -> dict[str, list[Case]]:
    """Return each exception from a security baseline, in words, with the cases that pass by it."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        for words in case.get("exceptions") or ():
            found.setdefault(str(words), []).append(case)
    return found


def of(run: dict[str, Any]) -> list[Waiver]:
    """Return a run's waivers as they are stated.

    Args:
        run: the content of ``run.json``; parts that are missing are taken as empty.
    """
    sentences = {it["id"]: re.sub(r"\{[^{}]*\}", "…", it["sentence"]) for it in run.get("requirements") or ()}
    waived = [case for case in run.get("cases") or () if case["verdict"] == "waived"]
    return [_waiver(it, waived, sentences) for it in run.get("waivers") or ()]


def _waiver(it: dict[str, Any], waived: list[Case], sentences: dict[str, str]) -> Waiver:
    requirement, subject = str(it.get("requirement")), str(it.get("subject"))
    own = [
        case
        for case in waived
        if case["requirement"] == requirement
        and (subject == "*" or is_of(case["subject"]["name"], subject))
        and not str(case.get("waiver")).startswith(THROUGH)
    ]
    behind = sum(
        str(case.get("waiver")).startswith(THROUGH) and requirement in (case.get("blocked_by") or ())
        for case in waived
        if own
    )
    state = "in use" if it.get("used") else "covers nothing in this run"
    return Waiver(
        requirement=requirement,
        sentence=str(own[0]["sentence"]) if len(own) == 1 and subject != "*" else sentences.get(requirement, ""),
        subject=subject,
        reason=str(it.get("reason") or "not stated"),
        approved_by=str(it.get("approved_by") or "not stated"),
        until=stated(it.get("until")),
        state="expired, counts for nothing" if it.get("expired") else state,
        counts=bool(it.get("used") and not it.get("expired")),
        covered=len(own),
        behind=behind,
    )
