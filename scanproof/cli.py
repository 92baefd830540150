"""``scanproof``: a thin front. Everything that judges goes through pytest."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scanproof import __version__, catalogue, compare, doctor, ran, redact, scaffold, seal, secrets
from scanproof.redact import plain
from scanproof.site import SiteError, load
from scanproof.tenant import permissions

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
MISUSE = 4  # pytest's own status for it
BROKEN_PIPE = 141  # as a shell calls a command that was ended by SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: the command line, without the program's name; the process's own by default.
    """
    _speak_utf8()
    parser = _parser()
    known, rest = parser.parse_known_args(arguments)
    if rest and known.command != "demo":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if known.command in {"demo", "lab", "requirements"} and not (ROOT / "conftest.py").is_file():
        print(f"scanproof: the suite is run from its clone, and {ROOT} is none: pip install -e CLONE", file=sys.stderr)
        return MISUSE
    try:
        status: int = known.run(known, rest)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads this has read enough: "| head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
        return BROKEN_PIPE
    except SiteError as error:
        print(plain(str(error)).strip(), file=sys.stderr)
        return MISUSE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scanproof", description="Prove that copiers can scan to e-mail.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"scanproof {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="judge the demo site; further arguments go to pytest", allow_abbrev=False)
    demo.add_argument("--fault", action="append", default=[], metavar="NAME", help="break it; may be repeated")
    demo.add_argument("--scenario", metavar="NAME", help="healthy (default), as-found or as-found-old-tls")
    demo.add_argument("--network", choices=("auto", "namespaces", "loopback"), default="auto")
    demo.set_defaults(run=_demo)

    init = commands.add_parser("init", help="make a site folder from a customer's Excel list")
    init.add_argument("workbook", type=Path)
    init.add_argument("--to", type=Path, required=True, metavar="DIR", help="such as inventory/NAME")
    init.add_argument(
        "--column",
        action="append",
        default=[],
        type=_column,
        metavar="FIELD=HEADING",
        help="a heading that isn't recognised, such as address=Device, or by letter, address=D; may be repeated",
    )
    init.set_defaults(run=_init)

    lab = commands.add_parser("lab", help="the simulated site: up, scan, faults, probe")
    parts = lab.add_subparsers(dest="part", required=True, metavar="up|scan|faults|probe")
    up = parts.add_parser("up", help="start the lab and keep it, until Ctrl-C")
    up.add_argument("--network", choices=("loopback", "namespaces"), default="loopback")
    up.add_argument("--fault", action="append", default=[], metavar="NAME")
    scan = parts.add_parser("scan", help="press a copier's button on a lab that is up")
    scan.add_argument("copier", metavar="COPIER", help="its serial number, address or host name")
    scan.add_argument("--subject", metavar="TEXT", help="of the mail; the device's own by default")
    scan.add_argument("--to", metavar="ADDRESS", help="the first test recipient by default")
    for name, text in (("faults", "list what can be broken"), ("probe", "say which lab this machine allows, and why")):
        parts.add_parser(name, help=text).add_argument("--json", action="store_true")
    lab.set_defaults(run=_lab)

    verify = commands.add_parser("verify", help="check a run's seal, and say what was changed since")
    verify.add_argument("run_folder", type=Path, metavar="RUN", help="a run's folder, such as reports/SITE-TIME")
    verify.add_argument("--expect", metavar="SEAL", help="the seal that the ticket or report shows")
    verify.set_defaults(run=_verify)

    needs = commands.add_parser("requirements", help="the catalogue, from the cases themselves")
    form = needs.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    form.add_argument("--permissions", action="store_true", help="what to grant in the tenant, and how to remove it")
    needs.set_defaults(run=_requirements)

    lacks = commands.add_parser("doctor", help="what this machine and site still lack before a run")
    lacks.add_argument("--site", type=Path, metavar="DIR")
    lacks.set_defaults(run=_doctor)

    device = commands.add_parser("device", help="keep a copier's pages, secrets removed, for the next release")
    deed = device.add_subparsers(dest="part", required=True, metavar="capture")
    capture = deed.add_parser("capture", help="reads only: one session, one password try, and out again")
    capture.add_argument("address", metavar="ADDRESS", help="the copier's IP address")
    capture.add_argument("--to", type=Path, metavar="FOLDER", help="a new folder (default: device-ADDRESS)")
    capture.add_argument("--site", type=Path, metavar="DIR", help="the site in whose list the copier stands")
    capture.add_argument("--admin-user", default="", metavar="NAME", help="default: the site's, else admin")
    device.set_defaults(run=_device)

    changes = commands.add_parser("compare", help="what changed between two runs of a site; status 1 if it got worse")
    changes.add_argument("before", type=Path, metavar="RUN_A", help="the run folder to compare with")
    changes.add_argument("now", type=Path, metavar="RUN_B")
    changes.add_argument("--json", action="store_true")
    changes.set_defaults(run=_compare)

    secret = commands.add_parser("secret", help="keep a secret in the OS keyring")
    action = secret.add_subparsers(dest="part", required=True, metavar="set")
    action.add_parser("set", help="asks for the value, which is not shown").add_argument("name", metavar="NAME")
    secret.set_defaults(run=_secret)
    return parser


_EPILOG = "To judge a site of your own: pytest --site inventory/NAME, in the clone."


