"""Conditional Access for a sender that signs in by SMTP: asked of Entra itself, else decided from the policies.

SMTP with a password is client type ``other``, and can give no grant control: a policy in force that applies and
demands anything at all stops it (Microsoft Learn, "Conditional Access: Conditions").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanproof.kinds import Blocked, Unproven, probe
from scanproof.probes.spf import seen_address
from scanproof.redact import plain
from scanproof.subjects import SenderSubject
from scanproof.tenant import reading
from scanproof.tenant.directory import account, security_defaults
from scanproof.tenant.facts import AppliedPolicy, ConditionalAccess
from scanproof.tenant.graph import Read, name
from scanproof.tenant.reading import field, flag, inner, text, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scanproof.gather import Run
    from scanproof.subjects import SenderEgress
    from scanproof.tenant.facts import Account
    from scanproof.tenant.reading import Row

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"  # Office 365 Exchange Online
_CLIENT = "other"
# Why a policy of an evaluation does not apply, where that is decided (whatIfAnalysisReasons); any other reason, such as
# notEnoughInformation, invalidCondition or one that is not known yet, leaves it open.
_MISSES = frozenset(
    {
        "users", "workloadidentities", "application", "useractions", "authenticationcontext", "deviceplatform",
        "devices", "clientapps", "location", "signinrisk", "userrisk", "insiderrisk", "authenticationflow",
        "policynotenabled", "emptypolicy", "agentidrisk", "agentidentities",
    }
)  # fmt: skip
_PERMISSION = "Policy.Read.All (or Policy.Read.ConditionalAccess)"


@probe(ConditionalAccess, deadline=90)
async def conditional_access(subject: SenderEgress, run: Run) -> ConditionalAccess:
    """Ask which Conditional Access policies apply to a sender's sign-in from one public address of the site."""
    address = subject.public_address or await seen_address(subject.subnets, run)
    person = await run.gather(account, SenderSubject(subject.sender, subject.service))
    facts: dict[str, Any] = {"address": address, "country": subject.country, "defaults": await _defaults(subject, run)}
    try:
        rows = await _evaluated(subject, address, person, run)
    except Unproven:
        answer = await reading.graph_list(
            run,
            Read("/identity/conditionalAccess/policies", "Conditional Access policies"),
            "Policy.Read.All",
            "Get-MgIdentityConditionalAccessPolicy",
        )
        applied = tuple(_decided(answer.rows, person, await _memberships(subject, run)))
        return ConditionalAccess(
            policies=applied,
            source=f"{answer.source}, decided without Entra's own evaluation",
            grade="inferred",
            **facts,
        )
    applied = tuple(policy for row in rows.rows if (policy := _applied(row, subject.country)))
    return ConditionalAccess(policies=applied, source=rows.source, **facts)


async def _defaults(subject: SenderEgress, run: Run) -> bool:
    """Tell whether security defaults are known to be on: a tenant has them or policies in force, never both."""
    try:
        return (await run.gather(security_defaults, SenderSubject(subject.sender, subject.service))).enabled
    except (Unproven, Blocked):
        return False


async def _evaluated(subject: SenderEgress, address: str, person: Account, run: Run) -> reading.Answer:
    conditions = {"clientAppType": _CLIENT, "ipAddress": address}
    conditions |= {"country": subject.country} if subject.country else {}
    body = {
        "signInIdentity": {"@odata.type": "#microsoft.graph.userSignIn", "userId": person.id},
        "signInContext": {"@odata.type": "#microsoft.graph.applicationContext", "includeApplications": [EXCHANGE]},
        "signInConditions": conditions,
        "appliedPoliciesOnly": False,
    }
    wanted = Read("/identity/conditionalAccess/evaluate", f"policies that apply to {subject.sender.address}", body=body)
    return await reading.graph_list(run, wanted, _PERMISSION, "")


def _applied(row: Row, country: str) -> AppliedPolicy | None:
    """Return a policy of an evaluation: one that applies, or that may by what the evaluation was not told."""
    applies = flag(row, "policyApplies")
    why = "" if applies else _open(row, country)
    if applies is False and not why:
        return None
    return AppliedPolicy(
        name=plain(text(row, "displayName"), 200),
        state=text(row, "state"),
        controls=tuple(_controls(row)),
        decided=applies is True,
        why=why,
    )


