"""Evidence from Exchange Online's settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scanproof.kinds import Blocked, Unproven, probe
from scanproof.tenant import reading
from scanproof.tenant.facts import Inbound, Inward, Outbound, Outward, PolicyInForce, SmtpAuth
from scanproof.tenant.reading import flag, text, words

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.subjects import SenderSubject, TenantSubject
    from scanproof.tenant.reading import Answer, Row

DEADLINE = 60.0


async def mailbox_row(run: Run, address: str) -> tuple[Row | None, Answer]:
    """Return the one row of Get-CASMailbox that is this address's; None where it has none.

    An identity that does not exist gives every mailbox there is: the row is found by its address, not by its place.

    Raises:
        Unproven: the command can't be asked, or several rows have the address.
    """
    answer = await reading.command(run, "Get-CASMailbox", address)
    found = [row for row in answer.rows if _is(row, address)]
    if len(found) > 1:
        raise Unproven(f"{answer.source} gave {len(found)} mailboxes with the address {address}", "see the answer")
    if not found and answer.grade:
        raise Unproven(f"{answer.source} holds no mailbox {address}", "save it with this sender's mailbox in it")
    return (found[0] if found else None), answer


def _is(row: Row, address: str) -> bool:
    fields = {key.lower(): value for key, value in row.items()}
    listed = fields.get("emailaddresses") or []
    names = [fields.get("primarysmtpaddress"), fields.get("windowsemailaddress"), fields.get("userprincipalname")]
    names += [
        str(item)[5:] for item in (listed if isinstance(listed, list) else []) if str(item)[:5].lower() == "smtp:"
    ]
    return address.lower() in {str(item).lower() for item in names if item}


@probe(SmtpAuth, deadline=DEADLINE)
async def smtp_auth(sender: SenderSubject, run: Run) -> SmtpAuth:
    """Read whether SMTP AUTH is on for a sender: the mailbox's flag, and the organisation's."""
    (row, mailboxes), transport = await asyncio.gather(
        mailbox_row(run, sender.key), reading.command(run, "Get-TransportConfig")
    )
    if row is None:
        raise Blocked("TEN-7", f"Exchange has no mailbox {sender.key} ({mailboxes.source})", "see TEN-7")
    return SmtpAuth(
        mailbox=flag(row, "SmtpClientAuthenticationDisabled"),
        organization=flag(transport.one, "SmtpClientAuthenticationDisabled"),
        source=f"{mailboxes.source}, {transport.source}",
        grade=mailboxes.grade or transport.grade,
    )


@probe(PolicyInForce, deadline=DEADLINE)
async def authentication_policy(sender: SenderSubject, run: Run) -> PolicyInForce:
    """Read the authentication policy in force for a sender: the user's own, else the organisation's."""
    users, organization, policies = await asyncio.gather(
        reading.command(run, "Get-User", sender.key),
        reading.command(run, "Get-OrganizationConfig"),
        reading.command(run, "Get-AuthenticationPolicy"),
    )
    source = f"{users.source}, {organization.source}, {policies.source}"
    grade = users.grade or organization.grade or policies.grade
    own = [row for row in users.rows if _is(row, sender.key)]
    if len(own) != 1:
        raise Unproven(f"{users.source} gave {len(own)} users with the address {sender.key}", "see the answer")
    of, name = "user", text(own[0], "AuthenticationPolicy")
    if not name:
        of, name = "organisation", text(organization.one, "DefaultAuthenticationPolicy")
    if not name:
        return PolicyInForce(name="", of="", allows=None, source=source, grade=grade)
    for row in policies.rows:
        if name.lower() in {text(row, "Name").lower(), str(row.get("Identity", "")).lower()}:
            allows = flag(row, "AllowBasicAuthSmtp")
            return PolicyInForce(name=name, of=of, allows=allows, source=source, grade=grade)
    raise Unproven(f"the policy {name!r} of the {of} is not among those of {policies.source}", "see the answers")


@probe(Inward, deadline=DEADLINE)
async def inward(tenant: TenantSubject, run: Run) -> Inward:
    """Read what decides over mail that comes without a sign-in: direct send, connectors, accepted domains."""
    organization, connectors, domains = await asyncio.gather(
        reading.command(run, "Get-OrganizationConfig"),
        reading.command(run, "Get-InboundConnector"),
        reading.command(run, "Get-AcceptedDomain"),
    )
    accepted = tuple(text(row, "DomainName").lower() for row in domains.rows)
    if tenant.domain not in accepted:
        others = ", ".join(accepted[:10]) or "none"
        reason = f"{tenant.domain} is not among the accepted domains of {domains.source}: {others}"
        raise Unproven(reason, "these are another tenant's settings: check [mail] domain and [tenant] id")
    return Inward(
        rejects_direct_send=flag(organization.one, "RejectDirectSend"),
        accepted=accepted,
        connectors=tuple(_inbound(row) for row in connectors.rows),
        source=f"{organization.source}, {connectors.source}, {domains.source}",
        grade=organization.grade or connectors.grade or domains.grade,
    )


def _inbound(row: Row) -> Inbound:
    return Inbound(
        name=text(row, "Name"),
        enabled=flag(row, "Enabled") is True,
        type=text(row, "ConnectorType"),
        addresses=words(row, "SenderIPAddresses"),
        certificate=text(row, "TlsSenderCertificateName"),
        locks_addresses=flag(row, "RestrictDomainsToIPAddresses") is True,
        locks_certificate=flag(row, "RestrictDomainsToCertificate") is True,
        domains=words(row, "SenderDomains"),
    )


@probe(Outward, deadline=DEADLINE)
async def outward(tenant: TenantSubject, run: Run) -> Outward:
    """Read where the tenant sends mail on to: outbound connectors, and the type of the site's domain."""
    connectors, domains = await asyncio.gather(
        reading.command(run, "Get-OutboundConnector"), reading.command(run, "Get-AcceptedDomain")
    )
    own = [row for row in domains.rows if text(row, "DomainName").lower() == tenant.domain]
    if len(own) != 1:
        reason = f"{domains.source} gave {len(own)} accepted domains called {tenant.domain}"
        raise Unproven(reason, "check [mail] domain and [tenant] id in site.toml")
    return Outward(
        domain_type=text(own[0], "DomainType"),
        connectors=tuple(
            Outbound(name=text(row, "Name"), enabled=flag(row, "Enabled") is True, hosts=words(row, "SmartHosts"))
            for row in connectors.rows
        ),
        source=f"{connectors.source}, {domains.source}",
        grade=connectors.grade or domains.grade,
    )
