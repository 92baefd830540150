"""A limit of this machine's own is no observation: what could not be tried for it is unproven, and fails nothing."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import asyncssh
import dns.message
import dns.resolver
import icmplib
import pytest

from scanproof import dialogue, network
from scanproof.echo import Pinger, _Asked
from scanproof.kinds import Facts, Unproven, probe
from scanproof.network import Network, Vantage
from scanproof.probes import dns as lookups
from scanproof.probes import egress as ways
from scanproof.probes import smtp
from scanproof.probes.egress import egress
from scanproof.probes.smtp import door
from scanproof.probes.web import http_page
from scanproof.site import Service
from scanproof.subjects import Domain, DoorSubject, Path
from scanproof.troubles import exhausted, no_route, own_limit
from scanproof.vantage.ssh import FarNetwork
from selftests import certs, suite
from selftests.harness import bench, demo
from selftests.mailserver import mail, start_tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanproof.gather import Run

NoNameservers: Any = dns.resolver.NoNameservers
SERVICE = Service("smtp.office365.com", 587)
LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)

# Everything is loaded first; then no descriptor is left, as in a process that leaks them. Nothing can leave it.
SCRIPT = """
import asyncio, json, os, resource, sys
import dns._asyncio_backend, sniffio, encodings.idna
from scanproof import network
from scanproof.gather import Gatherer
from scanproof.network import Network, Vantage
from scanproof.probes.dns import public_records, site_records
from scanproof.probes.egress import block
from scanproof.probes.icmp import ping
from scanproof.probes.smtp import door
from scanproof.probes.web import http_page, https_page
from scanproof.secrets import Secrets
from scanproof.subjects import Domain, DoorSubject, Path
from selftests.harness import Kept, demo

async def main():
    site, kept = demo(), Kept()
    service, copier, domain = site.services["smtp-auth"], site.copiers[0], Domain(site.file.mail.domain)
    there = {service.key: ("localhost", 9), **{f"{copier.address}:{port}": ("127.0.0.1", 9) for port in (80, 443)}}
    wire = Network(Vantage("pc", ("10.20.90.9",)), connect_to=there)
    gatherer = Gatherer(site, wire, Secrets({}, sealed=True), kept, token="selftest")
    plan = [(http_page, copier), (https_page, copier), (ping, copier), (door, DoorSubject(service))]
    plan += [(block, Path(site.subnets[0], service)), (public_records, domain), (site_records, domain)]
    await asyncio.get_running_loop().run_in_executor(None, int)  # its thread is there by now
    network.loopback_only()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    await gatherer.collect(plan, deadline=60)
    for number in held:
        os.close(number)
    print(json.dumps([[it.kind, it.outcome, it.reason] for it in kept.evidence]))

