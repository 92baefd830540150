"""Nothing stays of a lab in namespaces, however it ends."""
# ruff: noqa: PTH208, PTH115 - names and links of /proc, nothing else

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from lab.client import start
from selftests.labtools import DEMO, need_namespaces

pytestmark = pytest.mark.namespaces
ROOT = DEMO.parent.parent


@pytest.fixture(autouse=True)
def _allowed() -> None:
    need_namespaces()


def network_namespaces(process: str) -> set[str]:
    """Return the network namespaces that a process is in or holds by a descriptor."""
    found = set()
    for folder in ("ns", "fd"):
        with suppress(OSError):
            for name in os.listdir(f"/proc/{process}/{folder}"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{process}/{folder}/{name}"))
    return {name for name in found if name.startswith("net:")}


def held() -> set[str]:
    """Return the network namespaces that any process is in or holds."""
    return {name for process in os.listdir("/proc") if process.isdigit() for name in network_namespaces(process)}


def gone(namespaces: set[str]) -> bool:
    """Wait for namespaces to vanish; tell whether they did."""
    until = time.monotonic() + 20
    while namespaces & held():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_nothing_stays_of_a_lab_that_is_killed() -> None:
    lab = start(DEMO, network="namespaces")
    try:
        made = network_namespaces(str(lab.ready["pid"])) - network_namespaces("self")
        assert len(made) >= 8  # the gateway, four subnets, the servers, the cloud, the engineer's machine
        os.kill(lab.ready["pid"], signal.SIGKILL)
        assert gone(made)
    finally:
        lab.stop()


def test_nothing_stays_when_the_run_is_killed() -> None:
    code = (
        "import sys, time; from pathlib import Path; from lab.client import start\n"
        "lab = start(Path(sys.argv[1]), network='namespaces')\n"
        "lab.enter(); print(lab.ready['pid'], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(DEMO)], cwd=ROOT, stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout
            made = network_namespaces(run.stdout.readline().decode().strip()) - network_namespaces("self")
            assert len(made) >= 8
        finally:
            run.kill()
    assert gone(made)
