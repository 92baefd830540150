"""The one seam to the wire: every socket of a run is opened here, from a vantage.

``connect`` gives a connected non-blocking socket, which every client library is handed. In the
loopback lab a connect-to map (as ``curl --connect-to``) leads each address of the simulated site to a
port on 127.0.0.1, and what the map doesn't hold can't be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import dns.asyncresolver
import dns.exception

from scanproof.echo import Pinger
from scanproof.patience import within
from scanproof.troubles import UNREACHED, away, exhausted, no_route, not_tried, own_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scanproof.site import Subnet

LabNetwork = Literal["loopback", "namespaces"]


@dataclass(frozen=True)
class Deadlines:
    """How long each phase may take, in seconds.

    A connect has three: one second would equal the kernel's first SYN retransmission (RFC 6298), so that
    a single lost packet became a false failure.
    """

    connect: float = 3.0
    tls: float = 10.0  # old devices need seconds for a handshake
    reply: float = 20.0  # for one SMTP reply; RFC 5321 §4.5.3.2 allows minutes, no engineer waits them
    response: float = 10.0  # for one HTTP response
    lookup: float = 5.0  # for one DNS look-up, retries included
    throttled: float = 300.0  # for one request to the tenant that is told to come back later (429, 503)


@dataclass(frozen=True)
class Vantage:
    """A place in the network from which probes run."""

    name: str
    addresses: tuple[str, ...] = ()
    lab: LabNetwork | None = None
    role: Literal["site", "control"] = "site"

    @property
    def place(self) -> str:
        """Name and addresses: a laptop that is carried from subnet to subnet is another place in each."""
        return f"{self.name} ({', '.join(self.addresses)})" if self.addresses else self.name

    def inside(self, subnet: Subnet) -> str | None:
        """Return this place's own address in a subnet; None where it has none there."""
        return next((address for address in self.addresses if address in subnet), None)

    def as_json(self, subnets: Iterable[Subnet]) -> dict[str, Any]:
        """Return the vantage for run.json, with those of the site's subnets that it stands in."""
        inside = [subnet.prefix for subnet in subnets if self.inside(subnet)]
        return {
            "name": self.name,
            "addresses": list(self.addresses),
            "subnets": inside,
            "lab": self.lab,
            "role": self.role,
        }


@dataclass
class Network:
    """This machine's way to the wire.

    Attributes:
        vantage: where it is.
        connect_to: "host:port" to a loopback address and port; None where the real network is used.
        udp: the same for datagrams.
        ca_pem: one more root to trust: the lab's own.
        resolvers: name servers to ask instead of the system's: in a namespace lab, which can't change those.
        ssh: by what hosts are reached over SSH: ``client_key`` and ``known_hosts``; empty for what is the user's own.
    """

    vantage: Vantage
    connect_to: Mapping[str, tuple[str, int]] | None = None
    udp: Mapping[str, tuple[str, int]] | None = None
    ca_pem: str = ""
    resolvers: tuple[str, ...] = ()
    ssh: Mapping[str, str] = field(default_factory=dict, repr=False)
    deadlines: Deadlines = field(default_factory=Deadlines)
    pinger: Pinger = field(default_factory=Pinger, repr=False)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict, repr=False)

    async def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        tried: list[tuple[str, str]] | None = None,
    ) -> socket.socket:
        """Open a TCP connection.

        Args:
            host: name or IP address.
            port: TCP port.
            timeout: seconds; the connect deadline by default. It covers the look-up of the name too.
            tried: is told both ends of each connection that did not come about, as a network team's logs show them.

        Returns:
            A connected, non-blocking socket with TCP_NODELAY.

        Raises:
            OSError: with an errno that tells refused, unreachable and reset apart; TimeoutError (a kind of
                it) when nothing answered; socket.gaierror when the name doesn't resolve.
            Unproven: this machine can't open one more connection, or has no route there.
        """
        choices: list[tuple[Any, Any]] = []
        try:
            async with within(timeout or self.deadlines.connect):
                target = self.mapped(host, port)
                if _is_address(target[0]):
                    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
                    choices = [(family, target)]
                else:
                    choices = await self._resolve(*target)
                return await _first(choices, tried)
        except OSError as error:
            if limit := own_limit(error) or (exhausted() if isinstance(error, socket.gaierror) else ""):
                raise not_tried(limit) from None
            if error.errno in UNREACHED and (words := [no_route(address[0]) for _, address in choices]) and all(words):
                raise away(host, words[0]) from None
            raise

    async def _resolve(self, host: str, port: int) -> list[tuple[Any, Any]]:
        if not self.resolvers:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return [(family, address) for family, _, _, _, address in found]
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = list(self.resolvers)
        resolver.lifetime = self.deadlines.connect
        try:
            answer = await resolver.resolve(host, "A", search=False)
        except dns.exception.DNSException as error:
            raise socket.gaierror(socket.EAI_NONAME, str(error)) from None
        return [(socket.AF_INET, (record.to_text(), port)) for record in answer]

    def mapped(self, host: str, port: int, *, udp: bool = False) -> tuple[str, int]:
        """Return where a host and port are really to be found from here.

        Raises:
            OSError: ENETUNREACH for what a simulated site doesn't hold: it must never be asked of the
                real network.
        """
        table = self.udp if udp else self.connect_to
        if table is None:
            return host, port
        name = f"{host.lower().rstrip('.')}:{port}"
        if name in table:
            address, mapped_port = table[name]
            return address, mapped_port
        raise OSError(errno.ENETUNREACH, f"{name} is not part of the simulated site")

    def ends(self, sock: socket.socket) -> tuple[str, str]:
        """Return a connection's own end and the other one, each as address and port."""
        return endpoint(sock.getsockname()), endpoint(sock.getpeername())

    def literal(self, sock: socket.socket) -> str:
        """Return the address by which a client without a name greets (RFC 5321 §4.1.3)."""
        return str(sock.getsockname()[0])

    async def source(self, host: str, port: int) -> str:
        """Return the address by which this place leaves for somewhere, where it has to be asked for; empty here."""
        del host, port
        return ""

    def close(self) -> None:
        """Let go of what stays open between probes."""
        self.pinger.close()

    def tls(self, purpose: Literal["service", "device", "observe"]) -> ssl.SSLContext:
        """Return the shared TLS context for a purpose: loading the system's roots for one costs 20 to 60 ms.

        service  a public mail service or API: verified, TLS 1.2 and newer
        device   an office device: self-signed is normal and old TLS is still met; for devices alone
        observe  a mail service whose certificate is itself the question: TLS 1.2 and newer, unverified
        """
        if purpose not in self._contexts:
            context = ssl.create_default_context() if purpose == "service" else unverified()
            if self.ca_pem and purpose == "service":
                context.load_verify_locations(cadata=self.ca_pem)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if purpose == "device":
                context.set_ciphers("ALL:@SECLEVEL=0")
                # Setting a minimum below TLS 1.2 is deprecated for good reason; these devices know nothing newer.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context.minimum_version = ssl.TLSVersion.TLSv1
                context.options |= 0x4  # OP_LEGACY_SERVER_CONNECT (named only since Python 3.12)
            self._contexts[purpose] = context
        return self._contexts[purpose]


