"""What single cells of a fleet list mean: addresses, subnets, makes, routes.

Each reader raises ``ValueError`` with a message that quotes the cell and says what is wrong with it;
the row's checks put the cell's name in front.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.sitefile import Route

_EMPTY = {
    "",
    "-",
    "--",
    "---",
    "\N{EN DASH}",
    "\N{EM DASH}",
    "/",
    ".",
    "?",
    "??",
    "???",
    "n/a",
    "n.a.",
    "na",
    "nil",
    "none",
    "tbd",
    "tba",
}
_EMPTY |= {"unknown", "unbekannt", "inconnu", "desconocido", "keine", "k.a.", "aucun", "ninguno", "pending"}

# Makes, and the product lines by which a model tells its make without naming it.
_MAKES = {
    "ricoh": "Ricoh", "lanier": "Lanier", "savin": "Savin", "nashuatec": "Nashuatec", "gestetner": "Gestetner",
    "rex rotary": "Rex Rotary", "infotec": "Infotec", "kyocera": "Kyocera", "utax": "UTAX",
    "triumph adler": "Triumph-Adler", "ta triumph adler": "Triumph-Adler", "hp": "HP", "hewlett packard": "HP",
    "canon": "Canon", "xerox": "Xerox", "konica minolta": "Konica Minolta", "konicaminolta": "Konica Minolta",
    "minolta": "Konica Minolta", "develop": "Develop", "lexmark": "Lexmark", "brother": "Brother", "epson": "Epson",
    "sharp": "Sharp", "toshiba": "Toshiba", "samsung": "Samsung", "oki": "OKI", "olivetti": "Olivetti",
    "fujifilm": "Fujifilm", "fuji xerox": "Fuji Xerox", "dell": "Dell", "panasonic": "Panasonic", "sindoh": "Sindoh",
    "pantum": "Pantum", "riso": "Riso", "muratec": "Muratec",
}  # fmt: skip
_LINES = (
    (re.compile(r"(aficio|(im|mp|sp|pro) ?[cpw]?w? ?\d{3,4})"), "Ricoh"),
    (re.compile(r"(taskalfa|ecosys)"), "Kyocera"),
    (re.compile(r"(color )?(laserjet|officejet|pagewide)"), "HP"),
    (re.compile(r"(imagerunner|ir ?adv|imageclass|i sensys)"), "Canon"),
    (re.compile(r"bizhub"), "Konica Minolta"),
    (re.compile(r"(workcentre|versalink|altalink|phaser)"), "Xerox"),
    (re.compile(r"e ?studio"), "Toshiba"),
    (re.compile(r"workforce"), "Epson"),
    (re.compile(r"(mfc|dcp) ?[lj]"), "Brother"),
)
# Sold under each other's name: a list that mixes these contradicts nothing.
_FAMILIES = (
    {"Ricoh", "Lanier", "Savin", "Nashuatec", "Gestetner", "Rex Rotary", "Infotec"},
    {"Kyocera", "UTAX", "Triumph-Adler", "Olivetti"},
    {"Konica Minolta", "Develop", "Olivetti"},
    {"HP", "Samsung"},
    {"Xerox", "Fuji Xerox", "Fujifilm", "Dell"},
)
_ROUTES: dict[str, Route] = {
    **dict.fromkeys(
        ("smtpauth", "smtpauthentication", "authsmtp", "authenticated", "authenticatedsmtp", "clientsubmission",
         "smtpclientsubmission", "smtpauthclientsubmission", "submission", "587", "smtp587", "port587", "smtpauth587"),
        "smtp-auth",
    ),
    **dict.fromkeys(
        ("directsend", "direct", "mx", "directmx", "directsendmx", "directsend25", "25", "port25"), "direct-send"
    ),
    **dict.fromkeys(("relay", "smtprelay", "connector", "relayconnector", "smtprelayconnector", "relay25"), "relay"),
}  # fmt: skip

_IPV4 = re.compile(r"\d{1,4}(\.\d{1,4}){3}")
_ATTEMPT = re.compile(r"[\d.,:/\s-]*[.:][\d.,:/\s-]*")


def stated(text: str) -> str:
    """Return a cell's text, or nothing where it only says that there is nothing (``n/a``, ``-``, ``tbd``)."""
    return "" if text.casefold() in _EMPTY else text


