"""A customer's site: what is to be proven, from ``site.toml`` and the fleet list.

The dataclasses here are the nouns of the whole suite. They are made once, never change, and know
nothing of networks or verdicts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from scanproof import sitefile, workbook
from scanproof.sitefile import SiteError, SiteFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scanproof.sitefile import CopierTable, OutOfScope, Recipient, Route
    from scanproof.workbook import Row, Table

SUBMISSION_PORT = 587  # RFC 6409; Exchange Online's client submission endpoint
RELAY_PORT = 25
__all__ = ["Application", "Copier", "Service", "Site", "SiteError", "Subnet", "load"]


@dataclass(frozen=True)
class Service:
    """A door of the mail service: host and TCP port."""

    host: str
    port: int

    @property
    def key(self) -> str:
        """The service as ``host:port``."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Subnet:
    """A subnet in which listed copiers stand."""

    prefix: str
    name: str
    route: Route
    resolvers: tuple[str, ...]
    public_address: str | None

    @property
    def label(self) -> str:
        """Name and prefix, as a person would say them."""
        return f"{self.name} ({self.prefix})" if self.name else self.prefix

    def __contains__(self, address: str) -> bool:
        """Tell whether an IP address lies in this subnet."""
        return ipaddress.ip_address(address) in ipaddress.ip_network(self.prefix)


@dataclass(frozen=True)
class Copier:
    """One usable row of the fleet list that is inside the scope."""

    key: str  # its serial number, else its address
    address: str
    serial: str
    make: str
    model: str
    location: str
    host_name: str
    subnet: str  # prefix
    route: Route
    sender: str | None
    row: int
    stated: CopierTable | None = field(default=None, compare=False)

    @property
    def target(self) -> str:
        """Its address: evidence of another address says nothing of this one."""
        return self.address

    @property
    def no_access_log(self) -> str:
        """Why it keeps no access log, where the site states so; else empty."""
        return (self.stated and self.stated.no_access_log) or ""

    @property
    def label(self) -> str:
        """How a person on site calls it."""
        return " · ".join(part for part in (self.location, self.model or self.make, self.address) if part)


@dataclass(frozen=True)
class Application:
    """A program that mails its reports."""

    key: str  # its name, as it can stand in a case's id
    name: str
    address: str
    route: Route
    sender: str | None
    subject: str
    connections: str  # a file beside site.toml

    @property
    def target(self) -> str:
        """Its machine, route and mail: evidence of others says nothing of it."""
        return " ".join(part for part in (self.address, self.route, self.sender, self.subject) if part)

    @property
    def label(self) -> str:
        """Its name, and where it runs."""
        return f"{self.name} ({self.address})" if self.address else self.name


