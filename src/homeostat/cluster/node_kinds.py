"""The two kinds of nodes, as data: hosts in namespaces of their own, and processes of this host. Pure.

With processes all addresses follow from the cluster's index: nodes and Pods are in `127.(10+2i).0.0/16`, cluster IPs in
`127.(11+2i).0.0/16`. The whole of 127.0.0.0/8 is local on Linux, so none of them needs a change to the host. Hosts have
addresses of `node_cidr`; Pods and cluster IPs have Kubernetes' customary ranges, which exist in the lab's namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol

from homeostat.cluster import node_layout

API_PORT = 6443
KUBELET_PORT = 10250
# The agent itself listens here; the node's uplink owns the well-known port, so that cutting it cuts this way in too.
KUBELET_BEHIND_PORT = 20250
# Where a node's components find the API: their own end of the node's uplink.
UPLINK_PORT = 7443
# Where the Console finds the API server of one master that is a process: the outer end of that node's uplink.
WAY_IN_PORT = 7444
# The same for masters that are hosts: ports from here on, on the loopback interface of the lab's own network.
WAYS_IN_FROM = 20443
# With nodes that are hosts an API server has an address of its own, and the usual port of HTTPS.
SECURE_PORT = 443
POD_RANGE, SERVICE_RANGE = "10.244.0.0/16", "10.96.0.0/16"
# All nodes of a lab are on the host's disk: Kubernetes' 10 % and 15 % of a large one would keep them from working.
EVICTION_HARD = "memory.available<100Mi,nodefs.available<1%,nodefs.inodesFree<1%,imagefs.available<1%"
# Which addresses of the nodes' network are for load balancers, the first and the last.
_POOL = (200, 250)
_CPU = {"kube-apiserver": "250m", "kube-controller-manager": "200m", "kube-scheduler": "100m"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a cluster's addresses follow from."""

    index: int
    control_planes: int
    node_network: IPv4Network

    @property
    def loopback(self) -> str:
        """The first two octets of nodes and Pods on the loopback interface."""
        return f"127.{10 + 2 * self.index}"


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
class HostMount:
    """A folder of the node that a control-plane component sees; `kind` is the hostPath volume's type."""

    name: str
    path: str
    kind: str
    read_only: bool


class NodeKind(Protocol):
    """What differs between the kinds. `cut_socket` is the state folder's socket that takes orders to cut nodes off."""

    @property
    def are_hosts(self) -> bool:
        """Whether a node is a host: with a root, an address and a kernel's rules of its own, and real containers."""
        ...

    @property
    def has_cluster_dns(self) -> bool:
        """Whether Pods find Services by cluster DNS, which then runs in Pods of its own."""
        ...

    @property
    def api_server_port(self) -> int:
        """Where an API server listens on its node."""
        ...

    @property
    def cut_socket(self) -> str:
        """The name of the socket in the state folder that takes orders to cut a node off."""
        ...

    def pod_range(self, shape: Shape) -> str:
        """The range of all Pods' addresses."""
        ...

    def service_range(self, shape: Shape) -> str:
        """The range of cluster IPs, where no flag gives another."""
        ...

    def balancer_addresses(self, shape: Shape) -> str:
        """The pool for Services of type LoadBalancer; empty where there is none."""
        ...

    def public_url(self, master: Node, api_port: int) -> str:
        """Where a machine that joins reaches the API; `api_port` is the relay's."""
        ...

    def way_in(self, master: Node, place: int) -> str:
        """Where the Console reaches the API server of the master that is number `place` (from 0), and no other's."""
        ...

    def kubelet_flags(self, dns_address: str) -> dict[str, str]:
        """The kubelets' flags where none is given."""
        ...

    def health_host(self, node: Node) -> str:
        """Where the controller manager and the scheduler of a master answer health checks."""
        ...

    def component_cpu(self, component: str) -> str:
        """What the static Pod of a control-plane component requests; empty where it requests nothing."""
        ...

    def component_mounts(self, component: str, store: str, state: str) -> tuple[HostMount, ...]:
        """What the static Pod of a component sees of its node. `state` is the folder with the cluster's plan."""
        ...

    def node(self, shape: Shape, name: str, place: int, host: int) -> Node:
        """The node that is number `place` (from 0), with `host` as its number in the nodes' network."""
        ...


