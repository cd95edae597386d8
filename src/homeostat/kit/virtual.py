"""A virtual-time event loop: when nothing is ready, time jumps to the next timer instead of passing.

It runs the whole cluster in one process, deterministically: there is no I/O and no thread, ready callbacks run in
the order in which they were scheduled, and chance comes from the seed (`kit.world.SeededWorld`).

A simulated run is tens of thousands of short steps, so the loop is no more than a queue and a heap: asyncio's own would
ask a selector before each step, and compare timers by a method in Python.
"""

from __future__ import annotations

import asyncio
from asyncio import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVar, TypeVarTuple

from homeostat.kit import world

T = TypeVar("T")
Args = TypeVarTuple("Args")

# Timers closer than this count as one moment.
_RESOLUTION_SECONDS = 1e-9


class Deadlock(RuntimeError):
    """Every task waits and no timer is left: the simulated world can never move again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose clock starts at 0 and moves only by jumps. Timers of one moment run in the order in which
    they were set."""

    # asyncio's own queue, in which `call_soon_threadsafe` puts its callbacks too.
    _ready: deque[Handle]

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._timers_set = 0

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def suspend(self, seconds: float) -> None:
        """Let `seconds` pass at once, as for a process that was stopped and continues: whatever falls due meanwhile
        runs late, after what is ready now."""
        self._now += seconds

    def call_soon(self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None) -> Handle:
        """Run `callback` in the next turn."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> TimerHandle:
        """Run `callback` after `delay` seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> TimerHandle:
        """Run `callback` at a moment of this loop's clock."""
        handle = TimerHandle(when, callback, args, self, context)
        self._timers_set += 1
        heappush(self._timers, (when, self._timers_set, handle))
        return handle

    def _run_once(self) -> None:
        """One turn, as `asyncio.BaseEventLoop.run_forever` asks for it: what is ready now, and no more."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not ready:
            if not timers:
                raise Deadlock("every task waits for another and no timer is set")
            self._now = max(self._now, timers[0][0])
        end = self._now + _RESOLUTION_SECONDS
        while timers and timers[0][0] < end:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _write_to_self(self) -> None:
        """Nothing: whoever wakes the loop from outside has put its callback into the queue before."""


def run(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: int,
    world_of: Callable[..., world.World] = world.SeededWorld,
) -> T:
    """Run `main()` to its end under virtual time, chance drawn from `seed`; leftover tasks are cancelled.

    `world_of(seed=seed)` makes the world. Raises Deadlock when nothing can happen any more, and what `main` raises.
    """
    with world.use(world_of(seed=seed)), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
