"""What settings mean, as tables: rules, permissions, plans, moments, expiry."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from scanproof import http, remedies
from scanproof.tenant import permissions, rules
from scanproof.tenant.directory import _plan, moment
from scanproof.tenant.facts import (
    NEVER,
    Inbound,
    Inward,
    MfaState,
    Outbound,
    Outward,
    PasswordExpiry,
    PolicyInForce,
    SmtpAuth,
)
from selftests.cloud import SITE
from selftests.suite import ROOT

pytestmark = pytest.mark.filterwarnings("error")

STATED = ("203.0.113.10", "203.0.113.92", "203.0.113.93")


def inbound(*addresses: str, **changes: Any) -> Inbound:
    given: dict[str, Any] = {
        "name": "C",
        "enabled": True,
        "type": "OnPremises",
        "addresses": addresses,
        "certificate": "",
        "locks_addresses": False,
        "locks_certificate": False,
    }
    return Inbound(**{**given, **changes})


def inward(*connectors: Inbound, rejects: bool | None = False) -> Inward:
    return Inward(rejects_direct_send=rejects, accepted=("northfield.example",), connectors=connectors, source="here")


DIRECT = rules.direct_senders(SITE)
ALL = inbound(*DIRECT)
LOCK: dict[str, Any] = {"type": "Partner", "locks_addresses": True}
STOPPED: list[tuple[str, Inward, int]] = [
    ("off", inward(), 0),
    ("neither", inward(rejects=None), 0),  # and open: below
    ("on", inward(rejects=True), 1),
    ("on, all held", inward(ALL, rejects=True), 0),
    ("on, all held by a net", inward(inbound("203.0.113.0/24"), rejects=True), 0),
    ("on, held by one that is disabled", inward(inbound(*DIRECT, enabled=False), rejects=True), 1),
    ("on, another held", inward(inbound("198.51.100.1"), rejects=True), 1),
    ("on, text that is no address", inward(inbound("203.0.113.10-203.0.113.99", ""), rejects=True), 1),
    ("a partner's lock of its own domain", inward(inbound("198.51.100.1", domains=("smtp:p.example;1",), **LOCK)), 0),
    ("a lock of every domain", inward(inbound("198.51.100.1", domains=("smtp:*;1",), **LOCK)), 1),
    ("a lock of this domain", inward(inbound("198.51.100.1", domains=("smtp:Northfield.example;1",), **LOCK)), 1),
    ("a lock of those above", inward(inbound("198.51.100.1", domains=("*.example",), **LOCK)), 1),
    ("a disabled lock", inward(inbound("198.51.100.1", enabled=False, **LOCK)), 0),
    ("a lock that holds all", inward(inbound(*DIRECT, **LOCK)), 0),
    ("a lock by certificate", inward(inbound(certificate="*.p.example", type="Partner", locks_certificate=True)), 1),
    ("a connector that does not lock", inward(inbound("198.51.100.1", type="Partner")), 0),
    ("a lock on premises", inward(inbound("198.51.100.1", locks_addresses=True)), 0),
]


@pytest.mark.parametrize(("settings", "count"), [row[1:] for row in STOPPED], ids=[row[0] for row in STOPPED])
def test_what_stops_direct_send(settings: Inward, count: int) -> None:
    assert len(rules.direct_send_stopped(settings, SITE)) == count


def test_a_rejection_that_is_not_told_is_open() -> None:
    assert rules.direct_send_open(inward(rejects=None), SITE)
    assert rules.direct_send_open(inward(inbound(DIRECT[0]), rejects=None), SITE) is (len(DIRECT) > 1)
    assert not rules.direct_send_open(inward(ALL, rejects=None), SITE)
    assert not rules.direct_send_open(inward(rejects=False), SITE)
    assert not rules.direct_send_open(inward(rejects=True), SITE)


def test_direct_senders_are_the_sites_own() -> None:
    assert DIRECT
    assert set(DIRECT) <= set(STATED)


RELAY: list[tuple[str, Inbound, bool]] = [
    ("its address", inbound("203.0.113.92"), True),
    ("its net", inbound("203.0.113.64/26"), True),
    ("a net by a host in it", inbound("203.0.113.92/24"), True),
    ("another", inbound("203.0.113.9"), False),
    ("disabled", inbound("203.0.113.92", enabled=False), False),
    ("a partner's", inbound("203.0.113.92", type="Partner"), False),
    ("lower case", inbound("203.0.113.92", type="onpremises"), True),
    ("by certificate", inbound(certificate="mail.northfield.example"), False),
    ("IPv6", inbound("2001:db8::/32"), False),
]


@pytest.mark.parametrize(("connector", "relays"), [row[1:] for row in RELAY], ids=[row[0] for row in RELAY])
def test_relaying(connector: Inbound, *, relays: bool) -> None:
    settings = inward(connector)
    assert bool(rules.relaying(settings, "203.0.113.92")) == relays
    assert rules.relaying(settings, "None") == []
    assert bool(rules.by_certificate(settings)) == bool(connector.certificate)


@pytest.mark.parametrize(
    ("settings", "told", "not_told"),
    [
        (
            inward(inbound(*DIRECT[1:]), rejects=True),
            f"-SenderIPAddresses {DIRECT[0]} (which lets",
            "-SenderIPAddresses ,",
        ),
        (inward(rejects=True), f"-SenderIPAddresses {','.join(DIRECT)} (which lets", "203.0.113.92"),
        (inward(inbound("198.51.100.1", **LOCK)), f"-SenderIPAddresses @{{Add='{DIRECT[0]}'}}", "RejectDirectSend"),
    ],
)
def test_direct_send_gets_no_more_than_it_needs(settings: Inward, told: str, not_told: str) -> None:
    said = remedies.direct_send(settings, SITE)
    assert told in said
    assert not_told not in said
    assert f"{DIRECT[0]}: 5 copiers of Laboratory (10.20.93.0/24)" in said


POINTING: list[tuple[str, str, Outbound, int]] = [
    ("none", "Authoritative", Outbound(name="O", enabled=True, hosts=()), 0),
    ("another host", "Authoritative", Outbound(name="O", enabled=True, hosts=("gw.northfield.example",)), 0),
    ("the retired", "Authoritative", Outbound(name="O", enabled=True, hosts=("MAIL.northfield.example.",)), 1),
    ("its address", "Authoritative", Outbound(name="O", enabled=True, hosts=("x.example", "[10.20.10.25]")), 1),
    ("disabled", "Authoritative", Outbound(name="O", enabled=False, hosts=("mail.northfield.example",)), 0),
    ("relays", "InternalRelay", Outbound(name="O", enabled=True, hosts=()), 1),
    ("both", "ExternalRelay", Outbound(name="O", enabled=True, hosts=("mail.northfield.example",)), 2),
]


@pytest.mark.parametrize(("kind", "out", "count"), [row[1:] for row in POINTING], ids=[row[0] for row in POINTING])
def test_still_pointing(kind: str, out: Outbound, count: int) -> None:
    outward = Outward(domain_type=kind, connectors=(out,), source="here")
    assert len(rules.still_pointing(outward, ["mail.northfield.example", "10.20.10.25"])) == count
    # As many commands as there is to put right.
    assert len(remedies.outward(outward, SITE).split("; ") if count else ()) == count


READER, ADMIN = "f2ef992c-3afb-46b9-b7cf-a126ee74c451", "29232cdf-9323-42fd-ade2-1d097af3e4de"
WRITING: list[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], bool, list[str]]] = [
    ("nothing", (), (), (), False, []),
    ("all it needs", permissions.SCOPES, ("Exchange.ManageAsApp",), (READER,), False, []),
    ("of a user", ("openid", "profile", "email", "offline_access", "User.Read"), (), (), False, []),
    ("by other readers", ("Mail.Read.Shared", "Policy.Read.ConditionalAccess"), (), (READER.upper(),), False, []),
    ("writes", ("Mail.ReadWrite",), (), (), False, ["Mail.ReadWrite"]),
    ("sends", ("Mail.Send",), (), (), False, ["Mail.Send"]),
    ("as a user", ("Directory.AccessAsUser.All",), (), (), False, ["Directory.AccessAsUser.All"]),
    ("read alone is no word", ("Read", ".Read", "X.Reader"), (), (), False, ["Read", "X.Reader"]),
    ("may send", (), ("SMTP.SendAsApp",), (), True, []),
    ("need not send", (), ("SMTP.SendAsApp",), (), False, ["SMTP.SendAsApp"]),
    ("full access", (), ("full_access_as_app",), (), True, ["full_access_as_app"]),
    ("an admin", (), (), (ADMIN,), False, ["directory role Exchange Administrator"]),
    ("an unknown role", (), (), ("0000",), False, ["directory role 0000, which is not known as reading only,"]),
]


@pytest.mark.parametrize(
    ("graph", "exchange", "roles", "sends", "found"), [row[1:] for row in WRITING], ids=[row[0] for row in WRITING]
)
def test_what_permits_more_than_reading(
    graph: tuple[str, ...], exchange: tuple[str, ...], roles: tuple[str, ...], *, sends: bool, found: list[str]
) -> None:
    assert list(permissions.writing(graph, exchange, roles, sends=sends)) == found


def test_the_list_of_permissions_only_reads() -> None:
    names = [it.name for it in permissions.PERMISSIONS]
    exchange = [name for name in names if name.startswith("Exchange.")]
    assert list(permissions.writing(permissions.SCOPES, exchange, (), sends=False)) == []
    shown = permissions.table()
    assert all(name in shown for name in names)


def test_no_two_variables_of_a_command_differ_by_case_alone() -> None:
    """PowerShell takes them for one: the second assignment would change what the first one's users get."""
    page = (ROOT / "docs/tenant.md").read_text(encoding="utf-8")
    for text in (permissions.table(), *re.findall(r"```powershell\n(.*?)```", page, re.DOTALL)):
        names = set(re.findall(r"\$([A-Za-z_]\w*)", text))
        assert len({name.lower() for name in names}) == len(names), sorted(names)
        assert names


