"""The runs of a site over time, from the folders that lie beside a run: how many copiers were proven in each."""

from __future__ import annotations

import json
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof import inputs, store
from scanproof.ran import FILE, moment
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWEST = 50  # earlier runs that are told
LOOKED_AT = 400  # folders, the newest first: a folder of thousands of runs must not hold up the next one
MOST = 64_000_000  # bytes of a run.json: three times that of a thousand copiers
_WHOLE = 8_000_000  # bytes that are read at once where the file isn't laid out as this suite writes it
_INPUTS = "inputs/run.json"
_WANTED = frozenset({"schema", "site", "started", "finished", "signoff", "coverage", "copiers"})


@dataclass(frozen=True)
class Earlier:
    """What is told of an earlier run without reading its cases."""

    folder: Path
    started: datetime
    content: dict[str, Any]


def of(folder: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the whole runs of a site up to this one, oldest first, as they stand in ``run.json`` under ``history``.

    Args:
        folder: this run's; the earlier runs are looked for beside it.
        content: this run's ``run.json``, as far as it is made.

    Returns:
        The newest whole ones before this run, and this run; without those that don't tell of copiers. A run in which
        cases were left out or that was cut short is no progress and no setback: only this run may be such a one.
    """
    site, started = content["site"], moment(content["started"])
    told: list[dict[str, Any]] = []
    for earlier in runs(folder, str(site["name"]), lab=bool(site.get("lab"))):
        if len(told) == NEWEST:
            break
        if started and earlier.started < started and _is_whole(earlier.content):
            entry = _entry(earlier.folder.name, earlier.content)
            told += [entry] if entry else []
    told.sort(key=lambda entry: str(moment(entry["started"])))
    own = _entry(folder.name, content)
    return [*told, *([own] if own else [])]


def runs(folder: Path, site: str, *, lab: bool) -> Iterator[Earlier]:
    """Yield the judged runs of a site that lie beside a run's folder, the latest written first.

    What is damaged, too large or of another site is passed over.

    Args:
        folder: a run's, which itself is left out.
        site: the site's name.
        lab: whether it is a simulated one.
    """
    for path in _files(folder)[:LOOKED_AT]:
        try:
            content = _head(path)
            about, started = content["site"], moment(content["started"])
            if content["schema"] == 1 and (about["name"], bool(about.get("lab"))) == (site, lab) and started:
                yield Earlier(path.parent, started, content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue


def latest(folder: Path, site: str, *, lab: bool) -> Path | None:
    """Return the folder of a site's latest run that lies beside a run's, in whatever state; None where there is none.

    It may hold no result: the run was killed, it only gathered, or its files are damaged. What doesn't even tell its
    site may be of this one, and counts. The latest is the one that began last, or where it doesn't tell, wrote last.

    Args:
        folder: a run's, which itself is left out.
        site: the site's name.
        lab: whether it is a simulated one.
    """
    found: list[tuple[datetime, str, Path]] = []
    for written, path in _beside(folder, FILE, store.FILE, _INPUTS)[:LOOKED_AT]:
        told, began = _told(path)
        if told in {None, (site, lab)}:
            found.append((began or datetime.fromtimestamp(written, UTC), path.name, path))
    return max(found)[2] if found else None


def _told(folder: Path) -> tuple[tuple[str, bool] | None, datetime | None]:
    """Return of which site a run folder says to be, and when it began; None where it doesn't say."""
    with suppress(store.StoreError):
        if (folder / _INPUTS).is_file():  # a pipe would hold up the run
            return inputs.of_site(folder), inputs.moment(folder)
    with suppress(OSError, ValueError, RecursionError):
        if (folder / FILE).is_file():
            content = _head(folder / FILE)
            about = content.get("site")
            about = about if isinstance(about, dict) else {}  # of another program: of no site of ours
            return (str(about.get("name")), bool(about.get("lab"))), moment(content.get("started"))
    return None, None


def _files(folder: Path) -> list[Path]:
    """Return the run.json files of the folders beside one that aren't too large, the latest written first."""
    found = []
    for _, path in _beside(folder, FILE):
        with suppress(OSError):
            found += [path / FILE] if (path / FILE).stat().st_size <= MOST else []
    return found


def _beside(folder: Path, *names: str) -> list[tuple[float, Path]]:
    """Return the folders beside one that hold a file of such a name, and when the last of those was written."""
    found: dict[Path, float] = {}
    try:
        for beside in folder.resolve().parent.iterdir():
            for name in names if beside.name != folder.name else ():
                with suppress(OSError):
                    about = (beside / name).stat()
                    if stat.S_ISREG(about.st_mode):
                        found[beside] = max(found.get(beside, 0.0), about.st_mtime)
    except OSError:
        return []
    return sorted(((written, path) for path, written in found.items()), reverse=True)


def _head(path: Path) -> dict[str, Any]:
    """Return what stands in a run.json beside its cases: they are most of it, and need not be parsed.

    The suite writes each part on a line of its own, and each item of a list too. Another layout is read as a whole.

    Raises:
        OSError: it can't be read.
        ValueError: it is no JSON.
    """
    found: dict[str, Any] = {}
    within: list[Any] | None = None  # of a list that is wanted, while its lines are read
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"  "):
                if within is not None:
                    within.append(json.loads(line.rstrip(b",\r\n")))
                continue
            within = None
            if not line.startswith(b' "'):
                continue
            name, colon, value = line[2:].partition(b'": ')
            if colon and name.decode("ascii", "replace") in _WANTED:
                value = value.rstrip(b",\r\n")
                found[name.decode()] = within = [] if value == b"[" else None
                if within is None:
                    found[name.decode()] = json.loads(value)
    if "site" in found and "started" in found:
        return found
    if path.stat().st_size > _WHOLE:
        raise ValueError("not laid out as this suite writes it, and too large to be read as a whole")
    whole = json.loads(path.read_bytes())
    return {name: value for name, value in whole.items() if name in _WANTED}


def _is_whole(content: dict[str, Any]) -> bool:
    coverage = content.get("coverage")
    return bool(content.get("finished")) and isinstance(coverage, dict) and coverage.get("deselected") == 0


def _entry(name: str, content: dict[str, Any]) -> dict[str, Any] | None:
    """Return a run's entry; None where it doesn't tell of copiers."""
    try:
        verdicts = [copier["verdict"] for copier in content["copiers"]]
        return {
            "run": plain(name, 200),
            "started": plain(str(content["started"]), 40),
            "ready": content["signoff"]["ready"] is True,
            "copiers": len(verdicts),
            "proven": verdicts.count("works"),
            "whole": _is_whole(content),
        }
    except (KeyError, TypeError, AttributeError):
        return None
