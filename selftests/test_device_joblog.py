"""A copier's downloaded log: what is told from it, and that no bytes make it fail or fill the memory.

No public sample holds a scan's lines: these are written after the manuals' words, not after a copier's file.
"""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scanproof import redact
from scanproof.devices import logreader
from scanproof.devices.joblog import Access, Job, JobLog, Target
from scanproof.devices.logreader import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("error")

NOW = datetime(2026, 11, 16, 8)  # noqa: DTZ001 - a copier's clock has no zone
MIN, MAX = NOW.min, NOW.max
AT = "2026/11/16 07:00:00"
TITLES = (
    "Start Date/Time,End Date/Time,Log Type,Result,Operation Method,Status ,Cancelled: Details,User Code/User Name,"
    "Host IP Address,Source,Target,Destination Name,Destination Address,Login Method,Log ID"
)
DONE = "Download completed."


def line(number: int, start: str = AT, kind: str = "", **cells: str) -> str:
    """Return a line of the log; an empty start continues an entry."""
    names = ["end", "", "result", "operation", "status", "details", "user", "host", "source", "target", "name"]
    row = [start, *(cells.get(name, "") for name in names), cells.get("address", ""), cells.get("method", "")]
    row[2] = kind
    return ",".join([*row, cells.get("id", f"0x{number:016x}")])


def scan(
    number: int, *targets: str, result: str = "Succeeded", start: str = AT, source: str = "Succeeded"
) -> list[str]:
    """Return a scan's lines, with a target of each result."""
    status = {"Succeeded": "Completed", "": "Processing"}
    return [
        line(
            number, start, "Scanner: Sending", end=start, result=result, status=status.get(result, result), user="kim"
        ),
        line(number, "", source="Scan", result=source, status=status.get(source, source)),
        *(
            line(
                number,
                "",
                target="Send",
                name="Ann",
                address="ann@a.example",
                result=each,
                status=status.get(each, each),
            )
            for each in targets
        ),
    ]


def text(*lines: str, last: str = DONE, titles: str = TITLES) -> bytes:
    return "".join(f"{each}\r\n" for each in (titles, *lines, last) if each).encode()


def told(data: bytes, *, since: datetime | None = None, most: int = logreader.MOST, piece: int = 1 << 20) -> JobLog:
    reader = Reader(since=since, now=NOW, most=most)
    for at in range(0, len(data), piece):
        reader.feed(data[at : at + piece])
    return reader.finish()


def test_a_job_with_two_targets() -> None:
    found = told(text(*scan(0x22C5, "Succeeded", "Failed")))
    sent = {"kind": "Send", "address": "ann@a.example", "name": "Ann"}
    assert found.jobs == (
        Job(
            id="0x00000000000022c5",
            kind="Scanner: Sending",
            started=datetime(2026, 11, 16, 7),  # noqa: DTZ001
            ended=datetime(2026, 11, 16, 7),  # noqa: DTZ001
            result="Succeeded",
            status="Completed",
            user="kim",
            sources=("Succeeded",),
            targets=(
                Target(**sent, result="Succeeded", status="Completed"),
                Target(**sent, result="Failed", status="Failed"),
            ),
        ),
    )
    assert (found.complete, found.rows, found.damaged, found.counts) == (True, 4, 0, {"Scanner: Sending": 1})
    assert not found.ambiguous_dates
    assert not found.off
    assert found.first == found.last == found.jobs[0].started


@pytest.mark.parametrize(
    ("result", "source", "targets", "outcome"),
    [
        ("Succeeded", "Succeeded", ["Succeeded"], "sent"),
        ("SUCCEEDED", "succeeded", ["succeeded", "Completed"], "sent"),
        ("Succeeded", "Succeeded", [], "unclear"),
        ("Failed", "Failed", [], "unclear"),
        ("Succeeded", "Succeeded", ["Succeeded", "Failed"], "failed"),
        ("Failed", "Succeeded", ["Succeeded"], "failed"),
        ("Succeeded", "Failed", ["Succeeded"], "failed"),
        ("Error", "Succeeded", ["Error"], "failed"),
        ("", "", [""], "running"),
        ("", "Succeeded", ["Failed"], "running"),
        ("Succeeded", "Succeeded", ["Succeeded", ""], "running"),
        ("Erfolgreich", "Succeeded", ["Succeeded"], "unclear"),
        ("Succeeded", "Succeeded", ["Communication Result Unknown"], "unclear"),
    ],
)
def test_outcome(result: str, source: str, targets: list[str], outcome: str) -> None:
    (job,) = told(text(*scan(1, *targets, result=result, source=source))).jobs
    assert job.outcome == outcome
    assert [job.sent, job.failed] == [outcome == each for each in ("sent", "failed")]


