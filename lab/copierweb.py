"""The copiers' web pages, as Web Image Monitor serves them to a guest, and the ways in which they fail.

The start page, its headers and the paths are those of real devices; the look of the pages is not.
"""

from __future__ import annotations

import asyncio
import html
from typing import TYPE_CHECKING

from lab.httpserver import Request, Response, read_request, serve

if TYPE_CHECKING:
    from lab.estate import Copier, Estate, WebState
    from lab.httpserver import Client
    from lab.net import Net
    from lab.tlsfiles import Tls

BASE = "/web/guest/en/websys"
SERVER = "Web-Server/3.0"
HUGE = 100 * 1024 * 1024  # bytes
_FOREVER = 3600.0  # seconds; longer than any run waits


async def start(estate: Estate, net: Net, tls: Tls) -> list[asyncio.Server]:
    """Open both web ports of every copier that is there."""
    servers = []
    for copier in estate.copiers.values():
        if not copier.alive:
            continue
        for port, state in ((80, copier.http), (443, copier.https)):
            if state == "refused":
                net.refuse(copier.address, port)
                continue
            context = None if port == 80 else tls.copier_old if state == "tls1.0" else tls.copier
            if state in {"stall", "silent"}:
                context = None  # a stall is in the handshake: the port speaks no TLS at all
            sock = net.listen(copier.address, port)
            servers.append(await asyncio.start_server(_client(copier, state), sock=sock, ssl=context))
    return servers


def _client(copier: Copier, state: WebState) -> Client:
    if state in {"page", "tls1.0", "error", "redirect"}:
        return serve(lambda request: _answer(copier, state, request), keep_alive=False)
    return lambda reader, writer: _misbehave(state, reader, writer)


async def _answer(copier: Copier, state: WebState, request: Request) -> Response:
    headers = {"Server": SERVER, "Content-Type": "text/html; charset=UTF-8", "Expires": "0", "Pragma": "no-cache"}
    if state == "error":
        return Response(500, b"<html><body>Internal Server Error</body></html>", headers)
    if state == "redirect":
        return Response(302, b"", headers | {"Location": f"https://{copier.address}{request.path}"})
    if request.method not in {"GET", "HEAD"}:
        return Response(405, b"", headers)
    page = _pages(copier).get(request.path)
    if page is None:
        return Response(404, b"<html><body>404 Not Found</body></html>", headers)
    return Response(200, page.encode(), headers)


def _pages(copier: Copier) -> dict[str, str]:
    title = html.escape(f"{copier.host_name or 'RNP' + copier.serial} - Web Image Monitor")
    rows = "".join(
        f'<tr><td nowrap align="">{name}</td><td nowrap>:</td><td nowrap>{html.escape(value)}</td></tr>\n'
        for name, value in (
            ("Model Name", copier.model),
            ("Machine ID", copier.serial),
            ("System", "1.16"),
            ("NIB", "18.12"),
            ("Web Image Monitor", "1.09"),
        )
    )
    frame = f"{BASE}/webArch/mainFrame.cgi"
    return {
        "/": f'<html><head><title>{title}</title><script>location.href="{frame}";</script></head><body></body></html>',
        frame: (
            f'<html><head><title>{title}</title></head><frameset rows="60,*">'
            f'<frame name="header" src="{BASE}/webArch/header.cgi">'
            f'<frame name="work" src="{BASE}/webArch/topPage.cgi"></frameset></html>'
        ),
        f"{BASE}/webArch/header.cgi": '<html><body><a href="authForm.cgi">Login</a></body></html>',
        f"{BASE}/webArch/topPage.cgi": f"<html><body>{title}</body></html>",
        f"{BASE}/status/configuration.cgi": f"<html><body><table>\n{rows}</table></body></html>",
    }


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
        writer.write(b'\r\n<html><script>location.href="' + f"{BASE}/webArch/mainFrame.cgi".encode() + b'";</script>')
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
