"""SNMP answers as they come: good ones, other ones, broken ones, none; and those of net-snmp's agent."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab import ber
from lab import snmp as agent
from lab.estate import build
from lab.plan import plan_of
from scanproof.devices import snmp
from scanproof.devices.identity import identity
from scanproof.gather import Run
from selftests.harness import bench, demo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("error")

COPIER = demo().copiers[0]
PLACE = f"{COPIER.address}:161"
DESCRIPTION, SERIAL = snmp.SYSTEM["description"], snmp.SYSTEM["serial"]
Pair = tuple[bytes, int, bytes]  # object, tag, value


def oid(text: str) -> bytes:
    return ber.oid_bytes(tuple(int(part) for part in text.split(".")))


def number_of(question: bytes) -> int:
    _, _, request = ber.children(ber.whole(question, ber.SEQUENCE))
    return ber.integer_of(ber.children(request)[0].content)


def answer(number: int, *pairs: Pair, kind: int = 0xA2, error: int = 0) -> bytes:
    bound = b"".join(
        ber.packed(ber.SEQUENCE, ber.packed(ber.OID, name) + ber.packed(tag, value)) for name, tag, value in pairs
    )
    numbers = b"".join(ber.packed(ber.INTEGER, ber.integer_bytes(it)) for it in (number, error, 0))
    head = ber.packed(ber.INTEGER, b"\x01") + ber.packed(ber.TEXT, b"public")
    return ber.packed(ber.SEQUENCE, head + ber.packed(kind, numbers + ber.packed(ber.SEQUENCE, bound)))


GOOD: tuple[Pair, ...] = ((oid(DESCRIPTION), 4, b"RICOH IM C3000 1.21"), (oid(SERIAL), 4, b"3099R310291\0 "))
TOLD = {"description": "RICOH IM C3000 1.21", "serial": "3099R310291"}


def told(*pairs: Pair, **options: int) -> Callable[[bytes], Sequence[bytes]]:
    return lambda question: [answer(number_of(question), *pairs, **options)]


def good(question: bytes) -> bytes:
    return answer(number_of(question), *GOOD)


ROWS: dict[str, tuple[Callable[[bytes], Sequence[bytes]], dict[str, str]]] = {
    "good": (told(*GOOD), TOLD),
    "silence": (lambda _: [], {}),
    "wrong number": (lambda question: [answer(number_of(question) ^ 1, *GOOD)], {}),
    "wrong number before the right": (lambda question: [answer(1, *GOOD[:1]), good(question)], TOLD),
    "garbage before the right": (lambda question: [b"\xff" * 50, b"", b"\x30", good(question)], TOLD),
    "twice": (lambda question: [good(question)] * 2, TOLD),
    "a flood before the right": (lambda question: [b"\x30\x00"] * 5 + [good(question)], TOLD),
    "the question sent back": (lambda question: [question], {}),
    "no response": (told(*GOOD, kind=0xA0), {}),
    "a trap": (told(*GOOD, kind=0xA7), {}),
    "noSuchObject": (told((oid(DESCRIPTION), 0x80, b""), GOOD[1]), {"serial": TOLD["serial"]}),
    "noSuchInstance": (told((oid(DESCRIPTION), 0x81, b""), (oid(SERIAL), 0x81, b"")), {}),
    "noSuchName": (told((oid(DESCRIPTION), 5, b""), error=2), {}),
    "nothing bound": (told(), {}),
    "blank": (told((oid(DESCRIPTION), 4, b"   "), GOOD[1]), {"serial": TOLD["serial"]}),
    "a number": (told((oid(SERIAL), 2, b"\x01\x00")), {"serial": "256"}),
    "a huge number": (
        told((oid(SERIAL), 2, b"\x7f" * 5000), GOOD[0]),
        {"description": TOLD["description"], "serial": str(int("7f" * 9, 16))},
    ),
    "not UTF-8": (told((oid(DESCRIPTION), 4, b"B\xfcro\x1b[2J")), {"description": "B\ufffdro\ufffd[2J"}),
    "long": (told((oid(DESCRIPTION), 4, b"x" * 5000)), {"description": "x" * 300 + "… (5000 characters)"}),
    "other objects": (told((oid("1.3.6.1.2.1.1.5.0"), 4, b"name"), GOOD[1]), {"serial": TOLD["serial"]}),
    "an endless object": (told((b"\x2b" + b"\xff" * 30_000, 4, b"x"), GOOD[1]), {}),
    "a long object": (told((b"\x2b" + b"\xff" * 500 + b"\x01", 4, b"x"), GOOD[1]), {"serial": TOLD["serial"]}),
    "an empty object": (told((b"", 4, b"x"), GOOD[1]), {"serial": TOLD["serial"]}),
    "huge": (told(*GOOD, *[(oid("1.3.6.1.9"), 4, b"x" * 600)] * 80), TOLD),
    "thousands of objects": (told(*GOOD, *[(oid("1.3.6.1.9"), 4, b"")] * 4000), TOLD),
}


async def ask(answers: Callable[[bytes], Sequence[bytes]] | None) -> tuple[dict[str, str], int]:
    async with bench() as wire:
        server = await wire.answer(PLACE, answers) if answers else None
        run = Run(wire.gatherer(), "identity", COPIER)
        return await snmp.system(COPIER.address, run), server.connections if server else 0


@pytest.mark.parametrize(("answers", "found"), ROWS.values(), ids=ROWS)
async def test_answer(answers: Callable[[bytes], Sequence[bytes]], found: dict[str, str]) -> None:
    began = time.monotonic()
    values, asked = await ask(answers)
    assert values == found
    assert asked <= snmp.TRIES
    assert time.monotonic() - began < snmp.TRIES * snmp.WAIT + 1


async def test_the_second_try() -> None:
    questions: list[bytes] = []

    def second(question: bytes) -> list[bytes]:
        questions.append(question)
        return [good(question)] if len(questions) == 2 else []

    assert (await ask(second))[0] == TOLD
    assert questions[0] == questions[1]
    assert ber.children(ber.whole(questions[0], ber.SEQUENCE))[2].tag == 0xA0, "it asks, and sets nothing"


async def test_where_nothing_listens() -> None:
    assert await ask(None) == ({}, 0)


async def test_other_sources_do_not_count() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))

        async with bench() as wire:

            class Seen:
                port = 0

            def forged(question: bytes) -> list[bytes]:
                other.sendto(answer(number_of(question), (oid(SERIAL), 4, b"forged")), ("127.0.0.1", Seen.port))
                return []

            server = await wire.answer(PLACE, forged)
            transport: Any = wire._datagrams[0]
            inner = transport.get_protocol().datagram_received

            def received(data: bytes, addr: Any) -> None:
                Seen.port = addr[1]
                inner(data, addr)

            transport.get_protocol().datagram_received = received
            run = Run(wire.gatherer(), "identity", COPIER)
            assert await snmp.system(COPIER.address, run) == {}
            assert server.connections == snmp.TRIES


def test_no_bytes_make_it_fail() -> None:
    whole = answer(7, *GOOD, (oid(SERIAL), 2, b"\x01"))
    for size in range(len(whole)):
        assert snmp._values(whole[:size], 7) is None
    chance = random.Random(7)
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        snmp._values(bytes(data), 7)


async def test_a_broken_answer_breaks_no_identity() -> None:
    async with bench() as wire:
        await wire.answer(PLACE, ROWS["an endless object"][0])
        page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"

        async def hello(conn: Any) -> None:
            await conn.request()
            await conn.send(page)

        await wire.serve(f"{COPIER.address}:80", hello)
        await wire.refuse(f"{COPIER.address}:443")
        found = await wire.observe(identity, COPIER)
    assert found.make == ""


async def test_net_snmps_agent(tmp_path: Path) -> None:
    command = shutil.which("snmpd") or shutil.which("snmpd", path="/usr/sbin")
    if command is None:
        pytest.skip("net-snmp's snmpd is not installed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path / "snmpd.conf"
    settings.write_text(
        f"rocommunity public 127.0.0.1\nsysDescr RICOH IM C3000 1.21\n"
        f"override .{SERIAL} octet_str 3099R310291\npersistentDir {tmp_path}\n",
        encoding="ascii",
    )
    options = [
        "-f",
        "-C",
        "-c",
        str(settings),
        "-Lf",
        str(tmp_path / "log"),
        "-p",
        str(tmp_path / "pid"),
        "-I",
        "system_mib,override",
    ]
    environment = {"SNMP_PERSISTENT_DIR": str(tmp_path), "MIBS": ""}
    agent = subprocess.Popen([command, *options, f"udp:127.0.0.1:{port}"], env=environment)  # noqa: ASYNC220 - it returns at once
    try:
        async with bench() as wire:
            wire.udp[PLACE] = ("127.0.0.1", port)
            run = Run(wire.gatherer(), "identity", COPIER)
            found: dict[str, str] = {}
            for _ in range(5):  # until it has started
                if agent.poll() is not None:
                    pytest.skip(f"snmpd does not run here: {(tmp_path / 'log').read_text(encoding='utf-8')[-300:]}")
                if found := await snmp.system(COPIER.address, run):
                    break
    finally:
        agent.terminate()
        agent.wait(10)
    assert int(found.pop("up")) >= 0
    assert found == TOLD


async def count(answers: Callable[[bytes], Sequence[bytes]]) -> tuple[dict[str, int], int]:
    async with bench() as wire:
        server = await wire.answer(PLACE, answers)
        run = Run(wire.gatherer(), "identity", COPIER)
        return await snmp.counters(COPIER.address, run), server.connections


@pytest.mark.parametrize("number", [0, 2])
async def test_counters_are_joined_by_name(number: int) -> None:
    device = build(plan_of(demo()), "loopback").copiers[demo().copiers[number].key].state
    device.scans_sent = 300
    found, asked = await count(lambda question: [agent.answer(device, question) or b""])
    assert found == {
        "Counter:Machine Total": 48211,
        "Counter:Transmission:Total": 300,
        "Counter:Transmission:Color Scan": 0,
        "Counter:Transmission:B&W Scan": 300,
    }
    assert asked <= 2


def rows(*parts: tuple[str, bytes, bytes]) -> Callable[[bytes], Sequence[bytes]]:
    names, values = oid(snmp.COUNTER_NAMES), oid(snmp.COUNTER_VALUES)
    pairs = [
        pair for row, name, value in parts for pair in ((names + oid(row), 4, name), (values + oid(row), 4, value))
    ]
    return told(*pairs)


HOSTILE: dict[str, tuple[Callable[[bytes], Sequence[bytes]], dict[str, int]]] = {
    "the same rows for ever": (rows(("1.1", b"a", b"7")), {"a": 7}),
    "no number": (rows(("1.1", b"a", b"seven"), ("1.2", b"b", b"9" * 200), ("1.3", b"", b"7")), {}),
    "no value": (told((oid(snmp.COUNTER_NAMES) + b"\x05", 4, b"a")), {}),
    "no name": (told((oid(snmp.COUNTER_VALUES) + b"\x05", 2, b"\x07")), {}),
    "the end of what it has": (told((oid(snmp.COUNTER_NAMES), 0x82, b"")), {}),
}


@pytest.mark.parametrize(("answers", "found"), HOSTILE.values(), ids=HOSTILE)
async def test_counters_of_a_bad_agent(answers: Callable[[bytes], Sequence[bytes]], found: dict[str, int]) -> None:
    assert (await count(answers))[0] == found


async def test_counters_without_end() -> None:
    at = 0

    def more(question: bytes) -> Sequence[bytes]:
        nonlocal at
        at += 1
        row = at.to_bytes(1, "big")
        return [answer(number_of(question), (oid(snmp.COUNTER_NAMES) + row, 4, b"n%d" % at))]

    found, asked = await count(more)
    assert (found, asked) == ({}, snmp._QUESTIONS)
