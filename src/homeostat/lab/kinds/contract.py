"""What differs between a lab whose nodes are hosts and one whose nodes are processes; see `choice.kind_of`.

The data that follow from the kind (addresses, ports) are in `cluster.node_kinds`; this is what is done.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from homeostat.client.contract import Client
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster
from homeostat.lab.processes.forking import Rooms
from homeostat.lab.stages.process_stage import LabStage
from homeostat.lab.supervise.supervisor import Supervisor


class LabKind(Protocol):
    """One kind of lab."""

    def check_store(self, cluster: Cluster) -> None:
        """Raises LabError for a store that such a cluster cannot have."""
        ...

    def check_addresses(self, cluster: Cluster) -> None:
        """Raises LabError where the host uses the nodes' addresses for something else."""
        ...

    def check_room(self, folder: Folder) -> None:
        """Raises LabError where the disk has no room for the nodes."""
        ...

    def sqlite_file(self, folder: Folder, cluster: Cluster) -> Path:
        """Where a cluster whose store is SQLite keeps its objects, as a path of the host."""
        ...

    def write_node(self, folder: Folder, cluster: Cluster, node: Node) -> None:
        """Write what the node reads when it starts. Raises OSError and LabError."""
        ...

    def give_images(self, folder: Folder, cluster: Cluster) -> None:
        """Bring the images that the nodes start with. Raises OSError and LabError."""
        ...

    def sockets(self, inherited: list[int]) -> dict[str, socket.socket]:
        """What the supervisor holds for its components besides the API's socket, by name.

        Call it before the supervisor imports anything: it may fork. `inherited` are descriptors that a fork closes.
        """
        ...

    def supervising(
        self, folder: Folder, cluster: Cluster, rooms: Rooms, control: socket.socket, inherited: list[int]
    ) -> AbstractContextManager[Supervisor]:
        """The supervisor of the lab, ready to run; what it needs on the host is there within the block.

        `control` takes its orders; `inherited` are descriptors that nodes have no use for. Raises LabError and OSError.
        """
        ...

    def stage(self, folder: Folder, client: Client, probe: Callable[[], Awaitable[None]]) -> LabStage:
        """The running lab as a stage for drills; `probe` sends one read to the API on a fresh connection."""
        ...
