"""How a run ends: its conclusions, its exit status, and when its documents are written."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from plugins import baseline, options
from plugins import run as runs
from plugins.cases import CATALOGUE
from scanproof import ages, coverage, history, judged, seal, store, waivers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from plugins.run import Run

BEGAN = pytest.StashKey[float]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let junit.xml be written into the run's folder, unless another place is named."""
    run = runs.of(config)
    config.stash[BEGAN] = time.monotonic()
    if run is not None:
        config.pluginmanager.register(LastWriter(), "scanproof-last-writer")
    if run is None or options.looks_only(config) or config.option.gather_only:
        return
    if not getattr(config.option, "xmlpath", True):
        from _pytest.junitxml import LogXML, xml_key  # noqa: PLC0415 - made by pytest only for its own option

        config.option.xmlpath = str(run.folder / "junit.xml")
        config.stash[xml_key] = LogXML(
            config.option.xmlpath,
            config.option.junitprefix,
            config.getini("junit_suite_name"),
            config.getini("junit_logging"),
            config.getini("junit_duration_report"),
            config.getini("junit_family"),
            config.getini("junit_log_passing_tests"),
        )
        config.pluginmanager.register(config.stash[xml_key])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Conclude, and set the exit status that the conclusions ask for; what is written is ``LastWriter``'s."""
    config = session.config
    run = runs.of(config)
    if run is None or options.looks_only(config) or exitstatus == pytest.ExitCode.USAGE_ERROR:
        return
    if config.option.gather_only:
        writer = run.writer
        lost = writer.trouble if writer else "nothing was gathered"
        if lost or not any(piece.outcome == "observed" for piece in run.evidence.values()):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            _say(config, f"NOT GATHERED: {lost or 'nothing could be observed'}")
            return
        inside = sorted(
            {key[1].partition("++")[0] for key, it in run.evidence.items() if key[0] == "egress" and it.facts}
        )
        _say(config, f"seen from inside: {', '.join(inside) or 'no subnet, so that nothing here proves egress'}")
        _say(config, f"evidence: {run.folder / store.FILE}; judge it with: pytest --evidence={run.folder}")
        return
    run.interrupted = run.interrupted or exitstatus == pytest.ExitCode.INTERRUPTED
    _settle(run, exitstatus)
    run.judged = _conclude(config, run)
    if exitstatus == pytest.ExitCode.OK and (run.judged.red or (config.option.signoff and run.judged.reasons)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class LastWriter:
    """Around what pytest itself and pytest-html write at the end: junit.xml and cases.html, which are sealed too."""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let them write first; a full disk takes neither the report nor the terminal's summary away."""
        config = session.config
        run = runs.of(config)
        result: object = None
        try:
            with _disk_may_be_full(session, run), _nothing_torn(run):
                result = yield
        finally:
            if run is not None and run.judged is not None:
                with _disk_may_be_full(session, run):
                    _write(config, run, int(session.exitstatus))
            elif run is not None and config.option.gather_only and (run.folder / store.FILE).exists():
                _seal_gathered(session, run)
        return result


def _seal_gathered(session: pytest.Session, run: Run) -> None:
    """Seal a run that only gathered: it is carried to another machine."""
    try:
        run.seal = seal.close(run.folder, {})
    except OSError as error:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        _say(session.config, f"NOT SEALED: {run.folder}: {error.strerror or error}")
    else:
        _say(session.config, f"seal: {run.seal}")


@contextmanager
def _disk_may_be_full(session: pytest.Session, run: Run | None) -> Iterator[None]:
    """Say once that a file could not be written; the verdicts stand, and the run isn't green."""
    try:
        yield
    except OSError as error:
        if run is None or run.judged is None:  # a run that never began says why itself
            return
        said = f"{run.folder}: not all of the report could be written: {error.strerror or error}; the verdicts stand"
        if said not in run.judged.reasons:
            run.judged.reasons.insert(0, said)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@contextmanager
def _nothing_torn(run: Run | None) -> Iterator[None]:
    """Leave no half of what pytest writes on a full disk: nobody could read it, and it takes others' room."""
    try:
        yield
    except OSError:
        with suppress(OSError, ValueError):  # ValueError: none of them was begun
            there = [run.folder / name for name in runs.OF_PYTEST if (run.folder / name).is_file()] if run else []
            max(there, key=lambda path: path.stat().st_mtime_ns).unlink()
        raise


def _settle(run: Run, exitstatus: int) -> None:
    """Say of each case that was never judged why that is so."""
    for case in run.cases.values():
        if case.verdict != "error" or case.observed:
            continue
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            case.observed = "the suite broke off before this case was judged"
            case.remedy = "this is a defect of Scanproof: report it with the run folder"
            continue
        why = "was interrupted" if run.interrupted else "was stopped (-x, --maxfail)"
        case.verdict, case.observed = "unproven", f"the run {why} before this case was judged"
        case.remedy = f"run again; or judge what was gathered: pytest --evidence={run.folder}"


def _conclude(config: pytest.Config, run: Run) -> judged.Judged:
    # These load every client library: by now that is done, while the lab started.
    from scanproof import diagnosis  # noqa: PLC0415
    from scanproof.devices import logs  # noqa: PLC0415

    if run.writer is None:
        run.writer = _kept(run)
    writer = run.writer
    cases = list(run.cases.values())
    pairs = {(case.requirement, case.key) for case in cases}
    wanted, apart = coverage.expected(run.site, config.stash[CATALOGUE])
    covered = coverage.cover(run.site, config.stash[CATALOGUE], pairs, run.deselected | _not_named(config, run, wanted))
    known = [it.id for it in config.stash[CATALOGUE]]
    run.notes += waivers.notes(run.site, cases, wanted, apart, known)
    waivers.through(cases)
    try:
        whole = not (covered.deselected or covered.missing or run.interrupted)
        run.diagnosis = diagnosis.explain(run.site, cases, run.evidence.values(), whole=whole)
    except Exception as error:  # noqa: BLE001 - the verdicts stand without it, and a report must not be lost
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        run.notes.append(f"The causes could not be found: {said}. This is a defect of Scanproof: report it.")
        run.diagnosis = diagnosis.Diagnosis([], [], [], [])
    return judged.conclude(
        cases,
        covered,
        unasked=[*judged.unasked(run.site), *logs.refuted(run.site, run.evidence.values()), *_of_then_alone(run)],
        planned=sum(1 for case in cases if case.evidence or case.verdict == "unproven"),
        observed=sum(evidence.outcome == "observed" for evidence in run.evidence.values()),
        trouble=writer.trouble,
        interrupted=run.interrupted,
    )


def _of_then_alone(run: Run) -> list[str]:
    """Return a reason where a run has evidence of an earlier one (--lf), and itself observed nothing."""
    seen = {it is run.carried.get(key) for key, it in run.evidence.items() if it.outcome == "observed"}
    return ["nothing was observed by this run itself, only by earlier ones: run without --lf"] if seen == {True} else []


def _not_named(config: pytest.Config, run: Run, wanted: set[coverage.Pair]) -> set[coverage.Pair]:
    """Return the pairs that the user left out by naming files or single cases on the command line."""
    if any("::" in argument for argument in config.args):
        return wanted
    tests = config.rootpath / "tests"
    if all((config.invocation_params.dir / argument).resolve() == tests for argument in config.args):
        return set()
    return {pair for pair in wanted if pair[0] not in run.collected}


def _write(config: pytest.Config, run: Run, exitstatus: int) -> None:
    from plugins.documents import Documents  # noqa: PLC0415 - loaded while the run gathered, where it did

    assert run.judged is not None
    assert run.diagnosis is not None
    now = time.monotonic()
    seconds = {
        "gather": round(run.gather_seconds, 3),
        "judge": round(now - run.gathered_at, 3) if run.gathered_at else None,
        "run": round(now - config.stash[BEGAN], 3),
    }
    content = judged.as_json(
        run.judged,
        run.site,
        config.stash[CATALOGUE],
        started=ages.zulu(run.started),
        finished=None if run.interrupted else ages.zulu(datetime.now(UTC)),
        vantages=_seen_from(run),
        notes=run.notes,
        parts=ages.parts(run.judged.cases, run.parts),
        seconds=seconds,
        options=[option for option in ("--no-send", "--signoff", "--lf") if option in config.invocation_params.args],
        exit_status=int(exitstatus),
        **run.diagnosis.as_json(),
    )
    content["baseline"] = baseline.compared(run, content)
    content["history"] = history.of(run.folder, content)
    assert run.writer is not None
    records = run.writer.records
    evidence = {piece.id: records[piece.id] for piece in run.evidence.values()}
    Documents(run, content, evidence).write()


def _seen_from(run: Run) -> list[dict[str, Any]]:
    """Return the vantages from which something was seen: a host that was only stated is none."""
    stated = run.places
    seen = {piece.vantage for piece in run.evidence.values()}
    places = [f"{it['name']} ({', '.join(it['addresses'])})" if it["addresses"] else it["name"] for it in stated]
    return [it for it, place in zip(stated, places, strict=True) if place in seen] or stated[:1]


def _kept(run: Run) -> store.Writer:
    """Give a run over recorded evidence its own copy, so that its folder can be judged again by itself."""
    writer = store.Writer(run.folder / store.FILE)
    for evidence in run.evidence.values():
        writer.add(evidence)
    writer.close()
    return writer


def _say(config: pytest.Config, line: str) -> None:
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.ensure_newline()
        reporter.write_line(line)
