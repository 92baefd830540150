"""What the connections of an application's machine say of its mail host."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from scanproof.hosts import inside

if TYPE_CHECKING:
    from scanproof.applications.facts import Connections, MailConnection
    from scanproof.site import Application, Site


def elsewhere(found: Connections, site: Site) -> list[str]:
    """Say which connections lead to a retired server, or to one that only the site itself can have."""
    gone = _retired(found, site)
    said = []
    for it in found.mail:
        if it.address in gone:
            named = gone[it.address]
            said.append(f"{it.seen} is the retired server{f' {named}' if named != it.address else ''}")
        elif not _own(it.address) and (inside(it.address) or ipaddress.ip_address(it.address).is_link_local):
            said.append(f"{it.seen} is a private address, where no service of Microsoft 365 is")
    return said


def to_service(found: Connections) -> list[str]:
    """Say which connections lead to an address of the route's host."""
    known = {_plainly(value) for look in found.service for value in look.values}
    return [it.seen for it in _made(found) if it.address in known and not inside(it.address)]


def _made(found: Connections) -> list[MailConnection]:
    """Return the connections that were made; one that is only tried for shows a setting, and proves no way."""
    tried = {"SYN-SENT", "SYN_SENT", "SYNSENT"}
    return [it for it in found.mail if not it.states or {state.upper() for state in it.states} - tried]


def of_another(found: Connections, application: Application) -> str:
    """Say why a table is not known to be of the application's machine; empty where it is."""
    if application.address in found.own:
        return ""
    shown = ", ".join(found.own[:5]) or "none"
    if not application.address:
        return f"no address of its machine is stated, so that any machine's table would do (own addresses: {shown})"
    return f"{application.address} is none of the machine's own addresses in it ({shown})"


def untold(found: Connections, application: Application, site: Site) -> str:
    """Say why a table proves nothing; empty where it does."""
    if not found.mail:
        return "it shows no connection to a mail server: it was not saved while the application sent"
    host = site.services[application.route].host
    if all(_own(it.address) for it in found.mail):
        return "its mail goes to a mail service on the machine itself, whose own connections are not among them"
    if not any(look.told for look in found.service):
        return f"no resolver says what {host} resolves to"
    right = site.services[application.route].port
    if others := [it.seen for it in found.mail if it.port != right and not _own(it.address)]:
        return f"{others[0]} is not the port of {application.route}, {right}"
    known = {_plainly(value) for look in found.service for value in look.values}
    if others := [it.seen for it in found.mail if it.address not in known and not _own(it.address)]:
        return f"{others[0]} is no address that {host} resolves to here, which may change by the hour"
    if not to_service(found):
        return f"no connection leads to an address that {host} resolves to here, which may change by the hour"
    return ""


def _retired(found: Connections, site: Site) -> dict[str, str]:
    """Return the retired servers' addresses, each with its name.

    An address that a retired name shares with the route's host, as the public resolver gives it, is the service's:
    the old name was pointed there.
    """
    public = site.file.mail.public_resolver
    service = {_plainly(value) for look in found.service if look.resolver == public for value in look.values}
    gone = {
        _plainly(value): look.name for look in found.retired for value in look.values if _plainly(value) not in service
    }
    return gone | {_plainly(name): name for name in site.file.mail.retired_hosts}


def _plainly(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _own(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
