"""Web Image Monitor's settings pages: device information, interface, the index, E-mail and Send Settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import wimpages
from lab.wimpages import edited, radio, shown, table, text

if TYPE_CHECKING:
    from lab.httpserver import Response
    from lab.wim import Visit

SEND_PATH = "websys/scanner/sendConfGet.cgi"  # guess: its path and its fields' names were found in no source
_NIB, _MONITOR = "18.12", "1.09"


def configuration(visit: Visit) -> Response:
    """Return the device information, for everybody."""
    state = visit.state
    rows = [
        shown(visit.says("model"), state.model),
        shown(visit.says("machine id"), state.serial),
        shown(visit.says("system"), state.firmware),
        shown("NIB", _NIB),
        shown("Web Image Monitor", _MONITOR),
    ]
    return visit.page(table(rows), "configuration")


def interface(visit: Visit) -> Response:
    """Return the network interface, for everybody.

    guess: that it is this page which shows name servers and gateway, and under which labels.
    """
    state = visit.state
    rows = [
        shown(visit.says("host"), state.host_name),
        shown(visit.says("mac"), ":".join(state.mac[at : at + 2] for at in range(0, 12, 2))),
        shown(visit.says("ip"), state.address),
        shown(visit.says("mask"), state.mask),
        shown(visit.says("gateway"), state.gateway),
    ]
    servers = (*state.dns, "", "", "")[:3]
    rows += [
        shown(f"{visit.says('dns')} {number}", server or "0.0.0.0")  # noqa: S104 - shown where none is set
        for number, server in enumerate(servers, 1)
    ]
    return visit.page(table(rows), "getInterface")


def index(visit: Visit) -> Response:
    """Return the list of all settings pages.

    guess: that an entry is a plain link; that two more speak of e-mail is remembered, not read.
    """
    base = f"/web/entry/{visit.state.language}"
    device = [
        ("date", "websys/config/getDateTime.cgi"),
        ("timer", "websys/config/getTimer.cgi"),
        ("logs", "websys/config/getLogSettings.cgi"),
        ("download logs", "websys/config/getLogDownload.cgi"),
        ("auto email", "websys/config/getAutoMailNotify.cgi"),
        ("on-demand email", "websys/config/getOnDemandMailNotify.cgi"),
        ("users", "websys/config/getUserAuthenticationManager.cgi"),
        ("interface", "websys/netw/getInterface.cgi"),
    ]
    if visit.state.mail_folder:
        device.insert(4, ("email", f"{visit.state.mail_folder}/mailConfGet.cgi"))
    groups = (("device settings", device), ("scanner", [("send settings", SEND_PATH)]))
    body = "".join(
        f"<h3>{visit.says(group)}</h3><ul>"
        + "".join(f'<li><a href="{base}/{path}"><span>{visit.says(name)}</span></a></li>\n' for name, path in links)
        + "</ul>"
        for group, links in groups
    )
    return visit.page(body, "configList")


def mail(visit: Visit) -> Response:
    """Return the E-mail page: what its administrator's privileges let them see.

    A field that may not be seen isn't there at all. guess: that it is absent, and not shown empty.
    """
    state, email = visit.state, visit.state.email
    if state.busy:
        return visit.error("BUSY", "mailConfGet")
    flag = {True: "true", False: "false"}
    rows = []
    if state.may("machine"):
        rows += [
            edited(visit.says("admin mail"), text("adminMailAddress", email.admin_address)),
            # guess: the names of this field, of the encryption and of all that concerns POP
            edited(visit.says("auto sender"), radio("autoSenderName", flag[email.auto_sender])),
        ]
    if state.may("network"):
        rows += [
            edited(visit.says("smtp server"), text("smtpServerName", email.server, most=127)),
            edited(visit.says("smtp port"), text("smtpSendPort", str(email.port), most=5)),
            edited(visit.says("smtp ssl"), radio("smtpOverSSL", flag[email.ssl])),
        ]
    if state.may("machine"):
        rows += [
            edited(visit.says("smtp auth"), radio("smtpAuth", flag[email.auth])),
            edited(visit.says("auth mail"), text("smtpAuthMailAddress", email.auth_address)),
            edited(visit.says("auth user"), text("smtpUserName", email.user, most=191)),
            edited(visit.says("auth password"), '<input type="button" value="..." onclick="smtpPwd();">'),
            edited(visit.says("encryption"), radio("smtpAuthEncryption", "AUTO", ("AUTO", "ON", "OFF"))),
            edited(visit.says("pop"), radio("popBeforeSmtp", flag[email.pop_before_smtp])),
            edited("POP", text("popMailAddress", "") + text("popUserName", "") + text("popWaitTime", "300", most=5)),
            edited(visit.says("reception"), radio("receptionProtocol", "POP3", ("POP3", "IMAP4", "SMTP"))),
        ]
    token = visit.session.renewed()
    hidden = wimpages.hidden(
        {"wimToken": token, "methodName": "mailConfGet", "passwdKind": "", "paramControl": "", "sessionControl": ""}
    )
    form = (
        f'<form name="form1" method="post" action="mailConfSet.cgi">{hidden}{table(rows)}'
        f'<a href="javascript:clickOK();">{visit.says("ok")}</a></form>\n'
        f'<form name="checkForm" method="post">{wimpages.hidden({"wimToken": token})}</form>'
    )
    return visit.page(form, "mailConfGet", token=token)


def send(visit: Visit) -> Response:
    """Return the scanner's Send Settings, which everybody may read that is logged in."""
    send = visit.state.send
    if visit.state.busy:
        return visit.error("BUSY", "sendConfGet")
    flag = {True: "true", False: "false"}
    rows = [
        edited(visit.says("most"), radio("maxMailSizeOn", flag[send.limited])),
        edited("KB", text("maxMailSize", str(send.most_kb), most=6)),
        edited(visit.says("divide"), radio("divideMail", flag[send.divides])),
    ]
    return visit.page(f'<form name="form1" method="post" action="sendConfSet.cgi">{table(rows)}</form>', "sendConfGet")
