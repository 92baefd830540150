"""Causes, chains and the route advice, on cases that are made up: what no fault of the lab can show."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import diagnosis, site
from scanproof.devices.facts import Identity, Scan
from scanproof.devices.logs import OwnLog
from scanproof.devices.logwords import BROKE_OFF
from scanproof.devices.proof import RouteProof
from scanproof.evidence import Alignment, Lookup, Reply, SignIn, Submission, WebPage
from scanproof.judged import Case, Verdict
from scanproof.kinds import Evidence, Facts
from scanproof.tenant.facts import PasswordExpiry
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


def broke_off(*others: Case) -> Diagnosis:
    failures = (f"Scanner: Sending: {BROKE_OFF}",)
    log = OwnLog(user="admin", failed=failures, ends_in_failure=True)
    piece: Evidence[Any] = Evidence("own_log", SIGNING.key, "", "here", DEMO.now, 0, "observed", log)
    said = [case(f"DEV-{number}", SIGNING.key) for number in (2, 3, 4, 13)]
    failed = case("LOG-2", SIGNING.key, "advice", "advice", evidence=[piece.id], remedy="see EGR-3")
    return diagnosis.explain(DEMO, [*said, failed, *others], [piece])


def test_what_breaks_off_beside_a_spoilt_dialogue_is_not_the_copiers_tls() -> None:
    """A copier's TLS is told only where the machine beside it gets through undisturbed, or nobody looked from there."""
    path = f"{SIGNING.subnet}++{HOST}"
    assert [it.kind for it in broke_off().causes] == ["device-tls"]
    spoilt = case("EGR-3", path, "failed", remedy="exempt it")
    unproven = case("DLV-2", SIGNING.key, "unproven")
    found = broke_off(case("EGR-1", path), spoilt, unproven)
    assert [(it.kind, it.owner, it.remedy) for it in found.causes] == [
        ("smtp-inspected", "the network team", "exempt it")
    ]
    assert unproven.cause == "smtp-inspected"
    assert [it.kind for it in broke_off(case("EGR-1", path, "failed")).causes if it.kind == "device-tls"] == []


def identified(serial: str) -> Evidence[Any]:
    facts = Identity(make="Ricoh", model=SIGNING.model, serial=serial, firmware="1.0")
    return Evidence("identity", SIGNING.key, "", "here", DEMO.now, 0, "observed", facts)


@pytest.mark.parametrize(
    ("serial", "kinds"), [("X1", ["wrong-device"]), (SIGNING.serial, ["wrong-device", "firmware"])]
)
def test_what_is_read_of_a_stranger_is_no_cause_of_its_own(serial: str, kinds: list[str]) -> None:
    """Of a device that only shows another certificate, which it may have renewed, its other troubles are told too."""
    piece = identified(serial)
    other = case("INV-2", SIGNING.key, "failed", evidence=[piece.id], remedy="correct the list")
    old = case("DEV-8", SIGNING.key, "advice", "advice", evidence=[piece.id], remedy="have it updated")
    found = diagnosis.explain(DEMO, [other, old], [piece])
    assert [it.kind for it in found.causes] == kinds


def test_old_firmware_is_not_why_nobody_has_scanned() -> None:
    old = case("DEV-8", SIGNING.key, "advice", "advice", remedy="have it updated")
    lacking = [case(requirement, SIGNING.key, "unproven", remedy="make a scan") for requirement in ("DEV-9", "COV-2")]
    found = explained(old, *lacking)
    assert [(it.kind, [one.requirement for one in it.explains]) for it in found.causes] == [("firmware", ["DEV-8"])]
    assert {it.cause for it in lacking} == {None}


def test_another_copiers_setting_explains_what_it_was_to_stand_for_and_no_scan_of_ones_own() -> None:
    kin = next(
        it for it in DEMO.copiers if (it.subnet, it.model) == (SIGNING.subnet, SIGNING.model) and it.key != SIGNING.key
    )
    wrong = case("DEV-4", kin.key, "failed", remedy="turn it off")
    open_too = case("COV-2", SIGNING.key, "unproven", remedy="make a scan from it, or from one of its kind")
    own = case("DLV-2", SIGNING.key, "unproven", remedy="make a scan")
    found = explained(wrong, open_too, own)
    assert [cause.explains for cause in found.causes] == [[wrong, open_too]]


