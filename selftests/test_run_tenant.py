"""The tenant in a whole run: what is asked of it, a service that goes away, and answers that were saved by hand."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from selftests import suite
from selftests.test_run_healthy import at_start, no_traceback, run_in, site_copy

if TYPE_CHECKING:
    from pathlib import Path

SCAN = "scan@northfield.example"
DOMAIN = "northfield.example"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[suite.Result, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("tenant")
    journal = folder / "journal.jsonl"
    ran = suite.pytest(folder / "run", "-q", LAB_JOURNAL=str(journal))
    return ran, [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


def test_a_whole_run_only_reads(asked: tuple[suite.Result, list[dict[str, Any]]]) -> None:
    ran, journal = asked
    assert ran.status == 0
    assert {entry["server"] for entry in journal} == {"graph", "exchange", "copier"}
    assert [entry for entry in journal if not entry["reads"]] == []


def test_each_setting_is_asked_for_once(asked: tuple[suite.Result, list[dict[str, Any]]]) -> None:
    _, journal = asked
    commands = Counter(entry["cmdlet"] for entry in journal if entry["cmdlet"])
    assert commands.pop("Get-CASMailbox") == 2  # one for each sender
    assert set(commands.values()) == {1}
    settings = [entry["path"] for entry in journal if entry["server"] == "graph" and "/messages" not in entry["path"]]
    once = [path for path in settings if "evaluate" not in path and "mailFolders" not in path]
    assert len(once) == len(set(once))


def test_what_oauth_makes_needless_is_listed(asked: tuple[suite.Result, list[dict[str, Any]]]) -> None:
    ran, _ = asked
    apart = {(row["requirement"], row["subject"]): row["reason"] for row in ran.run["coverage"]["not_applicable"]}
    for requirement in ("TEN-2", "TEN-3", "TEN-5", "TEN-6", "TEN-12"):
        assert apart[requirement, "reports@northfield.example"] == "signs in by OAuth, which this does not concern"


def test_exceptions_from_baselines_are_in_the_report(asked: tuple[suite.Result, list[dict[str, Any]]]) -> None:
    ran, _ = asked
    assert "CISA MS.EXO.5.1" in ran.cases["TEN-1", SCAN]["exceptions"][0]
    report = (ran.folder / "report.html").read_text(encoding="utf-8")
    assert "Exceptions from security baselines" in report
    for name in ("MS.EXO.5.1", "MS.AAD.1.1", "MT.1021", "MT.1062"):
        assert name in report


def test_a_case_that_fails_is_no_exception(tmp_path: Path) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", "--lab-fault=smtp-auth-off-mailbox", "-k", "TEN-1")
    assert ran.cases["TEN-1", SCAN]["verdict"] == "failed"
    assert ran.cases["TEN-1", SCAN]["exceptions"] == []
    ran.shows(f"Set-CASMailbox -Identity {SCAN} -SmtpClientAuthenticationDisabled $false")


def test_records_that_only_the_site_file_states_are_a_statement(tmp_path: Path) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", "--lab-fault=no-permission-domain", "-m", "dns")
    case = ran.cases["DNS-1", DOMAIN]
    assert (case["verdict"], case["grade"]) == ("passed", "attested")
    assert "the site file, for the tenant's own records could not be read: " in case["expected"]
    assert {case.get("grade") or "" for pair, case in ran.cases.items() if pair[0] == "DNS-2"} == {""}


@pytest.mark.parametrize("after", [6, 20])
def test_graph_goes_away_in_mid_run(tmp_path: Path, after: int) -> None:
    code = f"""
        import sys
        if "lab" in sys.orig_argv:
            sys.path.insert(0, {str(suite.ROOT)!r})
            from lab import estate
            build = estate.build

            def built(*arguments):
                made = build(*arguments)
                made.tenant.graph.fails_after = {after}
                return made

            estate.build = built
    """
    ran = run_in(at_start(tmp_path / "start", code), tmp_path / "run", "-q")
    no_traceback(ran)
    assert ran.status == 0
    verdicts = set(ran.verdicts.values())
    assert verdicts <= {"passed", "unproven", "advice"}, ran.output[-3000:]
    assert ran.verdicts["TEN-1", SCAN] == "passed"  # Exchange's own API answers
    lost = [case for case in ran.run["cases"] if case["verdict"] == "unproven" and "graph." in case["observed"]]
    assert lost
    assert all(case["remedy"] for case in lost)


def saved(folder: Path, at: datetime) -> None:
    answers: dict[str, Any] = {
        "Get-TransportConfig": {"SmtpClientAuthenticationDisabled": True},
        "Get-CASMailbox": {"PrimarySmtpAddress": SCAN, "SmtpClientAuthenticationDisabled": False},
        "Get-User": {"UserPrincipalName": SCAN, "AuthenticationPolicy": None},
        "Get-OrganizationConfig": {"RejectDirectSend": False, "DefaultAuthenticationPolicy": None},
        "Get-AuthenticationPolicy": [],
        "Get-InboundConnector": [],
        "Get-OutboundConnector": [],
        "Get-AcceptedDomain": {"DomainName": DOMAIN, "DomainType": "Authoritative"},
        "Get-MgPolicyIdentitySecurityDefaultEnforcementPolicy": {"IsEnabled": False},
        "Get-MgUser": {
            "Id": "1",
            "UserPrincipalName": SCAN,
            "AccountEnabled": True,
            "PasswordPolicies": "DisablePasswordExpiration",
            "LastPasswordChangeDateTime": "2026-10-01T08:00:00Z",
            "OnPremisesSyncEnabled": None,
            "AssignedPlans": [
                {
                    "Service": "exchange",
                    "CapabilityStatus": "Enabled",
                    "ServicePlanId": "9aaf7827-d63c-4b61-89c3-182f06f82e5c",
                }
            ],
        },
        "Get-MgIdentityConditionalAccessPolicy": [],
        f"Get-MgUserTransitiveMemberOf {SCAN}": [],
        f"authentication-requirements {SCAN}": {"perUserMfaState": "disabled"},
    }
    folder.mkdir()
    for name, value in answers.items():
        text = json.dumps({"Saved": at.isoformat(), "Value": value})
        # What PowerShell 5 writes is UTF-16 with a mark.
        (folder / f"{name}.json").write_text(text, encoding="utf-16")


def without_app(text: str) -> str:
    return text.replace('client_id = "', 'saved = "tenant"\n# client_id = "')


def test_saved_answers_serve_where_nothing_may_be_asked(tmp_path: Path) -> None:
    site = site_copy(tmp_path / "site", change=without_app)
    saved(site / "tenant", datetime.now(UTC) - timedelta(hours=1))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-m", "tenant")
    for requirement in ("TEN-1", "TEN-2", "TEN-3", "TEN-5", "TEN-6", "TEN-7"):
        case = ran.cases[requirement, SCAN]
        assert (case["verdict"], case["grade"]) == ("passed", "attested"), case
    assert "tenant/Get-TransportConfig.json, saved on " in ran.cases["TEN-1", SCAN]["observed"]
    # Decided without Entra's own evaluation: that passes no blocker.
    access = ran.cases["TEN-4", f"{SCAN}++203.0.113.10"]
    assert (access["verdict"], access["grade"]) == ("unproven", "inferred")
    assert ran.verdicts["TEN-8", DOMAIN] == ran.verdicts["TEN-11", DOMAIN] == "passed"
    assert ran.verdicts["TEN-10", "203.0.113.92"] == "failed"
    assert ran.verdicts["TEN-13", DOMAIN] == "unproven"
    assert "exactly scan@northfield.example" in ran.cases["TEN-1", SCAN]["exceptions"][0]


@pytest.mark.parametrize(
    ("name", "value", "requirement", "said"),
    [
        ("Get-OutboundConnector", [None], "TEN-11", "holds null where objects belong"),
        ("Get-OutboundConnector", ["Access denied"], "TEN-11", 'holds "Access denied" where objects belong'),
        (
            "Get-AcceptedDomain",
            {"DomainName": "other.example", "DomainType": "Authoritative"},
            "TEN-8",
            "other.example",
        ),
        ("Get-TransportConfig", None, "TEN-1", "where objects belong"),
    ],
)
def test_a_saved_answer_that_is_none(tmp_path: Path, name: str, value: object, requirement: str, said: str) -> None:
    site = site_copy(tmp_path / "site", change=without_app)
    now = datetime.now(UTC)
    saved(site / "tenant", now)
    text = json.dumps({"Saved": now.isoformat(), "Value": value})
    (site / "tenant" / f"{name}.json").write_text(text, encoding="utf-8")
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-k", requirement)
    case = next(case for pair, case in ran.cases.items() if pair[0] == requirement and pair[1] in {SCAN, DOMAIN})
    assert case["verdict"] == "unproven"
    assert said in case["observed"]


def test_a_missing_saved_answer_is_named(tmp_path: Path) -> None:
    site = site_copy(tmp_path / "site", change=without_app)
    saved(site / "tenant", datetime.now(UTC))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-k", "TEN-12")
    assert ran.verdicts["TEN-12", SCAN] == "unproven"
    ran.shows(f"tenant/Get-MgAuditLogSignIn {SCAN}.json is not there")


def test_an_answer_of_tomorrow_proves_nothing(tmp_path: Path) -> None:
    site = site_copy(tmp_path / "site", change=without_app)
    saved(site / "tenant", datetime.now(UTC) + timedelta(days=1))
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-k", "TEN-11")
    assert ran.verdicts["TEN-11", DOMAIN] == "unproven"
    ran.shows("which is yet to come")


def test_answers_from_before_the_last_change_prove_nothing(tmp_path: Path) -> None:
    site = site_copy(tmp_path / "site", change=without_app)
    saved(site / "tenant", datetime(2026, 11, 15, tzinfo=UTC))  # the demo's cut-over is on the 16th
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-k", "TEN-1 or TEN-11")
    assert ran.verdicts["TEN-1", SCAN] == ran.verdicts["TEN-11", DOMAIN] == "unproven"
    ran.shows("was saved on 2026-11-15 00:00 UTC, before what counts")


def test_a_device_code_needs_a_person(tmp_path: Path) -> None:
    site = site_copy(
        tmp_path / "site", change=lambda text: text.replace("[tenant]\n", '[tenant]\nsign_in = "device"\n')
    )
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "-k", "TEN-1 or TEN-3")
    assert set(ran.verdicts.values()) == {"unproven"}
    ran.shows("this needs a person at a terminal, and there is none")


@pytest.mark.parametrize(
    "wrong", ["http://graph.example", "graph.example", "https://graph.example/v1.0", "https://user@graph.example"]
)
def test_an_endpoint_that_is_none_is_misuse(tmp_path: Path, wrong: str) -> None:
    more = f'\n[tenant.endpoints]\ngraph = "{wrong}"\n'
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site_copy(tmp_path / 'site', more=more)}")
    assert ran.status == 4
    ran.shows("tenant.endpoints.graph", "is not an endpoint such as https://graph.microsoft.com")
