"""The ``scanproof`` command, from wherever it is called; and a clone that stands elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from scanproof import catalogue
from selftests import suite
from selftests.test_run_healthy import DEMO, at_start, healthy, no_traceback, site_copy

IDS = [requirement.id for requirement in catalogue.read(suite.ROOT / "tests")]


def scanproof(cwd: Path, *arguments: str, said: str = "", **environment: str) -> suite.Result:
    """Run the command in another folder than the clone, with ``said`` on its standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "scanproof.cli", *arguments],
        cwd=cwd,
        env=suite.environment(**environment),
        input=said.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=suite.DEADLINE,
        check=False,
    )
    result = suite.Result(done.returncode, done.stdout.decode("utf-8", "replace"), cwd / "run")
    no_traceback(result)
    return result


def test_the_package_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scanproof", "--version"]
    whole = suite.command_line(command, tmp_path, cwd=tmp_path)
    assert (whole.status, whole.output) == (0, scanproof(tmp_path, "--version").output)
    assert suite.command_line([*command[:-1], "nosuch"], tmp_path, cwd=tmp_path).status == 2


def test_requirements(tmp_path: Path) -> None:
    plain = scanproof(tmp_path, "requirements")
    assert plain.status == 0
    assert [line.split()[0] for line in plain.output.splitlines()] == IDS
    listed = json.loads(scanproof(tmp_path, "requirements", "--json").output)
    assert [row["id"] for row in listed] == IDS
    assert all(row["level"] for row in listed)
    table = scanproof(tmp_path, "requirements", "--markdown")
    assert all(f"| {name} |" in table.output for name in IDS)


def test_init_then_its_own_site_is_refused_until_filled_in(tmp_path: Path) -> None:
    made = scanproof(tmp_path, "init", str(DEMO / "fleet.xlsx"), "--to", "site")
    assert made.status == 0
    made.shows("site.toml: written", "columns: ", "next:", "fill in")
    refused = suite.pytest(tmp_path / "run", "-q", f"--site={tmp_path / 'site'}")
    assert refused.status == 4
    refused.shows("mail.domain", "FILL IN the mail domain")
    again = scanproof(tmp_path, "init", str(DEMO / "fleet.xlsx"), "--to", "site")
    assert again.status == 4
    again.shows("exists and is not overwritten")
    missing = scanproof(tmp_path, "init", "nosuch.xlsx", "--to", "other")
    assert missing.status == 4
    missing.shows("nosuch.xlsx: no such file")


def test_doctor(tmp_path: Path) -> None:
    machine = scanproof(tmp_path, "doctor")
    assert machine.status in {0, 1}
    machine.shows("ok     Python", "this folder can be written")
    demo = scanproof(tmp_path, "doctor", "--site", str(DEMO))
    demo.shows(
        "29 rows, 26 copiers in scope" if "29 rows" in demo.output else "26 copiers in scope", "a simulated site"
    )
    missing = scanproof(tmp_path, "doctor", "--site", "nosuch")
    assert missing.status == 1
    missing.shows("LACKS  nosuch", "no such file")
    real = site_copy(
        tmp_path / "real",
        change=lambda text: text.replace("lab = true", "lab = false").partition("[tenant]")[0],
    )
    no_keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    lacking = scanproof(tmp_path, "doctor", "--site", str(real), **no_keyring)
    assert lacking.status == 1
    lacking.shows("no password for scan@northfield.example", "SCANPROOF_SENDER_PASSWORD__scan_northfield_example")
    lacking.shows("note   no last_change is stated: scans, log lines and saved files count from the cut-over")
    assert "retired_hosts" not in lacking.output


