"""The far side over SSH, against OpenSSH itself on loopback: what it forwards, refuses, and doesn't know."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import farhost
from scanproof.evidence import Lookup
from scanproof.kinds import Facts, Unproven, probe
from scanproof.network import Deadlines, Network, Vantage
from scanproof.probes.dns import look_up
from scanproof.sitefile import VantageTable
from scanproof.subjects import Domain
from scanproof.vantage import ssh
from scanproof.vantage.ssh import FarNetwork, reach
from scanproof.vantage.standing import Standing, own_address
from selftests import certs, suite
from selftests.harness import bench, demo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from scanproof.gather import Run
    from scanproof.kinds import Probe

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


MUCH = 300_000  # bytes of a line


@dataclass(frozen=True)
class Server:
    """A running sshd."""

    port: int
    keys: farhost.Keys

    def table(self, **changes: str) -> VantageTable:
        stated = {"name": "far-pc", "subnet": "127.0.0.0/8", "ssh": f"{getpass.getuser()}@127.0.0.1:{self.port}"}
        return VantageTable.model_validate({**stated, **changes})

    def here(self, *, client: str = "", public: str = "") -> Network:
        known = f"[127.0.0.1]:{self.port} {public or self.keys.host_public}\n"
        told = {"client_key": client or self.keys.client, "known_hosts": known}
        return Network(Vantage("here"), ssh=told, deadlines=Deadlines(connect=2.0, lookup=2.0))


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    if SSHD is None:
        if os.environ.get("CI"):
            pytest.fail("OpenSSH's server is required on CI: install the package openssh-server")
        pytest.skip("OpenSSH's server is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    begun: list[subprocess.Popen[bytes]] = []

    def start(*lines: str) -> Server:
        keys, folder = farhost.keys(), tmp_path / f"sshd{len(begun)}"
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        for name, text in (("host", keys.host), ("authorized", keys.client_public + "\n")):
            path = folder / name
            path.write_text(text)
            path.chmod(0o600)
        wanted = (
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder / 'host'}",
            f"AuthorizedKeysFile {folder / 'authorized'}",
            "StrictModes no",
            "UsePAM no",
            f"PidFile {folder / 'pid'}",
            *lines,
        )
        (folder / "config").write_text("\n".join(wanted) + "\n")
        command = [SSHD, "-D", "-e", "-f", str(folder / "config")]
        begun.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return Server(port, keys)
            time.sleep(0.02)
        raise AssertionError("sshd did not begin to listen within 10 s")

    yield start
    for process in begun:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
async def greeter() -> AsyncIterator[int]:
    """A server that greets, upgrades to TLS at a word, and says each line back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            writer.write(b"250 " + line)
            if line == b"STARTTLS\r\n":
                await writer.drain()
                await writer.start_tls(certs.context())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=MUCH)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def reached(server: Server, **changes: str) -> FarNetwork:
    return await reach(server.table(**changes), server.here())


async def test_a_connection_is_forwarded_and_can_be_encrypted(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd())
    sock = await far.connect("127.0.0.1", greeter)
    assert far.ends(sock) == ("", f"127.0.0.1:{greeter}")
    assert far.literal(sock) == "127.0.0.1"
    reader, writer = await asyncio.open_connection(sock=sock, limit=MUCH)
    assert await reader.readline() == b"220 hello\r\n"
    writer.write(b"STARTTLS\r\n")
    assert await reader.readline() == b"250 STARTTLS\r\n"
    context = ssl.create_default_context(cadata=certs.ca_pem())
    context.check_hostname = False
    await writer.start_tls(context)
    writer.write(b"x" * 200_000 + b"\n")
    assert len(await reader.readline()) == 200_005
    writer.close()
    await far.leave()


