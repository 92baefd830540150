"""Evidence from devices' own pages: each kind is one part of the one session that a run has with a device."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from scanproof import remedies
from scanproof.devices import ricoh, rules
from scanproof.devices.clock import log_since
from scanproof.devices.facts import AddressBook, AdminLogin, AdminPassword, EmailSettings, SendSettings
from scanproof.devices.identity import driven, identity
from scanproof.devices.joblog import JobLog
from scanproof.devices.logreader import read_file
from scanproof.devices.saved import named_log, saved_file
from scanproof.kinds import Blocked, Unproven, probe

if TYPE_CHECKING:
    from scanproof.devices.facts import Identity
    from scanproof.devices.ricoh import DeviceRead
    from scanproof.gather import Run
    from scanproof.site import Copier

T = TypeVar("T")
DEADLINE = 300.0
LOOKS_AT_LOG = ("device_log", "own_log", "scan", "route_proof")  # kinds that rest on a copier's log where it has one


async def _device(copier: Copier, run: Run) -> DeviceRead:
    """Return what the run's session with a device brought; there is one, whoever asks first.

    Raises:
        Blocked: its pages can't be reached, or it shows another certificate than when it was first seen.
        Unproven: no driver knows them.
    """
    found = await run.gather(identity, copier)
    if other := rules.other_certificate(found):  # whoever answers there now is not given the password
        raise Blocked("INV-2", f"nobody signed in: {other}", f"settle INV-2 of {copier.key} first")
    if hidden := rules.hidden_certificate(found):
        raise Unproven(f"nobody signed in: {hidden}", remedies.hidden_certificate(copier))
    driven(found, "its settings")
    log = run.planned(*LOOKS_AT_LOG)
    return await run.once(f"device {copier.key}", lambda: ricoh.read(copier, found, run, log=log))


async def _identity(copier: Copier, run: Run) -> Identity | None:
    """Return who a device says it is; None where that was not read."""
    try:
        return await run.gather(identity, copier)
    except (Unproven, Blocked):
        return None


async def session_of(copier: Copier, run: Run) -> DeviceRead | None:
    """Return the run's session with a device; None where there was none."""
    try:
        return await _device(copier, run)
    except (Unproven, Blocked):
        return None


def _part(read: DeviceRead, part: T | Unproven | None) -> T:
    """Return a part of a session.

    Raises:
        Blocked: nobody could sign in, since the device refused it.
        Unproven: it was not read; says why.
    """
    if read.trouble is not None:
        raise read.trouble
    if read.login is not None and not read.login.signed_in:
        raise Blocked("DEV-1", read.login.seen, "settle DEV-1 first")
    if isinstance(part, Unproven):
        raise part
    if part is None:
        raise Unproven("it was not read in this run", "run again without leaving cases out")
    return part


@probe(AdminLogin, deadline=DEADLINE)
async def admin_login(copier: Copier, run: Run) -> AdminLogin:
    """Sign in to a device's admin pages, once, read what the plan needs, and sign out again."""
    read = await _device(copier, run)
    if read.login is None:
        raise read.trouble or Unproven("nobody signed in")
    return read.login


@probe(AdminPassword, deadline=DEADLINE)
async def admin_password(copier: Copier, run: Run) -> AdminPassword:
    """Judge the kind of password that a device took: from itself, never by trying another."""
    read = await _device(copier, run)
    login = _part(read, read.login)
    return AdminPassword(factory=login.default_password)


@probe(EmailSettings, deadline=DEADLINE)
async def email_settings(copier: Copier, run: Run) -> EmailSettings:
    """Read a device's e-mail page; where that can't be, the page that an engineer saved."""
    try:
        read = await _device(copier, run)
        return _part(read, read.email)
    except (Unproven, Blocked):
        saved = ricoh.saved_settings(copier, await _identity(copier, run), run)
        if saved is None:
            raise
        return saved


@probe(SendSettings, deadline=DEADLINE)
async def send_settings(copier: Copier, run: Run) -> SendSettings:
    """Read how large a mail a device sends."""
    read = await _device(copier, run)
    return _part(read, read.send)


@probe(AddressBook, deadline=DEADLINE)
async def address_book(copier: Copier, run: Run) -> AddressBook:
    """Read a device's address book."""
    read = await _device(copier, run)
    return _part(read, read.book)


@probe(JobLog, deadline=DEADLINE)
async def device_log(copier: Copier, run: Run) -> JobLog:
    """Download a device's log; where that can't be, the one that an engineer exported."""
    try:
        read = await _device(copier, run)
        own = _part(read, read.log)
        if own.complete and not own.off:
            return own
    except (Unproven, Blocked):
        if not (copier.stated and copier.stated.log):
            raise
        own = None
    name = copier.stated.log if copier.stated else ""
    if own is not None and not name:
        return own
    path, _ = saved_file(name, "log", run)
    if others := named_log(path).others(copier, None):
        raise Unproven(
            f"{name} is called as another device calls its log: {', '.join(others)}",
            "export this copier's own log; or correct host_name in the list, if it is its own",
        )
    now = run.site.now.replace(tzinfo=None)
    exported = await asyncio.to_thread(read_file, path, since=log_since(run), now=now)
    return exported.model_copy(update={"exported": True})
