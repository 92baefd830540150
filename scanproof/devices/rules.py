"""What a device's settings should be for its route, and what of them is wrong."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.devices.facts import AddressBook, EmailSettings, Identity, SendSettings
    from scanproof.site import Copier, Site

MAILBOX_LIMIT = 35_840  # KB: what Exchange Online lets a mailbox send by default (35 MB; from memory)


def host_wrong(settings: EmailSettings, copier: Copier, site: Site) -> str:
    """Say what is wrong with a device's SMTP host; empty where it is its route's."""
    host, right = (settings.host or "").lower().rstrip("."), site.services[copier.route].host
    if host == right:
        return ""
    if host in {retired.lower() for retired in site.file.mail.retired_hosts}:
        return f"{host} is the retired server"
    if not host:
        return "the SMTP host is blank"
    if _is_address(host):
        return f"{host} is an IP address: the service changes those, and keeps its names"
    return f"{host} is another host"


def port_wrong(settings: EmailSettings, copier: Copier, site: Site) -> list[str]:
    """Say what is wrong with port and encryption for a device's route."""
    right, found = site.services[copier.route].port, []
    if settings.port != str(right):
        sure = (
            " (465 is TLS from the first byte, which Exchange Online does not offer)" if settings.port == "465" else ""
        )
        found.append(f"port {settings.port or 'blank'}{sure}")
    if copier.route == "smtp-auth" and settings.ssl is not True:
        found.append("the secure connection is off: STARTTLS is required")
    return found


def auth_wrong(settings: EmailSettings, copier: Copier) -> list[str]:
    """Say what is wrong with how a device signs in."""
    found = []
    if copier.route != "smtp-auth":
        found += ["SMTP authentication is on, where the route has none"] if settings.auth else []
    elif not settings.auth:
        found.append("SMTP authentication is off")
    elif (settings.user or "").lower() != (copier.sender or "").lower():
        found.append(f"it signs in as {settings.user or 'nobody'}")
    if settings.pop_before_smtp:
        found.append("POP before SMTP is on: it asks a mailbox service that is gone")
    return found


def from_wrong(settings: EmailSettings, copier: Copier, site: Site) -> list[str]:
    """Say which of a device's from-addresses the service will refuse."""
    used = from_addresses(settings, copier)
    if copier.route == "smtp-auth":
        may = site.send_as.get(copier.sender or "", frozenset())
        return [f"{name} is {address}" for name, address in used.items() if address not in may]
    domain = site.file.mail.domain
    return [f"{name} is {address}" for name, address in used.items() if address.partition("@")[2] != domain]


def from_addresses(settings: EmailSettings, copier: Copier) -> dict[str, str]:
    """Return the from-addresses that a device may use, by what they are: that of a sign-in only where there is one."""
    stated = {"the administrator's address": settings.admin_address}
    if copier.route == "smtp-auth":
        stated["the SMTP address"] = settings.auth_address
    return {name: address.lower() for name, address in stated.items() if address}


def from_untold(settings: EmailSettings, copier: Copier) -> str:
    """Say why an e-mail page doesn't tell which from-address is used; empty where it does."""
    names = ("admin_address",) if copier.route != "smtp-auth" else ("admin_address", "auth_address")
    if lacks := settings.absent(*names):
        return lacks
    return "" if from_addresses(settings, copier) else f"no from-address is set: {settings.seen}"


def foreign_logins(book: AddressBook, copier: Copier) -> list[str]:
    """Return the entries that sign in as somebody else than the device's sender."""
    own = {"", (copier.sender or "").lower()}
    return [f"{it.number} {it.name} as {it.login}" for it in book.entries if (it.login or "").lower() not in own]


def older(firmware: str, minimum: str) -> bool | None:
    """Tell whether a firmware is older than a minimum; None where either is no version."""
    found, least = _version(firmware), _version(minimum)
    return found < least if found and least else None


def same_line(one: str, other: str) -> bool:
    """Tell whether two firmwares are of one line: equal in their first two numbers."""
    lines = [(*_version(text), 0)[:2] for text in (one, other) if _version(text)]
    return len(lines) == 2 and lines[0] == lines[1]