@pytest.fixture(params=["ProxyJump", "ProxyCommand"])
def jump(
    request: pytest.FixtureRequest, sshd: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Server]:
    """Start a server that is reached by another one alone, as this account's own ~/.ssh/config says."""

    def start(*settings: str) -> Server:
        between, far = sshd(), sshd(*settings)
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        for name, server in (("between", between), ("far", far)):
            key = home / ".ssh" / name
            key.write_text(server.keys.client)
            key.chmod(0o600)
        known = (("localhost", between), ("127.0.0.1", far))
        texts = [f"[{host}]:{server.port} {server.keys.host_public}\n" for host, server in known]
        (home / ".ssh/known_hosts").write_text("".join(texts))
        way = {
            "ProxyJump": f"ProxyJump {getpass.getuser()}@localhost:{between.port}",
            "ProxyCommand": f"ProxyCommand bash -c 'exec 3<>/dev/tcp/127.0.0.1/{far.port}; cat <&3 & exec cat >&3'",
        }[request.param]
        hosts = (("localhost", "between", ""), ("127.0.0.1", "far", way))
        lines = [f"Host {host}\n  IdentityFile {home}/.ssh/{key}\n  {more}\n" for host, key, more in hosts]
        (home / ".ssh/config").write_text("".join(lines))
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        return far

    return start


async def stands(far: FarNetwork, port: int, prefix: str) -> str:
    """Return what is told of where a host stands, by an address of its own or why not."""

    class Told(Facts):
        word: str

    @probe(Told, deadline=30)
    async def asked(_: Domain, run: Run) -> Told:
        where, subnet = Standing(far, "far-pc", far.vantage.place), replace(demo().subnets[0], prefix=prefix)
        return Told(word=await own_address(where, subnet, "127.0.0.1", port, run))

    async with bench() as wire:
        found = await wire.ask(asked, Domain("northfield.example"), within=30)
    assert found.outcome in {"observed", "unproven"}, found.reason
    return found.facts.word if found.facts else found.reason


async def test_a_host_behind_another_one_proves_a_subnet_by_its_own_word(
    jump: Callable[..., Server], greeter: int
) -> None:
    far = await reach(jump().table(), Network(Vantage("here"), deadlines=Deadlines(connect=2.0)))
    assert far.vantage.addresses == ()  # the address that was connected to is not its own
    assert await stands(far, greeter, "127.0.0.0/8") == "127.0.0.1"
    assert "leaves for 127.0.0.1 from 127.0.0.1, which is not in 10.20.91.0/24" in await stands(
        far, greeter, "10.20.91.0/24"
    )
    sock = await far.connect("127.0.0.1", greeter)
    assert far.literal(sock) == "127.0.0.1"
    sock.close()
    await far.leave()


async def test_a_host_behind_another_one_that_tells_nothing_proves_nothing(
    jump: Callable[..., Server], greeter: int
) -> None:
    far = await reach(
        jump("ForceCommand /bin/false").table(), Network(Vantage("here"), deadlines=Deadlines(connect=2.0))
    )
    assert far.vantage.addresses == ()
    for prefix in ("127.0.0.0/8", "10.20.91.0/24"):
        assert "nothing tells where far-pc stands: it is reached by another host" in await stands(far, greeter, prefix)
    await far.leave()


async def test_what_is_in_the_way_there_is_told_apart(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd())
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await far.connect("127.0.0.1", closed)
    with pytest.raises(socket.gaierror):
        await far.connect("no-such-host.invalid", 25)
    # One failure takes nothing else with it.
    sock = await far.connect("127.0.0.1", greeter)
    reader, writer = await asyncio.open_connection(sock=sock)
    assert await reader.readline() == b"220 hello\r\n"
    writer.close()
    await far.leave()


async def test_the_host_tells_by_which_address_it_leaves(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd())
    assert await far.source("127.0.0.1", greeter) == "127.0.0.1"
    assert await far.source("no-such-host.invalid", 25) == ""
    await far.leave()


async def test_a_host_without_programs_tells_nothing(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd("ForceCommand /bin/false"))
    assert await far.source("127.0.0.1", greeter) == ""
    await far.leave()


