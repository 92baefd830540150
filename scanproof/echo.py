"""ICMP echo requests to many hosts over one socket.

icmplib builds and parses the packets. One socket serves all hosts, and a reply counts only when its
source, identifier and sequence number all match: with identifier and sequence alone, replies to
another process's requests make dead hosts pass. The socket is read on the event loop, and on Windows,
whose loop can't wait on it, in a thread.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import re
import shutil
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import icmplib

from scanproof.patience import within
from scanproof.troubles import away, no_route, not_tried, own_limit

ECHO_REPLY = 0  # RFC 792
PAYLOAD = bytes(range(56))  # as many bytes as every ping command sends; icmplib would draw them by lot
PERMIT = {
    "Linux": 'permit it with: sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"',
    "Windows": "run from a console that was opened as administrator",
    "Darwin": "run with sudo",
}


class NoPing(Exception):  # noqa: N818 - not an error of the host that was asked
    """This machine can't send echo requests, by socket or by command. Holds the remedy."""


@dataclass(frozen=True)
class Echo:
    """What came of a few echo requests to one host."""

    sent: int
    rtt_ms: tuple[float, ...]
    method: str
    trouble: str = ""


@dataclass
class _Asked:
    """A host that is being asked: when each request left, and what will be known of the answer."""

    address: str
    count: int  # of requests, at most
    pause: float  # seconds between two of them
    again: asyncio.TimerHandle | None = None
    began: dict[int, float] = field(default_factory=dict)
    limit: str = ""  # of this machine's own, by which the last request did not leave
    answer: asyncio.Future[tuple[float | None, str]] = field(init=False)


class Pinger:
    """Sends echo requests from this machine; one for a whole run.

    Raises:
        NoPing: when first used, if the system permits neither an ICMP socket nor its own ping command.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._socket: Any = None
        self._method = ""
        self._waiting: dict[int, _Asked] = {}
        self._sequence = itertools.count(1)
        self._id = os.getpid() & 0xFFFF
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    async def ping(self, address: str, *, count: int = 2, timeout: float = 3.0) -> Echo:  # noqa: ASYNC109
        """Send echo requests until one is answered.

        Args:
            address: an IPv4 or IPv6 address.
            count: how many at most; they leave at even intervals, and a late answer to an early one counts.
            timeout: seconds for all of them.

        Raises:
            Unproven: this machine was at a limit of its own, so that the last did not leave, or has no route there.
        """
        if ":" in address or not self._open():
            seen = await _by_command(address, count, timeout)
            if not seen.rtt_ms and (words := no_route(address)):
                raise away(address, words)
            return seen
        asked = _Asked(address, count, timeout / count)
        rtt, trouble = None, ""
        try:
            async with within(timeout):
                while rtt is None and len(asked.began) < count:
                    asked.answer = asyncio.get_running_loop().create_future()
                    self._send(asked)
                    rtt, trouble = await asked.answer
        except TimeoutError:
            trouble = ""
        finally:
            if asked.again:
                asked.again.cancel()
            for sequence in asked.began:
                self._waiting.pop(sequence, None)
        if rtt is None and asked.limit:
            raise not_tried(asked.limit)
        if rtt is None and (words := no_route(address)):
            raise away(address, words)
        return Echo(len(asked.began), () if rtt is None else (rtt,), self._method, trouble)

    def by_socket(self) -> bool:
        """Tell whether this process may ask by itself: a program for each address would be too much for a sweep."""
        return self._open()

    def close(self) -> None:
        """Close the socket and end its reader."""
        self._closed.set()
        if self._thread:
            self._thread.join(timeout=2)
        elif self._socket and self._loop:
            self._loop.remove_reader(self._socket.sock.fileno())
        if self._socket:
            self._socket.close()
            self._socket = None

    def _open(self) -> bool:
        if self._socket:
            return True
        for privileged, method in ((False, "ICMP datagram socket"), (True, "ICMP raw socket")):
            try:
                self._socket = icmplib.ICMPv4Socket(privileged=privileged)
            except icmplib.ICMPLibError:
                continue
            self._method = method
            self._loop = asyncio.get_running_loop()
            self._listen(self._loop, self._socket.sock)
            return True
        return False

    def _listen(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        with suppress(OSError):  # as much as this system gives: replies to a burst arrive while others are sent
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if sys.platform == "linux":
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
        try:
            if sys.platform == "win32":
                raise NotImplementedError  # noqa: TRY301 - its loop can't wait on a socket, and there is no recvmsg
            loop.add_reader(sock.fileno(), self._drain)
        except NotImplementedError:
            self._thread = threading.Thread(target=self._read, name="echo replies", daemon=True)
            self._thread.start()
        else:
            sock.settimeout(0)

    def _send(self, asked: _Asked) -> None:
        if asked.again:
            asked.again.cancel()
        sequence = next(self._sequence) & 0xFFFF
        self._waiting[sequence] = asked
        request = icmplib.ICMPRequest(asked.address, self._id, sequence, payload=PAYLOAD)
        if not self._thread and sequence % 16 == 0:
            self._drain()  # while a thousand are sent in one turn of the loop, the socket would run over
        asked.began[sequence] = time.time()
        try:
            # Not icmplib.ping(): it takes an error of this machine's own stack for a dead host.
            self._socket.send(request)
            asked.limit = ""
        except icmplib.ICMPLibError as error:
            asked.limit = own_limit(error)
            if not asked.answer.done():
                asked.answer.set_result((None, str(error)))
        if len(asked.began) < asked.count:
            asked.again = asyncio.get_running_loop().call_later(asked.pause, self._send, asked)

    def _drain(self) -> None:
        """Take what has arrived."""
        for _ in range(1024):  # then the loop has its turn
            try:
                packet, notes, _, source = self._socket.sock.recvmsg(2048, 64)
            except OSError:  # nothing left, most of the time
                return
            # icmplib's own receive() waits for a packet, and drops what it took too long to look at.
            reply = self._socket._parse_reply(packet, source[0], _arrival(notes))  # noqa: SLF001
            if reply:
                self._match(reply)

    def _read(self) -> None:
        """Take replies in a thread, where the loop can't wait on the socket."""
        while not self._closed.is_set():
            try:
                reply = self._socket.receive(None, 0.05)
            except icmplib.TimeoutExceeded:
                continue
            except (icmplib.ICMPLibError, OSError):
                if self._closed.wait(0.05):
                    return
                continue
            if self._loop and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._match, reply)

    def _match(self, reply: Any) -> None:
        asked = self._waiting.get(reply.sequence)
        # The kernel chooses a datagram socket's identifier and delivers only its own.
        if asked is None or ("raw" in self._method and reply.id != self._id) or asked.answer.done():
            return
        if reply.type == ECHO_REPLY:
            if reply.source == asked.address:
                asked.answer.set_result((max(reply.time - asked.began[reply.sequence], 0) * 1000, ""))
        elif reply.type == 3:  # destination unreachable
            asked.answer.set_result((None, f"{reply.source} says: destination unreachable (code {reply.code})"))


