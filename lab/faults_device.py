"""Faults of the copiers' web pages, and of copiers that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.catalogue import both, copier, fault, kind

if TYPE_CHECKING:
    from lab.estate import Copier, Estate


def _nth(estate: Estate, number: int) -> Copier:
    copiers = list(estate.copiers.values())
    return copiers[number % len(copiers)]


@fault("http-refused", layer="device", cause="web-page-off", breaks=copier(0, "NET-2"))
def _(estate: Estate) -> None:
    """A copier's plain web page is switched off; HTTPS answers."""
    _nth(estate, 0).http = "refused"


@fault("https-refused", layer="device", cause="web-page-off", breaks=copier(1, "NET-3"))
def _(estate: Estate) -> None:
    """A copier's HTTPS page is switched off; HTTP answers."""
    _nth(estate, 1).https = "refused"


@fault("web-off", layer="device", cause="web-page-off", breaks=copier(2, "NET-2", "NET-3", "NET-4"))
def _(estate: Estate) -> None:
    """A copier's web pages are both switched off."""
    _nth(estate, 2).http = _nth(estate, 2).https = "refused"


@fault(
    "web-silent",
    layer="device",
    cause="device-hangs",
    breaks=copier(3, "NET-2", "NET-3", "NET-4"),
    unproves=copier(3, "DEV-9"),
)
def _(estate: Estate) -> None:
    """A copier accepts connections to its web pages and says nothing."""
    _nth(estate, 3).http = _nth(estate, 3).https = "silent"


@fault("http-endless-head", layer="device", cause="device-hangs", breaks=copier(4, "NET-2"))
def _(estate: Estate) -> None:
    """A copier's web page sends headers without end."""
    _nth(estate, 4).http = "endless-head"


@fault("http-error", layer="device", cause="device-hangs", breaks=copier(5, "NET-2"))
def _(estate: Estate) -> None:
    """A copier's web page answers with an internal error."""
    _nth(estate, 5).http = "error"


@fault("https-stalls", layer="device", cause="device-hangs", breaks=copier(6, "NET-3"))
def _(estate: Estate) -> None:
    """A copier's HTTPS port accepts connections and never shakes hands."""
    _nth(estate, 6).https = "stall"


@fault("http-endless-body", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's web page never ends; it answers all the same."""
    _nth(estate, 7).http = "endless-body"


@fault("http-huge", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's web page has 100 MB; it answers all the same."""
    _nth(estate, 8).http = "huge"


@fault("https-old-tls", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's HTTPS page knows TLS 1.0 only; an old device is still reached."""
    _nth(estate, 9).https = "tls1.0"


@fault("http-redirects", layer="device", cause=None)
def _(estate: Estate) -> None:
    """A copier's HTTP page only leads to HTTPS."""
    _nth(estate, 10).http = "redirect"


@fault(
    "copier-dead",
    layer="device",
    cause="device-down",
    network="namespaces",
    breaks=copier(0, "NET-1", "NET-2", "NET-3", "NET-4"),
    unproves=both(copier(0, "DEV-9"), kind(0)),  # of one that doesn't tell its firmware, nothing is shown for another
)
def _(estate: Estate) -> None:
    """A copier is switched off: nothing answers at its address."""
    _nth(estate, 0).alive = False


@fault("ping-blocked", layer="network", cause="ping-filtered", network="namespaces", breaks=copier(1, "NET-1"))
def _(estate: Estate) -> None:
    """A copier answers no ping; its web pages answer."""
    _nth(estate, 1).pings = False
