"""``lab probe`` on machines that lack something: what that is, and how to allow it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from selftests.labtools import DEMO, need_namespaces

pytestmark = pytest.mark.namespaces
ROOT = DEMO.parent.parent


@pytest.fixture(autouse=True)
def _allowed() -> None:
    need_namespaces()


def probed(prepared: str, *, command: str = "") -> str:
    """Return what ``lab probe`` says on a machine that was made to lack something, in namespaces of its own."""
    script = f'{prepared}; exec {command} "$0" -m lab probe'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "--net", "sh", "-c", script, sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WEAK = "setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin"


WRITABLE = "/proc/sys must be writable: a container with --security-opt systempaths=unconfined"
NO_PROGRAM = "mount --bind /dev/null {}"
LACKS = {
    "no nft": (
        NO_PROGRAM.format(shutil.which("nft") or "/usr/sbin/nft"),
        "firewall: the program nft is missing: install the package nftables, or use --network loopback",
    ),
    "no ip": (
        NO_PROGRAM.format(shutil.which("ip") or "/usr/sbin/ip"),
        "lo up: the program ip is missing: install the package iproute2, or use --network loopback",
    ),
    "proc read-only": (
        "mount -o bind,ro /proc/sys /proc/sys",
        f"ip_forward: EROFS (Read-only file system); {WRITABLE}",
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_what_is_missing_is_named_with_its_remedy(lack: str) -> None:
    prepared, says = LACKS[lack]
    assert probed(prepared).splitlines()[-1] == f"loopback: no network namespaces here: {says}"


def test_a_machine_that_allows_none_is_told_how_to() -> None:
    said = probed("echo 0 > /proc/sys/user/max_user_namespaces", command=WEAK).splitlines()
    assert said[0].split(maxsplit=2)[:2] == ["FAILED", "namespaces"]
    assert said[-1].endswith("; sudo sysctl -w user.max_user_namespaces=10000, or run it with sudo")


def test_root_without_rights_gets_a_user_namespace() -> None:
    said = probed("true", command=WEAK).splitlines()
    assert said[0].split() == ["ok", "namespaces", "in", "a", "user", "namespace"]
    assert said[-1].startswith("namespaces: ")
