"""The chain of a copier: from the list to its own log, and its first broken link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scanproof.diagnosis.model import Cause, Whole
    from scanproof.judged import Case
    from scanproof.site import Copier

# Gravest first; advice breaks nothing, and what is waived is accepted as it is.
_GRAVEST = ("failed", "error", "blocked", "unproven", "waived", "advice", "passed")
_BROKEN = frozenset({"failed", "error", "blocked"})
NOT_JUDGED = "not judged"
# A scan that arrived has passed these, whatever could not be looked at from elsewhere.
_PASSED_BY_A_SCAN = frozenset({"egress", "tls", "sign-in", "accepted"})


@dataclass(frozen=True)
class Link:
    """One link of a copier's chain.

    Attributes:
        verdict: the gravest of its blockers; advice where these hold and something else does not.
        cases: what it is judged by.
        shown_by_scan: a scan that arrived shows it, where its own cases could not be proven or tried from elsewhere.
        needed: whether the copier's route has this link.
    """

    name: str
    verdict: str
    cases: list[Case]
    shown_by_scan: bool = False
    needed: bool = True

    @property
    def open(self) -> bool:
        """Whether it is not shown: unproven, or judged by nothing though the copier's route has it."""
        return self.verdict == "unproven" or (self.verdict == NOT_JUDGED and self.needed)


@dataclass(frozen=True)
class Chain:
    """A copier's links, in order."""

    copier: Copier
    links: list[Link]
    causes: Mapping[str, Cause]  # by the case's id
    whole: bool  # whether all cases of the plan were judged: what was left out could be what fails

    @property
    def broken_at(self) -> Link | None:
        """The first link that does not hold, or that could not be tried."""
        return next((link for link in self.links if link.verdict in _BROKEN), None)

    @property
    def open_at(self) -> Link | None:
        """The first link that is not shown."""
        return next((link for link in self.links if link.open), None)

    @property
    def verdict(self) -> str:
        """What may be said of the copier: it works only where its route is proven and no link is open."""
        if self.broken_at:
            return "broken"
        if self.open_at or not self.whole:
            return "not proven"
        return "waived" if any(link.verdict == "waived" for link in self.links) else "works"

    @property
    def _decides(self) -> Case | None:
        link = self.broken_at or self.open_at
        word = link.verdict if link else ""
        wanted = [case for case in link.cases if case.verdict == word] if link else []
        wanted = wanted or [case for case in link.cases if case.verdict == "advice"] if link else []
        return next((case for case in wanted if case.cause), wanted[0] if wanted else None)

    @staticmethod
    def _remedy(case: Case | None, cause: Cause | None) -> str:
        """Return what to do: by the case itself where that failed, else by what is behind it."""
        if case is None:
            return ""
        return case.remedy if case.verdict == "failed" or cause is None else cause.remedy

    def as_json(self) -> dict[str, Any]:
        """Return the chain as it stands in run.json."""
        names = ("address", "serial", "model", "location", "subnet", "route", "sender")
        case, broken = self._decides, self.broken_at
        cause = self.causes.get(case.id) if case else None
        return {
            "name": self.copier.key,
            "label": self.copier.label,
            **{name: getattr(self.copier, name) for name in names},
            "chain": [
                {
                    "link": link.name,
                    "verdict": link.verdict,
                    "cases": [case.id for case in link.cases],
                    **({"shown_by": "a scan that arrived"} if link.shown_by_scan else {}),
                }
                for link in self.links
            ],
            "broken_at": broken.name if broken else None,
            "open_at": self.open_at.name if self.open_at else None,
            "verdict": self.verdict,
            "cause": cause.id if cause else None,
            "remedy": (cause.remedy if cause and cause.subjects == [self.copier.key] else "")
            or (case.remedy if case else ""),
        }


# What a copier's own log shows is advice; where its cause is known, it breaks a link: this copier can't send.
_SHOWN_BY_LOG = {"port-blocked": "egress", "device-tls": "tls"}


