"""The ticket update: the status report that an engineer would write, from a judged run and the site's own texts.

It claims nothing that the run doesn't show: “proven” is said of what passed, “not proven yet” of what nobody saw. Every
number in it is one of ``run.json``, or a count of what stands there.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from scanproof import ages
from scanproof.report import docx, escalation, markdown, outcome
from scanproof.report.account import SAID, Account
from scanproof.report.document import Document
from scanproof.report.outcome import MOST, ROWS
from scanproof.report.outlook import routes
from scanproof.report.prose import capital, clock, count, day, listed, moment, number, numbered, sentence, was

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scanproof.report.account import Run
    from scanproof.report.excepted import Waiver
    from scanproof.report.fleet import State

_MEANS = {
    "passed": "Evidence proves it.",
    "waived": "It does not hold or could not be tried for that, and an approved exception covers it.",
    "failed": "Evidence contradicts it.",
    "error": "Scanproof itself failed here. It says nothing about the site.",
    "blocked": "Something that it needs failed first.",
    "unproven": "Nothing contradicts it, and nothing proves it.",
    "advice": "It does not hold, and stands in the way of nothing.",
}
_SCOPE = {
    "copiers": "copiers",
    "other-makes": "copiers of other makes",
    "applications": "applications that mail their reports",
}
_FILES = {
    "report.html": "the evidence report: every check with what was expected, what was seen and from where",
    "fleet.xlsx": "the list of copiers, with the result of each",
    "ticket-update.md": "this update, as text",
    "ticket-update.docx": "this update, for Word",
    "escalation": "for each device that its vendor has to look at: its data, settings, dialogue and log",
    "cases.html": "all checks as a table",
    "run.json": "the same, for programs",
    "junit.xml": "the same, for build systems",
    "evidence.jsonl": "all evidence as it was gathered; the run can be judged again from it",
    "inputs": "the site file and the list, as this run read them",
    "manifest.json": "the hash of each of these files",
}
FILES = frozenset(_FILES)
MARKDOWN, WORD = "ticket-update.md", "ticket-update.docx"
_FOLDERS = {"escalation", "inputs"}
_CHANGES = {
    "new": "New",
    "fixed": "Fixed",
    "proven": "Proven for the first time",
    "still": "Still does not hold",
    "lost": "No longer judged",
}
_VERDICT = {**SAID, "no case": "no such check any more"}
_SECURITY = "The security officer"
_NAMED = 3  # changes that are told one by one


def documents(run: Run, files: Collection[str], seal: str | None = None) -> dict[str, str | bytes]:
    """Return the ticket update of a run in all its forms, by file name.

    Args:
        run: the content of ``run.json``; parts that are missing are taken as empty.
        files: what else lies in the run's folder, by name.
        seal: the hash of the run's manifest, or what stands for it until it is known; None where it has none.
    """
    document = content(run, {*files, MARKDOWN, WORD}, seal)
    return {MARKDOWN: markdown.render(document), WORD: docx.render(document)}


def content(run: Run, files: Collection[str] = FILES, seal: str | None = None) -> Document:
    """Return the ticket update of a run.

    Args:
        run: the content of ``run.json``; parts that are missing are taken as empty.
        files: what lies in the run's folder, by name.
        seal: the hash of the run's manifest; None where it has none.
    """
    account = Account(run, files)
    if escalation.FOLDER in account.files:
        account.bundles = escalation.folders(account)
    site = account.run["site"]
    customer = site.get("customer") or site.get("name") or "a site without a name"
    made = moment(account.run.get("finished") or account.run.get("started"))
    document = Document(f"Scan to e-mail at {customer}: status", made)
    for part in (
        _opening,
        _background,
        _verified,
        outcome.found,
        outcome.subnets,
        outcome.tenant,
        routes,
        _waivers,
        _exceptions,
        _remains,
        _next_steps,
        _since,
        _attachments,
        _support,
        _contacts,
    ):
        part(document, account)
    if seal:
        document.say(f"{seal}; check with: scanproof verify RUN --expect {seal}", "Evidence seal:")
    return document


def _opening(document: Document, account: Account) -> None:
    site = account.run["site"]
    if account.lab:
        document.say(
            "Its copiers, network and mail service are programs on the machine that made this check. Nothing here is "
            "about a real copier or tenant.",
            "This is a simulated site.",
        )
    parts = ages.told(account.run)
    facts = (
        ("Customer", site.get("customer")),
        ("Site", site.get("name")),
        ("Ticket", site.get("ticket")),
        ("Checked", _made(account.run)),
        ("By evidence of", clock(parts[0].get("started")) + (" and later" if len(parts) > 1 else "") if parts else ""),
    )
    document.items((f"{name}:", str(value)) for name, value in facts if value)
    if account.ready:
        waived = f" or waived ({account.counts['waived']}; see Waivers)" if account.counts["waived"] else ""
        document.say(f"Every check that a sign-off needs is proven{waived}.", "Ready for sign-off.")
    else:
        document.say(_checks_in_short(account), "Not ready for sign-off.")
    for line in _limits(account.run):
        document.say(line)
    document.say(_copiers_in_short(account))
    if account.fleet.unusable:
        document.say(capital(outcome.rows_lost(account)))
    if failed := account.findings.of("failed"):
        document.say(f"{sentence(failed[0].title)} See finding {failed[0].number}.", "What matters most:")


def _made(run: Run) -> str:
    start, end = clock(run.get("started")), clock(run.get("finished"))
    version = run["suite"].get("version")
    said = (
        f"{start} to {end}" if start and end and end != start else start,
        f"by {run['site']['engineer']}" if run["site"].get("engineer") else "",
        f"with Scanproof {version}" if version else "",
    )
    return ", ".join(part for part in said if part) if start else ""


def _checks_in_short(account: Account) -> str:
    if not account.cases:
        return "Nothing was judged."
    shares = [
        f"{account.counts[verdict]} {phrase}"
        for verdict, phrase in (
            ("failed", "failed"),
            ("error", "could not be judged"),
            ("blocked", "could not be tried"),
            ("waived", f"{'is' if account.counts['waived'] == 1 else 'are'} waived"),
            ("unproven", f"{'is' if account.counts['unproven'] == 1 else 'are'} not proven"),
        )
        if account.counts[verdict]
    ]
    said = f"Of {count(len(account.cases), 'check')}, {listed(shares)}." if shares else ""
    unproven = [case for case in account.cases if case["verdict"] == "unproven"]
    advice = sum(case.get("level") == "advice" for case in unproven)
    blocking = len(unproven) - advice
    if advice and blocking:
        said += (
            f" Of what is not proven, {count(blocking, 'check')} {'keeps' if blocking == 1 else 'keep'} the site "
            f"from a sign-off, and {count(advice, 'check')} {'is' if advice == 1 else 'are'} needed by none."
        )
    elif unproven:
        said += f" What is not proven {'keeps the site from a sign-off' if blocking else 'is needed by no sign-off'}."
    return said


def _copiers_in_short(account: Account) -> str:
    fleet = account.fleet
    if not fleet.standings:
        return "No copier is in the scope of this run."
    working = len(fleet.of("works"))
    shown = f"shown by a scan of {'its own or of its' if working == 1 else 'their own or of one of their'} kind"
    shares = [f"{working} {'works' if working == 1 else 'work'} end to end ({shown})"] if working else []
    states: tuple[State, ...] = ("waived", "at risk", "broken", "not proven")
    shares += [f"{amount} {'is' if amount == 1 else 'are'} {it}" for it in states if (amount := len(fleet.of(it)))]
    where = f"{count(len(fleet.standings), 'copier')} in {count(len(fleet.subnets), 'subnet')}"
    if len(shares) == 1 and len(fleet.standings) > 1:
        return f"All {where} {shares[0].partition(' ')[2]}."
    return f"Of {where}, {listed(shares)}."


def _limits(run: Run) -> Iterator[str]:
    """Say what keeps this run from being a whole one."""
    coverage = run["coverage"]
    if not run.get("finished"):
        yield "The run was interrupted. What it had not come to is not proven."
    if left_out := int(coverage.get("deselected") or 0):
        yield capital(f"{count(left_out, 'check')} {was(left_out)} left out of this run, which can't be signed off so.")
    if lost := len(coverage.get("missing") or ()):
        yield capital(f"{count(lost, 'check')} got lost, which is a defect of Scanproof.")
    if "--no-send" in run["options"]:
        yield "No test mail was sent in this run."


def _background(document: Document, account: Account) -> None:
    run = account.run
    document.heading(1, "Background")
    for part in re.split(r"\n\s*\n", str(run["report"].get("background") or "")):
        document.say(part)
    site, facts = run["site"], []
    if site.get("cutover"):
        facts.append(f"Mail moved to Microsoft 365 on {clock(site['cutover'])}.")
    if site.get("last_change"):
        facts.append(f"The last change was made on {clock(site['last_change'])}; scans of before prove nothing.")
    if site.get("scope"):
        facts.append(f"The sign-off covers {listed(_SCOPE.get(part, str(part)) for part in site['scope'])}.")
    document.say(" ".join(facts))
    outside = [f"{it.get('label')} ({it.get('reason')})" for it in run["layout"]["outside"]]
    if outside:
        verb = "is" if len(outside) == 1 else "are"
        document.say(f"Of the list, {count(len(outside), 'device')} {verb} left out: {listed(outside, MOST)}.")


def _verified(document: Document, account: Account) -> None:
    document.heading(1, "What was verified")
    if not account.cases:
        document.say("No check was made.")
        return
    subjects = [count(len(account.fleet.standings), "copier"), count(len(account.fleet.subnets), "subnet")]
    subjects.append(count(len(account.senders), "sender"))
    if applications := {case["subject"]["name"] for case in account.of("APP-")}:
        subjects.append(count(len(applications), "application"))
    document.say(
        capital(f"{count(len(account.cases), 'check')} {was(len(account.cases))} made, of {listed(subjects)}, and of ")
        + f"{account.run['site'].get('domain') or 'the mail domain'} and its tenant:"
    )
    document.table(
        ("Result", "Checks", "Meaning"),
        [
            (word, f"{account.counts[verdict]:,}", _MEANS[verdict])
            for verdict, word in SAID.items()
            if account.counts[verdict]
        ],
    )
    _places(document, account.run)
    if logs := account.by_requirement.get("LOG-3"):
        shown = sum(case["verdict"] == "passed" for case in logs)
        rest = "" if shown == len(logs) else "; of the others it is not proven"
        document.say(
            "The check only reads, and changes no setting. The access logs of "
            f"{'all' if shown == len(logs) > 1 else f'{shown} of'} {count(len(logs), 'copier')} show it{rest}."
        )
    if parts := ages.told(account.run):
        each = [f"{clock(it.get('started'))} ({count(int(it.get('cases') or 0), 'check')})" for it in parts]
        runs = count(len(parts), "run") if len(parts) > 1 else "an earlier run"
        document.say(f"The evidence was gathered in {runs}: {listed(each)}.")
    document.items(note for note in account.run["notes"][:MOST] if not note.startswith("A simulated site"))


def _places(document: Document, run: Run) -> None:
    """Say where it was looked from, and where nobody stood."""
    names = {subnet["prefix"]: subnet["label"] for subnet in run["layout"]["subnets"]}
    places, seen = [], set()
    for it in run["vantages"]:
        within = [names.get(prefix, prefix) for prefix in it.get("subnets") or ()]
        seen |= set(it.get("subnets") or ())
        where = f"inside {listed(within)}" if within else "in none of the copiers' subnets"
        if it.get("role") == "control":
            where = "outside the site, to compare with"
        places.append((f"{it.get('name')}:", f"{', '.join([*(it.get('addresses') or ()), where])}."))
    if places:
        document.say("It was looked at from these places:")
        document.items(places[:ROWS])
    blind = [label for prefix, label in names.items() if prefix not in seen]
    if blind:
        document.say(
            f"Nobody stood inside {listed(blind)}. Of the way out from there, only mail that copiers there delivered "
            "counts as a proof."
        )


def _waivers(document: Document, account: Account) -> None:
    if not account.waivers:
        return
    document.heading(1, "Waivers")
    header = ("Requirement", "Of", "Reason", "Approved by", "Until", "State")
    rows = [
        (_required(it), _subject(account, it), it.reason, it.approved_by, it.until, it.state)
        for it in account.waivers[:ROWS]
    ]
    document.table(header, rows)
    if len(account.waivers) > ROWS:
        document.say(f"And {number(len(account.waivers) - ROWS)} more (see report.html).")
    _, through = account.waived
    if through:
        document.say(
            capital(f"{count(through, 'check')} {was(through)} waived through them: nothing else was in the way.")
        )


def _exceptions(document: Document, account: Account) -> None:
    if not account.exceptions:
        return
    document.heading(1, "Exceptions from security baselines")
    document.say(
        "Scanning rests on these settings, which security baselines ask to be otherwise. Whoever is responsible for "
        "security accepts each knowingly, or has the route changed."
    )
    shown = list(account.exceptions.items())[:ROWS]
    document.items(f"{words} ({listed(map(_shown_by, cases), 3)})." for words, cases in shown)
    if len(account.exceptions) > ROWS:
        document.say(f"And {number(len(account.exceptions) - ROWS)} more (see report.html).")


def _shown_by(case: dict[str, Any]) -> str:
    return f"{case['requirement']} of {case['subject'].get('label') or case['subject']['name']}"


def _required(waiver: Waiver) -> str:
    return f"{waiver.requirement}: {waiver.sentence}" if waiver.sentence else waiver.requirement


def _subject(account: Account, waiver: Waiver) -> str:
    return "all" if waiver.subject == "*" else account.fleet.name(waiver.subject)


def _covered(account: Account, waiver: Waiver) -> str:
    """Say what a waiver in use covers."""
    behind = f", and {count(waiver.behind, 'check')} behind it" if waiver.behind else ""
    of = _subject(account, waiver)
    whom = "" if of in waiver.sentence else f", of {of}"
    return f"{_required(waiver)}{whom} ({count(waiver.covered, 'check')}{behind})."


def _remains(document: Document, account: Account) -> None:
    document.heading(1, "What remains, and who must act")
    owners: dict[str, list[str]] = {}
    unproven = account.findings.of("unproven")
    for finding in (*account.findings.of("failed"), *(it for it in unproven if it.blocks)):
        # What no cause explains is known by what can be done about it.
        what = finding.title if finding.cause or not finding.remedy else finding.remedy
        told = f"{capital(what.rstrip('.'), up=False)} (finding {finding.number})"
        owners.setdefault(finding.owner, []).append(told)
    acting = [(f"{capital(owner)}:", sentence(_in_short(told))) for owner, told in owners.items()]
    if account.exceptions:
        what = count(len(account.exceptions), "exception")
        acting.append((f"{_SECURITY}:", f"To accept, or to have the route changed: {what} from security baselines."))
    document.items(acting)
    if not owners:
        document.say("Nothing that a sign-off needs." if account.cases else "Everything: nothing was judged.")
    # What is said of single requirements stands in the findings.
    known = re.compile(
        r"[A-Z]+-\d+ (does not hold|could not be judged|is not proven): |\d+ blockers? could not|"
        r".*cases were deselected|the run was interrupted"
    )
    other = [reason for reason in account.run["signoff"].get("reasons") or () if not known.match(reason)]
    if other:
        document.say("Also in the way of a sign-off:")
        document.items(sentence(reason) for reason in other[:MOST])
    excepted = [it for it in account.waivers if it.counts]
    document.items(
        (f"Waived until {it.until}, approved by {it.approved_by}:", _covered(account, it)) for it in excepted[:ROWS]
    )
    if len(excepted) > ROWS:
        document.say(f"And {number(len(excepted) - ROWS)} more (see report.html).")
    advice = [it.number for it in account.findings.told if it.kind in {"advice", "unproven"} and not it.blocks]
    if advice:
        document.say(f"What no sign-off needs can wait: {numbered(advice)}.")


def _in_short(told: list[str]) -> str:
    return "; ".join(told[:MOST]) + (f"; and {number(len(told) - MOST)} more (above)" if len(told) > MOST else "")


def _next_steps(document: Document, account: Account) -> None:
    document.heading(1, "Next steps")
    steps: list[str | tuple[str, str]] = []
    if failed := account.findings.of("failed"):
        others = f", then the others in their order ({numbered(it.number for it in failed[1:])})"
        steps.append(f"Settle finding {failed[0].number}{others if len(failed) > 1 else ''}.")
    if account.bundles:
        steps.append(f"Send each folder in {escalation.FOLDER}/ to the vendor of that device.")
    unproven = [it for it in account.findings.of("unproven") if it.blocks]
    remedies: dict[str, list[int]] = {}
    for finding in unproven:
        what = finding.remedy or f"find out why it could not be proven ({', '.join(finding.requirements)})"
        remedies.setdefault(sentence(what), []).append(finding.number)
    for what, numbers in list(remedies.items())[:MOST]:
        steps.append((f"To prove what {numbered(numbers)} {'leaves' if len(numbers) == 1 else 'leave'} open:", what))
    if rest := [one for numbers in list(remedies.values())[MOST:] for one in numbers]:
        steps.append(f"Likewise for {numbered(rest)}.")
    waiting = [it.name for it in account.fleet.of("not proven") if it.at == "arrived"]
    if waiting:
        steps.append(f"Make a scan at {listed(waiting, MOST, account.where)}.")
    if not account.ready:
        steps.append("Run the check again, and compare it with this run.")
    document.items([*steps, *(sentence(str(step)) for step in account.run["report"].get("next_steps") or ())])


def _since(document: Document, account: Account) -> None:
    baseline = account.run.get("baseline")
    if not baseline:
        return
    document.heading(1, "Since the last update")
    document.say(f"Compared with the run of {clock(baseline.get('started'))} (folder “{baseline.get('run')}”).")
    gone = baseline.get("causes_gone") or ()
    document.items(("No longer:", sentence(str(title))) for title in gone[:ROWS])
    changes = [line for part in _CHANGES for line in _changed(part, baseline.get(part) or [])]
    document.items(changes)
    if not changes:
        document.say("Nothing has changed.")
    document.items(str(note) for note in baseline.get("notes") or ())
    history = account.run["history"]
    if len(history) > 1:
        header = ("Run", "Copiers that work", "Ready for sign-off")
        document.table(
            header,
            [
                (
                    clock(it.get("started")),
                    f"{it.get('proven')} of {it.get('copiers')}",
                    "yes" if it.get("ready") else "no",
                )
                for it in history[-MOST:]
            ],
        )


def _changed(part: str, entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield a line for those of a class that went the same way; a few by name, many by requirement."""
    alike: dict[str, list[dict[str, Any]]] = {}
    for it in entries:
        before, now = (_VERDICT.get(str(it.get(at)), str(it.get(at) or "not judged")) for at in ("before", "now"))
        alike.setdefault(now if before == now else f"{before} → {now}", []).append(it)
    for way, some in sorted(alike.items(), key=lambda item: -len(item[1])):
        if len(some) <= _NAMED:
            of = [f"{it.get('requirement')} of {it.get('label') or it.get('subject')}" for it in some]
        else:
            counted = Counter(str(it.get("requirement")) for it in some).most_common()
            of = [f"{requirement} ({amount})" for requirement, amount in counted]
        yield f"{_CHANGES[part]}, {way}, {count(len(some), 'check')}:", sentence(listed(of, ROWS))


def _attachments(document: Document, account: Account) -> None:
    document.heading(1, "Attachments")
    there = [(f"{name}/" if name in _FOLDERS else name, what) for name, what in _FILES.items() if name in account.files]
    document.table(("File of the run", "What it is"), there)
    if not there:
        document.say("None.")


def _support(document: Document, account: Account) -> None:
    stated = account.run["support_cases"]
    if not stated:
        return
    document.heading(1, "Open support cases")
    document.table(
        ("Vendor", "Number", "Opened", "Status"),
        [
            (
                str(it.get("vendor")),
                str(it.get("number")),
                day(str(it.get("opened") or "")),
                str(it.get("status") or "not stated"),
            )
            for it in stated
        ],
    )


def _contacts(document: Document, account: Account) -> None:
    if stated := account.run["report"].get("contacts"):
        document.heading(1, "Contacts")
        document.items(str(contact) for contact in stated)
