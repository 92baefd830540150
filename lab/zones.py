"""The DNS data of the simulated site: one view from inside, one from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan import Plan

Type = Literal["A", "MX", "TXT"]
View = Literal["inside", "outside"]
MICROSOFT_SPF = "spf.protection.outlook.com"


@dataclass
class Zones:
    """Records by view, name and type. An MX is written ``"10 host"``."""

    records: dict[View, dict[tuple[str, Type], list[str]]] = field(
        default_factory=lambda: {"inside": {}, "outside": {}}
    )

    def set(self, name: str, kind: Type, values: list[str], *, views: tuple[View, ...] = ("inside", "outside")) -> None:
        """State what a name has of a type, in one view or both; an empty list takes it away."""
        for view in views:
            if values:
                self.records[view][name.lower(), kind] = list(values)
            else:
                self.records[view].pop((name.lower(), kind), None)

    def get(self, view: View, name: str, kind: str) -> list[str] | None:
        """Return a name's records of a type; an empty list where it has only others, None for no such name."""
        table = self.records[view]
        found = [values for (known, of), values in table.items() if known == name.lower() and of == kind]
        if found:
            return found[0]
        below = "." + name.lower()
        return [] if any(known == name.lower() or known.endswith(below) for known, _ in table) else None


def spf(plan: Plan, *, without: tuple[str, ...] = ()) -> str:
    """Return the domain's SPF record: its public addresses, then Microsoft's."""
    own = "".join(f"ip4:{address} " for address in plan.public_addresses if address not in without)
    return f"v=spf1 {own}include:{MICROSOFT_SPF} ~all"


def dmarc(policy: str, domain: str) -> str:
    """Return a DMARC record with a policy (RFC 7489)."""
    return f"v=DMARC1; p={policy}; rua=mailto:dmarc@{domain}"


def healthy_zones(plan: Plan, hosts: Mapping[str, str]) -> Zones:
    """Return the records of a site whose move is done.

    Args:
        plan: the site.
        hosts: the address of each of Microsoft's servers by name.
    """
    zones = Zones()
    for name, address in hosts.items():
        zones.set(name, "A", [address])
    zones.set(plan.domain, "MX", [f"0 {plan.tenant_endpoint}"])
    zones.set(plan.domain, "TXT", [spf(plan)])
    zones.set(f"_dmarc.{plan.domain}", "TXT", [dmarc("quarantine", plan.domain)])
    zones.set(MICROSOFT_SPF, "TXT", ["v=spf1 ip4:198.51.100.0/26 ip4:192.0.2.128/25 -all"])
    # A retired server's name outlives it inside.
    zones.set(plan.retired_host, "A", [plan.retired_address], views=("inside",))
    return zones
