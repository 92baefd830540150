"""The workbook given back: what the run adds, what of the customer's stays, and that no text is a formula."""

from __future__ import annotations

import copy
import hashlib
import io
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from openpyxl.comments import Comment
from openpyxl.formatting import rule
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table as ExcelTable
from openpyxl.worksheet.table import TableStyleInfo

from scanproof import site as sites
from scanproof import workbook
from scanproof.report import cells, copiers, ownsheet, ownvalues, ticket
from scanproof.report.account import Account
from scanproof.report.workbook import GivenBack, give_back
from selftests.fleet_lists import text_file, xlsx
from selftests.sample_run import sample_run
from selftests.sample_tickets import texts, waived

Record = dict[str, Any]
RULES: Any = rule  # whose functions have no types
HEADS = ("IP Address", "S/N", "Make", "Model", "Location", "Notes")
LINKS = ("listed", "reachable", "settings", "egress", "tls", "sign-in", "accepted", "arrived", "logged")
ADDED = ("Judged", "Subnet", "Location (Scanproof)")
DEMO = Path(__file__).parent.parent / "inventory" / "demo"
INJECTIONS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://x.example","y")',
    "=cmd|'/c calc'!A1",
    "\t=1",
    "_x003D_1",
)


def run_with_chains(copiers: int = 26) -> Record:
    """Return the sample run with what the diagnosis adds."""
    run, _ = sample_run(copiers)
    run["copiers"] = []
    verdicts = {(case["subject"]["name"], case["requirement"]): case for case in run["cases"]}
    for subnet in run["layout"]["subnets"]:
        for copier in subnet["copiers"]:
            away = verdicts[copier["key"], "NET-4"]
            broken = "reachable" if away["verdict"] == "failed" else None
            run["copiers"].append(
                {
                    "name": copier["key"],
                    "chain": [{"link": link, "verdict": "not judged", "cases": []} for link in LINKS],
                    "broken_at": broken,
                    "open_at": None if broken else "egress",
                    "verdict": "broken" if broken else "not proven",
                    "cause": away["cause"],
                    "remedy": away["remedy"] or "Scan one page.",
                }
            )
    return run


def rows_of(run: Record) -> list[list[object]]:
    copiers = [copier for subnet in run["layout"]["subnets"] for copier in subnet["copiers"]]
    return [[it["address"], it["key"], "Ricoh", it["model"], it["location"], "as leased"] for it in copiers]


def listed(folder: Path, run: Record, change: Any = None, name: str = "list.xlsx") -> Path:
    """Write the sample run's list, with a title above its headings."""
    return xlsx(folder, ("Northfield",), (), HEADS, *rows_of(run), change=change, name=name)


def read_back(given: GivenBack) -> Any:
    return openpyxl.load_workbook(io.BytesIO(given.data))


def made(folder: Path, run: Record | None = None, change: Any = None) -> Any:
    """Return the workbook given back of the sample's list, after a change to its sheet."""
    run = run or run_with_chains()
    path = listed(folder, run, change)
    given = give_back(run, workbook.read(path), path)
    assert given.note == ""
    return read_back(given)


def parts(given: GivenBack) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(given.data)) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def table_at(sheet: Any, row: int) -> list[dict[str, Any]]:
    """Return the rows under a row of headings."""
    names = [cell.value for cell in sheet[row]]
    return [dict(zip(names, values, strict=True)) for values in sheet.iter_rows(min_row=row + 1, values_only=True)]


# --- what the run adds -----------------------------------------------------------------------------


def test_rows_say_how_they_stand(tmp_path: Path) -> None:
    book = made(tmp_path)
    sheet = book["Copiers"]
    names = [cell.value for cell in sheet[3]]
    assert names[:6] == list(HEADS)
    assert names[6:9] == list(ADDED)
    assert names[9:] == [
        *("Inventory", "Reach", "Egress", "Tenant", "SMTP", "Device", "Delivery", "Log", "Coverage"),
        *("Chain verdict", "First broken link", "Remedy", "Evidence"),
    ]
    assert sheet["G2"].value == "Scanproof · REQ-104217 · 2026-11-23 14:03:08 UTC"
    rows = {row["S/N"]: row for row in table_at(sheet, 3)}
    away = rows["3108RB00016"]  # the fifth of its subnet doesn't answer
    assert (away["Reach"], away["Device"]) == ("failed: NET-4", "blocked: DEV-1, DEV-2, DEV-3, DEV-4, and 3 more")
    assert (away["Chain verdict"], away["First broken link"]) == ("broken", "reachable")
    assert away["Remedy"].startswith("See whether the copier is switched on")
    assert (away["Subnet"], away["Location"]) == ("Main building (10.20.90.0/24)", away["Location (Scanproof)"])
    fine = rows["3108RB00008"]
    assert (fine["Inventory"], fine["Reach"], fine["Egress"]) == ("passed", "passed", "passed")
    assert (fine["Chain verdict"], fine["First broken link"]) == ("not proven", "open: egress")