_TIMESTAMP = 35  # SO_TIMESTAMPNS (asm-generic/socket.h): Python has no name for it
_TIMESPEC = struct.Struct("@ll")


def _arrival(notes: list[tuple[int, int, bytes]]) -> float:
    """Return when a packet arrived: by the kernel's stamp, since a busy loop may come to it much later."""
    for level, kind, data in notes:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMP and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()


async def _by_command(address: str, count: int, timeout: float) -> Echo:  # noqa: ASYNC109
    """Ask the system's own ping command, which may do what this process may not.

    Raises:
        NoPing: there is none.
    """
    command = shutil.which("ping")
    if command is None:
        system = platform.system()
        raise NoPing(PERMIT.get(system, "run with administrator's rights"))
    if platform.system() == "Windows":
        arguments = [command, "-n", str(count), "-w", str(round(timeout * 1000)), address]
    elif platform.system() == "Darwin":
        arguments = [command, "-c", str(count), "-t", str(round(timeout * count)), address]
    else:
        arguments = [command, "-n", "-c", str(count), "-W", str(round(timeout)), address]
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(timeout * count + 5):
            output, _ = await process.communicate()
    except TimeoutError:
        return Echo(count, (), "ping command", "the command did not end")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode("utf-8", "replace")
    if re.search(r"not permitted|permission denied|unable to open raw", text, re.IGNORECASE):
        raise NoPing(PERMIT.get(platform.system(), text.strip()[:200]))
    return Echo(count, round_trips(text, address), "ping command")


_TIME = re.compile(r"[=<]\s?([0-9]+(?:[.,][0-9]+)?)\s?ms")
_TTL = re.compile(r"\bttl=[0-9]+", re.IGNORECASE)


def round_trips(output: str, address: str) -> tuple[float, ...]:
    """Return the milliseconds of each reply that a system's own ping command shows, in whatever language.

    Args:
        output: what the command wrote. Its exit status says nothing: Windows ends with 0 for "unreachable" too.
        address: the address that was asked. A reply names it or shows a TTL, and shows its time; the
            statistics and a router's "unreachable" don't do both.
    """
    named = re.compile(rf"(?<![0-9A-Fa-f:.]){re.escape(address)}(?![0-9A-Fa-f.])", re.IGNORECASE)
    times = [(_TIME.search(line), _TTL.search(line)) for line in output.splitlines() if named.search(line)]
    return tuple(float(time[1].replace(",", ".")) if time else 0.0 for time, ttl in times if time or ttl)
