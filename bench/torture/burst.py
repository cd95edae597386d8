"""A Deployment that is scaled up and down in bursts: two controller managers that both believe they lead would make too
many Pods. Its Pods fit no node, so that they cost nothing.
"""

from __future__ import annotations

import asyncio
import random
import time

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import DEPLOYMENT, POD
from homeostat.api.types import Obj
from homeostat.client.contract import Client

NAME = "burst"
_MOST = 20
_EVERY_SECONDS = 3.0


def deployment(namespace: str) -> Obj:
    """The app; no node has the label that it asks for."""
    container = {"name": "none", "image": "none", "command": ["true"]}
    template = {"metadata": {"labels": {"app": NAME}}}
    template["spec"] = {"nodeSelector": {"torture": "none"}, "containers": [container]}  # type: ignore[dict-item]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": NAME}}, "template": template},
    }


class Burst:
    """Scales the Deployment, and counts its Pods by a watch."""

    def __init__(self, client: Client, chance: random.Random, namespace: str) -> None:
        self._client, self._chance, self._namespace = client, chance, namespace
        self._alive: set[str] = set()
        self.most = 0

    async def scale(self) -> None:
        """To a new size every few seconds, until cancelled."""
        up = True
        while True:
            size = _MOST if up else self._chance.randrange(3)
            up = not up
            try:
                await self._client.patch(DEPLOYMENT, NAME, self._namespace, {"spec": {"replicas": size}})
            except (ApiError, OSError):
                pass
            await asyncio.sleep(_EVERY_SECONDS)

    async def count(self) -> None:
        """Follow the Pods until cancelled."""
        while True:
            try:
                listing = await self._client.list(POD, self._namespace, labels=f"app={NAME}")
                self._alive = {meta.uid(pod) for pod in listing.items if not meta.deleting(pod)}
                self._counted()
                version = listing.resource_version
                async for event in self._client.watch(
                    POD, self._namespace, resource_version=version, labels=f"app={NAME}"
                ):
                    if event.type == "BOOKMARK":
                        continue
                    gone = event.type == "DELETED" or meta.deleting(event.obj)
                    (self._alive.discard if gone else self._alive.add)(meta.uid(event.obj))
                    self._counted()
            except (ApiError, OSError):
                await asyncio.sleep(0.2)

    def _counted(self) -> None:
        self.most = max(self.most, len(self._alive))

    def faults(self) -> list[str]:
        """What is wrong: more Pods than were ever asked for."""
        if self.most <= _MOST:
            return []
        return [f"deployment {NAME} had {self.most} pods at once; at most {_MOST} were asked for"]

    async def settled(self, seconds_max: float) -> list[str]:
        """Scale to a size and wait for just as many Pods; what is wrong."""
        wanted = 7
        deadline = time.monotonic() + seconds_max
        found = -1
        while time.monotonic() < deadline:
            try:
                await self._client.patch(DEPLOYMENT, NAME, self._namespace, {"spec": {"replicas": wanted}})
                pods = (await self._client.list(POD, self._namespace, labels=f"app={NAME}")).items
                found = sum(not meta.deleting(pod) for pod in pods)
                if found == wanted:
                    return []
            except (ApiError, OSError):
                pass
            await asyncio.sleep(0.2)
        return [f"deployment {NAME} has {found} pods {seconds_max:.0f} s after everything was repaired, not {wanted}"]
