"""What did not hold, most important first, with many like cases told as one line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scanproof.report.prose import effect
from scanproof.report.verdicts import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

Case = dict[str, Any]


@dataclass
class Group:
    """Cases that differ in their subject only (or, where nothing was seen, in what was expected as well)."""

    verdict: str
    title: str
    expected: str
    observed: str
    remedy: str
    cases: list[Case]

    @property
    def requirements(self) -> list[tuple[str, int]]:
        """The requirements that it touches, each with its number of cases."""
        return list(Counter(case["requirement"] for case in self.cases).items())


@dataclass
class CauseGroup:
    """One cause and the cases that it explains."""

    cause: dict[str, Any]
    concerns: list[str] = field(default_factory=list)  # its subjects, as a person calls them
    groups: list[Group] = field(default_factory=list)
    follows: list[Group] = field(default_factory=list)  # what could not be tried or shown for it
    explains: list[Case] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)  # the copiers that can't scan for it
    threatens: list[str] = field(default_factory=list)  # those that still can
    threat: str = ""  # what may become of these

    @property
    def effect(self) -> str:
        """How many copiers it stops or puts at risk; empty where it does neither."""
        return effect(len(self.stops), len(self.threatens), [case["verdict"] for case in self.explains])

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Verdict words and the number of its cases, gravest first."""
        counted = Counter(case["verdict"] for case in self.explains)
        return sorted(counted.items(), key=lambda item: GRAVITY.get(item[0], 0))


@dataclass
class Trouble:
    """Everything that did not hold, in the order in which a reader needs it."""

    causes: list[CauseGroup]
    failed: list[Group]
    blocked: list[Group]
    advice: list[Group]
    unproven: list[Group]
    waived: list[Group]

    def __bool__(self) -> bool:
        """Tell whether there is anything to say."""
        return any((self.causes, self.failed, self.blocked, self.advice, self.unproven, self.waived))


def of(run: dict[str, Any]) -> Trouble:
    """Sort and group what did not hold.

    Args:
        run: the content of ``run.json``. Its order of causes is kept.
    """
    telling = _Telling(run)
    causes = {cause["id"]: CauseGroup(cause) for cause in run["causes"]}
    explained = {case: cause["id"] for cause in reversed(run["causes"]) for case in cause.get("explains", ())}
    alone: list[Case] = []
    for case in run["cases"]:
        cause = causes.get(case.get("cause") or explained.get(case["id"], ""))
        if cause is not None:
            cause.explains.append(case)
        else:
            alone.append(case)
    labels = {case["subject"]["name"]: str(case["subject"].get("label") or "") for case in run["cases"]}
    copiers = {it["name"]: it for it in run.get("copiers") or ()}
    for known in causes.values():
        known.stops, known.threatens = (
            [str(copiers[key].get("label") or key) for key in known.cause.get(word) or () if key in copiers]
            for word in ("stops", "threatens")
        )
        threats = {str(copiers[key].get("risk") or "") for key in known.cause.get("threatens") or () if key in copiers}
        known.threat = "; ".join(sorted(threats - {""}))
        known.concerns = [labels.get(subject) or subject for subject in known.cause.get("subjects") or ()]
        known.groups = telling.alike(
            case for case in known.explains if case["verdict"] in {"failed", "error", "advice"}
        )
        rest = [case for case in known.explains if case["verdict"] not in {"failed", "error", "advice"}]
        known.follows = telling.grouped(rest, lambda case: case["verdict"], lambda case: _FOLLOWS[case["verdict"]])

    def those(*verdicts: str) -> list[Case]:
        return [case for case in alone if case["verdict"] in verdicts]

    return Trouble(
        causes=list(causes.values()),
        failed=telling.alike(those("failed", "error")),
        blocked=telling.grouped(those("blocked"), telling.blockers, telling.blockers),
        advice=telling.alike(those("advice")),
        unproven=telling.grouped(those("unproven"), telling.reason, lambda case: telling.reason(case)[0]),
        waived=telling.alike(those("waived")),
    )


_FOLLOWS = {
    "blocked": "Could not be tried for it",
    "unproven": "Could not be shown for it",
    "waived": "Waived with it",
    "passed": "Holds all the same",
}


