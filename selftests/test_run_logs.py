"""Copiers that keep no access log: what a site states of them is shown, and doesn't stand against what a log holds."""

from __future__ import annotations

import csv
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from lab import probe
from scanproof import site as sites
from scanproof import sitefile
from selftests import suite

if TYPE_CHECKING:
    from pathlib import Path

DEMO = suite.ROOT / "inventory/demo"
SILENT = "3099R310305"  # the copier whose logs the fault log-off turns off
WHY = "model keeps no access log, vendor case 123"
STATED = f'no_access_log = "{WHY}"\n'
LISTED = f"it keeps no access log: {WHY}"
NETWORK, NO_NAMESPACES = probe.verdict(probe.probe())


def stating(into: Path) -> Path:
    """Copy the demo site, with the statement."""
    folder = into / "site"
    shutil.copytree(DEMO, folder)
    path = folder / "site.toml"
    text = path.read_text(encoding="utf-8")
    assert f'serial = "{SILENT}"\n' in text
    path.write_text(text.replace(f'serial = "{SILENT}"\n', f'serial = "{SILENT}"\n{STATED}'), encoding="utf-8")
    return folder


def of_one_subnet(folder: Path) -> None:
    """Leave of a site what a machine in its first subnet can prove all of: that subnet, and signing in to send."""
    found = sites.load(folder)
    kept = [copier for copier in found.copiers if copier.subnet == found.subnets[0].prefix][:2]
    with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["IP address", "Serial no.", "Make", "Model", "Location", "Host name"])
        rows.writerows([it.address, it.serial, it.make, it.model, it.location, it.host_name] for it in kept)
    path = folder / "site.toml"
    text = path.read_text(encoding="utf-8")
    head, *tables = re.split(r"(?m)^(?=\[)", text)
    own = found.subnets[0].prefix
    left = [
        table
        for table in tables
        if not table.startswith(("[[copier]]", "[[application]]", "[[support_case]]"))
        and (own in table or not table.startswith(("[[subnet]]", "[[egress]]")))
        and "reports@" not in table
    ]
    text = head + "".join(left) + f'\n[[copier]]\nserial = "{kept[0].serial}"\n{STATED}'
    for old, new in (
        ('workbook = "fleet.xlsx"', 'workbook = "list.csv"'),
        ('routes = ["smtp-auth", "direct-send", "relay"]', 'routes = ["smtp-auth"]'),
        ('scope = ["copiers", "applications"]', 'scope = ["copiers"]'),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def left_out(run: suite.Result) -> list[dict[str, str]]:
    return [
        row
        for row in run.run["coverage"]["not_applicable"]
        if row["requirement"] == "LOG-3" and LISTED in row["reason"]
    ]


def test_a_copier_without_an_access_log_does_not_stand_in_the_way(tmp_path: Path) -> None:
    stated = suite.pytest(
        tmp_path / "run",
        "-q",
        f"--site={stating(tmp_path)}",
        "--lab-fault=log-off",
        "--signoff",
        "--lab-network=loopback",
    )
    assert not any("LOG-3" in reason for reason in stated.run["signoff"]["reasons"])
    assert left_out(stated) == [{"requirement": "LOG-3", "subject": SILENT, "reason": LISTED}]
    assert stated.run["coverage"]["missing"] == []
    others = [verdict for (requirement, _), verdict in stated.verdicts.items() if requirement == "LOG-3"]
    assert len(others) == sum(requirement == "LOG-2" for requirement, _ in stated.verdicts) - 1
    assert set(others) == {"passed"}
    assert WHY in (stated.folder / "report.html").read_text(encoding="utf-8")


def test_a_statement_that_the_log_contradicts(tmp_path: Path) -> None:
    refuted = suite.pytest(tmp_path / "run", "-q", f"--site={stating(tmp_path)}", "--lab-network=loopback")
    (said,) = [reason for reason in refuted.run["signoff"]["reasons"] if "no_access_log" in reason]
    assert WHY in said
    assert "LOG-3 can be judged" in said
    refuted.shows("is stated to keep no access log")
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={refuted.folder}")
    assert said in again.run["signoff"]["reasons"]


@pytest.mark.skipif(NETWORK != "namespaces", reason=NO_NAMESPACES or "needs namespaces")
def test_a_site_with_such_a_copier_is_signed_off(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(DEMO, folder)
    of_one_subnet(folder)
    arguments = (f"--site={folder}", "--lab-network=namespaces", "--lab-fault=log-off", "--signoff")
    signed = suite.pytest(tmp_path / "run", "-q", *arguments)
    assert signed.run["signoff"] == {"ready": True, "reasons": []}
    assert signed.status == 0
    assert len(left_out(signed)) == 1
    text = (folder / "site.toml").read_text(encoding="utf-8")
    (folder / "site.toml").write_text(text.replace(STATED, ""), encoding="utf-8")
    silent = suite.pytest(tmp_path / "silent", "-q", *arguments)
    assert silent.status == 1
    (reason,) = silent.run["signoff"]["reasons"]
    assert reason.startswith("LOG-3 is not proven")
    (case,) = [case for case in silent.run["cases"] if case["requirement"] == "LOG-3" and case["verdict"] == "unproven"]
    assert "access log on (Configuration, Logs)" in case["remedy"]
    assert "[[copier]] no_access_log" in case["remedy"]


@pytest.mark.parametrize("value", ['""', '"  "', "true"])
def test_a_statement_says_why(value: str) -> None:
    with pytest.raises(sitefile.SiteError, match=r"copier\[1\]\.no_access_log: "):
        sitefile.parse(f'[site]\nname = "a"\n[mail]\ndomain = "a.example"\n[[copier]]\nno_access_log = {value}\n')
