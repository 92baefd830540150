"""What a judged run says of each row of the fleet list: area by area, its chain, what to do, on which evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scanproof.report import excepted, tables
from scanproof.report.cells import Said

if TYPE_CHECKING:
    from collections.abc import Callable

Case = dict[str, Any]

AREAS = ("inventory", "reach", "egress", "dns", "tenant", "smtp", "device", "delivery", "log", "coverage")
_SHORT = {"smtp": "SMTP", "dns": "DNS"}
REPORT = "report.html"  # beside the workbook in the run's folder
NOT_JUDGED = "not judged"
_NAMED = 4  # requirements that a cell names
_PIECES = 2  # of evidence: their ids are long


@dataclass(frozen=True)
class Standing:
    """How one row stands.

    Attributes:
        key: the copier's.
        judged: ``yes``, or why not.
        areas: by area, its verdict and the requirements that have it.
        chain: the verdict of its whole chain; empty where the run has no chains.
        broken_at: the first link that does not hold, or that is open.
        evidence: ids of the evidence of what is decisive; else of what proves it.
        case: the id of the decisive case, as the report lists it.
        causes: ids of the causes that explain a case that concerns it.
    """

    key: str
    judged: str
    subnet: str = ""
    location: str = ""
    address: str = ""
    serial: str = ""
    model: str = ""
    route: str = ""
    sender: str = ""
    areas: dict[str, Said] = field(default_factory=dict)
    chain: str = ""
    broken_at: str = ""
    remedy: str = ""
    evidence: str = ""
    case: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column that a run adds to the list: heading, width in characters, and what it says of a copier."""

    name: str
    width: int
    says: Callable[[Standing], Said]


