"""The node's own loops: pressure and eviction, images, logs, and what dead pods left. Where the runtime isolates.

It measures, asks the rules that decide (`eviction`, `images.choice`, `rotation`), and acts. Rules: pkg/kubelet/eviction
(every 10 s), images (every 5 min), logs (every 10 s), pkg/kubelet/pleg (the runtime responded in the last 3 min).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from homeostat.api import durations, meta
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.node.housekeeping import eviction, rotation, usage
from homeostat.node.housekeeping.eviction import Signal, Threshold, Usage
from homeostat.node.images.choice import Known, Room, to_remove
from homeostat.node.isolation import figures, mounting
from homeostat.node.pod.pod_isolation import PodIsolation
from homeostat.node.pod.worker import PodWorker
from homeostat.node.podspec.node_config import COMPONENT, NodeConfig
from homeostat.node.podspec.view import FailureReason
from homeostat.runtime.contract import ContainerState, Image, Runtime, RuntimeFault

_log = logger("kubelet.housekeeping")
_LOOK_SECONDS = 10.0
_IMAGES_SECONDS = 300.0
_SILENCE_SECONDS_MAX = 180.0


@dataclass(frozen=True, slots=True)
class HousekeepingContext:
    """What the keeper works with. `workers` gives the pods of this node; `record` writes an event about something;
    `signals` reads what the node has left; `known` returns whether all of the node's pods are known by now."""

    config: NodeConfig
    runtime: Runtime
    pod_isolation: PodIsolation
    workers: Callable[[], list[PodWorker]]
    record: Callable[[Obj, str, str, str], None]
    signals: Callable[[], Mapping[str, Signal]]
    node: Callable[[], Obj | None]
    known: Callable[[], bool]
    changed: Callable[[], None]


