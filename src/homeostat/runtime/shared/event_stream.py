"""A runtime's events for its one listener: bounded, for repeated events of one container are one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from homeostat.runtime.contract import RuntimeEvent


class EventStream:
    """`emit` from anywhere on the loop; iterate `listen`. Events wait, each once, until they are taken."""

    def __init__(self) -> None:
        self._pending: dict[RuntimeEvent, None] = {}
        self._arrived = asyncio.Event()

    def emit(self, event: RuntimeEvent) -> None:
        """Add an event unless the same one already waits."""
        self._pending[event] = None
        self._arrived.set()

    async def listen(self) -> AsyncIterator[RuntimeEvent]:
        """The events, oldest first, for ever."""
        while True:
            while self._pending:
                event = next(iter(self._pending))
                del self._pending[event]
                yield event
            self._arrived.clear()
            await self._arrived.wait()
