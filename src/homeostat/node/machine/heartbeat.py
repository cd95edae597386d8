"""Reporting the node to the cluster: its registration, its Lease and its status, through any outage.

Rules: kubelet_node_status.go and component-helpers' lease controller. The Lease is renewed four times in its duration;
the status is computed every node-status-update-frequency, written when it changed, else every
node-status-report-frequency. After an outage both go out at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import LEASE, NODE
from homeostat.api.rules import ownership
from homeostat.api.types import Obj
from homeostat.client.contract import STRATEGIC_PATCH, Client
from homeostat.kit import chance, clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.node.machine import node_object
from homeostat.node.machine.node_object import Health, Machine
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.wire.cause import WriteCause

_SILENT_FAILURES = 4
_log = logger("kubelet.node")
_LEASE_NAMESPACE = "kube-node-lease"
_RETRY = Backoff(first_seconds=0.2, ceiling_seconds=1.6)
# Until the node is known: it may be booting with its cluster, which then waits for it.
_REGISTER_RETRY = Backoff(first_seconds=0.1, ceiling_seconds=0.4)


class Heartbeat:
    """`current` gives the Node as the agent's cache has it, None before it is known or when it is not there; `version`
    names the runtime, `health` says how the node is."""

    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        machine: Machine,
        *,
        version: Callable[[], str],
        health: Callable[[], Awaitable[Health]],
        current: Callable[[], Obj | None],
    ) -> None:
        self._config = config
        self._client = client
        self._machine = machine
        self._version = version
        self._health = health
        self._current = current
        self._lease: Obj | None = None
        self._written: Obj | None = None
        self._reported_at = float("-inf")
        self._look = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.registered = asyncio.Event()

    def start(self) -> None:
        """Begin to register and to beat."""
        name = self._config.name
        self._tasks = [
            tasks.spawn(self._keep_lease(), name=f"{name}/lease"),
            tasks.spawn(self._keep_status(), name=f"{name}/node-status"),
        ]

    async def stop(self) -> None:
        """End; the node stays as it is."""
        await tasks.stop(*self._tasks)

    def look(self) -> None:
        """The Node has changed in the API: compare at once."""
        self._look.set()

    @property
    def _seconds_max(self) -> float:
        """How long one request may take: a quarter of the lease's duration, as the kubelet has it."""
        return self._config.number("node-lease-duration-seconds") / 4

    def _cause(self, note: str) -> WriteCause:
        return WriteCause(f"kubelet/{self._config.name}", self._config.name, note)

    # -- the Node --------------------------------------------------------------------------------------------------

    async def _keep_status(self) -> None:
        failures = 0
        while True:
            self._look.clear()
            try:
                async with asyncio.timeout(self._seconds_max):
                    await self._report_status()
                if failures >= _SILENT_FAILURES:
                    _log.info("%s: the node's status is written again", self._config.name)
                failures = 0
                pause = self._config.seconds("node-status-update-frequency")
            except (ApiError, TimeoutError) as error:
                pause = (_RETRY if self.registered.is_set() else _REGISTER_RETRY).delay(failures)
                failures += 1
                # An API server that is just being restarted is not worth a warning.
                level = logging.WARNING if failures == _SILENT_FAILURES else logging.DEBUG
                _log.log(level, "%s: the node's status cannot be written: %s", self._config.name, error or "timed out")
            try:
                async with asyncio.timeout(pause):
                    await self._look.wait()
            except TimeoutError:
                continue

    async def _report_status(self) -> None:
        node = await self._registered_node()
        labels = node_object.label_patch(node, node_object.default_labels(self._config, self._machine))
        if labels is not None:
            node = await self._client.patch(NODE, self._config.name, "", labels, cause=self._cause("labels"))
        status = node_object.node_status(self._config, self._machine, self._version(), await self._health())
        moved = node_object.changed(node, status)
        due = clock.monotonic() - self._reported_at >= self._config.seconds("node-status-report-frequency")
        if not moved and not due:
            return
        now, old = clock.wall(), meta.conditions(node)
        body = {"status": status | {"conditions": node_object.timed(status["conditions"], old, now)}}
        cause = self._cause("status changed" if moved else "regular report")
        self._written = await self._client.patch(
            NODE, self._config.name, "", body, content_type=STRATEGIC_PATCH, subresource="status", cause=cause
        )
        self._reported_at = clock.monotonic()

    async def _registered_node(self) -> Obj:
        """The newest known form of the Node, created when there is none."""
        cached, written = self._current(), self._written
        if cached is not None:
            self.registered.set()
            newer = written is not None and meta.resource_version(written) > meta.resource_version(cached)
            return written if written is not None and newer else cached
        wanted = node_object.registration(self._config, self._machine, self._version(), clock.wall())
        try:
            node = await self._client.create(NODE, wanted, cause=self._cause("registration"))
            self._reported_at = clock.monotonic()
        except ApiError as error:
            if error.code != 409:
                raise
            node = await self._client.get(NODE, self._config.name)
        self._written = node
        self.registered.set()
        return node

    # -- the Lease -------------------------------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        # The Node owns its Lease, so it comes first.
        await self.registered.wait()
        failures = 0
        while True:
            try:
                async with asyncio.timeout(self._seconds_max):
                    await self._renew()
                if failures:
                    # The cluster may have given the node up meanwhile.
                    self._reported_at = float("-inf")
                    self._look.set()
                failures = 0
                pause = self._config.number("node-lease-duration-seconds") / 4 * chance.uniform(1.0, 1.04)
            except (ApiError, TimeoutError) as error:
                _log.debug("%s: lease: %s", self._config.name, error)
                self._lease = None
                pause = _RETRY.delay(failures)
                failures += 1
            await clock.sleep(pause)

    async def _renew(self) -> None:
        if self._lease is None:
            self._lease = await self._find_lease()
        now = clock.now_rfc3339_micro()
        if self._lease is None:
            self._lease = await self._client.create(LEASE, self._new_lease(now), cause=self._cause("lease"))
            return
        wanted = {**self._lease, "spec": {**self._lease["spec"], **self._spec(now)}}
        self._lease = await self._client.update(LEASE, wanted, cause=self._cause("lease"))

    async def _find_lease(self) -> Obj | None:
        try:
            return await self._client.get(LEASE, self._config.name, _LEASE_NAMESPACE)
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    def _new_lease(self, now: str) -> Obj:
        metadata: Obj = {"name": self._config.name, "namespace": _LEASE_NAMESPACE}
        node = self._current() or self._written
        if node is not None:
            metadata["ownerReferences"] = [ownership.owner_reference(NODE, node)]
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": self._spec(now)}

    def _spec(self, now: str) -> Obj:
        duration = self._config.number("node-lease-duration-seconds")
        return {"holderIdentity": self._config.name, "leaseDurationSeconds": duration, "renewTime": now}
