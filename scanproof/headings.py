"""Which column of a customer's list holds what: headings in several languages, wherever they stand."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from openpyxl.utils import column_index_from_string

from scanproof import cellvalues
from scanproof.sheets import MAX_COLUMNS, RawCell, WorkbookError, ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanproof.sheets import Sheet

HEADING_ROWS = 30  # rows with text in which the headings are looked for
_SAMPLE_ROWS = 300  # rows whose content decides what an ambiguous heading means

FIELDS = (
    "address", "serial", "make", "model", "host_name", "site", "building", "department", "location",
    "floor", "room", "route", "prefix", "mask",
)  # fmt: skip

# English, German, French, Spanish; folded as by _folded(). "?" marks what only the column's content can tell.
_NAMES = {
    "address": "deviceaddress networkaddress netzwerkadresse adressereseau direccionred direcciondered hostaddress",
    "address?": "address adresse direccion",
    "host?": "host hostname hostnames dnsname fqdn netbiosname netbios computername networkname hostnamefqdn "
    "rechnername netzwerkname nomdhote nomhote nomreseau nombredehost nombrehost nombredered nombredelequipo",
    "serial": "sn serial serialno serialnr serialnum serialnumber serialnumbers serials machineserial "
    "machineserialnumber machineno deviceserial deviceserialnumber seriennummer seriennr serienno geratenummer "
    "geratenr fabriknummer maschinennummer numerodeserie numeroserie nserie ndeserie nodeserie noserie numserie serie",
    "make": "make manufacturer vendor brand mfr mfg makemanufacturer hersteller marke fabrikat marque fabricant "
    "constructeur marca fabricante",
    "model": "model modelname modelno modelnumber devicemodel printermodel copiermodel machinemodel productname "
    "product devicetype machinetype modelltyp modell modellname geratetyp modele typedappareil nomdumodele modelo "
    "nombredelmodelo",
    "site": "site campus standort liegenschaft sede branch niederlassung",
    "building": "building bldg gebaude haus batiment edificio",
    "department": "dept department departement abteilung abt service departamento depto unit ward station",
    "location": "location locations devicelocation place standplatz aufstellort ort emplacement lieu localisation "
    "ubicacion lugar",
    "floor": "floor level storey stockwerk etage geschoss niveau planta piso",
    "room": "room roomno roomnumber raum raumnr raumnummer zimmer salle piece bureau sala habitacion",
    "route": "route mailroute sendroute mailpath versandweg mailweg acheminement ruta",
    "prefix": "subnet network subnetz netz netzwerk sousreseau reseau subred red ipsubnet vlansubnet subnetprefix",
    "mask": "mask netmask subnetmask prefix prefixlength cidr netzmaske subnetzmaske netzwerkmaske prafix masque "
    "masquedesousreseau masquereseau mascara mascaradesubred mascaradered prefijo",
}
_FIELD_OF = {name: field_name for field_name, names in _NAMES.items() for name in names.split()}
_ADDRESS_WORDS = {
    "ip", "ipv4", "ipv6", "v4", "v6", "tcp", "tcpip", "ipaddress", "ipadresse", "address", "addresses", "addr",
    "adresse", "adress", "adr", "direccion", "device", "printer", "copier", "mfp", "mfd", "machine", "network", "lan",
    "host", "static", "fixed", "new", "current", "no", "nr", "number", "drucker", "kopierer", "gerat", "gerate",
    "netzwerk", "neue", "neu", "de", "la", "du", "l", "imprimante", "copieur", "impresora", "appareil", "equipo",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Where a sheet's columns are."""

    row: int  # the last row of the headings; 0 if the list has none
    columns: Mapping[str, int] = field(hash=False)
    cells: Mapping[str, RawCell] = field(hash=False)
    ignored: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()  # fields of [fleet] columns that nothing here answers to
    only_headings: bool = False  # every cell of the row itself is part of a known heading

    @property
    def score(self) -> tuple[bool, int, int]:
        """Order headers: one that has addresses first, then by what else it tells."""
        return "address" in self.columns, -len(self.unmatched), len(self.columns)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    return "".join(character for character in plain if character.isalnum() and character.isascii())


def recognise(text: str) -> str | None:
    """Return the field that a heading names; ``host?`` and ``address?`` are for the content to decide."""
    for variant in (text, re.sub(r"\(.*?\)|\[.*?\]", " ", text)):
        if name := _FIELD_OF.get(_folded(variant)):
            return name
        words = {_folded(word) for word in re.split(r"[^\w]+|_", variant)} - {""}
        if words & {"ip", "ipv4", "ipv6", "ipaddress", "ipadresse"} and words <= _ADDRESS_WORDS:
            return "address"
    return None


def find(sheet: Sheet, named: Mapping[str, str]) -> Header | None:
    """Find a sheet's headings among its first rows.

    Args:
        sheet: what to look at.
        named: ``[fleet] columns``: a heading's text or a column's letter for a field.

    Returns:
        The best row of headings; its columns may lack ``address``. None if no row has a known heading.
    """
    best = None
    for number in list(sheet.rows)[:HEADING_ROWS]:
        header = _header_at(sheet, number, named)
        if header is None:
            continue
        continued = best is not None and header.only_headings and number == best.row + 1 and header.score == best.score
        if best is None or header.score > best.score or continued:
            best = header
    return best or _without_headings(sheet, named)


