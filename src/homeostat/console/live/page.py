"""One page's WebSocket: what it follows, and what it is told, in batches.

The page is told at most ten times a second, all subscriptions at once, and nothing while it does not read: what it is
told after that is the state then, not what it missed. A page that has not read for long, or is not heard of, is
dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque

import orjson

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.live.asked import (
    Asked,
    JournalAsked,
    ListAsked,
    ObjectAsked,
    asked_of,
    message_of,
)
from homeostat.console.live.journal import Journals, JournalSubscription
from homeostat.console.live.lists import ListSubscription
from homeostat.console.live.objects import ObjectsSubscription, ObjectSubscription
from homeostat.console.live.subscription import Subscription
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.wire.websocket import WebSocket

BATCH_SECONDS = 0.1
# What a person does is answered sooner than that, but not for each key of a fast typist alone.
ANSWER_SECONDS = 0.02
TICK_SECONDS, REFRESH_SECONDS = 5.0, 10.0
UNREAD_SECONDS, UNHEARD_SECONDS = 30.0, 60.0
SUBSCRIPTIONS_MAX = 100
_NOTES_MAX = 100
_OPENING = Backoff(first_seconds=0.1, ceiling_seconds=1.0)


class Page:
    """`run` serves the page until it leaves, or is told to `end`."""

    def __init__(self, socket: WebSocket, user: User, pool: Pool, journals: Journals, *, expires: float) -> None:
        self._socket = socket
        self._user = user
        self._pool = pool
        self._journals = journals
        self._expires = expires
        self._open: dict[int, Subscription] = {}
        self._starting: dict[Subscription, asyncio.Task[None]] = {}
        # What is told once, in its order: who answers, ticks, errors.
        self._notes: deque[Obj] = deque(maxlen=_NOTES_MAX)
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()
        self._ended = False

    def note(self, said: Obj) -> None:
        """Tell this once."""
        self._notes.append(said)
        self._woken.set()
        self._hurried.set()

    def end(self) -> None:
        """The session has ended."""
        self._ended = True
        self.note({"type": "signed_out"})

    async def run(self, hello: Obj) -> None:
        """See the class."""
        self.note(hello)
        work = [
            tasks.spawn(self._read(), name="console page, reading"),
            tasks.spawn(self._write(), name="console page, writing"),
            tasks.spawn(self._tick(), name="console page, ticking"),
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.stop(*work, *self._starting.values())
            for subscription in self._open.values():
                subscription.close()
            self._socket.close()

    # What the page says

    async def _read(self) -> None:
        while data := await self._socket.read():
            number = -1
            try:
                op, number, said = message_of(data)
                self._take(op, number, said)
            except ApiError as error:
                self._fail(number, error)

    def _take(self, op: str, number: int, said: Obj) -> None:
        subscription = self._open.get(number)
        if op == "open":
            if subscription is not None:
                self._drop(number)
            if len(self._open) >= SUBSCRIPTIONS_MAX:
                raise errors.too_many_requests(f"a page can follow {SUBSCRIPTIONS_MAX} things at most")
            self._begin(number, asked_of(said))
        elif op == "close":
            self._drop(number)
        elif isinstance(subscription, ListSubscription):
            if op == "change":
                subscription.change(said)
            else:
                subscription.merge()
            self._hurried.set()
        elif subscription is not None:
            raise errors.bad_request(f"only a list can be told to {op}")

    def _begin(self, number: int, asked: Asked) -> None:
        wake = self._woken.set
        made: Subscription
        match asked:
            case ListAsked():
                made = ListSubscription(number, wake, self._pool, self._user, asked)
            case ObjectAsked():
                made = ObjectSubscription(number, wake, self._pool, self._user, asked)
            case JournalAsked():
                made = JournalSubscription(number, wake, self._journals, asked)
            case _:
                made = ObjectsSubscription(number, wake, self._pool, self._user, asked)
        self._open[number] = made
        self._starting[made] = tasks.spawn(self._start(made), name="console subscription")

    async def _start(self, subscription: Subscription) -> None:
        """Begin, however long no API server answers."""
        failures = 0
        try:
            while not subscription.closed:
                try:
                    await subscription.start()
                    self._hurried.set()
                    return
                except ApiError as error:
                    if error.code != 429 and error.code < 500:
                        subscription.failed(error)
                        return
                await clock.sleep(_OPENING.delay(failures))
                failures += 1
        finally:
            self._starting.pop(subscription, None)

    def _drop(self, number: int) -> None:
        subscription = self._open.pop(number, None)
        if subscription is not None:
            subscription.close()
            if (starting := self._starting.pop(subscription, None)) is not None:
                starting.cancel()

    def _fail(self, number: int, error: ApiError) -> None:
        self.note({"type": "error", "id": number, "status": error.status()})

    # What the page is told

    async def _write(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            self._hurried.clear()
            try:
                for message in self._messages():
                    self._socket.write_text(orjson.dumps(message))
                async with asyncio.timeout(UNREAD_SECONDS):
                    await self._socket.drain()
            except (ConnectionError, TimeoutError):
                return
            if self._ended:
                return
            await self._pause()

    async def _pause(self) -> None:
        """Between two batches: shorter when a person waits."""
        await clock.sleep(ANSWER_SECONDS)
        try:
            async with asyncio.timeout(BATCH_SECONDS - ANSWER_SECONDS):
                await self._hurried.wait()
        except TimeoutError:
            return

    def _messages(self) -> list[Obj]:
        found = list(self._notes)
        self._notes.clear()
        for number, subscription in list(self._open.items()):
            message = subscription.message()
            if subscription.error is not None:
                found.append({"type": "error", "id": number, "status": subscription.error.status()})
                self._drop(number)
            elif message is not None:
                found.append(message)
        return found

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await clock.sleep(TICK_SECONDS)
            ticks += 1
            if clock.wall() >= self._expires:
                self.end()
                return
            if clock.monotonic() - self._socket.heard > UNHEARD_SECONDS:
                return
            self._socket.ping()
            self.note({"type": "tick", "now": clock.wall()})
            if ticks % int(REFRESH_SECONDS / TICK_SECONDS) == 0:
                for subscription in self._open.values():
                    subscription.refresh()
