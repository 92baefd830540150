"""Files that an engineer saved by hand from a device: its e-mail page, its log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scanproof.kinds import Unproven
from scanproof.tenant.mails import since

if TYPE_CHECKING:
    from scanproof.gather import Run

_AHEAD = timedelta(hours=1)  # that another machine's clock may be


def saved_file(name: str, key: str, run: Run) -> tuple[Path, datetime]:
    """Return the path of a file beside the site file, and when it was saved.

    Args:
        name: as the site states it, below its folder.
        key: of ``[[copier]]`` that states it.
        run: the run.

    Raises:
        Unproven: there is no such file, or it is not of the time since the last change.
    """
    path = (run.site.folder or Path()) / name
    try:
        if not path.is_file():
            raise Unproven(f"{name} is no file of the site's folder", f"correct [[copier]] {key}")
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open("rb"):
            pass
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "its name or its time is impossible"
        raise Unproven(f"{name!r} can't be read: {reason}", f"correct [[copier]] {key}") from None
    if at < since(run):
        raise Unproven(f"{name} was saved on {at:%Y-%m-%d %H:%M} UTC, before the last change", "save it again")
    if at > run.site.now.astimezone(UTC) + _AHEAD:
        raise Unproven(f"{name} is of {at:%Y-%m-%d %H:%M} UTC, which is yet to come", "save it again")
    return path, at
