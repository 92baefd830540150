"""What may be asked of a copier: what only reads passes, and nothing else leaves this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx
import pytest

from scanproof.devices import allowed, book
from scanproof.devices.allowed import ACTION, ACTIONS, SOAP
from scanproof.http import NotAllowed, client
from selftests.harness import bench, demo, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.filterwarnings("error")

COPIER = demo().copiers[0]
HOST = COPIER.address
ROOT = f"https://{HOST}"
ENTRY, GUEST = f"{ROOT}/web/entry/en/", f"{ROOT}/web/guest/en/"
MAY = allowed.check(HOST)
NAMESPACE = ACTION.rstrip("#")


def envelope(action: str, body: str = "", *, inside: str = "", header: str = "") -> bytes:
    text = book._ENVELOPE.format(action=action, body=body)
    return text.replace("</s:Body>", f"{inside}</s:Body>").replace("<s:Body>", f"{header}<s:Body>").encode()


def soap(action: str, content: bytes, **headers: str) -> httpx.Request:
    return httpx.Request("POST", ROOT + SOAP, content=content, headers={"SOAPAction": f'"{ACTION}{action}"', **headers})


START = "<stringIn>x</stringIn><timeLimit>30</timeLimit><lockMode>S</lockMode>"
BODIES = {
    "startSession": START,
    "searchObjects": "<sessionId>1</sessionId>",
    "getObjectsProps": "",
    "terminateSession": "",
}
LOGIN = ("wimToken", "userid_work", "userid", "password_work", "password", "open")

READS = [
    f"{ROOT}/",
    *(f"{GUEST}websys/webArch/{name}.cgi" for name in ("mainFrame", "header", "topPage", "authForm", "logout")),
    *(f"{ENTRY}websys/webArch/{name}.cgi" for name in ("configList", "logout")),
    f"{GUEST}websys/status/configuration.cgi",
    f"{ROOT}/web/user/de/websys/status/system.cgi",
    f"{GUEST}websys/netw/getInterface.cgi",
    f"{GUEST}websys/status/getUnificationCounter.cgi",
    f"{ENTRY}websys/config/getLogDownload.cgi",
    f"{ENTRY}websys/config/getUserAuthenticationManager.cgi",
    f"{ENTRY}websys/ldapServer/ldapServerGetFunc.cgi".replace("ldapServerGetFunc", "ldapServerGet"),
    f"{ENTRY}websys/mail/mailConfGet.cgi",
    f"{ENTRY}websys/scanner/scannerSendSettingGet.cgi",
    f"{ENTRY}address/adrsList.cgi",
    f"{ENTRY}address/adrsList.cgi?modeIn=LIST_ALL",
    f"{ROOT}/web/guest/pt-br/websys/webArch/mainFrame.cgi",
]


def test_what_reads_passes() -> None:
    for url in READS:
        MAY(httpx.Request("GET", url))
    MAY(httpx.Request("POST", f"{GUEST}websys/webArch/login.cgi", data=dict.fromkeys(LOGIN, "x")))
    MAY(httpx.Request("POST", f"{ENTRY}address/adrsListLoadEntry.cgi", data={"listCountIn": "50", "getCountIn": "1"}))
    MAY(httpx.Request("POST", f"{ENTRY}websys/config/getLogDownloadData.cgi", data={"wimToken": "1", "logKind": "job"}))
    assert set(BODIES) == ACTIONS
    for action, body in BODIES.items():
        MAY(soap(action, envelope(action, body)))


def test_an_ipv6_address_passes() -> None:
    allowed.check("2001:db8::7")(httpx.Request("GET", "http://[2001:db8::7]/"))


NEVER = [  # pages that change, test or export something, each by GET and by POST
    "websys/ldapServer/ldapServerSetConfirmTest.cgi",
    "websys/ldapServer/ldapServerGetDetail.cgi",
    "address/adrsSetUser.cgi",
    "address/adrsSetUserWizard.cgi",
    "address/adrsEditPassword.cgi",
    "address/adrsDeleteEntries.cgi",
    "address/adrsConfirmDelete.cgi",
    "address/adrsGetUser.cgi",
    "websys/prefsImpExp/getPrefsImpExp.cgi",
    "websys/prefsImpExp/setPrefsImpExp.cgi",
    "websys/prefsImpExp/doPrefsExport.cgi",
    "websys/prefsImpExp/doPrefsImport.cgi",
    "websys/prefsImpExp/getPrefsImpExpProgress.cgi",
    "websys/prefsImpExp/getPrefsExportData.cgi",
    "websys/prefsImpExp/getData.cgi",
    "websys/atRemote/atRemoteSetupGet.cgi",
    "websys/config/setLogDownload.cgi",
    "websys/config/doLogDownload.cgi",
    "websys/config/getLogDeleteAll.cgi",
    "websys/config/logDeleteGet.cgi",
    "websys/config/putSomethingGet.cgi",
    "websys/config/execTestGet.cgi",
    "websys/config/setMailGet.cgi",
    "websys/config/mailSetGet.cgi",
    "websys/config/getClearCounter.cgi",
    "websys/config/getResetDevice.cgi",
    "websys/config/getFirmwareUpdate.cgi",
    "websys/config/getImportAddress.cgi",
    "websys/config/mailConfSet.cgi",
    "websys/mail/mailConf.cgi",
    "websys/config/smtpTestGet.cgi",
    "websys/a/b/c/mailConfGet.cgi",
    "mailConfGet.cgi",
    "websys/mail/mailConfGet.cgi/",
    "websys/mail/mailConfGet.cgi;x",
    "websys/mail/mailConfGet.cgi.bak",
    "websys/mail/mailConfGet",
    "websys/mail/%6DailConfGet.cgi",
    "websys/mail%2FmailConfGet.cgi",
    "websys//mailConfGet.cgi",
    "websys/mail/mailConfGet.cgi%00",
    "websys/mail/mailConfGet.cgi%0A",
]
OTHERS = [  # by GET
    "http://10.99.0.1/",
    f"https://{HOST}.example/",
    "https://copier.example@10.99.0.1/",
    f"https://admin:word@{HOST}/",
    f"https://{HOST}:8443/",
    f"http://{HOST}:631/",
    f"{ROOT}/machinei.asp",
    f"{ROOT}/DH/udirectory",
    f"{ROOT}//",
    f"{ROOT}/?mode=SET",
    f"{ENTRY}websys/mail/mailConfGet.cgi?mode=SET",
    f"{ENTRY}websys/mail/mailConfGet.cgi?modeIn=SET",
    f"{ENTRY}address/adrsList.cgi?modeIn=DELETE",
    f"{ENTRY}address/adrsList.cgi?modeIn=LIST_ALL&modeIn=DELETE",
    f"{ENTRY}address/adrsList.cgi?x",
    f"{ENTRY}address/adrsListLoadEntry.cgi?listCountIn=50&getCountIn=1",
    f"{GUEST}websys/webArch/login.cgi",
    f"{ROOT}/web/admin/en/websys/webArch/mainFrame.cgi",
    f"{ROOT}/web/guest/../entry/websys/webArch/mainFrame.cgi",
    f"{ROOT}/WEB/GUEST/EN/websys/webArch/mainFrame.cgi",
]
LOAD, LOG, SIGN_IN = (
    f"{ENTRY}address/adrsListLoadEntry.cgi",
    f"{ENTRY}websys/config/getLogDownloadData.cgi",
    f"{GUEST}websys/webArch/login.cgi",
)
FORMS: list[tuple[str, str]] = [
    (LOAD, urlencode({"listCountIn": "50", "mode": "DELETE"})),
    (LOAD, "listCountIn=50&deleteAll"),
    (LOAD, "listCountIn=50&%64elete=1"),
    (LOAD, '{"listCountIn": 50}'),
    (LOAD, "listCountIn=ü"),
    (LOAD + "?mode=DELETE", "listCountIn=50"),
    (LOG, urlencode({"wimToken": "1", "importFile": ""})),
    (LOG, urlencode({"wimToken": "1", "accessConf": "3"})),
    (SIGN_IN, urlencode({**dict.fromkeys(LOGIN, "x"), "newPassword": "y"})),
    (f"{ENTRY}websys/mail/mailConfGet.cgi", ""),
    (f"{ENTRY}websys/mail/mailConfGet.cgi", urlencode({"smtpServerName": "evil.example"})),
    (f"{ENTRY}websys/webArch/configList.cgi", ""),
    (f"{ENTRY}websys/webArch/logout.cgi", ""),
    (f"{ROOT}/", ""),
]
WRONG_SOAP: list[tuple[str, str, bytes]] = [
    *((name, name, envelope(name)) for name in ("putObjects", "putObjectProps", "deleteObjects", "startsession", "")),
    ("exclusive", "startSession", envelope("startSession", START.replace(">S<", ">X<"))),
    ("exclusive with spaces", "startSession", envelope("startSession", START.replace(">S<", ">\n X <"))),
    ("exclusive by a reference", "startSession", envelope("startSession", START.replace(">S<", ">&#88;<"))),
    ("exclusive by CDATA", "startSession", envelope("startSession", START.replace(">S<", "><![CDATA[X]]><"))),
    (
        "exclusive with a prefix",
        "startSession",
        envelope("startSession", START.replace("lockMode", "m:lockMode").replace(">S<", ">X<")),
    ),
    ("two locks", "startSession", envelope("startSession", START + "<lockMode>X</lockMode>")),
    ("no lock", "startSession", envelope("startSession", "<stringIn>x</stringIn>")),
    ("a lock elsewhere", "searchObjects", envelope("searchObjects", "<lockMode>X</lockMode>")),
    ("another in the body", "searchObjects", envelope("deleteObjects")),
    ("another in the header", "deleteObjects", envelope("searchObjects")),
    ("a second in the body", "searchObjects", envelope("searchObjects", inside="<m:deleteObjects xmlns:m='x'/>")),
    ("hidden in a comment", "searchObjects", envelope("deleteObjects", "<!-- <m:searchObjects > -->")),
    ("a body before", "searchObjects", envelope("searchObjects", header="<s:Body><deleteObjects/></s:Body>")),
    ("nested", "searchObjects", envelope("deleteObjects", "<searchObjects></searchObjects>")),
    ("another namespace", "searchObjects", envelope("searchObjects").replace(NAMESPACE.encode(), b"http://x.example")),
    ("another prefix in the header", "x#searchObjects", envelope("searchObjects")),
    ("a document type", "searchObjects", b"<!DOCTYPE a>" + envelope("searchObjects")),
    ("empty", "searchObjects", b""),
    ("no XML", "searchObjects", b"searchObjects"),
    ("no UTF-8", "searchObjects", envelope("searchObjects", "x").replace(b">x<", b">\xff<")),
]


async def streamed() -> AsyncIterator[bytes]:
    yield b"listCountIn=50"


REFUSED = [
    *(pytest.param(httpx.Request("GET", ENTRY + path), id=f"GET {path}") for path in NEVER),
    *(pytest.param(httpx.Request("POST", ENTRY + path, data={"wimToken": "1"}), id=f"POST {path}") for path in NEVER),
    *(pytest.param(httpx.Request("GET", url), id=f"GET {url}") for url in OTHERS),
    *(
        pytest.param(httpx.Request(method, f"{ENTRY}websys/webArch/configList.cgi"), id=method)
        for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
    ),
    pytest.param(httpx.Request("GET", f"{ROOT}/", content=b"mode=SET"), id="GET with a body"),
    pytest.param(httpx.Request("GET", f"{ROOT}/", content=streamed()), id="GET with a streamed body"),
    *(
        pytest.param(httpx.Request("POST", url, content=form.encode()), id=f"form {number}")
        for number, (url, form) in enumerate(FORMS)
    ),
    pytest.param(httpx.Request("POST", LOAD, content=streamed()), id="streamed form"),
    pytest.param(httpx.Request("POST", LOAD, files={"listCountIn": b"50"}), id="multipart"),
    pytest.param(
        httpx.Request("POST", ROOT + SOAP, content=streamed(), headers={"SOAPAction": ACTION + "searchObjects"}),
        id="streamed SOAP",
    ),
    pytest.param(httpx.Request("POST", ROOT + SOAP, content=envelope("searchObjects")), id="SOAP without an action"),
    pytest.param(httpx.Request("POST", f"{ROOT}{SOAP}?x", content=envelope("searchObjects")), id="SOAP with a query"),
    *(pytest.param(soap(action, content), id=f"SOAP {name}") for name, action, content in WRONG_SOAP),
]


@pytest.mark.parametrize("request_", REFUSED)
async def test_refused_before_a_connection_is_opened(request_: httpx.Request) -> None:
    async with bench() as wire:
        servers = [
            await wire.serve(f"{HOST}:{port}", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
            for port in (80, 443, 631, 8443)
        ]
        async with client(wire.network, "device", allow=MAY) as http:
            if request_.url.path == "/" and request_.url.host != HOST:
                wire.connect_to[f"{request_.url.host}:443"] = ("127.0.0.1", servers[0].port)
            with pytest.raises(NotAllowed, match="is not on the list of what only reads"):
                await http.send(request_)
        assert [server.connections for server in servers] == [0, 0, 0, 0]


@pytest.mark.parametrize("path", NEVER)
def test_a_page_that_does_more_than_show_is_known_by_its_name(path: str) -> None:
    assert not allowed.reads(f"/web/entry/en/{path}")


def test_what_a_refusal_says() -> None:
    with pytest.raises(NotAllowed) as refused:
        MAY(httpx.Request("POST", f"{ENTRY}address/adrsSetUser.cgi", data={"password": "pass-word"}))
    assert f"POST /web/entry/en/address/adrsSetUser.cgi of {HOST}" in str(refused.value)
    assert "pass-word" not in str(refused.value)
