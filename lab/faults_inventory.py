"""Faults of the site folder: they change a copy of the customer's workbook or site file, not the estate."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab import known
from lab.catalogue import Cases, both, copier, domain, fault, inventory_fault, nth, of_senders, seen_from, subnet

if TYPE_CHECKING:
    from pathlib import Path

    from lab.estate import Estate
    from scanproof.site import Copier, Site
    from scanproof.workbook import Row


def load_site(folder: Path) -> Site:
    """Return the site of a folder that is to be changed."""
    from scanproof import site  # noqa: PLC0415 - slow to import, and a lab's own process never needs it

    return site.load(folder)


def _rows(site: Site) -> list[Row]:
    """Return the rows of copiers whose address is plain text, in the list's order."""
    listed = {copier.row: copier.address for copier in site.copiers}
    return [row for row in site.table.rows if row.cells["address"].value == listed.get(row.number)]


def _lost(number: int) -> Cases:
    """Return INV-1 of a row whose address was lost, and INV-3 of its subnet: the print server still knows it."""
    return lambda site: [
        ("INV-1", _rows(site)[number].key),
        ("INV-3", next(part.subnet for part in site.copiers if part.row == _rows(site)[number].number)),
    ]


def _row(number: int) -> Cases:
    """Return INV-1 of the row at a place of the list."""
    return lambda site: [("INV-1", _rows(site)[number].key)]


def _doubled(first: int, second: int) -> Cases:
    """Return INV-1 of a row that took over another's serial number, by the key that it has then, and of that other."""
    # The second one's own serial is another by then: INV-2.
    return lambda site: [
        *((name, f"{_rows(site)[first].key}+row{_rows(site)[second].number}") for name in ("INV-1", "INV-2")),
        *_row(first)(site),
    ]


def _write(folder: Path, site: Site, values: dict[str, str | None]) -> None:
    """Write cells of the workbook; None empties one."""
    from openpyxl import load_workbook  # noqa: PLC0415 - as above

    path = folder / site.file.fleet.workbook
    book = load_workbook(path)
    sheet = book[site.table.sheet]
    for reference, value in values.items():
        sheet[reference].value = value
    book.save(path)


@inventory_fault("address-misspelt", cause="bad-row", breaks=_lost(2))
def _(folder: Path) -> None:
    """One copier's address is misspelt (10.20.90.300)."""
    site = load_site(folder)
    cell = _rows(site)[2].cells["address"]
    _write(folder, site, {cell.ref: cell.value.rpartition(".")[0] + ".300"})


@inventory_fault("address-missing", cause="bad-row", breaks=_lost(3))
def _(folder: Path) -> None:
    """One copier has no address."""
    site = load_site(folder)
    _write(folder, site, {_rows(site)[3].cells["address"].ref: None})


@inventory_fault("address-doubled", cause="bad-row", breaks=both(_lost(4), _row(0)))
def _(folder: Path) -> None:
    """Two copiers have the same address."""
    site = load_site(folder)
    rows = _rows(site)
    _write(folder, site, {rows[4].cells["address"].ref: rows[0].cells["address"].value})


@inventory_fault("serial-doubled", cause="bad-row", breaks=_doubled(0, 5))
def _(folder: Path) -> None:
    """Two copiers have the same serial number."""
    site = load_site(folder)
    rows = _rows(site)
    _write(folder, site, {rows[5].cells["serial"].ref: rows[0].cells["serial"].value})


def _row_kind(number: int) -> Cases:
    """Return COV-2 of the other copiers of the model and subnet of the one in the row at a place of the list."""

    def cases(site: Site) -> list[tuple[str, str]]:
        stands = next(part for part in site.copiers if part.row == _rows(site)[number].number)
        alike = (stands.subnet, stands.model)
        there = [part for part in site.copiers if (part.subnet, part.model) == alike]
        return [("COV-2", part.key) for part in there if part.key != stands.key]

    return cases


# A copier that isn't known to be one proves nothing for its kind.
@inventory_fault("make-unknown", cause="bad-row", breaks=_row(6), unproves=_row_kind(6))
def _(folder: Path) -> None:
    """One copier has neither a make nor a model that tells it."""
    site = load_site(folder)
    cells = _rows(site)[6].cells
    _write(folder, site, {cells[name].ref: None for name in ("make", "model") if name in cells})


# Nobody signs in by OAuth then, and the app may still send as any sender: more than reading, without need.
@inventory_fault(
    "sender-by-password",
    cause="basic-auth-ends",
    breaks=both(of_senders("TEN-9", auth="oauth", first=True), domain("TEN-13")),
    unproves=of_senders("TEN-12", auth="oauth", first=True),  # of whom the log holds no sign-in by password
)
def _(folder: Path) -> None:
    """The sender that could sign in by OAuth is listed as one that signs in by password."""
    path = folder / "site.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('auth = "oauth"', 'auth = "basic"', 1), encoding="utf-8")


