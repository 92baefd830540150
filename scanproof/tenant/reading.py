"""One way to read the tenant: ask its APIs; where that is not permitted, take what somebody saved by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from scanproof.kinds import Unproven
from scanproof.redact import plain
from scanproof.tenant import exchange, graph, saved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scanproof.gather import Run

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """Objects of the tenant.

    Attributes:
        source: where they are from, in words.
        grade: of a proof by them: empty where the suite asked itself, else ``attested``.
    """

    rows: list[Row]
    source: str
    grade: str = ""

    @property
    def one(self) -> Row:
        """The only row of a setting that exists once.

        Raises:
            Unproven: there are none or several.
        """
        if len(self.rows) != 1:
            raise Unproven(f"{self.source} gave {len(self.rows)} rows where one was expected", "see the answer")
        return self.rows[0]


async def command(run: Run, name: str, identity: str = "") -> Answer:
    """Return what an Exchange command gives.

    Raises:
        Unproven: it can't be asked, and nothing usable was saved.
    """

    async def ask() -> list[Row]:
        api = await run.once("exchange", lambda: exchange.connect(run))
        return await api.rows(name, identity)

    return await _else_saved(run, name, name, identity, ask)


async def graph_list(run: Run, request: graph.Read, permission: str, saved_as: str) -> Answer:
    """Return all objects of a Graph collection.

    Args:
        run: the run.
        request: what to ask.
        permission: the least application permission that it needs.
        saved_as: the command whose saved answer serves where Graph can't be asked.

    Raises:
        Unproven: it can't be asked, and nothing usable was saved.
    """

    async def ask() -> list[Row]:
        return await (await run.once("graph", lambda: graph.connect(run))).list(request, permission)

    return await _else_saved(run, f"Graph {unquote(request.path)}", saved_as, request.key, ask)


async def graph_one(run: Run, request: graph.Read, permission: str, saved_as: str) -> Answer:
    """Return one Graph object, as the only row; the arguments are ``graph_list``'s."""

    async def ask() -> list[Row]:
        return [await (await run.once("graph", lambda: graph.connect(run))).read(request, permission)]

    return await _else_saved(run, f"Graph {unquote(request.path)}", saved_as, request.key, ask)


async def _else_saved(
    run: Run, source: str, saved_as: str, key: str, ask: Callable[[], Awaitable[list[Row]]]
) -> Answer:
    async def read() -> Answer:
        try:
            return Answer(await ask(), source)
        except Unproven as asked:
            try:
                kept = saved.read(run.site, saved_as) if saved_as else None
            except saved.NotSaved as lacking:
                if not run.site.file.tenant.client_id:  # nobody meant to ask
                    raise
                raise Unproven(f"{asked.reason}; and {lacking.reason}", asked.remedy, asked.lacks) from None
            if kept is None:
                raise
            return Answer(kept.rows, f"{kept.name}, saved on {kept.at:%Y-%m-%d %H:%M} UTC", "attested")

    return await run.once(f"tenant {source} {key}", read)


def get(row: Row, name: str, default: Any = None) -> Any:
    """Return a row's field, in whatever case it is written: PowerShell's and Graph's differ."""
    return next((value for key, value in row.items() if key.lower() == name.lower()), default)


_MISSING = object()


def field(row: Row, name: str) -> Any:
    """Return a row's field, which may be null.

    Raises:
        Unproven: the row has no such field: an answer without it says nothing, and must not be taken for null.
    """
    value = get(row, name, _MISSING)
    if value is not _MISSING:
        return value
    remedy = "run again; docs/tenant.md says which fields are read"
    raise Unproven(f"the tenant's answer holds no {name}", remedy, "flag-missing")


def flag(row: Row, name: str) -> bool | None:
    """Return a three-valued field.

    Raises:
        Unproven: it is missing, or neither true, false nor null.
    """
    value = field(row, name)
    if value is None or isinstance(value, bool):
        return value
    raise Unproven(f"the tenant's answer gives {name} as {_shown(value)}, expected true, false or null", "report it")


def _shown(value: Any) -> str:
    """Return a value of another kind than expected, for a message; of a nest, only what kind of one it is."""
    if isinstance(value, (str, int, float)):
        return repr(plain(str(value), 40))
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "null"


def text(row: Row, name: str) -> str:
    """Return a field as harmless text; empty for null.

    Raises:
        Unproven: it is missing, or a list or an object.
    """
    value = field(row, name)
    if isinstance(value, (dict, list)):
        raise Unproven(f"the tenant's answer gives {name} as {_shown(value)}, expected text", "report it")
    return "" if value is None else plain(str(value), 500)


def words(row: Row, name: str) -> tuple[str, ...]:
    """Return a field that is a list as harmless texts; one that is text alone as a list of one.

    Raises:
        Unproven: it is missing, or holds what is no text.
    """
    value = field(row, name)
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in listed):
        raise Unproven(f"the tenant's answer gives {name} as {_shown(value)}, expected texts", "report it")
    return tuple(plain(str(item), 500) for item in listed[:1000])


def objects(row: Row, name: str) -> list[Row]:
    """Return a field that is a list of objects; empty for null.

    Raises:
        Unproven: it is missing, or something else: PowerShell writes what lies too deep as text.
    """
    value = field(row, name)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise Unproven(f"the tenant's answer gives {name} as {_shown(value)}, expected a list of objects", _DEEPER)


def inner(row: Row, name: str) -> Row:
    """Return an object within a row; an empty one for null or where there is none.

    Raises:
        Unproven: it is something else.
    """
    value = get(row, name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Unproven(f"the tenant's answer gives {name} as {_shown(value)}, expected an object", _DEEPER)


_DEEPER = "run again; a saved answer is to be saved deeper: … | ConvertTo-Json -Depth 10"
