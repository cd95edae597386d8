"""The only place that wires rooms together: each component of a lab, from its parts, in a process of its own.

`run_component(argv)` is what the warm parent's forks run: `kube-apiserver --state=FOLDER --node=NODE` and so on.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from homeostat.api.errors import ApiError
from homeostat.api.flags import Settings
from homeostat.api.types import Obj
from homeostat.apiserver.edge import EdgeConfig, build_edge
from homeostat.apiserver.server import ApiServer
from homeostat.apiserver.settings import Settings as ServerSettings
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.controllers.registry import all_loops
from homeostat.kit import chance, log, tasks
from homeostat.lab import certificates
from homeostat.lab.certificates import Identity
from homeostat.lab.launcher import WarmLauncher
from homeostat.lab.relay import Backend, Check, Relay, bound, watch_health
from homeostat.lab.state import Folder
from homeostat.lab.topology import (
    API_PORT,
    CONTROL_PLANE_TAINT,
    KUBELET_BEHIND_PORT,
    KUBELET_PORT,
    UPLINK_PORT,
    Cluster,
    Node,
)
from homeostat.lab.uplink import Uplinks, serve_orders
from homeostat.loop.election import Election, Timing
from homeostat.loop.manager import Manager
from homeostat.network.applier import Applier
from homeostat.network.proxy import ServiceProxy
from homeostat.node.agent import NodeAgent
from homeostat.node.config import NodeConfig
from homeostat.node.machine import this_machine
from homeostat.node.server import NodeServer
from homeostat.runtime.contract import Runtime
from homeostat.runtime.process import ProcessOptions, ProcessRuntime
from homeostat.scheduler.scheduler import Scheduler
from homeostat.store.contract import Store
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore
from homeostat.wire.message import Handler, Request, Response
from homeostat.wire.server import serve

Work = Callable[["Place", asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a component runs: its cluster and its node (none for the network process)."""

    folder: Folder
    cluster: Cluster
    node: Node | None
    sockets: dict[str, socket.socket]

    @property
    def settings(self) -> Settings:
        """The cluster's component flags."""
        return self.cluster.flags

    def here(self) -> Node:
        """The node of a component that has one."""
        assert self.node is not None
        return self.node

    def client(self, identity: Identity) -> Client:
        """A client over this node's uplink."""
        tls = certificates.client_context(self.folder.pki, identity)
        return ApiClient(HttpTransport([self.here().uplink], tls=tls), user_agent=identity.common_name)


def run_component(argv: list[str], sockets: dict[str, socket.socket]) -> int:
    """Run one component until SIGTERM; the exit code. `sockets` are those that the supervisor holds for it."""
    options = dict(word.removeprefix("--").split("=", 1) for word in argv[1:])
    folder = Folder(Path(options["state"]))
    cluster = folder.load()
    node = cluster.node(options["node"]) if "node" in options else None
    work = _WORK[argv[0]]
    log.configure()
    uvloop.run(_until_told(work, Place(folder, cluster, node, sockets)))
    return 0


async def _until_told(work: Work, place: Place) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(place, stop)


async def _apiserver(place: Place, stop: asyncio.Event) -> None:
    node = place.here()
    store = _store(place)
    await store.start()
    server = ApiServer(store, settings=_server_settings(place.settings), parts=build_edge(_edge_config(place)))
    await server.start()
    tls = certificates.server_context(place.folder.pki, f"apiserver-{node.name}")
    edge = await serve(server.handle, host=node.address, port=API_PORT, tls=tls)
    await stop.wait()
    await edge.close()
    await server.stop()
    await store.close()


def _store(place: Place) -> Store:
    if place.cluster.store == "memory":
        return MemoryStore()
    return SqliteStore(place.folder.store)


