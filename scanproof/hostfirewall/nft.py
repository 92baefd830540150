"""The rules of nftables, from ``nft -n -j list ruleset``; its words are those of libnftables-json(5)."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Literal

from scanproof.hostfirewall.packet import Chain, Part, Rule
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scanproof.hostfirewall.packet import Kind, Range

# include/uapi/linux/netfilter/nf_conntrack_common.h, as bits: -n gives numbers for the words.
_STATES = {1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"}
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132}
_HARMLESS = frozenset(
    {"counter", "log", "mangle", "notrack", "comment", "set", "map", "dup", "secmark", "last", "flow", "synproxy"}
    | {"ct helper", "ct timeout", "ct expectation"}
)
_TRANSLATING = frozenset({"snat", "dnat", "masquerade", "redirect", "tproxy"})  # and let it go
_ENDING: dict[str, Literal["drop", "accept", "return", "continue", "queue"]] = {
    "drop": "drop",
    "reject": "drop",
    "accept": "accept",
    "return": "return",
    "continue": "continue",
    "queue": "queue",
}
_FIELDS: dict[str, Kind] = {"dport": "dport", "sport": "sport"}
_META: dict[str, Kind] = {"oif": "out", "oifname": "out", "skuid": "uid", "skgid": "gid", "l4proto": "protocol"}
Sets = dict[tuple[str, str], list[Any]]


class RulesError(Exception):
    """What was printed is not a list of rules: says why."""


def read(text: str) -> list[Chain]:
    """Read a ruleset.

    Raises:
        RulesError: it is none.
    """
    try:
        return _chains(json.loads(text)["nftables"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, RuntimeError) as error:
        raise RulesError(f"nft printed no ruleset that can be read ({type(error).__name__})") from None


def _chains(objects: list[dict[str, Any]]) -> list[Chain]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    sets: Sets = {}
    dormant: set[str] = set()
    for entry in objects:
        if not entry:
            continue
        name, what = next(iter(entry.items()))
        if name in {"set", "map"}:
            sets[_place(what), f"@{what['name']}"] = what.get("elem") or []
        elif name == "table" and "dormant" in (what.get("flags") or ()):
            dormant.add(f"{what['family']} {what['name']}")
        elif name == "chain":
            found[_place(what), what["name"]] = what
    for entry in objects:
        if "rule" in entry:
            what = entry["rule"]
            key = (_place(what), what["chain"])
            rules.setdefault(key, []).extend(_rules(what, key, sets))
    return [
        Chain(
            place=place,
            name=name,
            family=what["family"],
            rules=tuple(rules.get((place, name), ())),
            hook=str(what.get("hook", "")),
            priority=what["prio"] if isinstance(what.get("prio"), int) else 0,
            drops=what.get("policy") == "drop",
        )
        for (place, name), what in found.items()
        if place not in dormant
    ]


def _place(what: dict[str, Any]) -> str:
    return f"{what['family']} {what['table']}"


def _rules(what: dict[str, Any], key: tuple[str, str], sets: Sets) -> Iterator[Rule]:
    """Return a rule; a map of verdicts is as many rules as it has elements."""
    place, chain = key
    text = plain(f"{place} {chain}: {_words(what['expr'])}", 300)
    if what.get("comment"):
        text = plain(f"{text} (“{what['comment']}”)", 400)
    parts: list[Part] = []
    ended = strange = False
    for statement in what["expr"]:
        name, value = next(iter(statement.items()))
        if name == "match":
            parts += _match(value, place, sets)
        elif name in _ENDING:
            ended = True
            yield Rule(tuple(parts), _ENDING[name], text)
        elif name in {"jump", "goto"}:
            ended = True
            yield Rule(tuple(parts), name, text, str(value["target"]))
        elif name == "vmap":
            ended = True
            yield from _mapped(value, parts, text, place, sets)
        elif name in _TRANSLATING:
            ended = True
            yield Rule(tuple(parts), "accept", text)
        elif name not in _HARMLESS:
            # A limit, a quota, an extension of iptables: whether the rest applies can't be told.
            parts.append(Part("unknown"))
            strange |= name not in {"limit", "quota", "ct count", "meter"}
    if not ended and strange:
        yield Rule(tuple(parts), "unknown", text)


def _mapped(value: dict[str, Any], parts: list[Part], text: str, place: str, sets: Sets) -> Iterator[Rule]:
    data = value["data"]
    elements = sets.get((place, data)) if isinstance(data, str) else data["set"]
    if elements is None:
        yield Rule((*parts, Part("unknown")), "unknown", text)
        return
    for element, verdict in elements:
        if element == "*":  # what is in no other element
            keyed = [Part("unknown")]
        else:
            keyed = _match({"op": "==", "left": value["key"], "right": {"set": [element]}}, place, sets)
        name, target = next(iter(verdict.items()))
        if name in {"jump", "goto"}:
            yield Rule((*parts, *keyed), name, text, str(target["target"]))
        else:
            yield Rule((*parts, *keyed), _ENDING.get(name, "unknown"), text)


def _match(value: dict[str, Any], place: str, sets: Sets) -> list[Part]:
    """Return the parts of a match: what the field itself asks for (its protocol) first, then the comparison."""
    left, right, op = value["left"], value["right"], value.get("op", "==")
    if isinstance(left, dict) and "concat" in left and op == "==":
        # The elements pair values; looked at one by one, they can only tell that none fits.
        listed = _elements(right, place, sets)
        paired = [it["concat"] for it in listed or () if isinstance(it, dict) and "concat" in it]
        if not paired or len(paired) != len(listed or ()):
            return [Part("unknown")]
        columns = zip(*paired, strict=True)
        single = [
            _match({"op": op, "left": one, "right": {"set": list(column)}}, place, sets)
            for one, column in zip(left["concat"], columns, strict=True)
        ]
        return [*(part for parts in single for part in parts), Part("unknown")]
    kind, needs = _field(left)
    if kind == "unknown":
        return [*needs, Part("unknown")]
    elements = _elements(right, place, sets)
    if op in {"<", ">", "<=", ">="}:
        return [*needs, _compared(kind, op, right)]
    values = None if elements is None else tuple(it for one in elements for it in _values(kind, one))
    if kind == "flags" and op != "in":
        values = None  # a comparison of all flags
    return [*needs, Part(kind, values, inverted=op == "!=")]


def _field(left: Any) -> tuple[Kind, list[Part]]:
    """Return what a match looks at, and the parts that its protocol stands for."""
    if not isinstance(left, dict):
        return "unknown", []
    name, about = next(iter(left.items()))
    if not isinstance(about, dict):
        return "unknown", []
    if name == "meta":
        if about.get("key") in {"nfproto", "protocol"}:
            return "family", []
        return _META.get(str(about.get("key")), "unknown"), []
    if name == "ct":
        return ("state" if about.get("key") == "state" else "unknown"), []
    if name != "payload":
        return "unknown", []
    protocol, field = str(about.get("protocol", "")), str(about.get("field", ""))
    if protocol in {"ip", "ip6"}:
        family = [Part("family", (protocol,))]
        if field in {"daddr", "saddr"}:
            return field, family  # type: ignore[return-value]
        return ("protocol" if field in {"protocol", "nexthdr"} else "unknown"), family
    if protocol == "th":
        return _FIELDS.get(field, "unknown"), []
    if protocol in _PROTOCOLS:
        number = _PROTOCOLS[protocol]
        kind: Kind = "flags" if (protocol, field) == ("tcp", "flags") else _FIELDS.get(field, "unknown")
        return kind, [Part("protocol", ((number, number),))]
    return "unknown", []


def _elements(right: Any, place: str, sets: Sets) -> list[Any] | None:
    if isinstance(right, str) and right.startswith("@"):
        return sets.get((place, right))
    if isinstance(right, dict) and "set" in right:
        return list(right["set"]) if isinstance(right["set"], list) else [right["set"]]
    return right if isinstance(right, list) else [right]


def _compared(kind: Kind, op: str, right: Any) -> Part:
    if not isinstance(right, int) or kind in {"family", "state", "out", "flags"}:
        return Part("unknown")
    low, high = {"<": (0, right - 1), "<=": (0, right), ">": (right + 1, 2**32), ">=": (right, 2**32)}[op]
    return Part(kind, ((low, high),))


def _values(kind: Kind, element: Any) -> Iterable[str | Range]:
    """Return an element of a set as words or ranges; one that isn't understood as a word that nothing is."""
    if isinstance(element, dict) and "elem" in element:
        element = element["elem"]["val"]
    if kind == "state":
        return [_STATES.get(element, str(element))]
    if kind == "family":  # of meta nfproto and meta protocol: 2 and 10, or the EtherTypes
        # nft 1.0.6 prints EtherTypes with their bytes swapped.
        known = {2: "ip", 10: "ip6", 2048: "ip", 8: "ip", 34525: "ip6", 56710: "ip6", "ipv4": "ip", "ipv6": "ip6"}
        return [known.get(element, str(element))]
    if kind == "out":
        return [str(element)]
    if isinstance(element, dict) and "prefix" in element:
        network = ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}", strict=False)
        return [(network[0], network[-1])]
    ends = element["range"] if isinstance(element, dict) and "range" in element else [element, element]
    if kind in {"daddr", "saddr"}:
        return [(ipaddress.ip_address(ends[0]), ipaddress.ip_address(ends[1]))]
    if kind == "protocol":
        ends = [_PROTOCOLS.get(end, end) for end in ends]
    if kind == "flags":
        ends = [2 if end == "syn" else end for end in ends]
    if all(isinstance(end, int) for end in ends):
        return [(ends[0], ends[1])]
    return [str(ends[0])]


