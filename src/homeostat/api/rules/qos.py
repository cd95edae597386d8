"""A Pod's quality of service class, from its containers' cpu and memory (pkg/apis/core/v1/helper/qos)."""

from __future__ import annotations

from homeostat.api import quantity
from homeostat.api.types import Obj

_COUNTED = ("cpu", "memory")


def _amounts(resources: Obj | None) -> dict[str, int]:
    """The cpu and memory that are asked for, in nanos; zero counts as not asked."""
    found: dict[str, int] = {}
    for name in _COUNTED:
        written = (resources or {}).get(name)
        if written is None:
            continue
        try:
            amount = quantity.of(written).nanos
        except quantity.QuantityError:
            continue
        if amount > 0:
            found[name] = amount
    return found


def qos_class(pod: Obj) -> str:
    """Guaranteed when every container's limits equal its requests for both; BestEffort when nothing is asked for."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    asked, guaranteed = False, bool(containers)
    for container in containers:
        resources = container.get("resources")
        limits = _amounts(resources.get("limits")) if resources else {}
        requests = _amounts(resources.get("requests")) if resources else {}
        asked = asked or bool(limits or requests)
        guaranteed = guaranteed and len(limits) == len(_COUNTED) and {**limits, **requests} == limits
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
