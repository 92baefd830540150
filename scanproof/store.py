"""A run's evidence on disk: append-only JSON lines, each flushed as it arrives.

A run that is killed at any moment can be judged from what it has: a torn last line is passed over, and
an act that was begun (its intent was written) and has no evidence is *interrupted*.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from scanproof.kinds import Evidence, Line, Outcome, target_of
from scanproof.redact import plain, scrub_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from io import TextIOWrapper
    from pathlib import Path

    from scanproof.kinds import Probe, Subject

FILE = "evidence.jsonl"
_ENCODER = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one for each record


NEVER = datetime(2000, 1, 1, tzinfo=UTC)  # stands for a moment that isn't known: all that is known is newer


class StoreError(Exception):
    """A run folder that can't be read. One whole line for the user."""


def as_json(evidence: Evidence[Any]) -> dict[str, Any]:
    """Return evidence as it stands in ``evidence.jsonl``, secrets removed."""
    record = {
        "id": evidence.id,
        "kind": evidence.kind,
        "subject": {"name": evidence.subject, "label": evidence.label},
        "vantage": evidence.vantage,
        "started": _zulu(evidence.started),
        "elapsed_ms": evidence.elapsed_ms,
        "outcome": evidence.outcome,
        "reason": plain(evidence.reason),
        "remedy": evidence.remedy,
        "lacks": evidence.lacks,
        "blocked_by": list(evidence.blocked_by),
        "needs": list(evidence.needs),
        "target": evidence.target,
        "facts": evidence.facts.model_dump(mode="json") if evidence.facts else {},
        "transcript": [
            {"at_ms": line.at_ms, "way": line.way, "text": plain(line.text)} for line in evidence.transcript
        ],
    }
    found: dict[str, Any] = scrub_all(record)
    return found