def _open(row: Row, country: str) -> str:
    """Say why it is open whether a policy applies that is said not to; nothing where that is decided.

    A client of SMTP names no platform: what is for every platform but the known ones is for it, and the evaluation,
    which was told of none, does not say so. And a place by country is none for an evaluation without one.
    """
    said = text(row, "analysisReasons")
    reasons = {part.strip().lower() for part in said.split(",") if part.strip()}
    if not reasons or reasons - _MISSES:
        return f"analysisReasons {said or 'empty'}"
    untold = {}
    if "all" in _texts(inner(inner(row, "conditions"), "platforms"), "includePlatforms"):
        untold["deviceplatform"] = "it is for all platforms but some, and a copier names none"
    if not country:
        untold["location"] = "it is for places, and the site states no country"
    return ", and ".join(untold[reason] for reason in sorted(reasons)) if reasons <= set(untold) else ""


def _controls(row: Row) -> Iterator[str]:
    field(row, "grantControls")  # null says that there are none; that it is missing says nothing
    grant = inner(row, "grantControls")
    for listed in ("builtInControls", "customAuthenticationFactors", "termsOfUse"):
        if reading.get(grant, listed) is not None:
            yield from (plain(control, 100) for control in words(grant, listed))
    strength = inner(grant, "authenticationStrength")
    if any(value is not None for value in strength.values()):
        yield f"authentication strength {plain(str(reading.get(strength, 'displayName')), 100)}"


async def _memberships(subject: SenderEgress, run: Run) -> tuple[set[str], set[str]]:
    """Return the ids of a sender's groups, and the template ids of its directory roles."""
    address = subject.sender.address
    wanted = Read(f"/users/{name(address)}/transitiveMemberOf", f"groups of {address}")
    answer = await reading.graph_list(run, wanted, "User.Read.All", f"Get-MgUserTransitiveMemberOf {address}")
    roles = {str(template).lower() for row in answer.rows if (template := reading.get(row, "roleTemplateId"))}
    return {text(row, "id").lower() for row in answer.rows}, roles


def _decided(rows: Iterable[Row], person: Account, memberships: tuple[set[str], set[str]]) -> Iterator[AppliedPolicy]:
    """Decide each policy by its own words; what hangs on place, platform or risk stays undecided."""
    groups, roles = memberships
    for row in rows:
        if text(row, "state").lower() == "disabled":
            continue
        field(row, "conditions")
        conditions = inner(row, "conditions")
        users, apps = inner(conditions, "users"), inner(conditions, "applications")
        mine = {person.id.lower(), *groups, *roles}
        kinds = {kind.lower() for kind in _texts(conditions, "clientAppTypes")}
        concerned = (
            _names(users, mine, "include")
            and not _names(users, mine, "exclude")
            and (_app(apps, "includeApplications") or _stated(reading.get(apps, "applicationFilter")))
            and not _app(apps, "excludeApplications")
            and (not kinds or bool(kinds & {"all", _CLIENT}))  # one without this condition applies to every client
            and not _flows(conditions)
        )
        if concerned:
            yield AppliedPolicy(
                name=plain(text(row, "displayName"), 200),
                state=text(row, "state"),
                controls=tuple(_controls(row)),
                decided=not _depends(conditions),
                why="it hangs on place, platform, risk, device or a filter" if _depends(conditions) else "",
            )


def _texts(row: Row, name: str) -> set[str]:
    return set() if reading.get(row, name) is None else {item.lower() for item in words(row, name)}


def _flows(conditions: Row) -> bool:
    """Tell whether a policy is for sign-ins by device code or by transfer alone, which SMTP's never are."""
    methods = str(reading.get(inner(conditions, "authenticationFlows"), "transferMethods") or "none")
    return methods.lower() != "none"


def _names(users: Row, mine: set[str], way: str) -> bool:
    listed = _texts(users, f"{way}Users") | _texts(users, f"{way}Groups") | _texts(users, f"{way}Roles")
    return "all" in listed or bool(mine & listed)


def _app(apps: Row, listed: str) -> bool:
    return bool(_texts(apps, listed) & {"all", "office365", EXCHANGE})


def _depends(conditions: Row) -> bool:
    """Tell whether a policy has a condition that a sign-in by SMTP may meet in one place and not in another."""
    fields = ("locations", "platforms", "signInRiskLevels", "userRiskLevels", "insiderRiskLevels", "devices", "times")
    by_filter = _stated(reading.get(inner(conditions, "applications"), "applicationFilter"))
    return by_filter or any(_stated(reading.get(conditions, name)) for name in fields)


def _stated(value: Any) -> bool:
    """Tell whether a condition says anything: PowerShell writes one that is not set as an object of nulls."""
    if isinstance(value, dict):
        return any(_stated(part) for key, part in value.items() if key.lower() != "additionalproperties")
    return bool(value)
