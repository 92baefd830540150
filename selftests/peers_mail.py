"""Postfix and Dovecot as peers: their configuration, with files of its own, and nothing of the machine's."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

from scanproof.site import Service
from scanproof.sitefile import Recipient
from scanproof.subjects import Delivery, SenderSubject
from selftests import certs
from selftests.harness import PASSWORD, demo
from selftests.peers import DOVECOT, PATIENCE, POSTFIX, Ground, ground

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scanproof.sitefile import Route

DOMAIN = "northfield.example"
SUBMISSION, ENDPOINT = "smtp.office365.com", "northfield-example.mail.protection.outlook.com"
OLD, ONLY_12, ONLY_13, UNTRUSTED = 2010, 2012, 2013, 2099  # ports of Postfix with another TLS
NOBODY = 65534
SENDER = demo().file.sender[0]
SASL = "127.0.0.1:12345"

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = {address}
inet_protocols = ipv4
myhostname = mail.northfield.example
mydestination =
mynetworks =
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{
 denied@northfield.example=REJECT, busy@northfield.example=DEFER }}
virtual_mailbox_domains = northfield.example
virtual_mailbox_maps = inline:{{ scan-proof@northfield.example=scan-proof/ }}
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/server.pem
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{sasl}
"""

_SUBMISSION = " -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes"
_SERVICES = f"""
25 inet n - n - - smtpd
587 inet n - n - - smtpd{_SUBMISSION}
{OLD} inet n - n - - smtpd{_SUBMISSION} -o smtpd_tls_mandatory_protocols=>=TLSv1
 -o tls_high_cipherlist=ALL:@SECLEVEL=0 -o tls_medium_cipherlist=ALL:@SECLEVEL=0
{ONLY_12} inet n - n - - smtpd{_SUBMISSION} -o smtpd_tls_mandatory_protocols=TLSv1.2
{ONLY_13} inet n - n - - smtpd{_SUBMISSION} -o smtpd_tls_mandatory_protocols=TLSv1.3
{UNTRUSTED} inet n - n - - smtpd{_SUBMISSION} -o smtpd_tls_chain_files={{folder}}/untrusted.pem
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
"""

_DOVECOT = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot-state
log_path = {folder}/dovecot.log
protocols = submission
listen = {address}
ssl = required
ssl_cert = <{folder}/dovecot.pem
ssl_key = <{folder}/dovecot.pem
ssl_min_protocol = TLSv1.2
auth_mechanisms = plain login
auth_failure_delay = 0
hostname = mail.northfield.example
submission_relay_host = {relay}
mail_location = maildir:~
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}/homes/%n
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener sasl {{
    address = 127.0.0.1
    port = 12345
  }}
}}
"""


@contextmanager
def mail_peers() -> Iterator[Ground]:
    """Give a ground with both."""
    with ground("postfix", "dovecot") as made:
        start_dovecot(made)
        start_postfix(made)
        yield made


def start_dovecot(made: Ground) -> None:
    """Start Dovecot: its submission on 587, which hands mail to Postfix, and the sign-in for Postfix."""
    folder = made.folder
    made.write("users", f"scan@{DOMAIN}:{PASSWORD}\n")
    (folder / "dovecot.pem").write_bytes(certs.pem(SUBMISSION))
    homes = folder / "homes"
    homes.mkdir(mode=0o777)
    homes.chmod(0o777)
    config = made.write("dovecot.conf", _DOVECOT.format(folder=folder, address=DOVECOT, relay=POSTFIX))
    made.server("dovecot", "-F", "-c", str(config), address=DOVECOT, port=587)


def start_postfix(made: Ground) -> None:
    """Start Postfix: port 25 as a tenant's endpoint, 587 with sign-in."""
    folder = made.folder
    (folder / "server.pem").write_bytes(certs.pem(SUBMISSION, ENDPOINT))
    (folder / "untrusted.pem").write_bytes(certs.pem(SUBMISSION, trusted=False))
    for name in ("postfix", "spool", "mail"):
        (folder / name).mkdir(mode=0o755)
    # Who owns what is Postfix's own demand; it makes the rest of its spool itself.
    (folder / "data").mkdir(mode=0o700)
    _own(folder / "data", "postfix")
    _own(folder / "mail", NOBODY)
    made.write("postfix/main.cf", _MAIN.format(folder=folder, address=POSTFIX, sasl=SASL))
    made.write("postfix/master.cf", _SERVICES.format(folder=folder))
    made.server("postfix", "-c", str(folder / "postfix"), "start-fg", address=POSTFIX, port=25)


def service(port: int = 587) -> Service:
    """Return the submission service, by another port where that is wanted."""
    return Service(SUBMISSION, port)


def sender() -> SenderSubject:
    """Return the sender at the submission service."""
    return SenderSubject(SENDER, service())


def delivery(recipient: str = "scan-proof@northfield.example", route: Route = "smtp-auth") -> Delivery:
    """Return a test mail of the sender by a route."""
    door = service() if route == "smtp-auth" else Service(ENDPOINT, 25)
    return Delivery(SENDER, route, door, Recipient(address=recipient))


def arrived(made: Ground, message_id: str) -> EmailMessage:
    """Return the mail with this Message-ID from the test recipient's maildir, once it is there."""
    until = time.monotonic() + PATIENCE
    while True:
        for path in (made.folder / "mail" / "scan-proof" / "new").glob("*"):
            message = message_from_bytes(path.read_bytes(), EmailMessage, policy=policy.default)
            if message["Message-ID"] == message_id:
                return message
        assert time.monotonic() < until, f"no such mail: {made.log()}"
        time.sleep(0.05)


def _own(path: Path, user: str | int) -> None:
    shutil.chown(path, user)
