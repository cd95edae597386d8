"""A machine that joins a cluster as a worker: it becomes a node, and runs the node's services until stopped.

Everything it keeps is below one folder: `pki/` (the authority, its certificates), `kubelet/` (volumes and logs),
`engine/` (containerd's). The kubelet and, where containers are real, the service proxy run here side by side; one that
fails is started again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import ENDPOINTS, NODE
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.cluster.state_folder import LabError
from homeostat.compose.join import own_engine
from homeostat.compose.join.own_engine import Engine
from homeostat.compose.join.token_discovery import Invitation, bootstrap_client
from homeostat.compose.shared import certificate_rotation
from homeostat.kit import clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.node.agent import NodeAgent
from homeostat.node.machine.certificates import Kept, client_request, proxy_request, serving_request
from homeostat.node.machine.host_facts import this_machine
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.contract import Runtime
from homeostat.wire import tls
from homeostat.wire.http_server import serve

_RANGE_SECONDS = 30.0
_RESTART = Backoff(first_seconds=0.5, ceiling_seconds=30.0)
_PORT = 10250
_log = logger("join")


@dataclass(frozen=True, slots=True)
class Joining:
    """The options of `homeostat join`. `runtime` is process, simulated or cri (`cri_endpoint` is its socket; empty: an
    engine of the node's own); `certificate_seconds` bounds the life of its certificates (None: as long as the cluster
    gives)."""

    invitation: Invitation
    node: str
    address: str
    root: Path
    runtime: str = "cri"
    cri_endpoint: str = ""
    port: int = _PORT
    certificate_seconds: int | None = None

    @property
    def pki(self) -> Path:
        """The folder of its certificates."""
        return self.root / "pki"

    @property
    def engine(self) -> Engine:
        """Its own container engine's files."""
        return Engine(self.root / "engine")

    def tls(self, name: str) -> ssl.SSLContext:
        """A client's context with one of its certificates."""
        return tls.client_context(
            self.pki / "ca.crt", certificate=self.pki / f"{name}.crt", key=self.pki / f"{name}.key"
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A machine that is a node of a cluster: where the API is, its own client, the flags, its Pods' addresses."""

    joining: Joining
    urls: tuple[str, ...]
    client: Client
    settings: Settings
    pod_cidr: str


async def become(joining: Joining) -> Member:
    """Get a name in the cluster, and register. Raises LabError."""
    invitation, node = joining.invitation, joining.node
    seconds = joining.certificate_seconds
    settings = await bootstrap_client(invitation, joining.pki, node, joining.address, seconds=seconds)
    context = joining.tls(f"kubelet-{node}")
    first = ApiClient(HttpTransport([invitation.url], tls=context), user_agent="kubelet")
    try:
        urls = await _api_servers(first, invitation.url)
        pod_cidr = await _register(first, node)
    except ApiError as error:
        raise LabError(f"this machine cannot register as node {node}: {error.message}") from error
    finally:
        await first.close()
    client = ApiClient(HttpTransport(urls, tls=context), user_agent="kubelet")
    return Member(joining, urls, client, settings, pod_cidr)


async def _api_servers(client: Client, url: str) -> tuple[str, ...]:
    """The URL it was given, and every API server that the cluster knows: one of them is always up."""
    found = await client.get(ENDPOINTS, "kubernetes", "default")
    urls = [
        f"https://{address['ip']}:{port['port']}"
        for subset in found.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return tuple(dict.fromkeys([url, *urls]))


async def _register(client: Client, node: str) -> str:
    """Create the Node, and wait for the range of its Pods' addresses. Raises ApiError and LabError."""
    body = {"apiVersion": NODE.api_version, "kind": NODE.kind, "metadata": {"name": node}}
    try:
        await client.create(NODE, body)
    except ApiError as error:
        if error.code != 409:
            raise
    deadline = clock.monotonic() + _RANGE_SECONDS
    while clock.monotonic() < deadline:
        found = await client.get(NODE, node)
        if pod_cidr := (found.get("spec") or {}).get("podCIDR"):
            return str(pod_cidr)
        await clock.sleep(0.2)
    raise LabError(f"the cluster gave node {node} no addresses for its Pods within {_RANGE_SECONDS:.0f} s")


async def run(member: Member, stop: asyncio.Event) -> None:
    """Run the node's services until stopped; they end in good order, the engine last; containers run on.

    Raises LabError when an engine is wanted that this machine has not.
    """
    joining = member.joining
    engine_stop = asyncio.Event()
    others = [certificate_rotation.follow()]
    if joining.runtime == "cri" and not joining.cri_endpoint:
        await asyncio.to_thread(own_engine.prepare, joining.engine, member.pod_cidr)
        others.append(_supervised("containerd", member, container_engine, engine_stop))
    beside = [tasks.spawn(work, name=f"join/beside-{number}") for number, work in enumerate(others)]
    if len(beside) > 1:
        await own_engine.give_images(joining.engine)
    services = {"kubelet": kubelet} | ({"kube-proxy": kube_proxy} if joining.runtime == "cri" else {})
    await asyncio.gather(*(_supervised(name, member, service, stop) for name, service in services.items()))
    engine_stop.set()
    if len(beside) > 1:
        await beside[1]
    await tasks.stop(*beside)
    await member.client.close()


async def _supervised(
    name: str, member: Member, service: Callable[[Member, asyncio.Event], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Run a service, again when it fails, until stopped."""
    failures = 0
    while not stop.is_set():
        began = clock.monotonic()
        try:
            await service(member, stop)
        except (OSError, ApiError, RuntimeError) as error:
            failures = 0 if clock.monotonic() - began > _RESTART.ceiling_seconds else failures + 1
            _log.error("%s ended: %s", name, error)
            await _sleep_or(stop, _RESTART.delay(failures))


async def _sleep_or(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def container_engine(member: Member, stop: asyncio.Event) -> None:
    """containerd, where the machine was given no other engine."""
    await own_engine.run(member.joining.engine, stop)


async def kubelet(member: Member, stop: asyncio.Event) -> None:
    """The node agent, and its server as soon as the node has a serving certificate."""
    joining = member.joining
    node, seconds = joining.node, joining.certificate_seconds
    own = Kept(joining.pki, f"kubelet-{node}", member.client, lambda: client_request(node, seconds=seconds))
    names = (node, joining.address)
    serving = Kept(
        joining.pki, f"kubelet-server-{node}", member.client, lambda: serving_request(node, names, seconds=seconds)
    )
    root = joining.root / "kubelet"
    config = NodeConfig(
        name=node,
        address=joining.address,
        root=root,
        pod_cidr=member.pod_cidr,
        port=joining.port,
        settings=member.settings,
    )
    await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
    agent = NodeAgent(config, member.client, _runtime(member), this_machine(root))
    await agent.start()
    keeping = [tasks.spawn(kept.run(), name=f"{node}/{kept.certificate.stem}") for kept in (own, serving)]
    serving_task = tasks.spawn(_serve(agent, joining, serving, stop), name=f"{node}/server")
    await stop.wait()
    await serving_task
    await tasks.stop(*keeping)
    await agent.stop()


async def _serve(agent: NodeAgent, joining: Joining, serving: Kept, stop: asyncio.Event) -> None:
    """Answer the API servers' questions, once there is a certificate to answer under."""
    ready = tasks.spawn(serving.ready.wait(), name="serving certificate")
    stopped = tasks.spawn(stop.wait(), name="stop")
    await asyncio.wait((ready, stopped), return_when=asyncio.FIRST_COMPLETED)
    await tasks.stop(ready)
    if stop.is_set():
        return
    context = tls.server_context(serving.certificate, serving.key, client_ca=joining.pki / "ca.crt")
    server = await serve(
        NodeServer(agent).handle, host=joining.address, port=joining.port, tls=context, bodies_on_demand=True
    )
    await stopped
    await server.close(grace_seconds=1.0)


async def kube_proxy(member: Member, stop: asyncio.Event) -> None:
    """Service rules and the Pod network of this machine, under the service proxy's own identity."""
    from homeostat.network.decide.nft_base import Ranges
    from homeostat.network.kernel.nft import NftRules
    from homeostat.network.kubeproxy.after_rules import AfterRules
    from homeostat.network.kubeproxy.node_proxy import NodeProxy
    from homeostat.network.kubeproxy.pod_network import PodNetwork, Site
    from homeostat.network.watch.shared_caches import Caches

    joining, settings = member.joining, member.settings
    kept = Kept(joining.pki, "proxy", member.client, lambda: proxy_request(seconds=joining.certificate_seconds))
    keeping = tasks.spawn(kept.run(), name="proxy/certificate")
    await kept.ready.wait()
    client = ApiClient(HttpTransport(member.urls, tls=joining.tls("proxy")), user_agent="kube-proxy")
    pods, addresses = settings.text("controller-manager", "cluster-cidr"), (joining.address,)
    ranges = Ranges((pods,), (settings.text("apiserver", "service-cluster-ip-range"),), addresses)
    caches, followers = Caches(client), AfterRules(addresses)
    proxy = NodeProxy(caches, NftRules(joining.node, ranges), joining.node, followers)
    network = PodNetwork(caches, Site(joining.node, joining.address, pods))
    network.start()
    proxy.start()
    caches.start()
    await stop.wait()
    await proxy.stop()
    await network.stop()
    await caches.stop()
    await followers.close()
    await tasks.stop(keeping)
    await client.close()


def _runtime(member: Member) -> Runtime:
    return _RUNTIMES[member.joining.runtime](member)


def _cri(member: Member) -> Runtime:
    from homeostat.runtime.cri.cri_runtime import CriRuntime

    endpoint = member.joining.cri_endpoint or str(member.joining.engine.socket)
    return CriRuntime(endpoint, node_address=member.joining.address)


def _process(member: Member) -> Runtime:
    from homeostat.runtime.process.process_runtime import ProcessRuntime

    root = member.joining.root / "runtime"
    return ProcessRuntime(root, pod_cidr=member.pod_cidr, node_address=member.joining.address)


def _simulated(member: Member) -> Runtime:
    from homeostat.runtime.simulated import SimulatedRuntime

    return SimulatedRuntime(pod_cidr=member.pod_cidr, node_address=member.joining.address)


_RUNTIMES: Mapping[str, Callable[[Member], Runtime]] = {"cri": _cri, "process": _process, "simulated": _simulated}
