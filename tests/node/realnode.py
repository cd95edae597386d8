"""Stories of a node agent over a real containerd, run inside the engine's namespaces (`tests.support.enginehost`).

`python -m tests.node.realnode ROOT SOCKET STORY...` runs them one after the other; a line of JSON says how each ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import NAMESPACE, POD, SECRET, SERVICEACCOUNT, Kind
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import STRATEGIC_PATCH
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock
from homeostat.lab.images.stock import BUSYBOX
from homeostat.node.agent import NodeAgent
from homeostat.node.housekeeping.eviction import Signal
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.runtime.contract import Container, ContainerState, LogSpan
from homeostat.runtime.cri.cri_runtime import CriRuntime
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User

Obj = dict[str, Any]
CGROUPS = Path("/sys/fs/cgroup")
FLAGS = {"crash-loop-back-off-initial": "100ms", "container-log-max-size": "4Ki"}


class Node:
    """One node with a real engine, and an API in this process."""

    def __init__(self, root: Path, socket: str) -> None:
        self.root, self._socket = root, socket
        self.left: dict[str, Signal] = {}
        self.store = MemoryStore(MemoryState())
        self.server = ApiServer(self.store)
        self.api = ApiClient(InProcessTransport([self.server.handle], User("admin", ("system:masters",))))
        self.agent = self._agent()

    def _agent(self) -> NodeAgent:
        client = ApiClient(InProcessTransport([self.server.handle], User("system:node:n1", ("system:nodes",))))
        settings = Settings({("kubelet", name): value for name, value in FLAGS.items()})
        config = NodeConfig(name="n1", address="127.0.0.1", root=self.root / "kubelet", settings=settings)
        runtime = CriRuntime(self._socket, node_address="127.0.0.1")
        return NodeAgent(config, client, runtime, signals=lambda: self.left)

    async def start(self) -> None:
        await self.store.start()
        await self.server.start()
        for name in ("default", "kube-system", "kube-node-lease"):
            await self.create(NAMESPACE, {"metadata": {"name": name}})
        await self.create(SERVICEACCOUNT, {"metadata": {"name": "default", "namespace": "default"}})
        await self.agent.start()
        await self.agent.registered()

    async def stop(self) -> None:
        names = [pod["metadata"]["name"] for pod in (await self.api.list(POD, "default")).items]
        await asyncio.gather(*(self.api.delete(POD, name, "default") for name in names))
        await asyncio.gather(*(self.until(lambda found: found is None, name) for name in names))
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

    async def reported(self, name: str = "web") -> str:
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


def _cgroups() -> list[Path]:
    """The cgroups of pods that are left."""
    return list(CGROUPS.glob("*/kubepods/**/pod*"))


async def an_engine_that_ends_a_container_for_its_memory(node: Node) -> None:
    """The kernel's OOM killer, by the limit that the pod sets."""
    limits = {"limits": {"memory": "16Mi"}}
    await node.pod("tail /dev/zero", restartPolicy="Never", main={"resources": limits})
    ended = await node.ended()
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137), ended


