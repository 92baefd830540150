"""The address book by SOAP, ``/DH/udirectory``, as one published client reads it."""

from __future__ import annotations

import html
import re
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import wimpages
from lab.httpserver import Response

if TYPE_CHECKING:
    from lab.copierstate import CopierState, Entry
    from lab.httpserver import Request
    from lab.wimsession import Sessions

PATH = "/DH/udirectory"
SPACE = "http://www.ricoh.co.jp/xmlns/soap/rdh/udirectory"
ROWS = 50  # at once, whatever is asked for
_READS = {"startSession", "terminateSession", "searchObjects", "getObjectsProps"}
_ITEM = re.compile(r"<item>([^<]*)</item>")


@dataclass(frozen=True)
class Answered:
    """What was answered: to which action, whether it only reads, and what it did to a session."""

    response: Response
    action: str
    reads: bool
    mark: str = ""


class FaultError(Exception):
    """What the service refuses; its code."""


class Directory:
    """A device's address book, as its SOAP service gives it."""

    def __init__(self, state: CopierState, sessions: Sessions) -> None:
        self.state, self.logins = state, sessions
        self.open: dict[str, str] = {}  # lock mode by session

    def answer(self, request: Request, host: str) -> Answered:
        """Answer one request."""
        action = request.headers.get("soapaction", "").strip('"').rpartition("#")[2]
        body = request.body.decode("utf-8", "replace")
        reads = action in _READS and not (action == "startSession" and _value(body, "lockMode") != "S")
        if not self.state.soap or request.method != "POST":
            return Answered(wimpages.missing(), action, reads)
        mark = ""
        try:
            if action == "startSession":
                mark = "login-refused"
                text = self._start(body, host)
                mark = "login"
            else:
                text = self._act(action, body, host)
                mark = "logout" if action == "terminateSession" else ""
        except FaultError as fault:
            return Answered(_fault(str(fault)), action, reads, mark)
        return Answered(_envelope(f'<u:{action}Response xmlns:u="{SPACE}">{text}</u:{action}Response>'), action,
                        reads, mark)  # fmt: skip

    def _start(self, body: str, host: str) -> str:
        parts = dict(part.partition("=")[::2] for part in _value(body, "stringIn").split(";"))
        name, password = _plain(parts.get("UID:UserName", "")), _plain(parts.get("PWD:Password", ""))
        status = self.logins.refusal(name, password)
        log = self.state.log
        if status:
            log.event(self.state.now(), "Login", user=name, host=host, status=status)
            raise FaultError("AUTHENTICATION_FAILED")  # guess: all words of refusals here
        if self.state.busy or (_value(body, "lockMode") == "X" and "X" in self.open.values()):
            raise FaultError("BUSY")
        log.event(self.state.now(), "Login", user=name, host=host)
        number = str(secrets.randbelow(90_000) + 10_000)
        self.open[number] = _value(body, "lockMode")
        return f"<returnValue>OK</returnValue><stringOut>{number}</stringOut>"

    def _act(self, action: str, body: str, host: str) -> str:
        number = _value(body, "sessionId")
        if number not in self.open:
            raise FaultError("INVALID_SESSION")
        if action == "terminateSession":
            del self.open[number]
            self.state.log.event(self.state.now(), "Logout", user="admin", host=host)
            return "<returnValue>OK</returnValue>"
        if action == "searchObjects":
            return self._search(body)
        if action == "getObjectsProps":
            return self._props(body)
        if action.startswith(("put", "delete")):
            if self.open[number] != "X":
                raise FaultError("NOT_LOCKED")
            self.state.log.event(self.state.now(), "Address Book Change", user="admin", host=host)
            return "<returnValue>OK</returnValue>"
        raise FaultError("INVALID_ACTION")

    def _search(self, body: str) -> str:
        if _value(body, "fromClass") != "entry":
            raise FaultError("INVALID_CLASS")
        try:
            offset = int(_value(body, "rowOffset") or 0)
            count = min(int(_value(body, "rowCount") or ROWS), ROWS)
        except ValueError:
            raise FaultError("INVALID_PARAMETER") from None
        found = self.state.entries[offset : offset + count]
        end = "EOD" if offset + count >= len(self.state.entries) else "OK"
        rows = "".join(f"<item>{_property('id', str(entry.number))}</item>" for entry in found)
        return (
            f"<returnValue>{end}</returnValue><resultSetId></resultSetId>"
            f"<numOfResults>{len(found)}</numOfResults><rowList>{rows}</rowList>"
        )

    def _props(self, body: str) -> str:
        wanted, asked = (_ITEM.findall(_inside(body, name)) for name in ("objectIdList", "selectProps"))
        if len(wanted) > ROWS:
            raise FaultError("TOO_MANY_OBJECTS")
        numbers = {text.removeprefix("entry:") for text in wanted}
        rows = ""
        for entry in self.state.entries:
            if str(entry.number) in numbers:
                known = _properties(entry)
                rows += "<item>" + "".join(_property(n, known[n]) for n in asked if n in known) + "</item>"
        return f"<returnValue>{rows}</returnValue>"


def _properties(entry: Entry) -> dict[str, str]:
    known = {
        "id": str(entry.number),
        "index": str(entry.number),
        "name": entry.name,
        "longName": entry.name.title(),
        "lastAccessDateTime": "1970-01-01T00:00:00Z",
        "isDestination": "true",
        "isSender": "false",
        "mail:": "true" if entry.mail else "false",
        "remoteFolder:": "true" if entry.folder else "false",
        # guess: the values of smtp:select, by what a folder's own login is called
        "smtp:select": "private" if entry.login else "none",
        "smtp:accountName": entry.login,
    }
    if entry.mail:
        known |= {"mail:address": entry.mail, "mail:isDirectSMTP": "false"}
    if entry.folder:
        known |= {"remoteFolder:type": "smb", "remoteFolder:path": entry.folder}
    return known


def _property(name: str, value: str) -> str:
    return f"<item><propName>{name}</propName><propVal>{html.escape(value)}</propVal></item>"


def _value(body: str, name: str) -> str:
    """Return the text of the first element of a name."""
    found = re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)<", body)
    return html.unescape(found[1]).strip() if found else ""


def _inside(body: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>(.*?)</(?:\w+:)?{name}>", body, re.DOTALL)
    return found[1] if found else ""


def _plain(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode("utf-8", "replace")
    except (Base64Error, ValueError):
        return ""


def _envelope(inner: str, status: int = 200) -> Response:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{inner}</s:Body></s:Envelope>'
    )
    return Response(status, text.encode(), {"Server": wimpages.SERVER, "Content-Type": "text/xml; charset=UTF-8"})


def _fault(code: str) -> Response:
    detail = f"<detail><rdhError><errorCode>{code}</errorCode><errorDescription>{code}</errorDescription></rdhError>"
    inner = f"<s:Fault><faultcode>s:Client</faultcode><faultstring>{code}</faultstring>{detail}</detail></s:Fault>"
    return _envelope(inner, 500)
