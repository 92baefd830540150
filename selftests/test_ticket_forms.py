"""The ticket update as Markdown and as a Word file: both say the same, and strangers' words stay words in both."""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import docx as word
import pytest

from scanproof.report import docx, markdown, ticket
from scanproof.report.document import Document, flat
from selftests.sample_tickets import RUNS, compared, sample, texts, with_words

if TYPE_CHECKING:
    from selftests.sample_tickets import Record

SPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
HOSTILE = {
    "table": "a | b || c",
    "code": "`code` ``more`` ```fence```",
    "link": "[link](https://evil.example) ![image](http://evil.example/x.png)",
    "html": "<script>alert(1)</script> <img src=x onerror=alert(1)> <!-- ",
    "lines": "line\nbreak\r\n# heading\n\n---\n- item\n1. one\n> quote",
    "emphasis": "**bold** *em* __under__ _one_ ~~gone~~ $x$ $$y$$",
    "bare": "https://evil.example www.evil.example mailto:a@evil.example HTTP://EVIL.example",
    "entities": "&lt;b&gt; &#60;i&#62; AT&T",
    "escapes": "\\[escaped\\] \\",
    "control": "\x00\x08\x1b[31mred\x7f\x9b \u202egnp.exe \ufffe\uffff \ud800 tab\there",
    "formula": "=cmd|' /C calc'!A0",
    "reference": "[ref]: https://evil.example 'x'",
    "heading": "# heading",
    "ordered": "1) item",
    "indented": "    indented",
    "long": "x" * 50_000,
}


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> Record:
    return RUNS[request.param]()


