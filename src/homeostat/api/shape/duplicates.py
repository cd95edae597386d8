"""Finds fields that a JSON document gives twice, which a decoded object cannot show any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

# kube-apiserver's decoder lists no more strict errors than these.
PROBLEMS_MAX = 100


class _Doubled(dict[str, Any]):
    """An object in which names came more than once; `doubled` are these, in order."""

    doubled: list[str]


def duplicate_fields(body: bytes, decoded: Any) -> list[str]:
    """The paths of the first fields given more than once, in order; none for an empty body.

    `decoded` is what `body` says. Clients mostly send compact JSON, which comes out the same when it is encoded again
    unless something was lost: only other bodies are parsed slowly.
    """
    if not body or orjson.dumps(decoded) == body.strip():
        return []
    any_doubled = False

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal any_doubled
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        any_doubled = True
        found = _Doubled(value)
        counted: set[str] = set()
        found.doubled = list(dict.fromkeys(name for name, _ in pairs if name in counted or counted.add(name)))  # type: ignore[func-returns-value]
        return found

    root = json.loads(body, object_pairs_hook=make)
    return list(islice(_doubled(root, ""), PROBLEMS_MAX)) if any_doubled else []


def _doubled(here: Any, path: str) -> Iterator[str]:
    """The paths below; a document is not deeper than `json_documents.DEPTH_MAX`."""
    if isinstance(here, _Doubled):
        yield from (_under(path, name) for name in here.doubled)
    if isinstance(here, dict):
        for name, child in here.items():
            if isinstance(child, dict | list):
                yield from _doubled(child, _under(path, name))
    elif isinstance(here, list):
        for at, child in enumerate(here):
            if isinstance(child, dict | list):
                yield from _doubled(child, f"{path}[{at}]")


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
