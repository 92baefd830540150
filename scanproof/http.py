"""httpx over the one seam: every connection of a client is opened by ``Network.connect``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import httpcore
import httpx

from scanproof.patience import within
from scanproof.troubles import connecting, handshaking

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable

    from scanproof.network import Network


class NotAllowed(Exception):  # noqa: N818 - a defect of the suite, which the gatherer reports as such
    """A request that the suite may not make; it was not sent."""


def retry_after(given: str) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, as a number or as a date (RFC 9110 §10.2.3); else None."""
    if given.isascii() and given.isdecimal():
        return float(given)
    try:
        until = parsedate_to_datetime(given)
        return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


LIMIT = 8 * 1024 * 1024  # bytes of one body: a thousand messages' headers are well within it


def client(
    network: Network,
    purpose: Literal["service", "device"] = "service",
    *,
    allow: Callable[[httpx.Request], None] | None = None,
    keep: int = 0,
    pin: str = "",
    limit: int = LIMIT,
) -> httpx.AsyncClient:
    """Return an HTTP client that reaches the world through a vantage, ignores proxy variables and follows nothing.

    Args:
        network: the vantage's wire.
        purpose: which TLS context it uses.
        allow: looks at each request before it is sent, and raises where it may not be.
        keep: connections to keep for the next request; whoever asks for any closes the client.
        limit: bytes of one body.
        pin: SHA-256 of the only certificate to speak with, in hexadecimal; looked at before anything is sent.
    """
    deadlines = network.deadlines
    timeout = httpx.Timeout(deadlines.response, connect=deadlines.connect + deadlines.tls)
    return httpx.AsyncClient(
        transport=_Transport(network, purpose, allow, keep=keep, pin=pin, limit=limit),
        timeout=timeout,
        follow_redirects=False,
    )


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pin: str = "") -> None:
        self._reader, self._writer, self._pin = reader, writer, pin

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            async with within(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError(connecting(error).words) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            self._writer.write(buffer)
            async with within(timeout):
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError(connecting(error).words) from error

    async def aclose(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with within(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            self._writer.transport.abort()  # httpcore leaves a failed stream to its fate
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            self._writer.transport.abort()
            raise httpcore.ConnectError(handshaking(error).words) from error
        if self._pin and self._fingerprint() != self._pin:
            # Before a byte of the request: after it, the password would be gone already.
            self._writer.transport.abort()
            raise httpcore.ConnectError("it shows another certificate than before")
        return self

    def _fingerprint(self) -> str:
        session = self._writer.get_extra_info("ssl_object")
        shown = session.getpeercert(binary_form=True) if session else None
        return hashlib.sha256(shown or b"").hexdigest()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # asked of a kept connection: what is to be read there can only be its end
            return self._reader.at_eof() or self._writer.is_closing()
        return self._writer.get_extra_info({"server_addr": "peername", "client_addr": "sockname"}.get(info, info))


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, network: Network, pin: str) -> None:
        self._network, self._pin = network, pin

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002 - the connect deadline is the network's own
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        try:
            sock = await self._network.connect(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(connecting(error).words) from error
        return _Stream(*await asyncio.open_connection(sock=sock), self._pin)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


_AS_IT_IS = (b"Accept-Encoding", b"identity")  # a body's limit is counted on the wire: nothing may unfold after it


class _Transport(httpx.AsyncBaseTransport):
    def __init__(
        self,
        network: Network,
        purpose: Literal["service", "device"],
        allow: Callable[[httpx.Request], None] | None,
        *,
        keep: int,
        pin: str,
        limit: int,
    ) -> None:
        self._allow, self._limit = allow, limit
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=network.tls(purpose),
            network_backend=_Backend(network, pin),
            max_connections=20,
            max_keepalive_connections=keep,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._allow:
            self._allow(request)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[*(pair for pair in request.headers.raw if pair[0].lower() != b"accept-encoding"), _AS_IT_IS],
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            found = await self._pool.handle_async_request(asked)
        except httpcore.TimeoutException as error:
            raise httpx.TimeoutException(f"{url.host}: nothing answered in time", request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise httpx.TransportError(f"{url.host}: {error}", request=request) from error
        if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in found.headers):
            await found.aclose()
            raise httpx.TransportError(f"{url.host}: compressed its answer, which was not asked for", request=request)
        return httpx.Response(
            found.status, headers=found.headers, stream=_Body(found, self._limit), extensions=found.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, found: httpcore.Response, limit: int) -> None:
        self._found, self._limit = found, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        try:
            async for part in self._found.aiter_stream():
                received += len(part)
                if received > self._limit:
                    raise httpx.ReadError(f"the response is larger than {self._limit} bytes")
                yield part
        except httpcore.TimeoutException as error:
            raise httpx.ReadTimeout("the response did not end in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        await self._found.aclose()
