"""What the lab needs to know of a site, as plain data.

The site's own modules bring pydantic and openpyxl, which take longer to import than the whole lab takes
to start. So whoever starts the lab reads the site and hands over this extract.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.site import Site

MACHINE = "engineer's machine (simulated)"
DEFAULT_PUBLIC = "203.0.113.10"  # RFC 5737: where a site file states no public address


@dataclass(frozen=True)
class PlannedCopier:
    """One device of the fleet list; its route and sender, and whether it stands for its subnet."""

    key: str
    address: str
    serial: str
    model: str
    host_name: str
    subnet: str
    route: str = ""
    sender: str = ""
    representative: bool = False


@dataclass(frozen=True)
class PlannedSubnet:
    """One subnet of the site: the public address it leaves by and its country, its route and name servers."""

    prefix: str
    public_address: str
    resolvers: tuple[str, ...]
    name: str = ""
    route: str = ""
    country: str = ""


@dataclass(frozen=True)
class PlannedApplication:
    """One application in scope: its machine, its mail, and the table of connections that is saved on it."""

    name: str
    address: str
    route: str
    sender: str
    subject: str
    connections: str


@dataclass(frozen=True)
class PlannedVantage:
    """One host that is reached over SSH; its subnet is empty for one outside the site."""

    name: str
    address: str
    port: int
    subnet: str


@dataclass(frozen=True)
class Plan:
    """A site, as far as the lab simulates it.

    Attributes:
        senders: (address, "basic" | "oauth") of each sender.
        public_addresses: every public address that the site states, which its SPF record lists.
        last_change: since when a proof counts (ISO 8601); empty where the site doesn't say.
    """

    domain: str
    submission_host: str
    tenant_endpoint: str
    login_host: str
    graph_host: str
    exchange_host: str
    tenant_id: str
    client_id: str
    public_resolver: str
    retired_host: str
    retired_address: str
    copiers: tuple[PlannedCopier, ...]
    subnets: tuple[PlannedSubnet, ...]
    senders: tuple[tuple[str, str], ...]
    recipients: tuple[str, ...]
    public_addresses: tuple[str, ...]
    last_change: str = ""
    applications: tuple[PlannedApplication, ...] = ()
    vantages: tuple[PlannedVantage, ...] = ()

    def to_json(self) -> str:
        """Return the plan as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Plan:
        """Read what ``to_json`` wrote."""
        data = json.loads(line)
        data["copiers"] = tuple(PlannedCopier(**copier) for copier in data["copiers"])
        data["subnets"] = tuple(
            PlannedSubnet(**{**part, "resolvers": tuple(part["resolvers"])}) for part in data["subnets"]
        )
        data["applications"] = tuple(PlannedApplication(**part) for part in data.get("applications", ()))
        data["vantages"] = tuple(PlannedVantage(**part) for part in data.get("vantages", ()))
        data["senders"] = tuple((address, auth) for address, auth in data["senders"])
        for name in ("recipients", "public_addresses"):
            data[name] = tuple(data[name])
        return cls(**{field.name: data[field.name] for field in fields(cls)})


def plan_of(site: Site) -> Plan:
    """Return the extract of a site that the lab simulates."""
    mail, tenant = site.file.mail, site.file.tenant
    addresses = [retired for retired in mail.retired_hosts if _is_address(retired)]
    names = [retired for retired in mail.retired_hosts if not _is_address(retired)]
    countries = {part.subnet: part.country for part in site.file.egress}
    stated = tuple(dict.fromkeys(part.public_address for part in site.file.egress if part.public_address))
    since = site.file.site.last_change or site.file.site.cutover
    return Plan(
        domain=mail.domain,
        submission_host=mail.submission_host,
        tenant_endpoint=mail.tenant_endpoint or f"{mail.domain.replace('.', '-')}.mail.protection.outlook.com",
        login_host=_host_of(tenant.endpoints.login),
        graph_host=_host_of(tenant.endpoints.graph),
        exchange_host=_host_of(tenant.endpoints.exchange),
        tenant_id=tenant.id,
        client_id=tenant.client_id,
        public_resolver=mail.public_resolver,
        retired_host=names[0] if names else f"mail.{mail.domain}",
        retired_address=addresses[0] if addresses else "192.0.2.25",
        copiers=tuple(
            PlannedCopier(
                part.key,
                part.address,
                part.serial,
                part.model,
                part.host_name,
                part.subnet,
                part.route,
                part.sender or "",
                part.stated is not None and part.stated.representative,
            )
            for part in site.copiers
        ),
        subnets=tuple(
            PlannedSubnet(
                part.prefix,
                part.public_address or DEFAULT_PUBLIC,
                part.resolvers,
                part.name,
                part.route,
                countries.get(part.prefix, ""),
            )
            for part in site.subnets
        ),
        senders=tuple((sender.address, sender.auth) for sender in site.file.sender),
        recipients=tuple(recipient.address for recipient in site.recipients),
        public_addresses=stated or (DEFAULT_PUBLIC,),
        last_change=since.isoformat() if since else "",
        applications=tuple(
            PlannedApplication(part.name, part.address, part.route, part.sender or "", part.subject, part.connections)
            for part in site.applications_in_scope
        ),
        vantages=tuple(_vantages(site)),
    )


def _vantages(site: Site) -> Iterator[PlannedVantage]:
    """Return the stated hosts that the lab can simulate: those named by their IPv4 address."""
    for table in site.file.vantage:
        host, _, port = table.ssh.rpartition("@")[2].partition(":")
        if _is_address(host):
            yield PlannedVantage(table.name, host, int(port or 22), table.subnet or "")


def engineers_address(plan: Plan) -> str:
    """Return a free address in the first subnet for the machine that the suite runs on: .10 where it is free."""
    network = ip_network(plan.subnets[0].prefix)
    taken = {copier.address for copier in plan.copiers} | {str(network.network_address + 1)}
    for host in (10, *range(2, min(network.num_addresses - 1, 1000))):
        address = str(network.network_address + host)
        if address not in taken and ip_address(address) in network:
            return address
    raise ValueError(f"{network} has no free address for the engineer's machine")


def _host_of(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
