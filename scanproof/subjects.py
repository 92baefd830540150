"""What requirements are about: each kind of subject, and the list of them that a site has.

A case names its kind of subject by an argument (``copier``, ``sending``, …); the names are ``KINDS``' keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.site import Copier, Service, Site, Subnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scanproof.sitefile import Recipient, Route, Sender
    from scanproof.workbook import Row


@dataclass(frozen=True)
class FleetRow:
    """One row of the fleet list, usable or not; with a line for each cell that can't be used."""

    row: Row
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Serial, else address, else the row's number."""
        return self.row.key

    @property
    def label(self) -> str:
        """The row as a person finds it."""
        cells = (self.row.location, self.row.model, self.row.address)
        name = " · ".join(part for part in cells if part)
        return f"row {self.row.number}{f' ({name})' if name else ''}{', hidden' if self.row.hidden else ''}"


@dataclass(frozen=True)
class NetSubject:
    """A subnet."""

    subnet: Subnet

    @property
    def key(self) -> str:
        """Its prefix."""
        return self.subnet.prefix

    @property
    def label(self) -> str:
        """Name and prefix."""
        return self.subnet.label


@dataclass(frozen=True)
class Path:
    """The way from a subnet to a door of the mail service."""

    subnet: Subnet
    service: Service

    @property
    def key(self) -> str:
        """Prefix and host."""
        return f"{self.subnet.prefix}++{self.service.host}"

    @property
    def label(self) -> str:
        """Both ends."""
        return f"{self.subnet.label} to {self.service.key}"

    @property
    def target(self) -> str:
        """The door: evidence of another one says nothing of it."""
        return self.service.key


@dataclass(frozen=True)
class DoorSubject:
    """A door of the mail service."""

    service: Service

    @property
    def key(self) -> str:
        """Host and port."""
        return self.service.key

    @property
    def label(self) -> str:
        """Host and port."""
        return self.service.key


@dataclass(frozen=True)
class Domain:
    """A mail domain."""

    key: str

    @property
    def label(self) -> str:
        """The domain."""
        return self.key


@dataclass(frozen=True)
class DomainEgress:
    """A mail domain, and a public address (or a subnet whose public address isn't known) that sends for it."""

    domain: str
    public_address: str | None
    subnets: tuple[Subnet, ...]

    @property
    def key(self) -> str:
        """Domain and address; the subnet's prefix where no address is stated."""
        return f"{self.domain}++{self.public_address or self.subnets[0].prefix}"

    @property
    def label(self) -> str:
        """Domain, address, and the subnets behind it."""
        behind = ", ".join(subnet.name or subnet.prefix for subnet in self.subnets)
        return f"{self.domain} from {self.public_address or 'an unknown address'} ({behind})"


@dataclass(frozen=True)
class SenderSubject:
    """A mailbox that signs in to send, and the door at which it does."""

    sender: Sender
    service: Service

    @property
    def key(self) -> str:
        """Its address."""
        return self.sender.address

    @property
    def label(self) -> str:
        """Address and way of signing in."""
        return f"{self.sender.address} ({self.sender.auth})"

    @property
    def target(self) -> str:
        """The door: evidence of another one says nothing of it."""
        return self.service.key


@dataclass(frozen=True)
class Delivery:
    """A sender, a route, and a recipient of its test mail."""

    sender: Sender
    route: Route
    service: Service
    recipient: Recipient

    @property
    def key(self) -> str:
        """All three."""
        return f"{self.sender.address}++{self.route}++{self.recipient.address}"

    @property
    def label(self) -> str:
        """All three, as a sentence's part."""
        return f"{self.sender.address} by {self.route} to {self.recipient.address}"

    @property
    def target(self) -> str:
        """The door: evidence of another one says nothing of it."""
        return self.service.key


@dataclass(frozen=True)
class Sending:
    """A sender and a route, shown by its test mail to the first test recipient."""

    sender: Sender
    route: Route
    service: Service
    first: Delivery

    @property
    def key(self) -> str:
        """Sender and route."""
        return f"{self.sender.address}++{self.route}"

    @property
    def label(self) -> str:
        """Sender and route."""
        return f"{self.sender.address} by {self.route}"


@dataclass(frozen=True)
class Choice:
    """A subject, whether a route or sender in use needs it, and why it isn't judged, if so."""

    subject: Any
    needed: bool = True
    excluded: str = ""


def rows(site: Site) -> Iterator[Choice]:
    """Every row of the list."""
    for row in site.table.rows:
        problems = tuple(site.table.line(problem) for problem in row.problems)
        yield Choice(FleetRow(row, problems), excluded=site.excluded(row) or "")


