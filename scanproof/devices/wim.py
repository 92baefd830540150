"""A session with Ricoh's Web Image Monitor, as far as it reads.

Its pages answer 200 whatever happens: what came of a request is told by redirect and cookie at the login, and by the
hidden fields ``returnValue`` and ``methodName`` everywhere else. Sources are in docs/copiers.md.
"""

from __future__ import annotations

import asyncio
import base64
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

import httpx

from scanproof import redact
from scanproof.devices import pages
from scanproof.redact import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from scanproof.devices.pages import Page
    from scanproof.gather import Run

_START = re.compile(r"""["'](/web/(?:guest|user)/([A-Za-z-]{2,5})/)websys/webArch/mainFrame\.cgi""")
# Said in the page's own language where somebody uses the device; English, Spanish and French were seen, the others are
# from memory.
_BUSY = (
    "being used by other functions",
    "try again later",
    "siendo utilizado",
    "en cours d'utilisation",
    "von anderen Funktionen",
    "使用中",
)
PAGE = 8_000_000  # bytes of one page; only a log may have more
_SESSIONS = ("maximum number", "session full", "Zahl der Sitzungen", "nombre maximum", "número máximo")

# Digits of a session's number; a shorter one is also part of serial numbers, times and pages, and taking it out of
# every text would take those. It is worth nothing after the sign-out.
SECRET_FROM = 8


class NotTold(Exception):  # noqa: N818 - the device's answer
    """The device answered, and not with what was asked for: busy, timed out, or another page.

    Args:
        said: what it answered, in words.
        lacks: the kind of cause that this is (kinds.Unproven), where there is one.
    """

    def __init__(self, said: str, lacks: str = "") -> None:
        super().__init__(said)
        self.lacks = lacks


class Refused(Exception):  # noqa: N818
    """The device refused the sign-in."""


