"""A runtime that isolates as far as the agent can see: it has images and takes every field, and runs nothing.

What it was asked for is in the specs of its sandboxes and containers; `pulls`, `resized` and `reopened` keep the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from homeostat.kit import clock
from homeostat.runtime.contract import (
    Container,
    ContainerState,
    Image,
    ImageAuth,
    Resources,
    RuntimeEvent,
    RuntimeFault,
    Stats,
)
from homeostat.runtime.simulated import SimulatedRuntime


class IsolatingRuntime(SimulatedRuntime):
    """`present` are images on the node; `broken` why one cannot be pulled; `guarded` the password of a registry."""

    name = "containerd"
    version = "1.6.20"
    real = True
    isolates = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.present: dict[str, Image] = {"app:1": Image("sha256:app", ("app:1",), size_bytes=1000)}
        self.broken: dict[str, str] = {}
        self.guarded: dict[str, str] = {}
        self.pulls: list[tuple[str, ImageAuth | None, float]] = []
        self.pull_seconds = 0.0
        self.resized: list[tuple[str, Resources]] = []
        self.reopened: list[str] = []
        self.usage: dict[str, Stats] = {}

    async def image_status(self, image: str) -> str | None:
        found = self.present.get(image)
        return found.id if found else None

    async def pull_image(self, image: str, auth: ImageAuth | None = None) -> str:
        self.pulls.append((image, auth, clock.wall()))
        await clock.sleep(self.pull_seconds)
        if image in self.broken:
            raise RuntimeFault("ErrImagePull", self.broken[image])
        wanted = self.guarded.get(image)
        if wanted is not None and (auth is None or auth.password != wanted):
            raise RuntimeFault("ErrImagePull", "pull access denied")
        self.present.setdefault(image, Image(f"sha256:{image}", (image,), size_bytes=4096))
        return self.present[image].id

    async def images(self) -> list[Image]:
        return list(self.present.values())

    async def remove_image(self, image: str) -> None:
        self.present = {name: found for name, found in self.present.items() if found.id != image}

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        self.resized.append((container_id, resources))
        found = self._containers[container_id]
        self._containers[container_id] = replace(found, spec=replace(found.spec, resources=resources))

    async def stats(self, pod_uid: str = "") -> list[Stats]:
        chosen = {c.id for c in await self.containers(pod_uid) if c.state is ContainerState.RUNNING}
        return [stats for key, stats in self.usage.items() if key in chosen]

    async def reopen_log(self, container_id: str) -> None:
        self.reopened.append(container_id)

    # -- faults ----------------------------------------------------------------------------------------------------

    def out_of_memory(self, container_id: str) -> None:
        """The kernel ends a container that uses more than its limit."""
        self._end(container_id, 137)
        self._containers[container_id] = replace(self._containers[container_id], reason="OOMKilled")

    def container_named(self, name: str) -> Container:
        """The newest container of that name."""
        return [c for c in self._containers.values() if c.spec.name == name][-1]

    def stir(self, pod_uid: str) -> None:
        """Something happened to a pod."""
        self._events.emit(RuntimeEvent(pod_uid))
