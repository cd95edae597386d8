"""A lab whose nodes are processes: node agents on the host itself, and one shim that has all their containers."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.client.contract import Client
from homeostat.cluster import certificates, static_pods
from homeostat.cluster.errors import LabError
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.kit import collector
from homeostat.lab.processes import orders
from homeostat.lab.processes.container_host import Containers
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.stages.process_stage import LabStage
from homeostat.lab.supervise.supervisor import Child, Shim, Supervisor


class ProcessNodes:
    """Implements `contract.LabKind`."""

    def check_store(self, cluster: Cluster) -> None:
        """Containers have no images here."""
        if cluster.store == "etcd":
            raise LabError("--store etcd needs --runtime container: its members are Pods with an image")

    def check_addresses(self, cluster: Cluster) -> None:
        """They are loopback addresses, which the claim of the cluster's index keeps apart."""

    def check_room(self, folder: Folder) -> None:
        """Such nodes need next to none."""

    def sqlite_file(self, folder: Folder, cluster: Cluster) -> Path:
        """In the state folder, for all masters."""
        return folder.store

    def write_node(self, folder: Folder, cluster: Cluster, node: Node) -> None:
        """The manifests of its static Pods."""
        manifests = folder.node(node.name) / "manifests"
        manifests.mkdir(parents=True, exist_ok=True)
        if node.control_plane:
            static_pods.write(static_pods.of_processes(folder.path, cluster, node), manifests)

    def give_images(self, folder: Folder, cluster: Cluster) -> None:
        """There are none: a container is a program of the host."""

    def sockets(self, inherited: list[int]) -> dict[str, socket.socket]:
        """None: the network process opens ports of the host by itself."""
        return {}

    @contextmanager
    def supervising(
        self, folder: Folder, cluster: Cluster, rooms: Rooms, control: socket.socket, inherited: list[int]
    ) -> Iterator[Supervisor]:
        """It runs the shim, the network process and every node's agent."""
        shim_socket = orders.bind(folder.shim_socket)
        certificates.rehearse(folder.pki, cluster)
        collector.settle()
        own = f"--state={folder.path}"
        containers = Containers(shim_socket, rooms, inherited=inherited)
        shim = Child("shim", ["homeostat-shim"], work=containers.run)
        children = [shim, Child("network", ["homeostat-network", own])]
        for node in cluster.nodes():
            children.append(Child(f"kubelet on {node.name}", ["kubelet", own, f"--node={node.name}"], node=node.name))
        yield Supervisor(children=children, control=control, rooms=rooms, shim=Shim(shim, folder.shim_socket))

    def stage(self, folder: Folder, client: Client, probe: Callable[[], Awaitable[None]]) -> LabStage:
        """Faults are signals to processes and cuts of uplinks."""
        return LabStage(folder, client, probe)
