"""What is to be done says it with values, and asks for no more than what is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scanproof import ages, remedies, site
from scanproof.devices.facts import Identity
from scanproof.diagnosis import explain
from scanproof.evidence import Arrival, Door, Egress, Lookup, MailRecords, Reply, SeenAddress, Submission
from scanproof.kinds import Evidence
from scanproof.subjects import Domain, NetSubject, Path
from selftests import suite
from selftests.test_diagnosis import case

DEMO = site.load(suite.ROOT / "inventory/demo")
SUBNET, OTHER = DEMO.subnets[0], DEMO.subnets[1]
SERVICE = DEMO.services["smtp-auth"]
AT = datetime(2026, 11, 24, 15, 38, 7, tzinfo=UTC)


def door(**seen: object) -> Door:
    tried = {"host": SERVICE.host, "port": SERVICE.port, "stage": "ehlo", "at": AT, "reached": True}
    return Door.model_validate(tried | {"local": "10.20.90.10:37144", "peer": "198.51.100.25:587"} | seen)


def test_inspection_is_told_as_a_firewall_s_log_has_it() -> None:
    stars = Reply(code=220, text="****************")
    seen = Egress(source="10.20.90.10", grade="same-subnet", door=door(banner=stars))
    said = remedies.inspection(seen, Path(SUBNET, SERVICE))
    for words in (
        "exempt 10.20.90.0/24 to smtp.office365.com:587",
        "the banner is not the service's own; STARTTLS is not offered",
        "10.20.90.10:37144 to 198.51.100.25:587 at 2026-11-24 15:38:07 UTC",
    ):
        assert words in said
    far = seen.model_copy(update={"via": "surgery-pc", "door": door(local="")})
    assert "10.20.90.10 (its port is not told over SSH" in remedies.inspection(far, Path(SUBNET, SERVICE))


def test_another_public_address_names_both_and_the_subnet() -> None:
    seen = SeenAddress(address="203.0.113.177", by="smtp.office365.com:587", source="10.20.90.10", grade="same-subnet")
    said = remedies.translated(seen, NetSubject(SUBNET))
    assert "translates 10.20.90.0/24 to 203.0.113.177 and not to 203.0.113.10" in said
    piece: Evidence[Any] = Evidence("seen_address", SUBNET.prefix, "", "here", DEMO.now, 0, "observed", seen)
    away = case("EGR-5", SUBNET.prefix, "advice", "advice", evidence=[piece.id], remedy=said)
    behind = case("TEN-14", "a@b.example", "unproven", observed="seen from one which the site does not state")
    found = explain(DEMO, [away, behind], [piece])
    (cause,) = found.causes
    assert cause.title.endswith("than the stated one: 203.0.113.177, not 203.0.113.10, from 10.20.90.0/24")
    assert cause.remedy == said
    assert behind.cause == cause.id


def look(resolver: str, value: str, name: str = "northfield.example", kind: str = "MX") -> Lookup:
    return Lookup(name=name, type=kind, resolver=resolver, status="answered", values=(value,))


def test_an_inside_record_is_corrected_rather_than_its_zone_removed() -> None:
    none = look("x", "y")
    inside, outside = (
        MailRecords(mx=it, txt=none, dmarc=none)
        for it in (look("10.20.10.53", "10 mail.northfield.example"), look("198.51.100.53", "0 tenant.example"))
    )
    said = remedies.inside_zone(Domain("northfield.example"), inside, outside)
    assert said.startswith(
        "on 10.20.10.53, change the MX of northfield.example from 10 mail.northfield.example to 0 tenant.example"
    )
    assert "rather than delete the internal zone" in said
    retired = remedies.look_up(look("10.20.10.53", "10.20.10.25", SERVICE.host, "A"))
    assert f"{SERVICE.host} A leads to 10.20.10.25 by 10.20.10.53" in retired


@pytest.mark.parametrize(
    ("servers", "gateway", "told"),
    [
        (("10.20.10.25",), "10.20.90.1", "set DNS servers to 10.20.10.53 (Configuration"),
        (("10.20.10.53",), "10.20.10.25", "set its gateway, 10.20.10.25, to its subnet's router (Configuration"),
        (("9.9.9.9",), "10.20.10.25", "set DNS servers to 10.20.10.53 and its gateway"),
    ],
)
def test_what_is_right_at_a_copier_stays(servers: tuple[str, ...], gateway: str, told: str) -> None:
    seen = Identity(make="Ricoh", name_servers=servers, gateway=gateway)
    assert told in remedies.names(seen, DEMO.copiers[0], DEMO)


def test_a_way_that_no_mail_takes_is_asked_for_by_nobody() -> None:
    ask = {"remedy": "let it out", "observed": "timed out"}
    unused = case("EGR-3", f"{OTHER.prefix}++{SERVICE.host}", "advice", "advice", **ask)
    used = case("EGR-3", f"{SUBNET.prefix}++{SERVICE.host}", "failed", **ask)
    needed, free = explain(DEMO, [unused, used], []).causes
    assert needed.remedy == "let it out"
    assert free.remedy.startswith("not needed today, since no copier or application there sends that way; only if")
    assert (used.cause, unused.cause) == (needed.id, free.id)


def test_a_setting_s_own_remedy_is_told_rather_than_that_of_the_reply_to_it() -> None:
    """Both are of one cause, and the reply comes first."""
    said = Reply(code=550, text="5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization")
    seen = Submission(token="x", message_id="<x@y>", stage="data", reply=said)
    sending = f"{DEMO.file.sender[0].address}++direct-send"
    piece: Evidence[Any] = Evidence("submission", sending, "", "here", DEMO.now, 0, "observed", seen)
    refused = case("SMTP-2", sending, "failed", evidence=[piece.id], remedy="add a connector")
    setting = case("TEN-8", DEMO.file.mail.domain, "failed", remedy="New-InboundConnector …")
    (cause,) = explain(DEMO, [refused, setting], [piece]).causes
    assert {case.id for case in cause.explains} == {refused.id, setting.id}
    assert cause.remedy.startswith("New-InboundConnector …")


def test_an_arrival_in_quarantine_claims_nothing_of_headers() -> None:
    assert Arrival(folder="Quarantine", seconds=20.1).seen == (
        "in Quarantine, 20.1 s after the service had accepted it; its headers can't be read there"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (119, "119 s"), (301, "5 minutes"), (7_200, "2 hours"), (31_536_000, "365 days")],
)
def test_spans_are_told_in_a_person_s_unit(seconds: float, told: str) -> None:
    assert ages.span(seconds) == told
