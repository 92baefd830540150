"""Which copier a mail is from: only what points to one alone counts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from scanproof.devices import scans
from scanproof.devices.attribution import Traces, attribute, may_be, written
from scanproof.tenant.mails import Listed
from selftests.harness import demo

ONE, TWO = (
    dataclasses.replace(copier, serial=serial, host_name=host, address=address, key=serial)
    for copier, serial, host, address in zip(
        demo().copiers,
        ("3099R310291", "3099R3102910"),
        ("copier-1", "copier-12"),
        ("10.20.90.1", "10.20.90.11"),
        strict=False,
    )
)
THREE = dataclasses.replace(ONE, serial="", host_name="", address="10.20.90.2", key="10.20.90.2")
SENDER, OTHER_ADDRESS = "scan@northfield.example", "copier@northfield.example"
SEND_AS = {SENDER: frozenset({SENDER, OTHER_ADDRESS}), "reports@northfield.example": frozenset()}
DOMAIN = "northfield.example"
MAYER, OUTSIDE = "m.mayer@northfield.example", "scans@elsewhere.example"
TEXT = 'Message from "copier-1"'
CODES = {"K7Q4": ONE.key, "M2X9": TWO.key}

ROWS: list[tuple[str, str, tuple[str, ...], str | None]] = [
    ("nothing", "Message from a copier", (), None),
    ("serial", "Scan from 3099r310291.", (), ONE.key),
    ("longer serial", "Scan from 3099R3102910", (), TWO.key),
    ("serial within a word", "x3099R310291y", (), None),
    ("host name in the subject", 'Message from "COPIER-1"', (), ONE.key),
    ("longer host name", 'Message from "copier-12"', (), TWO.key),
    ("a host that is not listed", "copier-1-b", (), None),
    ("a host of another word", "old-copier-1", (), None),
    ("a host name in a domain", "", ("from copier-1.northfield.example ([10.9.9.9]) by x",), ONE.key),
    ("address", "", ("from x ([10.20.90.1]) by y",), ONE.key),
    ("longer address", "", ("from x ([10.20.90.11]) by y",), TWO.key),
    ("the beginning of an address", "", ("from x ([10.20.90.1.5]) by y",), None),
    ("the end of an address", "", ("from x ([110.20.90.1]) by y",), None),
    ("an address in the subject", "10.20.90.1", (), None),
    ("a copier of which only the address is known", "", ("from x ([10.20.90.2])",), THREE.key),
    ("both serials", "3099R310291 3099R3102910", (), None),
    ("both codes", "K7Q4 M2X9", (), None),
    ("a code before a serial", "k7q4 3099R3102910", (), ONE.key),
    ("a code that nobody asked for", "Z9Z9", (), None),
    ("a serial before an address", "3099R310291", ("from x ([10.20.90.11])",), ONE.key),
    ("serial against host name and address", "3099R310291", ("from copier-12 ([10.20.90.11])",), TWO.key),
]


@pytest.mark.parametrize(("text", "hops", "key"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_mail(text: str, hops: tuple[str, ...], key: str | None) -> None:
    for copiers in ((ONE, TWO, THREE), (THREE, TWO, ONE)):
        found = attribute(Traces(text, hops, frozenset({SENDER})), copiers, CODES, SEND_AS, DOMAIN)
        assert (found[0].key if found else None) == key
        assert found is None or found[1]


def test_what_shows_it() -> None:
    found = attribute(Traces("K7Q4 3099R310291", ("from copier-1 ([10.20.90.1])",)), (ONE, TWO), CODES, {}, DOMAIN)
    assert found
    assert found[1] == (
        "the code K7Q4 in its subject",
        "serial 3099R310291",
        "host name copier-1",
        "address 10.20.90.1",
    )


@pytest.mark.parametrize(
    ("by", "key"), [("mfp@northfield.example", ONE.key), ("mfp@other.example", ONE.key), (OUTSIDE, None)]
)
def test_a_site_without_senders_sends_from_its_mail_domain(by: str, key: str | None) -> None:
    """Its copiers sign in nowhere: what they send from is an address of the site, or one that it states."""
    send_as = {"it@other.example": frozenset({"it@other.example"})} if "other" in by else {}
    traces = Traces("", ("from copier-1 ([10.20.90.1]) by x",), frozenset({by}))
    found = attribute(traces, (ONE, TWO), {}, send_as, DOMAIN)
    assert (found[0].key if found else None) == key


def test_no_copiers() -> None:
    assert attribute(Traces("3099R310291", ()), (), {}, {}, DOMAIN) is None


BY: list[tuple[str, set[str], str, tuple[str, ...], str | None]] = [
    ("its sender", {SENDER}, TEXT, (), ONE.key),
    ("one that it may send as", {OTHER_ADDRESS}, TEXT, (), ONE.key),
    ("somebody else", {MAYER}, TEXT, (), None),
    ("somebody outside", {"scan@northfield.example.org"}, TEXT, (), None),
    ("nobody", set(), TEXT, (), None),
    ("somebody else for its sender", {SENDER, MAYER}, TEXT, (), None),
    ("another copier's sender", {"reports@northfield.example"}, TEXT, (), None),
    ("somebody else, by the copier", {MAYER}, TEXT, ("from copier-1 by x",), ONE.key),
    ("somebody else, by the copier's address", {MAYER}, "", (f"from x ([{ONE.address}])",), ONE.key),
    ("a part of the site's domain", {"mfp@print.northfield.example"}, "", ("from copier-1 by x",), ONE.key),
    ("a host of the same name in its own domain", {SENDER}, "", ("from copier-1.northfield.example by x",), ONE.key),
    # Other companies have hosts of such names and addresses too, and write to the site's mailboxes.
    ("another company's host", {OUTSIDE}, TEXT, ("from copier-1.elsewhere.example by x",), None),
    ("another company's host, without a domain", {OUTSIDE}, TEXT, ("from copier-1 by mail.elsewhere.example",), None),
    (
        "another company's private address",
        {OUTSIDE},
        "",
        (f"from x ([{ONE.address}]) by mail.elsewhere.example",),
        None,
    ),
    ("another company's domain like ours", {"x@notnorthfield.example"}, "", ("from copier-1 by x",), None),
    ("somebody of ours by another company's host", {MAYER}, "", ("from copier-1.elsewhere.example by x",), None),
    ("somebody of ours by a domain of digits", {MAYER}, "", ("from copier-1.1st.example by x",), None),
    ("a name with a domain, and without", {MAYER}, "", ("from copier-1 by x", "from copier-1.elsewhere.example"), None),
    ("another company's report about the device", {OUTSIDE}, f"Service of {ONE.serial}", (), None),
    ("the code, from outside", {OUTSIDE}, "K7Q4", (), ONE.key),
    ("somebody else, with the serial", {MAYER}, f"{TEXT} 3099R310291", (), ONE.key),
    ("somebody else, with the code", {MAYER}, "K7Q4", (), ONE.key),
    ("somebody else, and another's serial", {MAYER}, f"{TEXT} 3099R3102910", (), TWO.key),
]


@pytest.mark.parametrize(("senders", "text", "hops", "key"), [row[1:] for row in BY], ids=[row[0] for row in BY])
def test_a_host_name_in_the_text_counts_by_whom_it_is_from(
    senders: set[str], text: str, hops: tuple[str, ...], key: str | None
) -> None:
    traces = Traces(text, hops, frozenset(senders))
    found = attribute(traces, (ONE, TWO), CODES, SEND_AS, DOMAIN)
    assert (found[0].key if found else None) == key
    assert written(traces, ONE) == ("copier-1" in text)


FROM_ONE = ("from copier-1 by x",)
DOUBLED: list[tuple[str, str, tuple[str, ...], dict[str, str], str | None]] = [
    ("nobody else is called so", TEXT, (), {ONE.key: "copier-1", TWO.key: "copier-12"}, ONE.key),
    ("another calls itself so", TEXT, (), {TWO.key: "copier-1"}, None),
    ("another calls itself so, in capitals", TEXT, (), {TWO.key: "COPIER-1"}, None),
    ("another calls itself so, and the mail says so by its way", "", FROM_ONE, {TWO.key: "copier-1"}, None),
    ("another calls itself so, and the mail has a serial", f"{TEXT} {ONE.serial}", (), {TWO.key: "copier-1"}, ONE.key),
    ("another calls itself so, and it is that one's serial", TEXT + TWO.serial, (), {TWO.key: "copier-1"}, TWO.key),
    ("another calls itself so, and the mail has a code", f"{TEXT} K7Q4", (), {TWO.key: "copier-1"}, ONE.key),
    ("another calls itself so, and the mail has an address", "", (f"from copier-1 ([{ONE.address}])",),
     {TWO.key: "copier-1"}, ONE.key),
    ("two swapped their names", TEXT, (), {ONE.key: "copier-12", TWO.key: "copier-1"}, None),
    ("it calls itself otherwise than the list", 'Message from "rnp1"', (), {ONE.key: "rnp1"}, None),
    ("one that the list gives no name", TEXT, (), {THREE.key: "copier-1"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "hops", "called", "key"), [it[1:] for it in DOUBLED], ids=[it[0] for it in DOUBLED])
def test_a_host_name_that_another_device_has_as_well_tells_nothing(
    text: str, hops: tuple[str, ...], called: dict[str, str], key: str | None
) -> None:
    """A mail that is told by it alone is nobody's, for either may have sent it."""
    traces = Traces(text, hops, frozenset({SENDER}))
    for copiers in ((ONE, TWO, THREE), (THREE, TWO, ONE)):
        found = attribute(traces, copiers, CODES, SEND_AS, DOMAIN, called=called)
        assert (found[0].key if found else None) == key
    names = [(it, (it.host_name, called.get(it.key, ""))) for it in (ONE, TWO, THREE)]
    assert key or any(may_be(traces, it, of, SEND_AS, DOMAIN) for it, of in names)


@pytest.mark.parametrize(
    ("subject", "more", "passed_on"),
    [
        ("Message from “copier-1”", (), False),
        ("FW: Message from “copier-1”", (), True),
        ("WG: Message from “copier-1”", (), True),
        ("Re: SPKTXMA", (), True),
        ("Message from “copier-1”", (("In-Reply-To", "<a@northfield.example>"),), True),
        ("Report: copier-1", (), False),
    ],
)
def test_a_scan_that_a_person_passed_on_is_no_scan(
    subject: str,
    more: tuple[tuple[str, str], ...],
    passed_on: bool,  # noqa: FBT001
) -> None:
    headers = [{"name": name, "value": value} for name, value in (("Received", "from copier-1"), *more)]
    mail = Listed(
        "scan@northfield.example", {"subject": subject, "internetMessageHeaders": headers}, "Inbox", datetime.now(UTC)
    )
    assert scans._passed_on(mail) == passed_on
