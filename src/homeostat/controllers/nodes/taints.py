"""The taints that Kubernetes puts on nodes by itself, and the patches that add and remove them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from homeostat.api import meta
from homeostat.api.kinds import NODE
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Patch

# (condition, its status) -> its NoSchedule taint.
OF_CONDITION = {
    ("Ready", "False"): wellknown.TAINT_NOT_READY,
    ("Ready", "Unknown"): wellknown.TAINT_UNREACHABLE,
    ("MemoryPressure", "True"): wellknown.TAINT_MEMORY_PRESSURE,
    ("DiskPressure", "True"): wellknown.TAINT_DISK_PRESSURE,
    ("PIDPressure", "True"): wellknown.TAINT_PID_PRESSURE,
    ("NetworkUnavailable", "True"): wellknown.TAINT_NETWORK_UNAVAILABLE,
}


def of(node: Obj) -> list[Obj]:
    """spec.taints; read-only."""
    return (node.get("spec") or {}).get("taints") or []


def has(node: Obj, key: str, effect: str) -> bool:
    """Whether the node has that taint."""
    return any(taint.get("key") == key and taint.get("effect") == effect for taint in of(node))


def change(node: Obj, add: Iterable[str], remove: Iterable[str], effect: str, *, now: float, note: str) -> list[Patch]:
    """The patch that adds the taints `add` of `effect` to the node and removes `remove`; none when that is so already.

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
