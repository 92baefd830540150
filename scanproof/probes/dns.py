"""DNS: a domain's mail records as the site and the world see them, and how a subnet resolves the mail hosts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from scanproof.evidence import Lookup, MailRecords, Resolution
from scanproof.kinds import Unproven, probe
from scanproof.redact import plain

if TYPE_CHECKING:
    from scanproof.gather import Run
    from scanproof.subjects import Domain, NetSubject

SYSTEM = "this machine's resolver"


async def look_up(run: Run, resolver: str, name: str, kind: Literal["A", "AAAA", "MX", "TXT"]) -> Lookup:
    """Ask one resolver one question, over UDP and then TCP where the answer is cut (RFC 7766).

    Args:
        run: the run.
        resolver: its IP address, or ``SYSTEM``.
        name: the name asked for; no search list is applied.
        kind: the record type.

    Returns:
        What came of it: a time-out is not the same as no record.
    """
    asked = Lookup(name=name, type=kind, resolver=resolver, status="failed")
    async with run.wire(f"resolver {resolver}", "dns"):
        try:
            answer = await _resolver(run, resolver).resolve(name, kind, search=False, raise_on_no_answer=True)
        except dns.resolver.NXDOMAIN:
            return asked.model_copy(update={"status": "no such name"})
        except dns.resolver.NoAnswer:
            return asked.model_copy(update={"status": "no such record"})
        except dns.resolver.LifetimeTimeout:
            seconds = run.network.deadlines.lookup
            return asked.model_copy(update={"status": "timed out", "trouble": f"no answer within {seconds:g} s"})
        except (dns.exception.DNSException, OSError) as error:
            trouble = plain(str(error) or type(error).__name__, 300)
            return asked.model_copy(update={"trouble": trouble})
    values = [_text(record, kind) for record in answer][:50]
    return asked.model_copy(update={"status": "answered", "values": tuple(sorted(values))})


def _resolver(run: Run, address: str) -> dns.asyncresolver.Resolver:
    if address == SYSTEM:
        resolver = dns.asyncresolver.Resolver()
    else:
        resolver = dns.asyncresolver.Resolver(configure=False)
        where, port = run.network.mapped(address, 53, udp=True)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(where, port)]
    resolver.lifetime = run.network.deadlines.lookup
    resolver.timeout = run.network.deadlines.lookup / 2  # one lost datagram is asked again
    return resolver


def _text(record: object, kind: str) -> str:
    if kind == "MX":
        return plain(f"{record.preference} {record.exchange.to_text(omit_final_dot=True)}", 300)  # type: ignore[attr-defined]
    if kind == "TXT":
        # One record's strings are joined without blanks (RFC 7208 §3.3).
        return plain(b"".join(record.strings).decode("utf-8", "replace"), 4000)  # type: ignore[attr-defined]
    return plain(str(record), 300)


async def _mail_records(run: Run, resolver: str, domain: str) -> MailRecords:
    mx, txt, dmarc = await asyncio.gather(
        look_up(run, resolver, domain, "MX"),
        look_up(run, resolver, domain, "TXT"),
        look_up(run, resolver, f"_dmarc.{domain}", "TXT"),
    )
    return MailRecords(mx=mx, txt=txt, dmarc=dmarc)


@probe(MailRecords, deadline=20)
async def public_records(domain: Domain, run: Run) -> MailRecords:
    """A domain's mail records as a public resolver gives them."""
    return await _mail_records(run, run.site.file.mail.public_resolver, domain.key)


@probe(MailRecords, deadline=20)
async def site_records(domain: Domain, run: Run) -> MailRecords:
    """A domain's mail records as the site's own resolver gives them."""
    return await _mail_records(run, site_resolver(run), domain.key)


def site_resolver(run: Run) -> str:
    """Return the site's own resolver: the first that it states, else this machine's."""
    stated = [address for subnet in run.site.subnets for address in subnet.resolvers]
    return stated[0] if stated else SYSTEM


@probe(Resolution, deadline=30)
async def resolution(subject: NetSubject, run: Run) -> Resolution:
    """How a subnet's resolvers resolve each mail host, asked from inside the subnet."""
    source = inside(subject, run)
    resolvers = subject.subnet.resolvers or (SYSTEM,)
    hosts = dict.fromkeys(service.host for service in run.site.services.values())
    lookups = await asyncio.gather(*(look_up(run, resolver, host, "A") for resolver in resolvers for host in hosts))
    return Resolution(source=source, lookups=tuple(lookups))


def inside(subject: NetSubject, run: Run) -> str:
    """Return this vantage's own address in a subnet.

    Raises:
        Unproven: it has none, so that nothing it sees proves anything about the subnet.
    """
    vantage = run.network.vantage
    if vantage.lab == "loopback":
        raise Unproven(
            "the loopback lab has no routing and no firewall to prove egress with",
            "on Linux: scanproof demo --network namespaces",
        )
    source = vantage.inside(subject.subnet)
    if source is None:
        raise Unproven(
            f"{vantage.name} has no address in this subnet, and a probe from elsewhere proves nothing about it",
            "run pytest --gather-only on a machine in that subnet, and judge that run here by --evidence",
        )
    return source