WORDS = [
    ("scan@northfield.example", "scan@northfield.example"),
    ("Copiers", "Copiers"),
    ("Copiers Main", "'Copiers Main'"),
    ("Bob's", "'Bob''s'"),
    ("Bob\u2019s; Remove-Mailbox x", "'Bob\u2019\u2019s; Remove-Mailbox x'"),
    ("$(Remove-Mailbox x)", "'$(Remove-Mailbox x)'"),
    ("-Force", "'-Force'"),
    ("o'brien@x.example", "'o''brien@x.example'"),
    ("", "''"),
]


@pytest.mark.parametrize(("text", "found"), WORDS)
def test_a_name_in_a_command_is_one_word(text: str, found: str) -> None:
    assert remedies.word(text) == found


HYBRID = inbound(name="Inbound from hybrid", certificate="mail.northfield.example")
OFF = inbound("198.51.100.1", name="Old line", enabled=False)
OTHER = inbound("198.51.100.2", name="Bob's")
CONNECTORS: list[tuple[str, Inward, str, str]] = [
    ("none", inward(), "203.0.113.92", "New-InboundConnector -Name Copiers"),
    (
        "a disabled one holds it",
        inward(OTHER, inbound("203.0.113.92", enabled=False)),
        "203.0.113.92",
        "C -Enabled $true",
    ),
    ("another's by certificate", inward(HYBRID), "203.0.113.92", "New-InboundConnector -Name Copiers"),
    (
        "one by address",
        inward(HYBRID, OFF, OTHER),
        "203.0.113.92",
        "-Identity 'Bob''s' -SenderIPAddresses @{Add='203.0.113.92'}",
    ),
    (
        "one that is off",
        inward(OFF),
        "203.0.113.92",
        "'Old line' -SenderIPAddresses @{Add='203.0.113.92'} -Enabled $true",
    ),
    ("a partner's", inward(inbound("198.51.100.1", type="Partner")), "203.0.113.92", "New-InboundConnector"),
    ("IPv6", inward(OTHER), "2001:db8::5", "IPv4 addresses alone"),
]


