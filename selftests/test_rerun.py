"""``--lf`` and ``--baseline`` as a user has them: one whole run of what is new and what is carried over."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.evidence import EVIDENCE
from scanproof import carry, inputs, store
from scanproof.kinds import Probe
from scanproof.report import prose
from scanproof.scope import senders
from scanproof.subjects import Machine, NetSubject
from scanproof.tenant import access, directory, settings
from selftests import suite
from selftests.test_run_healthy import healthy, no_traceback, said, site_copy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scanproof.site import Site

FAULT = "smtp-port-465"  # one copier's e-mail page
Key = tuple[str, str]


@cache
def broken(base: Path) -> suite.Result:
    """A run of the demo with one copier broken, in a folder of its own."""
    return suite.pytest(base / "broken", "-q", f"--lab-fault={FAULT}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("runs")
    assert broken(base).status == 1
    return base


def again(base: Path, name: str, *arguments: str) -> suite.Result:
    """Run with ``--lf`` beside the broken run; pytest's own cache stands where the run does."""
    return suite.pytest(base / name, "-q", "--lf", "-o", f"cache_dir={base / 'cache'}", *arguments)


@pytest.fixture(scope="module")
def mended(runs: Path) -> suite.Result:
    return again(runs, "mended", f"--baseline={runs / 'broken'}")


def records(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line for line in lines if "intent" not in line}


def anew(run: suite.Result) -> set[tuple[str, str]]:
    """Return the cases all of whose evidence is of this very run."""
    return {pair for pair, case in run.cases.items() if case["gathered"] and case["gathered"] >= run.run["started"]}


def test_one_whole_run_of_what_is_new_and_what_is_carried_over(runs: Path, mended: suite.Result) -> None:
    first = broken(runs)
    assert mended.status == 0, mended.output[-3000:]
    assert mended.verdicts == healthy().verdicts
    covered = mended.run["coverage"]
    assert covered == first.run["coverage"]
    assert covered["deselected"] == 0
    assert not [reason for reason in mended.run["signoff"]["reasons"] if "deselected" in reason]
    lacking = {
        pair for pair, case in first.cases.items() if case["verdict"] not in {"passed", "waived"} and case["evidence"]
    }
    assert lacking
    assert lacking <= anew(mended)
    assert len(anew(mended)) < len(mended.cases) / 2
    mended.shows("are gathered anew: what did not hold in broken", "evidence: ")


def test_each_case_says_how_old_its_evidence_is(runs: Path, mended: suite.Result) -> None:
    first, kept = broken(runs), records(mended.folder)
    for case in mended.run["cases"]:
        oldest = min((kept[name]["started"] for name in case["evidence"]), default=None)
        assert (case["gathered"] is None) == (oldest is None)
        assert oldest is None or oldest[:19] == case["gathered"][:19]
    parts = mended.run["parts"]
    assert [part["started"] for part in parts] == [first.run["started"], mended.run["started"]]
    assert parts[1]["cases"] == len(anew(mended))
    assert sum(part["cases"] for part in parts) == sum(bool(case["evidence"]) for case in mended.run["cases"])
    assert healthy().run["parts"] == [
        {"started": healthy().run["started"], "cases": sum(bool(case["evidence"]) for case in healthy().run["cases"])}
    ]
    html = (mended.folder / "report.html").read_text(encoding="utf-8")
    for part in parts:
        moment = datetime.fromisoformat(part["started"])
        assert f"{part['cases']:,} cases of {moment:%Y-%m-%d %H:%M:%S} UTC" in html
    assert "an earlier run" in html


def test_what_is_carried_over_is_the_earlier_record(runs: Path, mended: suite.Result) -> None:
    before, after = records(broken(runs).folder), records(mended.folder)
    began = mended.run["started"][:19]  # to the second
    carried = {name: record for name, record in after.items() if record["started"][:19] < began}
    assert carried
    assert all(before[name] == record for name, record in carried.items())
    # Of a copier that was signed in to again nothing is left of the session before.
    signed_in = {it["subject"]["name"] for name, it in after.items() if name not in carried and it["kind"] == "own_log"}
    kinds = {"admin_login", "email_settings", "address_book", "send_settings", "own_log"}
    assert len(signed_in) == 1
    assert not [it for it in carried.values() if it["kind"] in kinds and it["subject"]["name"] in signed_in]


