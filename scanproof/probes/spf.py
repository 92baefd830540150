"""SPF evaluation for one address (RFC 7208), with the count of look-ups that the limit of ten is about."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from scanproof.evidence import Alignment, Lookup, Spf
from scanproof.kinds import Unproven, probe
from scanproof.probes import smtp
from scanproof.probes.dns import look_up, public_records
from scanproof.scope import domain_egresses
from scanproof.subjects import Domain, DomainEgress, DoorSubject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.gather import Run
    from scanproof.site import Subnet

LIMIT = 10  # terms that cause a look-up (§4.6.4)
VOID_LIMIT = 2  # look-ups that find nothing (§4.6.4)

Result = Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]
_QUALIFIERS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MODIFIER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.-]*)=(?P<value>.*)\Z")
_TERM = re.compile(
    r"(?P<qualifier>[+\-~?]?)(?:(?P<all>all)|(?P<ip>ip[46]):(?P<network>[0-9a-f:./]+)"
    r"|(?P<to>include|exists):(?P<of>\S+)"
    r"|(?P<name>a|mx|ptr)(?::(?P<value>[^/\s]+))?(?:/(?P<v4>\d{1,2}))?(?://(?P<v6>\d{1,3}))?)\Z",
    re.IGNORECASE,
)
_MACRO = re.compile(
    r"%(?:(?P<literal>[%_-])|\{(?P<letter>[sldivpoh])(?P<keep>\d*)(?P<turn>r?)(?P<at>[.\-+,/_=]*)\})", re.IGNORECASE
)
_LITERAL = {"%": "%", "_": " ", "-": "%20"}


class _End(Exception):  # noqa: N818 - ends the evaluation with a result
    def __init__(self, result: Result, why: str) -> None:
        super().__init__(why)
        self.result, self.why = result, why


@dataclass
class Evaluation:
    """One evaluation of a domain's policy for one address.

    Attributes:
        address: the address that would send.
        sender: the envelope sender, which macros may name (§7).
        ask: looks a name and record type up.
        lookups: terms that cost a look-up so far.
        includes: every domain whose record was read by include or redirect.
    """

    address: str
    ask: Callable[[str, Literal["A", "AAAA", "MX", "TXT"]], Awaitable[Lookup]]
    sender: str = ""
    lookups: int = 0
    void: int = 0
    includes: list[str] = field(default_factory=list)

    async def check(self, domain: str) -> Spf:
        """Evaluate from a domain's own record on.

        Returns:
            The result, with what decided it. ``temperror`` where a resolver gave no answer.
        """
        records: tuple[str, ...] = ()
        try:
            records = await self._records(domain)
            result, why = await self._policy(domain, records)
            trouble = ""
        except _End as end:
            result, why, trouble = end.result, "", end.why
        return Spf(
            domain=domain,
            address=self.address,
            result=result,
            records=records,
            matched=why,
            lookups=self.lookups,
            includes=tuple(self.includes),
            trouble=trouble,
        )

    async def _records(self, domain: str) -> tuple[str, ...]:
        found = await self.ask(domain, "TXT")
        if not found.told:
            raise _End("temperror", found.seen)
        return tuple(value for value in found.values if re.match(r"v=spf1( |\Z)", value, re.IGNORECASE))

    async def _policy(self, domain: str, records: tuple[str, ...]) -> tuple[Result, str]:
        if not records:
            return "none", f"{domain} publishes no SPF record"
        if len(records) > 1:
            raise _End("permerror", f"{domain} publishes {len(records)} SPF records where one is allowed (§4.5)")
        terms, redirect = _parsed(domain, records[0])
        for term in terms:
            if await self._matches(domain, term):
                return _QUALIFIERS[term["qualifier"] or "+"], f"“{term[0]}” of {domain}"
        if redirect:
            self._cost(f"redirect={redirect}")
            target = self._expanded(redirect, domain)
            self.includes.append(target)
            result, why = await self._policy(target, await self._records(target))
            if result == "none":
                raise _End("permerror", f"redirect to {target}, which publishes no SPF record (§6.1)")
            return result, why
        return "neutral", f"nothing in the record of {domain} matches"

    async def _matches(self, domain: str, term: re.Match[str]) -> bool:
        if term["all"]:
            return True
        if term["ip"]:
            return self._in(term["network"])
        self._cost(f"“{term[0]}” of {domain}")
        if term["to"]:
            target = self._expanded(term["of"], domain)
            return (
                bool(await self._values(target, "A"))
                if term["to"].lower() == "exists"
                else await self._include(target, domain)
            )
        name, target = term["name"].lower(), self._expanded(term["value"] or domain, domain)
        if name == "ptr":
            return False  # "do not use" (§5.5); a match would need the address's own reverse zone
        hosts = [target]
        if name == "mx":
            hosts = [entry.split()[-1] for entry in await self._values(target, "MX")]
            if len(hosts) > LIMIT:
                raise _End("permerror", f"“{term[0]}” of {domain} leads to more than {LIMIT} mail hosts (§4.6.4)")
        kind: Literal["A", "AAAA"] = "AAAA" if ":" in self.address else "A"
        length = term["v6"] or "128" if kind == "AAAA" else term["v4"] or "32"
        for host in hosts:
            if any(self._in(f"{found}/{length}") for found in await self._values(host, kind)):
                return True
        return False

    async def _include(self, included: str, domain: str) -> bool:
        # One that is included in a circle ends at the limit of look-ups; twice is allowed.
        self.includes.append(included)
        result, _ = await self._policy(included, await self._records(included))
        if result == "none":
            raise _End("permerror", f"{domain} includes {included}, which publishes no SPF record (§5.2)")
        return result == "pass"

    def _expanded(self, text: str, domain: str) -> str:
        """Return a domain with its macros expanded (§7)."""
        local, _, at = self.sender.rpartition("@")
        dotted = self.address
        if ":" in dotted:
            dotted = ".".join(ipaddress.ip_address(dotted).exploded.replace(":", ""))
        values = {"s": self.sender, "l": local, "o": at, "h": at, "d": domain, "i": dotted}
        values["v"] = "ip6" if ":" in self.address else "in-addr"
        values["p"] = "unknown"  # "do not use" (§7.3): a validated name would need the address's own reverse zone

        def put(found: re.Match[str]) -> str:
            if found["literal"]:
                return _LITERAL[found["literal"]]
            parts = re.split(f"[{re.escape(found['at'] or '.')}]", values[found["letter"].lower()])
            parts = parts[::-1] if found["turn"] else parts
            return ".".join(parts[-int(found["keep"] or len(parts)) :])

        expanded = _MACRO.sub(put, text)
        if "%{" in expanded:
            raise _End("permerror", f"“{text}” in the record of {domain} holds a macro that does not exist (§7.2)")
        return expanded

    async def _values(self, name: str, kind: Literal["A", "AAAA", "MX"]) -> tuple[str, ...]:
        found = await self.ask(name, kind)
        if not found.told:
            raise _End("temperror", found.seen)
        if not found.values:
            self.void += 1
            if self.void > VOID_LIMIT:
                raise _End("permerror", f"more than {VOID_LIMIT} look-ups found nothing (§4.6.4)")
        return found.values

    def _in(self, network: str) -> bool:
        return ipaddress.ip_address(self.address) in ipaddress.ip_network(network, strict=False)

    def _cost(self, what: str) -> None:
        self.lookups += 1
        if self.lookups > LIMIT:
            raise _End("permerror", f"more than {LIMIT} look-ups: {what} would be one too many (§4.6.4)")


def _parsed(domain: str, record: str) -> tuple[list[re.Match[str]], str]:
    """Return a record's mechanisms and its redirect; one wrong word makes the whole record void (§4.6)."""
    terms: list[re.Match[str]] = []
    redirects: list[str] = []
    for word in record.split()[1:]:
        if modifier := _MODIFIER.match(word):
            redirects += [modifier["value"]] if modifier["name"].lower() == "redirect" else []
            continue
        term = _TERM.match(word)
        if term is None or not _sound(term):
            raise _End("permerror", f"“{word}” in the record of {domain} is not a mechanism (§4.6)")
        terms.append(term)
    if len(redirects) > 1 or redirects == [""]:
        raise _End("permerror", f"the record of {domain} holds a redirect that is empty, or two (§6)")
    return terms, "".join(redirects)


