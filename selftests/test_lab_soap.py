"""The address book by SOAP, asked as the published client asks."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx
import pytest

from lab import wimsoap
from lab.copierstate import Entry
from lab.httpserver import Request
from selftests.labtools import LabFor, healthy_lab_fixture, lab_for_fixture
from selftests.test_lab_wim import COPIERS, Device

if TYPE_CHECKING:
    from lab.httpserver import Response

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

ARRAY = 'xsi:type="soap-enc:Array" soap-enc:arrayType="xs:string[]"'


def envelope(action: str, inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><u:{action} xmlns:u="{wimsoap.SPACE}">{inner}</u:{action}></s:Body></s:Envelope>'
    )


def start_session(password: str, *, lock: str = "S", user: str = "admin") -> str:
    name, word, scheme = (b64encode(text.encode()).decode() for text in (user, password, "BASIC"))
    text = f"SCHEME={scheme};UID:UserName={name};PWD:Password={word};PES:Encoding="
    return f"<stringIn>{text}</stringIn><timeLimit>30</timeLimit><lockMode>{lock}</lockMode>"


def search(session: str, offset: int | None = None) -> str:
    where = "<rowOffset />" if offset is None else f"<rowOffset>{offset}</rowOffset>"
    return (
        f"<sessionId>{session}</sessionId><selectProps {ARRAY}><item>id</item></selectProps>"
        f"<fromClass>entry</fromClass>{where}<rowCount>50</rowCount>"
    )


def props(session: str, *ids: str) -> str:
    names = ("id", "name", "mail:", "mail:address", "mail:isDirectSMTP", "smtp:select", "smtp:accountName")
    wanted = "".join(f"<item>entry:{number}</item>" for number in ids)
    asked = "".join(f"<item>{name}</item>" for name in names)
    return (
        f"<sessionId>{session}</sessionId><objectIdList {ARRAY}>{wanted}</objectIdList>"
        f"<selectProps {ARRAY}>{asked}</selectProps>"
    )


def post(device: Device, action: str, inner: str) -> Response:
    headers = {"soapaction": f'"{wimsoap.SPACE}#{action}"', "content-type": "text/xml"}
    request = Request("POST", wimsoap.PATH, {}, headers, envelope(action, inner).encode(), "127.0.0.1")
    coroutine = device.monitor.answer(request)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    response: Response = done.value.value
    return response


def text_of(device: Device, action: str, inner: str) -> str:
    return post(device, action, inner).body.decode()


def session_of(device: Device, *, lock: str = "S") -> str:
    found = re.search(
        r"<stringOut>(\d+)</stringOut>", text_of(device, "startSession", start_session(device.password, lock=lock))
    )
    assert found
    return found[1]


def test_reading_over_the_wire(lab_for: LabFor) -> None:
    wire = lab_for()
    address, port = wire.at(f"{COPIERS[0].address}:443")
    with httpx.Client(verify=False, base_url=f"https://{address}:{port}") as web:
        inner = start_session(wire.secrets["SCANPROOF_COPIER_PASSWORD"])
        headers = {"SOAPAction": f"{wimsoap.SPACE}#startSession", "Content-Type": "text/xml"}
        answer = web.post(wimsoap.PATH, content=envelope("startSession", inner), headers=headers)
        assert answer.status_code == 200
        assert "<returnValue>OK</returnValue>" in answer.text


def test_the_whole_book() -> None:
    device = Device()
    device.state.entries.append(Entry(31, "WARD & S2", "ward@northfield.example", login="ward"))
    session = session_of(device)
    found = text_of(device, "searchObjects", search(session))
    assert "<returnValue>EOD</returnValue>" in found
    ids = re.findall(r"<propName>id</propName><propVal>(\d+)</propVal>", found)
    assert len(ids) == len(device.state.entries)
    whole = text_of(device, "getObjectsProps", props(session, *ids))
    assert "<propName>mail:address</propName><propVal>scan-proof@northfield.example</propVal>" in whole
    assert "<propName>smtp:accountName</propName><propVal>ward</propVal>" in whole
    assert "WARD &amp; S2" in whole
    assert "<returnValue>OK</returnValue>" in text_of(device, "terminateSession", f"<sessionId>{session}</sessionId>")
    assert [vars(entry)["mark"] for entry in device.journal.asked] == ["login", "", "", "logout"]
    assert device.journal.writes == []
    kinds = [record.lines[0]["Log Type"] for record in device.state.log.records[-2:]]
    assert kinds == ["Login", "Logout"]


def test_fifty_at_once() -> None:
    device = Device()
    device.state.entries = [Entry(number, f"N{number}", f"n{number}@northfield.example") for number in range(1, 121)]
    session, seen, offset, end = session_of(device), 0, 0, ""
    while end != "EOD":
        found = text_of(device, "searchObjects", search(session, offset))
        seen += found.count("<propName>id</propName>")
        offset += 50
        end = re.findall(r"<returnValue>(\w+)</returnValue>", found)[0]
    assert (seen, offset) == (120, 150)
    assert post(device, "getObjectsProps", props(session, *map(str, range(1, 52)))).status == 500


def test_a_wrong_password_counts() -> None:
    device = Device()
    answer = post(device, "startSession", start_session("wrong"))
    assert answer.status == 500
    assert b"<rdhError><errorCode>" in answer.body
    assert device.state.failed_logins == 1


def test_no_session() -> None:
    assert post(Device(), "searchObjects", search("12345")).status == 500


def test_an_exclusive_lock_counts_as_a_write_and_so_does_a_change() -> None:
    device = Device()
    session = session_of(device, lock="X")
    assert "Fault" in text_of(device, "startSession", start_session(device.password, lock="X"))
    post(device, "putObjects", f"<sessionId>{session}</sessionId>")
    assert [entry.reads for entry in device.journal.asked] == [False, False, False]
    assert device.state.log.records[-1].lines[0]["Log Type"] == "Address Book Change"
    shared = session_of(device)
    assert post(device, "deleteObjects", f"<sessionId>{shared}</sessionId>").status == 500


def test_off() -> None:
    device = Device(6)
    device.state.soap = False
    assert post(device, "startSession", start_session("x")).status == 404


def test_busy() -> None:
    device = Device(busy=True)
    assert "BUSY" in text_of(device, "startSession", start_session(device.password))
