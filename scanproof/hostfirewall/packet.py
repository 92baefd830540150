"""What a packet filter's rules make of the first packet of a connection: decided on parsed rules, nothing is sent.

Linux's two languages of rules (nftables and iptables) are read into the same few words. A part of a rule that isn't
understood is neither true nor false: such a rule blocks *maybe*, unless another part of it tells that it doesn't
concern this packet. So what isn't understood matters only where it could matter.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = tuple[int, int] | tuple[Address, Address]
Told = bool | None  # None: can't be told
Kind = Literal[
    "family", "protocol", "dport", "sport", "daddr", "saddr", "out", "state", "uid", "gid", "flags", "unknown"
]
Effect = Literal["blocks", "may block"]
STEPS = 200_000  # rules looked at for one packet: chains may jump to chains
DEEP = 16  # the kernel's own limit of jumps within jumps (NFT_JUMP_STACK_SIZE)
TCP, SYN, EPHEMERAL = 6, 2, 1024  # the client's own port is never below


@dataclass(frozen=True)
class Packet:
    """The first packet that this machine would send to a mail host.

    Attributes:
        address: the mail host's; empty where its name doesn't resolve: then one of IPv4 that isn't known.
        source: this machine's own; empty where it isn't known.
        uid: the user that sends it; None where users have no numbers.
    """

    address: str
    port: int
    source: str = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True)
class Part:
    """One condition of a rule: a field is among values.

    Attributes:
        values: words, or first and last of ranges; None where they aren't known.
    """

    kind: Kind
    values: tuple[str | Range, ...] | None = None
    inverted: bool = False

    def holds(self, packet: Packet) -> Told:
        """Tell whether a packet meets it."""
        if self.kind == "unknown" or self.values is None:
            return None
        found = self._found(packet)
        return None if found is None else found != self.inverted

    def _found(self, packet: Packet) -> Told:
        values = self.values or ()
        match self.kind:
            case "family":
                return ("ip6" if ":" in packet.address else "ip") in values  # without an address: IPv4 is asked for
            case "state":
                return "new" in values
            case "out":  # which way out is taken isn't known, but a mail host is never on the loopback
                return False if all(value == "lo" for value in values) else None
            case "sport":
                return False if all(not isinstance(v, str) and v[1] < EPHEMERAL for v in values) else None  # type: ignore[operator]
            case "daddr" | "saddr":
                own = packet.address if self.kind == "daddr" else packet.source
                return _within(ipaddress.ip_address(own), values) if own else None
        number = {"protocol": TCP, "dport": packet.port, "uid": packet.uid, "gid": packet.gid, "flags": SYN}[self.kind]
        return None if number is None else _within(number, values)


def _within(value: int | Address, ranges: Iterable[str | Range]) -> Told:
    told: Told = False
    for part in ranges:
        if isinstance(part, str):
            told = None  # a name whose number isn't known
        elif type(part[0]) is type(part[1]) is type(value) and part[0] <= value <= part[1]:  # type: ignore[operator]
            return True
    return told


@dataclass(frozen=True)
class Rule:
    """A rule: where all its parts hold, its verdict applies.

    Attributes:
        verdict: ``unknown`` of a statement that isn't understood and may end the packet's way.
        target: of ``jump`` and ``goto``.
        text: as a person finds it.
    """

    parts: tuple[Part, ...]
    verdict: Literal["drop", "accept", "return", "continue", "jump", "goto", "queue", "unknown"]
    text: str
    target: str = ""

    def met(self, packet: Packet) -> Told:
        """Tell whether a packet meets all its parts."""
        told = [part.holds(packet) for part in self.parts]
        return False if False in told else None if None in told else True


@dataclass(frozen=True)
class Chain:
    """A chain of rules; a base chain has a hook.

    Attributes:
        place: family and table, within which its name is unique.
        family: ``ip``, ``ip6``, or ``inet`` for both.
        priority: of a base chain; the lower comes first.
        drops: what met no rule is dropped.
    """

    place: str
    name: str
    family: str
    rules: tuple[Rule, ...]
    hook: str = ""
    priority: int = 0
    drops: bool = False


@dataclass(frozen=True)
class Met:
    """A rule that stops a packet, or may."""

    effect: Effect
    rule: str


LEAVING = frozenset({"output", "postrouting", "egress"})  # the hooks that a packet of this machine passes


def meets(chains: Sequence[Chain], packet: Packet) -> list[Met]:
    """Return what stops a packet of this machine's own, or may: empty where every rule lets it go."""
    walk = _Walk({(chain.place, chain.name): chain for chain in chains}, packet)
    for base in sorted((it for it in chains if it.hook in LEAVING), key=lambda it: it.priority):
        families = ("ip", "ip6") if base.family in {"inet", "netdev"} else (base.family,)
        if Part("family", families).holds(packet) is False:
            continue
        goes_on = walk.through(base, comes=True, depth=0)
        if goes_on is not False and base.drops:
            walk.add(goes_on, f"{base.place} {base.name}: the chain's policy is to drop what no rule lets go")
    sure = [met for met in walk.found if met.effect == "blocks"]
    return sure or walk.found


class _Walk:
    """One packet's way through the chains."""

    def __init__(self, chains: dict[tuple[str, str], Chain], packet: Packet) -> None:
        self._chains, self._packet, self._steps = chains, packet, 0
        self._met: dict[Met, None] = {}

    @property
    def found(self) -> list[Met]:
        """What met it, each once, in order."""
        return list(self._met)

    def add(self, sure: Told, text: str) -> None:
        self._met.setdefault(Met("blocks" if sure else "may block", text))

    def through(self, chain: Chain, *, comes: Told, depth: int) -> Told:
        """Follow a packet that comes here, for sure or maybe; return whether it goes on after the chain's end."""
        left: Told = False  # whether it may have gone back early, by a return
        for rule in chain.rules:
            self._steps += 1
            if self._steps > STEPS or depth > DEEP:
                self.add(None, f"{chain.place} {chain.name}: more rules than are followed")
                return None
            met = rule.met(self._packet)
            if met is False:
                continue
            here = True if comes and met else None
            ends: Told = True  # whether what met the rule comes to its end here
            match rule.verdict:
                case "drop":
                    self.add(here, rule.text)
                case "queue":  # a program decides
                    self.add(None, rule.text)
                case "unknown":
                    self.add(None, rule.text)
                    ends = None
                case "continue":
                    continue
                case "return":
                    left = _either(left, here)
                case "jump" | "goto":
                    target = self._chains.get((chain.place, rule.target))
                    after = self.through(target, comes=here, depth=depth + 1) if target else None
                    if target is None:
                        self.add(None, rule.text)
                    if rule.verdict == "goto":
                        left = _either(left, after)
                    else:
                        ends = None if after is None else not after
            if ends and met:
                return left
            if ends is not False:
                comes = None
        return _either(left, comes)


def _either(one: Told, other: Told) -> Told:
    """Tell whether a packet goes one way or the other: both can't be sure at once."""
    return True if True in {one, other} else None if None in {one, other} else False
