"""The ticket update: what it says, in which order, and that it claims nothing that the run doesn't show."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import sitefile
from scanproof.report import copiers, docx, markdown, outlook, prose, ticket
from scanproof.report.account import Account
from scanproof.report.document import Heading, Items, flat
from selftests import suite
from selftests.sample_causes import with_chains
from selftests.sample_run import sample_run
from selftests.sample_tickets import (
    RUNS,
    all_proven,
    compared,
    items,
    read,
    sample,
    section,
    states,
    stopped,
    table,
    texts,
    waived,
    with_words,
)
from selftests.test_run_healthy import healthy
from selftests.test_ticket_numbers import numberless

if TYPE_CHECKING:
    from selftests.sample_tickets import Record

STRONG = re.compile(
    r"\b(works?|working|proven|proves?|verified|confirmed|guaranteed|fine|ok|successful(ly)?)\b", re.IGNORECASE
)
SECTIONS = [
    "Background",
    "What was verified",
    "What was found, and why",
    "By subnet",
    "The tenant",
    outlook.TITLE,
    "Waivers",
    "Exceptions from security baselines",
    "What remains, and who must act",
    "Next steps",
    "Since the last update",
    "Attachments",
    "Open support cases",
    "Contacts",
]


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> Record:
    return RUNS[request.param]()


def test_sections_come_in_order(run: Record) -> None:
    found = [block.text for block in ticket.content(run).blocks if isinstance(block, Heading) and block.level == 1]
    left_out = set(SECTIONS).difference(found)
    assert found == [title for title in SECTIONS if title not in left_out]
    assert left_out <= {*SECTIONS[5:8], "Since the last update", "Open support cases", "Contacts"}


def test_findings_are_the_causes_in_their_order() -> None:
    run = sample()
    document = ticket.content(run)
    said = texts(document)
    titles = [text.partition(": ")[2] for text in said if text.startswith("Finding ")]
    assert titles[: len(run["causes"])] == [cause["title"] for cause in run["causes"]]
    assert f"What matters most: {run['causes'][0]['title']}. See finding 1." in said
    for cause in run["causes"]:
        assert f"To do ({cause['owner']}): {cause['remedy']}" in said
    owners = [item.lead for item in items(document, "What remains, and who must act")]
    assert owners[:4] == [
        "Microsoft 365 administrator:",
        "Network team:",
        "Copier administrator:",
        "On-site staff:",
    ]


def test_what_no_cause_explains_is_told_after_the_causes() -> None:
    said = texts(ticket.content(sample()))
    alone = [text for text in said if re.match(r"Finding \d+: Not (met|judged): ", text)]
    assert "row 29 of the fleet list is usable (INV-1)" in alone[0]
    assert any("the password of scan@northfield.example never expires (TEN-6)" in text for text in alone)
    at = said.index(alone[0])
    assert "Seen: C29: '10.20.90.300' is not an IPv4 or IPv6 address." in said[at + 1]


def test_nothing_unproven_is_called_proven(run: Record) -> None:
    document = ticket.content(run)
    proven = {key for key, state in states(run).items() if state == "works"}
    copiers = [copier for subnet in run.get("layout", {}).get("subnets", []) for copier in subnet["copiers"]]
    for item in items(document, "By subnet"):
        named = {copier["key"] for copier in copiers if f"({copier['address']})" in item.text}
        if item.lead.startswith("Works"):
            assert named <= proven
        else:
            assert not named & proven
            assert not STRONG.search(item.lead.replace("Not proven", ""))
    said = [read(item) for item in items(document, "The tenant")]
    for case in run.get("cases", []):
        if case["requirement"].startswith("TEN-") and case["verdict"] != "passed":
            assert f"{case['requirement']}, proven: {prose.sentence(case['sentence'])}" not in said


def test_own_words_claim_nothing(run: Record) -> None:
    """Besides the run's own texts there is no strong word but those that are accounted for."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if key == "verdict" else plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return STRONG.sub("x", value) if isinstance(value, str) else value

    shown = "works" in states(run).values()
    for text in texts(ticket.content(plain(numberless(run)))):
        left = re.sub(r"(?i)\bnot proven\b|nothing proves it|of before prove nothing|is proven or waived", "", text)
        left = re.sub(r"^To prove what findings? |^(Copiers that work|Works)$", "", left)
        left = re.sub(r"^What was verified$|Evidence proves it\.|counts as a proof|How a way out is proven", "", left)
        left = re.sub(
            r"^proven$|^(port \d+ )?proven( \([a-z-]+\))?|\d+ proven\b|^proven, all \d+",
            "",
            left,
        )
        left = re.sub(r"^[A-Z]+-\d+, proven:|→ proven(?=,)|(?<=, )proven(?= →)", "", left)
        if shown:
            left = re.sub(r"(\d+ works?|work) end to end|^A copier works:|^Works, \d+ of \d+:", "", left)
        if run.get("signoff", {}).get("ready"):
            left = re.sub(r"Every check that a sign-off needs is proven", "", left)
        assert not STRONG.search(left), text


