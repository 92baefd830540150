"""Which copier sent a mail: told by what the mail itself carries, and only where it points to one device alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scanproof.site import Copier


@dataclass(frozen=True)
class Traces:
    """What of a mail can name its copier.

    Attributes:
        text: subject, sender's name and the beginning of the body.
        received: its Received headers.
    """

    text: str
    received: tuple[str, ...]


def attribute(
    traces: Traces, copiers: Iterable[Copier], codes: dict[str, str]
) -> tuple[Copier, tuple[str, ...]] | None:
    """Return the copier that a mail is from, and what shows it; None where nothing does, or several fit.

    Args:
        traces: of the mail.
        copiers: those of the site.
        codes: the one-time codes that were asked for at the panel: code to copier's key.
    """
    text = traces.text.lower()
    hops = " ".join(traces.received).lower()
    best: list[tuple[int, Copier, tuple[str, ...]]] = []
    for copier in copiers:
        shown = {
            f"the code {code} in its subject": 8
            for code, key in codes.items()
            if key == copier.key and _word(code, text)
        }
        if copier.serial and _word(copier.serial, text):
            shown[f"serial {copier.serial}"] = 4
        if copier.host_name and (_word(copier.host_name, text) or _word(copier.host_name, hops)):
            shown[f"host name {copier.host_name}"] = 2
        if _word(copier.address, hops):
            shown[f"address {copier.address}"] = 3
        if shown:
            best.append((sum(shown.values()), copier, tuple(shown)))
    best.sort(key=lambda found: found[0], reverse=True)
    if not best or (len(best) > 1 and best[0][0] == best[1][0]):
        return None
    return best[0][1], best[0][2]


def _word(word: str, text: str) -> bool:
    return bool(re.search(rf"(?<![0-9a-z.]){re.escape(word.lower())}(?![0-9a-z]|\.\d)", text))
