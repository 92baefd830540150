"""Tables of TCP connections, as a machine's own commands print them.

``Get-NetTCPConnection | ConvertTo-Csv`` or ``ConvertTo-Json`` (PowerShell 5 saves UTF-16, 7 UTF-8), ``ss -tn``, and
``netstat -an`` of Windows and Linux in any language. Only the addresses, ports and states are taken from them.

What is no row of a table (headings, blank lines, UDP, sockets of other kinds) is passed over. A row that can't be read
is an error: it could be the one that matters.
"""

from __future__ import annotations

import codecs
import csv
import ipaddress
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST = 20_000_000  # bytes: a row of PowerShell's JSON can take several thousand
ROWS = 100_000
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))
# ss's states (its manual page). What netstat calls them is in the machine's language; there the protocol tells a row.
_STATES = frozenset(
    {"ESTAB", "ESTABLISHED", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT"}
    | {"LAST-ACK", "LISTEN", "CLOSING", "CLOSED"}
)
_FIELDS = ("localaddress", "localport", "remoteaddress", "remoteport")
_TCP = re.compile(r"tcp(?:4|6|46)?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class TableError(Exception):
    """A table that can't be used: one reason, with the line."""


@dataclass(frozen=True)
class Row:
    """One connection.

    Attributes:
        line: of the file; of JSON, which has no lines of its own, the number of the object.
    """

    local: str
    remote: str
    port: int
    state: str
    line: int


@dataclass(frozen=True)
class Table:
    """A whole table."""

    command: str  # that printed it
    rows: tuple[Row, ...]


def read(data: bytes) -> Table:
    """Read a table.

    Raises:
        TableError: it is none, or holds a row that can't be read.
    """
    if len(data) > MOST:
        raise TableError(f"larger than {MOST} bytes")
    text = _decoded(data)
    start = text.lstrip()[:1]
    if start in {"{", "["}:
        return Table("Get-NetTCPConnection", _bounded(_objects(text)))
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("#TYPE"):
            low = line.lower()
            if "remoteaddress" in low and "remoteport" in low and ("," in low or ";" in low):
                return Table("Get-NetTCPConnection", _bounded(_cells(lines, number)))
            break
    return _printed(lines)


def _decoded(data: bytes) -> str:
    encoding = next((found for mark, found in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise TableError(f"not {encoding.upper()} text (byte {error.start})") from None
        text = data.decode("latin-1")  # a console's own code page: all that matters is ASCII
    if (at := text.find("\0")) >= 0:
        raise TableError(f"line {text.count(chr(10), 0, at) + 1}: not text (a zero byte)")
    return text


def _bounded(rows: Iterable[Row]) -> tuple[Row, ...]:
    found: list[Row] = []
    for row in rows:
        if len(found) == ROWS:
            raise TableError(f"line {row.line}: more than {ROWS} connections")
        found.append(row)
    return tuple(found)


# ---- PowerShell's objects


def _objects(text: str) -> Iterator[Row]:
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(f"line {error.lineno}: not JSON: {plain(error.msg, 100)}") from None
    except (ValueError, RecursionError) as error:
        raise TableError(f"line 1: not JSON that can be read ({type(error).__name__})") from None
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        body = body["value"]  # what PowerShell 5 makes of a list that stands in another object
    for number, item in enumerate(body if isinstance(body, list) else [body], 1):
        if not isinstance(item, dict):
            raise TableError(f"object {number}: no connection, but {plain(json.dumps(item), 40)}")
        named = {str(name).lower(): value for name, value in item.items()}
        yield _row([named.get(name) for name in _FIELDS], named.get("state"), number, f"object {number}")


def _cells(lines: list[str], head: int) -> Iterator[Row]:
    separator = ";" if lines[head].count(";") > lines[head].count(",") else ","
    reader = csv.reader((f"{line}\n" for line in lines[head:]), delimiter=separator, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader)]
        places = [names.index(name) if name in names else None for name in (*_FIELDS, "state")]
        for cells in reader:
            at = head + reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise TableError(f"line {at}: {len(cells)} cells, where the first line names {len(names)}")
            *values, state = [cells[place] if place is not None else None for place in places]
            yield _row(values, state, at, f"line {at}")
    except csv.Error as error:
        raise TableError(f"line {head + reader.line_num}: not CSV: {plain(str(error), 100)}") from None


def _row(values: list[Any], state: object, number: int, where: str) -> Row:
    """Return the row of PowerShell's fields; the local ones may have been left out."""
    local, _, remote, port = values
    if isinstance(port, bool) or not isinstance(port, (int, str)) or not isinstance(remote, str):
        raise TableError(f"{where}: lacks RemoteAddress or RemotePort: save the command's whole output")
    own = _address(local, where) if isinstance(local, str) and local.strip() else ""
    return Row(own, _address(remote, where), _port(str(port), where), _word(state), number)


# ---- what ss and netstat print


def _printed(lines: list[str]) -> Table:
    command = ""
    for line in lines:
        low = line.lower()
        if "recv-q" in low and "peer address" in low:
            command = "ss"
            break
        if re.match(r"\s*proto\b", low) or re.match(r"\s*active (internet )?connections", low):
            command = "netstat"
            break
    rows = _bounded(_lines(lines))
    if not command and not rows:
        raise TableError("line 1: no table of connections that ss, netstat or Get-NetTCPConnection print")
    return Table(command or "netstat or ss", rows)


def _lines(lines: list[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        words = line[:2000].split()
        if len(words) < 3:
            if words and _TCP.fullmatch(words[0]):
                raise TableError(f"line {number}: is cut off: {plain(line.strip(), 60)}")
            continue
        parts = _parts(words)
        if parts is None:
            continue
        if len(parts) < 2:
            raise TableError(f"line {number}: is cut off: {plain(line.strip(), 60)}")
        where = f"line {number}"
        local, own_port = _split(parts[0], where)
        remote, port = _split(parts[1], where)
        _port(own_port, where)
        yield Row(local, remote, _port(port, where), _word(_state(words)), number)


def _parts(words: list[str]) -> list[str] | None:
    """Return what stands from the local address on, of a line that is a TCP connection's; None of any other."""
    if _TCP.fullmatch(words[0]):
        words = words[1:]
    elif words[0].upper() not in _STATES and not (_NUMBER.fullmatch(words[0]) and _NUMBER.fullmatch(words[1])):
        return None
    if words and words[0].upper() in _STATES:
        words = words[1:]  # ss: with or without the protocol before it
    if len(words) > 1 and _NUMBER.fullmatch(words[0]) and _NUMBER.fullmatch(words[1]):
        words = words[2:]  # the queues, which Windows doesn't show
    return words


def _state(words: list[str]) -> str:
    known = next((word for word in words if word.upper() in _STATES | {"SYN_SENT", "TIME_WAIT", "CLOSE_WAIT"}), "")
    last = words[3] if _TCP.fullmatch(words[0]) and len(words) > 3 and ":" not in words[3] else ""
    return known or last


def _split(text: str, where: str) -> tuple[str, str]:
    """Return address and port of ``10.1.2.3:587``, ``[2001:db8::1]:587`` or ``2001:db8::1:587``."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise TableError(f"{where}: {plain(text, 60)} is no address and port")
    return _address(host, where), port


def _address(text: str, where: str) -> str:
    """Return an address in its one form; one that stands for any as ``*``."""
    bare = text.strip().strip("[]").partition("%")[0]  # a zone or an interface may follow
    if bare in {"*", ""}:
        return "*"
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise TableError(
            f"{where}: {plain(text, 60)} is no IP address: save it with numbers (ss -tn, netstat -an)"
        ) from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _port(text: str, where: str) -> int:
    text = text.strip()
    if text == "*":
        return 0
    if not _NUMBER.fullmatch(text) or int(text) > 65535:
        raise TableError(f"{where}: {plain(text, 40)} is no port: save it with numbers (ss -tn, netstat -an)")
    return int(text)


# MSFT_NetTCPConnection's numbers of states, which ConvertTo-Json gives.
_NUMBERED = {
    "1": "Closed", "2": "Listen", "3": "SynSent", "4": "SynReceived", "5": "Established", "6": "FinWait1",
    "7": "FinWait2", "8": "CloseWait", "9": "Closing", "10": "LastAck", "11": "TimeWait", "12": "DeleteTCB",
    "100": "Bound",
}  # fmt: skip


def _word(state: object) -> str:
    text = plain(str(state), 20) if isinstance(state, (int, str)) and not isinstance(state, bool) else ""
    return _NUMBERED.get(text, text)
