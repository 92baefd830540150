"""Escalation bundles: which devices get one, what it tells their vendor, and what it does not."""

from __future__ import annotations

import copy
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.report import escalation, markdown
from selftests import harness, suite
from selftests.sample_causes import with_chains
from selftests.sample_run import sample_run
from selftests.test_run_healthy import healthy

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Copier

Record = dict[str, Any]
VENDOR = "the copier's service partner"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> suite.Result:
    """A run in which one copier knows TLS 1.0 only, and a scan of it failed."""
    folder = tmp_path_factory.mktemp("old") / "run"
    return suite.pytest(folder, "--lab-network=loopback", "--lab-fault=device-tls10-tried")


@cache
def personnel() -> Copier:
    return next(copier for copier in harness.demo().copiers if copier.address == "10.20.90.14")


def bundle_of(result: suite.Result) -> str:
    path = result.folder / "escalation" / personnel().serial / "escalation.md"
    return path.read_text(encoding="utf-8")


def test_a_device_that_can_t_do_tls_is_one_for_its_vendor(old: suite.Result) -> None:
    assert [path.name for path in (old.folder / "escalation").iterdir()] == [personnel().serial]
    text = bundle_of(old)
    for part in (
        f"# Escalation: IM C3000, serial {personnel().serial}",
        "| Firmware |  | 1.21 |",
        "| Address | 10.20.90.14 |  |",
        "| Location | Main building, Human resources, Floor 1 |  |",
        "**DEV-9, failed.** Expected: TLS 1.2 or newer",
        "What would settle it: Update the firmware",
        "| SMTP server | smtp.office365.com |",
        "| Port | 587 |",
        "| User name | scan@northfield.example |",
        "| Version | TLSv1 |",
        "**What the mail service takes:** TLSv1: 421 4.7.66",
        "Each is a scan by e-mail that failed since 16 November 2026, 05:00 UTC.",
        "got: GET /web/guest/en/websys/status/configuration.cgi: 200",
        "sent: POST /web/guest/en/websys/webArch/login.cgi (user admin)",
    ):
        assert part in text, part


def test_it_holds_nothing_of_others(old: suite.Result) -> None:
    text = bundle_of(old)
    for row in harness.demo().table.rows:
        if row.serial != personnel().serial:
            assert not [part for part in (row.serial, row.location, row.host_name) if part and part in text]
            assert not re.search(rf"(?<![\d.]){re.escape(row.address or '-')}(?![\d.])", text)
    assert set(re.findall(r"[\w.+-]+@[\w.-]+\w", text)) == {"scan@northfield.example"}
    for secret in ("Northfield-Copier-2026", "password="):
        assert secret not in text


def test_a_healthy_run_leaves_none() -> None:
    assert not (healthy().folder / "escalation").exists()
    assert "escalation/" not in (healthy().folder / "ticket-update.md").read_text(encoding="utf-8")


def test_the_update_names_them(old: suite.Result) -> None:
    assert "| escalation/ |" in (old.folder / "ticket-update.md").read_text(encoding="utf-8")


# Which devices


