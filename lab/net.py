"""Where the lab's servers listen: ports of 127.0.0.1 and a map to them, or the real addresses."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Protocol


class Net(Protocol):
    """One of the lab's two networks."""

    def listen(self, address: str, port: int, *, names: tuple[str, ...] = ()) -> socket.socket:
        """Return a listening TCP socket for a server of the site.

        Args:
            address: the server's address on the simulated site.
            port: its TCP port there.
            names: the names that lead to it.
        """

    def refuse(self, address: str, port: int) -> None:
        """Have connections to a port of a live host refused."""

    def datagram(self, address: str, port: int) -> socket.socket:
        """Return a UDP socket that receives what is sent to an address of the site."""

    def outward(self, address: str, *, datagram: bool = False) -> socket.socket:
        """Return a socket by which a host of the site makes a connection of its own."""

    def way(self, address: str, port: int, *, datagram: bool = False) -> tuple[str, int]:
        """Return where an address of the site is really found.

        Raises:
            OSError: this network knows already that nobody is there.
        """


@dataclass
class Loopback:
    """Ephemeral ports of 127.0.0.1; what is sent nowhere else is told by the two maps."""

    connect_to: dict[str, tuple[str, int]] = field(default_factory=dict)
    udp: dict[str, tuple[str, int]] = field(default_factory=dict)
    _closed: list[socket.socket] = field(default_factory=list)

    def listen(self, address: str, port: int, *, names: tuple[str, ...] = ()) -> socket.socket:
        sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        sock.settimeout(0)
        self._tell(sock, address, port, names)
        return sock

    def refuse(self, address: str, port: int) -> None:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))  # bound, so that nothing else takes the port, and never listening
        self._closed.append(sock)
        self._tell(sock, address, port, ())

    def datagram(self, address: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(0)
        sock.bind(("127.0.0.1", 0))
        self.udp[f"{address}:{port}"] = sock.getsockname()
        return sock

    def outward(self, address: str, *, datagram: bool = False) -> socket.socket:
        del address  # whose it is, the estate remembers by its port
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
        sock.settimeout(0)
        sock.bind(("127.0.0.1", 0))
        return sock

    def way(self, address: str, port: int, *, datagram: bool = False) -> tuple[str, int]:
        found = (self.udp if datagram else self.connect_to).get(f"{address}:{port}")
        if found:
            return found
        if not datagram and any(name.startswith(f"{address}:") for name in self.connect_to):
            raise ConnectionRefusedError
        raise TimeoutError  # at once: nobody waits for a host that isn't there

    def _tell(self, sock: socket.socket, address: str, port: int, names: tuple[str, ...]) -> None:
        for name in (address, *names):
            self.connect_to[f"{name}:{port}"] = sock.getsockname()