def test_only_what_concerns_a_copier_counts(tmp_path: Path) -> None:
    """The laboratory's direct send needs port 25, not 587, which is blocked there, and no sign-in."""
    rows = table_at(made(tmp_path)["Copiers"], 3)
    laboratory = next(row for row in rows if "10.20.93." in row["IP Address"])
    assert (laboratory["Egress"], laboratory["SMTP"], laboratory["Tenant"]) == ("passed", "not judged", "not judged")
    surgery = next(row for row in rows if "10.20.91." in row["IP Address"])
    assert (surgery["Egress"], surgery["SMTP"]) == ("passed", "failed: SMTP-1")
    assert surgery["Tenant"] == "error: TEN-6"


def test_public_addresses_tell_whose_case_it_is() -> None:
    run, _ = sample_run(8)
    surgery = run["layout"]["subnets"][1]
    surgery["public_address"] = "203.0.113.91"
    for place, verdict in (("203.0.113.91", "failed"), ("10.20.90.0/24", "passed")):
        case = copy.deepcopy(next(case for case in run["cases"] if case["requirement"] == "TEN-1"))
        case["subject"] |= {"kind": "sender_egress", "name": f"scan@northfield.example++{place}"}
        run["cases"].append(case | {"requirement": "TEN-4", "verdict": verdict, "id": f"ten-4 {place}"})
    run["requirements"].append({"id": "TEN-4", "level": "blocker", "area": "tenant", "sentence": "", "kind": ""})
    found = copiers.Standings(run).of
    said = {copier["key"]: found[copier["key"]].areas["tenant"].text for copier in surgery["copiers"]}
    assert set(said.values()) == {"failed: TEN-4"}
    main = run["layout"]["subnets"][0]["copiers"]
    assert {found[copier["key"]].areas["tenant"].word for copier in main} == {"error"}


def test_verdicts_are_words_and_colours(tmp_path: Path) -> None:
    sheet = made(tmp_path)["Copiers"]
    words = set()
    for row in sheet.iter_rows(min_row=4, min_col=10, max_col=19):
        for cell in row:
            word = str(cell.value).partition(":")[0]
            words.add(word)
            ink = cells.INK.get(word)
            assert cell.fill.start_color.rgb[2:] == ink[1] if ink else cell.fill.fill_type is None, (cell.value, word)
    assert {"passed", "failed", "blocked", "unproven", "advice", "not judged", "broken", "not proven"} <= words


def test_evidence_names_records_and_links_to_the_report(tmp_path: Path) -> None:
    run = run_with_chains()
    sheet = made(tmp_path, run)["Copiers"]
    known = {name for case in run["cases"] for name in case["evidence"]}
    column = next(cell.column for cell in sheet[3] if cell.value == "Evidence")
    for row in range(4, sheet.max_row + 1):
        cell = sheet.cell(row, column)
        named = re.findall(r"[0-9a-f]{10}", cell.value)
        assert named == [] or known >= set(named)
        assert cell.value
        assert cell.hyperlink.target == "report.html"
        assert re.fullmatch(r"c-[0-9a-f]{12}", cell.hyperlink.location)


def test_a_chain_names_remedy_and_evidence() -> None:
    """What does not hold elsewhere stands in its area's column, and is not what the chain's link needs."""
    run = run_with_chains()
    copier = run["copiers"][0]
    of = {case["requirement"]: case for case in run["cases"] if case["subject"]["name"] == copier["name"]}
    of["NET-3"]["evidence"], of["DEV-2"]["evidence"] = ["of the page"], ["of the settings"]
    of["DEV-2"] |= {"verdict": "failed", "cause": "stale-host"}
    for link, requirement in ((1, "NET-3"), (2, "DEV-2"), (7, "COV-2"), (8, "LOG-2")):
        copier["chain"][link]["cases"] = [of[requirement]["id"]]
    copier |= {"broken_at": "settings", "verdict": "broken", "remedy": "Set the host."}
    broken = copiers.Standings(run).of[copier["name"]]
    assert (broken.broken_at, broken.evidence) == ("settings", "of the settings")
    assert broken.remedy.splitlines()[0] == "Set the host."
    assert broken.case == of["DEV-2"]["id"]
    assert "stale-host" in broken.causes
    copier |= {"broken_at": None, "open_at": None, "verdict": "works", "remedy": ""}
    works = copiers.Standings(run).of[copier["name"]]
    assert (works.broken_at, works.case) == ("", of["COV-2"]["id"])
    assert "Set the host." not in works.remedy


