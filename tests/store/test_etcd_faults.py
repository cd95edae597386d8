"""Real etcd members on loopback that die, freeze and return under a stream of commits.

The contract: an acknowledged commit is durable and happened once; watchers get each, in order, whatever became of the
member that they watched; without a quorum there is an error that says so, and nothing else is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.store.contract import Entry, Event, Stale, Unavailable
from homeostat.store.etcd.members import TlsFiles
from homeostat.store.etcd.store import EtcdStore
from tests.support.etcd import EtcdCluster, empty_root, leader_of

pytestmark = pytest.mark.real

WRITERS = 8


@pytest.fixture(scope="module")
def three() -> Iterator[EtcdCluster]:
    cluster = EtcdCluster(3)
    try:
        yield cluster
    finally:
        cluster.close()


@asynccontextmanager
async def opened(cluster: EtcdCluster, first: int = 0) -> AsyncIterator[EtcdStore]:
    """A store on an empty root, whose local member is `first`."""
    root = await empty_root(cluster.endpoints)
    store = EtcdStore(cluster.endpoints[first:] + cluster.endpoints[:first], root=root)
    await store.start()
    try:
        async with asyncio.timeout(40):
            yield store
    finally:
        await store.close()


class Stream:
    """Writers that raise counters, each its own, and a watcher of all of them."""

    def __init__(self, store: EtcdStore) -> None:
        self.acknowledged: list[tuple[float, str, int, int]] = []
        self.reported: list[Event] = []
        self.refused: list[str] = []
        self._store = store
        self._ending = asyncio.Event()
        self._writers = [tasks.spawn(self._write(f"/n/{n}"), name="writer") for n in range(WRITERS)]
        self._watcher = tasks.spawn(self._watch(), name="watcher")

    async def _write(self, key: str) -> None:
        revision, number = 0, 0
        while not self._ending.is_set():
            try:
                revision = await self._store.commit(key, revision, b"%d" % number)
            except Unavailable as error:
                self.refused.append(str(error))
            except Stale as stale:
                # Only a write that was refused as of unknown outcome can have happened without its writer.
                assert self.refused and stale.current is not None and int(stale.current.value) == number
                revision, number = stale.current.revision, number + 1
            else:
                self.acknowledged.append((clock.monotonic(), key, revision, number))
                number += 1
            await clock.sleep(0.005)

    async def _watch(self) -> None:
        async for batch in self._store.watch("/n/", after_revision=0):
            self.reported += batch

    async def more(self, commits: int) -> None:
        """Wait until so many more were acknowledged."""
        enough = len(self.acknowledged) + commits
        while len(self.acknowledged) < enough:
            await clock.sleep(0.01)

    async def end(self) -> None:
        """Let the writers finish and the watcher see all, then compare what was delivered with what was
        acknowledged."""
        self._ending.set()
        await asyncio.gather(*self._writers)
        newest = await self._store.revision()
        while not self.reported or self.reported[-1].revision < newest:
            await clock.sleep(0.01)
        await tasks.stop(self._watcher)
        revisions = [event.revision for event in self.reported]
        assert revisions == sorted(set(revisions))
        reported = {(event.key, event.revision, int(event.value)) for event in self.reported}
        assert {(key, revision, number) for _, key, revision, number in self.acknowledged} <= reported
        for key in {event.key for event in self.reported}:
            # Each number once and none left out: nothing was done twice, nothing acknowledged was lost.
            numbers = [int(event.value) for event in self.reported if event.key == key]
            assert numbers == list(range(len(numbers)))
        live = (await self._store.list("/n/")).entries
        assert {entry.key: entry for entry in live} == {
            event.key: Entry(event.key, event.value, event.revision) for event in self.reported
        }

    def longest_gap_seconds(self) -> float:
        """Between two acknowledgements, whoever's."""
        times = [at for at, *_ in self.acknowledged]
        return max(b - a for a, b in pairwise(times))


@pytest.mark.parametrize("local", ["the leader", "a follower"])
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_the_leaders_end_costs_a_moment_and_no_commit(
    three: EtcdCluster, how: str, local: str, record_property: Callable[[str, object], None]
) -> None:
    async def story() -> None:
        leader = await leader_of(three.endpoints)
        async with opened(three, (leader + (local != "the leader")) % 3) as store:
            stream = Stream(store)
            await stream.more(200)
            (three.kill if how == "killed" else three.freeze)(leader)
            try:
                await stream.more(200)
                await stream.end()
            finally:
                (three.start if how == "killed" else three.thaw)(leader)
            assert stream.refused == []
            record_property("gap_seconds", stream.longest_gap_seconds())

    asyncio.run(story())


def test_without_a_quorum_writes_are_refused_and_go_on_when_it_is_back(three: EtcdCluster) -> None:
    async def story() -> None:
        leader = await leader_of(three.endpoints)
        async with opened(three, (leader + 1) % 3) as store:
            stream = Stream(store)
            await stream.more(100)
            gone = [leader, (leader + 1) % 3]
            for member in gone:
                three.kill(member)
            begun = clock.monotonic()
            while not stream.refused:
                await clock.sleep(0.01)
            # A bound on patience, far above what it takes: clients are not left hanging.
            assert clock.monotonic() - begun < 8
            assert any("quorum" in text and three.endpoints[leader] in text for text in stream.refused), stream.refused
            with pytest.raises(Unavailable, match="no quorum or cannot be reached"):
                await store.get("/n/0")
            for member in gone:
                three.start(member)
            await stream.more(100)
            await stream.end()

    asyncio.run(story())


def test_a_local_member_that_is_back_is_the_first_to_be_asked_again(
    three: EtcdCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeostat.store.etcd.members._LOCAL_AGAIN", Backoff(0.2, 0.2))

    async def story() -> None:
        leader = await leader_of(three.endpoints)
        local = (leader + 1) % 3
        async with opened(three, local) as store:
            members = store._members
            await store.commit("/a", 0, b"x")
            assert members.preferred == 0
            three.kill(local)
            assert await store.get("/a") is not None
            assert members.preferred != 0
            three.start(local)
            while members.preferred != 0:
                await clock.sleep(0.05)
            assert await store.get("/a") is not None

    asyncio.run(story())


def test_members_and_clients_know_each_other_by_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.store.etcd.store.START_SECONDS_MAX", 0.5)
    cluster = EtcdCluster(tls=True)

    async def story() -> None:
        files = TlsFiles(*(cluster.folder / name for name in ("ca.crt", "client.crt", "client.key")))
        store = EtcdStore([f"https://{cluster.endpoints[0]}"], tls=files)
        await store.start()
        assert await store.commit("/a", 0, b"x") == 1
        await store.close()
        stranger = EtcdStore(cluster.endpoints)
        with pytest.raises(Unavailable):
            await stranger.start()

    try:
        asyncio.run(asyncio.wait_for(story(), 30))
    finally:
        cluster.close()
