"""``scanproof init``: a site folder from a customer's list, and what to tell the user about it."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from scanproof import sitefile, workbook
from scanproof.sitefile import SiteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from scanproof.workbook import Row, Table

# Not a host name, so that the site file is refused, with this text, until it is filled in.
PLACEHOLDER = "FILL IN the mail domain"
_SECRET_HEADING = re.compile(
    r"pass ?(word|wd|code|phrase)|passw|\bpwd?\b|\bpin\b|secret|credential|kennwort|mot de passe|contrase",
    re.IGNORECASE,
)

_SITE = """\
# {customer}
# inventory/template/site.toml explains every key, with those that are not here.
# Passwords never stand in this file (docs/secrets.md).

[site]
name = {name}
# customer = "Name for the report"
# ticket = "REQ-104217"
# engineer = "A. Engineer"
# The moment of the move, with its zone: scans before it prove nothing.
# cutover = 2026-11-16T06:00:00+01:00
# After each repair, its moment: older scans, log lines and saved files no longer count.
# last_change = 2026-11-18T17:30:00+01:00
scope = ["copiers"]  # what this sign-off covers; also "other-makes" and "applications"

[fleet]
workbook = {workbook}
{sheet}{columns}makes = {makes}

[mail]
domain = {domain}  # such as "hospital.example"
routes = ["smtp-auth"]  # in order of preference: "smtp-auth", "direct-send", "relay"
# tenant_endpoint = "hospital-example.mail.protection.outlook.com"  # for direct-send and relay
# retired_hosts = ["mail.hospital.example"]
# test_recipients = [{{ address = "scan-proof@hospital.example", readable = true }}]

# The mailbox that the copiers sign in as.
# [[sender]]
# address = "scan@hospital.example"
# auth = "basic"

