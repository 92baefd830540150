"""What this machine and a site still lack before a run, each with its remedy. Nothing is changed, no copier asked."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scanproof.certificates import tls_facts
from scanproof.echo import NoPing, Pinger
from scanproof.kinds import Unproven
from scanproof.network import Network, Vantage, own_addresses
from scanproof.secrets import (
    CLIENT_CERTIFICATE,
    CLIENT_SECRET,
    COPIER_PASSWORD,
    SENDER_PASSWORD,
    Secrets,
    missing,
)
from scanproof.site import Site, SiteError, load
from scanproof.tenant import permissions
from scanproof.tenant.token import Token, TokenRefused, TokenUnreachable, client_token, credential_of
from scanproof.troubles import connecting, handshaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.sitefile import VantageTable

State = Literal["ok", "LACKS", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        state: ``LACKS`` keeps cases from being proven; ``note`` is to be known.
        what: what was seen.
        remedy: what to do; empty where nothing is to be done.
    """

    state: State
    what: str
    remedy: str = ""


def examine(folder: Path | None) -> list[Finding]:
    """Look at this machine and, where one is named, at a site.

    Args:
        folder: the site folder.
    """
    findings = list(_machine())
    if folder is None:
        return findings
    try:
        site = load(folder)
    except SiteError as error:
        return [*findings, *(Finding("LACKS", str(line), "correct it") for line in error.args)]
    return [*findings, *_site(site)]


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding("ok", f"Python {version} on {platform.system()}")  # an older one can't install this package
    if platform.system() == "Windows" and not _long_paths():
        yield Finding(
            "LACKS",
            "long paths are off, and msgraph-sdk has paths of more than 300 characters",
            r"as administrator: Set-ItemProperty HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem LongPathsEnabled 1",
        )
    if importlib.util.find_spec("msgraph"):
        yield Finding("ok", "msgraph-sdk is installed")
    else:
        yield Finding(
            "LACKS",
            "msgraph-sdk is not installed: no test mail can be found, no tenant read",
            'pip install -e ".[graph]"',
        )
    yield asyncio.run(_ping())
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        if os.environ.get(name):
            yield Finding("note", f"{name} is set; runs go straight to the network and ignore it, as copiers do")
            break
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd()):
            yield Finding("ok", "this folder can be written")
    except OSError as error:
        yield Finding("LACKS", f"{Path.cwd()} can't be written: {error.strerror}", "name a folder by --run-dir")


def _long_paths() -> bool:
    import winreg  # noqa: PLC0415 - exists on Windows alone

    try:
        key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem")  # type: ignore[attr-defined,unused-ignore]
        return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False


async def _ping() -> Finding:
    pinger = Pinger()
    try:
        echo = await pinger.ping("127.0.0.1", count=1, timeout=1)
    except NoPing as error:
        return Finding("LACKS", "this machine may not send ICMP echo requests: NET-1 stays unproven", str(error))
    finally:
        pinger.close()
    return Finding("ok", f"ICMP echo requests are permitted ({echo.method})")