def test_rows_that_were_not_judged_say_why(tmp_path: Path) -> None:
    run = run_with_chains()
    path = listed(
        tmp_path,
        run,
        lambda sheet: [
            sheet.append(["10.20.90.99", "X1", "HP", "LaserJet", "Post room", ""]),
            sheet.append(["10.20.90.300", "X2", "Ricoh", "IM C3000", "Cellar", ""]),
            sheet.append(["10.20.90.98", "X3", "Ricoh", "IM C3000", "Attic", ""]),
            sheet.append(["Total: 29 devices"]),
            sheet.row_dimensions[30].__setattr__("hidden", True),
            sheet.row_dimensions[4].__setattr__("hidden", True),
        ],
    )
    run["layout"]["outside"] = [{"row": 30, "label": "", "make": "HP", "reason": "make HP is not in the stated scope"}]
    usable = next(case for case in run["cases"] if case["requirement"] == "INV-1" and case["verdict"] == "failed")
    usable["subject"]["name"] = "X2"
    sheet = read_back(give_back(run, workbook.read(path), path))["Copiers"]
    rows = {row["S/N"]: row for row in table_at(sheet, 3)}
    assert rows["X1"]["Judged"] == "no: make HP is not in the stated scope (a hidden row)"
    assert {rows["X1"][name] for name in ("Inventory", "Device", "Chain verdict")} == {"not judged"}
    assert (rows["X2"]["Judged"], rows["X2"]["Inventory"]) == ("no: the row is not usable", "failed: INV-1")
    assert (rows["X2"]["Chain verdict"], rows["X2"]["First broken link"]) == ("broken", "listed")
    assert (rows["X2"]["Remedy"], rows["X2"]["Evidence"]) == ("Correct cell C29 of fleet.xlsx.", "report.html")
    assert rows["X3"]["Judged"] == "no: none of its cases was selected"
    assert rows["3108RB00000"]["Judged"] == "yes (a hidden row)"
    assert sheet.row_dimensions[4].hidden
    assert sheet.cell(33, 1).value == "Total: 29 devices"
    assert [cell.value for cell in sheet[33]][6:] == [None] * 16


def test_without_chains_their_columns_are_left_out(tmp_path: Path) -> None:
    run, _ = sample_run()
    run["causes"] = []
    book = made(tmp_path, run)
    names = [cell.value for cell in book["Copiers"][3]]
    assert not {"Chain verdict", "First broken link"} & set(names)
    assert {"Remedy", "Evidence"} <= set(names)
    assert {row["Layer"] for row in table_at(book["Causes"], 4)} == {"no known cause"}
    assert {"Works", "Broken"}.isdisjoint(cell.value for cell in book["Subnets"][3])


def test_subnets_and_causes_have_sheets(tmp_path: Path) -> None:
    run = run_with_chains()
    run["unexplained"] = [next(case["id"] for case in run["cases"] if case["requirement"] == "DEV-1")]
    book = made(tmp_path, run)
    assert book.sheetnames == [
        "Copiers",
        "Subnets",
        "Main building (10.20.90.0-24)",
        "Surgery (10.20.91.0-24)",
        "Outpatients (10.20.92.0-24)",
        "Laboratory (10.20.93.0-24)",
        "Causes",
        "About this file",
    ]
    summary = {row["Subnet"]: row for row in table_at(book["Subnets"], 3)}
    first, last = summary["10.20.90.0/24"], summary["10.20.93.0/24"]
    assert [row["Name"] for row in summary.values()][:2] == ["Main building", "Surgery"]
    assert (first["Copiers"], first["Works"], first["Broken"], first["Not proven"]) == (7, 0, 1, 6)
    assert (last["Egress 587 (EGR-1)"], last["Egress 25 (EGR-2)"]) == ("failed: EGR-1", "passed")
    assert "The site's firewall stops mail from two subnets" in last["Causes"]
    surgery = book["Surgery (10.20.91.0-24)"]
    assert surgery["A2"].value == "7 copiers · Route: smtp-auth · Sender: scan@northfield.example"
    assert len(table_at(surgery, 4)) == 7
    assert {row["Chain verdict"] for row in table_at(surgery, 4)} == {"broken", "not proven"}
    causes = table_at(book["Causes"], 4)
    assert [row["Cause"] for row in causes[:4]] == [cause["title"] for cause in run["causes"]]
    assert causes[0]["Who"] == "Microsoft 365 administrator"
    assert causes[0]["Cases"] == len(run["causes"][0]["explains"])
    for sheet in book.worksheets[1:]:
        assert sheet.freeze_panes
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
        assert all(0 < sheet.row_dimensions[row].height < 409 for row in range(4, sheet.max_row + 1))