def quoted(text: str) -> str:
    """Quote a cell's text for a message, cut to a length that fits a line."""
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


def _bare(text: str) -> tuple[str, str]:
    """Strip what people write around an address: a link's parts, a port, brackets. Return it with its suffix length."""
    bare = unicodedata.normalize("NFKC", text).strip().strip(",;").rstrip(".")
    is_link = re.match(r"(?i)[a-z]{2,10}://", bare)
    if is_link:
        bare = re.split(r"[/?#]", bare[is_link.end() :], maxsplit=1)[0]
        bare = bare.rpartition("@")[2]
    bare, _, length = bare.partition("/")
    if bracketed := re.fullmatch(r"\[([^\]]*)\](:\d{1,5})?", bare):
        bare = bracketed.group(1)
    elif with_port := re.fullmatch(r"([^:]+):\d{1,5}", bare):
        bare = with_port.group(1)
    return bare.strip(), length.strip()


def is_address(text: str) -> bool:
    """Tell whether a text is an address at all, usable or not, possibly inside a link."""
    try:
        ipaddress.ip_address(_bare(text)[0])
    except ValueError:
        return bool(_IPV4.fullmatch(_bare(text)[0]))
    return True


def looks_like_address(text: str) -> bool:
    """Tell whether a text is meant as an address, right or wrong."""
    return is_address(text) or bool(_ATTEMPT.fullmatch(text))


def address(text: str) -> tuple[str, int | None]:
    """Read an address cell.

    Returns:
        The address in its normal form, and the prefix length written behind it, if any.

    Raises:
        ValueError: no address, several, or one that no copier can have.
    """
    bare, suffix = _bare(text)
    if re.search("[0-9]\\s*(-|\N{EN DASH}|\N{HORIZONTAL ELLIPSIS}|[.][.]+|bis|to)\\s*[0-9]", bare) and "." in bare:
        raise ValueError(f"{quoted(text)} is a range of addresses; give each copier a row with its own")
    if len(re.findall(_IPV4, text)) > 1:
        raise ValueError(f"{quoted(text)} holds more than one address; give each copier a row with its own")
    if _IPV4.fullmatch(bare) and any(len(part) > 1 and part[0] == "0" for part in bare.split(".")):
        plain = ".".join(str(int(part)) for part in bare.split("."))
        raise ValueError(f"{quoted(text)} has leading zeros, which some programs read as octal; write {plain} if meant")
    if "%" in bare:
        raise ValueError(
            f"{quoted(text)} has a zone and is valid on one machine only; write the copier's routed address"
        )
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an IPv4 or IPv6 address") from None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if why := _unusable(found):
        raise ValueError(f"{quoted(text)} is {why}; write the copier's own address")
    length = None
    if suffix.isascii() and suffix and (suffix.isdigit() or "." in suffix):
        length = _length(suffix, found.version, text)
        if edge := edge_of(str(found), f"{found}/{length}"):
            raise ValueError(f"{quoted(text)} is {edge}; write the copier's own address")
    return str(found), length


