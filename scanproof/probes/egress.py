"""Proof of egress: a mail service's door as seen from inside a subnet, and only from there."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from scanproof.evidence import Egress, SeenAddress
from scanproof.hostfirewall.probe import host_rules
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.probes.dns import inside
from scanproof.probes.smtp import door
from scanproof.site import SUBMISSION_PORT
from scanproof.subjects import DoorSubject, Machine, NetSubject, Path

if TYPE_CHECKING:
    from scanproof.gather import Run


@probe(Egress, deadline=120)
async def egress(path: Path, run: Run) -> Egress:
    """See a door from inside a subnet, by this machine's own interface there."""
    source = inside(NetSubject(path.subnet), run)
    seen = await run.gather(door, DoorSubject(path.service))
    own = seen.local.rpartition(":")[0].strip("[]")
    if seen.reached and ipaddress.ip_address(own) not in ipaddress.ip_network(path.subnet.prefix):
        raise Unproven(
            f"the connection left from {own}, which is not in {path.subnet.prefix}, though {source} of this machine is",
            "disconnect the other network for this run, or run from a machine that has this subnet alone",
        )
    own_rules = () if seen.reached else await _own_rules(path, run)
    return Egress(source=source, grade="same-subnet", door=seen, own_rules=own_rules)


async def _own_rules(path: Path, run: Run) -> tuple[str, ...]:
    """Return the rules of this machine's own firewall that stop it; none where those can't be read."""
    try:
        return (await run.gather(host_rules, Machine(run.site.machine))).of(path.service.key)
    except (Blocked, Unproven):
        return ()


@probe(Egress, deadline=120)
async def dialogue(path: Path, run: Run) -> Egress:
    """See what a door said to a subnet; there must have been a connection and a banner."""
    seen = await run.gather(egress, path)
    if not seen.door.reached or seen.door.banner is None:
        raise Blocked("EGR-1" if path.service.port == SUBMISSION_PORT else "EGR-2", seen.door.seen)
    return seen


@probe(SeenAddress, deadline=120)
async def seen_address(subject: NetSubject, run: Run) -> SeenAddress:
    """Learn the public address that the mail service sees a subnet by: its EHLO reply names it."""
    last: Egress | None = None
    for service in dict.fromkeys(run.site.services.values()):
        last = await run.gather(egress, Path(subject.subnet, service))
        if last.door.seen_as:
            return SeenAddress(address=last.door.seen_as, by=service.key, source=last.source, grade=last.grade)
    if last is None:
        raise Unproven("the site has no route, so no service to ask", "state [mail] routes in site.toml")
    raise Blocked("EGR-1" if last.door.port == SUBMISSION_PORT else "EGR-2", last.door.seen)
