"""Whatever ends a watch or a question to etcd, those who wait for it get an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.apiserver.cache import history, stored_form
from homeostat.apiserver.cache.cached_objects import maker
from homeostat.kit import virtual
from homeostat.store.contract import Batch, Unavailable
from homeostat.store.etcd.asking import Shared
from homeostat.store.etcd.members import Members
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.memory import MemoryStore

SECONDS_MAX = 60.0
VALUE = stored_form.frame(
    b"{}", stored_form.encode({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}), 0.0
)


class Broken(Members):
    """Members whose streams fail in a way that nobody has thought of."""

    def stream(self, member: int, path: str, answer: Any) -> Any:
        raise ValueError("no such thing")


def test_a_watch_that_fails_for_an_unknown_reason_ends_for_its_reader() -> None:
    async def main() -> None:
        store = EtcdStore(["a:1"])
        store._members = Broken(["a:1"])
        store._open = True
        async with asyncio.timeout(SECONDS_MAX):
            with pytest.raises(Unavailable, match="ended unexpectedly"):
                async for _ in store.watch("/registry/", after_revision=0):
                    pass

    virtual.run(main, seed=1)


def test_a_question_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def ask() -> int:
        # What a call of gRPC raises when its channel is closed.
        raise asyncio.CancelledError

    async def main() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            with pytest.raises(Unavailable):
                await Shared(ask).answer()

    virtual.run(main, seed=1)


class Silent(MemoryStore):
    """A store that takes commits and reports none."""

    async def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        await asyncio.Event().wait()
        yield []


def test_history_that_the_store_does_not_return_is_given_up() -> None:
    async def main() -> None:
        store = Silent()
        await store.start()
        for number in range(3):
            await store.commit(f"{history.ROOT}pods/one/{number}", 0, VALUE)
        async with asyncio.timeout(SECONDS_MAX):
            with pytest.raises(Unavailable):
                await history.changes(store, f"{history.ROOT}pods/", maker({}), after=1, until=3)

    virtual.run(main, seed=1)
