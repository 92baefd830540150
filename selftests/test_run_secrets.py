"""Canaries: a secret stands in every place that a run reads one from, and is found nowhere afterwards."""

from __future__ import annotations

import base64
import html
import json
import os
import sys
import urllib.parse
import zipfile
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook

from selftests import suite
from selftests.test_run_healthy import at_start, no_traceback, plugin, run_in, site_copy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The lab makes its secrets anew at each start; here, it makes these: first the senders' password, then the app's
# secret, then passwords of mailboxes that nobody signs in to; and the tokens that it issues.
SENDER = "Pw&<\"'%+/\\ sender-canary-7Qx"
CLIENT = "Cs&<\"'%+/\\ü client-canary-9Zk"
TOKEN = base64.urlsafe_b64encode(b"token-canary-4Wv" * 16).decode().rstrip("=")  # every token's last part
COPIER = "Cp&<\"'%+/ü copier-canary-3Lm"
LISTED = "Lp&<'%+/ü listed-canary-8Rt"
LINKED = "linked-canary-5Jd"
CANARIES = (SENDER, CLIENT, TOKEN, COPIER, LISTED, LINKED)

FIXED = f"""
    import secrets, sys
    if "lab" in sys.orig_argv:
        fresh, queue = secrets.token_urlsafe, [{SENDER!r}, {CLIENT!r}]

        def token_urlsafe(length=None):
            if length == 18:
                return queue.pop(0) if queue else fresh(length)
            return fresh(length)

        def token_bytes(length=None):
            return b"token-canary-4Wv" * 16 if length == 256 else octets(length)

        octets, secrets.token_bytes = secrets.token_bytes, token_bytes
        secrets.token_urlsafe = token_urlsafe
"""


def forms(secret: str) -> Iterator[str]:
    """Give a secret as it may stand in a text: plain, escaped, encoded."""
    yield from (secret, html.escape(secret), html.escape(secret, quote=False), json.dumps(secret)[1:-1])
    yield from (repr(secret)[1:-1], urllib.parse.quote(secret), urllib.parse.quote_plus(secret))
    yield urllib.parse.quote(secret, safe="")
    yield html.escape(json.dumps(secret)[1:-1])
    if "canary-" in secret:
        yield secret.rsplit(" ", maxsplit=1)[-1].rpartition("-")[0]  # its plain middle, whatever became of the rest
    for raw in (secret.encode(), secret.encode("utf-16-le")):
        for shift in range(3):
            text = base64.b64encode(b"\0" * shift + raw).decode()
            inner = text[4 if shift else 0 :].rstrip("=")[:-1]
            yield inner[:-4]
            yield inner[:-4].replace("+", "-").replace("/", "_")


def assert_nowhere(result: suite.Result, *folders: Path, secrets: tuple[str, ...] = CANARIES) -> None:
    texts = {"the output": result.output}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                texts[str(path)] = path.read_bytes().decode("utf-8", "replace")
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as archive:
                    texts |= {f"{path}: {name}": archive.read(name).decode() for name in archive.namelist()}
    for place, text in texts.items():
        for secret in secrets:
            for form in forms(secret):
                at = text.find(form)
                assert at < 0, f"{place} holds {form!r}: …{text[max(0, at - 200) : at + 100]}"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A site folder with secrets where they don't belong: in a comment, a column, a hyperlink, a cell."""
    comment = f"\n# The password is {SENDER}, the app's {CLIENT}, the copiers' {COPIER}.\n"
    folder = site_copy(tmp_path / "site", more=comment)
    book = load_workbook(folder / "fleet.xlsx")
    sheet = book["Copiers"]
    sheet["J4"].value = "Admin password"
    for row in range(5, 30):
        sheet.cell(row, 10).value = LISTED
    linked = f"http://admin:{LINKED}@10.20.90.11/web"
    sheet["D5"].hyperlink = linked
    sheet["D5"].value = linked
    sheet["D6"].hyperlink = f"http://admin:{LINKED}@10.20.90.12/web"
    book.save(folder / "fleet.xlsx")
    return folder


LOUD = ("-vvv", "--log-cli-level=DEBUG", "-s", "--tb=long", "-rA", "--full-trace")