def test_the_merged_run_is_judged_again_by_itself_and_can_be_carried_on(runs: Path, mended: suite.Result) -> None:
    replayed = suite.pytest(runs / "elsewhere" / "replayed", "-q", f"--evidence={mended.folder}")
    assert said(replayed) == said(mended)
    assert replayed.run["parts"] == mended.run["parts"]
    third = again(runs, "third")
    assert third.verdicts == mended.verdicts
    third.shows("what did not hold in mended")
    parts = third.run["parts"]
    assert next(part["started"] for part in parts) == broken(runs).run["started"]
    assert parts[-1]["started"] == third.run["started"]
    assert len(anew(third)) < len(third.cases) / 2


def test_baseline_tells_in_the_terminal_run_json_and_report(runs: Path, mended: suite.Result) -> None:
    first = broken(runs)
    found = mended.run["baseline"]
    assert (found["run"], found["started"]) == ("broken", first.run["started"])
    fixed = {(it["requirement"], it["subject"]) for it in found["fixed"]}
    failed = {pair for pair, verdict in first.verdicts.items() if verdict in {"failed", "blocked"}}
    assert fixed == failed
    assert found["new"] == found["lost"] == []
    assert {it["now"] for it in found["still"]} == {"advice"}
    mended.shows("since broken", "Nothing got worse since broken")
    html = (mended.folder / "report.html").read_text(encoding="utf-8")
    assert "What changed since “broken”" in html
    assert first.run["baseline"] is None


def test_a_baseline_changes_no_status(runs: Path, mended: suite.Result) -> None:
    folder = runs / "elsewhere"
    worse = suite.pytest(
        folder / "worse", "-q", f"--evidence={broken(runs).folder}", f"--baseline={mended.folder}", "-m", "reach"
    )
    assert worse.status == 0
    lost = {it["requirement"] for it in worse.run["baseline"]["lost"]}
    assert "DEV-3" in lost
    worse.shows("cases were left out", "Nothing got worse since mended")  # what the user left out is no regression
    green = suite.pytest(folder / "green", "-q", f"--evidence={broken(runs).folder}", f"--baseline={mended.folder}")
    assert green.status == broken(runs).status == 1
    green.shows("WORSE than mended", "goes backwards in time") if green.run["started"] < mended.run["started"] else None
    assert green.run["baseline"]["worse"] is True


@pytest.mark.parametrize("what", ["nosuch", "damaged", "other site", "gather only"])
def test_a_baseline_that_is_none_is_misuse_before_anything_is_probed(tmp_path: Path, what: str) -> None:
    bad = tmp_path / "bad"
    words = "--baseline"
    options = [f"--baseline={bad}"]
    if what == "damaged":
        bad.mkdir()
        (bad / "run.json").write_text("{", encoding="utf-8")
        words = "is damaged: no JSON"
    elif what == "other site":
        shutil.copytree(healthy().folder, bad)
        text = (bad / "run.json").read_text(encoding="utf-8")
        (bad / "run.json").write_text(text.replace('"name": "demo"', '"name": "school"', 1), encoding="utf-8")
        words = "is a run of the simulated site 'school'"
    elif what == "gather only":
        options = [f"--baseline={healthy().folder}", "--gather-only"]
        words = "nothing to compare"
    refused = suite.pytest(tmp_path / "run", "-q", *options)
    assert refused.status == 4
    assert len([line for line in refused.output.splitlines() if line.strip()]) == 1
    refused.shows(words)
    no_traceback(refused)
    assert not refused.folder.exists()


def test_without_an_earlier_run_everything_is_gathered(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/run.json").write_text('{"run": "of another program"}', encoding="utf-8")
    alone = again(tmp_path, "alone", "-m", "dns")
    assert alone.status == 0
    alone.shows("--lf: no earlier run of this site: everything is gathered.")
    assert anew(alone) == {pair for pair, case in alone.cases.items() if case["evidence"]}


def began(folder: Path, moment: datetime) -> dict[str, Any]:
    """Make a run's folder say when it began, and return what it says."""
    path = folder / "inputs/run.json"
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) | {"started": moment.isoformat()}
    path.write_text(json.dumps(about), encoding="utf-8")
    return about


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("damaged", "its result can't be read"),
        ("killed", "did not end: it holds no run.json"),
        ("gathered", "it only gathered, and was not judged"),
        ("nameless", "its result can't be read"),
    ],
)
def test_an_older_run_is_no_substitute_for_the_latest(runs: Path, tmp_path: Path, what: str, words: str) -> None:
    """What failed since the older one is in the latest alone, whatever state that is in."""
    for name in ("green", "latest"):
        shutil.copytree(runs / "broken", tmp_path / name)
    latest = tmp_path / "latest"
    about = began(latest, datetime.now(UTC))
    path = latest / "run.json"
    if what in {"damaged", "nameless"}:
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.unlink()
    if what == "killed":
        (latest / "manifest.json").unlink()
        (latest / "inputs/run.json").write_text(json.dumps(about | {"gathered": False}), encoding="utf-8")
    if what == "nameless":
        shutil.rmtree(latest / "inputs")
    anew_all = again(tmp_path, "now", "-m", "dns")
    anew_all.shows("nothing is carried over from latest: ", words, "everything is gathered")
    assert anew(anew_all) == {pair for pair, case in anew_all.cases.items() if case["evidence"]}
    # The whole run is the latest now, and can be carried over.
    again(tmp_path, "then", "-m", "dns").shows("in now")


