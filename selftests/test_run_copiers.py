"""The copiers in a whole run: what is asked of each, that nothing but reading is, and that no password stays behind."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import pytest

from scanproof.devices import pins
from scanproof.secrets import COPIER_PASSWORD
from scanproof.site import load
from selftests import suite
from selftests.harness import demo
from selftests.test_run_healthy import at_start, no_traceback, plugin, run_in, site_copy

COPIERS = demo().copiers
DEVICES = {copier.serial for copier in COPIERS}
WORD = "word+of/the copiers?"


def entries(journal: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what was asked of each copier, in its order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in journal.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["server"] == "copier":
            found[entry["device"]].append(entry)
    return found


def logins(asked: list[dict[str, Any]]) -> list[int]:
    return [at for at, entry in enumerate(asked) if entry["path"].endswith("/login.cgi")]


@cache
def whole() -> tuple[suite.Result, dict[str, list[dict[str, Any]]]]:
    folder = Path(mkdtemp(prefix="copiers-"))
    code = f"""
        import sys
        if "lab" in sys.orig_argv:
            sys.path.insert(0, {str(suite.ROOT)!r})
            from lab import estate
            estate._secret = lambda: {WORD!r}
    """
    environment = {**at_start(folder / "start", code), "LAB_JOURNAL": str(folder / "journal.jsonl")}
    ran = run_in(environment, folder / "run", "-vvv")
    return ran, entries(folder / "journal.jsonl")


def test_each_copier_is_signed_in_to_once_and_left() -> None:
    ran, asked = whole()
    assert ran.status == 0, ran.output[-3000:]
    assert set(asked) == DEVICES
    assert len(asked) == 26
    for serial, requests in asked.items():
        at = logins(requests)
        assert len(at) == 1, serial
        assert requests[at[0]]["method"] == "POST"
        assert requests[at[0]]["mark"] == "login"
        assert "logout" in [entry["mark"] for entry in requests[at[0] :]], serial
        after = [entry["path"] for entry in requests if "/entry/" in entry["path"]]
        assert after[-1].endswith("/logout.cgi"), serial


def test_nothing_but_reading_is_asked_of_a_copier() -> None:
    _, asked = whole()
    assert [entry for requests in asked.values() for entry in requests if not entry["reads"]] == []


def test_no_password_stays_behind() -> None:
    ran, _ = whole()
    wire = base64.b64encode(WORD.encode()).decode()
    forms = {WORD, wire, wire.rstrip("="), quote(WORD, safe=""), quote(wire, safe="")}
    files = [path for path in ran.folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        assert not [form for form in forms if form.encode() in content], path
    assert not [form for form in forms if form in ran.output]


def test_the_evidence_is_judged_the_same_again(tmp_path: Path) -> None:
    ran, _ = whole()
    again = suite.pytest(tmp_path / "run", "-q", f"--evidence={ran.folder}", "-k", "DEV")
    no_traceback(again)
    verdicts = {pair: verdict for pair, verdict in ran.verdicts.items() if pair[0].startswith("DEV-")}
    assert verdicts
    assert {pair: it for pair, it in again.verdicts.items() if pair[0].startswith("DEV-")} == verdicts


def test_one_setting_alone_downloads_no_log(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    ran = suite.pytest(tmp_path / "run", "-q", "-k", "DEV-2", LAB_JOURNAL=str(journal))
    assert ran.status == 0
    assert {pair[0] for pair in ran.cases} == {"DEV-2"}
    asked = entries(journal)
    assert set(asked) == DEVICES
    paths = {entry["path"].rpartition("/")[2] for requests in asked.values() for entry in requests}
    assert not [path for path in paths if "Log" in path and path != "logout.cgi"]
    assert all(len(logins(requests)) == 1 for requests in asked.values())


def test_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    code = f"""
        from scanproof.secrets import Secrets
        inner = Secrets.get

        def get(self, name, *owners):
            return "not-the-word" if name == {COPIER_PASSWORD!r} else inner(self, name, *owners)

        Secrets.get = get
    """
    journal = tmp_path / "journal.jsonl"
    environment = {**plugin(tmp_path / "plugin", "wrong", code), "LAB_JOURNAL": str(journal)}
    ran = run_in(environment, tmp_path / "run", "-q", "-p", "wrong", "-k", "DEV")
    no_traceback(ran)
    asked = entries(journal)
    assert set(asked) == DEVICES
    for requests in asked.values():
        assert [requests[at]["mark"] for at in logins(requests)] == ["login-refused"]
        assert not [entry for entry in requests if "udirectory" in entry["path"]]
    for copier in COPIERS:
        assert ran.verdicts["DEV-1", copier.key] == "failed"
        assert ran.cases["DEV-2", copier.key]["verdict"] == "blocked"
        assert "DEV-1" in str(ran.cases["DEV-2", copier.key]["blocked_by"])


@pytest.mark.parametrize("requirement", ["DEV-1", "DEV-2"])
def test_without_a_password_it_is_named(tmp_path: Path, requirement: str) -> None:
    code = f"""
        import sys
        if "pytest" in " ".join(sys.orig_argv):
            sys.path.insert(0, {str(suite.ROOT)!r})
            from scanproof.secrets import Secrets
            inner = Secrets.get
            Secrets.get = lambda self, name, *own: None if name == {COPIER_PASSWORD!r} else inner(self, name, *own)
    """
    journal = tmp_path / "journal.jsonl"
    environment = {**at_start(tmp_path / "start", code), "LAB_JOURNAL": str(journal)}
    ran = run_in(environment, tmp_path / "run", "-q", "-k", requirement)
    no_traceback(ran)
    cases = [case for pair, case in ran.cases.items() if pair[0] == requirement]
    assert len(cases) == 26
    assert {case["verdict"] for case in cases} == {"unproven"}
    assert all(COPIER_PASSWORD in case["remedy"] for case in cases)
    assert not [entry for requests in entries(journal).values() for entry in requests if "login.cgi" in entry["path"]]


@pytest.mark.parametrize("number", [0, 3, 13])
def test_a_run_for_one_copier_signs_in_to_no_other(tmp_path: Path, number: int) -> None:
    """A new password is tried at one copier first: what stands for another by a scan must not cost a login there."""
    journal = tmp_path / "journal.jsonl"
    ran = suite.pytest(tmp_path / "run", "-q", "-k", COPIERS[number].serial, LAB_JOURNAL=str(journal))
    no_traceback(ran)
    assert [serial for serial, asked in entries(journal).items() if logins(asked)] == [COPIERS[number].serial]


def test_a_known_device_without_its_certificate_is_not_given_the_password(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    site = load(folder)
    for application in site.applications_in_scope:  # else the lab would save it, into a copy of the folder
        (folder / application.connections).write_text("", encoding="utf-8")
    copier = site.copiers[1]
    known = {"certificate": "1" * 64, "since": "2026-11-17T08:00:00+00:00"}
    (folder / pins.FILE).write_text(json.dumps({f"copier {copier.key}": known}), encoding="utf-8")
    journal = tmp_path / "journal.jsonl"
    chosen = ("tests/test_device.py", "-k", "listed_one or login_works")
    ran = suite.pytest(
        tmp_path / "run", f"--site={folder}", "--lab-fault=https-refused", *chosen, LAB_JOURNAL=str(journal)
    )
    assert ran.verdicts["INV-2", copier.key] == ran.verdicts["DEV-1", copier.key] == "unproven"
    assert "shows no certificate" in ran.cases["INV-2", copier.key]["observed"]
    assert not logins(entries(journal)[copier.serial])


def test_a_failure_names_the_serial_by_which_its_copier_is_selected(tmp_path: Path) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", "--lab-fault=smtp-host-retired-name", "-k", "DEV-2")
    serial = next(key for (_, key), verdict in ran.verdicts.items() if verdict == "failed")
    assert serial in DEVICES
    ran.shows(f" is updated [{serial}]\n    expected ")
