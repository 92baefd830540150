"""The one-time codes that a person is asked to type at the copiers, kept between runs: a walk can be left and resumed.

The file lies beside the folders of the runs, ``attended-SITE.json``; it holds no secret.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scanproof.store import write_whole

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = "ACDEFHJKLMNPRTUVWXY3479"  # those that no panel's font and no person takes for another
LENGTH = 5


class CodesError(Exception):
    """The file can't be used; names it, and says what to do."""


@dataclass(frozen=True)
class Code:
    """A code, the key of the copier that it was made for, and when."""

    code: str
    copier: str
    made: datetime


def read(path: Path) -> list[Code]:
    """Return the codes of a site's file; none where there is no file.

    Raises:
        CodesError: it can't be read, or holds something else.
    """
    try:
        held = json.loads(path.read_bytes()[:1_000_000])
        return [_code(row) for row in held["codes"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is no list of one-time codes"
        raise CodesError(f"{path}: {reason}; put it right, or remove it and walk again") from None


def _code(row: Any) -> Code:
    made = datetime.fromisoformat(row["made"])
    if not (isinstance(row["code"], str) and isinstance(row["copier"], str) and row["code"].isalnum() and made.tzinfo):
        raise ValueError
    return Code(row["code"], row["copier"], made)


def write(path: Path, codes: list[Code]) -> None:
    """Write the file, whole or not at all.

    Raises:
        CodesError: it can't be written.
    """
    rows = [{"code": it.code, "copier": it.copier, "made": it.made.isoformat()} for it in codes]
    try:
        write_whole(path, json.dumps({"codes": rows}, indent=1) + "\n")
    except OSError as error:
        raise CodesError(f"{path}: can't be written: {error.strerror}; make its folder writable") from None


def fresh(copier: str) -> Code:
    """Return a new code for a copier: short enough to be typed at a panel, and found in no other mail by chance."""
    return Code("SP" + "".join(secrets.choice(LETTERS) for _ in range(LENGTH)), copier, datetime.now(UTC))
