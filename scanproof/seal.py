"""A run's seal: ``manifest.json``, which knows every byte of the run folder, and ``scanproof verify``.

The seal is one SHA-256 over all that the folder holds. It stands on the report and the ticket update, which are under
it as well: a document is hashed with ``BLANK`` in the seal's place, and the seal is written there when it is known. So
whoever has the seal from elsewhere (the ticket, a mail) can show that nothing in the folder was changed, documents
included. Without that it shows only that the folder fits its own manifest: it is no signature, and who can write the
folder can make a new manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from scanproof import chained, plainzip, store
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NAME = "manifest.json"
BLANK = "the-seal-of-this-run-is-written-in-this-place-when-all-is-done-x"  # as long as a seal, and like nothing else
UNSEALED = "none: this run could not be sealed"
_MOST = 64 << 20  # bytes of a manifest: a hundred times that of 100,000 lines of evidence
_LARGEST = 256 << 20  # bytes of a document in a zip: a thousand times what one of ours has


class SealError(Exception):
    """There is nothing to verify. One whole line for the user."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class _File(_Part):
    sha256: _Hash
    size: Annotated[int, Field(ge=0)]


class _Evidence(_Part):
    lines: Annotated[int, Field(ge=0)]
    blocks: list[Annotated[str, StringConstraints(pattern="^[0-9a-f]{64} ([A-Za-z0-9+/]{4})+$")]]


class _Sealed(_Part):
    """What the seal is over.

    Attributes:
        files: every file but the documents and the manifest, by its path in the folder.
        documents: of each document that quotes the seal, the hash with ``BLANK`` in the seal's place.
        evidence: the chain over the lines of evidence.jsonl.
    """

    files: dict[str, _File]
    documents: dict[str, _Hash]
    evidence: _Evidence | None

    @property
    def seal(self) -> str:
        """The hash over this; what ``jq -acS .sealed manifest.json | sha256sum`` prints."""
        text = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{text}\n".encode("ascii")).hexdigest()


class _Manifest(_Part):
    version: Annotated[Literal[1], Field(alias="schema")]
    seal: _Hash
    sealed: _Sealed
    documents: dict[str, _File]  # as they were written, with the seal in them

    def text(self) -> str:
        """Return the manifest as it stands in the file; another form of the same is a change too."""
        return json.dumps(self.model_dump(by_alias=True), sort_keys=True, indent=1) + "\n"


def close(folder: Path, documents: Mapping[str, str | bytes]) -> str:
    """Write a run's documents and its manifest: last of all that is written into its folder.

    It is sealed whole or not at all: where one of them can't be written, there is no manifest, and those that can be
    say that they are under no seal.

    Args:
        folder: the run's folder, with everything else in it.
        documents: those that quote the seal, by their paths in the folder, with ``BLANK`` where it is to stand; text,
            or the bytes of a zip whose members quote it (.docx).

    Returns:
        The seal.

    Raises:
        OSError: something could not be read, or not all could be written. Every document is tried nevertheless,
            without the seal.
    """
    raw = {name: _in_form(it) for name, it in documents.items()}
    try:
        sealed = _Sealed(
            **_of_files(folder, {NAME, *documents}),
            documents={name: _blanked(io.BytesIO(it), BLANK)[0] for name, it in raw.items()},
        )
        seal = sealed.seal
        filled = {name: _filled(it, seal) for name, it in raw.items()}
        written = {name: _File(sha256=hashlib.sha256(it).hexdigest(), size=len(it)) for name, it in filled.items()}
        manifest = _Manifest.model_validate({"schema": 1, "seal": seal, "sealed": sealed, "documents": written})
        store.write_all(folder, {**filled, NAME: manifest.text().encode("ascii")})
    except OSError:
        for name, it in raw.items():
            with suppress(OSError):
                store.write_whole(folder / name, _filled(it, UNSEALED))
        raise
    return seal


