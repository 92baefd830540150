"""ICMP echo (RFC 792)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.echo import NoPing
from scanproof.evidence import Ping
from scanproof.kinds import Unproven, probe

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Copier


@probe(Ping, deadline=15)
async def ping(copier: Copier, run: Run) -> Ping:
    """Send echo requests to a copier, at most two, in three seconds."""
    if run.network.vantage.lab == "loopback":
        raise Unproven(
            "the loopback lab has no ICMP: this machine's own kernel would answer",
            "on Linux: scanproof demo --network namespaces",
        )
    try:
        async with run.wire(copier.address):
            echo = await run.network.pinger.ping(copier.address, timeout=run.network.deadlines.connect)
    except NoPing as error:
        raise Unproven("this machine may not send ICMP echo requests", str(error)) from None
    return Ping(
        address=copier.address,
        sent=echo.sent,
        received=len(echo.rtt_ms),
        rtt_ms=tuple(round(rtt, 2) for rtt in echo.rtt_ms),
        method=echo.method,
        trouble=echo.trouble,
    )