def test_an_entry_of_the_book_is_not_why_nobody_has_scanned() -> None:
    entry = case("DEV-6", SIGNING.key, "failed", remedy="correct the entry")
    lacking = case("DEV-9", SIGNING.key, "unproven", remedy="make a scan")
    assert [cause.explains for cause in explained(entry, lacking).causes] == [[entry]]


def test_all_that_is_to_be_entered_at_a_copier_is_one_list() -> None:
    def wrong(requirement: str, key: str, remedy: str) -> Case:
        return case(requirement, key, "failed", remedy=remedy)

    cases = [wrong("DEV-4", SIGNING.key, "set sign-in on"), wrong("DEV-2", SIGNING.key, "enter the host")]
    assert [it.remedy for it in explained(*cases).causes] == ["enter the host; set sign-in on"]
    found = explained(*cases, wrong("DEV-2", RELAYING.key, "enter the endpoint"))
    assert [it.remedy for it in found.causes] == [
        f"{SIGNING.key}: enter the host; set sign-in on. {RELAYING.key}: enter the endpoint"
    ]
    many = [wrong("DEV-2", copier.key, f"enter {copier.key}") for copier in DEMO.copiers[:5]]
    assert explained(*many).causes[0].remedy.endswith(". 2 more have other values: see their DEV-2 to DEV-4")


def test_what_shows_a_cause_of_one_copier_says_what_to_do_before_what_is_proven_of_a_kind() -> None:
    scan = Scan(
        folder="Junk Email",
        recipient="it@northfield.example",
        subject="",
        received=DEMO.now,
        sent=None,
        attributed_by=(),
        signs=(),
    )
    piece: Evidence[Any] = Evidence("scan", SIGNING.key, "", "here", DEMO.now, 0, "observed", scan)
    kinds = [("COV-1", SIGNING.subnet), ("COV-2", SIGNING.key), ("DLV-2", SIGNING.key)]
    cases = [case(it, key, "failed", remedy=f"of {it}", evidence=[piece.id]) for it, key in kinds]
    found = diagnosis.explain(DEMO, cases, [piece])
    assert [(it.kind, it.remedy) for it in found.causes] == [("mail-to-junk", "of DLV-2")]


def away(kind: str, key: str, lacks: str = "no-route") -> Evidence[Any]:
    return Evidence(kind, key, "", "here", DEMO.now, 0, "unproven", reason="no route", lacks=lacks)


@pytest.mark.parametrize("offline", [True, False])
def test_a_machine_in_no_network_is_the_one_cause(offline: bool) -> None:  # noqa: FBT001
    page, records = away("http_page", SIGNING.key), away("public_records", "northfield.example")
    graph = away("outward", "northfield.example", "service-unreachable")
    unreached = case("NET-4", SIGNING.key, "unproven", evidence=[page.id], remedy="connect it")
    tenant = case("TEN-11", "northfield.example", "unproven", evidence=[graph.id], remedy="let it out")
    blocked = case("SMTP-3", f"{HOST}:587", "blocked", "advice", blocked_by=["EGR-1"])
    pieces = [page, graph, *([records] if offline else [])]
    found = diagnosis.explain(DEMO, [unreached, tenant, blocked], pieces)
    kinds = {"no-route"} if offline else {"no-route", "service-unreachable", "machine-blocked"}
    assert {it.kind for it in found.causes} == kinds
    assert (found.causes[0].owner, unreached.cause) == ("the engineer who runs this suite", "no-route")


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


def settled(*others: Case) -> dict[str, Any]:
    """Return the chain of a copier of which all holds but what others say."""
    return chain_of(explained(*whole(*others)), SIGNING.key)


def seen_from(kind: str, model: Facts, key: str = "x") -> Evidence[Any]:
    return Evidence(kind, key, "", "here", DEMO.now, 0, "observed", model)


def refused_password() -> tuple[Case, Evidence[Any]]:
    """Return what the service says of a password that is not the mailbox's."""
    reply = Reply(code=535, text="5.7.139 Authentication unsuccessful, the user credentials were incorrect.")
    piece = seen_from("sign_in", SignIn(mechanism="LOGIN", reply=reply, stage="auth"), BASIC)
    return case("SMTP-1", BASIC, "failed", evidence=[piece.id]), piece