# [tenant]
# id = "the directory's id"
# client_id = "the app registration's id"
{subnets}"""

_SUBNET = """
[[subnet]]
prefix = {prefix}  # {copiers}
# name = "Name for the report"
# resolvers = ["10.20.10.53"]  # the name servers that the copiers there have
"""


def init(workbook_path: Path, to: Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """Make a site folder from a customer's list.

    Args:
        workbook_path: the list; it is copied into the folder.
        to: the folder; it may exist, the files in it are never overwritten.
        columns: headings that aren't recognised, by field; they are kept in the site file.

    Returns:
        Lines for the user: what was recognised, what could not be read, what to do next.

    Raises:
        SiteError: the list or the folder can't be used; nothing was written then.
    """
    try:
        table = workbook.read(workbook_path, columns=columns)
    except workbook.WorkbookError as error:
        hint = "; here: scanproof init … --column address=HEADING" if "no address column" in str(error) else ""
        raise SiteError(f"{error}{hint}") from None
    makes, subnets = _makes(table), _subnets(table)
    ours = _ours(makes)
    text = _site_text(table, to.resolve().name, ours, subnets, columns or {})
    sitefile.parse(text.replace(_quoted(PLACEHOLDER), '"hospital.example"'), str(to / "site.toml"))
    _write(workbook_path, to, table.file, text)
    return [
        f"{to / 'site.toml'}: written; {to / table.file}: the list, as it is",
        *_recognised(table, makes, ours, subnets),
        *_unread(table),
        *_next(to),
    ]


def _write(source: Path, to: Path, name: str, text: str) -> None:
    target, copy = to / "site.toml", to / name
    try:
        in_place = copy.exists() and copy.samefile(source)
        for path in (target,) if in_place else (target, copy):
            if path.exists():
                raise SiteError(
                    f"{path}: exists and is not overwritten; take it away, or name another folder with --to"
                )
        to.mkdir(parents=True, exist_ok=True)
        if not in_place:
            shutil.copyfile(source, copy)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except (FileExistsError, NotADirectoryError):
        raise SiteError(f"{to}: a file is in the way; name another folder with --to") from None
    except OSError as error:
        raise SiteError(f"{to}: can't be written: {error.strerror or error}; name another folder with --to") from None


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are valid there, and cleaned text has no others to make."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _site_text(
    table: Table, name: str, ours: tuple[str, ...], subnets: Counter[str], columns: Mapping[str, str]
) -> str:
    parts = [
        _SUBNET.format(prefix=_quoted(prefix), copiers=_count(count, "usable row")) for prefix, count in subnets.items()
    ]
    named = [f"{_quoted(field)} = {_quoted(heading)}" for field, heading in columns.items()]
    return _SITE.format(
        customer=f"Made from {table.file}",
        name=_quoted(name or "site"),
        workbook=_quoted(table.file),
        sheet=f"sheet = {_quoted(table.sheet)}\n" if table.sheet else "",
        columns=f"columns = {{ {', '.join(named)} }}\n" if named else "",
        makes=f"[{', '.join(map(_quoted, ours))}]",
        domain=_quoted(PLACEHOLDER),
        subnets="".join(parts),
    )


def _makes(table: Table) -> Counter[str]:
    return Counter(dict(Counter(row.make or "unknown" for row in table.rows).most_common()))


def _ours(makes: Counter[str]) -> tuple[str, ...]:
    """Take Ricoh where the list has it, else its most frequent make."""
    known = [make for make in makes if make != "unknown"]
    return ("Ricoh",) if "Ricoh" in known or not known else (known[0],)


def _subnets(table: Table) -> Counter[str]:
    found = Counter(_prefix(row) for row in table.rows if row.address)
    return Counter({prefix: found[prefix] for prefix in sorted(found, key=_in_order)})


def _prefix(row: Row) -> str:
    length = 24 if ipaddress.ip_address(str(row.address)).version == 4 else 64
    return row.prefix or str(ipaddress.ip_network(f"{row.address}/{length}", strict=False))


def _in_order(prefix: str) -> tuple[int, int]:
    network = ipaddress.ip_network(prefix)
    return network.version, int(network.network_address)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _recognised(table: Table, makes: Counter[str], ours: tuple[str, ...], subnets: Counter[str]) -> Iterator[str]:
    sheet = f", sheet {table.sheet}" if table.sheet else ""
    yield f"{table.file}{sheet}: {_count(len(table.rows), 'device')}"
    columns = (f"{name} = {cell.value!r} ({cell.ref})" for name, cell in table.headings.items())
    yield f"columns: {', '.join(columns)}"
    if table.ignored:
        yield f"columns that are not used: {', '.join(map(repr, table.ignored))}; [fleet] columns can name them"
    secret = [heading for heading in table.ignored if _SECRET_HEADING.search(heading)]
    if secret:
        yield (
            f"the list holds what looks like passwords (column {', '.join(map(repr, secret))}): a run never keeps that "
            "column, but the copy in this folder has it; delete the column there if you can"
        )
    yield f"makes: {_listed(makes)}; in scope: {', '.join(ours)} ([fleet] makes)"
    yield f"subnets: {_listed(subnets)}"
    if table.hidden:
        yield f"hidden rows, which count like any other: {', '.join(map(str, table.hidden))}"
    yield from (f"left out: {line}" for line in table.skipped)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counted.items()) or "none"


def _unread(table: Table) -> Iterable[str]:
    wrong = [row for row in table.rows if row.problems]
    if not wrong:
        return ["every row is usable"]
    lines = [table.line(problem) for row in wrong for problem in row.problems]
    return [f"{_count(len(wrong), 'row')} with something to correct (each that is in scope will fail INV-1):", *lines]


def _next(to: Path) -> Iterator[str]:
    yield "next:"
    yield f"1. fill in {to / 'site.toml'}: [mail] domain, a [[sender]], test_recipients, cutover, last_change, scope"
    yield "2. set the secrets: scanproof secret set NAME (docs/secrets.md)"
    yield f"3. scanproof doctor --site {to}"
    yield f"4. pytest --site {to}"
