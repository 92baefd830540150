"""The suite's own tests. Warnings are errors here only: in an acceptance run they would make wrong verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selftests.peers import Ground

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"))


@pytest.fixture(name="mail_peers", scope="session")
def mail_peers_fixture() -> Iterator[Ground]:
    """Postfix and Dovecot, started once for all modules that want them."""
    from selftests import peers_mail  # noqa: PLC0415 - most modules need nothing of it

    with peers_mail.mail_peers() as ground:
        yield ground
