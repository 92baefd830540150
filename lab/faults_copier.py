"""Faults of the copiers' own settings, and of the way to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lab.catalogue import both, copier, fault, kind, nth
from lab.copierstate import ALL_PRIVILEGES, ATTEMPTS, SESSIONS, Entry, SendSettings

if TYPE_CHECKING:
    from lab.catalogue import Pairs
    from lab.copierstate import CopierState
    from lab.estate import Copier, Estate
    from scanproof.site import Site

# Places in the list. None of these has scanned since the last change; the last one relays.
WARD, STERILE, PERSONNEL, ADMISSIONS, CLINIC = 11, 14, 3, 1, 19
SCANNED = 10  # has, but stands for no subnet
# What is read behind the login of a copier by the E-mail page, and of every copier by its log.
EMAIL_PAGE = ("DEV-2", "DEV-3", "DEV-4", "DEV-5", "COV-2")
LOGS = ("LOG-2", "LOG-3")


def _at(estate: Estate, number: int) -> Copier:
    copiers = list(estate.copiers.values())
    return copiers[number % len(copiers)]


def _state(estate: Estate, number: int) -> CopierState:
    return _at(estate, number).state


def _email(estate: Estate, number: int, **changes: Any) -> None:
    state = _state(estate, number)
    state.email = replace(state.email, **changes)


@fault("smtp-host-retired-name", layer="device", cause="copier-not-moved", breaks=copier(WARD, "DEV-2"))
def _(estate: Estate) -> None:
    """A copier still sends to the retired server, by name."""
    _email(estate, WARD, server=estate.plan.retired_host)


@fault("smtp-host-retired-address", layer="device", cause="copier-not-moved", breaks=copier(STERILE, "DEV-2"))
def _(estate: Estate) -> None:
    """A copier still sends to the retired server, by address."""
    _email(estate, STERILE, server=estate.plan.retired_address)


@fault("smtp-port-465", layer="device", cause="copier-port", breaks=copier(PERSONNEL, "DEV-3"))
def _(estate: Estate) -> None:
    """A copier sends to port 465, as its "secure connection" suggests; the service has no such door."""
    _email(estate, PERSONNEL, port=465)


@fault("smtp-tls-off", layer="device", cause="copier-tls-off", breaks=copier(ADMISSIONS, "DEV-3"))
def _(estate: Estate) -> None:
    """A copier does not encrypt."""
    _email(estate, ADMISSIONS, ssl=False)


@fault("smtp-auth-off-device", layer="device", cause="copier-sign-in", breaks=copier(WARD, "DEV-4"))
def _(estate: Estate) -> None:
    """A copier does not sign in."""
    _email(estate, WARD, auth=False)


@fault("smtp-user-wrong", layer="device", cause="copier-sign-in", breaks=copier(STERILE, "DEV-4"))
def _(estate: Estate) -> None:
    """A copier signs in by a user name of the old server."""
    _email(estate, STERILE, user="NORTHFIELD\\copier")


@fault("pop-before-smtp", layer="device", cause="copier-sign-in", breaks=copier(ADMISSIONS, "DEV-4"))
def _(estate: Estate) -> None:
    """A copier fetches mail by POP before it sends, as some old servers wanted."""
    _email(estate, ADMISSIONS, pop_before_smtp=True)


@fault("from-address-foreign", layer="device", cause="copier-from", breaks=copier(PERSONNEL, "DEV-5"))
def _(estate: Estate) -> None:
    """A copier sends as an address that its sign-in may not send as."""
    foreign = "scanner@old-northfield.example"
    _email(estate, PERSONNEL, auth_address=foreign, admin_address=foreign)


@fault("address-entry-own-login", layer="device", cause="address-book-login", breaks=copier(WARD, "DEV-6"))
def _(estate: Estate) -> None:
    """An entry of a copier's address book signs in to the mail server as itself."""
    state = _state(estate, WARD)
    state.entries.append(Entry(31, "WARD S2", f"ward-s2@{estate.plan.domain}", login="ward-s2"))


@fault("test-entries-missing", layer="device", cause="test-entries", breaks=copier(WARD, "DEV-7"))
def _(estate: Estate) -> None:
    """A copier's address book lacks the test recipients."""
    state, tests = _state(estate, WARD), set(estate.plan.recipients)
    state.entries = [entry for entry in state.entries if entry.mail not in tests]


