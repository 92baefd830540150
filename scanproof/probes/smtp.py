"""The mail service's doors: the dialogue up to TLS, signing in, and handing a test mail over.

The service's limits are respected by the probes themselves: two of the three connections that a
mailbox may have at once, and fewer than its thirty messages a minute (Microsoft Learn, "Exchange
Online limits").
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import warnings
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from scanproof.dialogue import TEMPORARY, Dialogue, Ended
from scanproof.evidence import Door, Offer, Reply, SignIn, Submission
from scanproof.hostfirewall.probe import stopping
from scanproof.hosts import leads_to_service
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.network import unverified
from scanproof.probes.dns import resolution
from scanproof.scope import relay_egresses
from scanproof.secrets import SENDER_PASSWORD, missing
from scanproof.subjects import Delivery, DoorSubject, NetSubject, SenderSubject
from scanproof.tenant.token import TokenRefused, TokenUnreachable, app_token
from scanproof.vantage.standing import network_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.gather import Run
    from scanproof.network import Network
    from scanproof.site import Service
    from scanproof.sitefile import Sender

RETRY_FOR = 75.0  # seconds: a mailbox's rate is counted by the minute
RETRY_AFTER = 1.0  # seconds until the first retry; doubled for each that follows
MESSAGES = 25  # a minute and mailbox, of the thirty that the service takes before it delays them


@probe(Door, deadline=180)
async def door(subject: DoorSubject, run: Run) -> Door:
    """Speak with a mail service up to the EHLO after STARTTLS, without signing in."""
    network = await network_of(subject.via, run)
    await _names_resolve(subject, run)
    found = await _ready(subject.service, run, network)
    if found.stage == "tls" and found.trouble_kind == "untrusted":
        # Whose certificate it was tells who is on the way: look again without trusting it.
        problem = found.trouble
        run.say("**", "once more without checking the certificate, to see whose it is")
        found = await _door(subject.service, run, network.tls("observe"), {}, network)
        if found.tls:
            found = found.model_copy(update={"tls": found.tls.model_copy(update={"problem": problem})})
    return found


async def _ready(service: Service, run: Run, network: Network) -> Door:
    """Speak with a door; again, where it greets by a temporary reply (RFC 5321 §3.1), until it is ready.

    Raises:
        Unproven: it never was. What is merely busy is not out of reach, and a gateway of the site's can say so too.
    """
    seen: list[Door] = []

    async def attempt() -> Reply | None:
        seen.append(await _door(service, run, network.tls("service"), {}, network))
        return seen[-1].banner

    await _until_final(attempt, run)
    if seen[-1].banner and seen[-1].banner.code in TEMPORARY:
        raise Unproven(
            f"{service.key} took the connection, and was busy each of {len(seen)} times: {seen[-1].banner.seen}",
            "run again later; where it stays so, ask the network team whether something on the way answers for it",
            "service-busy",
        )
    return seen[-1]


async def _names_resolve(subject: DoorSubject, run: Run) -> None:
    """Give up where this subnet's resolvers lead elsewhere: what answered would not be the service."""
    host, tables = subject.service.host, run.site.file.vantage
    there = {table.subnet for table in tables if table.name == subject.via}
    for subnet in run.site.subnets:
        if subnet.prefix in there if subject.via else run.network.vantage.inside(subnet):
            try:
                names = await run.gather(resolution, NetSubject(subnet))
            except Unproven:
                return
            wrong = [look for look in names.lookups if look.name == host and not leads_to_service(look, run.site)]
            if wrong:
                raise Blocked("EGR-4", f"{host} does not resolve to the service here: {wrong[0].seen}")


