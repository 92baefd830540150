"""Windows Firewall's outbound rules, as PowerShell's NetSecurity module gives them (Microsoft Learn, "NetSecurity").

A rule's conditions stand in filter objects of their own, one of each kind a rule. A blocking rule wins over an allowing
one; what meets no rule is treated by its profile's DefaultOutboundAction, which is Allow unless somebody changed it.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.hostfirewall.nft import RulesError
from scanproof.hostfirewall.packet import EPHEMERAL, TCP, Met
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scanproof.hostfirewall.packet import Packet, Told


def _listing(name: str, objects: str, **fields: str) -> str:
    """Return the statement that adds objects by some of their fields, as words."""
    shown = "; ".join(f"{key} = [string]$_.{field}" for key, field in fields.items())
    return f"$o.{name} = @({objects} | ForEach-Object {{ @{{ {shown} }} }})"


def _kept(name: str, cmdlet: str, *fields: str) -> str:
    """Return the statement that adds one kind of filters, those of the rules that were read."""
    shown = "; ".join(f"{field} = @($_.{field} | ForEach-Object {{ [string]$_ }})" for field in fields)
    return f"$o.{name} = @(Kept ({cmdlet} -PolicyStore $s) | ForEach-Object {{ @{{ Id = $_.InstanceID; {shown} }} }})"


# ActiveStore is the sum of all policies that apply. Filters are read at once and joined by InstanceID, since asking for
# those of each rule takes minutes; allowing rules only where something is blocked by default.
# guess: that rules and filters of ActiveStore share InstanceID is in no reference; published scripts rest on it.
# One line, and no double quotes: it is an argument of powershell's. Enumerations become words, lists stay lists.
SCRIPT = "; ".join(
    (
        "$ErrorActionPreference = 'Stop'",
        "try { [Console]::OutputEncoding = [Text.Encoding]::UTF8 } catch { }",
        "$s = 'ActiveStore'",
        "$p = @(Get-NetFirewallProfile -PolicyStore $s)",
        "$d = @($p | Where-Object { [string]$_.DefaultOutboundAction -eq 'Block' }).Count",
        # Asking for blocking rules alone may be an error where there are none.
        "$r = @(Get-NetFirewallRule -PolicyStore $s -Direction Outbound -Enabled True)",
        "$r = @($r | Where-Object { $d -or [string]$_.Action -eq 'Block' })",
        "$i = @{}",
        "foreach ($x in $r) { $i[$x.InstanceID] = 1 }",
        "function Kept($f) { @($f | Where-Object { $i.ContainsKey($_.InstanceID) }) }",
        "$o = @{}",
        _listing("profiles", "$p", Name="Name", Enabled="Enabled", Out="DefaultOutboundAction"),
        "$n = @(Get-NetConnectionProfile -ErrorAction SilentlyContinue)",
        "$o.active = @($n | ForEach-Object { [string]$_.NetworkCategory })",
        _listing("rules", "$r", Id="InstanceID", Name="DisplayName", Action="Action", Profile="Profile"),
        "if ($r.Count) { "
        + "; ".join(
            (
                _kept("ports", "Get-NetFirewallPortFilter", "Protocol", "RemotePort", "LocalPort", "DynamicTarget"),
                _kept("addresses", "Get-NetFirewallAddressFilter", "RemoteAddress", "LocalAddress"),
                _kept("programs", "Get-NetFirewallApplicationFilter", "Program", "Package"),
                _kept("services", "Get-NetFirewallServiceFilter", "Service"),
                _kept("types", "Get-NetFirewallInterfaceTypeFilter", "InterfaceType"),
                _kept("interfaces", "Get-NetFirewallInterfaceFilter", "InterfaceAlias"),
                _kept("security", "Get-NetFirewallSecurityFilter", "LocalUser", "Authentication"),
            )
        )
        + " }",
        "$o | ConvertTo-Json -Depth 5 -Compress",
    )
)
_FILTERS = ("ports", "addresses", "programs", "services", "types", "interfaces", "security")
_NEAR = frozenset({"localsubnet", "localsubnet4", "localsubnet6", "dns", "dhcp", "wins", "defaultgateway"})
_CATEGORIES = {"domainauthenticated": "domain"}


@dataclass(frozen=True)
class Policy:
    """What applies to this machine's way out.

    Attributes:
        profiles: by name in small letters: (on, blocks by default), of the networks that are connected.
        rules: each with the conditions of its filters, by their names.
    """

    profiles: dict[str, tuple[bool, bool]]
    rules: tuple[dict[str, Any], ...]


def read(text: str) -> Policy:
    """Read what ``SCRIPT`` printed.

    Raises:
        RulesError: it is something else.
    """
    try:
        told = json.loads(text.lstrip("\ufeff"))
        known = {
            str(it["Name"]).lower(): (str(it["Enabled"]) != "False", str(it["Out"]) == "Block")
            for it in told["profiles"]
        }
        names = [str(it).lower() for it in told["active"]]
        active = {_CATEGORIES.get(name, name) for name in names} & set(known)
        filters: dict[str, dict[str, Any]] = {}
        for kind in _FILTERS:
            for it in told.get(kind) or ():
                filters.setdefault(str(it["Id"]), {}).update(it)
        rules = tuple({**filters.get(str(it["Id"]), {}), **it} for it in told["rules"])
        if not all(isinstance(rule.get("Name"), str) for rule in rules) or not known:
            raise TypeError("a rule without a name")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RulesError(f"PowerShell printed no firewall rules that can be read ({type(error).__name__})") from None
    return Policy({name: known[name] for name in known if name in active or not active}, rules)


def meets(policy: Policy, packet: Packet, programs: Sequence[str]) -> list[Met]:
    """Return what stops a connection of one of these programs, or may.

    Args:
        policy: what applies.
        packet: the connection's first.
        programs: full paths by which this process may be known.
    """
    on = {name: blocks for name, (enabled, blocks) in policy.profiles.items() if enabled}
    told = [(rule, _met(rule, packet, programs)) for rule in policy.rules if _applies(rule, on)]
    found = [
        Met("blocks" if met else "may block", f"Windows Firewall, outbound rule “{plain(rule['Name'], 120)}”")
        for rule, met in told
        if rule.get("Action") == "Block" and met is not False
    ]
    blocking = sorted(name for name, blocks in on.items() if blocks)
    allowed = [met for rule, met in told if rule.get("Action") == "Allow"]
    if blocking and True not in allowed:
        profiles = ", ".join(blocking)
        words = f"Windows Firewall, the {profiles} profile blocks outbound connections that no rule allows"
        found.append(Met("may block" if None in allowed else "blocks", words))
    sure = [met for met in found if met.effect == "blocks"]
    return sure or found


def _applies(rule: dict[str, Any], on: Iterable[str]) -> bool:
    named = {name.strip().lower() for name in str(rule.get("Profile", "Any")).split(",")}
    return bool(set(on)) and ("any" in named or bool(named & set(on)))


def _met(rule: dict[str, Any], packet: Packet, programs: Sequence[str]) -> Told:
    told = (
        _protocol(rule.get("Protocol")),
        _port(rule.get("RemotePort"), packet.port),
        _own_port(rule.get("LocalPort")),
        _address(rule.get("RemoteAddress"), packet.address),
        _address(rule.get("LocalAddress"), packet.source),
        _program(rule.get("Program"), programs),
        _only(rule.get("Package"), none=False),
        _only(rule.get("Service"), none=False),
        _only(rule.get("DynamicTarget"), none=None),
        _only(rule.get("InterfaceType"), none=None),
        _only(rule.get("InterfaceAlias"), none=None),
        _only(rule.get("LocalUser"), none=None),
        True if _listed(rule.get("Authentication")) in (["NotRequired"], []) else None,
    )
    return False if False in told else None if None in told else True


def _listed(value: Any) -> list[str] | None:
    """Return a condition's values; empty where it is no condition, None where it wasn't told."""
    if value is None:
        return None
    values = [str(it) for it in (value if isinstance(value, list) else [value]) if it is not None]
    return [] if any(it.lower() in {"any", ""} for it in values) else values


def _only(value: Any, *, none: Told) -> Told:
    """Judge a condition that this process doesn't meet (False), or of which that can't be told (None)."""
    values = _listed(value)
    return None if values is None else none if values else True


def _protocol(value: Any) -> Told:
    values = _listed(value)
    return None if values is None else not values or values[0].upper() in {"TCP", str(TCP)}


def _port(value: Any, port: int) -> Told:
    values = _listed(value)
    if not values:
        return None if values is None else True
    told: Told = False
    for text in values:
        low, _, high = text.partition("-")
        if not low.isdecimal() or not (high or low).isdecimal() or len(text) > 20:
            told = None  # a service's keyword
        elif int(low) <= port <= int(high or low):
            return True
    return told


def _own_port(value: Any) -> Told:
    values = _listed(value)
    if not values:
        return None if values is None else True
    return False if all(it.isdecimal() and int(it) < EPHEMERAL for it in values) else None


def _address(value: Any, address: str) -> Told:
    values = _listed(value)
    if not values:
        return None if values is None else True
    if not address:
        return None
    own, told = ipaddress.ip_address(address), False
    for text in values:
        try:
            if _holds(text, own):
                return True
        except ValueError:
            if text.lower() not in _NEAR:  # no mail service of Microsoft's stands in the machine's own subnet
                told = None  # type: ignore[assignment]
    return told


def _holds(text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    low, dash, high = text.partition("-")
    if dash:
        first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
        return first.version == address.version and first <= address <= last  # type: ignore[operator]
    return address in ipaddress.ip_network(text, strict=False)  # with a mask of either form


def _program(value: Any, programs: Sequence[str]) -> Told:
    values = _listed(value)
    if not values:
        return None if values is None else True
    wanted = values[0].casefold()
    if wanted == "system":
        return False
    if any(wanted == own.casefold() for own in programs):
        return True
    # A path may be written by variables: then its last part tells only that it is another program's.
    last = wanted.rpartition("\\")[2]
    return None if "%" in wanted and any(last == own.casefold().rpartition("\\")[2] for own in programs) else False
