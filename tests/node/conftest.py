"""Stories about a node agent: one API server in process, virtual time, and the simulated runtime (or, with `isolated`,
one that has images and keeps pods apart)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CONFIGMAP, EVENT, LEASE, NAMESPACE, NODE, POD, Kind
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, tasks, virtual
from homeostat.node.agent import NodeAgent
from homeostat.node.housekeeping.eviction import Signal
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.runtime.contract import Container, ContainerState
from homeostat.runtime.simulated import BehaviourOf, SimulatedRuntime
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import Request, Response, User

from .isolating import IsolatingRuntime

Obj = dict[str, Any]
ADMIN = User("admin", ("system:masters",))


class Cut:
    """The node's way to the API: while it is not open, requests are refused and streams break."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]]) -> None:
        self._handle = handle
        self.asked: list[str] = []
        self._closed = asyncio.Event()

    @property
    def open(self) -> bool:
        return not self._closed.is_set()

    @open.setter
    def open(self, value: bool) -> None:
        if value:
            self._closed = asyncio.Event()
        else:
            self._closed.set()

    async def __call__(self, request: Request) -> Response:
        if not self.open:
            raise ConnectionRefusedError("cut off")
        self.asked.append(f"{request.method} {request.path}")
        response = await self._handle(request)
        if not isinstance(response.body, bytes):
            response.body = self._stream(response.body, self._closed)
        return response

    async def _stream(self, body: AsyncIterator[bytes], closed: asyncio.Event) -> AsyncIterator[bytes]:
        cut = tasks.spawn(closed.wait(), name="cut")
        try:
            while True:
                chunk = tasks.spawn(anext(body, b""), name="chunk")
                await asyncio.wait((chunk, cut), return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    await tasks.stop(chunk)
                    raise ConnectionResetError("cut off")
                if not chunk.result():
                    return
                yield chunk.result()
        finally:
            await tasks.stop(cut)


class Stage:
    """A cluster of one node. `api` is an administrator's client; the agent has one of its own over `uplink`."""

    def __init__(
        self,
        settings: dict[str, str],
        behaviour: BehaviourOf | None,
        folder: Path | None,
        isolated: Path | None = None,
    ) -> None:
        self.store = MemoryStore(MemoryState())
        self.server = ApiServer(self.store)
        self.uplink = Cut(self.server.handle)
        self.api = ApiClient(InProcessTransport([self.server.handle], ADMIN))
        made = IsolatingRuntime if isolated else SimulatedRuntime
        self.runtime: Any = made(pod_cidr="10.1.0.0/24", node_address="10.0.0.1", behaviour=behaviour)
        root = isolated or Path("/nonexistent")
        flags = {("kubelet", name): value for name, value in settings.items()}
        self.config = NodeConfig(
            name="node-1",
            address="10.0.0.1",
            root=root / "node",
            log_root=root / "log",
            image_root=root,
            cgroup_root=root / "cgroup",
            pod_cidr="10.1.0.0/24",
            static_pod_dir=folder,
            capacity={"cpu": "4", "memory": "8Gi"},
            settings=Settings(flags),
        )
        # What the node has left, of what: plenty, until a story says otherwise.
        self.left = {
            "memory.available": Signal(4 << 30, 8 << 30),
            "nodefs.available": Signal(80 << 30, 100 << 30),
            "imagefs.available": Signal(80 << 30, 100 << 30),
            "pid.available": Signal(30000, 32768),
        }
        self.agent = self._agent()

    def _agent(self) -> NodeAgent:
        user = User("system:node:node-1", ("system:nodes",))
        client = ApiClient(InProcessTransport([self.uplink], user))
        return NodeAgent(self.config, client, self.runtime, signals=lambda: self.left)

    async def restart_agent(self) -> None:
        """The agent dies and a new one comes; the runtime lives on."""
        await self.agent.stop()
        self.agent = self._agent()
        await self.agent.start()

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        return await self.api.create(kind, {"apiVersion": kind.api_version, "kind": kind.kind, **obj})

    async def pod(self, name: str = "web", **more: Any) -> Obj:
        """A pod that is bound to the node; `more` are fields of its spec, or metadata."""
        metadata = {"name": name, "namespace": "default", **more.pop("metadata", {})}
        body = {"nodeName": "node-1", "containers": [container("main")], **more}
        return await self.create(POD, {"metadata": metadata, "spec": body})

    async def get(self, name: str = "web", namespace: str = "default") -> Obj | None:
        try:
            return await self.api.get(POD, name, namespace)
        except ApiError as error:
            assert error.code == 404
            return None

    async def until(self, check: Callable[[Obj | None], Any], name: str = "web", *, seconds: float = 1000.0) -> Any:
        """Wait until the pod's object meets `check`; returns what that gave."""
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            found = check(await self.get(name))
            if found:
                return found
            await clock.sleep(0.01)
        raise AssertionError(f"not in {seconds} s; the pod is {await self.get(name)}")

    async def phase(self, phase: str, name: str = "web", **more: float) -> Obj:
        return await self.until(lambda pod: pod if pod and pod["status"].get("phase") == phase else None, name, **more)

    async def ready(self, name: str = "web", **more: float) -> Obj:
        return await self.until(lambda pod: pod if pod and is_ready(pod) else None, name, **more)

    async def events(self, reason: str = "") -> list[str]:
        listing = await self.api.list(EVENT, "default")
        return [event["message"] for event in listing.items if not reason or event["reason"] == reason]

    async def running(self, name: str = "main") -> list[Container]:
        return [c for c in await self.runtime.containers() if c.spec.name == name and c.state is ContainerState.RUNNING]


def container(name: str, **more: Any) -> Obj:
    return {"name": name, "image": "app:1", **more}


def is_ready(pod: Obj) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def condition(pod: Obj, kind: str) -> Obj:
    return next((c for c in pod.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def state(pod: Obj, name: str = "main") -> Obj:
    """The state of one container in the pod's status."""
    return status_of(pod, name).get("state", {})


def status_of(pod: Obj, name: str = "main") -> Obj:
    status = pod.get("status", {})
    entries = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    return next((entry for entry in entries if entry["name"] == name), {})


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def play() -> Callable[..., None]:
    """Run a story on virtual time."""

    def run(
        story: Story,
        *,
        settings: dict[str, str] | None = None,
        behaviour: BehaviourOf | None = None,
        folder: Path | None = None,
        isolated: Path | None = None,
        wait_registered: bool = True,
    ) -> None:
        async def main() -> None:
            stage = Stage(settings or {}, behaviour, folder, isolated)
            await stage.store.start()
            await stage.server.start()
            for name in ("default", "kube-system", "kube-node-lease"):
                await stage.create(NAMESPACE, {"metadata": {"name": name}})
            await stage.agent.start()
            if wait_registered:
                await stage.agent.registered()
            await story(stage)
            await stage.agent.stop()
            await stage.server.stop()

        virtual.run(main, seed=1)

    return run


__all__ = ["CONFIGMAP", "EVENT", "LEASE", "NODE", "POD", "Stage", "Story"]
