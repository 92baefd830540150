"""``python -m benchmarks.tenant``: what the suite reads of the tenant, against the same calls by bare httpx.

The simulated tenant takes a fifth of a second for each answer, as the real one does. In every round, in processes
of their own: the suite gathers all of the tenant's evidence; bare httpx makes the longest chain of calls that need
each other (token, user, evaluation of Conditional Access), and nothing else; and bare httpx makes all the calls,
each as soon as it can.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import time
from typing import Any

from benchmarks.figures import Machine, Row, show
from lab import client
from scanproof import site
from selftests.suite import DEADLINE, ROOT, environment

DEMO = ROOT / "inventory" / "demo"
LATENCY = 0.2  # seconds
TARGET = 1.3


def suite(ready: dict[str, Any]) -> float:
    """Gather everything that is read of the tenant, but no sign-in; return the seconds."""
    import fixtures.evidence as named
    from scanproof.gather import Gatherer
    from scanproof.network import Network, Vantage
    from scanproof.scope import KINDS
    from scanproof.secrets import Secrets

    class Nowhere:
        def intent(self, *_: str) -> None:
            """Take no note."""

        def add(self, evidence: Any) -> None:
            if evidence.outcome != "observed":
                raise SystemExit(f"{evidence.id} is {evidence.outcome}: {evidence.reason}")

    loaded = site.load(DEMO)
    network = Network(Vantage("benchmark"), connect_to=ready["connect_to"], udp=ready["udp"], ca_pem=ready["ca_pem"])
    gatherer = Gatherer(loaded, network, Secrets(ready["secrets"], sealed=True), Nowhere(), token="benchmark")
    plan = []
    for name, kind in named.EVIDENCE.items():
        if kind.probe.function.__module__.startswith("scanproof.tenant") and name not in {
            "arrival",
            "expected_sign_in",
        }:
            for of in kind.of:
                plan += [(kind.probe, kind.about(it.subject)) for it in KINDS[of](loaded) if not it.excluded]
    network.tls("service")
    began = time.perf_counter()
    asyncio.run(gatherer.collect(plan, deadline=60))
    return time.perf_counter() - began


class Bare:
    """The calls by httpx alone."""

    def __init__(self, ready: dict[str, Any]) -> None:
        import httpx

        self.ready, self.tenant = ready, site.load(DEMO).file.tenant
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=ready["ca_pem"])
        self.http = httpx.AsyncClient(verify=context, timeout=30)

    async def call(self, method: str, url: str, token: str = "", **more: Any) -> dict[str, Any]:
        host, _, path = url.removeprefix("https://").partition("/")
        address, port = self.ready["connect_to"][f"{host}:443"]
        headers = {"Host": host, **({"Authorization": f"Bearer {token}"} if token else {})}
        found = await self.http.request(
            method,
            f"https://{address}:{port}/{path}",
            headers=headers,
            extensions={"sni_hostname": host},
            **more,
        )
        if found.status_code != 200:
            raise SystemExit(f"{method} {url}: {found.status_code} {found.text[:300]}")
        body: dict[str, Any] = found.json()
        return body

    async def token(self, base: str) -> str:
        form = {
            "client_id": self.tenant.client_id,
            "client_secret": self.ready["secrets"]["SCANPROOF_CLIENT_SECRET"],
            "scope": f"{base}/.default",
            "grant_type": "client_credentials",
        }
        url = f"{self.tenant.endpoints.login}/{self.tenant.id}/oauth2/v2.0/token"
        return str((await self.call("POST", url, data=form))["access_token"])

    async def access(self, token: str, sender: str, addresses: list[str]) -> None:
        """Ask for the user, then for each address what Conditional Access says."""
        graph = self.tenant.endpoints.graph
        user = await self.call("GET", f"{graph}/v1.0/users/{sender}?$select=id,accountEnabled,assignedPlans", token)
        bodies = [
            {
                "signInIdentity": {"@odata.type": "#microsoft.graph.userSignIn", "userId": user["id"]},
                "signInContext": {
                    "@odata.type": "#microsoft.graph.applicationContext",
                    "includeApplications": ["00000002-0000-0ff1-ce00-000000000000"],
                },
                "signInConditions": {"clientAppType": "other", "ipAddress": address, "country": "DE"},
                "appliedPoliciesOnly": False,
            }
            for address in addresses
        ]
        url = f"{graph}/v1.0/identity/conditionalAccess/evaluate"
        await asyncio.gather(*(self.call("POST", url, token, json=body) for body in bodies))

    async def chain(self) -> None:
        """Make the longest chain alone."""
        await self.access(await self.token(self.tenant.endpoints.graph), "scan@northfield.example", ["203.0.113.10"])

    async def graph(self) -> None:
        """Make all calls to Graph."""
        token = await self.token(self.tenant.endpoints.graph)
        base = f"{self.tenant.endpoints.graph}/v1.0"
        addresses = ["203.0.113.10", "203.0.113.92", "203.0.113.93"]
        log = "$filter=userPrincipalName eq 'scan@northfield.example'"
        reads = [
            f"{base}/policies/identitySecurityDefaultsEnforcementPolicy",
            f"{self.tenant.endpoints.graph}/beta/users/scan@northfield.example/authentication/requirements",
            f"{base}/users/reports@northfield.example?$select=id,accountEnabled,assignedPlans",
            f"{base}/domains/northfield.example/serviceConfigurationRecords",
            f"{base}/auditLogs/signIns?{log}",
        ]
        await asyncio.gather(
            self.access(token, "scan@northfield.example", addresses), *(self.call("GET", url, token) for url in reads)
        )

    async def exchange(self) -> None:
        """Make all calls to Exchange's admin API."""
        base, tenant = self.tenant.endpoints.exchange, self.tenant.id
        token = await self.token(base)
        await self.call("GET", f"{base}/AdminApi/v1.0/{tenant}/EXOModuleFile", token)
        commands = [
            *(
                (name, "")
                for name in ("TransportConfig", "OrganizationConfig", "AuthenticationPolicy", "AcceptedDomain")
            ),
            *((name, "") for name in ("InboundConnector", "OutboundConnector")),
            ("User", "scan@northfield.example"),
            ("CASMailbox", "scan@northfield.example"),
            ("CASMailbox", "reports@northfield.example"),
        ]
        bodies = [
            {"CmdletInput": {"CmdletName": f"Get-{name}", "Parameters": {"Identity": who} if who else {}}}
            for name, who in commands
        ]
        url = f"{base}/adminapi/beta/{tenant}/InvokeCommand"
        await asyncio.gather(*(self.call("POST", url, token, json=body) for body in bodies))

    async def everything(self) -> None:
        """Make all calls, each as soon as it can."""
        await asyncio.gather(self.graph(), self.exchange())


