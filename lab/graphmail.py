"""Graph's mailboxes, and Exchange's message trace."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lab import odata
from lab.graphbase import GraphError, fields, no_such_segment, page, stamp
from lab.httpserver import Response

if TYPE_CHECKING:
    from lab.estate import Estate
    from lab.httpserver import Request
    from lab.post import Mail, PostOffice
    from lab.tokens import Grant

PAGE = 10  # messages, where $top isn't given
_FOLDERS = {"Inbox": ("inbox", "Inbox"), "Junk": ("junkemail", "Junk Email")}
# guess: of Junk, and of what a rule deletes
_STATUS = {"Inbox": "delivered", "Junk": "filteredAsSpam", "Quarantine": "quarantined", "Deleted": "failed"}
_ONLY_SELECTED = "internetMessageHeaders"


class GraphMail:
    """Answers from what was delivered, to a token that may read it."""

    def __init__(self, estate: Estate, post: PostOffice) -> None:
        self.estate, self.post = estate, post

    def answer(self, request: Request, grant: Grant, user: str, rest: list[str]) -> Response:
        """Answer a request for something below a user's mailbox.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        if not grant.permissions & {"Mail.Read", "Mail.Read.Shared", "Mail.ReadBasic.All", "Mail.ReadWrite"}:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        account, box = self.estate.account(user), self.estate.mailbox(user)
        if account is None:
            raise GraphError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        box = box or self.estate.mailbox(account.address)
        if box is None or not box.rest_enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise GraphError(404, "MailboxNotEnabledForRESTAPI", text)
        whole = bool(grant.permissions & {"Mail.Read", "Mail.Read.Shared", "Mail.ReadWrite"})
        if rest[0] == "mailFolders" and len(rest) > 1:
            return self._folder(request, box.address, rest, whole=whole)
        if rest[0] == "messages" and len(rest) == 1:
            return self._messages(request, self._mails(box.address), whole=whole)
        if "attachments" in rest and not whole:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if rest[0] == "messages":
            return self._message(request, box.address, rest[1:])
        raise no_such_segment(rest[0])

    def _folder(self, request: Request, address: str, rest: list[str], *, whole: bool) -> Response:
        for folder, (known, title) in _FOLDERS.items():
            if rest[1].lower() not in {known, _folder_id(address, folder).lower()}:
                continue
            mails = [mail for mail in self._mails(address) if mail.folder == folder]
            if len(rest) == 2:
                count = {"totalItemCount": len(mails), "unreadItemCount": len(mails), "childFolderCount": 0}
                return Response.json({"id": _folder_id(address, folder), "displayName": title, **count})
            if rest[2:] == ["messages"]:
                return self._messages(request, mails, whole=whole)
        raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")

    def _message(self, request: Request, address: str, rest: list[str]) -> Response:
        mail = next((mail for mail in self._mails(address) if mail.id == rest[0]), None)
        if mail is None:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if rest[1:] == ["attachments"]:
            return Response.json({"value": _attachments(mail)})
        if rest[1:] == ["$value"]:
            return Response(200, mail.message.as_bytes(), {"Content-Type": "text/plain"})
        return Response.json(_shown(_resource(mail, address), request))

    def _mails(self, address: str) -> list[Mail]:
        """Return what lies in a mailbox by now; what is in quarantine, or was deleted, lies in none."""
        now = datetime.now(UTC)
        return [
            mail
            for mail in self.post.mails
            if mail.recipient == address.casefold() and mail.visible <= now and mail.folder in _FOLDERS
        ]

    def _messages(self, request: Request, mails: list[Mail], *, whole: bool) -> Response:
        resources = [_resource(mail, mail.recipient) for mail in sorted(mails, key=lambda m: m.visible, reverse=True)]
        if not whole:  # Microsoft's reference of Mail.ReadBasic: not the body's beginning; guess: blank, and no refusal
            resources = [{**resource, "bodyPreview": ""} for resource in resources]
        found = odata.select(resources, request.query, ordered=True)
        plain = [name for name in (resources[0] if resources else {}) if name != _ONLY_SELECTED]
        return page(self.estate, request, "messages", found, default=PAGE, most=1000, skip_by="$skip", unasked=plain)

    def traces(self, request: Request, grant: Grant) -> Response:
        """Answer a request for the message trace.

        Raises:
            GraphError: as Graph refuses it.
            QueryError: as Graph refuses it.
        """
        if "ExchangeMessageTrace.Read.All" not in grant.permissions:
            raise GraphError(403, "Forbidden", "The application lacks ExchangeMessageTrace.Read.All.")
        bounds = [
            c.test[0] for c in odata.conditions(request.query.get("$filter", "")) if c.field == "receivedDateTime"
        ]
        if bounds and set(bounds) != {"g", "l"}:
            raise odata.QueryError("BadRequest", "receivedDateTime needs both a start and an end.")
        now = datetime.now(UTC)
        resources = [
            _trace(mail)
            for mail in self.post.mails
            if mail.visible <= now and (bounds or mail.received >= now - timedelta(days=2))
        ]
        found = odata.select(resources, request.query)
        kind = "admin/exchange/tracing/messageTraces"
        return page(self.estate, request, kind, found, default=1000, most=5000, skip_by="$skip")


def _folder_id(address: str, folder: str) -> str:
    return "AQMk" + base64.urlsafe_b64encode(f"{folder}:{address}".encode()).decode()


def _shown(resource: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return the selected fields; the headers come only when they are asked for by name."""
    return fields(resource, request.query, unasked=[name for name in resource if name != _ONLY_SELECTED])


def _person(address: str) -> dict[str, Any]:
    return {"emailAddress": {"name": address, "address": address}}


def _resource(mail: Mail, address: str) -> dict[str, Any]:
    body = mail.message.get_body(("plain", "html"))
    text = body.get_content() if body is not None else ""
    return {
        "id": mail.id,
        "createdDateTime": stamp(mail.received),
        "receivedDateTime": stamp(mail.received),
        "sentDateTime": stamp(mail.received),
        "hasAttachments": next(mail.message.iter_attachments(), None) is not None,
        "internetMessageId": mail.internet_id,
        "subject": str(mail.message.get("Subject", "")),
        "bodyPreview": text[:255],
        "importance": "normal",
        "parentFolderId": _folder_id(address, mail.folder),
        "isRead": False,
        "isDraft": False,
        "from": _person(mail.sender),
        "sender": _person(mail.sender),
        "toRecipients": [_person(address)],
        "body": {"contentType": "text", "content": text},
        "internetMessageHeaders": [{"name": name, "value": value} for name, value in mail.headers],
    }


def _attachments(mail: Mail) -> list[dict[str, Any]]:
    found = []
    for number, part in enumerate(mail.message.iter_attachments()):
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        found.append(
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "id": f"{mail.id}{number}",
                "name": part.get_filename() or "",
                "contentType": part.get_content_type(),
                "size": len(data),
                "isInline": False,
                "contentBytes": base64.b64encode(data).decode(),
            }
        )
    return found


def _trace(mail: Mail) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, mail.id)),
        "senderAddress": mail.sender,
        "recipientAddress": mail.recipient,
        "messageId": mail.internet_id,
        "receivedDateTime": stamp(mail.received),
        "subject": str(mail.message.get("Subject", "")),
        "size": mail.size,
        "fromIP": mail.from_ip,
        "toIP": "",
        "status": _STATUS[mail.folder],
    }
