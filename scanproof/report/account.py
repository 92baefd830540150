"""What a judged run comes to, ready to be told: cases by requirement, findings, copiers, and their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scanproof.report import excepted, findings
from scanproof.report.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Collection

Case = dict[str, Any]
Run = dict[str, Any]

_EMPTY: Run = {
    "site": {},
    "suite": {},
    "vantages": [],
    "coverage": {},
    "signoff": {},
    "cases": [],
    "causes": [],
    "copiers": [],
    "layout": {},
    "notes": [],
    "requirements": [],
    "waivers": [],
    "options": [],
    "history": [],
    "support_cases": [],
    "routes": [],
    "report": {},
}
_LAYOUT: Run = {"subnets": [], "services": [], "outside": [], "hidden_rows": []}
SAID = {
    "passed": "proven",
    "waived": "waived",
    "failed": "failed",
    "error": "could not be judged",
    "blocked": "could not be tried",
    "unproven": "not proven",
    "advice": "advice",
}
HOLDS = {"passed", "waived"}


class Account:
    """A run, with what is counted and looked up in it.

    Attributes:
        files: what lies in the run's folder, by name.
        bundles: by copier, the folder of what its vendor needs; empty until it is known.
        where: the file that has what a list of copiers was cut by.
        lab: whether the site is a simulated one.
    """

    def __init__(self, run: Run, files: Collection[str]) -> None:
        """Take a run.

        Args:
            run: the content of ``run.json``; parts that are missing are taken as empty.
            files: what lies in the run's folder, by name.
        """
        run = {**_EMPTY, **{key: value for key, value in run.items() if value is not None}}
        run["layout"] = {**_LAYOUT, **run["layout"]}
        self.run, self.files = run, files
        self.cases: list[Case] = run["cases"]
        self.counts = Counter(case["verdict"] for case in self.cases)
        self.findings = findings.of(run)
        self.waivers = excepted.of(run)
        self.exceptions = excepted.baselines(self.cases)
        self.fleet = Fleet(run)
        self.bundles: dict[str, str] = {}
        self.where = "fleet.xlsx" if "fleet.xlsx" in files else "report.html"
        self.lab = bool(run["site"].get("lab")) or any(it.get("lab") for it in run["vantages"])
        self.ready = bool(run["signoff"].get("ready") and run.get("finished"))
        self.by_requirement: dict[str, list[Case]] = {}
        for case in self.cases:
            self.by_requirement.setdefault(case["requirement"], []).append(case)

    @property
    def waived(self) -> tuple[int, int]:
        """How many checks are waived themselves, and how many since one that is stands in their way."""
        said = [str(case.get("waiver")) for case in self.cases if case["verdict"] == "waived"]
        through = sum(words.startswith(excepted.THROUGH) for words in said)
        return len(said) - through, through

    @property
    def senders(self) -> dict[str, str]:
        """The senders' keys and labels."""
        return {
            case["subject"]["name"]: str(case["subject"].get("label") or case["subject"]["name"])
            for requirement in ("SMTP-1", "TEN-1", "TEN-7")
            for case in self.by_requirement.get(requirement, ())
        }

    def of(self, prefix: str) -> list[Case]:
        """Return the cases whose requirement begins so, as ``TEN-`` does."""
        return [case for name, cases in self.by_requirement.items() if name.startswith(prefix) for case in cases]

    def result(self, case: Case) -> str:
        """Say how a check went, by which grade of proof, and in which finding it is told."""
        said = SAID.get(case["verdict"], str(case["verdict"]))
        if case["verdict"] in HOLDS:
            return f"{said} ({case['grade']})" if case.get("grade") and case["verdict"] == "passed" else said
        finding = self.findings.about(case)
        return f"{said} (finding {finding.number})" if finding else said

    def results(self, cases: list[Case]) -> str:
        """Say how some checks went; how many of each where they went differently."""
        if not cases:
            return "not judged"
        order = list(SAID)
        cases = sorted(cases, key=lambda case: order.index(case["verdict"]) if case["verdict"] in order else len(order))
        counted = Counter(self.result(case) for case in cases)
        if len(counted) == 1:
            return next(iter(counted)) + (f", all {len(cases)}" if len(cases) > 1 else "")
        return "; ".join(f"{amount} {result}" for result, amount in counted.items())
