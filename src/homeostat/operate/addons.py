"""Add-ons: what a cluster has for its users beside the control plane, as objects of its own API: cluster DNS, and the
rights by which the Console signs people in.

They are made at `up`, as kubeadm does on its first master: what is missing is created, and what is there stays as its
owner wants it, except that Pods from an older Homeostat's image get this one's. Rules: kubeadm's manifests of CoreDNS
(cmd/kubeadm/app/phases/addons/dns), whose names, labels and ports others rely on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.errors import ApiError
from homeostat.api.kinds import DEPLOYMENT
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.client.contract import STRATEGIC_PATCH, Client
from homeostat.cluster.topology import Cluster
from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.lab.images import stock

NAMESPACE, NAME = "kube-system", "kube-dns"
_ROLE = "homeostat:cluster-dns"
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"k8s-app": NAME}
_REPLICAS = 2
_TRIES, _RETRY = 10, Backoff(first_seconds=0.1, ceiling_seconds=1.0)


def objects(cluster: Cluster) -> list[Obj]:
    """The add-ons of a cluster. Where Pods are plain processes the host's DNS finds their names."""
    dns = [_account(), *_rights(), _service(cluster), _deployment(cluster)] if cluster.kind.has_cluster_dns else []
    return [*dns, *(sign_in_objects() if cluster.console_port else [])]


def sign_in_objects() -> list[Obj]:
    """Who a person is in the Console that signed in by a code, an administrator; and that a code may ask for a token of
    this one account, and do nothing else."""
    name, role = bootstrap_tokens.CONSOLE_ACCOUNT, "homeostat:console-sign-in"
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    code = {"apiGroup": _RBAC, "kind": "Group", "name": bootstrap_tokens.CONSOLE_GROUP}
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [name], "verbs": ["create"]}
    bound = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": "homeostat:console-user"}}
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": role, "namespace": NAMESPACE}}
    admin = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}},
        {**bound, "kind": "ClusterRoleBinding", "roleRef": admin, "subjects": [account]},
        {**head, "kind": "Role", "rules": [rule]},
        {**head, "kind": "RoleBinding", "roleRef": {**admin, "kind": "Role", "name": role}, "subjects": [code]},
    ]


async def ensure(client: Client, wanted: Sequence[Obj]) -> None:
    """Make what is missing. Raises ApiError when something cannot be made, the last of several tries."""
    await asyncio.gather(*(_ensure(client, obj) for obj in wanted))


async def _ensure(client: Client, obj: Obj) -> None:
    kind = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
    assert kind is not None  # our own data names kinds that exist
    for attempt in range(_TRIES):
        try:
            await client.create(kind, obj)
            return
        except ApiError as error:
            if error.reason == "AlreadyExists":
                break
            # A cluster that is starting has no namespace or RBAC roles yet.
            if attempt == _TRIES - 1:
                raise
        await clock.sleep(_RETRY.delay(attempt))
    if kind is DEPLOYMENT:
        await _renew(client, obj)


async def _renew(client: Client, wanted: Obj) -> None:
    """Give the containers that run an older Homeostat this one's image."""
    name, namespace = meta.name(wanted), meta.namespace(wanted)
    found = await client.get(DEPLOYMENT, name, namespace)
    images = {each["name"]: each["image"] for each in _containers(found)}
    old = [
        {"name": each["name"], "image": each["image"]}
        for each in _containers(wanted)
        if images.get(each["name"], "").startswith(f"{stock.REGISTRY}/") and images[each["name"]] != each["image"]
    ]
    if old:
        patch = {"spec": {"template": {"spec": {"containers": old}}}}
        await client.patch(DEPLOYMENT, name, namespace, patch, content_type=STRATEGIC_PATCH)


def _containers(deployment: Obj) -> list[Obj]:
    found: list[Obj] = deployment["spec"]["template"]["spec"]["containers"]
    return found


def _account() -> Obj:
    metadata = {"name": NAME, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _rights() -> list[Obj]:
    """What the system's own role of DNS, system:kube-dns, lacks."""
    rule = {"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["list", "watch"]}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": _ROLE}}
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _ROLE}
    return [
        {**head, "kind": "ClusterRole", "rules": [rule]},
        {**head, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
    ]


def _service(cluster: Cluster) -> Obj:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ]
    labels = {**_LABELS, wellknown.LABEL_CLUSTER_SERVICE: "true", wellknown.LABEL_ADDON_NAME: "CoreDNS"}
    annotations = {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels, "annotations": annotations},
        "spec": {"clusterIP": cluster.dns_address, "selector": dict(_LABELS), "ports": ports},
    }


def _deployment(cluster: Cluster) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        "spec": {
            "replicas": _REPLICAS,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(cluster)},
        },
    }


def _pod(cluster: Cluster) -> Obj:
    apart = {"labelSelector": {"matchLabels": dict(_LABELS)}, "topologyKey": wellknown.LABEL_HOSTNAME}
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        # Names that are not the cluster's are forwarded to the node's own resolvers.
        "dnsPolicy": "Default",
        "nodeSelector": {wellknown.LABEL_OS: "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": wellknown.TAINT_CONTROL_PLANE, "effect": wellknown.NO_SCHEDULE},
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
            }
        },
        "containers": [_container(cluster)],
    }


def _container(cluster: Cluster) -> Obj:
    def ask(path: str, port: int, **timing: int) -> Obj:
        return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, **timing}

    domain = cluster.flags.text("kubelet", "cluster-domain")
    return {
        "name": "cluster-dns",
        "image": stock.HOMEOSTAT,
        "imagePullPolicy": "IfNotPresent",
        "command": ["cluster-dns", f"--domain={domain}", f"--address={cluster.dns_address}"],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "40Mi"}},
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
        "startupProbe": ask("/health", 8080, periodSeconds=1, failureThreshold=60),
        "livenessProbe": ask("/health", 8080, timeoutSeconds=5, failureThreshold=5),
        "readinessProbe": ask("/ready", 8181, timeoutSeconds=5, periodSeconds=1, failureThreshold=3),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
