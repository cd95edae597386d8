"""What is done to a valid body: to its values, and to its bytes."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import orjson

# Values that do not belong where they are put.
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    -(2**31) - 1,
    2**63 - 1,
    1.5,
    -0.0,
    1e300,
    "",
    " ",
    "a",
    "A_b",
    "-",
    ".",
    "..",
    "*",
    "a" * 300,
    "x" * 5000,
    "\x00",
    "a\nb: c",
    "a\r\nX-Injected: 1",
    "\ud7ff\U0001f600",
    "\u202e",
    "%2F",
    "../../x",
    "[",
    "{{",
    "true",
    "null",
    "0",
    "1e999",
    "NaN",
    "9" * 30,
    "0x10",
    "1Ki",
    "-5m",
    "1e-400",
    "5%",
    "200%",
    "-1%",
    "1.5.2",
    "2026-13-45T99:99:99Z",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "300.1.1.1",
    "::1",
    "fe80::1%eth0",
    "10.0.0.0/33",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "1/2/3",
    "kubernetes.io/x",
    "in (a",
    "a,b",
    "@every 1s",
    "* * * * *",
    "aGk",
    "=",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    {"a": {"b": {}}},
    {"a": None},
    ["a", 1, None],
    [1, 1],
    {"$patch": "delete"},
)
_KEYS = (
    "",
    "a",
    "$patch",
    "$retainKeys",
    "x" * 300,
    "a\nb",
    "a\r\nX: 1",
    "\x00",
    "\u202e",
    "<<",
    "metadata",
    "spec",
    "name",
    "kind",
)


def _odd(random: Random) -> Any:
    """One of them, of its own: it may be changed in its turn."""
    return copy.deepcopy(random.choice(ODD))


def mutate(value: Any, random: Random) -> Any:
    """The value with one to three of its parts changed, in place where that is possible."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _once(value, random)
    return value


def _once(root: Any, random: Random) -> Any:
    places = _places(root)
    if not places:
        return _odd(random)
    box, key = random.choice(places)
    match random.randrange(9):
        case 0 | 1 | 2 | 3:
            box[key] = _odd(random)
        case 4:
            del box[key]
        case 5:
            if isinstance(box, dict):
                box[random.choice(_KEYS)] = box.pop(key)
        case 6:
            if isinstance(box, dict):
                box[random.choice(_KEYS)] = _odd(random)
            else:
                box.append(_odd(random))
        case 7:
            # Another part of the object, where it does not belong.
            other, at = random.choice(places)
            box[key] = copy.deepcopy(other[at])
        case _:
            box[key] = _nested(box[key], random)
    return root


def _places(root: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo = [root]
    while todo:
        here = todo.pop()
        pairs = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, child in list(pairs):
            found.append((here, key))
            todo.append(child)
    return found


def _nested(value: Any, random: Random) -> Any:
    for _ in range(random.choice((1, 2, 30, 75))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


# The placeholder of a value that is too deep to be written here.
DEEP = b"[" * 2000 + b"]" * 2000


def written(value: Any) -> bytes:
    """As JSON, of any depth that mutations make."""
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return DEEP


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """The bytes with some of them changed, left out or said again."""
    if not data:
        return bytes((random.randrange(256),))
    at = random.randrange(len(data))
    match random.randrange(7):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes((random.randrange(256),)) + data[at + 1 :]
        case 2:
            return data[:at] + random.randbytes(random.randrange(1, 9)) + data[at:]
        case 3:
            return data[:at] + data[at + random.randrange(1, 20) :]
        case 4:
            end = at + random.randrange(1, 60)
            return data[:end] + data[at:end] * random.choice((1, 1, 50)) + data[end:]
        case 5:
            piece = random.choice(
                (b"\xff\xfe", b"\x00", b"\xc3\x28", b"\xed\xa0\x80", b"\\ud800", b"1e999", b"-", b"]]]", b"&a *a")
            )
            return data[:at] + piece + data[at:]
    return data + random.choice((b"\x00", b"{}", b"\n---\n", b"]", b" " * 100))


def doubled(data: bytes, random: Random) -> bytes:
    """JSON of an object in which the first field comes twice."""
    if not data.startswith(b"{") or len(data) < 3:
        return data
    name = random.choice((b"metadata", b"spec", b"kind", b"data"))
    return b'{"%b":%b,%b' % (name, orjson.dumps(_odd(random)), data[1:])
