"""The service proxy: watches Services and EndpointSlices, plans what has changed, and has it applied."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTSLICE, SERVICE
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.informer import Informer
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan, Rule, plan_service
from homeostat.network.userspace.applier import merged
from homeostat.network.watch.service_slices import ServiceSlices

_LOOK_AGAIN_SECONDS = 30.0


class Rules(Protocol):
    """What makes a plan true: `network.userspace.applier.Applier`, or the simulation's."""

    @property
    def trouble(self) -> Mapping[Front, str]:
        """The fronts that could not be opened, and why."""
        ...

    async def apply(self, plan: Plan) -> None:
        """Make `plan` the rules from now on; idempotent."""
        ...

    async def close(self) -> None:
        """End all rules."""
        ...


class ServiceProxy:
    """One loop: an event names a Service, its rules are planned again, the whole plan is applied at once."""

    def __init__(self, client: Client, applier: Rules, node_addresses: Mapping[str, str]) -> None:
        self._services = Informer(client, SERVICE)
        self._slices = Informer(client, ENDPOINTSLICE)
        self._slices_of = ServiceSlices()
        self._applier = applier
        self._node_addresses = node_addresses
        self._rules: dict[str, dict[Front, Rule]] = {}
        self._dirty: set[str] = set()
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.synced = asyncio.Event()

    async def start(self) -> None:
        """Begin; `synced` is set when the first plan has been applied."""
        self._services.listen(self._service_changed)
        self._slices.listen(self._slice_changed)
        self._tasks = [
            tasks.spawn(self._services.run(), name="proxy-services"),
            tasks.spawn(self._slices.run(), name="proxy-endpointslices"),
            tasks.spawn(self._run(), name="proxy-sync"),
        ]

    async def stop(self) -> None:
        """End the loop and close every listener."""
        await tasks.stop(*self._tasks)
        await self._applier.close()

    async def _run(self) -> None:
        await self._services.synced.wait()
        await self._slices.synced.wait()
        while True:
            self._moved.clear()
            self._plan_dirty()
            await self._applier.apply(merged(self._rules))
            self.synced.set()
            try:
                # A front that could not be opened (its port was in use) is tried again now and then.
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS if self._applier.trouble else None):
                    await self._moved.wait()
            except TimeoutError:
                continue
            await clock.sleep(0)

    def _plan_dirty(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for key in dirty:
            namespace, _, name = key.partition("/")
            service = self._services.objects.get(namespace, name)
            if service is None:
                self._rules.pop(key, None)
                continue
            self._rules[key] = plan_service(service, self._slices_of.of(key), self._node_addresses)

    def _service_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._touch(meta.key(new or old or {}))

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        for key in self._slices_of.change(old, new):
            self._touch(key)

    def _touch(self, key: str) -> None:
        self._dirty.add(key)
        self._moved.set()
