"""Which copier sent a mail: told by what the mail itself carries, and only where it points to one device alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scanproof.site import Copier


@dataclass(frozen=True)
class Traces:
    """What of a mail can name its copier.

    Attributes:
        text: subject, sender's name and the beginning of the body.
        received: its Received headers.
        senders: the addresses that it is from: From, and Sender where that is another.
    """

    text: str
    received: tuple[str, ...]
    senders: frozenset[str] = frozenset()


def attribute(
    traces: Traces,
    copiers: Iterable[Copier],
    codes: dict[str, str],
    send_as: Mapping[str, frozenset[str]],
    domain: str,
    *,
    called: Mapping[str, str] | None = None,
) -> tuple[Copier, tuple[str, ...]] | None:
    """Return the copier that a mail is from, and what shows it; None where nothing does, or several fit.

    Anybody can write a host name into a mail: in its text alone, it counts only if the mail is from an address that
    the copier sends as. Other companies use the same host names and private addresses, and write about a device by its
    serial number: all that counts only if the mail is from none of theirs.

    A device may call itself otherwise than the list does. That name alone makes no mail its own, but it keeps one from
    being another copier's by nothing but the same name.

    Args:
        traces: of the mail.
        copiers: those of the site.
        codes: the one-time codes that were asked for at the panel: code to copier's key.
        send_as: by each sender's address, those that it may send as, its own among them.
        domain: the site's mail domain.
        called: the names that devices call themselves by, as far as they told: copier's key to name.
    """
    text = traces.text.lower()
    hops = " ".join(traces.received).lower()
    inside = _inside(traces.senders, send_as, domain)
    best: list[tuple[int, Copier, tuple[str, ...], bool]] = []
    for copier in copiers:
        shown = {
            f"the code {code} in its subject": 8
            for code, key in codes.items()
            if key == copier.key and _word(code, text)
        }
        if inside and copier.serial and _word(copier.serial, text):
            shown[f"serial {copier.serial}"] = 4
        own = _own(traces.senders, copier, send_as)
        itself = (called or {}).get(copier.key, "")
        listed = _by_name(copier.host_name, text, hops, inside=inside, own=own)
        renamed = not listed and _by_name(itself, text, hops, inside=inside, own=own)
        if listed or renamed:
            shown[f"host name {copier.host_name if listed else itself}"] = 2
        if inside and _word(copier.address, hops):
            shown[f"address {copier.address}"] = 3
        if shown:
            best.append((sum(shown.values()), copier, tuple(shown), renamed and len(shown) == 1))
    best.sort(key=lambda found: found[0], reverse=True)
    if not best or (len(best) > 1 and best[0][0] == best[1][0]) or best[0][3]:
        return None
    return best[0][1], best[0][2]


def _by_name(name: str, text: str, hops: str, *, inside: bool, own: bool) -> bool:
    """Tell whether a mail is from a host of this name.

    Args:
        name: of the host; empty where none is known.
        text: of the mail.
        hops: its Received headers.
        inside: the mail is from nobody outside the site.
        own: it is from an address that the copier sends as.
    """
    if not name:
        return False
    # With a domain behind it, a name may be another company's host: then whom the mail is from decides as well.
    there = _host(name, hops)
    bare = there and not re.search(rf"{re.escape(name.lower())}\.[0-9a-z]", hops)
    return (bare and inside) or (own and (there or _host(name, text)))


def may_be(
    traces: Traces, copier: Copier, names: Iterable[str], send_as: Mapping[str, frozenset[str]], domain: str
) -> bool:
    """Tell whether a mail is by one of these host names a copier's, if nobody else's is the same."""
    text, hops = traces.text.lower(), " ".join(traces.received).lower()
    inside, own = _inside(traces.senders, send_as, domain), _own(traces.senders, copier, send_as)
    return any(_by_name(name, text, hops, inside=inside, own=own) for name in names)


def _own(senders: frozenset[str], copier: Copier, send_as: Mapping[str, frozenset[str]]) -> bool:
    return bool(senders) and senders <= send_as.get(copier.sender or "", frozenset())


def _inside(senders: Iterable[str], send_as: Mapping[str, frozenset[str]], domain: str) -> bool:
    """Tell whether a mail is from nobody outside the domains that the site sends from."""
    stated = {address.rpartition("@")[2] for own, others in send_as.items() for address in (own, *others)}
    known = [f".{it.lower()}" for it in (*stated, domain)]
    return all(any(f".{address.rpartition('@')[2]}".endswith(it) for it in known) for address in senders)


def written(traces: Traces, copier: Copier) -> bool:
    """Tell whether a copier's host name stands in a mail's text, whoever wrote it there."""
    return bool(copier.host_name) and _host(copier.host_name, traces.text.lower())


def _host(name: str, text: str) -> bool:
    """Tell whether a host's name is in a text: whole, for copier-1 is not copier-1-b."""
    return bool(re.search(rf"(?<![0-9a-z._-]){re.escape(name.lower())}(?![0-9a-z_-])", text))


def _word(word: str, text: str) -> bool:
    return bool(re.search(rf"(?<![0-9a-z.]){re.escape(word.lower())}(?![0-9a-z]|\.\d)", text))
