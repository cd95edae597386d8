"""Caches which parts of objects a check has found valid, by their JSON text.

Pods of one template have the same spec, and what the shape and the rules of a spec come to depends on nothing else; so
it is worked out for the first of them only. Nothing invalid is cached: a mistake is checked and reported each time.
"""

from __future__ import annotations

from typing import Any

import orjson

# What is remembered at most is the product of the two: 4 MB.
_TEXTS_MAX = 256
_BYTES_MAX = 16 * 1024


def text_of(value: Any) -> bytes:
    """The text by which a value is remembered; empty where it has none (no JSON) or is too long."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return b""
    return text if len(text) <= _BYTES_MAX else b""


class Remembered:
    """The texts that were valid; evicted first in, first out."""

    def __init__(self) -> None:
        self._texts: dict[bytes, None] = {}

    def __contains__(self, text: bytes) -> bool:
        return text in self._texts

    def add(self, text: bytes) -> None:
        """Remember a text of `text_of`; the empty one is nothing."""
        if text:
            self._texts[text] = None
            if len(self._texts) > _TEXTS_MAX:
                del self._texts[next(iter(self._texts))]
