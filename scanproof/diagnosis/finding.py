"""Finds the causes of a judged run: asks the rules, then follows what is blocked, and what can't be shown for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.diagnosis.advice import advise
from scanproof.diagnosis.chain import RISK, chains
from scanproof.diagnosis.model import ENGINEER, RULES, Cause, Seen, Whole
from scanproof.diagnosis.network import ELSEWHERE, FROM_THE_SITE, only_if_used
from scanproof.diagnosis.wants import WANTS, want_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scanproof.diagnosis.chain import Chain
    from scanproof.diagnosis.wants import Want
    from scanproof.judged import Case
    from scanproof.kinds import Evidence
    from scanproof.site import Site

# What a scan shows can't be shown where something keeps the copier, or its subnet's, from scanning: such a case is
# unproven for the same cause as what failed of the same subject.
_SHOWN_BY_SCANS = frozenset(
    {"DEV-9", "DLV-2", "DLV-3", "LOG-1", "LOG-2", "LOG-3", "COV-1", "COV-2", "COV-3"},
)
# What keeps a copier from scanning, of all that may fail of it, of its subnet or of its sender.
_STOPS = (
    *("INV-1", "INV-2", "NET-4", "EGR-1", "EGR-2", "EGR-3", "EGR-4", "SMTP-1", "SMTP-2", "DEV-1", "DEV-2", "DEV-3"),
    *("DEV-4", "DEV-5", "DEV-9", "DEV-13", "DLV-2", "LOG-2", "COV-1", "COV-2"),
)
# What an unproven case rests on besides its own evidence.
_RESTS_ON = {"TEN-14": ("TEN-1", "TEN-2", "TEN-3", "TEN-4", "TEN-5")}
_WAYS = frozenset({"EGR-1", "EGR-2", "EGR-3"})
_OUTLOOK = frozenset({"TEN-9", "COV-3"})  # what is to come, which the route advice tells: no cause of its own


@dataclass(frozen=True)
class Diagnosis:
    """The causes, the most important first, and what none of them explains; the copiers' chains, and their routes."""

    causes: list[Cause]
    unexplained: list[Case]
    chains: list[Chain]
    routes: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in run.json."""
        return {
            "causes": [cause.as_json() for cause in self.causes],
            "unexplained": [case.id for case in self.unexplained],
            "copiers": [chain.as_json() for chain in self.chains],
            "routes": self.routes,
        }


def explain(site: Site, cases: list[Case], evidence: Iterable[Evidence[Any]], *, whole: bool = True) -> Diagnosis:
    """Find the causes of what does not hold; each explained case is given its cause.

    Args:
        site: the site.
        cases: all judged cases.
        evidence: what they were judged by.
        whole: whether all cases of the plan were judged: else no copier is said to work, and no route.
    """
    run = Whole(site, cases, {piece.id: piece for piece in evidence})
    finding = _Finding(run)
    finding.ask_rules()
    finding.follow_blocks()
    finding.ask_of_blocked()
    finding.follow_lacks()
    finding.follow_scans()
    made = chains(run, finding.of, whole=whole)
    for chain in made:
        broken, threatened = chain.behind("failed"), chain.behind(RISK)
        for cause in finding.causes.values():
            if id(cause) in broken:
                cause.stops.append(chain.copier.key)
            elif id(cause) in threatened:
                cause.threatens.append(chain.copier.key)
    causes = sorted(finding.causes.values(), key=lambda it: (-len(it.stops), -len(it.threatens), *_weight(it)))
    numbers: Counter[str] = Counter()
    for cause in causes:
        numbers[cause.kind] += 1
        cause.id = cause.kind if numbers[cause.kind] == 1 else f"{cause.kind}-{numbers[cause.kind]}"
        cause.remedy = cause.remedy or _remedy(cause)
        for case in cause.explains:
            case.cause = cause.id
    unexplained = [
        case
        for case in cases
        if case.id not in finding.of
        and (
            case.verdict in {"failed", "error", "blocked"}
            or (case.verdict == "advice" and case.requirement not in _OUTLOOK)
        )
    ]
    return Diagnosis(causes, unexplained, made, advise(run, finding.of, whole=whole))


def _weight(cause: Cause) -> tuple[int, int, int]:
    """Order causes that stop as many copiers by how much they explain: failed blockers first, with what these block."""
    verdicts = Counter(case.verdict if case.level == "blocker" else "advice" for case in cause.explains)
    return (
        -(verdicts["failed"] + verdicts["blocked"]) if verdicts["failed"] else 0,
        -sum(case.verdict in {"failed", "advice"} for case in cause.explains),
        -len(cause.explains),
    )


def _remedy(cause: Cause) -> str:
    """Return what the gravest case that shows a cause says is to be done."""
    order = ("failed", "advice", "unproven", "blocked")
    told = [case for case in cause.explains if case.remedy]
    told.sort(key=lambda case: (order.index(case.verdict), case.level != "blocker", _says_less(case)))
    if not told:
        return ""
    same = [case for case in told if case.requirement == told[0].requirement and case.verdict == told[0].verdict]
    if told[0].requirement in _AT_ITS_PAGE and told[0].verdict == "failed":
        return _to_enter([case for case in told if case.verdict == "failed"])
    others = list(dict.fromkeys(case.label for case in same if case.remedy != told[0].remedy))
    more = f" and {len(others) - 2} more" if len(others) > 2 else ""
    said = told[0].remedy + (f" (and likewise for {', '.join(others[:2])}{more})" if others else "")
    # Which way out is open is asked of every subnet, whether or not its mail takes it.
    return only_if_used(said) if told[0].level == "advice" and told[0].requirement in _WAYS else said


def _says_less(case: Case) -> int:
    """Rank what a case can say of what is wrong: what reads a setting names its values and the command first.

    A reply that only follows from it can't, and what is proven of a kind or a subnet comes last.
    """
    return 0 if case.requirement.startswith("TEN-") else 2 if case.requirement.startswith("COV-") else 1


_AT_ITS_PAGE = ("DEV-2", "DEV-3", "DEV-4")
_MOST = 3  # lists of values in one remedy


def _to_enter(cases: list[Case]) -> str:
    """Return all that is to be entered at each copier's page, in one list: somebody walks there once."""
    lists: dict[str, list[str]] = {}
    for label in dict.fromkeys(case.label for case in cases):
        own = sorted((it for it in cases if it.label == label), key=lambda it: it.requirement)
        lists.setdefault("; ".join(dict.fromkeys(it.remedy for it in own)), []).append(label)
    if len(lists) == 1:
        return next(iter(lists))
    said = [f"{', '.join(labels)}: {text}" for text, labels in list(lists.items())[:_MOST]]
    more = sum(len(labels) for labels in list(lists.values())[_MOST:])
    return ". ".join([*said, *([f"{more} more have other values: see their DEV-2 to DEV-4"] if more else [])])