def _sound(term: re.Match[str]) -> bool:
    """Tell whether a mechanism's address and prefix lengths can be."""
    if int(term["v4"] or 0) > 32 or int(term["v6"] or 0) > 128:
        return False
    try:
        return not term["ip"] or ipaddress.ip_network(term["network"], strict=False).version == int(term["ip"][2])
    except ValueError:
        return False


@probe(Spf, deadline=60)
async def spf(subject: DomainEgress, run: Run) -> Spf:
    """Whether SPF lets mail of the domain pass from a public address of the site."""
    address = subject.public_address or await seen_address(subject.subnets, run)
    resolver = run.site.file.mail.public_resolver

    async def ask(name: str, kind: Literal["A", "AAAA", "MX", "TXT"]) -> Lookup:
        if (name, kind) == (subject.domain, "TXT"):
            return (await run.gather(public_records, Domain(subject.domain))).txt
        return await look_up(run, resolver, name, kind)

    sender = next((sender.address for sender in run.site.file.sender), f"postmaster@{subject.domain}")
    return await Evaluation(address, ask, sender).check(subject.domain)


async def seen_address(subnets: tuple[Subnet, ...], run: Run) -> str:
    """Return the public address that the mail service saw a connection from one of these subnets come from.

    Raises:
        Unproven: this machine stands in none of them, or the service did not tell.
    """
    mine = [subnet for subnet in subnets if run.network.vantage.inside(subnet)]
    for service in run.site.services.values() if mine else ():
        door = await run.gather(smtp.door, DoorSubject(service))
        if door.seen_as:
            return door.seen_as
    raise Unproven(
        f"the public address of {subnets[0].label} is not known",
        "state it as [[egress]] public_address in site.toml, or run from inside that subnet",
    )


@probe(Alignment, deadline=60)
async def alignment(domain: Domain, run: Run) -> Alignment:
    """What the published DMARC policy would make of unsigned scans from each public address."""
    records = await run.gather(public_records, domain)
    policy = ""
    for value in records.dmarc.values:
        found = re.match(r"v=DMARC1\s*;.*?\bp=(\w+)", value, re.IGNORECASE)
        policy = found.group(1).lower() if found else policy
    sending = [choice.subject for choice in domain_egresses(run.site) if choice.needed]
    checks = await asyncio.gather(*(_known(run, subject) for subject in sending))
    return Alignment(policy=policy, record=records.dmarc, spf=tuple(check for check in checks if check))


async def _known(run: Run, subject: DomainEgress) -> Spf | None:
    try:
        return await run.gather(spf, subject)
    except Unproven:  # DNS-2 says so of this address
        return None
