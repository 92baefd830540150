"""The judged run: every case's verdict, the counts, coverage and sign-off; ``run.json``'s content."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from scanproof import __version__
from scanproof.ages import zulu
from scanproof.redact import scrub_all

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scanproof.catalogue import Requirement
    from scanproof.coverage import Coverage
    from scanproof.site import Site

Verdict = Literal["passed", "failed", "blocked", "unproven", "waived", "advice", "error"]
VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "blocked", "unproven", "waived", "advice", "error")


@dataclass
class Case:
    """One judged case."""

    id: str
    requirement: str
    level: str  # "blocker" or "advice"
    sentence: str
    kind: str
    key: str
    label: str
    verdict: Verdict = "error"
    expected: str = ""
    observed: str = ""
    grade: str = ""
    vantage: str = ""
    evidence: list[str] = field(default_factory=list)
    blocked_by: list[str] = field(default_factory=list)
    remedy: str = ""
    gathered: datetime | None = None  # when the oldest of its evidence was; None of a case without any
    waiver: str = ""
    cause: str | None = None  # the id of the cause that explains it
    exceptions: list[str] = field(default_factory=list)  # from security baselines, that the passing of this case is
    facts: dict[str, str] = field(default_factory=dict)  # of the subject: address, model, location, …

    def as_json(self) -> dict[str, Any]:
        """Return the case as it stands in run.json."""
        return {
            "id": self.id,
            "requirement": self.requirement,
            "level": self.level,
            "sentence": self.sentence,
            "subject": {"kind": self.kind, "name": self.key, "label": self.label, **self.facts},
            "verdict": self.verdict,
            "expected": self.expected,
            "observed": self.observed,
            "grade": self.grade,
            "vantage": self.vantage,
            "evidence": self.evidence,
            "gathered": zulu(self.gathered) if self.gathered else None,
            "blocked_by": self.blocked_by,
            "waiver": self.waiver,
            "exceptions": self.exceptions,
            "cause": self.cause,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Judged:
    """A whole judged run."""

    cases: list[Case]
    coverage: Coverage
    reasons: list[str]  # why it isn't ready; empty where it is
    red: list[str]  # why it isn't green, beyond failed cases

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each verdict."""
        found = Counter(case.verdict for case in self.cases)
        return {verdict: found[verdict] for verdict in VERDICTS}


GRADES = ("from-copier", "same-subnet", "forwarded", "attested", "inferred")  # the strongest first


def sufficient(grade: str, minimum: str, level: str) -> bool:
    """Tell whether a proof's grade is enough for a case: the site's minimum, and never ``inferred`` for a blocker."""
    if level == "blocker" and grade == "inferred":
        return False
    return GRADES.index(grade) <= GRADES.index(minimum)


def unasked(site: Site) -> list[str]:
    """Return a reason for each thing that no case can show since the site file doesn't state what it needs.

    A requirement without a subject makes no case; so a site without a test recipient would be ready without a
    single mail.
    """
    reasons = []
    scope = set(site.file.site.scope)
    if not site.copiers and scope != {"applications"}:
        reasons.append("no copier is in scope: see [site] scope and [fleet] makes in site.toml")
    if "applications" in scope and not site.applications:
        reasons.append("applications are in the scope, and none is stated: state each [[application]] in site.toml")
    if not site.file.sender:
        reasons.append("no sender is stated, so nothing was sent: state a [[sender]] in site.toml")
    if not site.recipients:
        reasons.append("no test recipient is stated, so nothing was sent: state mail.test_recipients in site.toml")
    return reasons


def conclude(
    cases: list[Case],
    coverage: Coverage,
    *,
    unasked: list[str],
    planned: int,
    observed: int,
    trouble: str,
    interrupted: bool,
) -> Judged:
    """Draw the run's conclusions.

    Args:
        cases: every case with its verdict.
        coverage: what became of every pair.
        unasked: what the site file leaves out that a sign-off needs, or states wrongly.
        planned: pieces of evidence that the cases named.
        observed: how many of them were observed.
        trouble: why evidence could not be written, if so.
        interrupted: whether the run was cut short.
    """
    red = list(_red(cases, coverage, planned, observed, trouble))
    reasons = [*red]
    for verdict, phrase in (
        ("failed", "does not hold"),
        ("error", "could not be judged"),
        ("unproven", "is not proven"),
    ):
        if verdict == "unproven":
            reasons += _waiting(cases)
        of = [case for case in cases if case.verdict == verdict and (case.level == "blocker" or verdict == "error")]
        counted: Counter[str] = Counter(case.requirement for case in of)
        for name, count in counted.items():
            first = next(case for case in of if case.requirement == name)
            more = f" (and {count - 1} more)" if count > 1 else ""
            reasons.append(f"{name} {phrase}: {first.sentence}{more}")
    reasons += unasked
    if coverage.deselected:
        reasons.append(f"{coverage.deselected} cases were deselected: only a whole run can be ready")
    if interrupted:
        reasons.append("the run was interrupted")
    return Judged(cases, coverage, reasons, red)


