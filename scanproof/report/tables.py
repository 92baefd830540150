"""The requirement tables: copiers by requirement, and the same for every other kind of subject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scanproof.report.text import words
from scanproof.report.verdicts import worst

Case = dict[str, Any]
FEW = 6  # subjects; so few are columns, and leave room for each requirement's sentence


@dataclass
class Row:
    """One subject and its cases by requirement."""

    key: str
    label: str
    detail: str = ""
    cells: dict[str, list[Case]] = field(default_factory=dict)

    @property
    def worst(self) -> str | None:
        """The gravest verdict among blockers; where they all hold, whether any advice is due."""
        cases = [case for cell in self.cells.values() for case in cell]
        blockers = worst(case["verdict"] for case in cases if case.get("level") != "advice")
        if blockers not in {None, "passed"}:
            return blockers
        if any(case["verdict"] in {"advice", "error"} for case in cases):
            return worst(case["verdict"] for case in cases if case["verdict"] in {"advice", "error"})
        return blockers or worst(case["verdict"] for case in cases)


@dataclass
class Table:
    """Subjects of one kind, in sections, and the requirements that were judged of them."""

    title: str
    columns: list[str]
    sections: list[tuple[str, list[Row]]]

    @property
    def rows(self) -> list[Row]:
        """All rows, whatever their section."""
        return [row for _, rows in self.sections for row in rows]

    @property
    def few(self) -> bool:
        """Whether its subjects are better shown as columns."""
        return len(self.rows) <= FEW


def of(run: dict[str, Any]) -> tuple[Table, list[Table]]:
    """Return the copiers' table, and those of the other kinds of subject.

    A pair (its keys joined by ``++``) stands in the row of its first member.
    """
    sections: list[tuple[str, list[Row]]] = []
    copiers: dict[str, Row] = {}
    prefixes: dict[str, str] = {}
    for subnet in run["layout"]["subnets"]:
        prefixes[subnet["prefix"]] = subnet["label"]
        rows = [
            Row(copier["key"], copier.get("location") or copier["label"], _detail(copier))
            for copier in subnet["copiers"]
        ]
        copiers |= {row.key: row for row in rows}
        sections.append((subnet["label"], rows))
    # A pair's row is its first member's: a sender's mails by each route stand with the sender.
    kinds = {
        str(case["subject"]["name"]): str(case["subject"].get("kind") or "other")
        for case in run["cases"]
        if "++" not in str(case["subject"]["name"])
    }
    others: dict[str, dict[str, Row]] = {}
    for case in run["cases"]:
        subject = case["subject"]
        parts = str(subject["name"]).split("++")
        row = next((copiers[part] for part in parts if part in copiers), None)
        if row is None:
            first = parts[0]
            kind = "subnet" if first in prefixes else kinds.get(first) or str(subject.get("kind") or "other")
            label = prefixes.get(first) or (first if len(parts) > 1 else subject.get("label") or first)
            row = others.setdefault(kind, {}).setdefault(first, Row(first, label))
        row.cells.setdefault(case["requirement"], []).append(case)
    order = [requirement["id"] for requirement in run["requirements"]]
    grid = Table("Copiers", _columns(order, list(copiers.values())), sections)
    rest = [
        Table(words(kind).capitalize(), _columns(order, list(rows.values())), [("", list(rows.values()))])
        for kind, rows in others.items()
    ]
    rest.sort(key=lambda table: order.index(table.columns[0]) if table.columns[0] in order else len(order))
    return grid, rest


def _detail(copier: dict[str, Any]) -> str:
    return " · ".join(str(copier[part]) for part in ("model", "address") if copier.get(part))


def _columns(order: list[str], rows: list[Row]) -> list[str]:
    present = {requirement for row in rows for requirement in row.cells}
    return [one for one in order if one in present] + sorted(present.difference(order))
