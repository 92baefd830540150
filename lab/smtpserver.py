"""What both of Exchange Online's SMTP doors have in common: the wording, and old TLS told to leave."""
# ruff: noqa: ARG002 - aiosmtpd hands its hooks these arguments, needed or not

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections import defaultdict
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException

from lab import replies
from lab.post import Submission

if TYPE_CHECKING:
    import ssl

    from lab.estate import Estate
    from lab.post import PostOffice

logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)  # it prints a traceback for each failed handshake

SIZE_LIMIT = 157286400  # bytes: what the service announces
AUTH_LINE = 12288  # bytes: RFC 4954 §4
_MAIL_LINE = 1001  # bytes
_OLD = frozenset({"TLSv1", "TLSv1.1", "SSLv3"})
_WORDS = {
    "220 Ready to start TLS": "220 2.0.0 SMTP server ready",
    "354 End data with <CR><LF>.<CR><LF>": "354 Start mail input; end with <CRLF>.<CRLF>",
    "250 OK": "250 2.0.0 OK",
    "504 5.5.4 Unrecognized authentication type": replies.UNKNOWN_MECHANISM,
    "530 Must issue a STARTTLS command first": replies.TLS_REQUIRED,
    "503 Error: send EHLO first": "503 5.5.2 Send hello first",
    "503 Error: send HELO first": "503 5.5.2 Send hello first",
}


class ExchangeSmtp(SMTP):
    """An SMTP session in the service's words."""

    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    line_length_limit = AUTH_LINE  # of what is read; a token is longer than any other line

    def __init__(self, handler: ExchangeHandler, *, hostname: str, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(
            handler,
            hostname=hostname,
            ident=f"Microsoft ESMTP MAIL Service ready at {format_datetime(datetime.now(UTC))}",
            tls_context=context,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
            **options,
        )
        self.line_length_limit = _MAIL_LINE
        self.command_size_limits = defaultdict(lambda: SMTP.command_size_limit, AUTH=AUTH_LINE)

    async def push(self, status: str | bytes) -> None:
        """Send a reply, in the service's wording; or, in place of the greeting, that it is not ready."""
        text = status if isinstance(status, str) else status.decode("utf-8", "replace")
        if text.endswith(self.__ident__) and (refusal := self.event_handler.not_ready()):
            self.hang_up()
            text = refusal
        await super().push(_WORDS.get(text, text))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handler that the client is gone."""
        self.event_handler.gone(self)
        super().connection_lost(error)

    @property
    def tls_started(self) -> bool:
        """Tell whether this session is encrypted."""
        return self._tls_protocol is not None

    def hang_up(self) -> None:
        """Close the connection once what was said is sent."""
        if self.transport is not None:
            self.loop.call_later(0.05, self.transport.close)


class ExchangeHandler:
    """What both doors decide alike."""

    def __init__(self, estate: Estate, post: PostOffice) -> None:
        self.estate, self.post = estate, post

    def not_ready(self) -> str:
        """Return by what a client is greeted that is to come back later; empty where it is welcome."""
        return ""

    async def handle_EHLO(  # noqa: N802
        self, server: ExchangeSmtp, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        del responses  # the service lists its extensions in its own order
        if session.ssl and session.ssl["ssl_object"].version() in _OLD:
            server.hang_up()
            return [replies.TLS_TOO_OLD]
        session.host_name = hostname
        lines = [
            f"{server.hostname} Hello [{self.client(session)}]",
            f"SIZE {SIZE_LIMIT}",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            *self.extensions(server),
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    async def handle_QUIT(self, server: ExchangeSmtp, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "221 2.0.0 Service closing transmission channel"

    async def handle_RSET(self, server: ExchangeSmtp, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 Resetting"

    async def handle_exception(self, error: Exception) -> str:
        if not isinstance(error, TLSSetupException):  # a failed handshake is the client's business
            sys.stderr.write("".join(traceback.format_exception(error)))
        return f"451 4.7.0 Temporary server error. Please try again later. ({type(error).__name__})"

    def extensions(self, server: ExchangeSmtp) -> list[str]:
        """Return what EHLO offers at this point besides what it always offers."""
        return [] if server.tls_started else ["STARTTLS"]

    def client(self, session: Session) -> str:
        """Return the client's address as the service sees it."""
        assert session.peer is not None
        return self.estate.client_address(session.peer[0], int(session.peer[1]))

    def submission(self, session: Session, envelope: Envelope, *, login: str | None = None) -> Submission:
        """Return what a client handed over, once DATA has ended."""
        assert isinstance(envelope.content, bytes)
        return Submission(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=envelope.content,
            client=self.client(session),
            helo=session.host_name or "",
            login=login,
        )

    def gone(self, server: ExchangeSmtp) -> None:
        """Note that a client is gone."""
