"""Answers that somebody saved by hand: how PowerShell writes them, when they serve, and when they don't."""

from __future__ import annotations

import asyncio
import codecs
import importlib.util
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.kinds import Unproven
from scanproof.tenant import graph, saved
from scanproof.tenant.access import conditional_access
from scanproof.tenant.directory import security_defaults, sign_in_log
from scanproof.tenant.settings import inward, smtp_auth
from selftests.cloud import (
    CAS,
    EGRESS,
    OWN,
    SCAN,
    TRANSPORT,
    USER,
    Answer,
    Cloud,
    always,
    as_json,
    cloud,
    exchange_of,
    reply,
    site_with,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.kinds import Evidence
    from scanproof.site import Site

pytestmark = pytest.mark.filterwarnings("error")

DENIED = always(reply(b"", 403))
CAS_BY_HAND = {"PrimarySmtpAddress": "Scan@northfield.example", "SmtpClientAuthenticationDisabled": False}


def site(folder: Path, **about: Any) -> Site:
    (folder / "saved").mkdir(exist_ok=True)
    return site_with(tenant={"saved": "saved"}, site={"cutover": None, **about}, folder=folder)


def keep(folder: Path, command: str, data: Any) -> None:
    (folder / "saved").mkdir(exist_ok=True)
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    (folder / "saved" / f"{command}.json").write_bytes(raw)


async def asked(where: Site, probe: Any, subject: Any, *, exchange: Answer = DENIED) -> tuple[Evidence[Any], Cloud]:
    async with cloud(graph=DENIED, exchange=exchange, site=where) as tenant:
        return await tenant.wire.ask(probe, subject), tenant


TEXT = json.dumps([{**CAS_BY_HAND, "DisplayName": "Büro"}], ensure_ascii=False)
WRITTEN: list[tuple[str, bytes]] = [
    ("PowerShell 5", codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")),
    ("UTF-16 BE", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
    ("PowerShell 7", TEXT.encode()),
    ("UTF-8 with a mark", codecs.BOM_UTF8 + TEXT.encode()),
    ("one object", json.dumps(CAS_BY_HAND).encode()),
    ("with its count", json.dumps({"value": [CAS_BY_HAND], "Count": 1}).encode()),
    ("with others", json.dumps([CAS_BY_HAND, {**CAS_BY_HAND, "PrimarySmtpAddress": "o@northfield.example"}]).encode()),
    ("wrapped", json.dumps({"Saved": "2026-11-20T08:00:00Z", "Value": [CAS_BY_HAND]}).encode()),
    ("wrapped, one", json.dumps({"saved": "/Date(1795161600000)/", "value": CAS_BY_HAND}).encode()),
]


@pytest.mark.parametrize("data", [row[1] for row in WRITTEN], ids=[row[0] for row in WRITTEN])
async def test_however_it_is_written(data: bytes, tmp_path: Path) -> None:
    keep(tmp_path, "Get-CASMailbox", data)
    keep(tmp_path, "Get-TransportConfig", TRANSPORT)
    found, _ = await asked(site(tmp_path), smtp_auth, SCAN)
    assert found.facts, found.reason
    assert (found.facts.mailbox, found.facts.organization, found.facts.grade) == (False, True, "attested")
    assert "saved/Get-CASMailbox.json, saved on 20" in found.facts.source
    assert found.facts.model_dump()["grade"] == "attested"


async def test_the_api_is_asked_first(tmp_path: Path) -> None:
    keep(tmp_path, "Get-CASMailbox", CAS_BY_HAND)
    good = exchange_of({"Get-CASMailbox": [CAS], "Get-TransportConfig": [TRANSPORT]})
    found, _ = await asked(site(tmp_path), smtp_auth, SCAN, exchange=good)
    assert found.facts, found.reason
    assert (found.facts.mailbox, found.facts.grade, found.facts.source) == (
        None,
        "",
        "Get-CASMailbox, Get-TransportConfig",
    )


async def test_one_saved_answer_makes_the_whole_attested(tmp_path: Path) -> None:
    keep(tmp_path, "Get-TransportConfig", TRANSPORT)
    half = exchange_of({"Get-CASMailbox": [CAS], "Get-TransportConfig": reply(b"", 403)})
    found, _ = await asked(site(tmp_path), smtp_auth, SCAN, exchange=half)
    assert found.facts, found.reason
    assert found.facts.grade == "attested"


async def test_none_was_saved(tmp_path: Path) -> None:
    found, _ = await asked(site(tmp_path), smtp_auth, SCAN)
    assert (found.outcome, "answered 403" in found.reason) == ("unproven", True)


BEFORE, AFTER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
CHANGE = datetime(2026, 11, 16, 5, tzinfo=UTC)
DATED: list[tuple[str, dict[str, Any], str, bool]] = [
    ("no change is stated", {}, "2001-01-01T00:00:00Z", False),
    ("after the cutover", {"cutover": CHANGE}, "2026-11-20T00:00:00Z", True),
    ("before the cutover", {"cutover": CHANGE}, "2026-11-01T00:00:00Z", False),
    ("after the last change", {"cutover": BEFORE, "last_change": CHANGE}, "2026-11-20T00:00:00Z", True),
    ("between", {"cutover": BEFORE, "last_change": CHANGE}, "2026-11-10T00:00:00Z", False),
    ("after, in another zone", {"cutover": CHANGE}, "2026-11-16T05:30:00+01:00", False),
    ("before, by PowerShell 5", {"cutover": CHANGE}, "/Date(1793491200000)/", False),
]


@pytest.mark.parametrize(("about", "at", "serves"), [row[1:] for row in DATED], ids=[row[0] for row in DATED])
def test_older_than_the_last_change(about: dict[str, Any], at: str, *, serves: bool, tmp_path: Path) -> None:
    keep(tmp_path, "Get-X", {"Saved": at, "Value": [CAS_BY_HAND]})
    if serves:
        found = saved.read(site(tmp_path, **about), "Get-X")
        assert found
        assert len(found.rows) == 1
    else:
        with pytest.raises(Unproven, match="before what counts") as caught:
            saved.read(site(tmp_path, **about), "Get-X")
        assert caught.value.remedy


def test_the_files_own_time_serves_where_none_is_stated(tmp_path: Path) -> None:
    keep(tmp_path, "Get-X", [CAS_BY_HAND])
    path = tmp_path / "saved" / "Get-X.json"
    os.utime(path, (BEFORE.timestamp(),) * 2)
    with pytest.raises(Unproven, match="saved on 2026-11-01 00:00 UTC, before"):
        saved.read(site(tmp_path, cutover=CHANGE), "Get-X")
    os.utime(path, (AFTER.timestamp(),) * 2)
    assert saved.read(site(tmp_path, cutover=CHANGE), "Get-X")


NOT: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "is not JSON"),
    ("a table", b"Name  Enabled\n----  -------\n", "is not JSON"),
    ("half", b'[{"a": 1', "is not JSON"),
    ("ANSI", '{"a": "Büro"}'.encode("cp1252"), "is not JSON"),
    ("half of UTF-16", codecs.BOM_UTF16_LE + b"{", "is not JSON"),
    ("deep", b"[" * 200_000, "is not JSON"),
    ("a number", b"7", "where objects belong"),
    ("null", b"null", "where objects belong"),
    ("texts", b'["a"]', "where objects belong"),
    ("no moment", b'{"Saved": "yesterday", "Value": []}', "states no moment"),
    ("no zone", b'{"Saved": "2026-11-20T08:00:00", "Value": []}', "states no moment"),
    ("null for a moment", b'{"Saved": null, "Value": []}', "states no moment"),
    ("no calendar's moment", b'{"Saved": "/Date(99999999999999999)/", "Value": []}', "states no moment"),
]


@pytest.mark.parametrize(("data", "words"), [row[1:] for row in NOT], ids=[row[0] for row in NOT])
def test_what_can_not_be_used(data: bytes, words: str, tmp_path: Path) -> None:
    keep(tmp_path, "Get-X", data)
    with pytest.raises(Unproven, match=r"saved/Get-X\.json") as caught:
        saved.read(site(tmp_path), "Get-X")
    assert words in caught.value.reason
    assert caught.value.remedy
    assert len(caught.value.reason) < 300


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, "Get-X", b" " * 101)
    monkeypatch.setattr(saved, "MOST", 100)
    with pytest.raises(Unproven, match="larger than 100 bytes"):
        saved.read(site(tmp_path), "Get-X")


