"""The Node object that an agent keeps: what it registers, and the status it reports. Pure.

Labels, conditions, reasons and messages are the kubelet's (kubelet_node_status.go, nodestatus/setters.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit.clock import rfc3339
from homeostat.node.config import VERSION, NodeConfig

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the node's machine is: for nodeInfo, default labels and capacity (quantities by resource name)."""

    operating_system: str = "linux"
    architecture: str = "amd64"
    os_image: str = "simulated"
    kernel: str = "simulated"
    machine_id: str = ""
    boot_id: str = ""
    capacity: Mapping[str, str] = field(default_factory=dict)


def capacity(config: NodeConfig, machine: Machine) -> dict[str, str]:
    """What the node has, by resource."""
    known = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", **dict(machine.capacity)}
    known["pods"] = str(config.number("max-pods"))
    return {**known, **config.capacity}


def default_labels(config: NodeConfig, machine: Machine) -> dict[str, str]:
    """The labels that the agent sets, and sets right when somebody changed them."""
    return {
        "kubernetes.io/hostname": config.name,
        "kubernetes.io/os": machine.operating_system,
        "kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": machine.operating_system,
        "beta.kubernetes.io/arch": machine.architecture,
    }


def registration(config: NodeConfig, machine: Machine, runtime_version: str, now: float) -> Obj:
    """The object to create when there is none yet."""
    labels = default_labels(config, machine)
    node: Obj = {"apiVersion": "v1", "kind": "Node"}
    node["metadata"] = {"name": config.name, "labels": labels | dict(config.labels)}
    if config.annotations:
        node["metadata"]["annotations"] = dict(config.annotations)
    node["spec"] = {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr]} if config.pod_cidr else {}
    if config.taints:
        node["spec"]["taints"] = [dict(taint) for taint in config.taints]
    status = node_status(config, machine, runtime_version, trouble="")
    node["status"] = status | {"conditions": timed(status["conditions"], [], now)}
    return node


def node_status(config: NodeConfig, machine: Machine, runtime_version: str, *, trouble: str) -> Obj:
    """The status, its conditions without times. `trouble` says why the runtime does not work, if it does not."""
    amounts = capacity(config, machine)
    conditions = [
        {"type": kind, "status": "False", "reason": reason, "message": message} for kind, reason, message in _PRESSURES
    ]
    ready: Obj = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    ready["message"] = "kubelet is posting ready status"
    if trouble:
        ready |= {"status": "False", "reason": "KubeletNotReady", "message": trouble}
    return {
        "addresses": [
            {"type": "InternalIP", "address": config.address},
            {"type": "Hostname", "address": config.name},
        ],
        "allocatable": amounts,
        "capacity": amounts,
        "conditions": [*conditions, ready],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": runtime_version,
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": VERSION,
            "machineID": machine.machine_id,
            "operatingSystem": machine.operating_system,
            "osImage": machine.os_image,
            "systemUUID": machine.machine_id,
        },
    }


def timed(conditions: list[Obj], old: list[Obj], now: float) -> list[Obj]:
    """The conditions with a heartbeat now, and a transition time that is kept while the status stays."""
    moment = rfc3339(now)
    result = []
    for condition in conditions:
        before = meta.find_condition(old, condition["type"])
        kept = before is not None and before.get("status") == condition["status"]
        since = (before or {}).get("lastTransitionTime") if kept else None
        result.append({**condition, "lastHeartbeatTime": moment, "lastTransitionTime": since or moment})
    return result


def changed(node: Obj, status: Obj) -> bool:
    """Whether the status in the API differs from `status` in more than heartbeat times."""
    present = node.get("status") or {}
    for name, value in status.items():
        if name != "conditions" and present.get(name) != value:
            return True
    return any(_differs(meta.condition(node, wanted["type"]), wanted) for wanted in status["conditions"])


def _differs(present: Obj | None, wanted: Obj) -> bool:
    return present is None or any(present.get(field) != wanted[field] for field in ("status", "reason", "message"))


def label_patch(node: Obj, labels: Mapping[str, str]) -> Obj | None:
    """The merge patch that sets the agent's labels right, or None."""
    present = meta.labels(node)
    wrong = {key: value for key, value in labels.items() if present.get(key) != value}
    return {"metadata": {"labels": wrong}} if wrong else None
