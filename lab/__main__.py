"""``python -m lab up | scan | faults | probe | capture``: the simulated site from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.plan import Plan

DEMO = Path(__file__).parent.parent / "inventory" / "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status (4: misuse, as the suite's own)."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the lab; a JSON line says where everything is")
    up.add_argument("--site", type=Path, default=DEMO, help="site folder (default: the demo)")
    up.add_argument("--network", choices=("loopback", "namespaces"), default="loopback")
    up.add_argument("--fault", action="append", default=[], metavar="NAME", help="break it this way (repeatable)")
    up.add_argument("--hold", action="store_true", help="for a person: say what is where, and run until Ctrl-C")
    up.add_argument("--plan", action="store_true", help="read the site's extract from the first line of stdin")
    up.add_argument(
        "--journal",
        type=Path,
        default=os.environ.get("LAB_JOURNAL") or None,
        metavar="FILE",
        help="add a JSON line for each request to the tenant's APIs and the copiers (default: what LAB_JOURNAL names)",
    )
    up.add_argument(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long each of the tenant's APIs takes to answer",
    )
    scan = commands.add_parser("scan", help="press a copier's button on a lab that is up")
    scan.add_argument("copier", help="its serial number, address or host name")
    scan.add_argument("--subject", default="", help="default: the device's own")
    scan.add_argument("--to", default="", metavar="ADDRESS", help="default: the first test recipient")
    faults = commands.add_parser("faults", help="list the fault catalogue")
    faults.add_argument("--json", action="store_true")
    faults.add_argument("--site", type=Path, default=DEMO, help="site folder (default: the demo)")
    probe = commands.add_parser("probe", help="say which lab this machine allows, and why")
    probe.add_argument("--json", action="store_true")
    capture = commands.add_parser("capture", help="rehearse 'scanproof device capture' at a simulated copier")
    capture.add_argument("address", help="its IP address")
    capture.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a new folder")
    capture.add_argument("--site", type=Path, default=DEMO, help="site folder (default: the demo)")
    capture.add_argument("--admin-user", default="", metavar="NAME", help="default: the site's, else admin")
    options = parser.parse_args(arguments)
    try:
        return {"up": _up, "scan": _scan, "faults": _faults, "probe": _probe, "capture": _capture}[options.command](
            options
        )
    except BrokenPipeError:  # its reader, such as head, has seen enough
        sys.stdout = None  # or Python would flush it at its end
        return 0
    except MisuseError as problem:
        sys.stderr.write(f"lab: {problem}\n")
        return 4


class MisuseError(Exception):
    """What a user did wrong, or what this machine lacks; one line."""


def _up(options: argparse.Namespace) -> int:
    from lab import control  # noqa: PLC0415

    # Of the machine's own network, and of the user that it is there.
    space, button, note = None, control.opened(), control.note() if options.hold else None
    if options.network == "namespaces":
        from lab import namespaces  # noqa: PLC0415 - Linux only

        try:
            # First of all: a process may enter a user namespace only while it has a single thread.
            namespaces.isolate()
        except namespaces.NamespaceError as error:
            raise MisuseError(str(error)) from None
    from lab import estate, faults, server  # noqa: PLC0415 - a wrong option must not wait for these

    site = estate.build(_plan(options), options.network)
    site.latency = options.latency
    try:
        faults.apply(site, options.fault)
    except faults.UnknownFaultError as error:
        raise MisuseError(str(error)) from None
    if options.network == "namespaces":
        try:
            space = namespaces.Namespaces.build(site)
        except namespaces.NamespaceError as error:
            raise MisuseError(str(error)) from None
    server.run(site, space, hold=options.hold, journal=options.journal, button=button, note=note)
    return 0


def _scan(options: argparse.Namespace) -> int:
    from lab import control  # noqa: PLC0415

    try:
        answer = control.press_noted(options.copier, subject=options.subject, to=options.to)
    except control.ControlError as error:
        raise MisuseError(str(error)) from None
    sys.stdout.write(f"{answer['device']}: {answer['panel']}\n")
    if answer["said"]:
        sys.stdout.write(f"(the mail server: {answer['said']})\n")
    return 0 if answer["sent"] else 1


def _plan(options: argparse.Namespace) -> Plan:
    from lab import plan  # noqa: PLC0415

    if options.plan:
        return plan.Plan.from_json(sys.stdin.buffer.readline().decode())
    from scanproof import site  # noqa: PLC0415 - takes longer than the whole lab

    try:
        loaded = site.load(options.site)
    except site.SiteError as error:
        raise MisuseError(str(error)) from None
    if not loaded.copiers:
        raise MisuseError(f"{options.site}: no copier in scope, so there is nothing to simulate")
    return plan.plan_of(loaded)


def _faults(options: argparse.Namespace) -> int:
    from lab import faults  # noqa: PLC0415
    from scanproof import site  # noqa: PLC0415

    try:
        catalogue = faults.as_json(site.load(options.site))
    except site.SiteError as error:
        raise MisuseError(str(error)) from None
    if options.json:
        sys.stdout.write(json.dumps(catalogue, indent=1) + "\n")
        return 0
    for entry in catalogue:
        sys.stdout.write(f"{entry['name']:36} {entry['layer']:9} {entry['network']:10} {entry['describes']}\n")
    return 0


def _probe(options: argparse.Namespace) -> int:
    from lab import probe  # noqa: PLC0415

    stages = probe.probe()
    if options.json:
        sys.stdout.write(json.dumps(probe.as_json(stages), indent=1) + "\n")
        return 0
    for stage in stages:
        sys.stdout.write(f"{'ok' if stage.ok else 'FAILED':7} {stage.name:22} {stage.detail}\n")
    network, why = probe.verdict(stages)
    sys.stdout.write(f"{network}: {why}\n")
    return 0


def _capture(options: argparse.Namespace) -> int:
    from lab import client  # noqa: PLC0415
    from scanproof import network, redact, secrets, site  # noqa: PLC0415
    from scanproof.devices import capture  # noqa: PLC0415

    redact.guard_logging()
    try:
        loaded = site.load(options.site)
        with client.start(options.site, network="loopback") as lab:
            network.loopback_only()
            wire = network.Network(
                network.Vantage(lab.ready["vantage"]["name"], (), lab="loopback"),
                connect_to=lab.ready["connect_to"],
                udp=lab.ready["udp"],
                ca_pem=lab.ready["ca_pem"],
            )
            lines = capture.capture(
                options.address,
                options.to,
                site=loaded,
                admin_user=options.admin_user,
                network=wire,
                secrets=secrets.Secrets(given=lab.ready["secrets"], sealed=True),
            )
    except (site.SiteError, client.LabError) as error:
        raise MisuseError(str(error)) from None
    except capture.CaptureError as error:
        sys.stderr.write(f"lab: {redact.plain(str(error))}\n")
        return 1
    sys.stdout.write("\n".join(redact.plain(redact.scrub(line)) for line in ("A simulated copier.", *lines)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
