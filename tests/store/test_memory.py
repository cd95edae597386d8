"""What is particular to the memory store: handles that share a state, a bounded log, determinism."""

from __future__ import annotations

import pytest

from homeostat.kit import clock, tasks, virtual
from homeostat.store.contract import Compacted, Store, Unavailable
from homeostat.store.memory import MemoryState, MemoryStore


async def first_batch(store: Store, prefix: str, after: int) -> list[tuple[str, int]]:
    async for batch in store.watch(prefix, after_revision=after):
        return [(event.key, event.revision) for event in batch]
    return []


def test_handles_share_one_state_and_close_alone() -> None:
    async def main() -> None:
        state = MemoryState()
        one, two = MemoryStore(state), MemoryStore(state)
        await one.start()
        await two.start()
        waiting = tasks.spawn(first_batch(two, "/a/", 0), name="watch")
        ending = tasks.spawn(first_batch(one, "/none/", 0), name="watch")
        await clock.sleep(0)
        await one.commit("/a/1", 0, b"x")
        await one.close()
        assert await waiting == [("/a/1", 1)]
        assert await ending == []
        assert await two.revision() == 1
        with pytest.raises(Unavailable):
            await one.get("/a/1")
        await one.start()
        assert await one.revision() == 1

    virtual.run(main, seed=1)


def test_the_log_is_bounded_without_being_asked() -> None:
    async def main() -> None:
        store = MemoryStore(MemoryState(history_commits_max=80))
        await store.start()
        revision = 0
        for _ in range(200):
            revision = await store.commit("/a", revision, b"x")
        with pytest.raises(Compacted) as caught:
            await first_batch(store, "", 0)
        assert 200 - 91 <= caught.value.oldest <= 200 - 80
        assert await first_batch(store, "", 199) == [("/a", 200)]

    virtual.run(main, seed=1)
