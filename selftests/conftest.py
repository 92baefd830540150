"""The suite's own tests. Warnings are errors here only: in an acceptance run they would make wrong verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from selftests import matrix as matrices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selftests.peers import Ground

HERE = Path(__file__).parent
MATRIX = pytest.StashKey[matrices.Runs]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"))
    # The fault matrix comes last: its runs are made while the other tests go on.
    items.sort(key=lambda item: item.path.name in matrices.MODULES)


@pytest.fixture(scope="session", autouse=True)
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[matrices.Runs | None]:
    """The runs of the fault matrix, begun with the session where its tests were collected."""
    if not any(item.path.name in matrices.MODULES for item in request.session.items):
        yield None
        return
    from selftests.test_faults import wanted  # noqa: PLC0415 - reads the demo site and the catalogue

    made = request.config.stash[MATRIX] = matrices.Runs(tmp_path_factory.mktemp("faults"))
    for network, fault in wanted(request.session.items):
        made.begin(network, fault)
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    made = config.stash.get(MATRIX, None)
    if made and made.again:
        terminalreporter.write_line(f"run once more, since the first run differed: {', '.join(made.again)}")


@pytest.fixture(name="mail_peers", scope="session")
def mail_peers_fixture() -> Iterator[Ground]:
    """Postfix and Dovecot, started once for all modules that want them."""
    from selftests import peers_mail  # noqa: PLC0415 - most modules need nothing of it

    with peers_mail.mail_peers() as ground:
        yield ground
