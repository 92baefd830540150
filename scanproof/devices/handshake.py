"""Whether a device can negotiate the TLS that Exchange Online takes: shown by mail, hinted at by its own web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices.identity import identity
from scanproof.devices.logs import own_log
from scanproof.devices.scans import scan
from scanproof.kinds import Blocked, Facts, Unproven, probe
from scanproof.probes.web import https_page

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Copier

OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})


class Handshake(Facts):
    """What is known of a device's TLS."""

    delivered_by: str = ""  # which copier's mail shows it: its own, or one of its model and firmware
    web: str = ""  # version and cipher on its port 443
    web_version: str = ""

    @property
    def told(self) -> bool:
        """Whether anything decides it: a delivered mail, or a web server that knows nothing newer than TLS 1.1."""
        return bool(self.delivered_by) or self.web_version in OLD

    @property
    def modern(self) -> bool:
        """Whether a mail shows it; a web server alone can only show that it does not."""
        return bool(self.delivered_by)

    @property
    def grade(self) -> str:
        """Of the proof."""
        return "from-copier" if self.delivered_by else "inferred"

    @property
    def seen(self) -> str:
        """Both, in words."""
        web = f"on its port 443 it speaks {self.web}" if self.web else "its port 443 tells nothing"
        if self.delivered_by:
            return f"a scan by smtp-auth from {self.delivered_by} was delivered; {web}"
        return f"no scan by smtp-auth was delivered from it or its model and firmware; {web}, which is only a hint"


@probe(Handshake, deadline=120)
async def handshake(copier: Copier, run: Run) -> Handshake:
    """Look for a delivered scan of a device, or of another one of its model and firmware, and at its port 443."""
    page = await run.gather(https_page, copier)
    web, version = (f"{page.tls.version}, {page.tls.cipher}", page.tls.version) if page.tls else ("", "")
    shown = "it" if await _signed(copier, run) else ""
    if not shown and version not in OLD:  # what its own web server is unable to do, another one's mail can't show
        shown = await _alike(copier, run)
    return Handshake(delivered_by=shown, web=web, web_version=version)


async def _failed(copier: Copier, run: Run) -> bool:
    """Tell whether its own log shows scans since the last change that failed, or jobs that may have been such."""
    try:
        log = await run.gather(own_log, copier)
    except (Unproven, Blocked):
        return False
    return bool(log.failed or log.perhaps_failed)


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
