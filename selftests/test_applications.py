"""Applications: tables of connections as machines print them, hostile ones, what they prove, and whole runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import judged, remedies, scope, site, sitefile
from scanproof.applications import reports, rules, table
from scanproof.applications.facts import Connections, MailConnection
from scanproof.evidence import Lookup
from scanproof.tenant.mails import Listed
from selftests import harness, suite
from selftests.test_run_healthy import no_traceback, site_copy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWN, SERVICE = "10.20.10.80", "198.51.100.25"
KEY = "Laboratory+20reports"
FILE = "laboratory-connections.txt"

SS = f"""State      Recv-Q Send-Q      Local Address:Port       Peer Address:Port Process
ESTAB      0      0             {OWN}:49721         10.20.10.31:1433
ESTAB      0      0        [::ffff:{OWN}]:50514 [::ffff:{SERVICE}]:587   users:(("java",pid=812,fd=41))
TIME-WAIT  0      0      {OWN}%eth0:50508       {SERVICE}:587
"""
SS_ALL = f"""Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
u_str ESTAB  0      0      * 21540                 * 21541
udp   ESTAB  0      0      {OWN}:58632   10.20.10.53:53
tcp   LISTEN 0      128          0.0.0.0:22          0.0.0.0:*
tcp   ESTAB  0      0      {OWN}:50514 {SERVICE}:587
"""
WINDOWS = f"""
Active Connections

  Proto  Local Address          Foreign Address        State
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING
  TCP    {OWN}:50514      {SERVICE}:587      ESTABLISHED     4242
  TCP    [::1]:49670            [::1]:49671            ESTABLISHED
  UDP    0.0.0.0:5353           *:*
"""
GERMAN = f"""
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status
  TCP    {OWN}:50514      {SERVICE}:587      HERGESTELLT
  TCP    0.0.0.0:445            0.0.0.0:0              ABHÖREN
