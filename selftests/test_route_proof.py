"""What another copier's scan proves of one that nobody scanned at: only where its own device shows that it is alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.devices import proof
from scanproof.devices.facts import EmailSettings, Identity, Scan
from scanproof.devices.handshake import handshake
from scanproof.devices.logs import OwnLog
from scanproof.devices.logwords import BROKE_OFF, NO_CONNECTION
from scanproof.devices.proof import RouteProof, route_proof, subnet_proof
from scanproof.devices.scans import DOUBLED, NO_SCAN, Lying
from scanproof.evidence import Door, Egress, Reply, Tls, WebPage
from scanproof.kinds import Blocked, Unproven
from scanproof.site import Service
from scanproof.subjects import NetSubject, Path
from selftests.harness import demo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.kinds import Facts, Probe

SITE = demo()
# Two of one model in the main building, and one of them in another subnet.
ASKED, KIN = (it for it in SITE.copiers if (it.model, it.subnet) == ("IM C3000", "10.20.90.0/24"))
AFAR = next(it for it in SITE.copiers if (it.model, it.subnet) == ("IM C3000", "10.20.91.0/24"))
OTHER = next(it for it in SITE.copiers if it.subnet == ASKED.subnet and it.model != ASKED.model)
SENDER = "scan@northfield.example"
AUTH = (("signed in", "AuthAs Internal"), ("signed in", "FromEntityHeader Hosted"))
RESOLVER = SITE.subnets[0].resolvers
SHOWN = "a1" * 32


def scan(**facts: Any) -> Scan:
    told: dict[str, Any] = {"folder": "Inbox", "recipient": "it@northfield.example", "subject": "", "pages": 1}
    told |= {"received": datetime(2026, 11, 24, 9, tzinfo=UTC), "sent": None, "attributed_by": ("serial",)}
    return Scan(**{**told, "signs": AUTH, "attachment": "PDF, 1 page", **facts})


def settings(**facts: Any) -> EmailSettings:
    told: dict[str, Any] = {"host": "smtp.office365.com", "port": "587", "ssl": True, "auth": True, "user": SENDER}
    told |= {"auth_address": SENDER, "admin_address": SENDER, "pop_before_smtp": False}
    return EmailSettings(**{"source": "its e-mail page", **told, **facts})


def device(**facts: Any) -> Identity:
    told: dict[str, Any] = {"make": "Ricoh", "model": ASKED.model, "serial": ASKED.serial, "firmware": "1.21"}
    return Identity(**{**told, "name_servers": RESOLVER, "certificate": SHOWN, **facts})


class Told:
    """A run whose evidence is what a row says; all that it does not say is unproven."""

    def __init__(
        self,
        evidence: Mapping[tuple[str, str], Facts | Exception],
        unread: Mapping[str, Unproven | Blocked] | None = None,
    ) -> None:
        self.site, self.evidence, self._unread = SITE, evidence, dict(unread or {})

    async def once(self, name: str, make: object) -> Lying:
        del make
        assert name == "scans"
        return Lying([], [], self._unread, {})

    async def gather(self, probe: Probe[Any, Any], subject: Any) -> Any:
        found = self.evidence.get((probe.kind, subject.key), Unproven(f"no {probe.kind} of {subject.key}"))
        if isinstance(found, Exception):
            raise found
        return found


def told(more: Mapping[tuple[str, str], Facts | Exception] | None = None) -> Any:
    """Return a run in which one copier is set as it should be, and another of its kind has sent a scan."""
    good: dict[tuple[str, str], Facts | Exception] = {
        ("email_settings", ASKED.key): settings(),
        ("identity", ASKED.key): device(),
        ("identity", KIN.key): device(serial=KIN.serial, firmware="1.21.3"),
        ("scan", KIN.key): scan(),
    }
    return Told({**good, **(more or {})})


async def prove(more: Mapping[tuple[str, str], Facts | Exception] | None = None) -> RouteProof:
    return await route_proof.function(ASKED, told(more))


async def test_a_scan_of_its_kind_and_its_own_settings_prove_it() -> None:
    found = await prove()
    assert (found.wrong, found.grade) == ("", "from-copier")
    assert KIN.label in found.by


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        (device(serial="3089R219999"), "INV-2"),
        (device(model="IM C4500"), "INV-2"),
        (device(make="HP"), "INV-2"),
        (device(known_certificate="b2" * 32), "INV-2"),  # whoever answers there now
        (device(name_servers=("10.20.10.25",)), "DEV-13"),
        (device(name_servers=("9.9.9.9",)), "DEV-13"),
        (device(gateway="10.20.10.25"), "DEV-13"),
        (settings(host="mail.northfield.example"), "DEV-2"),
        (settings(port="25"), "DEV-3"),
        (settings(ssl=False), "DEV-3"),
        (settings(auth=False), "DEV-4"),
        (settings(user="old@northfield.example"), "DEV-4"),
        (settings(admin_address="old@elsewhere.example"), "DEV-5"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_is_wrong_with_its_own_device_blocks_it(facts: Facts, by: str) -> None:
    kind = "identity" if isinstance(facts, Identity) else "email_settings"
    with pytest.raises(Blocked) as blocked:
        await prove({(kind, ASKED.key): facts})
    assert blocked.value.by == by


@pytest.mark.parametrize(
    ("kind", "facts", "says"),
    [
        ("email_settings", Unproven("no password for admin of X was supplied"), "no password"),
        ("identity", Unproven("not asked"), "not asked"),
        ("email_settings", settings(host=None), "shows no host"),
        ("email_settings", settings(port=None), "shows no port"),
        ("email_settings", settings(auth=None), "shows no auth"),
        ("email_settings", settings(ssl=None), "shows no ssl"),
        ("email_settings", settings(user=None), "shows no user"),
        ("email_settings", settings(admin_address=None), "shows no admin address"),
        ("email_settings", settings(admin_address="", auth_address=""), "no from-address is set"),
        ("identity", device(serial=""), "the listed device is not known"),
        ("identity", device(certificate="", known_certificate=SHOWN), "shows no certificate"),
        ("identity", device(name_servers=()), "resolves names is not known"),
        ("identity", device(firmware=""), "nor from one of its model and firmware line"),
        ("identity", device(firmware="1.30"), "nor from one of its model and firmware line"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_its_own_device_does_not_tell_leaves_it_unproven(
    kind: str, facts: Facts | Exception, says: str
) -> None:
    with pytest.raises(Unproven, match=says) as unproven:
        await prove({(kind, ASKED.key): facts})
    assert unproven.value.remedy or not isinstance(facts, Identity | EmailSettings)


async def test_settings_that_the_device_refused_to_show_block_it() -> None:
    """The evidence that stands for the login is what is missing: it names that."""
    with pytest.raises(Blocked) as blocked:
        await prove({("email_settings", ASKED.key): Blocked("DEV-1", "it refused admin")})
    assert blocked.value.by == "DEV-1"


async def test_a_saved_page_proves_no_more_than_who_saved_it_says() -> None:
    found = await prove({("email_settings", ASKED.key): settings(source="saved.html", grade="attested")})
    assert found.grade == "attested"


@pytest.mark.parametrize(
    "more",
    [
        {("scan", KIN.key): scan(folder="Junk Email")},
        {("scan", KIN.key): scan(pages=0)},
        {("scan", KIN.key): scan(signs=AUTH[:1])},
        {("scan", KIN.key): scan(signs=(*AUTH, ("through a retired server", "Received names it")))},
        {("scan", KIN.key): scan(pages=0, unread="it may not be read")},
        {("scan", KIN.key): Unproven("none"), ("scan", AFAR.key): scan()},  # of its model, in another subnet
        {("scan", KIN.key): Unproven("none"), ("scan", OTHER.key): scan()},  # in its subnet, of another model
        {("identity", KIN.key): device(firmware="2.21")},
        {("identity", KIN.key): Unproven("it does not answer")},
    ],
    ids=["junk", "no page", "one sign", "detour", "not opened", "afar", "another model", "other firmware", "unknown"],
)
async def test_what_is_no_delivery_of_its_kind_proves_nothing(
    more: dict[tuple[str, str], Facts | Exception],
) -> None:
    apart = {("identity", it.key): device(serial=it.serial) for it in (AFAR, OTHER)}
    with pytest.raises(Unproven, match="no scan since the last change from it, nor from one of its model"):
        await prove({**apart, **more})


def own_log(trouble: str = "a scan that failed: Communication Failure", **facts: Any) -> OwnLog:
    return OwnLog(user="admin", ends_in_trouble=trouble, **facts)


async def test_what_its_own_log_ends_in_outweighs_another_ones_scan() -> None:
    with pytest.raises(Unproven, match="its own log ends in a scan that failed: Communication Failure"):
        await prove({("own_log", ASKED.key): own_log()})
    assert (await prove({("own_log", ASKED.key): own_log("", failed=("one, before another that went out",))})).by
    assert (await prove({("own_log", ASKED.key): own_log("", why_not="the log was cut off")})).by


async def test_a_scan_after_which_others_failed_proves_nothing() -> None:
    """Neither of its own copier nor of that one's kind or subnet: whatever was there then is there no more."""
    later = scan(failed_since="a scan that failed after that: Connection Failed")
    with pytest.raises(Unproven, match=r"in Inbox .*; its own log ends in a scan that failed after that: Connection"):
        await prove({("scan", ASKED.key): later})
    with pytest.raises(Unproven, match="no scan since the last change from it, nor from one of its model"):
        await prove({("scan", KIN.key): later})
    with pytest.raises(Unproven, match="its own log ends in"):
        await subnet_proof.function(NetSubject(SITE.subnets[0]), told({("scan", KIN.key): later}))
    both = await subnet_proof.function(
        NetSubject(SITE.subnets[0]), told({("scan", KIN.key): later, ("scan", OTHER.key): scan()})
    )
    assert len(both.proven) == 1
    # What is wrong with the scan itself is the more certain.
    assert "in Junk Email" in (await prove({("scan", ASKED.key): scan(folder="Junk Email", failed_since="x")})).wrong