@pytest.mark.parametrize("scanned", [True, False])
def test_the_suites_own_password_says_nothing_of_the_one_in_a_copier(*, scanned: bool) -> None:
    wrong, piece = refused_password()
    unseen = [case(name, SIGNING.key, "unproven") for name in ("DLV-2", "COV-2", "DEV-9")] if not scanned else []
    found = diagnosis.explain(DEMO, whole(wrong, *unseen), [piece])
    assert [cause.kind for cause in found.causes][:1] == ["sender-password"]
    chain = chain_of(found, SIGNING.key)
    assert chain["verdict"] == ("works" if scanned else "not proven")
    assert links(chain)["sign-in"] == ("passed" if scanned else "unproven")
    assert found.causes[0].stops == []
    today = route(found, SIGNING.key, "smtp-auth")["today"]
    assert today["works"] == ("yes" if scanned else "unproven")
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert advice["advice"] == ("smtp-auth" if scanned else None)


@pytest.mark.parametrize("root", ["EGR-1", "EGR-4", "HOST-1"])
def test_what_this_machine_could_not_try_breaks_no_copier(root: str) -> None:
    untried = [case("SMTP-1", BASIC, "blocked", blocked_by=[root])]
    untried += [case("SMTP-2", f"{BASIC}++smtp-auth", "blocked", blocked_by=[root])]
    unseen = [case(name, SIGNING.key, "unproven") for name in ("DLV-2", "COV-2")]
    chain = settled(*untried, *unseen)
    assert (chain["verdict"], chain["broken_at"], chain["open_at"]) == ("not proven", None, "sign-in")


def test_an_error_of_the_suite_breaks_no_copier() -> None:
    chain = settled(case("DEV-2", SIGNING.key, "error"))
    assert (chain["verdict"], chain["open_at"]) == ("not proven", "settings")


def hidden(root: Case) -> list[Case]:
    """Return what is not seen of a copier whose page or login can't be had."""
    names = ["DEV-1", "DEV-2", "DEV-3", "DEV-4", "DEV-5", "DEV-6", "DEV-13", "LOG-3"]
    names += ["INV-2"] if root.requirement == "NET-4" else []
    behind = [case(name, SIGNING.key, "blocked", blocked_by=[root.requirement]) for name in names]
    return [root, *(it for it in behind if it.id != root.id)]


@pytest.mark.parametrize("requirement", ["NET-4", "DEV-1"])
@pytest.mark.parametrize("scanned", [True, False])
def test_what_can_t_be_looked_into_is_not_broken_and_its_own_scan_shows_it(requirement: str, *, scanned: bool) -> None:
    unseen = [case("DLV-2", SIGNING.key, "unproven"), case("COV-2", SIGNING.key, "blocked", blocked_by=[requirement])]
    chain = settled(*hidden(case(requirement, SIGNING.key, "failed")), *([] if scanned else unseen))
    assert chain["broken_at"] is None
    assert chain["verdict"] == ("works" if scanned else "not proven")
    first = "reachable" if requirement == "NET-4" else "settings"
    assert (links(chain)[first], chain["open_at"]) == (("advice", None) if scanned else ("blocked", first))


def test_another_ones_scan_does_not_show_what_can_t_be_looked_into() -> None:
    proof = seen_from("route_proof", RouteProof(by="a scan of another"), SIGNING.key)
    others = [case("DLV-2", SIGNING.key, "unproven"), case("COV-2", SIGNING.key, evidence=[proof.id])]
    found = diagnosis.explain(DEMO, whole(*others, case("DEV-6", SIGNING.key, "unproven")), [proof])
    assert chain_of(found, SIGNING.key)["open_at"] == "settings"


def silent() -> tuple[list[Case], Evidence[Any]]:
    """Return what is seen of a copier that is off."""
    page = WebPage(url="https://10.0.0.1/", connected=False, trouble="nothing answered", trouble_kind="timed-out")
    piece = seen_from("web_page", page, SIGNING.key)
    down = case("NET-4", SIGNING.key, "failed", evidence=[piece.id])
    return [*hidden(down), case("NET-1", SIGNING.key, "advice", "advice")], piece