def test_findings_have_the_numbers_of_the_ticket_update(tmp_path: Path) -> None:
    run = run_with_chains()
    run["causes"].reverse()  # advice and what is unproven before what failed
    numbered = {it.number: it.title for it in Account(run, ()).findings.told}
    book = made(tmp_path, run)
    assert {row["No."]: row["Cause"] for row in table_at(book["Causes"], 4)} == numbered
    said = " ".join(texts(ticket.content(run)))
    for number, title in list(numbered.items())[: len(run["causes"])]:
        assert run["causes"][number - 1]["title"] == title
        assert f"Finding {number}: {title}" in said
        shown = [row["Causes"] for row in table_at(book["Subnets"], 3) if row["Causes"] and title in row["Causes"]]
        assert all(f"{number}: {title}" in text for text in shown)


def test_rows_that_can_t_be_used_are_counted_alike(tmp_path: Path) -> None:
    """The list says that such a row is broken; so do the subnets, and the ticket update names it."""
    run = run_with_chains()
    path = listed(tmp_path, run, lambda sheet: sheet.append(["10.20.90.300", "X2", "Ricoh", "IM C3000", "Cellar", ""]))
    usable = next(case for case in run["cases"] if case["requirement"] == "INV-1" and case["verdict"] == "failed")
    usable["subject"]["name"] = "X2"
    book = read_back(give_back(run, workbook.read(path), path))
    rows, summary = table_at(book["Copiers"], 3), table_at(book["Subnets"], 3)
    for word in ("works", "broken", "not proven"):
        listed_so = sum(row["Chain verdict"] == word for row in rows)
        assert listed_so == sum(row[word.capitalize()] for row in summary)
    assert sum(row["Copiers"] for row in summary) == len(rows)
    assert (summary[-1]["Subnet"], summary[-1]["Broken"]) == ("in none", 1)
    number = Account(run, ()).findings.about(usable)
    assert number is not None
    said = f"One row of the list can't be used, so its copier was not judged (finding {number.number})."
    assert said in texts(ticket.content(run))


def test_waivers_say_why_and_until_when(tmp_path: Path) -> None:
    run = waived()
    book = made(tmp_path, run)
    row = next(row for row in table_at(book["Copiers"], 3) if "DEV-2" in str(row["Device"]))
    assert re.search(r"^Waived \(DEV-2.*\): the move \(C. Approver, until 2027-01-31\)$", row["Remedy"], re.MULTILINE)
    about = [cell.value for cell in book["About this file"]["B"]]
    (stated,) = [text for text in about if text and text.startswith("DEV-2: ")]
    for line in ("Of: all", "Reason: the move", "Approved by: C. Approver", "State: in use"):
        assert f"\n{line}" in stated
    assert "\nUntil: 31 January 2027, 00:00 +01:00\n" in stated


def test_the_list_prints_as_wide_as_a_page(tmp_path: Path) -> None:
    """Whatever the customer's scale was: what is added would stand on pages of its own, and be cut."""

    def scaled(sheet: Any) -> None:
        sheet.page_setup.orientation, sheet.page_setup.scale, sheet.page_setup.paperSize = "portrait", 100, 8
        sheet.row_dimensions[5].height = 400

    sheet = made(tmp_path, change=scaled)["Copiers"]
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 8)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.print_title_rows == "$3:$3"
    column = [cell.value for cell in sheet[3]].index("Remedy") + 1
    width = sheet.column_dimensions[sheet.cell(3, column).column_letter].width
    for number in range(4, 30):
        cell = sheet.cell(number, column)
        assert cell.alignment.wrap_text
        lines = cells.lines_of(str(cell.value or ""), int(width))
        assert lines == 1 or sheet.row_dimensions[number].height >= cells.height(lines)
    assert sheet.row_dimensions[5].height == 400


def test_added_sheets_can_be_read_on_paper(tmp_path: Path) -> None:
    """A4 across has room for about 145 characters of 11 points: twice as many are printed at half the size."""
    book = made(tmp_path)
    for sheet in book.worksheets[1:-1]:
        area = sheet.print_area.replace("$", "") if sheet.print_area else ""
        last = re.search(r":([A-Z]+)", area)
        columns = [get_column_letter(number) for number in range(1, sheet.max_column + 1)]
        columns = columns[: columns.index(last[1]) + 1] if last else columns
        assert sum(sheet.column_dimensions[column].width for column in columns) < 230, sheet.title
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.print_title_rows


def test_headings_of_the_list_are_not_doubled(tmp_path: Path) -> None:
    def more(sheet: Any) -> None:
        sheet["G3"], sheet["H3"] = "Subnet", "remedy"

    names = [str(cell.value).casefold() for cell in made(tmp_path, change=more)["Copiers"][3]]
    assert len(set(names)) == len(names)