@pytest.mark.parametrize(
    ("seen", "address", "words"), [row[1:] for row in CONNECTORS], ids=[row[0] for row in CONNECTORS]
)
def test_how_to_have_a_connector(seen: Inward, address: str, words: str) -> None:
    assert remedies.connector(seen, address).endswith(words) or words in remedies.connector(seen, address)


def test_how_to_let_direct_send_in() -> None:
    on, locked = remedies.direct_send(inward(rejects=True), SITE), inward(inbound("198.51.100.1", name="Gate", **LOCK))
    assert "Set-OrganizationConfig -RejectDirectSend $false" in on
    assert all(address in on for address in DIRECT)
    off = remedies.direct_send(locked, SITE)
    assert "RejectDirectSend" not in off  # it is off, and not what stops the mail
    assert f"Set-InboundConnector -Identity Gate -SenderIPAddresses @{{Add='{DIRECT[0]}'" in off


def test_all_that_is_wrong_with_the_mail_flow_is_put_right() -> None:
    out = Outbound(name="To on-premises", enabled=True, hosts=("mail.northfield.example",))
    seen = Outward(domain_type="InternalRelay", connectors=(out,), source="here")
    site = SITE.file.model_copy(update={"mail": SITE.file.mail.model_copy(update={"retired_hosts": out.hosts})})
    said = remedies.outward(seen, dataclasses.replace(SITE, file=site))
    assert said == (
        "Set-OutboundConnector -Identity 'To on-premises' -Enabled $false; "
        "Set-AcceptedDomain -Identity northfield.example -DomainType Authoritative"
    )


