"""Web Image Monitor: which program answers a request, to whom, and what is noted of it.

What is known of it is in its published pages and in programs that read it: paths, the login's steps, the
hidden fields. What isn't is marked ``# guess:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from lab import wimaddress, wimlog, wimpages, wimsettings, wimsoap
from lab.httpserver import Response
from lab.journal import AskedOfDevice, Journal
from lab.wimlabels import label
from lab.wimsession import Session, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.copierstate import CopierState
    from lab.httpserver import Request

_PATH = re.compile(r"/web/(guest|entry)/([a-z]+)/(.+)")
_WRITES = re.compile(r"^(set|do|put|delete|clear|reset|upload)(?=[A-Z_])|Set(?=[A-Z.]|$)|Edit|Delete|Confirm|Test")
_COOKIE = "cookieOnOffChecker"


@dataclass
class Visit:
    """A request of somebody with a session."""

    request: Request
    form: dict[str, str]
    state: CopierState
    session: Session
    host: str

    def says(self, name: str) -> str:
        """Return a label in the device's language."""
        return label(self.state.language, name)

    def page(self, body: str, method: str, *, mode: str = "", token: str = "") -> Response:
        """Return a page with a token of its own, or with the one that its forms have already."""
        title = f"{self.state.host_name} - Web Image Monitor"
        return wimpages.page(title, body, token=token or self.session.renewed(), method=method, mode=mode)

    def error(self, value: str, method: str) -> Response:
        """Return the page for what didn't work, by its ``returnValue``."""
        words = {"TIMEOUT": "timeout", "BADFLOW": "badflow", "BUSY": "busy"}.get(value, "error")
        body = f"<div>{value if value in {'BUSY', 'BADFLOW'} else ''} {self.says(words)}</div>"
        token = self.session.renewed()
        return wimpages.page(self.says("error"), body, token=token, method=method, value=value)


