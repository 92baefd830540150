"""What the suite needs to be granted to read a tenant, and what of that could write.

Least privilege by Microsoft's own list of permissions (microsoftgraph/microsoft-graph-devx-content, 2026-08). Nothing
here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
_GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
_TRACE_APP = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"  # Microsoft's own, which message trace asks by


@dataclass(frozen=True)
class Permission:
    """One application permission.

    Attributes:
        name: as Entra shows it.
        api: the resource that it belongs to.
        role: its id among that resource's application roles, where it is needed to grant it by a command.
        serves: the requirements that are unproven without it.
        why: what is read by it.
    """

    name: str
    api: str
    serves: tuple[str, ...]
    why: str


_G, _E = "Microsoft Graph", "Office 365 Exchange Online"
PERMISSIONS = (
    Permission("Policy.Read.All", _G, ("TEN-3", "TEN-4", "TEN-5"), "security defaults, Conditional Access, MFA state"),
    Permission("User.Read.All", _G, ("TEN-4", "TEN-6", "TEN-7"), "the senders: enabled, plans, password, groups"),
    Permission(
        "Domain.Read.All",
        _G,
        ("TEN-6", "DNS-1", "DNS-2"),
        "password validity; the tenant's own MX and SPF, else the site file's",
    ),
    Permission("AuditLog.Read.All", _G, ("TEN-12",), "the senders' sign-ins (Entra ID P1)"),
    Permission("Mail.ReadBasic.All", _G, ("DLV-1",), "where a test mail lies, and its headers; never its text"),
    Permission("ExchangeMessageTrace.Read.All", _G, ("DLV-1",), "quarantine, and recipients that can't be read"),
    Permission(
        "Exchange.ManageAsApp", _E, ("TEN-1", "TEN-2", "TEN-8", "TEN-10", "TEN-11"), "Exchange's settings, by the role"
    ),
)
OPENING = Permission(
    "Mail.Read", _G, ("DLV-2",), "whether a scan's attachment opens: for the test recipients alone, below"
)
SENDING = Permission("SMTP.SendAsApp", _E, ("SMTP-1",), 'only for senders with auth = "oauth": to sign in as them')
# The same in an engineer's own name. Mail.ReadBasic.All is for apps alone; another's mailbox, to which the engineer has
# access, is opened by Mail.Read.Shared (learn.microsoft.com/graph/outlook-share-messages-folders).
_DELEGATED = {"Mail.ReadBasic.All": "Mail.Read.Shared"}
SCOPES = tuple(_DELEGATED.get(it.name, it.name) for it in PERMISSIONS if it.api == _G)

# Directory roles by template id, from Entra's list of built-in roles.
READING_ROLES = {
    _GLOBAL_READER: "Global Reader",
    "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
    "0997a1d0-0d1d-4acb-b408-d5ca73121e90": "no role",  # stands in every app's token
    "b79fbf4d-3ef9-4689-8143-76b194e85509": "no role",  # and this in every user's
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
    "4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b": "Message Center Reader",
}
WRITING_ROLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "31392ffb-586c-42d1-9346-e59415a2cc4e": "Exchange Recipient Administrator",
}
# What a signed-in engineer's token holds besides; of the last two, the directory role decides, as of the app's.
_HARMLESS = frozenset({"openid", "profile", "offline_access", "email", "AdminApi.AccessAsUser.All", "Exchange.Manage"})


def lacking(graph: Iterable[str], exchange: Iterable[str]) -> list[Permission]:
    """Return the permissions that an app's tokens lack; one that contains another stands in for it."""
    have = {*graph, *exchange}
    if "Mail.Read" in have:
        have.add("Mail.ReadBasic.All")
    return [permission for permission in PERMISSIONS if permission.name not in have]


def writing(graph: Iterable[str], exchange: Iterable[str], roles: Iterable[str], *, sends: bool) -> Iterator[str]:
    """Return what permits more than reading, in words.

    Args:
        graph: permissions on Microsoft Graph.
        exchange: permissions on Exchange Online. Exchange.ManageAsApp alone permits nothing: the role decides.
        roles: directory roles, by template id.
        sends: whether a sender of the site signs in by OAuth, for which the app must be able to send.
    """
    for permission in graph:
        words = permission.split(".")
        if permission not in _HARMLESS and not (len(words) > 1 and words[1] in {"Read", "ReadBasic"}):
            yield permission
    needed = {"Exchange.ManageAsApp", *(["SMTP.SendAsApp"] if sends else [])}
    yield from (permission for permission in exchange if permission not in needed and permission not in _HARMLESS)
    for role in roles:
        if role.lower() not in READING_ROLES:
            yield f"directory role {WRITING_ROLES.get(role.lower(), f'{role}, which is not known as reading only,')}"


