"""What of a customer's list is not given back: the run folder goes on a ticket, and lists hold passwords.

A column that the suite recognises stands in the report anyway. Of the others only those are given back whose heading is
known to be harmless (``ordinary``): what a column of passwords may be called, nobody can list. In them and around the
list, a text that speaks of a secret is withheld, with what stands beside it. A password under a harmless heading and
with no word beside it can't be told from other words, unless it looks like one: the documents say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanproof.report.ordinary import folded, is_ordinary

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_PLACE = "[not given back]"
UNKNOWN = "its heading isn't one that is known to be harmless"

# English, German, French, Spanish, folded: no accents, small letters. The long ones are found inside longer words.
_STEMS = (
    "pass ?wor[dt]|passw|passphras|passcode|passkey|kennw(?:o|oe)rt|kenncode|codew(?:o|oe)rt|losungswort|geheim|"
    "secret(?!ar)|credential|contrasen|mots? de passe|zugangsdat|anmeldedat|zugangscode|"
    "(?:community|ro|rw|read|write) ?string"
)
_WORDS = "pwd|pwds|pw|pws|psw|pin|pins|puk|mdp|clave|claves|psk|otp"
_OF = (  # what a password is of, before or behind its word
    "admin|administrator|sysadmin|root|supervisor|web|wlan|wifi|wpa|wep|snmp|smb|ftp|smtp|ldap|mail|fax|scan|user|usr|"
    "benutzer|nutzer|panel|service|gerate?|device|drucker|printer|default|standard|login|local|remote"
)
_SAYS = re.compile(
    rf"(?:{_STEMS})|(?<![a-z0-9])(?:{_WORDS})(?![a-z])|"
    rf"(?<![a-z])(?:{_OF})s?(?:{_WORDS}|pass|keys?|codes?|kennung)(?![a-z])|"
    rf"(?<![a-z])(?:{_WORDS}|pass|key|code|kennung)(?:{_OF})(?![a-z])"
)
_LABELLED = re.compile(
    r"(?<![a-z])(?:pass|code|login|logon|token|key|schlussel|community|admin|kw|kennung|snmp(?:v[123]c?)?)s? ?[:=]|"
    # "login rico / 1234", "admin/rico99", "user scan/1234"
    r"(?<![a-z])(?:log ?in|logon|admin|administrator|root|supervisor|sysadmin)(?![a-z])[^/|\\]{0,40}[/|\\] ?\w|"
    r"(?<![a-z])(?:user|username|benutzer|benutzername|utilisateur|usuario)(?![a-z])[^/|\\]{0,40}[/|\\] ?\S{0,60}\d"
)
_INSIDE = re.compile(r"(?<=[a-z])[-./_'’\u00ad\u2010\u2011](?=[a-z])")  # of P/W, P.W., Kenn-wort
_HEADING_WORDS = {
    "pass", "passe", "community", "login", "logins", "logon", "zugang", "zugange", "anmeldung", "access", "key", "keys",
    "clef", "cle", "schlussel", "token", "tokens", "snmp", "snmpv1",
    "snmpv2", "snmpv2c", "snmpv3", "kennung", "kennungen", "cred", "creds", "auth", "wpa",
    "admin", "administrator", "hash",
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


def names_a_secret(heading: str) -> bool:
    """Tell whether a heading names a kind of secret: password, PIN, code, key, login, community."""
    text = folded(heading)
    if _says(text):
        return True
    words = re.findall(r"[a-z0-9]+", text)
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        of = before if word in _CODES else re.sub(r"codes?$", "", word) if word.endswith(("code", "codes")) else None
        if of is not None and of not in _HARMLESS_CODES:
            return True
        if word in _HEADING_WORDS and not (word in {"key", "keys"} and after in _HARMLESS_KEYS):
            return True
    return False


def speaks_of_a_secret(text: str) -> bool:
    """Tell whether a text speaks of a secret, and so may hold it, or have it beside it."""
    plain = folded(text)
    return _says(plain) or bool(_LABELLED.search(plain))


def _says(text: str) -> bool:
    return bool(_SAYS.search(text) or _SAYS.search(_INSIDE.sub("", text)))


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
        elif not is_ordinary(heading):
            found[column] = UNKNOWN
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
