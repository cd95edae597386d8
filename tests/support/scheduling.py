"""Nodes and pods for scheduler stories, in few words."""

from __future__ import annotations

from typing import Any

from homeostat.scheduler.podinfo import PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot

_uids = iter(range(10**9))


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **more: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, **more.get("labels", {})}
    spec = {key: more[key] for key in ("taints", "unschedulable") if key in more}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
    }


def pod(name: str, *, cpu: str = "", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": "app"}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    if "ports" in spec:
        container["ports"] = spec.pop("ports")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{next(_uids)}", "labels": labels or {}},
        "spec": {"containers": [container], **spec},
        "status": {},
    }


def info(name: str, **what: Any) -> PodInfo:
    return pod_info(pod(name, **what))


def snapshot(*nodes: dict[str, Any]) -> Snapshot:
    made = Snapshot()
    for each in nodes:
        made.set_node(each)
    return made