async def test_a_scan_that_may_be_anothers_is_said_to_be_there() -> None:
    doubled = Unproven("“x” may as well be another copier's", "tell them apart", DOUBLED)
    with pytest.raises(Unproven, match="may as well be another") as unproven:
        await prove({("scan", ASKED.key): doubled, ("scan", KIN.key): Unproven("none")})
    assert unproven.value.lacks == DOUBLED
    assert (await prove({("scan", ASKED.key): doubled})).by


async def test_a_scan_as_another_sender_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ward = replace(ASKED, sender="ward@northfield.example")
    monkeypatch.setattr(proof, "_problems", lambda *_: [])  # its own settings are right, for that sender
    with pytest.raises(Unproven, match="that sends as ward@"):
        await route_proof.function(ward, told())
    assert (await route_proof.function(ASKED, told())).by


async def test_its_own_scan_outweighs_its_settings_and_its_kind() -> None:
    found = await prove({("scan", ASKED.key): scan(), ("email_settings", ASKED.key): Unproven("no password")})
    assert (found.by, found.wrong) == ("its own scan", "")
    found = await prove({("scan", ASKED.key): scan(folder="Junk Email")})
    assert "in Junk Email" in found.wrong
    with pytest.raises(Unproven, match="its attachment was not opened: it may not be read"):
        await prove({("scan", ASKED.key): scan(pages=0, unread="it may not be read")})


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        ({}, True),
        ({"signs": (*AUTH, ("through a retired server", "Received names it"))}, False),
        ({"folder": "Junk Email"}, False),
        ({"pages": 0}, False),
    ],
    ids=["by its route", "detour", "junk", "no page"],
)
async def test_only_a_scan_by_its_route_proves_a_subnet(facts: dict[str, Any], counts: bool) -> None:  # noqa: FBT001
    run = told({("scan", KIN.key): scan(**facts)})
    found = await subnet_proof.function(NetSubject(SITE.subnets[0]), run)
    assert bool(found.proven) == counts
    assert bool(found.wrong) != counts