def _site(site: Site) -> Iterator[Finding]:
    table = site.table
    yield Finding("ok", f"{table.file}: {len(table.rows)} rows, {len(site.copiers)} copiers in scope")
    for row in table.rows:
        waiver = next((it for it in site.file.waiver if it.covers("INV-1", row.key) and site.now <= it.until), None)
        for problem in row.problems:
            if waiver:
                said = f"waived until {waiver.until:%Y-%m-%d}: {waiver.reason} ({waiver.approved_by})"
                yield Finding("note", table.line(problem), said)
            else:
                yield Finding("LACKS", table.line(problem), "correct the cell; the other rows can be judged")
    if not site.copiers:
        yield Finding("LACKS", "no copier is in scope", "see [site] scope and [fleet] makes in site.toml")
    if not site.recipients:
        yield Finding("LACKS", "no test recipient is stated: no test mail can be sent", "state mail.test_recipients")
    if not site.file.sender:
        yield Finding("LACKS", "no sender is stated", "state a [[sender]]")
    unstated = [subnet.label for subnet in site.subnets if not subnet.public_address]
    if unstated and not site.file.site.lab:
        what = (
            f"no public address is stated for {', '.join(unstated)}: SPF, connectors and Conditional Access hang on it"
        )
        yield Finding("LACKS", what, "state each as [[egress]] public_address, with its country")
    inside = own_addresses(copier.address for copier in site.copiers)
    here = [subnet.label for subnet in site.subnets if any(address in subnet for address in inside)]
    far = {table.subnet for table in site.file.vantage if table.ssh}
    elsewhere = [it.label for it in site.subnets if it.label not in here and it.prefix not in far]
    if site.file.site.lab:
        yield Finding(
            "note",
            "a simulated site: its lab brings network, hosts, tenant and secrets, and none of them is looked at here",
        )
        return
    yield from _stated(site)
    if here:
        yield Finding("ok", f"this machine stands in {', '.join(here)}")
    if elsewhere:
        remedy = (
            "name a host there as [[vantage]], or run pytest --gather-only on one, and judge that here by --evidence"
        )
        yield Finding(
            "note", f"this machine has no address in {', '.join(elsewhere)}: egress is unproven there", remedy
        )
    yield from _secrets(site)
    if site.file.tenant.id:
        yield asyncio.run(_inspected(site.file.tenant.endpoints.login))
        yield from _permissions(site)
    yield from asyncio.run(_vantages(site))


async def _vantages(site: Site) -> list[Finding]:
    """Sign in to each host that is reached over SSH, and out again."""
    found = []
    for table in site.file.vantage:
        if table.role == "site" and not any(table.subnet == subnet.prefix for subnet in site.subnets):
            what = f"[[vantage]] {table.name}: {table.subnet} is no subnet of a listed copier: nothing is seen from it"
            found.append(Finding("note", what, "correct its subnet (or [fleet] subnets), or take it out"))
        elif not table.ssh:
            found.append(Finding("LACKS", f"[[vantage]] {table.name} states no ssh", 'state ssh = "user@host"'))
    tables = [table for table in site.file.vantage if table.ssh]
    if not tables:
        return found
    from scanproof.vantage.ssh import reach  # noqa: PLC0415 - loads asyncssh, which few sites need

    wire = Network(Vantage("this machine"))

    async def look(table: VantageTable) -> Finding:
        try:
            far = await reach(table, wire)
        except Unproven as error:
            return Finding("LACKS", error.reason, error.remedy)
        await far.leave()
        return Finding("ok", f"{table.name} ({table.ssh}) lets this account in")

    return [*found, *await asyncio.gather(*(look(table) for table in tables))]


def _stated(site: Site) -> Iterator[Finding]:
    """Look for files that the site file names and its folder lacks, and for what makes more cases tell something."""
    named = [
        (f"[[copier]] {key}", getattr(table, key))
        for table in site.file.copier
        for key in ("settings", "log")
        if getattr(table, key)
    ]
    named += [("[fleet] known", site.file.fleet.known)] if site.file.fleet.known else []
    named += [("[[application]] connections", part.connections) for part in site.file.application if part.connections]
    for key, name in named:
        if not _is_file(site, name):
            yield Finding("note", f"{name} ({key}) is no file of the site's folder", f"save it there, or correct {key}")
    if not site.file.site.last_change:
        what = "no last_change is stated: scans, log lines and saved files count from the cut-over"
        if not site.file.site.cutover:
            what = "neither last_change nor cutover is stated: scans and saved files of the last weeks count"
        yield Finding("note", what, "state [site] last_change after each repair")
    if not site.file.mail.retired_hosts:
        what = "no retired_hosts are stated: nothing that still leads to the old server is told so"
        yield Finding("note", what, "state [mail] retired_hosts: the old server's names and addresses")
    if without := [subnet.label for subnet in site.subnets if not subnet.resolvers]:
        what = f"no resolvers are stated for {', '.join(without)}: EGR-4 and DEV-13 have nothing to compare with there"
        yield Finding("note", what, "state [[subnet]] resolvers: the name servers that the copiers there should have")


def _is_file(site: Site, name: str) -> bool:
    try:
        return ((site.folder or Path()) / name).is_file()
    except (OSError, ValueError):
        return False


