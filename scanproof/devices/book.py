"""A Ricoh's address book: by its SOAP interface with the shared lock, else by the list of its page."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from contextlib import suppress
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import httpx

from scanproof import redact
from scanproof.devices.allowed import ACTION, SOAP
from scanproof.devices.facts import AddressBook, BookEntry
from scanproof.devices.wim import SECRET_FROM, NotTold, text_of
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.devices.wim import Wim

MOST = 5_000  # entries
_AT_ONCE = 50  # what the interface gives at most
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<m:{action} xmlns:m="http://www.ricoh.co.jp/xmlns/soap/rdh/udirectory">{body}</m:{action}></s:Body></s:Envelope>'
)
_WANTED = ("id", "name", "mail:address", "smtp:select", "smtp:accountName", "index")


async def read(wim: Wim, user: str, password: str) -> AddressBook:
    """Read a device's address book.

    Raises:
        NotTold: neither way gives it.
        httpx.HTTPError: the device can't be asked.
    """
    try:
        return await _by_soap(wim, user, password)
    except (NotTold, httpx.HTTPError) as why:  # where it is off, some close the connection
        wim.run.say("**", f"address book by SOAP: {plain(str(why), 300)}")
    return await _by_page(wim)


async def _by_soap(wim: Wim, user: str, password: str) -> AddressBook:
    fields = {"SCHEME": "BASIC", "UID:UserName": user, "PWD:Password": password, "PES:Encoding": ""}
    who = ";".join(f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in fields.items())
    redact.register(who)
    started = await _call(
        wim, "startSession", f"<stringIn>{who}</stringIn><timeLimit>30</timeLimit><lockMode>S</lockMode>"
    )
    session = _text(started, "stringOut")
    if not session:
        raise NotTold("it gave no session")
    if len(session) >= SECRET_FROM:
        redact.register(session)
    try:
        ids = await _ids(wim, session)
        found: list[BookEntry] = []
        for start in range(0, len(ids), _AT_ONCE):
            found += await _entries(wim, session, ids[start : start + _AT_ONCE])
    finally:
        with suppress(NotTold, httpx.HTTPError):  # it ends by itself after its time limit of 30 seconds
            await _call(wim, "terminateSession", f"<sessionId>{escape(session)}</sessionId>")
    return AddressBook(
        source="its SOAP interface, shared lock", entries=tuple(found), complete=len(found) >= len(ids) < MOST
    )


async def _ids(wim: Wim, session: str) -> list[str]:
    ids: list[str] = []
    while len(ids) < MOST:
        body = (
            f"<sessionId>{escape(session)}</sessionId><selectProps><item>id</item></selectProps>"
            f"<fromClass>entry</fromClass><rowOffset>{len(ids)}</rowOffset><rowCount>{_AT_ONCE}</rowCount>"
        )
        answer = await _call(wim, "searchObjects", body)
        page = [props["id"] for props in _objects(answer) if props.get("id")]
        ids += page
        if not page or _text(answer, "returnValue") == "EOD":
            return ids
    return ids[:MOST]


async def _entries(wim: Wim, session: str, ids: list[str]) -> list[BookEntry]:
    listed = "".join(f"<item>entry:{escape(name.removeprefix('entry:'))}</item>" for name in ids)
    wanted = "".join(f"<item>{name}</item>" for name in _WANTED)
    body = (
        f"<sessionId>{escape(session)}</sessionId><objectIdList>{listed}</objectIdList>"
        f"<selectProps>{wanted}</selectProps>"
    )
    answer = await _call(wim, "getObjectsProps", body)
    return [
        BookEntry(
            number=props.get("index", props.get("id", "")),
            name=props.get("name", ""),
            address=props.get("mail:address", ""),
            login=_login(props),
        )
        for props in _objects(answer)
    ]


def _login(props: dict[str, str]) -> str | None:
    """Return the user that an entry signs in as; empty for the device's own; None where that isn't told."""
    if "smtp:select" not in props:
        return None
    own = props["smtp:select"].lower() not in {"", "0", "false", "none", "default"}
    if not props["smtp:select"] and props.get("smtp:accountName"):  # a name, and nothing that says whether it is used
        return None
    return (props.get("smtp:accountName") or "a login of its own") if own else ""


async def _call(wim: Wim, action: str, body: str) -> ET.Element:
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": f'"{ACTION}{action}"',
        "Cookie": "",
    }
    content = _ENVELOPE.format(action=action, body=body).encode()
    answer = await wim.ask(wim.http.build_request("POST", f"{wim.root}{SOAP}", content=content, headers=headers))
    wim.run.say("<-", f"SOAP {action}: {answer.status_code}, {len(answer.content)} bytes")
    text = text_of(answer)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # nothing of this interface has one: entities could unfold for ever
        raise NotTold("its answer is no SOAP message")
    try:
        found = ET.fromstring(text)  # noqa: S314 - of bounded size, and without a document type
    except (ET.ParseError, ValueError):
        raise NotTold(f"{SOAP} answered {answer.status_code}, which is no SOAP message") from None
    fault = next((node for node in found.iter() if _local(node) == "Fault"), None)
    if fault is not None or answer.status_code != 200:
        said = " ".join(
            text for node in (fault if fault is not None else found).iter() if (text := (node.text or "").strip())
        )
        raise NotTold(f"{action} was refused: {plain(said, 200)}")
    if (value := _text(found, "returnValue")) not in {"OK", "EOD", ""}:
        raise NotTold(f"{action} gave {plain(value, 60)}")
    return found


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _text(node: ET.Element, name: str) -> str:
    return next(((child.text or "").strip() for child in node.iter() if _local(child) == name), "")


def _objects(answer: ET.Element) -> Iterator[dict[str, str]]:
    """Give each object's properties: lists of items with ``propName`` and ``propVal``."""
    for holder in answer.iter():
        props = {}
        for item in holder:
            name, value = _child(item, "propName"), _child(item, "propVal")
            if name:
                props[plain(name, 60)] = plain(value, 300)
        if props:
            yield props