FOLDER = r"\\SERVER\Scans"
CANCEL = {"result": "Failed", "status": "User Cancel"}
BAD, GOOD = {"result": "Failed", "status": "Failed"}, {"result": "Succeeded", "status": "Completed"}
SMTP = {"result": "Failed", "status": "Communication Failure"}


def to(address: str, **more: str) -> dict[str, str]:
    return {"target": "Send", "address": address, **more}


@pytest.mark.parametrize(
    ("kind", "own", "targets", "outcome"),
    [
        ("Scanner: Sending", GOOD, [to("a@a.example", **GOOD)], "sent"),
        ("scanner: SENDING", GOOD, [to("a@a.example", **GOOD)], "sent"),
        ("Scanner: Sending", GOOD, [to("a@a.example;b@a.example", **GOOD)], "sent"),
        ("Scanner: Sending and Storing", GOOD, [to("a@a.example", **GOOD)], "sent"),
        ("Scanner: Stored File URL Link Sending", GOOD, [to("a@a.example", **GOOD)], "sent"),
        ("Scanner: Sending", GOOD, [{"target": "E-mail", "name": "Ann", **GOOD}], "sent"),
        # No e-mails, whatever became of them.
        ("Scanner: Sending", GOOD, [to(FOLDER, **GOOD)], "elsewhere"),
        ("Scanner: Sending", BAD, [to(FOLDER, **SMTP)], "elsewhere"),
        ("Scanner: Sending", {}, [to(FOLDER)], "elsewhere"),
        ("Scanner: Sending", GOOD, [to("ftp://a@server.example/scans", **GOOD)], "elsewhere"),
        ("Scanner: Sending", GOOD, [to(r"TREE\Volume", **GOOD)], "elsewhere"),
        ("Scanner: Sending", GOOD, [to("//server/a@b.example", **GOOD)], "elsewhere"),
        *(("Scanner: Sending", GOOD, [{"target": word, "name": "X", **GOOD}], "elsewhere")
          for word in ("SMB", "FTP", "NCP", "Scan to Folder")),
        ("Scanner: TWAIN Driver Scanning", GOOD, [], "elsewhere"),
        ("Scanner: TWAIN Driver Scanning", BAD, [], "elsewhere"),
        ("Scanner: Storing", GOOD, [], "elsewhere"),
        # To both: each target has a result of its own.
        ("Scanner: Sending", GOOD, [to(FOLDER, **GOOD), to("a@a.example", **GOOD)], "sent"),
        ("Scanner: Sending", BAD, [to(FOLDER, **SMTP), to("a@a.example", **GOOD)], "sent"),
        ("Scanner: Sending", BAD, [to(FOLDER, **GOOD), to("a@a.example", **SMTP)], "failed"),
        ("Scanner: Sending", BAD, [to(FOLDER, **GOOD), to("a@a.example", **GOOD)], "failed"),
        # Cancelled by a user, on whichever line it stands.
        ("Scanner: Sending", CANCEL, [], "cancelled"),
        ("Scanner: Sending", {**BAD, "details": "User Cancel"}, [], "cancelled"),
        ("Scanner: Sending", {**BAD, "details": "User Cancel"}, [to("a@a.example", **BAD)], "cancelled"),
        ("Scanner: Sending", BAD, [to("a@a.example", **CANCEL)], "cancelled"),
        ("Scanner: Sending", GOOD, [to("a@a.example", **GOOD), to("b@a.example", **CANCEL)], "cancelled"),
        ("Scanner: Sending", CANCEL, [to("a@a.example", **SMTP)], "failed"),
        ("Scanner: Sending", BAD, [to("a@a.example", **CANCEL), to("b@a.example", **BAD)], "failed"),
        ("Scanner: Sending", {"result": "Cancelled"}, [to("a@a.example", **GOOD)], "unclear"),
        ("Scanner: Sending", {**GOOD, "status": "User Cancel"}, [to("a@a.example", **GOOD)], "unclear"),
        # Nothing tells what it was.
        ("Scanner : Sending", GOOD, [to("a@a.example", **GOOD)], "unclear"),
        ("Scanner: Scanning", BAD, [to("a@a.example", **BAD)], "unclear"),
        ("Scanner : Sending", CANCEL, [], "unclear"),
        ("Scanner: Sending", GOOD, [to("server.a.example", **GOOD)], "unclear"),
        ("Scanner: Sending", BAD, [to("Ann", **BAD)], "unclear"),
        ("Scanner: Sending", GOOD, [{"target": "SMB", "address": "a@a.example", **GOOD}], "unclear"),
        ("Scanner: Sending", GOOD, [to(FOLDER, **GOOD), to("Ann", **GOOD)], "unclear"),
        ("Scanner: Sending", BAD, [to("a@a.example", **GOOD), to("Ann", **BAD)], "unclear"),
    ],
)  # fmt: skip
def test_what_a_job_was(kind: str, own: dict[str, str], targets: list[dict[str, str]], outcome: str) -> None:
    rows = [line(1, kind=kind, **own), line(1, "", source="Scan", **GOOD), *(line(1, "", **it) for it in targets)]
    (job,) = told(text(*rows)).jobs
    assert job.outcome == outcome


