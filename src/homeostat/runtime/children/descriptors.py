"""Waiting for many descriptors in a process without an event loop: the shim's, and the lab's supervisor's."""

from __future__ import annotations

import select
from collections.abc import Callable


class Descriptors:
    """Calls `then` of each watched descriptor that can be read (or written to, where that is asked), or has hung up."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._then: dict[int, Callable[[], object]] = {}

    def watch(self, descriptor: int, then: Callable[[], object], *, writable: bool = False) -> None:
        """From now on. `then` may forget and close any descriptor."""
        self._epoll.register(descriptor, select.EPOLLOUT if writable else select.EPOLLIN)
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
        found = [(descriptor, self._then.get(descriptor)) for descriptor, _ in self._epoll.poll(wait_seconds)]
        for descriptor, then in found:
            # One that was forgotten meanwhile has had its turn; its number may be another's already.
            if then is not None and self._then.get(descriptor) is then:
                then()
