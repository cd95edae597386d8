"""The service proxy of one node whose kernel carries the rules: watches, plans what has changed, has it applied.

A burst of events is one transaction: while one is under way, the next gathers. A transaction that the kernel refuses is
tried again; meanwhile the previous rules stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.network.decide.endpoint_selection import Here
from homeostat.network.decide.node_plan import Entry, Health, NodePlan, plan_health, plan_node
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.programs import ProgramError
from homeostat.network.watch.service_slices import ServiceSlices
from homeostat.network.watch.shared_caches import Caches

_RETRY = Backoff(first_seconds=0.1, ceiling_seconds=30.0)

_log = logger("kube-proxy")


class NodeRules(Protocol):
    """What makes a node's plan true: `network.kernel.nft.NftRules` or `network.kernel.iptables.IptablesRules`."""

    async def apply(self, plan: NodePlan) -> None:
        """Make `plan` the rules from now on; idempotent. Raises ProgramError."""
        ...


class Followers(Protocol):
    """What has to happen after rules have changed."""

    async def moved(self, old: NodePlan, new: NodePlan) -> None:
        """The rules were those of `old` and are those of `new`."""
        ...

    async def health(self, checks: Mapping[str, Health]) -> None:
        """The health checks to serve from now on, by Service."""
        ...


class NodeProxy:
    """One loop: an event names a Service, its entries are planned again, the difference is applied at once."""

    def __init__(self, caches: Caches, rules: NodeRules, node: str, followers: Followers | None = None) -> None:
        self._caches = caches
        self._rules = rules
        self._followers = followers
        self._here = Here(node)
        self._entries: dict[str, dict[Front, Entry]] = {}
        self._health: dict[str, Health] = {}
        self._slices_of = ServiceSlices()
        self._applied: NodePlan = {}
        self._dirty: set[str] = set()
        self._moved = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.synced = asyncio.Event()

    def start(self) -> None:
        """Begin, before the caches do; `synced` is set when the first plan has been applied."""
        self._caches.services.listen(self._service_changed)
        self._caches.slices.listen(self._slice_changed)
        self._caches.nodes.listen(self._node_changed)
        self._loop = tasks.spawn(self._run(), name="kube-proxy/rules")

    async def stop(self) -> None:
        """End the loop; the rules stay."""
        await tasks.stop(self._loop)

    async def _run(self) -> None:
        await self._caches.synced()
        failures = 0
        while True:
            self._moved.clear()
            self._plan_dirty()
            try:
                await self._sync()
            except ProgramError as error:
                _log.warning("the rules could not be changed: %s", error)
                await clock.sleep(_RETRY.delay(failures))
                failures += 1
                continue
            failures = 0
            self.synced.set()
            await self._moved.wait()
            await clock.sleep(0)  # what the same read brought belongs to the same transaction

    async def _sync(self) -> None:
        before = self._applied
        plan = merged(self._entries)
        await self._rules.apply(plan)
        self._applied = plan
        if self._followers:
            await self._followers.moved(before, plan)
            await self._followers.health(self._health)

    def _plan_dirty(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for key in dirty:
            service = self._caches.services.objects.get(*meta.split_key(key))
            self._health.pop(key, None)
            if service is None:
                self._entries.pop(key, None)
                continue
            slices = self._slices_of.of(key)
            self._entries[key] = plan_node(service, slices, self._here)
            if check := plan_health(service, slices, self._here):
                self._health[key] = check

    def _service_changed(self, old: Obj | None, new: Obj | None) -> None:
        self._touch(meta.key(new or old or {}))

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        for key in self._slices_of.change(old, new):
            self._touch(key)

    def _node_changed(self, old: Obj | None, new: Obj | None) -> None:
        if meta.name(new or old or {}) != self._here.name:
            return
        here = Here(self._here.name, meta.labels(new).get(wellknown.LABEL_ZONE, "") if new else self._here.zone)
        if here != self._here:
            self._here = here
            self._dirty.update(meta.key(service) for service in self._caches.services.objects.list())
            self._moved.set()

    def _touch(self, key: str) -> None:
        self._dirty.add(key)
        self._moved.set()


def merged(entries: Mapping[str, Mapping[Front, Entry]]) -> dict[Front, Entry]:
    """All Services' entries as one plan; on a clash the Service that comes first by name keeps the front."""
    plan: dict[Front, Entry] = {}
    for service in sorted(entries):
        for front, entry in entries[service].items():
            plan.setdefault(front, entry)
    return plan
