"""One acceptance run: its site, its folder, and where its evidence comes from."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugins import options
from scanproof import freshness, inputs, redact, seal, store
from scanproof.kinds import Evidence
from scanproof.site import Site, SiteError, load

if TYPE_CHECKING:
    from scanproof.carry import Stock
    from scanproof.compare import Comparison
    from scanproof.diagnosis import Diagnosis
    from scanproof.judged import Case, Judged
    from scanproof.kinds import Probe, Subject
    from scanproof.network import Vantage
    from scanproof.ran import Ran

KEY = pytest.StashKey["Run"]()
OF_PYTEST = ("cases.html", "junit.xml")  # what pytest and pytest-html write into the folder, the larger one first


@dataclass
class Run:
    """What the plugins share about one run."""

    site: Site
    site_folder: Path
    folder: Path
    started: datetime
    faults: tuple[str, ...] = ()
    network: str = "loopback"
    recorded: dict[tuple[str, str], list[store.Recorded]] | None = None  # with --evidence
    runs: tuple[Path, ...] = ()
    vantages: list[Vantage] = field(default_factory=list)
    earlier_vantages: list[dict[str, Any]] = field(default_factory=list)
    evidence: dict[tuple[str, str], Evidence[Any]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    deselected: set[tuple[str, str]] = field(default_factory=set)  # requirement and subject, left out by the user
    collected: set[str] = field(default_factory=set)  # requirements whose cases were collected
    not_applicable: list[dict[str, str]] = field(default_factory=list)
    judged: Judged | None = None
    diagnosis: Diagnosis | None = None
    notes: list[str] = field(default_factory=list)
    gather_seconds: float = 0.0
    gathered_at: float = 0.0  # on the monotonic clock
    interrupted: bool = False
    seal: str = ""  # once all of the run is written
    writer: store.Writer | None = None  # of what this run gathers, or in the end has of recorded runs
    parts: list[datetime] = field(default_factory=list)  # when the runs began whose evidence is judged
    stock: Stock | None = None  # with --lf: the earlier run
    baseline: Ran | None = None  # with --baseline: the run to compare with
    compared: Comparison | None = None  # and what came of it
    carried: dict[tuple[str, str], Evidence[Any]] = field(default_factory=dict)  # what is judged of it

    @property
    def short_name(self) -> str:
        """The site's name, as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.site.name).strip("-.")[:60] or "site"

    @property
    def places(self) -> list[dict[str, Any]]:
        """The vantages of this run, and those of the runs whose evidence it judges."""
        own = [vantage.as_json(self.site.subnets) for vantage in self.vantages]
        names = {(it["name"], tuple(it["addresses"])) for it in own}
        return [*own, *(it for it in self.earlier_vantages if (it["name"], tuple(it["addresses"])) not in names)]

    def find(self, probe: Probe[Any, Any], subject: Subject) -> Evidence[Any]:
        """Return the evidence of a probe and subject; unproven where there is none."""
        found = self.evidence.get((probe.kind, subject.key))
        if found is not None:
            return found
        where = ", ".join(run.name for run in self.runs) or "this run"
        return Evidence(
            kind=probe.kind,
            subject=subject.key,
            label=subject.label,
            vantage="",
            started=self.started,
            elapsed_ms=0,
            outcome="unproven",
            reason=f"{where} holds no {probe.kind.replace('_', ' ')} evidence of {subject.key}",
            remedy="run again, and let it finish",
        )


