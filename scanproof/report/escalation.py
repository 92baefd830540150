"""Escalation bundles: what the vendor of a device that stays broken needs to know, device by device.

A bundle holds nothing of other copiers, no person's mail address, and what nobody could read is said to be so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scanproof import store
from scanproof.report import markdown, text
from scanproof.report.account import SAID, Account
from scanproof.report.document import Document
from scanproof.report.prose import clock, listed, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scanproof.report.account import Case, Run

FOLDER, FILE = "escalation", "escalation.md"
# What of a device nobody can put right who only enters settings: its firmware, and the TLS that it can.
_VENDORS = frozenset({"DEV-8", "DEV-9"})
_VENDOR = re.compile(r"service partner|vendor|manufacturer|dealer", re.IGNORECASE)
_HOLDS_NOT = frozenset({"failed", "advice", "error"})
_MAIL = re.compile(r"[^\s<>“”\"'(),;:]+@[^\s<>“”\"'(),;:]+")
_TOKEN = re.compile(r"[\w.:-]*\w")
_TALKS = ("http_page", "https_page", "identity", "admin_login", "handshake", "scan")
_LINES, _JOBS = 80, 20
_SETTINGS = {
    "host": "SMTP server",
    "port": "Port",
    "ssl": "Secure connection",
    "auth": "SMTP authentication",
    "user": "User name",
    "auth_address": "Address that signs in",
    "admin_address": "Administrator's address",
    "pop_before_smtp": "POP before SMTP",
    "limited": "Size of mails is limited",
    "kilobytes": "Largest mail, in KB",
    "divides": "Larger mails are divided",
    "name_servers": "Name servers",
    "gateway": "Gateway",
    "clock": "Clock, in seconds ahead of the engineer's",
}
_TLS = {
    "version": "Version",
    "cipher": "Cipher",
    "problem": "Problem",
    "subject": "Certificate of",
    "issuer": "Issued by",
    "not_before": "Valid from",
    "not_after": "Valid until",
    "key": "Key",
    "sha256": "SHA-256",
}
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps to itself


def write(folder: Path, run: Run, evidence: Mapping[str, dict[str, Any]]) -> list[str]:
    """Write a bundle for each device that its vendor has to look at.

    Args:
        folder: the run's folder.
        run: the content of ``run.json``.
        evidence: the records of ``evidence.jsonl`` by their id.

    Returns:
        The bundles' folders, by name.

    Raises:
        OSError: the disk is full, or the folder can't be written.
    """
    names: list[str] = []
    for name, document in bundles(run, evidence):
        place = folder / FOLDER / name
        place.mkdir(parents=True, exist_ok=True)
        store.write_whole(place / FILE, markdown.render(document))
        names.append(name)
    return names


def bundles(run: Run, evidence: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, Document]]:
    """Yield the bundle of each device that its vendor has to look at, with the name of its folder."""
    account = Account(run, ())
    copiers = _copiers(account)
    others = _Others(copiers)
    for key, name, own, cause in _concerned(account):
        yield name, _Bundle(account, copiers[key], cause).written(own, evidence, others)


def folders(account: Account) -> dict[str, str]:
    """Return the name of each bundle's folder, by the device's key."""
    return {key: name for key, name, _, _ in _concerned(account)}


def _copiers(account: Account) -> dict[str, dict[str, Any]]:
    return {it["key"]: it for subnet in account.run["layout"]["subnets"] for it in subnet["copiers"]}


def _concerned(account: Account) -> Iterator[tuple[str, str, list[Case], dict[str, Any] | None]]:
    """Yield each device that gets a bundle: its key, its folder, its cases, and the cause that breaks its chain."""
    concerned = [it for it in account.fleet.standings if it.state in {"broken", "not proven"}]
    if not concerned:
        return
    cases: dict[str, list[Case]] = {}
    for case in account.cases:
        if case["subject"]["name"] in account.fleet.by_key:
            cases.setdefault(case["subject"]["name"], []).append(case)
    causes = {cause["id"]: cause for cause in account.run["causes"]}
    copiers = _copiers(account)
    taken: set[str] = set()
    for it in concerned:
        own = cases.get(it.key, [])
        cause = causes.get(it.cause) if it.state == "broken" else None
        if for_vendor(own, cause):
            yield it.key, _folder_name(copiers[it.key], taken), own, cause


def for_vendor(own: list[Case], cause: dict[str, Any] | None) -> bool:
    """Tell whether only the vendor can settle what is wrong: by the cause's owner, else by the requirement."""
    if cause and cause.get("layer") == "device" and _VENDOR.search(str(cause.get("owner") or "")):
        return True
    return any(case["requirement"] in _VENDORS and case["verdict"] in {"failed", "advice"} for case in own)