@fault(
    "firmware-old",
    layer="device",
    cause="firmware",
    breaks=copier(WARD, "DEV-8"),
    unproves=copier(WARD, "DEV-9", "COV-2"),
)
def _(estate: Estate) -> None:
    """A copier's firmware is older than the site's minimum: 1.9 against 1.14."""
    _state(estate, WARD).firmware = "1.9"


# What its mail knows, its pages don't tell: nobody has scanned, so nothing shows it yet.
@fault("device-tls10", layer="device", cause=None, unproves=copier(PERSONNEL, "DEV-9", "COV-2"))
def device_tls10(estate: Estate) -> None:
    """A copier knows TLS 1.0 only, for its pages and for its mail, and nobody has scanned since the last change."""
    _at(estate, PERSONNEL).https = "tls1.0"
    _state(estate, PERSONNEL).sends_with = "tls1.0"


@fault(
    "device-tls10-tried",
    layer="device",
    cause="device-tls",
    breaks=copier(PERSONNEL, "DEV-9", "LOG-2"),
    unproves=copier(PERSONNEL, "COV-2"),
)
def _(estate: Estate) -> None:
    """A copier knows TLS 1.0 only, and its log has a scan of an hour ago that broke off for it."""
    device_tls10(estate)
    log, to = _state(estate, PERSONNEL).log, f"ward@{estate.plan.domain}"
    log.scanned(datetime.now(UTC) - timedelta(hours=1), to, done=False, why="Communication Failure")


@fault(
    "device-tls12-no-ecdhe",
    layer="device",
    cause="device-tls",
    breaks=copier(SCANNED, "LOG-2"),
    unproves=both(copier(SCANNED, "DEV-9", "COV-2"), kind(SCANNED)),
)
def _(estate: Estate) -> None:
    """A copier's mail knows TLS 1.2 without ECDHE, which the service has not taken since 2025."""
    _state(estate, SCANNED).sends_with = "tls1.2-rsa"


@fault(
    "clock-year-off", layer="device", cause="device-clock", breaks=copier(WARD, "DEV-10"), unproves=copier(WARD, *LOGS)
)
def _(estate: Estate) -> None:
    """A copier's clock is a year behind."""
    _state(estate, WARD).moved = timedelta(days=-365)


@fault("scans-divided", layer="device", cause="scan-size", breaks=copier(WARD, "DEV-11"))
def _(estate: Estate) -> None:
    """A copier cuts its scans into mails of 2 MB each."""
    _state(estate, WARD).send = SendSettings(limited=True, most_kb=2048, divides=True)


@fault("factory-password", layer="device", cause="factory-password", breaks=copier(WARD, "DEV-12"))
def _(estate: Estate) -> None:
    """A copier's administrator has the factory's password, its serial number."""
    state = _state(estate, WARD)
    state.admin_password = state.serial
    estate.secrets[f"SCANPROOF_COPIER_PASSWORD__{_at(estate, WARD).key}"] = state.serial


@fault("own-serial-as-password", layer="device", cause="wrong-device", breaks=copier(WARD, "INV-2", "DEV-12"))
def _(estate: Estate) -> None:
    """Another device answers at a copier's address, with the factory's password: the serial that it has itself."""
    state = _state(estate, WARD)
    state.serial = "C738M549999"
    state.admin_password = state.serial
    estate.secrets[f"SCANPROOF_COPIER_PASSWORD__{_at(estate, WARD).key}"] = state.serial


@fault("gateway-retired", layer="device", cause="copier-resolver", breaks=copier(STERILE, "DEV-13"))
def _(estate: Estate) -> None:
    """A copier's gateway is the retired server."""
    _state(estate, STERILE).gateway = estate.plan.retired_address


@fault("dns-retired", layer="device", cause="copier-resolver", breaks=copier(STERILE, "DEV-13"))
def _(estate: Estate) -> None:
    """A copier asks the retired server for names."""
    _state(estate, STERILE).dns = (estate.plan.retired_address,)


@fault("admin-password-other", layer="device", cause="admin-login", breaks=copier(WARD, "DEV-1"))
def _(estate: Estate) -> None:
    """A copier's administrator has another password than the fleet."""
    _state(estate, WARD).admin_password = "another one"  # noqa: S105


@fault("admin-locked-out", layer="device", cause="admin-login", breaks=copier(STERILE, "DEV-1"))
def _(estate: Estate) -> None:
    """A copier's administrator is locked out."""
    _state(estate, STERILE).failed_logins = ATTEMPTS


