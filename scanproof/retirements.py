"""What Microsoft has announced to end, by date, with its source; as of 2026-11-23."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.site import Site
    from scanproof.sitefile import Sender


@dataclass(frozen=True)
class Step:
    """One announced step.

    Attributes:
        on: its day; the last one of the time that was announced.
        when: that time in Microsoft's words.
        what: happens then.
    """

    on: date
    when: str
    what: str


# Basic sign-in for SMTP AUTH client submission. It was announced for September 2025, then for March and April 2026,
# and put off both times.
BASIC = (
    Step(date(2026, 12, 31), "at the end of December 2026", "off by default, and an administrator can still allow it"),
    Step(date(2027, 12, 31), "in the second half of 2027", "the final date of its removal is to be announced"),
)
SOURCE = "Exchange Team Blog of 2026-01-27, message center post MC786329"


def future(sender: Sender, today: date) -> str:
    """Say what is announced of a sender's way of signing in."""
    if sender.auth == "oauth":
        return "signs in by OAuth, whose end is not announced"
    steps = [f"{step.when} {step.what}{' (has passed)' if step.on < today else ''}" for step in BASIC]
    return f"signs in by password (Basic): {'; '.join(steps)} ({SOURCE})"


def routes_left(site: Site) -> str:
    """Say which ways of sending this fleet has without Basic sign-in."""
    left = ["OAuth, where the copiers' firmware has it"]
    left += [f"{route} (port 25, in use here)" for route in site.routes if route != "smtp-auth"]
    if "relay" not in site.routes:
        left.append("relay by an inbound connector for the site's public address")
    return f"{'; '.join(left)}; High Volume Email for recipients inside, Azure Communication Services for all"
