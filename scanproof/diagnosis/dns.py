"""Causes in DNS: where names lead, and which addresses the domain lets send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanproof.diagnosis.model import NETWORK, ZONE, cause
from scanproof.evidence import Alignment, Arrival, MailRecords, Resolution, Spf, Submission
from scanproof.replies import meaning

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
        return "DMARC's policy is to reject, and SPF does not let all of the site's addresses send", _of_record(it)
    return None


@cause("spf", "dns", ZONE, of="DNS-2 DNS-4 SMTP-2 DLV-1")
def spf(it: Seen) -> Told:
    """The record is missing, doubled, too long, or lacks an address of the site."""
    if not _is_of_spf(it):
        return None
    return "SPF does not let all of the site's public addresses send for the domain", _of_record(it)


def _is_of_spf(it: Seen) -> bool:
    """Whether a case fails for the domain's SPF: its own record, or a mail that was refused or filtered for it."""
    if not it.failed or it.case.requirement in {"DNS-2", "DNS-4"}:
        return it.failed
    if it.case.requirement == "SMTP-2":
        return meaning(it.facts(Submission).reply).name in {"spf", "dmarc"}
    arrival = it.facts(Arrival)
    if arrival.folder in {"", "Inbox"} or "++smtp-auth" in it.case.key:
        return False
    if arrival.headers:
        return spf_fails(arrival)
    # In quarantine nobody reads its headers: it is SPF's where no public address passes.
    checks = it.others("DNS-2", it.site.file.mail.domain)
    return bool(checks) and all(one.failed for one in checks)


def spf_fails(arrival: Arrival) -> bool:
    """Whether the recipient's own check of SPF did not pass (RFC 7208 §9.1, RFC 8601): a mail by sign-in has none."""
    results = [
        value.lower() for name, value in arrival.headers if name.lower() in {"authentication-results", "received-spf"}
    ]
    found = [match[1] for value in results if (match := re.match(r"(?:.*\bspf=)?([a-z]+)", value))]
    return bool(found) and "pass" not in found


def _of_record(it: Seen) -> str:
    """Return what DNS-2 says is to be done about the record."""
    told = [one.case.remedy for one in it.others("DNS-2", it.site.file.mail.domain) if one.failed]
    return told[0] if told else it.case.remedy