REFUSED = Unproven("Graph answered 403 for it-helpdesk@northfield.example", "grant Mail.Read", "graph-permission")
LOST: dict[tuple[str, str], Facts | Exception] = {
    ("scan", KIN.key): Unproven("none", lacks=NO_SCAN),
    ("scan", ASKED.key): Unproven("none", lacks=NO_SCAN),
}


@pytest.mark.parametrize("probe", [route_proof, handshake], ids=lambda it: it.kind)
async def test_of_a_mailbox_that_was_not_read_no_lack_of_a_scan_is_told(probe: Probe[Any, Any]) -> None:
    more = {("scan", it.key): REFUSED for it in (ASKED, KIN)}
    run: Any = Told(
        {**told(more).evidence, ("https_page", ASKED.key): page("TLSv1.2")}, {"it@northfield.example": REFUSED}
    )
    with pytest.raises(Unproven, match="answered 403") as unproven:
        await probe.function(ASKED, run)
    assert (unproven.value.lacks, unproven.value.remedy) == ("graph-permission", "grant Mail.Read")


async def test_that_nobody_was_asked_to_scan_from_it_is_no_cause() -> None:
    with pytest.raises(Unproven, match="no scan since the last change") as unproven:
        await prove(LOST)
    assert (unproven.value.lacks, unproven.value.remedy.startswith("make a scan")) == ("", True)


