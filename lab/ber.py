"""As much of ASN.1's basic encoding (X.690) as SNMP needs."""

from __future__ import annotations

from typing import NamedTuple

INTEGER, TEXT, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
COUNTER, TICKS = 0x41, 0x43  # RFC 2578


class BerError(Exception):
    """What was received is not in this encoding."""


class Part(NamedTuple):
    """An encoded value: its tag and content."""

    tag: int
    content: bytes


def packed(tag: int, content: bytes) -> bytes:
    """Return a value with its tag and length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def whole(data: bytes, tag: int) -> Part:
    """Read data that is one value of a tag.

    Raises:
        BerError: it is not.
    """
    parts = _parts(data)
    if len(parts) != 1 or parts[0].tag != tag:
        raise BerError("not one value of this kind")
    return parts[0]


def children(part: Part) -> list[Part]:
    """Read the values that a value is made of.

    Raises:
        BerError: its content is none.
    """
    return _parts(part.content)


def _parts(data: bytes) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        if len(data) < at + 2:
            raise BerError("cut")
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise BerError("cut")
        found.append(Part(tag, data[at : at + size]))
        at += size
    return found


def integer_bytes(value: int) -> bytes:
    """Return an integer's content."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def integer_of(content: bytes) -> int:
    """Return the integer of a content."""
    return int.from_bytes(content, "big", signed=True)


def oid_bytes(oid: tuple[int, ...]) -> bytes:
    """Return an object identifier's content."""
    numbers = (oid[0] * 40 + oid[1], *oid[2:])
    return b"".join(_base128(number) for number in numbers)


def oid_of(content: bytes) -> tuple[int, ...]:
    """Return the object identifier of a content.

    Raises:
        BerError: there is none.
    """
    if not content:
        raise BerError("empty")
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2) if numbers else 0
    return (first, numbers[0] - first * 40, *numbers[1:]) if numbers else ()


def _base128(number: int) -> bytes:
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))
