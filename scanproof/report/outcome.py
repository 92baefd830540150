"""The middle of a ticket update: what was found and why, by subnet, and of the tenant."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scanproof.report import escalation
from scanproof.report.account import HOLDS, SAID
from scanproof.report.fleet import LINKS
from scanproof.report.prose import capital, count, listed, number, numbered, sentence
from scanproof.report.verdicts import GRADES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.report.account import Account, Case
    from scanproof.report.document import Document
    from scanproof.report.findings import Finding
    from scanproof.report.fleet import Standing, State

MOST = 8  # names in one list
FINDINGS = 15  # of one kind
ROWS = 40  # of one table
_STATES: tuple[State, ...] = ("works", "at risk", "not proven", "broken", "waived")
_SELDOM = frozenset({"at risk", "waived"})  # told where there are any
DETAILS = 12  # subnets that are told copier by copier


def found(document: Document, account: Account) -> None:
    """Tell the findings: those that stand in the way under a heading each, the others as lists."""
    document.heading(1, "What was found, and why")
    failed = account.findings.of("failed")
    _waived(document, account)
    if not account.findings.told:
        document.say("Every check that was made is proven or waived." if account.cases else "Nothing was looked at.")
        return
    if not failed:
        document.say("No other check failed." if any(account.waived) else "No check failed.")
    for finding in failed[:FINDINGS]:
        document.heading(2, f"Finding {finding.number}: {finding.title.rstrip('.')}{_stops(finding)}")
        seen = f"Seen: {sentence(finding.seen)}" if finding.seen else ""
        document.say(_together(_concerns(account, finding), _hits(account, finding), _explains(finding), seen))
        if finding.remedy:
            document.say(sentence(finding.remedy), f"To do ({finding.owner}):")
        else:
            document.say(sentence(finding.owner), "Who acts:")
        document.say(_to_vendor(account, finding))
    _and_more(document, failed)
    unproven = account.findings.of("unproven")
    for heading, some in (
        ("Not proven, which keeps the site from a sign-off", [it for it in unproven if it.blocks]),
        ("Not proven, and needed by no sign-off", [it for it in unproven if not it.blocks]),
        ("Advice, which stands in the way of nothing", account.findings.of("advice")),
        ("Waived as a whole", account.findings.of("waived")),
    ):
        if some:
            document.heading(2, heading)
            document.items(_in_short(account, finding) for finding in some[:FINDINGS])
            _and_more(document, some)


def _waived(document: Document, account: Account) -> None:
    """Say that not everything holds, where an approved exception covers it."""
    own, through = account.waived
    said = []
    if own:
        said.append(f"{capital(count(own, 'check'))} {'does' if own == 1 else 'do'} not hold, and {_is(own)} waived.")
    if through:
        said.append(f"{capital(count(through, 'check'))} could not be tried for that, and {_is(through)} waived too.")
    if said:
        document.say(" ".join([*said, "See Waivers."]))


def _is(amount: int) -> str:
    return "is" if amount == 1 else "are"


def _and_more(document: Document, some: list[Finding]) -> None:
    if len(some) > FINDINGS:
        document.say(f"And {number(len(some) - FINDINGS)} more (see report.html).")


def _in_short(account: Account, finding: Finding) -> tuple[str, str]:
    told = _together(_concerns(account, finding), _hits(account, finding), sentence(finding.seen))
    todo = f"To do ({finding.owner}): {sentence(finding.remedy)}" if finding.remedy else ""
    title = f"{finding.title.rstrip('.')}{_stops(finding)}"
    return f"Finding {finding.number}: {sentence(title)}", _together(told, todo, _to_vendor(account, finding))


def _to_vendor(account: Account, finding: Finding) -> str:
    """Say which pages go to the vendor of what a finding concerns; nothing where none does."""
    if not escalation.for_vendor(finding.cases, {"layer": finding.layer, "owner": finding.owner}):
        return ""
    folders = [f"{escalation.FOLDER}/{account.bundles[key]}/" for key in finding.subjects if key in account.bundles]
    return f"Send to the vendor: {listed(folders, MOST)}." if folders else ""


def _together(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _concerns(account: Account, finding: Finding) -> str:
    """Say whom a finding concerns, unless it is a single case whose own sentence says that already."""
    own = {case["subject"]["name"]: str(case["subject"].get("label") or "") for case in finding.cases}
    names = list(dict.fromkeys(account.fleet.name(key, own.get(key, "")) for key in finding.subjects))
    said = not finding.cause and len(names) == 1 and any(it in finding.title for it in (names[0], *own.values()) if it)
    if not names or said:
        return ""
    copiers = sum(key in account.fleet.by_key for key in finding.subjects)
    many = f"{count(copiers, 'copier')}: " if copiers == len(names) > 1 else ""
    return f"It concerns {many}{listed(names, MOST, account.where)}."


def _likely(finding: Finding) -> str:
    return " (likely)" if finding.likely else ""


def _stops(finding: Finding) -> str:
    return f" ({finding.effect})" if finding.effect else ""


def _hits(account: Account, finding: Finding) -> str:
    """Say which copiers a finding stops or threatens, and how, unless they are what it concerns anyway."""
    said = []
    if finding.stops and set(finding.stops) != set(finding.subjects):
        said.append(f"It stops {listed([account.fleet.name(key) for key in finding.stops], MOST, account.where)}.")
    if finding.likely:
        said.append("This is inferred from what the copier itself logged: nobody can look from its address.")
    if finding.threatens:
        names = listed([account.fleet.name(key) for key in finding.threatens], MOST, account.where)
        how = {account.fleet.by_key[key].risk for key in finding.threatens if key in account.fleet.by_key}
        said.append(f"At risk: {names}. {sentence('; '.join(sorted(how)))}")
    return " ".join(said)


def _explains(finding: Finding) -> str:
    """Say how many checks a finding explains, by how they went."""
    verb = "It explains" if finding.cause else "It is seen in"
    counts = [(verdict, amount) for verdict, amount in finding.counts if verdict not in HOLDS]
    total = sum(amount for _, amount in counts)
    if len(counts) == 1:
        verdict = counts[0][0]
        if verdict == "failed":
            return f"{verb} {count(total, 'failed check')}."
        return f"{verb} {count(total, 'check')} that {_verb(verdict, total)}."
    shares = [f"{amount} {_verb(verdict, amount)}" for verdict, amount in counts]
    return f"{verb} {count(total, 'check')}: {listed(shares)}."


def _verb(verdict: str, amount: int) -> str:
    """Return what became of some checks, as a verb."""
    if verdict in {"unproven", "advice"}:
        return f"{_is(amount)} {SAID[verdict]}"
    return SAID.get(verdict, verdict)


def subnets(document: Document, account: Account) -> None:
    """Tell, by subnet, which copiers work, are not proven and are broken, and why."""
    fleet = account.fleet
    document.heading(1, "By subnet")
    if not fleet.subnets:
        document.say("No subnet with copiers is in the scope.")
        return
    words = [state for state in _STATES if state not in _SELDOM or fleet.of(state)]
    rows = []
    for prefix, label in list(fleet.subnets.items())[:ROWS]:
        counts = Counter(it.state for it in fleet.within(prefix))
        here = [str(counts[state]) for state in words]
        rows.append([label, listed(fleet.routes[prefix]), _way_out(account, prefix), str(counts.total()), *here])
    document.table(("Subnet", "Route of its mail", "Way out for that", "Copiers", *map(str.capitalize, words)), rows)
    if len(fleet.subnets) > ROWS:
        document.say(f"And {number(len(fleet.subnets) - ROWS)} more (see {account.where}).")
    if lost := account.fleet.unusable:
        document.say(f"{capital(rows_lost(account))} {'It is' if len(lost) == 1 else 'They are'} in no subnet here.")
    _legend(document, account)
    unsettled = [prefix for prefix in fleet.subnets if any(it.state != "works" for it in fleet.within(prefix))]
    for prefix in unsettled[:DETAILS]:
        document.heading(2, fleet.subnets[prefix])
        document.items(_within(account, prefix))
    if len(unsettled) > DETAILS:
        document.say(f"And {count(len(unsettled) - DETAILS, 'more subnet')} (see {account.where}).")


def rows_lost(account: Account) -> str:
    """Say how many rows of the list can't be used, and in which findings that is told."""
    lost = account.fleet.unusable
    if len(lost) == 1:
        told = "one row of the list can't be used, so its copier was not judged"
    else:
        told = f"{count(len(lost), 'row')} of the list can't be used, so their copiers were not judged"
    failed = [case for case in lost if case["verdict"] != "waived"]
    some = list(dict.fromkeys(finding.number for case in failed if (finding := account.findings.about(case))))
    aside = [numbered(some)] if some else []
    if waived := len(lost) - len(failed):
        aside.append(f"{number(waived) if failed else 'all' if waived > 1 else 'it'} {_is(waived)} waived")
    return f"{told} ({'; '.join(aside)})." if aside else f"{told}."


