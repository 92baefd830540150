"""Which lab this machine allows, found by doing each step in a child and naming the one that failed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lab import linux

if TYPE_CHECKING:
    from collections.abc import Callable

_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_LIMIT = Path("/proc/sys/user/max_user_namespaces")


@dataclass(frozen=True)
class Stage:
    """One step: whether it worked and, where it didn't, the error and the remedy."""

    name: str
    ok: bool
    detail: str = ""
    remedy: str = ""


def probe() -> list[Stage]:
    """Try every step that the lab in namespaces needs; the last stage is the one that failed, if any did."""
    if sys.platform != "linux":
        return [Stage("Linux", ok=False, detail=f"this is {sys.platform}", remedy="none: namespaces are Linux's own")]
    done = subprocess.run(
        [sys.executable, "-S", "-m", "lab.probe"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        check=False,
        timeout=30,
    )
    stages = [Stage(**json.loads(line)) for line in done.stdout.decode().splitlines()]
    if done.returncode != 0 and (not stages or stages[-1].ok):
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        stages.append(Stage("probe", ok=False, detail=said or f"ended with status {done.returncode}"))
    return stages


def verdict(stages: list[Stage]) -> tuple[Literal["loopback", "namespaces"], str]:
    """Return the best lab that is allowed and, in one line, why."""
    failed = next((stage for stage in stages if not stage.ok), None)
    if failed is None:
        return "namespaces", "this machine allows network namespaces"
    remedy = f"; {failed.remedy}" if failed.remedy else ""
    return "loopback", f"no network namespaces here: {failed.name}: {failed.detail}{remedy}"


def as_json(stages: list[Stage]) -> dict[str, Any]:
    """Return the stages and the verdict."""
    network, why = verdict(stages)
    return {"network": network, "why": why, "stages": [stage.__dict__ for stage in stages]}


def _isolate() -> str:
    return "in a user namespace" if linux.isolate() else "as root"


def _mounts() -> str:
    linux.own_mounts({"/etc/resolv.conf": "nameserver 127.0.0.1\n"})
    return ""


def _lo() -> str:
    linux.feed(None, [linux.tool("ip", "iproute2"), "-batch", "-"], "link set lo up\n")
    return ""


def _port() -> str:
    with socket.create_server(("127.0.0.1", 25)):
        return ""


def _forwarding() -> str:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    return ""


def _icmp() -> str:
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP):
        return ""


def _cable() -> str:
    other = linux.new_network()
    text = "link add name br0 type bridge\nlink set br0 up\n"
    text += f"link add name cable type veth peer name far netns /proc/{os.getpid()}/fd/{other}\n"
    linux.feed(None, [linux.tool("ip", "iproute2"), "-batch", "-"], text + "link set cable master br0\n")
    return ""


def _firewall() -> str:
    chains = (
        "chain passing {\ntype filter hook forward priority 0; policy accept;\n"
        "ip saddr 10.0.0.1 tcp dport 25 drop\n}\n"
        "chain arriving {\ntype nat hook prerouting priority -100;\ntcp dport 25 redirect to :20587\n}\n"
        "chain leaving {\ntype nat hook postrouting priority 100;\nip saddr 10.0.0.1 snat to 192.0.2.1\n}\n"
    )
    linux.feed(None, [linux.tool("nft", "nftables"), "-f", "-"], "table ip probe {\n" + chains + "}\n")
    return ""


def _userns_remedy() -> str:
    if _APPARMOR.exists() and _APPARMOR.read_text(encoding="ascii").strip() == "1":
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run it with sudo"
    if _LIMIT.exists() and _LIMIT.read_text(encoding="ascii").strip() == "0":
        return "sudo sysctl -w user.max_user_namespaces=10000, or run it with sudo"
    return "run it as root, or a container with --privileged"


_STAGES: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("namespaces", _isolate, ""),
    ("own mounts", _mounts, "run it as root, or a container with --privileged"),
    ("lo up", _lo, "the kernel refused it: a container needs --privileged"),
    ("bind port 25", _port, "run it as root"),
    ("ip_forward", _forwarding, "/proc/sys must be writable: a container with --security-opt systempaths=unconfined"),
    ("ICMP socket", _icmp, "/proc/sys must be writable: a container with --security-opt systempaths=unconfined"),
    ("bridge and cable", _cable, "the kernel needs veth and bridge"),
    ("firewall", _firewall, "the kernel needs nf_tables with NAT"),
)


def _child() -> int:
    for name, step, remedy in _STAGES:
        try:
            stage = Stage(name, ok=True, detail=step())
        except OSError as error:
            stage = Stage(name, ok=False, detail=linux.says(error), remedy=remedy or _userns_remedy())
        except linux.MissingProgramError as error:
            stage = Stage(name, ok=False, detail=str(error))
        except linux.NamespaceError as error:
            stage = Stage(name, ok=False, detail=str(error), remedy=remedy)
        sys.stdout.write(json.dumps(stage.__dict__) + "\n")
        sys.stdout.flush()
        if not stage.ok:
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_child())
