"""Asks this machine for its own firewall's rules, and holds the ways to the mail hosts against them.

Only programs of the system are run, each with a fixed list of arguments that read: no shell, a deadline, and no more of
what they print than a limit.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanproof.hostfirewall import iptables, nft, windows
from scanproof.hostfirewall.facts import HostRule, HostRules
from scanproof.hostfirewall.packet import Packet, meets
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.network import own_addresses
from scanproof.probes.dns import look_up, site_resolver
from scanproof.redact import plain
from scanproof.subjects import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.gather import Run
    from scanproof.hostfirewall.packet import Chain, Met

LIMIT = 16_000_000  # bytes: blocklists of a hundred thousand addresses are real
WAIT = 20.0  # seconds for each program
WAIT_POWERSHELL = 90.0  # some thousand rules take it half a minute
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))  # a user's PATH often lacks them
_LOOK = {
    "Linux": "run as root, or look yourself: sudo nft list ruleset; sudo iptables-save",
    "Darwin": "look yourself: sudo pfctl -sr",
    "Windows": "look yourself, in PowerShell: Get-NetFirewallRule -Direction Outbound -Enabled True -Action Block",
}


async def stopping(door: str, run: Run) -> tuple[str, ...]:
    """Return the rules of this machine's own firewall that stop it on its way to a door; none where none can be read.

    Args:
        door: host and port.
        run: the run.
    """
    try:
        return (await run.gather(host_rules, Machine(run.site.machine))).of(door)
    except (Blocked, Unproven):
        return ()


@probe(HostRules, deadline=150)
async def host_rules(machine: Machine, run: Run) -> HostRules:
    """Read the rules, and tell which of them stop a connection to a mail host, or may."""
    del machine  # there is one
    if run.network.vantage.lab == "loopback":
        raise Unproven(
            "the loopback lab has no firewall: this machine's own rules are not those of a simulated one",
            "on Linux: scanproof demo --network namespaces",
        )
    system = platform.system()
    if system == "Linux":
        by, judge = await _linux(run)
    elif system == "Windows":
        by, judge = await _windows(run)
    else:
        raise Unproven(f"the rules of {system}'s firewall are not read", _LOOK.get(system, "look yourself"))
    doors, unresolved, found = [], [], {}
    for service in dict.fromkeys(run.site.services.values()):
        look = await look_up(run, site_resolver(run), service.host, "A")
        doors.append(service.key)
        if look.status != "answered":
            unresolved.append(service.key)
        for address in look.values if look.status == "answered" else ("",):
            for met in judge(_packet(address, service.port)):
                found[service.key, met.rule, met.effect] = HostRule(
                    door=service.key, effect=met.effect, rule=plain(met.rule, 400)
                )
    return HostRules(by=by, doors=tuple(doors), unresolved=tuple(unresolved), rules=tuple(found.values())[:100])


def _packet(address: str, port: int) -> Packet:
    source = next(iter(own_addresses([address])), "") if address else ""
    # Windows has no such numbers.
    uid, gid = (os.geteuid(), os.getegid()) if hasattr(os, "geteuid") else (None, None)
    return Packet(address, port, source, uid, gid)


async def _linux(run: Run) -> tuple[str, Callable[[Packet], list[Met]]]:
    """Return the rules of both of Linux's programs: each may hold some that the other doesn't show.

    Raises:
        Unproven: neither gives any, with the remedy.
    """
    chains: list[Chain] = []
    by: list[str] = []
    trouble: list[str] = []
    legacy: list[Chain] = []
    for name, family in (("iptables-save", "ip"), ("ip6tables-save", "ip6")):
        said = await _say(run, [name], WAIT)
        if said is None:
            continue
        if said.trouble:
            trouble.append(f"{name}: {said.trouble}")
            continue
        by.append(name)
        legacy += _read(name, lambda text=said.text, of=family: iptables.read(text, of))  # type: ignore[misc]
    said = await _say(run, ["nft", "-n", "-j", "list", "ruleset"], WAIT)
    if said is not None and said.trouble:
        trouble.append(f"nft: {said.trouble}")
    elif said is not None:
        by.insert(0, "nft list ruleset")
        text = said.text
        chains = _read("nft", lambda: nft.read(text))
    if trouble:
        raise Unproven(f"the firewall's rules can't be read here: {'; '.join(trouble)}", _LOOK["Linux"])
    if not by:
        raise Unproven(
            "neither nft nor iptables-save is on this machine", "install the package nftables, and run again"
        )
    # What iptables manages by nftables, nft shows too, but of its extensions only that there are some.
    version = await _say(run, ["iptables-save", "-V"], WAIT) if legacy else None
    shared = version is not None and "nf_tables" in version.text
    told = {chain.place for chain in legacy} if shared else set()
    chains = [chain for chain in chains if chain.place not in told] + legacy
    return ", ".join(by), lambda packet: meets(chains, packet)


async def _windows(run: Run) -> tuple[str, Callable[[Packet], list[Met]]]:
    command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", windows.SCRIPT]
    said = await _say(run, command, WAIT_POWERSHELL)
    if said is None or said.trouble:
        raise Unproven(
            f"Windows Firewall's rules can't be read: {said.trouble if said else 'there is no powershell'}",
            _LOOK["Windows"],
        )
    try:
        policy = windows.read(said.text)
    except nft.RulesError as error:
        raise Unproven(str(error), _LOOK["Windows"]) from None
    # An environment's python.exe only starts the one that it was made of.
    programs = tuple(dict.fromkeys((sys.executable, str(getattr(sys, "_base_executable", sys.executable)))))
    return "Windows Firewall", lambda packet: windows.meets(policy, packet, programs)


def _read(name: str, read: Callable[[], list[Chain]]) -> list[Chain]:
    try:
        return read()
    except nft.RulesError as error:
        raise Unproven(f"{name}: {error}", _LOOK["Linux"]) from None


@dataclass(frozen=True)
class _Said:
    text: str
    trouble: str = ""


async def _say(run: Run, command: list[str], wait: float) -> _Said | None:
    """Return what a program prints; None where this machine has no such program."""
    path = shutil.which(command[0], path=_PATH)
    if path is None:
        return None
    run.say("**", f"runs {' '.join(command[:5])}" if command[0] != "powershell" else "runs powershell, reading only")
    try:
        return await asyncio.to_thread(_bounded, [path, *command[1:]], wait, LIMIT)
    except OSError:  # a full disk, or no descriptor left
        return _Said("", "no temporary file can be made here")


def _bounded(command: list[str], wait: float, limit: int) -> _Said:
    """Run a program to its end, for so long and up to so many bytes.

    Not by the event loop, whose waiting for a killed program can depend on a full pipe being read.
    """
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - a program of the system's, by its full path
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
            )
        except OSError as error:
            return _Said("", f"can't be run ({error.strerror})")
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(wait, end)
        timer.start()
        assert process.stdout
        with process.stdout as printed:
            out = printed.read(limit + 1)
        if len(out) > limit:
            process.kill()
        status = process.wait()
        timer.cancel()
        errors.seek(0)
        said = " ".join(errors.read(20_000).decode("utf-8", "replace").split())
    if late.is_set():
        return _Said("", f"did not end within {wait:g} s")
    if len(out) > limit:
        return _Said("", f"printed more than {limit} bytes")
    if status != 0:
        return _Said("", plain(said, 200) or f"ended with status {status}")
    return _Said(out.decode("utf-8", "replace"))
