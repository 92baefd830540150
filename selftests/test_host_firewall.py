"""HOST-1: what this machine's own firewall says of its way to the mail hosts, by outputs of the systems' tools."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lab import linux, probe
from scanproof.hostfirewall import iptables, nft, windows
from scanproof.hostfirewall import probe as asking
from scanproof.hostfirewall.packet import Chain, Packet, Part, Rule, meets
from scanproof.kinds import Unproven

HOST, RELAY = "198.51.100.25", "198.51.100.26"
SUBMIT = Packet(HOST, 587, "10.20.90.10", uid=1000, gid=1000)
SMTP = Packet(RELAY, 25, "10.20.90.10", uid=1000, gid=1000)


def told(chains: list[Chain], packet: Packet) -> str:
    """Return the effect of what was found, in one word."""
    found = meets(chains, packet)
    return found[0].effect if found else ""


# ---- nftables: the JSON is what nft 1.0.6 printed for the rules of the comments


def port(*numbers: object, op: str = "==", protocol: str = "tcp") -> dict[str, Any]:
    right: Any = {"set": list(numbers)} if len(numbers) > 1 else numbers[0]
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": "dport"}}, "right": right}}


def to(right: object, op: str = "==", protocol: str = "ip") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": "daddr"}}, "right": right}}


def meta(key: str, right: object, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


def state(right: object, op: str = "in") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"ct": {"key": "state"}}, "right": right}}


DROP: dict[str, Any] = {"drop": None}
ACCEPT: dict[str, Any] = {"accept": None}
REJECT: dict[str, Any] = {"reject": {"type": "icmpx", "expr": 3}}
LIMIT: dict[str, Any] = {"limit": {"rate": 10, "burst": 5, "per": "minute", "inv": True}}
COUNTER: dict[str, Any] = {"counter": {"packets": 0, "bytes": 0}}
SETS: list[dict[str, Any]] = [
    {
        "set": {
            "family": "inet",
            "name": "ports",
            "table": "host",
            "type": "inet_service",
            "elem": [25, {"range": [465, 600]}],
        }
    },
    {
        "set": {
            "family": "inet",
            "name": "bad",
            "table": "host",
            "type": "ipv4_addr",
            "elem": [{"prefix": {"addr": "198.51.100.0", "len": 24}}, {"range": ["203.0.113.1", "203.0.113.9"]}],
        }
    },
    {
        "set": {
            "family": "inet",
            "name": "dyn",
            "table": "host",
            "type": "ipv4_addr",
            "elem": [{"elem": {"val": HOST, "timeout": 3600, "expires": 3599}}],
        }
    },
    {"set": {"family": "inet", "name": "none", "table": "host", "type": "ipv4_addr"}},
    {
        "map": {
            "family": "inet",
            "name": "m",
            "table": "host",
            "type": "inet_service",
            "map": "verdict",
            "elem": [[25, {"drop": None}], [80, {"accept": None}]],
        }
    },
]


def ruleset(
    *rules: list[dict[str, Any]],
    policy: str = "accept",
    family: str = "inet",
    hook: str = "output",
    more: dict[str, list[list[dict[str, Any]]]] | None = None,
    flags: list[str] | None = None,
) -> list[Chain]:
    table: dict[str, Any] = {"family": family, "name": "host", "handle": 1, **({"flags": flags} if flags else {})}
    objects: list[dict[str, Any]] = [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"table": table}]
    objects += SETS if family == "inet" else []
    base = {"family": family, "table": "host", "name": "out", "type": "filter", "hook": hook, "prio": 0}
    objects.append({"chain": {**base, "policy": policy}})
    for name in more or {}:
        objects.append({"chain": {"family": family, "table": "host", "name": name, "handle": 9}})
    for chain, listed in {"out": list(rules), **(more or {})}.items():
        for number, expr in enumerate(listed):
            objects.append(
                {"rule": {"family": family, "table": "host", "chain": chain, "handle": number, "expr": expr}}
            )
    return nft.read(json.dumps({"nftables": objects}))


JUMP: dict[str, Any] = {"jump": {"target": "mail"}}
GOTO: dict[str, Any] = {"goto": {"target": "mail"}}
PAIR = {
    "concat": [{"payload": {"protocol": "ip", "field": "daddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]
}

ETHER = {"match": {"op": "==", "left": {"payload": {"protocol": "ether", "field": "type"}}, "right": 8}}
FAMILY = {"meta": {"key": "protocol"}}
OTHER_DROPS = [[8, {"accept": None}], [56710, {"drop": None}]]
ALL = ("blocks", "blocks")

NFT: list[tuple[str, list[Chain], str, str]] = [
    # (what, rules, effect on 587, effect on 25)
    ("no rule", ruleset(), "", ""),
    ("the port", ruleset([port(25), COUNTER, DROP]), "", "blocks"),
    ("a reject", ruleset([port(587), REJECT]), "blocks", ""),
    ("an anonymous set", ruleset([port(25, 587), DROP]), "blocks", "blocks"),
    ("a range", ruleset([port({"range": [1, 100]}), DROP]), "", "blocks"),
    ("all but", ruleset([port(587, op="!="), DROP]), "", "blocks"),
    ("a named set", ruleset([port("@ports"), DROP]), "blocks", "blocks"),
    ("a set that isn't shown", ruleset([port("@gone"), DROP]), "may block", "may block"),
    ("a port's name", ruleset([port("submission"), DROP]), "may block", "may block"),
    ("another protocol", ruleset([port(25, protocol="udp"), DROP]), "", ""),
    ("either protocol", ruleset([meta("l4proto", {"set": [6, 17]}), port(25, protocol="th"), DROP]), "", "blocks"),
    ("another family", ruleset([to("2001:db8::1", protocol="ip6"), DROP]), "", ""),
    ("a table of another family", ruleset([port(25), DROP], family="ip6"), "", ""),
    ("an address", ruleset([to(HOST), DROP]), "blocks", ""),
    ("addresses of a set", ruleset([to("@bad"), port(587), DROP]), "blocks", ""),
    ("an empty set", ruleset([to("@none"), DROP]), "", ""),
    ("elements that expire", ruleset([to("@dyn"), DROP]), "blocks", ""),
    ("outside addresses", ruleset([to({"prefix": {"addr": "10.0.0.0", "len": 8}}, "!="), DROP]), "blocks", "blocks"),
    (
        "pairs that don't fit",
        ruleset([{"match": {"op": "==", "left": PAIR, "right": {"set": [{"concat": ["192.0.2.1", 587]}]}}}, DROP]),
        "",
        "",
    ),
    (
        "pairs that may",
        ruleset([{"match": {"op": "==", "left": PAIR, "right": {"set": [{"concat": [HOST, 587]}]}}}, DROP]),
        "may block",
        "",
    ),
    ("the loopback", ruleset([meta("oifname", "lo"), DROP]), "", ""),
    ("all but the loopback", ruleset([meta("oifname", "lo", "!="), port(25), DROP]), "", "blocks"),
    ("another way out", ruleset([meta("oifname", "docker0"), port(25), DROP]), "", "may block"),
    ("what is established", ruleset([state([2, 4]), DROP]), "", ""),
    ("what is new", ruleset([state(8), port(587), DROP]), "blocks", ""),
    ("another user", ruleset([meta("skuid", 33), port(587), DROP]), "", ""),
    ("all but another user", ruleset([meta("skuid", {"set": [0, 33]}, "!="), port(25), DROP]), "", "blocks"),
    # nft 1.0.6 prints an EtherType with its bytes swapped: 8 for 0x0800, 56710 for 0x86dd.
    ("this family by its EtherType", ruleset([meta("protocol", 8), port(25), DROP]), "", "blocks"),
    ("the other family by its EtherType", ruleset([meta("protocol", 56710), port(25), DROP]), "", ""),
    ("both by their EtherTypes", ruleset([meta("protocol", {"set": [8, 56710]}), port(25), DROP]), "", "blocks"),
    ("all but this family", ruleset([meta("protocol", 8, "!="), port(25), DROP]), "", ""),
    ("all but the other family", ruleset([meta("protocol", 56710, "!="), port(25), DROP]), "", "blocks"),
    ("EtherTypes as they are", ruleset([meta("protocol", 2048), DROP], [meta("protocol", 34525), DROP]), *ALL),
    ("EtherTypes as words", ruleset([meta("protocol", "ip6"), DROP], [meta("protocol", "ip"), DROP]), *ALL),
    ("this family", ruleset([meta("nfproto", 2), port(25), DROP]), "", "blocks"),
    ("the other family", ruleset([meta("nfproto", 10), port(25), DROP]), "", ""),
    ("another EtherType", ruleset([meta("protocol", 1544), DROP]), "", ""),
    ("a frame's EtherType, which a packet on its way out has not", ruleset([ETHER, port(25), DROP]), "", "may block"),
    ("families by a map", ruleset([{"vmap": {"key": FAMILY, "data": {"set": OTHER_DROPS}}}, port(25), DROP]), "", ""),
    ("a mark", ruleset([meta("mark", 3), port(25), DROP]), "", "may block"),
    ("a limit", ruleset([port(25), LIMIT, DROP]), "", "may block"),
    ("an extension", ruleset([port(25), {"xt": None}, DROP]), "", "may block"),
    ("an extension that may be a target", ruleset([port(25), {"xt": None}]), "", "may block"),
    ("an extension about another port", ruleset([port(80), {"xt": None}]), "", ""),
    ("a program decides", ruleset([port(25), {"queue": {"num": 1}}]), "", "may block"),
    ("let go before", ruleset([port(25), ACCEPT], [port(25, 587), DROP]), "blocks", ""),
    ("maybe let go before", ruleset([meta("mark", 3), ACCEPT], [port(25), DROP]), "", "may block"),
    ("a policy", ruleset([port(25), ACCEPT], policy="drop"), "blocks", ""),
    ("a policy that maybe applies", ruleset([meta("mark", 3), ACCEPT], policy="drop"), "may block", "may block"),
    ("a hook that isn't on the way", ruleset([port(25), DROP], hook="input"), "", ""),
    ("after routing", ruleset([port(25), DROP], hook="postrouting"), "", "blocks"),
    ("a dormant table", ruleset([port(25), DROP], flags=["dormant"]), "", ""),
    ("a map of verdicts", ruleset([{"vmap": {"key": port(0)["match"]["left"], "data": "@m"}}]), "", "blocks"),
    (
        "a map of states",
        ruleset(
            [{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [[1, {"drop": None}], [2, {"accept": None}]]}}}]
        ),
        "",
        "",
    ),
    ("a jump", ruleset([port(587), JUMP], more={"mail": [[DROP]]}), "blocks", ""),
    (
        "a jump that comes back",
        ruleset([JUMP], [port(587), DROP], more={"mail": [[{"return": None}], [DROP]]}),
        "blocks",
        "",
    ),
    ("a jump that lets go", ruleset([JUMP], [DROP], more={"mail": [[port(587), ACCEPT]]}), "", "blocks"),
    ("a goto that comes back", ruleset([GOTO], [DROP], more={"mail": [[port(80), DROP]]}, policy="accept"), "", ""),
    ("a redirection", ruleset([port(25), {"redirect": {"port": 2525}}], policy="drop"), "blocks", ""),
    ("a statement that isn't known", ruleset([port(25), {"teleport": {}}]), "", "may block"),
    ("a comparison", ruleset([port(587, op=">="), DROP]), "blocks", ""),
]


@pytest.mark.parametrize(("what", "chains", "submit", "smtp"), NFT, ids=[row[0] for row in NFT])
def test_nft(what: str, chains: list[Chain], submit: str, smtp: str) -> None:
    del what
    assert (told(chains, SUBMIT), told(chains, SMTP)) == (submit, smtp)


@pytest.mark.parametrize(
    ("key", "value", "family"),
    [
        ("protocol", 8, "ip"),
        ("protocol", 56710, "ip6"),
        ("protocol", 2048, "ip"),
        ("protocol", 34525, "ip6"),
        ("protocol", "ip", "ip"),
        ("protocol", "ip6", "ip6"),
        ("nfproto", 2, "ip"),
        ("nfproto", 10, "ip6"),
        ("nfproto", "ipv4", "ip"),
        ("nfproto", "ipv6", "ip6"),
    ],
)
def test_a_family_is_known_by_each_of_its_names(key: str, value: object, family: str) -> None:
    chains = ruleset([meta(key, value), DROP])
    there = Packet("2001:db8::25", 25, "2001:db8::10")
    assert (told(chains, SMTP), told(chains, there)) == (("blocks", "") if family == "ip" else ("", "blocks"))


def test_a_rule_is_named_as_a_person_finds_it() -> None:
    found = meets(ruleset([port(25, 587), to("@bad"), COUNTER, REJECT]), SUBMIT)
    assert found[0].rule == "inet host out: tcp dport { 25, 587 } ip daddr @bad reject"


def test_rules_that_lead_in_a_circle_end() -> None:
    chains = ruleset([JUMP], more={"mail": [[JUMP]]})
    assert told(chains, SUBMIT) == "may block"


def test_an_address_that_is_not_known_leaves_its_rules_undecided() -> None:
    nowhere = Packet("", 587)
    assert told(ruleset([to(HOST), DROP]), nowhere) == "may block"
    assert told(ruleset([to(HOST), port(25), DROP]), nowhere) == ""
    assert told(ruleset([port(587), DROP]), nowhere) == "blocks"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": [{"rule": {}}]}', '{"nftables": 3}', "[" * 100_000])
def test_what_is_no_ruleset_is_said(text: str) -> None:
    with pytest.raises(nft.RulesError, match="no ruleset"):
        nft.read(text)


# ---- iptables-save: as remembered, not captured


def saved(*lines: str, policy: str = "ACCEPT", family: Any = "ip") -> list[Chain]:
    head = ["# Generated by iptables-save v1.8.9 (nf_tables) on Mon Nov 23 08:00:00 2026", "*filter"]
    head += [":INPUT DROP [0:0]", f":OUTPUT {policy} [120:9000]", ":ufw-user-output - [0:0]"]
    return iptables.read("\n".join([*head, *lines, "COMMIT", ""]), family)


TABLES: list[tuple[str, list[Chain], str, str]] = [
    ("no rule", saved(), "", ""),
    ("the port", saved("-A OUTPUT -p tcp -m tcp --dport 25 -j DROP"), "", "blocks"),
    (
        "ports",
        saved("-A OUTPUT -p tcp -m multiport --dports 25,465:600 -j REJECT --reject-with tcp-reset"),
        "blocks",
        "blocks",
    ),
    ("all but a port", saved("-A OUTPUT -p tcp -m tcp ! --dport 25 -j DROP"), "blocks", ""),
    ("another protocol", saved("-A OUTPUT -p udp -m udp --dport 25 -j DROP"), "", ""),
    ("an address", saved(f"-A OUTPUT -d {HOST}/32 -j DROP"), "blocks", ""),
    (
        "a range of addresses",
        saved("-A OUTPUT -m iprange --dst-range 198.51.100.1-198.51.100.25 -j DROP"),
        "blocks",
        "",
    ),
    ("the loopback", saved("-A OUTPUT -o lo -j DROP"), "", ""),
    ("input", saved("-A INPUT -p tcp --dport 25 -j DROP"), "", ""),
    (
        "a state",
        saved("-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", policy="DROP"),
        "blocks",
        "blocks",
    ),
    ("a new one", saved("-A OUTPUT -m conntrack --ctstate NEW -j ACCEPT", policy="DROP"), "", ""),
    ("a user", saved("-A OUTPUT -p tcp --dport 25 -m owner ! --uid-owner 0 -j DROP"), "", "blocks"),
    ("another user", saved("-A OUTPUT -p tcp --dport 25 -m owner --uid-owner 0 -j DROP"), "", ""),
    (
        "the first packet",
        saved("-A OUTPUT -p tcp -m tcp --dport 587 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
        "blocks",
        "",
    ),
    ("a set of addresses", saved("-A OUTPUT -p tcp --dport 25 -m set --match-set bad dst -j DROP"), "", "may block"),
    ("a set about another port", saved("-A OUTPUT -p tcp --dport 80 -m set --match-set bad dst -j DROP"), "", ""),
    ("a comment", saved('-A OUTPUT -p tcp --dport 25 -m comment --comment "no -j ACCEPT here" -j DROP'), "", "blocks"),
    ("a log", saved('-A OUTPUT -p tcp --dport 25 -j LOG --log-prefix "x "'), "", ""),
    (
        "a chain",
        saved("-A OUTPUT -j ufw-user-output", "-A ufw-user-output -p tcp -m tcp --dport 587 -j DROP"),
        "blocks",
        "",
    ),
    (
        "a goto",
        saved("-A OUTPUT -g ufw-user-output", "-A OUTPUT -j DROP", "-A ufw-user-output -p tcp --dport 25 -j RETURN"),
        "",
        "",
    ),
    ("an extension", saved("-A OUTPUT -p tcp --dport 25 -j TARPIT"), "", "may block"),
    ("the other family", saved("-A OUTPUT -p tcp --dport 25 -j DROP", family="ip6"), "", ""),
]


@pytest.mark.parametrize(("what", "chains", "submit", "smtp"), TABLES, ids=[row[0] for row in TABLES])
def test_iptables(what: str, chains: list[Chain], submit: str, smtp: str) -> None:
    del what
    assert (told(chains, SUBMIT), told(chains, SMTP)) == (submit, smtp)


@pytest.mark.parametrize("text", ["hello", "*filter\n-A OUTPUT -d nowhere -j DROP\n", '*filter\n-A OUTPUT "\n'])
def test_what_is_no_list_of_tables_is_said(text: str) -> None:
    with pytest.raises(nft.RulesError, match="line"):
        iptables.read(text, "ip")


# ---- Windows: JSON as the script is meant to print it, its values from Microsoft's pages and memory, not captured

PYTHON = "C:\\Program Files\\Python312\\python.exe"


def rule(name: str = "r", action: str = "Block", profile: str = "Any", **conditions: Any) -> dict[str, Any]:
    return {"Name": name, "Action": action, "Profile": profile, **conditions}


def policy(*rules: dict[str, Any], out: str = "NotConfigured", active: str = "Public", enabled: str = "True") -> str:
    names = ("Domain", "Private", "Public")
    told: dict[str, Any] = {
        "profiles": [{"Name": name, "Enabled": enabled, "Out": out} for name in names],
        "active": [active],
        "rules": [],
        **{name: [] for name in ("ports", "addresses", "programs", "services", "types", "interfaces", "security")},
    }
    for number, it in enumerate(rules):
        id_ = f"{{{number}}}"
        told["rules"].append({"Id": id_, **{key: it[key] for key in ("Name", "Action", "Profile")}})
        for kind, fields in {
            "ports": {"Protocol": ["TCP"], "RemotePort": ["Any"], "LocalPort": ["Any"], "DynamicTarget": ["Any"]},
            "addresses": {"RemoteAddress": ["Any"], "LocalAddress": ["Any"]},
            "programs": {"Program": ["Any"], "Package": [""]},
            "services": {"Service": ["Any"]},
            "types": {"InterfaceType": ["Any"]},
            "interfaces": {"InterfaceAlias": ["Any"]},
            "security": {"LocalUser": ["Any"], "Authentication": ["NotRequired"]},
        }.items():
            told[kind].append({"Id": id_, **{field: it.get(field, usual) for field, usual in fields.items()}})
    return json.dumps(told)


WINDOWS: list[tuple[str, str, str, str]] = [
    ("no rule", policy(), "", ""),
    ("the port", policy(rule(RemotePort=["25"])), "", "blocks"),
    ("a range", policy(rule(RemotePort=["1-100", "587"])), "blocks", "blocks"),
    ("every port", policy(rule()), "blocks", "blocks"),
    ("any protocol", policy(rule(Protocol=["Any"])), "blocks", "blocks"),
    ("another protocol", policy(rule(Protocol=["UDP"])), "", ""),
    ("a keyword", policy(rule(RemotePort=["IPHTTPSOut"])), "may block", "may block"),
    ("an address", policy(rule(RemoteAddress=[HOST])), "blocks", ""),
    ("a mask", policy(rule(RemoteAddress=["198.51.100.0/255.255.255.0"])), "blocks", "blocks"),
    ("from to", policy(rule(RemoteAddress=["198.51.100.1-198.51.100.25"])), "blocks", ""),
    ("its own subnet", policy(rule(RemoteAddress=["LocalSubnet"])), "", ""),
    ("the internet", policy(rule(RemoteAddress=["Internet"])), "may block", "may block"),
    ("this program", policy(rule(Program=[PYTHON.upper()])), "blocks", "blocks"),
    ("another program", policy(rule(Program=["C:\\Windows\\System32\\svchost.exe"])), "", ""),
    (
        "a program by a variable",
        policy(rule(Program=["%ProgramFiles%\\Python312\\python.exe"])),
        "may block",
        "may block",
    ),
    ("another by a variable", policy(rule(Program=["%SystemRoot%\\system32\\telnet.exe"])), "", ""),
    ("a store app", policy(rule(Package=["S-1-15-2-1"])), "", ""),
    ("a service", policy(rule(Service=["MpsSvc"])), "", ""),
    ("a user", policy(rule(LocalUser=["D:(A;;CC;;;S-1-5-21)"], RemotePort=["25"])), "", "may block"),
    ("an interface", policy(rule(InterfaceType=["Wireless"])), "may block", "may block"),
    ("another profile", policy(rule(profile="Domain, Private")), "", ""),
    ("its profile", policy(rule(profile="Private, Public", RemotePort=["25"])), "", "blocks"),
    ("in the domain", policy(rule(profile="Domain", RemotePort=["25"]), active="DomainAuthenticated"), "", "blocks"),
    ("switched off", policy(rule(), enabled="False"), "", ""),
    ("blocked by default", policy(out="Block"), "blocks", "blocks"),
    ("allowed despite it", policy(rule(action="Allow", RemotePort=["587"]), out="Block"), "", "blocks"),
    ("another allowed", policy(rule(action="Allow", Program=["C:\\outlook.exe"]), out="Block"), "blocks", "blocks"),
    ("maybe allowed", policy(rule(action="Allow", InterfaceType=["Lan"]), out="Block"), "may block", "may block"),
    ("a block wins", policy(rule(), rule(action="Allow"), out="Block"), "blocks", "blocks"),
]


@pytest.mark.parametrize(("what", "text", "submit", "smtp"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_windows(what: str, text: str, submit: str, smtp: str) -> None:
    del what
    found = windows.read("\ufeff" + text)
    effects = [met[0].effect if (met := windows.meets(found, it, [PYTHON])) else "" for it in (SUBMIT, SMTP)]
    assert effects == [submit, smtp]


def test_windows_names_the_rule() -> None:
    found = windows.meets(windows.read(policy(rule("Block mail worms", RemotePort=["25"]))), SMTP, [PYTHON])
    assert found[0].rule == "Windows Firewall, outbound rule “Block mail worms”"


def test_a_filter_that_was_not_told_leaves_its_rule_undecided() -> None:
    told = json.loads(policy(rule(RemotePort=["25"])))
    del told["programs"]
    assert windows.meets(windows.read(json.dumps(told)), SMTP, [PYTHON])[0].effect == "may block"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"profiles": [], "active": [], "rules": []}', '{"profiles": 1}', "Get-Net: denied"]
)
def test_what_powershell_did_not_mean_is_said(text: str) -> None:
    with pytest.raises(nft.RulesError, match="PowerShell"):
        windows.read(text)


def test_the_command_reads_only_and_can_be_one_argument() -> None:
    assert '"' not in windows.SCRIPT
    assert "\n" not in windows.SCRIPT
    verbs = {word.split("-")[0] for word in windows.SCRIPT.split() if "-Net" in word and not word.startswith("-")}
    assert {verb.strip("(@") for verb in verbs} == {"Get"}


# ---- the programs themselves


class FakeRun:
    """As much of a run as asking a program needs."""

    def say(self, way: str, text: str) -> None:
        del way, text


@pytest.mark.skipif(platform.system() == "Windows", reason="the programs that stand in here are Unix's")
@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("echo hello", ""),
        ("echo 'Operation not permitted (you must be root)' >&2; exit 1", "Operation not permitted (you must be root)"),
        ("exit 3", "ended with status 3"),
        ("exec sleep 60", "did not end within 2 s"),
        ("exec yes", "printed more than 1000 bytes"),
    ],
)
def test_a_program_is_bounded(script: str, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIMIT", 1000)
    said = asyncio.run(asking._say(FakeRun(), ["sh", "-c", script], 2.0))  # type: ignore[arg-type]
    assert said is not None
    assert said.trouble == trouble
    assert said.text == ("" if trouble else "hello\n")


def test_a_machine_that_can_make_no_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(asking, "_PATH", str(Path(sys.executable).parent))
    said = asyncio.run(asking._say(FakeRun(), [Path(sys.executable).name], 1.0))  # type: ignore[arg-type]
    assert said is not None
    assert said.trouble == "no temporary file can be made here"


def test_a_program_that_is_not_there() -> None:
    assert asyncio.run(asking._say(FakeRun(), ["no-such-program-here"], 1.0)) is None  # type: ignore[arg-type]


class Programs:
    """The programs of a system's firewall, as scripts that print what a row says; without a text there is none."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setattr(asking, "_PATH", str(folder))

    def put(self, name: str, text: str, version: str = "") -> None:
        (self._folder / f"{name}.out").write_text(text, encoding="utf-8")
        script = f'#!/bin/sh\nif [ "$1" = -V ]; then echo "{name} {version}"; else exec cat "$0.out"; fi\n'
        path = self._folder / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def fail(self, name: str) -> None:
        self.put(name, "")
        (self._folder / name).write_text("#!/bin/sh\necho 'Permission denied (you must be root)' >&2\nexit 1\n")

    def told(self) -> tuple[str, str]:
        _, judge = asyncio.run(asking._linux(FakeRun()))  # type: ignore[arg-type]
        found = [judge(packet) for packet in (SUBMIT, SMTP)]
        return found[0][0].effect if found[0] else "", found[1][0].effect if found[1] else ""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    if platform.system() == "Windows":
        pytest.skip("the programs that stand in here are Unix's")
    return Programs(tmp_path, monkeypatch)


