"""A hop in the gateway that takes part in SMTP, as firewalls' mail inspection does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.estate import Middlebox
    from lab.httpserver import Client

PORT = 20587  # of the gateway; the first of those that its rules redirect to
_SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h
_REFUSAL = b"554 5.7.1 No SMTP service here\r\n"  # RFC 5321 §3.1: whoever takes the connection may say so at once
_BANNER = b"220 " + b"*" * 60 + b"\r\n"  # what mail inspection leaves of a greeting


def hop(box: Middlebox, source: str, shown: ssl.SSLContext | None) -> Client:
    """Return the connection callback of a middlebox.

    Args:
        box: what it does.
        source: the public address that it connects onward from.
        shown: what it ends TLS by, where it does.
    """

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if box.refuses:
            writer.write(_REFUSAL)
            writer.close()
            return
        if box.mute:
            with contextlib.suppress(OSError):
                while await reader.read(4096):  # until the client has had enough
                    pass
            writer.close()
            return
        try:
            target = _original(writer.get_extra_info("socket"))
            onward, outward = await asyncio.open_connection(*target, local_addr=(source, 0))
        except OSError:
            writer.close()
            return
        encrypted = asyncio.Event()
        try:
            if box.intercepts_tls and shown is not None:
                await _until_encrypted(reader, writer, onward, outward, shown)
                encrypted.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_outward(box, reader, outward, writer, encrypted))
                tasks.create_task(_inward(box, onward, writer, encrypted))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            outward.close()
            writer.close()

    return client


def _original(sock: socket.socket) -> tuple[str, int]:
    """Return where the client wanted to go."""
    raw = sock.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
    port, address = struct.unpack("!2xH4s8x", raw)
    return socket.inet_ntoa(address), port


async def _until_encrypted(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    onward: asyncio.StreamReader,
    outward: asyncio.StreamWriter,
    shown: ssl.SSLContext,
) -> None:
    """Pass on the dialogue up to STARTTLS, and shake hands with either side.

    Raises:
        OSError: one side didn't, or has gone.
    """
    writer.write(await onward.readline())
    while line := await reader.readline():
        outward.write(line)
        reply = await onward.readline()
        starts = line.strip().upper() == b"STARTTLS" and reply.startswith(b"220")
        if starts:
            assert isinstance(writer.transport, asyncio.Transport)
            writer.transport.pause_reading()  # a quick client's first bytes of TLS are for the handshake alone
        writer.write(reply)
        while reply[3:4] == b"-":
            reply = await onward.readline()
            writer.write(reply)
        if starts:
            # It trusts the service blindly, as such boxes are known to.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await outward.start_tls(context)
            await writer.start_tls(shown)
            return
    raise ConnectionResetError


async def _outward(
    box: Middlebox,
    reader: asyncio.StreamReader,
    outward: asyncio.StreamWriter,
    back: asyncio.StreamWriter,
    encrypted: asyncio.Event,
) -> None:
    while data := await (reader.read(65536) if encrypted.is_set() else reader.readline()):
        if not encrypted.is_set() and data.strip().upper() == b"STARTTLS":
            if box.strips_starttls:
                back.write(b"502 5.5.1 Command not implemented\r\n")
                continue
            encrypted.set()
        outward.write(data)
        await outward.drain()
    _end(outward)


async def _inward(
    box: Middlebox, onward: asyncio.StreamReader, writer: asyncio.StreamWriter, encrypted: asyncio.Event
) -> None:
    greeting = await onward.readline()
    writer.write(_BANNER if box.rewrites_banner else greeting)
    while data := await (onward.read(65536) if encrypted.is_set() else onward.readline()):
        if box.strips_starttls and data[4:].strip().upper() == b"STARTTLS":
            continue
        writer.write(data)
        await writer.drain()
    _end(writer)


def _end(writer: asyncio.StreamWriter) -> None:
    """Say that nothing more comes; TLS can't say so without closing."""
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