def test_a_password_is_exempted_where_it_is_kept() -> None:
    away = PasswordExpiry(never=False, elsewhere="it is synchronised", source="here")
    assert remedies.password_expiry(away, "scan@x.example").startswith("have whoever keeps")
    here = PasswordExpiry(never=False, validity=90, source="here")
    assert remedies.password_expiry(here, "scan@x.example") == (
        "Update-MgUser -UserId scan@x.example -PasswordPolicies DisablePasswordExpiration"
    )


SETTINGS: list[tuple[PolicyInForce | MfaState, bool | None]] = [
    (PolicyInForce(name="", of="", allows=None, source="s"), False),
    (PolicyInForce(name="P", of="user", allows=True, source="s"), False),
    (PolicyInForce(name="P", of="user", allows=False, source="s"), True),
    (PolicyInForce(name="P", of="user", allows=None, source="s"), None),
    (MfaState(state="disabled", source="s"), False),
    (MfaState(state="enabled", source="s"), False),
    (MfaState(state="Enforced", source="s"), True),
    (MfaState(state="unknownFutureValue", source="s"), None),
    (MfaState(state="", source="s"), None),
]


@pytest.mark.parametrize(("setting", "refuses"), SETTINGS)
def test_whether_a_setting_refuses(setting: PolicyInForce | MfaState, *, refuses: bool | None) -> None:
    assert setting.refuses is refuses


AFTER: list[tuple[str, float | None]] = [
    ("0", 0),
    ("120", 120),
    ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ("", None),
    ("-1", None),
    ("1.5", None),
    ("\u0663", None),
    ("soon", None),
    ("Wed, 99 Oct 2015 07:28:00 GMT", None),
]


@pytest.mark.parametrize(("given", "seconds"), AFTER)
def test_when_to_ask_again(given: str, seconds: float | None) -> None:
    assert http.retry_after(given) == seconds


