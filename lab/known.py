"""What a print server of the simulated site has a queue for, as it would be exported just now."""

from __future__ import annotations

import csv
import io
import ipaddress
from typing import TYPE_CHECKING

from lab import copierstate
from lab.estate import Copier
from lab.plan import PlannedCopier

if TYPE_CHECKING:
    from pathlib import Path

    from lab.estate import Estate
    from scanproof.site import Site

UNLISTED = "3109RA00555"  # the serial number of the copier that the fleet list lacks


def lists(site: Site, folder: Path) -> list[tuple[Path, str]]:
    """Return the list that the site names as known and its folder lacks: where it belongs, and its text."""
    name = site.file.fleet.known
    if not name or (folder / name).exists():
        return []
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("Queue", "Model", "IP address"))
    for row in site.table.rows:
        if row.address:
            rows.writerow((f"PRN-{row.number:03d}", row.model, row.address))
    return [(folder / name, text.getvalue())]


def add(folder: Path, name: str, model: str, address: str) -> None:
    """Add a queue to the list of a copied site folder."""
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(f"PRN-999,{model},{address}\n")


def place(prefix: str, taken: set[str]) -> str:
    """Return the address of the copier that nobody listed: the last free one."""
    network = ipaddress.ip_network(prefix)
    return next(text for number in range(2, 200) if (text := str(network[-number])) not in taken)


def unlisted(estate: Estate, number: int) -> Copier:
    """Return a copier of a subnet's usual model that the fleet list lacks."""
    plan = estate.plan
    subnet = plan.subnets[number % len(plan.subnets)]
    like = next(part for part in plan.copiers if part.subnet == subnet.prefix)
    planned = PlannedCopier(
        UNLISTED,
        place(subnet.prefix, {part.address for part in plan.copiers}),
        UNLISTED,
        like.model,
        "",
        subnet.prefix,
        like.route,
        like.sender,
    )
    passwords = (estate.secrets["SCANPROOF_COPIER_PASSWORD"], estate.secrets["SCANPROOF_SENDER_PASSWORD"])
    state = copierstate.healthy(plan, len(plan.copiers), planned, *passwords)
    return Copier(UNLISTED, planned.address, UNLISTED, like.model, state.host_name, subnet.prefix, state)