def filter_table(*rules: list[dict[str, Any]], table: str = "filter") -> str:
    """Return a ruleset with an ``ip filter`` table, as nft prints what iptables holds there; or a person's own."""
    chain = {"family": "ip", "table": table, "name": "OUTPUT", "type": "filter", "hook": "output", "prio": 0}
    about = {"family": "ip", "table": table, "chain": "OUTPUT"}
    objects: list[dict[str, Any]] = [{"table": {"family": "ip", "name": table}}, {"chain": chain}]
    return json.dumps({"nftables": [*objects, *({"rule": {**about, "expr": rule}} for rule in rules)]})


def tables(*lines: str) -> str:
    return "\n".join(["*filter", ":OUTPUT ACCEPT [0:0]", *lines, "COMMIT", ""])


BLOCKS_25 = "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP"
LEGACY, SHARED, OLD = "v1.8.9 (legacy)", "v1.8.9 (nf_tables)", "v1.6.1"


@pytest.mark.parametrize(
    ("version", "by_nft", "by_iptables", "effects"),
    [
        # The older iptables has tables of its own in the kernel: nft's of the same name is another one, and both count.
        (LEGACY, filter_table([port(587), DROP]), tables(BLOCKS_25), ("blocks", "blocks")),
        (LEGACY, filter_table([port(587), DROP]), tables(), ("blocks", "")),
        (LEGACY, filter_table(), tables(BLOCKS_25), ("", "blocks")),
        (OLD, filter_table([port(587), DROP]), tables(BLOCKS_25), ("blocks", "blocks")),
        # The newer one manages nft's: of its extensions, nft shows only that there are some.
        (SHARED, filter_table([port(25), {"xt": None}, DROP]), tables(BLOCKS_25), ("", "blocks")),
        (SHARED, filter_table([{"xt": None}, DROP]), tables("-A OUTPUT -m addrtype -o lo -j DROP"), ("", "")),
        (SHARED, filter_table([port(587), DROP], table="host"), tables(BLOCKS_25), ("blocks", "blocks")),
    ],
)
def test_iptables_beside_nft(
    version: str, by_nft: str, by_iptables: str, effects: tuple[str, str], programs: Programs
) -> None:
    programs.put("nft", by_nft)
    programs.put("iptables-save", by_iptables, version)
    programs.put("ip6tables-save", "", version)
    assert programs.told() == effects


