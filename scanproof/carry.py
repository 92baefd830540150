"""What a run can carry over from an earlier one: the evidence that still proves something, with its own age.

``pytest --lf`` gathers anew what did not hold and what that has to do with, and judges the rest by what was recorded.
Evidence is carried over only where gathering it now would be asking the same thing again: of the same subject at the
same address, under the same site file, by the same version, after the site's last change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scanproof import __version__, inputs, store
from scanproof.site import Copier, SiteError
from scanproof.subjects import Machine
from scanproof.tenant.mails import OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from scanproof.kinds import Evidence, Probe, Subject
    from scanproof.rowcheck import Row
    from scanproof.site import Site

Key = tuple[str, str]  # kind, subject
Plan = dict[Key, tuple["Probe[Any, Any]", "Subject"]]

_NO_LOGIN = frozenset({"ping", "http_page", "https_page", "identity"})
"""What is asked of a copier without signing in. All else of it goes together: it comes out of one session, whose access
log (LOG-3) tells of that session and of no other."""
_OF_THE_TENANT = frozenset(
    {
        "account",
        "smtp_auth",
        "authentication_policy",
        "inward",
        "outward",
        "security_defaults",
        "mfa_state",
        "password_expiry",
        "held_mailbox",
        "sign_in_log",
        "mail_hosts",
        "conditional_access",
    }
)
"""What a saved answer of the tenant serves for (``tenant/reading.py``)."""
_BY_THE_LIST = frozenset({"scan"})  # kinds for which every copier's row counts: whose mail it is, is told by comparison
_APART: dict[str, Any] = {
    "waiver": True,
    "report": True,
    "support_case": True,
    "site": {"customer", "ticket", "engineer"},
}
"""What a site file says to people or to the judgement alone: no probe reads it."""


def fingerprint(site: Site, since: datetime | None) -> dict[str, Any]:
    """Return what a run was told beside its site file and its list, by which evidence may differ."""
    folder = site.folder
    return {
        "version": __version__,
        "since": since.isoformat() if since else "",
        "devices": _digest(folder / "devices.toml") if folder else "",
        "files": {name: _digest(folder / name) for name in _named(site)} if folder else {},
    }


def _named(site: Site) -> set[str]:
    """Return the files and folders that a site file names, by the names that it gives them; the list apart."""
    file = site.file
    names = {file.fleet.known, file.tenant.saved, *(it.connections for it in file.application)}
    return names.union(*({it.settings, it.log} for it in file.copier)) - {""}


def _digest(path: Path) -> str:
    """Return a hash of a file, or of the files of a folder with their names; empty where there is none."""
    try:
        if not path.is_dir():
            return _hashed(path) if path.is_file() else ""
        files = sorted(it for it in path.iterdir() if it.is_file())
        told = [(it.name, _hashed(it)) for it in files]
    except (OSError, ValueError):
        return "unreadable"  # the cases that need it say so
    return hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).hexdigest()


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Stock:
    """An earlier run's evidence, as far as a run of now may use it."""

    folder: Path
    site: Site
    earlier: Site
    records: Mapping[Key, list[store.Recorded]]
    machine: str  # that the earlier run stood on
    changed: frozenset[str] = frozenset()  # files that the site file names, which say otherwise now

    @cached_property
    def counts_from(self) -> datetime:
        """The moment from which evidence counts: what is older than the last change proves nothing."""
        stated = self.site.file.site
        return stated.last_change or stated.cutover or self.site.now - OLDEST

    @cached_property
    def _same_rows(self) -> frozenset[str]:
        """The keys of the rows that say the same in both lists, wherever they stand."""
        before = {row.key: _told(row) for row in self.earlier.table.rows}
        return frozenset(row.key for row in self.site.table.rows if before.get(row.key) == _told(row))

    @cached_property
    def _same_list(self) -> bool:
        return len(self._same_rows) == len(self.site.table.rows) == len(self.earlier.table.rows)

    @cached_property
    def _by_id(self) -> dict[str, store.Recorded]:
        return {str(it.record.get("id")): it for records in self.records.values() for it in records}

    def piece(self, probe: Probe[Any, Any], subject: Subject) -> Evidence[Any] | None:
        """Return the evidence of a subject that may be carried over; None where it has to be gathered anew."""
        found = self.records.get((probe.kind, subject.key))
        if not found:
            return None
        evidence = store.recall(probe, found[0], subject)
        if evidence.outcome != "observed" or not self._counts(evidence.started):
            return None
        if isinstance(subject, Machine) and self.machine != self.site.machine:
            return None
        needs = self.needs(found[0])
        if needs is None or not all(self._counts(store.moment(it.started)) for it in needs):
            return None
        parts = [(probe.kind, subject.key), *((it.kind, it.subject) for it in needs)]
        if any(self._read_changed(*part) for part in parts):
            return None
        if not self._same_list and not all(key in self._same_rows and kind not in _BY_THE_LIST for kind, key in parts):
            return None
        return evidence

    @cached_property
    def _changed_copiers(self) -> frozenset[str]:
        """The keys of the copiers of which a saved page or log is another one now."""
        stated = {it.key: it.stated for it in self.site.copiers if it.stated}
        return frozenset(key for key, it in stated.items() if {it.settings, it.log} & self.changed)

    def _read_changed(self, kind: str, key: str) -> bool:
        """Tell whether a kind of evidence of a subject reads, or may read, a file that says otherwise now."""
        if not self.changed:
            return False
        if kind == "unlisted":
            return self.site.file.fleet.known in self.changed
        if kind == "connections":
            return any(it.key == key and it.connections in self.changed for it in self.site.applications)
        if kind in _OF_THE_TENANT:
            return self.site.file.tenant.saved in self.changed
        return key in self._changed_copiers and kind not in _NO_LOGIN

    def _counts(self, at: datetime) -> bool:
        return self.counts_from <= at <= self.site.now

    def needs(self, recorded: store.Recorded) -> list[store.Recorded] | None:
        """Return all that a record rests on; None where the earlier run's folder does not hold it all."""
        found: dict[str, store.Recorded] = {}
        to_see = [recorded]
        while to_see:
            for name in store.needs_of(to_see.pop()):
                if name in found:
                    continue
                if name not in self._by_id:
                    return None
                found[name] = self._by_id[name]
                to_see.append(found[name])
        return list(found.values())

    def carried(
        self, plan: Plan, cases: Iterable[frozenset[Key]], again: Iterable[frozenset[Key]]
    ) -> dict[Key, Evidence[Any]]:
        """Return the evidence that a run may carry over.

        Args:
            plan: all evidence that the run's cases name.
            cases: of each case, what it names.
            again: the same of those that are to be judged anew.

        Returns:
            What neither such a case names, nor rests on anything that one names, nor stands beside it in one case or
            in one session with a copier.
        """
        pieces = {key: piece for key, (probe, subject) in plan.items() if (piece := self.piece(probe, subject))}
        rests = {key: {(it.kind, it.subject) for it in self.needs(self.records[key][0]) or ()} for key in pieces}
        groups = [keys for keys in cases if len(keys) > 1]
        groups += _sessions(plan)
        anew = {key for key in plan if key not in pieces}.union(*again)
        size = -1
        while size != len(anew):
            size = len(anew)
            anew.update(*(keys for keys in groups if keys & anew))
            anew.update(key for key, below in rests.items() if below & anew)
        return {key: piece for key, piece in pieces.items() if key not in anew}

    def beneath(self, carried: Iterable[Key]) -> Iterator[Mapping[str, Any]]:
        """Yield the records that carried evidence rests on, so that a later run can know them; each once."""
        seen: set[int] = set()
        for key in carried:
            for it in self.needs(self.records[key][0]) or ():
                if id(it) not in seen:
                    seen.add(id(it))
                    yield it.record


