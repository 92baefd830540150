"""The lab's state and catalogue, without a running lab."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import faults, odata
from lab.client import prepare_folder
from lab.estate import build
from lab.plan import Plan, engineers_address, plan_of
from lab.spf import check_host, dmarc_policy
from lab.zones import MICROSOFT_SPF
from scanproof import site as sites

if TYPE_CHECKING:
    from scanproof.site import Site

DEMO = Path(__file__).parent.parent / "inventory" / "demo"
REQUIREMENTS = {
    *(f"NET-{number}" for number in range(1, 5)),
    *(f"EGR-{number}" for number in range(1, 5)),
    *(f"DNS-{number}" for number in range(1, 5)),
    *(f"SMTP-{number}" for number in range(1, 4)),
    *(f"TEN-{number}" for number in range(1, 15)),
    "INV-1",
    "DLV-1",
}


@pytest.fixture(scope="module")
def demo() -> Site:
    return sites.load(DEMO)


@pytest.fixture
def plan(demo: Site) -> Plan:
    return plan_of(demo)


def test_plan_survives_its_json(plan: Plan) -> None:
    assert Plan.from_json(plan.to_json()) == plan


def test_plan_holds_no_secret(plan: Plan) -> None:
    assert "password" not in plan.to_json().lower()


def test_engineer_stands_at_a_free_address_of_the_first_subnet(plan: Plan) -> None:
    assert engineers_address(plan) == "10.20.90.10"
    assert engineers_address(plan) not in {copier.address for copier in plan.copiers}


def test_each_start_has_its_own_secrets(plan: Plan) -> None:
    one, other = build(plan, "loopback"), build(plan, "loopback")
    assert set(one.secrets) == {
        "SCANPROOF_SENDER_PASSWORD",
        "SCANPROOF_CLIENT_SECRET",
        "SCANPROOF_COPIER_PASSWORD",
    }
    assert not set(one.secrets.values()) & set(other.secrets.values())


@pytest.mark.parametrize(
    ("record", "address", "expected"),
    [
        (["v=spf1 ip4:203.0.113.10 -all"], "203.0.113.10", "pass"),
        (["v=spf1 ip4:203.0.113.10 -all"], "203.0.113.11", "fail"),
        (["v=spf1 ip4:203.0.113.10 ~all"], "203.0.113.11", "softfail"),
        (["v=spf1 ip4:203.0.113.10 ?all"], "203.0.113.11", "neutral"),
        (["v=spf1 ip4:203.0.113.10"], "203.0.113.11", "neutral"),
        (["v=spf1 ip4:203.0.113.0/24 -all"], "203.0.113.11", "pass"),
        ([f"v=spf1 include:{MICROSOFT_SPF} -all"], "198.51.100.25", "pass"),
        (["v=spf1 include:nothing.example -all"], "203.0.113.10", "permerror"),
        (["v=spf1 -all", "v=spf1 +all"], "203.0.113.10", "permerror"),
        (["v=spf10 -all", "other"], "203.0.113.10", "none"),
        ([], "203.0.113.10", "none"),
        (["v=spf1 exp:what -all"], "203.0.113.10", "permerror"),
    ],
)
def test_spf(plan: Plan, record: list[str], address: str, expected: str) -> None:
    zones = build(plan, "loopback").zones
    zones.set(plan.domain, "TXT", record)
    assert check_host(zones, address, plan.domain) == expected


@pytest.mark.parametrize(("lookups", "expected"), [(10, "pass"), (11, "permerror")])
def test_spf_stops_at_ten_lookups(plan: Plan, lookups: int, expected: str) -> None:
    zones = build(plan, "loopback").zones
    for number in range(lookups):
        zones.set(f"spf{number}.example", "TXT", ["v=spf1 -all"])
    includes = " ".join(f"include:spf{number}.example" for number in range(lookups))
    zones.set(plan.domain, "TXT", [f"v=spf1 {includes} ip4:203.0.113.10 -all"])
    assert check_host(zones, "203.0.113.10", plan.domain) == expected


def test_dmarc_policy(plan: Plan) -> None:
    zones = build(plan, "loopback").zones
    assert dmarc_policy(zones, plan.domain) == "quarantine"
    assert dmarc_policy(zones, "other.example") == "none"


MAILS = [
    {"subject": "Scanproof O'Neil 1", "receivedDateTime": "2026-11-23T08:00:00Z", "from": {"address": "a@x.example"}},
    {"subject": "other", "receivedDateTime": "2026-11-23T09:00:00Z", "from": {"address": "b@x.example"}},
]


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ({}, ["Scanproof O'Neil 1", "other"]),
        ({"$filter": "contains(subject,'scanproof')"}, ["Scanproof O'Neil 1"]),
        ({"$filter": "contains(subject,'O''Neil')"}, ["Scanproof O'Neil 1"]),
        ({"$filter": "startswith(subject, 'oth')"}, ["other"]),
        ({"$filter": "subject eq 'OTHER'"}, ["other"]),
        ({"$filter": "subject eq 'a and b'"}, []),
        ({"$filter": "receivedDateTime ge 2026-11-23T08:30:00Z"}, ["other"]),
        (
            {"$filter": "receivedDateTime ge 2026-11-23T08:00:00Z and from/address eq 'a@x.example'"},
            ["Scanproof O'Neil 1"],
        ),
        ({"$orderby": "receivedDateTime desc"}, ["other", "Scanproof O'Neil 1"]),
        (
            {"$filter": "receivedDateTime ge 2026-11-01T00:00:00Z", "$orderby": "receivedDateTime desc"},
            ["other", "Scanproof O'Neil 1"],
        ),
    ],
)
def test_odata(query: dict[str, str], subjects: list[str]) -> None:
    assert [mail["subject"] for mail in odata.select([dict(mail) for mail in MAILS], query, ordered=True)] == subjects


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"$filter": "subject like 'x'"}, "BadRequest"),
        ({"$filter": "nosuch eq 'x'"}, "BadRequest"),
        ({"$filter": "subject eq x"}, "BadRequest"),
        ({"$expand": "attachments"}, "BadRequest"),
        ({"$filter": "contains(subject,'x')", "$orderby": "receivedDateTime"}, "InefficientFilter"),
    ],
)
def test_odata_refuses_what_graph_refuses(query: dict[str, str], code: str) -> None:
    with pytest.raises(odata.QueryError) as refused:
        odata.select([dict(mail) for mail in MAILS], query, ordered=True)
    assert refused.value.code == code


def test_catalogue_has_the_contracts_shape(demo: Site) -> None:
    catalogue = json.loads(json.dumps(faults.as_json(demo)))
    assert len(catalogue) > 50
    for entry in catalogue:
        assert list(entry) == ["name", "layer", "network", "describes", "breaks", "unproves", "cause"]
        assert entry["layer"] in {"network", "host", "dns", "tenant", "mail", "device", "inventory"}
        assert entry["network"] in {"any", "namespaces"}
        assert entry["describes"]
        pairs = [tuple(pair) for pair in entry["breaks"] + entry["unproves"]]
        assert len(pairs) == len(set(pairs)), entry["name"]
        # What nobody has named yet leaves cases unproven, and is nothing to put right.
        assert entry["cause"] or not entry["breaks"], entry["name"]
        assert pairs or entry["cause"] is None, entry["name"]


def test_every_requirement_is_broken_by_a_fault(demo: Site) -> None:
    broken = {requirement for entry in faults.as_json(demo) for requirement, _ in entry["breaks"]}
    assert broken >= REQUIREMENTS


def test_what_loopback_cannot_show_is_for_namespaces(demo: Site) -> None:
    for entry in faults.as_json(demo):
        # What becomes unproven in namespaces may be so in loopback at any time.
        touched = {requirement for requirement, _ in entry["breaks"]}
        if any(name == "NET-1" or name.startswith("EGR-") for name in touched):
            assert entry["network"] == "namespaces", entry["name"]


def test_every_scenario_names_faults_of_which_some_are_shown_in_any_network() -> None:
    for name, parts in faults.SCENARIOS.items():
        shown = [fault for fault in faults.named(parts) if fault.network == "any"]
        assert bool(shown) == (name != "healthy")


def test_an_unknown_fault_names_the_nearest() -> None:
    with pytest.raises(faults.UnknownFaultError, match="did you mean junk-rule"):
        faults.named(["junk-rul"])


def test_a_fault_of_the_other_network_is_refused(plan: Plan) -> None:
    with pytest.raises(faults.UnknownFaultError, match="--network namespaces"):
        faults.apply(build(plan, "loopback"), ["ping-blocked"])


def test_any_two_faults_go_together(plan: Plan) -> None:
    # But for the one that makes an RSA key each time, which is slow and touches nothing else.
    names = [entry.name for entry in faults.ALL.values() if entry.change and entry.name != "client-certificate"]
    for first, second in itertools.permutations(names, 2):
        faults.apply(build(plan, "namespaces"), [first, second])


@pytest.mark.parametrize("name", [name for name, fault in faults.ALL.items() if fault.folder])
def test_an_inventory_fault_breaks_its_row_and_no_other(demo: Site, tmp_path: Path, name: str) -> None:
    folder = prepare_folder(DEMO, [name], tmp_path)
    changed = sites.load(folder)
    bad = [("INV-1", row.key) for row in changed.table.rows if row.problems]
    assert sorted(bad) == sorted(pair for pair in faults.ALL[name].breaks(demo) if pair[0] == "INV-1")
    assert not [row for row in sites.load(DEMO).table.rows if row.problems]  # the original is as it was
    lost = {copier.key for copier in demo.copiers} - {copier.key for copier in changed.copiers}
    assert len(lost) <= 1


def test_no_inventory_fault_needs_no_copy(tmp_path: Path) -> None:
    assert prepare_folder(DEMO, ["mx-missing"], tmp_path) == DEMO