def test_a_status_can_contradict_a_result() -> None:
    for status, outcome in (("Error", "failed"), ("Processing", "running")):
        own = line(1, kind="Scanner: Sending", result="Succeeded", status=status, address="a@a.example")
        (job,) = told(text(own)).jobs
        assert job.outcome == outcome


def test_continued_by_an_empty_first_column_or_the_same_id() -> None:
    unnamed = line(0, "", target="Send", address="b@a.example", result="Failed", id="")
    same = line(1, AT, target="Send", address="c@a.example", result="Succeeded")
    found = told(text(*scan(1, "Succeeded"), unnamed, same, *scan(2, "Succeeded")))
    first, second = found.jobs
    assert [each.address for each in first.targets] == ["ann@a.example", "b@a.example", "c@a.example"]
    assert first.failed
    assert second.sent
    assert found.rows == 8


def test_a_line_of_another_entry_continues_nothing() -> None:
    lost = line(7, "", target="Send", address="b@a.example", result="Failed")
    found = told(text(*scan(1, "Succeeded"), lost, line(0, "", target="Send", result="Failed", id="")))
    assert found.jobs[0].sent
    assert found.damaged == 2


def test_the_order_of_lines_tells_where_no_column_does() -> None:
    titles = "Start Date/Time,Log Type,Result,Status,Log ID"
    rows = [f"{AT},Scanner: Sending,Succeeded,Completed,0x1", ",,Succeeded,Completed,0x1", ",,Failed,Error,0x1"]
    (job,) = told(text(*rows, titles=titles)).jobs
    assert job.sources == ("Succeeded",)
    assert job.targets == (Target(result="Failed", status="Error"),)


def test_columns_by_name_in_any_order() -> None:
    titles = '"LOG ID "," Status",Result,Extra,log type,"Start Date/Time",End Date/Time,Target,Destination Address,'
    titles += "End Date/Time"
    rows = [
        f"0x1,Completed,Succeeded,,Scanner: Sending,{AT},{AT},,,",
        "0x1,Completed,Succeeded,,,,,Send,a@a.example,2026/11/16 07:00:09",
    ]
    (job,) = told(text("A title", "", titles, *rows, titles="")).jobs
    assert job.sent
    assert job.targets[0].address == "a@a.example"
    assert job.targets[0].ended == datetime(2026, 11, 16, 7, 0, 9)  # noqa: DTZ001


