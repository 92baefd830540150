"""Evidence from Entra: the sender's account and password, sign-ins, and what this run may do itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scanproof.kinds import Unproven, probe
from scanproof.redact import plain
from scanproof.tenant import reading, saved
from scanproof.tenant.facts import (
    Account,
    Failure,
    Granted,
    HeldMailbox,
    MailHosts,
    MfaState,
    PasswordExpiry,
    SecurityDefaults,
    SignIns,
)
from scanproof.tenant.graph import Read, name, quoted
from scanproof.tenant.reading import field, flag, objects, text
from scanproof.tenant.settings import mailbox_row
from scanproof.tenant.token import reading_token

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.subjects import Domain, SenderSubject, TenantSubject
    from scanproof.tenant.reading import Row

DEADLINE = 60.0
LATELY = timedelta(days=7)
_USER = (
    "id,userPrincipalName,accountEnabled,passwordPolicies,lastPasswordChangeDateTime,"
    "assignedPlans,onPremisesSyncEnabled"
)
# Service plans that carry a mailbox, and one of the service "exchange" that doesn't (Microsoft's list of product
# names and service plan identifiers; from memory).
_MAILBOX_PLANS = {
    "efb87545-963c-4e0d-99df-69c6916d9eb0": "EXCHANGE_S_ENTERPRISE",
    "9aaf7827-d63c-4b61-89c3-182f06f82e5c": "EXCHANGE_S_STANDARD",
    "4a82b400-a79f-41a4-b4e2-e94f5787b113": "EXCHANGE_S_DESKLESS",
}
_NO_MAILBOX = {"113feb6c-3fe4-4440-bddc-54d774bf0318": "EXCHANGE_S_FOUNDATION"}


@probe(SecurityDefaults, deadline=DEADLINE)
async def security_defaults(_sender: SenderSubject, run: Run) -> SecurityDefaults:
    """Read whether security defaults are on; they know no exception for one user."""
    wanted = Read("/policies/identitySecurityDefaultsEnforcementPolicy", "security defaults")
    command = "Get-MgPolicyIdentitySecurityDefaultEnforcementPolicy"
    answer = await reading.graph_one(run, wanted, "Policy.Read.All", command)
    enabled = flag(answer.one, "isEnabled")
    if enabled is None:
        raise Unproven("Graph gives isEnabled of security defaults as null", "see the answer")
    return SecurityDefaults(enabled=enabled, source=answer.source, grade=answer.grade)


@probe(MfaState, deadline=DEADLINE)
async def mfa_state(sender: SenderSubject, run: Run) -> MfaState:
    """Read per-user multi-factor authentication, which only Graph's beta shows."""
    wanted = Read(f"/users/{name(sender.key)}/authentication/requirements", sender.key, version="beta")
    answer = await reading.graph_one(run, wanted, "Policy.Read.All", f"authentication-requirements {sender.key}")
    return MfaState(state=text(answer.one, "perUserMfaState"), source=answer.source, grade=answer.grade)


@probe(Account, deadline=DEADLINE)
async def account(sender: SenderSubject, run: Run) -> Account:
    """Read a sender's account: enabled, its password's rules, its plans."""
    wanted = Read(f"/users/{name(sender.key)}", sender.key, {"$select": _USER})
    answer = await reading.graph_one(run, wanted, "User.Read.All", "Get-MgUser")
    rows = [row for row in answer.rows if text(row, "userPrincipalName").lower() == sender.key]
    if len(rows) != 1:
        reason = f"{answer.source} gave {len(rows)} users who sign in as {sender.key}"
        raise Unproven(reason, "its sign-in name may differ from its address: see the user in Entra")
    row = rows[0]
    plans = objects(row, "assignedPlans")
    exchange = [_plan(plan) for plan in plans if str(reading.get(plan, "service")).lower() == "exchange"]
    return Account(
        id=text(row, "id"),
        enabled=flag(row, "accountEnabled"),
        policies=tuple(part.strip() for part in text(row, "passwordPolicies").split(",") if part.strip()),
        changed=moment(field(row, "lastPasswordChangeDateTime")),
        synchronised=flag(row, "onPremisesSyncEnabled") is True,
        mailbox_plans=tuple(title for title, carries in exchange if carries),
        other_plans=tuple(title for title, carries in exchange if carries is not None and not carries),
        source=answer.source,
        grade=answer.grade,
    )


