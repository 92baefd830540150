"""All that the suite may ask of a copier: everything else is refused before it is sent.

On these devices GET is not reading and POST not writing: reads need POST, and pages that only look are forms with OK
buttons. So a request is checked by method, path, the names of its form fields, and the SOAP action.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx

from scanproof.http import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable

_BASE = r"/web/(?:guest|entry|user)/[A-Za-z-]{2,5}/"
_FIXED = (
    r"/",
    rf"{_BASE}websys/webArch/(?:mainFrame|header|topPage|authForm|configList|logout)\.cgi",
    rf"{_BASE}websys/status/(?:configuration|system)\.cgi",
    rf"{_BASE}address/adrsList\.cgi",
)
_LIST = b"modeIn=LIST_ALL"
# A page that only shows settings is called getSomething or somethingGet; and none of these words is in its name, by
# which pages that change, test or export something are called.
_READING = re.compile(rf"{_BASE}(?:[A-Za-z]+/){{1,2}}(?:get[A-Za-z]+|[A-Za-z]+Get)\.cgi")
_WRITING = re.compile(
    r"^(?:set|do|put|exec)[A-Z]|Set(?!ting)|(?i:confirm|test|delete|edit|clear|reset|update|import|export|prefs|reboot|restart|shutdown|save|apply|cancel)"
)
_GET = tuple(re.compile(rule) for rule in _FIXED)
# Path and the form fields that it may carry.
_POST = (
    (
        rf"{_BASE}websys/webArch/login\.cgi",
        {"wimToken", "userid_work", "userid", "password_work", "password", "open"},
    ),
    (rf"{_BASE}address/adrsListLoadEntry\.cgi", {"listCountIn", "getCountIn"}),
    (rf"{_BASE}websys/config/getLogDownloadData\.cgi", {"wimToken", "mode", "returnValue", "methodName", "logKind"}),
)
SOAP = "/DH/udirectory"
ACTION = "http://www.ricoh.co.jp/xmlns/soap/rdh/udirectory#"
ACTIONS = frozenset({"startSession", "searchObjects", "getObjectsProps", "terminateSession"})


def check(address: str) -> Callable[[httpx.Request], None]:
    """Return the check of requests to one device.

    Args:
        address: the device's IP address; nothing else may be asked.
    """

    def allow(request: httpx.Request) -> None:
        url = request.url
        path = url.raw_path.split(b"?", 1)[0].decode("ascii", "replace")
        here = url.host.strip("[]") == address.strip("[]") and url.port is None and not url.userinfo
        if not (here and "%" not in path and ".." not in path and _may(request, path)):
            raise NotAllowed(f"{request.method} {path} of {url.host} is not on the list of what only reads")

    return allow


def _may(request: httpx.Request, path: str) -> bool:
    query = request.url.query
    if request.method == "GET":
        asked = not query or (query == _LIST and path.endswith("/adrsList.cgi"))
        return asked and _empty(request) and (any(rule.fullmatch(path) for rule in _GET) or reads(path))
    if request.method != "POST" or query:
        return False
    if path == SOAP:
        return _soap(request)
    try:
        form = parse_qsl(request.content.decode("ascii"), keep_blank_values=True)
    except (httpx.RequestNotRead, UnicodeDecodeError):  # a streamed body can't be looked at
        return False
    return any(re.fullmatch(rule, path) and {name for name, _ in form} <= names for rule, names in _POST)


def reads(path: str) -> bool:
    """Tell whether a page's path is that of one which only shows settings."""
    return bool(_READING.fullmatch(path)) and not any(
        _WRITING.search(part) for part in path.removesuffix(".cgi").split("/")[4:]
    )


def downloads(path: str) -> bool:
    """Tell whether a path is that of the log's download."""
    return bool(re.fullmatch(_POST[2][0], path))


def _empty(request: httpx.Request) -> bool:
    try:
        return not request.content
    except httpx.RequestNotRead:
        return False


def _soap(request: httpx.Request) -> bool:
    action = request.headers.get("soapaction", "").strip('"')
    name = action.removeprefix(ACTION)
    if not action.startswith(ACTION) or name not in ACTIONS:
        return False
    try:
        text = request.content.decode("utf-8")
        if "<!" in text:  # a document type, a comment, CDATA: none of them is needed
            return False
        sent = ET.fromstring(text)  # noqa: S314 - our own, and without a document type
    except (httpx.RequestNotRead, UnicodeDecodeError, ET.ParseError):
        return False
    # The action in the body is what a device may act on; and an exclusive lock is no reading.
    actions = [it.tag for body in sent if _local(body) == "Body" for it in body]
    locks = [(it.text or "").strip() for it in sent.iter() if _local(it) == "lockMode"]
    return actions == [f"{{{ACTION.rstrip('#')}}}{name}"] and locks == (["S"] if name == "startSession" else [])


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]