def of(config: pytest.Config) -> Run | None:
    """Return the acceptance run; None where this isn't one."""
    return config.stash.get(KEY, None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the site, before anything is collected: what is wrong with it ends the run with exit 4."""
    if not options.acceptance(config):
        return
    options.refuse(config)
    redact.guard_logging()
    started = datetime.now(UTC)
    made: list[Path] = []
    try:
        run = _recorded(config, started) if config.option.evidence else _fresh(config, started, made)
    except (SiteError, store.StoreError) as error:
        raise pytest.UsageError(redact.scrub(str(error))) from None
    finally:
        config.add_cleanup(lambda: _remove(made))
    redact.exempt(row.serial for row in run.site.table.rows)
    run.folder = _run_folder(config, run)
    config.stash[KEY] = run
    config.add_cleanup(lambda: _leave_nothing(run))


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _fresh(config: pytest.Config, started: datetime, made: list[Path]) -> Run:
    """Make a run that will gather; the list of a simulated site may be changed by a fault."""
    option = config.option
    folder = (config.invocation_params.dir / option.site) if option.site else config.rootpath / "inventory/demo"
    site = load(folder, now=started)
    machine = os.environ.get("SCANPROOF_VANTAGE") or socket.gethostname()
    site = replace(site, machine=machine, discover=option.discover)
    run = Run(site, folder, Path(), started)
    if not site.file.site.lab:
        if option.lab_fault or option.lab_scenario:
            raise pytest.UsageError(f"--lab-fault is for a simulated site; {site.name} is a real one")
        return run
    from plugins import simulated  # noqa: PLC0415 - a run at a real site has no use for the lab

    run.site = site = replace(site, machine=simulated.MACHINE)
    run.network, why = simulated.which(option.lab_network)
    run.faults = simulated.chosen(option.lab_fault, option.lab_scenario, run.network)
    if option.lab_network == "auto":
        run.notes.append(f"Lab network: {run.network} ({why}).")
    if not options.looks_only(config):
        simulated.launch(config, run)
    made.append(Path(tempfile.mkdtemp(prefix="scanproof-")))
    run.site = simulated.judged(run.faults, site, folder, made[0])
    return run


def _recorded(config: pytest.Config, started: datetime) -> Run:
    """Make a run over recorded evidence, as of the moment of the newest of those runs."""
    folders = [(config.invocation_params.dir / given).resolve() for given in config.option.evidence]
    records = [store.read(folder) for folder in folders]
    newest = max(folders, key=lambda folder: inputs.moment(folder) or started)
    as_of = inputs.moment(newest) or started
    if config.option.site:
        site_folder = config.invocation_params.dir / config.option.site
        site = load(site_folder, now=as_of)
    else:
        site_folder = newest
        site = inputs.recall(newest, now=as_of)
    for folder in folders:
        about = inputs.of_site(folder)
        if about != (site.name, site.file.site.lab):
            kinds = {True: "the simulated site", False: "the real site"}
            raise pytest.UsageError(
                f"--evidence={folder}: was gathered at {kinds[about[1]]} {about[0]!r}, "
                f"and proves nothing about {kinds[site.file.site.lab]} {site.name!r}"
            )
        read, stated = inputs.of_tenant(folder), site.file.tenant.id
        if read and stated and read.lower() != stated.lower():
            raise pytest.UsageError(
                f"--evidence={folder}: read the tenant {read}, and proves nothing about {stated}, "
                "which [tenant] id of the site states: gather again"
            )
    site = replace(
        site, machine=inputs.machine(newest) or site.machine, discover=any(inputs.swept(it) for it in folders)
    )
    records, older = _fresh_alone(site, folders, records)
    run = Run(site, site_folder, Path(), started, recorded=store.merge(records), runs=tuple(folders), notes=older)
    run.earlier_vantages = inputs.vantages(folders)
    run.parts = [part for folder in folders for part in inputs.parts(folder)]
    if site.file.site.lab:
        run.notes.append("A simulated site: nothing here is about a real copier or tenant.")
    differ = [folder.name for folder in folders if folder != newest and inputs.differ(folder, newest)]
    if differ and not config.option.site:
        run.notes.append(
            f"{', '.join(differ)} was made with another site file or list than {newest.name}, whose are used: "
            "compare their inputs/, or name the right site folder by --site."
        )
    cut = [folder.name for folder in folders if not inputs.gathered(folder)]
    if cut:
        run.notes.append(f"{', '.join(cut)} was cut short while it gathered: what it did not come to is unproven.")
    run.notes.append(
        f"Judged again from recorded evidence of {', '.join(folder.name for folder in folders)}, "
        f"as of {as_of:%Y-%m-%d %H:%M} UTC; nothing was probed."
    )
    run.notes += map(seal.note, folders)
    return run


def _fresh_alone(
    site: Site, folders: list[Path], records: list[list[store.Recorded]]
) -> tuple[list[list[store.Recorded]], list[str]]:
    """Return recorded runs without what a later change than theirs makes old, and a note where there was such."""
    stated = site.file.site
    since, name = stated.last_change or stated.cutover, "last_change" if stated.last_change else "cutover"
    if since is None:
        return records, []
    found, notes = [], []
    for folder, recorded in zip(folders, records, strict=True):
        kept, older = recorded, 0
        if inputs.counted_from(folder) != since:
            kept, older = freshness.as_of(recorded, since, name)
        found.append(kept)
        if older:
            notes.append(
                f"{folder.name} was not gathered as of the site's {name}, {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} "
                f"UTC: {older} pieces of its evidence are older, or rest on such, or count from another moment. Those "
                "are unproven: run again."
            )
    return found, notes


def _run_folder(config: pytest.Config, run: Run) -> Path:
    if config.option.run_dir:
        return _free(Path(config.invocation_params.dir / config.option.run_dir), config)
    base = config.rootpath / "reports"
    name = f"{run.short_name}-{run.started:%Y%m%dT%H%M%SZ}"
    for number in itertools.count(1):
        folder = base / (name if number == 1 else f"{name}-{number}")
        if options.looks_only(config):
            break
        try:
            # Claimed by being made: two runs that begin in the same second must not share one.
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise pytest.UsageError(f"{folder}: can't be made: {error.strerror}; name one by --run-dir") from None
        break
    return folder


def _free(folder: Path, config: pytest.Config) -> Path:
    """Return the folder that --run-dir names, before any plugin writes into it.

    Raises:
        pytest.UsageError: it can't be made, or holds another run.
    """
    if options.looks_only(config):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--run-dir={folder}: can't be made: {error.strerror}; name another folder") from None
    if any((folder / name).exists() for name in (store.FILE, "run.json")):
        raise pytest.UsageError(f"--run-dir={folder}: holds a run already; name a new folder")
    return folder


def _leave_nothing(run: Run) -> None:
    """Take away the folder of a run that never began, with what other plugins put there at its end."""
    if run.judged is not None or (run.folder / store.FILE).exists():
        return
    with suppress(OSError):
        for name in OF_PYTEST:
            (run.folder / name).unlink(missing_ok=True)
        run.folder.rmdir()


def write_inputs(run: Run, told: dict[str, Any]) -> None:
    """Make the run's folder, and keep its inputs in it.

    Args:
        run: the run.
        told: what its evidence depends on beside site file and list (``carry.fingerprint``).

    Raises:
        pytest.UsageError: it can't be written.
    """
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        inputs.keep(run.site, run.folder, run.started, run.places, parts=run.parts, told=told)
        (run.folder / store.FILE).touch()  # a run without any evidence can be judged again too
    except OSError as error:
        raise pytest.UsageError(f"{run.folder}: can't be written: {error.strerror}") from None
