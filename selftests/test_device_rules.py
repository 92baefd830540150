"""What is right and wrong of a device's settings, by route."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scanproof import remedies
from scanproof.devices import rules
from scanproof.devices.facts import AddressBook, BookEntry, EmailSettings, Identity, SendSettings
from scanproof.devices.logs import OwnLog
from scanproof.devices.logwords import BROKE_OFF, NO_CONNECTION
from selftests.harness import demo

pytestmark = pytest.mark.filterwarnings("error")

SITE = demo()
AUTH = next(it for it in SITE.copiers if it.route == "smtp-auth" and it.sender == "scan@northfield.example")
DIRECT = next(it for it in SITE.copiers if it.route == "direct-send")
SCAN = "scan@northfield.example"


def settings(**values: Any) -> EmailSettings:
    return EmailSettings(source="x", **values)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("smtp.office365.com", ""),
        ("SMTP.Office365.com.", ""),
        ("", "blank"),
        ("mail.northfield.example", "retired"),
        ("10.20.10.25", "retired"),
        ("52.97.1.1", "IP address"),
        ("2001:db8::1", "IP address"),
        ("smtp.office365.com.evil.example", "another host"),
    ],
)
def test_host(host: str, said: str) -> None:
    found = rules.host_wrong(settings(host=host), AUTH, SITE)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("port", "ssl", "count"),
    [
        ("587", True, 0),
        ("587", False, 1),
        ("587", None, 1),
        ("465", True, 1),
        ("25", False, 2),
        ("", True, 1),
        ("0587", True, 1),
    ],
)
def test_port(port: str, ssl: bool | None, count: int) -> None:  # noqa: FBT001
    assert len(rules.port_wrong(settings(port=port, ssl=ssl), AUTH, SITE)) == count


def test_sign_in() -> None:
    assert rules.auth_wrong(settings(auth=True, user=SCAN.upper()), AUTH) == []
    assert rules.auth_wrong(settings(auth=False), AUTH) == ["SMTP authentication is off"]
    assert rules.auth_wrong(settings(auth=True, user=""), AUTH) == ["it signs in as nobody"]
    assert len(rules.auth_wrong(settings(auth=True, user="x@y.example", pop_before_smtp=True), AUTH)) == 2
    assert rules.auth_wrong(settings(auth=False), DIRECT) == []
    assert len(rules.auth_wrong(settings(auth=True), DIRECT)) == 1


def test_from() -> None:
    assert rules.from_wrong(settings(admin_address=SCAN.title(), auth_address=SCAN), AUTH, SITE) == []
    assert len(rules.from_wrong(settings(admin_address="it@northfield.example", auth_address=SCAN), AUTH, SITE)) == 1
    assert rules.from_wrong(settings(admin_address="it@northfield.example"), DIRECT, SITE) == []
    assert len(rules.from_wrong(settings(admin_address="it@northfield.example.evil.example"), DIRECT, SITE)) == 1


def test_logins_of_entries() -> None:
    logins = ("", SCAN.upper(), "old@northfield.example", None)
    entries = tuple(BookEntry(number=str(at), name="n", address="", login=login) for at, login in enumerate(logins))
    assert rules.foreign_logins(AddressBook(source="x", entries=entries), AUTH) == ["2 n as old@northfield.example"]


@pytest.mark.parametrize(
    ("firmware", "minimum", "older"),
    [
        ("1.20", "1.21", True),
        ("1.21", "1.21", False),
        ("1.9", "1.21", True),
        ("V1.21", "1.21.0", False),
        ("1.0_SP1", "1.0", False),
        ("0", "0.1", True),
        ("", "1.21", None),
        ("abc", "1.21", None),
    ],
)
def test_firmware(firmware: str, minimum: str, older: bool | None) -> None:  # noqa: FBT001
    assert rules.older(firmware, minimum) is older


@pytest.mark.parametrize(
    ("limited", "kilobytes", "divides", "fine"),
    [
        (True, 20480, False, True),
        (True, 35840, None, True),
        (True, 35841, False, False),
        (False, None, False, False),
        (True, None, False, True),  # not told: the case says so
        (True, 20480, True, False),
        (True, 0, False, True),
    ],
)
def test_size(limited: bool, kilobytes: int | None, divides: bool | None, fine: bool) -> None:  # noqa: FBT001
    found = SendSettings(source="x", limited=limited, kilobytes=kilobytes, divides=divides)
    assert (rules.size_wrong(found) == "") == fine


def test_identity() -> None:
    copier = dataclasses.replace(AUTH, serial="3099R310291", model="IM C3000", make="Ricoh")
    same = Identity(make="RICOH", model="RICOH Aficio IM C3000", serial="3099-r310291")
    assert rules.same(same, copier) == []
    assert len(rules.same(Identity(make="HP", model="M528", serial="x"), copier)) == 3
    assert rules.same(Identity(make=""), copier) == []


def test_names() -> None:
    found = Identity(make="Ricoh", name_servers=("10.20.10.53",), gateway="10.20.90.1")
    assert rules.names_wrong(found, AUTH, SITE) == []
    found = Identity(make="Ricoh", name_servers=("10.20.10.25", "9.9.9.9"), gateway="10.20.10.25")
    assert len(rules.names_wrong(found, AUTH, SITE)) == 3


@pytest.mark.parametrize(
    ("found", "said", "not_said"),
    [
        (settings(auth=True, user=SCAN, pop_before_smtp=True), "set POP before SMTP to Off", "user name"),
        (settings(auth=False, user=SCAN), f"Authentication to On and see that its user name is {SCAN}", "POP"),
        (settings(auth=False, user=""), f"Authentication to On and enter {SCAN} as its user name", "POP"),
        (settings(auth=True, user="NORTHFIELD\\copier"), f"enter {SCAN} as its user name", "to On"),
    ],
)
def test_what_to_set_of_a_sign_in_is_what_is_wrong(found: EmailSettings, said: str, not_said: str) -> None:
    told = remedies.sign_in_settings(found, AUTH)
    assert said in told
    assert not_said not in told
    assert rules.auth_wrong(found, AUTH)


def test_a_route_without_a_sign_in_has_it_off() -> None:
    assert remedies.sign_in_settings(settings(auth=True), DIRECT) == (
        "on the e-mail page, set SMTP Authentication to Off"
    )


def test_a_rule_for_its_own_address_is_looked_for_only_where_no_connection_came_about() -> None:
    """What broke off had a connection; and the machine beside it may not get through either."""
    none = remedies.failed_scan(f"{NO_CONNECTION} with Remote Machine", AUTH, SITE)
    assert f"for {AUTH.address} alone" in none
    assert "EGR-1" in none
    for reason in (BROKE_OFF, "Other Failures", ""):
        assert "firewall" not in remedies.failed_scan(reason, AUTH, SITE)
    assert "EGR-3" in remedies.failed_scan(BROKE_OFF, AUTH, SITE)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("its clock is 365 days off, so its times can't be placed", "set the copier's clock"),
        ("the device collects no log", "turn its job log and access log on"),
        ("the log was cut off", "download the log again"),
    ],
)
def test_a_log_that_proves_nothing_is_mended_where_it_fails(why: str, said: str) -> None:
    log = OwnLog(user="admin", why_not=why)
    assert said in remedies.own_log(log)
    assert said in remedies.access_log(log)
    assert "access log on" in remedies.access_log(OwnLog(user="admin", no_access="it keeps no access log"))
