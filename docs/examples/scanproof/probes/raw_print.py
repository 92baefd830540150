"""The port on which a print server hands jobs to a copier (TCP 9100)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.kinds import Facts, Unproven, probe
from scanproof.troubles import connecting

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Copier

PORT = 9100


class RawPrint(Facts):
    """One connection to the raw print port."""

    address: str
    connected: bool
    trouble: str = ""

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        return f"{self.address}:{PORT}: {'connected' if self.connected else self.trouble}"


@probe(RawPrint, deadline=10)
async def raw_print(copier: Copier, run: Run) -> RawPrint:
    """Connect, and hang up: a single byte sent here would be printed."""
    if run.network.vantage.lab:
        raise Unproven("the simulated copiers have no print port", "judge a real site")
    async with run.wire(copier.address):
        try:
            sock = await run.network.connect(copier.address, PORT)
        except OSError as error:
            return RawPrint(address=copier.address, connected=False, trouble=connecting(error).words)
        sock.close()
    return RawPrint(address=copier.address, connected=True)
