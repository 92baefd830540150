"""Cells and rows of customers' lists: every mess is read, or named by its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scanproof import workbook
from selftests.fleet_lists import HEADINGS, device, problems, xlsx

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10.20.90.12", "10.20.90.12"),
        ("  10.20.90.12\N{NO-BREAK SPACE} ", "10.20.90.12"),
        ("10.20.\N{ZERO WIDTH SPACE}90.12", "10.20.90.12"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}10.20.90.12", "10.20.90.12"),
        ("10.20.90.12:443", "10.20.90.12"),
        ("http://10.20.90.12/web/guest/en/websys/webArch/mainFrame.cgi", "10.20.90.12"),
        ("HTTPS://10.20.90.12:8443", "10.20.90.12"),
        ("http://admin:hunter2@10.20.90.12/", "10.20.90.12"),
        ("10.20.90.12/24", "10.20.90.12"),
        ("10.20.90.12 / 24", "10.20.90.12"),
        ("10.20.90.12/255.255.255.0", "10.20.90.12"),
        ("10.20.90.12,", "10.20.90.12"),
        ("\N{FULLWIDTH DIGIT ONE}0.20.90.12", "10.20.90.12"),
        ("2001:DB8:0:0::12", "2001:db8::12"),
        ("[2001:db8::12]:80", "2001:db8::12"),
        ("http://[2001:db8::12]/", "2001:db8::12"),
        ("2001:db8::12/64", "2001:db8::12"),
        ("::ffff:10.20.90.12", "10.20.90.12"),
        ("127.0.0.1.nip", "is not an IPv4 or IPv6 address"),
        ("10.20.90.300", "'10.20.90.300' is not an IPv4 or IPv6 address"),
        ("10.20.90", "is not an IPv4 or IPv6 address"),
        ("10,20,90,12", "is not an IPv4 or IPv6 address"),
        (10209012, "'10209012' is not an IPv4 or IPv6 address"),
        ("DHCP", "'DHCP' is not an IPv4 or IPv6 address"),
        ("10.20.90.12 (old)", "is not an IPv4 or IPv6 address"),
        ("<script>alert(1)</script>", "is not an IPv4 or IPv6 address"),
        ("010.020.090.012", "leading zeros"),
        ("10.20.90.12-15", "is a range"),
        ("10.20.90.12 - 10.20.90.20", "is a range"),
        ("10.20.90.12\N{EN DASH}20", "is a range"),
        ("10.20.90.12; 10.20.90.13", "more than one address"),
        ("10.20.90.12\n10.20.90.13", "more than one address"),
        ("0.0.0.0", "no device's address"),
        ("224.0.0.251", "multicast"),
        ("ff02::1", "multicast"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.7.9", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "zone"),
        ("255.255.255.255", "broadcast"),
        ("240.0.0.1", "reserved"),
        ("10.20.90.255", "broadcast address of 10.20.90.0/24"),
        ("10.20.90.0", "network address of 10.20.90.0/24"),
        ("10.20.90.0/24", "network address of 10.20.90.0/24"),
        ("10.20.90.12/99", "is not a subnet mask"),
        ("", "no address; write"),
        (None, "no address; write"),
        ("x" * 5000, "is not an IPv4 or IPv6 address"),
    ],
)
def test_address_cell(tmp_path: Path, written: object, expected: str) -> None:
    table = workbook.read(xlsx(tmp_path, HEADINGS, device(written, "S1"), device("10.9.9.9", "S2")))
    row = table.rows[0]
    if row.address:
        assert (row.address, row.problems) == (expected, ())
    else:
        assert list(problems(table)) == ["A2"]
        assert expected in problems(table)["A2"]
        assert len(table.line(row.problems[0])) < 300
        assert table.line(row.problems[0]).startswith("list.xlsx, sheet Copiers, A2: ")
    assert table.rows[1].problems == ()
    assert "hunter2" not in table.to_json()


@pytest.mark.parametrize(
    ("subnet", "mask", "address", "expected"),
    [
        ("10.20.90.0/23", "", "10.20.91.255", "10.20.90.0/23"),
        ("10.20.90.0", "255.255.254.0", "10.20.91.4", "10.20.90.0/23"),
        ("", "255.255.255.128", "10.20.90.200", "10.20.90.128/25"),
        ("", "/26", "10.20.90.70", "10.20.90.64/26"),
        ("", 26, "10.20.90.70", "10.20.90.64/26"),
        ("255.255.255.128", "", "10.20.90.200", "10.20.90.128/25"),
        ("", "10.20.90.0/24", "10.20.90.7", "10.20.90.0/24"),
        ("VLAN 90", "", "10.20.90.7", None),
        (90, "", "10.20.90.7", None),
        ("n/a", "-", "10.20.90.7", None),
        ("10.20.90.0", "", "10.20.90.7", None),
        ("", "64", "2001:db8::7", "2001:db8::/64"),
        ("10.20.91.0/24", "", "10.20.90.7", "does not hold this row's address 10.20.90.7"),
        ("10.20.90.0/33", "", "10.20.90.7", "is not a subnet mask"),
        ("", "255.255.0.255", "10.20.90.7", "is not a subnet mask"),
        ("10.20.90.0/25", "", "10.20.90.127", "'10.20.90.127' is the broadcast address of 10.20.90.0/25"),
    ],
)
def test_stated_prefix(tmp_path: Path, subnet: object, mask: object, address: str, expected: str | None) -> None:
    path = xlsx(tmp_path, ("Subnet", "Mask", "IP", "Make"), (subnet, mask, address, "Ricoh"))
    row = workbook.read(path).rows[0]
    if row.problems:
        assert expected
        assert expected in row.problems[0].text
    else:
        assert (row.address, row.prefix) == (address, expected)


def test_prefix_behind_the_address_counts(tmp_path: Path) -> None:
    assert workbook.read(xlsx(tmp_path, ("IP", "Make"), ("10.20.91.7/23", "Ricoh"))).rows[0].prefix == "10.20.90.0/23"


@pytest.mark.parametrize(
    ("text", "link", "expected"),
    [
        ("Copier in Admissions", "http://10.20.90.12/", "10.20.90.12"),
        ("10.20.90.12", "https://10.20.90.12/web", "10.20.90.12"),
        ("10.20.90.12", "http://mfp-12.hospital.example/", "10.20.90.12"),
        ("10.20.90.12", "http://10.20.90.13/", "correct the text or the link"),
        ("10.20.90.300", "http://10.20.90.30/", "is not an IPv4"),
        ("Copier", "http://mfp-12.hospital.example/", "is not an IPv4"),
        ("Copier", "mailto:a@b.example", "is not an IPv4"),
    ],
)
def test_linked_address(tmp_path: Path, text: str | None, link: str, expected: str) -> None:
    def add(sheet: Any) -> None:
        sheet["A2"].hyperlink = link
        sheet["A2"].value = text  # openpyxl fills an empty cell with the link

    row = workbook.read(xlsx(tmp_path, HEADINGS, device("x"), change=add)).rows[0]
    assert (row.address == expected) if row.address else (expected in row.problems[0].text)
    assert row.cells["address"].ref == "A2"


def test_link_formula_without_a_result(tmp_path: Path) -> None:
    path = xlsx(tmp_path, HEADINGS, device('=HYPERLINK("http://10.20.90.12/","Copier 1")'))
    assert workbook.read(path).rows[0].address == "10.20.90.12"


def test_doubled_values_fail_every_row_that_has_them_and_name_the_others(tmp_path: Path) -> None:
    table = workbook.read(
        xlsx(
            tmp_path,
            HEADINGS,
            device("10.20.90.12", "S1", host="mfp-1"),
            device("http://10.20.90.12/", "S2", host="mfp-2"),
            device("10.20.90.13", "s1 ", host="MFP-1."),
            device("10.20.90.14", "n/a", host="n/a"),
            device("10.20.90.15", "n/a", host="n/a"),
        )
    )
    assert [row.address for row in table.rows] == ["10.20.90.12", None, "10.20.90.13", "10.20.90.14", "10.20.90.15"]
    found = problems(table)
    assert set(found) == {"A2", "A3", "B2", "B4", "E2", "E4"}
    for first, later in (("A2", "A3"), ("B2", "B4"), ("E2", "E4")):
        assert found[first].endswith(f"used twice: also in {later}; correct the one that is wrong")
        assert found[later].endswith(f"used twice: also in {first}; correct the one that is wrong")
    assert [row.key for row in table.rows] == ["S1", "S2", "s1", "10.20.90.14", "10.20.90.15"]


def test_keys_are_unique(tmp_path: Path) -> None:
    rows = [
        device("10.20.90.12", "S1"),
        device("10.20.90.13", "S1"),
        device("", "S1"),
        device("", ""),
        device("zz", ""),
    ]
    table = workbook.read(xlsx(tmp_path, HEADINGS, *rows))
    assert [row.key for row in table.rows] == ["S1", "S1+row3", "S1+row4", "row5", "row6"]


def test_all_problems_of_a_row_are_said_at_once(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path,
        ("IP", "Make", "Route", "Subnet", "S/N"),
        ("10.20.90.12", "Ricoh", "", "", "S1"),
        ("10.20.90.13", "", "carrier pigeon", "10.20.91.0/24", "S1"),
    )
    assert set(problems(workbook.read(path))) == {"E2", "B3", "C3", "D3", "E3"}


@pytest.mark.parametrize(
    ("make", "model", "expected", "said_model"),
    [
        ("RICOH", "IM C3000", "Ricoh", "IM C3000"),
        ("ricoh co., ltd.", "IM C3000", "Ricoh", "IM C3000"),
        (None, "RICOH IM C3000", "Ricoh", "IM C3000"),
        (None, "IM C4500", "Ricoh", "IM C4500"),
        (None, "Aficio MP C3504", "Ricoh", "Aficio MP C3504"),
        ("", "hp LaserJet M528", "HP", "LaserJet M528"),
        ("Hewlett-Packard", "LaserJet M528", "HP", "LaserJet M528"),
        ("n/a", "KONICA MINOLTA bizhub C258", "Konica Minolta", "bizhub C258"),
        ("Ricoh", "Lanier MP C3504", "Ricoh", "Lanier MP C3504"),
        ("Acme", "Copier 1", "Acme", "Copier 1"),
        (None, "Copier 1", None, "Copier 1"),
        (None, "Imperial 400", None, "Imperial 400"),
        (None, None, None, ""),
        ("Kyocera", "RICOH IM C3000", None, "RICOH IM C3000"),
    ],
)
def test_make(tmp_path: Path, make: str | None, model: str | None, expected: str | None, said_model: str) -> None:
    row = workbook.read(xlsx(tmp_path, HEADINGS, device(make=make, model=model))).rows[0]
    assert (row.make, row.model) == (expected, said_model)
    assert [problem.ref for problem in row.problems] == ([] if expected else ["C2"])
    assert row.address == "10.20.90.12"  # a copier of unknown make is still proven


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SMTP AUTH", "smtp-auth"),
        ("smtp_auth", "smtp-auth"),
        (587, "smtp-auth"),
        ("Client Submission", "smtp-auth"),
        ("Direct Send", "direct-send"),
        ("MX", "direct-send"),
        (25, "direct-send"),
        ("Relay", "relay"),
        ("SMTP relay (connector)", "relay"),
        ("carrier pigeon", None),
        ("465", None),
        ("", ""),
        ("-", ""),
    ],
)
def test_route(tmp_path: Path, text: object, expected: str | None) -> None:
    row = workbook.read(xlsx(tmp_path, ("IP", "Make", "Route"), ("10.20.90.12", "Ricoh", text))).rows[0]
    assert (row.route or "") == (expected or "")
    assert bool(row.problems) == (expected is None)