def _column(text: str) -> tuple[str, str]:
    field, equals, heading = text.partition("=")
    if not (equals and field.strip() and heading.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=HEADING, such as address=Device")
    return field.strip(), heading.strip()


def _demo(known: argparse.Namespace, rest: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}"]
    command += [f"--site={ROOT / 'inventory/demo'}", f"--lab-network={known.network}"]
    command += [f"--lab-fault={name}" for name in known.fault]
    command += [f"--lab-scenario={known.scenario}"] if known.scenario else []
    named = any((Path(word.split("::")[0])).exists() and not word.startswith("-") for word in rest)
    return _become([*command, *rest, *([] if named else [str(ROOT / "tests")])])


def _become(command: list[str], cwd: Path | None = None) -> int:
    """Run a command in this one's place, so that every signal is its own; as a child where the system can't.

    Returns:
        Its exit status, on Windows; elsewhere this doesn't return.
    """
    if os.name == "posix":
        if cwd:
            os.chdir(cwd)
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - our own program, no shell
    process = subprocess.Popen(command, cwd=cwd)  # noqa: S603
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child gets it too, and has a report to write
            continue


def _init(known: argparse.Namespace, _: list[str]) -> int:
    for line in scaffold.init(known.workbook, known.to, dict(known.column)):
        print(plain(line))
    return 0


def _lab(known: argparse.Namespace, _: list[str]) -> int:
    command = [sys.executable, "-m", "lab", known.part]
    if known.part == "up":
        command += ["--hold", "--site", str(ROOT / "inventory/demo"), "--network", known.network]
        command += [f"--fault={name}" for name in known.fault]
    elif known.part == "scan":
        command += [f"--subject={known.subject}"] if known.subject else []
        command += [f"--to={known.to}"] if known.to else []
        command += ["--", known.copier]
    elif known.json:
        command.append("--json")
    return _become(command, ROOT)


def _verify(known: argparse.Namespace, _: list[str]) -> int:
    expected = (known.expect or "").strip().lower()
    if known.expect is not None and not re.fullmatch("[0-9a-f]{64}", expected):
        print(f"scanproof: --expect: {plain(known.expect, 100)!r} is no seal: 64 hexadecimal digits", file=sys.stderr)
        return MISUSE
    try:
        found = seal.verify(known.run_folder, expected)
    except seal.SealError as error:
        print(f"scanproof: {error}", file=sys.stderr)
        return MISUSE
    for line in found.changes:
        print(line)
    if found.changes:
        print(f"NOT AS SEALED{f': the seal was {found.seal}' if found.seal else ''}")
        return 1
    print(f"as sealed: {found.files} files, {found.lines:,} lines of evidence")
    if expected:
        print(f"seal: {found.seal}, as expected")
    else:
        print(f"seal: {found.seal}")
        print("Compare it with the one on the ticket (--expect SEAL): who can write the folder can seal it again.")
    return 0


def _requirements(known: argparse.Namespace, _: list[str]) -> int:
    found = catalogue.read(ROOT / "tests")
    if known.json:
        print(json.dumps([requirement.as_json() for requirement in found], indent=1, ensure_ascii=False))
    elif known.markdown:
        print(catalogue.markdown(found))
    elif known.permissions:
        print(permissions.table())
    else:
        for requirement in found:
            print(f"{requirement.id:8} {requirement.level:8} {requirement.plain_sentence}")
    return 0


def _doctor(known: argparse.Namespace, _: list[str]) -> int:
    findings = doctor.examine(known.site)
    for finding in findings:
        print(plain(f"{finding.state:6} {finding.what}"))
        if finding.remedy:
            print(plain(f"       → {finding.remedy}"))
    return 1 if any(finding.state == "LACKS" for finding in findings) else 0


def _compare(known: argparse.Namespace, _: list[str]) -> int:
    try:
        made = compare.compare(ran.read(known.before), ran.read(known.now))
    except ran.RanError as error:
        print(f"scanproof: {plain(str(error))}", file=sys.stderr)
        return MISUSE
    if known.json:
        print(json.dumps(made.as_json(), indent=1, ensure_ascii=True))
    else:
        for one in (made.before, made.now):
            print(f"{one.name}: {one.at}, {'ready' if one.ready else 'not ready'}, {len(one.cases):,} cases")
        for line in compare.lines(made):
            print(plain(line).replace("\n", " "))
    return 1 if made.worse else 0


def _device(known: argparse.Namespace, _: list[str]) -> int:
    from scanproof.devices import capture  # noqa: PLC0415 - loads every client library

    redact.guard_logging()
    site = load(known.site) if known.site else None
    folder = known.to or Path(f"device-{known.address.strip('[]').replace(':', '-')}")
    if site and site.file.site.lab:  # its copiers are on no network: the lab brings both, and its own secrets
        command = [sys.executable, "-m", "lab", "capture", "--site", str(known.site.resolve())]
        command += ["--to", str(folder.absolute()), f"--admin-user={known.admin_user}", "--", known.address]
        return _become(command, ROOT)
    try:
        lines = capture.capture(known.address, folder, site=site, admin_user=known.admin_user)
    except capture.CaptureError as error:
        print(f"scanproof: {plain(str(error))}", file=sys.stderr)
        return 1
    for text in lines:
        print(plain(redact.scrub(text)))
    return 0


def _secret(known: argparse.Namespace, _: list[str]) -> int:
    import keyring.errors  # noqa: PLC0415 - asks the OS at import

    try:
        value = getpass.getpass(f"{known.name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        if not value:
            print(f"scanproof: no value was given for {known.name}; nothing was kept", file=sys.stderr)
            return MISUSE
        secrets.store(known.name, value)
    except keyring.errors.KeyringError as error:
        print(f"scanproof: {known.name} was not kept: {error}", file=sys.stderr)
        print(f"scanproof: {secrets.without_keyring(known.name)}", file=sys.stderr)
        return MISUSE
    except (ValueError, EOFError) as error:
        print(f"scanproof: {known.name} was not kept: {error}", file=sys.stderr)
        return MISUSE
    print(f"{known.name} is in this user's keyring.")
    return 0


def _speak_utf8() -> None:
    """A console of a Windows code page must not end a command by a character that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
