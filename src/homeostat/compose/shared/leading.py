"""Leading by election: what the controller manager and the scheduler share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from homeostat.client.contract import Client
from homeostat.compose.shared.place import Place
from homeostat.kit import chance, tasks
from homeostat.loop.election import Election, Timing


def candidate(place: Place, client: Client, name: str) -> Election:
    """This process as a candidate for leading `name`, with the timings of its flags; its work writes by `writer`."""
    component = name.removeprefix("kube-")
    timing = Timing(
        lease_seconds=place.settings.duration(component, "leader-elect-lease-duration"),
        renew_deadline_seconds=place.settings.duration(component, "leader-elect-renew-deadline"),
        retry_seconds=place.settings.duration(component, "leader-elect-retry-period"),
    )
    return Election(client, name=name, identity=f"{place.here().name}_{chance.uuid4()}", timing=timing)


async def lead(
    election: Election,
    start: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Take part in the election until `stop` is set; call `start` on becoming the leader, `end` on losing the lease."""

    async def started() -> None:
        await start()
        await asyncio.Event().wait()

    running = tasks.spawn(election.run(started, end), name="election")
    await stop.wait()
    await election.stop()
    await tasks.stop(running)