def test_two_files_in_one() -> None:
    more = "Start Date/Time,Log Type,Status,Log ID"
    found = told(text(*scan(1, "Succeeded"), more, f"{AT},Login,Succeeded,0x2"))
    assert len(found.jobs) == 1
    assert [entry.kind for entry in found.access] == ["Login"]
    assert not found.damaged


@pytest.mark.parametrize(
    ("last", "complete", "lost", "damaged"),
    [
        (DONE, True, "", 0),
        (f"{DONE},,,", True, "", 0),
        (f"{DONE}" + "," * TITLES.count(","), True, "", 0),
        (f'"{DONE}"', True, "", 0),
        (f"{DONE} A part of the logs before Log ID 0x22c5 does not exist any more.", True, "0x22c5", 0),
        ("", False, "", 0),
        ("Download failed: busy", False, "", 1),
        (f"{DONE}\r\n" + scan(9, "Succeeded")[0], False, "", 0),
        (f"{DONE}\r\n\r\n", True, "", 0),
        (scan(9, "Succeeded")[0][:40], False, "", 1),
    ],
)
def test_only_the_last_line_proves_completeness(last: str, complete: bool, lost: str, damaged: int) -> None:  # noqa: FBT001
    found = told(text(*scan(1, "Succeeded"), last=last))
    assert (found.complete, found.lost_before, found.damaged) == (complete, lost, damaged)
    assert found.jobs[0].sent


def test_a_field_is_no_last_line() -> None:
    forged = line(2, "", target="Send", name=f'"x\r\n{DONE}\r\ny"', result="Failed")
    found = told(text(*scan(2), forged, last=""))
    assert not found.complete
    assert found.jobs[0].targets[0].name == f"x {DONE} y"


@pytest.mark.parametrize(
    ("data", "off", "complete"),
    [
        (text(), True, True),
        (text(last=""), False, False),
        (text(*scan(1)), False, True),
        (b"", False, False),
        (b"\xef", False, False),
        (DONE.encode(), False, False),
    ],
)
def test_nothing_collected(data: bytes, off: bool, complete: bool) -> None:  # noqa: FBT001
    found = told(data)
    assert (found.off, found.complete) == (off, complete)


# --- Encodings, line breaks, quotes ---

NAMES = "Zoë Müller"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_encodings(encoding: str, end: str, piece: int) -> None:
    whole = text(*scan(1, "Succeeded"), line(2, kind="Login", user=NAMES)).decode().replace("\r\n", end)
    data = (b"\xfe\xff" if encoding == "utf-16-be" else b"") + whole.encode(encoding)
    found = told(data, piece=piece)
    assert found.jobs[0].sent
    assert found.access[0].user == NAMES
    assert (found.complete, found.damaged) == (True, 0)


def test_an_encoding_for_each_line() -> None:
    data = text(line(1, kind="Login", user="a"), line(2, kind="Login", user="b"), line(3, kind="Login", user="c"))
    data = data.replace(b",a,", ",ü,".encode()).replace(b",b,", b",\xfc,").replace(b",c,", b",\x81\xfc,")
    assert [entry.user for entry in told(data).access] == ["ü", "ü", "\N{REPLACEMENT CHARACTER}ü"]


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_quotes(piece: int) -> None:
    users = ['"a, ""b"""', '"two\r\nlines, of ""one"""', '5" paper', 'x"y,"z', '"open']
    found = told(text(*(line(at, kind="Login", user=user) for at, user in enumerate(users, 1))), piece=piece)
    assert [entry.user for entry in found.access[:3]] == ['a, "b"', 'two lines, of "one"', '5" paper']
    assert found.counts == {"Login": 3}
    assert found.damaged == 3


def test_an_open_quote_costs_no_more_than_its_line() -> None:
    rows = [line(1, kind="Login", user='"open'), *(line(at, kind="Login", user="kim") for at in range(2, 2000))]
    found = told(text(*rows))
    assert len([entry for entry in found.access if entry.user == "kim"]) == 1998
    assert (found.complete, found.damaged) == (True, 2)


