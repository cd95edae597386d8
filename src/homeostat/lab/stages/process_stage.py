"""A lab as a stage for drills: faults are signals to processes and cuts of uplinks; requests come from the host."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import orjson

from homeostat.api.kinds import POD, SERVICE
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.processes.orders import ask_async

_APP_NAMESPACE, _APP = "default", "hello"
_ORDER_SECONDS = 60.0


class LabStage:
    """Implements `drill.contract.Stage` for a running lab. `probe` sends one read to the API on a fresh connection."""

    def __init__(self, folder: Folder, client: Client, probe: Callable[[], Awaitable[None]]) -> None:
        self._folder = folder
        self._client = client
        self._probe = probe
        self._app: tuple[str, int] | None = None

    @property
    def client(self) -> Client:
        """An administrator's client."""
        return self._client

    async def kill_container(self, namespace: str, pod: str, container: str) -> str:
        """SIGKILL to the root process that the pod's status names."""
        found = await self._client.get(POD, pod, namespace)
        for status in (found.get("status") or {}).get("containerStatuses") or []:
            if status["name"] == container:
                container_id = str(status["containerID"]).rpartition("/")[2]
                return await self._kill(found["spec"]["nodeName"], container_id)
        raise LabError(f"pod {namespace}/{pod} runs no container {container}")

    async def _kill(self, node: str, container_id: str) -> str:
        pid = self._process(node, container_id)
        os.kill(pid, signal.SIGKILL)
        return f"kill -9 {pid}"

    def _process(self, node: str, container_id: str) -> int:
        file = self._folder.containers(node) / container_id / "pid.json"
        try:
            return int(orjson.loads(file.read_bytes())["pid"])
        except (OSError, KeyError, orjson.JSONDecodeError) as error:
            raise LabError(f"container {container_id} on {node} has no process: {error}") from error

    async def kill_agent(self, node: str) -> str:
        """SIGKILL to the kubelet; what it runs continues."""
        status = await ask_async(self._folder.supervisor_socket, Order("status"))
        for child in status["children"]:
            if child["node"] == node and child["pid"]:
                os.kill(child["pid"], signal.SIGKILL)
                return f"kill -9 {child['pid']}"
        raise LabError(f"no kubelet runs on {node}")

    async def cut(self, node: str, *, seconds: float) -> str:
        """Cut the uplink."""
        await ask_async(self._folder.network_socket, Order("cut", node=node, seconds=seconds))
        return f"homeostat node cut {node}"

    async def heal(self, node: str) -> str:
        """Join the uplink."""
        await ask_async(self._folder.network_socket, Order("heal", node=node))
        return f"homeostat node heal {node}"

    async def power_off(self, node: str) -> str:
        """SIGKILL to the kubelet and to every container of the node."""
        order = Order("stop-node", node=node, power=True)
        await ask_async(self._folder.supervisor_socket, order, timeout_seconds=_ORDER_SECONDS)
        return f"power off: kill -9 to all of {node}"

    async def power_on(self, node: str) -> str:
        """Start the kubelet again."""
        await ask_async(self._folder.supervisor_socket, Order("start-node", node=node))
        return f"homeostat node start {node}"

    async def ask_app(self) -> None:
        """GET / of the app's Service from outside, on a connection of its own."""
        if self._app is None:
            self._app = self._address((await self._client.get(SERVICE, _APP, _APP_NAMESPACE))["spec"])
        status = await http_get(*self._app)
        if status != 200:
            raise ConnectionError(f"the app answered {status}")

    def _address(self, spec: Obj) -> tuple[str, int]:
        return spec["clusterIP"], int(spec["ports"][0]["port"])

    async def ask_api(self) -> None:
        """One read through the relay, on a connection of its own."""
        await self._probe()


async def http_get(host: str, port: int, path: str = "/") -> int:
    """The status of a plain GET on a fresh connection, its body read to the end. Raises OSError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        while not reader.at_eof():
            answer += await reader.read()
    finally:
        writer.close()
    parts = answer.split(None, 2)
    if len(parts) < 2 or not parts[1].isdigit():
        raise ConnectionResetError("the connection closed before an answer")
    return int(parts[1])
