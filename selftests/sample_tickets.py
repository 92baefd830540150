"""Judged runs of which a ticket update is written, and what can be read in one: for its selftests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanproof.report.document import Heading, Item, Items, Table, Verbatim
from selftests import suite
from selftests.sample_causes import with_chains
from selftests.sample_run import sample_run
from selftests.test_run_healthy import healthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.report.document import Block, Document

Record = dict[str, Any]


def sample(copiers: int = 26) -> Record:
    return with_chains(sample_run(copiers)[0])


def all_proven() -> Record:
    """Return a run in which everything is proven, and whose site asks for nothing more."""
    run = sample_run(8)[0]
    for case in run["cases"]:
        case.update(verdict="passed", blocked_by=[], cause=None)
    run |= {"causes": [], "waivers": [], "signoff": {"ready": True, "reasons": []}, "options": [], "notes": []}
    run["coverage"] |= {"deselected": 0, "missing": []}
    run["counts"] = dict(Counter(case["verdict"] for case in run["cases"]))
    return with_chains(run)


def compared() -> Record:
    entry = {
        "requirement": "DEV-2",
        "subject": "3108RB00001",
        "label": "Ward 3",
        "sentence": "its host is updated",
        "before": "failed",
        "now": "passed",
        "observed": "smtp.office365.com",
    }
    first, second = "2026-11-20T09:00:00Z", "2026-11-23T14:03:08Z"
    return sample() | {
        "baseline": {
            "run": "demo-20261120T090000Z",
            "started": first,
            "finished": "2026-11-20T09:00:40Z",
            "causes_gone": ["The copiers held the old server's name"],
            "fixed": [entry] * 11,
            "new": [entry | {"before": "passed", "now": "failed"}],
            "still": [entry | {"now": "failed"}] * 2,
            "lost": [entry | {"before": "passed", "now": "no case"}],
        },
        "history": [
            {"run": "demo-20261120T090000Z", "started": first, "ready": False, "copiers": 26, "proven": 3},
            {"run": "demo-20261123T140308Z", "started": second, "ready": False, "copiers": 26, "proven": 0},
        ],
    }


def with_words() -> Record:
    return sample() | {
        "support_cases": [{"vendor": "Microsoft", "number": "2611-0009-4471", "opened": "2026-11-17", "status": ""}],
        "report": {
            "background": "The old server is gone.\n\nNobody could scan.",
            "contacts": ["A. Engineer, on site"],
            "next_steps": ["Sign-off by the customer"],
        },
    }


def waived() -> Record:
    run = sample_run(8)[0]
    for case in run["cases"]:
        if case["verdict"] == "failed":
            case |= {"verdict": "waived", "waiver": "the move (C. Approver, until 2027-01-31)"}
    run["waivers"].append(
        {
            "requirement": "DEV-2",
            "subject": "*",
            "reason": "the move",
            "approved_by": "C. Approver",
            "until": "2027-01-31T00:00:00+01:00",
            "expired": False,
            "used": True,
        },
    )
    return with_chains(run)


def stopped(*, by_log: bool) -> Record:
    """Return a run in which one copier can't get out by its own log, or is at risk by SPF; all else is proven."""
    run = all_proven()
    copier, name = run["copiers"][0], "LOG-2" if by_log else "DNS-2"
    case = next(it for it in run["cases"] if it["requirement"] == name)
    case |= {"verdict": "advice" if by_log else "failed", "level": "advice" if by_log else "blocker", "cause": "cause"}
    key = copier["name"]
    cause: Record = {
        "id": "cause",
        "kind": "cause",
        "layer": "network",
        "owner": "the network team",
        "remedy": "let it out",
    }
    cause |= {"explains": [case["id"]], "subjects": [case["subject"]["name"]], "stops": [], "threatens": []}
    link = next(it for it in copier["chain"] if it["link"] == ("egress" if by_log else "accepted"))
    link["cases"].append(case["id"])
    if by_log:
        cause |= {"title": "A rule keeps a copier in", "stops": [key]}
        link |= {"verdict": "failed", "shown_by": "its own log"}
        copier |= {"verdict": "broken", "broken_at": "egress", "cause": "cause"}
    else:
        cause |= {"title": "SPF is wrong", "threatens": [key]}
        link["verdict"] = "at risk"
        copier |= {"verdict": "at risk", "risk_at": "accepted", "cause": "cause", "risk": "mail may go to Junk"}
    run["signoff"] = {"ready": False, "reasons": []}
    return run | {"causes": [cause]}


@cache
def as_found() -> suite.Result:
    """One run of the demo site before anyone helped, shared by every selftest of this process."""
    base = Path(tempfile.mkdtemp(prefix="as-found-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return suite.pytest(base / "run", "--lab-network=loopback", "--lab-scenario=as-found")


RUNS: dict[str, Callable[[], Record]] = {
    "sample": sample,
    "without causes": lambda: with_chains(sample_run(8)[0] | {"causes": []}),
    "without chains": lambda: sample_run(8)[0],
    "all proven": all_proven,
    "compared": compared,
    "with words": with_words,
    "waived": waived,
    "stopped by its log": lambda: stopped(by_log=True),
    "at risk": lambda: stopped(by_log=False),
    "interrupted": lambda: sample(8) | {"finished": None},
    "one copier": lambda: sample(1),
    "no copier": lambda: sample(0),
    "nothing": dict,
    "healthy": lambda: healthy().run,
    "as found": lambda: as_found().run,
}


def state(copier: Record, deliveries: dict[str, str]) -> str:
    """Return the word for a copier's chain; deliveries are the verdicts of COV-2, by copier."""
    if copier["verdict"] == "works":
        return "works" if deliveries.get(copier["name"]) == "passed" else "not proven"
    return str(copier["verdict"])


def states(run: Record) -> dict[str, str]:
    """Return the word for each copier in scope, from run.json alone; one without a chain is not proven."""
    told = {copier["name"]: copier for copier in run.get("copiers", [])}
    cases = run.get("cases", [])
    deliveries = {case["subject"]["name"]: case["verdict"] for case in cases if case["requirement"] == "COV-2"}
    return {
        copier["key"]: state(told[copier["key"]], deliveries) if copier["key"] in told else "not proven"
        for subnet in run.get("layout", {}).get("subnets", [])
        for copier in subnet["copiers"]
    }


def read(item: Item) -> str:
    return f"{item.lead} {item.text}".strip()


def texts(document: Document) -> list[str]:
    """Return every text of a document, in order, each as it reads."""
    return [document.title, *(text for block in document.blocks for text in _of(block))]


def _of(block: Block) -> list[str]:
    match block:
        case Heading(_, words):
            return [words]
        case Items(items):
            return [read(item) for item in items]
        case Table(header, rows):
            return [cell for row in (header, *rows) for cell in row]
        case Verbatim(lines):
            return list(lines)
    return [read(block)]


def section(document: Document, title: str) -> list[Any]:
    """Return the blocks of one section."""
    found: list[Any] = []
    inside = False
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 1:
            inside = block.text == title
        elif inside:
            found.append(block)
    return found


def items(document: Document, title: str) -> list[Item]:
    """Return the items of all lists of one section."""
    return [item for block in section(document, title) if isinstance(block, Items) for item in block.items]


def table(document: Document, title: str) -> list[dict[str, str]]:
    """Return the rows of a section's first table, by its header."""
    tables = [block for block in section(document, title) if isinstance(block, Table)]
    return [dict(zip(tables[0].header, row, strict=True)) for row in tables[0].rows] if tables else []