def test_a_line_that_is_too_long_is_left_out() -> None:
    for length in (logreader.LONGEST + 1, 1_000_000):
        for piece in (4096, 1 << 22):
            found = told(text(*scan(1, "Succeeded"), "x" * length, *scan(2, "Succeeded")), piece=piece)
            assert len(found.jobs) == 2
            assert found.damaged >= 1
            assert found.complete


def test_a_job_that_lost_a_line_is_not_understood() -> None:
    lost = line(1, "", target="Send", address="b@a.example", result="Failed", name="x" * logreader.LONGEST)
    found = told(text(*scan(1, "Succeeded"), lost, *scan(2, "Succeeded")))
    assert [job.outcome for job in found.jobs] == ["unclear", "sent"]
    assert found.damaged == 1


@pytest.mark.parametrize("place", ["details", "user", "id", "kind", "last line", "long line"])
@pytest.mark.parametrize("blanks", ["", "  "])
def test_no_cut_leaves_a_part_of_a_secret(place: str, blanks: str) -> None:
    secret = f"Kestrel{blanks}-Harbour-{place.replace(' ', '')}-77"
    redact.register(secret)
    before = "x" * (logreader.LONGEST - 105 if place == "long line" else logreader.TEXT - 8)
    held = {"last line": f"{before}{before}   {secret}", "long line": line(1, kind="Login", user=f"{before}{secret}")}
    where = {place: f"{before}{secret}"} if place not in held else {}
    row = line(1, **{"kind": "Login", **where}) if place in {"kind", "id", "user"} else ""
    rows = [*scan(1, "Succeeded"), line(1, "", target="Send", **where)] if place == "details" else [row]
    rows = [held[place]] if place == "long line" else rows
    found = told(text(*rows, last=held["last line"] if place == "last line" else DONE)).model_dump_json()
    assert "Kes" not in redact.scrub(found)


def test_hostile_text_is_cut_and_made_plain() -> None:
    found = told(text(line(1, kind="Login", user="\x1b[2J\0\u202ex" + "y" * 5000, host="z\ta")))
    (entry,) = found.access
    assert entry.user.startswith("\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}xy")
    assert entry.user.endswith("y… (5007 characters)")
    assert len(entry.user) == logreader.TEXT + len("… (5007 characters)")
    assert entry.host == "z a"


# --- Times ---


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026/11/05 07:08:09", (2026, 11, 5, 7, 8, 9)),
        ("2026-11-05 07:08:09", (2026, 11, 5, 7, 8, 9)),
        ("2026-11-05T07:08", (2026, 11, 5, 7, 8, 0)),
        ("05.11.2026 07:08:09", (2026, 11, 5, 7, 8, 9)),
        ("11/15/2026 07:08:09 PM", (2026, 11, 15, 19, 8, 9)),
        ("11/15/2026 12:00:00 AM", (2026, 11, 15, 0, 0, 0)),
        ("15/11/2026 12:08:09 pm", (2026, 11, 15, 12, 8, 9)),
        ("11/11/2026 07:08:09", (2026, 11, 11, 7, 8, 9)),  # both readings are the same
        ("12/11/2026 07:08:09", (2026, 11, 12, 7, 8, 9)),  # the other is in the future
        ("31/11/2026 07:08:09", None),
        ("13/13/2026 07:08:09", None),
        ("2026/11/05 25:08:09", None),
        ("11/15/2026 13:00:00 PM", None),
        ("2026/11-05 07:08:09", None),
        ("\N{ARABIC-INDIC DIGIT TWO}026-11-05 07:08:09", None),
        ("yesterday", None),
    ],
)
def test_times(start: str, expected: tuple[int, ...] | None) -> None:
    found = told(text(line(1, start, "Login")))
    assert found.access[0].at == (datetime(*expected) if expected else None)  # type: ignore[arg-type]  # noqa: DTZ001
    assert not found.ambiguous_dates
    assert found.undated == (expected is None)


def slashes(*days: str, ids: list[int] | None = None) -> JobLog:
    numbers = ids or range(1, len(days) + 1)
    return told(text(*(line(at, f"{day} 07:00:00", "Login") for at, day in zip(numbers, days, strict=True))))