def test_a_list_without_headings_has_them_in_its_cells(tmp_path: Path) -> None:
    run = run_with_chains()
    path = xlsx(tmp_path, *rows_of(run))
    table = workbook.read(path, columns={"address": "A", "serial": "B", "make": "C"})
    sheet = read_back(give_back(run, table, path))["Copiers"]
    assert sheet["A1"].value == table.rows[0].address  # no row was added: what INV-1 calls C14 is C14
    said = [cell.value for cell in sheet[1]]
    assert "Reach: passed" in said
    assert said[4] == "[not given back]"  # nothing says what this column is


def test_many_subnets_have_no_sheet_each(tmp_path: Path) -> None:
    run = run_with_chains()
    first = run["layout"]["subnets"][0]
    run["layout"]["subnets"] += [
        {**first, "prefix": f"10.{n}.0.0/16", "label": f"S{n}", "copiers": []} for n in range(250)
    ]
    book = made(tmp_path, run)
    assert len(book.sheetnames) == 200 + 4
    assert "The first 200 of 254" in book["Subnets"]["A2"].value


# --- what of the customer's stays ------------------------------------------------------------------


def test_formats_stay(tmp_path: Path) -> None:
    def formatted(sheet: Any) -> None:
        sheet["A1"].font = Font(name="Arial", size=16, bold=True, color="FF336699")
        sheet.merge_cells("A1:F1")
        for cell in sheet[3]:
            cell.fill = PatternFill("solid", start_color="FFCCEEFF")
        sheet["A4"].font, sheet["F4"].value, sheet["F4"].number_format = Font(name="Arial", size=9), 0.25, "0.0%"
        sheet["F5"].hyperlink = "https://intranet.example/copiers"
        sheet.column_dimensions["A"].width, sheet.column_dimensions["C"].hidden = 31, True
        sheet.row_dimensions[3].height = 40
        sheet.freeze_panes, sheet.auto_filter.ref = "B4", "A3:F29"
        sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 8
        sheet.print_title_rows, sheet.print_area = "3:3", "A1:F29"
        sheet.conditional_formatting.add("B4:B29", RULES.ColorScaleRule("min", None, "FF0000", "max", None, "00FF00"))
        sheet.sheet_properties.tabColor = "FF00AA00"

    sheet = made(tmp_path, change=formatted)["Copiers"]
    assert (sheet["A1"].font.name, sheet["A1"].font.sz, sheet["A1"].font.color.rgb) == ("Arial", 16, "FF336699")
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:F1"]
    assert sheet["S3"].fill.start_color.rgb == "FFCCEEFF"  # the added headings look like the others
    assert (sheet["K4"].font.name, sheet["K4"].font.sz) == ("Arial", 9)
    assert (sheet["F4"].value, sheet["F4"].number_format) == (0.25, "0.0%")
    assert sheet["F5"].hyperlink.target == "https://intranet.example/copiers"
    assert (sheet.column_dimensions["A"].width, sheet.column_dimensions["C"].hidden) == (31, True)
    assert sheet.row_dimensions[3].height == 40
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B4", "A3:V29")
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 8)
    assert (sheet.print_title_rows, sheet.print_area) == ("$3:$3", "'Copiers'!$A$1:$V$29")
    assert [it.type for area in sheet.conditional_formatting for it in area.rules] == ["colorScale"]
    assert sheet.sheet_properties.tabColor.rgb == "FF00AA00"


def test_a_table_grows_by_the_added_columns(tmp_path: Path) -> None:
    def as_table(sheet: Any) -> None:
        style = TableStyleInfo(name="TableStyleMedium2", showRowStripes=True)
        sheet.add_table(ExcelTable(displayName="Fleet", ref="A3:F29", tableStyleInfo=style))

    run = run_with_chains()
    path = listed(tmp_path, run, as_table)
    given = give_back(run, workbook.read(path), path)
    table = read_back(given)["Copiers"].tables["List1"]
    assert (table.ref, table.autoFilter.ref, table.tableStyleInfo.name) == ("A3:V29", "A3:V29", "TableStyleMedium2")
    names = [column.name for column in table.tableColumns]
    assert names[6:8] == ["Judged", "Subnet"]
    assert len({name.casefold() for name in names}) == 22


def test_frozen_panes_are_where_they_were_and_not_where_one_scrolled(tmp_path: Path) -> None:
    def scrolled(sheet: Any) -> None:
        sheet.freeze_panes = "A4"
        sheet.sheet_view.pane.topLeftCell = "A21"

    assert made(tmp_path, change=scrolled)["Copiers"].freeze_panes == "A4"


