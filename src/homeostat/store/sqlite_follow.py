"""Follows the log for this process's watchers: its own commits as its writer reports them, those of other processes
when they say so or end (`sqlite_peers`), and by a slow poll for what remains: a process stopped in between. On the
loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.store.contract import Batch, Unavailable
from homeostat.store.feed import Feed
from homeostat.store.sqlite_reader import HISTORY_ROWS_MAX, Reader

# A wake-up of an idle process costs 0.2 ms of CPU: two a second are 0.04 % of a core.
_POLL_SECONDS = 0.5

_log = logger("store")


class Follower:
    """Publishes every commit of the file to `feed`, once and in order. `tick` is called at every poll."""

    def __init__(self, reader: Reader, tick: Callable[[], None]) -> None:
        self.feed = Feed(reader.history)
        self.feed.position = reader.revision()
        self._reader = reader
        self._tick = tick
        self._loop = asyncio.get_running_loop()
        self._again = False
        self._poller = tasks.spawn(self._poll(), name="store-poll")

    async def stop(self) -> None:
        """End the watchers and follow no more."""
        await tasks.stop(self._poller)
        self.feed.close()

    def newest(self) -> int:
        """The newest revision of the file; the watchers are given what they lack of it."""
        newest = self._reader.revision()
        if newest > self.feed.position:
            self.catch_up()
        return newest

    def own(self, events: Batch) -> None:
        """Commits of this process. Where other processes committed in between, the log gives the order."""
        if events[0].revision == self.feed.position + 1:
            self.feed.publish(events)
        elif events[-1].revision > self.feed.position:
            self.catch_up()

    def catch_up(self) -> None:
        """Publish what the file has beyond the feed's position; a long gap in parts, between which the loop runs."""
        if self.feed.closed:
            return
        try:
            events, compacted = self._reader.log(self.feed.position)
        except Unavailable as error:
            _log.warning("%s", error)
            return
        if len(events) >= HISTORY_ROWS_MAX and not self._again:
            self._again = True
            self._loop.call_soon(self._go_on)
        if compacted > self.feed.position:
            # So far behind that others have compacted what is missing.
            self.feed.skip(compacted)
            events = [event for event in events if event.revision > compacted]
        if events:
            self.feed.publish(events)

    def _go_on(self) -> None:
        self._again = False
        self.catch_up()

    async def _poll(self) -> None:
        while True:
            await clock.sleep(_POLL_SECONDS)
            self._tick()
            try:
                self.newest()
            except Unavailable as error:
                _log.warning("%s", error)
