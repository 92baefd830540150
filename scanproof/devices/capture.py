"""Keeps the pages that a driver reads from one copier, without secrets, for the driver's next release to be tested on.

One session through the same list of what only reads, one password try, and out again, whatever happens. The address
book's SOAP interface is left out, since it wants the password a second time, and the log, which is people's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx

from scanproof import __version__, redact, sitefile
from scanproof.devices import data, pins, ricoh
from scanproof.devices.cleaning import MOST, Cleaner
from scanproof.devices.facts import Identity
from scanproof.devices.identity import by_web, session, shown_certificate, way
from scanproof.devices.rules import known_certificate, other_certificate
from scanproof.devices.wim import NotTold, Refused, Wim
from scanproof.gather import Gatherer
from scanproof.kinds import Facts, probe
from scanproof.network import Network, Vantage
from scanproof.redact import plain
from scanproof.secrets import COPIER_PASSWORD, Secrets, missing
from scanproof.site import Copier, Site
from scanproof.sitefile import CopierTable
from scanproof.store import write_whole
from scanproof.workbook import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from scanproof.devices.data import Known
    from scanproof.gather import Run
    from scanproof.kinds import Evidence

INDEX = "index.json"
_TEXT = re.compile(r"text/|json|javascript|xml|^$")
_BOOK = "/address/"
# What each page is read for, by the end of its path.
_PURPOSES = {
    "/": "start page: leads to the language and path of the others",
    "configuration.cgi": "device information: model, serial number, firmware",
    "getInterface.cgi": "network interface: name servers, gateway",
    "authForm.cgi": "login page: its token",
    "login.cgi": "sign-in: its answer",
    "configList.cgi": "index of settings pages",
    "adrsList.cgi": "address book: the page around the list",
    "adrsListLoadEntry.cgi": "address book: the list's first rows",
    "getLogDownload.cgi": "log: the page with the button, not the log",
    "logout.cgi": "sign-out",
}


_LOOK = (
    "Look every file through before you send it to anybody: a secret in a place that is not known to hold one, "
    "and the names of hosts and of the customer, may still be there."
)


class CaptureError(Exception):
    """Nothing was kept; says why, and what to do, in one line."""


class Answer(Facts):
    """One answer of a device, as it came.

    Attributes:
        form: the names of the fields that were posted; never their values.
        text: the body; None where it is no text.
    """

    method: str
    path: str
    form: tuple[str, ...]
    status: int
    headers: tuple[tuple[str, str], ...]
    text: str | None


class Captured(Facts):
    """What one session with a device brought, secrets and all: not to be stored as it is.

    Attributes:
        found: who it says it is.
        login: how the sign-in went, in words.
        unread: pages that were not given, and why.
    """

    found: Identity
    login: str
    unread: tuple[str, ...]
    answers: tuple[Answer, ...]


@dataclass
class _Session:
    answers: list[Answer] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    async def record(self, answer: httpx.Response) -> None:
        await answer.aread()
        request = answer.request
        form = parse_qsl(request.content.decode("ascii", "replace"), keep_blank_values=True)
        kind = answer.headers.get("content-type", "").lower()
        self.answers.append(
            Answer(
                method=request.method,
                path=request.url.raw_path.split(b"?", 1)[0].decode("ascii", "replace"),
                form=tuple(name for name, _ in form),
                status=answer.status_code,
                headers=tuple(answer.headers.multi_items()),
                text=answer.text[:MOST] if _TEXT.search(kind) else None,
            )
        )

    async def attempt(self, what: str, read: Awaitable[object]) -> Any:
        """Await a page; one that isn't given is noted, and is kept all the same where something came."""
        try:
            return await read
        except (NotTold, httpx.HTTPError, UnicodeDecodeError) as why:
            self.unread.append(f"{what}: {plain(str(why), 200) or type(why).__name__}")
            return None


class _Silent:
    """A sink that keeps nothing: what a session brings holds secrets."""

    def intent(self, kind: str, subject: str, vantage: str, what: str) -> None: ...

    def add(self, evidence: Evidence[Any]) -> None: ...


