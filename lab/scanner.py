"""Scans: a copier's own mail, through the lab's network to the lab's mail service, and what its panel says then."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dnslib import QTYPE, DNSError, DNSRecord

from lab import application, devicesmtp, tlsfiles
from lab.devicesmtp import SendError
from lab.estate import build
from lab.post import PostOffice, Submission
from lab.scanmail import message, relayed

if TYPE_CHECKING:
    from lab.copierstate import CopierState, EmailSettings
    from lab.estate import Copier, Estate
    from lab.net import Net

LOOKUP = 1.0  # seconds
# guess: the panel's words, which are remembered only, and the log's for each.
_PANEL = {
    "name": "Transmission has failed. Connection with the destination failed. Check the status and connection.",
    "connect": "Transmission has failed. Connection with the destination failed. Check the status and connection.",
    "tls": "Transmission has failed. SSL negotiation failed.",
    "auth": "Authentication with the destination has failed. Check settings.",
    "pop": "Authentication with the destination has failed. Check settings.",
    "dialogue": "Transmission has failed. The destination has refused the data.",
}
_LOGGED = {
    "name": "Connection Failed with Remote Machine",
    "connect": "Connection Failed with Remote Machine",
    "tls": "Communication Failure",
    "auth": "Other Failures",
    "pop": "Other Failures",
    "dialogue": "Communication Failure",
}


@dataclass(frozen=True)
class Panel:
    """What a device's panel shows after a scan, and the reply that it got."""

    sent: bool
    text: str
    said: str = ""