def test_a_copier_that_does_not_answer_is_broken_and_no_route_is_advised() -> None:
    off, piece = silent()
    unseen = [case(name, SIGNING.key, "unproven") for name in ("DLV-2", "COV-2")]
    found = diagnosis.explain(DEMO, whole(*direct(), *off, *unseen), [piece])
    chain = chain_of(found, SIGNING.key)
    assert (chain["verdict"], chain["broken_at"], chain["cause"]) == ("broken", "reachable", "device-down")
    assert found.causes[0].stops == [SIGNING.key]
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert advice["advice"] is None
    assert advice["why"].startswith("first make it answer")
    assert {one["today"]["works"] for one in advice["routes"]} == {"unproven"}
    shown = diagnosis.explain(DEMO, whole(*direct(), *off), [piece])  # it was there when it sent that scan
    assert chain_of(shown, SIGNING.key)["broken_at"] is None


def test_a_rule_for_its_own_address_leaves_its_other_ways_unproven() -> None:
    failures = ("Scanner: Sending: Connection Failed with Remote Machine",)
    piece = seen_from("own_log", OwnLog(user="admin", failed=failures, ends_in_failure=True), SIGNING.key)
    said = [case(name, SIGNING.key) for name in ("DEV-3", "DEV-4", "DEV-13")]
    said += [case("LOG-2", SIGNING.key, "advice", "advice", evidence=[piece.id])]
    unseen = [case(name, SIGNING.key, "unproven") for name in ("DLV-2", "COV-2")]
    found = diagnosis.explain(DEMO, whole(*direct(), *said, *unseen), [piece])
    works = {name: route(found, SIGNING.key, name)["today"] for name in ("smtp-auth", "direct-send")}
    assert {name: it["works"] for name, it in works.items()} == {"smtp-auth": "no", "direct-send": "unproven"}
    assert "for it alone" in works["direct-send"]["why"]
    chain = chain_of(found, SIGNING.key)
    assert next(it for it in chain["chain"] if it["link"] == "egress")["shown_by"] == "its own log"
    assert found.causes[0].stops == [SIGNING.key]


RECORD = Lookup(name="_dmarc", type="TXT", resolver="here", status="answered", values=("v=DMARC1; p=quarantine",))
RELAY_DENIED = Submission(
    token="", message_id="", stage="rcpt", reply=Reply(code=550, text="5.7.64 TenantAttribution; Relay Access Denied")
)


@pytest.mark.parametrize(
    ("shown", "policy", "verdict"),
    [
        ("passed", "quarantine", "at risk"),
        ("passed", "reject", "at risk"),
        ("unproven", "quarantine", "not proven"),
        ("unproven", "reject", "broken"),
    ],
)
def test_spf_threatens_what_arrives_and_stops_what_dmarc_rejects(shown: Verdict, policy: str, verdict: str) -> None:
    copier = next(copier for copier in DEMO.copiers if copier.route == "direct-send")
    subnet = next(it for it in DEMO.subnets if it.prefix == copier.subnet)
    domain, path = DEMO.file.mail.domain, f"{copier.subnet}++{ENDPOINT}"
    own = [case(name, copier.key) for name in ("INV-1", "INV-2", "NET-4", "DEV-1", "DEV-2", "LOG-3")]
    own += [case(name, copier.key, shown) for name in ("DLV-2", "COV-2")]
    net = [case("EGR-2", path), case("EGR-3", path), case("EGR-4", copier.subnet), case("TEN-8", domain)]
    piece = seen_from("alignment", Alignment(policy=policy, record=RECORD, spf=()), domain)
    mail = [case("DNS-2", f"{domain}++{subnet.public_address}", "failed", evidence=[piece.id])]
    mail += [case("DNS-4", domain, "failed", "advice", evidence=[piece.id])]
    mail += [case("SMTP-2", f"{copier.sender}++direct-send")]
    found = diagnosis.explain(DEMO, [*own, *net, *mail], [piece])
    chain, cause = chain_of(found, copier.key), found.causes[0]
    assert (cause.kind, chain["verdict"]) == ("dmarc" if policy == "reject" else "spf", verdict)
    assert copier.key in (cause.stops if verdict == "broken" else cause.threatens)
    assert chain["broken_at"] == ("accepted" if verdict == "broken" else None)
    if verdict != "broken":
        assert chain["risk_at"] == "accepted"
        assert f"(the domain's DMARC policy is {policy})" in chain["risk"]


