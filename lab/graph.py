"""graph.microsoft.com: the test mailboxes, and the message trace."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lab import odata
from lab.httpserver import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.estate import Estate
    from lab.httpserver import Request
    from lab.post import Mail, PostOffice
    from lab.signin import SignIn

PAGE = 10  # messages, where $top isn't given
_FOLDERS = {"Inbox": ("inbox", "Inbox"), "Junk": ("junkemail", "Junk Email")}
_STATUS = {"Inbox": "delivered", "Junk": "filteredAsSpam", "Quarantine": "quarantined"}  # guess: of Junk
_TRACE = "/v1.0/admin/exchange/tracing/messageTraces"
_ONLY_SELECTED = frozenset({"internetMessageHeaders"})


class GraphServer:
    """Answers from the mailboxes, to a token that may read them."""

    def __init__(self, estate: Estate, post: PostOffice, sign_in: SignIn) -> None:
        self.estate, self.post, self.sign_in = estate, post, sign_in

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        state = self.estate.tenant.graph
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if state.refuse_tokens or scheme != "Bearer" or not self.sign_in.valid(token, "graph"):
            text = "Access token is empty." if not token else "Access token validation failure. Invalid audience."
            return _error(401, "InvalidAuthenticationToken", text)
        if state.throttle:
            state.throttle -= 1 if state.throttle > 0 else 0
            text = "Application is over its MailboxConcurrency limit."
            return _error(429, "ApplicationThrottled", text, {"Retry-After": str(state.retry_after)})
        if request.method != "GET":
            return _error(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        try:
            if request.path == _TRACE:
                return self._traces(request)
            parts = request.path.strip("/").split("/")
            if len(parts) >= 4 and parts[:2] == ["v1.0", "users"]:
                return self._user(request, parts[2], parts[3:])
        except odata.QueryError as error:
            return _error(400, error.code, error.message)
        return _error(400, "BadRequest", f"Resource not found for the segment '{request.path.rpartition('/')[2]}'.")

    def _user(self, request: Request, user: str, rest: list[str]) -> Response:
        if not self.estate.app.permissions & {"Mail.Read", "Mail.ReadBasic.All"}:
            return _error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        box = self.estate.mailbox(user)
        if box is None:
            return _error(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        if not box.rest_enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            return _error(404, "MailboxNotEnabledForRESTAPI", text)
        if rest[0] == "mailFolders" and len(rest) > 1:
            return self._folder(request, box.address, rest)
        if rest[0] == "messages" and len(rest) == 1:
            return self._messages(request, self._mails(box.address))
        if rest[0] == "messages":
            return self._message(request, box.address, rest[1:])
        return _error(400, "BadRequest", f"Resource not found for the segment '{rest[0]}'.")

    def _folder(self, request: Request, address: str, rest: list[str]) -> Response:
        for folder, (known, title) in _FOLDERS.items():
            if rest[1].lower() not in {known, _folder_id(address, folder).lower()}:
                continue
            mails = [mail for mail in self._mails(address) if mail.folder == folder]
            if len(rest) == 2:
                count = {"totalItemCount": len(mails), "unreadItemCount": len(mails), "childFolderCount": 0}
                return Response.json({"id": _folder_id(address, folder), "displayName": title, **count})
            if rest[2:] == ["messages"]:
                return self._messages(request, mails)
        return _error(404, "ErrorItemNotFound", "The specified object was not found in the store.")

    def _message(self, request: Request, address: str, rest: list[str]) -> Response:
        mail = next((mail for mail in self._mails(address) if mail.id == rest[0]), None)
        if mail is None:
            return _error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if rest[1:] == ["attachments"]:
            return Response.json({"value": _attachments(mail)})
        if rest[1:] == ["$value"]:
            return Response(200, mail.message.as_bytes(), {"Content-Type": "text/plain"})
        return Response.json(_fields(_resource(mail, address), request.query))

    def _mails(self, address: str) -> list[Mail]:
        """Return what lies in a mailbox by now; what is in quarantine lies in none."""
        now = datetime.now(UTC)
        return [
            mail
            for mail in self.post.mails
            if mail.recipient == address.casefold() and mail.visible <= now and mail.folder != "Quarantine"
        ]

    def _messages(self, request: Request, mails: list[Mail]) -> Response:
        resources = [_resource(mail, mail.recipient) for mail in sorted(mails, key=lambda m: m.visible, reverse=True)]
        return self._page(request, resources, default=PAGE, most=1000)

    def _traces(self, request: Request) -> Response:
        if "ExchangeMessageTrace.Read.All" not in self.estate.app.permissions:
            return _error(403, "Forbidden", "The application lacks ExchangeMessageTrace.Read.All.")
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
        return self._page(request, resources, default=1000, most=5000)

    def _page(self, request: Request, resources: list[dict[str, Any]], *, default: int, most: int) -> Response:
        found = odata.select(resources, request.query)
        top, skip = odata.number(request.query, "$top", default, most), odata.number(request.query, "$skip", 0, 10**6)
        body: dict[str, Any] = {
            "@odata.context": f"https://{self.estate.plan.graph_host}/v1.0/$metadata#Collection",
            "value": [_fields(resource, request.query) for resource in found[skip : skip + top]],
        }
        if request.query.get("$count") == "true":
            body["@odata.count"] = len(found)
        if skip + top < len(found):
            query = {**request.query, "$top": str(top), "$skip": str(skip + top)}
            text = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
            body["@odata.nextLink"] = f"https://{self.estate.plan.graph_host}{quote(request.path)}?{text}"
        return Response.json(body)


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    now = datetime.now(UTC)
    inner = {
        "date": f"{now:%Y-%m-%dT%H:%M:%S}",
        "request-id": str(uuid.uuid4()),
        "client-request-id": str(uuid.uuid4()),
    }
    return Response.json({"error": {"code": code, "message": message, "innerError": inner}}, status, headers)


def _folder_id(address: str, folder: str) -> str:
    return "AQMk" + base64.urlsafe_b64encode(f"{folder}:{address}".encode()).decode()


def _fields(resource: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the selected fields; some come only when they are asked for by name."""
    names = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
    if not names:
        return {name: value for name, value in resource.items() if name not in _ONLY_SELECTED}
    for name in names:
        if name not in resource:
            raise odata.QueryError("BadRequest", f"Could not find a property named '{name}'.")
    return {name: value for name, value in resource.items() if name in {"id", *names}}


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _person(address: str) -> dict[str, Any]:
    return {"emailAddress": {"name": address, "address": address}}


def _resource(mail: Mail, address: str) -> dict[str, Any]:
    body = mail.message.get_body(("plain", "html"))
    text = body.get_content() if body is not None else ""
    return {
        "id": mail.id,
        "createdDateTime": _stamp(mail.received),
        "receivedDateTime": _stamp(mail.received),
        "sentDateTime": _stamp(mail.received),
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
        "receivedDateTime": _stamp(mail.received),
        "subject": str(mail.message.get("Subject", "")),
        "size": mail.size,
        "fromIP": mail.from_ip,
        "toIP": "",
        "status": _STATUS[mail.folder],
    }
