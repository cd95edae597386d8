"""A time limit whose timer is armed only for work that waits."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.kit import clock, tasks, virtual
from homeostat.kit.bounded import within


def run(story) -> object:  # type: ignore[no-untyped-def]
    return virtual.run(story, seed=1)


def test_work_that_waits_for_nothing_has_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once() -> int:
        return 7

    async def story() -> int:
        monkeypatch.setattr(asyncio, "timeout", lambda seconds: pytest.fail("a timer was armed"))
        return await within(1.0, at_once())

    assert run(story) == 7


def test_work_that_waits_gives_its_result_and_may_wait_several_times() -> None:
    async def slow() -> str:
        for _ in range(3):
            await clock.sleep(0.2)
        return "done"

    async def story() -> tuple[str, float]:
        return await within(1.0, slow()), clock.monotonic()

    result, _ = run(story)  # type: ignore[misc]
    assert result == "done"


def test_work_that_takes_too_long_is_cancelled() -> None:
    ended = []

    async def slow() -> None:
        try:
            await clock.sleep(10)
        finally:
            ended.append(clock.monotonic())

    async def story() -> float:
        began = clock.monotonic()
        with pytest.raises(TimeoutError):
            await within(1.0, slow())
        return clock.monotonic() - began

    assert run(story) == pytest.approx(1.0)
    assert len(ended) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_what_the_work_raises_comes_out(waits: bool) -> None:
    async def fails() -> None:
        if waits:
            await clock.sleep(0.1)
        raise LookupError("no such thing")

    async def story() -> None:
        await within(1.0, fails())

    with pytest.raises(LookupError, match="no such thing"):
        run(story)


def test_a_cancellation_from_outside_reaches_the_work_and_is_no_timeout() -> None:
    seen = []

    async def slow() -> None:
        try:
            await clock.sleep(10)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def story() -> None:
        task = tasks.spawn(within(5.0, slow()), name="limited")
        await clock.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story)
    assert seen == ["cancelled"]