def test_all_proven_says_so_and_no_more() -> None:
    said = "\n".join(texts(ticket.content(all_proven())))
    assert "Ready for sign-off. Every check that a sign-off needs is proven." in said
    own = "shown by a scan of their own or of one of their kind"
    assert f"All eight copiers in four subnets work end to end ({own})." in said
    assert "Every check that was made is proven or waived." in said
    assert "Nothing that a sign-off needs." in said
    assert "not proven" not in said
    assert "Run the check again" not in said


def test_proven_end_to_end_takes_a_delivery() -> None:
    """A chain holds as far as it was judged; a run of single cases has none that ends in a mailbox."""
    run = all_proven()
    run["cases"] = [case for case in run["cases"] if case["requirement"] != "COV-2"]
    run["coverage"]["deselected"] = 8
    run["signoff"] = {"ready": False, "reasons": ["8 cases were deselected: only a whole run can be ready"]}
    said = "\n".join(texts(ticket.content(run)))
    assert all(copier["verdict"] == "works" for copier in run["copiers"])
    assert "All eight copiers in four subnets are not proven." in said
    assert "Eight checks were left out of this run" in said
    assert "Not ready for sign-off." in said
    assert "its chain was not judged to the end" in said


def test_interrupted_and_simulated_runs_say_so_first() -> None:
    run = sample(8) | {"finished": None, "signoff": {"ready": True, "reasons": []}}
    run["site"]["lab"] = True
    said = texts(ticket.content(run))
    assert said[1].startswith("This is a simulated site.")
    assert "Not ready for sign-off." in " ".join(said[:8])
    assert "The run was interrupted. What it had not come to is not proven." in said[:9]


def test_a_run_of_nothing_claims_nothing() -> None:
    said = "\n".join(texts(ticket.content({})))
    assert "Not ready for sign-off. Nothing was judged." in said
    assert "No check was made." in said
    assert "Everything: nothing was judged." in said


def test_what_a_copiers_own_log_shows_stands_among_what_is_in_the_way() -> None:
    """It is advice as a case; a copier is stopped by it all the same, as is likely."""
    run = stopped(by_log=True)
    document = ticket.content(run)
    said = texts(document)
    assert "Finding 1: A rule keeps a copier in (likely stops one copier)" in said
    assert not any(text.startswith(("Not proven, ", "Advice, ")) for text in said)
    assert read(items(document, "Next steps")[0]) == "Settle finding 1."
    assert "What matters most: A rule keeps a copier in. See finding 1." in said
    (where,) = [text for text in said if text.startswith("Broken, 1 of ")]
    assert ", at the way out of its subnet (likely) (finding 1):" in where
    row = copiers.Standings(run).of[run["copiers"][0]["name"]]
    assert (row.chain, row.broken_at) == ("broken", "egress")
    assert (row.areas["egress"].text, row.areas["egress"].word) == ("failed: LOG-2 (likely)", "failed")