def _legend(document: Document, account: Account) -> None:
    """Say what the table's words mean, those of them that it uses."""
    if account.fleet.of("works"):
        document.say(
            "A copier works: no link of its chain, from the list to the mailbox, fails or is open, and a scan by its "
            "route arrived, from it or from one of the same model and firmware line in its subnet."
        )
    if account.fleet.of("broken"):
        document.say("It is broken: a link of its chain failed.")
    if account.fleet.of("at risk"):
        document.say("It is at risk: its scans arrive, and something failed that may keep the next one from arriving.")
    if account.fleet.of("not proven"):
        document.say("It is not proven: no link failed, and one was not shown, or could not be tried.")
    ways = [case for prefix in account.fleet.subnets for _, case in _ways(account, prefix)]
    used = {case.get("grade") for case in ways if case["verdict"] == "passed"}
    meanings = {grade: capital(meaning.split(". ")[0].rstrip("."), up=False) for grade, meaning in GRADES}
    known = [f"{grade} ({meaning})" for grade, meaning in meanings.items() if grade in used]
    if known:
        document.say(f"How a way out is proven: {'; '.join(known)}.")


def _ways(account: Account, prefix: str) -> Iterator[tuple[str, Case]]:
    """Yield the ways out of a subnet that its copiers' mail takes, by the name of the door."""
    doors = {it.get("route"): f"port {it.get('port')}" for it in account.run["layout"]["services"]}
    routes = account.fleet.routes[prefix]
    for case in account.fleet.ways_out.get(prefix, ()):
        signed = case["requirement"] == "EGR-1"
        taken = [route for route in routes if (route == "smtp-auth") == signed]
        if taken:
            yield doors.get(taken[0], taken[0]), case


