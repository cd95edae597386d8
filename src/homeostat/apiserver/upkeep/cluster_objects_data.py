"""The bootstrap objects of every cluster, as data: namespaces, priority classes, the API's
own Service with its endpoints. RBAC's are in `authz.rbac_policy`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVICE_NAMESPACE, SERVICE_NAME = "default", "kubernetes"
PORT_NAME = "https"


def namespaces() -> list[Obj]:
    """The four namespaces."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]


def priority_classes() -> list[Obj]:
    """The two classes of Pods that a cluster cannot do without."""
    wanted = (
        ("system-node-critical", 2_000_001_000, "the node needs them: they must not be moved from it"),
        ("system-cluster-critical", 2_000_000_000, "the cluster needs them: they may be moved to another node"),
    )
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": f"For system-critical pods; {text}.",
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value, text in wanted
    ]


def service_cidr(cidr: str) -> Obj:
    """ServiceCIDR `kubernetes`: the range that Services have their addresses of."""
    head: Obj = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": SERVICE_NAME}}
    return {**head, "spec": {"cidrs": [cidr]}}


def service_cidr_ready(obj: Obj, now: str) -> Obj:
    """The same with its condition, as kube-apiserver's controller of the default range sets it; `now` is a Time."""
    conditions = list((obj.get("status") or {}).get("conditions") or ())
    ready = {"type": "Ready", "status": "True", "reason": "", "message": "Kubernetes default Service CIDR is ready"}
    meta.set_condition(conditions, ready, now)
    return {**obj, "status": {"conditions": conditions}}


def api_service(cluster_ip: str, port: int) -> Obj:
    """Service default/kubernetes; `port` is where the API servers listen."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": PORT_NAME, "port": 443, "protocol": "TCP", "targetPort": port}]
    spec = {
        "clusterIP": cluster_ip,
        "clusterIPs": [cluster_ip],
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": ports,
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    metadata = {"name": SERVICE_NAME, "namespace": SERVICE_NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _by_port(addresses: Iterable[tuple[str, int]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for host, port in sorted(set(addresses)):
        found[port].append(host)
    return dict(sorted(found.items()))


def api_endpoints(addresses: Iterable[tuple[str, int]]) -> Obj:
    """Endpoints default/kubernetes; servers that share a port share a subset."""
    subsets = [
        {
            "addresses": [{"ip": host} for host in hosts],
            "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
        }
        for port, hosts in _by_port(addresses).items()
    ]
    labels = {wellknown.LABEL_SKIP_MIRROR: "true"}
    metadata = {"name": SERVICE_NAME, "namespace": SERVICE_NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}


def api_endpoint_slices(addresses: Iterable[tuple[str, int]]) -> list[Obj]:
    """The EndpointSlices of default/kubernetes, one a port: `kubernetes`, then `kubernetes-PORT`."""
    slices: list[Obj] = []
    for number, (port, hosts) in enumerate(_by_port(addresses).items()):
        name = SERVICE_NAME if number == 0 else f"{SERVICE_NAME}-{port}"
        labels = {wellknown.LABEL_SERVICE_NAME: SERVICE_NAME}
        metadata = {"name": name, "namespace": SERVICE_NAMESPACE, "labels": labels}
        head: Obj = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
        endpoints = [{"addresses": [host], "conditions": {"ready": True}} for host in hosts]
        ports = [{"name": PORT_NAME, "port": port, "protocol": "TCP"}]
        slices.append({**head, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    return slices