def test_a_copier_whose_scans_arrive_is_at_risk_and_named() -> None:
    run = stopped(by_log=False)
    document = ticket.content(run)
    said = texts(document)
    name = Account(run, ()).fleet.standings[0].name
    assert "Finding 1: SPF is wrong (puts one copier at risk)" in said
    assert any(f"At risk: {name}. Mail may go to Junk." in text for text in said)
    assert any("7 work end to end" in text and "1 is at risk." in text for text in said[:12])
    (where,) = [text for text in said if text.startswith("At risk, 1 of ")]
    assert ", at the acceptance of its mail (finding 1):" in where
    assert [row["At risk"] for row in table(document, "By subnet")].count("1") == 1
    row = copiers.Standings(run).of[run["copiers"][0]["name"]]
    assert (row.chain, row.broken_at) == ("at risk", "at risk: accepted")


def test_grades_are_said() -> None:
    document = ticket.content(sample())
    rows = {row["Subnet"]: row["Way out for that"] for row in table(document, "By subnet")}
    assert rows["Main building (10.20.90.0/24)"] == "port 587 proven (same-subnet)"
    assert rows["Outpatients (10.20.92.0/24)"].startswith("port 587 not proven (finding ")
    assert rows["Laboratory (10.20.93.0/24)"] == "port 25 proven (same-subnet)"
    meaning = "same-subnet (a probe whose source address lies in the copier's subnet)"
    assert f"How a way out is proven: {meaning}." in texts(document)


def test_what_the_site_states_is_told() -> None:
    document = ticket.content(with_words())
    assert [block.text for block in section(document, "Background")][:2] == [
        "The old server is gone.",
        "Nobody could scan.",
    ]
    assert [read(item) for item in items(document, "Contacts")] == ["A. Engineer, on site"]
    assert items(document, "Next steps")[-1].text == "Sign-off by the customer."
    assert table(document, "Open support cases") == [
        {"Vendor": "Microsoft", "Number": "2611-0009-4471", "Opened": "17 November 2026", "Status": "not stated"}
    ]


def test_waivers_are_told_with_their_words() -> None:
    rows = table(ticket.content(waived()), "Waivers")
    assert [row["State"] for row in rows] == ["expired, counts for nothing", "in use"]
    shown = [rows[1][part] for part in ("Of", "Reason", "Approved by", "Until")]
    assert shown == ["all", "the move", "C. Approver", "31 January 2027, 00:00 +01:00"]
    assert rows[1]["Requirement"] == "DEV-2: copier …'s SMTP host is updated"


def test_what_is_waived_is_no_proof() -> None:
    run = waived()
    behind = next(case for case in run["cases"] if case["verdict"] == "unproven")
    behind |= {"verdict": "waived", "waiver": "through the waiver of DEV-2", "blocked_by": ["DEV-2"]}
    own = sum(case["verdict"] == "waived" for case in run["cases"]) - 1
    document = ticket.content(run)
    said = section(document, "What was found, and why")[0].text
    assert said == (
        f"{prose.capital(prose.count(own, 'check'))} do not hold, and are waived. One check could not be tried for "
        "that, and is waived too. See Waivers."
    )
    lead = "Waived until 31 January 2027, 00:00 +01:00, approved by C. Approver:"
    (told,) = [item.text for item in items(document, "What remains, and who must act") if item.lead == lead]
    assert told.startswith("DEV-2: copier …'s SMTP host is updated, of all (")
    assert told.endswith(", and one check behind it).")


