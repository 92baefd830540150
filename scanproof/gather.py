"""The memoizing concurrent gatherer: evidence is data, gathered once a run.

A probe may ask for other evidence (``await run.gather(door, service)``); each piece is gathered once,
however many ask. A piece whose prerequisite failed is blocked by it rather than tried.
"""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from scanproof.kinds import Blocked, Evidence, Line, Unproven, target_of
from scanproof.patience import Gate, within
from scanproof.troubles import not_tried, own_limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from scanproof.kinds import F, Facts, Probe, S, Sink, Subject
    from scanproof.network import Network, Vantage
    from scanproof.secrets import Secrets
    from scanproof.site import Site

T = TypeVar("T")


def sockets() -> int:
    """Return how many sockets a run may have open; raises this process's own limit as far as it may."""
    try:
        import resource  # noqa: PLC0415 - not on Windows, which has no such limit
    except ImportError:
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65_536, 10_240):  # the second is the most that macOS takes
        if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
                soft = most
    # What else is open: files, the event loop, DNS.
    return max(soft - 128 if soft >= 512 else soft // 2, 8)


def spare_the_collector() -> None:
    """Have Python look for garbage seldom, and never among what is loaded by now.

    A sweep makes hundreds of thousands of objects that live, and nearly no cycles: at its usual pace, the collector
    would take a sixth of the time, and keep the loop from its turns while it looks.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


@dataclass(frozen=True)
class Caps:
    """How much goes on at once. Held only around work on the wire.

    A host that does not answer holds a place until its time-out, so the cap of the whole run is what the system
    allows, and no less. TLS handshakes have no number: a ``Gate`` admits as many as the loop keeps up with.
    """

    overall: int = field(default_factory=sockets)
    target: int = 3
    services: Mapping[str, int] = field(
        default_factory=lambda: {
            "mailbox": 2,
            "dns": 32,
            "graph": 4,
            "tenant": 16,
            "pace": 1,
            "sweep": 32,
            "sweeping": 2,
        }
    )


BURST = 1_000  # pieces that are begun in one turn of the loop: a fifth of a second or so
Key = tuple[str, str]  # kind, subject
_current: ContextVar[Key | None] = ContextVar("_current", default=None)


class Run:
    """What a probe is given: the site, the wire, secrets, other evidence, and its own transcript."""

    # Thousands are alive at once.
    __slots__ = ("_began", "_gatherer", "_kind", "_subject", "idle", "lines", "needs", "place", "waiting")

    def __init__(self, gatherer: Gatherer, kind: str, subject: Subject) -> None:
        self._gatherer, self._kind, self._subject = gatherer, kind, subject
        self._began = time.monotonic()
        self.lines: list[Line] = []
        self.place = gatherer.network.vantage.place
        self.needs: list[str] = []
        self.idle = 0.0  # seconds spent waiting for other evidence, or for a turn
        self.waiting = 0  # how many such waits go on at this moment

    @property
    def site(self) -> Site:
        """The site."""
        return self._gatherer.site

    @property
    def network(self) -> Network:
        """The wire."""
        return self._gatherer.network

    @property
    def secrets(self) -> Secrets:
        """The secrets."""
        return self._gatherer.secrets

    @property
    def sends_mail(self) -> bool:
        """False under ``--no-send``."""
        return self._gatherer.sends_mail

    def planned(self, *kinds: str) -> bool:
        """Tell whether the plan holds one of these kinds of evidence of this probe's subject."""
        return any((kind, self._subject.key) in self._gatherer.planned for kind in kinds)

    @property
    def since(self) -> datetime | None:
        """From when scans and log rows count, where the run was told (``--since``)."""
        return self._gatherer.since

    @property
    def codes(self) -> dict[str, str]:
        """The one-time codes that a person was asked to type at the copiers: code to copier's key."""
        return self._gatherer.codes

    @property
    def token(self) -> str:
        """This run's own token, by which its test mails are recognised."""
        return self._gatherer.token

    async def gather(self, probe: Probe[S, F], subject: S, *, there: bool = False) -> F:
        """Return the facts of other evidence, gathered once a run.

        Args:
            probe: how it is gathered.
            subject: what it is about.
            there: this evidence was seen from where that was.

        Raises:
            Blocked: that evidence is itself blocked.
            Unproven: that evidence could not be had.
            RuntimeError: gathering it broke.
        """
        with self.idling():
            evidence = await self._gatherer.evidence(probe, subject)
        self.needs.append(evidence.id)
        if there:
            self.place = evidence.vantage
        if evidence.outcome == "blocked":
            raise Blocked(evidence.blocked_by[0], evidence.reason, evidence.remedy)
        if evidence.outcome == "broken":
            raise RuntimeError(f"needs {evidence.id}, which broke: {evidence.reason}")
        if evidence.facts is None:
            raise Unproven(evidence.reason, evidence.remedy, evidence.lacks)
        return evidence.facts

    def begin(self, name: str, make: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
        """Begin to make something that the probes of a run share, unless another probe has."""
        shared = self._gatherer.shared
        if name not in shared:
            shared[name] = asyncio.ensure_future(make())
            # Who begins it may end without needing it: its failure is then nobody's, and no complaint of the loop.
            shared[name].add_done_callback(lambda made: made.cancelled() or made.exception())
        return shared[name]

    async def once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """Return something that the probes of a run share, made by whoever asks first; a failure is shared too."""
        with self.idling():
            return await asyncio.shield(self.begin(name, make))

    def wire(self, target: str, *services: str) -> _Held:
        """Hold a place on the wire: one of the target's, of each named service's, and of the whole run's."""
        return _Held(self, self._gatherer.places(target, services))

    def turn(self, service: str) -> _Held:
        """Hold one of a service's places as well, for a part of the work on the wire."""
        return _Held(self, [self._gatherer.place(service)])

    @contextmanager
    def idling(self) -> Iterator[None]:
        """Count what goes on inside as waiting, not as the probe's own time."""
        began = time.monotonic()
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            self.idle += time.monotonic() - began

    async def pace(self, name: str, count: int, seconds: float) -> None:
        """Wait until one more of something stays within a rate, and count it.

        Args:
            name: whose rate it is, such as ``mailbox scan@hospital.example``.
            count: how many may be within any ``seconds``.
            seconds: the window.
        """
        times = self._gatherer.paces.setdefault(name, deque(maxlen=count))
        async with self.turn(f"pace {name}"):
            if len(times) == count:
                with self.idling():
                    await asyncio.sleep(max(times[0] + seconds - time.monotonic(), 0))
            times.append(time.monotonic())

    def at_end(self, close: Callable[[], Awaitable[object]]) -> None:
        """Have something closed when all is gathered: a client whose connections are kept between probes."""
        self._gatherer.endings.append(close)

    def tell(self, text: str) -> None:
        """Show a line to the person at the terminal, who is to act on it.

        Raises:
            Unproven: there is none.
        """
        if self._gatherer.teller is None:
            raise Unproven("this needs a person at a terminal, and there is none", "run it in a terminal")
        self._gatherer.teller(text)

    def intent(self, what: str) -> None:
        """Write down, before it happens, an act that can't be undone."""
        self._gatherer.sink.intent(self._kind, self._subject.key, self.network.vantage.place, what)

    def stand(self, vantage: Vantage) -> None:
        """Have this evidence named after another vantage than this machine."""
        self.place = vantage.place

    def say(self, way: Literal["->", "<-", "**"], text: str) -> None:
        """Add to the transcript."""
        self.lines.append(Line(round((time.monotonic() - self._began) * 1000), way, text))


class _Held:
    """Places that are held inside an ``async with``; waiting for them is not the probe's own time."""

    __slots__ = ("_held", "_places", "_run")

    def __init__(self, run: Run, places: list[asyncio.Semaphore | Gate]) -> None:
        self._run, self._places, self._held = run, places, 0

    async def __aenter__(self) -> None:
        try:
            with self._run.idling():
                for place in self._places:
                    await place.acquire()
                    self._held += 1
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        for place in self._places[: self._held]:
            place.release()


class Gatherer:
    """Gathers a plan's evidence concurrently, each piece once."""

    def __init__(
        self,
        site: Site,
        network: Network,
        secrets: Secrets,
        sink: Sink,
        *,
        token: str,
        sends_mail: bool = True,
        caps: Caps | None = None,
        teller: Callable[[str], None] | None = None,
        since: datetime | None = None,
        codes: dict[str, str] | None = None,
    ) -> None:
        """Make a gatherer for one run."""
        self.site, self.network, self.secrets, self.sink = site, network, secrets, sink
        self.token, self.sends_mail, self.teller = token, sends_mail, teller
        self.since, self.codes = since, codes or {}
        self._caps = caps or Caps()
        self._tasks: dict[Key, asyncio.Task[Evidence[Any]]] = {}
        self._asked: dict[Key, set[Key]] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._handshakes = Gate()
        self._deadline: float | None = None  # set once it has passed
        self.began: dict[Key, float] = {}
        self.shared: dict[str, asyncio.Future[Any]] = {}
        self.paces: dict[str, deque[float]] = {}
        self.endings: list[Callable[[], Awaitable[object]]] = []
        self.done = 0
        self.planned: set[Key] = set()

    @property
    def total(self) -> int:
        """How many pieces have been asked for so far."""
        return len(self._tasks)

    def pending(self) -> list[tuple[float, str, str]]:
        """Return (seconds so far, kind, label) of what is still being gathered, slowest first."""
        now = time.monotonic()
        waiting = [key for key, task in self._tasks.items() if not task.done() and key in self.began]
        return sorted(((now - self.began[key], *key) for key in waiting), reverse=True)

    async def collect(self, plan: Iterable[tuple[Probe[Any, Any], Subject]], *, deadline: float) -> None:
        """Gather a whole plan.

        Args:
            plan: the pairs of probe and subject.
            deadline: seconds for everything; what isn't done by then is unproven, and says so.

        Raises:
            Exception: the sink's own; everything else has been gathered by then.
        """
        try:
            await self._collect(plan, deadline)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close what probes kept open between them."""
        endings, self.endings = self.endings, []
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.gather(*(close() for close in endings), return_exceptions=True)

    async def _collect(self, plan: Iterable[tuple[Probe[Any, Any], Subject]], deadline: float) -> None:
        wanted = list(plan)
        self.planned = {(probe.kind, subject.key) for probe, subject in wanted}
        tasks = []
        for number, (probe, subject) in enumerate(wanted, 1):
            tasks.append(self._task(probe, subject))
            if number % BURST == 0:
                await asyncio.sleep(0)  # what is answered at once is done, and out of memory, before more begins
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=deadline)
        if late:
            self._deadline = deadline
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=5)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def evidence(self, probe: Probe[S, F], subject: S) -> Evidence[F]:
        """Return a piece of evidence, gathering it if nobody has yet.

        Raises:
            RuntimeError: probes ask for each other in a circle.
        """
        key, asker = (probe.kind, subject.key), _current.get()
        if asker is not None:
            if asker == key or self._leads(key, asker):
                raise RuntimeError(f"evidence needs itself: {'/'.join(asker)} and {'/'.join(key)}")
            self._asked.setdefault(asker, set()).add(key)
        # Shielded: one asker that gives up must not take the evidence from the others.
        return cast("Evidence[F]", await asyncio.shield(self._task(probe, subject)))

    def _leads(self, start: Key, end: Key) -> bool:
        return any(key == end or self._leads(key, end) for key in self._asked.get(start, ()))

    def places(self, target: str, services: Iterable[str]) -> list[asyncio.Semaphore | Gate]:
        """Return the places to hold, always in the same order, so that no two holders wait for each other."""
        held: list[asyncio.Semaphore | Gate] = [self._place(f"target {target}", self._caps.target)]
        held += [self.place(service) for service in sorted(services)]
        return [*held, self._place("overall", self._caps.overall)]

    def place(self, service: str) -> asyncio.Semaphore | Gate:
        """Return a service's places; its name's first word is its kind, such as ``mailbox scan@hospital.example``."""
        if service == "tls":
            return self._handshakes
        return self._place(f"service {service}", self._caps.services.get(service.split(" ", 1)[0], 8))

    def _place(self, name: str, limit: int) -> asyncio.Semaphore:
        if name not in self._places:
            self._places[name] = asyncio.Semaphore(limit)
        return self._places[name]

    def _task(self, probe: Probe[Any, Any], subject: Subject) -> asyncio.Task[Evidence[Any]]:
        key = (probe.kind, subject.key)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._gather(probe, subject), name="/".join(key))
        return self._tasks[key]

    async def _gather(self, probe: Probe[Any, Any], subject: Subject) -> Evidence[Any]:
        key = (probe.kind, subject.key)
        _current.set(key)
        self.began[key] = time.monotonic()
        run = Run(self, probe.kind, subject)
        started = datetime.now(UTC)
        found: dict[str, Any] = {"outcome": "observed"}
        try:
            found["facts"] = await _bounded(probe, subject, run)
        except Blocked as blocked:
            found = {"blocked_by": (blocked.by,), "reason": blocked.reason, "remedy": blocked.remedy}
            found["outcome"] = "blocked"
        except Unproven as unproven:
            found = {"reason": unproven.reason, "remedy": unproven.remedy, "lacks": unproven.lacks}
            found["outcome"] = "unproven"
        except asyncio.CancelledError:
            if self._deadline is None:  # Ctrl-C: what was begun stays without an end, and is known as interrupted
                raise
            reason = f"not finished within the {self._deadline:g} s that this run may take"
            found = {"outcome": "unproven", "reason": reason, "remedy": "run again; see what was slow in the report"}
        except Exception as error:  # noqa: BLE001 - a broken probe breaks its own cases, not the run
            if limit := own_limit(error):
                at = not_tried(limit)
                found = {"outcome": "unproven", "reason": at.reason, "remedy": at.remedy}
            else:
                found = _broken(error)
        evidence: Evidence[Any] = Evidence(
            kind=probe.kind,
            subject=subject.key,
            label=subject.label,
            vantage=run.place,
            started=started,
            elapsed_ms=round((time.monotonic() - self.began[key]) * 1000),
            target=target_of(subject),
            needs=tuple(run.needs),
            transcript=tuple(run.lines),
            **found,
        )
        self.sink.add(evidence)
        self.done += 1
        return evidence


def _broken(error: Exception) -> dict[str, Any]:
    where = traceback.extract_tb(error.__traceback__)[-1]
    reason = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return {"outcome": "broken", "reason": reason, "remedy": "this is a defect of Scanproof: report it"}


async def _bounded(probe: Probe[Any, Any], subject: Subject, run: Run) -> Facts:
    """Await a probe within its deadline."""
    limit = _Own(probe.deadline, run)
    try:
        async with limit:
            return cast("Facts", await probe.function(subject, run))
    except TimeoutError:
        if not limit.passed:
            raise
        raise Unproven(f"the {probe.kind} probe did not end within {probe.deadline:g} s") from None


class _Own(within):
    """A limit of a probe's own time, to which waiting for others and for its turn doesn't count."""

    __slots__ = ("_run",)

    def __init__(self, seconds: float, run: Run) -> None:
        super().__init__(seconds)
        self._run = run

    def left(self) -> float:
        """Return the seconds that are left; what the probe spent idle is given back each time they have passed."""
        left = super().left() + self._run.idle
        return max(left, 0.25) if self._run.waiting else left