def test_where_all_held_everything_is_gathered(tmp_path: Path) -> None:
    shutil.copytree(healthy().folder, tmp_path / "green")
    whole = again(tmp_path, "whole", "-k", "DNS-1")
    assert whole.status == 0
    whole.shows("all that rests on evidence held in green: everything is gathered, as pytest runs all tests where none")
    assert whole.run["parts"] == [{"started": whole.run["started"], "cases": len(anew(whole))}]
    assert "evidence: " not in whole.output
    assert len(anew(whole)) == len(whole.cases) > 0


def test_a_run_of_one_earlier_run_s_evidence_says_of_when_it_is(tmp_path: Path) -> None:
    first = healthy().run["started"]
    old = suite.pytest(tmp_path / "old", "-q", f"--evidence={healthy().folder}")
    (part,) = old.run["parts"]
    assert part["started"] == first < old.run["started"]
    old.shows(f"evidence: {part['cases']} cases of {first}")
    shown = f"{datetime.fromisoformat(first):%Y-%m-%d %H:%M:%S} UTC"
    page = (old.folder / "report.html").read_text(encoding="utf-8")
    assert f"{part['cases']:,} cases of {shown}" in page
    assert page.count(", an earlier run") == part["cases"]
    update = (old.folder / "ticket-update.md").read_text(encoding="utf-8")
    assert f"By evidence of:** {prose.clock(first)}" in update
    assert f"The evidence was gathered in an earlier run: {prose.clock(first)}" in update
    assert "evidence of this run" not in (page + update).lower()
    own = (healthy().folder / "report.html").read_text(encoding="utf-8")
    assert ", an earlier run" not in own
    assert "By evidence of" not in (healthy().folder / "ticket-update.md").read_text(encoding="utf-8")


def test_a_run_that_saw_nothing_itself_is_not_ready(tmp_path: Path) -> None:
    """What had to be gathered anew can't be seen on loopback; all that was observed is of then."""
    shutil.copytree(healthy().folder, tmp_path / "green")
    blind = again(tmp_path, "blind", "-k", "EGR-1 or DNS-1")
    assert {blind.verdicts[pair] for pair in blind.verdicts if pair[0] == "DNS-1"} == {"passed"}
    reason = "nothing was observed by this run itself, only by earlier ones: run without --lf"
    assert reason in blind.run["signoff"]["reasons"]
    whole = again(tmp_path, "whole", "-k", "DNS-1")  # gathers all of it
    assert reason not in whole.run["signoff"]["reasons"]


def test_a_run_that_was_changed_is_not_carried(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "broken", tmp_path / "broken")
    path = tmp_path / "broken/evidence.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("465", "587"), encoding="utf-8")
    changed = again(tmp_path, "changed", "-m", "dns")
    changed.shows("nothing is carried over from broken: it was changed since it was sealed", "evidence.jsonl")
    assert len(changed.run["parts"]) == 1


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_whose_seal_is_gone_is_not_carried(runs: Path, tmp_path: Path, *, finished: bool) -> None:
    shutil.copytree(runs / "broken", tmp_path / "broken")
    (tmp_path / "broken/manifest.json").unlink()
    if not finished:  # whoever takes the manifest away can write this as well
        path = tmp_path / "broken/run.json"
        path.write_text(re.sub('"finished": "[^"]*"', '"finished": null', path.read_text(encoding="utf-8"), count=1))
    unsealed = again(tmp_path, "unsealed", "-m", "dns")
    unsealed.shows("nothing is carried over from broken: it has no seal", "everything is gathered")
    assert len(unsealed.run["parts"]) == 1