def test_what_keeps_a_site_from_a_sign_off_is_told_from_advice() -> None:
    run = all_proven()
    of = {case["requirement"]: case for case in run["cases"]}
    of["DEV-2"] |= {"verdict": "unproven", "observed": "it is off", "remedy": "switch it on"}
    of["NET-1"] |= {"verdict": "unproven", "observed": "no ping", "remedy": "allow ICMP"}
    assert of["NET-1"]["level"] == "advice"
    run["signoff"] = {"ready": False, "reasons": ["DEV-2 is not proven: it"]}
    document = ticket.content(run)
    said = texts(document)
    assert any(
        "two checks" not in text and "one check keeps the site from a sign-off, and one check is needed by none" in text
        for text in said
    )
    at = said.index("Not proven, which keeps the site from a sign-off")
    assert said[at + 1].startswith("Finding 1: It is off (DEV-2).")
    assert said[said.index("Not proven, and needed by no sign-off") + 1].startswith("Finding 2: No ping (NET-1).")
    assert read(items(document, "Next steps")[0]) == "To prove what finding 1 leaves open: Switch it on."
    remains = [read(item) for item in items(document, "What remains, and who must act")]
    assert not any("allow ICMP" in text for text in remains)
    assert "What no sign-off needs can wait: finding 2." in said


def test_what_no_sign_off_needs_and_could_not_be_tried_is_advice() -> None:
    """Port 25 of a subnet that does not use it: nobody is told to open it."""
    run = all_proven()
    of = {case["requirement"]: case for case in run["cases"]}
    of["EGR-2"] |= {"level": "advice", "verdict": "advice", "cause": "port-blocked", "observed": "timed out"}
    of["EGR-4"] |= {"level": "advice", "verdict": "blocked", "cause": "port-blocked", "blocked_by": ["EGR-2"]}
    explains = [of["EGR-2"]["id"], of["EGR-4"]["id"]]
    cause = {"id": "port-blocked", "kind": "port-blocked", "layer": "network", "title": "Port 25 is closed"}
    run["causes"] = [
        cause | {"owner": "the network team", "remedy": "none", "explains": explains, "subjects": ["here"]}
    ]
    document = ticket.content(run)
    said = texts(document)
    assert said[said.index("Advice, which stands in the way of nothing") + 1].startswith(
        "Finding 1: Port 25 is closed."
    )
    assert "It concerns here." in " ".join(said)
    assert "What no sign-off needs can wait: finding 1." in said
    assert not any(item.lead == "The network team:" for item in items(document, "What remains, and who must act"))
    of["EGR-4"]["level"] = "blocker"
    assert items(ticket.content(run), "What remains, and who must act")[0].lead == "The network team:"


def test_exceptions_from_baselines_are_the_security_officer_s_to_accept() -> None:
    run = all_proven()
    one, other = (case for case in run["cases"] if case["requirement"] == "TEN-1")
    one["exceptions"] = other["exceptions"] = ["MT.1 wants SMTP AUTH off"]
    document = ticket.content(run)
    (told,) = items(document, "Exceptions from security baselines")
    labels = [str(case["subject"]["label"]) for case in (one, other)]
    assert told.text == f"MT.1 wants SMTP AUTH off (TEN-1 of {labels[0]} and TEN-1 of {labels[1]})."
    remains = [read(item) for item in items(document, "What remains, and who must act")]
    assert remains == [
        "The security officer: To accept, or to have the route changed: one exception from security baselines."
    ]


def test_rows_that_are_waived_are_told_from_those_that_can_t_be_used() -> None:
    run = sample(4)
    first = next(case for case in run["cases"] if case["requirement"] == "INV-1")
    rows = [first | {"id": f"row{one}", "subject": {"kind": "row", "name": f"+row{one}"}} for one in range(3)]
    for row, verdict in zip(rows, ("failed", "failed", "waived"), strict=True):
        row |= {"verdict": verdict, "cause": None}
    run["cases"] = [*run["cases"], *rows]
    told = next(text for text in texts(ticket.content(run)) if "rows of the list can't be used" in text)
    assert told.startswith("Four rows")  # the sample has one itself
    assert told.endswith("; one is waived).")


