"""Waivers: which case each covers, what one that covers nothing may have meant, and what is waived through others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scanproof.coverage import Pair
    from scanproof.judged import Case, Verdict
    from scanproof.site import Site
    from scanproof.sitefile import Waiver

MOST = 3  # subjects that a message suggests


def covering(case: Case, waivers: Iterable[Waiver], now: datetime) -> Waiver | None:
    """Return the waiver that covers a case as of a moment; an expired one covers nothing."""
    for waiver in waivers:
        if waiver.covers(case.requirement, case.key) and now <= waiver.until:
            return waiver
    return None


def notes(
    site: Site, cases: list[Case], wanted: Iterable[Pair], apart: list[dict[str, str]], requirements: Sequence[str]
) -> list[str]:
    """Return a line for each waiver that is expired, is about nothing that there is, or covers nothing any more.

    Args:
        site: the site.
        cases: the judged ones.
        wanted: every pair of requirement and subject that the site has, judged or not.
        apart: those that are not applicable, with the reason (``coverage.expected``).
        requirements: the catalogue's.
    """
    used = {(case.requirement, case.key) for case in cases if case.verdict == "waived"}
    found = []
    for number, waiver in enumerate(site.file.waiver, 1):
        name = f"The waiver of {waiver.requirement} for {waiver.subject} ({waiver.approved_by})"
        if unknown := _unknown(waiver, site, wanted, apart, requirements):
            found.append(f"{name} covers nothing: {unknown} (site.toml, [[waiver]] {number}).")
        elif site.now > waiver.until:
            found.append(f"{name} expired on {waiver.until:%Y-%m-%d} and counts for nothing: renew it or take it out.")
        elif not any(waiver.covers(*pair) for pair in used):
            alike = {case.verdict for case in cases if waiver.covers(case.requirement, case.key)}
            found.append(f"{name} covers nothing that fails in this run: {_unneeded(alike)}")
    return found


def _unneeded(verdicts: set[Verdict]) -> str:
    if not verdicts:
        return "what it is for was left out of it."
    if open_ := sorted(verdicts & {"unproven", "blocked"}):
        return f"what it is for is {' and '.join(open_)}, which no waiver covers."
    return "take it out if it is no longer needed."


def _unknown(
    waiver: Waiver, site: Site, wanted: Iterable[Pair], apart: list[dict[str, str]], requirements: Sequence[str]
) -> str:
    """Say what of a waiver names nothing that there is, and what it may have meant; nothing where it is known."""
    if waiver.requirement not in requirements:
        area = waiver.requirement.partition("-")[0]
        alike = [name for name in requirements if name.partition("-")[0] == area] or requirements
        near = get_close_matches(waiver.requirement, alike, MOST, 0)
        return f"there is no requirement {waiver.requirement}; did you mean {_either(near)}?"
    keys = sorted({subject for requirement, subject in wanted if requirement == waiver.requirement})
    if any(waiver.covers(waiver.requirement, key) for key in keys):
        return ""
    for it in apart:
        if waiver.covers(it["requirement"], it["subject"]):
            return f"{waiver.requirement} is not applicable to {it['subject']}: {it['reason']}"
    if not keys:
        return f"{waiver.requirement} is not applicable to anything of this site"
    known = list(dict.fromkeys(part for key in keys for part in (key.partition("++")[0], key)))
    stated = waiver.subject.lower()
    called = [*((it.label, it.prefix) for it in site.subnets), *((it.label, it.key) for it in site.copiers)]
    near = [key for key in known if stated in key.lower()]
    near = near or [key for label, key in called if stated in label.lower() and key in known]
    near = near[:MOST] or get_close_matches(waiver.subject, known, MOST, 0.5)
    meant = f"did you mean {_either(near)}?" if near else f"its subjects are such as {_either(known[:MOST])}"
    return f"{waiver.requirement} has no subject {waiver.subject}; {meant}"


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def through(cases: list[Case]) -> None:
    """Waive what is blocked by waived roots alone.

    A root that speaks of the case's own sender or subnet counts rather than another's.
    """
    for case in cases:
        parts = set(case.key.split("++"))
        for root in case.blocked_by if case.verdict == "blocked" else ():
            of = [other for other in cases if other.requirement == root]
            near = [other for other in of if parts & set(other.key.split("++"))] or of
            verdicts = {other.verdict for other in near}
            if "waived" not in verdicts or verdicts & {"failed", "error", "advice", "blocked"}:
                break
        else:
            if case.verdict == "blocked" and case.blocked_by:
                case.verdict, case.waiver = "waived", f"through the waiver of {', '.join(case.blocked_by)}"
