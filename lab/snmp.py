"""Each copier's SNMP agent, v1 and v2c, for the community ``public``: it answers questions, and has no SET."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from lab import ber

if TYPE_CHECKING:
    from lab.copierstate import CopierState
    from lab.estate import Estate
    from lab.net import Net

PORT = 161
COMMUNITY = b"public"
MOST_ROWS = 20  # of a GetBulk's answer
_GET, _NEXT, _RESPONSE, _BULK = 0xA0, 0xA1, 0xA2, 0xA5
_NO_INSTANCE, _END_OF_VIEW = 0x81, 0x82
_NO_SUCH_NAME = 2  # RFC 1157
_RICOH = "1.3.6.1.4.1.367"

Oid = tuple[int, ...]


async def start(estate: Estate, net: Net) -> list[asyncio.BaseTransport]:
    """Open the agent of every copier that is there and has it on; the others are silent."""
    loop = asyncio.get_running_loop()
    opened: list[asyncio.BaseTransport] = []
    for copier in estate.copiers.values():
        if copier.alive and copier.state.snmp:
            transport, _ = await loop.create_datagram_endpoint(
                lambda state=copier.state: _Agent(state),  # type: ignore[misc]
                sock=net.datagram(copier.address, PORT),
            )
            opened.append(transport)
    return opened


def values(state: CopierState) -> dict[Oid, tuple[int, bytes]]:
    """Return everything that an agent tells: type and content by object."""
    parts = (state.model, state.firmware)
    described = " / ".join(
        (f"RICOH {parts[0]} {parts[1]}", "RICOH Network Printer C model", "RICOH Network Scanner C model")
    )
    texts = {
        "1.3.6.1.2.1.1.1.0": described,
        "1.3.6.1.2.1.1.5.0": state.host_name,
        "1.3.6.1.2.1.25.3.2.1.3.1": f"RICOH {state.model}",
        "1.3.6.1.2.1.43.5.1.1.17.1": state.serial,
        f"{_RICOH}.3.2.1.1.1.1.1.0": state.model,
        f"{_RICOH}.3.2.1.1.1.2.0": state.firmware,
        f"{_RICOH}.3.2.1.2.1.4.0": state.serial,
        f"{_RICOH}.3.2.1.6.1.1.7.1": state.host_name,  # guess: its last number
    }
    found = {_oid(name): (ber.TEXT, text.encode()) for name, text in texts.items()}
    found[_oid("1.3.6.1.2.1.1.2.0")] = (ber.OID, ber.oid_bytes(_oid(f"{_RICOH}.1.1")))
    up = int((datetime.now(UTC) - state.started).total_seconds() * 100) % 2**32
    found[_oid("1.3.6.1.2.1.1.3.0")] = (ber.TICKS, ber.integer_bytes(up))
    found[_oid("1.3.6.1.2.1.43.10.2.1.4.1.1")] = (ber.COUNTER, ber.integer_bytes(state.made))
    # The row of a counter differs by model; its name tells.
    first = 870 if state.model.startswith("MP") else 10
    counters = (
        ("Counter:Transmission:Total", state.scans_sent),
        ("Counter:Transmission:Color Scan", 0),
        ("Counter:Transmission:B&W Scan", state.scans_sent),
    )
    rows = [(1, "Counter:Machine Total", state.made), *((first + at, *part) for at, part in enumerate(counters))]
    for row, name, count in rows:
        found[_oid(f"{_RICOH}.3.2.1.2.19.5.1.5.{row}")] = (ber.TEXT, name.encode())
        found[_oid(f"{_RICOH}.3.2.1.2.19.5.1.9.{row}")] = (ber.INTEGER, ber.integer_bytes(count))
    return found


def answer(state: CopierState, packet: bytes) -> bytes | None:
    """Answer one request; None where it is none that this agent takes."""
    try:
        version, community, request = ber.children(ber.whole(packet, ber.SEQUENCE))
        if community.content != COMMUNITY or version.content not in {b"\0", b"\1"}:
            return None
        number, second, third, bound = ber.children(request)
        names = [ber.oid_of(ber.children(pair)[0].content) for pair in ber.children(bound)]
        counts = (ber.integer_of(second.content), ber.integer_of(third.content))
    except (ber.BerError, ValueError):
        return None
    if request.tag not in {_GET, _NEXT, _BULK}:
        return None
    known, old = values(state), version.content == b"\0"
    if request.tag == _BULK:
        found = _bulk(known, names, counts)
    else:
        look = _exact if request.tag == _GET else _following
        found = [look(known, name) for name in names]
    wrong = next((at for at, (_, tag, _) in enumerate(found, 1) if tag in {_NO_INSTANCE, _END_OF_VIEW}), 0)
    error = (_NO_SUCH_NAME, wrong) if old and wrong else (0, 0)
    if error[0]:
        found = [(name, ber.NULL, b"") for name in names]
    pairs = b"".join(
        ber.packed(ber.SEQUENCE, ber.packed(ber.OID, ber.oid_bytes(name)) + ber.packed(tag, content))
        for name, tag, content in found
    )
    body = (
        ber.packed(ber.INTEGER, number.content)
        + b"".join(ber.packed(ber.INTEGER, ber.integer_bytes(value)) for value in error)
        + ber.packed(ber.SEQUENCE, pairs)
    )
    head = ber.packed(ber.INTEGER, version.content) + ber.packed(ber.TEXT, community.content)
    return ber.packed(ber.SEQUENCE, head + ber.packed(_RESPONSE, body))


Known = dict[Oid, tuple[int, bytes]]
Found = tuple[Oid, int, bytes]


def _exact(known: Known, name: Oid) -> Found:
    return (name, *known.get(name, (_NO_INSTANCE, b"")))


def _following(known: Known, name: Oid) -> Found:
    ordered = sorted(known)
    at = bisect_right(ordered, name)
    return (ordered[at], *known[ordered[at]]) if at < len(ordered) else (name, _END_OF_VIEW, b"")


def _bulk(known: Known, names: list[Oid], counts: tuple[int, int]) -> list[Found]:
    single, repeats = max(0, counts[0]), min(max(0, counts[1]), MOST_ROWS)
    found = [_following(known, name) for name in names[:single]]
    at = names[single:]
    for _ in range(repeats if at else 0):
        row = [_following(known, name) for name in at]
        found += row
        at = [name for name, _, _ in row]
    return found


def _oid(text: str) -> Oid:
    return tuple(int(part) for part in text.split("."))


class _Agent(asyncio.DatagramProtocol):
    def __init__(self, state: CopierState) -> None:
        self.state = state

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: until Python 3.12 the real class is no DatagramTransport.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (reply := answer(self.state, data)) is not None:
            self.transport.sendto(reply, addr)
