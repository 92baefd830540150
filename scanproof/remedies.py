"""What to do, from what was observed: the remedies that differ by it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanproof.devices import pins
from scanproof.devices.logwords import BROKE_OFF, NO_CONNECTION
from scanproof.devices.rules import name_servers_of, other_certificate
from scanproof.inspection import signs
from scanproof.routes import agree
from scanproof.tenant.rules import behind, direct_senders, locking, to_retired, unheld

if TYPE_CHECKING:
    from scanproof.applications.facts import Connections
    from scanproof.devices.facts import EmailSettings, Identity, Scan
    from scanproof.devices.logs import OwnLog
    from scanproof.evidence import (
        Arrival,
        Egress,
        FoundMail,
        Lookup,
        MailRecords,
        SeenAddress,
        SignIn,
        Spf,
        WebPage,
    )
    from scanproof.hostfirewall.facts import HostRules
    from scanproof.replies import Meaning
    from scanproof.site import Application, Copier, Site
    from scanproof.subjects import Domain, NetSubject, Path
    from scanproof.tenant.facts import ConditionalAccess, HeldMailbox, Inward, Outward, PasswordExpiry, PolicyInForce

_MICROSOFT = "include:spf.protection.outlook.com"
EVALUATE = "let the app ask Entra's own evaluation (Policy.Read.All), with [[egress]] public_address and country stated"
OTHER_ROUTE = "it sends another way than stated: see its mail settings (a copier: DEV-2 to DEV-4), or correct its route"
READ_MAIL = "let the app read the test recipients' mail (scanproof requirements --permissions: Mail.Read)"
# Entra takes no policy that is on while security defaults are, but ones that only report: what replaces them is ready.
SECURITY_DEFAULTS = (
    "prepare Conditional Access policies in their place, in report-only mode: MFA for all, older protocols blocked, "
    "the sender left out of both (Entra ID P1). Then turn the defaults off, "
    "Update-MgPolicyIdentitySecurityDefaultEnforcementPolicy -IsEnabled:$false, and at once these policies on: none "
    "can be on before, and nothing protects the tenant between. Or use another route"
)
SCAN_AGAIN = "see the job's reason in LOG-2 and put that right; then make another scan from it to a test recipient"
BY_CERTIFICATE = (
    "a connector knows its senders by a certificate: show by a test mail from the copiers that it takes them"
)


def web(*pages: WebPage) -> str:
    """Say what to do about a device of which none of these pages answered."""
    if any(page.connected for page in pages):
        return "its web server hangs or fails: restart the copier, and look for newer firmware"
    if any(page.trouble_kind == "refused" for page in pages):
        return "the host is there: turn its web server on at its own panel, or find the rule that rejects the port"
    return "find the copier: power, cable, address, a changed DHCP lease, a rule between this machine and it"


OWN_RULE = "take this machine's own rule away and run again (HOST-1), or look from another machine of this subnet"


def own_firewall(seen: HostRules) -> str:
    """Say what to do about rules of this machine's own that stop mail, or may."""
    if any(rule.effect == "blocks" for rule in seen.rules):
        return (
            "turn the rule off for this run, or run from another machine of this subnet: it hides what the gateway does"
        )
    return "look whether the rule concerns this program and these ports, or turn it off for this run"


def look_up(*looks: Lookup) -> str:
    """Say what to do about look-ups that gave no usable answer."""
    unanswered = [look for look in looks if not look.told]
    if unanswered:
        asked, names = (
            ", ".join(dict.fromkeys(values))
            for values in (
                [look.resolver for look in unanswered],
                [f"{look.name} {look.type}" for look in unanswered],
            )
        )
        return (
            f"find out why {asked} gives no answer from here about {names} (a time-out is not the same as no record), "
            "and run again"
        )
    wrong = ", ".join(
        dict.fromkeys(f"{look.name} {look.type} leads to {_values(look)} by {look.resolver}" for look in looks)
    )
    return (
        f"correct what the name server tells inside: {wrong}. An internal zone, override or forwarder of the old "
        "server hides the public record there; to delete an internal zone takes its other names away too"
    )