def _waiting(cases: list[Case]) -> Iterable[str]:
    """Say what could not be tried: a line for each requirement that has to be settled first."""
    behind: dict[str, list[str]] = {}
    for case in cases:
        if case.verdict == "blocked" and case.level == "blocker":
            behind.setdefault(" and ".join(case.blocked_by) or "something that isn't named", []).append(
                case.requirement
            )
    for root, waiting in behind.items():
        names = ", ".join(dict.fromkeys(waiting))
        blockers = "blocker" if len(waiting) == 1 else "blockers"
        yield f"{len(waiting)} {blockers} could not be tried until {root} is settled: {names}"


def _red(cases: list[Case], coverage: Coverage, planned: int, observed: int, trouble: str) -> Iterable[str]:
    """Say what keeps a run from being green although no case failed."""
    counts = Counter(case.verdict for case in cases)
    if cases and not counts["passed"] + counts["failed"] + counts["advice"] + counts["waived"]:
        yield "no case was proven either way"
    elif planned and not observed:
        yield "no evidence was observed: nothing was tested"
    if coverage.missing:
        some = ", ".join(f"{requirement} of {subject}" for requirement, subject in coverage.missing[:5])
        yield f"{len(coverage.missing)} cases got lost: {some}"
    # An unproven case shows no failure: what is blocked by such a root has nothing red to stand for it.
    carried = {case.requirement for case in cases if case.verdict not in {"passed", "unproven"}}
    roots = {root for case in cases if case.verdict == "blocked" for root in case.blocked_by or ("nothing named",)}
    for root in sorted(roots - carried):
        yield f"cases are blocked by {root}, and no case of this run shows it"
    if trouble:
        yield f"the evidence could not be written: {trouble}"


def as_json(judged: Judged, site: Site, requirements: list[Requirement], **more: Any) -> dict[str, Any]:
    """Return ``run.json``'s content, secrets removed.

    Args:
        judged: the conclusions.
        site: the site.
        requirements: the catalogue.
        more: the diagnosis, and what the run itself knows: started, finished, vantages, notes, seconds, options.
    """
    stated = site.file.site
    coverage = judged.coverage
    waivers = [waiver.model_dump(mode="json") for waiver in site.file.waiver]
    used = {(case.requirement, case.key) for case in judged.cases if case.verdict == "waived"}
    for waiver, table in zip(waivers, site.file.waiver, strict=True):
        waiver["expired"] = site.now > table.until
        waiver["used"] = any(table.covers(name, key) for name, key in used)
    run = {
        "schema": 1,
        "site": {
            "name": stated.name,
            "customer": stated.customer,
            "ticket": stated.ticket,
            "engineer": stated.engineer,
            "domain": site.file.mail.domain,
            "scope": list(stated.scope),
            "cutover": stated.cutover.isoformat() if stated.cutover else None,
            "last_change": stated.last_change.isoformat() if stated.last_change else None,
            "workbook": site.table.file,
            "lab": stated.lab,
        },
        "suite": {"version": __version__, "python": platform.python_version(), "platform": platform.system()},
        "inventory_sha256": site.table.sha256,
        "counts": judged.counts,
        "coverage": {
            "expected": coverage.expected,
            "judged": coverage.judged,
            "not_applicable": coverage.not_applicable,
            "deselected": coverage.deselected,
            "missing": [list(pair) for pair in coverage.missing],
        },
        "signoff": {"ready": not judged.reasons, "reasons": judged.reasons},
        "waivers": waivers,
        "support_cases": [case.model_dump(mode="json") for case in site.file.support_case],
        "report": site.file.report.model_dump(mode="json"),
        "requirements": [requirement.as_json() for requirement in requirements],
        "layout": layout(site),
        "cases": [case.as_json() for case in judged.cases],
        **more,
    }
    scrubbed: dict[str, Any] = scrub_all(run)
    return scrubbed


def layout(site: Site) -> dict[str, Any]:
    """Return the site's picture as data: subnets with their copiers, doors, and what is outside the scope."""
    outside = [(row, site.excluded(row)) for row in site.table.rows]
    return {
        "subnets": [
            {
                "prefix": subnet.prefix,
                "label": subnet.label,
                "route": subnet.route,
                "public_address": subnet.public_address,
                "copiers": [_copier(copier) for copier in site.copiers if copier.subnet == subnet.prefix],
            }
            for subnet in site.subnets
        ],
        "services": [{"route": route, "host": door.host, "port": door.port} for route, door in site.services.items()],
        "outside": [
            {"row": row.number, "label": row.location or row.key, "make": row.make, "reason": reason}
            for row, reason in outside
            if reason
        ],
        "hidden_rows": [row.number for row in site.table.rows if row.hidden],
    }


def _copier(copier: Any) -> dict[str, Any]:
    names = ("key", "label", "address", "serial", "model", "location", "route", "sender")
    return {name: getattr(copier, name) for name in names}
