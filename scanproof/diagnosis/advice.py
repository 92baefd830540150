"""Which routes would work for a copier or subnet: today, and after what Microsoft has announced; encrypted first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from scanproof import retirements
from scanproof.devices.facts import Identity
from scanproof.devices.handshake import OLD
from scanproof.devices.rules import same_line
from scanproof.diagnosis import bearing
from scanproof.diagnosis.model import Seen
from scanproof.evidence import WebPage
from scanproof.sitefile import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scanproof.diagnosis.model import Cause, Whole
    from scanproof.judged import Case
    from scanproof.site import Copier, Subnet

ROUTES: tuple[Route, ...] = ("smtp-auth", "relay", "direct-send")  # encrypted first; then what names the site
assert set(ROUTES) == set(get_args(Route))
MOST = 200  # characters of what a case observed
TIMES = ("today", "end_of_2026", "basic_gone")


@dataclass(frozen=True)
class Outlook:
    """Whether a route works at one time: ``yes``, ``no``, ``on condition`` or ``unproven``, and why."""

    works: str
    why: str

    def as_json(self) -> dict[str, str]:
        """Return it as it stands in run.json."""
        return {"works": self.works, "why": self.why}


class Need(NamedTuple):
    """What a route needs, the cases that show it, and what to say where there are none."""

    what: str
    cases: list[Case]
    untold: str = "not judged in this run"


def advise(run: Whole, causes: Mapping[str, Cause], *, whole: bool) -> list[dict[str, Any]]:
    """Return the advice for every subnet and copier, as it stands in run.json.

    Args:
        run: the judged run.
        causes: the cause of each case that has one, by the case's id.
        whole: whether all cases of the plan were judged; else nothing is said to work.
    """
    if not whole:
        return []
    subnets = {subnet.prefix: subnet for subnet in run.site.subnets}
    advice = [_of_subnet(subnet, run, causes) for subnet in run.site.subnets]
    return [*advice, *(_of_copier(copier, subnets[copier.subnet], run, causes) for copier in run.site.copiers)]


def _of_subnet(subnet: Subnet, run: Whole, causes: Mapping[str, Cause]) -> dict[str, Any]:
    sender = run.site.file.sender[0].address if run.site.file.sender else ""
    proven = any(case.verdict == "passed" for case in run.by_part.get(("COV-1", subnet.prefix), ()))
    outlooks = {}
    for route in ROUTES:
        shown = "a scan arrived by it" if proven and route == subnet.route else ""
        now = _today(route, _asked(route, subnet, sender, run), shown, _Bearing(subnet.prefix, run, causes))
        outlooks[route] = _over_time(now, route, sender, run)
    return _advice("subnet", subnet.prefix, subnet.label, subnet.route, outlooks)


def _of_copier(copier: Copier, subnet: Subnet, run: Whole, causes: Mapping[str, Cause]) -> dict[str, Any]:
    sender = copier.sender or ""
    outlooks = {}
    for route in ROUTES:
        asked = [*_asked(route, subnet, sender, run), *_own(copier, route, run, causes)]
        shown = _delivered(copier, run) if route == copier.route else ""
        now = _today(route, asked, shown, _Bearing(subnet.prefix, run, causes))
        outlooks[route] = _over_time(now, route, sender, run)
    first = ""
    if bearing.silent(copier, run, causes) and not bearing.scanned(copier, run):
        first = "first make it answer (NET-4): of a copier that does not, no route is shown"
    elif "egress" in bearing.logged(copier, run, causes):
        first = "first let its own address out as its subnet's others (LOG-2): for it, no way out is shown"
    old = bool(_old_tls(copier, run))
    return _advice("copier", copier.key, copier.label, copier.route, outlooks, first=first, stays=not old)


def _advice(
    kind: str,
    key: str,
    label: str,
    uses: Route,
    outlooks: dict[Route, dict[str, Outlook]],
    *,
    first: str = "",
    stays: bool = True,
) -> dict[str, Any]:
    """Return what is advised of a subnet or copier.

    Args:
        kind: ``subnet`` or ``copier``.
        key: its key.
        label: what it is called.
        uses: its route as stated.
        outlooks: whether each route works, at each time.
        first: what to do before any route is chosen.
        stays: whether its encrypted route is kept while nothing speaks against it.
    """
    route, why = (None, first) if first else _choose(uses, outlooks, stays=stays)
    if route and route != "smtp-auth":
        why += f"; {_LOSES[route]}"
    if route and outlooks[route]["basic_gone"].works == "no" and outlooks[route]["today"].works != "no":
        lasting = [one for one in ROUTES if one != route and outlooks[one]["basic_gone"].works == "yes"]
        then = f", or {lasting[0]}, which is not encrypted for sure" if lasting else ""
        why += f"; {outlooks[route]['basic_gone'].why}{then}"
    return {
        "kind": kind,
        "name": key,
        "label": label,
        "uses": uses,
        "advice": route,
        "why": why,
        "routes": [
            {
                "route": one,
                "encrypted": one == "smtp-auth",  # on port 25 TLS is taken where the device offers it, and not demanded
                **{time: outlooks[one][time].as_json() for time in TIMES},
            }
            for one in ROUTES
        ],
    }


# On port 25, TLS is taken where the device offers it, and not demanded (RFC 3207 §4.1).
_OPEN_TO_READ = "on port 25 mail may cross unencrypted, and nothing signs in"
_LOSES = {"relay": _OPEN_TO_READ, "direct-send": f"{_OPEN_TO_READ}; and it reaches recipients of this tenant alone"}


def _choose(uses: Route, outlooks: dict[Route, dict[str, Outlook]], *, stays: bool) -> tuple[Route | None, str]:
    """Choose a route: the encrypted one if it works; the stated one if a setting alone keeps it back; else what works.

    A route is not left for what one command mends, nor the encrypted one for what was merely not shown.
    """
    today = {one: outlooks[one]["today"] for one in ROUTES}
    if today["smtp-auth"].works == "yes":
        return "smtp-auth", "it works today"
    if today[uses].works == "on condition":
        return uses, today[uses].why
    if uses == "smtp-auth" and today[uses].works == "unproven" and stays:
        return None, f"nothing speaks against {uses}, which is encrypted: prove that first (see its reason)"
    for word in ("yes", "on condition"):
        for one in ROUTES:
            if today[one].works == word:
                return one, "it works today" if word == "yes" else today[one].why
    return None, "none is shown to work: see each route's reason"


def _asked(route: Route, subnet: Subnet, sender: str, run: Whole) -> Iterator[Need]:
    """Yield what a route needs of network, names and tenant: what that is, and its cases."""
    site = run.site
    if route not in site.services:
        yield Need("a route of this site", [])
        return
    service, public = site.services[route], subnet.public_address or subnet.prefix
    path = f"{subnet.prefix}++{service.host}"
    signs = route == "smtp-auth"
    yield Need(f"the way to {service.key}", run.by_part.get(("EGR-1" if signs else "EGR-2", path), []))
    yield Need("an undisturbed dialogue", run.by_part.get(("EGR-3", path), []))
    yield Need("names that resolve", run.by_part.get(("EGR-4", subnet.prefix), []))
    if signs:
        yield Need("the sender's sign-in", run.by_part.get(("SMTP-1", sender), []))
        yield Need("Conditional Access from there", run.by_part.get(("TEN-4", f"{sender}++{public}"), []))
    elif route == "direct-send":
        yield Need("SPF for its public address", run.by_part.get(("DNS-2", f"{site.file.mail.domain}++{public}"), []))
        yield Need("a tenant that takes it", run.by_part.get(("TEN-8", site.file.mail.domain), []))
    else:
        yield Need("a connector for its public address", run.by_part.get(("TEN-10", public), []))
    yield Need("a service that takes its mail", run.by_part.get(("SMTP-2", f"{sender}++{route}"), []))
    arriving = [case for case in run.by_part.get(("DLV-1", sender), ()) if f"++{route}++" in case.key]
    yield Need("test mails that arrive", arriving)


_OWN_WAY = "a way out for its own address"
_OPTIONAL = ("Conditional Access from there",)  # not asked of a sender that signs in by OAuth


def _own(copier: Copier, route: Route, run: Whole, causes: Mapping[str, Cause]) -> Iterator[Need]:
    """Yield what the device itself must be able to do; what it is set to is for somebody to enter."""
    if bearing.silent(copier, run, causes) and not bearing.scanned(copier, run):
        yield Need("an answer from the copier itself", [], "NET-4: it gives none")
    logged = bearing.logged(copier, run, causes)
    if (failed := logged.get("egress")) and route == copier.route:
        yield Need(_OWN_WAY, [failed])
    elif failed:
        yield Need(_OWN_WAY, [], f"LOG-2: likely a rule for it alone, at {run.site.services[copier.route].key}")
    if bearing.unexplained_failures(copier, run, causes):
        yield Need(_OWN_WAY, [], "LOG-2: scans of it failed, and it is not known why")
    if route != "smtp-auth":
        return
    if failed := logged.get("tls"):
        yield Need("TLS of today", [failed])
    able = run.by_part.get(("DEV-9", copier.key), [])
    if not able:  # another one of its model and firmware line that is judged, since it signs in
        kin = [it.key for it in run.site.copiers if it.model and it.model == copier.model and _alike(it, copier, run)]
        able = [case for key in kin for case in run.by_part.get(("DEV-9", key), []) if case.verdict == "passed"][:1]
    if old := _old_tls(copier, run):
        yield Need("TLS of today", [], f"its own port 443 knows nothing newer than {old}")
    else:
        yield Need("TLS of today, which this model was not seen to speak", able)


def _alike(one: Copier, other: Copier, run: Whole) -> bool:
    """Tell whether two copiers are known to have firmware of one line, as DEV-9 asks it of those that it compares."""
    return same_line(_firmware(one, run), _firmware(other, run))


def _firmware(copier: Copier, run: Whole) -> str:
    known = [seen for case in run.by_part.get(("INV-2", copier.key), ()) for seen in Seen(case, run).every(Identity)]
    return known[0].firmware if known else ""


def _old_tls(copier: Copier, run: Whole) -> str:
    """Return the newest TLS that a copier's own port 443 knows, where that is an old one."""
    pages = [page for case in run.by_part.get(("NET-3", copier.key), ()) for page in Seen(case, run).every(WebPage)]
    return next((page.tls.version for page in pages if page.tls and page.tls.version in OLD), "")