async def _door(
    service: Service, run: Run, context: ssl.SSLContext, facts: dict[str, Any], network: Network | None = None
) -> Door:
    facts |= {"host": service.host, "port": service.port, "stage": "connect", "at": datetime.now(UTC)}
    where = f"{service.key} from {network.vantage.name}" if network else service.key
    async with run.wire(where), Dialogue(run, service, network) as dialogue:
        try:
            facts["banner"] = await dialogue.open()
            facts["stage"] = "ehlo"
            greeting = await dialogue.greet()
            facts["extensions"], facts["seen_as"] = greeting[1:], _seen_as(greeting[0])
            facts["stage"] = "starttls"
            if any(line.upper() == "STARTTLS" for line in facts["extensions"]):
                facts["stage"] = "tls"
                facts["tls"] = await dialogue.secure(context)
                facts["stage"] = "ehlo-tls"
                greeting = await dialogue.greet()
                facts["tls_extensions"] = greeting[1:]
                facts["seen_as"] = _seen_as(greeting[0])
                facts["stage"] = "quit"
        except Ended as ended:
            facts["trouble"] = ended.trouble or (ended.reply.seen if ended.reply else "")
            facts["trouble_kind"] = ended.kind
            if facts["stage"] == "connect" and ended.reply:
                facts["banner"] = ended.reply
        facts |= {
            "local": dialogue.local,
            "peer": dialogue.peer,
            "tried": dialogue.tried,
            "reached": bool(dialogue.peer),
        }
        if facts["stage"] == "connect" and dialogue.peer:
            facts["stage"] = "banner"
    return Door(**facts)


def _seen_as(greeting: str) -> str:
    found = re.search(r"\[([0-9A-Fa-f:.]+)\]", greeting)
    return found.group(1) if found else ""


@probe(Offer, deadline=90)
async def offer(subject: DoorSubject, run: Run) -> Offer:
    """Which versions of TLS a submission door accepts, and which ways of signing in it offers."""
    seen = await usable_door(subject.service, run, "EGR-1")
    versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    found = await asyncio.gather(*(_door(subject.service, run, _only(version), {}) for version in versions))
    agreed = {
        version.name: result.tls.cipher if result.tls and result.tls_extensions else result.trouble
        for version, result in zip(versions, found, strict=True)
    }
    accepted = tuple(version.name for version, result in zip(versions, found, strict=True) if result.tls_extensions)
    return Offer(tls=agreed, accepted=accepted, auth=seen.auth)


