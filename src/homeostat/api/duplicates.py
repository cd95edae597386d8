"""Finds fields that a JSON document gives twice, which a decoded object cannot show any more."""

from __future__ import annotations

import json
from typing import Any

import orjson


class _Doubled(dict[str, Any]):
    """An object that remembers which of its keys came more than once."""

    doubled: list[str]


def _object(pairs: list[tuple[str, Any]]) -> _Doubled:
    found = _Doubled(pairs)
    seen: set[str] = set()
    found.doubled = [name for name, _ in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return found


def duplicate_fields(body: bytes, decoded: Any) -> list[str]:
    """The paths of the fields given more than once, in order; none for an empty body. `decoded` is what `body` says.

    Clients mostly send compact JSON, which comes out the same when it is encoded again unless something was lost: only
    other bodies are parsed slowly.
    """
    if not body or orjson.dumps(decoded) == body.strip():
        return []
    found: list[str] = []
    todo: list[tuple[Any, str]] = [(json.loads(body, object_pairs_hook=_object), "")]
    while todo:
        here, path = todo.pop()
        if isinstance(here, _Doubled):
            found += [f"{path}.{name}" if path else name for name in dict.fromkeys(here.doubled)]
            todo += [(child, f"{path}.{name}" if path else name) for name, child in reversed(here.items())]
        elif isinstance(here, list):
            todo += [(child, f"{path}[{at}]") for at, child in reversed(list(enumerate(here)))]
    return found