def _delivered(copier: Copier, run: Whole) -> str:
    own = any(case.verdict == "passed" for case in run.by_part.get(("DLV-2", copier.key), ()))
    if own:
        return "its own scan arrived by it"
    kin = any(case.verdict == "passed" for case in run.by_part.get(("COV-2", copier.key), ()))
    return "a scan of its kind arrived by it (COV-2)" if kin else ""


# What an administrator can allow at any time; a firewall's rule or a device's TLS is not his to change.
_ALLOWED_BY_SOMEBODY = frozenset({"tenant", "dns"})


@dataclass(frozen=True)
class _Bearing:
    """What cases say of one subnet's copiers."""

    subnet: str
    run: Whole
    causes: Mapping[str, Cause]

    def against(self, case: Case) -> bool:
        """Whether a case shows that a route does not work: what this machine could not try shows nothing of others."""
        if case.verdict == "passed" or not bearing.concerns(case, self.subnet, self.run, self.causes):
            return False
        if case.verdict == "blocked":
            return self.mended_by_somebody(case)
        return case.verdict in {"failed", "advice"} or (case.verdict == "waived" and not case.blocked_by)

    def mended_by_somebody(self, case: Case) -> bool:
        """Whether an administrator's setting is all that stands in the way."""
        return case.id in self.causes and self.causes[case.id].layer in _ALLOWED_BY_SOMEBODY