def _only(version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context that speaks one version of TLS, as an old device does; it carries no secret."""
    context = unverified()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def usable_door(service: Service, run: Run, by: str) -> Door:
    """Return a door's facts, if one can sign in there.

    Args:
        service: the door.
        run: the run.
        by: the requirement that stands for reaching it.

    Raises:
        Blocked: it wasn't reached, said nothing, refused at once, or gave no TLS.
    """
    found = await _welcoming(service, run, by)
    if found.tls is None or found.tls.problem or not found.tls_extensions:
        why = found.seen if found.tls is None else found.tls.problem or found.trouble
        why = why or f"{service.key} offers nothing after STARTTLS, not even to sign in"
        raise Blocked("EGR-3", why, f"exempt {service.key} from SMTP inspection, or see EGR-3")
    return found


async def _welcoming(service: Service, run: Run, by: str) -> Door:
    """Return a door's facts, if it was reached and is ready.

    Raises:
        Blocked: it isn't, by the requirement that stands for reaching it; or by this machine's own rules, where one of
            them stops it.
    """
    found = await run.gather(door, DoorSubject(service))
    if found.ready:
        return found
    if not found.reached and (rules := await stopping(service.key, run)):
        raise Blocked("HOST-1", f"this machine's own rule stops it: {'; '.join(rules)}")
    raise Blocked(by, found.seen, f"let this machine out to {service.key}, or see {by}")


@probe(SignIn, deadline=150)
async def sign_in(subject: SenderSubject, run: Run) -> SignIn:
    """Sign in at the submission door as a sender: once, unless the service asks to come back later."""
    service = subject.service
    await usable_door(service, run, "EGR-1")
    secret = await _secret(subject.sender, run)
    if isinstance(secret, SignIn):
        return secret
    facts: dict[str, Any] = {"mechanism": _mechanism(subject.sender)}
    run.intent(f"sign in as {subject.sender.address}")

    async def attempt() -> Reply | None:
        facts.update(stage="connect", reply=None, trouble="")
        async with Dialogue(run, service) as dialogue:
            try:
                await _signed_in(dialogue, run, subject.sender, secret, facts)
            except Ended as ended:
                facts.update(reply=ended.reply, trouble=ended.trouble)
            reply: Reply | None = facts["reply"]
            return reply

    async with run.wire(service.key, f"mailbox {subject.sender.address}"):
        facts["attempts"] = await _until_final(attempt, run)
    return SignIn(**facts)


async def _signed_in(dialogue: Dialogue, run: Run, sender: Sender, secret: str, facts: dict[str, Any]) -> None:
    await dialogue.open()
    await dialogue.greet()
    facts["stage"] = "tls"
    facts["tls"] = (await dialogue.secure(run.network.tls("service"))).version
    await dialogue.greet()
    facts["stage"] = "auth"
    facts["reply"] = await dialogue.sign_in(_mechanism(sender), sender.address, secret)


def _mechanism(sender: Sender) -> str:
    return "XOAUTH2" if sender.auth == "oauth" else "LOGIN"


async def _secret(sender: Sender, run: Run) -> str | SignIn:
    """Return the sender's password or token; or, if the tenant refuses a token, the sign-in that this was.

    Raises:
        Unproven: it isn't supplied, or the token endpoint can't be reached.
    """
    if sender.auth == "basic":
        password = run.secrets.get(SENDER_PASSWORD, sender.address)
        if password is None:
            raise Unproven(f"no password for {sender.address} was supplied", missing(SENDER_PASSWORD, sender.address))
        return password
    try:
        # It is the app's own, whichever mailbox it is used for: one serves every sender and mail of a run.
        return (await app_token(run, f"{run.site.file.tenant.endpoints.exchange}/.default")).text
    except TokenUnreachable as error:
        remedy = "let this machine reach the login endpoint, and run again"
        raise Unproven(str(error), remedy, "service-unreachable") from None
    except TokenRefused as error:
        run.say("**", str(error))
        return SignIn(mechanism="XOAUTH2", stage="token", trouble=str(error))


async def _until_final(attempt: Callable[[], Awaitable[Reply | None]], run: Run) -> tuple[str, ...]:
    """Try until a reply is final, as a device is expected to (RFC 5321 §4.5.4.1), and return those that weren't."""
    began, wait = time.monotonic(), RETRY_AFTER
    temporary: list[str] = []
    while True:
        reply = await attempt()
        if reply is None or reply.code not in TEMPORARY:
            return tuple(temporary)
        if time.monotonic() - began + wait > RETRY_FOR:
            return tuple(temporary)
        temporary.append(reply.seen)
        run.say("**", f"asked to come back later; again in {wait:g} s")
        await asyncio.sleep(wait)
        wait = min(wait * 2, 20)


@dataclass(frozen=True)
class TestMail:
    """A test mail to hand over; with the secret to sign in by, where its route does."""

    __test__ = False  # pytest takes the name for a test

    delivery: Delivery
    message: EmailMessage
    secret: str = field(repr=False)


def _relays_from_here(seen: Door, run: Run) -> None:
    """Give up where this machine's public address is not one that relays: its mail would prove no connector.

    Raises:
        Unproven: it isn't.
    """
    relaying = [choice.subject for choice in relay_egresses(run.site)]
    if not any(egress.public_address in {None, seen.seen_as} for egress in relaying):
        where = ", ".join(egress.label for egress in relaying) or "no subnet of this site"
        reason = f"the service sees this machine as {seen.seen_as or 'an unknown address'}; relaying is for {where}"
        raise Unproven(
            reason,
            "run this suite from a machine in a subnet that relays; its copiers are proven by their scans (COV-2)",
        )


@probe(Submission, deadline=150)
async def submission(subject: Delivery, run: Run) -> Submission:
    """Hand a test mail over, by a sender and a route, to one recipient."""
    if not run.sends_mail:
        raise Unproven("this run sends no test mail (--no-send)", "run without --no-send")
    secret = ""
    if subject.route == "smtp-auth":
        signed = await run.gather(sign_in, SenderSubject(subject.sender, subject.service))
        if signed.waits:
            raise Unproven(signed.seen, "run again later", "service-busy")
        if not signed.signed_in:
            raise Blocked("SMTP-1", signed.seen, f"settle SMTP-1 of {subject.sender.address} first")
        found = await _secret(subject.sender, run)
        secret = found if isinstance(found, str) else ""
    else:
        seen = await _welcoming(subject.service, run, "EGR-2")
        if subject.route == "relay":
            _relays_from_here(seen, run)
    message = _message(subject, run)
    mail = TestMail(subject, message, secret)
    facts: dict[str, Any] = {"token": message["X-Scanproof-Token"], "message_id": message["Message-ID"]}
    run.intent(f"send {message['Message-ID']} to {subject.recipient.address} by {subject.route}")

    async def attempt() -> Reply | None:
        if mail.secret:
            await run.pace(f"mailbox {subject.sender.address}", MESSAGES, 60)
        facts.update(stage="connect", reply=None, trouble="", began=time.monotonic())
        async with Dialogue(run, subject.service) as dialogue:
            try:
                await _handed_over(dialogue, run, mail, facts)
            except Ended as ended:
                facts.update(reply=ended.reply, trouble=ended.trouble)
            reply: Reply | None = facts["reply"]
            return reply

    async with run.wire(subject.service.key, f"mailbox {subject.sender.address}"):
        facts["attempts"] = await _until_final(attempt, run)
    facts["seconds"] = round(time.monotonic() - facts.pop("began"), 3)
    return Submission(**facts)


async def _handed_over(dialogue: Dialogue, run: Run, mail: TestMail, facts: dict[str, Any]) -> None:
    subject = mail.delivery
    if mail.secret:
        await _signed_in(dialogue, run, subject.sender, mail.secret, facts)
        facts["reply"] = None
    else:
        await dialogue.open()
        extensions = await dialogue.greet()
        if any(line.upper() == "STARTTLS" for line in extensions):
            facts["stage"] = "tls"
            facts["tls"] = (await dialogue.secure(run.network.tls("observe"))).version
            await dialogue.greet()
    facts["stage"] = "mail"
    for stage, words in (
        ("mail", ("MAIL", f"FROM:<{subject.sender.address}>")),
        ("rcpt", ("RCPT", f"TO:<{subject.recipient.address}>")),
    ):
        facts["stage"] = stage
        facts["reply"] = await dialogue.say(*words)
        if facts["reply"].code not in {250, 251}:
            return
    facts["stage"] = "data"
    facts["reply"] = await dialogue.hand_over(mail.message.as_bytes())
    if facts["reply"].code == 250:
        facts.update(stage="accepted", handed_over=datetime.now(UTC))


def _message(subject: Delivery, run: Run) -> EmailMessage:
    """Return the test mail of one delivery; its subject and Message-ID hold the run's token (RFC 5322)."""
    number = zlib.crc32(subject.key.encode()) % 10**6
    token = f"{run.token}-{number:06d}"
    message = EmailMessage()
    message["From"] = f"<{subject.sender.address}>"
    message["To"] = f"<{subject.recipient.address}>"
    message["Subject"] = f"Scanproof test {token}"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<scanproof-{token}@{subject.sender.address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers it
    message["X-Scanproof-Token"] = token
    message.set_content(
        f"This is a test mail of an acceptance run for {run.site.file.site.customer or run.site.name}.\n"
        f"It was sent as {subject.sender.address} by {subject.route} through {subject.service.key},\n"
        "to show that copiers can send this way. It can be deleted.\n"
    )
    return message
