"""The tenant: every setting of Exchange Online and Entra that decides whether a sender may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scanproof import baselines, remedies, retirements
from scanproof.replies import meaning
from scanproof.tenant import rules
from scanproof.tenant.prediction import agrees

if TYPE_CHECKING:
    from fixtures.expect import Expect
    from scanproof.evidence import SignIn
    from scanproof.site import Site
    from scanproof.subjects import RelayEgress, SenderEgress, SenderSubject, TenantSubject
    from scanproof.tenant import facts

pytestmark = pytest.mark.tenant


@pytest.mark.requirement("TEN-1", "SMTP AUTH is enabled for sender {it.label}", level="as used")
def test_smtp_auth_is_enabled(sender: SenderSubject, smtp_auth: facts.SmtpAuth, expect: Expect) -> None:
    """The mailbox's flag, which wins, over the organisation's; null inherits, a missing one is unproven."""
    expect.exception(baselines.smtp_auth(smtp_auth, sender.key))
    expect.proven(smtp_auth.disabled is not None, smtp_auth.seen, "see both settings in Exchange")
    expect(
        smtp_auth.disabled is False,
        expected="SmtpClientAuthenticationDisabled false for the mailbox, or null there and false for the organisation",
        observed=smtp_auth.seen,
        remedy=f"Set-CASMailbox -Identity {remedies.word(sender.key)} -SmtpClientAuthenticationDisabled $false",
        grade=smtp_auth.grade,
    )


@pytest.mark.requirement("TEN-2", "no authentication policy blocks Basic SMTP for sender {it.label}", level="as used")
def test_no_policy_blocks_basic(
    password_sender: SenderSubject, authentication_policy: facts.PolicyInForce, expect: Expect
) -> None:
    """The policy in force, the user's own or the organisation's, has AllowBasicAuthSmtp; or none applies."""
    expect.proven(authentication_policy.refuses is not None, authentication_policy.seen, "see the policy in Exchange")
    expect(
        authentication_policy.refuses is False,
        expected="no authentication policy, or one with AllowBasicAuthSmtp",
        observed=authentication_policy.seen,
        remedy=remedies.authentication_policy(authentication_policy, password_sender.key),
        grade=authentication_policy.grade,
    )


@pytest.mark.requirement("TEN-3", "security defaults do not stop sender {it.label}", level="as used")
def test_security_defaults_are_off(
    password_sender: SenderSubject, security_defaults: facts.SecurityDefaults, expect: Expect
) -> None:
    """Security defaults are off: they bar every sign-in by password over SMTP, and know no exception."""
    expect.exception(baselines.security_defaults(security_defaults))
    expect(
        not security_defaults.enabled,
        expected="security defaults off",
        observed=security_defaults.seen,
        remedy=remedies.SECURITY_DEFAULTS,
        grade=security_defaults.grade,
    )


@pytest.mark.requirement("TEN-4", "no Conditional Access policy stops sender {it.label}", level="as used")
def test_conditional_access_lets_in(
    sender_egress: SenderEgress, conditional_access: facts.ConditionalAccess, expect: Expect
) -> None:
    """Entra's own evaluation for client type “other” from the site's public address; report-only does not count."""
    expect.exception(baselines.conditional_access(conditional_access, sender_egress.sender.address))
    expect(
        not conditional_access.stopping,
        expected="no policy in force with a grant control, which a client of this kind can't give",
        observed=conditional_access.seen,
        remedy=remedies.conditional_access(conditional_access, sender_egress.sender.address),
        grade=conditional_access.grade,
    )
    expect.proven(conditional_access.told, conditional_access.seen, remedies.undecided(conditional_access))


@pytest.mark.requirement("TEN-5", "multi-factor is off for sender {it.label}", level="as used")
def test_mfa_is_off(password_sender: SenderSubject, mfa_state: facts.MfaState, expect: Expect) -> None:
    """Per-user multi-factor authentication is disabled; policies are TEN-4's business."""
    expect.proven(mfa_state.told, mfa_state.seen, "see the sender's per-user MFA in Entra")
    expect(
        mfa_state.state.lower() == "disabled",
        expected="per-user MFA disabled",
        observed=mfa_state.seen,
        remedy=remedies.per_user_mfa(password_sender.key),
        grade=mfa_state.grade,
    )


@pytest.mark.requirement("TEN-6", "the password of sender {it.label} never expires", level="as used")
def test_password_never_expires(
    password_sender: SenderSubject, password_expiry: facts.PasswordExpiry, expect: Expect
) -> None:
    """DisablePasswordExpiration on the user, else the domain's validity; a finite one gives the day it breaks."""
    remedy = remedies.password_expiry(password_expiry, password_sender.key)
    expect.proven(password_expiry.told, password_expiry.seen, remedy)
    expect(
        password_expiry.never or password_expiry.validity == rules.NEVER,
        expected="a password that never expires",
        observed=password_expiry.seen,
        remedy=remedy,
        grade=password_expiry.grade,
    )


@pytest.mark.requirement("TEN-7", "sender {it.label} is enabled and has a mailbox", level="as used")
def test_sender_is_enabled(sender: SenderSubject, held_mailbox: facts.HeldMailbox, expect: Expect) -> None:
    """The account is enabled where it signs in by password, and an active plan of it carries a mailbox."""
    told = held_mailbox.has_mailbox is not None and (
        held_mailbox.account.enabled is not None or sender.sender.auth == "oauth"
    )
    expect.proven(told or held_mailbox.has_mailbox is False, held_mailbox.seen, "see the sender's licences in Entra")
    expect(
        held_mailbox.has_mailbox is True and (held_mailbox.account.enabled is True or sender.sender.auth == "oauth"),
        expected="an enabled account with a plan that carries a mailbox",
        observed=held_mailbox.seen,
        remedy=remedies.account(held_mailbox, sender.key),
        grade=held_mailbox.grade,
    )


