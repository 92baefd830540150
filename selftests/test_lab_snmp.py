"""The copiers' SNMP agents, asked by packets that are put together by hand."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lab import ber, snmp
from lab.estate import build
from lab.plan import plan_of
from scanproof import site as sites
from selftests.labtools import DEMO, LabFor, healthy_lab_fixture, lab_for_fixture

if TYPE_CHECKING:
    from lab.copierstate import CopierState

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

COPIERS = sites.load(DEMO).copiers
SERIAL = "1.3.6.1.2.1.43.5.1.1.17.1"
# snmpget -v2c -c public HOST 1.3.6.1.2.1.1.5.0, as the net-snmp tools write it
PACKET = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010105000500")


def state(number: int = 0) -> CopierState:
    return list(build(plan_of(sites.load(DEMO)), "loopback").copiers.values())[number].state


def asked(oid: str, *, kind: int = 0xA0, version: int = 1, community: bytes = b"public", more: int = 0) -> bytes:
    name = ber.packed(ber.OID, ber.oid_bytes(tuple(int(part) for part in oid.split("."))))
    pair = ber.packed(ber.SEQUENCE, name + ber.packed(ber.NULL, b""))
    numbers = b"".join(ber.packed(ber.INTEGER, ber.integer_bytes(value)) for value in (7, 0, more))
    request = ber.packed(kind, numbers + ber.packed(ber.SEQUENCE, pair))
    head = ber.packed(ber.INTEGER, bytes((version,))) + ber.packed(ber.TEXT, community)
    return ber.packed(ber.SEQUENCE, head + request)


def read(packet: bytes) -> tuple[int, list[tuple[str, int, bytes]]]:
    """Return the error status and what is bound."""
    _, _, response = ber.children(ber.whole(packet, ber.SEQUENCE))
    assert response.tag == 0xA2
    _, error, _, bound = ber.children(response)
    pairs = []
    for pair in ber.children(bound):
        name, value = ber.children(pair)
        pairs.append((".".join(map(str, ber.oid_of(name.content))), value.tag, value.content))
    return ber.integer_of(error.content), pairs


def test_over_the_wire(lab_for: LabFor) -> None:
    wire = lab_for()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(PACKET, tuple(wire.ready["udp"][f"{COPIERS[0].address}:161"]))
        assert COPIERS[0].host_name.encode() in sock.recv(2000)


def test_an_agent_that_is_off_is_silent(lab_for: LabFor) -> None:
    off = [copier for copier in COPIERS if f"{copier.address}:161" not in lab_for().ready["udp"]]
    assert {copier.model for copier in off} == {"IM 430F"}


def test_identity() -> None:
    device = state()
    kinds = "RICOH Network Printer C model / RICOH Network Scanner C model"
    expected = {
        "1.3.6.1.2.1.1.1.0": f"RICOH IM C3000 {device.firmware} / {kinds}",
        SERIAL: device.serial,
        "1.3.6.1.4.1.367.3.2.1.2.1.4.0": device.serial,
        "1.3.6.1.4.1.367.3.2.1.1.1.2.0": device.firmware,
        "1.3.6.1.4.1.367.3.2.1.1.1.1.1.0": "IM C3000",
    }
    for oid, text in expected.items():
        assert read(snmp.answer(device, asked(oid)) or b"") == (0, [(oid, ber.TEXT, text.encode())])


@pytest.mark.parametrize(("number", "row"), [(0, 10), (2, 870)])
def test_a_counter_is_found_by_its_name(number: int, row: int) -> None:
    device = state(number)
    device.scans_sent = 300
    table, names, at = "1.3.6.1.4.1.367.3.2.1.2.19.5.1.5", {}, "1.3.6.1.4.1.367.3.2.1.2.19.5.1.5"
    while True:
        ((at, tag, content),) = read(snmp.answer(device, asked(at, kind=0xA1)) or b"")[1]
        if not at.startswith(table + ".") or tag != ber.TEXT:
            break
        names[content.decode()] = at.rpartition(".")[2]
    assert names["Counter:Transmission:Total"] == str(row)
    value = read(snmp.answer(device, asked(f"1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.{row}")) or b"")[1][0]
    assert (value[1], ber.integer_of(value[2])) == (ber.INTEGER, 300)


def test_bulk() -> None:
    found = read(snmp.answer(state(), asked("1.3.6.1.2.1.1", kind=0xA5, more=3)) or b"")[1]
    assert [oid for oid, _, _ in found] == ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0"]


def test_what_is_not_there() -> None:
    assert read(snmp.answer(state(), asked("1.3.6.1.9.9")) or b"") == (0, [("1.3.6.1.9.9", 0x81, b"")])
    assert read(snmp.answer(state(), asked("1.3.6.1.9.9", version=0)) or b"")[0] == 2
    assert read(snmp.answer(state(), asked("2.1", kind=0xA1)) or b"")[1][0][1] == 0x82


@pytest.mark.parametrize(
    "packet",
    [
        asked(SERIAL, community=b"private"),
        asked(SERIAL, community=b"admin", kind=0xA3),
        asked(SERIAL, kind=0xA3),  # SET
        asked(SERIAL, version=3),
        b"",
        b"\x30",
        b"\x30\x84\xff\xff\xff\xff",
        PACKET[:-3],
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_silence(packet: bytes) -> None:
    assert snmp.answer(state(), packet) is None
