"""What of a customer's list is not given back: the run folder goes on a ticket, and lists hold passwords.

A column that the suite recognises stands in the report anyway. Of everything else, a column without a heading and a
hidden one are withheld, one whose heading names a secret, and a text that speaks of a secret with what stands beside
it. A password under a harmless heading and with no word beside it can't be told from other words, unless it looks like
one: the documents say so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_PLACE = "[not given back]"

# English, German, French, Spanish, folded: no accents, small letters. The long ones are found inside longer words.
_STEMS = (
    "pass ?wor[dt]|passwd|passw(?:o|oe)rter|passphras|passcode|passkey|kennw(?:o|oe)rt|kenncode|geheim|secret(?!ar)|"
    "credential|contrasen|mots? de passe|zugangsdat|anmeldedat|zugangscode|community string"
)
_WORDS = "pwd|pwds|pw|pws|psw|pin|pins|puk|mdp|clave|claves|psk|otp"
_SAYS = re.compile(rf"(?:{_STEMS})|(?<![a-z0-9])(?:{_WORDS})(?![a-z])")
_LABELLED = re.compile(r"(?<![a-z])(?:pass|code|login|logon|token|key|schlussel|community|admin)s? ?[:=]")
_HEADING_WORDS = {
    "pass", "passe", "community", "login", "logins", "logon", "zugang", "zugange", "anmeldung", "access", "key", "keys",
    "clef", "cle", "schlussel", "token", "tokens", "snmp", "cred", "creds", "auth", "wpa", "admin", "administrator",
    "hash",
}  # fmt: skip
_CODES = frozenset({"code", "codes", "codigo", "codigos"})
_HARMLESS_CODES = {  # what a code may be of, and be no secret
    "bar", "post", "postal", "zip", "area", "country", "region", "cost", "product", "item", "article", "artikel",
    "asset", "model", "qr", "site", "location", "standort", "building", "gebaude", "department", "dept", "abteilung",
    "abteilungs", "room", "raum", "floor", "error", "color", "colour", "source", "company", "customer",
}  # fmt: skip
_HARMLESS_KEYS = frozenset({"operator", "user", "users", "contact", "account"})  # who follows, where "key" is no key
_LOOKS = re.compile(r"(?=\S*[A-Za-z])(?=\S*\d)(?=\S*[!@#$%^&*+=?~€§|\\;])\S{6,64}")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\w+://\S+")


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    return "".join(character for character in plain if not unicodedata.combining(character))


def names_a_secret(heading: str) -> bool:
    """Tell whether a heading names a kind of secret: password, PIN, code, key, login, community."""
    folded = _folded(heading)
    if _SAYS.search(folded):
        return True
    words = re.findall(r"[a-z0-9]+", folded)
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        of = before if word in _CODES else re.sub(r"codes?$", "", word) if word.endswith(("code", "codes")) else None
        if of is not None and of not in _HARMLESS_CODES:
            return True
        if word in _HEADING_WORDS and not (word in {"key", "keys"} and after in _HARMLESS_KEYS):
            return True
    return False


def speaks_of_a_secret(text: str) -> bool:
    """Tell whether a text speaks of a secret, and so may hold it, or have it beside it."""
    folded = _folded(text)
    return bool(_SAYS.search(folded) or _LABELLED.search(folded))


def _is_label(text: str) -> bool:
    """Tell whether a text is only a label, so that what it speaks of stands elsewhere."""
    return len(text.split()) <= 3 and not re.search(r"\d", text)


def looks_like_a_secret(text: str) -> bool:
    """Tell whether one word is made as passwords are: letters, digits and signs that no name has."""
    return any(_LOOKS.fullmatch(word) and not _ADDRESS.fullmatch(word.strip("()<>,.")) for word in text.split())


@dataclass(frozen=True)
class Grid:
    """A sheet's texts, and what of it the suite understood."""

    texts: Mapping[tuple[int, int], str]  # by row and column; of a merge, in its first cell
    headings: Mapping[int, str]  # by column: the heading's text, that of the row above it before
    heading_row: int  # 0 where the list has none
    read: frozenset[int]  # columns that the suite recognised
    devices: frozenset[int]  # rows
    hidden: frozenset[int]  # columns


def columns(grid: Grid, last: int) -> dict[int, str]:
    """Return the columns that are withheld, with the reason of each."""
    found = {}
    for column in range(1, last + 1):
        heading = grid.headings.get(column, "")
        if column in grid.read:
            continue
        if not heading:
            found[column] = "without a heading"
        elif column in grid.hidden:
            found[column] = "hidden"
        elif names_a_secret(heading):
            found[column] = "its heading names a secret"
    return found


def cells(grid: Grid, withheld: Mapping[int, str]) -> set[tuple[int, int]]:
    """Return the cells that are withheld: those of the withheld columns, those that tell a secret, or stand by one.

    Beside a text that speaks of a secret, that is all to its right, unless it is a device's note that says more than a
    label does; under one that is no device's (a label above or below the list), all down to the next empty cell.
    """
    found: set[tuple[int, int]] = set()
    below: dict[int, int] = {}  # by column: the last row of what stands under a label
    row_of_label = 0
    for (row, column), text in sorted(grid.texts.items()):
        if row in grid.devices and column in grid.read:
            continue
        if row == grid.heading_row:
            if column in withheld and re.search(r"[\d:=(\[]", text):  # "PIN (4711)": a heading that tells it
                found.add((row, column))
            continue
        speaks = speaks_of_a_secret(text)
        if (
            (column in withheld and row > grid.heading_row)
            or row_of_label == row
            or below.get(column) == row - 1
            or speaks
            or looks_like_a_secret(text)
        ):
            found.add((row, column))
        if speaks and (row not in grid.devices or _is_label(text)):
            row_of_label = row
        if (speaks and row not in grid.devices) or below.get(column) == row - 1:
            below[column] = row
    return found
