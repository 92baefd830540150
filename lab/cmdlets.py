"""The rows that Exchange's Get- cmdlets return, from the tenant's state.

Property names are those of the cmdlets' reference. Only some of each object's properties are here.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.estate import Estate
    from lab.mailflow import Mailbox

Row = dict[str, Any]


class NotFoundInExchangeError(Exception):
    """No object has this identity, and the cmdlet says so; names it."""


def _transport_config(estate: Estate, _: str | None) -> list[Row]:
    tenant = estate.tenant
    return [
        {
            "Name": "Transport Settings",
            "Identity": "Transport Settings",
            "SmtpClientAuthenticationDisabled": tenant.smtp_auth_disabled,
            "AllowLegacyTLSClients": tenant.allows_legacy_tls or None,
            "MaxSendSize": "Unlimited",
            "MaxReceiveSize": "Unlimited",
        }
    ]


def _organization_config(estate: Estate, _: str | None) -> list[Row]:
    tenant = estate.tenant
    initial = next((domain.name for domain in tenant.domains.values() if domain.initial), estate.plan.domain)
    return [
        {
            "Name": initial,
            "Identity": initial,
            "Guid": tenant.id,
            "RejectDirectSend": tenant.reject_direct_send,
            "DefaultAuthenticationPolicy": tenant.default_authentication_policy,
            "OAuth2ClientProfileEnabled": True,
        }
    ]


def _cas_mailbox(estate: Estate, identity: str | None) -> list[Row]:
    boxes = list(estate.tenant.mailboxes.values())
    named = [box for box in boxes if identity and identity.casefold() in _names_of_box(estate, box)]
    return [
        {
            "Name": box.address.partition("@")[0],
            "Identity": box.address.partition("@")[0],
            "DisplayName": box.address.partition("@")[0],
            "PrimarySmtpAddress": box.primary,
            "EmailAddresses": [f"SMTP:{box.primary}", *([f"smtp:{box.address}"] if box.primary != box.address else [])],
            "SmtpClientAuthenticationDisabled": box.smtp_auth_disabled,
            "PopEnabled": False,
            "ImapEnabled": False,
            "MAPIEnabled": True,
            "OWAEnabled": True,
            "ActiveSyncEnabled": False,
            "Guid": _guid(f"{box.address}.mailbox"),
        }
        for box in named or boxes
    ]


def _names_of_box(estate: Estate, box: Mailbox) -> set[str]:
    account = estate.account(box.address)
    names = {box.address, box.primary, box.address.partition("@")[0], _guid(f"{box.address}.mailbox")}
    return {name.casefold() for name in names} | ({account.id} if account else set())


def _user(estate: Estate, identity: str | None) -> list[Row]:
    accounts = list(estate.tenant.accounts.values())
    if identity:
        key = identity.casefold()
        accounts = [
            part for part in accounts if key in {part.address.casefold(), part.id, part.address.partition("@")[0]}
        ]
        if not accounts:
            raise NotFoundInExchangeError(identity)
    return [
        {
            "Name": account.address.partition("@")[0],
            "Identity": account.address.partition("@")[0],
            "DisplayName": account.name,
            "UserPrincipalName": account.address,
            "WindowsEmailAddress": account.address if estate.mailbox(account.address) else "",
            "ExternalDirectoryObjectId": account.id,
            "AccountDisabled": not account.enabled,
            "RecipientTypeDetails": "UserMailbox" if estate.mailbox(account.address) else "User",
            "AuthenticationPolicy": account.authentication_policy,
        }
        for account in accounts
    ]


def _authentication_policy(estate: Estate, identity: str | None) -> list[Row]:
    policies = estate.tenant.authentication_policies
    named = [policy for policy in policies if identity and policy.name.casefold() == identity.casefold()]
    others = ("ActiveSync", "Autodiscover", "Imap", "Mapi", "OfflineAddressBook", "OutlookService", "Pop", "Powershell")
    return [
        {
            "Name": policy.name,
            "Identity": policy.name,
            "AllowBasicAuthSmtp": policy.allows_smtp,
            **{f"AllowBasicAuth{name}": False for name in others},
            "Guid": _guid(f"{policy.name}.policy"),
        }
        for policy in named or policies
    ]


def _inbound_connector(estate: Estate, identity: str | None) -> list[Row]:
    connectors = [part for part in estate.tenant.inbound if identity in {None, part.name}]
    if identity and not connectors:
        raise NotFoundInExchangeError(identity)
    return [
        {
            "Name": part.name,
            "Identity": part.name,
            "Enabled": part.enabled,
            "ConnectorType": part.kind,
            "ConnectorSource": "Default",
            "SenderIPAddresses": list(part.addresses),
            "TlsSenderCertificateName": part.certificate_name,
            "SenderDomains": list(part.sender_domains),
            "AssociatedAcceptedDomains": [],
            "RequireTls": part.requires_tls,
            "RestrictDomainsToIPAddresses": part.restricts_addresses,
            "RestrictDomainsToCertificate": part.restricts_certificate,
            "TreatMessagesAsInternal": part.internal,
            "CloudServicesMailEnabled": part.cloud_services,
            "Guid": _guid(f"{part.name}.inbound"),
        }
        for part in connectors
    ]


def _outbound_connector(estate: Estate, identity: str | None) -> list[Row]:
    connectors = [part for part in estate.tenant.outbound if identity in {None, part.name}]
    if identity and not connectors:
        raise NotFoundInExchangeError(identity)
    return [
        {
            "Name": part.name,
            "Identity": part.name,
            "Enabled": part.enabled,
            "ConnectorType": part.kind,
            "UseMXRecord": not part.smart_hosts,
            "SmartHosts": list(part.smart_hosts),
            "RecipientDomains": list(part.recipient_domains),
            "RouteAllMessagesViaOnPremises": False,
            "IsTransportRuleScoped": False,
            "Guid": _guid(f"{part.name}.outbound"),
        }
        for part in connectors
    ]


def _accepted_domain(estate: Estate, identity: str | None) -> list[Row]:
    domains = list(estate.tenant.domains.values())
    named = [domain for domain in domains if identity and domain.name.casefold() == identity.casefold()]
    return [
        {
            "Name": domain.name,
            "Identity": domain.name,
            "DomainName": domain.name,
            "DomainType": domain.kind,
            "Default": domain.default,
            "InitialDomain": domain.initial,
            "AuthenticationType": domain.authentication,
            "Guid": _guid(f"{domain.name}.accepted"),
        }
        for domain in named or domains
    ]


def _guid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name.casefold()))


# An Identity that is null, or that names nothing, returns every row of Get-CASMailbox, Get-AcceptedDomain and
# Get-AuthenticationPolicy (their reference says so). guess: the others say that there is no such object.
CMDLETS: dict[str, Callable[[Estate, str | None], list[Row]]] = {
    "Get-TransportConfig": _transport_config,
    "Get-OrganizationConfig": _organization_config,
    "Get-CASMailbox": _cas_mailbox,
    "Get-User": _user,
    "Get-AuthenticationPolicy": _authentication_policy,
    "Get-InboundConnector": _inbound_connector,
    "Get-OutboundConnector": _outbound_connector,
    "Get-AcceptedDomain": _accepted_domain,
}
