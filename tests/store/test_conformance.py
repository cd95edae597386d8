"""One suite for every store: commits, reads and listings as `store.contract` specifies them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeostat.kit import clock, tasks
from homeostat.store.contract import Entry, Event, FutureRevision, Page, Stale, Store

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


def test_an_empty_store_is_at_revision_0(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        assert await store.revision() == 0
        assert await store.get("/a") is None
        assert await store.list("/") == Page([], 0, 0)

    run_story(story)


def test_every_commit_takes_the_next_revision(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        assert await store.commit("/a", 0, b"1") == 1
        assert await store.commit("/b", 0, b"2") == 2
        assert await store.commit("/a", 1, b"3") == 3
        assert await store.commit("/b", 2, b"4", delete=True) == 4
        assert await store.revision() == 4
        assert await store.get("/a") == Entry("/a", b"3", 3)
        assert await store.get("/b") is None
        assert await store.commit("/b", 0, b"5") == 5
        assert await store.get("/b") == Entry("/b", b"5", 5)

    run_story(story)


@pytest.mark.parametrize(
    ("key", "expected", "delete"),
    [("/a", 0, False), ("/a", 1, False), ("/a", 3, False), ("/a", 1, True), ("/a", 0, True)],
)
def test_a_stale_write_is_refused_with_what_is_there(
    run_story: RunStory, key: str, expected: int, delete: bool
) -> None:
    async def story(store: Store) -> None:
        await store.commit("/a", 0, b"old")
        await store.commit("/a", 1, b"new")
        with pytest.raises(Stale) as caught:
            await store.commit(key, expected, b"x", delete=delete)
        assert caught.value.current == Entry("/a", b"new", 2)
        assert await store.revision() == 2

    run_story(story)


@pytest.mark.parametrize(("expected", "delete"), [(1, False), (1, True), (0, True)])
def test_a_write_to_a_key_that_is_gone_is_stale(run_story: RunStory, expected: int, delete: bool) -> None:
    async def story(store: Store) -> None:
        await store.commit("/a", 0, b"1")
        await store.commit("/a", 1, b"1", delete=True)
        with pytest.raises(Stale) as caught:
            await store.commit("/a", expected, b"x", delete=delete)
        assert caught.value.current is None

    run_story(story)


def test_of_writers_that_race_for_a_key_one_wins(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        async def attempt(n: int) -> int:
            return await store.commit("/a", 0, b"%d" % n)

        answers = await asyncio.gather(*[attempt(n) for n in range(50)], return_exceptions=True)
        wins = [n for n, answer in enumerate(answers) if answer == 1]
        assert len(wins) == 1
        assert sum(isinstance(answer, Stale) for answer in answers) == 49
        assert await store.get("/a") == Entry("/a", b"%d" % wins[0], 1)
        assert await store.revision() == 1

    run_story(story)


def test_a_stale_write_fails_alone_among_those_that_commit_together(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        await store.commit("/k/0", 0, b"first")
        writes = [store.commit(f"/k/{n}", 0, b"%d" % n) for n in range(100)]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(answers[0], Stale)
        assert sorted(answers[1:]) == list(range(2, 101))  # type: ignore[type-var]

    run_story(story)


def test_listings_are_in_key_order_and_paged(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        for n in (3, 1, 4, 0, 5, 2):
            await store.commit(f"/k/{n}", 0, b"%d" % n)
        await store.commit("/other", 0, b"x")
        assert keys(await store.list("/k/")) == [f"/k/{n}" for n in range(6)]
        first = await store.list("/k/", limit=4)
        assert (keys(first), first.revision, first.remaining) == (["/k/0", "/k/1", "/k/2", "/k/3"], 7, 2)
        rest = await store.list("/k/", limit=4, after="/k/3", revision=first.revision)
        assert (keys(rest), rest.remaining) == (["/k/4", "/k/5"], 0)
        whole = await store.list("/k/", limit=6)
        assert whole.remaining == 0
        assert keys(await store.list("/k/", after="/k/5")) == []
        assert keys(await store.list("/k/", after="/a")) == [f"/k/{n}" for n in range(6)]
        assert keys(await store.list("/k/", after="/z")) == []
        assert len(keys(await store.list(""))) == 7

    run_story(story)


def test_later_pages_are_of_the_first_pages_moment(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        revisions = {n: await store.commit(f"/k/{n}", 0, b"old") for n in range(10)}
        first = await store.list("/k/", limit=3)
        await store.commit("/k/4", revisions[4], b"new")
        await store.commit("/k/5", revisions[5], b"gone", delete=True)
        await store.commit("/k/6", revisions[6], b"gone", delete=True)
        await store.commit("/k/6", 0, b"again")
        await store.commit("/k/4a", 0, b"late")
        second = await store.list("/k/", revision=first.revision, limit=3, after="/k/2")
        assert [(entry.key, entry.value) for entry in second.entries] == [
            ("/k/3", b"old"),
            ("/k/4", b"old"),
            ("/k/5", b"old"),
        ]
        assert (second.revision, second.remaining) == (first.revision, 4)
        third = await store.list("/k/", revision=first.revision, after="/k/5")
        assert [(entry.key, entry.value) for entry in third.entries] == [(f"/k/{n}", b"old") for n in (6, 7, 8, 9)]
        now = await store.list("/k/")
        assert keys(now) == [f"/k/{n}" for n in ("0", "1", "2", "3", "4", "4a", "6", "7", "8", "9")]

    run_story(story)


def test_long_listings_are_whole_and_of_one_moment(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        await asyncio.gather(*[store.commit(f"/k/{n:04}", 0, b"old") for n in range(1500)])

        async def disturb() -> None:
            for n in range(0, 1500, 50):
                entry = await store.get(f"/k/{n:04}")
                assert entry is not None
                await store.commit(entry.key, entry.revision, b"new")

        listing, _ = await asyncio.gather(store.list("/k/", limit=1200), disturb())
        assert keys(listing) == [f"/k/{n:04}" for n in range(1200)]
        assert listing.remaining == 300
        assert {entry.revision <= listing.revision for entry in listing.entries} == {True}
        again = await store.list("/k/", revision=listing.revision)
        assert again.entries[:1200] == listing.entries
        assert len(again.entries) == 1500

    run_story(story)


def test_prefixes_do_not_bleed(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        pods, templates = "/registry/core/pods/", "/registry/core/podtemplates/"
        watch = store.watch(pods, after_revision=0)
        await store.commit(pods + "default/a", 0, b"pod")
        await store.commit(templates + "default/a", 0, b"template")
        await store.commit("/registry/core/pods", 0, b"shorter")
        await store.commit("/registry/core/pods0", 0, b"the next character after the slash")
        await store.commit(pods + "\U0010ffff", 0, b"last")
        assert keys(await store.list(pods)) == [pods + "default/a", pods + "\U0010ffff"]
        assert keys(await store.list(templates)) == [templates + "default/a"]
        assert [event.revision for event in await take(watch, 2)] == [1, 5]

    run_story(story)


def test_keys_sort_by_code_point(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        names = ["~", "é", "\ud7ff", "\ue000", "\U00010000", "\U0010ffff", "", "A", "a", "a\x00", "a b"]
        for name in names:
            await store.commit("/k/" + name, 0, b"x")
        assert keys(await store.list("/k/")) == sorted("/k/" + name for name in names)
        assert keys(await store.list("/k/\ud7ff")) == ["/k/\ud7ff"]
        assert keys(await store.list("/k/", after="/k/a")) == sorted("/k/" + n for n in names if n > "a")

    run_story(story)


def test_lists_of_the_future_are_refused(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        await store.commit("/a", 0, b"x")
        with pytest.raises(FutureRevision):
            await store.list("/", revision=2)
        with pytest.raises(FutureRevision):
            await store.compact(2)

    run_story(story)


def test_a_caller_that_gives_up_harms_nobody(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        gone = [tasks.spawn(store.commit(f"/gone/{n}", 0, b"x"), name="commit") for n in range(20)]
        await clock.sleep(0)
        await tasks.stop(*gone)
        revision = await store.commit("/a", 0, b"x")
        assert await store.revision() == revision
        with pytest.raises(UnicodeEncodeError):
            await store.commit("/lone surrogate \udc80", 0, b"x")
        assert await store.commit("/a", revision, b"y") == revision + 1

    run_story(story)


@pytest.mark.parametrize("size", [0, 1, 4_000, 5_000, 3 << 20])
def test_values_come_back_as_they_were(run_story: RunStory, size: int) -> None:
    async def story(store: Store) -> None:
        value = bytes(n % 251 for n in range(min(size, 5_000))) * max(1, size // 5_000)
        await store.commit("/a", 0, value)
        assert await store.get("/a") == Entry("/a", value, 1)
        assert (await store.list("/")).entries == [Entry("/a", value, 1)]
        assert await take(store.watch("/", after_revision=0), 1) == [Event("/a", value, 1, False)]

    run_story(story)
