"""The caches that a node's network loops share: Services, EndpointSlices and Nodes, each watched once."""

from __future__ import annotations

import asyncio

from homeostat.api.kinds import ENDPOINTSLICE, NODE, SERVICE
from homeostat.client.contract import Client
from homeostat.kit import tasks
from homeostat.loop.informer import Informer


class Caches:
    """Listen to them before `start`."""

    def __init__(self, client: Client) -> None:
        self.services = Informer(client, SERVICE)
        self.slices = Informer(client, ENDPOINTSLICE)
        self.nodes = Informer(client, NODE)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to fill them."""
        for informer in (self.services, self.slices, self.nodes):
            self._tasks.append(tasks.spawn(informer.run(), name=f"network/{informer.kind.plural}"))

    async def synced(self) -> None:
        """Wait until each has had its first list."""
        for informer in (self.nodes, self.services, self.slices):
            await informer.synced.wait()

    async def stop(self) -> None:
        """End the watches."""
        await tasks.stop(*self._tasks)