def checked(named: Mapping[str, str], path: object) -> None:
    """Check the field names of ``[fleet] columns``.

    Raises:
        WorkbookError: one is no field of a fleet list.
    """
    for name in named:
        if name not in FIELDS:
            raise WorkbookError(f"{path}: [fleet] columns: {name!r} is not one of {', '.join(FIELDS)}")


def _looks_filled(row: Mapping[int, RawCell]) -> bool:
    return any(cellvalues.is_address(cell.value) or cellvalues.is_address(cell.link) for cell in row.values())


def _header_at(sheet: Sheet, number: int, named: Mapping[str, str]) -> Header | None:
    own, upper = sheet.rows[number], sheet.rows.get(number - 1, {})
    if _looks_filled(own):
        return None
    if _looks_filled(upper):
        upper = {}
    wanted = {_folded(text): name for name, text in named.items() if name in FIELDS}
    kinds: dict[int, str] = {}
    texts: dict[int, RawCell] = {}
    told = 0
    for column in sorted({*own, *upper}):
        here, above = own.get(column), upper.get(column)
        choices = []
        if here and above and not here.inherited:
            choices = [here.value, f"{above.value} {here.value}"]
        elif here:
            choices = [here.value]
        found = [wanted.get(_folded(text)) or recognise(text) for text in choices]
        firm = next((kind for kind in found if kind and not kind.endswith("?")), None) or next(
            filter(None, found), None
        )
        told += firm is not None
        from_above = None if firm or not above else wanted.get(_folded(above.value)) or recognise(above.value)
        cell = above if above and (from_above or not here) else here
        if cell is None or (cell is above and not from_above):
            continue
        texts[column] = cell
        if kind := firm or from_above:
            kinds[column] = kind
    if not told:
        return None
    return replace(_resolved(sheet, number, kinds, texts, named), only_headings=told == len(own))


def _resolved(
    sheet: Sheet, number: int, kinds: Mapping[int, str], texts: Mapping[int, RawCell], named: Mapping[str, str]
) -> Header:
    """Settle ambiguous and doubled headings by what stands under them."""
    columns: dict[str, int] = {}
    addresses = {column: _addresses(sheet, number, column) for column in kinds}
    by_kind: dict[str, list[int]] = {}
    for column, kind in kinds.items():
        by_kind.setdefault(kind, []).append(column)
    maybe = [
        c
        for kind in ("host?", "address?")
        for c in by_kind.get(kind, [])
        if addresses[c] * 2 >= _filled(sheet, number, c) > 0
    ]
    candidates = by_kind.get("address") or maybe
    if candidates:
        columns["address"] = max(candidates, key=lambda column: addresses[column])
    names = [column for column in by_kind.get("host?", []) if column not in maybe]
    for kind, found in {**by_kind, "host_name": by_kind.get("host_name", []) or names}.items():
        if found and not kind.endswith("?") and kind != "address":
            columns[kind] = found[0]
    stated = _stated(named, texts)
    columns |= stated
    cells = {name: texts.get(column) or RawCell(ref(max(number, 1), column), "") for name, column in columns.items()}
    used = set(columns.values())
    ignored = tuple(cell.value for column, cell in texts.items() if column not in used and cell.value)
    return Header(number, columns, cells, ignored, tuple(name for name in named if name not in stated))


def _stated(named: Mapping[str, str], texts: Mapping[int, RawCell]) -> dict[str, int]:
    headings = {_folded(cell.value): column for column, cell in texts.items()}
    found: dict[str, int] = {}
    for name, text in named.items():
        if _folded(text) in headings:
            found[name] = headings[_folded(text)]
        elif (
            re.fullmatch("[A-Za-z]{1,2}", text.strip())
            and (column := column_index_from_string(text.strip().upper())) <= MAX_COLUMNS
        ):
            found[name] = column
    return found


def _without_headings(sheet: Sheet, named: Mapping[str, str]) -> Header | None:
    columns = _stated(named, {})
    address = columns.get("address")
    for number in list(sheet.rows)[:HEADING_ROWS] if address else []:
        cell = sheet.rows[number].get(address or 0)
        if cell and (cellvalues.is_address(cell.value) or cellvalues.is_address(cell.link)):
            return _resolved(sheet, number - 1, {}, sheet.rows.get(number - 1, {}), named)
    return None


def _below(sheet: Sheet, number: int, column: int) -> list[RawCell]:
    rows = (sheet.rows.get(row, {}) for row in range(number + 1, number + 1 + _SAMPLE_ROWS))
    return [row[column] for row in rows if column in row]


def _filled(sheet: Sheet, number: int, column: int) -> int:
    return len(_below(sheet, number, column))


def _addresses(sheet: Sheet, number: int, column: int) -> int:
    found = _below(sheet, number, column)
    return sum(1 for cell in found if cellvalues.is_address(cell.value) or cellvalues.is_address(cell.link))