class Standings:
    """How each copier of a run stands."""

    def __init__(self, run: dict[str, Any]) -> None:
        self._run = run
        self._layout: dict[str, Any] = run.get("layout") or {}
        requirements = run.get("requirements") or []
        self._area = {it["id"]: str(it.get("area") or "") for it in requirements}
        self._order = {it["id"]: place for place, it in enumerate(requirements)}
        self._hosts = {it["route"]: it["host"] for it in self._layout.get("services") or ()}
        self._chains = {it["name"]: it for it in run.get("copiers") or ()}
        self._behind: dict[tuple[str, str, str], list[Case]] = {}

    @property
    def chained(self) -> bool:
        """Whether the run has the chain of each copier."""
        return bool(self._chains)

    @cached_property
    def _by_first(self) -> dict[str, list[Case]]:
        """The cases by their subject's key, or the first part of it."""
        found: dict[str, list[Case]] = {}
        for case in self._run["cases"]:
            found.setdefault(str(case["subject"]["name"]).partition("++")[0], []).append(case)
        return found

    @cached_property
    def _by_id(self) -> dict[str, Case]:
        return {case["id"]: case for case in self._run["cases"]}

    @cached_property
    def of(self) -> dict[str, Standing]:
        """By key: the copiers that were judged."""
        return {
            copier["key"]: self._of(subnet, copier)
            for subnet in self._layout.get("subnets") or ()
            for copier in subnet["copiers"]
        }

    @cached_property
    def areas(self) -> list[str]:
        """The areas in which a case concerns any of the rows."""
        found = {area for standing in self.of.values() for area in standing.areas}
        found |= {self._area.get(case["requirement"], "") for case in self._run["cases"] if _of_row(case)}
        return [area for area in AREAS if area in found] + sorted(found - {*AREAS, ""})

    def columns(self) -> list[Column]:
        """Return the columns that the run adds to the list."""
        columns = [
            Column("Judged", 16, lambda it: Said(it.judged)),
            Column("Subnet", 18, lambda it: Said(it.subnet)),
            Column("Location", 24, lambda it: Said(it.location)),
        ]
        columns += [Column(_SHORT.get(area) or area.capitalize(), 12, _of_area(area)) for area in self.areas]
        if self.chained:
            columns.append(Column("Chain verdict", 13, lambda it: Said(it.chain or NOT_JUDGED, it.chain)))
            columns.append(
                Column("First broken link", 17, lambda it: Said(it.broken_at or ("none" if it.chain else "")))
            )
        columns.append(Column("Remedy", 50, lambda it: Said(it.remedy)))
        columns.append(Column("Evidence", 30, lambda it: Said(it.evidence or (REPORT if it.case else ""))))
        return columns

    def of_row(self, key: str, number: int, location: str, *, hidden: bool) -> Standing:
        """Return how a row of the list stands, judged or not.

        Args:
            key: the row's.
            number: as Excel shows it.
            location: as the list states it.
            hidden: whether the list hides it.
        """
        if found := self.of.get(key):
            return replace(found, judged="yes (a hidden row)") if hidden else found
        outside = {it["row"]: it["reason"] for it in self._layout.get("outside") or ()}
        hidden_too = " (a hidden row)" if hidden else ""
        if reason := outside.get(number):
            return Standing(key, f"no: {reason}{hidden_too}", location=location)
        own = [case for case in self._by_first.get(key, ()) if _of_row(case)]
        why = "the row is not usable" if own else "none of its cases was selected"
        return self._told(Standing(key, f"no: {why}{hidden_too}", location=location), own)

    def _of(self, subnet: dict[str, Any], copier: dict[str, Any]) -> Standing:
        def said(name: str) -> str:
            return str(copier.get(name) or "")

        route, sender = said("route"), said("sender")
        blank = Standing(
            key=copier["key"],
            judged="yes",
            subnet=str(subnet["label"]),
            location=said("location"),
            address=said("address"),
            serial=said("serial"),
            model=said("model"),
            route=route,
            sender=sender,
        )
        own = self._by_first.get(copier["key"], [])
        return self._told(blank, [*own, *self._shared(subnet, route, sender)])

    def _told(self, blank: Standing, cases: list[Case]) -> Standing:
        """Return a standing with what its cases say."""
        by_area: dict[str, list[Case]] = {}
        for case in cases:
            by_area.setdefault(self._area.get(case["requirement"], ""), []).append(case)
        areas = {}
        for area, of in by_area.items():
            word, names = gravest(of)
            areas[area] = Said(word if word == "passed" else f"{word}: {_some(names)}", word)
        chain = self._chains.get(blank.key, {})
        decisive = self._of_link(chain) or self._decisive(cases)
        causes = dict.fromkeys(str(case["cause"]) for case in cases if case.get("cause"))
        at = chain.get("broken_at") or (f"open: {chain['open_at']}" if chain.get("open_at") else "")
        at = at or (f"at risk: {chain['risk_at']}" if chain.get("risk_at") else "")
        areas |= _logged(chain)
        first = next((it["remedy"] for it in decisive if it.get("remedy")), "")
        remedy = chain.get("remedy") if chain else first
        unusable = self.chained and not chain and bool(decisive)
        lost = "waived" if unusable and decisive[0]["verdict"] == "waived" else "broken" if unusable else ""
        ids = dict.fromkeys(name for case in decisive for name in case.get("evidence") or ())
        return replace(
            blank,
            areas=areas,
            chain=str(chain.get("verdict") or lost),
            broken_at=str(at or ("listed" if unusable else "")),
            remedy="\n".join(str(part) for part in (remedy, *_waived(cases)) if part),
            causes=tuple(causes),
            evidence=_some([*ids], _PIECES),
            case=decisive[0]["id"] if decisive else "",
        )

    def _of_link(self, chain: dict[str, Any]) -> list[Case]:
        """Return the gravest cases of a chain's first broken or open link; where all hold, of the furthest."""
        judged = [it for it in chain.get("chain") or () if it["cases"]]
        furthest = next((it["link"] for it in reversed(judged) if it["link"] != "logged"), "")
        name = chain.get("broken_at") or chain.get("open_at") or chain.get("risk_at") or furthest
        ids = [case for it in judged if it["link"] == name for case in it["cases"]]
        return self._decisive([self._by_id[case] for case in ids if case in self._by_id])

    def _decisive(self, cases: list[Case]) -> list[Case]:
        """Return the cases of the gravest verdict, blockers first; where all hold, the one that sums them up."""
        if not cases:
            return []
        word, _ = gravest(cases)
        if word == "passed":
            own = [case for case in cases if case["subject"].get("kind") not in {"subnet", "row"}] or cases
            return [max(own, key=lambda case: self._order.get(case["requirement"], -1))]
        of = [case for case in cases if case["verdict"] == word]
        return sorted(of, key=lambda case: (case.get("level") == "advice", self._order.get(case["requirement"], 0)))

    def _shared(self, subnet: dict[str, Any], route: str, sender: str) -> list[Case]:
        """Return the cases of a copier's subnet, sender and public address that concern its route."""
        group = (subnet["prefix"], route, sender)
        if group not in self._behind:
            place = subnet.get("public_address") or subnet["prefix"]
            firsts = dict.fromkeys(
                (subnet["prefix"], sender, place, *(it.partition("++")[0] for it in self._of_site)),
            )
            self._behind[group] = [
                case
                for first in firsts
                if first
                for case in self._by_first.get(first, ())
                if self._concerns(case, place, subnet["prefix"], route, sender)
            ]
        return self._behind[group]

    @cached_property
    def _of_site(self) -> list[str]:
        """The keys of the domain and tenant, whose cases concern some routes."""
        kinds = {"domain_egress", "direct_tenant"}
        return [str(case["subject"]["name"]) for case in self._run["cases"] if case["subject"].get("kind") in kinds]

    def _concerns(self, case: Case, place: str, prefix: str, route: str, sender: str) -> bool:
        first, *rest = str(case["subject"]["name"]).split("++")
        match case["subject"].get("kind"):
            case "sender" | "password_sender":
                return first == sender and route == "smtp-auth"
            case "sender_egress":
                return first == sender and route == "smtp-auth" and place in rest
            case "sending" | "delivery":
                return first == sender and rest[:1] in ([], [route])
            case "relay_egress":
                return first == place and route == "relay"
            case "domain_egress":
                return place in rest and route != "smtp-auth"
            case "direct_tenant":
                return route == "direct-send"
            case "swept_subnet":  # about copiers that the list lacks
                return False
        # A subnet's, alone or towards a host: the host of another route is none of this copier's business.
        return first == prefix and (
            not rest or rest[0] == self._hosts.get(route) or rest[0] not in self._hosts.values()
        )


