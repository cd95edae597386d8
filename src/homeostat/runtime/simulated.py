"""The runtime without processes: for thousands of nodes, for virtual time, and for failures at will.

What a container does is a `Behaviour`: the simulator's table gives it, else annotations of the pod
(`simulated.homeostat/exit-after-seconds`, or with `.NAME` behind it for one container), else it starts at once, is
ready, and runs until it is stopped. One object is one node's runtime; it outlives agents as containerd does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, fields, replace

from homeostat.kit import chance, clock
from homeostat.runtime.contract import (
    CONTAINER,
    Container,
    ContainerEvent,
    ContainerSpec,
    ContainerState,
    ExecResult,
    HttpAnswer,
    HttpAsk,
    LogLine,
    LogSpan,
    ProbeError,
    RuntimeEvent,
    RuntimeFault,
    Sandbox,
    SandboxSpec,
)
from homeostat.runtime.shared.event_stream import EventStream
from homeostat.runtime.shared.pod_addresses import AddressPool
from homeostat.runtime.shared.without_images import Plain

ANNOTATION = "simulated.homeostat/"
_KILLED, _TERMINATED = 137, 143
_FOLLOW_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a simulated container does. Times in seconds; a negative `exit_after_seconds` means never. Probes succeed
    from `ready_seconds` after the start. It takes `stop_seconds` to react to the stop signal, then ends with
    `stop_code`."""

    start_seconds: float = 0.0
    ready_seconds: float = 0.0
    exit_after_seconds: float = -1.0
    exit_code: int = 0
    stop_seconds: float = 0.0
    stop_code: int = _TERMINATED
    image_missing: bool = False


BehaviourOf = Callable[[SandboxSpec, ContainerSpec], "Behaviour | None"]


def annotated(sandbox: SandboxSpec, spec: ContainerSpec) -> Behaviour:
    """The behaviour that the pod's annotations describe. Values that are no numbers raise RuntimeFault."""
    values: dict[str, float] = {}
    for known in fields(Behaviour):
        key = ANNOTATION + known.name.replace("_", "-")
        text = sandbox.annotations.get(f"{key}.{spec.name}", sandbox.annotations.get(key))
        if text is None:
            continue
        try:
            values[known.name] = float(text)
        except ValueError:
            raise RuntimeFault("CreateContainerError", f"annotation {key}: {text!r} is not a number") from None
    whole = {name: int(values.pop(name)) for name in ("exit_code", "stop_code") if name in values}
    return replace(Behaviour(), **values, **whole)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Running:
    """The simulated side of a container."""

    behaviour: Behaviour
    timer: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: bool = False
    lines: list[LogLine] = field(default_factory=list)