def _plan(plan: Row) -> tuple[str, bool | None]:
    """Return a plan's name and whether it carries a mailbox; None where it is not active."""
    identity, status = str(reading.get(plan, "servicePlanId")).lower(), str(reading.get(plan, "capabilityStatus"))
    title = _MAILBOX_PLANS.get(identity) or _NO_MAILBOX.get(identity) or plain(identity, 60)
    return (title, identity in _MAILBOX_PLANS) if status in {"Enabled", "Warning"} else (title, None)


@probe(HeldMailbox, deadline=DEADLINE)
async def held_mailbox(sender: SenderSubject, run: Run) -> HeldMailbox:
    """Read a sender's account, and whether Exchange has its mailbox; a shared one needs no plan."""
    found = await run.gather(account, sender)
    try:
        row, answer = await mailbox_row(run, sender.key)
    except Unproven:  # the plans tell it then, where they do
        return HeldMailbox(account=found, source=found.source, grade=found.grade)
    source = f"{found.source}, {answer.source}"
    return HeldMailbox(account=found, in_exchange=row is not None, source=source, grade=found.grade or answer.grade)


@probe(PasswordExpiry, deadline=DEADLINE)
async def password_expiry(sender: SenderSubject, run: Run) -> PasswordExpiry:
    """Read whether a sender's password expires: the user's flag, else the domain's validity."""
    found = await run.gather(account, sender)
    facts: dict[str, Any] = {"changed": found.changed, "source": found.source, "grade": found.grade}
    if found.synchronised:
        return PasswordExpiry(
            never=False, elsewhere="the account is synchronised: its own directory's rules apply", **facts
        )
    if "DisablePasswordExpiration" in found.policies:
        return PasswordExpiry(never=True, **facts)
    own = sender.key.rpartition("@")[2]
    answer = await reading.graph_one(run, Read(f"/domains/{name(own)}", own), "Domain.Read.All", "Get-MgDomain")
    rows = [row for row in answer.rows if text(row, "id").lower() == own]
    if len(rows) != 1:
        raise Unproven(f"{answer.source} gave {len(rows)} domains called {own}", "see the answer")
    facts |= {"source": f"{found.source}, {answer.source}", "grade": found.grade or answer.grade, "domain": own}
    if text(rows[0], "authenticationType") != "Managed":
        return PasswordExpiry(never=False, elsewhere=f"{own} is federated: its own directory's rules apply", **facts)
    validity = field(rows[0], "passwordValidityPeriodInDays")
    return PasswordExpiry(never=False, validity=validity if type(validity) is int else None, **facts)


@probe(SignIns, deadline=DEADLINE)
async def sign_in_log(sender: SenderSubject, run: Run) -> SignIns:
    """Read a sender's sign-ins of the last days, or since the last change where that was later."""
    changed = run.site.file.site.last_change or run.site.file.site.cutover
    since = max([run.site.now - LATELY, *([changed] if changed and changed < run.site.now else [])]).astimezone(UTC)
    query = {
        "$filter": f"userPrincipalName eq '{quoted(sender.key)}' and createdDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}",
        "$top": "500",
    }
    wanted = Read("/auditLogs/signIns", f"sign-ins of {sender.key}", query)
    answer = await reading.graph_list(run, wanted, "AuditLog.Read.All", f"Get-MgAuditLogSignIn {sender.key}")
    rows = [row for row in answer.rows if text(row, "userPrincipalName").lower() == sender.key]
    # A saved answer may reach further back than what was asked for.
    rows = [row for row in rows if (moment(field(row, "createdDateTime")) or since) >= since]
    good = [row for row in rows if _error(row)[0] == 0]
    addresses = dict.fromkeys(plain(text(row, "ipAddress"), 60) for row in good)
    return SignIns(
        since=since,
        total=len(rows),
        failures=tuple(_grouped(row for row in rows if _error(row)[0] != 0)),
        addresses=tuple(addresses),
        source=answer.source,
        grade=answer.grade,
    )