def test_no_such_file_or_folder(tmp_path: Path) -> None:
    where = site(tmp_path)
    for _ in range(2):
        with pytest.raises(saved.NotSaved, match=r"saved/Get-X\.json is not there"):
            saved.read(where, "Get-X")
        (tmp_path / "saved" / "Get-X.json").mkdir(parents=True, exist_ok=True)
    assert saved.read(replace(where, folder=None), "Get-X") is None
    assert saved.read(site_with(folder=tmp_path), "Get-X") is None


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unproven, match="can't be read"):
        saved.read(site(tmp_path), "x" * 300)


needs_sdk = pytest.mark.skipif(importlib.util.find_spec("msgraph") is None, reason="msgraph-sdk is not installed")


@needs_sdk
async def test_what_graphs_powershell_saves(tmp_path: Path) -> None:
    await asyncio.to_thread(graph._load)
    role = "33333333-0000-4000-8000-000000000003"
    policy = {
        "DisplayName": "Admins",
        "State": "enabled",
        "Conditions": {
            "Users": {"IncludeRoles": [role]},
            "Applications": {"IncludeApplications": ["All"]},
            "ClientAppTypes": ["all"],
            "SignInRiskLevels": [],
        },
        "GrantControls": {"BuiltInControls": ["mfa"], "AuthenticationStrength": {"DisplayName": None, "Id": None}},
    }
    keep(tmp_path, "Get-MgUser", [{key[0].upper() + key[1:]: value for key, value in USER.items()}])
    keep(tmp_path, "Get-MgIdentityConditionalAccessPolicy", policy)
    groups = {"Id": "9", "DeletedDateTime": None, "AdditionalProperties": {"roleTemplateId": role}}
    keep(tmp_path, f"Get-MgUserTransitiveMemberOf {SCAN.key}", groups)
    keep(tmp_path, "Get-MgPolicyIdentitySecurityDefaultEnforcementPolicy", {"IsEnabled": False})
    keep(tmp_path, f"Get-MgAuditLogSignIn {SCAN.key}", [])
    for probe, subject in ((conditional_access, EGRESS), (security_defaults, SCAN), (sign_in_log, SCAN)):
        found, _ = await asked(site(tmp_path), probe, subject)
        assert found.facts, found.reason
        if probe is conditional_access:
            assert [it.controls for it in found.facts.stopping] == [("mfa",)]
            assert found.facts.grade == "inferred"
        else:
            assert found.facts.grade == "attested"