def _of_files(folder: Path, apart: set[str]) -> dict[str, Any]:
    files: dict[str, _File] = {}
    evidence = None
    for name, path, odd in _walk(folder):
        if isinstance(odd, OSError):
            raise odd
        if odd or name in apart:  # what is no plain file is under no seal, and verify says so
            continue
        with path.open("rb") as file:
            if name == store.FILE:
                chain = chained.read(file)
                evidence = _Evidence(lines=chain.lines, blocks=list(chain.blocks))
                files[name] = _File(sha256=chain.sha256, size=chain.size)
            else:
                files[name] = _hashed(file)
    return {"files": files, "evidence": evidence}


@dataclass
class Checked:
    """What verifying a run found.

    Attributes:
        seal: the hash over what the manifest says was sealed; empty where it can't be read.
        changes: a line for each thing that is not as it was sealed.
        files: how many files were sealed, the documents among them.
        lines: how many lines of evidence were.
    """

    seal: str = ""
    changes: list[str] = field(default_factory=list)
    files: int = 0
    lines: int = 0


def verify(folder: Path, expect: str = "") -> Checked:
    """Compare a run's folder with its manifest, and the manifest with itself and with the seal that is expected.

    Args:
        folder: the run's folder.
        expect: the seal as it stands elsewhere, in 64 lower-case hexadecimal digits; empty where none is known.

    Raises:
        SealError: there is no such folder, or it holds no manifest.
    """
    manifest, found = _read(folder)
    if manifest is None:
        return found
    seal, sealed, say = found.seal, manifest.sealed, found.changes.append
    if expect and expect != seal:
        say(f"the seal is {seal}, not {expect}: another run, or one that was sealed again after a change")
    left = dict.fromkeys([*sealed.files, *sealed.documents])
    added: list[str] = []
    unseen: list[str] = []
    for name, path, odd in sorted(_walk(folder), key=lambda it: it[0]):
        if name == NAME:
            continue
        known = name in left
        left.pop(name, None)
        try:
            if isinstance(odd, OSError):
                unseen.append("" if name == "." else f"{name}/")
                raise odd
            if odd:
                say(f"{'changed' if known else 'added'}: {shown(name)} is {odd}: not followed, and under no seal")
            elif not known:
                added.append(f"added: {shown(name)}{_made_by_others(name)}")
            elif name in sealed.files:
                found.changes += _file_changes(name, path, sealed)
            else:
                found.changes += _document_changes(name, path, manifest, seal)
        except OSError as error:
            say(f"can't be read: {shown(name)}: {error.strerror or error}")
    found.changes += [f"removed: {shown(name)}" for name in left if not name.startswith(tuple(unseen))]
    found.changes += added
    return found


def _read(folder: Path) -> tuple[_Manifest | None, Checked]:
    """Read a manifest; None where it is damaged, which is a change like others."""
    path, found = folder / NAME, Checked()
    try:
        about = path.lstat()
    except (OSError, ValueError) as error:
        where = shown(str(folder))
        if isinstance(error, PermissionError):
            raise SealError(f"{where}: can't be read: {error.strerror}") from None
        if not os.path.isdir(folder):  # noqa: PTH112 - says no where Path.is_dir would raise
            raise SealError(f"{where}: is no folder; name a run's, such as reports/demo-20261123T080000Z") from None
        raise SealError(
            f"{where}: holds no {NAME}: it is no run's folder, or the run was ended before it was sealed, or somebody "
            "took the manifest away"
        ) from None
    try:
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is no plain file")  # noqa: TRY301 - said as other damage is
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
        if len(raw) > _MOST:
            raise ValueError("it is far too long")  # noqa: TRY301
        manifest = _Manifest.model_validate(json.loads(raw))
    except (OSError, ValueError, RecursionError) as error:
        found.changes.append(f"changed: {NAME}: {_damage(error)}; nothing can be compared with it")
        return None, found
    found.seal = manifest.sealed.seal
    found.files = len(manifest.sealed.files) + len(manifest.sealed.documents)
    found.lines = manifest.sealed.evidence.lines if manifest.sealed.evidence else 0
    if manifest.seal != found.seal:
        found.changes.append(
            f"changed: {NAME}: what it lists has the seal {found.seal}, and it says {manifest.seal}; so what is said "
            "of a file below may be a change of this list instead"
        )
    elif manifest.text().encode("ascii") != raw:
        found.changes.append(f"changed: {NAME}: it is not in the form that it was written in")
    if manifest.documents.keys() != manifest.sealed.documents.keys():
        found.changes.append(f"changed: {NAME}: its two lists of documents differ")
    return manifest, found


