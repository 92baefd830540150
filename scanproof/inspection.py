"""Signs that something between a subnet and the mail service rewrites SMTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.evidence import Door

BANNER = "Microsoft ESMTP"  # in the banners of both doors of Exchange Online


def signs(door: Door) -> list[str]:
    """Return what a dialogue shows of a third party in it, in words; nothing where it shows none.

    Mail guards of firewalls blank the banner, take STARTTLS out of the EHLO reply, or end TLS themselves
    with a certificate of their own.
    """
    found = []
    if door.banner is None or BANNER not in door.banner.text:
        found.append("the banner is not the service's own")
    if not door.offers_starttls:
        found.append("STARTTLS is not offered")
    elif door.tls is None:
        found.append(f"STARTTLS is offered and fails: {door.trouble}")
    elif door.tls.problem:
        # An inspecting firewall shows the service's own name; who issued it is who is on the way.
        shown = door.tls.certificate
        found.append(door.tls.problem + (f" (issued by “{shown.issuer}”)" if shown else ""))
    return found
