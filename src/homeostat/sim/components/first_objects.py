"""What every cluster begins with, made once a process: the objects that the first API server writes.

Hundreds of seeds need not watch the same roles being written; the stories, which start from nothing, do.
"""

from __future__ import annotations

import functools

from homeostat.kit import clock, virtual
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.store.memory import MemoryState, MemoryStore

_UP_SECONDS = 1.0
# Who lives is for each cluster's own servers to say.
_NOT_KEPT = ("/leases/", "/endpoints/", "/endpointslices/")


@functools.cache
def first_objects() -> tuple[tuple[str, bytes], ...]:
    """Keys and stored values, in the order of their revisions. Not to be called while a virtual loop runs."""

    async def main() -> MemoryState:
        state = MemoryState()
        server = ServerSlot("master-1", "10.0.0.1", lambda: MemoryStore(state))
        await server.start()
        await clock.sleep(_UP_SECONDS)
        await server.kill()
        return state

    entries = sorted(virtual.run(main, seed=0).live.values(), key=lambda entry: entry.revision)
    return tuple((e.key, e.value) for e in entries if not any(part in e.key for part in _NOT_KEPT))


def fill(state: MemoryState) -> None:
    """Put the first objects into a new state."""
    for key, value in first_objects():
        state.apply(key, 0, value, delete=False)
