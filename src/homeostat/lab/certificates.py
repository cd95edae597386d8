"""The lab's certificates: one authority, and for every component a certificate with Kubernetes' standard identity.

They are files in the state folder's `pki/`, made once, and made anew when they would expire within a month or are
damaged; all but the authority and the key of the service accounts, which must survive.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from homeostat.kit import clock
from homeostat.lab import etcd, kubeconfig
from homeostat.lab.state import LabError, replace_file
from homeostat.lab.topology import Cluster, Node
from homeostat.wire import pki, tls

_RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate speaks for: its file's name, the user and its groups."""

    file: str
    common_name: str
    organizations: tuple[str, ...] = ()


ADMIN = Identity("admin", "kubernetes-admin", ("system:masters",))
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("proxy", "system:kube-proxy")
ETCD_CLIENT = Identity(etcd.CLIENT, "kube-apiserver-etcd-client")
KUBELET_CLIENT = Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",))


def kubelet(node: Node) -> Identity:
    """The identity of a node's agent."""
    return Identity(f"kubelet-{node.name}", f"system:node:{node.name}", ("system:nodes",))


def prepare(folder: Path, cluster: Cluster) -> None:
    """Make what is missing or about to expire. Raises LabError when the folder's authority cannot be used."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = _authority(folder, cluster)
    for identity in (ADMIN, CONTROLLER_MANAGER, SCHEDULER, PROXY, KUBELET_CLIENT):
        _client(folder, authority, identity)
    for node in cluster.nodes():
        _client(folder, authority, kubelet(node))
        _server(folder, authority, f"kubelet-server-{node.name}", [node.name, node.address])
    names = [*_api_names(cluster), *(node.address for node in cluster.nodes())]
    for node in cluster.masters():
        _server(folder, authority, f"apiserver-{node.name}", [node.name, *names])
    if cluster.store == "etcd":
        _prepare_etcd(folder, cluster)
    if not (folder / "sa.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        replace_file(folder / "sa.key", pki.private_key_pem(key))


def _prepare_etcd(folder: Path, cluster: Cluster) -> None:
    """etcd has an authority of its own, as with kubeadm: whoever it trusts may read and write everything."""
    authority = _authority(folder, cluster, etcd.AUTHORITY)
    _client(folder, authority, ETCD_CLIENT)
    for node in cluster.masters():
        names = [node.name, "localhost", "127.0.0.1", node.address]
        # Members are clients of one another, and a server asks itself.
        for file in (etcd.SERVER, etcd.PEER):
            _server(folder, authority, f"{file}-{node.name}", names, client=True)


def files_of(cluster: Cluster, node: Node) -> dict[str, str]:
    """The certificates (file names without ending) that a node which is a host has: its own name of each, and ours."""
    own = {f"kubelet-{node.name}": f"kubelet-{node.name}", f"kubelet-server-{node.name}": f"kubelet-server-{node.name}"}
    own |= {"proxy": "proxy"}
    if not node.control_plane:
        return own
    server = f"apiserver-{node.name}"
    own |= {name: name for name in ("ca", CONTROLLER_MANAGER.file, SCHEDULER.file, KUBELET_CLIENT.file, server)}
    if cluster.store == "etcd":
        own |= {file: f"{file}-{node.name}" for file in (etcd.SERVER, etcd.PEER)} | {etcd.CLIENT: etcd.CLIENT}
    return own


def _api_names(cluster: Cluster) -> list[str]:
    first = str(IPv4Network(cluster.service_cidr)[1])
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    return ["localhost", "127.0.0.1", first, *service]


def _authority(folder: Path, cluster: Cluster, name: str = "ca") -> pki.KeyPair:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if not certificate.exists():
        _write(folder, name, pki.make_authority(f"homeostat-{cluster.name}"), durable=True)
    try:
        pair = pki.KeyPair(certificate.read_bytes(), key.read_bytes())
        x509.load_pem_x509_certificate(pair.certificate)
    except (OSError, ValueError) as error:
        text = f"the cluster's authority in {folder} cannot be read ({error}); "
        raise LabError(text + f"`homeostat down --name {cluster.name} --purge` forgets the cluster") from error
    return pair


def _client(folder: Path, authority: pki.KeyPair, identity: Identity) -> None:
    if not _good(folder / f"{identity.file}.crt"):
        pair = pki.issue(authority, identity.common_name, organizations=identity.organizations, client=True)
        _write(folder, identity.file, pair)


def _server(folder: Path, authority: pki.KeyPair, file: str, names: list[str], *, client: bool = False) -> None:
    if not _good(folder / f"{file}.crt"):
        _write(folder, file, pki.issue(authority, names[0], names=names, server=True, client=client))


def _good(file: Path) -> bool:
    """Whether the certificate is there with its key, and lives for a while."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    except (OSError, ValueError):
        return False
    if key.public_key() != certificate.public_key():
        return False
    renew_at = datetime.fromtimestamp(clock.wall(), UTC) + timedelta(days=_RENEW_DAYS)
    return certificate.not_valid_after_utc > renew_at


def _write(folder: Path, name: str, pair: pki.KeyPair, *, durable: bool = False) -> None:
    replace_file(folder / f"{name}.key", pair.key, durable=durable)
    replace_file(folder / f"{name}.crt", pair.certificate, mode=0o644, durable=durable)


def server_context(folder: Path, file: str) -> ssl.SSLContext:
    """For a server of the cluster; clients may show a certificate of the cluster's authority."""
    return tls.server_context(folder / f"{file}.crt", folder / f"{file}.key", client_ca=folder / "ca.crt")


def client_context(folder: Path, identity: Identity) -> ssl.SSLContext:
    """For a client with this identity."""
    certificate, key = folder / f"{identity.file}.crt", folder / f"{identity.file}.key"
    return tls.client_context(folder / "ca.crt", certificate=certificate, key=key)


def rehearse(folder: Path, cluster: Cluster) -> None:
    """One handshake before the components fork, so that they share what it sets up."""
    server = cluster.masters()[0]
    tls.rehearse(server_context(folder, f"apiserver-{server.name}"), client_context(folder, ADMIN), server.address)


def ca_pem(folder: Path) -> str:
    """The authority's certificate, by which Pods know the API server."""
    return (folder / "ca.crt").read_text()


def service_account_key(folder: Path) -> bytes:
    """The key that signs service account tokens (PEM)."""
    return (folder / "sa.key").read_bytes()


def admin_kubeconfig(folder: Path, cluster: Cluster) -> dict[str, Any]:
    """The administrator's kubeconfig."""
    return kubeconfig.build(
        context=cluster.context,
        server=f"https://127.0.0.1:{cluster.api_port}",
        ca=(folder / "ca.crt").read_bytes(),
        certificate=(folder / "admin.crt").read_bytes(),
        key=(folder / "admin.key").read_bytes(),
    )
