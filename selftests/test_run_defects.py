"""What breaks in the suite itself or around it: a full disk, a broken probe, a library that is not installed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from scanproof import seal
from selftests import suite
from selftests.test_run_healthy import at_start, healthy, no_traceback, plugin, run_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SMALL = ("-m", "reach or inventory")


def on_full_disk(folder: Path, environment: Mapping[str, str] | None = None) -> suite.Result:
    result = run_in(environment or {}, folder, "-q", *SMALL)
    assert result.status in {1, 4}, result.output
    no_traceback(result)
    return result


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("limit", [40_000, 170_000])
def test_a_file_that_can_not_grow(tmp_path: Path, limit: int) -> None:
    """The evidence can't be written to its end, or not the report."""
    code = f"""
        import resource, sys
        if "pytest" in sys.orig_argv:
            resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    """
    full = on_full_disk(tmp_path / "run", at_start(tmp_path / "limit", code))
    assert full.status == 1
    full.shows("108 passed", "NOT READY", "not all of the report could be written: File too large; the verdicts stand")
    assert full.output.count("not all of the report") == 1
    assert ("the evidence could not be written" in full.output) == (limit == 40_000)
    assert not list(full.folder.glob(".*"))


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_recorded_evidence_that_can_not_be_copied(tmp_path: Path) -> None:
    """The run would be sealed with half of what it was judged by, and say nothing."""
    code = """
        import resource, sys
        if "pytest" in sys.orig_argv:
            import scanproof.store
            from scanproof.store import Writer
            limited = Writer._write
            def write(self, line):
                whole = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, whole[1]))
                limited(self, line)
                resource.setrlimit(resource.RLIMIT_FSIZE, whole)
            Writer._write = write
    """
    again = run_in(at_start(tmp_path / "limit", code), tmp_path / "run", "-q", f"--evidence={healthy().folder}", *SMALL)
    no_traceback(again)
    assert again.status == 1
    again.shows("NOT READY", "the evidence could not be written: ", "File too large; the evidence after this point")
    assert again.run["signoff"]["ready"] is False


def test_a_report_that_can_not_be_written_leaves_no_seal(tmp_path: Path) -> None:
    code = """
        import sys
        if "pytest" in sys.orig_argv:
            from pathlib import Path
            whole = Path.write_bytes
            def full(path, content):
                if "report.html" in path.name:
                    raise OSError(28, "No space left on device")
                return whole(path, content)
            Path.write_bytes = full
    """
    full = on_full_disk(tmp_path / "run", at_start(tmp_path / "limit", code))
    assert full.status == 1
    full.shows("not all of the report could be written: No space left on device; the verdicts stand")
    assert full.output.count("No space left") == 1
    assert "seal: " not in full.output
    assert not (full.folder / "manifest.json").exists()
    assert not (full.folder / "report.html").exists()
    assert seal.UNSEALED in (full.folder / "ticket-update.md").read_text(encoding="utf-8")


def test_causes_that_break_cost_no_verdict(tmp_path: Path) -> None:
    code = """
        import sys
        if "pytest" in sys.orig_argv:
            import scanproof.diagnosis.finding as finding
            def chains(*_, **__):
                raise RuntimeError("made up")
            finding.chains = chains
    """
    broken = run_in(at_start(tmp_path / "rule", code), tmp_path / "run", "-q", *SMALL)
    assert broken.status == 0
    broken.shows("The causes could not be found: RuntimeError: made up (chains", "108 passed")
    assert (broken.folder / "report.html").is_file()
    assert broken.run["causes"] == broken.run["copiers"] == []
    no_traceback(broken)


@pytest.fixture
def tiny_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', '160k')}", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_in_the_end(tiny_disk: Path) -> None:
    full = on_full_disk(tiny_disk / "run")
    assert full.status == 1
    full.shows("108 passed", "not all of the report could be written: No space left on device; the verdicts stand")