def test_routes_are_advised_by_subnet() -> None:
    outlook_of = {time: {"works": "no", "why": "closed"} for time in ("today", "end_of_2026", "basic_gone")}
    ways = [{"route": route, "encrypted": False, **outlook_of} for route in ("smtp-auth", "relay")]
    ways[0] |= {"today": {"works": "yes", "why": ""}}
    advice = {"kind": "subnet", "uses": "relay", "advice": "smtp-auth", "why": "it works today", "routes": ways}
    run = sample(4) | {"routes": [advice | {"name": it, "label": f"Ward {it}"} for it in "AB"]}
    document = ticket.content(run)
    assert [list(row.values()) for row in table(document, outlook.TITLE)] == [
        ["Ward A and Ward B", "smtp-auth", "yes", "no", "no"],
        ["Ward A and Ward B", "relay (in use)", "no", "no", "no"],
    ]
    assert read(items(document, outlook.TITLE)[0]) == "Ward A and Ward B: Consider smtp-auth: it works today."


def test_findings_are_numbered_as_the_causes_are() -> None:
    """Whatever a cause leaves: its number is its place in run.json, as in the workbook."""
    run = sample()
    run["causes"].reverse()
    said = " ".join(texts(ticket.content(run)))
    for number, cause in enumerate(run["causes"], 1):
        assert f"Finding {number}: {cause['title']}" in said
    assert f"finding {len(run['causes'])}" in said


def test_a_vendor_s_page_is_named_where_it_is_there() -> None:
    run = sample(8)
    case = next(case for case in run["cases"] if case["requirement"] == "DEV-8")
    case |= {"verdict": "advice", "observed": "firmware 1.0", "cause": None}
    said = texts(ticket.content(run, {"escalation"}))
    assert any("Send to the vendor: escalation/10.20.90.11/." in text for text in said)
    assert "Send each folder in escalation/ to the vendor of that device." in said
    assert "vendor" not in " ".join(texts(ticket.content(run, {"report.html"})))


def test_other_reasons_against_a_sign_off_are_told() -> None:
    run = sample(8)
    run["signoff"]["reasons"] = [
        "DEV-2 does not hold: a copier's host is updated",
        "13 blockers could not be tried until NET-4 is settled: DEV-1",
        "1 blocker could not be tried until EGR-1 is settled: EGR-3",
        "2 cases were deselected: only a whole run can be ready",
        "no test recipient is stated, so nothing was sent",
    ]
    told = items(ticket.content(run), "What remains, and who must act")
    assert [item.text for item in told if not item.lead] == ["No test recipient is stated, so nothing was sent."]


def test_changes_since_the_last_update() -> None:
    document = ticket.content(compared())
    assert "Compared with the run of 20 November 2026, 09:00 UTC (folder “demo-20261120T090000Z”)." in texts(document)
    assert [read(item) for item in items(document, "Since the last update")] == [
        "No longer: The copiers held the old server's name.",
        "New, proven → failed, one check: DEV-2 of Ward 3.",
        "Fixed, failed → proven, 11 checks: DEV-2 (11).",
        "Still does not hold, failed, two checks: DEV-2 of Ward 3 and DEV-2 of Ward 3.",
        "No longer judged, proven → no such check any more, one check: DEV-2 of Ward 3.",
    ]
    assert [row["Copiers that work"] for row in table(document, "Since the last update")] == ["3 of 26", "0 of 26"]
    nothing = compared()
    nothing["baseline"] |= {part: [] for part in ("fixed", "new", "still", "lost", "causes_gone")}
    assert "Nothing has changed." in texts(ticket.content(nothing))


def test_attachments_are_the_files_that_are_there() -> None:
    rows = table(ticket.content(sample(4), {"report.html", "inputs", "other.txt"}), "Attachments")
    assert [row["File of the run"] for row in rows] == ["report.html", "inputs/"]
    for files, named in (({"report.html"}, "report.html"), ({"report.html", "fleet.xlsx"}, "fleet.xlsx")):
        assert f" more (see {named})" in str(texts(ticket.content(sample(200), files)))


def test_a_thousand_copiers_stay_readable_and_cheap() -> None:
    run = sample(1_000)
    cases = len(run["cases"])
    small = len(ticket.documents(sample(26), set())["ticket-update.md"])
    began = time.process_time()
    made = ticket.documents(run, set())
    took = time.process_time() - began
    assert took / cases < 0.000_4, f"{took:.2f} s for {cases} cases"  # twice what it may take on a machine of its own
    assert len(made["ticket-update.md"]) < min(60_000, 4 * small)


