"""The seal: every changed byte of a run's folder is found and named, and a report that quotes the seal is under it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import shutil
import struct
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scanproof import chained, plainzip, seal
from scanproof.report.html import render
from selftests import suite
from selftests.sample_run import sample_run
from selftests.test_run_cli import scanproof
from selftests.test_run_healthy import healthy, no_traceback

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20261123
LINES = 600  # of made-up evidence: two whole blocks and a part
OTHER = "0" * 64


def record(number: int) -> bytes:
    return json.dumps({"id": number, "kind": "ping", "subject": {"name": f"copier-{number}"}}).encode() + b"\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a small sealed run."""
    folder = tmp_path / "run"
    (folder / "inputs").mkdir(parents=True)
    (folder / "inputs/site.toml").write_text("[site]\n", encoding="utf-8")
    (folder / "evidence.jsonl").write_bytes(b"".join(map(record, range(1, LINES + 1))))
    (folder / "empty.txt").touch()
    seal.close(folder, documents())
    assert seal.verify(folder).changes == []
    return folder


def packed(text: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", text)
        archive.writestr("empty.xml", "")
    return made.getvalue()


def documents() -> dict[str, str | bytes]:
    return {"report.html": f"<p>{seal.BLANK}</p>\r\n", "ticket.docx": packed(f"<w>{seal.BLANK}</w>")}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / seal.NAME).read_text(encoding="ascii"))
    return found


def changes(folder: Path, expect: str = "") -> str:
    return "\n".join(seal.verify(folder, expect).changes)


# --- a real run


def test_a_run_is_sealed_and_says_so() -> None:
    done = healthy()
    found = seal.verify(done.folder)
    assert found.changes == []
    done.shows(f"seal: {found.seal} ")
    assert (done.folder / "report.html").read_text(encoding="utf-8").count(found.seal) == 3
    assert seal.BLANK not in (done.folder / "report.html").read_text(encoding="utf-8")
    files = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    listed = manifest(done.folder)
    sealed = {*listed["sealed"]["files"], *listed["sealed"]["documents"]}
    assert sealed == files - {seal.NAME}
    assert {"junit.xml", "cases.html", "run.json", "evidence.jsonl", "inputs/site.toml"} <= sealed
    assert found.lines == len((done.folder / "evidence.jsonl").read_bytes().splitlines())


def test_any_changed_byte_of_a_run_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(healthy().folder, folder)
    drawn = random.Random(SEED)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        whole = path.read_bytes()
        places = {0, len(whole) - 1, *(drawn.randrange(len(whole)) for _ in range(48))}
        for place in places:
            changed = bytearray(whole)
            changed[place] ^= drawn.randrange(1, 256)
            path.write_bytes(changed)
            said = changes(folder)
            assert f"changed: {path.relative_to(folder).as_posix()}" in said, (path.name, place, changed[place], said)
        path.write_bytes(whole)
    assert changes(folder) == ""


def test_a_changed_line_of_a_run_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(healthy().folder, folder)
    path = folder / "evidence.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    number, line = next((at, it) for at, it in enumerate(lines) if b'"kind": "https_page"' in it and b'"outcome"' in it)
    name = json.loads(line)["subject"]["name"]
    lines[number] = line.replace(b'"observed"', b'"unproven"')
    path.write_bytes(b"".join(lines))
    assert changes(folder) == f"changed: evidence.jsonl: line {number + 1} was changed (https_page of {name})"


def test_gathered_runs_are_sealed_and_judged_with_a_note(tmp_path: Path) -> None:
    gathered = suite.pytest(tmp_path / "gathered", "-q", "--gather-only", "-m", "dns")
    assert gathered.status == 0, gathered.output
    found = seal.verify(gathered.folder)
    assert found.changes == []
    gathered.shows(f"seal: {found.seal}")

    def judged(name: str) -> suite.Result:
        again = suite.pytest(tmp_path / name, "-q", f"--evidence={gathered.folder}", "-m", "dns")
        no_traceback(again)
        assert seal.verify(again.folder).changes == []
        return again

    judged("whole").shows(f"gathered is as it was sealed: {found.seal}.")
    path = gathered.folder / "evidence.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    changed = judged("changed")
    changed.shows("gathered was changed since it was sealed: changed: evidence.jsonl: line 1 was removed; ")
    assert "gathered was changed since it was sealed" in (changed.folder / "report.html").read_text(encoding="utf-8")
    (gathered.folder / seal.NAME).unlink()
    judged("unsealed").shows("gathered has no seal: nothing shows whether it is as it was gathered.")


