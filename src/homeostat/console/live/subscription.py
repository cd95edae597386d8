"""What all subscriptions of a page have in common: they note that they have something to say, and say it when asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.console.cache.feed import Change, Feed
from homeostat.console.cache.places import Place
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User


class Subscription:
    """One thing that a page follows. `wake` is called when there is something to say."""

    def __init__(self, number: int, wake: Callable[[], None]) -> None:
        self.number = number
        self.closed = False
        self.error: ApiError | None = None
        self.dirty = False
        self._wake = wake

    @abstractmethod
    async def start(self) -> None:
        """Begin to follow. Raises ApiError."""

    def message(self) -> Obj | None:
        """What is to be said now; None: nothing."""
        if not self.dirty or self.closed:
            return None
        self.dirty = False
        return self.said()

    @abstractmethod
    def said(self) -> Obj | None:
        """What is new since the last time."""

    def refresh(self) -> None:
        """Time has passed: what is shown of it may be old."""

    def close(self) -> None:
        """Follow no more."""
        self.closed = True

    def touch(self) -> None:
        """There is something to say."""
        self.dirty = True
        self._wake()

    def failed(self, error: ApiError) -> None:
        """Nothing can be shown (any more): the error is all that is said."""
        if not self.closed:
            self.error = error
            self._wake()


class FeedSubscription(Subscription):
    """A subscription to a place's feed; a `Listener`."""

    def __init__(self, number: int, wake: Callable[[], None], pool: Pool, user: User, place: Place) -> None:
        super().__init__(number, wake)
        self._pool = pool
        self._user = user
        self._place = place
        self._feed: Feed | None = None

    async def start(self) -> None:
        """See `Subscription`."""
        feed = await self._pool.join(self._user, self._place, self)
        if self.closed:
            self._pool.leave(self)
            return
        self._feed = feed
        self.begun(feed)
        if feed.state != "loading":
            self.touch()

    def begun(self, feed: Feed) -> None:
        """The feed is there."""

    def changed(self, changes: Sequence[Change]) -> None:
        """See `Listener`."""
        self.touch()

    def renewed(self) -> None:
        """See `Listener`."""
        if self._feed is not None and self._feed.state != "loading":
            self.touch()

    def close(self) -> None:
        """See `Subscription`."""
        super().close()
        self._pool.leave(self)

    def standing(self, feed: Feed) -> Obj:
        """How old what is said is."""
        return {"state": feed.state, "as_of": feed.as_of, "revision": feed.revision}
