"""Causes, chains and the route advice, on cases that are made up: what no fault of the lab can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scanproof import diagnosis, site
from scanproof.devices.logs import OwnLog
from scanproof.judged import Case, Verdict
from scanproof.kinds import Evidence
from selftests import suite

if TYPE_CHECKING:
    from scanproof.diagnosis import Diagnosis

DEMO = site.load(suite.ROOT / "inventory/demo")
SIGNING = next(copier for copier in DEMO.copiers if copier.route == "smtp-auth")
RELAYING = next(copier for copier in DEMO.copiers if copier.route == "relay")
SUBNET = next(subnet for subnet in DEMO.subnets if subnet.prefix == SIGNING.subnet)
HOST, ENDPOINT = DEMO.services["smtp-auth"].host, DEMO.services["relay"].host
BASIC = next(sender.address for sender in DEMO.file.sender if sender.auth == "basic")
assert SIGNING.sender == BASIC


def case(requirement: str, key: str, verdict: Verdict = "passed", level: str = "blocker", **more: Any) -> Case:
    return Case(f"{requirement}[{key}]", requirement, level, f"{requirement} of {key}", "", key, key, verdict, **more)


def explained(*cases: Case) -> Diagnosis:
    return diagnosis.explain(DEMO, list(cases), [])


def chain_of(found: Diagnosis, key: str) -> dict[str, Any]:
    return next(chain.as_json() for chain in found.chains if chain.copier.key == key)


def links(chain: dict[str, Any]) -> dict[str, str]:
    return {link["link"]: link["verdict"] for link in chain["chain"]}


def whole(*others: Case) -> list[Case]:
    """Return all that a copier's chain by smtp-auth is judged by, as it holds; or as others say."""
    key, path = SIGNING.key, f"{SIGNING.subnet}++{HOST}"
    holds = [
        case(name, key) for name in ("INV-1", "INV-2", "NET-4", "DEV-1", "DEV-2", "DEV-9", "DLV-2", "COV-2", "LOG-3")
    ]
    holds += [case("EGR-1", path), case("EGR-3", path), case("EGR-4", SIGNING.subnet)]
    holds += [case("SMTP-1", BASIC), case("TEN-1", BASIC), case("SMTP-2", f"{BASIC}++smtp-auth")]
    said = {it.id for it in others}
    return [*(it for it in holds if it.id not in said), *others]


def test_a_line_that_lets_no_mail_out_says_nothing_of_the_site() -> None:
    """The engineer sits elsewhere: nothing failed, and what could not be tried from here has its cause all the same."""
    found = explained(
        case("EGR-2", f"{SUBNET.prefix}++{ENDPOINT}", "unproven"),
        case("SMTP-2", f"{BASIC}++direct-send", "blocked", blocked_by=["EGR-2"]),
    )
    assert [cause.kind for cause in found.causes] == ["machine-blocked"]
    assert "says nothing of the site's" in found.causes[0].title
    assert found.unexplained == []


def test_what_no_rule_knows_is_unexplained() -> None:
    strange, broken = case("OWN-1", "x", "failed"), case("NET-4", SIGNING.key, "error")
    behind = case("OWN-2", "x", "blocked", blocked_by=["OWN-1"])
    found = explained(strange, broken, behind)
    assert found.causes == []
    assert found.unexplained == [strange, broken, behind]


def test_what_is_to_come_is_no_cause() -> None:
    found = explained(case("TEN-9", BASIC, "advice", "advice"), case("COV-3", SUBNET.prefix, "advice", "advice"))
    assert [*found.causes, *found.unexplained] == []


def test_what_is_waived_has_no_cause_and_breaks_nothing() -> None:
    found = explained(*whole(case("DEV-2", SIGNING.key, "waived")))
    assert [*found.causes, *found.unexplained] == []
    assert chain_of(found, SIGNING.key)["verdict"] == "waived"


def test_a_whole_chain_works() -> None:
    chain = chain_of(explained(*whole()), SIGNING.key)
    assert set(links(chain).values()) == {"passed"}
    assert (chain["verdict"], chain["broken_at"], chain["open_at"], chain["cause"]) == ("works", None, None, None)


def test_the_first_broken_link_is_named_with_its_cause() -> None:
    late = case("LOG-3", SIGNING.key, "failed")
    chain = chain_of(explained(*whole(late, case("DEV-9", SIGNING.key, "failed"))), SIGNING.key)
    assert (chain["verdict"], chain["broken_at"], chain["cause"]) == ("broken", "tls", "device-tls")


