"""One suite for every store: what it was like at every moment, seen by lists, pages and watches that begin anywhere."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from homeostat.store.contract import Compacted, Entry, Event, FutureRevision, Stale, Store

Story = Callable[[Store], Awaitable[None]]
RunStory = Callable[[Story], None]
State = dict[str, Entry]


async def take(watch: AsyncIterator[list[Event]], count: int) -> list[Event]:
    """The next `count` events."""
    events: list[Event] = []
    while len(events) < count:
        events += await anext(watch)
    return events


async def write_history(store: Store, *, steps: int, seed: int) -> tuple[list[State], list[Event]]:
    """Random creates, updates and deletes of few keys: the state after each revision, and the events."""
    chance = random.Random(seed)
    states: list[State] = [{}]
    events: list[Event] = []
    for step in range(1, steps + 1):
        state = dict(states[-1])
        key, value = f"/{chance.choice('ab')}/{chance.choice('wxyz')}", b"%d" % step
        held = state.get(key)
        delete = held is not None and chance.random() < 0.4
        revision = await store.commit(key, held.revision if held else 0, value, delete=delete)
        assert revision == step
        if delete:
            del state[key]
        else:
            state[key] = Entry(key, value, revision)
        states.append(state)
        events.append(Event(key, value, revision, delete))
    return states, events


def under(state: State, prefix: str) -> list[Entry]:
    return [state[key] for key in sorted(state) if key.startswith(prefix)]


@pytest.mark.parametrize("seed", range(4))
def test_every_moment_can_be_listed_as_it_was(run_story: RunStory, seed: int) -> None:
    async def story(store: Store) -> None:
        states, _ = await write_history(store, steps=60, seed=seed)
        for revision in range(1, 61):
            for prefix in ("/", "/a/", "/b/w"):
                page = await store.list(prefix, revision=revision)
                assert (page.entries, page.remaining) == (under(states[revision], prefix), 0), (revision, prefix)
                assert page.revision == revision
        assert (await store.list("/")).entries == under(states[-1], "/")

    run_story(story)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9])
def test_pages_of_an_old_revision_while_the_state_changes(run_story: RunStory, limit: int) -> None:
    async def story(store: Store) -> None:
        states, _ = await write_history(store, steps=40, seed=9)
        whole, seen, after, steps = under(states[30], "/"), [], "", 0
        while True:
            page = await store.list("/", revision=30, limit=limit, after=after)
            seen += page.entries
            assert page.remaining == len(whole) - len(seen)
            if not page.remaining:
                break
            assert len(page.entries) == limit
            after = page.entries[-1].key
            steps += 1
            await store.commit(f"/new/{steps}", 0, b"")
        assert seen == whole

    run_story(story)


@pytest.mark.parametrize("after", [0, 1, 13, 39, 40])
@pytest.mark.parametrize("prefix", ["/", "/a/", "/b/z"])
def test_a_watch_from_any_revision_delivers_the_rest(run_story: RunStory, after: int, prefix: str) -> None:
    async def story(store: Store) -> None:
        _, events = await write_history(store, steps=40, seed=5)
        expected = [event for event in events if event.revision > after and event.key.startswith(prefix)]
        mark = f"{prefix}mark" if prefix.endswith("/") else prefix + "mark"
        last = await store.commit(mark, 0, b"end")
        watch = store.watch(prefix, after_revision=after)
        found = await take(watch, len(expected) + 1)
        assert found == [*expected, Event(mark, b"end", last, False)]

    run_story(story)


@pytest.mark.parametrize("compacted", [1, 20, 39])
def test_compaction_removes_history_and_nothing_else(run_story: RunStory, compacted: int) -> None:
    async def story(store: Store) -> None:
        states, events = await write_history(store, steps=40, seed=3)
        await store.compact(compacted)
        assert (await store.list("/")).entries == under(states[40], "/")
        for revision in range(1, 41):
            if revision < compacted:
                with pytest.raises(Compacted) as caught:
                    await store.list("/", revision=revision)
                assert caught.value.oldest >= compacted
            elif revision > compacted:
                assert (await store.list("/", revision=revision)).entries == under(states[revision], "/")
        for key, entry in states[40].items():
            assert await store.get(key) == entry
        rest = await take(store.watch("/", after_revision=compacted), 40 - compacted)
        assert rest == events[compacted:]
        with pytest.raises(Compacted):
            await anext(store.watch("/", after_revision=compacted - 1))

    run_story(story)


def test_compacting_twice_or_backwards_changes_nothing(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        states, _ = await write_history(store, steps=30, seed=4)
        for revision in (20, 20, 5, 0):
            await store.compact(revision)
        assert (await store.list("/", revision=25)).entries == under(states[25], "/")
        with pytest.raises(Compacted):
            await store.list("/", revision=10)

    run_story(story)


@pytest.mark.parametrize("ahead", [1, 2, 10_000])
def test_the_future_is_refused_and_then_comes(run_story: RunStory, ahead: int) -> None:
    async def story(store: Store) -> None:
        await write_history(store, steps=5, seed=1)
        with pytest.raises(FutureRevision):
            await store.list("/", revision=5 + ahead)
        if ahead == 1:
            await store.commit("/later", 0, b"")
            assert (await store.list("/", revision=6)).revision == 6

    run_story(story)


# Values and keys


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", b"\xff\xfe\x00", b"'\"; DROP TABLE", bytes(range(256)), b"x" * 3_000_000],
    ids=["empty", "zero", "no-utf8", "sql", "all", "large"],
)
def test_values_are_any_bytes(run_story: RunStory, value: bytes) -> None:
    async def story(store: Store) -> None:
        await store.commit("/k", 0, value)
        found = await store.get("/k")
        assert found is not None and found.value == value
        assert (await store.list("/k")).entries == [found]
        await store.commit("/k", 1, value, delete=True)
        events = await take(store.watch("/", after_revision=0), 2)
        assert [event.value for event in events] == [value, value]

    run_story(story)


@pytest.mark.parametrize(
    ("keys", "prefix", "expected"),
    [
        (["/a", "/a/", "/a/b", "/a0", "/b"], "/a/", ["/a/", "/a/b"]),
        (["/a%", "/a_", "/ab"], "/a%", ["/a%"]),
        (["/a_", "/ab"], "/a_", ["/a_"]),
        (["/é", "/z", "/\U0001f600", "/\uffff"], "/", ["/z", "/é", "/\uffff", "/\U0001f600"]),
        (["/A", "/a"], "/a", ["/a"]),
        (["/a*", "/a?", "/a["], "/a*", ["/a*"]),
        (["/a'b", '/a"b', "/a\\b"], "/a'", ["/a'b"]),
    ],
)
def test_a_prefix_is_letters_not_a_pattern(
    run_story: RunStory, keys: list[str], prefix: str, expected: list[str]
) -> None:
    async def story(store: Store) -> None:
        for key in keys:
            await store.commit(key, 0, b"")
        assert [entry.key for entry in (await store.list(prefix)).entries] == expected
        past = await store.list(prefix, revision=len(keys))
        assert [entry.key for entry in past.entries] == expected
        seen = await take(store.watch(prefix, after_revision=0), len(expected))
        assert sorted(event.key for event in seen) == sorted(expected)

    run_story(story)


# Races


@pytest.mark.parametrize("writers", [2, 10, 50])
def test_a_counter_that_many_raise_loses_nothing(run_story: RunStory, writers: int) -> None:
    """Compare and swap in a loop, as every update of an object is."""

    async def raise_once(store: Store) -> None:
        held = await store.get("/n")
        while True:
            value, revision = (int(held.value), held.revision) if held else (0, 0)
            try:
                await store.commit("/n", revision, b"%d" % (value + 1))
                return
            except Stale as stale:
                held = stale.current

    async def story(store: Store) -> None:
        await asyncio.gather(*(raise_once(store) for _ in range(writers)))
        found = await store.get("/n")
        assert found is not None and int(found.value) == writers
        assert await store.revision() == writers

    run_story(story)


def test_revisions_of_a_crowd_have_no_gaps_and_watchers_agree(run_story: RunStory) -> None:
    async def story(store: Store) -> None:
        watches = [store.watch("/", after_revision=0) for _ in range(3)]
        revisions = await asyncio.gather(*(store.commit(f"/{n}", 0, b"") for n in range(200)))
        assert sorted(revisions) == list(range(1, 201))
        reported = [await take(watch, 200) for watch in watches]
        assert reported[0] == reported[1] == reported[2]
        assert [event.revision for event in reported[0]] == list(range(1, 201))
        by_key = {event.key: event.revision for event in reported[0]}
        assert by_key == {f"/{n}": revision for n, revision in enumerate(revisions)}

    run_story(story)
