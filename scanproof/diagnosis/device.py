"""Causes at the copiers: how they are set, who they are, what they can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanproof.devices import rules
from scanproof.devices.facts import AddressBook, EmailSettings, Identity
from scanproof.devices.logs import OwnLog
from scanproof.diagnosis.inventory import BAD_ROW
from scanproof.diagnosis.model import DEVICE, ENGINEER, LIST, VENDOR, cause
from scanproof.diagnosis.network import DEVICE_TLS
from scanproof.evidence import WebPage

if TYPE_CHECKING:
    from scanproof.diagnosis.model import Seen, Told

_WEB = "NET-2 NET-3 NET-4"
_READ = "DEV-1 DEV-2 DEV-3 DEV-4 DEV-5 DEV-6 DEV-7 DEV-8 DEV-10 DEV-11 DEV-12 DEV-13"  # by its pages


@cause("device-down", "device", DEVICE, of=f"NET-1 {_WEB}")
def device_down(it: Seen) -> Told:
    """Neither ping nor a page: nothing is there."""
    pages = [page for one in it.others("NET-4") if one.failed for page in one.every(WebPage)]
    silent = bool(pages) and not any(page.connected or page.trouble_kind == "refused" for page in pages)
    if silent and it.failed and not it.holds("NET-1"):
        return "Nothing answers at a copier's address: it is off, unplugged, or has another address"
    return None


@cause("web-page-off", "device", DEVICE, of=_WEB)
def web_page_off(it: Seen) -> Told:
    """The device refuses the connection, so it is there and serves no page."""
    refused = [page for page in it.every(WebPage) if page.trouble_kind == "refused"]
    if it.failed and refused and it.holds("NET-4"):
        return "One of a copier's two web pages, HTTP or HTTPS, is switched off"
    return "A copier's web pages are switched off" if it.failed and refused else None


@cause("device-hangs", "device", DEVICE, of=_WEB)
def device_hangs(it: Seen) -> Told:
    """It takes the connection, and gives no page."""
    if it.failed and it.holds("NET-4"):
        return "One of a copier's two web pages, HTTP or HTTPS, takes connections and gives no page"
    return "A copier takes connections to its web pages and gives no page" if it.failed else None


@cause("bad-row", "inventory", LIST, of="INV-2")
def serial_of_another(it: Seen) -> Told:
    """The list gives one serial twice, so one of them is another device's."""
    serials = [row.serial for row in it.site.table.rows]
    return BAD_ROW if it.failed and it.copier.serial and serials.count(it.copier.serial) > 1 else None


@cause("wrong-device", "device", LIST, of=f"INV-2 {_READ} LOG-1 LOG-2 LOG-3")
def wrong_device(it: Seen) -> Told:
    """Model, serial, make or certificate are another's: what fails or isn't told there is told of a stranger."""
    told = [one for one in it.others("INV-2") if one.failed]
    whose = {"INV-2", "DEV-1", "DEV-12", *(() if it.failed else ("DEV-8", "DEV-10", "DEV-13"))}
    if not told or not (it.case.requirement in whose or _strange(told[0])):
        return None
    return "Another device than the listed one answers at a copier's address", told[0].case.remedy


def _strange(it: Seen) -> bool:
    """Whether it says itself that it is another device; another certificate alone may be the same one's new one."""
    return bool(rules.same(it.facts(Identity), it.copier))


@cause("factory-password", "device", DEVICE, of="DEV-12")
def factory_password(it: Seen) -> Told:
    """Everybody knows it."""
    return "A copier has its factory's administrator password" if it.failed else None


@cause("web-intercepted", "network", DEVICE, of="INV-2 DEV-8 DEV-10 DEV-13")
def web_intercepted(it: Seen) -> Told:
    """A page that names no make and no model: a gateway's sign-in page stands in its place."""
    if it.failed or not it.judged(Identity):
        return None
    found = it.facts(Identity)
    strange = found.title and not (found.make or found.model or found.serial)
    if not strange:
        return None
    return INTERCEPTED, LOOK_THERE


INTERCEPTED = "Something else than a copier answers in its place, such as a network's sign-in page"
LOOK_THERE = (
    "see at the copier whether its address and serial number are the list's. Where they are, a gateway on the way "
    "shows a page of its own instead: have the network team let this machine through"
)


@cause("saved-page", "inventory", LIST, of="DEV-1")
def saved_page(it: Seen) -> Told:
    """A page that was saved by hand in place of a sign-in, and is another device's."""
    found = [one for one in it.others("DEV-2") if one.lacks == "saved-page"]
    return (SAVED_PAGE, found[0].case.remedy) if found else None


SAVED_PAGE = "A settings page that was saved by hand is another copier's"


@cause("admin-login", "device", ENGINEER, of="DEV-1")
def admin_login(it: Seen) -> Told:
    """The device refuses the configured password."""
    return "A copier's administrator has another password than the one that was supplied" if it.failed else None


@cause("copier-not-moved", "device", DEVICE, of="DEV-2 DEV-3 DEV-4 COV-3")
def copier_not_moved(it: Seen) -> Told:
    """Its host is another route's or the retired one; port and sign-in that don't fit go with it."""
    if it.case.requirement == "COV-3":
        alike = [
            copier.key for copier in it.run.copiers.values() if copier.subnet == it.key and copier.route != "smtp-auth"
        ]
        return NOT_MOVED if alike and all(it.fails("DEV-2", key) for key in alike) else None
    return NOT_MOVED if it.failed and it.fails("DEV-2") else None


