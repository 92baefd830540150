"""The rules of iptables, from ``iptables-save`` and ``ip6tables-save`` (iptables-extensions(8))."""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING, Literal

from scanproof.hostfirewall.nft import RulesError
from scanproof.hostfirewall.packet import Chain, Part, Rule
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.hostfirewall.packet import Kind, Range

_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}  # linux/netfilter_ipv4.h
_HOOKS = {"OUTPUT": "output", "POSTROUTING": "postrouting"}
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
_ENDING: dict[str, Literal["drop", "accept", "return", "queue"]] = {
    "DROP": "drop",
    "REJECT": "drop",
    "ACCEPT": "accept",
    "RETURN": "return",
    "QUEUE": "queue",
    "NFQUEUE": "queue",
    **dict.fromkeys(("DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP"), "accept"),
}
_HARMLESS = frozenset(
    {"LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TOS", "DSCP", "TTL", "HL", "CT", "NOTRACK", "SET", "TCPMSS", "TRACE"}
    | {"CLASSIFY", "CHECKSUM", "AUDIT", "SECMARK", "CONNSECMARK", "TCPOPTSTRIP", "RATEEST", "LED"}
)
_OPTIONS: dict[str, Kind] = {
    "-p": "protocol",
    "-d": "daddr",
    "-s": "saddr",
    "-o": "out",
    "--dport": "dport",
    "--dports": "dport",
    "--sport": "sport",
    "--sports": "sport",
    "--ctstate": "state",
    "--state": "state",
    "--uid-owner": "uid",
    "--gid-owner": "gid",
    "--dst-range": "daddr",
    "--src-range": "saddr",
}
_SAYS_NOTHING = frozenset({"-m", "--comment"})


def read(text: str, family: Literal["ip", "ip6"]) -> list[Chain]:
    """Read what a family's tables hold.

    Raises:
        RulesError: it is no such list.
    """
    rules: dict[tuple[str, str], list[Rule]] = {}
    policies: dict[tuple[str, str], str] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#") or words == ["COMMIT"]:
            continue
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and len(words) >= 2 and table:
            policies[table, words[0][1:]] = words[1]
        elif words[0] == "-A" and len(words) >= 2 and table:
            try:
                rules.setdefault((table, words[1]), []).append(_rule(line, family))
            except ValueError as error:
                raise RulesError(f"line {number} can't be read: {plain(str(error), 100)}") from None
        else:
            raise RulesError(f"line {number} is no rule: {plain(line, 60)}")
    return [
        Chain(
            place=f"{family} {table}",
            name=name,
            family=family,
            rules=tuple(rules.get((table, name), ())),
            hook=_HOOKS.get(name, "") if policy != "-" else "",
            priority=_PRIORITIES.get(table, 0),
            drops=policy == "DROP",
        )
        for (table, name), policy in policies.items()
    ]


def _rule(line: str, family: str) -> Rule:
    text = plain(f"{'ip6tables' if family == 'ip6' else 'iptables'} {line.strip()}", 400)
    words = shlex.split(line)[2:]
    parts: list[Part] = []
    inverted = False
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "!":
            inverted = True
            continue
        if word in {"-j", "-g"}:
            target = words[at] if at < len(words) else ""
            return _ended(tuple(parts), word, target, text)  # what follows is about the target
        given = []
        while at < len(words) and not words[at].startswith("-") and words[at] != "!":
            given.append(words[at])
            at += 1
        if word == "--syn":
            parts.append(Part("unknown") if inverted else Part("flags", ((2, 2),)))
        elif word == "--tcp-flags":
            first = len(given) == 2 and given[1] == "SYN" and "SYN" in given[0].split(",") and not inverted
            parts.append(Part("flags", ((2, 2),)) if first else Part("unknown"))
        elif word in _OPTIONS and len(given) == 1:
            kind = _OPTIONS[word]
            parts.append(Part(kind, tuple(it for one in given[0].split(",") for it in _values(kind, one)), inverted))
        elif word not in _SAYS_NOTHING:
            parts.append(Part("unknown"))
        inverted = False
    return Rule(tuple(parts), "continue", text)


def _ended(parts: tuple[Part, ...], word: str, target: str, text: str) -> Rule:
    if target in _ENDING:
        return Rule(parts, _ENDING[target], text)
    if target in _HARMLESS:
        return Rule(parts, "continue", text)
    # A chain of its own; where there is none of that name, an extension that isn't known: nobody knows what it does.
    return Rule(parts, "goto" if word == "-g" else "jump", text, target)


def _values(kind: Kind, text: str) -> Iterable[str | Range]:
    if kind in {"daddr", "saddr"}:
        first, dash, last = text.partition("-")
        if dash:
            return [(ipaddress.ip_address(first), ipaddress.ip_address(last))]
        network = ipaddress.ip_network(text, strict=False)
        return [(network[0], network[-1])]
    if kind in {"state", "out"}:
        return [text.lower() if kind == "state" else text]
    if kind == "protocol":
        number = _PROTOCOLS.get(text)
        return [(number, number)] if number is not None else _numbers(text)
    return _numbers(text)


def _numbers(text: str) -> Iterable[str | Range]:
    low, colon, high = text.replace("-", ":").partition(":")
    if low.isdecimal() and (high or low).isdecimal():
        return [(int(low), int(high or low) if not colon or high else 65535)]
    return [text]