def _server_settings(flags: Settings) -> ServerSettings:
    return ServerSettings(
        max_requests_inflight=flags.integer("apiserver", "max-requests-inflight"),
        max_mutating_requests_inflight=flags.integer("apiserver", "max-mutating-requests-inflight"),
        request_timeout_seconds=flags.duration("apiserver", "request-timeout"),
        min_request_timeout_seconds=flags.integer("apiserver", "min-request-timeout"),
        event_ttl_seconds=flags.duration("apiserver", "event-ttl"),
        compaction_interval_seconds=flags.duration("apiserver", "etcd-compaction-interval"),
    )


def _edge_config(place: Place) -> EdgeConfig:
    flags = place.settings
    transports: dict[str, HttpTransport] = {}
    tls = certificates.client_context(place.folder.pki, certificates.KUBELET_CLIENT)

    def dial_kubelet(node: Obj) -> Handler:
        host = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        url = f"https://{host}:{port}"
        if url not in transports:
            transports[url] = HttpTransport([url], tls=tls)
        transport = transports[url]

        async def send(request: Request) -> Response:
            return await transport.send(request, repeatable=True)

        return send

    return EdgeConfig(
        service_account_key=certificates.service_account_key(place.folder.pki).decode(),
        advertise_host=place.here().address,
        advertise_port=API_PORT,
        service_cluster_ip_range=flags.text("apiserver", "service-cluster-ip-range"),
        service_node_port_range=flags.text("apiserver", "service-node-port-range"),
        default_not_ready_toleration_seconds=flags.integer("apiserver", "default-not-ready-toleration-seconds"),
        default_unreachable_toleration_seconds=flags.integer("apiserver", "default-unreachable-toleration-seconds"),
        dial_kubelet=dial_kubelet,
    )


async def _controller_manager(place: Place, stop: asyncio.Event) -> None:
    client = place.client(certificates.CONTROLLER_MANAGER)
    loops = all_loops(place.settings, ca_pem=certificates.ca_pem(place.folder.pki))
    manager = Manager(client, loops, "controller-manager", host=place.here().name)
    await manager.warm()
    await _lead(place, client, "kube-controller-manager", manager.start, manager.stop_loops, stop)
    await manager.stop()
    await client.close()


async def _scheduler(place: Place, stop: asyncio.Event) -> None:
    client = place.client(certificates.SCHEDULER)
    scheduler = Scheduler(client, place.settings, host=place.here().name)
    await scheduler.warm()
    await _lead(place, client, "kube-scheduler", scheduler.start, scheduler.stop_deciding, stop)
    await scheduler.stop()
    await client.close()


