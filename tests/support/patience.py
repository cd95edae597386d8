"""Waiting in tests that run real processes: for a condition, never for a length of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.05
# What takes so long on a machine with other things to do as well, at the most; nobody waits for it where it is quick.
_BUSY = 4.0


def eventually(look: Callable[[], T], *, seconds: float = 30.0) -> T:
    """What `look` gives once it is true (an AssertionError counts as not yet).

    `seconds` is what it may take on a machine with nothing else to do. Raises AssertionError.
    """
    deadline = time.monotonic() + seconds * _BUSY
    while True:
        try:
            seen, why = look(), None
        except AssertionError as error:
            seen, why = None, error
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * _BUSY:g} s; last seen: {why or seen!r}") from why
        time.sleep(_LOOK_SECONDS)
