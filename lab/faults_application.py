"""Faults of applications: where their machines connect to, and what becomes of their reports."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.application import table
from lab.catalogue import applications, fault, inventory_fault
from lab.faults_inventory import load_site

if TYPE_CHECKING:
    from pathlib import Path

    from lab.estate import Estate


@inventory_fault("application-host-retired", cause="application-host", breaks=applications("APP-1"))
def _(folder: Path) -> None:
    """The applications still connect to the retired mail server."""
    site = load_site(folder)
    for part in site.applications_in_scope:
        address = next(name for name in site.file.mail.retired_hosts if name[0].isdigit())
        (folder / part.connections).write_text(table(part.address, address, 25), encoding="utf-8")


@inventory_fault("application-table-old", cause="table-too-old", unproves=applications("APP-1"))
def _(folder: Path) -> None:
    """The applications' connection tables were saved before the last change."""
    site = load_site(folder)
    change = site.file.site.last_change or site.file.site.cutover or datetime.now(UTC) - timedelta(days=30)
    before = (change - timedelta(days=1)).timestamp()
    for part in site.applications_in_scope:
        os.utime(folder / part.connections, (before, before))


@inventory_fault("application-address-unstated", cause="table-of-nobody", unproves=applications("APP-1"))
def _(folder: Path) -> None:
    """Nothing tells from which machine an application's connection table is."""
    path = folder / "site.toml"
    before, head, after = path.read_text(encoding="utf-8").partition("[[application]]")
    lines = [line for line in after.splitlines() if not line.startswith("address = ")]
    path.write_text("\n".join([before + head, *lines[1:], ""]), encoding="utf-8")


@fault("application-report-missing", layer="mail", cause="report-missing", unproves=applications("APP-2"))
def _(estate: Estate) -> None:
    """A rule of the tenant deletes the applications' reports."""
    for part in estate.plan.applications:
        estate.tenant.subject_rules[part.subject or part.name] = "Deleted"


@fault("application-report-in-junk", layer="mail", cause="mail-to-junk", breaks=applications("APP-2"))
def _(estate: Estate) -> None:
    """The applications' reports end up in Junk Email."""
    for part in estate.plan.applications:
        estate.tenant.subject_rules[part.subject or part.name] = "Junk"