def test_a_width_for_all_further_columns_stays_theirs(tmp_path: Path) -> None:
    def wide(sheet: Any) -> None:
        dimension = sheet.column_dimensions["D"]
        dimension.width, dimension.min, dimension.max = 22, 4, 16384

    given = made(tmp_path, change=wide)["Copiers"]
    assert given.column_dimensions["F"].width == 22
    assert given.column_dimensions["J"].width == 12
    assert all(it.min is None or it.max == it.min or it.max < 30 for it in given.column_dimensions.values())


def test_themes_keep_their_colours_and_nothing_else() -> None:
    theirs = (
        '<a:theme name="hunter2"><a:dk1><a:sysClr val="windowText" lastClr="010203"/></a:dk1><a:accent1><a:srgbClr '
        'val="abcdef"/></a:accent1><a:minorFont><a:latin typeface="Aptos Narrow"/></a:minorFont></a:theme>'
    )
    made_of_it = ownvalues.theme(theirs.encode())
    assert '<a:srgbClr val="010203"/>' in made_of_it
    assert '<a:srgbClr val="ABCDEF"/>' in made_of_it
    assert 'typeface="Aptos Narrow"' in made_of_it
    assert "hunter2" not in made_of_it


def test_what_is_never_given_back(tmp_path: Path) -> None:
    def hidden_places(sheet: Any) -> None:
        book = sheet.parent
        sheet["A4"].comment = Comment("canary", "canary")
        book.create_sheet("Logins canary").append(["canary"])
        book.defined_names["canary"] = DefinedName("canary", attr_text='"canary"')
        book.properties.creator = book.properties.description = "canary"
        validation = DataValidation(type="list", formula1='"canary,b"', allow_blank=True, prompt="canary")
        sheet.add_data_validation(validation)
        validation.add("F4")
        sheet.conditional_formatting.add("F4:F29", RULES.CellIsRule("equal", ['"canary"'], fill=PatternFill("solid")))
        sheet.conditional_formatting.add("F4:F29", RULES.FormulaRule(['$F4="canary"'], fill=PatternFill("solid")))
        sheet.oddHeader.center.text = "canary"
        sheet.protection.set_password("canary")
        sheet["F6"].hyperlink = "file://server/canary"
        sheet["F7"].hyperlink = "http://admin:canary@10.20.90.12/login?pin=canary#canary"
        sheet["F8"] = "http://admin:can@ary-canary@10.20.90.12/"
        sheet["F9"].hyperlink = "javascript:canary"
        sheet["F10"].number_format = '"canary password"0'
        sheet["F10"] = 7
        sheet["F11"] = "its page: http://root:can@ary-canary@10.20.90.12/"

    run = run_with_chains()
    path = listed(tmp_path, run, hidden_places)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    given = give_back(run, workbook.read(path), path)
    for name, text in parts(given).items():
        assert "canary" not in name + text, name
    sheet = read_back(given)["Copiers"]
    assert [sheet[f"F{row}"].hyperlink and sheet[f"F{row}"].hyperlink.target for row in (6, 7, 9)] == [
        None,
        "http://10.20.90.12/login",
        None,
    ]
    assert (sheet["F8"].value, sheet["F11"].value) == ("[not given back]", "its page: [not given back]@10.20.90.12/")
    assert not sheet.protection.sheet
    about = {row[1] for row in read_back(given)["About this file"].iter_rows(values_only=True)}
    assert "1 other sheet of the file" in about
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_links_lose_what_is_not_the_page() -> None:
    link = ownvalues.web_link
    assert link("HTTP://admin:pw@10.20.90.12:8080/web/guest?x=1#y") == "http://10.20.90.12:8080/web/guest"
    assert link("https://[2001:db8::1]/") == "https://[2001:db8::1]/"
    for target in (
        "",
        "ftp://x.example/",
        "mailto:a@b.example",
        "http:///x",
        "http://a:b/x",
        "\\\\server\\x",
        "http://[/",
    ):
        assert link(target) == "", target


# --- no text is a formula --------------------------------------------------------------------------


def assert_no_formula(given: GivenBack) -> None:
    for name, text in parts(given).items():
        assert not re.search(r"<f[ >/]", text), name
        assert "externalLink" not in name
    for sheet in read_back(given):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in {"s", "n", "d", "b"}, (sheet.title, cell.coordinate, cell.value)
                if isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@", "\t", "_x")):
                    assert cell.quotePrefix, (sheet.title, cell.coordinate, cell.value)


