"""The lab in namespaces: real ICMP, real ports, real firewall rules, seen from the engineer's machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from selftests.labtools import DEMO, ENDPOINT, need_namespaces

pytestmark = pytest.mark.namespaces
ROOT = DEMO.parent.parent
HOST = "smtp.office365.com"

# Runs in a process of its own, since entering a namespace is for good.
SCRIPT = """
import json, smtplib, socket, ssl, sys, time
from pathlib import Path
from lab.client import start
faults, looks = json.loads(sys.argv[1])
lab = start(Path(sys.argv[2]), network="namespaces", faults=faults)
lab.enter()

def tcp(host, port):
    try:
        with socket.create_connection((host, port), 1.5) as sock:
            own = sock.getsockname()[0]
            return ["open", own]
    except OSError as error:
        return [type(error).__name__, error.errno]

def ping(host):
    from icmplib import ping
    return ping(host, count=1, timeout=1, privileged=False).is_alive

def smtp(host, port):
    client = smtplib.SMTP(timeout=5, local_hostname="pc")
    banner = client.connect(host, port)[1].decode()
    client.ehlo()
    hello, offered = client.ehlo_resp.decode().splitlines()[0], "starttls" in client.esmtp_features
    trusted = None
    if offered:
        client._host = host
        client.starttls(context=ssl.create_default_context(cadata=lab.ready["ca_pem"]))
        trusted = client.sock.version()
    return [banner.split(" ready at ")[0], hello.split(" ")[-1], offered, trusted]

def issuer(host, port):
    from cryptography import x509
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = smtplib.SMTP(host, port, timeout=5, local_hostname="pc")
    client.starttls(context=context)
    shown = x509.load_der_x509_certificate(client.sock.getpeercert(True))
    client.ehlo()
    return [shown.issuer.rfc4514_string(), shown.subject.rfc4514_string(), client.ehlo_resp.decode().split()[2]]

def greeting(host, port):
    with socket.create_connection((host, port), 1.5) as sock:
        sock.settimeout(1)
        try:
            return sock.recv(100).decode()
        except TimeoutError:
            return "silence"

def name(host):
    return socket.gethostbyname(host)

print(json.dumps([globals()[look[0]](*look[1:]) for look in looks]))
lab.stop()
"""


@pytest.fixture(autouse=True)
def _allowed() -> None:
    need_namespaces()


def seen(faults: list[str], *looks: tuple[Any, ...]) -> list[Any]:
    """Return what the engineer's machine sees under faults."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([faults, looks]), str(DEMO)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_a_healthy_site() -> None:
    found = seen(
        [],
        ("name", HOST),
        ("smtp", HOST, 587),
        ("smtp", ENDPOINT, 25),
        ("ping", "10.20.90.11"),
        ("ping", "10.20.93.41"),
        ("ping", "10.20.90.200"),
        ("tcp", "10.20.90.11", 80),
        ("tcp", "10.20.93.41", 443),
        ("tcp", "10.20.90.11", 81),
        ("tcp", "graph.microsoft.com", 443),
        ("tcp", "192.0.2.99", 443),
    )
    assert found == [
        "198.51.100.25",
        ["FR2P281CA0042.outlook.office365.com Microsoft ESMTP MAIL Service", "[203.0.113.10]", True, "TLSv1.3"],
        ["FR2DEU01FT012.mail.protection.outlook.com Microsoft ESMTP MAIL Service", "[203.0.113.10]", True, "TLSv1.3"],
        True,
        True,
        False,
        ["open", "10.20.90.10"],
        ["open", "10.20.90.10"],
        ["ConnectionRefusedError", 111],
        ["open", "10.20.90.10"],
        ["TimeoutError", None],
    ]


@pytest.mark.parametrize(
    ("fault", "port", "expected"),
    [
        ("port-587-dropped", 587, ["TimeoutError", None]),
        ("port-587-rejected", 587, ["OSError", 113]),  # EHOSTUNREACH
        ("port-587-reset", 587, ["ConnectionRefusedError", 111]),
        ("port-25-dropped", 25, ["TimeoutError", None]),
        ("port-25-rejected", 25, ["OSError", 113]),
        ("port-25-reset", 25, ["ConnectionRefusedError", 111]),
    ],
)
def test_the_firewall(fault: str, port: int, expected: list[Any]) -> None:
    other = 25 if port == 587 else 587
    found = seen([fault], ("tcp", HOST, port), ("tcp", HOST, other), ("tcp", "10.20.91.21", 80))
    assert found == [expected, ["open", "10.20.90.10"], ["open", "10.20.90.10"]]


def test_a_dead_copier() -> None:
    found = seen(["copier-dead"], ("ping", "10.20.90.11"), ("tcp", "10.20.90.11", 80), ("ping", "10.20.90.12"))
    assert found[0] is False
    assert found[1][0] in {"TimeoutError", "OSError"}
    assert found[2] is True


