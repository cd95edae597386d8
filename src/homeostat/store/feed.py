"""Fans commits out to watchers: history first, then live, with nothing lost or doubled between the two.

One feed per open store. It knows nothing of files or processes: whoever follows the log gives it the commits in
revision order (`publish`), and a reader of history for those who start from an earlier revision. It runs on one loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from homeostat.kit import clock
from homeostat.store.contract import Batch, Compacted

# (prefix, after, upto): some of the events under the prefix with after < revision <= upto, in order, and the revision
# that this covers, so that the next call can go on from there. Raises Compacted.
History = Callable[[str, int, int], tuple[Batch, int]]

# What one subscriber may have waiting before it is ended: events, and bytes of keys and values.
PENDING_EVENTS_MAX = 20_000
PENDING_BYTES_MAX = 64 << 20


class Subscriber:
    """One live watcher's bounded buffer."""

    __slots__ = ("bytes", "ended", "lost_at", "pending", "waiter")

    def __init__(self) -> None:
        self.pending: Batch = []
        self.bytes = 0
        self.waiter: asyncio.Future[None] | None = None
        self.ended = False
        # The revision at which the buffer overflowed; 0 while nothing was lost.
        self.lost_at = 0

    def put(self, events: Batch) -> None:
        """Append `events`, or drop everything and mark the loss when they do not fit."""
        if self.lost_at:
            return
        self.bytes += sum([len(event.value) + len(event.key) for event in events])
        # What is handed over at once is bounded by the writer's group; an empty buffer always takes it.
        if self.pending and (len(self.pending) + len(events) > PENDING_EVENTS_MAX or self.bytes > PENDING_BYTES_MAX):
            self.lost_at = events[-1].revision
            self.pending = []
        else:
            self.pending.extend(events)
        self.wake()

    def wake(self) -> None:
        """Let a waiting `take` look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def end(self) -> None:
        """No more events follow: `take` ends after the pending ones."""
        self.ended = True
        self.wake()

    async def take(self) -> Batch | None:
        """All that waits, once something does; None when the feed has ended. Raises Compacted after a loss."""
        while not self.pending:
            if self.lost_at:
                raise Compacted(self.lost_at - 1, self.lost_at)
            if self.ended:
                return None
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        batch, self.pending, self.bytes = self.pending, [], 0
        return batch


class Feed:
    """The live end of the log. `position` is the last revision published."""

    def __init__(self, history: History) -> None:
        self.position = 0
        self.closed = False
        self._history = history
        self._groups: dict[str, list[Subscriber]] = {}

    def publish(self, events: Batch) -> None:
        """Hand on the next commits; they must follow `position` without a gap."""
        self.position = events[-1].revision
        for prefix, subscribers in self._groups.items():
            matching = [event for event in events if event.key.startswith(prefix)] if prefix else events
            if matching:
                for subscriber in subscribers:
                    subscriber.put(matching)

    def skip(self, position: int) -> None:
        """Go on at `position` where the commits before it are no longer known: every live watcher lost them."""
        self.position = position
        for subscribers in self._groups.values():
            for subscriber in subscribers:
                subscriber.lost_at, subscriber.pending = position, []
                subscriber.wake()

    def close(self) -> None:
        """End every watcher once it has taken what waits."""
        self.closed = True
        for subscribers in self._groups.values():
            for subscriber in subscribers:
                subscriber.end()

    async def follow(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        """See `contract.Store.watch`."""
        while after < self.position and not self.closed:
            batch, after = self._history(prefix, after, self.position)
            if batch:
                yield batch
            else:
                await clock.sleep(0)
        if self.closed:
            return
        # Nothing was awaited since `after` reached `position`, so history and live meet exactly here.
        subscriber = Subscriber()
        self._groups.setdefault(prefix, []).append(subscriber)
        try:
            while (live := await subscriber.take()) is not None:
                # Empty only when `after_revision` was ahead of this store's own view.
                if fresh := live if live[0].revision > after else [e for e in live if e.revision > after]:
                    yield fresh
        finally:
            self._leave(prefix, subscriber)

    def _leave(self, prefix: str, subscriber: Subscriber) -> None:
        subscribers = self._groups[prefix]
        subscribers.remove(subscriber)
        if not subscribers:
            del self._groups[prefix]
