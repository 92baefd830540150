"""What a look-up of a mail host's address says about where mail would go."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.evidence import Lookup
    from scanproof.site import Site

# RFC 1918 and RFC 4193: no public mail service lives there, a retired server on the premises does.
_INSIDE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def leads_to_service(look: Lookup, site: Site) -> bool:
    """Tell whether a name resolved, and to addresses that can be the mail service's.

    An address inside the site, or one that the site states as retired, is not.
    """
    retired = set(site.file.mail.retired_hosts)
    return look.status == "answered" and not any(value in retired or inside(value) for value in look.values)


def inside(value: str) -> bool:
    """Tell whether an address is one that only sites themselves have; what is no address is none."""
    try:
        return any(ipaddress.ip_address(value) in network for network in _INSIDE)
    except ValueError:
        return False