"""
LINUX = f"""Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN
tcp        0      0 {OWN}:50514       {SERVICE}:587       ESTABLISHED
tcp6       0      0 :::80                   :::*                    LISTEN
udp        0      0 127.0.0.53:53           0.0.0.0:*
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   Path
unix  2      [ ACC ]     STREAM     LISTENING     21540    /run/systemd/private
"""
_CELLS = '"Established","","{own}","50514","4242","{to}","587"'
CSV = (
    "#TYPE Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetTCPConnection\r\n"
    '"State","AppliedSetting","LocalAddress","LocalPort","OwningProcess","RemoteAddress","RemotePort"\r\n'
    f"{_CELLS.format(own=OWN, to=SERVICE)}\r\n"
)
SEMICOLONS = CSV.replace(",", ";")
OBJECT = {"State": 5, "LocalAddress": OWN, "LocalPort": 50514, "RemoteAddress": SERVICE, "RemotePort": 587}
JSON = json.dumps([OBJECT, {**OBJECT, "RemotePort": 443, "CimClass": {"CimSuperClass": None}}], indent=1)

TABLES = {
    "ss": SS.encode(),
    "ss of all": SS_ALL.encode(),
    "netstat of Windows": WINDOWS.replace("\n", "\r\n").encode(),
    "netstat in PowerShell 5": WINDOWS.encode("utf-16"),
    "netstat in German": GERMAN.encode("cp850"),
    "netstat of Linux": LINUX.encode(),
    "csv of PowerShell 5": CSV.encode("utf-16"),
    "csv of PowerShell 7": CSV.split("\r\n", 1)[1].encode(),
    "csv with a mark": CSV.encode("utf-8-sig"),
    "csv of a German Windows": SEMICOLONS.encode("utf-16"),
    "json of PowerShell 5": JSON.encode("utf-16"),
    "json of PowerShell 7": JSON.encode(),
    "json of one": json.dumps(OBJECT).encode(),
    "json of Windows with big ends": JSON.encode("utf-16-be").join((b"\xfe\xff", b"")),
    "ss of the established": "\n".join(line.split(maxsplit=1)[-1] for line in SS.splitlines()).encode(),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read(name: str) -> None:
    read = table.read(TABLES[name])
    mail = {(row.remote, row.port) for row in read.rows if row.port == 587}
    assert mail == {(SERVICE, 587)}
    assert OWN in {row.local for row in read.rows}
    assert read.command.split()[0] == ("Get-NetTCPConnection" if name[0] in "cj" else name.split(maxsplit=1)[0])


def test_states_are_kept() -> None:
    assert {row.state for row in table.read(SS.encode()).rows} == {"ESTAB", "TIME-WAIT"}
    assert {row.state for row in table.read(GERMAN.encode("cp850")).rows} > {"HERGESTELLT"}
    assert {row.state for row in table.read(JSON.encode()).rows} == {"Established"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no table of connections"),
        ("Dear colleague, the application was updated.", "no table of connections"),
        (SS.splitlines()[0] + f"\nESTAB 0 0 {OWN}:50514 mail.hospital.example:587\n", "line 2: mail.hospital.example"),
        (SS.splitlines()[0] + f"\nESTAB 0 0 {OWN}:50514 {SERVICE}:submission\n", "line 2: submission is no port"),
        (SS.splitlines()[0] + f"\nESTAB 0 0 {OWN}:50514 {SERVICE}:70000\n", "line 2: 70000 is no port"),
        (SS.splitlines()[0] + f"\nESTAB 0 0 {OWN}:50514\n", "line 2: is cut off"),
        (SS + "tcp\n", "line 5: is cut off"),
        (f"tcp4 0 0 10.20.10.80.50514 {SERVICE}.587 ESTABLISHED\n", "line 1: 10.20.10.80.50514 is no address and port"),
        (WINDOWS.replace(SERVICE, "smtp.office365.com"), "line 6: smtp.office365.com is no IP address"),
        (CSV + "\x00", "line 4: not text (a zero byte)"),
        (CSV + '"Established","10.0.0.1"\r\n', "line 4: 2 cells, where the first line names 7"),
        (CSV + '"Established","', "line 4: not CSV"),
        (CSV.replace('"RemotePort"', '"RemotePorts"'), "line 3: lacks RemoteAddress or RemotePort"),
        (f"{CSV}{_CELLS.format(own=OWN, to='x' * 200_000)}\r\n", "line 4: not CSV: field larger"),
        ("[", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON that can be read (RecursionError)"),
        ('[{"RemotePort": ' + "9" * 5000 + "}]", "line 1: not JSON that can be read (ValueError)"),
        ("[null]", "object 1: no connection, but null"),
        ('[{"RemotePort": true, "RemoteAddress": "10.0.0.1"}]', "object 1: lacks"),
        ('[{"RemotePort": 25, "RemoteAddress": ["10.0.0.1"]}]', "object 1: lacks"),
        ('[{"RemotePort": 25, "RemoteAddress": "\\u202e1.2.3.4"}]', "object 1: \N{REPLACEMENT CHARACTER}1.2.3.4 is no"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(table.TableError) as refused:
        table.read(text.encode())
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(table.TableError, match="larger than"):
        table.read(b" " * (table.MOST + 1))
    monkeypatch.setattr(table, "ROWS", 2)
    with pytest.raises(table.TableError, match="line 4: more than 2 connections"):
        table.read(SS.encode())
    with pytest.raises(table.TableError, match="not UTF-16 text"):
        table.read(b"\xff\xfe\x00")


# ---- what a table says

DEMO = harness.demo()
LAB = DEMO.applications[0]


def seen(
    *addresses: str,
    port: int = 587,
    state: str = "ESTAB",
    own: str = OWN,
    service: tuple[str, ...] = (SERVICE,),
    **looked: Any,
) -> Connections:
    host, public = DEMO.file.mail.submission_host, DEMO.file.mail.public_resolver
    status: Any = looked.get("status", "answered" if service else "timed out")
    retired = [("10.20.10.53", ("10.20.10.25", "203.0.113.25")), (public, looked.get("outside", ()))]
    return Connections(
        file=FILE,
        saved=DEMO.now,
        command="ss",
        rows=9,
        own=(own,),
        mail=tuple(MailConnection(address=it, port=port, states=(state,), line=2) for it in addresses),
        service=(Lookup(name=host, type="A", resolver=public, status=status, values=service),),
        retired=tuple(
            Lookup(name="mail.northfield.example", type="A", resolver=by, status="answered", values=values)
            for by, values in retired
        ),
    )


@pytest.mark.parametrize(
    ("found", "wrong", "untold"),
    [
        (seen(SERVICE), "", ""),
        (seen(SERVICE, "192.0.2.9"), "", "may change by the hour"),
        (seen(SERVICE, port=25), "", "is not the port of smtp-auth, 587"),
        (seen(SERVICE, state="SYN-SENT"), "", "no connection leads to"),
        (seen("10.20.10.25"), "is the retired server", None),
        (seen("203.0.113.25"), "is the retired server mail.northfield.example", None),
        (seen(SERVICE, "203.0.113.25"), "is the retired server mail.northfield.example", None),
        (seen("10.1.1.1"), "is a private address", None),
        (seen("fd00::25"), "is a private address", None),
        (seen("fe80::25"), "is a private address", None),
        # A resolver inside that gives the service's name an address of the site's own proves nothing.
        (seen("10.1.1.1", service=("10.1.1.1",)), "is a private address", "may change by the hour"),
        # The old name was pointed at the service.
        (seen(SERVICE, outside=(SERVICE,)), "", ""),
        (seen("192.0.2.9"), "", "may change by the hour"),
        (seen("127.0.0.1"), "", "on the machine itself"),
        (seen(), "", "no connection to a mail server"),
        (seen(SERVICE, service=()), "", "no resolver says"),
    ],
)
def test_what_connections_say(found: Connections, wrong: str, untold: str | None) -> None:
    said = rules.elsewhere(found, DEMO)
    assert bool(said) == bool(wrong)
    assert wrong in "; ".join(said)
    if untold is not None:
        told = rules.untold(found, LAB, DEMO)
        assert bool(told) == bool(untold)
        assert untold in told


def test_a_table_of_another_machine() -> None:
    assert "none of the machine's own addresses" in rules.of_another(seen(SERVICE, own="10.20.10.81"), LAB)
    assert rules.of_another(seen(SERVICE), LAB) == ""
    unstated = changed((f'address = "{OWN}"\n', "")).applications[0]
    assert f"no address of its machine is stated, so that any machine's table would do (own addresses: {OWN})" in (
        rules.of_another(seen(SERVICE), unstated)
    )
    assert "state address under [[application]] Laboratory reports" in remedies.table(unstated)


# ---- the site


def changed(*edits: tuple[str, str]) -> site.Site:
    text = DEMO.text
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return site.checked(site.Site(sitefile.parse(text), DEMO.table, text, DEMO.now))


ROUTE = ('address = "10.20.10.80"\nroute = "smtp-auth"', 'address = "10.20.10.80"\nroute = "relay"')
SENDER = ('sender = "reports@northfield.example"\n', "")


def test_routes_and_senders_of_applications_count_where_they_are_in_scope() -> None:
    used = {it.subject.key: it.needed for it in scope.senders(DEMO)}
    assert used == {"scan@northfield.example": True, "reports@northfield.example": True}
    outside = changed((', "applications"]', "]"))
    assert {it.subject.key: it.needed for it in scope.senders(outside)}["reports@northfield.example"] is False
    assert [it.excluded for it in scope.applications(outside)] == ["applications are not in the stated scope"]
    assert [(it.subject.key, it.excluded) for it in scope.applications(DEMO)] == [(KEY, "")]


def test_an_application_has_the_route_and_sender_of_its_place() -> None:
    plain = changed(SENDER, ('address = "10.20.10.80"\nroute = "smtp-auth"', 'address = "10.20.93.80"'))
    assert (plain.applications[0].route, plain.applications[0].sender) == ("direct-send", "scan@northfield.example")
    assert changed(ROUTE).applications[0].route == "relay"


def test_an_application_leaves_by_a_stated_address() -> None:
    more = '[[egress]]\nsubnet = "10.20.10.0/24"\npublic_address = "203.0.113.10"\n\n[devices]'
    first = "203.0.113.10"
    needed = {it.subject.public_address: it.needed for it in scope.domain_egresses(changed(ROUTE, ("[devices]", more)))}
    assert needed[first] is True
    assert {it.subject.public_address: it.needed for it in scope.domain_egresses(DEMO)}[first] is False
    relayed = [it.subject.public_address for it in scope.relay_egresses(changed(ROUTE, ("[devices]", more)))]
    assert relayed == [first, "203.0.113.92"]


@pytest.mark.parametrize("name", ["Labor – Befunde", "C++ reports", "a/b\\c", "\N{RIGHT-TO-LEFT OVERRIDE}x"])
def test_any_name_has_a_key(name: str) -> None:
    key = changed(('name = "Laboratory reports"', f"name = {json.dumps(name)}")).applications[0].key
    assert key == scope.encode(key)
    assert "++" not in key


def test_names_that_stand_twice_are_refused() -> None:
    again = '[[application]]\nname = "Laboratory reports"\n\n[devices]'
    with pytest.raises(site.SiteError, match="application: Laboratory reports stands there twice"):
        changed(("[devices]", again))


def test_a_scope_without_an_application_is_not_ready() -> None:
    bare = DEMO.text.partition("[[application]]")[0]
    found = site.Site(sitefile.parse(bare), DEMO.table, bare, DEMO.now)
    assert any("none is stated" in reason for reason in judged.unasked(found))
    assert not judged.unasked(DEMO)


# ---- whose a mail is


def mail(sender: str, subject: str) -> Listed:
    message = {"subject": subject, "from": {"emailAddress": {"address": sender, "name": "x"}}}
    return Listed("scan-proof@northfield.example", message, "Inbox", datetime.now(UTC))


def whose(found: site.Site, sender: str, subject: str) -> str | None:
    run: Any = SimpleNamespace(site=found)
    of = reports._whose(mail(sender, subject), run)
    return of.name if of else None


REPORTS = "reports@northfield.example"
WEEKLY = 'name = "Weekly"\nsender = "reports@northfield.example"\nsubject = "Daily laboratory report W"'
TWO = ("[devices]", f"[[application]]\n{WEEKLY}\n\n[devices]")


@pytest.mark.parametrize(
    ("edits", "sender", "subject", "is_of"),
    [
        ((), REPORTS, "Daily laboratory report 2026-11-24", "Laboratory reports"),
        ((), "Reports@Northfield.Example", "FW: DAILY LABORATORY REPORT", "Laboratory reports"),
        ((), "scan@northfield.example", "Daily laboratory report", None),
        ((), REPORTS, "Message from a copier", None),
        ((TWO,), REPORTS, "Daily laboratory report W 47", "Weekly"),
        ((TWO,), REPORTS, "Daily laboratory report", "Laboratory reports"),
        ((("subject = ", "# subject = "),), REPORTS, "Anything", "Laboratory reports"),
        # The copiers' sender alone tells no application.
        ((("subject = ", "# subject = "), SENDER), "scan@northfield.example", "Anything", None),
    ],
)
def test_whose_a_mail_is(edits: tuple[tuple[str, str], ...], sender: str, subject: str, is_of: str | None) -> None:
    assert whose(changed(*edits), sender, subject) == is_of


# ---- whole runs


def with_table(
    folder: Path, data: bytes | None, *, age: timedelta = timedelta(0), change: Callable[[str], str] = str
) -> Path:
    made = site_copy(folder, change=change)
    if data is not None:
        (made / FILE).write_bytes(data)
        then = (datetime.now(UTC) - age).timestamp()
        os.utime(made / FILE, (then, then))
    return made


@pytest.mark.parametrize(
    ("text", "verdict", "says"),
    [
        (CSV, "passed", "connections to smtp.office365.com alone"),
        (SS.replace(SERVICE, "10.20.10.25"), "failed", "is the retired server"),
        (SS.replace(SERVICE, "192.0.2.77"), "unproven", "may change by the hour"),
        (SS.replace(OWN, "10.20.10.81"), "unproven", "none of the machine's own addresses"),
        (SS + "ESTAB 0 0 <script> \x1b[31m:25\n", "unproven", f"{FILE}: line 5:"),
    ],
)
def test_a_saved_table_is_judged(tmp_path: Path, text: str, verdict: str, says: str) -> None:
    made = with_table(tmp_path / "site", text.encode("utf-16"))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={made}", "-k", "APP-1")
    no_traceback(ran)
    case = ran.cases["APP-1", KEY]
    assert case["verdict"] == verdict, case
    assert says in case["observed"] + case["expected"]
    assert case["grade"] == ("attested" if verdict != "unproven" else case["grade"])
    assert "\x1b" not in case["observed"]


def test_times_that_prove_nothing(tmp_path: Path) -> None:
    for name, age, says in (("old", timedelta(days=400), "before what counts"), ("new", -timedelta(days=2), "to come")):
        made = with_table(tmp_path / name, SS.encode(), age=age)
        ran = suite.pytest(tmp_path / f"run-{name}", "-q", f"--site={made}", "-k", "APP-1")
        assert ran.verdicts["APP-1", KEY] == "unproven"
        assert says in ran.cases["APP-1", KEY]["observed"]


def test_a_statement_alone_is_never_enough(tmp_path: Path) -> None:
    made = with_table(tmp_path / "site", None, change=lambda text: text.replace("connections = ", "# connections = "))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={made}", "-k", "APP-1")
    assert ran.verdicts["APP-1", KEY] == "unproven"
    assert "no connection table" in ran.cases["APP-1", KEY]["observed"]
    assert "Get-NetTCPConnection" in ran.cases["APP-1", KEY]["remedy"]


def test_out_of_scope_is_not_applicable(tmp_path: Path) -> None:
    made = with_table(tmp_path / "site", None, change=lambda text: text.replace(', "applications"]', "]"))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={made}", "-k", "APP or INV-1")
    apart = {(row["requirement"], row["subject"]): row["reason"] for row in ran.run["coverage"]["not_applicable"]}
    for requirement in ("APP-1", "APP-2"):
        assert apart[requirement, KEY] == "applications are not in the stated scope"
    assert not [pair for pair in ran.verdicts if pair[0].startswith("APP")]


def test_a_healthy_application_is_proven_and_judged_again(tmp_path: Path) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", "-k", "APP")
    assert ran.verdicts == {("APP-1", KEY): "passed", ("APP-2", KEY): "passed"}
    report = ran.cases["APP-2", KEY]
    assert "in Inbox of scan-proof@northfield.example" in report["observed"]
    assert "told by sender reports@northfield.example" in report["observed"]
    assert {case["level"] for case in ran.run["cases"]} == {"blocker"}
    again = suite.pytest(tmp_path / "again", "-q", "-k", "APP", f"--evidence={ran.folder}")
    assert again.verdicts == ran.verdicts


def test_a_report_by_another_route_fails(tmp_path: Path) -> None:
    recorded = suite.pytest(tmp_path / "run", "-q", "-k", "APP-2")
    lines = (recorded.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    found = next(record for record in records if record.get("kind") == "report" and record.get("facts"))
    found["facts"]["signs"] = [["not signed in", "AuthAs Anonymous"], ["not signed in", "Received-SPF"]]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (recorded.folder / "evidence.jsonl").write_text(text, encoding="utf-8")
    again = suite.pytest(tmp_path / "again", "-q", "-k", "APP-2", f"--evidence={recorded.folder}")
    assert again.verdicts["APP-2", KEY] == "failed"
    assert "two headers that agree on smtp-auth" in again.cases["APP-2", KEY]["expected"]


def test_mail_from_before_the_last_change_is_no_report(tmp_path: Path) -> None:
    def change(text: str) -> str:
        now = datetime.now(UTC) + timedelta(hours=1)
        return text.replace("lab = true", f"lab = true\nlast_change = {now:%Y-%m-%dT%H:%M:%S}Z", 1)

    made = site_copy(tmp_path / "site", change=change)
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={made}", "-k", "APP")
    assert ran.verdicts == {("APP-1", KEY): "unproven", ("APP-2", KEY): "unproven"}
    assert "no mail of this application since" in ran.cases["APP-2", KEY]["observed"]