def test_progress_over_the_runs(runs: Path, mended: suite.Result) -> None:
    told = mended.run["history"]
    assert [it["run"] for it in told][-2:] == ["broken", "mended"]
    assert {it["copiers"] for it in told} == {len(mended.run["copiers"])}
    assert told[-1]["proven"] == sum(it["verdict"] == "works" for it in mended.run["copiers"])
    assert 'id="prog-title"' in (mended.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="prog-title"' not in (broken(runs).folder / "report.html").read_text(encoding="utf-8")


def test_evidence_and_lf_exclude_each_other(tmp_path: Path) -> None:
    refused = again(tmp_path, "run", f"--evidence={healthy().folder}")
    assert refused.status == 4
    refused.shows("it can't go with --lf, which gathers")


def test_what_the_site_file_says_otherwise_is_gathered(runs: Path, tmp_path: Path) -> None:
    for name in ("broken",):
        shutil.copytree(runs / name, tmp_path / name)
    site = site_copy(
        tmp_path / "site", change=lambda text: text.replace("arrival_deadline = 20", "arrival_deadline = 21")
    )
    changed = again(tmp_path, "changed", f"--site={site}", "-m", "reach or dns")
    changed.shows("nothing is carried over from broken: site.toml says otherwise now; everything is gathered")
    assert len(changed.run["parts"]) == 1
    told = site_copy(tmp_path / "told", change=lambda text: text.replace("REQ-104217", "REQ-104218"))
    shutil.rmtree(tmp_path / "changed")
    same = again(tmp_path, "same", f"--site={told}", "-m", "reach or dns")
    assert len(same.run["parts"]) == 2


# The rules themselves, on the healthy run's own evidence.


def site_of(folder: Path, **otherwise: Any) -> Site:
    site = inputs.recall(folder, now=datetime.now(UTC))
    machine = inputs.machine(folder)
    return replace(site, machine=machine, **otherwise)


def stock(folder: Path, site: Site) -> carry.Stock:
    return carry.open_run(folder, site, inputs.told(folder))


def plan_of(site: Site) -> carry.Plan:
    plan: carry.Plan = {}
    copier_kinds = ("ping", "http_page", "https_page", "identity", "email_settings", "own_log", "address_book", "scan")
    for copier in site.copiers:
        for name in copier_kinds:
            plan[EVIDENCE[name].probe.kind, copier.key] = (EVIDENCE[name].probe, copier)
    for subnet in site.subnets:
        subject = NetSubject(subnet)
        plan[EVIDENCE["subnet_proof"].probe.kind, subject.key] = (EVIDENCE["subnet_proof"].probe, subject)
    return plan


def carried(folder: Path, site: Site, again: list[Key] | None = None) -> set[Key]:
    cases = [frozenset({key}) for key in plan_of(site)]
    return set(stock(folder, site).carried(plan_of(site), cases, [frozenset({key}) for key in again or ()]))


def row_changed(site: Site, number: int, **changes: Any) -> Site:
    rows = list(site.table.rows)
    rows[number] = replace(rows[number], **changes)
    return replace(site, table=replace(site.table, rows=tuple(rows)))


def test_what_rests_on_what_did_not_hold_goes_with_it() -> None:
    folder = healthy().folder
    site = site_of(folder)
    whole = carried(folder, site)
    copier = next(it for it in site.copiers if ("email_settings", it.key) in whole)
    left = whole - carried(folder, site, [("identity", copier.key)])
    assert {kind for kind, key in left if key == copier.key} >= {
        "identity",
        "email_settings",
        "own_log",
        "address_book",
    }
    assert ("http_page", copier.key) not in left
    session = whole - carried(folder, site, [("address_book", copier.key)])
    assert {kind for kind, _ in session if _ != copier.subnet} == {"address_book", "email_settings", "own_log", "scan"}
    pinged = whole - carried(folder, site, [("http_page", copier.key)])
    assert ("identity", copier.key) in pinged


def test_moved_rows_carry_and_changed_ones_do_not() -> None:
    folder = healthy().folder
    site = site_of(folder)
    whole = carried(folder, site)
    moved = replace(
        site,
        table=replace(
            site.table,
            rows=tuple(replace(row, number=row.number + 3) for row in reversed(site.table.rows)),
        ),
    )
    assert carried(folder, moved) == whole
    number = next(at for at, row in enumerate(site.table.rows) if ("email_settings", row.key) in whole)
    key = site.table.rows[number].key
    other = row_changed(site, number, location="Elsewhere")
    left = carried(folder, other)
    assert left
    assert not [one for one in left if one[1] == key]
    # Whose mail a scan is, and what proves a subnet, hangs on the whole list.
    assert not [one for one in left if one[0] in {"scan", "subnet_proof"}]


def test_another_address_is_another_target() -> None:
    folder = healthy().folder
    site = site_of(folder)
    row = site.table.rows[0]
    other = row_changed(site, 0, address="10.20.90.250")
    assert not [one for one in carried(folder, other) if one[1] == row.key]


REFUSALS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another site": (lambda about: about.update(site="school"), "gathered at another site"),
    "a real site": (lambda about: about.update(lab=False), "gathered at another site"),
    "another tenant": (lambda about: about.update(tenant="other"), "read another tenant"),
    "another version": (lambda about: about["told"].update(version="0.0.1"), "another version of Scanproof"),
    "another since": (lambda about: about["told"].update(since="2026-11-20T00:00:00+00:00"), "--since"),
    "other pages": (lambda about: about["told"].update(devices="abc"), "devices.toml says otherwise"),
    "files not told": (lambda about: about["told"].pop("files"), "doesn't say under which options"),
    "not told": (lambda about: about.pop("told"), "doesn't say under which options"),
    "odd": (lambda about: about.update(told=[1]), "doesn't say under which options"),
    "swept": (lambda about: about.update(discover=True), "swept"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_another_run_is_not_carried(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(healthy().folder, folder)
    site, told = site_of(folder), inputs.told(folder)
    path = folder / "inputs/run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    change, words = REFUSALS[name]
    change(about)
    path.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(store.StoreError, match=words):
        carry.open_run(folder, site, told)


FILES = {
    "print-server.csv": ("unlisted", "10.20.90.0/24"),
    "laboratory-connections.txt": ("connections", "Laboratory+20reports"),
    "page.html": ("email_settings", "3089R210142"),
    "log.csv": ("own_log", "3099R310277"),
    "saved/Get-CASMailbox.json": ("smtp_auth", "scan@northfield.example"),
}


def with_files(folder: Path) -> tuple[Path, Site]:
    """Return a run of a site that names files of every kind, and that site with its files."""
    kept, own = folder / "run", folder / "site"
    shutil.copytree(healthy().folder, kept)
    path = kept / "inputs/site.toml"
    text = path.read_text(encoding="utf-8").replace("[tenant]\n", '[tenant]\nsaved = "saved"\n', 1)
    for key, name in (("settings", "page.html"), ("log", "log.csv")):
        text += f'\n[[copier]]\nserial = "{FILES[name][1]}"\n{key} = "{name}"\n'
    path.write_text(text, encoding="utf-8")
    for name in FILES:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("as it was", encoding="utf-8")
    site = replace(site_of(kept), folder=own)
    about = json.loads((kept / "inputs/run.json").read_text(encoding="utf-8"))
    about["told"] = carry.fingerprint(site, None)
    (kept / "inputs/run.json").write_text(json.dumps(about), encoding="utf-8")
    return kept, site


def pieces(kept: Path, site: Site) -> set[Key]:
    """Return which evidence that reads those files, or rests on such, may be carried over."""
    found = carry.open_run(kept, site, carry.fingerprint(site, None))
    subjects: list[Any] = [*site.copiers, *map(NetSubject, site.subnets), *site.applications]
    subjects += [choice.subject for choice in senders(site)]
    kinds = ["identity", "route_proof", "expected_sign_in", *(kind for kind, _ in FILES.values())]
    asked = [(EVIDENCE[kind].probe, subject) for kind in kinds for subject in subjects]
    return {(probe.kind, subject.key) for probe, subject in asked if found.piece(probe, subject)}


@pytest.mark.parametrize("how", ["changed", "vanished", "appeared"])
@pytest.mark.parametrize("name", FILES)
def test_what_reads_a_file_that_changed_is_gathered(tmp_path: Path, name: str, how: str) -> None:
    kept, site = with_files(tmp_path)
    assert site.folder
    whole = pieces(kept, site)
    assert set(FILES.values()) <= whole
    path = site.folder / name
    if how == "appeared":
        path = path.with_name("another.json") if name.startswith("saved/") else path
        if path.exists():
            path.unlink()
            about = json.loads((kept / "inputs/run.json").read_text(encoding="utf-8"))
            about["told"] = carry.fingerprint(site, None)
            (kept / "inputs/run.json").write_text(json.dumps(about), encoding="utf-8")
    if how == "vanished":
        path.unlink()
    else:
        path.write_text("as it is now", encoding="utf-8")
    gone = whole - pieces(kept, site)
    kind, key = FILES[name]
    assert (kind, key) in gone
    assert whole - gone, "nothing else may be gathered anew for it"
    if kind == "smtp_auth":
        assert {of for of, _ in gone} == {"smtp_auth", "expected_sign_in"}
    elif kind in {"unlisted", "connections"}:
        assert {of for of, _ in gone} == {kind}
    else:
        assert {about for of, about in gone if of != "route_proof"} == {key}  # that rests on others' too
        assert ("identity", key) not in gone


def test_what_a_saved_answer_serves_for_is_known() -> None:
    """Kinds of evidence that read the tenant by ``reading`` are those that a changed answer makes old."""
    modules = (access, directory, settings)
    read = {
        it.kind
        for module in modules
        for it in vars(module).values()
        if isinstance(it, Probe) and it.function.__module__ == module.__name__
    }
    assert read - {"granted"} == carry._OF_THE_TENANT  # that one reads the run's own tokens
    library = (suite.ROOT / "scanproof").rglob("*.py")
    readers = {path.stem for path in library if re.search(r"import.*\breading\b", path.read_text(encoding="utf-8"))}
    assert readers == {module.__name__.rpartition(".")[2] for module in modules}


def test_old_future_damaged_and_torn_evidence_is_gathered(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(healthy().folder, folder)
    site = site_of(folder)
    whole = carried(folder, site)
    keys = [key for key in sorted(whole) if key[0] == "ping"][:2] + [
        key for key in sorted(whole) if key[0] == "http_page"
    ]
    keys += [key for key in sorted(whole) if key[0] == "https_page"]
    old, future = (site.now + timedelta(days=days) for days in (-400, 2))
    changes: dict[Key, Callable[[dict[str, Any]], object]] = {
        keys[2]: lambda record: record.update(started=old.isoformat()),
        keys[3]: lambda record: record.update(started=future.isoformat()),
        keys[4]: lambda record: record.update(facts={"nonsense": True}),
        keys[5]: lambda record: record.update(outcome="splendid"),
        keys[6]: lambda record: record.update(target="10.9.9.9"),
        keys[7]: lambda record: record.update(needs=["door/nobody@nowhere"]),
    }
    lines = []
    for line in (folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        change = changes.get((record["kind"], record["subject"]["name"]))
        if change and "intent" not in record:
            change(record)
        lines.append(json.dumps(record))
    (folder / "evidence.jsonl").write_text("\n".join([*lines, '{"kind": "ping", "sub']), encoding="utf-8")
    left = carried(folder, site_of(folder))
    assert not left & changes.keys()
    # What rests on old evidence is as old; and what rests on something of which nothing is known, likewise.
    resting = {("identity", key[1]) for key in list(changes)[:2]}
    assert not left & resting


def test_nothing_from_before_the_last_change_is_carried() -> None:
    folder = healthy().folder
    site = site_of(folder)
    stated = site.file.site.model_copy(update={"last_change": site.now})
    changed = replace(site, file=site.file.model_copy(update={"site": stated}))
    before = carry.Stock(folder, changed, changed, store.merge([store.read(folder)]), inputs.machine(folder))
    assert before.carried(plan_of(site), [], []) == {}


def test_another_machine_s_own_rules_are_not_carried() -> None:
    folder = healthy().folder
    named = EVIDENCE["host_rules"]
    for machine in (inputs.machine(folder), "another"):
        site = replace(site_of(folder), machine=machine)
        found = stock(folder, site)
        observed = any(
            it.record.get("outcome") == "observed" for it in found.records.get(("host_rules", "this-machine"), ())
        )
        piece = found.piece(named.probe, Machine(machine))
        assert (piece is not None) == (observed and machine == inputs.machine(folder))


def test_records_beneath_are_kept_once(mended: suite.Result) -> None:
    lines = (mended.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
    counted = Counter(record["id"] for record in map(json.loads, lines) if "intent" not in record)
    assert set(counted.values()) == {1}
    kept = records(mended.folder)
    assert not [need for it in kept.values() for need in it["needs"] if need not in kept]