def _today(route: Route, asked: Iterable[Need], shown: str, bears: _Bearing) -> Outlook:
    """Weigh what a route needs: a scan that arrived shows what is unproven, and can't speak against what fails now."""
    refuted: list[Case] = []
    unknown: list[str] = []
    for what, cases, untold in asked:
        against = [case for case in cases if bears.against(case)]
        refuted += against[:1]
        optional = what in _OPTIONAL and not cases
        if not against and not optional and not (cases and all(case.verdict == "passed" for case in cases)):
            names = ", ".join(dict.fromkeys(case.requirement for case in cases)) or untold
            unknown.append(f"{what} ({names})")
    if refuted and all(bears.mended_by_somebody(case) for case in refuted):
        behind = dict.fromkeys(bears.causes[case.id].title for case in refuted)
        rest = f"; and not shown: {'; '.join(unknown)}" if unknown and not shown else ""
        return Outlook("on condition", f"once this is settled: {'; '.join(behind)}{rest}")
    if refuted:
        return Outlook("no", "; ".join(f"{case.requirement}: {_cut(case.observed)}" for case in refuted))
    if unknown and not shown:
        return Outlook("unproven", f"not shown: {'; '.join(unknown)}")
    limits = "; it reaches recipients of this tenant alone" if route == "direct-send" else ""
    return Outlook("yes", f"{shown or 'all that it needs holds'}{limits}")


def _cut(said: str) -> str:
    return said if len(said) <= MOST else f"{said[:MOST].rsplit(' ', 1)[0]} …"


def _over_time(now: Outlook, route: Route, sender: str, run: Whole) -> dict[str, Outlook]:
    """Return what becomes of a route: the end of sign-ins by password concerns smtp-auth alone."""
    basic = any(it.address == sender and it.auth == "basic" for it in run.site.file.sender)
    if route != "smtp-auth" or not basic:
        return dict.fromkeys(TIMES, now)
    off, gone = retirements.BASIC
    later = now
    if now.works in {"yes", "on condition"}:
        first = f"{now.why}; and " if now.works == "on condition" else ""
        later = Outlook("on condition", f"{first}{off.when} Basic is {off.what} ({retirements.SOURCE})")
    end = f"{gone.when} Basic ends; {gone.what}. Then OAuth, where the copiers' firmware has it, or another route"
    return {"today": now, "end_of_2026": later, "basic_gone": Outlook("no", end)}