asyncio.run(main())
"""


@pytest.mark.skipif(platform.system() == "Windows", reason="this limit is POSIX's")
def test_no_probe_observes_anything_without_a_descriptor() -> None:
    environment = {**os.environ, "PYTHONPATH": str(suite.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=suite.ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    kinds = {kind for kind, _, _ in told}
    assert kinds >= {"http_page", "https_page", "ping", "door", "egress", "block", "public_records", "site_records"}
    assert {outcome for _, outcome, _ in told} == {"unproven"}, told
    assert all(
        "Too many open files" in reason for kind, _, reason in told if kind in {"http_page", "ping", "door", "block"}
    )


# A machine that is in no network: what a router says by the same error numbers is an observation, its own word is none.
@pytest.mark.skipif(platform.system() != "Linux", reason="a network of its own is made by Linux' namespaces")
def test_no_probe_observes_anything_without_a_route() -> None:
    script = SCRIPT.replace("connect_to=there", "connect_to=None").replace("network.loopback_only()", "")
    script = script.replace("except OSError:", "except (OSError, ValueError):").replace("(64, 64)", "(1024, 1024)")
    script = script.replace("held.append(os.open(os.devnull, os.O_RDONLY))", "raise ValueError")
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script]
    if subprocess.run([*command[:4], "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no namespaces")
    environment = {**os.environ, "PYTHONPATH": str(suite.ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=suite.ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = {kind: (outcome, reason) for kind, outcome, reason in json.loads(done.stdout.splitlines()[-1])}
    for kind in ("http_page", "https_page", "ping", "public_records"):
        outcome, reason = told[kind]
        assert (outcome, "this machine has no route to" in reason) == ("unproven", True), told


def test_only_a_route_of_this_machines_own_counts() -> None:
    assert no_route("127.0.0.1") == ""


@pytest.mark.parametrize(
    ("error", "own", "outcome"),
    [
        (errno.ENETUNREACH, "Network is unreachable", "unproven"),
        (errno.ENETUNREACH, "", "observed"),  # a router said so (ICMP type 3, code 0)
        (errno.EHOSTUNREACH, "", "observed"),  # nobody answered to ARP: the copier is off
        (errno.ECONNREFUSED, "Network is unreachable", "observed"),
    ],
)
async def test_whose_word_an_unreachable_network_is(
    error: int, own: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(network, "no_route", lambda _: own)
    async with bench() as wire:
        monkeypatch.setattr(wire.network, "connect_to", None)
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", fails)
        found = await wire.ask(http_page, demo().copiers[0])
    assert (found.outcome, found.lacks) == (outcome, "no-route" if outcome == "unproven" else "")


@pytest.mark.parametrize("number", LIMITS)
def test_what_a_limit_is(number: int) -> None:
    error = OSError(number, "words")
    assert own_limit(error) == "words"
    wrapped = RuntimeError("a library's own")
    wrapped.__context__ = error
    assert own_limit(wrapped) == "words"


@pytest.mark.parametrize(
    "error",
    [
        None,
        TimeoutError(),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        OSError(errno.EHOSTUNREACH, "unreachable"),
        socket.gaierror(errno.EMFILE, "a number of its own kind"),
        ssl.SSLError(errno.ENOENT, "?"),
        ValueError("x"),
    ],
    ids=repr,
)
def test_what_is_none(error: Exception | None) -> None:
    assert own_limit(error) == ""
    assert exhausted() == ""


def full(number: int = errno.EMFILE) -> Callable[..., Any]:
    def raises(*_: Any, **__: Any) -> Any:
        raise OSError(number, "Too many open files")

    return raises


async def test_a_name_that_does_not_resolve_for_want_of_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system's look-up says then that there is no such name."""

    async def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nothing)
    wire = Network(Vantage("pc"))
    with pytest.raises(socket.gaierror):
        await wire.connect("mail.example", 25)
    monkeypatch.setattr(network, "exhausted", lambda: "Too many open files")
    with pytest.raises(Unproven, match="a limit of its own"):
        await wire.connect("mail.example", 25)


async def test_a_certificate_whose_issuer_can_not_be_read_for_want_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(ca_pem=certs.ca_pem()) as wire:
        await wire.serve(SERVICE.key, mail({"STARTTLS": start_tls(certs.context(trusted=False))}))
        monkeypatch.setattr(dialogue, "exhausted", lambda: "Too many open files")
        found = await wire.ask(door, DoorSubject(SERVICE))
    assert found.outcome == "unproven"
    assert "a limit of its own (Too many open files)" in found.reason
    assert "ulimit" in found.remedy


async def test_a_resolver_that_sums_up_its_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    class Resolver:
        async def resolve(self, *_: Any, **__: Any) -> Any:
            errors = [("198.51.100.53", False, 53, OSError(errno.EMFILE, "Too many open files"), None)]
            raise NoNameservers(request=dns.message.make_query("a.example", "A"), errors=errors)

    monkeypatch.setattr(lookups, "_resolver", lambda *_: Resolver())
    async with bench() as wire:
        found = await wire.ask(lookups.public_records, Domain("northfield.example"))
    assert (found.outcome, "Too many open files" in found.reason) == ("unproven", True)


@pytest.mark.parametrize(("fails", "unproven"), [([1], False), ([1, 2], True), ([2], True)])
async def test_echo_requests_that_did_not_leave(fails: list[int], unproven: bool) -> None:  # noqa: FBT001
    """The last of two decides: nothing can be waited for that never left, and a late one still gets its answer."""

    class Socket:
        sent = 0

        def send(self, _: Any) -> None:
            self.sent += 1
            if self.sent in fails:
                raise icmplib.ICMPSocketError("by icmplib") from OSError(errno.ENOBUFS, "No buffer space available")

    pinger = Pinger()
    pinger._socket, pinger._method, pinger._thread = Socket(), "stand-in", object()  # type: ignore[assignment]
    try:
        asked = pinger.ping("10.20.90.11", count=2, timeout=0.4)
        if unproven:
            with pytest.raises(Unproven, match="No buffer space"):
                await asked
        else:
            assert (await asked).rtt_ms == ()
    finally:
        pinger._socket = pinger._thread = None
    assert _Asked("a", 1, 1.0).limit == ""


