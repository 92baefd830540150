"""smtp.office365.com: the door for clients that sign in, on ports 587 and 25."""
# ruff: noqa: ARG002 - aiosmtpd hands its hooks these arguments, needed or not

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections import defaultdict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from lab import judgement, replies
from lab.estate import SUBMISSION
from lab.replies import trailed
from lab.smtpserver import ExchangeHandler, ExchangeSmtp

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.mailflow import Mailbox
    from lab.net import Net
    from lab.post import PostOffice
    from lab.signin import SignIn
    from lab.tlsfiles import Tls

CONNECTIONS = 3  # at once, for one mailbox
RATE = 30  # messages a minute, for one mailbox; more are held back, not refused
MINUTE = 60.0  # seconds


class SubmissionHandler(ExchangeHandler):
    """Decides from the tenant's state."""

    def __init__(self, estate: Estate, post: PostOffice, sign_in: SignIn) -> None:
        super().__init__(estate, post)
        self.sign_in = sign_in
        self.open: defaultdict[str, set[ExchangeSmtp]] = defaultdict(set)
        self.sent: defaultdict[str, deque[float]] = defaultdict(deque)

    def gone(self, server: ExchangeSmtp) -> None:
        for sessions in self.open.values():
            sessions.discard(server)

    def not_ready(self) -> str:
        door = self.estate.tenant.door
        if not door.unready:
            return ""
        return trailed(door.unready[0] if door.never_ready else door.unready.pop(0))

    def extensions(self, server: ExchangeSmtp) -> list[str]:
        if not server.tls_started:
            return ["STARTTLS"]
        return ["AUTH " + " ".join(self.estate.tenant.door.mechanisms)]

    async def auth_XOAUTH2(self, server: ExchangeSmtp, args: list[str]) -> AuthResult:  # noqa: N802
        """Take ``user=…^Aauth=Bearer …^A^A`` in base64 (Microsoft's OAuth for SMTP page)."""
        if len(args) == 2:
            try:
                blob = b64decode(args[1], validate=True)
            except Base64Error:
                return AuthResult(success=False, handled=False, message=trailed(replies.AUTH_FAILED))
        else:
            answered = await server.challenge_auth("")
            if not isinstance(answered, bytes):
                return AuthResult(success=False, handled=True)
            blob = answered
        fields = dict(part.partition("=")[::2] for part in blob.decode("utf-8", "replace").split("\x01") if part)
        box = self.estate.mailbox(fields.get("user", ""))
        token = fields.get("auth", "").removeprefix("Bearer ")
        # guess: the switch is looked at before the token
        refused = judgement.switched_off(self.estate, box) if box else None
        if refused is None and not (box and self.sign_in.may_send(token)):
            refused = replies.AUTH_FAILED
        return self._result(server, box, refused)

    def password(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Judge a user name and password."""
        assert isinstance(data, LoginPassword)
        login = data.login.decode("utf-8", "replace")
        password = data.password.decode("utf-8", "replace")
        refused = judgement.by_password(self.estate, login, password, self.client(session))
        return self._result(server, self.estate.mailbox(login), refused.reply if refused else None)

    def _result(self, server: ExchangeSmtp, box: Mailbox | None, refused: str | None) -> AuthResult:
        if refused or box is None:
            return AuthResult(success=False, handled=False, message=trailed(refused or replies.AUTH_FAILED))
        self.open[box.address].add(server)
        return AuthResult(success=True, auth_data=box.address)

    async def handle_MAIL(  # noqa: N802
        self, server: ExchangeSmtp, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not server.tls_started:
            return trailed(replies.TLS_REQUIRED)
        login, door = self._login(session), self.estate.tenant.door
        if login is None:
            return trailed(replies.NOT_AUTHENTICATED)
        if len(self.open[login]) > CONNECTIONS:
            return trailed(replies.TOO_MANY_CONNECTIONS)  # guess: at which command the real one says it
        if door.throttled:
            server.hang_up()
            return trailed(door.throttled.pop(0))
        envelope.mail_from = address
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(  # noqa: N802
        self, server: ExchangeSmtp, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        ours = address.rpartition("@")[2].lower() in self.estate.tenant.accepted_domains
        if ours and self.estate.mailbox(address) is None:
            # guess: the real service may take it and send a non-delivery report instead
            return trailed(replies.RECIPIENT_NOT_FOUND)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: ExchangeSmtp, session: Session, envelope: Envelope) -> str:  # noqa: N802
        door, login = self.estate.tenant.door, self._login(session)
        box = self.estate.mailbox(login or "")
        if login is None or box is None:
            return trailed(replies.NOT_AUTHENTICATED)
        if door.busy:
            return trailed(door.busy[0] if door.always_busy else door.busy.pop(0))
        mail = self.submission(session, envelope, login=login)
        if mail.sender.casefold() != box.primary.casefold():
            return trailed(replies.SEND_AS_DENIED.format(login=box.primary, sender=mail.sender))
        if box.full:
            return trailed(replies.MAILBOX_FULL)
        queue_id = self.post.deliver(replace(mail, delay=self._held_back(login)))
        return f"250 2.0.0 OK <{queue_id}@{replies.SUBMISSION_BACKEND}> [Hostname={replies.SUBMISSION_BACKEND}]"

    def _held_back(self, login: str) -> float:
        """Return for how many seconds a mail beyond the minute's rate waits."""
        now, sent = time.monotonic(), self.sent[login]
        while sent and sent[0] <= now - MINUTE:
            sent.popleft()
        sent.append(now)
        return MINUTE * ((len(sent) - 1) // RATE)

    @staticmethod
    def _login(session: Session) -> str | None:
        return session.auth_data if session.authenticated else None


async def start(estate: Estate, net: Net, tls: Tls, post: PostOffice, sign_in: SignIn) -> list[asyncio.Server]:
    """Open the submission service."""
    handler = SubmissionHandler(estate, post, sign_in)
    door = estate.tenant.door

    def session() -> ExchangeSmtp:
        return ExchangeSmtp(
            handler,
            hostname=replies.SUBMISSION_HOST,
            context=tls.mail_modern if door.modern_only else tls.mail,
            authenticator=handler.password,
            auth_exclude_mechanism=[name for name in ("LOGIN", "PLAIN", "XOAUTH2") if name not in door.mechanisms],
        )

    loop = asyncio.get_running_loop()
    return [
        await loop.create_server(session, sock=net.listen(SUBMISSION, port, names=(estate.plan.submission_host,)))
        for port in (587, 25)
    ]
