"""Watches on etcd: one stream each, restarted on another member where it broke off, with nothing skipped."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.store.contract import Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import CompactedThere, explain
from homeostat.store.etcd.keys import Layout
from homeostat.store.etcd.members import Members
from homeostat.store.feed import Subscriber

WATCH = "/etcdserverpb.Watch/Watch"
_PAUSE_SECONDS = 0.05
# How long a watch may stay below a revision that is known to be committed, before it is restarted elsewhere. A
# member that was cut off does not know it, and ends its watches after three election timeouts at best. Longer each
# time, lest a member that is only slow is left again and again.
_LAG = Backoff(first_seconds=0.3, ceiling_seconds=5.0)

_log = logger("store.etcd")


class Watch:
    """One watcher's stream. `seen` is the last revision that it has received, whatever its prefix."""

    def __init__(self, members: Members, layout: Layout, prefix: str, after: int) -> None:
        self.subscriber = Subscriber()
        self.seen = after
        self._members = members
        self._layout = layout
        self._prefix = prefix
        self._progress = asyncio.Event()
        self._member = 0
        # Of the stream under way; it runs out when the watch lags.
        self._patience: asyncio.Timeout | None = None
        self._lags = 0
        self._timer: asyncio.TimerHandle | None = None

    async def read(self) -> None:
        """Fill the subscriber, for ever; ends it when the history that it needs is compacted."""
        while True:
            self._member = self._members.preferred
            try:
                await self._read()
            except CompactedThere as error:
                self.subscriber.lost_at = int(str(error))
                self.subscriber.wake()
                return
            except TimeoutError:
                reason = f"it lags behind at revision {self.seen}"
            except grpc.aio.AioRpcError as error:
                reason = explain(error)
            else:
                reason = "it has ended"
            _log.info("restarting the watch at %s: %s", self._members.endpoints[self._member], reason)
            self._members.pass_over(self._member)
            await clock.sleep(_PAUSE_SECONDS)

    async def _read(self) -> None:
        """One stream, until it ends. Raises TimeoutError when the watch lags."""
        call = self._members.stream(self._member, WATCH, rpc.WatchResponse)
        try:
            # It is what waits here that is cancelled then, not the call: a `write` of gRPC whose call is cancelled
            # before it has sent its metadata never returns.
            async with asyncio.timeout(None) as self._patience:
                await self._follow(call)
        finally:
            self._patience = None
            call.cancel()

    async def _follow(self, call: Any) -> None:
        await call.write(rpc.WatchRequest(create_request=self._layout.watch(self.seen)))
        while (answer := await call.read()) is not grpc.aio.EOF:
            if answer.canceled and answer.compact_revision:
                raise CompactedThere(str(self._layout.ours(answer.compact_revision)))
            if answer.canceled:
                return
            self._take(answer)

    def _take(self, answer: rpc.WatchResponse) -> None:
        events = [event for event in self._layout.events(answer.events) if event.revision > self.seen]
        if events:
            self.seen, self._lags = events[-1].revision, 0
            wanted = [event for event in events if event.key.startswith(self._prefix)]
            if wanted:
                self.subscriber.put(wanted)
            self._progress.set()

    def expect(self, revision: int) -> None:
        """It is known that `revision` was committed: the watch has to come to it soon."""
        if revision > self.seen and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_LAG.delay(self._lags), self._look, revision, self.seen)

    def _look(self, revision: int, seen: int) -> None:
        self._timer = None
        if self.seen == seen and self._patience is not None and not self._patience.expired():
            self._lags += 1
            self._patience.reschedule(asyncio.get_running_loop().time())
        self.expect(revision)

    async def end(self, revision: int, seconds_max: float) -> None:
        """End the watcher once it received everything up to `revision`, or when that takes too long."""
        try:
            async with asyncio.timeout(seconds_max):
                while self.seen < revision and not self.subscriber.lost_at:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            _log.warning("a watch was ended at revision %d, before %d came", self.seen, revision)
        self.subscriber.end()

    def stop(self) -> None:
        """Nobody reads it any more."""
        if self._timer is not None:
            self._timer.cancel()


async def oldest(members: Members, layout: Layout) -> int:
    """The revision (etcd's) up to which history is compacted; 0 when it is whole.

    Only a watch from the beginning is concerned. Where nothing is compacted it receives the base, if there is one; for
    others it is not to be called.
    """
    create = rpc.WatchCreateRequest(key=layout.base_key, start_revision=1)
    try:
        async with asyncio.timeout(members.call_seconds):
            call = members.stream(members.preferred, WATCH, rpc.WatchResponse)
            try:
                await call.write(rpc.WatchRequest(create_request=create))
                while (answer := await call.read()) is not grpc.aio.EOF:
                    if answer.canceled or answer.events:
                        return int(answer.compact_revision)
            finally:
                call.cancel()
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        raise Unavailable(f"etcd's compacted revision cannot be read: {error}") from error
    raise Unavailable("etcd's compacted revision cannot be read")
