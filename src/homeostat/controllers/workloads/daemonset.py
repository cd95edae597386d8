"""The DaemonSet loop: one Pod on each node that admits it, replaced node by node when the template changes.

Rules: pkg/controller/daemon. Which nodes and which Pods: `daemonset_pods`; the history: `daemonset_revisions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import CONTROLLERREVISION, DAEMONSET, NODE, POD
from homeostat.api.rules.intorpercent import scaled
from homeostat.api.selecting.label_selectors import of_label_selector
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints
from homeostat.controllers.ownership.owning import Matcher, claim, owner_keys
from homeostat.controllers.workloads.daemonset_pods import Placement, is_current, new_pod, oldest_first, placement
from homeostat.controllers.workloads.daemonset_revisions import history
from homeostat.controllers.writing import status_patch, without_zeros
from homeostat.loop.contract import Action, Create, Delete, Key, Later, Loop, Record, Watch, World, remembering

BURST = 250
# A node may refuse a Pod repeatedly: the back-off between attempts (failedPodsBackoff).
FAILED_FIRST_SECONDS, FAILED_CEILING_SECONDS = 1.0, 15 * 60.0


@dataclass(frozen=True, slots=True)
class Failures:
    """A DaemonSet's memory, by uid and node: when a failed Pod was last deleted, and how long the next one stays."""

    known: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def wait(self, place: tuple[str, str], now: float) -> float:
        """Seconds until the failed Pod of this place may go; 0 or less: now."""
        since, pause = self.known.get(place, (now, 0.0))
        return since + pause - now

    def deleted(self, place: tuple[str, str], now: float) -> Failures:
        """The memory once the failed Pod of this node is deleted: the next waits twice as long, unless it comes
        late."""
        known = {key: (at, pause) for key, (at, pause) in self.known.items() if now - at <= 2 * FAILED_CEILING_SECONDS}
        _, pause = known.get(place, (now, 0.0))
        return Failures(known | {place: (now, min(pause * 2, FAILED_CEILING_SECONDS) or FAILED_FIRST_SECONDS)})


@dataclass(slots=True)
class _Steps:
    """What a round does: nodes that get a Pod, Pods that go, and events about those that ended. `again_seconds` is when
    the next failed Pod may go, `failures` the memory after it."""

    failures: Failures
    create: list[str] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    events: list[Action] = field(default_factory=list)
    again_seconds: list[float] = field(default_factory=list)


def loop() -> Loop:
    """The loop `daemonset`."""
    watches = (
        Watch(DAEMONSET),
        Watch(POD, owner_keys(DAEMONSET, selects)),
        Watch(NODE, _node_keys),
        Watch(CONTROLLERREVISION, owner_keys(DAEMONSET, selects)),
    )
    return Loop("daemonset", watches, remembering(decide, Failures()), parallel=2)


def selects(daemon_set: Obj) -> Matcher:
    """The test of spec.selector."""
    return of_label_selector(daemon_set["spec"].get("selector")).matches