def _version(text: str) -> tuple[int, ...]:
    match = re.match(r"\s*[vV]?(\d{1,6}(?:\.\d{1,6})*)", text)
    parts = [int(part) for part in match.group(1).split(".")] if match else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts) or ((0,) if match else ())


def size_wrong(settings: SendSettings) -> str:
    """Say what keeps large scans from arriving whole; empty where nothing does."""
    if settings.divides:
        return "larger scans are divided, and arrive as several mails that nobody joins"
    if settings.limited is False:
        return "there is no limit: a scan above the mailbox's is refused after it was made"
    if (settings.kilobytes or 0) > MAILBOX_LIMIT:
        return f"the limit is {settings.kilobytes} KB, the mailbox's {MAILBOX_LIMIT} KB"
    return ""


def name_servers_of(copier: Copier, site: Site) -> tuple[str, ...]:
    """Return the name servers that the site states for a copier's subnet; none where it states none."""
    return next((subnet.resolvers for subnet in site.subnets if subnet.prefix == copier.subnet), ())


def names_wrong(found: Identity, copier: Copier, site: Site) -> list[str]:
    """Say which of a device's name servers and gateway are retired, or not those of its subnet."""
    gone = set(site.file.mail.retired_hosts)
    listed = name_servers_of(copier, site)
    wrong = [f"name server {it} is a retired server" for it in found.name_servers if it in gone]
    if listed:
        wrong += [
            f"name server {it} is not one of the subnet's" for it in found.name_servers if it not in {*listed, *gone}
        ]
    if found.gateway in gone:
        wrong.append(f"gateway {found.gateway} is a retired server")
    return wrong


def same(found: Identity, copier: Copier) -> list[str]:
    """Say in which ways a device is not the listed one."""
    wrong = []
    if copier.serial and found.serial and bare(found.serial) != bare(copier.serial):
        wrong.append(f"its serial is {found.serial}")
    if copier.model and found.model and not alike(found.model, copier.model):
        wrong.append(f"its model is {found.model}")
    if copier.make and found.make and bare(found.make) != bare(copier.make):
        wrong.append(f"its make is {found.make}")
    return wrong


def other_certificate(found: Identity) -> str:
    """Say which other certificate a device shows than when it was first seen; empty where it doesn't, or shows none."""
    if not (found.certificate and found.known_certificate) or found.certificate == found.known_certificate:
        return ""
    return f"it shows another certificate than before, SHA-256 {found.certificate}"


def hidden_certificate(found: Identity) -> str:
    """Say that a device which is known by its certificate shows none, so that who answers there can't be told."""
    if found.certificate or not found.known_certificate:
        return ""
    return f"it shows no certificate, where {known_certificate(found)} was expected"


def known_certificate(found: Identity) -> str:
    """Say which certificate a device is known by, and since when; empty for a device that was not seen before."""
    if not found.known_certificate:
        return ""
    since = f"{found.known_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if found.known_since else "an earlier run"
    return f"the certificate known since {since}, SHA-256 {found.known_certificate}"


def recognised(found: Identity, copier: Copier) -> bool:
    """Tell whether a device told what the list has of it: its serial, else its model."""
    return bool(found.serial if copier.serial else found.model)


def listed(found: Identity, copier: Copier) -> str:
    """Say which device is expected, by the list and by its known certificate."""
    parts = [copier.model or copier.make, f"serial {copier.serial or 'not listed'}", known_certificate(found)]
    return ", ".join(part for part in parts if part)


def bare(text: str) -> str:
    """Return a name's letters and digits alone: lists and devices write the others as they like."""
    return re.sub(r"[^0-9a-z]", "", text.lower())


def alike(one: str, other: str) -> bool:
    """Tell whether two names are of one model: lists and devices add the make or "Aficio" as they like.

    A number that goes on is another model: an IM C300 is no IM C3000.
    """
    short, long = sorted((re.sub(r"^(ricoh|aficio)+", "", bare(name)) for name in (one, other)), key=len)
    return bool(short) and bool(re.search(rf"(?<![0-9]){re.escape(short)}(?![0-9])", long))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
