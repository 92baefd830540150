"""The workbook's sheets beside the list: the subnets, one sheet for each of them, and what was found.

A finding has the number that it has in the ticket update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanproof.report import cells
from scanproof.report.account import Account
from scanproof.report.cells import Said
from scanproof.report.copiers import NOT_JUDGED, Column, gravest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanproof.report.copiers import Standing, Standings

Case = dict[str, Any]
MOST_SHEETS = 200  # of subnets; a workbook with more can't be leafed through
_MANY = 12  # subjects that a cell names
_WIDTHS = {"Remedy": 38, "Evidence": 32, "First broken link": 11, "Chain verdict": 11}  # on a page; areas are narrower
_ON_SCREEN = "Evidence"  # ids and a link, which nobody reads on paper
_ONCE = frozenset({"Route", "Sender"})  # said above the list where all copiers have the same
_CHAIN = ("works", "at risk", "broken", "not proven", "waived")
_PATHS = {  # by requirement; all others of egress together
    "EGR-1": "Egress 587 (EGR-1)",
    "EGR-2": "Egress 25 (EGR-2)",
    "": "Other egress",
    "INV-3": "Unlisted copiers (INV-3)",
}
_OF_LIST = frozenset({"Judged", "Subnet", "Location"})  # columns that say nothing new on a subnet's own sheet


def add(book: cells.Book, run: dict[str, Any], standings: Standings, added: Sequence[Column]) -> None:
    """Add the summary of the subnets, a sheet for each, and the causes."""
    subnets = (run.get("layout") or {}).get("subnets") or []
    account = Account(run, ())
    _summary(book, account, standings, subnets)
    for subnet in subnets[:MOST_SHEETS]:
        _subnet(book, subnet, [standings.of[copier["key"]] for copier in subnet["copiers"]], added)
    _causes(book, account)


def _summary(book: cells.Book, account: Account, standings: Standings, subnets: list[dict[str, Any]]) -> None:
    run, unusable = account.run, account.fleet.unusable
    paths, of_subnets = _paths(run), _causes_of(run)
    causes = [finding for finding in account.findings.told if finding.cause]
    used = {it.chain for it in standings.of.values()}
    counted = [word for word in _CHAIN if word != "at risk" or word in used] if standings.chained else []
    columns = [("Subnet", 15), ("Name", 24), ("Route", 12), ("Copiers", 8)]
    columns += [(word.capitalize(), 9) for word in counted] + [(name, 15) for name in _PATHS.values()]
    columns += [("Causes", 54)] if causes else []
    rows = []
    for subnet in subnets:
        copiers = [standings.of[copier["key"]] for copier in subnet["copiers"]]
        name = str(subnet.get("label") or "").removesuffix(f" ({subnet['prefix']})")
        row = [Said(it) for it in (str(subnet["prefix"]), "" if name == subnet["prefix"] else name)]
        row += [Said(str(subnet.get("route") or "")), Said(len(copiers))]
        for word in counted:
            count = sum(copier.chain == word for copier in copiers)
            row.append(Said(count, word if count else ""))
        row += [_path(name, paths.get((subnet["prefix"], name), [])) for name in _PATHS]
        if causes:
            told = {*of_subnets.get(subnet["prefix"], ()), *(name for copier in copiers for name in copier.causes)}
            row.append(Said("\n".join(f"{it.number}: {it.title}" for it in causes if it.cause in told)))
        rows.append(row)
    if unusable:
        rows.append(_lost(account, counted, len(columns)))
    about = [f"Subnets of {run['site'].get('customer') or 'the site'}"]
    if len(subnets) > MOST_SHEETS:
        about.append(
            f"The first {MOST_SHEETS} of {len(subnets)} have sheets of their own; all copiers are in the list."
        )
    cells.listing(book, "Subnets", about, columns, rows)


def _lost(account: Account, counted: Sequence[str], columns: int) -> list[Said]:
    """Return a row for what the list names and no subnet holds, so that the sheets count alike."""
    unusable = account.fleet.unusable
    waived = sum(case["verdict"] == "waived" for case in unusable)
    amounts = {"broken": len(unusable) - waived, "waived": waived}
    row = [Said("in none"), Said("rows of the list that can't be used (INV-1)"), Said(""), Said(len(unusable))]
    row += [Said(amounts.get(word, 0), word if amounts.get(word) else "") for word in counted]
    row += [Said(NOT_JUDGED) for _ in _PATHS]
    told = [account.findings.about(case) for case in unusable]
    titles = list(dict.fromkeys(f"{it.number}: {it.title}" for it in told if it))
    return [*row, *([Said("\n".join(titles))] if len(row) < columns else [])]


def _subnet(book: cells.Book, subnet: dict[str, Any], copiers: list[Standing], added: Sequence[Column]) -> None:
    about = [str(subnet["label"]), f"{len(copiers)} copier{'' if len(copiers) == 1 else 's'}"]
    said: list[Column] = [
        Column("Location", 20, lambda it: Said(it.location or it.key)),
        Column("Address", 13, lambda it: Said(it.address)),
        Column("Serial", 14, lambda it: Said(it.serial)),
        Column("Model", 12, lambda it: Said(it.model)),
        Column("Route", 12, lambda it: Said(it.route)),
        Column("Sender", 24, lambda it: Said(it.sender)),
        *(Column(it.name, _WIDTHS.get(it.name, 10), it.says) for it in added if it.name not in _OF_LIST),
    ]
    columns = []
    for column in said:
        shown = {column.says(it).text for it in copiers}
        if column.name in _ONCE and len(shown) == 1:
            about.append(f"{column.name}: {shown.pop() or 'not stated'}")
        elif shown != {NOT_JUDGED}:
            columns.append(column)
    rows = [[column.says(it) for column in columns] for it in copiers]
    widths = [(column.name, column.width) for column in columns]
    cells.listing(book, str(subnet["label"]), [about[0], " · ".join(about[1:])], widths, rows, unprinted=_ON_SCREEN)


def _paths(run: dict[str, Any]) -> dict[tuple[str, str], list[Case]]:
    """Return the cases by prefix and by column of the summary."""
    egress = {it["id"] for it in run.get("requirements") or () if it.get("area") == "egress"}
    found: dict[tuple[str, str], list[Case]] = {}
    for case in run["cases"]:
        name = case["requirement"]
        if name in egress or name in _PATHS:
            prefix = str(case["subject"]["name"]).partition("++")[0]
            found.setdefault((prefix, name if name in _PATHS else ""), []).append(case)
    return found


def _path(requirement: str, cases: list[Case]) -> Said:
    if not cases:
        return Said(NOT_JUDGED)
    word, names = gravest(cases)
    unused = requirement.startswith("EGR") and all(case.get("level") == "advice" for case in cases)
    said = word if word == "passed" else f"{word}: {', '.join(names)}"
    return Said(said + (" (no copier here sends by it)" if unused else ""), word)


def _causes_of(run: dict[str, Any]) -> dict[str, set[str]]:
    """Return the ids of the causes that explain a case of each subject, by the first part of its key."""
    found: dict[str, set[str]] = {}
    for case in run["cases"]:
        if cause := case.get("cause"):
            found.setdefault(str(case["subject"]["name"]).partition("++")[0], set()).add(str(cause))
    return found


_KINDS = {"failed": "stands in the way", "unproven": "not proven", "advice": "advice", "waived": "waived"}


def _causes(book: cells.Book, account: Account) -> None:
    """Add what was found: the causes, the most important first, then what none of them explains."""
    if not account.findings.told:
        return
    rows = []
    for it in account.findings.told:
        state = _KINDS[it.kind]
        subjects = list(dict.fromkeys(account.fleet.name(key) for key in it.subjects))
        more = [f"and {len(subjects) - _MANY} more"] if len(subjects) > _MANY else []
        rows.append(
            [
                Said(it.number),
                Said(it.title),
                Said(it.effect),
                Said(state if it.kind != "unproven" or it.blocks else f"{state}, advice", it.kind),
                Said(it.owner),
                Said(it.layer or "no known cause"),
                Said(len(it.cases)),
                Said("\n".join([*subjects[:_MANY], *more])),
                Said(it.remedy),
            ]
        )
    columns = [
        ("No.", 5),
        ("Cause", 46),
        ("Copiers", 14),
        ("State", 12),
        ("Who", 18),
        ("Layer", 9),
        ("Cases", 7),
        ("Of", 40),
        ("Remedy", 56),
    ]
    about = [
        "What was found, numbered as in the ticket update",
        "The causes, the most important first, then what none of them explains",
    ]
    cells.listing(book, "Causes", about, columns, rows)
