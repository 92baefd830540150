"""``site.toml``: what a site states about itself, validated key by key.

Every key has a default or a clear error that names file, key and what would be right. Secrets are
never in this file: they come from the environment or the OS keyring (``scanproof/secrets.py``).
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
import urllib.parse
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from scanproof.subjects import is_of

if TYPE_CHECKING:
    from pathlib import Path

Route = Literal["smtp-auth", "direct-send", "relay"]
Scope = Literal["copiers", "other-makes", "applications"]
Grade = Literal["from-copier", "same-subnet", "forwarded", "attested", "inferred"]


class SiteError(Exception):
    """A site folder that can't be used. Each of its arguments is one whole line for the user."""

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(str(argument) for argument in self.args)


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 or IPv6 address") from None


def _prefix(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{value!r} is not a subnet such as 10.20.90.0/24") from None


def _mail_address(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    if not (at and local and "." in domain) or any(c.isspace() or c in '<>,;:"()[]\\' for c in value.strip()):
        raise ValueError(f"{value!r} is not a mail address such as scan@hospital.example")
    return value.strip().lower()


def _host(value: str) -> str:
    name = value.strip().rstrip(".").lower()
    if not name or any(c.isspace() or c in "/:@" for c in name):
        raise ValueError(f"{value!r} is not a host name such as mail.hospital.example")
    return name


def _ssh(value: str) -> str:
    if value and not re.fullmatch(
        r"([^@\s:-][^@\s:]*@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?", value
    ):
        raise ValueError(f"{value!r} is not user@host or user@host:port")
    port = value.rpartition(":")[2] if re.search(r":[0-9]+$", value) else "22"
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{value!r}: a port is 1 to 65535")
    return value


def _endpoint(value: str) -> str:
    url = urllib.parse.urlsplit(value.strip().rstrip("/"))
    if url.scheme != "https" or not url.hostname or url.path or url.query or url.username:
        raise ValueError(f"{value!r} is not an endpoint such as https://graph.microsoft.com")
    return url.geturl()


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; write the reason down, or take the key out")
    return value.strip()


Address = Annotated[str, AfterValidator(_address)]
Prefix = Annotated[str, AfterValidator(_prefix)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Host = Annotated[str, AfterValidator(_host)]
Ssh = Annotated[str, AfterValidator(_ssh)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Reason = Annotated[str, AfterValidator(_said)]


class _Table(BaseModel):
    # Built at the first use: a table that stands within another is then built once, as a part of it.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SiteTable(_Table):
    """``[site]``."""

    name: str = Field(min_length=1)
    customer: str = ""
    ticket: str = ""
    engineer: str = ""
    cutover: AwareDatetime | None = None
    last_change: AwareDatetime | None = None
    scope: tuple[Scope, ...] = ("copiers",)
    lab: bool = False  # a simulated site: its own lab is started, and nothing else can be reached


class FleetTable(_Table):
    """``[fleet]``."""

    workbook: str = "fleet.xlsx"
    sheet: str | None = None
    columns: dict[str, str] = {}
    subnets: tuple[Prefix, ...] = ()
    makes: tuple[str, ...] = ("Ricoh",)
    known: str = ""  # a file beside this one: a scanner's or print server's list of devices
    known_columns: dict[str, str] = {}
    no_copiers: tuple[Address, ...] = ()  # print servers and the like, which look like copiers from outside
    widest_sweep: Annotated[int, Field(ge=16, le=32)] = 22  # prefix length


class Recipient(_Table):
    """One of ``mail.test_recipients``."""

    address: MailAddress
    readable: bool = True


class MailTable(_Table):
    """``[mail]``."""

    domain: Host
    routes: tuple[Route, ...] = Field(default=("smtp-auth",), min_length=1)
    submission_host: Host = "smtp.office365.com"
    tenant_endpoint: Host | None = None
    gateway: Host | None = None
    retired_hosts: tuple[str, ...] = ()
    test_recipients: tuple[Recipient, ...] = ()
    arrival_deadline: Annotated[float, Field(gt=0, le=1800)] = 180.0  # seconds
    public_resolver: Address = "1.1.1.1"


class Sender(_Table):
    """One ``[[sender]]``: a mailbox that copiers or applications sign in as."""

    address: MailAddress
    auth: Literal["basic", "oauth"] = "basic"
    send_as: tuple[MailAddress, ...] = ()


class Endpoints(_Table):
    """``tenant.endpoints``: other clouds, or the lab."""

    login: Endpoint = "https://login.microsoftonline.com"
    graph: Endpoint = "https://graph.microsoft.com"
    exchange: Endpoint = "https://outlook.office365.com"


class TenantTable(_Table):
    """``[tenant]``."""

    id: str = ""
    client_id: str = ""
    sign_in: Literal["app", "device"] = "app"
    saved: str = ""  # a folder beside this file, with answers saved by hand
    endpoints: Endpoints = Endpoints()


class Egress(_Table):
    """One ``[[egress]]``: the public address behind which a subnet sends."""

    subnet: Prefix
    public_address: Address | None = None
    country: str = ""


class VantageTable(_Table):
    """One ``[[vantage]]``: a place in the network from which probes run."""

    name: str = Field(min_length=1)
    subnet: Prefix | None = None
    ssh: Ssh = ""
    role: Literal["site", "control"] = "site"


class OutOfScope(_Table):
    """Why a copier is not part of this sign-off, who decided it, and when."""

    reason: str = Field(min_length=1)
    name: str = Field(min_length=1)
    date: date


class CopierTable(_Table):
    """One ``[[copier]]``: what the list can't say about a copier, by serial or address."""

    serial: str = ""
    address: Address | None = None
    route: Route | None = None
    sender: MailAddress | None = None
    admin_user: str = ""
    representative: bool = False
    out_of_scope: OutOfScope | None = None
    log: str = ""
    settings: str = ""
    no_access_log: Reason | None = None  # why it keeps none, by which LOG-3 is not applicable to it


class SubnetTable(_Table):
    """One ``[[subnet]]``."""

    prefix: Prefix
    name: str = ""
    route: Route | None = None
    resolvers: tuple[Address, ...] = ()


class Application(_Table):
    """One ``[[application]]``: a program that mails its reports."""

    name: str = Field(min_length=1)
    address: Address | None = None
    route: Route | None = None
    sender: MailAddress | None = None
    subject: str = ""
    connections: str = ""


class DevicesTable(_Table):
    """``[devices]``."""

    admin_user: str = "admin"
    minimum_firmware: dict[str, str] = {}
    clock_tolerance: Annotated[float, Field(gt=0)] = 300.0  # seconds
    minimum_grade: Grade = "attested"


class Waiver(_Table):
    """One ``[[waiver]]``: a requirement that need not hold for a subject until a date."""

    requirement: str = Field(pattern=r"^[A-Z]+-[0-9]+$")
    subject: str
    reason: str = Field(min_length=1)
    approved_by: str = Field(min_length=1)
    until: AwareDatetime

    def covers(self, requirement: str, subject: str) -> bool:
        """Whether it is about a requirement and subject; not whether it has expired."""
        return self.requirement == requirement and (self.subject == "*" or is_of(subject, self.subject))


class SupportCase(_Table):
    """One ``[[support_case]]`` that is open with a vendor."""

    vendor: str = Field(min_length=1)
    number: str = Field(min_length=1)
    opened: date
    status: str = ""


class ReportTable(_Table):
    """``[report]``."""

    contacts: tuple[str, ...] = ()
    background: str = ""
    next_steps: tuple[str, ...] = ()


class SiteFile(_Table):
    """A whole ``site.toml``."""

    site: SiteTable
    fleet: FleetTable = FleetTable()
    mail: MailTable
    sender: tuple[Sender, ...] = ()
    tenant: TenantTable = TenantTable()
    egress: tuple[Egress, ...] = ()
    vantage: tuple[VantageTable, ...] = ()
    copier: tuple[CopierTable, ...] = ()
    subnet: tuple[SubnetTable, ...] = ()
    application: tuple[Application, ...] = ()
    devices: DevicesTable = DevicesTable()
    waiver: tuple[Waiver, ...] = ()
    support_case: tuple[SupportCase, ...] = ()
    report: ReportTable = ReportTable()


def parse(text: str, name: str = "site.toml") -> SiteFile:
    """Read ``site.toml``'s text.

    Args:
        text: the file's content.
        name: how messages name the file.

    Raises:
        SiteError: one line for each key that is wrong; never the value of a key that looks like a secret.
    """
    try:
        return SiteFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SiteError(f"{name}: not valid TOML: {error}") from None
    except ValidationError as error:
        raise SiteError(*(_line(name, problem) for problem in _first_hand(error.errors()))) from None


def read(path: Path) -> SiteFile:
    """Read a ``site.toml``.

    Raises:
        SiteError: it is missing, can't be read, isn't UTF-8, or holds a wrong key.
    """
    try:
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except FileNotFoundError:
        raise SiteError(f"{path}: no such file; 'scanproof init WORKBOOK --to {path.parent}' makes one") from None
    except UnicodeDecodeError as error:
        raise SiteError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise SiteError(f"{path}: can't be read: {error.strerror}") from None


def _first_hand(problems: list[Any]) -> list[Any]:
    """Leave out that a list is too short where it is so because its items are wrong, which is said of them."""
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem in problems
        if problem["type"] != "too_short" or not any(at[:-1] == problem["loc"] for at in places)
    ]


_SECRET_WORDS = ("password", "secret", "token", "passwd", "pwd", "credential")


def _line(name: str, problem: Any) -> str:
    """Say one validation problem in one line: file, key, what was seen, what would be right."""
    key = ""
    for part in problem["loc"]:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else str(part)
    last = str(problem["loc"][-1]).lower() if problem["loc"] else ""
    kind, context = problem["type"], problem.get("ctx", {})
    if any(word in last for word in _SECRET_WORDS):
        return (
            f"{name}: {key}: secrets don't belong in this file; set the environment variable "
            "(docs/secrets.md) or use 'scanproof secret set', and take the value out of here"
        )
    if kind == "missing":
        return f"{name}: {key}: missing; inventory/template/site.toml explains it"
    if kind == "extra_forbidden":
        return f"{name}: {key}: not a key that Scanproof knows; inventory/template/site.toml lists them all"
    if kind == "timezone_aware":
        return f"{name}: {key}: has no zone; write it as 2026-11-23T08:00:00+01:00"
    if kind == "literal_error":
        return f"{name}: {key}: {problem['input']!r} is not one of {context['expected'].replace(' or ', ', ')}"
    if kind == "value_error":
        return f"{name}: {key}: {context['error']}"
    return f"{name}: {key}: {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