def test_a_run_whose_manifest_can_not_be_written_has_its_report(tmp_path: Path) -> None:
    (tmp_path / "run" / seal.NAME).mkdir(parents=True)
    done = suite.pytest(tmp_path / "run", "-q", "-m", "inventory")
    assert done.status == 1
    no_traceback(done)
    assert done.output.count("not all of the report could be written") == 1
    assert "Inventory" in (done.folder / "report.html").read_text(encoding="utf-8")
    done.shows("NOT READY", "report: ")
    assert "\nseal: " not in done.output


def test_gathered_evidence_that_can_not_be_sealed_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run" / seal.NAME).mkdir(parents=True)
    done = suite.pytest(tmp_path / "run", "-q", "--gather-only", "-m", "dns")
    assert done.status == 1
    no_traceback(done)
    done.shows(f"NOT SEALED: {done.folder}: ", "judge it with: pytest --evidence=")


def test_the_seal_is_what_the_documents_say_it_is() -> None:
    """Worked out anew, by hand, from the files and the manifest."""
    folder = healthy().folder
    listed = manifest(folder)
    sealed = listed["sealed"]
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":")) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == listed["seal"]
    for name, was in {**sealed["files"], **listed["documents"]}.items():
        whole = (folder / name).read_bytes()
        assert was == {"sha256": hashlib.sha256(whole).hexdigest(), "size": len(whole)}
    report = (folder / "report.html").read_bytes().replace(listed["seal"].encode(), seal.BLANK.encode())
    assert sealed["documents"]["report.html"] == hashlib.sha256(report).hexdigest()
    link, links, marks = b"", [], b""
    for line in (folder / "evidence.jsonl").read_bytes().splitlines(keepends=True):
        link = hashlib.sha256(link + line).digest()
        links.append(link.hex())
        marks += hashlib.sha256(line).digest()[:3]
    kept = [block.split(" ") for block in sealed["evidence"]["blocks"]]
    assert [link for link, _ in kept] == [*links[255:-1:256], links[-1]]
    assert b"".join(base64.b64decode(some) for _, some in kept) == marks


def test_the_report_shows_the_seal_where_there_is_one() -> None:
    assert "this run was not sealed" in render(*sample_run(4))
    shown = render(*sample_run(4), seal.BLANK)
    assert shown.count(seal.BLANK) == 3  # in its head, on the page to sign, and in its foot
    assert "scanproof verify RUN --expect SEAL" in shown


# --- the command


def test_the_command(run: Path, tmp_path: Path) -> None:
    was = seal.verify(run).seal
    whole = scanproof(tmp_path, "verify", "run")
    assert whole.status == 0
    whole.shows(f"as sealed: 5 files, {LINES} lines of evidence", f"seal: {was}", "--expect SEAL")
    for expected in (was, was.upper(), f" {was} "):
        fits = scanproof(tmp_path, "verify", "run", "--expect", expected)
        assert (fits.status, fits.output.splitlines()[-1]) == (0, f"seal: {was}, as expected")
    other = scanproof(tmp_path, "verify", "run", "--expect", OTHER)
    assert other.status == 1
    other.shows(f"the seal is {was}, not {OTHER}: another run", f"NOT AS SEALED: the seal was {was}")
    for wrong in ("", "abc", was[:-1], f"{was}0", was[:-1] + "g"):
        refused = scanproof(tmp_path, "verify", "run", f"--expect={wrong}")
        assert refused.status == 4
        (line,) = refused.output.splitlines()
        assert line == f"scanproof: --expect: {wrong!r} is no seal: 64 hexadecimal digits"
    (run / "inputs/site.toml").write_text("[site]\nname = 1\n", encoding="utf-8")
    changed = scanproof(tmp_path, "verify", str(run))
    assert changed.status == 1
    changed.shows("changed: inputs/site.toml (7 bytes were sealed, 16 stand there)")
    for name, words in (
        ("nosuch", "is no folder"),
        ("run/inputs", "holds no manifest.json"),
        ("run/empty.txt", "is no"),
    ):
        nothing = scanproof(tmp_path, "verify", name)
        assert nothing.status == 4
        (line,) = nothing.output.splitlines()
        assert words in line


# --- lines of evidence


