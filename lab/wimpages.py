"""The anatomy of Web Image Monitor's pages, as published dumps show it; their look is not theirs.

An error is a page like any other, with status 200: only the hidden fields at its end tell.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from lab.httpserver import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVER = "Web-Server/3.0"
HEADERS = {"Server": SERVER, "Content-Type": "text/html; charset=UTF-8", "Expires": "0", "Pragma": "no-cache"}


def page(title: str, body: str, *, token: str, method: str, value: str = "SUCCESS", mode: str = "") -> Response:
    """Return a page of a CGI program: what it shows, and the hidden form that every one ends with."""
    fields = hidden({"wimToken": token, "mode": mode, "returnValue": value, "methodName": method})
    text = (
        f"<html><head><title>{html.escape(title)}</title></head><body>\n{body}\n"
        f'<form name="basicForm" onSubmit="return false;">\n{fields}</form>\n</body></html>'
    )
    return Response(200, text.encode(), dict(HEADERS))


def plain(text: str) -> Response:
    """Return a page that is no CGI program's, such as a frameset."""
    return Response(200, text.encode(), dict(HEADERS))


def missing() -> Response:
    """Return the answer for a path that isn't there."""
    return Response(404, b"<html><body>404 Not Found</body></html>", dict(HEADERS))


def hidden(fields: dict[str, str]) -> str:
    """Return hidden fields."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">\n' for name, value in fields.items()
    )


def shown(label: str, value: str) -> str:
    """Return a row that shows a value."""
    return (
        f'<tr class="staticProp"><td nowrap align="">{html.escape(label)}</td><td nowrap>:</td>'
        f"<td nowrap>{html.escape(value)}</td></tr>\n"
    )


def edited(label: str, control: str) -> str:
    """Return a row with a control to change a value by."""
    return f'<tr class="editProp"><td nowrap>{html.escape(label)}</td><td nowrap>:</td><td nowrap>{control}</td></tr>\n'


def text(name: str, value: str, *, most: int = 128) -> str:
    """Return a text field."""
    return f'<input type="text" name="{name}" value="{html.escape(value)}" maxlength="{most}">'


def radio(name: str, value: str, choices: Iterable[str] = ("true", "false")) -> str:
    """Return radio buttons; which of them is on stands in an attribute only."""
    return "".join(
        f'<input type="radio" name="{name}" value="{choice}"{" checked" if choice == value else ""}>'
        for choice in choices
    )


def table(rows: Iterable[str]) -> str:
    """Return rows as a table."""
    return f"<table>\n{''.join(rows)}</table>"
