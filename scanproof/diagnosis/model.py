"""What a cause is, what a rule is given, and how one is written.

A rule looks at one case that does not hold, with its evidence, and says in one sentence what is wrong, or nothing.
Cases of which the same is said are one cause: forty red cases behind one firewall rule give one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from scanproof.kinds import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scanproof.diagnosis.wants import Want
    from scanproof.judged import Case
    from scanproof.kinds import Evidence
    from scanproof.site import Copier, Site

Layer = Literal["network", "host", "dns", "tenant", "mail", "device", "inventory"]
F = TypeVar("F", bound=Facts)

NETWORK = "the network team"
ZONE = "whoever runs the domain's name servers"
TENANT = "the Microsoft 365 administrator"
DEVICE = "the engineer at the copier"
VENDOR = "the copier's service partner"
ENGINEER = "the engineer who runs this suite"
LIST = "whoever keeps the fleet list and site.toml"
APPLICATION = "whoever runs the application"
MICROSOFT = "Microsoft's support"


@dataclass
class Cause:
    """Why cases do not hold.

    Attributes:
        kind: the catalogue's name, which the lab's faults name too.
        title: one sentence.
        owner: who can put it right.
        id: in this run: its kind, numbered where there are several of it.
        subjects: keys of what it concerns.
        explains: the cases, those that show it before those that only follow from it.
        stops: keys of the copiers whose chain it breaks.
        threatens: keys of the copiers that it stops from nothing yet.
    """

    kind: str
    layer: Layer
    title: str
    owner: str
    remedy: str = ""
    id: str = ""
    subjects: list[str] = field(default_factory=list)
    explains: list[Case] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    threatens: list[str] = field(default_factory=list)

    @property
    def named(self) -> list[str]:
        """What it concerns, as a person calls it."""
        labels = {case.key: case.label for case in self.explains}
        return [labels.get(subject, subject) for subject in self.subjects]

    def as_json(self) -> dict[str, Any]:
        """Return the cause as it stands in run.json."""
        return {
            "id": self.id,
            "kind": self.kind,
            "layer": self.layer,
            "title": self.title,
            "subjects": self.subjects,
            "explains": [case.id for case in self.explains],
            "stops": self.stops,
            "threatens": self.threatens,
            "owner": self.owner,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Whole:
    """A judged run, as rules look around in it."""

    site: Site
    cases: list[Case]
    evidence: dict[str, Evidence[Any]]  # by id

    @cached_property
    def by_requirement(self) -> dict[str, list[Case]]:
        """The cases of each requirement."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.requirement, []).append(case)
        return found

    @cached_property
    def by_part(self) -> dict[tuple[str, str], list[Case]]:
        """The cases of each requirement and part of a subject's key."""
        found: dict[tuple[str, str], list[Case]] = {}
        for case in self.cases:
            for part in {case.key, *case.key.split("++")}:
                found.setdefault((case.requirement, part), []).append(case)
        return found

    @cached_property
    def copiers(self) -> dict[str, Copier]:
        """The copiers in scope, by key."""
        return {copier.key: copier for copier in self.site.copiers}

    @cached_property
    def offline(self) -> bool:
        """Whether this machine had no route to the public name server either: it is in no network at all."""
        return any(it.kind == "public_records" and it.lacks == "no-route" for it in self.evidence.values())


@dataclass(frozen=True)
class Seen:
    """One case that does not hold, with what was seen."""

    case: Case
    run: Whole

    @property
    def failed(self) -> bool:
        """Whether evidence contradicts it, at whichever level; else it is unproven."""
        return self.case.verdict in {"failed", "advice", "waived"}

    @property
    def site(self) -> Site:
        """The site."""
        return self.run.site

    @property
    def key(self) -> str:
        """The first half of the subject's key: the copier, the subnet, the sender."""
        return self.case.key.partition("++")[0]

    @property
    def copier(self) -> Copier:
        """The copier that the case is about.

        Raises:
            KeyError: it is about no copier in scope.
        """
        return self.run.copiers[self.key]

    @property
    def lacks(self) -> str:
        """The kind of cause for want of which its evidence could not be had; empty where there is none."""
        return next((it.lacks for it in self._pieces if it.lacks), "")

    @cached_property
    def _pieces(self) -> list[Evidence[Any]]:
        return [self.run.evidence[name] for name in self.case.evidence if name in self.run.evidence]

    def facts(self, model: type[F]) -> F:
        """Return what the case judged of one kind.

        Raises:
            LookupError: it judged nothing of that kind.
        """
        for found in self.every(model):
            return found
        raise LookupError(f"{self.case.id} judged no {model.__name__}")

    def every(self, model: type[F]) -> list[F]:
        """Return all that the case judged of one kind."""
        return [piece.facts for piece in self._pieces if isinstance(piece.facts, model)]

    def judged(self, model: type[Facts]) -> bool:
        """Whether it judged anything of one kind."""
        return bool(self.every(model))

    def others(self, requirement: str, key: str = "") -> list[Seen]:
        """Return the cases of another requirement, of the same subject or of one that is named."""
        return [Seen(case, self.run) for case in self.run.by_part.get((requirement, key or self.key), [])]

    def holds(self, requirement: str, key: str = "") -> bool:
        """Whether another requirement of the same subject, or of one that is named, is proven."""
        cases = self.others(requirement, key)
        return bool(cases) and all(it.case.verdict == "passed" for it in cases)

    def fails(self, requirement: str, key: str = "") -> bool:
        """Whether another requirement of the same subject, or of one that is named, does not hold."""
        return any(it.failed for it in self.others(requirement, key))


Told = str | tuple[str, str] | None  # a title; with a remedy where the case's own won't do; or nothing


@dataclass(frozen=True)
class Rule:
    """How one kind of cause is recognised."""

    kind: str
    layer: Layer
    owner: str
    tells: Callable[[Seen], Told]


RULES: dict[str, list[Rule]] = {}
"""By requirement, in the order in which they are asked."""


def cause(kind: str, layer: Layer, owner: str, of: str) -> Callable[[Callable[[Seen], Told]], Callable[[Seen], Told]]:
    """Register a rule; the first that tells something explains the case.

    Args:
        kind: the catalogue's name.
        layer: where it sits.
        owner: who can put it right.
        of: the requirements whose cases it is asked about, blank-separated.
    """

    def register(tells: Callable[[Seen], Told]) -> Callable[[Seen], Told]:
        for requirement in of.split():
            RULES.setdefault(requirement, []).append(Rule(kind, layer, owner, tells))
        return tells

    return register


def markdown(wants: Mapping[str, Want]) -> str:
    """Return every kind of cause as a Markdown table: by rule, then those for which evidence could not be had."""
    rows: dict[str, tuple[str, str, list[str], str]] = {}
    for requirement, rules in RULES.items():
        for rule in rules:
            said = (rule.tells.__doc__ or "").strip().splitlines()[0]
            row = rows.setdefault(rule.kind, (rule.layer, rule.owner, [], said))
            if requirement not in row[2]:
                row[2].append(requirement)
    for kind, want in wants.items():
        rows.setdefault(kind, (want.layer, want.owner, [], f"{want.title}."))
    lines = ["| cause | layer | who can act | seen in | recognised by |", "|---|---|---|---|---|"]
    for kind, (layer, owner, seen, said) in sorted(rows.items()):
        lines.append(f"| {kind} | {layer} | {owner} | {', '.join(seen) or 'whatever needs it'} | {said} |")
    return "\n".join(lines)
