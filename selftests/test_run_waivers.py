"""Waivers: dated, reasoned, approved; an expired one counts for nothing, an unused one is shown."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from scanproof import waivers
from scanproof.sitefile import Waiver
from selftests import suite
from selftests.test_run_healthy import healthy, site_copy

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Site

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


@pytest.mark.parametrize("of", ["", "++smtp-auth", "++smtp-auth++scan-proof@northfield.example"])
def test_a_part_of_the_key_covers_what_begins_with_it(of: str) -> None:
    stated = parse(waiver("DLV-1", f"{SENDER}{of}"))
    assert stated.covers("DLV-1", f"{SENDER}++smtp-auth++scan-proof@northfield.example")
    assert not stated.covers("DLV-1", f"x{SENDER}++smtp-auth++scan-proof@northfield.example")
    assert not stated.covers("DLV-1", f"{SENDER}.org++relay++scan-proof@northfield.example")
    assert not stated.covers("SMTP-2", SENDER)
    assert stated.covers("DLV-1", f"{SENDER}++relay++a@northfield.example") is (of == "")


def parse(table: str) -> Waiver:
    return Waiver(**tomllib.loads(table)["waiver"][0])


WANTED = [
    ("EGR-1", "10.20.90.0/24++smtp.office365.com"),
    ("EGR-1", "10.20.91.0/24++smtp.office365.com"),
    ("NET-4", "3089R210142"),
]
APART = [{"requirement": "NET-4", "subject": "G156R820633", "reason": "make HP is not in the stated scope"}]


@pytest.mark.parametrize(
    ("requirement", "subject", "told"),
    [
        ("NET-9", "3089R210142", "there is no requirement NET-9; did you mean NET-4?"),
        ("ABC-1", "*", "there is no requirement ABC-1; did you mean "),
        ("EGR-1", "10.20.99.0/24", "EGR-1 has no subject 10.20.99.0/24; did you mean 10.20.9"),
        ("EGR-1", "10.20.90.0", "has no subject 10.20.90.0; did you mean 10.20.90.0/24 or 10.20.90.0/24++smtp.office"),
        ("EGR-1", "Surgery", "EGR-1 has no subject Surgery; did you mean 10.20.91.0/24?"),
        ("NET-4", "10.20.90.11", "NET-4 has no subject 10.20.90.11; did you mean 3089R210142?"),
        ("NET-4", "Pharmacy", "NET-4 has no subject Pharmacy; its subjects are such as 3089R210142"),
        ("NET-4", "G156R820633", "NET-4 is not applicable to G156R820633: make HP is not in the stated scope"),
        ("DNS-1", "*", "DNS-1 is not applicable to anything of this site"),
    ],
)
def test_one_that_names_nothing_says_what_it_may_have_meant(requirement: str, subject: str, told: str) -> None:
    stated = (parse(waiver("NET-4", "3089R210142")), parse(waiver(requirement, subject)))
    site = SimpleNamespace(
        file=SimpleNamespace(waiver=stated),
        now=datetime(2026, 11, 24, tzinfo=UTC),
        subnets=[SimpleNamespace(label="Surgery (10.20.91.0/24)", prefix="10.20.91.0/24")],
        copiers=[SimpleNamespace(label="Records · IM C3000 · 10.20.90.11", key="3089R210142")],
    )
    left_out, unknown = waivers.notes(cast("Site", site), [], WANTED, APART, ["DNS-1", "EGR-1", "NET-4"])
    assert told in unknown
    assert unknown.endswith("(site.toml, [[waiver]] 2).")
    assert left_out.endswith("covers nothing that fails in this run: what it is for was left out of it.")
