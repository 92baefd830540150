"""The connections of an application's machine, from a table that was saved there."""

from __future__ import annotations

import asyncio
import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scanproof.applications import table
from scanproof.applications.facts import Connections, MailConnection
from scanproof.kinds import Unproven, probe
from scanproof.probes.dns import SYSTEM, look_up, site_resolver

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.evidence import Lookup
    from scanproof.gather import Run
    from scanproof.site import Application, Site

PORTS = frozenset({25, 465, 587, 2525})
MOST_MAIL = 200  # different ones that are kept
_AHEAD = timedelta(hours=1)  # that another machine's clock may be
_AGE = timedelta(days=14)  # at most, where the site states no change
SAVE = (
    "on its machine, while it sends or just after: ss -tn > FILE, netstat -an > FILE or Get-NetTCPConnection | "
    "ConvertTo-Csv > FILE; put the file beside site.toml and name it as connections of its [[application]]"
)


@probe(Connections, deadline=60)
async def connections(application: Application, run: Run) -> Connections:
    """Read the table, and ask for the names that tell what its addresses are."""
    read, saved = await asyncio.to_thread(_read, application, run.site)
    own = tuple(sorted({row.local for row in read.rows if row.local not in {"", "*"}}))[:1000]
    found: dict[tuple[str, int], list[table.Row]] = {}
    for row in read.rows:
        if row.port in PORTS and row.remote != "*" and not _nowhere(row.remote):
            found.setdefault((row.remote, row.port), []).append(row)
    mail = tuple(
        MailConnection(
            address=address,
            port=port,
            states=tuple(sorted({row.state for row in rows if row.state}))[:10],
            line=rows[0].line,
        )
        for (address, port), rows in found.items()
    )
    if len(mail) > MOST_MAIL:
        raise Unproven(f"{application.connections} shows {len(mail)} mail servers: no application's table", SAVE)
    service, retired = await _names(application, run) if mail else ((), ())
    return Connections(
        file=application.connections,
        saved=saved,
        command=read.command,
        rows=len(read.rows),
        own=own,
        mail=mail,
        service=service,
        retired=retired,
    )


def _nowhere(address: str) -> bool:
    return ipaddress.ip_address(address).is_unspecified  # of a port that listens


def _read(application: Application, site: Site) -> tuple[table.Table, datetime]:
    name = application.connections
    if not name:
        raise Unproven("no connection table of it is stated", SAVE)
    if site.folder is None:
        raise Unproven(f"{name} is not kept with a recorded run", "gather again")
    data, saved = _content(site.folder / name, name)
    changed = site.file.site.last_change or site.file.site.cutover or site.now - _AGE
    if saved < changed:
        when = f"{changed.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        raise Unproven(
            f"{name} was saved on {saved:%Y-%m-%d %H:%M} UTC, before what counts ({when})",
            "save it again, and run",
            "table-too-old",
        )
    if saved > site.now + _AHEAD:
        raise Unproven(f"{name} was saved on {saved:%Y-%m-%d %H:%M} UTC, which is yet to come", "save it again")
    try:
        return table.read(data), saved
    except table.TableError as error:
        raise Unproven(f"{name}: {error}", SAVE) from None


def _content(path: Path, name: str) -> tuple[bytes, datetime]:
    try:
        if not path.is_file():
            raise Unproven(f"{name} is not there", SAVE)
        with path.open("rb") as file:
            data = file.read(table.MOST + 1)
        return data, datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Unproven(f"{name} can't be read: {said}", "make it readable") from None


async def _names(application: Application, run: Run) -> tuple[tuple[Lookup, ...], tuple[Lookup, ...]]:
    """Ask what the route's host and the retired ones resolve to.

    A large service gives other addresses elsewhere: so the site's own resolvers are asked beside the public one. A
    retired name is mostly known inside alone.
    """
    inside = [address for subnet in run.site.subnets for address in subnet.resolvers] or [site_resolver(run)]
    # A simulated site's machine has no resolver but the site's.
    resolvers = dict.fromkeys(
        (run.site.file.mail.public_resolver, *inside, *(() if run.network.vantage.lab else (SYSTEM,)))
    )
    host = run.site.services[application.route].host
    gone = [name for name in run.site.file.mail.retired_hosts if not _is_address(name)]
    service = await asyncio.gather(
        *(look_up(run, resolver, host, kind) for resolver in resolvers for kind in ("A", "AAAA"))
    )
    retired = await asyncio.gather(
        *(look_up(run, resolver, name, "A") for resolver in resolvers for name in dict.fromkeys(gone))
    )
    return tuple(service), tuple(retired)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
