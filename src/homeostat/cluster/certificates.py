"""The lab's certificates: its authorities, and for every component a certificate with Kubernetes' standard identity.

They are files in the state folder's `pki/`, made once (`certificate_plan` lists them), and renewed when most of
their life is over, when they are damaged or when a name is missing; all but the authorities and the key of the service
accounts, which must survive. Each node gets a copy of those that it needs (`deliver`).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from homeostat.cluster import certificate_plan, kubeconfig
from homeostat.cluster.certificate_plan import (
    ADMIN,
    CONTROLLER_MANAGER,
    ETCD_CLIENT,
    KUBELET_CLIENT,
    PROXY,
    SCHEDULER,
    Identity,
    Leaf,
    kubelet,
)
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import LabError, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock, private
from homeostat.wire import pki, tls

__all__ = ["ADMIN", "CONTROLLER_MANAGER", "ETCD_CLIENT", "KUBELET_CLIENT", "PROXY", "SCHEDULER", "Identity", "kubelet"]

# How much of its lifetime a certificate is used before it is renewed.
_LIFE_USED_MAX = 0.7


def prepare(folder: Path, cluster: Cluster, *, seconds: float = pki.LEAF_SECONDS) -> list[str]:
    """Make what is missing, damaged or old; the names of what was made. New ones live for `seconds`.

    Raises LabError when an authority cannot be used.
    """
    private.folder(folder)
    known = {name: _authority(folder, cluster, name) for name in certificate_plan.authorities(cluster)}
    made = []
    for leaf in certificate_plan.leaves(cluster):
        if not _good(folder / f"{leaf.file}.crt", leaf, known[leaf.authority].certificate):
            pair = pki.issue(
                known[leaf.authority],
                leaf.identity.common_name,
                organizations=leaf.identity.organizations,
                names=leaf.names,
                seconds=seconds,
                server=leaf.server,
                client=leaf.client,
            )
            _write(folder, leaf.file, pair)
            made.append(leaf.file)
    if not (folder / certificate_plan.SERVICE_ACCOUNT_KEY).exists():
        key = ec.generate_private_key(ec.SECP256R1())
        replace_file(folder / certificate_plan.SERVICE_ACCOUNT_KEY, pki.private_key_pem(key))
    return made


def deliver(folder: Path, target: Path, cluster: Cluster, node: Node) -> list[str]:
    """Bring a node's own folder of certificates up to date: what it needs is added, what it does not need is removed.

    Returns the files that changed. Raises OSError.
    """
    private.folder(target)
    wanted = certificate_plan.files_of(cluster, node)
    changed = []
    # Keys before certificates: a reader waits for the pair that fits.
    for name in sorted(wanted, key=lambda name: name.endswith(".crt")):
        content = (folder / wanted[name]).read_bytes()
        if not (target / name).exists() or (target / name).read_bytes() != content:
            replace_file(target / name, content, mode=0o600 if name.endswith(".key") else 0o644, durable=False)
            changed.append(name)
    for file in target.iterdir():
        if file.name not in wanted:
            file.unlink()
            changed.append(file.name)
    return changed


def _authority(folder: Path, cluster: Cluster, name: str) -> pki.KeyPair:
    if not (folder / f"{name}.crt").exists():
        text = f"homeostat-{cluster.name}" if name == certificate_plan.AUTHORITY else f"homeostat-{cluster.name}-{name}"
        _write(folder, name, pki.make_authority(text), durable=True)
    try:
        pair = pki.KeyPair((folder / f"{name}.crt").read_bytes(), (folder / f"{name}.key").read_bytes())
        certificate = x509.load_pem_x509_certificate(pair.certificate)
    except (OSError, ValueError) as error:
        text = f"the cluster's authority {name} in {folder} cannot be read ({error}); "
        raise LabError(text + f"`homeostat down --name {cluster.name} --purge` forgets the cluster") from error
    if certificate.not_valid_after_utc.timestamp() <= clock.wall():
        ended = clock.rfc3339(certificate.not_valid_after_utc.timestamp())
        text = (
            f"the cluster's authority {name} in {folder} has ended at {ended}, and everything that it signed with it; "
        )
        text += "nothing that trusts it can learn of a new one: "
        raise LabError(text + f"`homeostat down --name {cluster.name} --purge` forgets the cluster")
    return pair


def _good(file: Path, leaf: Leaf, authority: bytes) -> bool:
    """Whether the certificate is there with its key, is the authority's, has its identity and names, and is not old."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    except (OSError, ValueError):
        return False
    if not pki.is_issued_by(file.read_bytes(), authority):
        return False
    if key.public_key() != certificate.public_key() or not _names_of(certificate).issuperset(leaf.names):
        return False
    # An earlier version gave it another user or other groups.
    if _identity_of(certificate) != (leaf.identity.common_name, leaf.identity.organizations):
        return False
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return begin <= clock.wall() < begin + (end - begin) * _LIFE_USED_MAX


def _identity_of(certificate: x509.Certificate) -> tuple[str, tuple[str, ...]]:
    """The common name and the organisations."""
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(name.value), tuple(str(each.value) for each in groups)


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return {*names.get_values_for_type(x509.DNSName), *addresses}


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
