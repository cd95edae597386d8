"""Paces the wake-ups of watchers, so that many of them cannot keep the event loop from answering requests.

Writing to a watcher costs much the same for one event as for ten. So after a pass that woke many watchers there is a
pause in proportion to it, in which requests are served and changes gather; the next pass delivers those in one write
each. A small pass has no pause: a few watchers get every change at once.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

# About twice what one write of a few events to one watcher costs, with TLS: most of the loop's time is left for
# everything else, and the passes stay few.
PAUSE_SECONDS_A_WATCHER = 100e-6
# Below the first there is no pause; none is longer than the second.
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 4e-3, 50e-3
# How many are woken before yielding to the event loop.
_WAKE_AT_ONCE = 64
# How many turns of the loop it takes until those who only woke have written: their tasks, the edge's flush, the send.
_TURNS_TO_WRITE = 3


class Sleeper(Protocol):
    """Who waits to be woken."""

    def wake(self) -> None:
        """Go on."""
        ...


class Fanout:
    """Those to be woken in the next pass. At most one pass or pause is under way."""

    def __init__(self) -> None:
        self._due: list[Sleeper] = []
        self._busy = False

    def add(self, sleeper: Sleeper) -> None:
        """Wake `sleeper` in the next pass: within this turn of the loop, or when the pause is over."""
        self._due.append(sleeper)
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        due, self._due = self._due, []
        self._wake(due, 0)

    def _wake(self, due: list[Sleeper], start: int) -> None:
        """Wake those from `start` on, some in each turn of the loop; then pause."""
        end = start + _WAKE_AT_ONCE
        for sleeper in due[start:end]:
            sleeper.wake()
        if end < len(due):
            asyncio.get_running_loop().call_soon(self._wake, due, end)
            return
        pause = min(PAUSE_SECONDS_A_WATCHER * len(due), PAUSE_SECONDS_MAX)
        if pause >= PAUSE_SECONDS_MIN:
            self._rest(pause, _TURNS_TO_WRITE)
        else:
            self._busy = False

    def _rest(self, seconds: float, turns: int) -> None:
        """Begin the pause when the writes are done, not before."""
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._rest, seconds, turns - 1)
        else:
            loop.call_later(seconds, self._pass)