def inside_zone(domain: Domain, inside: MailRecords, outside: MailRecords) -> str:
    """Say which record of the site's own name server must change, from what to what."""
    return (
        f"on {inside.mx.resolver}, change the MX of {domain.key} from {_values(inside.mx)} to {_values(outside.mx)}, "
        f"as {outside.mx.resolver} has it. Correct the record rather than delete the internal zone: all its other "
        "names would go with it"
    )


def _values(look: Lookup) -> str:
    return ", ".join(look.values) or look.status


def inspection(seen: Egress, way: Path) -> str:
    """Say what a network team has to exempt from inspection, what showed it, and where in its logs it is."""
    return (
        f"exempt {way.subnet.prefix} to {way.service.key} from SMTP inspection on the way: firewall, proxy or mail "
        f"guard. Seen: {'; '.join(signs(seen.door))}. In its log: {seen.logged}"
    )


def state(seen: SeenAddress, subnet: NetSubject) -> str:
    """Say how to state the public address that a subnet was seen by."""
    return f"state public_address = {seen.address!r} under [[egress]] of {subnet.key}, and run again"


def translated(seen: SeenAddress, subnet: NetSubject) -> str:
    """Say what to ask a network team about a subnet that leaves by another address than the stated one."""
    stated = subnet.subnet.public_address
    return (
        f"find why the firewall translates {subnet.key} to {seen.address} and not to {stated}: {seen.by} greets "
        f"{seen.source} so. If it is to stay, let SPF, the relay connector and Conditional Access know it, and "
        f"{state(seen, subnet)}"
    )


def spf(check: Spf) -> str:
    """Say how the SPF record must change: what it already says stays."""
    address = f"ip{6 if ':' in check.address else 4}:{check.address}"
    if not check.records:
        return f"publish one TXT record: v=spf1 {address} {_MICROSOFT} ~all, with every other address that sends"
    if len(check.records) > 1:
        return f"merge the {len(check.records)} SPF records into one that has all their terms, and {address}"
    if check.result == "permerror":
        return f"mend the record, {check.records[0]}: {check.trouble}"
    missing = [address] if check.result != "pass" else []
    missing += [] if check.includes_microsoft else [_MICROSOFT]
    return f"put {' '.join(missing)} before the “all” of the existing record, {check.records[0]}"


def arrival(seen: Arrival) -> str:
    """Say what to do about a test mail that isn't in the Inbox."""
    if seen.refused:
        return "correct the recipient's address, or let it take this mail"
    if seen.folder == "Quarantine":
        return "release it, and see SPF and DMARC (DNS-2, DNS-4) and the tenant's quarantine policy"
    if seen.folder and any(sign == "signed in" for sign, _ in seen.signs):
        return f"a rule of the mailbox or of the tenant moved it to {seen.folder}: look at both"
    if seen.folder:
        return f"it was filtered to {seen.folder}: see SPF and DMARC (DNS-2, DNS-4), then the tenant's filter and rules"
    return "look it up in the message trace by its Message-ID; it may be late, forwarded or dropped by a rule"


def another_way(seen: Arrival, route: str) -> str:
    """Say what to do about a mail that arrived by another route than it was sent by."""
    if route == "direct-send" and any(sign == "by connector" for sign, _ in seen.signs):
        return (
            "it arrived, by an inbound connector that holds this machine's public address: its subnet relays, so state "
            'route = "relay" under its [[subnet]] in site.toml'
        )
    return "look at the mail's headers: a rule or a gateway may have carried it another way"


