"""The chain of a copier: from the list to its own log, and its first broken link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scanproof.diagnosis import bearing
from scanproof.diagnosis.model import Seen
from scanproof.evidence import Alignment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scanproof.diagnosis.model import Cause, Whole
    from scanproof.judged import Case
    from scanproof.site import Copier

RISK = "at risk"
# Gravest first; advice breaks nothing, and what is waived is accepted as it is.
_GRAVEST = ("failed", "error", "blocked", "unproven", RISK, "waived", "advice", "passed")
_OPEN = frozenset({"error", "blocked", "unproven"})
NOT_JUDGED = "not judged"
# A scan that arrived has passed these, whatever could not be looked at from elsewhere.
_PASSED_BY_A_SCAN = frozenset({"egress", "tls", "sign-in", "accepted"})
# The copier's own shows these as well: nobody needs its page to scan, and it is set as its scan went.
_PASSED_BY_ITS_OWN = _PASSED_BY_A_SCAN | {"reachable", "settings"}


@dataclass(frozen=True)
class Link:
    """One link of a copier's chain.

    Attributes:
        verdict: the gravest of what its blockers say of this copier; advice where these hold, or are no part of
            scanning, and something does not hold; ``at risk`` where what fails stops no scan yet.
        cases: what it is judged by.
        decisive: those of them that have this verdict, as far as this copier goes.
        shown_by: what shows it where its own cases do not: a scan that arrived has passed it; or it fails by the
            copier's own log, which makes that likely.
        threat: what may become of this copier's mail by what fails, where that stops none yet.
        needed: whether the copier's route has this link.
    """

    name: str
    verdict: str
    cases: list[Case]
    decisive: list[Case] = field(default_factory=list)
    shown_by: str = ""
    threat: str = ""
    needed: bool = True

    @property
    def open(self) -> bool:
        """Whether it is not shown: unproven, not tried, or judged by nothing though the copier's route has it."""
        return self.verdict in _OPEN or (self.verdict == NOT_JUDGED and self.needed)


@dataclass(frozen=True)
class Chain:
    """A copier's links, in order."""

    copier: Copier
    links: list[Link]
    causes: Mapping[str, Cause]  # by the case's id
    whole: bool  # whether all cases of the plan were judged: what was left out could be what fails

    @property
    def broken_at(self) -> Link | None:
        """The first link that fails: what could not be tried is not broken for that."""
        return next((link for link in self.links if link.verdict == "failed"), None)

    @property
    def open_at(self) -> Link | None:
        """The first link that is not shown."""
        return next((link for link in self.links if link.open), None)

    @property
    def risk_at(self) -> Link | None:
        """The first link where something fails that stops no scan yet."""
        return next((link for link in self.links if link.verdict == RISK), None)

    @property
    def verdict(self) -> str:
        """What may be said of the copier: it works only where its route is proven and no link is open."""
        if self.broken_at:
            return "broken"
        if self.open_at or not self.whole:
            return "not proven"
        if self.risk_at:
            return RISK
        return "waived" if any(link.verdict == "waived" for link in self.links) else "works"

    def behind(self, verdict: str) -> set[int]:
        """Return the causes of its links of one verdict, by ``id()``."""
        cases = [case for link in self.links if link.verdict == verdict for case in link.decisive]
        return {id(self.causes[case.id]) for case in cases if case.id in self.causes}

    @property
    def _decides(self) -> Case | None:
        link = self.broken_at or self.open_at or self.risk_at
        wanted = link.decisive if link else []
        return next((case for case in wanted if case.cause), wanted[0] if wanted else None)

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
                    **({"shown_by": link.shown_by} if link.shown_by else {}),
                }
                for link in self.links
            ],
            "broken_at": broken.name if broken else None,
            "open_at": self.open_at.name if self.open_at else None,
            "risk_at": self.risk_at.name if self.risk_at else None,
            "risk": self.risk_at.threat if self.risk_at else "",
            "verdict": self.verdict,
            "cause": cause.id if cause else None,
            "remedy": (cause.remedy if cause and cause.subjects == [self.copier.key] else "")
            or (case.remedy if case else ""),
        }


def chains(run: Whole, causes: Mapping[str, Cause], *, whole: bool) -> list[Chain]:
    """Return every copier's chain, in the list's order.

    Args:
        run: the judged run.
        causes: the cause of each case that has one, by the case's id.
        whole: whether all cases of the plan were judged.
    """
    return [Chain(copier, list(_links(copier, run, causes)), causes, whole) for copier in run.site.copiers]


