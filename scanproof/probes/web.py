"""The first page of a device's web server, over HTTP and HTTPS.

By asyncio streams rather than an HTTP client: thousands of devices at once, each read to a limit, and
what ended a response early is a fact of its own.
"""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING

from scanproof.certificates import tls_facts, tls_trouble
from scanproof.evidence import WebPage
from scanproof.kinds import probe
from scanproof.network import says
from scanproof.redact import plain

if TYPE_CHECKING:
    import socket

    from scanproof.gather import Run
    from scanproof.site import Copier

LIMIT = 65_536  # bytes read of a response: a start page and its title are within it
HEADERS = 16_384  # bytes that a header section may have


@probe(WebPage, deadline=45)
async def http_page(copier: Copier, run: Run) -> WebPage:
    """Ask for a copier's start page on TCP port 80."""
    return await first_page(copier.address, 80, run)


@probe(WebPage, deadline=45)
async def https_page(copier: Copier, run: Run) -> WebPage:
    """Ask for a copier's start page on TCP port 443, with any certificate and old TLS allowed."""
    return await first_page(copier.address, 443, run)


async def first_page(address: str, port: int, run: Run) -> WebPage:
    """Return the start page at an address, by HTTPS on port 443 and by HTTP on any other."""
    host = f"[{address}]" if ":" in address else address
    url = f"{'https' if port == 443 else 'http'}://{host}/"
    async with run.wire(address):
        try:
            sock = await run.network.connect(address, port)
        except OSError as error:
            return WebPage(url=url, connected=False, trouble=says(error))
        # The number of handshakes at once is capped: too many make live devices fail (docs/design.md).
        try:
            async with run.turn("tls"):
                reader, writer = await _open(sock, port, run)
        except OSError as error:  # ssl.SSLError is one
            sock.close()
            return WebPage(url=url, connected=True, trouble=tls_trouble(error))
        try:
            tls = tls_facts(writer.transport)
            page = WebPage(url=url, connected=True, tls=tls)
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode())
            body, trouble = await _read(reader, run.network.deadlines.response)
            return _parsed(page, body, trouble)
        finally:
            writer.transport.abort()  # a device that never closes must not hold the run


async def _open(sock: socket.socket, port: int, run: Run) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if port != 443:
        return await asyncio.open_connection(sock=sock)
    deadline = run.network.deadlines.tls
    async with asyncio.timeout(deadline):
        return await asyncio.open_connection(
            sock=sock,
            ssl=run.network.tls("device"),
            server_hostname="",  # devices are asked by address: no name to indicate
            ssl_handshake_timeout=deadline,
        )


async def _read(reader: asyncio.StreamReader, deadline: float) -> tuple[bytes, str]:
    """Read a response to its end, the limit or the deadline; say what ended it early."""
    received = bytearray()
    try:
        async with asyncio.timeout(deadline):
            while len(received) < LIMIT:
                part = await reader.read(LIMIT - len(received))
                if not part:
                    return bytes(received), ""
                received += part
                if b"\r\n\r\n" not in received and len(received) > HEADERS:
                    return bytes(received), f"headers did not end within {HEADERS} bytes"
                if b"</title>" in received.lower():
                    return bytes(received), ""
    except TimeoutError:
        return bytes(received), f"the response did not end within {deadline:g} s"
    except OSError as error:
        return bytes(received), says(error)
    return bytes(received), f"cut after {LIMIT} bytes"


_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b[^\r\n]*\r?\n")


def _parsed(page: WebPage, received: bytes, trouble: str) -> WebPage:
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        head, blank, body = received.partition(b"\n\n")
    status = _STATUS.match(head + b"\r\n")
    page = page.model_copy(update={"received": len(received), "trouble": trouble})
    if not status or not blank:
        why = trouble or ("not an HTTP response" if received else "closed without a response")
        return page.model_copy(update={"trouble": why})
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\n")[1:]:  # splitlines would end a line at VT, FF and NEL too
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), plain(value.strip(), 500))
    title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
    text = html.unescape(title.group(1).decode("utf-8", "replace")) if title else ""
    found = {
        "status": int(status.group(1)),
        "location": headers.get("location", ""),
        "server": headers.get("server", ""),
        "title": plain(" ".join(text.split()), 200),
    }
    return page.model_copy(update=found)
