"""The stored form of an object, and how a revision is put into its JSON.

A stored value is `cause JSON, newline, object JSON`. The object's JSON begins with apiVersion, kind and metadata, and
metadata begins with an empty resourceVersion; the revision is only known after the commit, and putting it in is one
splice of bytes. Nothing else in the server knows this framing.
"""

from __future__ import annotations

from typing import cast

import orjson

from homeostat.api.types import Obj

_MARK = b'"resourceVersion":"'
_AT = b'{"at":'


def encode(obj: Obj) -> bytes:
    """The object's JSON in stored order, its resourceVersion empty."""
    metadata = {"resourceVersion": "", **obj["metadata"]}
    metadata["resourceVersion"] = ""
    ordered: Obj = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    for field, value in obj.items():
        if field not in ordered:
            ordered[field] = value
    return orjson.dumps(ordered)


def frame(cause: bytes, body: bytes, at: float) -> bytes:
    """The stored value of a body made by `encode`; `cause` is a JSON object in one line, `at` the wall clock.

    The time is part of the cause, so that every server's journal shows the same one, a later server's too.
    """
    rest = b",%b" % cause[1:] if len(cause) > len(b"{}") else b"}"
    return b"%b%.6f%b\n%b" % (_AT, at, rest, body)


def time_of(cause: bytes) -> float:
    """When the write with this cause (as `cause_of` gives it) was made: wall-clock seconds; 0 when it does not say."""
    if not cause.startswith(_AT):
        return 0.0
    return float(cause[len(_AT) :].partition(b",")[0].rstrip(b"}"))


def cause_of(value: bytes) -> bytes:
    """The cause of a stored value, as JSON."""
    return value[: value.index(b"\n")]


def stamp(body: bytes, revision: int) -> bytes:
    """The body made by `encode` with its revision in it: what clients get."""
    place = body.index(_MARK) + len(_MARK)
    return b"%b%d%b" % (body[:place], revision, body[place:])


def stamp_stored(value: bytes, revision: int) -> bytes:
    """The clients' form of a stored value."""
    start = value.index(b"\n") + 1
    place = value.index(_MARK, start) + len(_MARK)
    return b"%b%d%b" % (value[start:place], revision, value[place:])


def restamp(data: bytes, revision: int) -> bytes:
    """The clients' form with another revision in place of its own."""
    place = data.index(_MARK) + len(_MARK)
    return b"%b%d%b" % (data[:place], revision, data[data.index(b'"', place) :])


def stored(cause: bytes, data: bytes) -> bytes:
    """The stored value that the clients' form `data` was made of."""
    place = data.index(_MARK) + len(_MARK)
    return b"%b\n%b%b" % (cause, data[:place], data[data.index(b'"', place) :])


def decode(data: bytes) -> Obj:
    """The object of a clients' form; a private copy."""
    return cast(Obj, orjson.loads(data))
