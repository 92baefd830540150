"""What is known of devices' pages, and what a site corrects of it; other makes; pages and logs saved by hand."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import pytest

from scanproof.devices import data, readings
from scanproof.devices.identity import identity
from scanproof.kinds import Unproven
from scanproof.sitefile import CopierTable
from selftests.harness import demo
from selftests.test_device_wim import (
    COPIER,
    DATA,
    LOG,
    LOGIN,
    MAIL,
    REFUSAL,
    SETTINGS,
    START,
    device,
    page,
    reply,
    row,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.site import Copier, Site

pytestmark = pytest.mark.filterwarnings("error")


def site(folder: Path, corrections: str = "") -> Site:
    if corrections:
        (folder / "devices.toml").write_text(corrections, encoding="utf-8")
    return dataclasses.replace(demo(), folder=folder)


def test_what_is_shipped_can_be_used(tmp_path: Path) -> None:
    known = data.known(site(tmp_path))
    assert known.email_methods == ("mailConfGet",)
    assert known.of("IM C3000", "1.21") == known.model_copy(update={"models": {}})


def test_a_site_corrects_what_it_names(tmp_path: Path) -> None:
    known = data.known(site(tmp_path, 'email_path = "websys/mail/mailConfGet.cgi"\n[fields]\nhost = ["smtpHost"]\n'))
    assert known.email_path == "websys/mail/mailConfGet.cgi"
    assert known.fields["host"] == ("smtpHost",)
    assert known.fields["port"] == ("smtpSendPort",)
    assert known.labels["model"]


def test_a_model_and_its_firmware_differ(tmp_path: Path) -> None:
    known = data.known(
        site(
            tmp_path,
            '[models."IM C3000"]\nlog_path = "a"\nfields = { host = ["h"] }\n'
            '[models."IM C3000 1.21"]\nlog_path = "b"\n',
        )
    )
    assert known.of("IM C3000", "1.20").log_path == "a"
    found = known.of("IM C3000", "1.21")
    assert (found.log_path, found.fields["host"], found.fields["port"]) == ("b", ("h",), ("smtpSendPort",))
    assert known.of("MP C3504", "1.21").log_path == "websys/config/getLogDownload.cgi"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("emial_path = 'x'", "emial_path: Extra inputs"),
        ("email_path = 7", "email_path: "),
        ("[email_labels]\na = 1", "email_labels: "),
        ("fields = 'x'", "fields: "),
        ("[fields]\nhost = 'smtpHost'", "fields.host: "),
        ("[models.'IM C3000']\nlog_pat = 'x'", "models.IM C3000.log_pat: Extra inputs"),
        ("[models.'IM C3000'.fields]\nhost = 7", "models.IM C3000.fields.host: "),
        ("models = 7", "models: "),
        ("x = ", "can't be used: "),
    ],
)
def test_an_error_names_the_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unproven) as error:
        data.known(site(tmp_path, text))
    assert error.value.reason.startswith("devices.toml")
    assert said in error.value.reason
    assert error.value.remedy


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(Unproven, match="can't be used"):
        data.known(site(tmp_path))


@pytest.mark.parametrize(
    "path", ["log_path = 'websys/config/setLogDownload.cgi'", "log_data = 'websys/config/deleteLog.cgi'"]
)
async def test_a_corrected_path_must_be_one_that_reads(tmp_path: Path, path: str) -> None:
    async with device(site=site(tmp_path, path)) as (wire, copier):
        await wire.gatherer().collect([(readings.device_log, COPIER)], deadline=20)
        found = wire.kept.evidence[-1]
        assert not [what for what in copier.whats() if "setLog" in what or "deleteLog" in what]
        assert copier.out
    assert (found.kind, found.outcome) == ("device_log", "unproven")
    assert "is not the path of a page that only reads" in found.reason


MAKES: list[tuple[str, str, str]] = [  # Server header, title, make
    ("HP HTTP Server; HP LaserJet MFP M528", "x", "HP"),
    ("", "KONICA MINOLTA bizhub C364e", "Konica Minolta"),
    ("CANON HTTP Server", "Remote UI", "Canon"),
    ("Apache", "XEROX WORKCENTRE", "Xerox"),
    ("KM-MFP-http/V0.0.1", "Kyocera Command Center RX", "Kyocera"),
    ("", "Lexmark CX725", "Lexmark"),
    ("debut/1.30", "Brother MFC-L8900CDW", "Brother"),
    ("Rapid Logic/1.1", "SHARP MX-3070", "Sharp"),
    ("", "TopAccess", "Toshiba"),
    ("EPSON_Linux UPnP/1.0", "", "Epson"),
    ("", "Aficio SP C250DN", "Ricoh"),
    ("", "SAVIN MP 305+", "Ricoh"),
    ("nginx", "Sharper pictures; a hpx printer", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("server", "title", "make"), MAKES)
async def test_other_makes(server: str, title: str, make: str) -> None:
    start = reply(f"<html><title>{title}</title>", Server=server)
    async with device({START: start}) as (wire, copier):
        gatherer = wire.gatherer()
        found = await gatherer.evidence(identity, COPIER)
        login = await gatherer.evidence(readings.admin_login, COPIER)
        assert set(copier.whats()) == {START}
    assert found.facts
    assert (found.facts.make, found.facts.driver) == (make, "")
    assert login.outcome == "unproven"
    assert "no driver knows the pages" in login.reason


def stated(**table: Any) -> Copier:
    return dataclasses.replace(COPIER, stated=CopierTable(serial=COPIER.serial, **table))


async def asked(probe: Any, copier: Copier, folder: Path, answers: Any) -> Any:
    async with device(answers, site=site(folder)) as (wire, _):
        return await wire.ask(probe, copier)


def mail_page(body: str = "", title: str = "") -> str:
    """Return an e-mail page as a browser saves it; by its title it names no device, unless one is given."""
    text = page(SETTINGS + body, method="mailConfGet")
    return text.replace("RNP - Web Image Monitor", title or "Web Image Monitor")


def whence(host: str) -> str:
    return f"<!-- saved from url=(0057)http://{host}/web/entry/en/websys/netw/mailConfGet.cgi -->"


TITLED = f"{COPIER.host_name} - Web Image Monitor"
TIES: dict[str, tuple[str, str, str]] = {  # what the page names itself by: body, title; and how it is told
    "title": ("", TITLED, f"by its host name {COPIER.host_name} this copier's"),
    "start page's title": ("", f"IM C3000 - {TITLED.upper()[:-17]}Web Image Monitor", "by its host name"),
    "address": (whence(COPIER.address), "", f"by its address {COPIER.address} this copier's"),
    "host": (whence(f"{COPIER.host_name}.hospital.example:80"), "", f"by its host name {COPIER.host_name}."),
    "serial": (row("Machine ID", COPIER.serial.lower()), "", f"by its serial {COPIER.serial.lower()} this"),
    "model": (row("Model Name", f"Aficio {COPIER.model}"), "", f"by its model Aficio {COPIER.model} this"),
    "nothing": ("", "", "nothing in it tells whose it is"),
    "no link of its own": ('<a href="http://www.ricoh.com/web/guests">', "", "nothing in it tells whose it is"),
}
OTHERS: dict[str, tuple[str, str, str]] = {
    "title": ("", "RNP002673FFFFFF - Web Image Monitor", "host name RNP002673FFFFFF"),
    "address": (whence("10.20.90.99"), "", "address 10.20.90.99"),
    "address of version 6": (whence("[2001:db8::9]"), "", "address 2001:db8::9"),
    "longer address": (whence(f"{COPIER.address}1"), "", f"address {COPIER.address}1"),
    "host": (whence("copier-99"), "", "host name copier-99"),
    "serial": (row("Machine ID", "3099R999999"), "", "serial 3099R999999"),
    "model": (row("Model Name", f"{COPIER.model}0"), "", f"model {COPIER.model}0"),
    "one of several": (whence(COPIER.address) + row("Machine ID", "3099R999999"), TITLED, "serial 3099R999999"),
}


@pytest.mark.parametrize(("body", "title", "tie"), TIES.values(), ids=TIES)
async def test_a_saved_page_is_attested(tmp_path: Path, body: str, title: str, tie: str) -> None:
    (tmp_path / "mail.html").write_text(mail_page(body, title), encoding="utf-8")
    found = await asked(readings.email_settings, stated(settings="mail.html"), tmp_path, {LOGIN: REFUSAL})
    assert found.outcome == "observed", found.reason
    assert found.facts.host == "smtp.office365.com"
    assert found.facts.grade == "attested"
    assert found.facts.source.startswith(f"mail.html (titled “{title or 'Web Image Monitor'}”), saved on ")
    assert tie in found.facts.source


@pytest.mark.parametrize(("body", "title", "said"), OTHERS.values(), ids=OTHERS)
async def test_a_saved_page_of_another_copier(tmp_path: Path, body: str, title: str, said: str) -> None:
    (tmp_path / "mail.html").write_text(mail_page(body, title), encoding="utf-8")
    found = await asked(readings.email_settings, stated(settings="mail.html"), tmp_path, {LOGIN: REFUSAL})
    assert found.outcome == "unproven"
    assert f"names another device: {said}" in found.reason
    assert "save this copier's own page" in found.remedy


async def test_a_saved_page_must_be_of_the_device_that_was_read(tmp_path: Path) -> None:
    """The list has no serial, so that only the device itself tells which page is its own."""
    (tmp_path / "mail.html").write_text(mail_page(row("Machine ID", "3099R999999")), encoding="utf-8")
    bare = dataclasses.replace(stated(settings="mail.html"), serial="")
    found = await asked(readings.email_settings, bare, tmp_path, {LOGIN: REFUSAL})
    assert "names another device: serial 3099R999999" in found.reason


async def test_the_devices_own_page_comes_before_a_saved_one(tmp_path: Path) -> None:
    (tmp_path / "mail.html").write_text("x", encoding="utf-8")
    found = await asked(readings.email_settings, stated(settings="mail.html"), tmp_path, {})
    assert found.facts.grade == ""
    assert found.facts.source == MAIL.removeprefix("GET ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (page(SETTINGS, method="other"), "its methodName is 'other'"),
        ("", "its methodName is 'missing'"),
        ("<" * 1_000_000, "its methodName is 'missing'"),
        (None, "mail.html is no file of the site's folder"),
    ],
    ids=["another page", "empty", "junk", "none"],
)
async def test_a_saved_page_that_is_none(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "mail.html").write_text(content, encoding="utf-8")
    found = await asked(readings.email_settings, stated(settings="mail.html"), tmp_path, {LOGIN: REFUSAL})
    assert found.outcome == "unproven"
    assert said in found.reason
    assert found.remedy


async def test_a_page_from_before_the_last_change_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mail.html"
    path.write_text(page(SETTINGS, method="mailConfGet"), encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    found = await asked(readings.email_settings, stated(settings="mail.html"), tmp_path, {LOGIN: REFUSAL})
    assert "was saved on 2023-11-14 22:13 UTC, before the last change" in found.reason


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        (f"{COPIER.host_name}_log.csv", "observed"),
        ("RNP002673FFFFFF_joblog.csv", "unproven"),
        ("RNP002673FFFFFF_log.csv", "unproven"),
        ("reception.csv", "observed"),
    ],
)
async def test_an_exported_log_of_another_copier(tmp_path: Path, name: str, outcome: str) -> None:
    text = "Log Type,Result,Log ID\r\nDownload completed.\r\n"
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    found = await asked(readings.device_log, stated(log=name), tmp_path, {LOGIN: REFUSAL})
    assert found.outcome == outcome, found.reason
    assert ("host name RNP002673FFFFFF" in found.reason) == (outcome == "unproven")


async def test_an_exported_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("Log Type,Result,Log ID\r\nDownload completed.\r\n", encoding="utf-8-sig")
    found = await asked(
        readings.device_log, stated(log="log.csv"), tmp_path, {LOG: reply("", "404 No"), DATA: reply("")}
    )
    assert found.outcome == "observed", found.reason
    missing = await asked(readings.device_log, stated(log="none.csv"), tmp_path, {LOGIN: REFUSAL})
    assert missing.outcome == "unproven"
    assert missing.remedy == "correct [[copier]] log"
