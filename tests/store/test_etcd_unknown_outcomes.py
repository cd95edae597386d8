"""Commits whose answer is lost: each order of events that a failing member can cause, played so that it is certain.

A transaction that was sent may have happened, and may still happen long after its sender gave up waiting. Each story
says which of the two, and what others did meanwhile; the commit must come out as if it had been sent once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from homeostat.store.contract import Entry, Event, Stale
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import Unknown
from homeostat.store.etcd.store import EtcdStore
from tests.support.etcd import EtcdCluster, empty_root

pytestmark = pytest.mark.real

TXN = "/etcdserverpb.KV/Txn"
Meanwhile = Callable[[EtcdStore], Awaitable[object]]
Story = Callable[[EtcdStore, EtcdStore, "Faulty"], Awaitable[None]]


class Faulty:
    """Takes the place of a handle's transactions; loses the request or the answer of the next one."""

    def __init__(self, store: EtcdStore, other: EtcdStore) -> None:
        self.sent: list[rpc.TxnRequest] = []
        self._members = store._members
        self._write = self._members.write
        self._other = other
        self._mode = ""
        self._meanwhile: Meanwhile | None = None
        self._members.write = self.write  # type: ignore[method-assign]

    def lose(self, what: str, meanwhile: Meanwhile | None = None) -> None:
        """`what`: "request" or "answer"; `meanwhile` is what the other handle does before this one wonders."""
        self._mode, self._meanwhile = what, meanwhile

    async def write(self, path: str, request: Any, answer: type[Any], *, deadline: float) -> Any:
        self.sent.append(request)
        mode, self._mode = self._mode, ""
        if mode != "request":
            found = await self._write(path, request, answer, deadline=deadline)
            if not mode:
                return found
        if self._meanwhile is not None:
            await self._meanwhile(self._other)
        raise Unknown("played")

    async def deliver_late(self) -> rpc.TxnResponse:
        """The first transaction, lost until now, arrives after all."""
        found: rpc.TxnResponse = await self._members.read(TXN, self.sent[0], rpc.TxnResponse)
        return found


def run_story(etcd: EtcdCluster, story: Story) -> list[Event]:
    """Runs a story on two handles; returns all that watchers receive."""

    async def main() -> list[Event]:
        root = await empty_root(etcd.endpoints)
        store, other = (EtcdStore(etcd.endpoints, root=root) for _ in range(2))
        for handle in (store, other):
            await handle.start()
        try:
            async with asyncio.timeout(20):
                await story(store, other, Faulty(store, other))
                events: list[Event] = []
                watch, newest = other.watch("", after_revision=0), await other.revision()
                while not events or events[-1].revision < newest:
                    events += await anext(watch)
                return events
        finally:
            await store.close()
            await other.close()

    return asyncio.run(main())


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_creation_happens_once(etcd: EtcdCluster, lost: str) -> None:
    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        faulty.lose(lost)
        revision = await store.commit("/a", 0, b"1")
        assert await other.get("/a") == Entry("/a", b"1", revision)
        assert len(faulty.sent) == (1 if lost == "answer" else 2)
        # And the handle continues behind its raised fence.
        await store.commit("/a", revision, b"2")

    assert [(event.key, event.value) for event in run_story(etcd, story)] == [("/a", b"1"), ("/a", b"2")]


@pytest.mark.parametrize("delete", [False, True])
def test_a_write_that_was_overwritten_before_its_answer_was_missed_is_acknowledged(
    etcd: EtcdCluster, delete: bool
) -> None:
    async def overwrite(other: EtcdStore) -> None:
        held = await other.get("/a")
        await other.commit("/a", held.revision if held else 0, b"other's")

    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        first = await store.commit("/a", 0, b"1")
        faulty.lose("answer", overwrite)
        assert await store.commit("/a", first, b"mine", delete=delete) == first + 1

    reported = [(event.value, event.deleted) for event in run_story(etcd, story)]
    assert reported == [(b"1", False), (b"mine", delete), (b"other's", False)]


def test_a_creation_that_someone_deleted_is_not_made_again(etcd: EtcdCluster) -> None:
    """The key is absent again: a repeated compare and swap would succeed a second time."""

    async def remove(other: EtcdStore) -> None:
        held = await other.get("/a")
        assert held is not None
        await other.commit("/a", held.revision, b"gone", delete=True)

    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        faulty.lose("answer", remove)
        assert await store.commit("/a", 0, b"1") == 1
        assert await other.get("/a") is None

    assert [event.deleted for event in run_story(etcd, story)] == [False, True]


def test_a_write_that_lost_against_another_is_stale(etcd: EtcdCluster) -> None:
    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        faulty.lose("request", lambda other: other.commit("/a", 0, b"other's"))
        with pytest.raises(Stale) as caught:
            await store.commit("/a", 0, b"mine")
        assert caught.value.current is not None and caught.value.current.value == b"other's"

    assert [event.value for event in run_story(etcd, story)] == [b"other's"]


def test_what_arrives_after_the_fence_does_nothing(etcd: EtcdCluster) -> None:
    """The lost request waits in some member's queue until the key is as it was when it was sent."""

    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        faulty.lose("request")
        revision = await store.commit("/a", 0, b"1")
        await store.commit("/a", revision, b"last", delete=True)
        late = await faulty.deliver_late()
        assert not late.succeeded
        assert await other.get("/a") is None

    assert [event.deleted for event in run_story(etcd, story)] == [False, True]


def test_one_fence_serves_all_unknown_outcomes(etcd: EtcdCluster) -> None:
    async def story(store: EtcdStore, other: EtcdStore, faulty: Faulty) -> None:
        async def uncertain(n: int) -> int:
            faulty.lose(["request", "answer"][n % 2])
            return await store.commit(f"/{n}", 0, b"%d" % n)

        # Each begins in its own turn of the loop, so that each loses its own.
        revisions = await asyncio.gather(*(uncertain(n) for n in range(20)))
        assert len(set(revisions)) == 20
        listing = (await other.list("/")).entries
        assert {entry.key: entry.revision for entry in listing} == {
            f"/{n}": revision for n, revision in enumerate(revisions)
        }
        assert store._commits._epoch <= 3

    assert len(run_story(etcd, story)) == 20
