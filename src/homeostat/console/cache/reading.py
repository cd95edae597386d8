"""Lists and watches as they come from an API server: documents and events, as objects or as rows of its Tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.client.api_client import failure
from homeostat.client.contract import Unreachable
from homeostat.console.cache.places import Place
from homeostat.console.rows.layout import Cell
from homeostat.console.upstream.api_servers import Speaker, whole
from homeostat.kit import chance
from homeostat.wire.message import Request, Response

PAGE_OBJECTS = 500
_WATCH_SECONDS_MIN, _WATCH_SECONDS_MAX = 300, 600
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io, application/json"
_JSON = "application/json"
_LINE_BYTES_MAX = 32 * 1024 * 1024

# An object with the cells of its row, where the API server made them.
Item: TypeAlias = tuple[Obj, Sequence[Cell] | None]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `columns` are a Table's; `more` is the continue token of the next part."""

    items: list[Item]
    revision: str
    more: str
    columns: list[Obj] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    item: Item


async def page_of(
    speaker: Speaker, place: Place, *, limit: int = PAGE_OBJECTS, more: str = "", table: bool = False
) -> Page:
    """One part of the list of a place. Raises ApiError."""
    query = _selection(place, table=table) | ({"limit": str(limit)} if limit else {})
    if more:
        query["continue"] = more
    response = await speaker.send(_request(place, query, table=table), repeatable=True)
    body = await whole(response)
    if response.status >= 400:
        raise failure(response.status, body)
    document = _decoded(body)
    metadata = document.get("metadata") or {}
    revision, token = str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or "")
    if document.get("kind") == "Table":
        items = [_row(row) for row in document.get("rows") or ()]
        return Page(items, revision, token, list(document.get("columnDefinitions") or ()))
    own = {"apiVersion": document.get("apiVersion"), "kind": str(document.get("kind") or "").removesuffix("List")}
    # Items of built-in kinds come without the two.
    return Page([({**own, **each}, None) for each in document.get("items") or ()], revision, token)


async def watch(
    speaker: Speaker, place: Place, revision: str, *, table: bool = False
) -> AsyncGenerator[list[Event], None]:
    """The events after a revision, as many at once as come together; the first, without events, says that the watch is
    there. Ends when the API server ends it. Raises ApiError, 410 when the revision is too old."""
    query = _selection(place, table=table) | {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": revision,
        "timeoutSeconds": str(int(chance.uniform(_WATCH_SECONDS_MIN, _WATCH_SECONDS_MAX))),
    }
    response = await speaker.send(_request(place, query, table=table), repeatable=True)
    if response.status >= 400 or isinstance(response.body, bytes):
        raise failure(response.status, await whole(response))
    yield []
    rest = b""
    try:
        async for chunk in response.body:
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_BYTES_MAX:
                raise Unreachable("an event of the watch is too long")
            if lines:
                yield [_event(line) for line in lines if line]
    except ConnectionError as error:
        raise Unreachable(f"the connection broke: {error}") from error
    finally:
        await close(response)


async def close(response: Response) -> None:
    """Read no more of an answer."""
    if isinstance(response.body, AsyncGenerator):
        await response.body.aclose()


def _request(place: Place, query: dict[str, str], *, table: bool) -> Request:
    headers = {"accept": _TABLE if table else _JSON, "user-agent": "homeostat-console"}
    return Request("GET", place.path, query, headers)


def _selection(place: Place, *, table: bool) -> dict[str, str]:
    named = {"fieldSelector": f"metadata.name={place.name}"} if place.name else {}
    return named | ({"includeObject": "Object"} if table else {})


def _row(row: Obj) -> Item:
    return row.get("object") or {}, row.get("cells") or ()


def _event(line: bytes) -> Event:
    event = _decoded(line)
    obj, kind = event.get("object") or {}, str(event.get("type"))
    if kind == "ERROR":
        raise ApiError.from_status(obj)
    if obj.get("kind") == "Table":
        return Event(kind, _row((obj.get("rows") or [{}])[0]))
    return Event(kind, (obj, None))


def _decoded(body: bytes) -> Obj:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreachable(f"the answer is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreachable("the answer is not a JSON object")
    return found
