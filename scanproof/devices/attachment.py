"""Whether a scan's attachment can be opened: PDF, TIFF and JPEG, each with at least one page."""

from __future__ import annotations

import io
import struct

MOST = 60_000_000  # bytes
PAGES = 10_000


def look(content: bytes) -> tuple[str, int]:
    """Return an attachment's kind and number of pages; ("", 0) for what none of them is, pages 0 for a damaged one."""
    if content.startswith(b"%PDF-"):
        return "PDF", _pdf(content)
    if content[:4] in {b"II*\0", b"MM\0*"}:
        return "TIFF", _tiff(content)
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG", 1 if b"\xff\xd9" in content[-64:] and _frame(content) else 0
    return "", 0


def _pdf(content: bytes) -> int:
    import logging  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    from pypdf import PdfReader  # noqa: PLC0415 - only a run that found a scan needs it
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return max(0, min(len(PdfReader(io.BytesIO(content), strict=False).pages), PAGES))
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError):
        return 0


def _tiff(content: bytes) -> int:
    """Count a TIFF's directories (TIFF 6.0, section 2): a chain of offsets, which may lead anywhere."""
    order = "<" if content.startswith(b"II") else ">"
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(f"{order}I", content, 4)
        while at and at not in seen and len(seen) < PAGES:
            seen.add(at)
            (entries,) = struct.unpack_from(f"{order}H", content, at)
            if not entries:
                return 0  # each has one at least
            (at,) = struct.unpack_from(f"{order}I", content, at + 2 + entries * 12)
    except struct.error:
        return 0
    return len(seen)


def _frame(content: bytes) -> bool:
    """Tell whether a JPEG has a frame of some size (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        if content[at + 1] == 0xFF:  # fill (B.1.1.2)
            at += 1
            continue
        kind, size = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return bool(height and width)
        at += 2 + size
    return False
