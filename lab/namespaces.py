"""The lab's real network: a namespace for each place, a gateway with a firewall, real addresses and ports.

The gateway is this process's own namespace. The engineer's machine hangs on the first subnet's bridge, so
it reaches that subnet's copiers without the gateway, as a machine in the same office does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import linux, middlebox, tlsfiles
from lab.linux import NamespaceError
from lab.plan import engineers_address

if TYPE_CHECKING:
    from lab.estate import Estate, Rule

__all__ = ["NamespaceError", "Namespaces", "isolate"]

_LINK = ("100.64.0.1", "100.64.0.2")  # RFC 6598: gateway and cloud
_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_VERDICTS = {"drop": "drop", "reject": "reject with icmp type admin-prohibited", "reset": "reject with tcp reset"}
_state = {"user": False}


def isolate() -> None:
    """Leave the machine's network, before anything else is done.

    Raises:
        NamespaceError: this machine doesn't allow it.
    """
    linux.tool("ip", "iproute2")
    linux.tool("nft", "nftables")
    try:
        _state["user"] = linux.isolate()
    except OSError as error:
        raise NamespaceError(
            f"this machine allows no namespaces: {linux.says(error)}; 'python -m lab probe' names the remedy, "
            "--network loopback needs none"
        ) from None


@dataclass
class Place:
    """A namespace: its descriptor, the gateway's end of its cable, and its addresses."""

    name: str
    descriptor: int
    addresses: list[str] = field(default_factory=list)  # with prefix length
    routes: list[str] = field(default_factory=list)
    gateway: list[str] = field(default_factory=list)  # the gateway's addresses on the cable
    beside: str = ""  # the place whose subnet it is in too


@dataclass
class Namespaces:
    """The built network; a ``Net`` whose sockets have the site's own addresses."""

    estate: Estate
    places: dict[str, Place]
    where: dict[str, int]
    engineer: int

    @property
    def enter(self) -> dict[str, str | None]:
        """Return what another process enters to be the engineer's machine."""
        own = f"/proc/{os.getpid()}"
        return {
            "user": f"{own}/ns/user" if _state["user"] else None,
            "mnt": f"{own}/ns/mnt",  # its resolv.conf names the site's resolver
            "net": f"{own}/fd/{self.engineer}",
        }

    @classmethod
    def build(cls, estate: Estate) -> Namespaces:
        """Make every place of the site, its cables, and the gateway's rules.

        Raises:
            NamespaceError: a step failed; with what the program said.
        """
        places = _places(estate)
        engineer = engineers_address(estate.plan)
        first = ip_network(estate.plan.subnets[0].prefix)
        places["pc"] = Place("pc", linux.new_network(), [f"{engineer}/{first.prefixlen}"], beside="lan0")
        places["pc"].routes = list(places["lan0"].routes)
        ip, nft = linux.tool("ip", "iproute2"), linux.tool("nft", "nftables")
        linux.feed(None, [ip, "-batch", "-"], _cables(places))
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
        linux.feed(None, [nft, "-f", "-"], _rules(estate))
        for place in places.values():
            linux.feed(place.descriptor, [ip, "-batch", "-"], _inner(place))
        for name, text in _deaf(estate).items():
            linux.feed(places[name].descriptor, [nft, "-f", "-"], text)
        linux.feed(places["pc"].descriptor, [nft, "-f", "-"], _own_rules(estate))
        linux.inside(
            places["pc"].descriptor,
            lambda: Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0", encoding="ascii"),
        )
        resolver = next(iter(estate.resolvers))
        linux.own_mounts(
            {
                "/etc/resolv.conf": f"nameserver {resolver}\noptions timeout:2 attempts:1\n",
                "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
            }
        )
        where = {text.split("/")[0]: place.descriptor for place in places.values() for text in place.addresses}
        return cls(estate, places, where, places["pc"].descriptor)

    def listen(self, address: str, port: int, *, names: tuple[str, ...] = ()) -> socket.socket:
        del names  # the site's own name servers lead here
        sock = linux.inside(self.where[address], lambda: socket.create_server((address, port), backlog=64))
        sock.settimeout(0)
        return sock

    def refuse(self, address: str, port: int) -> None:
        """Do nothing: a port on which nobody listens is refused by itself."""

    def datagram(self, address: str, port: int) -> socket.socket:
        def bound() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, port))
            return sock

        sock = linux.inside(self.where[address], bound)
        sock.settimeout(0)
        return sock

    def outward(self, address: str, *, datagram: bool = False) -> socket.socket:
        def bound() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
            sock.bind((address, 0))
            return sock

        sock = linux.inside(self.where[address], bound)
        sock.settimeout(0)
        return sock

    def way(self, address: str, port: int, *, datagram: bool = False) -> tuple[str, int]:
        del datagram
        return address, port

    async def start_middleboxes(self) -> list[asyncio.Server]:
        """Open the gateway's mail-inspecting hops, to which its rules redirect."""
        servers: list[asyncio.Server] = []
        plan = self.estate.plan
        shown = None
        if any(box.intercepts_tls for box in self.estate.middleboxes):
            shown = tlsfiles.interceptor((plan.submission_host, plan.tenant_endpoint))
        for number, box in enumerate(self.estate.middleboxes):
            sock = socket.create_server(("0.0.0.0", middlebox.PORT + number))  # noqa: S104 - in our own namespace
            sock.settimeout(0)
            source = self.estate.public_address(box.source)
            servers.append(await asyncio.start_server(middlebox.hop(box, source, shown), sock=sock))
        return servers


