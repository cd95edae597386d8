"""Watches on etcd: one stream each, begun anew on another member where it broke off, with nothing skipped."""

from __future__ import annotations

import asyncio

import grpc.aio

from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.store.contract import Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.keys import Layout
from homeostat.store.etcd.members import CALL_SECONDS_MAX, CompactedThere, Members, explain
from homeostat.store.feed import Subscriber

_WATCH = "/etcdserverpb.Watch/Watch"
_PAUSE_SECONDS = 0.05

_log = logger("store.etcd")


class Watch:
    """One watcher's stream. `seen` is the last revision that it has been told of, whatever its prefix."""

    def __init__(self, members: Members, layout: Layout, prefix: str, after: int) -> None:
        self.subscriber = Subscriber()
        self.seen = after
        self._members = members
        self._layout = layout
        self._prefix = prefix
        self._progress = asyncio.Event()

    async def read(self) -> None:
        """Fill the subscriber, for ever; ends it when the past that it needs is compacted."""
        while True:
            member = self._members.preferred
            call = self._members.stream(member, _WATCH, rpc.WatchResponse)
            try:
                await call.write(rpc.WatchRequest(create_request=self._layout.watch(self.seen)))
                while (answer := await call.read()) is not grpc.aio.EOF:
                    self._take(answer)
            except CompactedThere as error:
                self.subscriber.lost_at = int(str(error))
                self.subscriber.wake()
                return
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                told = explain(error) if isinstance(error, grpc.aio.AioRpcError) else "the stream has ended"
                _log.info("watch at %s broke off: %s", self._members.endpoints[member], told)
            finally:
                call.cancel()
            self._members.pass_over(member)
            await clock.sleep(_PAUSE_SECONDS)

    def _take(self, answer: rpc.WatchResponse) -> None:
        if answer.canceled:
            if answer.compact_revision:
                raise CompactedThere(str(self._layout.ours(answer.compact_revision)))
            raise asyncio.InvalidStateError(answer.cancel_reason)
        events = [event for event in self._layout.events(answer.events) if event.revision > self.seen]
        if events:
            self.seen = events[-1].revision
            wanted = [event for event in events if event.key.startswith(self._prefix)]
            if wanted:
                self.subscriber.put(wanted)
            self._progress.set()

    async def end(self, revision: int, seconds_max: float) -> None:
        """End the watcher once it was told of everything up to `revision`, or when that takes too long."""
        try:
            async with asyncio.timeout(seconds_max):
                while self.seen < revision and not self.subscriber.lost_at:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            _log.warning("a watch was ended at revision %d, before %d came", self.seen, revision)
        self.subscriber.ended = True
        self.subscriber.wake()


async def oldest(members: Members, layout: Layout) -> int:
    """The revision (etcd's) up to which history is compacted. Only a watch from the beginning is told it."""
    create = rpc.WatchCreateRequest(key=layout.base_key, start_revision=1)
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            call = members.stream(members.preferred, _WATCH, rpc.WatchResponse)
            try:
                await call.write(rpc.WatchRequest(create_request=create))
                while (answer := await call.read()) is not grpc.aio.EOF:
                    if answer.canceled:
                        return int(answer.compact_revision)
            finally:
                call.cancel()
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        raise Unavailable(f"etcd does not say what it has compacted: {error}") from error
    raise Unavailable("etcd does not say what it has compacted")
