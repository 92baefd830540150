"""The lab as a process, its map, its copiers and its name servers."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.rdatatype
import dns.resolver
import httpx
import pytest

from lab import client
from lab.client import LabError, start
from scanproof import site as sites
from selftests.labtools import DEMO, ENDPOINT, LabFor, Wire, healthy_lab_fixture, lab_for_fixture

__all__ = ["healthy_lab_fixture", "lab_for_fixture"]  # pytest finds fixtures by their being here

ROOT = DEMO.parent.parent
INSIDE, OUTSIDE = "10.20.10.53", "198.51.100.53"


def nth(number: int) -> str:
    return sites.load(DEMO).copiers[number].address


def test_the_map_holds_the_whole_site(lab_for: LabFor) -> None:
    ready = lab_for().ready
    names = {f"{copier.address}:{port}" for copier in sites.load(DEMO).copiers for port in (80, 443)}
    names |= {f"{address}:53" for address in (INSIDE, OUTSIDE)}
    names |= {f"smtp.office365.com:{port}" for port in (587, 25)} | {f"{ENDPOINT}:25"}
    names |= {"login.microsoftonline.com:443", "graph.microsoft.com:443", "outlook.office365.com:443"}
    assert names <= set(ready["connect_to"])
    assert {name for name in ready["udp"] if not name.endswith(":161")} == {f"{INSIDE}:53", f"{OUTSIDE}:53"}
    assert all(address == "127.0.0.1" for address, _ in (*ready["connect_to"].values(), *ready["udp"].values()))
    assert (ready["network"], ready["enter"]) == ("loopback", None)
    assert ready["vantage"] == {"name": "engineer's machine (simulated)", "addresses": ["10.20.90.10"]}


def test_each_address_behind_a_name_is_in_the_map(lab_for: LabFor) -> None:
    wire = lab_for()
    for name in ("smtp.office365.com", ENDPOINT):
        for address in answers(wire, OUTSIDE, name, "A"):
            assert wire.ready["connect_to"][f"{address}:25"] == wire.ready["connect_to"][f"{name}:25"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_copiers_pages(lab_for: LabFor, scheme: str) -> None:
    wire, copier = lab_for(), sites.load(DEMO).copiers[0]
    address, port = wire.at(f"{copier.address}:{443 if scheme == 'https' else 80}")
    with httpx.Client(base_url=f"{scheme}://{address}:{port}", verify=False) as web:
        start_page = web.get("/")
        assert start_page.headers["Server"] == "Web-Server/3.0"
        assert '"/web/guest/en/websys/webArch/mainFrame.cgi"' in start_page.text
        assert "frameset" in web.get("/web/guest/en/websys/webArch/mainFrame.cgi").text
        information = web.get("/web/guest/en/websys/status/configuration.cgi").text
        assert f"<td nowrap>{copier.model}</td>" in information
        assert f"<td nowrap>{copier.serial}</td>" in information
        assert web.get("/nosuch").status_code == 404
        assert web.post("/").status_code == 405


def test_refused_pages(lab_for: LabFor) -> None:
    wire = lab_for("web-off")
    for port in (80, 443):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(wire.at(f"{nth(2)}:{port}"), 2)


@pytest.mark.parametrize(("fault", "number", "port"), [("web-silent", 3, 80), ("https-stalls", 6, 443)])
def test_silent_pages(lab_for: LabFor, fault: str, number: int, port: int) -> None:
    with socket.create_connection(lab_for(fault).at(f"{nth(number)}:{port}"), 2) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: copier\r\n\r\n")
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize(
    ("fault", "number", "more_than", "headers_end"),
    [
        ("http-endless-head", 4, 200_000, False),
        ("http-endless-body", 7, 200_000, True),
        ("http-huge", 8, 200_000, True),
    ],
)
def test_pages_without_end(lab_for: LabFor, fault: str, number: int, more_than: int, *, headers_end: bool) -> None:
    with socket.create_connection(lab_for(fault).at(f"{nth(number)}:80"), 2) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: copier\r\n\r\n")
        received = b""
        while len(received) < more_than:
            received += sock.recv(65536)
        assert (b"\r\n\r\n" in received) == headers_end


@pytest.mark.parametrize(("fault", "number", "status"), [("http-error", 5, 500), ("http-redirects", 10, 302)])
def test_other_statuses(lab_for: LabFor, fault: str, number: int, status: int) -> None:
    address, port = lab_for(fault).at(f"{nth(number)}:80")
    answer = httpx.get(f"http://{address}:{port}/")
    assert answer.status_code == status
    assert answer.headers.get("Location") == (f"https://{nth(number)}/" if status == 302 else None)


def test_a_copier_with_old_tls_only(lab_for: LabFor) -> None:
    where = lab_for("https-old-tls").at(f"{nth(9)}:443")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(OSError), socket.create_connection(where, 2) as sock:  # noqa: PT011 - OpenSSL's words vary
        context.wrap_socket(sock)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(where, 2) as sock, context.wrap_socket(sock) as encrypted:
        assert encrypted.version() == "TLSv1"


def resolver(wire: Wire, server: str, *, tcp: bool) -> dns.resolver.Resolver:
    found = dns.resolver.Resolver(configure=False)
    address, port = wire.ready["connect_to" if tcp else "udp"][f"{server}:53"]
    found.nameservers, found.port, found.lifetime = [address], port, 2.0
    return found


def answers(wire: Wire, server: str, name: str, kind: str, *, tcp: bool = False) -> list[str]:
    found = resolver(wire, server, tcp=tcp).resolve(name, kind, search=False, tcp=tcp)
    if kind == "TXT":
        return [b"".join(record.strings).decode() for record in found]
    return [record.to_text() for record in found]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("server", [INSIDE, OUTSIDE])
@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("smtp.office365.com", "A", ["198.51.100.25"]),
        (ENDPOINT, "A", ["198.51.100.26"]),
        ("login.microsoftonline.com", "A", ["198.51.100.44"]),
        ("graph.microsoft.com", "A", ["198.51.100.45"]),
        ("outlook.office365.com", "A", ["198.51.100.46"]),
        ("northfield.example", "MX", [f"0 {ENDPOINT}."]),
        (
            "northfield.example",
            "TXT",
            ["v=spf1 ip4:203.0.113.10 ip4:203.0.113.92 ip4:203.0.113.93 include:spf.protection.outlook.com ~all"],
        ),
        ("_dmarc.northfield.example", "TXT", ["v=DMARC1; p=quarantine; rua=mailto:dmarc@northfield.example"]),
    ],
)
def test_names(lab_for: LabFor, server: str, name: str, kind: str, expected: list[str], *, tcp: bool) -> None:
    assert answers(lab_for(), server, name, kind, tcp=tcp) == expected


def test_no_name_and_no_data_are_different(lab_for: LabFor) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        answers(lab_for(), OUTSIDE, "nosuch.example", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        answers(lab_for(), OUTSIDE, "smtp.office365.com", "MX")
    with pytest.raises(dns.resolver.NoAnswer):
        answers(lab_for(), OUTSIDE, "smtp.office365.com", "AAAA")


def test_inside_and_outside_differ(lab_for: LabFor) -> None:
    wire = lab_for("split-brain-mx")
    assert answers(wire, INSIDE, "northfield.example", "MX") == ["10 mail.northfield.example."]
    assert answers(wire, OUTSIDE, "northfield.example", "MX") == [f"0 {ENDPOINT}."]


def test_a_silent_resolver_says_nothing(lab_for: LabFor) -> None:
    wire = lab_for("public-resolver-silent")
    with pytest.raises(dns.exception.Timeout):
        answers(wire, OUTSIDE, "northfield.example", "MX")
    assert answers(wire, INSIDE, "northfield.example", "MX")


def test_two_spf_records_are_two(lab_for: LabFor) -> None:
    assert len(answers(lab_for("spf-twice"), OUTSIDE, "northfield.example", "TXT")) == 2


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        # A process that ended and was not waited for yet still has its number.
        return not Path(f"/proc/{pid}").exists() or "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and its signal number are Unix")
def test_the_lab_dies_with_its_parent() -> None:
    script = (
        "import sys; from pathlib import Path; from lab.client import start\n"
        f"lab = start(Path({str(DEMO)!r}), network='loopback'); print(lab.ready['pid'], flush=True)\n"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


def test_it_says_why_it_does_not_start() -> None:
    with pytest.raises(LabError, match="no fault is called 'nosuch'"):
        start(DEMO, network="loopback", faults=["nosuch"])
    with pytest.raises(LabError, match="needs the lab in namespaces"):
        start(DEMO, network="loopback", faults=["ping-blocked"])


def test_stopping_twice_is_harmless() -> None:
    lab = start(DEMO, network="loopback")
    lab.enter()  # nothing to enter in loopback
    lab.stop()
    lab.stop()
    assert not alive(lab.ready["pid"])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_faults_from_the_command_line() -> None:
    catalogue = json.loads(run("faults", "--json").stdout)
    assert {"name", "layer", "network", "describes", "breaks", "unproves", "cause"} == set(catalogue[0])
    assert len(run("faults").stdout.splitlines()) == len(catalogue)


def test_probe_from_the_command_line() -> None:
    said = json.loads(run("probe", "--json").stdout)
    assert said["network"] in {"loopback", "namespaces"}
    assert said["why"]
    assert (said["network"] == "namespaces") == all(stage["ok"] for stage in said["stages"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("up", "--fault=nosuch"), "no fault is called 'nosuch'"),
        (("up", "--site=nosuch"), "no such file"),
        (("faults", "--site=nosuch"), "no such file"),
    ],
)
def test_misuse_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wanted_network_is_taken_as_it_is() -> None:
    assert client.choose_network("loopback") == ("loopback", "asked for")
    assert client.choose_network("namespaces")[0] == "namespaces"
    assert client.choose_network("auto")[0] in {"loopback", "namespaces"}