def loud(tmp_path: Path, planted: Path, *arguments: str, **environment: str) -> suite.Result:
    """Run as talkatively as can be, with every file that it may leave below one folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    noise = at_start(tmp_path / "fixed", FIXED)
    environment["PYTHONPATH"] = os.pathsep.join([noise["PYTHONPATH"], environment.get("PYTHONPATH", "")])
    return suite.command_line(
        [
            *(sys.executable, "-m", "pytest", f"--run-dir={tmp_path / 'run'}", "-o", f"cache_dir={tmp_path / 'cache'}"),
            *(f"--site={planted}", *LOUD, *arguments),
        ],
        tmp_path / "run",
        deadline=suite.DEADLINE,
        cwd=suite.ROOT,
        TMPDIR=str(temporary),
        SCANPROOF_COPIER_PASSWORD=COPIER,
        PYTHONASYNCIODEBUG="1",
        **environment,
    )


def left(tmp_path: Path) -> tuple[Path, ...]:
    return tmp_path / "run", tmp_path / "cache", tmp_path / "temporary"


def test_healthy_run_holds_no_secret(tmp_path: Path, planted: Path) -> None:
    run = loud(tmp_path, planted)
    assert run.status == 0, run.output[-3000:]
    no_traceback(run)
    # The canaries were really used: signing in by both ways, and reading the mailbox.
    by = {requirement: {v for (r, _), v in run.verdicts.items() if r == requirement} for requirement, _ in run.verdicts}
    assert by["SMTP-1"] == by["INV-1"] == by["TEN-1"] == by["TEN-3"] == {"passed"}
    assert by["DLV-1"] == {"passed", "unproven"}  # a relay is not shown from here
    run.shows("DEBUG")
    assert "[secret]" in (run.folder / "inputs/site.toml").read_text(encoding="utf-8")
    assert_nowhere(run, *left(tmp_path))


def test_a_certificate_is_nowhere(tmp_path: Path) -> None:
    code = """
        import sys
        if "lab" in sys.orig_argv:
            import os
            from lab import faults_app
            make = faults_app.app_certificate

            def kept():
                pem, certificate = make()
                with open(os.environ["KEPT_PEM"], "w") as out:
                    out.write(pem)
                return pem, certificate

            faults_app.app_certificate = kept
    """
    pem = tmp_path / "kept.pem"
    noise = at_start(tmp_path / "fixed", code)
    environment = {"PYTHONPATH": os.pathsep.join([noise["PYTHONPATH"], str(suite.ROOT)]), "KEPT_PEM": str(pem)}
    run = run_in(environment, tmp_path / "run", *LOUD, "--lab-fault=client-certificate", "-m", "tenant")
    assert run.verdicts["TEN-1", "scan@northfield.example"] == "passed"
    lines = [line for line in pem.read_text(encoding="ascii").splitlines() if "-----" not in line]
    assert_nowhere(run, tmp_path / "run", secrets=tuple(lines[3:6]))


def test_refused_sign_in_holds_no_secret(tmp_path: Path, planted: Path) -> None:
    faults = ("--lab-fault=sender-password-wrong", "--lab-fault=client-secret-wrong")
    run = loud(tmp_path, planted, *faults, "-k", "log_in or arrives")
    assert run.status == 1, run.output[-3000:]
    assert_nowhere(run, *left(tmp_path))


def test_a_defect_that_quotes_a_secret(tmp_path: Path, planted: Path) -> None:
    code = """
        import logging
        from scanproof.probes import smtp, web

        async def sign_in(subject, run):
            secret = run.secrets.get("SCANPROOF_SENDER_PASSWORD", subject.key)
            run.say("**", f"AUTH PLAIN {secret}")
            logging.getLogger("a.library").debug("signing in with %s", secret)
            try:
                raise ValueError(secret)
            except ValueError:
                logging.getLogger("a.library").exception("with %(it)r", {"it": secret})
            raise RuntimeError(f"could not sign in with {secret!r}")

        object.__setattr__(smtp.sign_in, "function", sign_in)
    """
    defect = plugin(tmp_path / "p", "defect", code)
    run = loud(tmp_path, planted, "-p", "defect", "-k", "log_in or usable", **defect)
    assert run.status == 1
    run.shows("could not sign in with '[secret]'", "signing in with [secret]")
    assert_nowhere(run, *left(tmp_path))
