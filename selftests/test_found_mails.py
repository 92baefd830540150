"""Which of the mails in the test mailboxes is a copier's scan or an application's report: the newest decides."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.applications import reports
from scanproof.devices import scans
from scanproof.devices.proof import wrong_with
from scanproof.kinds import Unproven
from scanproof.routes import agree
from scanproof.tenant import graph, mails
from scanproof.tenant.mails import Listed
from selftests.harness import demo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

COPIER, APPLICATION = demo().copiers[0], demo().applications[0]
ONE, TWO = (it.address for it in demo().recipients)
NOW = datetime.now(UTC)
SCANS, REPORTS = "scan@northfield.example", "reports@northfield.example"


class Asking:
    """A run whose mailboxes hold what a row says; None: it can't be read."""

    def __init__(self, **boxes: list[Listed] | None) -> None:
        self.site, self.codes, self.since = demo(), {"SPK7Q4": COPIER.key}, None
        self._boxes = {ONE: boxes.get("one", []), TWO: boxes.get("two", [])}

    def planned(self, *_: str) -> bool:
        return False

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
