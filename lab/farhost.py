"""A host of a subnet with an SSH server, and nothing else: its own process, in a network namespace of its own.

``python -m lab.farhost`` reads what it is as one line of JSON from its stdin, and ends when that closes. It forwards
connections as OpenSSH does (from its own address, by its own look-up of names) and runs commands by a shell.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import linux

if TYPE_CHECKING:
    import asyncssh

_NO_PROGRAMS = "/nonexistent"  # a host on which no command but the shell's own is found


@dataclass(frozen=True)
class Keys:
    """The key pairs of a simulated site's SSH: one of the engineer, one of every host together."""

    client: str
    client_public: str
    host: str
    host_public: str
    other_public: str  # of no host: what a host that was set up anew is remembered by


def keys() -> Keys:
    """Make fresh keys, as OpenSSH writes them."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only a site with such hosts needs it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    own, openssh = [Ed25519PrivateKey.generate() for _ in range(3)], serialization.Encoding.OpenSSH
    private = [
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ).decode()
        for key in own
    ]
    public = [key.public_key().public_bytes(openssh, serialization.PublicFormat.OpenSSH).decode() for key in own]
    return Keys(private[0], public[0], private[1], public[1], public[2])


def launch(
    sock: socket.socket, network: int, found: Keys, *, python: bool, forwards: bool, resolver: str
) -> subprocess.Popen[bytes]:
    """Start a host's SSH server on a listening socket, inside its network namespace.

    Args:
        sock: listens already, so that whoever connects meanwhile waits.
        network: the namespace's descriptor.
        found: the site's keys.
        python: the host has python3.
        forwards: its server forwards connections.
        resolver: its name server, where that isn't the site's.
    """
    told = {
        "socket": sock.fileno(),
        "host_key": found.host,
        "authorized": found.client_public,
        "path": f"{Path(sys.executable).parent}:/usr/bin:/bin" if python else _NO_PROGRAMS,
        "forwards": forwards,
        "resolver": resolver,
    }
    process = linux.inside(
        network,
        lambda: subprocess.Popen(
            [sys.executable, "-m", "lab.farhost"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[sock.fileno()],
        ),
    )
    assert process.stdin
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    return process


def main() -> None:
    """Be such a host until stdin closes."""
    told = json.loads(sys.stdin.buffer.readline())
    if told["resolver"]:  # outside the site: the site's own name server is out of its reach
        linux.call("unshare", linux.CLONE_NEWNS)
        linux.call("umount2", b"/etc/resolv.conf", 0)  # the site's: nothing can be laid over a file that was removed
        linux.own_mounts({"/etc/resolv.conf": f"nameserver {told['resolver']}\noptions timeout:2 attempts:1\n"})
    threading.Thread(target=_die_with_parent, daemon=True).start()
    asyncio.run(_serve(told))


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


async def _feed(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        sink.write(await source.read())
        await sink.drain()
        sink.close()


async def _serve(told: dict[str, Any]) -> None:
    import asyncssh  # noqa: PLC0415 - in the process of such a host alone

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self._conn = conn

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
            del orig_host, orig_port
            if not told["forwards"]:
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
            return self._forward(dest_host, dest_port)

        async def _forward(self, host: str, port: int) -> Any:
            try:
                return await self._conn.forward_connection(host, port)
            except asyncssh.ChannelOpenError as error:
                # In the words that OpenSSH has for it: those of the system alone (seen of OpenSSH 9.2).
                number = re.search(r"Errno (\d+)", error.reason)
                said = os.strerror(int(number.group(1))) if number else error.reason.partition("] ")[2]
                raise asyncssh.ChannelOpenError(error.code, said) from None

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        made = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            process.command or "exit 0",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": told["path"]},
        )
        assert made.stdin
        assert made.stdout
        assert made.stderr
        fed = asyncio.create_task(_feed(process.stdin, made.stdin))
        out, err = await asyncio.gather(made.stdout.read(), made.stderr.read())
        fed.cancel()  # a command that wants nothing from its stdin ends without its end
        with contextlib.suppress(BrokenPipeError):  # the client has gone from this channel; others of its go on
            process.stdout.write(out)
            process.stderr.write(err)
        process.exit(await made.wait())

    await asyncssh.listen(
        sock=socket.socket(fileno=told["socket"]),
        server_factory=Server,
        process_factory=run,
        encoding=None,
        server_host_keys=[asyncssh.import_private_key(told["host_key"])],
        authorized_client_keys=asyncssh.import_authorized_keys(told["authorized"]),
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
