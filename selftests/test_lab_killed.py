"""Nothing stays of a lab in namespaces, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from lab.client import start
from selftests.labtools import DEMO, gone, need_namespaces, network_namespaces

pytestmark = pytest.mark.namespaces
ROOT = DEMO.parent.parent


@pytest.fixture(autouse=True)
def _allowed() -> None:
    need_namespaces()


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
