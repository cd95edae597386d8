"""The taints that Kubernetes puts on nodes by itself, and the patches that put and take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from homeostat.api import meta
from homeostat.api.kinds import NODE
from homeostat.api.types import Obj
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Patch

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
NO_EXECUTE = "NoExecute"
NO_SCHEDULE = "NoSchedule"

# (condition, its status) -> the NoSchedule taint that it brings.
OF_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}


def of(node: Obj) -> list[Obj]:
    """spec.taints; read-only."""
    return (node.get("spec") or {}).get("taints") or []


def has(node: Obj, key: str, effect: str) -> bool:
    """Whether the node has that taint."""
    return any(taint.get("key") == key and taint.get("effect") == effect for taint in of(node))


def change(node: Obj, add: Iterable[str], remove: Iterable[str], effect: str, *, now: float, note: str) -> list[Patch]:
    """What gives the node the taints `add` of `effect` and takes `remove` from it; nothing when it is so already.

    The list is written whole, so the patch holds only at the node's revision.
    """
    unwanted = set(remove)
    kept = [taint for taint in of(node) if taint.get("effect") != effect or taint.get("key") not in unwanted]
    present = {taint.get("key") for taint in kept if taint.get("effect") == effect}
    missing: Sequence[str] = [key for key in add if key not in present]
    if not missing and len(kept) == len(of(node)):
        return []
    stamp = {"timeAdded": rfc3339(now)}
    wanted = [*kept, *({"key": key, "effect": effect, **stamp} for key in missing)]
    body = {"metadata": {"resourceVersion": meta.metadata(node).get("resourceVersion")}, "spec": {"taints": wanted}}
    return [Patch(NODE, "", meta.name(node), body, content_type=STRATEGIC, note=note)]