def test_hostile_text_is_text(tmp_path: Path) -> None:
    run = run_with_chains()
    run["site"] |= {"customer": INJECTIONS[0], "ticket": INJECTIONS[4]}
    for number, case in enumerate(run["cases"]):
        case["remedy"] = case["remedy"] and INJECTIONS[number % 8]
        case["observed"] = case["sentence"] = INJECTIONS[number % 8]
        case["subject"]["label"] = INJECTIONS[number % 8]
        case["evidence"] = [INJECTIONS[number % 8]]
    for number, copier in enumerate(run["copiers"]):
        copier["remedy"] = INJECTIONS[number % 8]
        copier["broken_at"] = INJECTIONS[number % 8]
    for cause in run["causes"]:
        cause |= {"title": "=1", "owner": "@1", "remedy": "+1", "layer": "-1"}
    for subnet in run["layout"]["subnets"]:
        subnet["label"] = "=1+1:" + subnet["label"]
        for number, copier in enumerate(subnet["copiers"]):
            copier |= {"location": INJECTIONS[number % 8], "model": "=2", "sender": "@x", "route": "-r"}
    run["unexplained"] = [run["cases"][0]["id"]]

    def hostile(sheet: Any) -> None:
        sheet["F3"].value = "=1+1"
        for number, text in enumerate(INJECTIONS):
            cell = sheet.cell(4 + number, 6, text)
            if number % 2:
                cell.data_type = "s"
        sheet["E4"].value = '=WEBSERVICE("http://x.example/"&B4)'
        sheet.title = "=cmd"

    path = listed(tmp_path, run, hostile)
    given = give_back(run, workbook.read(path), path)
    assert_no_formula(given)
    assert "WEBSERVICE" not in "".join(parts(given).values())
    without = give_back(run, workbook.read(path), None)
    assert_no_formula(without)


def test_formulas_are_given_back_as_their_results(tmp_path: Path) -> None:
    run = run_with_chains()
    path = listed(tmp_path, run, lambda sheet: sheet.__setitem__("F4", "=1+41"))
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["xl/worksheets/sheet1.xml"] = (
        content["xl/worksheets/sheet1.xml"].replace(b"<v />", b"<v>42</v>").replace(b"<v></v>", b"<v>42</v>")
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    given = give_back(run, workbook.read(path), path)
    assert read_back(given)["Copiers"]["F4"].value == 42
    assert_no_formula(given)


def test_what_xml_cannot_hold_is_removed(tmp_path: Path) -> None:
    run = run_with_chains()
    run["copiers"][0]["remedy"] = "a\x00b\x1b[31m\ud800\ufffe\uffff\u202ec" + "W" * 70_000
    row = table_at(made(tmp_path, run)["Copiers"], 3)[0]
    assert row["Remedy"].startswith("ab[31m\ufffdcW")
    assert len(row["Remedy"]) < 2_100


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("a/b\\c*d?e:f[g]", "a-b-c-d-e-f-g-"),
        ("'quoted'", "quoted"),
        ("", "Sheet"),
        ("'\x00'", "Sheet"),
        ("History", "History (2)"),
        ("W" * 40, "W" * 31),
    ],
)
def test_sheets_have_names_that_excel_takes(wanted: str, name: str) -> None:
    assert cells.Titles().of(wanted) == name


def test_sheet_names_are_unique_whatever_the_case() -> None:
    titles = cells.Titles()
    names = [titles.of(name) for name in ("Ward", "ward", "WARD", "W" * 40, "w" * 50)]
    assert names == ["Ward", "ward (2)", "WARD (3)", "W" * 31, "w" * 27 + " (2)"]


def test_hostile_sheet_names_of_subnets(tmp_path: Path) -> None:
    run = run_with_chains()
    for subnet, label in zip(run["layout"]["subnets"], ("Subnets", "=1", "[x]/y", "About this file"), strict=True):
        subnet["label"] = label
    names = made(tmp_path, run).sheetnames
    assert names == [
        "Copiers",
        "Subnets",
        "Subnets (2)",
        "=1",
        "-x--y",
        "About this file",
        "Causes",
        "About this file (2)",
    ]


# --- lists without formats -------------------------------------------------------------------------


def as_read(given: GivenBack, why: str, *, title: str = "Copiers") -> Any:
    """Check that the rows are there as read, and that the file says why."""
    book = read_back(given)
    about = " ".join(str(row[1]) for row in book["About this file"].iter_rows(values_only=True))
    assert "given back as read, without formats" in about
    assert why in about
    assert_no_formula(given)
    return book[title]