def _links(copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> Iterator[Link]:
    told = _Told(copier, run, causes)
    logged = bearing.logged(copier, run, causes)
    for name, wanted in _wanted(copier, run).items():
        cases = [case for requirement, key in wanted for case in run.by_part.get((requirement, key), ())]
        cases = list({case.id: case for case in cases}.values())
        said = {case.id: told.of(case) for case in cases}
        verdict = _verdict(cases, said)
        decisive = [case for case in cases if said[case.id] == verdict]
        if name in logged and verdict != "failed":
            yield Link(name, "failed", [*cases, logged[name]], [logged[name]], shown_by="its own log")
            continue
        # What its own TLS can do is DEV-9's business: another one's scan, of the same line, doesn't show it.
        doubtful = any(case.requirement == "DEV-9" and said[case.id] == "unproven" for case in decisive)
        shown = verdict in {"blocked", "unproven"} and told.shows(name, verdict) and not doubtful
        if shown:  # what of its own fails all the same is no part of scanning
            verdict = (
                "advice" if any(case.key == copier.key and case.verdict == "failed" for case in cases) else "passed"
            )
        by = "a scan that arrived" if shown else ""
        threat = _threat(decisive[0], run) if verdict == RISK else ""
        yield Link(name, verdict, cases, decisive, shown_by=by, threat=threat, needed=bool(wanted))


def _threat(case: Case, run: Whole) -> str:
    """Return what a case that does not hold may do to mail, which it stops as yet from nothing."""
    if case.requirement == "TEN-6":
        return "its sender's password expires, and no scan is sent from then on"
    if case.requirement == "LOG-3":
        return "its settings were changed while this suite was signed in, so that the next scan may go otherwise"
    told = [seen.facts(Alignment) for seen in Seen(case, run).others("DNS-4") if seen.judged(Alignment)]
    policy = f" (the domain's DMARC policy is {told[0].policy})" if told and told[0].policy else ""
    where = "be refused, or put into Junk or quarantine" if "reject" in policy else "be put into Junk or quarantine"
    return f"mail from its subnet's public address may {where}{policy}"


class _Told:
    """What cases say of one copier."""

    def __init__(self, copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> None:
        self._copier, self._run, self._causes = copier, run, causes
        self._scanned = bearing.scanned(copier, run)
        proofs = run.by_part.get(("COV-2", copier.key), ())
        self._delivered = any(case.verdict == "passed" for case in proofs)
        self._waived: set[str] | None = None

    def shows(self, link: str, verdict: str) -> bool:
        """Whether a scan that arrived has passed a link that could not be looked at."""
        if self._scanned and (link in _PASSED_BY_ITS_OWN or (link == "logged" and verdict == "blocked")):
            return True
        return self._delivered and link in _PASSED_BY_A_SCAN

    def of(self, case: Case) -> str:
        """Return a case's verdict, as far as this copier goes."""
        match case.verdict:
            case "failed":
                return self._failed(case)
            case "waived" if case.blocked_by and not self._waived_roots & set(case.blocked_by):
                return "blocked" if self._own(case) else "unproven"
            case "blocked" if not self._own(case):  # tried from this machine, for all copiers
                return "unproven"
            case word:
                return word

    def _own(self, case: Case) -> bool:
        return case.key == self._copier.key

    def _failed(self, case: Case) -> str:
        kind = bearing.kind_of(case, self._causes)
        if case.requirement == "NET-4" and kind != "device-down":
            return "advice"  # there is a device, and what serves its pages is no part of scanning
        if case.requirement in {"NET-4", "INV-2"} and self._scanned:
            return "unproven"  # of what its scan came from, nothing is known any more
        if case.requirement == "DEV-1" or not bearing.concerns(case, self._copier.subnet, self._run, self._causes):
            return "unproven"
        # What is refused by nobody yet: a password before its last day, a setting that changed meanwhile, a mail that
        # SPF speaks against; unless DMARC has that rejected, and none was seen to arrive.
        later = kind == "password-expires" or case.requirement == "LOG-3"
        if later or (case.requirement == "DNS-2" and (kind != "dmarc" or self._delivered)):
            return RISK
        return "failed"

    @property
    def _waived_roots(self) -> set[str]:
        """The requirements that are waived themselves, of what this copier's chain is judged by."""
        if self._waived is None:
            asked = [pair for pairs in _wanted(self._copier, self._run).values() for pair in pairs]
            cases = [case for pair in asked for case in self._run.by_part.get(pair, ())]
            self._waived = {it.requirement for it in cases if it.verdict == "waived" and not it.blocked_by}
        return self._waived


def _verdict(cases: list[Case], said: Mapping[str, str]) -> str:
    """Return the gravest of what a link's blockers say; where these hold, what the others advise."""
    worst = min((said[case.id] for case in cases if case.level == "blocker"), key=_GRAVEST.index, default="")
    if worst in {"", "passed"}:
        others = [said[case.id] for case in cases if case.level != "blocker"]
        advised = [word for word in others if word in {"advice", "error", "waived"}]
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
