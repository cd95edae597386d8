"""A time limit that costs nothing while there is nothing to wait for.

`asyncio.timeout` arms a timer on entry, which takes longer than a read that is answered from memory. Here the work's
first step is taken at once, and only work that did not end with it is given a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which must not have begun. Raises what it raises, and TimeoutError after `seconds`."""
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    async with asyncio.timeout(seconds):
        return await _Begun(work, waits_for)


class _Begun(Generic[T]):
    """What is left of work that waits for something: what it yields is passed on, what it is sent comes back."""

    def __init__(self, work: Coroutine[Any, Any, T], waits_for: object) -> None:
        self._work, self._waits_for = work, waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        work, waits_for = self._work, self._waits_for
        while True:
            thrown: BaseException | None = None
            sent = None
            try:
                sent = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in here, a cancellation above all, is the work's
                thrown = error
            try:
                waits_for = work.send(sent) if thrown is None else work.throw(thrown)
            except StopIteration as done:
                return cast(T, done.value)
