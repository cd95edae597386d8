"""What runs in the engine, as cheap as it can be asked for.

Every listing is a new call, so it is never stale: one call, in which the engine looks nothing up on disk. What a
listing does not contain (a pod's address, times, exit codes) is asked once for each state that something reaches, and
remembered. States only go forward, so an answer that comes late does no harm.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from homeostat.runtime.contract import Container, ContainerState, RuntimeFault, Sandbox
from homeostat.runtime.cri import answers, labels
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.channel import RUNTIME, Channel
from homeostat.runtime.cri.fault_reasons import NOT_FOUND
from homeostat.runtime.spec import ContainerSpec

_RANK = {ContainerState.CREATED: 0, ContainerState.RUNNING: 1, ContainerState.EXITED: 2, ContainerState.REMOVED: 3}
# So many details are asked for at once.
_ASKS_MAX = 8


class Inventory:
    """See the module. Only what carries a pod's UID counts. `node_address` is that of pods in the host's network."""

    def __init__(self, channel: Channel, *, node_address: str) -> None:
        self._channel = channel
        self._node_address = node_address
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._asks = asyncio.Semaphore(_ASKS_MAX)

    # -- sandboxes -------------------------------------------------------------------------------------------------

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """All sandboxes, or one pod's, oldest first. Raises RuntimeFault."""
        before = [box.id for box in self._sandboxes.values() if pod_uid in ("", box.spec.pod_uid)]
        wanted = cri.PodSandboxFilter(label_selector={labels.POD_UID: pod_uid} if pod_uid else {})
        method, request = RUNTIME + "ListPodSandbox", cri.ListPodSandboxRequest(filter=wanted)
        listed = (await self._channel.call(method, request, cri.ListPodSandboxResponse)).items
        found = {item.id: item for item in listed if item.labels.get(labels.POD_UID)}
        for gone in [known for known in before if known not in found]:
            self._sandboxes.pop(gone, None)
        boxes = await asyncio.gather(*(self._sandbox(item) for item in found.values()))
        return sorted((box for box in boxes if box is not None), key=lambda box: box.created_at)

    async def _sandbox(self, item: cri.PodSandbox) -> Sandbox | None:
        known, ready = self._sandboxes.get(item.id), item.state == cri.SANDBOX_READY
        if known is None:
            return await self.look_sandbox(item.id)
        if known.ready and not ready:
            known = self._sandboxes[item.id] = replace(known, ready=False)
        return known

    async def look_sandbox(self, sandbox_id: str) -> Sandbox | None:
        """One sandbox as it is now, None when it is gone. Raises RuntimeFault."""
        method, request = RUNTIME + "PodSandboxStatus", cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        try:
            async with self._asks:
                answer = await self._channel.call(method, request, cri.PodSandboxStatusResponse)
        except RuntimeFault as fault:
            if fault.reason != NOT_FOUND:
                raise
            self._sandboxes.pop(sandbox_id, None)
            return None
        found = answers.sandbox(answer.status, node_address=self._node_address)
        self._sandboxes[sandbox_id] = found
        return found

    def known_sandbox(self, sandbox_id: str) -> Sandbox | None:
        """A sandbox as it was last seen."""
        return self._sandboxes.get(sandbox_id)

    def forget_sandbox(self, sandbox_id: str) -> list[str]:
        """It was removed, with its containers: the IDs of all of them."""
        self._sandboxes.pop(sandbox_id, None)
        gone = [known.id for known in self._containers.values() if known.sandbox_id == sandbox_id]
        for container_id in gone:
            self.forget(container_id)
        return [sandbox_id, *gone]

    # -- containers ------------------------------------------------------------------------------------------------

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """All containers, or one pod's, oldest first. Raises RuntimeFault."""
        before = [known.id for known in self._containers.values() if pod_uid in ("", known.pod_uid)]
        wanted = cri.ContainerFilter(label_selector={labels.POD_UID: pod_uid} if pod_uid else {})
        found = {item.id: item for item in await self._list(wanted) if item.labels.get(labels.POD_UID)}
        for gone in [known for known in before if known not in found]:
            self.forget(gone)
        listed = await asyncio.gather(*(self._container(item) for item in found.values()))
        return sorted((one for one in listed if one is not None), key=lambda one: one.created_at)

    async def _list(self, wanted: cri.ContainerFilter) -> list[cri.Container]:
        method, request = RUNTIME + "ListContainers", cri.ListContainersRequest(filter=wanted)
        return list((await self._channel.call(method, request, cri.ListContainersResponse)).containers)

    async def _container(self, item: cri.Container) -> Container | None:
        known = self._containers.get(item.id)
        if known is not None and _RANK[answers.STATES[item.state]] <= _RANK[known.state]:
            return known
        return await self._ask(item.id, item.pod_sandbox_id)

    async def look(self, container_id: str) -> Container | None:
        """One container as it is now, None when it is gone (or a sandbox). Raises RuntimeFault."""
        known = self._containers.get(container_id)
        if known is not None:
            return await self._ask(container_id, known.sandbox_id)
        listed = await self._list(cri.ContainerFilter(id=container_id))
        return await self._ask(container_id, listed[0].pod_sandbox_id) if listed else None

    async def _ask(self, container_id: str, sandbox_id: str) -> Container | None:
        method, request = RUNTIME + "ContainerStatus", cri.ContainerStatusRequest(container_id=container_id)
        try:
            async with self._asks:
                answer = await self._channel.call(method, request, cri.ContainerStatusResponse)
        except RuntimeFault as fault:
            if fault.reason != NOT_FOUND:
                raise
            self.forget(container_id)
            return None
        found, known = answers.container(answer.status, sandbox_id), self._containers.get(container_id)
        if known is not None:
            if _RANK[found.state] < _RANK[known.state]:
                return known
            found = replace(found, spec=known.spec)
        self._containers[container_id] = found
        return found

    def known(self, container_id: str) -> Container | None:
        """A container as it was last seen."""
        return self._containers.get(container_id)

    def respecify(self, container: Container, spec: ContainerSpec) -> Container:
        """Its spec in full, or changed while it runs: more than the engine reports."""
        container = self._containers[container.id] = replace(container, spec=spec)
        return container

    def forget(self, container_id: str) -> None:
        """It was removed."""
        self._containers.pop(container_id, None)
