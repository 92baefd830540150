"""What did not hold, as numbered findings: causes first, in their order, then what no cause explains.

A finding has the same number in every document of a run: causes are numbered in the order of ``run.json``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from scanproof.report import trouble
from scanproof.report.document import flat
from scanproof.report.prose import effect
from scanproof.report.verdicts import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.report.trouble import Group

Case = dict[str, Any]
Kind = Literal["failed", "unproven", "advice", "waived"]
ENGINEER = "the engineer who runs this suite"
_KIND: dict[str, Kind] = {"failed": "failed", "error": "failed", "blocked": "failed", "unproven": "unproven"}
_HOLDS = frozenset({"passed", "waived"})


@dataclass
class Finding:
    """One thing that a reader has to know, and that somebody has to act on.

    Attributes:
        kind: whether it stands in the way, leaves something unproven, is advice, or is waived as a whole.
        title: what it is, in a sentence.
        seen: what more there is to say of it; empty where a cause says it all.
        subjects: keys of what it concerns.
        cause: the id of its cause; empty where none was recognised.
        layer: where the cause lies; empty where none was recognised.
        stops: keys of the copiers that can't scan for it.
        threatens: keys of the copiers whose scans it stops from arriving at any time.
    """

    kind: Kind
    title: str
    owner: str
    remedy: str
    seen: str = ""
    subjects: list[str] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    cause: str = ""
    layer: str = ""
    number: int = 0
    stops: list[str] = field(default_factory=list)
    threatens: list[str] = field(default_factory=list)

    @property
    def effect(self) -> str:
        """How many copiers it stops or puts at risk; empty where it does neither."""
        return effect(len(self.stops), len(self.threatens), [case["verdict"] for case in self.cases])

    @property
    def likely(self) -> bool:
        """Whether it is inferred that it stops copiers: no check failed for it that would stop a sign-off."""
        return bool(self.stops) and not any(case["verdict"] == "failed" for case in self.cases)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Verdict words and how many of its cases have them, gravest first."""
        counted = Counter(case["verdict"] for case in self.cases)
        return sorted(counted.items(), key=lambda item: GRAVITY.get(item[0], 0))

    @property
    def blocks(self) -> bool:
        """Whether it keeps the site from a sign-off."""
        return any(case.get("level") != "advice" and case["verdict"] not in _HOLDS for case in self.cases)

    @property
    def requirements(self) -> list[str]:
        """The requirements of its cases."""
        return list(dict.fromkeys(case["requirement"] for case in self.cases))


@dataclass
class Findings:
    """All findings, numbered: the causes in their order, then the others."""

    told: list[Finding]

    def __post_init__(self) -> None:
        """Number them."""
        for number, finding in enumerate(self.told, 1):
            finding.number = number
        self._by_case = {case["id"]: finding for finding in self.told for case in finding.cases}
        self._by_cause = {finding.cause: finding for finding in self.told if finding.cause}

    def of(self, kind: Kind) -> list[Finding]:
        """Return those of one kind."""
        return [finding for finding in self.told if finding.kind == kind]

    def about(self, case: Case) -> Finding | None:
        """Return the finding that a case belongs to."""
        return self._by_case.get(case["id"])

    def by_cause(self, name: str | None) -> Finding | None:
        """Return the finding of a cause."""
        return self._by_cause.get(name or "")


def of(run: dict[str, Any]) -> Findings:
    """Return a run's findings.

    Args:
        run: the content of ``run.json``, with every part that ``trouble.of`` reads.
    """
    known = trouble.of(run)
    sentences = {one["id"]: re.sub(r"\{[^{}]*\}", "…", one["sentence"]) for one in run["requirements"]}
    caused = [
        Finding(
            # What stops a copier stands in the way, though the copier's own log is all that shows it.
            kind="failed" if group.cause.get("stops") else _kind(group.explains),
            title=str(group.cause["title"]),
            owner=str(group.cause.get("owner") or ENGINEER),
            remedy=str(group.cause.get("remedy") or ""),
            subjects=list(group.cause.get("subjects") or ()),
            cases=group.explains,
            cause=str(group.cause["id"]),
            layer=str(group.cause.get("layer") or ""),
            stops=list(group.cause.get("stops") or ()),
            threatens=list(group.cause.get("threatens") or ()),
        )
        for group in known.causes
    ]
    explained = {case["id"] for finding in caused for case in finding.cases}
    alone: list[Finding] = []
    for group in [*known.failed, *known.blocked, *known.unproven, *known.advice]:
        cases = [case for case in group.cases if case["id"] not in explained]
        if cases:
            alone.append(_alone(group, cases, sentences))
    alone.sort(key=lambda finding: (_ORDER.index(finding.kind), not finding.blocks))
    return Findings([*caused, *alone])


_ORDER: tuple[Kind, ...] = ("failed", "unproven", "advice")


def _kind(cases: Iterable[Case]) -> Kind:
    """Return the gravest kind of some cases; waived where the others all hold."""
    cases = list(cases)
    kinds = {_kind_of(case) for case in cases if case["verdict"] not in _HOLDS}
    if cases and not kinds:
        return "waived"
    return next(kind for kind in _ORDER if kind in kinds or kind == "advice")


def _kind_of(case: Case) -> Kind:
    """Return the kind of what does not hold: what no sign-off needs, and could not be tried, is advice."""
    if case["verdict"] == "blocked" and case.get("level") == "advice":
        return "advice"
    return _KIND.get(case["verdict"], "advice")


def _alone(group: Group, cases: list[Case], sentences: dict[str, str]) -> Finding:
    """Return what no cause explains, told as alike cases are."""
    names = list(dict.fromkeys(case["requirement"] for case in cases))
    kind = _kind(cases)
    if group.verdict == "blocked":
        roots = list(dict.fromkeys(root for case in cases for root in case.get("blocked_by") or ()))
        title = (
            f"Not tried, since something that it needs failed first: {' and '.join(roots) or 'what, is not recorded'}"
        )
        seen = ""
    elif kind == "unproven":
        title, seen = f"{flat(group.title, 200).rstrip('.')} ({', '.join(names)})", ""
    else:
        required = cases[0]["sentence"] if len(cases) == 1 else sentences.get(names[0], "")
        title = f"{'Not judged' if group.verdict == 'error' else 'Not met'}: {required} ({names[0]})"
        seen = group.observed or str(cases[0].get("observed") or "")
        seen += f" (the first of {len(cases)})" if seen and not group.observed else ""
    return Finding(
        kind=kind,
        title=title,
        owner=ENGINEER,
        remedy=group.remedy or str(cases[0].get("remedy") or ""),
        seen=seen,
        subjects=list(dict.fromkeys(str(case["subject"]["name"]) for case in cases)),
        cases=cases,
    )
