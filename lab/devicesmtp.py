"""How a device hands a mail over: a client of its own, as strict and as simple as such devices are.

guess: that port 465 means TLS from the first byte and any other port STARTTLS, that without "secure
connection" it never encrypts, and that it gives up where it can't do what it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from lab.copierstate import EmailSettings

SMTPS = 465
CONNECT, REPLY = 3.0, 10.0  # seconds
Stage = Literal["name", "connect", "tls", "dialogue", "auth", "pop"]


class SendError(Exception):
    """A scan that couldn't be sent: at which stage, and what was said."""

    def __init__(self, stage: Stage, said: str) -> None:
        super().__init__(said)
        self.stage, self.said = stage, said


class Dialogue:
    """A connection to a mail server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self, *expected: int, stage: Stage = "dialogue") -> str:
        """Read a reply.

        Raises:
            SendError: it has another code, or there is none.
        """
        lines = []
        try:
            async with asyncio.timeout(REPLY):
                while True:
                    line = (await self.reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
                    lines.append(line)
                    if line[3:4] != "-":
                        break
        except (OSError, TimeoutError, ValueError) as error:
            raise SendError(stage, f"no reply ({type(error).__name__})") from None
        if lines[-1][:3] not in {str(code) for code in expected}:
            raise SendError(stage, lines[-1] or "the connection was closed")
        return "\n".join(lines)

    async def ask(self, command: str, *expected: int, stage: Stage = "dialogue") -> str:
        """Send a command and read its reply.

        Raises:
            SendError: it has another code, or there is none.
        """
        self.writer.write(command.encode() + b"\r\n")
        return await self.reply(*expected, stage=stage)

    async def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        """Shake hands.

        Raises:
            SendError: that failed.
        """
        try:
            await self.writer.start_tls(context, server_hostname=name, ssl_handshake_timeout=REPLY)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise SendError("tls", getattr(error, "reason", None) or str(error) or type(error).__name__) from None


@contextlib.asynccontextmanager
async def connected(sock: socket.socket, where: tuple[str, int]) -> AsyncIterator[Dialogue]:
    """Connect a device's socket.

    Raises:
        SendError: nobody answered.
    """
    try:
        async with asyncio.timeout(CONNECT):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except (OSError, TimeoutError) as error:
        sock.close()
        raise SendError("connect", type(error).__name__) from None
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Dialogue(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def hand_over(
    dialogue: Dialogue, settings: EmailSettings, context: ssl.SSLContext, *, host_name: str, to: str, content: bytes
) -> str:
    """Hand a mail over; return the reply that took it.

    Raises:
        SendError: the server wouldn't, or the device can't do what it is set to.
    """
    if settings.ssl and settings.port == SMTPS:
        await dialogue.encrypt(context, settings.server)
    await dialogue.reply(220)
    offered = await dialogue.ask(f"EHLO {host_name}", 250)
    if settings.ssl and settings.port != SMTPS:
        if "STARTTLS" not in offered.upper():
            raise SendError("tls", "the server offers no STARTTLS")
        await dialogue.ask("STARTTLS", 220, stage="tls")
        await dialogue.encrypt(context, settings.server)
        offered = await dialogue.ask(f"EHLO {host_name}", 250)
    if settings.auth:
        mechanisms = next(
            (line[4:].upper().split() for line in offered.splitlines() if line[4:8].upper() == "AUTH"), []
        )
        if "LOGIN" not in mechanisms:
            raise SendError("auth", "the server offers no AUTH LOGIN")
        await dialogue.ask("AUTH LOGIN", 334, stage="auth")
        await dialogue.ask(b64encode(settings.user.encode()).decode(), 334, stage="auth")
        await dialogue.ask(b64encode(settings.password.encode()).decode(), 235, stage="auth")
    await dialogue.ask(f"MAIL FROM:<{sender(settings)}>", 250)
    await dialogue.ask(f"RCPT TO:<{to}>", 250, 251)
    await dialogue.ask("DATA", 354)
    dialogue.writer.write(content.replace(b"\r\n.", b"\r\n.."))
    taken = await dialogue.ask(".", 250)
    with contextlib.suppress(SendError):
        await dialogue.ask("QUIT", 221)
    return taken


def sender(settings: EmailSettings) -> str:
    """Return the address that a device sends as. guess: the sign-in's where it signs in, else the administrator's."""
    return settings.auth_address if settings.auth and settings.auth_address else settings.admin_address
