"""From where a subnet is seen: this machine where it has an address there, else a host there over SSH."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import importlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from scanproof.kinds import Unproven
from scanproof.network import Vantage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from scanproof.gather import Run
    from scanproof.network import Network
    from scanproof.site import Site, Subnet
    from scanproof.sitefile import VantageTable
    from scanproof.vantage.ssh import FarNetwork

T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """A place inside a subnet.

    Attributes:
        network: its way to the wire.
        via: the ``[[vantage]]`` it is reached by; empty for this machine.
        source: its own address in the subnet, or its name where that address isn't known.
    """

    network: Network
    via: str
    source: str


def stated(site: Site, here: Vantage) -> list[Vantage]:
    """Return the hosts that the site file names, as vantages; none where the lab has no network for them."""
    if here.lab == "loopback":
        return []
    return [
        Vantage(table.name, tuple(_address(table.ssh)), here.lab, table.role)
        for table in site.file.vantage
        if table.ssh
    ]


def _address(ssh: str) -> Iterator[str]:
    with contextlib.suppress(ValueError):
        yield str(ipaddress.ip_address(address_of(ssh)[1]))


def address_of(text: str) -> tuple[str, str, int]:
    """Return user, host and port of ``user@host``, ``host``, ``user@host:2222`` or ``user@[::1]:2222``."""
    user, at, place = text.rpartition("@")
    host, port = place, "22"
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        port = rest.lstrip(":") or port
    elif place.count(":") == 1:
        host, port = place.split(":")
    return user if at else getpass.getuser(), host, int(port)


async def from_inside(subnet: Subnet, run: Run, look: Callable[[Standing], Awaitable[T]]) -> T:
    """Look from a place inside a subnet; where nothing can be seen from there, from the next one that is stated.

    Args:
        subnet: the subnet.
        run: the run.
        look: sees something from a place.

    Raises:
        Unproven: there is none, so that nothing that can be seen proves anything about the subnet; or none can look.
    """
    vantage = run.network.vantage
    if vantage.lab == "loopback":
        raise Unproven(
            "the loopback lab has no routing and no firewall to prove egress with",
            "on Linux: scanproof demo --network namespaces",
        )
    source = vantage.inside(subnet)
    if source is not None:
        return await look(Standing(run.network, "", source))
    lost: list[Unproven] = []
    for table in run.site.file.vantage:
        if table.role == "site" and table.subnet == subnet.prefix:
            # A host that can't be reached, forwards nothing or isn't where it is stated to be hides no other one.
            try:
                network = await reached(table, run)
                run.stand(network.vantage)
                return await look(Standing(network, table.name, network.vantage.place))
            except Unproven as error:
                run.say("**", f"{table.name}: {error.reason}")
                lost.append(error)
    if lost:
        reasons = "; ".join(dict.fromkeys(error.reason for error in lost))
        raise Unproven(reasons, lost[0].remedy, lost[0].lacks)
    raise Unproven(
        f"no address of {vantage.name} is in this subnet, and a probe from elsewhere proves nothing about it",
        "name a host there as [[vantage]] (ssh), or run pytest --gather-only on a machine in that subnet, and judge "
        "that run here by --evidence",
    )


async def reached(table: VantageTable, run: Run) -> Network:
    """Return the way to the wire of a host that is reached over SSH, signed in to once a run.

    Raises:
        Unproven: it can't be reached.
    """
    if not table.ssh:
        raise Unproven(f"{table.name} states no ssh", 'state ssh = "user@host" under its [[vantage]]')

    async def sign_in() -> Network:
        # Takes a fifth of a second, and most runs have no such host.
        ssh = await asyncio.to_thread(importlib.import_module, "scanproof.vantage.ssh")
        network: FarNetwork = await ssh.reach(table, run.network)
        run.at_end(network.leave)
        return network

    return await run.once(f"vantage {table.name}", sign_in)


async def network_of(via: str, run: Run) -> Network:
    """Return a vantage's way to the wire by its name; this machine's own where it has none.

    Raises:
        Unproven: it can't be reached.
    """
    if not via:
        return run.network
    network = await reached(next(table for table in run.site.file.vantage if table.name == via), run)
    run.stand(network.vantage)
    return network


async def own_address(where: Standing, subnet: Subnet, host: str, port: int, run: Run) -> str:
    """Return the address by which a host reached over SSH leaves for somewhere; empty where it can't tell.

    Args:
        where: the host.
        subnet: that it is stated to stand in.
        host: for where it leaves.
        port: TCP port there.
        run: the run.

    Raises:
        Unproven: it leaves by another network's address; or it can't tell, and its own isn't of the subnet.
    """
    network, address = where.network, next(iter(where.network.vantage.addresses), "")
    async with run.wire(where.via):
        own = await network.source(host, port)
    if not own and not address:  # by a proxy or a jump host
        raise Unproven(
            f"nothing tells where {where.source} stands: it is reached by another host, and has no python3 to ask",
            "reach it without a jump host, or name one that has python3",
            "no-vantage",
        )
    if outside(subnet, address) and (not own or outside(subnet, own)):
        raise Unproven(
            f"{where.source} does not stand in {subnet.prefix}",
            f"correct subnet or ssh of the [[vantage]] {where.via}",
            "no-vantage",
        )
    if outside(subnet, own):
        raise Unproven(
            f"{where.source} leaves for {host} from {own}, which is not in {subnet.prefix}",
            "disconnect its other network for this run, or name a host that has this subnet alone",
            "no-vantage",
        )
    return own


def outside(subnet: Subnet, source: str) -> bool:
    """Tell whether an address is known and not of a subnet."""
    return bool(source) and ipaddress.ip_address(source) not in ipaddress.ip_network(subnet.prefix)
