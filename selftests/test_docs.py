"""The documents: links resolve, what they name exists, generated parts are fresh, and examples run as they stand."""

from __future__ import annotations

import ast
import html
import importlib.util
import json
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lab import faults
from scanproof import catalogue, cli, diagnosis, replies, secrets
from scanproof.gather import Caps
from scanproof.patience import Gate
from scanproof.scope import KINDS
from scanproof.tenant import allowed, permissions
from selftests import harness, suite

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

ROOT = suite.ROOT
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
BEGIN, END = "<!-- generated: scanproof requirements --markdown -->", "<!-- end of generated -->"


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[tuple[str, str]]:
    """Return every command that a page shows in code: page and line."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines()]
        spans = re.findall(r"`([^`\n]+)`", text)
        for line in [*lines, *spans]:
            bare = re.sub(r"\s{2,}#.*$|^(\S+=\S+ )+|^\$.*$", "", line)
            if re.match(r"(scanproof|pytest) [a-z-]", bare):
                found.append((page.name, bare))
    return found


@pytest.fixture(scope="module")
def help_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("help")
    command = [sys.executable, "-m", "pytest", "--help"]
    return suite.command_line(command, folder).output


def own_options(help_text: str) -> set[str]:
    """Return the options of Scanproof's own group in pytest's help."""
    group = help_text.split("Scanproof: an acceptance run:", 1)[1].split("\n\n", 1)[0]
    return set(re.findall(r"^  (--[a-z-]+)", group, re.MULTILINE))


def test_help_says_how_a_path_is_written(help_text: str) -> None:
    """After a blank, pytest takes an existing folder for one of its own, and doesn't find the suite."""
    for name in ("site", "evidence", "baseline", "run-dir"):
        told = re.search(rf"^  --{name}=.*(?:\n {{5,}}.*)*", help_text, re.MULTILINE)
        assert told, name
        assert " ".join(told[0].split()).endswith("; write it with ="), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        to = (page.parent / name).resolve() if name else page
        assert to.exists(), f"{page.name}: {target}: no such file"
        assert not anchor or anchor in anchors(to), f"{page.name}: {target}: no such heading in {to.name}"


def test_documents_that_messages_and_comments_name_exist() -> None:
    sources = [
        path
        for part in ("scanproof", "plugins", "fixtures", "tests", "lab", "inventory")
        for path in (ROOT / part).rglob("*")
    ]
    for path in [*sources, ROOT / "conftest.py", ROOT / "pyproject.toml"]:
        if path.suffix in {".py", ".toml", ".md", ".html", ".j2"}:
            for name in re.findall(r"docs/[\w-]+\.md", path.read_text(encoding="utf-8")):
                assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"


@pytest.mark.parametrize("page", [*PAGES, *sorted(EXAMPLES.rglob("*.py"))], ids=lambda page: page.name)
def test_no_path_of_a_machine_and_nothing_left_to_do(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(work|root|home|Users|tmp)/|C:\\Users", text)
    assert "TODO" not in text
    assert "\r" not in text


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    to_see = [ROOT / "README.md"]
    while to_see:
        page = to_see.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        to_see += [
            (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))
        ]
    assert not set(PAGES) - seen


def test_commands_that_are_shown_exist(help_text: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = commands()
    assert len(shown) > 20, shown
    for page, line in shown:
        words = line.split()
        if words[0] == "pytest":
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line):
                assert re.search(rf"{option}\b", help_text), f"{page}: {line}: pytest knows no {option}"
            continue
        try:
            cli._parser().parse_known_args(words[1:])
        except SystemExit as stopped:
            said = capsys.readouterr().err
            incomplete = re.search(r"arguments are required|expected one argument", said)
            if stopped.code != 0 and not incomplete:
                pytest.fail(f"{page}: {line}: {said}")


def test_faults_and_scenarios_that_are_shown_exist() -> None:
    for page, line in commands():
        for name in re.findall(r"--(?:lab-)?fault[ =]([a-z0-9-]+)", line):
            assert name in faults.ALL, f"{page}: {line}"
        for name in re.findall(r"--(?:lab-)?scenario[ =]([a-z0-9-]+)", line):
            assert name in faults.SCENARIOS, f"{page}: {line}"


def test_every_option_is_documented_and_no_other(help_text: str) -> None:
    table = text_of("options.md").split("pytest's own options", 1)[0]
    documented = set(re.findall(r"^\| `(--[a-z-]+)", table, re.MULTILINE))
    assert documented == own_options(help_text)


def test_every_command_is_documented_and_no_other() -> None:
    parser = cli._parser()
    choices = next(action.choices for action in parser._actions if action.dest == "command")
    assert choices is not None
    documented = set(re.findall(r"^\| `scanproof ([a-z]+)`", text_of("options.md"), re.MULTILINE))
    assert documented == set(choices)
    whole = text_of("options.md")
    for name, command in dict(choices).items():
        for option in (word for action in command._actions for word in action.option_strings):
            assert option in {"-h", "--help"} or option in whole, f"scanproof {name} {option}"