def test_doctor_tells_a_waived_row_as_waived(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(DEMO / "fleet.xlsx")
    sheet.worksheets[0]["D8"] = "10.20.90.300"
    table = '[[waiver]]\nrequirement = "INV-1"\nsubject = "*"\nreason = "it moves"\napproved_by = "C. Approver"\n'
    folder = site_copy(tmp_path / "site", more=f"\n{table}until = 2099-01-01T00:00:00+01:00\n")
    sheet.save(folder / "fleet.xlsx")
    scanproof(tmp_path, "doctor", "--site", str(folder)).shows(
        "note   fleet.xlsx, sheet Copiers, D8: '10.20.90.300'", "waived until 2099-01-01: it moves (C. Approver)"
    )


FILES = """
[[copier]]
address = "10.20.90.11"
log = "logs/a.csv"
settings = "fleet.xlsx"

[[application]]
name = "Reports"
connections = "connections.txt"
"""


def test_doctor_hints_at_what_is_not_stated(tmp_path: Path) -> None:
    def change(text: str) -> str:
        kept = [line for line in text.splitlines() if not line.startswith(("retired_hosts", "resolvers", "cutover"))]
        return "\n".join(kept).replace("lab = true", "lab = false")

    made = site_copy(tmp_path / "real", change=lambda text: change(text).partition("[tenant]")[0] + FILES)
    hints = scanproof(tmp_path, "doctor", "--site", str(made), PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    hints.shows(
        "note   logs/a.csv ([[copier]] log) is no file of the site's folder",
        "note   connections.txt ([[application]] connections) is no file of the site's folder",
        "note   neither last_change nor cutover is stated",
        "note   no retired_hosts are stated",
        "note   no resolvers are stated for 10.20.90.0/24, 10.20.91.0/24",
    )
    assert "fleet.xlsx ([[copier]]" not in hints.output


def test_lab_faults_and_probe(tmp_path: Path) -> None:
    faults = json.loads(scanproof(tmp_path, "lab", "faults", "--json").output)
    keys = {"name", "layer", "network", "describes", "breaks", "unproves", "cause"}
    assert faults
    assert all(set(entry) == keys for entry in faults)
    plain = scanproof(tmp_path, "lab", "faults")
    assert len(plain.output.splitlines()) == len(faults)
    probe = scanproof(tmp_path, "lab", "probe")
    assert probe.status == 0
    assert probe.output.splitlines()[-1].startswith(("namespaces: ", "loopback: "))


KEYRING = """
    import json, os, pathlib
    import keyring.backend, keyring.errors

    class Keyring(keyring.backend.KeyringBackend):
        priority = 1

        def _file(self):
            return pathlib.Path(os.environ["KEPT"])

        def get_password(self, service, name):
            return json.loads(self._file().read_text()).get(f"{service}/{name}") if self._file().exists() else None

        def set_password(self, service, name, value):
            if "locked" in os.environ:
                raise keyring.errors.KeyringLocked("the keyring is locked")
            self._file().write_text(json.dumps({f"{service}/{name}": value}))
"""


def test_secret_set(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    environment = at_start(tmp_path / "start", "") | {
        "KEPT": str(tmp_path / "kept.json"),
        "PYTHON_KEYRING_BACKEND": "fake_keyring.Keyring",
    }
    Path(environment["PYTHONPATH"], "fake_keyring.py").write_text(
        "\n".join(line[4:] for line in KEYRING.splitlines()), encoding="utf-8"
    )
    name = "SCANPROOF_SENDER_PASSWORD__scan_northfield_example"
    kept = scanproof(tmp_path, "secret", "set", name, said="pass & word-canary\n", **environment)
    assert kept.status == 0, kept.output
    assert "canary" not in kept.output
    assert json.loads((tmp_path / "kept.json").read_text()) == {f"scanproof/{name}": "pass & word-canary"}
    empty = scanproof(tmp_path, "secret", "set", name, said="\n", **environment)
    assert (empty.status, "no value was given" in empty.output) == (4, True)
    unknown = scanproof(tmp_path, "secret", "set", "SCANPROOF_NOSUCH", said="x\n", **environment)
    assert (unknown.status, "is not a secret that Scanproof reads" in unknown.output) == (4, True)
    locked = scanproof(tmp_path, "secret", "set", name, said="word-canary\n", locked="1", **environment)
    assert (locked.status, "the keyring is locked" in locked.output) == (4, True)
    locked.shows(f"without a keyring, set the environment variable {name}")
    assert "canary" not in locked.output


def test_demo_from_another_folder(tmp_path: Path) -> None:
    run = scanproof(tmp_path, "demo", "--network", "loopback", f"--run-dir={tmp_path / 'run'}", "-q", "-k", "usable")
    assert run.status == 0, run.output
    run.shows(f"report: {tmp_path / 'run' / 'report.html'}")
    assert {requirement for requirement, _ in run.verdicts} == {"INV-1"}
    broken = scanproof(tmp_path, "demo", "--network=loopback", "--fault=mail-lat", "-q")
    assert broken.status == 4
    broken.shows("did you mean mail-late?")


@pytest.mark.parametrize(
    "arguments",
    [(), ("nosuch",), ("requirements", "--nosuch"), ("init",), ("lab",), ("lab", "nosuch"), ("secret", "set")],
    ids=" ".join,
)
def test_a_wrong_command_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    wrong = scanproof(tmp_path, *arguments)
    assert wrong.status == 2  # argparse's own
    wrong.shows("usage: scanproof", "error: ")


def test_a_clone_elsewhere(tmp_path: Path) -> None:
    clone = tmp_path / "a clone with blanks"
    clone.mkdir()
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(suite.ROOT / name, clone)
    for name in ("tests", "fixtures", "plugins", "scanproof", "lab", "inventory"):
        shutil.copytree(suite.ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "usable or on_http"]
    done = suite.command_line(command, clone, cwd=clone)
    assert done.status == 0, done.output
    folders = list((clone / "reports").iterdir())
    assert len(folders) == 1
    run = suite.Result(0, done.output, folders[0])
    assert {pair: verdict for pair, verdict in healthy().verdicts.items() if pair in run.verdicts} == run.verdicts
    assert os.listdir(folders[0] / "inputs")  # noqa: PTH208


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of another kind there")
def test_a_reader_that_has_read_enough_gets_no_traceback() -> None:
    code = "import sys; from scanproof.cli import main; sys.exit(main(['requirements', '--json']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=60)
    assert complaint == ""
    assert process.returncode == 141