def test_advice_breaks_no_link() -> None:
    found = explained(*whole(case("LOG-2", SIGNING.key, "advice", "advice")))
    chain = chain_of(found, SIGNING.key)
    assert (links(chain)["logged"], chain["verdict"]) == ("advice", "works")
    # Its evidence is missing here, so that rules which look at it can't tell: that is no reason to break off.
    assert [cause.kind for cause in found.causes] == ["scans-failed"]


@pytest.mark.parametrize("requirement", ["DLV-2", "COV-2"])
def test_a_copier_without_a_proven_route_does_not_work(requirement: str) -> None:
    chain = chain_of(explained(*whole(case(requirement, SIGNING.key, "unproven"))), SIGNING.key)
    assert (chain["verdict"], chain["open_at"]) == ("not proven", "arrived")


def test_nothing_judged_is_not_proven() -> None:
    chain = chain_of(explained(), SIGNING.key)
    assert set(links(chain).values()) == {"not judged"}
    assert chain["verdict"] == "not proven"


def test_a_scan_that_arrived_shows_its_way_and_not_the_devices_tls() -> None:
    path = f"{SIGNING.subnet}++{HOST}"
    unseen = [case("EGR-1", path, "unproven"), case("EGR-3", path, "unproven"), case("SMTP-1", BASIC, "unproven")]
    chain = chain_of(explained(*whole(*unseen)), SIGNING.key)
    assert chain["verdict"] == "works"
    assert next(link for link in chain["chain"] if link["link"] == "egress")["shown_by"] == "a scan that arrived"
    chain = chain_of(explained(*whole(*unseen, case("DEV-9", SIGNING.key, "unproven"))), SIGNING.key)
    assert (chain["verdict"], chain["open_at"]) == ("not proven", "tls")


def test_a_scan_does_not_show_what_fails_now() -> None:
    refused = case("SMTP-1", BASIC, "failed", observed="535 refused")
    found = explained(*whole(refused))
    assert chain_of(found, SIGNING.key)["broken_at"] == "sign-in"
    today = route(found, SIGNING.key, "smtp-auth")["today"]
    assert today == {"works": "no", "why": "SMTP-1: 535 refused"}


def route(found: Diagnosis, key: str, name: str) -> dict[str, Any]:
    advice = next(one for one in found.routes if one["name"] == key)
    return next(one for one in advice["routes"] if one["route"] == name)


def test_a_sign_in_by_password_ends() -> None:
    found = explained(*whole())
    outlook = route(found, SIGNING.key, "smtp-auth")
    assert [outlook[time]["works"] for time in ("today", "end_of_2026", "basic_gone")] == ["yes", "on condition", "no"]
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert (advice["advice"], advice["uses"]) == ("smtp-auth", "smtp-auth")
    assert "Basic ends" in advice["why"]


def direct() -> list[Case]:
    """Return what a subnet needs to send directly, as it holds; last of all the mails."""
    path, domain = f"{SUBNET.prefix}++{ENDPOINT}", DEMO.file.mail.domain
    spf = case("DNS-2", f"{domain}++{SUBNET.public_address}")
    mails = [case("SMTP-2", f"{BASIC}++direct-send"), case("DLV-1", f"{BASIC}++direct-send++it@{domain}")]
    return [case("EGR-2", path), case("EGR-3", path), case("TEN-8", domain), spf, *mails]


def test_the_encrypted_route_is_advised_while_it_works_and_what_lasts_is_named() -> None:
    found = explained(*whole(*direct()))
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert advice["advice"] == "smtp-auth"
    assert "or direct-send, which is not encrypted for sure" in advice["why"]
    assert "recipients of this tenant alone" in route(found, SIGNING.key, "direct-send")["today"]["why"]


def test_another_route_is_advised_where_the_encrypted_one_does_not_work() -> None:
    blocked = case("EGR-1", f"{SIGNING.subnet}++{HOST}", "failed")
    found = explained(*whole(*direct(), blocked))
    assert next(one for one in found.routes if one["name"] == SIGNING.key)["advice"] == "direct-send"


def test_what_an_administrator_can_allow_is_a_condition() -> None:
    """Named by the cause, of the tenant's or the domain's layer; a firewall's rule is none of his."""
    found = explained(*whole(case("TEN-3", BASIC, "failed"), case("SMTP-1", BASIC, "blocked", blocked_by=["TEN-3"])))
    today = route(found, SIGNING.key, "smtp-auth")["today"]
    assert today["works"] == "on condition"
    assert "once this is settled: The tenant's security defaults" in today["why"]
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert (advice["advice"], advice["why"].startswith("once this is settled")) == ("smtp-auth", True)


