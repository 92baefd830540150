"""Echo requests: matched by their source, and the system's own ping command read in any language."""

from __future__ import annotations

import asyncio
import time

import icmplib
import pytest

from scanproof.echo import NoPing, Pinger, _Asked, round_trips
from scanproof.network import Vantage
from scanproof.probes.icmp import ping
from selftests.harness import bench, demo

pytestmark = pytest.mark.filterwarnings("error")

HOST = "10.20.90.11"
OUTPUTS = [
    (
        "Linux",
        f"PING {HOST}\n64 bytes from {HOST}: icmp_seq=1 ttl=64 time=0.045 ms\n\n1 received\nrtt min/avg = 0.1/0.2 ms",
        (0.045,),
    ),
    ("Linux, German", f"64 Bytes von {HOST}: icmp_seq=1 ttl=64 Zeit=12,5 ms\n", (12.5,)),
    (
        "Linux, unreachable",
        "From 10.20.90.1 icmp_seq=1 Destination Host Unreachable\n0 received, 100% packet loss\n",
        (),
    ),
    ("Linux, TTL ended", "From 10.20.1.1 icmp_seq=1 Time to live exceeded\n", ()),
    ("busybox", f"64 bytes from {HOST}: seq=0 ttl=64 time=0.065 ms\n", (0.065,)),
    (
        "macOS",
        f"64 bytes from {HOST}: icmp_seq=0 ttl=255 time=1.234 ms\nround-trip min/avg/max/stddev = 1.2/1.2/1.2/0 ms\n",
        (1.234,),
    ),
    ("macOS, silence", f"PING {HOST} ({HOST}): 56 data bytes\nRequest timeout for icmp_seq 0\n", ()),
    (
        "Windows",
        f"Reply from {HOST}: bytes=32 time=3ms TTL=64\r\n\r\nMinimum = 3ms, Maximum = 3ms, Average = 3ms\r\n",
        (3,),
    ),
    ("Windows, fast", f"Reply from {HOST}: bytes=32 time<1ms TTL=128\r\n", (1,)),
    (
        "Windows, German",
        f"Antwort von {HOST}: Bytes=32 Zeit=17ms TTL=128\r\n    Minimum = 17ms, Mittelwert = 17ms\r\n",
        (17,),
    ),
    ("Windows, French", f"Réponse de {HOST} : octets=32 temps=4 ms TTL=64\r\n", (4,)),
    (
        "Windows, unreachable",
        f"Pinging {HOST} with 32 bytes\r\nReply from 10.20.90.9: Destination host unreachable.\r\n",
        (),
    ),
    ("Windows, German, unreachable", "Antwort von 10.20.90.9: Zielhost nicht erreichbar.\r\n", ()),
    ("Windows, TTL ended", "Reply from 10.20.90.1: TTL expired in transit.\r\n", ()),
    (
        "Windows, time-out",
        f"Request timed out.\r\nPing statistics for {HOST}:\r\n  Sent = 2, Received = 0, Lost = 2",
        (),
    ),
    ("another host", "Reply from 10.20.90.111: bytes=32 time=3ms TTL=64\r\n", ()),
    ("nothing", "", ()),
]


@pytest.mark.parametrize(("output", "times"), [row[1:] for row in OUTPUTS], ids=[row[0] for row in OUTPUTS])
def test_the_ping_command(output: str, times: tuple[float, ...]) -> None:
    assert round_trips(output, HOST) == times


def test_the_ping_command_of_windows_shows_no_ttl_for_ipv6() -> None:
    assert round_trips("Reply from 2001:db8::5: time=2ms\r\n", "2001:db8::5") == (2,)
    assert round_trips("Reply from 2001:db8::9: Destination host unreachable.\r\n", "2001:db8::5") == ()


@pytest.fixture
def permitted() -> None:
    """Skip where this machine permits no ICMP socket."""
    for privileged in (False, True):
        try:
            icmplib.ICMPv4Socket(privileged=privileged).close()
        except icmplib.ICMPLibError:
            continue
        return
    pytest.skip("this machine permits no ICMP socket")


@pytest.mark.usefixtures("permitted")
async def test_no_reply_to_a_burst_is_lost() -> None:
    """All leave in one turn of the loop, more than a socket keeps replies of."""
    pinger = Pinger()
    addresses = [f"127.0.{high}.{low}" for high in range(10) for low in range(1, 201)]
    try:
        found = await asyncio.gather(*(pinger.ping(address, count=1, timeout=5) for address in addresses))
    finally:
        pinger.close()
    assert sum(len(echo.rtt_ms) for echo in found) == len(addresses)


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize("threaded", [False, True], ids=["on the loop", "in a thread"])
async def test_loopback_addresses_answer(threaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    if threaded:

        def cannot(*_: object) -> None:
            raise NotImplementedError

        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", cannot)
    pinger = Pinger()
    try:
        found = await asyncio.gather(*(pinger.ping(f"127.0.0.{n}", timeout=1) for n in range(1, 51)))
    finally:
        pinger.close()
    assert all(len(echo.rtt_ms) == 1 and echo.sent == 1 and not echo.trouble for echo in found)
    assert all(0 < echo.rtt_ms[0] < 1000 for echo in found)


@pytest.mark.usefixtures("permitted")
async def test_a_reply_of_another_host_does_not_count() -> None:
    """Two pingers on one machine see each other's replies; sequence numbers start alike."""
    one, other = Pinger(), Pinger()
    try:
        await other.ping("127.0.0.1", timeout=1)
        asked = other._waiting[9] = _Asked("127.0.0.77", 1, 1, began={9: 0.0})
        asked.answer = asyncio.get_running_loop().create_future()
        reply = icmplib.ICMPReply(
            source="127.0.0.1", family=4, id=other._id, sequence=9, type=0, code=0, time=0.0, bytes_received=64
        )
        other._match(reply)
        assert not asked.answer.done()
        other._waiting.clear()
        assert (await one.ping("127.0.0.2", timeout=1)).rtt_ms
    finally:
        one.close()
        other.close()


@pytest.mark.usefixtures("permitted")
async def test_silence_is_bounded_and_no_error() -> None:
    """The broadcast address of loopback answers no echo request."""
    pinger, began = Pinger(), time.monotonic()
    try:
        echo = await pinger.ping("127.255.255.255", timeout=0.3)
    finally:
        pinger.close()
    assert not echo.rtt_ms
    assert time.monotonic() - began < 2


async def test_an_ipv6_address_goes_by_the_command() -> None:
    try:
        echo = await Pinger().ping("::1", count=1, timeout=1)
    except NoPing as error:
        pytest.skip(f"no ping command that may be used: {error}")
    assert echo.method == "ping command"


async def test_the_loopback_lab_has_no_icmp() -> None:
    async with bench() as wire:
        wire.network.vantage = Vantage("lab", (), "loopback")
        found = await wire.ask(ping, demo().copiers[0])
    assert (found.outcome, found.remedy) == ("unproven", "on Linux: scanproof demo --network namespaces")
