"""The mail that a device makes of a scan: a default subject, a few words and a PDF."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from lab.copierstate import CopierState


def message(state: CopierState, sender: str, recipient: str, subject: str | None, when: datetime) -> EmailMessage:
    """Return a scan of one page as a mail.

    guess: the words of the body, the attachment's name and the form of Message-ID were found in no sample.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, recipient
    mail["Subject"] = subject or f'Message from "{state.host_name}"'
    mail["Date"] = format_datetime(when)
    mail["Message-ID"] = f"<{when:%Y%m%d%H%M%S}.{secrets.token_hex(6)}@{state.host_name}>"
    mail.set_content(
        f'This E-mail was sent from "{state.host_name}" ({state.model}).\n\n'
        f"Scan Date: {when:%d.%m.%Y %H:%M:%S} ({when:%z})\n"
        f"Queries to: {state.email.admin_address}\n"
    )
    name = f"{when:%Y%m%d%H%M%S}{when.microsecond // 1000:03d}.pdf"
    content = pdf(f"{state.model} {state.serial}") if state.pages else b""
    mail.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return mail


def relayed(content: bytes, state: CopierState, when: datetime) -> bytes:
    """Return a mail as the server that takes it hands it on, with the trace that it leaves (RFC 5321 §4.4)."""
    trace = (
        f"Received: from {state.host_name} ([{state.address}])\r\n"
        f"\tby {state.through} (Postfix) with ESMTP id {secrets.token_hex(5).upper()};\r\n"
        f"\t{format_datetime(when)}\r\n"
    )
    return trace.encode() + content


def pdf(text: str) -> bytes:
    """Return a PDF of one page that bears a line of text."""
    drawn = f"BT /F1 12 Tf 72 770 Td ({text}) Tj ET".encode("ascii", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    )
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + head + table + end
