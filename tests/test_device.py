"""The copiers' own settings, as their admin pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import ages, remedies
from scanproof.devices import rules

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.devices import facts
    from scanproof.devices.handshake import Handshake
    from scanproof.site import Copier, Site

pytestmark = pytest.mark.device
PRIVILEGES = "use an account with machine privileges"


@pytest.mark.requirement("INV-2", "the device at {it.label} is the listed one", level="blocker")
def test_device_is_the_listed_one(copier: Copier, identity: facts.Identity, expect: Expect) -> None:
    """Model and serial, read from the device itself, are those of the list; no other certificate is known of it."""
    hidden, other = rules.hidden_certificate(identity), rules.other_certificate(identity)
    expect.proven(not hidden, f"{hidden}; {identity.seen}", remedies.hidden_certificate(copier))
    wrong = [*([other] if other else []), *rules.same(identity, copier)]
    told = bool(wrong) or rules.recognised(identity, copier)
    expect.proven(told, identity.seen, "compare the serial number at the device")
    expect(
        not wrong,
        expected=rules.listed(identity, copier),
        observed="; ".join([*wrong, identity.seen]),
        remedy=remedies.device(identity, copier),
    )


@pytest.mark.requirement("DEV-1", "the admin login of copier {it.label} works", level="blocker")
def test_admin_login_works(copier: Copier, admin_login: facts.AdminLogin, expect: Expect) -> None:
    """One login with the configured password, one try, logged out again."""
    expect(
        admin_login.signed_in,
        expected=f"{admin_login.user} signed in at {copier.address}",
        observed=admin_login.seen,
        remedy="supply this copier's own password (docs/secrets.md); it was tried once, five may lock the account",
    )


@pytest.mark.requirement("DEV-2", "the SMTP host of copier {it.label} is updated", level="blocker")
def test_smtp_host_is_updated(copier: Copier, email_settings: facts.EmailSettings, site: Site, expect: Expect) -> None:
    """The host on its e-mail page is its route's; a retired host or an IP address is named as such."""
    right, lacks = site.services[copier.route].host, email_settings.absent("host")
    expect.proven(not lacks, lacks, "use an account with network privileges")
    wrong = rules.host_wrong(email_settings, copier, site)
    expect(
        not wrong,
        expected=f"{right}, for {copier.route}",
        observed="; ".join([wrong or right, email_settings.seen]),
        remedy=f"enter {right} as SMTP Server Name (Configuration, Device Settings, E-mail)",
        grade=email_settings.grade,
    )


@pytest.mark.requirement("DEV-3", "port and encryption of copier {it.label} fit its route", level="blocker")
def test_port_and_encryption_fit(
    copier: Copier, email_settings: facts.EmailSettings, site: Site, expect: Expect
) -> None:
    """587 with a secure connection for smtp-auth, 25 for the others; 465 is a certain failure."""
    names = ("port", "ssl") if copier.route == "smtp-auth" else ("port",)
    lacks = email_settings.absent(*names)
    expect.proven(not lacks, lacks, "use an account with network privileges")
    wrong = rules.port_wrong(email_settings, copier, site)
    expect(
        not wrong,
        expected=f"port {site.services[copier.route].port}{', secure connection on' if len(names) > 1 else ''}",
        observed="; ".join([*wrong, email_settings.seen]),
        remedy=f"set SMTP Port No. to {site.services[copier.route].port}"
        f"{' and Use Secure Connection to On' if len(names) > 1 else ''} on the e-mail page",
        grade=email_settings.grade,
    )


@pytest.mark.requirement("DEV-4", "SMTP authentication of copier {it.label} is its sender's", level="blocker")
def test_authentication_is_the_senders(copier: Copier, email_settings: facts.EmailSettings, expect: Expect) -> None:
    """On, as the sender, without POP before SMTP; off where the route signs in nowhere."""
    lacks = email_settings.absent(*(("auth", "user") if copier.route == "smtp-auth" else ("auth",)))
    expect.proven(not lacks, lacks, PRIVILEGES)
    wrong = rules.auth_wrong(email_settings, copier)
    expect(
        not wrong,
        expected=f"signing in as {copier.sender}" if copier.route == "smtp-auth" else "no authentication",
        observed="; ".join([*wrong, email_settings.seen]),
        remedy=remedies.sign_in_settings(email_settings, copier),
        grade=email_settings.grade,
    )
    lacks = email_settings.absent("pop_before_smtp")
    expect.proven(not lacks, lacks, "see whether POP before SMTP is off at the device")


@pytest.mark.requirement("DEV-5", "copier {it.label} may use its from-address", level="blocker")
def test_from_address_may_be_used(
    copier: Copier, email_settings: facts.EmailSettings, site: Site, expect: Expect
) -> None:
    """The sender, or one that it may send as; of the mail domain where the route signs in nowhere."""
    untold = rules.from_untold(email_settings, copier)
    expect.proven(not untold, untold, f"{PRIVILEGES}, or make a scan and see whom it is from")
    wrong = rules.from_wrong(email_settings, copier, site)
    expect(
        not wrong,
        expected=f"from-addresses of {copier.sender if copier.route == 'smtp-auth' else site.file.mail.domain}",
        observed="; ".join([*wrong, email_settings.seen]),
        remedy=f"enter {copier.sender} as administrator's and SMTP address, or grant Send As and state send_as",
        grade=email_settings.grade,
    )


