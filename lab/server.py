"""Brings the whole simulated site up in this process, and takes it down with whoever started it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import control, copierweb, endpoint, farhost, names, snmp, submission, tlsfiles
from lab.estate import EXCHANGE, EXCHANGE_FAR, GRAPH, LOGIN, Estate
from lab.exchange import ExchangeServer
from lab.graph import GraphServer
from lab.httpserver import serve
from lab.journal import Journal
from lab.net import Loopback, Net
from lab.plan import MACHINE, engineers_address
from lab.post import PostOffice
from lab.scanner import Scanner
from lab.signin import SignIn

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from lab.namespaces import Namespaces


@dataclass
class Running:
    """The open servers of one lab; kept so that nothing of it is collected."""

    estate: Estate
    net: Net
    ready: dict[str, Any]
    servers: list[Any]
    journal: Journal
    scanner: Scanner


async def start(
    estate: Estate, space: Namespaces | None, *, journal: Path | None = None, button: socket.socket | None = None
) -> Running:
    """Open every server of an estate, and return what its clients need to know.

    Args:
        estate: the site.
        space: its network, where that is namespaces.
        button: the port by which a copier's button is pressed.
        journal: a file for what is asked of the tenant's APIs and of the devices.
    """
    net: Net = space or Loopback()
    plan = estate.plan
    post, sign_in, asked = PostOffice(estate), SignIn(estate), Journal(journal)
    exchange = ExchangeServer(estate, sign_in, asked)
    web = [
        (LOGIN, plan.login_host, sign_in.answer),
        (GRAPH, plan.graph_host, GraphServer(estate, post, sign_in, asked).answer),
        (EXCHANGE, plan.exchange_host, exchange.at(plan.exchange_host)),
    ]
    if estate.tenant.exchange.redirects:
        web.append((EXCHANGE_FAR, exchange.far_host, exchange.at(exchange.far_host)))
    doors = (plan.submission_host, plan.tenant_endpoint, estate.tenant.mx_host)
    tls = tlsfiles.make(
        tuple(dict.fromkeys((*doors, "outlook.office365.com", "mail.protection.outlook.com"))),
        tuple(dict.fromkeys(host for _, host, _ in web)),
    )
    servers: list[Any] = [
        *await names.start(estate, net),
        *await submission.start(estate, net, tls, post, sign_in),
        *await endpoint.start(estate, net, tls, post),
        *await copierweb.start(estate, net, tls, asked),
        *await snmp.start(estate, net),
    ]
    for address, host, handler in web:
        sock = net.listen(address, 443, names=(host,))
        servers.append(await asyncio.start_server(serve(handler, latency=estate.latency), sock=sock, ssl=tls.web))
    if space is not None:
        servers += await space.start_middleboxes()
    ssh = _far_hosts(estate, space, servers) if space is not None and estate.far else None
    scanner, told = Scanner(estate, net, post), None
    if button is not None:
        server, told = await control.start(scanner, button)
        servers.append(server)
    ready = {
        "network": estate.network,
        "connect_to": net.connect_to if isinstance(net, Loopback) else {},
        "udp": net.udp if isinstance(net, Loopback) else {},
        "ca_pem": tls.ca_pem,
        "secrets": estate.secrets,
        "enter": space.enter if space else None,
        "vantage": {"name": MACHINE, "addresses": [engineers_address(plan)]},
        "ssh": ssh,
        "pid": os.getpid(),
        "control": told,
    }
    return Running(estate, net, ready, servers, asked, scanner)


def _far_hosts(estate: Estate, space: Namespaces, servers: list[Any]) -> dict[str, str]:
    """Start the hosts that are reached over SSH; return the engineer's key, and what is known of their own."""
    keys, known = farhost.keys(), []
    for host in estate.far:
        public = keys.other_public if host.set_up_anew else keys.host_public
        known.append(f"{host.address if host.port == 22 else f'[{host.address}]:{host.port}'} {public}")
        if host.up:
            sock = space.listen(host.address, host.port)
            where = space.where[host.address]
            servers += [
                sock,
                farhost.launch(
                    sock,
                    where,
                    keys,
                    python=host.python,
                    forwards=host.forwards,
                    resolver="" if host.subnet else estate.plan.public_resolver,
                ),
            ]
    return {"client_key": keys.client, "known_hosts": "\n".join(known) + "\n"}


def run(
    estate: Estate,
    space: Namespaces | None,
    *,
    hold: bool,
    journal: Path | None = None,
    button: socket.socket | None = None,
    note: Path | None = None,
) -> None:
    """Run a lab until its stdin closes; with ``hold``, say to a person what is where, and run until Ctrl-C.

    Args:
        estate: the site.
        space: its network, where that is namespaces.
        hold: it is a person's.
        journal: a file for what is asked of the tenant's APIs and of the devices.
        button: the port by which a copier's button is pressed.
        note: a file that says where that is, where it is a person's.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(estate, space, hold=hold, journal=journal, button=button, note=note))


async def _run(
    estate: Estate,
    space: Namespaces | None,
    *,
    hold: bool,
    journal: Path | None,
    button: socket.socket | None,
    note: Path | None,
) -> None:
    running = await start(estate, space, journal=journal, button=button)
    told = running.ready["control"]
    if hold and note and told:
        control.leave(note, told)
    if hold:
        sys.stdout.write("\n".join(["The lab is up.", "", *_where(running), "", "Ctrl-C ends it."]) + "\n")
        sys.stdout.flush()
    else:
        sys.stdout.write(json.dumps(running.ready) + "\n")
        sys.stdout.flush()
        # A thread, since Windows can't watch a pipe from the loop. It ends the process on the spot: there is
        # nothing to save, and every socket and namespace goes with it.
        threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        running.servers.append(asyncio.create_task(running.scanner.first_scans()))
        await asyncio.sleep(0)  # so that it has begun before anybody asks for what it sends
        await asyncio.Event().wait()
    finally:
        if hold and note and told:
            control.take_away(note, told)


def _die_with_parent() -> None:
    with suppress(OSError):
        while sys.stdin.buffer.read(4096):
            pass
    os._exit(0)


def _where(running: Running) -> Sequence[str]:
    """Say to a person what is where."""
    estate, net = running.estate, running.net
    if not isinstance(net, Loopback):
        enter = running.ready["enter"]
        user = f"--user={enter['user']} " if enter["user"] else ""
        return [
            f"The engineer's machine: nsenter {user}--mount={enter['mnt']} --net={enter['net']} bash",
            *(f"http://{copier.address} = {copier.model} {copier.key}" for copier in estate.copiers.values()),
            *(f"{name}={value}" for name, value in estate.secrets.items()),
        ]
    lines = []
    for copier in estate.copiers.values():
        port = net.connect_to[f"{copier.address}:80"][1]
        lines.append(f"http://127.0.0.1:{port} = {copier.address} {copier.model} {copier.key}")
    for name, (address, port) in net.connect_to.items():
        if not name[0].isdigit():
            lines.append(f"{address}:{port} = {name}")
    lines += [f"{address}:{port}/udp = {name}" for name, (address, port) in net.udp.items()]
    lines += [f"{name}={value}" for name, value in estate.secrets.items()]
    return lines
