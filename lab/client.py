"""For the suite's process: starts a lab, enters its network, and stops it. No event loop is needed."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from lab.plan import plan_of
from scanproof import site

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 20.0  # seconds until a lab must be ready; a busy machine takes two
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWNS = 0x10000000, 0x40000000, 0x00020000


class LabError(Exception):
    """The lab did not come up; says what its process said."""


@dataclass
class Lab:
    """A running lab.

    Attributes:
        ready: what it said when it was: network, connect_to, udp, ca_pem, secrets, enter, vantage, pid.
    """

    ready: dict[str, Any]
    _process: subprocess.Popen[bytes]
    _said: IO[bytes]

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait until it is ready.

        Raises:
            LabError: it did not come up; with what its process wrote.
        """
        try:
            self.ready = _ready(self._process, patience)
        except (OSError, ValueError) as error:
            raise LabError(_failure(self, error)) from None

    def enter(self) -> None:
        """Move this process to the engineer's machine of a lab in namespaces; nothing in loopback.

        To be called before the process has a second thread: the kernel moves no other kind into a user
        namespace, and threads that exist already would stay outside.

        Raises:
            LabError: the kernel refused.
        """
        enter = self.ready["enter"]
        if not enter:
            return
        where = Path.cwd()
        kinds = {"user": _CLONE_NEWUSER, "mnt": _CLONE_NEWNS, "net": _CLONE_NEWNET}
        opened = [(name, os.open(enter[name], os.O_RDONLY)) for name in kinds if enter.get(name)]
        try:
            for name, descriptor in opened:
                _setns(descriptor, kinds[name], name)
        finally:
            for _, descriptor in opened:
                os.close(descriptor)
        os.chdir(where)  # entering a mount namespace leads to its root

    def stop(self) -> None:
        """End the lab; harmless when it has ended already."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(site_folder: Path, *, network: str, faults: Sequence[str] = (), patience: float = PATIENCE) -> Lab:
    """Start a lab for a site folder, as it is before any inventory fault.

    Args:
        site_folder: holds site.toml and the workbook.
        network: "loopback" or "namespaces".
        faults: names of the catalogue.
        patience: seconds until it must be ready.

    Raises:
        LabError: it did not come up; with what its process wrote.
        scanproof.site.SiteError: the site folder is unusable.
    """
    lab = launch(site.load(site_folder), network=network, faults=faults)
    lab.wait(patience)
    return lab


def launch(loaded: site.Site, *, network: str, faults: Sequence[str] = (), latency: float = 0.0) -> Lab:
    """Begin to start a lab; ``wait`` for it before anything is asked of it.

    Args:
        loaded: the site, as it is before any inventory fault.
        network: "loopback" or "namespaces".
        faults: names of the catalogue.
        latency: seconds that each of the tenant's APIs takes to answer.

    Raises:
        LabError: there is nothing to simulate, or its process could not be given the site.
    """
    if not loaded.copiers:
        raise LabError(f"site {loaded.name}: no copier in scope, so there is nothing to simulate")
    said = tempfile.TemporaryFile(prefix="lab-")  # noqa: SIM115 - lives as long as the lab
    command = [sys.executable, "-m", "lab", "up", "--plan", "--network", network]
    command += [f"--fault={name}" for name in faults]
    command += [f"--latency={latency}"] if latency else []
    process = subprocess.Popen(  # noqa: S603 - our own program
        command,
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        # Ctrl-C in the terminal is for the run, which ends its lab after it has kept what it has.
        start_new_session=True,
    )
    lab = Lab({}, process, said)
    assert process.stdin
    try:
        process.stdin.write(plan_of(loaded).to_json().encode() + b"\n")
        process.stdin.flush()
    except OSError as error:
        raise LabError(_failure(lab, error)) from None
    return lab


def _setns(descriptor: int, kind: int, name: str) -> None:
    """Enter a namespace, trying for a moment: a thread that was joined may not have left the kernel yet."""
    libc = ctypes.CDLL(None, use_errno=True)
    until = time.monotonic() + 1.0
    while libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        if number != errno.EINVAL or time.monotonic() > until:
            raise LabError(
                f"can't enter the lab's {name} namespace: {os.strerror(number)}; enter it before any thread is "
                "started, or use --network loopback"
            )
        time.sleep(0.005)


def _ready(process: subprocess.Popen[bytes], patience: float) -> dict[str, Any]:
    """Wait for the ready line; a pipe has no time-out of its own on Windows."""
    assert process.stdout
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        line = lines.get(timeout=patience)
    except queue.Empty:
        raise TimeoutError(f"not ready after {patience:g} s") from None
    reader.join()  # so that this process has one thread again, which ``enter`` needs
    ready: dict[str, Any] = json.loads(line)
    return ready


def _failure(lab: Lab, error: Exception) -> str:
    lab._process.kill()  # noqa: SLF001 - this module's own class
    lab._process.wait()  # noqa: SLF001
    lab._said.seek(0)  # noqa: SLF001
    tail = lab._said.read()[-2000:].decode("utf-8", "replace").strip()  # noqa: SLF001
    lab.stop()
    return f"the lab did not start ({tail.removeprefix('lab: ') or error})"


def choose_network(wanted: str = "auto") -> tuple[Literal["loopback", "namespaces"], str]:
    """Choose a lab: namespaces where this machine allows them.

    Args:
        wanted: "auto", or one of the two, which is then taken as it is.

    Returns:
        The network and, in one line, why.
    """
    if wanted == "namespaces":
        return "namespaces", "asked for"
    if wanted == "loopback":
        return "loopback", "asked for"
    from lab import probe  # noqa: PLC0415 - only a run that may choose needs it

    return probe.verdict(probe.probe())


def prepare_folder(folder: Path, faults: Sequence[str], into: Path, loaded: site.Site | None = None) -> Path:
    """Return the folder to judge: the site folder itself, or a copy of it.

    A copy is made where a fault is one of the inventory, and where the folder lacks a table of connections or another
    system's list that the site names: that is saved in the simulated site now, so that the file's time is true.

    Args:
        folder: the healthy site folder.
        faults: names of the catalogue.
        into: an existing folder in which the copy is made.
        loaded: the site of that folder, where it has been read.
    """
    chosen, tables = [], []
    if faults:
        from lab import faults as catalogue  # noqa: PLC0415 - a healthy demo's lab is launched without it

        chosen = [fault for fault in catalogue.named(faults) if fault.folder]
    if loaded is None and chosen:
        loaded = site.load(folder)
    copy = into / folder.name
    if loaded is not None and any(part.connections for part in loaded.applications_in_scope):
        from lab import application  # noqa: PLC0415 - as above

        tables = [
            (copy / path.relative_to(folder), text)
            for path, text in application.tables(loaded, folder)
            if folder.resolve() in path.resolve().parents
        ]
    if loaded is not None and loaded.file.fleet.known:
        from lab import known  # noqa: PLC0415 - as above

        tables += [(copy / path.relative_to(folder), text) for path, text in known.lists(loaded, folder)]
    if not chosen and not tables:
        return folder
    shutil.copytree(folder, copy)
    copy.chmod(0o700)
    for path, text in tables:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for fault in chosen:
        assert fault.folder
        fault.folder(copy)
    return copy