_AREAS_OF = {"egress": "egress", "tls": "device"}  # where a link stands that a copier's own log shows to fail


def _logged(chain: dict[str, Any]) -> dict[str, Said]:
    """Return the areas of links that fail by a copier's own log alone, whatever gets through beside it."""
    links = [it["link"] for it in chain.get("chain") or () if it.get("shown_by") == "its own log"]
    return {_AREAS_OF[name]: Said("failed: LOG-2 (likely)", "failed") for name in links if name in _AREAS_OF}


def _waived(cases: list[Case]) -> list[str]:
    """Say which waivers cover something of a copier: why, by whom, and until when."""
    said: dict[str, list[str]] = {}
    for case in cases:
        if case["verdict"] == "waived":
            said.setdefault(str(case.get("waiver") or "no reason was recorded"), []).append(case["requirement"])
    # What is waived itself comes before what could not be tried for it.
    told = sorted(said.items(), key=lambda item: item[0].startswith(excepted.THROUGH))
    return [f"Waived ({_some(list(dict.fromkeys(names)))}): {why}" for why, names in told[:_NAMED]]


def _of_row(case: Case) -> bool:
    return bool(case["subject"].get("kind") == "row")


def _of_area(area: str) -> Callable[[Standing], Said]:
    return lambda standing: standing.areas.get(area) or Said(NOT_JUDGED)


def gravest(cases: list[Case]) -> tuple[str, list[str]]:
    """Return the gravest verdict of some cases, as the report's tables weigh it, and the requirements that have it."""
    word = tables.Row("", "", cells={"": cases}).worst or "unproven"
    return word, [*dict.fromkeys(case["requirement"] for case in cases if case["verdict"] == word)]


def _some(names: list[str], most: int = _NAMED) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
