"""The runtime over a CRI engine. Real images, namespaces and limits; the engine keeps what runs, so it keeps running
without this object, and a new one adopts it by the labels on it (`labels`).

When the engine is down, every call raises RuntimeFault Unavailable at once and `status` says so; when it is back, the
watch reports everything that changed meanwhile. The engine must see the host's files at the same paths as this process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

from homeostat.runtime.contract import (
    Container,
    ContainerSpec,
    ContainerState,
    Resources,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
    Stats,
)
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri import fault_reasons, requests
from homeostat.runtime.cri.channel import RUNTIME
from homeostat.runtime.cri.container_access import ContainerAccess
from homeostat.runtime.cri.event_watch import Watch
from homeostat.runtime.cri.fault_reasons import NOT_FOUND, UNAVAILABLE
from homeostat.runtime.cri.images import Images
from homeostat.runtime.cri.stopping import stop
from homeostat.runtime.shared.event_stream import EventStream

SECCOMP_ROOT = "/var/lib/kubelet/seccomp"
_STOPS_AT_ONCE = 8


class CriRuntime(Images, ContainerAccess):
    """See the module. `endpoint` is a socket's path or `unix://` URL; pods in the host's network have `node_address`;
    `seccomp_root` is the folder of Localhost profiles; without `cgroups` the engine limits and measures nothing. `name`
    and `version` are the engine's, once it has answered."""

    name = "containerd"
    version = "unknown"
    real = True
    mounts_in_place = True
    isolates = True

    def __init__(
        self, endpoint: str, *, node_address: str = "", seccomp_root: str = SECCOMP_ROOT, cgroups: bool = True
    ) -> None:
        super().__init__(endpoint, node_address=node_address)
        self._cgroups = cgroups
        self._seccomp_root = seccomp_root
        self._events = EventStream()
        self._watch = Watch(self._channel, self._inventory, self._events, self._identify)

    # -- opening and closing ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and begin to watch. An engine that is down is waited for meanwhile; that is no error."""
        self._channel.open()
        await self._watch.start()

    async def _identify(self) -> None:
        answer = await self._channel.call(RUNTIME + "Version", cri.VersionRequest(version="v1"), cri.VersionResponse)
        self.name, self.version = answer.runtime_name, answer.runtime_version

    async def close(self, *, stop_containers: bool = False) -> None:
        """Close the connection; with `stop_containers` every pod is stopped first, as far as the engine answers."""
        try:
            if stop_containers:
                await self._stop_all()
        finally:
            await self._watch.stop()
            await self._channel.close()

    async def _stop_all(self) -> None:
        bound = asyncio.Semaphore(_STOPS_AT_ONCE)

        async def stop_one(box: Sandbox) -> None:
            async with bound:
                await self.stop_sandbox(box.id)

        try:
            await asyncio.gather(*(stop_one(box) for box in await self.sandboxes() if box.ready))
        except RuntimeFault as fault:
            if fault.reason != UNAVAILABLE:
                raise

    async def status(self) -> str:
        """Empty, or what the engine says of itself in the kubelet's words, or that it does not answer."""
        try:
            answer = await self._channel.call(RUNTIME + "Status", cri.StatusRequest(), cri.StatusResponse)
        except RuntimeFault as fault:
            return f"container runtime is down: {fault.message}"
        conditions = {condition.type: condition for condition in answer.status.conditions}
        wrong = []
        for kind, what in (("RuntimeReady", "container runtime"), ("NetworkReady", "container runtime network")):
            state = conditions.get(kind)
            if state is not None and not state.status:
                wrong.append(f"{what} not ready: {kind}=false reason:{state.reason} message:{state.message}")
        return "; ".join(wrong)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens, for one listener."""
        return self._events.listen()

    # -- sandboxes -------------------------------------------------------------------------------------------------

    async def run_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """Make the pod's place. Raises RuntimeFault with CreatePodSandboxError."""
        try:
            box = await self._run_sandbox(spec)
        except RuntimeFault as fault:
            raise fault_reasons.means("CreatePodSandboxError", fault) from fault
        except OSError as error:
            raise RuntimeFault("CreatePodSandboxError", str(error)) from error
        self._watch.expect_sandbox(box)
        return box

    async def _run_sandbox(self, spec: SandboxSpec) -> Sandbox:
        if spec.log_directory:
            os.makedirs(spec.log_directory, exist_ok=True)
        request = cri.RunPodSandboxRequest(config=requests.sandbox(spec), runtime_handler=spec.runtime_handler)
        try:
            made = (await self._work("RunPodSandbox", request, cri.RunPodSandboxResponse)).pod_sandbox_id
        except RuntimeFault as fault:
            # Made by an earlier call, whose answer never came?
            made = fault_reasons.taken_by(fault)
            if not made:
                raise
        box = await self._inventory.look_sandbox(made)
        if box is None or not box.ready:
            raise RuntimeFault(NOT_FOUND, f"sandbox {made} of {spec.namespace}/{spec.name} is not there any more")
        return box

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and release its address."""
        await self._end(
            "StopPodSandbox", cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id), cri.StopPodSandboxResponse
        )

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Stop it and remove it with its containers."""
        await self.stop_sandbox(sandbox_id)
        await self._end(
            "RemovePodSandbox", cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id), cri.RemovePodSandboxResponse
        )
        for gone in self._inventory.forget_sandbox(sandbox_id):
            self._watch.forget(gone)

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """All sandboxes, or one pod's, oldest first."""
        return await self._inventory.sandboxes(pod_uid)

    # -- containers ------------------------------------------------------------------------------------------------

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> Container:
        """Prepare it. Raises RuntimeFault with CreateContainerError."""
        try:
            container = await self._create_container(sandbox_id, spec)
        except RuntimeFault as fault:
            raise fault_reasons.means("CreateContainerError", fault) from fault
        except OSError as error:
            raise RuntimeFault("CreateContainerError", str(error)) from error
        self._watch.expect(container)
        return container

    async def _create_container(self, sandbox_id: str, spec: ContainerSpec) -> Container:
        request = await self._creation(sandbox_id, spec)
        try:
            made = (await self._work("CreateContainer", request, cri.CreateContainerResponse)).container_id
        except RuntimeFault as fault:
            # Made by an earlier call, whose answer never came?
            made = fault_reasons.taken_by(fault)
            found = await self._inventory.look(made) if made else None
            if found is None or (found.state, found.spec.spec_hash) != (ContainerState.CREATED, spec.spec_hash):
                raise
        return self._inventory.respecify(await self._found(made), spec)

    async def _creation(self, sandbox_id: str, spec: ContainerSpec) -> cri.CreateContainerRequest:
        box = self._inventory.known_sandbox(sandbox_id) or await self._inventory.look_sandbox(sandbox_id)
        if box is None:
            raise RuntimeFault(NOT_FOUND, f"sandbox {sandbox_id} not found")
        user = ""
        if requests.needs_image_user(spec.security):
            image = await self.image(spec.image)
            user = image.user if image is not None else ""
        if spec.log_path:
            os.makedirs(os.path.dirname(spec.log_path), exist_ok=True)
        place = requests.Place(box.spec, image_user=user, seccomp_root=self._seccomp_root)
        config, pod = requests.container(spec, place)
        return cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=pod)

    async def start_container(self, container_id: str) -> Container:
        """Run it. Raises RuntimeFault with RunContainerError; it is then EXITED with StartError."""
        known = await self._found(container_id)
        if known.state is not ContainerState.CREATED:
            return known
        request = cri.StartContainerRequest(container_id=container_id)
        try:
            await self._work("StartContainer", request, cri.StartContainerResponse)
        except RuntimeFault as fault:
            if fault.reason != UNAVAILABLE:
                self._watch.expect(await self._found(container_id))
            raise fault_reasons.means("RunContainerError", fault) from fault
        # It runs, or ran: an immediate end is reported as any other.
        self._watch.expect(replace(known, state=ContainerState.RUNNING))
        return await self._found(container_id)

    async def stop_container(self, container_id: str, *, timeout_seconds: float) -> None:
        """The stop signal, patience, then SIGKILL."""
        found = await self._inventory.look(container_id)
        if found is None or found.state is not ContainerState.RUNNING:
            return
        await stop(self._channel, self._inventory, found, timeout_seconds=timeout_seconds)
        ended = await self._inventory.look(container_id)
        if ended is not None:
            self._watch.report(ended)

    async def remove_container(self, container_id: str) -> None:
        """Forget it; its log stays."""
        await self._end(
            "RemoveContainer", cri.RemoveContainerRequest(container_id=container_id), cri.RemoveContainerResponse
        )
        self._inventory.forget(container_id)
        self._watch.forget(container_id)

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """All containers, or one pod's, oldest first."""
        return await self._inventory.containers(pod_uid)

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        """Change its limits while it runs. An agent that starts later sees those it was created with, and may repeat
        this."""
        request = cri.UpdateContainerResourcesRequest(container_id=container_id, linux=requests.resources(resources))
        await self._work("UpdateContainerResources", request, cri.UpdateContainerResourcesResponse)
        known = self._inventory.known(container_id)
        if known is not None:
            self._inventory.respecify(known, replace(known.spec, resources=resources))

    async def stats(self, pod_uid: str = "") -> list[Stats]:
        """What running containers use; nothing where the engine would report the figures of its own cgroup."""
        return await super().stats(pod_uid) if self._cgroups else []

    async def reopen_log(self, container_id: str) -> None:
        """Write on to a new file at its log path."""
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await self._work("ReopenContainerLog", request, cri.ReopenContainerLogResponse)