def _error(row: Row) -> tuple[int, str]:
    status = field(row, "status")
    code = reading.get(status, "errorCode") if isinstance(status, dict) else None
    if not isinstance(code, int):
        raise Unproven("the sign-in log holds an entry without an error code", "see the answer")
    return code, plain(str(reading.get(status, "failureReason") or ""), 200)


def _grouped(rows: Any) -> list[Failure]:
    counts: Counter[tuple[str, int, str]] = Counter()
    last: dict[tuple[str, int, str], datetime] = {}
    for row in rows:
        key = (plain(text(row, "ipAddress"), 60), *_error(row))
        counts[key] += 1
        at = moment(field(row, "createdDateTime")) or datetime.min.replace(tzinfo=UTC)
        last[key] = max(at, last.get(key, at))
    return [
        Failure(address=key[0], code=key[1], reason=key[2], count=count, last=last[key])
        for key, count in counts.most_common(50)
    ]


@probe(Granted, deadline=DEADLINE)
async def granted(_tenant: TenantSubject, run: Run) -> Granted:
    """Read from the run's own tokens what they permit: permissions, and directory roles."""
    graph, exchange = await asyncio.gather(reading_token(run, "graph"), reading_token(run, "exchange"))
    if not graph.claims or not exchange.claims:
        raise Unproven("the tokens do not say what they permit", "see the app's permissions in Entra")
    return Granted(
        graph=graph.listed("roles") + graph.listed("scp"),
        exchange=exchange.listed("roles") + exchange.listed("scp"),
        roles=tuple(dict.fromkeys(graph.listed("wids") + exchange.listed("wids"))),
        source="the run's own tokens",
    )


@probe(MailHosts, deadline=DEADLINE)
async def mail_hosts(domain: Domain, run: Run) -> MailHosts:
    """Read which hosts the tenant takes a domain's mail on; what the site file states where that can't be read."""
    mail = run.site.file.mail
    wanted = Read(f"/domains/{name(domain.key)}/serviceConfigurationRecords", domain.key)
    gateway = (mail.gateway,) if mail.gateway else ()
    try:
        answer = await reading.graph_list(run, wanted, "Domain.Read.All", "Get-MgDomainServiceConfigurationRecord")
    except Unproven as unproven:
        stated = (mail.tenant_endpoint,) if mail.tenant_endpoint else ()
        return MailHosts(hosts=(*stated, *gateway), source="the site file", grade="attested", trouble=unproven.reason)
    hosts, includes = [], []
    for row in answer.rows:
        kind = str(reading.get(row, "recordType")).lower()
        if kind == "mx":
            hosts.append(text(row, "mailExchange").rstrip(".").lower())
        elif kind == "txt" and (value := text(row, "text")).lower().startswith("v=spf1"):
            # Microsoft's own sample has a blank behind "include:": terms are compared, not the text.
            terms = value.replace("include: ", "include:").split()
            includes += [term.lower() for term in terms if term.lower().startswith("include:")]
    return MailHosts(hosts=(*hosts, *gateway), includes=tuple(includes), source=answer.source, grade=answer.grade)


def moment(value: object) -> datetime | None:
    """Return a moment as Graph or PowerShell writes it; None where there is none."""
    if not isinstance(value, str) or not value:
        return None
    return saved.moment(value)
