"""A cluster's plan: which nodes it has, on which addresses, and with which options. Pure data.

Every cluster of a machine has an index of its own. What differs between nodes that are hosts and nodes that are
processes is in `node_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from typing import Any

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.rules import wellknown
from homeostat.cluster.node_kinds import HOSTS, PROCESSES, Node, NodeKind, Shape

CLUSTERS_MAX = 100
CONTROL_PLANES_MAX = 9
WORKERS_MAX = 200
API_HOST = "127.0.0.1"
ETCD_CLIENT_PORT, ETCD_PEER_PORT = 2379, 2380
CONTROL_PLANE_TAINT = {"key": wellknown.TAINT_CONTROL_PLANE, "effect": wellknown.NO_SCHEDULE}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The options of `up`. `index` gives the addresses; `settings` are the flags given by `--set`; `workers` counts
    those `removed` since as well, so that each keeps its name and address."""

    name: str
    index: int
    control_planes: int = 3
    workers: int = 2
    runtime: str = "process"
    store: str = "sqlite"
    api_port: int = 6443
    # The Console's port on this machine; 0: it has none. An older version chose none (None).
    console_port: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    node_cidr: str = ""
    removed: Sequence[str] = field(default_factory=list)

    @property
    def kind(self) -> NodeKind:
        """Whether nodes are hosts in namespaces of their own, with real containers, or processes; and what follows."""
        return HOSTS if self.runtime == "container" else PROCESSES

    @property
    def shape(self) -> Shape:
        """What its addresses follow from."""
        return Shape(self.index, self.control_planes, self.node_network)

    @property
    def node_network(self) -> IPv4Network:
        """Where nodes that are hosts have their addresses; the first is the lab's own."""
        return IPv4Network(self.node_cidr or default_node_cidr(self.index))

    @property
    def gateway(self) -> str:
        """The lab's own address in the nodes' network."""
        return str(self.node_network[1])

    @property
    def pod_range(self) -> str:
        """The range of all pods' addresses."""
        return self.kind.pod_range(self.shape)

    @property
    def balancer_addresses(self) -> str:
        """The pool for Services of type LoadBalancer: a part of the nodes' network. Empty where there is none."""
        return self.kind.balancer_addresses(self.shape)

    @property
    def api_server_port(self) -> int:
        """Where an API server listens on its node."""
        return self.kind.api_server_port

    @property
    def console_url(self) -> str:
        """Where a browser on this machine finds the Console; empty without one."""
        return f"http://{API_HOST}:{self.console_port}" if self.console_port else ""

    def way_in(self, master: Node) -> str:
        """Where the Console reaches the API server of one master; it leads across what can be cut off."""
        return self.kind.way_in(master, self.masters().index(master))

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
        return self.shape.loopback

    @property
    def public_url(self) -> str:
        """Where a machine that joins reaches the API; nodes that are no hosts have neighbours on this machine only."""
        return self.kind.public_url(self.masters()[0], self.api_port)

    @property
    def service_cidr(self) -> str:
        """The range of cluster IPs."""
        return self.kind.service_range(self.shape)

    @property
    def flags(self) -> Settings:
        """All component flags, the cluster's own address ranges included."""
        given = dict(self.settings)
        server, manager = {**given.get("apiserver", {})}, {**given.get("controller-manager", {})}
        server.setdefault("service-cluster-ip-range", self.service_cidr)
        if self.balancer_addresses:
            manager.setdefault("load-balancer-addresses", self.balancer_addresses)
        flags = {**given, "apiserver": server, "controller-manager": manager}
        if own := self.kind.kubelet_flags(self.dns_address):
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
        return self.kind.node(self.shape, name, place, host)

    def to_dict(self) -> dict[str, Any]:
        """As JSON for the state folder."""
        return asdict(self)


def default_node_cidr(index: int) -> str:
    """The nodes' network of the cluster with this index."""
    return f"172.30.{index}.0/24"
