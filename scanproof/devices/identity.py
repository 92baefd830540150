"""Who a device says it is: from its guest pages, and by SNMP where that answers."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from scanproof.devices import allowed, data, pins, snmp
from scanproof.devices.facts import Identity
from scanproof.devices.pages import parse
from scanproof.devices.wim import NotTold, Wim
from scanproof.http import client
from scanproof.kinds import Blocked, Unproven, probe
from scanproof.probes.web import http_page, https_page
from scanproof.redact import plain

if TYPE_CHECKING:
    from scanproof.devices.data import Known
    from scanproof.devices.pages import Page
    from scanproof.evidence import WebPage
    from scanproof.gather import Run
    from scanproof.site import Copier

_NUMBER = re.compile("[0-9]{1,20}")
_CENTURY = 3.2e9  # seconds: a clock that is further off could lead out of the calendar
# By what a start page, a Server header or sysDescr names itself. Ricoh's other brands share its pages.
MAKES = {
    "Ricoh": r"web image monitor|\b(?:ricoh|aficio|gestetner|lanier|savin|nashuatec|infotec|nrg)\b",
    "Konica Minolta": r"konica|minolta|bizhub|pagescope",
    "Canon": r"\bcanon\b|imagerunner|remote ui",
    "Xerox": r"\bxerox\b|centreware",
    "HP": r"\bhp\b|hewlett|laserjet|officejet|pagewide",
    "Kyocera": r"kyocera|taskalfa|ecosys|command center",
    "Lexmark": r"lexmark",
    "Brother": r"brother",
    "Sharp": r"\bsharp\b",
    "Toshiba": r"toshiba|topaccess",
    "Epson": r"epson",
}


async def way(copier: Copier, run: Run) -> WebPage:
    """Return the page of the better of a device's two doors: HTTPS where it answers.

    Raises:
        Blocked: neither answers.
    """
    secure, open_ = await asyncio.gather(run.gather(https_page, copier), run.gather(http_page, copier))
    for page in (secure, open_):
        if page.status is not None and page.status < 500:
            return page
    raise Blocked("NET-4", f"{secure.seen}; {open_.seen}", f"settle NET-4 of {copier.key} first")


def session(page: WebPage, copier: Copier, run: Run, *, limit: int = 4_000_000) -> Wim:
    """Return a session by a door that answered; nothing is asked yet.

    The certificate is the one that this run saw first: a device that shows another one is sent nothing.
    """
    pin = page.tls.certificate.sha256 if page.tls and page.tls.certificate else ""
    host = f"[{copier.address}]" if ":" in copier.address else copier.address
    allow = allowed.check(copier.address)
    http = client(run.network, "device", allow=allow, pin=pin, keep=1, limit=limit)
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # the session keeps its own
    return Wim(run, http, f"{'https' if page.tls else 'http'}://{host}")


@probe(Identity, deadline=120)
async def identity(copier: Copier, run: Run) -> Identity:
    """Read who a device says it is, as a guest."""
    page = await way(copier, run)
    known = data.known(run.site)
    certificate = await shown_certificate(copier, run)
    pin = pins.keep(copier, run.site, certificate)
    told = asyncio.ensure_future(by_snmp(copier, run))
    found: dict[str, Any] = {"server": page.server, "title": page.title, "make": "", "sources": ()}
    found |= {"certificate": certificate, "known_certificate": pin.certificate}
    found |= {"known_since": pin.since, "known_trouble": pin.trouble}
    wim = session(page, copier, run)
    async with run.wire(copier.address, "tls"):
        try:
            found |= await by_web(wim, known, page)
        except (NotTold, httpx.HTTPError) as trouble:
            run.say("**", plain(str(trouble), 300))
        finally:
            await wim.http.aclose()
    more, description = await told
    for name, value in more.items():
        if value and not found.get(name):
            found[name] = value
    if more:
        found["sources"] = (*found["sources"], "SNMP")
    if not found["make"]:
        found["make"] = _make(f"{page.server} {page.title} {description}")
    return Identity(**found)


async def by_snmp(copier: Copier, run: Run) -> tuple[dict[str, Any], str]:
    """Return what a device says of itself by SNMP, as fields of ``Identity``, and its description; empty if silent."""
    told: dict[str, Any] = {**await snmp.system(copier.address, run)}
    if not told:
        return {}, ""
    up, made, description = (told.pop(name, "") for name in ("up", "made", "description"))
    told["up"] = int(up) / 100 if _NUMBER.fullmatch(up) else None
    told["counters"] = {"prtMarkerLifeCount": int(made)} if _NUMBER.fullmatch(made) else {}
    told["counters"] |= await snmp.counters(copier.address, run)
    return told, description


async def shown_certificate(copier: Copier, run: Run) -> str:
    """Return the SHA-256 of the certificate that a device's port 443 shows; empty where that shows none."""
    tls = (await run.gather(https_page, copier)).tls
    return tls.certificate.sha256 if tls and tls.certificate else ""


async def by_web(wim: Wim, known: Known, page: WebPage) -> dict[str, Any]:
    """Return what a device's guest pages say of it, as fields of ``Identity``.

    Raises:
        NotTold: it did not give a page.
        httpx.HTTPError: it can't be asked.
    """
    text = await wim.start()
    here = datetime.now(UTC)
    off = round((wim.date - here).total_seconds(), 1) if wim.date else None
    found: dict[str, Any] = {"clock": None if off is None else max(-_CENTURY, min(_CENTURY, off))}
    if not wim.base:
        found["make"] = _make(f"{page.server} {parse(text).title} {text[:20_000]}")
        found["sources"] = ("start page",) if found["make"] else ()
        return found
    found |= {"make": "Ricoh", "driver": "ricoh", "base": wim.base}
    about = await wim.page(f"{wim.base}websys/status/configuration.cgi")
    for name in ("model", "serial", "firmware"):
        found[name] = row(about, known, name)
    found["sources"] = ("device information page",)
    try:
        wire = await wim.page(f"{wim.base}websys/netw/getInterface.cgi")
        shown = [value for label, value in wire.rows if _is(label, known.labels.get("dns", ()))]
        addresses = [value.split()[0] for value in shown if value.split()]  # a word may follow: (DHCP)
        found["name_servers"] = tuple(it for it in addresses if re.fullmatch(r"[0-9A-Fa-f.:]+", it) and it != "0.0.0.0")  # noqa: S104
        found["gateway"] = row(wire, known, "gateway")
    except NotTold:
        pass  # the case that needs it says so
    return found


def row(page: Page, known: Known, name: str) -> str:
    """Return the value of the row that has one of a meaning's labels; empty where none has."""
    labels = known.labels.get(name, ())
    return next((value for label, value in page.rows if _is(label, labels)), "")


def _is(label: str, labels: tuple[str, ...]) -> bool:
    plainly = re.sub(r"[\s:*0-9()]+$", "", label).strip().lower()
    return any(plainly == known.lower() or label.strip().lower() == known.lower() for known in labels)


def _make(text: str) -> str:
    low = text.lower()
    return next((make for make, pattern in MAKES.items() if re.search(pattern, low)), "")


def driven(found: Identity, what: str) -> None:
    """Give up where no driver knows a device's pages.

    Raises:
        Unproven: none does.
    """
    if not found.driver:
        raise Unproven(
            f"{what} can't be read: no driver knows the pages of this {found.make or 'device'} ({found.seen})",
            "check it at the device; its reach and its scans are judged all the same",
            "INV-2",
        )