def page(version: str) -> WebPage:
    tls = Tls(version=version, cipher="ECDHE-ECDSA-AES256-SHA")
    return WebPage(url=f"https://{ASKED.address}/", connected=True, status=200, tls=tls)


def log(word: str, *, ends_in_failure: bool = True) -> OwnLog:
    failed = (f"Scanner: Sending at 2026-11-24 09:00 to ward@northfield.example: {word} (08:00:00 UTC)",)
    return OwnLog(user="admin", failed=failed, ends_in_failure=ends_in_failure)


async def test_old_tls_of_its_own_is_not_settled_by_another_ones_scan() -> None:
    with pytest.raises(Unproven, match="its mail may know nothing newer"):
        await prove({("https_page", ASKED.key): page("TLSv1")})


def door(*, starttls: bool) -> Egress:
    banner = Reply(code=220, text="FR2P281CA0042.outlook.office365.com Microsoft ESMTP MAIL Service ready")
    tls = Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384") if starttls else None
    offered = ("STARTTLS",) if starttls else ()
    seen = Door(
        host="smtp.office365.com", port=587, reached=True, stage="quit", banner=banner, extensions=offered, tls=tls
    )
    return Egress(source="10.20.90.10", grade="same-subnet", door=seen)


@pytest.mark.parametrize(
    ("version", "word", "way", "verdict"),
    [
        ("TLSv1", BROKE_OFF, None, "failed"),  # its log and its pages say the same
        ("TLSv1", BROKE_OFF, True, "failed"),
        ("TLSv1", BROKE_OFF, False, "unproven"),  # what is on the way breaks it off for everybody
        ("TLSv1", NO_CONNECTION, None, "unproven"),
        ("TLSv1", "", None, "unproven"),  # the hint alone
        ("TLSv1.2", BROKE_OFF, None, "unproven"),
    ],
)
async def test_tls_fails_where_log_and_pages_say_so_and_nothing_on_the_way_does(
    version: str,
    word: str,
    way: bool | None,  # noqa: FBT001
    verdict: str,
) -> None:
    more: dict[tuple[str, str], Facts | Exception] = {**LOST, ("https_page", ASKED.key): page(version)}
    more |= {("own_log", ASKED.key): log(word)} if word else {}
    key = Path(SITE.subnets[0], SITE.services["smtp-auth"]).key
    more |= {} if way is None else {("egress", key): door(starttls=way)}
    found = await handshake.function(ASKED, told(more))
    assert ("failed" if found.told else "unproven", found.modern) == (verdict, False)
    assert "make a scan" in found.remedy
    assert ("a hint, and no proof" in found.seen) == (found.suspicious and not found.broke_off)


def test_the_demo_is_as_these_tests_take_it_to_be() -> None:
    assert ASKED.route == KIN.route == AFAR.route == OTHER.route == "smtp-auth"
    assert SITE.services["smtp-auth"] == Service("smtp.office365.com", 587)
