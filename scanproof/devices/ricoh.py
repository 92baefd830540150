"""Reads a Ricoh's settings, address book and log by Web Image Monitor: one login, one session, and out again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from scanproof.devices import allowed, book, data
from scanproof.devices.clock import log_since
from scanproof.devices.facts import AddressBook, AdminLogin, EmailSettings, Identity, SendSettings
from scanproof.devices.identity import session, way
from scanproof.devices.logreader import read as read_log
from scanproof.devices.pages import Page, parse
from scanproof.devices.saved import named, saved_file
from scanproof.devices.wim import NotTold, Refused, Wim
from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.secrets import COPIER_PASSWORD, missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.devices.data import Known
    from scanproof.devices.joblog import JobLog
    from scanproof.gather import Run
    from scanproof.site import Copier

LOG = 500_000_000  # bytes of a downloaded log
_LOG_FIELDS = frozenset({"mode", "returnValue", "methodName", "logKind"})


@dataclass
class DeviceRead:
    """What one session with a device brought; a part that it did not is the reason why.

    Attributes:
        began: of the session, by this machine's clock.
    """

    login: AdminLogin | None = None
    email: EmailSettings | Unproven | None = None
    send: SendSettings | Unproven | None = None
    book: AddressBook | Unproven | None = None
    log: JobLog | Unproven | None = None
    trouble: Unproven | None = None  # why nobody could sign in
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None


async def read(copier: Copier, found: Identity, run: Run, *, log: bool) -> DeviceRead:
    """Sign in once, read, and sign out.

    Args:
        copier: the device.
        found: who it says it is.
        run: the run.
        log: download its log too, which takes the longest.
    """
    user, password = credentials(copier, run)
    done = DeviceRead()
    if password is None:
        name = copier.serial or copier.address
        done.trouble = Unproven(f"no password for {user} of {name} was supplied", missing(COPIER_PASSWORD, name))
        return done
    known = data.known(run.site).of(found.model, found.firmware)
    page = await way(copier, run)
    wim = session(page, copier, run, limit=LOG)
    wim.base = found.base
    here = asyncio.current_task()
    run.at_end(lambda: _left(here))
    async with run.wire(copier.address, "tls"):
        try:
            kind = factory(password, copier.serial, found.serial)
            await _signed_in(wim, user, password, done, encrypted=page.tls is not None, kind=kind)
            if done.login and done.login.signed_in:
                await _read_all(wim, known, (user, password), done, log=log)
        finally:
            if wim.posted:
                await wim.logout()
            done.ended = datetime.now(UTC)
            await wim.http.aclose()
    return done


def credentials(copier: Copier, run: Run) -> tuple[str, str | None]:
    """Return a device's admin user, and the password that was supplied for it; None where none was."""
    user = (copier.stated.admin_user if copier.stated else "") or run.site.file.devices.admin_user
    return user, run.secrets.get(COPIER_PASSWORD, copier.serial, copier.address)


async def _left(session: asyncio.Task[Any] | None) -> None:
    """End a session that a run's own end leaves behind: it signs out then."""
    if session and not session.done():
        session.cancel()
        await asyncio.wait([session])


async def _signed_in(wim: Wim, user: str, password: str, done: DeviceRead, *, encrypted: bool, kind: str) -> None:
    facts: dict[str, Any] = {"user": user, "encrypted": encrypted, "default_password": kind}
    try:
        await wim.login(user, password)
        done.login = AdminLogin(signed_in=True, **facts)
    except Refused as refused:
        done.login = AdminLogin(signed_in=False, said=str(refused), **facts)
    except NotTold as why:
        done.trouble = Unproven(
            f"no sign-in was possible: {why}", "free the device (close other sessions), and run again", why.lacks
        )
    except (httpx.HTTPError, UnicodeDecodeError) as error:
        reason = f"its admin pages could not be asked: {plain(str(error), 200)}"
        done.trouble = Unproven(reason, "look at NET-3's evidence, and run again")


def factory(password: str, *serials: str) -> str:
    """Say which factory password a password is; empty where it is none. Judged from it alone, never by trying.

    Args:
        password: the configured one.
        serials: of the device, as the list and as the device itself tell it; what is empty is not known.
    """
    if password.lower() in {"admin", "password", "supervisor"}:
        return "the user's name, or a usual word"
    if password.lower() in {serial.lower() for serial in serials if serial}:
        return "the serial number, which SNMP tells to everybody"
    return ""


async def _read_all(wim: Wim, known: Known, who: tuple[str, str], done: DeviceRead, *, log: bool) -> None:
    index: Page | None = None
    try:
        index = await wim.page(f"{wim.entry}websys/webArch/configList.cgi")
    except (NotTold, httpx.HTTPError) as why:
        wim.run.say("**", f"index of settings: {plain(str(why), 200)}")
    done.email = await _part(lambda: email(wim, known, index))
    done.send = await _part(lambda: send(wim, known, index))
    done.book = await _part(lambda: book.read(wim, *who))
    if log:
        done.log = await _part(lambda: device_log(wim, known))


