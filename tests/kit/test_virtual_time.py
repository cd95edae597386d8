"""Virtual time: a day passes in no time, in the same way each time; and a world that cannot move says so."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.kit import chance, clock, tasks, virtual
from homeostat.kit.backoff import Backoff


def test_a_day_of_sleep_takes_no_time_and_ends_exactly_on_time() -> None:
    async def main() -> tuple[float, float]:
        began = clock.wall()
        await clock.sleep(86_400)
        return clock.wall() - began, clock.monotonic()

    assert virtual.run(main, seed=1) == (86_400, 86_400)


def test_timers_fire_in_order_and_ties_in_the_order_they_were_set() -> None:
    async def main() -> list[str]:
        received: list[str] = []

        async def after(seconds: float, name: str) -> None:
            await clock.sleep(seconds)
            received.append(name)

        waits = [("late", 2.0), ("first", 1.0), ("second", 1.0)]
        await asyncio.gather(*(tasks.spawn(after(seconds, name), name=name) for name, seconds in waits))
        return received

    assert virtual.run(main, seed=1) == ["first", "second", "late"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    async def main() -> list[str]:
        received: list[str] = []

        async def worker(name: str) -> None:
            for _ in range(20):
                await clock.sleep(chance.uniform(0, 1))
                received.append(f"{name} {clock.monotonic():.6f} {chance.uuid4()}")

        await asyncio.gather(*(tasks.spawn(worker(f"w{i}"), name=f"w{i}") for i in range(5)))
        return received

    assert virtual.run(main, seed=7) == virtual.run(main, seed=7)
    assert virtual.run(main, seed=7) != virtual.run(main, seed=8)


def test_timeouts_and_events_live_in_virtual_time_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300):
                await asyncio.Event().wait()
        return clock.monotonic()

    assert virtual.run(main, seed=1) == 300


def test_a_world_in_which_nothing_can_happen_any_more_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(virtual.Deadlock):
        virtual.run(main, seed=1)


def test_a_task_that_fails_is_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError("no good")

    async def main() -> None:
        tasks.spawn(broken(), name="the-broken-one")
        await clock.sleep(1)

    virtual.run(main, seed=1)
    assert "the-broken-one ended by ValueError: no good" in caplog.text


def test_backoff_doubles_up_to_its_ceiling() -> None:
    backoff = Backoff(first_seconds=10, ceiling_seconds=300)
    assert [backoff.delay(n) for n in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.delay(10**9) == 300


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    ran: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(100):
            loop.call_at(5.0, ran.append, number)
        loop.call_at(5.0, ran.append, -1).cancel()
        await asyncio.sleep(5)

    virtual.run(main, seed=1)
    assert ran == list(range(100))
