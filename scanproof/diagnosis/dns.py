"""Causes in DNS: where names lead, and which addresses the domain lets send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.diagnosis.model import NETWORK, ZONE, cause
from scanproof.evidence import Alignment, Arrival, MailRecords, Resolution, Spf

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen, Told


@cause("resolver-silent", "dns", NETWORK, of="EGR-4 DNS-1 DNS-2 DNS-3 DNS-4")
def resolver_silent(it: Seen) -> Told:
    """A name server that doesn't answer says nothing about what it would have answered."""
    if it.judged(Resolution) and any(not look.told for look in it.facts(Resolution).lookups):
        return RESOLVER_SILENT
    records = [one.mx for one in it.every(MailRecords) if not one.mx.told]
    if any(look.resolver != it.site.file.mail.public_resolver for look in records):
        return RESOLVER_SILENT
    checks = any(one.result == "temperror" for one in it.every(Spf)) or any(not one.told for one in it.every(Alignment))
    return "The public name server does not answer" if records or checks else None


RESOLVER_SILENT = "A name server of the site does not answer"


@cause("split-dns", "dns", NETWORK, of="EGR-4 DNS-3")
def split_dns(it: Seen) -> Told:
    """The site's own name server leads mail elsewhere than the public one does."""
    return "The site's own name server leads mail to another server than the public ones do" if it.failed else None


@cause("mx-not-tenant", "dns", ZONE, of="DNS-1")
def mx_not_tenant(it: Seen) -> Told:
    """Mail from outside doesn't reach the tenant."""
    return "The domain's MX does not lead to the tenant" if it.failed else None


@cause("dmarc", "dns", ZONE, of="DNS-2 DNS-4 SMTP-2 DLV-1")
def dmarc(it: Seen) -> Told:
    """A policy that rejects, and an SPF record that doesn't let the site's address send."""
    domain = it.site.file.mail.domain
    policies = [one.facts(Alignment).policy for one in it.others("DNS-4", domain) if one.failed]
    if "reject" in policies and _is_of_spf(it):
        return "DMARC's policy is to reject, and SPF does not let all of the site's addresses send"
    return None


@cause("spf", "dns", ZONE, of="DNS-2 DNS-4 DLV-1")
def spf(it: Seen) -> Told:
    """The record is missing, doubled, too long, or lacks an address of the site."""
    return "SPF does not let all of the site's public addresses send for the domain" if _is_of_spf(it) else None


def _is_of_spf(it: Seen) -> bool:
    """Whether a case fails for the domain's SPF: its own record, or a mail without a sign-in that Junk took."""
    if not it.failed or it.case.requirement in {"DNS-2", "DNS-4"}:
        return it.failed
    if it.case.requirement == "DLV-1" and (it.facts(Arrival).folder in {"", "Inbox"} or _is_signed(it)):
        return False
    return "++smtp-auth" not in it.case.key and it.fails("DNS-2", it.site.file.mail.domain)


def _is_signed(it: Seen) -> bool:
    return any(sign == "signed in" for sign, _ in it.facts(Arrival).signs)
