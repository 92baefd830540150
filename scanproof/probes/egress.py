"""Proof of egress: a mail service's door as seen from inside a subnet, and only from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scanproof.devices.scans import NO_SCAN, scan
from scanproof.evidence import Egress, SeenAddress
from scanproof.hostfirewall.probe import stopping
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.obstacle import Block, Glance
from scanproof.probes.smtp import door
from scanproof.remedies import OWN_RULE
from scanproof.routes import agree
from scanproof.site import SUBMISSION_PORT
from scanproof.subjects import DoorSubject, NetSubject, Path
from scanproof.vantage.standing import from_inside, outside, own_address

if TYPE_CHECKING:
    from datetime import datetime

    from scanproof.gather import Run
    from scanproof.vantage.standing import Standing


@probe(Egress, deadline=120)
async def egress(path: Path, run: Run) -> Egress:
    """See a door from inside a subnet: by this machine's own interface there, or by a host there over SSH."""
    return await from_inside(path.subnet, run, lambda where: _seen(path, where, run))


async def _seen(path: Path, where: Standing, run: Run) -> Egress:
    seen = await run.gather(door, DoorSubject(path.service, where.via))
    if where.via and seen.trouble_kind == "unresolved":
        raise Unproven(
            f"{path.service.host} does not resolve at {where.source}, so no connection was tried",
            "see EGR-4 of this subnet, and the name server of that host",
            "EGR-4",
        )
    if where.via:
        own = await own_address(where, path.subnet, path.service.host, path.service.port, run)
        return Egress(source=own or where.source, grade="same-subnet" if own else "forwarded", door=seen, via=where.via)
    own = seen.local.rpartition(":")[0].strip("[]")
    if outside(path.subnet, own):
        raise Unproven(
            f"the connection left from {own}, which is not in {path.subnet.prefix}, though {where.source} here is",
            "disconnect the other network for this run, or run from a machine that has this subnet alone",
        )
    own_rules = () if seen.reached else await stopping(path.service.key, run)
    # Over IPv4 no router can have said so (over IPv6: RFC 4443 §3.1, code 1).
    if seen.trouble_kind == "prohibited" and not own_rules and not seen.tried.startswith("["):
        raise Unproven(f"this machine's own system does not let it out: {seen.trouble}", OWN_RULE)
    return Egress(source=where.source, grade="same-subnet", door=seen, own_rules=own_rules)


@probe(Egress, deadline=120)
async def dialogue(path: Path, run: Run) -> Egress:
    """See what a door said to a subnet; there must have been a connection and a banner."""
    seen = await run.gather(egress, path, there=True)
    if not seen.reached:
        raise Blocked(_stands_for(seen), seen.seen)
    return seen


def _stands_for(seen: Egress) -> str:
    """Return the requirement that stands for a door that was not reached: this machine's own, if its rule stops it."""
    if seen.own_rules:
        return "HOST-1"
    return "EGR-1" if seen.door.port == SUBMISSION_PORT else "EGR-2"


@probe(Block, deadline=700)
async def block(path: Path, run: Run) -> Block:
    """Tell whether a subnet gets through to a door: by a copier's own mail, or by a look from inside.

    Where something is in the way, other places are compared: other ports of the subnet, other subnets, a place outside
    the site.
    """
    (by, at), lacks = await _delivered(path, run)
    try:
        own = await run.gather(egress, path, there=True)
    except Unproven as away:
        if not by:
            raise Unproven(away.reason, away.remedy, away.lacks or lacks) from None
        return Block(subnet=path.subnet.prefix, own=None, by_copier=by, delivered=at)
    if own.reached:
        return Block(subnet=path.subnet.prefix, own=own, by_copier=by, delivered=at)
    others = [
        Path(subnet, service)
        for subnet in run.site.subnets
        for service in dict.fromkeys(run.site.services.values())
        if (subnet.prefix, service.key) != (path.subnet.prefix, path.service.key)
    ]
    controls = [table.name for table in run.site.file.vantage if table.role == "control"]
    seen = await asyncio.gather(
        *(_glance(other, run) for other in others), *(_from_outside(name, path, run) for name in controls)
    )
    found = tuple(it for it in seen if it is not None)
    return Block(subnet=path.subnet.prefix, own=own, by_copier=by, delivered=at, others=found)


async def _delivered(path: Path, run: Run) -> tuple[tuple[str, datetime | None], str]:
    """Name the copier of a subnet whose scan was the last to be delivered through a door, in whatever folder.

    Returns:
        It with the moment, and the kind of cause for which no mail could be looked at; empty for neither.
    """
    if run.network.vantage.lab == "loopback":
        return ("", None), ""  # nothing there could have kept it from being delivered
    lacks, found = "", []
    for copier in run.site.copiers:
        if copier.subnet == path.subnet.prefix and run.site.services[copier.route] == path.service:
            try:
                seen = await run.gather(scan, copier)
            except Unproven as unseen:
                lacks = lacks or (unseen.lacks if unseen.lacks != NO_SCAN else "")
                continue
            except Blocked:
                continue
            if seen.received and agree(seen.signs, copier.route) and not seen.doubted:
                found.append((seen.received, f"a scan of {copier.label} of {seen.received:%Y-%m-%d %H:%M} UTC"))
    at, by = max(found, default=(None, ""))
    return (by, at), "" if by else lacks


async def _glance(path: Path, run: Run) -> Glance | None:
    try:
        seen = await run.gather(egress, path)
    except (Unproven, Blocked):
        return None
    return Glance(
        subnet=path.subnet.prefix,
        name=path.subnet.label,
        service=path.service.key,
        port=path.service.port,
        reached=seen.reached,
    )


async def _from_outside(name: str, path: Path, run: Run) -> Glance | None:
    try:
        seen = await run.gather(door, DoorSubject(path.service, name))
    except (Unproven, Blocked):
        return None
    return Glance(
        subnet="",
        name=name,
        service=path.service.key,
        port=path.service.port,
        reached=seen.ready,
    )


@probe(SeenAddress, deadline=120)
async def seen_address(subject: NetSubject, run: Run) -> SeenAddress:
    """Learn the public address that the mail service sees a subnet by: its EHLO reply names it."""
    last: Egress | None = None
    for service in dict.fromkeys(run.site.services.values()):
        last = await run.gather(egress, Path(subject.subnet, service), there=True)
        if last.door.seen_as:
            return SeenAddress(address=last.door.seen_as, by=service.key, source=last.source, grade=last.grade)
    if last is None:
        raise Unproven("the site has no route, so no service to ask", "state [mail] routes in site.toml")
    raise Blocked(_stands_for(last), last.seen)
