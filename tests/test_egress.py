"""The copiers' subnets reach the mail service: proven from inside each subnet, and from nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import remedies
from scanproof.hosts import leads_to_service
from scanproof.inspection import signs

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import Egress, Resolution, SeenAddress
    from scanproof.hostfirewall.facts import HostRules
    from scanproof.obstacle import Block
    from scanproof.site import Site
    from scanproof.subjects import Machine, NetSubject, Path

pytestmark = pytest.mark.egress


@pytest.mark.requirement("EGR-1", "subnet {it.subnet.label} reaches {it.service.key}", level="as used")
def test_reaches_submission_host(submission_path: Path, block: Block, expect: Expect) -> None:
    """Subnet S reaches the submission host on TCP 587: a connection and the service's banner, from inside S."""
    expect.proven(not block.stopped_here, block.seen, remedies.OWN_RULE)
    expect(
        block.reached,
        expected=f"a connection from {submission_path.subnet.prefix} to {submission_path.service.key}, and a banner",
        observed=block.seen,
        remedy=block.remedy,
        grade=block.grade,
    )


@pytest.mark.requirement("EGR-2", "subnet {it.subnet.label} reaches {it.service.key}", level="as used")
def test_reaches_tenant_endpoint(tenant_path: Path, block: Block, expect: Expect) -> None:
    """Subnet S reaches the tenant endpoint on TCP 25: a connection and the service's banner, from inside S."""
    expect.proven(not block.stopped_here, block.seen, remedies.OWN_RULE)
    expect(
        block.reached,
        expected=f"a connection from {tenant_path.subnet.prefix} to {tenant_path.service.key}, and a banner",
        observed=block.seen,
        remedy=block.remedy,
        grade=block.grade,
    )


@pytest.mark.requirement(
    "EGR-3", "nothing rewrites SMTP between {it.subnet.label} and {it.service.key}", level="as used"
)
def test_nothing_rewrites_smtp(mail_path: Path, dialogue_seen: Egress, expect: Expect) -> None:
    """The banner is the service's own, STARTTLS is offered, the certificate is the service's."""
    found = signs(dialogue_seen.door)
    expect(
        not found,
        expected="the service's own banner, STARTTLS, and the service's certificate",
        observed="; ".join([*found, dialogue_seen.door.seen]),
        remedy=remedies.inspection(dialogue_seen, mail_path),
        grade=dialogue_seen.grade,
    )


@pytest.mark.requirement("EGR-4", "subnet {it.label} resolves the mail hosts", level="blocker")
def test_resolves_mail_hosts(subnet: NetSubject, resolution: Resolution, site: Site, expect: Expect) -> None:
    """Each mail host resolves from inside the subnet, to the service and not to a retired or inside address."""
    wrong = [look for look in resolution.lookups if not leads_to_service(look, site)]
    expect(
        not wrong,
        expected=f"public addresses of the mail service for each mail host, asked from {resolution.source}",
        observed="; ".join(look.seen for look in wrong or resolution.lookups),
        remedy=remedies.look_up(*wrong),
        grade=resolution.grade,
    )


@pytest.mark.requirement("EGR-5", "subnet {it.label} leaves by the public address that the site states", level="advice")
def test_leaves_by_the_stated_address(subnet: NetSubject, seen_address: SeenAddress, expect: Expect) -> None:
    """The public address that the mail service greets a client in S by; SPF, connectors and policies hang on it."""
    stated = subnet.subnet.public_address
    expect.proven(
        stated is not None, f"{seen_address.seen}; the site states none", remedies.state(seen_address, subnet)
    )
    expect(
        seen_address.address == stated,
        expected=f"{stated}, as [[egress]] states",
        observed=seen_address.seen,
        remedy=remedies.translated(seen_address, subnet),
        grade=seen_address.grade,
    )


@pytest.mark.requirement("HOST-1", "no firewall rule of {it.label} itself blocks port 25 or 587", level="advice")
def test_own_firewall_lets_mail_out(machine: Machine, host_rules: HostRules, expect: Expect) -> None:
    """This machine's own rules (Windows Firewall, nftables, iptables): tells its own block from a gateway's."""
    stopping = [rule for rule in host_rules.rules if rule.effect == "blocks"]
    expect(
        not stopping,
        expected=f"no rule of {machine.label} that stops its connections to {', '.join(host_rules.doors)}",
        observed=host_rules.seen,
        remedy=remedies.own_firewall(host_rules),
    )
    expect.proven(not host_rules.rules, host_rules.seen, remedies.own_firewall(host_rules))
