"""Open-loop probes: a request at every tick, whether or not the former ones were answered, and every failure counted.

An open loop does not wait for a slow server before it asks again, so an outage shows in full.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from homeostat.api.errors import ApiError
from homeostat.kit import clock, tasks

_IN_FLIGHT_MAX = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was sent (monotonic seconds), how long it took, and its error (empty: answered)."""

    at: float
    seconds: float
    error: str = ""


@dataclass(slots=True)
class Probe:
    """Sends `ask` every `interval_seconds` until stopped; `timeout_seconds` is a client's patience."""

    name: str
    ask: Callable[[], Awaitable[None]]
    interval_seconds: float = 0.05
    timeout_seconds: float = 5.0
    samples: list[Sample] = field(default_factory=list)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._ticker = tasks.spawn(self._tick(), name=f"probe-{self.name}")

    async def stop(self) -> None:
        """Send no more; wait for what is under way."""
        await tasks.stop(self._ticker)
        await asyncio.gather(*self._running)

    async def _tick(self) -> None:
        following = clock.monotonic()
        while True:
            if len(self._running) < _IN_FLIGHT_MAX:
                task = tasks.spawn(self._once(), name=f"probe-{self.name}-request")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            else:
                self.samples.append(Sample(clock.monotonic(), 0.0, f"{_IN_FLIGHT_MAX} requests are under way"))
            following += self.interval_seconds
            await clock.sleep(max(0.0, following - clock.monotonic()))

    async def _once(self) -> None:
        started = clock.monotonic()
        error = ""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self.ask()
        except TimeoutError:
            error = f"no answer within {self.timeout_seconds:g} s"
        except (OSError, ApiError, asyncio.IncompleteReadError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        self.samples.append(Sample(started, clock.monotonic() - started, error))

    @property
    def failures(self) -> list[Sample]:
        """The requests that were not answered, by the time they were sent."""
        return sorted((sample for sample in self.samples if sample.error), key=lambda sample: sample.at)

    def longest_gap(self) -> float:
        """The longest time, in seconds, between two answers in a row: what a client felt as an outage."""
        ends = sorted(sample.at + sample.seconds for sample in self.samples if not sample.error)
        return max((after - before for before, after in itertools.pairwise(ends)), default=0.0)