def bare(ready: dict[str, Any], what: str) -> float:
    """Make the calls of a method of ``Bare``; return the seconds, httpx's import not counted."""

    async def timed() -> float:
        calls = Bare(ready)
        began = time.perf_counter()
        await getattr(calls, what)()
        seconds = time.perf_counter() - began
        await calls.http.aclose()
        return seconds

    return asyncio.run(timed())


def once(part: str, ready: str) -> float:
    """Measure one part in a process of its own, which has nothing imported yet."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tenant", "--part", part],
        cwd=ROOT,
        env=environment(),
        input=ready.encode(),
        stdout=subprocess.PIPE,
        timeout=DEADLINE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{part} ended with exit status {done.returncode}")
    return float(done.stdout)


def measure(rounds: int, latency: float) -> None:
    """Run the rounds against one lab, and print the figures."""
    machine, parts = Machine(), ("suite", "chain", "everything")
    seconds = {part: Row(f"{part}", unit="s") for part in parts}
    chain = Row("the tenant's part / its slowest chain of calls by bare httpx", target=TARGET)
    calls = Row("the tenant's part / all the same calls by bare httpx")
    with client.launch(site.load(DEMO), network="loopback", latency=latency) as running:
        running.wait()
        ready = json.dumps(running.ready)
        once("suite", ready)  # not counted: it compiles what is not compiled yet
        for _ in range(rounds):
            machine.spin()
            found = {part: once(part, ready) for part in parts}
            chain.values.append(found["suite"] / found["chain"])
            calls.values.append(found["suite"] / found["everything"])
            for part in parts:
                seconds[part].values.append(found[part])
    machine.spin()
    title = f"What is read of the tenant, {latency:g} s for each answer, {rounds} interleaved rounds"
    show(title, [chain, calls, *seconds.values()], machine)


def main(arguments: list[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tenant", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--latency", type=float, default=LATENCY, help=f"seconds for each answer (default {LATENCY})")
    parser.add_argument("--part", choices=("suite", "chain", "everything"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        ready = json.loads(sys.stdin.read())
        print(suite(ready) if options.part == "suite" else bare(ready, options.part))
        return
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1 is needed")
    measure(options.rounds, options.latency)


if __name__ == "__main__":
    main()