async def test_a_probe_that_ends_by_a_limit_is_no_defect() -> None:
    class Nothing(Facts):
        pass

    @probe(Nothing, deadline=5)
    async def asked(_: Domain, __: Run) -> Nothing:
        raise RuntimeError("a library's own") from OSError(errno.ENFILE, "Too many open files in system")

    async with bench() as wire:
        found = await wire.ask(asked, Domain("northfield.example"))
    assert (found.outcome, "Too many open files in system" in found.reason) == ("unproven", True)


class Channels:
    """As much of an SSH connection as opens channels: one that works, or one that the far side refuses."""

    def __init__(self, error: asyncssh.ChannelOpenError | None = None) -> None:
        self._error, self.closed = error, False

    async def open_connection(self, *_: Any, **__: Any) -> tuple[Any, Any]:
        if self._error:
            raise self._error
        return self, self

    def close(self) -> None:
        self.closed = True

    def is_closed(self) -> bool:
        return False


async def test_a_far_connection_without_a_descriptor_here(monkeypatch: pytest.MonkeyPatch) -> None:
    channels = Channels()
    far = FarNetwork(Vantage("far-pc"), host="pc", _connection=channels)
    monkeypatch.setattr(socket, "socketpair", full())
    with pytest.raises(Unproven, match="this machine was at a limit of its own"):
        await far.connect("mail.example", 25)
    assert channels.closed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (asyncssh.OPEN_CONNECT_FAILED, "Too many open files"),
        (asyncssh.OPEN_RESOURCE_SHORTAGE, "open failed"),
    ],
)
async def test_a_far_host_at_its_own_limit(code: int, reason: str) -> None:
    far = FarNetwork(Vantage("far-pc"), host="pc", _connection=Channels(asyncssh.ChannelOpenError(code, reason)))
    with pytest.raises(Unproven, match=r"far-pc \(pc\) was at a limit of its own"):
        await far.connect("mail.example", 25)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([errno.ECONNREFUSED, errno.ENETUNREACH], errno.ECONNREFUSED),
        ([errno.ENETUNREACH, errno.ECONNREFUSED], errno.ECONNREFUSED),
        ([errno.ENETUNREACH, errno.ENETUNREACH], errno.ENETUNREACH),
        ([errno.EHOSTUNREACH, errno.EADDRNOTAVAIL], errno.EHOSTUNREACH),
        ([errno.ECONNRESET, errno.ECONNREFUSED], errno.ECONNRESET),
    ],
)
async def test_a_family_of_addresses_that_this_machine_lacks_hides_nothing(
    errors: list[int], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(errors)

    async def fails(*_: Any) -> None:
        raise OSError(next(left), "words")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", fails)
    choices = [(socket.AF_INET, ("198.51.100.25", 25)), (socket.AF_INET, ("198.51.100.26", 25))]
    with pytest.raises(OSError, match="words") as seen:
        await network._first(choices, None)
    assert seen.value.errno == told


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(errno.EPERM, "unproven"), (errno.EACCES, "unproven"), (errno.ECONNREFUSED, "observed")],
)
async def test_what_this_machines_own_system_forbids_shows_no_gateways_rule(
    number: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of its own that could not be read, or a guard of another maker (Windows: WSAEACCES)."""

    async def fails(*_: Any) -> None:
        raise OSError(number, "words")

    async def none(*_: Any) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(ways, "stopping", none)
    monkeypatch.setattr(smtp, "_names_resolve", none)
    async with bench() as wire:
        wire.connect_to[SERVICE.key] = ("127.0.0.1", 9)
        wire.network.vantage = Vantage("pc", ("10.20.90.9",))
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", fails)
        found = await wire.ask(egress, Path(demo().subnets[0], SERVICE))
    assert found.outcome == outcome, found.reason
    if outcome == "unproven":
        assert "this machine's own system does not let it out" in found.reason
        assert "HOST-1" in found.remedy
