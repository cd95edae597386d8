"""The disruption loop: how many Pods each PodDisruptionBudget would let go right now.

Rules: pkg/controller/disruption. An eviction takes one from `disruptionsAllowed` and notes the Pod in `disruptedPods`;
this loop counts again when the Pod is gone, or two minutes later when it still is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, PDB, POD, REPLICASET, REPLICATIONCONTROLLER, STATEFULSET
from homeostat.api.selectors import of_label_selector
from homeostat.api.types import Obj
from homeostat.controllers.fenceposts import resolve
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Key, Later, Loop, Record, Update, Watch, World

# How long an evicted Pod may take to be marked as going before the budget gets its disruption back.
DELETION_SECONDS = 120.0
_SIZED = {kind.kind: kind for kind in (REPLICASET, STATEFULSET, REPLICATIONCONTROLLER)}


class _Unknown(Exception):
    """How many Pods are expected cannot be told; the text says why."""


def loop() -> Loop:
    """The loop `disruption`."""
    scaled = tuple(Watch(kind, _no_keys) for kind in (DEPLOYMENT, REPLICASET, STATEFULSET, REPLICATIONCONTROLLER))
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
        matches = of_label_selector(budget["spec"].get("selector")).matches
        if any(matches(meta.labels(pod)) for pod in forms):
            found.append(meta.key(budget))
    return found


def _outline(pod: Obj) -> tuple[object, ...]:
    return meta.labels(pod), meta.pod_ready(pod), meta.pod_terminal(pod), meta.deleting(pod), meta.controller_of(pod)


def decide(key: Key, world: World) -> list[Action]:
    """Count again and write the status when it differs."""
    budget = world.get(PDB, *meta.split_key(key))
    if budget is None or meta.deleting(budget):
        return []
    matches = of_label_selector(budget["spec"].get("selector")).matches
    pods = [
        pod
        for pod in world.list(POD, meta.namespace(budget))
        if not meta.pod_terminal(pod) and matches(meta.labels(pod))
    ]
    try:
        expected, desired = _wanted(budget, pods, world)
    except _Unknown as problem:
        failed = _written(budget, {"disruptionsAllowed": 0}, ("False", "SyncFailed", str(problem)), world.now)
        text = f"Failed to calculate the number of expected pods: {problem}"
        return [Record(budget, "CalculateExpectedPodCountFailed", text, "Warning"), *failed] if failed else []
    disrupted, wait = _still_disrupted(budget, pods, world.now)
    healthy = sum(
        1 for pod in pods if meta.pod_ready(pod) and not meta.deleting(pod) and meta.name(pod) not in disrupted
    )
    allowed = max(0, healthy - desired) if expected > 0 else 0
    numbers: Obj = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "disruptedPods": disrupted,
    }
    verdict = ("True", "SufficientPods", "") if allowed else ("False", "InsufficientPods", "")
    actions = _written(budget, numbers, verdict, world.now)
    return [*actions, Later(wait)] if wait is not None else actions


def _wanted(budget: Obj, pods: list[Obj], world: World) -> tuple[int, int]:
    """How many Pods there should be, and how many of them must stay healthy. Raises _Unknown."""
    spec = budget["spec"]
    if (maximum := spec.get("maxUnavailable")) is not None:
        expected = _expected(pods, world)
        return expected, max(0, expected - resolve(maximum, expected, round_up=True))
    minimum = spec.get("minAvailable")
    if isinstance(minimum, int):
        return len(pods), minimum
    expected = _expected(pods, world)
    return expected, resolve(minimum if minimum is not None else 1, expected, round_up=True)


def _expected(pods: list[Obj], world: World) -> int:
    """The sizes of the Pods' controllers, each counted once. Pods without a controller do not count."""
    scaled = {}
    for pod in pods:
        reference = meta.controller_of(pod)
        if reference is not None:
            owner = _scaled(reference, pod, world)
            scaled[meta.uid(owner)] = owner
    sizes = (owner["spec"].get("replicas") for owner in scaled.values())
    return sum(1 if size is None else int(size) for size in sizes)


def _scaled(reference: Obj, pod: Obj, world: World) -> Obj:
    """What says how many Pods there should be: the Pod's controller, or the Deployment above it. Raises _Unknown."""
    namespace = meta.namespace(pod)
    kind = _SIZED.get(str(reference.get("kind")))
    owner = world.get(kind, namespace, reference["name"]) if kind is not None else None
    if owner is None:
        raise _Unknown(f'found no controllers for pod "{meta.name(pod)}"')
    above = meta.controller_of(owner)
    if above is not None and above.get("kind") == "Deployment":
        deployment = world.get(DEPLOYMENT, namespace, above["name"])
        owner = deployment if deployment is not None else owner
    return owner


def _still_disrupted(budget: Obj, pods: list[Obj], now: float) -> tuple[dict[str, str], float | None]:
    """Evicted Pods that are not yet on their way out, and in how many seconds the first of them is given up."""
    noted: dict[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    present = {meta.name(pod) for pod in pods if not meta.deleting(pod)}
    kept = {
        name: since for name, since in noted.items() if name in present and meta.time_of(since) + DELETION_SECONDS > now
    }
    waits = [meta.time_of(since) + DELETION_SECONDS - now for since in kept.values()]
    return kept, math.ceil(min(waits)) if waits else None


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