def test_a_copier_whose_own_log_shows_a_rule_for_it_is_broken_at_its_way_out() -> None:
    """The subnet gets through, so that no blocker fails: the copier can't send all the same."""
    failures = ("Scanner: Sending: Connection Failed with Remote Machine",)
    log = OwnLog(user="admin", failed=failures, ends_in_failure=True)
    piece: Evidence[Any] = Evidence("own_log", SIGNING.key, "", "here", DEMO.now, 0, "observed", log)
    said = [case("DEV-3", SIGNING.key), case("DEV-4", SIGNING.key), case("DEV-13", SIGNING.key)]
    failed = case("LOG-2", SIGNING.key, "advice", "advice", evidence=[piece.id])
    found = diagnosis.explain(DEMO, whole(*said, failed, case("DLV-2", SIGNING.key, "unproven")), [piece])
    chain = chain_of(found, SIGNING.key)
    assert (chain["verdict"], chain["broken_at"], chain["cause"]) == ("broken", "egress", "port-blocked")
    assert f"let {SIGNING.address} out" in found.causes[0].remedy


def test_what_was_not_looked_at_is_unproven_and_never_advised() -> None:
    found = explained()
    for advice in found.routes:
        assert advice["advice"] is None
        assert {one["today"]["works"] for one in advice["routes"]} == {"unproven"}
    assert len(found.routes) == len(DEMO.subnets) + len(DEMO.copiers)


def test_the_cause_that_stops_the_most_copiers_is_first() -> None:
    three = [case("DEV-2", copier.key, "failed") for copier in DEMO.copiers[:3]]
    behind = [case(f"DEV-{number}", RELAYING.key, "blocked", blocked_by=["NET-4"]) for number in (1, 2, 3, 4)]
    one = [case("NET-4", RELAYING.key, "failed"), *behind]
    found = explained(*one, *three)
    assert [cause.kind for cause in found.causes] == ["copier-not-moved", "device-hangs"]
    assert len(found.causes[0].subjects) == 3
    assert {case.cause for case in one} == {"device-hangs"}


def test_what_was_left_out_could_be_what_fails() -> None:
    """A run of selected cases says of no copier that it works, and of no route."""
    found = diagnosis.explain(DEMO, whole(), [], whole=False)
    assert chain_of(found, SIGNING.key)["verdict"] == "not proven"
    assert found.routes == []
    few = explained(case("COV-2", SIGNING.key), case("DLV-2", SIGNING.key))
    assert (chain_of(few, SIGNING.key)["verdict"], chain_of(few, SIGNING.key)["open_at"]) == ("not proven", "listed")


@pytest.mark.parametrize("lost", [0, 1])
def test_a_route_whose_mail_is_refused_or_lost_does_not_work(lost: int) -> None:
    *network, accepted, arrived = direct()
    mails = [accepted, arrived]
    mails[lost].verdict = "failed"
    found = explained(*whole(*network, *mails))
    assert route(found, SIGNING.key, "direct-send")["today"]["works"] == "no"


def test_what_this_machine_could_not_try_shows_nothing_of_other_subnets() -> None:
    """Port 587 is closed to the machine's own subnet: a copier elsewhere has its own scan to show."""
    other = next(subnet for subnet in DEMO.subnets if subnet.prefix != SIGNING.subnet)
    closed = case("EGR-1", f"{other.prefix}++{HOST}", "failed")
    keys = (("SMTP-1", BASIC), ("SMTP-2", f"{BASIC}++smtp-auth"))
    unsent = [case(requirement, key, "blocked", blocked_by=["EGR-1"]) for requirement, key in keys]
    found = explained(*whole(*unsent), closed)
    assert chain_of(found, SIGNING.key)["verdict"] == "works"
    assert route(found, SIGNING.key, "smtp-auth")["today"]["works"] == "yes"


def test_another_public_address_is_told_of_the_subnet_that_shows_it_alone() -> None:
    away, unseen = (
        case("EGR-5", "10.20.90.0/24", "advice", "advice"),
        case("EGR-5", "10.20.93.0/24", "unproven", "advice"),
    )
    found = explained(away, unseen)
    assert [(it.kind, it.subjects) for it in found.causes] == [("public-address", ["10.20.90.0/24"])]
    assert unseen.cause is None
