"""Certificates of known devices: kept at first sight, compared ever after, whatever stands in their file."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import site as sites
from scanproof.devices import pins
from scanproof.kinds import Unproven
from selftests import suite
from selftests.test_run_healthy import DEMO, no_traceback, said, site_copy

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Site

ONE, OTHER = "1" * 64, "2" * 64


def real(folder: Path, now: datetime | None = None) -> Site:
    """Return the demo site as if it were a real one, in a folder of its own."""
    if not folder.exists():
        site_copy(folder, change=lambda text: text.replace("lab = true", "lab = false").partition("[tenant]")[0])
    return sites.load(folder, now=now)


def content(folder: Path) -> Any:
    return json.loads((folder / pins.FILE).read_text(encoding="utf-8"))


def test_a_certificate_is_kept_at_first_sight_and_never_replaced(tmp_path: Path) -> None:
    first = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    site = real(tmp_path / "site", first)
    copier, second = site.copiers[:2]
    assert pins.known(copier, site) == pins.Pin()
    assert pins.keep(copier, site, ONE) == pins.Pin()  # nothing was known before
    assert pins.keep(second, site, ONE) == pins.Pin()
    later = real(tmp_path / "site", datetime(2026, 11, 24, tzinfo=UTC))
    assert pins.keep(copier, later, OTHER) == pins.Pin(ONE, first)
    assert pins.known(copier, later) == pins.Pin(ONE, first)
    assert [path.name for path in (tmp_path / "site").iterdir() if "known" in path.name] == [pins.FILE]


def test_a_device_that_shows_no_certificate_is_not_kept(tmp_path: Path) -> None:
    site = real(tmp_path / "site")
    assert pins.keep(site.copiers[0], site, "") == pins.Pin()
    assert not (tmp_path / "site" / pins.FILE).exists()


def test_whichever_line_of_a_device_is_deleted_the_rest_is_json(tmp_path: Path) -> None:
    site = real(tmp_path / "site")
    for copier in site.copiers:
        pins.keep(copier, site, ONE)
    path = tmp_path / "site" / pins.FILE
    whole = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for copier in site.copiers:
        left = [text for text in whole if not text.strip().startswith(pins.line(copier))]
        assert len(left) == len(whole) - 1
        path.write_text("".join(left), encoding="utf-8")
        assert pins.known(copier, site) == pins.Pin()
        assert all(pins.known(other, site).certificate == ONE for other in site.copiers if other != copier)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1, column 2: not JSON"),
        ('{"copier A": 1,}', "not JSON"),
        ("[]", "holds a list"),
        ("", "not JSON"),
        ("NaN", "holds a float"),
        ("[" * 100_000, "recursion"),
        ('{"n": ' + "9" * 5000 + "}", "digits"),
        ('{"format": 2}', '"format" is 2'),
        ('{"KEY": "x"}', "KEY: 'x' is not an object"),
        ('{"KEY": {}}', "KEY: certificate is None"),
        ('{"KEY": {"certificate": "\\u202eabc"}}', "KEY: certificate is"),
        ('{"KEY": {"certificate": "SHA"}}', "KEY: since is None"),
        ('{"KEY": {"certificate": "SHA", "since": "2026-11-20"}}', "KEY: since is '2026-11-20'"),
        ('{"KEY": {"certificate": "SHA", "since": 5}, "KEY": {}}', "KEY stands there twice"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    site = real(tmp_path / "site")
    copier = site.copiers[0]
    path, key = tmp_path / "site" / pins.FILE, pins.line(copier)
    path.write_text(text.replace('"KEY"', key).replace("SHA", ONE), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(Unproven) as stopped:
        pins.keep(copier, site, ONE)
    assert stopped.value.reason.startswith(f"{pins.FILE}: ")
    assert words.replace("KEY", key) in stopped.value.reason
    assert "\n" not in stopped.value.reason
    assert "\u202e" not in stopped.value.reason
    assert path.read_bytes() == before


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    site = real(tmp_path / "site")
    (tmp_path / "site" / pins.FILE).write_bytes(b"\xff\xfe{}")
    with pytest.raises(Unproven, match="not UTF-8 text"):
        pins.known(site.copiers[0], site)


def test_a_wrong_line_costs_its_own_device_only_and_stays(tmp_path: Path) -> None:
    site = real(tmp_path / "site")
    bad, good = site.copiers[:2]
    path = tmp_path / "site" / pins.FILE
    path.write_text(f'{{{pins.line(bad)}: "typed by hand", "a note": [1]}}', encoding="utf-8")
    pins.keep(good, site, ONE)
    assert content(tmp_path / "site")[f"copier {bad.key}"] == "typed by hand"
    assert content(tmp_path / "site")["a note"] == [1]
    assert pins.known(good, site).certificate == ONE


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    site = real(tmp_path / "site")
    (tmp_path / "site" / f".{pins.FILE}.part").mkdir()  # not even an administrator writes a file there
    found = pins.keep(site.copiers[0], site, ONE)
    assert "can't be written" in found.trouble
    assert not (tmp_path / "site" / pins.FILE).exists()


def test_recorded_and_simulated_sites_keep_nothing(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "lab")
    simulated = sites.load(tmp_path / "lab")
    recorded = dataclasses.replace(real(tmp_path / "site"), folder=None)
    for site in (simulated, recorded):
        assert pins.keep(site.copiers[0], site, ONE) == pins.Pin()
    assert not list(tmp_path.rglob(pins.FILE))


def test_two_runs_of_a_site_whose_certificates_changed(tmp_path: Path) -> None:
    """The lab makes its certificate anew at each start, so the second run sees another one."""
    folder = site_copy(tmp_path / "site")
    (folder / pins.FILE).write_text("{}", encoding="utf-8")  # by which a simulated site says that it wants to be known
    for application in sites.load(
        folder
    ).applications_in_scope:  # else the lab would save it, into a copy of the folder
        (folder / application.connections).write_text("", encoding="utf-8")
    (folder / "print-server.csv").write_text("IP address\n10.20.90.11\n", encoding="utf-8")  # for the same reason
    chosen = (f"--site={folder}", "tests/test_device.py", "-k", "listed_one or login_works")
    first = suite.pytest(tmp_path / "first", *chosen)
    assert first.status == 0, first.output[-3000:]
    kept = content(folder)
    site = sites.load(folder)
    assert set(kept) == {"about", "format", *(f"copier {copier.key}" for copier in site.copiers)}

    second = suite.pytest(tmp_path / "second", *chosen)
    no_traceback(second)
    assert second.status == 1
    assert content(folder) == kept
    copier = site.copiers[0]
    case = second.cases["INV-2", copier.key]
    assert case["verdict"] == "failed"
    pin = kept[f"copier {copier.key}"]
    assert pin["certificate"] in case["expected"]
    assert f"{datetime.fromisoformat(pin['since']):%Y-%m-%d %H:%M} UTC" in case["expected"]
    assert "it shows another certificate than before" in case["observed"]
    assert f"delete the line {pins.line(copier)} from the site's {pins.FILE}" in case["remedy"]
    login = second.cases["DEV-1", copier.key]  # the password was not given to whoever answers there now
    assert (login["verdict"], login["blocked_by"]) == ("blocked", ["INV-2"])

    # Judged again, without the site's folder: what was known then stands in the evidence.
    shutil.rmtree(folder)
    again = suite.pytest(tmp_path / "again", f"--evidence={second.folder}", *chosen[1:])
    assert said(again) == said(second)


def test_a_damaged_file_leaves_the_identity_unproven_and_nobody_signs_in(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    (folder / pins.FILE).write_text("{]", encoding="utf-8")
    run = suite.pytest(tmp_path / "run", f"--site={folder}", "tests/test_device.py", "-k", "listed_one or login_works")
    no_traceback(run)
    assert set(run.verdicts.values()) == {"unproven"}
    assert all(f"{pins.FILE}: line 1, column 2: not JSON" in case["observed"] for case in run.cases.values())
    assert (folder / pins.FILE).read_text(encoding="utf-8") == "{]"
