"""What a fault is: a small named change to the estate, and exactly which cases it decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from lab.estate import Estate
    from scanproof.site import Copier, Site

Pairs = list[tuple[str, str]]
Cases = Callable[["Site"], Pairs]
Layer = Literal["network", "host", "dns", "tenant", "mail", "device", "inventory"]


def nothing(_: Site) -> Pairs:
    """Return no case."""
    return []


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue.

    Attributes:
        network: "namespaces" where the loopback lab can't show it.
        cause: the diagnosis that explains it; None for a change that must break nothing, or for what nobody has
            named yet, which leaves cases unproven and is nothing to put right.
        breaks: the cases that do not hold under it alone.
        unproves: those that become unproven.
        change: what it does to the estate.
        folder: what it does to a copy of the site folder.
    """

    name: str
    layer: Layer
    describes: str
    cause: str | None
    network: Literal["any", "namespaces"]
    breaks: Cases
    unproves: Cases
    change: Callable[[Estate], None] | None = None
    folder: Callable[[Path], None] | None = None


ALL: dict[str, Fault] = {}
_into = [ALL]  # the last is where a fault is registered


@contextmanager
def apart(found: dict[str, Fault]) -> Iterator[None]:
    """Register faults elsewhere than among all."""
    _into.append(found)
    try:
        yield
    finally:
        _into.pop()


def fault(
    name: str,
    *,
    layer: Layer,
    cause: str | None,
    network: Literal["any", "namespaces"] = "any",
    breaks: Cases = nothing,
    unproves: Cases = nothing,
    folder: Callable[[Path], None] | None = None,
) -> Callable[[Callable[[Estate], None]], Callable[[Estate], None]]:
    """Register a change to the estate, and to the site folder where that shows it too.

    Its docstring's first line describes it.
    """

    def register(change: Callable[[Estate], None]) -> Callable[[Estate], None]:
        _add(Fault(name, layer, _first_line(change), cause, network, breaks, unproves, change=change, folder=folder))
        return change

    return register


