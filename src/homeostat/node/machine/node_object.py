"""The Node object that an agent keeps: what it registers, and the status it reports. Pure.

Labels, conditions, reasons and messages are the kubelet's (kubelet_node_status.go, nodestatus/setters.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.kit.clock import rfc3339
from homeostat.node.podspec.node_config import VERSION, NodeConfig
from homeostat.runtime.contract import Image

# Type; reason and message while it does not hold; the same while it does.
_PRESSURES = (
    (
        "MemoryPressure",
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    (
        "DiskPressure",
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    (
        "PIDPressure",
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
)
# KubeletConfiguration: nodeStatusMaxImages.
_IMAGES_MAX = 50


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


@dataclass(frozen=True, slots=True)
class Health:
    """How the node is: why its runtime or itself does not work (empty: it does), the pressures that it is under, and
    the images on it."""

    trouble: str = ""
    pressures: frozenset[str] = frozenset()
    images: tuple[Image, ...] = ()


def capacity(config: NodeConfig, machine: Machine) -> dict[str, str]:
    """What the node has, by resource."""
    known = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", **dict(machine.capacity)}
    known["pods"] = str(config.number("max-pods"))
    return {**known, **config.capacity}


def default_labels(config: NodeConfig, machine: Machine) -> dict[str, str]:
    """The labels that the agent sets, and restores when they were changed."""
    return {
        wellknown.LABEL_HOSTNAME: config.name,
        wellknown.LABEL_OS: machine.operating_system,
        wellknown.LABEL_ARCH: machine.architecture,
        wellknown.LABEL_OS_BETA: machine.operating_system,
        wellknown.LABEL_ARCH_BETA: machine.architecture,
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
    status = node_status(config, machine, runtime_version, Health())
    node["status"] = status | {"conditions": timed(status["conditions"], [], now)}
    return node


def node_status(config: NodeConfig, machine: Machine, runtime_version: str, health: Health) -> Obj:
    """The status, its conditions without times."""
    amounts = capacity(config, machine)
    conditions = [_pressure(kind, *words, held=kind in health.pressures) for kind, *words in _PRESSURES]
    ready: Obj = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    ready["message"] = "kubelet is posting ready status"
    if health.trouble:
        ready |= {"status": "False", "reason": "KubeletNotReady", "message": health.trouble}
    images = {"images": _images(health.images)} if health.images else {}
    return {
        **images,
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


def _pressure(kind: str, well: tuple[str, str], badly: tuple[str, str], *, held: bool) -> Obj:
    reason, message = badly if held else well
    return {"type": kind, "status": "True" if held else "False", "reason": reason, "message": message}


def _images(images: Iterable[Image]) -> list[Obj]:
    """The largest images, for the scheduler to know where they are."""
    largest = sorted(images, key=lambda image: (-image.size_bytes, image.id))[:_IMAGES_MAX]
    return [{"names": [*image.digests, *image.tags], "sizeBytes": image.size_bytes} for image in largest]


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