def test_what_a_machine_is_refused_for_its_address_says_nothing_of_another_address() -> None:
    """Relaying is denied to the machine's own subnet; the copiers that relay leave by another address."""
    relayed = RELAYING.subnet
    sending = f"{RELAYING.sender}++relay"
    denied = case("SMTP-2", sending, "failed", vantage="here")
    denied_there = case("SMTP-2", sending, "failed", vantage="there")
    looks = [case("EGR-2", f"{SIGNING.subnet}++{ENDPOINT}", grade="same-subnet", vantage="here")]
    looks += [case("EGR-2", f"{relayed}++{ENDPOINT}", grade="same-subnet", vantage="there")]
    piece = seen_from("first_submission", RELAY_DENIED)
    for failed, broken in ((denied, None), (denied_there, "accepted")):
        failed.evidence = [piece.id]
        found = diagnosis.explain(DEMO, [failed, *looks], [piece])
        assert [cause.kind for cause in found.causes] == ["relay-connector"]
        assert chain_of(found, RELAYING.key)["broken_at"] == broken


def test_a_waiver_does_not_spread_to_copiers_that_its_root_does_not_touch() -> None:
    """Port 587 is closed to one subnet, and waived there; the suite's mails from there are waived through it."""
    other = next(it for it in DEMO.copiers if it.route == "smtp-auth" and it.subnet != SIGNING.subnet)
    closed = case("EGR-1", f"{other.subnet}++{HOST}", "waived", waiver="the rule is on its way (A. Manager)")
    through: dict[str, Any] = {"blocked_by": ["EGR-1"], "waiver": "through the waiver of EGR-1"}
    keys = (("SMTP-1", BASIC), ("SMTP-2", f"{BASIC}++smtp-auth"))
    unsent = [case(name, key, "waived", **through) for name, key in keys]
    found = explained(*whole(*unsent), closed)
    assert chain_of(found, SIGNING.key)["verdict"] == "works"
    assert links(chain_of(found, other.key))["egress"] == "waived"
    assert links(chain_of(found, other.key))["sign-in"] == "waived"
    assert route(found, SIGNING.key, "smtp-auth")["today"]["works"] == "yes"


def test_an_encrypted_route_is_not_left_for_a_setting_that_a_command_mends() -> None:
    off = [case("TEN-3", BASIC, "failed"), case("SMTP-1", BASIC, "blocked", blocked_by=["TEN-3"])]
    found = explained(*whole(*direct(), *off))
    advice = next(one for one in found.routes if one["name"] == SIGNING.key)
    assert next(one for one in advice["routes"] if one["route"] == "direct-send")["today"]["works"] == "yes"
    assert advice["advice"] == "smtp-auth"
    assert advice["why"].startswith("once this is settled: ")


def test_advice_to_a_route_by_port_25_says_what_it_loses() -> None:
    blocked = case("EGR-1", f"{SIGNING.subnet}++{HOST}", "failed")
    advice = next(one for one in explained(*whole(*direct(), blocked)).routes if one["name"] == SIGNING.key)
    assert advice["advice"] == "direct-send"
    assert "may cross unencrypted" in advice["why"]
    assert "recipients of this tenant alone" in advice["why"]


def test_a_password_that_still_works_breaks_nothing_yet() -> None:
    ends = PasswordExpiry(source="Graph", never=False, changed=DEMO.now - timedelta(days=70), validity=90)
    piece = seen_from("password_expiry", ends, BASIC)
    found = diagnosis.explain(DEMO, whole(case("TEN-6", BASIC, "failed", evidence=[piece.id])), [piece])
    chain = chain_of(found, SIGNING.key)
    assert [cause.kind for cause in found.causes] == ["password-expires"]
    assert (chain["verdict"], chain["risk_at"]) == ("at risk", "sign-in")
    assert "expires" in chain["risk"]


@pytest.mark.parametrize(("firmware", "works"), [("1.21.3", True), ("1.02", False), ("", False)])
def test_tls_is_shown_by_one_of_the_same_firmware_line(firmware: str, *, works: bool) -> None:
    able = next(it for it in DEMO.copiers if it.route == "smtp-auth" and it.model == RELAYING.model)
    pieces = [
        seen_from("identity", Identity(make="Ricoh", firmware=version), key)
        for key, version in ((able.key, "1.21"), (RELAYING.key, firmware))
    ]
    same = [case("INV-2", piece.subject, evidence=[piece.id]) for piece in pieces]
    found = diagnosis.explain(DEMO, [*same, case("DEV-9", able.key)], pieces)
    why = route(found, RELAYING.key, "smtp-auth")["today"]["why"]
    assert ("TLS of today" not in why) == works
