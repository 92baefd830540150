"""Causes for which evidence could not be had: named by the probe that missed something (``Unproven.lacks``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanproof.diagnosis.device import FREE, OCCUPIED, PRIVILEGES, SAVED_PAGE
from scanproof.diagnosis.dns import RESOLVER_SILENT
from scanproof.diagnosis.mail import BUSY
from scanproof.diagnosis.model import APPLICATION, DEVICE, ENGINEER, LIST, MICROSOFT, NETWORK, TENANT, Layer
from scanproof.diagnosis.tenant import APP_REFUSED, FLAG_MISSING, GRANT, NOT_ALL_READ, NOTHING_GRANTED, grants_nothing

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen


@dataclass(frozen=True)
class Want:
    """What a kind of missing evidence means.

    Attributes:
        weak: it explains a case only where nothing that failed does.
        remedy: what to do, where the cases' own remedies won't do.
        behind: the requirement whose cause explains it as well, where that has one.
    """

    layer: Layer
    title: str
    owner: str
    weak: bool = False
    behind: str = ""
    remedy: str = ""


WANTS = {
    "graph-permission": Want("tenant", NOT_ALL_READ, TENANT),
    "exchange-permission": Want("tenant", "The suite's app may not read Exchange's settings", TENANT),
    "client-secret": Want("tenant", APP_REFUSED, ENGINEER),
    "graph-throttled": Want("mail", "Microsoft Graph throttles the suite's app", MICROSOFT),
    "graph-outage": Want("mail", "Microsoft Graph gives no answer", MICROSOFT),
    "exchange-outage": Want("mail", "Exchange's admin API gives no answer", MICROSOFT),
    "mailbox-not-readable": Want("tenant", "A test recipient's mailbox can't be read", TENANT),
    "service-unreachable": Want(
        "network",
        "This machine can't reach Microsoft's endpoints, by which the tenant is read",
        NETWORK,
        behind="EGR-4",
    ),
    "no-route": Want(
        "host", "This machine has no route to what it has to look at: it is not in that network", ENGINEER
    ),
    "resolver-silent": Want("dns", RESOLVER_SILENT, NETWORK),
    "host-name-doubled": Want(
        "device",
        "A copier's host name does not tell its mail from another one's",
        DEVICE,
        remedy="give each copier a host name of its own, at the device and in the list; then make a scan from it",
    ),
    "copier-from": Want("device", "A copier sends from an address that it may not use", DEVICE),
    "flag-missing": Want("tenant", FLAG_MISSING, MICROSOFT),
    "service-busy": Want("mail", BUSY, MICROSOFT),
    "no-vantage": Want("network", "A host from which a subnet is seen can't be used", ENGINEER),
    "saved-page": Want("inventory", SAVED_PAGE, LIST),
    "table-too-old": Want("inventory", "An application's connection table is from before the last change", APPLICATION),
    "report-missing": Want("mail", "No report of an application has arrived", APPLICATION, weak=True),
    "device-occupied": Want("device", OCCUPIED, DEVICE, remedy=FREE),
    "email-page": Want(
        "device", "A copier's firmware has its e-mail settings where this suite does not know them", ENGINEER
    ),
    "privileges": Want("device", PRIVILEGES, ENGINEER),
    "scan-too-old": Want("mail", "No scan since the last change has arrived in a test mailbox", DEVICE, weak=True),
}
"""By the kind of cause."""


def want_of(seen: Seen) -> tuple[str, Want] | None:
    """Return the kind of what a case's evidence lacks, and what that means; None where nothing is to be put right."""
    kind = seen.lacks
    if kind in {"graph-permission", "exchange-permission"} and grants_nothing(seen):
        return "graph-permission", Want("tenant", NOTHING_GRANTED, TENANT, remedy=GRANT)
    if kind == "service-unreachable" and seen.run.offline:
        kind = "no-route"
    return (kind, WANTS[kind]) if kind in WANTS else None
