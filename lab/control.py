"""How somebody presses a copier's button on a running lab: one line of JSON each way, on a port of 127.0.0.1.

The port is opened before the lab leaves the machine's network, so it is reached from outside in both
networks. A lab that a person started leaves a note of it in the folder for temporary files.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.devicesmtp import CONNECT, REPLY

if TYPE_CHECKING:
    from lab.scanner import Scanner

_PATIENCE = 4 * (CONNECT + REPLY)  # seconds
_LINE = 65536  # bytes


class ControlError(Exception):
    """What keeps the button from being pressed, in one line."""


def opened() -> socket.socket:
    """Return the port, to be opened first of all."""
    sock = socket.create_server(("127.0.0.1", 0))
    sock.settimeout(0)
    return sock


def note() -> Path:
    """Return the file in which a lab says where its port is."""
    import getpass  # noqa: PLC0415 - only a person's lab has a note

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getpid())
    return Path(tempfile.gettempdir(), f"scanproof-lab-{user}.json")


def leave(where: Path, told: dict[str, Any]) -> None:
    """Write the note, which no other user may read."""
    where.unlink(missing_ok=True)
    with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(told, file)


def take_away(where: Path, told: dict[str, Any]) -> None:
    """Remove the note, unless another lab's is there by now."""
    with suppress(OSError, ValueError):
        if json.loads(where.read_text(encoding="utf-8")) == told:
            where.unlink()


async def start(scanner: Scanner, sock: socket.socket) -> tuple[asyncio.Server, dict[str, Any]]:
    """Open the port; return its server, and what a client needs to know."""
    key = secrets.token_urlsafe(18)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            answer = await _pressed(scanner, key, asked)
        except (ValueError, TypeError, AttributeError):
            answer = {"error": "not understood"}
        except OSError:
            return
        with suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    address, port = sock.getsockname()[:2]
    server = await asyncio.start_server(client, sock=sock, limit=_LINE)
    return server, {"host": address, "port": port, "key": key}


async def _pressed(scanner: Scanner, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    if not secrets.compare_digest(str(asked.get("key", "")), key):
        return {"error": "this is another lab's note"}
    copier = scanner.named(str(asked.get("copier", "")))
    if copier is None:
        return {"error": f"no copier is called {asked.get('copier')}; name it by serial number, address or host name"}
    if not copier.alive:
        return {"error": f"{copier.host_name or copier.key} is switched off"}
    recipients = scanner.estate.plan.recipients
    to = str(asked.get("to") or (recipients[0] if recipients else ""))
    if not to:
        return {"error": "the site names no test recipient; say --to"}
    panel = await scanner.scan(copier, to, asked.get("subject") or None)
    return {"sent": panel.sent, "panel": panel.text, "said": panel.said, "device": copier.state.host_name}


def press(told: dict[str, Any], copier: str, *, subject: str = "", to: str = "") -> dict[str, Any]:
    """Press a copier's button on a running lab; return what came of it.

    Args:
        told: where its port is, as ``start`` returned it.
        copier: serial number, address or host name.
        subject: the mail's; the device's own by default.
        to: the first test recipient by default.

    Raises:
        ControlError: there is no such lab, or it refuses.
    """
    asked = {"key": told.get("key"), "copier": copier, "subject": subject, "to": to}
    try:
        with socket.create_connection((told["host"], told["port"]), _PATIENCE) as sock, sock.makefile("rwb") as wire:
            wire.write(json.dumps(asked).encode() + b"\n")
            wire.flush()
            answer: dict[str, Any] = json.loads(wire.readline())
    except (OSError, ValueError, KeyError):
        raise ControlError("no lab is running; start one with: scanproof lab up") from None
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer


def press_noted(copier: str, *, subject: str = "", to: str = "") -> dict[str, Any]:
    """Press a copier's button on the lab that this user has up.

    Raises:
        ControlError: there is none, or it refuses.
    """
    try:
        told = json.loads(note().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ControlError("no lab is running; start one with: scanproof lab up") from None
    return press(told, copier, subject=subject, to=to)
