"""The agent with real processes: environments, volumes, logs, probes, kills, adoption, and nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from homeostat.api.kinds import CONFIGMAP, EVENT, NAMESPACE, POD, SECRET, SERVICE, Kind
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.node.agent import NodeAgent
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.children.processes import start_ticks
from homeostat.runtime.process.process_runtime import ProcessRuntime
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import Request, User

from .conftest import is_ready, state, status_of

pytestmark = pytest.mark.real
Obj = dict[str, Any]


class Real:
    """One node of real processes under `root`, with an API in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MemoryStore(MemoryState())
        self.server = ApiServer(self.store)
        self.api = ApiClient(InProcessTransport([self.server.handle], User("admin", ("system:masters",))))
        self.manifests = root / "manifests"
        self.manifests.mkdir()
        self.agent = self._agent()

    def _agent(self) -> NodeAgent:
        client = ApiClient(InProcessTransport([self.server.handle], User("system:node:n1", ("system:nodes",))))
        runtime = ProcessRuntime(self.root / "runtime", pod_cidr="127.78.5.0/24", node_address="127.0.0.1")
        config = NodeConfig(name="n1", address="127.0.0.1", root=self.root / "node", static_pod_dir=self.manifests)
        return NodeAgent(config, client, runtime)

    async def replace_agent(self) -> None:
        await self.agent.stop()
        self.agent = self._agent()
        await self.agent.start()

    async def create(self, kind: Kind, name: str, **body: Any) -> Obj:
        metadata = {"name": name, "namespace": "default"} if kind.namespaced else {"name": name}
        return await self.api.create(
            kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}
        )

    async def pod(self, script: str, name: str = "web", container: Obj | None = None, **spec: Any) -> Obj:
        main = {"name": "main", "image": "none", "command": ["/bin/sh", "-c", script], **(container or {})}
        return await self.create(POD, name, spec={"nodeName": "n1", "containers": [main], **spec})

    async def until(self, check: Callable[[Obj], Any], name: str = "web") -> Obj:
        pod: Obj = {}
        try:
            async with asyncio.timeout(20):
                while True:
                    pod = await self.api.get(POD, name, "default")
                    if check(pod):
                        return pod
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"never so: {json.dumps(pod['status'], indent=1)}") from None

    async def log(self, name: str = "web", **query: str) -> str:
        request = Request("GET", f"/containerLogs/default/{name}/main", query)
        response = await NodeServer(self.agent).answer(request)
        body = response.body
        text = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        assert response.status == 200, text
        return text.decode()

    def pids(self) -> list[dict[str, int]]:
        return [json.loads(path.read_bytes()) for path in self.root.glob("runtime/containers/*/pid.json")]


def play(tmp_path: Path, story: Callable[[Real], Awaitable[None]]) -> None:
    async def main() -> None:
        real = Real(tmp_path)
        await real.store.start()
        await real.server.start()
        await real.create(NAMESPACE, "default")
        await real.agent.start()
        try:
            await story(real)
        finally:
            pids = real.pids()
            await real.agent.stop(stop_containers=True)
            await real.server.stop()
        assert [entry for entry in pids if start_ticks(entry["pid"])] == []
        async with asyncio.timeout(5):
            while any(start_ticks(entry["shim"]) for entry in pids):
                await asyncio.sleep(0.005)

    uvloop.run(main())


