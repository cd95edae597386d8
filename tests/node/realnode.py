"""Stories of a node agent over a real containerd, told inside the engine's namespaces (`tests.support.enginehost`).

`python -m tests.node.realnode ROOT SOCKET STORY...` tells them one after the other and ends with 0 when all are true.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from homeostat.api.errors import ApiError
from homeostat.api.flags import Settings
from homeostat.api.kinds import NAMESPACE, POD, SERVICEACCOUNT, Kind
from homeostat.apiserver.server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock
from homeostat.lab.images.stock import BUSYBOX
from homeostat.node.agent import NodeAgent
from homeostat.node.config import NodeConfig
from homeostat.runtime.contract import Container, ContainerState
from homeostat.runtime.cri.runtime import CriRuntime
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User

Obj = dict[str, Any]
CGROUPS = Path("/sys/fs/cgroup")
FLAGS = {"crash-loop-back-off-initial": "100ms"}


class Node:
    """One node with a real engine, and an API in this process."""

    def __init__(self, root: Path, socket: str) -> None:
        self.root, self._socket = root, socket
        self.store = MemoryStore(MemoryState())
        self.server = ApiServer(self.store)
        self.api = ApiClient(InProcessTransport([self.server.handle], User("admin", ("system:masters",))))
        self.agent = self._agent()

    def _agent(self) -> NodeAgent:
        client = ApiClient(InProcessTransport([self.server.handle], User("system:node:n1", ("system:nodes",))))
        settings = Settings({("kubelet", name): value for name, value in FLAGS.items()})
        config = NodeConfig(name="n1", address="127.0.0.1", root=self.root / "kubelet", settings=settings)
        return NodeAgent(config, client, CriRuntime(self._socket, node_address="127.0.0.1"))

    async def start(self) -> None:
        await self.store.start()
        await self.server.start()
        for name in ("default", "kube-system", "kube-node-lease"):
            await self.create(NAMESPACE, {"metadata": {"name": name}})
        await self.create(SERVICEACCOUNT, {"metadata": {"name": "default", "namespace": "default"}})
        await self.agent.start()
        await self.agent.registered()

    async def stop(self) -> None:
        for pod in (await self.api.list(POD, "default")).items:
            await self.api.delete(POD, pod["metadata"]["name"], "default")
            await self.until(lambda found: found is None, pod["metadata"]["name"])
        end = time.monotonic() + 30
        while self.agent.pods():
            assert time.monotonic() < end, "the agent does not let go of its pods"
            await clock.sleep(0.005)
        await self.agent.stop()
        await self.server.stop()

    async def replace_agent(self) -> None:
        await self.agent.stop()
        self.agent = self._agent()
        await self.agent.start()

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        return await self.api.create(kind, {"apiVersion": kind.api_version, "kind": kind.kind, **obj})

    async def pod(self, script: str, *, name: str = "web", main: Obj | None = None, **more: Any) -> Obj:
        """A pod that runs a script."""
        container = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", script], **(main or {})}
        body = {"nodeName": "n1", "containers": [container], "terminationGracePeriodSeconds": 1, **more}
        return await self.create(POD, {"metadata": {"name": name, "namespace": "default"}, "spec": body})

    async def get(self, name: str = "web") -> Obj | None:
        try:
            return await self.api.get(POD, name, "default")
        except ApiError as error:
            assert error.code == 404
            return None

    async def until(self, check: Callable[[Obj | None], Any], name: str = "web", *, seconds: float = 30.0) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = check(await self.get(name))
            if found:
                return found
            await clock.sleep(0.005)
        raise AssertionError(f"not in {seconds} s; the pod is {await self.get(name)}")

    async def ready(self, name: str = "web") -> Obj:
        return await self.until(lambda pod: pod if pod and is_ready(pod) else None, name)

    async def ended(self, name: str = "web") -> Obj:
        """The state of the ended container `main`."""
        return await self.until(lambda pod: pod and status_of(pod)["state"].get("terminated"), name)

    async def told(self, name: str = "web") -> str:
        """The last words of a container that has ended."""
        return (await self.ended(name)).get("message", "")

    async def main(self, name: str = "main") -> Container:
        found = [c for c in await self.agent.runtime.containers() if c.spec.name == name]
        return next(c for c in reversed(found) if c.state is ContainerState.RUNNING)


def is_ready(pod: Obj) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def status_of(pod: Obj, name: str = "main") -> Obj:
    status = pod.get("status", {})
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(field, []):
            if entry["name"] == name:
                return entry
    return {"state": {}}


async def an_ordinary_pod(node: Node) -> None:
    script = "id -u; hostname; cat /etc/hosts /etc/resolv.conf; ls /data; exit 3"
    await node.pod(f"({script}) >/dev/termination-log 2>&1; exit 3", hostname="first", restartPolicy="Never",
                   hostAliases=[{"ip": "10.9.9.9", "hostnames": ["db"]}],
                   main={"volumeMounts": [{"name": "d", "mountPath": "/data"}]},
                   volumes=[{"name": "d", "emptyDir": {}}])  # fmt: skip
    ended = await node.ended()
    assert ended["exitCode"] == 3, ended
    words = ended["message"]
    assert words.startswith("0\nfirst\n"), words
    assert "10.9.9.9\tdb" in words and "nameserver 10.96.0.10" in words, words
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in words, words


async def _tell(stories: list[str], root: Path, socket: str) -> None:
    for name in stories:
        node = Node(root / name, socket)
        begun = time.monotonic()
        await node.start()
        try:
            await STORIES[name](node)
        finally:
            await node.stop()
        left = [path for path in CGROUPS.glob("*/kubepods/**/pod*")]
        assert not left, left
        print(f"{name}: {time.monotonic() - begun:.2f} s", flush=True)


Story = Callable[[Node], Awaitable[None]]
STORIES: dict[str, Story] = {story.__name__: story for story in (an_ordinary_pod,)}

if __name__ == "__main__":
    uvloop.run(_tell(sys.argv[3:] or list(STORIES), Path(sys.argv[1]), sys.argv[2]))
    os._exit(0)
