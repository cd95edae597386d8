"""The scheduler of one master: it decides while it leads."""

from __future__ import annotations

import asyncio

from homeostat.cluster import certificates
from homeostat.compose.shared import healthz
from homeostat.compose.shared.leading import candidate, lead
from homeostat.compose.shared.place import Place
from homeostat.scheduler.scheduler import Scheduler


async def run(place: Place, stop: asyncio.Event) -> None:
    """Take part in the election and schedule while leading; a standby keeps no caches: they fill within 0.1 s."""
    client = place.client(certificates.SCHEDULER)
    election = candidate(place, client, "kube-scheduler")
    scheduler = Scheduler(election.writer(), place.settings, host=place.here().name)
    async with healthz.serving(place, "kube-scheduler", certificates.SCHEDULER):
        await lead(election, scheduler.start, scheduler.stop_deciding, stop)
    await scheduler.stop()
    await client.close()