NOT_MOVED = "A copier still sends to another server than its route's"


@cause("copier-port", "device", DEVICE, of="DEV-3")
def copier_port(it: Seen) -> Told:
    """The port is another, whatever else."""
    if not it.failed:
        return None
    right = str(it.site.services[it.copier.route].port)
    return "A copier sends to a port that its route does not have" if it.facts(EmailSettings).port != right else None


@cause("copier-tls-off", "device", DEVICE, of="DEV-3")
def copier_tls_off(it: Seen) -> Told:
    """The port is right, and the secure connection off."""
    return "A copier does not encrypt, which its route demands" if it.failed else None


@cause("copier-sign-in", "device", DEVICE, of="DEV-4")
def copier_sign_in(it: Seen) -> Told:
    """On, off, or as another than its route wants."""
    return "A copier does not sign in as its route wants" if it.failed else None


@cause("copier-from", "device", DEVICE, of="DEV-5")
def copier_from(it: Seen) -> Told:
    """The service will refuse it."""
    return "A copier sends from an address that it may not use" if it.failed else None


@cause("address-book-login", "device", DEVICE, of="DEV-6")
def address_book_login(it: Seen) -> Told:
    """An entry's own login wins over the device's."""
    return "Entries of a copier's address book sign in as somebody else" if it.failed else None


@cause("device-occupied", "device", DEVICE, of="DEV-6")
def device_occupied(it: Seen) -> Told:
    """The book was read by another way, since somebody worked at the device."""
    occupied = any(one.lacks == "device-occupied" for one in it.others("DEV-2"))
    return OCCUPIED if occupied and not it.failed else None


OCCUPIED = "A copier is in use, and lets nobody read its settings meanwhile"
FREE = "wait until nobody works at it, close other sessions at its pages, and run again"


@cause("device-soap", "device", DEVICE, of="DEV-6")
def device_soap(it: Seen) -> Told:
    """What its pages show of the book doesn't tell logins."""
    hidden = not it.failed and it.judged(AddressBook) and not it.facts(AddressBook).logins_told
    return "A copier's address book does not answer by SOAP, and its pages show no logins" if hidden else None


@cause("test-entries", "device", DEVICE, of="DEV-7")
def test_entries(it: Seen) -> Told:
    """A scan can still be sent by typing the address."""
    return "The test recipients are not in a copier's address book" if it.failed else None


@cause("firmware", "device", VENDOR, of="DEV-8")
def firmware(it: Seen) -> Told:
    """Older than the site's minimum for its model."""
    return "A copier's firmware is older than the site wants" if it.failed else None


@cause("device-tls", "device", VENDOR, of="DEV-9")
def device_tls(it: Seen) -> Told:
    """Its last scan broke off, and its own web server knows nothing newer than TLS 1.1."""
    return DEVICE_TLS if it.failed else None


@cause("device-clock", "device", DEVICE, of="DEV-10 LOG-2 LOG-3")
def device_clock(it: Seen) -> Told:
    """Its log's times and its mails' Date can't be placed."""
    return (
        "A copier's clock is wrong"
        if it.fails("DEV-10") and (it.case.requirement == "DEV-10" or not it.failed)
        else None
    )


@cause("scan-size", "device", DEVICE, of="DEV-11")
def scan_size(it: Seen) -> Told:
    """Divided, or larger than the mailbox takes."""
    return "A copier's large scans will not arrive whole" if it.failed else None


@cause("copier-resolver", "device", DEVICE, of="DEV-13")
def copier_resolver(it: Seen) -> Told:
    """It asks a retired server, or goes through one."""
    return "A copier asks another name server or gateway than its subnet's" if it.failed else None


@cause("privileges", "device", ENGINEER, of="DEV-2 DEV-3 DEV-4 DEV-5")
def privileges(it: Seen) -> Told:
    """The page was read, and the account isn't shown all of it."""
    hidden = not it.failed and it.judged(EmailSettings)
    return PRIVILEGES if hidden else None


PRIVILEGES = "The account of a copier's administrator is not shown all of its settings"


@cause("settings-changed", "device", ENGINEER, of="LOG-3")
def settings_changed(it: Seen) -> Told:
    """A change under the suite's own account, while it was signed in."""
    return "A copier's log shows a change of settings while this suite was signed in" if it.failed else None


@cause("device-log", "device", DEVICE, of="LOG-1 LOG-2 LOG-3")
def device_log(it: Seen) -> Told:
    """It collects nothing, was cut off, or doesn't tell e-mails from the rest."""
    if not it.judged(OwnLog):
        return None
    log = it.facts(OwnLog)
    if it.failed:
        silent = it.case.requirement == "LOG-1" and log.matches_mail is False
    else:
        silent = not log.usable or bool(log.unclear) or (it.case.requirement == "LOG-3" and not log.logs_access)
    return "A copier's own log does not tell what became of its scans" if silent else None


@cause("scans-failed", "device", DEVICE, of="LOG-2")
def scans_failed(it: Seen) -> Told:
    """Its log says so, and nothing that was read explains it."""
    return "Scans of a copier failed, as its own log shows" if it.failed else None