def _places(estate: Estate) -> dict[str, Place]:
    plan, places = estate.plan, {}
    networks: list[tuple[str, IPv4Network]] = []
    for number, subnet in enumerate(plan.subnets):
        network = _v4(subnet.prefix)
        taken = {copier.address for copier in plan.copiers} | {engineers_address(plan)}
        taken |= {host.address for host in estate.far}
        gateway = _free(network, taken)
        alive = [c.address for c in estate.copiers.values() if c.alive and c.subnet == subnet.prefix]
        places[f"lan{number}"] = Place(
            f"lan{number}",
            linux.new_network(),
            [f"{address}/{network.prefixlen}" for address in alive],
            [f"default via {gateway}"],
            [f"{gateway}/{network.prefixlen}"],
        )
        networks.append((f"lan{number}", network))
    for number, host in enumerate(estate.far):
        lan = next((place for place, network in networks if ip_address(host.address) in network), None)
        if lan:
            length = places[lan].gateway[0].split("/")[1]
            own = Place(f"far{number}", linux.new_network(), [f"{host.address}/{length}"], list(places[lan].routes))
            own.beside = lan
            places[own.name] = own
    places["servers"] = Place("servers", linux.new_network())
    places["cloud"] = Place("cloud", linux.new_network(), [f"{_LINK[1]}/30"], [], [f"{_LINK[0]}/30"])
    publics = {estate.public_address(subnet.prefix) for subnet in plan.subnets}
    places["cloud"].routes = [f"{address}/32 via {_LINK[0]}" for address in publics]
    places["cloud"].gateway += [f"{address}/32" for address in publics]
    outside = {a for (_, kind), values in estate.zones.records["outside"].items() if kind == "A" for a in values}
    apart = {host.address for host in estate.far} - {
        text.split("/")[0] for p in places.values() for text in p.addresses
    }
    for address in sorted({*outside, *estate.resolvers, *apart}):
        _place(address, places, networks)
    return places


def _place(address: str, places: dict[str, Place], networks: list[tuple[str, IPv4Network]]) -> None:
    """Put a server's address where it belongs: a copiers' subnet, the servers' own, or the cloud."""
    lan = next((name for name, network in networks if ip_address(address) in network), None)
    if lan:
        places[lan].addresses.append(f"{address}/{places[lan].gateway[0].split('/')[1]}")
    elif any(ip_address(address) in network for network in _PRIVATE):
        network = _v4(f"{address}/24")
        gateway, servers = f"{_free(network, {address})}/24", places["servers"]
        servers.addresses.append(f"{address}/24")
        if gateway not in servers.gateway:
            servers.gateway.append(gateway)
            servers.routes = servers.routes or [f"default via {gateway.split('/', maxsplit=1)[0]}"]
    else:
        places["cloud"].addresses.append(f"{address}/32")