@pytest.mark.parametrize("tiny_disk", ["720k", "880k"], indirect=True)  # all of it takes some 950k
def test_on_a_disk_that_is_nearly_full_the_report_comes_before_tables(tiny_disk: Path) -> None:
    full = on_full_disk(tiny_disk / "run")
    left = {path.name for path in full.folder.iterdir()}
    assert {"run.json", "report.html"} <= left
    assert "cases.html" not in left
    assert seal.verify(full.folder).changes == []
    assert full.status == 1
    full.shows("not all of the report could be written: No space left on device; the verdicts stand")
    assert not list(full.folder.glob(".*"))


def test_a_disk_that_is_full_from_the_start(tiny_disk: Path) -> None:
    (tiny_disk / "other").write_bytes(b"x" * 155_000)
    full = on_full_disk(tiny_disk / "run")
    assert full.status == 4
    full.shows(f"ERROR: {tiny_disk / 'run'}: can't be written: No space left on device")


def test_a_broken_probe_is_an_error_of_its_own_cases(tmp_path: Path) -> None:
    code = """
        from scanproof.probes import web

        async def broken(subject, run):
            if subject.key == "3089R210142":
                raise ZeroDivisionError("no such thing")
            return await right(subject, run)

        right = web.http_page.function
        object.__setattr__(web.http_page, "function", broken)
    """
    run = run_in(plugin(tmp_path / "p", "broken_probe", code), tmp_path / "run", "-q", "-p", "broken_probe", *SMALL)
    assert run.status == 1
    no_traceback(run)
    errors = {pair for pair, verdict in run.verdicts.items() if verdict == "error"}
    assert errors == {("NET-2", "3089R210142"), ("NET-4", "3089R210142")}
    assert Counter(run.verdicts.values()) == {"passed": 106, "unproven": 26, "error": 2}
    run.shows("the suite itself failed (2)", "ZeroDivisionError: no such thing", "this is a defect of Scanproof")
    assert run.run["signoff"]["ready"] is False


def test_a_broken_gatherer_is_an_internal_error(tmp_path: Path) -> None:
    code = """
        from scanproof.gather import Gatherer

        async def collect(self, plan, *, deadline):
            raise ZeroDivisionError("no such thing")

        Gatherer.collect = collect
    """
    run = run_in(plugin(tmp_path / "p", "broken", code), tmp_path / "run", "-q", "-p", "broken", *SMALL)
    assert run.status == 3
    run.shows("ZeroDivisionError: no such thing")
    assert set(run.verdicts.values()) == {"error"}
    assert run.run["signoff"]["ready"] is False


def test_a_case_that_judges_nothing_is_an_error(tmp_path: Path) -> None:
    code = """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                if item.originalname == "test_row_is_usable":
                    item.obj = lambda row, expect: None
    """
    run = run_in(plugin(tmp_path / "p", "idle", code), tmp_path / "run", "-q", "-p", "idle", "-k", "usable")
    assert run.status == 1
    assert set(run.verdicts.values()) == {"error"}
    run.shows("the case judged nothing")


def test_a_stopped_run_says_so_of_the_rest(tmp_path: Path) -> None:
    run = suite.pytest(tmp_path / "run", "-q", "-x", "--lab-fault=address-misspelt", *SMALL)
    assert run.status == 1
    assert Counter(run.verdicts.values())["failed"] == 1
    assert "error" not in run.verdicts.values()
    run.shows("the run was stopped (-x, --maxfail) before this case was judged")


def test_without_msgraph_all_else_goes_on(tmp_path: Path) -> None:
    code = """
        import sys
        from importlib.machinery import PathFinder

        class Without(PathFinder):
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                if name.split(".")[0] in {"msgraph", "msgraph_core", "azure", "msal"} or name.startswith("kiota"):
                    return None
                return PathFinder.find_spec(name, path, target)

        sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
    """
    chosen = "arrives or usable or log_in"
    run = run_in(at_start(tmp_path / "without", code), tmp_path / "run", "-q", "-k", chosen)
    assert run.status == 0, run.output[-3000:]
    by = {requirement: {v for (r, _), v in run.verdicts.items() if r == requirement} for requirement, _ in run.verdicts}
    unproven = {"APP-2": {"unproven"}, "DLV-1": {"unproven"}, "DLV-2": {"unproven"}}
    assert by == {**unproven, "INV-1": {"passed"}, "SMTP-1": {"passed"}}
    run.shows("msgraph-sdk is not installed", 'pip install -e ".[graph]"')
