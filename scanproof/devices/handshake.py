"""Whether a device can negotiate the TLS that Exchange Online takes: shown by mail, hinted at by its own web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices.identity import identity
from scanproof.devices.logs import own_log
from scanproof.devices.logwords import BROKE_OFF
from scanproof.devices.scans import not_read, scan
from scanproof.inspection import signs
from scanproof.kinds import Blocked, Facts, Unproven, probe
from scanproof.probes.egress import egress
from scanproof.probes.web import https_page
from scanproof.subjects import Path

if TYPE_CHECKING:
    from scanproof.devices.logs import OwnLog
    from scanproof.gather import Run
    from scanproof.site import Copier

OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})


class Handshake(Facts):
    """What is known of a device's TLS."""

    delivered_by: str = ""  # which copier's mail shows it: its own, or one of its model and firmware
    broke_off: str = ""  # its last scan, by its own log, where that got a connection which nothing on the way spoils
    web: str = ""  # version and cipher on its port 443
    web_version: str = ""

    @property
    def told(self) -> bool:
        """Whether anything decides it: a delivered mail; or its own log and its own web server, which both say no."""
        return bool(self.delivered_by) or (bool(self.broke_off) and self.suspicious)

    @property
    def modern(self) -> bool:
        """Whether a mail shows it."""
        return bool(self.delivered_by)

    @property
    def suspicious(self) -> bool:
        """Whether its web server knows nothing newer than TLS 1.1: its mail is another program, which may know more."""
        return not self.delivered_by and self.web_version in OLD

    @property
    def seen(self) -> str:
        """All of it, in words."""
        web = f"on its port 443 it speaks {self.web}" if self.web else "its port 443 tells nothing"
        if self.delivered_by:
            return f"a scan by smtp-auth from {self.delivered_by} was delivered; {web}"
        if self.broke_off:
            return f"its own log has a scan that got a connection, which broke off: {self.broke_off}; {web}"
        hint = ", so its mail may know nothing newer either: a hint, and no proof" if self.suspicious else ""
        return f"no scan by smtp-auth was delivered from it or its model and firmware; {web}{hint or ', only a hint'}"

    @property
    def remedy(self) -> str:
        """What to do where nothing decides it."""
        if self.suspicious:
            return (
                "make a scan from it: if that fails, its firmware has to be updated, or it has to send by port 25 "
                "(direct send or relay), which takes mail without TLS"
            )
        return "make a scan from it, or from another of its model and firmware"


@probe(Handshake, deadline=120)
async def handshake(copier: Copier, run: Run) -> Handshake:
    """Look for a delivered scan of a device, or of another one of its model and firmware, and at its port 443."""
    page = await run.gather(https_page, copier)
    web, version = (f"{page.tls.version}, {page.tls.cipher}", page.tls.version) if page.tls else ("", "")
    shown = "it" if await _signed(copier, run) else ""
    if not shown and version not in OLD:  # what its own web server is unable to do, another one's mail can't show
        shown = await _alike(copier, run)
    broke_off = "" if shown else await _broke_off(copier, run)
    if not (shown or broke_off) and (error := await not_read(copier, run)):
        raise error
    return Handshake(delivered_by=shown, broke_off=broke_off, web=web, web_version=version)


async def _log(copier: Copier, run: Run) -> OwnLog | None:
    try:
        return await run.gather(own_log, copier)
    except (Unproven, Blocked):
        return None


async def _broke_off(copier: Copier, run: Run) -> str:
    """Return its last scan in its own log where that broke off; empty where something on its way may be why."""
    log = await _log(copier, run)
    if log is None or not log.ends_in_failure or BROKE_OFF not in log.failed[-1]:
        return ""
    subnet = next((it for it in run.site.subnets if it.prefix == copier.subnet), None)
    try:
        way = await run.gather(egress, Path(subnet, run.site.services[copier.route])) if subnet else None
    except (Unproven, Blocked):
        way = None  # nobody looked from there
    return "" if way and (not way.reached or signs(way.door)) else log.failed[-1]


async def _failed(copier: Copier, run: Run) -> bool:
    """Tell whether its own log shows scans since the last change that failed, or jobs that may have been such."""
    log = await _log(copier, run)
    return log is not None and bool(log.failed or log.perhaps_failed)


async def _alike(copier: Copier, run: Run) -> str:
    """Return another device of the same model and firmware whose scan was delivered by a sign-in; empty for none."""
    try:
        own = await run.gather(identity, copier)
    except (Unproven, Blocked):
        return ""
    if await _failed(copier, run):  # another one's mail would speak against what its own log says
        return ""
    alike = [
        it
        for it in run.site.copiers
        if it.key != copier.key and it.model and it.model == copier.model and it.route == "smtp-auth"
    ]
    for other in alike:
        if not await _signed(other, run):
            continue
        try:
            found = await run.gather(identity, other)
        except (Unproven, Blocked):
            continue
        if own.firmware and found.model == own.model and found.firmware == own.firmware:
            return f"{other.label}, of the same model and firmware {own.firmware}"
    return ""


async def _signed(copier: Copier, run: Run) -> bool:
    """Tell whether a scan of a device arrived by a sign-in, whatever folder it lies in."""
    try:
        found = await run.gather(scan, copier)
    except (Unproven, Blocked):
        return False
    signs = [sign for sign, _ in found.signs]
    return len(signs) >= 2 and all(sign == "signed in" for sign in signs)
