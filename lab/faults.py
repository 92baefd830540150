"""The fault catalogue: by name, as JSON, and applied to an estate."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from lab import (
    faults_access,
    faults_account,
    faults_api,
    faults_app,
    faults_application,
    faults_copier,
    faults_copierlog,
    faults_device,
    faults_dns,
    faults_door,
    faults_inventory,
    faults_mail,
    faults_mailflow,
    faults_network,
    faults_scan,
    faults_signin,
    faults_vantage,
)
from lab.catalogue import ALL, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.estate import Estate
    from scanproof.site import Site

__all__ = ["ALL", "SCENARIOS", "Fault", "UnknownFaultError", "apply", "as_json", "named"]

# Each module registers its part by being imported.
PARTS = (
    faults_inventory,
    faults_device,
    faults_network,
    faults_vantage,
    faults_dns,
    faults_signin,
    faults_account,
    faults_access,
    faults_mailflow,
    faults_door,
    faults_mail,
    faults_app,
    faults_api,
    faults_copier,
    faults_copierlog,
    faults_scan,
    faults_application,
)

_FIRST_DAY = (
    "address-misspelt",
    "smtp-auth-off-tenant",
    "spf-lacks-one-site",
    "split-brain-mx",
    "https-stalls",
    "web-off",
    "copier-dead",
    "admin-password-other",
    "port-25-dropped-far",
    "vantage-not-yet",
)
SCENARIOS: dict[str, tuple[str, ...]] = {
    "healthy": (),
    # What an engineer finds on the first day after such a move: 587 works from this machine and not from the copier
    # beside it, for a rule of the firewall or, in the other one, for the copier's own TLS.
    "as-found": (*_FIRST_DAY, "copier-alone-blocked"),
    # Not the row of the copier whose TLS is old, which would take it out of sight.
    "as-found-old-tls": ("address-missing", *_FIRST_DAY[1:], "device-tls10-tried"),
}


class UnknownFaultError(Exception):
    """A name that the catalogue does not hold; says which it may have meant."""


def named(names: Sequence[str]) -> list[Fault]:
    """Return the faults of these names, each once.

    Raises:
        UnknownFaultError: the catalogue has no such name.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in ALL:
            near = difflib.get_close_matches(name, ALL, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UnknownFaultError(f"no fault is called {name!r}; {hint}'scanproof lab faults' lists them")
        found.append(ALL[name])
    return found


def apply(estate: Estate, names: Sequence[str]) -> None:
    """Change an estate by faults; those of the inventory don't touch it.

    Raises:
        UnknownFaultError: no such fault, or one that this network can't show.
    """
    for entry in named(names):
        if entry.network == "namespaces" and estate.network != "namespaces":
            raise UnknownFaultError(
                f"the fault {entry.name} needs the lab in namespaces: scanproof demo --network namespaces"
            )
        if entry.change:
            entry.change(estate)


def as_json(site: Site) -> list[dict[str, Any]]:
    """Return the catalogue for a site, as ``faults --json`` prints it."""
    return [
        {
            "name": entry.name,
            "layer": entry.layer,
            "network": entry.network,
            "describes": entry.describes,
            "breaks": [list(pair) for pair in entry.breaks(site)],
            "unproves": [list(pair) for pair in entry.unproves(site)],
            "cause": entry.cause,
        }
        for entry in ALL.values()
    ]
