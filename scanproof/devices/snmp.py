"""SNMP v2c, reading only (RFC 3416): identity and counters of a device, where it answers.

Silence says nothing: SNMP may be off, know another community, or speak version 3 alone. No code here can set anything.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING

from scanproof.redact import plain

if TYPE_CHECKING:
    from scanproof.gather import Run

PORT = 161
COMMUNITY = b"public"  # every vendor's default for reading
TRIES = 2
WAIT = 1.0  # seconds for each try
SYSTEM = {
    "description": "1.3.6.1.2.1.1.1.0",
    "model": "1.3.6.1.2.1.25.3.2.1.3.1",  # hrDeviceDescr (RFC 2790)
    "serial": "1.3.6.1.2.1.43.5.1.1.17.1",  # prtGeneralSerialNumber (RFC 3805)
    "firmware": "1.3.6.1.4.1.367.3.2.1.1.1.2.0",  # Ricoh's own
    "up": "1.3.6.1.2.1.1.3.0",  # sysUpTime, in hundredths of a second (RFC 3418)
    "made": "1.3.6.1.2.1.43.10.2.1.4.1.1",  # prtMarkerLifeCount (RFC 3805)
}
# Ricoh's own counters: a column of names and one of values. The row of a counter differs by model, its name does not;
# both columns are known from published pollers' lists.
COUNTER_NAMES = "1.3.6.1.4.1.367.3.2.1.2.19.5.1.5"
COUNTER_VALUES = "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9"
MOST_COUNTERS = 500
_ROWS = 20  # that are asked for at once; an agent gives fewer where they don't fit
_QUESTIONS = 60  # at most, whatever an agent answers
_GET, _RESPONSE, _BULK = 0xA0, 0xA2, 0xA5


async def system(address: str, run: Run) -> dict[str, str]:
    """Return what a device says of itself; empty where it is silent."""
    found = await get(address, list(SYSTEM.values()), run)
    return {name: found[oid] for name, oid in SYSTEM.items() if found.get(oid)}


async def counters(address: str, run: Run) -> dict[str, int]:
    """Return a device's own counters by their names, those of scans among them; empty where it tells none."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    last = ""
    for _ in range(_QUESTIONS):
        at = [f"{column}{last}" for column in (COUNTER_NAMES, COUNTER_VALUES)]
        found = await get(address, at, run, rows=_ROWS)
        told = {oid.removeprefix(COUNTER_NAMES): name for oid, name in found.items() if _below(oid, COUNTER_NAMES)}
        values |= {oid.removeprefix(COUNTER_VALUES): it for oid, it in found.items() if _below(oid, COUNTER_VALUES)}
        new = [row for row in told if row not in names]
        names |= told
        if not new or len(names) >= MOST_COUNTERS:
            break
        last = max(new, key=_numbers)
    joined = ((name, values.get(row, "")) for row, name in list(names.items())[:MOST_COUNTERS])
    return {name: int(value) for name, value in joined if name and re.fullmatch(r"[0-9]{1,20}", value)}


def _below(oid: str, column: str) -> bool:
    return oid.startswith(f"{column}.")


def _numbers(row: str) -> tuple[int, ...]:
    return tuple(int(part) for part in row.split(".") if part)


async def get(address: str, oids: list[str], run: Run, *, rows: int = 0) -> dict[str, str]:
    """Return the values of some objects as text; without those that the device lacks, empty where it is silent.

    Args:
        address: the device's.
        oids: the objects; of a table's columns, where to go on after.
        run: the run.
        rows: so many that follow each object are asked for, rather than the object itself (GetBulk).
    """
    try:
        where = run.network.mapped(address, PORT, udp=True)
    except OSError:
        return {}
    number = secrets.randbelow(2**31 - 1)
    question = _message(number, oids, rows)
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[bytes] = asyncio.Queue(10)

    class Answers(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
            if not answers.full():
                answers.put_nowait(data)

    async with run.wire(address, "dns"):
        try:
            transport, _ = await loop.create_datagram_endpoint(Answers, remote_addr=where)
        except OSError:
            return {}
        try:
            for _ in range(TRIES):
                transport.sendto(question)
                try:
                    async with asyncio.timeout(WAIT):
                        while True:
                            if (found := _values(await answers.get(), number)) is not None:
                                return found
                except TimeoutError:
                    continue
        finally:
            transport.close()
    return {}


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    body = bytearray([first * 40 + second])
    for part in rest:
        octets = [part & 0x7F]
        while part := part >> 7:
            octets.append(part & 0x7F | 0x80)
        body += bytes(reversed(octets))
    return _tlv(0x06, bytes(body))


def _message(number: int, oids: list[str], rows: int) -> bytes:
    wanted = b"".join(_tlv(0x30, _oid(oid) + _tlv(0x05, b"")) for oid in oids)
    request = _tlv(_BULK if rows else _GET, _integer(number) + _integer(0) + _integer(rows) + _tlv(0x30, wanted))
    return _tlv(0x30, _integer(1) + _tlv(0x04, COMMUNITY) + request)


class _BadError(Exception):
    pass


def _take(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return a value's tag and body, and where the next one begins."""
    if at + 2 > len(data):
        raise _BadError
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        octets = size & 0x7F
        if octets > 4 or at + octets > len(data):
            raise _BadError
        size, at = int.from_bytes(data[at : at + octets], "big"), at + octets
    if at + size > len(data):
        raise _BadError
    return tag, data[at : at + size], at + size


def _values(data: bytes, number: int) -> dict[str, str] | None:
    """Return an answer's values; None where it is not the answer to this question."""
    try:
        _, message, _ = _take(data, 0)
        _, _, at = _take(message, 0)
        _, _, at = _take(message, at)
        kind, body, _ = _take(message, at)
        _, asked, at = _take(body, 0)
        if kind != _RESPONSE or int.from_bytes(asked, "big") != number:
            return None
        _, _, at = _take(body, at)
        _, _, at = _take(body, at)
        _, listed, _ = _take(body, at)
        found: dict[str, str] = {}
        at = 0
        while at < len(listed) and len(found) < 1000:
            _, pair, at = _take(listed, at)
            _, name, then = _take(pair, 0)
            tag, value, _ = _take(pair, then)
            if tag == 0x04:
                found[_dotted(name)] = plain(value.decode("utf-8", "replace").strip("\0 "), 300)
            elif tag in {0x02, 0x41, 0x42, 0x43}:
                found[_dotted(name)] = str(int.from_bytes(value[:9], "big"))
    except _BadError:
        return None
    return found


def _dotted(body: bytes) -> str:
    if not body:
        return ""
    if len(body) > 640:  # RFC 2578, section 3.5: 128 numbers of 32 bits
        raise _BadError
    parts, value = [str(min(body[0] // 40, 2)), str(body[0] - 40 * min(body[0] // 40, 2))], 0
    for octet in body[1:]:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            parts.append(str(value))
            value = 0
    return ".".join(parts)