@dataclass
class Scanner:
    """Presses the copiers' buttons.

    Attributes:
        door: held while a device talks to the mail service: one mailbox takes few sessions at once.
    """

    estate: Estate
    net: Net
    post: PostOffice
    door: asyncio.Lock = field(default_factory=asyncio.Lock)

    def named(self, name: str) -> Copier | None:
        """Return a copier by its serial number, address or host name."""
        wanted = name.casefold()
        for copier in self.estate.copiers.values():
            if wanted in {copier.key.casefold(), copier.serial.casefold(), copier.address, copier.host_name.casefold()}:
                return copier
        return None

    async def scan(self, copier: Copier, recipient: str, subject: str | None = None) -> Panel:
        """Scan a page to a mail address."""
        return await self._scan(copier, recipient, subject, copier.state.email, timedelta(0))

    async def first_scans(self) -> None:
        """Scan at one copier of each model in each subnet, as somebody did before the engineer came.

        A copier that is set as it should be scanned while the service was as it should be: whatever else is broken
        came later, and what it would do to a scan now, ``scan`` shows. Another one's scan goes through the network,
        and so does that of one for whose own address the firewall has a rule.

        Applications have sent their reports by then as well.
        """
        application.send(self.estate, self.post)
        if not self.estate.plan.recipients:
            return
        chosen: dict[tuple[str, str], Copier] = {}
        for copier in self.estate.copiers.values():
            key = (copier.subnet, copier.model)
            if key not in chosen or (copier.representative and not chosen[key].representative):
                chosen[key] = copier
        ordered = sorted(chosen.values(), key=lambda copier: not copier.representative)
        rows = [[copier for copier in ordered if copier.subnet == part.prefix] for part in self.estate.plan.subnets]
        before = PostOffice(build(self.estate.plan, self.estate.network))
        self.post.settled.clear()
        try:
            await asyncio.gather(*(self._first_of(row, before) for row in rows))
            await asyncio.sleep(min(self.estate.tenant.delivery_delay, 1) + 0.05)
        finally:
            self.post.settled.set()

    async def _first_of(self, copiers: list[Copier], before: PostOffice) -> None:
        for copier in copiers:
            if copier.alive:
                state = copier.state
                settings = state.sent_by or state.email
                to = self.estate.plan.recipients[0]
                as_planned = before.estate.copiers[copier.key].state
                well = (
                    # A rule for its own address is older than the scan.
                    all(rule.source != copier.address for rule in self.estate.firewall)
                    and replace(settings, password="") == replace(as_planned.email, password="")
                    and state.dns == as_planned.dns
                    and state.sends_with == as_planned.sends_with
                )
                await self._scan(copier, to, None, settings, state.scanned, before=before if well else None)

    def _handed_over(
        self, copier: Copier, settings: EmailSettings, recipient: str, content: bytes, before: PostOffice
    ) -> None:
        """Have a mail delivered as the service did before anything was broken, but for the rules of today."""
        subnet = next(part for part in self.estate.plan.subnets if part.prefix == copier.subnet)
        before.backdated.update(self.post.backdated)
        before.deliver(
            Submission(
                sender=devicesmtp.sender(settings),
                recipients=(recipient,),
                content=content,
                client=subnet.public_address,
                helo=copier.state.through or copier.state.host_name,
                login=settings.user if settings.auth else None,
            )
        )
        mail = before.mails.pop()
        self.post.mails.append(replace(mail, folder=self.post.ruled(mail.message, mail.folder)))

    async def _scan(
        self,
        copier: Copier,
        recipient: str,
        subject: str | None,
        settings: EmailSettings,
        age: timedelta,
        *,
        before: PostOffice | None = None,
    ) -> Panel:
        state = copier.state
        when = state.now() - age - state.slow
        mail = message(state, devicesmtp.sender(settings), recipient, subject, when)
        if age:
            self.post.backdated[str(mail["Message-ID"])] = age
        content = relayed(bytes(mail), state, when) if state.through else bytes(mail)
        why = said = ""
        try:
            if before is not None:
                self._handed_over(copier, settings, recipient, content, before)
            else:
                said = await self._send(copier, settings, recipient, content)
        except SendError as error:
            why, said = error.stage, error.said
        except OSError as error:  # the connection broke under it
            why, said = "connect", type(error).__name__
        name = next((entry.name for entry in state.entries if entry.mail.casefold() == recipient.casefold()), "")
        if state.keeps_scans:
            logged = _LOGGED.get(why, "")
            state.log.scanned(when, recipient, done=not why, name=name, pages=state.pages, why=logged)
        if why:
            return Panel(sent=False, text=_PANEL[why], said=said)
        state.scans_sent += 1
        return Panel(sent=True, text="Transmission has been completed.", said=said)

    async def _send(self, copier: Copier, settings: EmailSettings, recipient: str, content: bytes) -> str:
        state = copier.state
        if settings.pop_before_smtp:
            raise SendError("pop", "no POP server answered")  # guess: that it asks the SMTP server's host for POP first
        address = await self._resolved(state, settings.server)
        try:
            where = self.net.way(address, settings.port)
        except OSError as error:
            raise SendError("connect", type(error).__name__) from None
        sock = self.net.outward(copier.address)
        port = sock.getsockname()[1]
        self.estate.origins[port] = copier.subnet
        try:
            async with devicesmtp.connected(sock, where) as dialogue, self.door:
                context, helo = tlsfiles.device_client(state.sends_with), state.through or state.host_name
                return await devicesmtp.hand_over(
                    dialogue, settings, context, host_name=helo, to=recipient, content=content
                )
        finally:
            self.estate.origins.pop(port, None)

    async def _resolved(self, state: CopierState, name: str) -> str:
        """Ask the device's own name servers, one after the other.

        Raises:
            SendError: none knows the name.
        """
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            pass
        said = "no name server is set"
        for server in state.dns:
            try:
                reply = await self._asked(state, server, name)
            except (OSError, TimeoutError, DNSError) as error:
                said = f"{server}: {type(error).__name__}"
                continue
            for record in reply.rr:
                if record.rtype == QTYPE.A:
                    return str(record.rdata)
            said = f"{server}: no such name as {name}"
        raise SendError("name", said)

    async def _asked(self, state: CopierState, server: str, name: str) -> DNSRecord:
        query = DNSRecord.question(name, "A")
        query.header.id = secrets.randbelow(65536)
        where = self.net.way(server, 53, datagram=True)
        loop, sock = asyncio.get_running_loop(), self.net.outward(state.address, datagram=True)
        with sock:
            async with asyncio.timeout(LOOKUP):
                await loop.sock_connect(sock, where)
                await loop.sock_sendall(sock, query.pack())
                return DNSRecord.parse(await loop.sock_recv(sock, 4096))
