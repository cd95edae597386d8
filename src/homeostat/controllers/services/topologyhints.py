"""Topology aware routing: which zone each endpoint of a Service is for, so that every zone has its share.

Asked for by the annotation `service.kubernetes.io/topology-mode: Auto` (KEP-2433). A zone's share is that of its
allocatable CPU; an endpoint is meant for its own zone, unless that has more than its share and another has less. Where
shares cannot be kept without an endpoint having 20 % too much to do there are no hints, and traffic may use every
endpoint. Rules: k8s.io/endpointslice/topologycache. Which of two equal zones gives or takes is settled by name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from homeostat.api import meta, quantity
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

_MODES = (wellknown.ANNOTATION_TOPOLOGY_MODE, wellknown.ANNOTATION_TOPOLOGY_HINTS)
_CONTROL_PLANE = frozenset((wellknown.LABEL_CONTROL_PLANE, wellknown.LABEL_MASTER))
_OVERLOAD = 0.2


def wanted(service: Obj) -> bool:
    """Whether the Service requests it."""
    given = next((meta.annotations(service)[name] for name in _MODES if name in meta.annotations(service)), "")
    return given in ("Auto", "auto")


def shares(nodes: Iterable[Obj]) -> dict[str, float]:
    """Each zone's part of the CPU of all ready workers. Empty when one of them has no zone or no CPU, or when they
    are all in one zone."""
    found: dict[str, int] = {}
    for node in nodes:
        if not meta.condition_true(node, "Ready") or _CONTROL_PLANE & set(meta.labels(node)):
            continue
        zone = meta.labels(node).get(wellknown.LABEL_ZONE, "")
        cpu = quantity.cpu_milli(((node.get("status") or {}).get("allocatable") or {}).get("cpu") or "0")
        if not zone or not cpu:
            return {}
        found[zone] = found.get(zone, 0) + cpu
    total = sum(found.values())
    return {zone: cpu / total for zone, cpu in found.items()} if len(found) > 1 else {}


def assign(zones: Sequence[str], parts: Mapping[str, float]) -> list[str]:
    """For ready endpoints in these `zones`: the zones they are meant for, in the same order; empty for no hints.
    `parts` are the zones' shares."""
    count = len(zones)
    if not parts or len(parts) > count or "" in zones:
        return []
    least = {zone: math.ceil(part * count / (1 + _OVERLOAD)) for zone, part in parts.items()}
    if sum(least.values()) > count:
        return []
    here = Counter(zones)
    # How many more than its share a zone has; less than nothing: how many it lacks.
    surplus = {zone: here[zone] - max(parts[zone] * count, least[zone]) for zone in sorted(parts)}
    gives, takes = _moves(surplus)
    meant = list(zones)
    for place, zone in enumerate(zones):
        if gives[zone] > 0:
            gives[zone] -= 1
            meant[place] = takes.pop(0)
    return meant


def _moves(surplus: dict[str, float]) -> tuple[Counter[str], list[str]]:
    """How many endpoints each zone gives away, and the zones that get them: from the one with most to the one that
    lacks most, while a whole endpoint is too many or missing, and neither less than half of one."""
    gives: Counter[str] = Counter()
    takes: list[str] = []
    while True:
        giver, taker = max(surplus, key=surplus.__getitem__), min(surplus, key=surplus.__getitem__)
        much, little = surplus[giver], -surplus[taker]
        if (much < 1 and little < 1) or much < 0.5 or little < 0.5:
            return gives, takes
        gives[giver] += 1
        takes.append(taker)
        surplus[giver] -= 1
        surplus[taker] += 1