@dataclass
class Wim:
    """One device's pages, in one session.

    Attributes:
        root: ``https://address``, without a path.
        base: ``/web/guest/en/``; behind a login, ``/web/entry/en/``.
    """

    run: Run
    http: httpx.AsyncClient
    root: str
    base: str = ""
    cookies: dict[str, str] = field(default_factory=lambda: {"cookieOnOffChecker": "on"}, repr=False)
    token: str = field(default="", repr=False)
    date: datetime | None = None  # of its own clock, in the last answer
    posted: bool = False  # the password was sent: there may be a session, whatever came back

    async def start(self) -> str:
        """Read the start page, and keep the language and path that it leads to; return the page's text."""
        answer = await self._send("GET", "/")
        text = text_of(answer)[:200_000]
        found = _START.search(text) or _START.search(f'"{answer.headers.get("location", "")}"')
        if found:
            self.base = found.group(1)
        return text

    @property
    def entry(self) -> str:
        """The path of pages behind a login."""
        return re.sub(r"^/web/(guest|user)/", "/web/entry/", self.base)

    async def page(self, path: str) -> Page:
        """Return a page.

        Args:
            path: whole, on this device.

        Raises:
            NotTold: it did not give it; says why.
            httpx.HTTPError: it could not be asked.
        """
        answer = await self._send("GET", path)
        return self._read(answer, path)

    async def login(self, user: str, password: str) -> None:
        """Sign in: once.

        Raises:
            Refused: user or password are not taken; with the device's own words.
            NotTold: it can't be tried now: no login page, no free session, busy.
            httpx.HTTPError: it could not be asked.
        """
        path = f"{self.base}websys/webArch/"
        form = await self.page(f"{path}authForm.cgi")
        if not form.hidden("wimToken"):
            raise NotTold(f"its login page has no wimToken (“{form.title}”)")
        secret = base64.b64encode(password.encode()).decode()
        redact.register(password)  # with it, its base64
        self.run.intent(f"sign in to {self.root} as {user}")
        body = {
            "wimToken": form.hidden("wimToken"),
            "userid_work": "",
            "userid": base64.b64encode(user.encode()).decode(),
            "password_work": "",
            "password": secret,
            "open": "",
        }
        self.run.say("->", f"POST {path}login.cgi (user {user})")
        self.posted = True
        answer = await self._send("POST", f"{path}login.cgi", data=body, referer=f"{path}authForm.cgi")
        session = _cookies(answer).get("wimsesid", "")  # of this answer: an older one says nothing
        led = answer.headers.get("location", "")
        if answer.status_code == 302 and led.endswith("/mainFrame.cgi") and session.isdigit():
            if len(session) >= SECRET_FROM:
                redact.register(session)
            return
        text = text_of(answer)[:200_000]
        found = pages.parse(text)
        said = plain(_words(text), 200)
        if (
            found.hidden("returnValue") in {"BUSY", "TIMEOUT", "BADFLOW"}
            or _says(text, _BUSY)
            or _says(text, _SESSIONS)
        ):
            raise NotTold(f"it takes no sign-in now: {said or found.hidden('returnValue')}", "device-occupied")
        if answer.status_code != 200:
            raise NotTold(f"its login answered {answer.status_code}{f' to {plain(led, 100)}' if led else ''}")
        raise Refused(said)

    async def logout(self) -> None:
        """Sign out; also as the guest, since a session left open is one less for the next engineer."""
        for base in (self.entry, self.base):
            try:
                await self._send("GET", f"{base}websys/webArch/logout.cgi")
            except httpx.HTTPError:
                continue

    async def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Send a form that reads, and return the answer as it is."""
        return await self._send("POST", path, data=form, referer=path)

    async def stream(self, path: str, form: dict[str, str]) -> AsyncIterator[bytes]:
        """Send a form that reads, and give the answer's body in parts.

        Raises:
            NotTold: the answer is a page.
        """
        headers = self._headers(path)
        async with self.http.stream("POST", f"{self.root}{path}", data=form, headers=headers) as answer:
            if "html" in answer.headers.get("content-type", "") or answer.status_code != 200:
                async with self._in_time():
                    found = await self._whole(answer)
                self._read(found, path)
                raise NotTold(f"{path} gave a page where a file was expected")
            async for part in answer.aiter_bytes():
                yield part

    async def _send(
        self, method: str, path: str, *, data: dict[str, str] | None = None, referer: str = ""
    ) -> httpx.Response:
        headers = self._headers(referer or path, ajax=path.endswith("LoadEntry.cgi"))
        answer = await self.ask(self.http.build_request(method, f"{self.root}{path}", data=data, headers=headers))
        self._keep(answer)
        self.run.say("<-", f"{method} {path}: {answer.status_code}, {len(answer.content)} bytes")
        return answer

    async def ask(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer, whose size and time have a limit.

        Raises:
            httpx.HTTPError: it could not be asked, or did not end.
        """
        async with self._in_time():
            answer = await self.http.send(request, stream=True)
            try:
                return await self._whole(answer)
            finally:
                await answer.aclose()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        most = 3 * self.run.network.deadlines.response
        try:
            async with asyncio.timeout(most):
                yield
        except TimeoutError:
            raise httpx.ReadTimeout(f"the response did not end within {most:g} s") from None

    async def _whole(self, answer: httpx.Response) -> httpx.Response:
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > PAGE:
                raise httpx.ReadError(f"the response is larger than {PAGE} bytes")
        return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(body))

    def _headers(self, referer: str, *, ajax: bool = False) -> dict[str, str]:
        found = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Referer": f"{self.root}{referer}",
        }
        return found | ({"X-Requested-With": "XMLHttpRequest"} if ajax else {})

    def _keep(self, answer: httpx.Response) -> None:
        for name, value in _cookies(answer).items():
            if name in self.cookies or len(self.cookies) < 20:
                self.cookies[name] = value
        try:
            told = parsedate_to_datetime(answer.headers.get("date", ""))
            self.date = told if told.tzinfo else told.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            self.date = None

    def _read(self, answer: httpx.Response, path: str) -> Page:
        """Return the page of an answer, if it is what was asked for."""
        if answer.status_code != 200:
            led = plain(answer.headers.get("location", ""), 100)
            raise NotTold(f"{path} answered {answer.status_code}{f' to {led}' if led else ''}")
        text = text_of(answer)[:2_000_000]
        page = pages.parse(text, path)
        value = page.hidden("returnValue")
        if value == "TIMEOUT":
            raise NotTold(f"{path}: the session timed out")
        if value in {"BUSY", "BADFLOW"} or (value != "SUCCESS" and _says(text, _BUSY)):
            raise NotTold(f"{path}: the device is in use by other functions; try again later", "device-occupied")
        if "/web/entry/" in path and ("authForm.cgi" in text or "login.cgi" in text) and not page.rows:
            raise NotTold(f"{path}: the device asks for a sign-in again")
        if token := page.hidden("wimToken"):
            self.token = token
        return page


def text_of(answer: httpx.Response) -> str:
    """Return an answer's text, by the charset that it names if that is one."""
    try:
        return answer.content.decode(answer.charset_encoding or "utf-8", "replace")
    except (LookupError, ValueError):  # Python has codecs that are no charset, such as hex
        return answer.content.decode("utf-8", "replace")


def _cookies(answer: httpx.Response) -> dict[str, str]:
    """Return the cookies that an answer sets, without those that no header could carry back."""
    found: dict[str, str] = {}
    for line in answer.headers.get_list("set-cookie")[:20]:
        try:
            jar = SimpleCookie(line[:1000])
        except CookieError:
            continue
        found |= {name: it.value for name, it in jar.items() if re.fullmatch(r"[!#-+\--:<-\[\]-~]*", it.value)}
    return found


def _words(text: str) -> str:
    """Return a page's text without tags and scripts; in one pass, for a page may be made to take for ever."""
    parts = re.split(r"(</?script\b[^<>]*>)", text, flags=re.IGNORECASE)
    shown, inside = [], False
    for part in parts:
        if re.match(r"</?script\b", part, re.IGNORECASE):
            inside = not part.startswith("</")
        elif not inside:
            shown.append(re.sub(r"<[^<>]*>", " ", part))
    return " ".join(" ".join(shown).split())


def _says(text: str, words: tuple[str, ...]) -> bool:
    low = text.lower()
    return any(word.lower() in low for word in words)
