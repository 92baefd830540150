"""A document as a Word file (.docx): headings, paragraphs, lists and tables by Word's own styles.

Nothing in it is a field, a link or loaded from elsewhere, its properties name nobody, and the same document gives the
same bytes. python-docx is loaded when the first one is made.
"""

from __future__ import annotations

import importlib
import io
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from scanproof.report.document import Heading, Item, Items, Table, Verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.report.document import Block, Document

AUTHOR = "Scanproof"
_UNKNOWN = datetime(2000, 1, 1, tzinfo=UTC)
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP can say
_UNUSED = ("/thumbnail", "/stylesWithEffects")  # of the template: a picture of an empty page, styles of Word 2010
_WIDTH, _MARGIN = 21.0, 2.0  # cm, of an A4 page
_HEIGHT = 29.7
_FONT, _MONOSPACE = "Calibri", "Consolas"
_GREY = "E7ECF0"
_TWIPS = 567  # a centimetre
_NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"  # ECMA-376, part 1


def prepare() -> None:
    """Load python-docx, which the first document would have to."""
    importlib.import_module("docx")


def render(document: Document) -> bytes:
    """Return a document as the bytes of a .docx file."""
    import docx  # noqa: PLC0415 - loads lxml and all of itself, which a run needs only here
    from docx.oxml import parse_xml  # noqa: PLC0415

    made = docx.Document()
    _prepare(made, document)
    # Its own ways to add a paragraph look all styles through each time: a third of a second for a few pages.
    parts = [_paragraph(_run(document.title), "Title"), *(part for block in document.blocks for part in _parts(block))]
    body = made.element.body
    for element in parse_xml(f'<w:body xmlns:w="{_NAMESPACE}">{"".join(parts)}</w:body>'):
        body.insert_element_before(element, "w:sectPr")
    return _packed(made)


def _prepare(made: Any, document: Document) -> None:
    """Set the file's properties, its page and its styles."""
    from docx.shared import Cm, Pt  # noqa: PLC0415 - as above

    about, when = made.core_properties, (document.made or _UNKNOWN).replace(tzinfo=None)
    about.title, about.author, about.last_modified_by = document.title[:255], AUTHOR, AUTHOR
    about.created = about.modified = when
    about.comments, about.language, about.revision = "", "en", 1
    for rels in (made.part.package.rels, made.part.rels):
        for name in [name for name, rel in rels.items() if rel.reltype.endswith(_UNUSED)]:
            del rels[name]
    section = made.sections[0]
    section.page_width, section.page_height = Cm(_WIDTH), Cm(_HEIGHT)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(_MARGIN)
    normal = made.styles["Normal"]
    normal.font.name, normal.font.size = _FONT, Pt(10.5)
    normal.paragraph_format.space_after = Pt(6)
    made.styles["Title"].font.size = Pt(20)


def _parts(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, words):
            yield _paragraph(_run(words), f"Heading{level}")
        case Items(items):
            for item in items:
                yield _paragraph(_said(item), "ListBullet")
        case Table():
            yield _table(block)
            yield _paragraph("", "NoSpacing")  # what follows would stand right below it otherwise
        case Verbatim(lines):
            for line in lines:
                yield _paragraph(_run(line, f'<w:rFonts w:ascii="{_MONOSPACE}" w:hAnsi="{_MONOSPACE}"/>'), "NoSpacing")
        case Item():
            yield _paragraph(_said(block), "Normal")


def _paragraph(runs: str, style: str, more: str = "") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{more}</w:pPr>{runs}</w:p>'


def _run(words: str, form: str = "") -> str:
    return f'<w:r><w:rPr>{form}</w:rPr><w:t xml:space="preserve">{escape(words)}</w:t></w:r>' if words else ""


def _said(item: Item) -> str:
    if not item.lead:
        return _run(item.text)
    return _run(item.lead, "<w:b/>") + (_run(f" {item.text}") if item.text else "")


def _table(table: Table) -> str:
    widths = [round(width * _TWIPS) for width in _widths(table)]
    rows = []
    for number, texts in enumerate((table.header, *table.rows)):
        head = number == 0
        form = ("<w:b/>" if head else "") + '<w:sz w:val="18"/>'
        shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{_GREY}"/>' if head else ""
        cells = "".join(
            f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}</w:tcPr>'
            + _paragraph(_run(words, form), "Normal", '<w:spacing w:after="40"/>')
            + "</w:tc>"
            for width, words in zip(widths, texts, strict=True)
        )
        # A row stays on one page, and the header is repeated on each.
        rows.append(f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if head else ''}</w:trPr>{cells}</w:tr>")
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
        f'<w:tblLayout w:type="fixed"/><w:tblLook w:val="0420" w:firstRow="1"/></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _widths(table: Table) -> list[float]:
    """Return the columns' widths in centimetres, by how much stands in them."""
    needs = []
    for texts in zip(table.header, *table.rows, strict=True):
        longest_word = max(len(word) for text in texts for word in (text.split() or [""]))
        needs.append(max(min(longest_word, 24) + 4.0, min(max(map(len, texts)), 60) * 0.6))
    return [(_WIDTH - 2 * _MARGIN) * need / sum(needs) for need in needs]


def _packed(made: Any) -> bytes:
    """Return the file's bytes, with nothing in them of the moment or the machine of their making."""
    written, packed = io.BytesIO(), io.BytesIO()
    made.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            target.writestr(entry, source.read(name))
    return packed.getvalue()
