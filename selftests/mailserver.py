"""A mail server that plays a script: by each command, what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from selftests import certs

if TYPE_CHECKING:
    import ssl

    from selftests.harness import Behaviour, Conn

Step = bytes | Callable[["Conn"], Awaitable[None]]  # bytes are sent as they are; a function does as it likes

EHLO = b"250-mail.example Hello [203.0.113.10]\r\n250-SIZE 157286400\r\n250 STARTTLS\r\n"
EHLO_TLS = b"250-mail.example Hello [203.0.113.10]\r\n250-SIZE 157286400\r\n250 AUTH LOGIN XOAUTH2\r\n"
BANNER = b"220 mail.example Microsoft ESMTP MAIL Service ready\r\n"


async def silent(conn: Conn) -> None:
    """Say nothing more."""
    await asyncio.Event().wait()


async def close(conn: Conn) -> None:
    """Close the connection."""
    raise EOFError(conn)


def then_close(data: bytes) -> Step:
    """Send something and close."""

    async def step(conn: Conn) -> None:
        await conn.send(data)
        raise EOFError

    return step


def start_tls(context: ssl.SSLContext | None = None) -> Step:
    """Accept STARTTLS and negotiate."""

    async def step(conn: Conn) -> None:
        await conn.send(b"220 2.0.0 SMTP server ready\r\n")
        await conn.start_tls(context or certs.context())

    return step


async def take_data(conn: Conn) -> None:
    """Read a message to its dot."""
    await conn.send(b"354 go on\r\n")
    while await conn.reader.readline() not in {b".\r\n", b""}:
        pass


def data_then(reply: bytes) -> Step:
    """Read a message, and reply."""

    async def step(conn: Conn) -> None:
        await take_data(conn)
        await conn.send(reply)

    return step


GOOD: Mapping[str, Step | list[Step]] = {
    "CONNECT": BANNER,
    "EHLO": EHLO,
    "STARTTLS": start_tls(),
    "EHLO over TLS": EHLO_TLS,
    "AUTH": b"334 UGFzc3dvcmQ6\r\n",
    "password": b"235 2.7.0 Authentication successful\r\n",
    "MAIL": b"250 2.1.0 Sender OK\r\n",
    "RCPT": b"250 2.1.5 Recipient OK\r\n",
    "DATA": data_then(b"250 2.0.0 OK <id> [Hostname=X.prod.outlook.com]\r\n"),
    "QUIT": then_close(b"221 2.0.0 bye\r\n"),
}


def mail(changes: Mapping[str, Step | list[Step]] | None = None) -> Behaviour:
    """Return a server that plays the good script with changes.

    A step that is a list plays its parts in turn, over all connections; the last one stays.
    ``EHLO over TLS`` and ``password`` (whatever follows a 334) are the commands that have no name of their own.
    """
    script = {**GOOD, **(changes or {})}
    turn: dict[str, int] = {}

    async def play(conn: Conn, name: str) -> None:
        found = script.get(name, b"500 5.3.3 Unrecognized command\r\n")
        number = turn[name] = turn.get(name, -1) + 1
        step = found[min(number, len(found) - 1)] if isinstance(found, list) else found
        if isinstance(step, bytes):
            await conn.send(step)
        else:
            await step(conn)

    async def behave(conn: Conn) -> None:
        await play(conn, "CONNECT")
        challenged = False
        while True:
            line = await conn.line()
            if not line and conn.reader.at_eof():
                return
            name = line.split(" ")[0].upper()
            if challenged:
                name, challenged = "password", False
            elif name == "AUTH":
                challenged = script["AUTH"] == GOOD["AUTH"]
            elif name == "EHLO" and conn.secure:
                name = "EHLO over TLS"
            await play(conn, name)

    return behave
