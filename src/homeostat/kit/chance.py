"""Random draws, all from the current world's one source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from homeostat.kit import world

T = TypeVar("T")

# Kubernetes' generateName alphabet: no vowels and no look-alikes (apimachinery, util/rand).
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# Of the 128 bits of a version 4 UUID, those that are drawn, and those that say version and variant (RFC 9562).
_UUID_FREE = ~(0xF000 << 64 | 0xC000 << 48)
_UUID_FIXED = 0x4000 << 64 | 0x8000 << 48


def uniform(low: float, high: float) -> float:
    """A float between `low` and `high`."""
    return world.current().random.uniform(low, high)


def below(bound: int) -> int:
    """An integer from 0 to `bound - 1`."""
    return world.current().random.randrange(bound)


def choice(items: Sequence[T]) -> T:
    """One of `items`. Raises IndexError when there is none."""
    return world.current().random.choice(items)


def some(items: Sequence[T], count: int) -> list[T]:
    """`count` different ones of `items` in their order; all of them when there are no more."""
    left = list(items)
    while len(left) > count:
        left.pop(below(len(left)))
    return left


def uuid4() -> str:
    """A version 4 UUID, as text."""
    bits = world.current().random.getrandbits(128) & _UUID_FREE | _UUID_FIXED
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def name_suffix(length: int = 5) -> str:
    """The random tail of a generated name, in Kubernetes' alphabet."""
    # One draw for all: a single call to the operating system.
    letters = len(_NAME_ALPHABET)
    number = world.current().random.randrange(letters**length)
    text = ""
    for _ in range(length):
        number, at = divmod(number, letters)
        text += _NAME_ALPHABET[at]
    return text


def token_hex(length_bytes: int) -> str:
    """Random bytes as hexadecimal text."""
    return world.current().random.getrandbits(8 * length_bytes).to_bytes(length_bytes, "big").hex()