def judged(requirement: str, verdict: str, *, layer: str = "device", owner: str = "", proven: bool = False) -> Record:
    """Return a run of eight copiers that all hold, but for one case of the first."""
    run = sample_run(8)[0]
    for case in run["cases"]:
        case.update(verdict="passed", blocked_by=[], cause=None)
    key = run["layout"]["subnets"][0]["copiers"][0]["key"]
    known = {(case["requirement"], case["subject"]["name"]): case for case in run["cases"]}
    case = known.get((requirement, key))
    if case is None:
        case = copy.deepcopy(known["DEV-8", key])
        case |= {"id": f"x[{key}]", "requirement": requirement, "level": "blocker"}
        run["cases"].append(case)
    case |= {"verdict": verdict, "cause": "it" if owner else None}
    if not proven:
        known["COV-2", key]["verdict"] = "unproven"
    run["causes"] = []
    if owner:
        about = {"id": "it", "kind": "it", "layer": layer, "title": "A device can't do it", "remedy": "mend it"}
        run["causes"] = [about | {"subjects": [key], "explains": [case["id"]], "owner": owner}]
    return with_chains(run)


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (judged("DEV-9", "failed"), 1),
        (judged("DEV-9", "failed", owner=VENDOR), 1),
        (judged("NET-4", "failed", owner=VENDOR), 1),
        (judged("NET-4", "failed", owner="the engineer at the copier"), 0),
        (judged("NET-4", "failed", owner=VENDOR, layer="network"), 0),
        (judged("DEV-2", "failed"), 0),
        (judged("DEV-2", "failed", owner="the engineer at the copier"), 0),
        (judged("DEV-8", "advice"), 1),
        (judged("DEV-8", "advice", proven=True), 0),
        (judged("DEV-9", "unproven"), 0),
        (judged("DEV-9", "waived"), 0),
        ({}, 0),
    ],
    ids=range(12),
)
def test_who_gets_one(run: Record, count: int) -> None:
    assert len(list(escalation.bundles(run, {}))) == count


def test_a_cause_is_told() -> None:
    (_, document), *_ = escalation.bundles(judged("NET-4", "failed", owner=VENDOR), {})
    assert "**What is wrong:** A device can't do it. Mend it." in markdown.render(document)


def test_without_evidence_it_says_what_nobody_read() -> None:
    (_, document), *_ = escalation.bundles(judged("DEV-9", "failed"), {})
    text = markdown.render(document)
    for part in (
        "| Firmware |  | not read |",
        "None could be read.",
        "Its port 443 was not looked at.",
        "There was none.",
    ):
        assert part in text


def test_its_vendor_s_support_case_is_named() -> None:
    run = judged("DEV-9", "failed")
    run["support_cases"] = [
        {"vendor": "Ricoh", "number": "R-77", "opened": "2026-11-17", "status": "open"},
        {"vendor": "Microsoft", "number": "M-1", "opened": "2026-11-17", "status": ""},
    ]
    for case in run["cases"]:
        case["subject"]["make"] = "Ricoh"
    text = markdown.render(next(escalation.bundles(run, {}))[1])
    assert "**Support case:** R-77 (open)" in text
    assert "M-1" not in text


@pytest.mark.parametrize(
    ("judged_log", "said", "jobs"),
    [
        ({"failed": []}, "It shows no scan by e-mail that failed since 16 November 2026, 05:00 UTC.", False),
        ({"failed": ["Scan: refused (10:00:00 UTC)"]}, "- Scan: refused (10:00:00 UTC)", False),
        ({"failed": [], "why_not": "its clock is off"}, "is not known: its clock is off. All that failed", True),
        (None, "is not known: it was not judged. All that failed", True),
    ],
    ids=["none since", "one since", "not usable", "not judged"],
)
def test_its_log_tells_what_failed_since_the_last_change(judged_log: Record | None, said: str, *, jobs: bool) -> None:
    """Of the day of the change the hours count, by the device's own clock: so the judged log is what is told."""
    run = judged("DEV-9", "failed")
    run["site"] |= {"cutover": "2026-11-16T06:00:00+01:00", "last_change": None}
    evidence = evidence_of(run, "words")
    evidence["device_log"]["facts"]["jobs"][0]["started"] = "2026-11-16T03:57:00"  # before it, on the same day
    if judged_log is not None:
        evidence["own_log"] = evidence["device_log"] | {"id": "own_log", "kind": "own_log", "facts": judged_log}
        for case in run["cases"]:
            case["evidence"] = [*case["evidence"], "own_log"] if case["evidence"] else []
    text = markdown.render(next(escalation.bundles(run, evidence))[1]).partition("## Its own log")[2]
    text = text.partition("## Dialogue")[0]
    assert said in text.replace("\\", "")
    assert ("2026-11-16T03:57:00" in text) is jobs


