"""Waiting for many descriptors in a process without an event loop: the shim's, and the lab's supervisor's."""

from __future__ import annotations

import select
from collections.abc import Callable


class Descriptors:
    """Calls `then` of each watched descriptor that can be read or has hung up."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._then: dict[int, Callable[[], object]] = {}

    def watch(self, descriptor: int, then: Callable[[], object]) -> None:
        """From now on. `then` may forget and close its own descriptor, but no other watched one: that number could be
        another's before its turn comes."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._then[descriptor] = then

    def forget(self, descriptor: int) -> None:
        """Call before the descriptor is closed."""
        self._epoll.unregister(descriptor)
        del self._then[descriptor]

    def all(self) -> list[int]:
        """Every watched descriptor, and the one that waits for them."""
        return [*self._then, self._epoll.fileno()]

    def serve(self, wait_seconds: float | None) -> None:
        """Wait until something can be read, or the time is over (None: for ever), and call what is to be called."""
        for descriptor, _ in self._epoll.poll(wait_seconds):
            then = self._then.get(descriptor)
            if then is not None:
                then()
