"""Watches and reads of history where etcd, or the loop that follows it, is held up."""

from __future__ import annotations

import asyncio
import time

import pytest

from homeostat.api.kinds import POD
from homeostat.apiserver.cache import history, stored_form
from homeostat.apiserver.cache.cached_objects import maker
from homeostat.kit import tasks
from homeostat.store.etcd.members import Members
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.etcd.watching import Watch
from tests.support.etcd import EtcdCluster, empty_root

pytestmark = pytest.mark.real

SECONDS_MAX = 10.0
PREFIX = POD.home.prefix


async def opened(etcd: EtcdCluster) -> EtcdStore:
    store = EtcdStore(etcd.endpoints, root=await empty_root(etcd.endpoints))
    await store.start()
    return store


def test_a_watch_that_lags_before_its_request_was_sent_restarts(etcd: EtcdCluster) -> None:
    async def main() -> None:
        store = await opened(etcd)
        before = await store.commit(f"{PREFIX}one/b", 0, b"1")
        after = await store.commit(f"{PREFIX}one/a", 0, b"1")
        members = Members(etcd.endpoints)
        members.open()
        watch = Watch(members, store._layout, PREFIX, before)
        reading = tasks.spawn(watch.read(), name="test-watch")
        try:
            await asyncio.sleep(0)
            watch.expect(after)
            # The loop is held for longer than a watch may lag: its timer comes before gRPC has sent anything.
            time.sleep(0.4)  # noqa: ASYNC251
            async with asyncio.timeout(SECONDS_MAX):
                batch = await watch.subscriber.take()
            assert batch is not None
            assert [event.key for event in batch] == [f"{PREFIX}one/a"]
        finally:
            watch.stop()
            await tasks.stop(reading)
            await members.close()
            await store.close()

    asyncio.run(main())


def test_history_up_to_a_revision_at_which_nothing_was_committed_does_not_wait_for_the_next_commit(
    etcd: EtcdCluster,
) -> None:
    """A server that begins after a write of unknown outcome lists at the revision of the fence, which is no
    commit's."""

    async def main() -> None:
        store = await opened(etcd)
        before = await store.commit("/registry/other/x", 0, b"1")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "one"}}
        await store.commit(f"{PREFIX}one/a", 0, stored_form.frame(b"{}", stored_form.encode(pod), 0.0))
        await store._commits._raise_fence(store._commits._epoch)
        listed = await store.list(history.ROOT)
        try:
            assert listed.revision > await store.revision(), "the fence has a revision of its own"
            async with asyncio.timeout(SECONDS_MAX):
                changes = await history.changes(store, PREFIX, maker({}), after=before, until=listed.revision)
            assert [(change.type, change.item.key) for change in changes] == [("ADDED", "one/a")]
        finally:
            await store.close()

    asyncio.run(main())
