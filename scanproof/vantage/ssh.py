"""A host of a subnet, reached over SSH: it makes connections for us, and nothing is installed or changed there.

Connections are forwarded by its SSH server (``direct-tcpip``, RFC 4254 §7.2), which OpenSSH on Linux and on Windows
does unless it is told not to. Such a connection doesn't tell by which address it left; where the host has python3, that
is asked of it.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import socket
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncssh

from scanproof.kinds import Unproven
from scanproof.network import Network, Vantage
from scanproof.redact import plain
from scanproof.troubles import not_tried, own_limit
from scanproof.vantage.standing import address_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.sitefile import VantageTable

LOGIN = 10.0  # seconds for the connection and the sign-in
FAR = 5.0  # seconds that a command on the far side may take
MOST = 200  # bytes of what it prints
_ROUND = 2.0  # seconds that the way there may add to a connection's deadline
# Run by the host's own python3, from its stdin. Connecting a datagram socket sends nothing: the system only says by
# which of its addresses it would leave.
_SOURCE = """import json, socket
try:
    family, kind, _, _, where = socket.getaddrinfo({host!r}, {port}, type=socket.SOCK_DGRAM)[0]
    made = socket.socket(family, kind)
    made.connect(where)
    print(json.dumps(made.getsockname()[0]))
except OSError:
    print(json.dumps(""))
