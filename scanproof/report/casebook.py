"""Every case by requirement, each with the evidence that it was judged on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scanproof.report import text
from scanproof.report.verdicts import GRAVITY, HOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALL_UP_TO = 5_000  # cases; above, only what did not hold is listed
TRANSCRIPT_LINES = 1_000  # of one piece of evidence; the rest is in evidence.jsonl
FACT_LINES = 200
IN_FULL = frozenset({"failed", "error", "advice"})  # whoever reads these wants the evidence beside them
_WAYS = {"<-": "in", "->": "out"}


@dataclass(frozen=True)
class Piece:
    """One piece of evidence as shown: in full, or by a reference to the case that shows it."""

    id: str
    kind: str
    head: str
    outcome: str
    reason: str
    remedy: str
    facts: list[tuple[str, str]]
    transcript: list[tuple[str, str, str, str]]  # moment, class, sign, text
    more: str


@dataclass
class Entry:
    """A case and its evidence."""

    case: dict[str, Any]
    pieces: list[tuple[Piece, dict[str, Any] | None]] = field(default_factory=list)  # and which other case shows it
    missing: list[str] = field(default_factory=list)
    carried: bool = False  # its evidence is, in part, of an earlier run

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What a reader weighs, by name; what is empty is left out."""
        said = (
            ("Expected", self.case.get("expected")),
            ("Observed", self.case.get("observed")),
            ("What to do", self.case.get("remedy")),
            ("Blocked by", ", ".join(self.case.get("blocked_by") or ())),
            ("Waiver", self.case.get("waiver")),
            ("Exception", "; ".join(self.case.get("exceptions") or ())),
        )
        return [(name, str(value)) for name, value in said if value]

    @property
    def meta(self) -> str:
        """What the verdict rests on, in one line."""
        case = self.case
        said = (
            case.get("level"),
            f"grade {case['grade']}" if case.get("grade") else "",
            f"seen from {case['vantage']}" if case.get("vantage") else "",
            f"evidence of {text.moment(case['gathered'])}, an earlier run" if self.carried else "",
            "" if self.pieces or self.missing else "no evidence of its own",
        )
        return " · ".join(part for part in said if part)


@dataclass
class Chapter:
    """A requirement and its cases."""

    id: str
    sentence: str
    proof: str
    entries: list[Entry] = field(default_factory=list)
    counts: list[tuple[str, int]] = field(default_factory=list)
    left_out: int = 0

    @property
    def open(self) -> bool:
        """Whether it holds something that a reader must see."""
        return any(word not in HOLDS for word, _ in self.counts)


@dataclass
class Casebook:
    """All chapters, and the ids of the cases that are listed in them."""

    chapters: list[Chapter]
    listed: set[str]
    left_out: int


def of(run: dict[str, Any], evidence: Mapping[str, dict[str, Any]]) -> Casebook:
    """Put every case under its requirement.

    A piece of evidence that several cases rest on is shown in full with each that failed, else with the
    first of them, and referred to by the others: a copier's one page proves a dozen settings.
    """
    cases = run["cases"]
    listed = cases if len(cases) <= ALL_UP_TO else [case for case in cases if case["verdict"] not in HOLDS]
    listed = sorted(listed, key=lambda case: GRAVITY.get(case["verdict"], 0))[:ALL_UP_TO]
    ids = {case["id"] for case in listed}
    homes: dict[str, dict[str, Any]] = {}
    for case in listed:
        for name in case.get("evidence") or ():
            homes.setdefault(name, case)
    began = str(run.get("started") or "")
    pieces: dict[str, Piece] = {}
    chapters = {
        requirement["id"]: Chapter(requirement["id"], requirement["sentence"], requirement.get("proof", ""))
        for requirement in run["requirements"]
    }
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        name = case["requirement"]
        counts.setdefault(name, Counter())[case["verdict"]] += 1
        chapter = chapters.setdefault(name, Chapter(name, case["sentence"], ""))
        if case["id"] not in ids:
            chapter.left_out += 1
            continue
        entry = Entry(case, carried=str(case.get("gathered") or "~") < began)
        for piece in case.get("evidence") or ():
            if piece not in evidence:
                entry.missing.append(piece)
                continue
            if piece not in pieces:
                pieces[piece] = _piece(evidence[piece])
            home = homes[piece]
            entry.pieces.append((pieces[piece], None if home is case or case["verdict"] in IN_FULL else home))
        chapter.entries.append(entry)
    for name, counted in counts.items():
        chapters[name].counts = sorted(counted.items(), key=lambda item: GRAVITY.get(item[0], 0))
        chapters[name].entries.sort(key=lambda entry: GRAVITY.get(entry.case["verdict"], 0))
    return Casebook([one for one in chapters.values() if one.counts], ids, len(cases) - len(ids))


def _piece(raw: dict[str, Any]) -> Piece:
    record = text.cleaned(raw)
    subject, kind = record.get("subject") or {}, text.words(record["kind"])
    facts = list(_facts(record.get("facts") or {}))
    empty = [name for name, value in facts if not value]
    facts = [fact for fact in facts if fact[1]] + ([("empty", ", ".join(empty))] if empty else [])
    lines = list(_lines(record.get("transcript") or []))
    more = [f"{len(lines) - TRANSCRIPT_LINES:,} more lines"] if len(lines) > TRANSCRIPT_LINES else []
    more += [f"{len(facts) - FACT_LINES:,} more facts"] if len(facts) > FACT_LINES else []
    about = subject.get("label") or subject.get("name") or ""
    head = [
        f"of {about}" if about else "",
        f"from {record['vantage']}" if record.get("vantage") else "",
        text.moment(record.get("started")),
        f"took {text.duration(record['elapsed_ms'])}" if record.get("elapsed_ms") is not None else "",
    ]
    blockers = ", ".join(record.get("blocked_by") or ())
    reason = record.get("reason") or ""
    return Piece(
        id=record["id"],
        kind=kind[:1].upper() + kind[1:],
        head=" " + " · ".join(part for part in head if part),
        outcome=record.get("outcome") or "",
        reason=f"{reason} (blocked by {blockers})" if blockers else reason,
        remedy=record.get("remedy") or "",
        facts=facts[:FACT_LINES],
        transcript=lines[:TRANSCRIPT_LINES],
        more=" and ".join(more),
    )


def _lines(transcript: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield a transcript's lines; a moment, in milliseconds, stands where it changes."""
    before = ""
    for entry in transcript:
        moment = f"{entry.get('at_ms') or 0:.0f}"
        sign = entry["way"] if entry["way"] in _WAYS else "**"  # the signs that swaks made customary
        for line in str(entry.get("text", "")).splitlines() or [""]:
            yield moment if moment != before else "", _WAYS.get(sign, "note"), sign, line
            before = moment


def _facts(facts: dict[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        name = f"{under}{text.words(key)}"
        if isinstance(value, dict) and value:
            yield from _facts(value, f"{name}: ")
        else:
            yield name, text.clean(text.shown(value))
