"""The lab's copiers really send: over the lab's doors, with what they are set to, and log what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lab import control, faults, probe, scanmail
from lab.client import start
from lab.estate import build
from lab.plan import plan_of
from lab.server import Running
from lab.server import start as start_servers
from scanproof import site as sites
from selftests.labtools import DEMO, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.copierstate import CopierState
    from lab.devicelog import Record
    from lab.post import Mail
    from lab.scanner import Panel

SITE = sites.load(DEMO)
PLAN = plan_of(SITE)
FIRST, OUTSIDE = "scan-proof@northfield.example", "somebody@elsewhere.example"
MAIN, WARD, OUTPATIENTS, LABORATORY = 3, 11, 19, 21  # places in the list


class Site:
    """A site in this process, with faults, and what its copiers sent."""

    def __init__(self, *names: str) -> None:
        self.estate = build(PLAN, "loopback")
        faults.apply(self.estate, names)
        self.copiers = list(self.estate.copiers.values())
        self.running: Running

    def act(self, action: Callable[[Running], Any]) -> Any:
        async def acted() -> Any:
            self.running = await start_servers(self.estate, None)
            try:
                return await action(self.running)
            finally:
                await asyncio.sleep(0.02)  # for the doors to see that a device has gone
                for server in self.running.servers:
                    server.close()
                await asyncio.sleep(0)

        return asyncio.run(acted())

    def scan(self, number: int, to: str = FIRST, subject: str | None = None) -> Panel:
        panel: Panel = self.act(lambda running: running.scanner.scan(self.copiers[number], to, subject))
        return panel

    def first_scans(self) -> list[Mail]:
        self.act(lambda running: running.scanner.first_scans())
        return self.mails

    @property
    def mails(self) -> list[Mail]:
        return self.running.scanner.post.mails

    def state(self, number: int) -> CopierState:
        return self.copiers[number].state

    def standing(self, number: int) -> CopierState:
        prefix = SITE.subnets[number].prefix
        return next(part.state for part in self.copiers if part.subnet == prefix and part.representative)


def test_a_scan_through_the_retired_server_bears_its_trace_and_signs_in() -> None:
    """Its own way to the service is the same: only the trace that the server left tells."""
    site = Site("scan-through-retired-server")
    mails = {mail.message["Subject"]: headers(mail) for mail in site.first_scans()}
    state = site.standing(0)
    told = mails.pop(f'Message from "{state.host_name}"')
    assert "by mail.northfield.example (Postfix) with ESMTP" in told
    assert "mapi id" in told
    assert not [text for text in mails.values() if "mail.northfield.example" in text]


def last_scan(state: CopierState) -> Record:
    return [record for record in state.log.records if record.lines[0]["Log Type"] == "Scanner: Sending"][-1]


def headers(mail: Mail) -> str:
    return "\n".join(f"{name}: {value}" for name, value in mail.headers)


@pytest.mark.parametrize(
    ("number", "login", "address"),
    [(MAIN, True, "203.0.113.10"), (OUTPATIENTS, False, "203.0.113.92"), (LABORATORY, False, "203.0.113.93")],
)
def test_a_scan_by_each_route(number: int, address: str, *, login: bool) -> None:
    site = Site()
    panel = site.scan(number)
    assert panel.sent, panel
    assert panel.said.startswith("250 ")
    (mail,) = site.mails
    state = site.state(number)
    assert mail.message["Subject"] == f'Message from "{state.host_name}"'
    assert (mail.recipient, mail.sender, mail.folder) == (FIRST, "scan@northfield.example", "Inbox")
    assert mail.from_ip == address
    assert ("mapi id" in headers(mail)) == login
    assert login or f"from {state.host_name} ({address})" in headers(mail)
    text = mail.message.get_body().get_content()  # type: ignore[union-attr]
    assert f'This E-mail was sent from "{state.host_name}" ({state.model}).' in text
    (attached,) = mail.message.iter_attachments()
    assert re.fullmatch(r"\d{17}\.pdf", attached.get_filename() or "")
    assert attached.get_content().startswith(b"%PDF-1.4")
    record = last_scan(state)
    assert [line["Status "] for line in record.lines] == ["Completed"] * 3
    assert record.lines[2]["Destination Address"] == FIRST
    assert record.lines[2]["Destination Name"] == "SCAN-PROOF"
    assert state.scans_sent == 1


def test_the_pdf_holds_together() -> None:
    content = scanmail.pdf("IM C3000 3089R210142")
    table = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert content[table:].startswith(b"xref\n0 7\n")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", content), 1):
        assert content[int(place) :].startswith(b"%d 0 obj" % number)
    (length,) = re.findall(rb"/Length (\d+)", content)
    assert len(content.split(b"stream\n")[1].removesuffix(b"\nend")) == int(length)


def test_a_subject_of_ones_own_and_another_recipient() -> None:
    site = Site()
    assert site.scan(OUTPATIENTS, OUTSIDE, "to a surgery").sent  # the connector lets it out
    assert site.mails[0].message["Subject"] == "to a surgery"
    assert not site.scan(LABORATORY, OUTSIDE).sent


def test_first_scans_are_one_for_each_model_of_a_subnet() -> None:
    site = Site()
    began = datetime.now(UTC) - timedelta(seconds=2)
    mails = [mail for mail in site.first_scans() if "Message from" in str(mail.message["Subject"])]
    pairs = {(copier.subnet, copier.model) for copier in SITE.copiers}
    by_host = {copier.host_name: (copier.subnet, copier.model) for copier in SITE.copiers}
    found = [by_host[re.findall(r'"(.*)"', str(mail.message["Subject"]))[0]] for mail in mails]
    assert sorted(found) == sorted(pairs)
    assert {mail.recipient for mail in mails} == {FIRST}
    assert all(mail.received >= began for mail in mails)
    for number in range(len(SITE.subnets)):
        assert site.standing(number).scans_sent == 1


@pytest.mark.parametrize("fault", ["busy-twice", "throttled-twice", "busy-forever"])
def test_first_scans_came_before_the_service_got_busy(fault: str) -> None:
    site = Site(fault)
    door = site.estate.tenant.door
    before = (list(door.busy), list(door.throttled))
    scans = len({(copier.subnet, copier.model) for copier in SITE.copiers})
    assert len(site.first_scans()) == scans + len(SITE.applications_in_scope)
    assert (door.busy, door.throttled) == before


@pytest.mark.parametrize(
    ("changes", "panel", "said"),
    [
        ({"server": "mail.northfield.example"}, "Connection with the destination failed", "TimeoutError"),
        ({"server": "10.20.10.25"}, "Connection with the destination failed", "TimeoutError"),
        ({"server": "nosuch.example"}, "Connection with the destination failed", "no such name as nosuch.example"),
        ({"port": 465}, "Connection with the destination failed", "ConnectionRefusedError"),
        ({"ssl": False}, "Authentication with the destination", "no AUTH LOGIN"),
        ({"auth": False}, "refused the data", "530 5.7.57"),
        ({"ssl": False, "auth": False}, "refused the data", "451 5.7.3"),
        ({"password": "wrong"}, "Authentication with the destination", "535 5.7.139"),
        ({"auth_address": "x@northfield.example"}, "refused the data", "554 5.2.252"),
        ({"pop_before_smtp": True}, "Authentication with the destination", "POP"),
    ],
)
def test_what_goes_wrong(changes: dict[str, Any], panel: str, said: str) -> None:
    site = Site()
    state = site.state(WARD)
    state.email = replace(state.email, **changes)
    shown = site.scan(WARD)
    assert not shown.sent
    assert panel in shown.text
    assert said in shown.said
    assert site.mails == []
    record = last_scan(state)
    assert [line["Status "] for line in record.lines] == ["Failed", "Completed", "Failed"]
    assert record.lines[2]["Cancelled: Details"]
    assert state.scans_sent == 0


def test_a_device_asks_its_own_name_servers() -> None:
    site = Site()
    site.state(WARD).dns = ("10.20.10.25",)
    assert "10.20.10.25: TimeoutError" in site.scan(WARD).said
    site.state(WARD).dns = ("10.20.10.25", "10.20.10.53")
    assert site.scan(WARD).sent


@pytest.mark.parametrize(
    ("generation", "said"), [("tls1.0", "421 4.7.66"), ("tls1.2-rsa", "SSL negotiation failed"), ("modern", "250 ")]
)
def test_old_tls(generation: Any, said: str) -> None:
    site = Site()
    site.state(WARD).sends_with = generation
    panel = site.scan(WARD)
    assert said in f"{panel.text} {panel.said}"


def test_the_clock_dates_the_mail() -> None:
    site = Site()
    site.state(WARD).moved = timedelta(days=-365)
    assert site.scan(WARD).sent
    ago = datetime.now(UTC) - site.mails[0].message["Date"].datetime
    assert timedelta(days=364) < ago < timedelta(days=366)
    assert datetime.now(UTC) - site.mails[0].received < timedelta(minutes=1)


# ---- faults of scans


def found(site: Site, state: CopierState) -> list[Mail]:
    return [mail for mail in site.first_scans() if state.host_name in str(mail.message["Subject"])]


def test_a_scan_of_old() -> None:
    site = Site("scan-before-last-change")
    (mail,) = found(site, site.standing(0))
    change = datetime.fromisoformat(PLAN.last_change)
    assert timedelta(minutes=55) < change - mail.received < timedelta(minutes=65)
    assert timedelta(minutes=55) < change - mail.message["Date"].datetime < timedelta(minutes=65)
    assert last_scan(site.standing(0)).lines[0]["Start Date/Time"] < "2026/11/16 06"


@pytest.mark.parametrize(
    ("fault", "number", "folder"), [("log-says-sent-no-mail", 0, "Deleted"), ("scan-to-junk", 1, "Junk")]
)
def test_a_rule_takes_the_scan(fault: str, number: int, folder: str) -> None:
    site = Site(fault)
    (mail,) = found(site, site.standing(number))
    assert mail.folder == folder
    assert last_scan(site.standing(number)).lines[0]["Status "] == "Completed"
    assert [other.folder for other in site.mails if other is not mail] == ["Inbox"] * (len(site.mails) - 1)


def test_a_scan_without_content() -> None:
    site = Site("scan-empty-attachment")
    (mail,) = found(site, site.standing(1))
    (attached,) = mail.message.iter_attachments()
    assert attached.get_content() == b""


def test_a_scan_by_another_route() -> None:
    site = Site("scan-by-other-route")
    (mail,) = found(site, site.standing(0))
    assert "Received-SPF" in headers(mail)
    assert site.standing(0).email.server == "smtp.office365.com"


def test_a_scan_that_waited() -> None:
    site = Site("scan-late")
    (mail,) = found(site, site.standing(1))
    assert timedelta(minutes=9) < mail.received - mail.message["Date"].datetime < timedelta(minutes=11)


def test_a_scan_without_a_log_row() -> None:
    site = Site("mail-without-log-row")
    assert found(site, site.standing(1))
    assert last_scan(site.standing(1)).lines[0]["Start Date/Time"] < "2026/11/16 06:00"


def test_hosts_alike() -> None:
    site = Site("hosts-alike")
    mails = found(site, site.standing(1))
    assert len(mails) == 2
    texts = {mail.message.get_body().get_content() for mail in mails}  # type: ignore[union-attr]
    assert len({re.findall(r"\((.*?)\)", text)[0] for text in texts}) == 2


# ---- the faults of copiers

MODULES = {"lab.faults_copier", "lab.faults_copierlog", "lab.faults_scan"}
OF_COPIERS = {name: entry for name, entry in faults.ALL.items() if entry.change and entry.change.__module__ in MODULES}


@pytest.mark.parametrize("name", sorted(OF_COPIERS))
def test_a_fault_of_a_copier(name: str) -> None:
    entry = OF_COPIERS[name]
    pairs = [*entry.breaks(SITE), *entry.unproves(SITE)]
    assert len(pairs) == len(set(pairs))
    assert pairs or entry.cause is None
    assert entry.cause or not entry.breaks(SITE)  # what only a scan would show has none
    keys = {copier.key for copier in SITE.copiers} | {subnet.prefix for subnet in SITE.subnets}
    assert {subject for _, subject in pairs} <= keys
    assert entry.change
    changed, untouched = build(PLAN, "loopback"), build(PLAN, "loopback")
    entry.change(changed)
    assert repr(changed.copiers) != repr(untouched.copiers)


def test_every_requirement_of_copiers_can_fail() -> None:
    broken = {pair[0] for entry in OF_COPIERS.values() for pair in entry.breaks(SITE)}
    wanted = {
        "INV-2",
        "COV-1",
        "COV-2",
        "DLV-2",
        "DLV-3",
        "LOG-1",
        "LOG-2",
        "LOG-3",
        *(f"DEV-{number}" for number in range(1, 14)),
    }
    assert broken == wanted


# ---- the button


def test_the_button_of_a_running_lab() -> None:
    with start(DEMO, network="loopback") as lab:
        told = lab.ready["control"]
        answer = control.press(told, "mfp-91-024", subject="from the panel")
        assert answer["sent"] is True
        with pytest.raises(control.ControlError, match="no copier is called nobody"):
            control.press(told, "nobody")
        with pytest.raises(control.ControlError, match="another lab"):
            control.press({**told, "key": "x"}, "mfp-91-024")
        wire, until = Wire(lab), time.monotonic() + 5
        subjects: list[str] = []
        while "from the panel" not in subjects and time.monotonic() < until:
            mails = wire.graph(f"users/{FIRST}/messages", top="50", select="subject").json()["value"]
            subjects = [mail["subject"] for mail in mails]
        assert "from the panel" in subjects
    with pytest.raises(control.ControlError, match="no lab is running"):
        control.press(told, "mfp-91-024")


def test_the_command(tmp_path: Any) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    root = DEMO.parent.parent
    command = [sys.executable, "-m", "scanproof.cli", "lab"]

    def scan(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "scan", *words], cwd=root, env=environment, capture_output=True, text=True, check=False
        )

    none = scan("mfp-90-011")
    assert none.returncode == 4
    assert "no lab is running" in none.stderr
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "lab", "up", "--hold"], cwd=root, env=environment, stdout=subprocess.PIPE
    ) as up:
        try:
            assert up.stdout
            while b"Ctrl-C" not in (line := up.stdout.readline()):
                assert line
            (note,) = tmp_path.glob("scanproof-lab-*.json")
            assert note.stat().st_mode & 0o077 == 0 or os.name == "nt"
            done = scan("3089R210142", "--subject", "hello", "--to", FIRST)
            assert (done.returncode, done.stdout.splitlines()[0]) == (0, "mfp-90-011: Transmission has been completed.")
        finally:
            up.terminate()


SCRIPT = """
import json, sys
from pathlib import Path
from lab import control
from lab.client import start
lab = start(Path(sys.argv[1]), network="namespaces", faults=json.loads(sys.argv[2]))
print(json.dumps([control.press(lab.ready["control"], name, to=to) for name, to in json.loads(sys.argv[3])]))
lab.stop()
"""


def pressed(names: list[str], *buttons: tuple[str, str]) -> list[dict[str, Any]]:
    """Press buttons in the lab in namespaces; return what the panels show."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(DEMO), json.dumps(names), json.dumps(buttons)],
        cwd=DEMO.parent.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.mark.namespaces
def test_scans_pass_firewall_and_address_translation() -> None:
    network, why = probe.verdict(probe.probe())
    if network != "namespaces":
        pytest.skip(why)
    buttons = (("10.20.90.11", FIRST), ("10.20.92.31", OUTSIDE), ("10.20.93.41", OUTSIDE), ("10.20.93.41", FIRST))
    answers = pressed([], *buttons)
    # Only Outpatients leaves by the address of the connector.
    assert [answer["sent"] for answer in answers] == [True, True, False, True]
    assert answers[2]["said"].startswith("550 5.7.64")
    blocked, other = pressed(["port-587-dropped"], buttons[0], ("10.20.91.21", FIRST))
    assert (blocked["sent"], blocked["said"], other["sent"]) == (False, "TimeoutError", True)
    # 10.20.90.18 stands for its subnet; its neighbours get through.
    alone, beside = pressed(["copier-alone-blocked"], ("10.20.90.18", FIRST), buttons[0])
    assert (alone["sent"], alone["said"], beside["sent"]) == (False, "OSError", True)
