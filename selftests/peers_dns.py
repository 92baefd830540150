"""BIND as a peer: one program, two views, as a site whose inside and outside are told different things."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from selftests.peers import INSIDE, PUBLIC, Ground, ground

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = """
options {{
  directory "{folder}";
  pid-file none;
  session-keyfile none;
  listen-on port 53 {{ {public}; {inside}; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
  notify no;
}};
controls {{ }};
view outside {{
  match-destinations {{ {public}; }};
  zone "example" {{ type primary; file "outside.zone"; }};
  zone "broken.example" {{ type primary; file "nowhere.zone"; }};
}};
view inside {{
  match-destinations {{ {inside}; }};
  zone "example" {{ type primary; file "inside.zone"; }};
}};
"""

_HEAD = """$TTL 60
@ IN SOA ns.example. hostmaster.example. ( 1 3600 600 604800 60 )
@ IN NS ns.example.
ns IN A 198.51.100.53
northfield IN TXT "v=spf1 ip4:203.0.113.10 include:spf.northfield" ".example -all"
northfield IN TXT "a-verification=1"
_dmarc.northfield IN TXT "v=DMARC1; p=quarantine"
"""

# A stale zone of the time before the move.
_INSIDE = _HEAD + "northfield IN MX 10 mail.northfield\nmail.northfield IN A 10.20.10.25\n"

LONG = [f"string {number:02} " + "x" * 200 for number in range(20)]  # some 4,200 bytes: more than any datagram takes
_OUTSIDE = (
    _HEAD
    + """northfield IN MX 0 northfield-example.mail
northfield IN MX 20 backup.mail
northfield-example.mail IN A 198.51.100.26
spf.northfield IN TXT "v=spf1 ip4:198.51.100.0/26 ip6:2001:db8:5::/48 -all"
alias IN CNAME other
other IN CNAME real
real IN A 203.0.113.1
real IN A 203.0.113.2
real IN AAAA 2001:db8::1
lost IN CNAME nowhere
nullmx IN MX 0 .
many IN A 203.0.113.50
"""
    + "".join(f'long IN TXT "{text}"\n' for text in LONG)
)


def _strings(text: str) -> str:
    """Return a text as the strings of 255 bytes that a record is made of (RFC 1035 §3.3)."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


@contextmanager
def dns_peer(policies: dict[str, str], more: str = "") -> Iterator[Ground]:
    """Give a ground with BIND.

    Args:
        policies: SPF records by the name below ``example`` that publishes them.
        more: lines for the outside zone.
    """
    with ground("named") as made:
        records = "".join(f"{name} IN TXT {_strings(text)}\n" for name, text in policies.items())
        made.write("outside.zone", _OUTSIDE + records + more)
        made.write("inside.zone", _INSIDE)
        config = made.write("named.conf", _CONFIG.format(folder=made.folder, public=PUBLIC, inside=INSIDE))
        made.server("named", "-g", "-n", "1", "-c", str(config), address=PUBLIC, port=53)
        yield made
