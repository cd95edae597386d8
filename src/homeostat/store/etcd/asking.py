"""One read for all callers at the same time: a linearizable revision costs etcd a round among its members.

Whoever asks may use an answer whose question was sent after they asked, never one that was under way already. So
those who come while two questions are out wait for the next one, together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from homeostat.kit import tasks
from homeostat.store.contract import Unavailable

# Two, so that the next can leave while one is on its way back.
_UNDER_WAY_MAX = 2


class Shared:
    """Runs `ask` for all who wait for its answer."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._waiting: list[asyncio.Future[int]] = []
        self._under_way = 0
        self._due = False

    def answer(self) -> asyncio.Future[int]:
        """An answer to a question that is asked after this call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append(future)
        if self._under_way < _UNDER_WAY_MAX and not self._due:
            # At the end of this tick of the loop: others may ask in it too.
            self._due = True
            loop.call_soon(self._send)
        return future

    def _send(self) -> None:
        self._due = False
        waiting, self._waiting = self._waiting, []
        self._under_way += 1
        tasks.spawn(self._carry(waiting), name="etcd-revision")

    async def _carry(self, waiting: list[asyncio.Future[int]]) -> None:
        try:
            found = await self._ask()
        except Exception as error:  # noqa: BLE001 - handed to each who asked
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
        else:
            for future in waiting:
                if not future.done():
                    future.set_result(found)
        finally:
            # A question that is cancelled, as gRPC does where a channel is closed, has no answer either.
            for future in waiting:
                if not future.done():
                    future.set_exception(Unavailable("the question for the newest revision was given up"))
            self._under_way -= 1
            if self._waiting and not self._due:
                self._send()
