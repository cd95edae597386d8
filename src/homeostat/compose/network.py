"""The lab's network, in one process: the relay to the API servers, nodes' uplinks, the ports of services from
outside."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from homeostat.api.errors import ApiError
from homeostat.client.api_client import ApiClient
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared import certificate_rotation
from homeostat.compose.shared.network_sites import NetworkSite, network_of
from homeostat.compose.shared.place import Place
from homeostat.kit import tasks
from homeostat.lab.links.published_services import HostListeners, HostPublisher
from homeostat.lab.links.relay import (
    CHECK_SECONDS,
    CHECK_SECONDS_ONE_STORE,
    Backend,
    Check,
    Health,
    Relay,
    bound,
    watch_health,
)
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
    site = network_of(place)
    relays = [outside, *await _ways_in(cluster, uplinks, servers), *await site.node_relays(uplinks, servers)]
    orders = await serve_orders(place.folder.network_socket, uplinks)
    proxy = _service_proxy(place, site, uplinks)
    await proxy.start()
    period = CHECK_SECONDS if cluster.store == "etcd" else CHECK_SECONDS_ONE_STORE
    checking = watch_health(servers, _checker(place, uplinks), outside.drop, period_seconds=period)
    health = tasks.spawn(checking, name="relay/health")
    renewing = tasks.spawn(certificate_rotation.renew(place.folder), name="certificates/renew")
    await stop.wait()
    orders.close()
    await tasks.stop(health, renewing)
    await proxy.stop()
    for relay in relays:
        await relay.close()


async def _ways_in(cluster: Cluster, uplinks: Uplinks, servers: list[Backend]) -> list[Relay]:
    """For the Console, which shows which API server answers it: a way to each, and no patience with one that is dead.
    What is cut off, or hangs, is so for the Console as it is for the clients of the relay."""
    if not cluster.console_port:
        return []
    ways = []
    for master, server in zip(cluster.masters(), servers, strict=True):
        way = Relay(uplinks, [server], patience_seconds=0.0)
        url = urlsplit(cluster.way_in(master))
        await way.listen(bound(str(url.hostname), url.port or 0))
        ways.append(way)
    return ways


def _service_proxy(place: Place, site: NetworkSite, uplinks: Uplinks) -> ServiceProxy:
    """The way from outside to the services: it asks pods directly, and passes over those that do not answer."""
    applier = Applier(uplinks, listeners=HostListeners(place.folder.published, site.open_port))
    rules = HostPublisher(applier, site.addresses[""])
    api = HttpTransport(site.endpoints, tls=_proxy_tls(place))
    return ServiceProxy(ApiClient(api, user_agent="kube-proxy"), rules, site.addresses)


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
