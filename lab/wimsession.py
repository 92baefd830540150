"""Web Image Monitor's sessions: cookies, a token for each page, one administrator, and no more than three at once."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lab.copierstate import ADMIN, SESSIONS

if TYPE_CHECKING:
    from lab.copierstate import CopierState

Verdict = Literal["in", "refused", "full"]
_GUESTS = 50  # so many are remembered


@dataclass
class Session:
    """One browser's.

    Attributes:
        token: of the page that it was shown last. guess: an older page's is stale then.
        loaded: the entries of the address list that it was given.
    """

    token: str = ""
    used: float = field(default_factory=time.monotonic)
    loaded: set[str] = field(default_factory=set)

    def renewed(self) -> str:
        """Return the token of a new page."""
        self.token = str(secrets.randbelow(900_000_000) + 100_000_000)
        return self.token

    def takes(self, token: str) -> bool:
        """Tell whether a token is the last page's, and use it up."""
        fits, self.token = bool(self.token) and token == self.token, ""
        return fits


@dataclass
class Sessions:
    """Every session of a device."""

    state: CopierState
    guests: dict[str, Session] = field(default_factory=dict)
    open: dict[str, Session] = field(default_factory=dict)

    def guest(self, number: str) -> tuple[str, Session]:
        """Return a visitor's session by its cookie, and the cookie; a new one for a stranger."""
        if number not in self.guests:
            number = _number()
            self.guests[number] = Session()
            while len(self.guests) > _GUESTS:
                del self.guests[next(iter(self.guests))]
        return number, self.guests[number]

    def entered(self, number: str) -> Session | None:
        """Return an administrator's session by its cookie; None where it isn't open, or no more."""
        self._expire()
        found = self.open.get(number)
        if found is not None:
            found.used = time.monotonic()
        return found

    def log_in(self, user: str, password: str, host: str) -> tuple[Verdict, str]:
        """Judge a login as the pages send it, in base64; return a new session's cookie where it is taken."""
        self._expire()
        name = _plain(user)
        if status := self.refusal(name, _plain(password)):
            self.state.log.event(self.state.now(), "Login", user=name, host=host, status=status)
            return "refused", ""
        if len(self.open) + self.state.others >= SESSIONS:
            return "full", ""
        number = _number()
        self.open[number] = Session()
        self.state.log.event(self.state.now(), "Login", user=name, host=host)
        if self.state.meddled:
            self.state.log.event(self.state.now(), "Machine Configuration", user=name, host=host)
        return "in", number

    def refusal(self, name: str, password: str) -> str:
        """Judge a name and password; return the access log's word for a refusal, and count those."""
        if name != ADMIN:
            return "User Not Programmed"
        if self.state.locked:
            return "User Locked Out"
        if not secrets.compare_digest(password.encode(), self.state.admin_password.encode()):
            self.state.failed_logins += 1
            return "Password Mismatch"
        self.state.failed_logins = 0
        return ""

    def log_out(self, number: str, host: str) -> bool:
        """Close a session; tell whether it was open."""
        if self.open.pop(number, None) is None:
            return False
        self.state.log.event(self.state.now(), "Logout", user=ADMIN, host=host)
        return True

    def _expire(self) -> None:
        since = time.monotonic() - self.state.idle
        for number in [number for number, session in self.open.items() if session.used < since]:
            del self.open[number]


def _number() -> str:
    return str(secrets.randbelow(900_000_000) + 100_000_000)


def _plain(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode("utf-8", "replace")
    except (Base64Error, ValueError):
        return ""  # a client that doesn't encode
