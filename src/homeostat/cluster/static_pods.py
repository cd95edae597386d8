"""The control plane's static Pods: what a master's kubelet keeps running, and relaunches when it is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from homeostat.api.rules import wellknown
from homeostat.cluster import node_layout
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import replace_file
from homeostat.cluster.topology import Cluster

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_HEALTH_PORTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
_ALIVE = "/livez?exclude=etcd"
_BUILTIN = "homeostat:builtin"


def static_pod(state: str, cluster: Cluster, node: Node, component: str, image: str = _BUILTIN) -> dict[str, Any]:
    """The Pod of one control-plane component on one master.

    `state` is the folder with the cluster's plan and certificates, as the component sees it. On a node that is a host
    the component runs from `image`; elsewhere in a fork of the warm parent.
    """
    container: dict[str, Any] = {
        "name": component,
        "image": image,
        "imagePullPolicy": "Never",
        "command": [component, f"--state={state}", f"--node={node.name}"],
    }
    container |= _probes(cluster, node, component)
    if component == "kube-apiserver":
        port = cluster.api_server_port
        container["ports"] = [{"name": "https", "containerPort": port, "hostPort": port}]
    spec: dict[str, Any] = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 5,
        "tolerations": [{"operator": "Exists", "effect": wellknown.NO_EXECUTE}],
        "containers": [container],
    }
    if cpu := cluster.kind.component_cpu(component):
        container["resources"] = {"requests": {"cpu": cpu}}
    if mounts := cluster.kind.component_mounts(component, cluster.store, state):
        container["volumeMounts"] = [
            {"name": mount.name, "mountPath": mount.path} | ({"readOnly": True} if mount.read_only else {})
            for mount in mounts
        ]
        spec["volumes"] = [
            {"name": mount.name, "hostPath": {"path": mount.path, "type": mount.kind}} for mount in mounts
        ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": component,
            "namespace": "kube-system",
            "labels": {"component": component, "tier": "control-plane"},
        },
        "spec": spec,
    }


def health_address(cluster: Cluster, node: Node, component: str) -> tuple[str, int]:
    """The address and port where a component of a master answers health checks."""
    if component == "kube-apiserver":
        return node.address, cluster.api_server_port
    return cluster.kind.health_host(node), _HEALTH_PORTS[component]


def _probes(cluster: Cluster, node: Node, component: str) -> dict[str, Any]:
    """kubeadm's probes, quicker to see that a server has started, and that it hangs: within 50 s.

    An API server must not be killed for what its store lacks, so liveness leaves the store out; readiness asks for it,
    seldom where all servers have the same file as their store, and none of them loses it alone.
    """
    host, port = health_address(cluster, node, component)

    def ask(path: str, **timing: int) -> dict[str, Any]:
        where = {"host": host, "port": port, "scheme": "HTTPS", "path": path}
        return {"httpGet": where, "timeoutSeconds": 10, **timing}

    if component != "kube-apiserver":
        return {"livenessProbe": ask("/healthz", initialDelaySeconds=10, periodSeconds=10, failureThreshold=4)}
    return {
        "startupProbe": ask(_ALIVE, periodSeconds=1, failureThreshold=240),
        "livenessProbe": ask(_ALIVE, periodSeconds=10, failureThreshold=4),
        "readinessProbe": ask("/readyz", periodSeconds=2 if cluster.store == "etcd" else 5, failureThreshold=2),
    }


def write(pods: list[dict[str, Any]], folder: Path) -> None:
    """Write a master's manifests into `folder`, in the order in which they are to start."""
    folder.mkdir(parents=True, exist_ok=True)
    for pod in pods:
        text = yaml.dump(pod, Dumper=yaml.CSafeDumper, sort_keys=False)
        replace_file(folder / f"{pod['metadata']['name']}.yaml", text.encode(), durable=False)


def of_host(cluster: Cluster, node: Node, image: str) -> list[dict[str, Any]]:
    """The Pods of a master that is a host, from `image`."""
    return [static_pod(node_layout.KUBERNETES, cluster, node, component, image) for component in COMPONENTS]


def of_processes(state: Path, cluster: Cluster, node: Node) -> list[dict[str, Any]]:
    """The Pods of a master that is no host of its own; the API server's first, since everything waits for it."""
    return [static_pod(str(state), cluster, node, component) for component in COMPONENTS]
