"""What a run hands over, written into its folder: run.json, the workbook, the bundles, the ticket update, the report.

A document that can't be made costs itself alone: the verdicts stand, and the report is wanted more than any other.
pytest's own files come before, since the seal that these documents quote is over them; on a full disk they make room.
"""

from __future__ import annotations

import errno
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from plugins.run import OF_PYTEST
from scanproof import seal, store
from scanproof.redact import scrub
from scanproof.report import docx, escalation, html, ticket
from scanproof.report.workbook import give_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugins.run import Run

T = TypeVar("T")
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def prepare() -> None:
    """Load what documents are made by: a run has time for it while it waits for the network."""
    docx.prepare()
    html.prepare()


class Documents:
    """Writes a run's documents, and keeps what went wrong until all are written."""

    def __init__(self, run: Run, content: dict[str, Any], evidence: dict[str, dict[str, Any]]) -> None:
        """Prepare to write.

        Args:
            run: the run; its folder is written into, and what is to be said of a document is added to its notes.
            content: what run.json is to hold.
            evidence: the records of its evidence, by id.
        """
        self._run, self._content, self._evidence = run, content, evidence
        self._trouble: OSError | None = None

    def write(self) -> None:
        """Write them all, and seal the folder: what quotes the seal comes last.

        Raises:
            OSError: not all could be written.
        """
        folder, content = self._run.folder, self._content
        site, fleet = self._run.site, self._run.site.file.fleet
        given = self._try(
            "fleet.xlsx", lambda: give_back(content, site.table, site.folder and site.folder / fleet.workbook)
        )
        if given and given.note:
            self._note(given.note)
        self._in_room(lambda: store.write_whole(folder / "run.json", _in_lines(content)))
        if given and given.data:
            self._try("fleet.xlsx", lambda: store.write_whole(folder / "fleet.xlsx", given.data))
        self._try(escalation.FOLDER, lambda: escalation.write(folder, content, self._evidence))
        self._run.seal = self._in_room(self._close)
        if self._trouble:
            raise self._trouble

    def _close(self) -> str:
        """Write the documents that quote the seal, and return it."""
        folder, content = self._run.folder, self._content
        files = {path.name for path in folder.iterdir()} | {"report.html", seal.NAME}
        update = self._try("the ticket update", lambda: ticket.documents(content, files, seal.BLANK)) or {}
        report = html.render(content, self._evidence, seal.BLANK)
        return seal.close(folder, {"report.html": report, **update})

    def _in_room(self, write: Callable[[], T]) -> T:
        """Write what matters most; on a full disk, in the room of what matters less, which is taken away then."""
        for path in [self._run.folder / name for name in OF_PYTEST]:
            if not path.is_file():
                continue
            try:
                return write()
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._trouble = error
            with suppress(OSError):
                path.unlink()
                self._note(f"{path.name} was taken away: the disk is full, and run.json and the report matter more.")
            # What was written without a seal a moment ago is written anew, and needs its room as well.
            for name in ("report.html", ticket.MARKDOWN, ticket.WORD):
                with suppress(OSError):
                    (self._run.folder / name).unlink(missing_ok=True)
        return write()

    def _try(self, name: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except OSError as error:
            self._trouble = error
        except Exception as error:  # noqa: BLE001 - whatever a list or a device may do to it, the report is written
            self._note(scrub(f"{name} was not written, which is a defect of Scanproof: {error!r}"))
        return None

    def _note(self, note: str) -> None:
        self._content["notes"] = [*self._content["notes"], note]
        self._run.notes.append(note)


def _in_lines(content: dict[str, Any]) -> str:
    """Return JSON with each case, copier and cause on a line of its own; ``indent`` would take ten times as long."""
    dump = json.JSONEncoder(ensure_ascii=False).encode
    parts = []
    for name, value in content.items():
        listed = isinstance(value, list) and value
        text = "[\n  " + ",\n  ".join(map(dump, value)) + "\n ]" if listed else dump(value)
        parts.append(f" {dump(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
