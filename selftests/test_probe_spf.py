"""SPF by the rules of RFC 7208: one row a behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import dnslib
import pytest

from scanproof.evidence import Lookup
from scanproof.probes.spf import Evaluation, spf
from scanproof.subjects import DomainEgress
from selftests.harness import bench, demo

pytestmark = pytest.mark.filterwarnings("error")

V4, V6, D = "203.0.113.10", "2001:db8::10", "site.example"
Zone = dict[tuple[str, str], list[str] | str]  # name and type to values; "timed out" or "failed" for none


@dataclass(frozen=True)
class Row:
    """A record, what else the DNS holds, and the result for an address."""

    record: str
    result: str
    rest: Zone = field(default_factory=dict)
    address: str = V4
    says: str = ""
    lookups: int | None = None


def includes(*names: str) -> str:
    return " ".join(f"include:{name}" for name in names)


MANY: Zone = {(f"i{n}.example", "TXT"): ["v=spf1 ?all"] for n in range(20)}
A: Zone = {(D, "A"): [V4], (D, "AAAA"): [V6], (D, "MX"): ["10 mx.example"], ("mx.example", "A"): ["203.0.113.200"]}
INC = ("inc.example", "TXT")
ROWS = [
    Row(f"v=spf1 ip4:{V4} -all", "pass", says=f"“ip4:{V4}” of {D}", lookups=0),
    Row("v=spf1 -all", "fail"),
    Row("v=spf1 ~all", "softfail"),
    Row("v=spf1 ?all", "neutral"),
    Row("v=spf1 all", "pass"),
    Row("v=spf1", "neutral", says="nothing in the record"),
    Row("V=SPF1 IP4:203.0.113.0/24 -ALL", "pass"),
    Row("v=spf10 -all", "none", says="publishes no SPF record"),
    Row("no record of this kind", "none"),
    Row("v=spf1 ip4:203.0.113.0/28 -all", "pass"),
    Row("v=spf1 ip4:203.0.113.0/29 -all", "fail"),
    Row("v=spf1 -ip4:203.0.113.10 +all", "fail"),
    Row("v=spf1 ip6:2001:db8::/32 -all", "pass", address=V6),
    Row("v=spf1 ip6:2001:db8::/32 -all", "fail"),
    Row("v=spf1 ip4:203.0.113.0/24 -all", "fail", address=V6),
    Row("v=spf1 a -all", "pass", A, lookups=1),
    Row("v=spf1 a -all", "pass", A, address=V6),
    Row("v=spf1 a:other.example -all", "fail", {("other.example", "A"): ["203.0.113.77"]}),
    Row("v=spf1 a:other.example/24 -all", "pass", {("other.example", "A"): ["203.0.113.77"]}),
    Row("v=spf1 a:other.example/24//64 -all", "pass", {("other.example", "AAAA"): ["2001:db8::77"]}, V6),
    Row("v=spf1 a:other.example//64 -all", "fail", {("other.example", "AAAA"): ["2001:db8:1::77"]}, V6),
    Row("v=spf1 a:other.example/8 -all", "fail", {("other.example", "AAAA"): ["2001:db8:1::77"]}, V6),
    Row("v=spf1 mx -all", "fail", A, lookups=1),
    Row("v=spf1 mx/24 -all", "pass", A, lookups=1),
    Row("v=spf1 mx -all", "permerror", {(D, "MX"): [f"10 mx{n}.example" for n in range(11)]}, says="more than 10 mail"),
    Row("v=spf1 ptr -all", "fail", lookups=1),
    Row("v=spf1 exists:there.example -all", "pass", {("there.example", "A"): ["127.0.0.2"]}),
    Row("v=spf1 exists:there.example -all", "fail"),
    Row("v=spf1 include:inc.example -all", "pass", {INC: [f"v=spf1 ip4:{V4} -all"]}, says="“include:inc.example”"),
    Row("v=spf1 include:inc.example ~all", "softfail", {INC: ["v=spf1 -all"]}, lookups=1),
    Row("v=spf1 include:inc.example -all", "permerror", says="which publishes no SPF record (§5.2)"),
    Row("v=spf1 include:inc.example -all", "temperror", {INC: "timed out"}, says="timed out"),
    Row("v=spf1 include:inc.example -all", "permerror", {INC: ["v=spf1 bogus"]}, says="of inc.example is not"),
    Row("v=spf1 include:inc.example include:inc.example -all", "fail", {INC: ["v=spf1 ?all"]}, lookups=2),
    Row("v=spf1 include:site.example -all", "permerror", says="more than 10 look-ups"),
    Row("v=spf1 redirect=inc.example", "pass", {INC: [f"v=spf1 ip4:{V4} -all"]}, lookups=1),
    Row("v=spf1 redirect=inc.example", "fail", {INC: ["v=spf1 -all"]}, says="“-all” of inc.example"),
    Row("v=spf1 redirect=inc.example", "permerror", says="(§6.1)"),
    Row("v=spf1 ?all redirect=inc.example", "neutral", {INC: ["v=spf1 -all"]}, lookups=0),
    Row("v=spf1 redirect=site.example", "permerror", says="more than 10 look-ups"),
    Row("v=spf1 redirect=a.example redirect=b.example", "permerror", says="(§6)"),
    Row("v=spf1 redirect=", "permerror"),
    Row(f"v=spf1 {includes(*(f'i{n}.example' for n in range(10)))} -all", "fail", MANY, lookups=10),
    Row(
        f"v=spf1 {includes(*(f'i{n}.example' for n in range(11)))} -all",
        "permerror",
        MANY,
        says="“include:i10.example”",
    ),
    Row("v=spf1 a:n1.example a:n2.example -all", "fail", lookups=2),
    Row("v=spf1 a:n1.example a:n2.example a:n3.example -all", "permerror", says="more than 2 look-ups found nothing"),
    Row("v=spf1 a -all", "temperror", {(D, "A"): "failed"}),
    Row("v=spf1 exp=why.example unknown=thing -all", "fail"),
    Row("v=spf1 ip4:203.0.113.10 bogus -all", "permerror", says="“bogus” in the record"),
    Row("v=spf1 ip4:203.0.113.300 -all", "permerror"),
    Row("v=spf1 ip4:203.0.113.0/33 -all", "permerror"),
    Row("v=spf1 ip4:2001:db8::1 -all", "permerror"),
    Row("v=spf1 ip4 -all", "permerror"),
    Row("v=spf1 a/33 -all", "permerror", A),
    Row("v=spf1 include -all", "permerror"),
    Row("v=spf1 all:x -all", "permerror"),
    Row("v=spf1 !all", "permerror"),
    Row("v=spf1 a: -all", "permerror"),
    Row("v=spf1 exists:%{i}.list.example -all", "pass", {(f"{V4}.list.example", "A"): ["127.0.0.2"]}),
    Row("v=spf1 exists:%{ir}.%{v}.%{d} -all", "pass", {(f"10.113.0.203.in-addr.{D}", "A"): ["127.0.0.2"]}),
    Row("v=spf1 exists:%{d1}.x.example -all", "pass", {("example.x.example", "A"): ["127.0.0.2"]}),
    Row("v=spf1 exists:%{l}.%{o}.x.example -all", "pass", {("scan.site.example.x.example", "A"): ["127.0.0.2"]}),
    Row("v=spf1 include:%{q}.example -all", "permerror", says="a macro that does not exist"),
]


async def checked(row: Row, zone: Zone) -> object:
    async def ask(name: str, kind: Literal["A", "AAAA", "MX", "TXT"]) -> Lookup:
        found = zone.get((name, kind), [])
        if found in ("timed out", "failed"):
            return Lookup(name=name, type=kind, resolver="r", status=found)
        status: Literal["answered", "no such name"] = "answered" if found else "no such name"
        return Lookup(name=name, type=kind, resolver="r", status=status, values=tuple(found))

    found = await Evaluation(row.address, ask, f"scan@{D}").check(D)
    assert found.result == row.result, found.seen
    assert row.says in found.seen
    assert row.lookups in {None, found.lookups}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.record[:60]} {row.address} {row.result} {len(row.rest)}")
async def test_record(row: Row) -> None:
    await checked(row, {(D, "TXT"): [row.record, "unrelated=1"], **row.rest})


async def test_two_records() -> None:
    row = Row("", "permerror", says="2 SPF records where one is allowed")
    await checked(row, {(D, "TXT"): ["v=spf1 -all", "v=spf1 +all"]})


@pytest.mark.parametrize(("status", "result"), [("timed out", "temperror"), ("failed", "temperror")])
async def test_no_answer_is_not_no_record(status: str, result: str) -> None:
    await checked(Row("", result), {(D, "TXT"): status})


async def test_from_a_name_server() -> None:
    records = {
        "northfield.example.": "v=spf1 include:spf.example -all",
        "spf.example.": "v=spf1 ip4:203.0.113.0/24 -all",
    }

    def answers(data: bytes) -> list[bytes]:
        query = dnslib.DNSRecord.parse(data)
        reply = query.reply()
        name = str(query.q.qname)
        if query.q.qtype == dnslib.QTYPE.TXT and name in records:
            reply.add_answer(dnslib.RR(name, dnslib.QTYPE.TXT, rdata=dnslib.TXT(records[name]), ttl=60))
        return [reply.pack()]

    async with bench() as wire:
        await wire.answer("198.51.100.53:53", answers)
        seen = await wire.observe(spf, DomainEgress("northfield.example", V4, demo().subnets[:1]))
    assert (seen.result, seen.includes, seen.lookups) == ("pass", ("spf.example",), 1)
    assert seen.records == ("v=spf1 include:spf.example -all",)


async def test_an_unknown_public_address_is_unproven() -> None:
    async with bench() as wire:
        found = await wire.ask(spf, DomainEgress("northfield.example", None, demo().subnets[:1]))
    assert found.outcome == "unproven"
    assert "[[egress]] public_address in site.toml" in found.remedy
