"""What was asked of the tenant's APIs and of the devices, so that a test can tell that nothing but reading was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Server = Literal["graph", "exchange", "copier"]


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        cmdlet: Exchange's, where the request names one.
        reads: it asks for something, and would change nothing.
    """

    server: Server
    method: str
    path: str
    cmdlet: str = ""
    reads: bool = True


@dataclass(frozen=True)
class AskedOfDevice(Asked):
    """One request to a copier.

    Attributes:
        device: its serial number, as it says it itself.
        form: the names of the fields that were posted, or of a SOAP action; never their values.
        mark: what the request did to a session: "login", "login-refused" or "logout".
    """

    device: str = ""
    form: tuple[str, ...] = ()
    mark: str = ""


@dataclass
class Journal:
    """Every request in its order; a file gets one JSON line for each as well."""

    file: Path | None = None
    asked: list[Asked] = field(default_factory=list)

    def note(self, entry: Asked) -> None:
        """Write down a request."""
        self.asked.append(entry)
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(entry)) + "\n")

    @property
    def writes(self) -> list[Asked]:
        """The requests that would have changed something."""
        return [entry for entry in self.asked if not entry.reads]
