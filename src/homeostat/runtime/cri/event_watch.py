"""Watching the engine: its events become events for the pods that they concern, and no change is missed.

The last reported state of each container and sandbox is kept. A full listing shows what differs: when the
watch begins, after the engine was away, and every few seconds besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.runtime.contract import Container, ContainerState, RuntimeEvent, RuntimeFault, Sandbox
from homeostat.runtime.cri.channel import Channel
from homeostat.runtime.cri.event_sources import EngineEvent, What, engine_events
from homeostat.runtime.cri.inventory import Inventory
from homeostat.runtime.shared.event_stream import EventStream

_log = logger("cri")
# When everything is looked at after a watch began; the last of these again and again.
_LOOKS_SECONDS = (0.1, 1.0, 10.0)
_AGAIN_SECONDS = 0.1
# After a process has ended, the engine's CRI side is asked when its task is deleted, at the latest after the first of
# these, and then until it knows.
_SETTLES_SECONDS = (0.25, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0)
_OOM = "OOMKilled"

_Report = tuple[RuntimeEvent, object]


@dataclass(slots=True)
class _Settling:
    """A look at one container or sandbox that is under way. `nudge` is set when it is worth asking again."""

    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Watch:
    """See the module. `connected` is called whenever the engine is about to be watched, and raises RuntimeFault when
    it does not answer; `trouble` then says why."""

    def __init__(
        self, channel: Channel, inventory: Inventory, events: EventStream, connected: Callable[[], Awaitable[None]]
    ) -> None:
        self.trouble = ""
        self._channel = channel
        self._inventory = inventory
        self._events = events
        self._connected = connected
        self._reported: dict[str, _Report] = {}
        self._settling: dict[str, _Settling] = {}
        self._short_of_memory: set[str] = set()
        self._look_now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """List everything once, without reporting, if the engine answers; then watch until `stop`."""
        try:
            await self._connected()
            for box in await self._inventory.sandboxes():
                self.expect_sandbox(box)
            for container in await self._inventory.containers():
                self.expect(container)
        except RuntimeFault as fault:
            self._on_fault(fault)
        self._task = tasks.spawn(self._run(), name="cri/watch")

    async def stop(self) -> None:
        """Watch no longer."""
        await tasks.stop(self._task, *(settling.task for settling in self._settling.values()))

    # -- reporting -------------------------------------------------------------------------------------------------

    def expect(self, container: Container) -> None:
        """The caller already has this container's state: it need not be reported."""
        event = RuntimeEvent(container.pod_uid, container.id)
        self._reported[container.id] = (event, (container.state, container.reason))

    def expect_sandbox(self, box: Sandbox) -> None:
        """The same for a sandbox."""
        self._reported[box.id] = (RuntimeEvent(box.spec.pod_uid), box.ready)

    def forget(self, gone: str) -> None:
        """Whoever removed it knows."""
        self._reported.pop(gone, None)
        self._short_of_memory.discard(gone)

    def _report(self, key: str, event: RuntimeEvent, about: object) -> None:
        if self._reported.get(key) != (event, about):
            self._reported[key] = (event, about)
            self._events.emit(event)

    def report(self, container: Container) -> None:
        """Report a container's state, unless it was reported before."""
        self._report(container.id, RuntimeEvent(container.pod_uid, container.id), (container.state, container.reason))

    def _report_gone(self, key: str) -> None:
        reported = self._reported.pop(key, None)
        self._short_of_memory.discard(key)
        if reported is not None:
            self._events.emit(reported[0])

    # -- watching --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._connected()
                if self.trouble:
                    _log.info("the container engine answers again")
                self.trouble = ""
                await self._follow()
            except RuntimeFault as fault:
                self._on_fault(fault)
            await clock.sleep(_AGAIN_SECONDS)

    def _on_fault(self, fault: RuntimeFault) -> None:
        if not self.trouble:
            _log.warning("%s", fault.message)
        self.trouble = fault.message

    async def _follow(self) -> None:
        """Runs until the source ends or the engine does not answer. Raises RuntimeFault."""
        reading = tasks.spawn(self._caught(self._read()), name="cri/read")
        looking = tasks.spawn(self._caught(self._look_on()), name="cri/look")
        try:
            done, _ = await asyncio.wait({reading, looking}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (fault := task.result()) is not None:
                    raise fault
        finally:
            await tasks.stop(reading, looking)

    async def _caught(self, work: Awaitable[None]) -> RuntimeFault | None:
        try:
            await work
        except RuntimeFault as fault:
            return fault
        return None

    async def _look_on(self) -> None:
        for seconds in _LOOKS_SECONDS:
            await self._pause(self._look_now, seconds)
            await self._look()
        while True:
            await self._pause(self._look_now, _LOOKS_SECONDS[-1])
            await self._look()

    async def _pause(self, until: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await until.wait()
        except TimeoutError:
            pass
        until.clear()

    async def _look(self) -> None:
        """Report whatever differs from the last reported state."""
        before = list(self._reported)
        boxes, containers = await self._inventory.sandboxes(), await self._inventory.containers()
        found = {box.id for box in boxes} | {container.id for container in containers}
        for gone in [key for key in before if key not in found]:
            self._report_gone(gone)
        self._short_of_memory &= found
        for box in boxes:
            self._report(box.id, RuntimeEvent(box.spec.pod_uid), box.ready)
        for container in containers:
            self.report(container)

    async def _read(self) -> None:
        async with aclosing(engine_events(self._channel)) as items:
            async for item in items:
                self._handle(item)

    def _handle(self, item: EngineEvent) -> None:
        if item.what is What.LIVE:
            self._look_now.set()
            return
        known = self._inventory.known(item.id)
        if item.what is What.OUT_OF_MEMORY:
            self._short_of_memory.add(item.id)
            if known is not None and known.state is not ContainerState.EXITED:
                return  # it may live on: one of its processes was killed, and not necessarily the first
        if item.what is What.CHANGED and known is not None and known.state is ContainerState.CREATED:
            return  # our own start, which reports by its return
        settling = self._settling.get(item.id)
        if settling is None:
            settling = self._settling[item.id] = _Settling()
            settling.task = tasks.spawn(self._settle(item.id, settling), name="cri/settle")
        if item.what is not What.ENDED:
            settling.nudge.set()

    async def _settle(self, key: str, settling: _Settling) -> None:
        """Look at one container or sandbox until the engine knows that it has ended."""
        try:
            for seconds in _SETTLES_SECONDS:
                await self._pause(settling.nudge, seconds)
                if await self._is_settled(key):
                    break
            self._report_one(key)
        except RuntimeFault:
            pass  # the engine is away: everything is looked at when it is back
        finally:
            if self._settling.get(key) is settling:
                del self._settling[key]

    async def _is_settled(self, key: str) -> bool:
        if self._inventory.known_sandbox(key) is not None:
            box = await self._inventory.look_sandbox(key)
            return box is None or not box.ready
        container = await self._inventory.look(key)
        if container is None:
            return True
        ended = container.state is ContainerState.EXITED
        return ended and (container.reason == _OOM or key not in self._short_of_memory)

    def _report_one(self, key: str) -> None:
        box, container = self._inventory.known_sandbox(key), self._inventory.known(key)
        if box is not None:
            self._report(key, RuntimeEvent(box.spec.pod_uid), box.ready)
        elif container is not None:
            self.report(container)
        else:
            self._report_gone(key)
