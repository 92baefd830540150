"""Time limits that our own work can't use up: a late loop must not make a live host look dead.

``asyncio.timeout`` counts the wall clock. While the loop is busy with thousands of other hosts, an answer may lie in
the kernel unread when the limit passes. Here a limit counts only time in which the loop looked for answers:
a clock is advanced every twentieth of a second, by a tenth at the most, however late its turn comes. What the loop
was late is measured on the way, and is what ``Gate`` admits by.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

BEAT = 0.05  # seconds between two looks at the clock
MOST = 0.1  # seconds that one look may count for
FOREVER = 3600.0  # seconds between two looks at a limit that is none

_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, Clock] = WeakKeyDictionary()


class Clock:
    """A loop's own time: seconds in which it had its turns. It beats only while somebody goes by it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin at zero."""
        self._loop = loop
        self._counted, self._last = 0.0, loop.time()
        self._users = 0
        self._beating: asyncio.TimerHandle | None = None
        self.beaten: list[Callable[[float], None]] = []  # called at each beat, with the seconds that it was late

    def now(self) -> float:
        """Return the seconds counted so far."""
        return self._counted + min(self._loop.time() - self._last, MOST)

    def hold(self) -> None:
        """Have it beat, until let go as often."""
        self._users += 1
        if self._beating is None:
            self._last = self._loop.time()
            self._beating = self._loop.call_later(BEAT, self._beat)

    def let_go(self) -> None:
        """Need it no longer."""
        self._users -= 1

    def _beat(self) -> None:
        now = self._loop.time()
        passed = now - self._last
        self._counted += min(passed, MOST)
        self._last = now
        for told in self.beaten:
            told(max(passed - BEAT, 0))
        self._beating = self._loop.call_later(BEAT, self._beat) if self._users else None


def clock() -> Clock:
    """Return the running loop's clock."""
    loop = asyncio.get_running_loop()
    found = _clocks.get(loop)
    if found is None:
        found = _clocks[loop] = Clock(loop)
    return found


class within:  # noqa: N801 - used as a statement, as asyncio.timeout is
    """Bound a block by seconds of the loop's own time; as ``asyncio.timeout`` otherwise.

    Raises:
        TimeoutError: at the block's end.
    """

    __slots__ = ("_began", "_cancelling", "_clock", "_expired", "_loop", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float | None) -> None:
        """Take the limit in seconds; None is none."""
        self._seconds = math.inf if seconds is None else seconds

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a time limit is for a task"
        self._task, self._cancelling = task, task.cancelling()
        self._loop, self._clock, self._expired = asyncio.get_running_loop(), clock(), False
        self._clock.hold()
        self._began = self._clock.now()
        self._timer: asyncio.Handle = self._loop.call_later(min(self._seconds, FOREVER), self._due)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._clock.let_go()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    @property
    def passed(self) -> bool:
        """Whether the limit has passed, and the block was ended by it."""
        return self._expired

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._began + self._seconds - self._clock.now()

    def _due(self) -> None:
        left = self.left()
        if left > 0.001:
            self._timer = self._loop.call_later(min(left, FOREVER), self._due)
        else:
            # What arrived in this very turn wakes its task in the next one: that comes first.
            self._timer = self._loop.call_soon(self._last_turn)

    def _last_turn(self) -> None:
        self._timer = self._loop.call_soon(self._expire)

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


class Gate:
    """Admits as many to a piece of work as the loop can serve without being late.

    It begins with a few. Whenever the loop was in time at a beat and somebody waits, a quarter more may be inside;
    when it was late, a quarter fewer. So slow devices, which only wait, are asked many at once, and fast ones, each
    of which keeps the processor busy, no more than it keeps up with. Devices that stall are no load: others are
    admitted beside them within a second, however many stall.
    """

    LEAST = 16
    LATE = 0.025  # seconds; a loop that turns within it adds nothing to a handshake that anyone would notice

    def __init__(self) -> None:
        """Begin with the least."""
        self.limit, self.inside = self.LEAST, 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._clock: Clock | None = None

    async def acquire(self) -> None:
        """Wait for a turn."""
        if self._clock is None:
            self._clock = clock()
            self._clock.beaten.append(self._adapt)
        self._clock.hold()
        if self.inside < self.limit and not self._waiting:
            self.inside += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # who is let in is counted by who lets in
        except asyncio.CancelledError:
            if turn.cancelled():
                self._clock.let_go()
            else:
                self.release()
            raise

    def release(self) -> None:
        """Let the next one in."""
        assert self._clock is not None
        self._clock.let_go()
        self.inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.inside < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)

    def _adapt(self, late: float) -> None:
        if late > self.LATE:
            self.limit = max(self.limit * 3 // 4, self.LEAST)
        elif self._waiting and self.inside >= self.limit:
            self.limit = self.limit * 5 // 4
            self._admit()
