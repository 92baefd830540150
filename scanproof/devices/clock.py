"""A device's own clock, by which its log is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scanproof.devices.identity import identity
from scanproof.kinds import Blocked, Unproven
from scanproof.tenant.mails import since

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.site import Copier

NOW_WITHIN = timedelta(minutes=1)  # a device's clock is known by the second, less what its answer took


async def ahead(copier: Copier, written: datetime | None, run: Run) -> timedelta:
    """Return by how much a device's local time is ahead of UTC.

    Its Date header tells how far its clock is off. The log has no zone: it is that of its own mail's Date, else that in
    which the site states its cut-over, else this machine's.

    Args:
        copier: the device.
        written: the Date of a mail of its own.
        run: the run.
    """
    stated = run.site.file.site.last_change or run.site.file.site.cutover
    here = next((at for at in (written, stated) if at), datetime.now(UTC).astimezone())
    try:
        clock = (await run.gather(identity, copier)).clock
    except (Unproven, Blocked):
        clock = None
    return (here.utcoffset() or timedelta()) + timedelta(seconds=clock or 0)


def log_since(run: Run) -> datetime:
    """Return from when a log's lines are kept, by a clock without a zone: two days before scans count.

    No zone and no clock by which a log proves anything (``logs.own_log``) is further off than that.
    """
    return (since(run) - timedelta(days=2)).replace(tzinfo=None)


def local(moment: datetime, offset: timedelta) -> datetime:
    """Return a moment by a clock that is so far ahead of UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None) + offset


def astray(clock: float) -> bool:
    """Tell whether a clock is so wrong that nothing places its log's times: nobody knows since when it is.

    Args:
        clock: seconds that it is ahead.
    """
    return abs(clock) > 86400
