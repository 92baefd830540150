"""A zip in one form only: every byte of it follows from the names and contents of its members, and from nothing else.

Programs read a zip from its end, from its beginning or by what a part of it says of another, so one file can be two
documents. A file that is as ``join`` writes it is one to everybody: no date, comment or extra field, nothing before,
between or after its members. The structures are those of PKWARE's APPNOTE.TXT, 4.3.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

BEGINS = b"PK\x03\x04"
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_LOCAL, _ENTRY, _END = "<4s5H3L2H", "<4s6H3L5H2L", "<4s4H2LH"
_VERSION = 20  # 2.0, that deflating needs
_DAY = 0x21  # 1980-01-01, the first that a zip can say


@dataclass(frozen=True)
class Member:
    """One file in a zip, with its bytes as they stand there."""

    name: bytes
    method: int  # STORED or DEFLATED
    crc: int  # CRC-32 of its content
    size: int  # bytes of its content
    data: bytes

    @property
    def fits(self) -> bool:
        """Whether what is said of a stored member's content is so."""
        return self.size == len(self.data) and self.crc == zlib.crc32(self.data)


def stored(name: bytes, content: bytes) -> Member:
    """Return a member whose content stands in the zip as it is."""
    return Member(name, STORED, zlib.crc32(content), len(content), content)


def members(raw: bytes, quoting: bytes) -> list[Member]:
    """Return the members of a zip of our own, in any form; those whose content quotes a text stored, others deflated.

    Raises:
        zipfile.BadZipFile: it is none.
        ValueError: a name isn't ASCII.
    """
    found = []
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for name in archive.namelist():
            content, named = archive.read(name), name.encode("ascii")
            if quoting in content:
                found.append(stored(named, content))
                continue
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            packed = packer.compress(content) + packer.flush()
            found.append(Member(named, DEFLATED, zlib.crc32(content), len(content), packed))
    return found


def join(parts: list[Member]) -> bytes:
    """Return the zip of these members."""
    whole, entries = io.BytesIO(), io.BytesIO()
    for part in parts:
        about = (_VERSION, 0, part.method, 0, _DAY, part.crc, len(part.data), part.size, len(part.name), 0)
        entries.write(struct.pack(_ENTRY, b"PK\x01\x02", _VERSION, *about, 0, 0, 0, 0, whole.tell()) + part.name)
        whole.write(struct.pack(_LOCAL, BEGINS, *about) + part.name + part.data)
    start, size = whole.tell(), entries.tell()
    end = struct.pack(_END, b"PK\x05\x06", 0, 0, len(parts), len(parts), size, start, 0)
    return whole.getvalue() + entries.getvalue() + end


def split(raw: bytes) -> list[Member]:
    """Return the members of a zip that ``join`` wrote; nothing is unpacked.

    Raises:
        ValueError: it isn't in that form, to the byte.
    """
    found, at, head = [], 0, struct.calcsize(_LOCAL)
    try:
        while raw.startswith(BEGINS, at):
            _, _, _, method, _, _, crc, packed, size, named, _ = struct.unpack_from(_LOCAL, raw, at)
            name, at = raw[at + head : at + head + named], at + head + named
            found.append(Member(name, method, crc, size, raw[at : at + packed]))
            at += packed
        same = join(found) == raw
    except struct.error:  # it ends too early, or has more members than a zip of this form can
        same = False
    if not same:
        raise ValueError("it is no zip of this form")
    return found