@pytest.mark.requirement("TEN-8", "direct send is not rejected by {it.label}", level="as used")
def test_direct_send_is_taken(direct_tenant: TenantSubject, inward: facts.Inward, site: Site, expect: Expect) -> None:
    """RejectDirectSend is off, or a connector holds each address that sends so; no connector locks them out."""
    stopped, unknown = rules.direct_send_stopped(inward, site), rules.unknown_senders(inward, site)
    expect.proven(bool(stopped) or not unknown, inward.seen, f"state [[egress]] public_address of {', '.join(unknown)}")
    told = bool(stopped) or not rules.direct_send_open(inward, site)
    expect.proven(told, inward.seen, "see RejectDirectSend of Get-OrganizationConfig: true and false tell it")
    expect.exception(baselines.direct_send(inward))
    expect(
        not stopped,
        expected="mail without a sign-in taken from each public address that sends so",
        observed="; ".join([*stopped, inward.seen]),
        remedy=remedies.direct_send(inward, site),
        grade=inward.grade,
    )


@pytest.mark.requirement("TEN-9", "the way of signing in of sender {it.label} has a future", level="advice")
def test_way_of_signing_in_has_a_future(sender: SenderSubject, site: Site, expect: Expect) -> None:
    """No end of it is announced; where one is, its date and source, and the routes that are left."""
    expect(
        sender.sender.auth == "oauth",
        expected="a way of signing in whose end is not announced",
        observed=retirements.future(sender.sender, site.now.date()),
        remedy=f"plan another way for this fleet: {retirements.routes_left(site)}",
    )


@pytest.mark.requirement("TEN-10", "a relay connector matches the site's address {it.label}", level="as used")
def test_connector_matches(relay_egress: RelayEgress, inward: facts.Inward, expect: Expect) -> None:
    """An enabled connector of type OnPremises holds the public address that relays."""
    address = relay_egress.public_address
    expect.proven(bool(address), "no public address is stated for it", "state it as [[egress]] public_address")
    matching = rules.relaying(inward, str(address))
    expect.proven(bool(matching) or not rules.by_certificate(inward), inward.seen, remedies.BY_CERTIFICATE)
    expect(
        bool(matching),
        expected=f"an enabled inbound connector of type OnPremises whose SenderIPAddresses hold {address}",
        observed=inward.seen,
        remedy=remedies.connector(inward, str(address)),
        grade=inward.grade,
    )


@pytest.mark.requirement("TEN-11", "no mail flow of {it.label} still points at the retired server", level="blocker")
def test_nothing_points_at_the_retired_server(
    tenant: TenantSubject, outward: facts.Outward, site: Site, expect: Expect
) -> None:
    """No outbound connector leads to a retired host, and the domain is authoritative."""
    wrong = rules.still_pointing(outward, site.file.mail.retired_hosts)
    unnamed = rules.unnamed(outward, site.file.mail.retired_hosts)
    expect.proven(bool(wrong) or not unnamed, "; ".join(unnamed), "state the retired server as mail.retired_hosts")
    expect(
        not wrong,
        expected="an authoritative domain, and no enabled outbound connector to a retired host",
        observed="; ".join([*wrong, outward.seen]),
        remedy=remedies.outward(outward, site),
        grade=outward.grade,
    )


@pytest.mark.requirement("TEN-12", "no sign-in by sender {it.label} failed lately", level="advice")
def test_no_sign_in_failed(password_sender: SenderSubject, sign_in_log: facts.SignIns, expect: Expect) -> None:
    """The sign-in log of the last week, or since the last change; failures by address and reason."""
    expect.proven(sign_in_log.total > 0, sign_in_log.seen, "let a copier scan, wait some minutes, and run again")
    expect(
        not sign_in_log.failures,
        expected="no failed sign-in",
        observed=sign_in_log.seen,
        remedy="find what signs in from these addresses: a copier with an old password, or somebody who guesses",
        grade=sign_in_log.grade,
    )


@pytest.mark.requirement("TEN-13", "this suite can only read {it.label}", level="advice")
def test_suite_can_only_read(tenant: TenantSubject, granted: facts.Granted, site: Site, expect: Expect) -> None:
    """The run's own tokens hold no permission and no directory role that writes."""
    excess = rules.more_than_reading(granted, site)
    expect(
        not excess,
        expected="permissions and roles that only read",
        observed=f"{', '.join(excess)} permit more than reading" if excess else granted.seen,
        remedy="take them from the app; 'scanproof requirements --permissions' lists what it needs",
    )


@pytest.mark.requirement("TEN-14", "the sign-in of sender {it.label} goes as it is configured", level="advice")
def test_configured_is_observed(
    sender: SenderSubject, expected_sign_in: facts.ExpectedSignIn, sign_in: SignIn, expect: Expect
) -> None:
    """SMTP-1's real sign-in against what TEN-1 to TEN-5 read; neither alone is believed."""
    unknown = "; ".join(expected_sign_in.unknown)
    expect.proven(bool(expected_sign_in.refused) or not unknown, unknown, "settle what could not be read")
    expect(
        agrees(expected_sign_in, sign_in, meaning(sign_in.reply, sender.key).name),
        expected=f"a sign-in as the settings say: {expected_sign_in.seen}",
        observed=sign_in.seen,
        remedy="a change may take an hour to be in force; if it stays so, ask Microsoft with both in hand",
    )