_OF_ROUTE = ("DEV-2", "DEV-3", "DEV-4")


@inventory_fault(
    "route-stated-otherwise",
    cause="copier-not-moved",
    breaks=both(lambda site: [(name, _apart(site).key) for name in _OF_ROUTE], subnet("COV-3")),
)
def _(folder: Path) -> None:
    """One copier's stated route is direct send, and the device is still set to sign in."""
    site, path = load_site(folder), folder / "site.toml"
    path.write_text(
        path.read_text(encoding="utf-8") + f'\n[[copier]]\nserial = "{_apart(site).serial}"\nroute = "direct-send"\n',
        encoding="utf-8",
    )


def _apart(site: Site) -> Copier:
    """Return a copier of the first subnet of which the site file says nothing, one of several of its model."""
    there = [it for it in site.copiers if it.subnet == site.subnets[0].prefix]
    models = [it.model for it in there]
    return next(it for it in reversed(there) if it.stated is None and it.serial and models.count(it.model) > 1)


@inventory_fault("vantage-not-yet", cause=None, unproves=seen_from(2, by_mail="endpoint"))
def _(folder: Path) -> None:
    """Nobody has named a host of a subnet yet from which it could be seen."""
    path = folder / "site.toml"
    tables = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    hosts = [table for table in tables if table.startswith("[[vantage]]")]
    path.write_text("".join(table for table in tables if table not in hosts[1:2]), encoding="utf-8")


def _queue(folder: Path) -> None:
    """Give the print server a queue for the copier that the fleet list lacks."""
    site = load_site(folder)
    if site.file.fleet.known:
        subnet = site.subnets[1 % len(site.subnets)]
        model = next(part.model for part in site.copiers if part.subnet == subnet.prefix)
        address = known.place(subnet.prefix, {part.address for part in site.copiers})
        known.add(folder, site.file.fleet.known, model, address)


@fault(
    "unlisted-copier",
    layer="inventory",
    cause="unlisted-device",
    breaks=lambda site: [("INV-3", site.subnets[1 % len(site.subnets)].prefix)],
    folder=_queue,
)
def _(estate: Estate) -> None:
    """A copier of one subnet is not on the list; the print server has a queue for it."""
    found = known.unlisted(estate, 1)
    estate.copiers[found.key] = found


_NOBODY = "nobody"  # an administrator that no device has: its pages are not read then


# Its own pages can't be read, since the site names an administrator that it doesn't have.
@inventory_fault(
    "saved-page-of-another",
    cause="saved-page",
    breaks=copier(0, "DEV-1"),
    unproves=copier(0, "DEV-2", "DEV-3", "DEV-4", "DEV-5"),
)
def _(folder: Path) -> None:
    """A page that was saved by hand for one copier is another's."""
    site = load_site(folder)
    one, other = nth(site, 0), nth(site, 1)
    service = site.services[one.route]
    texts = {"smtpServerName": service.host, "smtpSendPort": str(service.port), "smtpUserName": one.sender or ""}
    texts |= {"adminMailAddress": one.sender or "", "smtpAuthMailAddress": one.sender or ""}
    fields = [f'<input type="text" name="{name}" value="{value}">' for name, value in texts.items()]
    for name, value in (("smtpOverSSL", "true"), ("smtpAuth", "true"), ("popBeforeSmtp", "false")):
        fields.append(f'<input type="radio" name="{name}" value="{value}" checked>')
    hidden = '<input type="hidden" name="methodName" value="mailConfGet">'
    text = (
        f"<!-- saved from url=(0061)http://{other.address}/web/entry/en/websys/netw/mailConfGet.cgi -->\n"
        f"<html><head><title>{other.host_name or 'RNP00267300AA01'} - Web Image Monitor</title></head>"
        f'<body><form name="form1">{"".join(fields)}{hidden}</form></body></html>'
    )
    (folder / "saved-page.html").write_text(text, encoding="utf-8")
    stated = f'\n[[copier]]\naddress = "{one.address}"\nadmin_user = "{_NOBODY}"\nsettings = "saved-page.html"\n'
    path = folder / "site.toml"
    path.write_text(path.read_text(encoding="utf-8") + stated, encoding="utf-8")


# The lab's copiers make new certificates at each start: what was known of one before is another's.
@inventory_fault("certificate-changed", cause="wrong-device", breaks=copier(0, "INV-2"))
def _(folder: Path) -> None:
    """A copier shows another certificate than the one that the site knows it by."""
    one = nth(load_site(folder), 0)
    before = {
        "certificate": hashlib.sha256(f"an earlier certificate of {one.key}".encode()).hexdigest(),
        "since": (datetime.now(UTC) - timedelta(days=30)).isoformat(timespec="seconds"),
    }
    (folder / "known-devices.json").write_text(json.dumps({f"copier {one.key}": before}), encoding="utf-8")