@dataclass(frozen=True)
class Site:
    """A site as one run sees it."""

    file: SiteFile
    table: Table
    text: str  # site.toml as read
    now: datetime  # the moment of judgement: of the run, when recorded evidence is judged again
    folder: Path | None = field(default=None, compare=False)  # where it was read from; None of a recorded run
    machine: str = "this machine"  # the name of the one that the run stands on
    discover: bool = False  # whether its subnets are swept for copiers that the list lacks

    @property
    def name(self) -> str:
        """The site's short name, which names its run folders."""
        return self.file.site.name

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets of all usable rows, in-scope or not, in order of address."""
        prefixes = {self._prefix_of(row) for row in self.table.rows if row.address and self.excluded(row) is None}
        stated = {subnet.prefix: subnet for subnet in self.file.subnet}
        egress = {egress.subnet: egress.public_address for egress in self.file.egress}
        default = self.file.mail.routes[0]
        return tuple(
            Subnet(
                prefix=prefix,
                name=stated[prefix].name if prefix in stated else "",
                route=(stated[prefix].route if prefix in stated else None) or default,
                resolvers=stated[prefix].resolvers if prefix in stated else (),
                public_address=egress.get(prefix),
            )
            for prefix in sorted(prefixes, key=_in_order)
        )

    @cached_property
    def copiers(self) -> tuple[Copier, ...]:
        """The copiers to prove: usable rows inside the scope, in the list's order."""
        return tuple(self._copier(row) for row in self.table.rows if row.address and self.excluded(row) is None)

    @cached_property
    def services(self) -> dict[Route, Service]:
        """The door that each of the site's routes leaves by."""
        mail = self.file.mail
        doors: dict[Route, Service] = {}
        for route in self.routes:
            if route == "smtp-auth":
                doors[route] = Service(mail.submission_host, SUBMISSION_PORT)
            elif mail.tenant_endpoint:
                doors[route] = Service(mail.tenant_endpoint, RELAY_PORT)
        return doors

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every route that the site names: its preferences first, then those of single subnets and copiers."""
        named: list[Route] = [*self.file.mail.routes]
        named += [part.route for part in self.file.subnet if part.route]
        named += [part.route for part in self.file.copier if part.route]
        named += [part.route for part in self.file.application if part.route]
        named += [row.route for row in self.table.rows if row.route]
        return tuple(dict.fromkeys(named))

    @cached_property
    def routes_in_use(self) -> frozenset[Route]:
        """The routes that a copier or an application in scope is to send by."""
        sending: list[Copier | Application] = [*self.copiers, *self.applications_in_scope]
        return frozenset(part.route for part in sending)

    @cached_property
    def applications(self) -> tuple[Application, ...]:
        """Every stated application, in scope or not."""
        default = self.file.sender[0].address if self.file.sender else None
        return tuple(
            Application(
                key=_as_key(part.name),
                name=part.name,
                address=part.address or "",
                route=part.route or self._route_at(part.address),
                sender=part.sender or default,
                subject=part.subject.strip(),
                connections=part.connections,
            )
            for part in self.file.application
        )

    @property
    def applications_in_scope(self) -> tuple[Application, ...]:
        """The applications to prove."""
        return self.applications if "applications" in self.file.site.scope else ()

    def excluded(self, row: Row) -> str | None:
        """Say why a row is outside the scope of this sign-off; None where it is inside."""
        if out := self._out_of_scope(row):
            return f"{out.reason} ({out.name}, {out.date:%Y-%m-%d})"
        scope = self.file.site.scope
        ours = row.make is None or row.make.casefold() in {make.casefold() for make in self.file.fleet.makes}
        if ours and "copiers" not in scope:
            return "copiers are not in the stated scope"
        if not ours and "other-makes" not in scope:
            return f"make {row.make} is not in the stated scope"
        return None

    @cached_property
    def send_as(self) -> dict[str, frozenset[str]]:
        """By each sender's address, those that it may send as, its own among them."""
        return {it.address: frozenset({it.address, *it.send_as}) for it in self.file.sender}

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """The test recipients."""
        return self.file.mail.test_recipients

    def _out_of_scope(self, row: Row) -> OutOfScope | None:
        stated = self._stated(row)
        return stated.out_of_scope if stated else None

    def _stated(self, row: Row) -> CopierTable | None:
        for table in self.file.copier:
            if _names(table, row):
                return table
        return None

    def _prefix_of(self, row: Row) -> str:
        if row.prefix:
            return row.prefix
        address = ipaddress.ip_address(str(row.address))
        known = [*self.file.fleet.subnets, *(subnet.prefix for subnet in self.file.subnet)]
        holding = [prefix for prefix in known if address in ipaddress.ip_network(prefix)]
        if holding:
            return max(holding, key=lambda prefix: ipaddress.ip_network(prefix).prefixlen)
        return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))

    def _route_at(self, address: str | None) -> Route:
        """Return the route of the stated subnet that holds an address, else the site's first."""
        holding = [part for part in self.file.subnet if address and _within(address, part.prefix)]
        nearest = max(holding, key=lambda part: ipaddress.ip_network(part.prefix).prefixlen, default=None)
        return (nearest.route if nearest else None) or self.file.mail.routes[0]

    def _copier(self, row: Row) -> Copier:
        stated, prefix = self._stated(row), self._prefix_of(row)
        subnet = next(subnet for subnet in self.subnets if subnet.prefix == prefix)
        default_sender = self.file.sender[0].address if self.file.sender else None
        return Copier(
            key=row.key,
            address=str(row.address),
            serial=row.serial,
            make=row.make or "",
            model=row.model,
            location=row.location,
            host_name=row.host_name,
            subnet=prefix,
            route=(stated.route if stated else None) or row.route or subnet.route,
            sender=(stated.sender if stated else None) or default_sender,
            row=row.number,
            stated=stated,
        )


