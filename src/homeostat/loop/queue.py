"""The work queue: which keys are to be reconciled, and when (client-go's workqueue).

A key waits at most once, however often it was added; it is worked on by one worker at a time, and when it is added
meanwhile it comes again after `done`. Delayed adds keep the earliest moment. Retries back off per key, 5 ms doubling
up to 1000 s, until `forget`.
"""

from __future__ import annotations

import asyncio

from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.loop.contract import Key

# client-go, DefaultTypedControllerRateLimiter's per-item part.
RETRY = Backoff(first_seconds=0.005, ceiling_seconds=1000.0)


class WorkQueue:
    """See the module. Of one event loop; every method but `get` returns at once."""

    def __init__(self, *, retry: Backoff = RETRY) -> None:
        self._retry = retry
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._dirty: set[Key] = set()
        self._busy: set[Key] = set()
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        """How many keys are ready for a worker."""
        return self._ready.qsize()

    @property
    def idle(self) -> bool:
        """Whether no key is ready, worked on, or to come again after its worker (delayed ones do not count)."""
        return not self._dirty and not self._busy

    def add(self, key: Key) -> None:
        """Work on `key` soon."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on `key` after `seconds`, or earlier when an earlier moment was already set."""
        if seconds <= 0:
            self.add(key)
            return
        moment = clock.monotonic() + seconds
        known = self._timers.get(key)
        if known is not None:
            if known[0] <= moment:
                return
            known[1].cancel()
        handle = asyncio.get_running_loop().call_later(seconds, self._ripe, key)
        self._timers[key] = (moment, handle)

    def retry(self, key: Key, *, seconds_max: float = float("inf")) -> float:
        """Work on `key` again after its backoff, at most `seconds_max`; returns the pause in seconds. Failures that
        were cut short by `seconds_max` do not count: they must not lengthen the pause after another kind of failure."""
        failures = self._failures.get(key, 0)
        seconds = min(self._retry.delay(failures), seconds_max)
        if seconds < seconds_max:
            self._failures[key] = failures + 1
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure backs off from the start."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key; the caller must say `done` for it."""
        key = await self._ready.get()
        self._dirty.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: Key) -> None:
        """The worker has finished with `key`; it is queued again when it was added meanwhile."""
        self._busy.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def close(self) -> None:
        """Drop everything: waiting keys, keys in work (their workers have ended), and all timers."""
        for _, handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        self._failures.clear()
        self._dirty.clear()
        self._busy.clear()
        while not self._ready.empty():
            self._ready.get_nowait()

    def _ripe(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
