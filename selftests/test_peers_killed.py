"""Nothing stays of the real peers, however the tests end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest

from selftests.labtools import DEMO, gone
from selftests.peers import Ground, ground, need
from selftests.peers_mail import mail_peers

pytestmark = pytest.mark.namespaces
ROOT = DEMO.parent.parent


def test_nothing_stays_when_a_test_breaks() -> None:
    made: list[Ground] = []
    held: set[str] = set()

    def broken() -> None:
        with mail_peers() as found:
            made.append(found)
            held.update((found.place(found.servers), found.place(found.engineer)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert gone(held)
    assert not made[0].folder.exists()


def test_nothing_runs_on_when_the_tests_are_killed() -> None:
    need("postfix", "dovecot")
    code = (
        "import time; from selftests.peers_mail import mail_peers\n"
        "with mail_peers() as made:\n"
        "    print(made.folder, made.place(made.servers), made.place(made.engineer), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout
            folder, *held = run.stdout.readline().decode().split()
        finally:
            run.send_signal(signal.SIGKILL)
    shutil.rmtree(folder)
    assert gone(set(held))


def test_a_server_that_does_not_start_says_why() -> None:
    with ground("named") as made:
        config = made.write("named.conf", "nonsense;\n")
        with pytest.raises(AssertionError, match="unknown option 'nonsense'"):
            made.server("named", "-g", "-c", str(config), address="198.51.100.53", port=53)
