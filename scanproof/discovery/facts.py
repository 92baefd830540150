"""The model of what stands in a subnet beside the copiers of the list."""

from __future__ import annotations

from datetime import datetime

from scanproof.kinds import Facts


class Answering(Facts):
    """An address of the subnet, not on the list, at which something answers."""

    address: str
    ping: bool = False
    ports: tuple[int, ...] = ()  # TCP ports that took a connection
    refused: bool = False  # a port refused one: something is there
    title: str = ""
    server: str = ""
    description: str = ""  # sysDescr
    model: str = ""
    serial: str = ""
    make: str = ""

    @property
    def prints(self) -> bool:
        """Whether it takes print jobs: LPD, IPP or the raw port."""
        return bool({515, 631, 9100} & set(self.ports))

    @property
    def name(self) -> str:
        """What it says of itself; empty where that is nothing."""
        said = self.model or self.title or self.description or self.server
        return said if self.make.casefold() in said.casefold() else f"{self.make} {said}".strip()

    @property
    def how(self) -> str:
        """How it was seen, in words."""
        parts = ["ping"] if self.ping else []
        parts += [f"TCP {', '.join(map(str, self.ports))}"] if self.ports else []
        parts += ["start page"] if self.title or self.server else []
        parts += ["SNMP"] if self.description or self.model or self.serial else []
        return " and ".join(parts) or "a refused connection"

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        return f"{self.address} ({self.name or 'it does not say what it is'}; seen by {self.how})"


class Sweep(Facts):
    """A sweep of a subnet."""

    asked: int  # addresses
    unasked: int = 0  # that the time did not suffice for
    pinged: bool = True  # by ICMP too
    answering: tuple[Answering, ...] = ()
    listed_seen: int = 0  # listed copiers whose pages answered
    listed_silent: tuple[str, ...] = ()  # addresses of those that didn't

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        ways = "ICMP and TCP" if self.pinged else "TCP alone"
        rest = f", {self.unasked} not asked in time" if self.unasked else ""
        silent = f"; of the listed copiers {', '.join(self.listed_silent)} do not answer (NET-4)"
        return (
            f"{self.asked} addresses asked by {ways}{rest}: {len(self.answering)} answer that the list lacks"
            f"{silent if self.listed_silent else ''}"
        )


class KnownDevice(Facts):
    """A device of another system's list."""

    address: str
    name: str
    where: str  # the cell


class KnownList(Facts):
    """The devices of a subnet in a list of another system's: a scanner's, or a print server's."""

    file: str
    saved: datetime
    devices: tuple[KnownDevice, ...] = ()
    without_address: int = 0  # rows of the whole list that have no address, or a wrong one, or another row's

    @property
    def seen(self) -> str:
        """What it holds, in words."""
        blind = f" ({self.without_address} rows of it have no usable address)" if self.without_address else ""
        saved = f"{self.saved:%Y-%m-%d %H:%M} UTC"
        return f"{self.file}, saved on {saved}, names {len(self.devices)} devices of this subnet{blind}"


class Unlisted(Facts):
    """What a sweep and another system's list show of a subnet; at least one of the two."""

    prefix: str
    sweep: Sweep | None = None
    known: KnownList | None = None
    trouble: str = ""  # why one of the two is missing, though it was asked for

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        parts = [part.seen for part in (self.sweep, self.known) if part]
        return "; ".join([*parts, self.trouble] if self.trouble else parts)