def removed(first: int, count: int = 1) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: lines[: first - 1] + lines[first - 1 + count :]


def added(first: int, *more: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[: first - 1], *more, *lines[first - 1 :]]


def changed(*numbers: int, by: bytes = b"") -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [
        (by or line.replace(b"ping", b"pong")) if at in numbers else line for at, line in enumerate(lines, 1)
    ]


NEW = record(7_000)


LINE_CHANGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "the first": (changed(1), "line 1 was changed (pong of copier-1)"),
    "at a block's end": (changed(256), "line 256 was changed (pong of copier-256)"),
    "several": (changed(257, 300, 600), "line 257 was changed (pong of copier-257), and 2 more"),
    "the last": (changed(600), "line 600 was changed (pong of copier-600)"),
    "no JSON": (changed(12, by=b"no JSON\n"), "line 12 was changed"),
    "hostile": (
        changed(12, by=b'{"kind": "\\u001b[31m\\n", "subject": {"name": "x\\ny"}}\n'),
        "changed (\ufffd[31m of x y)",
    ),
    "no subject": (changed(12, by=b'{"kind": "ping", "subject": []}\n'), "line 12 was changed"),
    "deep": (changed(12, by=b"[" * 100_000 + b"\n"), "line 12 was changed"),
    "emptied": (changed(12, by=b"\n"), "line 12 was changed"),
    "first removed": (removed(1), "line 1 was removed; ping of copier-2 follows"),
    "one removed": (removed(12), "line 12 was removed; ping of copier-13 follows"),
    "many removed": (removed(12, 500), "lines 12 to 511 were removed; ping of copier-512 follows"),
    "last removed": (removed(600), "line 600 was removed, at its end"),
    "all removed": (removed(1, 600), "lines 1 to 600 were removed, at its end"),
    "added at the start": (added(1, NEW), "line 1 was added (ping of copier-7000)"),
    "two added": (added(256, NEW, NEW), "lines 256 to 257 were added (ping of copier-7000)"),
    "added at the end": (added(601, NEW), "line 601 was added (ping of copier-7000)"),
    "empty one added": (added(601, b"\n"), "line 601 was added"),
    "two swapped": (
        lambda lines: [*lines[:11], *lines[11:13][::-1], *lines[13:]],
        "lines 12 to 13 stand in another order (ping of copier-13)",
    ),
    "reversed": (lambda lines: lines[::-1], "lines 1 to 600 stand in another order (ping of copier-600)"),
    "moved": (
        lambda lines: [*lines[:11], *lines[12:40], lines[11], *lines[40:]],
        "lines 12 to 40 stand in another order (ping of copier-13)",
    ),
    "removed, then changed": (
        lambda lines: removed(12)(changed(99)(lines)),
        "line 12 was removed; ping of copier-13 follows, and more up to line 98",
    ),
    "added, then changed": (
        lambda lines: added(12, NEW)(changed(99)(lines)),
        "line 12 was added (ping of copier-7000), and more up to line 100",
    ),
    "changed, then removed": (
        lambda lines: removed(99)(changed(12)(lines)),
        "line 12 was changed (pong of copier-12), and more up to line 98",
    ),
    "no last line feed": (
        lambda lines: [*lines[:-1], lines[-1][:-1]],
        "line 600 was changed (ping of copier-600)",
    ),
    "torn": (lambda lines: [*lines[:-1], lines[-1][:20]], "line 600 was changed"),
    "other line ends": (
        lambda lines: [b"".join(lines).replace(b"\n", b"\r\n")],
        "line 1 was changed (ping of copier-1), and 599 more",
    ),
    "one line": (lambda lines: [b"".join(lines).replace(b"\n", b" ")], "line 1 was changed, and more up to line 1"),
}


@pytest.mark.parametrize("name", LINE_CHANGES)
def test_the_first_changed_line(run: Path, name: str) -> None:
    change, said = LINE_CHANGES[name]
    path = run / "evidence.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    (line,) = seal.verify(run).changes
    assert line.startswith("changed: evidence.jsonl: ")
    assert said in line
    assert line.isprintable()


