"""The disruption loop: how many disruptions each PodDisruptionBudget allows right now.

Rules: pkg/controller/disruption. An eviction takes one from `disruptionsAllowed` and notes the Pod in `disruptedPods`;
this loop counts again when the Pod is gone, or two minutes later when it still is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, PDB, POD, Kind
from homeostat.api.rules import ownership
from homeostat.api.rules.disruption import (
    DELETION_SECONDS,
    SCALED,
    UnknownScale,
    counted,
    counts,
    selector,
    still_disrupted,
)
from homeostat.api.types import Obj
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Key, Later, Loop, Record, Update, Watch, World


def loop() -> Loop:
    """The loop `disruption`."""
    scaled = tuple(Watch(kind, _no_keys) for kind in (DEPLOYMENT, *SCALED.values()))
    return Loop("disruption", (Watch(PDB), Watch(POD, _pod_keys), *scaled), decide)


def _no_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Sizes are read when Pods come and go."""
    return ()


def _pod_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The budgets that select the Pod, when it has changed in a way that they count."""
    forms = [pod for pod in (old, new) if pod is not None]
    budgets = world.list(PDB, meta.namespace(forms[0]))
    if not budgets or (old is not None and new is not None and _outline(old) == _outline(new)):
        return ()
    found: list[Key] = []
    for budget in budgets:
        matches = selector(budget).matches
        if any(matches(meta.labels(pod)) for pod in forms):
            found.append(meta.key(budget))
    return found


def _outline(pod: Obj) -> tuple[object, ...]:
    return (
        meta.labels(pod),
        meta.pod_ready(pod),
        meta.pod_terminal(pod),
        meta.deleting(pod),
        ownership.controller_of(pod),
    )


def decide(key: Key, world: World) -> list[Action]:
    """Count again and write the status when it differs."""
    budget = world.get(PDB, *meta.split_key(key))
    if budget is None or meta.deleting(budget):
        return []
    pods = counted(budget, world.list(POD, meta.namespace(budget)))

    def find(kind: Kind, name: str) -> Obj | None:
        return world.get(kind, meta.namespace(budget), name)

    try:
        found = counts(budget, pods, find, world.now)
    except UnknownScale as problem:
        failed = _written(budget, {"disruptionsAllowed": 0}, ("False", "SyncFailed", str(problem)), world.now)
        text = f"Failed to calculate the number of expected pods: {problem}"
        return [Record(budget, "CalculateExpectedPodCountFailed", text, "Warning"), *failed] if failed else []
    going = still_disrupted(budget, pods, world.now)
    numbers: Obj = {**found.status(), "disruptedPods": going}
    verdict = ("True", "SufficientPods", "") if found.allowed else ("False", "InsufficientPods", "")
    actions = _written(budget, numbers, verdict, world.now)
    waits = [meta.time_of(since) + DELETION_SECONDS - world.now for since in going.values()]
    return [*actions, Later(math.ceil(min(waits)))] if waits else actions


def _written(budget: Obj, numbers: Obj, verdict: tuple[str, str, str], now: float) -> list[Action]:
    """The status as an update at the budget's revision: evictions write it too."""
    before: Obj = budget.get("status") or {}
    status, reason, message = verdict
    conditions = [dict(item) for item in meta.conditions(budget)]
    generation = meta.generation(budget)
    new = {"type": "DisruptionAllowed", "status": status, "reason": reason, "message": message}
    meta.set_condition(conditions, new | {"observedGeneration": generation}, rfc3339(now))
    after = {**before, **numbers, "observedGeneration": generation, "conditions": conditions}
    if not after.get("disruptedPods"):
        after.pop("disruptedPods", None)
    if after == before:
        return []
    note = f"{after['disruptionsAllowed']} disruptions allowed"
    return [Update(PDB, {**budget, "status": after}, subresource="status", note=note)]