def _sessions(plan: Plan) -> list[frozenset[Key]]:
    """Return, for each copier, what comes out of one session with it."""
    found: dict[str, set[Key]] = {}
    for key, (_, subject) in plan.items():
        if isinstance(subject, Copier) and key[0] not in _NO_LOGIN:
            found.setdefault(subject.key, set()).add(key)
    return [frozenset(keys) for keys in found.values()]


def _told(row: Row) -> Row:
    """Return a row without where it stands in the sheet."""
    return replace(row, number=0, cells={}, hidden=False, problems=())


def open_run(folder: Path, site: Site, told: Mapping[str, Any]) -> Stock:
    """Open an earlier run's evidence.

    Args:
        folder: the earlier run's.
        site: the site, as the run of now sees it.
        told: the run's own ``fingerprint``.

    Raises:
        store.StoreError: nothing of it can be carried over; says why, without the folder's name at its beginning.
    """
    if inputs.of_site(folder) != (site.name, site.file.site.lab):
        raise store.StoreError("it was gathered at another site")
    read, stated = inputs.of_tenant(folder), site.file.tenant.id
    if (read or "").lower() != (stated or "").lower():
        raise store.StoreError("it read another tenant")
    try:
        earlier = inputs.recall(folder, now=site.now)
    except SiteError as error:
        raise store.StoreError(f"this version finds its site file wrong: {error}") from None
    if earlier.file.model_dump(exclude=_APART) != site.file.model_dump(exclude=_APART):
        raise store.StoreError("site.toml says otherwise now")
    then = inputs.told(folder)
    if not then or not isinstance(then.get("files"), dict):
        raise store.StoreError("its folder doesn't say under which options and files it was gathered")
    for name, what in (
        ("version", "it was gathered by another version of Scanproof"),
        ("since", "scans and log lines counted from another moment (--since)"),
        ("devices", "devices.toml says otherwise now"),
    ):
        if then.get(name) != told[name]:
            raise store.StoreError(what)
    if site.discover != inputs.swept(folder):
        raise store.StoreError(f"its subnets were {'swept' if inputs.swept(folder) else 'not swept'} (--discover)")
    files = then["files"]
    changed = frozenset(
        name for name in files.keys() | told["files"].keys() if files.get(name) != told["files"].get(name)
    )
    return Stock(folder, site, earlier, store.merge([store.read(folder)]), inputs.machine(folder), changed)
