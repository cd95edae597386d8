"""The work queue behaves as client-go's."""

import asyncio

from homeostat.kit import clock, tasks, virtual
from homeostat.loop.queue import WorkQueue


def run(story):
    async def main():
        await story(WorkQueue())

    virtual.run(main, seed=1)


def test_a_key_waits_once_however_often_it_is_added():
    async def story(queue):
        for key in ["a", "b", "a", "a"]:
            queue.add(key)
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        assert len(queue) == 0

    run(story)


def test_a_key_in_work_is_given_to_nobody_else_and_comes_again_after_done():
    async def story(queue):
        queue.add("a")
        await queue.get()
        queue.add("a")
        queue.add("a")
        waiting = tasks.spawn(queue.get(), name="w")
        await clock.sleep(1)
        assert not waiting.done()
        queue.done("a")
        assert await waiting == "a"
        queue.done("a")
        assert queue.idle

    run(story)


def test_of_two_delays_the_earlier_counts():
    async def story(queue):
        queue.add_after("a", 10)
        queue.add_after("a", 3)
        queue.add_after("a", 7)
        await queue.get()
        assert clock.monotonic() == 3
        queue.done("a")
        await clock.sleep(20)
        assert len(queue) == 0

    run(story)


def test_retries_double_from_5_ms_to_1000_s_and_reset_after_success():
    async def story(queue):
        pauses = [queue.retry("a") for _ in range(20)]
        assert pauses[:3] == [0.005, 0.01, 0.02]
        assert pauses[-1] == 1000.0
        assert queue.retry("b") == 0.005
        assert queue.retry("a", seconds_max=1.0) == 1.0
        queue.forget("a")
        assert queue.retry("a") == 0.005

    run(story)


def test_failures_that_were_cut_short_do_not_lengthen_later_pauses():
    """After minutes of an API that was away, one conflict must not cost a quarter of an hour."""

    async def story(queue):
        for _ in range(600):
            queue.retry("a", seconds_max=1.0)
        assert queue.retry("a") < 2

    run(story)


def test_a_closed_queue_forgets_what_was_in_work():
    """Else a key in whose midst the leader lost its lease would never be worked on again by this process."""

    async def story(queue):
        queue.add("a")
        await queue.get()
        queue.add("a")
        queue.close()
        assert queue.idle
        queue.add("a")
        assert await queue.get() == "a"

    run(story)


def test_a_cancelled_worker_loses_no_key():
    async def story(queue):
        worker = tasks.spawn(queue.get(), name="w")
        await asyncio.sleep(0)
        queue.add("a")
        await tasks.stop(worker)
        if worker.cancelled():
            assert await queue.get() == "a"

    run(story)


def test_closed_it_holds_nothing_more():
    async def story(queue):
        queue.add("a")
        queue.add_after("b", 1)
        queue.close()
        await clock.sleep(5)
        assert len(queue) == 0

    run(story)
