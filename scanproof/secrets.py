"""Where secrets come from: the environment, else the OS keyring; nowhere else, and never into a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scanproof import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "scanproof"  # the keyring's service name
SENDER_PASSWORD = "SCANPROOF_SENDER_PASSWORD"  # noqa: S105 - names, not values
COPIER_PASSWORD = "SCANPROOF_COPIER_PASSWORD"  # noqa: S105
CLIENT_SECRET = "SCANPROOF_CLIENT_SECRET"  # noqa: S105
CLIENT_CERTIFICATE = "SCANPROOF_CLIENT_CERTIFICATE"
NAMES = (SENDER_PASSWORD, COPIER_PASSWORD, CLIENT_SECRET, CLIENT_CERTIFICATE)


def variable(name: str, owner: str = "") -> str:
    """Return the variable's name for one sender or copier: ``NAME__scan_hospital_example``."""
    return f"{name}__{re.sub(r'[^A-Za-z0-9]', '_', owner)}" if owner else name


@dataclass
class Secrets:
    """Looks secrets up and registers each for redaction as it is read.

    Attributes:
        given: values that win over environment and keyring: the lab's own.
        sealed: look nowhere else; a simulated site must never see the user's real secrets.
    """

    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    sealed: bool = False

    def __post_init__(self) -> None:
        for value in self.given.values():
            redact.register(value)
        for name, value in os.environ.items():
            if name.startswith(NAMES):
                redact.register(value)

    def get(self, name: str, *owners: str) -> str | None:
        """Return a secret: an owner's own, by any of its names, before the general one; None where there is none."""
        for key in dict.fromkeys((*(variable(name, owner) for owner in owners), name)):
            value = self.given.get(key)
            if value is None and not self.sealed:
                value = os.environ.get(key) or _from_keyring(key)
            if value:
                redact.register(value)
                return value
        return None


def missing(name: str, owner: str = "") -> str:
    """Say how to supply a secret that is missing."""
    key = variable(name, owner)
    other = f" (or {name})" if key != name else ""
    return f"set the environment variable {key}{other}, or run: scanproof secret set {key}"


def without_keyring(name: str) -> str:
    """Say how to supply a secret on a machine that keeps none."""
    return f"without a keyring, set the environment variable {name} for the run (docs/secrets.md)"


def _from_keyring(key: str) -> str | None:
    import keyring  # noqa: PLC0415 - asks the OS at import; most runs have the environment
    import keyring.errors  # noqa: PLC0415

    try:
        return keyring.get_password(SERVICE, key)
    except keyring.errors.KeyringError:  # a machine without a keyring: the same as none stored
        return None


def store(name: str, value: str) -> None:
    """Keep a secret in the OS keyring.

    Raises:
        ValueError: the name is not one that Scanproof reads.
        keyring.errors.KeyringError: this machine has no usable keyring.
    """
    import keyring  # noqa: PLC0415

    if not name.startswith(NAMES):
        raise ValueError(
            f"{name} is not a secret that Scanproof reads; it reads {', '.join(NAMES)}, each also with __OWNER"
        )
    keyring.set_password(SERVICE, name, value)
