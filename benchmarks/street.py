"""Thousands of simulated copiers behind one cable, in namespaces that end with the process that made them.

The copiers' namespace holds an address for each copier that lives, and none for the dead ones, whose packets
are dropped without a word, as those of a copier without power are behind a router. One server process a core
answers for all of them: a page on port 80, the same by TLS on port 443 (an elliptic-curve certificate, TLS
1.3); the kernel answers echo requests.

``python -m benchmarks.street CERTIFICATE`` is such a server: an epoll loop by hand, so that what it takes of
the machine is small beside those who ask.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import linux
from selftests.suite import ROOT

if TYPE_CHECKING:
    from types import TracebackType

PREFIX = "10.64.0.0/16"
FIRST = IPv4Address("10.64.0.10")
CABLE = ("100.64.9.1", "100.64.9.2")  # the asker's end and the copiers' (RFC 6598)
DEAD_EVERY = 25  # one copier in so many is dead: 4 %
BODY = b"<html><head><title>Web Image Monitor</title></head><body>" + b"x" * 400 + b"</body></html>"
PAGE = (
    b"HTTP/1.1 200 OK\r\nServer: Web-Server/3.0\r\nContent-Type: text/html\r\nConnection: close\r\n"
    + f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    + BODY
)


@dataclass(frozen=True)
class Copier:
    """One simulated copier."""

    address: str
    alive: bool


def copiers(count: int) -> list[Copier]:
    """Return the first so many copiers, one in twenty-five of them dead; none at an address that ends in 0 or 255."""
    hosts = (address for address in itertools.count(int(FIRST)) if address % 256 not in {0, 255})
    numbered = zip(range(count), hosts, strict=False)
    return [Copier(str(IPv4Address(host)), number % DEAD_EVERY != DEAD_EVERY // 2) for number, host in numbered]


@dataclass
class Street:
    """The two namespaces and the servers. The process that makes it is the asker's machine from then on."""

    count: int
    folder: Path
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        try:
            linux.isolate()
        except OSError as error:
            raise SystemExit(f"this machine allows no namespaces: {linux.says(error)}") from None
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.kill()
            server.wait()

    def _build(self) -> None:
        there = linux.new_network()
        ip = linux.tool("ip", "iproute2")
        here = [
            "link set lo up",
            f"link add name eth0 type veth peer name eth0 netns /proc/{os.getpid()}/fd/{there}",
            f"address add {CABLE[0]}/30 dev eth0",
            "link set eth0 up",
            f"route add {PREFIX} via {CABLE[1]}",
        ]
        linux.feed(None, [ip, "-batch", "-"], "\n".join(here) + "\n")
        living = [f"address add {copier.address}/32 dev eth0" for copier in copiers(self.count) if copier.alive]
        own = ["link set lo up", f"address add {CABLE[1]}/30 dev eth0", "link set eth0 up", *living]
        linux.feed(there, [ip, "-batch", "-"], "\n".join(own) + "\n")
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0", encoding="ascii")
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("1100 65000", encoding="ascii")
        linux.inside(there, _widen)
        pair = certificate(self.folder)
        for _ in range(os.cpu_count() or 1):
            command = [sys.executable, "-m", "benchmarks.street", str(pair)]
            self.servers.append(
                linux.inside(there, lambda: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE))  # noqa: B023
            )
        for server in self.servers:
            if not (server.stdout and server.stdout.readline()):
                raise SystemExit("a server of the simulated copiers did not start")

    def seconds(self) -> float:
        """Return the processor time that the servers have taken so far, in seconds."""
        ticks = 0
        for server in self.servers:
            fields = Path(f"/proc/{server.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")


def _widen() -> None:
    """Let a burst of connections in, as far as this user may: real copiers have a queue each, these share one."""
    for name in ("core/somaxconn", "ipv4/tcp_max_syn_backlog"):
        with contextlib.suppress(OSError):
            Path(f"/proc/sys/net/{name}").write_text("65535", encoding="ascii")


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate with its key, as devices have them; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RNP002673A1B2C3")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    path = folder / "copier.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Peer:
    """One accepted connection: a handshake where it has TLS, a request, a response, the end."""

    __slots__ = ("received", "secure", "sock")

    def __init__(self, sock: socket.socket, *, secure: bool) -> None:
        self.sock, self.secure, self.received = sock, secure, b""

    def go(self) -> bool:
        """Do what can be done now; tell whether there is more to come."""
        try:
            if self.secure:
                self.sock.do_handshake()  # type: ignore[attr-defined] # an SSLSocket
                self.secure = False
            while b"\r\n\r\n" not in self.received:
                part = self.sock.recv(4096)
                if not part or not (self.received + part).startswith(b"GET "):
                    return False
                self.received += part
            self.sock.send(PAGE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            pass
        return False


def serve(pair: str) -> None:
    """Answer on ports 80 and 443 of every address of this namespace, until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    context.num_tickets = 0
    poll, listening, peers = select.epoll(), {}, {}
    for port in (80, 443):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("0.0.0.0", port))
        sock.listen(65535)
        sock.settimeout(0)
        listening[sock.fileno()] = (sock, port == 443)
        poll.register(sock, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for number, _ in poll.poll():
            if number in listening:
                sock, secure = listening[number]
                for _ in range(64):
                    try:
                        peer, _ = sock.accept()
                    except BlockingIOError:
                        break
                    peer.settimeout(0)
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if secure:
                        try:
                            peer = context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
                        except OSError:  # gone again
                            peer.close()
                            continue
                    peers[peer.fileno()] = _Peer(peer, secure=secure)
                    poll.register(peer, select.EPOLLIN)
            elif not peers[number].go():
                with contextlib.suppress(OSError):
                    poll.unregister(number)
                peers.pop(number).sock.close()


if __name__ == "__main__":
    serve(sys.argv[1])