def visible(text: str) -> str:
    """Return Markdown text as it is shown."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace("&lt;", "<").replace("&amp;", "&")


def word_texts(raw: bytes) -> list[str]:
    """Return the text of each paragraph and of each cell of a Word file that has one."""
    body = word.Document(io.BytesIO(raw)).element.body
    found = ["".join(it.text or "" for it in paragraph.iter(f"{SPACE}t")) for paragraph in body.iter(f"{SPACE}p")]
    return [it for it in found if it]


def test_both_forms_say_the_same(run: Record) -> None:
    document = ticket.content(run)
    said = [it for it in texts(document) if it]
    assert word_texts(docx.render(document)) == said
    shown, at = visible(markdown.render(document)).replace("**", ""), 0
    for text in said:
        found = shown.find(text, at)
        assert found >= 0, text
        at = found + len(text)


def test_word_file_has_real_headings_and_tables_and_names_nobody() -> None:
    opened = word.Document(io.BytesIO(docx.render(ticket.content(with_words()))))
    styles = {paragraph.style.name for paragraph in opened.paragraphs if paragraph.style}
    assert {"Title", "Heading 1", "Heading 2", "List Bullet", "Normal"} <= styles
    assert len(opened.tables) > 3
    assert all(
        row.find(f"{SPACE}trPr/{SPACE}tblHeader") is not None for row in (it._tbl.tr_lst[0] for it in opened.tables)
    )
    about = opened.core_properties
    assert (about.author, about.last_modified_by, about.comments) == ("Scanproof", "Scanproof", "")
    assert about.title == "Scan to e-mail at Northfield General Hospital: status"
    assert f"{about.created:%Y-%m-%d %H:%M}" == "2026-11-23 14:03"


def test_word_file_loads_nothing_and_is_the_same_each_time() -> None:
    document = ticket.content(sample(8))
    raw = docx.render(document)
    assert raw == docx.render(document)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in archive.namelist() if re.search("thumbnail|vba|embed", name)]
        for name in archive.namelist():
            assert b'TargetMode="External"' not in archive.read(name), name
        body = archive.read("word/document.xml")
        assert not re.search(rb"w:(fldSimple|instrText|hyperlink|object|pict|drawing)\b", body)


def test_seal_is_quoted_where_there_is_one() -> None:
    seal = "ab" * 32
    made = ticket.documents(sample(4), set(), seal)
    line = f"**Evidence seal:** {seal}; check with: scanproof verify RUN --expect {seal}"
    assert str(made["ticket-update.md"]).rstrip().endswith(line)
    raw = made["ticket-update.docx"]
    assert isinstance(raw, bytes)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:  # each in one piece, so that it can be put in afterwards
        assert archive.read("word/document.xml").count(seal.encode()) == 2
    assert "Evidence seal" not in str(ticket.documents(sample(4), set())["ticket-update.md"])


def poisoned(words: str) -> Record:
    """Return a run with these words wherever a device, a mail, a workbook or a site file could have put them."""
    earlier = compared()
    run: Record = copy.deepcopy(with_words() | {name: earlier[name] for name in ("baseline", "history")})
    for case in run["cases"]:
        case.update(dict.fromkeys(("observed", "expected", "remedy", "sentence", "vantage"), words))
        case["subject"]["label"] = words
    for cause in run["causes"]:
        cause.update(dict.fromkeys(("title", "owner", "remedy"), words))
    for subnet in run["layout"]["subnets"]:
        subnet["label"] = words
        for copier in subnet["copiers"]:
            copier.update(dict.fromkeys(("label", "location", "model"), words))
    for entries in (run["layout"]["outside"], run["waivers"], run["support_cases"], run["vantages"]):
        for entry in entries:
            entry |= {key: words for key, value in entry.items() if isinstance(value, str)}
    run["site"] |= dict.fromkeys(("name", "customer", "ticket", "engineer", "domain"), words)
    run["report"] = {"background": words, "contacts": [words], "next_steps": [words]}
    run["notes"] = [words]
    run["baseline"] |= {"run": words, "new": [{**run["baseline"]["new"][0], "label": words}]}
    return run


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_words_are_only_words(words: str) -> None:
    made, harmless = ticket.documents(poisoned(words), set()), ticket.documents(poisoned("Harmless"), set())
    text, like = str(made["ticket-update.md"]), str(harmless["ticket-update.md"])
    assert len(text) < 400_000
    for line in text.splitlines():
        bare = re.sub(r"\\[\\`*_\[\]|~$]", "", line)
        assert not re.search(r"[`\[\]~<]|\S\$", bare), line
        assert not re.search(r"\b(https?|ftp|mailto|xmpp):|\bwww\.", bare, re.IGNORECASE), line
        assert re.match(r"#{1,3} |- |\||\*\*|[^#>+=:`~|-]|$", line), line
        assert not re.match(r"\d{1,9}[.)]|- \d{1,9}[.)]|- [#>+=:-]", line), line
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ufffe\uffff\ud800]", line), line
    assert Counter(line[:2] for line in text.splitlines() if line[:1] == "#") == Counter(
        line[:2] for line in like.splitlines() if line[:1] == "#"
    )
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == sum(part.startswith("|") for part in like.split("\n\n"))
    for rows in tables:
        assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}) == 1, rows
    raw = made["ticket-update.docx"]
    assert isinstance(raw, bytes)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        ET.fromstring(archive.read("word/document.xml"))
    assert len(word_texts(raw)) > 100


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"long"}))
def test_escaped_text_reads_as_it_was(name: str) -> None:
    document = Document("x")
    document.say(HOSTILE[name])
    assert visible(markdown.render(document).splitlines()[2]) == flat(HOSTILE[name])


def test_lines_as_they_are_stay_within_their_fence() -> None:
    document = Document("x")
    document.verbatim(["```", "````text", "plain"])
    assert markdown.render(document) == "# x\n\n`````text\n```\n````text\nplain\n`````\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v=spf1 ip4:1.2.3.4 ~all.", "v=spf1 ip4:1.2.3.4 ~all."),
        ("name a host as [[vantage]] (ssh)", "name a host as [[vantage]] (ssh)"),
        ("~~gone~~ a~ ~", "\\~\\~gone\\~\\~ a\\~ \\~"),
        ("[[a]](b) [[a]][b] [[a]]: b [[[a]]", "\\[\\[a\\]\\](b) \\[\\[a\\]\\]\\[b\\] \\[\\[a\\]\\]: b \\[[[a]]"),
    ],
)
def test_what_is_no_markup_is_left_to_be_copied(text: str, shown: str) -> None:
    assert markdown.escape(text) == shown