def test_thousands_of_subnets_stay_readable() -> None:
    run = sample_run(26)[0]
    subnet = run["layout"]["subnets"][0]
    run["layout"]["subnets"] = [
        subnet | {"prefix": f"10.{i // 250}.{i % 250}.0/24", "label": f"Room {i}", "copiers": subnet["copiers"][:1]}
        for i in range(2_000)
    ]
    said = str(ticket.documents(with_chains(run), set())["ticket-update.md"])
    assert len(said) < 80_000
    assert "And 1,960 more (see report.html)." in said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (prose.count(1, "copier"), "one copier"),
        (prose.count(2, "copier"), "two copiers"),
        (prose.count(0, "copier"), "no copiers"),
        (prose.count(1_026, "copier"), "1,026 copiers"),
        (prose.listed(["a"]), "a"),
        (prose.listed(["a", "b"]), "a and b"),
        (prose.listed(["a", "b", "c"]), "a, b and c"),
        (prose.listed(["a, 1", "b"]), "a, 1; b"),
        (prose.listed("abcdefghijk", 3), "a, b, c and eight more (see report.html)"),
        (prose.sentence("check it"), "Check it."),
        (prose.sentence("Set-CASMailbox -Identity x"), "Set-CASMailbox -Identity x."),
        (prose.sentence("smtp.office365.com answers"), "smtp.office365.com answers."),
        (prose.sentence("done."), "Done."),
        (prose.sentence(" "), ""),
        (prose.capital("Nothing is there", up=False), "nothing is there"),
        (prose.capital("SPF is wrong", up=False), "SPF is wrong"),
        (prose.clock("2026-11-16T06:00:00+01:00"), "16 November 2026, 05:00 UTC"),
        (prose.clock(None), ""),
        (prose.clock("soon"), "soon"),
        (prose.day("2026-11-17"), "17 November 2026"),
        (prose.stated("2026-11-20T00:00:00+01:00"), "20 November 2026, 00:00 +01:00"),
        (prose.stated("2026-11-20T00:00:00-03:30"), "20 November 2026, 00:00 -03:30"),
        (prose.stated("2026-11-20T00:00:00Z"), "20 November 2026, 00:00 UTC"),
        (prose.stated("soon"), "soon"),
        (prose.stated(None), ""),
        (prose.numbered([7]), "finding 7"),
        (prose.numbered([4, 2]), "findings 2 and 4"),
        (prose.numbered([5, 6]), "findings 5 and 6"),
        (prose.numbered([11, 2, 5, 6, 7, 8]), "findings 2, 5 to 8 and 11"),
    ],
    ids=range(29),
)
def test_prose(said: str, expected: str) -> None:
    assert said == expected


def test_flat_cuts_after_a_word() -> None:
    assert flat("one two three four", 12) == "one two …"
    assert flat(" a\n\tb ") == "a b"


def held(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_run_leaves_both_forms_with_the_site_s_words() -> None:
    stated = sitefile.read(suite.ROOT / "inventory/demo/site.toml")
    done = healthy()
    assert done.run["report"] == stated.report.model_dump(mode="json")
    assert done.run["support_cases"] == [case.model_dump(mode="json") for case in stated.support_case]
    text = (done.folder / "ticket-update.md").read_text(encoding="utf-8")
    assert text.startswith("# Scan to e-mail at Northfield General Hospital: status\n\n**This is a simulated site.**")
    assert " ".join(stated.report.background.split("\n\n")[0].split()) in text
    seal = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))["seal"]
    document = ticket.content(done.run, {path.name for path in done.folder.iterdir()}, seal)
    assert text == markdown.render(document)
    # The seal gives a Word file its own plain form; what it holds is the same.
    assert held((done.folder / "ticket-update.docx").read_bytes()) == held(docx.render(document))
    assert not any(isinstance(block, Items) and not block.items for block in document.blocks)
