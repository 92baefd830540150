"""The first page of a device's web server, over HTTP and HTTPS.

By plain sockets rather than an HTTP client: thousands of devices at once, each read to a limit, and
what ended a response early is a fact of its own.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from scanproof.certificates import tls_seen
from scanproof.evidence import WebPage
from scanproof.kinds import probe
from scanproof.patience import within
from scanproof.redact import plain
from scanproof.stream import Stream
from scanproof.troubles import Trouble, connecting, handshaking

if TYPE_CHECKING:
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
            return _ended({"url": url, "connected": False}, connecting(error))
        stream = Stream(sock)
        try:
            if port == 443:
                await _secure(stream, run)
            request = f"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
            body, trouble = await _ask(stream, request.encode(), run.network.deadlines.response)
            return _parsed({"url": url, "connected": True, "tls": tls_seen(stream.tls)}, body, trouble)
        except _NoTlsError as error:
            return _ended({"url": url, "connected": True}, error.why)
        finally:
            stream.close()  # a device that never closes must not hold the run


def _ended(page: dict[str, Any], why: Trouble) -> WebPage:
    return WebPage(**page, trouble=why.words, trouble_kind=why.kind)


class _NoTlsError(Exception):
    """Holds why there was no handshake."""

    def __init__(self, why: Trouble) -> None:
        super().__init__(why.words)
        self.why = why


async def _secure(stream: Stream, run: Run) -> None:
    # The number of handshakes at once is bounded: too many make live devices fail (docs/design.md).
    async with run.turn("tls"):
        try:
            async with within(run.network.deadlines.tls):
                await stream.secure(run.network.tls("device"))
        except OSError as error:  # ssl.SSLError is one
            raise _NoTlsError(handshaking(error)) from None


_NONE = Trouble("", "")


async def _ask(stream: Stream, request: bytes, deadline: float) -> tuple[bytes, Trouble]:
    """Send a request, and read the response to its end, the limit or the deadline; say what ended it early."""
    received = bytearray()
    try:
        async with within(deadline):
            await stream.send(request)
            while len(received) < LIMIT:
                part = await stream.receive(LIMIT - len(received))
                if not part:
                    return bytes(received), _NONE
                received += part
                if b"\r\n\r\n" not in received and len(received) > HEADERS:
                    return bytes(received), Trouble("garbled", f"headers did not end within {HEADERS} bytes")
                if b"</title>" in received.lower():
                    return bytes(received), _NONE
    except TimeoutError:
        return bytes(received), Trouble("timed-out", f"the response did not end within {deadline:g} s")
    except OSError as error:
        return bytes(received), connecting(error)
    return bytes(received), Trouble("", f"cut after {LIMIT} bytes")


_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b[^\r\n]*\r?\n")


def _parsed(page: dict[str, Any], received: bytes, trouble: Trouble) -> WebPage:
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        head, blank, body = received.partition(b"\n\n")
    status = _STATUS.match(head + b"\r\n")
    page["received"] = len(received)
    if not status or not blank:
        if trouble == _NONE and received:
            trouble = Trouble("garbled", "not an HTTP response")
        elif trouble == _NONE:
            trouble = Trouble("closed", "closed without a response")
        return _ended(page, trouble)
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\n")[1:]:  # splitlines would end a line at VT, FF and NEL too
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value)
    title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
    text = html.unescape(title.group(1).decode("utf-8", "replace")) if title else ""
    return WebPage(
        **page,
        trouble=trouble.words,
        trouble_kind=trouble.kind,
        status=int(status.group(1)),
        location=plain(headers.get("location", "").strip(), 500),
        server=plain(headers.get("server", "").strip(), 500),
        title=plain(" ".join(text.split()), 200),
    )
