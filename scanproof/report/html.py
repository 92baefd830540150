"""``report.html``: one static file that goes on the ticket.

Nothing is loaded from anywhere, and nothing that a device, a mail or a workbook says can run: every
text is cleaned and escaped, and the page's own policy admits one style sheet and one script, by
their hashes (Content Security Policy Level 3).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader
from markupsafe import Markup

from scanproof import ages
from scanproof.compare import CLASSES
from scanproof.report import casebook, chains, excepted, picture, progress, tables, text, timeline, trouble
from scanproof.report.verdicts import GRADES, VERDICTS, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.bccache import Bucket

_TEMPLATES = Path(__file__).parent / "templates"
_PAGE = "report.html.j2"
_DEFAULTS: dict[str, Any] = {
    "site": {},
    "started": None,
    "finished": None,
    "suite": {},
    "inventory_sha256": "",
    "vantages": [],
    "counts": {},
    "coverage": {},
    "signoff": {},
    "cases": [],
    "causes": [],
    "baseline": {},
    "history": [],
    "parts": [],
    "unexplained": [],
    "copiers": [],
    "routes": [],
    "layout": {},
    "notes": [],
    "requirements": [],
    "waivers": [],
    "seconds": {},
    "options": [],
}
_LAYOUT: dict[str, Any] = {"subnets": [], "services": [], "outside": [], "hidden_rows": []}
_LAB = (
    "This is a simulated site. Its copiers, network and mail service are programs on the machine that made this "
    "report. It shows how Scanproof works and proves nothing about a real site."
)


class _Compiled(FileSystemBytecodeCache):
    """Compiled templates beside Python's own: compiling them would take longer than writing a report."""

    def __init__(self) -> None:
        super().__init__(str(Path(__file__).parent / "__pycache__"), "%s.jinja")

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template, where the clone can be written."""
        with suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


def render(run: dict[str, Any], evidence: Mapping[str, dict[str, Any]], seal: str = "") -> str:
    """Return the whole ``report.html``.

    Args:
        run: the content of ``run.json``; parts that are missing are shown as empty.
        evidence: the records of ``evidence.jsonl`` by their id; a record that a case names and that is
            missing here is said to be missing.
        seal: the run's, or what stands for it until it is known (scanproof/seal.py); none is shown where it is empty.
    """
    run = text.cleaned({**_DEFAULTS, **{key: value for key, value in run.items() if value is not None}})
    run["layout"] = {**_LAYOUT, **run["layout"]}
    for requirement in run["requirements"]:  # whose sentence has a place for a subject
        requirement["sentence"] = re.sub(r"\{[^{}]*\}", "…", requirement["sentence"])
    book = casebook.of(run, evidence)
    grid, others = tables.of(run)
    site, style, script = run["site"], _part("style.css"), _part("script.js")
    ready, reasons = _readiness(run)
    lab = bool(site.get("lab")) or any(vantage.get("lab") for vantage in run["vantages"])
    headline = f"{'READY' if ready else 'NOT READY'} for sign-off{' (simulated site)' if lab else ''}"
    return (
        _environment()
        .get_template(_PAGE)
        .render(
            run=run,
            seal=seal,
            site=site,
            style=style,
            script=script,
            policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            title=" · ".join(
                part for part in (headline, site.get("customer") or site.get("name"), site.get("ticket")) if part
            ),
            headline=headline,
            ready=ready,
            reasons=reasons,
            notes=_notes(run, lab=lab),
            counts=Counter(case["verdict"] for case in run["cases"]),
            took=text.seconds_between(run["started"], run["finished"]),
            trouble=trouble.of(run),
            picture=picture.of(run, {row.key: row.worst for row in grid.rows} | chains.marks(run)),
            timeline=timeline.of(run, evidence),
            chains=chains.by_subnet(run),
            chain_totals=chains.totals(run),
            advice=chains.advice(run),
            causes_by_id={cause["id"]: cause for cause in run["causes"]},
            proven=_proven(run["cases"]),
            waived=run["waivers"],
            grid=grid,
            others=others,
            book=book,
            parts=ages.told(run),
            sentences={chapter.id: chapter.sentence for chapter in book.chapters},
            changes=_changes(run),
            progress=progress.of(run),
            exceptions=list(excepted.baselines(run["cases"]).items()),
            skipped=_by_reason(run["coverage"].get("not_applicable") or []),
        )
    )


def _readiness(run: dict[str, Any]) -> tuple[bool, list[str]]:
    """Return whether the site is ready, and why; a run that did not end never is."""
    reasons = list(run["signoff"].get("reasons") or ())
    if not run["finished"] and not any("interrupted" in reason for reason in reasons):
        reasons.insert(0, "The run was interrupted before it had judged everything. Run it again.")
    return bool(run["signoff"].get("ready") and run["finished"]), reasons


def _notes(run: dict[str, Any], *, lab: bool) -> list[str]:
    counted = Counter(case["verdict"] for case in run["cases"])
    wrong = [word for word in {**run["counts"], **counted} if run["counts"].get(word, 0) != counted.get(word, 0)]
    notes = [_LAB] if lab else []
    notes += run["notes"]
    if run["counts"] and wrong:
        notes.append(
            f"run.json counts {', '.join(wrong)} differently from the cases that it holds. This report counts the "
            "cases. The run folder was changed since it was written.",
        )
    return notes


def _changes(run: dict[str, Any]) -> list[tuple[str, str, str, list[dict[str, Any]]]]:
    """Return what changed since the baseline, by class; empty where there is none."""
    ids = {(case["requirement"], case["subject"]["name"]): case["id"] for case in run["cases"]}
    return [
        (name, word, meaning, [{**it, "id": ids.get((it["requirement"], it["subject"]))} for it in entries])
        for name, word, meaning in CLASSES
        if (entries := run["baseline"].get(name)) is not None
    ]


def _proven(cases: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    """Return how many blockers passed by each grade of proof, with what the grade means."""
    passed = [case for case in cases if case["verdict"] == "passed" and case.get("level") == "blocker"]
    counted = Counter(case.get("grade") or "" for case in passed)
    told = [(grade, counted[grade], meaning) for grade, meaning in GRADES if counted[grade]]
    return [*told, *([("seen directly", counted[""], _ITSELF)] if counted[""] else [])]


_ITSELF = "Asked of the thing itself: the copier's page, the tenant, a name server."


def _by_reason(skipped: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in skipped:
        found.setdefault(one.get("reason") or "no reason was recorded", []).append(one)
    return sorted(found.items(), key=lambda item: len(item[1]), reverse=True)


def prepare() -> None:
    """Load the template, which the first report would have to."""
    _environment().get_template(_PAGE)


@lru_cache
def _part(name: str) -> Markup:
    """Return one of the page's own parts, as the browser will hash it."""
    return Markup("\n" + (_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - ours, no outside text


def _hash(part: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        bytecode_cache=_Compiled(),
        autoescape=True,  # select_autoescape() would leave .j2 files out
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": text.moment,
        "duration": text.duration,
        "anchor": lambda name: text.anchor("c", name),
        "slug": lambda name: "r-" + re.sub(r"[^A-Za-z0-9]+", "-", str(name)),
        "vclass": lambda word: word if word in VERDICTS else "error",
    }
    environment.globals |= {
        "verdicts": VERDICTS,
        "verdict_of": verdict,
        "grades": GRADES,
        "links": chains.LINKS,
        "times": chains.TIMES,
        "most": 300,  # lines of one folded list
        "pieces_limit": casebook.ALL_UP_TO,
    }
    return environment
