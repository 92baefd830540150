"""``python -m benchmarks.sweepers NAME COUNT FOLDER``: one way to sweep the simulated copiers, timed from inside.

Prints one line of JSON: the seconds of the sweep itself (no interpreter's start, no import), how many of its
answers are wrong, and the process's greatest memory. A wrong answer is a live copier that is said not to answer by
ping, HTTP or HTTPS, or a dead one that is said to. What a way leaves out is said where it is defined.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.street import PREFIX, Copier, copiers

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 1.0  # seconds for a connect and for an echo reply, here; the suite's own default is three
PHASE = 10.0  # seconds for a handshake or a response, as the suite's own default
QUEUE = 256  # what the peers do at once
NEEDS = {"fping and nmap": ("fping", "nmap"), "blackbox_exporter": ("prometheus-blackbox-exporter",)}
PORTS = (80, 443)
REQUEST = "GET / HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Swept:
    """What one sweep took and got wrong."""

    seconds: float
    wrong: int = 0
    memory: float = 0.0  # MB, the greatest of the process


def missing(name: str) -> list[str]:
    """Return the programs that a way to sweep needs and this machine lacks."""
    return [program for program in NEEDS.get(name, ()) if shutil.which(program) is None]


def site_folder(count: int, into: Path) -> Path:
    """Write the simulated copiers as a site of the suite, and return its folder."""
    rows = [f"{copier.address},{number:07},Ricoh,IM C3000" for number, copier in enumerate(copiers(count))]
    into.mkdir(parents=True, exist_ok=True)
    (into / "fleet.csv").write_text("\n".join(["IP Address,Serial,Make,Model", *rows, ""]), encoding="utf-8")
    (into / "site.toml").write_text(
        '[site]\nname = "street"\n[fleet]\nworkbook = "fleet.csv"\n'
        f'subnets = ["{PREFIX}"]\n[mail]\ndomain = "hospital.example"\n',
        encoding="utf-8",
    )
    return into


def sweep(fleet: list[Copier], folder: Path) -> Swept:
    """Sweep as the suite does: its gatherer, probes and store, in one process."""
    from scanproof import site
    from scanproof.gather import Gatherer, spare_the_collector
    from scanproof.network import Deadlines, Network, Vantage
    from scanproof.probes import icmp, web
    from scanproof.secrets import Secrets
    from scanproof.store import Writer

    where = site.load(site_folder(len(fleet), folder / "site"))
    wire = Network(Vantage("benchmark"), deadlines=Deadlines(connect=TIMEOUT))
    writer = Writer(folder / "evidence.jsonl")
    gatherer = Gatherer(where, wire, Secrets(given={}, sealed=True), writer, token="none")
    plan = [(probe, copier) for copier in where.copiers for probe in (icmp.ping, web.http_page, web.https_page)]
    spare_the_collector()  # as the suite does before it gathers
    began = time.perf_counter()
    asyncio.run(gatherer.collect(plan, deadline=600))
    wire.close()
    writer.close()
    seconds = time.perf_counter() - began
    alive = {copier.address: copier.alive for copier in fleet}
    wrong = 0
    for evidence in writer.kept.values():
        facts = evidence.facts
        answered = facts is not None and (facts.received > 0 if evidence.kind == "ping" else facts.status == 200)
        if answered != alive[evidence.target]:
            wrong += 1
            print(f"{evidence.id}: {facts or evidence.reason}", file=sys.stderr)
    return Swept(seconds, wrong + len(plan) - len(writer.kept))


def streams(fleet: list[Copier], _folder: Path) -> Swept:
    """Sweep as one writes it at first: asyncio's streams and icmplib, a queue of 256, no evidence kept."""
    import icmplib

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answered: dict[str, int] = defaultdict(int)

    async def page(address: str, port: int, queue: asyncio.Semaphore) -> None:
        async with queue:
            with suppress(OSError, asyncio.TimeoutError):
                secure = {"ssl": context, "server_hostname": ""} if port == 443 else {}
                opening = asyncio.open_connection(address, port, **secure)
                reader, writer = await asyncio.wait_for(opening, TIMEOUT)
                try:
                    writer.write(REQUEST.format(address).encode())
                    received = await asyncio.wait_for(reader.read(), PHASE)
                    answered[address] += received.startswith(b"HTTP/1.1 200 ")
                finally:
                    writer.transport.abort()

    async def pings() -> None:
        found = await icmplib.async_multiping(
            [copier.address for copier in fleet], count=1, timeout=TIMEOUT, concurrent_tasks=QUEUE, privileged=False
        )
        for host in found:
            answered[host.address] += host.is_alive

    async def everything() -> None:
        queue = asyncio.Semaphore(QUEUE)
        pages = (page(copier.address, port, queue) for copier in fleet for port in PORTS)
        await asyncio.gather(pings(), *pages)

    began = time.perf_counter()
    asyncio.run(everything())
    return Swept(time.perf_counter() - began, _wrong(fleet, answered))


