"""By which route a delivered mail came: read from its headers, as the recipient's own tenant wrote them.

Microsoft documents most of these fields nowhere, and has changed some; so no single one is believed,
and two must agree (docs/replies.md says where each was seen).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.sitefile import Route

Sign = Literal["signed in", "not signed in", "by connector"]

SIGNS = frozenset(
    {
        "received",
        "received-spf",
        "authentication-results",
        "x-forefront-antispam-report",
        "x-ms-exchange-organization-authas",
        "x-ms-exchange-crosstenant-authas",
        "x-ms-exchange-organization-fromentityheader",
        "x-ms-exchange-crosstenant-fromentityheader",
    }
)
_NOBODY = "255.255.255.255"  # the connecting address of a mail that was submitted inside the service
_ENTITY: dict[str, Sign] = {"hosted": "signed in", "hybridonprem": "by connector", "internet": "not signed in"}


def route_signs(headers: Iterable[tuple[str, str]]) -> list[tuple[Sign, str]]:
    """Return what each telling header says of the route, with the words that say it.

    Args:
        headers: name and value of each header, in order; repeated names are several.
    """
    signs: dict[str, Sign] = {}
    for name, value in headers:
        low = name.lower()
        if low.endswith("-authas"):
            signs[f"AuthAs {value}"] = "signed in" if value.strip().lower() == "internal" else "not signed in"
        elif low.endswith("-fromentityheader") and value.strip().lower() in _ENTITY:
            signs[f"FromEntityHeader {value}"] = _ENTITY[value.strip().lower()]
        elif low == "x-forefront-antispam-report" and (found := re.search(r"\bCIP:([0-9A-Fa-f.:]+?);", value)):
            address = found.group(1)
            signs[f"connecting address {address}"] = "signed in" if address == _NOBODY else "not signed in"
        elif low == "received" and " with mapi " in f" {' '.join(value.split())} ":
            signs["Received with mapi"] = "signed in"
        elif low == "received-spf" or (low == "authentication-results" and "spf=" in value):
            signs[f"{name} with an SPF result"] = "not signed in"
    return [(sign, words) for words, sign in signs.items()]


def agree(signs: Iterable[tuple[str, str]], route: Route) -> bool:
    """Tell whether at least two headers show the route, and none another.

    A mail by connector also bears the signs of one that wasn't signed in for, so that a relay is shown only by
    a header that names the connector's kind of sender.
    """
    found = [sign for sign, _ in signs]
    if route == "relay" and "by connector" not in found:
        return False
    fitting = {"smtp-auth": {"signed in"}, "direct-send": {"not signed in"}, "relay": {"not signed in", "by connector"}}
    return len(found) >= 2 and all(sign in fitting[route] for sign in found)