def _v4(prefix: str) -> IPv4Network:
    network = ip_network(prefix, strict=False)
    if not isinstance(network, IPv4Network):
        raise NamespaceError(f"{prefix}: the lab simulates IPv4 subnets only; use --network loopback")
    return network


def _free(network: IPv4Network, taken: set[str]) -> str:
    return next(str(host) for host in network.hosts() if str(host) not in taken)


def _cables(places: dict[str, Place]) -> str:
    """Return the gateway's side: a cable to each place, and a bridge for each subnet of several places."""
    own = f"/proc/{os.getpid()}/fd"
    bridges = {place.beside: f"br{number}" for number, place in enumerate(places.values()) if place.beside}
    lines = ["link set lo up"]
    for bridge in bridges.values():
        lines += [f"link add name {bridge} type bridge", f"link set {bridge} up"]
    for name, place in places.items():
        lines.append(f"link add name {name} type veth peer name eth0 netns {own}/{place.descriptor}")
        over = bridges.get(place.beside or name, "")
        if over:
            lines.append(f"link set {name} master {over}")
        lines.append(f"link set {name} up")
        lines += [f"address add {address} dev {over or name}" for address in place.gateway]
    return "\n".join([*lines, f"route add default via {_LINK[1]}"]) + "\n"


def _inner(place: Place) -> str:
    lines = ["link set lo up", *(f"address add {address} dev eth0" for address in place.addresses), "link set eth0 up"]
    return "\n".join([*lines, *(f"route add {route}" for route in place.routes)]) + "\n"


def _rules(estate: Estate) -> str:
    """Return the gateway's firewall and address translation, as nft reads it."""
    forward = [_rule(rule) for rule in estate.firewall]
    inside = "{ " + ", ".join(str(network) for network in _PRIVATE) + " }"  # mail inspection sits at the way out
    redirect = [
        f"ip saddr {box.source} ip daddr != {inside} tcp dport {box.port} redirect to :{middlebox.PORT + number}"
        for number, box in enumerate(estate.middleboxes)
    ]
    translate = [
        f'oifname "cloud" ip saddr {subnet.prefix} snat to {estate.public_address(subnet.prefix)}'
        for subnet in estate.plan.subnets
    ]
    chains: list[tuple[str, str, list[str]]] = [
        ("passing", "filter hook forward priority 0", forward),
        ("arriving", "nat hook prerouting priority -100", redirect),
        ("leaving", "nat hook postrouting priority 100", translate),
    ]
    lines = ["table ip lab {"]
    for name, hook, rules in chains:
        lines += [f"chain {name} {{", f"type {hook}; policy accept;", *rules, "}"]
    return "\n".join([*lines, "}"]) + "\n"


def _own_rules(estate: Estate) -> str:
    """Return the firewall of the engineer's machine: every office's has rules that concern nobody here."""
    rules = [f"tcp dport {port} counter drop" for port in estate.own_firewall]
    chain = ["type filter hook output priority 0; policy accept;", 'oifname "lo" accept', "tcp dport 23 drop", *rules]
    return "\n".join(["table inet own {", "chain leaving {", *chain, "}", "}"]) + "\n"


def _rule(rule: Rule) -> str:
    return f'oifname "cloud" ip saddr {rule.source} tcp dport {rule.port} counter {_VERDICTS[rule.action]}'


def _deaf(estate: Estate) -> dict[str, str]:
    """Return the rules of places in which a device answers no ping."""
    texts: dict[str, Any] = {}
    for number, subnet in enumerate(estate.plan.subnets):
        deaf = [c.address for c in estate.copiers.values() if c.subnet == subnet.prefix and not c.pings]
        if deaf:
            rules = [f"ip daddr {address} icmp type echo-request drop" for address in deaf]
            chain = ["chain arriving {", "type filter hook input priority 0; policy accept;", *rules, "}"]
            texts[f"lan{number}"] = "\n".join(["table ip lab {", *chain, "}"]) + "\n"
    return texts