def copiers(site: Site) -> Iterator[Choice]:
    """Every row of the list, as a copier where it is one."""
    by_row = {copier.row: copier for copier in site.copiers}
    for row in site.table.rows:
        if row.number in by_row:
            yield Choice(by_row[row.number])
        else:
            why = site.excluded(row) or f"row {row.number} is not usable (INV-1)"
            yield Choice(FleetRow(row), excluded=why)


def subnets(site: Site) -> Iterator[Choice]:
    """Every subnet with a copier in scope."""
    for subnet in site.subnets:
        yield Choice(NetSubject(subnet), needed=any(copier.subnet == subnet.prefix for copier in site.copiers))


def _paths(site: Site, routes: set[Route]) -> Iterator[Choice]:
    for subnet in site.subnets:
        leaving = {copier.route for copier in site.copiers if copier.subnet == subnet.prefix}
        doors: dict[Service, bool] = {}
        for route, service in site.services.items():
            if route in routes:
                doors[service] = doors.get(service, False) or route in leaving
        for service, needed in doors.items():
            yield Choice(Path(subnet, service), needed=needed)


def submission_paths(site: Site) -> Iterator[Choice]:
    """Subnet to the submission host."""
    return _paths(site, {"smtp-auth"})


def tenant_paths(site: Site) -> Iterator[Choice]:
    """Subnet to the tenant endpoint."""
    return _paths(site, {"direct-send", "relay"})


def mail_paths(site: Site) -> Iterator[Choice]:
    """Subnet to each host that mail leaves to."""
    return _paths(site, {"smtp-auth", "direct-send", "relay"})


def doors(site: Site) -> Iterator[Choice]:
    """The submission host's door."""
    for route, service in site.services.items():
        if route == "smtp-auth":
            yield Choice(DoorSubject(service), needed=route in site.routes_in_use)


def domains(site: Site) -> Iterator[Choice]:
    """The mail domain."""
    yield Choice(Domain(site.file.mail.domain), needed=bool({"direct-send", "relay"} & site.routes_in_use))


def domain_egresses(site: Site) -> Iterator[Choice]:
    """The mail domain by each public address that the site sends from."""
    behind: dict[str, list[Subnet]] = {}
    for subnet in site.subnets:
        behind.setdefault(subnet.public_address or subnet.prefix, []).append(subnet)
    for group in behind.values():
        prefixes = {subnet.prefix for subnet in group}
        unsigned = any(copier.subnet in prefixes and copier.route != "smtp-auth" for copier in site.copiers)
        subject = DomainEgress(site.file.mail.domain, group[0].public_address, tuple(group))
        yield Choice(subject, needed=unsigned)


def senders(site: Site) -> Iterator[Choice]:
    """Every sender, where a route of the site signs in."""
    service = site.services.get("smtp-auth")
    if service is None:
        return
    for sender in site.file.sender:
        used = any(copier.sender == sender.address and copier.route == "smtp-auth" for copier in site.copiers)
        yield Choice(SenderSubject(sender, service), needed=used)


def sendings(site: Site) -> Iterator[Choice]:
    """Every sender by every route of the site."""
    for sender in site.file.sender:
        for route, service in site.services.items():
            if not site.recipients:
                continue
            first = Delivery(sender, route, service, site.recipients[0])
            yield Choice(Sending(sender, route, service, first), needed=_used(site, sender, route))


def deliveries(site: Site) -> Iterator[Choice]:
    """Every sender by every route to every test recipient."""
    for sender in site.file.sender:
        for route, service in site.services.items():
            for recipient in site.recipients:
                yield Choice(Delivery(sender, route, service, recipient), needed=_used(site, sender, route))


def _used(site: Site, sender: Sender, route: Route) -> bool:
    return any(copier.sender == sender.address and copier.route == route for copier in site.copiers)


KINDS: dict[str, Callable[[Site], Iterator[Choice]]] = {
    "row": rows,
    "copier": copiers,
    "subnet": subnets,
    "submission_path": submission_paths,
    "tenant_path": tenant_paths,
    "mail_path": mail_paths,
    "submission_door": doors,
    "domain": domains,
    "domain_egress": domain_egresses,
    "sender": senders,
    "sending": sendings,
    "delivery": deliveries,
}
"""By the name of a case's argument: the subjects that a site has of that kind."""

_KEPT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/-_+"


def encode(key: str) -> str:
    """Return a subject's key as it stands in a node id.

    ASCII letters, digits and ``. : / - _ +`` stay; anything else becomes ``+`` and two hex digits a byte.
    """
    return "".join(c if c in _KEPT else "".join(f"+{byte:02x}" for byte in c.encode("utf-8")) for c in key)


__all__ = ["KINDS", "Choice", "Copier", "encode"]
