"""``--attended``: walks a person to a copier of each subnet, and watches the test mailboxes for the scan made there.

The one-time code that the person types as the scan's subject is kept beside the runs' folders: a walk can be left and
resumed, and a later run still knows the scan by its code.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from plugins.progress import teller
from scanproof.devices import codes, scans
from scanproof.gather import Run as Asking
from scanproof.kinds import Blocked, Unproven
from scanproof.tenant import mails

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pytest

    from plugins.run import Run
    from scanproof.gather import Gatherer
    from scanproof.kinds import Probe, Subject
    from scanproof.site import Copier

LOOK_EVERY = 3.0  # seconds; far below what Graph throttles
LIMIT = 1800.0  # seconds that one copier's scan is waited for
INPUT = 0  # the descriptor of the terminal's keyboard
LEAVE, NEXT = "q", ""


def kept(run: Run) -> tuple[list[codes.Code], str]:
    """Return the codes of earlier walks, and what keeps them from being read."""
    try:
        return codes.read(_file(run)), ""
    except codes.CodesError as error:
        return [], str(error)


def _file(run: Run) -> Any:
    return run.folder.parent / f"attended-{run.short_name}.json"


async def walk(
    config: pytest.Config, run: Run, gatherer: Gatherer, plan: Iterable[tuple[Probe[Any, Any], Subject]]
) -> None:
    """Walk; what keeps it from happening becomes a note of the run, and the scans' cases are judged as ever."""
    copiers: list[Any] = [subject for probe, subject in plan if probe.kind == scans.scan.kind]
    tell = teller(config)
    with _keyboard(config) as terminal:
        reason = ""
        if not copiers:
            reason = "no case that needs a scan was chosen"
        elif tell is None or not terminal:
            reason = "it needs a terminal to show codes and read keys, and there is none: run it in one, without a pipe"
        else:
            try:
                await _Walk(run, gatherer, tell).all(copiers)
            except (Unproven, Blocked) as error:
                reason = f"the test mailboxes can't be watched: {error.reason}; {error.remedy}"
            except codes.CodesError as error:
                reason = str(error)
    if reason:
        run.notes.append(f"--attended: nobody was walked to a copier: {reason}.")


@contextmanager
def _keyboard(config: pytest.Config) -> Iterator[bool]:
    """Give the terminal's keyboard back, which pytest holds while it captures; tell whether it is one."""
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    try:
        yield os.isatty(INPUT)
    finally:
        if capture is not None:
            capture.resume_global_capture()
            capture.suspend_global_capture()  # as it was: the reporter writes between tests


class _Walk:
    """A walk: the codes, what is told, and the keys that are pressed."""

    def __init__(self, run: Run, gatherer: Gatherer, tell: Callable[[str], None]) -> None:
        self._file, self._gatherer, self._tell = _file(run), gatherer, tell
        self._asking = Asking(gatherer, scans.scan.kind, run.site.copiers[0])
        self._site = run.site
        self._keys: asyncio.Queue[str] = asyncio.Queue()

    async def all(self, copiers: list[Copier]) -> None:
        """Walk to each copier whose scan with this walk's code has not arrived yet.

        Raises:
            Unproven: no test mailbox can be read.
            Blocked: nobody could sign in to read them.
            codes.CodesError: the codes can't be kept.
        """
        await scans.arrivals(self._asking)  # what can't be watched is said before anybody walks
        asked = self._codes(copiers)
        threading.Thread(target=self._read, args=(asyncio.get_running_loop(),), daemon=True).start()
        self._tell(
            f"Attended: {len(copiers)} copiers, one a subnet. Enter goes on to the next one, {LEAVE} and Enter leaves "
            f"the walk; the codes stay in {self._file}, and the same command resumes it."
        )
        for number, copier in enumerate(copiers, 1):
            self._tell(f"{number} of {len(copiers)}: {copier.label}, for subnet {copier.subnet}")
            if await self._scan(copier, asked[copier.key]) == LEAVE:
                self._tell("Left: the other copiers are judged by the scans that lie in the test mailboxes.")
                return

    def _codes(self, copiers: list[Copier]) -> dict[str, str]:
        """Return each copier's code: that of a walk that was left, unless scans of then no longer count."""
        start = mails.since(self._asking)
        held = {it.copier: it for it in codes.read(self._file) if it.made >= start}
        for copier in copiers:
            held.setdefault(copier.key, codes.fresh(copier.key))
        codes.write(self._file, list(held.values()))
        self._gatherer.codes = {it.code: it.copier for it in held.values()}
        return {it.copier: it.code for it in held.values()}

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass on each line that is typed. A thread: no event loop of Windows watches a keyboard."""
        with suppress(OSError, RuntimeError):  # the terminal is gone; the loop has ended
            while typed := os.read(INPUT, 1024):
                loop.call_soon_threadsafe(self._keys.put_nowait, typed.decode(errors="replace").strip().lower())
            loop.call_soon_threadsafe(self._keys.put_nowait, LEAVE)

    async def _scan(self, copier: Copier, code: str) -> str:
        """Wait for a copier's scan; return NEXT when it has arrived, was passed over or didn't come, or LEAVE."""
        if await self._arrived(copier, code, time.monotonic()):
            return NEXT
        to = " or ".join(it.address for it in self._site.recipients if it.readable)
        self._tell(f"  Scan one page to {to}, with the subject {code}")
        began = time.monotonic()
        while time.monotonic() - began < LIMIT:
            with suppress(TimeoutError):
                key = await asyncio.wait_for(self._keys.get(), LOOK_EVERY)
                return LEAVE if key == LEAVE else NEXT
            if await self._arrived(copier, code, began):
                return NEXT
        self._tell(f"  Nothing came within {LIMIT / 60:.0f} minutes.")
        return NEXT

    async def _arrived(self, copier: Copier, code: str, began: float) -> bool:
        """Look into the test mailboxes; say what came, and by which route."""
        try:
            found = await scans.arrivals(self._asking)
            own = [it for it in found if it.copier.key == copier.key and any(code in shown for shown in it.by)]
            if not own:
                return False
            scan = await scans.opened(own[-1], self._asking)
        except (Unproven, Blocked) as error:
            self._tell(f"  The mailboxes can't be read at the moment ({error.reason}); still watching")
            return False
        self._tell(f"  Arrived after {time.monotonic() - began:.0f} s: {scan.seen}")
        return True
