"""The lab's network, in one process: the relay to the API servers, nodes' uplinks, the ports of services from
outside."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

from homeostat.api.errors import ApiError
from homeostat.client.api_client import ApiClient
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.node_kinds import KUBELET_BEHIND_PORT, KUBELET_PORT, UPLINK_PORT, Node
from homeostat.compose.shared import certificate_rotation
from homeostat.compose.shared.place import Place
from homeostat.kit import tasks
from homeostat.lab.links import host_ports
from homeostat.lab.links.published_services import HostListeners, HostPublisher
from homeostat.lab.links.relay import Backend, Check, Health, Relay, bound, watch_health
from homeostat.lab.links.uplink import Uplinks, serve_orders
from homeostat.network.userspace.applier import Applier
from homeostat.network.userspace.service_proxy import ServiceProxy
from homeostat.wire.message import Request

# Of one check: for an answer at all, and for a server to say that it is ready, which takes its store's word. A server
# that is slower than the usual is asked meanwhile whether it lives.
_ALIVE_SECONDS, _READY_SECONDS, _USUAL_SECONDS = 0.5, 0.4, 0.1


async def run(place: Place, stop: asyncio.Event) -> None:
    """Run the relay, the uplinks and the service ports until stopped."""
    cluster = place.cluster
    uplinks = Uplinks((node.name for node in cluster.nodes()), place.folder.path / "uplinks.json")
    servers = [Backend(node.name, node.address, cluster.api_server_port) for node in cluster.masters()]
    outside = Relay(uplinks, servers)
    await outside.listen(place.sockets["api"])
    relays = [outside]
    # Nodes that are hosts have a network of their own.
    if not cluster.kind.are_hosts:
        for node in cluster.nodes():
            relays += await _node_relays(uplinks, servers, node)
    orders = await serve_orders(place.folder.network_socket, uplinks)
    proxy = _service_proxy(place, uplinks)
    await proxy.start()
    health = tasks.spawn(watch_health(servers, _checker(place, uplinks), outside.drop), name="relay/health")
    renewing = tasks.spawn(certificate_rotation.renew(place.folder), name="certificates/renew")
    await stop.wait()
    orders.close()
    await tasks.stop(health, renewing)
    await proxy.stop()
    for relay in relays:
        await relay.close()


def _service_proxy(place: Place, uplinks: Uplinks) -> ServiceProxy:
    """The way from outside to the services. Nodes that are hosts have a service proxy each; this one then represents
    the load balancer in front of a cluster: it asks pods directly, and passes over those that do not answer."""
    cluster = place.cluster
    open_port = host_ports.listening
    if cluster.kind.are_hosts:
        endpoints = cluster.masters()[0].endpoints
        addresses = {"": cluster.gateway}
        # This process is in the lab's network: ports of the host are opened for it by one that is not.
        open_port = partial(host_ports.asked, place.sockets["host-ports"])
    else:
        endpoints = (f"https://127.0.0.1:{cluster.api_port}",)
        addresses = {"": host_ports.HOST, **{node.name: node.address for node in cluster.nodes()}}
    applier = Applier(uplinks, listeners=HostListeners(place.folder.published, open_port))
    rules = HostPublisher(applier, addresses[""])
    api = HttpTransport(endpoints, tls=_proxy_tls(place))
    return ServiceProxy(ApiClient(api, user_agent="kube-proxy"), rules, addresses)


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
    """A health check of one API server, across its uplink, within half a second: whether it is ready, or at least
    answers. One that cannot reach its store is late to say that it is not ready: so it is asked both."""
    tls = _proxy_tls(place)
    transports: dict[Backend, HttpTransport] = {}

    async def passes(transport: HttpTransport, seconds: float, path: str, **query: str) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return (await transport.send(Request("GET", path, query), repeatable=False)).status == 200
        except (ApiError, TimeoutError):
            return False

    async def check(server: Backend) -> Health:
        if uplinks.is_cut(server.node):
            return Health.SILENT
        transport = transports.get(server)
        if transport is None:
            transport = transports[server] = HttpTransport([f"https://{server.host}:{server.port}"], tls=tls)
        asked = tasks.spawn(passes(transport, _READY_SECONDS, "/readyz"), name="relay/ready")
        await asyncio.wait((asked,), timeout=_USUAL_SECONDS)
        if asked.done() and asked.result():
            return Health.READY
        alive = await passes(transport, _ALIVE_SECONDS - _USUAL_SECONDS, "/livez", exclude="etcd")
        return Health.READY if await asked else Health.UNREADY if alive else Health.SILENT

    return check
