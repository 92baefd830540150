"""A bounded sweep of a subnet for what answers there, and the reading of another system's list of devices.

Only the site's own subnets are swept, no larger than it allows, each address once and none that the list has: those are
asked by their own cases. An address costs one echo request and one connection each to five ports; what answers is asked
for its start page and by SNMP who it is.
"""

from __future__ import annotations

import asyncio
import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof import workbook
from scanproof.devices import snmp
from scanproof.devices.identity import MAKES
from scanproof.discovery.facts import Answering, KnownDevice, KnownList, Sweep, Unlisted
from scanproof.discovery.rules import make_of
from scanproof.echo import NoPing
from scanproof.hosts import inside
from scanproof.kinds import Unproven, probe
from scanproof.probes.web import first_page, http_page, https_page
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.gather import Run
    from scanproof.site import Copier, Site, Subnet
    from scanproof.subjects import NetSubject

PORTS = (80, 443, 9100, 515, 631)
WAIT = 1.5  # seconds for each answer: six tries an address, so that a lost packet loses no device
RATE = 50  # addresses a second, over all subnets; beside that caps on those that are asked at once (gather.Caps)
DEADLINE = 240.0  # seconds for a whole subnet, from its turn on: the largest takes half of that
MOST_KNOWN = 5000  # devices of one subnet in a list
SAVE = "save it anew as .xlsx or .csv with a column of addresses, beside site.toml, and name it as [fleet] known"


@probe(Unlisted, deadline=DEADLINE + 60)
async def unlisted(subject: NetSubject, run: Run) -> Unlisted:
    """Sweep a subnet where that was asked for, and read another system's list where one is stated."""
    subnet, site = subject.subnet, run.site
    found: dict[str, Any] = {"prefix": subnet.prefix}
    troubles: list[Unproven] = []
    if site.file.fleet.known:
        try:
            found["known"] = await asyncio.to_thread(_known, subnet, site)
        except Unproven as trouble:
            troubles.append(trouble)
    if site.discover:
        try:
            hosts = _hosts(subnet, site, run.network.vantage.addresses)
            found["sweep"] = await _sweep(subnet, hosts, run)
        except Unproven as trouble:
            troubles.append(trouble)
    if len(found) == 1:
        raise Unproven("; ".join(it.reason for it in troubles), "; ".join(it.remedy for it in troubles if it.remedy))
    return Unlisted(**found, trouble="; ".join(it.reason for it in troubles))


def _hosts(subnet: Subnet, site: Site, own: tuple[str, ...]) -> list[str]:
    """Return the addresses to ask.

    Raises:
        Unproven: this subnet is none that may be swept.
    """
    network = ipaddress.ip_network(subnet.prefix)
    fleet = site.file.fleet
    stated = {*fleet.subnets, *(part.prefix for part in site.file.subnet)}
    if network.version != 4:
        raise Unproven("an IPv6 subnet is too large to be swept", "import a list of devices: [fleet] known")
    if network.prefixlen < fleet.widest_sweep:
        raise Unproven(
            f"{subnet.prefix} is larger than /{fleet.widest_sweep}, the largest that is swept",
            "state its real subnets as [fleet] subnets, or a smaller number as widest_sweep",
        )
    if not inside(str(network.network_address)) and subnet.prefix not in stated:
        raise Unproven(
            f"{subnet.prefix} is a public network, and site.toml doesn't state it",
            "state it as a [[subnet]], if it is the site's own",
        )
    listed = {row.address for row in site.table.rows}
    return [str(host) for host in network.hosts() if str(host) not in listed and str(host) not in own]


