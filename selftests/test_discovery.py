"""INV-3: copiers that the list lacks, by a sweep of the simulated site and by another system's list."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lab import known, probe
from scanproof import site as sites
from scanproof.devices.identity import MAKES
from scanproof.discovery import rules, sweep
from scanproof.discovery.facts import Answering, KnownDevice, KnownList, Sweep, Unlisted
from scanproof.kinds import Unproven
from selftests import suite
from selftests.test_run_healthy import site_copy

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Site

DEMO = sites.load(suite.ROOT / "inventory/demo")
SURGERY = next(part for part in DEMO.subnets if part.prefix == "10.20.91.0/24")
NEW = "10.20.91.254"
LISTED = next(part.address for part in DEMO.copiers if part.subnet == SURGERY.prefix)
NOW = datetime.now(UTC)


def seen(*answering: Answering, known_list: KnownList | None = None, **more: Any) -> Unlisted:
    swept = Sweep(asked=247, answering=answering, listed_seen=7, **more)
    return Unlisted(prefix=SURGERY.prefix, sweep=swept, known=known_list)


def listing(*addresses: str, saved: datetime = NOW) -> Unlisted:
    devices = tuple(KnownDevice(address=it, name="Ricoh IM C3000", where="C7") for it in addresses)
    return Unlisted(prefix=SURGERY.prefix, known=KnownList(file="print-server.csv", saved=saved, devices=devices))


@pytest.mark.parametrize(
    ("found", "missing", "doubtful"),
    [
        (Answering(address=NEW, ping=True), 0, 0),
        (Answering(address=NEW, ports=(80, 9100), title="Web Image Monitor", make="Ricoh"), 1, 0),
        (
            Answering(address=NEW, ports=(443,), serial="W1"),
            1,
            0,
        ),  # the Printer MIB answers: a printer, whoever made it
        (Answering(address=NEW, ports=(631,), title="Home - CUPS"), 0, 1),
        (Answering(address=NEW, ports=(80,), title="Welcome to nginx!"), 0, 0),
        (Answering(address=LISTED, ports=(80, 9100), make="Ricoh"), 0, 0),
    ],
)
def test_what_is_a_copier_that_the_list_lacks(found: Answering, missing: int, doubtful: int) -> None:
    assert len(rules.missing(seen(found), DEMO)) == missing
    assert len(rules.doubtful(seen(found), DEMO)) == doubtful


def test_a_finding_names_address_model_and_how_it_was_seen() -> None:
    found = Answering(address=NEW, ping=True, ports=(80, 9100), title="RICOH IM C3000", make="Ricoh")
    assert rules.missing(seen(found), DEMO) == [
        "10.20.91.254 (RICOH IM C3000; seen by ping and TCP 80, 9100 and start page)"
    ]


def test_a_copier_that_moved_is_told_by_its_serial_number() -> None:
    row = next(row for row in DEMO.table.rows if row.serial)
    found = Answering(address=NEW, ports=(80,), model="IM C3000", make="Ricoh", serial=row.serial)
    assert (
        f"whose serial number row {row.number} of the list has at {row.address}" in rules.missing(seen(found), DEMO)[0]
    )


def test_what_is_stated_as_no_copier_is_none() -> None:
    fleet = DEMO.file.fleet.model_copy(update={"no_copiers": (NEW,)})
    stated = replace(DEMO, file=DEMO.file.model_copy(update={"fleet": fleet}))
    assert rules.missing(listing(NEW), stated) == []
    assert rules.missing(listing(NEW), DEMO) == ["10.20.91.254 (Ricoh IM C3000; print-server.csv C7)"]
    assert rules.doubtful(seen(Answering(address=NEW, ports=(515,))), stated) == []


def test_what_was_not_looked_at_proves_nothing() -> None:
    assert rules.untold(seen(), DEMO) == ""
    assert "3 addresses were not asked" in rules.untold(seen(unasked=3), DEMO)
    deaf = Unlisted(prefix=SURGERY.prefix, sweep=Sweep(asked=247, listed_seen=0))
    assert "nothing in this subnet answers" in rules.untold(deaf, DEMO)
    assert rules.untold(listing(LISTED), DEMO) == ""
    assert "names no device of this subnet" in rules.untold(listing(), DEMO)
    change = DEMO.file.site.last_change or DEMO.file.site.cutover
    assert change
    assert "older than what counts" in rules.untold(listing(LISTED, saved=change - timedelta(days=1)), DEMO)
    assert rules.untold(seen(unasked=3, known_list=listing(LISTED).known), DEMO) == ""


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("10.20.0.0/16", "larger than /22"),
        ("198.51.100.0/24", "a public network"),
        ("fd00:1::/64", "too large"),
    ],
)
def test_a_subnet_that_may_not_be_swept(prefix: str, why: str) -> None:
    with pytest.raises(Unproven, match=why):
        sweep._hosts(replace(SURGERY, prefix=prefix), DEMO, ())


def test_neither_listed_addresses_nor_its_own_are_asked() -> None:
    hosts = sweep._hosts(SURGERY, DEMO, ("10.20.91.10",))
    listed = {row.address for row in DEMO.table.rows}
    assert len(hosts) == 254 - len([it for it in listed if it and it.startswith("10.20.91.")]) - 1
    assert not listed & set(hosts)


@pytest.mark.parametrize(
    ("said", "make"),
    [("Web Image Monitor", "Ricoh"), ("HP HTTP Server; HP LaserJet MFP M528", "HP"), ("nginx", ""), ("", "")],
)
def test_makes(said: str, make: str) -> None:
    assert rules.make_of(said, MAKES) == make


# ---- another system's list


def with_known(folder: Path, text: str, **fleet: Any) -> Site:
    (folder / "devices.csv").write_text(text, encoding="utf-8")
    table = DEMO.file.fleet.model_copy(update={"known": "devices.csv", **fleet})
    return replace(DEMO, folder=folder, file=DEMO.file.model_copy(update={"fleet": table}))


def test_a_list_is_read_as_a_fleet_list_is(tmp_path: Path) -> None:
    text = "Printers of SRV-PRINT\n\nQueue;Model;IP address\nA;IM C3000;10.20.91.254\nB;;10.20.90.1\nC;MP 5054;LPT1:\n"
    found = sweep._known(SURGERY, with_known(tmp_path, text))
    assert [(it.address, it.name) for it in found.devices] == [(NEW, "Ricoh IM C3000")]
    assert found.without_address == 1
    assert abs(found.saved - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_list_with_two_queues_for_a_copier(tmp_path: Path) -> None:
    text = "Model,IP address\nIM C3000,10.20.91.254\nIM C3000,10.20.91.254\n"
    assert [it.address for it in sweep._known(SURGERY, with_known(tmp_path, text)).devices] == [NEW]


@pytest.mark.parametrize(
    ("text", "why"),
    [("Name,Where\nA,B\n", r"no address column.*known_columns"), ("", "empty")],
)
def test_a_list_that_can_not_be_read(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Unproven, match=why):
        sweep._known(SURGERY, with_known(tmp_path, text))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    table = DEMO.file.fleet.model_copy(update={"known": "gone.csv"})
    site = replace(DEMO, folder=tmp_path, file=DEMO.file.model_copy(update={"fleet": table}))
    with pytest.raises(Unproven, match=r"gone\.csv"):
        sweep._known(SURGERY, site)


def test_a_heading_of_its_own_can_be_named(tmp_path: Path) -> None:
    site = with_known(
        tmp_path, "Queue,Anschluss,Model\nA,10.20.91.254,IM C3000\n", known_columns={"address": "Anschluss"}
    )
    assert [it.address for it in sweep._known(SURGERY, site).devices] == [NEW]


# ---- whole runs


def without_list(text: str) -> str:
    return text.replace('known = "print-server.csv"\n', "")


def test_without_a_sweep_and_without_a_list_it_is_not_applicable(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "demo", change=without_list)
    run = suite.pytest(tmp_path / "run", "-q", f"--site={folder}", "-k", "INV-1 or INV-3")
    assert not [pair for pair in run.cases if pair[0] == "INV-3"]
    apart = [row for row in run.run["coverage"]["not_applicable"] if row["requirement"] == "INV-3"]
    assert {row["subject"] for row in apart} == {part.prefix for part in DEMO.subnets}
    assert {row["reason"] for row in apart} == {
        "no sweep was asked for (--discover), and no list was imported ([fleet] known)"
    }
    assert run.run["coverage"]["missing"] == []


def test_a_sweep_finds_the_copier_and_is_judged_again_from_its_record(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "demo", change=without_list)
    run = suite.pytest(
        tmp_path / "run", "-q", f"--site={folder}", "--discover", "--lab-fault=unlisted-copier", "-k", "INV-3"
    )
    case = run.cases["INV-3", SURGERY.prefix]
    assert case["verdict"] == "advice"
    assert f"{NEW} (RICOH IM C3000; seen by TCP 80, 443 and start page and SNMP)" in case["observed"]
    assert {verdict for pair, verdict in run.verdicts.items() if pair[1] != SURGERY.prefix} == {"passed"}
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={run.folder}", "-k", "INV-3")
    assert again.verdicts == run.verdicts


def test_a_sweep_goes_by_real_packets_in_namespaces(tmp_path: Path) -> None:
    if probe.verdict(probe.probe())[0] != "namespaces":
        pytest.skip("needs the lab in namespaces")
    run = suite.pytest(
        tmp_path / "run", "-q", "--lab-network=namespaces", "--discover", "--lab-fault=unlisted-copier",
        "-k", "INV-3 and 10.20.91.0/24",
    )  # fmt: skip
    case = run.cases["INV-3", SURGERY.prefix]
    assert f"{NEW} (RICOH IM C3000; seen by" in case["observed"]
    assert "247 addresses asked by ICMP and TCP" in case["observed"]
    line = next(it for it in (run.folder / "evidence.jsonl").read_text().splitlines() if '"unlisted"' in it)
    facts = json.loads(line)["facts"]
    assert facts["sweep"]["asked"] == 247
    assert known.UNLISTED in {it["serial"] for it in facts["sweep"]["answering"]}


def test_an_old_list_proves_nothing(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "demo")
    (folder / "print-server.csv").write_text(f"Model,IP address\nIM C3000,{LISTED}\n", encoding="utf-8")
    os.utime(folder / "print-server.csv", (0, 10**9))
    run = suite.pytest(tmp_path / "run", "-q", f"--site={folder}", "-k", "INV-3")
    assert run.verdicts["INV-3", SURGERY.prefix] == "unproven"
    assert "older than what counts" in run.cases["INV-3", SURGERY.prefix]["observed"]


def test_discover_gathers(tmp_path: Path) -> None:
    refused = suite.pytest(tmp_path / "run", "-q", f"--evidence={tmp_path}", "--discover")
    assert refused.status == 4
    refused.shows("--evidence judges what was recorded: it can't go with --discover")
