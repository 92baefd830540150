"""What is being gathered, while it is: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from scanproof.redact import plain, scrub

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from scanproof.gather import Gatherer

LIVE_EVERY = 0.2  # seconds
PLAIN_EVERY = 10.0


def teller(config: pytest.Config) -> Callable[[str], None] | None:
    """Return what shows a line to the person at the terminal; None where nobody sits at one."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty:
        return None

    def tell(text: str) -> None:
        reporter.rewrite("", erase=True)
        reporter.rewrite("")  # back to the line's beginning
        reporter.write_line(scrub(plain(text, 1000)), bold=True)

    return tell


class Progress:
    """Shows a gatherer at work."""

    def __init__(self, config: pytest.Config, gatherer: Gatherer) -> None:
        """Write where pytest's terminal reporter writes."""
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._gatherer = gatherer
        self._began = time.monotonic()
        self._live = bool(self._reporter and self._reporter.isatty)

    async def show(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(LIVE_EVERY if self._live else PLAIN_EVERY)
            if self._reporter is None:
                continue
            if self._live:
                width = self._reporter._tw.fullwidth - 1  # noqa: SLF001 - no other way to the width
                self._reporter.rewrite(self._line()[:width], erase=True)
            else:
                self._reporter.write_line(self._line())

    def end(self) -> None:
        """Leave one line that stays."""
        if self._reporter is None or self._reporter.verbosity < -1:
            return
        if self._live:
            self._reporter.rewrite("", erase=True)
            self._reporter.rewrite("")
        self._reporter.write_line(f"gathered {self._gatherer.done} pieces of evidence in {self._seconds():.1f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _line(self) -> str:
        line = f"gathering {self._gatherer.done}/{self._gatherer.total} · {self._seconds():.0f} s"
        slow = [f"{kind} of {subject} ({seconds:.0f} s)" for seconds, kind, subject in self._gatherer.pending()[:2]]
        return scrub(plain(f"{line} · waiting for {', '.join(slow)}" if slow else line, 300))
