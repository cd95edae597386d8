"""Short, stable hashes of parts of objects, in the alphabet that Kubernetes uses for names (util/rand)."""

from __future__ import annotations

import hashlib

import orjson

from homeostat.api.types import Obj

# No vowels and no look-alikes, so that a hash is never a word.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def short_hash(part: Obj, collision_count: int = 0) -> str:
    """A hash of the canonical JSON of `part`, at most ten characters; another one for each collision count."""
    text = orjson.dumps(part, option=orjson.OPT_SORT_KEYS)
    if collision_count:
        text += str(collision_count).encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))