@fault(
    "sessions-full",
    layer="device",
    cause="device-occupied",
    unproves=copier(PERSONNEL, "DEV-1", *EMAIL_PAGE, "DEV-6", "DEV-7", "DEV-11", "DEV-12", *LOGS),
)
def _(estate: Estate) -> None:
    """Other people's sessions at a copier's pages leave no room for one more."""
    _state(estate, PERSONNEL).others = SESSIONS


@fault(
    "device-busy",
    layer="device",
    cause="device-occupied",
    unproves=copier(ADMISSIONS, *EMAIL_PAGE, "DEV-6", "DEV-11"),
)
def _(estate: Estate) -> None:
    """Somebody works at a copier: its settings can't be opened."""
    _state(estate, ADMISSIONS).busy = True


@fault("email-page-unknown", layer="device", cause="email-page", unproves=copier(WARD, *EMAIL_PAGE))
def _(estate: Estate) -> None:
    """A copier's index of pages does not lead to its E-mail page."""
    _state(estate, WARD).mail_folder = None


@fault(
    "privilege-network-missing", layer="device", cause="privileges", unproves=copier(STERILE, "DEV-2", "DEV-3", "COV-2")
)
def _(estate: Estate) -> None:
    """A copier's administrator is no network administrator: the server isn't shown to them."""
    _state(estate, STERILE).privileges = ALL_PRIVILEGES - {"network"}


@fault(
    "privilege-machine-missing",
    layer="device",
    cause="privileges",
    unproves=copier(PERSONNEL, "DEV-4", "DEV-5", "COV-2", *LOGS),
)
def _(estate: Estate) -> None:
    """A copier's administrator is no machine administrator: neither the sign-in nor the logs are shown to them."""
    _state(estate, PERSONNEL).privileges = ALL_PRIVILEGES - {"machine"}


@fault("device-swapped", layer="device", cause="wrong-device", breaks=copier(WARD, "INV-2"))
def _(estate: Estate) -> None:
    """Another device of the same model answers at a copier's address."""
    _state(estate, WARD).serial = "C738M549999"


@fault(
    "other-make-in-row",
    layer="device",
    cause="wrong-device",
    breaks=copier(CLINIC, "INV-2"),
    unproves=both(
        copier(CLINIC, "DEV-1", *EMAIL_PAGE, "DEV-6", "DEV-7", "DEV-8", "DEV-10", "DEV-11", "DEV-12", "DEV-13", *LOGS),
    ),
)
def _(estate: Estate) -> None:
    """A device of another make answers at a copier's address."""
    _at(estate, CLINIC).http = _at(estate, CLINIC).https = "other-make"
    _state(estate, CLINIC).snmp = False


@fault(
    "login-page-of-someone-else",
    layer="network",
    cause="web-intercepted",
    unproves=copier(
        STERILE, "INV-2", "DEV-1", *EMAIL_PAGE, "DEV-6", "DEV-7", "DEV-9", "DEV-10", "DEV-11", "DEV-12", "DEV-13", *LOGS
    ),
)
def _(estate: Estate) -> None:
    """A gateway's sign-in page answers in a copier's place."""
    _at(estate, STERILE).http = _at(estate, STERILE).https = "proxy"


# The list of its page does not tell by which login an entry sends.
@fault("soap-off", layer="device", cause="device-soap", unproves=copier(WARD, "DEV-6"))
def _(estate: Estate) -> None:
    """A copier's address book does not answer by SOAP; its pages show it."""
    _state(estate, WARD).soap = False


@fault("snmp-off", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's SNMP agent is off; its pages tell the same."""
    _state(estate, WARD).snmp = False


def _named_alike(site: Site) -> Pairs:
    """Return what a subnet's representative and the copier that took over its name prove, of themselves and others."""
    there = [part for part in site.copiers if part.subnet == nth(site, WARD).subnet]
    stands = next((part for part in there if part.stated and part.stated.representative), there[0])
    other = next((part for part in there if part.model != stands.model), there[-1])
    proofs = [("COV-2", part.key) for part in there if part.model in {stands.model, other.model}]
    return [*proofs, *((requirement, stands.key) for requirement in ("DLV-2", "DLV-3", "LOG-1"))]


@fault("hosts-alike", layer="device", cause="host-name-doubled", unproves=_named_alike)
def _(estate: Estate) -> None:
    """Two copiers of different models call themselves by the same host name: whose scan one is can't be told."""
    there = [part for part in estate.copiers.values() if part.subnet == _at(estate, WARD).subnet]
    stands = next((part for part in there if part.representative), there[0])
    other = next((part for part in there if part.model != stands.model), there[-1])
    other.state.host_name = stands.state.host_name