def _damage(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"it is not one that this version writes ({shown(where)}: {shown(first['msg'])})"
    if isinstance(error, OSError):
        return f"it can't be read: {error.strerror or error}"
    return f"it is damaged ({shown(str(error))})"


def _file_changes(name: str, path: Path, sealed: _Sealed) -> Iterator[str]:
    was = sealed.files[name]
    with path.open("rb") as file:
        if name != store.FILE or sealed.evidence is None:
            if (now := _hashed(file)) != was:
                yield f"changed: {shown(name)}{_sizes(was, now)}"
            return
        chain = chained.read(file)
    now = _File(sha256=chain.sha256, size=chain.size)
    try:
        where = chained.change(sealed.evidence.blocks, chain.blocks, path)
    except ValueError:  # the manifest's own damage, which is said
        where = ""
    if now != was or where:
        yield f"changed: {name}{f': {where}' if where else ''}{_sizes(was, now)}"
    elif chain.lines != sealed.evidence.lines:
        yield f"changed: {NAME}: it counts {sealed.evidence.lines} lines of evidence, and there are {chain.lines}"


def _document_changes(name: str, path: Path, manifest: _Manifest, seal: str) -> Iterator[str]:
    was = manifest.documents.get(name)
    with path.open("rb") as file:
        now = _hashed(file)
        file.seek(0)
        blanked, quotes = _blanked(file, seal)
    if now != was or blanked != manifest.sealed.documents[name]:
        yield f"changed: {shown(name)}{_sizes(was, now) if was else ''}"
    if not quotes:
        yield f"changed: {shown(name)} doesn't quote this seal"


def _sizes(was: _File, now: _File) -> str:
    return f" ({was.size:,} bytes were sealed, {now.size:,} stand there)" if was.size != now.size else ""


def _hashed(file: IO[bytes]) -> _File:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(chained.CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return _File(sha256=digest.hexdigest(), size=size)


def _blanked(file: IO[bytes], seal: str) -> tuple[str, bool]:
    """Return a document's hash with ``BLANK`` in the seal's place, and whether the seal stood there.

    The hash is empty where no such document was ever sealed: ``BLANK`` stands in it, or it is a zip, and not in the one
    form that ``plainzip`` writes, where it isn't asked what it quotes.
    """
    whole, quotes = hashlib.sha256(), False
    packed = file.read(len(plainzip.BEGINS)) == plainzip.BEGINS
    file.seek(0)
    try:
        for piece, found in (_zip_pieces if packed else _pieces)(file, seal.encode("ascii")):
            whole.update(piece)
            quotes = quotes or found
    except ValueError:
        return "", quotes or packed
    return whole.hexdigest(), quotes


def _zip_pieces(file: IO[bytes], seal: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield a zip as ``_pieces`` does a text: with ``BLANK`` in its members, and the checksums of that."""
    raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError("far larger than a document of ours")
    parts, quotes = plainzip.split(raw), False
    for at, part in enumerate(parts):
        if part.method == plainzip.STORED:
            if not part.fits:
                raise ValueError("its checksum isn't its content's")
            pieces = list(_pieces(io.BytesIO(part.data), seal))
            parts[at] = plainzip.stored(part.name, b"".join(piece for piece, _ in pieces))
            quotes = quotes or any(found for _, found in pieces)
    yield plainzip.join(parts), quotes


def _pieces(file: IO[bytes], seal: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield a file's bytes with ``BLANK`` in the place of each seal, and with each piece whether a seal was in it.

    Raises:
        ValueError: ``BLANK`` stands in it, where the seal is another text. No written document holds it, and whatever
            were hashed in its stead could be exchanged for it.
    """
    blank, rest, unfilled = BLANK.encode("ascii"), b"", False
    while chunk := file.read(chained.CHUNK):
        text = rest + chunk
        if seal != blank and blank in text:
            text, unfilled = text.replace(blank, b""), True
        *before, rest = text.split(seal)
        yield b"".join(part + blank for part in before), bool(before)
        keep = len(seal) - 1  # may be the beginning of one
        yield rest[:-keep], False
        rest = rest[-keep:]
    yield rest, False
    if unfilled:
        raise ValueError("the seal's place was not filled in")


def _filled(raw: bytes, seal: str) -> bytes:
    """Return a document with the seal in the place of ``BLANK``."""
    blank, words = BLANK.encode("ascii"), seal.encode("ascii")
    if not raw.startswith(plainzip.BEGINS):
        return raw.replace(blank, words)
    return plainzip.join(
        [
            plainzip.stored(it.name, it.data.replace(blank, words)) if it.method == plainzip.STORED else it
            for it in plainzip.split(raw)
        ]
    )


def _in_form(document: str | bytes) -> bytes:
    """Return a document's bytes, a zip's in the one form that is sealed."""
    raw = document if isinstance(document, bytes) else document.encode("utf-8")
    return plainzip.join(plainzip.members(raw, BLANK.encode("ascii"))) if raw.startswith(plainzip.BEGINS) else raw


def _walk(folder: Path) -> Iterator[tuple[str, Path, str | OSError]]:
    """Yield what a folder holds at any depth: its path there, and what it is where it is no plain file."""
    waiting = [("", folder)]
    while waiting:
        prefix, place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            yield prefix.rstrip("/") or ".", place, error
            continue
        for entry in entries:
            path = place / entry.name
            name = prefix + entry.name.encode("utf-8", "backslashreplace").decode("utf-8")  # a name needn't be UTF-8
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError as error:
                yield name, path, error
                continue
            if stat.S_ISLNK(about.st_mode) or getattr(about, "st_reparse_tag", 0) == _JUNCTION:
                yield name, path, "a link"
            elif stat.S_ISDIR(about.st_mode):
                waiting.append((f"{name}/", path))
            else:
                yield name, path, "" if stat.S_ISREG(about.st_mode) else "no plain file"


_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, which Python names on Windows only


def _made_by_others(name: str) -> str:
    """Return a hint at files that other programs leave wherever a person looks."""
    last = name.rpartition("/")[2]
    if last in {".DS_Store", "Thumbs.db", "desktop.ini"}:
        return " (by a file manager: take it away)"
    return " (by a program that has the document open: close it)" if last.startswith(("~$", ".~lock.")) else ""


def shown(text: str) -> str:
    """Return a name from a folder or a manifest as harmless text on one line."""
    return re.sub(r"\s", " ", plain(text, 300))


def note(folder: Path) -> str:
    """Say in one line for a later run whether a run's folder is as it was sealed."""
    name = shown(folder.name)
    try:
        found = verify(folder)
    except SealError:
        return f"{name} has no seal: nothing shows whether it is as it was gathered."
    if not found.changes:
        return f"{name} is as it was sealed: {found.seal}."
    more = f"; and {len(found.changes) - 3} more" if len(found.changes) > 3 else ""
    return f"{name} was changed since it was sealed: {'; '.join(found.changes[:3])}{more}."
