"""Leading by election: what the controller manager and the scheduler share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from homeostat.client.contract import Client
from homeostat.compose.place import Place
from homeostat.kit import chance, tasks
from homeostat.loop.election import Election, Timing


async def lead(
    place: Place,
    client: Client,
    name: str,
    start: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Take part in the election for `name` until told to stop; lead with `start`, let go with `end`."""
    component = name.removeprefix("kube-")
    timing = Timing(
        lease_seconds=place.settings.duration(component, "leader-elect-lease-duration"),
        renew_deadline_seconds=place.settings.duration(component, "leader-elect-renew-deadline"),
        retry_seconds=place.settings.duration(component, "leader-elect-retry-period"),
    )
    election = Election(client, name=name, identity=f"{place.here().name}_{chance.uuid4()}", timing=timing)

    async def started() -> None:
        await start()
        await asyncio.Event().wait()

    running = tasks.spawn(election.run(started, end), name=f"{name}/election")
    await stop.wait()
    await election.stop()
    await tasks.stop(running)
