"""A run's own copy of what it read, secrets apart: so that it can be judged again as of its moment.

``inputs/site.toml`` is the site file's text, ``inputs/fleet.json`` the list as it was read (recognised
columns only: a password column never gets here), ``inputs/run.json`` the moment and the vantages.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scanproof import redact, sitefile
from scanproof.redact import plain
from scanproof.site import Site, SiteError, checked
from scanproof.store import StoreError, cleaned, write_whole
from scanproof.workbook import Table, WorkbookError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def keep(
    site: Site,
    folder: Path,
    started: datetime,
    vantages: list[dict[str, Any]],
    *,
    parts: Iterable[datetime] = (),
    told: Mapping[str, Any] | None = None,
) -> None:
    """Write a run's inputs into its folder.

    Args:
        site: the site as the run sees it.
        folder: the run's.
        started: when it began.
        vantages: from where it looks.
        parts: when the runs began that its evidence was gathered in; its own beginning by default.
        told: what else its evidence depends on (``carry.fingerprint``).

    Raises:
        OSError: the folder can't be written.
    """
    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    write_whole(inputs / "site.toml", redact.scrub(site.text))
    write_whole(inputs / "fleet.json", redact.scrub(site.table.to_json()))
    write_whole(
        inputs / "run.json",
        json.dumps(
            {
                "started": started.isoformat(),
                "site": site.name,
                "lab": site.file.site.lab,
                "tenant": site.file.tenant.id,
                "machine": site.machine,
                "discover": site.discover,
                "vantages": vantages,
                "parts": [part.isoformat() for part in parts or (started,)],
                "told": dict(told or {}),
            }
        ),
    )


def differ(one: Path, other: Path) -> bool:
    """Tell whether two runs read different site files or fleet lists."""
    try:
        names = ("site.toml", "fleet.json")
        return any((one / "inputs" / name).read_bytes() != (other / "inputs" / name).read_bytes() for name in names)
    except OSError:
        return True


def mark_gathered(folder: Path) -> None:
    """Note that a run's gathering came to its end.

    Raises:
        OSError: the folder can't be written.
    """
    write_whole(folder / "inputs/run.json", json.dumps({**_about(folder), "gathered": True}))


def gathered(folder: Path) -> bool:
    """Tell whether a run's gathering came to its end; one that was killed didn't."""
    try:
        return bool(_about(folder).get("gathered"))
    except (OSError, ValueError, AttributeError):
        return False


def recall(folder: Path, *, now: datetime) -> Site:
    """Return the site as a run read it.

    Args:
        folder: the run's folder.
        now: the moment as of which is judged.

    Raises:
        StoreError: the inputs are missing or damaged.
        SiteError: this version finds the site file wrong.
    """
    try:
        text = (folder / "inputs/site.toml").read_text(encoding="utf-8-sig")
        rows = cleaned(json.loads((folder / "inputs/fleet.json").read_text(encoding="utf-8")))
        table = Table.from_json(json.dumps(rows))
        if not all(isinstance(row.key, str) for row in table.rows):
            raise TypeError("a row without a key")  # noqa: TRY301
        found = Site(sitefile.parse(text, f"{folder.name}/inputs/site.toml"), table, text, now)
        found.copiers, found.subnets  # noqa: B018 - made here, where what is damaged can be said
    except OSError as error:
        raise StoreError(
            f"{folder}: its inputs can't be read ({error.strerror}); name the site folder by --site"
        ) from None
    except SiteError:
        raise
    except (WorkbookError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = plain(str(error), 200)
        raise StoreError(f"{folder}/inputs/fleet.json: damaged ({said}); name the site folder by --site") from None
    return checked(found)


def of_site(folder: Path) -> tuple[str, bool]:
    """Return the name of the site that a run looked at, and whether it was a simulated one.

    Raises:
        StoreError: the run's inputs don't say.
    """
    try:
        about = _about(folder)
        return str(about["site"]), bool(about["lab"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{folder}: inputs/run.json doesn't say of which site this run is; gather it again") from None


def of_tenant(folder: Path) -> str:
    """Return the id of the tenant that a run read; empty where it read none, or its folder doesn't say."""
    try:
        return str(_about(folder).get("tenant") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def machine(folder: Path) -> str:
    """Return the name of the machine that a run stood on; empty where its folder doesn't say."""
    try:
        return plain(str(_about(folder).get("machine") or ""), 200)
    except (OSError, ValueError, AttributeError):
        return ""


def swept(folder: Path) -> bool:
    """Tell whether a run swept its site's subnets."""
    try:
        return _about(folder).get("discover") is True
    except (OSError, ValueError, AttributeError):
        return False


def moment(folder: Path) -> datetime | None:
    """Return when a run started; None where its folder doesn't say."""
    try:
        found = datetime.fromisoformat(_about(folder)["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.tzinfo and found.year >= 2000 else None


def parts(folder: Path) -> list[datetime]:
    """Return when the runs began that a folder's evidence was gathered in, oldest first; empty where it doesn't say."""
    try:
        stated = _about(folder).get("parts")
        found = [datetime.fromisoformat(part) for part in stated] if isinstance(stated, list) else []
    except (OSError, ValueError, TypeError, AttributeError):
        found = []
    known = [part for part in found if part.tzinfo and part.year >= 2000]
    own = moment(folder)
    return sorted(known) or ([own] if own else [])


def counted_from(folder: Path) -> datetime | None:
    """Return the change from which a run counted by its own site file; None where that states none, or is damaged."""
    try:
        stated = sitefile.parse((folder / "inputs/site.toml").read_text(encoding="utf-8-sig")).site
    except (OSError, ValueError, SiteError):
        return None
    return stated.last_change or stated.cutover


def told(folder: Path) -> dict[str, Any]:
    """Return what else than site file and list a run's evidence depends on; empty where its folder doesn't say."""
    try:
        found = _about(folder).get("told")
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def vantages(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the vantages of several runs, each once."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        try:
            for vantage in _about(folder)["vantages"]:
                lists = {key: [str(item) for item in vantage.get(key, [])] for key in ("addresses", "subnets")}
                kept = {"name": str(vantage["name"]), **lists, "lab": vantage.get("lab")}
                kept["role"] = "control" if vantage.get("role") == "control" else "site"
                found[f"{kept['name']} {lists['addresses']}"] = kept
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return list(found.values())


def _about(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((folder / "inputs/run.json").read_text(encoding="utf-8"))
    return about
