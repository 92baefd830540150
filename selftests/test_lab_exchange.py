"""The simulated admin API of Exchange: its shapes, its traps, its errors, and where it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.mailflow import OutboundConnector
from selftests.labtools import TENANT
from selftests.test_lab_tenant import SCAN, Running, running_lab_fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.estate import Estate

__all__ = ["running_lab_fixture"]  # pytest finds fixtures by their being here

HOST, FAR = "outlook.office365.com", "eurprd03.outlook.office365.com"
INVOKE, MODULE = f"adminapi/beta/{TENANT}/InvokeCommand", f"AdminApi/v1.0/{TENANT}/EXOModuleFile"
BOXES = [SCAN, "reports@northfield.example", "scan-proof@northfield.example", "it-helpdesk@northfield.example"]
FIELDS = {
    "Get-TransportConfig": {"SmtpClientAuthenticationDisabled", "AllowLegacyTLSClients"},
    "Get-CASMailbox": {"PrimarySmtpAddress", "EmailAddresses", "SmtpClientAuthenticationDisabled"},
    "Get-User": {"UserPrincipalName", "AuthenticationPolicy"},
    "Get-OrganizationConfig": {"RejectDirectSend", "DefaultAuthenticationPolicy"},
    "Get-AuthenticationPolicy": {"Name", "AllowBasicAuthSmtp"},
    "Get-InboundConnector": {
        "Enabled", "ConnectorType", "SenderIPAddresses", "TlsSenderCertificateName", "SenderDomains", "RequireTls",
        "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate", "TreatMessagesAsInternal",
        "CloudServicesMailEnabled",
    },
    "Get-OutboundConnector": {"Name", "Enabled", "ConnectorType", "SmartHosts", "RecipientDomains"},
    "Get-AcceptedDomain": {"DomainName", "DomainType"},
}  # fmt: skip


@pytest.mark.parametrize("cmdlet", sorted(FIELDS))
def test_each_cmdlet(running_lab: Callable[..., Running], cmdlet: str) -> None:
    lab = running_lab("outbound-connector-to-retired")
    for written in (cmdlet, cmdlet.lower()):
        answer = lab.invoke(written)
        body = answer.json()
        assert (answer.status_code, body["@adminapi.warnings"]) == (200, [])
        assert body["@odata.context"].startswith(f"https://{HOST}/adminapi/beta/{TENANT}/$metadata#")
        assert body["value"]
        assert all(set(row) >= FIELDS[cmdlet] for row in body["value"])
        assert {"rate-limit-limit", "rate-limit-remaining", "rate-limit-reset"} <= set(answer.headers)
    assert lab.journal.writes == []
    assert {(entry.method, entry.cmdlet) for entry in lab.journal.asked if entry.server == "exchange"} == {
        ("POST", cmdlet),
        ("POST", cmdlet.lower()),
    }


def addresses(rows: list[dict[str, Any]]) -> list[str]:
    return [row["PrimarySmtpAddress"] for row in rows]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (SCAN, [SCAN]),
        (SCAN.upper(), [SCAN]),
        ("scan", [SCAN]),
        (None, BOXES),
        ("", BOXES),
        ("nobody@northfield.example", BOXES),
    ],
)
def test_a_mailbox_that_is_not_there_is_every_mailbox(
    running_lab: Callable[..., Running], identity: str | None, expected: list[str]
) -> None:
    assert addresses(running_lab().rows("Get-CASMailbox", identity)) == expected


@pytest.mark.parametrize(
    ("cmdlet", "known", "everything"),
    [
        ("Get-AcceptedDomain", "northfield.example", 2),
        ("Get-AuthenticationPolicy", "Copiers may use Basic", 2),
    ],
)
def test_others_do_the_same(running_lab: Callable[..., Running], cmdlet: str, known: str, everything: int) -> None:
    lab = running_lab("authentication-policy-allows")
    assert len(lab.rows(cmdlet, known)) == 1
    assert len(lab.rows(cmdlet, "nosuch")) == len(lab.rows(cmdlet)) == everything


@pytest.mark.parametrize("cmdlet", ["Get-User", "Get-InboundConnector", "Get-OutboundConnector"])
def test_and_some_say_that_there_is_none(running_lab: Callable[..., Running], cmdlet: str) -> None:
    answer = running_lab().invoke(cmdlet, "nosuch")
    assert answer.status_code == 404
    assert "ManagementObjectNotFoundException" in answer.json()["error"]["details"][0]["message"]


def test_a_null_identity_in_the_body(running_lab: Callable[..., Running]) -> None:
    body = {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"Identity": None}}}
    assert addresses(running_lab().exchange("POST", INVOKE, json=body).json()["value"]) == BOXES


def test_an_alias_finds_the_mailbox_of_another_address(running_lab: Callable[..., Running]) -> None:
    row = running_lab("send-as-denied").rows("Get-CASMailbox", SCAN)
    assert addresses(row) == [f"primary-of-{SCAN}"]
    assert row[0]["EmailAddresses"] == [f"SMTP:primary-of-{SCAN}", f"smtp:{SCAN}"]


def test_a_flag_that_is_missing_is_not_null(running_lab: Callable[..., Running]) -> None:
    assert running_lab().rows("Get-CASMailbox", SCAN)[0]["SmtpClientAuthenticationDisabled"] is None
    lab = running_lab("cas-flag-missing")
    assert "SmtpClientAuthenticationDisabled" not in lab.rows("Get-CASMailbox", SCAN)[0]
    assert "SmtpClientAuthenticationDisabled" in lab.rows("Get-TransportConfig")[0]


def test_pages(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    answer = lab.invoke("Get-CASMailbox", Prefer="odata.maxpagesize=3").json()
    assert len(answer["value"]) == 3
    following = lab.exchange("GET", answer["@odata.nextLink"]).json()
    assert addresses(answer["value"] + following["value"]) == BOXES
    assert "@odata.nextLink" not in following
    assert lab.exchange("GET", answer["@odata.nextLink"]).status_code == 400  # it leads on once
    lab.estate.tenant.exchange.page = 1
    assert len(lab.invoke("Get-CASMailbox").json()["value"]) == 1
    assert lab.journal.writes == []


def test_outbound_connectors(running_lab: Callable[..., Running]) -> None:
    def change(estate: Estate) -> None:
        estate.tenant.outbound.append(OutboundConnector("Elsewhere", (), ("*",), "Partner", enabled=False))

    rows = running_lab("outbound-connector-to-retired", change=change).rows("Get-OutboundConnector")
    assert [(row["SmartHosts"], row["RecipientDomains"], row["ConnectorType"], row["Enabled"]) for row in rows] == [
        (["mail.northfield.example"], ["northfield.example"], "OnPremises", True),
        ([], ["*"], "Partner", False),
    ]
    assert [row["UseMXRecord"] for row in rows] == [False, True]


def test_it_is_where_it_should_be(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    assert lab.exchange("GET", MODULE).status_code == 200
    assert f"{FAR}:443" not in lab.ready["connect_to"]


def test_a_tenant_that_lives_elsewhere(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("exchange-redirected")
    module = lab.exchange("GET", MODULE)
    assert (module.status_code, module.headers["Location"]) == (302, f"https://{FAR}/{MODULE}")
    near = lab.invoke("Get-TransportConfig")
    assert (near.status_code, near.headers["Location"]) == (302, f"https://{FAR}/{INVOKE}")
    body = {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {}}}
    far = lab.exchange("POST", f"https://{FAR}/{INVOKE}", json=body, headers={"Prefer": "odata.maxpagesize=1"})
    assert far.status_code == 200
    assert far.json()["@odata.nextLink"].startswith(f"https://{FAR}/")
    assert lab.exchange("GET", f"https://{FAR}/{MODULE}").status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        ("no-permission-exchange", 403, "Forbidden"),
        ("no-exchange-role", 400, "CommandNotFoundException"),
        ("exchange-outage", 503, "ServiceUnavailable"),
        ("client-secret-wrong", 401, ""),
    ],
)
def test_what_is_refused(running_lab: Callable[..., Running], fault: str, status: int, told: str) -> None:
    lab = running_lab(fault)
    if status == 401:
        lab._tokens["https://outlook.office365.com/.default"] = "none"
    answer = lab.invoke("Get-TransportConfig")
    assert answer.status_code == status
    assert told in answer.text
    if status != 401:
        assert answer.json()["@adminapi.warnings"] == []


def test_a_role_group_reads_as_well_as_a_directory_role(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("no-exchange-role")
    lab.estate.app.exchange_roles = {"View-Only Recipients"}
    assert lab.invoke("Get-CASMailbox").status_code == 200
    refused = lab.invoke("Get-TransportConfig").json()["error"]
    assert (refused["code"], refused["message"]) == ("BadRequest", "Invalid Operation")
    assert "'Get-TransportConfig' is not recognized" in refused["details"][0]["message"]
    assert refused["innererror"]["internalexception"]["message"] == refused["details"][0]["message"]


def test_a_token_for_graph_is_none(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    lab._tokens["https://outlook.office365.com/.default"] = lab.token("https://graph.microsoft.com/.default")
    assert lab.invoke("Get-TransportConfig").status_code == 401


def test_busy(running_lab: Callable[..., Running]) -> None:
    lab = running_lab("exchange-throttled-twice")
    answers = [lab.invoke("Get-TransportConfig") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["1", "1", None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"CmdletInput": "Get-TransportConfig"}', 400),
        (b'{"CmdletInput": {"CmdletName": "Get-Nosuch"}}', 400),
        (b'{"CmdletInput": {"CmdletName": "Get-TransportConfig", "Parameters": null}}', 200),
    ],
)
def test_bodies(running_lab: Callable[..., Running], body: bytes, status: int) -> None:
    assert running_lab().exchange("POST", INVOKE, content=body).status_code == status


def test_other_paths(running_lab: Callable[..., Running]) -> None:
    lab = running_lab()
    assert lab.exchange("GET", "adminapi/nosuch").status_code == 404
    assert lab.exchange("GET", INVOKE.replace("InvokeCommand", "Mailbox")).status_code == 404
    assert lab.exchange("POST", INVOKE.replace(TENANT, "other"), json={}).status_code == 401


@pytest.mark.parametrize("cmdlet", ["Set-TransportConfig", "New-InboundConnector", "Remove-Mailbox", "nosuch"])
def test_what_would_change_something_is_refused_and_noted(running_lab: Callable[..., Running], cmdlet: str) -> None:
    lab = running_lab("app-is-exchange-administrator")
    assert lab.invoke(cmdlet, SCAN).status_code == 403
    assert [(entry.server, entry.cmdlet) for entry in lab.journal.writes] == [("exchange", cmdlet)]