def table() -> str:
    """Return the list, and the commands to grant and to remove it, for ``scanproof requirements --permissions``."""
    rows = [(it.name, it.api, ", ".join(it.serves), it.why) for it in (*PERMISSIONS, OPENING, SENDING)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["What the suite's app needs, to read only; without one, just its cases are unproven:", ""]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(f"  {'  '.join(cells)}  {row[3]}")
    lines += [
        "",
        "Grant (PowerShell, as an administrator; block by block, not as a whole; not tried on a live tenant):",
        "",
        *_GRANT.strip().splitlines(),
    ]
    lines += ["", "Remove it again:", "", *_REMOVE.strip().splitlines()]
    return "\n".join(lines)


def _names(api: str) -> str:
    return ", ".join(f"'{permission.name}'" for permission in PERMISSIONS if permission.api == api)


_GRANT = f"""
$clientId = '…'   # the app's client id
$ErrorActionPreference = 'Stop'
Connect-MgGraph -Scopes Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All, RoleManagement.ReadWrite.Directory
$app = Get-MgServicePrincipal -Filter "appId eq '$clientId'"
if (-not $app) {{ throw "the app has no service principal in this tenant: New-MgServicePrincipal -AppId $clientId" }}
# For senders with auth = "oauth" add 'SMTP.SendAsApp' to the second list. For mail of the test recipients alone leave
# 'Mail.ReadBasic.All' out of the first, and see the last block.
foreach ($want in @{{ Api = '{GRAPH_APP}'; Names = {_names(_G)} }},
                  @{{ Api = '{EXCHANGE_APP}'; Names = {_names(_E)} }}) {{
  $api = Get-MgServicePrincipal -Filter "appId eq '$($want.Api)'"
  foreach ($role in $api.AppRoles | Where-Object Value -In $want.Names) {{
    New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -PrincipalId $app.Id `
      -ResourceId $api.Id -AppRoleId $role.Id
  }}
}}
# The role that lets it read Exchange's settings (Global Reader):
New-MgRoleManagementDirectoryRoleAssignment -PrincipalId $app.Id -DirectoryScopeId '/' `
  -RoleDefinitionId '{_GLOBAL_READER}'
# Message trace needs Microsoft's own service principal in the tenant, once:
New-MgServicePrincipal -AppId '{_TRACE_APP}'

# In Exchange: the mail of the test recipients alone (one RECIPIENT each, joined by -or), with the attachments of scans.
# It stands in for Mail.ReadBasic.All too; 'Application Mail.ReadBasic' opens no attachment.
Connect-ExchangeOnline
New-ServicePrincipal -AppId $clientId -ObjectId $app.Id
New-ManagementScope -Name 'Scanproof recipients' -RecipientRestrictionFilter "PrimarySmtpAddress -eq 'RECIPIENT'"
New-ManagementRoleAssignment -Name 'Scanproof mail' -App $app.Id -Role 'Application Mail.Read' `
  -CustomResourceScope 'Scanproof recipients'
"""
_REMOVE = f"""
$clientId = '…'   # the app's client id
$ErrorActionPreference = 'Stop'
Connect-MgGraph -Scopes Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All, RoleManagement.ReadWrite.Directory
$app = Get-MgServicePrincipal -Filter "appId eq '$clientId'"
$names = {_names(_G)}, {_names(_E)}, 'SMTP.SendAsApp'
$roles = foreach ($id in '{GRAPH_APP}', '{EXCHANGE_APP}') {{
  (Get-MgServicePrincipal -Filter "appId eq '$id'").AppRoles | Where-Object Value -In $names
}}
Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id | Where-Object AppRoleId -In $roles.Id |
  ForEach-Object {{
    Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -AppRoleAssignmentId $_.Id
  }}
Get-MgRoleManagementDirectoryRoleAssignment -Filter "principalId eq '$($app.Id)'" |
  Where-Object RoleDefinitionId -EQ '{_GLOBAL_READER}' | ForEach-Object {{
    Remove-MgRoleManagementDirectoryRoleAssignment -UnifiedRoleAssignmentId $_.Id
  }}
# Only if nobody else needs message trace by Graph:
Remove-MgServicePrincipal -ServicePrincipalId (Get-MgServicePrincipal -Filter "appId eq '{_TRACE_APP}'").Id

# Only if the scoped way was taken:
Connect-ExchangeOnline
Remove-ManagementRoleAssignment 'Scanproof mail'
Remove-ManagementScope 'Scanproof recipients'
Remove-ServicePrincipal $app.Id
"""
