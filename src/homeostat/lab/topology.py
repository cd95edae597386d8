"""A cluster's plan: which nodes it has, on which loopback addresses, and with which options. Pure data.

Every cluster of a machine has an index of its own, from which all its addresses follow: pods and nodes live in
`127.(10+2i).0.0/16`, cluster IPs in `127.(11+2i).0.0/16`. The whole of 127.0.0.0/8 is local on Linux, so none of them
needs a change to the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from homeostat.api.flags import Settings

CLUSTERS_MAX = 100
CONTROL_PLANES_MAX = 9
WORKERS_MAX = 200
API_PORT = 6443
KUBELET_PORT = 10250
# The agent itself listens here; the node's uplink owns the well-known port, so that cutting it cuts this way in too.
KUBELET_BEHIND_PORT = 20250
# Where a node's components find the API: their own end of the node's uplink.
UPLINK_PORT = 7443
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its name, its role, its address and the addresses of its pods."""

    name: str
    control_plane: bool
    address: str
    pod_cidr: str

    @property
    def uplink(self) -> str:
        """The URL under which this node's components reach the API."""
        return f"https://{self.address}:{UPLINK_PORT}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What `up` was asked for. `index` gives the addresses; `settings` are the flags given by `--set`."""

    name: str
    index: int
    control_planes: int = 3
    workers: int = 2
    runtime: str = "process"
    store: str = "sqlite"
    api_port: int = 6443
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """The kubeconfig context: `homeostat`, or `homeostat-NAME`."""
        return "homeostat" if self.name == "homeostat" else f"homeostat-{self.name}"

    @property
    def network(self) -> str:
        """The first two octets of nodes and pods."""
        return f"127.{10 + 2 * self.index}"

    @property
    def public_url(self) -> str:
        """Where programs that are on no node reach the API; also a machine that joins."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def service_cidr(self) -> str:
        """The range of cluster IPs."""
        return f"127.{11 + 2 * self.index}.0.0/16"

    @property
    def flags(self) -> Settings:
        """All component flags, the cluster's own service range included."""
        given = dict(self.settings)
        own = {**given.get("apiserver", {})}
        own.setdefault("service-cluster-ip-range", self.service_cidr)
        return Settings.from_dict({**given, "apiserver": own})

    def nodes(self) -> list[Node]:
        """Masters first: `.11` and on; then workers: `.21` and on."""
        masters = [self._node(f"master-{i + 1}", i, 11 + i) for i in range(self.control_planes)]
        workers = [self._node(f"worker-{i + 1}", 20 + i, 21 + i) for i in range(self.workers)]
        return masters + workers

    def masters(self) -> list[Node]:
        """The nodes that run the control plane."""
        return [node for node in self.nodes() if node.control_plane]

    def node(self, name: str) -> Node:
        """The node called `name`. Raises KeyError."""
        for node in self.nodes():
            if node.name == name:
                return node
        raise KeyError(name)

    def _node(self, name: str, place: int, host: int) -> Node:
        pods = f"{self.network}.{place + 1}.0/24"
        return Node(name, name.startswith("master-"), f"{self.network}.0.{host}", pods)

    def to_dict(self) -> dict[str, Any]:
        """As JSON for the state folder."""
        return asdict(self)
