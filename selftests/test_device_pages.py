"""A device's pages as they come: of any age, half closed, hostile; what is read of them, and in bounded time."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import pytest

from scanproof.devices.pages import MOST, parse

pytestmark = pytest.mark.filterwarnings("error")

LARGE = 5_000_000


def row(label: str, value: str, colon: str = ":") -> str:
    return f"<tr><td nowrap>{label}</td><td nowrap>{colon}</td><td nowrap>{value}</td></tr>"


@dataclass(frozen=True)
class Row:
    """A page, and what is read of its first form, or of its rows."""

    name: str
    text: str
    fields: dict[str, str] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)
    rows: list[tuple[str, str]] = field(default_factory=list)


RADIOS = "<form><input type=radio name=a value=true{}><input type=radio name=a value=false{}></form>"
ROWS = [
    Row("nothing", ""),
    Row(
        "text and hidden",
        '<form><input name=a value="1"><input type=hidden name=b value="2"></form>',
        {"a": "1", "b": "2"},
    ),
    Row("unquoted", "<form><input type=text name=a value=smtp.office365.com></form>", {"a": "smtp.office365.com"}),
    Row("upper case", "<FORM NAME=x><INPUT TYPE=HIDDEN NAME=wimToken VALUE=77></FORM>", {"wimToken": "77"}),
    Row("single quotes", "<form><input name='a' value='x \"y\"'></form>", {"a": 'x "y"'}),
    Row("XHTML", '<form><input name="a" value="1" /></form>', {"a": "1"}),
    Row("no value", "<form><input name=a></form>", {"a": ""}),
    Row("no name", "<form><input value=1></form>"),
    Row("entities", "<form><input name=a value='&lt;&amp;&#27;&#x41;'></form>", {"a": "<&A"}),
    Row("radio of the first", RADIOS.format(" checked", ""), {"a": "true"}),
    Row("radio of the second", RADIOS.format("", " CHECKED"), {"a": "false"}),
    Row("radio checked='checked'", RADIOS.format("", " checked='checked'"), {"a": "false"}),
    Row("radio of none", RADIOS.format("", ""), {}, {"a"}),
    Row(
        "box",
        "<form><input type=checkbox name=a checked><input type=checkbox name=b value=1></form>",
        {"a": "on"},
        {"b"},
    ),
    Row("select", "<form><select name=a><option value=1>x<option value=2 selected>y</select></form>", {"a": "2"}),
    Row(
        "select of none", "<form><select name=a><option value=1>x</option><option value=2>y</select></form>", {"a": "1"}
    ),
    Row("option outside", "<form><option value=1 selected>x</form>"),
    Row("textarea", "<form><textarea name=a>one\ntwo &lt;</textarea></form>", {"a": "one\ntwo <"}),
    Row("buttons and passwords", "<form><input type=button name=a value=1><input type=PASSWORD name=b value=2></form>"),
    Row("outside of every form", "<input name=a value=1>"),
    Row("a form within a form", "<form><form><input name=a value=1></form>", {}),
    Row("NUL", "<form><input name=a value='x\0y'></form>", {"a": "x\ufffdy"}),
    Row("right to left", "<form><input name=a value='x\u202ey'></form>", {"a": "x\ufffdy"}),
    Row(
        "script",
        "<form><script>document.write('<input name=a value=1>')</script><input name=b value=2></form>",
        {"b": "2"},
    ),
    Row("comment", "<form><!-- <input name=a value=1> --><input name=b value=2></form>", {"b": "2"}),
    Row("label row", row("Model Name", "IM C3000"), rows=[("Model Name", "IM C3000")]),
    Row("full-width colon", row("機種名", "IM C3000", "\uff1a"), rows=[("機種名", "IM C3000")]),
    Row("blank value", row("SMTP", "") + row("機番", "", "\uff1a"), rows=[("SMTP", ""), ("機番", "")]),
    Row("line ends", row(" Model\n\tName ", "\n\nIM C3000\n"), rows=[("Model Name", "IM C3000")]),
    Row("no-break space", row("System&nbsp;", "&nbsp;1.21"), rows=[("System", "1.21")]),
    Row("ends left out", "<table><tr><td>A<td>:<td>1<tr><td>B<td>:<td>2</table>", rows=[("A", "1"), ("B", "2")]),
    Row("upper case rows", "<TABLE><TR><TD>A</TD><TD>:</TD><TD>1</TD></TR></TABLE>", rows=[("A", "1")]),
    Row(
        "a table within a cell",
        f"<table><tr><td>Menu</td><td><table>{row('A', '1')}</table></td></tr>{row('B', '2')}</table>",
        rows=[("A", "1"), ("B", "2")],
    ),
    Row(
        "a table beside a label",
        f"<table><tr><td>C</td><td>:</td><td>3<table>{row('A', '1')}</table></td></tr></table>",
        rows=[("A", "1"), ("C", "3")],
    ),
    Row("script in a cell", row("A", "<script>if (1 < 2) x()</script>1"), rows=[("A", "1")]),
    Row("link in a cell", row("A", "<a href=x>1</a> <b>2</b>"), rows=[("A", "1 2")]),
    Row(
        "textarea in a cell",
        f"<form>{row('A', '<textarea name=a>1</textarea>')}{row('B', '2')}</form>",
        {"a": "1"},
        rows=[("A", ""), ("B", "2")],
    ),
    Row("four cells", "<tr><td>a</td><td>:</td><td>b</td><td>c</td></tr>"),
    Row("two cells", "<tr><td>a</td><td>b</td></tr>"),
    Row("a cell outside", "<td>A</td><td>:</td><td>1</td>"),
    Row("ends alone", "</td></tr></table></a></form></select></textarea></title>" + row("A", "1"), rows=[("A", "1")]),
]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_page(case: Row) -> None:
    page = parse(case.text)
    assert (page.forms[0].fields if page.forms else {}) == case.fields
    assert (page.forms[0].unset if page.forms else set()) == case.unset
    assert page.rows == case.rows


def test_frames_title_and_links() -> None:
    page = parse(
        "<HTML><TITLE>RNP002673A1B2C3 -\n Web Image Monitor</TITLE><FRAMESET><FRAME SRC=header.cgi><iframe src='b.cgi'>"
        "</FRAMESET><a href='../mail/mailConfGet.cgi'><b>E-mail</b>\n</a><a>no address</a><a href=x>",
        "/web/entry/en/websys/webArch/configList.cgi",
    )
    assert page.title == "RNP002673A1B2C3 - Web Image Monitor"
    assert page.frames == ["header.cgi", "b.cgi"]
    assert page.links == [("E-mail", "../mail/mailConfGet.cgi"), ("no address", "")]
    assert page.path(page.links[0][1]) == "/web/entry/en/websys/mail/mailConfGet.cgi"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("", "/web/entry/en/a.cgi"),
        ("b.cgi?x=1#y", "/web/entry/en/b.cgi"),
        ("/c.cgi", "/c.cgi"),
        ("../../../../../c.cgi", "/c.cgi"),
        ("//other.example/c.cgi", "/c.cgi"),
        ("http://[", ""),
        ("https://[::1/x", ""),
        ("\0", "/web/entry/en/a.cgi"),
    ],
)
def test_path(address: str, path: str) -> None:
    assert parse("", "/web/entry/en/a.cgi").path(address) == path


def test_hidden_is_of_whichever_form_has_it() -> None:
    page = parse("<form name=form1><input name=a value=1></form><form name=basicForm><input name=b value=2></form>")
    assert (page.hidden("a"), page.hidden("b"), page.hidden("c")) == ("1", "2", "")
    form = page.form("basicForm")
    assert form
    assert form.fields == {"b": "2"}
    assert page.form("none") is None


JUNK = {
    "letters": "x",
    "NUL": "\0",
    "less": "<",
    "opening": "<a ",
    "quote": '<a b="',
    "equals": "<a =",
    "closing": "</a ",
    "comments": "<!--",
    "spaced comments": "<!-- ",
    "declarations": "<!D",
    "instructions": "<?x",
    "CDATA": "<![CDATA[",
    "marked": "<![if ]",
    "ampersands": "&",
    "references": "&#",
    "long references": "&#99999999999999999999;",
    "scripts": "<script>",
    "ends of scripts": "<script></scrip",
    "cells": "<td>",
    "tables": "<table><tr><td>",
    "forms": "<form name=a>",
    "fields": "<form><input name=a type=radio>",
    "selects": "<select name=q><option>",
    "textareas": "<textarea name=q>",
    "anchors": "<a href=x>y</a>",
    "frames": "<frame src=x>",
    "rows": "<tr><td>a</td><td>:</td><td>b</td></tr>",
    "surrogates": "\ud800",
}


@pytest.mark.parametrize("part", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("end", ["", ">"], ids=["open", "closed"])
def test_junk_of_5_mb_takes_no_time(part: str, end: str) -> None:
    text = part * (LARGE // len(part)) + end
    began = time.process_time()
    page = parse(text)
    assert time.process_time() - began < 5.0
    assert len(page.forms) <= MOST
    assert len(page.rows) <= MOST
    assert len(page.links) <= MOST
    assert len(page.frames) <= MOST
    assert len(page.title) < 600


def test_many_fields_are_cut() -> None:
    page = parse("<form>" + "".join(f"<input name=f{number} value=1>" for number in range(MOST + 100)))
    assert len(page.forms[0].fields) == MOST


def test_long_values_are_cut() -> None:
    page = parse(f"<form><input name=a value={'x' * 10_000}></form>{row('l' * 10_000, 'v' * 10_000)}")
    assert len(page.forms[0].fields["a"]) < 1100
    assert all(len(text) < 600 for text in page.rows[0])


def test_pieces_in_any_order() -> None:
    pieces = [*JUNK.values(), ">", '"', "'", "-->", "]]>", "</", "/>", "=", " ", "\n", "</table>", "</tr>", "</script>"]
    chance = random.Random(7)
    for _ in range(3000):
        parse("".join(chance.choices(pieces, k=chance.randrange(40))))