# Strangers' words


def evidence_of(run: Record, words: str) -> dict[str, Record]:
    key = run["layout"]["subnets"][0]["copiers"][0]["key"]
    target = {"kind": "Send", "address": "m.oneil@northfield.example", "result": "Failed", "details": words}
    jobs = [{"kind": words, "started": "2026-11-21T10:00:00", "result": "Failed", "details": "", "targets": [target]}]
    facts: dict[str, Record] = {
        "identity": {"make": words, "model": words, "serial": words, "firmware": words, "name_servers": [words]},
        "email_settings": {"host": words, "user": words, "admin_address": "b.person@northfield.example"},
        "https_page": {"tls": {"version": words, "certificate": {"subject": words}}},
        "device_log": {"jobs": jobs},
    }
    lines = [{"at_ms": 1, "way": "<-", "text": words}]
    made = {
        kind: {
            "id": kind,
            "kind": kind,
            "subject": {"name": key},
            "outcome": "observed",
            "facts": it,
            "transcript": lines,
        }
        for kind, it in facts.items()
    }
    for case in run["cases"]:
        if case["subject"]["name"] == key:
            case["evidence"] = list(made)
    return made


@pytest.mark.parametrize(
    "words",
    [
        "a | b",
        "```\n# x",
        "<script>x</script>",
        "[l](https://evil.example)",
        "\x1b[31m\x00\ud800",
        "m.oneil@northfield.example",
    ],
)
def test_hostile_words_are_only_words(words: str) -> None:
    run = judged("DEV-9", "failed")
    text = markdown.render(next(escalation.bundles(run, evidence_of(run, words)))[1])
    assert "@northfield.example" not in text.replace("scan@northfield.example", "")
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800]", text)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in outside.splitlines():
        bare = re.sub(r"\\[\\`*_\[\]|~$]", "", line)
        assert not re.search(r"[`\[\]<]|https:", bare), line
    assert text.count("\n## ") == 6


def test_other_copiers_are_not_named() -> None:
    run = judged("DEV-9", "failed")
    other = run["layout"]["subnets"][0]["copiers"][1]
    words = f"a scan by {other['label']}, {other['key']}, was delivered; not by 10.20.90.1100 or {other['location']}x"
    text = markdown.render(next(escalation.bundles(run, evidence_of(run, words)))[1])
    assert other["key"] not in text
    assert not re.search(rf"{re.escape(other['address'])}(?!\d)", text)
    assert other["label"] not in text
    assert "a scan by (another copier), (another copier), was delivered; not by 10.20.90.1100" in text


def test_folders_have_names_that_every_system_takes() -> None:
    taken: set[str] = set()
    serials = [
        "3089R210142",
        "3089r210142",
        "../../etc/passwd",
        "a/b\\c:d*e",
        "CON",
        "nul.txt",
        "",
        "..",
        "ü" * 300,
        "x.",
    ]
    names = [escalation._folder_name({"serial": it, "address": "", "key": it}, taken) for it in serials]
    assert names[:4] == ["3089R210142", "3089r210142-2", "etc-passwd", "a-b-c-d-e"]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name) for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert names[4] == "device-CON"
    assert escalation._folder_name({"serial": "", "address": "fd00::1", "key": "k"}, taken) == "fd00-1"


def test_many_are_written_quickly(tmp_path: Path) -> None:
    run, evidence = sample_run(1_000)
    for case in run["cases"]:
        if case["requirement"] == "DEV-8":
            case["verdict"] = "advice"
    run = with_chains(run)
    began = time.process_time()
    names = escalation.write(tmp_path, run, evidence)
    took = time.process_time() - began
    assert len(names) == 1_000
    assert took / len(run["cases"]) < 0.000_4, f"{took:.2f} s"
    assert sorted(path.name for path in (tmp_path / "escalation").iterdir()) == sorted(names)
