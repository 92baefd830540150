"""A copier's address book: over SOAP page by page, and the list of its page in each of its shapes."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

from scanproof.devices import readings
from scanproof.devices.book import rows
from selftests.test_device_wim import COPIER, LOAD, LOGOUT, SOAP, Device, device, no_password, page, reply

if TYPE_CHECKING:
    from scanproof.devices.facts import AddressBook
    from selftests.harness import Conn

pytestmark = pytest.mark.filterwarnings("error")

WRAP = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    "{}</s:Body></s:Envelope>"
)


def soap(body: str, status: str = "200 OK") -> bytes:
    return reply(WRAP.format(body), status, Content_Type="text/xml; charset=utf-8")


def props(**values: str) -> str:
    pairs = "".join(
        f"<item><propName>{name.replace('__', ':')}</propName><propVal>{escape(value)}</propVal></item>"
        for name, value in values.items()
    )
    return f"<item>{pairs}</item>"


class Directory:
    """The SOAP interface of a device that holds so many entries."""

    def __init__(self, count: int, **wrong: bytes) -> None:
        self.count, self.wrong = count, wrong
        self.actions: list[str] = []
        self.device: Device | None = None

    async def behave(self, conn: Conn) -> None:
        assert self.device
        ask = self.device.asked[-1]
        action = re.findall(r"udirectory#(\w+)", ask.head)[0]
        self.actions.append(action)
        await conn.send(self.wrong.get(action) or self.answer(action, ask.body))

    def answer(self, action: str, body: str) -> bytes:
        if action == "startSession":
            assert "<lockMode>S</lockMode>" in body
            return soap("<r><returnValue>OK</returnValue><stringOut>session&amp;1</stringOut></r>")
        assert "<sessionId>session&amp;1</sessionId>" in body
        if action == "terminateSession":
            return soap("<r><returnValue>OK</returnValue></r>")
        if action == "searchObjects":
            start = int(re.findall(r"<rowOffset>(\d+)<", body)[0])
            ids = list(range(start, min(start + 50, self.count)))
            end = "EOD" if start + 50 >= self.count else "OK"
            return soap(
                f"<r><returnValue>{end}</returnValue><rowList>{''.join(props(id=str(it)) for it in ids)}</rowList></r>"
            )
        ids = [int(it) for it in re.findall(r"<item>entry:(\d+)</item>", body)]
        assert len(ids) <= 50
        own = {0: "true"}
        return soap(
            "<r>"
            + "".join(
                props(
                    id=str(it),
                    index=f"{it + 1:05}",
                    name=f"Müller & <Söhne> {it}",
                    mail__address=f"a{it}@northfield.example",
                    smtp__select=own.get(it, "false"),
                    smtp__accountName="old@northfield.example",
                )
                for it in ids
            )
            + "</r>"
        )


async def read(directory: Directory, **answers: bytes) -> tuple[AddressBook, Device]:
    async with device({SOAP: directory.behave, **answers}) as (wire, copier):
        directory.device = copier
        found = await wire.observe(readings.address_book, COPIER)
        assert copier.logins == 1
        assert LOGOUT in copier.whats()
        no_password(wire)
        return found, copier


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 120])
async def test_paging(count: int) -> None:
    directory = Directory(count)
    found, copier = await read(directory)
    assert found.source == "its SOAP interface, shared lock"
    assert len({entry.number for entry in found.entries}) == len(found.entries) == count
    assert found.complete
    assert directory.actions[0] == "startSession"
    assert directory.actions[-1] == "terminateSession"
    assert directory.actions.count("searchObjects") == max(1, -(-count // 50))
    assert directory.actions.count("getObjectsProps") == -(-count // 50)
    assert LOAD not in copier.whats()
    if count:
        assert found.entries[0].name == "Müller & <Söhne> 0"
        assert found.entries[0].login == "old@northfield.example"
        assert {entry.login for entry in found.entries[1:]} <= {""}


FAULT = soap(
    "<s:Fault><faultcode>s:Server</faultcode><detail><rdhError><errorCode>4</errorCode><errorDescription>EXCLUSIVE"
    "</errorDescription></rdhError></detail></s:Fault>",
    "500 Internal Server Error",
)
BOMB = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><a>' + b"&b;" * 1000 + b"</a>"
WRONG = {
    "a fault": FAULT,
    "a fault with 200": FAULT.replace(b"500 Internal Server Error", b"200 OK"),
    "404": reply("gone", "404 Not Found"),
    "a page": reply(page()),
    "DOCTYPE": reply(BOMB, Content_Type="text/xml"),
    "DOCTYPE in UTF-16": reply(BOMB.decode().encode("utf-16"), Content_Type="text/xml; charset=utf-16"),
    "DOCTYPE in UTF-7": reply(BOMB.decode().encode("utf-7"), Content_Type="text/xml; charset=utf-7"),
    "an unknown charset": reply(b"\xff<a>", Content_Type="text/xml; charset=hex"),
    "garbage": reply(b"\x00\xff\x13" * 100),
    "no HTTP": b"\x00\xff\x13" * 100,
    "half": soap("<r><returnValue>OK").replace(b"</s:Body></s:Envelope>", b""),
    "empty": reply(""),
    "an error": soap("<r><returnValue>EXCLUSIVE</returnValue></r>"),
    "9 MB": reply(b"<a>" + b"x" * 9_000_000),
    "deep": reply(b"<a>" * 100_000),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("action", ["startSession", "searchObjects", "getObjectsProps"])
async def test_what_is_wrong_leads_to_the_page(action: str, answer: bytes) -> None:
    directory = Directory(3, **{action: answer})
    found, _ = await read(directory)
    assert found.source == "the list of its page"
    assert [entry.address for entry in found.entries] == ["scan-proof@northfield.example"]
    assert not found.logins_told
    assert directory.actions[-1] == ("startSession" if action == "startSession" else "terminateSession")


async def test_no_session_is_no_session() -> None:
    directory = Directory(1, startSession=soap("<r><returnValue>OK</returnValue></r>"))
    assert (await read(directory))[0].source == "the list of its page"
    assert directory.actions == ["startSession"]


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_an_end_that_fails_changes_nothing(answer: bytes) -> None:
    found, _ = await read(Directory(3, terminateSession=answer))
    assert len(found.entries) == 3


async def test_entries_that_were_not_given_are_missed() -> None:
    found, _ = await read(Directory(3, getObjectsProps=soap("<r><returnValue>OK</returnValue></r>")))
    assert found.entries == ()
    assert not found.complete


async def test_an_endless_book_is_cut() -> None:
    found, _ = await read(Directory(5_020))
    assert len(found.entries) == 5_000
    assert not found.complete


async def test_neither_way() -> None:
    async with device({LOAD: reply("<html>no</html>")}) as (wire, copier):
        found = await wire.ask(readings.address_book, COPIER)
        assert LOGOUT in copier.whats()
    assert (found.outcome, found.reason) == ("unproven", "the address list was not given")


FOLDER = r"'\\\\HOST\\Share'"
MAIL = "scan-proof@northfield.example"
SHAPES = [
    (f"[[404,1,'00231','NAME','7104','1772213514#Feb 27,2026 12:31 PM','',{FOLDER}]]", ("00231", "NAME", "")),
    (f"[[404,1,'00231','NAME','7104','1772213514#Feb 27,2026 12:31 PM','{MAIL}',{FOLDER}]]", ("00231", "NAME", MAIL)),
    (f"[[231,1,'00001','NAME','1717','','','{MAIL}',{FOLDER}]]", ("00001", "NAME", MAIL)),
    (f"[['',1,'00195','NAME',1,'','','{MAIL}','7104','',{FOLDER}]]", ("00195", "NAME", MAIL)),
    (f"[['',1,'00195','NAME',1,'','','','7104','',{FOLDER}]]", ("00195", "NAME", "")),
    (f"[ [ 404, 1, '00231', 'NAME', '7104', '', '{MAIL}', '' ] ]", ("00231", "NAME", MAIL)),
    (f"[[404,1,'00231','O\\'Neil, [x] \"y\" \\\\',1,'','{MAIL}','']]", ("00231", 'O\'Neil, [x] "y" \\', MAIL)),
    (f"[[404,1,'00231','M\\u00fcller \\x26 S\\u00f6hne',1,'','{MAIL}','']]", ("00231", "Müller & Söhne", MAIL)),
    (f"[[404,1,'00231','山田 太郎',1,'','{MAIL}','']]", ("00231", "山田 太郎", MAIL)),
    (f"[[404,1,'00231','a\\u202eb\\u0000c\\ud800',1,'','{MAIL}','']]", ("00231", "a\ufffdb\ufffdc\ufffd", MAIL)),
    (f"[[404,1,'00231','old@other.example','','','{MAIL}','']]", ("00231", "old@other.example", MAIL)),
    ("[[404,1,'00231','old@other.example','','','','']]", ("00231", "old@other.example", "")),
    (f"[[404,1,'00231','',1,'','{MAIL}','']]", ("00231", "", MAIL)),
]


@pytest.mark.parametrize(("text", "entry"), SHAPES)
def test_shape(text: str, entry: tuple[str, str, str]) -> None:
    (found,) = rows(text)
    assert (found.number, found.name, found.address) == entry
    assert found.login is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[[]]",
        "null",
        "<html>",
        "[[1,2,3]]",
        "[[404,1,'x','NAME','','','','']]",
        "[['",
        "[[404,1,'00231','NAME",
        "\0" * 100,
    ],
)
def test_no_entries(text: str) -> None:
    assert list(rows(text)) == []


@pytest.mark.parametrize(
    "part", ["['", "['a[','a", "[", "\\'", "[','", "[1,'", "'',", "''", "[,", ",", "[[404,1,'00231','N','','','',''],"]
)
def test_hostile_rows_take_no_time(part: str) -> None:
    began = time.process_time()
    assert all(len(entry.name) < 400 for entry in rows("[[" + part * (2_000_000 // len(part))))
    assert time.process_time() - began < 4
