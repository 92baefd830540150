"""SPF as a receiving service evaluates it (RFC 7208), for the mechanisms that the lab's zone uses."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lab.zones import Zones

Result = Literal["pass", "fail", "softfail", "neutral", "none", "permerror"]
LOOKUPS = 10  # RFC 7208 §4.6.4
_QUALIFIERS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class _PermanentError(Exception):
    pass


def check_host(zones: Zones, address: str, domain: str) -> Result:
    """Judge a client's address for a domain, as the public zone states it."""
    try:
        return _check(zones, address, domain, [0])
    except _PermanentError:
        return "permerror"


def _check(zones: Zones, address: str, domain: str, spent: list[int]) -> Result:
    records = [text for text in zones.get("outside", domain, "TXT") or [] if (text + " ").startswith("v=spf1 ")]
    if not records:
        return "none"
    if len(records) > 1:
        raise _PermanentError
    for term in records[0].split()[1:]:
        qualifier, mechanism = (term[0], term[1:]) if term[0] in _QUALIFIERS else ("+", term)
        if _matches(zones, address, mechanism, spent):
            return _QUALIFIERS[qualifier]
    return "neutral"


def _matches(zones: Zones, address: str, mechanism: str, spent: list[int]) -> bool:
    name, _, value = mechanism.partition(":")
    if name == "all":
        return True
    if name == "ip4":
        return ip_address(address) in ip_network(value, strict=False)
    if name == "include":
        spent[0] += 1
        if spent[0] > LOOKUPS:
            raise _PermanentError
        result = _check(zones, address, value, spent)
        if result in {"none", "permerror"}:
            raise _PermanentError  # RFC 7208 §5.2
        return result == "pass"
    raise _PermanentError


def dmarc_policy(zones: Zones, domain: str) -> str:
    """Return a domain's published DMARC policy, ``none`` where it has no record (RFC 7489)."""
    for text in zones.get("outside", f"_dmarc.{domain}", "TXT") or []:
        tags = dict(tag.strip().partition("=")[::2] for tag in text.split(";"))
        if tags.get("v") == "DMARC1":
            return tags.get("p", "none")
    return "none"