class _Telling:
    """Tells cases with their own subject's names taken out, so that like cases read alike."""

    def __init__(self, run: dict[str, Any]) -> None:
        self._sentences = {one["id"]: one["sentence"] for one in run["requirements"]}
        self._names: dict[str, dict[str, str]] = {}
        for subnet in run["layout"]["subnets"]:
            here = {subnet["prefix"]: "its subnet", subnet["label"]: "its subnet"}
            self._names[subnet["prefix"]] = here
            for copier in subnet["copiers"]:
                mine = {str(copier.get(part) or ""): "it" for part in ("label", "key", "location")}
                self._names[copier["key"]] = {**here, **mine, str(copier.get("address") or ""): "its address"}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, str]] | None] = {}

    def alike(self, cases: Iterable[Case]) -> list[Group]:
        """Group cases of one requirement that saw the same; blockers first, and then the widest."""
        groups = self.grouped(
            list(cases),
            lambda case: (
                case["verdict"],
                case["requirement"],
                *(self.say(case, key) for key in ("expected", "observed", "waiver")),
            ),
            lambda _: "",
        )
        groups.sort(
            key=lambda group: (
                GRAVITY.get(group.verdict, 0),
                group.cases[0].get("level") != "blocker",
                -len(group.cases),
            ),
        )
        return groups

    def grouped(self, cases: list[Case], key: Callable[[Case], Hashable], title: Callable[[Case], str]) -> list[Group]:
        """Group cases by a key, the widest group first."""
        found: dict[Hashable, list[Case]] = {}
        for case in cases:
            found.setdefault(key(case), []).append(case)
        return [
            Group(
                verdict=group[0]["verdict"],
                title=title(group[0]),
                expected=self._common(group, "expected"),
                observed=self._common(group, "observed"),
                remedy=self._remedy(group),
                cases=group,
            )
            for group in sorted(found.values(), key=len, reverse=True)
        ]

    def blockers(self, case: Case) -> str:
        """Name the requirements that a case is blocked by, in words."""
        names = case.get("blocked_by") or ()
        known = [f"{name} ({self._sentences[name]})" if name in self._sentences else name for name in names]
        return "Blocked by " + (" and ".join(known) or "something that this run didn't record")

    def reason(self, case: Case) -> tuple[str, str]:
        """Return why a case is unproven, and what to do about it."""
        return self.say(case, "observed") or "No reason was recorded.", self.say(case, "remedy")

    def say(self, case: Case, key: str) -> str:
        """Return what a case says of one thing, with its subject as "it"."""
        text = str(case.get(key) or "")
        name = str(case["subject"]["name"])
        if name not in self._patterns:
            self._patterns[name] = self._pattern(case["subject"])
        if not text or (found := self._patterns[name]) is None:
            return text
        pattern, words = found
        return pattern.sub(lambda match: words[match[0]], text)

    def _pattern(self, subject: dict[str, Any]) -> tuple[re.Pattern[str], dict[str, str]] | None:
        words: dict[str, str] = {}
        first = str(subject["name"]).split("++")[0]
        words |= {first: "it", str(subject.get("label") or ""): "it", **self._names.get(first, {})}
        # A name of three letters would be found inside other things' names.
        words = {name: word for name, word in words.items() if len(name) > 3}
        if not words:
            return None
        longest_first = "|".join(re.escape(name) for name in sorted(words, key=len, reverse=True))
        return re.compile(rf"(?<![\w.])(?:{longest_first})(?![\w])(?!\.\d)"), words

    def _remedy(self, cases: list[Case]) -> str:
        """Return what to do: in the words for the first case, since "it" in a command can't be pasted."""
        told = list(dict.fromkeys(str(case.get("remedy") or "") for case in cases))
        if not self._common(cases, "remedy"):
            return ""
        return told[0] + (f" (and likewise for {len(told) - 1} more)" if len(told) > 1 else "")

    def _common(self, cases: list[Case], key: str) -> str:
        """Return what all cases say, or nothing where they differ by more than their subject."""
        if len(cases) == 1:
            return str(cases[0].get(key) or "")
        said = {self.say(case, key) for case in cases}
        return said.pop() if len(said) == 1 else ""