def test_lines_of_the_same_mark_are_told_by_their_links(tmp_path: Path) -> None:
    """A mark is short: somebody can make a line that has the same one."""
    before, other = ([*range(299), number, *range(300, LINES)] for number in (299, 7))
    sealed, now = (chained.read(io.BytesIO(b"".join(map(record, it)))).blocks for it in (before, other))
    forged = tuple(f"{two.split()[0]} {one.split()[1]}" for one, two in zip(sealed, now, strict=True))
    assert chained.change(sealed, forged, tmp_path / "none") == "a line from 257 to 512 was changed"
    assert chained.change(sealed, sealed, tmp_path / "none") == ""


def test_long_lines_are_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(record(1) + b"x" * 1000 + b"\n" + record(2) + b"y" * 64)
    with path.open("rb") as file:
        whole = chained.read(file)
    monkeypatch.setattr(chained, "CHUNK", 16)
    with path.open("rb") as file:
        assert chained.read(file) == whole
    assert (whole.lines, whole.size) == (4, path.stat().st_size)
    monkeypatch.setattr(chained, "CHUNK", 1000)
    assert chained._name(path, 2) == "ping of copier-2"


# --- files


def test_added_removed_renamed_and_emptied_files(run: Path) -> None:
    (run / "inputs/site.toml").rename(run / "inputs/other.toml")
    (run / "empty.txt").write_bytes(b"x")
    (run / "deep/er").mkdir(parents=True)
    (run / "deep/er/new").touch()
    (run / "ticket.docx").write_bytes(b"")
    for name in (".DS_Store", "~$ticket.docx"):
        (run / name).touch()
    assert sorted(seal.verify(run).changes) == [
        "added: .DS_Store (by a file manager: take it away)",
        "added: deep/er/new",
        "added: inputs/other.toml",
        "added: ~$ticket.docx (by a program that has the document open: close it)",
        "changed: empty.txt (0 bytes were sealed, 1 stand there)",
        f"changed: ticket.docx ({manifest(run)['documents']['ticket.docx']['size']} bytes were sealed, 0 stand there)",
        "changed: ticket.docx doesn't quote this seal",
        "removed: inputs/site.toml",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other links and names")
def test_links_and_odd_files_are_named_and_not_followed(run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run / "inputs", elsewhere)
    shutil.rmtree(run / "inputs")
    (run / "inputs").symlink_to(elsewhere)
    (run / "empty.txt").unlink()
    (run / "empty.txt").symlink_to("/dev/zero")
    (run / "loop").symlink_to(".")
    os.mkfifo(run / "fi\nfo\x1b[2J")
    Path(os.fsdecode(os.fsencode(run) + b"/na\xffme")).touch()
    said = seal.verify(run).changes
    assert sorted(said) == [
        "added: fi fo\ufffd[2J is no plain file: not followed, and under no seal",
        "added: inputs is a link: not followed, and under no seal",
        "added: loop is a link: not followed, and under no seal",
        "added: na\\udcffme",
        "changed: empty.txt is a link: not followed, and under no seal",
        "removed: inputs/site.toml",
    ]
    # A folder that held such things when it was sealed is never as sealed, and its plain files are under the seal.
    (run / seal.NAME).unlink()
    seal.close(run, {})
    assert "na\\udcffme" in manifest(run)["sealed"]["files"]
    assert [line.split(" is ")[0] for line in seal.verify(run).changes] == [
        f"added: {name}" for name in ("empty.txt", "fi fo\ufffd[2J", "inputs", "loop")
    ]


def test_what_can_not_be_read_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: root may read everything."""
    whole, scan = Path.open, os.scandir

    def refused(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == "empty.txt":
            raise PermissionError(13, "Permission denied")
        return whole(path, *arguments, **more)

    def unlisted(path: Path) -> Any:
        if path.name == "inputs":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(os, "scandir", unlisted)
    assert seal.verify(run).changes == [
        "can't be read: empty.txt: Permission denied",
        "can't be read: inputs: Permission denied",
    ]


def test_a_folder_that_can_not_be_sealed_has_its_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_file: object) -> None:
        raise OSError(5, "Input/output error")

    (tmp_path / "evidence.jsonl").write_bytes(record(1))
    monkeypatch.setattr(chained, "read", broken)
    with pytest.raises(OSError, match="Input/output error"):
        seal.close(tmp_path, {"report.html": f"seal {seal.BLANK}", "escalation/one.md": seal.BLANK})
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "seal none: this run could not be sealed"
    assert (tmp_path / "escalation/one.md").exists()
    assert not (tmp_path / seal.NAME).exists()


def test_a_folder_is_sealed_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full before the report is on it, no manifest lists it, and the rest quotes no seal."""
    whole = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "report.html" in path.name:
            raise OSError(28, "No space left on device")
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        seal.close(tmp_path, {"one.md": f"seal {seal.BLANK}", "report.html": seal.BLANK, **documents()})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.md", "ticket.docx"]
    assert (tmp_path / "one.md").read_text(encoding="utf-8") == f"seal {seal.UNSEALED}"
    assert unzipped((tmp_path / "ticket.docx").read_bytes())[0][1].decode() == f"<w>{seal.UNSEALED}</w>"


# --- documents


def test_documents_are_under_the_seal_that_they_quote(run: Path) -> None:
    """Whoever changes a document and lists it anew gets another seal."""
    was = seal.verify(run).seal
    report = run / "report.html"
    assert report.read_bytes() == f"<p>{was}</p>\r\n".encode()
    with zipfile.ZipFile(run / "ticket.docx") as archive:
        assert archive.read("word/document.xml").decode() == f"<w>{was}</w>"
    report.write_text(f"<p>{was}</p> and more", encoding="utf-8")
    relist(run, "report.html")
    assert changes(run, was) == "changed: report.html"


def relist(folder: Path, name: str) -> None:
    """Write into the manifest what a document is now, where no seal is over it."""
    listed = manifest(folder)
    with (folder / name).open("rb") as file:
        listed["documents"][name] = seal._hashed(file).model_dump()
    (folder / seal.NAME).write_text(json.dumps(listed, sort_keys=True, indent=1) + "\n", encoding="ascii")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("report.html", "<p></p>", "changed: report.html\nchanged: report.html doesn't quote this seal"),
        ("report.html", f"<p>{seal.BLANK}</p>\r\n", "report.html doesn't quote this seal"),
        ("report.html", "<p>{seal}{seal}</p>\r\n", "changed: report.html"),
        ("report.html", "<p>{seal}</p>\n", "changed: report.html"),
        ("ticket.docx", seal._in_form(packed("<w></w>")), "ticket.docx doesn't quote this seal"),
        ("ticket.docx", packed("<w></w>"), "changed: ticket.docx"),
        ("ticket.docx", packed("<w></w>")[:-30], "changed: ticket.docx"),
        ("ticket.docx", b"PK\x03\x04" + b"\xff" * 99, "changed: ticket.docx"),
    ],
    ids=[
        "no seal",
        "blank",
        "two seals",
        "other line end",
        "docx without",
        "docx of another form",
        "docx torn",
        "no docx",
    ],
)
def test_a_listed_document_is_held_against_the_seal(run: Path, name: str, content: str | bytes, said: str) -> None:
    was = seal.verify(run).seal
    raw = content.replace("{seal}", was).encode() if isinstance(content, str) else content
    (run / name).write_bytes(raw)
    relist(run, name)
    assert said in changes(run, was)