@needs_sdk
async def test_what_is_cut_off_too_shallow_is_no_pass(tmp_path: Path) -> None:
    await asyncio.to_thread(graph._load)
    keep(tmp_path, "Get-MgUser", USER)
    keep(tmp_path, f"Get-MgUserTransitiveMemberOf {SCAN.key}", [])
    keep(tmp_path, "Get-MgIdentityConditionalAccessPolicy",
         [{"DisplayName": "P", "State": "enabled", "Conditions": "@{Users=}", "GrantControls": None}])  # fmt: skip
    found, _ = await asked(site(tmp_path), conditional_access, EGRESS)
    assert (found.outcome, "-Depth" in found.remedy) == ("unproven", True)


async def test_the_rest_of_a_probe_is_graded_by_its_weakest(tmp_path: Path) -> None:
    keep(tmp_path, "Get-InboundConnector", [])
    flow = {
        "Get-OrganizationConfig": [{"RejectDirectSend": False}],
        "Get-InboundConnector": as_json({}, 403),
        "Get-AcceptedDomain": [{"DomainName": OWN.key}],
    }
    found, _ = await asked(site(tmp_path), inward, OWN, exchange=exchange_of(flow))
    assert found.facts, found.reason
    assert (found.facts.connectors, found.facts.grade) == ((), "attested")
