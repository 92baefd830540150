"""What stands between a subnet and a mail service's door, and where: by comparing what several places see."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scanproof.evidence import Egress
from scanproof.kinds import Facts

if TYPE_CHECKING:
    from scanproof.evidence import Door
    from scanproof.troubles import Kind


_MEANWHILE = timedelta(hours=1)  # a rule that is newer than the mail could have been made in a longer time


class Glance(Facts):
    """Whether a door was reached from one other place; to compare with, never a proof about another subnet."""

    subnet: str  # empty for a place outside the site
    name: str
    service: str
    port: int
    reached: bool


class Block(Facts):
    """What stands between a subnet and a door, by comparison with what other places see; nothing where it was reached.

    The words rest on this: a silent loss is a rule that drops; a refusal, where the service is known to listen, is one
    that rejects; a connection without a banner was taken by something else than the service.
    """

    subnet: str
    own: Egress | None  # None where no place in the subnet could look, and a copier's mail shows it
    by_copier: str = ""  # a copier of the subnet whose mail was delivered through that door since the last change
    delivered: datetime | None = None  # when that was
    others: tuple[Glance, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether a mail of a copier got through, or a connection from inside got a banner."""
        return bool(self.by_copier) if self.own is None else self.own.reached

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        earlier = " before" if self.own and not self.reached else ""
        by = f"{self.by_copier} was delivered through it{earlier}" if self.by_copier else ""
        return "; ".join(part for part in (self.own.seen if self.own else "", by) if part)

    @property
    def while_copiers_send(self) -> bool:
        """Whether a copier's mail went through about when the look from its subnet did not."""
        if self.delivered is None or self.own is None or self.own.reached or self.own.door.at is None:
            return False
        return abs(self.own.door.at - self.delivered) < _MEANWHILE

    @property
    def stopped_here(self) -> bool:
        """Whether this machine's own rule kept it from looking: nothing was seen of the gateway then."""
        return bool(self.own and self.own.own_rules)

    @property
    def grade(self) -> str:
        """Of the proof."""
        return "from-copier" if self.by_copier and self.reached else self.own.grade if self.own else ""

    @property
    def _door(self) -> Door:
        assert self.own is not None  # asked only where something is in the way of a look
        return self.own.door

    @property
    def how(self) -> str:
        """What kind of thing is in the way, by what was seen of it."""
        if self._door.banner is not None:
            return f"something that takes the connection and refuses: {self._door.banner.seen}"
        if self._door.reached:
            return "a mail proxy: something on the way takes the connection and does not pass it on"
        return _HOW.get(self._door.trouble_kind) or self._door.trouble

    @property
    def where(self) -> str:
        """Where it most likely sits, by comparison."""
        assert self.own is not None
        here = [it for it in self.others if it.subnet == self.subnet]
        same = [it for it in self.others if it.port == self._door.port and it.subnet not in {"", self.subnet}]
        through = [it.name for it in same if it.reached]
        controls = [it.name for it in self.others if not it.subnet and it.reached]
        place = f"{self.own.via} ({self.own.source})" if self.own.via else self.own.source
        said = [f"seen from {place} alone"]
        if any(it.reached for it in here):
            ports = sorted({it.port for it in here if it.reached})
            said.append(f"port {', '.join(map(str, ports))} gets out from there: this is about port {self._door.port}")
        if through:
            said.append(f"from {', '.join(through)} it is reached: a rule for that address or for {self.subnet}")
        elif same:
            said.append("no subnet that was looked from gets through: the site's way out, or its provider's line")
        if controls:
            said.append(f"{', '.join(controls)}, outside the site, gets through: the service is there")
        return "; ".join(said)

    @property
    def remedy(self) -> str:
        """What to ask a network team for, and what to look for in their logs; nothing where it was reached."""
        if self.reached or self.own is None:
            return ""
        door = self._door
        return (
            f"let {self.subnet} out to {door.host}:{door.port} at the firewall. Likely {self.how}; {self.where}. "
            f"In its log: {self.own.logged}"
        )


_HOW: dict[Kind, str] = {
    "unresolved": "its name server (EGR-4): no connection was tried",
    "timed-out": "a rule that drops without a word",
    "refused": "a rule that rejects (by TCP reset or port unreachable): the service itself listens there",
    "unreachable": "a router or firewall that says no (ICMP unreachable or prohibited)",
    "prohibited": "a rule of this machine's own, or a router or firewall that says so",
    "reset": "something on the way that cuts the connection (intrusion prevention, proxy)",
}
