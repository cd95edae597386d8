"""Stories of the pace at which watchers are woken."""

from __future__ import annotations

import asyncio

from homeostat.apiserver.cache.fanout import PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN, Fanout
from homeostat.kit import clock, virtual


class Sleeper:
    """Notes when it was woken."""

    def __init__(self) -> None:
        self.woken: list[float] = []

    def wake(self) -> None:
        self.woken.append(clock.monotonic())


def run(scenario) -> None:
    virtual.run(scenario, seed=1)


def test_a_few_watchers_are_woken_at_once_every_time() -> None:
    sleeper, times = Sleeper(), 5

    async def scenario() -> None:
        fanout = Fanout()
        for number in range(times):
            fanout.add(sleeper)
            await asyncio.sleep(0)
            assert len(sleeper.woken) == number + 1
        assert clock.monotonic() == sleeper.woken[0]

    run(scenario)


def test_after_a_crowd_there_is_a_pause_in_which_changes_gather() -> None:
    async def scenario() -> None:
        fanout, crowd = Fanout(), [Sleeper() for _ in range(500)]
        for sleeper in crowd:
            fanout.add(sleeper)
        await asyncio.sleep(PAUSE_SECONDS_MIN / 2)
        assert all(len(sleeper.woken) == 1 for sleeper in crowd)
        for sleeper in crowd:
            fanout.add(sleeper)
        await asyncio.sleep(PAUSE_SECONDS_MIN)
        assert all(len(sleeper.woken) == 1 for sleeper in crowd)
        await asyncio.sleep(PAUSE_SECONDS_MAX)
        assert all(len(sleeper.woken) == 2 for sleeper in crowd)

    run(scenario)


def test_while_a_crowd_is_woken_the_loop_has_turns_for_others() -> None:
    async def scenario() -> None:
        fanout, crowd = Fanout(), [Sleeper() for _ in range(500)]
        for sleeper in crowd:
            fanout.add(sleeper)
        seen = []
        while not seen or seen[-1] < len(crowd):
            await asyncio.sleep(0)
            seen.append(sum(len(sleeper.woken) for sleeper in crowd))
        assert len(seen) > 5
        # Who becomes due meanwhile has its turn in the next pass, and nobody is woken twice in this one.
        assert all(len(sleeper.woken) == 1 for sleeper in crowd)

    run(scenario)


def test_no_crowd_is_so_large_that_the_next_change_waits_longer_than_the_bound() -> None:
    async def scenario() -> None:
        fanout = Fanout()
        for sleeper in [Sleeper() for _ in range(20_000)]:
            fanout.add(sleeper)
        await asyncio.sleep(0)
        last, asked = Sleeper(), clock.monotonic()
        fanout.add(last)
        await asyncio.sleep(1)
        assert asked < last.woken[0] <= asked + PAUSE_SECONDS_MAX * 1.01

    run(scenario)


def test_when_a_pause_ends_with_nobody_due_the_next_one_is_woken_at_once() -> None:
    async def scenario() -> None:
        fanout = Fanout()
        for sleeper in [Sleeper() for _ in range(500)]:
            fanout.add(sleeper)
        await asyncio.sleep(1)
        late, asked = Sleeper(), clock.monotonic()
        fanout.add(late)
        await asyncio.sleep(0)
        assert late.woken == [asked]

    run(scenario)