def _words(statements: list[dict[str, Any]]) -> str:
    """Say a rule about as nft does."""
    said = []
    for statement in statements:
        name, value = next(iter(statement.items()))
        if name == "match":
            op = "" if value.get("op", "==") in {"==", "in"} else f" {value['op']}"
            said.append(f"{_spoken(value['left'])}{op} {_spoken(value['right'])}")
        elif name in {"jump", "goto"}:
            said.append(f"{name} {value['target']}")
        elif name == "vmap":
            said.append(f"{_spoken(value['key'])} vmap {_spoken(value['data'])}")
        elif name not in {"counter", "comment"}:
            said.append(name)
    return " ".join(said)


def _spoken(value: Any) -> str:
    match value:
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"meta": {"key": key}}:
            return f"meta {key}"
        case {"ct": {"key": key}}:
            return f"ct {key}"
        case {"set": list(elements)}:
            return "{ " + ", ".join(_spoken(it) for it in elements[:10]) + (", …" if len(elements) > 10 else "") + " }"
        case {"range": [low, high]}:
            return f"{low}-{high}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"elem": {"val": element}}:
            return _spoken(element)
        case {"concat": list(elements)}:
            return " . ".join(_spoken(it) for it in elements)
        case str() | int():
            return str(value)
    return plain(json.dumps(value), 80)
