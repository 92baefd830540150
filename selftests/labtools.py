"""How the lab's selftests speak to it: Python's own smtplib, and httpx; none of the suite's probes."""
# ruff: noqa: PTH208, PTH115 - names and links of /proc, nothing else

from __future__ import annotations

import os
import smtplib
import ssl
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from lab import probe
from lab.client import Lab, start

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = Path(__file__).parent.parent / "inventory" / "demo"
TENANT = "6f1d2c1e-0000-4000-8000-00000000beef"
CLIENT = "0b5c7a52-0000-4000-8000-00000000cafe"
ENDPOINT = "northfield-example.mail.protection.outlook.com"


class Wire:
    """A running loopback lab, as its clients see it."""

    def __init__(self, lab: Lab) -> None:
        self.ready: dict[str, Any] = lab.ready
        self.secrets: dict[str, str] = lab.ready["secrets"]
        self._context: ssl.SSLContext | None = None
        self._tokens: dict[str, str] = {}

    def at(self, name: str) -> tuple[str, int]:
        """Return where ``host:port`` is really found."""
        address, port = self.ready["connect_to"][name]
        return address, port

    def trusting(self) -> ssl.SSLContext:
        """Return a context that trusts the lab's authority and no other."""
        if self._context is None:
            self._context = ssl.create_default_context(cadata=self.ready["ca_pem"])
        return self._context

    def submission(self) -> smtplib.SMTP:
        """Return a client of the submission service, encrypted, its certificate checked."""
        return self._smtp("smtp.office365.com", 587, encrypted=True)

    def endpoint(self, *, encrypted: bool = True) -> smtplib.SMTP:
        """Return a client of the tenant endpoint."""
        return self._smtp(ENDPOINT, 25, encrypted=encrypted)

    def _smtp(self, host: str, port: int, *, encrypted: bool) -> smtplib.SMTP:
        client = smtplib.SMTP(timeout=10, local_hostname="pc.northfield.example")
        client.connect(*self.at(f"{host}:{port}"))
        if encrypted:
            client._host = host  # type: ignore[attr-defined] # smtplib checks the certificate against it
            client.starttls(context=self.trusting())
        client.ehlo()
        return client

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Make a request to one of the lab's https services by its real name."""
        real = httpx.URL(url)
        address, port = self.at(f"{real.host}:{real.port or 443}")
        headers = {"Host": real.host, **options.pop("headers", {})}
        with httpx.Client(verify=self.trusting()) as client:
            return client.request(
                method,
                real.copy_with(host=address, port=port),
                headers=headers,
                extensions={"sni_hostname": real.host},
                **options,
            )

    def token_answer(self, scope: str, *, secret: str | None = None, tenant: str = TENANT) -> httpx.Response:
        """Ask for a token."""
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": secret or self.secrets["SCANPROOF_CLIENT_SECRET"],
            "scope": scope,
        }
        return self.request("POST", f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token", data=form)

    def token(self, scope: str) -> str:
        """Return a token, asked for once."""
        if scope not in self._tokens:
            self._tokens[scope] = str(self.token_answer(scope).json()["access_token"])
        return self._tokens[scope]

    def graph(self, path: str, **query: str) -> httpx.Response:
        """Ask Graph; a query's names are given without their dollar."""
        token = self.token("https://graph.microsoft.com/.default")
        url = path if path.startswith("https:") else f"https://graph.microsoft.com/v1.0/{path}"
        options: dict[str, Any] = {"params": {f"${name}": value for name, value in query.items()}} if query else {}
        return self.request("GET", url, headers={"Authorization": f"Bearer {token}"}, **options)


@cache
def _network() -> tuple[str, str]:
    return probe.verdict(probe.probe())


def need_namespaces() -> None:
    """Skip a test where this machine doesn't allow the lab in namespaces; a build machine must."""
    network, why = _network()
    if network != "namespaces":
        if os.environ.get("CI"):
            pytest.fail(f"a build machine must allow the lab in namespaces: {why}")
        pytest.skip(why)


def network_namespaces(process: str) -> set[str]:
    """Return the network namespaces that a process is in or holds by a descriptor."""
    found = set()
    for folder in ("ns", "fd"):
        with suppress(OSError):
            for name in os.listdir(f"/proc/{process}/{folder}"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{process}/{folder}/{name}"))
    return {name for name in found if name.startswith("net:")}


def held() -> set[str]:
    """Return the network namespaces that any process is in or holds."""
    return {name for process in os.listdir("/proc") if process.isdigit() for name in network_namespaces(process)}


def gone(namespaces: set[str]) -> bool:
    """Wait for namespaces to vanish; tell whether they did."""
    until = time.monotonic() + 20
    while namespaces & held():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


class LabFor(Protocol):
    """Gives a lab with faults: the healthy one runs on for a whole module, unless a fresh one is asked for."""

    def __call__(self, *faults: str, fresh: bool = False) -> Wire: ...


@pytest.fixture(name="healthy_lab", scope="module")
def healthy_lab_fixture() -> Iterator[Lab]:
    with start(DEMO, network="loopback") as lab:
        yield lab


@pytest.fixture(name="lab_for")
def lab_for_fixture(request: pytest.FixtureRequest) -> Iterator[LabFor]:
    started: list[Lab] = []

    def lab_for(*faults: str, fresh: bool = False) -> Wire:
        if not faults and not fresh:
            return Wire(request.getfixturevalue("healthy_lab"))
        started.append(start(DEMO, network="loopback", faults=faults))
        return Wire(started[-1])

    yield lab_for
    for lab in started:
        lab.stop()