"""


@dataclass
class FarNetwork(Network):
    """The wire as a host of a subnet reaches it.

    Attributes:
        host: its name or address, as the site file states it.
    """

    host: str = ""
    _connection: Any = field(default=None, repr=False)
    _ends: weakref.WeakKeyDictionary[socket.socket, tuple[str, str]] = field(
        default_factory=weakref.WeakKeyDictionary, repr=False
    )
    _pumps: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        tried: list[tuple[str, str]] | None = None,  # noqa: ARG002 - the far side does not tell its ports
    ) -> socket.socket:
        """Have the host open a TCP connection; the name is looked up there.

        Args:
            host: name or IP address.
            port: TCP port.
            timeout: seconds; the connect deadline by default.
            tried: stays empty: the address and port that it left by are not told.

        Returns:
            One end of a socket pair, whose other end is fed from the forwarded connection.

        Raises:
            OSError: as of a connection from here, as far as the server's reason tells them apart.
            Unproven: the host forwards no connections, the way to it was lost, or either side can't open one more.
        """
        try:
            async with asyncio.timeout((timeout or self.deadlines.connect) + _ROUND):
                reader, writer = await self._connection.open_connection(host, port, encoding=None)
        except TimeoutError as error:
            if not await self._answers():
                raise self._lost(error) from None
            raise
        except asyncssh.ChannelOpenError as error:
            raise (self._lost(error) if self._connection.is_closed() else self._refused(error)) from None
        except (asyncssh.Error, ConnectionError) as error:
            raise self._lost(error) from None
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            writer.close()
            raise not_tried(own_limit(error) or str(error)) from None
        for sock in (ours, theirs):
            sock.settimeout(0)
        self._ends[ours] = ("", f"{host}:{port}")
        task = asyncio.create_task(_pump(theirs, reader, writer))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        task.add_done_callback(lambda _: theirs.close())  # one that is cancelled before its first step does nothing
        return ours

    def _lost(self, error: Exception) -> Unproven:
        return Unproven(f"the way to {self.vantage.name} ({self.host}) was lost: {_said(error)}", _AGAIN)

    def _refused(self, error: asyncssh.ChannelOpenError) -> Exception:
        reason = plain(error.reason, 200)
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            return Unproven(
                f"{self.vantage.name} ({self.host}) forwards no connections: {reason}",
                "let its SSH server forward TCP for this account (AllowTcpForwarding yes, no PermitOpen), or carry a "
                "run there (pytest --gather-only)",
                "no-vantage",
            )
        if "too many open files" in reason.lower() or error.code == asyncssh.OPEN_RESOURCE_SHORTAGE:
            return Unproven(
                f"{self.vantage.name} ({self.host}) was at a limit of its own: {reason}",
                "close what else runs there, or raise its SSH server's limit, and run again",
                "no-vantage",
            )
        return _as_os_error(reason)

    def ends(self, sock: socket.socket) -> tuple[str, str]:
        """Return a connection's own end, which isn't known, and the host and port that were asked for."""
        return self._ends.get(sock, ("", ""))

    def literal(self, sock: socket.socket) -> str:  # noqa: ARG002 - the host's own, whichever connection
        """Return the address by which a client without a name greets (RFC 5321 §4.1.3)."""
        return self.vantage.addresses[0] if self.vantage.addresses else "127.0.0.1"

    async def source(self, host: str, port: int) -> str:
        """Return the address by which the host itself leaves for somewhere; empty where it has no python3 to ask.

        Args:
            host: name or IP address.
            port: TCP port.
        """
        text = _SOURCE.format(host=host, port=port)
        try:
            async with asyncio.timeout(FAR):
                # As bytes: asyncssh ends the whole connection over a text that isn't UTF-8.
                process = await self._connection.create_process("python3 -", encoding=None)
                try:
                    process.stdin.write(text.encode())
                    process.stdin.write_eof()
                    said = b""
                    while len(said) < MOST and (part := await process.stdout.read(MOST - len(said))):
                        said += part
                finally:
                    process.close()  # not waited for: a program that goes on would be, for as long as it likes
            own = json.loads(said)
            # Without a zone: that is a text of the host's own choice (RFC 4007 §11).
            return str(ipaddress.ip_address(own.partition("%")[0])) if isinstance(own, str) else ""
        except (asyncssh.Error, OSError, ValueError, RecursionError):
            return ""

    async def _answers(self) -> bool:
        """Tell whether the host's own server still answers: a time-out may be its own rather than the network's."""
        try:
            async with asyncio.timeout(FAR):
                # That it begins is the answer: what an account is made to run there instead may take its time. It is
                # left to end by itself; some servers end the connection over a program that loses its client.
                await self._connection.create_process("exit", encoding=None)
        except asyncssh.ChannelOpenError:
            return not self._connection.is_closed()  # it answers, and runs nothing
        except (asyncssh.Error, OSError):
            return False
        return True

    async def leave(self) -> None:
        """Close the connection and whatever still runs over it."""
        for task in tuple(self._pumps):
            task.cancel()
        self._connection.close()
        try:
            async with asyncio.timeout(2):
                await self._connection.wait_closed()
        except (TimeoutError, OSError):
            self._connection.abort()


async def reach(table: VantageTable, here: Network) -> FarNetwork:
    """Sign in to a host of the site by key or agent; its host key must be known.

    Args:
        table: what the site file states of it.
        here: this machine's way to the wire.

    Raises:
        Unproven: it can't be reached, isn't known, or lets this account not in; with what to do.
    """
    user, host, port = address_of(table.ssh)
    where = f"{table.name} ({table.ssh})"
    try:
        async with asyncio.timeout(LOGIN):
            connection = await asyncssh.connect(
                host, port, username=user, login_timeout=LOGIN, preferred_auth=("publickey",), **_access(here.ssh)
            )
    except asyncssh.HostKeyNotVerifiable as error:
        raise Unproven(
            f"{where}: its host key is not known here, or is another than the known one: {_said(error)}",
            f"compare its key, then take note of it: ssh {table.ssh}",
            "no-vantage",
        ) from None
    except asyncssh.PermissionDenied as error:
        raise Unproven(
            f"{where} does not let this account in: {_said(error)}",
            f"put your public key into its authorized_keys, or load the key into your agent, and try: ssh {table.ssh}",
            "no-vantage",
        ) from None
    except (ValueError, OverflowError) as error:  # a key, ~/.ssh/config or known_hosts that asyncssh can't read
        raise Unproven(
            f"{where}: an SSH file of this account can't be read: {_said(error)}",
            f"correct it, and try: ssh {table.ssh}",
            "no-vantage",
        ) from None
    except (asyncssh.Error, OSError) as error:
        raise Unproven(
            f"{where} can't be reached over SSH: {_said(error)}",
            f"try by hand: ssh {table.ssh}; or run pytest --gather-only there, and judge that run here by --evidence",
            "no-vantage",
        ) from None
    peer = str((connection.get_extra_info("peername") or ("",))[0])
    return FarNetwork(
        vantage=Vantage(table.name, (peer,) if peer else (), here.vantage.lab, table.role),
        ca_pem=here.ca_pem,
        deadlines=here.deadlines,
        host=table.ssh,
        _connection=connection,
    )


_AGAIN = "run again; if it is lost again, see the SSH server's own log"


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "nothing answered in time"
    return plain(getattr(error, "reason", "") or str(error) or type(error).__name__, 200)


def _as_os_error(reason: str) -> OSError:
    """Return the error that the server's words stand for: OpenSSH gives those of its own system's strerror."""
    low = reason.lower()
    if "timed out" in low or "timeout" in low:
        return TimeoutError(errno.ETIMEDOUT, reason)
    if "refused" in low:
        return ConnectionRefusedError(errno.ECONNREFUSED, reason)
    if "reset" in low:
        return ConnectionResetError(errno.ECONNRESET, reason)
    if "unreachable" in low or "no route" in low:
        return OSError(errno.EHOSTUNREACH, reason)
    if any(words in low for words in ("not known", "name resolution", "unknown host", "no such host", "no address")):
        return socket.gaierror(socket.EAI_NONAME, reason)
    return OSError(errno.EIO, f"the far side's SSH server says: {reason}")


async def _pump(sock: socket.socket, reader: Any, writer: Any) -> None:
    """Carry bytes both ways until either side has ended."""
    loop = asyncio.get_running_loop()

    async def inward() -> None:
        while data := await reader.read(65536):
            await loop.sock_sendall(sock, data)
        sock.shutdown(socket.SHUT_WR)

    async def outward() -> None:
        while data := await loop.sock_recv(sock, 65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    tasks = [asyncio.ensure_future(inward()), asyncio.ensure_future(outward())]
    try:
        await asyncio.gather(*tasks)
    except (asyncssh.Error, OSError):
        pass  # an end that went away: the other one sees the connection close
    finally:
        for task in tasks:
            task.cancel()
        writer.close()
        sock.close()


def _access(told: Mapping[str, str]) -> dict[str, Any]:
    """Return by what to sign in: the user's own keys, agent, known hosts and settings, or a simulated site's alone."""
    if not told:
        return {}
    return {
        "client_keys": [asyncssh.import_private_key(told["client_key"])],
        "known_hosts": asyncssh.import_known_hosts(told["known_hosts"]),
        "agent_path": None,
        "config": None,
    }
