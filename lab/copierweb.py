"""The two web ports of each copier: Web Image Monitor, or one of the ways in which it fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.httpserver import Request, Response, read_request, serve
from lab.plan import engineers_address
from lab.wim import WebImageMonitor
from lab.wimpages import HEADERS, SERVER

if TYPE_CHECKING:
    import ssl

    from lab.estate import Copier, Estate, WebState
    from lab.httpserver import Client
    from lab.journal import Journal
    from lab.net import Net
    from lab.tlsfiles import Tls

_FRAME = b"/web/guest/en/websys/webArch/mainFrame.cgi"
HUGE = 100 * 1024 * 1024  # bytes
_FOREVER = 3600.0  # seconds; longer than any run waits


async def start(estate: Estate, net: Net, tls: Tls, journal: Journal) -> list[asyncio.Server]:
    """Open both web ports of every copier that is there."""
    servers, engineer = [], engineers_address(estate.plan)
    for copier in estate.copiers.values():
        if not copier.alive:
            continue
        monitor = WebImageMonitor(copier.state, journal, engineer)
        for port, state in ((80, copier.http), (443, copier.https)):
            if state == "refused":
                net.refuse(copier.address, port)
                continue
            sock = net.listen(copier.address, port)
            client = _client(copier, state, monitor)
            context = _context(state, tls) if port == 443 else None
            servers.append(await asyncio.start_server(client, sock=sock, ssl=context))
    return servers


def _context(state: WebState, tls: Tls) -> ssl.SSLContext | None:
    if state in {"stall", "silent"}:
        return None  # a stall is in the handshake: the port speaks no TLS at all
    if state == "tls1.2-rsa":
        return tls.copier_rsa()
    return tls.copier_old if state == "tls1.0" else tls.copier


def _client(copier: Copier, state: WebState, monitor: WebImageMonitor) -> Client:
    if state in {"page", "tls1.0", "tls1.2-rsa"}:
        return serve(monitor.answer, keep_alive=False)
    if state in {"error", "redirect", "proxy", "other-make"}:
        return serve(lambda request: _answer(copier, state, request), keep_alive=False)
    return lambda reader, writer: _misbehave(state, reader, writer)


async def _answer(copier: Copier, state: WebState, request: Request) -> Response:
    if state == "error":
        return Response(500, b"<html><body>Internal Server Error</body></html>", dict(HEADERS))
    if state == "redirect":
        return Response(302, b"", {**HEADERS, "Location": f"https://{copier.address}{request.path}"})
    if state == "proxy":
        page = b"<html><head><title>Network sign-in</title></head><body><form><input name='user'></form></body></html>"
        return Response(200, page, {"Server": "gateway", "Content-Type": "text/html"})
    if request.path != "/":
        return Response(404, b"", {"Server": "HP HTTP Server"})
    page = b"<html><head><title>HP LaserJet MFP M528</title></head><body>HP LaserJet MFP M528</body></html>"
    return Response(200, page, {"Server": "HP HTTP Server; HP LaserJet MFP M528", "Content-Type": "text/html"})


async def _misbehave(state: WebState, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        if state in {"silent", "stall"}:
            await asyncio.sleep(_FOREVER)
        await read_request(reader)
        if state == "endless-head":
            writer.write(b"HTTP/1.1 200 OK\r\nServer: " + SERVER.encode() + b"\r\n")
            while True:
                writer.write(b"X-Filler: " + b"a" * 1000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)  # a slow device's pace: the lab must not take the machine
        writer.write(b"HTTP/1.1 200 OK\r\nServer: " + SERVER.encode() + b"\r\nContent-Type: text/html\r\n")
        if state == "huge":
            writer.write(f"Content-Length: {HUGE}\r\n".encode())
        writer.write(b'\r\n<html><script>location.href="' + _FRAME + b'";</script>')
        sent = 0
        while state == "endless-body" or sent < HUGE:
            writer.write(b"<!--" + b"x" * 16377 + b"-->")
            sent += 16384
            await writer.drain()
            await asyncio.sleep(0.001)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # the client had enough
    finally:
        writer.close()