@pytest.mark.parametrize("name", ["nft", "iptables-save", "ip6tables-save"])
def test_one_program_that_may_not_read_leaves_it_unproven(name: str, programs: Programs) -> None:
    """What the others show is not all: the rule that stops mail may be in the part that is not shown."""
    programs.put("nft", filter_table())
    programs.put("iptables-save", tables(), LEGACY)
    programs.put("ip6tables-save", tables(), LEGACY)
    assert programs.told() == ("", "")
    programs.fail(name)
    with pytest.raises(Unproven, match=rf"can't be read here: {name}: Permission denied"):
        programs.told()


RULES = """table inet host {
 set ports { type inet_service; flags interval; elements = { 25, 465-600 } }
 chain mail { ip daddr 198.51.100.0/24 counter reject
 }
 chain out { type filter hook output priority 0; policy accept;
  oifname "lo" accept
  ct state established,related accept
  meta protocol ip6 drop
  meta protocol ip tcp dport 465 drop
  tcp dport @ports jump mail
 }
}
"""


@pytest.mark.skipif(probe.verdict(probe.probe())[0] != "namespaces", reason="needs a network namespace of its own")
def test_rules_that_this_machines_nft_prints() -> None:
    """The real program, in a network namespace that only this test has."""
    tool = shutil.which("nft", path=asking._PATH)
    if tool is None or os.geteuid() != 0:
        pytest.skip("needs nft, as root")
    network = linux.new_network()
    try:
        linux.feed(network, [tool, "-f", "-"], RULES)
        text = linux.inside(
            network,
            lambda: subprocess.run([tool, "-n", "-j", "list", "ruleset"], capture_output=True, check=True),
        ).stdout.decode()
    finally:
        os.close(network)
    chains = nft.read(text)
    assert (told(chains, SUBMIT), told(chains, SMTP)) == ("blocks", "blocks")
    assert told(chains, Packet("203.0.113.1", 587)) == ""
    assert told(chains, Packet(HOST, 443)) == ""
    assert told(chains, Packet("203.0.113.1", 465)) == "blocks"
    assert told(chains, Packet("2001:db8::1", 443)) == "blocks"


def test_parts_are_judged_one_by_one() -> None:
    known, strange = Part("dport", ((25, 25),)), Part("unknown")
    assert Rule((strange, known), "drop", "r").met(SMTP) is None
    assert Rule((strange, known), "drop", "r").met(SUBMIT) is False
    assert Rule((), "drop", "r").met(SUBMIT) is True