def _secrets(site: Site) -> Iterator[Finding]:
    found = Secrets()
    for sender in site.file.sender:
        if sender.auth == "basic" and "smtp-auth" in site.routes:
            if found.get(SENDER_PASSWORD, sender.address):
                yield Finding("ok", f"a password for {sender.address} is supplied")
            else:
                yield Finding("LACKS", f"no password for {sender.address}", missing(SENDER_PASSWORD, sender.address))
    without = [it for it in site.copiers if not found.get(COPIER_PASSWORD, it.serial, it.address)]
    if without:
        name = without[0].serial or without[0].address
        what = f"no admin password for {len(without)} of {len(site.copiers)} copiers, {name} among them"
        yield Finding("LACKS", what, missing(COPIER_PASSWORD, name if len(without) < len(site.copiers) else ""))
    elif site.copiers:
        yield Finding("ok", "an admin password for every copier is supplied")
    if not (site.file.tenant.id and site.file.tenant.client_id):
        yield Finding("LACKS", "no tenant and app: no mailbox can be read", "state [tenant] id and client_id")
    elif found.get(CLIENT_CERTIFICATE) or found.get(CLIENT_SECRET):
        yield Finding("ok", "a client secret or certificate is supplied")
    else:
        yield Finding(
            "LACKS",
            "neither client secret nor certificate: no mailbox and no tenant can be read",
            missing(CLIENT_SECRET),
        )


def _permissions(site: Site) -> Iterator[Finding]:
    """Look at what the app's tokens permit; an engineer's own sign-in is not asked for here."""
    tenant = site.file.tenant
    if tenant.sign_in == "device" or not tenant.client_id:
        yield Finding("note", "an engineer's own sign-in reads the tenant: its rights show in the run")
        return
    try:
        graph, exchange = asyncio.run(_tokens(site))
    except (Unproven, TokenRefused, TokenUnreachable) as error:
        yield Finding("LACKS", str(error), "check [tenant] id and client_id, and the app's secret or certificate")
        return
    lacks = permissions.lacking(graph.listed("roles"), exchange.listed("roles"))
    for permission in lacks:
        what = f"the app lacks {permission.name} ({permission.api}): {', '.join(permission.serves)} stay unproven"
        yield Finding("LACKS", what, "scanproof requirements --permissions")
    if "Mail.Read" not in graph.listed("roles"):
        what = "the app has no Mail.Read: scans' attachments can't be opened, unless a role in Exchange lets it"
        yield Finding("note", what, "scanproof requirements --permissions")
    if not lacks:
        yield Finding("ok", "the app has every permission to read the tenant")


async def _tokens(site: Site) -> list[Token]:
    tenant, wire = site.file.tenant, Network(Vantage("this machine"))
    credential = credential_of(Secrets())
    scopes = (f"{tenant.endpoints.graph}/.default", f"{tenant.endpoints.exchange}/.default")
    return await asyncio.gather(*(client_token(wire, tenant, credential, scope) for scope in scopes))


async def _inspected(endpoint: str) -> Finding:
    """Look whether something between here and Microsoft opens TLS: tokens would fail, and copiers too."""
    url = urllib.parse.urlsplit(endpoint)
    host, port = url.hostname or "", url.port or 443
    wire = Network(Vantage("this machine"))
    try:
        sock = await wire.connect(host, port)
    except Unproven as error:
        return Finding("LACKS", f"{host}:{port}: {error.reason}", error.remedy)
    except OSError as error:
        return Finding("LACKS", f"{host}:{port}: {connecting(error).words}", "let this machine reach it")
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(sock=sock, ssl=wire.tls("service"), server_hostname=host), wire.deadlines.tls
        )
    except OSError as error:
        sock.close()
        return Finding(
            "LACKS", f"{host}: {handshaking(error).words}", "exempt Microsoft's endpoints from TLS inspection"
        )
    tls = tls_facts(writer.transport)
    writer.transport.abort()
    issuer = tls.certificate.issuer if tls and tls.certificate else "unknown"
    return Finding("ok", f"{host} is reached, its certificate is from {issuer}")
