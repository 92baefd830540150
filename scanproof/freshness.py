"""Recorded evidence that is judged as of a later change of the site than it was gathered under.

A proof that is older than the last change proves nothing. A run that gathers counts scans, log lines and saved files
from there on; the records of a run that counted from another moment have to be looked at again.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof import store

if TYPE_CHECKING:
    from collections.abc import Mapping

_RUN_AGAIN = "run again, so that it is of the time since then"
# What was found there lies in the past of the probe that found it: of each kind, the facts that say when it was.
_FOUND = {"scan": "received", "report": "received", "connections": "saved", "block": "delivered"}
_COUNTED = frozenset({"own_log", "device_log", "sign_in_log"})
"""Kinds that hold what happened since the change that the run knew of, and not when each of it did."""
_SAVED = re.compile(r"saved on (\d{4}-\d\d-\d\d \d\d:\d\d) UTC")  # a page or an answer that a person saved


def as_of(records: list[store.Recorded], since: datetime, name: str) -> tuple[list[store.Recorded], int]:
    """Return a run's records as they stand after a change that the run did not know of.

    Args:
        records: of one run, which counted from another moment.
        since: the change: what is older proves nothing.
        name: the key of ``[site]`` that states it.

    Returns:
        The records, in which what is older is unproven, and what rests on such; and how many those are.
    """
    when = f"{name} ({since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"
    old = {_id(it): why for it in records if it.record and (why := _older(it, since, when))}
    size = -1
    while size != len(old):
        size = len(old)
        records = [_of_fresh_scans(it, records, old) if it.kind == "subnet_proof" else it for it in records]
        for it in records:
            if _id(it) not in old and (need := next((need for need in _rests_on(it) if need in old), "")):
                old[_id(it)] = f"it rests on {need.partition('@')[0]}, which proves nothing now: {old[need]}"
    aged = [_unproven(it, old[_id(it)]) if it.record and _id(it) in old else it for it in records]
    return aged, len(old)


def _id(recorded: store.Recorded) -> str:
    return str(recorded.record.get("id"))


def _rests_on(recorded: store.Recorded) -> list[str]:
    """Return the ids of what a record rests on.

    Of scans, proof of egress names the one that it rests on itself. In a log, a scan and what it proves only look for
    what speaks against them, from whatever moment that counts.
    """
    needs = store.needs_of(recorded) if recorded.record.get("outcome") in {"observed", "blocked"} else []
    apart = {"block": ("scan/",), "scan": ("device_log/",), "route_proof": ("own_log/",)}.get(recorded.kind, ())
    return [need for need in needs if not need.startswith(apart)]


def _of_fresh_scans(proof: store.Recorded, records: list[store.Recorded], old: Mapping[str, str]) -> store.Recorded:
    """Return what proves a subnet without the scans that prove nothing now, where another one is left that does."""
    needs = store.needs_of(proof)
    fresh = [need for need in needs if need not in old or not need.startswith("scan/")]
    labels = [_label(it) for it in records if it.kind == "scan" and _id(it) in fresh]
    found: Any = proof.record.get("facts")
    if fresh == needs or not isinstance(found, dict):
        return proof
    # As devices/proof.py writes them: the copier's label, and when its scan arrived or what is wrong with it.
    left = {
        name: [it for it in _texts(found.get(name)) if any(it == of or it.startswith(of + sign) for of in labels)]
        for name, sign in (("proven", " of "), ("wrong", ": "))
    }
    return replace(proof, record={**proof.record, "facts": left, "needs": fresh}) if left["proven"] else proof


def _label(recorded: store.Recorded) -> str:
    about = recorded.record.get("subject")
    return str(about.get("label") if isinstance(about, dict) else about)


def _texts(value: Any) -> list[str]:
    return [it for it in value if isinstance(it, str)] if isinstance(value, list) else []


def _older(recorded: store.Recorded, since: datetime, when: str) -> str:
    """Say why a record proves nothing after a change; empty where it does, or never did."""
    if recorded.record.get("outcome") not in {"observed", "blocked"}:
        return ""
    if recorded.kind in _COUNTED:
        return f"it counts from another moment than the site's {when}"
    at = _moment(recorded)
    if at >= since:
        return ""
    if at <= store.NEVER:
        return f"its moment is not told, and may be before the site's {when}"
    return f"it is of {at:%Y-%m-%d %H:%M:%S} UTC, before the site's {when}"


def _moment(recorded: store.Recorded) -> datetime:
    """Return the moment of the oldest that a record shows; ``store.NEVER`` where it is not told."""
    found: Any = recorded.record.get("facts")
    facts: Mapping[str, Any] = found if isinstance(found, dict) else {}
    moments = [store.moment(recorded.started).astimezone(UTC)]
    field = _FOUND.get(recorded.kind, "")
    if facts and field and (recorded.kind != "block" or facts.get("by_copier")):
        moments.append(store.moment(str(facts.get(field))).astimezone(UTC))
    moments += [store.moment(text).astimezone(UTC) for text in _SAVED.findall(json.dumps(facts))]
    return min(moments)


def _unproven(recorded: store.Recorded, why: str) -> store.Recorded:
    told = {"outcome": "unproven", "facts": {}, "reason": why, "remedy": _RUN_AGAIN, "lacks": "", "blocked_by": []}
    return replace(recorded, record={**recorded.record, **told})
