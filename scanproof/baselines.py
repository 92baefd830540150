"""Where a passing case is an exception from a security baseline, so that it is accepted knowingly.

Baselines ask for the opposite end state of a site that scans: SMTP AUTH off, direct send rejected, older sign-ins
blocked. What is right for both is that the exception is this one sender, or this one address, and nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanproof.tenant.facts import ConditionalAccess, Inward, SecurityDefaults, SmtpAuth


def smtp_auth(seen: SmtpAuth, address: str) -> str:
    """Say which baselines object to SMTP AUTH being on for a sender, and how far the exception goes."""
    if seen.organization:
        scope = f"exactly {address}: the organisation's switch keeps everyone else barred"
    else:
        scope = (
            "wider than needed, every mailbox without a setting of its own may: switch the organisation off "
            "(Set-TransportConfig -SmtpClientAuthenticationDisabled $true) after each sender has its own $false"
        )
    return f"CISA MS.EXO.5.1 (ScubaGear, Maester): SMTP AUTH off. The exception is {scope}"


def security_defaults(seen: SecurityDefaults) -> str:
    """Say which baseline asks for security defaults."""
    return "" if seen.enabled else "Maester MT.1021: security defaults on. Conditional Access must stand in for them"


def conditional_access(seen: ConditionalAccess, address: str) -> str:
    """Say which baselines ask for older sign-ins to be blocked."""
    return (
        "CISA MS.AAD.1.1 (ScubaGear), Maester MT.1009: older sign-ins blocked. "
        f"Have a policy that blocks them for all, and leave out {address} from {seen.address} alone"
    )


def direct_send(seen: Inward) -> str:
    """Say which baseline asks for direct send to be rejected."""
    if seen.rejects_direct_send:
        return ""
    return (
        "Maester MT.1062: direct send rejected. The exception is anybody who sends as this domain: a connector for "
        "the site's public address would let it be rejected for everyone else"
    )
