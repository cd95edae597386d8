"""The node agent of one node."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from homeostat.api.flags.flag_settings import Settings
from homeostat.cluster import certificates, node_layout
from homeostat.cluster.topology import CONTROL_PLANE_TAINT, KUBELET_BEHIND_PORT, KUBELET_PORT
from homeostat.compose.shared.place import Place
from homeostat.kit import tasks
from homeostat.lab.inside import planted_images
from homeostat.lab.processes.container_launcher import WarmLauncher
from homeostat.node.agent import NodeAgent
from homeostat.node.machine.host_facts import this_machine
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.contract import Runtime
from homeostat.runtime.process import ProcessOptions, ProcessRuntime
from homeostat.runtime.simulated import SimulatedRuntime
from homeostat.wire.server import serve

# Where a node that is a host of its own has them.
_POD_LOGS, _ENGINE_ROOT = "/var/log/pods", "/var/lib/containerd"
# On masters. Kubernetes' five minutes spare a node the starts of what cannot run; here the cluster waits for what does
# not: etcd members that are killed twice within ten minutes would leave it without a quorum for ten seconds and more.
_MASTER_BACK_OFF = {("kubelet", "crash-loop-back-off-max"): "2s"}


async def run(place: Place, stop: asyncio.Event) -> None:
    """Run the node's pods, and serve their logs, until told to stop."""
    node = place.here()
    contained = place.cluster.contained
    client = place.client(certificates.kubelet(node))
    folder = Path(node_layout.KUBELET_ROOT) if contained else place.folder.node(node.name)
    manifests = Path(node_layout.MANIFESTS) if contained else folder / "manifests"
    config = NodeConfig(
        name=node.name,
        address=node.address,
        root=folder,
        pod_cidr=node.pod_cidr,
        static_pod_dir=manifests if node.control_plane else None,
        taints=(CONTROL_PLANE_TAINT,) if node.control_plane else (),
        port=KUBELET_PORT,
        log_root=Path(_POD_LOGS) if contained else None,
        image_root=Path(_ENGINE_ROOT) if contained else None,
        settings=_settings(place),
    )
    runtime = _runtime(place)
    if contained:
        await asyncio.to_thread(planted_images.import_waiting)
    agent = NodeAgent(config, client, runtime, this_machine(folder))
    await agent.start()
    tls = certificates.server_context(place.folder.pki, f"kubelet-server-{node.name}")
    # A node that is a host has no uplink of ours in front of it.
    port = KUBELET_PORT if contained else KUBELET_BEHIND_PORT
    server = await serve(NodeServer(agent).handle, host=node.address, port=port, tls=tls, bodies_on_demand=True)
    # The node's init says by SIGPWR that the machine goes down: then pods end within shutdown-grace-period first.
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


def _runtime(place: Place) -> Runtime:
    node = place.here()
    if place.cluster.contained:
        from homeostat.runtime.cri.runtime import CriRuntime

        # Without root there are none, and the engine would tell its own figures.
        cgroups = any(os.access(place, os.W_OK) for place in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.procs"))
        return CriRuntime(node_layout.CONTAINERD_SOCKET, node_address=node.address, cgroups=cgroups)
    # The control plane is real on every runtime: somebody has to serve the API.
    if place.cluster.runtime == "simulated" and not node.control_plane:
        return SimulatedRuntime(pod_cidr=node.pod_cidr, node_address=node.address)
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