class _Finding:
    """The causes as they are found, and which of them explains a case."""

    def __init__(self, run: Whole) -> None:
        self._run = run
        self.causes: dict[tuple[str, str], Cause] = {}
        self.of: dict[str, Cause] = {}  # by the case's id

    def ask_rules(self) -> None:
        """Ask the rules about each case that does not hold, and about what is unproven for want of something."""
        for case in self._run.cases:
            if case.verdict in {"failed", "advice", "unproven"}:
                seen = Seen(case, self._run)
                for cause in self._told(seen):
                    self._tell(cause, seen)
                    break

    def _told(self, seen: Seen) -> Iterator[Cause]:
        for rule in RULES.get(seen.case.requirement, ()):
            try:
                told = rule.tells(seen)
            except LookupError:  # the case does not have what this rule looks at, so that it can't tell
                continue
            if told:
                title, remedy = told if isinstance(told, tuple) else (told, "")
                yield self._cause(rule.kind, Cause(rule.kind, rule.layer, title, rule.owner, remedy))
        if (found := want_of(seen)) and not (found[1].weak or found[1].behind):
            yield self._wanting(*found)

    def _wanting(self, kind: str, want: Want) -> Cause:
        return self._cause(kind, Cause(kind, want.layer, want.title, want.owner, want.remedy))

    def _cause(self, kind: str, new: Cause) -> Cause:
        return self.causes.setdefault((kind, new.title), new)

    def _tell(self, cause: Cause, seen: Seen) -> None:
        self._add(cause, seen.case)
        if seen.key not in cause.subjects:
            cause.subjects.append(seen.key)

    def _add(self, cause: Cause, case: Case) -> None:
        cause.explains.append(case)
        self.of[case.id] = cause

    def follow_blocks(self) -> None:
        """Explain what is blocked by the cause of what blocks it, through as many steps as it takes."""
        waiting = [case for case in self._run.cases if case.verdict == "blocked"]
        known = ("failed", "advice", "blocked")
        while True:
            left = [it for it in waiting if not self._follow(it, it.blocked_by, known, anywhere=True)]
            if len(left) == len(waiting):
                break
            waiting = left
        for case in waiting:  # an unproven root blocks nothing by itself, but what it rests on may
            self._follow(case, case.blocked_by, ("unproven",), anywhere=True)

    def ask_of_blocked(self) -> None:
        """Name what keeps this machine from trying, where no case shows it: it stands in no subnet of the site."""
        for case in self._run.cases:
            if case.verdict == "blocked" and case.id not in self.of and set(case.blocked_by) & {"EGR-1", "EGR-2"}:
                here = Cause("machine-blocked", "network", ELSEWHERE, ENGINEER, FROM_THE_SITE)
                offline = self._run.offline
                cause = self._wanting("no-route", WANTS["no-route"]) if offline else self._cause(here.kind, here)
                self._tell(cause, Seen(case, self._run))

    def follow_lacks(self) -> None:
        """Explain what could not be looked at by the cause of the requirement that stands for it."""
        any_verdict = ("failed", "advice", "unproven", "blocked")
        for seen in self._unproven():
            want = WANTS.get(seen.lacks)
            if want and want.behind and self._follow(seen.case, [want.behind], any_verdict, anywhere=True):
                continue
            self._follow(seen.case, [seen.lacks, *_RESTS_ON.get(seen.case.requirement, ())], any_verdict)

    def follow_scans(self) -> None:
        """Explain what no scan shows by what keeps its copier from showing one; else by there being no scan."""
        self._follow_copiers()
        for seen in self._unproven():
            if found := want_of(seen):
                self._tell(self._wanting(*found), seen)
        self._follow_copiers()

    def _follow_copiers(self) -> None:
        for seen in self._unproven():
            if seen.case.requirement in _SHOWN_BY_SCANS and (cause := self._behind(seen.case)):
                self._add(cause, seen.case)

    def _unproven(self) -> list[Seen]:
        cases = (case for case in self._run.cases if case.verdict == "unproven" and case.id not in self.of)
        return [Seen(case, self._run) for case in cases]

    def _follow(self, case: Case, roots: list[str], verdicts: tuple[str, ...], *, anywhere: bool = False) -> bool:
        """Give a case the cause of what it waits for: of its own subject, else of its subnet or sender."""
        for root in roots:
            for parts in (case.key.split("++"), self._parts(case)):
                near = [it for part in parts for it in self._run.by_part.get((root, part), ())]
                if self._adopt(case, near, verdicts):
                    return True
            if anywhere and self._adopt(case, self._run.by_requirement.get(root, ()), verdicts):
                return True
        return False

    def _adopt(self, case: Case, others: Iterable[Case], verdicts: tuple[str, ...]) -> bool:
        found = next((self.of[it.id] for it in others if it.verdict in verdicts and it.id in self.of), None)
        if found:
            self._add(found, case)
        return found is not None

    def _parts(self, case: Case) -> list[str]:
        """Return what a copier's case depends on besides itself: its subnet and its sender."""
        copier = self._run.copiers.get(case.key.partition("++")[0])
        return [copier.subnet, copier.sender or ""] if copier else []

    def _behind(self, case: Case) -> Cause | None:
        """Return the cause of what failed of the same copier, else of one that may stand for it, else of its subnet."""
        key = case.key.partition("++")[0]
        copier = self._run.copiers.get(key)
        everybody = self._run.copiers.values()
        kin: list[str] = []  # for what is to be its own scan nobody stands, nor does one of another firmware
        if copier is None:
            kin = [it.key for it in everybody if it.subnet == key]
        elif case.requirement == "COV-2" and not Seen(case, self._run).fails("DEV-8"):
            kin = [it.key for it in everybody if (it.subnet, it.model) == (copier.subnet, copier.model)]
        for subject in (key, *kin, copier.subnet if copier else ""):
            for requirement in _STOPS:
                for it in self._run.by_part.get((requirement, subject), ()):
                    open_too = it.requirement == "COV-2" and it.verdict == "unproven"  # maybe for another one's sake
                    if (cause := self.of.get(it.id)) and it is not case and not open_too:
                        return cause
        # A row without a usable model may be the one that would have stood for it.
        rows = [it for it in self._run.by_requirement.get("INV-1", ()) if it.id in self.of] if copier else []
        return next((self.of[it.id] for it in rows if it.key in {other.key for other in everybody}), None)
