"""The suite's DNS probes and SPF evaluation against BIND."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from scanproof.gather import Run
from scanproof.probes.dns import look_up, public_records, site_records
from scanproof.probes.spf import Evaluation, spf
from scanproof.subjects import Domain, DomainEgress
from selftests.harness import demo
from selftests.peers import PUBLIC
from selftests.peers_dns import LONG, dns_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.evidence import Lookup, MailRecords, Spf
    from selftests.harness import Bench
    from selftests.peers import Ground

pytestmark = pytest.mark.namespaces
Kind = Literal["A", "AAAA", "MX", "TXT"]
OURS, OTHERS, V6 = "203.0.113.10", "192.0.2.7", "2001:db8:5::7"


@dataclass(frozen=True)
class Row:
    """What a policy makes of an address: the result, its look-ups, and a part of what is said."""

    policy: str
    result: str
    lookups: int
    says: str = ""
    address: str = OURS


def chain(length: int) -> dict[str, str]:
    """Return policies that include each other, one after the other; the last one lets the address pass."""
    links = {f"c{length}-{n}": f"v=spf1 include:c{length}-{n + 1}.example -all" for n in range(1, length)}
    return {**links, f"c{length}-{length}": f"v=spf1 ip4:{OURS} -all"}


def wide(count: int) -> str:
    return "v=spf1 " + " ".join(f"include:neutral{n}.example" for n in range(count)) + " -all"


POLICIES = {
    **chain(3),
    **chain(10),
    **chain(11),
    **{f"neutral{n}": "v=spf1 ?all" for n in range(11)},
    "circle": "v=spf1 include:circle.example -all",
    "elsewhere": "v=spf1 redirect=c3-3.example",
    "nothing": "v=spf1 include:real.example -all",  # a name that publishes no SPF record
    "nobody": "v=spf1 include:nowhere.example -all",  # no such name
    "broke": "v=spf1 include:x.broken.example -all",
    "hosts": "v=spf1 a:alias.example mx:northfield.example -all",
    "listed": "v=spf1 exists:%{ir}.%{v}.list.example -all",
}
ROWS = {
    "own address": Row("v=spf1 ip4:203.0.113.10 -all", "pass", 0),
    "another address": Row("v=spf1 ip4:203.0.113.10 -all", "fail", 0, address=OTHERS),
    "a chain": Row("v=spf1 include:c3-1.example -all", "pass", 3),
    "ten in a chain": Row("v=spf1 include:c10-1.example -all", "pass", 10),
    "eleven in a chain": Row("v=spf1 include:c11-1.example -all", "permerror", 11, "more than 10 look-ups"),
    "ten beside each other": Row(wide(10), "fail", 10),
    "eleven beside each other": Row(wide(11), "permerror", 11, "include:neutral10.example"),
    "a circle": Row("v=spf1 include:circle.example -all", "permerror", 11, "more than 10 look-ups"),
    "a redirect": Row("v=spf1 redirect=elsewhere.example", "pass", 2),
    "an include of no policy": Row("v=spf1 include:nothing.example -all", "permerror", 2, "publishes no SPF record"),
    "an include of no name": Row("v=spf1 include:nobody.example -all", "permerror", 2, "publishes no SPF record"),
    "an include that fails": Row("v=spf1 include:broke.example -all", "temperror", 2, "SERVFAIL"),
    "by an alias": Row("v=spf1 include:hosts.example -all", "pass", 2, address="203.0.113.2"),
    "by a mail host": Row("v=spf1 include:hosts.example -all", "pass", 3, address="198.51.100.26"),
    "two that find nothing": Row("v=spf1 a:nowhere.example a:nullmx.example -all", "fail", 2),
    "three that find nothing": Row(
        "v=spf1 a:n1.example a:nullmx.example mx:many.example -all",
        "permerror",
        3,
        "more than 2 look-ups found nothing",
    ),
    "a macro": Row("v=spf1 include:listed.example -all", "pass", 2),
    "a macro of another": Row("v=spf1 include:listed.example -all", "fail", 2, address=OTHERS),
    "the newer family": Row("v=spf1 include:spf.northfield.example -all", "pass", 1, address=V6),
    "the newer family of a host": Row("v=spf1 a:real.example -all", "pass", 1, address="2001:db8::1"),
}
TOPS = {f"top{number}": row.policy for number, row in enumerate(ROWS.values())}
MORE = """
10.113.0.203.in-addr.list IN A 127.0.0.2
two IN TXT "v=spf1 -all"
two IN TXT "v=spf1 +all"
"""


@pytest.fixture(name="bind", scope="module")
def bind_fixture() -> Iterator[Ground]:
    with dns_peer({**POLICIES, **TOPS}, MORE) as made:
        yield made


def looked_up(bind: Ground, *questions: tuple[str, Kind]) -> list[Lookup]:
    async def work(wire: Bench) -> list[Lookup]:
        run = Run(wire.gatherer(), "look_up", Domain("example"))
        return [await look_up(run, PUBLIC, name, kind) for name, kind in questions]

    return bind.probed(work)


LOOKUPS: dict[str, tuple[str, Kind, str, tuple[str, ...]]] = {
    "MX": (
        "northfield.example",
        "MX",
        "answered",
        ("0 northfield-example.mail.example", "20 backup.mail.example"),
    ),
    "null MX": ("nullmx.example", "MX", "answered", ("0 .",)),
    "TXT in two strings": (
        "northfield.example",
        "TXT",
        "answered",
        ("a-verification=1", "v=spf1 ip4:203.0.113.10 include:spf.northfield.example -all"),
    ),
    "two aliases": ("alias.example", "A", "answered", ("203.0.113.1", "203.0.113.2")),
    "AAAA": ("real.example", "AAAA", "answered", ("2001:db8::1",)),
    "no such name": ("nowhere.example", "A", "no such name", ()),
    "an alias to no such name": ("lost.example", "A", "no such name", ()),
    "no such record": ("real.example", "MX", "no such record", ()),
    "an empty name between": ("in-addr.list.example", "A", "no such record", ()),
    "upper case": ("REAL.Example", "A", "answered", ("203.0.113.1", "203.0.113.2")),
}


@pytest.mark.parametrize("which", LOOKUPS)
def test_look_up(bind: Ground, which: str) -> None:
    name, kind, status, values = LOOKUPS[which]
    (found,) = looked_up(bind, (name, kind))
    assert (found.status, found.values, found.told) == (status, values, True)


def test_a_zone_that_is_not_loaded_tells_nothing(bind: Ground) -> None:
    (found,) = looked_up(bind, ("broken.example", "MX"))
    assert (found.status, found.told) == ("failed", False)
    assert "SERVFAIL" in found.trouble


def test_a_name_that_is_not_the_server_s_tells_nothing(bind: Ground) -> None:
    (found,) = looked_up(bind, ("elsewhere.invalid", "A"))
    assert (found.status, found.told) == ("failed", False)
    assert "REFUSED" in found.trouble


def test_an_answer_that_is_cut_is_asked_for_by_tcp(bind: Ground) -> None:
    (found,) = looked_up(bind, ("long.example", "TXT"))
    assert found.status == "answered"
    assert found.values == tuple(sorted(LONG))


def test_inside_and_outside_disagree(bind: Ground) -> None:
    async def work(wire: Bench) -> tuple[MailRecords, MailRecords]:
        domain = Domain("northfield.example")
        return await wire.observe(public_records, domain), await wire.observe(site_records, domain)

    public, site = bind.probed(work)
    assert public.mx_hosts == ("backup.mail.example", "northfield-example.mail.example")
    assert site.mx_hosts == ("mail.northfield.example",)
    for records in (public, site):
        assert records.dmarc.values == ("v=DMARC1; p=quarantine",)


@pytest.mark.parametrize("which", ROWS)
def test_policy(bind: Ground, which: str) -> None:
    row, domain = ROWS[which], f"top{list(ROWS).index(which)}.example"

    async def work(wire: Bench) -> Spf:
        run = Run(wire.gatherer(), "look_up", Domain("example"))

        async def ask(name: str, kind: Kind) -> Lookup:
            return await look_up(run, PUBLIC, name, kind)

        return await Evaluation(row.address, ask, f"scan@{domain}").check(domain)

    seen = bind.probed(work)
    assert (seen.result, seen.lookups) == (row.result, row.lookups), seen.seen
    assert row.says in seen.seen


@pytest.mark.parametrize(("address", "result"), [(OURS, "pass"), ("198.51.100.26", "pass"), (OTHERS, "fail")])
def test_the_probe(bind: Ground, address: str, result: str) -> None:
    async def work(wire: Bench) -> Spf:
        return await wire.observe(spf, DomainEgress("northfield.example", address, demo().subnets[:1]))

    seen = bind.probed(work)
    assert seen.result == result, seen.seen
    assert seen.records == ("v=spf1 ip4:203.0.113.10 include:spf.northfield.example -all",)


def test_two_policies(bind: Ground) -> None:
    async def work(wire: Bench) -> Spf:
        return await wire.observe(spf, DomainEgress("two.example", OURS, demo().subnets[:1]))

    seen = bind.probed(work)
    assert (seen.result, len(seen.records)) == ("permerror", 2)