def _way_out(account: Account, prefix: str) -> str:
    return ", ".join(f"{door} {account.result(case)}" for door, case in _ways(account, prefix)) or "not judged"


def _within(account: Account, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield what is to say of a subnet's copiers: a line for those that are alike."""
    here = account.fleet.within(prefix)
    name = account.fleet.subnets[prefix].removesuffix(f" ({prefix})")
    alike: dict[tuple[str, str], list[Standing]] = {}
    for state in ("works", "waived", "at risk", "broken", "not proven"):
        for it in here:
            if it.state == state:
                why = "" if state in {"works", "waived"} else _why(account, it)
                alike.setdefault((state.capitalize(), why), []).append(it)
    for (word, why), these in list(alike.items())[:MOST]:
        names = [it.name.removeprefix(f"{name}, ") for it in these]
        yield f"{word}, {len(these)} of {len(here)}{why}:", sentence(listed(names, MOST, account.where))
    if len(alike) > MOST:
        rest = sum(len(these) for these in list(alike.values())[MOST:])
        yield "", f"And {number(rest)} more, for other reasons (see {account.where})."


def _why(account: Account, it: Standing) -> str:
    """Say where a copier's chain ends, and in which finding that is told."""
    finding = account.findings.by_cause(it.cause) if it.state in {"broken", "at risk"} else None
    for case in () if finding else it.cases:
        finding = finding or account.findings.about(case)
    see = f" (finding {finding.number})" if finding else ""
    if not it.at:
        return f", its chain was not judged to the end{see}"
    return f", {LINKS.get(it.at, it.at)}{_likely(finding) if finding else ''}{see}"


def tenant(document: Document, account: Account) -> None:
    """Tell what was seen of the senders and of the tenant."""
    document.heading(1, "The tenant")
    senders, settings = account.senders, account.of("TEN-")
    if not senders and not settings:
        document.say("Nothing of the tenant was judged.")
        return
    areas = ("SMTP-1", "SMTP-2", "DLV-1", "TEN-")
    by_sender: dict[tuple[str, str], list[dict[str, object]]] = {}
    for area in areas:
        for case in account.of(area):
            if case["requirement"] != "TEN-9":
                by_sender.setdefault((area, case["subject"]["name"].split("++")[0]), []).append(case)
    document.table(
        ("Sender", "Sign-in", "Mail is accepted", "Test mail arrives", "Settings of the tenant"),
        [
            (label, *(account.results(by_sender.get((area, key), [])) for area in areas))
            for key, label in list(senders.items())[:ROWS]
        ],
    )
    whole = [case for case in settings if case["subject"]["name"].split("++")[0] not in senders]
    document.items(
        (f"{case['requirement']}, {account.result(case)}:", sentence(case["sentence"])) for case in whole[:ROWS]
    )
    for case in account.by_requirement.get("TEN-9", ())[:MOST]:
        finding = account.findings.about(case)
        if finding and case["verdict"] == "advice":
            label = case["subject"].get("label") or case["subject"]["name"]
            document.say(f"How long {label} can go on signing in as it does: see finding {finding.number}.")