@pytest.mark.requirement("DEV-6", "no address-book entry of copier {it.label} logs in as someone else", level="blocker")
def test_no_entry_logs_in_as_someone_else(copier: Copier, address_book: facts.AddressBook, expect: Expect) -> None:
    """No entry has an SMTP login of its own, which would win over the device's."""
    wrong = rules.foreign_logins(address_book, copier)
    expect.proven(
        address_book.logins_told, f"{address_book.seen} shows no logins of entries", "look at the entries at the device"
    )
    expect(
        not wrong,
        expected="entries that use the device's own SMTP login",
        observed="; ".join([*wrong, address_book.seen]),
        remedy="set SMTP Authentication of these entries to “Do not Specify”, or to the sender",
    )
    expect.proven(
        address_book.complete, f"not all entries were read: {address_book.seen}", "look at the others by hand"
    )


@pytest.mark.requirement("DEV-7", "the test recipients are in the address book of copier {it.label}", level="advice")
def test_recipients_are_in_the_book(
    copier: Copier, address_book: facts.AddressBook, site: Site, expect: Expect
) -> None:
    """Every address of the site's test recipients."""
    lacking = [it.address for it in site.recipients if not address_book.holds(it.address)]
    expect.proven(
        address_book.complete or not lacking,
        f"not all entries were read: {address_book.seen}",
        "look for the test recipients at the device",
    )
    expect(
        not lacking,
        expected=f"entries for {', '.join(it.address for it in site.recipients) or 'no one'}",
        observed=f"{', '.join(lacking)} missing; {address_book.seen}" if lacking else address_book.seen,
        remedy="add the entries at the device, or type the address when scanning",
    )


@pytest.mark.requirement("DEV-8", "firmware of copier {it.label} is recent enough", level="advice")
def test_firmware_is_recent(versioned_copier: Copier, identity: facts.Identity, site: Site, expect: Expect) -> None:
    """At least the site's minimum for its model."""
    least = site.file.devices.minimum_firmware[versioned_copier.model]
    older = rules.older(identity.firmware, least)
    expect.proven(older is not None, f"no version told: {identity.seen}", "read it at the device")
    expect(
        older is False,
        expected=f"firmware {least} or newer",
        observed=identity.seen,
        remedy="have the firmware updated by the vendor",
    )


@pytest.mark.requirement("DEV-9", "copier {it.label} can negotiate today's TLS", level="as used")
def test_negotiates_todays_tls(signing_copier: Copier, handshake: Handshake, expect: Expect) -> None:
    """A mail that it, or one of its model and firmware, delivered by smtp-auth; TLS on 443 alone only hints at it."""
    expect.proven(handshake.told, handshake.seen, handshake.remedy)
    expect(
        handshake.modern,
        expected="TLS 1.2 or newer with forward secrecy",
        observed=handshake.seen,
        remedy="update the firmware; or use port 25 by direct send or relay, which takes mail without TLS",
        grade="from-copier",
    )


@pytest.mark.requirement("DEV-10", "the clock of copier {it.label} is right", level="advice")
def test_clock_is_right(copier: Copier, identity: facts.Identity, site: Site, expect: Expect) -> None:
    """Its own time, in its answers' Date, within the site's tolerance."""
    off = identity.clock
    expect.proven(off is not None, "its answers have no Date", "look at its clock at the device")
    expect(
        abs(off or 0) <= site.file.devices.clock_tolerance,
        expected=f"within {site.file.devices.clock_tolerance:g} s of this machine's clock",
        observed=f"{ages.span(abs(off or 0))} {'ahead' if (off or 0) > 0 else 'behind'}",
        remedy="set its clock or SNTP: a wrong one spoils logs, the Date of mails, and certificates",
    )


@pytest.mark.requirement("DEV-11", "large scans of copier {it.label} fit", level="advice")
def test_scans_fit(copier: Copier, send_settings: facts.SendSettings, expect: Expect) -> None:
    """Its maximum mail size is within the mailbox's, and it does not divide mails."""
    wrong = rules.size_wrong(send_settings)
    told = send_settings.divides is not None and bool(send_settings.kilobytes)
    expect.proven(bool(wrong) or told, send_settings.seen, "look at the scanner's send settings at the device")
    expect(
        not wrong,
        expected=f"a limit of at most {rules.MAILBOX_LIMIT} KB, mails not divided",
        observed=f"{wrong}; {send_settings.seen}" if wrong else send_settings.seen,
        remedy="set Max. Email Size and Divide & Send Email (Configuration, Scanner, Send Settings)",
    )


@pytest.mark.requirement("DEV-12", "the admin password of copier {it.label} is not a factory one", level="advice")
def test_password_is_no_factory_one(copier: Copier, admin_password: facts.AdminPassword, expect: Expect) -> None:
    """Judged from the configured password; never by trying another."""
    expect(
        not admin_password.factory,
        expected="a password of the customer's own",
        observed=admin_password.seen,
        remedy="have the customer change it",
    )


@pytest.mark.requirement("DEV-13", "copier {it.label} resolves names where it should", level="blocker")
def test_resolves_names_where_it_should(copier: Copier, identity: facts.Identity, site: Site, expect: Expect) -> None:
    """Its name servers are those of its subnet, where the site states them; none is retired, nor a gateway shown."""
    wrong = rules.names_wrong(identity, copier, site)
    told = bool(wrong or identity.name_servers)
    expect.proven(told, identity.names_seen, "look at its network settings at the device")
    expect(
        not wrong,
        expected="the subnet's name servers, none of them retired",
        observed="; ".join([*wrong, identity.names_seen]),
        remedy=remedies.names(identity, copier, site),
    )
