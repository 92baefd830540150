"""DNS look-ups at name servers that answer wrongly, late, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dnslib
import pytest

from scanproof.gather import Run
from scanproof.network import Vantage
from scanproof.probes.dns import look_up, public_records, resolution, site_records
from scanproof.subjects import Domain, NetSubject
from selftests.harness import Bench, Conn, bench, demo

if TYPE_CHECKING:
    from scanproof.evidence import Lookup

pytestmark = pytest.mark.filterwarnings("error")

RESOLVER, NAME = "198.51.100.53", "mail.example"
MX, TXT, A = dnslib.QTYPE.MX, dnslib.QTYPE.TXT, dnslib.QTYPE.A
Answers = Callable[[bytes], Sequence[bytes]]


def replies(*records: dnslib.RR, code: int = 0, cut: bool = False) -> Answers:
    """Answer every question by the same."""

    def answers(data: bytes) -> list[bytes]:
        reply = dnslib.DNSRecord.parse(data).reply()
        for record in records:
            reply.add_answer(record)
        reply.header.rcode, reply.header.tc = code, int(cut)
        return [reply.pack()]

    return answers


def with_id(change: int) -> Answers:
    def answers(data: bytes) -> list[bytes]:
        reply = dnslib.DNSRecord.parse(data).reply()
        reply.add_answer(dnslib.RR(NAME, A, rdata=dnslib.A("203.0.113.66")))
        reply.header.id ^= change
        return [reply.pack()]

    return answers


def silent(_: bytes) -> list[bytes]:
    return []


def garbage(data: bytes) -> list[bytes]:
    return [data[:2] + b"\xff" * 30]


def first_lost() -> Answers:
    seen: list[bytes] = []

    def answers(data: bytes) -> Sequence[bytes]:
        seen.append(data)
        return [] if len(seen) == 1 else replies(dnslib.RR(NAME, A, rdata=dnslib.A("203.0.113.1")))(data)

    return answers


@dataclass(frozen=True)
class Row:
    """How a server answers, and what the look-up must say."""

    name: str
    answers: Answers
    status: str
    values: tuple[str, ...] = ()
    kind: str = "A"
    told: bool = True
    trouble: str = ""


ADDRESS = dnslib.RR(NAME, A, rdata=dnslib.A("203.0.113.1"))
ROWS = [
    Row("answered", replies(ADDRESS), "answered", ("203.0.113.1",)),
    Row(
        "two in another order",
        replies(dnslib.RR(NAME, A, rdata=dnslib.A("203.0.113.9")), ADDRESS),
        "answered",
        ("203.0.113.1", "203.0.113.9"),
    ),
    Row(
        "by an alias",
        replies(
            dnslib.RR(NAME, dnslib.QTYPE.CNAME, rdata=dnslib.CNAME("other.example")),
            dnslib.RR("other.example", A, rdata=dnslib.A("203.0.113.2")),
        ),
        "answered",
        ("203.0.113.2",),
    ),
    Row("MX", replies(dnslib.RR(NAME, MX, rdata=dnslib.MX("mx.example", 10))), "answered", ("10 mx.example",), "MX"),
    Row("null MX", replies(dnslib.RR(NAME, MX, rdata=dnslib.MX(".", 0))), "answered", ("0 .",), "MX"),
    Row(
        "TXT in parts",
        replies(dnslib.RR(NAME, TXT, rdata=dnslib.TXT([b"v=spf1 inc", b"lude:x -all"]))),
        "answered",
        ("v=spf1 include:x -all",),
        "TXT",
    ),
    Row(
        "TXT with escapes",
        replies(dnslib.RR(NAME, TXT, rdata=dnslib.TXT([b"\x1b[2J\xff"]))),
        "answered",
        ("\ufffd[2J\ufffd",),
        "TXT",
    ),
    Row("no such name", replies(code=3), "no such name"),
    Row("no such record", replies(), "no such record"),
    Row(
        "another name's record",
        replies(dnslib.RR("evil.example", A, rdata=dnslib.A("203.0.113.66"))),
        "no such record",
    ),
    Row("silence", silent, "timed out", told=False, trouble="no answer within 0.9 s"),
    Row("SERVFAIL", replies(code=2), "failed", told=False, trouble="SERVFAIL"),
    Row("REFUSED", replies(code=5), "failed", told=False, trouble="REFUSED"),
    Row("another question's id", with_id(0x5555), "timed out", told=False, trouble="no answer within"),
    Row("first datagram lost", first_lost(), "answered", ("203.0.113.1",)),
    Row("garbage, then the answer", lambda data: [b"\0", *replies(ADDRESS)(data)], "answered", ("203.0.113.1",)),
]


async def look(wire: Bench, kind: str = "A", resolver: str = RESOLVER) -> Lookup:
    run = Run(wire.gatherer(), "look_up", Domain(NAME))
    return await look_up(run, resolver, NAME, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_look_up(row: Row) -> None:
    async with bench() as wire:
        await wire.answer(f"{RESOLVER}:53", row.answers)
        seen = await look(wire, row.kind)
    assert (seen.status, seen.values, seen.told) == (row.status, row.values, row.told)
    assert row.trouble in seen.trouble
    assert bool(row.trouble) == bool(seen.trouble)
    assert len(seen.trouble) < 400
    assert seen.resolver == RESOLVER


async def test_garbage_is_no_answer() -> None:
    async with bench() as wire:
        await wire.answer(f"{RESOLVER}:53", garbage)
        seen = await look(wire)
    assert not seen.told
    assert seen.trouble


async def test_a_cut_answer_is_asked_for_over_tcp() -> None:
    many = [dnslib.RR(NAME, A, rdata=dnslib.A(f"203.0.113.{n}")) for n in range(60)]

    async def over_tcp(conn: Conn) -> None:
        size = int.from_bytes(await conn.reader.readexactly(2), "big")
        (reply,) = replies(*many)(await conn.reader.readexactly(size))
        await conn.send(len(reply).to_bytes(2, "big") + reply)

    async with bench() as wire:
        datagrams = await wire.answer(f"{RESOLVER}:53", replies(cut=True))
        await wire.serve("not by name", over_tcp, port=datagrams.port)
        seen = await look(wire)
    assert seen.status == "answered"
    assert len(seen.values) == 50, "a list is cut"


async def test_nobody_listens() -> None:
    async with bench() as wire:
        server = await wire.answer(f"{RESOLVER}:53", silent)
        wire.udp[f"{RESOLVER}:53"] = ("127.0.0.1", 1)
        seen = await look(wire)
    assert not seen.told
    assert seen.trouble
    assert server.connections == 0


async def test_a_resolver_outside_the_simulated_site_is_not_asked() -> None:
    async with bench() as wire:
        seen = await look(wire)
    assert seen.status == "failed"
    assert "198.51.100.53:53 is not part of the simulated site" in seen.trouble


async def test_mail_records() -> None:
    async with bench() as wire:
        for resolver in (RESOLVER, "10.20.10.53"):
            await wire.answer(
                f"{resolver}:53", replies(dnslib.RR("northfield.example", MX, rdata=dnslib.MX("MX.Example", 5)))
            )
        outside = await wire.observe(public_records, Domain("northfield.example"))
        inside = await wire.observe(site_records, Domain("northfield.example"))
    assert outside.mx_hosts == inside.mx_hosts == ("mx.example",)
    assert (outside.mx.resolver, inside.mx.resolver) == (RESOLVER, "10.20.10.53")
    assert outside.dmarc.name == "_dmarc.northfield.example"
    assert outside.txt.status == "no such record"


async def test_a_subnet_is_asked_about_from_inside_alone() -> None:
    subnet = NetSubject(demo().subnets[0])
    async with bench() as wire:
        found = await wire.ask(resolution, subnet)
        assert found.outcome == "unproven"
        assert "a probe from elsewhere proves nothing" in found.reason
        wire.network.vantage = Vantage("pc", ("10.20.90.9",))
        await wire.answer("10.20.10.53:53", replies(code=3))
        seen = await wire.observe(resolution, subnet)
        assert {look.status for look in seen.lookups} == {"no such name"}
        assert seen.source == "10.20.90.9"
        wire.network.vantage = Vantage("pc", ("10.20.90.9",), "loopback")
        assert (await wire.ask(resolution, subnet)).outcome == "unproven"