def sign_in(seen: SignIn, why: Meaning) -> str:
    """Say what to do about a sign-in that failed: by its reply, or where the tenant gave no token to sign in by."""
    if seen.stage != "token":
        return why.remedy
    if "AADSTS7000222" in seen.trouble:  # the secret has expired
        return (
            "make a new client secret for the app (Entra admin center, App registrations, its secrets), then: "
            "scanproof secret set SCANPROOF_CLIENT_SECRET"
        )
    return "check [tenant] id and client_id in site.toml, and the app's client secret or certificate"


def word(text: str) -> str:
    """Return a name or address as one word of a PowerShell command to paste: in quotes where it needs them.

    Within single quotes PowerShell takes nothing but a quote for special, the typographic ones too; doubled it is one.
    """
    if re.fullmatch(r"[A-Za-z0-9/][A-Za-z0-9._@/+-]*", text):
        return text
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


def password_expiry(seen: PasswordExpiry, address: str) -> str:
    """Say how to have a password that never expires: where it is kept."""
    if seen.elsewhere:
        return (
            "have whoever keeps the organization's own directory exempt it (Active Directory: Set-ADUser -Identity "
            "NAME -PasswordNeverExpires $true), which this suite can't see; or give the copiers a sender of the cloud "
            "alone, with Update-MgUser -UserId ADDRESS -PasswordPolicies DisablePasswordExpiration"
        )
    return f"Update-MgUser -UserId {word(address)} -PasswordPolicies DisablePasswordExpiration"


def per_user_mfa(address: str) -> str:
    """Say how to switch per-user multi-factor authentication off for a sender."""
    path = word(f"/beta/users/{address}/authentication/requirements")
    return f"Invoke-MgGraphRequest -Method PATCH -Uri {path} -Body @{{perUserMfaState='disabled'}}"


def authentication_policy(seen: PolicyInForce, address: str) -> str:
    """Say how to let a sender sign in by password despite an authentication policy."""
    own = f"; or Set-AuthenticationPolicy -Identity {word(seen.name)} -AllowBasicAuthSmtp" if seen.of == "user" else ""
    return (
        "New-AuthenticationPolicy -Name 'Copiers' -AllowBasicAuthSmtp, then "
        f"Set-User -Identity {word(address)} -AuthenticationPolicy 'Copiers'{own}"
    )


def undecided(seen: ConditionalAccess) -> str:
    """Say how to find out about policies of which it is open whether they stop a sender."""
    if seen.grade == "inferred":
        return EVALUATE
    if not seen.country:
        return f"state country under [[egress]] of {seen.address}, and run again"
    names = ", ".join(f"“{policy.name}”" for policy in seen.undecided)
    return (
        f"look at {names} in Entra (Protection, Conditional Access): where it could stop a client that names no "
        "platform and no device, exclude the sender from it; else the sender's own sign-in log shows that it lets it in"
    )


def conditional_access(seen: ConditionalAccess, address: str) -> str:
    """Say how to let a sender past the policies that stop it."""
    names = ", ".join(f"“{policy.name}”" for policy in seen.stopping)
    return (
        f"exclude {address} from {names}, or make {seen.address} a trusted location and exclude that "
        "(Entra admin center, Protection, Conditional Access)"
    )


def account(seen: HeldMailbox, address: str) -> str:
    """Say what a sender's account lacks."""
    todo = []
    if not seen.has_mailbox:
        todo.append(
            f"give {address} a licence whose Exchange Online plan carries a mailbox (Microsoft 365 admin center, "
            "Users, Licenses and apps); it may take minutes until the mailbox is there"
        )
    if seen.account.enabled is False:
        todo.append(f"Update-MgUser -UserId {word(address)} -AccountEnabled:$true")
    return "; and ".join(todo)