async def _sweep(subnet: Subnet, hosts: list[str], run: Run) -> Sweep:
    pings = run.network.vantage.lab != "loopback" and run.network.pinger.by_socket()
    if not pings:
        run.say("**", "by TCP alone: no ICMP here")
    copiers = [copier for copier in run.site.copiers if copier.subnet == subnet.prefix]
    silent = asyncio.gather(*(_silent(copier, run) for copier in copiers))
    tasks: list[asyncio.Task[Answering | None]] = []
    try:
        async with run.turn("sweeping"):
            tasks += [asyncio.create_task(_ask(host, run, pings=pings)) for host in hosts]
            done, late = await asyncio.wait(tasks, timeout=DEADLINE) if tasks else (set(), set())
        answering = sorted((found for task in done if (found := task.result())), key=_in_order)
        quiet = await silent
    finally:
        silent.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, silent, return_exceptions=True)
    gone = tuple(copier.address for copier, is_silent in zip(copiers, quiet, strict=True) if is_silent)
    return Sweep(
        asked=len(done),
        unasked=len(late),
        pinged=pings,
        answering=tuple(answering),
        listed_seen=len(copiers) - len(gone),
        listed_silent=gone,
    )


def _in_order(found: Answering) -> int:
    return int(ipaddress.ip_address(found.address))


async def _silent(copier: Copier, run: Run) -> bool:
    """Tell whether neither page of a listed copier answers: evidence that its own cases judge too."""
    pages = await asyncio.gather(run.gather(http_page, copier), run.gather(https_page, copier))
    return not any(page.connected for page in pages)


async def _ask(address: str, run: Run, *, pings: bool) -> Answering | None:
    async with run.turn("sweep"):
        await run.pace("sweep", RATE, 1.0)
        async with run.wire(address):
            ping, *ports = await asyncio.gather(
                _ping(address, run, pings=pings), *(_port(address, p, run) for p in PORTS)
            )
    opened = tuple(port for port, told in zip(PORTS, ports, strict=True) if told == "open")
    if not ping and not any(ports):
        return None
    found: dict[str, Any] = {"address": address, "ping": ping, "ports": opened, "refused": "refused" in ports}
    for port in (443, 80):
        if port in opened and not found.get("title"):
            page = await first_page(address, port, run)
            found |= {"title": page.title, "server": page.server or found.get("server", "")}
    by_snmp = await snmp.system(address, run)
    found |= {name: by_snmp.get(name, "") for name in ("description", "model", "serial")}
    said = " ".join(str(found.get(name, "")) for name in ("server", "title", "description", "model"))
    answer = Answering(**found, make=make_of(said, MAKES))
    run.say("<-", answer.seen)
    return answer


async def _ping(address: str, run: Run, *, pings: bool) -> bool:
    if not pings:
        return False
    try:
        return bool((await run.network.pinger.ping(address, count=1, timeout=WAIT)).rtt_ms)
    except NoPing:
        return False


async def _port(address: str, port: int, run: Run) -> str:
    try:
        sock = await run.network.connect(address, port, timeout=WAIT)
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return ""
    sock.close()
    return "open"


def _known(subnet: Subnet, site: Site) -> KnownList:
    """Read another system's list of devices.

    Raises:
        Unproven: it can't be read.
    """
    fleet = site.file.fleet
    if site.folder is None:
        raise Unproven(f"{fleet.known} is not kept with a recorded run", "gather again")
    path = site.folder / fleet.known
    try:
        table = workbook.read(path, columns=fleet.known_columns)
        saved = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except workbook.WorkbookError as error:
        said = plain(str(error).replace(str(path), fleet.known), 400)
        raise Unproven(said.replace("[fleet]: columns", "[fleet]: known_columns"), SAVE) from None
    except (OSError, OverflowError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Unproven(f"{fleet.known} can't be read: {said}", SAVE) from None
    return KnownList(
        file=fleet.known,
        saved=saved,
        devices=tuple(_devices(table, subnet))[:MOST_KNOWN],
        without_address=sum(row.address is None for row in table.rows),
    )


def _devices(table: workbook.Table, subnet: Subnet) -> Iterator[KnownDevice]:
    seen = set()
    for row in table.rows:
        if row.address and row.address in subnet and row.address not in seen:
            seen.add(row.address)  # a copier with several queues
            name = " ".join(part for part in (row.make or "", row.model, row.host_name, row.location) if part)
            where = (
                f"{table.sheet} {row.cells['address'].ref}".strip() if "address" in row.cells else f"row {row.number}"
            )
            yield KnownDevice(address=row.address, name=plain(name, 120), where=where)