def test_environment_and_volumes_reach_the_process(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.create(CONFIGMAP, "settings", data={"colour": "blue", "size": "3"})
        await real.create(SECRET, "keys", data={"token": base64.b64encode(b"s3cret").decode()})
        await real.create(SERVICE, "db", spec={"clusterIP": "127.79.0.9", "ports": [{"port": 5432}]})
        container = {
            "env": [
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
                {"name": "GREETING", "value": "$(cm_colour) at $(POD_IP) $(UNKNOWN)"},
            ],
            "envFrom": [{"prefix": "cm_", "configMapRef": {"name": "settings"}}],
            "volumeMounts": [
                {"name": "conf", "mountPath": "/etc/app"},
                {"name": "scratch", "mountPath": "/scratch"},
                {"name": "me", "mountPath": "/etc/me"},
            ],
        }
        volumes = [
            {"name": "conf", "configMap": {"name": "settings", "items": [{"key": "size", "path": "deep/size"}]}},
            {"name": "scratch", "emptyDir": {}},
            {
                "name": "me",
                "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]},
            },
        ]
        script = (
            "echo $GREETING; echo $TOKEN; echo $DB_SERVICE_HOST:$DB_PORT_5432_TCP_PORT; cat /etc/app/deep/size; echo; "
            "cat $HOMEOSTAT_ROOT/etc/me/name; echo; echo x > scratch/file; cat scratch/file; exec sleep 100"
        )
        await asyncio.sleep(0.1)
        await real.pod(script, container=container, volumes=volumes)
        pod = await real.until(is_ready)
        ip = pod["status"]["podIP"]
        async with asyncio.timeout(5):
            while (text := await real.log()).count("\n") < 6:
                await asyncio.sleep(0.01)
        assert text.splitlines() == [f"blue at {ip} $(UNKNOWN)", "s3cret", "127.79.0.9:5432", "3", "web", "x"]

    play(tmp_path, story)


def test_a_killed_process_is_relaunched_ready_again_in_a_moment(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        script = (
            "echo up $(date +%N); exec python3 -S -c 'import socket,os; s=socket.socket(); "
            's.bind((os.environ["POD_IP"], 8099)); s.listen(); [s.accept() for _ in iter(int, 1)]\''
        )
        container = {
            "readinessProbe": {"tcpSocket": {"port": 8099}},
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        }
        await real.pod(script, container=container)
        await real.until(is_ready)
        begun = time.monotonic()
        os.kill(real.pids()[0]["pid"], signal.SIGKILL)
        pod = await real.until(lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod))
        print(f"ready again after {time.monotonic() - begun:.3f} s")
        assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 137
        assert (await real.log(previous="true")).startswith("up ")
        assert await real.log(previous="true") != await real.log()

    play(tmp_path, story)


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.create(POD, "imageless", spec={"nodeName": "n1", "containers": [{"name": "main", "image": "nginx"}]})
        pod = await real.until(lambda pod: state(pod).get("waiting", {}).get("message"), "imageless")
        assert state(pod)["waiting"]["reason"] == "CreateContainerError"
        assert "this runtime has no images" in state(pod)["waiting"]["message"]
        await real.pod("", "mistyped", container={"command": ["no-such-thing"]})
        pod = await real.until(lambda pod: status_of(pod).get("lastState", {}).get("terminated"), "mistyped")
        ended = status_of(pod)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        assert 'exec: "no-such-thing": executable file not found in $PATH' in ended["message"]
        source = {"configMapKeyRef": {"name": "nope", "key": "x"}}
        await real.pod("true", "needy", container={"env": [{"name": "X", "valueFrom": source}]})
        pod = await real.until(lambda pod: state(pod).get("waiting", {}).get("message"), "needy")
        assert state(pod)["waiting"] == {
            "reason": "CreateContainerConfigError",
            "message": 'configmap "nope" not found',
        }
        await real.create(CONFIGMAP, "nope", data={"x": "1"})
        await real.until(lambda pod: "running" in state(pod) or "terminated" in state(pod), "needy")

    play(tmp_path, story)


def test_an_unsupported_volume_is_named(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.pod("true", volumes=[{"name": "disk", "persistentVolumeClaim": {"claimName": "c"}}])
        wanted = "volumes of type persistentVolumeClaim are not supported by this node"
        async with asyncio.timeout(5):
            while not any(wanted in event["message"] for event in (await real.api.list(EVENT, "default")).items):
                await asyncio.sleep(0.02)
        assert state(await real.until(lambda pod: state(pod)))["waiting"]["reason"] == "ContainerCreating"

    play(tmp_path, story)


def test_an_agent_that_dies_is_replaced_and_its_processes_are_not_touched(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.pod("exec sleep 100")
        before = await real.until(is_ready)
        pids = real.pids()
        await real.replace_agent()
        await asyncio.sleep(0.3)
        after = await real.until(is_ready)
        assert real.pids() == pids
        assert status_of(after)["containerID"] == status_of(before)["containerID"]
        os.kill(pids[0]["pid"], signal.SIGKILL)
        await real.until(lambda pod: status_of(pod)["restartCount"] == 1)

    play(tmp_path, story)


def test_a_deleted_pod_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.pod("trap 'exit 0' TERM; setsid sleep 1000 & wait", volumes=[{"name": "v", "emptyDir": {}}])
        await real.until(is_ready)
        pids = real.pids()
        await real.api.delete(POD, "web", "default")
        async with asyncio.timeout(10):
            while list((tmp_path / "node" / "pods").iterdir()) or list((tmp_path / "runtime/containers").iterdir()):
                await asyncio.sleep(0.01)
        assert not any(start_ticks(entry["pid"]) for entry in pids)

    play(tmp_path, story)


def test_the_last_words_of_a_container_are_in_its_status(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        script = "echo spoken; printf written > dev/termination-log; exit 2"
        await real.pod(script, "writer", restartPolicy="Never")
        policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
        await real.pod("echo spoken; exit 2", "speaker", container=policy, restartPolicy="Never")
        for name, message in (("writer", "written"), ("speaker", "spoken")):
            pod = await real.until(lambda pod: pod["status"].get("phase") == "Failed", name)
            assert state(pod)["terminated"]["message"] == message

    play(tmp_path, story)


def test_logs_can_be_followed_and_limited(tmp_path: Path) -> None:
    async def story(real: Real) -> None:
        await real.pod("for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done", restartPolicy="Never")
        await real.until(lambda pod: state(pod).get("running") or state(pod).get("terminated"))
        followed = await real.log(follow="true")
        assert followed.splitlines() == [f"line {i}" for i in range(1, 6)]
        assert await real.log(tailLines="2") == "line 4\nline 5\n"
        assert await real.log(limitBytes="8") == "line 1\nl"
        stamped = (await real.log(timestamps="true", tailLines="1")).split(" ", 1)
        assert stamped[1] == "line 5\n"
        assert stamped[0].endswith("Z")
        assert await real.log(sinceTime="2100-01-01T00:00:00Z") == ""

    play(tmp_path, story)
