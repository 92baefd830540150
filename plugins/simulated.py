"""The lab, for a run that judges a simulated site. Imported only by such runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab import client, control
from lab.plan import MACHINE
from scanproof.secrets import Secrets
from scanproof.site import load

if TYPE_CHECKING:
    from pathlib import Path

    from plugins.run import Run
    from scanproof.network import Network
    from scanproof.site import Site

__all__ = ["MACHINE", "chosen", "judged", "launch", "start", "which"]
LAB = pytest.StashKey[client.Lab]()


def chosen(names: list[str], scenario: str | None, network: str) -> tuple[str, ...]:
    """Return the names of the faults to show: all that are named, and of a scenario those that the network can show.

    Raises:
        pytest.UsageError: the catalogue has no such fault or scenario.
    """
    if not names and not scenario:
        return ()
    from lab import faults  # noqa: PLC0415 - a healthy demo's lab is launched without the catalogue

    if scenario and scenario not in faults.SCENARIOS:
        raise pytest.UsageError(f"--lab-scenario={scenario}: no such scenario; there are {', '.join(faults.SCENARIOS)}")
    try:
        told = faults.named(faults.SCENARIOS[scenario] if scenario else ())
        shown = [fault for fault in told if fault.network in {"any", network}]
        return tuple(fault.name for fault in (*faults.named(names), *shown))
    except faults.UnknownFaultError as error:
        raise pytest.UsageError(f"--lab-fault: {error}") from None


def judged(names: tuple[str, ...], site: Site, folder: Path, into: Path) -> Site:
    """Return the site to judge: read anew from a changed copy of its folder where a fault is one of the list."""
    changed = client.prepare_folder(folder, names, into, site)
    if changed == folder:
        return site
    if names:
        return replace(load(changed, now=site.now), machine=site.machine, discover=site.discover)
    return replace(site, folder=changed)


def which(wanted: str) -> tuple[str, str]:
    """Return the network to simulate in, and why."""
    return client.choose_network(wanted)


def launch(config: pytest.Config, run: Run) -> None:
    """Begin to start the lab of a run's site as it is before any fault of its list; pytest collects meanwhile.

    Raises:
        pytest.UsageError: there is nothing to simulate, or its process ended at once.
    """
    config.add_cleanup(lambda: _stop(config))
    try:
        config.stash[LAB] = client.launch(run.site, network=run.network, faults=run.faults)
    except client.LabError as error:
        raise pytest.UsageError(str(error)) from None


def start(config: pytest.Config, run: Run) -> tuple[Network, Secrets]:
    """Wait for the lab, enter it, and return the wire and the secrets that it gives.

    Raises:
        pytest.UsageError: it did not start.
    """
    from scanproof import network  # noqa: PLC0415 - loads dnspython, while the launched lab starts
    from scanproof.network import Deadlines, Network, Vantage  # noqa: PLC0415

    lab = config.stash[LAB]
    try:
        lab.wait()
    except client.LabError as error:
        raise pytest.UsageError(str(error)) from None
    ready = lab.ready
    secrets = Secrets(given=ready["secrets"], sealed=True)
    run.notes.append(f"A simulated site ({ready['network']} lab): nothing here is about a real copier or tenant.")
    if config.option.attended:  # scanproof lab scan COPIER presses a button meanwhile, in another terminal
        where = control.note()
        control.leave(where, ready["control"])
        config.add_cleanup(lambda: control.take_away(where, ready["control"]))
    if run.faults:
        run.notes.append(f"The lab was told to break: {', '.join(run.faults)}.")
    name = ready["vantage"]["name"]
    deadlines = Deadlines(throttled=8.0)  # a simulated tenant that is busy stays so, or is free within seconds
    if ready["network"] == "loopback":
        network.loopback_only()
        wire = Network(
            Vantage(name, (), lab="loopback"),
            connect_to=ready["connect_to"],
            udp=ready["udp"],
            ca_pem=ready["ca_pem"],
            deadlines=deadlines,
        )
        return wire, secrets
    try:
        lab.enter()
    except client.LabError as error:
        raise pytest.UsageError(str(error)) from None
    addresses = network.own_addresses(copier.address for copier in run.site.copiers)
    resolvers = tuple(dict.fromkeys(address for subnet in run.site.subnets for address in subnet.resolvers))[:1]
    vantage = Vantage(name, addresses, lab="namespaces")
    return Network(
        vantage, resolvers=resolvers, ssh=ready["ssh"] or {}, ca_pem=ready["ca_pem"], deadlines=deadlines
    ), secrets


def _stop(config: pytest.Config) -> None:
    """End the lab, if there is one."""
    lab = config.stash.get(LAB, None)
    if lab is not None:
        lab.stop()
