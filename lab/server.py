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

from lab import copierweb, endpoint, names, submission, tlsfiles
from lab.estate import GRAPH, LOGIN, Estate
from lab.graph import GraphServer
from lab.httpserver import serve
from lab.net import Loopback, Net
from lab.plan import engineers_address
from lab.post import PostOffice
from lab.signin import SignIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.namespaces import Namespaces


@dataclass
class Running:
    """The open servers of one lab; kept so that nothing of it is collected."""

    estate: Estate
    net: Net
    ready: dict[str, Any]
    servers: list[Any]


async def start(estate: Estate, space: Namespaces | None) -> Running:
    """Open every server of an estate, and return what its clients need to know."""
    net: Net = space or Loopback()
    plan = estate.plan
    tls = tlsfiles.make(
        (plan.submission_host, plan.tenant_endpoint, "outlook.office365.com", "mail.protection.outlook.com"),
        (plan.login_host, plan.graph_host),
    )
    post, sign_in = PostOffice(estate), SignIn(estate)
    servers: list[Any] = [
        *await names.start(estate, net),
        *await submission.start(estate, net, tls, post, sign_in),
        *await endpoint.start(estate, net, tls, post),
        *await copierweb.start(estate, net, tls),
    ]
    for address, host, handler in (
        (LOGIN, plan.login_host, sign_in.answer),
        (GRAPH, plan.graph_host, GraphServer(estate, post, sign_in).answer),
    ):
        sock = net.listen(address, 443, names=(host,))
        servers.append(await asyncio.start_server(serve(handler), sock=sock, ssl=tls.web))
    if space is not None:
        servers += await space.start_middleboxes()
    ready = {
        "network": estate.network,
        "connect_to": net.connect_to if isinstance(net, Loopback) else {},
        "udp": net.udp if isinstance(net, Loopback) else {},
        "ca_pem": tls.ca_pem,
        "secrets": estate.secrets,
        "enter": space.enter if space else None,
        "vantage": {"name": "engineer's machine (simulated)", "addresses": [engineers_address(plan)]},
        "pid": os.getpid(),
    }
    return Running(estate, net, ready, servers)


def run(estate: Estate, space: Namespaces | None, *, hold: bool) -> None:
    """Run a lab until its stdin closes; with ``hold``, say to a person what is where, and run until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(estate, space, hold=hold))


async def _run(estate: Estate, space: Namespaces | None, *, hold: bool) -> None:
    running = await start(estate, space)
    if hold:
        sys.stdout.write("\n".join(["The lab is up.", "", *_where(running), "", "Ctrl-C ends it."]) + "\n")
        sys.stdout.flush()
    else:
        sys.stdout.write(json.dumps(running.ready) + "\n")
        sys.stdout.flush()
        # A thread, since Windows can't watch a pipe from the loop. It ends the process on the spot: there is
        # nothing to save, and every socket and namespace goes with it.
        threading.Thread(target=_die_with_parent, daemon=True).start()
    await asyncio.Event().wait()


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
