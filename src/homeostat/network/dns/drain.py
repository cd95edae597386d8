"""How long a server drains after it was asked to end: until it gets no more queries.

Proxies learn of the end as late as the server does, and some later. CoreDNS waits a fixed time (plugin health,
lameduck); here it ends as soon as no client needs it, so that a cluster that shuts down does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.kit import clock

QUIET_SECONDS, SECONDS_MAX = 1.0, 5.0
_LOOK_SECONDS = 0.1


async def until_quiet(answered: Callable[[], int]) -> None:
    """Return when the count `answered` has not changed for a second, or after five seconds."""
    began = moved = clock.monotonic()
    last = answered()
    while (now := clock.monotonic()) - moved < QUIET_SECONDS and now - began < SECONDS_MAX:
        await clock.sleep(_LOOK_SECONDS)
        if (count := answered()) != last:
            last, moved = count, clock.monotonic()
