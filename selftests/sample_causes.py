"""Causes, chains and a comparison, made by hand for a run that holds cases alone: what a diagnosis would add."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
LINKS = {
    "listed": ("INV-1", "INV-2"),
    "reachable": ("NET-4",),
    "settings": ("DEV-1", "DEV-2", "DEV-3", "DEV-4", "DEV-5", "DEV-6", "DEV-13"),
    "egress": ("EGR-1", "EGR-2", "EGR-3", "EGR-4"),
    "tls": ("DEV-9",),
    "sign-in": ("SMTP-1",),
    "accepted": ("SMTP-2",),
    "arrived": ("DLV-2", "COV-2"),
    "logged": ("LOG-1", "LOG-2"),
}
DOORS = {"smtp-auth": "EGR-1", "direct-send": "EGR-2", "relay": "EGR-2"}
BROKEN = ("failed", "error", "blocked")
_WORST = (*BROKEN, "unproven", "waived", "passed")


def with_chains(run: Record) -> Record:
    """Return a run with each copier's chain, by the verdicts of its own, its subnet's and its sender's cases."""
    by_part: dict[tuple[str, str], list[Record]] = {}
    for case in run["cases"]:
        for part in {case["subject"]["name"], *case["subject"]["name"].split("++")}:
            by_part.setdefault((case["requirement"], part), []).append(case)
    copiers = [
        _chain(copier, subnet["prefix"], by_part) for subnet in run["layout"]["subnets"] for copier in subnet["copiers"]
    ]
    unexplained = [case["id"] for case in run["cases"] if case["verdict"] in BROKEN and not case.get("cause")]
    return {**run, "copiers": copiers, "unexplained": unexplained}


def _chain(copier: Record, prefix: str, by_part: dict[tuple[str, str], list[Record]]) -> Record:
    smtp = copier["route"] == "smtp-auth"
    chain: list[Record] = []
    for link, requirements in LINKS.items():
        cases: list[Record] = []
        for requirement in requirements:
            if requirement in {"EGR-1", "EGR-2"} and requirement != DOORS[copier["route"]]:
                continue
            key = copier["key"]
            if requirement.startswith("EGR"):
                key = prefix
            elif requirement.startswith("SMTP"):
                key = copier["sender"] if smtp else ""
            of = by_part.get((requirement, key), [])
            cases += [case for case in of if case["level"] == "blocker" or requirement.startswith("LOG")]
        verdicts = ["unproven" if case["verdict"] == "advice" else case["verdict"] for case in cases]
        worst = min(verdicts, key=_WORST.index, default="not judged")
        chain.append({"link": link, "verdict": worst, "cases": [case["id"] for case in cases]})
        chain[-1]["_cause"] = next((case.get("cause") for case in cases if case["verdict"] in BROKEN), None)
    broken = next((link for link in chain if link["verdict"] in BROKEN), None)
    opened = next((link for link in chain if link["verdict"] == "unproven"), None)
    waived = any(link["verdict"] == "waived" for link in chain)
    cause = broken["_cause"] if broken else None
    for one in chain:
        del one["_cause"]
    return {
        "name": copier["key"],
        "label": copier["label"],
        "address": copier["address"],
        "serial": copier.get("serial", copier["key"]),
        "model": copier["model"],
        "location": copier["location"],
        "subnet": prefix,
        "route": copier["route"],
        "sender": copier["sender"],
        "chain": chain,
        "broken_at": broken["link"] if broken else None,
        "open_at": opened["link"] if opened else None,
        "verdict": "broken" if broken else "not proven" if opened else "waived" if waived else "works",
        "cause": cause,
        "remedy": "",
    }
