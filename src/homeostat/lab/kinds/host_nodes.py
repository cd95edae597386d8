"""A lab whose nodes are hosts: each in namespaces of its own, with an init that runs its services."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.client.contract import Client
from homeostat.cluster import node_layout
from homeostat.cluster.errors import LabError
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.node_layout import NodeFolder
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.hosts import host_lab, requirements
from homeostat.lab.inside import node_files, planted_images
from homeostat.lab.links import host_ports
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.stages.host_stage import HostStage
from homeostat.lab.supervise.supervisor import Supervisor


class HostNodes:
    """Implements `contract.LabKind`."""

    def check_store(self, cluster: Cluster) -> None:
        """A file is on one host only."""
        if cluster.store == "sqlite" and cluster.control_planes > 1:
            text = "--store sqlite is a file on one host: with --runtime container it needs --control-planes 1"
            raise LabError(text)

    def check_addresses(self, cluster: Cluster) -> None:
        """See `requirements.check_range`."""
        requirements.check_range(cluster.node_network)

    def check_room(self, folder: Folder) -> None:
        """See `requirements.check_room`."""
        requirements.check_room(folder.path)

    def sqlite_file(self, folder: Folder, cluster: Cluster) -> Path:
        """On the disk of the only master."""
        master = NodeFolder(folder.node(cluster.masters()[0].name))
        return master.path / node_layout.STORE.lstrip("/") / "store.db"

    def write_node(self, folder: Folder, cluster: Cluster, node: Node) -> None:
        """Everything in its /etc, the manifests of its static Pods included."""
        node_files.write(folder, cluster, node)

    def give_images(self, folder: Folder, cluster: Cluster) -> None:
        """Planted where the nodes' engines find them."""
        planted_images.give_images(folder, cluster)

    def sockets(self, inherited: list[int]) -> dict[str, socket.socket]:
        """The way to a process that opens ports of the host: the network process is in the lab's network."""
        return {"host-ports": host_ports.fork(inherited)}

    @contextmanager
    def supervising(
        self, folder: Folder, cluster: Cluster, rooms: Rooms, control: socket.socket, inherited: list[int]
    ) -> Iterator[Supervisor]:
        """The namespaces around the lab and its network are made first, and leave no trace at the end."""
        lab = host_lab.enter(folder, cluster, rooms, inherited)
        yield Supervisor(children=lab.children(), control=control, rooms=rooms, hosts=lab)
        lab.end()

    def stage(self, folder: Folder, client: Client, probe: Callable[[], Awaitable[None]]) -> HostStage:
        """Faults are what a person at such a machine would do to it."""
        return HostStage(folder, client, probe)