def test_markers_that_are_documented_are_those_of_the_cases() -> None:
    line = next(line for line in text_of("options.md").splitlines() if line.startswith("| `-m` markers"))
    areas = {requirement.area for requirement in catalogue.read(ROOT / "tests")}
    assert set(re.findall(r"`([a-z]+)`", line)) == areas


def test_requirements_are_those_of_the_cases() -> None:
    generated = text_of("requirements.md").split(BEGIN, 1)[1].split(END, 1)[0].strip()
    fresh = catalogue.markdown(catalogue.read(ROOT / "tests")).strip()
    assert generated == fresh, "paste the output of 'scanproof requirements --markdown' between the markers"


def test_causes_are_those_of_the_rules() -> None:
    generated = text_of("causes.md").split("<!-- generated: diagnosis.markdown() -->", 1)[1].split(END, 1)[0].strip()
    assert generated == diagnosis.markdown(), "paste what diagnosis.markdown() returns between the markers"


def test_every_reply_is_documented_as_it_is() -> None:
    rows = {}
    for line in text_of("replies.md").splitlines():
        if found := re.match(r"\| `([a-z0-9-]+)` \|", line):
            rows[found.group(1)] = html.unescape(line.replace("\\<", "<"))
    for _, meaning in replies._TABLE:
        row = rows.pop(meaning.name, "")
        assert f"| {meaning.means} | {meaning.remedy} |" in row, meaning.name
        assert re.search(r"\| (verified|field|memory)[^|]* \|$", row), meaning.name
    assert not rows, "documented, and not in the table"


def test_every_secret_is_documented() -> None:
    named = set(re.findall(r"^\| `(SCANPROOF_\w+)`", text_of("secrets.md"), re.MULTILINE))
    assert named == set(secrets.NAMES)


def test_subjects_are_documented() -> None:
    listed = text_of("adding.md").split("**One subject, by the argument's name**:", 1)[1].split(".", 1)[0]
    assert re.findall(r"`(\w+)`", listed) == list(KINDS)


def test_caps_are_documented_as_they_are() -> None:
    caps, page = Caps(), " ".join(text_of("design.md").split())
    mailbox, dns, graph, tenant = (caps.services[name] for name in ("mailbox", "dns", "graph", "tenant"))
    assert (
        f"{caps.target} a target, {mailbox} a mailbox, {dns} DNS questions, {graph} requests to Graph for mail, "
        f"{tenant} to the tenant" in page
    )
    assert f"begins with {Gate.LEAST}," in page


def test_what_may_be_asked_of_a_tenant_is_documented_as_it_is() -> None:
    page = text_of("tenant.md")
    listed = re.findall(r"^\| (GET|POST) \| `([^`]+)` \|$", page, re.MULTILINE)
    assert listed == [*allowed.GRAPH, *allowed.EXCHANGE]
    assert all(f"`{command}`" in page and f"Save {command} " in page for command in allowed.COMMANDS)
    assert all(f"{method} `{path}`" in page or f"`{path}`" in page for method, path in allowed.LOGIN)
    assert all(f"`{permission.name}`" in page for permission in permissions.PERMISSIONS)


def test_exit_statuses_are_documented() -> None:
    statuses = {int(found) for found in re.findall(r"^\| ([0-9]) \|", text_of("run.md"), re.MULTILINE)}
    assert statuses == {int(status) for status in pytest.ExitCode if status < 6}


def test_examples_stand_in_the_page_as_they_are() -> None:
    page = text_of("adding.md")
    for path in EXAMPLES.rglob("*.py"):
        assert path.read_text(encoding="utf-8") in page, f"{path.relative_to(EXAMPLES)} differs from docs/adding.md"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the clone with the examples added as docs/adding.md says."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("scanproof", "plugins", "fixtures", "tests", "lab", "inventory/demo"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for path in EXAMPLES.rglob("*.py"):
        assert not (folder / path.relative_to(EXAMPLES)).exists()
        shutil.copy(path, folder / path.relative_to(EXAMPLES))
    line = re.search(r"^```text\n(    \"fixtures\.own\",\n)```", text_of("adding.md"), re.MULTILINE)
    assert line
    wiring = (folder / "conftest.py").read_text(encoding="utf-8")
    changed = wiring.replace("pytest_plugins = [\n", f"pytest_plugins = [\n{line.group(1)}")
    assert changed != wiring
    (folder / "conftest.py").write_text(changed, encoding="utf-8")
    return folder


def judge(clone: Path, run: Path, *arguments: str) -> suite.Result:
    command = [sys.executable, "-m", "pytest", "tests/test_own.py", f"--run-dir={run}", "-p", "no:cacheprovider"]
    return suite.command_line([*command, *arguments], run, cwd=clone)


