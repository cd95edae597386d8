"""An API server, a kubelet and its agent over a real runtime, as kubectl meets them: TLS everywhere.

`python -m tests.streams.world ROOT SOCKET`, run inside the engine's namespaces (`tests.support.enginehost`), writes
ROOT/kubeconfig, makes the Pod `web`, says `ready` when that is, and ends with its standard input. With an empty SOCKET
the runtime is that of plain processes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import uvloop

from homeostat.api.kinds import NODE, POD, SERVICEACCOUNT
from homeostat.api.types import Obj
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.client.api_client import ApiClient
from homeostat.client.direct import ask_through
from homeostat.client.http import HttpTransport
from homeostat.client.in_process import InProcessTransport
from homeostat.lab.images.stock import BUSYBOX
from homeostat.node.agent import NodeAgent
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.serve.kubelet_server import API_SERVER, NodeServer
from homeostat.runtime.contract import Runtime
from homeostat.runtime.cri.cri_runtime import CriRuntime
from homeostat.runtime.process.process_runtime import ProcessRuntime
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire import pki
from homeostat.wire.fields import is_upgrade
from homeostat.wire.http_server import Server, serve
from homeostat.wire.message import Handler, Request, Response, User
from homeostat.wire.tls import client_context, server_context

TOKEN, READER = "admin-token", "reader-token"
# The API server connects to no node at 127.0.0.1.
NODE_ADDRESS = "127.78.0.1"
TICKER: Obj = {"name": "ticker", "command": ["sh", "-c", "while sleep 0.1; do echo tick; done"]}
ATTACHABLE: list[Obj] = [
    {"name": "term", "command": ["sh"], "stdin": True, "tty": True},
    {"name": "echo", "command": ["cat"], "stdin": True},
]


def contained(root: Path) -> list[Obj]:
    """The containers of a Pod with images."""
    serve = "mkdir /site; echo page >/site/index.html; exec httpd -f -p 8080 -h /site"
    made: list[Obj] = [
        {"name": "main", "command": ["sh", "-c", serve]},
        TICKER,
        *ATTACHABLE,
    ]
    return [{"image": BUSYBOX, "imagePullPolicy": "Never", **container} for container in made]


def plain(root: Path) -> list[Obj]:
    """The containers of a Pod of plain processes, which see the host's files."""
    site = root / "site"
    serve = f"mkdir {site}; echo page >{site}/index.html; exec {sys.executable} -m http.server 8080 -b $IP -d {site}"
    address = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 1}
    main = {"name": "main", "command": ["sh", "-c", serve], "env": [address], "readinessProbe": probe}
    return [{"image": "none", **container} for container in (main, TICKER, *ATTACHABLE)]


class World:
    """See the module."""

    def __init__(self, root: Path, runtime: Runtime) -> None:
        self.root = root
        self.containers = (plain if runtime.name == "process" else contained)(root)
        self.authority = pki.make_authority("streams")
        self.write("ca.crt", self.authority.certificate)
        store = MemoryStore(MemoryState())
        users = {
            TOKEN: User("admin", ("system:masters", "system:authenticated")),
            READER: User("reader", ("system:authenticated",)),
        }
        config = EdgeConfig(
            service_account_key=pki.issue(self.authority, "sa", client=True).key.decode(),
            static_tokens=users,
            dial_kubelet=self.dial_kubelet,
            dial_endpoint=ask_through,
            loopback_nodes=True,
        )
        self.store = store
        self.server = ApiServer(store, parts=build_edge(config))
        self.api = ApiClient(InProcessTransport([self.server.handle], users[TOKEN]))
        self.agent = self.make_agent(runtime)
        self.kubelet: HttpTransport

    def make_agent(self, runtime: Runtime) -> NodeAgent:
        client = ApiClient(InProcessTransport([self.server.handle], User("system:node:n1", ("system:nodes",))))
        config = NodeConfig(name="n1", address=NODE_ADDRESS, root=self.root / "kubelet")
        return NodeAgent(config, client, runtime)

    def write(self, name: str, data: bytes) -> Path:
        (self.root / name).write_bytes(data)
        return self.root / name

    def pair(self, name: str, **what: bool) -> tuple[Path, Path]:
        names = ["127.0.0.1"] if what.get("server") else []
        made = pki.issue(self.authority, name, names=names, **what)
        return self.write(f"{name}.crt", made.certificate), self.write(f"{name}.key", made.key)

    def dial_kubelet(self, node: Obj) -> Handler:
        async def send(request: Request) -> Response:
            return await self.kubelet.send(request, repeatable=not is_upgrade(request))

        return send

    async def start(self) -> Server:
        await self.store.start()
        await self.server.start()
        while not await self.there("/api/v1/namespaces/default"):
            await asyncio.sleep(0.01)
        await self.api.create(SERVICEACCOUNT, {"metadata": {"name": "default", "namespace": "default"}})
        await self.agent.start()
        certificate, key = self.pair("kubelet", server=True)
        tls = server_context(certificate, key, client_ca=self.root / "ca.crt")
        kubelet = await serve(NodeServer(self.agent).handle, tls=tls)
        certificate, key = self.pair(API_SERVER, client=True)
        mine = client_context(self.root / "ca.crt", certificate=certificate, key=key)
        self.kubelet = HttpTransport([f"https://127.0.0.1:{kubelet.port}"], tls=mine)
        certificate, key = self.pair("apiserver", server=True)
        return await serve(self.server.handle, tls=server_context(certificate, key))

    async def there(self, path: str) -> bool:
        return (await self.server.handle(Request("GET", path, user=User("admin", ("system:masters",))))).status == 200

    async def pods(self) -> None:
        while not (await self.api.list(NODE)).items:
            await asyncio.sleep(0.01)
        spec = {"nodeName": "n1", "containers": self.containers, "terminationGracePeriodSeconds": 0}
        spec["automountServiceAccountToken"] = False  # nobody publishes the CA here
        metadata = {"name": "web", "namespace": "default"}
        await self.api.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        while not self.ready(await self.api.get(POD, "web", "default")):
            await asyncio.sleep(0.05)

    def ready(self, pod: Obj) -> bool:
        statuses: list[dict[str, Any]] = (pod.get("status") or {}).get("containerStatuses") or []
        return len(statuses) == len(self.containers) and all(status["ready"] for status in statuses)

    def kubeconfig(self, port: int) -> None:
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.root / "ca.crt")}
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        self.write("kubeconfig", orjson.dumps(made))

    async def stop(self) -> None:
        await self.agent.stop(stop_containers=True)
        await self.server.stop()


async def main(root: Path, socket: str) -> None:
    if socket:
        runtime: Runtime = CriRuntime(socket, node_address=NODE_ADDRESS)
    else:
        # Worlds of other test processes have addresses of their own.
        cidr = f"127.79.{os.getpid() % 250}.0/24"
        runtime = ProcessRuntime(root / "runtime", pod_cidr=cidr, node_address=NODE_ADDRESS)
    world = World(root, runtime)
    edge = await world.start()
    try:
        await world.pods()
        world.kubeconfig(edge.port)
        print("ready", edge.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        await edge.close(grace_seconds=0)
        await world.stop()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
