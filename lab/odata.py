"""The part of OData that the suite's queries use: ``$filter``, ``$orderby``, ``$select``, ``$top``, ``$skip``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KNOWN = frozenset({"$filter", "$orderby", "$select", "$top", "$skip", "$skiptoken", "$count"})
_FUNCTION = re.compile(r"(contains|startswith)\(\s*([\w/]+)\s*,\s*'((?:[^']|'')*)'\s*\)$")
_COMPARISON = re.compile(r"([\w/]+)\s+(eq|ne|ge|gt|le|lt)\s+(.+)$")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}


class QueryError(Exception):
    """A query that the service refuses: its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Condition:
    """One of a filter's parts, which are all joined by ``and``."""

    field: str
    test: str
    value: Any

    def holds(self, resource: Mapping[str, Any]) -> bool:
        """Tell whether it holds for a resource."""
        found = _at(resource, self.field)
        if self.test == "contains":
            return self.value.casefold() in str(found).casefold()
        if self.test == "startswith":
            return str(found).casefold().startswith(self.value.casefold())
        if isinstance(found, str) and isinstance(self.value, str):
            return _OPERATORS[self.test](found.casefold(), self.value.casefold())
        return type(found) is type(self.value) and _OPERATORS[self.test](found, self.value)


def conditions(text: str) -> list[Condition]:
    """Read a ``$filter``.

    Raises:
        QueryError: it isn't a chain of comparisons, ``contains`` and ``startswith`` joined by ``and``.
    """
    parts = re.split(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", text.strip()) if text.strip() else []
    return [
        _condition(part.strip().removeprefix("(").removesuffix(")") if part.startswith("(") else part) for part in parts
    ]


def _condition(part: str) -> Condition:
    if match := _FUNCTION.match(part):
        return Condition(match[2], match[1], match[3].replace("''", "'"))
    if match := _COMPARISON.match(part):
        return Condition(match[1], match[2], _value(match[3].strip(), part))
    raise QueryError("BadRequest", f"Invalid filter clause: {part}")


def _value(text: str, part: str) -> Any:
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text in {"true", "false"}:
        return text == "true"
    if _DATE.match(text):
        return text
    if text.isdigit():
        return int(text)
    raise QueryError("BadRequest", f"Invalid filter clause: {part}")


def _at(resource: Mapping[str, Any], path: str) -> Any:
    found: Any = resource
    for name in path.split("/"):
        if not isinstance(found, dict) or name not in found:
            raise QueryError("BadRequest", f"Could not find a property named '{name}'.")
        found = found[name]
    return found


def select(resources: list[dict[str, Any]], query: Mapping[str, str], *, ordered: bool = False) -> list[dict[str, Any]]:
    """Return the resources that a query asks for, in its order (before paging).

    Args:
        resources: all of them.
        query: the request's.
        ordered: an order must begin the filter's properties (Graph's reference of ``list messages``), else the
            query is "too complex".

    Raises:
        QueryError: as Graph refuses it.
    """
    unknown = {name for name in query if name.startswith("$")} - KNOWN
    if unknown:
        raise QueryError("BadRequest", f"Query option '{min(unknown)}' is not allowed.")
    wanted = conditions(query.get("$filter", ""))
    found = [resource for resource in resources if all(condition.holds(resource) for condition in wanted)]
    order = [part.split() for part in query.get("$orderby", "").split(",") if part.strip()]
    if ordered and order and wanted:
        fields = list(dict.fromkeys(condition.field for condition in wanted))
        if fields[: len(order)] != [part[0] for part in order]:
            raise QueryError("InefficientFilter", "The restriction or sort order is too complex for this operation.")
    for part in reversed(order):
        found.sort(key=lambda resource, name=part[0]: _at(resource, name), reverse=part[1:] == ["desc"])  # type: ignore[misc]
    return found


def number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return ``$top`` or ``$skip``.

    Raises:
        QueryError: it is no number, or beyond what the service allows.
    """
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) > most or (name == "$top" and int(text) < 1):
        raise QueryError("ErrorInvalidUrlQuery", f"Invalid value '{text}' for {name}.")
    return int(text)