def _folder_name(copier: dict[str, Any], taken: set[str]) -> str:
    """Return the name of a device's folder, which every file system takes."""
    said = str(copier.get("serial") or copier.get("address") or copier["key"])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", said).strip("-.")[:60].rstrip("-.") or "device"
    name = f"device-{name}" if _RESERVED.fullmatch(name) else name
    number, whole = 1, name
    while whole.lower() in taken:
        number += 1
        whole = f"{name}-{number}"
    taken.add(whole.lower())
    return whole


class _Others:
    """Takes other copiers' names, serials and addresses out of a text."""

    def __init__(self, copiers: dict[str, dict[str, Any]]) -> None:
        self._by_token: dict[str, dict[str, Any]] = {}
        for copier in copiers.values():
            for part in ("key", "serial", "address"):
                if copier.get(part):
                    self._by_token[str(copier[part])] = copier

    def without(self, words: str, own: dict[str, Any]) -> str:
        """Return a text that names no copier but its own."""
        found = [self._by_token[token] for token in _TOKEN.findall(words) if token in self._by_token]
        for copier in found:
            if copier["key"] != own["key"]:
                for part in ("label", "location", "serial", "key", "address"):
                    if copier.get(part) and copier[part] != own.get(part):
                        words = words.replace(str(copier[part]), "(another copier)")
        return words


