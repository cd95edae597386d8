"""What a Pod requests of a node and what it may use at most: its containers together and its overhead. Pure.

Kubernetes: Resource Management for Pods and Containers; component-helpers/resource (PodRequests, PodLimits); KEP-753
for sidecars, KEP-688 for overhead. Amounts are thousandths of cpu and whole units of everything else, rounded up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from homeostat.api import quantity
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj

Amounts: TypeAlias = Mapping[str, int]


def container_requests(resources: Obj | None) -> dict[str, str]:
    """What a container's `resources` request: where only a limit is given, the limit is the request. The API server
    writes that into a Pod; one from a file of a node may come without."""
    given = resources or {}
    return {**(given.get("limits") or {}), **(given.get("requests") or {})}


def pod_requests(spec: Obj, missing: Mapping[str, str] | None = None) -> dict[str, int]:
    """What a Pod with this spec requests; resources of which it requests none are left out. A container counts with
    what is `missing` where it requests nothing of that. Raises quantity.QuantityError."""
    default = missing or {}

    def requested(container: Obj) -> dict[str, int]:
        return amounts_of({**default, **container_requests(container.get("resources"))})

    sums = of_containers(spec, requested)
    _add(sums, amounts_of(spec.get("overhead")))
    return {name: amount for name, amount in sums.items() if amount}


def pod_limits(spec: Obj) -> dict[str, int]:
    """The limits of a Pod with this spec, summed up; a resource that no container limits is left out. Overhead is added
    to the limits that there are. Raises quantity.QuantityError."""

    def limited(container: Obj) -> dict[str, int]:
        return amounts_of((container.get("resources") or {}).get("limits"))

    overhead = amounts_of(spec.get("overhead"))
    sums = of_containers(spec, limited)
    return {name: amount + overhead.get(name, 0) for name, amount in sums.items() if amount}


def aggregate(mains: Iterable[Amounts], inits: Iterable[tuple[bool, Amounts]]) -> dict[str, int]:
    """The larger of what a Pod's init phase and its running phase request, for each named resource.

    `mains` are the amounts of the app containers; `inits` those of the init containers in their order, each with
    whether it is a sidecar, which stays. Amounts may be in any unit.
    """
    running: dict[str, int] = {}
    for amounts in mains:
        _add(running, amounts)
    sidecars: dict[str, int] = {}
    starting: dict[str, int] = {}
    for stays, amounts in inits:
        if stays:
            _add(sidecars, amounts)
            at_once = sidecars
        else:
            at_once = dict(amounts)
            _add(at_once, sidecars)
        for name, amount in at_once.items():
            starting[name] = max(starting.get(name, 0), amount)
    _add(running, sidecars)
    for name, amount in starting.items():
        running[name] = max(running.get(name, 0), amount)
    return running


def of_containers(spec: Obj, amounts: Callable[[Obj], Amounts]) -> dict[str, int]:
    """`aggregate` over the containers of a Pod's spec, each with the amounts that `amounts` gives for it."""
    inits = [(is_sidecar(container), amounts(container)) for container in spec.get("initContainers") or ()]
    return aggregate(map(amounts, spec.get("containers") or ()), inits)


def amounts_of(resources: Mapping[str, str] | None) -> dict[str, int]:
    """A ResourceList in numbers; empty for none. Raises quantity.QuantityError."""
    return {name: amount_of(name, value) for name, value in (resources or {}).items()}


def amount_of(name: str, value: str) -> int:
    """Thousandths of cpu, whole units of anything else. Raises quantity.QuantityError."""
    return quantity.cpu_milli(value) if name == "cpu" else quantity.bytes_value(value)


def _add(sums: dict[str, int], more: Amounts) -> None:
    for name, amount in more.items():
        sums[name] = sums.get(name, 0) + amount
