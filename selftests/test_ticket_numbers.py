"""The ticket update's numbers: each is one of run.json, or a count of what stands there."""

from __future__ import annotations

import copy
import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.report import prose, ticket
from scanproof.report.account import SAID
from selftests.sample_tickets import RUNS, sample, states, table, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selftests.sample_tickets import Record

WORDS = {word: amount for amount, word in enumerate(prose._NUMBERS) if amount}
NUMBER = re.compile(r"(?<![\w.])\d[\d.,:/-]*\d|(?<![\w.])\d|\b(?:" + "|".join(WORDS) + r")\b")
COUNT = re.compile(r"\b(\d[\d,]*|" + "|".join(WORDS) + r")\b(?: of)? ?([a-z]+)?", re.IGNORECASE)
NAMES = re.compile(r"Microsoft 365|\bfindings? \d+((,| to| and) \d+)*|\bFinding \d+|\b[A-Z]+-\d+\b")
MORE = re.compile(r"\b\S+ more\b")  # what a list was cut by
DAY = re.compile(r"\b\d{1,2} [A-Z][a-z]+ 20\d\d(, \d\d:\d\d (UTC|[+-]\d\d:\d\d))?")
# What the update works with, and does not only repeat.
WORKED_WITH = [
    "id",
    "requirement",
    "started",
    "finished",
    "cutover",
    "last_change",
    "until",
    "opened",
    "explains",
    "cases",
    "evidence",
    "cause",
    "blocked_by",
    "link",
    "grade",
    "broken_at",
    "open_at",
    "verdict",
    "level",
    "kind",
]


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> Record:
    return RUNS[request.param]()


def strings(value: Any) -> Iterator[str]:
    """Yield every text and number in a run."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def numbers(words: str) -> set[str]:
    """Return the numbers in a text, in digits: a whole address or version is one."""
    found = [str(WORDS.get(it.lower(), it)) for it in NUMBER.findall(words)]
    return {it if "." in it else it.replace(",", "") for it in found}


def moments(run: Record) -> Iterator[str]:
    """Yield the numbers of a run's moments in UTC: the update names the month."""
    for text in strings(run):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        yield from (str(moment.day), str(moment.year), f"{moment:%H:%M}")  # as it is stated
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
        yield from (str(moment.day), str(moment.year), f"{moment:%H:%M}")


def countable(run: Record) -> dict[str, set[int]]:
    """Return what may be counted in a run, by the word behind it; from run.json alone."""
    cases, coverage = run.get("cases", []), run.get("coverage", {})
    subnets = run.get("layout", {}).get("subnets", [])
    copiers = Counter(states(run).values())
    within = [Counter(states(run)[copier["key"]] for copier in subnet["copiers"]).values() for subnet in subnets]
    baseline = run.get("baseline") or {}
    whole = {len(cases), coverage.get("deselected", 0), len(coverage.get("missing", []))}
    changed = [tuple(it.get(key) for key in ("before", "now")) for part in baseline.values() for it in entries(part)]
    whole |= {*Counter(changed).values()}
    unproven = Counter(case["level"] for case in cases if case["verdict"] == "unproven")
    whole |= {*unproven.values()}
    through = Counter(str(case.get("waiver")).startswith("through") for case in cases if case["verdict"] == "waived")
    whole |= {*through.values()}
    checks = {
        amount
        for keys in (
            ("verdict",),
            ("cause",),
            ("cause", "verdict"),
            ("requirement",),
            ("requirement", "verdict"),
            ("requirement", "verdict", "observed"),
            ("verdict", "observed"),
        )
        for amount in Counter(tuple(case.get(key) for key in keys) for case in cases).values()
    }
    # Cases that await the same, and differ in nothing else that the update tells.
    checks |= set(Counter((case["verdict"], tuple(case.get("blocked_by") or ())) for case in cases).values())
    held = Counter(case.get("cause") for case in cases if case["verdict"] in {"passed", "waived"})
    checks |= {amount - held[name] for name, amount in Counter(case.get("cause") for case in cases).items()}
    of_copiers = {copiers.total(), *copiers.values(), *(sum(some) for some in within)}
    of_copiers |= {amount for some in within for amount in some}
    of_copiers |= {len(cause["subjects"]) for cause in run.get("causes", [])}
    of_copiers |= {sum(case["requirement"] == "LOG-3" for case in cases)}
    changes = {len(part) for part in baseline.values() if isinstance(part, list)}
    senders = {case["subject"]["name"] for case in cases if case["subject"]["kind"] in {"sender", "password_sender"}}
    applications = {case["subject"]["name"] for case in cases if case["requirement"].startswith("APP-")}
    return {
        "checks": checks | whole,
        "copiers": of_copiers,
        "subnets": {len(subnets)},
        "senders": {len(senders)},
        "applications": {len(applications)},
        "devices": {len(run.get("layout", {}).get("outside", []))},
        "failed": checks,
        "other": checks | whole | of_copiers | changes | {len(subnets)},
    }


