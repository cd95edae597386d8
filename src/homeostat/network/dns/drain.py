"""How long a server that is told to end goes on: until nobody asks it any more.

Proxies hear of the end as late as the server does, and some hear it later. CoreDNS waits a fixed time (plugin health,
lameduck); here the end comes as soon as it harms nobody, so that a cluster that goes down does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.kit import clock

QUIET_SECONDS, SECONDS_MAX = 1.0, 5.0
_LOOK_SECONDS = 0.1


async def until_quiet(answered: Callable[[], int]) -> None:
    """Return when `answered`, a count, has stood still for a second, or after five."""
    began = moved = clock.monotonic()
    last = answered()
    while (now := clock.monotonic()) - moved < QUIET_SECONDS and now - began < SECONDS_MAX:
        await clock.sleep(_LOOK_SECONDS)
        if (count := answered()) != last:
            last, moved = count, clock.monotonic()
