"""What requirements are about: each kind of subject. ``scope.py`` says which of them a site has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.site import Service, Subnet
    from scanproof.sitefile import Recipient, Route, Sender
    from scanproof.workbook import Row


def is_of(key: str, stated: str) -> bool:
    """Whether a case's key is the stated one, or a pair that begins with it: a subnet's way to a service, a mail."""
    return key == stated or key.startswith(f"{stated}++")


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
class Machine:
    """The machine that a run stands on."""

    name: str

    @property
    def key(self) -> str:
        """The same for every machine: a run stands on one."""
        return "this-machine"

    @property
    def label(self) -> str:
        """The vantage's name."""
        return self.name


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
    """A door of the mail service, from this machine or from another vantage."""

    service: Service
    via: str = ""

    @property
    def key(self) -> str:
        """Host and port, and the vantage."""
        return f"{self.service.key}++{self.via}" if self.via else self.service.key

    @property
    def label(self) -> str:
        """Host and port, and the vantage."""
        return f"{self.service.key} from {self.via}" if self.via else self.service.key


@dataclass(frozen=True)
class Domain:
    """A mail domain."""

    key: str

    @property
    def label(self) -> str:
        """The domain."""
        return self.key

    @property
    def of(self) -> Domain:
        """Itself: the domain that a subject of a domain's is about."""
        return self


def _behind(subnets: tuple[Subnet, ...]) -> str:
    return ", ".join(subnet.name or subnet.prefix for subnet in subnets)


@dataclass(frozen=True)
class DomainEgress:
    """A mail domain, and a public address (or a subnet whose public address isn't known) that sends for it."""

    domain: str
    public_address: str | None
    subnets: tuple[Subnet, ...]

    @property
    def of(self) -> Domain:
        """The domain alone."""
        return Domain(self.domain)

    @property
    def key(self) -> str:
        """Domain and address; the subnet's prefix where no address is stated."""
        return f"{self.domain}++{self.public_address or self.subnets[0].prefix}"

    @property
    def label(self) -> str:
        """Domain, address, and the subnets behind it."""
        return f"{self.domain} from {self.public_address or 'an unknown address'} ({_behind(self.subnets)})"


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
        """The door and the way of signing in: evidence of another one says nothing of it."""
        return f"{self.service.key} by {self.sender.auth}"


@dataclass(frozen=True)
class TenantSubject:
    """The tenant that takes a domain's mail."""

    domain: str

    @property
    def key(self) -> str:
        """The mail domain, which the tenant is known by at the site."""
        return self.domain

    @property
    def label(self) -> str:
        """The tenant, by its domain."""
        return f"the tenant of {self.domain}"

    @property
    def tenant(self) -> TenantSubject:
        """Itself: what a subject of the tenant's has in common."""
        return self


@dataclass(frozen=True)
class SenderEgress:
    """A sender, and a public address of the site from which it signs in."""

    sender: Sender
    service: Service
    public_address: str | None
    country: str
    subnets: tuple[Subnet, ...]

    @property
    def key(self) -> str:
        """Sender and address; the first subnet's prefix where no address is stated."""
        return f"{self.sender.address}++{self.public_address or self.subnets[0].prefix}"

    @property
    def label(self) -> str:
        """Sender, address, and the subnets behind it."""
        return f"{self.sender.address} from {self.public_address or 'an unknown address'} ({_behind(self.subnets)})"

    @property
    def target(self) -> str:
        """The way of signing in and the country too: a policy may depend on them."""
        return f"{self.sender.auth} {self.country}"


@dataclass(frozen=True)
class RelayEgress:
    """A public address from which the site relays by an inbound connector."""

    public_address: str | None
    subnets: tuple[Subnet, ...]
    tenant: TenantSubject

    @property
    def key(self) -> str:
        """The address; the first subnet's prefix where none is stated."""
        return self.public_address or self.subnets[0].prefix

    @property
    def label(self) -> str:
        """The address, and the subnets behind it."""
        return f"{self.public_address or 'an unknown address'} ({_behind(self.subnets)})"


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