def unverified() -> ssl.SSLContext:
    """Return a client's TLS context that checks no certificate, and so loads no root to check one by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):  # ten times as fast as ipaddress, and asked for each connection
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False


def endpoint(address: tuple[Any, ...]) -> str:
    """Return a socket's address and port as they are written."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _first(choices: Iterable[tuple[Any, Any]], tried: list[tuple[str, str]] | None) -> socket.socket:
    """Connect to the first address that answers, each in its turn."""
    loop, errors = asyncio.get_running_loop(), []
    for family, address in choices:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # this system has no such family, or no socket left
            errors.append(error)
            continue
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as error:
            _note(sock, address, tried)
            errors.append(error)
        except BaseException:
            _note(sock, address, tried)
            raise
        else:
            return sock
    # A family of addresses that this machine has no way out for says nothing of the one that it has.
    raise next((error for error in errors if error.errno not in _NO_WAY), errors[-1])


_NO_WAY = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def _note(sock: socket.socket, address: Any, tried: list[tuple[str, str]] | None) -> None:
    """Close a socket that did not connect, and take note of the port that it tried from, and of what it tried."""
    with sock, contextlib.suppress(OSError):
        name = sock.getsockname()
        if tried is not None and name[1]:
            tried.append((endpoint(name), endpoint(address)))


def own_addresses(towards: Iterable[str]) -> tuple[str, ...]:
    """Return this machine's own addresses, found by asking the OS which it would use; nothing is sent.

    Args:
        towards: addresses of the site, to find the interfaces that lead there.
    """
    found: dict[str, None] = {}
    for address in towards:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((address, 9))
                found[sock.getsockname()[0]] = None
            except OSError:
                continue
    return tuple(found)


_allowed: list[bool] = []


def loopback_only() -> None:
    """Stop, for the rest of this process, every attempt to leave loopback: a demo sends nothing off the machine.

    An audit hook can't be taken off again; it sees what every library does, ours or not.
    """
    if not _allowed:
        _allowed.append(True)
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not ipaddress.ip_address(address[0].split("%")[0]).is_loopback:
            raise PermissionError(errno.EPERM, f"a simulated site may not reach {address[0]}")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else host
        if name not in {None, "", "localhost"} and not (_is_address(name) and ipaddress.ip_address(name).is_loopback):
            raise PermissionError(errno.EPERM, f"a simulated site may not look up {name}")
