"""What the scans that arrived prove: of a subnet, and of the copiers of which nobody scanned."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from scanproof import remedies
from scanproof.devices import rules
from scanproof.devices.facts import Scan
from scanproof.devices.handshake import OLD
from scanproof.devices.identity import identity
from scanproof.devices.logs import own_log
from scanproof.devices.readings import email_settings
from scanproof.devices.scans import DOUBLED, NO_SCAN, not_read, scan
from scanproof.kinds import Blocked, Facts, Unproven, probe
from scanproof.probes.egress import egress
from scanproof.probes.web import https_page
from scanproof.routes import agree
from scanproof.subjects import NetSubject, Path

if TYPE_CHECKING:
    from scanproof.devices.facts import EmailSettings, Identity
    from scanproof.gather import Run
    from scanproof.site import Copier


class SubnetProof(Facts):
    """Which copiers of a subnet are proven by a scan that arrived, and which scans did not arrive well."""

    proven: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()  # copier, and what is wrong with its scan

    @property
    def seen(self) -> str:
        """What was found, in words."""
        said = [f"proven by a scan of {', '.join(self.proven)}"] if self.proven else []
        return "; ".join([*said, *self.wrong])


class RouteProof(Facts):
    """By whose scan a copier's route is proven, and what is wrong with its own."""

    by: str = ""  # "its own scan", or another one's name
    wrong: str = ""
    own: Scan | None = None  # its newest
    grade: str = "from-copier"  # of the weakest part

    @property
    def seen(self) -> str:
        """What was found, in words."""
        return self.wrong or f"shown by {self.by}"


class EncryptedRoute(Facts):
    """By which routes the copiers of a subnet send, and what is known of the way to the submission host."""

    others: tuple[str, ...] = ()  # route, and how many copiers send by it without encryption being a must
    way: str = ""
    open: bool | None = None  # whether the way is; None where nobody looked

    @property
    def remedy(self) -> str:
        """What to do, by what was seen."""
        if self.open is None:
            return "see EGR-1 of this subnet first: whether port 587 is open there"
        if not self.open:
            return "have port 587 opened for it, if its copiers can do TLS and sign in"
        return "move its copiers to smtp-auth, if they can do TLS and sign in in a way that lasts (TEN-9)"

    @property
    def seen(self) -> str:
        """What was found, in words."""
        return "; ".join([*self.others, *([self.way] if self.way else [])]) or "all by smtp-auth"


@probe(SubnetProof, deadline=700)
async def subnet_proof(subject: NetSubject, run: Run) -> SubnetProof:
    """Look at the newest scan of each copier of a subnet."""
    copiers = [it for it in run.site.copiers if it.subnet == subject.key]
    found = await asyncio.gather(*(_newest(it, run) for it in copiers), return_exceptions=True)
    proven, wrong, unread = list[str](), list[str](), list[Unproven | Blocked]()
    for copier, seen in zip(copiers, found, strict=True):
        if isinstance(seen, (Unproven, Blocked)):
            unread.append(seen)
        elif isinstance(seen, BaseException):
            raise seen
        elif why := wrong_with(seen, copier):
            wrong.append(f"{copier.label}: {why}")
        else:
            proven.append(f"{copier.label} of {seen.received:%Y-%m-%d %H:%M} UTC" if seen.received else copier.label)
    if not proven and not wrong:
        unread.sort(key=lambda it: not isinstance(it, _NoProofError))  # a scan that is there tells more than none
        raise next(iter(unread), Unproven("no copier of this subnet is in scope", "see the fleet list"))
    return SubnetProof(proven=tuple(proven), wrong=tuple(wrong))


class _NoProofError(Unproven):
    """A scan that arrived and proves nothing: it could not be looked into, or later ones failed."""


async def _newest(copier: Copier, run: Run) -> Scan:
    seen = await run.gather(scan, copier)
    if seen.unread and not wrong_with(seen, copier):
        raise _NoProofError(
            f"its attachment was not opened: {seen.unread}",
            "grant Mail.Read (requirements --permissions)",
            seen.unread_lacks,
        )
    if seen.doubted and not wrong_with(seen, copier):
        raise _NoProofError(f"{seen.place}; {seen.doubted}", remedies.SCAN_AGAIN)
    return seen


def wrong_with(seen: Scan, copier: Copier) -> str:
    """Say what keeps a scan from proving a copier's route; empty where nothing does."""
    if seen.folder != "Inbox" or not agree(seen.signs, copier.route):
        return seen.seen
    return "" if seen.pages or seen.unread else seen.seen


