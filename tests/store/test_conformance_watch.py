"""One suite for every store: watches, history and its compaction as `store.contract` specifies them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeostat.kit import clock, tasks
from homeostat.store.contract import Compacted, Entry, Event, Page, Stale, Store, Unavailable

Story = Callable[[Store], Awaitable[None]]
RunStory = Callable[[Story], None]


async def take(watch: AsyncIterator[list[Event]], count: int) -> list[Event]:
    """The next `count` events; fails on more than were asked for in the last batch."""
    events: list[Event] = []
    while len(events) < count:
        events += await anext(watch)
    assert len(events) == count
    return events


def keys(page: Page) -> list[str]:
    return [entry.key for entry in page.entries]


def test_a_watch_gives_history_then_live_without_a_gap(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        for n in range(700):
            await store.commit(f"/k/{n}", 0, b"%d" % n)

        async def collect(after: int) -> list[Event]:
            seen: list[Event] = []
            async for batch in store.watch("/k/", after_revision=after):
                seen += batch
                if seen[-1].revision >= 1000:
                    break
            return seen

        watchers = [tasks.spawn(collect(after), name="watch") for after in (0, 100, 699, 700)]
        for n in range(700, 1000):
            await store.commit(f"/k/{n}", 0, b"%d" % n)
        for watcher, after in zip(watchers, (0, 100, 699, 700), strict=True):
            assert await watcher == [Event(f"/k/{r - 1}", b"%d" % (r - 1), r, False) for r in range(after + 1, 1001)]

    run_story(story)


def test_a_deletion_delivers_the_final_value_it_was_given(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        live = store.watch("/a", after_revision=0)
        await store.commit("/a", 0, b"first")
        await store.commit("/a", 1, b"final", delete=True)
        expected = [Event("/a", b"first", 1, False), Event("/a", b"final", 2, True)]
        assert await take(live, 2) == expected
        assert await take(store.watch("/a", after_revision=0), 2) == expected

    run_story(story)


def test_a_watch_may_start_ahead_of_the_store(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        async def first() -> list[Event]:
            return await anext(store.watch("/", after_revision=2))

        waiting = tasks.spawn(first(), name="watch")
        for n in range(3):
            await clock.sleep(0)
            await store.commit(f"/{n}", 0, b"x")
        assert [event.revision for event in await waiting] == [3]

    run_story(story)


def test_compaction_removes_history_and_keeps_live_keys(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        for n in range(20):
            await store.commit(f"/k/{n:02}", 0, b"first")
        for n in range(10):
            await store.commit(f"/k/{n:02}", n + 1, b"second")
        for n in range(5):
            await store.commit(f"/k/{n:02}", n + 21, b"last", delete=True)
        before = await store.list("/k/", revision=32)
        await store.compact(32)
        assert await store.revision() == 35
        for late in (store.list("/k/", revision=31), anext(store.watch("/k/", after_revision=31))):
            with pytest.raises(Compacted) as caught:
                await late
            assert caught.value.oldest == 32
        with pytest.raises(Compacted):
            await anext(store.watch("/nothing/here/", after_revision=0))
        assert await store.list("/k/", revision=32) == before
        assert keys(await store.list("/k/")) == [f"/k/{n:02}" for n in range(5, 20)]
        assert [event.revision for event in await take(store.watch("/k/", after_revision=32), 3)] == [33, 34, 35]
        await store.compact(10)  # Going back changes nothing.
        with pytest.raises(Compacted):
            await store.list("/k/", revision=31)

    run_story(story)


def test_compaction_up_to_now_keeps_the_counter_and_every_live_key(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        await store.commit("/a", 0, b"1")
        await store.commit("/b", 0, b"2")
        await store.commit("/b", 2, b"2", delete=True)
        await store.compact(3)
        assert await store.revision() == 3
        assert await store.get("/a") == Entry("/a", b"1", 1)
        assert await store.list("/") == Page([Entry("/a", b"1", 1)], 3, 0)
        assert await store.commit("/b", 0, b"4") == 4
        assert await store.commit("/a", 1, b"5") == 5
        await store.compact(5)
        assert keys(await store.list("/")) == ["/a", "/b"]
        with pytest.raises(Stale):
            await store.commit("/a", 1, b"6")

    run_story(story)


def test_a_live_watch_outlives_compaction(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        watch = store.watch("/", after_revision=0)
        await store.commit("/a", 0, b"1")
        await take(watch, 1)
        waiting = tasks.spawn(take(watch, 2), name="watch")
        await clock.sleep(0)
        await store.commit("/a", 1, b"2")
        await store.compact(2)
        await store.commit("/a", 2, b"3")
        assert [event.revision for event in await waiting] == [2, 3]

    run_story(story)


def test_a_watcher_that_does_not_keep_up_is_ended(run_story: RunStory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.store.feed.PENDING_EVENTS_MAX", 30)

    async def story(store: Store) -> None:
        slow, quick = store.watch("/k/", after_revision=0), store.watch("/k/", after_revision=0)

        async def first(watch: AsyncIterator[list[Event]]) -> None:
            assert [event.revision for event in await anext(watch)] == [1]

        both = [tasks.spawn(first(watch), name="watch") for watch in (slow, quick)]
        await clock.sleep(0)
        await store.commit("/k/a", 0, b"x")
        await asyncio.gather(*both)
        for revision in range(1, 40):
            await store.commit("/k/a", revision, b"x")
            assert [event.revision for event in await anext(quick)] == [revision + 1]
        with pytest.raises(Compacted):
            await anext(slow)

    run_story(story)


def test_closing_ends_the_watchers_and_refuses_the_rest(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        async def drain() -> int:
            return sum([len(batch) async for batch in store.watch("/", after_revision=0)])

        watcher = tasks.spawn(drain(), name="watch")
        await clock.sleep(0)
        last = tasks.spawn(store.commit("/a", 0, b"under way"), name="commit")
        await clock.sleep(0)
        await store.close()
        assert await last == 1
        assert await watcher == 1
        for refused in (store.commit("/b", 0, b"x"), store.get("/a"), store.list("/"), store.revision()):
            with pytest.raises(Unavailable):
                await refused
        await store.close()
        await store.start()
        assert await store.get("/a") == Entry("/a", b"under way", 1)

    run_story(story)