def chains(run: Whole, causes: Mapping[str, Cause], *, whole: bool) -> list[Chain]:
    """Return every copier's chain, in the list's order.

    Args:
        run: the judged run.
        causes: the cause of each case that has one, by the case's id.
        whole: whether all cases of the plan were judged.
    """
    return [Chain(copier, list(_links(copier, run, causes)), causes, whole) for copier in run.site.copiers]


def _links(copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> Iterator[Link]:
    failed = [case for case in run.by_part.get(("LOG-2", copier.key), ()) if case.verdict == "advice"]
    shown_at = {_SHOWN_BY_LOG.get(causes[case.id].kind): case for case in failed if case.id in causes}
    delivered = any(case.verdict == "passed" for case in run.by_part.get(("COV-2", copier.key), ()))
    for name, wanted in _wanted(copier, run).items():
        cases = [case for requirement, key in wanted for case in run.by_part.get((requirement, key), ())]
        cases = list({case.id: case for case in cases}.values())
        verdict = _verdict(cases)
        if name in shown_at and verdict not in _BROKEN:
            yield Link(name, "failed", [*cases, shown_at[name]])
            continue
        # What its own TLS can do is DEV-9's business: another one's scan, of the same line, doesn't show it.
        doubtful = {case.requirement for case in cases if case.verdict == "unproven" and case.level == "blocker"}
        # What is blocked here without a failure of its own could not be tried from this machine.
        apart = verdict == "unproven" or (verdict == "blocked" and not any(case.verdict == "failed" for case in cases))
        shown = apart and delivered and name in _PASSED_BY_A_SCAN and "DEV-9" not in doubtful
        yield Link(name, "passed" if shown else verdict, cases, shown_by_scan=shown, needed=bool(wanted))


def _verdict(cases: list[Case]) -> str:
    of_blockers: list[str] = [case.verdict for case in cases if case.level == "blocker"]
    worst = min(of_blockers, key=_GRAVEST.index, default="")
    if worst in {"", "passed"}:
        others: list[str] = [case.verdict for case in cases if case.level != "blocker"]
        advised = [verdict for verdict in others if verdict in {"advice", "error", "waived"}]
        return min(advised or ([worst] if worst else others), key=_GRAVEST.index, default=NOT_JUDGED)
    return worst


def _wanted(copier: Copier, run: Whole) -> dict[str, list[tuple[str, str]]]:
    """Return by which cases each link is judged: requirement, and the subject's key or a part of it."""
    sender, site = copier.sender or "", run.site
    host = site.services[copier.route].host if copier.route in site.services else ""
    path, sending = f"{copier.subnet}++{host}", f"{sender}++{copier.route}"
    signs = copier.route == "smtp-auth"
    public = next((it.public_address or it.prefix for it in site.subnets if it.prefix == copier.subnet), "")
    own = ("DEV-1", "DEV-2", "DEV-3", "DEV-4", "DEV-5", "DEV-6", "DEV-13")
    tenant = ("SMTP-1", "TEN-1", "TEN-2", "TEN-3", "TEN-5", "TEN-6", "TEN-7")
    accepting = {
        "smtp-auth": [],
        "direct-send": [("TEN-8", site.file.mail.domain), ("DNS-2", f"{site.file.mail.domain}++{public}")],
        "relay": [("TEN-10", public)],
    }[copier.route]
    return {
        "listed": [("INV-1", copier.key)],
        "reachable": [("NET-4", copier.key), ("INV-2", copier.key)],  # and it is the listed one that answers
        "settings": [(requirement, copier.key) for requirement in own],
        "egress": [("EGR-1" if signs else "EGR-2", path), ("EGR-4", copier.subnet)],
        "tls": [("EGR-3", path), ("DEV-9", copier.key)],
        "sign-in": [*((it, sender) for it in tenant), ("TEN-4", f"{sender}++{public}")] if signs else [],
        "accepted": [("SMTP-2", sending), *accepting],
        "arrived": [("DLV-2", copier.key), ("COV-2", copier.key)],
        "logged": [("LOG-1", copier.key), ("LOG-2", copier.key), ("LOG-3", copier.key)],
    }