def _unusable(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    kinds = (
        (found.is_unspecified or found in ipaddress.ip_network("0.0.0.0/8"), "no device's address"),
        (found.is_loopback, "a loopback address"),
        (found.is_multicast, "a multicast address"),
        (found.is_link_local, "a link-local address, which a device gives itself when DHCP didn't answer"),
        (str(found) == "255.255.255.255", "the broadcast address"),
        (found.version == 4 and found.is_reserved, "a reserved address"),
    )
    return next((why for holds, why in kinds if holds), "")


def edge_of(text: str, prefix: str) -> str:
    """Say of an address that it is its subnet's network or broadcast address; empty if it is neither."""
    network = ipaddress.ip_network(prefix, strict=False)
    if network.version == 4 and network.prefixlen < 31:
        if text == str(network.broadcast_address):
            return f"the broadcast address of {network}"
        if text == str(network.network_address):
            return f"the network address of {network}"
    return ""


def _length(text: str, version: int, shown: str) -> int:
    """Read a prefix length: ``24``, ``/24`` or ``255.255.255.0``."""
    family = "0.0.0.0" if version == 4 else "::"  # noqa: S104 - nothing is bound
    try:
        length = ipaddress.ip_network(f"{family}/{text.strip().removeprefix('/').strip()}").prefixlen
    except ValueError:
        length = 0
    if not length:
        raise ValueError(f"{quoted(shown)} is not a subnet mask or prefix length such as 255.255.255.0 or /24")
    return length


def prefix(subnet: str, mask: str, of: str) -> str | None:
    """Read what a row states of its subnet.

    Args:
        subnet: ``10.20.90.0/24``, ``10.20.90.0`` with a mask, a mask alone, or a name, which says nothing.
        mask: ``255.255.255.0``, ``/24`` or ``24``.
        of: the row's address.

    Returns:
        The subnet, or None where nothing is stated.

    Raises:
        ValueError: it can't be read, or doesn't hold the address.
    """
    device, subnet, mask = ipaddress.ip_address(of), stated(subnet), stated(mask)
    if not subnet and not mask.startswith("/") and ("/" in mask or (is_address(mask) and not mask.startswith("255."))):
        subnet, mask = mask, ""  # 10.20.90.0/24 under a heading such as Prefix
    head, slash, tail = (part.strip() for part in subnet.partition("/"))
    is_mask = head.startswith(("255.", "/")) or (slash and not head)
    base = ""
    if subnet and not is_mask and looks_like_address(head) and (slash or is_address(head)):
        base, mask = head, tail or mask
    elif is_mask:
        mask = mask or subnet
    if base and not mask:
        return None  # a network without a length
    if not mask:
        return None
    shown = subnet if base and tail else mask
    length = _length(mask, device.version, shown)
    try:
        network = ipaddress.ip_network(f"{base or device}/{length}", strict=False)
    except ValueError:
        raise ValueError(f"{quoted(subnet)} is not a subnet such as 10.20.90.0/24") from None
    if device not in network:
        raise ValueError(f"{quoted(subnet or mask)} does not hold this row's address {of}; correct one of the two")
    return str(network)


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+|_", " ", text.casefold()).split())


def named_make(text: str) -> str | None:
    """Return the make whose name a text begins with, as its maker writes it."""
    words = _words(text)
    known: Iterable[str] = (name for name in _MAKES if words == name or words.startswith(f"{name} "))
    longest = max(known, key=len, default=None)
    return _MAKES[longest] if longest else None


def make(text: str, model: str) -> str | None:
    """Return a copier's make from its make cell, else from its model; None if neither tells it.

    Raises:
        ValueError: the two name different makes.
    """
    text, in_model = stated(text), named_make(stated(model))
    if not text:
        words = _words(stated(model))
        return in_model or next((name for pattern, name in _LINES if pattern.match(words)), None)
    said = named_make(text) or text
    related = any({said, in_model} <= family for family in _FAMILIES)
    if in_model and in_model.casefold() != said.casefold() and not related:
        raise ValueError(f"{quoted(text)} contradicts the model {quoted(model)}; correct one of the two")
    return said


def model(text: str, make: str | None) -> str:
    """Return a model without the make in front: devices say ``IM C3000`` where lists say ``RICOH IM C3000``."""
    rest = text[len(make) :].strip() if make and text.casefold().startswith(f"{make.casefold()} ") else ""
    return rest or text


def route(text: str) -> Route | None:
    """Read a route cell.

    Raises:
        ValueError: it names no route.
    """
    if not stated(text):
        return None
    found = _ROUTES.get(re.sub(r"[^a-z0-9]+", "", text.casefold()))
    if not found:
        raise ValueError(f"{quoted(text)} is not a route; write smtp-auth, direct-send or relay")
    return found
