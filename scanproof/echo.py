"""ICMP echo requests to many hosts over one socket.

icmplib builds and parses the packets. One socket serves all hosts, and a reply counts only when its
source, identifier and sequence number all match: with identifier and sequence alone, replies to
another process's requests make dead hosts pass. The socket is read in a thread, since not every
system's event loop can wait on it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import re
import shutil
import threading
import time
from dataclasses import dataclass
from typing import Any

import icmplib

ECHO_REPLY = 0  # RFC 792
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


class Pinger:
    """Sends echo requests from this machine; one for a whole run.

    Raises:
        NoPing: when first used, if the system permits neither an ICMP socket nor its own ping command.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._socket: Any = None
        self._method = ""
        self._waiting: dict[int, tuple[str, asyncio.Future[tuple[float, str]]]] = {}
        self._sequence = itertools.count(1)
        self._id = os.getpid() & 0xFFFF
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    async def ping(self, address: str, *, count: int = 2, timeout: float = 3.0) -> Echo:  # noqa: ASYNC109
        """Send echo requests until one is answered.

        Args:
            address: an IPv4 or IPv6 address.
            count: how many at most.
            timeout: seconds to wait for each.
        """
        if ":" in address or not self._open():
            return await _by_command(address, count, timeout)
        sent, trouble = 0, ""
        for _ in range(count):
            sent += 1
            rtt, trouble = await self._ask(address, timeout)
            if rtt is not None:
                return Echo(sent, (rtt,), self._method)
        return Echo(sent, (), self._method, trouble)

    def by_socket(self) -> bool:
        """Tell whether this process may ask by itself: a program for each address would be too much for a sweep."""
        return self._open()

    def close(self) -> None:
        """Close the socket and end its reader."""
        self._closed.set()
        if self._thread:
            self._thread.join(timeout=2)
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
            self._thread = threading.Thread(target=self._read, name="echo replies", daemon=True)
            self._thread.start()
            return True
        return False

    async def _ask(self, address: str, timeout: float) -> tuple[float | None, str]:  # noqa: ASYNC109
        sequence = next(self._sequence) & 0xFFFF
        answer: asyncio.Future[tuple[float, str]] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = (address, answer)
        request = icmplib.ICMPRequest(destination=address, id=self._id, sequence=sequence)
        began = time.perf_counter()
        try:
            # Not icmplib.ping(): it takes an error of this machine's own stack for a dead host.
            self._socket.send(request)
            async with asyncio.timeout(timeout):
                at, trouble = await answer
        except TimeoutError:
            return None, ""
        except icmplib.ICMPLibError as error:
            return None, str(error)
        finally:
            self._waiting.pop(sequence, None)
        return (None, trouble) if trouble else ((at - began) * 1000, "")

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                reply = self._socket.receive(None, 0.5)
            except icmplib.TimeoutExceeded:
                continue
            except (icmplib.ICMPLibError, OSError):
                if self._closed.wait(0.05):
                    return
                continue
            if self._loop and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._match, reply, time.perf_counter())

    def _match(self, reply: Any, at: float) -> None:
        waiting = self._waiting.get(reply.sequence)
        # The kernel chooses a datagram socket's identifier and delivers only its own.
        if waiting is None or ("raw" in self._method and reply.id != self._id):
            return
        address, answer = waiting
        if answer.done():
            return
        if reply.type == ECHO_REPLY:
            if reply.source == address:
                answer.set_result((at, ""))
        elif reply.type == 3:  # destination unreachable
            answer.set_result((at, f"{reply.source} says: destination unreachable (code {reply.code})"))


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
