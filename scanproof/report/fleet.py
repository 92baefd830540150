"""The copiers of a run, each with how far its chain holds, by subnet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Case = dict[str, Any]
State = Literal["works", "waived", "at risk", "broken", "not proven"]  # the words of run.json's chains
LINKS = {
    "listed": "at its row of the list",
    "reachable": "at its web page",
    "settings": "at its own settings",
    "egress": "at the way out of its subnet",
    "tls": "at its encryption (TLS)",
    "sign-in": "at the sign-in",
    "accepted": "at the acceptance of its mail",
    "arrived": "at the arrival of a scan",
    "logged": "at its own log",
}


@dataclass(frozen=True)
class Standing:
    """How far one copier is proven.

    Attributes:
        name: a short name: where it stands, and its address.
        state: ``works`` where its chain holds to the end and a scan by its route arrived.
        at: the link where it ends; empty where the chain was not judged.
        cause: the id of the cause of that; empty where there is none.
        cases: of that link, those that don't hold.
        risk: what may become of its mail, where it is at risk.
    """

    key: str
    name: str
    subnet: str
    state: State
    at: str = ""
    cause: str = ""
    cases: list[Case] = field(default_factory=list)
    risk: str = ""


class Fleet:
    """The copiers in scope, and what everything is called."""

    def __init__(self, run: dict[str, Any]) -> None:
        """Read the run.

        Args:
            run: the content of ``run.json``; a copier without a chain is taken as not proven.
        """
        by_id = {case["id"]: case for case in run["cases"]}
        judged = {it["name"]: it for it in run["copiers"]}
        # A chain can hold as far as it was judged; proven end to end is what COV-2 shows.
        proven = {case["subject"]["name"]: case["verdict"] for case in run["cases"] if case["requirement"] == "COV-2"}
        self.subnets: dict[str, str] = {}
        self.routes: dict[str, list[str]] = {}  # that its copiers send by
        self.standings: list[Standing] = []
        for subnet in run["layout"]["subnets"]:
            self.subnets[subnet["prefix"]] = subnet["label"]
            routes = [str(it.get("route") or subnet.get("route") or "") for it in subnet["copiers"]]
            self.routes[subnet["prefix"]] = list(dict.fromkeys(routes))
            for copier in subnet["copiers"]:
                told = judged.get(copier["key"]) or {}
                self.standings.append(_standing(copier, subnet["prefix"], told, by_id, proven.get(copier["key"], "")))
        self.by_key = {it.key: it for it in self.standings}
        self.unusable = unusable(run)
        self.ways_out: dict[str, list[Case]] = {}  # EGR-1 and EGR-2, by subnet
        for case in run["cases"]:
            if case["requirement"] in {"EGR-1", "EGR-2"}:
                self.ways_out.setdefault(case["subject"]["name"].split("++")[0], []).append(case)
        self._within: dict[str, list[Standing]] = {}
        for it in self.standings:
            self._within.setdefault(it.subnet, []).append(it)
        self._labels = {case["subject"]["name"]: str(case["subject"].get("label") or "") for case in run["cases"]}
        self._names = {**self.subnets, **{it.key: it.name for it in self.standings}}

    def of(self, state: State) -> list[Standing]:
        """Return the copiers in one state."""
        return [it for it in self.standings if it.state == state]

    def within(self, prefix: str) -> list[Standing]:
        """Return the copiers of a subnet."""
        return self._within.get(prefix, [])

    def name(self, key: str, label: str = "") -> str:
        """Return what a subject is called.

        Args:
            key: its key; a pair is called by its subnet's or copier's name alone, where it has one.
            label: what it is called where it is neither.
        """
        return self._names.get(key.split("++", maxsplit=1)[0]) or label or self._labels.get(key) or key


def unusable(run: dict[str, Any]) -> list[Case]:
    """Return the cases of the list's rows that can't be used (INV-1): their copiers were not judged."""
    judged = {copier["key"] for subnet in run["layout"]["subnets"] for copier in subnet["copiers"]}
    return [
        case
        for case in run["cases"]
        if case["subject"].get("kind") == "row"
        and case["verdict"] != "passed"
        and case["requirement"] == "INV-1"
        and case["subject"]["name"] not in judged
    ]


def short(copier: dict[str, Any]) -> str:
    """Return a copier's short name: where it stands, and its address."""
    where, address = copier.get("location") or copier.get("model"), copier.get("address") or copier.get("key") or ""
    return f"{where} ({address})" if where else str(address)


def _standing(
    copier: dict[str, Any], subnet: str, told: dict[str, Any], cases: dict[str, Case], proven: str
) -> Standing:
    key, name = copier["key"], short(copier)
    links = {link["link"]: link for link in told.get("chain") or ()}
    verdict = told.get("verdict")
    if verdict == "works" and proven == "passed":
        return Standing(key, name, subnet, "works")
    if verdict == "waived" or (verdict == "works" and proven == "waived"):
        return Standing(key, name, subnet, "waived")
    state: State = "broken" if verdict == "broken" else "not proven"
    if verdict == "at risk" and proven == "passed":
        state = "at risk"
    at = str(told.get({"broken": "broken_at", "at risk": "risk_at"}.get(state, "open_at")) or "")
    here = [cases[one] for one in (links.get(at) or {}).get("cases") or () if one in cases]
    return Standing(
        key=key,
        name=name,
        subnet=subnet,
        state=state,
        at=at,
        cause=str(told.get("cause") or ""),
        cases=[case for case in here if case["verdict"] not in {"passed", "waived"}],
        risk=str(told.get("risk") or ""),
    )
