"""Cases from the inventory: each requirement's function is parametrized over its subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from plugins import run as runs
from scanproof import catalogue
from scanproof.catalogue import Requirement
from scanproof.judged import Case
from scanproof.scope import KINDS, Choice, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

CASE = pytest.StashKey[Case]()
CATALOGUE = pytest.StashKey[list[Requirement]]()
NOT_APPLICABLE = "not-applicable"
_FACTS = ("address", "serial", "make", "model", "location", "host_name", "route", "sender", "subnet", "row")


def pytest_configure(config: pytest.Config) -> None:
    """Read the catalogue: all requirements, whether their cases are collected or not."""
    if runs.of(config) is None:
        return
    try:
        config.stash[CATALOGUE] = catalogue.read(config.rootpath / "tests")
    except ValueError as error:
        raise pytest.UsageError(f"tests/: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one case for each subject; one that will be deselected where the site has none."""
    run = runs.of(metafunc.config)
    if run is None or metafunc.definition.get_closest_marker("requirement") is None:
        return
    kind = next(name for name in metafunc.fixturenames if name in KINDS)
    choices = [choice for choice in KINDS[kind](run.site) if not choice.excluded]
    ids: list[str] = []
    for number, name in enumerate(encode(choice.subject.key) for choice in choices):
        ids.append(name if name not in ids else f"{name}+{number}")  # two keys may look alike once encoded
    if not choices:
        # An empty parameter set would be an error of the whole run.
        choices, ids = [Choice(None, excluded="none")], [NOT_APPLICABLE]
    metafunc.parametrize(kind, choices, ids=ids, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each case its record, and take out those that aren't applicable."""
    run = runs.of(config)
    if run is None:
        return
    known = {requirement.function: requirement for requirement in config.stash[CATALOGUE]}
    kept: list[pytest.Item] = []
    for item in items:
        name = getattr(item, "originalname", "")
        if name not in known or not isinstance(item, pytest.Function):
            kept.append(item)
            continue
        choice = cast("Choice", item.callspec.params[known[name].kind])
        run.collected.add(known[name].id)
        if choice.excluded:
            continue
        case = _case(item, known[name], choice)
        item.stash[CASE] = case
        item.extra_keyword_matches.add(case.requirement)  # so that -k NET-4 selects by what messages speak of
        run.cases[item.nodeid] = case
        kept.append(item)
    items[:] = kept


def _case(item: pytest.Item, requirement: Requirement, choice: Choice) -> Case:
    subject: Any = choice.subject
    level = requirement.level
    if level == "as used":
        level = "blocker" if choice.needed else "advice"
    facts = {name: str(value) for name in _FACTS if (value := getattr(subject, name, None)) not in {None, ""}}
    return Case(
        id=item.nodeid,
        requirement=requirement.id,
        level=level,
        sentence=requirement.sentence.format(it=subject),
        kind=requirement.kind,
        key=subject.key,
        label=subject.label,
        facts={name: value for name, value in facts.items() if not value.startswith(("Subnet(", "FleetRow("))},
    )


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what the user left out."""
    for item in items:
        run = runs.of(item.config)
        if run and item.nodeid in run.cases:
            case = run.cases.pop(item.nodeid)
            run.deselected.add((case.requirement, case.key))
