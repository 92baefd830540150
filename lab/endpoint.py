"""The tenant's own endpoint on port 25: mail from outside, direct send and relay by connector."""
# ruff: noqa: ARG002 - aiosmtpd hands its hooks these arguments, needed or not

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab import replies
from lab.estate import ENDPOINT
from lab.replies import trailed
from lab.smtpserver import ExchangeHandler, ExchangeSmtp

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

    from lab.estate import Estate
    from lab.net import Net
    from lab.post import PostOffice
    from lab.tlsfiles import Tls


class EndpointHandler(ExchangeHandler):
    """Decides from the tenant's state and the client's public address."""

    async def handle_MAIL(  # noqa: N802
        self, server: ExchangeSmtp, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(  # noqa: N802
        self, server: ExchangeSmtp, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._refusal(self.client(session), envelope.mail_from or "", address)
        if refused:
            return trailed(refused, replies.ENDPOINT_HOST)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    def _refusal(self, client: str, sender: str, recipient: str) -> str | None:
        tenant = self.estate.tenant
        relays = tenant.relaying(client) is not None
        domain, target = sender.rpartition("@")[2].lower(), recipient.rpartition("@")[2].lower()
        if client in tenant.banned:
            return replies.BANNED.format(address=client)
        if target not in tenant.domains:
            return None if relays and domain in tenant.domains else replies.RELAY_DENIED
        if tenant.locked_to_partner(client, domain):
            return replies.GATEWAY_ONLY
        # guess: that a partner's connector for this address does not do; Microsoft's text says "connector" only
        if tenant.reject_direct_send and domain in tenant.domains and not relays:
            return replies.DIRECT_SEND_REJECTED
        if tenant.domains[target].kind == "InternalRelay" and self.estate.mailbox(recipient) is None:
            return None  # taken, and sent on to wherever the domain's other mailboxes are
        box = self.estate.mailbox(recipient)
        if box is None:
            return replies.UNKNOWN_RECIPIENT
        return replies.INTERNAL_ONLY if box.internal_only else None

    async def handle_DATA(self, server: ExchangeSmtp, session: Session, envelope: Envelope) -> str:  # noqa: N802
        submission = self.submission(session, envelope)
        _, action, _ = self.post.anonymous_verdict(submission)
        if action == "reject":
            domain = submission.sender.rpartition("@")[2]
            return trailed(replies.DMARC_REJECTED.format(domain=domain), replies.ENDPOINT_HOST)
        queue_id = self.post.deliver(submission)
        host = replies.ENDPOINT_HOST
        return f"250 2.6.0 <{queue_id}@{host}> [InternalId=1, Hostname={host}] Queued mail for delivery"


async def start(estate: Estate, net: Net, tls: Tls, post: PostOffice) -> list[asyncio.Server]:
    """Open the tenant endpoint."""
    handler, loop = EndpointHandler(estate, post), asyncio.get_running_loop()

    def session() -> ExchangeSmtp:
        return ExchangeSmtp(
            handler, hostname=replies.ENDPOINT_HOST, context=tls.mail, auth_exclude_mechanism=["LOGIN", "PLAIN"]
        )

    sock = net.listen(ENDPOINT, 25, names=tuple(dict.fromkeys((estate.plan.tenant_endpoint, estate.tenant.mx_host))))
    return [await loop.create_server(session, sock=sock)]
