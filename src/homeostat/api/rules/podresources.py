"""What a Pod needs of a node: its containers together and its overhead. Pure.

One rule for the scheduler and the kubelet (component-helpers/resource, PodRequests; KEP-753 for sidecars, KEP-688 for
overhead). Amounts are milli-units of cpu and whole units of everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from homeostat.api import quantity

Amounts: TypeAlias = Mapping[str, int]


def total(mains: Iterable[Amounts], inits: Iterable[tuple[bool, Amounts]], overhead: Amounts) -> dict[str, int]:
    """What the Pod needs at once: the larger of its init phase and its running phase, plus its overhead.

    `inits` are the init containers in their order, each with whether it is a sidecar, which stays.
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
    _add(running, overhead)
    return {name: amount for name, amount in running.items() if amount}


def amounts_of(resources: Mapping[str, str] | None) -> dict[str, int]:
    """A ResourceList in numbers."""
    return {name: amount_of(name, value) for name, value in (resources or {}).items()}


def amount_of(name: str, value: str) -> int:
    """Milli-units of cpu, whole units of anything else."""
    return quantity.cpu_milli(value) if name == "cpu" else quantity.bytes_value(value)


def _add(sums: dict[str, int], more: Amounts) -> None:
    for name, amount in more.items():
        sums[name] = sums.get(name, 0) + amount
