"""What must never look proven: mail that nobody sent, evidence of something else, a run without its evidence."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from scanproof import remedies, sitefile
from scanproof.evidence import Spf
from selftests import suite

if TYPE_CHECKING:
    from pathlib import Path

DEMO = suite.ROOT / "inventory/demo"


def changed(into: Path, *edits: tuple[str, str]) -> Path:
    """Copy the demo site, with its site file changed by regular expressions."""
    folder = into / "site"
    shutil.copytree(DEMO, folder)
    path = folder / "site.toml"
    text = path.read_text(encoding="utf-8")
    for pattern, new in edits:
        text, count = re.subn(pattern, new, text, flags=re.DOTALL)
        assert count, pattern
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest") / "run"
    assert suite.pytest(folder, "-q").status == 0
    return folder


def test_a_site_that_sends_nothing_is_not_ready(tmp_path: Path) -> None:
    site = changed(
        tmp_path,
        (r"test_recipients = \[.*?\n\]\n", ""),
        (r"\[\[sender\]\].*?(?=\[tenant\])", ""),
        (r'sender = "reports@northfield.example"\n', ""),
    )
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={site}", "--signoff")
    assert ran.status == 1
    ran.shows("no sender is stated, so nothing was sent", "no test recipient is stated, so nothing was sent")
    assert not ran.run["signoff"]["ready"]


def test_evidence_of_another_door_is_unproven(tmp_path: Path, gathered: Path) -> None:
    site = changed(tmp_path, (r'(domain = "northfield.example"\n)', r'\1submission_host = "other.example"\n'))
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={gathered}", f"--site={site}", "-k", "SMTP-2 or DLV-1")
    verdicts = {pair[1]: verdict for pair, verdict in ran.verdicts.items() if "smtp-auth" in pair[1]}
    assert set(verdicts.values()) == {"unproven"}
    ran.shows("it was gathered of smtp.office365.com:587, which is other.example:587 now")


@pytest.mark.parametrize("edit", [(r'name = "demo"', 'name = "clinic"'), (r"lab = true", "lab = false")])
def test_evidence_of_another_site_is_refused(tmp_path: Path, gathered: Path, edit: tuple[str, str]) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={gathered}", f"--site={changed(tmp_path, edit)}")
    assert ran.status == 4
    ran.shows("was gathered at the simulated site 'demo', and proves nothing about")
    assert "Traceback" not in ran.output


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            (r"retired_hosts = \[", 'retired_hosts = ["SMTP.office365.com.", '),
            "mail.retired_hosts: smtp.office365.com is mail.submission_host too; take out the one that is wrong",
        ),
        (
            (r'"mail.northfield.example"', '"northfield-example.mail.protection.outlook.com"'),
            "mail.retired_hosts: northfield-example.mail.protection.outlook.com is mail.tenant_endpoint too",
        ),
        ((r"it-helpdesk@", "scan-proof@"), "mail.test_recipients: scan-proof@northfield.example stands there twice"),
        ((r"reports@northfield", "scan@northfield"), "sender: scan@northfield.example stands there twice"),
        ((r'tenant_endpoint = "[^"]*"\n', ""), "mail.tenant_endpoint: missing, to which mail by direct-send"),
        ((r'tenant_endpoint = "[^"]*"', 'tenant_endpoint = "smtp.office365.com"'), "is the submission host"),
    ],
)
def test_a_site_file_that_contradicts_itself(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", f"--site={changed(tmp_path, edit)}")
    assert ran.status == 4
    ran.shows(said)
    assert "Traceback" not in ran.output


def test_a_root_that_is_only_unproven_is_not_green(tmp_path: Path, gathered: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(gathered, folder)
    path = folder / "evidence.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for record in records:
        if record["kind"] == "submission":
            record |= {"outcome": "unproven", "facts": None, "reason": "nobody looked"}
        elif record["kind"] == "arrival":
            record |= {"outcome": "blocked", "facts": None, "reason": "nobody looked", "blocked_by": ["SMTP-2"]}
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={folder}")
    assert {ran.verdicts[pair] for pair in ran.verdicts if pair[0] == "SMTP-2"} == {"unproven"}
    assert ran.status == 1
    ran.shows("cases are blocked by SMTP-2, and no case of this run shows it")


def test_evidence_of_another_tenant_is_refused(tmp_path: Path, gathered: Path) -> None:
    site = changed(tmp_path, (r'id = "6f1d2c1e-', 'id = "7f1d2c1e-'))
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={gathered}", f"--site={site}")
    assert ran.status == 4
    ran.shows("read the tenant 6f1d2c1e-", "and proves nothing about 7f1d2c1e-")


def test_evidence_of_another_way_of_signing_in_is_unproven(tmp_path: Path, gathered: Path) -> None:
    site = changed(tmp_path, (r'auth = "oauth"', 'auth = "basic"'))
    ran = suite.pytest(
        tmp_path / "run", "-q", f"--evidence={gathered}", f"--site={site}", "-k", "SMTP-1 or TEN-1 or TEN-14"
    )
    verdicts = {pair[0]: verdict for pair, verdict in ran.verdicts.items() if pair[1] == "reports@northfield.example"}
    assert set(verdicts.values()) == {"unproven"}


def test_two_runs_with_other_lists_say_so(tmp_path: Path, gathered: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(gathered, other)
    path = other / "inputs/site.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={gathered}", f"--evidence={other}", "-k", "NET-2")
    ran.shows("was made with another site file or list than")


def test_requirements_can_be_selected_by_their_id(tmp_path: Path, gathered: Path) -> None:
    ran = suite.pytest(tmp_path / "run", "-q", f"--evidence={gathered}", "-k", "NET-4")
    assert {pair[0] for pair in ran.verdicts} == {"NET-4"}
    assert len(ran.verdicts) == 26


def test_a_broken_case_file_is_named(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(
        suite.ROOT, clone, ignore=shutil.ignore_patterns(".git", ".venv", "venv", "reports", ".*_cache", "__pycache__")
    )
    (clone / "tests/test_own.py").write_text("def broken(:\n", encoding="utf-8")
    import sys  # noqa: PLC0415

    ran = suite.command_line([sys.executable, "-m", "pytest", "-q"], tmp_path, cwd=clone)
    assert ran.status == 4
    ran.shows("test_own.py:1: not valid Python")


def record(result: str, *records: str, includes: bool = True) -> Spf:
    text = tuple(f"v=spf1 {terms}{' include:spf.protection.outlook.com' if includes else ''} ~all" for terms in records)
    return Spf(domain="northfield.example", address="203.0.113.93", result=result, records=text)


def test_the_spf_remedy_keeps_what_is_there() -> None:
    said = remedies.spf(record("softfail", "ip4:203.0.113.10"))
    assert "put ip4:203.0.113.93 before the “all” of the existing record, v=spf1 ip4:203.0.113.10" in said
    assert "publish one TXT record" in remedies.spf(record("none"))
    assert "merge the 2 SPF records" in remedies.spf(record("permerror", "ip4:203.0.113.10", "ip4:203.0.113.11"))
    assert "put include:spf.protection.outlook.com before" in remedies.spf(
        record("pass", "ip4:203.0.113.93", includes=False)
    )


def test_a_list_of_wrong_items_is_said_once() -> None:
    with pytest.raises(sitefile.SiteError) as error:
        sitefile.parse('[site]\nname="x"\n[mail]\ndomain="a.example"\nroutes=["smtp"]\n')
    assert len(error.value.args) == 1