class SimulatedRuntime(Plain):
    """See the module. `behaviour` may return None to leave a container to its annotations."""

    name = "simulated"
    version = "0.1.0"
    real = False
    mounts_in_place = True

    def __init__(self, *, pod_cidr: str, node_address: str, behaviour: BehaviourOf | None = None) -> None:
        self._addresses = AddressPool(pod_cidr)
        self._node_address = node_address
        self._behaviour = behaviour
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._running: dict[str, _Running] = {}
        self._trouble = ""
        self._events = EventStream()

    # -- faults ----------------------------------------------------------------------------------------------------

    def kill(self, container_id: str, *, exit_code: int = _KILLED, reason: str = "") -> None:
        """A running container ends now."""
        self._end(container_id, exit_code, reason)

    def freeze(self, container_id: str, *, frozen: bool = True) -> None:
        """A container hangs: its probes time out and it does not react to the stop signal. `frozen=False` undoes it."""
        self._running[container_id].frozen = frozen

    def break_down(self, trouble: str) -> None:
        """The whole runtime stops answering (empty: it answers again); what runs keeps running."""
        self._trouble = trouble

    def reboot(self) -> None:
        """The machine restarts: every container is gone at once, sandboxes with it."""
        for container in list(self._containers.values()):
            self._end(container.id, _KILLED)
        for sandbox in list(self._sandboxes.values()):
            self._sandboxes[sandbox.id] = replace(sandbox, ready=False)
            self._addresses.release(sandbox.ip)

    def say(self, container_id: str, text: str, *, stream: str = "stdout") -> None:
        """A line in a container's log."""
        self._running[container_id].lines.append(LogLine(clock.rfc3339_nano(clock.wall()), stream, text.encode()))

    # -- Runtime ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Nothing to open: this object is what runs."""

    async def close(self, *, stop_containers: bool = False) -> None:
        """Containers run on, or end at once."""
        for container in list(self._containers.values()) if stop_containers else ():
            self._end(container.id, _KILLED)

    async def status(self) -> str:
        """What `break_down` said."""
        return self._trouble

    def _check(self) -> None:
        if self._trouble:
            raise RuntimeFault("Unavailable", self._trouble)

    async def image_status(self, image: str) -> str | None:
        """Every image is there, unless a behaviour says otherwise when the container is created."""
        return image

    async def run_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """See Runtime."""
        self._check()
        address = self._node_address if spec.host_network else self._addresses.take()
        if address is None:
            raise RuntimeFault("CreatePodSandboxError", "no free address is left in the node's pod CIDR")
        sandbox = Sandbox(chance.token_hex(32), spec, address, clock.wall())
        self._sandboxes[sandbox.id] = sandbox
        return sandbox

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """See Runtime."""
        self._check()
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            return
        for container in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            self._end(container.id, _KILLED)
        self._sandboxes[sandbox_id] = replace(sandbox, ready=False)
        self._addresses.release(sandbox.ip)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """See Runtime."""
        await self.stop_sandbox(sandbox_id)
        for container in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            await self.remove_container(container.id)
        self._sandboxes.pop(sandbox_id, None)

    async def sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        """See Runtime."""
        return [box for box in self._sandboxes.values() if not pod_uid or box.spec.pod_uid == pod_uid]

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> Container:
        """See Runtime."""
        self._check()
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise RuntimeFault("CreateContainerError", f"sandbox {sandbox_id} not found")
        behaviour = (self._behaviour(sandbox.spec, spec) if self._behaviour else None) or annotated(sandbox.spec, spec)
        if behaviour.image_missing:
            raise RuntimeFault("ErrImagePull", f"image {spec.image} not found")
        uid = sandbox.spec.pod_uid
        container = Container(chance.token_hex(32), sandbox_id, uid, spec, CONTAINER.start, clock.wall())
        container = replace(container, image_id=spec.image)
        self._containers[container.id] = container
        self._running[container.id] = _Running(behaviour)
        return container

    async def start_container(self, container_id: str) -> Container:
        """See Runtime."""
        self._check()
        container, running = self._get(container_id), self._running[container_id]
        if container.state is not ContainerState.CREATED:
            return container
        if running.behaviour.start_seconds:
            await clock.sleep(running.behaviour.start_seconds)
        container = self._move(container_id, ContainerEvent.STARTED, started_at=clock.wall())
        after = running.behaviour.exit_after_seconds
        if after >= 0:
            loop = asyncio.get_running_loop()
            running.timer = loop.call_later(after, self._end, container_id, running.behaviour.exit_code)
        return container

    async def stop_container(self, container_id: str, *, timeout_seconds: float) -> None:
        """See Runtime."""
        self._check()
        container = self._containers.get(container_id)
        if container is None or container.state is not ContainerState.RUNNING:
            return
        running = self._running[container_id]
        exits_in_time = timeout_seconds > 0 and not running.frozen and running.behaviour.stop_seconds < timeout_seconds
        pause = running.behaviour.stop_seconds if exits_in_time else timeout_seconds
        if pause:
            try:
                async with asyncio.timeout(pause):
                    await running.ended.wait()
            except TimeoutError:
                pass
        self._end(container_id, running.behaviour.stop_code if exits_in_time else _KILLED)

    async def remove_container(self, container_id: str) -> None:
        """See Runtime."""
        self._check()
        if container_id in self._containers:
            self._end(container_id, _KILLED)
            self._move(container_id, ContainerEvent.REMOVED)
            del self._containers[container_id], self._running[container_id]

    async def containers(self, pod_uid: str = "") -> list[Container]:
        """See Runtime."""
        return [c for c in self._containers.values() if not pod_uid or c.pod_uid == pod_uid]

    async def exec_sync(self, container_id: str, argv: tuple[str, ...], *, timeout_seconds: float) -> ExecResult:
        """Every command succeeds in a container that is ready, and fails in one that is not."""
        self._check()
        container, running = self._get(container_id), self._running[container_id]
        if container.state is not ContainerState.RUNNING:
            raise RuntimeFault("NotFound", f"container {container_id} is not running")
        if running.frozen:
            await clock.sleep(timeout_seconds)
            return ExecResult(_KILLED, timed_out=True)
        return ExecResult(0 if self._is_ready(container) else 1)

    async def http_get(self, ask: HttpAsk) -> HttpAnswer:
        """200 once a container of the pod at that address is ready, 503 before."""
        return HttpAnswer(200 if await self._answers(ask.ip, ask.port, ask.timeout_seconds) else 503)

    async def tcp_connect(self, ip: str, port: int, *, timeout_seconds: float) -> None:
        """Refused until a container of the pod at that address is ready."""
        if not await self._answers(ip, port, timeout_seconds):
            raise ProbeError(f"dial tcp {ip}:{port}: connect: connection refused")

    async def _answers(self, ip: str, port: int, timeout_seconds: float) -> bool:
        boxes = {box.id for box in self._sandboxes.values() if box.ip == ip and box.ready}
        there = [c for c in self._containers.values() if c.sandbox_id in boxes and c.state is ContainerState.RUNNING]
        if not there:
            raise ProbeError(f"dial tcp {ip}:{port}: connect: connection refused")
        if all(self._running[container.id].frozen for container in there):
            await clock.sleep(timeout_seconds)
            raise ProbeError(f"dial tcp {ip}:{port}: i/o timeout")
        return any(self._is_ready(container) for container in there)

    def _is_ready(self, container: Container) -> bool:
        running = self._running[container.id]
        # Half a millisecond of tolerance: a probe due at the very moment must find what is due with it.
        since = clock.wall() - container.started_at + 0.0005
        return not running.frozen and since >= running.behaviour.ready_seconds

    async def read_log(self, container_id: str, span: LogSpan) -> AsyncIterator[LogLine]:
        """See Runtime."""
        self._get(container_id)
        running = self._running[container_id]
        since = clock.rfc3339_nano(span.since) if span.since else ""
        place = 0 if span.tail_lines is None else max(0, len(running.lines) - span.tail_lines)
        while True:
            ended = self._get(container_id).state is not ContainerState.RUNNING
            for line in running.lines[place:]:
                if line.time >= since:
                    yield line
            place = len(running.lines)
            if not span.follow or ended:
                return
            await clock.sleep(_FOLLOW_SECONDS)

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """See Runtime."""
        return self._events.listen()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _get(self, container_id: str) -> Container:
        try:
            return self._containers[container_id]
        except KeyError:
            raise RuntimeFault("NotFound", f"container {container_id} not found") from None

    def _end(self, container_id: str, exit_code: int, reason: str = "") -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        if container.state is ContainerState.CREATED:
            return
        running = self._running[container_id]
        if running.timer is not None:
            running.timer.cancel()
        if container.state is ContainerState.RUNNING:
            self._move(
                container_id, ContainerEvent.EXITED, finished_at=clock.wall(), exit_code=exit_code, reason=reason
            )
            running.ended.set()
            self._events.emit(RuntimeEvent(container.pod_uid, container_id))

    def _move(self, container_id: str, event: ContainerEvent, **changes: float | str) -> Container:
        container = self._get(container_id)
        container = replace(container, state=CONTAINER.move(container.state, event), **changes)  # type: ignore[arg-type]
        self._containers[container_id] = container
        return container


def behaviours(table: Mapping[str, Behaviour]) -> BehaviourOf:
    """A behaviour by container name or image."""
    return lambda _, spec: table.get(spec.name) or table.get(spec.image)