PLANS: list[tuple[Any, Any, tuple[str, bool | None]]] = [
    ("efb87545-963c-4e0d-99df-69c6916d9eb0", "Enabled", ("EXCHANGE_S_ENTERPRISE", True)),
    ("9AAF7827-D63C-4B61-89C3-182F06F82E5C", "Enabled", ("EXCHANGE_S_STANDARD", True)),
    ("4a82b400-a79f-41a4-b4e2-e94f5787b113", "Warning", ("EXCHANGE_S_DESKLESS", True)),
    ("efb87545-963c-4e0d-99df-69c6916d9eb0", "Suspended", ("EXCHANGE_S_ENTERPRISE", None)),
    ("efb87545-963c-4e0d-99df-69c6916d9eb0", "Deleted", ("EXCHANGE_S_ENTERPRISE", None)),
    ("efb87545-963c-4e0d-99df-69c6916d9eb0", None, ("EXCHANGE_S_ENTERPRISE", None)),
    ("113feb6c-3fe4-4440-bddc-54d774bf0318", "Enabled", ("EXCHANGE_S_FOUNDATION", False)),
    ("00000000-0000-4000-8000-000000000000", "Enabled", ("00000000-0000-4000-8000-000000000000", False)),
    (None, "Enabled", ("none", False)),
]


@pytest.mark.parametrize(("identity", "status", "found"), PLANS)
def test_plans(identity: Any, status: Any, found: tuple[str, bool | None]) -> None:
    assert _plan({"ServicePlanId": identity, "capabilityStatus": status}) == found


MOMENTS: list[tuple[Any, datetime | None]] = [
    ("2026-11-16T05:00:00Z", datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ("2026-11-16T06:00:00+01:00", datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ("2026-11-16T05:00:00.1234567Z", datetime(2026, 11, 16, 5, 0, 0, 123456, tzinfo=UTC)),
    ("2026-11-16T05:00:00", datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ("/Date(1794805200000)/", datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ("/Date(-62135596800000)/", datetime(1, 1, 1, tzinfo=UTC)),
    ("/Date(99999999999999999)/", None),
    ("/Date(--5)/", None),
    ("/Date(\xb2)/", None),
    ("/Date()/", None),
    ("yesterday", None),
    ("", None),
    (None, None),
    (1794805200000, None),
    ({}, None),
]


@pytest.mark.parametrize(("value", "found"), MOMENTS)
def test_moments(value: Any, found: datetime | None) -> None:
    assert moment(value) == found


CHANGED = datetime(2026, 10, 1, tzinfo=UTC)
EXPIRY: list[tuple[str, dict[str, Any], bool, datetime | None, str]] = [
    ("never, by the user", {"never": True}, True, None, "DisablePasswordExpiration"),
    ("never, by the domain", {"validity": NEVER}, True, None, "never expire"),
    ("90 days", {"validity": 90}, True, datetime(2026, 12, 30, tzinfo=UTC), "after 90 days: this one on 2026-12-30"),
    ("90 days of an unknown day", {"validity": 90, "changed": None}, True, None, "after 90 days"),
    ("not set", {}, False, None, "no validity"),
    ("elsewhere", {"elsewhere": "on its own directory", "validity": 90}, False, None, "own directory"),
    ("beyond the calendar", {"validity": NEVER - 1}, True, None, "2147483646 days"),
]


@pytest.mark.parametrize(
    ("given", "told", "expires", "words"), [row[1:] for row in EXPIRY], ids=[row[0] for row in EXPIRY]
)
def test_password_expiry(given: dict[str, Any], words: str, expires: datetime | None, *, told: bool) -> None:
    found = PasswordExpiry(**{"never": False, "changed": CHANGED, "domain": "x.example", "source": "here", **given})
    assert found.told is told
    assert words in found.seen
    if not found.elsewhere:
        assert found.expires == expires


@pytest.mark.parametrize(
    ("mailbox", "organization", "disabled", "words"),
    [
        (None, True, True, "mailbox null (inherits), organisation true"),
        (None, False, False, "mailbox null (inherits), organisation false"),
        (None, None, None, "mailbox null (inherits), organisation null"),
        (False, True, False, "mailbox false, organisation true"),
        (True, False, True, "mailbox true, organisation false"),
    ],
)
def test_smtp_auth(*, mailbox: bool | None, organization: bool | None, disabled: bool | None, words: str) -> None:
    found = SmtpAuth(mailbox=mailbox, organization=organization, source="here")
    assert (found.disabled, words in found.seen) == (disabled, True)
