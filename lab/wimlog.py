"""Web Image Monitor's "Download Logs"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import wimpages
from lab.httpserver import Response

if TYPE_CHECKING:
    from lab.wim import Visit


def offer(visit: Visit) -> Response:
    """Return the page with the button; machine administrators only.

    guess: where that button leads, that both logs come in one file, and what anybody else gets to see.
    """
    if not visit.state.may("machine"):
        return visit.page(f"<h3>{visit.says('download logs')}</h3>", "getLogDownload")
    token = visit.session.renewed()
    hidden = wimpages.hidden({"wimToken": token})
    body = (
        f"<h3>{visit.says('download logs')}</h3>"
        f'<form name="form1" method="post" action="getLogDownloadData.cgi">{hidden}'
        '<table><tr><td class="defaultTableButton"><a href="javascript:download();">'
        f"{visit.says('download')}</a></td></tr></table></form>\n"
        f'<form name="deleteForm" method="post" action="deleteAllLogs.cgi">{hidden}</form>'
    )
    return visit.page(body, "getLogDownload", token=token)


def download(visit: Visit) -> Response:
    """Return the file; where neither log is collected, one without a row."""
    if visit.request.method != "POST" or not visit.session.takes(visit.form.get("wimToken", "")):
        return visit.error("BADFLOW", "getLogDownloadData")
    if not visit.state.may("machine"):
        return visit.error("ERROR", "getLogDownloadData")
    headers = {
        **wimpages.HEADERS,
        "Content-Type": "text/csv",
        "Content-Disposition": f'attachment; filename="{visit.state.host_name}_log.csv"',
    }
    return Response(200, visit.state.log.file(), headers)