class WebImageMonitor:
    """A device's pages."""

    def __init__(self, state: CopierState, journal: Journal, engineer: str) -> None:
        self.state, self.journal, self.engineer = state, journal, engineer
        self.sessions = Sessions(state)
        self.directory = wimsoap.Directory(state, self.sessions)
        self._mark = ""

    async def answer(self, request: Request) -> Response:
        """Answer one request, and note it."""
        self._mark = ""
        host = self._host(request)
        if request.path == wimsoap.PATH:
            soap = self.directory.answer(request, host)
            response, reads, self._mark = soap.response, soap.reads, soap.mark
            names: tuple[str, ...] = (soap.action,)
        else:
            response = self._answer(request, host)
            reads, names = self._reads(request), tuple(_fields(request))
        response.headers["Date"] = format_datetime(self.state.now().astimezone(UTC), usegmt=True)
        self.journal.note(
            AskedOfDevice(
                "copier",
                request.method,
                request.path,
                reads=reads,
                device=self.state.serial,
                form=names,
                mark=self._mark,
            )
        )
        return response

    def _host(self, request: Request) -> str:
        """Return the client's address as the device sees it: in loopback, the engineer's machine's."""
        return self.engineer if request.peer.startswith("127.") else request.peer

    def _reads(self, request: Request) -> bool:
        if request.method in {"GET", "HEAD"}:
            return not _WRITES.search(_program(request.path))
        return _program(request.path) in _POSTED and request.method == "POST"

    def _answer(self, request: Request, host: str) -> Response:
        if request.path == "/":
            return self._root() if request.method in {"GET", "HEAD"} else _refused_method()
        if request.method not in {"GET", "HEAD", "POST"}:
            return _refused_method()
        found = _PATH.fullmatch(request.path)
        # guess: a device answers in its own language only, so that whoever takes English for granted finds nothing
        if found is None or found[2] != self.state.language:
            return wimpages.missing()
        area, path = found[1], found[3]
        checked = _COOKIE in request.cookies
        if not checked and (area == "entry" or path.endswith(("/authForm.cgi", "/login.cgi"))):
            # guess: the check itself; that there is one is known
            where = request.path.replace("/login.cgi", "/authForm.cgi")
            return Response(302, b"", {**wimpages.HEADERS, "Location": where}, [f"{_COOKIE}=on; path=/"])
        return self._guest(request, path, host) if area == "guest" else self._entry(request, path, host)

    # ---- for everybody

    def _base(self, area: str) -> str:
        return f"/web/{area}/{self.state.language}/websys"

    def _root(self) -> Response:
        title = f"{self.state.model} - {self.state.host_name} - Web Image Monitor"
        where = f"{self._base('guest')}/webArch/mainFrame.cgi"
        return wimpages.plain(
            f'<html><head><title>{title}</title><script>location.href="{where}";</script></head><body></body></html>'
        )

    def _guest(self, request: Request, path: str, host: str) -> Response:
        number, session = self.sessions.guest(request.cookies.get("risessionid", ""))
        visit = Visit(request, _fields(request), self.state, session, host)
        if path == "websys/webArch/login.cgi" and request.method == "POST":
            return self._login(visit)
        if path == "websys/webArch/logout.cgi":
            return self._logout(visit)
        if frame := self._frame("guest", path):
            response = frame
        elif path == "websys/webArch/authForm.cgi":
            response = self._auth_form(visit)
        elif path in _GUEST_PAGES:
            response = _GUEST_PAGES[path](visit)
        else:
            return wimpages.missing()
        response.cookies += [f"risessionid={number}; path=/", "wimsesid=--; path=/"]
        return response

    def _frame(self, area: str, path: str) -> Response | None:
        base, state = f"{self._base(area)}/webArch", self.state
        way = ("authForm.cgi", "login") if area == "guest" else ("logout.cgi", "logout")
        title = f"{state.host_name} - Web Image Monitor"
        pages = {
            "mainFrame.cgi": f'<html><head><title>{title}</title></head><frameset rows="60,*">'
            f'<frame name="header" src="{base}/header.cgi"><frame name="work" src="{base}/topPage.cgi">'
            "</frameset></html>",
            "header.cgi": f'<html><body><a href="{way[0]}" target="_top"><span>{label(state.language, way[1])}</span>'
            "</a></body></html>",
            "topPage.cgi": f"<html><body>{state.model} {state.host_name}</body></html>",
        }
        text = pages.get(path.removeprefix("websys/webArch/"))
        return wimpages.plain(text) if text else None

    def _auth_form(self, visit: Visit, *, said: str = "", value: str = "SUCCESS") -> Response:
        token = visit.session.renewed()
        form = (
            f'<div>{said}</div><script src="/scripts/base64.js"></script>'
            '<form name="form1" method="post" action="login.cgi">'
            f'<input type="hidden" name="wimToken" value="{token}">'
            '<input type="text" name="userid_work"><input type="hidden" name="userid" value="">'
            '<input type="password" name="password_work"><input type="hidden" name="password" value="">'
            f'<input type="hidden" name="open" value=""><input type="submit" value="{visit.says("login")}"></form>'
        )
        return wimpages.page(visit.says("login"), form, token=token, method="authForm", value=value)

    def _login(self, visit: Visit) -> Response:
        if not visit.session.takes(visit.form.get("wimToken", "")):
            return visit.error("BADFLOW", "login")
        verdict, number = self.sessions.log_in(visit.form.get("userid", ""), visit.form.get("password", ""), visit.host)
        self._mark = "login" if verdict == "in" else "login-refused"
        if verdict == "in":
            where = f"{self._base('entry')}/webArch/mainFrame.cgi"
            return Response(302, b"", {**wimpages.HEADERS, "Location": where}, [f"wimsesid={number}; path=/"])
        if verdict == "full":
            return self._auth_form(visit, said=f"BUSY {visit.says('full')}", value="BUSY")
        # guess: whether a locked account is told so; here it isn't, and the field says no more than that
        return self._auth_form(visit, said=visit.says("refused"), value="AUTH_FAILED")

    def _logout(self, visit: Visit) -> Response:
        if self.sessions.log_out(visit.request.cookies.get("wimsesid", ""), visit.host):
            self._mark = "logout"
        where = f"{self._base('guest')}/webArch/mainFrame.cgi"
        response = visit.page(f'<script>top.location.href="{where}";</script>', "logout")
        response.cookies.append("wimsesid=--; path=/")
        return response

    # ---- for who is logged in

    def _entry(self, request: Request, path: str, host: str) -> Response:
        number = request.cookies.get("wimsesid", "--")
        session = self.sessions.entered(number)
        visit = Visit(request, _fields(request), self.state, session or Session(), host)
        if path == "websys/webArch/logout.cgi":
            return self._logout(visit)
        program = _program(path)
        if session is None:
            if number in {"", "--"}:
                # guess: where a page leads somebody who never logged in
                return wimpages.plain(
                    f'<html><script>top.location.href="{self._base("guest")}/webArch/authForm.cgi";</script></html>'
                )
            return visit.error("TIMEOUT", program)
        if frame := self._frame("entry", path):
            return frame
        if path == self._mail_path():
            return wimsettings.mail(visit)
        if path in _ENTRY_PAGES:
            return _ENTRY_PAGES[path](visit)
        if _WRITES.search(program) and request.method == "POST":
            return self._written(visit, path, program)
        return wimpages.missing()

    def _mail_path(self) -> str:
        """Return the path of the E-mail page, which is there even where the index doesn't lead to it."""
        return f"{self.state.mail_folder or self.state.traits.mail_folder}/mailConfGet.cgi"

    def _written(self, visit: Visit, path: str, program: str) -> Response:
        """Say to a request that changes something what a device would; its log shows it, the lab keeps nothing."""
        if not visit.session.takes(visit.form.get("wimToken", "")):
            return visit.error("BADFLOW", program)
        kind = "Address Book Change" if path.startswith("address/") else "Machine Configuration"
        self.state.log.event(self.state.now(), kind, user="admin", host=visit.host)
        return visit.page("", program)


_GUEST_PAGES: dict[str, Callable[[Visit], Response]] = {
    "websys/status/configuration.cgi": wimsettings.configuration,
    "websys/netw/getInterface.cgi": wimsettings.interface,
}
_ENTRY_PAGES: dict[str, Callable[[Visit], Response]] = {
    **_GUEST_PAGES,
    "websys/webArch/configList.cgi": wimsettings.index,
    wimsettings.SEND_PATH: wimsettings.send,
    "address/adrsList.cgi": wimaddress.frame,
    "address/adrsListLoadEntry.cgi": wimaddress.batch,
    "address/adrsGetUser.cgi": wimaddress.entry,
    "websys/config/getLogDownload.cgi": wimlog.offer,
    "websys/config/getLogDownloadData.cgi": wimlog.download,
}
# Programs that only read, and are asked by POST.
_POSTED = {"login", "adrsListLoadEntry", "adrsGetUser", "getLogDownloadData"}


def _program(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".cgi")


def _fields(request: Request) -> dict[str, str]:
    """Return a form's fields: of the query, or of the body."""
    if request.method == "POST":
        return {**request.query, **dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))}
    return dict(request.query)


def _refused_method() -> Response:
    return Response(405, b"", dict(wimpages.HEADERS))
