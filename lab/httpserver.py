"""A small HTTP/1.1 server on asyncio streams: enough for device pages, sign-in and Graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 1024 * 1024
REASONS = {
    200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: without the query, percent-decoded.
        headers: by lower-case name.
        peer: the client's address.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""

    @property
    def form(self) -> dict[str, str]:
        """Return the fields of a form-encoded body, empty ones among them."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies that the client sent."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, equals, value in pairs if equals}


@dataclass
class Response:
    """One answer; each cookie is a header of its own."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)

    @classmethod
    def json(cls, data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return an answer in JSON."""
        return cls(status, json.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})})


Handler = Callable[[Request], Awaitable[Response]]
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def serve(handler: Handler, *, keep_alive: bool = True, latency: float = 0.0) -> Client:
    """Return a connection callback for ``asyncio.start_server`` that answers by a handler, after so many seconds."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = (writer.get_extra_info("peername") or ("",))[0]
        try:
            while (request := await read_request(reader, peer)) is not None:
                await asyncio.sleep(latency)
                writer.write(_bytes(request, await handler(request), keep_alive=keep_alive))
                await writer.drain()
                if not keep_alive or request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or sent what is no HTTP
        finally:
            writer.close()

    return client


async def read_request(reader: asyncio.StreamReader, peer: str = "") -> Request | None:
    """Read one request of a client; None where the client closed, or spoke no HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3:
        return None
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in lines[1:])
        if colon
    }
    try:
        length = min(int(headers.get("content-length", "0")), BODY_LIMIT)
    except ValueError:
        return None
    body = await reader.readexactly(length) if length > 0 else b""
    url = urlsplit(parts[1])
    return Request(parts[0], unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True)), headers, body, peer)


def _bytes(request: Request, response: Response, *, keep_alive: bool) -> bytes:
    headers = {
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "keep-alive" if keep_alive else "close",
    }
    lines = [*headers.items(), *(("Set-Cookie", cookie) for cookie in response.cookies)]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    reason = REASONS.get(response.status, "")
    body = b"" if request.method == "HEAD" else response.body
    return f"HTTP/1.1 {response.status} {reason}\r\n{head}\r\n".encode("latin-1") + body
