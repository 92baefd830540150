"""Runs of the suite for the fault matrix, begun as the session begins: with low priority while other tests run.

A run that has to share the machine may be starved, and then sees what isn't there. So a run that does not show just
what its fault states is made once more, and the summary names it: what differs twice is a finding.
"""

from __future__ import annotations

import os
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from selftests import suite

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, str]  # network and fault; several are joined by "+"
MODULES = ("test_causes.py", "test_faults.py")  # whose tests look at these runs


class Runs:
    """Runs of the suite, each done once, by as many workers as there are cores.

    Attributes:
        again: those that were made twice.
    """

    def __init__(self, base: Path) -> None:
        """Begin with a worker for each core, whose runs give way to every other process."""
        self._base = base
        self._wanted: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._begun: dict[Key, Future[suite.Result]] = {}
        self._workers: list[threading.Thread] = []
        self._ended = self._hurried = False
        self.again: list[str] = []
        for _ in range(os.cpu_count() or 2):
            worker = threading.Thread(target=self._work, daemon=True)
            self._workers.append(worker)
            worker.start()

    def begin(self, network: str, fault: str = "") -> Future[suite.Result]:
        """Return the result of a run that is made once, as soon as a worker is free."""
        key = (network, fault)
        if key not in self._begun:
            self._begun[key] = Future()
            self._wanted.put(key)
        return self._begun[key]

    def hurry(self) -> None:
        """Give way no more: nothing else is tested any longer."""
        self._hurried = True

    def once_more(self, network: str, fault: str) -> suite.Result:
        """Make a run again."""
        self.again.append(f"{fault or 'healthy'} ({network})")
        return self._run(network, fault, "again")

    def close(self) -> None:
        """Begin nothing more, and wait for what was begun."""
        self._ended = True
        for _ in self._workers:
            self._wanted.put(None)
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while (key := self._wanted.get()) is not None and not self._ended:
            try:
                self._begun[key].set_result(self._run(*key, "run"))
            except Exception as error:  # noqa: BLE001 - raised again for the test that asks
                self._begun[key].set_exception(error)

    def _run(self, network: str, fault: str, name: str) -> suite.Result:
        arguments = [f"--lab-network={network}", *(f"--lab-fault={name}" for name in fault.split("+") if name)]
        folder = self._base / f"{network}-{fault or 'healthy'}-{name}"
        return suite.pytest(folder, "-q", *arguments, gives_way=not self._hurried)
