"""Size limits of documents from clients, and decoding of JSON within them.

A few bytes can ask for much work: brackets nested without end, aliases that multiply, lists of a million empty objects.
Depth and number of values are bounded here, once, for JSON and YAML (`api.documents.yaml_documents`) alike, and before
the values are made wherever the text says enough.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

# Deep enough for any schema in a custom resource definition; everything that walks objects recursively stays far from
# the interpreter's own bound, and the objects may still be put into lists, tables and patches.
DEPTH_MAX = 200
# Values in one document, each name of a field not counted. A body of 3 MiB of real objects has half of that.
NODES_MAX = 250_000
# A value takes two bytes at least, with its comma: shorter texts cannot have too many.
_TEXT_WITHOUT_COUNT = 2 * NODES_MAX
# orjson writes no more levels than this.
_ENCODED_DEPTH_MAX = 254
# A text in quotes; an unfinished one reaches to the end, so that looking for strings stays linear.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)

DEEP = "exceeded max depth"
LARGE = f"the document has more than {NODES_MAX} values"


class DocumentError(ValueError):
    """The text is not a document that can be read: malformed, or too deep."""


class TooLarge(DocumentError):
    """The document would decode to more values than are allowed for one."""


def from_json(text: bytes) -> Any:
    """The JSON value that `text` writes. Raises DocumentError."""
    if len(text) > _TEXT_WITHOUT_COUNT and _nodes(text) > NODES_MAX:
        raise TooLarge(LARGE)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DocumentError(DEEP if "recursion" in str(error).lower() else str(error)) from error
    # Nothing is nested more deeply than there are brackets; most texts have fewer than would be too many.
    if text.count(b"{") + text.count(b"[") > DEPTH_MAX:
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raises DocumentError when lists and objects are nested more than `DEPTH_MAX` deep in a JSON value."""
    for _ in range(_ENCODED_DEPTH_MAX - DEPTH_MAX):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise DocumentError(DEEP) from error


def _nodes(text: bytes) -> int:
    """How many values JSON has, at most; exact for well-formed text with nothing in its lists and objects empty."""
    found = _marks(text)
    return found if found <= NODES_MAX else _marks(_STRING.sub(b"", text))


def _marks(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1
