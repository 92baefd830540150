"""The middle of a ticket update: what was found and why, by subnet, and of the tenant."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scanproof.report.account import HOLDS, SAID
from scanproof.report.fleet import LINKS
from scanproof.report.prose import capital, count, listed, number, sentence
from scanproof.report.verdicts import GRADES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanproof.report.account import Account, Case
    from scanproof.report.document import Document
    from scanproof.report.findings import Finding
    from scanproof.report.fleet import Standing

MOST = 8  # names in one list
FINDINGS = 15  # of one kind
ROWS = 40  # of one table
DETAILS = 12  # subnets that are told copier by copier


def found(document: Document, account: Account) -> None:
    """Tell the findings: those that stand in the way under a heading each, the others as lists."""
    document.heading(1, "What was found, and why")
    failed = account.findings.of("failed")
    if not account.findings.told:
        document.say("Every check that was made is proven or waived." if account.cases else "Nothing was looked at.")
        return
    if not failed:
        document.say("No check failed.")
    for finding in failed[:FINDINGS]:
        document.heading(2, f"Finding {finding.number}: {finding.title.rstrip('.')}")
        seen = f"Seen: {sentence(finding.seen)}" if finding.seen else ""
        document.say(_together(_concerns(account, finding), _explains(finding), seen))
        if finding.remedy:
            document.say(sentence(finding.remedy), f"To do ({finding.owner}):")
        else:
            document.say(sentence(finding.owner), "Who acts:")
    _and_more(document, failed)
    for heading, some in (
        ("Not proven yet", account.findings.of("unproven")),
        ("Advice, which stands in the way of nothing", account.findings.of("advice")),
    ):
        if some:
            document.heading(2, heading)
            document.items(_in_short(account, finding) for finding in some[:FINDINGS])
            _and_more(document, some)


def _and_more(document: Document, some: list[Finding]) -> None:
    if len(some) > FINDINGS:
        document.say(f"And {number(len(some) - FINDINGS)} more (see report.html).")


def _in_short(account: Account, finding: Finding) -> tuple[str, str]:
    told = _together(_concerns(account, finding), sentence(finding.seen))
    todo = f"To do ({finding.owner}): {sentence(finding.remedy)}" if finding.remedy else ""
    return f"Finding {finding.number}: {sentence(finding.title)}", _together(told, todo)


def _together(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _concerns(account: Account, finding: Finding) -> str:
    """Say whom a finding concerns, unless its title says that already."""
    own = {case["subject"]["name"]: str(case["subject"].get("label") or "") for case in finding.cases}
    names = list(dict.fromkeys(account.fleet.name(key, own.get(key, "")) for key in finding.subjects))
    if not names or (len(names) == 1 and any(it in finding.title for it in (names[0], *own.values()) if it)):
        return ""
    copiers = sum(key in account.fleet.by_key for key in finding.subjects)
    many = f"{count(copiers, 'copier')}: " if copiers == len(names) > 1 else ""
    return f"It concerns {many}{listed(names, MOST, account.where)}."


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
        return f"{'is' if amount == 1 else 'are'} {SAID[verdict]}"
    return SAID.get(verdict, verdict)


def subnets(document: Document, account: Account) -> None:
    """Tell, by subnet, which copiers are proven, not proven and blocked, and why."""
    fleet = account.fleet
    document.heading(1, "By subnet")
    if not fleet.subnets:
        document.say("No subnet with copiers is in the scope.")
        return
    words = {"proven": "Proven", "open": "Not proven yet", "blocked": "Blocked"}
    if any(it.state == "waived" for it in fleet.standings):
        words["waived"] = "Waived"
    rows = []
    for prefix, label in list(fleet.subnets.items())[:ROWS]:
        counts = Counter(it.state for it in fleet.within(prefix))
        here = [str(counts[state]) for state in words]  # type: ignore[index]
        rows.append([label, listed(fleet.routes[prefix]), _way_out(account, prefix), str(counts.total()), *here])
    document.table(("Subnet", "Route of its mail", "Way out for that", "Copiers", *words.values()), rows)
    if len(fleet.subnets) > ROWS:
        document.say(f"And {number(len(fleet.subnets) - ROWS)} more (see {account.where}).")
    _legend(document, account)
    unsettled = [prefix for prefix in fleet.subnets if any(it.state != "proven" for it in fleet.within(prefix))]
    for prefix in unsettled[:DETAILS]:
        document.heading(2, fleet.subnets[prefix])
        document.items(_within(account, prefix))
    if len(unsettled) > DETAILS:
        document.say(f"And {count(len(unsettled) - DETAILS, 'more subnet')} (see {account.where}).")


def _legend(document: Document, account: Account) -> None:
    """Say what the table's words mean, those of them that it uses."""
    if account.fleet.of("proven"):
        document.say(
            "Proven, of a copier: its whole chain holds, from the list to the mailbox, and a scan by its route "
            "arrived, from it or from one of the same model and firmware line in its subnet."
        )
    if account.fleet.of("blocked"):
        document.say("Blocked: a link of its chain failed, or could not be tried since something before it failed.")
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
    for state, word in (("proven", "Proven"), ("waived", "Waived"), ("blocked", "Blocked"), ("open", "Not proven yet")):
        for it in here:
            if it.state == state:
                why = "" if state in {"proven", "waived"} else _why(account, it)
                alike.setdefault((word, why), []).append(it)
    for (word, why), these in list(alike.items())[:MOST]:
        names = [it.name.removeprefix(f"{name}, ") for it in these]
        yield f"{word}, {len(these)} of {len(here)}{why}:", sentence(listed(names, MOST, account.where))
    if len(alike) > MOST:
        rest = sum(len(these) for these in list(alike.values())[MOST:])
        yield "", f"And {number(rest)} more, for other reasons (see {account.where})."


def _why(account: Account, it: Standing) -> str:
    """Say where a copier's chain ends, and in which finding that is told."""
    finding = account.findings.by_cause(it.cause) if it.state == "blocked" else None
    for case in () if finding else it.cases:
        finding = finding or account.findings.about(case)
    see = f" (finding {finding.number})" if finding else ""
    if not it.at:
        return f", its chain was not judged to the end{see}"
    return f", {LINKS.get(it.at, it.at)}{see}"


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
