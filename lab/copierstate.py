"""What a copier holds: its settings, address book, sessions and clock. Its pages and its scans answer from it.

Nothing here opens a socket. What no published source tells is marked ``# guess:`` where it is decided.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal

from lab.devicelog import DeviceLog

if TYPE_CHECKING:
    from datetime import tzinfo

    from lab.plan import Plan, PlannedCopier

Language = Literal["en", "de", "fr", "es", "ja"]
Generation = Literal["modern", "tls1.2-rsa", "tls1.0"]
Privilege = Literal["user", "machine", "network", "file"]
Shape = Literal[8, 9, 11]

ADMIN = "admin"
ALL_PRIVILEGES: frozenset[Privilege] = frozenset({"user", "machine", "network", "file"})
ATTEMPTS = 5  # wrong passwords until an administrator is locked out
SESSIONS = 3  # guess: at once; that they fill up is known, the number is not
IDLE = 900.0  # seconds until a session ends by itself; guess: the setting exists, its default wasn't found
_LANGUAGES: dict[int, Language] = {4: "de", 9: "fr", 16: "es", 22: "ja"}  # by place in the list; else English


@dataclass(frozen=True)
class Traits:
    """What all devices of a model have in common.

    Attributes:
        firmware: the system version.
        mail_folder: of the E-mail page. guess: its path was found in no public source, so here it differs.
        shape: the number of fields of a row of the address list.
        soap: the address book answers by SOAP.
        snmp: the agent is on.
    """

    firmware: str
    mail_folder: str
    shape: Shape
    soap: bool = True
    snmp: bool = True


_TRAITS = {
    "IM C3000": Traits("1.21", "websys/netw", 8),
    "IM C4500": Traits("1.21", "websys/netw", 8),
    "IM C2010": Traits("2.08", "websys/mail", 8),
    "IM 430F": Traits("1.14", "websys/mail", 9, snmp=False),
    "MP C3504": Traits("1.16", "websys/config", 11),
    "MP 5054": Traits("1.13", "websys/config", 11),
}
_UNLISTED = Traits("1.16", "websys/config", 11)


def traits(model: str) -> Traits:
    """Return what a model has; of one that the demo doesn't have, what most have."""
    return _TRAITS.get(model, _UNLISTED)


@dataclass(frozen=True)
class EmailSettings:
    """The E-mail page."""

    admin_address: str
    server: str
    port: int
    ssl: bool
    auth: bool
    auth_address: str = ""
    user: str = ""
    password: str = ""
    pop_before_smtp: bool = False
    auto_sender: bool = True


@dataclass(frozen=True)
class SendSettings:
    """The scanner's Send Settings page."""

    limited: bool = True
    most_kb: int = 10240
    divides: bool = False


@dataclass(frozen=True)
class Entry:
    """An entry of the address book; ``login`` is its own user name for SMTP, where it has one."""

    number: int
    name: str
    mail: str = ""
    folder: str = ""
    login: str = ""
    user_code: str = ""

    @property
    def index(self) -> str:
        """Its registration number, as the pages write it."""
        return f"{self.number:05d}"


@dataclass
class CopierState:
    """One device, as it is.

    Attributes:
        moved: how far its clock is off.
        others: sessions that other people have open.
        mail_folder: of its E-mail page; None: its index doesn't lead there.
        sent_by: settings that its first scan went out by, where they were others than today's.
        scanned: how long ago its first scan was.
        slow: how long a scan waits in it.
        through: a mail server that takes its scans, and hands them on by the same route; empty where none does.
        meddled: whoever logs in changes a setting.
        keeps_scans: a scan gets a row in the job log.
        pages: of its scans.
        made: sheets in its life.
        started: when it was switched on.
    """

    model: str
    serial: str
    firmware: str
    language: Language
    host_name: str
    mac: str
    address: str
    mask: str
    gateway: str
    dns: tuple[str, ...]
    zone: tzinfo
    email: EmailSettings
    traits: Traits
    admin_password: str
    log: DeviceLog
    send: SendSettings = field(default_factory=SendSettings)
    entries: list[Entry] = field(default_factory=list)
    privileges: frozenset[Privilege] = ALL_PRIVILEGES
    moved: timedelta = timedelta(0)
    failed_logins: int = 0
    others: int = 0
    idle: float = IDLE
    busy: bool = False
    mail_folder: str | None = None
    soap: bool = True
    snmp: bool = True
    sends_with: Generation = "modern"
    sent_by: EmailSettings | None = None
    scanned: timedelta = timedelta(0)
    slow: timedelta = timedelta(0)
    through: str = ""
    meddled: bool = False
    keeps_scans: bool = True
    pages: int = 1
    scans_sent: int = 0
    made: int = 48211
    started: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=9, hours=3))

    @property
    def locked(self) -> bool:
        """Tell whether its administrator is locked out."""
        return self.failed_logins >= ATTEMPTS

    def now(self) -> datetime:
        """Return the time by its own clock, in its own zone."""
        return (datetime.now(UTC) + self.moved).astimezone(self.zone)

    def may(self, *privileges: Privilege) -> bool:
        """Tell whether its administrator has all of these privileges."""
        return self.privileges.issuperset(privileges)