HOSTILE = {  # what a host's own python3 does instead of telling its address, and what is taken from it
    "bytes that are no text": (r"printf '\377\376\200'", ""),
    "a text": (r"""printf '"<b>evil</b>"'""", ""),
    "an escape sequence": (r"""printf '"\033[31m10.20.91.5"'""", ""),
    "a zone of its own words": (r"""printf '"fe80::1%%\\u001b[31m<b>"'""", "fe80::1"),
    "a number": ("printf 2130706433", ""),
    "true": ("printf true", ""),
    "a list": (r"""printf '["127.0.0.1"]'""", ""),
    "a deep nest": ("printf '[%.0s' $(seq 9999)", ""),
    "a long line": ("head -c 300000 /dev/zero", ""),
    "an endless answer": ("yes '\"127.0.0.1\"'", ""),
    "endless complaints": ("yes >&2", ""),
    "a word in two parts": (r"""printf '"127.'; sleep 0.1; printf '0.0.1"'""", "127.0.0.1"),
    "a word before it goes": ("exec printf '\"127.0.0.1\"'", "127.0.0.1"),
}


@pytest.mark.parametrize(("does", "taken"), HOSTILE.values(), ids=HOSTILE)
async def test_what_a_hostile_host_says_of_itself_is_an_address_or_nothing(
    does: str, taken: str, sshd: Callable[..., Server], greeter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing but the deadline ends the complaints; every other answer, by its length.
    monkeypatch.setattr(ssh, "FAR", 1.0 if does == "yes >&2" else 60.0)
    far = await reached(sshd(f"ForceCommand {does}"))
    began = time.monotonic()
    assert await far.source("127.0.0.1", greeter) == taken
    assert time.monotonic() - began < 30
    # The connection has taken no harm.
    sock = await far.connect("127.0.0.1", greeter)
    reader, writer = await asyncio.open_connection(sock=sock)
    assert await reader.readline() == b"220 hello\r\n"
    writer.close()
    await far.leave()


async def test_a_host_that_never_answers_is_not_waited_for(
    sshd: Callable[..., Server], greeter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "FAR", 0.5)
    far = await reached(sshd("ForceCommand sleep 60"))
    began = time.monotonic()
    assert await far.source("127.0.0.1", greeter) == ""
    assert time.monotonic() - began < 30
    await far.leave()


@pytest.fixture
def dropping() -> Iterator[int]:
    """A port that answers nothing, as behind a rule that drops: what listens there has its queue full."""
    with socket.socket() as full, contextlib.ExitStack() as held:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            client = held.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def answers(far: FarNetwork, greeter: int) -> None:
    sock = await far.connect("127.0.0.1", greeter)
    reader, writer = await asyncio.open_connection(sock=sock)
    assert await reader.readline() == b"220 hello\r\n"
    writer.close()


@pytest.mark.parametrize("runs", ["programs", "MaxSessions 0", "ForceCommand /bin/false", "ForceCommand sleep 60"])
async def test_what_drops_beyond_the_host_is_told_from_a_host_that_is_gone(
    runs: str, sshd: Callable[..., Server], greeter: int, dropping: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its own server answers is asked after every time-out, also where it runs nothing for this account."""
    monkeypatch.setattr(ssh, "_ROUND", 0.2)
    far = await reached(sshd(*([] if runs == "programs" else [runs])))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await far.connect("127.0.0.1", dropping, timeout=0.3)
    await answers(far, greeter)
    await far.leave()


async def test_a_name_server_that_drops_leaves_the_way_as_it_was(
    sshd: Callable[..., Server], greeter: int, dropping: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up ends before the connection's own deadline: what follows must find the host there."""
    monkeypatch.setattr(ssh, "_ROUND", 0.2)
    far = await reached(sshd())
    there = ThatPort(far.vantage, deadlines=Deadlines(lookup=0.3), far=far, port=dropping)
    async with bench() as wire:
        found = await wire.observe(looked_up(there), Domain("northfield.example"), within=30)
    assert (found.lookup.status, found.lookup.told) == ("timed out", False)
    with pytest.raises(TimeoutError):
        await far.connect("127.0.0.1", dropping, timeout=0.3)
    await answers(far, greeter)
    await far.leave()


@dataclass
class ThatPort(Network):
    """A far host's network that leads every connection to one port there."""

    far: Any = None
    port: int = 0

    async def connect(self, host: str, port: int, **more: Any) -> socket.socket:
        del host, port
        sock: socket.socket = await self.far.connect("127.0.0.1", self.port, **more)
        return sock


class Found(Facts):
    lookup: Lookup


def looked_up(network: Network) -> Probe[Domain, Found]:
    @probe(Found, deadline=30)
    async def asked(domain: Domain, run: Run) -> Found:
        return Found(lookup=await look_up(run, "10.20.10.53", domain.key, "A", network))

    return asked


async def test_a_time_out_of_the_host_itself_proves_nothing_of_what_is_beyond(
    sshd: Callable[..., Server], greeter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to the host stalls, as where it was switched off: no network rule beyond it may be blamed."""
    monkeypatch.setattr(ssh, "_ROUND", 0.2)
    server, flows = sshd(), asyncio.Event()
    flows.set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(carry(reader, onward[1]), carry(onward[0], writer))

    async with await asyncio.start_server(between, "127.0.0.1", 0) as relay:
        port = relay.sockets[0].getsockname()[1]
        near = dataclasses.replace(server, port=port)
        far = await reached(near)
        await answers(far, greeter)
        flows.clear()
        monkeypatch.setattr(ssh, "FAR", 0.5)
        with pytest.raises(Unproven, match=r"the way to far-pc \(.*\) was lost: nothing answered in time"):
            await far.connect("127.0.0.1", greeter, timeout=0.3)
        flows.set()
        await far.leave()


async def test_a_server_that_forwards_nothing_is_no_firewall(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd("AllowTcpForwarding no"))
    with pytest.raises(Unproven) as refused:
        await far.connect("127.0.0.1", greeter)
    assert "forwards no connections" in refused.value.reason
    assert "AllowTcpForwarding" in refused.value.remedy
    await far.leave()


async def test_a_lost_way_is_unproven(sshd: Callable[..., Server], greeter: int) -> None:
    far = await reached(sshd())
    await far.leave()
    with pytest.raises(Unproven, match="was lost"):
        await far.connect("127.0.0.1", greeter)


async def test_a_host_that_is_not_the_known_one_is_not_signed_in_to(sshd: Callable[..., Server]) -> None:
    server = sshd()
    with pytest.raises(Unproven) as refused:
        await reach(server.table(), server.here(public=server.keys.other_public))
    assert "host key" in refused.value.reason
    assert refused.value.remedy.startswith("compare its key")


async def test_a_key_that_is_not_let_in(sshd: Callable[..., Server]) -> None:
    server = sshd()
    with pytest.raises(Unproven) as refused:
        await reach(server.table(), server.here(client=farhost.keys().client))
    assert "does not let this account in" in refused.value.reason
    assert "PRIVATE KEY" not in refused.value.reason + refused.value.remedy


def test_the_doctor_signs_in_to_each_host(sshd: Callable[..., Server], tmp_path: Path) -> None:
    server, folder = sshd(), tmp_path / "site"
    shutil.copytree(suite.ROOT / "inventory/demo", folder)
    text = (folder / "site.toml").read_text(encoding="utf-8")
    gone = re.sub(r"(?s)# Hosts over which.*?(?=\[\[egress)", "", text).replace("lab = true", "")
    gone += f'\n[[vantage]]\nname = "far-pc"\nsubnet = "10.20.91.0/24"\nssh = "somebody@127.0.0.1:{server.port}"\n'
    (folder / "site.toml").write_text(gone.replace('id = "6f', 'saved = "x"\n# id = "6f'), encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    command = [
        sys.executable,
        "-c",
        "import scanproof.cli, sys; sys.exit(scanproof.cli.main())",
        "doctor",
        "--site",
        str(folder),
    ]
    done = suite.command_line(command, tmp_path, HOME=str(home))
    done.shows("far-pc (somebody@127.0.0.1", "its host key is not known here", f"ssh somebody@127.0.0.1:{server.port}")


async def test_nobody_there(sshd: Callable[..., Server]) -> None:
    server = sshd()
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    with pytest.raises(Unproven) as refused:
        await reach(server.table(ssh=f"somebody@127.0.0.1:{closed}"), server.here())
    assert "can't be reached over SSH" in refused.value.reason
    assert "--gather-only" in refused.value.remedy
