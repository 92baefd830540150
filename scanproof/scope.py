"""Which subjects a site has, of each kind; whether a route or sender in use needs each, and which are left out.

A case names its kind of subject by an argument (``copier``, ``sending``, …); the names are ``KINDS``' keys.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.subjects import (
    Delivery,
    Domain,
    DomainEgress,
    DoorSubject,
    FleetRow,
    Machine,
    NetSubject,
    Path,
    RelayEgress,
    SenderEgress,
    SenderSubject,
    Sending,
    TenantSubject,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scanproof.site import Application, Copier, Service, Site, Subnet
    from scanproof.sitefile import Route, Sender


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


def _chosen(site: Site, wanted: Callable[[Copier], bool], why: str) -> Iterator[Choice]:
    for choice in copiers(site):
        if choice.excluded or wanted(choice.subject):
            yield choice
        else:
            yield Choice(choice.subject, excluded=why)


def versioned_copiers(site: Site) -> Iterator[Choice]:
    """Every copier for whose model the site states a minimum firmware."""
    stated = site.file.devices.minimum_firmware
    return _chosen(site, lambda it: it.model in stated, "the site states no minimum firmware for its model")


def signing_copiers(site: Site) -> Iterator[Choice]:
    """Every copier that signs in to send, for which TLS is a must."""
    return _chosen(site, lambda it: it.route == "smtp-auth", "its route does not need TLS")


def logging_copiers(site: Site) -> Iterator[Choice]:
    """Every copier, but for those of which the site states that they keep no access log."""
    for choice in copiers(site):
        why = "" if choice.excluded else choice.subject.no_access_log
        yield Choice(choice.subject, excluded=f"it keeps no access log: {why}") if why else choice


def representatives(site: Site) -> Iterator[Choice]:
    """One copier of each subnet, at which a scan is made: the stated one, else the first of the list."""
    stated = {it.subnet: it.key for it in reversed(site.copiers) if it.stated and it.stated.representative}
    first = {it.subnet: it.key for it in reversed(site.copiers)}
    standing = {**first, **stated}
    return _chosen(site, lambda it: standing[it.subnet] == it.key, "another copier stands for its subnet")


def subnets(site: Site) -> Iterator[Choice]:
    """Every subnet with a copier in scope."""
    for subnet in site.subnets:
        yield Choice(NetSubject(subnet), needed=any(copier.subnet == subnet.prefix for copier in site.copiers))


def swept_subnets(site: Site) -> Iterator[Choice]:
    """Every subnet, where the run looks for copiers that the list lacks."""
    asked = site.discover or site.file.fleet.known
    for choice in subnets(site):
        yield choice if asked else Choice(choice.subject, choice.needed, excluded=_NO_SWEEP)


_NO_SWEEP = "no sweep was asked for (--discover), and no list was imported ([fleet] known)"


def machines(site: Site) -> Iterator[Choice]:
    """The machine that the run stands on."""
    yield Choice(Machine(site.machine))


def _paths(site: Site, routes: set[Route]) -> Iterator[Choice]:
    for subnet in site.subnets:
        leaving = {part.route for part in _behind(site, (subnet,))}
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


def _by_public_address(site: Site) -> list[tuple[Subnet, ...]]:
    """Return the subnets that leave by the same public address together; one that states none stands alone."""
    behind: dict[str, list[Subnet]] = {}
    for subnet in site.subnets:
        behind.setdefault(subnet.public_address or subnet.prefix, []).append(subnet)
    return [tuple(group) for group in behind.values()]


def _behind(site: Site, group: tuple[Subnet, ...]) -> list[Copier | Application]:
    """Return what sends from these subnets, or by their public address: copiers and applications in scope."""
    prefixes = {subnet.prefix for subnet in group}
    return [*(copier for copier in site.copiers if copier.subnet in prefixes), *_programs(site, group)]


def _holds(prefix: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def _programs(site: Site, group: tuple[Subnet, ...]) -> list[Application]:
    """Return the applications in scope that stand in these subnets, or that leave by the same public address."""
    found = []
    for part in site.applications_in_scope:
        behind = [it.public_address for it in site.file.egress if part.address and _holds(it.subnet, part.address)]
        within = any(part.address and part.address in subnet for subnet in group)
        if within or (behind and behind[0] is not None and behind[0] == group[0].public_address):
            found.append(part)
    return found


def domain_egresses(site: Site) -> Iterator[Choice]:
    """The mail domain by each public address that the site sends from."""
    for group in _by_public_address(site):
        unsigned = any(part.route != "smtp-auth" for part in _behind(site, group))
        subject = DomainEgress(site.file.mail.domain, group[0].public_address, group)
        yield Choice(subject, needed=unsigned)


def relay_egresses(site: Site) -> Iterator[Choice]:
    """Each public address from which a copier relays by a connector."""
    for group in _by_public_address(site):
        if any(part.route == "relay" for part in _behind(site, group)):
            yield Choice(RelayEgress(group[0].public_address, group, TenantSubject(site.file.mail.domain)))


def tenants(site: Site) -> Iterator[Choice]:
    """The tenant."""
    yield Choice(TenantSubject(site.file.mail.domain))


def direct_tenants(site: Site) -> Iterator[Choice]:
    """The tenant, where a route of the site is direct send."""
    subject = TenantSubject(site.file.mail.domain)
    if "direct-send" in site.routes:
        yield Choice(subject, needed="direct-send" in site.routes_in_use)
    else:
        yield Choice(subject, excluded="no route of this site is direct send")


def senders(site: Site) -> Iterator[Choice]:
    """Every sender, where a route of the site signs in."""
    service = site.services.get("smtp-auth")
    if service is None:
        return
    for sender in site.file.sender:
        yield Choice(SenderSubject(sender, service), needed=_used(site, sender, "smtp-auth"))


_OAUTH = "signs in by OAuth, which this does not concern"


def password_senders(site: Site) -> Iterator[Choice]:
    """Every sender that signs in by a password (Basic)."""
    for choice in senders(site):
        basic = choice.subject.sender.auth == "basic"
        yield choice if basic else Choice(choice.subject, choice.needed, excluded=_OAUTH)


def sender_egresses(site: Site) -> Iterator[Choice]:
    """Every sender that signs in by a password, by each public address of the site."""
    countries = {part.subnet: part.country for part in site.file.egress}
    for choice in senders(site):
        sender, service = choice.subject.sender, choice.subject.service
        for group in _by_public_address(site):
            country = next((found for subnet in group if (found := countries.get(subnet.prefix))), "")
            here = any(part.sender == sender.address and part.route == "smtp-auth" for part in _behind(site, group))
            yield Choice(
                SenderEgress(sender, service, group[0].public_address, country, group),
                needed=here,
                excluded="" if sender.auth == "basic" else _OAUTH,
            )


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
    sending: list[Copier | Application] = [*site.copiers, *site.applications_in_scope]
    return any(part.sender == sender.address and part.route == route for part in sending)


def applications(site: Site) -> Iterator[Choice]:
    """Every stated application."""
    outside = "" if site.applications_in_scope else "applications are not in the stated scope"
    for application in site.applications:
        yield Choice(application, excluded=outside)


KINDS: dict[str, Callable[[Site], Iterator[Choice]]] = {
    "row": rows,
    "copier": copiers,
    "versioned_copier": versioned_copiers,
    "signing_copier": signing_copiers,
    "logging_copier": logging_copiers,
    "representative": representatives,
    "subnet": subnets,
    "swept_subnet": swept_subnets,
    "machine": machines,
    "submission_path": submission_paths,
    "tenant_path": tenant_paths,
    "mail_path": mail_paths,
    "submission_door": doors,
    "domain": domains,
    "domain_egress": domain_egresses,
    "tenant": tenants,
    "direct_tenant": direct_tenants,
    "sender": senders,
    "password_sender": password_senders,
    "sender_egress": sender_egresses,
    "relay_egress": relay_egresses,
    "sending": sendings,
    "delivery": deliveries,
    "application": applications,
}
"""By the name of a case's argument: the subjects that a site has of that kind."""

_KEPT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/-_+"


def encode(key: str) -> str:
    """Return a subject's key as it stands in a node id.

    ASCII letters, digits and ``. : / - _ +`` stay; anything else becomes ``+`` and two hex digits a byte.
    """
    return "".join(c if c in _KEPT else "".join(f"+{byte:02x}" for byte in c.encode("utf-8")) for c in key)
