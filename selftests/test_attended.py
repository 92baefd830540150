"""The attended walk, as a person at a terminal meets it: codes are shown, buttons pressed, scans seen to arrive."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from lab import control
from scanproof.devices import codes
from selftests import suite
from selftests.test_run_healthy import site_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

terminal = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
SCANS = ("tests/test_delivery.py", "-k", "scan_arrives")


class Person:
    """Somebody at a terminal of their own, in which pytest runs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        import pty  # noqa: PLC0415 - not on Windows

        self.folder, self.seen = folder, ""
        ours, theirs = pty.openpty()
        self._screen = ours
        temporary = folder.parent / "tmp"
        temporary.mkdir(exist_ok=True)
        self._notes = temporary
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "--attended", f"--run-dir={folder}", "-p", "no:cacheprovider", *arguments],
            cwd=suite.ROOT,
            env=suite.environment(TMPDIR=str(temporary), TERM="xterm"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def reads(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Read on until something is shown; what was read before it is done with."""
        until = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < until, f"{pattern!r} was not shown:\n{self.seen[-4000:]}"
            if select.select([self._screen], [], [], 0.5)[0]:
                try:
                    self.seen += os.read(self._screen, 65536).decode("utf-8", "replace")
                except OSError:  # its end, on Linux
                    assert re.search(pattern, self.seen, re.DOTALL), f"{pattern!r} was not shown:\n{self.seen[-4000:]}"
        self.seen = self.seen[found.end() :]
        return found

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def scans(self, copier: str, subject: str) -> None:
        """Press the button of a copier of the lab that the run started."""
        (note,) = self._notes.glob("scanproof-lab-*.json")
        answer = control.press(json.loads(note.read_text(encoding="utf-8")), copier, subject=subject)
        assert answer["sent"], answer

    def asked(self) -> tuple[str, str]:
        """Return the copier to walk to, and the code to type there."""
        found = self.reads(r"\d of 4: [^\r\n]* (\d+\.\d+\.\d+\.\d+), for subnet.*?with the subject (SP\w{5})")
        return found[1], found[2]

    def ends(self) -> int:
        self.reads(r"report: ", 90)
        while select.select([self._screen], [], [], 5)[0]:
            try:
                if not os.read(self._screen, 65536):
                    break
            except OSError:
                break
        return self._process.wait(30)

    def verdicts(self) -> dict[str, str]:
        cases = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))["cases"]
        return {case["subject"]["name"]: case["verdict"] for case in cases}

    def close(self) -> None:
        os.close(self._screen)
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)


@pytest.fixture
def sits_down(tmp_path: Path) -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def begin(name: str, *arguments: str) -> Person:
        people.append(Person(tmp_path / name, *(arguments or SCANS)))
        return people[-1]

    yield begin
    for person in people:
        person.close()


@terminal
def test_a_walk_to_every_subnet(sits_down: Callable[..., Person]) -> None:
    person = sits_down("run", *SCANS)
    for number in range(4):
        copier, code = person.asked()
        if number == 0:
            person.types("\n")  # passed over
            continue
        person.scans(copier, code)
        arrived = person.reads(r"Arrived after \d+ s: [^\r\n]*")[0]
        assert f"the code {code} in its subject" in arrived
        assert "in Inbox of" in arrived
    person.ends()
    facts = [json.loads(line) for line in (person.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [row for row in facts if row.get("kind") == "scan" and "the code SP" in json.dumps(row.get("facts"))]
    assert len(told) == 3


@terminal
def test_a_walk_is_left_and_resumed_with_the_same_codes(sits_down: Callable[..., Person], tmp_path: Path) -> None:
    first = sits_down("first")
    copier, code = first.asked()
    first.types("q\n")
    first.reads("Left: ")
    assert first.ends() == 0
    assert code in (tmp_path / "attended-demo.json").read_text(encoding="utf-8")
    second = sits_down("second")
    assert second.asked() == (copier, code)
    second.types("q\n")
    second.ends()


@terminal
def test_what_cannot_be_watched_is_said_before_anybody_walks(sits_down: Callable[..., Person]) -> None:
    person = sits_down("run", "--lab-fault=client-secret-expired", *SCANS)
    person.ends()
    (note,) = (note for note in _notes(person.folder) if "--attended" in note)
    assert "can't be watched" in note
    assert not set(person.verdicts().values()) & {"passed", "failed"}


def _notes(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "run.json").read_text(encoding="utf-8"))["notes"]
    return found


def test_without_a_terminal_it_is_said_and_not_waited_for(tmp_path: Path) -> None:
    done = suite.pytest(tmp_path / "run", "--attended", "-q", *SCANS)
    assert done.status == 0
    assert any("--attended" in note and "terminal" in note for note in _notes(done.folder))


def test_without_a_case_that_needs_a_scan(tmp_path: Path) -> None:
    done = suite.pytest(tmp_path / "run", "--attended", "-q", "-m", "dns")
    assert any("no case that needs a scan was chosen" in note for note in _notes(done.folder))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--since=yesterday", "yesterday is no date"),
        ("--since=2999-01-01", "in the future"),
    ],
)
def test_a_wrong_since(tmp_path: Path, option: str, said: str) -> None:
    done = suite.pytest(tmp_path / "run", option)
    assert done.status == 4
    done.shows(said)


def test_since_counts_scans_from_another_moment_than_the_last_change(tmp_path: Path) -> None:
    fault = "--lab-fault=scan-before-last-change"
    done = suite.pytest(tmp_path / "run", "-q", fault, *SCANS)
    assert sorted(done.verdicts.values()) == ["passed", "passed", "passed", "unproven"]
    earlier = suite.pytest(tmp_path / "more", "-q", fault, "--since=2026-11-01", *SCANS)
    assert set(earlier.verdicts.values()) == {"passed"}


@pytest.mark.parametrize("option", ["--attended", "--since=2026-01-01"])
def test_recorded_evidence_is_not_gathered_anew(tmp_path: Path, option: str) -> None:
    done = suite.pytest(tmp_path / "run", f"--evidence={tmp_path}", option)
    assert done.status == 4
    done.shows("--evidence judges what was recorded")


@pytest.mark.parametrize(
    "held", [b"", b"{}", b"[1]", b"\xff", b"[" * 5000, b'{"codes": [{"code": "SP1", "copier": "a", "made": "2026"}]}']
)
def test_a_damaged_file_of_codes_is_named_and_costs_no_verdict(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "attended-demo.json"
    path.write_bytes(held)
    with pytest.raises(codes.CodesError, match=r"attended-demo\.json: it is no list of one-time codes"):
        codes.read(path)
    if held == b"{}":
        done = suite.pytest(tmp_path / "run", "-q", *SCANS)
        assert set(done.verdicts.values()) == {"passed"}
        assert any(str(path) in note for note in _notes(done.folder))


def test_codes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "attended-x.json"
    assert codes.read(path) == []
    made = [codes.fresh("E1"), codes.fresh("E2")]
    codes.write(path, made)
    assert codes.read(path) == made
    assert len({codes.fresh("E1").code for _ in range(100)}) == 100


@terminal
@pytest.mark.parametrize("own_app", [True, False], ids=["an app of the site's", "Microsoft's public clients"])
def test_an_engineer_signs_in_to_read_the_tenant(
    sits_down: Callable[..., Person], tmp_path: Path, *, own_app: bool
) -> None:
    """By a code for each of the two APIs; the lab's engineer is a Global Reader, and enters it at once."""

    def change(text: str) -> str:
        text = text.replace("[tenant]\n", '[tenant]\nsign_in = "device"\n')
        return text if own_app else text.replace("client_id = ", "# client_id = ")

    site = site_copy(tmp_path / "site", change=change)
    person = sits_down("run", f"--site={site}", "-m", "tenant", "-k", "TEN-3 or TEN-11 or TEN-13")
    for api in ("graph", "exchange"):
        assert person.reads(rf"read the tenant \({api}\): open https://microsoft.com/devicelogin and enter (\w{{9}})")
    assert person.ends() == 0
    ran = suite.Result(0, "", person.folder)
    assert ran.verdicts["TEN-3", "scan@northfield.example"] == "passed"
    assert ran.verdicts["TEN-11", "northfield.example"] == "passed"
    # An app's consent to send as the engineer is more than reading; Microsoft's own clients ask for none.
    assert ran.verdicts["TEN-13", "northfield.example"] == ("advice" if own_app else "passed")
