"""An SMTP client that keeps the dialogue as a transcript, in the way swaks writes one.

aiosmtplib speaks the protocol; this class writes down what was said, with what belongs to a sign-in
left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiosmtplib

from scanproof.certificates import tls_facts
from scanproof.evidence import Reply
from scanproof.redact import plain
from scanproof.troubles import Trouble, connecting, exhausted, handshaking, not_tried

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from scanproof.evidence import Tls
    from scanproof.gather import Run
    from scanproof.network import Network
    from scanproof.site import Service
    from scanproof.troubles import Kind

TEMPORARY = range(400, 500)  # RFC 5321 §4.2.1: come back later


@dataclass
class Ended(Exception):  # noqa: N818 - what a dialogue ended with is an observation
    """A dialogue that ended before its time.

    Attributes:
        trouble: why, in words; empty where the reply says it.
        kind: what kind of trouble that was.
        reply: the reply that ended it, if there was one.
    """

    trouble: str = ""
    kind: Kind = ""
    reply: Reply | None = None


class Dialogue(aiosmtplib.SMTP):
    """One connection to a mail service, from connect to QUIT.

    Every method raises ``Ended`` for whatever ends the dialogue: a refusal, a cut connection, garbage,
    silence beyond the deadline.
    """

    def __init__(self, run: Run, service: Service, network: Network | None = None) -> None:
        """Prepare a connection, from a vantage's network where it isn't this machine's; ``open`` makes it."""
        self._run, self._service, self._hidden = run, service, False
        self._network = network or run.network
        self.local = self.peer = self.tried = ""
        super().__init__(
            hostname=service.host,
            port=None,
            timeout=self._network.deadlines.reply,
            start_tls=False,
            local_hostname="[127.0.0.1]",  # replaced once the connection's own address is known
            sock=None,
        )

    async def open(self) -> Reply:
        """Connect and read the banner."""
        tried: list[tuple[str, str]] = []
        try:
            sock = await self._network.connect(self._service.host, self._service.port, tried=tried)
        except OSError as error:
            self.local, self.tried = tried[-1] if tried else ("", "")
            why = connecting(error)
            self._run.say("**", f"{self._service.key}: {why.words}")
            raise Ended(why.words, why.kind) from None
        self.local, self.peer = self._network.ends(sock)
        # RFC 5321 §4.1.3: a client without a name of its own gives its address.
        own = self._network.literal(sock)
        literal = f"[IPv6:{own}]" if ":" in own else f"[{own}]"
        self._run.say("**", f"connected from {self.local or self._network.vantage.place} to {self.peer}")
        try:
            found = await self.connect(sock=sock, local_hostname=literal)
        except aiosmtplib.SMTPResponseException as error:
            raise self._end(error) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._end(error) from None
        return self._heard(found)

    async def greet(self) -> tuple[str, ...]:
        """Say EHLO and return the extensions, a line each, the greeting's own first."""
        try:
            found = await self.ehlo()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._end(error) from None
        return tuple(plain(line, 300) for line in found.message.splitlines()[:100])

    async def secure(self, context: ssl.SSLContext) -> Tls:
        """Say STARTTLS and negotiate (RFC 3207).

        Raises:
            Unproven: this machine can't open a file more, so that no issuer could be looked up.
        """
        self._run.say("->", "STARTTLS")
        try:
            found = await self.starttls(tls_context=context, timeout=self._network.deadlines.tls)
            self._heard(found)
        except aiosmtplib.SMTPResponseException as error:
            raise self._end(error) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            why = self._starttls_trouble(error)
            if why.kind == "untrusted" and (limit := exhausted()):
                raise not_tried(limit) from None
            raise self._ended(why) from None
        tls = tls_facts(self.transport) if self.transport else None
        if tls is None:
            raise Ended("the connection was cut after the TLS handshake", "reset")
        self._run.say("**", f"TLS: {tls.seen}")
        return tls

    async def sign_in(self, mechanism: str, user: str, secret: str) -> Reply:
        """Sign in by LOGIN or XOAUTH2; what is sent stays out of the transcript."""
        self._hidden = True
        self._run.say("->", f"AUTH {mechanism} [not shown]")
        try:
            if mechanism == "XOAUTH2":
                return self._reply(await self.auth_xoauth2(user, secret))
            return self._reply(await self.auth_login(user, secret))
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._end(error) from None
        finally:
            self._hidden = False

    async def hand_over(self, data: bytes) -> Reply:
        """Send a message's data after MAIL and RCPT were accepted."""
        self._run.say("->", "DATA")
        self._run.say("->", f"[{len(data)} bytes of message] .")
        try:
            return self._heard(await self.data(data))
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._end(error) from None

    async def say(self, *words: str) -> Reply:
        """Send a command and return its reply, whatever it says."""
        try:
            return self._reply(await self.execute_command(*(word.encode("utf-8") for word in words)))
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._end(error) from None

    async def execute_command(self, *args: bytes, timeout: Any = None) -> aiosmtplib.SMTPResponse:  # noqa: ASYNC109
        """Send a command, and write down both sides."""
        if not self._hidden:
            self._run.say("->", b" ".join(args).decode("utf-8", "replace"))
        found = await super().execute_command(*args, timeout=timeout or self._network.deadlines.reply)
        # A challenge's text says no more than that it is one; the user's name may stand in it.
        if not (self._hidden and found.code == 334):
            self._heard(found)
        return found

    async def __aenter__(self) -> Self:
        """Return the dialogue, not yet connected."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Part politely where one can, and close in any case."""
        transport = self.transport
        if self.is_connected and error is None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self.execute_command(b"QUIT", timeout=2)
        self.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()  # closes the socket as well: nothing is left to wait for

    def _heard(self, found: aiosmtplib.SMTPResponse) -> Reply:
        reply = self._reply(found)
        lines = reply.text.splitlines() or [""]
        for number, line in enumerate(lines, 1):
            self._run.say("<-", f"{reply.code}{' ' if number == len(lines) else '-'}{line}")
        return reply

    @staticmethod
    def _reply(found: aiosmtplib.SMTPResponse) -> Reply:
        return Reply(code=found.code, text=plain(found.message, 2000))

    def _end(self, error: Exception) -> Ended:
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
            reply = Reply(code=error.code, text=plain(error.message, 2000))
            if not self._run.lines or self._run.lines[-1].text.split(" ")[0][:3] != str(error.code):
                self._run.say("<-", reply.seen)
            return Ended(reply=reply)
        return self._ended(self._trouble(error))

    def _ended(self, why: Trouble) -> Ended:
        self._run.say("**", why.words)
        return Ended(why.words, why.kind)

    def _trouble(self, error: Exception) -> Trouble:
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return Trouble("garbled", f"not SMTP: {plain(error.message, 200)}")
        if isinstance(error, (aiosmtplib.SMTPTimeoutError, TimeoutError)):
            return Trouble("timed-out", f"no reply within {self._network.deadlines.reply:g} s")
        if isinstance(error, (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
            return Trouble("closed", "the other side closed the connection")
        if isinstance(error, OSError):
            return connecting(error)
        return Trouble("", plain(str(error), 300))

    def _starttls_trouble(self, error: Exception) -> Trouble:
        """Return what ended STARTTLS; aiosmtplib wraps what happened before the reply and in the handshake alike."""
        if isinstance(error, aiosmtplib.SMTPReadTimeoutError):
            return Trouble("timed-out", f"no reply to STARTTLS within {self._network.deadlines.tls:g} s")
        if isinstance(error, aiosmtplib.SMTPTimeoutError):
            return handshaking(TimeoutError())
        if isinstance(error, aiosmtplib.SMTPServerDisconnected) and not isinstance(error.__cause__, OSError):
            return Trouble("closed", "the other side closed the connection after STARTTLS")
        return handshaking(error.__cause__ if isinstance(error.__cause__, OSError) else error)
