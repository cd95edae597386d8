"""The node agent of one node."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from homeostat.api.flags.flag_settings import Settings
from homeostat.cluster import certificates, node_layout
from homeostat.cluster.node_kinds import KUBELET_PORT
from homeostat.cluster.topology import CONTROL_PLANE_TAINT
from homeostat.compose.shared.node_sites import site_of
from homeostat.compose.shared.place import Place
from homeostat.kit import tasks
from homeostat.lab.inside import planted_images
from homeostat.lab.processes.container_launcher import WarmLauncher
from homeostat.node.agent import NodeAgent
from homeostat.node.machine.host_facts import this_machine
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.contract import Runtime
from homeostat.runtime.process.process_runtime import ProcessOptions, ProcessRuntime
from homeostat.runtime.simulated import SimulatedRuntime
from homeostat.wire.http_server import serve

# On masters. Kubernetes' five minutes spare a node the starts of what cannot run; here the cluster waits for what does
# not: etcd members that are killed twice within ten minutes would leave it without a quorum for ten seconds and more.
_MASTER_BACK_OFF = {("kubelet", "crash-loop-back-off-max"): "2s"}


async def run(place: Place, stop: asyncio.Event) -> None:
    """Run the node's pods, and serve their logs, until stopped."""
    node = place.here()
    site = site_of(place)
    client = place.client(certificates.kubelet(node))
    config = NodeConfig(
        name=node.name,
        address=node.address,
        root=site.kubelet_root,
        pod_cidr=node.pod_cidr,
        static_pod_dir=site.manifests if node.control_plane else None,
        taints=(CONTROL_PLANE_TAINT,) if node.control_plane else (),
        port=KUBELET_PORT,
        log_root=site.log_root,
        image_root=site.image_root,
        settings=_settings(place),
    )
    runtime = await _RUNTIMES[place.cluster.runtime](place)
    agent = NodeAgent(config, client, runtime, this_machine(site.kubelet_root))
    await agent.start()
    tls = certificates.server_context(place.folder.pki, f"kubelet-server-{node.name}")
    handle, port = NodeServer(agent).handle, site.kubelet_port
    server = await serve(handle, host=node.address, port=port, tls=tls, bodies_on_demand=True)
    # The node's init signals by SIGPWR that the machine shuts down: then pods end within shutdown-grace-period first.
    down = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGPWR, down.set)
    await _first(stop, down)
    if down.is_set() and not stop.is_set():
        await agent.shut_down()
    await server.close(grace_seconds=1.0)
    await agent.stop()
    await client.close()


def _settings(place: Place) -> Settings:
    """The kubelet's flags on this node: what was set, and on a master its own default."""
    settings = place.settings
    own = {flag: text for flag, text in _MASTER_BACK_OFF.items() if not settings.given(*flag)}
    return settings.with_values(own) if place.here().control_plane else settings


async def _first(*events: asyncio.Event) -> None:
    """Wait for whichever comes first."""
    waiting = [tasks.spawn(event.wait(), name="kubelet/stop") for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await tasks.stop(*waiting)


async def _containers(place: Place) -> Runtime:
    """The node's containerd, with the images that wait for it."""
    from homeostat.runtime.cri.cri_runtime import CriRuntime

    await asyncio.to_thread(planted_images.import_waiting)
    # Without root there are none, and the engine would report its own figures.
    cgroups = any(os.access(path, os.W_OK) for path in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.procs"))
    return CriRuntime(node_layout.CONTAINERD_SOCKET, node_address=place.here().address, cgroups=cgroups)


async def _processes(place: Place) -> Runtime:
    node = place.here()
    options = ProcessOptions(
        log_bytes_max=place.settings.integer("kubelet", "container-log-max-size"),
        log_files_max=place.settings.integer("kubelet", "container-log-max-files"),
    )
    return ProcessRuntime(
        place.folder.runtime(node.name),
        pod_cidr=node.pod_cidr,
        node_address=node.address,
        launcher=WarmLauncher(place.folder.shim_socket),
        options=options,
    )


async def _simulated(place: Place) -> Runtime:
    """The control plane is real on every runtime: the API has to be served."""
    node = place.here()
    if node.control_plane:
        return await _processes(place)
    return SimulatedRuntime(pod_cidr=node.pod_cidr, node_address=node.address)


_RUNTIMES: Mapping[str, Callable[[Place], Awaitable[Runtime]]] = {
    "container": _containers,
    "process": _processes,
    "simulated": _simulated,
}
