"""What a case says of a copier: what this machine alone could not do says nothing of a copier elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices.proof import RouteProof
from scanproof.diagnosis.model import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.diagnosis.model import Cause, Whole
    from scanproof.judged import Case
    from scanproof.site import Copier

# Kinds of causes that lie with whoever runs this suite: its firewall rule, its passwords, its app, its place.
_OF_THIS_MACHINE = frozenset(
    {
        *("host-firewall", "machine-blocked", "no-vantage", "service-unreachable"),
        *("sender-password", "admin-login", "client-secret", "app-permission", "graph-permission"),
    },
)
# What the service refuses for the public address that a mail comes from: a subnet with another one isn't hit.
_OF_ITS_ADDRESS = frozenset({"spf", "dmarc", "relay-connector", "conditional-access", "address-banned"})
# What keeps a place from trying: each subnet's own looks say whether that is so there.
_OF_ITS_WAY = frozenset({"port-blocked", "resolver-silent", "split-dns", "smtp-inspected"})
_TRIED_FROM_HERE = frozenset({"SMTP-1", "SMTP-2", "DLV-1"})
_LOOKS = ("EGR-1", "EGR-2", "EGR-3", "EGR-4", "EGR-5")
# What a copier's own log shows is advice; where its cause is known, it breaks a link: this copier can't send.
_SHOWN_BY_LOG = {"port-blocked": "egress", "device-tls": "tls"}


def concerns(case: Case, subnet: str, run: Whole, causes: Mapping[str, Cause]) -> bool:
    """Whether what does not hold says anything of the copiers of a subnet.

    Args:
        case: one that failed, or could not be tried for one that did.
        subnet: its prefix.
        run: the judged run.
        causes: the cause of each case that has one, by the case's id.
    """
    kind = kind_of(case, causes)
    if kind in _OF_THIS_MACHINE:
        return False
    if case.requirement not in _TRIED_FROM_HERE:
        return True
    if kind in _OF_ITS_ADDRESS:
        return _public(subnet, run) in _addresses(case.vantage, run)
    return kind not in _OF_ITS_WAY


def kind_of(case: Case, causes: Mapping[str, Cause]) -> str:
    """Return the kind of a case's cause; empty where it has none."""
    return causes[case.id].kind if case.id in causes else ""


def _public(prefix: str, run: Whole) -> str:
    return next((it.public_address or it.prefix for it in run.site.subnets if it.prefix == prefix), prefix)


def _addresses(vantage: str, run: Whole) -> set[str]:
    """Return the public addresses of the subnets that a place was seen to stand in."""
    looks = [case for name in _LOOKS for case in run.by_requirement.get(name, ())]
    stood = {case.key.partition("++")[0] for case in looks if case.vantage == vantage and case.grade == "same-subnet"}
    return {_public(prefix, run) for prefix in stood}


def logged(copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> dict[str, Case]:
    """Return, by link, the case by which a copier's own log shows that it can't get on there."""
    cases = [case for case in run.by_part.get(("LOG-2", copier.key), ()) if case.verdict == "advice"]
    found = {_SHOWN_BY_LOG.get(kind_of(case, causes), ""): case for case in cases}
    return {link: case for link, case in found.items() if link}


def unexplained_failures(copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> bool:
    """Whether scans of a copier failed by its own log, by nothing that is known: it may be that nothing gets out."""
    cases = [case for case in run.by_part.get(("LOG-2", copier.key), ()) if case.verdict == "advice"]
    return any(kind_of(case, causes) == "scans-failed" for case in cases) and not scanned(copier, run)


def scanned(copier: Copier, run: Whole) -> bool:
    """Whether a scan of the copier itself arrived by its route."""
    if any(case.verdict == "passed" for case in run.by_part.get(("DLV-2", copier.key), ())):
        return True
    shown = [case for case in run.by_part.get(("COV-2", copier.key), ()) if case.verdict == "passed"]
    return any(proof.own for case in shown for proof in Seen(case, run).every(RouteProof))


def silent(copier: Copier, run: Whole, causes: Mapping[str, Cause]) -> bool:
    """Whether nothing answers at its address: a page that is merely off is none of scanning's."""
    pages = run.by_part.get(("NET-4", copier.key), ())
    return any(case.verdict == "failed" and kind_of(case, causes) == "device-down" for case in pages)
