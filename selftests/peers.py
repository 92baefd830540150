"""Real servers of no one's making here, in network namespaces of their own, and the suite's probes against them.

Two namespaces joined by a cable: the servers' addresses are on one side, an engineer's machine on the other. A test
runs its event loop in a thread that has moved to the engineer's side; the servers are processes in the other one.
Their files are in a folder that every user may pass through, which pytest's own folders are not: a mail server
gives up root's rights. They end with this process, however it ends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from lab import linux
from scanproof.network import Deadlines, Vantage
from selftests import certs
from selftests.harness import Bench, bench
from selftests.labtools import need_namespaces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from scanproof.site import Site

T = TypeVar("T")

ENGINEER = "10.20.90.10"
POSTFIX, DOVECOT = "198.51.100.25", "198.51.100.27"
PUBLIC, INSIDE = "198.51.100.53", "10.20.10.53"  # the demo site's public resolver, and its own
PATIENCE = 30.0  # seconds until a server must answer; a busy machine takes two
_UIDS = Path("/proc/self/uid_map")
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def need(*programs: str) -> None:
    """Skip where a peer can't be run; on a build machine that is a failure."""
    need_namespaces()
    missing = [name for name in programs if shutil.which(name, path=PATH) is None]
    why = f"not installed: {', '.join(missing)}" if missing else ""
    if not why and os.geteuid() != 0:
        why = "these servers run as several users, which needs root"
    if not why and sum(int(line.split()[2]) for line in _UIDS.read_text(encoding="ascii").splitlines()) < 65535:
        why = "these servers run as several users, and this namespace has too few"
    if why and os.environ.get("CI"):
        pytest.fail(f"a build machine must run the real peers: {why}")
    if why:
        pytest.skip(why)


@dataclasses.dataclass
class Ground:
    """The two namespaces, a folder for the servers' files, and the servers."""

    folder: Path
    servers: int
    engineer: int
    _processes: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        """Write a file that every user can read."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def server(self, *command: str, address: str, port: int) -> None:
        """Start a server in the foreground, and wait until it answers at a port.

        A shell is process 1 of a process namespace of its own: when it is killed, so is whatever runs there. It is not
        the server itself, since a process that changes its user forgets by which signal it is to follow its parent.
        """
        path = shutil.which(command[0], path=PATH)
        assert path is not None
        start = ["setpriv", "--pdeathsig=KILL", "nsenter", f"--net=/proc/{os.getpid()}/fd/{self.servers}"]
        start += [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "sh",
            "-c",
            '"$@" & wait',
            "sh",
            path,
            *command[1:],
        ]
        said = self.folder / f"{command[0]}.said"
        with said.open("wb") as file:
            process = subprocess.Popen(
                start, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=self.folder
            )
        self._processes.append(process)
        until = time.monotonic() + PATIENCE
        while not linux.inside(self.engineer, lambda: _answers(address, port)):
            ended = process.poll() is not None
            assert not ended, f"{command[0]} ended: {self.log()}"
            assert time.monotonic() < until, f"{command[0]} does not answer: {self.log()}"
            time.sleep(0.05)

    def place(self, namespace: int) -> str:
        """Return a namespace's name, as /proc shows it."""
        return os.readlink(f"/proc/self/fd/{namespace}")  # noqa: PTH115 - a link of /proc

    def log(self) -> str:
        """Return the end of what the servers said."""
        texts = [*self.folder.glob("*.said"), *self.folder.glob("*.log")]
        return "\n".join(f"{path.name}: {path.read_text(encoding='utf-8', errors='replace')[-2000:]}" for path in texts)

    def probed(
        self, work: Callable[[Bench], Awaitable[T]], *, hosts: Mapping[str, str] | None = None, site: Site | None = None
    ) -> T:
        """Do something with a bench whose network is the engineer's machine's.

        Args:
            work: asks probes.
            hosts: where a "host:port" is really found, by the same port.
            site: the demo site, unless it is another.
        """

        async def whole() -> T:
            async with _wire(hosts, site) as wire:
                return await work(wire)

        return linux.inside(self.engineer, lambda: asyncio.run(whole()))

    def close(self) -> None:
        """End every server, and let go of the namespaces."""
        for process in self._processes:
            process.kill()  # and with it, by --kill-child, the shell and its namespace
        for process in self._processes:
            process.wait(10)
        os.close(self.servers)
        os.close(self.engineer)


@asynccontextmanager
async def _wire(hosts: Mapping[str, str] | None, site: Site | None) -> AsyncIterator[Bench]:
    async with bench(site, deadlines=Deadlines(), ca_pem=certs.ca_pem()) as wire:
        mapped = {key: (address, int(key.rpartition(":")[2])) for key, address in (hosts or {}).items()}
        vantage = Vantage("selftest")
        wire.network = dataclasses.replace(wire.network, vantage=vantage, connect_to=mapped or None, udp=None)
        yield wire


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 1):
            return True
    except OSError:
        return False


@contextmanager
def ground(*programs: str) -> Iterator[Ground]:
    """Give a ground for servers, if this machine has the programs; all of it is gone at the end."""
    need(*programs)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        Path(folder).chmod(0o755)
        made = Ground(Path(folder), linux.new_network(), linux.new_network())
        try:
            _cable(made)
            yield made
        finally:
            made.close()


def _cable(made: Ground) -> None:
    ip = linux.tool("ip", "iproute2")
    far = f"/proc/{os.getpid()}/fd/{made.engineer}"
    servers = [f"address add {address}/32 dev eth0" for address in (POSTFIX, DOVECOT, PUBLIC, INSIDE)]
    lines = ["link set lo up", f"link add name eth0 type veth peer name eth0 netns {far}", *servers, "link set eth0 up"]
    lines += ["route add 10.20.90.0/24 dev eth0"]
    linux.feed(made.servers, [ip, "-batch", "-"], "\n".join(lines) + "\n")
    lines = ["link set lo up", f"address add {ENGINEER}/24 dev eth0", "link set eth0 up"]
    lines += ["route add 198.51.100.0/24 dev eth0", "route add 10.20.10.0/24 dev eth0"]
    linux.feed(made.engineer, [ip, "-batch", "-"], "\n".join(lines) + "\n")
