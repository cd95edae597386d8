"""The roles and bindings by which a cluster is administered, and machines join and keep their certificates, as data.

Roles of the system: kube-apiserver's bootstrap policy. Bindings: what kubeadm makes on its first master, under names of
our own: bootstrap tokens may request a node's certificate, nodes may renew their own, and everybody may read the
cluster's CA in cluster-info.
"""

from __future__ import annotations

from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.types import Obj
from homeostat.apiserver.authz.rbac_policy import GROUP, cluster_role, cluster_role_binding, rule, subject

_CSR, _CERTIFICATES = "certificatesigningrequests", "certificates.k8s.io"
_PREFIX = f"system:{_CERTIFICATES}:"
# The group of the administrators' certificates, and the name of its binding, as kubeadm has them.
CLUSTER_ADMINS = "kubeadm:cluster-admins"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"


def cluster_roles() -> list[Obj]:
    """Asking for certificates, and approving each kind of them."""
    signers = ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
    roles = [
        cluster_role(f"{_PREFIX}{_CSR}:nodeclient", [rule("create", _CERTIFICATES, f"{_CSR}/nodeclient")]),
        cluster_role(f"{_PREFIX}{_CSR}:selfnodeclient", [rule("create", _CERTIFICATES, f"{_CSR}/selfnodeclient")]),
    ]
    roles.append(cluster_role("homeostat:proxyclient", [rule("create", _CERTIFICATES, f"{_CSR}/proxyclient")]))
    for signer in signers:
        approve = rule("approve", _CERTIFICATES, "signers", names=f"kubernetes.io/{signer}")
        roles.append(cluster_role(f"{_PREFIX}{signer}-approver", [approve]))
    return roles


def cluster_role_bindings() -> list[Obj]:
    """The bindings of administrators, of the API servers to kubelets, of joining machines, and of automatic
    approval."""
    joining, nodes = subject("Group", bootstrap_tokens.JOIN_GROUP), subject("Group", "system:nodes")
    kubelets_client = subject("User", KUBELET_CLIENT)
    return [
        cluster_role_binding(CLUSTER_ADMINS, "cluster-admin", subject("Group", CLUSTER_ADMINS)),
        cluster_role_binding("homeostat:kubelet-api-admin", "system:kubelet-api-admin", kubelets_client),
        cluster_role_binding("homeostat:kubelet-bootstrap", "system:node-bootstrapper", joining),
        cluster_role_binding("homeostat:node-autoapprove-bootstrap", f"{_PREFIX}{_CSR}:nodeclient", joining),
        cluster_role_binding("homeostat:proxy-autoapprove", "homeostat:proxyclient", joining, nodes),
        cluster_role_binding(
            "homeostat:node-autoapprove-certificate-rotation", f"{_PREFIX}{_CSR}:selfnodeclient", nodes
        ),
    ]


def public_info() -> list[Obj]:
    """The Role and RoleBinding in kube-public by which cluster-info is read without credentials."""
    name = "homeostat:bootstrap-signer-clusterinfo"
    metadata: Obj = {"name": name, "namespace": bootstrap_tokens.PUBLIC_NAMESPACE}
    rules = [rule("get", "core", "configmaps", names=bootstrap_tokens.CLUSTER_INFO)]
    role = {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    reference = {"apiGroup": GROUP, "kind": "Role", "name": name}
    head = {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": dict(metadata)}
    return [role, {**head, "roleRef": reference, "subjects": [subject("User", "system:anonymous")]}]