def test_a_blank_in_place_of_one_of_two_seals_is_found(tmp_path: Path) -> None:
    was = seal.close(tmp_path, {"report.html": f"{seal.BLANK} {seal.BLANK}"})
    (tmp_path / "report.html").write_text(f"{was} {seal.BLANK}", encoding="utf-8")
    relist(tmp_path, "report.html")
    assert changes(tmp_path) == "changed: report.html"


def test_a_blank_in_place_of_other_text_is_found(tmp_path: Path) -> None:
    """A text that were hashed in ``BLANK``'s stead could be exchanged for it, under the same seal."""
    was = seal.close(tmp_path, {"report.html": f"{seal.BLANK} ready? no?"})
    for text in (f"ready? no{seal.BLANK}", f"ready? no?{seal.BLANK}"):
        (tmp_path / "report.html").write_text(f"{was} {text}", encoding="utf-8")
        relist(tmp_path, "report.html")
        assert changes(tmp_path, was) == "changed: report.html"


def unzipped(raw: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def zipped_anew(raw: bytes, *, method: int = zipfile.ZIP_DEFLATED, about: Any = None, comment: bytes = b"") -> bytes:
    """Return a zip with the same names and contents, written otherwise."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in unzipped(raw):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type, member.create_system = method, 0
            for key, value in (about or {}).items():
                setattr(member, key, value)
            archive.writestr(member, content)
        archive.comment = comment
    return made.getvalue()


def two_in_one(raw: bytes) -> bytes:
    """Return a file that Python reads as the sealed document, by a zip64 record, and others as another one."""
    evil = zipped_anew(packed("<w>READY for sign-off</w>"))
    *_, evil_count, evil_size, evil_start, _ = struct.unpack("<4s4H2LH", evil[-22:])
    *_, count, size, start, _ = struct.unpack("<4s4H2LH", raw[-22:])
    entries = bytearray(raw[start : start + size])
    at = 0
    while at < len(entries):
        named, extra, comment = struct.unpack_from("<3H", entries, at + 28)
        struct.pack_into("<L", entries, at + 42, struct.unpack_from("<L", entries, at + 42)[0] + len(evil) - 22)
        at += 46 + named + extra + comment
    whole = evil[:-22] + raw[:start]
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, len(whole))
    where = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(whole) + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, evil_count, evil_count, evil_size, evil_start, 0)
    return whole + bytes(entries) + large + where + end


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda raw: packed("<w>READY</w>") + raw,
        two_in_one,
        zipped_anew,
        lambda raw: zipped_anew(raw, method=zipfile.ZIP_STORED),
        lambda raw: zipped_anew(raw, about={"date_time": (1999, 1, 1, 0, 0, 0)}),
        lambda raw: zipped_anew(raw, about={"comment": b"x" * 1000}),
        lambda raw: zipped_anew(raw, about={"extra": b"\x99\x99\x04\x00abcd"}),
        lambda raw: zipped_anew(raw, comment=b"anything at all" * 1000),
        lambda raw: raw + b"\0",
        lambda raw: plainzip.join(plainzip.split(raw)[::-1]),
        lambda raw: plainzip.join([*plainzip.split(raw), plainzip.stored(b"more.xml", b"x")]),
        lambda raw: plainzip.join([replace(it, crc=it.crc ^ 1) for it in plainzip.split(raw)]),
        lambda raw: plainzip.join([replace(it, size=it.size + 1) for it in plainzip.split(raw)]),
        lambda raw: plainzip.join([replace(it, method=12) for it in plainzip.split(raw)]),
    ],
    ids=[
        *("prefix", "zip64", "deflated", "stored", "dates", "comments", "extra", "16 kB comment", "suffix", "order"),
        *("member", "checksum", "size", "method"),
    ],
)
def test_a_word_file_in_another_form_is_another_file(run: Path, rewritten: Callable[[bytes], bytes]) -> None:
    """Whatever shows the same members to Python, and is listed anew where no seal is over the list."""
    was, path = seal.verify(run).seal, run / "ticket.docx"
    raw = path.read_bytes()
    path.write_bytes(rewritten(raw))
    assert path.read_bytes() != raw
    relist(run, "ticket.docx")
    assert "changed: ticket.docx" in changes(run, was)


def test_each_byte_of_a_word_file_is_under_the_seal(run: Path) -> None:
    """Also where it is listed anew with each change."""
    was, path, drawn = seal.verify(run).seal, run / "ticket.docx", random.Random(SEED)
    raw = path.read_bytes()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= drawn.randrange(1, 256)
        path.write_bytes(changed)
        relist(run, "ticket.docx")
        assert "changed: ticket.docx" in changes(run, was), place


def test_a_word_file_is_a_zip_that_others_read(run: Path) -> None:
    was, raw = seal.verify(run).seal, (run / "ticket.docx").read_bytes()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
    assert unzipped(raw) == [("word/document.xml", f"<w>{was}</w>".encode()), ("empty.xml", b"")]
    assert was.encode() in raw


def test_a_zip_that_is_too_large_is_not_taken_apart(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changes(run) == ""
    monkeypatch.setattr(seal, "_LARGEST", 50)
    assert "changed: ticket.docx" in changes(run)


def test_the_seal_is_found_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(SEED)
    monkeypatch.setattr(chained, "CHUNK", 7)
    for _ in range(300):
        parts = [drawn.choice([OTHER, OTHER[:-1] + "1", "0", "1", "x"]) for _ in range(drawn.randrange(6))]
        whole = "".join(parts).encode()
        pieces = list(seal._pieces(io.BytesIO(whole), OTHER.encode()))
        assert b"".join(piece for piece, _ in pieces) == whole.replace(OTHER.encode(), seal.BLANK.encode())
        assert any(found for _, found in pieces) == (OTHER.encode() in whole)


# --- the manifest itself


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    listed = manifest(folder)
    change(listed)
    (folder / seal.NAME).write_text(json.dumps(listed, sort_keys=True, indent=1) + "\n", encoding="ascii")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(seal=OTHER), f"manifest.json: what it lists has the seal {{seal}}, and it says {OTHER}"),
        (lambda it: it.update(more=1), "not one that this version writes (more: "),
        (lambda it: it.update(schema=2), "not one that this version writes (schema: "),
        (lambda it: it.update(seal="../x\x1b"), "not one that this version writes (seal: "),
        (lambda it: it.pop("documents"), "not one that this version writes (documents: "),
        (lambda it: it["documents"].pop("report.html"), "its two lists of documents differ"),
        (lambda it: it["documents"]["report.html"].update(size=1), "changed: report.html (1 bytes were sealed"),
        (lambda it: it["sealed"]["files"]["empty.txt"].update(sha256=OTHER), "changed: empty.txt"),
        (lambda it: it["sealed"]["files"]["empty.txt"].update(size=-1), "sealed.files.empty.txt.size"),
        (lambda it: it["sealed"]["files"]["empty.txt"].update(size=0.0), "(sealed.files.empty.txt.size: "),
        (lambda it: it["sealed"]["files"].pop("empty.txt"), "added: empty.txt"),
        (lambda it: it["sealed"]["files"].update({"../../etc/passwd\n": {"sha256": OTHER, "size": 1}}), "etc/passwd "),
        (lambda it: it["sealed"]["evidence"].update(lines=1), "it counts 1 lines of evidence, and there are 600"),
        (lambda it: it["sealed"]["evidence"]["blocks"].pop(), "evidence.jsonl: lines 513 to 600 were added"),
        (lambda it: it["sealed"]["evidence"].update(blocks=["x"]), "sealed.evidence.blocks.0"),
        (lambda it: it["sealed"].update(evidence=None), "what it lists has the seal"),
    ],
)
def test_a_changed_manifest(run: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    was = seal.verify(run).seal
    rewritten(run, change)
    found = seal.verify(run, was)
    assert said.format(seal=was) in "\n".join(found.changes)
    assert all(line.isprintable() for line in found.changes)


FORMS: dict[str, Callable[[str], str]] = {
    "a blank after it": lambda text: text + " ",
    "a line after it": lambda text: text + "\n",
    "a blank before it": lambda text: " " + text,
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "a blank less": lambda text: text.replace(": ", ":", 1),
    "one line": lambda text: json.dumps(json.loads(text)),
    "a key twice": lambda text: text.replace('"schema": 1', '"schema": 1,\n "schema": 1'),
    "an escape": lambda text: text.replace("empty.txt", "\\u0065mpty.txt"),
}


@pytest.mark.parametrize("name", FORMS)
def test_another_form_of_the_same_manifest(run: Path, name: str) -> None:
    path = run / seal.NAME
    path.write_bytes(FORMS[name](path.read_text(encoding="ascii")).encode())
    assert changes(run) == "changed: manifest.json: it is not in the form that it was written in"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"9" * 100_000, b'{"seal": "\xed\xa0\x80"}', b'"\\udcff"'],
    ids=lambda content: repr(content[:20]),
)
def test_a_damaged_manifest(run: Path, content: bytes) -> None:
    (run / seal.NAME).write_bytes(content)
    (line,) = seal.verify(run).changes
    assert line.startswith("changed: manifest.json: it is ")
    assert line.endswith("; nothing can be compared with it")
    assert line.isprintable()


def test_a_manifest_that_is_no_file_or_far_too_long(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_MOST", 100)
    assert "it is damaged (it is far too long)" in changes(run)
    (run / seal.NAME).unlink()
    (run / seal.NAME).mkdir()
    assert "it is damaged (it is no plain file)" in changes(run)


def test_a_run_that_was_sealed_again_fits_itself_alone(run: Path) -> None:
    """Hence the seal on the ticket: the folder alone proves nothing."""
    was = seal.verify(run).seal
    (run / "evidence.jsonl").write_bytes(NEW)
    again = seal.close(run, documents())
    assert changes(run) == ""
    assert changes(run, again) == ""
    assert f"the seal is {again}, not {was}: another run, or one that was sealed again" in changes(run, was)


def test_sealing_the_same_again_gives_the_same_seal(run: Path) -> None:
    listed, was = manifest(run), seal.verify(run).seal
    assert seal.close(run, documents()) == was
    assert manifest(run)["sealed"] == listed["sealed"]
