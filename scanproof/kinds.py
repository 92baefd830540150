"""A kind of evidence, and a piece of it.

A probe is an async function that turns a subject into facts. Evidence holds facts and an outcome of the
*probing*; whether a requirement holds is for a case to judge:

observed     the probe completed; its facts say what was seen, a time-out or a refusal included
blocked      it could not be tried, since evidence that it needs failed
unproven     it could not be tried for want of something (a secret, a permission, a vantage)
interrupted  it was begun and the run ended first
broken       the probe itself failed: a defect of this suite
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from scanproof.gather import Run

Outcome = Literal["observed", "blocked", "unproven", "interrupted", "broken"]


class Facts(BaseModel):
    """What a probe observed. Facts only: no field of any kind of evidence says whether that is good."""

    # Built at the first use: a run of a few cases uses few kinds.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Subject(Protocol):
    """What evidence is about."""

    @property
    def key(self) -> str:
        """Stable identity: outlives edits of the list."""

    @property
    def label(self) -> str:
        """What a person calls it."""


F = TypeVar("F", bound=Facts)
S = TypeVar("S", bound=Subject)


class Blocked(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a probe whose prerequisite failed."""

    def __init__(self, by: str, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.by, self.reason, self.remedy = by, reason, remedy


class Unproven(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a probe that can't be tried for want of something that isn't the subject's fault.

    Args:
        reason: what is wanting, in words.
        remedy: what to do.
        lacks: the kind of cause that it is (scanproof/diagnosis/wants.py), where somebody has something to put right;
            empty for what is merely not there yet: a vantage, a scan, a statement.
    """

    def __init__(self, reason: str, remedy: str = "", lacks: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.lacks = reason, remedy, lacks


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript, as swaks writes them: ``->`` sent, ``<-`` received, ``**`` a note."""

    at_ms: int
    way: Literal["->", "<-", "**"]
    text: str


@dataclass(frozen=True, slots=True)
class Evidence(Generic[F]):
    """One piece of evidence."""

    kind: str
    subject: str
    label: str
    vantage: str
    started: datetime
    elapsed_ms: int
    outcome: Outcome
    facts: F | None = None
    reason: str = ""
    remedy: str = ""
    lacks: str = ""  # the kind of cause for which it is unproven, where there is one
    blocked_by: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    target: str = ""  # what was asked on the wire, where the subject can be the same and this another
    transcript: tuple[Line, ...] = ()

    @property
    def id(self) -> str:
        """Identity of this evidence in a run, and in a merge of runs."""
        return f"{self.kind}/{self.subject}@{self.vantage}"


@dataclass(frozen=True)
class Probe(Generic[S, F]):
    """A kind of evidence: how it is gathered, and the model of its facts."""

    kind: str
    facts: type[F]
    function: Callable[[S, Run], Awaitable[F]]
    deadline: float  # seconds of a probe's own time, waiting for other evidence and for its turn not counted


def probe(facts: type[F], *, deadline: float) -> Callable[[Callable[[S, Run], Awaitable[F]]], Probe[S, F]]:
    """Make a probe of an async function; the kind of evidence is the function's name.

    Args:
        facts: the model that the function returns.
        deadline: seconds after which it is given up (as a defect: probes bound their own waits).
    """

    def decorate(function: Callable[[S, Run], Awaitable[F]]) -> Probe[S, F]:
        return Probe(function.__name__, facts, function, deadline)

    return decorate


class Sink(Protocol):
    """Where evidence goes as it arrives."""

    def intent(self, kind: str, subject: str, vantage: str, what: str) -> None:
        """Note, before it happens, an act that can't be undone: a login, a mail."""

    def add(self, evidence: Evidence[Any]) -> None:
        """Keep a piece of evidence."""


def target_of(subject: Subject) -> str:
    """Return what a subject means on the wire: its address or door; empty where its key says it."""
    return str(getattr(subject, "target", ""))
