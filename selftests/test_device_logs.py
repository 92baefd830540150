"""What a copier's log is taken for: scans by e-mail, what isn't understood of it, and whether it shows this run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from scanproof.devices import logs, rules
from scanproof.devices.facts import Scan
from scanproof.devices.joblog import Access, Job, JobLog, Target


def test_an_exported_log_does_not_show_what_a_run_did() -> None:
    log = JobLog(
        complete=True,
        exported=True,
        access=(Access(id="1", kind="Login", at=datetime.fromisoformat("2026-11-24"), user="admin"),),
    )
    window = (datetime.fromisoformat("2026-11-23"), datetime.fromisoformat("2026-11-25"))
    assert "exported by hand" in logs._no_access(log, "admin", window)
    own = log.model_copy(update={"exported": False})
    assert logs._no_access(own, "Admin", window) == ""
    assert "not even the sign-in" in logs._no_access(own, "mayer", window)
    # A line that can't be read may be the change.
    for lost in ("damaged", "dropped"):
        assert "one may be a change" in logs._no_access(own.model_copy(update={lost: 1}), "Admin", window)


def test_a_log_that_does_not_reach_back_says_nothing_of_before() -> None:
    log = JobLog(complete=True, lost_before="0x1f4", first=NEVER + timedelta(days=4))
    assert "were overwritten" in logs._unclear(log, [], NEVER)
    assert logs._unclear(log, [], NEVER + timedelta(days=5)) == ""


def test_firmware_lines() -> None:
    assert rules.same_line("2.0", "2.0.1")
    assert rules.same_line("1.21", "1.21.4")
    assert not rules.same_line("1.21", "1.22")
    assert not rules.same_line("", "")


def own(*jobs: Job, matches: bool | None = None) -> logs.OwnLog:
    """Return what a log with these jobs is taken for."""
    log = JobLog(complete=True, jobs=jobs)
    told = {name: tuple(logs._said(job) for job in jobs if job.outcome == name) for name in KEPT}
    return logs.OwnLog(user="admin", **told, unclear=logs._unclear(log, list(jobs), NEVER), matches_mail=matches)


NEVER = datetime.min  # noqa: DTZ901 - a log has no zone
KEPT = ("sent", "failed", "cancelled", "elsewhere")
ANN, FOLDER = Target(address="ann@a.example", result="Succeeded"), Target(address="//files/scans", result="Failed")


def job(*targets: Target, kind: str = "Scanner: Sending", at: datetime | None = datetime.min, **more: str) -> Job:  # noqa: DTZ901
    return Job(id="1", kind=kind, ended=at, **{"result": "Succeeded", **more}, targets=targets)


def test_a_log_in_words() -> None:
    found = own(job(ANN), job(FOLDER, result="Failed"), job(result="Failed", details="User Cancel"))
    assert found.seen == (
        "0 lines: 1 scans sent by e-mail, the newest Scanner: Sending at 0001-01-01 00:00:00 to ann@a.example; "
        "0 failed; 1 cancelled (Scanner: Sending at 0001-01-01 00:00:00: User Cancel); "
        "1 that were no e-mail (Scanner: Sending at 0001-01-01 00:00:00 to //files/scans: failed)"
    )
    assert found.unclear == ""
    assert found.shows_scans


@pytest.mark.parametrize(
    ("puzzling", "said"),
    [
        (job(ANN, kind="Scanner : Sending"), "the log type “Scanner : Sending” is not known here"),
        (job(ANN, result="Erfolgreich"), "“Erfolgreich” is not known here"),
        (job(Target(kind="Send", name="Ann", result="Succeeded")), "an e-mail (target “Send”, destination “Ann”)"),
        (job(), "nothing tells whether it was an e-mail (it has no target)"),
        (job(ANN).model_copy(update={"dropped": 2}), "2 lines of it were left out"),
    ],
)
def test_what_is_not_understood_is_named_and_proves_nothing(puzzling: Job, said: str) -> None:
    found = own(puzzling)
    assert said in found.unclear
    assert (found.sent, found.failed) == ((), ())
    assert not found.shows_scans
    assert not own(puzzling, matches=False).shows_scans  # it could be that mail's
    assert own(job(ANN), puzzling, matches=True).shows_scans
    assert "7 more jobs are not understood" in own(*[puzzling] * 10).unclear


def test_a_job_without_a_time_may_have_failed() -> None:
    assert own(job(ANN, result="Failed", at=None), job(FOLDER, at=None)).unclear == (
        "1 scan jobs have no time that can be read"
    )


MOMENT = datetime(2026, 11, 24, 9, tzinfo=UTC)
ZONE = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("minutes", "to", "facts", "matches"),
    [
        (0, "it@a.example", {}, True),
        (4, "it@a.example", {}, True),
        (-4, "it@a.example", {}, True),
        (-10, "it@a.example", {}, False),
        (10, "it@a.example", {}, False),
        (0, "ann@a.example", {}, False),  # somebody else's
        (0, "ann@a.example; IT@a.example", {}, True),
        (0, "scans@a.example", {"addressed": ("scans@a.example",)}, True),  # a list, or another name of the mailbox
        (0, "", {}, True),  # the log gives no address
        # Its own Date is by the same clock, however wrong; without one, it may have been under way.
        (4, "it@a.example", {"sent": (MOMENT + timedelta(minutes=4)).astimezone(ZONE)}, True),
        (-10, "it@a.example", {"sent": None}, True),
        (4, "it@a.example", {"sent": None}, True),
        (10, "it@a.example", {"sent": None}, False),
    ],
)
def test_which_job_is_a_mails(minutes: int, to: str, facts: dict[str, Any], matches: bool) -> None:  # noqa: FBT001
    told: dict[str, Any] = {"folder": "Inbox", "recipient": "it@a.example", "subject": "", "attributed_by": ()}
    told |= {"signs": (), "received": MOMENT, "sent": MOMENT.astimezone(ZONE)}
    target = Target(kind="E-mail", address=to, name="IT", result="Succeeded")
    at = MOMENT.astimezone(ZONE).replace(tzinfo=None) + timedelta(minutes=minutes)
    sent = job(target, at=at)
    assert sent.sent
    assert logs._matches([sent], Scan(**{**told, **facts}), timedelta(hours=1)) == matches