async def _part(read: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await read()
    except NotTold as why:
        remedy = "look at the page in a browser; docs/copiers.md says how to name it or save it"
        return Unproven(str(why), remedy, why.lacks)
    except (httpx.HTTPError, UnicodeDecodeError) as error:
        return Unproven(f"the device broke off: {plain(str(error), 200)}", "run again")


async def _found(wim: Wim, index: Page | None, labels: tuple[str, ...], named: str, methods: tuple[str, ...]) -> Page:
    """Return a settings page: by the path that is known, else by the index's link."""
    if named:
        path = f"{wim.entry}{named}"
    elif index is None:
        raise NotTold("this firmware's index of settings pages is not known, and no path is named")
    else:
        links = [(text, index.path(address)) for text, address in index.links]
        path = next((path for _, path in links if path.rpartition("/")[2].removesuffix(".cgi") in methods), "")
        low = {label.lower() for label in labels}
        path = path or next((path for text, path in links if text.lower() in low), "")
        if not path:
            seen = ", ".join(f"“{text}”" for text, _ in links[:30]) or "no links at all"
            raise NotTold(f"this firmware's page is not known; its index has {seen}", "email-page")
    if not allowed.reads(path):
        raise NotTold(f"{path} is not the path of a page that only reads")
    return await wim.page(path)


async def email(wim: Wim, known: Known, index: Page | None) -> EmailSettings:
    """Read the e-mail page.

    Raises:
        NotTold: it was not found, or the page that was is another.
    """
    page = await _found(wim, index, known.email_labels, known.email_path, known.email_methods)
    return email_settings(page, known, page.url)


def email_settings(page: Page, known: Known, source: str, grade: str = "") -> EmailSettings:
    """Take the settings out of an e-mail page, read or saved.

    Raises:
        NotTold: it is another page.
    """
    method = page.hidden("methodName")
    if method not in known.email_methods:
        raise NotTold(f"{source} is not the e-mail page: its methodName is {method or 'missing'!r}")
    return EmailSettings(
        source=source,
        grade=grade,
        host=_value(page, known, "host"),
        port=_value(page, known, "port"),
        ssl=_switch(page, known, "ssl"),
        auth=_switch(page, known, "auth"),
        user=_value(page, known, "user"),
        auth_address=_value(page, known, "auth_address"),
        admin_address=_value(page, known, "admin_address"),
        pop_before_smtp=_switch(page, known, "pop_before_smtp"),
    )


def _value(page: Page, known: Known, name: str) -> str | None:
    for field_name in known.fields.get(name, ()):
        for form in page.forms:
            if field_name in form.fields:
                return form.fields[field_name].strip()
    return None


def _switch(page: Page, known: Known, name: str) -> bool | None:
    value = (_value(page, known, name) or "").lower()
    return {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}.get(value)


async def send(wim: Wim, known: Known, index: Page | None) -> SendSettings:
    """Read the scanner's send settings.

    Raises:
        NotTold: they were not found.
    """
    page = await _found(wim, index, known.send_labels, known.send_path, ())
    size = _value(page, known, "max_size") or ""
    limited = _switch(page, known, "max_size_on")
    if limited is None:
        raise NotTold(f"{page.url} shows no size limit")
    kilobytes = int(size) if size.isascii() and size.isdigit() and len(size) < 10 else None
    return SendSettings(source=page.url, limited=limited, kilobytes=kilobytes, divides=_switch(page, known, "divide"))


async def device_log(wim: Wim, known: Known) -> JobLog:
    """Download the log.

    Raises:
        NotTold: the page or the file were not given.
    """
    where, data_path = f"{wim.entry}{known.log_path}", f"{wim.entry}{known.log_data}"
    if not (allowed.reads(where) and allowed.downloads(data_path)):
        raise NotTold(f"{where} or {data_path} is not the path of a page that only reads")
    page = await wim.page(where)
    form = page.form("form1")
    fields = form.fields if form else {}
    kept: dict[str, str] = {name: value for name, value in fields.items() if name in _LOG_FIELDS}
    kept["wimToken"] = page.hidden("wimToken") or wim.token
    return await read_log(
        wim.stream(data_path, kept), since=log_since(wim.run), now=wim.run.site.now.replace(tzinfo=None)
    )


def saved_settings(copier: Copier, found: Identity | None, run: Run) -> EmailSettings | None:
    """Return the settings of an e-mail page that was saved by hand; None where the site names none.

    Args:
        copier: whose it is stated to be.
        found: who the device says it is; None where it was not read.
        run: the run.

    Raises:
        Unproven: the file can't be used, or names another device.
    """
    name = copier.stated.settings if copier.stated else ""
    if not name or run.site.folder is None:
        return None
    path, at = saved_file(name, "settings", run)
    with path.open("rb") as file:
        text = file.read(2_000_000).decode("utf-8", "replace")
    page, known = parse(text), data.known(run.site).of(copier.model, "")
    told = named(page, text, known)
    titled = f" (titled “{plain(page.title, 80)}”)" if page.title else ""
    source = f"{name}{titled}, saved on {at:%Y-%m-%d %H:%M} UTC, {told.tie(copier, found)}"
    try:
        settings = email_settings(page, known, source, "attested")
    except NotTold as why:
        raise Unproven(str(why), "save the e-mail page itself, as the browser shows it") from None
    if others := told.others(copier, found):
        raise Unproven(
            f"{name}{titled} names another device: {', '.join(others)}",
            "save this copier's own page; or correct the list, if it is its own",
            "saved-page",
        )
    return settings