@probe(RouteProof, deadline=700)
async def route_proof(copier: Copier, run: Run) -> RouteProof:
    """Look for a delivery by a copier's route from it, else from one of its model, firmware, sender and subnet.

    Another one's scan shows that the network and this kind of device are able to; that this one is set likewise must be
    shown by its own settings.
    """
    try:
        seen = await _newest(copier, run)
    except (Unproven, Blocked) as none:
        if isinstance(none, _NoProofError):
            raise
        settings = await run.gather(email_settings, copier)
        found = await run.gather(identity, copier)
        for requirement, problem in _problems(settings, found, copier, run):
            raise Blocked(requirement, problem) from None
        if failed := await _ends_in_trouble(copier, run):
            raise Unproven(
                f"whatever another one's scan shows, its own log ends in {failed}",
                remedies.SCAN_AGAIN,
            ) from None
        if against := await _old_tls(copier, run):
            raise Unproven(against, none.remedy if isinstance(none, Unproven) else _SCAN) from none
        if other := await _kin(copier, run):
            by = f"a scan of {other.label}, of the same model and firmware line"
            return RouteProof(by=by, grade=settings.grade or "from-copier")
        if error := await not_read(copier, run):
            raise error from none
        lacks = getattr(none, "lacks", "")
        if lacks == DOUBLED:  # there is one, and only whose it is can't be told
            raise Unproven(none.reason, none.remedy, lacks) from none
        sender = f" that sends as {copier.sender}" if copier.sender else ""
        raise Unproven(
            "no scan since the last change from it, nor from one of its model and firmware line in "
            f"{copier.subnet}{sender}",
            "make a scan from it, or from one of its kind in its subnet; pytest --attended walks you there",
            "" if lacks == NO_SCAN else lacks,  # that nobody was asked to scan from it is nothing to put right
        ) from none
    return RouteProof(by="its own scan", wrong=wrong_with(seen, copier), own=seen)


def _problems(settings: EmailSettings, found: Identity, copier: Copier, run: Run) -> list[tuple[str, str]]:
    """Return what is wrong with what decides whether it sends as its kin does, by requirement.

    Raises:
        Unproven: the device does not show all of it.
    """
    names = ["host", "port", "auth", *(["ssl", "user"] if copier.route == "smtp-auth" else [])]
    if lacks := settings.absent(*names) or rules.from_untold(settings, copier):
        raise Unproven(lacks, _SCAN)
    wrong = [
        ("INV-2", "; ".join(part for part in (rules.other_certificate(found), *rules.same(found, copier)) if part)),
        ("DEV-2", rules.host_wrong(settings, copier, run.site)),
        ("DEV-3", "; ".join(rules.port_wrong(settings, copier, run.site))),
        ("DEV-4", "; ".join(rules.auth_wrong(settings, copier))),
        ("DEV-5", "; ".join(rules.from_wrong(settings, copier, run.site))),
        ("DEV-13", "; ".join(rules.names_wrong(found, copier, run.site))),
    ]
    if problems := [(requirement, problem) for requirement, problem in wrong if problem]:
        return problems
    if untold := rules.hidden_certificate(found) or ("" if rules.recognised(found, copier) else found.seen):
        raise Unproven(f"whether it is the listed device is not known (INV-2): {untold}", _SCAN)
    if not found.name_servers:
        raise Unproven(f"where it resolves names is not known (DEV-13): {found.names_seen}", _SCAN)
    return []


async def _old_tls(copier: Copier, run: Run) -> str:
    """Say that a device shows only old TLS of itself, which another one's scan can't settle; else nothing."""
    tls = None
    with contextlib.suppress(Unproven, Blocked):
        tls = (await run.gather(https_page, copier)).tls
    if copier.route == "smtp-auth" and tls and tls.version in OLD:
        return (
            f"no scan from it since the last change; on its port 443 it speaks {tls.version}, so its mail may know "
            "nothing newer, whatever another one's does"
        )
    return ""


_SCAN = "make a scan from it: its own mail shows it better than its settings"


async def _ends_in_trouble(copier: Copier, run: Run) -> str:
    """Return the last e-mail of a device's own log since the last change, where it failed or may have; else nothing."""
    try:
        return (await run.gather(own_log, copier)).ends_in_trouble
    except (Unproven, Blocked):
        return ""


async def _kin(copier: Copier, run: Run) -> Copier | None:
    def told(it: Copier) -> tuple[str | None, ...]:  # a scan as one sender shows nothing of another's sign-in
        return it.subnet, it.route, it.sender, it.model

    alike = [it for it in run.site.copiers if told(it) == told(copier) and it.key != copier.key]
    for other in alike if copier.model else ():
        try:
            seen = await _newest(other, run)
            line, others = (await run.gather(identity, copier)).firmware, (await run.gather(identity, other)).firmware
        except (Unproven, Blocked):
            continue
        if not wrong_with(seen, other) and rules.same_line(line, others):
            return other
    return None


@probe(EncryptedRoute, deadline=200)
async def encrypted_route(subject: NetSubject, run: Run) -> EncryptedRoute:
    """See by which routes a subnet's copiers send; where not by the encrypted one, whether the way there is open."""
    routes = [it.route for it in run.site.copiers if it.subnet == subject.key and it.route != "smtp-auth"]
    if not routes:
        if not (await run.gather(subnet_proof, subject)).proven:
            raise Unproven("no scan by smtp-auth has arrived from it", "settle COV-1 of this subnet first")
        return EncryptedRoute()
    others = tuple(f"{routes.count(route)} copiers by {route}" for route in dict.fromkeys(routes))
    service = run.site.services.get("smtp-auth")
    if service is None:
        return EncryptedRoute(others=others, way="the site has no route that is encrypted")
    try:
        seen = await run.gather(egress, Path(subject.subnet, service), there=True)
    except (Unproven, Blocked) as error:
        return EncryptedRoute(others=others, way=f"whether it reaches {service.key} is not known: {error.reason}")
    if seen.reached:
        return EncryptedRoute(others=others, way=f"the way to {service.key} is open", open=True)
    blocked = f"it does not reach {service.key} (EGR-1): {seen.door.seen}"
    return EncryptedRoute(others=others, way=blocked, open=None if seen.own_rules else False)
