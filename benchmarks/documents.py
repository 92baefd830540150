"""``python -m benchmarks.documents``: what a run's documents cost, for 26 copiers and for 1,000.

A real run of the demo is made once, and its copiers, with their cases and evidence, are multiplied; then each
document is made of both. What is compared in a round: milliseconds a case, and the report's time to open in a
browser, large against small.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.demo import command
from benchmarks.figures import Machine, Row, show
from scanproof import inputs, seal, store
from scanproof.report import escalation, ticket
from scanproof.report.html import render
from scanproof.report.workbook import give_back
from selftests.suite import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.workbook import Table

A_CASE, OPENS, MORE = 1.0, 3.0, 5.0  # ms; times the small report's, and seconds
Record = dict[str, Any]


def judged(into: Path) -> tuple[Record, dict[str, Record], Table]:
    """Judge the demo as it was found; return its run.json, its evidence by id, and its list."""
    folder = into / "run"
    arguments = ["--lab-fault=smtp-auth-off-tenant", "--lab-fault=web-off", "--lab-fault=device-tls10"]
    with suppress(SystemExit):  # such a site fails
        command(["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--run-dir={folder}", *arguments], ROOT)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    lines = (folder / store.FILE).read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if "id" in record]
    return run, {record["id"]: record for record in records}, inputs.recall(folder, now=inputs.moment(folder)).table


def multiplied(
    run: Record, evidence: dict[str, Record], table: Table, times: int
) -> tuple[Record, dict[str, Record], Table]:
    """Return the same run with that many times its copiers, each with cases and evidence of its own."""
    keys = {copier["name"] for copier in run["copiers"]}
    every = range(times)

    def own(key: str, number: int) -> str:
        return f"{key}-{number}" if key in keys else key

    def cases() -> list[Record]:
        found = []
        for case in run["cases"]:
            name = case["subject"]["name"]
            for number in every if name in keys else (0,):
                pieces = [f"{piece}-{number}" if name in keys else piece for piece in case["evidence"]]
                subject = {**case["subject"], "name": own(name, number)}
                id_ = f"{case['id']}-{number}" if name in keys else case["id"]
                found.append({**case, "id": id_, "subject": subject, "evidence": pieces})
        return found

    made = cases()
    whole: dict[str, list[str]] = {}
    for case in made:
        whole.setdefault(case["id"].rpartition("-")[0], []).append(case["id"])
    known = {case["id"] for case in made}

    def ids(listed: list[str]) -> list[str]:
        return [one for name in listed for one in ([name] if name in known else whole.get(name, ()))]

    copiers = [
        {**it, "name": own(it["name"], number), "serial": own(it["name"], number), "chain": it["chain"]}
        for it in run["copiers"]
        for number in every
    ]
    layout = {
        **run["layout"],
        "subnets": [
            {
                **subnet,
                "copiers": [{**it, "key": own(it["key"], number)} for it in subnet["copiers"] for number in every],
            }
            for subnet in run["layout"]["subnets"]
        ],
    }
    causes = [{**it, "explains": ids(it["explains"])} for it in run["causes"]]
    records = {
        f"{name}-{number}" if record["subject"]["name"] in keys else name: record
        for name, record in evidence.items()
        for number in (every if record["subject"]["name"] in keys else (0,))
    }
    rows = [
        replace(row, number=row.number + 100 * number, serial=own(row.serial, number))
        for row in table.rows
        for number in every
    ]
    large = {**run, "cases": made, "copiers": copiers, "layout": layout, "causes": causes}
    return large, records, replace(table, rows=tuple(rows))


def measured(make: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    began = time.perf_counter()
    make()
    return time.perf_counter() - began


def documents(run: Record, evidence: dict[str, Record], table: Table, into: Path) -> dict[str, float]:
    """Make every document of a run into a folder; return the seconds of each."""
    into.mkdir(parents=True)
    files = {"report.html", "fleet.xlsx", seal.NAME}
    found: dict[str, str | bytes] = {}
    return {
        "report.html": measured(lambda: found.update({"report.html": render(run, evidence, seal.BLANK)})),
        "fleet.xlsx": measured(lambda: give_back(run, table, None)),
        "ticket-update": measured(lambda: found.update(ticket.documents(run, files, seal.BLANK))),
        "escalation": measured(lambda: escalation.write(into, run, evidence)),
        "sealed and written": measured(lambda: seal.close(into, found)),
    }


def opened(report: Path) -> float | None:
    """Return the seconds until a browser has a report laid out; None without playwright and chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        laid_out = "document.body.getBoundingClientRect().height"
        took = measured(lambda: (page.goto(report.as_uri()), page.evaluate(laid_out)))
        browser.close()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=40, help="how often the demo's copiers stand in the large run")
    options = parser.parse_args()
    if min(options.rounds, options.times) < 1:
        parser.error("--rounds and --times: at least 1 is needed")
    machine = Machine()
    costs: list[float] = []
    parts: dict[str, list[float]] = {}
    slower: list[float] = []
    opens: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="scanproof-") as temporary:
        base = Path(temporary)
        small = judged(base)
        large = multiplied(*small, options.times)
        count, few = len(large[0]["cases"]), len(small[0]["cases"])
        for number in range(options.rounds):
            machine.spin()
            times = documents(*small, base / f"small-{number}")
            many = documents(*large, base / f"large-{number}")
            costs.append(sum(many.values()) * 1_000 / count)
            slower.append((sum(many.values()) / count) / (sum(times.values()) / few))
            for name, took in many.items():
                parts.setdefault(name, []).append(took)
            one, other = opened(base / f"small-{number}/report.html"), opened(base / f"large-{number}/report.html")
            if one is not None and other is not None:
                opens.append((one, other))
    size = f"{count:,} cases, {len(large[0]['copiers']):,} copiers"
    rows = [
        Row(f"all documents, a case ({size})", costs, "ms", A_CASE),
        Row("a case there / a case of the demo", slower),
    ]
    rows += [Row(f"  {name}", took, "s") for name, took in parts.items()]
    if opens:
        limit = [other / (OPENS * one + MORE) for one, other in opens]
        rows.append(Row(f"opening its report / ({OPENS:g} x opening the demo's + {MORE:g} s)", limit, "x", 1.0))
        rows.append(Row("  opening the demo's", [one for one, _ in opens], "s"))
        rows.append(Row("  opening the large one", [other for _, other in opens], "s"))
    show("documents", rows, machine)


if __name__ == "__main__":
    main()
