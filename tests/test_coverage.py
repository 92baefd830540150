"""What is proven of the whole fleet by the scans that were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.devices.proof import EncryptedRoute, RouteProof, SubnetProof
    from scanproof.site import Copier
    from scanproof.subjects import NetSubject

pytestmark = pytest.mark.coverage


@pytest.mark.requirement("COV-1", "at least one copier of subnet {it.label} is proven end to end", level="blocker")
def test_subnet_is_proven(subnet: NetSubject, subnet_proof: SubnetProof, expect: Expect) -> None:
    """A scan of any copier in S since the last change, in an Inbox, with a readable page, by its route."""
    expect(
        bool(subnet_proof.proven),
        expected=f"a scan that arrived by its route from a copier of {subnet.key}",
        observed=subnet_proof.seen,
        remedy="settle DLV-2 of this subnet, or scan from another copier there",
        grade="from-copier",
    )


@pytest.mark.requirement("COV-2", "the route of copier {it.label} is proven for its kind", level="blocker")
def test_route_is_proven(copier: Copier, route_proof: RouteProof, expect: Expect) -> None:
    """A delivery by its route from it, or from one of its model, firmware, sender and subnet with like settings."""
    expect(
        not route_proof.wrong,
        expected=f"a scan delivered by {copier.route} from it or its kind in {copier.subnet}",
        observed=route_proof.seen,
        remedy=remedies.scan(route_proof.own, copier) if route_proof.own else "make a scan from it",
        grade=route_proof.grade,
    )


@pytest.mark.requirement("COV-3", "subnet {it.label} uses the encrypted route", level="advice")
def test_subnet_uses_encrypted_route(subnet: NetSubject, encrypted_route: EncryptedRoute, expect: Expect) -> None:
    """All copiers of S by smtp-auth, and a scan of one arrived so; else what stands in the way is named."""
    expect(
        not encrypted_route.others,
        expected=f"every copier of {subnet.key} by smtp-auth",
        observed=encrypted_route.seen,
        remedy=encrypted_route.remedy,
    )