def _node_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Every DaemonSet, when a node was added, deleted, or changed in labels or taints."""
    if (
        old is not None
        and new is not None
        and meta.labels(old) == meta.labels(new)
        and taints.of(old) == taints.of(new)
    ):
        return ()
    return [meta.key(item) for item in world.list(DAEMONSET)]


def decide(key: Key, world: World, failures: Failures) -> tuple[list[Action], Failures]:
    """Put Pods where they belong, take the rollout on, and report."""
    daemon_set = world.get(DAEMONSET, *meta.split_key(key))
    if daemon_set is None:
        return [], Failures()
    claimed = claim(DAEMONSET, daemon_set, POD, selects(daemon_set), world)
    if meta.deleting(daemon_set):
        return claimed.actions, failures
    revisions = claim(DAEMONSET, daemon_set, CONTROLLERREVISION, selects(daemon_set), world)
    revision_history = history(daemon_set, revisions.children, claimed.children, world)
    actions = [*claimed.actions, *revisions.actions, *revision_history.actions]
    if not revision_history.settled:
        return actions, failures
    place = placement(daemon_set, claimed.children, world.list(NODE))
    steps = _manage(daemon_set, place, revision_history.revision_hash, world, failures)
    failures = steps.failures
    waits: list[Action] = [Later(seconds) for seconds in steps.again_seconds]
    if not (steps.create or steps.delete) and _strategy(daemon_set) == "RollingUpdate":
        steps = _roll(daemon_set, place, revision_history.revision_hash, world, failures)
    report: list[Action] = [
        *status_patch(DAEMONSET, daemon_set, _status(daemon_set, place, revision_history.revision_hash, world))
    ]
    moves = [*steps.events, *_performed(daemon_set, steps, revision_history.revision_hash)]
    # Repeated failures must not prevent the status from showing them.
    ordered = [*report, *moves] if world.failure else [*moves, *report]
    waits += _until_available(daemon_set, claimed.children, world.now)
    return [*actions, *ordered, *waits], failures


def _strategy(daemon_set: Obj) -> str:
    return str((daemon_set["spec"].get("updateStrategy") or {}).get("type") or "RollingUpdate")


def _allowances(daemon_set: Obj, wanted: int) -> tuple[int, int]:
    """maxSurge and maxUnavailable in Pods; without surge at least one may be unavailable."""
    rolling = (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    if _strategy(daemon_set) != "RollingUpdate":
        return 0, 0
    surge = scaled(rolling.get("maxSurge"), wanted, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", 1), wanted, round_up=True)
    return surge, (unavailable if surge else max(1, unavailable))


def _minimum(daemon_set: Obj) -> int:
    return int(daemon_set["spec"].get("minReadySeconds") or 0)


def _manage(daemon_set: Obj, place: Placement, revision_hash: str, world: World, failures: Failures) -> _Steps:
    """A Pod on each wanted node, none elsewhere, one a node (two while a surge replaces one)."""
    steps = _Steps(failures)
    surge, _ = _allowances(daemon_set, len(place.wanted))
    for node in place.wanted:
        if not place.pods.get(meta.name(node)):
            steps.create.append(meta.name(node))
    for node_name, pods in place.pods.items():
        if node_name not in place.tolerated:
            steps.delete += [pod for pod in pods if not meta.deleting(pod)]
            continue
        running = _running(daemon_set, node_name, pods, steps, world.now)
        if surge:
            steps.delete += _surplus_in_surge(daemon_set, running, revision_hash, world.now)
        else:
            steps.delete += oldest_first(running)[1:]
    return steps


def _running(daemon_set: Obj, node_name: str, pods: list[Obj], steps: _Steps, now: float) -> list[Obj]:
    """The Pods that count on a node; those that have ended are deleted, to be made again: failed ones with pauses."""
    running = []
    spot = meta.uid(daemon_set), node_name
    for pod in pods:
        phase = meta.pod_phase(pod)
        if meta.deleting(pod):
            continue
        if phase == "Failed" and (wait := steps.failures.wait(spot, now)) > 0:
            steps.again_seconds.append(wait)
        elif phase in ("Failed", "Succeeded"):
            if phase == "Failed":
                steps.failures = steps.failures.deleted(spot, now)
            text = f"Found {phase.lower()} daemon pod {meta.key(pod)} on node {node_name}, will try to "
            text += "kill it" if phase == "Failed" else "delete it"
            event_type = "Warning" if phase == "Failed" else "Normal"
            steps.events.append(Record(daemon_set, f"{phase}DaemonPod", text, event_type))
            steps.delete.append(pod)
        else:
            running.append(pod)
    return running


def _surplus_in_surge(daemon_set: Obj, running: list[Obj], revision_hash: str, now: float) -> list[Obj]:
    """With surge an old and a new Pod may run side by side until the new one is available."""
    new = [pod for pod in oldest_first(running) if is_current(pod, revision_hash)]
    old = [pod for pod in oldest_first(running) if not is_current(pod, revision_hash)]
    surplus = new[1:] + old[1:]
    if new and old and (not meta.pod_ready(old[0]) or meta.pod_available(new[0], _minimum(daemon_set), now)):
        surplus.append(old[0])
    return surplus


def _roll(daemon_set: Obj, place: Placement, revision_hash: str, world: World, failures: Failures) -> _Steps:
    """Replace Pods of former templates, as many at once as the strategy allows; broken ones do not count."""
    surge, unavailable = _allowances(daemon_set, len(place.wanted))
    minimum = _minimum(daemon_set)
    steps = _Steps(failures)
    broken: list[str] = []
    sound: list[str] = []
    busy = 0
    outdated: dict[str, Obj] = {}
    for node in place.wanted:
        name = meta.name(node)
        pods = [pod for pod in place.pods.get(name, ()) if not meta.deleting(pod)]
        new = [pod for pod in pods if is_current(pod, revision_hash)]
        old = [pod for pod in pods if not is_current(pod, revision_hash)]
        if new or not old:
            # A surge is two Pods on one node: a new one by itself uses none of it.
            busy += bool(old or not surge) and not (new and meta.pod_available(new[0], minimum, world.now))
            continue
        outdated[name] = old[0]
        (sound if meta.pod_available(old[0], minimum, world.now) else broken).append(name)
    chosen = broken + sound[: max(0, (surge or unavailable) - busy)]
    if surge:
        steps.create = chosen
    else:
        steps.delete = [outdated[name] for name in chosen]
    return steps


def _performed(daemon_set: Obj, steps: _Steps, revision_hash: str) -> list[Action]:
    deletes: list[Action] = []
    unique = {meta.uid(pod): pod for pod in steps.delete}
    for pod in list(unique.values())[:BURST]:
        name = meta.name(pod)
        done = Record(daemon_set, "SuccessfulDelete", f"Deleted pod: {name}")
        failed = Record(daemon_set, "FailedDelete", "Error deleting: {error}", "Warning")
        space = meta.namespace(pod)
        deletes.append(Delete(POD, space, name, uid=meta.uid(pod), done=done, failed=failed, note="not wanted there"))
    done = Record(daemon_set, "SuccessfulCreate", "Created pod: {name}")
    failed = Record(daemon_set, "FailedCreate", "Error creating: {error}", "Warning")
    creates: list[Action] = [
        Create(POD, new_pod(daemon_set, node, revision_hash), note=f"node {node} has none", done=done, failed=failed)
        for node in steps.create[:BURST]
    ]
    return [*creates, *deletes]


def _status(daemon_set: Obj, place: Placement, revision_hash: str, world: World) -> Obj:
    minimum = _minimum(daemon_set)
    wanted = {meta.name(node) for node in place.wanted}
    current = ready = available = updated = 0
    for name in wanted:
        pods = oldest_first(place.pods.get(name, ()))
        if not pods:
            continue
        current += 1
        pod = pods[0]
        ready += meta.pod_ready(pod)
        available += meta.pod_available(pod, minimum, world.now)
        updated += is_current(pod, revision_hash)
    status: Obj = {
        "currentNumberScheduled": current,
        "numberMisscheduled": sum(1 for name in place.pods if name and name not in wanted),
        "desiredNumberScheduled": len(wanted),
        "numberReady": ready,
    }
    rest = {
        "observedGeneration": meta.generation(daemon_set),
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
        "collisionCount": (daemon_set.get("status") or {}).get("collisionCount"),
    }
    return status | without_zeros(rest)


def _until_available(daemon_set: Obj, pods: list[Obj], now: float) -> list[Action]:
    """Wake when the next ready Pod has been ready for minReadySeconds."""
    minimum = _minimum(daemon_set)
    waits = [
        wait
        for pod in pods
        if minimum and (ready := meta.condition(pod, "Ready")) and ready.get("status") == "True"
        if (wait := meta.time_of(ready.get("lastTransitionTime")) + minimum - now) > 0
    ]
    return [Later(min(waits))] if waits else []
