"""Whether a scan's attachment can be opened: whole ones, damaged ones, and ones made to mislead."""

from __future__ import annotations

import io
import random
import struct

import pytest
from pypdf import PdfReader, PdfWriter

from scanproof.devices.attachment import PAGES, look

pytestmark = pytest.mark.filterwarnings("error")


def pdf(pages: int = 1, *, password: str | None = None, algorithm: str = "RC4-128", packed: bool = False) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    if password is not None:
        writer.encrypt(password, "owner-word", algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return _packed(out.getvalue()) if packed else out.getvalue()


def _packed(plain: bytes) -> bytes:
    """Return a PDF whose objects lie in an object stream, with a cross-reference stream (ISO 32000-1, 7.5.7, 7.5.8)."""
    assert len(PdfReader(io.BytesIO(plain)).pages) == 2
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>",
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"] * 2,
    ]
    heads, body = b"", b""
    for number, content in enumerate(objects, 1):
        heads += b"%d %d " % (number, len(body))
        body += content + b" "
    made = b"%PDF-1.5\n"
    first = len(made)
    made += b"5 0 obj<</Type/ObjStm/N 4/First %d/Length %d>>stream\n%s\nendstream endobj\n" % (
        len(heads),
        len(heads + body),
        heads + body,
    )
    second = len(made)
    table = b"\0\0\0\0" + b"".join(struct.pack(">BHB", 2, 5, at) for at in range(4))
    table += struct.pack(">BHB", 1, first, 0) + struct.pack(">BHB", 1, second, 0)
    made += b"6 0 obj<</Type/XRef/Size 7/W[1 2 1]/Root 1 0 R/Length %d>>stream\n%s\nendstream endobj\n" % (
        len(table),
        table,
    )
    return made + b"startxref\n%d\n%%%%EOF\n" % second


def tiff(order: str, *chain: tuple[int, int], first: int = 8, size: int = 400) -> bytes:
    """Return a TIFF with directories at offsets, each with the offset of the next."""
    made = bytearray(size)
    made[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", first)
    for at, then in chain:
        struct.pack_into(f"{order}H", made, at, 1)
        struct.pack_into(f"{order}I", made, at + 14, then)
    return bytes(made)


def jpeg(height: int = 100, *, kind: int = 0xC0, before: bytes = b"", end: bytes = b"\xff\xd9") -> bytes:
    frame = bytes([0xFF, kind]) + struct.pack(">HBHHB", 17, 8, height, 50, 3) + b"\0" * 9
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\0" * 9 + before + frame + b"\xff\xda" + b"z" * 100 + end


BARE = b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
BARE += b"2 0 obj<</Type/Pages/Kids[%s]/Count %s>>endobj\n%strailer<</Root 1 0 R>>"
ROWS: dict[str, tuple[bytes, tuple[str, int]]] = {
    "PDF": (pdf(), ("PDF", 1)),
    "PDF of 12 pages": (pdf(12), ("PDF", 12)),
    "PDF with object streams": (pdf(2, packed=True), ("PDF", 2)),
    "PDF without a page": (pdf(0), ("PDF", 0)),
    "PDF that only its owner may change": (pdf(2, password=""), ("PDF", 2)),
    "PDF cut in half": (pdf(3)[: len(pdf(3)) // 3], ("PDF", 0)),
    "PDF header alone": (b"%PDF-1.4\n", ("PDF", 0)),
    "PDF with junk after it": (pdf() + b"\r\n--boundary--" * 20, ("PDF", 1)),
    "PDF whose tree is a loop": (BARE % (b"2 0 R", b"1", b""), ("PDF", 0)),
    "PDF whose root is missing": (b"%PDF-1.4\ntrailer<</Root 9 0 R>>\n%%EOF", ("PDF", 0)),
    "TIFF": (tiff("<", (8, 0)), ("TIFF", 1)),
    "TIFF, big-endian, of 3 pages": (tiff(">", (8, 100), (100, 200), (200, 0)), ("TIFF", 3)),
    "TIFF that leads back to itself": (tiff("<", (8, 8)), ("TIFF", 1)),
    "TIFF whose chain is a loop": (tiff("<", (8, 100), (100, 8)), ("TIFF", 2)),
    "TIFF that leads nowhere": (tiff("<", (8, 100_000)), ("TIFF", 0)),
    "TIFF without a directory": (tiff("<", first=0), ("TIFF", 0)),
    "TIFF whose directory has no entry": (tiff("<", first=300), ("TIFF", 0)),
    "TIFF cut": (tiff("<", (8, 0))[:15], ("TIFF", 0)),
    "TIFF header alone": (b"II*\0", ("TIFF", 0)),
    "TIFF of another order": (b"II\0*" + bytes(100), ("", 0)),
    "JPEG": (jpeg(), ("JPEG", 1)),
    "JPEG, progressive": (jpeg(kind=0xC2), ("JPEG", 1)),
    "JPEG with fill bytes": (jpeg(before=b"\xff\xff\xff"), ("JPEG", 1)),
    "JPEG with tables before": (jpeg(before=b"\xff\xc4\x00\x04ab"), ("JPEG", 1)),
    "JPEG without an end": (jpeg(end=b""), ("JPEG", 0)),
    "JPEG of no height": (jpeg(0), ("JPEG", 0)),
    "JPEG without a frame": (jpeg(kind=0xC4), ("JPEG", 0)),
    "JPEG header alone": (b"\xff\xd8\xff", ("JPEG", 0)),
    "JPEG of fill bytes": (b"\xff\xd8" + b"\xff" * 1000 + b"\xff\xd9", ("JPEG", 0)),
    "nothing": (b"", ("", 0)),
    "HTML": (b"<html>", ("", 0)),
    "a program": (b"MZ" + bytes(100), ("", 0)),
    "text before a PDF": (b"\n" + pdf(), ("", 0)),
}


@pytest.mark.parametrize(("content", "found"), ROWS.values(), ids=ROWS)
def test_attachment(content: bytes, found: tuple[str, int]) -> None:
    assert look(content) == found


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_an_encrypted_pdf_is_no_trouble(algorithm: str) -> None:
    kind, pages = look(pdf(2, password="open-sesame", algorithm=algorithm))
    assert kind == "PDF"
    assert pages in {0, 2}  # whether its pages can be counted without the password is pypdf's affair


@pytest.mark.parametrize("count", [b"-5", b"999999999", b"(x)", b"null", b"[]"])
def test_a_count_that_is_none(count: bytes) -> None:
    kind, pages = look(BARE % (b"", count, b""))
    assert kind == "PDF"
    assert 0 <= pages <= PAGES


def test_no_bytes_make_it_fail() -> None:
    chance = random.Random(7)
    for whole in (pdf(2), pdf(2, packed=True), pdf(2, password="x"), tiff("<", (8, 100), (100, 0)), jpeg()):
        for _ in range(150):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 20)):
                data[chance.randrange(4, len(data))] = chance.randrange(256)
            _, pages = look(bytes(data[: chance.randrange(4, len(data) + 1)]))
            assert 0 <= pages <= PAGES
