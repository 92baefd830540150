"""The workbook that a run leaves: the demo's list, a recorded run's, hostile names, and where it can't be made."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import openpyxl

from scanproof.report.workbook import GivenBack
from selftests import suite
from selftests.test_run_healthy import DEMO, healthy, no_traceback, plugin, run_in, site_copy
from selftests.test_run_hostile import hostile
from selftests.test_workbook_back import assert_no_formula

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("-q", "-m", "reach or inventory")


def left_by(run: suite.Result) -> Any:
    return openpyxl.load_workbook(run.folder / "fleet.xlsx")


def rows_of(run: suite.Result, sheet: str = "Copiers") -> dict[str, dict[str, Any]]:
    found = left_by(run)[sheet]
    names = [cell.value for cell in found[4]]
    rows = [dict(zip(names, values, strict=True)) for values in found.iter_rows(min_row=5, values_only=True)]
    return {str(row["S/N"]).strip(): row for row in rows}


def test_the_demo_s_list_is_given_back() -> None:
    run = healthy()
    rows = rows_of(run)
    assert rows["3089R210142"]["Notes"] is None
    assert rows["3089R210158"]["Notes"] == "new lease 2025"
    assert rows["3108RB00417"]["Judged"].startswith("no: Goes back to the leasing company")
    assert rows["PHBQ7D4012"]["Judged"] == "no: make HP is not in the stated scope"
    assert rows["5224RC10041"]["Judged"] == "yes (a hidden row)"
    judged = {key: row for key, row in rows.items() if str(row["Judged"]).startswith("yes")}
    assert len(judged) == 26
    assert {row["Inventory"] for row in judged.values()} == {"passed"}
    assert all(str(row["Egress"]).startswith("unproven: EGR-") for row in judged.values())
    assert not [note for note in run.run["notes"] if "fleet.xlsx" in note]
    book = left_by(run)
    assert [name for name in book.sheetnames if name.startswith("Main")] == ["Main building (10.20.90.0-24)"]
    about = " ".join(str(row[1]) for row in book["About this file"].iter_rows(values_only=True))
    assert "A simulated site" in about
    assert run.run["inventory_sha256"] in about


def test_each_failed_case_of_a_copier_is_in_its_row(tmp_path: Path) -> None:
    """The sheet says of each copier what run.json says, and nothing better."""
    run = suite.pytest(tmp_path / "run", "-q", "--lab-fault=smtp-port-465")
    areas = {it["id"]: it["area"] for it in run.run["requirements"]}
    wrong = {
        pair: case
        for pair, case in run.cases.items()
        if case["verdict"] in {"failed", "blocked"} and "row" in case["subject"]
    }
    assert wrong
    rows = rows_of(run)
    for (requirement, key), case in wrong.items():
        said = rows[key][areas[requirement].capitalize()]
        assert said.startswith(("failed: ", "blocked: ")), (requirement, key, said)
        if case["verdict"] == "failed":
            assert requirement in said or "more" in said


def test_a_recorded_run_gives_back_the_rows(tmp_path: Path) -> None:
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={healthy().folder}")
    sheet = left_by(again)["Copiers"]
    assert (sheet["A1"].value, sheet["D5"].value, sheet["I4"].value) == (None, "10.20.90.11", "Judged")
    about = " ".join(str(row[1]) for row in left_by(again)["About this file"].iter_rows(values_only=True))
    assert "a recorded run keeps the list's rows, not its workbook" in about


def test_a_recorded_run_with_its_site_gives_back_the_list(tmp_path: Path) -> None:
    again = suite.pytest(tmp_path / "again", "-q", f"--evidence={healthy().folder}", f"--site={DEMO}")
    assert left_by(again)["Copiers"]["A1"].value == "Northfield General Hospital"


def test_hostile_names_are_text() -> None:
    data = (hostile().folder / "fleet.xlsx").read_bytes()
    assert_no_formula(GivenBack(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_defect_costs_the_workbook_alone(tmp_path: Path) -> None:
    code = """
        from plugins import documents

        def give_back(*_):
            raise ZeroDivisionError("no such thing")

        documents.give_back = give_back
    """
    run = run_in(plugin(tmp_path / "p", "defect", code), tmp_path / "run", "-p", "defect", *SMALL)
    assert run.status == 0, run.output
    no_traceback(run)
    note = "fleet.xlsx was not written, which is a defect of Scanproof: ZeroDivisionError('no such thing')"
    assert note in run.run["notes"]
    assert "ZeroDivisionError" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert not (run.folder / "fleet.xlsx").exists()


def test_a_list_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    code = """
        import os
        from plugins import documents

        inner = documents.give_back

        def give_back(content, table, path):
            os.unlink(path)
            return inner(content, table, path)

        documents.give_back = give_back
    """
    run = run_in(plugin(tmp_path / "p", "gone", code), tmp_path / "run", "-p", "gone", f"--site={folder}", *SMALL)
    assert run.status == 0, run.output
    [note] = [note for note in run.run["notes"] if "fleet.xlsx" in note]
    assert "without the customer's formats: fleet.xlsx: no such file" in note
    assert left_by(run)["Copiers"]["D5"].value == "10.20.90.11"