class _Bundle:
    """One device's bundle, as it is written."""

    def __init__(self, account: Account, copier: dict[str, Any], cause: dict[str, Any] | None) -> None:
        self.account, self.copier, self.cause = account, copier, cause
        self.sender = str(copier.get("sender") or "").lower()
        serial = f", serial {copier['serial']}" if copier.get("serial") else ""
        self.document = Document(f"Escalation: {copier.get('model') or 'a device of unknown model'}{serial}")

    def written(self, cases: list[Case], evidence: Mapping[str, dict[str, Any]], others: _Others) -> Document:
        """Write it.

        Args:
            cases: the device's.
            evidence: the records by id; those of another subject are not used.
            others: knows the other copiers, which must not be named.
        """
        self.cases, self.others = cases, others
        self.records: dict[str, dict[str, Any]] = {}
        named = [name for case in cases for name in case.get("evidence") or ()]
        named += [need for name in named for need in (evidence.get(name) or {}).get("needs") or ()]
        for name in dict.fromkeys(named):
            record = evidence.get(name)
            if record and (record.get("subject") or {}).get("name") == self.copier["key"]:
                self.records.setdefault(str(record.get("kind")), record)
        self.summary()
        self.device()
        self.trouble()
        self.settings()
        self.tls()
        self.log()
        self.transcript()
        return self.document

    def clean(self, words: str) -> str:
        """Return a text without other copiers' names and without people's addresses."""
        words = self.others.without(words, self.copier)
        return _MAIL.sub(lambda found: found[0] if self._is_own(found[0]) else "(an address)", words)

    def _is_own(self, address: str) -> bool:
        return address.lower().rstrip(".") == self.sender

    def facts(self, kind: str) -> dict[str, Any]:
        """Return what was seen of one kind; nothing where it was not observed."""
        return self.records.get(kind, {}).get("facts") or {}

    def rows(self, facts: dict[str, Any], names: dict[str, str]) -> list[tuple[str, str]]:
        """Return some facts as rows of a table; what the device does not show is left out."""
        return [
            (name, self.clean(text.shown(facts[key])))
            for key, name in names.items()
            if facts.get(key) not in (None, "", [])
        ]

    def summary(self) -> None:
        run, document = self.account.run, self.document
        if self.account.lab:
            document.say("This device is a simulated one.")
        if self.cause:
            what = f"{sentence(self.cause['title'])} {sentence(str(self.cause.get('remedy') or ''))}"
            document.say(self.clean(what), "What is wrong:")
        make = next((case["subject"].get("make") for case in self.cases if case["subject"].get("make")), "")
        numbers = [
            f"{it.get('number')} ({it.get('status')})" if it.get("status") else str(it.get("number"))
            for it in run["support_cases"]
            if make and str(it.get("vendor")).casefold() == str(make).casefold()
        ]
        site = run["site"]
        facts = (
            ("Support case", listed(numbers)),
            ("Customer", site.get("customer")),
            ("Ticket", site.get("ticket")),
            ("Seen", clock(run.get("started"))),
        )
        document.items((f"{name}:", str(value)) for name, value in facts if value)

    def device(self) -> None:
        read, subject = self.facts("identity"), self.cases[0]["subject"] if self.cases else {}
        self.document.heading(1, "The device")
        rows = [
            (name, str(self.copier.get(key) or subject.get(key) or "not in the list"), str(read.get(key) or "not read"))
            for name, key in (("Make", "make"), ("Model", "model"), ("Serial", "serial"))
        ]
        rows += [
            ("Firmware", "", str(read.get("firmware") or "not read")),
            ("Address", str(self.copier.get("address") or ""), ""),
            ("Location", str(self.copier.get("location") or "not in the list"), ""),
            ("Host name", str(subject.get("host_name") or "not in the list"), ""),
            ("Web server", "", str(read.get("server") or "not read")),
        ]
        table = [[self.clean(cell) for cell in row] for row in rows]
        self.document.table(("", "As the list says", "As it says itself"), table)

    def trouble(self) -> None:
        self.document.heading(1, "What does not hold")
        for case in self.cases:
            if case["verdict"] not in _HOLDS_NOT:
                continue
            said = [sentence(str(case.get(part) or "not recorded")) for part in ("expected", "observed")]
            lead = f"{case['requirement']}, {SAID.get(case['verdict'], case['verdict'])}."
            settled = f" What would settle it: {sentence(str(case['remedy']))}" if case.get("remedy") else ""
            self.document.say(self.clean(f"Expected: {said[0]} Observed: {said[1]}{settled}"), lead)
        for verdict, words in (("blocked", "Could not be tried for that"), ("unproven", "Not proven yet")):
            names = [case["requirement"] for case in self.cases if case["verdict"] == verdict]
            if names:
                self.document.say(f"{listed(names, 30)}.", f"{words}:")

    def settings(self) -> None:
        document, read = self.document, self.facts("identity")
        document.heading(1, "Its settings, as read")
        seen = {**self.facts("email_settings"), **self.facts("send_settings"), **read}
        rows = self.rows(seen, _SETTINGS)
        document.table(("Setting", "Value"), rows)
        if not rows:
            document.say("None could be read.")

    def tls(self) -> None:
        document, page = self.document, self.facts("https_page")
        document.heading(1, "TLS")
        tls = page.get("tls") or {}
        certificate = tls.get("certificate") or {}
        rows = self.rows({**certificate, **tls}, _TLS)
        if rows:
            document.say("As seen on its port 443, which is only a hint at what it can when it sends:")
            document.table(("", "Seen"), rows)
        else:
            trouble = page.get("trouble") or self.records.get("https_page", {}).get("reason")
            said = f"its port 443 showed none: {trouble}" if trouble else "its port 443 was not looked at"
            document.say(sentence(self.clean(said)))
        for case in self.account.by_requirement.get("SMTP-3", ()):
            if case.get("observed"):
                document.say(sentence(case["observed"]), "What the mail service takes:")

    def log(self) -> None:
        document, log = self.document, self.facts("device_log")
        document.heading(1, "Its own log")
        if not log:
            document.say("It could not be read.")
            return
        site = self.account.run["site"]
        since = clock(site.get("last_change") or site.get("cutover"))
        judged = self.facts("own_log")
        if not judged or judged.get("why_not"):
            why = self.clean(str(judged.get("why_not") or "it was not judged"))
            document.say(f"Which jobs are of after the last change is not known: {why}. All that failed are shown.")
            self.jobs(log, "It shows no job that failed.")
            return
        # These are since the last change: the device's clock and zone are reckoned with.
        failed = [self.clean(str(words)) for words in judged.get("failed") or ()]
        after = f" since {since}" if since else ""
        document.items(failed[-_JOBS:])
        if len(failed) > _JOBS:
            document.say(f"The last {_JOBS} of {len(failed)} scans by e-mail that failed{after}.")
        elif failed:
            document.say(f"Each is a scan by e-mail that failed{after}.")
        else:
            document.say(f"It shows no scan by e-mail that failed{after}.")
        if perhaps := int(judged.get("perhaps_failed") or 0):
            document.say(f"Of {perhaps} more jobs that failed nothing tells whether they were scans by e-mail.")

    def jobs(self, log: dict[str, Any], none: str) -> None:
        """Tell the jobs that failed, whenever that was."""
        document, failed = self.document, [job for job in log.get("jobs") or () if _failed(job)]
        document.table(
            ("Time, by its own clock", "Job", "Result", "Reason"),
            [
                (
                    str(job.get("started") or ""),
                    self.clean(str(job.get("kind") or "")),
                    " / ".join(dict.fromkeys(str(job.get(part)) for part in ("result", "status") if job.get(part))),
                    self.clean(" / ".join(_reasons(job))) or "none told",
                )
                for job in failed[-_JOBS:]
            ],
        )
        if len(failed) > _JOBS:
            document.say(f"The last {_JOBS} of {len(failed)} jobs that failed.")
        if not failed:
            document.say(none)

    def transcript(self) -> None:
        document = self.document
        document.heading(1, "Dialogue")
        lines: list[str] = []
        for kind in _TALKS:
            record = self.records.get(kind) or {}
            said = [self.clean(str(line.get("text") or "")) for line in record.get("transcript") or ()]
            ways = [_WAYS.get(str(line.get("way")), "note") for line in record.get("transcript") or ()]
            if record.get("outcome") not in {None, "observed"}:
                reason = self.clean(str(record.get("reason") or ""))
                lines.append(f"{text.words(kind)}: {record.get('outcome')}: {reason}")
            lines += [f"{way}: {words}" for way, words in zip(ways, said, strict=True)]
        document.verbatim(lines[:_LINES])
        if len(lines) > _LINES:
            document.say(f"And {len(lines) - _LINES} more lines, in evidence.jsonl.")
        if not lines:
            document.say("There was none.")


_WAYS = {"->": "sent", "<-": "got"}


def _failed(job: dict[str, Any]) -> bool:
    told = [job.get("result"), *(target.get("result") for target in job.get("targets") or ())]
    return any(str(result).casefold() not in {"succeeded", "completed", "none", ""} for result in told)


def _reasons(job: dict[str, Any]) -> list[str]:
    told = [job.get("details"), *(target.get("details") for target in job.get("targets") or ())]
    return list(dict.fromkeys(str(reason) for reason in told if reason))
