"""The ticket update's part about routes: which would work for each subnet, today and later, and which is advised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.report import chains
from scanproof.report.outcome import MOST, ROWS
from scanproof.report.prose import capital, listed, number, sentence

if TYPE_CHECKING:
    from scanproof.report.account import Account
    from scanproof.report.document import Document

TITLE = "Routes: today, and after what is announced"


def routes(document: Document, account: Account) -> None:
    """Tell the route advice, subnet by subnet; those of which the same is said are one."""
    advised = [it for it in chains.advice(account.run) if it.advice["kind"] == "subnet"]
    if not advised:
        return
    document.heading(1, TITLE)
    rows = []
    for it in advised:
        for one in it.advice["routes"]:
            used = " (in use)" if one["route"] == it.advice["uses"] else ""
            words = [str(one[time]["works"]) for time, _ in chains.TIMES]
            rows.append([listed(it.labels, MOST), f"{one['route']}{used}", *words])
    document.table(("Subnet", "Route", *(capital(words) for _, words in chains.TIMES)), rows[:ROWS])
    if len(rows) > ROWS:
        document.say(f"And {number(len(rows) - ROWS)} more (see report.html).")
    document.items((f"{listed(it.labels, MOST)}:", _advised(it)) for it in advised[:ROWS])


def _advised(it: chains.Alike) -> str:
    """Say which route is advised, and why."""
    advice = it.advice
    if not advice["advice"]:
        return sentence(f"no route to advise: {advice['why']}")
    verb = "keep" if advice["advice"] == advice["uses"] else "consider"
    return sentence(f"{verb} {advice['advice']}: {advice['why']}")