def test_ping_blocked() -> None:
    looks = (("ping", "10.20.90.12"), ("tcp", "10.20.90.12", 80), ("ping", "10.20.90.13"))
    assert seen(["ping-blocked"], *looks) == [False, ["open", "10.20.90.10"], True]


def test_mail_inspection() -> None:
    banner, hello, offered, _ = seen(["starttls-stripped"], ("smtp", HOST, 587))[0]
    assert (hello, offered) == ("[203.0.113.10]", False)
    assert "Microsoft ESMTP" in banner
    assert seen(["starttls-stripped-25"], ("smtp", ENDPOINT, 25), ("smtp", HOST, 587))[0][2] is False
    banner, _, offered, trusted = seen(["banner-rewritten"], ("smtp", HOST, 587))[0]
    assert set(banner) == {"*"}
    assert (offered, trusted) == (True, "TLSv1.3")
    banner, _, offered, trusted = seen(["banner-rewritten-25"], ("smtp", ENDPOINT, 25))[0]
    assert (set(banner), offered, trusted) == ({"*"}, True, "TLSv1.3")


@pytest.mark.parametrize(
    ("fault", "host", "port"), [("tls-intercepted", HOST, 587), ("tls-intercepted-25", ENDPOINT, 25)]
)
def test_interception_of_tls(fault: str, host: str, port: int) -> None:
    shown, banner = seen([fault], ("issuer", host, port), ("greeting", host, port))
    # Of another authority, in the service's name; behind it the service goes on, for the same public address.
    assert shown == ["CN=Firewall SSL inspection", f"CN={HOST}", "[203.0.113.10]"]
    assert "Microsoft ESMTP" in banner
    (healthy,) = seen([], ("issuer", host, port))
    assert healthy[0] == "CN=Simulated authority of the demo site"


@pytest.mark.parametrize(("fault", "host", "port"), [("port-587-mute", HOST, 587), ("port-25-mute", ENDPOINT, 25)])
def test_a_hop_that_says_nothing(fault: str, host: str, port: int) -> None:
    other = (ENDPOINT, 25) if port == 587 else (HOST, 587)
    silence, banner = seen([fault], ("greeting", host, port), ("greeting", *other))
    assert silence == "silence"
    assert "Microsoft ESMTP" in banner


def test_one_copier_alone_is_blocked() -> None:
    looks = (("tcp", HOST, 587), ("tcp", ENDPOINT, 25))
    assert seen(["copier-alone-blocked"], *looks) == [["open", "10.20.90.10"]] * 2


# A firewall rule and a hop of another subnet than the engineer's: what its copiers and what this machine get.
OTHERS = """
import asyncio, json, sys
from pathlib import Path
from lab import namespaces
namespaces.isolate()
from lab import estate, plan, server
from lab.estate import ENDPOINT, SUBMISSION, Middlebox, Rule
from scanproof import site
made = estate.build(plan.plan_of(site.load(Path(sys.argv[1]))), "namespaces")
surgery = made.plan.subnets[1].prefix
made.firewall.append(Rule(surgery, 587, "reject"))
made.middleboxes.append(Middlebox(surgery, 25, rewrites_banner=True))
space = namespaces.Namespaces.build(made)

async def look():
    running = await server.start(made, space)
    found = []
    for own in ("10.20.91.21", "10.20.92.31"):
        for target in ((SUBMISSION, 587), (ENDPOINT, 25)):
            sock = space.outward(own)
            try:
                async with asyncio.timeout(5):
                    await asyncio.get_running_loop().sock_connect(sock, target)
                    reader, writer = await asyncio.open_connection(sock=sock)
                    found.append((await reader.readline()).decode()[:7])
                    writer.close()
            except OSError as error:
                sock.close()
                found.append(error.errno)
    print(json.dumps(found))
asyncio.run(look())
"""


def test_rules_and_hops_of_another_subnet() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OTHERS, str(DEMO)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    stars, banner = "220 ***", "220 FR2"
    assert json.loads(done.stdout) == [113, stars, banner, banner]


def test_split_dns() -> None:
    assert seen(["submission-name-retired"], ("name", HOST)) == ["10.20.10.25"]


def test_it_starts_within_a_second() -> None:
    began = time.monotonic()
    seen([])
    assert time.monotonic() - began < 6  # the script's own imports included; the lab alone takes a third of a second


def test_nothing_of_it_stays() -> None:
    before = os.listdir("/proc/sys/net/ipv4/conf")  # noqa: PTH208 - names only
    seen([])
    assert os.listdir("/proc/sys/net/ipv4/conf") == before  # noqa: PTH208