async def _lead(
    place: Place,
    client: Client,
    name: str,
    start: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Take part in the election for `name` until told to stop; lead with `start`, let go with `end`."""
    component = name.removeprefix("kube-")
    timing = Timing(
        lease_seconds=place.settings.duration(component, "leader-elect-lease-duration"),
        renew_deadline_seconds=place.settings.duration(component, "leader-elect-renew-deadline"),
        retry_seconds=place.settings.duration(component, "leader-elect-retry-period"),
    )
    election = Election(client, name=name, identity=f"{place.here().name}_{chance.uuid4()}", timing=timing)

    async def started() -> None:
        await start()
        await asyncio.Event().wait()

    running = tasks.spawn(election.run(started, end), name=f"{name}/election")
    await stop.wait()
    await election.stop()
    await tasks.stop(running)


async def _kubelet(place: Place, stop: asyncio.Event) -> None:
    node = place.here()
    client = place.client(certificates.kubelet(node))
    folder = place.folder.node(node.name)
    config = NodeConfig(
        name=node.name,
        address=node.address,
        root=folder,
        pod_cidr=node.pod_cidr,
        static_pod_dir=folder / "manifests" if node.control_plane else None,
        taints=(CONTROL_PLANE_TAINT,) if node.control_plane else (),
        roles=("control-plane",) if node.control_plane else ("worker",),
        port=KUBELET_PORT,
        settings=place.settings,
    )
    agent = NodeAgent(config, client, _runtime(place), this_machine(folder))
    await agent.start()
    tls = certificates.server_context(place.folder.pki, f"kubelet-server-{node.name}")
    server = await serve(NodeServer(agent).handle, host=node.address, port=KUBELET_BEHIND_PORT, tls=tls)
    await stop.wait()
    await server.close(grace_seconds=1.0)
    await agent.stop()
    await client.close()


def _runtime(place: Place) -> Runtime:
    node = place.here()
    # The control plane is real on every runtime: somebody has to serve the API.
    if place.cluster.runtime == "simulated" and not node.control_plane:
        from homeostat.runtime.simulated import SimulatedRuntime

        return SimulatedRuntime(pod_cidr=node.pod_cidr, node_address=node.address)
    options = ProcessOptions(
        log_bytes_max=place.settings.integer("kubelet", "container-log-max-size"),
        log_files_max=place.settings.integer("kubelet", "container-log-max-files"),
        die_with_parent=True,
    )
    return ProcessRuntime(
        place.folder.runtime(node.name),
        pod_cidr=node.pod_cidr,
        node_address=node.address,
        launcher=WarmLauncher(place.folder.supervisor_socket),
        options=options,
    )


async def _network(place: Place, stop: asyncio.Event) -> None:
    """The lab's wires: the relay to the API servers, every node's uplink, and the service proxy."""
    cluster = place.cluster
    uplinks = Uplinks((node.name for node in cluster.nodes()), place.folder.path / "uplinks.json")
    servers = [Backend(node.name, node.address, API_PORT) for node in cluster.masters()]
    outside = Relay(uplinks, servers)
    await outside.listen(place.sockets["api"])
    relays = [outside]
    for node in cluster.nodes():
        relays += await _node_relays(uplinks, servers, node)
    orders = await serve_orders(place.folder.network_socket, uplinks)
    own = ApiClient(
        HttpTransport([f"https://127.0.0.1:{cluster.api_port}"], tls=_proxy_tls(place)), user_agent="kube-proxy"
    )
    addresses = {"": "127.0.0.1", **{node.name: node.address for node in cluster.nodes()}}
    proxy = ServiceProxy(own, Applier(uplinks), addresses)
    await proxy.start()
    health = tasks.spawn(watch_health(servers, _checker(place, uplinks), outside.drop), name="relay/health")
    await stop.wait()
    orders.close()
    await tasks.stop(health)
    await proxy.stop()
    for relay in relays:
        await relay.close()


async def _node_relays(uplinks: Uplinks, servers: list[Backend], node: Node) -> list[Relay]:
    """The node's way out to the API, and the way in to its kubelet."""
    way_out = Relay(uplinks, servers, origin=node.name)
    await way_out.listen(bound(node.address, UPLINK_PORT))
    way_in = Relay(uplinks, [Backend(node.name, node.address, KUBELET_BEHIND_PORT)])
    await way_in.listen(bound(node.address, KUBELET_PORT))
    return [way_out, way_in]


def _proxy_tls(place: Place) -> ssl.SSLContext:
    return certificates.client_context(place.folder.pki, certificates.PROXY)


def _checker(place: Place, uplinks: Uplinks) -> Check:
    """A health check of one API server: its /readyz, across its uplink, within a second."""
    tls = _proxy_tls(place)
    transports: dict[Backend, HttpTransport] = {}

    async def check(server: Backend) -> bool:
        if uplinks.is_cut(server.node):
            return False
        transport = transports.get(server)
        if transport is None:
            transport = transports[server] = HttpTransport([f"https://{server.host}:{server.port}"], tls=tls)
        try:
            async with asyncio.timeout(1.0):
                return (await transport.send(Request("GET", "/readyz"), repeatable=False)).status == 200
        except (ApiError, TimeoutError):
            return False

    return check


_WORK: dict[str, Work] = {
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kubelet": _kubelet,
    "homeostat-network": _network,
}
