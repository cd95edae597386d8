"""Which pods go when the node runs short, and what the node says of itself. Pure.

Rules: pkg/kubelet/eviction (helpers.go: thresholds, ranking, messages; eviction_manager.go: local storage limits).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta, quantity
from homeostat.api.rules import wellknown
from homeostat.api.rules.podresources import amounts_of, container_requests, pod_limits, pod_requests
from homeostat.api.rules.tolerations import matching
from homeostat.api.types import Obj
from homeostat.node.isolation import figures
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import FailureReason

_CONDITIONS = {"memory": "MemoryPressure", "nodefs": "DiskPressure", "imagefs": "DiskPressure", "pid": "PIDPressure"}
_DISK = "ephemeral-storage"
_RESOURCES = {"memory": "memory", "nodefs": _DISK, "imagefs": _DISK, "pid": "pids"}
_MEMORY_PRESSURE = {"key": wellknown.TAINT_MEMORY_PRESSURE, "effect": wellknown.NO_SCHEDULE}
# Memory first, then as Kubernetes' order of reclaiming has it.
_ORDER = ("memory", "nodefs", "imagefs", "pid")


class ThresholdError(ValueError):
    """A threshold is malformed."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How much of something is available, of how much: bytes, inodes or process IDs."""

    available: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """A signal may not fall below `least`: an amount, or (`percent`) a part of the capacity."""

    signal: str
    least: float
    percent: bool
    text: str

    def crossed(self, found: Signal) -> bool:
        """Whether the signal is below."""
        return found.available < (found.capacity * self.least / 100 if self.percent else self.least)

    @property
    def part(self) -> str:
        """memory, nodefs, imagefs or pid."""
        return self.signal.partition(".")[0]


@functools.lru_cache(maxsize=16)
def thresholds(text: str) -> tuple[Threshold, ...]:
    """`memory.available<100Mi,nodefs.available<10%`. Raises ThresholdError."""
    found = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        signal, mark, amount = each.partition("<")
        if not mark or signal.partition(".")[0] not in _CONDITIONS:
            raise ThresholdError(f"{each!r} is not SIGNAL<AMOUNT")
        percent = amount.endswith("%")
        try:
            least = float(amount[:-1]) if percent else float(quantity.of(amount).value)
        except ValueError as error:
            raise ThresholdError(f"{each!r}: {error}") from error
        found.append(Threshold(signal, least, percent, amount))
    return tuple(found)


def crossed(limits: Iterable[Threshold], found: Mapping[str, Signal]) -> list[Threshold]:
    """The thresholds that the node is below, in the order in which they are acted upon."""
    hit = [limit for limit in limits if limit.signal in found and limit.crossed(found[limit.signal])]
    return sorted(hit, key=lambda limit: _ORDER.index(limit.part))


def conditions(hit: Iterable[Threshold]) -> frozenset[str]:
    """The node's conditions that hold."""
    return frozenset(_CONDITIONS[limit.part] for limit in hit)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a pod uses: memory and disk in bytes, by container too; its volumes of type emptyDir in bytes, by name."""

    memory: Mapping[str, int] = field(default_factory=dict)
    disk: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)

    def of(self, resource: str) -> int:
        """All of one resource."""
        if resource == "memory":
            return sum(self.memory.values())
        return sum(self.disk.values()) + sum(self.volumes.values()) if resource == _DISK else 0


def ranked(pods: Iterable[Obj], usage: Mapping[str, Usage], limit: Threshold) -> list[Obj]:
    """Eviction order: first those that use more than they asked for, then by priority, then who is furthest over. Pods
    of the node itself and critical ones never go."""
    resource = _RESOURCES[limit.part]

    def place(pod: Obj) -> tuple[int, int, int]:
        used = usage.get(meta.uid(pod), Usage()).of(resource)
        over = used - _request(pod, resource)
        priority = int(spec.spec(pod).get("priority") or 0)
        return (0 if resource == "pids" else -int(over > 0), priority, -over)

    return sorted((pod for pod in pods if not figures.is_critical(pod)), key=place)


def _request(pod: Obj, resource: str) -> int:
    return pod_requests(spec.spec(pod)).get(resource, 0)


def why(pod: Obj, limit: Threshold, found: Signal, usage: Usage) -> FailureReason:
    """What an evicted pod's status says."""
    resource = _RESOURCES[limit.part]
    have = found.available if limit.part == "pid" or limit.signal.endswith("inodesFree") else _binary(found.available)
    text = f"The node was low on resource: {_limit_text(limit)}. "
    text += f"Threshold quantity: {_least(limit, found)}, available: {have}. "
    if resource == "pids":
        return FailureReason("Evicted", text)
    used = usage.memory if resource == "memory" else usage.disk
    for container in spec.mains(pod):
        name, consumed = container["name"], used.get(container["name"], 0)
        asked = amounts_of(container_requests(container.get("resources"))).get(resource, 0)
        if consumed > asked:
            text += f"Container {name} was using {_binary(consumed)}, request is {_binary(asked)}, "
            text += f"has larger consumption of {resource}. "
    return FailureReason("Evicted", text)


def _limit_text(limit: Threshold) -> str:
    if limit.signal.endswith("inodesFree"):
        return "inodes"
    return _RESOURCES[limit.part]


def _least(limit: Threshold, found: Signal) -> str:
    if not limit.percent:
        return limit.text
    amount = int(found.capacity * limit.least / 100)
    return str(amount) if limit.part == "pid" or limit.signal.endswith("inodesFree") else _binary(amount)


def _binary(amount: int) -> str:
    return f"{amount >> 10}Ki" if amount else "0"


def over_own_limits(pod: Obj, usage: Usage) -> FailureReason | None:
    """Why a pod has to go that uses more of the node's disk than it set itself."""
    for volume in spec.spec(pod).get("volumes") or []:
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit is not None and usage.volumes.get(volume["name"], 0) > quantity.of(limit).value > 0:
            text = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
            return FailureReason("Evicted", text)
    for container in spec.all_containers(pod):
        limit = ((container.get("resources") or {}).get("limits") or {}).get(_DISK)
        if limit is not None and usage.disk.get(container["name"], 0) > quantity.of(limit).value > 0:
            name = container["name"]
            return FailureReason("Evicted", f'Container {name} exceeded its local ephemeral storage limit "{limit}". ')
    most = pod_limits(spec.spec(pod)).get(_DISK, 0)
    if most and usage.of(_DISK) > most:
        text = f"Pod ephemeral local storage usage exceeds the total limit of containers {_binary(most)}. "
        return FailureReason("Evicted", text)
    return None


def refusal(pod: Obj, pressures: Iterable[str]) -> FailureReason | None:
    """Why a node under pressure does not take a pod: one that asks for nothing when memory is short, any otherwise."""
    held = sorted(pressures)
    if not held or figures.is_critical(pod):
        return None
    if held == ["MemoryPressure"] and (figures.quality_of(pod) != "BestEffort" or _tolerates(pod)):
        return None
    return FailureReason("Evicted", f"Pod was rejected: The node had condition: [{' '.join(held)}]. ")


def _tolerates(pod: Obj) -> bool:
    return matching(spec.spec(pod).get("tolerations") or (), _MEMORY_PRESSURE) is not None
