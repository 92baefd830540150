"""Waivers: dated, reasoned, approved; an expired one counts for nothing, an unused one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from selftests import suite
from selftests.test_run_healthy import healthy, site_copy

if TYPE_CHECKING:
    from pathlib import Path

SENDER = "scan@northfield.example"
FAULT = "--lab-fault=sender-password-wrong"
SMTP = ("-k", "log_in or service_accepts or arrives")


def waiver(requirement: str, subject: str, *, until: str = "2099-01-01T00:00:00+01:00") -> str:
    return (
        f'\n[[waiver]]\nrequirement = "{requirement}"\nsubject = "{subject}"\nreason = "new sender is ordered"\n'
        f'approved_by = "B. Facility"\nuntil = {until}\n'
    )


def test_a_valid_one_is_waived_and_what_it_blocks_too(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site", more=waiver("SMTP-1", SENDER))
    run = suite.pytest(tmp_path / "run", "-v", f"--site={folder}", FAULT, *SMTP)
    assert run.status == 0, run.output[-3000:]
    assert run.verdicts["SMTP-1", SENDER] == "waived"
    left = {pair[1] for pair, verdict in run.verdicts.items() if verdict not in {"passed", "waived"}}
    assert all("++relay" in name for name in left)  # which nobody can try from here
    through = run.cases["SMTP-2", f"{SENDER}++smtp-auth"]
    assert (through["verdict"], through["waiver"]) == ("waived", "through the waiver of SMTP-1")
    run.shows("WAIVED", "is waived")
    root = run.cases["SMTP-1", SENDER]
    assert root["waiver"] == "new sender is ordered (B. Facility, until 2099-01-01)"
    assert root["observed"]
    stated = run.run["waivers"]
    assert [(part["used"], part["expired"]) for part in stated] == [(True, False)]
    assert "new sender is ordered" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert 'name="verdict" value="waived"' in (run.folder / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("subject", ["reports@northfield.example", SENDER])
def test_another_subject_or_a_past_date_counts_for_nothing(tmp_path: Path, subject: str) -> None:
    until = "2026-11-01T00:00:00+01:00" if subject == SENDER else "2099-01-01T00:00:00+01:00"
    folder = site_copy(tmp_path / "site", more=waiver("SMTP-1", subject, until=until))
    run = suite.pytest(tmp_path / "run", "-q", f"--site={folder}", FAULT, *SMTP)
    assert run.status == 1
    assert run.verdicts["SMTP-1", SENDER] == "failed"
    assert "waived" not in run.verdicts.values()
    assert [(part["used"], part["expired"]) for part in run.run["waivers"]] == [(False, subject == SENDER)]


def test_an_unused_or_expired_one_is_shown(tmp_path: Path) -> None:
    more = waiver("SMTP-1", SENDER) + waiver("DNS-1", "*", until="2026-11-01T00:00:00+01:00")
    folder = site_copy(tmp_path / "site", more=more)
    run = suite.pytest(tmp_path / "run", "-q", f"--site={folder}", f"--evidence={healthy().folder}")
    assert run.status == 0
    assert run.verdicts == healthy().verdicts
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert report.count(f"The waiver of SMTP-1 for {SENDER} (") == 1
    assert "covers nothing that fails in this run: take it out" in report
    assert report.count("The waiver of DNS-1 for * (") == 1
    assert "expired on 2026-11-01" in report
