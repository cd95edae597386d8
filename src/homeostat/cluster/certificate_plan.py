"""Which certificates a cluster has, who they speak for, and which of them a node needs. Pure.

Names and identities are those of kubeadm ("PKI certificates and requirements" in kubernetes.io/docs), in one flat
folder. A cluster with etcd has a second authority: who may speak to the API may not therefore speak to its store.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from homeostat.cluster import etcd_member
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.topology import Cluster

AUTHORITY, ETCD_AUTHORITY = "ca", etcd_member.AUTHORITY
SERVICE_ACCOUNT_KEY = "sa.key"
_SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
_HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose certificate it is: its file's name, the user and its groups."""

    file: str
    common_name: str
    organizations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate: who it is for, by which authority, under which names and addresses, and for which side."""

    identity: Identity
    authority: str = AUTHORITY
    names: tuple[str, ...] = ()
    server: bool = False
    client: bool = False

    @property
    def file(self) -> str:
        """The name of its files, without `.crt` and `.key`."""
        return self.identity.file


# Bound to cluster-admin by a binding that every API server makes when it starts. Nobody is in system:masters, whose
# members no binding can stop.
ADMIN = Identity("admin", "kubernetes-admin", ("kubeadm:cluster-admins",))
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("proxy", "system:kube-proxy")
KUBELET_CLIENT = Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client")
ETCD_CLIENT = Identity(etcd_member.CLIENT, "kube-apiserver-etcd-client")


def kubelet(node: Node) -> Identity:
    """The identity of a node's agent."""
    return Identity(f"kubelet-{node.name}", f"system:node:{node.name}", ("system:nodes",))


def kubelet_server(node: Node) -> str:
    """The file of the certificate by which a node's agent is known."""
    return f"kubelet-server-{node.name}"


def api_server(node: Node) -> str:
    """The file of the certificate by which a master's API server is known."""
    return f"apiserver-{node.name}"


def etcd_server(node: Node) -> str:
    """The file of the certificate by which clients know a master's etcd member."""
    return f"{etcd_member.SERVER}-{node.name}"


def etcd_peer(node: Node) -> str:
    """The file of the certificate by which etcd members know one another."""
    return f"{etcd_member.PEER}-{node.name}"


def authorities(cluster: Cluster) -> tuple[str, ...]:
    """The authorities of a cluster."""
    return (AUTHORITY, ETCD_AUTHORITY) if cluster.store == "etcd" else (AUTHORITY,)


def leaves(cluster: Cluster) -> list[Leaf]:
    """Every certificate of a cluster, but for the authorities' own."""
    found = [Leaf(each, client=True) for each in (ADMIN, CONTROLLER_MANAGER, SCHEDULER, PROXY, KUBELET_CLIENT)]
    for node in cluster.nodes():
        found.append(Leaf(kubelet(node), client=True))
        found.append(_server(kubelet_server(node), (node.name, node.address)))
    names = api_names(cluster)
    for node in cluster.masters():
        found.append(_server(api_server(node), (node.name, *names)))
    if cluster.store == "etcd":
        found.append(Leaf(ETCD_CLIENT, ETCD_AUTHORITY, client=True))
        for node in cluster.masters():
            own = (node.name, node.address, *_HERE)
            # A member is the client of its peers, and of its own gateway.
            for file in (etcd_server(node), etcd_peer(node)):
                found.append(Leaf(Identity(file, node.name), ETCD_AUTHORITY, own, server=True, client=True))
    return found


def _server(file: str, names: tuple[str, ...]) -> Leaf:
    return Leaf(Identity(file, names[0]), names=names, server=True)


def api_names(cluster: Cluster) -> tuple[str, ...]:
    """The names and addresses of an API server: also those of the relay on this machine and through every node's
    uplink."""
    first = str(IPv4Network(cluster.flags.text("apiserver", "service-cluster-ip-range"))[1])
    return (*_HERE, first, *_SERVICE_NAMES, *(node.address for node in cluster.nodes()))


def files_of(cluster: Cluster, node: Node) -> dict[str, str]:
    """What a node's own folder of certificates must hold, and nothing else: its file names, and ours for each.

    A worker has the authority's certificate, its agent's two and the service proxy's. A master has the control plane's
    as well, with the authority's key (its controller manager signs) and that of service accounts.
    """
    pairs: dict[str, str | None] = dict.fromkeys((kubelet(node).file, kubelet_server(node), PROXY.file))
    files = {f"{AUTHORITY}.crt": f"{AUTHORITY}.crt"}
    if node.control_plane:
        others = (AUTHORITY, api_server(node), KUBELET_CLIENT.file, CONTROLLER_MANAGER.file, SCHEDULER.file)
        pairs |= dict.fromkeys(others)
        files[SERVICE_ACCOUNT_KEY] = SERVICE_ACCOUNT_KEY
        if cluster.store == "etcd":
            files[f"{ETCD_AUTHORITY}.crt"] = f"{ETCD_AUTHORITY}.crt"
            pairs |= {ETCD_CLIENT.file: None, etcd_member.SERVER: etcd_server(node), etcd_member.PEER: etcd_peer(node)}
    for own, ours in pairs.items():
        files |= {f"{own}.{part}": f"{ours or own}.{part}" for part in ("crt", "key")}
    return files
