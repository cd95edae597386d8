"""The store in etcd: the loop's side and the one to import. See `contract.Store` and, for the layout, `keys`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.store.contract import Batch, Compacted, Entry, FutureRevision, Page, Stale, Unavailable
from homeostat.store.etcd import agreement
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.asking import Shared
from homeostat.store.etcd.commits import Commits
from homeostat.store.etcd.failures import CompactedThere, FutureThere, lost
from homeostat.store.etcd.keys import ROOT, Layout
from homeostat.store.etcd.members import CALL_SECONDS_MAX, Members, TlsFiles
from homeostat.store.etcd.watching import Watch, oldest

# How long `start` waits for a cluster that is booting or electing.
START_SECONDS_MAX = 10.0
# How long `close` waits for what is under way.
_CLOSE_SECONDS_MAX = 3.0
# Entries of one call of a long listing.
_PAGE_ENTRIES_MAX = 1_000
# Between two looks at whether the members hold the same data: each reads its whole database for one.
_AGREEMENT_SECONDS = 600.0

_RANGE = "/etcdserverpb.KV/Range"
_COMPACT = "/etcdserverpb.KV/Compact"

_log = logger("store.etcd")


class EtcdStore:
    """One handle on the cluster at `endpoints` (`host:port`, the local member first). `call_seconds` bounds a call."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        tls: TlsFiles | None = None,
        root: bytes = ROOT,
        call_seconds: float = CALL_SECONDS_MAX,
    ) -> None:
        self._members = Members(endpoints, tls, call_seconds=call_seconds)
        self._layout = Layout(root)
        self._commits = Commits(self._members, self._layout)
        self._watches: set[Watch] = set()
        self._newest = Shared(self._ask_newest)
        self._open = False
        self._comparing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; waits a little for a quorum. Raises Unavailable."""
        if self._open:
            return
        self._members.open()
        try:
            request = rpc.RangeRequest(key=self._layout.base_key)
            found = await self._members.read(_RANGE, request, rpc.RangeResponse, seconds=START_SECONDS_MAX)
        except BaseException:
            await self._members.close()
            raise
        if found.kvs:
            self._layout.base = int(found.kvs[0].value)
        self._commits.saw(found.header.revision)
        self._open = True
        self._comparing = tasks.spawn(self._compare_members(), name="etcd-agreement")

    async def close(self) -> None:
        """See the contract."""
        if not self._open:
            return
        self._open = False
        await tasks.stop(self._comparing)
        await self._commits.close(seconds_max=_CLOSE_SECONDS_MAX)
        await asyncio.gather(*(watch.end(self._commits.newest, _CLOSE_SECONDS_MAX) for watch in self._watches))
        await self._members.close()

    async def _compare_members(self) -> None:
        """Keep away from members whose data differ from the others'."""
        while True:
            found = await agreement.differing(self._members)
            for member in sorted(found):
                endpoint = self._members.endpoints[member]
                _log.error(
                    "the data of etcd's member at %s differ from the others': it is no longer read from. "
                    "`homeostat node replace` its node rebuilds it",
                    endpoint,
                )
            self._members.suspend(frozenset(found))
            await clock.sleep(_AGREEMENT_SECONDS)

    async def revision(self) -> int:
        """See the contract."""
        return await self._newest.answer()

    async def _ask_newest(self) -> int:
        found = await self._range(self._layout.newest())
        revision = self._layout.ours(found.kvs[0].mod_revision) if found.kvs else max(self._layout.base, 0)
        self._expect(revision)
        return revision

    async def get(self, key: str) -> Entry | None:
        """See the contract."""
        found = await self._range(self._layout.get(key))
        return self._layout.entry(found.kvs[0]) if found.kvs else None

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """See the contract."""
        if revision and revision < self._layout.base:
            raise Compacted(revision, await self._oldest())
        entries: list[Entry] = []
        at = self._layout.theirs(revision) if revision else 0
        while True:
            part = min(limit - len(entries), _PAGE_ENTRIES_MAX) if limit else _PAGE_ENTRIES_MAX
            try:
                found = await self._range(self._layout.page(prefix, after, revision=at, limit=part))
            except CompactedThere as error:
                if revision:
                    raise Compacted(revision, await self._oldest()) from error
                # "Now" may be compacted while a long listing of it is under way: start it over.
                entries, at, after = [], 0, ""
                continue
            except FutureThere as error:
                raise FutureRevision(f"revision {revision} has not been reached") from error
            at = at or found.header.revision
            entries += [self._layout.entry(kv) for kv in found.kvs]
            remaining = found.count - len(found.kvs)
            if not remaining or len(entries) == limit:
                return Page(entries, self._layout.ours(at), remaining)
            after = entries[-1].key

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """See the contract."""
        self._check_open()
        if delete and not expected_revision:
            raise Stale(key, await self.get(key))
        revision = await self._commits.commit(key, expected_revision, value, delete=delete)
        self._expect(revision)
        return revision

    def _expect(self, revision: int) -> None:
        for watch in self._watches:
            watch.expect(revision)

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """See the contract."""
        self._check_open()
        return self._follow(prefix, after_revision)

    async def _follow(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        if after < self._layout.base:
            raise Compacted(after, await self._oldest())
        watch = Watch(self._members, self._layout, prefix, after)
        self._watches.add(watch)
        reading = tasks.spawn(watch.read(), name="etcd-watch")
        # However it ends, no watcher may wait on.
        reading.add_done_callback(lambda _: watch.subscriber.end())
        try:
            while (batch := await watch.subscriber.take()) is not None:
                yield batch
            if reading.done() and self._open:
                raise Unavailable("the watch on etcd ended unexpectedly; the log says why")
        finally:
            self._watches.discard(watch)
            watch.stop()
            await tasks.stop(reading)

    def silence(self) -> str:
        """See the contract."""
        return str(lost({}, len(self._members.endpoints)))

    async def compact(self, revision: int) -> None:
        """See the contract. Raises FutureRevision."""
        self._check_open()
        if revision <= max(self._layout.base, 0):
            return
        request = rpc.CompactionRequest(revision=self._layout.theirs(revision))
        try:
            await self._members.read(_COMPACT, request, rpc.CompactionResponse)
        except FutureThere as error:
            raise FutureRevision(f"revision {revision} has not been reached") from error
        except CompactedThere:
            return  # As far already, or further.

    async def _range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        self._check_open()
        found = await self._members.read(_RANGE, request, rpc.RangeResponse)
        self._commits.saw(found.header.revision)
        return found

    async def _oldest(self) -> int:
        return max(self._layout.ours(await oldest(self._members, self._layout)), self._layout.base)

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is not open")
