"""Causes between the copiers and the mail service: rules, inspection, addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices.logs import OwnLog
from scanproof.devices.logwords import BROKE_OFF, NO_CONNECTION
from scanproof.diagnosis.dns import spf_fails
from scanproof.diagnosis.model import ENGINEER, NETWORK, Seen, cause
from scanproof.evidence import Arrival, SeenAddress
from scanproof.obstacle import Block

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Told
    from scanproof.judged import Case
    from scanproof.site import Copier


@cause("host-firewall", "host", ENGINEER, of="HOST-1 EGR-1 EGR-2")
def host_firewall(it: Seen) -> Told:
    """This machine's own rule: nothing is known of the gateway's then."""
    own = it.judged(Block) and it.facts(Block).stopped_here
    if own or (it.case.requirement == "HOST-1" and it.failed):
        return "A firewall rule of the machine that this suite runs on stops its own mail"
    return None


ELSEWHERE = "The network that this machine is in lets no mail out, which says nothing of the site's, nor of Microsoft"
FROM_THE_SITE = (
    "run from a machine in a subnet of the site (or name one as [[vantage]]), or from a line that lets the port out; a "
    "scan that arrives proves its copier's way all the same"
)


# A line that lets no mail out, as many a home's and office's, proves nothing about the site, nor about Microsoft.
@cause("machine-blocked", "network", NETWORK, of="EGR-1 EGR-2")
def machine_blocked(it: Seen) -> Told:
    """A look from a machine of the subnet fails, while a copier's mail goes through."""
    if not it.failed or not it.facts(Block).while_copiers_send:
        return None
    block, host = it.facts(Block), it.case.key.rpartition("++")[2]
    source = block.own.source if block.own else "this machine"
    title = f"The network keeps the machine that this suite looks from away from {host}, and not the copiers beside it"
    return title, (
        f"nothing for the copiers: {block.by_copier} was delivered meanwhile. To have it proven from {source} too, "
        f"{it.case.remedy}"
    )


@cause("port-blocked", "network", NETWORK, of="EGR-1 EGR-2")
def port_blocked(it: Seen) -> Told:
    """Nothing gets through, whoever of the subnet asks."""
    if not it.failed:
        return None
    block = it.facts(Block)
    host, port = (
        it.case.key.rpartition("++")[2],
        next(s.port for s in it.site.services.values() if s.host in it.case.key),
    )
    return f"The network does not let mail out to {host}:{port}{_unused(it)}: {block.how}"


# The machine beside the copier gets through, and its settings are right: what is left is told by its own log.
@cause("port-blocked", "network", NETWORK, of="LOG-2")
def port_blocked_for_one(it: Seen) -> Told:
    """A copier that finds no connection where its subnet has one."""
    if _fails_with(it, NO_CONNECTION) and it.holds(*_way(it.copier, it)):
        door = it.site.services[it.copier.route]
        # Its own words, then what its time is in ours: a quotation holds what the copier wrote, and no more.
        words, _, when = it.facts(OwnLog).failed[0].rpartition(" (")
        tried = f"{it.copier.address} to {door.key}, when the copier logged “{words}” ({when}"
        remedy = f"let {it.copier.address} out to {door.key} as the rest of {it.copier.subnet}. In its log: {tried}"
        return f"A firewall rule keeps a copier from {door.key}, though its subnet gets through", remedy
    return None


@cause("port-blocked", "network", NETWORK, of="LOG-2")
def port_blocked_for_it_too(it: Seen) -> Told:
    """A copier that finds no connection, where nobody of its subnet does."""
    if not _fails_with(it, NO_CONNECTION):
        return None
    ways = [way for way in it.others(*_way(it.copier, it)) if way.failed and not way.facts(Block).while_copiers_send]
    return next((port_blocked(way) for way in ways), None)


@cause("device-tls", "device", "the copier's service partner", of="LOG-2")
def device_tls(it: Seen) -> Told:
    """A copier that gets a connection, is set right, and can't go on: what it offers of TLS isn't taken."""
    spoilt = any(it.fails(requirement, _path(it.copier, it)) for requirement in ("EGR-1", "EGR-3"))
    if it.copier.route == "smtp-auth" and _fails_with(it, BROKE_OFF) and not spoilt:
        return (
            DEVICE_TLS,
            "update its firmware; or send by port 25 (direct send or relay), which takes mail without TLS",
        )
    return None


