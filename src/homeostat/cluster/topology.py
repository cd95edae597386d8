"""A cluster's plan: which nodes it has, on which addresses, and with which options. Pure data.

Every cluster of a machine has an index of its own. With the runtimes `process` and `simulated` all its addresses follow
from it: pods and nodes live in `127.(10+2i).0.0/16`, cluster IPs in `127.(11+2i).0.0/16`. The whole of 127.0.0.0/8 is
local on Linux, so none of them needs a change to the host.

With the runtime `container` nodes are hosts in namespaces of their own. They have addresses of `node_cidr`; pods and
cluster IPs have Kubernetes' customary ranges, which exist in the lab's namespaces only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from typing import Any

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.rules import wellknown

CLUSTERS_MAX = 100
CONTROL_PLANES_MAX = 9
WORKERS_MAX = 200
API_PORT = 6443
KUBELET_PORT = 10250
# The agent itself listens here; the node's uplink owns the well-known port, so that cutting it cuts this way in too.
KUBELET_BEHIND_PORT = 20250
# Where a node's components find the API: their own end of the node's uplink.
UPLINK_PORT = 7443
# With the runtime `container` an API server has an address of its own, and the usual port of HTTPS.
SECURE_PORT = 443
ETCD_CLIENT_PORT, ETCD_PEER_PORT = 2379, 2380
POD_RANGE, SERVICE_RANGE = "10.244.0.0/16", "10.96.0.0/16"
# All nodes of a lab are on the host's disk: Kubernetes' 10 % and 15 % of a large one would keep them from working.
EVICTION_HARD = "memory.available<100Mi,nodefs.available<1%,nodefs.inodesFree<1%,imagefs.available<1%"
# Which addresses of the nodes' network are for load balancers, the first and the last.
_POOL = (200, 250)
CONTROL_PLANE_TAINT = {"key": wellknown.TAINT_CONTROL_PLANE, "effect": wellknown.NO_SCHEDULE}


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its name, its role, its address and the addresses of its pods. `endpoints` are the URLs under which
    its components reach the API, the nearest first."""

    name: str
    control_plane: bool
    address: str
    pod_cidr: str
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """What `up` was asked for. `index` gives the addresses; `settings` are the flags given by `--set`; `workers` counts
    those `removed` since as well, so that each keeps its name and address."""

    name: str
    index: int
    control_planes: int = 3
    workers: int = 2
    runtime: str = "process"
    store: str = "sqlite"
    api_port: int = 6443
    settings: Mapping[str, Any] = field(default_factory=dict)
    node_cidr: str = ""
    removed: Sequence[str] = field(default_factory=list)

    @property
    def contained(self) -> bool:
        """Whether nodes are hosts in namespaces of their own, and containers real ones."""
        return self.runtime == "container"

    @property
    def node_network(self) -> IPv4Network:
        """Where the nodes of a contained cluster have their addresses; the first is the lab's own."""
        return IPv4Network(self.node_cidr or default_node_cidr(self.index))

    @property
    def gateway(self) -> str:
        """The lab's own address in the nodes' network."""
        return str(self.node_network[1])

    @property
    def pod_range(self) -> str:
        """The range of all pods' addresses."""
        return POD_RANGE if self.contained else f"{self.network}.0.0/16"

    @property
    def balancer_addresses(self) -> str:
        """The pool for Services of type LoadBalancer: a part of the nodes' network. Empty where there is none."""
        if not self.contained or self.node_network.num_addresses < _POOL[1] + 2:
            return ""
        return "-".join(str(self.node_network[number]) for number in _POOL)

    @property
    def api_server_port(self) -> int:
        """Where an API server listens on its node."""
        return SECURE_PORT if self.contained else API_PORT

    @property
    def dns_address(self) -> str:
        """The cluster IP of cluster DNS: the tenth of the range, as kubeadm has it."""
        given = self.settings.get("apiserver", {}).get("service-cluster-ip-range")
        return str(IPv4Network(given or self.service_cidr)[10])

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
        """Where a machine that joins reaches the API; nodes that are no hosts have neighbours on this machine only."""
        if self.contained:
            return f"https://{self.masters()[0].address}:{SECURE_PORT}"
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def service_cidr(self) -> str:
        """The range of cluster IPs."""
        if self.contained:
            return SERVICE_RANGE
        return f"127.{11 + 2 * self.index}.0.0/16"

    @property
    def flags(self) -> Settings:
        """All component flags, the cluster's own address ranges included."""
        given = dict(self.settings)
        server, manager = {**given.get("apiserver", {})}, {**given.get("controller-manager", {})}
        server.setdefault("service-cluster-ip-range", self.service_cidr)
        if self.balancer_addresses:
            manager.setdefault("load-balancer-addresses", self.balancer_addresses)
        flags = {**given, "apiserver": server, "controller-manager": manager}
        if self.contained:
            own = {"cluster-dns": self.dns_address, "eviction-hard": EVICTION_HARD}
            flags["kubelet"] = {**own, **given.get("kubelet", {})}
        return Settings.from_dict(flags)

    def nodes(self) -> list[Node]:
        """Masters first: `.11` and on; then workers: `.21` and on."""
        masters = [self._node(f"master-{i + 1}", i, 11 + i) for i in range(self.control_planes)]
        workers = [self._node(f"worker-{i + 1}", 20 + i, 21 + i) for i in range(self.workers)]
        return masters + [node for node in workers if node.name not in self.removed]

    def masters(self) -> list[Node]:
        """The nodes that run the control plane."""
        return [node for node in self.nodes() if node.control_plane]

    def node(self, name: str) -> Node:
        """The node called `name`. Raises KeyError."""
        for node in self.nodes():
            if node.name == name:
                return node
        raise KeyError(name)

    def address_of(self, name: str) -> str:
        """The address of the node called `name`, also of one that comes later or has gone; empty for other names."""
        role, _, number = name.rpartition("-")
        most = {"master": CONTROL_PLANES_MAX, "worker": WORKERS_MAX}.get(role, 0)
        if not (number.isascii() and number.isdigit() and str(int(number)) == number and 1 <= int(number) <= most):
            return ""
        place = int(number) - 1
        return self._node(name, place, (11 if role == "master" else 21) + place).address

    def _node(self, name: str, place: int, host: int) -> Node:
        is_master = name.startswith("master-")
        if not self.contained:
            pods, address = f"{self.network}.{place + 1}.0/24", f"{self.network}.0.{host}"
            return Node(name, is_master, address, pods, (f"https://{address}:{UPLINK_PORT}",))
        masters = [str(self.node_network[11 + i]) for i in range(self.control_planes)]
        # A master asks its own API server first; workers begin with different ones.
        first = place % self.control_planes
        endpoints = tuple(f"https://{address}:{SECURE_PORT}" for address in masters[first:] + masters[:first])
        pods = f"{IPv4Network(POD_RANGE)[place * 256]}/24"
        return Node(name, is_master, str(self.node_network[host]), pods, endpoints)

    def to_dict(self) -> dict[str, Any]:
        """As JSON for the state folder."""
        return asdict(self)


def default_node_cidr(index: int) -> str:
    """The nodes' network of the cluster with this index."""
    return f"172.30.{index}.0/24"
