"""A node's whole network, from API objects to packets: what is written to an API server is what connections do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from homeostat.api.kinds import ENDPOINTSLICE, NAMESPACE, NODE, SERVICE
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.kernel.nft import NftRules
from homeostat.network.kubeproxy.after_rules import AfterRules
from homeostat.network.kubeproxy.node_proxy import NodeProxy
from homeostat.network.kubeproxy.pod_network import PodNetwork, Site
from homeostat.network.watch.shared_caches import Caches
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User
from tests.support.patience import eventually
from tests.support.wires import Wires, ask

pytestmark = pytest.mark.real

Obj = dict[str, Any]
ADDRESS, CLUSTER_IP = "172.30.0.21", "10.96.0.5"


class Running:
    """An API server and the network of node `a` that follows it, on a loop in the node's namespace."""

    def __init__(self, wires: Wires, conflist: Path) -> None:
        self._conflist = conflist
        self._ready = threading.Event()
        self._thread = wires.nodes["a"].thread(lambda: asyncio.run(self._main()))
        assert self._ready.wait(20)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        store = MemoryStore(MemoryState())
        server = ApiServer(store)
        await store.start()
        await server.start()
        self.client = ApiClient(InProcessTransport([server.handle], User("admin", ("system:masters",))))
        await self.client.create(NAMESPACE, {"metadata": {"name": "default"}})
        caches = Caches(self.client)
        ranges = Ranges(("10.244.0.0/16",), ("10.96.0.0/16",), (ADDRESS,))
        followers = AfterRules((ADDRESS,))
        proxy = NodeProxy(caches, NftRules("a", ranges), "a", followers)
        network = PodNetwork(caches, Site("a", ADDRESS, "10.244.0.0/16", self._conflist))
        network.start()
        proxy.start()
        caches.start()
        await proxy.synced.wait()
        self._ready.set()
        await self._stop.wait()
        await proxy.stop()
        await network.stop()
        await caches.stop()
        await followers.close()
        await server.stop()

    def create(self, kind: Any, obj: Obj) -> Obj:
        made: Future[Obj] = asyncio.run_coroutine_threadsafe(self.client.create(kind, obj), self._loop)
        return made.result(10)

    def update(self, kind: Any, obj: Obj) -> Obj:
        made: Future[Obj] = asyncio.run_coroutine_threadsafe(self.client.update(kind, obj), self._loop)
        return made.result(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


@pytest.fixture
def wires() -> Iterator[Wires]:
    made = Wires()
    yield made
    made.close()


def service() -> Obj:
    ports = [{"name": "web", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": CLUSTER_IP, "ports": ports}}


def piece(*addresses: str) -> Obj:
    labels = {"kubernetes.io/service-name": "web"}
    return {
        "metadata": {"name": "web-x", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
    }


def node(name: str, address: str, pods: str) -> Obj:
    status = {"addresses": [{"type": "InternalIP", "address": address}]}
    return {"metadata": {"name": name}, "spec": {"podCIDR": pods, "podCIDRs": [pods]}, "status": status}


def test_connections_follow_the_objects_of_the_api(wires: Wires, tmp_path: Path) -> None:
    client = wires.pod("a", port=0)[0]
    first, second = wires.pod("a")[1], wires.pod("b")[1]
    conflist = tmp_path / "net.d" / "10-homeostat.conflist"
    running = Running(wires, conflist)
    running.create(SERVICE, service())
    eventually(lambda: ask(client, CLUSTER_IP) == "refused")
    made = running.create(ENDPOINTSLICE, piece(first))
    eventually(lambda: ask(client, CLUSTER_IP) == f"{first} 10.244.1.2")
    made["endpoints"] = piece(second)["endpoints"]
    made = running.update(ENDPOINTSLICE, made)
    eventually(lambda: ask(client, CLUSTER_IP) == f"{second} 10.244.1.2")
    # The nodes say where Pods are: routes to the others', the plugins' configuration for our own.
    running.create(NODE, node("a", ADDRESS, "10.244.1.0/24"))
    running.create(NODE, node("c", "172.30.0.23", "10.244.3.0/24"))
    eventually(lambda: "10.244.3.0/24 via 172.30.0.23" in wires.nodes["a"].run("ip", "route"))
    eventually(lambda: conflist.exists() and "10.244.1.0/24" in conflist.read_text())
    running.stop()
    # What is in the kernel outlives the process.
    assert ask(client, CLUSTER_IP) == f"{second} 10.244.1.2"