def direct_send(seen: Inward, site: Site) -> str:
    """Say how to let mail without a sign-in in: from the addresses alone that send so, and that no connector holds."""
    addresses = unheld(seen, site) or direct_senders(site)
    listed = [address for address in addresses if ":" not in address]  # a connector holds IPv4 alone
    whose = "; ".join(f"{address}: {behind(address, site)}" for address in addresses)
    todo = []
    for lock in locking(seen, site.file.mail.domain):
        if lock.locks_addresses:
            each = ",".join(f"'{address}'" for address in listed) or "'ADDRESS'"
            todo.append(f"Set-InboundConnector -Identity {word(lock.name)} -SenderIPAddresses @{{Add={each}}}")
    todo.append(
        f"add a connector for {whose or 'the public address that sends so'}: New-InboundConnector -Name Copiers "
        f"-ConnectorType OnPremises -SenderDomains '*' -SenderIPAddresses {','.join(listed) or 'ADDRESS'} (which lets "
        "whoever sends from there relay as well)"
    )
    if seen.rejects_direct_send is not False:
        todo.append("Set-OrganizationConfig -RejectDirectSend $false (for everybody, and without that right)")
    return "; or ".join(todo)


def connector(seen: Inward, address: str) -> str:
    """Say how to have a connector for a public address: by the existing one where there is one to correct."""
    if ":" in address:
        return (
            "a connector holds IPv4 addresses alone: let this subnet's mail leave by IPv4, and state that address; or "
            "identify its mail by a certificate"
        )
    own = [it for it in seen.connectors if it.type.lower() == "onpremises"]
    disabled = next((it for it in own if it.holds(address)), None)
    if disabled:
        return f"Set-InboundConnector -Identity {word(disabled.name)} -Enabled $true"
    # One by certificate is another server's, such as a hybrid one's: an address added there would change that.
    by_address = sorted((it for it in own if it.addresses and not it.certificate), key=lambda it: not it.enabled)
    if by_address:
        enable = "" if by_address[0].enabled else " -Enabled $true"
        name = word(by_address[0].name)
        return f"Set-InboundConnector -Identity {name} -SenderIPAddresses @{{Add='{address}'}}{enable}"
    return (
        "New-InboundConnector -Name Copiers -ConnectorType OnPremises -SenderDomains '*' "
        f"-RestrictDomainsToIPAddresses $false -SenderIPAddresses {address}"
    )


def outward(seen: Outward, site: Site) -> str:
    """Say how to take the retired server out of the tenant's mail flow."""
    leading = to_retired(seen, site.file.mail.retired_hosts)
    todo = [f"Set-OutboundConnector -Identity {word(it.name)} -Enabled $false" for it in leading]
    if seen.domain_type.lower() != "authoritative":
        todo.append(f"Set-AcceptedDomain -Identity {site.file.mail.domain} -DomainType Authoritative")
    return "; ".join(todo)


def device(seen: Identity, copier: Copier) -> str:
    """Say what to do about a device that is not the listed one, or not the one that was known."""
    if other_certificate(seen):
        return (
            "if the certificate was renewed or the device exchanged on purpose, delete the line "
            f"{pins.line(copier)} from the site's {pins.FILE} and run again; else find out what answers there now"
        )
    return "correct the list, or find out who changed the device or its address"


def names(seen: Identity, copier: Copier, site: Site) -> str:
    """Say what a device's name servers and gateway must be: what is right stays."""
    listed, gone = name_servers_of(copier, site), set(site.file.mail.retired_hosts)
    todo = []
    if any(it in gone or (listed and it not in listed) for it in seen.name_servers):
        todo.append(f"DNS servers to {', '.join(listed) or 'those of its subnet ([[subnet]] resolvers states none)'}")
    if seen.gateway in gone:
        todo.append(f"its gateway, {seen.gateway}, to its subnet's router")
    return f"set {' and '.join(todo)} (Configuration, Network, IPv4)"


def hidden_certificate(copier: Copier) -> str:
    """Say what to do about a device that is known by its certificate and shows none."""
    return f"settle NET-3; if its HTTPS is off on purpose, delete {pins.line(copier)} from the site's {pins.FILE}"