def _zulu(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Writer:
    """Appends evidence to a run folder as it arrives, and keeps it in memory.

    Attributes:
        path: the file.
        kept: all evidence so far.
        lines: the same as it stands in the file, by id; as text, which takes a third of the memory.
        trouble: why the file could not be written, once it could not; nothing gathered is lost to the
            judgement then, and the run says so.
    """

    path: Path
    kept: dict[str, Evidence[Any]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    _file: TextIOWrapper | None = None

    def intent(self, kind: str, subject: str, vantage: str, what: str) -> None:
        """Write down an act before it happens."""
        record = {"intent": what, "kind": kind, "subject": {"name": subject}, "vantage": vantage}
        self._write(_ENCODER.encode(record))

    def add(self, evidence: Evidence[Any]) -> None:
        """Keep a piece of evidence."""
        self.kept[evidence.id] = evidence
        self.lines[evidence.id] = line = _ENCODER.encode(as_json(evidence))
        self._write(line)

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """The evidence as it stands in the file, by id."""
        return {name: json.loads(line) for name, line in self.lines.items()}

    def copy(self, record: Mapping[str, Any]) -> None:
        """Append a record of an earlier run, as it stands there: no case of this run names it."""
        self._write(_ENCODER.encode(scrub_all(cleaned(dict(record)))))

    def close(self) -> None:
        """Close the file."""
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                self.trouble = self.trouble or str(error.strerror)
            self._file = None

    def _write(self, line: str) -> None:
        if self.trouble:
            return
        try:
            if self._file is None:
                self._file = self.path.open("a", encoding="utf-8", newline="\n")
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}; the evidence after this point is only in this run's report"
            self.close()


@dataclass(frozen=True)
class Recorded:
    """One record of an earlier run."""

    kind: str
    subject: str
    vantage: str
    record: Mapping[str, Any]  # empty where it was interrupted
    run: str

    @property
    def started(self) -> str:
        """When it began, in a form that sorts."""
        return str(self.record.get("started", ""))


def read(folder: Path) -> list[Recorded]:
    """Read a run's evidence, torn lines passed over.

    Raises:
        StoreError: the folder or its evidence file is missing or can't be read.
    """
    path = folder / FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        what = "holds no evidence.jsonl" if folder.is_dir() else "is no folder"
        raise StoreError(
            f"--evidence={folder}: {what}; name a run folder such as reports/demo-20261123T080000Z"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: can't be read: {error.strerror}") from None
    found: dict[tuple[str, str, str], Recorded] = {}
    for line in lines:
        try:
            record = json.loads(line)
            key = (str(record["kind"]), str(record["subject"]["name"]), str(record["vantage"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # the last line of a run that was killed
        begun = "intent" in record
        if begun and key in found:
            continue
        found[key] = Recorded(*key, record={} if begun else record, run=folder.name)
    return list(found.values())


def merge(runs: Iterable[list[Recorded]]) -> dict[tuple[str, str], list[Recorded]]:
    """Merge runs: the newest evidence of a subject and vantage wins, and interrupted evidence never does.

    Returns:
        By (kind, subject), one record a vantage; the best first: observed, then blocked, then the rest,
        the newest first in each.
    """
    best: dict[tuple[str, str, str], Recorded] = {}
    for records in runs:
        for new in records:
            key = (new.kind, new.subject, new.vantage)
            old = best.get(key)
            if old is None or not old.record or (new.record and new.started > old.started):
                best[key] = new
    merged: dict[tuple[str, str], list[Recorded]] = {}
    for record in sorted(best.values(), key=lambda record: record.started, reverse=True):
        merged.setdefault((record.kind, record.subject), []).append(record)
    for records in merged.values():
        records.sort(key=lambda record: _RANK.get(str(record.record.get("outcome")), 3))
    return merged


_RANK = {"observed": 0, "blocked": 1, "broken": 2}


def needs_of(recorded: Recorded) -> list[str]:
    """Return the ids of the evidence that a record rests on, as far as they can be such."""
    needs = recorded.record.get("needs")
    return [need for need in needs if isinstance(need, str)] if isinstance(needs, list) else []


def recall(probe: Probe[Any, Any], recorded: Recorded, subject: Subject) -> Evidence[Any]:
    """Turn a record back into evidence of this version's model; what can't be is unproven, with the reason."""
    blank: Evidence[Any] = Evidence(
        kind=probe.kind,
        subject=recorded.subject,
        label=subject.label,
        vantage=plain(recorded.vantage, 200),
        started=moment(recorded.started),
        elapsed_ms=0,
        outcome="interrupted",
        reason=f"{recorded.run} ended while this was under way",
        remedy="run again",
        target=target_of(subject),
    )
    if not recorded.record:
        return blank
    try:
        return _recalled(probe, cleaned(recorded.record), blank)
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        problem = plain(str(error).splitlines()[0] if str(error) else type(error).__name__, 200)
        reason = f"the evidence in {recorded.run} can't be read: {problem}"
        return replace(blank, outcome="unproven", reason=reason)


def _recalled(probe: Probe[Any, Any], record: dict[str, Any], blank: Evidence[Any]) -> Evidence[Any]:
    outcome, roots = record["outcome"], tuple(str(root) for root in record.get("blocked_by", ()))
    if outcome not in get_args(Outcome) or (outcome == "blocked" and not roots):
        raise ValueError(f"no outcome that this version knows: {plain(str(outcome), 50)}")
    if record.get("target", blank.target) != blank.target:
        reason = f"it was gathered of {plain(str(record['target']), 100)}, which is {blank.target} now"
        return replace(blank, outcome="unproven", reason=reason, remedy="run again, so that the present one is asked")
    lines = [Line(int(it["at_ms"]), it["way"], str(it["text"])) for it in record.get("transcript", ())]
    if not math.isfinite(record["elapsed_ms"]) or blank.started == NEVER:
        raise ValueError("its time can't be")
    return replace(
        blank,
        elapsed_ms=int(record["elapsed_ms"]),
        outcome=outcome,
        facts=probe.facts.model_validate(record["facts"]) if outcome == "observed" else None,
        reason=str(record.get("reason", "")),
        remedy=str(record.get("remedy", "")),
        lacks=str(record.get("lacks", "")),
        blocked_by=roots,
        needs=tuple(str(need) for need in record.get("needs", ())),
        transcript=tuple(lines),
    )


def cleaned(value: Any) -> Any:
    """Take out of a record what no file of ours could hold: half a surrogate pair can't be written."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {str(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


def moment(text: str) -> datetime:
    """Return a recorded moment; the beginning of time where it is none, so that all else is newer."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year >= NEVER.year else NEVER


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader never sees half of it.

    Raises:
        OSError: the disk is full, or the folder can't be written; nothing of it is left then.
    """
    write_all(path.parent, {path.name: content if isinstance(content, bytes) else content.encode("utf-8")})


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files, by their paths in a folder, so that a reader sees none of them before all are on the disk.

    Raises:
        OSError: as of ``write_whole``, of any of them.
    """
    parts: dict[Path, Path] = {}
    try:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = path.with_name(f".{path.name}.part")
            parts[path].write_bytes(content)
        for path, part in parts.items():
            os.replace(part, path)  # noqa: PTH105 - atomic on every system
    except OSError:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise
