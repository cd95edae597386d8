"""A virtual-time event loop: when nothing is ready, time jumps to the next timer instead of passing.

It runs the whole cluster in one process, deterministically: there is no I/O and no thread, ready callbacks run in
the order in which they were scheduled, and chance comes from the seed (`kit.world.SeededWorld`).
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from homeostat.kit import world

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Every task waits and no timer is left: the simulated world can never move again."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: tells the loop how far to jump instead."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # There is no I/O to look for, and whoever wakes the loop from outside has put its callback in before.
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and moves only by jumps."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))
        # Timers closer than a nanosecond count as one moment: jumps must never stall on rounding.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def suspend(self, seconds: float) -> None:
        """Let `seconds` pass at once, as for a process that was stopped and goes on: whatever falls due meanwhile runs
        late, after what is ready now."""
        self._now += seconds

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise Deadlock("every task waits for another and no timer is set")
        self._now += timeout


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