def stray(seen: FoundMail) -> str:
    """Say what to do about a scan or report that isn't in the Inbox."""
    if not seen.folder:
        return "look it up in the message trace: a rule of the tenant or a filter took it after the service had it"
    return f"a rule or a filter put it into {seen.folder}: see the mailbox's rules, SPF and DMARC (DNS-2, DNS-4)"


def failed_scan(reason: str, copier: Copier, site: Site) -> str:
    """Say what to do about a scan that failed, by the device's own word for it."""
    if BROKE_OFF in reason:  # a connection came about, so no rule for its address drops it
        return (
            "it got a connection, which broke off: see EGR-3 of its subnet for what changes the dialogue on the way; "
            "where that passes, what it offers of TLS is not taken (DEV-9): its firmware, or port 25"
        )
    if NO_CONNECTION in reason:
        door = site.services[copier.route].key
        way = "EGR-1" if copier.route == "smtp-auth" else "EGR-2"
        return (
            f"see DEV-2 to DEV-6 and DEV-13, and {way} and EGR-4 of its subnet; where they pass, look for a rule of "
            f"the firewall for {copier.address} alone, in its log: {copier.address} to {door}"
        )
    return "see the job's reason; DEV-2 to DEV-6 and SMTP-1 name what may be wrong, such as its sign-in"


def scan(seen: Scan, copier: Copier) -> str:
    """Say what to do about a scan that arrived and proves nothing, or did not arrive."""
    if seen.folder != "Inbox":
        return stray(seen)
    return EMPTY if agree(seen.signs, copier.route) else OTHER_ROUTE


EMPTY = "open the mail: something on the way may strip attachments, or the device's format is another; then scan again"


def sign_in_settings(found: EmailSettings, copier: Copier) -> str:
    """Say what to set of how a device signs in."""
    to_do = []
    if copier.route != "smtp-auth":
        to_do += ["set SMTP Authentication to Off"] if found.auth else []
    else:
        to_do += [] if found.auth else ["set SMTP Authentication to On"]
        if (found.user or "").lower() != (copier.sender or "").lower():
            to_do.append(f"enter {copier.sender} as its user name, with its password")
        elif not found.auth:
            to_do.append(f"see that its user name is {copier.sender}, with its password")
    to_do += ["set POP before SMTP to Off"] if found.pop_before_smtp else []
    return f"on the e-mail page, {' and '.join(to_do)}"


def own_log(seen: OwnLog) -> str:
    """Say how to get a log of a device that proves something."""
    if "clock" in seen.why_not:
        return "set the copier's clock or SNTP (DEV-10); then make a scan, and run again"
    if "collects no log" in seen.why_not:
        return "turn its job log and access log on (Configuration, Logs), then make a scan, and run again"
    return "download the log again, or export it by hand: [[copier]] log"


def access_log(seen: OwnLog) -> str:
    """Say how to get a log that shows what was done in this run's session."""
    none = "or state why its model keeps no access log: [[copier]] no_access_log"
    if not seen.usable:
        return f"{own_log(seen)}; {none}" if "collects no log" in seen.why_not else own_log(seen)
    return f"run again; have its owner turn the access log on (Configuration, Logs), {none}"


def connections(seen: Connections, host: str) -> str:
    """Say how to get a table of connections that proves something."""
    if seen.mail and not any(look.told for look in seen.service):
        return look_up(*seen.service)
    if seen.mail:
        return (
            f"save the table again and run at once; if the address is still another, see what {host} has to do with it"
        )
    return "have the application send, and save the table meanwhile (a connection is gone within minutes)"


def table(application: Application) -> str:
    """Say how to get a table that is known to be of an application's machine."""
    if not application.address:
        return f"state address under [[application]] {application.name}: its machine's, as the table shows it"
    return "save the table on the application's machine"
