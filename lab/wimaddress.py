"""Web Image Monitor's address list: array literals in three shapes, and the form of one entry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lab import wimpages
from lab.wimpages import edited, radio, table, text

if TYPE_CHECKING:
    from lab.copierstate import Entry, Shape
    from lab.httpserver import Response
    from lab.wim import Visit

_BATCH, _MOST = 50, 200


def frame(visit: Visit) -> Response:
    """Return the page around the list, whose rows its script loads."""
    token = visit.session.renewed()
    body = (
        f"<h3>{visit.says('address list')}</h3>"
        f'<form name="form1" method="post" action="adrsGetUser.cgi">{wimpages.hidden({"wimToken": token})}</form>'
    )
    return visit.page(body, "adrsList", token=token)


def batch(visit: Visit) -> Response:
    """Return a batch of the list's rows: JavaScript, not JSON."""
    try:
        count = min(int(visit.form.get("listCountIn", _BATCH)), _MOST)
        number = int(visit.form.get("getCountIn", 1))
    except ValueError:
        return visit.error("BADFLOW", "adrsListLoadEntry")
    if count < 1 or number < 1:
        return visit.error("BADFLOW", "adrsListLoadEntry")
    found = visit.state.entries[(number - 1) * count : number * count]
    visit.session.loaded.update(entry.index for entry in found)
    rows = ",".join(_row(visit.state.traits.shape, entry) for entry in found)
    return wimpages.plain(f"[{rows}]")


def entry(visit: Visit) -> Response:
    """Return one entry's form: of a batch that this session has loaded, while nobody else has it open."""
    if visit.request.method != "POST" or not visit.session.takes(visit.form.get("wimToken", "")):
        return visit.error("BADFLOW", "adrsGetUser")
    if visit.state.busy:
        return visit.error("BUSY", "adrsGetUser")
    index = visit.form.get("entryIndexIn", "")
    found = next((part for part in visit.state.entries if part.index == index), None)
    if found is None or index not in visit.session.loaded:
        return visit.error("ERROR", "adrsGetUser")  # guess: its word
    account = "AUTH_ASSIGNMENT_O" if found.login else "AUTH_SYSTEM_O"  # guess: the second, the first is known
    rows = [
        edited("No.", text("entryIndexIn", found.index, most=5)),
        edited("Name", text("entryNameIn", found.name)),
        edited("Key", text("entryDisplayNameIn", found.name)),
        edited("Code", text("userCodeIn", found.user_code)),
        edited("SMTP", radio("smtpAuthAccountIn", account, ("AUTH_SYSTEM_O", "AUTH_ASSIGNMENT_O"))),
        edited("User", text("smtpAuthUserNameIn", found.login, most=191)),
        edited(visit.says("email"), text("mailAddressIn", found.mail)),
        edited("Use", radio("entryUseIn", "ENTRYUSE_TO_O", ("ENTRYUSE_TO_O", "ENTRYUSE_FROM_O"))),
        edited("Path", text("folderPathNameIn", found.folder)),
    ]
    token = visit.session.renewed()
    form = f'<form name="form1" method="post" action="adrsSetUser.cgi">{table(rows)}</form>'
    return visit.page(form, "adrsGetUser", mode="MODUSER", token=token)


def _row(shape: Shape, entry: Entry) -> str:
    used = _last_used()
    name, mail, folder, code = (_quoted(part) for part in (entry.name, entry.mail, entry.folder, entry.user_code))
    # guess: where the mail address stands in the rows of 9 and 11; the other places are those of real rows
    fields = {
        8: [str(400 + entry.number), "1", _quoted(entry.index), name, code, used, mail, folder],
        9: [str(200 + entry.number), "1", _quoted(entry.index), name, code, used, "''", mail, folder],
        11: ["''", "1", _quoted(entry.index), name, "1", "''", "''", "''", code, mail, folder],
    }
    return f"[{','.join(fields[shape])}]"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _last_used() -> str:
    now = datetime.now(UTC)
    return _quoted(f"{int(now.timestamp())}#{now:%b %d,%Y %I:%M %p}")