def _names(table: CopierTable, row: Row) -> bool:
    return bool(table.serial and table.serial == row.serial) or bool(table.address and table.address == row.address)


def _within(address: str, prefix: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def _as_key(name: str) -> str:
    """Return a name as a key that no two names share: what isn't a letter or digit of ASCII, by its bytes."""
    kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
    return "".join(c if c in kept else "".join(f"+{byte:02x}" for byte in c.encode("utf-8")) for c in name)


def _in_order(prefix: str) -> tuple[int, int, int]:
    network = ipaddress.ip_network(prefix)
    return network.version, int(network.network_address), network.prefixlen


def load(folder: Path, *, now: datetime | None = None) -> Site:
    """Read a site folder.

    Args:
        folder: holds ``site.toml`` and the workbook that it names.
        now: the moment as of which is judged; the present by default.

    Raises:
        SiteError: whole lines that say what is wrong and where.
    """
    path = folder / "site.toml"
    file = sitefile.read(path)
    fleet = file.fleet
    try:
        table = workbook.read(folder / fleet.workbook, sheet=fleet.sheet, columns=fleet.columns)
    except workbook.WorkbookError as error:
        raise SiteError(str(error)) from None
    return checked(Site(file, table, path.read_text(encoding="utf-8-sig"), now or datetime.now(UTC), folder))


def checked(site: Site) -> Site:
    """Return the site, if what its file says of single things matches things that exist.

    Raises:
        SiteError: a line for each name in ``site.toml`` that nothing answers to.
    """
    lines = list(_dangling(site))
    if lines:
        raise SiteError(*lines)
    return site


def _dangling(site: Site) -> Iterable[str]:
    rows = site.table.rows
    senders = {sender.address for sender in site.file.sender}
    for number, table in enumerate(site.file.copier, 1):
        if not table.serial and not table.address:
            yield f"site.toml: copier[{number}]: names no copier; give serial or address"
        elif not any(_names(table, row) for row in rows):
            name = table.serial or table.address
            yield f"site.toml: copier[{number}]: {name} is not in {site.table.file}; correct it or add the row"
    unsigned = [route for route in site.routes if route != "smtp-auth"]
    if unsigned and not site.file.mail.tenant_endpoint:
        routes = " and ".join(unsigned)
        yield f"site.toml: mail.tenant_endpoint: missing, to which mail by {routes} goes; see the admin center"
    if site.file.mail.tenant_endpoint == site.file.mail.submission_host:
        yield "site.toml: mail.tenant_endpoint: is the submission host; it is the host that the domain's MX names"
    retired = {name.strip().rstrip(".").lower() for name in site.file.mail.retired_hosts}
    for key in ("submission_host", "tenant_endpoint"):
        if (live := getattr(site.file.mail, key)) in retired:
            yield f"site.toml: mail.retired_hosts: {live} is mail.{key} too; take out the one that is wrong"
    for what, listed in (
        ("sender", [sender.address for sender in site.file.sender]),
        ("mail.test_recipients", [recipient.address for recipient in site.recipients]),
        ("subnet", [subnet.prefix for subnet in site.file.subnet]),
        ("vantage", [vantage.name for vantage in site.file.vantage]),
        ("application", [application.name for application in site.file.application]),
    ):
        for address in sorted({name for name in listed if listed.count(name) > 1}):
            yield f"site.toml: {what}: {address} stands there twice; keep one"
    prefixes = [subnet.prefix for subnet in site.subnets]
    for number, vantage in enumerate(site.file.vantage, 1):
        if vantage.role == "site" and not vantage.subnet:
            yield f"site.toml: vantage[{number}].subnet: missing; state one of {', '.join(prefixes) or 'the subnets'}"
        if vantage.role == "control" and vantage.subnet:
            yield f"site.toml: vantage[{number}].subnet: a control stands outside the site; take it out, or the role"
    named = [(f"copier[{number}]", table.sender) for number, table in enumerate(site.file.copier, 1)]
    named += [(f"application[{number}]", table.sender) for number, table in enumerate(site.file.application, 1)]
    for part, sender in named:
        if sender and sender not in senders:
            yield f"site.toml: {part}.sender: {sender} is no [[sender]]; add it, or name one of them"
