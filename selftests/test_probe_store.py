"""Runs on disk: killed, torn, merged, on a full disk, and of another version."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanproof import redact, store
from scanproof.evidence import Ping, Reply
from scanproof.kinds import Evidence, Line, Outcome, Probe
from scanproof.probes.icmp import ping
from scanproof.subjects import Domain

pytestmark = pytest.mark.filterwarnings("error")

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FACTS = Ping(address="10.0.0.1", sent=1, received=1, rtt_ms=(0.5,), method="socket")


def piece(
    subject: str = "one", *, minutes: int = 0, vantage: str = "pc", outcome: Outcome = "observed", reason: str = ""
) -> Evidence[Any]:
    return Evidence(
        kind="ping",
        subject=subject,
        label=f"copier {subject}",
        vantage=vantage,
        started=NOW + timedelta(minutes=minutes),
        elapsed_ms=3,
        outcome=outcome,
        facts=FACTS if outcome == "observed" else None,
        reason=reason,
    )


def written(folder: Path, *pieces: Evidence[Any], intents: tuple[str, ...] = ()) -> Path:
    folder.mkdir(exist_ok=True)
    writer = store.Writer(folder / store.FILE)
    for subject in intents:
        writer.intent("ping", subject, "pc", "send")
    for evidence in pieces:
        writer.add(evidence)
    writer.close()
    assert not writer.trouble
    return folder


def recalled(record: store.Recorded) -> Evidence[Any]:
    probe: Probe[Any, Any] = ping
    return store.recall(probe, record, Domain("northfield.example"))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    evidence = replace(piece(), transcript=(Line(1, "->", "EHLO x"), Line(2, "<-", "250 x")), needs=("door/a@pc",))
    (record,) = store.read(written(tmp_path, evidence))
    assert replace(recalled(record), label=evidence.label) == evidence


@pytest.mark.parametrize(
    "tail",
    [
        b'{"kind": "ping", "subj',
        b"\xff\xfe\x00",
        b"[]",
        b"7",
        b'{"kind": "ping"}',
        b'{"kind":"p","subject":"s","vantage":"v"}',
        b"",
    ],
)
def test_a_torn_last_line_is_passed_over(tmp_path: Path, tail: bytes) -> None:
    folder = written(tmp_path, piece("one"), piece("two"))
    with (folder / store.FILE).open("ab") as file:
        file.write(tail)
    assert {record.subject for record in store.read(folder)} == {"one", "two"}


def test_every_cut_of_a_run_can_be_read(tmp_path: Path) -> None:
    whole = (written(tmp_path, piece("ä" * 20), piece("two"), intents=("two",)) / store.FILE).read_bytes()
    counts = []
    for length in range(0, len(whole) + 1, 7):
        (tmp_path / store.FILE).write_bytes(whole[:length])
        counts.append(len(store.read(tmp_path)))
    assert counts == sorted(counts)
    assert counts[0] == 0


def test_an_intent_without_an_end_is_interrupted(tmp_path: Path) -> None:
    (record,) = store.read(written(tmp_path, intents=("one",)))
    found = recalled(record)
    assert (found.outcome, found.remedy) == ("interrupted", "run again")
    assert found.reason == f"{tmp_path.name} ended while this was under way"


def test_an_intent_with_its_end_is_the_end(tmp_path: Path) -> None:
    (record,) = store.read(written(tmp_path, piece("one"), intents=("one",)))
    assert recalled(record).outcome == "observed"


@pytest.mark.parametrize("first", [True, False])
def test_interrupted_never_wins_a_merge(tmp_path: Path, first: bool) -> None:  # noqa: FBT001
    runs = [store.read(written(tmp_path / "a", intents=("one",))), store.read(written(tmp_path / "b", piece("one")))]
    merged = store.merge(runs if first else runs[::-1])
    assert [recalled(record).outcome for record in merged["ping", "one"]] == ["observed"]


def test_the_newest_of_a_subject_and_vantage_wins(tmp_path: Path) -> None:
    runs = [
        store.read(written(tmp_path / name, *pieces))
        for name, pieces in {
            "old": [piece(minutes=0), piece("two", minutes=9)],
            "new": [piece(minutes=5), piece("two", minutes=1)],
            "far": [piece(minutes=3, vantage="other pc")],
        }.items()
    ]
    for order in (runs, runs[::-1]):
        merged = store.merge(order)
        assert [(record.vantage, record.run) for record in merged["ping", "one"]] == [
            ("pc", "new"),
            ("other pc", "far"),
        ]
        assert [record.run for record in merged["ping", "two"]] == ["old"]


def test_what_was_observed_comes_before_what_was_not(tmp_path: Path) -> None:
    pieces = [
        piece(vantage="a", minutes=9, outcome="unproven"),
        piece(vantage="b", minutes=5, outcome="blocked"),
        piece(vantage="c", minutes=1),
    ]
    merged = store.merge([store.read(written(tmp_path, *pieces))])
    assert [record.vantage for record in merged["ping", "one"]] == ["c", "b", "a"]


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("a field that this version doesn't know", {"facts": {**FACTS.model_dump(mode="json"), "colour": "red"}}),
    ("a field that is missing", {"facts": {"address": "10.0.0.1"}}),
    ("facts of another type", {"facts": [1]}),
    ("no facts", {"facts": None}),
    ("transcript of another shape", {"transcript": [{"when": 1}]}),
    ("elapsed in words", {"elapsed_ms": "soon"}),
    ("blocked by a number", {"blocked_by": 7}),
    ("an outcome of later days", {"outcome": "postponed"}),
]


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_evidence_of_another_version_is_unproven(tmp_path: Path, change: dict[str, Any]) -> None:
    record = {**store.as_json(piece()), **change}
    (tmp_path / store.FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")
    (found,) = store.read(tmp_path)
    evidence = recalled(found)
    assert evidence.outcome == "unproven"
    assert f"the evidence in {tmp_path.name} can't be read: " in evidence.reason


@pytest.mark.parametrize("started", ["yesterday", "", "2026-11-23T08:00:00"])
def test_a_date_that_is_none_breaks_nothing(tmp_path: Path, started: str) -> None:
    record = {**store.as_json(piece()), "started": started}
    (tmp_path / store.FILE).write_text(json.dumps(record) + "\n", encoding="utf-8")
    (found,) = store.read(tmp_path)
    assert recalled(found).started.tzinfo is not None


@pytest.mark.parametrize(("make", "words"), [(True, "holds no evidence.jsonl"), (False, "is no folder")])
def test_no_run_there(tmp_path: Path, make: bool, words: str) -> None:  # noqa: FBT001
    folder = tmp_path / "run"
    if make:
        folder.mkdir()
    with pytest.raises(store.StoreError, match=words):
        store.read(folder)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_and_loses_nothing_in_memory() -> None:
    writer = store.Writer(Path("/dev/full"))
    writer.intent("ping", "one", "pc", "send")
    for number in range(3):
        writer.add(piece(str(number)))
    writer.close()
    assert writer.trouble.startswith("/dev/full: No space left on device; the evidence after this point is only in")
    assert set(writer.kept) == {f"ping/{number}@pc" for number in range(3)}


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    writer = store.Writer(tmp_path / "gone" / store.FILE)
    writer.add(piece())
    writer.close()
    assert "No such file" in writer.trouble
    assert len(writer.kept) == 1


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, ".")
from selftests.test_probe_store import piece
from scanproof import store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
writer = store.Writer(Path(sys.argv[1]))
for number in range(50):
    writer.add(piece(str(number)))
writer.close()
print(len(writer.kept), bool(writer.trouble))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits a process's file size as Linux does")
def test_a_disk_that_fills_up_leaves_a_run_that_can_be_read(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / store.FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert done.stdout.split() == ["50", "True"]
    assert 1 <= len(store.read(tmp_path)) < 50
    assert (tmp_path / store.FILE).stat().st_size <= 2000


def test_no_secret_and_no_control_character_is_written(tmp_path: Path) -> None:
    redact.register("tr0ub4dor&3-of-the-tests")
    spoken = (Line(1, "<-", "535 tr0ub4dor&3-of-the-tests \x1b[2J \udcff"),)
    evidence = replace(piece(outcome="broken", reason="at tr0ub4dor&3-of-the-tests"), transcript=spoken)
    text = (written(tmp_path, evidence) / store.FILE).read_text(encoding="utf-8")
    assert "tr0ub4dor" not in text
    assert "\\u001b" not in text
    assert text.count("[secret]") == 2


def test_a_reply_that_is_not_utf_8_can_be_written() -> None:
    """What a library makes of such bytes is a lone surrogate, which neither pydantic nor a file takes."""
    assert (
        Reply(code=220, text=redact.plain(b"Empf\xe4nger".decode("utf-8", "surrogateescape"))).text == "Empf\ufffdnger"
    )


def test_a_whole_file_is_never_seen_in_half(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    store.write_whole(path, "old")
    store.write_whole(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == "new"