@pytest.mark.parametrize(
    ("days", "first"),
    [
        (["01/02/2026", "13/02/2026"], (2026, 2, 1)),
        (["01/02/2026", "02/13/2026"], (2026, 1, 2)),
        (["30/09/2026", "01/10/2026", "02/10/2026"], (2026, 9, 30)),
        (["11/01/2026", "12/01/2026", "01/02/2026"], (2026, 1, 11)),  # the months would go back
        (["01/11/2025", "01/12/2025", "02/01/2025"], (2025, 1, 11)),  # the days would
        (["01/02/2026", "02/02/2026"], None),  # one day after the other, or one month
        (["13/02/2026", "02/13/2026"], None),  # both
        (["05/02/2026", "04/01/2026", "03/01/2026"], None),  # neither ascends
    ],
)
def test_day_or_month_first(days: list[str], first: tuple[int, int, int] | None) -> None:
    found = slashes(*days)
    assert found.ambiguous_dates == (first is None)
    assert found.first == (datetime(*first, 7) if first else None)  # noqa: DTZ001
    assert found.undated == (0 if first else len(days))
    assert len(found.access) == len(days)


def test_the_order_of_lines_is_no_evidence_without_that_of_ids() -> None:
    assert slashes("11/01/2025", "12/01/2025", "01/02/2025", ids=[3, 2, 1]).ambiguous_dates


def test_an_end_can_tell_too() -> None:
    found = told(text(line(1, "12/01/2026 23:59:59", "Scanner: Sending", end="13/01/2026 00:00:01", result="Failed")))
    assert found.jobs[0].started == datetime(2026, 1, 12, 23, 59, 59)  # noqa: DTZ001


def test_since() -> None:
    starts = [f"2026/11/{day:02} 07:00:00" for day in range(1, 16)]
    rows = [each for at, start in enumerate(starts, 1) for each in (*scan(at, "Failed", start=start),)]
    rows += [line(99, "no time", "Scanner: Sending", result="Failed"), line(100, starts[0], "Login")]
    found = told(text(*rows), since=datetime(2026, 11, 12, 7, tzinfo=UTC))
    assert [job.started.day if job.started else None for job in found.jobs] == [12, 13, 14, 15, None]
    assert found.access == ()
    assert found.counts == {"Scanner: Sending": 16, "Login": 1}
    assert found.undated == 1
    assert [job.id[-1] for job in found.failures(datetime(2026, 11, 14))] == ["e", "f"]  # noqa: DTZ001
    assert found.first == datetime(2026, 11, 1, 7)  # noqa: DTZ001


# --- Access ---


def test_access_entry() -> None:
    rows = [
        line(1, kind="Login", result="Failed", status="Password Mismatch", user="admin", host="192.0.2.7", method="Web")
    ]
    assert told(text(*rows)).access == (
        Access(
            id="0x0000000000000001",
            kind="Login",
            at=datetime(2026, 11, 16, 7),  # noqa: DTZ001
            status="Password Mismatch",
            user="admin",
            host="192.0.2.7",
            method="Web",
        ),
    )


def test_an_access_entry_on_two_lines() -> None:
    (entry,) = told(text(line(1, kind="Login"), line(1, "", status="Succeeded", user="admin"))).access
    assert (entry.status, entry.user) == ("Succeeded", "admin")


READS = ["Login", "logout", "Lockout", "Access Violation", "Firmware: Structure", "Download Logs"]
WRITES = ["Machine Configuration", "Address Book Change", "Firmware: Update", "Password Change", "Never Seen: Before"]
JOBS = ["Printer: Printing", "Copier: Copying", "Fax: Receiving", "Document Server: Storing", "Report Printing"]
NOISE = ["Collect Encrypted Communication Logs"]


@pytest.mark.parametrize("kind", READS + WRITES + JOBS + NOISE)
def test_what_is_a_write(kind: str) -> None:
    found = told(text(line(1, kind=kind, user="admin")))
    assert bool(found.access) == (kind not in JOBS + NOISE)
    assert [entry.kind for entry in found.writes("Admin", (NOW - timedelta(days=1), NOW))] == [kind] * (kind in WRITES)
    assert found.counts == {kind: 1}


