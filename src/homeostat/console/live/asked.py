"""What a page says over its WebSocket, checked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson

from homeostat.api import errors
from homeostat.api.selecting import label_selectors
from homeostat.api.types import Obj
from homeostat.console.cache.places import Place, name_of, resource_of
from homeostat.console.live.list_view import Query

COUNT_MAX = 500
SINCE_MAX = 2**63
_TEXT_MAX = 1_024
_STATUSES_MAX = 100
_OPS = ("open", "change", "merge", "close")


@dataclass(frozen=True, slots=True)
class ListAsked:
    """A window of a list."""

    place: Place
    query: Query
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ObjectAsked:
    """One object."""

    place: Place


@dataclass(frozen=True, slots=True)
class ObjectsAsked:
    """Whole objects, by label and field selectors (as texts)."""

    place: Place
    labels: str
    fields: str


@dataclass(frozen=True, slots=True)
class JournalAsked:
    """The journal after a revision, at most so many entries at first."""

    since: int
    limit: int


Asked: TypeAlias = ListAsked | ObjectAsked | ObjectsAsked | JournalAsked


def message_of(data: bytes) -> tuple[str, int, Obj]:
    """What is to be done, for which subscription, and the whole message. Raises ApiError 400."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise errors.bad_request("a message must be JSON") from error
    if not isinstance(said, dict) or said.get("op") not in _OPS:
        raise errors.bad_request(f"a message must have an op: {', '.join(_OPS)}")
    number = said.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < SINCE_MAX:
        raise errors.bad_request("a message must have a number as its id")
    return said["op"], number, said


def asked_of(said: Obj) -> Asked:
    """What is to be opened. Raises ApiError 400."""
    what = said.get("what")
    if what == "journal":
        return JournalAsked(_number(said, "since", 0, SINCE_MAX), _number(said, "limit", 200, 5_000))
    if what not in ("list", "object", "objects"):
        raise errors.bad_request("`what` must be list, object, objects or journal")
    place = Place(resource_of(said.get("resource")), name_of(said.get("namespace"), "namespace"))
    if what == "object":
        name = name_of(said.get("name"), "name")
        if not name:
            raise errors.bad_request("`name` is missing")
        return ObjectAsked(replace(place, name=name))
    if what == "objects":
        return ObjectsAsked(place, _text(said, "labels", ""), _text(said, "fields", ""))
    return changed(ListAsked(place, Query(), 0, 60), said)


def changed(asked: ListAsked, said: Obj) -> ListAsked:
    """The list with what a message says of it. Raises ApiError 400."""
    query = asked.query
    if "search" in said:
        query = replace(query, search=_text(said, "search", "").strip().lower())
    if "labels" in said:
        query = replace(query, labels=label_selectors.parse(_text(said, "labels", "")))
    if "statuses" in said:
        query = replace(query, statuses=_statuses(said["statuses"]))
    if "sort" in said:
        sort = said["sort"]
        if not isinstance(sort, dict) or not isinstance(sort.get("column"), str):
            raise errors.bad_request("`sort` must be an object with a column")
        query = replace(query, column=sort["column"][:_TEXT_MAX], descending=sort.get("descending") is True)
    first = _number(said, "first", asked.first, SINCE_MAX)
    return ListAsked(asked.place, query, first, _number(said, "count", asked.count, COUNT_MAX))


def _text(said: Obj, field: str, default: str) -> str:
    value = said.get(field, default)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > _TEXT_MAX:
        raise errors.bad_request(f"`{field}` must be a text of at most {_TEXT_MAX} characters")
    return value


def _statuses(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > _STATUSES_MAX or not all(isinstance(each, str) for each in value):
        raise errors.bad_request("`statuses` must be a list of texts")
    return frozenset(value)


def _number(said: Obj, field: str, default: int, most: int) -> int:
    value = said.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < most + 1:
        raise errors.bad_request(f"`{field}` must be a number from 0 to {most}")
    return int(value)