class Keeper:
    """See the module."""

    def __init__(self, context: HousekeepingContext) -> None:
        self._context = context
        self._limits = eviction.thresholds(context.config.settings.text(COMPONENT, "eviction-hard"))
        self._held: dict[str, float] = {}
        self._images: dict[str, Known] = {}
        self._runtime_seen_at = clock.monotonic()
        self._listed: tuple[Image, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        name = self._context.config.name
        loops: dict[str, tuple[Callable[[], Awaitable[None]], float]] = {
            "pressure": (self.look_at_pressure, _LOOK_SECONDS),
            "images": (self.look_at_images, _IMAGES_SECONDS),
            "logs": (self.look_at_logs, _LOOK_SECONDS),
            "leftovers": (self.look_at_leftovers, _LOOK_SECONDS),
        }
        self._tasks = [tasks.spawn(self._repeat(*each), name=f"{name}/{what}") for what, each in loops.items()]

    async def stop(self) -> None:
        """End."""
        await tasks.stop(*self._tasks)

    async def _repeat(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await look()
            except (RuntimeFault, OSError) as fault:
                _log.debug("%s: %s", self._context.config.name, fault)
            await clock.sleep(seconds)

    # -- what others ask -------------------------------------------------------------------------------------------

    @property
    def pressures(self) -> frozenset[str]:
        """The node's conditions that hold."""
        return frozenset(self._held)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images on the node, as last seen."""
        return self._listed

    def trouble(self) -> str:
        """Why the node is not ready; empty when it is."""
        silence = clock.monotonic() - self._runtime_seen_at
        if silence <= _SILENCE_SECONDS_MAX:
            return ""
        ago, most = durations.format(round(silence)), durations.format(_SILENCE_SECONDS_MAX)
        return f"PLEG is not healthy: pleg was last seen active {ago} ago; threshold is {most}"

    # -- pressure --------------------------------------------------------------------------------------------------

    async def look_at_pressure(self) -> None:
        """Give up one pod when the node is short of something, or pods that use more than they set themselves."""
        context = self._context
        hit = eviction.crossed(self._limits, context.signals())
        self._note(hit)
        pods = [worker.sized for worker in context.workers() if worker.wants_place]
        context.pod_isolation.share(pods)
        used, _ = await usage.measured(context.runtime, context.config, pods)
        self._runtime_seen_at = clock.monotonic()
        for pod in pods:
            over = eviction.over_own_limits(pod, used[meta.uid(pod)])
            if over is not None and not figures.is_critical(pod):
                self._evict(pod, over)
        if not hit:
            return
        self._record_threshold(hit[0])
        if hit[0].part in ("nodefs", "imagefs") and await self._free_disk(hit[0]):
            return
        self._give_up_one(hit[0], pods, used)

    def _note(self, hit: list[Threshold]) -> None:
        """A condition holds on for a while after it was last true."""
        now, before = clock.monotonic(), self.pressures
        for name in eviction.conditions(hit):
            self._held[name] = now
        patience = self._context.config.seconds("eviction-pressure-transition-period")
        for name in [name for name, at in self._held.items() if now - at > patience]:
            del self._held[name]
        if self.pressures != before:
            self._context.changed()

    def _record_threshold(self, limit: Threshold) -> None:
        node = self._context.node()
        if node is not None:
            text = f"Attempting to reclaim {limit.signal.partition('.')[0].replace('nodefs', 'ephemeral-storage')}"
            self._context.record(node, "EvictionThresholdMet", text, "Warning")

    async def _free_disk(self, limit: Threshold) -> bool:
        """Remove all unused images; whether that was enough."""
        await self._remove_images(replace(self._room(), high=0, low=0, age_seconds=0.0))
        return not eviction.crossed((limit,), self._context.signals())

    def _give_up_one(self, limit: Threshold, pods: list[Obj], used: Mapping[str, Usage]) -> None:
        found = self._context.signals().get(limit.signal)
        for pod in eviction.ranked(pods, used, limit)[:1]:
            if found is not None:
                self._evict(pod, eviction.why(pod, limit, found, used.get(meta.uid(pod), Usage())))

    def _evict(self, pod: Obj, why: FailureReason) -> None:
        worker = next((found for found in self._context.workers() if found.uid == meta.uid(pod)), None)
        if worker is not None:
            self._context.record(pod, "Evicted", why.message, "Warning")
            worker.end(why, grace_seconds=0.0)

    # -- images ----------------------------------------------------------------------------------------------------

    async def look_at_images(self) -> None:
        """Note which images are there and used; remove some when their disk fills up."""
        before = self._listed
        await self._remove_images(self._room())
        if before != self._listed:
            self._context.changed()

    def _room(self) -> Room:
        config = self._context.config
        disk = self._context.signals().get("imagefs.available") or Signal(0, 0)
        age = config.seconds("minimum-image-ttl-duration")
        high, low = config.number("image-gc-high-threshold"), config.number("image-gc-low-threshold")
        return Room(disk.capacity - disk.available, disk.capacity, high, low, age)

    async def _remove_images(self, room: Room) -> None:
        runtime, now = self._context.runtime, clock.wall()
        images = await runtime.images()
        used = frozenset(name for c in await runtime.containers() for name in (c.image_id, c.spec.image) if name)
        for image in images:
            known = self._images.get(image.id) or Known(now)
            is_used = not used.isdisjoint((image.id, *image.tags, *image.digests))
            self._images[image.id] = replace(known, used=now) if is_used else known
        for image in to_remove(images, used, self._images, room, now):
            _log.info("%s: removing image %s", self._context.config.name, image.tags or image.id)
            await runtime.remove_image(image.id)
            images.remove(image)
        self._images = {image.id: self._images[image.id] for image in images}
        self._listed = tuple(images)

    # -- logs, leftovers -------------------------------------------------------------------------------------------

    async def look_at_logs(self) -> None:
        """Rotate the logs that have grown too long."""
        config = self._context.config
        size, files = config.number("container-log-max-size"), config.number("container-log-max-files")
        for container in await self._context.runtime.containers():
            path = container.spec.log_path
            if container.state is ContainerState.RUNNING and rotation.due(path, size):
                rotation.rotate(path, files)
                await self._context.runtime.reopen_log(container.id)

    async def look_at_leftovers(self) -> None:
        """Remove folders and cgroups of pods that are gone, as a crash may leave them."""
        if not self._context.known():
            return
        known = frozenset(worker.uid for worker in self._context.workers())
        running = frozenset(box.spec.pod_uid for box in await self._context.runtime.sandboxes())
        groups = self._context.pod_isolation.cgroups.pods() if self._context.pod_isolation.cgroups.available else {}
        for folder in usage.left_behind(self._context.config, known | running):
            if mounting.unmount_below(folder):
                shutil.rmtree(folder, ignore_errors=True)
            if folder.name in groups:
                self._context.pod_isolation.cgroups.remove(groups[folder.name])
