"""A judged run as it is read back from its ``run.json``, whoever has handled the file meanwhile."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof.judged import VERDICTS
from scanproof.redact import plain
from scanproof.store import cleaned

if TYPE_CHECKING:
    from pathlib import Path

FILE = "run.json"
MOST = 256_000_000  # bytes of a run.json: ten times that of a thousand copiers

Case = dict[str, Any]


class RanError(Exception):
    """A run that can't be read or compared. One whole line for the user."""


@dataclass(frozen=True)
class Ran:
    """A judged run.

    Attributes:
        name: its folder's.
        site: the site's name, and whether it is a simulated one.
        started: when it began; None where it isn't told.
        finished: as it stands there; empty where the run was cut short.
        ready: whether it was ready.
        version: of the suite that judged it.
        cases: each with requirement, subject and verdict.
        requirements: the ids of its catalogue; empty where it isn't told.
        apart: what was not applicable: by requirement and subject, why.
        missing: what got lost in it: requirement and subject.
        deselected: how many cases its user had left out.
        causes: the titles of its causes, by id, in their order.
    """

    name: str
    site: tuple[str, bool]
    started: datetime | None
    finished: str
    ready: bool
    version: str
    cases: list[Case]
    requirements: frozenset[str]
    apart: dict[tuple[str, str], str]
    missing: frozenset[tuple[str, str]]
    deselected: int
    causes: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Its site, in words."""
        return f"the {'simulated' if self.site[1] else 'real'} site {self.site[0]!r}"

    @property
    def at(self) -> str:
        """When it began, in words."""
        return f"{self.started:%Y-%m-%d %H:%M:%S} UTC" if self.started else "an unknown time"


def read(path: Path) -> Ran:
    """Read a judged run.

    Args:
        path: its folder, or its ``run.json``.

    Raises:
        RanError: it is none, is damaged, or is of a form that this version doesn't know; names the file.
    """
    file = path / FILE if path.is_dir() else path
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):
            raise RanError(f"{_shown(file)}: is no file; name a run folder such as reports/demo-20261123T080000Z")
        if about.st_size > MOST:
            raise RanError(f"{_shown(file)}: {about.st_size:,} bytes are more than a run's {MOST:,}: not read")
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        why = (
            "holds no run.json: it was not judged (--gather-only), or never ended" if path.is_dir() else "is not there"
        )
        raise RanError(f"{_shown(path)}: {why}; name the folder of a judged run") from None
    except OSError as error:
        raise RanError(f"{_shown(file)}: can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        said = plain(str(error).splitlines()[0] if str(error) else type(error).__name__, 120)
        raise RanError(f"{_shown(file)}: is damaged: no JSON ({said})") from None
    try:
        return of_content(content, file.parent.name or str(file.parent.resolve().name))
    except RanError as error:
        raise RanError(f"{_shown(file)}: {error}") from None


def _shown(path: Path) -> str:
    return plain(str(path), 400)


def of_content(content: Any, name: str) -> Ran:
    """Return the content of a ``run.json`` as a judged run.

    Args:
        content: as read.
        name: the run folder's name.

    Raises:
        RanError: what is wrong with it, without the file's name.
    """
    if not isinstance(content, dict) or not {"cases", "site"} <= content.keys():
        raise RanError("is no run of Scanproof: it has no site and no cases")
    if content.get("schema") != 1:
        raise RanError(f"is of schema {plain(repr(content.get('schema')), 40)}, and this version reads schema 1")
    site = _table(content, "site")
    if not isinstance(site.get("name"), str) or not site["name"]:
        raise RanError("is damaged: its site has no name")
    if not isinstance(content["cases"], list):
        raise RanError("is damaged: its cases are no list")
    coverage = _table(content, "coverage")
    return Ran(
        name=plain(name, 200),
        site=(plain(site["name"], 200), bool(site.get("lab"))),
        started=moment(content.get("started")),
        finished=_text(content.get("finished"), 40),
        ready=_table(content, "signoff").get("ready") is True,
        version=_text(_table(content, "suite").get("version"), 40) or "an unknown version",
        cases=[_case(case, number) for number, case in enumerate(content["cases"], 1)],
        requirements=frozenset(
            str(it["id"]) for it in _dicts(content.get("requirements")) if isinstance(it.get("id"), str)
        ),
        apart={
            (_text(it.get("requirement"), 40), _text(it.get("subject"), 400)): _text(it.get("reason"), 400)
            for it in _dicts(coverage.get("not_applicable"))
        },
        missing=frozenset(
            (_text(pair[0], 40), _text(pair[1], 400))
            for pair in _list(coverage.get("missing"))
            if isinstance(pair, list) and len(pair) == 2
        ),
        deselected=coverage["deselected"] if isinstance(coverage.get("deselected"), int) else 0,
        causes={
            name: _text(it.get("title"), 400)
            for it in _dicts(content.get("causes"))
            if (name := _text(it.get("id"), 200)) and _text(it.get("title"), 400)
        },
    )


def _case(case: Any, number: int) -> Case:
    """Return what counts of a case.

    Raises:
        RanError: it has no requirement, subject or verdict.
    """
    subject = case.get("subject") if isinstance(case, dict) else None
    if not isinstance(subject, dict) or not all(
        isinstance(text, str) and text for text in (case.get("requirement"), subject.get("name"))
    ):
        raise RanError(f"is damaged: case {number} has no requirement and subject")
    if case.get("verdict") not in VERDICTS:
        raise RanError(f"is damaged: case {number} has no verdict that this version knows")
    name = _text(subject["name"], 400)
    return {
        "requirement": _text(case["requirement"], 40),
        "subject": name,
        "label": _text(subject.get("label"), 400) or name,
        "address": _text(subject.get("address"), 100),
        "level": "advice" if case.get("level") == "advice" else "blocker",
        "sentence": _text(case.get("sentence"), 400),
        "verdict": case["verdict"],
        "observed": _text(case.get("observed"), 1000),
        "remedy": _text(case.get("remedy"), 1000),
        "gathered": moment(case.get("gathered")),
        "cause": _text(case.get("cause"), 200),
    }


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    if found is not None and not isinstance(found, dict):
        raise RanError(f"is damaged: its {name} is no table")
    return found or {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _text(value: Any, longest: int) -> str:
    return plain(str(cleaned(value)), longest) if isinstance(value, str) else ""


def moment(text: Any) -> datetime | None:
    """Return a moment as written in ``run.json``; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
