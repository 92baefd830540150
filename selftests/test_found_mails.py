"""Which of the mails in the test mailboxes is a copier's scan or an application's report: the newest decides."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.applications import reports
from scanproof.devices import scans
from scanproof.devices.facts import Identity
from scanproof.devices.joblog import Job, JobLog, Target
from scanproof.devices.proof import wrong_with
from scanproof.kinds import Unproven
from scanproof.routes import agree
from scanproof.tenant import graph, mails
from scanproof.tenant.mails import Listed
from selftests.harness import demo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.site import Copier

COPIER, APPLICATION = demo().copiers[0], demo().applications[0]
ONE, TWO = (it.address for it in demo().recipients)
NOW = datetime.now(UTC)
SCANS, REPORTS = "scan@northfield.example", "reports@northfield.example"


class Asking:
    """A run whose mailboxes hold what a row says; None: it can't be read."""

    def __init__(self, **boxes: list[Listed] | None) -> None:
        self.site, self.codes, self.since = demo(), {"SPK7Q4": COPIER.key}, None
        self._boxes = {ONE: boxes.get("one", []), TWO: boxes.get("two", [])}
        self.needs: list[str] = []

    def planned(self, *_: str) -> bool:
        return False

    async def gather(self, probe: Any, _: Any) -> Any:
        raise Unproven(f"no {probe.kind} was asked for")

    async def once(self, key: str, make: Callable[[], Awaitable[Any]]) -> Any:
        if not key.startswith("mails "):
            return await make()
        if (box := self._boxes[key.removeprefix("mails ")]) is None:
            raise Unproven("it may not be read")
        return box


def mail(
    minutes: int, folder: str = "Inbox", *, subject: str = "", by: str = SCANS, attached: bool = True, to: str = ONE
) -> Listed:
    """Return a mail of so many minutes ago; by its subject this copier's where none is given."""
    message = {
        "subject": subject or f'Message from "{COPIER.host_name}"',
        "from": {"emailAddress": {"address": by, "name": ""}},
        "hasAttachments": attached,
        "internetMessageId": f"<{minutes}@copier>",
    }
    return Listed(to, message, folder, NOW - timedelta(minutes=minutes))


def report(minutes: int, folder: str = "Inbox", *, to: str = ONE) -> Listed:
    return mail(minutes, folder, subject=f"{APPLICATION.subject} 7", by=REPORTS, attached=False, to=to)


@pytest.fixture(autouse=True)
def _attachments(monkeypatch: pytest.MonkeyPatch) -> None:
    async def opened(found: scans.Found, _: Any) -> tuple[str, int, str]:
        return ("PDF", 1, "") if found.attached else ("", 0, "it has no attachment")

    monkeypatch.setattr(scans, "_attachment", opened)


SEEN: dict[str, tuple[dict[str, list[Listed] | None], tuple[str, int]]] = {  # mailboxes: folder, minutes ago
    "one": ({"one": [mail(5)]}, ("Inbox", 5)),
    "a newer one in Junk Email": ({"one": [mail(5), mail(2, "Junk Email")]}, ("Junk Email", 2)),
    "a newer one in the Inbox": ({"one": [mail(2), mail(5, "Junk Email")]}, ("Inbox", 2)),
    "a newer one in another mailbox": ({"one": [mail(5)], "two": [mail(3, to=TWO)]}, ("Inbox", 3)),
    "one mailbox that can't be read": ({"one": None, "two": [mail(3, to=TWO)]}, ("Inbox", 3)),
    "an older note of its own": ({"one": [mail(2), mail(5, attached=False)]}, ("Inbox", 2)),
    "without an attachment": ({"one": [mail(2, attached=False)]}, ("Inbox", 2)),
    "somebody's newer question": ({"one": [mail(5), mail(2, by="m.mayer@northfield.example")]}, ("Inbox", 5)),
    "somebody's answer": ({"one": [mail(5), mail(2, subject=f"AW: {COPIER.host_name}")]}, ("Inbox", 5)),
    "by its code, from anybody": ({"one": [mail(2, subject="SPK7Q4", by="x@northfield.example")]}, ("Inbox", 2)),
}


@pytest.mark.parametrize(("boxes", "seen"), SEEN.values(), ids=SEEN)
async def test_scan(boxes: dict[str, list[Listed] | None], seen: tuple[str, int]) -> None:
    run: Any = Asking(**boxes)
    found = await scans.scan.function(COPIER, run)
    assert (found.folder, found.message_id) == (seen[0], f"<{seen[1]}@copier>")
    assert found.folder in found.seen
    assert "no header of it tells its route" in found.seen


class Logging(Asking):
    """A run in which the copier's own log may be asked for, and what devices say of themselves."""

    def __init__(self, told: dict[tuple[str, str], Any], **boxes: list[Listed] | None) -> None:
        super().__init__(**boxes)
        self._told = {("identity", COPIER.key): Identity(make="Ricoh", clock=0.0)} | told

    def planned(self, *_: str) -> bool:
        return True

    async def gather(self, probe: Any, subject: Any) -> Any:
        return self._told.get((probe.kind, subject.key)) or await super().gather(probe, subject)


def job(minutes: float, *, done: bool = False, ahead: float = 0, to: str = ONE) -> Job:
    """Return a job of so many minutes ago, by a clock that is so many minutes ahead."""
    stated = demo().file.site
    zone = (stated.last_change or stated.cutover or NOW).utcoffset() or timedelta()
    at = NOW.replace(tzinfo=None) + zone + timedelta(minutes=ahead - minutes)
    result = "Succeeded" if done else "Failed"
    why = "" if done else "Communication Failure"
    target = Target(kind="Send", address=to, result=result, details=why)
    return Job(id="1", kind="Scanner: Sending", ended=at, result=result, targets=(target,))


def after(*jobs: Job, clock: float = 0.0, **log: Any) -> dict[tuple[str, str], Any]:
    device = Identity(make="Ricoh", clock=clock)
    told = JobLog(**{"complete": True, "jobs": jobs, **log})
    return {("device_log", COPIER.key): told, ("identity", COPIER.key): device}


SINCE: dict[str, tuple[dict[tuple[str, str], Any], bool]] = {  # after a scan of ten minutes ago
    "one that failed since": (after(job(10, done=True), job(2)), True),
    "one that failed a moment ago": (after(job(0)), True),
    "one that failed before": (after(job(30)), False),
    "one that failed before, and it is not in the log": (after(job(11)), False),
    "one that failed since, and one that went out": (after(job(5), job(2, done=True)), False),
    "one that failed since, behind by a wrong clock": (after(job(2, ahead=-120), clock=-7200.0), True),
    "one that failed before, and a wrong clock": (after(job(30, ahead=120), clock=7200.0), False),
    "one that is yet to come": (after(job(-30)), False),
    "one that failed in half a minute, by its clock": (after(job(-0.5)), True),
    "a clock that nobody can place": (after(job(2), clock=-4e7), False),
    "a log that was cut off": (after(job(2), complete=False), False),
    "dates that mean two days": (after(job(2), ambiguous_dates=True), False),
    "no log": ({}, False),
    "a folder": (after(job(2, to="//files/scans")), False),
}


@pytest.mark.parametrize(("told", "fails"), SINCE.values(), ids=SINCE)
async def test_what_its_own_log_ends_in(told: dict[tuple[str, str], Any], fails: bool) -> None:  # noqa: FBT001
    run: Any = Logging(told, one=[mail(10)])
    found = await scans.scan.function(COPIER, run)
    assert (found.folder, found.message_id) == ("Inbox", "<10@copier>")
    assert ("ends in a scan that failed after that: Communication Failure" in found.doubted) == fails


async def test_a_date_by_a_wrong_clock_is_no_later_than_it_came() -> None:
    """A clock that was ahead when the scan was made, and is right by now, hides nothing that came later."""
    stated = demo().file.site
    ahead = NOW.astimezone((stated.last_change or stated.cutover or NOW).tzinfo) + timedelta(days=9)
    dated = mail(10)
    dated.message["internetMessageHeaders"] = [{"name": "Date", "value": format_datetime(ahead)}]
    run: Any = Logging(after(job(2)), one=[dated])
    assert (await scans.scan.function(COPIER, run)).doubted


async def test_a_log_is_not_asked_for_where_nobody_asked_for_the_copier() -> None:
    run: Any = Logging(after(job(2)), one=[mail(10)])
    run.planned = lambda *_: False
    assert not (await scans.scan.function(COPIER, run)).doubted


OTHER = demo().copiers[1]


def titled(copier: Copier, name: str) -> dict[tuple[str, str], Any]:
    return {("identity", copier.key): Identity(make="Ricoh", clock=0.0, title=f"{name} - Web Image Monitor")}


async def test_a_mail_by_a_name_that_another_device_has_is_nobodys() -> None:
    sent = after(job(10, done=True))  # whether that got lost can't be told either
    run: Any = Logging({**sent, **titled(OTHER, COPIER.host_name.upper())}, one=[mail(10)])
    for copier in (COPIER, OTHER):
        with pytest.raises(Unproven, match=r"may as well be another copier's: .* so") as unproven:
            await scans.scan.function(copier, run)
        assert unproven.value.lacks == scans.DOUBLED
        assert "--attended" in unproven.value.remedy
    assert run.needs == []  # no scan rests on what all others call themselves
    # Where only the way that it took names its host, too.
    bare = mail(10, subject="Scan")
    bare.message["internetMessageHeaders"] = [{"name": "Received", "value": f"from {COPIER.host_name} by x"}]
    run = Logging({**sent, **titled(OTHER, COPIER.host_name)}, one=[bare])
    with pytest.raises(Unproven, match="may as well be another copier's"):
        await scans.scan.function(COPIER, run)


async def test_a_mail_by_the_name_that_only_the_device_itself_has() -> None:
    run: Any = Logging(titled(COPIER, "RNP1"), one=[mail(10, subject="Message from RNP1")])
    with pytest.raises(Unproven, match=f"is from RNP1, as it calls itself; the list calls it {COPIER.host_name}"):
        await scans.scan.function(COPIER, run)


AUTH = [{"name": f"X-MS-Exchange-{it}-AuthAs", "value": "Internal"} for it in ("Organization", "CrossTenant")]
AUTH.append({"name": "X-MS-Exchange-Organization-FromEntityHeader", "value": "Hosted"})


@pytest.mark.parametrize(
    ("hop", "by_route"),
    [
        ("from mfp-90-011 ([10.20.90.11]) by smtp.office365.com with ESMTPSA", True),
        ("from mfp-90-011 ([10.20.90.11]) by mail.northfield.example (Postfix) with ESMTP id 1", False),
        ("from MAIL.northfield.example. by smtp.office365.com", False),
        ("from old (mail.northfield.example [203.0.113.9]) by smtp.office365.com", False),
        ("from relay ([10.20.10.25]) by smtp.office365.com", False),
        ("from mfp-90-011 by relay (10.20.10.25); Tue, 24 Nov 2026 09:00:00 +0100", False),
        ("from voicemail.northfield.example by smtp.office365.com", True),
        ("from mail.northfield.example.org by smtp.office365.com", True),
        ("from relay ([110.20.10.25]) by relay ([10.20.10.250])", True),
    ],
)
async def test_a_retired_server_on_the_way_is_another_route(hop: str, by_route: bool) -> None:  # noqa: FBT001
    """Whatever the tenant's own headers say: such a scan shows nothing of the copier's way to the service."""
    found = mail(5)
    found.message["internetMessageHeaders"] = [*AUTH, {"name": "Received", "value": hop}]
    run: Any = Asking(one=[found])
    seen = await scans.scan.function(COPIER, run)
    assert agree(seen.signs, "smtp-auth") == by_route
    assert bool(wrong_with(seen, COPIER)) != by_route
    assert ("through a retired server (Received names " in seen.seen) != by_route


UNSEEN: dict[str, tuple[dict[str, list[Listed] | None], str]] = {
    "none": ({}, f"no mail of this copier since .* in {ONE}, {TWO}$"),
    "a question": (
        {"one": [mail(2, by="m.mayer@northfield.example")]},
        "no mail of this copier .* bears its host name and is from m.mayer@northfield.example, as which",
    ),
    "no mailbox": ({"one": None, "two": None}, "may not be read"),
    "a mailbox that may hold it": ({"one": None}, "may not be read"),
    "a newer note of its own": ({"one": [mail(5), mail(2, attached=False)]}, "its newest mail, .* has no attachment"),
}


@pytest.mark.parametrize(("boxes", "says"), UNSEEN.values(), ids=UNSEEN)
async def test_no_scan(boxes: dict[str, list[Listed] | None], says: str) -> None:
    run: Any = Asking(**boxes)
    with pytest.raises(Unproven, match=says):
        await scans.scan.function(COPIER, run)


REPORTED: dict[str, tuple[dict[str, list[Listed] | None], tuple[str, int]]] = {
    "one": ({"one": [report(5)]}, ("Inbox", 5)),
    "a newer one in Junk Email": ({"one": [report(5), report(2, "Junk Email")]}, ("Junk Email", 2)),
    "a newer one in the Inbox": ({"one": [report(2), report(5, "Junk Email")]}, ("Inbox", 2)),
    "a newer one in another mailbox": ({"one": [report(5)], "two": [report(3, to=TWO)]}, ("Inbox", 3)),
    "one mailbox that can't be read": ({"one": None, "two": [report(3, to=TWO)]}, ("Inbox", 3)),
    "a scan is no report": ({"one": [report(5), mail(2)]}, ("Inbox", 5)),
}


@pytest.mark.parametrize(("boxes", "seen"), REPORTED.values(), ids=REPORTED)
async def test_report(boxes: dict[str, list[Listed] | None], seen: tuple[str, int]) -> None:
    run: Any = Asking(**boxes)
    found = await reports.report.function(APPLICATION, run)
    assert (found.folder, found.message_id) == (seen[0], f"<{seen[1]}@copier>")


@pytest.mark.parametrize("boxes", [{"one": None, "two": None}, {"one": None}])
async def test_a_mailbox_that_may_hold_the_report(boxes: dict[str, list[Listed] | None]) -> None:
    run: Any = Asking(**boxes)
    with pytest.raises(Unproven, match="may not be read"):
        await reports.report.function(APPLICATION, run)


class FullBox:
    """A run whose mailbox holds so many mails, the first of them this copier's scan."""

    def __init__(self, count: int) -> None:
        first = {**mail(5).message, "receivedDateTime": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "parentFolderId": "inbox"}
        self.site, self.since, self._rows = demo(), None, [first] * count
        self.codes: dict[str, str] = {}

    def planned(self, *_: str) -> bool:
        return False

    async def once(self, key: str, make: Callable[[], Awaitable[Any]]) -> Any:
        return self if key == "graph" else await make()

    def wire(self, *_: str) -> Any:
        return nullcontext()

    async def list(self, wanted: graph.Read, _: str) -> list[dict[str, Any]]:
        return self._rows if ONE.partition("@")[0] in wanted.path else []

    async def read(self, wanted: graph.Read, _: str) -> dict[str, Any]:
        return {"id": wanted.path.rpartition("/")[2]}


@pytest.mark.parametrize("count", [0, 1, 1_000])
async def test_a_mailbox_that_is_looked_at_whole(count: int) -> None:
    run: Any = FullBox(count)
    assert len(await mails.listed(run, ONE)) == count


async def test_a_mailbox_with_more_mails_than_are_looked_at_proves_nothing() -> None:
    """Whether the copier's newest is among those that were not looked at can't be told; nor that it has none."""
    run: Any = FullBox(1_001)
    with pytest.raises(Unproven, match=f"{ONE} holds more than 1,000 mails since") as full:
        await scans.scan.function(COPIER, run)
    assert "--since" in full.value.remedy
    with pytest.raises(Unproven, match="holds more than 1,000 mails"):
        await scans.scan.function(demo().copiers[1], run)