class HostKind:
    """Nodes that are hosts."""

    are_hosts = True
    has_cluster_dns = True
    api_server_port = SECURE_PORT
    # The supervisor has their cables.
    cut_socket = "supervisor.sock"

    def pod_range(self, shape: Shape) -> str:
        """Kubernetes' customary range."""
        return POD_RANGE

    def service_range(self, shape: Shape) -> str:
        """Kubernetes' customary range."""
        return SERVICE_RANGE

    def balancer_addresses(self, shape: Shape) -> str:
        """A part of the nodes' network."""
        network = shape.node_network
        if network.num_addresses < _POOL[1] + 2:
            return ""
        return "-".join(str(network[number]) for number in _POOL)

    def public_url(self, master: Node, api_port: int) -> str:
        """A master's own address."""
        return f"https://{master.address}:{SECURE_PORT}"

    def way_in(self, master: Node, place: int) -> str:
        """A port of the lab's own network, which no node reaches."""
        return f"https://127.0.0.1:{WAYS_IN_FROM + place}"

    def kubelet_flags(self, dns_address: str) -> dict[str, str]:
        """Cluster DNS, and thresholds that suit a disk which all nodes share."""
        return {"cluster-dns": dns_address, "eviction-hard": EVICTION_HARD}

    def health_host(self, node: Node) -> str:
        """The loopback interface, as with kubeadm."""
        return "127.0.0.1"

    def component_cpu(self, component: str) -> str:
        """As with kubeadm."""
        return _CPU.get(component, "")

    def component_mounts(self, component: str, store: str, state: str) -> tuple[HostMount, ...]:
        """A container sees the cluster's files and its node's clock, and the API server the store that is a file."""
        mounts = [
            HostMount("kubernetes", state, "Directory", read_only=True),
            HostMount("clock", node_layout.CLOCK, "DirectoryOrCreate", read_only=True),
        ]
        if component == "kube-apiserver" and store == "sqlite":
            mounts.append(HostMount("store", node_layout.STORE, "Directory", read_only=False))
        return tuple(mounts)

    def node(self, shape: Shape, name: str, place: int, host: int) -> Node:
        """A master asks its own API server first; workers begin with different ones."""
        masters = [str(shape.node_network[11 + i]) for i in range(shape.control_planes)]
        first = place % shape.control_planes
        endpoints = tuple(f"https://{address}:{SECURE_PORT}" for address in masters[first:] + masters[:first])
        pods = f"{IPv4Network(POD_RANGE)[place * 256]}/24"
        return Node(name, name.startswith("master-"), str(shape.node_network[host]), pods, endpoints)


class ProcessKind:
    """Nodes that are processes of this host, each with a loopback address of its own."""

    are_hosts = False
    has_cluster_dns = False  # the host's own finds their names
    api_server_port = API_PORT
    # The network process has their uplinks.
    cut_socket = "network.sock"

    def pod_range(self, shape: Shape) -> str:
        """Loopback addresses."""
        return f"{shape.loopback}.0.0/16"

    def service_range(self, shape: Shape) -> str:
        """Loopback addresses."""
        return f"127.{11 + 2 * shape.index}.0.0/16"

    def balancer_addresses(self, shape: Shape) -> str:
        """None."""
        return ""

    def public_url(self, master: Node, api_port: int) -> str:
        """The relay: such nodes have neighbours on this machine only."""
        return f"https://127.0.0.1:{api_port}"

    def way_in(self, master: Node, place: int) -> str:
        """The node's own address: across its uplink, as its kubelet's port is."""
        return f"https://{master.address}:{WAY_IN_PORT}"

    def kubelet_flags(self, dns_address: str) -> dict[str, str]:
        """Kubernetes' own."""
        return {}

    def health_host(self, node: Node) -> str:
        """The node's own address: all of them share the ports of one interface."""
        return node.address

    def component_cpu(self, component: str) -> str:
        """Nothing: nothing would enforce it."""
        return ""

    def component_mounts(self, component: str, store: str, state: str) -> tuple[HostMount, ...]:
        """None: a process sees everything."""
        return ()

    def node(self, shape: Shape, name: str, place: int, host: int) -> Node:
        """Its components reach the API through the node's uplink."""
        address, pods = f"{shape.loopback}.0.{host}", f"{shape.loopback}.{place + 1}.0/24"
        return Node(name, name.startswith("master-"), address, pods, (f"https://{address}:{UPLINK_PORT}",))


HOSTS: NodeKind = HostKind()
PROCESSES: NodeKind = ProcessKind()