@probe(Captured, deadline=300)
async def captured(copier: Copier, run: Run) -> Captured:
    """Read a device's pages in one session, and keep every answer."""
    page = await way(copier, run)
    pin, shown = pins.known(copier, run.site), await shown_certificate(copier, run)
    known, kept = data.known(run.site), _Session()
    wim = session(page, copier, run)
    wim.http.event_hooks = {"response": [kept.record]}
    told: dict[str, Any] = {"make": "", "certificate": shown}
    told |= {"known_certificate": pin.certificate, "known_since": pin.since}
    login = "no driver knows its pages, so that only its start page is kept"
    async with run.wire(copier.address, "tls"):
        try:
            told |= await kept.attempt("device information", by_web(wim, known, page)) or {}
            if wim.base:
                login = await _behind_login(wim, copier, run, Identity(**told), kept)
        finally:
            await wim.http.aclose()
    return Captured(found=Identity(**told), login=login, unread=tuple(kept.unread), answers=tuple(kept.answers))


async def _behind_login(wim: Wim, copier: Copier, run: Run, found: Identity, kept: _Session) -> str:
    """Sign in, read what needs it, and sign out; return how the sign-in went."""
    if other := other_certificate(found):  # whoever answers there now is not given the password
        return f"nobody signed in: {other}, where {known_certificate(found)} was expected; settle INV-2 first"
    user, password = ricoh.credentials(copier, run)
    if password is None:
        await kept.attempt("login page", wim.page(f"{wim.base}websys/webArch/authForm.cgi"))
        name = copier.serial or copier.address
        return f"no password was supplied, so that only what needs none is kept; {missing(COPIER_PASSWORD, name)}"
    try:
        try:
            await wim.login(user, password)
        except Refused as refused:
            return f"refused {user}: {plain(str(refused), 200)}; it was tried once, supply the right password"
        except (NotTold, httpx.HTTPError, UnicodeDecodeError) as why:
            return f"{user} could not sign in: {plain(str(why), 200)}"
        await _read(wim, data.known(run.site).of(found.model, found.firmware), kept)
    finally:
        await wim.logout()
    return f"signed in as {user}, and out again"


async def _read(wim: Wim, known: Known, kept: _Session) -> None:
    index = await kept.attempt("index of settings pages", wim.page(f"{wim.entry}websys/webArch/configList.cgi"))
    await kept.attempt("e-mail page", ricoh.email(wim, known, index))
    await kept.attempt("send settings", ricoh.send(wim, known, index))
    await kept.attempt("address book", wim.page(f"{wim.entry}address/adrsList.cgi"))
    rows = {"listCountIn": "50", "getCountIn": "1"}
    await kept.attempt("address list", wim.post(f"{wim.entry}address/adrsListLoadEntry.cgi", rows))
    await kept.attempt("log page", wim.page(f"{wim.entry}{known.log_path}"))


def capture(
    address: str,
    folder: Path,
    *,
    site: Site | None = None,
    admin_user: str = "",
    network: Network | None = None,
    secrets: Secrets | None = None,
) -> list[str]:
    """Keep a copier's pages, secrets removed, as a folder; return the lines that say what was done.

    Args:
        address: the copier's IP address.
        folder: is made, or is empty.
        site: in whose list the copier stands: its admin user, password, certificate and devices.toml count then.
        admin_user: signs in; the site's, else "admin", where empty.
        network: the way to the wire; this machine's own by default.
        secrets: where the password comes from; environment and keyring by default.

    Raises:
        CaptureError: nothing could be kept; says why.
    """
    copier, site = _subject(address, site, admin_user)
    _claim(folder)
    wire = network or Network(Vantage(socket.gethostname()))
    gatherer = Gatherer(site, wire, secrets or Secrets(), _Silent(), token="capture", sends_mail=False)  # noqa: S106

    async def ask() -> Evidence[Captured]:
        try:
            return await gatherer.evidence(captured, copier)
        finally:
            await gatherer.close()

    try:
        evidence = asyncio.run(ask())
    finally:
        wire.close()
    if evidence.facts is None or not evidence.facts.answers:
        why = evidence.reason or "; ".join(evidence.facts.unread if evidence.facts else ())
        _abandon(folder)
        raise CaptureError(f"{address}: nothing was kept: {redact.scrub(why)}{_to_do(evidence.remedy)}")
    return _written(evidence.facts, copier, folder)


