"""What Graph's answers have in common: errors, selected fields and pages."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lab import odata
from lab.httpserver import Response

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lab.estate import Estate
    from lab.httpserver import Request
    from lab.tokens import Grant


class GraphError(Exception):
    """A request that Graph refuses."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error in Graph's form."""
    now = datetime.now(UTC)
    inner = {
        "date": f"{now:%Y-%m-%dT%H:%M:%S}",
        "request-id": str(uuid.uuid4()),
        "client-request-id": str(uuid.uuid4()),
    }
    return Response.json({"error": {"code": code, "message": message, "innerError": inner}}, status, headers)


def need(grant: Grant, *permissions: str) -> None:
    """Check that a token holds one of some permissions of the directory.

    Raises:
        GraphError: it holds none.
    """
    if not grant.permissions & set(permissions):
        raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def no_such_segment(name: str) -> GraphError:
    """Return the refusal of a path that Graph does not have."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{name}'.")


def no_such_object(name: str) -> GraphError:
    """Return the refusal of an object that the directory does not have."""
    text = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", text)


def stamp(moment: datetime) -> str:
    """Return a moment in Graph's form."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def fields(
    resource: dict[str, Any],
    query: Mapping[str, str],
    *,
    unasked: Collection[str] | None = None,
    always: Collection[str] = ("id",),
) -> dict[str, Any]:
    """Return a resource's selected fields.

    Args:
        resource: the whole of it.
        query: the request's; its ``$select`` decides.
        unasked: the fields that come where none is selected; None is all of them.
        always: the fields that come whatever is selected.

    Raises:
        QueryError: a selected field does not exist.
    """
    names = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
    if not names:
        return {name: value for name, value in resource.items() if unasked is None or name in unasked}
    for name in names:
        if name not in resource:
            raise odata.QueryError("BadRequest", f"Could not find a property named '{name}'.")
    return {name: value for name, value in resource.items() if name in {"@odata.type", *always, *names}}


def entity(estate: Estate, request: Request, kind: str, resource: dict[str, Any]) -> Response:
    """Return a single resource."""
    return Response.json({"@odata.context": _context(estate, request, kind), **resource})


def page(
    estate: Estate,
    request: Request,
    kind: str,
    found: list[dict[str, Any]],
    *,
    default: int,
    most: int,
    skip_by: str = "$skiptoken",
    unasked: Collection[str] | None = None,
) -> Response:
    """Return a page of resources, and where the next one is.

    Args:
        estate: the site.
        request: what was asked.
        kind: what the answer is of, for its context.
        found: every resource, filtered and in order.
        default: how many there are on a page where ``$top`` isn't given.
        most: the most that ``$top`` may ask for.
        skip_by: the query option that leads on: ``$skip``, or ``$skiptoken`` which is not the client's to make.
        unasked: see ``fields``.

    Raises:
        QueryError: as Graph refuses it.
    """
    top = odata.number(request.query, "$top", default, most)
    skip = odata.number(request.query, skip_by, 0, 10**6)
    size = min(top, estate.tenant.graph.page or top)
    body: dict[str, Any] = {
        "@odata.context": _context(estate, request, kind),
        "value": [fields(resource, request.query, unasked=unasked) for resource in found[skip : skip + size]],
    }
    if request.query.get("$count") == "true":
        body["@odata.count"] = len(found)
    if skip + size < len(found):
        query = {**request.query, "$top": str(top), skip_by: str(skip + size)}
        text = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
        body["@odata.nextLink"] = f"https://{estate.plan.graph_host}{quote(request.path)}?{text}"
    return Response.json(body)


def _context(estate: Estate, request: Request, kind: str) -> str:
    version = request.path.strip("/").partition("/")[0]
    return f"https://{estate.plan.graph_host}/{version}/$metadata#{kind}"
