"""Which place a subnet is seen from, what it proves, and where a block is said to sit."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lab import probe as lab_probe
from scanproof import sitefile
from scanproof.evidence import Door, Egress, Reply
from scanproof.kinds import Facts, probe
from scanproof.network import Network, Vantage
from scanproof.obstacle import Block, Glance
from scanproof.subjects import Domain
from scanproof.vantage.standing import Standing, address_of, own_address
from selftests import suite
from selftests.harness import bench, demo
from selftests.test_run_healthy import site_copy

if TYPE_CHECKING:
    from pathlib import Path

    from scanproof.gather import Run

NETWORK, WHY = lab_probe.verdict(lab_probe.probe())
SURGERY, OUTPATIENTS, LABORATORY = "10.20.91.0/24", "10.20.92.0/24", "10.20.93.0/24"
AT = datetime(2026, 11, 24, 9, 0, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def namespaces(request: pytest.FixtureRequest) -> None:
    if "far" in request.fixturenames and NETWORK != "namespaces":
        if os.environ.get("CI"):
            pytest.fail(f"the namespace lab is required on CI: {WHY}")
        pytest.skip(WHY)


@pytest.fixture
def far(tmp_path: Path) -> Any:
    def run(*arguments: str) -> suite.Result:
        return suite.pytest(tmp_path / "run", "-q", "--lab-network=namespaces", "-m", "egress", *arguments)

    return run


def test_each_subnet_is_seen_from_inside_and_by_its_grade(far: Any) -> None:
    done = far()
    seen = {
        (requirement, subject.partition("++")[0]): (case["verdict"], case["grade"], case["vantage"])
        for (requirement, subject), case in done.cases.items()
    }
    for requirement in ("EGR-3", "EGR-5"):
        # The host in the surgery has python3, and tells its source; the other one forwards alone.
        assert seen[requirement, SURGERY] == ("passed", "same-subnet", "surgery-pc (10.20.91.250)")
        assert seen[requirement, OUTPATIENTS] == ("passed", "forwarded", "outpatients-pc (10.20.92.250)")
        assert seen[requirement, LABORATORY][0] == "unproven"
    # The laboratory's copiers send by port 25, and their mail arrived.
    assert seen["EGR-2", LABORATORY][:2] == ("passed", "from-copier")
    assert seen["EGR-1", LABORATORY][0] == "unproven"
    assert seen["EGR-4", SURGERY] == ("passed", "forwarded", "surgery-pc (10.20.91.250)")
    roles = {vantage["name"]: (vantage["role"], vantage["subnets"]) for vantage in done.run["vantages"]}
    assert roles["surgery-pc"] == ("site", [SURGERY])
    assert "home line" not in roles  # nothing was in the way, so nobody asked it
    texts = (done.folder / "evidence.jsonl").read_text(encoding="utf-8")
    assert "PRIVATE KEY" not in texts


def test_a_block_is_told_with_what_a_network_team_needs(far: Any) -> None:
    done = far("--lab-fault=port-25-dropped-far")
    case = next(
        case
        for (requirement, subject), case in done.cases.items()
        if requirement == "EGR-2" and subject.startswith(SURGERY)
    )
    assert case["verdict"] == "advice"  # its copiers leave by 587
    assert {vantage["name"]: vantage["role"] for vantage in done.run["vantages"]}["home line"] == "control"
    for words in (
        "drops without a word",
        "seen from surgery-pc (10.20.91.250) alone",
        "port 587 gets out from there",
        f"a rule for that address or for {SURGERY}",
        "its own firewall was not looked at",
        "home line, outside the site, gets through",
        "10.20.91.250",
        "UTC",
    ):
        assert words in case["remedy"], case["remedy"]


def test_the_own_port_is_named_for_the_logs(far: Any) -> None:
    done = far("--lab-fault=port-25-dropped")
    door = next(
        record["facts"]
        for line in (done.folder / "evidence.jsonl").read_text(encoding="utf-8").splitlines()
        if (record := json.loads(line)).get("kind") == "door" and record["subject"]["name"].endswith(":25")
    )
    assert door["local"].startswith("10.20.90.10:")
    lost = next(case for (name, subject), case in done.cases.items() if name == "EGR-2" and "10.20.90." in subject)
    assert door["local"] in lost["remedy"]


def test_a_host_that_can_not_be_reached_leaves_its_subnet_unproven(far: Any) -> None:
    done = far("--lab-fault=vantage-down")
    case = next(case for (name, subject), case in done.cases.items() if (name, subject) == ("EGR-4", SURGERY))
    assert case["verdict"] == "unproven"
    assert "surgery-pc (engineer@10.20.91.250) can't be reached over SSH" in case["observed"]


def test_a_host_that_forwards_nothing_does_not_hide_the_next_one(far: Any, tmp_path: Path) -> None:
    folder = site_copy(tmp_path / "site")
    text = (folder / "site.toml").read_text(encoding="utf-8")
    first = '[[vantage]]\nname = "outpatients-old"\nsubnet = "10.20.92.0/24"\nssh = "engineer@10.20.92.251"\n\n'
    at = text.index('[[vantage]]\nname = "outpatients-pc"')
    (folder / "site.toml").write_text(text[:at] + first + text[at:], encoding="utf-8")
    done = far(f"--site={folder}", "--lab-fault=vantage-forwards-nothing")  # the second of the hosts: this one
    seen = {name: case for (name, subject), case in done.cases.items() if subject.startswith(OUTPATIENTS)}
    for requirement in ("EGR-1", "EGR-3", "EGR-4", "EGR-5"):
        case = seen[requirement]
        assert (case["verdict"], case["vantage"]) == ("passed", "outpatients-pc (10.20.92.250)"), case["observed"]
    told = (done.folder / "evidence.jsonl").read_text(encoding="utf-8")
    assert "outpatients-old: outpatients-old (engineer@10.20.92.251) forwards no connections" in told


def egress(**door: Any) -> Egress:
    facts = {"host": "smtp.office365.com", "port": 587, "stage": "connect", "at": AT, **door}
    return Egress(source="10.20.91.5", grade="same-subnet", door=Door(**facts))


@pytest.mark.parametrize(
    ("door", "how"),
    [
        ({"trouble_kind": "timed-out"}, "drops without a word"),
        ({"trouble_kind": "refused"}, "rejects"),
        ({"trouble_kind": "unreachable"}, "ICMP"),
        ({"trouble_kind": "prohibited"}, "this machine's own"),
        ({"trouble_kind": "reset"}, "cuts the connection"),
        ({"trouble_kind": "unresolved"}, "EGR-4"),
        ({"trouble_kind": "timed-out", "reached": True, "stage": "banner"}, "mail proxy"),
        ({"trouble_kind": "timed-out", "trouble": "refused, as words in another language say"}, "drops"),
        ({"trouble": "refused (in evidence of before the kind was kept)"}, "refused (in evidence of before"),
    ],
)
def test_the_kind_of_block_is_told_by_what_was_seen(door: dict[str, Any], how: str) -> None:
    assert how in Block(subnet=SURGERY, own=egress(**door)).how


def glance(subnet: str, port: int, *, reached: bool, name: str = "X") -> Glance:
    return Glance(subnet=subnet, name=name, service=f"host:{port}", port=port, reached=reached)


@pytest.mark.parametrize(
    ("others", "says", "silent"),
    [
        ([], [], ["gets"]),
        ([glance(SURGERY, 25, reached=True)], ["port 25 gets out from there: this is about port 587"], ["provider"]),
        ([glance(OUTPATIENTS, 587, reached=True)], [f"a rule for that address or for {SURGERY}"], ["provider"]),
        ([glance(OUTPATIENTS, 587, reached=False)], ["its provider's line"], ["a rule for that address"]),
        ([glance("", 587, reached=True, name="home")], ["home, outside the site, gets through"], ["provider"]),
        # A line at home that blocks the port proves nothing about the site, nor about the service.
        ([glance("", 587, reached=False, name="home")], [], ["home", "provider"]),
    ],
)
def test_the_place_of_a_block_is_told_by_comparison(others: list[Glance], says: list[str], silent: list[str]) -> None:
    found = Block(subnet=SURGERY, own=egress(trouble_kind="timed-out"), others=tuple(others))
    assert all(words in found.remedy for words in says)
    assert not any(words in found.remedy for words in silent)
    assert "2026-11-24 09:00:05 UTC" in found.remedy


@pytest.mark.parametrize(
    ("banner", "reached"), [(220, True), (554, False), (521, False), (421, False), (250, False), (None, False)]
)
def test_whoever_refuses_at_once_is_not_the_service(banner: int | None, reached: bool) -> None:  # noqa: FBT001
    """RFC 5321 §3.1: a connection alone shows no more than that something took it."""
    shown = Reply(code=banner, text="words") if banner else None
    found = Block(subnet=SURGERY, own=egress(reached=True, stage="banner", banner=shown))
    assert found.reached == reached
    assert bool(found.remedy) != reached
    assert ("takes the connection" in found.remedy) != reached
    assert ("and refuses:" in found.remedy) == (not reached and banner is not None)


def test_nothing_is_in_the_way_of_what_was_reached() -> None:
    through = egress(reached=True, stage="quit", banner=Reply(code=220, text="ready"))
    found = Block(subnet=SURGERY, own=through)
    assert (found.reached, found.grade, found.remedy) == (True, "same-subnet", "")


def test_a_copiers_mail_shows_that_its_subnet_gets_out_where_nobody_could_look() -> None:
    found = Block(subnet=LABORATORY, own=None, by_copier="a scan of X of 2026-11-24 09:00 UTC")
    assert (found.reached, found.grade) == (True, "from-copier")
    assert found.seen == "a scan of X of 2026-11-24 09:00 UTC was delivered through it"


def test_what_is_in_the_way_now_outweighs_a_mail_of_before() -> None:
    found = Block(subnet=SURGERY, own=egress(trouble_kind="timed-out"), by_copier="a scan of X")
    assert (found.reached, found.grade) == (False, "same-subnet")
    assert "a scan of X was delivered through it" in found.seen


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("engineer@10.20.91.250", ("engineer", "10.20.91.250", 22)),
        ("engineer@pc.hospital.example:2222", ("engineer", "pc.hospital.example", 2222)),
        ("engineer@[2001:db8::5]:2222", ("engineer", "2001:db8::5", 2222)),
        ("engineer@[2001:db8::5]", ("engineer", "2001:db8::5", 22)),
    ],
)
def test_addresses(text: str, found: tuple[str, str, int]) -> None:
    assert address_of(text) == found


@pytest.mark.parametrize("text", ["engineer@", "-oProxyCommand=x@host", "a b@host", "host:port", "engineer@host:1:2"])
def test_a_wrong_ssh_is_said_by_its_key(text: str) -> None:
    with pytest.raises(sitefile.SiteError, match=r"vantage\[1\].ssh"):
        sitefile.parse(f'[site]\nname = "x"\n[mail]\ndomain = "x.example"\n[[vantage]]\nname = "pc"\nssh = "{text}"\n')


OTHER, NONE = "10.20.92.250", ""


@pytest.mark.parametrize(
    ("address", "tells", "proves"),
    [
        ("10.20.91.250", "10.20.91.250", "10.20.91.250"),  # its own word
        ("10.20.91.250", NONE, NONE),  # forwarded alone
        (OTHER, "10.20.91.7", "10.20.91.7"),  # reached by another of its networks, and leaves by the subnet's
        (OTHER, OTHER, None),
        (OTHER, NONE, None),
        ("10.20.91.250", OTHER, None),  # leaves by another of its networks
        (NONE, NONE, None),  # by a jump host: nothing tells where it stands
        (NONE, "10.20.91.7", "10.20.91.7"),
    ],
)
async def test_only_a_host_that_is_shown_to_stand_there_proves_a_subnet(
    address: str, tells: str, proves: str | None
) -> None:
    class Far(Network):
        async def source(self, host: str, port: int) -> str:
            del host, port
            return tells

    async with bench() as wire:
        network = Far(Vantage("far-pc", (address,) if address else ()))
        where = Standing(network, "far-pc", "far-pc")
        subnet = next(it for it in demo().subnets if it.prefix == SURGERY)

        @probe(Seen, deadline=5)
        async def asked(_: Domain, run: Run) -> Seen:
            return Seen(word=await own_address(where, subnet, "smtp.office365.com", 587, run))

        found = await wire.ask(asked, Domain("northfield.example"))
    if proves is None:
        assert found.outcome == "unproven"
    else:
        assert found.facts == Seen(word=proves)


class Seen(Facts):
    word: str
