"""The site's name servers and the public one, over UDP and TCP (RFC 1035)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from dnslib import MX, QTYPE, RCODE, RR, SOA, TXT, A, DNSError, DNSRecord

if TYPE_CHECKING:
    from lab.estate import Estate, Resolver
    from lab.httpserver import Client
    from lab.net import Net

TTL = 300  # seconds
UDP_SIZE = 1232  # bytes; what resolvers agree on since DNS flag day 2020


async def start(estate: Estate, net: Net) -> list[asyncio.BaseTransport | asyncio.Server]:
    """Open every name server on UDP and TCP 53."""
    loop = asyncio.get_running_loop()
    opened: list[asyncio.BaseTransport | asyncio.Server] = []
    for resolver in estate.resolvers.values():
        transport, _ = await loop.create_datagram_endpoint(
            lambda resolver=resolver: _Udp(estate, resolver),  # type: ignore[misc]
            sock=net.datagram(resolver.address, 53),
        )
        opened.append(transport)
        opened.append(await asyncio.start_server(_tcp(estate, resolver), sock=net.listen(resolver.address, 53)))
    return opened


def answer(estate: Estate, resolver: Resolver, query: bytes) -> DNSRecord | None:
    """Answer one query from the zones; None where it is no query."""
    try:
        asked = DNSRecord.parse(query)
    except DNSError:
        return None
    if asked.header.qr or not asked.questions:
        return None
    reply = asked.reply(ra=1, aa=0)
    name, kind = str(asked.q.qname).rstrip("."), QTYPE.get(asked.q.qtype)
    found = estate.zones.get(resolver.view, name, kind)
    if found is None:
        reply.header.rcode = RCODE.NXDOMAIN
    for value in found or []:
        reply.add_answer(RR(asked.q.qname, asked.q.qtype, ttl=TTL, rdata=_rdata(kind, value)))
    if not found:
        soa = SOA("ns.invalid", "hostmaster.invalid", (2026112300, 3600, 600, 604800, 60))
        reply.add_auth(RR("invalid", QTYPE.SOA, ttl=60, rdata=soa))
    return reply


def _rdata(kind: str, value: str) -> A | MX | TXT:
    if kind == "A":
        return A(value)
    if kind == "MX":
        preference, host = value.split()
        return MX(host, int(preference))
    # A character string holds 255 bytes (RFC 1035 §3.3); longer texts are several of them.
    return TXT([value[at : at + 255].encode() for at in range(0, len(value), 255)])


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, estate: Estate, resolver: Resolver) -> None:
        self.estate, self.resolver = estate, resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: until Python 3.12 the real class is no DatagramTransport.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.resolver.silent or (reply := answer(self.estate, self.resolver, data)) is None:
            return
        packet = reply.pack()
        if len(packet) > UDP_SIZE:
            packet = reply.truncate().pack()
        self.transport.sendto(packet, addr)


def _tcp(estate: Estate, resolver: Resolver) -> Client:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                reply = None if resolver.silent else answer(estate, resolver, query)
                if reply is not None:
                    packet = reply.pack()
                    writer.write(len(packet).to_bytes(2, "big") + packet)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return client