async def a_user_of_its_own_on_a_root_that_cannot_be_written(node: Node) -> None:
    shield = {"runAsUser": 1234, "runAsGroup": 1235, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    script = (
        "id -u; id -g; id -G; touch /x || echo kept; touch /data/y && stat -c %g /data/y; grep NoNew /proc/1/status"
    )
    await node.pod(f"({script}) >/dev/termination-log 2>/dev/null", restartPolicy="Never",
                   securityContext={"fsGroup": 4321, "runAsNonRoot": True},
                   main={"securityContext": shield, "volumeMounts": [{"name": "d", "mountPath": "/data"}]},
                   volumes=[{"name": "d", "emptyDir": {}}])  # fmt: skip
    words = (await node.reported()).split("\n")
    assert words[:2] == ["1234", "1235"] and set(words[2].split()) == {"1235", "4321"}, words
    assert words[3:5] == ["kept", "4321"] and words[5].split() == ["NoNewPrivs:", "1"], words


async def volumes_in_memory_and_parts_of_volumes(node: Node) -> None:
    await node.create(SECRET, {"metadata": {"name": "s", "namespace": "default"}, "data": {"word": "aGVsbG8="}})
    script = "grep -c ' /mem tmpfs' /proc/mounts; df -k /mem | tail -1 | awk '{print $2}'; cat /part; ls -A /sub"
    await node.pod(f"({script}) >/dev/termination-log 2>&1", restartPolicy="Never",
                   main={"volumeMounts": [
                       {"name": "mem", "mountPath": "/mem"}, {"name": "s", "mountPath": "/part", "subPath": "word"},
                       {"name": "d", "mountPath": "/sub", "subPathExpr": "$(WHO)"}],
                       "env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
                   volumes=[{"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                            {"name": "s", "secret": {"secretName": "s"}}, {"name": "d", "emptyDir": {}}])  # fmt: skip
    assert (await node.reported()).split() == ["1", "1024", "hello"]


async def sidecars_before_and_after(node: Node) -> None:
    """A sidecar starts before the app, outlives it, and does not keep the pod from its end."""
    sidecar = {"name": "side", "image": BUSYBOX, "restartPolicy": "Always", "command": ["sleep", "1000"]}
    await node.pod("exit 0", initContainers=[sidecar], restartPolicy="Never")
    pod = await node.until(lambda pod: pod if status_of(pod or {}, "side")["state"].get("terminated") else None)
    assert pod["status"]["phase"] == "Succeeded"
    side, main = status_of(pod, "side")["state"]["terminated"], status_of(pod)["state"]["terminated"]
    assert side["startedAt"] <= main["startedAt"] and main["finishedAt"] <= side["finishedAt"]


async def an_ephemeral_container_sees_its_target(node: Node) -> None:
    """What `kubectl debug --target` does."""
    await node.pod("exec sleep 1234")
    await node.ready()
    words = "ps >/dev/termination-log"
    debugger = {"name": "debug", "image": BUSYBOX, "targetContainerName": "main", "command": ["sh", "-c", words]}
    body = {"spec": {"ephemeralContainers": [debugger]}}
    await node.api.patch(POD, "web", "default", body, content_type=STRATEGIC_PATCH, subresource="ephemeralcontainers")
    ended = await node.until(lambda pod: status_of(pod or {}, "debug")["state"].get("terminated"))
    assert ended["exitCode"] == 0 and "sleep 1234" in ended["message"], ended


async def a_pod_is_resized_while_it_runs(node: Node) -> None:
    before = {"cpu": "100m", "memory": "32Mi"}
    await node.pod("exec sleep 1000", main={"resources": {"limits": before, "requests": before}})
    pod = await node.ready()
    after = {"cpu": "200m", "memory": "64Mi"}
    body = {"spec": {"containers": [{"name": "main", "resources": {"limits": after, "requests": after}}]}}
    await node.api.patch(POD, "web", "default", body, content_type=STRATEGIC_PATCH, subresource="resize")
    group = CGROUPS / "memory/kubepods" / f"pod{pod['metadata']['uid']}"
    container = status_of(pod)["containerID"].rpartition("/")[2]
    for place in (group, group / container):
        await node.until(lambda _, place=place: _limit(place) == 64 << 20)
    pod = await node.until(
        lambda pod: pod if status_of(pod or {}).get("resources", {}).get("limits") == after else None
    )
    assert status_of(pod)["restartCount"] == 0


def _limit(group: Path) -> int:
    return int((group / "memory.limit_in_bytes").read_text())


async def a_new_agent_adopts_what_runs(node: Node) -> None:
    await node.pod("exec sleep 1000")
    before = status_of(await node.ready())["containerID"]
    await node.replace_agent()
    await node.agent.registered()
    await clock.sleep(1.0)
    after = await node.ready()
    assert (status_of(after)["containerID"], status_of(after)["restartCount"]) == (before, 0)


async def a_killed_container_is_soon_back(node: Node) -> None:
    """The bar of the Go kubelet on such a machine: ready again within 0.65 s; here only that it comes, timed."""
    await node.pod("exec sleep 1000")
    before = status_of(await node.ready())["containerID"]
    main = await node.main()
    begun = time.monotonic()
    await node.agent.runtime.exec_sync(main.id, ("kill", "-9", "1"), timeout_seconds=5)
    await node.agent.runtime.stop_container(main.id, timeout_seconds=0)
    await node.until(lambda pod: pod and is_ready(pod) and status_of(pod)["containerID"] != before)
    print(f"  relaunched in {time.monotonic() - begun:.3f} s", flush=True)


async def a_log_goes_on_after_it_was_rotated(node: Node) -> None:
    await node.pod("while :; do echo a line of some length; sleep 0.01; done")
    await node.ready()
    log = Path((await node.main()).spec.log_path)
    await node.until(lambda _: _size(log) > 4096)
    await node.agent._keeper.look_at_logs()
    await node.until(lambda _: _size(log.with_name("0.log.1")) > 4096 and _size(log) > 0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def a_terminal_and_a_hook_before_the_end(node: Node) -> None:
    """A terminal where the spec asks for one; a preStop hook has its time before the signal."""
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo first >/dev/termination-log"]}}}
    script = "tty; trap 'echo then >>/dev/termination-log; exit 0' TERM; while :; do sleep 0.05; done"
    await node.pod(script, main={"tty": True, "stdin": True, "lifecycle": hook}, terminationGracePeriodSeconds=10)
    uid = (await node.ready())["metadata"]["uid"]
    lines = [line.data async for line in node.agent.runtime.read_log((await node.main()).id, LogSpan())]
    assert lines[0].startswith(b"/dev/pts/"), lines
    words = node.root / "kubelet/pods" / uid / "termination/main/0"
    await node.api.delete(POD, "web", "default")
    # The file is removed with the pod, long after the container has ended: its sandbox is taken down in between.
    said = ""
    while await node.get() is not None:
        said = _text(words) or said
        await clock.sleep(0.005)
    assert said == "first\nthen\n", said


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def a_node_short_of_memory(node: Node) -> None:
    """Pressure is reported to the agent; the pod that is evicted is the engine's own, killed at once."""
    await node.pod("exec sleep 1000", terminationGracePeriodSeconds=60)
    await node.ready()
    node.left["memory.available"] = Signal(1 << 20, 1 << 30)
    await node.agent._keeper.look_at_pressure()
    pod = await node.until(lambda pod: pod if pod and pod["status"].get("phase") == "Failed" else None)
    assert pod["status"]["reason"] == "Evicted", pod["status"]
    assert "Container main was using" in pod["status"]["message"], pod["status"]


async def many_pods_at_once(node: Node) -> None:
    begun, used = time.monotonic(), time.process_time()
    names = [f"web-{place}" for place in range(6)]
    await asyncio.gather(*(node.pod("exec sleep 1000", name=name) for name in names))
    await asyncio.gather(*(node.ready(name) for name in names))
    spent = time.process_time() - used
    print(f"  6 pods ready in {time.monotonic() - begun:.2f} s, {spent:.2f} s of our CPU", flush=True)


async def _report(stories: list[str], root: Path, socket: str) -> None:
    for name in stories:
        node = Node(root / name, socket)
        begun, why = time.monotonic(), ""
        await node.start()
        try:
            await STORIES[name](node)
        except AssertionError:
            why = traceback.format_exc()
        finally:
            await node.stop()
        if _cgroups():
            why += f"left: {_cgroups()}"
        print(json.dumps({"story": name, "why": why, "seconds": round(time.monotonic() - begun, 2)}), flush=True)


Story = Callable[[Node], Awaitable[None]]
STORIES: dict[str, Story] = {story.__name__: story for story in (
    an_ordinary_pod, an_engine_that_ends_a_container_for_its_memory,
    a_user_of_its_own_on_a_root_that_cannot_be_written, volumes_in_memory_and_parts_of_volumes,
    sidecars_before_and_after, an_ephemeral_container_sees_its_target, a_pod_is_resized_while_it_runs,
    a_log_goes_on_after_it_was_rotated, a_terminal_and_a_hook_before_the_end, a_node_short_of_memory,
    a_new_agent_adopts_what_runs, a_killed_container_is_soon_back, many_pods_at_once,
)}  # fmt: skip

if __name__ == "__main__":
    uvloop.run(_report(sys.argv[3:] or list(STORIES), Path(sys.argv[1]), sys.argv[2]))
    os._exit(0)