def test_a_job_of_an_unknown_type_is_no_write() -> None:
    found = told(text(line(1, kind="Whiteboard: Sending"), line(1, "", source="Scan", result="Succeeded")))
    assert not found.access
    assert [job.outcome for job in found.jobs] == ["unclear"]


def test_writes_of_a_user_between_login_and_logout() -> None:
    def entry(number: int, start: str, user: str) -> str:
        return line(number, f"2026/11/16 {start}", "Machine Configuration", user=user)

    rows = [
        entry(1, "06:59:59", "admin"),
        entry(2, "07:00:00", "admin"),
        entry(3, "07:00:01", ""),
        entry(4, "07:00:02", "other"),
        entry(5, "07:01:00", "ADMIN"),
        entry(6, "07:01:01", "admin"),
    ]
    found = told(text(*rows))
    between = (datetime(2026, 11, 16, 7), datetime(2026, 11, 16, 7, 1))  # noqa: DTZ001
    assert [each.id[-1] for each in found.writes("admin", between)] == ["2", "3", "5"]


# --- Bounds ---


def test_the_newest_are_kept() -> None:
    rows = [each for at in range(1, 101) for each in (*scan(at, "Succeeded"), line(1000 + at, kind="Login"))]
    found = told(text(*rows), most=9)
    assert [int(job.id, 16) for job in found.jobs] == [98, 99, 100]
    assert [int(entry.id, 16) - 1000 for entry in found.access] == list(range(92, 101))
    assert found.dropped == 97 + 91
    assert found.counts == {"Scanner: Sending": 100, "Login": 100}


def test_a_job_of_many_targets() -> None:
    (job,) = told(text(*scan(1, *["Succeeded"] * 1500))).jobs
    assert len(job.targets) == logreader.LINES - 2
    assert job.dropped == 502
    assert job.outcome == "unclear"


def test_many_log_types() -> None:
    found = told(text(*(line(at, kind=f"Type {at}") for at in range(1, 1001))))
    assert len(found.counts) == logreader.KINDS + 1
    assert found.counts[logreader.OTHER] == 1000 - logreader.KINDS


def hostile(size: int) -> Iterator[bytes]:
    """Make a log of full-width fields, each entry a scan with long texts."""
    yield TITLES.encode() + b"\n"
    made, number = 0, 0
    while made < size:
        number += 1
        wide = "\N{PILE OF POO}" * 290 + str(number)
        row = line(number, kind="Scanner: Sending", user=wide, details=wide, status=wide, name=wide, address=wide)
        made += len(row.encode())
        yield f"{row}\n".encode()


def test_memory_is_bounded_whatever_a_file_holds() -> None:
    def most(size: int) -> int:
        tracemalloc.start()
        try:
            reader = Reader(since=None, now=NOW, most=1000)
            for chunk in hostile(size):
                reader.feed(chunk)
            reader.finish()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most(16_000_000) < most(4_000_000) + 1_000_000