def _wrong(fleet: list[Copier], answered: dict[str, int]) -> int:
    return sum(abs(answered[copier.address] - (3 if copier.alive else 0)) for copier in fleet)


def programs(fleet: list[Copier], folder: Path) -> Swept:
    """Sweep by fping and then nmap, which asks for the page's title by HTTP and HTTPS; their start is counted."""
    path = folder / "addresses"
    path.write_text("".join(f"{copier.address}\n" for copier in fleet), encoding="ascii")
    answered: dict[str, int] = defaultdict(int)
    began = time.perf_counter()
    pinged = _said(["fping", "-a", "-r0", f"-t{TIMEOUT * 1000:.0f}", "-i1", "-f", str(path)])
    ports = "-p" + ",".join(map(str, PORTS))
    limits = ["-T5", "--max-retries=0", f"--max-rtt-timeout={TIMEOUT * 1000:.0f}ms"]
    scanned = _said(["nmap", "-n", "-Pn", "-sT", ports, *limits, "--script=http-title", "-oN", "-", "-iL", str(path)])
    seconds = time.perf_counter() - began
    for address in pinged.split():
        answered[address] += 1
    for report in scanned.split("Nmap scan report for ")[1:]:
        answered[report.split(maxsplit=1)[0]] += len(re.findall(r"http-title: Web Image Monitor", report))
    return Swept(seconds, _wrong(fleet, answered))


def _said(command: list[str]) -> str:
    # fping ends with 1 where a host is dead.
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()


BLACKBOX = """modules:
  ping: {{prober: icmp, timeout: {0}s, icmp: {{preferred_ip_protocol: ip4}}}}
  page:
    prober: http
    timeout: {0}s
    http: {{preferred_ip_protocol: ip4, tls_config: {{insecure_skip_verify: true}}}}
"""
BLACKBOX_AT = ("127.0.0.1", 9115)


def blackbox(fleet: list[Copier], folder: Path) -> Swept:
    """Sweep by blackbox_exporter, asked as Prometheus asks it, 256 probes at once; its start isn't counted."""
    config = folder / "blackbox.yml"
    config.write_text(BLACKBOX.format(f"{TIMEOUT:g}"), encoding="ascii")
    host, port = BLACKBOX_AT
    command = ["prometheus-blackbox-exporter", f"--config.file={config}", f"--web.listen-address={host}:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as exporter:
        try:
            _await_port(exporter)
            answered: dict[str, int] = defaultdict(int)
            began = time.perf_counter()
            asyncio.run(_scrape(fleet, answered))
            seconds = time.perf_counter() - began
        finally:
            exporter.kill()
    return Swept(seconds, _wrong(fleet, answered))


async def _scrape(fleet: list[Copier], answered: dict[str, int]) -> None:
    wanted = [
        (copier.address, f"/probe?module={module}&target={target}")
        for copier in fleet
        for module, target in (
            ("ping", copier.address),
            ("page", f"http://{copier.address}/"),
            ("page", f"https://{copier.address}/"),
        )
    ]
    wanted.reverse()

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(*BLACKBOX_AT)
        while wanted:
            address, path = wanted.pop()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = b""
            if b"\r\ncontent-length: " in head:
                body = await reader.readexactly(int(head.split(b"\r\ncontent-length: ")[1].split(b"\r")[0]))
            while b"chunked" in head:
                size = int(await reader.readline(), 16)
                body += (await reader.readexactly(size + 2))[:-2]
                if not size:
                    break
            answered[address] += b"\nprobe_success 1\n" in body
        writer.close()

    await asyncio.gather(*(worker() for _ in range(QUEUE)))


def _await_port(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(BLACKBOX_AT, 1):
            return
        time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} did not start")  # type: ignore[index]


def handshakes(fleet: list[Copier], _folder: Path) -> Swept:
    """Make the live copiers' TLS handshakes and nothing else, by blocking ``ssl``, in one process a core."""
    cores = os.cpu_count() or 1
    began, children = time.perf_counter(), []
    for core in range(cores):
        child = os.fork()
        if not child:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            for copier in fleet[core::cores]:
                if copier.alive:
                    with (
                        socket.create_connection((copier.address, 443), PHASE) as sock,
                        context.wrap_socket(sock),
                    ):
                        pass
            os._exit(0)
        children.append(child)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    return Swept(time.perf_counter() - began, failed)


WAYS: dict[str, Callable[[list[Copier], Path], Swept]] = {
    "scanproof": sweep,
    "handshakes": handshakes,
    "asyncio streams": streams,
    "fping and nmap": programs,
    "blackbox_exporter": blackbox,
}


def main() -> None:
    """Sweep once, and say what it took."""
    import resource

    name, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    found = WAYS[name](copiers(count), folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**asdict(found), "memory": memory}))


if __name__ == "__main__":
    main()