def test_example_judges_the_demo(clone: Path, tmp_path: Path) -> None:
    done = judge(clone, tmp_path / "run", "--lab-network=loopback", "--lab-fault=https-refused")
    assert done.status == 0, done.output
    verdicts = list(done.verdicts.items())
    certificates = [verdict for (requirement, _), verdict in verdicts if requirement == "OWN-1"]
    assert sorted(certificates) == [*["passed"] * 25, "unproven"]
    assert {verdict for (requirement, _), verdict in verdicts if requirement == "OWN-2"} == {"unproven"}
    ids = [requirement["id"] for requirement in done.run["requirements"]]
    assert {"OWN-1", "OWN-2", "NET-1"} <= set(ids)
    assert not done.run["coverage"]["missing"]


def test_example_sees_an_expired_certificate_in_a_record(clone: Path, tmp_path: Path) -> None:
    first = judge(clone, tmp_path / "run", "--lab-network=loopback")
    assert first.status == 0, first.output
    evidence = first.folder / "evidence.jsonl"
    lines = [json.loads(line) for line in evidence.read_text(encoding="utf-8").splitlines()]
    changed = next(line for line in lines if line["kind"] == "https_page")
    changed["facts"]["tls"]["certificate"]["not_after"] = "2020-01-01T00:00:00Z"
    evidence.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    again = judge(clone, tmp_path / "again", f"--evidence={first.folder}")
    holds_not = [subject for (_, subject), verdict in again.verdicts.items() if verdict == "advice"]
    assert holds_not == [changed["subject"]["name"]]
    again.shows("2020-01-01", "make a new certificate")


def example(name: str) -> ModuleType:
    """Load an example's module from where it stands."""
    path = EXAMPLES / name
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def test_example_probe_tells_open_closed_and_unreachable() -> None:
    module: Any = example("scanproof/probes/raw_print.py")
    copiers = harness.demo().copiers[:3]
    async with harness.bench() as bench:
        await bench.serve(f"{copiers[0].address}:9100", harness.hang)
        await bench.refuse(f"{copiers[1].address}:9100")
        seen = [await bench.observe(module.raw_print, copier) for copier in copiers]
    assert [facts.connected for facts in seen] == [True, False, False]
    assert "refused" in seen[1].seen
    assert "unreachable" in seen[2].seen


def test_examples_only_judge_and_probe() -> None:
    """What an example imports is what the page says that one may use: nothing of the plugins, no socket of its own."""
    for path in EXAMPLES.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        assert not {module for module in modules if module.split(".")[0] in {"plugins", "lab", "socket", "asyncio"}}


def script(page: str, language: str) -> str:
    """Return the first code of a language that a page shows."""
    found = re.search(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    assert found
    return found.group(1)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_nightly_script_fails_on_a_regression_only(tmp_path: Path) -> None:
    for part in ("scanproof", "plugins", "fixtures", "tests", "lab", "inventory/demo"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "nightly.sh").write_text(script("schedule.md", "sh"), encoding="utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in (("pytest", "pytest"), ("scanproof", "scanproof.cli")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"

    def nightly(run: str, *options: str) -> suite.Result:
        command = ["sh", "nightly.sh", "demo", "-q", "-m", "tenant", *options]
        return suite.command_line(command, tmp_path / run, cwd=tmp_path, PATH=path, RUN=run)

    without = nightly("reports/none")
    assert without.status == 4
    without.shows("--baseline", "demo-baseline")
    known = ["--lab-fault=sender-disabled"]
    made = [sys.executable, "-m", "pytest", "-q", "-m", "tenant", "--run-dir=reports/demo-baseline", *known]
    assert suite.command_line(made, tmp_path, cwd=tmp_path).status == 1
    same = nightly("reports/same", *known)  # its own status is 1: it is old news
    assert same.status == 0, same.output[-3000:]
    same.shows("Nothing got worse since demo-baseline")
    worse = nightly("reports/worse", *known, "--lab-fault=smtp-auth-off-tenant")
    assert worse.status == 1
    worse.shows("WORSE than demo-baseline")
    assert nightly("reports/better").status == 0
    assert nightly("reports/nothing", "-k", "no_such_case").status == 5


def test_scheduled_jobs_run_the_script_and_let_its_status_decide() -> None:
    page = text_of("schedule.md")
    posix, windows = script("schedule.md", "sh"), script("schedule.md", "powershell")
    for part in ("--site=", "--run-dir=", "--baseline=", "compare"):
        assert part in posix
        assert part in windows
    jobs = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(jobs) == 2
    for job in jobs:
        assert re.search(r"nightly\.(sh|ps1) hospital", job)
        assert "continue-on-error" not in job.lower().replace("continueonerror", "continue-on-error")
        assert set(re.findall(r"^ +(SCANPROOF_\w+):", job, re.MULTILINE)) <= set(secrets.NAMES)
        assert "\t" not in job
