"""DNS: a domain's mail records as the site and the world see them, and how a subnet resolves the mail hosts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

from scanproof.evidence import Lookup, MailRecords, Resolution
from scanproof.kinds import Unproven, probe
from scanproof.redact import plain
from scanproof.troubles import away, no_route, not_tried, own_limit
from scanproof.vantage.standing import from_inside, own_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    from scanproof.gather import Run
    from scanproof.network import Network
    from scanproof.subjects import Domain, NetSubject
    from scanproof.vantage.standing import Standing

SYSTEM = "this machine's resolver"


Kind = Literal["A", "AAAA", "MX", "TXT"]


async def look_up(run: Run, resolver: str, name: str, kind: Kind, network: Network | None = None) -> Lookup:
    """Ask one resolver one question, over UDP and then TCP where the answer is cut (RFC 7766).

    Args:
        run: the run.
        resolver: its IP address, or ``SYSTEM``.
        name: the name asked for; no search list is applied.
        kind: the record type.
        network: another vantage's, from which it is asked over TCP alone (RFC 7766 §5): SSH forwards nothing else.

    Returns:
        What came of it: a time-out is not the same as no record.

    Raises:
        Unproven: this machine can't open one more connection, or has no route there.
    """
    asked = Lookup(name=name, type=kind, resolver=resolver, status="failed")
    if network:
        async with run.wire(f"resolver {resolver} from {network.vantage.name}", "dns"):
            return await _from_afar(network, asked, kind)
    asker: dns.asyncresolver.Resolver | None = None
    async with run.wire(f"resolver {resolver}", "dns"):
        try:
            asker = _resolver(run, resolver)
            answer = await asker.resolve(name, kind, search=False, raise_on_no_answer=True)
        except dns.resolver.NXDOMAIN:
            return asked.model_copy(update={"status": "no such name"})
        except dns.resolver.NoAnswer:
            return asked.model_copy(update={"status": "no such record"})
        except dns.resolver.LifetimeTimeout:
            return _silent(asked, run.network.deadlines.lookup)
        except (dns.exception.DNSException, OSError) as error:
            if limit := own_limit(error) or next(filter(None, map(own_limit, _behind(error))), ""):
                raise not_tried(limit) from None
            servers = asker.nameservers if asker else ()
            asked_at = [it if isinstance(it, str) else it.answer_nameserver() for it in servers]
            if (words := [no_route(server) for server in asked_at]) and all(words):
                raise away(", ".join(asked_at), words[0]) from None
            trouble = plain(str(error) or type(error).__name__, 300)
            return asked.model_copy(update={"trouble": trouble})
    return _answered(asked, answer, kind)


async def _from_afar(network: Network, asked: Lookup, kind: Kind) -> Lookup:
    """Ask over a connection that another host makes."""
    query, loop = dns.message.make_query(asked.name, kind), asyncio.get_running_loop()
    data, seconds = query.to_wire(), network.deadlines.lookup
    try:
        async with asyncio.timeout(seconds):
            with await network.connect(asked.resolver, 53, timeout=seconds) as sock:
                await loop.sock_sendall(sock, len(data).to_bytes(2, "big") + data)
                size = int.from_bytes(await _exactly(sock, 2), "big")
                response = dns.message.from_wire(await _exactly(sock, size))
        if not query.is_response(response):
            return asked.model_copy(update={"trouble": "the answer is not to this question"})
        if response.rcode() == dns.rcode.NXDOMAIN:
            return asked.model_copy(update={"status": "no such name"})
        if response.rcode() != dns.rcode.NOERROR or not isinstance(response, dns.message.QueryMessage):
            return asked.model_copy(update={"trouble": f"it answers {dns.rcode.to_text(response.rcode())}"})
        found = response.resolve_chaining().answer
    except TimeoutError:
        return _silent(asked, seconds)
    except (dns.exception.DNSException, OSError) as error:
        return asked.model_copy(update={"trouble": plain(str(error) or type(error).__name__, 300)})
    return _answered(asked, found, kind) if found else asked.model_copy(update={"status": "no such record"})


def _behind(error: Exception) -> Iterator[BaseException]:
    """Yield what came of each question, where a resolver sums up that none was answered."""
    told = error.kwargs.get("errors") if isinstance(error, dns.exception.DNSException) else None
    for asked in told or ():
        yield from (part for part in asked if isinstance(part, BaseException))


def _silent(asked: Lookup, seconds: float) -> Lookup:
    return asked.model_copy(update={"status": "timed out", "trouble": f"no answer within {seconds:g} s"})


def _answered(asked: Lookup, records: Iterable[object], kind: Kind) -> Lookup:
    values = [_text(record, kind) for record in records][:50]
    return asked.model_copy(update={"status": "answered", "values": tuple(sorted(values))})


async def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
        if not part:
            raise ConnectionResetError("the resolver closed the connection before its answer was whole")
        data += part
    return data


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
    return await from_inside(subject.subnet, run, lambda where: _resolved(subject, where, run))


async def _resolved(subject: NetSubject, where: Standing, run: Run) -> Resolution:
    far = where.network if where.via else None
    resolvers = subject.subnet.resolvers or (SYSTEM,)
    if far and not subject.subnet.resolvers:
        raise Unproven(
            f"the site states no resolvers of {subject.subnet.prefix}, and {where.source} tells none over SSH",
            "state the copiers' name servers as resolvers under its [[subnet]]",
        )
    hosts = dict.fromkeys(service.host for service in run.site.services.values())
    for resolver in resolvers if far else ():
        await own_address(where, subject.subnet, resolver, 53, run)
    asked = [look_up(run, resolver, host, "A", far) for resolver in resolvers for host in hosts]
    lookups = await asyncio.gather(*asked)
    if far and (silent := [look for look in lookups if not look.told]):
        raise Unproven(
            f"{silent[0].seen}, over TCP, which is all that SSH forwards; over UDP it may answer",
            "look from a machine of that subnet (pytest --gather-only), or let its name server answer over TCP",
            "resolver-silent",
        )
    return Resolution(source=where.source, grade="forwarded" if far else "same-subnet", lookups=tuple(lookups))
