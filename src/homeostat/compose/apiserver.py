"""The API server of one master."""

from __future__ import annotations

import asyncio

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.podsecurity import configuration as podsecurity
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.apiserver.settings import Settings as ServerSettings
from homeostat.client.direct import ask_through
from homeostat.cluster import certificates
from homeostat.compose.shared.kubelet_clients import Kubelets
from homeostat.compose.shared.node_sites import site_of
from homeostat.compose.shared.place import Place
from homeostat.compose.shared.without_store import Storeless
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.store.contract import Store, Unavailable
from homeostat.store.memory import MemoryStore
from homeostat.store.sqlite import SqliteStore
from homeostat.wire.http_server import Server, serve

_STORE_RETRY_SECONDS = 0.5
# A store that boots as well is there within this time, and clients wait for it. Later they get an answer.
_STORE_PATIENCE_SECONDS = 15.0
_log = logger("apiserver")


async def run(place: Place, stop: asyncio.Event) -> None:
    """Serve the API on the node's address until stopped."""
    node = place.here()
    store = _store(place)
    front = Storeless()

    async def listen() -> Server:
        tls = certificates.server_context(place.folder.pki, f"apiserver-{node.name}")
        host = site_of(place).api_host
        return await serve(front.handle, host=host, port=place.cluster.api_server_port, tls=tls, bodies_on_demand=True)

    opening = tasks.spawn(_open(place, store, stop), name="apiserver/store")
    await asyncio.wait((opening,), timeout=_STORE_PATIENCE_SECONDS)
    edge = None if opening.done() else await listen()
    await opening
    if not stop.is_set():
        server = ApiServer(store, settings=_server_settings(place.settings), parts=build_edge(_edge_config(place)))
        await server.start()
        front.server = server.handle
        edge = edge or await listen()
        await stop.wait()
        await edge.close()
        await server.stop()
        await store.close()
    elif edge is not None:
        await edge.close()


def _store(place: Place) -> Store:
    if place.cluster.store == "memory":
        return MemoryStore()
    if place.cluster.store == "etcd":
        from homeostat.compose.shared import etcd_members
        from homeostat.store.etcd.store import EtcdStore

        return EtcdStore(
            etcd_members.endpoints(place.cluster, place.here()), tls=etcd_members.client_files(place.folder.pki)
        )
    return SqliteStore(site_of(place).sqlite_file)


async def _open(place: Place, store: Store, stop: asyncio.Event) -> None:
    """Open the store. One that has no quorum yet is waited for: its members may be booting as well."""
    if place.cluster.store == "etcd":
        from homeostat.compose.shared import etcd_restore

        await etcd_restore.finish(place, stop)
    while not stop.is_set():
        try:
            await store.start()
            return
        except Unavailable as error:
            _log.warning("%s", error)
            await clock.sleep(_STORE_RETRY_SECONDS)


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
    kubelets = Kubelets(certificates.client_context(place.folder.pki, certificates.KUBELET_CLIENT))
    masters = frozenset(node.name for node in place.cluster.masters())

    def node_role(name: str) -> str:
        return "control-plane" if name in masters else "worker"

    return EdgeConfig(
        service_account_key=certificates.service_account_key(place.folder.pki).decode(),
        advertise_host=place.here().address,
        advertise_port=place.cluster.api_server_port,
        service_cluster_ip_range=flags.text("apiserver", "service-cluster-ip-range"),
        service_node_port_range=flags.text("apiserver", "service-node-port-range"),
        default_not_ready_toleration_seconds=flags.integer("apiserver", "default-not-ready-toleration-seconds"),
        default_unreachable_toleration_seconds=flags.integer("apiserver", "default-unreachable-toleration-seconds"),
        dial_kubelet=kubelets.dial,
        authorization_mode=flags.text("apiserver", "authorization-mode"),
        node_role=node_role,
        dial_endpoint=ask_through,
        loopback_nodes=site_of(place).loopback_nodes,
        pod_security=podsecurity.from_json(flags.text("apiserver", "admission-control-config-file")),
    )