def test_a_text_list(tmp_path: Path) -> None:
    run = run_with_chains()
    lines = [
        ",".join(map(str, row)) for row in (("",), (*HEADS, "Password"), *([*row, "hunter2"] for row in rows_of(run)))
    ]
    path = text_file(tmp_path, "\n".join(lines).replace("Reception 1,", "=1+1,"))
    given = give_back(run, workbook.read(path), path)
    assert given.note == ""
    sheet = as_read(given, "a text file has none")
    assert [cell.value for cell in sheet[2]][:7] == [
        "IP Address",
        "S/N",
        "Make",
        "Model",
        "Location",
        "Judged",
        "Subnet",
    ]
    assert (sheet["A3"].value, sheet["E3"].value, sheet["B3"].data_type) == ("10.20.90.11", "=1+1", "s")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A3", "A2:U28")
    assert "hunter2" not in "".join(parts(given).values())


def test_an_old_workbook(tmp_path: Path) -> None:
    run = run_with_chains()
    book = xlwt.Workbook()
    sheet = book.add_sheet("Copiers")
    for row, values in enumerate(
        [("IP Address", "Password", "S/N", "Make"), *([r[0], "hunter2", *r[1:3]] for r in rows_of(run))]
    ):
        for column, value in enumerate(values):
            sheet.write(row, column, value)
    book.save(str(tmp_path / "list.xls"))
    path = tmp_path / "list.xls"
    given = give_back(run, workbook.read(path), path)
    found = as_read(given, "the old .xls format can be read, but not written")
    assert [cell.value for cell in found[1]][:5] == ["IP Address", "(not read)", "S/N", "Make", "Judged"]
    assert (found["B2"].value, found["C2"].value) == (None, "3108RB00000")
    assert "hunter2" not in "".join(parts(given).values())


def test_a_recorded_run_has_only_the_rows(tmp_path: Path) -> None:
    run = run_with_chains()
    table = workbook.read(listed(tmp_path, run))
    given = give_back(run, table, None)
    assert given.note == ""
    sheet = as_read(given, "a recorded run keeps the list's rows, not its workbook")
    assert sheet["A4"].value == "10.20.90.11"


def test_a_list_that_went_away_or_changed(tmp_path: Path) -> None:
    run = run_with_chains()
    path = listed(tmp_path, run)
    table = workbook.read(path)
    path.write_bytes(path.read_bytes() + b"\0")
    changed = give_back(run, table, path)
    assert changed.note.endswith("without the customer's formats: list.xlsx was changed while the run went on")
    path.unlink()
    gone = give_back(run, table, path)
    assert "list.xlsx: no such file" in gone.note
    assert str(tmp_path) not in gone.note
    assert as_read(gone, "no such file")["A4"].value == "10.20.90.11"


def test_a_list_that_can_not_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with_chains()
    path = listed(tmp_path, run)
    table = workbook.read(path)
    monkeypatch.setattr(ownsheet, "MOST_BYTES", 100)
    assert "larger than" in give_back(run, table, path).note

    def broken(*_: object, **__: object) -> None:
        raise KeyError("xl/theme")

    monkeypatch.setattr(ownsheet, "_opened", broken)
    given = give_back(run, table, path)
    assert "list.xlsx can't be copied" in given.note
    as_read(given, "xl/theme")


def test_the_template_of_macros_is_given_back_without_them(tmp_path: Path) -> None:
    run = run_with_chains()
    path = listed(tmp_path, run)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macros = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    content["[Content_Types].xml"] = content["[Content_Types].xml"].replace(kind, macros)
    path = tmp_path / "list.xlsm"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**content, "xl/vbaProject.bin": b"macro canary"}.items():
            archive.writestr(name, text)
    given = give_back(run, workbook.read(path), path)
    found = parts(given)
    assert given.note == ""
    assert "xl/vbaProject.bin" not in found
    assert kind.decode() in found["[Content_Types].xml"]


# --- the demo, and speed ---------------------------------------------------------------------------


def test_the_demo_s_list(tmp_path: Path) -> None:
    run = run_with_chains()
    given = give_back(run, sites.load(DEMO).table, DEMO / "fleet.xlsx")
    sheet = read_back(given)["Copiers"]
    assert sheet["A1"].value == "Northfield General Hospital"
    assert (sheet["D6"].value, sheet["D6"].hyperlink.target) == ("Copier in Admissions", "http://10.20.90.12/")
    assert "A5:A13" in {str(area) for area in sheet.merged_cells.ranges}
    assert sheet.row_dimensions[18].hidden
    assert sheet["I8"].value == "new lease 2025"


def test_it_costs_little(tmp_path: Path) -> None:
    """A third of a millisecond a case is what it may take; a busy machine is given ten times as much."""
    run = run_with_chains(1_000)
    path = listed(tmp_path, run)
    table = workbook.read(path)
    started = time.process_time()
    given = give_back(run, table, path)
    assert time.process_time() - started < 0.003 * len(run["cases"])
    assert len(given.data) < 2_000_000
