"""Proof of egress: a mail service's door as seen from inside a subnet, and only from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from scanproof.devices.scans import scan
from scanproof.evidence import Egress, SeenAddress
from scanproof.hostfirewall.probe import host_rules
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.obstacle import Block, Glance
from scanproof.probes.smtp import door
from scanproof.routes import agree
from scanproof.site import SUBMISSION_PORT
from scanproof.subjects import DoorSubject, Machine, NetSubject, Path
from scanproof.vantage.standing import outside, standing

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Subnet
    from scanproof.vantage.standing import Standing


@probe(Egress, deadline=120)
async def egress(path: Path, run: Run) -> Egress:
    """See a door from inside a subnet: by this machine's own interface there, or by a host there over SSH."""
    where = await standing(path.subnet, run)
    seen = await run.gather(door, DoorSubject(path.service, where.via))
    own = await _own_address(where, path, run) if where.via else seen.local.rpartition(":")[0].strip("[]")
    if (seen.reached or where.via) and outside(path.subnet, own):
        raise Unproven(
            f"connections leave from {own}, which is not in {path.subnet.prefix}, though {where.source} is",
            "disconnect its other network for this run, or run from a machine that has this subnet alone",
        )
    grade: Literal["same-subnet", "forwarded"] = "same-subnet" if own or not where.via else "forwarded"
    if grade == "forwarded":
        _stands_there(where, path.subnet)
    own_rules = () if seen.reached or where.via else await _own_rules(path, run)
    return Egress(source=own or where.source, grade=grade, door=seen, own_rules=own_rules)


async def _own_address(where: Standing, path: Path, run: Run) -> str:
    """Ask a host for the address by which it connects there itself; empty where it has nothing to tell it with."""
    from scanproof.vantage.ssh import FarNetwork  # noqa: PLC0415 - loaded only where a host is reached over SSH

    assert isinstance(where.network, FarNetwork)
    async with run.wire(where.via):
        return await where.network.source(path.service.host, path.service.port)


def _stands_there(where: Standing, subnet: Subnet) -> None:
    """Give up where nothing shows that a host which doesn't tell its source stands in the subnet.

    Raises:
        Unproven: its own address is another network's.
    """
    address = next(iter(where.network.vantage.addresses), "")
    if outside(subnet, address):
        raise Unproven(
            f"{where.source} has no address in {subnet.prefix}, and no python3 to tell from where it connects",
            "name a host by its address in that subnet, or one that has python3",
        )


async def _own_rules(path: Path, run: Run) -> tuple[str, ...]:
    """Return the rules of this machine's own firewall that stop it; none where those can't be read."""
    try:
        return (await run.gather(host_rules, Machine(run.site.machine))).of(path.service.key)
    except (Blocked, Unproven):
        return ()


@probe(Egress, deadline=120)
async def dialogue(path: Path, run: Run) -> Egress:
    """See what a door said to a subnet; there must have been a connection and a banner."""
    seen = await run.gather(egress, path, there=True)
    if not seen.reached:
        raise Blocked("EGR-1" if path.service.port == SUBMISSION_PORT else "EGR-2", seen.door.seen)
    return seen


@probe(Block, deadline=700)
async def block(path: Path, run: Run) -> Block:
    """Tell whether a subnet gets through to a door: by a copier's own mail, or by a look from inside.

    Where something is in the way, other places are compared: other ports of the subnet, other subnets, a place outside
    the site.
    """
    by = await _delivered(path, run)
    try:
        own = await run.gather(egress, path, there=True)
    except Unproven:
        if not by:
            raise
        return Block(subnet=path.subnet.prefix, own=None, by_copier=by)
    if own.reached:
        return Block(subnet=path.subnet.prefix, own=own, by_copier=by)
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
    return Block(subnet=path.subnet.prefix, own=own, by_copier=by, others=found)


async def _delivered(path: Path, run: Run) -> str:
    """Name a copier of a subnet whose scan was delivered through a door since the last change, in whatever folder."""
    if run.network.vantage.lab == "loopback":
        return ""  # nothing there could have kept it from being delivered
    for copier in run.site.copiers:
        if copier.subnet == path.subnet.prefix and run.site.services[copier.route] == path.service:
            try:
                seen = await run.gather(scan, copier)
            except (Unproven, Blocked):
                continue
            if seen.received and agree(seen.signs, copier.route):
                return f"a scan of {copier.label} of {seen.received:%Y-%m-%d %H:%M} UTC"
    return ""


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
        reached=seen.reached and seen.banner is not None,
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
    raise Blocked("EGR-1" if last.door.port == SUBMISSION_PORT else "EGR-2", last.door.seen)