def _to_do(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""


def _subject(address: str, site: Site | None, admin_user: str) -> tuple[Copier, Site]:
    try:
        address = str(ipaddress.ip_address(address.strip("[]")))
    except ValueError:
        raise CaptureError(
            f"{plain(address, 100)!r} is no IP address; give the copier's, such as 10.20.90.31"
        ) from None
    if site is None:
        file = sitefile.parse('[site]\nname = "capture"\n[mail]\ndomain = "office.example"')
        site = Site(file, Table("", "", (), "", {}, (), ()), "", datetime.now(UTC))
        copier = Copier(address, address, "", "", "", "", "", "", "smtp-auth", None, 0)
    else:
        found = next((it for it in site.copiers if it.address == address), None)
        if found is None:
            raise CaptureError(
                f"{address} is no copier in the scope of site {site.name}; correct it, or leave --site out"
            )
        copier = found
    if admin_user:
        stated = copier.stated or CopierTable(address=address)
        copier = replace(copier, stated=stated.model_copy(update={"admin_user": admin_user}))
    return copier, site


def _claim(folder: Path) -> None:
    """Make the folder before anybody signs in: a password is not to be tried for nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise CaptureError(f"{folder}: can't be made: {error.strerror}; name another folder by --to") from None
    if held:
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        raise CaptureError(f"{folder}: holds {held[0]}{more}, and nothing is overwritten; name a new folder by --to")


def _abandon(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _written(facts: Captured, copier: Copier, folder: Path) -> list[str]:
    cleaner = Cleaner()
    for serial in {facts.found.serial, copier.serial} - {""}:
        cleaner.learn(serial, "serial")
    for name in {copier.host_name} - {""}:
        cleaner.learn(name, "name")
    # All pages first: what one shows to be secret is taken out of every other too.
    bodies = [it.text and cleaner.page(it.text, book=_BOOK in it.path) for it in facts.answers]
    pages: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    for number, (answer, body) in enumerate(zip(facts.answers, bodies, strict=True), 1):
        name = _file(number, answer) if body else ""
        if body:
            texts[name] = cleaner.everywhere(body)
        headers = [[key, cleaner.everywhere(value)] for key, value in cleaner.headers(answer.headers)]
        pages.append(
            {
                "file": name,
                "method": answer.method,
                "path": answer.path,
                "form": list(answer.form),
                "status": answer.status,
                "headers": headers,
                "purpose": _purpose(answer.path),
            }
        )
    found = facts.found
    index = {
        "format": 1,
        "scanproof": __version__,
        "captured": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": {"make": found.make, "model": found.model, "firmware": found.firmware, "base": found.base},
        "login": cleaner.everywhere(facts.login),
        "unread": [cleaner.everywhere(it) for it in facts.unread],
        "removed": cleaner.removed,
        "pages": pages,
    }
    try:
        for name, text in texts.items():
            write_whole(folder / name, text)
        write_whole(folder / INDEX, redact.scrub(json.dumps(index, indent=1, ensure_ascii=False)) + "\n")
    except OSError as error:
        raise CaptureError(
            f"{folder}: can't be written: {error.strerror}; delete it, and name another by --to"
        ) from None
    what = " ".join(part for part in (found.make, found.model, found.firmware) if part) or "a device of unknown make"
    return [
        f"{folder}: {len(texts)} pages of {len(pages)} answers from {copier.address} ({what}), listed in {INDEX}",
        f"sign-in: {facts.login}",
        *(f"not read: {it}" for it in facts.unread),
        f"{cleaner.removed} values were removed: passwords, tokens, cookies, names, and addresses of all kinds",
        _LOOK,
    ]


def _file(number: int, answer: Answer) -> str:
    program = re.sub(r"[^A-Za-z0-9-]", "", answer.path.rpartition("/")[2].removesuffix(".cgi"))[:60] or "start"
    rows = answer.path.endswith("LoadEntry.cgi")
    return f"{number:02d}-{program}.{'txt' if rows else 'html'}"


def _purpose(path: str) -> str:
    last = f"{path.rpartition('/')[2]}"
    return _PURPOSES.get(last or "/", "settings page: e-mail or send settings")
