"""A bench for probes: real servers on loopback that behave as badly as a row says, and a network that leads to them.

Nothing of the suite is replaced: a probe runs in a real gatherer, over the one seam, with short deadlines.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scanproof import site as sites
from scanproof.gather import Gatherer
from scanproof.kinds import Evidence, Facts, Probe
from scanproof.network import Deadlines, Network, Vantage
from scanproof.secrets import CLIENT_SECRET, SENDER_PASSWORD, Secrets

if TYPE_CHECKING:
    import ssl

    from scanproof.site import Site

F = TypeVar("F", bound=Facts)

DEMO = Path(__file__).parent.parent / "inventory" / "demo"
SHORT = Deadlines(connect=0.9, tls=0.9, reply=0.9, response=0.9, lookup=0.9)
PASSWORD, CLIENT_WORD = "pass-word-of-the-tests", "client-word-of-the-tests"
GIVEN = {SENDER_PASSWORD: PASSWORD, CLIENT_SECRET: CLIENT_WORD}


@cache
def demo() -> Site:
    """Return the demo site."""
    return sites.load(DEMO)


def demo_with(*, mail: Mapping[str, Any] | None = None, endpoints: Mapping[str, str] | None = None) -> Site:
    """Return the demo site with other values under ``[mail]`` or ``[tenant.endpoints]``."""
    file = demo().file
    found = file.tenant.endpoints.model_copy(update=dict(endpoints or {}))
    update = {
        "mail": file.mail.model_copy(update=dict(mail or {})),
        "tenant": file.tenant.model_copy(update={"endpoints": found}),
    }
    return dataclasses.replace(demo(), file=file.model_copy(update=update))


@dataclasses.dataclass
class Kept:
    """A sink in memory."""

    intents: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    evidence: list[Evidence[Any]] = dataclasses.field(default_factory=list)

    def intent(self, kind: str, subject: str, vantage: str, what: str) -> None:  # noqa: ARG002 - the protocol's
        self.intents.append((kind, subject, what))

    def add(self, evidence: Evidence[Any]) -> None:
        self.evidence.append(evidence)


class Conn:
    """One accepted connection, as a row's behaviour uses it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.secure = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.server.sent += len(data)

    async def line(self) -> str:
        """Return one line; empty where the client has gone."""
        text = (await self.reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
        if text:
            self.server.lines.append(text)
        return text

    async def request(self) -> None:
        """Read a request: an HTTP one to its end, of anything else what there is."""
        received = await self.reader.read(65_536)
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", received)
        wanted = received.find(b"\r\n\r\n") + 4 + int(length.group(1)) if length else 0
        while len(received) < wanted and (part := await self.reader.read(65_536)):
            received += part
        self.server.lines += received.decode("latin-1").split("\r\n")[:1]

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)
        self.secure = True

    def drop(self) -> None:
        """Cut the connection by a reset, without the courtesy of a FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Conn], Awaitable[None]]


@dataclasses.dataclass
class Server:
    """A server on loopback, and what it saw."""

    port: int = 0
    connections: int = 0
    sent: int = 0  # bytes that the client's side took
    lines: list[str] = dataclasses.field(default_factory=list)

    def said(self, word: str) -> int:
        """How many lines began with a word."""
        return sum(line.upper().startswith(word) for line in self.lines)


async def hang(conn: Conn) -> None:
    """Accept, and say nothing."""
    await asyncio.Event().wait()


def sends(*parts: bytes, then_hang: bool = False) -> Behaviour:
    """Read a request, send parts, and close (or say no more)."""

    async def behave(conn: Conn) -> None:
        await conn.request()
        for part in parts:
            await conn.send(part)
        if then_hang:
            await hang(conn)

    return behave


def repeats(first: bytes, again: bytes, *, every: float = 0.0, ask: bool = True) -> Behaviour:
    """Send one thing, and another again and again, for ever."""

    async def behave(conn: Conn) -> None:
        if ask:
            await conn.request()
        await conn.send(first)
        while True:
            await conn.send(again)
            await asyncio.sleep(every)

    return behave


class Bench:
    """The servers of one test, and the network that leads to them."""

    def __init__(self, site: Site, deadlines: Deadlines, ca_pem: str) -> None:
        self.site, self.kept = site, Kept()
        self.connect_to: dict[str, tuple[str, int]] = {}
        self.udp: dict[str, tuple[str, int]] = {}
        self.network = Network(
            Vantage("selftest"), connect_to=self.connect_to, udp=self.udp, ca_pem=ca_pem, deadlines=deadlines
        )
        self.given: dict[str, str] = dict(GIVEN)
        self.sends_mail = True
        self.trouble: list[str] = []  # what the loop had to complain about
        self._listening: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._gatherers: list[Gatherer] = []

    async def serve(
        self, name: str, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> Server:
        """Start a server that the network calls by ``host:port``."""
        server = Server()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.connections += 1
            task = asyncio.ensure_future(self._behave(behaviour, Conn(server, reader, writer)))
            self._tasks.add(task)

        listening = await asyncio.start_server(accepted, "127.0.0.1", port, ssl=tls)
        self._listening.append(listening)
        server.port = listening.sockets[0].getsockname()[1]
        self.connect_to[name] = ("127.0.0.1", server.port)
        return server

    async def refuse(self, name: str) -> None:
        """Lead a name to a port on which nothing listens."""
        listening = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        self.connect_to[name] = ("127.0.0.1", listening.sockets[0].getsockname()[1])
        listening.close()
        await listening.wait_closed()

    async def answer(self, name: str, answers: Callable[[bytes], Sequence[bytes]]) -> Server:
        """Start a UDP server that answers each datagram by some others."""
        server = Server()

        class Protocol(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport: Any = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                server.connections += 1
                for part in answers(data):
                    self.transport.sendto(part, addr)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
        self._datagrams.append(transport)
        server.port = transport.get_extra_info("sockname")[1]
        self.udp[name] = ("127.0.0.1", server.port)
        return server

    def gatherer(self, **options: Any) -> Gatherer:
        secrets = Secrets(self.given, sealed=True)
        made = Gatherer(
            self.site, self.network, secrets, self.kept, token="selftest", sends_mail=self.sends_mail, **options
        )
        self._gatherers.append(made)
        return made

    async def ask(self, probe: Probe[Any, F], subject: Any, *, within: float = 5.0) -> Evidence[F]:
        """Return the evidence of one probe, which may take so many seconds."""
        began = time.monotonic()
        found = await self.gatherer().evidence(probe, subject)
        took = time.monotonic() - began
        assert took < within, f"{probe.kind} took {took:.1f} s where {within:g} s are enough"
        return found

    async def observe(self, probe: Probe[Any, F], subject: Any, *, within: float = 5.0) -> F:
        """Return the facts of one probe, which must have been observed."""
        found = await self.ask(probe, subject, within=within)
        assert found.outcome == "observed", f"{found.outcome}: {found.reason}"
        assert found.facts is not None
        return found.facts

    async def _behave(self, behaviour: Behaviour, conn: Conn) -> None:
        try:
            with suppress(OSError, EOFError, ValueError):  # the client has gone, or its line is too long
                await behaviour(conn)
        finally:
            conn.writer.close()

    async def close(self) -> None:
        for gatherer in self._gatherers:
            await gatherer.close()
        for listening in self._listening:
            listening.close()
        for transport in self._datagrams:
            transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.network.close()
        for _ in range(5):  # what is being closed is closed in the loop's next turns
            await asyncio.sleep(0)
        gc.collect(1)


@asynccontextmanager
async def bench(site: Site | None = None, *, deadlines: Deadlines = SHORT, ca_pem: str = "") -> AsyncIterator[Bench]:
    """Give a bench; at its end, every server ends, and the loop must have had nothing to complain about."""
    loop = asyncio.get_running_loop()
    found = Bench(site or demo(), deadlines, ca_pem)

    def complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        found.trouble.append(f"{context.get('message')}: {context.get('exception')!r}")

    before = loop.get_exception_handler()
    loop.set_exception_handler(complain)
    try:
        yield found
    finally:
        await found.close()
        loop.set_exception_handler(before)
    complaints = [line for line in found.trouble if "SSL" not in line and "ssl" not in line]  # of our bad servers
    assert not complaints, complaints


def resident() -> int:
    """Return this process's memory in bytes; 0 where the system doesn't tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