def inventory_fault(
    name: str, *, cause: str | None, breaks: Cases = nothing, unproves: Cases = nothing
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a change to a copy of the site folder."""

    def register(change: Callable[[Path], None]) -> Callable[[Path], None]:
        _add(Fault(name, "inventory", _first_line(change), cause, "any", breaks, unproves, folder=change))
        return change

    return register


def _add(entry: Fault) -> None:
    if entry.name in ALL or entry.name in _into[-1]:
        raise ValueError(f"two faults are called {entry.name}")
    _into[-1][entry.name] = entry


def _first_line(function: Callable[..., None]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")


# ---- the cases that faults name, derived from the site's own data


def submission(site: Site) -> str:
    """Return the submission service as ``host:port``."""
    return site.services["smtp-auth"].key


def senders(site: Site, auth: str | None = None) -> list[str]:
    """Return the senders' addresses; of one way of signing in where that is named."""
    return [sender.address for sender in site.file.sender if auth in {None, sender.auth}]


def of_senders(*requirements: str, auth: str | None = None, first: bool = False) -> Cases:
    """Return cases of the senders that sign in so, or of the first of them."""

    def cases(site: Site) -> Pairs:
        found = senders(site, auth)
        return [(requirement, address) for requirement in requirements for address in (found[:1] if first else found)]

    return cases


def logins(auth: str | None = None) -> Cases:
    """Return SMTP-1 of the senders that sign in so."""
    return of_senders("SMTP-1", auth=auth)


def transactions(route: str, auth: str | None = None, *, first: bool = False) -> Cases:
    """Return SMTP-2 of senders by a route; not of relay, which the engineer's machine can't try."""

    def cases(site: Site) -> Pairs:
        found = senders(site, auth)[: 1 if first else None]
        tried = route in site.routes and route != "relay"
        return [("SMTP-2", f"{address}++{route}") for address in found] if tried else []

    return cases


def deliveries(
    route: str | None = None, *, recipient: int | None = None, auth: str | None = None, without: str | None = None
) -> Cases:
    """Return DLV-1 of every sender; not by relay, which the engineer's machine can't try.

    Args:
        route: only by this one.
        recipient: only to the test recipient at this place of the list.
        auth: only of senders that sign in so.
        without: leave out smtp-auth of senders that sign in so (their mail is blocked).
    """

    def cases(site: Site) -> Pairs:
        to = [part.address for part in site.recipients]
        if recipient is not None:
            to = to[recipient : recipient + 1]
        return [
            ("DLV-1", f"{sender.address}++{by}++{address}")
            for sender in site.file.sender
            for by in site.routes
            if by != "relay"
            and route in {None, by}
            and auth in {None, sender.auth}
            and not (by == "smtp-auth" and sender.auth == without)
            for address in to
        ]

    return cases


def subnet(*requirements: str, to: Literal["submission", "endpoint"] | None = None, number: int = 0) -> Cases:
    """Return cases of a subnet: of the engineer's own, or of one that is seen over SSH."""

    def cases(site: Site) -> Pairs:
        host = site.file.mail.submission_host if to == "submission" else site.file.mail.tenant_endpoint
        prefix = site.subnets[number].prefix
        return [(requirement, f"{prefix}++{host}" if to else prefix) for requirement in requirements]

    return cases


def seen_from(number: int, *, by_mail: Literal["submission", "endpoint"] | None) -> Cases:
    """Return what is seen from inside a subnet alone: not the way that its copiers' mail took."""
    ways: list[Literal["submission", "endpoint"]] = ["submission", "endpoint"]
    reached = {"submission": "EGR-1", "endpoint": "EGR-2"}
    return both(
        *(subnet(*([] if way == by_mail else [reached[way]]), "EGR-3", to=way, number=number) for way in ways),
        subnet("EGR-4", "EGR-5", number=number),
    )


def own_machine(site: Site) -> Pairs:
    """Return the case of the engineer's own machine."""
    del site
    return [("HOST-1", "this-machine")]


def domain(*requirements: str) -> Cases:
    """Return cases of the mail domain."""
    return lambda site: [(requirement, site.file.mail.domain) for requirement in requirements]


def spf_of(*, last_only: bool = False) -> Cases:
    """Return DNS-2 of every stated public address, or of the last one."""
    return lambda site: [
        ("DNS-2", f"{site.file.mail.domain}++{address}") for address in public_addresses(site, last_only=last_only)
    ]


def public_addresses(site: Site, *, last_only: bool = False) -> list[str]:
    """Return every stated public address, or the last one."""
    found = list(dict.fromkeys(part.public_address for part in site.file.egress if part.public_address))
    return found[-1:] if last_only else found


def access_of_basic(*, last_only: bool = False) -> Cases:
    """Return TEN-4 of senders by password from every stated public address, or from the last one."""
    return lambda site: [
        ("TEN-4", f"{sender}++{address}")
        for sender in senders(site, "basic")
        for address in public_addresses(site, last_only=last_only)
    ]


def relay_connectors(site: Site) -> Pairs:
    """Return TEN-10 of every public address that copiers relay from."""
    found = [part.public_address for part in site.subnets if part.route == "relay" and part.public_address]
    return [("TEN-10", address) for address in dict.fromkeys(found)]


def copier(number: int, *requirements: str) -> Cases:
    """Return cases of the copier at a place of the list."""
    return lambda site: [(requirement, nth(site, number).key) for requirement in requirements]


def nth(site: Site, number: int) -> Copier:
    """Return the copier at a place of the list, counted round a short one."""
    return site.copiers[number % len(site.copiers)]


def representative(number: int, *requirements: str) -> Cases:
    """Return cases of the copier that stands for a subnet: the stated one, else the first in the list."""

    def cases(site: Site) -> Pairs:
        prefix = site.subnets[number % len(site.subnets)].prefix
        there = [part for part in site.copiers if part.subnet == prefix]
        stated = [part for part in there if part.stated is not None and part.stated.representative]
        return [(requirement, part.key) for part in (stated or there)[:1] for requirement in requirements]

    return cases


def of_kind(number: int) -> Cases:
    """Return COV-2 of the copiers that the scan of a subnet's representative stands for: its model's others there."""

    def cases(site: Site) -> Pairs:
        key = representative(number, "COV-2")(site)[0][1]
        stands = next(part for part in site.copiers if part.key == key)
        kind = (stands.subnet, stands.model)
        return [("COV-2", it.key) for it in site.copiers if (it.subnet, it.model) == kind and it.key != key]

    return cases


def kind(number: int) -> Cases:
    """Return COV-2 of the others of the model and subnet of the copier at a place of the list."""

    def cases(site: Site) -> Pairs:
        stands = nth(site, number)
        there = [it for it in site.copiers if (it.subnet, it.model) == (stands.subnet, stands.model)]
        return [("COV-2", it.key) for it in there if it.key != stands.key]

    return cases


def scanned(number: int, *, did: bool) -> Cases:
    """Return COV-2 of the copiers of a subnet of which somebody scanned, one of each model, or of the others."""

    def cases(site: Site) -> Pairs:
        prefix = site.subnets[number].prefix
        first: dict[str, str] = {}
        there = [part for part in site.copiers if part.subnet == prefix]
        for part in sorted(there, key=lambda it: not (it.stated and it.stated.representative)):
            first.setdefault(part.model, part.key)
        return [("COV-2", part.key) for part in there if (part.key in first.values()) is did]

    return cases


def scans(site: Site) -> Pairs:
    """Return what rests on reading the scans in the test mailboxes."""
    numbers = range(len(site.subnets))
    arrivals = both(*(representative(number, "DLV-2", "DLV-3") for number in numbers))(site)
    # Nothing stands in the last subnet that could look: its copiers' mail alone shows that it gets out.
    way_out = subnet("EGR-2", to="endpoint", number=-1)(site)
    return [
        *arrivals,
        *(("DEV-9", part.key) for part in site.copiers if part.route == "smtp-auth"),
        *proofs(site),
        *way_out,
    ]


def proofs(site: Site) -> Pairs:
    """Return what the scans that arrived prove of the subnets and of each copier's kind."""
    signing = [it.prefix for it in site.subnets if all(c.route == "smtp-auth" for c in site.copiers if c.address in it)]
    found = [("COV-1", it.prefix) for it in site.subnets] + [("COV-2", it.key) for it in site.copiers]
    return [*found, *(("COV-3", prefix) for prefix in signing)]


def applications(*requirements: str) -> Cases:
    """Return cases of every application in scope."""
    return lambda site: [(requirement, part.key) for requirement in requirements for part in site.applications_in_scope]


def both(*parts: Cases) -> Cases:
    """Return the cases of several."""
    return lambda site: [pair for part in parts for pair in part(site)]


# Everything that is read from the tenant, apart from TEN-14, which looks at a sign-in as well.
TENANT = both(
    of_senders("TEN-1", "TEN-7"),
    of_senders("TEN-2", "TEN-3", "TEN-5", "TEN-6", "TEN-12", auth="basic"),
    access_of_basic(),
    domain("TEN-8", "TEN-11", "TEN-13"),
    relay_connectors,
)