def _child(node: ET.Element, name: str) -> str:
    return next(((child.text or "").strip() for child in node if _local(child) == name), "")


_ROW = re.compile(r"\[((?:[^\[\]'\\]|'(?:\\.|[^'\\])*')*)\]")
_CELL = re.compile(r"\s*'((?:\\.|[^'\\])*)'\s*|([^,']+)|(?<=,)(?=,)|^(?=,)|(?<=,)$")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_MAIL = re.compile(r"[^@\s,;'\"]+@[^@\s,;'\"]+\.[^@\s,;'\"]+")


async def _by_page(wim: Wim) -> AddressBook:
    """Read the list behind the address book's page: JavaScript, in at least three shapes of row."""
    await wim.page(f"{wim.entry}address/adrsList.cgi")
    found: list[BookEntry] = []
    for batch in range(1, MOST // _AT_ONCE + 1):
        answer = await wim.post(
            f"{wim.entry}address/adrsListLoadEntry.cgi", {"listCountIn": str(_AT_ONCE), "getCountIn": str(batch)}
        )
        if answer.status_code != 200 or "<html" in text_of(answer)[:500].lower():
            raise NotTold("the address list was not given")
        page = list(rows(text_of(answer)))
        found += page
        if len(_ROW.findall(text_of(answer)[:2_000_000])) < _AT_ONCE:  # also of rows that were not understood
            break
    return AddressBook(source="the list of its page", entries=tuple(found), complete=batch * _AT_ONCE < MOST)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else {"n": "\n", "r": "\n", "t": "\t"}.get(found[3], found[3])


def rows(text: str) -> Iterator[BookEntry]:
    """Give the entries of an address list; a row's address is found by its content, for its place differs by model."""
    for row in _ROW.finditer(text[:2_000_000]):
        cells = [
            plain(_ESCAPE.sub(_unescaped, cell[1] or cell[2] or "").strip(), 300) for cell in _CELL.finditer(row[1])
        ]
        if len(cells) < 7:
            continue
        number = next((cell for cell in cells[:4] if re.fullmatch(r"\d{5}", cell)), "")
        if number:
            address = next((cell for cell in cells[4:] if _MAIL.fullmatch(cell)), "")  # a name may be one
            yield BookEntry(number=number, name=cells[3], address=address, login=None)