def healthy(plan: Plan, number: int, planned: PlannedCopier, admin_password: str, sender_password: str) -> CopierState:
    """Return a device of the list whose move is done.

    Args:
        plan: the site.
        number: the device's place in the list.
        planned: the device.
        admin_password: of its administrator.
        sender_password: that it signs in to SMTP with.
    """
    subnet = next(part for part in plan.subnets if part.prefix == planned.subnet)
    kind, zone = traits(planned.model), zone_of(plan)
    mac = _mac(planned)
    network = ip_network(planned.subnet, strict=False)
    language = _LANGUAGES.get(number, "en")
    made = CopierState(
        model=planned.model,
        serial=planned.serial or "E174M" + mac[-6:],
        firmware=kind.firmware,
        language=language,
        host_name=planned.host_name or f"RNP{mac}",
        mac=mac,
        address=planned.address,
        mask=str(network.netmask),
        gateway=str(network.network_address + 1),
        dns=subnet.resolvers,
        zone=zone,
        email=settings_for(plan, planned.route or subnet.route, planned.sender, sender_password),
        traits=kind,
        admin_password=admin_password,
        log=DeviceLog(zone),
        entries=_address_book(plan),
        mail_folder=kind.mail_folder,
        soap=kind.soap,
        snmp=kind.snmp,
    )
    _remember(made, plan, number)
    return made


def zone_of(plan: Plan) -> tzinfo:
    """Return the zone that the site's devices are set to: that of the site's own times."""
    offset = datetime.fromisoformat(plan.last_change).utcoffset() if plan.last_change else None
    return timezone(offset) if offset else UTC


def settings_for(plan: Plan, route: str, sender: str, password: str) -> EmailSettings:
    """Return the E-mail page of a device that sends by a route."""
    address = sender or (plan.senders[0][0] if plan.senders else f"copier@{plan.domain}")
    if route in {"direct-send", "relay"}:
        return EmailSettings(address, plan.tenant_endpoint, 25, ssl=False, auth=False)
    return EmailSettings(
        address, plan.submission_host, 587, ssl=True, auth=True, auth_address=address, user=address, password=password
    )


def _mac(planned: PlannedCopier) -> str:
    """Return twelve digits, the first six of them Ricoh's."""
    return "002673" + hashlib.sha256((planned.serial or planned.address).encode()).hexdigest()[:6].upper()


def _address_book(plan: Plan) -> list[Entry]:
    """Return the test recipients among a few colleagues, and one that has a folder only."""
    entries = [
        Entry(number, address.partition("@")[0].upper(), address, user_code=str(7100 + number))
        for number, address in enumerate(plan.recipients, 1)
    ]
    colleagues = (("ADMISSIONS", "admissions"), ("O'NEIL", "m.oneil"), ("PHARMACY", "pharmacy"))
    entries += [Entry(number, name, f"{box}@{plan.domain}") for number, (name, box) in enumerate(colleagues, 11)]
    return [*entries, Entry(21, "RECORDS", folder="\\\\FILESERVER\\Scans")]


def _remember(state: CopierState, plan: Plan, number: int) -> None:
    """Fill its log with what came before: everyday use, and scans to the server of old times."""
    change = datetime.fromisoformat(plan.last_change) if plan.last_change else datetime.now(UTC) - timedelta(days=8)
    change = min(change, datetime.now(UTC) - timedelta(minutes=10))
    log, to = state.log, f"ward{number}@{plan.domain}"
    log.printed(change - timedelta(days=3, minutes=number), "rota.docx")
    log.scanned(change - timedelta(days=2, minutes=number), to, done=True)
    log.scanned(change - timedelta(hours=2, minutes=number), to, done=False)  # its server was gone: no news
    log.event(change - timedelta(hours=1), "Login", user=ADMIN, host="10.20.90.77")
    log.event(change - timedelta(minutes=58), "Machine Configuration", user=ADMIN, host="10.20.90.77")
    log.event(change - timedelta(minutes=55), "Logout", user=ADMIN, host="10.20.90.77")
    log.printed(change + timedelta(minutes=5), "discharge-letter.pdf")
