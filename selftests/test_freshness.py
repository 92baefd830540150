"""A later change than a run knew of makes old what it recorded: a proof older than the last change proves nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import freshness, store
from selftests import suite
from selftests.test_run_healthy import healthy, said, site_copy

if TYPE_CHECKING:
    from pathlib import Path

CHANGE = datetime(2026, 11, 23, 9, 0, 30, tzinfo=UTC)
BEFORE, AFTER = "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z"
LOOKS_BACK = {"DLV-2", "DLV-3", "COV-1", "COV-2", "COV-3", "LOG-1", "LOG-2", "APP-2"}
LOOKS = {"NET-2", "NET-3", "NET-4", "INV-2", "DEV-2", "DEV-3", "TEN-1", "TEN-8", "DNS-1", "SMTP-1", "DLV-1"}


def judged(folder: Path, change: datetime) -> suite.Result:
    """Judge the healthy run again, its mails of two days before, as of a change that it did not know of."""
    earlier = folder / "earlier"
    shutil.copytree(healthy().folder, earlier)
    path, lines = earlier / store.FILE, []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if found.get("facts") and found["kind"] in {"scan", "report"}:
            received = datetime.fromisoformat(found["facts"]["received"]) - timedelta(days=2)
            found["facts"]["received"] = received.isoformat()
        lines.append(json.dumps(found))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    stated = f"lab = true\nlast_change = {change:%Y-%m-%dT%H:%M:%S}Z"
    site = site_copy(folder / "site", change=lambda text: text.replace("lab = true", stated, 1))
    return suite.pytest(folder / "run", "-q", f"--evidence={earlier}", f"--site={site}")


def test_mails_and_log_lines_from_before_a_later_change_prove_nothing(tmp_path: Path) -> None:
    before = healthy()
    change = datetime.fromisoformat(before.run["started"]) - timedelta(days=1)
    now = judged(tmp_path, change)
    held = {pair for pair, verdict in before.verdicts.items() if verdict == "passed"}
    assert {of for of, _ in held} >= LOOKS_BACK | LOOKS
    assert {now.verdicts[pair] for pair in held if pair[0] in LOOKS_BACK} == {"unproven"}
    assert {now.verdicts[pair] for pair in held if pair[0] in LOOKS} == {"passed"}
    assert not now.run["signoff"]["ready"]
    scan = next(case for (of, _), case in now.cases.items() if of == "DLV-2")
    assert f"UTC, before the site's last_change ({change:%Y-%m-%d %H:%M:%S} UTC)" in scan["observed"]
    assert "run again" in scan["remedy"]
    notes = [note for note in now.run["notes"] if "was not gathered as of" in note]
    assert len(notes) == 1
    assert f"the site's last_change, {change:%Y-%m-%d %H:%M:%S} UTC" in notes[0]
    # What it recorded so is judged so again, by itself.
    assert said(suite.pytest(tmp_path / "again", "-q", f"--evidence={now.folder}")) == said(now)


def test_nothing_from_before_a_later_change_proves_anything(tmp_path: Path) -> None:
    now = judged(tmp_path, datetime.now(UTC) + timedelta(hours=1))
    resting = {case["verdict"] for case in now.run["cases"] if case["evidence"]}
    assert not resting & {"passed", "failed", "blocked"}


def record(kind: str, subject: str = "X", **more: Any) -> store.Recorded:
    told = {"id": f"{kind}/{subject}@here", "started": AFTER, "outcome": "observed", "facts": {}, "needs": [], **more}
    return store.Recorded(kind, subject, "here", told, "run")


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (record("ping"), ""),
        (record("ping", started=BEFORE), "it is of 2026-11-23 08:00:00 UTC, before the site's last_change"),
        (record("ping", started=BEFORE, outcome="blocked", blocked_by=["NET-4"]), "2026-11-23 08:00:00 UTC"),
        (record("scan", facts={"received": AFTER}), ""),
        (record("scan", facts={"received": BEFORE}), "2026-11-23 08:00:00 UTC"),
        (record("scan", facts={"received": None}), "its moment is not told"),
        (record("report", facts={"received": BEFORE}), "2026-11-23 08:00:00 UTC"),
        (record("connections", facts={"saved": BEFORE}), "2026-11-23 08:00:00 UTC"),
        (record("connections", facts={"saved": "nonsense"}), "its moment is not told"),
        (record("email_settings", facts={"source": "a.html, saved on 2026-11-23 09:00 UTC, by"}), "09:00:00 UTC"),
        (record("smtp_auth", facts={"source": "x.json, saved on 2026-11-23 09:01 UTC"}), ""),
        (record("own_log"), "counts from another moment"),
        (record("block", facts={"own": {}, "by_copier": "", "delivered": None}), ""),
        (record("block", facts={"own": None, "by_copier": "a scan", "delivered": BEFORE}), "2026-11-23 08:00:00 UTC"),
        (record("identity", facts={"known_since": BEFORE}), ""),
        (record("scan", outcome="unproven", started=BEFORE, reason="as it was"), "as it was"),
        (record("ping", facts=[BEFORE]), ""),
    ],
)
def test_what_is_older_by_each_kind(recorded: store.Recorded, why: str) -> None:
    (found,), count = freshness.as_of([recorded], CHANGE, "last_change")
    if not why:
        assert found == recorded
        assert count == 0
        return
    assert found.record["outcome"] == "unproven"
    assert why in found.record["reason"]
    assert count == (why != "as it was")


def test_what_rests_on_older_evidence_goes_with_it() -> None:
    old, new = record("scan", "A", facts={"received": BEFORE}), record("scan", "B", facts={"received": AFTER})
    ids = [str(it.record["id"]) for it in (old, new)]
    one, two = record("subnet_proof", "S", needs=ids), record("subnet_proof", "T", needs=ids[1:])
    above = record("encrypted_route", "S", needs=[str(one.record["id"])])
    # A proof of egress names the scan that it rests on itself; in a log, a scan looks for what speaks against it.
    egress = record("block", needs=ids, facts={"own": {}, "by_copier": "a scan of B", "delivered": AFTER})
    begun = store.Recorded("admin_login", "A", "here", {}, "run")
    found, count = freshness.as_of([above, one, two, old, new, egress, begun], CHANGE, "cutover")
    assert [it.record.get("outcome") for it in found] == ["unproven"] * 2 + ["observed", "unproven"] + [
        "observed",
        "observed",
        None,
    ]
    assert count == 3
    assert "rests on subnet_proof/S, which proves nothing now: it rests on scan/A" in found[0].record["reason"]


def test_a_subnet_is_proven_by_the_scans_that_are_fresh() -> None:
    old, new = record("scan", "A", facts={"received": BEFORE}), record("scan", "B", facts={"received": AFTER})
    old, new = (
        replace(it, record={**it.record, "subject": {"name": it.subject, "label": label}})
        for it, label in ((old, "Copier 1"), (new, "Copier 2"))
    )
    needs = [str(it.record["id"]) for it in (old, new)]
    facts = {"proven": ["Copier 1 of x", "Copier 2 of y", "Copier 1 of 2"], "wrong": ["Copier 1: z", "Copier 2: w"]}
    whole = record("subnet_proof", "S", needs=needs, facts=facts)
    above = record("encrypted_route", "S", needs=[str(whole.record["id"])])
    found, count = freshness.as_of([above, whole, old, new], CHANGE, "last_change")
    assert [it.record["outcome"] for it in found] == ["observed", "observed", "unproven", "observed"]
    assert count == 1
    assert found[1].record["facts"] == {"proven": ["Copier 2 of y"], "wrong": ["Copier 2: w"]}
    assert found[1].record["needs"] == needs[1:]
    # Where the fresh one proves nothing, or all are old, nothing is left of it.
    for proven in (["Copier 1 of x"], [], None, ["Copier 22 of y"]):
        lone = record("subnet_proof", "S", needs=needs, facts={"proven": proven, "wrong": ["Copier 2: w"]})
        (judged, *_), _count = freshness.as_of([lone, old, new], CHANGE, "last_change")
        assert judged.record["outcome"] == "unproven"


def test_a_scan_outlasts_the_log_that_did_not_speak_against_it() -> None:
    log, own = record("device_log"), record("own_log")
    scan = record("scan", needs=[str(log.record["id"])], facts={"received": AFTER})
    proof = record("route_proof", needs=[str(scan.record["id"]), str(own.record["id"])])
    lost = record("scan", "Y", needs=[str(log.record["id"])], facts={"received": None})
    found, _ = freshness.as_of([log, own, scan, proof, lost], CHANGE, "cutover")
    assert [it.record["outcome"] for it in found] == ["unproven", "unproven", "observed", "observed", "unproven"]
