"""What the settings say of a sender's sign-in, to be held against the sign-in that was really tried."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from scanproof.kinds import Blocked, Unproven, probe
from scanproof.probes.smtp import door, sign_in
from scanproof.replies import meaning
from scanproof.scope import sender_egresses
from scanproof.subjects import DoorSubject
from scanproof.tenant.access import conditional_access
from scanproof.tenant.directory import mfa_state, security_defaults
from scanproof.tenant.facts import ExpectedSignIn
from scanproof.tenant.settings import authentication_policy, smtp_auth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.evidence import SignIn
    from scanproof.gather import Run
    from scanproof.subjects import SenderSubject

# Which requirement's setting a reply speaks of, by its meaning's name (scanproof/replies.py).
OF_SETTINGS = {
    "smtp-auth-off-tenant": "TEN-1",
    "smtp-auth-off-mailbox": "TEN-1",
    "authentication-policy": "TEN-2",
    "security-defaults": "TEN-3",
    "conditional-access": "TEN-4",
}
NO_REASON = "identity-refused"  # 535 5.7.3, which names no setting and may be any of them


def agrees(expected: ExpectedSignIn, seen: SignIn, reply: str) -> bool:
    """Tell whether a sign-in went as the settings say: in, or refused for one of the settings that refuse it.

    Args:
        expected: what the settings say.
        seen: the sign-in.
        reply: the name of its reply's meaning.
    """
    if seen.signed_in or not expected.refused:
        return seen.signed_in and not expected.refused
    return reply == NO_REASON or any(words.startswith(f"{OF_SETTINGS.get(reply)}:") for words in expected.refused)


@probe(ExpectedSignIn, deadline=60)
async def expected_sign_in(sender: SenderSubject, run: Run) -> ExpectedSignIn:
    """Read what TEN-1 to TEN-5 rest on, for a sign-in from where this run's is made.

    Where it was refused for a reason that is none of theirs (a wrong password, a locked account), it shows nothing
    of what they are in force as.
    """
    parts = [_part("TEN-1", run.gather(smtp_auth, sender), lambda it: it.disabled)]
    if sender.sender.auth == "basic":
        parts += [
            _part("TEN-2", run.gather(authentication_policy, sender), lambda it: it.refuses),
            _part("TEN-3", run.gather(security_defaults, sender), lambda it: it.enabled),
            _part("TEN-4", _from_here(sender, run), lambda it: it.refuses),
            _part("TEN-5", run.gather(mfa_state, sender), lambda it: it.refuses),
        ]
    tried, found = await asyncio.gather(run.gather(sign_in, sender), asyncio.gather(*parts))
    expected = ExpectedSignIn(
        refused=tuple(words for stands, words in found if stands == "refused"),
        unknown=tuple(words for stands, words in found if stands == "unknown"),
        source="TEN-1 to TEN-5's evidence",
    )
    if tried.waits:
        raise Unproven(tried.seen, "run again later", "service-busy")
    name = meaning(tried.reply, sender.key).name
    told = name in OF_SETTINGS or (name == NO_REASON and expected.refused)
    if not tried.signed_in and not told:
        raise Blocked("SMTP-1", tried.seen, f"settle SMTP-1 of {sender.key} first")
    return expected


async def _part(requirement: str, facts: Awaitable[Any], refuses: Callable[[Any], bool | None]) -> tuple[str, str]:
    """Return whether a setting refuses the sign-in, allows it, or doesn't tell; and requirement and what was read."""
    try:
        found = await facts
    except (Unproven, Blocked) as nothing:
        return "unknown", f"{requirement}: {nothing.reason}"
    stands = {True: "refused", False: "allowed", None: "unknown"}[refuses(found)]
    return stands, f"{requirement}: {found.seen}"


async def _from_here(sender: SenderSubject, run: Run) -> Any:
    """Return the Conditional Access evidence for the public address that the service sees this machine by."""
    seen = (await run.gather(door, DoorSubject(sender.service))).seen_as
    for choice in sender_egresses(run.site):
        subject = choice.subject
        if subject.sender == sender.sender and subject.public_address == seen:
            return await run.gather(conditional_access, subject)
    raise Unproven(f"the service sees this machine as {seen or 'an unknown address'}, which the site does not state")
