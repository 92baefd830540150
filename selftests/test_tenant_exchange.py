"""Exchange's admin API: what is asked, what its answers come to, and servers that refuse, rave or never end."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.tenant.settings import authentication_policy, inward, outward, smtp_auth
from selftests.cloud import (
    CAS,
    EXCHANGE,
    OWN,
    SCAN,
    TENANT,
    TOKENS,
    TRANSPORT,
    Answer,
    Asked,
    Cloud,
    Reply,
    always,
    as_json,
    cloud,
    exchange_of,
    in_turn,
    reply,
    soon,
)
from selftests.harness import Conn, hang, repeats, resident, sends

if TYPE_CHECKING:
    from scanproof.kinds import Evidence

pytestmark = pytest.mark.filterwarnings("error")

GOOD: dict[str, Any] = {"Get-CASMailbox": [CAS], "Get-TransportConfig": [TRANSPORT]}
INVOKE = f"/adminapi/beta/{TENANT}/InvokeCommand"
MODULE = f"/AdminApi/v1.0/{TENANT}/EXOModuleFile"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def asked(answer: Answer, *, within: float = 5.0, throttled: float = 1.0) -> tuple[Evidence[Any], Cloud]:
    async with cloud(exchange=answer, throttled=throttled) as tenant:
        return await tenant.wire.ask(smtp_auth, SCAN, within=within), tenant


def cas(value: Any) -> Answer:
    """Answer Get-CASMailbox by a reply, and all else well."""
    return exchange_of({**GOOD, "Get-CASMailbox": value})


async def test_what_is_sent() -> None:
    found, tenant = await asked(exchange_of(GOOD))
    assert found.facts, found.reason
    assert (found.facts.mailbox, found.facts.organization, found.facts.disabled) == (None, True, True)
    assert (found.facts.source, found.facts.grade) == ("Get-CASMailbox, Get-TransportConfig", "")
    module, *commands = tenant.of("exchange")
    assert (module.method, module.target) == ("GET", MODULE)
    assert sorted(tenant.commands()) == ["Get-CASMailbox", "Get-TransportConfig"]
    bodies = {it.command: it.json for it in commands}
    assert bodies == {
        "Get-CASMailbox": {
            "CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"Identity": "scan@northfield.example"}}
        },
        "Get-TransportConfig": {"CmdletInput": {"CmdletName": "Get-TransportConfig", "Parameters": {}}},
    }
    for it in commands:
        assert (it.method, it.target) == ("POST", INVOKE)
        assert it.headers["authorization"] == f"Bearer {TOKENS['exchange']}"
        assert it.headers["content-type"] == "application/json"
        assert it.headers["x-responseformat"] == "json"
        assert it.headers["prefer"] == "odata.maxpagesize=1000"
        assert it.headers["x-anchormailbox"].startswith("UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@")
        assert it.headers["x-cmdletname"] == it.command
        assert uuid.UUID(it.headers["client-request-id"])
    assert len({it.headers["client-request-id"] for it in commands}) == 2


async def test_two_probes_share_token_module_file_and_answers() -> None:
    answer = exchange_of(
        {
            **GOOD,
            "Get-OrganizationConfig": [{"RejectDirectSend": False}],
            "Get-InboundConnector": [],
            "Get-OutboundConnector": [],
            "Get-AcceptedDomain": [{"DomainName": "northfield.example", "DomainType": "Authoritative"}],
        }
    )
    async with cloud(exchange=answer) as tenant:
        gatherer = tenant.wire.gatherer()
        await gatherer.collect([(smtp_auth, SCAN), (inward, OWN), (outward, OWN)], deadline=5)
        assert [it.outcome for it in tenant.wire.kept.evidence] == ["observed"] * 3
        assert len(tenant.of("login")) == 1
        assert [it.target for it in tenant.of("exchange") if it.method == "GET"] == [MODULE]
        assert len(tenant.commands()) == len(set(tenant.commands())) == 6


def paged(*links: str, rows: Any = (CAS,)) -> Answer:
    """Give Get-CASMailbox in pages: other mailboxes first, the rows on the last one."""
    others = [{"PrimarySmtpAddress": f"other{number}@northfield.example"} for number in range(3)]
    pages = [as_json({"value": others, "@odata.nextLink": link}) for link in links]
    further = [*pages[1:], as_json({"value": list(rows)})]
    good = cas(pages[0])

    def answer(it: Asked) -> Reply:
        return further.pop(0) if it.method == "GET" and "skip" in it.target else good(it)

    return answer


async def test_every_page_is_read() -> None:
    links = [f"{EXCHANGE}{INVOKE}?skip={number}" for number in range(3)]
    found, tenant = await asked(paged(*links))
    assert found.facts, found.reason
    further = [it for it in tenant.of("exchange") if "skip" in it.target]
    assert [(it.method, it.target) for it in further] == [("GET", f"{INVOKE}?skip={number}") for number in range(3)]
    assert all(it.headers["authorization"] == f"Bearer {TOKENS['exchange']}" and not it.body for it in further)


@pytest.mark.parametrize(
    "link",
    [
        f"http://evil.example{INVOKE}?skip=1",
        f"http://exchange.example.evil.example{INVOKE}?skip=1",
        f"http://evilexchange.example{INVOKE}?skip=1",
        f"https://exchange.example{INVOKE}?skip=1",
        f"http://exchange.example:81{INVOKE}?skip=1",
        f"http://exchange.example@evil.example{INVOKE}?skip=1",
        f"{EXCHANGE}/adminapi/beta/{TENANT}/Mailbox?skip=1",
        f"{EXCHANGE}/adminapi/beta/00000000-0000-4000-8000-000000000000/InvokeCommand?skip=1",
        f"{EXCHANGE}{INVOKE}/../../other/InvokeCommand?skip=1",
        "ftp://exchange.example/skip",
        "http://[::bad/skip",
        "/relative?skip=1",
        "\u0000 \u2028",
    ],
)
async def test_a_page_elsewhere_is_not_asked_for(link: str) -> None:
    async with cloud(exchange=paged(link)) as tenant:
        for host in ("evil.example", "exchange.example.evil.example", "evilexchange.example"):
            await tenant.serve(host, always(as_json({"value": []})))
        found = await tenant.wire.ask(smtp_auth, SCAN)
        assert found.outcome == "unproven", found
        assert "next page of Get-CASMailbox" in found.reason
        assert found.remedy
        assert not [it for it in tenant.asked if "skip" in it.target or "evil" in it.host]


@pytest.mark.parametrize("link", [7, True, ["x"], {"a": 1}])
async def test_a_next_link_that_is_no_text(link: Any) -> None:
    found, _ = await asked(paged(link))
    assert found.outcome == "unproven"


async def test_pages_without_end() -> None:
    def answer(it: Asked) -> Reply:
        if it.method == "GET" and "skip" not in it.target:
            return as_json({})
        return as_json({"value": [CAS], "@odata.nextLink": f"{EXCHANGE}{INVOKE}?skip=1"})

    found, tenant = await asked(answer)
    assert found.outcome == "unproven"
    assert "more than 50 pages" in found.reason
    assert len(tenant.of("exchange")) <= 101


ROUTES = [  # Location of the module's file, and the host that commands go to
    ("https://eurprd01.other.example/AdminApi/v1.0/x", "eurprd01.exchange.example"),
    ("http://eurprd01.exchange.example/AdminApi", "eurprd01.exchange.example"),
    ("https://evil/", "evil.exchange.example"),
    ("https://169.254.169.254/latest", "169.exchange.example"),
    ("https://user:word@evil.example/", "evil.exchange.example"),
    (f"{EXCHANGE}{MODULE}", "exchange.example"),  # to itself
    ("/AdminApi/v1.0/elsewhere", "exchange.example"),
    ("", "exchange.example"),
]


@pytest.mark.parametrize(("location", "host"), ROUTES)
@pytest.mark.parametrize("status", [302, 307])
async def test_the_server_that_a_tenant_is_routed_to(location: str, host: str, status: int) -> None:
    good = exchange_of(GOOD)

    def first(it: Asked) -> Reply:
        return reply(b"", status, {"Location": location}) if it.path == MODULE else good(it)

    async with cloud(exchange=first) as tenant:
        if host != "exchange.example":
            await tenant.serve(host, good)
        for elsewhere in ("evil.example", "eurprd01.other.example", "evil", "169.254.169.254"):
            for port in (80, 443):
                tenant.wire.connect_to[f"{elsewhere}:{port}"] = ("127.0.0.1", 9)
        found = await tenant.wire.observe(smtp_auth, SCAN)
        assert found.disabled is True
        commands = [it for it in tenant.asked if it.body and it.host != "login.example"]
        assert {(it.method, it.host, it.target) for it in commands} == {("POST", host, INVOKE)}
        assert all(it.headers["authorization"] == f"Bearer {TOKENS['exchange']}" for it in commands)


@pytest.mark.parametrize(
    "location", ["http://[::bad", "https://a b.example/", "https://x%2Fy.example/", "https://\xfc.example/", "//", "?"]
)
async def test_a_route_that_is_no_host_breaks_nothing(location: str) -> None:
    good = exchange_of(GOOD)

    def first(it: Asked) -> Reply:
        return reply(b"", 302, {"Location": location}) if it.path == MODULE else good(it)

    found, tenant = await asked(first)
    assert found.outcome in {"observed", "unproven"}, found.reason
    assert {it.host for it in tenant.asked} <= {"login.example", "exchange.example"}


async def test_commands_are_not_redirected() -> None:
    found, tenant = await asked(cas(reply(b"", 307, {"Location": f"http://evil.example{INVOKE}"})))
    assert (found.outcome, "answered 307" in found.reason) == ("unproven", True)
    assert len(tenant.of("exchange")) == 3


def error(code: int, message: str, headers: dict[str, str] | None = None) -> bytes:
    """Return an error as the API writes it."""
    details = [{"code": "Client", "target": "", "message": message}]
    body = {"error": {"code": "BadRequest", "message": "Invalid Operation", "details": details, "innererror": {}}}
    return as_json(body, code, headers)


NO_COMMAND = (
    "|Microsoft.Exchange.AdminApi.CommandInvocation.CommandNotFoundException|The term 'Get-CASMailbox' is not "
    "recognized as a name of a cmdlet, function, script file, or executable program."
)
GRANT = "View-Only Recipients"

UNPROVEN: list[tuple[str, Reply, str, str]] = [
    ("401", reply(b"", 401), "answered 401", GRANT),
    ("403", error(403, "Access is denied"), "answered 403 (Access is denied)", GRANT),
    ("403 HTML", reply(b"<html>", 403, {"Content-Type": "text/html"}), "answered 403", GRANT),
    ("no role", error(400, NO_COMMAND), "answered 400 (Microsoft.Exchange.AdminApi", GRANT),
    ("404", reply(b"", 404), "answered 404", "see the answer"),
    ("400", error(400, "|X.AmbiguousParameterSetException|Parameter set \x1b[2J"), "Parameter set", "see the answer"),
    ("error of other types", as_json({"error": {"details": [7], "message": {"a": 1}}}, 400), "answered 400", "see"),
    ("error is text", as_json({"error": "no"}, 400), "answered 400", "see"),
    ("500", error(500, "server"), "answered 500", "run again later"),
    ("502", reply(b"<html>", 502), "answered 502", "run again later"),
    ("503", reply(b"", 503), "answered 503", "run again later"),
    ("429 for ever", reply(b"", 429, {"Retry-After": "1"}), "answered 429", "run again later"),
    ("429 at once for ever", reply(b"", 429, {"Retry-After": "0"}), "answered 429", "run again later"),
    ("429 for hours", reply(b"", 429, {"Retry-After": "7200"}), "answered 429", "run again later"),
    ("429 until a date", reply(b"", 429, {"Retry-After": "Mon, 23 Nov 2026 08:00:00 GMT"}), "429", "run again later"),
    ("429 for no number", reply(b"", 429, {"Retry-After": "\xb2"}), "answered 429", "run again later"),
    ("429 for minus one", reply(b"", 429, {"Retry-After": "-1"}), "answered 429", "run again later"),
    ("429 for ages", reply(b"", 429, {"Retry-After": "9" * 400}), "answered 429", "run again later"),
    ("HTML", reply(b"<html>proxy</html>", headers={"Content-Type": "text/html"}), "answered 200", "a proxy answers"),
    ("no JSON", reply(b"{"), "answered 200", "a proxy answers"),
    ("nothing", reply(b""), "answered 200", "a proxy answers"),
    ("204", reply(b"", 204), "answered 204", "see the answer"),
    ("a list", as_json([CAS]), "answered 200", "a proxy answers"),
    ("not UTF-8", reply(b'{"value": ["\xff"]}'), "answered 200", "a proxy answers"),
    ("deep JSON", reply(b'{"value":' + b"[" * 200_000), "answered 200", "a proxy answers"),
    ("long number", reply(b'{"value":' + b"1" * 100_000 + b"}"), "answered 200", "a proxy answers"),
    ("no value", as_json({}), "gave no list", "a proxy answers"),
    ("value is an object", as_json({"value": CAS}), "gave no list", "a proxy answers"),
    ("value is null", as_json({"value": None}), "gave no list", "a proxy answers"),
    ("rows are texts", as_json({"value": ["scan@northfield.example"]}), "no list of objects", "a proxy answers"),
    ("garbage", sends(b"220 ftp\r\n\r\n"), "could not be asked", "let this machine reach"),
    ("closes", sends(), "could not be asked", "let this machine reach"),
    ("half", sends(OK + b"Content-Length: 100\r\n\r\n{"), "could not be asked", "let this machine reach"),
    ("huge body", repeats(OK + b"\r\n", b"x" * 65_536, ask=False), "larger than", "let this machine reach"),
    ("huge header", repeats(OK, b"X-A: " + b"b" * 60_000 + b"\r\n", ask=False), "could not be", "let this machine"),
    ("hang", hang, "could not be asked", "let this machine reach"),
    ("headers never end", repeats(OK, b"X-A: b\r\n", every=0.02, ask=False), "did not answer within", "let this"),
    ("body drips", repeats(OK + b"\r\n", b" ", every=0.02, ask=False), "did not answer within", "let this machine"),
    ("body stalls", repeats(OK + b"\r\n{", b" ", every=9, ask=False), "could not be asked", "let this machine"),
]


@pytest.mark.parametrize(("found", "words", "remedy"), [row[1:] for row in UNPROVEN], ids=[row[0] for row in UNPROVEN])
async def test_an_api_that_does_not_tell_is_unproven(found: Reply, words: str, remedy: str) -> None:
    before, began = resident(), time.monotonic()
    evidence, _ = await asked(cas(found))
    assert evidence.outcome == "unproven", f"{evidence.outcome} {evidence.facts} {evidence.reason}"
    assert words in evidence.reason
    assert remedy in evidence.remedy
    assert "Get-CASMailbox" in evidence.reason
    assert "\x1b" not in evidence.reason
    assert len(evidence.reason) < 600
    assert resident() - before < 100_000_000
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("found", [row[1] for row in UNPROVEN[-9:]], ids=[row[0] for row in UNPROVEN[-9:]])
async def test_a_module_file_that_raves_is_unproven(found: Reply) -> None:
    evidence, tenant = await asked(always(found))
    assert (evidence.outcome, "EXOModuleFile" in evidence.reason) == ("unproven", True)
    assert len(tenant.of("exchange")) == 1


async def test_unreachable() -> None:
    async with cloud() as tenant:
        found = await tenant.wire.ask(smtp_auth, SCAN)
    assert (found.outcome, "could not be asked" in found.reason) == ("unproven", True)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("after", ["0", "1", "dated"])
async def test_busy_at_first(status: int, after: str) -> None:
    named = soon() if after == "dated" else after
    busy, good = reply(b"busy", status, {"Retry-After": named}), as_json({"value": [CAS]})
    turns = in_turn(busy, good)
    began = time.monotonic()
    async with cloud(exchange=exchange_of({**GOOD, "Get-CASMailbox": None}), throttled=3) as tenant:
        plain = exchange_of(GOOD)

        def answer(it: Asked) -> Reply:
            return turns(it) if it.body and it.command == "Get-CASMailbox" else plain(it)

        await tenant.serve("exchange.example", answer)
        assert (await tenant.wire.observe(smtp_auth, SCAN)).mailbox is None
        assert tenant.commands().count("Get-CASMailbox") == 2
    assert after == "dated" or time.monotonic() - began >= float(after)


async def test_a_server_that_closes_what_was_kept_open_is_asked_again() -> None:
    """Connections are kept between commands; the server may close an idle one without a word."""

    def answer(it: Asked) -> Reply:
        found = exchange_of(GOOD)(it)
        assert isinstance(found, bytes)

        async def and_close(conn: Conn) -> None:
            await conn.send(found)

        return and_close

    found, _ = await asked(answer)
    assert found.facts, found.reason


MAILBOXES: list[tuple[str, Any, str, str]] = [
    ("others alone", [{**CAS, "PrimarySmtpAddress": f"m{n}@northfield.example"} for n in range(5)], "blocked", "TEN-7"),
    ("none", [], "blocked", "TEN-7"),
    ("two", [CAS, {**CAS, "PrimarySmtpAddress": "SCAN@northfield.example"}], "unproven", "2 mailboxes"),
    ("the flag missing", [{"PrimarySmtpAddress": "scan@northfield.example"}], "unproven", "holds no SmtpClient"),
    ("text for a flag", [{**CAS, "SmtpClientAuthenticationDisabled": "False"}], "unproven", "'False', expected true"),
    ("a number", [{**CAS, "SmtpClientAuthenticationDisabled": 0}], "unproven", "expected true"),
    ("a list", [{**CAS, "SmtpClientAuthenticationDisabled": []}], "unproven", "expected true"),
]


@pytest.mark.parametrize(
    ("rows", "outcome", "words"), [row[1:] for row in MAILBOXES], ids=[row[0] for row in MAILBOXES]
)
async def test_mailboxes_that_do_not_tell(rows: Any, outcome: str, words: str) -> None:
    found, _ = await asked(cas(rows))
    assert found.outcome == outcome, found
    assert words in f"{found.blocked_by} {found.reason}"
    assert found.remedy


@pytest.mark.parametrize("depth", [100, 500, 800, 850, 900, 940, 960, 980, 1000, 5000])
async def test_a_flag_that_is_a_nest_is_unproven(depth: int) -> None:
    nest = "[" * depth + "]" * depth
    body = json.dumps({"value": [{**CAS, "SmtpClientAuthenticationDisabled": "HERE"}]}).replace('"HERE"', nest)
    found, _ = await asked(cas(reply(body.encode())))
    assert found.outcome == "unproven", found.reason
    assert len(found.reason) < 300


FLAGS = [  # mailbox, organisation, disabled
    (None, True, True),
    (None, False, False),
    (True, False, True),
    (False, True, False),
    (None, None, None),
    (True, None, True),
]


@pytest.mark.parametrize(("mailbox", "organization", "disabled"), FLAGS)
async def test_the_mailbox_wins_and_null_inherits(
    *, mailbox: bool | None, organization: bool | None, disabled: bool | None
) -> None:
    others = [{**CAS, "PrimarySmtpAddress": f"m{n}@northfield.example", "SmtpClientAuthenticationDisabled": False}
              for n in range(3)]  # fmt: skip
    rows = [*others, {**CAS, "SmtpClientAuthenticationDisabled": mailbox}]
    transport = [{**TRANSPORT, "SmtpClientAuthenticationDisabled": organization}]
    found, _ = await asked(exchange_of({"Get-CASMailbox": rows, "Get-TransportConfig": transport}))
    assert found.facts, found.reason
    assert (found.facts.mailbox, found.facts.organization, found.facts.disabled) == (mailbox, organization, disabled)
    assert ("inherits" in found.facts.seen) == (mailbox is None)


LISTED = ["SIP:a@b.example", "smtp:SCAN@northfield.example"]
NAMES: list[dict[str, Any]] = [
    {"PrimarySmtpAddress": "Scan@Northfield.example"},
    {"primarySmtpAddress": "other@northfield.example", "EmailAddresses": LISTED},
    {"EmailAddresses": ["SMTP:scan@northfield.example"], "PrimarySmtpAddress": None},
    {"WindowsEmailAddress": "scan@northfield.example"},
    {"UserPrincipalName": "scan@northfield.example"},
]


@pytest.mark.parametrize("row", NAMES)
async def test_a_mailbox_is_known_by_each_of_its_addresses(row: dict[str, Any]) -> None:
    found, _ = await asked(cas([{**row, "SmtpClientAuthenticationDisabled": False}]))
    assert found.facts, found.reason
    assert found.facts.mailbox is False


@pytest.mark.parametrize("rows", [[], [TRANSPORT, TRANSPORT]])
async def test_a_setting_that_exists_once(rows: Any) -> None:
    found, _ = await asked(exchange_of({**GOOD, "Get-TransportConfig": rows}))
    assert (found.outcome, f"gave {len(rows)} rows" in found.reason) == ("unproven", True)


PERSON = {"UserPrincipalName": "scan@northfield.example", "AuthenticationPolicy": None}
POLICY = {"Name": "Block Basic", "Identity": "northfield\\Block Basic", "AllowBasicAuthSmtp": False}

POLICIES: list[tuple[str, Any, Any, Any, Any]] = [
    ("none", PERSON, None, [POLICY], ("", "", None)),
    ("the organisation's", PERSON, "block basic", [POLICY], ("block basic", "organisation", False)),
    ("by identity", PERSON, "northfield\\Block Basic", [POLICY], ("northfield\\Block Basic", "organisation", False)),
    (
        "the user's own wins",
        {**PERSON, "AuthenticationPolicy": "Copiers"},
        "Block Basic",
        [POLICY, {"Name": "Copiers", "AllowBasicAuthSmtp": True}],
        ("Copiers", "user", True),
    ),
    ("null", PERSON, "Block Basic", [{**POLICY, "AllowBasicAuthSmtp": None}], ("Block Basic", "organisation", None)),
    ("not listed", PERSON, "Gone", [POLICY], "'Gone' of the organisation is not among"),
    ("no flag", PERSON, "Block Basic", [{"Name": "Block Basic"}], "holds no AllowBasicAuthSmtp"),
    ("another user", {**PERSON, "UserPrincipalName": "x@northfield.example"}, None, [], "gave 0 users"),
]


@pytest.mark.parametrize(
    ("person", "default", "policies", "wanted"), [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES]
)
async def test_the_policy_in_force(person: Any, default: Any, policies: Any, wanted: Any) -> None:
    tables = {
        "Get-User": [person],
        "Get-OrganizationConfig": [{"DefaultAuthenticationPolicy": default}],
        "Get-AuthenticationPolicy": policies,
    }
    async with cloud(exchange=exchange_of(tables)) as tenant:
        found = await tenant.wire.ask(authentication_policy, SCAN)
    if isinstance(wanted, str):
        assert (found.outcome, wanted in found.reason) == ("unproven", True), found
    else:
        assert found.facts, found.reason
        assert (found.facts.name, found.facts.of, found.facts.allows) == wanted


CONNECTOR: dict[str, Any] = {
    "Name": "Copiers",
    "Enabled": True,
    "ConnectorType": "OnPremises",
    "SenderDomains": ["smtp:*;1"],
    "SenderIPAddresses": ["203.0.113.10"],
    "TlsSenderCertificateName": None,
    "RestrictDomainsToIPAddresses": False,
    "RestrictDomainsToCertificate": False,
}
OUTBOUND: dict[str, Any] = {"Name": "Old", "Enabled": True, "SmartHosts": ["mail.northfield.example"]}
FLOW: dict[str, Any] = {
    "Get-OrganizationConfig": [{"RejectDirectSend": False}],
    "Get-InboundConnector": [CONNECTOR],
    "Get-OutboundConnector": [OUTBOUND],
    "Get-AcceptedDomain": [{"DomainName": "Northfield.example", "DomainType": "Authoritative"}],
}


async def test_mail_flow() -> None:
    async with cloud(exchange=exchange_of(FLOW)) as tenant:
        inside = await tenant.wire.observe(inward, OWN)
        outside = await tenant.wire.observe(outward, OWN)
    assert (inside.rejects_direct_send, inside.accepted) == (False, ("northfield.example",))
    assert inside.connectors[0].holds("203.0.113.10")
    assert (outside.domain_type, outside.connectors[0].hosts) == ("Authoritative", ("mail.northfield.example",))


PROBES: list[Any] = [inward, outward]
WRONG: list[tuple[str, str, Any]] = [
    ("RejectDirectSend missing", "Get-OrganizationConfig", [{}]),
    ("RejectDirectSend text", "Get-OrganizationConfig", [{"RejectDirectSend": "False"}]),
    ("connector's flag is text", "Get-InboundConnector", [{**CONNECTOR, "Enabled": "True"}]),
    ("connector's lock missing", "Get-InboundConnector", [dict(list(CONNECTOR.items())[:-1])]),
    ("outbound flag is text", "Get-OutboundConnector", [{**OUTBOUND, "Enabled": "True"}]),
    ("no such domain", "Get-AcceptedDomain", [{"DomainName": "other.example", "DomainType": "Authoritative"}]),
]


@pytest.mark.parametrize(("command", "rows"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
async def test_mail_flow_that_does_not_tell(command: str, rows: Any) -> None:
    async with cloud(exchange=exchange_of({**FLOW, command: rows})) as tenant:
        outcomes = {(await tenant.wire.ask(probe, OWN)).outcome for probe in PROBES}
    assert "unproven" in outcomes


@pytest.mark.parametrize("word", ["\x1b[2J", "\u202e", "\ud800", "x" * 100_000])
async def test_names_are_harmless(word: str) -> None:
    tables = {
        **FLOW,
        "Get-InboundConnector": [{**CONNECTOR, "Name": word, "TlsSenderCertificateName": word}],
        "Get-OutboundConnector": [{**OUTBOUND, "Name": word, "SmartHosts": [word]}],
    }
    async with cloud(exchange=exchange_of(tables)) as tenant:
        for found in (await tenant.wire.observe(inward, OWN), await tenant.wire.observe(outward, OWN)):
            assert word not in found.seen
            assert len(found.seen) < 2500