PARTS = [
    *(each.encode() for each in (TITLES, DONE, *scan(1, "Failed"), *scan(2, ""), line(3, kind="Login"), AT)),
    *(b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xfc", b"\x81", b"0x", b"/"),
    *("\u202e\U0001f4a9\N{ARABIC-INDIC DIGIT TWO}".encode(), b"99/99/9999 99:99:99", b"0/0/0000 0:00", b"x" * 70_000),
]


@pytest.mark.parametrize("seed", range(300))
def test_no_bytes_make_it_fail(seed: int) -> None:
    chance = random.Random(seed)
    parts = [chance.choice(PARTS) for _ in range(chance.randrange(60))]
    parts += [chance.randbytes(chance.randrange(40)) for _ in range(chance.randrange(10))]
    chance.shuffle(parts)
    start = chance.choice([b"", text(*scan(1, "Succeeded"), last=""), b"\xff\xfe", TITLES.encode() + b"\n"])
    data = start + chance.choice([b"", b"\n"]).join(parts)
    piece = chance.choice([1 << 20, 1 + chance.randrange(5000)])
    now = chance.choice([NOW, MAX, MIN])
    reader = Reader(since=chance.choice([None, NOW, MIN, MAX]), now=now, most=chance.randrange(20))
    for at in range(0, len(data), piece):
        reader.feed(data[at : at + piece])
    found = reader.finish()
    JobLog.model_validate_json(found.model_dump_json())
    for job in found.jobs:
        assert sum([job.sent, job.failed]) <= 1
    found.failures(NOW)
    found.writes("admin", (MIN, MAX))


@pytest.mark.parametrize("seed", range(40))
def test_pieces_make_no_difference(seed: int) -> None:
    chance = random.Random(seed)
    data = text(*(chance.choice([*scan(at, "Failed"), "x", '"a\nb"', line(at, kind="Login")]) for at in range(200)))
    assert told(data, piece=1 + chance.randrange(50)) == told(data)


# --- The two ways in ---


async def test_read_as_it_arrives(tmp_path: Path) -> None:
    data = text(*(each for at in range(1, 2000) for each in scan(at, "Succeeded")))

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    path = tmp_path / "copier_joblog.csv"
    path.write_bytes(data)
    found = await logreader.read(chunks(), since=None, now=NOW)
    assert found == logreader.read_file(path, since=None, now=NOW) == told(data)
    assert len(found.jobs) == 1999


# --- What a log ends in ---

EARLY, LATE = "2026/11/16 06:00:00", "2026/11/16 07:30:00"


@pytest.mark.parametrize(
    ("jobs", "ends"),
    [
        ([], ""),
        ([scan(1, "Succeeded")], ""),
        ([scan(1, "Failed")], "a scan that failed"),
        ([scan(1, "Succeeded"), scan(2, "Failed")], "a scan that failed"),  # of the same moment: in the log's order
        ([scan(1, "Failed"), scan(2, "Succeeded")], ""),
        ([scan(1, "Failed"), scan(2, "Succeeded", start=LATE)], ""),
        ([scan(1, "Failed", start=LATE), scan(2, "Succeeded")], "a scan that failed"),
        ([scan(1, "Failed", start=EARLY)], ""),  # before what is asked about
        ([scan(1, "Failed", start="2026/11/16 09:00:00")], ""),  # yet to come
        ([scan(1, "Succeeded"), scan(2, "Failed", start="nonsense")], ""),
        ([scan(1, "Failed"), scan(2, "", start=LATE)], "a scan that failed"),  # the newer one is under way
        ([scan(1, "Succeeded"), scan(2, "Erfolgreich", start=LATE)], ""),  # not understood, and not said to have failed
    ],
)
def test_a_log_ends_in_trouble(jobs: list[list[str]], ends: str) -> None:
    log = told(text(*(row for job in jobs for row in job)))
    last = log.ends_in_trouble(NOW - timedelta(hours=1), NOW)
    assert (last.trouble if last else "") == ends


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({"details": "User Cancel"}, ""),
        ({"name": "Ann", "address": ""}, "a job that failed and may have been an e-mail"),
        ({"address": "//files/scans"}, ""),
    ],
    ids=["cancelled", "to nobody knows where", "to a folder"],
)
def test_only_what_may_have_been_an_e_mail_is_trouble(more: dict[str, str], ends: str) -> None:
    whole = line(2, LATE, "Scanner: Sending", end=LATE, result="Failed", status="Failed")
    failed = {"target": "Send", "address": "ann@a.example", "result": "Failed", "status": "Failed"}
    log = told(text(*scan(1, "Succeeded"), whole, line(2, "", **{**failed, **more})))
    last = log.ends_in_trouble(NOW - timedelta(hours=1), NOW)
    assert (last.trouble if last else "") == ends
    odd = told(text(*scan(1, "Succeeded"), whole.replace("Scanner:", "Scanner :"), line(2, "", **failed)))
    assert odd.ends_in_trouble(NOW - timedelta(hours=1), NOW)


def test_a_log_without_seconds() -> None:
    """What failed in the minute of a moment may have failed after it."""
    log = told(text(*scan(1, "Failed", start="2026/11/16 07:00")))
    assert log.ends_in_trouble(datetime(2026, 11, 16, 7, 0, 40), NOW)  # noqa: DTZ001 - a copier's clock has no zone