def entries(part: Any) -> list[Record]:
    """Return the changes of one class of a comparison."""
    return [it for it in part if isinstance(it, dict)] if isinstance(part, list) else []


def numberless(run: Record) -> Record:
    """Return a run without a digit or a number's word in what the update only repeats."""
    digits = str.maketrans("0123456789", "abcdefghij")

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item, key) for item in value]
        if isinstance(value, str) and key not in WORKED_WITH:
            return re.sub(rf"\b({'|'.join(WORDS)})\b", "some", value.translate(digits))
        return value

    changed: Record = plain(copy.deepcopy(run))
    return changed


def test_every_number_is_from_the_run(run: Record) -> None:
    known = {number for text in strings(run) for number in numbers(text)} | set(moments(run))
    known |= {str(amount) for some in countable(run).values() for amount in some}
    for text in texts(ticket.content(run)):
        assert numbers(NAMES.sub("", MORE.sub("", text))) <= known, text


def test_every_count_is_of_what_is_counted(run: Record) -> None:
    """Where the run's own texts hold no number, each that is left is a count, and it is the right one."""
    bare = numberless(run)
    allowed = countable(bare)
    ports = {str(service["port"]) for service in bare.get("layout", {}).get("services", [])}
    seen = 0
    for text in texts(ticket.content(bare)):
        left = DAY.sub("", NAMES.sub("", text)).replace("After December 2026", "")  # as Microsoft announced it
        left = re.sub(r"port (\d+)", lambda found: "" if found[1] in ports else found[0], left)
        for found in COUNT.finditer(left):
            noun = (found[2] or "").lower()
            amount = WORDS.get(found[1].lower()) or int(found[1].replace(",", ""))
            if amount == 0 or noun == "more":  # in a table; what a list was cut by
                continue
            seen += 1
            plural = noun if noun in allowed else f"{noun}s"
            assert amount in allowed.get(plural, allowed["other"]), f"{found[0]!r} in {text!r}"
    assert seen or not run.get("cases")


def test_a_wrong_count_would_be_seen() -> None:
    """The test above tells a run from one with a copier, a check or a subnet less."""
    run = numberless(sample())
    opening = next(text for text in texts(ticket.content(run)) if "copiers in" in text)
    for key in ("copiers", "subnets", "checks"):
        assert max(countable(run)[key]) + 1 not in countable(run)[key]
    assert {int(found) for found in re.findall(r"\d+", opening)} <= countable(run)["copiers"]


def test_opening_counts_what_the_run_holds() -> None:
    run = sample()
    opening = " ".join(texts(ticket.content(run))[:12])
    count, copiers = Counter(case["verdict"] for case in run["cases"]), Counter(states(run).values())
    level = Counter(case["level"] for case in run["cases"] if case["verdict"] == "unproven")
    assert (
        f"Of what is not proven, {prose.count(level['blocker'], 'check')} keep the site from a sign-off, "
        f"and {prose.count(level['advice'], 'check')} are needed by none." in opening
    )
    assert (
        f"Of {len(run['cases'])} checks, {count['failed']} failed, {count['error']} could not be judged, "
        f"{count['blocked']} could not be tried, {count['waived']} are waived and {count['unproven']} are not proven. "
        in opening
    )
    assert (
        f"Of 26 copiers in four subnets, {copiers['broken']} are broken and {copiers['not proven']} are not" in opening
    )


def test_tables_count_what_the_run_holds(run: Record) -> None:
    document = ticket.content(run)
    count = Counter(case["verdict"] for case in run.get("cases", []))
    rows = {row["Result"]: row["Checks"] for row in table(document, "What was verified")}
    assert rows == {SAID[verdict]: f"{amount:,}" for verdict, amount in count.items()}
    subnets = {subnet["label"]: subnet for subnet in run.get("layout", {}).get("subnets", [])}
    for row in table(document, "By subnet"):
        here = Counter(states(run)[copier["key"]] for copier in subnets.pop(row["Subnet"])["copiers"])
        assert row["Copiers"] == str(here.total())
        shown = [row["Works"], row["Not proven"], row["Broken"]]
        assert shown == [str(here[state]) for state in ("works", "not proven", "broken")]
    assert not subnets


def test_findings_count_what_their_causes_explain() -> None:
    run = sample()
    said = texts(ticket.content(run))
    verdicts = {case["id"]: case["verdict"] for case in run["cases"]}
    for number, cause in enumerate(run["causes"], 1):
        at = said.index(f"Finding {number}: {cause['title']}")
        some = Counter(verdicts[case] for case in cause["explains"])
        told = said[at + 1].partition("It explains ")[2]
        assert told.startswith(f"{prose.number(some.total())} ")
        assert len(some) == 1 or all(str(amount) in told for amount in some.values())