DEVICE_TLS = "A copier can't agree with the service on TLS"


def _fails_with(it: Seen, word: str) -> bool:
    """Whether a copier that is set right logged this of an e-mail, and none went out since."""
    log = it.facts(OwnLog) if it.failed else None
    return bool(log and log.ends_in_failure and word in "; ".join(log.failed)) and _is_set(it)


def _is_set(it: Seen) -> bool:
    listed = not it.fails("INV-2")  # else these are a stranger's settings, and its log
    return listed and all(it.holds(requirement) for requirement in ("DEV-2", "DEV-3", "DEV-4", "DEV-13"))


def _way(copier: Copier, it: Seen) -> tuple[str, str]:
    return "EGR-1" if copier.route == "smtp-auth" else "EGR-2", _path(copier, it)


def _path(copier: Copier, it: Seen) -> str:
    return f"{copier.subnet}++{it.site.services[copier.route].host}"


@cause("smtp-inspected", "network", NETWORK, of="EGR-3")
def smtp_inspected(it: Seen) -> Told:
    """Another banner, no STARTTLS, or another certificate than the service's."""
    return f"{INSPECTED}{_unused(it)}" if it.failed else None


INSPECTED = "Something on the way reads and changes the mail dialogue (SMTP inspection)"


def _unused(it: Seen) -> str:
    """Tell a way that mail takes from one that none does: a firewall's keeper opens only what is needed."""
    return ", on a way that no mail takes there today" if it.case.level == "advice" else ""


# The machine beside the copier doesn't get through either: its own TLS is not what breaks its mail off.
@cause("smtp-inspected", "network", NETWORK, of="LOG-2")
def smtp_inspected_at_a_copier(it: Seen) -> Told:
    """Another banner, no STARTTLS, or another certificate than the service's; a copier's mail breaks off for it."""
    return INSPECTED if _fails_with(it, BROKE_OFF) and it.fails("EGR-3", _path(it.copier, it)) else None


@cause("public-address", "network", NETWORK, of="EGR-5 DLV-1 TEN-14")
def public_address(it: Seen) -> Told:
    """Mail leaves by another address than the one that SPF, connectors and policies know."""
    others = [case for case in it.run.by_requirement.get("EGR-5", ()) if case.verdict == "advice"]
    if not others:
        return None
    if it.case.requirement == "DLV-1" and it.failed and "++smtp-auth" not in it.case.key:
        arrival, here = it.facts(Arrival), any(case.vantage == it.case.vantage for case in others)
        filtered = arrival.folder not in {"", "Inbox"} and (spf_fails(arrival) or not arrival.headers)
        return _by_others(it, others) if filtered and here else None
    unknown = it.case.requirement == "TEN-14" and not it.failed and "which the site does not state" in it.case.observed
    own = it.case.requirement == "EGR-5" and it.failed  # of a subnet that nobody looked from, nothing is known
    return _by_others(it, others) if own or unknown else None


def _by_others(it: Seen, others: list[Case]) -> tuple[str, str]:
    """Name the subnets that leave by another address than the stated one: all that follows is one cause."""
    stated = {subnet.prefix: subnet.public_address for subnet in it.site.subnets}
    told = []
    for case in others:
        seen = "".join(f"{one.address}, not {stated.get(case.key)}, " for one in Seen(case, it.run).every(SeenAddress))
        told.append(f"{seen}from {case.label}")
    more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
    title = f"Mail leaves the site by another public address than the stated one: {'; '.join(told[:3])}{more}"
    return title, "; ".join(dict.fromkeys(case.remedy for case in others))


def only_if_used(remedy: str) -> str:
    """Say of a way that no mail takes today what a firewall's keeper asks first: whether anybody needs it."""
    return f"not needed today, since no copier or application there sends that way; only if one is to: {remedy}"


@cause("ping-filtered", "network", NETWORK, of="NET-1")
def ping_filtered(it: Seen) -> Told:
    """Its pages answer, so it is there."""
    return "A copier answers no ping, though its pages do" if it.failed and it.holds("NET-4") else None
