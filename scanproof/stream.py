"""A connected socket as a stream of bytes, with or without TLS, for the sweep of thousands of devices.

asyncio's own streams keep a quarter of a megabyte a TLS connection and take twice the time: transport, protocol and
reader for what is one question and one answer. TLS goes through memory here, so it works on every system's loop, and
a client's last handshake message leaves together with its request.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

PART = 16_640  # bytes: a whole TLS record (RFC 8446 §5.1) fits

T = TypeVar("T")


class Stream:
    """One connection. Whoever makes it closes it; bounding the time is the caller's."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected, non-blocking socket."""
        self._sock, self._loop = sock, asyncio.get_running_loop()
        self.tls: ssl.SSLObject | None = None

    async def secure(self, context: ssl.SSLContext) -> None:
        """Make the TLS handshake, without a server's name: devices are asked by address.

        Raises:
            OSError: it failed (ssl.SSLError), or the connection was cut meanwhile (ConnectionResetError).
        """
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self._arrived, self._leaving)
        while True:
            try:
                await self._loop.run_in_executor(
                    None, tls.do_handshake
                ) if self._arrived.pending else tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._more()
        self.tls = tls  # its last message leaves with what is sent next

    async def send(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            OSError: the connection was cut.
        """
        if self.tls:
            await self._through(lambda: self.tls.write(data))  # type: ignore[union-attr]
            data = self._leaving.read()
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self, most: int) -> bytes:
        """Return what has arrived, at most so many bytes; nothing at the end.

        Raises:
            OSError: the connection was cut.
        """
        if self.tls is None:
            return await self._loop.sock_recv(self._sock, most)
        try:
            return await self._through(lambda: self.tls.read(most))  # type: ignore[union-attr]
        except (ssl.SSLZeroReturnError, EOFError):
            return b""  # many devices end without TLS's own farewell

    async def _through(self, step: Callable[[], T]) -> T:
        """Take a step of TLS as often as it wants more from the other side."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._more()

    async def _more(self) -> None:
        if self._leaving.pending:
            await self._loop.sock_sendall(self._sock, self._leaving.read())
        part = await self._loop.sock_recv(self._sock, PART)
        if not part:
            raise (EOFError if self.tls else ConnectionResetError) from None
        self._arrived.write(part)

    def close(self) -> None:
        """Close the connection at once."""
        self._sock.close()
